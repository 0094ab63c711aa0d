r"""Where pydantic's parser is stricter than the JSON schema that it gives: one rule for each kind of its core schema.

`NARROWER` maps a kind to a function (generator, core schema, the usual method) that gives a schema of which every text
parses; where no schema says what the parser wants, the type is refused by name. Held by tests/test_types.py.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, NoReturn

from ...errors import UnsupportedError
from .type_texts import (
    ASCII,
    BY_FORMAT,
    BY_FUNCTION,
    EMAIL,
    REFUSED_FORMATS,
    bounds,
    date_schema,
    duration_schema,
    matching,
    moment_schema,
    portable,
    refuse,
    time_schema,
    url_schema,
)

__all__ = ["NARROWER"]


def _alias(made: Any, core: Any, usual: Callable[[], str], name: str) -> str:
    """The key that the parser looks up; also notes the field for messages."""
    made.field_now = name
    alias = core.get("validation_alias", name)
    by_alias = getattr(made._config, "validate_by_alias", None)
    if by_alias is False or isinstance(alias, str):
        return name if by_alias is False else str(alias)
    paths = alias if isinstance(alias[0], list) else [alias]
    if not any(len(path) == 1 and isinstance(path[0], str) for path in paths):
        refuse(made, f"a validation_alias of more than a name, {alias!r},")
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
        refuse(made, f"{core['type']} of {values!r:.60}")
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
    return schema | bounds(low, high)


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
        numbers.append({"type": "number", **scale, **bounds(max(low, -limit), min(high, limit))})
    if step:
        numbers = [{**number, "allOf": [step]} if "multipleOf" in number else {**number, **step} for number in numbers]
    text = _decimal_text(core, cases, digits is not None or places is not None)
    schemas = [*numbers, *text] or refuse(made, "this Decimal, with bounds and no digit before the point,")
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
    return [matching(f"{some}{sign}(?:{'|'.join(forms)})")]


_TRIMMED = r"[^\s\x85\x1c-\x1f]"


def _str(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Patterns of Rust or Python in the syntax of JSON Schema; nothing at the ends that would be stripped."""
    schema = usual()
    patterns = []
    given = core.get("pattern")
    if given == r"^\s*(\d*\.?\d+)\s*(\w+)?":  # of ByteSize
        patterns.append(r"^[0-9]{1,12}(?:\.[0-9]{1,3})? ?(?:[bB]|[kKmMgGtTpP][iI]?[bB])?$")
    elif given is not None:
        patterns += portable(made, given, core.get("regex_engine", getattr(made._config, "regex_engine", None)))
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
        return {**schema, "pattern": ASCII} if core.get("max_length") is not None else schema
    if core.get("min_length") or core.get("max_length") is not None:
        refuse(made, f"the length of bytes as {spelling}")
    return matching("(?:[0-9a-f]{2})*" if spelling == "hex" else _base64(False, True))


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
        refuse(made, "'min_length' of a dict with keys that have several spellings")
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
        return {"enum": values} if values else refuse(made, "a dict with keys that are no strings")
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
    return refuse(made, f"a dict with keys of JSON type {kind!r}")


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
        return refuse(made, "a dict with bounded integers as keys")
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
        refuse(made, "'min_length' of a set of items that have several spellings")
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


def _any_kind(made: Any, core: Any, usual: Callable[[], dict[str, Any]], *_: Any) -> dict[str, Any]:
    """Texts that pydantic reads in functions of its own: known by the format that it writes, or by the function."""
    schema = usual()
    function = core.get("function", {}).get("function") if core["type"].startswith("function") else None
    name, module = getattr(function, "__name__", ""), getattr(function, "__module__", None) or ""
    if module.startswith("pydantic") and name in BY_FUNCTION:
        refuse(made, f"the type {BY_FUNCTION[name]}")
    kind = schema.get("format")
    if kind == "email" and module == "pydantic.networks":
        return {**schema, **matching(EMAIL), "maxLength": 64}
    if kind in REFUSED_FORMATS and core["type"] != "str":
        refuse(made, REFUSED_FORMATS[kind])
    if kind in BY_FORMAT and core["type"] != "str" and schema.get("type") == "string":
        return {**schema, **matching(BY_FORMAT[kind]())}
    if kind in ("base64", "base64url") and module.startswith("pydantic"):
        return {**schema, **matching(_base64(name == "decode_str", kind == "base64url"))}
    return schema


def _complex(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    number = r"[0-9]{1,15}(?:\.[0-9]{1,15})?"
    return matching(f"[+-]?{number}(?:[+-]{number}j|j)?")


def _fraction(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    if any(core.get(name) is not None for name in ("ge", "gt", "le", "lt", "multiple_of")):
        refuse(made, "a bound on a Fraction")
    return {"anyOf": [{"type": "number", **bounds(-1e15, 1e15)}, matching(BY_FORMAT["fraction"]())]}


def _no_schema(feature: str) -> Callable[..., NoReturn]:
    return lambda made, core, usual: refuse(made, feature)


NARROWER: dict[str, Callable[..., Any]] = {
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
    "date_schema": date_schema,
    "datetime_schema": moment_schema,
    "time_schema": time_schema,
    "timedelta_schema": duration_schema,
    "url_schema": url_schema,
    "multi_host_url_schema": url_schema,
    "json_schema": _no_schema("Json (JSON inside a string)"),
    "is_subclass_schema": _no_schema("a class as a value"),
    "callable_schema": _no_schema("a callable"),
}
