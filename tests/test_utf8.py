"""Sets of code points as Python's own sets, and their UTF-8 spelling against Python's encoder, byte for byte."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constrain._native import ExprSet
from constrain.frontends.utf8 import ANY, NONE, CodePoints, Utf8Alphabet
from tests import reference

EDGES = [0, 0x7F, 0x80, 0x7FF, 0x800, 0xFFF, 0x1000, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x3FFFF, 0x40000, 0xFFFFF, 0x100000, 0x10FFFF]
CODES = st.one_of(st.sampled_from(EDGES), st.integers(0, 0x10FFFF))
RANGES = st.lists(st.tuples(CODES, CODES).map(lambda p: (min(p), max(p))), max_size=6)
SMALL = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6)).map(lambda p: (p[0], p[0] + p[1])), max_size=6)


@given(SMALL, SMALL)
def test_sets_behave_as_sets(left, right):
    a, b = CodePoints(left), CodePoints(right)
    x = {c for lo, hi in left for c in range(lo, hi + 1)}
    y = {c for lo, hi in right for c in range(lo, hi + 1)}
    assert set(a | b) == x | y and set(a & b) == x & y and set(a - b) == x - y
    assert a.isdisjoint(b) == x.isdisjoint(y) and (a <= b) == (x <= y) and len(a) == len(x) and bool(a) == bool(x)
    assert (a == b) == (x == y) and (a != b or hash(a) == hash(b))
    assert all((c in a) == (c in x) for c in range(60))


@given(RANGES)
def test_ranges_are_normal_and_without_surrogates(ranges):
    points = CodePoints(ranges)
    assert list(points.ranges) == sorted(points.ranges)
    assert all(lo <= hi for lo, hi in points.ranges)
    # Not adjacent, but for the two sides of the surrogates.
    assert all(a[1] + 1 < b[0] for a, b in zip(points.ranges, points.ranges[1:], strict=False))
    assert not any(0xD800 <= c <= 0xDFFF for pair in points.ranges for c in pair)
    assert ~~points == points and points | ~points == ANY and points & ~points == NONE


def test_sets_are_made_from_characters():
    assert CodePoints.of("abca").ranges == ((97, 99),)
    assert CodePoints.between("a", "f") == CodePoints([(97, 102)])
    assert CodePoints.one(0xD800) == NONE and len(ANY) == 0x110000 - 0x800
    assert "0x61-0x63" in repr(CodePoints.of("abc")) and "ranges" in repr(CodePoints((2 * c, 2 * c) for c in range(9)))


@settings(max_examples=60, deadline=None)
@given(RANGES, st.randoms(use_true_random=False))
@pytest.mark.parametrize("make_set", [ExprSet, reference.ExprSet])
def test_characters_are_spelt_as_python_encodes_them(make_set, ranges, chooser: random.Random):
    points = CodePoints(ranges)
    alphabet = Utf8Alphabet(make_set())
    e = alphabet.char(points)
    near = [code + d for lo, hi in points.ranges for code in (lo, hi) for d in (-1, 0, 1)]
    for code in [*near, *EDGES, *(chooser.randrange(0x110000) for _ in range(40))]:
        if 0 <= code <= 0x10FFFF:
            assert alphabet.set.matches(e, chr(code).encode("utf-8", "surrogatepass")) == (code in points), hex(code)


def test_every_character_is_spelt_and_nothing_else():
    alphabet = Utf8Alphabet(ExprSet())
    any_text, matches = alphabet.any_text, alphabet.set.matches
    whole = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)])).encode()
    assert matches(any_text, whole)
    for bad in (b"\x80", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5", b"\xe2\x82"):
        assert not matches(any_text, bad)


def test_the_automaton_of_a_set_is_shared_and_small():
    first, second = Utf8Alphabet(ExprSet()), Utf8Alphabet(ExprSet())
    first.any_character, second.any_character  # noqa: B018 - spelt for the first time
    before = second.set.size()
    assert second.char(ANY) == second.char(CodePoints([(0, 0x10FFFF)])) and second.set.size() == before
    assert second.set.size() < 60


def test_texts_and_empty_sets():
    alphabet = Utf8Alphabet(ExprSet())
    few, many = ["é", "ab"], [f"w{n}é" for n in range(50)]
    for texts in (few, many):
        e = alphabet.texts(texts)
        assert all(alphabet.set.matches(e, t.encode()) for t in texts) and not alphabet.set.matches(e, b"w")
    assert alphabet.char(NONE) == alphabet.set.NO_MATCH == alphabet.text("\ud800")
    assert alphabet.set.matches(alphabet.texts([*many, "\ud800"]), "w7é".encode())


def test_an_alphabet_moves_to_a_clone():
    alphabet = Utf8Alphabet(ExprSet())
    e = alphabet.char(ANY)
    clone = alphabet.on(alphabet.set.clone())
    assert clone.char(ANY) == e and clone.set.matches(e, "漢".encode())
    clone.char(CodePoints.of("x"))
    assert clone.set is not alphabet.set
