"""JSON schemas: a set of JSON values in, the expression of their texts out; exact, or refused by name and pointer.

The Boolean work is done on schemas (`normal`, over `shapes`), so the core never meets an intersection of recursive
languages. `reading`: data, drafts and references; `keywords`: keywords to shapes; `writer`, `containers`, `strings`,
`numbers`, `formats`: shapes to expressions over the lexemes of `json_text`; `session`: what they share.
"""

from __future__ import annotations

import sys
from typing import Any

from ...errors import ConstrainError, LimitExceeded
from ...expr import Expr
from .reading import Scope, read_schema
from .report import SchemaReport
from .session import Options, Session
from .writer import Writer

__all__ = ["SchemaReport", "json_schema"]


def json_schema(
    schema: Any,
    *,
    property_order: str = "schema",
    whitespace: str | int = "flexible",
    formats: str = "assert",
    escapes: str = "canonical",
    remotes: dict[str, Any] | None = None,
    lenient: bool = False,
) -> Expr:
    """The JSON texts whose value satisfies a schema.

    `schema`: a dict or bool, JSON text, a pydantic model, or (with pydantic installed) any type it can describe.
    `whitespace`: "flexible" (each run at most 16 bytes), "compact", "spaced" (`", "` and `": "`), or a number of spaces
    to indent by. `formats`: "assert" or "annotate". `escapes`: "canonical" (one spelling for each string) or "any".
    `remotes`: schemas by URI for `$ref`; nothing is ever fetched. `lenient` turns refusals into warnings.
    Raises `SchemaError` (malformed), `UnsupportedError` (refused, by name and pointer), `UnsatisfiableError`.

    >>> import constrain
    >>> point = constrain.json_schema({"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2})
    >>> point.matches("[1, -2]"), point.matches("[1.5, 2]")
    (True, False)
    """
    options = Options(property_order, whitespace, formats, escapes, lenient)
    _check(options)
    source = read_schema(schema)
    session = Session(options)
    try:
        root = Writer(session).write(source, Scope(source, remotes))
    except RecursionError:
        depth = sys.getrecursionlimit()
        message = f"limit exceeded: schema nesting depth: combined schemas and references nest too deep for {depth} frames"
        raise LimitExceeded("schema nesting depth", None, depth, message) from None
    return Expr(session.set, root)


def _check(options: Options) -> None:
    choices = (
        ("property_order", options.property_order, ("schema",)),
        ("formats", options.formats, ("assert", "annotate")),
        ("escapes", options.escapes, ("canonical", "any")),
    )
    for name, value, allowed in choices:
        if value not in allowed:
            wanted = " or ".join(map(repr, allowed))
            raise ConstrainError(f"json schema: {name} is {value!r}; it must be {wanted}")
    space = options.whitespace
    is_indent = isinstance(space, int) and not isinstance(space, bool) and 0 <= space <= 16
    if not is_indent and space not in ("flexible", "compact", "spaced"):
        raise ConstrainError(
            f"json schema: whitespace is {space!r}; it must be 'flexible', 'compact', 'spaced' or an indent of 0 to 16"
        )
