"""What skipping the model over forced text saves: `python -m benchmarks.fast_forward` runs the embedded model over the
documents of `extraction.py`, greedily, with fast-forward on and off in turn, one document at a time and in batches of 8.

Answers are compact JSON under each document's schema; the end token of an answer that can but end costs no pass. Both runs must give the same texts wherever the tokens are the
same; the table counts where they differ. Prints Markdown; the committed figures stand in RESULTS-fast-forward.md.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections import Counter
from typing import Any

import constrain
from benchmarks.extraction import documents
from constrain.models.prompts import prompt


def run(lm: constrain.Phi, records: list[Any], constraints: list[Any], batch: int, fast_forward: bool) -> tuple[Counter[str], list[str]]:
    """Counts over all documents, and the texts."""
    counts: Counter[str] = Counter()
    texts: list[str] = []
    started = time.perf_counter()
    for start in range(0, len(records), batch):
        part = slice(start, start + batch)
        prompts = [prompt(record.text, record.schema) for record in records[part]]
        answers = lm.generate_batch(prompts, constraints[part], max_tokens=400, fast_forward=fast_forward)
        for answer in answers:
            counts += Counter(tokens=len(answer.token_ids), passes=answer.num_forward_passes, forced=answer.num_forced_tokens)
            counts["mask us"] += round(answer.mask_seconds * 1e6)
            texts.append(answer.text)
    counts["ms"] = round((time.perf_counter() - started) * 1e3)
    return counts, texts


def main() -> None:
    parser = argparse.ArgumentParser(description="forward passes and time with and without fast-forward")
    parser.add_argument("--count", type=int, default=100, help="documents")
    options = parser.parse_args()
    lm = constrain.Phi.load()
    records = documents(options.count, unseen=False)
    constraints = [constrain.compile(constrain.json_schema(r.schema, whitespace="compact", integers="plain"), lm.vocabulary) for r in records]
    run(lm, records[:8], constraints[:8], 8, True)
    print("| batch | fast-forward | tokens | forward passes | forced tokens | wall, s | mask, µs per pass | other texts |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for batch in (1, 8):
        off, texts = run(lm, records, constraints, batch, False)
        on, other = run(lm, records, constraints, batch, True)
        differ = sum(a != b for a, b in zip(texts, other, strict=True))
        for name, c, n in (("off", off, 0), ("on", on, differ)):
            cells = (batch, name, c["tokens"], c["passes"], c["forced"], f"{c['ms'] / 1e3:.2f}", f"{c['mask us'] / c['passes']:.0f}", n)
            print("|", " | ".join(map(str, cells)), "|", flush=True)
        with_ends = on["tokens"] + len(records)
        saved = f"{1 - on['passes'] / on['tokens']:.1%} of tokens, {1 - on['passes'] / with_ends:.1%} with the end tokens"
        print(f"| {batch} | saved | | {saved} | | {1 - on['ms'] / off['ms']:.1%} | | |")
    print(f"\n{options.count} documents, {platform.machine()}, Python {platform.python_version()}")


if __name__ == "__main__":
    main()
