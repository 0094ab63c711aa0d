"""Reading a schema: from what the caller has to plain data, its draft, and what its references mean.

Invariant: no socket and no file is ever opened for a reference. A plain `#/…` pointer is followed here; anything else
goes to the `referencing` library over a registry of the caller's `remotes` and the published metaschemas.
Keywords differ by draft: `KEYWORDS[draft]` maps each assertion of that draft to its bit, so what a draft does not know
is an annotation there. Without `$schema` the reading is `LOOSE`: 2020-12 and the unambiguous spellings of older drafts.
Held by tests/corpus/json_schema/references.json.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import unquote, urljoin

from ...errors import LimitExceeded, SchemaError, UnsupportedError

__all__ = ["KEYWORDS", "LOOSE", "Scope", "escape", "read_schema"]

LOOSE = 0

# Bits of the assertion keywords, by what has to look at them.
TYPE, VALUES, REF, DYNAMIC, IDENTIFIER = 1, 2, 4, 8, 16
LENGTH, FORMAT, NUMERIC = 32, 64, 128
PROPERTIES, REQUIRED, ADDITIONAL, PATTERNS, COUNT, NAMES, DEPENDENT = 256, 512, 1024, 2048, 4096, 8192, 16384
ITEMS, PREFIX, ADDITIONAL_ITEMS, LENGTH_ITEMS, CONTAINS, UNIQUE = 1 << 15, 1 << 16, 1 << 17, 1 << 18, 1 << 19, 1 << 20
ALL_OF, ANY_OF, ONE_OF, NOT, IF, UNEVALUATED, CONTENT = 1 << 21, 1 << 22, 1 << 23, 1 << 24, 1 << 25, 1 << 26, 1 << 27

_ALWAYS = {
    "type": TYPE, "enum": VALUES, "$ref": REF, "minLength": LENGTH, "maxLength": LENGTH, "pattern": LENGTH, "format": FORMAT,
    "minimum": NUMERIC, "maximum": NUMERIC, "exclusiveMinimum": NUMERIC, "exclusiveMaximum": NUMERIC, "multipleOf": NUMERIC,
    "properties": PROPERTIES, "required": REQUIRED, "additionalProperties": ADDITIONAL, "patternProperties": PATTERNS,
    "minProperties": COUNT, "maxProperties": COUNT, "items": ITEMS, "minItems": LENGTH_ITEMS, "maxItems": LENGTH_ITEMS,
    "uniqueItems": UNIQUE, "allOf": ALL_OF, "anyOf": ANY_OF, "oneOf": ONE_OF, "not": NOT,
}  # fmt: skip
_CONTENT = {"contentEncoding": CONTENT, "contentMediaType": CONTENT}
_SINCE_6 = {"const": VALUES, "contains": CONTAINS, "propertyNames": NAMES, "$id": IDENTIFIER}
_SINCE_2019 = {
    "dependentRequired": DEPENDENT, "dependentSchemas": DEPENDENT, "unevaluatedProperties": UNEVALUATED,
    "unevaluatedItems": UNEVALUATED, "minContains": CONTAINS, "maxContains": CONTAINS,
}  # fmt: skip
_OLD = {"dependencies": DEPENDENT, "additionalItems": ADDITIONAL_ITEMS}
_DRAFT_4 = {**_ALWAYS, **_OLD, "id": IDENTIFIER}
_DRAFT_6 = {**_ALWAYS, **_OLD, **_SINCE_6}
_DRAFT_7 = {**_DRAFT_6, **_CONTENT, "if": IF}
_DRAFT_2019 = {**_ALWAYS, **_SINCE_6, **_SINCE_2019, "if": IF, "dependencies": DEPENDENT, "additionalItems": ADDITIONAL_ITEMS, "$recursiveRef": DYNAMIC}
_DRAFT_2020 = {**_ALWAYS, **_SINCE_6, **_SINCE_2019, "if": IF, "dependencies": DEPENDENT, "prefixItems": PREFIX, "$dynamicRef": DYNAMIC}
KEYWORDS: dict[int, dict[str, int]] = {
    4: _DRAFT_4, 6: _DRAFT_6, 7: _DRAFT_7, 2019: _DRAFT_2019, 2020: _DRAFT_2020, LOOSE: {**_DRAFT_7, **_DRAFT_2019, **_DRAFT_2020},
}  # fmt: skip
_VALIDATION = frozenset((
    "type", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength", "minLength",
    "pattern", "maxItems", "minItems", "uniqueItems", "maxContains", "minContains", "maxProperties", "minProperties", "required",
    "dependentRequired",
))  # fmt: skip
_APPLICATOR = frozenset((
    "prefixItems", "items", "contains", "additionalProperties", "properties", "patternProperties", "dependentSchemas",
    "propertyNames", "if", "allOf", "anyOf", "oneOf", "not", "additionalItems", "unevaluatedItems", "unevaluatedProperties",
))  # fmt: skip
_DRAFTS = {
    "json-schema.org/draft-04/schema": 4, "json-schema.org/draft-06/schema": 6, "json-schema.org/draft-07/schema": 7,
    "json-schema.org/draft/2019-09/schema": 2019, "json-schema.org/draft/2020-12/schema": 2020,
    "json-schema.org/schema": LOOSE, "json-schema.org/draft-03/schema": LOOSE,
}  # fmt: skip


def escape(part: str) -> str:
    """One part of a JSON pointer."""
    return part.replace("~", "~0").replace("/", "~1") if "~" in part or "/" in part else part


class Dialect(NamedTuple):
    """The keywords that mean something, and whether the metaschema asks for formats to be asserted."""

    draft: int
    keywords: dict[str, int]
    asserts_formats: bool = False


class Anchor(NamedTuple):
    """A `$dynamicAnchor` and the resource that it stands in; as a part of keys it counts by identity."""

    schema: Any
    scope: Scope

    def __hash__(self) -> int:
        return id(self.schema)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Anchor) and self.schema is other.schema


Path = tuple[tuple[str, Anchor], ...]
DIALECTS = {draft: Dialect(draft, keywords) for draft, keywords in KEYWORDS.items()}
LOOSE_DIALECT = DIALECTS[LOOSE]


def dialect_of(schema: Any, remotes: dict[str, Any] | None, default: Dialect) -> Dialect:
    """The dialect that `$schema` names, which may be a metaschema among the remotes; the default where it is unknown."""
    uri = schema.get("$schema") if isinstance(schema, dict) else None
    if not isinstance(uri, str):
        return default
    bare = uri.rstrip("#").removeprefix("http://").removeprefix("https://")
    if bare in _DRAFTS:
        return DIALECTS[_DRAFTS[bare]]
    metaschema = (remotes or {}).get(uri)
    if not isinstance(metaschema, dict) or metaschema.get("$schema") == uri:
        return default
    outer = dialect_of(metaschema, remotes, default)
    vocabulary = metaschema.get("$vocabulary")
    if not isinstance(vocabulary, dict) or outer.draft not in (2019, 2020):
        return outer
    names = {str(v).rpartition("/")[2] for v in vocabulary}
    left_out = _VALIDATION if "validation" not in names else frozenset()
    if "applicator" not in names:
        left_out |= _APPLICATOR
    keywords = {k: bit for k, bit in outer.keywords.items() if k not in left_out}
    return Dialect(outer.draft, keywords, "format-assertion" in names)


def _dynamic_anchors(root: Any) -> list[tuple[str, Any]]:
    """The names that a resource makes dynamic, with their schemas; "#" for a root that says `$recursiveAnchor`."""
    found: list[tuple[str, Any]] = []
    stack = [root]
    while stack:
        here = stack.pop()
        if isinstance(here, list):
            stack += here
        elif isinstance(here, dict) and (here is root or not isinstance(here.get("$id"), str)):
            if isinstance(here.get("$dynamicAnchor"), str):
                found.append((here["$dynamicAnchor"], here))
            stack += [v for k, v in here.items() if k not in ("enum", "const", "default", "examples") and isinstance(v, (dict, list))]
    if isinstance(root, dict) and root.get("$recursiveAnchor") is True:
        found.append(("#", root))
    return found


class Scope:
    """One schema resource: its root, base URI and draft; resolves references from inside it."""

    __slots__ = ("_anchors", "_path", "_resolver", "_scopes", "base", "dialect", "draft", "keywords", "remotes", "root")

    def __init__(
        self, root: Any, remotes: dict[str, Any] | None, base: str = "", dialect: Dialect | None = None, path: Path = ()
    ) -> None:
        self.root = root
        self.remotes = remotes
        self.dialect = dialect_of(root, remotes, LOOSE_DIALECT) if dialect is None else dialect
        self.draft, self.keywords = self.dialect.draft, self.dialect.keywords
        self.base = base
        self._path = path
        self._anchors: Path | None = None
        self._resolver: Any = None
        self._scopes: dict[tuple[str, int, Path], Scope] = {}

    def resolve(self, ref: str, where: str) -> tuple[Any, Scope, str]:
        """What a reference means: the schema, the scope it is read in, and its pointer for messages."""
        if ref == "#":
            return self.root, self, "#"
        if ref.startswith("#/"):
            found = self._follow(ref)
            if found is not None:
                return found[0], self, ref
        return self._look_up(ref, where)

    def _follow(self, ref: str) -> tuple[Any] | None:
        """Inside this resource, as long as no other resource begins on the way."""
        here = self.root
        key = "id" if self.draft == 4 else "$id"
        for part in ref[2:].split("/"):
            if "%" in part:
                part = unquote(part)
            if "~" in part:
                part = part.replace("~1", "/").replace("~0", "~")
            if isinstance(here, dict) and part in here:
                here = here[part]
            elif isinstance(here, list) and part.isdigit() and int(part) < len(here):
                here = here[int(part)]
            else:
                return None
            if isinstance(here, dict) and isinstance(here.get(key), str):
                return None
        return (here,) if isinstance(here, (dict, bool)) else None

    def _look_up(self, ref: str, where: str) -> tuple[Any, Scope, str]:
        from referencing.exceptions import Unresolvable

        resolver = self.resolver()
        full = urljoin(self.base, ref)
        try:
            resolved = resolver.lookup(ref)
        except Unresolvable:
            inside = ref.startswith("#")
            if inside:
                raise SchemaError(f"json schema: '$ref' {ref!r} at {where} points to nothing in this schema", pointer=where) from None
            raise UnsupportedError(
                f"json schema: '$ref' to {ref!r}",
                f"at {where}",
                f"json schema: '$ref' to {ref!r} at {where} is in none of the schemas passed as remotes={{uri: schema}}; "
                "nothing is fetched from a network or a file",
            ) from None
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            raise SchemaError(f"json schema: '$ref' {ref!r} at {where} cannot be resolved: {error}", pointer=where) from None
        except BaseException as error:  # rpds panics, with a class of its own, when a RecursionError meets it
            if type(error).__name__ != "PanicException":
                raise
            raise RecursionError from None
        if not isinstance(resolved.contents, (dict, bool)):
            raise SchemaError(f"json schema: '$ref' {ref!r} at {where} points to no schema", pointer=where)
        return resolved.contents, self.at(resolved.resolver), full if not ref.startswith("#") else ref

    def resolver(self) -> Any:
        """The `referencing` resolver of this resource."""
        if self._resolver is None:
            from referencing import Registry, Resource

            specification = _specification(self.draft, self.root)
            registry: Any = _metaschemas()
            for uri, contents in (self.remotes or {}).items():
                resource = Resource.from_contents(contents, default_specification=specification)
                registry = registry.with_resource(uri, resource)
            root: Any = specification.create_resource(self.root)
            uri = root.id() or self.base
            registry = registry.with_resource(uri, root).crawl()  # once: else each look-up would crawl again
            self.base = uri
            self._resolver = registry.resolver(uri) if isinstance(registry, Registry) else None
        return self._resolver

    def at(self, resolver: Any) -> Scope:
        """The scope of another resource that a look-up ended in."""
        base = resolver._base_uri
        if base == self.base:
            return self
        root = resolver.lookup("#").contents
        path = self.anchors()
        key = (base, id(root), path)
        scope = self._scopes.get(key)
        if scope is None:
            scope = Scope(root, self.remotes, base, dialect_of(root, self.remotes, self.dialect), path)
            scope._resolver = resolver
            scope._scopes = self._scopes
            self._scopes[key] = scope
        return scope

    def anchors(self) -> Path:
        """The dynamic anchors in sight here: for each name the outermost resource on the path that has it."""
        if self._anchors is None:
            known = {name for name, _ in self._path}
            own = _dynamic_anchors(self.root) if self.draft in (LOOSE, 2019, 2020) else ()
            self._anchors = self._path + tuple((name, Anchor(schema, self)) for name, schema in own if name not in known)
        return self._anchors

    def resolve_dynamic(self, ref: str, keyword: str, where: str) -> tuple[Any, Scope, str]:
        """What `$dynamicRef` or `$recursiveRef` means on the path that led here."""
        target, scope, pointer = self.resolve(ref, where)
        name = ref.partition("#")[2]
        marked = isinstance(target, dict) and (
            target.get("$dynamicAnchor") == name if keyword == "$dynamicRef" else target.get("$recursiveAnchor") is True
        )
        if not marked:
            return target, scope, pointer
        wanted = name if keyword == "$dynamicRef" else "#"
        for known, anchor in self.anchors():
            if known == wanted:
                home = self.at(anchor.scope.resolver()) if anchor.scope is not self else self
                return anchor.schema, home, f"{home.base}#{name}" if home.base else f"#{name}"
        return target, scope, pointer

    def enter(self, schema: dict[str, Any]) -> Scope:
        """The scope of a subschema that carries an `$id`."""
        if schema is self.root:
            return self
        identifier = schema.get("id" if self.draft == 4 else "$id")
        if not isinstance(identifier, str) or identifier.startswith("#"):
            return self
        specification = _specification(self.draft, self.root)
        return self.at(self.resolver().in_subresource(specification.create_resource(schema)))


def _specification(draft: int, root: Any) -> Any:
    """How references are read; where no draft is given `definitions` without `$defs` says draft 7."""
    from referencing import jsonschema as specifications

    if draft == LOOSE and isinstance(root, dict) and "definitions" in root and "$defs" not in root:
        draft = 7
    return {
        4: specifications.DRAFT4, 6: specifications.DRAFT6, 7: specifications.DRAFT7, 2019: specifications.DRAFT201909,
    }.get(draft, specifications.DRAFT202012)  # fmt: skip


def _metaschemas() -> Any:
    """The published metaschemas where `jsonschema-specifications` is installed, else an empty registry."""
    from referencing import Registry

    try:
        from jsonschema_specifications import REGISTRY
    except ImportError:
        return Registry()
    return REGISTRY


def read_schema(source: Any) -> Any:
    """Plain data (dict or bool) from a schema, JSON text, or a Python type that pydantic can describe."""
    if isinstance(source, (dict, bool)):
        return source
    if isinstance(source, str):
        return _read_text(source)
    if isinstance(source, bytes):
        try:
            return _read_text(source.decode())
        except UnicodeDecodeError as error:
            raise SchemaError(f"json schema: not UTF-8 text: {error.reason} at byte {error.start}") from None
    from .types import read_type

    return read_type(source).schema


def _read_text(text: str) -> Any:
    try:
        schema = json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        message = f"json schema: not JSON: {error.msg[:1].lower()}{error.msg[1:]} (line {error.lineno}, column {error.colno})"
        raise SchemaError(message, text, (error.pos, error.pos + 1)) from None
    except ValueError as error:
        raise SchemaError(f"json schema: not JSON: {error}") from None
    except RecursionError:
        raise LimitExceeded("schema nesting depth", None, 1000, "limit exceeded: schema nesting depth: the text nests too deep for a JSON parser") from None
    if not isinstance(schema, (dict, bool)):
        raise SchemaError(f"json schema: a schema is an object or a boolean, not {kind_of(schema)}", pointer="#")
    return schema


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def kind_of(value: Any) -> str:
    """What a JSON value is called in messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float, Decimal)):
        return "not a finite number" if isinstance(value, float) and not math.isfinite(value) else "a number"
    names: dict[type, str] = {str: "a string", list: "an array", tuple: "an array", dict: "an object"}
    return names.get(type(value), type(value).__name__)
