"""Numeric ranges and multiples against exact rationals, over every short decimal and random long ones."""

from __future__ import annotations

import itertools
from decimal import Decimal
from fractions import Fraction

from hypothesis import assume, given, settings
from hypothesis import strategies as st

import constrain

DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=None, min_value=-1000, max_value=1000).map(
    lambda d: Decimal(f"{d:.6f}".rstrip("0").rstrip("."))
)
BOUNDS = st.one_of(st.integers(-300, 300).map(Decimal), DECIMALS)


def short_decimals() -> list[str]:
    """Every plain decimal with at most two digits before the dot and two after it, trailing zeros too."""
    whole = [str(n) for n in range(0, 100)]
    fractions = ["", *(f".{a}" for a in "059"), *(f".{a}{b}" for a, b in itertools.product("0159", "059"))]
    return [s + w + f for s, w, f in itertools.product(("", "-"), whole, fractions)]


SHORT = short_decimals()


@settings(max_examples=60, deadline=None)
@given(BOUNDS, BOUNDS, st.booleans(), st.booleans(), st.booleans(), st.lists(DECIMALS, max_size=20))
def test_ranges_are_exact(a: Decimal, b: Decimal, low_open: bool, high_open: bool, integer: bool, more: list[Decimal]) -> None:
    low, high = min(a, b), max(a, b)
    schema = {
        "type": "integer" if integer else "number",
        "exclusiveMinimum" if low_open else "minimum": low,
        "exclusiveMaximum" if high_open else "maximum": high,
    }
    near = [b + d for b in (low, high) for d in map(Decimal, ("0", "0.000001", "-0.000001", "1", "-1", "10"))]
    texts = SHORT[:: 7 + int(low) % 5] + [f"{d:f}" for d in [*more, *near]]
    try:
        expr = constrain.json_schema(schema)
    except constrain.UnsatisfiableError:
        assert not any(holds(t, low, high, low_open, high_open, integer) for t in texts)
        return
    for text in texts:
        assert expr.matches(text) == holds(text, low, high, low_open, high_open, integer), text


def holds(text: str, low: Decimal, high: Decimal, low_open: bool, high_open: bool, integer: bool) -> bool:
    v = Fraction(text)
    above = v > low if low_open else v >= low
    below = v < high if high_open else v <= high
    return above and below and (not integer or v.denominator == 1)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.sampled_from([1, 2, 10, 100, 1000]), st.booleans())
def test_multiples_are_exact(a: int, scale: int, negated: bool) -> None:
    step = Decimal(a) / scale
    schema: dict[str, object] = {"type": "number", "multipleOf": step}
    if negated:
        schema = {"type": "number", "not": {"multipleOf": step}}
    expr = constrain.json_schema(schema)
    for text in SHORT[::11] + [f"{step * n:f}" for n in (-3, 1, 7, 1000)]:
        is_multiple = (Fraction(text) / Fraction(step)).denominator == 1
        assert expr.matches(text) == (is_multiple != negated), text


@settings(max_examples=30, deadline=None)
@given(st.integers(-(10**30), 10**30), st.integers(-(10**30), 10**30), st.integers(-(10**31), 10**31))
def test_long_integers(a: int, b: int, n: int) -> None:
    assume(a != b)
    low, high = min(a, b), max(a, b)
    expr = constrain.json_schema({"type": "integer", "minimum": low, "maximum": high})
    for v in (n, low, high, low - 1, high + 1, (low + high) // 2):
        assert expr.matches(str(v)) == (low <= v <= high)
