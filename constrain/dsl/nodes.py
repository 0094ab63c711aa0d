"""The nodes of a program: text, constraints and captures as immutable trees, and the operators that join them.

A node says what may be written and what is remembered of it; it does nothing by itself. Names, temperatures and token
limits live here and never in the algebra. Invariant: a sequence directly within a sequence is flat. `Rule` is the only
node that may be part of itself. Held by tests/test_dsl.py.
"""

from __future__ import annotations

import atexit
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

from ..expr import Expr, encode
from .places import ProgramError, located

__all__ = [
    "IGNORED", "Alternatives", "Call", "Capture", "Choice", "Free", "Label", "Leaf", "Lexeme", "Node", "Parsed", "Repeat", "Rule", "Sequence", "Settings",
    "Special", "Text", "Until", "as_node", "has_nodes", "join",
]  # fmt: skip

# Nodes that stand in f-strings, the latest ones. The mark cannot be guessed, so no text from outside can hold one.
_MARK = f"\x02{secrets.token_hex(12)}:"
_MAX_FORMATTED = 100_000
_formatted: dict[str, Node] = {}
atexit.register(_formatted.clear)  # while the core can still free what they hold
_numbers = count()
_MARKS = re.compile(f"({re.escape(_MARK)}[0-9]+\x03)")


class Node:
    """A part of a program. `+` puts parts one behind the other, `|` chooses between them; a str is a part too."""

    def __add__(self, other: Any) -> Node:
        if not isinstance(other, (Node, str)):
            return NotImplemented
        return join([self, as_node(other)])

    def __radd__(self, other: Any) -> Node:
        if not isinstance(other, str):
            return NotImplemented
        return join([as_node(other), self])

    def __or__(self, other: Any) -> Node:
        if not isinstance(other, (Node, str)):
            return NotImplemented
        return _either(self, as_node(other))

    def __ror__(self, other: Any) -> Node:
        if not isinstance(other, str):
            return NotImplemented
        return _either(as_node(other), self)

    def __getitem__(self, name: Any) -> Any:
        raise ProgramError(f"dsl: {name!r} cannot be read here: a grammar has no captures before it has run")

    def __contains__(self, name: Any) -> bool:
        raise ProgramError(f"dsl: {name!r} cannot be looked up here: a grammar has no captures before it has run")

    def __format__(self, spec: str) -> str:
        """A mark that stands for the node inside an f-string until the string becomes part of a program."""
        if spec:
            raise ProgramError(f"dsl: a node in an f-string takes no format, given {spec!r}")
        key = f"{_MARK}{next(_numbers)}\x03"
        _formatted[key] = self
        while len(_formatted) > _MAX_FORMATTED:
            _formatted.pop(next(iter(_formatted)), None)
        return key


@dataclass(frozen=True, eq=False, repr=False)
class Label:
    """What a capture is called, whether its texts are collected in a list, and what is made of a text.

    `is_trimmed`: text that the grammar ignores is no part of the capture where it comes last.
    """

    name: str
    is_list: bool = False
    parse: Callable[[str], Any] | None = None
    is_trimmed: bool = False


IGNORED = Label("")  # "captures" the text that a grammar ignores


@dataclass(frozen=True, eq=False, repr=False)
class Text(Node):
    """Exactly this text."""

    text: str

    @cached_property
    def data(self) -> bytes:
        return encode(self.text)


@dataclass(frozen=True, eq=False, repr=False)
class Leaf(Node):
    """A text of an expression, the longest first; `may_be_cut` says whether a part of one is of use."""

    expr: Expr
    may_be_cut: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class Lexeme(Node):
    """A lexer's text: of each way a text of the first expression, behind which none of the second goes on beyond it."""

    expr: Expr
    ways: tuple[tuple[Expr, Expr | None], ...]


@dataclass(frozen=True, eq=False, repr=False)
class Parsed(Node):
    """A text of an expression, read by a tree of nodes for the same texts."""

    expr: Expr
    tree: Node


@dataclass(frozen=True, eq=False, repr=False)
class Choice(Node):
    """One of these texts, earlier ones first."""

    order: dict[bytes, int]
    expr: Expr


@dataclass(frozen=True, eq=False, repr=False)
class Free(Node):
    """Any text."""


@dataclass(frozen=True, eq=False, repr=False)
class Until(Node):
    """A text of `body` and behind it, for the first time, one of `stop`; `total` is both together."""

    body: Expr | None
    stop: Expr
    total: Expr
    label: Label | None
    stop_label: Label | None


@dataclass(frozen=True, eq=False, repr=False)
class Sequence(Node):
    """Parts one behind the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Alternatives(Node):
    """One of the options, earlier ones first."""

    options: tuple[Node, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Repeat(Node):
    """From `min` to `max` times the item (None: any number), as often as can be."""

    item: Node
    min: int
    max: int | None


@dataclass(frozen=True, eq=False, repr=False)
class Capture(Node):
    """The item, whose text is remembered."""

    item: Node
    label: Label


@dataclass(frozen=True, eq=False, repr=False)
class Settings(Node):
    """The item under a temperature, a token limit, or both (None: as around)."""

    item: Node
    temperature: float | None = None
    max_tokens: int | None = None


@dataclass(eq=False, repr=False)
class Rule(Node):
    """A grammar with a name, which may contain itself; the body comes once it is known."""

    name: str
    body: Node | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Special(Node):
    """A special token by its name; no text."""

    name: str


@dataclass(frozen=True, eq=False, repr=False)
class Call(Node):
    """A stateful function and its arguments: run with the state that it is added to."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def as_node(value: Any) -> Node:
    """A part of a program from what users write."""
    if isinstance(value, Node):
        return value
    if isinstance(value, str):
        return _from_text(value) if _MARK not in value else join([_from_text(part) for part in _MARKS.split(value)])
    raise ProgramError(f"dsl: a part of a program is text or a node, given {type(value).__name__} {value!r:.60}")


def has_nodes(text: str) -> bool:
    """Whether the text is an f-string with nodes in it."""
    return _MARK in text


def _from_text(text: str) -> Node:
    """The text, or the node that a mark stands for."""
    if text.startswith(_MARK):
        if text not in _formatted:
            raise ProgramError(f"dsl: an f-string with a node in it is too old: {_MAX_FORMATTED} came after it")
        return _formatted[text]
    node = Text(text)
    with located():
        _ = node.data
    return node


def join(parts: list[Node]) -> Node:
    """Parts one behind the other, without sequences inside sequences; neighbouring texts become one."""
    flat: list[Node] = []
    for part in parts:
        for one in part.parts if isinstance(part, Sequence) else (part,):
            if isinstance(one, Text) and flat and isinstance(flat[-1], Text):
                flat[-1] = Text(flat[-1].text + one.text)
            elif not (isinstance(one, Text) and not one.text):
                flat.append(one)
    return flat[0] if len(flat) == 1 else Sequence(tuple(flat))


def _either(first: Node, second: Node) -> Node:
    options: list[Node] = []
    for option in (first, second):
        options += option.options if isinstance(option, Alternatives) else (option,)
    return Alternatives(tuple(options))
