"""Floor 8: `constrain check`: does a text match? And without a text: is the constraint well-formed and satisfiable?"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..errors import ConstrainError
from .constraints import add_constraint_options, constraint_of

__all__ = ["add_parser", "read_text", "run"]


def add_parser(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser(
        "check", help="say whether a text matches, and if not, where and why",
        description="Exit code 0: the text matches; 1: it does not, and the first wrong place is explained; 2: the "
        "constraint itself is wrong. Without a text, only the constraint is checked.",
    )  # fmt: skip
    parser.add_argument("text", metavar="TEXT", nargs="?", help="the text; - reads it from standard input")
    parser.add_argument("--file", metavar="F", help="a file whose whole content is the text")
    parser.add_argument("--quiet", action="store_true", help="say nothing; the exit code tells")
    add_constraint_options(parser, required=True)
    parser.set_defaults(run=run)


def read_text(arguments: argparse.Namespace) -> str | None:
    """The text from the argument, a file or standard input; None when none is given."""
    if arguments.text is not None and arguments.file is not None:
        raise ConstrainError("a text and --file are two texts, expected one")
    if arguments.file is not None:
        try:
            return _decoded(Path(arguments.file).read_bytes(), repr(arguments.file))
        except OSError as error:
            raise ConstrainError(f"cannot read {arguments.file!r}: {error.strerror or error}") from None
    if arguments.text == "-":
        return _decoded(sys.stdin.buffer.read(), "standard input")
    return None if arguments.text is None else str(arguments.text)


def _decoded(data: bytes, where: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ConstrainError(f"{where} is not UTF-8 text: {error.reason} at byte {error.start}") from None


def run(arguments: argparse.Namespace) -> int:
    """Checks; 0 where the text matches or the constraint is in order."""
    expr = constraint_of(arguments, whitespace="flexible")
    assert expr is not None
    text = read_text(arguments)
    if text is None:
        if not arguments.quiet:
            print(f"the constraint is in order; a text of it: {expr.sample(seed=0)!r:.200}")
        return 0
    if expr.matches(text):
        if not arguments.quiet:
            print("matches")
        return 0
    if not arguments.quiet:
        print(expr.explain(text))
    return 1
