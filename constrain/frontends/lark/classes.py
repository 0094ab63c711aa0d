"""What may come before a part of a grammar, put into classes by what it means to the terminals that have rivals.

A class says, for each terminal that may come behind, which of its rivals the lexer asks for there: several sets of them where that
depends on more than is told apart. Then a text is a terminal's only if it is so with each set, since a rival more may also
let texts through (a name makes keywords of strings). Held by tests/test_lark.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from .places import members

if TYPE_CHECKING:
    from .lexing import Lexing

__all__ = ["Classes"]

MAX_REGEXES = 3


class Classes:
    """`rivals` by class and terminal; `asked` by class: what is asked for there among those that are a rival of something.

    `regexes`: the three that are rivals of most, a name for instance. All sets of terminals are ints.
    """

    def __init__(self, lexing: Lexing) -> None:
        self.used = lexing.used
        self.ignored = lexing.ignored
        self.rivals_of = lexing.rivals_of
        terminals = self.used & ~self.ignored
        count = Counter(r for t in members(terminals) for r in members(self.rivals_of(t) & terminals))
        self.looked_at = reduce(or_, (1 << r for r in count), 0)
        common = [r for r, _ in count.most_common() if not lexing.terminals[r].is_string]
        self.regexes = reduce(or_, (1 << r for r in common[:MAX_REGEXES]), 0)
        self.rivals: list[dict[int, frozenset[int]]] = []
        self.asked: list[int] = []
        self.known: dict[tuple[frozenset[int], int], int] = {}
        self.unions: dict[frozenset[int], int] = {}

    def of(self, asked: Iterable[int], behind: int) -> int:
        """The number of a class in which each terminal that may come has just the rivals that are asked for, one way or the other."""
        key = (frozenset(asked), behind)
        if key not in self.known:
            self.known[key] = self.find(*key)
        return self.known[key]

    def find(self, asked: frozenset[int], behind: int) -> int:
        sets = {(terminals | self.ignored) & self.used for terminals in asked}
        mine = {t: frozenset(self.rivals_of(t) & terminals for terminals in sets) for t in members(behind & self.used & ~self.ignored)}
        looked_at = reduce(or_, sets) & self.looked_at
        for number, known in enumerate(self.rivals):
            if self.asked[number] == looked_at and all(known.get(t, rivals) == rivals for t, rivals in mine.items()):
                known.update(mine)
                return number
        return self.add(mine, looked_at)

    def add(self, rivals: dict[int, frozenset[int]], asked: int) -> int:
        self.rivals.append(rivals)
        self.asked.append(asked)
        return len(self.rivals) - 1

    def united(self, classes: Iterable[int]) -> int:
        """The class in which each terminal has the rivals that it has in any of these."""
        several = frozenset(classes)
        if len(several) == 1:
            return next(iter(several))
        if several not in self.unions:
            united: dict[int, frozenset[int]] = {}
            for number in several:
                for t, rivals in self.rivals[number].items():
                    united[t] = united.get(t, frozenset()) | rivals
            asked = reduce(or_, (self.asked[number] for number in several))
            same = [n for n in sorted(several) if self.rivals[n] == united and self.asked[n] == asked]
            self.unions[several] = same[0] if same else self.add(united, asked)
        return self.unions[several]

    def told_apart_by(self, terminals: int) -> int:
        """The rivals of any of the terminals."""
        return reduce(or_, (self.rivals_of(t) for t in members(terminals & ~self.ignored)), 0) & self.looked_at

    def are_several(self) -> bool:
        """Does a terminal have other rivals in one class than in another?"""
        first: dict[int, frozenset[int]] = {}
        return any(first.setdefault(t, rivals) != rivals for known in self.rivals for t, rivals in known.items())
