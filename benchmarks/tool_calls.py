"""Tool calls: time to the first mask and per step with 1, 20 and 100 tools, against llguidance and xgrammar.

`python -m benchmarks.tool_calls` prints a row for each engine and number of tools, each measured in a process of its own; the
vocabulary is Phi-3's, looked for in `../shared` (`--tokenizer` names another place). The request is the same for all: free
text, in which `<function=` starts a call of one of the tools. *First mask*: from the request to the first mask, when another
request with as many tools, different ones, has been compiled before; *new*: steps (mask and token) of a text with free text, a
call and free text, met for the first time; *again*: the same text once more. In µs, of each step the least of five requests. The first
request of a process, which is left out, has two steps of 0.4 ms in constrain: masks of free text and of strings, made once.

With Python 3.11 on one core of a shared server:

| engine | tools | first mask | new avg | new max | again avg | again max |
|---|---|---|---|---|---|---|
| constrain | 1 | 977 | 7.12 | 46.5 | 0.39 | 0.6 |
| llguidance | 1 | 1,774 | 109.86 | 285.7 | 104.18 | 246.4 |
| xgrammar | 1 | 2,487 | 3.33 | 12.2 | 2.67 | 8.1 |
| constrain | 20 | 1,648 | 7.15 | 44.3 | 0.27 | 0.5 |
| llguidance | 20 | 8,969 | 109.65 | 294.1 | 101.23 | 239.3 |
| xgrammar | 20 | 35,262 | 3.35 | 13.3 | 2.65 | 8.3 |
| constrain | 100 | 8,766 | 6.39 | 38.3 | 0.26 | 0.5 |
| llguidance | 100 | 56,092 | 120.84 | 333.8 | 105.48 | 255.8 |
| xgrammar | 100 | 337,602 | 3.77 | 17.5 | 2.64 | 8.3 |
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import engines
from benchmarks.workloads import Encoder

REPOSITORY = Path(__file__).resolve().parents[1]
TOKENIZER = REPOSITORY.parent / "shared" / "phi3-tokenizer"
ENGINES = ("constrain", "llguidance", "xgrammar")
COUNTS = (1, 20, 100)
CALL = '{"city": "São Paulo", "unit": "C", "tags": ["now", "wind"]}'


def request(num_tools: int, number: int) -> dict[str, Any]:
    """Structural tags for so many tools; no two numbers have a tool in common."""
    structures = []
    for i in range(num_tools):
        properties = {
            "city": {"type": "string"},
            "unit": {"enum": ["C", "F"]},
            "tags": {"type": "array", "items": {"type": "string"}},
            f"extra_{number}_{i}": {"type": "integer"},
        }
        schema = {"type": "object", "properties": properties, "required": ["city"], "additionalProperties": False}
        structures.append({"begin": f"<function=tool_{number}_{i}>", "schema": schema, "end": "</function>"})
    return {"type": "structural_tag", "structures": structures, "triggers": ["<function="]}


def text(num_tools: int, number: int) -> str:
    name = f"tool_{number}_{num_tools - 1}"
    return f"Let me see <first> what the sky over São Paulo says.\n<function={name}>{CALL}</function>\nThat is all."


def walk(cursor: Any, ids: list[int]) -> list[float]:
    times = []
    for token in ids:
        start = time.perf_counter()
        cursor.fill()
        accepted = cursor.accept(token)
        times.append((time.perf_counter() - start) * 1e6)
        assert accepted is not False, f"token {token} of a valid text is refused"
    return times


def measure(name: str, num_tools: int, tokenizer: Path) -> str:
    """One row, in this process."""
    encoder = Encoder(tokenizer)
    engine = engines.load(name, encoder.tokenizer)
    first, new, again = [], [], []
    for number in range(6):
        source, ids = request(num_tools, number), encoder.encode(text(num_tools, number))
        start = time.perf_counter()
        cursor = engine.compile("structural_tag", source)
        cursor.fill()
        first.append((time.perf_counter() - start) * 1e6)
        new.append(walk(cursor, ids))
        cursor.reset()
        again.append(walk(cursor, ids))
    cells = [f"{min(first[1:]):,.0f}"]
    for runs in (new, again):
        least = [min(step) for step in zip(*runs[1:], strict=True)]
        cells += [f"{sum(least) / len(least):.2f}", f"{max(least):.1f}"]
    return f"| {name} | {num_tools} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokenizer", default=str(TOKENIZER))
    parser.add_argument("--engine", choices=ENGINES, help="with --tools: one row, measured in this process")
    parser.add_argument("--tools", type=int)
    options = parser.parse_args()
    if not Path(options.tokenizer).exists():
        sys.exit(f"tool_calls: no tokenizer at {options.tokenizer}; --tokenizer names another place")
    if options.engine:
        return print(measure(options.engine, options.tools, Path(options.tokenizer)))
    print("| engine | tools | first mask | new avg | new max | again avg | again max |\n|---|---|---|---|---|---|---|", flush=True)
    for num_tools in COUNTS:
        for name in ENGINES:
            command = [sys.executable, "-m", "benchmarks.tool_calls", "--engine", name, "--tools", str(num_tools), "--tokenizer", options.tokenizer]
            subprocess.run(command, cwd=REPOSITORY, check=True)


if __name__ == "__main__":
    main()
