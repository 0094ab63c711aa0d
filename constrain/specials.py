r"""Tokens that a constraint speaks of themselves, not by their text: special tokens by name, any tokens by number.

No text may ever spell such a token, so an expression holds it as bytes that no UTF-8 text has: 0xFE, the name, 0xFE; or 0xFF
and the number as three digits to base 128. The set of the expression remembers what it asks of a vocabulary (`require`).
`Vocabulary.trie_with` is the prefix tree in which tokens have these spellings beside their bytes, and in which no token
has these bytes as text; constraints without such tokens never see it. Held by tests/test_special_tokens.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from .errors import ConstrainError, UnsupportedError

if TYPE_CHECKING:
    from ._native import ExprSet

__all__ = ["check_required", "named", "numbered", "pieces", "read_numbers", "shown", "spell_name", "spell_number", "text_before"]

MAX_ID = (1 << 21) - 1
_SPELLING = re.compile(rb"\xfe([^\xfe]+)\xfe|\xff([\x00-\x7f]{3})")
Ranges = list[tuple[int, int]]


class Tokens(Protocol):
    """What has to be known of a `Vocabulary`."""

    size: int
    end_ids: list[int]
    special_tokens: Mapping[str, int]

    def is_token(self, i: int) -> bool: ...


def spell_name(name: str) -> bytes:
    """The bytes that stand for the special token of this name."""
    return b"\xfe" + name.encode() + b"\xfe"


def spell_number(token: int) -> bytes:
    """The bytes that stand for the token with this id."""
    return bytes([0xFF, token >> 14, token >> 7 & 127, token & 127])


def named(expr_set: ExprSet, name: str) -> int:
    """The special token of this name, as a node."""
    expr_set.require(name)
    return expr_set.lexeme(expr_set.literal(spell_name(name)))


def numbered(expr_set: ExprSet, written: str) -> int:
    """One token out of those that `written` lists: `[1,5-9]`, `[^1,5-9]`, `[*]`; ValueError where it is not well-formed."""
    is_negated, ranges = read_numbers(written)
    expr_set.require(written)
    digits = [_digits(expr_set, low, high, 3) for low, high in (_others(ranges) if is_negated else ranges)]
    return expr_set.lexeme(expr_set.concat([expr_set.byte_range(255, 255), expr_set.union(digits)]))


def read_numbers(written: str) -> tuple[bool, Ranges]:
    """Are all others meant, and the ranges that are listed, in order and apart."""
    if written == "[*]":
        return True, []
    found = re.fullmatch(r"\[(\^?)(\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)\]", written)
    if found is None:
        raise ValueError(f"{written!r} lists no tokens, expected numbers and ranges as in [1,5-9], [^1,5-9] or [*]")
    ranges: Ranges = []
    for part in found[2].split(","):
        low, _, high = part.partition("-")
        if len(low) > 7 or len(high) > 7 or not int(low) <= int(high or low) <= MAX_ID:
            raise ValueError(f"{written!r}: {part} is no range of token ids from 0 to {MAX_ID}")
        ranges.append((int(low), int(high or low)))
    joined: Ranges = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return bool(found[1]), joined


def _others(ranges: Ranges) -> Ranges:
    edges = [-1, *(edge for one in ranges for edge in one), MAX_ID + 1]
    return [(a + 1, b - 1) for a, b in zip(edges[::2], edges[1::2], strict=True) if a + 1 <= b - 1]


def _digits(expr_set: ExprSet, low: int, high: int, count: int) -> int:
    """The numbers from `low` to `high` in `count` digits to base 128."""
    if count == 1:
        return expr_set.byte_range(low, high)
    unit = 1 << 7 * (count - 1)
    ways = []
    first, last = low // unit, high // unit
    if low % unit and first < last:
        ways.append((first, first, low % unit, unit - 1))
        first, low = first + 1, (first + 1) * unit
    if (high + 1) % unit and first < last:
        ways.append((last, last, 0, high % unit))
        last, high = last - 1, last * unit - 1
    ways.append((first, last, low % unit, high % unit))
    return expr_set.union(
        [expr_set.concat([expr_set.byte_range(a, b), _digits(expr_set, x, y, count - 1)]) for a, b, x, y in ways]
    )


# ---------------------------------------------------------------- with a vocabulary


def is_number(required: str) -> bool:
    """Whether what a set requires is a list of numbers; else it is a name."""
    return required.startswith("[") and _is_well_formed(required)


def _is_well_formed(written: str) -> bool:
    try:
        read_numbers(written)
    except ValueError:
        return False
    return True


def check_required(expr_set: ExprSet, root: int, vocabulary: Tokens) -> None:
    """Refuses, by name, a token that the expression speaks of and that no text in this vocabulary can hold."""
    for required in expr_set.required():
        problem = _problem(required, vocabulary)
        if problem is None or not _is_used(expr_set, root, required):
            continue
        if problem.startswith("ends"):
            raise UnsupportedError(
                f"end token {required!r}", "inside a text", f"compile: token {required!r} {problem}, so nothing could follow it"
            )
        raise ConstrainError(f"compile: special token {required!r} {problem}")


def _problem(required: str, vocabulary: Tokens) -> str | None:
    if not is_number(required):
        token = vocabulary.special_tokens.get(required)
        if token is None:
            known = ", ".join(map(repr, list(vocabulary.special_tokens)[:12])) or "none"
            return f"is not in the vocabulary, known are {known}"
        if token in vocabulary.end_ids:
            return "ends a text in this vocabulary"
        return None if vocabulary.is_token(token) else f"has id {token}, which is kept out of masks"
    is_negated, ranges = read_numbers(required)
    if is_negated:
        ranges = _others(ranges)
    elif ranges[-1][1] >= vocabulary.size:
        return f"goes beyond the vocabulary, whose ids end at {vocabulary.size - 1}"
    elif any(low <= end <= high for end in vocabulary.end_ids for low, high in ranges):
        return "ends a text in this vocabulary"
    if not any(vocabulary.is_token(i) for low, high in ranges for i in range(low, min(high, vocabulary.size - 1) + 1)):
        return "is no token of the vocabulary: the ids are gaps, or kept out of masks"
    return None


def _is_used(expr_set: ExprSet, root: int, required: str) -> bool:
    """Whether some text of the expression holds the token; a set may note more than one of its expressions needs."""
    token = numbered(expr_set, required) if is_number(required) else named(expr_set, required)
    holds = expr_set.concat([expr_set.ANYTHING, token, expr_set.ANYTHING])
    return not expr_set.is_empty(expr_set.intersection([root, holds]))


# ---------------------------------------------------------------- in bytes


def pieces(data: bytes) -> Iterator[bytes | str | int]:
    """Text as bytes, special tokens as names and as ids; a spelling that is not whole ends it."""
    at = 0
    while at < len(data):
        text = text_before(data, at)
        if text:
            yield text
            at += len(text)
            continue
        found = _SPELLING.match(data, at)
        if found is None:
            return
        yield found[1].decode(errors="replace") if found[1] else _number(found[2])
        at = found.end()


def text_before(data: bytes, start: int = 0) -> bytes:
    """The text from `start` to the next special token."""
    ends = [end for mark in (b"\xfe", b"\xff") if (end := data.find(mark, start)) >= 0]
    return data[start : min(ends, default=len(data))]


def _number(digits: Sequence[int]) -> int:
    return digits[0] << 14 | digits[1] << 7 | digits[2]


def shown(data: bytes) -> str:
    """A text in which special tokens stand as their names, or as `<[id]>`."""
    return "".join(
        piece.decode() if isinstance(piece, bytes) else piece if isinstance(piece, str) else f"<[{piece}]>" for piece in pieces(data)
    )
