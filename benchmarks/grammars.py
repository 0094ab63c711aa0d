"""Masks of grammars: constrain against llguidance, on those of grammars/ that both take, in one run.

    python -m benchmarks.grammars [--repeats 3] [--report benchmarks/RESULTS-grammars.md]

The texts are the accept records. Each engine has its own process, `repeats` times in turn, and of each step (mask and token)
the least time counts: *new* where a text's states are met for the first time in this process, *again* at the second reading
of all texts. *First mask*: from the grammar's text to the first mask, the least. A step at which an engine stops a valid
text is counted as *stopped*, and the text ends there; only steps that both engines took are compared. The vocabulary is
Phi-3's, looked for in `../shared` (`--tokenizer` names another place).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy

from benchmarks import engines
from benchmarks.report import describe_machine
from benchmarks.workloads import Encoder

REPOSITORY = Path(__file__).resolve().parents[1]
TOKENIZER = REPOSITORY.parent / "shared" / "phi3-tokenizer"
ENGINES = ("constrain", "llguidance")


def measure(name: str, tokenizer: Path) -> dict[str, Any]:
    """By grammar, the steps' times in µs by text, in this process; or the engine's word why not."""
    from tests.grammar_corpus import load, names

    encoder = Encoder(tokenizer)
    engine = engines.load(name, encoder.tokenizer)
    engine.compile("json_schema", {"type": "boolean"}).fill()
    found: dict[str, Any] = {}
    for grammar in map(load, names()):
        source = {"grammar": grammar.text, "lexer": grammar.lexer}
        start = time.perf_counter()
        try:
            cursor = engine.compile("lark", source)
            cursor.fill()
        except engines.Refused as error:
            found[grammar.name] = {"refused": str(error).splitlines()[0]}
            continue
        first = (time.perf_counter() - start) * 1e6
        texts = [encoder.encode(record.text) for record in grammar.accept if record.text]
        readings = [[steps(engine, cursor, ids) for ids in texts] for _ in range(2)]
        found[grammar.name] = {"first": first, "new": readings[0], "again": readings[1], "lengths": [len(ids) for ids in texts]}
    return found


def steps(engine: Any, cursor: Any, ids: list[int]) -> list[float]:
    """The times of one text's steps, up to the first token that is not allowed."""
    cursor.reset()
    times = []
    for token in ids:
        start = time.perf_counter()
        cursor.fill()
        allowed = engine.words[token >> 5] >> (token & 31) & 1
        accepted = bool(allowed) and cursor.accept(token) is not False
        times.append((time.perf_counter() - start) * 1e6)
        if not accepted:
            return times[:-1]
    return times


def least(runs: list[dict[str, Any]], name: str, key: str) -> list[list[float]]:
    """Of each step the least time of several runs."""
    return [[min(step) for step in zip(*text)] for text in zip(*(run[name][key] for run in runs))]


def table(results: dict[str, list[dict[str, Any]]]) -> list[str]:
    lines = [
        "| grammar | steps | first mask, ms | new avg | new p50 | new p99 | again avg | again p50 | again p99 | stopped |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    total: dict[tuple[str, str], list[float]] = {}
    refused = []
    for name in results["constrain"][0]:
        why = next((runs[0][name]["refused"] for runs in results.values() if "refused" in runs[0][name]), None)
        if why:
            refused.append(f"{name} ({why})")
            continue
        cells, kept = [], 0
        first = [min(run[name]["first"] for run in results[e]) / 1e3 for e in ENGINES]
        by_engine = {(e, key): least(results[e], name, key) for e in ENGINES for key in ("new", "again")}
        common = [min(len(by_engine[e, key][k]) for e in ENGINES for key in ("new", "again")) for k in range(len(by_engine["constrain", "new"]))]
        kept = sum(common)
        for key in ("new", "again"):
            sides = [[t for text, n in zip(by_engine[e, key], common) for t in text[:n]] for e in ENGINES]
            for e, side in zip(ENGINES, sides):
                total.setdefault((e, key), []).extend(side)
            cells += figures(*sides)
        lengths = results["constrain"][0][name]["lengths"]
        stopped = [sum(len(text) < n for text, n in zip(by_engine[e, "new"], lengths)) for e in ENGINES]
        lines.append(f"| {name} | {kept} | {first[0]:.1f} / {first[1]:.1f} | {' | '.join(cells)} | {stopped[0]} / {stopped[1]} of {len(lengths)} |")
    cells = [cell for key in ("new", "again") for cell in figures(*(total[e, key] for e in ENGINES))]
    lines.append(f"| **all** | {len(total['constrain', 'new'])} | | {' | '.join(cells)} | |")
    both = figures(*(total[e, "new"] + total[e, "again"] for e in ENGINES))
    lines += ["", f"Both readings of all texts together, µs: average {both[0]}, p50 {both[1]}, p99 {both[2]} (constrain / llguidance)."]
    return [*lines, "", f"Not compared, since one engine refuses them: {'; '.join(refused)}." if refused else ""]


def figures(*sides: list[float]) -> list[str]:
    """Average, median and 99th percentile, side by side."""
    rows = [(numpy.mean(side), *numpy.percentile(side, [50, 99])) for side in sides]
    return [" / ".join(f"{row[k]:.2f}" if row[k] < 10 else f"{row[k]:.0f}" for row in rows) for k in range(3)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tokenizer", default=str(TOKENIZER))
    parser.add_argument("--engine", choices=ENGINES, help="one engine in this process, as JSON")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    if not Path(options.tokenizer).exists():
        sys.exit(f"grammars: no tokenizer at {options.tokenizer}; --tokenizer names another place")
    if options.engine:
        warnings.simplefilter("ignore")
        return print(json.dumps(measure(options.engine, Path(options.tokenizer))))
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in ENGINES}
    for _ in range(options.repeats):
        for name in ENGINES:
            command = [sys.executable, "-m", "benchmarks.grammars", "--engine", name, "--tokenizer", options.tokenizer]
            done = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
            results[name].append(json.loads(done.stdout.splitlines()[-1]))
    lines = table(results)
    print("\n".join(lines))
    if options.report:
        machine = describe_machine(ENGINES)
        versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        head = [
            "# Masks of grammars",
            "",
            f"`python -m benchmarks.grammars --repeats {options.repeats}` on {machine['date']}: {machine['processor']}, {machine['cores']} shared cores, "
            f"Python {machine['python']}; {versions}. µs a step; constrain / llguidance; of each step the least of {options.repeats} processes.",
            "",
        ]
        options.report.write_text("\n".join([*head, *lines]).rstrip() + "\n")


if __name__ == "__main__":
    main()
