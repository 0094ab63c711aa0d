"""Floor 6: the decode loop: a model and answers in, tokens out.

The loop knows a backend only by backend.py's contract, and works on numpy logits. An answer whose constraint allows
nothing but its end is finished, without a pass for the end token. Answers may arrive while others are being written
(*continuous batching*: Yu et al., *Orca*, OSDI 2022), and one that breaks down leaves the others alone. Held by
tests/test_runner.py and tests/test_map.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .answer import Answer
from .bitmask import allocate_token_bitmask, apply_token_bitmask_inplace
from .errors import ConstrainError, LimitExceeded
from .matcher import fill_next_token_bitmasks
from .models.backend import ReusingSession
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    from .models.backend import Backend, Session

__all__ = ["Masks", "decode", "decode_arriving", "note_reused"]

Arrivals = Callable[[int, bool], list[Answer]]
"""Called with how many answers there is room for and whether nothing else is being written; gives those that are there."""


class Masks:
    """The bit rows of a batch: those of the matchers, and for free text all tokens with text and the end tokens."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._ends = _bits(vocabulary.end_ids, vocabulary.size)
        self._free: NDArray[np.int32] | None = None

    def _free_text(self) -> NDArray[np.int32]:
        if self._free is None:
            tokens = self._vocabulary.tokens
            free = [i for i, token in enumerate(tokens) if token is not None]
            self._free = _bits([*free, *self._vocabulary.end_ids], self._vocabulary.size)
        return self._free

    def fill(self, answers: list[Answer]) -> NDArray[np.int32]:
        """The rows of these answers; an answer whose constraint allows its end only is finished."""
        bitmask: NDArray[np.int32] = allocate_token_bitmask(len(answers), self._vocabulary.size)
        started = time.perf_counter()
        constrained = [i for i, answer in enumerate(answers) if answer.matcher is not None]
        if len(constrained) < len(answers) or not self._fill_all(answers, bitmask):
            for i, answer in enumerate(answers):
                self._fill_one(answer, bitmask, i)
        spent = (time.perf_counter() - started) / max(1, len(constrained))
        for i in constrained:
            answers[i].mask_seconds += spent
            if np.array_equal(bitmask[i], self._ends) and answers[i].error is None:
                answers[i].finish_reason = "stop"
        return bitmask

    def _fill_all(self, answers: list[Answer], bitmask: NDArray[np.int32]) -> bool:
        try:
            fill_next_token_bitmasks([answer.matcher for answer in answers], bitmask)
        except ConstrainError:
            return False  # one of them, to be found out
        return True

    def _fill_one(self, answer: Answer, bitmask: NDArray[np.int32], i: int) -> None:
        if answer.matcher is None:
            bitmask[i] = self._free_text()
            return
        try:
            answer.matcher.fill_next_token_bitmask(bitmask, i)
        except ConstrainError as error:
            answer.fail(error)


def _bits(ids: Sequence[int], size: int) -> NDArray[np.int32]:
    flags = np.zeros(-(-size // 32) * 32, dtype=np.uint8)
    flags[list(ids)] = 1
    return np.packbits(flags, bitorder="little").view("<i4").astype(np.int32)


def decode(backend: Backend, answers: list[Answer]) -> Iterator[Answer]:
    """Runs the answers to their ends; yields an answer whenever tokens were added to it or it has finished."""
    waiting = iter(answers)
    return decode_arriving(backend, lambda room, _: list(islice(waiting, room)), len(answers))


def decode_arriving(backend: Backend, arrivals: Arrivals, max_batch: int) -> Iterator[Answer]:
    """The same for answers that arrive while others are written, at most `max_batch` at once; ends when idle and none comes."""
    batch = _Batch(backend)
    try:
        while True:
            batch.leave()
            while newcomers := arrivals(max_batch - len(batch.active), not batch.active):
                batch.join(newcomers)
                yield from newcomers
                if len(batch.active) == max_batch:
                    break
            if not batch.active:
                return
            batch.step()
            yield from batch.active
    finally:
        batch.close()


class _Batch:
    """The answers that are being written, row by row those of a session and of a bitmask."""

    def __init__(self, backend: Backend) -> None:
        self.active: list[Answer] = []
        self._backend = backend
        self._masks = Masks(backend.vocabulary)
        self._bitmask: NDArray[np.int32] = allocate_token_bitmask(0, backend.vocabulary.size)
        self._session: Session | None = None

    def join(self, newcomers: list[Answer]) -> None:
        """New rows, but for answers that need no model."""
        bitmask = self._masks.fill(newcomers)
        started = [i for i, answer in enumerate(newcomers) if answer.finish_reason is None]
        if started and self._session is not None:
            self._session.add(len(started))
        self.active += [newcomers[i] for i in started]
        self._bitmask = np.concatenate((self._bitmask, bitmask[started]))

    def leave(self) -> None:
        """Finished answers make room."""
        kept = [i for i, answer in enumerate(self.active) if answer.finish_reason is None]
        if len(kept) == len(self.active):
            return
        self.active = [self.active[i] for i in kept]
        self._bitmask = self._bitmask[kept]
        if self._session is not None:
            self._session.keep(kept)
            self._session = self._session if kept else None

    def step(self) -> None:
        """One pass, and a token or more for each answer; where they do not fit into memory together, the longest goes."""
        self._session = self._session or self._backend.open(len(self.active))
        try:
            logits = self._session.forward([answer.pending for answer in self.active])
        except LimitExceeded as error:
            max(self.active, key=lambda answer: len(answer.pending)).fail(error)
            return
        note_reused(self._session, self.active)
        for answer, row in zip(self.active, logits, strict=True):
            answer.begin_pass(row)
        started = time.perf_counter()
        apply_token_bitmask_inplace(logits, self._bitmask)
        spent = (time.perf_counter() - started) / len(self.active)
        for answer, row in zip(self.active, logits, strict=True):
            answer.mask_seconds += spent
            try:
                answer.append_sampled(answer.choose(row), row)
            except ConstrainError as error:
                answer.fail(error)
        self._fill_unfinished()

    def _fill_unfinished(self) -> None:
        """The next rows of the answers that go on; the others' are left as they are.

        An answer that has used up its budget is asked too: when nothing but its end may follow, it has ended.
        """
        asked = [i for i, answer in enumerate(self.active) if answer.finish_reason in (None, "length")]
        if asked:
            self._bitmask[asked] = self._masks.fill([self.active[i] for i in asked])

    def close(self) -> None:
        """What was computed goes back to the backend."""
        if self._session is not None:
            self._session.keep([])


def note_reused(session: Session, answers: list[Answer]) -> None:
    """Writes down how much of each answer's prompt was known already."""
    if isinstance(session, ReusingSession):
        for answer, count in zip(answers, session.num_reused_tokens, strict=True):
            answer.num_reused_tokens = count
