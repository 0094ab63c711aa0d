"""Time per character on ambiguous grammars, for texts of n and of 2 n characters: a parser's cost must not grow with the text.

    python -m benchmarks.ambiguous_grammars [--most 5000] [--repeats 5]

For each grammar of tests/ambiguous_grammars.py a fresh expression reads a text byte by byte, mask-wise states and all
(`ExprSet.advance`), so that every state is met for the first time. Prints the least microseconds per byte of the repetitions at
each length, and the largest ratio of a length to its half.
"""

from __future__ import annotations

import argparse
import sys
import time

import constrain
from tests.ambiguous_grammars import GRAMMARS, Ambiguous


def time_per_byte(ambiguous: Ambiguous, text: bytes, repeats: int) -> float:
    """Microseconds per byte, the least of several fresh expressions."""
    best = float("inf")
    for _ in range(repeats):
        expr = constrain.lark(ambiguous.grammar, lexer="dynamic")
        begin = time.perf_counter()
        _, read = expr.set.advance(expr.root, text)
        best = min(best, time.perf_counter() - begin)
        assert read == len(text), (ambiguous.name, read)
    return best / len(text) * 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--most", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    lengths = [options.most // 8, options.most // 4, options.most // 2, options.most]
    print(f"| grammar | {' | '.join(f'{n} characters, µs each' for n in lengths)} | largest ratio |")
    print("|---" * (len(lengths) + 2) + "|")
    for ambiguous in GRAMMARS:
        times: list[float] = []
        note = ""
        for n in lengths:
            try:
                times.append(time_per_byte(ambiguous, ambiguous.accept(n).encode(), options.repeats))
            except constrain.LimitExceeded as error:
                note = f" ({error.limit} at {n})"
                break
        ratio = max((b / a for a, b in zip(times, times[1:])), default=0.0)
        shown = [f"{t:.2f}" for t in times] + ["–"] * (len(lengths) - len(times))
        print(f"| {ambiguous.name} | {' | '.join(shown)} | {ratio:.2f}{note} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
