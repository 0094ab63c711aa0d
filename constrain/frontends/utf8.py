"""Sets of code points, and how characters are spelt in bytes.

What lives here: `CodePoints`, an immutable set of Unicode scalar values kept as sorted, disjoint, non-adjacent ranges;
`Alphabet`, the one thing that a compiler of text patterns needs to know about bytes; and `Utf8Alphabet`, the plain spelling.

Invariants: surrogates are in no set, so no expression made here matches bytes that are not valid UTF-8; and the spelling of
one character is never a proper prefix of another's, so a byte string is the spelling of at most one text and Boolean
operations on spelt languages are those on the texts.

Source: Ken Thompson's UTF-8 as compiled by RE2's `Compiler::AddRuneRange` and rust's `utf8-ranges`; here ranges are split by
their top six bits and equal tails are shared, which gives the minimal automaton bottom-up. Held by tests/test_utf8.py.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["ANY", "NONE", "Alphabet", "CodePoints", "Utf8Alphabet"]

_LAST = 0x10FFFF
_SURROGATES = (0xD800, 0xDFFF)

Range = tuple[int, int]


class CodePoints:
    """An immutable set of Unicode scalar values; `ranges` are inclusive, sorted, disjoint and not adjacent.

    >>> vowels = CodePoints.of("aeiou")
    >>> (CodePoints.between("a", "f") - vowels).ranges
    ((98, 100), (102, 102))
    """

    __slots__ = ("_hash", "ranges")

    ranges: tuple[Range, ...]

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        """Takes inclusive ranges in any order, overlapping or not; leaves out surrogates."""
        self.ranges = _normalise(ranges)
        self._hash = hash(self.ranges)

    @classmethod
    def _made(cls, ranges: tuple[Range, ...]) -> CodePoints:
        """From ranges that are already normal."""
        made = cls.__new__(cls)
        made.ranges = ranges
        made._hash = hash(ranges)
        return made

    @classmethod
    def of(cls, characters: Iterable[str]) -> CodePoints:
        return cls([(ord(c), ord(c)) for c in characters])

    @classmethod
    def one(cls, code: int) -> CodePoints:
        if _SURROGATES[0] <= code <= _SURROGATES[1]:
            return NONE
        return cls._made(((code, code),))

    @classmethod
    def between(cls, first: str, last: str) -> CodePoints:
        return cls([(ord(first), ord(last))])

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, CodePoints) and self.ranges == other.ranges)

    def __hash__(self) -> int:
        return self._hash

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __len__(self) -> int:
        return sum(hi - lo + 1 for lo, hi in self.ranges)

    def __iter__(self) -> Iterator[int]:
        for lo, hi in self.ranges:
            yield from range(lo, hi + 1)

    def __contains__(self, code: int) -> bool:
        low, high = 0, len(self.ranges)
        while low < high:
            middle = (low + high) // 2
            if self.ranges[middle][1] < code:
                low = middle + 1
            else:
                high = middle
        return low < len(self.ranges) and self.ranges[low][0] <= code

    def __or__(self, other: CodePoints) -> CodePoints:
        if not other.ranges or self is other:
            return self
        if not self.ranges:
            return other
        return CodePoints(self.ranges + other.ranges)

    def __and__(self, other: CodePoints) -> CodePoints:
        mine, theirs = self.ranges, other.ranges
        found: list[Range] = []
        i = j = 0
        while i < len(mine) and j < len(theirs):
            lo = max(mine[i][0], theirs[j][0])
            hi = min(mine[i][1], theirs[j][1])
            if lo <= hi:
                found.append((lo, hi))
            if mine[i][1] < theirs[j][1]:
                i += 1
            else:
                j += 1
        return CodePoints._made(tuple(found))

    def __invert__(self) -> CodePoints:
        """The scalar values outside the set."""
        gaps: list[Range] = []
        start = 0
        for lo, hi in self.ranges:
            if start < lo:
                gaps.append((start, lo - 1))
            start = hi + 1
        if start <= _LAST:
            gaps.append((start, _LAST))
        return CodePoints(gaps)

    def __sub__(self, other: CodePoints) -> CodePoints:
        return self & ~other

    def isdisjoint(self, other: CodePoints) -> bool:
        return not (self & other)

    def __le__(self, other: CodePoints) -> bool:
        """Is this a subset of `other`?"""
        return self & other == self

    def __repr__(self) -> str:
        shown = ", ".join(f"{lo:#x}-{hi:#x}" if lo != hi else f"{lo:#x}" for lo, hi in self.ranges[:6])
        more = f", … {len(self.ranges)} ranges" if len(self.ranges) > 6 else ""
        return f"CodePoints({shown}{more})"


def _normalise(ranges: Iterable[Range]) -> tuple[Range, ...]:
    merged: list[Range] = []
    for lo, hi in sorted(ranges):
        if merged and lo <= merged[-1][1] + 1:
            if hi > merged[-1][1]:
                merged[-1] = (merged[-1][0], hi)
        elif lo <= hi:
            merged.append((lo, hi))
    first, last = _SURROGATES
    if not any(lo <= last and hi >= first for lo, hi in merged):
        return tuple(merged)
    kept: list[Range] = []
    for lo, hi in merged:
        kept += [part for part in ((lo, min(hi, first - 1)), (max(lo, last + 1), hi)) if part[0] <= part[1]]
    return tuple(kept)


NONE = CodePoints()
ANY = CodePoints([(0, _LAST)])


class Alphabet:
    """How characters are spelt in bytes inside one `ExprSet`; a subclass says so in `spell`.

    `set` is the ExprSet, `any_character` the expression of one character, `any_text` of any number of them. Expressions
    are memoised by their set of code points, so asking again costs a dictionary look-up.
    """

    def __init__(self, expr_set: Any) -> None:
        self.set = expr_set
        self._spelt: dict[CodePoints, int] = {}
        self._any_text: int | None = None

    def spell(self, points: CodePoints) -> int:
        """The expression of one character out of `points`, which is not empty; called once for each set."""
        raise NotImplementedError

    def char(self, points: CodePoints) -> int:
        """The expression of one character out of `points`; no text at all when the set is empty."""
        found = self._spelt.get(points)
        if found is None:
            found = self._spelt[points] = self.spell(points) if points.ranges else self.set.NO_MATCH
        return found

    def text(self, text: str) -> int:
        """The expression of exactly this text; of no text when it holds a lone surrogate."""
        return int(self.set.concat([self.char(CodePoints.one(ord(c))) for c in text]))

    def texts(self, texts: list[str]) -> int:
        """The expression of any one of these texts."""
        return int(self.set.union([self.text(text) for text in texts]))

    @property
    def any_character(self) -> int:
        return self.char(ANY)

    @property
    def any_text(self) -> int:
        if self._any_text is None:
            self._any_text = int(self.set.repeat(self.any_character, 0, -1))
        return self._any_text


# Below this many texts their union stays a union: small ones factor well and print readably.
_FEW_TEXTS = 8


class Utf8Alphabet(Alphabet):
    """Every character is spelt by its UTF-8 bytes."""

    def on(self, expr_set: Any) -> Utf8Alphabet:
        """The same alphabet over a clone of its set: the ids stay what they were."""
        other = Utf8Alphabet(expr_set)
        other._spelt = self._spelt.copy()
        other._any_text = self._any_text
        return other

    def spell(self, points: CodePoints) -> int:
        if points.ranges[-1][1] < 0x80:
            return int(self.set.byte_set(_members(points.ranges)))
        return _shared_spelling(self.set, points)

    def text(self, text: str) -> int:
        try:
            return int(self.set.literal(text.encode()))
        except UnicodeEncodeError:
            return int(self.set.NO_MATCH)

    def texts(self, texts: list[str]) -> int:
        if len(texts) <= _FEW_TEXTS:
            return super().texts(texts)
        try:
            return int(self.set.literals([text.encode() for text in texts]))
        except UnicodeEncodeError:
            return super().texts(texts)


def _members(ranges: Iterable[Range]) -> bytes:
    return b"".join(bytes(range(lo, hi + 1)) for lo, hi in ranges)


# Spellings of sets beyond ASCII are built once a process and kind of set, and copied from there: \w has 770 ranges.
_shared_lock = threading.Lock()
_shared_sets: dict[type, tuple[Any, dict[CodePoints, int]]] = {}


def _shared_spelling(expr_set: Any, points: CodePoints) -> int:
    with _shared_lock:
        kind = type(expr_set)
        if kind not in _shared_sets:
            _shared_sets[kind] = (kind(), {})
        shared, known = _shared_sets[kind]
        root = known.get(points)
        if root is None:
            if len(known) > 4096:
                shared, known = _shared_sets[kind] = (kind(), {})
            root = known[points] = utf8_character(shared, points)
        return int(expr_set.copy_from(shared, root))


# First code point, last code point, lead byte of the first, number of continuation bytes.
_LENGTHS = ((0x80, 0x7FF, 0xC0, 1), (0x800, 0xFFFF, 0xE0, 2), (0x10000, _LAST, 0xF0, 3))


def utf8_character(expr_set: Any, points: CodePoints) -> int:
    """The expression of one character out of `points` in UTF-8, built in `expr_set`."""
    parts = []
    ascii_members = _members((lo, min(hi, 0x7F)) for lo, hi in points.ranges if lo < 0x80)
    if ascii_members:
        parts.append(expr_set.byte_set(ascii_members))
    memo: dict[tuple[int, tuple[Range, ...]], int] = {}
    for first, last, lead, count in _LENGTHS:
        ranges = tuple((max(lo, first), min(hi, last)) for lo, hi in points.ranges if lo <= last and hi >= first)
        if ranges:
            parts.append(_sequences(expr_set, ranges, count, lead, memo))
    return int(expr_set.union(parts))


def _sequences(
    expr_set: Any, ranges: tuple[Range, ...], count: int, lead: int, memo: dict[tuple[int, tuple[Range, ...]], int]
) -> int:
    """A byte `lead | top bits`, then `count` continuation bytes: the numbers in `ranges`, six bits a byte."""
    if count == 0:
        return int(expr_set.byte_set(_members((lead | lo, lead | hi) for lo, hi in ranges)))
    leads_by_tail: dict[int, bytearray] = {}
    for top, tail_ranges in _by_top_bits(ranges, count):
        key = (count, tail_ranges)
        tail = memo.get(key)
        if tail is None:
            tail = memo[key] = _sequences(expr_set, tail_ranges, count - 1, 0x80, memo)
        leads_by_tail.setdefault(tail, bytearray()).append(lead | top)
    parts = [expr_set.concat([expr_set.byte_set(bytes(leads)), tail]) for tail, leads in leads_by_tail.items()]
    return int(expr_set.union(parts))


def _by_top_bits(ranges: tuple[Range, ...], count: int) -> list[tuple[int, tuple[Range, ...]]]:
    """For each value of the bits above the low 6·count: that value, and the ranges of the low bits under it."""
    shift = 6 * count
    full = (1 << shift) - 1
    groups: dict[int, list[Range]] = {}
    for lo, hi in ranges:
        for top in range(lo >> shift, (hi >> shift) + 1):
            base = top << shift
            groups.setdefault(top, []).append((max(lo - base, 0), min(hi - base, full)))
    return [(top, tuple(group)) for top, group in groups.items()]
