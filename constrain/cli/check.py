"""Floor 8: `constrain check`: does a text match? And without a text: is the constraint well-formed and satisfiable?"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConstrainError
from .constraints import add_constraint_options, constraint_of, read_schema

if TYPE_CHECKING:
    from ..frontends.json_schema import SchemaReport

__all__ = ["add_parser", "read_text", "run"]


def add_parser(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser(
        "check", help="say whether a text matches, and if not, where and why",
        description="Exit code 0: the text matches; 1: it does not, and the first wrong place is explained; 2: the "
        "constraint itself is wrong. Without a text, only the constraint is checked. With --report, every keyword of a "
        "JSON schema is listed with what becomes of it; then 1 means that some are refused or that nothing satisfies them.",
    )  # fmt: skip
    parser.add_argument("text", metavar="TEXT", nargs="?", help="the text; - reads it from standard input")
    parser.add_argument("--file", metavar="F", help="a file whose whole content is the text")
    parser.add_argument(
        "--report", action="store_true", help="list the schema's keywords: exact, annotation, or refused and why"
    )
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
    if arguments.report:
        return _report(arguments)
    text = read_text(arguments)
    expr = constraint_of(arguments, whitespace="compact" if text is None else "flexible")
    assert expr is not None
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


def _report(arguments: argparse.Namespace) -> int:
    """What becomes of each keyword of a schema; 0 where it can be used as it is."""
    if arguments.schema is None:
        raise ConstrainError("--report goes with --schema")
    if arguments.text is not None or arguments.file is not None:
        raise ConstrainError("--report is about the schema alone, expected no text")
    from ..frontends.json_schema import SchemaReport

    report = SchemaReport.of(read_schema(arguments.schema))
    if not arguments.quiet:
        if sys.stdout.isatty():
            _print_table(report)
        else:
            print(*report.lines(), sep="\n", end="\n" if report.lines() else "")
        print(_verdict(report))
    return 0 if report else 1


def _print_table(report: SchemaReport) -> None:
    """On a terminal; the place of a keyword is never cut."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    styles = {"exact": "green", "annotation": "dim", "refused": "bold red"}
    table = Table("what", "keyword", "why", box=None, header_style="bold", pad_edge=False)
    table.columns[1].overflow = "fold"
    for verdict, pointer, why in report.rows():
        table.add_row(Text(verdict, styles[verdict]), Text(pointer), Text(why, "dim"))
    Console().print(table)


def _verdict(report: SchemaReport) -> str:
    """The last line of a report."""
    counts = f"exact: {len(report.exact)}, annotations: {len(report.annotations)}, refused: {len(report.refused)}"
    if report.contradiction:
        return f"{counts}; {report.contradiction}"
    if report.refused:
        return f"{counts}; as a whole the schema is refused"
    return f"{counts}; the schema is carried out exactly"
