"""Captures: the finished text is matched once more, against the nodes.

A backtracking machine without recursion. What remains to be matched is an interned list of nodes, so the pair of it and
a position is tried once and the cost is bounded by the number of such pairs. Of several ways to read a text the first
one counts: of alternatives the earlier one; of repeats and of a regex the longest; of `gen(stop=…)` the text up to the
first stop, and of several stops that end there the one that begins first. Held by tests/test_dsl.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..expr import Expr
from .grammar import EXPRESSIONS
from .nodes import (
    IGNORED,
    Alternatives,
    Capture,
    Choice,
    Free,
    Label,
    Leaf,
    Lexeme,
    Node,
    Parsed,
    Repeat,
    Rule,
    Sequence,
    Settings,
    Text,
    Until,
)

__all__ = ["Reading", "read"]

# What remains: (node or the label whose capture closes here, how often a repeat has come, what remains behind it).
Rest = tuple[Any, int, Any]
# What was captured so far, last first: (label, is it the start?, offset, earlier).
Trail = tuple[Label, bool, int, Any]


@dataclass
class Reading:
    """The captures of a text in the order of their ends; `cut` is the part inside which a cut text stops."""

    captures: list[tuple[Label, int, int]] = field(default_factory=list)
    cut: Node | None = None


def read(node: Node, data: bytes, *, is_cut: bool = False) -> Reading | None:
    """The first way to read `data` as a text of the node, or as the beginning of one with `is_cut`; None: there is none."""
    with EXPRESSIONS:
        return _Machine(data, is_cut).run(node)


def _ends(expr: Expr, data: bytes, start: int) -> tuple[list[int], bool]:
    """Where texts of the expression that begin at `start` end, and whether the rest of the data begins one."""
    expr_set, state = expr.set, expr.root
    ends = [start] if expr_set.nullable(state) else []
    for position in range(start, len(data)):
        state = expr_set.step(state, data[position])
        if state == expr_set.NO_MATCH:
            return ends, False
        if expr_set.nullable(state):
            ends.append(position + 1)
    return ends, True


class _Machine:
    def __init__(self, data: bytes, is_cut: bool) -> None:
        self._data = data
        self._is_cut = is_cut
        self._interned: dict[tuple[int, int, int], Rest] = {}
        self._tried: set[tuple[int, int]] = set()
        self._stack: list[tuple[Rest | None, int, Trail | None]] = []
        self._cut: tuple[Node, Trail | None] | None = None

    def _then(self, part: Any, rest: Rest | None, count: int = 0) -> Rest:
        return self._interned.setdefault((id(part), count, id(rest)), (part, count, rest))

    def run(self, node: Node) -> Reading | None:
        self._stack.append((self._then(node, None), 0, None))
        while self._stack:
            rest, position, trail = self._stack.pop()
            if rest is None:
                if position == len(self._data):
                    return self._reading(trail, None)
                continue
            if (id(rest), position) in self._tried:
                continue
            self._tried.add((id(rest), position))
            self._step(rest, position, trail)
            if self._cut is not None:
                return self._reading(self._cut[1], self._cut[0])
        return None

    def _step(self, current: Rest, position: int, trail: Trail | None) -> None:
        """Puts the ways to go on from here on the stack, the first one on top."""
        part, count, rest = current
        if isinstance(part, Label):
            self._stack.append((rest, position, (part, False, position, trail)))
        elif isinstance(part, Capture):
            inner = self._then(part.item, self._then(part.label, rest))
            self._stack.append((inner, position, (part.label, True, position, trail)))
        elif isinstance(part, Sequence):
            for one in reversed(part.parts):
                rest = self._then(one, rest)
            self._stack.append((rest, position, trail))
        elif isinstance(part, Alternatives):
            self._stack += [(self._then(option, rest), position, trail) for option in reversed(part.options)]
        elif isinstance(part, Repeat):
            self._repeat(part, count, rest, position, trail)
        elif isinstance(part, (Settings, Rule)):
            inner_part = part.item if isinstance(part, Settings) else part.body
            self._stack.append((self._then(inner_part, rest), position, trail))
        elif isinstance(part, Parsed):
            self._stack.append((self._then(part.tree, rest), position, trail))
        elif isinstance(part, Until):
            self._until(part, rest, position, trail)
        else:
            self._leaf(part, rest, position, trail)

    def _repeat(self, part: Repeat, count: int, rest: Rest | None, position: int, trail: Trail | None) -> None:
        if count >= part.min:
            self._stack.append((rest, position, trail))
        if part.max is None or count < part.max:
            following = min(count + 1, part.min) if part.max is None else count + 1
            again = self._then(part.item, self._then(part, rest, following))
            self._stack.append((again, position, trail))

    def _leaf(self, part: Node, rest: Rest | None, position: int, trail: Trail | None) -> None:
        ends, is_open = self._leaf_ends(part, position)
        if self._is_cut and is_open:
            self._cut = (part, trail)
            return
        self._stack += [(rest, end, trail) for end in ends]  # the last one is tried first

    def _leaf_ends(self, part: Node, position: int) -> tuple[list[int], bool]:
        """Where the part may end, the best last; and whether the data end inside it."""
        data = self._data
        if isinstance(part, Text):
            is_here = data.startswith(part.data, position)
            return [position + len(part.data)] if is_here else [], part.data.startswith(data[position:])
        if isinstance(part, Choice):
            ends, is_open = _ends(part.expr, data, position)
            ends.sort(key=lambda end: -part.order[data[position:end]])
            return ends, is_open
        if isinstance(part, Free):
            return list(range(position, len(data) + 1)), True
        if isinstance(part, Lexeme):
            return self._lexeme_ends(part, position)
        assert isinstance(part, Leaf)
        return _ends(part.expr, data, position)

    def _lexeme_ends(self, part: Lexeme, position: int) -> tuple[list[int], bool]:
        found, any_open = set[int](), False
        for texts, longer in part.ways:
            ends, is_open = _ends(texts, self._data, position)
            beyond = _ends(longer, self._data, position)[0] if longer is not None else []
            found.update(end for end in ends if not beyond or end >= beyond[-1])
            any_open = any_open or is_open
        return sorted(found), any_open

    def _until(self, part: Until, rest: Rest | None, position: int, trail: Trail | None) -> None:
        ends, is_open = _ends(part.total, self._data, position)
        label, stop_label = part.label, part.stop_label
        opened: Trail | None = trail if label is None else (label, True, position, trail)
        if not ends:
            if self._is_cut and is_open:
                self._cut = (part, opened)
            return
        end = ends[0]  # the only one: no such text is the beginning of another
        middle = self._stop_start(part, position, end)
        if label is not None:
            opened = (label, False, middle, opened)
        if stop_label is not None:
            opened = (stop_label, False, end, (stop_label, True, middle, opened))
        self._stack.append((rest, end, opened))

    def _stop_start(self, part: Until, start: int, end: int) -> int:
        data = self._data[:end]
        bodies = range(start, end + 1) if part.body is None else _ends(part.body, data, start)[0]
        starts = (middle for middle in bodies if end in _ends(part.stop, data, middle)[0])
        return next(starts, end)

    def _reading(self, trail: Trail | None, cut: Node | None) -> Reading:
        events = []
        while trail is not None:
            label, is_start, offset, trail = trail
            events.append((label, is_start, offset))
        reading, opened, ignored = Reading(cut=cut), [], dict[int, int]()
        for label, is_start, offset in reversed(events):
            if is_start:
                opened.append((label, offset))
            elif label is IGNORED:
                ignored[offset] = opened.pop()[1]
            else:
                start = opened.pop()[1]
                reading.captures.append((label, start, max(start, ignored.get(offset, offset)) if label.is_trimmed else offset))
        reading.captures += [(label, offset, len(self._data)) for label, offset in reversed(opened) if label is not IGNORED]
        return reading
