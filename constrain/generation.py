"""Floor 6: an answer as its users get it. Held by tests/test_runner.py and tests/test_report.py."""

from __future__ import annotations

from dataclasses import dataclass

from .display import abridged, prompt_pieces, to_html, token_pieces
from .errors import ConstrainError
from .report import Report, Token

__all__ = ["Generation"]


@dataclass(frozen=True, repr=False)
class Generation:
    """An answer and what it cost.

    `data` are the bytes of `text`, in which special tokens are left out. `token_ids` are the answer's ids without its end token, `tokens` the same with their
    origins and probabilities, and with the end token where the model wrote one. `finish_reason` is "stop" where the
    answer ended, "length" where the budget did; `is_complete` says whether the constraint is satisfied by `text`.
    `prompt` are the tokens before the answer: bytes, or a special token's name. The first `num_leading_bytes` bytes of
    the tokens are no part of the text: a turn's dummy prefix, or what was taken back from the prompt. `report` has the costs.
    """

    text: str
    data: bytes
    token_ids: list[int]
    finish_reason: str
    is_complete: bool
    tokens: list[Token]
    prompt: list[bytes | str]
    num_leading_bytes: int
    report: Report

    @property
    def log_probability(self) -> float:
        """The sum of the tokens' log-probabilities under the mask; raises ConstrainError where none were recorded."""
        found = [token.log_probability for token in self.tokens]
        if None in found:
            raise ConstrainError(
                "generation: no log-probabilities were recorded, expected log_probabilities=True where it was generated"
            )
        return float(sum(one for one in found if one is not None))

    @property
    def num_prompt_tokens(self) -> int:
        return self.report.num_prompt_tokens

    @property
    def num_healed_tokens(self) -> int:
        return self.report.num_healed_tokens

    @property
    def num_reused_tokens(self) -> int:
        return self.report.num_reused_tokens

    @property
    def num_forward_passes(self) -> int:
        return self.report.num_forward_passes

    @property
    def num_sampled_tokens(self) -> int:
        return self.report.num_sampled_tokens

    @property
    def num_forced_tokens(self) -> int:
        return self.report.num_forced_tokens

    @property
    def mask_seconds(self) -> float:
        return self.report.mask_total / 1e6

    @property
    def seconds(self) -> float:
        return self.report.seconds

    def __repr__(self) -> str:
        state = self.finish_reason if self.is_complete else f"{self.finish_reason}, incomplete"
        counts = f"{len(self.token_ids)} tokens ({self.num_sampled_tokens} sampled, {self.num_forced_tokens} forced)"
        return f"<Generation {abridged(self.text)}, {state}, {counts}, {self.num_forward_passes} passes>"

    def _repr_html_(self) -> str:
        return to_html([*prompt_pieces(self.prompt), *token_pieces(self.tokens)], str(self.report))
