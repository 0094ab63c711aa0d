"""What may come before a part of a grammar, put into classes by what it means to the terminals that have rivals.

A class says, for each terminal that may come behind, which of its rivals the lexer asks for there. Held by tests/test_lark.py.
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
    """`rivals` by class and terminal; `regexes` by class: those asked for that are a rival of something, a name for instance.

    Of the latter the three that are rivals of most are looked at. All sets of terminals are ints.
    """

    def __init__(self, lexing: Lexing) -> None:
        self.used = lexing.used
        self.ignored = lexing.ignored
        self.rivals_of = lexing.rivals_of
        regexes = reduce(or_, (1 << t for t in members(self.used & ~self.ignored) if not lexing.terminals[t].is_string), 0)
        count = Counter(r for t in members(self.used & ~self.ignored) for r in members(self.rivals_of(t) & regexes))
        self.looked_at = reduce(or_, (1 << r for r, _ in count.most_common(MAX_REGEXES)), 0)
        self.rivals: list[dict[int, int]] = []
        self.regexes: list[int] = []
        self.known: dict[tuple[int, int], int] = {}
        self.unions: dict[frozenset[int], int] = {}

    def of(self, asked: int, behind: int) -> int:
        """The number of a class in which each terminal that may come has just the rivals that are asked for."""
        key = (asked, behind)
        if key not in self.known:
            self.known[key] = self.find(asked, behind)
        return self.known[key]

    def find(self, asked: int, behind: int) -> int:
        asked = (asked | self.ignored) & self.used
        mine = {t: self.rivals_of(t) & asked for t in members(behind & self.used & ~self.ignored)}
        regexes = asked & self.looked_at
        for number, known in enumerate(self.rivals):
            if self.regexes[number] == regexes and all(known.get(t, rivals) == rivals for t, rivals in mine.items()):
                known.update(mine)
                return number
        return self.add(mine, regexes)

    def add(self, rivals: dict[int, int], regexes: int) -> int:
        self.rivals.append(rivals)
        self.regexes.append(regexes)
        return len(self.rivals) - 1

    def united(self, classes: Iterable[int]) -> int:
        """The class in which each terminal has all the rivals that it has in one of these."""
        several = frozenset(classes)
        if len(several) == 1:
            return next(iter(several))
        if several not in self.unions:
            united: dict[int, int] = {}
            for number in several:
                for t, rivals in self.rivals[number].items():
                    united[t] = united.get(t, 0) | rivals
            regexes = reduce(or_, (self.regexes[number] for number in several))
            same = [n for n in sorted(several) if self.rivals[n] == united and self.regexes[n] == regexes]
            self.unions[several] = same[0] if same else self.add(united, regexes)
        return self.unions[several]

    def told_apart_by(self, terminals: int) -> int:
        """The regexes that are a rival of one of the terminals."""
        return reduce(or_, (self.rivals_of(t) for t in members(terminals & ~self.ignored)), 0) & self.looked_at

    def are_several(self) -> bool:
        """Does a terminal have other rivals in one class than in another?"""
        first: dict[int, int] = {}
        return any(first.setdefault(t, rivals) != rivals for known in self.rivals for t, rivals in known.items())
