r"""Tokens that a constraint speaks of themselves, not by their text: special tokens by name, any tokens by number.

No text may ever spell such a token, so an expression holds it as bytes that no UTF-8 text has: 0xFE, the name, 0xFE; or 0xFF,
the numbers as they are listed, 0xFF. The set of the expression remembers what it asks of a vocabulary (`require`).
`Vocabulary.trie_with` is the prefix tree in which tokens have these spellings beside their bytes, and in which no token
has these bytes as text; constraints without such tokens never see it. Held by tests/test_special_tokens.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from .errors import ConstrainError, UnsupportedError

if TYPE_CHECKING:
    from ._native import ExprSet

__all__ = ["Tokens", "check_required", "node_of", "pieces", "shown", "spell", "text_before", "tokens_of"]

MAX_ID = (1 << 31) - 1
_ANY_BUT = re.compile(r"\[\^(<[^\]]+>)\]")
_SPELLING = re.compile(rb"\xfe([^\xfe]+)\xfe|\xff([^\xff]+)\xff")
Ranges = list[tuple[int, int]]


class Tokens(Protocol):
    """What has to be known of a `Vocabulary`."""

    size: int
    end_ids: list[int]
    special_tokens: Mapping[str, int]

    def is_token(self, i: int) -> bool: ...


def spell(required: str) -> bytes:
    """The bytes that stand for a special token by its name, or for one of the tokens that are listed."""
    mark = b"\xff" if is_number(required) else b"\xfe"
    return mark + required.encode() + mark


def node_of(expr_set: ExprSet, required: str) -> int:
    """A special token by its name, or one token out of a list (`[1,5-9]`, `[^1,5-9]`, `[^<name>]`, `[*]`), as a node.

    ValueError where a list is not well-formed.
    """
    if required.startswith("[") and not _ANY_BUT.fullmatch(required):
        read_numbers(required)
    expr_set.require(required)
    return expr_set.lexeme(expr_set.literal(spell(required)))


def is_number(required: str) -> bool:
    """Whether tokens are listed by number; else one is named."""
    return required.startswith("[")


def read_numbers(written: str) -> tuple[bool, Ranges]:
    """Are all others meant, and the ranges that are listed."""
    if written == "[*]":
        return True, []
    found = re.fullmatch(r"\[(\^?)([0-9]+(?:-[0-9]+)?(?:,[0-9]+(?:-[0-9]+)?)*)\]", written)
    if found is None:
        raise ValueError(f"{written!r} lists no tokens, expected numbers and ranges as in [1,5-9], [^1,5-9] or [*]")
    ranges: Ranges = []
    for part in found[2].split(","):
        low, _, high = part.partition("-")
        if max(len(low), len(high)) > 9 or int(low) > int(high or low):
            raise ValueError(f"{written!r}: {part} is no range of token ids")
        ranges.append((int(low), int(high or low)))
    return bool(found[1]), ranges


# ---------------------------------------------------------------- with a vocabulary


def tokens_of(required: str, vocabulary: Tokens) -> list[int]:
    """The tokens that are meant, in order; those that end a text or are kept out of masks are never."""
    if not is_number(required):
        token = vocabulary.special_tokens.get(required)
        return [token] if token is not None and vocabulary.is_token(token) else []
    if name := _ANY_BUT.fullmatch(required):
        return [i for i in range(vocabulary.size) if i != vocabulary.special_tokens.get(name[1]) and vocabulary.is_token(i)]
    is_negated, ranges = read_numbers(required)
    size = vocabulary.size
    listed = {i for low, high in ranges for i in range(low, min(high, size - 1) + 1)}
    return [i for i in (range(size) if is_negated else sorted(listed)) if (i in listed) != is_negated and vocabulary.is_token(i)]


def check_required(expr_set: ExprSet, root: int, vocabulary: Tokens) -> None:
    """Refuses, by name, a token that the expression speaks of and that no text in this vocabulary can hold."""
    for required in expr_set.required():
        problem = _problem(required, vocabulary)
        if problem is None or not _is_used(expr_set, root, required):
            continue
        message = f"compile: special token {required!r} {problem}"
        if problem.startswith("ends"):
            raise UnsupportedError(f"end token {required!r}", "inside a text", f"{message}, so nothing could follow it")
        raise ConstrainError(message)


def _problem(required: str, vocabulary: Tokens) -> str | None:
    if name := _ANY_BUT.fullmatch(required):
        return None if name[1] in vocabulary.special_tokens else f"names {name[1]}, which is not in the vocabulary"
    if is_number(required):
        is_negated, ranges = read_numbers(required)
        if not is_negated and max(high for _, high in ranges) >= vocabulary.size:
            return f"goes beyond the vocabulary, whose ids end at {vocabulary.size - 1}"
        if not is_negated and any(low <= end <= high for end in vocabulary.end_ids for low, high in ranges):
            return "ends a text in this vocabulary"
        return None if tokens_of(required, vocabulary) else "is no token of the vocabulary: the ids are gaps, or kept out of masks"
    token = vocabulary.special_tokens.get(required)
    if token is None:
        known = ", ".join(map(repr, list(vocabulary.special_tokens)[:12])) or "none"
        return f"is not in the vocabulary, known are {known}"
    if token in vocabulary.end_ids:
        return "ends a text in this vocabulary"
    return None if vocabulary.is_token(token) else f"has id {token}, which is kept out of masks"


def _is_used(expr_set: ExprSet, root: int, required: str) -> bool:
    """Whether some text of the expression holds the token; a set may note more than one of its expressions needs."""
    holds = expr_set.concat([expr_set.ANYTHING, node_of(expr_set, required), expr_set.ANYTHING])
    return not expr_set.is_empty(expr_set.intersection([root, holds]))


# ---------------------------------------------------------------- in bytes


def pieces(data: bytes) -> Iterator[bytes | str]:
    """Text as bytes, and between it what is required as a str; a spelling that is not whole ends it."""
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
        yield (found[1] or found[2]).decode(errors="replace")
        at = found.end()


def text_before(data: bytes, start: int = 0) -> bytes:
    """The text from `start` to the next special token."""
    ends = [end for mark in (b"\xfe", b"\xff") if (end := data.find(mark, start)) >= 0]
    return data[start : min(ends, default=len(data))]


def shown(data: bytes) -> str:
    """A text in which special tokens stand as they are written in a grammar."""
    return "".join(
        piece.decode() if isinstance(piece, bytes) else f"<{piece}>" if is_number(piece) else piece for piece in pieces(data)
    )
