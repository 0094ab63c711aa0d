"""Floor 6: one answer: a prompt, a matcher, and the tokens so far.

For each answer it keeps true:

- every token was allowed by the mask at its place, so what is produced is a prefix of some text of the constraint;
- where the constraint leaves one way only, the text is appended without asking the model (*fast-forward*): in the
  tokenizer's own tokens, in the pass of the last sampled token, and short of the tokens that a longer one might
  swallow together with what follows;
- the bytes of the dummy prefix, one space at the start of a turn, belong to the tokenizer and not to the text;
- with `finish="complete"` the answer ends inside its budget: a token is taken only if the text can still be ended with
  the tokens that are left behind it, and a way to do so is known at every step (the *plan*).

Held by tests/test_runner.py and tests/test_budgets.py.
"""

from __future__ import annotations

import time
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ConstrainError, LimitExceeded
from .matcher import Constraint
from .models.sampling import Sampler, log_probabilities
from .vocabulary import Vocabulary

__all__ = ["Answer", "Generation"]

MAX_REFUSED = 64  # tokens that do not fit any more before the plan is followed


@dataclass(frozen=True)
class Generation:
    """An answer and what it cost.

    `data` are the bytes of `text`. `token_ids` are the answer's ids without its end token. `finish_reason` is "stop" where
    the answer ended, "length" where the budget did; `is_complete` says whether the constraint is satisfied by `text`.
    `num_forward_passes` counts the passes that this answer took part in, `mask_seconds` the time spent on its constraint.
    `num_reused_tokens` are those of the prompt that an earlier text began with, so that they were not computed again.
    `log_probability` is the sum over the sampled tokens, under the mask, where it was asked for.
    """

    text: str
    data: bytes
    token_ids: list[int]
    finish_reason: str
    is_complete: bool
    num_prompt_tokens: int
    num_forward_passes: int
    num_sampled_tokens: int
    num_forced_tokens: int
    mask_seconds: float
    seconds: float
    num_reused_tokens: int = 0
    log_probability: float | None = None


class Answer:
    """An answer that is being written."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        prompt: list[int],
        constraint: Constraint | None,
        sampler: Sampler,
        max_tokens: int,
        *,
        is_turn: bool,
        fast_forward: bool,
        must_finish: bool,
        is_scored: bool = False,
    ) -> None:
        self.vocabulary = vocabulary
        self.matcher = (
            None
            if constraint is None
            else constraint.matcher(start="turn" if is_turn and vocabulary.adds_dummy_prefix else "continue")
        )
        self.sampler = sampler
        self.max_tokens = max_tokens
        self.is_turn = is_turn
        self.prompt = prompt
        self.ids: list[int] = []
        self.pending: list[int] = list(prompt)  # what the model has not seen yet
        self.finish_reason: str | None = None
        self.num_forward_passes = self.num_sampled_tokens = self.num_forced_tokens = 0
        self.mask_seconds = 0.0
        self.num_reused_tokens = 0
        self.error: ConstrainError | None = None
        self.log_probability: float | None = 0.0 if is_scored else None
        self._has_end_token = False
        self._fast_forward = fast_forward
        self._must_finish = must_finish and constraint is not None and vocabulary.trie.spells_every_byte
        self._plan: list[int] | None = None  # tokens that end the text from here; None: not asked for yet
        self._next_plan: list[int] | None = None  # the same behind the token that was looked at last
        if self._must_finish:
            self._check_minimum()
        if fast_forward:
            self.append_forced(self._forced_at_start())
        self.check_budget()

    # -------------------------------------------------------- the budget

    def _check_minimum(self) -> None:
        plan = self._way_to_end()
        if plan is None or len(plan) > self.max_tokens:
            least = "more than can be told" if plan is None else len(plan)
            raise LimitExceeded(
                "max_tokens", None if plan is None else len(plan), self.max_tokens,
                f"generate: max_tokens {self.max_tokens} is not enough: the shortest answer takes {least} tokens; "
                "allow as many, or let the answer be cut with finish='cut'",
            )  # fmt: skip
        self._plan = plan

    def _way_to_end(self) -> list[int] | None:
        assert self.matcher is not None
        data = self.matcher.shortest_way()
        return None if data is None else self.vocabulary.encode(data, after=self.ids)

    def _is_near_end(self, left: int) -> tuple[bool, list[int] | None]:
        """Do `left` tokens end the text from where the matcher stands? And a plan, where one had to be made.

        Each byte is a token in the worst case. The plan is in the longest tokens instead of the tokenizer's own, which is
        far cheaper and hardly longer.
        """
        assert self.matcher is not None
        if 0 <= self.matcher.min_length() <= left:
            return True, None
        plan = self.vocabulary.trie.longest_matches(self.matcher.shortest_way() or b"")
        return 0 < len(plan) <= left, plan

    def choose(self, logits: NDArray[Any]) -> int:
        """The token that the sampler takes, out of those behind which the text can still be ended in time."""
        token = self.sampler.choose(logits)
        if not self._must_finish or self._fits(token):
            return token
        for _ in range(MAX_REFUSED):
            logits[token] = -np.inf
            if not np.isfinite(logits.max()):
                break
            token = self.sampler.choose(logits)
            if self._fits(token):
                return token
        assert self._plan  # made when the first token did not fit
        token, self._next_plan = self._plan[0], self._plan[1:]
        return token

    def can_take(self, token: int) -> bool:
        """Whether the text can still be ended in time behind an allowed token, where it must be."""
        return not self._must_finish or self._fits(token)

    def _fits(self, token: int) -> bool:
        """Can the text be ended behind this token with what is left?"""
        assert self.matcher is not None
        self._next_plan = None
        if token in self.vocabulary.end_ids:
            return True
        if self._plan and token == self._plan[0]:
            self._next_plan = self._plan[1:]
            return True
        left = self.max_tokens - len(self.ids) - 1
        started = time.perf_counter()
        self.matcher.accept_token(token)
        fits, self._next_plan = self._is_near_end(left)
        self.matcher.rollback(1)
        if not fits and self._plan is None:
            self._plan = self._way_to_end()
        self.mask_seconds += time.perf_counter() - started
        return fits

    # -------------------------------------------------------- tokens

    def append_sampled(self, token: int, logits: NDArray[Any]) -> None:
        """Takes the token that was chosen out of the masked logits, and what is forced behind it."""
        self.num_sampled_tokens += 1
        if self.log_probability is not None:
            self.log_probability += float(log_probabilities(logits, [token])[0])
        started = time.perf_counter()
        accepted = self.matcher is None or self.matcher.accept_token(token)
        self.mask_seconds += time.perf_counter() - started
        if not accepted:
            raise ConstrainError(f"generate: token {token} was chosen against its mask")
        if token in self.vocabulary.end_ids:
            self._has_end_token = True
            self.finish_reason = "stop"
            return
        self.ids.append(token)
        self.pending = [token]
        if self._must_finish:
            self._plan = self._next_plan
        if self._fast_forward:
            self.append_forced(self._forced())
        self.check_budget()

    def check_budget(self) -> None:
        """Finishes the answer when it has used up its tokens."""
        if self.finish_reason is None and len(self.ids) >= self.max_tokens:
            self.finish_reason = "length"

    def append_forced(self, tokens: list[int]) -> None:
        """Takes those of the forced tokens that stand whatever follows; the matcher has accepted none of them yet."""
        if self.matcher is None or not tokens:
            return
        started = time.perf_counter()
        tokens = self.matcher.accept_forced(tokens[: self.max_tokens - len(self.ids)])
        if tokens and self._must_finish and not self._fits_behind(tokens):
            self.matcher.rollback(len(tokens))
            tokens = []
        self.mask_seconds += time.perf_counter() - started
        self.ids += tokens
        self.pending += tokens
        self.num_forced_tokens += len(tokens)

    def _fits_behind(self, tokens: list[int]) -> bool:
        """The same behind forced tokens, which the matcher has accepted already."""
        assert self.matcher is not None
        if self._plan is not None and self._plan[: len(tokens)] == tokens:
            self._plan = self._plan[len(tokens) :]
            return True
        fits, plan = self._is_near_end(self.max_tokens - len(self.ids) - len(tokens))
        if fits:
            self._plan = plan
        return fits

    def _forced(self) -> list[int]:
        """The tokenizer's tokens for the bytes that must come next."""
        if self.matcher is None or len(self.ids) >= self.max_tokens:
            return []
        started = time.perf_counter()
        forced = self.matcher.forced_bytes()
        tokens = self.vocabulary.encode(forced, after=self.ids) if forced else []
        self.mask_seconds += time.perf_counter() - started
        return tokens

    def _forced_at_start(self) -> list[int]:
        """The same at the start of the answer, where the tokenizer would put its dummy prefix first.

        The matcher accepts the text with and without that space; forced tokens take the tokenizer's own way.
        """
        if self.matcher is None:
            return []
        if not (self.is_turn and self.vocabulary.adds_dummy_prefix):
            return self._forced()
        behind_prefix = self.matcher.fork()
        if not behind_prefix.accept_bytes(b" "):
            return []
        forced = _whole_characters(behind_prefix.forced_bytes())
        return self.vocabulary.encode(forced, start="turn") if forced else []

    # -------------------------------------------------------- the answer

    def text_bytes(self) -> bytes:
        """The answer's bytes, without the dummy prefix."""
        data = self.vocabulary.decode(self.ids)
        has_prefix = self.is_turn and self.vocabulary.adds_dummy_prefix and data.startswith(b" ")
        return data[1:] if has_prefix else data

    def fail(self, error: ConstrainError) -> None:
        """The answer breaks down; whoever asks for it gets the error."""
        self.error = error
        self.finish_reason = "error"

    def fork(self) -> Answer:
        """An independent copy, to be gone on with otherwise."""
        twin = copy(self)
        twin.matcher = None if self.matcher is None else self.matcher.fork()
        twin.ids, twin.pending = list(self.ids), list(self.pending)
        return twin

    def generation(self, seconds: float) -> Generation:
        """The finished answer; raises the error that it broke down with."""
        if self.error is not None:
            raise self.error
        is_accepting = (
            self.matcher.is_accepting() if self.matcher is not None else self.finish_reason == "stop"
        )
        data = self.text_bytes()
        return Generation(
            text=data.decode(errors="replace"),
            data=data,
            token_ids=self.ids,
            finish_reason=self.finish_reason or "length",
            is_complete=self._has_end_token or is_accepting,
            num_prompt_tokens=len(self.prompt),
            num_forward_passes=self.num_forward_passes,
            num_sampled_tokens=self.num_sampled_tokens,
            num_forced_tokens=self.num_forced_tokens,
            mask_seconds=self.mask_seconds,
            seconds=seconds,
            num_reused_tokens=self.num_reused_tokens,
            log_probability=self.log_probability,
        )


def _whole_characters(data: bytes) -> bytes:
    """`data` up to the last whole UTF-8 character in it."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return data[: error.start]
    return data
