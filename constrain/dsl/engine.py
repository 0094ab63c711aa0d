"""A model that runs constraints for programs: token ids and an expression in, a text out.

What it keeps true: one run at a time for each model, but for those of a map, which share passes (mapping.py); the ids of a text are the tokenizer's own, as in a chat of Phi's
template, where white space behind a role token is no part of the text. Held by tests/test_dsl.py.
"""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ConstrainError
from ..expr import Expr
from ..generate import LanguageModel
from ..generation import Generation
from ..matcher import Constraint, compile
from .places import ProgramError

if TYPE_CHECKING:
    from .mapping import Scheduler

__all__ = ["Engine", "Written"]

END = "<|end|>"
START = "<s>"


@dataclass(frozen=True)
class Written:
    """What a model wrote in one run: the bytes of a text, whether the constraint is satisfied, and the answer as it came.

    Fixed text is no answer.
    """

    data: bytes
    is_complete: bool
    generation: Generation | None = None


class Engine:
    """A language model, a lock, and the options that all programs on it share."""

    max_batch = sys.maxsize  # how many runs may share a pass

    def __init__(
        self, lm: LanguageModel, max_tokens: int, seed: int | None, *, log_probabilities: bool = True, heal: bool = True
    ) -> None:
        self.lm = lm
        self.max_tokens = max_tokens
        self.log_probabilities = log_probabilities
        self._heal = heal
        self._seed = seed
        self.lock = threading.Lock()
        self.scheduler: Scheduler | None = None  # while a map is going on

    # -------------------------------------------------------- ids

    def special_id(self, name: str) -> int:
        """The id of a special token."""
        found = self.lm.vocabulary.special_tokens.get(name)
        if found is None:
            known = ", ".join(map(repr, sorted(self.lm.vocabulary.special_tokens)[:12])) or "none"
            raise ProgramError(f"dsl: the model has no special token {name!r}, expected one of {known}")
        return found

    def text_ids(self, text: str, before: Sequence[int], forced: Sequence[int] = ()) -> tuple[int, ...]:
        """The ids of a text behind the ids `before`, together with the ids `forced` that stand between."""
        vocabulary = self.lm.vocabulary
        if not before and not forced:
            return tuple(self.lm.backend.text_ids(text))
        if not forced and vocabulary.tokens[before[-1]] is None:
            return tuple(vocabulary.encode(text.lstrip(), start="turn"))
        turn = list(itertools.takewhile(lambda i: vocabulary.tokens[i] is not None, reversed(before[-16:])))
        return tuple(vocabulary.encode(vocabulary.decode(forced) + text.encode(), after=turn[::-1]))

    # -------------------------------------------------------- runs

    def run(
        self,
        ids: Sequence[int],
        num_healable: int,
        expr: Expr | None,
        max_tokens: int | None,
        temperature: float,
        sink: Callable[[str], None] | None,
    ) -> Written:
        """A text of the expression behind the ids, of which the last `num_healable` may be taken back; its pieces go to
        `sink` as they come."""
        prompt = list(ids) or [self.special_id(START)]
        # A limit that the program sets cuts, as it does in Guidance; the engine's own is a promise.
        finish = "cut" if max_tokens else "complete"
        options: dict[str, Any] = {
            "max_tokens": max_tokens or self.max_tokens, "temperature": temperature, "finish": finish,
            "heal": num_healable if self._heal else 0, "log_probabilities": self.log_probabilities,
        }  # fmt: skip
        if self._seed is not None:
            options["seed"] = self._seed + len(prompt)
        constraint = None if expr is None else compile(expr, self.lm.vocabulary)
        generation = self._shared(prompt, constraint, options, sink)
        if generation is None:
            with self.lock:
                self.prepare(prompt, expr, options["max_tokens"])
                generation = self._generate(prompt, constraint, options, sink)
        return Written(generation.data, generation.is_complete, generation)

    def _shared(
        self,
        prompt: list[int],
        constraint: Constraint | None,
        options: dict[str, Any],
        sink: Callable[[str], None] | None,
    ) -> Generation | None:
        """The answer out of the passes of a map, where one is going on."""
        scheduler = self.scheduler
        generation = None if scheduler is None else scheduler.run(prompt, constraint, options)
        if generation is not None and sink is not None and generation.text:
            sink(generation.text)
        return generation

    def prepare(self, prompt: list[int], expr: Expr | None, max_tokens: int) -> None:
        """Called before each run; a scripted model chooses its text here."""

    def _generate(
        self,
        prompt: list[int],
        constraint: Constraint | None,
        options: dict[str, Any],
        sink: Callable[[str], None] | None,
    ) -> Generation:
        if sink is None:
            return self.lm.generate(prompt, constraint, **options)
        stream = self.lm.stream(prompt, constraint, **options)
        for piece in stream:
            sink(piece)
        if stream.generation is None:
            raise ConstrainError("dsl: the model's stream ended without an answer")
        return stream.generation
