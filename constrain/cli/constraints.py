"""Floor 8: the options that name a constraint, and the expression that they mean."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConstrainError, SchemaError

if TYPE_CHECKING:
    from ..expr import Expr

__all__ = ["add_constraint_options", "constraint_of", "read_schema"]


def add_constraint_options(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Adds --regex, --choice, --choices and --schema, of which one may be given."""
    group = parser.add_mutually_exclusive_group(required=required)
    group.add_argument("--regex", metavar="R", help="a regular expression, in the syntax of Python's re")
    group.add_argument(
        "--choice", metavar="C", action="append", help="one of the allowed texts (give it again for more)"
    )
    group.add_argument("--choices", metavar="FILE", help="a file with an allowed text on each line")
    group.add_argument("--schema", metavar="S", help="a JSON schema: a file, or the JSON text itself")
    parser.add_argument(
        "--whitespace", metavar="W", default=None,
        help="white space in JSON: compact, flexible, or a number of spaces to indent by",
    )  # fmt: skip


def read_schema(argument: str) -> Any:
    """The schema in a file, or in the argument itself."""
    if argument.lstrip()[:1] in ("{", "[") or argument.strip() in ("true", "false"):
        text, where = argument, "--schema"
    else:
        try:
            text, where = Path(argument).read_bytes().decode("utf-8-sig"), repr(argument)
        except OSError as error:
            raise SchemaError(f"json schema: cannot read {argument!r}: {error.strerror or error}") from None
        except UnicodeDecodeError as error:
            raise SchemaError(
                f"json schema: {argument!r} is not UTF-8 text: {error.reason} at byte {error.start}"
            ) from None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SchemaError(
            f"json schema: {where} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise SchemaError(f"json schema: {where} is nested too deep to be read") from None


def constraint_of(arguments: argparse.Namespace, whitespace: str) -> Expr | None:
    """The expression that the options name; None when they name none."""
    if arguments.whitespace is not None and arguments.schema is None:
        raise ConstrainError("--whitespace goes with --schema")
    if arguments.regex is not None:
        from ..frontends.regex import regex

        return regex(arguments.regex)
    if arguments.choice is not None or arguments.choices is not None:
        from ..frontends.choice import choice

        return choice(arguments.choice if arguments.choice is not None else _lines(arguments.choices))
    if arguments.schema is not None:
        from ..frontends.json_schema import json_schema

        wanted = arguments.whitespace or whitespace
        return json_schema(
            read_schema(arguments.schema), whitespace=int(wanted) if wanted.isdigit() else wanted
        )
    return None


def _lines(name: str) -> list[str]:
    try:
        text = Path(name).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConstrainError(f"cannot read {name!r}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ConstrainError(f"{name!r} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    return [line for line in text.splitlines() if line]
