"""What is measured: the public MaskBench sample, and a few regex and choice workloads made here from a
seed.

A task is a source (schema, pattern or list) and cases, each a text with the verdict that a right engine
gives. Every engine gets the same token ids: a text is tokenised as the continuation of a line ("\\n" + text
is encoded, the first two tokens are dropped), and the bytes of the tokens must concatenate to the text.
Held by tests/test_benchmarks.py.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers

from benchmarks.engines import Tokenizer

SHARED = Path(__file__).resolve().parents[2] / "shared"
PHI3_WIDTH = 32_064
EMAIL = r"[a-zA-Z0-9._%+-]{1,64}@[a-zA-Z0-9-]{1,63}(\.[a-zA-Z0-9-]{1,63}){1,8}"
ISO_DATE = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
LANGUAGES = [
    "Arabic", "Bengali", "Chinese", "Czech", "Danish", "Dutch", "English", "Finnish", "French",
    "German", "Greek", "Hebrew", "Hindi", "Hungarian", "Italian", "Japanese", "Korean", "Norwegian",
    "Polish", "Portuguese",
]


@dataclass(frozen=True)
class Case:
    tokens: list[int]
    valid: bool


@dataclass(frozen=True)
class Task:
    """One thing to compile and the tokens to drive it with; `limit_s` is an engine's time for all of it."""

    id: str
    kind: str
    source: Any
    cases: list[Case]
    limit_s: float = 10.0
    engines: tuple[str, ...] | None = None


class Encoder:
    """Texts to the token ids of a continuation, checked byte by byte."""

    def __init__(self, folder: Path, width: int | None = None) -> None:
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        added = self._tokenizer.get_added_tokens_decoder()
        pieces = {token: piece for piece, token in self._tokenizer.get_vocab().items()}
        width = width or max(pieces) + 1
        spellings = [
            None if token in added or token not in pieces else _bytes_of(pieces[token])
            for token in range(width)
        ]
        self._head = self._tokenizer.encode("\n", add_special_tokens=False).ids
        self.tokenizer = Tokenizer(folder, width, _end_id(folder, self._tokenizer), spellings)

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode("\n" + text, add_special_tokens=False).ids
        if ids[: len(self._head)] != self._head:
            raise ValueError(f"the tokens of {text[:40]!r} do not continue a line")
        ids = ids[len(self._head) :]
        spelt = b"".join(self.tokenizer.token_bytes[token] or b"" for token in ids)
        if spelt != text.encode():
            raise ValueError(f"the tokens of {text[:40]!r} spell {spelt[:40]!r}")
        return ids


def _bytes_of(piece: str) -> bytes:
    """The bytes of a SentencePiece piece: `<0x0A>` is a byte, U+2581 a space."""
    if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
        return bytes([int(piece[3:5], 16)])
    return piece.replace("\u2581", " ").encode()


def _end_id(folder: Path, tokenizer: tokenizers.Tokenizer) -> int:
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    token = tokenizer.token_to_id(config["eos_token"])
    if token is None:
        raise ValueError(
            f"the end token {config['eos_token']!r} of tokenizer_config.json is not in tokenizer.json"
        )
    return int(token)


def maskbench(
    encoder: Encoder, path: Path, sample: int | None = None, only: list[str] | None = None
) -> Iterator[Task]:
    """The tasks of a MaskBench file, one a line; `sample`: so many, drawn with a fixed seed."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    if only:
        records = [record for record in records if any(record["id"].startswith(prefix) for prefix in only)]
    if sample is not None and sample < len(records):
        chosen = sorted(random.Random(20).sample(range(len(records)), sample))
        records = [records[position] for position in chosen]
    for record in records:
        cases = [
            Case(encoder.encode(json.dumps(test["data"], ensure_ascii=False)), bool(test["valid"]))
            for test in record["tests"]
        ]
        yield Task(record["id"], "json_schema", record["schema"], cases)


def small(encoder: Encoder, quick: bool = False) -> Iterator[Task]:
    """The regex and choice workloads; `quick` leaves out the two largest lists."""
    rng = random.Random(7)
    emails, broken = _emails(rng)
    yield _task(encoder, "regex: e-mail", "regex", EMAIL, emails, broken, 60)
    runs = ["", "a", "the quick brown fox " * 10, "x" * 499, "word " * 100]
    yield _task(
        encoder, 'regex: [^"]{0,500}', "regex", '[^"]{0,500}', runs, ["y" * 501, 'say "no"', "ab " * 200], 60
    )
    dates = [f"{rng.randint(1000, 2999)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}" for _ in range(50)]
    wrong = ["2024-13-01", "2024-00-10", "2024-01-32", "24-01-01", "2024-1-1", "2024-01-01T", ""]
    yield _task(encoder, "regex: ISO date", "regex", ISO_DATE, dates, wrong, 60)
    wrong = [text[:-1] for text in LANGUAGES] + [text + "s" for text in LANGUAGES] + ["", "Klingon"]
    yield _task(encoder, "choice: 20 strings", "choice", LANGUAGES, LANGUAGES, wrong, 60)
    yield _codes_task(encoder, 70_000)
    if not quick:
        yield _codes_task(encoder, 100_000)
        yield _codes_task(encoder, 1_000_000, ("constrain",))


def codes(count: int) -> list[str]:
    """`count` different strings with the look of medical codes (S72.041A), the same ones at every call."""
    rng = random.Random(count)
    tail = "0123456789" * 3 + "ABCDEFGHJKLMNPQRSTUVWXYZ"
    found: dict[str, None] = {}
    while len(found) < count:
        head = f"{rng.choice('ABCDEFGHIJKLMNOPQRSTUVWXYZ')}{rng.randrange(10)}{rng.choice('0123456789AB')}"
        size = rng.choices((0, 1, 2, 3, 4), (1, 4, 10, 20, 30))[0]
        found["".join((head, "." if size else "", *rng.choices(tail, k=size)))] = None
    return list(found)


def _codes_task(encoder: Encoder, count: int, engines: tuple[str, ...] | None = None) -> Task:
    source = codes(count)
    members, rng = set(source), random.Random(count + 1)
    valid = rng.sample(source, 50)
    changed = (
        [text[:-1] + other for text in valid for other in "0Z"]
        + [text + "0" for text in valid]
        + [t[:-1] for t in valid]
    )
    invalid = [text for text in changed if text not in members][:100]
    return _task(encoder, f"choice: {count:,} codes", "choice", source, valid, invalid, 60, engines)


def _emails(rng: random.Random) -> tuple[list[str], list[str]]:
    names = ["ada", "grace.hopper", "j_smith+news", "info", "x", "karl-heinz.mueller99", "first.last%dept"]
    hosts = ["example.com", "mail.example.co.uk", "uni-jena.de", "a.io", "sub.domain.example.org"]
    valid = [f"{rng.choice(names)}{rng.randrange(1000)}@{rng.choice(hosts)}" for _ in range(50)]
    return valid, [
        "@example.com",
        "ada@",
        "ada@example",
        "ada@@example.com",
        "a da@example.com",
        "ada@example.com, x",
        "",
    ]


def _task(
    encoder: Encoder,
    name: str,
    kind: str,
    source: Any,
    valid: list[str],
    invalid: list[str],
    limit_s: float,
    engines: tuple[str, ...] | None = None,
) -> Task:
    cases = [Case(encoder.encode(text), True) for text in valid] + [
        Case(encoder.encode(text), False) for text in invalid
    ]
    return Task(name, kind, source, cases, limit_s, engines)
