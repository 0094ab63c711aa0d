"""From a schema to its expression: the fast lane for plain schemas, the normal form for the rest.

A plain schema (no keyword that combines schemas) is written out directly, member by member; anything else goes through
`Normaliser` and comes back as shapes. Recursion of the schema becomes a rule of the core: a conjunction that is met
again while it is being written. Recursion of this code is bounded: below `MAX_NESTING` Python frames of containers a
child becomes a rule that is written later, from a list. Held by tests/test_json_schema.py.
"""

from __future__ import annotations

import sys
from typing import Any

from ...errors import LimitExceeded, UnsatisfiableError
from . import keywords as read
from . import reading
from .containers import Entry, ObjectWriter, write_array
from .normal import Normaliser
from .numbers import exact, number_expression, value_expression
from .reading import Scope, escape
from .session import Session
from .shapes import ANY, ArrayShape, Conjunction, Either, Form, settle_array
from .strings import string_expression

__all__ = ["Writer"]

MAX_NESTING = 40
_PLAIN = (
    reading.TYPE | reading.LENGTH | reading.FORMAT | reading.NUMERIC | reading.PROPERTIES | reading.REQUIRED
    | reading.ADDITIONAL | reading.ITEMS | reading.LENGTH_ITEMS
)  # fmt: skip
_OBJECT = reading.PROPERTIES | reading.REQUIRED | reading.ADDITIONAL
_ARRAY = reading.ITEMS | reading.LENGTH_ITEMS

Key = tuple[Conjunction, int]


class Writer:
    """Writes the expressions of one session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.text = session.text
        self.set = session.set
        self.normaliser = Normaliser(session)
        self.deepest = session.deepest
        self.done: dict[Key, int] = {}
        self.never: dict[Key, str] = {}
        self.started: dict[Key, int] = {}
        self.rules: dict[Key, int] = {}
        self.keys: dict[str, int] = {}
        self.bodies: dict[int, int] = {}
        self.tails: dict[tuple[int, int], int] = {}
        self.nesting = 0
        self.waiting: list[tuple[Conjunction, str, int]] = []

    def write(self, schema: Any, scope: Scope) -> int:
        """The expression of a whole schema, with white space around it; a LimitExceeded where it nests too deep."""
        try:
            return self._write(schema, scope)
        except RecursionError:
            depth = sys.getrecursionlimit()
            message = f"limit exceeded: schema nesting depth: combined schemas and references nest too deep for {depth} frames"
            raise LimitExceeded("schema nesting depth", None, depth, message) from None

    def _write(self, schema: Any, scope: Scope) -> int:
        root = self.schema(schema, scope, "#", 0)
        while self.waiting:
            conjunction, where, depth = self.waiting.pop()
            key = (conjunction, min(depth, self.deepest))
            self.set.define(self.rules[key], self._conjunction(conjunction, where, depth, key))
        if not root:
            raise UnsatisfiableError(f"json schema: nothing satisfies it: {self.session.reason}")
        if self.rules and self.set.is_empty(root):
            raise UnsatisfiableError(
                "json schema: nothing finite satisfies it: the recursion through '$ref' at "
                f"{self._places()} has no way out"
            )
        return int(self.set.concat([self.text.space, root, self.text.space]))

    def _places(self) -> str:
        numbers = sorted({abs(n) for conjunction, _ in self.rules for n in conjunction if abs(n) > 1})
        return ", ".join(self.session.schemas[n][2] for n in numbers[:4]) or "#"

    # Conjunctions, with recursion.

    def conjunction(self, conjunction: Conjunction, where: str, depth: int) -> int:
        """The expression of a conjunction inside `depth` containers."""
        level = depth if depth < self.deepest else self.deepest
        if not conjunction:
            return self.text.values[level]
        key = (conjunction, level)
        known = self.done.get(key)
        if known is not None:
            if not known:
                self.session.never(self.never[key])
            return known
        if key in self.rules:
            return self.rules[key]
        started = self.started.get(key)
        if started is not None or self.nesting > MAX_NESTING:
            if started == depth:
                place = self.session.schemas[abs(min(conjunction))][2]
                raise UnsatisfiableError(
                    f"json schema: '$ref' at {place} only leads back to itself: a cycle without a value in between"
                )
            rule = self.rules[key] = self.set.rule(where)
            if started is None:
                self.waiting.append((conjunction, where, depth))
            return rule
        self.started[key] = depth
        made = self._conjunction(conjunction, where, depth, key)
        del self.started[key]
        if key in self.rules:
            self.set.define(self.rules[key], made)
            made = self.rules[key] if made else 0
        self.done[key] = made
        return made

    def _conjunction(self, conjunction: Conjunction, where: str, depth: int, key: Key) -> int:
        made = -1
        if len(conjunction) == 1:
            (literal,) = conjunction
            if literal > 0:
                schema, scope, place = self.session.schemas[literal]
                made = self._fast(schema, scope, place, depth)
        if made < 0:
            made = self.form(self.normaliser.form(conjunction), self._place(conjunction, where), depth)
        if not made:
            self.never[key] = self.session.reason
        return made

    def _place(self, conjunction: Conjunction, where: str) -> str:
        positive = [n for n in conjunction if n > 1]
        return self.session.schemas[min(positive)][2] if positive else where

    def constant(self, value: Any, where: str) -> Conjunction:
        """The conjunction that allows one value (a number may be a Fraction here)."""
        from decimal import Decimal
        from fractions import Fraction

        if isinstance(value, Fraction):
            value = int(value) if value.denominator == 1 else Decimal(value.numerator) / Decimal(value.denominator)
        return self.session.constant(value, where)

    # Forms.

    def form(self, form: Form, where: str, depth: int) -> int:
        """The expression of a normal form."""
        text = self.text
        level = depth if depth < self.deepest else self.deepest
        if form is ANY or form == ANY:
            return text.values[level]
        parts = [text.null] if form.null else []
        if form.booleans:
            parts.append((0, text.false, text.true, text.boolean)[form.booleans])
        parts.append(number_expression(self.set, text, form.numbers, where))
        parts.append(string_expression(self.session, form.strings, where))
        if form.objects:
            self.nesting += 1
            if form.objects == ANY.objects:
                parts.append(text.objects[level])
            else:
                parts += [ObjectWriter(self, where, depth).shape(x) for x in form.objects]
            self.nesting -= 1
        if form.arrays:
            self.nesting += 1
            if form.arrays == ANY.arrays:
                parts.append(text.arrays[level])
            else:
                parts += [self._array(x, where, depth) for x in form.arrays]
            self.nesting -= 1
        made = self.set.union(parts)
        if not made and not self.session.reason:
            self.session.never(f"its keywords contradict each other at {where}")
        return made

    def _array(self, shape: ArrayShape, where: str, depth: int) -> int:
        settled = settle_array(shape)
        if isinstance(settled, str):
            return self.session.never(f"{settled} at {where}")
        return write_array(self, settled, where, depth)

    # The fast lane.

    def schema(self, schema: Any, scope: Scope, where: str, depth: int) -> int:
        """The expression of a schema as it stands."""
        if self.nesting <= MAX_NESTING:
            made = self._fast(schema, scope, where, depth)
            if made >= 0:
                return made
        return self.conjunction(self.session.literal(schema, scope, where), where, depth)

    def _fast(self, schema: Any, scope: Scope, where: str, depth: int) -> int:
        """The expression of a plain schema; -1 for those that are not plain."""
        if schema.__class__ is not dict:
            if schema.__class__ is Either:
                return -1
            if schema is True:
                return self.text.values[depth if depth < self.deepest else self.deepest]
            if schema is False:
                return self.session.never(f"'false' allows nothing at {where}")
            if not isinstance(schema, dict):
                raise self.session.malformed("a schema", where, schema, "an object or a boolean")
        keywords = scope.keywords
        mask = 0
        for key in schema:
            mask |= keywords.get(key, 0)
        if not mask & ~_PLAIN:
            return self._plain(schema, mask, scope, where, depth)
        if mask == reading.REF:
            return self.conjunction(self.normaliser.reference(schema, scope, where), where, depth)
        if not mask & ~(reading.VALUES | reading.TYPE):
            return self._values(schema, mask, scope, where)
        if mask == reading.ANY_OF or (mask == reading.ONE_OF and self._separate(schema, scope)):
            return self._branches(schema, "anyOf" if mask == reading.ANY_OF else "oneOf", scope, where, depth)
        return -1

    def _branches(self, schema: dict[str, Any], keyword: str, scope: Scope, where: str, depth: int) -> int:
        subs = read.schema_list(self.session, schema, keyword, where)
        self.nesting += 1
        parts = [self.schema(sub, scope, f"{where}/{keyword}/{i}", depth) for i, sub in enumerate(subs)]
        self.nesting -= 1
        return self.set.union(parts)

    def _separate(self, schema: dict[str, Any], scope: Scope) -> bool:
        """Do the branches of a `oneOf` differ in type at first sight?"""
        seen = 0
        subs = schema["oneOf"]
        for sub in subs if isinstance(subs, list) else ():
            kind = sub.get("type") if isinstance(sub, dict) else None
            bit = read.TYPES.get(kind, 0) if isinstance(kind, str) else 0
            if not bit or seen & bit or ("$ref" in sub and scope.draft <= 7):
                return False
            seen |= bit
        return True

    def _plain(self, schema: dict[str, Any], mask: int, scope: Scope, where: str, depth: int) -> int:
        kind = schema.get("type")
        if kind == "string":
            if not mask & (reading.LENGTH | reading.FORMAT):
                return self.text.string
            return self._string(schema, mask, scope, where)
        if kind == "object":
            return self._object(schema, mask, scope, where, depth)
        if kind == "array":
            return self._array_of(schema, mask, scope, where, depth)
        types = read.types_of(self.session, schema, where) if mask & reading.TYPE else read.ALL_TYPES
        text = self.text
        level = depth if depth < self.deepest else self.deepest
        if types == read.ALL_TYPES and not mask & ~reading.TYPE:
            return text.values[level]
        parts = [text.null] if types & 1 else []
        if types & 2:
            parts.append(text.boolean)
        if types & 12:
            parts.append(self._number(schema, mask, None if types & 8 else True, scope, where))
        if types & 16:
            parts.append(self._string(schema, mask, scope, where))
        if types & 32:
            parts.append(self._object(schema, mask, scope, where, depth))
        if types & 64:
            parts.append(self._array_of(schema, mask, scope, where, depth))
        return parts[0] if len(parts) == 1 else self.set.union(parts)

    def _string(self, schema: dict[str, Any], mask: int, scope: Scope, where: str) -> int:
        shape = read.string_shape(self.session, schema, mask, scope, where)
        if isinstance(shape, str):
            return self.session.never(f"{shape} at {where}")
        return string_expression(self.session, (shape,), where)

    def _number(self, schema: dict[str, Any], mask: int, integer: bool | None, scope: Scope, where: str) -> int:
        if not mask & reading.NUMERIC:
            if not integer:
                return self.text.number
            is_plain = scope.draft == 4 or self.session.options.integers == "plain"
            return self.text.plain_integer if is_plain else self.text.integer
        shape = read.number_shape(self.session, schema, integer, scope.draft, where)
        if isinstance(shape, str):
            return self.session.never(f"{shape} at {where}")
        made = number_expression(self.set, self.text, (shape,), where)
        return made or self.session.never(f"the keywords for numbers leave none at {where}")

    def _values(self, schema: dict[str, Any], mask: int, scope: Scope, where: str) -> int:
        """`enum` or `const` of scalars, with or without `type`; -1 where a value is no scalar."""
        if "enum" in schema:
            if "const" in schema:
                return -1
            values = schema["enum"]
            if not isinstance(values, (list, tuple)):
                raise self.session.malformed("'enum'", where, values, "an array")
        else:
            values = [schema["const"]]
        types = read.types_of(self.session, schema, where) if mask & reading.TYPE else read.ALL_TYPES
        strings: list[str] = []
        parts: list[int] = []
        only_plain = self.session.options.integers == "plain"
        plain = scope.draft == 4
        text = self.text
        for value in values:
            if value.__class__ is str:
                strings.append(value)
            elif value is None:
                parts += [text.null] if types & 1 else []
            elif value is True or value is False:
                parts += [text.true if value else text.false] if types & 2 else []
            elif read.is_number(value):
                number = exact(value)
                if types & 8 or (types & 4 and number.denominator == 1):
                    parts.append(self.set.lexeme(value_expression(self.set, number, only_plain or (plain and not types & 8))))
            else:
                return -1
        if strings and types & 16:
            quote = text.quote
            body = self.session.alphabet.texts(strings)
            parts.append(self.set.lexeme(self.set.concat([quote, body, quote])) if body else 0)
        made = parts[0] if len(parts) == 1 else self.set.union(parts)
        return made or self.session.never(f"'enum' or 'const' leaves no value of the 'type' at {where}")

    def _object(self, schema: dict[str, Any], mask: int, scope: Scope, where: str, depth: int) -> int:
        if not mask & _OBJECT:
            return self.text.objects[depth if depth < self.deepest else self.deepest]
        session, s = self.session, self.set
        properties = read.mapping(session, schema, "properties", where) if mask & reading.PROPERTIES else {}
        required = read.required_names(session, schema, where) if mask & reading.REQUIRED else ()
        out = ObjectWriter(self, where, depth)
        entries: list[Entry] = []
        self.nesting += 1
        inner = depth + 1
        ordered = properties if session.options.property_order in ("schema", "any") else out.ordered(list(properties))
        for name in ordered:
            sub = properties[name]
            value = self.schema(sub, scope, f"{where}/properties/{escape(name)}", inner)
            if value:
                entries.append((s.concat([out.key(name), self.after_key(value, depth)]), 1 if name in required else 0, 1))
            elif name in required:
                self.nesting -= 1
                return session.never(f"the required property {name!r} at {where} cannot exist: {session.reason}")
        names = list(properties)
        num_names = len(entries)
        rest = self._additional(schema, scope, where, inner)
        for name in required:
            if name not in properties and name not in names:
                if not rest:
                    self.nesting -= 1
                    return session.never(f"'required' at {where} asks for the property {name!r}, which 'additionalProperties' forbids")
                names.append(name)
                entries.append((out.entry(out.key(name), rest), 1, 1))
        if rest:
            entries.append((out.open_entry(out.other_key(names, None), rest, False), 0, -1))
        self.nesting -= 1
        return out.entries(entries, num_names, 0, -1)

    def _additional(self, schema: dict[str, Any], scope: Scope, where: str, depth: int) -> int:
        """The value of a property that is not declared; NO_MATCH where none may be there."""
        sub = schema.get("additionalProperties", True)
        if sub is False:
            return 0
        if sub is True:
            return self.text.values[depth if depth < self.deepest else self.deepest]
        return self.schema(sub, scope, f"{where}/additionalProperties", depth)

    def _array_of(self, schema: dict[str, Any], mask: int, scope: Scope, where: str, depth: int) -> int:
        if not mask & _ARRAY:
            return self.text.arrays[depth if depth < self.deepest else self.deepest]
        items = schema.get("items", True)
        if isinstance(items, (list, tuple)):
            shape = settle_array(read.array_shape(self.session, schema, scope, where))
            if isinstance(shape, str):
                return self.session.never(f"{shape} at {where}")
            self.nesting += 1
            made = write_array(self, shape, where, depth)
            self.nesting -= 1
            return made
        session, s = self.session, self.set
        low, high = 0, -1
        if mask & reading.LENGTH_ITEMS:
            low, high = read.count(session, schema, "minItems", where, 0), read.count(session, schema, "maxItems", where, -1)
            if 0 <= high < low:
                return session.never(f"'minItems' {low} is above 'maxItems' {high} at {where}")
        self.nesting += 1
        value = self.schema(items, scope, f"{where}/items", depth + 1) if high else 0
        self.nesting -= 1
        layout = self.text.layout(depth)
        if not value:
            if low:
                return session.never(f"'minItems' {low} at {where} cannot be met: {session.reason}")
            return self.body(layout.empty_array or s.concat([layout.open_array, layout.close_array]), where)
        item = s.concat([value, layout.tail])
        run = s.concat([item, s.repeat(s.concat([layout.comma, item]), max(0, low - 1), high - 1 if high > 0 else -1)])
        if low:
            return self.body(s.concat([layout.open_array, run, layout.close_array]), where)
        if layout.empty_array is None:
            return self.body(s.concat([layout.open_array, s.union([1, run]), layout.close_array]), where)
        return self.body(s.union([layout.empty_array, s.concat([layout.open_array, run, layout.close_array])]), where)

    # Small memos.

    def body(self, inner: int, where: str) -> int:
        """A container; equal ones, wherever they stand, are one."""
        known = self.bodies.get(inner)
        if known is None:
            known = self.bodies[inner] = self.set.body(inner, where) if inner else 0
        return known

    def after_key(self, value: int, depth: int) -> int:
        """What follows a key: colon, value, white space."""
        key = (value, depth if depth < self.deepest else self.deepest)
        known = self.tails.get(key)
        if known is None:
            layout = self.text.layout(depth)
            known = self.tails[key] = self.set.concat([layout.colon, value, layout.tail])
        return known
