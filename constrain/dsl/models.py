"""Models for programs: Phi-3.5 through the built-in runner, and `Mock`, which writes what a test tells it to.

`Mock` is a real backend on a vocabulary of bytes: its texts go through the masks like any model's. Held by
tests/test_dsl.py.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConstrainError
from ..expr import Expr, encode
from ..generate import LanguageModel
from ..generate import Phi as PhiRunner
from ..matcher import compile
from ..vocabulary import Vocabulary
from .engine import END, START, Engine
from .places import ProgramError, located
from .state import Model

__all__ = ["Mock", "Model", "Phi"]

_SPECIALS = (START, "<|system|>", "<|user|>", "<|assistant|>", END, "<|endoftext|>")


def Phi(
    source: str | os.PathLike[str] | None = None,
    *,
    dtype: Any = None,
    device: Any = None,
    prefix_bytes: int | None = None,
    **options: Any,
) -> Model:
    """A program's state on Phi-3.5: a folder, a hub id, or the embedded model (None); options as for `Model`."""
    with located():
        return Model(PhiRunner.load(source, dtype, device, prefix_bytes), **options)


def Mock(texts: str | Sequence[str] | None = None, *, max_tokens: int = 100_000, seed: int = 0) -> Model:
    """A program's state on a model that writes these texts, one in each run, in order.

    A run is what goes to the model as one constraint: the parts that follow each other in what is added at once. Its text
    goes from the first choice on, fixed text between choices included; fixed text at its end may be left out. A text that
    the constraint does not allow is a ProgramError that says where and what would be. Without texts the model writes
    random ones of the constraint.

    >>> from constrain import dsl
    >>> lm = Mock(["Paris.", "2 of 3"])
    >>> lm += "The capital of France is " + dsl.gen("city", stop=".")
    >>> lm += " Score: " + dsl.regex("[0-9]", "score") + " of " + dsl.select(["3", "5"], name="all")
    >>> lm["city"], lm["score"], lm["all"]
    ('Paris', '2', '3')
    """
    listed = [texts] if isinstance(texts, str) else texts
    if listed is not None and not (isinstance(listed, (list, tuple)) and all(isinstance(text, str) for text in listed)):
        raise ProgramError(f"mock: texts is {texts!r:.60}, expected a text or a list of texts")
    return Model(_MockEngine(None if listed is None else list(listed), max_tokens, seed))


class _MockEngine(Engine):
    """Chooses the text of each run and checks it before a mask does."""

    max_batch = 1  # the texts come in the order of the runs

    def __init__(self, texts: list[str] | None, max_tokens: int, seed: int) -> None:
        self._backend = _MockBackend()
        super().__init__(LanguageModel(self._backend), max_tokens, seed)
        self._texts = texts
        self._num_runs = 0

    def prepare(self, prompt: list[int], expr: Expr | None, max_tokens: int) -> None:
        if self._texts is None:
            text = "some text" if expr is None else expr.sample(self._num_runs)
        elif self._num_runs < len(self._texts):
            text = self._texts[self._num_runs]
        else:
            raise ProgramError(f"mock: the program asks for text {self._num_runs + 1}, and {len(self._texts)} are given")
        self._num_runs += 1
        self._backend.next_run = (len(prompt), encode(text) if expr is None else self._checked(text, expr, max_tokens))

    def _checked(self, text: str, expr: Expr, max_tokens: int) -> bytes:
        """The text with what is forced behind it; refuses one that no run would write or that no limit would cut."""
        explanation = expr.explain(text)
        data = encode(text)
        if explanation.offset == len(data):
            matcher = compile(expr, self._backend.vocabulary).matcher()
            matcher.accept_bytes(data)
            whole = data + matcher.forced_bytes()
            if expr.set.matches(expr.root, whole) or len(data) >= max_tokens:
                return whole
        raise ProgramError(f"mock: text {self._num_runs}, {text!r:.60}, is not what the program allows: {explanation}")


class _MockBackend:
    """A token is a byte; the logits follow the text that was chosen for the run."""

    max_length = 1 << 30

    def __init__(self) -> None:
        specials = {name: 256 + i for i, name in enumerate(_SPECIALS)}
        tokens: list[bytes | None] = [bytes([byte]) for byte in range(256)]
        ends = [specials[END], specials["<|assistant|>"], specials["<|endoftext|>"]]
        self.vocabulary = Vocabulary([*tokens, *[None] * len(specials)], end_ids=ends, special_tokens=specials)
        self.next_run: tuple[int, bytes] | None = None

    def open(self, num_sequences: int) -> _MockSession:
        if num_sequences != 1 or self.next_run is None:
            raise ConstrainError("mock: it runs programs only, one at a time")
        run, self.next_run = self.next_run, None
        return _MockSession(self.vocabulary, *run)

    def chat_ids(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        special, ids = self.vocabulary.special_tokens, list[int]()
        for message in messages:
            ids += [special[f"<|{message['role']}|>"], *message["content"].encode(), special[END]]
        return [*ids, special["<|assistant|>"]]

    def text_ids(self, text: str) -> list[int]:
        return list(encode(text))


class _MockSession:
    def __init__(self, vocabulary: Vocabulary, num_prompt: int, text: bytes) -> None:
        self._vocabulary = vocabulary
        self._offset = -num_prompt
        self._text = text

    def forward(self, tokens: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        self._offset += len(tokens[0])
        logits = np.zeros((1, self._vocabulary.size), dtype=np.float32)
        is_inside = self._offset < len(self._text)
        wanted = self._text[self._offset] if is_inside else self._vocabulary.end_ids[0]
        logits[0, wanted] = 1000.0  # certain at any temperature
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        """The one sequence stays."""

    def add(self, num_sequences: int) -> None:
        raise ConstrainError("mock: it runs programs only, one at a time")
