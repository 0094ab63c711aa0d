"""Quotes from 1 MB of prose: compile time, memory and masks.

`python -m benchmarks.quotes` prints a row for each way of quoting. The text is Python's own manual as `pydoc` holds it,
with docstrings of the standard library up to the size; the vocabulary is Phi-3's, looked for in `../shared`
(`--tokenizer` names another place). A row: seconds from the str to the compiled constraint, without the tables of
Unicode that are made once a process; growth of the process's peak memory by that, each row in a process of its own; then
masks along quotes chosen token by token at random, those met for the first time only, the start among them, in µs.

With Python 3.11 on one core of a shared Xeon server, Phi-3's 32,064 tokens, `--quotes 500`:

| quotes | compile s | memory MB | median µs | p99 µs | worst µs | masks |
|---|---|---|---|---|---|---|
| verbatim | 0.35 | 158 | 2 | 63 | 568 | 5224 |
| in a JSON string | 0.36 | 154 | 4 | 77 | 384 | 1514 |
| words | 0.52 | 61 | 2 | 24 | 298 | 6076 |
| sentences | 0.24 | 60 | 2 | 9 | 276 | 7908 |
| all insensitive | 0.51 | 155 | 4 | 134 | 656 | 6079 |
| all insensitive, words | 0.61 | 63 | 4 | 52 | 407 | 8268 |
"""

from __future__ import annotations

import argparse
import ast
import random
import resource
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from pydoc_data.topics import topics

REPOSITORY = Path(__file__).resolve().parents[1]
TOKENIZER = REPOSITORY.parent / "shared" / "phi3-tokenizer"
WAYS = {
    "verbatim": {},
    "in a JSON string": {"inside": "json"},
    "words": {"align": "words"},
    "sentences": {"align": "sentences"},
    "all insensitive": {"mode": "whitespace+case+typography"},
    "all insensitive, words": {"mode": "whitespace+case+typography", "align": "words", "max_length": 40},
}


def prose(size: int = 1 << 20) -> str:
    """So many bytes of English, all of it different."""
    parts, total = sorted(set(topics.values())), 0
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8", errors="ignore"))):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)):
                parts.append(ast.get_docstring(node) or "")
    kept = []
    for part in dict.fromkeys(parts):
        kept.append(part)
        total += len(part.encode()) + 1
        if total >= size:
            break
    return "\n".join(kept).encode()[:size].decode("utf-8", "ignore")


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(way: str, tokenizer: str, num_quotes: int) -> str:
    """One row, in this process."""
    import constrain

    text, vocabulary = prose(), constrain.Vocabulary.from_tokenizer(tokenizer, size=32064)
    constrain.compile(constrain.quote("a warm start"), vocabulary)
    constrain.quote("A", **WAYS[way])  # tables of Unicode, once a process
    before, start = peak_mb(), time.perf_counter()
    expr = constrain.quote(text, **WAYS[way])
    if way == "in a JSON string":
        expr = '"' + expr + '"'
    constraint = constrain.compile(expr, vocabulary)
    seconds, grown = time.perf_counter() - start, peak_mb() - before
    times = walk(constraint, vocabulary, random.Random(1), num_quotes)
    middle, high, worst = times[len(times) // 2], times[len(times) * 99 // 100], times[-1]
    return f"| {way} | {seconds:.2f} | {grown:.0f} | {middle:.0f} | {high:.0f} | {worst:.0f} | {len(times)} |"


def walk(constraint, vocabulary, rng: random.Random, num_quotes: int) -> list[float]:
    """The time of each new mask along quotes chosen token by token, sorted, in µs."""
    import constrain

    bitmask = constrain.allocate_token_bitmask(1, vocabulary.size)
    times, seen = [], set()
    for number in range(num_quotes):
        matcher, path = constraint.matcher(), b""
        for _ in range(20):
            start = time.perf_counter()
            matcher.fill_next_token_bitmask(bitmask)
            if path not in seen:
                times.append((time.perf_counter() - start) * 1e6)
            seen.add(path)
            allowed = matcher.allowed_tokens()
            short = [t for t in allowed if vocabulary.tokens[t] and len(vocabulary.tokens[t]) <= 2]
            token = rng.choice(short if short and number % 2 else allowed)  # short ones leave the most possible
            matcher.accept_token(token)
            if matcher.is_terminated():
                break
            path += vocabulary.tokens[token]
    return sorted(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokenizer", default=str(TOKENIZER))
    parser.add_argument("--quotes", type=int, default=300)
    parser.add_argument("--way", choices=list(WAYS), help="one row, measured in this process")
    options = parser.parse_args()
    if not Path(options.tokenizer).exists():
        sys.exit(f"quotes: no tokenizer at {options.tokenizer}; --tokenizer names another place")
    if options.way:
        return print(measure(options.way, options.tokenizer, options.quotes))
    print("| quotes | compile s | memory MB | median µs | p99 µs | worst µs | masks |\n|---|---|---|---|---|---|---|", flush=True)
    for way in WAYS:
        command = [sys.executable, "-m", "benchmarks.quotes", "--way", way, "--tokenizer", options.tokenizer, "--quotes", str(options.quotes)]
        subprocess.run(command, cwd=REPOSITORY, check=True)


if __name__ == "__main__":
    main()
