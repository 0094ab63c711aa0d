"""Floor 6: answers that are looked for rather than drawn: beam search, and the best of several samples.

Both score an answer by the sum of its sampled tokens' log-probabilities, each under its mask (what the mask leaves sums to
one) and at temperature 1; forced text is certain and adds nothing. The sum is divided by the number of tokens to the
power of `length_penalty`, as transformers does; 0 compares the sums themselves, so the likeliest answer wins.

Beams fork their matchers and their sequences. An end is considered wherever a beam may end, also behind the last token of
the budget, and the search goes on until no beam can come to a better score than the best answer found; so with as many
beams as there are beginnings of texts the result is the best of all. Held by tests/test_search.py.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .answer import Answer
from .bitmask import apply_token_bitmask_inplace
from .decode import Masks, note_reused
from .models.sampling import log_probabilities

if TYPE_CHECKING:
    from .models.backend import Backend

__all__ = ["best", "search"]


def best(answers: Iterable[Answer], length_penalty: float) -> Answer:
    """The answer with the greatest score, the first of equal ones; those that broke down come last."""
    return max(answers, key=lambda answer: -np.inf if answer.error is not None else score(answer, len(answer.ids), length_penalty))


def score(answer: Answer, length: int, length_penalty: float) -> float:
    """The score of an answer of this length."""
    return answer.log_probability / max(1, length) ** length_penalty


def search(backend: Backend, answer: Answer, num_beams: int, length_penalty: float) -> Answer:
    """The best of the answers that `num_beams` beams find, from one that has not begun; it must keep its score."""
    return _Search(backend, num_beams, length_penalty).run(answer)


class _Search:
    def __init__(self, backend: Backend, num_beams: int, length_penalty: float) -> None:
        self._backend = backend
        self._masks = Masks(backend.vocabulary)
        self._ends = set(backend.vocabulary.end_ids)
        self._num_beams = num_beams
        self._length_penalty = length_penalty
        self._best: Answer | None = None

    def run(self, answer: Answer) -> Answer:
        bitmask = self._masks.fill([answer])
        beams = self._live([answer])
        if not beams:
            assert self._best is not None
            return self._best
        session = self._backend.open(1)
        try:
            while True:
                logits = session.forward([beam.pending for beam in beams])
                note_reused(session, beams)
                for beam, row in zip(beams, logits, strict=True):
                    beam.begin_pass(row)
                apply_token_bitmask_inplace(logits, bitmask)
                parents, children = self._children(beams, logits)
                bitmask = self._masks.fill(children)
                live = {id(beam) for beam in self._live(children)}
                kept = [i for i, child in enumerate(children) if id(child) in live]
                beams = [children[i] for i in kept]
                if not beams or self._is_over(beams):
                    assert self._best is not None
                    return self._best
                session.keep([parents[i] for i in kept])
                bitmask = bitmask[kept]
        finally:
            session.keep([])

    def _live(self, beams: list[Answer]) -> list[Answer]:
        """Those that go on, if only to their end; the others are held against the best answer so far."""
        live = []
        for beam in beams:
            if beam.error is not None:
                raise beam.error
            is_at_end = beam.finish_reason == "length" and beam.matcher is not None and beam.matcher.is_accepting()
            if beam.finish_reason is None or is_at_end:
                live.append(beam)
            else:
                self._offer(beam)
        return live

    def _offer(self, answer: Answer) -> None:
        if self._best is None or self._score(answer) > self._score(self._best):
            self._best = answer

    def _score(self, answer: Answer) -> float:
        return score(answer, len(answer.ids), self._length_penalty)

    def _is_over(self, beams: list[Answer]) -> bool:
        """No beam can get better than the best answer: sums only fall, lengths only grow."""
        if self._best is None:
            return False
        bounds = (
            score(beam, beam.max_tokens if self._length_penalty > 0 else len(beam.ids), self._length_penalty) for beam in beams
        )
        return max(bounds) <= self._score(self._best)

    def _children(self, beams: list[Answer], logits: NDArray[np.float32]) -> tuple[list[int], list[Answer]]:
        """The best continuations of all beams together, and the rows they come from; ends are offered at once."""
        for beam, row in zip(beams, logits, strict=True):
            self._offer_end(beam, row)
        ways = (self._ways(i, beam, logits[i]) for i, beam in enumerate(beams) if beam.finish_reason is None)
        parents, children = list[int](), list[Answer]()
        for _, number, token in islice(heapq.merge(*ways), self._num_beams):
            child = beams[number].fork()
            child.append_sampled(token, logits[number])
            parents.append(number)
            children.append(child)
        return parents, children

    def _offer_end(self, beam: Answer, row: NDArray[np.float32]) -> None:
        end = max(self._ends, key=lambda token: row[token])
        if np.isfinite(row[end]):
            ended = beam.fork()
            ended.append_sampled(end, row)
            self._offer(ended)

    def _ways(self, number: int, beam: Answer, row: NDArray[np.float32]) -> Iterator[tuple[float, int, int]]:
        """The tokens that a beam may go on with, the likeliest first: (minus the sum so far, the beam, the token)."""
        for token in _likeliest_first(row, 4 * self._num_beams + len(self._ends)):
            if token not in self._ends and beam.can_take(token):
                yield -beam.log_probability - float(log_probabilities(row, [token])[0]), number, token


def _likeliest_first(row: NDArray[np.float32], count: int) -> Iterator[int]:
    """The allowed tokens, sorted; those behind the first `count` only when they are asked for."""
    order = np.argpartition(-row, min(count, len(row)) - 1)
    for part in (order[:count], order[count:]):
        yield from (int(token) for token in part[np.argsort(-row[part], kind="stable")] if row[token] > -np.inf)
