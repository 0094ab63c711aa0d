"""Floor 6: the decode loop: a model and a matcher in, tokens out.

The loop knows a backend only by backend.py's contract, and works on numpy logits. For each sequence it keeps true:

- every token was allowed by the mask at its place, so what is produced is a prefix of some text of the constraint;
- where the constraint leaves one way only, the text is appended without asking the model (*fast-forward*): in the
  tokenizer's own tokens, in the pass of the last sampled token, and short of the tokens that a longer one might
  swallow together with what follows;
- an answer whose constraint allows nothing but its end is finished, without a pass for the end token;
- the bytes of the dummy prefix, one space at the start of a turn, belong to the tokenizer and not to the text;
- with `finish="complete"` the answer ends inside its budget: a token is taken only if the text can still be ended with
  the tokens that are left behind it, and a way to do so is known at every step (the *plan*).

Held by tests/test_runner.py.
"""

from __future__ import annotations

import codecs
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .bitmask import allocate_token_bitmask, apply_token_bitmask_inplace
from .errors import ConstrainError, LimitExceeded
from .expr import Expr
from .matcher import Constraint, compile, fill_next_token_bitmasks
from .models.sampling import Sampler, Sampling
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    from .models.backend import Backend

__all__ = ["Generation", "LanguageModel", "Phi", "Stream"]

MAX_REFUSED = 64  # tokens that do not fit any more before the plan is followed

Prompt = str | Sequence[Mapping[str, str]] | Sequence[int]


@dataclass(frozen=True)
class Generation:
    """An answer and what it cost.

    `token_ids` are the answer's ids without its end token. `finish_reason` is "stop" where the answer ended, "length"
    where the budget did; `is_complete` says whether the constraint is satisfied by `text`. `num_forward_passes` counts
    the passes that this answer took part in, `mask_seconds` the time spent on its constraint.
    """

    text: str
    token_ids: list[int]
    finish_reason: str
    is_complete: bool
    num_prompt_tokens: int
    num_forward_passes: int
    num_sampled_tokens: int
    num_forced_tokens: int
    mask_seconds: float
    seconds: float


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


# ---------------------------------------------------------------- one sequence


class _Sequence:
    """One prompt, its matcher, and its answer so far."""

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

    def _quick_plan(self) -> list[int]:
        """The same in the longest tokens instead of the tokenizer's own: far cheaper, and hardly longer."""
        assert self.matcher is not None
        data = self.matcher.shortest_way()
        return self.vocabulary.trie.longest_matches(data) if data else []

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

    def _fits(self, token: int) -> bool:
        """Can the text be ended behind this token with what is left? Each byte is a token in the worst case."""
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
        fits = 0 <= self.matcher.min_length() <= left
        plan = None if fits else self._quick_plan()
        self.matcher.rollback(1)
        if plan is not None:
            fits, self._next_plan = 0 < len(plan) <= left, plan
        if not fits and self._plan is None:
            self._plan = self._way_to_end()
        self.mask_seconds += time.perf_counter() - started
        return fits

    # -------------------------------------------------------- tokens

    def append_sampled(self, token: int) -> None:
        """Takes the token that the model chose, and what is forced behind it."""
        self.num_sampled_tokens += 1
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
        left = self.max_tokens - len(self.ids) - len(tokens)
        if 0 <= self.matcher.min_length() <= left:
            self._plan = None
            return True
        plan = self._quick_plan()
        if not 0 < len(plan) <= left:
            return False
        self._plan = plan
        return True

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

    def generation(self, seconds: float) -> Generation:
        """The finished answer."""
        is_accepting = (
            self.matcher.is_accepting() if self.matcher is not None else self.finish_reason == "stop"
        )
        return Generation(
            text=self.text_bytes().decode(errors="replace"),
            token_ids=self.ids,
            finish_reason=self.finish_reason or "length",
            is_complete=self._has_end_token or is_accepting,
            num_prompt_tokens=len(self.prompt),
            num_forward_passes=self.num_forward_passes,
            num_sampled_tokens=self.num_sampled_tokens,
            num_forced_tokens=self.num_forced_tokens,
            mask_seconds=self.mask_seconds,
            seconds=seconds,
        )


def _whole_characters(data: bytes) -> bytes:
    """`data` up to the last whole UTF-8 character in it."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return data[: error.start]
    return data


# ---------------------------------------------------------------- the loop


class _Masks:
    """The bit rows of a batch: those of the matchers, and for free text all tokens with text and the end tokens."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._ends = _bits(vocabulary.end_ids, vocabulary.size)
        self._free: NDArray[np.int32] | None = None

    def _free_text(self) -> NDArray[np.int32]:
        if self._free is None:
            tokens = self._vocabulary.tokens
            free = [i for i, token in enumerate(tokens) if token is not None]
            self._free = _bits([*free, *self._vocabulary.end_ids], self._vocabulary.size)
        return self._free

    def fill(self, sequences: list[_Sequence]) -> NDArray[np.int32]:
        """The rows of these sequences; a sequence whose constraint allows its end only is finished."""
        bitmask: NDArray[np.int32] = allocate_token_bitmask(len(sequences), self._vocabulary.size)
        started = time.perf_counter()
        constrained = [i for i, sequence in enumerate(sequences) if sequence.matcher is not None]
        if len(constrained) == len(sequences):
            fill_next_token_bitmasks([sequence.matcher for sequence in sequences], bitmask)
        else:
            for i, sequence in enumerate(sequences):
                if sequence.matcher is None:
                    bitmask[i] = self._free_text()
                else:
                    sequence.matcher.fill_next_token_bitmask(bitmask, i)
        spent = (time.perf_counter() - started) / max(1, len(constrained))
        for i in constrained:
            sequences[i].mask_seconds += spent
            if np.array_equal(bitmask[i], self._ends):
                sequences[i].finish_reason = "stop"
        return bitmask


def _bits(ids: Sequence[int], size: int) -> NDArray[np.int32]:
    flags = np.zeros(-(-size // 32) * 32, dtype=np.uint8)
    flags[list(ids)] = 1
    return np.packbits(flags, bitorder="little").view("<i4").astype(np.int32)


def _decode(backend: Backend, sequences: list[_Sequence]) -> Iterator[_Sequence]:
    """Runs the sequences to their ends; yields a sequence whenever tokens were added to it or it has finished."""
    masks = _Masks(backend.vocabulary)
    active = list(sequences)
    bitmask = masks.fill(active)
    yield from sequences
    session = None
    while True:
        kept = [i for i, sequence in enumerate(active) if sequence.finish_reason is None]
        if len(kept) < len(active):
            active = [active[i] for i in kept]
            bitmask = np.ascontiguousarray(bitmask[kept])
            if session is not None and active:
                session.keep(kept)
        if not active:
            return
        session = session or backend.open(len(active))
        logits = session.forward([sequence.pending for sequence in active])
        started = time.perf_counter()
        apply_token_bitmask_inplace(logits, bitmask)
        spent = (time.perf_counter() - started) / len(active)
        for sequence, row in zip(active, logits, strict=True):
            sequence.mask_seconds += spent
            sequence.num_forward_passes += 1
            sequence.append_sampled(sequence.choose(row))
        bitmask = _fill_unfinished(masks, active, bitmask)
        yield from active


def _fill_unfinished(masks: _Masks, active: list[_Sequence], bitmask: NDArray[np.int32]) -> NDArray[np.int32]:
    """The next rows of the sequences that go on; the others' are left as they are.

    A sequence that has used up its budget is asked too: when nothing but its end may follow, it has ended.
    """
    asked = [i for i, sequence in enumerate(active) if sequence.finish_reason != "stop"]
    if len(asked) == len(active):
        return masks.fill(active)
    if asked:
        bitmask[asked] = masks.fill([active[i] for i in asked])
    return bitmask


# ---------------------------------------------------------------- the model as users see it


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
        `max_tokens`; a budget below the shortest answer is a LimitExceeded that says what would do) or "cut". Raises
        ConstrainError.
        """
        return self.generate_batch([prompt], constraint, **options)[0]

    def stream(self, prompt: Prompt, constraint: Constraint | Expr | None = None, **options: Any) -> Stream:
        """The answer in pieces of text as they come, never splitting a character; options as for `generate`."""
        started = time.perf_counter()
        sequences = self._sequences([prompt], constraint, options)
        return Stream(self._pieces(sequences, started))

    def _pieces(self, sequences: list[_Sequence], started: float) -> Iterator[str | Generation]:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        num_sent = 0
        for sequence in _decode(self.backend, sequences):
            data = sequence.text_bytes()
            yield decoder.decode(data[num_sent:])
            num_sent = len(data)
        yield decoder.decode(b"", final=True)
        yield sequences[0].generation(time.perf_counter() - started)

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
        sequences = self._sequences(prompts, constraints, options)
        ended: dict[int, float] = {}
        for sequence in _decode(self.backend, sequences):
            if sequence.finish_reason is not None:
                ended.setdefault(id(sequence), time.perf_counter() - started)
        return [sequence.generation(ended[id(sequence)]) for sequence in sequences]

    # -------------------------------------------------------- arguments

    def _sequences(
        self, prompts: Sequence[Prompt], constraints: Any, options: dict[str, Any]
    ) -> list[_Sequence]:
        known = ("max_tokens", "chat", "fast_forward", "finish", "temperature", "top_k", "top_p", "min_p", "seed")
        for name in options:
            if name not in known:
                raise ConstrainError(f"generate: unknown option {name!r}, expected one of {', '.join(known)}")
        sampling = Sampling(**{name: options[name] for name in known[4:] if name in options})
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
        sequences = []
        for row, (prompt, constraint) in enumerate(zip(prompts, compiled, strict=True)):
            ids, is_turn = self._prompt_ids(prompt, chat)
            sequences.append(
                _Sequence(
                    self.vocabulary, ids, constraint, Sampler(sampling, row),
                    self._budget(options.get("max_tokens", 512), len(ids)),
                    is_turn=is_turn, fast_forward=options.get("fast_forward", True), must_finish=finish == "complete",
                )
            )  # fmt: skip
        return sequences

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
