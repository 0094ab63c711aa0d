"""What was carried out of a schema: every keyword by its JSON pointer.

The report is a walk of its own beside a lenient compilation, made only when asked for, so that compiling pays nothing
for it. Held by tests/test_json_schema.py.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ...errors import UnsatisfiableError
from .formats import FORMATS
from .reading import KEYWORDS, Scope, draft_of, escape, read_schema
from .session import Options, Session
from .writer import Writer

__all__ = ["SchemaReport"]

_SCHEMAS = {"additionalProperties", "propertyNames", "contains", "not", "if", "then", "else", "additionalItems"}
_SCHEMA_LISTS = {"allOf", "anyOf", "oneOf", "prefixItems"}
_SCHEMA_MAPS = {"properties", "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions"}
_STRUCTURE = {"then", "else", "$schema", "$defs", "definitions", "$anchor", "$dynamicAnchor", "$recursiveAnchor"}


@dataclass(frozen=True)
class SchemaReport:
    """The keywords of a schema by JSON pointer: carried out exactly, annotations, and refused, each with the reason.

    >>> report = SchemaReport.of({"type": "array", "items": {"title": "x"}, "uniqueItems": True})
    >>> report.exact, report.annotations
    (('#/type', '#/items'), ('#/items/title',))
    >>> report.refused[0][0]
    '#/uniqueItems'
    """

    exact: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    contradiction: str = ""

    @classmethod
    def of(cls, schema: Any, *, formats: str = "assert", remotes: dict[str, Any] | None = None) -> SchemaReport:
        """The report on a schema; raises `SchemaError` where it is malformed."""
        source = read_schema(schema)
        session = Session(Options(formats=formats, lenient=True))
        contradiction = ""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                Writer(session).write(source, Scope(source, remotes))
            except UnsatisfiableError as error:
                contradiction = str(error)
        reasons: dict[str, list[str]] = {}
        for where, feature in session.refusals:
            reasons.setdefault(where, []).append(feature)
        exact, annotations, refused = [], [], []
        for where, keyword, value, known in _keywords(source):
            pointer = f"{where}/{escape(keyword)}"
            why = [f for f in reasons.get(where, []) if f"'{keyword}'" in f]
            if why:
                refused.append((pointer, f"{why[0]} is not supported"))
            elif not known or (keyword == "format" and (formats != "assert" or value not in FORMATS)):
                annotations.append(pointer)
            else:
                exact.append(pointer)
        named = {pointer.rsplit("/", 1)[0] for pointer, _ in refused}
        refused += [(w, f"{f} is not supported") for w, features in reasons.items() if w not in named for f in features]
        return cls(tuple(exact), tuple(annotations), tuple(refused), contradiction)

    def __str__(self) -> str:
        lines = [f"exact       {pointer}" for pointer in self.exact]
        lines += [f"annotation  {pointer}" for pointer in self.annotations]
        lines += [f"refused     {pointer}: {why}" for pointer, why in self.refused]
        return "\n".join([*lines, self.contradiction] if self.contradiction else lines)


def _keywords(source: Any) -> Iterable[tuple[str, str, Any, bool]]:
    """(pointer of the schema, keyword, value, is it more than an annotation) for every keyword of every subschema."""
    stack: list[tuple[Any, str, int]] = [(source, "#", draft_of(source, 0))]
    while stack:
        schema, where, draft = stack.pop()
        if not isinstance(schema, dict):
            continue
        draft = draft_of(schema, draft)
        children: list[tuple[Any, str, int]] = []
        for keyword, value in schema.items():
            yield where, keyword, value, keyword in KEYWORDS[draft] or keyword in _STRUCTURE
            place = f"{where}/{escape(keyword)}"
            if keyword in _SCHEMA_MAPS and isinstance(value, dict):
                children += [(sub, f"{place}/{escape(str(name))}", draft) for name, sub in value.items()]
            elif (keyword in _SCHEMA_LISTS or keyword == "items") and isinstance(value, list):
                children += [(sub, f"{place}/{i}", draft) for i, sub in enumerate(value)]
            elif keyword in _SCHEMAS or keyword == "items":
                children.append((value, place, draft))
        stack += reversed(children)
