"""Floor 6: a language model as its users see it: prompts and constraints in, answers out.

What an answer keeps is in answer.py, the loop over a batch in decode.py. Held by tests/test_runner.py.
"""

from __future__ import annotations

import codecs
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from .answer import Answer
from .decode import decode, decode_arriving
from .errors import ConstrainError, LimitExceeded, with_index
from .expr import Expr
from .generation import Generation
from .matcher import Constraint, compile
from .models.sampling import Sampler, Sampling
from .search import best, search
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    from .models.backend import Backend
    from .models.phi import PhiBackend

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


@dataclass(frozen=True)
class _Settings:
    """The options of `generate`, checked."""

    sampling: Sampling
    max_tokens: int = 512
    chat: bool = True
    fast_forward: bool = True
    finish: str = "complete"
    best_of: int = 1
    num_beams: int = 1
    length_penalty: float = 0.0
    heal: bool | int | None = None
    log_probabilities: bool = False

    def __post_init__(self) -> None:
        for name in ("max_tokens", "best_of", "num_beams"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConstrainError(f"generate: {name} is {value!r}, expected a whole number from 1")
        if self.finish not in ("complete", "cut"):
            raise ConstrainError(f"generate: finish is {self.finish!r}, expected 'complete' or 'cut'")
        if not isinstance(self.length_penalty, (int, float)) or not np.isfinite(self.length_penalty):
            raise ConstrainError(f"generate: length_penalty is {self.length_penalty!r}, expected a number")
        if self.best_of > 1 and (self.sampling.temperature == 0 or self.num_beams > 1):
            raise ConstrainError(f"generate: best_of is {self.best_of}, expected with it a temperature above 0 and no beams")
        if self.num_beams > 1 and self.sampling.temperature > 0:
            raise ConstrainError(f"generate: num_beams is {self.num_beams}, expected with it a temperature of 0: beams do not draw")

    @property
    def is_search(self) -> bool:
        """Whether several answers are looked at for one."""
        return self.best_of > 1 or self.num_beams > 1

    def refuse_search(self, verb: str) -> None:
        """For verbs that write one answer for each prompt."""
        if self.is_search:
            raise ConstrainError(f"{verb}: best_of and num_beams are options of generate, expected 1 of each")


class LanguageModel:
    """A backend with the verbs `generate`, `stream`, `generate_batch` and `map`.

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
        or at most how many tokens); `log_probabilities` (False): record them for `tokens` and `log_probability`. `best_of`
        samples and `num_beams` beams (1 each) look for a likely answer instead: the one with the greatest sum of
        log-probabilities under the mask, divided by its number of tokens to the power of `length_penalty` (0). Raises
        ConstrainError.
        """
        return self.generate_batch([prompt], constraint, **options)[0]

    def stream(self, prompt: Prompt, constraint: Constraint | Expr | None = None, **options: Any) -> Stream:
        """The answer in pieces of text as they come, never splitting a character; options as for `generate`."""
        started = time.perf_counter()
        return Stream(self._pieces([self.begin(prompt, constraint, **options)], started))

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
        settings = self._settings(options)
        if isinstance(prompts, str) or not isinstance(prompts, Sequence):
            raise ConstrainError(f"generate: prompts is a {type(prompts).__name__}, expected a list of prompts")
        compiled = self._compiled_for(constraints, len(prompts))
        if settings.num_beams > 1:
            return [self._searched(prompt, one, settings) for prompt, one in zip(prompts, compiled, strict=True)]
        started = time.perf_counter()
        answers = [
            self._answer(prompt, one, settings, row, sample)
            for row, (prompt, one) in enumerate(zip(prompts, compiled, strict=True))
            for sample in range(settings.best_of)
        ]
        ended: dict[int, float] = {}
        for answer in decode(self.backend, answers):
            if answer.finish_reason is not None:
                ended.setdefault(id(answer), time.perf_counter() - started)
        if settings.best_of > 1:
            groups = (answers[i : i + settings.best_of] for i in range(0, len(answers), settings.best_of))
            answers = [best(group, settings.length_penalty) for group in groups]
        return [answer.generation(ended[id(answer)]) for answer in answers]

    def _searched(self, prompt: Prompt, constraint: Constraint | None, settings: _Settings) -> Generation:
        started = time.perf_counter()
        found = search(self.backend, self._answer(prompt, constraint, settings), settings.num_beams, settings.length_penalty)
        return found.generation(time.perf_counter() - started)

    def map(
        self,
        prompts: Iterable[Prompt],
        constraints: Constraint | Expr | None | Sequence[Constraint | Expr | None] = None,
        *,
        max_batch: int = 8,
        errors: str = "raise",
        **options: Any,
    ) -> Iterator[Any]:
        """The answers to any number of prompts, in their order, at most `max_batch` of them being written at once.

        A prompt is taken up as soon as another answer has ended, and answers are those of `generate_batch`. An error has the
        number of its prompt as `index`: with `errors="raise"` it is raised in its turn, behind the answers before it; with
        `errors="return"` it is given in place of the answer. Options are those of `generate`, but for the searches.
        """
        settings = self._settings(options)
        settings.refuse_search("map")
        if not isinstance(max_batch, int) or isinstance(max_batch, bool) or max_batch < 1:
            raise ConstrainError(f"map: max_batch is {max_batch!r}, expected a whole number from 1")
        if errors not in ("raise", "return"):
            raise ConstrainError(f"map: errors is {errors!r}, expected 'raise' or 'return'")
        if isinstance(prompts, str) or not isinstance(prompts, Iterable):
            raise ConstrainError(f"map: prompts is a {type(prompts).__name__}, expected prompts one after the other")
        if isinstance(constraints, (list, tuple)):
            prompts = list(prompts)
            compiled = iter(self._compiled_for(constraints, len(prompts)))
        else:
            compiled = repeat(self._compiled([constraints])[0])
        return self._mapped(zip(prompts, compiled, strict=False), max_batch, errors == "raise", settings)

    def _mapped(
        self, inputs: Iterator[tuple[Prompt, Constraint | None]], max_batch: int, is_raised: bool, settings: _Settings
    ) -> Iterator[Any]:
        waiting = enumerate(inputs)
        begun: dict[int, tuple[int, float]] = {}  # the number of each answer being written, and when it began
        ended: dict[int, Generation | Exception] = {}

        def arrivals(room: int, _: bool) -> list[Answer]:
            taken: list[Answer] = []
            while len(taken) < room and (following := next(waiting, None)) is not None:
                index, (prompt, constraint) = following
                try:
                    taken.append(self._answer(prompt, constraint, settings, index))
                    begun[id(taken[-1])] = index, time.perf_counter()
                except ConstrainError as error:
                    ended[index] = with_index(error, index)
            return taken

        following = 0
        for answer in chain(decode_arriving(self.backend, arrivals, max_batch), [None]):
            if answer is not None and answer.finish_reason is not None and id(answer) in begun:
                index, started = begun.pop(id(answer))
                try:
                    ended[index] = answer.generation(time.perf_counter() - started)
                except ConstrainError as error:
                    ended[index] = with_index(error, index)
            while following in ended:
                found = ended.pop(following)
                if is_raised and isinstance(found, Exception):
                    raise found
                yield found
                following += 1

    def begin(self, prompt: Prompt, constraint: Constraint | Expr | None = None, **options: Any) -> Answer:
        """An answer that `decode` is to write, for callers with a loop of their own; options as for `stream`."""
        settings = self._settings(options)
        settings.refuse_search("stream")
        return self._answer(prompt, self._compiled([constraint])[0], settings)

    # -------------------------------------------------------- arguments

    def _settings(self, options: dict[str, Any]) -> _Settings:
        sampled = [field.name for field in fields(Sampling)]
        known = [field.name for field in fields(_Settings) if field.name != "sampling"]
        for name in options:
            if name not in known and name not in sampled:
                raise ConstrainError(f"generate: unknown option {name!r}, expected one of {', '.join([*known, *sampled])}")
        sampling = Sampling(**{name: options[name] for name in sampled if name in options})
        return _Settings(sampling, **{name: options[name] for name in known if name in options})

    def _compiled_for(self, constraints: Any, num_prompts: int) -> list[Constraint | None]:
        listed = list(constraints) if isinstance(constraints, (list, tuple)) else [constraints] * num_prompts
        if len(listed) != num_prompts:
            raise ConstrainError(f"generate: {len(listed)} constraints for {num_prompts} prompts")
        return self._compiled(listed)

    def _answer(
        self, prompt: Prompt, constraint: Constraint | None, settings: _Settings, row: int = 0, sample: int = 0
    ) -> Answer:
        ids, is_turn = self._prompt_ids(prompt, settings.chat)
        return Answer(
            self.vocabulary, ids, constraint, Sampler(settings.sampling, row, sample),
            self._budget(settings.max_tokens, len(ids)),
            is_turn=is_turn, fast_forward=settings.fast_forward, must_finish=settings.finish == "complete",
            heal=_num_healable(settings.heal, prompt), log_probabilities=settings.log_probabilities or settings.is_search,
        )  # fmt: skip

    def _budget(self, max_tokens: int, num_prompt_tokens: int) -> int:
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

    backend: PhiBackend

    @classmethod
    def load(
        cls,
        source: str | os.PathLike[str] | None = None,
        dtype: Any = None,
        device: Any = None,
        prefix_bytes: int | None = None,
    ) -> Phi:
        """Loads a checkpoint: a folder, a hub id, or the embedded model (None).

        `dtype` ("float32", "bfloat16", "float16") defaults to the checkpoint's, `device` to a GPU where there is one.
        `prefix_bytes` bounds the keys and values that are kept for texts with the same beginning (an eighth of the
        memory that is free, at most 4 GB; 0 keeps none).
        Raises ConstrainError for what cannot be loaded.
        """
        try:
            from .models.phi import PhiBackend
        except ImportError as error:
            raise ConstrainError(
                f"phi: the package {error.name!r} is not installed; the runner needs pip install 'constrain[phi]'"
            ) from error
        return cls(PhiBackend.load(source, dtype, device, prefix_bytes))

    def memory_bytes(self, num_tokens: int) -> int:
        """Bytes that the keys and values of so many tokens take, prompt and answer together.

        Phi-3.5-mini takes 393 kB a token in bfloat16, 51.5 GB at its greatest length. A run whose tokens do not fit into
        what the device has left is a LimitExceeded with both figures, before its pass.
        """
        return self.backend.memory_bytes(num_tokens)
