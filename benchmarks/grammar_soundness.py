"""Samples and mutated texts for every grammar of grammars/: verdicts of `constrain.lark` against those of Lark.

    python -m benchmarks.grammar_soundness [NAME …] [--samples 1000] [--mutated 1000] [--offsets] [--examples 3]

Samples are different random texts of the expression (`Expr.sample`), and must parse with Lark under the same reading. Mutated texts are
accepted ones with characters or pieces (words, runs of blanks or signs) left out, put in, exchanged, doubled or swapped,
and splices of two; both engines must judge them alike. `--offsets` also compares where texts fail with the oracle made of
Lark's rules. Prints a table and the first disagreements; exits 1 where there is any.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import constrain
from tests import grammar_corpus as corpus
from tests.grammar_liveness import Liveness

PIECES = re.compile(r"\w+|\s+|[^\w\s]+")


class Mutator:
    """Random changes of texts, with characters and pieces of all records of a grammar at hand."""

    def __init__(self, grammar: corpus.Grammar, rng: random.Random) -> None:
        self.rng = rng
        self.texts = [r.text for r in grammar.accept]
        known = [r.text for r in (*grammar.accept, *grammar.reject)]
        self.characters = sorted(set("".join(known)) - {chr(c) for c in range(0xD800, 0xE000)})
        self.pieces = sorted({piece for text in known for piece in PIECES.findall(text)})

    def text(self) -> str:
        rng = self.rng
        text = rng.choice(self.texts)
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            if rng.random() < 0.15:
                text = self.splice(text, rng.choice(self.texts))
            elif rng.random() < 0.5:
                text = "".join(self.change(list(text), self.characters))
            else:
                text = "".join(self.change(PIECES.findall(text), self.pieces))
        return text

    def splice(self, a: str, b: str) -> str:
        return a[: self.rng.randint(0, len(a))] + b[self.rng.randint(0, len(b)) :]

    def change(self, parts: list[str], others: list[str]) -> list[str]:
        rng, at = self.rng, self.rng.randint(0, len(parts))
        match rng.randrange(6):
            case 0:
                return parts[:at] + parts[at + 1 :]
            case 1:
                return [*parts[:at], rng.choice(others), *parts[at:]]
            case 2:
                return [*parts[:at], rng.choice(others), *parts[at + 1 :]]
            case 3:
                return parts[:at] + parts[at : at + 1] * 2 + parts[at + 1 :]
            case 4:
                return parts[:at] + parts[at : at + 2][::-1] + parts[at + 2 :]
            case _:
                end = min(len(parts), at + rng.randint(1, 4))
                return parts[:at] + parts[at:end] * 2 + parts[end:]


def mutated_texts(grammar: corpus.Grammar, count: int, seed: int = 0) -> list[str]:
    """`count` different texts made from the accepted ones, none of which is among them."""
    mutator = Mutator(grammar, random.Random(f"{grammar.name} {seed}"))
    known = set(mutator.texts)
    found: dict[str, None] = {}
    while len(found) < count:
        if (text := mutator.text()) not in known:
            found[text] = None
    return list(found)


@dataclass
class Tally:
    """What came of one grammar; the disagreements are texts, with both offsets where those are compared."""

    grammar: corpus.Grammar
    samples: int = 0
    mutated: int = 0
    accepted: int = 0
    unsound: list[str] = field(default_factory=list)
    too_wide: list[str] = field(default_factory=list)
    too_narrow: list[str] = field(default_factory=list)
    misplaced: list[tuple[str, int, int]] = field(default_factory=list)
    seconds: float = 0.0

    def disagreements(self) -> Iterator[tuple[str, list]]:
        yield "samples that Lark rejects", self.unsound
        yield "accepted, but not by Lark", self.too_wide
        yield "rejected, but not by Lark", self.too_narrow
        yield "offset here, offset by the oracle", self.misplaced


def batches(items: Iterable, size: int = 200) -> Iterator[list]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def compare(grammar: corpus.Grammar, num_samples: int, num_mutated: int, with_offsets: bool) -> Tally:
    """One grammar; every 200 texts a new expression, as one keeps all states that it ever met."""
    tally, begin = Tally(grammar), time.perf_counter()
    samples: dict[str, None] = {}
    for seeds in batches(range(10 * num_samples)):
        expr = constrain.lark(grammar.text, lexer=grammar.lexer)
        samples |= dict.fromkeys(islice((expr.sample(seed=seed) for seed in seeds), num_samples - len(samples)))
        if len(samples) == num_samples:
            break
    tally.samples = len(samples)
    tally.unsound = [text for text in samples if not corpus.lark_accepts(grammar, text)]
    liveness = Liveness(grammar)
    for texts in batches(mutated_texts(grammar, num_mutated)):
        expr = constrain.lark(grammar.text, lexer=grammar.lexer)
        for text in texts:
            ours, theirs = expr.explain(text), corpus.lark_accepts(grammar, text)
            tally.mutated += 1
            tally.accepted += theirs
            if ours.matches != theirs:
                (tally.too_wide if ours.matches else tally.too_narrow).append(text)
            elif with_offsets and not theirs and (offset := liveness.longest_live_prefix(text)) != ours.offset:
                tally.misplaced.append((text, ours.offset, offset))
    tally.seconds = time.perf_counter() - begin
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--mutated", type=int, default=1000)
    parser.add_argument("--offsets", action="store_true", help="compare the places of failure too")
    parser.add_argument("--examples", type=int, default=3)
    options = parser.parse_args()
    tallies = []
    print("| grammar | reading | different samples | Lark rejects | mutated texts | accepted | too wide | too narrow | misplaced | s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in options.names or corpus.names():
        tally = compare(corpus.load(name), options.samples, options.mutated, options.offsets)
        tallies.append(tally)
        counts = [len(texts) for _, texts in tally.disagreements()]
        misplaced = counts[3] if options.offsets else "–"
        print(
            f"| {name} | {tally.grammar.lexer} | {tally.samples} | {counts[0]} | {tally.mutated} | {tally.accepted} | "
            f"{counts[1]} | {counts[2]} | {misplaced} | {tally.seconds:.1f} |",
            flush=True,
        )
    for tally in tallies:
        for what, texts in tally.disagreements():
            for text in texts[: options.examples]:
                print(f"- {tally.grammar.name}: {what}: {text!r}")
    return 1 if any(texts for tally in tallies for _, texts in tally.disagreements()) else 0


if __name__ == "__main__":
    sys.exit(main())
