"""The state of a program: the text so far, its token ids, and what was captured.

A `Model` never changes: adding to it gives another one, so two continuations of one state do not see each other. What it
keeps true: the ids are those that the model itself wrote, and the tokenizer's own for text between them; text is encoded
once it is known up to the next generation, so that `lm + "a" + "b"` is `lm + "ab"`. Held by tests/test_dsl.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..errors import LimitExceeded
from ..generate import LanguageModel
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


@dataclass(frozen=True)
class _State:
    text: str = ""
    ids: tuple[int, ...] = ()
    pending: str = ""  # the end of the text, not yet in `ids`
    values: Mapping[str, Any] = field(default_factory=dict)
    kinds: Mapping[str, bool] = field(default_factory=dict)  # of captured names: is it a list?
    blocks: tuple[tuple[Block, int], ...] = ()  # open ones, and where in the text each began
    has_roles: bool = False


class Model:
    """A program's state on a language model: `lm += "text" + gen("name")`, `lm["name"]`, `str(lm)`.

    What is added at once is carried out together: `lm += a + b` is one run where it can be, `lm + a + b` adds twice.
    `max_tokens` bounds each run of a constraint without a limit of its own; `seed` makes sampling repeatable.
    """

    def __init__(self, lm: LanguageModel | Engine, *, max_tokens: int = 1024, seed: int | None = None) -> None:
        if not isinstance(lm, (LanguageModel, Engine)):
            raise ProgramError(f"dsl: Model takes a language model such as constrain.Phi.load(), given {type(lm).__name__}")
        self._engine = lm if isinstance(lm, Engine) else Engine(lm, max_tokens, seed)
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
        return f"<Model {str(self)[-60:]!r}, captures: {', '.join(self._names()) or 'none'}>"

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

    def set(self, name: str, value: Any) -> Model:
        """A state in which `name` has this value; it is no part of the text."""
        kinds = {key: kind for key, kind in self._state.kinds.items() if key != name}
        return self._with(values={**self._state.values, name: value}, kinds=kinds)

    def remove(self, name: str) -> Model:
        """A state without the capture `name`."""
        values = {key: value for key, value in self._state.values.items() if key != name}
        kinds = {key: kind for key, kind in self._state.kinds.items() if key != name}
        return self._with(values=values, kinds=kinds)

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
        return self._captured([(label, self._state.text[start:])])

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
        """All text as ids."""
        ids = self._state.ids
        return self._with(ids=ids + self._engine.text_ids(self._state.pending, ids), pending="")

    def _special(self, special: int, shown: str) -> Model:
        if (listener := sink.get()) is not None:
            listener(shown)
        return self._with(text=self._state.text + shown, ids=(*self._state.ids, special))

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
            model = model._captured([(Label(block.name), self._state.text[start:])])
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
            return self._written(fixed)._read(run, Written((), fixed.encode(), True))
        model = self._flushed()
        content = run.node
        while isinstance(content, Capture):
            content = content.item
        expr = None if isinstance(content, Free) else expression(run.node)
        written = self._engine.run(model._state.ids, expr, run.max_tokens, run.temperature, sink.get())
        text = written.data.decode(errors="replace")
        model = model._with(text=model._state.text + text, ids=model._state.ids + written.ids)
        return model._read(run, written)

    def _read(self, run: Run, written: Written) -> Model:
        """The state with the captures of a run's text."""
        reading = read(run.node, written.data, is_cut=not written.is_complete)
        if reading is None:
            raise ProgramError(f"dsl: the text {written.data!r:.80} cannot be read as one of its program")
        self._check_cut(reading, written, run)
        return self._captured([(label, _decoded(written.data, start, end)) for label, start, end in reading.captures])

    def _check_cut(self, reading: Reading, written: Written, run: Run) -> None:
        """Only what `gen` writes may be cut by a limit."""
        cut = reading.cut
        if cut is None or isinstance(cut, (Free, Until)) or (isinstance(cut, Leaf) and cut.may_be_cut):
            return
        limit = run.max_tokens or self._engine.max_tokens
        raise LimitExceeded(
            "max_tokens", None, limit,
            f"dsl: the text was not complete after {len(written.ids)} tokens (max_tokens {limit}): it begins "
            f"{written.data.decode(errors='replace')[:60]!r}",
        )  # fmt: skip

    def _captured(self, found: list[tuple[Label, str]]) -> Model:
        values, kinds = dict(self._state.values), dict(self._state.kinds)
        for label, text in found:
            value = text if label.parse is None else label.parse(text)
            values[label.name] = [*values.get(label.name, []), value] if label.is_list else value
            kinds[label.name] = label.is_list
        return self._with(values=values, kinds=kinds)

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
