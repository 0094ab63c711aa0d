"""Floor 6: what is recorded of an answer: where each token came from, what each pass cost, how likely each choice was.

While an answer is written a `Recording` takes a few numbers for each pass. Log-probabilities need two sums of exponentials
over the vocabulary in each pass and are recorded only where they are asked for; they are the model's own, at temperature
1 and before top-k and the like, once over all tokens and once over those that the mask (and the budget) leave. Held by
tests/test_report.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Recording", "Report", "Token"]


class Token(NamedTuple):
    """A token of an answer: its id, its bytes (none for an end token), and its origin, "sampled" or "forced".

    `log_probability` is that of the token among those that the mask left, 0 for forced tokens; `model_log_probability`
    that among all tokens, None for forced ones, which the model was not asked for. Both are None where none were recorded.
    """

    id: int
    data: bytes
    origin: str
    log_probability: float | None = None
    model_log_probability: float | None = None


def _none() -> NDArray[np.float64]:
    return np.zeros(0)


@dataclass(frozen=True)
class Report:
    """What one answer, or several together, cost; `a + b` is the report of both.

    `mask_microseconds` is the time spent on the constraint, one number before the first pass of an answer and one behind
    each pass: masks, their application, forced text and budgets. `removed_mass` is the share of the model's probability
    that the mask took away, one number for each pass; NaN where it was not recorded (`log_probabilities=True`).
    `num_prompt_tokens` are those of the prompt that stayed, `num_healed_tokens` those taken back at its end,
    `num_reused_tokens` those that an earlier text began with, so that they were not computed again.
    """

    num_forward_passes: int = 0
    num_prompt_tokens: int = 0
    num_forced_tokens: int = 0
    num_sampled_tokens: int = 0
    num_healed_tokens: int = 0
    num_reused_tokens: int = 0
    seconds: float = 0.0
    mask_microseconds: NDArray[np.float64] = field(default_factory=_none)
    removed_mass: NDArray[np.float64] = field(default_factory=_none)

    @property
    def tokens(self) -> dict[str, int]:
        """The number of tokens by their origin."""
        return {"prompt": self.num_prompt_tokens, "forced": self.num_forced_tokens, "sampled": self.num_sampled_tokens}

    @property
    def mask_total(self) -> float:
        """Microseconds spent on the constraint in all."""
        return float(self.mask_microseconds.sum())

    @property
    def mask_mean(self) -> float:
        """Microseconds spent on the constraint, the average over what `mask_microseconds` lists; 0 where it is empty."""
        return self.mask_total / max(1, len(self.mask_microseconds))

    @property
    def mask_max(self) -> float:
        """The most microseconds spent on the constraint at once."""
        return float(self.mask_microseconds.max(initial=0.0))

    def __add__(self, other: Report) -> Report:
        if not isinstance(other, Report):
            return NotImplemented
        counts = {
            name: getattr(self, name) + getattr(other, name)
            for name in self.__dataclass_fields__
            if name not in ("mask_microseconds", "removed_mass")
        }
        return Report(
            **counts,
            mask_microseconds=np.concatenate([self.mask_microseconds, other.mask_microseconds]),
            removed_mass=np.concatenate([self.removed_mass, other.removed_mass]),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Report):
            return NotImplemented
        mine, others = ([getattr(one, name) for name in one.__dataclass_fields__] for one in (self, other))
        return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(mine, others, strict=True))

    def __str__(self) -> str:
        tokens = ", ".join(f"{count} {origin}" for origin, count in self.tokens.items())
        healed = f" ({self.num_healed_tokens} taken back)" if self.num_healed_tokens else ""
        masks = f"masks {self.mask_total / 1e3:.1f} ms in all, {self.mask_mean:.0f} µs on average, {self.mask_max:.0f} at most"
        known = self.removed_mass[~np.isnan(self.removed_mass)]
        removed = f"; {known.mean():.1%} of the probability masked" if len(known) else ""
        return f"{self.num_forward_passes} passes in {self.seconds:.2f} s; tokens: {tokens}{healed}; {masks}{removed}"


class Recording:
    """What is noted of an answer while it is written."""

    def __init__(self, log_probabilities: bool) -> None:
        self._is_wanted = log_probabilities
        self._marks: list[float] = []  # seconds spent on the constraint at the beginning of each pass
        self._all = 0.0  # the log of the sum over all tokens, of the pass that is going on
        self._positions: list[int] = []  # of the sampled tokens
        self._model: list[float] = []
        self._masked: list[float] = []
        self._removed: list[float] = []

    def copy(self) -> Recording:
        """An independent copy, for an answer that goes on in two ways."""
        twin = Recording(self._is_wanted)
        for name, value in vars(self).items():
            setattr(twin, name, value[:] if isinstance(value, list) else value)
        return twin

    @property
    def log_probability(self) -> float:
        """The sum of the sampled tokens' log-probabilities under the mask."""
        return float(sum(self._masked))

    @property
    def num_sampled(self) -> int:
        """How many tokens were sampled."""
        return len(self._positions)

    def begin_pass(self, logits: NDArray[Any], mask_seconds: float) -> None:
        """The model has given these logits, before the mask."""
        self._marks.append(mask_seconds)
        if self._is_wanted:
            self._all = _log_sum(logits)

    def choice(self, position: int, token: int, logits: NDArray[Any] | None) -> None:
        """The token at this position was chosen, out of those whose logits are not minus infinity by now."""
        self._positions.append(position)
        if self._is_wanted and logits is not None:
            masked, logit = _log_sum(logits), float(logits[token])
            self._model.append(min(0.0, logit - self._all))
            self._masked.append(min(0.0, logit - masked))
            self._removed.append(float(np.clip(1.0 - np.exp(masked - self._all), 0.0, 1.0)))

    def tokens(self, ids: Sequence[int], vocabulary_tokens: Sequence[bytes | None]) -> list[Token]:
        """The answer's tokens; `ids` include an end token that was sampled."""
        is_known = self._is_wanted and len(self._masked) == len(self._positions)
        forced_at = 0.0 if is_known else None
        found = [Token(i, vocabulary_tokens[i] or b"", "forced", forced_at) for i in ids]
        for number, position in enumerate(self._positions):
            known = (self._masked[number], self._model[number]) if is_known else ()
            found[position] = Token(*found[position][:2], "sampled", *known)
        return found

    def report(self, mask_seconds: float, **counts: Any) -> Report:
        """The report of the finished answer."""
        marks = np.array([0.0, *self._marks, mask_seconds])
        removed = np.array(self._removed) if self._removed else np.full(len(self._marks), np.nan)
        return Report(
            num_sampled_tokens=len(self._positions), mask_microseconds=np.diff(marks) * 1e6, removed_mass=removed, **counts
        )


def _log_sum(logits: NDArray[Any]) -> float:
    """The log of the sum of the exponentials."""
    greatest = logits.max()
    if not np.isfinite(greatest):
        return float("nan")  # the sampler refuses such logits
    return float(greatest) + float(np.log(np.exp(logits - greatest).sum()))
