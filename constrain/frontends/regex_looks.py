r"""Assertions away: a tree with `^ $ \b (?=…) (?!…) (?<=…) (?<!…)` to a tree without, by equations.

A pattern is first written as alternatives of sequences, in which assertions stand between parts that consume text. Then
each equation moves an assertion into the text beside it:

    (?=[ab]) p   =  p restricted to texts that begin with a or b, when p is never empty; else also p empty, looking on
    (?=A) p      =  p & A.*      when p is at least as long as A ever is, or when p is all that follows
    ^ p, p $     =  the same with the edge of the text: p must be empty, or is all there is
    \b           =  one side a word character, the other not; often one side is known

and mirrored for look-behind. `&` and complement are the algebra's own (node `Meet`). Where no equation applies (`$` inside
a star, say) `Unsettled` is raised, and regex_automaton.py answers instead.

Source: the location semantics of Moseley et al., PLDI 2023, section 4, read as rewriting. Held by tests/test_regex.py.
"""

from __future__ import annotations

from functools import lru_cache

from .regex_tree import (
    DEAD,
    EMPTY,
    INFINITE,
    Chars,
    Concat,
    Context,
    Look,
    Meet,
    Node,
    Repeat,
    Text,
    Union,
    WordBoundary,
    concat,
    repeat,
    union,
)
from .utf8 import ANY, NONE, CodePoints

__all__ = ["ANY_TEXT", "Unsettled", "settle"]

ANY_TEXT = Repeat(Chars(ANY), 0, INFINITE, True)

_MAX_SEQUENCES = 4096  # that a product of alternatives may make
_MAX_STEPS = 20_000
_MAX_EDGE_PARTS = 4  # of a sequence, that may be empty before its first or last character
_MAX_DEPTH = 100  # of tree inspected for its first and last characters, and of assertions within one another


class Unsettled(Exception):
    """No equation applies; never leaves the front-end."""


Sequence = list[Node]


def settle(node: Node, at_start: bool = True, at_end: bool = True) -> Node:
    """A tree without assertions for the same texts; `at_start`, `at_end`: nothing precedes, nothing follows."""
    if node.plain:
        return node
    if node.depth > _MAX_DEPTH:
        raise Unsettled
    settler = _Settler(at_start, at_end)
    work = settler.sequences(node)
    done: list[Node] = []
    for _ in range(_MAX_STEPS + 8 * len(work)):
        if not work:
            return union(done) if done else DEAD
        sequence = work.pop()
        if all(part.plain for part in sequence):
            done.append(concat(sequence) if sequence else EMPTY)
        else:
            work += settler.rewrite(sequence)
    raise Unsettled


class _Settler:
    def __init__(self, at_start: bool, at_end: bool) -> None:
        self.at_start = at_start
        self.at_end = at_end

    # ----------------------------------------------------------------------------------- into sequences

    def sequences(self, node: Node) -> list[Sequence]:
        if node.plain:
            return [[]] if node is EMPTY else [] if node is DEAD else [[node]]
        if isinstance(node, Union):
            found = [sequence for part in node.parts for sequence in self.sequences(part)]
        elif isinstance(node, Concat):
            found = [[]]
            for part in node.parts:
                tails = self.sequences(part)
                if len(found) > 1 and len(tails) > 1 and len(found) * len(tails) > _MAX_SEQUENCES:
                    raise Unsettled
                found = [head + tail for head in found for tail in tails]
        elif isinstance(node, Repeat):
            found = self.repeated(node)
        else:
            found = [[node]]
        return found

    def repeated(self, node: Repeat) -> list[Sequence]:
        if node.max == 1:
            return [[], *self.sequences(node.item)]
        inner = settle(node.item, False, False)
        return self.sequences(repeat(inner, node.min, node.max))

    # --------------------------------------------------------------------------------------- equations

    def rewrite(self, sequence: Sequence) -> list[Sequence]:
        """Sequences that together stand for this one, with one assertion fewer or nearer to its end."""
        for index, part in enumerate(sequence):
            if part.plain:
                continue
            found: list[Sequence] | None = None
            if isinstance(part, Context):
                found = self.context(sequence, index, part)
            elif isinstance(part, WordBoundary):
                found = self.boundary(sequence, index, part)
            elif isinstance(part, Look):
                found = self.look(sequence, index, part)
            if found is not None:
                return found
        return self.outermost(sequence)

    def context(self, sequence: Sequence, index: int, part: Context) -> list[Sequence] | None:
        at = _neighbour(sequence, index, part.behind)
        rest = sequence[:index] + sequence[index + 1 :]
        if at is None:
            if not (self.at_start if part.behind else self.at_end):
                return None
            return [rest] if part.edge else []
        neighbour = sequence[at]
        found: list[Sequence] = []
        if neighbour.nullable:
            found.append(sequence[:at] + sequence[at + 1 :])
        possible = _edge_characters(neighbour, part.behind)
        if possible <= part.points and not neighbour.nullable:
            return [rest]
        restricted = _restricted(neighbour, part.points, part.behind)
        if restricted is not DEAD:
            at -= at > index
            found.append([*rest[:at], restricted, *rest[at + 1 :]])
        return found

    def boundary(self, sequence: Sequence, index: int, part: WordBoundary) -> list[Sequence] | None:
        sides = []
        for behind in (True, False):
            at = _neighbour(sequence, index, behind)
            if at is not None and not sequence[at].nullable:
                points, edge = _edge_characters(sequence[at], behind), False
            elif at is None and (self.at_start if behind else self.at_end):
                points, edge = NONE, True
            else:
                points, edge = ANY, True
            word_possible = not points.isdisjoint(part.word)
            other_possible = edge or not points <= part.word
            sides.append((word_possible, other_possible))
        word, other = Context(True, part.word, False), Context(True, _complement(part.word), True)
        found: list[Sequence] = []
        for left, before in ((0, word), (1, other)):
            right = left if part.negative else 1 - left
            if not (sides[0][left] and sides[1][right]):
                continue
            after = Context(False, other.points if right else part.word, bool(right))
            needed: list[Node] = [before] if sides[0][1 - left] else []
            needed += [after] if sides[1][1 - right] else []
            found.append(sequence[:index] + needed + sequence[index + 1 :])
        return found

    def look(self, sequence: Sequence, index: int, part: Look) -> list[Sequence] | None:
        rest = sequence[:index] + sequence[index + 1 :]
        item = _settled_here(part.item)
        if item is not None:
            if item.nullable:
                return [] if part.negative else [rest]
            if item is DEAD:
                return [rest] if part.negative else []
            covered = self.covering(rest, index, part.behind, item.max_length)
            if covered:
                return _met(rest, *covered, _open(item, part.behind), part.negative)
        return self.look_to_the_edge(rest, index, part)

    def covering(self, rest: Sequence, index: int, behind: bool, length: int) -> tuple[int, int] | None:
        """The bounds of the parts next to `index` that are surely `length` characters long, without an assertion."""
        start = end = index
        total = 0
        while total < length:
            at = start - 1 if behind else end
            if not (0 <= at < len(rest)):
                return None
            if not rest[at].plain:
                if start != end:
                    return None
                start = end = at if behind else at + 1  # zero-width things before the first part
                continue
            total += rest[at].min_length
            start, end = (at, end) if behind else (start, at + 1)
        return start, end

    def look_to_the_edge(self, rest: Sequence, index: int, part: Look) -> list[Sequence] | None:
        """When all that is on that side of the look is known: the whole side is met with what is looked for."""
        side = rest[:index] if part.behind else rest[index:]
        if not (self.at_start if part.behind else self.at_end) or not all(p.plain for p in side):
            return None
        if part.behind:
            wanted = settle(concat([ANY_TEXT, part.item]), True, self.at_end and index == len(rest))
            return _met(rest, 0, index, wanted, part.negative)
        wanted = settle(concat([part.item, ANY_TEXT]), self.at_start and index == 0, True)
        return _met(rest, index, len(rest), wanted, part.negative)

    def outermost(self, sequence: Sequence) -> list[Sequence]:
        """A look from one end of the text at all of it: the rest may be settled by itself."""
        if not (self.at_start and self.at_end):
            raise Unsettled
        first, last = sequence[0], sequence[-1]
        if isinstance(first, Look) and not first.behind:
            wanted = settle(concat([first.item, ANY_TEXT]))
            return [[Meet(settle(_as_node(sequence[1:])), wanted, first.negative)]]
        if isinstance(last, Look) and last.behind:
            wanted = settle(concat([ANY_TEXT, last.item]))
            return [[Meet(settle(_as_node(sequence[:-1])), wanted, last.negative)]]
        raise Unsettled


def _as_node(sequence: Sequence) -> Node:
    return concat(sequence) if sequence else EMPTY


def _neighbour(sequence: Sequence, index: int, behind: bool) -> int | None:
    """The index of the next part that consumes text, on the side looked at."""
    indices = range(index - 1, -1, -1) if behind else range(index + 1, len(sequence))
    return next((at for at in indices if sequence[at].plain), None)


def _settled_here(item: Node) -> Node | None:
    """The item without assertions, when none of them looks beyond it."""
    try:
        return settle(item, False, False)
    except Unsettled:
        return None


def _open(item: Node, behind: bool) -> Node:
    return concat([ANY_TEXT, item]) if behind else concat([item, ANY_TEXT])


def _met(rest: Sequence, start: int, end: int, wanted: Node, negative: bool) -> list[Sequence]:
    """`rest` with its parts from `start` to `end` as one that meets, or does not meet, `wanted`; none where none can."""
    side = _as_node(rest[start:end])
    if negative:
        met: Node = Meet(side, wanted, True)
    elif side is ANY_TEXT:
        met = wanted
    elif side is EMPTY and wanted.nullable:
        met = EMPTY
    elif isinstance(wanted, Text) and len(wanted.text) == 1:  # the newline that `$` may leave
        met = wanted if _matches_one(side, ord(wanted.text)) else DEAD
    else:
        met = Meet(side, wanted, False)
    return [] if met is DEAD else [[*rest[:start], met, *rest[end:]]]


def _matches_one(node: Node, code: int) -> bool:
    """Does a plain node match the text of this one character?"""
    if node.depth > _MAX_DEPTH:
        raise Unsettled
    if isinstance(node, Chars):
        return code in node.points
    if isinstance(node, Text):
        return node.text == chr(code)
    if isinstance(node, Union):
        return any(_matches_one(part, code) for part in node.parts)
    if isinstance(node, Concat):
        needed = [part for part in node.parts if not part.nullable]
        return len(needed) < 2 and any(_matches_one(part, code) for part in needed or node.parts)
    if isinstance(node, Meet):
        return _matches_one(node.item, code) and _matches_one(node.other, code) != node.negative
    assert isinstance(node, Repeat)
    return node.max > 0 and (node.min < 2 or node.item.nullable) and _matches_one(node.item, code)


@lru_cache(maxsize=64)
def _complement(points: CodePoints) -> CodePoints:
    return ~points


def _edge_characters(node: Node, last: bool) -> CodePoints:
    """A set that holds the first (or last) character of every text of a plain node."""
    if isinstance(node, Chars):
        return node.points
    if isinstance(node, Text):
        return CodePoints.one(ord(node.text[-1 if last else 0])) if node.text else NONE
    if node.depth > _MAX_DEPTH:
        return ANY
    if isinstance(node, (Repeat, Meet)):
        return _edge_characters(node.item, last)
    if isinstance(node, Union):
        sets = [_edge_characters(part, last) for part in node.parts]
    elif isinstance(node, Concat):
        sets = []
        for part in reversed(node.parts) if last else node.parts:
            sets.append(_edge_characters(part, last))
            if not part.nullable:
                break
    else:
        return ANY
    return CodePoints([r for points in sets for r in points.ranges])


def _restricted(node: Node, points: CodePoints, last: bool) -> Node:
    """The non-empty texts of a plain node whose first (or last) character is one of `points`."""
    if isinstance(node, Chars):
        return Chars(node.points & points) if not node.points.isdisjoint(points) else DEAD
    possible = _edge_characters(node, last)
    if possible.isdisjoint(points):
        return DEAD
    if possible <= points and not node.nullable:
        return node
    if isinstance(node, Repeat) and isinstance(node.item, Chars):
        edge = _restricted(node.item, points, last)
        others = repeat(node.item, max(node.min - 1, 0), node.max if node.max == INFINITE else node.max - 1)
        return concat([others, edge] if last else [edge, others])
    if isinstance(node, Union) and node.depth < _MAX_DEPTH:
        return union([part for p in node.parts if (part := _restricted(p, points, last)) is not DEAD])
    if isinstance(node, Concat) and node.depth < _MAX_DEPTH:
        found = _restricted_parts(node.parts, points, last)
        if found is not None:
            return found
    return Meet(node, _open(Chars(points), last), False)


def _restricted_parts(parts: list[Node], points: CodePoints, last: bool) -> Node | None:
    """`_restricted` of a sequence: its edge part restricted, or that part empty and the next one restricted."""
    found: list[Node] = []
    for _ in range(_MAX_EDGE_PARTS):
        edge, others = (parts[-1], parts[:-1]) if last else (parts[0], parts[1:])
        restricted = _restricted(edge, points, last)
        if restricted is not DEAD:
            found.append(concat([*others, restricted] if last else [restricted, *others]))
        if not edge.nullable or not others:
            return union(found) if found else DEAD
        parts = others
    return None
