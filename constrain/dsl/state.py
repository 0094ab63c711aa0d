"""The state of a program: the text so far, its token ids, and what was captured.

A `Model` never changes: adding to it gives another one, so two continuations of one state do not see each other. What it
keeps true: the ids are those that the model itself wrote, and the tokenizer's own for text between them; text is encoded
once it is known up to the next generation, so that `lm + "a" + "b"` is `lm + "ab"`. Held by tests/test_dsl.py.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from ..display import Piece, abridged, to_html, token_pieces
from ..errors import LimitExceeded
from ..generate import LanguageModel
from ..report import Report, Token
from .captures import Reading, read
from .engine import END, Engine, Written
from .grammar import expression
from .nodes import Call, Capture, Free, Label, Leaf, Node, Special, Text, Until, as_node
from .places import ProgramError, UnknownCaptureError, located, program_place, user_place
from .roles import Block, open_blocks
from .steps import Begin, End, Run, Step, check_names, fixed_text, labels_of, steps_of

if TYPE_CHECKING:
    from .streaming import ProgramStream

__all__ = ["Model", "sink"]

# Where the pieces of the text go while a program is streamed.
sink: ContextVar[Callable[[str], None] | None] = ContextVar("sink", default=None)


class _Span(NamedTuple):
    """A stretch of the text: a special token as it is shown, or what a model wrote there, token by token."""

    start: int
    end: int
    tokens: tuple[Token, ...] = ()
    num_leading_bytes: int = 0

    def log_prob(self, start: int, end: int) -> float:
        """The sum over the tokens that overlap these bytes of the stretch."""
        total, offset = 0.0, -self.num_leading_bytes
        for token in self.tokens:
            if offset < end and offset + len(token.data) > start:
                total += token.log_probability or 0.0
            offset += len(token.data)
        return total


@dataclass(frozen=True)
class _State:
    text: str = ""
    ids: tuple[int, ...] = ()
    pending: str = ""  # the end of the text, not yet in `ids`
    num_forced: int = 0  # ids at the end that the model was not asked for, so that text behind them may change them
    values: Mapping[str, Any] = field(default_factory=dict)
    kinds: Mapping[str, bool] = field(default_factory=dict)  # of captured names: is it a list?
    log_probs: Mapping[str, Any] = field(default_factory=dict)  # of captured names, in lists where they are
    spans: tuple[_Span, ...] = ()  # in the order of the text; what lies between was given
    report: Report = field(default_factory=Report)
    blocks: tuple[tuple[Block, int], ...] = ()  # open ones, and where in the text each began
    has_roles: bool = False


class Model:
    """A program's state on a language model: `lm += "text" + gen("name")`, `lm["name"]`, `str(lm)`.

    What is added at once is carried out together: `lm += a + b` is one run where it can be, `lm + a + b` adds twice.
    `max_tokens` bounds each run of a constraint without a limit of its own; `seed` makes sampling repeatable;
    `log_probabilities=False` saves the time that recording them takes; `heal=False` keeps the tokens of given text as they
    are, even where the tokenizer would write a longer one across its end.
    """

    def __init__(
        self,
        lm: LanguageModel | Engine,
        *,
        max_tokens: int = 1024,
        seed: int | None = None,
        log_probabilities: bool = True,
        heal: bool = True,
    ) -> None:
        if not isinstance(lm, (LanguageModel, Engine)):
            raise ProgramError(f"dsl: Model takes a language model such as constrain.Phi.load(), given {type(lm).__name__}")
        self._engine = lm if isinstance(lm, Engine) else Engine(lm, max_tokens, seed, log_probabilities=log_probabilities, heal=heal)
        self._state = _State()

    def _with(self, **changes: Any) -> Model:
        twin = object.__new__(type(self))
        twin._engine = self._engine
        twin._state = replace(self._state, **changes)
        return twin

    # -------------------------------------------------------- reading

    def __str__(self) -> str:
        is_open = any(block.role and block.is_closed for block, _ in self._state.blocks)
        return self._state.text + (f"{END}\n" if is_open else "")

    def __repr__(self) -> str:
        return f"<Model {abridged(str(self))}, captures: {', '.join(self._names()) or 'none'}>"

    def _repr_html_(self) -> str:
        return to_html(self._pieces(), str(self.report))

    def _pieces(self) -> list[Piece]:
        """The text by its origins."""
        text, pieces, position = self._state.text, list[Piece](), 0
        for span in self._state.spans:
            pieces.append(Piece(text[position : span.start], "prompt"))
            if span.tokens:
                pieces += token_pieces(span.tokens, span.num_leading_bytes)
            else:
                pieces.append(Piece(text[span.start : span.end], "special"))
            position = span.end
        ending = str(self)[len(text) :].rstrip()
        pieces += [Piece(text[position:], "prompt"), Piece(ending, "special")]
        return [piece for piece in pieces if piece.text]

    def _names(self) -> list[str]:
        named = [block.name for block, _ in self._state.blocks if block.name]
        return list(dict.fromkeys([*self._state.values, *named]))

    def __contains__(self, name: object) -> bool:
        return name in self._names()

    def __getitem__(self, name: str) -> Any:
        for block, start in reversed(self._state.blocks):
            if block.name == name:
                return self._state.text[start:]
        if name not in self._state.values:
            known = ", ".join(map(repr, self._names())) or "none yet"
            raise UnknownCaptureError(f"dsl: no capture {name!r}; there are {known}")
        value = self._state.values[name]
        return list(value) if isinstance(value, list) else value

    def get(self, name: str, default: Any = None) -> Any:
        """What was captured under the name, or the default."""
        return self[name] if name in self else default

    @property
    def report(self) -> Report:
        """What the text cost: the sum over its runs, each of which has all that is before it as its prompt."""
        return self._state.report

    def log_prob(self, name: str) -> Any:
        """The log-probability of what was captured under the name; of a list of captures, a list.

        It is the sum over the tokens that overlap the capture, each among those that its mask left; given and forced text
        counts 0. Raises UnknownCaptureError.

        >>> from constrain import dsl
        >>> lm = dsl.models.Mock("yes") + "Well, " + dsl.select(["yes", "no"], name="answer")
        >>> lm.log_prob("answer")
        0.0
        """
        if not self._engine.log_probabilities:
            raise ProgramError("dsl: no log-probabilities were recorded, expected a model with log_probabilities=True")
        for block, start in reversed(self._state.blocks):
            if block.name == name:
                return self._log_prob_since(start)
        if name not in self._state.log_probs:
            known = ", ".join(map(repr, self._state.log_probs)) or "none yet"
            raise UnknownCaptureError(f"dsl: no capture {name!r} has a log-probability; these have: {known}")
        found = self._state.log_probs[name]
        return list(found) if isinstance(found, list) else found

    def _log_prob_since(self, start: int) -> float:
        return sum(span.log_prob(0, sys.maxsize) for span in self._state.spans if span.start >= start)

    def set(self, name: str, value: Any) -> Model:
        """A state in which `name` has this value; it is no part of the text."""
        return self.remove(name)._with(values={**self._state.values, name: value})

    def remove(self, name: str) -> Model:
        """A state without the capture `name`."""
        state = self._state
        values, kinds, log_probs = (
            {key: value for key, value in one.items() if key != name} for one in (state.values, state.kinds, state.log_probs)
        )
        return self._with(values=values, kinds=kinds, log_probs=log_probs)

    # -------------------------------------------------------- adding

    def __add__(self, program: Any) -> Model:
        if not isinstance(program, (Node, str)):
            raise ProgramError(f"dsl: only text and nodes are added to a state, given {type(program).__name__}")
        node = as_node(program)
        check_names(node)
        self._check_kinds(node)
        model, begun = self, list[tuple[Label, int]]()
        for step in steps_of(node):
            with located():
                model = model._aligned()._carried_out(step, begun)
        return model._aligned()

    def _check_kinds(self, node: Node) -> None:
        for label in labels_of(node):
            known = self._state.kinds.get(label.name, label.is_list)
            value = self._state.values.get(label.name, [])
            if known != label.is_list or (label.is_list and not isinstance(value, list)):
                kinds = ("a single capture", "a list of captures")
                raise ProgramError(
                    f"dsl: the name {label.name!r} is used for {kinds[label.is_list]}, and is {kinds[not label.is_list]} so far"
                )

    def _carried_out(self, step: Step, begun: list[tuple[Label, int]]) -> Model:
        if isinstance(step, Text):
            return self._checked_role()._written(step.text)
        if isinstance(step, Special):
            special = self._engine.special_id(step.name)
            return self._flushed()._special(special, step.name)
        if isinstance(step, Call):
            return self._called(step)
        if isinstance(step, Run):
            return self._checked_role()._run(step)
        if isinstance(step, Begin):
            begun.append((step.label, len(self._state.text)))
            return self
        assert isinstance(step, End)
        label, start = begun.pop()
        return self._captured([(label, self._state.text[start:], self._log_prob_since(start))])

    def _called(self, call: Call) -> Model:
        result = call.function(self, *call.args, **call.kwargs)
        if not isinstance(result, Model):
            name = getattr(call.function, "__name__", "function")
            raise ProgramError(f"function {name!r}: it returned {type(result).__name__}, expected the state lm")
        return result

    # -------------------------------------------------------- text

    def _written(self, text: str) -> Model:
        if (listener := sink.get()) is not None and text:
            listener(text)
        return self._with(text=self._state.text + text, pending=self._state.pending + text)

    def _flushed(self) -> Model:
        """All text as ids, together with what was forced right before it."""
        state = self._state
        if not state.pending:
            return self
        kept, forced = state.ids[: len(state.ids) - state.num_forced], state.ids[len(state.ids) - state.num_forced :]
        return self._with(ids=kept + self._engine.text_ids(state.pending, kept, forced), pending="", num_forced=0)

    def _special(self, special: int, shown: str) -> Model:
        if (listener := sink.get()) is not None:
            listener(shown)
        start = len(self._state.text)
        span = _Span(start, start + len(shown.rstrip()))
        return self._with(text=self._state.text + shown, ids=(*self._state.ids, special), spans=(*self._state.spans, span), num_forced=0)

    # -------------------------------------------------------- blocks

    def _aligned(self) -> Model:
        """The state with the blocks open that are open in the program here."""
        wanted, have = open_blocks(), self._state.blocks
        common = 0
        while common < min(len(wanted), len(have)) and wanted[common] is have[common][0]:
            common += 1
        model = self
        with located():
            for block, start in reversed(have[common:]):
                model = model._closed(block, start)
            for block in wanted[common:]:
                model = model._opened(block)
        return model

    def _opened(self, block: Block) -> Model:
        model = self
        if block.role:
            name = f"<|{block.role}|>"
            model = model._flushed()._special(self._engine.special_id(name), f"{name}\n")._with(has_roles=True)
        return model._with(blocks=(*model._state.blocks, (block, len(model._state.text))))

    def _closed(self, block: Block, start: int) -> Model:
        model = self._with(blocks=self._state.blocks[:-1])
        if block.name:
            model = model._captured([(Label(block.name), self._state.text[start:], self._log_prob_since(start))])
        if block.role:
            model = model._flushed()._special(self._engine.special_id(END), f"{END}\n")
        return model

    def _checked_role(self) -> Model:
        if self._state.has_roles and not any(block.role for block, _ in self._state.blocks):
            raise ProgramError(
                "dsl: unbalanced roles: something is added behind a closed role and outside of any, expected it inside "
                "with system(), user() or assistant()"
            )
        return self

    # -------------------------------------------------------- runs

    def _run(self, run: Run) -> Model:
        fixed = fixed_text(run.node)
        if fixed is not None:
            return self._written(fixed)._read(run, Written(fixed.encode(), True), _Span(0, 0))
        model = self._flushed()
        content = run.node
        while isinstance(content, Capture):
            content = content.item
        expr = None if isinstance(content, Free) else expression(run.node)
        ids = model._state.ids
        num_healable = len(ids) - len(self._state.ids) + self._state.num_forced
        written = self._engine.run(ids, num_healable, expr, run.max_tokens, run.temperature, sink.get())
        return model._answered(written, run)

    def _answered(self, written: Written, run: Run) -> Model:
        """The state with what a model wrote, and its captures."""
        state, generation = self._state, written.generation
        assert generation is not None
        text = state.text + written.data.decode(errors="replace")
        span = _Span(len(state.text), len(text), tuple(generation.tokens), generation.num_leading_bytes)
        ids = state.ids[: len(state.ids) - generation.num_healed_tokens] + tuple(generation.token_ids)
        tokens = (token for token in reversed(generation.tokens) if token.data)
        num_forced = sum(1 for _ in takewhile(lambda token: token.origin == "forced", tokens))
        report = state.report + generation.report
        model = self._with(text=text, ids=ids, num_forced=num_forced, spans=(*state.spans, span), report=report)
        return model._read(run, written, span)

    def _read(self, run: Run, written: Written, span: _Span) -> Model:
        """The state with the captures of a run's text."""
        data = written.data
        reading = read(run.node, data, is_cut=not written.is_complete)
        if reading is None:
            raise ProgramError(f"dsl: the text {data!r:.80} cannot be read as one of its program")
        self._check_cut(reading, written, run)
        found = [(label, _decoded(data, start, end), span.log_prob(start, end)) for label, start, end in reading.captures]
        return self._captured(found)

    def _check_cut(self, reading: Reading, written: Written, run: Run) -> None:
        """Only what `gen` writes may be cut by a limit."""
        cut = reading.cut
        if cut is None or isinstance(cut, (Free, Until)) or (isinstance(cut, Leaf) and cut.may_be_cut):
            return
        limit = run.max_tokens or self._engine.max_tokens
        num_tokens = len(written.generation.token_ids) if written.generation else 0
        raise LimitExceeded(
            "max_tokens", None, limit,
            f"dsl: the text was not complete after {num_tokens} tokens (max_tokens {limit}): it begins "
            f"{written.data.decode(errors='replace')[:60]!r}",
        )  # fmt: skip

    def _captured(self, found: list[tuple[Label, str, float]]) -> Model:
        state = self._state
        values, kinds, log_probs = dict(state.values), dict(state.kinds), dict(state.log_probs)
        for label, text, log_prob in found:
            name, value = label.name, text if label.parse is None else label.parse(text)
            values[name] = [*values.get(name, []), value] if label.is_list else value
            log_probs[name] = [*log_probs.get(name, []), log_prob] if label.is_list else log_prob
            kinds[name] = label.is_list
        return self._with(values=values, kinds=kinds, log_probs=log_probs)

    # -------------------------------------------------------- many inputs

    def map(self, program: Callable[..., Any], inputs: Iterable[Any], *, max_batch: int = 8, errors: str = "raise") -> list[Any]:
        """What a program makes of each input, in their order, with up to `max_batch` of them going on in common passes.

        `program(lm, item)` is a plain function of this state and an input that returns what it likes, or one that was made by
        `@function`, which is called without `lm`; each is run in a thread of its own, as if alone. An error has the number of its
        input as `index`. With `errors="raise"` the first one is raised once all others are through, with `errors="return"` it
        stands in place of the result.

        >>> from constrain import dsl
        >>> lm = dsl.models.Mock(["Oslo", "Rome"])
        >>> [state["city"] for state in lm.map(lambda lm, name: lm + name + ": " + dsl.regex("[A-Z][a-z]+", "city"), ["no", "it"])]
        ['Oslo', 'Rome']
        """
        from .mapping import map_program

        return map_program(self, program, inputs, max_batch, errors)

    # -------------------------------------------------------- streaming and async

    def stream(self) -> ProgramStream:
        """`for piece in lm.stream() + program: …` gives the text as it comes; the stream's `lm` is the state behind it."""
        from .streaming import ProgramStream

        return ProgramStream(self)

    async def run_async(self, program: Any) -> Model:
        """`lm + program` in a thread, for `await`."""
        token = program_place.set(user_place())
        try:
            return await asyncio.to_thread(self.__add__, program)
        finally:
            program_place.reset(token)


def _decoded(data: bytes, start: int, end: int) -> str:
    return data[start:end].decode(errors="replace")
