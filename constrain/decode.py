"""Floor 6: the decode loop: a model and answers in, tokens out.

The loop knows a backend only by backend.py's contract, and works on numpy logits. An answer whose constraint allows
nothing but its end is finished, without a pass for the end token. Held by tests/test_runner.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .answer import Answer
from .bitmask import allocate_token_bitmask, apply_token_bitmask_inplace
from .matcher import fill_next_token_bitmasks
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    from .models.backend import Backend

__all__ = ["decode"]



class _Masks:
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
        """The rows of these answers; a answer whose constraint allows its end only is finished."""
        bitmask: NDArray[np.int32] = allocate_token_bitmask(len(answers), self._vocabulary.size)
        started = time.perf_counter()
        constrained = [i for i, answer in enumerate(answers) if answer.matcher is not None]
        if len(constrained) == len(answers):
            fill_next_token_bitmasks([answer.matcher for answer in answers], bitmask)
        else:
            for i, answer in enumerate(answers):
                if answer.matcher is None:
                    bitmask[i] = self._free_text()
                else:
                    answer.matcher.fill_next_token_bitmask(bitmask, i)
        spent = (time.perf_counter() - started) / max(1, len(constrained))
        for i in constrained:
            answers[i].mask_seconds += spent
            if np.array_equal(bitmask[i], self._ends):
                answers[i].finish_reason = "stop"
        return bitmask


def _bits(ids: Sequence[int], size: int) -> NDArray[np.int32]:
    flags = np.zeros(-(-size // 32) * 32, dtype=np.uint8)
    flags[list(ids)] = 1
    return np.packbits(flags, bitorder="little").view("<i4").astype(np.int32)


def decode(backend: Backend, answers: list[Answer]) -> Iterator[Answer]:
    """Runs the answers to their ends; yields a answer whenever tokens were added to it or it has finished."""
    masks = _Masks(backend.vocabulary)
    active = list(answers)
    bitmask = masks.fill(active)
    yield from answers
    session = None
    while True:
        kept = [i for i, answer in enumerate(active) if answer.finish_reason is None]
        if len(kept) < len(active):
            active = [active[i] for i in kept]
            bitmask = np.ascontiguousarray(bitmask[kept])
            if session is not None and active:
                session.keep(kept)
        if not active:
            return
        session = session or backend.open(len(active))
        logits = session.forward([answer.pending for answer in active])
        for answer, row in zip(active, logits, strict=True):
            answer.begin_pass(row)
        started = time.perf_counter()
        apply_token_bitmask_inplace(logits, bitmask)
        spent = (time.perf_counter() - started) / len(active)
        for answer, row in zip(active, logits, strict=True):
            answer.mask_seconds += spent
            answer.append_sampled(answer.choose(row), row)
        bitmask = _fill_unfinished(masks, active, bitmask)
        yield from active


def _fill_unfinished(masks: _Masks, active: list[Answer], bitmask: NDArray[np.int32]) -> NDArray[np.int32]:
    """The next rows of the answers that go on; the others' are left as they are.

    A answer that has used up its budget is asked too: when nothing but its end may follow, it has ended.
    """
    asked = [i for i, answer in enumerate(active) if answer.finish_reason != "stop"]
    if len(asked) == len(active):
        return masks.fill(active)
    if asked:
        bitmask[asked] = masks.fill([active[i] for i in asked])
    return bitmask
