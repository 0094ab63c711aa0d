"""Is forced text in the tokenizer's own tokens? `python -m benchmarks.canonical [--schemas N] [--out FILE]`

A *forced run* is a maximal run of tokens that were appended without asking the model. It is right where the tokenizer, given the
whole text of the turn, writes the same ids at the same place. Texts come from

- *fed*: valid instances of MaskBench schemas, as compact JSON, and samples of regexes with fixed text, given to a model that
  wants the tokenizer's own tokens of exactly this text;
- *random*: models that draw any allowed token, which rarely are the tokenizer's. A run behind such a token may begin where the
  tokenizer has no border, so that no ids could be right: these are counted apart and not in the share;
- *the embedded model*: extractions of `extraction.py`, and the DSL programs of tests/dsl.

Prints Markdown; the committed figures stand in RESULTS-canonical.md. MaskBench and Phi's tokenizer are looked for in
`<repository>/../shared`; without them the embedded tokenizer does, and MaskBench is left out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import constrain
from benchmarks.extraction import documents
from constrain import dsl
from constrain.generate import LanguageModel
from constrain.models.prompts import prompt

SHARED = Path(__file__).resolve().parents[2] / "shared"
PATTERNS = [
    r"Dear (Ms|Mr) [A-Z][a-z]{2,8}, thank you for your order of [0-9]{1,2} (books|pens)\. Yours sincerely",
    r"https://www\.example\.(com|org)/[a-z]{2,9}/index\.html\?id=[0-9]{1,6}",
    r"The answer is (yes|no), because of (cost|time|quality)\.",
    r"<item><name>[a-z ]{1,12}</name><price>[0-9]{1,3}\.[0-9]{2}</price></item>",
    r"SELECT (name|id|total) FROM customers WHERE (id|total) (=|<|>) [0-9]{1,4};",
    r"[0-9]{4}-(0[1-9]|1[0-2])-[0-2][0-9]T[0-2][0-9]:[0-5][0-9]:00Z",
    r"(Größe|Länge|Übergröße): [0-9]{1,3} cm \(geprüft\)",
    r"東京都(港区|新宿区)[0-9]-[0-9] 😀 ok",
    r"def [a-z_]{3,10}\(self, value: (int|str)\) -> None:\n    return self\.(left|right)\.(add|remove)\(value\)",
    r"(\| [a-z]{1,8} \| [0-9]{1,3} \|\n){1,4}",
    r"  indented(  twice|    four times|\tby a tab), then   three spaces",
]


class Model:
    """A backend that wants the tokenizer's own tokens of `text`, or without one any token at all."""

    max_length = 1 << 20

    def __init__(self, vocabulary: constrain.Vocabulary, seed: int) -> None:
        self.vocabulary = vocabulary
        self.random = np.random.default_rng(seed)
        self.rows = self.random.normal(scale=3.0, size=(32, 1, vocabulary.size)).astype(np.float32)
        self.feed(None)

    def feed(self, text: str | None) -> None:
        """Wants this text from now on."""
        self.wanted: dict[int, int] | None = None
        if text is None:
            return
        self.wanted, self.offset = {}, -1
        offset = 0
        for i in [*self.vocabulary.encode(text, start="turn"), self.vocabulary.end_ids[0]]:
            self.wanted[offset] = i
            offset += len(self.vocabulary.tokens[i] or b"")

    def open(self, num_sequences: int) -> Model:
        self.offset = 0
        return self

    def forward(self, tokens: Sequence[Sequence[int]]) -> Any:
        width = self.vocabulary.size
        if self.wanted is None:
            return self.rows[self.random.integers(len(self.rows))].copy()
        self.offset += len(self.vocabulary.decode(tokens[0]))
        logits = np.zeros((1, width), dtype=np.float32)
        logits[0, self.wanted.get(self.offset, 0)] = 1000.0  # certain at any temperature
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        """There is one sequence."""

    def chat_ids(self, messages: Any) -> list[int]:
        return [self.vocabulary.end_ids[0]]

    def text_ids(self, text: str) -> list[int]:
        return self.vocabulary.encode(text, start="turn")


def runs(is_forced: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """The maximal runs of what is forced."""
    start = 0
    for position in range(1, len(is_forced) + 1):
        if position == len(is_forced) or is_forced[position] != is_forced[start]:
            if is_forced[start]:
                yield start, position
            start = position


def check(vocabulary: constrain.Vocabulary, ids: Sequence[int], is_forced: Sequence[bool], counts: Counter[str]) -> list[str]:
    """Counts the forced runs of one turn; says which were wrong."""
    data = vocabulary.decode(ids)
    text = data[1:] if vocabulary.adds_dummy_prefix and data.startswith(b" ") else data
    own = vocabulary.encode(text, start="turn")
    at: dict[int, int] = {}  # offset -> position in the tokenizer's ids
    offset = len(data) - len(vocabulary.decode(own))  # -1 where the model left the dummy prefix out
    for position, i in enumerate(own):
        at[offset] = position
        offset += len(vocabulary.tokens[i] or b"")
    at[offset] = len(own)
    starts = np.cumsum([0, *(len(vocabulary.tokens[i] or b"") for i in ids)]).tolist()
    wrong = []
    for first, last in runs(is_forced):
        counts["tokens"] += last - first
        if starts[first] not in at:
            counts["no border"] += 1
            continue
        counts["runs"] += 1
        begin = at[starts[first]]
        if own[begin : begin + last - first] == list(ids[first:last]):
            counts["right"] += 1
        else:
            given = [vocabulary.tokens[i] for i in ids[first:last]]
            wrong.append(f"{given} for {[vocabulary.tokens[i] for i in own[begin : begin + last - first]]} in {data[max(0, starts[first] - 20) : starts[last] + 20]!r}")
    return wrong


def answer_of(lm: LanguageModel, constraint: constrain.Constraint, counts: Counter[str], **options: Any) -> list[str]:
    """Generates one answer and checks it."""
    try:
        answer = lm.generate("x", constraint, **options)
    except constrain.LimitExceeded:
        return []
    counts["texts"] += 1
    tokens = [token for token in answer.tokens if token.data]
    return check(lm.vocabulary, [token.id for token in tokens], [token.origin == "forced" for token in tokens], counts)


# ---------------------------------------------------------------- sources


def maskbench(vocabulary: constrain.Vocabulary, num_schemas: int) -> Iterator[tuple[str, Counter[str], list[str]]]:
    """Fed instances and random texts."""
    with gzip.open(SHARED / "maskbench" / "public.jsonl.gz", "rt") as lines:
        records = [json.loads(line) for line in lines]
    records = records[:: max(1, len(records) // num_schemas)][:num_schemas]
    fed, drawn = Counter[str](), Counter[str]()
    wrong: tuple[list[str], list[str]] = ([], [])
    for number, record in enumerate(records):
        try:
            expr = constrain.json_schema(record["schema"], whitespace="compact")
        except constrain.ConstrainError:
            fed["schemas refused"] += 1
            continue
        constraint = constrain.compile(expr, vocabulary)
        model = Model(vocabulary, number)
        for test in record["tests"]:
            text = json.dumps(test["data"], ensure_ascii=False, separators=(",", ":"))
            if not test["valid"] or not expr.matches(text):
                continue
            model.feed(text)
            wrong[0].extend(answer_of(LanguageModel(model), constraint, fed, max_tokens=10_000))
        model.feed(None)
        for seed in range(2):
            wrong[1].extend(answer_of(LanguageModel(model), constraint, drawn, temperature=1.0, seed=seed, max_tokens=200))
    yield "MaskBench, fed", fed, wrong[0]
    yield "MaskBench, random", drawn, wrong[1]


def patterns(vocabulary: constrain.Vocabulary) -> Iterator[tuple[str, Counter[str], list[str]]]:
    """Samples of the regexes, fed, and random texts."""
    fed, drawn = Counter[str](), Counter[str]()
    wrong: tuple[list[str], list[str]] = ([], [])
    for number, pattern in enumerate(PATTERNS):
        expr = constrain.regex(pattern)
        constraint = constrain.compile(expr, vocabulary)
        model = Model(vocabulary, number)
        for seed in range(20):
            for text, counts, found in ((expr.sample(seed), fed, wrong[0]), (None, drawn, wrong[1])):
                model.feed(text)
                found.extend(answer_of(LanguageModel(model), constraint, counts, temperature=1.0, seed=seed, max_tokens=200))
    yield "regexes, fed", fed, wrong[0]
    yield "regexes, random", drawn, wrong[1]


def extractions(lm: constrain.Phi, count: int) -> Iterator[tuple[str, Counter[str], list[str]]]:
    """Documents, filled in by the embedded model."""
    counts, wrong = Counter[str](), list[str]()
    records = documents(count, unseen=False)
    exprs = [constrain.json_schema(record.schema, whitespace="compact", integers="plain") for record in records]
    for answer in lm.generate_batch([prompt(r.text, r.schema) for r in records], exprs, max_tokens=400):
        counts["texts"] += 1
        tokens = [token for token in answer.tokens if token.data]
        wrong += check(lm.vocabulary, [token.id for token in tokens], [token.origin == "forced" for token in tokens], counts)
    yield "extractions, embedded model", counts, wrong


def programs(lm: constrain.Phi) -> Iterator[tuple[str, Counter[str], list[str]]]:
    """The DSL programs of the tests, written by the embedded model."""
    from tests.dsl.programs import PROGRAMS

    counts, wrong = Counter[str](), list[str]()
    forced: set[int] = set()
    start = dsl.Model(lm, max_tokens=60)
    engine, run = start._engine, start._engine.run

    def noted(ids: Sequence[int], *rest: Any) -> Any:
        written = run(ids, *rest)
        assert written.generation is not None
        first = len(ids) - written.generation.num_healed_tokens
        forced.update(first + n for n, token in enumerate(written.generation.tokens) if token.origin == "forced")
        return written

    engine.run = noted  # type: ignore[method-assign]
    for program in PROGRAMS:
        if not program.form:
            continue
        forced.clear()
        counts["texts"] += 1
        ids = program.run(start + "Go on:\n")._flushed()._state.ids
        turns, begin = [], 0
        for position, i in enumerate([*ids, lm.vocabulary.end_ids[0]]):
            if lm.vocabulary.tokens[i] is None:
                turns.append((begin, position))
                begin = position + 1
        for begin, end in turns:
            wrong += check(lm.vocabulary, ids[begin:end], [n in forced for n in range(begin, end)], counts)
    yield "DSL programs, embedded model", counts, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description="the share of forced runs in the tokenizer's own tokens")
    parser.add_argument("--schemas", type=int, default=250)
    parser.add_argument("--documents", type=int, default=40)
    parser.add_argument("--show", type=int, default=0, help="so many wrong runs of each source")
    options = parser.parse_args()
    lm = constrain.Phi.load()
    has_phi = (SHARED / "phi3-tokenizer").is_dir()
    vocabulary = constrain.Vocabulary.from_tokenizer(SHARED / "phi3-tokenizer", size=32064) if has_phi else lm.vocabulary
    sources = [patterns(vocabulary), extractions(lm, options.documents), programs(lm)]
    if (SHARED / "maskbench").is_dir():
        sources.insert(0, maskbench(vocabulary, options.schemas))
    print("| source | texts | forced tokens | forced runs | right | share | no border |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for source in sources:
        for name, c, wrong in source:
            share = f"{c['right'] / c['runs']:.2%}" if c["runs"] else "–"
            print("|", " | ".join(map(str, (name, c["texts"], c["tokens"], c["runs"], c["right"], share, c["no border"]))), "|", flush=True)
            for line in wrong[: options.show]:
                print("   ", line)
    tokenizer = "Phi's" if has_phi else "the embedded model's"
    print(f"\n{tokenizer} tokenizer where no model is named, {platform.machine()}, Python {platform.python_version()}")


if __name__ == "__main__":
    main()
