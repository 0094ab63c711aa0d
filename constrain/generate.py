"""Floor 6: a language model as its users see it: prompts and constraints in, answers out.

What an answer keeps is in answer.py, the loop over a batch in decode.py. Held by tests/test_runner.py.
"""

from __future__ import annotations

import codecs
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .answer import Answer
from .decode import decode
from .errors import ConstrainError, LimitExceeded
from .expr import Expr
from .generation import Generation
from .matcher import Constraint, compile
from .models.sampling import Sampler, Sampling
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    from .models.backend import Backend

__all__ = ["Generation", "LanguageModel", "Phi", "Stream"]

Prompt = str | Sequence[Mapping[str, str]] | Sequence[int]


class Stream:
    """The pieces of an answer's text as they come; `generation` is the whole once they are exhausted."""

    def __init__(self, pieces: Iterator[str | Generation]) -> None:
        self._pieces = pieces
        self.generation: Generation | None = None

    def __iter__(self) -> Iterator[str]:
        for piece in self._pieces:
            if isinstance(piece, Generation):
                self.generation = piece
            elif piece:
                yield piece


class LanguageModel:
    """A backend with the verbs `generate`, `stream` and `generate_batch`.

    A prompt is a text, taken as one user message; a list of messages with `role` and `content`; or, with `chat=False`,
    a text to be continued; or a list of token ids to be continued.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary that constraints for this model are compiled with."""
        return self.backend.vocabulary

    def generate(
        self, prompt: Prompt, constraint: Constraint | Expr | None = None, **options: Any
    ) -> Generation:
        """The answer to a prompt, a text of the constraint where there is one.

        Options: `max_tokens` (512), `temperature` (0: the likeliest token), `top_k`, `top_p`, `min_p`, `seed`, `chat`
        (True), `fast_forward` (True), `finish`: "complete" (the default: an answer under a constraint ends within
        `max_tokens`; a budget below the shortest answer is a LimitExceeded that says what would do) or "cut"; `heal`:
        may the last tokens of a text that is continued be taken back for longer ones (True; False for a prompt of ids;
        or at most how many tokens); `log_probabilities` (False): record them for `tokens` and `log_probability`. Raises
        ConstrainError.
        """
        return self.generate_batch([prompt], constraint, **options)[0]

    def stream(self, prompt: Prompt, constraint: Constraint | Expr | None = None, **options: Any) -> Stream:
        """The answer in pieces of text as they come, never splitting a character; options as for `generate`."""
        started = time.perf_counter()
        answers = self._answers([prompt], constraint, options)
        return Stream(self._pieces(answers, started))

    def _pieces(self, answers: list[Answer], started: float) -> Iterator[str | Generation]:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        num_sent = 0
        for answer in decode(self.backend, answers):
            data = answer.text_bytes()
            yield decoder.decode(data[num_sent:])
            num_sent = len(data)
        yield decoder.decode(b"", final=True)
        yield answers[0].generation(time.perf_counter() - started)

    def generate_batch(
        self,
        prompts: Sequence[Prompt],
        constraints: Constraint | Expr | None | Sequence[Constraint | Expr | None] = None,
        **options: Any,
    ) -> list[Generation]:
        """The answers to many prompts in common passes, under one constraint or one for each; options as `generate`.

        The answers are those of single runs, but for rounding in the model; row i draws from (`seed`, i).
        """
        started = time.perf_counter()
        answers = self._answers(prompts, constraints, options)
        ended: dict[int, float] = {}
        for answer in decode(self.backend, answers):
            if answer.finish_reason is not None:
                ended.setdefault(id(answer), time.perf_counter() - started)
        return [answer.generation(ended[id(answer)]) for answer in answers]

    # -------------------------------------------------------- arguments

    def _answers(
        self, prompts: Sequence[Prompt], constraints: Any, options: dict[str, Any]
    ) -> list[Answer]:
        sampled = ("temperature", "top_k", "top_p", "min_p", "seed")
        known = ("max_tokens", "chat", "fast_forward", "finish", "heal", "log_probabilities", *sampled)
        for name in options:
            if name not in known:
                raise ConstrainError(f"generate: unknown option {name!r}, expected one of {', '.join(known)}")
        sampling = Sampling(**{name: options[name] for name in sampled if name in options})
        finish = options.get("finish", "complete")
        if finish not in ("complete", "cut"):
            raise ConstrainError(f"generate: finish is {finish!r}, expected 'complete' or 'cut'")
        if isinstance(prompts, str) or not isinstance(prompts, Sequence):
            raise ConstrainError(
                f"generate: prompts is a {type(prompts).__name__}, expected a list of prompts"
            )
        listed = list(constraints) if isinstance(constraints, (list, tuple)) else [constraints] * len(prompts)
        if len(listed) != len(prompts):
            raise ConstrainError(f"generate: {len(listed)} constraints for {len(prompts)} prompts")
        compiled = self._compiled(listed)
        chat = options.get("chat", True)
        answers = []
        for row, (prompt, constraint) in enumerate(zip(prompts, compiled, strict=True)):
            ids, is_turn = self._prompt_ids(prompt, chat)
            answers.append(
                Answer(
                    self.vocabulary, ids, constraint, Sampler(sampling, row),
                    self._budget(options.get("max_tokens", 512), len(ids)),
                    is_turn=is_turn, fast_forward=options.get("fast_forward", True), must_finish=finish == "complete",
                    heal=_num_healable(options.get("heal"), prompt), log_probabilities=options.get("log_probabilities", False),
                )
            )  # fmt: skip
        return answers

    def _budget(self, max_tokens: Any, num_prompt_tokens: int) -> int:
        if not isinstance(max_tokens, int) or isinstance(max_tokens, bool) or max_tokens < 1:
            raise ConstrainError(f"generate: max_tokens is {max_tokens!r}, expected a whole number from 1")
        left = self.backend.max_length - num_prompt_tokens
        if left < 1:
            raise LimitExceeded(
                "max_length", num_prompt_tokens, self.backend.max_length,
                f"generate: the prompt has {num_prompt_tokens} tokens, and the model takes {self.backend.max_length} "
                "with the answer",
            )  # fmt: skip
        return min(max_tokens, left)

    def _prompt_ids(self, prompt: Prompt, chat: bool) -> tuple[list[int], bool]:
        """The prompt's ids, and whether the answer begins a turn (behind a special token)."""
        if isinstance(prompt, str):
            if chat:
                return self.backend.chat_ids([{"role": "user", "content": prompt}]), True
            ids = self.backend.text_ids(prompt)
        elif (
            isinstance(prompt, Sequence)
            and all(isinstance(message, Mapping) for message in prompt)
            and prompt
        ):
            return self.backend.chat_ids(prompt), True  # type: ignore[arg-type]
        elif isinstance(prompt, Sequence) and all(isinstance(i, (int, np.integer)) for i in prompt):
            ids = [int(i) for i in prompt]  # type: ignore[arg-type]
        else:
            raise ConstrainError(
                f"generate: prompt is {prompt!r:.80}, expected a text, a list of messages or token ids"
            )
        if not ids:
            raise ConstrainError("generate: the prompt is empty, so there is nothing to continue")
        self.vocabulary.decode(ids)  # names an id out of range
        return ids, self.vocabulary.tokens[ids[-1]] is None

    def _compiled(self, constraints: list[Any]) -> list[Constraint | None]:
        """Compiles expressions, each object once; constraints of another vocabulary are refused."""
        found: dict[int, Constraint] = {}
        for constraint in constraints:
            if constraint is None or id(constraint) in found:
                continue
            if isinstance(constraint, Expr):
                found[id(constraint)] = compile(constraint, self.vocabulary)
            elif isinstance(constraint, Constraint):
                if constraint.vocabulary is not self.vocabulary and (
                    constraint.vocabulary.fingerprint != self.vocabulary.fingerprint
                ):
                    raise ConstrainError(
                        "generate: the constraint was compiled for another vocabulary than the model's"
                    )
                found[id(constraint)] = constraint
            else:
                raise ConstrainError(
                    f"generate: constraint is a {type(constraint).__name__}, expected an expression or a compiled one"
                )
        return [None if constraint is None else found[id(constraint)] for constraint in constraints]


def _num_healable(heal: Any, prompt: Prompt) -> int:
    """How many tokens of the prompt may be taken back."""
    if heal is None or isinstance(heal, bool):
        is_wanted = isinstance(prompt, str) if heal is None else heal
        return sys.maxsize if is_wanted else 0
    if not isinstance(heal, int) or heal < 0:
        raise ConstrainError(f"generate: heal is {heal!r}, expected True, False or a number of tokens")
    return heal


class Phi(LanguageModel):
    """Phi-3.5, or another model of its architecture, through transformers.

    `Phi.load()` is the embedded model: small, real, and trained for extraction; `Phi.load("microsoft/Phi-3.5-mini-
    instruct")` or a folder is the model itself.
    """

    @classmethod
    def load(cls, source: str | os.PathLike[str] | None = None, dtype: Any = None, device: Any = None) -> Phi:
        """Loads a checkpoint: a folder, a hub id, or the embedded model (None).

        `dtype` ("float32", "bfloat16", "float16") defaults to the checkpoint's, `device` to a GPU where there is one.
        Raises ConstrainError for what cannot be loaded.
        """
        try:
            from .models.phi import PhiBackend
        except ImportError as error:
            raise ConstrainError(
                f"phi: the package {error.name!r} is not installed; the runner needs pip install 'constrain[phi]'"
            ) from error
        return cls(PhiBackend.load(source, dtype, device))
