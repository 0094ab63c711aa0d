"""What recording costs: `python -m benchmarks.recording` runs the embedded model over documents of `extraction.py` and
measures, in the same run, the share of the time that `Recording` takes with and without log-probabilities.

On two busy cores (24 documents, 715 passes of the embedded model, a vocabulary of 32,064): 4 to 8 µs a pass without
log-probabilities, 0.05 to 0.12 % of the time; with them 97 to 176 µs, 2.3 % one by one and 2.6 % in batches of 8. They are computed
row by row on the CPU, so a large batch on a GPU would feel them: they are asked for in `generate` and there by default in
programs, which run one text at a time.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import constrain
from benchmarks.extraction import documents
from constrain.models.prompts import prompt
from constrain.report import Recording


def timed(name: str, spent: list[float]) -> Any:
    """`Recording`'s method, which adds the seconds that it takes to `spent`."""
    method = getattr(Recording, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        result = method(*args, **kwargs)
        spent.append(time.perf_counter() - started)
        return result

    return call


def main() -> None:
    parser = argparse.ArgumentParser(description="the share of a run that recording takes")
    parser.add_argument("--count", type=int, default=24, help="documents")
    count = parser.parse_args().count
    lm = constrain.Phi.load()
    records = documents(count, unseen=False)
    constraints = [constrain.compile(constrain.json_schema(r.schema, whitespace="compact", integers="plain"), lm.vocabulary) for r in records]
    prompts = [prompt(record.text, record.schema) for record in records]
    spent: list[float] = []
    for name in ("begin_pass", "choice", "tokens", "report"):
        setattr(Recording, name, timed(name, spent))
    lm.generate_batch(prompts[:8], constraints[:8], max_tokens=400)
    print("| batch | log-probabilities | passes | seconds | recording, µs per pass | share |")
    print("| --- | --- | --- | --- | --- | --- |")
    for batch in (1, 8):
        for wanted in (False, True):
            spent.clear()
            started, passes = time.perf_counter(), 0
            for start in range(0, count, batch):
                part = slice(start, start + batch)
                answers = lm.generate_batch(prompts[part], constraints[part], max_tokens=400, log_probabilities=wanted)
                passes += sum(answer.num_forward_passes for answer in answers)
            seconds, total = time.perf_counter() - started, sum(spent)
            print(f"| {batch} | {wanted} | {passes} | {seconds:.2f} | {total / passes * 1e6:.1f} | {total / seconds:.2%} |", flush=True)


if __name__ == "__main__":
    main()
