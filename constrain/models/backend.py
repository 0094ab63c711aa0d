"""Floor 5: what the decode loop asks of a model, whatever computes it.

A `Session` is a batch of sequences with their caches: tokens go in, the logits behind the last one come out. It is the
whole of a backend's contract, so a scripted model for tests is ten lines. Sequences may get different numbers of tokens
in one pass (forced runs), and finished ones leave. The logits of a sequence do not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..vocabulary import Vocabulary

__all__ = ["Backend", "Session"]


class Session(Protocol):
    """A batch of sequences inside a model."""

    def forward(self, tokens: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Appends `tokens[i]` (one or more) to sequence i; returns writable logits [num_sequences, vocabulary.size]."""
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """Goes on with these sequences only, renumbered in the given order."""
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
