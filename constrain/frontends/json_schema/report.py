"""What was carried out of a schema: every keyword by its JSON pointer.

The report is a walk of its own beside lenient compilations, made only when asked for, so that compiling pays nothing
for it. What stops even a lenient compilation (a pattern with a back-reference, a reference to another document) is noted,
taken out of a copy, and the copy is compiled again. Held by tests/test_json_schema.py and tests/test_cli.py.
"""

from __future__ import annotations

import copy
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...errors import UnsatisfiableError, UnsupportedError
from .formats import FORMATS
from .reading import KEYWORDS, LOOSE_DIALECT, Dialect, Scope, dialect_of, escape, read_schema
from .session import Options, Session
from .writer import Writer

__all__ = ["SchemaReport"]

_SCHEMAS = {
    "additionalProperties", "propertyNames", "contains", "not", "if", "then", "else", "items", "additionalItems",
    "unevaluatedProperties", "unevaluatedItems",
}  # fmt: skip
_SCHEMA_LISTS = {"allOf", "anyOf", "oneOf", "prefixItems"}
_SCHEMA_MAPS = {"properties", "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions"}
_DEFINITIONS = {"$defs", "definitions"}
_STRUCTURE = {"then", "else", "$schema", "$defs", "definitions", "$anchor", "$dynamicAnchor", "$recursiveAnchor"}
_ALL_KEYWORDS = frozenset(_STRUCTURE).union(*KEYWORDS.values())
# keywords that say nothing without one of these beside them
_PARTNERS = {
    "then": ("if",), "else": ("if",), "minContains": ("contains",), "maxContains": ("contains",),
    "additionalItems": ("items",),
}  # fmt: skip
_MAX_RETRIES = 50


@dataclass(frozen=True)
class SchemaReport:
    """The keywords of a schema by JSON pointer: carried out exactly, annotations, and refused, each with the reason.

    `reasons` says of a keyword that would usually count why it is an annotation here; `contradiction` why no value at all
    satisfies the schema. `bool(report)` is whether the schema can be used as it is.

    >>> report = SchemaReport.of({"type": "string", "title": "x", "then": {}, "pattern": r"(a)\\1"})
    >>> print(report)
    exact       #/type
    annotation  #/title
    annotation  #/then: says nothing without 'if'
    refused     #/pattern: 'pattern' with back-reference is not supported
    >>> bool(report)
    False
    """

    exact: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    contradiction: str = ""
    reasons: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, schema: Any, *, formats: str = "assert", remotes: dict[str, Any] | None = None) -> SchemaReport:
        """The report on a schema; raises `SchemaError` where it is malformed."""
        source = read_schema(schema)
        compiled = _Compiled(source, Options(formats=formats, lenient=True), remotes)
        refused = dict(compiled.refused)
        exact, annotations, reasons = [], [], []
        for pointer, why in _Walk(compiled, formats, remotes).keywords():
            if pointer in refused:
                continue
            if why is None:
                exact.append(pointer)
            else:
                annotations.append(pointer)
                if why:
                    reasons.append((pointer, why))
        return cls(tuple(exact), tuple(annotations), tuple(refused.items()), compiled.contradiction, tuple(reasons))

    def rows(self) -> list[tuple[str, str, str]]:
        """(verdict, pointer, reason or "") of every keyword: exact ones, annotations, refused ones."""
        why = dict(self.reasons)
        rows = [("exact", pointer, "") for pointer in self.exact]
        rows += [("annotation", pointer, why.get(pointer, "")) for pointer in self.annotations]
        return rows + [("refused", pointer, reason) for pointer, reason in self.refused]

    def __bool__(self) -> bool:
        return not self.refused and not self.contradiction

    def lines(self) -> list[str]:
        """The rows as text."""
        return [f"{verdict:<11} {pointer}{': ' if why else ''}{why}" for verdict, pointer, why in self.rows()]

    def __str__(self) -> str:
        return "\n".join([*self.lines(), self.contradiction] if self.contradiction else self.lines())


class _Noting(Session):
    """A lenient session that keeps the hints of its refusals."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.noted: list[tuple[str, str, str]] = []

    def refuse(self, feature: str, where: str, hint: str = "") -> None:
        self.noted.append((where, feature, hint))
        super().refuse(feature, where, hint)


class _Compiled:
    """A schema compiled as far as it goes: what was refused by the pointer of its keyword, and which schemas were read."""

    def __init__(self, source: Any, options: Options, remotes: dict[str, Any] | None) -> None:
        self.source = source
        self.refused: dict[str, str] = {}
        self.contradiction = ""
        for _ in range(_MAX_RETRIES):
            session = _Noting(options)
            stopped = self._compile(session, remotes)
            for where, feature, hint in session.noted:
                self._note(where, feature, hint)
            if stopped is None or not self._take_out(stopped):
                break
        if self.contradiction and self.refused:
            self.contradiction += " (with what is refused left out)"
        self.read = {id(schema) for schema, *_ in session.schemas}

    def _compile(self, session: Session, remotes: dict[str, Any] | None) -> UnsupportedError | None:
        """One compilation; what stopped it."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                Writer(session).write(self.source, Scope(self.source, remotes))
        except UnsatisfiableError as error:
            self.contradiction = str(error)
        except UnsupportedError as error:
            return error
        return None

    def _note(self, where: str, feature: str, hint: str = "") -> str | None:
        """Notes a refusal under the pointer of its keyword, or of its schema where it names no keyword of it."""
        schema = _at(self.source, where)
        named = [name for name in re.findall(r"'([^']+)'", feature) if name in _ALL_KEYWORDS]
        named += ["patternProperties"] if "pattern" in named else []
        keyword = next((name for name in named if isinstance(schema, dict) and name in schema), None)
        pointer = f"{where}/{escape(keyword)}" if keyword else where
        self.refused.setdefault(pointer, f"{feature} is not supported{hint}")
        return keyword

    def _take_out(self, error: UnsupportedError) -> bool:
        """Goes on with a copy of the schema without the keyword that stopped the compilation; False where none is known."""
        where = error.where.removeprefix("at ")
        keyword = self._note(where, error.feature.removeprefix("json schema: "))
        if keyword is None:
            return False
        self.source = copy.deepcopy(self.source)
        del _at(self.source, where)[keyword]
        return True


def _at(source: Any, pointer: str) -> Any:
    """The value at a JSON pointer such as #/a/0; None where there is none."""
    here = source
    for part in pointer.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict):
            here = here.get(part)
        elif isinstance(here, (list, tuple)) and part.isdigit() and int(part) < len(here):
            here = here[int(part)]
        else:
            return None
    return here if pointer.startswith("#") else None


class _Walk:
    """Every keyword of every subschema, and whether it counts."""

    def __init__(self, compiled: _Compiled, formats: str, remotes: dict[str, Any] | None) -> None:
        self._source = compiled.source
        self._read = compiled.read if not compiled.contradiction else None
        self._formats = formats
        self._remotes = remotes

    def keywords(self) -> Iterator[tuple[str, str | None]]:
        """(pointer, None for what is carried out, else why it is an annotation, or "" where that goes without saying)."""
        stack: list[tuple[Any, str, Dialect]] = [(self._source, "#", LOOSE_DIALECT)]
        while stack:
            schema, where, outer = stack.pop()
            if not isinstance(schema, dict):
                continue
            dialect = dialect_of(schema, self._remotes, outer)
            children: list[tuple[Any, str, Dialect]] = []
            for keyword, value in schema.items():
                why = self._why_not(schema, keyword, dialect)
                pointer = f"{where}/{escape(str(keyword))}"
                yield pointer, why
                for sub, place in _subschemas(keyword, value, pointer) if why is None else ():
                    if keyword in _DEFINITIONS and not self._is_read(sub):
                        yield from ((f"{place}/{escape(str(k))}", "nothing refers to it") for k in sub)
                    else:
                        children.append((sub, place, dialect))
            stack += reversed(children)

    def _is_read(self, schema: Any) -> bool:
        """Was a schema, or one inside it, met by the compilation?"""
        stack = [schema]
        while stack:
            one = stack.pop()
            if self._read is None or not isinstance(schema, dict) or (isinstance(one, dict) and id(one) in self._read):
                return True
            stack += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        return False

    def _why_not(self, schema: dict[str, Any], keyword: str, dialect: Dialect) -> str | None:
        draft = dialect.draft
        if "$ref" in schema and 0 < draft <= 7 and keyword not in ("$ref", "$schema", *_DEFINITIONS):
            return f"ignored beside '$ref' in draft {draft}"
        known = "if" if keyword in ("then", "else") else keyword
        if known not in dialect.keywords and keyword not in _STRUCTURE - {"then", "else"}:
            return f"not a keyword of {f'draft {draft}' if draft else 'JSON Schema'}" if keyword in _ALL_KEYWORDS else ""
        partners = _PARTNERS.get(keyword)
        if partners and not any(partner in schema for partner in partners):
            return f"says nothing without {' or '.join(map(repr, partners))}"
        if keyword == "additionalItems" and not isinstance(schema["items"], (list, tuple)):
            return "says nothing where 'items' is one schema"
        return self._why_no_format(schema[keyword], dialect) if keyword == "format" else None

    def _why_no_format(self, name: Any, dialect: Dialect) -> str | None:
        if self._formats != "assert" and not dialect.asserts_formats:
            return "formats are annotations here"
        return None if name in FORMATS else f"no format {name!r} is known"


def _subschemas(keyword: str, value: Any, pointer: str) -> list[tuple[Any, str]]:
    """The schemas in a keyword's value, with their pointers."""
    if keyword in _SCHEMA_MAPS and isinstance(value, dict):
        return [(sub, f"{pointer}/{escape(str(name))}") for name, sub in value.items()]
    if (keyword in _SCHEMA_LISTS or keyword == "items") and isinstance(value, (list, tuple)):
        return [(sub, f"{pointer}/{i}") for i, sub in enumerate(value)]
    return [(value, pointer)] if keyword in _SCHEMAS else []
