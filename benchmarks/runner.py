"""What sharing saves: `python -m benchmarks.runner` runs the embedded model with and without kept beginnings, and one text
after the other against several in common passes.

- *Program*: a long instruction and a document, then a `gen` for each field, each a run of its own that goes on from all text so
  far (benchmarks/extraction.py's documents). Each program begins with nothing kept.
- *Instruction*: documents behind one long instruction, one after the other.
- *Map*: the documents' answers, and programs over them, one by one and with eight rows at most.

Tokens are those that went through the model; answers that differ are counted (rounding can decide between near-equal
tokens). The processor's time is that of the process, the steadier figure on a busy machine. Prints Markdown; the committed figures stand in RESULTS-runner.md.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from typing import Any

import torch

import constrain
from benchmarks.extraction import documents
from constrain import dsl
from constrain.models.prompts import prompt


def instruction() -> str:
    """Documents with their answers, about 1,500 tokens."""
    return "\n".join(f"Example: {record.text} -> {record.answer}" for record in documents(12, unseen=True))


def program(lm: dsl.Model, record: Any) -> dsl.Model:
    """Fields one by one, each in a run of its own."""
    lm += f"{instruction()}\nFill in the form with values copied from the text.\nText:\n{record.text}\n"
    for name in record.schema["properties"]:
        lm += f"{name}: "
        lm += dsl.gen(name, regex="[^\n]{1,12}\n")
    return lm


def measured(lm: constrain.Phi, run: Callable[[], list[str]]) -> tuple[list[str], int, float, float]:
    """What a run wrote, the tokens it computed, its seconds, and the processor's."""
    lm.backend.packed.prefixes.clear()
    before, started, processor = lm.backend.packed.num_computed, time.perf_counter(), time.process_time()
    texts = run()
    return texts, lm.backend.packed.num_computed - before, time.perf_counter() - started, time.process_time() - processor


def table(head: str, rows: list[tuple[str, constrain.Phi, Callable[[], list[str]]]]) -> None:
    """One line for each way to do the same."""
    print(f"\n| {head} | tokens computed | wall, s | processor, s | tokens, times fewer | wall, times less | processor, times less | other texts |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    first: tuple[list[str], int, float, float] | None = None
    for name, lm, run in rows:
        found = measured(lm, run)
        first = first or found
        cells = [f"{found[1]}", *(f"{seconds:.1f}" for seconds in found[2:]), *(f"{first[i] / found[i]:.2f}" for i in (1, 2, 3))]
        print(f"| {name} |", " | ".join(cells), f"| {sum(a != b for a, b in zip(found[0], first[0], strict=True))} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="kept beginnings and common passes")
    parser.add_argument("--count", type=int, default=40, help="documents")
    parser.add_argument("--threads", type=int, default=1, help="torch's threads")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    without, lm = constrain.Phi.load(prefix_bytes=0), constrain.Phi.load()
    records = documents(options.count, unseen=False)
    constraints = [constrain.compile(constrain.json_schema(r.schema, whitespace="compact", integers="plain"), lm.vocabulary) for r in records]
    prompts = [prompt(record.text, record.schema) for record in records]
    long = [[{"role": "user", "content": f"{instruction()}\n{one[0]['content']}"}] for one in prompts]
    many = {"max_tokens": 300}

    def alone(lm: constrain.Phi, prompts: list[Any]) -> list[str]:
        return [lm.generate(one, constraint, **many).text for one, constraint in zip(prompts, constraints, strict=True)]

    def batches(lm: constrain.Phi, prompts: list[Any]) -> list[str]:
        parts = [slice(start, start + 8) for start in range(0, len(prompts), 8)]
        return [answer.text for part in parts for answer in lm.generate_batch(prompts[part], constraints[part], **many)]

    def mapped(lm: constrain.Phi, prompts: list[Any]) -> list[str]:
        return [answer.text for answer in lm.map(prompts, constraints, max_batch=8, **many)]

    def afresh(lm: constrain.Phi) -> list[str]:
        found = []
        for record in records:
            lm.backend.packed.prefixes.clear()
            found.append(str(program(dsl.Model(lm), record)))
        return found

    def programs(lm: constrain.Phi, max_batch: int) -> list[str]:
        return [str(state) for state in dsl.Model(lm).map(program, records, max_batch=max_batch)]

    measured(lm, lambda: batches(lm, prompts))
    table("program, a run for each field", [
        ("nothing kept", without, lambda: afresh(without)), ("beginnings kept", lm, lambda: afresh(lm)),
    ])  # fmt: skip
    table(f"instruction of {len(lm.backend.chat_ids(long[0])) - len(lm.backend.chat_ids(prompts[0]))} tokens", [
        ("nothing kept", without, lambda: alone(without, long)), ("beginnings kept", lm, lambda: alone(lm, long)),
        ("beginnings kept, map of 8", lm, lambda: mapped(lm, long)),
    ])  # fmt: skip
    table("documents", [
        ("one by one", without, lambda: alone(without, prompts)), ("batches of 8", without, lambda: batches(without, prompts)),
        ("map of 8", without, lambda: mapped(without, prompts)),
    ])  # fmt: skip
    table("programs over documents", [
        ("one by one", lm, lambda: programs(lm, 1)), ("map of 8", lm, lambda: programs(lm, 8)),
    ])  # fmt: skip
    print(f"\n{options.count} documents, {platform.machine()}, {options.threads} thread(s), Python {platform.python_version()}, torch {torch.__version__}")


if __name__ == "__main__":
    main()
