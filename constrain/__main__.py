"""Floor 8: the command line: `constrain extract`, `generate`, `check`, `explain`.

Exit codes: 0 in order; 1 the text does not match, some texts failed, or the output could not be written; 2 a wrong
command line or constraint. An error that a user can make is a line on standard error, never a traceback. Nothing heavy
is imported before a command needs it. Held by tests/test_cli.py.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from .cli import check, explain, extract, generate
from .cli.journal import OutputError
from .errors import ConstrainError

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="constrain", description="Text from a language model, in exactly the form asked for."
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in (extract, generate, check, explain):
        command.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line; returns its exit code.

    >>> main(["check", "--regex", "[0-9]+", "2024"])
    matches
    0
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.version:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"constrain {version('constrain')}")
        except PackageNotFoundError:
            print("constrain (not installed)")
        return 0
    if not hasattr(arguments, "run"):
        parser.print_help(sys.stderr)
        return 2
    try:
        return int(arguments.run(arguments))
    except ConstrainError as error:
        print(f"constrain: {error}", file=sys.stderr)
        return 1 if isinstance(error, OutputError) else 2
    except KeyboardInterrupt:
        resumes = "; the same command goes on with what is left" if getattr(arguments, "output", None) else ""
        print(f"constrain: interrupted{resumes}", file=sys.stderr)
        return 128 + signal.SIGINT
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
