"""choice: exactly the given strings, any number of them; what is no list of texts is an error that names the item."""

from __future__ import annotations

import json
import random
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constrain.errors import ConstrainError, GrammarError
from constrain.frontends.choice import choice
from tests.conftest import shared_path


@given(st.lists(st.text(max_size=6), min_size=1, max_size=8), st.lists(st.text(max_size=6), max_size=8))
def test_the_given_strings_match_and_no_others(strings, others):
    expr = choice(strings)
    near = [s[:-1] for s in strings] + [s + "a" for s in strings] + [s * 2 for s in strings]
    for text in [*strings, *others, *near, ""]:
        assert expr.matches(text) == (text in strings), text


def test_small_choices_exhaustively():
    words = ["", "a", "b", "ab", "ba", "aab"]
    for bits in range(1, 1 << len(words)):
        chosen = [w for i, w in enumerate(words) if bits >> i & 1]
        expr = choice(chosen)
        assert [w for w in [*words, "aa", "bb", "abb"] if expr.matches(w)] == [w for w in words if w in chosen]


@pytest.mark.parametrize("given_strings", [("yes", "no"), {"yes", "no"}, {"yes": 1, "no": 2}, (s for s in ["no", "yes", "no"])])
def test_any_iterable_of_strings_will_do(given_strings):
    expr = choice(given_strings)
    assert expr.matches("yes") and expr.matches("no") and not expr.matches("ye")


@pytest.mark.parametrize(
    ("bad", "says"),
    [([], "empty list"), ("yes", "list of strings"), (b"yes", "list of strings"), (["a", 1], "item 1"), (["a", b"b"], "item 1"),
     (["a", None], "item 1"), ([["a"]], "item 0"), (["ok", "\ud800"], "item 1")],
)  # fmt: skip
def test_errors_name_the_item(bad, says):
    with pytest.raises(GrammarError, match=says) as caught:
        choice(bad)
    assert str(caught.value).startswith("choice:")


def test_seventy_thousand_codes_are_quick():
    codes = [f"{n // 700:03d}.{n % 700:03d}{'ABC'[n % 3]}" for n in range(70_000)]
    best = 9.0
    for _ in range(3):
        start = time.process_time()
        expr = choice(codes)
        best = min(best, time.process_time() - start)
    assert best < 0.5
    chooser = random.Random(1)
    assert all(expr.matches(c) for c in chooser.sample(codes, 200))
    assert not any(expr.matches(c[:-1]) for c in chooser.sample(codes, 200))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_shared_hostile_choices(number):
    lines = shared_path("hostile.jsonl").open(encoding="utf-8")
    case = next(c for c in map(json.loads, lines) if c["id"] == f"P-C{number:02d}")
    strings = eval(case["gen"], {"random": random, "string": string}) if "gen" in case else case["input"]
    if case["expect"] == "error":
        with pytest.raises(ConstrainError) as caught:
            choice(strings)
        assert any(word in str(caught.value) for word in case["must_name"])
        return
    start = time.process_time()
    expr = choice(strings)
    assert time.process_time() - start < case.get("limit_s", 2)
    assert all(expr.matches(text) for text in case.get("accept", strings[:50]))
    assert not any(expr.matches(text) for text in case.get("reject", []))
