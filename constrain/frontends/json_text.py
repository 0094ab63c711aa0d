"""JSON as text: the lexemes that every JSON constraint is made of.

Schemas speak of decoded values, models write encoded text. This file is the only place that maps the first to the
second: characters to their spellings inside a string (`JsonAlphabet`), strings and keys to quoted literals, numbers,
white space and separators (`JsonText`). Invariants: every run of white space has at most `MAX_SPACE` bytes; with
canonical escapes a decoded string has exactly one spelling, so complement on encoded bodies is complement on decoded
strings; with any escapes every language made here is closed under respelling, so the same holds. Lone surrogates are
not text and have no spelling. Grammar: RFC 8259; canonical escapes are those of `json.dumps(ensure_ascii=False)`.
Held by tests/test_json_text.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache

from .._native import ExprSet
from .utf8 import Alphabet, CodePoints, Utf8Alphabet

__all__ = ["MAX_SPACE", "JsonAlphabet", "JsonText", "Layout", "json_text"]

MAX_SPACE = 16
MAX_INDENT_DEPTH = 16
_SPACE_BYTES = b" \t\n\r"
_NO_MATCH, _EMPTY = 0, 1
_SHORT = {8: b"\\b", 9: b"\\t", 10: b"\\n", 12: b"\\f", 13: b"\\r", 34: b'\\"', 92: b"\\\\"}
_PLAIN = re.compile(r'[^"\\\x00-\x1f\ud800-\udfff]*').fullmatch
_SPECIAL = CodePoints([(0, 31), (34, 34), (92, 92)])


@lru_cache(maxsize=1 << 16)
def canonical(text: str) -> bytes:
    """The one canonical spelling of a string's body, without its quotes; no lone surrogates (UnicodeEncodeError).

    >>> canonical('a"b')
    b'a\\\\"b'
    """
    if _PLAIN(text):
        return text.encode()
    return json.dumps(text, ensure_ascii=False)[1:-1].encode()


class JsonAlphabet(Alphabet):
    """How one character of a decoded string may be spelt inside a JSON string; the alphabet of pattern and format."""

    def __init__(self, expr_set: ExprSet, escapes: str) -> None:
        super().__init__(expr_set)
        self.escapes = escapes

    def on(self, expr_set: ExprSet) -> JsonAlphabet:
        """The same alphabet over a clone of its set: the ids stay what they were."""
        other = JsonAlphabet(expr_set, self.escapes)
        other._spelt = self._spelt.copy()
        other._any_text = self._any_text
        return other

    def spell(self, points: CodePoints) -> int:
        special = points & _SPECIAL
        plain = points - _SPECIAL if special else points
        parts = [Utf8Alphabet.spell(self, plain)] if plain else []  # type: ignore[arg-type]
        if self.escapes == "any":
            parts += self._any_escapes(points)
        elif special:
            parts.append(self.set.literals([_SHORT.get(c) or b"\\u%04x" % c for c in special]))
        return int(self.set.union(parts))

    def _any_escapes(self, points: CodePoints) -> list[int]:
        named = [text for c, text in ((*_SHORT.items(), (47, b"\\/"))) if c in points]
        parts = [self.set.literals(named)] if named else []
        backslash = self.set.literal(b"\\u")
        for a, b in points.ranges:
            if a <= 0xFFFF:
                parts.append(self.set.concat([backslash, self._hex(a, min(b, 0xFFFF))]))
            if b > 0xFFFF:
                a, b = max(a, 0x10000) - 0x10000, b - 0x10000
                for (h1, h2), (l1, l2) in digit_ranges((a >> 10, a & 1023), (b >> 10, b & 1023), (1023, 1023)):
                    high, low = self._hex(0xD800 + h1, 0xD800 + h2), self._hex(0xDC00 + l1, 0xDC00 + l2)
                    parts.append(self.set.concat([backslash, high, backslash, low]))
        return parts

    def _hex(self, low: int, high: int) -> int:
        """Four hexadecimal digits, of either case, whose number lies between `low` and `high`."""
        first, last = ([n >> 12, n >> 8 & 15, n >> 4 & 15, n & 15] for n in (low, high))
        rows = digit_ranges(first, last, [15] * 4)
        return int(self.set.union([self.set.concat([self._hex_digit(a, b) for a, b in row]) for row in rows]))

    def _hex_digit(self, low: int, high: int) -> int:
        return self.set.byte_set("".join(sorted({d for n in range(low, high + 1) for d in f"{n:x}{n:X}"})).encode())

    def text(self, text: str) -> int:
        """The spellings of one decoded string, without quotes; NO_MATCH for text with lone surrogates."""
        if self.escapes == "any":
            return super().text(text)
        try:
            return self.set.literal(canonical(text))
        except UnicodeEncodeError:
            return _NO_MATCH

    def texts(self, texts: list[str]) -> int:
        """The spellings of any of some decoded strings, without quotes."""
        if self.escapes == "any":
            return super().texts(texts)
        try:
            return self.set.literals([canonical(t) for t in texts])
        except UnicodeEncodeError:
            return super().texts(texts)


def digit_ranges(low: Sequence[int], high: Sequence[int], top: Sequence[int]) -> list[list[tuple[int, int]]]:
    """The numbers from `low` to `high`, of equally many digits, as sequences of digit ranges; `top`: greatest digits.

    >>> digit_ranges([1, 5], [2, 3], [9, 9])
    [[(1, 1), (5, 9)], [(2, 2), (0, 3)]]
    """
    a, b, rest = low[0], high[0], list(top[1:])
    zeros = [0] * len(rest)
    whole_low, whole_high = list(low[1:]) == zeros, list(high[1:]) == rest
    if a == b and not (whole_low and whole_high):
        return [[(a, a), *row] for row in digit_ranges(low[1:], high[1:], rest)]
    rows: list[list[tuple[int, int]]] = []
    if not whole_low:
        rows += [[(a, a), *row] for row in digit_ranges(low[1:], rest, rest)]
        a += 1
    last = b if whole_high else b - 1
    if a <= last:
        rows.append([(a, last), *((0, t) for t in rest)])
    if not whole_high:
        rows += [[(b, b), *row] for row in digit_ranges(zeros, high[1:], rest)]
    return rows


class Layout:
    """The separators at one depth. Between two tokens stands one run of white space, which belongs to one of these.

    `tail` follows every value inside an object or array, `empty_object`/`empty_array` are whole empty containers where
    these are not simply open and close, else None.
    """

    __slots__ = ("close_array", "close_object", "colon", "comma", "depth", "empty_array", "empty_object", "open_array", "open_object", "tail")

    def __init__(self, s: ExprSet, space: int, colon: int, comma: int, before_item: int, before_close: int, tail: int, depth: int) -> None:
        differs = before_item != space
        self.colon, self.tail, self.depth = colon, tail, depth
        self.comma = s.lexeme(s.concat([comma, before_item]))
        self.open_object = s.lexeme(s.concat([s.literal(b"{"), before_item]))
        self.open_array = s.lexeme(s.concat([s.literal(b"["), before_item]))
        self.close_object = s.lexeme(s.concat([before_close, s.literal(b"}")]))
        self.close_array = s.lexeme(s.concat([before_close, s.literal(b"]")]))
        self.empty_object = s.lexeme(s.literal(b"{}")) if differs else None
        self.empty_array = s.lexeme(s.literal(b"[]")) if differs else None


class JsonText:
    """The common lexemes in one expression set, made once per process and spelling; `set.clone()` starts a constraint.

    `whitespace`: "flexible" (up to 16 bytes of white space wherever JSON allows it), "compact" (none), "spaced"
    (`", "` and `": "`), or an int: that many spaces of indent, as `json.dumps(indent=…)` writes it; deeper than 16
    containers such text stays on one line.
    """

    def __init__(self, whitespace: str | int, escapes: str) -> None:
        s = self.set = ExprSet()
        self.whitespace = whitespace
        self.alphabet = JsonAlphabet(s, escapes)
        self.quote = s.literal(b'"')
        self.layouts: list[Layout] = []
        self.space = s.lexeme(s.repeat(s.byte_set(_SPACE_BYTES), 0, MAX_SPACE)) if whitespace == "flexible" else _EMPTY
        self._make_layouts()
        self._make_scalars()
        self._make_values()

    def _make_layouts(self) -> None:
        s, w = self.set, self.space
        colon, comma = s.literal(b":"), s.literal(b",")
        if self.whitespace == "flexible":
            self.layouts = [Layout(s, w, s.lexeme(s.concat([w, colon, w])), comma, w, _EMPTY, w, 0)]
        elif self.whitespace == "compact":
            self.layouts = [Layout(s, _EMPTY, s.lexeme(colon), comma, _EMPTY, _EMPTY, _EMPTY, 0)]
        elif self.whitespace == "spaced":
            self.layouts = [Layout(s, _EMPTY, s.lexeme(s.literal(b": ")), s.literal(b", "), _EMPTY, _EMPTY, _EMPTY, 0)]
        else:
            assert isinstance(self.whitespace, int)
            spaced = s.lexeme(s.literal(b": "))
            for depth in range(MAX_INDENT_DEPTH):
                inner, outer = (s.literal(b"\n" + b" " * (int(self.whitespace) * d)) for d in (depth + 1, depth))
                self.layouts.append(Layout(s, _EMPTY, spaced, comma, inner, outer, _EMPTY, depth))
            self.layouts.append(Layout(s, _EMPTY, spaced, s.literal(b", "), _EMPTY, _EMPTY, _EMPTY, MAX_INDENT_DEPTH))

    def _make_scalars(self) -> None:
        s = self.set
        digit, zero, dot = s.byte_range(48, 57), s.literal(b"0"), s.literal(b".")
        sign = s.union([_EMPTY, s.literal(b"-")])
        whole = s.union([zero, s.concat([s.byte_range(49, 57), s.repeat(digit, 0, -1)])])
        exponent = s.concat([s.byte_set(b"eE"), s.union([_EMPTY, s.byte_set(b"+-")]), s.repeat(digit, 1, -1)])
        fraction = s.concat([dot, s.repeat(digit, 1, -1)])
        self.decimal = s.lexeme(s.concat([sign, whole, s.union([_EMPTY, fraction])]))
        self.number = s.lexeme(s.concat([sign, whole, s.union([_EMPTY, fraction]), s.union([_EMPTY, exponent])]))
        self.plain_integer = s.lexeme(s.concat([sign, whole]))
        self.integer = s.lexeme(s.concat([sign, whole, s.union([_EMPTY, s.concat([dot, s.repeat(zero, 1, -1)])])]))
        self.true, self.false = s.lexeme(s.literal(b"true")), s.lexeme(s.literal(b"false"))
        self.null = s.lexeme(s.literal(b"null"))
        self.boolean = s.lexeme(s.literals([b"false", b"true"]))
        self.string = s.lexeme(s.concat([self.quote, self.alphabet.any_text, self.quote]))
        self.one_spelling = self.alphabet.any_text
        if self.alphabet.escapes != "canonical":
            self.one_spelling = JsonAlphabet(s, "canonical").any_text
        self.other_string = s.lexeme(s.concat([self.quote, self.one_spelling, self.quote]))

    def _make_values(self) -> None:
        """Any JSON value, one rule per layout; the deepest layout's rule is its own child."""
        s = self.set
        rules = [s.rule(f"any JSON value, depth {layout.depth}" if layout.depth else "any JSON value") for layout in self.layouts]
        self.values: list[int] = rules
        self.objects: list[int] = []
        self.arrays: list[int] = []
        scalars = [self.string, self.number, self.boolean, self.null]
        for depth, layout in enumerate(self.layouts):
            child = rules[min(depth + 1, len(rules) - 1)]
            entry = s.keyed(self.other_string, s.concat([layout.colon, child, layout.tail]), is_scarce=False)
            members = s.members(layout.comma, [(entry, 0, -1)], low=0 if layout.empty_object is None else 1)
            self.objects.append(self.container(s, layout.open_object, members, layout.close_object, layout.empty_object))
            item = s.concat([child, layout.tail])
            items = s.concat([item, s.repeat(s.concat([layout.comma, item]), 0, -1)])
            items = s.union([_EMPTY, items]) if layout.empty_array is None else items
            self.arrays.append(self.container(s, layout.open_array, items, layout.close_array, layout.empty_array))
            s.define(rules[depth], s.union([*scalars, self.objects[depth], self.arrays[depth]]))

    @staticmethod
    def container(s: ExprSet, opened: int, inner: int, closed: int, empty: int | None) -> int:
        """Brackets around what is inside; `empty` is the empty container where that is written in another way."""
        whole = s.concat([opened, inner, closed])
        return s.body(whole if empty is None else s.union([empty, whole]), "")

    def layout(self, depth: int) -> Layout:
        """The separators of a container that lies inside `depth` others."""
        return self.layouts[min(depth, len(self.layouts) - 1)]


@lru_cache(maxsize=64)
def json_text(whitespace: str | int, escapes: str) -> JsonText:
    """The process-wide lexemes of one spelling; never change its set, clone it."""
    return JsonText(whitespace, escapes)
