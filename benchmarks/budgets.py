"""Does every answer end inside its budget, whatever the model wants? Schemas of MaskBench, adversarial models, tight budgets.

    python -m benchmarks.budgets [--schemas N] [--budgets N] [--start N] [--processes N] [--seconds N] [--out FILE] [--report FILE]

A schema's least budget is the one that a budget of 1 is refused with. From there on each budget is tried, up to 40 above,
with models that draw at random, prefer white space, prefer the longest token, or never want to end. An answer must be
complete, valid and no longer than its budget. Schemas that are refused, or take longer than `--seconds`, are named. Each
schema is a line of `--out`; those that are there already are not tried again. The data are looked for in
`<repository>/../shared`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import constrain
from constrain.generate import LanguageModel

from .report import describe_machine, table

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


def attack(
    vocabulary: constrain.Vocabulary, schema: Any, num_budgets: int, seed: int, seconds: float = float("inf")
) -> tuple[Counter[str], str]:
    """Counts of one schema, and what went wrong first."""
    started = time.perf_counter()
    expr = constrain.json_schema(schema)
    constraint = constrain.compile(expr, vocabulary)
    counts: Counter[str] = Counter()
    least = counts["least"] = least_budget(LanguageModel(Adversary(vocabulary, "random", 0)), constraint)
    models = {kind: LanguageModel(Adversary(vocabulary, kind, seed)) for kind in MODELS}
    for extra in range(num_budgets):
        for kind, lm in models.items():
            answer = lm.generate("x", constraint, max_tokens=least + extra)
            counts["answers"] += 1
            counts["passes"] += answer.num_forward_passes
            counts["mask µs"] += round(answer.mask_seconds * 1e6)
            unfinished = not answer.is_complete or len(answer.token_ids) > least + extra
            invalid = not expr.matches(answer.text)
            counts["unfinished"] += unfinished
            counts["invalid"] += invalid
            if unfinished or invalid:
                return counts, f"{kind}, {least} + {extra} tokens: {answer.finish_reason}, {answer.text[-80:]!r}"
            if time.perf_counter() - started > seconds:
                return counts, f"given up after {seconds:g} s, at {least} + {extra} tokens"
    return counts, ""


_vocabulary: constrain.Vocabulary | None = None  # of this process


def try_schema(task: tuple[int, dict[str, Any], int, float]) -> dict[str, Any]:
    """One line of the output."""
    global _vocabulary
    number, row, num_budgets, seconds = task
    _vocabulary = _vocabulary or constrain.Vocabulary.from_tokenizer(SHARED / "phi3-tokenizer")
    started = time.perf_counter()
    counts: Counter[str] = Counter()
    try:
        counts, note = attack(_vocabulary, row["schema"], num_budgets, number, seconds)
    except constrain.ConstrainError as error:
        note = f"{type(error).__name__}: {error}"
    return {"id": row["id"], "note": note, "seconds": time.perf_counter() - started, **counts}


def render(lines: list[dict[str, Any]], num_budgets: int) -> str:
    """The table, and the schemas that have a note."""
    total: Counter[str] = Counter()
    for line in lines:
        total.update({key: value for key, value in line.items() if isinstance(value, (int, float))})
    tried = [line for line in lines if line.get("answers")]
    rows = [
        ("schemas", len(lines)),
        ("of these with answers", len(tried)),
        ("answers", total["answers"]),
        ("unfinished", total["unfinished"]),
        ("invalid", total["invalid"]),
        ("forward passes", total["passes"]),
        ("µs of the constraint per pass", f"{total['mask µs'] / max(1, total['passes']):.0f}"),
        ("least budget, median and greatest", f"{median(line['least'] for line in tried)}, {max(line['least'] for line in tried)}"),
        ("seconds for a schema, median and greatest", f"{median(line['seconds'] for line in lines):.1f}, {max(line['seconds'] for line in lines):.1f}"),
        ("processor seconds", f"{total['seconds']:.0f}"),
    ]  # fmt: skip
    run = describe_machine(["constrain"])
    heading = (
        "# Budgets\n\n"
        f"Made by `python -m benchmarks.budgets --report …` on {run['date']}: {run['processor']}, {run['cores']} cores, {run['system']}, "
        f"Python {run['python']}, constrain {run['versions']['constrain']}.\n\n"
        f"Each of {num_budgets} budgets from the least one on, with {len(MODELS)} models each ({', '.join(MODELS)}); Phi-3's vocabulary.\n\n"
    )
    named = "".join(f"- {line['id']}: {line['note']}\n" for line in lines if line["note"])
    return heading + table(("", ""), rows) + "\n\nRefused, or not tried to the end:\n\n" + (named or "none\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--schemas", type=int, default=300)
    parser.add_argument("--budgets", type=int, default=41)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--report", type=Path)
    given = parser.parse_args()
    if not SHARED.is_dir():
        print(f"no data: {SHARED} is not there", file=sys.stderr)
        return 1
    with gzip.open(SHARED / "maskbench" / "public.jsonl.gz", "rt") as text:
        rows = [json.loads(line) for line in text]
    rows = rows[:: max(1, len(rows) // given.schemas)][given.start : given.start + given.schemas]
    lines: list[dict[str, Any]] = []
    if given.out and given.out.exists():
        lines = [json.loads(line) for line in given.out.read_text().splitlines()]
    known = {line["id"] for line in lines}
    tasks = [(i, row, given.budgets, given.seconds) for i, row in enumerate(rows) if row["id"] not in known]
    with multiprocessing.get_context("spawn").Pool(given.processes) as pool:
        for line in pool.imap_unordered(try_schema, tasks):
            lines.append(line)
            if line["note"]:
                print(f"{line['id']}: {line['note']}", flush=True)
            if given.out:
                with given.out.open("a") as out:
                    out.write(json.dumps(line) + "\n")
    report = render(lines, given.budgets)
    print(report)
    if given.report:
        given.report.write_text(report)
    return int(any(line.get("unfinished") or line.get("invalid") for line in lines))


if __name__ == "__main__":
    sys.exit(main())
