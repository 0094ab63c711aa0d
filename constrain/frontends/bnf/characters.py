r"""Characters as the notations with `::=` write them: escapes and classes such as `[^a-z\]]`.

GBNF's are those of llama.cpp's parser, EBNF's those that XGrammar documents, where `\x` takes any number of digits and
`[^]` is any character. Held by tests/test_notations.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..lark.syntax import Source
from ..utf8 import CodePoints

__all__ = ["Escapes", "GBNF_ESCAPES", "XGRAMMAR_ESCAPES", "read_class", "read_text"]

_LAST = 0x10FFFF


@dataclass(frozen=True)
class Escapes:
    """`controls`: by letter; `itself` and `itself_in_class`: what stands for itself behind a backslash."""

    controls: dict[str, str]
    itself: str
    itself_in_class: str
    pattern: re.Pattern[str]
    is_any_written_as_class: bool = False

    @staticmethod
    def numbered(hex_digits: str) -> re.Pattern[str]:
        r"""A character or an escape; `\x` has so many digits."""
        digit = "[0-9a-fA-F]"
        return re.compile(rf"\\(?:x({digit}{hex_digits})|u({digit}{{4}})|U({digit}{{8}})|(.))|(.)", re.DOTALL)


GBNF_ESCAPES = Escapes({"n": "\n", "r": "\r", "t": "\t"}, '\\"[]-', '\\"[]-', Escapes.numbered("{2}"))
XGRAMMAR_ESCAPES = Escapes(
    {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "0": "\0", "e": "\x1b"},
    "\"\\/'?", "\"\\/'?^$.*+()[]{}|-", Escapes.numbered("+"), is_any_written_as_class=True,
)  # fmt: skip


def _characters(source: Source, body: str, at: int, escapes: Escapes, in_class: bool) -> list[tuple[int, bool]]:
    """The code points of a text, and whether each is written with a backslash."""
    itself = escapes.itself_in_class if in_class else escapes.itself
    found = []
    for match in escapes.pattern.finditer(body):
        *codes, letter, plain = match.groups()
        if plain is not None:
            found.append((ord(plain), False))
            continue
        code = next((int(digits, 16) for digits in codes if digits), -1)
        if letter is not None:
            if letter not in escapes.controls and letter not in itself:
                known = " ".join(f"\\{c}" for c in (*escapes.controls, *itself))
                source.fail(f"unknown escape {match[0]!r}, known are {known} \\xHH \\uHHHH \\UHHHHHHHH", at + match.start())
            code = ord(escapes.controls.get(letter, letter))
        if code > _LAST:
            source.fail(f"{match[0]} is no code point, the last one is \\U0010FFFF", at + match.start())
        found.append((code, True))
    return found


def read_text(source: Source, body: str, at: int, escapes: Escapes) -> str:
    """What stands between the quotes."""
    return "".join([chr(code) for code, _ in _characters(source, body, at, escapes, False)])


def read_class(source: Source, body: str, at: int, escapes: Escapes) -> CodePoints:
    """What stands between the brackets; `at` is its first character."""
    is_negated = body.startswith("^")
    characters = _characters(source, body[is_negated:], at + is_negated, escapes, True)
    if not characters and not (is_negated and escapes.is_any_written_as_class):
        any_character = "'[^]'" if escapes.is_any_written_as_class else "'.'"
        source.fail(f"the class has no characters, and no text matches it; any character is {any_character}", at)
    ranges, i = [], 0
    while i < len(characters):
        low = high = characters[i][0]
        i += 1
        if i + 1 < len(characters) and characters[i] == (ord("-"), False):
            high = characters[i + 1][0]
            i += 2
        if high < low:
            source.fail(f"bad range {chr(low)!r} to {chr(high)!r}: the first character comes behind the last", at)
        ranges.append((low, high))
    points = CodePoints(ranges)
    return ~points if is_negated else points
