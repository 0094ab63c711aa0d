"""One engine in one process: it receives the numbers of tasks on its standard input and answers a JSON line
for each.

The timed code is here and is the same for every engine: `_first_mask` (compile, start, first mask) and
`_time_steps` (mask, test of the token's bit, consume). The answer to a task carries every step's time; the
parent (masks.py) only collects. The process reports its peak memory, so an engine's growth is its own. Run
as `python -m benchmarks.worker ENGINE TASKS`, by masks.py. Held by tests/test_benchmarks.py.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from benchmarks import engines

WARM_UP = ("json_schema", {"type": "boolean"})


def main(arguments: list[str]) -> int:
    name, path = arguments
    output = _claim_stdout()
    tokenizer, tasks = read_tasks(Path(path))
    started = time.perf_counter_ns()
    engine = engines.load(name, tokenizer)
    _warm_up(engine)
    set_up = time.perf_counter_ns() - started
    gc.collect()
    gc.freeze()
    _reset_peak()
    baseline = _peak_kib()
    _answer(output, {"set_up_ns": set_up})
    for line in sys.stdin:
        result = run_task(engine, tokenizer, tasks[int(line)])
        result["grown_kib"] = _peak_kib() - baseline
        _answer(output, result)
    return 0


def read_tasks(path: Path) -> tuple[engines.Tokenizer, list[dict[str, Any]]]:
    """The tokenizer (first line) and the tasks (a line each) that masks.py wrote."""
    with path.open(encoding="utf-8") as lines:
        head = json.loads(next(lines))
        tasks = [json.loads(line) for line in lines]
    spellings = [None if text is None else bytes.fromhex(text) for text in head["token_bytes"]]
    return engines.Tokenizer(Path(head["folder"]), head["width"], head["end_id"], spellings), tasks


def run_task(engine: engines.Engine, tokenizer: engines.Tokenizer, task: dict[str, Any]) -> dict[str, Any]:
    """Compile a task and drive every case through it; the times are in nanoseconds."""
    gc.collect()
    result: dict[str, Any] = {"status": "ok", "message": "", "steps": [], "wrong": []}
    try:
        cursor, compile_ns, result["ttfm_ns"] = _first_mask(engine, task)
        result["compile_ns"] = compile_ns
    except engines.Refused as refusal:
        return result | {"status": "refused", "message": str(refusal)[:500]}
    except BaseException as error:  # pyo3's panics derive from BaseException
        return result | {"status": "crashed", "message": _say(error)}
    for number, case in enumerate(task["cases"]):
        verdict, steps = _run_case(cursor, engine.words, tokenizer.end_id, case)
        result["steps"].append(steps)
        if verdict:
            result["wrong"].append({"case": number, "step": len(steps) - 1, "what": verdict})
    return result


def _first_mask(engine: engines.Engine, task: dict[str, Any]) -> tuple[engines.Cursor, int, int]:
    clock = time.perf_counter_ns
    started = clock()
    cursor = engine.compile(task["kind"], task["source"])
    compiled = clock()
    cursor.fill()
    return cursor, compiled - started, clock() - started


def _run_case(
    cursor: engines.Cursor, words: memoryview, end_id: int, case: dict[str, Any]
) -> tuple[str, list[int]]:
    """What the engine got wrong about a case ('' for nothing), and the time of each of its steps."""
    steps: list[int] = []
    try:
        cursor.reset()
        taken = _time_steps(cursor, words, case["tokens"], steps)
        if taken and not cursor.error():
            cursor.fill()
            taken = bool(words[end_id >> 5] >> (end_id & 31) & 1)
        broken = cursor.error()
    except BaseException as error:  # pyo3's panics derive from BaseException
        return f"broke down: {_say(error)}", steps
    if broken:
        return f"broke down: {broken[:300]}", steps
    if taken == case["valid"]:
        return "", steps
    return "valid rejected" if case["valid"] else "invalid accepted", steps


def _time_steps(cursor: engines.Cursor, words: memoryview, tokens: list[int], steps: list[int]) -> bool:
    """Mask, test, consume for each token, appending each step's time; False where one is not allowed."""
    fill, accept, clock = cursor.fill, cursor.accept, time.perf_counter_ns
    for token in tokens:
        started = clock()
        fill()
        taken = words[token >> 5] >> (token & 31) & 1 and accept(token)
        steps.append(clock() - started)
        if not taken:
            return False
    return True


def _warm_up(engine: engines.Engine) -> None:
    """Run what an engine imports or builds once per process: it counts as set-up, not as the first task's."""
    cursor = engine.compile(*WARM_UP)
    cursor.fill()
    cursor.reset()


def _say(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def _claim_stdout() -> TextIO:
    """The pipe to the parent; descriptor 1 becomes standard error, so that an engine may print."""
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return output


def _answer(output: TextIO, record: dict[str, Any]) -> None:
    output.write(json.dumps(record) + "\n")
    output.flush()


def _reset_peak() -> None:
    """Forget the peak of set-up where the kernel lets us (Linux), so that growth is measured from here."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_kib() -> int:
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
