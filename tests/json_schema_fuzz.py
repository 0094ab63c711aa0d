"""Random schemas over the whole vocabulary of draft 2020-12, texts near them, and python-jsonschema as the judge.

    python -m tests.json_schema_fuzz FIRST_SEED COUNT

Each schema comes with random options. Texts: values drawn near the schema, samples of the expression, and changed
samples. Verdicts must be equal, up to the documented narrowings: the order of members (what was rejected is tried again in
every order), one spelling of each string, and numbers with exponents. No accepted text has a key twice. The judge reads
numbers as decimals; where it is known to be wrong it is corrected here, see `Exact`. Failures are shrunk.
"""

from __future__ import annotations

import copy
import ipaddress
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import jsonschema
from jsonschema.exceptions import ValidationError

import constrain

NAMES = ["a", "b", "c", "dd"]
OTHER_NAMES = ["", "e", "ab", "ca", "x1", "é", 'q"']
PATTERNS = ["^a", "b", "a", "^[ab]+", "1", "^[^x][^x]", "^a$", "^(a|b1)*$", "[^a]$", "^[^b]{1,2}$"]
KEY_PATTERNS = ["^a", "b", "d", "c|d", "^[^~]?[^~]?[a-c]", "^[^a]"]
FORMATS = {
    "date": ["2024-02-29", "2023-02-29", "1999-12-31", "2024-13-01"],
    "ipv4": ["127.0.0.1", "256.1.1.1", "1.2.3", "01.2.3.4"],
    "uuid": ["2eb8aa08-AA98-11ea-B4aa-73b441d16380", "2eb8aa08aa9811eab4aa73b441d16380"],
    "json-pointer": ["", "/a~0b", "a", "/a~2"],
}
LEAVES: list[Any] = [True, False, {}, {"type": "integer"}, {"type": "string"}, {"type": ["null", "boolean"]}]
TYPES: list[Any] = ["string", "number", "integer", "object", "array", "null", "boolean", ["string", "object"], ["integer", "array"]]
NUMBERS: list[Any] = [0.5, 1.5, 2.0, -1.0, 3.25, 10.0, 0.1, 0.3, 1.2, 0.75, -0.0]


def random_value(r: random.Random, depth: int = 0) -> Any:
    kind = r.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return None
    if kind == 1:
        return r.choice([True, False])
    if kind == 2:
        return r.randrange(-3, 12)
    if kind == 3:
        return r.choice(NUMBERS)
    if kind in (4, 5):
        return "".join(r.choice('ab1é"') for _ in range(r.randrange(4)))
    if kind == 6:
        return [random_value(r, depth + 1) for _ in range(r.randrange(4))]
    return {n: random_value(r, depth + 1) for n in NAMES if r.random() < 0.5}


# Schemas.


class Schemas:
    """Draws one schema."""

    def __init__(self, r: random.Random) -> None:
        self.r = r
        self.references = ["#/$defs/x", "#/$defs/y", "#here", "#"]
        self.may_be_negated = False  # where `uniqueItems` would be refused

    def draw(self, depth: int = 0) -> Any:
        r = self.r
        if depth > 3 or r.random() < 0.1:
            return copy.deepcopy(r.choice(LEAVES))
        schema: dict[str, Any] = {}
        kinds: list[Callable[[dict[str, Any], int], None]] = [
            self.type, self.string, self.number, self.object, self.object, self.array, self.values, self.combined, self.combined,
            self.condition, self.dependent, self.reference, self.contains, self.patterns, self.names, self.counts,
            self.unevaluated, self.unique, self.format,
        ]  # fmt: skip
        for kind in r.sample(kinds, r.choice([1, 1, 2, 2, 3])):
            kind(schema, depth)
        return schema

    def document(self) -> Any:
        if self.r.random() < 0.06:
            return self.dynamic()
        schema = self.focused() if self.r.random() < 0.3 else self.draw()
        if isinstance(schema, dict):
            schema["$defs"] = {"x": self.draw(2), "y": self.draw(2)}
            anchored = self.draw(2)
            schema["$defs"]["z"] = {"$anchor": "here", **(anchored if isinstance(anchored, dict) else {})}
            self.some(schema, 0.1, "$schema", lambda: "https://json-schema.org/draft/2020-12/schema")
        return schema

    def some(self, schema: dict[str, Any], chance: float, keyword: str, value: Callable[[], Any]) -> None:
        if self.r.random() < chance:
            schema[keyword] = value()

    def negatable(self, depth: int) -> Any:
        """A schema that may come to stand under a negation."""
        before, self.may_be_negated = self.may_be_negated, self.r.random() < 0.98
        made = self.draw(depth)
        self.may_be_negated = before
        return made

    def type(self, s: dict[str, Any], depth: int) -> None:
        s["type"] = self.r.choice(TYPES)

    def string(self, s: dict[str, Any], depth: int) -> None:
        self.some(s, 0.5, "minLength", lambda: self.r.randrange(3))
        self.some(s, 0.5, "maxLength", lambda: self.r.randrange(4))
        self.some(s, 0.4, "pattern", lambda: self.r.choice(PATTERNS))

    def format(self, s: dict[str, Any], depth: int) -> None:
        s["format"] = self.r.choice([*FORMATS])
        self.some(s, 0.6, "type", lambda: "string")

    def number(self, s: dict[str, Any], depth: int) -> None:
        self.some(s, 0.5, self.r.choice(["minimum", "exclusiveMinimum"]), lambda: self.r.choice([-2, 0, 1, 2.5, 3, 0.1]))
        self.some(s, 0.5, self.r.choice(["maximum", "exclusiveMaximum"]), lambda: self.r.choice([-1, 0, 3, 2.5, 9, 0.3]))
        self.some(s, 0.4, "multipleOf", lambda: self.r.choice([1, 2, 3, 0.5, 1.5, 4, 0.1, 0.25, 0.3, 1.2]))

    def object(self, s: dict[str, Any], depth: int) -> None:
        self.some(s, 0.8, "properties", lambda: {n: self.draw(depth + 1) for n in NAMES if self.r.random() < 0.5})
        self.some(s, 0.5, "required", lambda: self.r.sample(NAMES, self.r.randrange(3)))
        self.some(s, 0.4, "additionalProperties", lambda: self.r.choice([False, True, self.draw(depth + 1)]))

    def patterns(self, s: dict[str, Any], depth: int) -> None:
        s["patternProperties"] = {p: self.draw(depth + 1) for p in self.r.sample(KEY_PATTERNS, self.r.randrange(1, 4))}

    def names(self, s: dict[str, Any], depth: int) -> None:
        fixed: list[Any] = [{"pattern": "^[a-c]"}, {"maxLength": 1}, {"enum": ["a", "b", "zz"]}, {"pattern": "^[ab]?$"}]
        s["propertyNames"] = self.r.choice([*fixed, self.draw(depth + 1)])

    def counts(self, s: dict[str, Any], depth: int) -> None:
        self.some(s, 0.6, "minProperties", lambda: self.r.randrange(3))
        self.some(s, 0.6, "maxProperties", lambda: self.r.randrange(4))

    def array(self, s: dict[str, Any], depth: int) -> None:
        self.some(s, 0.5, "items", lambda: self.draw(depth + 1))
        self.some(s, 0.3, "prefixItems", lambda: [self.draw(depth + 1) for _ in range(self.r.randrange(1, 3))])
        self.some(s, 0.4, "minItems", lambda: self.r.randrange(3))
        self.some(s, 0.4, "maxItems", lambda: self.r.randrange(4))

    def contains(self, s: dict[str, Any], depth: int) -> None:
        s["contains"] = self.negatable(depth + 1)
        self.some(s, 0.3, "minContains", lambda: self.r.randrange(3))
        self.some(s, 0.3, "maxContains", lambda: self.r.randrange(3))

    def scalars(self) -> Any:
        """A schema of scalars: what `uniqueItems` is carried out over."""
        r = self.r
        fixed: list[Any] = [{"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": ["boolean", "null"]}, {"type": ["string", "integer"]}]
        choices: list[Any] = [
            *fixed, {"enum": r.sample([1, 1.0, 2, True, False, None, "a", "b", "1", 0, 0.5], 3)}, {"type": "string", "pattern": r.choice(PATTERNS)},
            {"type": "integer", "minimum": 0, "maximum": r.randrange(4)}, {"type": "number", "minimum": 0, "maximum": 1, "multipleOf": 0.5},
            {"type": "string", "maxLength": 1}, {"type": "boolean"},
        ]  # fmt: skip
        first = r.choice(choices)
        if r.random() < 0.75:
            return first
        keyword = r.choice(["anyOf", "anyOf", "allOf", "not"])
        return {**first, "not": r.choice(choices)} if keyword == "not" else {keyword: [first, r.choice(choices)]}

    def unique(self, s: dict[str, Any], depth: int) -> None:
        if self.may_be_negated:
            return self.array(s, depth)
        s.update({"type": "array", "uniqueItems": self.r.random() < 0.95, "items": self.scalars()})
        for keyword in ("prefixItems", "contains"):
            s.pop(keyword, None)
        self.some(s, 0.2, "prefixItems", lambda: [self.scalars() for _ in range(self.r.randrange(1, 3))])
        self.some(s, 0.4, "minItems", lambda: self.r.randrange(4))

    def values(self, s: dict[str, Any], depth: int) -> None:
        if self.r.random() < 0.5:
            s["enum"] = [random_value(self.r) for _ in range(self.r.randrange(1, 4))]
        else:
            s["const"] = random_value(self.r)

    def combined(self, s: dict[str, Any], depth: int) -> None:
        keyword = self.r.choice(["allOf", "anyOf", "oneOf", "not"])
        draw = self.negatable if keyword in ("oneOf", "not") else self.draw
        s[keyword] = draw(depth + 1) if keyword == "not" else [draw(depth + 1) for _ in range(self.r.randrange(1, 4))]

    def condition(self, s: dict[str, Any], depth: int) -> None:
        s["if"] = self.negatable(depth + 1)
        self.some(s, 0.8, "then", lambda: self.draw(depth + 1))
        self.some(s, 0.8, "else", lambda: self.draw(depth + 1))

    def dependent(self, s: dict[str, Any], depth: int) -> None:
        kind, name = self.r.randrange(4), self.r.choice(NAMES)
        if kind == 0:
            s["dependencies"] = {name: self.r.choice([self.r.sample(NAMES, self.r.randrange(3)), self.draw(depth + 1)])}
        elif kind == 1:
            s["dependentRequired"] = {name: self.r.sample(NAMES, self.r.randrange(3))}
        else:
            s["dependentSchemas"] = {name: self.draw(depth + 1)}

    def reference(self, s: dict[str, Any], depth: int) -> None:
        if depth:
            s["$ref"] = self.r.choice(self.references)

    def unevaluated(self, s: dict[str, Any], depth: int) -> None:
        """With something beside it that evaluates."""
        beside = [self.combined, self.condition, self.dependent, self.reference]
        if self.r.random() < 0.6:
            s["unevaluatedProperties"] = self.r.choice([False, False, self.draw(depth + 2)])
            beside += [self.object, self.object, self.patterns]
        else:
            s["unevaluatedItems"] = self.r.choice([False, False, self.draw(depth + 2)])
            beside += [self.array, self.array, self.contains]
        for kind in self.r.sample(beside, 2):
            kind(s, depth)

    def leaf(self) -> Any:
        r = self.r
        small: list[Any] = [True, True, {"type": "integer"}, {"const": 1}, {"enum": [1, "a"]}, {"type": "string", "maxLength": 2}, {"minimum": 1}]
        return copy.deepcopy(r.choice(small))

    def some_members(self) -> dict[str, Any]:
        """Few properties, some of them required: what a branch of an `anyOf` mostly is."""
        names = self.r.sample(NAMES, self.r.randrange(1, 3))
        made: dict[str, Any] = {"properties": {n: self.leaf() for n in names}}
        self.some(made, 0.5, "required", lambda: names[:1])
        self.some(made, 0.15, "patternProperties", lambda: {self.r.choice(KEY_PATTERNS): self.leaf()})
        self.some(made, 0.1, "unevaluatedProperties", self.leaf)
        return made

    def some_items(self) -> dict[str, Any]:
        r = self.r
        made: dict[str, Any] = {"prefixItems": [self.leaf() for _ in range(r.randrange(1, 3))]} if r.random() < 0.7 else {"contains": self.leaf()}
        self.some(made, 0.3, "minItems", lambda: r.randrange(3))
        self.some(made, 0.1, "unevaluatedItems", self.leaf)
        return made

    def focused(self) -> dict[str, Any]:
        """Satisfiable by many values that are near to each other, so that every keyword of it decides some of them."""
        return self.r.choice([self.evaluating, self.evaluating, self.few_names, self.distinct])()

    def evaluating(self) -> dict[str, Any]:
        r = self.r
        over_keys = r.random() < 0.6
        part = self.some_members if over_keys else self.some_items
        made: dict[str, Any] = part() if r.random() < 0.5 else {}
        self.some(made, 0.7, "type", lambda: "object" if over_keys else "array")
        for keyword in r.sample(["anyOf", "oneOf", "allOf", "if", "not", "dependentSchemas", "$ref"], r.randrange(1, 3)):
            if keyword in ("anyOf", "oneOf", "allOf"):
                made[keyword] = [part() for _ in range(r.randrange(1, 4))]
            elif keyword == "if":
                made["if"] = part()
                self.some(made, 0.7, "then", part)
                self.some(made, 0.7, "else", part)
            elif keyword == "dependentSchemas":
                made[keyword] = {r.choice(NAMES): part()}
            else:
                made[keyword] = "#/$defs/x" if keyword == "$ref" else {**part(), "unevaluatedProperties" if over_keys else "unevaluatedItems": self.leaf()}
        made["unevaluatedProperties" if over_keys else "unevaluatedItems"] = r.choice([False, False, self.leaf()])
        self.some(made, 0.2, "minProperties" if over_keys else "minItems", lambda: r.randrange(1, 3))
        return made if r.random() < 0.8 else {"type": "object" if over_keys else "array", "not": made}

    def few_names(self) -> dict[str, Any]:
        r = self.r
        names: list[Any] = [{"enum": ["a", "b", "zz"]}, {"pattern": "^[ab]?$"}, {"pattern": "^[a-c]$"}, {"enum": NAMES}, {"maxLength": 1}]
        made: dict[str, Any] = {"type": "object", "propertyNames": r.choice(names)}
        self.some(made, 0.5, "propertyNames", lambda: {"not": r.choice(names)})
        self.some(made, 0.7, "properties", lambda: {n: self.leaf() for n in r.sample(NAMES, 2)})
        self.some(made, 0.4, "patternProperties", lambda: {p: self.leaf() for p in r.sample(KEY_PATTERNS, 2)})
        self.some(made, 0.4, "additionalProperties", lambda: r.choice([False, self.leaf(), {"type": "null"}]))
        self.some(made, 0.3, "required", lambda: r.sample(NAMES, 1))
        self.some(made, 0.6, "minProperties", lambda: r.randrange(4))
        self.some(made, 0.5, "maxProperties", lambda: r.randrange(1, 4))
        self.some(made, 0.3, "not", lambda: {"required": r.sample(NAMES, 1)})
        self.some(made, 0.3, "not", self.some_members)
        self.some(made, 0.3, "dependentRequired", lambda: {r.choice(NAMES): r.sample(NAMES, 1)})
        return made

    def distinct(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        self.unique(made, 0)
        self.some(made, 0.4, "maxItems", lambda: self.r.randrange(1, 5))
        self.some(made, 0.2, "anyOf", lambda: [{"items": self.scalars()}, {"minItems": 2}])
        return made

    def dynamic(self) -> dict[str, Any]:
        """A small document of resources with a `$dynamicRef` between them."""
        self.references, r = ["#/$defs/x"], self.r
        x, inner, outer = self.draw(3), self.draw(2), self.draw(2)
        as_dict = [s if isinstance(s, dict) else {} for s in (inner, outer)]
        if r.random() < 0.5:
            base = {"$dynamicAnchor": "T", **as_dict[0]}
            listed = {"$id": "list", "type": "array", "items": {"$dynamicRef": "#T"}, "$defs": {"base": base, "x": x}}
            own = {"$dynamicAnchor": "T", **as_dict[1]}
            return {"$id": "https://example.test/root", "$ref": "list", "$defs": {"own": own, "list": listed, "x": x}}
        node = {"a": inner, "b": {"type": "array", "items": {"$dynamicRef": "#node"}}}
        tree = {"$id": "tree", "$dynamicAnchor": "node", "type": "object", "properties": node, "$defs": {"x": x}}
        strict = {"unevaluatedProperties": False} if r.random() < 0.6 else {"maxProperties": 1}
        return {"$id": "https://example.test/strict", "$dynamicAnchor": "node", "$ref": "tree", **strict, "$defs": {"tree": tree, "x": x}}


def random_options(r: random.Random) -> dict[str, Any]:
    """Options of the front-end, mostly its defaults."""
    options: dict[str, Any] = {}
    if r.random() < 0.55:
        options["property_order"] = r.choice(["any", "any", r.sample(NAMES, 3)])
    if r.random() < 0.4:
        options["whitespace"] = r.choice(["compact", "spaced", 0, 1, 2])
    if r.random() < 0.2:
        options["escapes"] = "any"
    if r.random() < 0.2:
        options["formats"] = "annotate"
    return options


# The judge.


def exactly(text: str) -> Any:
    """JSON text as data, its fractions as decimals."""
    return json.loads(text, parse_float=Decimal)


def _is_number(_: object, x: object) -> bool:
    return isinstance(x, (int, Decimal)) and not isinstance(x, bool)


def _is_integer(_: object, x: object) -> bool:
    return isinstance(x, int) and not isinstance(x, bool) or (isinstance(x, Decimal) and x == x.to_integral_value())


def _multiple_of(_: Any, divisor: Any, instance: Any, __: Any) -> Iterator[ValidationError]:
    if _is_number(None, instance) and (Fraction(instance) / Fraction(divisor)).denominator != 1:
        yield ValidationError("multipleOf")


def key_of(value: Any) -> Any:
    """Equal exactly for equal JSON values: 1 is 1.0, and neither is true."""
    if isinstance(value, dict):
        return ("object", frozenset((k, key_of(v)) for k, v in value.items()))
    if isinstance(value, list):
        return ("array", tuple(map(key_of, value)))
    return ("number", Fraction(value)) if _is_number(None, value) else (type(value).__name__, value)


def _unique(_: Any, wanted: Any, instance: Any, __: Any) -> Iterator[ValidationError]:
    if wanted and isinstance(instance, list) and len({key_of(v) for v in instance}) < len(instance):
        yield ValidationError("uniqueItems")


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    """ECMA's `$` is the end, not a last line's."""
    if isinstance(instance, str) and not re.search(pattern.replace("$", r"\Z"), instance):
        yield ValidationError("pattern")


Exact = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    {"multipleOf": _multiple_of, "uniqueItems": _unique, "pattern": _pattern},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many({"number": _is_number, "integer": _is_integer}),
)

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


# Values near a schema, and near a value.


class Values:
    """Draws values."""

    def __init__(self, r: random.Random, schema: Any) -> None:
        self.r = r
        self.root = schema

    def near(self, schema: Any, depth: int = 0) -> Any:
        """A value that some of the schema's keywords ask for."""
        r = self.r
        if not isinstance(schema, dict) or depth > 5 or r.random() < 0.15:
            return random_value(r, min(depth, 3))
        below = [s for k in ("allOf", "anyOf", "oneOf") for s in schema.get(k, ())]
        below += [schema[k] for k in ("if", "then", "else") if k in schema]
        below += [s for s in schema.get("dependentSchemas", {}).values()]
        below += [self.root["$defs"][schema["$ref"][-1]] for _ in [0] if schema.get("$ref", "")[:8] == "#/$defs/" and "$defs" in self.root]
        if below and r.random() < 0.4:
            return self.near(r.choice(below), depth + 1)
        if "const" in schema:
            return copy.deepcopy(schema["const"])
        if schema.get("enum"):
            return copy.deepcopy(r.choice(schema["enum"]))
        if "format" in schema:
            return r.choice(FORMATS[schema["format"]])
        made = self._object(schema, depth) if self._speaks_of_objects(schema) else self._array(schema, depth)
        return random_value(r) if made is None else made

    def _speaks_of_objects(self, s: dict[str, Any]) -> bool:
        return any(k in s for k in ("properties", "required", "patternProperties", "unevaluatedProperties", "dependentRequired", "minProperties"))

    def _object(self, s: dict[str, Any], depth: int) -> Any:
        names = {*s.get("required", ()), *(n for n in s.get("properties", ()) if self.r.random() < 0.7)}
        if self.r.random() < 0.4:
            names.add(self.r.choice([*NAMES, *OTHER_NAMES]))
        inner = s.get("properties", {})
        others = [*s.get("patternProperties", {}).values(), s.get("additionalProperties", True)]
        return {n: self.near(inner.get(n, self.r.choice(others)), depth + 1) for n in sorted(names)}

    def _array(self, s: dict[str, Any], depth: int) -> Any:
        if not any(k in s for k in ("items", "prefixItems", "contains", "unevaluatedItems", "minItems")):
            return None
        found = [self.near(p, depth + 1) for p in s.get("prefixItems", ())]
        rest = [s[k] for k in ("items", "contains", "unevaluatedItems") if k in s] or [True]
        found += [self.near(self.r.choice(rest), depth + 1) for _ in range(self.r.randrange(3))]
        if found and self.r.random() < 0.2:
            found.append(copy.deepcopy(self.r.choice(found)))
        return found

    def changed(self, value: Any) -> Any:
        """The value with one place changed."""
        r = self.r
        if isinstance(value, dict) and value and r.random() < 0.6:
            name = r.choice([*value])
            return {k: self.changed(v) if k == name else v for k, v in value.items()}
        if isinstance(value, list) and value and r.random() < 0.6:
            at = r.randrange(len(value))
            return [*value[:at], self.changed(value[at]), *value[at + 1 :]]
        if r.random() < 0.2:
            return random_value(r)
        if isinstance(value, dict):
            return self._other_members(value)
        if isinstance(value, list):
            return self._other_items(value)
        if isinstance(value, str):
            at = r.randrange(len(value) + 1)
            return r.choice([value[:at] + r.choice("ab1-é") + value[at:], value[:at] + value[at + 1 :], value[:-1] + "0"])
        if _is_number(None, value):
            if not -(10**12) < value < 10**12 or len(str(value)) > 20:
                return 7
            return r.choice([value + 1, -value, value - 1, value * 10, value + Decimal("0.5"), Decimal(value) + Decimal("0.1")])
        return r.choice([None, True, False, 0, ""])

    def _other_members(self, value: dict[str, Any]) -> Any:
        r, items = self.r, list(value.items())
        if not items or r.random() < 0.25:
            return {**value, r.choice([*NAMES, *OTHER_NAMES]): random_value(r, 2)}
        at = r.randrange(len(items))
        key, member = items[at]
        kind = r.randrange(4)
        if kind == 0:
            return dict(items[:at] + items[at + 1 :])
        if kind == 1:
            return dict([*items[:at], (r.choice([*NAMES, *OTHER_NAMES]), member), *items[at + 1 :]])
        if kind == 2:
            return Pairs([*items, (key, r.choice([member, random_value(r, 2)]))])
        return dict(r.sample(items, len(items)))

    def _other_items(self, value: list[Any]) -> list[Any]:
        r = self.r
        kind = r.randrange(4) if value else 0
        if kind == 0:
            return [*value, random_value(r, 2)]
        if kind == 1:
            return value[: r.randrange(len(value))]
        return r.sample(value, len(value)) if kind == 2 else [*value, copy.deepcopy(r.choice(value))]


def has_pairs(value: Any) -> bool:
    if isinstance(value, Pairs):
        return True
    return any(map(has_pairs, value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()))


# Checks.


class Case(NamedTuple):
    """A schema with its options, ready to be asked; `expr` is None where nothing satisfies it."""

    schema: Any
    options: dict[str, Any]
    expr: constrain.Expr | None
    judge: Any

    @classmethod
    def of(cls, schema: Any, options: dict[str, Any]) -> Case | str:
        """The case, or in a word why there is none."""
        try:
            expr = constrain.json_schema(schema, **options)
        except constrain.UnsatisfiableError as error:
            if "leads back" in str(error):
                return "cycle"
            expr = None
        except constrain.UnsupportedError:
            return "refused"
        except constrain.LimitExceeded:
            return "limit"
        except constrain.ConstrainError as error:
            return "malformed" if isinstance(error, constrain.SchemaError) else "crash"
        if expr is not None:
            expr.set.set_limits(64 << 20, 1 << 18, 20_000)
        return cls(schema, options, expr, judge_of(schema, options))

    def wrong(self, text: str) -> str:
        """What is wrong with the verdict on a text, or ''."""
        found = self.expr is not None and self.expr.matches(text)
        try:
            twice = has_key_twice(text)
        except ValueError:
            return "no JSON" if found else ""
        if twice:
            return "key twice" if found else ""
        if is_beyond_judging(text):
            return ""
        value = exactly(text)
        good = self.judge.is_valid(value)
        if found and not good:
            return "wrong accept"
        if good and not found and not has_exponent(text) and not self.otherwise(value):
            return "wrong reject"
        return self._spelling(text, value) if found else ""

    def otherwise(self, value: Any) -> bool:
        """Is the value accepted in the canonical spelling, or in another order where the order is fixed?"""
        if self.expr is None:
            return False
        layout = layout_of(self.options)
        if self.options.get("property_order") == "any":
            return self.expr.matches(spell(value, layout))
        return in_some_order(self.expr, value, layout)

    def _spelling(self, text: str, value: Any) -> str:
        """An accepted text keeps to the options of spelling."""
        if self.options.get("escapes") != "any" and re.findall(r'"(?:[^"\\]|\\.)*"', text) != _strings(value):
            return "wrong spelling"
        if self.options.get("whitespace", "flexible") != "flexible" and not re.search(r"[.0-9]", text):
            return "" if self.options.get("escapes") == "any" or text == spell(value, layout_of(self.options)) else "wrong white space"
        return ""

    def texts(self, r: random.Random, num_near: int, num_samples: int, num_changed: int) -> Iterator[tuple[str, str]]:
        """Kinds of texts, with texts to ask about."""
        values = Values(r, self.schema)
        found = [values.near(self.schema) for _ in range(num_near)]
        for value in found:
            yield "near", self.spelled(value, r)
        for seed in range(num_samples if self.expr is not None else 0):
            assert self.expr is not None
            text = self.expr.sample(seed, r.choice([20, 60, 120]))
            yield "sample", text
            if not is_beyond_judging(text):
                found.append(exactly(text))
        for _ in range(num_changed):
            value = r.choice(found)
            for _ in range(r.choice([1, 1, 2])):
                if not has_pairs(value):
                    value = values.changed(value)
            yield "changed", self.spelled(value, r)

    def spelled(self, value: Any, r: random.Random) -> str:
        layout = layout_of(self.options)
        if layout == Layout() and "whitespace" not in self.options and r.random() < 0.3:
            layout = layout._replace(r=r)
        return spell(value, layout, r if r.random() < 0.1 else None)


def _strings(value: Any) -> list[str]:
    """The strings of a value in their one spelling, in the order of the text."""
    if isinstance(value, str):
        return [json.dumps(value, ensure_ascii=False)]
    if isinstance(value, dict):
        return [text for k, v in value.items() for text in (*_strings(k), *_strings(v))]
    return [text for v in value for text in _strings(v)] if isinstance(value, list) else []


class Result(NamedTuple):
    """What came of one seed; `problem` is '' where all is well."""

    outcome: str
    problem: str = ""
    texts: Counter[str] = Counter()
    case: tuple[Any, dict[str, Any], str] | None = None


def failed(outcome: str, schema: Any, options: dict[str, Any]) -> Result:
    """There was no expression to ask; only a crash is a problem."""
    if outcome != "crash":
        return Result(outcome)
    return Result(outcome, f"crash by {json.dumps(schema)} with {options}", Counter(), (schema, options, ""))


def guarded(call: Callable[[], Any]) -> Any:
    """The result, or None where the judge recursed too deep."""
    try:
        return call()
    except RecursionError:
        return None
    except BaseException as error:  # the judge's map panics when a recursion error meets it
        if type(error).__name__ != "PanicException":
            raise
        return None


def check(seed: int, num_near: int = 10, num_samples: int = 4, num_changed: int = 12) -> Result:
    """One schema and some texts."""
    r = random.Random(seed)
    schema, options = Schemas(r).document(), random_options(r)
    case = Case.of(schema, options)
    if isinstance(case, str):
        return failed(case, schema, options)
    texts: Counter[str] = Counter()

    def run() -> Result:
        try:
            return ask()
        except constrain.LimitExceeded as error:
            return Result("limit", "", texts | Counter({str(error)[:40]: 1}))

    def ask() -> Result:
        for kind, text in case.texts(r, num_near, num_samples, num_changed):
            texts[kind] += 1
            wrong = case.wrong(text)
            if kind == "sample" and case.expr is not None and not case.expr.matches(text):
                wrong = "dead end"
            if wrong:
                problem = f"{wrong} of {text!r} ({kind}) by {json.dumps(schema)} with {options}"
                return Result(wrong, problem, texts, (schema, options, text))
        return Result("unsatisfiable" if case.expr is None else "right", "", texts)

    return guarded(run) or Result("judge recursion", "", texts)


# Shrinking.


def _smaller(value: Any) -> Iterator[Any]:
    """The value with one part left out, or replaced by something simpler."""
    if isinstance(value, dict):
        for key in value:
            yield {k: v for k, v in value.items() if k != key}
        for key, inner in value.items():
            if isinstance(inner, dict):
                yield inner
            for less in _smaller(inner):
                yield {**value, key: less}
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield value[:i] + value[i + 1 :]
            for less in _smaller(inner):
                yield [*value[:i], less, *value[i + 1 :]]
    elif isinstance(value, str) and value:
        yield value[:-1]


def shrunk(schema: Any, options: dict[str, Any], text: str, fails: Callable[[Any, dict[str, Any], str], bool]) -> tuple[Any, dict[str, Any], str]:
    """A smaller schema, fewer options and a smaller text that fail alike."""

    def still(*case: Any) -> bool:
        try:
            return bool(guarded(lambda: fails(*case)))
        except Exception:  # a part was left out that something else needs
            return False

    changed = True
    while changed:
        changed = False
        tries = [(s, options, text) for s in _smaller(schema)] + [(schema, o, text) for o in _smaller(options) if isinstance(o, dict)]
        with suppress(ValueError, ArithmeticError):
            tries += [(schema, options, spell(v, layout_of(options))) for v in _smaller(exactly(text))]
        for case in tries:
            if len(repr(case)) < len(repr((schema, options, text))) and still(*case):
                (schema, options, text), changed = case, True
                break
    return schema, options, text


def same_wrong(kind: str) -> Callable[[Any, dict[str, Any], str], bool]:
    """Does a case fail in the given way?"""

    def fails(schema: Any, options: dict[str, Any], text: str) -> bool:
        jsonschema.Draft202012Validator.check_schema(schema)
        case = Case.of(schema, options)
        if not isinstance(case, Case):
            return case == kind
        if kind == "dead end":
            return case.expr is not None and any(not case.expr.matches(case.expr.sample(seed, 60)) for seed in range(8))
        return case.wrong(text) == kind

    return fails


def main(first: int, count: int) -> int:
    outcomes: Counter[str] = Counter()
    texts: Counter[str] = Counter()
    slow: list[tuple[float, int]] = []
    num_wrong = 0
    for seed in range(first, first + count):
        start = time.perf_counter()
        result = check(seed)
        slow.append((round(time.perf_counter() - start, 2), seed))
        if result.outcome == "limit":
            print(f"seed {seed}: a limit was met")
        outcomes[result.outcome] += 1
        texts += result.texts
        if result.case is not None:
            num_wrong += 1
            schema, options, text = shrunk(*result.case, same_wrong(result.outcome))
            found = {"schema": schema, "options": options, "text": text, "wrong": result.outcome, "seed": seed}
            print(json.dumps(found, ensure_ascii=False), flush=True)
    print(dict(outcomes), dict(texts), "slowest", sorted(slow)[-3:])
    return num_wrong


if __name__ == "__main__":
    sys.exit(min(1, main(int(sys.argv[1]), int(sys.argv[2]))))
