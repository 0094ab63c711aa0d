"""What the fuzzer draws: schemas over the whole vocabulary of draft 2020-12, options, values near a schema or a value."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.json_schema_judge import Pairs, is_number

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
        if is_number(None, value):
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
