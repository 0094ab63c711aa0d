"""Floor 6: one answer: a prompt, a matcher, and the tokens so far.

For each answer it keeps true:

- every token was allowed by the mask at its place, so what is produced is a prefix of some text of the constraint;
- where the constraint leaves one way only, the text is appended without asking the model (*fast-forward*): in the
  tokenizer's own tokens, in the pass of the last sampled token, and short of the tokens that a longer one might
  swallow together with what follows;
- the bytes of the dummy prefix, one space at the start of a turn, belong to the tokenizer and not to the text;
- where the answer continues a text, the last tokens of the prompt are taken back while a longer token, allowed by the
  mask, begins with their bytes (*healing*, the mirror of the forced tokens that are kept back): the answer's first tokens
  spell these bytes again, perhaps together with more, and they are no part of its text. What is taken back comes on top
  of the budget, so prompt and answer together never take more tokens than without. The prompt's first token stays, as
  a model has to see something, and special tokens are never crossed;
- with `finish="complete"` the answer ends inside its budget: a token is taken only if the text can still be ended with
  the tokens that are left behind it.

Held by tests/test_runner.py, tests/test_budgets.py and tests/test_healing.py.
"""

from __future__ import annotations

import time
from copy import copy
from typing import Any

from numpy.typing import NDArray

from ._native import ExprSet
from .bitmask import allocate_token_bitmask, apply_token_bitmask_inplace
from .errors import ConstrainError, LimitExceeded
from .expr import Expr
from .generation import Generation
from .matcher import Constraint, Matcher, compile
from .models.sampling import Sampler
from .report import Recording
from .vocabulary import NUM_TAIL_TOKENS, Vocabulary

__all__ = ["Answer"]


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
        heal: int = 0,  # at most so many tokens of the prompt may be taken back
        log_probabilities: bool = False,
    ) -> None:
        self.vocabulary = vocabulary
        self.matcher = (
            None
            if constraint is None
            else constraint.matcher(start="turn" if is_turn and vocabulary.adds_dummy_prefix else "continue")
        )
        self._constraint = constraint
        self.sampler = sampler
        self.max_tokens = max_tokens
        self.is_turn = is_turn
        self.prompt = prompt
        self.ids: list[int] = []
        self.pending: list[int] = list(prompt)  # what the model has not seen yet
        self.finish_reason: str | None = None
        self.num_forward_passes = self.num_forced_tokens = 0
        self.mask_seconds = 0.0
        self.num_reused_tokens = 0
        self.error: ConstrainError | None = None
        self.recording = Recording(log_probabilities)
        self._end_token: int | None = None
        self.num_healed_tokens = 0
        self._taken_back = b""  # the bytes of the prompt's last tokens that the answer spells again
        self._num_owed = 0  # bytes of it that are not spelt again yet
        self._fast_forward = fast_forward
        self._must_finish = must_finish and constraint is not None and constraint.trie.spells_every_byte
        self._text_before = _text_tail(vocabulary, prompt)
        if heal and not is_turn:
            self._heal(heal)
        if self._must_finish:
            self._check_minimum()
        if fast_forward:
            self.append_forced(self._forced_at_start())
        self.check_budget()

    # -------------------------------------------------------- the border

    def _heal(self, most: int) -> None:
        """Takes back the last tokens of the prompt that a longer one might swallow together with what follows."""
        started = time.perf_counter()
        tail = _text_tail(self.vocabulary, self.prompt[1:])[-most:]
        while len(self.vocabulary.decode(tail[1:])) >= self.vocabulary.max_token_length:
            tail = tail[1:]
        constraint = self._constraint or _any_bytes(self.vocabulary)
        matcher = constraint.matcher(prefix=self.vocabulary.decode(tail))
        kept = len(matcher.accept_forced(tail))
        taken, before = tail[kept:], self._text_before
        self._text_before = before[: len(before) - len(taken)]
        if taken and self._can_respell(matcher, taken):
            self.matcher = matcher
            self.prompt = self.prompt[: -len(taken)]
            self.pending = list(self.prompt)
            self.max_tokens += len(taken)
            self.num_healed_tokens = len(taken)
            self._taken_back = self.vocabulary.decode(taken)
            self._num_owed = len(self._taken_back)
        else:
            self._text_before = before
        self.mask_seconds += time.perf_counter() - started

    def _can_respell(self, matcher: Matcher, taken: list[int]) -> bool:
        """Is the budget enough to write again what was taken back, in bytes if need be, and the shortest answer?"""
        budget = self.max_tokens + len(taken)
        if self._must_finish:
            return matcher.can_end_within(budget) or 0 <= matcher.fewest_tokens()[0] <= budget
        return len(self.vocabulary.decode(taken)) <= budget

    def _tail(self) -> list[int]:
        """The last tokens of the turn so far, enough for the tokenizer to go on behind them."""
        return [*self._text_before, *self.ids[-NUM_TAIL_TOKENS:]]

    def _add(self, tokens: list[int]) -> None:
        """The tokens, which the matcher has accepted, become the answer's."""
        self.ids += tokens
        if self._num_owed:
            self._num_owed = max(0, self._num_owed - len(self.vocabulary.decode(tokens)))
            if not self._num_owed and self._constraint is None:
                self.matcher = None

    # -------------------------------------------------------- the budget

    def _check_minimum(self) -> None:
        assert self.matcher is not None
        if self.matcher.can_end_within(self.max_tokens):
            return
        fewest, is_exact = self.matcher.fewest_tokens()
        if not 0 <= fewest <= self.max_tokens:
            least = f"{fewest} tokens" if fewest >= 0 else "more tokens than can be told"
            raise LimitExceeded(
                "max_tokens", None if fewest < 0 else fewest, self.max_tokens,
                f"generate: max_tokens {self.max_tokens} is not enough: the shortest answer {'' if is_exact else 'found '}"
                f"takes {least}; allow as many, or let the answer be cut with finish='cut'",
            )  # fmt: skip

    def choose(self, logits: NDArray[Any]) -> int:
        """The token that the sampler takes, out of those behind which the text can still be ended in time.

        Most of the time its first choice is one of these. Where it is not, it chooses again from them alone, so that
        all keep the shares that they would have if nothing else had been allowed in the first place (but for filters
        such as top-p, which look at the whole mask the first time).
        """
        token = self.sampler.choose(logits)
        if not self._must_finish:
            return token
        if not self._fits(token):
            self._restrict(logits)
            token = self.sampler.choose(logits)
            while not self._fits(token):  # where lengths are but bounds the mask may hold more than can be kept
                logits[token] = float("-inf")
                token = self.sampler.choose(logits)
        return token

    def can_take(self, token: int) -> bool:
        """Whether the text can still be ended in time behind an allowed token, where it must be."""
        return not self._must_finish or self._fits(token)

    def _fits(self, token: int) -> bool:
        """Can the text be ended behind this token with what is left?"""
        assert self.matcher is not None
        started = time.perf_counter()
        fits = self.matcher.is_token_allowed_within(token, self.max_tokens - len(self.ids))
        self.mask_seconds += time.perf_counter() - started
        return fits

    def _restrict(self, logits: NDArray[Any]) -> None:
        """Leaves the tokens that fit."""
        assert self.matcher is not None
        started = time.perf_counter()
        bitmask = allocate_token_bitmask(1, self.vocabulary.size)[0]
        self.matcher.fill_next_token_bitmask_within(bitmask, self.max_tokens - len(self.ids))
        apply_token_bitmask_inplace(logits, bitmask)
        self.mask_seconds += time.perf_counter() - started

    # -------------------------------------------------------- tokens

    def begin_pass(self, logits: NDArray[Any]) -> None:
        """The model has computed the logits of the next token; the mask comes after this."""
        self.num_forward_passes += 1
        self.recording.begin_pass(logits, self.mask_seconds)

    def append_sampled(self, token: int, logits: NDArray[Any] | None = None) -> None:
        """Takes the token that was chosen out of the masked logits, and what is forced behind it."""
        self.recording.choice(len(self.ids), token, logits)
        started = time.perf_counter()
        accepted = self.matcher is None or self.matcher.accept_token(token)
        self.mask_seconds += time.perf_counter() - started
        if not accepted:
            raise ConstrainError(f"generate: token {token} was chosen against its mask")
        if token in self.vocabulary.end_ids:
            self._end_token = token
            self.finish_reason = "stop"
            return
        self._add([token])
        self.pending = [token]
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
        left = self.max_tokens - len(self.ids) - len(tokens)
        if tokens and self._must_finish and not self.matcher.can_end_within(left):
            self.matcher.rollback(len(tokens))
            tokens = []
        self.mask_seconds += time.perf_counter() - started
        self._add(tokens)
        self.pending += tokens
        self.num_forced_tokens += len(tokens)

    def _forced(self) -> list[int]:
        """The tokenizer's tokens for the bytes that must come next."""
        if self.matcher is None or len(self.ids) >= self.max_tokens:
            return []
        started = time.perf_counter()
        forced = self.matcher.forced_spelling()
        tokens = self.vocabulary.encode(forced, after=self._tail()) if forced else []
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
        forced = _whole_characters(behind_prefix.forced_spelling())
        return self.vocabulary.encode(forced, start="turn") if forced else []

    # -------------------------------------------------------- the answer

    @property
    def num_leading_bytes(self) -> int:
        """How many of the first tokens' bytes are no part of the text: the dummy prefix, or what was taken back."""
        if self._taken_back:
            return len(self._taken_back)
        has_prefix = self.is_turn and self.vocabulary.adds_dummy_prefix and self.vocabulary.decode(self.ids[:1]).startswith(b" ")
        return int(has_prefix)

    def text_bytes(self) -> bytes:
        """The answer's bytes; special tokens are no bytes, and stand in `ids` only."""
        return self.vocabulary.decode(self.ids)[self.num_leading_bytes :]

    def fail(self, error: ConstrainError) -> None:
        """The answer breaks down; whoever asks for it gets the error."""
        self.error = error
        self.finish_reason = "error"

    @property
    def log_probability(self) -> float:
        """The sum of the tokens' log-probabilities under the mask, so far; 0 where none are recorded."""
        return self.recording.log_probability

    def fork(self) -> Answer:
        """An independent copy, to be gone on with otherwise."""
        twin = copy(self)
        twin.matcher = None if self.matcher is None else self.matcher.fork()
        twin.ids, twin.pending = list(self.ids), list(self.pending)
        twin.recording = self.recording.copy()
        return twin

    def generation(self, seconds: float) -> Generation:
        """The finished answer; raises the error that it broke down with."""
        if self.error is not None:
            raise self.error
        is_accepting = (
            self.matcher.is_accepting() if self.matcher is not None else self.finish_reason == "stop"
        )
        data = self.text_bytes()
        ended = self.ids if self._end_token is None else [*self.ids, self._end_token]
        return Generation(
            text=data.decode(errors="replace"),
            data=data,
            token_ids=self.ids,
            finish_reason=self.finish_reason or "length",
            is_complete=self._end_token is not None or is_accepting,
            tokens=self.recording.tokens(ended, self.vocabulary.tokens),
            prompt=self.vocabulary.shown(self.prompt),
            num_leading_bytes=self.num_leading_bytes,
            report=self.recording.report(
                self.mask_seconds,
                num_forward_passes=self.num_forward_passes,
                num_prompt_tokens=len(self.prompt),
                num_forced_tokens=self.num_forced_tokens,
                num_healed_tokens=self.num_healed_tokens,
                num_reused_tokens=self.num_reused_tokens,
                seconds=seconds,
            ),
        )


def _any_bytes(vocabulary: Vocabulary) -> Constraint:
    """What allows any text behind the bytes that were taken back."""
    expr_set = ExprSet()
    return compile(Expr(expr_set, expr_set.ANYTHING), vocabulary)


def _text_tail(vocabulary: Vocabulary, ids: list[int]) -> list[int]:
    """The last ids up to the first that masks never allow (specials and the like), as many as the longest token may span."""
    excluded, tail = set(vocabulary.excluded), list[int]()
    for i in reversed(ids[-vocabulary.max_token_length :]):
        if not vocabulary.tokens[i] or i in excluded:
            break
        tail.append(i)
    return tail[::-1]


def _whole_characters(data: bytes) -> bytes:
    """`data` up to the last whole UTF-8 character in it."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return data[: error.start]
    return data
