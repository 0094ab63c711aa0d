"""The tokenizer of the embedded model: Phi's kind, trained on text that the project writes itself.

Ids as in Phi-3.5: 0-2 control, 3-258 bytes, 259-31999 pieces, 32000-32010 specials. Merges are learned inside words, numbers' digits and
punctuation marks only; afterwards every piece X that can begin a word gets a twin `▁X`, merged last. So a word splits alike
after a space and after an opening quote, and its twin differs in the first piece only. Invariant: no merge crosses a space or an
opening quote, digits stand alone. Held by tests/test_embedded.py. Byte-pair encoding: Sennrich et al. 2016; byte fallback and
the dummy prefix `▁`: SentencePiece (Kudo and Richardson 2018).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from embedded import words as w
from embedded.documents import Writer

SPACE = "▁"
FIRST_PIECE, END_OF_PIECES = 259, 32000
SPECIALS = [
    "<|endoftext|>",
    "<|assistant|>",
    "<|placeholder1|>",
    "<|placeholder2|>",
    "<|placeholder3|>",
    "<|placeholder4|>",
    "<|system|>",
    "<|end|>",
    "<|placeholder5|>",
    "<|placeholder6|>",
    "<|user|>",
]
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\n' + message['content'] + '<|end|>\n'}}"
    "{% elif message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}"
    "{% elif message['role'] == 'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
# single characters that get a piece of their own: ASCII but the digits' neighbours, Latin, Greek, Cyrillic, signs
LETTERS = "".join(
    map(chr, [*range(0xC0, 0xD7), *range(0xD8, 0xF7), *range(0xF8, 0x180), *range(0x391, 0x3CA), *range(0x410, 0x450)])
)
SIGNS = "€£¥§°±²³µ·×÷–—‘’“”„…•«»¿¡©®™→←↑↓≤≥≠≈∞√½¼¾ºª¶†‰′″−"
ASCII = "".join(map(chr, range(0x21, 0x7F)))
# merges of JSON punctuation and of what programs and prose repeat, in order; never a quote before a letter's piece
MARKS = [
    (",", '"'),
    (":", '"'),
    ('"', ',"'),
    ('"', ':"'),
    ('"', ":"),
    ("{", '"'),
    ('"', "}"),
    ("[", '"'),
    ('"', "]"),
    ("}", "]"),
    ("]", "}"),
    ("=", "="),
    ("-", "-"),
    ("--", "--"),
    (".", "."),
    ("..", "."),
    ("/", "/"),
    (":", "//"),
    ("=", ">"),
    ("-", ">"),
    ("!", "="),
    ("<", "="),
    (">", "="),
    ("+", "="),
    ("(", ")"),
    ("[", "]"),
    ("{", "}"),
    ("*", "*"),
    ("#", "#"),
    ("&", "&"),
    (":", ":"),
    ("|", "|"),
    ("_", "_"),
]
WORD = r"\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+|[^\p{L}]"


def training_words(seed: int) -> Iterator[str]:
    """The text that the merges are learned from: documents, inflected words, sentences, program-like lines, pseudo-words."""
    rng = Random(seed)
    writer = Writer(seed)
    for _ in range(30000):
        record = writer.record()
        yield record.text
        yield record.answer
    names = w.FIRST + w.LAST + w.CITIES + w.COUNTRIES + w.MAKERS + w.TRADES + w.STREET_NAMES + w.STREET_KINDS + w.MONTHS
    yield from (" ".join([name] * 40) for name in names)
    for word in w.common_words():
        yield " ".join([word] * 60 + [word.capitalize()] * 30 + [word.upper()] * 4)
        yield " ".join(form for form in w.inflections(word) for _ in range(12))
        yield " ".join(form for form in w.inflections(word) for _ in range(6)).title()
    common = w.common_words()
    for _ in range(20000):
        yield " ".join(rng.choice(common) for _ in range(12)).capitalize() + "."
    for _ in range(6000):
        name, other, call = (rng.choice(common) for _ in range(3))
        yield rng.choice(
            [
                f"def {name}_{other}(self, {call}): return {call}.{name}",
                f"for {name} in range({other}): print({call})",
                f"if {name} != None and {other} == True: {call}()",
                f"const {name} = await {call}({other});",
                f"SELECT {name} FROM {other} WHERE {call} IS NOT NULL",
                f"<div class='{name}'><span>{other}</span></div>",
                f"import {name} from {other}",
                f"public static void {name}(String {other}) throws Exception",
            ]
        )
    for _ in range(150000):
        yield w.pseudo_word(rng) + " " + w.pseudo_word(rng, 1, 3).capitalize()


def learn_merges(seed: int, count: int) -> list[tuple[str, str]]:
    """The first `count` merges inside words."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Split(Regex(WORD), "isolated")
    trainer = trainers.BpeTrainer(
        vocab_size=count + 900, min_frequency=2, show_progress=False, initial_alphabet=list(ASCII + LETTERS + SIGNS)
    )
    learner.train_from_iterator(training_words(seed), trainer)
    merges = json.loads(learner.to_str())["model"]["merges"]
    allowed = set(ASCII + LETTERS)
    return [(a, b) for a, b in merges if set(a + b) <= allowed and (a + b).isalpha()][:count]


def build(seed: int = 0) -> dict[str, Any]:
    """tokenizer.json's content."""
    pieces: list[str] = [SPACE * 2, SPACE * 4, SPACE * 8, SPACE * 16]
    merges = [(SPACE, SPACE), (SPACE * 2, SPACE * 2), (SPACE * 4, SPACE * 4), (SPACE * 8, SPACE * 8)]
    singles = [SPACE, *dict.fromkeys(ASCII + LETTERS + SIGNS)]
    marks = list(dict.fromkeys(a + b for a, b in MARKS))
    twins = [mark for mark in singles[1:] + marks if not mark.isdigit()]
    room = END_OF_PIECES - FIRST_PIECE - len(pieces) - len(singles) - len(marks) - len(twins)
    learned = learn_merges(seed, room // 2 + 2000)
    produced: dict[str, None] = {}
    inside = []
    for left, right in learned:
        if 2 * len(produced) + 2 > room:
            break
        inside.append((left, right))
        produced[left + right] = None
    merges += MARKS + inside + [(SPACE, piece) for piece in [*twins, *produced]]
    pieces += (
        marks + [SPACE + piece for piece in twins] + [text for piece in produced for text in (piece, SPACE + piece)]
    )
    missing = END_OF_PIECES - FIRST_PIECE - len(pieces) - len(singles)
    if missing not in (0, 1):
        raise ValueError(f"tokenizer: {missing} ids without a piece; the training text gave {len(learned)} merges")
    pieces += [SPACE * 3] * missing
    merges += [(SPACE * 2, SPACE)] * missing
    pieces += singles
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2} | {f"<0x{byte:02X}>": 3 + byte for byte in range(256)}
    vocabulary |= {piece: FIRST_PIECE + number for number, piece in enumerate(pieces)}
    if len(vocabulary) != END_OF_PIECES:
        raise ValueError(f"tokenizer: {len(vocabulary)} distinct pieces, {END_OF_PIECES} expected")
    return _file(vocabulary, merges)


def _added(number: int, text: str) -> dict[str, Any]:
    swallow = text == "</s>" or number > END_OF_PIECES
    return {
        "id": number,
        "content": text,
        "single_word": False,
        "lstrip": False,
        "rstrip": swallow,
        "normalized": False,
        "special": text != "</s>",
    }


def _added_tokens() -> list[dict[str, Any]]:
    return [
        _added(number, text)
        for number, text in [*enumerate(["<unk>", "<s>", "</s>"]), *enumerate(SPECIALS, END_OF_PIECES)]
    ]


def _file(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added_tokens(),
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Prepend", "prepend": SPACE},
                {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
            ],
        },
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {},
        },
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": [f"{a} {b}" for a, b in merges],
        },
    }


def tokenizer_config() -> dict[str, Any]:
    added = {str(token.pop("id")): token for token in _added_tokens()}
    return {
        "add_bos_token": False,
        "add_eos_token": False,
        "added_tokens_decoder": added,
        "bos_token": "<s>",
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|endoftext|>",
        "legacy": False,
        "model_max_length": 4096,
        "pad_token": "<|endoftext|>",
        "padding_side": "left",
        "sp_model_kwargs": {},
        "tokenizer_class": "LlamaTokenizer",
        "unk_token": "<unk>",
        "use_default_system_prompt": False,
    }


def write(folder: Path, seed: int = 0) -> None:
    """Write tokenizer.json and tokenizer_config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(
        json.dumps(build(seed), ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8"
    )
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config(), indent=2) + "\n", encoding="utf-8")
