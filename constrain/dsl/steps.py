"""From a node to the steps in which it is carried out.

Consecutive parts run as one constraint. A part runs by itself where it must: free text without a stop (it ends where the
model ends it), a part with a token limit of its own, a part whose temperature differs from its neighbour's. Text before
the first constraint of a run belongs to the prompt, and a run of fixed text needs no model. What lies inside a choice, an open repeat or a rule cannot be
taken apart: limits, special tokens, stateful functions and a second temperature are refused there.
Held by tests/test_dsl.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .nodes import (
    IGNORED,
    Alternatives,
    Call,
    Capture,
    Free,
    Label,
    Node,
    Parsed,
    Repeat,
    Rule,
    Sequence,
    Settings,
    Special,
    Text,
    Until,
    join,
)
from .places import ProgramError

__all__ = ["Begin", "End", "Run", "Step", "check_names", "fixed_text", "labels_of", "steps_of", "walk"]


@dataclass
class Run:
    """One constraint, for the model to write a text of."""

    node: Node
    temperature: float
    max_tokens: int | None


@dataclass
class Begin:
    """From here on, text belongs to a capture that spans several steps."""

    label: Label


@dataclass
class End:
    """Here the innermost such capture ends."""


Step = Text | Special | Call | Begin | End | Run


@dataclass
class _Facts:
    """What lies anywhere inside a node."""

    temperatures: set[float] = field(default_factory=set)
    obstacle: str | None = None  # what keeps the node from being one constraint


def _children(node: Node) -> tuple[Node, ...]:
    if isinstance(node, Sequence):
        return node.parts
    if isinstance(node, Alternatives):
        return node.options
    if isinstance(node, (Capture, Settings, Repeat)):
        return (node.item,)
    if isinstance(node, Parsed):
        return (node.tree,)
    return (node.body,) if isinstance(node, Rule) and node.body is not None else ()


def walk(node: Node) -> Iterator[Node]:
    """Each node inside, once."""
    seen, stack = {id(node)}, [node]
    while stack:
        current = stack.pop()
        yield current
        for child in _children(current):
            if id(child) not in seen:
                seen.add(id(child))
                stack.append(child)


def _facts(node: Node) -> _Facts:
    facts = _Facts()
    for inner in walk(node):
        if isinstance(inner, Settings):
            if inner.temperature is not None:
                facts.temperatures.add(inner.temperature)
            if inner.max_tokens is not None:
                facts.obstacle = "a token limit"
        elif isinstance(inner, Special):
            facts.obstacle = f"the special token {inner.name!r}"
        elif isinstance(inner, Call):
            facts.obstacle = f"the stateful function {getattr(inner.function, '__name__', 'function')!r}"
    return facts


def labels_of(node: Node) -> Iterator[Label]:
    """The labels of all captures inside a node."""
    for inner in walk(node):
        if isinstance(inner, Capture):
            if inner.label is not IGNORED:
                yield inner.label
        elif isinstance(inner, Until):
            yield from (label for label in (inner.label, inner.stop_label) if label is not None)


def check_names(node: Node) -> None:
    """Refuses a name for a list of captures and for a single one."""
    kinds: dict[str, bool] = {}
    for label in labels_of(node):
        if kinds.setdefault(label.name, label.is_list) != label.is_list:
            raise ProgramError(
                f"dsl: the name {label.name!r} is used with list_append and without; expected one of the two"
            )


# ---------------------------------------------------------------- splitting


@dataclass
class _Part:
    """A piece of a run that is still to be joined with its neighbours."""

    node: Node
    temperature: float


def steps_of(node: Node) -> list[Step]:
    """The steps of a node, with consecutive parts joined into runs."""
    steps: list[Step] = []
    gathered: list[Node] = []
    temperature = 0.0

    def close() -> None:
        if gathered:
            steps.append(Run(join(gathered), temperature, None))
            gathered.clear()

    for piece in _pieces(node, None):
        if isinstance(piece, _Part):
            if gathered and piece.temperature != temperature:
                close()
            temperature = piece.temperature
            gathered.append(piece.node)
        elif isinstance(piece, Text) and gathered:
            gathered.append(piece)
        else:
            close()
            steps.append(piece)
    close()
    return steps


def _is_free(node: Node) -> bool:
    while isinstance(node, Capture):
        node = node.item
    return isinstance(node, Free)


def fixed_text(node: Node) -> str | None:
    """The only text of a node without choices; None where the model has something to say, or might have."""
    if isinstance(node, Text):
        return node.text
    if isinstance(node, (Capture, Settings)):
        return fixed_text(node.item)
    if not isinstance(node, Sequence):
        return None
    texts = [text for part in node.parts if (text := fixed_text(part)) is not None]
    return "".join(texts) if len(texts) == len(node.parts) else None


def _has_free_piece(node: Node) -> bool:
    """Whether free text stands among the parts that are one behind the other."""
    if isinstance(node, Sequence):
        return any(_has_free_piece(part) for part in node.parts)
    return _has_free_piece(node.item) if isinstance(node, (Capture, Settings)) else isinstance(node, Free)


def _pieces(node: Node, around: float | None) -> Iterator[Step | _Part]:
    """The node's parts, taken apart as far as they have to be."""
    if isinstance(node, Sequence):
        for part in node.parts:
            yield from _pieces(part, around)
    elif isinstance(node, (Text, Special, Call)):
        yield node
    elif isinstance(node, Settings):
        temperature = around if node.temperature is None else node.temperature
        if node.max_tokens is None:
            yield from _pieces(node.item, temperature)
        else:
            yield Run(node.item, _one_temperature(node.item, temperature), node.max_tokens)
    elif _is_free(node):
        yield Run(node, around or 0.0, None)
    else:
        yield from _constraint(node, around)


def _constraint(node: Node, around: float | None) -> Iterator[Step | _Part]:
    facts = _facts(node)
    must_split = facts.obstacle is not None or len(facts.temperatures) > 1 or _has_free_piece(node)
    if must_split and isinstance(node, Capture):
        if node.label.parse is not None:
            raise ProgramError(f"dsl: {node.label.name!r} cannot be parsed from several pieces")
        yield Begin(node.label)
        yield from _pieces(node.item, around)
        yield End()
    elif must_split and isinstance(node, Repeat) and node.min == node.max:
        for _ in range(node.min):
            yield from _pieces(node.item, around)
    else:
        yield _Part(node, _one_temperature(node, around))


def _one_temperature(node: Node, around: float | None) -> float:
    """The temperature of a node that is one constraint; refuses what keeps it from being one."""
    facts = _facts(node)
    if facts.obstacle is not None:
        raise ProgramError(
            f"dsl: {facts.obstacle} stands inside a choice, a repeat, a recursive function or another limit, which runs "
            "as one constraint; expected it between such parts"
        )
    if len(facts.temperatures) > 1:
        listed = ", ".join(f"{one:g}" for one in sorted(facts.temperatures))
        raise ProgramError(f"dsl: temperatures {listed} inside one choice, repeat or recursive function; expected one")
    return next(iter(facts.temperatures), around or 0.0)
