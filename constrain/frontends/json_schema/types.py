r"""Python types as schemas: what a model should write so that pydantic reads it as an object of the type.

`read_type` gives both halves, the schema and the parser, so that they cannot drift apart. Invariant: every text of the
schema parses, unless a validator written in Python refuses it. pydantic's own JSON schema does not promise that: each
entry of `_NARROWER` is one place where its parser is stricter (decimals, moments, URLs, keys of dicts, …), and where no
schema says what the parser wants, the type is refused by name. Moments need no zone, as in what pydantic itself writes.
Objects whose further keys pydantic would drop are closed. pydantic is imported when a type comes, never before.
Held by tests/test_types.py.
"""

from __future__ import annotations

import datetime
import json
import math
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from decimal import Decimal
from functools import lru_cache, partial
from typing import Annotated, Any, NamedTuple, NoReturn, get_args, get_origin, get_type_hints, is_typeddict

from ...errors import ConstrainError, SchemaError, UnsupportedError
from .formats import FORMATS
from .reading import kind_of, read_schema

__all__ = ["Answer", "read_type"]


class Answer(NamedTuple):
    """What a type asks of an answer: the schema of its text, and the parser of that text.

    >>> read_type({"type": "integer"}).parse("7.0")
    7
    """

    schema: Any
    parse: Callable[[str], Any]


def read_type(source: Any) -> Answer:
    """The schema of a source and the parser of its texts.

    `source`: a dict, bool or JSON text (the parser then gives plain data), or what pydantic can describe: a model, a
    dataclass, a TypedDict, an Enum, an annotation such as `list[int] | None`, a `pydantic.TypeAdapter`. `parse` raises
    ConstrainError for a text that pydantic, or a validator in Python, refuses. Raises SchemaError for what is no type,
    and UnsupportedError, naming the type, where no schema says which texts pydantic would accept.

    >>> answer = read_type(dict[int, bool])
    >>> answer.schema["propertyNames"], answer.parse('{"5": true}')
    ({'pattern': '^(?:0|-?[1-9][0-9]{0,17})$'}, {5: True})
    """
    if isinstance(source, (dict, bool, str, bytes)):
        return Answer(read_schema(source), _plain)
    adapter = _adapter(source)
    name = _name(source)
    try:
        schema = adapter.json_schema(schema_generator=_generator(), mode="validation")
    except ConstrainError:
        raise
    except Exception as error:  # pydantic raises several families here
        raise _unreadable(name, error) from error
    return Answer(schema, partial(_validated, adapter, name))


def _plain(text: str) -> Any:
    """Plain data; 7.0 is the integer 7, as JSON Schema has it."""
    try:
        value = json.loads(text, parse_float=_number)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError) as error:  # JSON, but thousands of digits or brackets
        raise ConstrainError(f"json schema: Python cannot hold the value: {error}") from None
    return value


def _number(text: str) -> int | float:
    """A number written with a fraction or an exponent, whole ones as such."""
    value = float(text)
    if value.is_integer():
        exact = Decimal(text) if abs(value) >= 2**53 else Decimal(value)
        return int(exact) if exact == exact.to_integral_value() else value
    return value


def _validated(adapter: Any, name: str, text: str) -> Any:
    """The object that pydantic makes of a text, whole numbers spelt as such first."""
    try:
        return adapter.validate_json(json.dumps(json.loads(text, parse_float=_number), ensure_ascii=False))
    except Exception as error:  # validators in Python may raise anything
        raise ConstrainError(f"json schema: {name} refuses {text[:60]!r}: {error}") from error


def _name(source: Any) -> str:
    """A type as its user would write it."""
    source = getattr(source, "_type", source)  # of a TypeAdapter
    if get_origin(source) is Annotated:
        source = get_args(source)[0]
    return source.__name__ if isinstance(source, type) and not get_args(source) else str(source)


def _unreadable(name: str, error: Exception) -> SchemaError:
    return SchemaError(f"json schema: pydantic has no schema for {name}: {str(error).splitlines()[0]}", pointer="#")


# -------------------------------------------------------------------------------------------- types


def _adapter(source: Any) -> Any:
    """The TypeAdapter of a source."""
    if source is None or isinstance(source, (int, float, list, tuple, set)):
        raise SchemaError(f"json schema: a schema is an object or a boolean, not {kind_of(source)}", pointer="#")
    try:
        from pydantic import BaseModel, TypeAdapter
    except ImportError:
        raise ConstrainError(f"json schema: a schema from the type {source!r} needs pydantic 2: pip install pydantic") from None
    if isinstance(source, TypeAdapter):
        return source
    if isinstance(source, BaseModel) or (is_dataclass(source) and not isinstance(source, type)):
        kind = type(source).__name__
        raise SchemaError(f"json schema: an object of {kind} is no schema, expected the class {kind} itself", pointer="#")
    try:
        with _readable_typed_dicts(source):
            return TypeAdapter(source, _parent_depth=_depth_of_caller())
    except Exception as error:  # pydantic raises several families here
        raise _unreadable(_name(source), error) from error


def _depth_of_caller() -> int:
    """How far up TypeAdapter finds the user's frame, to look up the names of local classes there."""
    frame, depth = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("constrain."):
        frame, depth = frame.f_back, depth + 1
    return depth


_typed_dict_lock = threading.Lock()


@contextmanager
def _readable_typed_dicts(source: Any) -> Iterator[None]:
    """Before Python 3.12, lets pydantic read typing's TypedDicts, wherever in a type they stand.

    For that while, each has the hook by which pydantic asks a class for its schema; it answers with that of a twin made by
    typing_extensions.
    """
    if sys.version_info >= (3, 12):
        yield
        return
    hook = "__get_pydantic_core_schema__"
    with _typed_dict_lock:
        found = [kind for kind in _typed_dicts(source, set()) if not hasattr(kind, hook)]
        for kind in found:
            twin = _twin(kind)
            setattr(kind, hook, staticmethod(lambda _, handler, twin=twin: handler(twin)))
        try:
            yield
        finally:
            for kind in found:
                delattr(kind, hook)


def _typed_dicts(source: Any, seen: set[int]) -> Iterator[Any]:
    """typing's own TypedDicts inside a type."""
    if id(source) in seen or isinstance(source, (str, bytes)):
        return
    seen.add(id(source))
    if is_typeddict(source) and type(source).__module__ == "typing":
        yield source
    inner = [*get_args(source), *(getattr(source, name, None) for name in ("__supertype__", "__value__"))]
    if is_typeddict(source) or (isinstance(source, type) and is_dataclass(source)):
        inner += _hints(source).values()
    for part in inner:
        if part is not None:
            yield from _typed_dicts(part, seen)


def _hints(kind: Any) -> dict[str, Any]:
    try:
        return get_type_hints(kind, include_extras=True)
    except NameError:  # names of a function's locals: left to pydantic
        return dict(kind.__annotations__)


def _twin(kind: Any) -> Any:
    """The same TypedDict from typing_extensions."""
    from typing_extensions import NotRequired, Required, TypedDict

    keys = {}
    for key, hint in _hints(kind).items():
        if get_origin(hint) not in (Required, NotRequired):
            hint = Required[hint] if key in kind.__required_keys__ else NotRequired[hint]
        keys[key] = hint
    make: Any = TypedDict
    twin = make(kind.__name__, keys)
    for name in ("__doc__", "__module__", "__pydantic_config__"):
        if hasattr(kind, name):
            setattr(twin, name, getattr(kind, name))
    return twin


# -------------------------------------------------------------------------------------------- where pydantic is laxer


@lru_cache(maxsize=1)
def _generator() -> Any:
    """pydantic's generator of schemas with the entries of `_NARROWER` in place of its own."""
    from pydantic.json_schema import GenerateJsonSchema

    def narrowed(name: str, narrow: Callable[..., Any]) -> Callable[..., Any]:
        usual = getattr(GenerateJsonSchema, name)
        return lambda self, core, *rest: narrow(self, core, lambda: usual(self, core, *rest), *rest)

    methods = {name: narrowed(name, narrow) for name, narrow in _NARROWER.items() if hasattr(GenerateJsonSchema, name)}
    return type("Generator", (GenerateJsonSchema,), {"field_now": "", **methods})


def _refuse(made: Any, feature: str) -> NoReturn:
    where = f"in field {made.field_now!r}" if made.field_now else ""
    message = f"json schema: {feature} is not supported {where}".rstrip()
    raise UnsupportedError(f"json schema: {feature}", where, f"{message}; no schema says which texts pydantic would accept")


def _text(pattern: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^(?:{pattern})$", **more}


def _alias(made: Any, core: Any, usual: Callable[[], str], name: str) -> str:
    """The key that the parser looks up; also notes the field for messages."""
    made.field_now = name
    alias = core.get("validation_alias", name)
    by_alias = getattr(made._config, "validate_by_alias", None)
    if by_alias is False or isinstance(alias, str):
        return name if by_alias is False else str(alias)
    paths = alias if isinstance(alias[0], list) else [alias]
    if not any(len(path) == 1 and isinstance(path[0], str) for path in paths):
        _refuse(made, f"a validation_alias of more than a name, {alias!r},")
    return usual()


def _closed(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Keys that pydantic would drop are not offered."""
    schema = usual()
    if schema.get("type") == "object" and "properties" in schema:
        schema.setdefault("additionalProperties", False)
    return schema


def _listed(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Literals and enumerations without the members that no JSON text means, such as tuples."""
    from pydantic_core import SchemaValidator

    schema = usual()
    values = [schema["const"]] if "const" in schema else schema.get("enum", [])
    parser = SchemaValidator({key: value for key, value in core.items() if key != "ref"})
    kept = [value for value in values if _parses(parser, value)]
    if values and not kept:
        _refuse(made, f"{core['type']} of {values!r:.60}")
    return {**schema, "enum": kept} if len(kept) < len(values) else schema


def _parses(parser: Any, value: Any) -> bool:
    try:
        parser.validate_json(json.dumps(value))
    except ValueError:
        return False
    return True


def _float(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Bounds that hold after rounding to a float; finite where pydantic wants it so."""
    schema = {k: v for k, v in usual().items() if k not in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")}
    low, high = _float_bounds(core)
    if core.get("allow_inf_nan", getattr(made._config, "allow_inf_nan", True)) is False:
        low, high = max(low, -sys.float_info.max), min(high, sys.float_info.max)
    return schema | _bounds(low, high)


def _float_bounds(core: Any) -> tuple[float, float]:
    """The least and the greatest float between the bounds of a type."""
    low, high = -math.inf, math.inf
    for name in ("ge", "gt"):
        if core.get(name) is not None:
            bound = float(core[name])
            low = max(low, math.nextafter(bound, math.inf) if Decimal(repr(bound)) < core[name] or name == "gt" else bound)
    for name in ("le", "lt"):
        if core.get(name) is not None:
            bound = float(core[name])
            high = min(high, math.nextafter(bound, -math.inf) if Decimal(repr(bound)) > core[name] or name == "lt" else bound)
    tiny = 1e-100  # bounds next to 0 with hundreds of digits are slow to compile
    return (tiny if 0 < low < tiny else low), (-tiny if -tiny < high < 0 else high)


def _bounds(low: float, high: float) -> dict[str, float]:
    return ({"minimum": low} if low > -math.inf else {}) | ({"maximum": high} if high < math.inf else {})


def _decimal(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A number as far as floats are exact, or a string of digits."""
    low, high = _float_bounds(core)
    digits, places = core.get("max_digits"), core.get("decimal_places")
    step = {} if core.get("multiple_of") is None else {"multipleOf": core["multiple_of"]}
    cases = _digit_cases(digits, places)
    numbers = []
    for whole, part in cases if cases[0][0] else ():  # 0 itself has a digit before the point
        most = min(15, whole)
        scale = {"multipleOf": Decimal(1).scaleb(-part)} if digits is not None or places is not None else {}
        limit = float(10**most - (Decimal(1).scaleb(-part) if scale else 1))
        numbers.append({"type": "number", **scale, **_bounds(max(low, -limit), min(high, limit))})
    if step:
        numbers = [{**number, "allOf": [step]} if "multipleOf" in number else {**number, **step} for number in numbers]
    text = _decimal_text(core, cases, digits is not None or places is not None)
    schemas = [*numbers, *text] or _refuse(made, "this Decimal, with bounds and no digit before the point,")
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _digit_cases(digits: int | None, places: int | None) -> list[tuple[int, int]]:
    """Pairs of digits before and after the point that max_digits and decimal_places allow together."""
    if digits is None:
        return [(18, 18 if places is None else places)]
    if places is not None:
        return [(max(digits - places, 0), min(places, digits))]
    return [(digits - part, part) for part in range(min(digits - 1, 6) + 1)]


def _decimal_text(core: Any, cases: list[tuple[int, int]], exact: bool) -> list[dict[str, Any]]:
    """Strings of digits; none where a bound or a step would have to be seen in them."""
    if any(core.get(name) is not None for name in ("le", "lt", "multiple_of")):
        return []
    low = core.get("ge") if core.get("ge") is not None else core.get("gt")
    if low is not None and low != 0:
        return []
    sign = "-?" if low is None else ""
    some = "(?=.*[1-9])" if core.get("gt") is not None else ""
    forms = []
    for whole, part in cases:
        head = f"(?:0|[1-9][0-9]{{0,{whole - 1}}})" if whole else "0"
        tail = rf"(?:\.[0-9]{{1,{part}}})" if part else ""
        forms.append(head + (tail + "?" if tail and whole else tail))
    return [_text(f"{some}{sign}(?:{'|'.join(forms)})")]


_ASCII = r"^[\t\n\r -~]*$"
_TRIMMED = r"[^\s\x85\x1c-\x1f]"


def _str(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Patterns of Rust or Python in the syntax of JSON Schema; nothing at the ends that would be stripped."""
    schema = usual()
    patterns = []
    given = core.get("pattern")
    if given == r"^\s*(\d*\.?\d+)\s*(\w+)?":  # of ByteSize
        patterns.append(r"^[0-9]{1,12}(?:\.[0-9]{1,3})? ?(?:[bB]|[kKmMgGtTpP][iI]?[bB])?$")
    elif given is not None:
        patterns += _portable(made, given, core.get("regex_engine", getattr(made._config, "regex_engine", None)))
    if core.get("strip_whitespace", getattr(made._config, "str_strip_whitespace", False)):
        patterns.append(rf"^(?:{_TRIMMED}(?:[\s\S]*{_TRIMMED})?)?$")
    schema.pop("pattern", None)
    if patterns:
        schema["pattern"] = patterns[0]
    if len(patterns) > 1:
        schema["allOf"] = [{"pattern": pattern} for pattern in patterns[1:]]
    return schema


def _bytes(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Lengths in bytes; Base64 and hexadecimal digits where the configuration has them."""
    schema = usual()
    spelling = getattr(made._config, "val_json_bytes", "utf8")
    if spelling == "utf8":
        return {**schema, "pattern": _ASCII} if core.get("max_length") is not None else schema
    if core.get("min_length") or core.get("max_length") is not None:
        _refuse(made, f"the length of bytes as {spelling}")
    return _text("(?:[0-9a-f]{2})*" if spelling == "hex" else _base64(False, True))


def _base64(is_text: bool, is_url: bool) -> str:
    """Base64 with its padding, of any bytes or of ASCII text only."""
    from string import ascii_letters, ascii_uppercase, digits

    order = ascii_uppercase + ascii_letters[:26] + digits + ("-_" if is_url else "+/")

    def some(keep: Callable[[int], bool]) -> str:
        return "[" + "".join(sorted(c for i, c in enumerate(order) if keep(i))).replace("-", r"\-") + "]"

    first, second, third, any_one = (some(partial(lambda bit, i: not (is_text and i & bit), bit)) for bit in (32, 8, 2, 0))
    one, two = some(lambda i: i % 16 == 0), some(lambda i: i % 4 == 0 and not (is_text and i & 2))
    return f"(?:{first}{second}{third}{any_one})*(?:{first}{one}==|{first}{second}{two}=)?"


def _keyed(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Dicts: the keys that the parser reads as objects of the key's type."""
    schema = {k: v for k, v in usual().items() if k not in ("patternProperties", "propertyNames", "additionalProperties")}
    keys = _key(made, made.generate_inner(core["keys_schema"]) if "keys_schema" in core else {})
    if "values_schema" in core:
        schema["additionalProperties"] = made.generate_inner(core["values_schema"])
    if (core.get("min_length") or 0) > 1 and not _tells_apart(made, keys or {"type": "string"}):
        _refuse(made, "'min_length' of a dict with keys that have several spellings")
    return schema | ({"propertyNames": keys} if keys else {})


def _resolved(made: Any, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema behind a reference; anything where it is being made right now."""
    try:
        return dict(made.resolve_ref_schema(schema))
    except RuntimeError:
        return {}


def _key(made: Any, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object's key from that of a value."""
    schema = _resolved(made, schema)
    if "anyOf" in schema:
        return _key_of_some(made, schema["anyOf"])
    if "enum" in schema or "const" in schema:
        values = [value for value in schema.get("enum", [schema.get("const")]) if isinstance(value, str)]
        return {"enum": values} if values else _refuse(made, "a dict with keys that are no strings")
    kind = schema.get("type")
    if kind == "integer":
        return {"pattern": _whole_key(made, schema)}
    if kind == "number" and not schema.keys() & {"minimum", "maximum", "multipleOf"}:
        return {"pattern": r"^(?:0|-?(?:[1-9][0-9]{0,8}(?:\.[0-9]{0,4}[1-9])?|0\.[0-9]{0,4}[1-9]))$"}
    if kind == "boolean":
        return {"enum": ["true", "false"]}
    if kind == "string" or kind is None:
        rest = {k: v for k, v in schema.items() if k not in ("type", "title", "description")}
        return rest
    return _refuse(made, f"a dict with keys of JSON type {kind!r}")


def _key_of_some(made: Any, schemas: list[dict[str, Any]]) -> dict[str, Any]:
    """Those that keys can be; of a Decimal, the string."""
    keys = []
    for schema in schemas:
        try:
            keys.append(_key(made, schema))
        except UnsupportedError as error:
            if schema is schemas[-1] and not keys:
                raise error
    return {"anyOf": keys}


def _whole_key(made: Any, schema: dict[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    low = schema["exclusiveMinimum"] + 1 if "exclusiveMinimum" in schema else low
    high = schema["exclusiveMaximum"] - 1 if "exclusiveMaximum" in schema else high
    if low in (None, 0, 1) and high is None and "multipleOf" not in schema:
        signs = {None: "0|-?[1-9][0-9]{0,17}", 0: "0|[1-9][0-9]{0,17}", 1: "[1-9][0-9]{0,17}"}
        return f"^(?:{signs[low]})$"
    if low is None or high is None or high - low > 1000:
        return _refuse(made, "a dict with bounded integers as keys")
    step = schema.get("multipleOf", 1)
    return f"^(?:{'|'.join(str(i) for i in range(math.ceil(low), math.floor(high) + 1) if i % step == 0)})$"


def _set(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Sets: items have to differ where they are scalars, or where the set has a least length."""
    schema = usual()
    items = schema.get("items", {})
    if items == {}:  # what is no scalar has no hash
        items = schema["items"] = {"type": ["string", "number", "boolean", "null"]}
    low = core.get("min_length") or 0
    if low > 1 and not _tells_apart(made, items):
        _refuse(made, "'min_length' of a set of items that have several spellings")
    if low <= 1 and not _is_scalar(made, items):
        schema.pop("uniqueItems", None)
    return schema


def _is_scalar(made: Any, schema: dict[str, Any]) -> bool:
    schema = _resolved(made, schema)
    parts = schema.get("anyOf") or schema.get("oneOf")
    if parts:
        return all(_is_scalar(made, part) for part in parts)
    return "const" in schema or "enum" in schema or schema.get("type") not in (None, "array", "object")


def _tells_apart(made: Any, schema: dict[str, Any]) -> bool:
    """Whether different JSON values are different objects."""
    schema = _resolved(made, schema)
    if "enum" in schema or "const" in schema or schema.get("format") == "date":
        return True
    several = schema.keys() & {"anyOf", "oneOf", "format", "$ref"} or isinstance(schema.get("type"), list)
    return not several and schema.get("type") in (None, "string", "integer", "boolean")


# -------------------------------------------------------------------------------------------- moments

_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
_OFFSET = "[+-](?:[01][0-9]|2[0-3]):[0-5][0-9]"
_DURATION = (
    r"[+-]?P(?=[0-9T])(?:[0-9]{1,5}Y)?(?:[0-9]{1,6}M)?(?:[0-9]{1,6}W)?(?:[0-9]{1,7}D)?"
    r"(?:T(?=[0-9])(?:[0-9]{1,5}H)?(?:[0-9]{1,6}M)?(?:[0-9]{1,9}(?:\.[0-9]{1,6})?S)?)?"
)
_SECOND = datetime.timedelta(seconds=1)
_DAY = datetime.timedelta(days=1)


def _at_least(low: str) -> str:
    """Texts of digits at fixed places that do not sort before `low`, whatever follows."""
    above = [f"{low[:i]}[{int(c) + 1}-9]" for i, c in enumerate(low) if c.isdigit() and c < "9"]
    return f"^(?:{'|'.join([low, *above])})"


def _at_most(high: str) -> str:
    """Texts of digits at fixed places that do not sort after `high`; at `high` itself no fraction may follow."""
    below = [f"{high[:i]}[0-{int(c) - 1}]" for i, c in enumerate(high) if c.isdigit() and c > "0"]
    return f"^(?:{'|'.join([high + '(?:[Z+-]|$)', *below])})"


def _edges(core: Any, now: Any) -> Iterator[tuple[str, Any]]:
    """The bounds of a type, that of `past` or `future` among them."""
    yield from ((name, core[name]) for name in ("ge", "gt", "le", "lt") if core.get(name) is not None)
    if core.get("now_op"):
        yield ("lt" if core["now_op"] == "past" else "gt"), now


def _date(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    schema = usual()
    steps = {"ge": 0, "gt": 1, "le": 0, "lt": -1}
    bounds = []
    for name, edge in _edges(core, datetime.date.today()):
        text = (edge + steps[name] * _DAY).isoformat()
        bounds.append({"pattern": _at_least(text) if name[0] == "g" else _at_most(text)})
    return schema | ({"allOf": bounds} if bounds else {})


def _moment(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A datetime, with or without a zone; pydantic compares the written fields where one side has no zone."""
    body, zone = f"{FORMATS['date']}T{_CLOCK}", _zone(made, core)
    utc = datetime.timezone.utc
    edges = list(_edges(core, datetime.datetime.now(utc)))
    if not any(edge.tzinfo for _, edge in edges):
        return _bounded(_text(body + zone), edges, datetime.timedelta())
    edges = [(name, edge.astimezone(utc).replace(tzinfo=None) if edge.tzinfo else edge) for name, edge in edges]
    cases = [_bounded(_text(body + zone), edges, _DAY)]  # no zone is further from UTC than a day
    if re.fullmatch(zone, "Z"):
        cases.append(_bounded(_text(body + "Z"), edges, datetime.timedelta()))
    return {"anyOf": cases}


def _bounded(schema: dict[str, Any], edges: list[tuple[str, Any]], margin: datetime.timedelta, cut: int = 0) -> dict[str, Any]:
    """The schema of a moment with bounds on its fields as written from `cut`, to the second, drawn in by a margin."""
    bounds = []
    for name, edge in edges:
        start = edge.replace(microsecond=0)
        if name[0] == "g":
            start += margin + (_SECOND if name == "gt" or edge.microsecond else 0 * _SECOND)
            bounds.append({"pattern": _at_least(start.isoformat()[cut:])})
        else:
            start -= margin + (_SECOND if name == "lt" and not edge.microsecond else 0 * _SECOND)
            bounds.append({"pattern": _at_most(start.isoformat()[cut:])})
        if cut and start.date() != edge.date():
            raise OverflowError(f"{name}={edge.time()} leaves no whole second of the day")
    return schema | ({"allOf": bounds} if bounds else {})


def _zone(made: Any, core: Any) -> str:
    """The zones that a type's constraint allows."""
    wanted = core.get("tz_constraint")
    if wanted is None:
        return f"(?:Z|{_OFFSET})?"
    if wanted == "naive":
        return ""
    if wanted == "aware":
        return f"(?:Z|{_OFFSET})"
    minutes = abs(wanted) // 60
    offset = f"{'-' if wanted < 0 else r'[+]'}{minutes // 60:02d}:{minutes % 60:02d}"
    return offset if wanted else f"(?:Z|{offset})"


def _time(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    edges = list(_edges(core, None))
    if any(edge.tzinfo for _, edge in edges):
        _refuse(made, "a bound with a zone on a time")
    day = datetime.date(2000, 1, 1)
    moments = [(name, datetime.datetime.combine(day, edge)) for name, edge in edges]
    return _bounded(_text(_CLOCK + _zone(made, core)), moments, 0 * _DAY, len("2000-01-01T"))


def _timedelta(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    if any(core.get(name) is not None for name in ("ge", "gt", "le", "lt")):
        _refuse(made, "a bound on a timedelta")
    schema = usual()
    return {**schema, **_bounds(-8e13, 8e13)} if schema.get("type") == "number" else _text(_DURATION)


# -------------------------------------------------------------------------------------------- addresses and other texts

_LABEL = "[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*"
_HOST = rf"(?:(?:{_LABEL}\.)*[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*|{FORMATS['ipv4']}|\[{FORMATS['ipv6']}\])"
_PCHAR = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
_REST = rf"(?:/{_PCHAR}*)*(?:\?(?:{_PCHAR}|[/?])*)?(?:#(?:{_PCHAR}|[/?])*)?"
_PLACE = rf"://(?:[A-Za-z0-9._~-]+(?::[A-Za-z0-9._~-]*)?@)?{_HOST}(?::[0-9]{{1,4}})?{_REST}"


def _url(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """URLs that every reader takes: ASCII, with plain host names."""
    schemes = core.get("allowed_schemes")
    if schemes is None:
        url = f"(?![Ff][Ii][Ll][Ee]:)[A-Za-z][A-Za-z0-9+.-]*{_PLACE}|(?:mailto|tel|urn|data):{_PCHAR}+"
    else:
        urls = [re.escape(scheme).replace("\\-", "-") + (f"://{_REST[: _REST.index('*)*') + 3]}" if scheme == "file" else _PLACE) for scheme in schemes]
        url = "|".join(urls)
    longest = core.get("max_length")
    return _text(url, format="uri", **({} if longest is None else {"maxLength": longest}))


def _uuid(version: int) -> str:
    return f"[0-9a-f]{{8}}-[0-9a-f]{{4}}-{version}[0-9a-f]{{3}}-[89ab][0-9a-f]{{3}}-[0-9a-f]{{12}}"


def _network4() -> str:
    """IPv4 networks: no bit is set below the prefix."""
    octet, forms = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])", []
    for bits in range(33):
        whole, left = divmod(bits, 8)
        parts = [octet] * whole
        if left:
            parts.append(f"(?:{'|'.join(str(i) for i in range(0, 256, 1 << (8 - left)))})")
        parts += ["0"] * (4 - len(parts))
        forms.append(r"\.".join(parts) + f"/{bits}")
    return "|".join(forms)


def _network6() -> str:
    """IPv6 networks: whole groups before `::`, and addresses with /128."""
    group = "[0-9A-Fa-f]{1,4}"
    forms = [f"{FORMATS['ipv6']}(?:/128)?"]
    for num in range(8):
        sizes = "|".join(str(bits) for bits in range(16 * num, 129))
        forms.append(f"{':'.join([group] * num)}::/(?:{sizes})")
    return "|".join(forms)


_EMAIL = rf"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?:{_LABEL}\.)*{_LABEL}\.(?!(?:test|local|invalid|arpa|onion|localhost)$)[a-z]{{2,24}}"
_BITS4, _BITS6 = "(?:3[0-2]|[12]?[0-9])", "(?:12[0-8]|1[01][0-9]|[1-9]?[0-9])"
_BY_FORMAT: dict[str, Callable[[], str]] = {
    **{f"uuid{v}": partial(_uuid, v) for v in range(1, 9)},
    "ipv4network": _network4,
    "ipv6network": _network6,
    "ipvanynetwork": lambda: f"{_network4()}|{_network6()}",
    "ipv4interface": lambda: f"{FORMATS['ipv4']}(?:/{_BITS4})?",
    "ipv6interface": lambda: f"{FORMATS['ipv6']}(?:/{_BITS6})?",
    "ipvanyinterface": lambda: f"{FORMATS['ipv4']}(?:/{_BITS4})?|{FORMATS['ipv6']}(?:/{_BITS6})?",
    "ipvanyaddress": lambda: f"{FORMATS['ipv4']}|{FORMATS['ipv6']}",
    "fraction": lambda: "-?[0-9]{1,18}(?:/[1-9][0-9]{0,17})?",
}  # fmt: skip
_BY_FUNCTION = {
    "import_string": "ImportString", "validate_file": "FilePath", "validate_directory": "DirectoryPath",
    "validate_socket": "SocketPath", "validate_new": "NewPath",
}  # fmt: skip
_REFUSED_FORMATS = {"regex": "a regex pattern as a type", "name-email": "NameEmail"}


def _any_kind(made: Any, core: Any, usual: Callable[[], dict[str, Any]], *_: Any) -> dict[str, Any]:
    """Texts that pydantic reads in functions of its own: known by the format that it writes, or by the function."""
    schema = usual()
    function = core.get("function", {}).get("function") if core["type"].startswith("function") else None
    name, module = getattr(function, "__name__", ""), getattr(function, "__module__", None) or ""
    if module.startswith("pydantic") and name in _BY_FUNCTION:
        _refuse(made, f"the type {_BY_FUNCTION[name]}")
    kind = schema.get("format")
    if kind == "email" and module == "pydantic.networks":
        return {**schema, **_text(_EMAIL), "maxLength": 64}
    if kind in _REFUSED_FORMATS and core["type"] != "str":
        _refuse(made, _REFUSED_FORMATS[kind])
    if kind in _BY_FORMAT and core["type"] != "str" and schema.get("type") == "string":
        return {**schema, **_text(_BY_FORMAT[kind]())}
    if kind in ("base64", "base64url") and module.startswith("pydantic"):
        return {**schema, **_text(_base64(name == "decode_str", kind == "base64url"))}
    return schema


def _complex(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    number = r"[0-9]{1,15}(?:\.[0-9]{1,15})?"
    return _text(f"[+-]?{number}(?:[+-]{number}j|j)?")


def _fraction(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    if any(core.get(name) is not None for name in ("ge", "gt", "le", "lt", "multiple_of")):
        _refuse(made, "a bound on a Fraction")
    return {"anyOf": [{"type": "number", **_bounds(-1e15, 1e15)}, _text(_BY_FORMAT["fraction"]())]}


def _no_schema(feature: str) -> Callable[..., NoReturn]:
    return lambda made, core, usual: _refuse(made, feature)


_NARROWER: dict[str, Callable[..., Any]] = {
    "generate_inner": _any_kind,
    "_get_alias_name": _alias,
    "model_schema": _closed,
    "dataclass_schema": _closed,
    "typed_dict_schema": _closed,
    "literal_schema": _listed,
    "enum_schema": _listed,
    "float_schema": _float,
    "decimal_schema": _decimal,
    "fraction_schema": _fraction,
    "complex_schema": _complex,
    "str_schema": _str,
    "bytes_schema": _bytes,
    "dict_schema": _keyed,
    "ordered_dict_schema": _keyed,
    "frozendict_schema": _keyed,
    "counter_schema": _keyed,
    "set_schema": _set,
    "frozenset_schema": _set,
    "date_schema": _date,
    "datetime_schema": _moment,
    "time_schema": _time,
    "timedelta_schema": _timedelta,
    "url_schema": _url,
    "multi_host_url_schema": _url,
    "json_schema": _no_schema("Json (JSON inside a string)"),
    "is_subclass_schema": _no_schema("a class as a value"),
    "callable_schema": _no_schema("a callable"),
}


# -------------------------------------------------------------------------------------------- patterns

_PATTERN_PART = re.compile(r"\\(?:[pP]\{[^}]*\}|x\{[^}]*\}|[bB]\{[^}]*\}|.)|\[\^?\]?|\]|&&|--|~~|\(\?(?:[A-Za-z]*[-:)]|[=!<])|.", re.S)
_BEYOND = r"\p{L}\p{M}\p{N}\p{Pc}\p{So}\u200c\u200d"  # at least what Rust and Python call a word's characters
_SPACE = r"\t\n\v\f\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"  # what all call space
_NO_SPACE = r"!-~\xa1-\u167f\u1681-\u1fff\u200b-\u2027\u202a-\u202e\u2030-\u205e\u2060-\u2fff\u3001-\u{10ffff}"
_ESCAPES: dict[str, dict[str, str | None]] = {  # what is inside: nothing, a class, a negated class; \d \w elsewhere are narrower in JSON Schema
    "": {"s": f"[{_SPACE}]", "D": r"\P{Nd}", "W": f"[^{_BEYOND}]", "S": r"[^\s\x85\x1c-\x1f]", "A": "^", "z": "$", "Z": "$"},
    "[": {"s": _SPACE, "D": r"\P{Nd}", "W": r"\x00-\x2f:-@\x5b-\x5e\x60\x7b-\x7f", "S": _NO_SPACE},
    "[^": {"s": r"\s\x85\x1c-\x1f", "d": r"\p{Nd}", "w": _BEYOND, "D": None, "W": None, "S": None},
}  # fmt: skip


def _portable(made: Any, given: Any, engine: str | None) -> list[str]:
    """Patterns of JSON Schema that find no more than a pattern of Rust's regex or Python's re."""
    pattern, flags = (given, 0) if isinstance(given, str) else (given.pattern, given.flags)
    if flags & (re.X | re.M):
        _refuse(made, f"the pattern {pattern!r} with flags")
    is_python = engine == "python-re" or not isinstance(given, str)
    out, inside, ascii_only = ["(?i)"] if flags & re.I else [], "", False
    for match in _PATTERN_PART.finditer(pattern):
        part = match[0]
        if part[0] == "\\":
            known: str | None = _ESCAPES[inside].get(part[1:], part)
            if known is None or part[1:2] in "<>" or part[1:3] in ("b{", "B{"):
                _refuse(made, f"{part!r} in the pattern {pattern!r}")
            ascii_only |= not inside and part[1] in "bB"
            part = "\\u" + part[2:] if part.startswith("\\x{") else known
        elif inside and part[0] == "[":
            if not is_python:
                _refuse(made, f"a class inside a class in the pattern {pattern!r}")
            inside, part = ("" if part[-1] == "]" else inside), "\\" + part
        elif part[0] == "[":
            inside, part = part.rstrip("]"), part.replace("]", "\\]")
        elif part == "]":
            inside = ""
        elif inside and part in ("&&", "--", "~~") and not is_python:
            _refuse(made, f"{part!r} in the pattern {pattern!r}")
        elif part[:2] == "(?" and not inside:
            ascii_only |= part[2] in "=!<"
            if part[2:-1].strip("isu") and part[-1] in ":)-":
                _refuse(made, f"the flags {part!r} in the pattern {pattern!r}")
            part = part.replace("u", "").replace("(?)", "")
        out.append(part)
    return ["".join(out), *([_ASCII] if ascii_only else [])]
