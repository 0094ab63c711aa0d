"""The tables: raw records of a run to Markdown, timings beside wrong answers, with the machine and the
versions.

Nothing is measured here and nothing is left out: a table over files that two engines both compile says how
many they are. Run as `python -m benchmarks.report FOLDER`. Held by tests/test_benchmarks.py.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = {"llguidance": "llguidance", "xgrammar": "xgrammar", "outlines-core": "outlines_core"}
COLUMNS = ("avg", "p25", "p50", "p75", "p90", "p99", "p99.9", "max")
Record = dict[str, Any]


def describe_machine(engines: Sequence[str]) -> Record:
    """What a reader needs to judge the figures: processor, memory, system, versions, load."""
    versions = {name: importlib.metadata.version(PACKAGES[name]) for name in engines if name in PACKAGES}
    if "constrain" in engines:
        versions["constrain"] = _commit()
    return {
        "date": date.today().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: versions[name] for name in engines},
        "load_before": os.getloadavg()[0],
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _commit() -> str:
    command = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or "unknown commit"


def render(folder: Path, worst: int = 0) -> str:
    """The whole report of the run that lies in `folder`."""
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    parts = [heading(run)]
    if (folder / "maskbench.jsonl").exists():
        parts += maskbench_tables(read(folder / "maskbench.jsonl"), list(run["versions"]))
    if (folder / "small.jsonl").exists():
        parts.append(small_table(read(folder / "small.jsonl")))
    if (folder / "apply.jsonl").exists():
        parts.append(apply_table(read(folder / "apply.jsonl")))
    if worst and (folder / "maskbench.jsonl").exists():
        parts.append(worst_lists(read(folder / "maskbench.jsonl"), worst))
    return "\n\n".join(parts) + "\n"


def read(path: Path) -> list[Record]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def heading(run: Record) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    passes = (
        "one pass"
        if run["repeats"] == 1
        else f"the least of {run['repeats']} passes in fresh processes, step by step"
    )
    processor = f"{run['processor']}, {run['cores']} cores, one engine at work at a time"
    system = f"{run['memory_gib']} GiB · {run['system']} · Python {run['python']}"
    load = f"load {run['load_before']:.1f} before, {run['load_after']:.1f} after"
    return (
        "# Results\n\nMade by `python -m benchmarks.masks` (see README.md). "
        "Compare ratios, not absolutes.\n\n"
        f"{run['date']} · {processor} · {system} · {load}\n\n{versions} · {passes}"
    )


def maskbench_tables(records: list[Record], engines: list[str]) -> list[str]:
    by_engine = {name: {r["task"]: r for r in records if r["engine"] == name} for name in engines}
    tasks = len({record["task"] for record in records})
    parts = [
        f"## MaskBench, {tasks:,} real schemas\n\n"
        "Phi-3 vocabulary, 32,064 wide. Times in µs. "
        "*Time to first mask*: from the schema object to the first mask. "
        "*Step*: compute the mask, test the token's bit, consume it, called from Python, the clock included.",
        "Files by verdict:\n\n" + verdict_table(by_engine),
        cost_table(by_engine),
        "### Each engine over the files that it compiles\n\n" + timing_table(by_engine),
    ]
    for first, second in itertools.combinations(engines, 2):
        both = compiled(by_engine[first]) & compiled(by_engine[second])
        pair = {
            name: {task: by_engine[name][task] for task in by_engine[name] if task in both}
            for name in (first, second)
        }
        title = f"### {first} and {second} over the {len(both):,} files that both compile"
        parts.append(f"{title}\n\n{timing_table(pair, ratio=True)}\n\n{verdict_table(pair)}")
    return parts


def compiled(records: dict[str, Record]) -> set[str]:
    return {task for task, record in records.items() if record["status"] == "ok"}


def verdict_table(by_engine: dict[str, dict[str, Record]]) -> str:
    verdicts = ("valid rejected", "invalid accepted", "broke down")
    head = ["engine", "files", "all right", "refused", "crashed", "timed out", *verdicts]
    rows = []
    for name, by_task in by_engine.items():
        records = list(by_task.values())
        state = [record["status"] for record in records]
        wrong = [{entry["what"].partition(":")[0] for entry in record["wrong"]} for record in records]
        right = sum(record["status"] == "ok" and not record["wrong"] for record in records)
        counts = [sum(kind in kinds for kinds in wrong) for kind in verdicts]
        rows.append([name, len(records), right, *map(state.count, head[3:6]), *counts])
    return table(head, rows)


def cost_table(by_engine: dict[str, dict[str, Record]]) -> str:
    """An engine's peak memory over its size when set up; the time of setting up with imports."""
    rows = []
    for name, by_task in by_engine.items():
        grown = max((record.get("grown_kib", 0) for record in by_task.values()), default=0)
        set_up = [record["set_up_ns"] for record in by_task.values() if record["set_up_ns"]]
        rows.append([name, f"{grown / 1024:,.0f}", f"{min(set_up, default=0) / 1e9:.2f}"])
    return table(["engine", "peak memory over start, MiB", "import and tokenizer set-up, s"], rows)


def timing_table(by_engine: dict[str, dict[str, Record]], ratio: bool = False) -> str:
    figures: list[tuple[str, list[float]]] = []
    for what in ("time to first mask", "step"):
        pair = []
        for name, records in by_engine.items():
            usable = [record for record in records.values() if record["status"] == "ok"]
            times = (
                [r["ttfm_ns"] for r in usable]
                if what != "step"
                else [t for r in usable for case in r["steps"] for t in case]
            )
            pair.append(summary(times))
            figures.append((f"{what}: {name} ({len(times):,})", pair[-1]))
        if ratio and all(pair):
            quotient = [second / first for first, second in zip(*pair, strict=True)]
            figures.append((f"{what}: the second by the first", quotient))
    return table(["µs", *COLUMNS], [[label, *map(number, values)] for label, values in figures])


def summary(times_ns: Sequence[int]) -> list[float]:
    """The figures of COLUMNS, in µs; empty when there are no times."""
    if not times_ns:
        return []
    data = numpy.asarray(times_ns) / 1000
    return [
        float(data.mean()),
        *(float(x) for x in numpy.percentile(data, [25, 50, 75, 90, 99, 99.9])),
        float(data.max()),
    ]


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def small_table(records: list[Record]) -> str:
    rows = []
    for record in records:
        times = summary([time for case in record["steps"] for time in case])
        label = [record["task"], record["engine"]]
        if not times:
            rows.append([*label, f"{record['status']}: {brief(record['message'])}", *[""] * 5])
            continue
        step = [number(times[COLUMNS.index(name)]) for name in ("p50", "p99", "max")]
        compile_us, grown = number(record["compile_ns"] / 1000), f"{record['grown_kib'] / 1024:,.1f}"
        wrong = f"{len(record['wrong'])} of {len(record['steps'])}"
        rows.append([*label, compile_us, *step, grown, wrong])
    head = [
        "workload",
        "engine",
        "compile, µs",
        "step p50",
        "step p99",
        "step max",
        "memory, MiB",
        "wrong answers",
    ]
    return "## Small workloads\n\nEach in fresh processes; times in µs.\n\n" + table(head, rows)


def apply_table(records: list[Record]) -> str:
    kinds = list(next((record["us"] for record in records if "us" in record), {}))
    rows = []
    for record in records:
        cells = (
            [number(record["us"][kind]) for kind in kinds]
            if "us" in record
            else [f"not available: {brief(record['error'])}"]
        )
        rows.append([record["variant"], *cells, *[""] * (len(kinds) - len(cells))])
    return "## A mask applied in place to [1, 32064] float32\n\nMedian µs, one core.\n\n" + table(
        ["", *kinds], rows
    )


def worst_lists(records: list[Record], count: int) -> str:
    """For development: the slowest files and steps, and every wrong verdict and refusal, engine by engine."""
    lines = ["## Worst"]
    for name in dict.fromkeys(record["engine"] for record in records):
        own = [record for record in records if record["engine"] == name]
        usable = [record for record in own if record["status"] == "ok"]
        lines.append(f"\n### {name}: time to first mask, ms")
        slow = sorted(usable, key=lambda record: -record["ttfm_ns"])[:count]
        lines += [
            f"- {r['ttfm_ns'] / 1e6:.2f} {r['task']} (compile {r['compile_ns'] / 1e6:.2f})" for r in slow
        ]
        steps = [
            (t, r["task"], c, s)
            for r in usable
            for c, case in enumerate(r["steps"])
            for s, t in enumerate(case)
        ]
        lines.append(f"\n### {name}: steps, µs (file, case, step)")
        lines += [
            f"- {t / 1000:.1f} {task} case {c} step {s}"
            for t, task, c, s in sorted(steps, reverse=True)[:count]
        ]
        sums = sorted(
            ((sum(map(sum, r["steps"])), r["task"], sum(map(len, r["steps"]))) for r in usable), reverse=True
        )
        lines.append(f"\n### {name}: files by the sum of their steps, ms")
        lines += [f"- {total / 1e6:.2f} {task} ({steps} steps)" for total, task, steps in sums[:count]]
        lines.append(f"\n### {name}: wrong verdicts")
        lines += [
            f"- {r['task']} case {w['case']} step {w['step']}: {w['what']}"
            for r in usable
            for w in r["wrong"]
        ]
        lines.append(f"\n### {name}: not compiled")
        lines += [f"- {r['task']} {r['status']}: {brief(r['message'])}" for r in own if r["status"] != "ok"]
    return "\n".join(lines)


def brief(message: str) -> str:
    return " ".join(message.split())[:120].replace("|", "\\|")


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


if __name__ == "__main__":
    print(render(Path(sys.argv[1])), end="")
