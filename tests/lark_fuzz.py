"""Random Lark grammars, and texts near their samples: what constrain says against what Lark says.

    python -m tests.lark_fuzz [FIRST] [COUNT]

Terminals that overlap, keywords, priorities, lazy regexes, ignored blanks, left recursion in all its forms. Grammars whose LALR
tables have conflicts are left out of the contextual reading: Lark settles these by shifting, so its parser takes less.
"""

from __future__ import annotations

import logging
import random
import sys
import warnings
from collections.abc import Callable

import lark

import constrain

TERMINALS = [
    "/[a-z]+/", r"/[0-9]+(\.[0-9]+)?/", '"if"', '"in"', '"int"', '"<"', '"<="', '"a"', '"ab"', "/a[bc]*/", '/"[^"]*"/', '"."', '".."',
    '"-"', '"->"', "/-?[0-9]+/", '/".*?"/', "/(a|ab)(c|bcd)?/", '"IF"i', "/b+?c?/", '"("', '")"', '","',
]  # fmt: skip
LETTERS = 'abcifn12.<=-> "(),'


def random_grammar(rng: random.Random) -> str:
    rules = [f"r{i}" for i in range(rng.randrange(2, 6))]
    terminals = rng.sample(TERMINALS, rng.randrange(3, 8))
    names = [f"T{i}" for i in range(len(terminals))]

    def symbol(depth: int) -> str:
        x = rng.random()
        if x < 0.55 or (x >= 0.8 and depth > 2):
            return rng.choice(names)
        if x < 0.8:
            return rng.choice(rules)
        inner = alternatives(depth + 1)
        return f"({inner})" if x < 0.87 else f"[{inner}]" if x < 0.92 else f"({inner}){rng.choice('*+?')}"

    def sequence(depth: int) -> str:
        return " ".join(symbol(depth) for _ in range(rng.choice([0, 1, 1, 2, 2, 3] if depth == 0 else [1, 1, 2])))

    def alternatives(depth: int) -> str:
        return " | ".join(sequence(depth) for _ in range(rng.choice([1, 2, 2, 3])))

    lines = ["start: " + (rng.choice(rules) + "+" if rng.random() < 0.3 else "r0")]
    lines += [f"{rule}: {alternatives(0)}" for rule in rules]
    lines += [f"{name}{rng.choice(['', '', '', '.1', '.2'])}: {text}" for name, text in zip(names, terminals, strict=True)]
    if rng.random() < 0.6:
        lines.append('%ignore " "')
    return "\n".join(lines)


class _Conflicts(logging.Handler):
    seen = False

    def emit(self, record: logging.LogRecord) -> None:
        self.seen = self.seen or "conflict" in record.getMessage().lower()


def lark_verdict(grammar: str, reading: str) -> Callable[[str], bool] | None:
    """Lark's parser under a reading; None where it has none, or one with conflicts."""
    options = {
        "contextual": {"parser": "lalr", "lexer": "contextual", "debug": True},
        "basic": {"parser": "earley", "lexer": "basic"},
        "dynamic": {"parser": "earley", "lexer": "dynamic_complete"},
    }[reading]
    conflicts, before = _Conflicts(), (lark.logger.level, lark.logger.handlers[:], lark.logger.propagate)
    lark.logger.handlers[:] = [conflicts]
    lark.logger.setLevel(logging.DEBUG)
    lark.logger.propagate = False
    try:
        parser = lark.Lark(grammar, **options)
    except lark.exceptions.LarkError:
        return None
    finally:
        lark.logger.level, lark.logger.handlers[:], lark.logger.propagate = before

    def accepts(text: str) -> bool:
        try:
            parser.parse(text)
        except lark.exceptions.LarkError:
            return False
        return True

    return None if conflicts.seen else accepts


def mutated(rng: random.Random, text: str, letters: str) -> str:
    out = list(text)
    for _ in range(rng.randrange(1, 3)):
        kind, i = rng.randrange(4), rng.randrange(len(out) + 1)
        if kind == 0:
            out.insert(i, rng.choice(letters))
        elif out and kind == 1:
            del out[i % len(out)]
        elif out and kind == 2:
            out[i % len(out)] = rng.choice(letters)
        elif out:
            start, end = sorted((i, rng.randrange(len(out))))
            out[i:i] = out[start:end]
    return "".join(out)


def disagreements(seed: int, num_samples: int = 10, num_mutated: int = 25) -> list[str]:
    """What constrain and Lark judge differently, for one grammar in each reading."""
    rng = random.Random(seed)
    return disagreements_about(random_grammar(rng), rng, f"seed {seed}", num_samples, num_mutated)


def disagreements_about(grammar: str, rng: random.Random, name: str, num_samples: int, num_mutated: int, letters: str = LETTERS) -> list[str]:
    found = []
    for reading in ("contextual", "basic", "dynamic"):
        accepts = lark_verdict(grammar, reading)
        if accepts is None:
            continue
        try:
            expr = constrain.lark(grammar, lexer=reading)
            expr.set.set_limits(1 << 29, 1 << 18, 2000)
            samples = [expr.sample(seed=i, max_random_bytes=rng.choice([3, 8, 20])) for i in range(num_samples)]
        except (constrain.UnsatisfiableError, constrain.LimitExceeded):
            continue
        except constrain.LarkError as error:
            assert "can never end" in str(error), error
            continue
        near = letters + "".join(samples)
        texts = dict.fromkeys([*samples, *(mutated(rng, rng.choice(samples), near) for _ in range(num_mutated))])
        for text in texts:
            if reading == "dynamic" and len(text) > 14:  # Lark's parser takes too long
                continue
            try:
                mine = expr.matches(text)
            except constrain.LimitExceeded:
                continue
            if mine != accepts(text):
                found.append(f"{name}, {reading}: {text!r} is accepted by {'constrain' if mine else 'Lark'} alone\n{grammar}")
                break
    return found


def main() -> int:
    warnings.simplefilter("ignore")
    first, count = (int(a) for a in (*sys.argv[1:], 0, 200)[:2]) if len(sys.argv) > 2 else (0, 200)
    found = [line for seed in range(first, first + count) for line in disagreements(seed)]
    print("\n\n".join(found) or f"{count} grammars from seed {first}: no disagreement")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
