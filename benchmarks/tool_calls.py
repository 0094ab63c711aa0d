"""Tool calls: time to the first mask and per step with 1, 20 and 100 tools, against llguidance and xgrammar.

`python -m benchmarks.tool_calls` prints a row for each engine and number of tools, each measured in a process of its own; the
vocabulary is Phi-3's, looked for in `../shared` (`--tokenizer` names another place). The request is the same for all: free
text, in which `<function=` starts a call of one of the tools. *First mask*: from the request to the first mask, when another
request with as many tools, different ones, has been compiled before; *new*: steps (mask and token) of a text with free text, a
call and free text, met for the first time; *again*: the same text once more. In µs; the least of five requests. The first request of
a process, which is left out, has four steps of 0.4 to 0.8 ms in constrain: masks of free text and of strings, made once.

With Python 3.11 on one core of a shared server:

| engine | tools | first mask | new avg | new max | again avg | again max |
|---|---|---|---|---|---|---|
| constrain | 1 | 541 | 5.28 | 35.3 | 0.26 | 0.3 |
| llguidance | 1 | 1,745 | 115.84 | 309.2 | 176.13 | 4285.9 |
| xgrammar | 1 | 2,560 | 3.40 | 12.4 | 2.67 | 8.2 |
| constrain | 20 | 1,597 | 6.09 | 37.7 | 0.27 | 0.4 |
| llguidance | 20 | 9,975 | 185.78 | 4345.1 | 163.95 | 3475.4 |
| xgrammar | 20 | 22,692 | 3.50 | 13.5 | 2.68 | 8.1 |
| constrain | 100 | 9,025 | 6.51 | 39.6 | 0.26 | 0.4 |
| llguidance | 100 | 42,059 | 194.68 | 4331.4 | 108.47 | 325.4 |
| xgrammar | 100 | 205,976 | 3.78 | 18.4 | 2.68 | 8.2 |
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
    least = [min(range(1, 6), key=lambda i, runs=runs: sum(runs[i])) for runs in (new, again)]
    cells = [f"{min(first[1:]):,.0f}"]
    for runs, best in zip((new, again), least):
        cells += [f"{sum(runs[best]) / len(runs[best]):.2f}", f"{max(runs[best]):.1f}"]
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
