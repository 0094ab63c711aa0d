"""Floor 5: what the decode loop asks of a model, whatever computes it.

A `Session` is a batch of sequences with their caches: tokens go in, the logits behind the last one come out. It is the
whole of a backend's contract, so a scripted model for tests is ten lines. Sequences may get different numbers of tokens
in one pass (forced runs), new ones join, finished ones leave, and one that is kept twice is forked. The logits of a
sequence do not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..vocabulary import Vocabulary

__all__ = ["Backend", "ReusingSession", "Session"]


class Session(Protocol):
    """A batch of sequences inside a model."""

    def forward(self, tokens: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Appends `tokens[i]` (one or more) to sequence i; returns writable logits [num_sequences, vocabulary.size].

        Raises LimitExceeded, and leaves the sequences as they were, where memory does not suffice.
        """
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """Goes on with these sequences only, renumbered in the given order; none ends the session.

        A sequence that is named again is forked; only beam search asks for that.
        """
        ...

    def add(self, num_sequences: int) -> None:
        """So many empty sequences more, behind the others; only `map` asks for that."""
        ...


@runtime_checkable
class ReusingSession(Protocol):
    """A session that need not compute everything it is given."""

    @property
    def num_reused_tokens(self) -> list[int]:
        """For each sequence, how many tokens at its beginning were known from another one."""
        ...


class Backend(Protocol):
    """A loaded model."""

    vocabulary: Vocabulary
    max_length: int  # the greatest number of tokens, prompt and answer together

    def open(self, num_sequences: int) -> Session:
        """A session of this many empty sequences."""
        ...

    def chat_ids(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """The ids of a chat, up to the place where the assistant's answer begins."""
        ...

    def text_ids(self, text: str) -> list[int]:
        """The ids of a plain text that the model is to continue."""
        ...
