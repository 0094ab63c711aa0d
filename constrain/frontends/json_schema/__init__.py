"""JSON schemas: a set of JSON values in, the expression of their texts out; exact, or refused by name and pointer.

The Boolean work is done on schemas (`normal`, over `shapes`), so the core never meets an intersection of recursive
languages. `reading`: data, drafts and references; `keywords`: keywords to shapes; `writer`, `containers`, `strings`,
`numbers`, `formats`: shapes to expressions over the lexemes of `json_text`; `session`: what they share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import ConstrainError
from ...expr import Expr
from .reading import Scope, read_schema
from .report import SchemaReport
from .session import Options, Session
from .writer import Writer

__all__ = ["SchemaReport", "json_schema", "open_session", "write_schema"]


def json_schema(
    schema: Any,
    *,
    property_order: str | Sequence[str] = "schema",
    whitespace: str | int = "flexible",
    formats: str = "assert",
    escapes: str = "canonical",
    remotes: dict[str, Any] | None = None,
    lenient: bool = False,
    strict_formats: bool = False,
    integers: str = "any",
) -> Expr:
    """The JSON texts whose value satisfies a schema.

    `schema`: a dict or bool, JSON text, a pydantic model, or (with pydantic installed) any type it can describe.
    `property_order`: "schema" (declared properties in their order, then the others), "any", or a list of names that come
    first. No key ever comes twice. `whitespace`: "flexible" (each run at most 16 bytes), "compact", "spaced" (`", "` and
    `": "`), or a number of spaces to indent by. `formats`: "assert" or "annotate"; `strict_formats` refuses unknown ones.
    `escapes`: "canonical" (one spelling for each string) or "any"; where strings must differ from each other (names that
    are not declared, items under `uniqueItems`) they keep to the canonical one. `remotes`: schemas by URI for `$ref`;
    nothing is ever fetched. `lenient` turns refusals into warnings. `integers`: "any" (1.0 is one) or "plain" (written
    without a fraction).
    Raises `SchemaError` (malformed), `UnsupportedError` (refused, by name and pointer), `UnsatisfiableError`.

    >>> import constrain
    >>> point = constrain.json_schema({"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2})
    >>> point.matches("[1, -2]"), point.matches("[1.5, 2]")
    (True, False)
    """
    session = open_session(
        property_order=property_order,
        whitespace=whitespace,
        formats=formats,
        escapes=escapes,
        lenient=lenient,
        strict_formats=strict_formats,
        integers=integers,
    )
    return Expr(session.set, write_schema(session, schema, remotes))


def open_session(*, property_order: str | Sequence[str] = "schema", **options: Any) -> Session:
    """A session, for one or several schemas that share a set and the options of `json_schema`."""
    unknown = next((name for name in options if name not in Options._fields), None)
    if unknown is not None:
        raise ConstrainError(f"json schema: {unknown!r} is no option; {', '.join(Options._fields)} and remotes are")
    order = property_order if isinstance(property_order, str) else _names(property_order)
    chosen = Options(order, **options)
    _check(chosen)
    return Session(chosen)


def write_schema(session: Session, schema: Any, remotes: dict[str, Any] | None = None) -> int:
    """The texts of one schema, as a node of the session's set."""
    source = read_schema(schema)
    return Writer(session).write(source, Scope(source, remotes))


def _names(order: Any) -> tuple[str, ...]:
    if not isinstance(order, (list, tuple)) or not all(isinstance(name, str) for name in order):
        raise ConstrainError(f"json schema: property_order is {order!r}; it must be 'schema', 'any' or a list of names")
    return tuple(order)


def _check(options: Options) -> None:
    choices = (
        ("formats", options.formats, ("assert", "annotate")),
        ("escapes", options.escapes, ("canonical", "any")),
        ("integers", options.integers, ("any", "plain")),
    )
    for name, value, allowed in choices:
        if value not in allowed:
            wanted = " or ".join(map(repr, allowed))
            raise ConstrainError(f"json schema: {name} is {value!r}; it must be {wanted}")
    if isinstance(options.property_order, str) and options.property_order not in ("schema", "any"):
        _names(options.property_order)
    space = options.whitespace
    is_indent = isinstance(space, int) and not isinstance(space, bool) and 0 <= space <= 16
    if not is_indent and space not in ("flexible", "compact", "spaced"):
        raise ConstrainError(
            f"json schema: whitespace is {space!r}; it must be 'flexible', 'compact', 'spaced' or an indent of 0 to 16"
        )
