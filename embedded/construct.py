"""The first weights: induction heads and structured embeddings written by hand, everything else small and random.

Layer 0 looks back one, two and three tokens (a constant dimension of the embedding and the fast RoPE pairs) and notes what it saw in
dimensions that embeddings leave empty; layer 1 finds the places where the same token was noted and copies what stands there. Embeddings
of `X` and `▁X`, and of `Total` and `total`, share an identity; a code of characters by position says which words are alike. Training
changes all of it afterwards. Source: Olsson et al. 2022, *In-context learning and induction heads*. Held by
tests/test_embedded.py (extraction works) and by the figures of embedded/README.md.
"""

from __future__ import annotations

import math
from typing import Any

import torch

WIDTH, LAYERS, HEADS, INNER = 160, 5, 5, 384
HEAD = WIDTH // HEADS
THETA = 1_000_000.0
FLAGS, IDENTITY, SPELLING, NOTES = slice(1, 10), slice(10, 90), slice(90, 128), slice(128, 160)
CONSTANT = 0.35
SLOW = [pair + half for half in (0, HEAD // 2) for pair in range(7, HEAD // 2)]


def config() -> Any:
    """The transformers configuration of the embedded model."""
    from transformers import Phi3Config

    return Phi3Config(
        vocab_size=32064,
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=4096,
        original_max_position_embeddings=4096,
        rope_theta=THETA,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attention_dropout=0.0,
        sliding_window=None,
        bos_token_id=1,
        eos_token_id=32000,
        pad_token_id=32000,
        architectures=["Phi3ForCausalLM"],
    )


def _unit(rows: torch.Tensor) -> torch.Tensor:
    return rows / rows.norm(dim=-1, keepdim=True).clamp_min(1e-6)


def _flags(piece: str, word: str) -> list[float]:
    kinds = [
        piece.startswith("▁"),
        word.isdigit(),
        word.isalpha(),
        bool(word) and not word.isalnum(),
        piece == "<0x0A>",
        piece.startswith("<0x"),
        piece.startswith("<|"),
        word[:1].isupper(),
        len(word) > 1 and word.isupper(),
    ]
    return [0.25 if kind else -0.05 for kind in kinds]


def embeddings(pieces: list[str], generator: torch.Generator) -> torch.Tensor:
    """One row per id: constant, flags, identity shared by `▁X`, `X` and their capitals, spelling, empty notes."""
    table = torch.zeros(len(pieces), WIDTH)
    identities: dict[str, torch.Tensor] = {}
    letters: dict[tuple[int, str], torch.Tensor] = {}

    def noise(size: int) -> torch.Tensor:
        return torch.randn(size, generator=generator)

    for row, piece in enumerate(pieces):
        word = piece.lstrip("▁") if piece.strip("▁") else piece
        key = word.lower()
        if key not in identities:
            identities[key] = _unit(noise(80)) * 0.62
        code = torch.zeros(38)
        for place, letter in enumerate(key[:12]):
            if (place, letter) not in letters:
                letters[place, letter] = noise(38)
            code += letters[place, letter] * 0.85**place
        table[row, 0] = CONSTANT
        table[row, FLAGS] = torch.tensor(_flags(piece, word))
        table[row, IDENTITY] = identities[key] + noise(80) * 0.012
        table[row, SPELLING] = _unit(code) * 0.38
        table[row, NOTES] = noise(32) * 0.004
    return table


def _orthogonal(rows: int, columns: int, generator: torch.Generator) -> torch.Tensor:
    matrix, _ = torch.linalg.qr(torch.randn(max(rows, columns), max(rows, columns), generator=generator))
    return matrix[:rows, :columns]


def _look_back(distance: int, strength: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Query and key rows of a head that attends `distance` tokens back: one phase per RoPE pair, read from the constant."""
    query, key = torch.zeros(HEAD, WIDTH), torch.zeros(HEAD, WIDTH)
    for pair in range(6):
        angle = distance * THETA ** (-pair / (HEAD // 2))
        query[pair, 0], query[pair + HEAD // 2, 0] = strength * math.cos(angle), -strength * math.sin(angle)
        key[pair, 0] = strength
    return query, key


def build(pieces: list[str], seed: int) -> Any:
    """A Phi3ForCausalLM with the constructed weights; `pieces` are the vocabulary's texts by id."""
    from transformers import Phi3ForCausalLM

    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = Phi3ForCausalLM(config()).float()
    rows = [*pieces, *(f"<|padding{number}|>" for number in range(len(pieces), 32064))]
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(embeddings(rows, generator))
        for layer in model.model.layers:
            layer.self_attn.qkv_proj.weight.normal_(0, 0.06, generator=generator)
            layer.self_attn.o_proj.weight.normal_(0, 0.004, generator=generator)
            layer.mlp.gate_up_proj.weight.normal_(0, 0.08, generator=generator)
            layer.mlp.down_proj.weight.normal_(0, 0.004, generator=generator)
        _write_heads(model.model.layers[0].self_attn, model.model.layers[1].self_attn, generator)
    return model


def _write_heads(first: Any, second: Any, generator: torch.Generator) -> None:
    known = slice(1, 128)
    seen = torch.zeros(HEAD, WIDTH)
    seen[:, known] = _orthogonal(HEAD, 127, generator)
    turn = _orthogonal(HEAD, HEAD, generator)
    qkv, out = first.qkv_proj.weight, first.o_proj.weight
    for head, (distance, writes) in enumerate([(1, torch.eye(HEAD) * 0.1), (2, turn * 0.05), (3, turn @ turn * 0.035)]):
        span = slice(head * HEAD, (head + 1) * HEAD)
        query, key = _look_back(distance, 1.9)
        qkv[span], qkv[WIDTH:][span], qkv[2 * WIDTH :][span] = query, key, seen
        out[:, span] = 0
        out[NOTES, span] = writes
    qkv, out = second.qkv_proj.weight, second.o_proj.weight
    copy = _orthogonal(WIDTH, WIDTH, generator)
    for head in range(HEADS):
        span = slice(head * HEAD, (head + 1) * HEAD)
        match = _orthogonal(len(SLOW), HEAD, generator)
        query, key = qkv[span].clone() * 0.3, qkv[WIDTH:][span].clone() * 0.3
        query[SLOW], key[SLOW] = 0, 0
        query[SLOW] += 2 * match @ seen
        key[SLOW, NOTES] = 2 * match
        if head in (1, 2, 3):
            query[SLOW, NOTES] = match @ turn
        qkv[span], qkv[WIDTH:][span], qkv[2 * WIDTH :][span] = query, key, copy[span]
        out[:, span] = copy[span].T * 0.2
