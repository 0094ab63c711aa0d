"""Numbers: a shape of numeric assertions, and its language over the digits that a model writes.

A `NumberShape` is a conjunction: an interval, integer or not, multiples and their negations, allowed and excluded
values; shapes stay symbolic until they are emitted, so conjunction and negation speak of values and never of spellings
(1 and 1.0 are equal). Spellings offered: plain decimals of any length, and, for a number that nothing restricts, JSON's
exponents too. Bounds are exact rationals with a finite decimal expansion. Ranges are built digit by digit, as one
automaton that knows whether it still runs along the lower or the upper bound. Held by tests/test_json_schema_numbers.py.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import ceil, floor, lcm
from typing import Any, NamedTuple

from ...errors import UnsupportedError

__all__ = ["ANY_NUMBER", "NumberShape", "exact", "meet_numbers", "number_expression", "value_expression"]

MAX_MODULUS = 20_000
MAX_DIGITS = 2_000


class NumberShape(NamedTuple):
    """A conjunction of numeric assertions; None is no bound. `integer`: None either, True whole, False not whole.

    `plain`: written without a fraction, which is what draft 4 calls an integer.
    """

    low: Fraction | None = None
    low_open: bool = False
    high: Fraction | None = None
    high_open: bool = False
    integer: bool | None = None
    multiples: frozenset[tuple[Fraction, bool]] = frozenset()
    values: frozenset[Fraction] | None = None
    excluded: frozenset[Fraction] = frozenset()
    plain: bool = False


ANY_NUMBER = NumberShape()
ANY_INTEGER = NumberShape(integer=True)
PLAIN_INTEGER = NumberShape(integer=True, plain=True)


def exact(value: Any) -> Fraction:
    """A JSON number's value: what its decimal spelling says, not the nearest binary float."""
    if isinstance(value, int):
        return Fraction(value)
    return Fraction(value if isinstance(value, Decimal) else Decimal(repr(value)))


def meet_numbers(x: NumberShape, y: NumberShape) -> NumberShape | str:
    """The conjunction, or in words why it is empty."""
    low, low_open = max(_low_key(x), _low_key(y))[1:]
    high, high_open = min(_high_key(x), _high_key(y))[1:]
    integer = x.integer if y.integer is None else y.integer
    if x.integer is not None and y.integer is not None and x.integer != y.integer:
        return "'type' asks for an integer and for a number that is none"
    values = x.values if y.values is None else y.values if x.values is None else x.values & y.values
    multiples, excluded = x.multiples | y.multiples, x.excluded | y.excluded
    return settle(NumberShape(low, low_open, high, high_open, integer, multiples, values, excluded, x.plain or y.plain))


def _low_key(x: NumberShape) -> tuple[tuple[int, Fraction, bool], Fraction | None, bool]:
    return ((0, Fraction(0), False) if x.low is None else (1, x.low, x.low_open)), x.low, x.low_open


def _high_key(x: NumberShape) -> tuple[tuple[int, Fraction, bool], Fraction | None, bool]:
    return ((1, Fraction(0), False) if x.high is None else (0, x.high, not x.high_open)), x.high, x.high_open


def settle(x: NumberShape) -> NumberShape | str:
    """The shape with its values filtered, or why it is empty."""
    if x.low is not None and x.high is not None and (x.low > x.high or (x.low == x.high and (x.low_open or x.high_open))):
        low_word = "exclusiveMinimum" if x.low_open else "minimum"
        high_word = "exclusiveMaximum" if x.high_open else "maximum"
        return f"'{low_word}' {_show(x.low)} and '{high_word}' {_show(x.high)} leave no number"
    if x.integer and x.low is not None and x.high is not None:
        least = floor(x.low) + 1 if x.low_open else ceil(x.low)
        if least > (ceil(x.high) - 1 if x.high_open else floor(x.high)):
            return f"no integer lies between the bounds {_show(x.low)} and {_show(x.high)} of 'minimum' and 'maximum'"
    for modulus, asserted in x.multiples:
        if not asserted and any(a and (m / modulus).denominator == 1 for m, a in x.multiples):
            return f"'multipleOf' {_show(modulus)} is denied, and asserted by another 'multipleOf'"
    if x.values is not None:
        kept = frozenset(v for v in x.values if _holds(x, v))
        return NumberShape(values=kept, plain=x.plain) if kept else "no number of 'enum' or 'const' is left"
    return x


def _holds(x: NumberShape, v: Fraction) -> bool:
    return not (
        v in x.excluded
        or (x.low is not None and (v < x.low or (x.low_open and v == x.low)))
        or (x.high is not None and (v > x.high or (x.high_open and v == x.high)))
        or (x.integer is not None and (v.denominator == 1) != x.integer)
        or any(((v / m).denominator == 1) != positive for m, positive in x.multiples)
    )


def _show(v: Fraction) -> str:
    return str(v.numerator if v.denominator == 1 else float(v))


def number_expression(s: Any, text: Any, shapes: tuple[NumberShape, ...], where: str) -> int:
    """One lexeme for a disjunction of shapes, in the expression set `s`; NO_MATCH where no number fits."""
    if not shapes:
        return 0
    if len(shapes) == 1:
        shape = shapes[0]
        if shape in (ANY_NUMBER, ANY_INTEGER, PLAIN_INTEGER):
            return int(text.plain_integer if shape.plain else text.integer if shape.integer else text.number)
        body, proven = _body(s, shape, where)
        return 0 if not proven and s.is_empty(body) else int(s.lexeme(body))
    if ANY_NUMBER in shapes:
        return int(text.number)
    made = [_body(s, shape, where) for shape in shapes]
    whole = s.union([body for body, _ in made])
    return 0 if not any(proven for _, proven in made) and s.is_empty(whole) else int(s.lexeme(whole))


def _body(s: Any, shape: NumberShape, where: str) -> tuple[int, bool]:
    """The language of one shape, and whether it is known not to be empty."""
    if shape.values is not None:
        return int(s.union([value_expression(s, v, shape.plain) for v in sorted(shape.values)])), bool(shape.values)
    unbounded = shape.low is None and shape.high is None
    base = _interval(s, shape, where)
    parts = [base] if not unbounded or shape.integer or not shape.multiples else []
    parts += _multiples(s, shape.multiples, where)
    if shape.integer is False:
        parts.append(_not_whole(s))
    if shape.excluded:
        parts.append(s.complement(s.union([value_expression(s, v) for v in sorted(shape.excluded)])))
    if len(parts) == 1:
        return parts[0], parts[0] != 0
    return s.intersection(parts), _has_example(shape)


def _has_example(shape: NumberShape) -> bool:
    """Is a value of the shape near its bounds? Finding one is far cheaper than a search for emptiness."""
    moduli = [abs(m) for m, asserted in shape.multiples if asserted]
    scale = lcm(*(m.denominator for m in moduli))
    step = Fraction(lcm(*(int(m * scale) for m in moduli)), scale) if moduli else Fraction(1, 1 if shape.integer else 2)
    if shape.low is not None:
        start, step = ceil(shape.low / step) * step, step
    elif shape.high is not None:
        start, step = floor(shape.high / step) * step, -step
    else:
        start = step
    return any(_holds(shape, start + i * step) for i in range(64))


def _decimal_digits(v: Fraction, where: str) -> tuple[str, str]:
    """Whole and fractional digits of a value ≥ 0, without a trailing zero in the fraction."""
    scale, d = 0, v.denominator
    while d % 10 == 0:
        d, scale = d // 10, scale + 1
    while d % 2 == 0:
        d, scale = d // 2, scale + 1
    while d % 5 == 0:
        d, scale = d // 5, scale + 1
    if d != 1 or scale > MAX_DIGITS or v.numerator.bit_length() > 4 * MAX_DIGITS:
        raise UnsupportedError("a bound of so many digits", f"at {where}")
    whole, fraction = divmod(v.numerator * 10**scale // v.denominator, 10**scale)
    return str(whole), str(fraction).rjust(scale, "0").rstrip("0") if scale else ""


def value_expression(s: Any, v: Fraction, plain: bool = False) -> int:
    """Every decimal spelling of one value; with `plain` only the one without a fraction."""
    whole, fraction = _decimal_digits(abs(v), "a value")
    zero = s.literal(b"0")
    end = s.repeat(zero, 0, -1)
    head = s.literal(whole.encode())
    if fraction:
        body = s.concat([head, s.literal(f".{fraction}".encode()), end])
    else:
        body = head if plain else s.concat([head, s.union([1, s.concat([s.literal(b"."), zero, end])])])
    if v == 0:
        return int(s.concat([s.union([1, s.literal(b"-")]), body]))
    return int(s.concat([s.literal(b"-"), body]) if v < 0 else body)


def _not_whole(s: Any) -> int:
    digit = s.byte_range(48, 57)
    digits = s.repeat(digit, 0, -1)
    sign = s.union([1, s.literal(b"-")])
    whole = s.union([s.literal(b"0"), s.concat([s.byte_range(49, 57), digits])])
    return int(s.concat([sign, whole, s.literal(b"."), digits, s.byte_range(49, 57), digits]))


def _interval(s: Any, shape: NumberShape, where: str) -> int:
    """Plain decimals inside the interval, whole ones only where the shape says so."""
    low, low_open, high, high_open = shape.low, shape.low_open, shape.high, shape.high_open
    if shape.integer:
        if low is not None:
            low, low_open = Fraction(floor(low) + 1 if low_open else ceil(low)), False
        if high is not None:
            high, high_open = Fraction(ceil(high) - 1 if high_open else floor(high)), False
        if low is not None and high is not None and low > high:
            return 0
    parts = []
    if high is None or high > 0 or (high == 0 and not high_open):
        floor_, open_ = (Fraction(0), False) if low is None or low < 0 else (low, low_open)
        parts.append(_magnitudes(s, floor_, open_, high, high_open, shape, where))
    if low is None or low < 0 or (low == 0 and not low_open):
        floor_, open_ = (Fraction(0), False) if high is None or high >= 0 else (-high, high_open)
        if high is not None and high == 0 and high_open:
            open_ = True
        top = None if low is None else -low
        negative = _magnitudes(s, floor_, open_, top, low_open, shape, where)
        parts.append(s.concat([s.literal(b"-"), negative]))
    return int(s.union(parts))


def _magnitudes(s: Any, low: Fraction, low_open: bool, high: Fraction | None, high_open: bool, shape: NumberShape, where: str) -> int:
    """Decimals v without a sign, low ≤ v ≤ high, either bound strict where it is open; 0 ≤ low."""
    low_digits = _decimal_digits(low, where)
    high_digits = None if high is None else _decimal_digits(high, where)
    return _Range(s, low_digits, low_open, high_digits, high_open, shape).build()


class _Range:
    """The digits of a range. A state knows its place and whether all digits so far equal those of a bound (is tight)."""

    def __init__(self, s: Any, low: tuple[str, str], low_open: bool, high: tuple[str, str] | None, high_open: bool, shape: NumberShape) -> None:
        self.s, self.integer, self.plain = s, bool(shape.integer), shape.plain
        self.low, self.low_open, self.high, self.high_open = low, low_open, high, high_open
        self.width = max(len(low[1]), len(high[1]) if high else 0)
        self.low_fraction = low[1].ljust(self.width, "0")
        self.high_fraction = high[1].ljust(self.width, "0") if high else ""
        self.digit = s.byte_range(48, 57)
        self.any_digits = s.repeat(self.digit, 0, -1)
        self.zeros = s.repeat(s.literal(b"0"), 0, -1)
        self.memo: dict[tuple[bool, bool], int] = {}

    def build(self) -> int:
        s, least = self.s, len(self.low[0])
        if self.high is None:
            longer = s.concat([s.byte_range(49, 57), s.repeat(self.digit, least, -1), self.tail(False, False)])
            return int(s.union([self.whole(least), longer]))
        most = len(self.high[0])
        parts = [self.whole(least)]
        if most > least:
            parts.append(self.whole(most))
        if most > least + 1:
            middle = s.repeat(self.digit, least, most - 2)
            parts.append(s.concat([s.byte_range(49, 57), middle, self.tail(False, False)]))
        return int(s.union(parts))

    def whole(self, length: int) -> int:
        """Whole parts of exactly `length` digits, and what follows them; built from the last digit to the first."""
        low = self.low[0] if length == len(self.low[0]) else None
        high = self.high[0] if self.high and length == len(self.high[0]) else None
        both = [(a, b) for a in (False, True) for b in (False, True) if (low or not a) and (high or not b)]
        after = {key: self.tail(*key) for key in both}
        for place in range(length - 1, -1, -1):
            least = 1 if place == 0 and length > 1 else 0
            after = {
                (a, b): self.step(after, low[place] if low and a else None, high[place] if high and b else None, least)
                for a, b in both
            }
        return after[low is not None, high is not None]

    def step(self, after: dict[tuple[bool, bool], int], low: str | None, high: str | None, least: int = 0) -> int:
        """One digit, then `after` by what is still tight."""
        first = max(least, int(low)) if low is not None else least
        last = int(high) if high is not None else 9
        groups: dict[tuple[bool, bool], list[int]] = {}
        for d in range(first, last + 1):
            key = (low is not None and d == int(low), high is not None and d == int(high))
            groups.setdefault(key, []).append(d)
        s = self.s
        parts = [s.concat([s.byte_range(48 + ds[0], 48 + ds[-1]), after[key]]) for key, ds in groups.items() if after[key]]
        return int(s.union(parts))

    def ends(self, place: int, tight_low: bool, tight_high: bool) -> bool:
        """May the number end after `place` digits of its fraction?"""
        if tight_low and (self.low_open or self.low_fraction[place:].strip("0")):
            return False
        return not (tight_high and self.high_open and not self.high_fraction[place:].strip("0"))

    def tail(self, tight_low: bool, tight_high: bool) -> int:
        """What may follow the whole part: nothing, or a dot and a fraction."""
        key = (tight_low, tight_high)
        if key in self.memo:
            return self.memo[key]
        s = self.s
        parts = [1] if self.ends(0, tight_low, tight_high) else []
        if self.integer:
            if parts and not self.plain:
                parts.append(s.concat([s.literal(b"."), s.literal(b"0"), self.zeros]))
        else:
            digits = self.fraction(tight_low, tight_high)
            if digits:
                parts.append(s.concat([s.literal(b"."), digits]))
        self.memo[key] = int(s.union(parts))
        return self.memo[key]

    def fraction(self, tight_low: bool, tight_high: bool) -> int:
        """At least one digit of the fraction."""
        s = self.s
        both = [(a, b) for a in (False, True) for b in (False, True) if self.high or not b]
        after = {key: self.rest(*key) for key in both}
        for place in range(self.width - 1, -1, -1):
            stepped = {
                (a, b): self.step(after, self.low_fraction[place] if a else None, self.high_fraction[place] if b else None)
                for a, b in both
            }
            if place == 0:
                return stepped[tight_low, tight_high]
            after = {key: s.union([stepped[key], 1]) if self.ends(place, *key) else stepped[key] for key in both}
        return self.more(tight_low, tight_high)

    def rest(self, tight_low: bool, tight_high: bool) -> int:
        """After all digits of the bounds' fractions: any number of further digits."""
        parts = [1] if self.ends(self.width, tight_low, tight_high) else []
        return int(self.s.union([*parts, self.more(tight_low, tight_high)]))

    def more(self, tight_low: bool, tight_high: bool) -> int:
        """At least one further digit."""
        s = self.s
        if tight_high:
            exactly = s.concat([s.literal(b"0"), self.zeros])
            return 0 if self.high_open or (tight_low and self.low_open) else int(exactly)
        if tight_low and self.low_open:
            return int(s.concat([self.zeros, s.byte_range(49, 57), self.any_digits]))
        return int(s.concat([self.digit, self.any_digits]))


def _multiples(s: Any, multiples: frozenset[tuple[Fraction, bool]], where: str) -> list[int]:
    """Plain decimals that are multiples of some numbers and not of others, as tables over remainders.

    With k the places of the longest modulus, a number's digits, its fraction cut or filled to k places, leave a
    remainder by the scaled moduli; with a further digit that is not zero it is a multiple of none of them.
    """
    if not multiples:
        return []
    scale = max(len(_decimal_digits(abs(m), where)[1]) for m, _ in multiples)
    positive = lcm(*(int(abs(m) * 10**scale) for m, asserted in multiples if asserted))
    asserted = any(a for _, a in multiples)
    negative = [int(abs(m) * 10**scale) for m, a in multiples if not a]
    whole = lcm(positive, *negative)
    if whole * (scale + 2) <= MAX_MODULUS:
        return [_remainders(s, whole, scale, asserted, [r for r in range(whole) if not r % positive and all(r % n for n in negative)])]
    parts = []
    for modulus, wanted in sorted(multiples):
        places = len(_decimal_digits(abs(modulus), where)[1])
        scaled = int(abs(modulus) * 10**places)
        if scaled * (places + 2) > MAX_MODULUS:
            raise UnsupportedError(f"json schema: 'multipleOf' {_show(modulus)}", f"at {where}")
        parts.append(_remainders(s, scaled, places, wanted, [r for r in range(scaled) if (r == 0) == wanted]))
    return parts


def _remainders(s: Any, a: int, k: int, exact_only: bool, good: list[int]) -> int:
    """Decimals whose digits, scaled by 10^k, leave one of some remainders by a; further digits only where allowed.

    States: 0 start, 1 after '-', 2 after a leading 0, then a for the whole part's remainder, then (k + 1)·a for the
    remainder after j digits of the fraction, and last a number with a further digit that is not zero.
    """
    whole, dot = 3, 3 + a
    beyond = dot + a * (k + 1)
    wanted = set(good)
    moves: list[tuple[int, int, int]] = [(0, 45, 1), (2, 46, dot)]
    accepting = [2] if 0 in wanted else []
    for state in (0, 1):
        moves.append((state, 48, 2))
        moves += [(state, 48 + d, whole + d % a) for d in range(1, 10)]
    for r in range(a):
        base = 10 * r
        moves += [(whole + r, 48 + d, whole + (base + d) % a) for d in range(10)]
        moves.append((whole + r, 46, dot + r))
        if r * pow(10, k, a) % a in wanted:
            accepting.append(whole + r)
        for j in range(k):
            moves += [(dot + a * j + r, 48 + d, dot + a * (j + 1) + (base + d) % a) for d in range(10)]
            if j and r * pow(10, k - j, a) % a in wanted:
                accepting.append(dot + a * j + r)
        last = dot + a * k + r
        moves.append((last, 48, last + 0))
        if not exact_only:
            moves += [(last, 48 + d, beyond) for d in range(1, 10)]
        if k and r in wanted:
            accepting.append(last)
    if not k:
        moves, accepting = _with_first_digit(moves, accepting, dot, a, beyond, wanted)
        beyond += a
    if not exact_only:
        moves += [(beyond, 48 + d, beyond) for d in range(10)]
        accepting.append(beyond)
    return int(s.table(beyond + 1, 0, accepting, moves))


def _with_first_digit(moves: list[tuple[int, int, int]], accepting: list[int], dot: int, a: int, beyond: int, wanted: set[int]) -> Any:
    """For whole moduli: a dot needs a digit after it, so the states after the dot are split by whether one came."""
    split = []
    for state, byte, target in moves:
        if state >= dot and byte == 48:
            split += [(state, 48, state + a), (state + a, 48, state + a)]
        elif state >= dot:
            split += [(state, byte, beyond + a), (state + a, byte, beyond + a)]
        else:
            split.append((state, byte, target))
    return split, accepting + [dot + a + r for r in range(a) if r in wanted]
