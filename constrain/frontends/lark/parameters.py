"""Rules with a number: `name::_`, what is passed on behind `::`, and conditions behind `%if`.

The number has 64 bits, and each number that the start rule leads to makes a rule of its own (reader.py), so a grammar with
parameters is an ordinary one, only larger. Source: llguidance, docs/parametric.md. Held by tests/test_lark_cases.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

__all__ = ["holds", "passed_number"]

_ALL = (1 << 64) - 1
_TOKEN = re.compile(r"\s*(\[\s*\d+\s*:\s*\d+\s*\]|0x[0-9a-fA-F]+|\d+|_(?![_a-z0-9])|[a-z_]+|[(),])")

_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "eq": int.__eq__, "ne": int.__ne__, "lt": int.__lt__, "le": int.__le__, "gt": int.__gt__, "ge": int.__ge__,
}  # fmt: skip

Call = tuple[str, tuple[Any, ...]]  # a name and its arguments: numbers, ranges of bits, calls


def passed_number(text: str, number: int | None) -> int:
    """The number that `text` passes on where the rule's own is `number`; ValueError says what is wrong."""
    value = _parse(text)
    if isinstance(value, int):
        return _checked(value)
    if number is None:
        raise ValueError(f"{text!r} needs the number of a rule with '::_', and this one has none")
    if value == (0, 64):
        return number
    name, args = value if isinstance(value[0], str) else ("", ())
    if name in ("set_bit", "clear_bit"):
        bit = 1 << _bit(name, args)
        return number | bit if name == "set_bit" else number & ~bit
    if name in ("bit_and", "bit_or"):
        (mask,) = _arguments(name, args, int)
        return number & _checked(mask) if name == "bit_and" else number | _checked(mask)
    if name in ("incr", "decr"):
        (bits,) = _arguments(name, args, tuple)
        least, most = 0, (1 << bits[1] - bits[0]) - 1
        now = _part(number, bits)
        step = (now < most) if name == "incr" else -(now > least)
        return number + (step << bits[0])
    raise ValueError(f"{text!r} is not known, expected a number, _, set_bit, clear_bit, bit_and, bit_or, incr or decr")


def holds(text: str, number: int) -> bool:
    """Does the condition hold for the number? ValueError says what is wrong with it."""
    return _holds(_parse(text), number)


def _holds(condition: Any, number: int) -> bool:
    if not (isinstance(condition, tuple) and isinstance(condition[0], str)):
        raise ValueError("a condition is a call, such as bit_clear(0)")
    name, args = condition
    if name == "true" and not args:
        return True
    if name in ("bit_set", "bit_clear"):
        return bool(number >> _bit(name, args) & 1) == (name == "bit_set")
    if name in ("is_ones", "is_zeros"):
        (bits,) = _arguments(name, args, tuple)
        return _part(number, bits) == ((1 << bits[1] - bits[0]) - 1 if name == "is_ones" else 0)
    if name in _COMPARISONS:
        bits, value = _arguments(name, args, tuple, int)
        return _COMPARISONS[name](_part(number, bits), value)
    if name.startswith("bit_count_") and name[10:] in _COMPARISONS:
        bits, value = _arguments(name, args, tuple, int)
        return _COMPARISONS[name[10:]](_part(number, bits).bit_count(), value)
    if name in ("and", "or"):
        left, right = (_holds(part, number) for part in _arguments(name, args, tuple, tuple))
        return left and right if name == "and" else left or right
    if name == "not":
        (inner,) = _arguments(name, args, tuple)
        return not _holds(inner, number)
    raise ValueError(
        f"condition {name!r} is not known, expected true, bit_set, bit_clear, is_ones, is_zeros, eq, ne, lt, le, gt, ge, "
        "bit_count_eq (and so on), and, or, not"
    )


# ---------------------------------------------------------------------------------------------- reading


def _parse(text: str) -> Any:
    tokens, at = [], 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"{text.strip()!r} is not well-formed at {text[at : at + 8]!r}")
        tokens.append(found[1])
        at = found.end()
    value, end = _parse_at(tokens, 0, text)
    if end != len(tokens):
        raise ValueError(f"{text.strip()!r} goes on with {tokens[end]!r} behind its end")
    return value


def _parse_at(tokens: list[str], at: int, text: str) -> tuple[Any, int]:
    token = tokens[at] if at < len(tokens) else ")"
    if token[0].isdigit():
        return int(token, 0) if token.startswith("0x") else int(token), at + 1
    if token == "_":
        return (0, 64), at + 1
    if token[0] == "[":
        low, high = map(int, token[1:-1].split(":"))
        if not 0 <= low < high <= 64:
            raise ValueError(f"bits {token} are no range within [0:64]")
        return (low, high), at + 1
    if token in "(),":
        raise ValueError(f"{text.strip()!r} is not well-formed")
    args: list[Any] = []
    at += 1
    if at < len(tokens) and tokens[at] == "(":
        at += 1
        while at < len(tokens) and tokens[at] != ")":
            value, at = _parse_at(tokens, at, text)
            args.append(value)
            if at < len(tokens) and tokens[at] == ",":
                at += 1
        if at >= len(tokens):
            raise ValueError(f"{text.strip()!r} lacks a ')'")
        at += 1
    return (token, tuple(args)), at


def _arguments(name: str, args: tuple[Any, ...], *kinds: type) -> tuple[Any, ...]:
    if len(args) != len(kinds) or not all(isinstance(a, k) for a, k in zip(args, kinds, strict=False)):
        raise ValueError(f"{name!r} takes {' and '.join('a number' if k is int else 'bits or a condition' for k in kinds)}")
    if name not in ("and", "or", "not") and any(isinstance(a, tuple) and isinstance(a[0], str) for a in args):
        raise ValueError(f"{name!r} takes bits, such as [0:3] or _, not a condition")
    return args


def _bit(name: str, args: tuple[Any, ...]) -> int:
    (bit,) = _arguments(name, args, int)
    if bit > 63:
        raise ValueError(f"{name}({bit}): bits are numbered from 0 to 63")
    return int(bit)


def _part(number: int, bits: tuple[int, int]) -> int:
    return number >> bits[0] & (1 << bits[1] - bits[0]) - 1


def _checked(value: int) -> int:
    if not 0 <= value <= _ALL:
        raise ValueError(f"{value} has more than 64 bits")
    return value
