"""Applying a bitmask to logits: each engine's own in-place function, on [1, width] float32, numpy and
torch, on one core.

Each function runs in a process of its own, so that one that needs a compiler that is not there fails alone.
The result is checked against a plain reference before it is timed. Run by masks.py. Held by
tests/test_benchmarks.py.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy

REPOSITORY = Path(__file__).resolve().parents[1]
VARIANTS = {
    "constrain": ["constrain numpy", "constrain torch"],
    "llguidance": ["llguidance numpy", "llguidance torch"],
    "xgrammar": ["xgrammar torch"],
    "outlines-core": ["outlines-core numpy", "outlines-core torch"],
}
ROUNDS = 1000


def measure(engines: list[str], width: int) -> list[dict[str, Any]]:
    """A record for each variant of the engines and torch's masked_fill_: median µs by kind, or why not."""
    records = []
    for variant in [name for engine in engines for name in VARIANTS[engine]] + [
        "torch masked_fill_ (mask unpacked before)"
    ]:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.apply_masks", variant, str(width)],
            cwd=REPOSITORY,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=600,
        )
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        records.append(
            json.loads(done.stdout) if done.returncode == 0 else {"variant": variant, "error": last[:300]}
        )
    return records


def masks(width: int) -> dict[str, numpy.ndarray[Any, Any]]:
    """Packed masks of the three kinds, [1, ceil(width / 32)] int32."""
    rng = numpy.random.default_rng(1)
    few = rng.choice(width, 20, replace=False)
    allowed = {
        "20 allowed": numpy.zeros(width, bool),
        "half": rng.random(width) < 0.5,
        "all but 20": numpy.ones(width, bool),
    }
    allowed["20 allowed"][few] = True
    allowed["all but 20"][few] = False
    padded = (numpy.concatenate([bits, numpy.zeros(-width % 32, bool)]) for bits in allowed.values())
    packed = [
        numpy.packbits(bits, bitorder="little").view("<i4").astype(numpy.int32)[None] for bits in padded
    ]
    return dict(zip(allowed, packed, strict=True))


def time_variant(variant: str, width: int) -> dict[str, Any]:
    logits = numpy.random.default_rng(2).standard_normal((1, width)).astype(numpy.float32)
    times = {}
    for kind, mask in masks(width).items():
        call, result = _call(variant, logits.copy(), mask)
        call()
        expected = numpy.where(
            numpy.unpackbits(mask.view("u1"), bitorder="little")[:width], logits, -numpy.inf
        )
        if not numpy.array_equal(result, expected.reshape(1, -1)):
            raise RuntimeError(f"{variant} masks wrongly: {kind}")
        times[kind] = _median_us(call)
    return {"variant": variant, "us": times}


def _call(variant: str, logits: Any, mask: Any) -> tuple[Callable[[], object], Any]:
    """The call to be timed, and the logits as numpy, which it changes in place."""
    engine, _, kind = variant.partition(" ")
    if kind == "numpy":
        return _bind(engine, kind, logits, mask), logits
    import torch

    torch.set_num_threads(1)
    if engine == "torch":
        bits = numpy.unpackbits(mask.view("u1"), bitorder="little")[: logits.shape[1]]
        tensor, banned = torch.from_numpy(logits), torch.from_numpy(bits == 0)[None]
        return lambda: tensor.masked_fill_(banned, -numpy.inf), logits
    return _bind(engine, kind, torch.from_numpy(logits), torch.from_numpy(mask)), logits


def _bind(engine: str, kind: str, logits: Any, mask: Any) -> Callable[[], object]:
    module = {
        "constrain": "constrain",
        "llguidance": f"llguidance.{kind}",
        "xgrammar": "xgrammar",
        "outlines-core": f"outlines_core.kernels.{kind}",
    }[engine]
    apply = importlib.import_module(module).apply_token_bitmask_inplace
    return lambda: apply(logits, mask)


def _median_us(call: Callable[[], object]) -> float:
    clock, times = time.perf_counter_ns, []
    for _ in range(ROUNDS):
        started = clock()
        call()
        times.append(clock() - started)
    return statistics.median(times) / 1000


if __name__ == "__main__":
    print(json.dumps(time_variant(sys.argv[1], int(sys.argv[2]))))
