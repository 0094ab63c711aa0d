"""One compilation of a schema: its options, its expression set, and what has been made so far.

Everything that the parts of this front-end share is here, and nothing else: the clone of the common lexemes, the table
of schemas met (the literals of `shapes`), memos by content, and the ways to refuse. Held by tests/test_json_schema.py.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

from ...errors import SchemaError, UnsupportedError
from ..json_text import JsonText, json_text
from .reading import Scope, kind_of
from .shapes import FALSE, TRUE, Conjunction, Either, Form
from .strings import StringShape

__all__ = ["Options", "Session"]


class Options(NamedTuple):
    """The keywords of `constrain.json_schema`."""

    property_order: str | tuple[str, ...] = "schema"
    whitespace: str | int = "flexible"
    formats: str = "assert"
    escapes: str = "canonical"
    lenient: bool = False
    strict_formats: bool = False
    integers: str = "any"


class Session:
    """The state of one compilation."""

    def __init__(self, options: Options) -> None:
        self.options = options
        text: JsonText = json_text(options.whitespace, options.escapes)
        self.text = text
        self.set = text.set.clone()
        self.alphabet = text.alphabet.on(self.set)
        self.deepest = len(text.layouts) - 1
        self.patterns: dict[str, int] = {}
        self.pattern_places: dict[str, str] = {}
        self.formats: dict[str, int] = {}
        self.strings: dict[tuple[StringShape, ...], int] = {}
        self.schemas: list[tuple[Any, Scope, str]] = []
        self.schema_ids: dict[tuple[int, int], int] = {}
        self.either_ids: dict[tuple[Conjunction, ...], int] = {}
        self.forms: dict[Conjunction, Form] = {}
        self.refusals: list[tuple[str, str]] = []
        self.reason = ""
        self.synthetic = Scope({}, None)
        self.schemas = [(True, self.synthetic, "#"), (False, self.synthetic, "#")]

    def literal(self, schema: Any, scope: Scope, where: str) -> Conjunction:
        """The conjunction of one schema."""
        if schema is True:
            return frozenset()
        if schema is False:
            return frozenset((1,))
        return frozenset((self.number(schema, scope, where),))

    def number(self, schema: Any, scope: Scope, where: str) -> int:
        """The literal of one schema that is an object."""
        if schema.__class__ is not dict and not isinstance(schema, dict):
            raise self.malformed("a schema", where, schema, "an object or a boolean")
        key = (id(schema), id(scope))
        found = self.schema_ids.get(key)
        if found is None:
            found = self.schema_ids[key] = len(self.schemas)
            self.schemas.append((schema, scope, where))
        return found

    def constant(self, value: Any, where: str) -> Conjunction:
        """The conjunction that allows one value."""
        return frozenset((self.number({"enum": [value]}, self.synthetic, where),))

    def either(self, parts: list[Conjunction]) -> Conjunction:
        """The conjunction of one schema that says: one of these."""
        if TRUE in parts:
            return TRUE
        kept = tuple(sorted({p for p in parts if 1 not in p}, key=sorted))
        if len(kept) < 2:
            return kept[0] if kept else FALSE
        found = self.either_ids.get(kept)
        if found is None:
            found = self.either_ids[kept] = len(self.schemas)
            self.schemas.append((Either(kept), self.synthetic, self.schemas[abs(min(kept[0], key=abs))][2]))
        return frozenset((found,))

    def malformed(self, what: str, where: str, value: Any, wanted: str) -> SchemaError:
        """The error for a keyword whose value is of the wrong kind."""
        shown = repr(value) if isinstance(value, (str, int, float)) else kind_of(value)
        return SchemaError(f"json schema: {what} at {where} is {shown[:80]}; it must be {wanted}", pointer=where)

    def refuse(self, feature: str, where: str, hint: str = "") -> None:
        """Refuse a keyword by name; with `lenient` warn, note it, and go on as if it were not there."""
        text = f"json schema: {feature} is not supported at {where}{hint}"
        if not self.options.lenient:
            raise UnsupportedError(f"json schema: {feature}", f"at {where}", text)
        self.refusals.append((where, feature))
        warnings.warn(f"{text}; it is not enforced", stacklevel=2)

    def never(self, reason: str) -> int:
        """NO_MATCH, and why."""
        self.reason = reason
        return 0
