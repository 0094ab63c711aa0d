"""Small random models of the Phi-3.5 architecture with a tokenizer of Phi's kind, made on the spot for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, trainers
from transformers import Phi3Config, Phi3ForCausalLM

ROLES = ["<|endoftext|>", "<|assistant|>", "<|placeholder1|>", "<|system|>", "<|end|>", "<|user|>"]
CORPUS = [
    'The quick brown fox jumps over the lazy dog. {"name": "value", "number": 12345, "list": [true, false, null]}',
    '{"name":"Ada","age":36,"city":"London","colour":"red","total":12.50} yes no maybe positive negative neutral',
    "Grüße aus Köln, naïve café — 東京 😀 done.\nSecond line\twith a tab, and    spaces. 2024-05-17T10:30:00Z",
] * 8


def write_tokenizer(folder: Path) -> int:
    """Writes a tokenizer.json of Phi's structure (▁ for spaces, byte fallback, dummy prefix); returns its length."""
    trained = Tokenizer(models.BPE())
    trained.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trained.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=420, show_progress=False))
    document = json.loads(trained.to_str())
    pieces = sorted(document["model"]["vocab"], key=document["model"]["vocab"].get)
    control = ["<unk>", "<s>", "</s>"]
    names = [
        *control,
        *(f"<0x{byte:02X}>" for byte in range(256)),
        *(piece for piece in pieces if piece != "\n"),
    ]
    document["model"] |= {
        "vocab": {name: i for i, name in enumerate(names)},
        "merges": [merge for merge in document["model"]["merges"] if "\n" not in "".join(merge)],
        "byte_fallback": True,
        "unk_token": "<unk>",
        "fuse_unk": True,
    }
    document["decoder"] = {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0},
    ]}  # fmt: skip
    document["added_tokens"] = [
        {"id": i, "content": name, "single_word": False, "lstrip": False, "normalized": False, "special": name != "</s>",
         "rstrip": name in ROLES and name != "<|endoftext|>"}
        for i, name in [*enumerate(control), *enumerate(ROLES, start=len(names))]
    ]  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(document))
    return len(names) + len(ROLES)


def config(vocab_size: int, *, original: int = 4096, longrope: bool = True, **changes: Any) -> Phi3Config:
    """A tiny Phi3Config; `original` is where LongRoPE switches its factors."""
    rope = {
        "rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": original,
        "short_factor": [1.0 + 0.1 * i for i in range(4)], "long_factor": [2.0 + 3.0 * i for i in range(4)],
    }  # fmt: skip
    values: dict[str, Any] = {
        "vocab_size": vocab_size, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 2048, "sliding_window": 262144,
        "original_max_position_embeddings": original, "rope_parameters": rope if longrope else None,
        "initializer_range": 0.3, "pad_token_id": 0, "eos_token_id": 0, "bos_token_id": 1,
    }  # fmt: skip
    return Phi3Config(**(values | changes))


def model(configuration: Phi3Config, seed: int = 0) -> Phi3ForCausalLM:
    """A model with seeded random weights, in float32."""
    torch.manual_seed(seed)
    return Phi3ForCausalLM(configuration).eval()


def write_checkpoint(folder: Path, **changes: Any) -> Path:
    """A whole checkpoint folder: tokenizer, configuration, weights; a few rows of padding as Phi has."""
    num_tokens = write_tokenizer(folder)
    size = -(-(num_tokens + 1) // 32) * 32 + 5  # not a multiple of 32, and wider than the tokenizer
    model(config(size, **changes)).save_pretrained(folder)
    return folder
