r"""The syntax tree of a regex: what a pattern says, before anything is spelt in bytes.

Nine kinds of node. Six consume text (`Meet`, intersection, is made from assertions alone); three, the assertions, look at it. `^ $ \A \Z \b (?=[ab])` are
all written with these three: `\A` is "what precedes is the edge of the text", so `Context(behind, NONE, edge=True)`.

Invariants: made by the functions below only; `DEAD` (no text at all) is never inside another node except under a look;
`min_length` and `max_length` count code points and bound what a node consumes; `nullable` is exact where `plain` says
that no assertion is inside; `depth` counts the levels that hold assertions, or all where none does. Nothing here recurses. Held by tests/test_regex.py.
"""

from __future__ import annotations

from .utf8 import NONE, CodePoints

__all__ = [
    "DEAD",
    "EMPTY",
    "INFINITE",
    "Assertion",
    "Chars",
    "Concat",
    "Context",
    "Look",
    "Meet",
    "Node",
    "Repeat",
    "Text",
    "Union",
    "WordBoundary",
    "concat",
    "optional",
    "repeat",
    "union",
]

INFINITE = 1 << 62
# Small parts are spliced into the sequence or alternation around them; large ones stay, or a deep nest costs its square.
_SPLICED = 8
_MERGED_TEXT = 256


class Node:
    """A part of a pattern."""

    __slots__ = ("depth", "max_length", "min_length", "nullable", "plain")
    depth: int
    min_length: int
    max_length: int
    nullable: bool
    plain: bool

    def __init__(self, children: list[Node], min_length: int, max_length: int, nullable: bool) -> None:
        self.min_length = min_length if min_length < INFINITE else INFINITE
        self.max_length = max_length if max_length < INFINITE else INFINITE
        self.nullable = nullable
        looking = [child.depth for child in children if not child.plain]
        self.plain = not looking
        self.depth = 1 + max(looking or (child.depth for child in children), default=0)

    @property
    def fixed_width(self) -> bool:
        return self.min_length == self.max_length


class Text(Node):
    """Exactly this text."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text
        self.min_length = self.max_length = len(text)
        self.nullable = not text
        self.plain = True
        self.depth = 0


class Chars(Node):
    """One character of a set."""

    __slots__ = ("points",)

    def __init__(self, points: CodePoints) -> None:
        self.points = points
        self.min_length = self.max_length = 1 if points else INFINITE
        self.nullable = False
        self.plain = True
        self.depth = 0


class Concat(Node):
    __slots__ = ("parts",)

    def __init__(self, parts: list[Node]) -> None:
        self.parts = parts
        least, most = sum(p.min_length for p in parts), sum(p.max_length for p in parts)
        super().__init__(parts, least, most, all(p.nullable for p in parts))


class Union(Node):
    __slots__ = ("parts",)

    def __init__(self, parts: list[Node]) -> None:
        self.parts = parts
        least, most = min(p.min_length for p in parts), max(p.max_length for p in parts)
        super().__init__(parts, least, most, any(p.nullable for p in parts))


class Repeat(Node):
    """`item` between `min` and `max` times, INFINITE for any number; `greedy` matters inside atomic groups only."""

    __slots__ = ("greedy", "item", "max", "min")

    def __init__(self, item: Node, least: int, most: int, greedy: bool) -> None:
        self.item = item
        self.min = least
        self.max = most
        self.greedy = greedy
        most_length = item.max_length * most if item.max_length else 0
        super().__init__([item], item.min_length * least, most_length, least == 0 or item.nullable)


class Meet(Node):
    """The texts of `item` that are also texts of `other`, or, if `negative`, are not; both without assertions."""

    __slots__ = ("item", "negative", "other")

    def __init__(self, item: Node, other: Node, negative: bool) -> None:
        self.item = item
        self.other = other
        self.negative = negative
        nullable = item.nullable and other.nullable != negative
        super().__init__([item, other], item.min_length, item.max_length, nullable)


class Assertion(Node):
    """Consumes nothing; holds or does not."""

    __slots__ = ()

    def __init__(self, depth: int = 0) -> None:
        self.min_length = self.max_length = 0
        self.nullable = True
        self.plain = False
        self.depth = depth + 1


class Context(Assertion):
    """The character before (`behind`) or after this place is one of `points`; or, if `edge`, there is none."""

    __slots__ = ("behind", "edge", "points")

    def __init__(self, behind: bool, points: CodePoints, edge: bool) -> None:
        self.behind = behind
        self.points = points
        self.edge = edge
        super().__init__()


class WordBoundary(Assertion):
    r"""`\b`, or `\B` if `negative`; `word` is what `\w` means."""

    __slots__ = ("negative", "word")

    def __init__(self, word: CodePoints, negative: bool) -> None:
        self.word = word
        self.negative = negative
        super().__init__()


class Look(Assertion):
    """`(?=item) (?!item) (?<=item) (?<!item)`."""

    __slots__ = ("behind", "item", "negative")

    def __init__(self, behind: bool, negative: bool, item: Node) -> None:
        self.behind = behind
        self.negative = negative
        self.item = item
        super().__init__(item.depth if not item.plain else 0)


EMPTY = Text("")
DEAD = Chars(NONE)


def concat(parts: list[Node]) -> Node:
    """The parts one after the other: adjacent texts joined, small sequences spliced in."""
    if len(parts) == 1:
        return parts[0]
    joined: list[Node] = []
    for part in _spliced(parts, Concat):
        if part.min_length == INFINITE:
            return DEAD
        if type(part) is Text:
            if not part.text:
                continue
            last = joined[-1] if joined else None
            if type(last) is Text and len(last.text) + len(part.text) <= _MERGED_TEXT:
                joined[-1] = Text(last.text + part.text)
                continue
        joined.append(part)
    if len(joined) < 2:
        return joined[0] if joined else EMPTY
    return Concat(joined)


def _spliced(parts: list[Node], kind: type[Concat] | type[Union]) -> list[Node]:
    if not any(type(p) is kind for p in parts):
        return parts
    spliced: list[Node] = []
    for part in parts:
        if type(part) is kind and len(part.parts) <= _SPLICED:  # type: ignore[attr-defined]
            spliced += part.parts  # type: ignore[attr-defined]
        else:
            spliced.append(part)
    return spliced


def union(parts: list[Node]) -> Node:
    """Any one of the parts, in their order: single characters side by side are joined into one set."""
    if len(parts) == 1:
        return parts[0]
    kept: list[Node] = []
    ranges: list[tuple[int, int]] = []

    def end_set() -> None:
        if ranges:
            kept.append(Chars(CodePoints(ranges)))
            ranges.clear()

    for part in _spliced(parts, Union):
        if type(part) is Chars:
            ranges.extend(part.points.ranges)
        elif type(part) is Text and len(part.text) == 1:
            ranges.extend(CodePoints.one(ord(part.text)).ranges)
        else:
            end_set()
            kept.append(part)
    end_set()
    if len(kept) < 2:
        return kept[0] if kept else DEAD
    return Union(kept)


def repeat(item: Node, least: int, most: int, greedy: bool = True) -> Node:
    if most == 0 or item is EMPTY:
        return EMPTY
    if item.min_length == INFINITE:
        return EMPTY if least == 0 else DEAD
    if item.max_length == 0:  # assertions alone: once or never is all the difference
        return item if least else EMPTY
    if least == most == 1:
        return item
    return Repeat(item, least, most, greedy)


def optional(item: Node) -> Node:
    return repeat(item, 0, 1)
