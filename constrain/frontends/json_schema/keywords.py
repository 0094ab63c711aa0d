"""Reading the keywords of one schema into shapes: the leaves of the normal form, asserted.

Each function takes a schema (a dict whose keywords are those of its scope's draft) and gives the shape that its
keywords of one kind make, with everything malformed named by its pointer. Held by tests/test_json_schema.py.
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from .formats import FORMATS, REFUSED
from .numbers import ANY_NUMBER, NumberShape, exact, settle
from .reading import CONTENT, FORMAT, LENGTH, Scope, escape
from .session import Session
from .shapes import ANY_KEY, TRUE, ArrayShape, Conjunction, Counted, KeyClass, ObjectShape
from .strings import ANY_STRING, StringShape
from .strings import settle as settle_string

TYPES = {"null": 1, "boolean": 2, "integer": 4, "number": 8 | 4, "string": 16, "object": 32, "array": 64}
ALL_TYPES = 127
BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"  # RFC 4648, section 4


def types_of(session: Session, schema: dict[str, Any], where: str) -> int:
    """The bits of the allowed types: null 1, boolean 2, integer 4, number 8 (with 4), string 16, object 32, array 64."""
    given = schema.get("type")
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, (list, tuple)) or not names:
        raise session.malformed("'type'", where, given, f"one of {', '.join(TYPES)}, or a list of these")
    bits = 0
    for name in names:
        bit = TYPES.get(name) if isinstance(name, str) else None
        if bit is None:
            raise session.malformed("'type'", where, name, f"one of {', '.join(TYPES)}, or a list of these")
        bits |= bit
    return bits


def count(session: Session, schema: dict[str, Any], keyword: str, where: str, default: int) -> int:
    """A keyword whose value is a whole number ≥ 0, 2.0 included; the default where it is absent."""
    value = schema.get(keyword)
    if value.__class__ is int and value >= 0:  # type: ignore[union-attr]
        return int(value)  # type: ignore[arg-type]
    if value is None and keyword not in schema:
        return default
    if isinstance(value, (float, Decimal)) and value >= 0 and value == int(value):
        return int(value)
    raise session.malformed(repr(keyword), where, value, "a whole number of at least 0")


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and math.isfinite(value)


def number_keyword(session: Session, schema: dict[str, Any], keyword: str, where: str) -> Fraction | None:
    value = schema.get(keyword)
    if value is None and keyword not in schema:
        return None
    if not is_number(value):
        raise session.malformed(repr(keyword), where, value, "a finite number")
    return exact(value)


def string_shape(session: Session, schema: dict[str, Any], mask: int, scope: Scope, where: str) -> StringShape | str:
    """minLength, maxLength, pattern, format."""
    if not mask & (LENGTH | FORMAT | CONTENT):
        return ANY_STRING
    low, high = count(session, schema, "minLength", where, 0), count(session, schema, "maxLength", where, -1)
    patterns: frozenset[tuple[str, bool]] = frozenset()
    pattern = schema.get("pattern")
    if pattern is not None:
        if not isinstance(pattern, str):
            raise session.malformed("'pattern'", where, pattern, "a string")
        patterns = frozenset(((pattern, True),))
    if mask & CONTENT:
        patterns = patterns.union((p, True) for p in content_patterns(session, schema, where))
    name = asserted_format(session, schema, scope, where)
    formats = frozenset(((name, True),)) if name else frozenset()
    shape = StringShape(low, high, patterns, formats)
    return shape if high < 0 or low <= high else settle_string(shape)


def content_patterns(session: Session, schema: dict[str, Any], where: str) -> list[str]:
    """Drafts up to 7 let `contentEncoding` and `contentMediaType` be assertions, and where no draft is given they are."""
    is_base64 = schema.get("contentEncoding") == "base64"
    if schema.get("contentMediaType") != "application/json":
        return [BASE64] if is_base64 else []
    if is_base64:
        session.refuse("'contentMediaType' 'application/json' inside base64", where)
    return [json_pattern()]


@lru_cache(maxsize=1)
def json_pattern() -> str:
    """JSON texts whose containers nest at most 3 deep, as a pattern: narrower than the standard, so never denied."""
    space = r"[ \t\n\r]*"
    string = r'"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*"'
    value = rf"(?:{string}|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null)"
    for _ in range(3):
        item, member = f"{value}{space}", f"{string}{space}:{space}{value}{space}"
        containers = rf"\[{space}(?:{item}(?:,{space}{item})*)?\]|\{{{space}(?:{member}(?:,{space}{member})*)?\}}"
        value = f"(?:{value}|{containers})"
    return f"^{space}{value}{space}$"


def asserted_format(session: Session, schema: dict[str, Any], scope: Scope, where: str) -> str | None:
    """The format that is to be asserted; None for annotations."""
    name = schema.get("format")
    asserts = session.options.formats == "assert" or scope.dialect.asserts_formats
    if name is None or not asserts or not isinstance(name, str):
        return None
    if name in REFUSED or (name not in FORMATS and session.options.strict_formats):
        session.refuse(f"'format' {name!r}", where)
        return None
    return name if name in FORMATS else None


def number_shape(session: Session, schema: dict[str, Any], integer: bool | None, draft: int, where: str) -> NumberShape | str:
    """minimum, maximum, their exclusive kin (a boolean in draft 4), multipleOf."""
    low = number_keyword(session, schema, "minimum", where)
    high = number_keyword(session, schema, "maximum", where)
    low_open = high_open = False
    for keyword in ("exclusiveMinimum", "exclusiveMaximum"):
        value = schema.get(keyword)
        if value is None:
            continue
        is_low = keyword == "exclusiveMinimum"
        if isinstance(value, bool):
            if draft > 4:
                raise session.malformed(repr(keyword), where, value, "a finite number")
            low_open, high_open = (low_open or (is_low and value)), (high_open or (not is_low and value))
            continue
        bound = number_keyword(session, schema, keyword, where)
        assert bound is not None
        if is_low and (low is None or bound >= low):
            low, low_open = bound, True
        elif not is_low and (high is None or bound <= high):
            high, high_open = bound, True
    step = number_keyword(session, schema, "multipleOf", where)
    if step is not None and step <= 0:
        raise session.malformed("'multipleOf'", where, schema["multipleOf"], "a number above 0")
    steps = frozenset(((step, True),)) if step else frozenset()
    if low is None and high is None and not steps and integer is None:
        return ANY_NUMBER
    shape = NumberShape(low, low_open and low is not None, high, high_open and high is not None, integer, steps)
    return settle(shape._replace(plain=bool(integer) and (draft == 4 or session.options.integers == "plain")))


def required_names(session: Session, schema: dict[str, Any], where: str) -> list[str]:
    """`required`, checked."""
    names = schema.get("required")
    if names is None:
        return []
    if isinstance(names, (list, tuple)) and all(isinstance(n, str) for n in names):
        return list(names)
    raise session.malformed("'required'", where, names, "an array of strings")


def mapping(session: Session, schema: dict[str, Any], keyword: str, where: str) -> dict[str, Any]:
    """A keyword whose value is an object; empty where it is absent."""
    value = schema.get(keyword)
    if isinstance(value, dict):
        return value
    if value is None and keyword not in schema:
        return {}
    raise session.malformed(repr(keyword), where, value, "an object")


def schema_list(session: Session, schema: dict[str, Any], keyword: str, where: str) -> list[Any]:
    """A keyword whose value is a non-empty array of schemas."""
    value = schema.get(keyword)
    if isinstance(value, (list, tuple)) and value:
        return list(value)
    raise session.malformed(repr(keyword), where, value, "a non-empty array of schemas")


def object_shape(keys: Keys, schema: dict[str, Any], scope: Scope, where: str) -> ObjectShape | str:
    """properties, patternProperties, additionalProperties, propertyNames, required, minProperties, maxProperties."""
    session = keys.session
    classes: list[tuple[KeyClass, Conjunction]] = [(ANY_KEY, TRUE)]
    for pattern, sub in mapping(session, schema, "patternProperties", where).items():
        place = f"{where}/patternProperties/{escape(pattern)}"
        session.pattern_places.setdefault(pattern, place)
        item = session.literal(sub, scope, place)
        classes = keys.split(classes, ("pattern", pattern, True), item, where)
    names: dict[str, Conjunction] = {}
    for name, sub in mapping(session, schema, "properties", where).items():
        item = session.literal(sub, scope, f"{where}/properties/{escape(name)}")
        names[name] = item | keys.value_of(classes, name) if len(classes) > 1 else item
    if "additionalProperties" in schema and "additionalProperties" in scope.keywords:
        rest = session.literal(schema["additionalProperties"], scope, f"{where}/additionalProperties")
        classes = [(k, rest if not any(positive for _, _, positive in k) else c) for k, c in classes]
    low, high = count(session, schema, "minProperties", where, 0), count(session, schema, "maxProperties", where, -1)
    if 0 <= high < low:
        return f"'minProperties' {low} is above 'maxProperties' {high}"
    shape = ObjectShape(names, frozenset(required_names(session, schema, where)), tuple(classes), low, high)
    if "propertyNames" in schema and "propertyNames" in scope.keywords:
        return keys.merge(shape, keys.named(session.literal(schema["propertyNames"], scope, f"{where}/propertyNames")))
    return keys.settle(shape)


def array_shape(session: Session, schema: dict[str, Any], scope: Scope, where: str) -> ArrayShape:
    """prefixItems, items, additionalItems, minItems, maxItems, contains, uniqueItems."""
    known = scope.keywords
    prefix: list[Conjunction] = []
    rest = TRUE
    if "prefixItems" in schema and "prefixItems" in known:
        value = schema["prefixItems"]
        if not isinstance(value, (list, tuple)):
            raise session.malformed("'prefixItems'", where, value, "an array of schemas")
        prefix = [session.literal(sub, scope, f"{where}/prefixItems/{i}") for i, sub in enumerate(value)]
    items = schema.get("items", True)
    if isinstance(items, (list, tuple)):
        if scope.draft == 2020 or prefix:
            raise session.malformed("'items'", where, items, "a schema (a list belongs into 'prefixItems')")
        prefix = [session.literal(sub, scope, f"{where}/items/{i}") for i, sub in enumerate(items)]
        if "additionalItems" in schema and "additionalItems" in known:
            rest = session.literal(schema["additionalItems"], scope, f"{where}/additionalItems")
    else:
        rest = session.literal(items, scope, f"{where}/items")
    contains: tuple[Counted, ...] = ()
    if "contains" in schema and "contains" in known:
        item = session.literal(schema["contains"], scope, f"{where}/contains")
        low = count(session, schema, "minContains", where, 1) if "minContains" in known else 1
        high = count(session, schema, "maxContains", where, -1) if "maxContains" in known else -1
        contains = (Counted(item, 0, low, high),) if low or high >= 0 else ()
    unique = schema.get("uniqueItems", False)
    if not isinstance(unique, bool):
        raise session.malformed("'uniqueItems'", where, unique, "a boolean")
    low, high = count(session, schema, "minItems", where, 0), count(session, schema, "maxItems", where, -1)
    return ArrayShape(tuple(prefix), rest, low, high, contains, unique)


class Keys:
    """The classes of object keys of one session: their languages, and merging the shapes that they partition."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.languages: dict[KeyClass, int] = {}
        self.body_of_keys: Any = None  # set by the normaliser: the string bodies that a conjunction allows
        self.pattern_body: Any = None

    def atom(self, kind: str, what: Any, positive: bool) -> int:
        """The bodies of keys that one assertion allows."""
        s = self.session.set
        e = self.pattern_body(what) if kind == "pattern" else self.body_of_keys(what)
        return int(e if positive else s.complement(e))

    def language(self, keys: KeyClass) -> int:
        """The bodies of the keys of a class; NO_MATCH where it is known to be empty."""
        known = self.languages.get(keys)
        if known is None:
            s = self.session.set
            ordered = sorted(keys, key=lambda k: (k[0], repr(k[1]), k[2]))
            parts = [self.atom(kind, what, positive) for kind, what, positive in ordered]
            if not any(positive for _, _, positive in keys):
                parts.append(self.session.alphabet.any_text)
            whole = parts[0] if len(parts) == 1 else s.intersection(parts)
            known = self.languages[keys] = 0 if s.is_empty(whole) else whole
        return known

    def holds(self, keys: KeyClass, name: str) -> bool:
        """Is a name in the class?"""
        if not keys:
            return True
        s, alphabet = self.session.set, self.session.alphabet
        text = alphabet.text(name)
        return all(
            s.is_empty(s.intersection([text, self.atom(kind, what, True)])) != positive for kind, what, positive in keys
        )

    def value_of(self, classes: Any, name: str) -> Conjunction:
        """What a shape's classes ask of a name that it does not list."""
        for keys, item in classes:
            if self.holds(keys, name):
                return item  # type: ignore[no-any-return]
        return TRUE if not classes else frozenset((1,))

    def split(self, classes: list[tuple[KeyClass, Conjunction]], atom: tuple[str, object, bool], item: Conjunction, where: str) -> Any:
        """Every class in two: keys inside the atom, which also have to satisfy `item`, and the others."""
        kind, what, _ = atom
        out = []
        for keys, value in classes:
            inside, outside = keys | {atom}, keys | {(kind, what, False)}
            if not keys or self.language(inside):
                out.append((inside, value | item))
            if not keys or self.language(outside):
                out.append((outside, value))
        if len(out) > 64:
            self.session.refuse("so many overlapping 'patternProperties'", where)
        return out

    def named(self, names: Conjunction) -> ObjectShape:
        """Objects whose keys all satisfy a conjunction as strings."""
        if not names:
            return ObjectShape({})
        atom, never = ("keys", names, True), frozenset((1,))
        return ObjectShape({}, frozenset(), ((frozenset((atom,)), TRUE), (frozenset((("keys", names, False),)), never)))

    def merge(self, x: ObjectShape, y: ObjectShape) -> ObjectShape | str:
        """The conjunction, or in words why it is empty."""
        plain = len(y.classes) == 1 and not y.classes[0][1] and not y.classes[0][0]
        names = {n: c | (y.names[n] if n in y.names else TRUE if plain else self.value_of(y.classes, n)) for n, c in x.names.items()}
        for n, c in y.names.items():
            if n not in names:
                names[n] = c | self.value_of(x.classes, n)
        if plain:
            classes = x.classes
        else:
            classes = tuple(
                (a | b, c | d) for a, c in x.classes for b, d in y.classes if not a or not b or self._compatible(a, b)
            )
        high = x.high if y.high < 0 else y.high if x.high < 0 else min(x.high, y.high)
        low = max(x.low, y.low)
        if 0 <= high < low:
            return f"'minProperties' {low} is above 'maxProperties' {high}"
        witnesses = tuple(dict.fromkeys(x.witnesses + y.witnesses))
        return self.settle(ObjectShape(names, x.required | y.required, classes, low, high, witnesses))

    def _compatible(self, a: KeyClass, b: KeyClass) -> bool:
        return not any((kind, what, not positive) in b for kind, what, positive in a) and bool(self.language(a | b))

    def settle(self, x: ObjectShape) -> ObjectShape | str:
        """The shape, or why it is empty at first sight."""
        for name in sorted(x.required):
            item = x.names[name] if name in x.names else self.value_of(x.classes, name)
            if 1 in item:
                why = "another keyword" if name in x.names else "'additionalProperties' or 'propertyNames'"
                return f"'required' asks for the property {name!r}, which {why} forbids"
        if 0 <= x.high < len(x.required):
            return f"'required' asks for {len(x.required)} properties, above 'maxProperties' {x.high}"
        return x
