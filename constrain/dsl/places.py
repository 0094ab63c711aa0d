"""Where in the user's program an error stands: file and line of the first frame outside this package.

Invariant: every error that leaves the DSL carries `place` and names it in its message, once. Held by tests/test_dsl_errors.py.
"""

from __future__ import annotations

import asyncio
import concurrent.futures.thread
import contextlib
import functools
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import Any

from ..errors import ConstrainError

__all__ = ["ProgramError", "UnknownCaptureError", "located", "program_place", "user_place"]

_PACKAGE = str(Path(__file__).resolve().parents[1])
_LIBRARY = tuple(
    filter(None, [getattr(module, "__file__", None) for module in (contextlib, functools, threading, concurrent.futures.thread)])
)
_ASYNCIO = str(Path(str(asyncio.__file__)).parent)

# The place of the call that a worker thread carries out: there the user's frames are out of reach.
program_place: ContextVar[str | None] = ContextVar("program_place", default=None)


def user_place() -> str:
    """`file:line` of the innermost frame that belongs to neither this package nor the machinery of threads."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith((_PACKAGE, _ASYNCIO, "<frozen")) and name not in _LIBRARY:
            return f"{name}:{frame.f_lineno}"
        frame = frame.f_back
    return program_place.get() or "an unknown line"


class ProgramError(ConstrainError):
    """A program that cannot be carried out; `place` is the `file:line` of the call that is to blame."""

    def __init__(self, message: str) -> None:
        self.place = user_place()
        super().__init__(f"{message}\n  at {self.place}")


class UnknownCaptureError(ProgramError, KeyError):
    """No capture has this name; also a KeyError."""

    def __str__(self) -> str:
        return str(self.args[0])


@contextlib.contextmanager
def located() -> Iterator[None]:
    """Adds the program's line to the errors of lower floors; their types and attributes stay."""
    try:
        yield
    except ConstrainError as error:
        located_error: Any = error
        if not hasattr(error, "place"):
            located_error.place = user_place()
            located_error.args = (f"{error}\n  at {located_error.place}", *error.args[1:])
        raise
