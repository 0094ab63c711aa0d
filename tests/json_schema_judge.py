"""The fuzzer's judge: python-jsonschema with numbers read as decimals, corrected where it is known to be wrong.

Beside it how values are spelt under each option, and which texts are beyond judging. Held by tests/test_json_schema_fuzz.py.
"""

from __future__ import annotations

import ipaddress
import json
import random
import re
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import jsonschema
from jsonschema.exceptions import ValidationError

import constrain


def exactly(text: str) -> Any:
    """JSON text as data, its fractions as decimals."""
    return json.loads(text, parse_float=Decimal)


def is_number(_: object, x: object) -> bool:
    return isinstance(x, (int, Decimal)) and not isinstance(x, bool)


def _is_integer(_: object, x: object) -> bool:
    return isinstance(x, int) and not isinstance(x, bool) or (isinstance(x, Decimal) and x == x.to_integral_value())


def _multiple_of(_: Any, divisor: Any, instance: Any, __: Any) -> Iterator[ValidationError]:
    if is_number(None, instance) and (Fraction(instance) / Fraction(divisor)).denominator != 1:
        yield ValidationError("multipleOf")


def key_of(value: Any) -> Any:
    """Equal exactly for equal JSON values: 1 is 1.0, and neither is true."""
    if isinstance(value, dict):
        return ("object", frozenset((k, key_of(v)) for k, v in value.items()))
    if isinstance(value, list):
        return ("array", tuple(map(key_of, value)))
    return ("number", Fraction(value)) if is_number(None, value) else (type(value).__name__, value)


def _unique(_: Any, wanted: Any, instance: Any, __: Any) -> Iterator[ValidationError]:
    if wanted and isinstance(instance, list) and len({key_of(v) for v in instance}) < len(instance):
        yield ValidationError("uniqueItems")


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    """ECMA's `$` is the end, not a last line's."""
    if isinstance(instance, str) and not re.search(pattern.replace("$", r"\Z"), instance):
        yield ValidationError("pattern")


def corrected(validator: Any) -> Any:
    """A validator class that reads numbers as decimals; schemas for it are read by `exactly`."""
    return jsonschema.validators.extend(
        validator,
        {"multipleOf": _multiple_of, "uniqueItems": _unique, "pattern": _pattern},
        type_checker=validator.TYPE_CHECKER.redefine_many({"number": is_number, "integer": _is_integer}),
    )


Exact = corrected(jsonschema.Draft202012Validator)

_formats = jsonschema.FormatChecker(formats=())


def _format(name: str, pattern: str, read: Callable[[str], object] = str) -> None:
    def holds(value: object) -> bool:
        if not isinstance(value, str):
            return True
        return re.fullmatch(pattern, value) is not None and read(value) is not None

    _formats.checks(name, ValueError)(holds)


_format("date", "[0-9]{4}-[0-9]{2}-[0-9]{2}", date.fromisoformat)
_format("ipv4", "[0-9.]+", ipaddress.IPv4Address)
_format("uuid", "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_format("json-pointer", "(/([^~/]|~[01])*)*")


def _without_dependencies(schema: Any) -> Any:
    """`dependencies`, which the judge does not know in this draft, as the two keywords that it was split into.

    `$schema` is left out, for behind a reference the judge would go back to its own reading of that draft.
    """
    if isinstance(schema, list):
        return [_without_dependencies(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    made = {k: v if k in ("enum", "const") else _without_dependencies(v) for k, v in schema.items() if k != "$schema"}
    old = made.pop("dependencies", None)
    if old is None or not isinstance(old, dict):
        return made
    made["allOf"] = list(made.get("allOf", []))
    for name, dependency in old.items():
        keyword = "dependentRequired" if isinstance(dependency, list) else "dependentSchemas"
        made["allOf"].append({keyword: {name: dependency}})
    return made


def judge_of(schema: Any, options: dict[str, Any]) -> Any:
    """The validator of one schema."""
    checker = None if options.get("formats") == "annotate" else _formats
    return Exact(exactly(json.dumps(_without_dependencies(schema))), format_checker=checker)


# Spelling.


class Pairs(list[tuple[str, Any]]):
    """An object whose keys may come twice."""


class Layout(NamedTuple):
    """Where white space stands; `indent` -1 is one line. With `r` it comes by chance."""

    comma: str = ", "
    colon: str = ": "
    indent: int = -1
    r: random.Random | None = None

    def around(self, mark: str) -> str:
        if self.r is None:
            return mark
        return self.r.choice(["", "", " ", "\n", "\t "]) + mark + self.r.choice(["", "", " ", "\r\n"])

    def line(self, depth: int) -> str:
        return "" if self.indent < 0 else "\n" + " " * (self.indent * depth)

    def separator(self, depth: int) -> str:
        return self.around(",") if self.r else self.comma + self.line(depth)


def layout_of(options: dict[str, Any]) -> Layout:
    space = options.get("whitespace", "flexible")
    if isinstance(space, int):
        return Layout(",", ": ", space)
    return Layout(",", ":") if space == "compact" else Layout()


def quoted(text: str, r: random.Random | None) -> str:
    """A string in its one spelling; with `r` some characters in another."""
    plain = json.dumps(text, ensure_ascii=False)
    if r is None or not text:
        return plain
    at = r.randrange(len(text))
    head, tail = (json.dumps(part, ensure_ascii=False) for part in (text[:at], text[at + 1 :]))
    return f'{head[:-1]}\\u{ord(text[at]):04x}{tail[1:]}' if ord(text[at]) < 0x10000 else plain


def spell(value: Any, layout: Layout, escapes: random.Random | None = None, depth: int = 1) -> str:
    """The text of a value."""
    if isinstance(value, str):
        return quoted(value, escapes)
    if isinstance(value, Decimal):
        return format(value, "f")
    if not isinstance(value, (dict, list)):
        return json.dumps(value)
    is_object = isinstance(value, (dict, Pairs))
    left, right = "{}" if is_object else "[]"
    if not value:
        return layout.around(left) + right if layout.r else left + right
    if is_object:
        members = value.items() if isinstance(value, dict) else value
        colon = layout.around(":") if layout.r else layout.colon
        parts = [quoted(k, escapes) + colon + spell(v, layout, escapes, depth + 1) for k, v in members]
    else:
        parts = [spell(v, layout, escapes, depth + 1) for v in value]
    inner = layout.separator(depth).join(parts)
    return layout.around(left) + layout.line(depth) + inner + layout.line(depth - 1) + layout.around(right)


def in_some_order(expr: constrain.Expr, value: Any, layout: Layout | None = None) -> bool:
    """Does the value match with its members in some order?"""
    return any(expr.set.nullable(state) for state in _states(expr.set, expr.root, value, layout or Layout(), 1))


def _advance(s: Any, state: int, text: str) -> list[int]:
    data = text.encode()
    after, n = s.advance(state, data)
    return [after] if n == len(data) else []


def _states(s: Any, state: int, value: Any, layout: Layout, depth: int) -> Iterator[int]:
    if isinstance(value, dict) and value:
        for opened in _advance(s, state, "{" + layout.line(depth)):
            yield from _members(s, opened, list(value.items()), True, layout, depth)
    elif isinstance(value, list) and value:
        states = _advance(s, state, "[" + layout.line(depth))
        for i, item in enumerate(value):
            before = [after for q in states for after in (_advance(s, q, layout.separator(depth)) if i else [q])]
            states = list(dict.fromkeys(after for q in before for after in _states(s, q, item, layout, depth + 1)))
        for q in states:
            yield from _advance(s, q, layout.line(depth - 1) + "]")
    else:
        yield from _advance(s, state, spell(value, layout))


def _members(s: Any, state: int, items: list[tuple[str, Any]], first: bool, layout: Layout, depth: int) -> Iterator[int]:
    if not items:
        yield from _advance(s, state, layout.line(depth - 1) + "}")
    for i, (key, value) in enumerate(items):
        head = ("" if first else layout.separator(depth)) + quoted(key, None) + layout.colon
        for q in _advance(s, state, head):
            for after in _states(s, q, value, layout, depth + 1):
                yield from _members(s, after, items[:i] + items[i + 1 :], False, layout, depth)


def has_key_twice(text: str) -> bool:
    found: list[bool] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found.append(len({k for k, _ in items}) < len(items))
        return dict(items)

    json.loads(text, object_pairs_hook=pairs)
    return any(found)


def is_beyond_judging(text: str) -> bool:
    """Does a number have an exponent that makes exact arithmetic endless?"""
    return re.search(r"[0-9][eE][+-]?[0-9]{3}", text) is not None


def has_exponent(text: str) -> bool:
    """Does a number have an exponent? Such are offered only where nothing restricts the number."""
    return re.search(r"[0-9][eE]", text) is not None
