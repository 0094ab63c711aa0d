"""Floor 7: constraints inside `model.generate` of transformers.

What is kept true: the scores of a row are a function of its generated suffix alone, `input_ids[row, prompt_length:]`, so
beams may be reordered, dropped and doubled freely between two calls. Matchers are cached by suffix only to save time:
that of a new suffix is forked from the one a token shorter. Rows expand as transformers expands them: with n
constraints, row r belongs to constraint r // (rows / n), whatever `num_beams` and `num_return_sequences` are.

Source: `generation/utils.py` (`_sample`, `_beam_search`) of transformers. Held by tests/test_processors.py.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from transformers import LogitsProcessor

from ..bitmask import allocate_token_bitmask, apply_token_bitmask_inplace
from ..errors import ConstrainError
from ..matcher import Constraint, Matcher

__all__ = ["ConstraintLogitsProcessor"]


class ConstraintLogitsProcessor(LogitsProcessor):
    """Masks the scores of `model.generate` so that every answer is a text of its constraint.

    `constraint`: one for all prompts, or a list with one for each prompt (None leaves a prompt's answers free).
    `prompt_length`: the number of columns of the (left-padded) prompt, or its tensor of ids.
    `start`: "turn" where the prompt ends with a role token, as chat templates do; "continue" in the middle of a text.
    `pad_token_id`: what the call pads finished rows with, if it is no end token.

    Pass `eos_token_id=constraint.vocabulary.end_ids` to `generate`, so that it stops where the constraint does. Beam
    search can return more sequences than the constraint has texts; those in excess have a score of about -1e9 or less.
    Raises ConstrainError when the scores do not fit the vocabulary.
    """

    supports_continuous_batching = False

    def __init__(
        self,
        constraint: Constraint | Sequence[Constraint | None],
        prompt_length: int | torch.Tensor,
        *,
        start: str = "turn",
        pad_token_id: int | None = None,
    ) -> None:
        self._constraints: list[Any] = (
            list(constraint) if isinstance(constraint, (list, tuple)) else [constraint]
        )
        compiled = [one for one in self._constraints if one is not None]
        for one in compiled:
            if not isinstance(one, Constraint):
                raise ConstrainError(
                    f"processor: constraint is a {type(one).__name__}, expected what constrain.compile returns"
                )
        if not compiled:
            raise ConstrainError("processor: no constraint given")
        if start not in ("turn", "continue"):
            raise ConstrainError(f"processor: start is {start!r}, expected 'turn' or 'continue'")
        self._start = start
        self._prompt_length = _prompt_length(prompt_length)
        self._vocabulary = compiled[0].vocabulary
        if any(one.vocabulary is not self._vocabulary for one in compiled):
            raise ConstrainError("processor: the constraints were compiled for different vocabularies")
        self._end_ids = frozenset(self._vocabulary.end_ids)
        self._closing_ids = sorted({*self._end_ids, *(() if pad_token_id is None else (int(pad_token_id),))})
        self._matchers: OrderedDict[tuple[int, tuple[int, ...]], Matcher | None] = OrderedDict()

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores [rows, width] with minus infinity wherever a row's constraint forbids a token; `scores` stay as they are."""
        num_rows, width = scores.shape
        if width < self._vocabulary.size:
            raise ConstrainError(
                f"processor: the vocabulary's size {self._vocabulary.size} does not fit scores of width {width}"
            )
        if num_rows % len(self._constraints) or input_ids.shape[1] < self._prompt_length:
            raise ConstrainError(
                f"processor: {num_rows} rows of {input_ids.shape[1]} tokens do not fit {len(self._constraints)} "
                f"constraints and a prompt of {self._prompt_length} tokens"
            )
        bitmask = allocate_token_bitmask(num_rows, self._vocabulary.size)
        suffixes = input_ids[:, self._prompt_length :].tolist()
        rows_per_constraint = num_rows // len(self._constraints)
        for row, suffix in enumerate(suffixes):
            self._fill(row // rows_per_constraint, tuple(suffix), bitmask, row)
        self._forget(num_rows)
        masked = scores.clone()
        masked[:, self._vocabulary.size :] = -torch.inf
        apply_token_bitmask_inplace(masked[:, : self._vocabulary.size], bitmask)
        return masked

    def _fill(self, number: int, suffix: tuple[int, ...], bitmask: Any, row: int) -> None:
        """Writes the mask behind a suffix into a row of the bitmask."""
        if self._constraints[number] is None:
            bitmask[row] = -1
            return
        matcher = self._matcher(number, suffix)
        if matcher is not None:
            matcher.fill_next_token_bitmask(bitmask, row)
            return
        # Behind an end token only padding follows. A suffix that no matcher accepts is a beam of score minus infinity,
        # kept for want of a better one: any token does, and an empty row would make NaN of its probabilities.
        bitmask[row] = 0
        for i in self._closing_ids:
            bitmask[row, i // 32] |= _BIT[i % 32]

    def _matcher(self, number: int, suffix: tuple[int, ...]) -> Matcher | None:
        """The matcher behind a suffix; None behind an end token and behind what the constraint forbids."""
        key = (number, suffix)
        if key in self._matchers:
            self._matchers.move_to_end(key)
            return self._matchers[key]
        parent_key = (number, suffix[:-1])
        matcher: Matcher | None
        if suffix and parent_key in self._matchers:
            parent = self._matchers[parent_key]
            matcher, rest = None if parent is None else parent.fork(), suffix[-1:]
        else:
            matcher, rest = self._constraints[number].matcher(start=self._start), suffix
        is_text = all(0 <= i < self._vocabulary.size and i not in self._end_ids for i in rest)
        if matcher is not None and not (is_text and matcher.accept_tokens(rest) == len(rest)):
            matcher = None
        self._matchers[key] = matcher
        return matcher

    def _forget(self, num_rows: int) -> None:
        """Drops the matchers used longest ago; those of this call, the parents of the next, stay."""
        while len(self._matchers) > 2 * num_rows + 64:
            self._matchers.popitem(last=False)


_BIT = [1 << i for i in range(31)] + [-(1 << 31)]


def _prompt_length(value: Any) -> int:
    shape = getattr(value, "shape", None)
    if shape is not None and len(shape) == 2:
        return int(shape[1])
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ConstrainError(
        f"processor: prompt_length is {type(value).__name__}, expected a number of tokens or the prompts' ids of shape "
        "[num_prompts, num_tokens]"
    )
