"""Does every answer end inside its budget, whatever the model wants? Schemas of MaskBench, adversarial models, tight budgets.

    python -m benchmarks.budgets [--schemas N] [--budgets N] [--start N]

A schema's least budget is the one that a budget of 1 is refused with. From there on each budget is tried, up to 40 above,
with models that draw at random, prefer white space, prefer the longest token, or never want to end. An answer must be
complete, valid and no longer than its budget. Prints counts and the schemas that failed. The data are looked for in
`<repository>/../shared`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import constrain
from constrain.generate import LanguageModel

SHARED = Path(__file__).resolve().parents[2] / "shared"
MODELS = ("random", "white space", "longest", "never end")


class Adversary:
    """A backend whose logits do not depend on the text: what it wants it always wants."""

    max_length = 1 << 20

    def __init__(self, vocabulary: constrain.Vocabulary, kind: str, seed: int) -> None:
        self.vocabulary, self.kind = vocabulary, kind
        self.random = np.random.default_rng(seed)
        tokens = [token or b"" for token in vocabulary.tokens]
        width = vocabulary.size
        self.base = np.zeros(width, dtype=np.float32)
        if kind == "white space":
            self.base[: len(tokens)] = [4.0 * (bool(t) and not t.strip()) * len(t) for t in tokens]
        if kind == "longest":
            self.base[: len(tokens)] = [float(len(t)) for t in tokens]
        if kind != "random":
            self.base[vocabulary.end_ids] = -50.0
        scale = 1.0 if kind == "random" else 0.1
        self.rows = self.base + scale * self.random.normal(size=(16, width)).astype(np.float32)

    def open(self, num_sequences: int) -> Adversary:
        self.num_sequences = num_sequences
        return self

    def forward(self, tokens: Sequence[Sequence[int]]) -> Any:
        return self.rows[self.random.integers(len(self.rows), size=len(tokens))]  # a copy: the caller writes on it

    def keep(self, rows: Sequence[int]) -> None:
        self.num_sequences = len(rows)

    def chat_ids(self, messages: Any) -> list[int]:
        return [self.vocabulary.end_ids[0]]

    def text_ids(self, text: str) -> list[int]:
        return self.vocabulary.encode(text.encode())


def least_budget(lm: LanguageModel, constraint: constrain.Constraint) -> int:
    """The number that a budget of one token is refused with."""
    try:
        lm.generate("x", constraint, max_tokens=1)
    except constrain.LimitExceeded as error:
        if error.given is None:
            raise
        return int(error.given)
    return 1


def attack(vocabulary: constrain.Vocabulary, schema: Any, num_budgets: int, seed: int) -> tuple[Counter[str], str]:
    """Counts of one schema, and what went wrong first."""
    expr = constrain.json_schema(schema)
    constraint = constrain.compile(expr, vocabulary)
    counts: Counter[str] = Counter()
    least = least_budget(LanguageModel(Adversary(vocabulary, "random", 0)), constraint)
    models = {kind: LanguageModel(Adversary(vocabulary, kind, seed)) for kind in MODELS}
    for extra in range(num_budgets):
        for kind, lm in models.items():
            answer = lm.generate("x", constraint, max_tokens=least + extra)
            counts["answers"] += 1
            counts["passes"] += answer.num_forward_passes
            wrong = not answer.is_complete or len(answer.token_ids) > least + extra or not expr.matches(answer.text)
            counts["wrong"] += wrong
            if wrong:
                return counts, f"{kind}, {least} + {extra} tokens: {answer.finish_reason}, {answer.text[-80:]!r}"
    return counts, ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--schemas", type=int, default=300)
    parser.add_argument("--budgets", type=int, default=41)
    parser.add_argument("--start", type=int, default=0)
    given = parser.parse_args()
    if not SHARED.is_dir():
        print(f"no data: {SHARED} is not there", file=sys.stderr)
        return 1
    vocabulary = constrain.Vocabulary.from_tokenizer(SHARED / "phi3-tokenizer")
    with gzip.open(SHARED / "maskbench" / "public.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    rows = rows[:: max(1, len(rows) // given.schemas)][given.start : given.start + given.schemas]
    total: Counter[str] = Counter()
    started = time.perf_counter()
    for row in rows:
        try:
            counts, wrong = attack(vocabulary, row["schema"], given.budgets, len(total))
        except constrain.ConstrainError as error:
            total[type(error).__name__] += 1
            if not isinstance(error, (constrain.UnsupportedError, constrain.UnsatisfiableError)):
                print(f"{row['id']}: {error}", flush=True)
            continue
        total += counts
        total["schemas"] += 1
        if wrong:
            print(f"{row['id']}: {wrong}", flush=True)
    print(dict(total), f"{time.perf_counter() - started:.0f} s")
    return int(total["wrong"] > 0)


if __name__ == "__main__":
    sys.exit(main())
