"""Floor 5: choosing a token from logits that a mask has been applied to.

The order is that of transformers and vLLM: temperature, then top-k, then top-p, then min-p. Each row owns its random
generator, so a row's choices depend on its seed and its logits alone and a batch draws what single runs draw. Where a
filter keeps less than the mask allows, it keeps at least one allowed token. Held by tests/test_runner.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConstrainError

__all__ = ["Sampler", "Sampling", "log_probabilities"]


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen: the greatest logit at `temperature` 0, else drawn from what the filters leave."""

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float = 1.0
    min_p: float = 0.0
    seed: int | None = None

    def __post_init__(self) -> None:
        _check_number("temperature", self.temperature, 0.0, float("inf"))
        _check_number("top_p", self.top_p, 0.0, 1.0)
        _check_number("min_p", self.min_p, 0.0, 1.0)
        if self.top_p == 0:
            raise ConstrainError("sampling: top_p is 0, expected a number above 0 up to 1")
        if self.top_k is not None and (not isinstance(self.top_k, int) or self.top_k < 1):
            raise ConstrainError(
                f"sampling: top_k is {self.top_k!r}, expected a whole number from 1, or None"
            )
        if self.seed is not None and (not isinstance(self.seed, int) or self.seed < 0):
            raise ConstrainError(f"sampling: seed is {self.seed!r}, expected a whole number from 0, or None")


def _check_number(name: str, value: Any, least: float, greatest: float) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not least <= value <= greatest or value == float("inf"):
        accepted = f"a number from {least:g}" + (f" to {greatest:g}" if greatest < float("inf") else "")
        raise ConstrainError(f"sampling: {name} is {value!r}, expected {accepted}")


class Sampler:
    """Draws the tokens of one sequence.

    `row` sets its random numbers apart from those of its batch's other rows, `sample` from those of the row's other samples.
    """

    def __init__(self, sampling: Sampling, row: int = 0, sample: int = 0) -> None:
        self._sampling = sampling
        self._random = np.random.default_rng(None if sampling.seed is None else (sampling.seed, row, sample))

    def choose(self, logits: NDArray[np.float32]) -> int:
        """The id of the next token; logits of minus infinity are never chosen.

        >>> Sampler(Sampling()).choose(np.array([0.0, 2.0, -np.inf], dtype=np.float32))
        1
        """
        best = int(np.argmax(logits))
        if not np.isfinite(logits[best]):
            raise ConstrainError(
                f"sampling: the greatest logit is {logits[best]}, so the model's output is broken (NaN or infinite)"
            )
        if self._sampling.temperature == 0.0:
            return best
        ids, probabilities = self._filtered(logits)
        if len(ids) == 1:
            return int(ids[0])
        cumulative = np.cumsum(probabilities)
        position = np.searchsorted(cumulative, self._random.random() * cumulative[-1], side="right")
        return int(ids[min(int(position), len(ids) - 1)])

    def _filtered(self, logits: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """The ids that may be drawn and their probabilities, which need not sum to 1."""
        sampling = self._sampling
        ids = np.flatnonzero(logits > -np.inf)
        scaled = logits[ids].astype(np.float64)
        scaled = (scaled - scaled.max()) / sampling.temperature
        if sampling.top_k is not None and sampling.top_k < len(ids):
            kept = np.argpartition(-scaled, sampling.top_k - 1)[: sampling.top_k]
            kept.sort()
            ids, scaled = ids[kept], scaled[kept]
        probabilities = np.exp(scaled)
        if sampling.top_p < 1.0:
            order = np.argsort(-probabilities, kind="stable")
            before = np.cumsum(probabilities[order]) - probabilities[order]
            kept = np.sort(order[before < sampling.top_p * probabilities.sum()])
            ids, probabilities = ids[kept], probabilities[kept]
        if sampling.min_p > 0.0:
            wanted = probabilities >= sampling.min_p * probabilities.max()
            ids, probabilities = ids[wanted], probabilities[wanted]
        return ids, probabilities


def log_probabilities(logits: NDArray[np.float32], ids: Sequence[int]) -> NDArray[np.float64]:
    """How likely these tokens are under masked logits, at temperature 1.

    >>> log_probabilities(np.log(np.array([1.0, 3.0, 0.0], dtype=np.float32) + 1e-30), [1]).round(3).tolist()
    [-0.288]
    """
    greatest = float(logits.max())
    return logits[list(ids)].astype(np.float64) - greatest - np.log(np.exp(logits - greatest).sum(dtype=np.float64))
