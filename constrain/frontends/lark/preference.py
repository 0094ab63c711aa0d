r"""What `re.match` returns: of all texts of a regex that stand at a place, the one that its alternatives prefer.

A lexer takes that text and no other. The threads of a backtracking matcher, tried in their order, are kept as a list
(Pike's machine, as in RE2's leftmost-first matching); behind a thread that has matched all others are dropped, since none of
them would ever be tried. The automaton of these lists has a language of its own: the texts that may be returned. And of
those that begin at one place, the longest is the one that is returned: each earlier one has left only better threads alive.
So a terminal is this language, taken greedily: `".*?"` ends at the first quote, `a|ab` never takes two letters.

Patterns where no text has two ways, with greedy counts only, are their own language. Look-ahead would look beyond the
terminal's end and is refused. Held by tests/test_lark.py, against `re` on all short texts.
"""

from __future__ import annotations

from ...errors import LimitExceeded, UnsupportedError
from ..regex import compile_regex
from ..regex_automaton import MAX_STATES, Program, classes_of, minimal, spelled_table
from ..regex_tree import INFINITE, Chars, Concat, Node, Repeat, Text, Union
from ..utf8 import NONE, Alphabet, CodePoints

__all__ = ["first_match"]

_MAX_DEPTH = 100


def first_match(tree: Node, alphabet: Alphabet) -> int:
    """The expression of the texts that matching `tree` from their start may return."""
    if tree.plain and tree.depth <= _MAX_DEPTH and _has_one_way(tree, NONE):
        return compile_regex(tree, alphabet)
    return _Threads(tree).table(alphabet)


# ---------------------------------------------------------------------------------------------- the common case


def _first(node: Node) -> CodePoints:
    """The characters that a text of `node` may begin with."""
    if isinstance(node, Text):
        return CodePoints.one(ord(node.text[0])) if node.text else NONE
    if isinstance(node, Chars):
        return node.points
    if isinstance(node, Repeat):
        return _first(node.item)
    found = NONE
    for part in node.parts:  # type: ignore[attr-defined]
        found |= _first(part)
        if isinstance(node, Concat) and not part.nullable:
            break
    return found


def _has_one_way(node: Node, after: CodePoints) -> bool:
    """Does the next character always decide how to go on, where one of `after` may follow? And is more preferred?"""
    if isinstance(node, (Text, Chars)):
        return True
    if isinstance(node, Concat):
        for part in reversed(node.parts):
            if not _has_one_way(part, after):
                return False
            after = _first(part) | after if part.nullable else _first(part)
        return True
    if isinstance(node, Union):
        seen = after if node.nullable else NONE
        for part in node.parts:
            first = _first(part)
            if part.nullable or not first.isdisjoint(seen):
                return False
            seen = seen | first
        return all(_has_one_way(part, after) for part in node.parts)
    if not isinstance(node, Repeat) or node.item.nullable:
        return False
    first = _first(node.item)
    is_counted = node.min == node.max
    if not is_counted and (not node.greedy or not first.isdisjoint(after)):
        return False
    return _has_one_way(node.item, after | first)


# ---------------------------------------------------------------------------------------------- lists of threads

Behind = tuple[frozenset[int], ...]  # the threads of each look-behind, inner ones first
State = tuple[Behind, tuple[int, ...]]


class _Ordered(Program):
    """Splits list what is tried first, first."""

    def compile_repeat(self, node: Repeat, after: int, level: int) -> int:
        def split(more: int, enough: int) -> tuple[int, int]:
            return (more, enough) if node.greedy else (enough, more)

        if node.max >= INFINITE:
            loop = self.add("split", ())
            self.code[loop] = ("split", split(self.compile(node.item, loop, level + 1), after))
            after = loop
        else:
            end = after
            for _ in range(node.max - node.min):
                after = self.add("split", split(self.compile(node.item, after, level + 1), end))
        for _ in range(node.min):
            after = self.compile(node.item, after, level + 1)
        return after

    def compile_look(self, item: Node, behind: bool, negative: bool, after: int, level: int) -> int:
        if not behind:
            raise UnsupportedError("look-ahead", "in a terminal", "lark: look-ahead, '$' and '\\b' are not supported in a terminal")
        return super().compile_look(item, behind, negative, after, level)


class _Threads:
    def __init__(self, tree: Node) -> None:
        self.program = _Ordered()
        self.start = self.program.compile(tree, 0)
        self.classes = classes_of(i[1] for i in self.program.code if i[0] == "char")
        self.members = {
            at: frozenset(n for n, c in enumerate(self.classes) if c.ranges[0][0] in i[1])
            for at, i in enumerate(self.program.code)
            if i[0] == "char"
        }

    def closed(self, threads: tuple[int, ...], truths: list[bool], is_ordered: bool) -> tuple[int, ...]:
        """The characters and matches that the threads come to, in order; nothing behind a match where order counts."""
        seen: set[int] = set()
        found: list[int] = []
        stack = list(reversed(threads))
        while stack:
            at = stack.pop()
            if at in seen:
                continue
            seen.add(at)
            kind, *rest = self.program.code[at]
            if kind == "split":
                stack += reversed(rest[0])
            elif kind == "behind":
                negative, index, after = rest
                if truths[index] != negative:
                    stack.append(after)
            else:
                found.append(at)
                if kind == "match" and is_ordered:
                    break
        return tuple(found)

    def at(self, state: State) -> State:
        behind, threads = state
        truths: list[bool] = []
        closed_behind = []
        for one in behind:
            closed = self.closed(tuple(one), truths, False)
            closed_behind.append(frozenset(closed))
            truths.append(0 in closed)
        return tuple(closed_behind), self.closed(threads, truths, True)

    def move(self, closed: State, character: int) -> State:
        code = self.program.code

        def after(threads: tuple[int, ...] | frozenset[int]) -> list[int]:
            return [code[at][2] for at in threads if at and character in self.members[at]]

        return tuple(frozenset(after(one)) for one in closed[0]), tuple(dict.fromkeys(after(closed[1])))

    def table(self, alphabet: Alphabet) -> int:
        first: State = (tuple(frozenset([at]) for at in self.program.behinds), (self.start,))
        numbers, order = {first: 0}, [first]
        moves: list[dict[int, int]] = []
        accepting: list[bool] = []
        for state in order:  # which grows
            closed = self.at(state)
            accepting.append(bool(closed[1]) and closed[1][-1] == 0)
            row: dict[int, int] = {}
            for character in range(len(self.classes)):
                after = self.move(closed, character)
                if after[1]:
                    if after not in numbers:
                        if len(order) >= MAX_STATES:
                            raise LimitExceeded("max_states", None, MAX_STATES, f"lark: a terminal needs more than {MAX_STATES} states")
                        numbers[after] = len(order)
                        order.append(after)
                    row[character] = numbers[after]
            moves.append(row)
        return spelled_table(self.classes, *minimal(moves, accepting), alphabet)
