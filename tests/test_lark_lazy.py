"""`lazy`, `suffix` and `stop` against their definitions, on all short texts of random regexes."""

from __future__ import annotations

import itertools
import random
import re
from functools import cache

import constrain
from constrain import LarkError

LETTERS = "ab"


def regex(rng: random.Random, depth: int = 2) -> str:
    kind = rng.randrange(6) if depth else 0
    if kind == 0:
        return rng.choice(["a", "b", "[ab]", "ab"])
    if kind == 1:
        return f"(?:{regex(rng, depth - 1)}){rng.choice(['*', '+', '?', '{2}'])}"
    if kind == 2:
        return f"(?:{regex(rng, depth - 1)}|{regex(rng, depth - 1)})"
    return regex(rng, depth - 1) + regex(rng, depth - 1)


@cache
def texts(most: int) -> list[str]:
    return ["".join(t) for n in range(most + 1) for t in itertools.product(LETTERS, repeat=n)]


def is_shortest(pattern: str, text: str) -> bool:
    """Is the text one of the pattern, and no beginning of it?"""
    return re.fullmatch(pattern, text) is not None and not any(re.fullmatch(pattern, text[:i]) for i in range(len(text)))


def language(attribute: str, body: str) -> set[str] | None:
    try:
        expr = constrain.lark(f"start: x\nx[{attribute}]: /{body}/")
    except LarkError as error:
        assert "no text" in str(error)
        return None
    return {t for t in texts(6) if expr.matches(t)}


def test_lazy_rules_have_the_shortest_texts():
    rng = random.Random(1)
    for _ in range(60):
        body = regex(rng)
        assert language("lazy", body) == {t for t in texts(6) if is_shortest(body, t)}, body


def test_a_suffix_ends_the_shortest_text_with_it():
    rng = random.Random(2)
    for _ in range(60):
        body, suffix = regex(rng), regex(rng, 1)
        assert language(f"suffix=/{suffix}/", body) == {t for t in texts(6) if is_shortest(body + suffix, t)}, (body, suffix)


def test_a_stop_is_behind_the_text_and_no_part_of_it():
    rng = random.Random(3)
    num_some = 0
    for _ in range(60):
        body, stop = regex(rng), rng.choice(["a", "b", "ab", "a?b", "bb|a"])
        ends = [s for s in texts(2) if re.fullmatch(stop, s)]
        expected = {t for t in texts(6) if re.fullmatch(body, t) and any(is_shortest(f"(?:{body})(?:{stop})", t + s) for s in ends)}
        found = language(f"stop=/{stop}/", body)
        assert (found or set()) == expected, (body, stop)
        num_some += bool(expected)
    assert num_some > 30
