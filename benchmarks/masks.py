"""The harness: drives each engine, in a process of its own, through the same tasks, one task after another
in turn.

The engines' processes take turns task by task, so that a noisy minute of the machine hits all alike, and
only one works at a time. A process that dies or exceeds a task's time is replaced, and the run goes on.
With --repeats N everything is run N times in fresh processes and the least time of each step is kept: first
visits stay first visits. Results go to a folder; report.py makes the tables. Run as `python -m
benchmarks.masks`; see README.md. Held by tests/test_benchmarks.py.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import apply_masks, report, workloads
from benchmarks.engines import MODULES

REPOSITORY = Path(__file__).resolve().parents[1]
SET_UP_LIMIT_S = 120.0


class Worker:
    """One engine's process; restarted when it dies or hangs."""

    def __init__(self, engine: str, tasks: Path, log: Path, core: int | None) -> None:
        self.engine, self.set_up_ns = engine, 0
        self._tasks, self._log, self._core = tasks, log, core
        self._buffer = b""
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, number: int, limit_s: float) -> dict[str, Any]:
        """The worker's answer to task `number`, or a record that says that it died or took too long."""
        process = self._process or self._start()
        assert process.stdin is not None
        try:
            process.stdin.write(f"{number}\n".encode())
            process.stdin.flush()
        except BrokenPipeError:
            return self._lost("died")
        line = self._read(limit_s)
        return (
            json.loads(line)
            if line
            else self._lost("died" if line == b"" else f"no answer within {limit_s:g} s")
        )

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process, self._buffer = None, b""

    def _start(self) -> subprocess.Popen[bytes]:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        core = self._core
        pin = None if core is None else (lambda: os.sched_setaffinity(0, {core}))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.worker", self.engine, str(self._tasks)],
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                preexec_fn=pin,
            )
        line = self._read(SET_UP_LIMIT_S)
        if not line:
            self.stop()
            raise RuntimeError(
                f"{self.engine} does not start: {self._log.read_text(errors='replace')[-500:]}"
            )
        self.set_up_ns = json.loads(line)["set_up_ns"]
        return self._process

    def _read(self, limit_s: float) -> bytes | None:
        """The next line of the process: b'' when it has ended, None when the time is up."""
        assert self._process is not None and self._process.stdout is not None
        output = self._process.stdout.fileno()
        deadline = time.monotonic() + limit_s
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([output], [], [], left)[0]:
                return None
            block = os.read(output, 1 << 20)
            if not block:
                return b""
            self._buffer += block
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _lost(self, why: str) -> dict[str, Any]:
        status = "crashed" if why == "died" else "timed out"
        self.stop()
        return {"status": status, "message": why, "steps": [], "wrong": []}


def write_tasks(path: Path, encoder: workloads.Encoder, tasks: list[workloads.Task]) -> None:
    """The file from which every worker reads the same sources and the same token ids."""
    spellings = [None if text is None else text.hex() for text in encoder.tokenizer.token_bytes]
    head = {
        "folder": str(encoder.tokenizer.folder),
        "width": encoder.tokenizer.width,
        "end_id": encoder.tokenizer.end_id,
        "token_bytes": spellings,
    }
    with path.open("w", encoding="utf-8") as lines:
        for record in (head, *map(asdict, tasks)):
            lines.write(json.dumps(record) + "\n")


def run_tasks(
    engines: list[str], tasks: list[workloads.Task], path: Path, out: Path, core: int | None, fresh: bool
) -> list[Any]:
    """Every task on every engine in turn, as records; `fresh`: new processes for each task."""
    workers = {name: Worker(name, path, out / f"{name}.log", core) for name in engines}
    records = []
    show = Progress(len(tasks))
    try:
        for number, task in enumerate(tasks):
            turn = number % len(engines)
            for name in engines[turn:] + engines[:turn]:
                if task.engines is None or name in task.engines:
                    answer = workers[name].run(number, task.limit_s)
                    records.append(
                        {"task": task.id, "engine": name, "set_up_ns": workers[name].set_up_ns} | answer
                    )
                if fresh:
                    workers[name].stop()
            show.advance()
    finally:
        for worker in workers.values():
            worker.stop()
    return records


class Progress:
    """A line on standard error, rewritten in place on a terminal and silent elsewhere."""

    def __init__(self, total: int) -> None:
        self._done, self._total, self._out = 0, total, sys.stderr

    def advance(self) -> None:
        self._done += 1
        if self._out.isatty():
            self._out.write(f"\r{self._done}/{self._total}" + ("\n" if self._done == self._total else ""))
            self._out.flush()


def least(runs: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """One record for each task and engine out of several runs: the least of each time."""
    indexed = [{(record["task"], record["engine"]): record for record in run} for run in runs]
    merged = []
    for key, first in indexed[0].items():
        same = [run[key] for run in indexed if run[key]["status"] == "ok"]
        if first["status"] == "ok" and all(_shape(record) == _shape(first) for record in same):
            columns = zip(*(record["steps"] for record in same), strict=True)
            first["steps"] = [[min(times) for times in zip(*case, strict=True)] for case in columns]
            for time_name in ("ttfm_ns", "compile_ns", "set_up_ns"):
                first[time_name] = min(record[time_name] for record in same)
        merged.append(first)
    return merged


def _shape(record: dict[str, Any]) -> list[int]:
    return [len(steps) for steps in record["steps"]]


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run what the options ask for, leave it as JSON in `options.out`, return the description."""
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    for name in options.engines:
        (out / f"{name}.log").unlink(missing_ok=True)
    encoder = workloads.Encoder(options.tokenizer, options.width)
    run = report.describe_machine(options.engines) | {"repeats": options.repeats, "sample": options.sample}
    jobs: dict[str, list[workloads.Task]] = {}
    if "maskbench" in options.parts:
        jobs["maskbench"] = list(
            workloads.maskbench(encoder, options.maskbench, options.sample, options.only)
        )
    if "small" in options.parts:
        jobs["small"] = list(workloads.small(encoder, quick=options.sample is not None))
    for part, tasks in jobs.items():
        write_tasks(out / f"{part}.tasks.jsonl", encoder, tasks)
        runs = [
            run_tasks(
                options.engines, tasks, out / f"{part}.tasks.jsonl", out, options.core, fresh=part == "small"
            )
            for _ in range(options.repeats)
        ]
        write_records(out / f"{part}.jsonl", least(runs))
    if "apply" in options.parts:
        write_records(out / "apply.jsonl", apply_masks.measure(options.engines, encoder.tokenizer.width))
    run["load_after"] = os.getloadavg()[0]
    (out / "run.json").write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    return run


def write_records(path: Path, records: Iterable[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as lines:
        for record in records:
            lines.write(json.dumps(record) + "\n")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.masks", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument(
        "--engines", default="constrain,llguidance", help=f"comma-separated, out of {', '.join(MODULES)}"
    )
    parser.add_argument(
        "--parts", default="maskbench,small,apply", help="comma-separated: maskbench, small, apply"
    )
    parser.add_argument(
        "--sample",
        type=int,
        help="so many MaskBench files, seeded, and no list over 70,000 codes; default all",
    )
    parser.add_argument(
        "--only", help="comma-separated beginnings of MaskBench ids, e.g. Github_easy,Kubernetes"
    )
    parser.add_argument(
        "--repeats", type=int, default=1, help="run everything so often in fresh processes, keep least times"
    )
    parser.add_argument("--core", type=int, help="pin the engines to this core")
    parser.add_argument(
        "--out", type=Path, default=REPOSITORY / "build" / "benchmarks", help="folder for the raw results"
    )
    parser.add_argument(
        "--report",
        type=Path,
        help="write the tables here, too (benchmarks/RESULTS.md for the committed ones)",
    )
    parser.add_argument(
        "--worst",
        type=int,
        default=0,
        help="also list so many of the slowest files and steps, and wrong verdicts",
    )
    parser.add_argument(
        "--tokenizer", type=Path, default=workloads.SHARED / "phi3-tokenizer", help="folder of the tokenizer"
    )
    parser.add_argument("--width", type=int, default=workloads.PHI3_WIDTH, help="width of the logits")
    parser.add_argument("--maskbench", type=Path, default=workloads.SHARED / "maskbench" / "public.jsonl.gz")
    options = parser.parse_args(arguments)
    options.engines = options.engines.split(",")
    options.parts = options.parts.split(",")
    options.only = options.only.split(",") if options.only else None
    for name in options.engines:
        if name not in MODULES:
            parser.error(f"unknown engine {name!r}: known are {', '.join(MODULES)}")
    for part in options.parts:
        if part not in ("maskbench", "small", "apply"):
            parser.error(f"unknown part {part!r}: known are maskbench, small, apply")
    for path in (options.tokenizer, *([options.maskbench] if "maskbench" in options.parts else [])):
        if not path.exists():
            parser.error(
                f"{path} is missing: tokenizer and MaskBench's sample lie beside the repository, in shared/"
            )
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    measure(options)
    text = report.render(options.out, worst=options.worst)
    if options.report:
        options.report.write_text(report.render(options.out), encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
