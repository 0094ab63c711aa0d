"""How well a model fills in forms: `python -m benchmarks.extraction` measures the embedded one.

Seeded documents of five kinds, 200 in wordings that training used and 200 in wordings held out of it; no value of either was
ever seen in training (embedded/values.py says which are exempt). Greedy decoding, once inside the schema's constraint and once free. A field is
right when its value equals the document's, numbers by value. Valid means: parses, and validates against the schema. A free answer that
does not parse has no right field. Prints Markdown; the committed figures stand in embedded/README.md.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import constrain
from constrain.models.prompts import prompt
from embedded.documents import KINDS, Record, Writer

MISSING = "no JSON"


def documents(count: int, unseen: bool, seed: str = "evaluation") -> list[Record]:
    """`count` records, the kinds in turn."""
    writer = Writer(f"{seed}, {'unseen' if unseen else 'known'}", unseen=unseen, held_out=True)
    return [writer.record(KINDS[number % len(KINDS)]) for number in range(count)]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The scalar fields of a JSON value, with their paths."""
    if isinstance(value, (dict, list)):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(part, (*path, key))
    else:
        yield path, value


def field_results(answer: Any, truth: Any) -> list[bool]:
    """For each field of the truth, whether the answer has it exactly."""
    given = dict(leaves(answer))
    return [type_and_value(given.get(path, MISSING)) == type_and_value(value) for path, value in leaves(truth)]


def type_and_value(value: Any) -> tuple[str, Any]:
    return (
        "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__,
        value,
    )


def is_valid(answer: Any, schema: dict[str, Any]) -> bool:
    import jsonschema

    return answer is not MISSING and jsonschema.Draft202012Validator(schema).is_valid(answer)


def answers(lm: constrain.Phi, records: list[Record], free: bool, batch: int) -> list[Any]:
    """What the model answers to each record, parsed; MISSING where it does not parse. Records of like length share a batch."""
    found: list[Any] = [MISSING] * len(records)
    order = sorted(range(len(records)), key=lambda number: len(records[number].text))
    for start in range(0, len(order), batch):
        numbers = order[start : start + batch]
        prompts = [prompt(records[number].text, records[number].schema) for number in numbers]
        constraints = (
            None
            if free
            else [constrain.json_schema(records[number].schema, whitespace="compact") for number in numbers]
        )
        for number, made in zip(numbers, lm.generate_batch(prompts, constraints, max_tokens=400), strict=True):
            try:
                found[number] = json.loads(made.text)
            except ValueError:
                pass
    return found


def row(name: str, records: list[Record], given: list[Any]) -> list[str]:
    """One line of the table: fields, documents, validity, fields by kind."""
    by_kind: dict[str, list[bool]] = defaultdict(list)
    complete = valid = 0
    for record, answer in zip(records, given, strict=True):
        results = field_results(answer, record.object)
        by_kind[record.kind] += results
        complete += all(results)
        valid += is_valid(answer, record.schema)
    every = [one for results in by_kind.values() for one in results]
    shares = [sum(every) / len(every), complete / len(records), valid / len(records)]
    shares += [sum(by_kind[kind]) / max(1, len(by_kind[kind])) for kind in KINDS]
    return [name, str(len(every)), *(f"{share:.3f}" for share in shares)]


def main() -> None:
    parser = argparse.ArgumentParser(description="accuracy of extraction on seeded documents")
    parser.add_argument("--model", help="a checkpoint folder or hub id; default: the embedded model")
    parser.add_argument("--count", type=int, default=200, help="documents for each of the two sets")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--errors", type=int, default=0, help="print this many wrong documents of each set")
    options = parser.parse_args()
    lm = constrain.Phi.load(options.model)
    began = time.perf_counter()
    print("| wordings, decoding | fields | right fields | right documents | valid |", " | ".join(KINDS), "|")
    print("|---" * (5 + len(KINDS)) + "|")
    for unseen in (False, True):
        records = documents(options.count, unseen)
        for free in (False, True):
            given = answers(lm, records, free, options.batch)
            name = f"{'unseen' if unseen else 'known'}, {'free' if free else 'constrained'}"
            print("|", " | ".join(row(name, records, given)), "|", flush=True)
            wrong = [
                (r, a) for r, a in zip(records, given, strict=True) if not free and not all(field_results(a, r.object))
            ]
            for record, answer in wrong[: options.errors]:
                print(
                    f"\n{record.text}\nright: {record.answer}\ngiven: {json.dumps(answer, ensure_ascii=False, default=str)}\n"
                )
    print(f"\n{time.perf_counter() - began:.0f} s on {platform.machine()}, Python {platform.python_version()}")


if __name__ == "__main__":
    main()
