"""Streams: a program runs in a thread of its own, and its text comes out piece by piece.

The pieces joined are what the program adds to `str(lm)`. A stream that is left early stops its program at the next
piece. Held by tests/test_dsl.py.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from contextvars import copy_context
from typing import Any

from .nodes import Node, as_node, join
from .places import ProgramError, program_place, user_place
from .state import Model, sink

__all__ = ["ProgramStream"]


class _Left(BaseException):
    """The reader has gone."""


class ProgramStream:
    """The text of a program as it comes; `lm` is the state behind it once it has all come."""

    def __init__(self, model: Model, program: Node | None = None) -> None:
        self._model = model
        self._program = program
        self._result: Model | None = None
        self._place = user_place()

    def __add__(self, program: Any) -> ProgramStream:
        node = as_node(program)
        return ProgramStream(self._model, node if self._program is None else join([self._program, node]))

    @property
    def lm(self) -> Model:
        """The state behind the program."""
        if self._result is None:
            raise ProgramError("dsl: the stream has not ended, expected all of its pieces to be read before lm")
        return self._result

    def __iter__(self) -> Iterator[str]:
        if self._program is None:
            self._result = self._model
            return
        pieces: queue.SimpleQueue[str | Model | BaseException] = queue.SimpleQueue()
        left = threading.Event()

        def listen(piece: str) -> None:
            if left.is_set():
                raise _Left
            pieces.put(piece)

        def work() -> None:
            sink.set(listen)
            program_place.set(self._place)
            try:
                pieces.put(self._model + self._program)
            except BaseException as error:  # goes on in the reader's thread
                pieces.put(error)

        threading.Thread(target=copy_context().run, args=(work,), daemon=True).start()
        try:
            while isinstance(piece := pieces.get(), str):
                yield piece
        finally:
            left.set()
        if isinstance(piece, BaseException):
            raise piece
        self._result = piece

    async def __aiter__(self) -> AsyncIterator[str]:
        pieces = iter(self)
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            yield piece
