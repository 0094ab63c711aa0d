r"""Python types as schemas: what a model should write so that pydantic reads it as an object of the type.

`read_type` gives both halves, the schema and the parser, so that they cannot drift apart. Invariant: every text of the
schema parses, unless a validator written in Python refuses it (`type_rules` says where pydantic's own schema is too wide
for that). Objects whose further keys pydantic would drop are closed. pydantic is imported when a type comes, never before.
Held by tests/test_types.py.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from decimal import Decimal
from functools import lru_cache, partial
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints, is_typeddict

from ...errors import ConstrainError, SchemaError
from .reading import kind_of, read_schema
from .type_rules import NARROWER

__all__ = ["Answer", "read_type"]


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


@lru_cache(maxsize=1)
def _generator() -> Any:
    """pydantic's generator of schemas with the entries of `NARROWER` in place of its own."""
    from pydantic.json_schema import GenerateJsonSchema

    def narrowed(name: str, narrow: Callable[..., Any]) -> Callable[..., Any]:
        usual = getattr(GenerateJsonSchema, name)
        return lambda self, core, *rest: narrow(self, core, lambda: usual(self, core, *rest), *rest)

    methods = {name: narrowed(name, narrow) for name, narrow in NARROWER.items() if hasattr(GenerateJsonSchema, name)}
    return type("Generator", (GenerateJsonSchema,), {"field_now": "", **methods})
