"""What the notations share: rules put together part by part, on a stack of open groups, and names found.

Nothing recurses over groups, however deep they nest. Characters and literals become expressions at once and stay whole;
repetitions of them too, so that a run of a class is one lexeme. Held by tests/test_notations.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches

from ..._native import ExprSet
from ...errors import LimitExceeded
from ..lark.grammar import Grammar
from ..lark.syntax import Source
from ..utf8 import CodePoints, Utf8Alphabet

__all__ = ["MAX_COUNT", "Definitions", "Frame", "read_count"]

MAX_COUNT = 1_000_000_000  # of a repetition


def read_count(digits: str) -> int:
    """The number; of one with more digits than any count has, some other one that is too large as well."""
    return int(digits.lstrip("0")[:20] or "0")


@dataclass(slots=True)
class Frame:
    """An open group, or a rule: its finished alternatives, and the parts of the one that is being read."""

    opener: str
    at: int
    alternatives: list[int] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)
    count: int | None = None  # iso.py: of the factor that is being read
    minuend: int | None = None  # iso.py: what an exception is taken from
    has_factor: bool = False  # iso.py: since the last comma, and so on
    is_exception: bool = False  # iso.py: is that factor one?


class Definitions:
    """The rules of a text; `grammar` is complete once `finish` has been called."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.grammar = Grammar(source)
        self.expr_set = ExprSet()
        self.alphabet = Utf8Alphabet(self.expr_set)
        self.numbers: dict[str, int] = {}
        self.defined: dict[str, int] = {}
        self.frames: list[Frame] = []
        self.exceptions: dict[int, int] = {}  # by node of the kind "except", its offset: exceptions.py
        self.bare: dict[int, int] = {}  # by node: an expression that is not yet a lexeme

    # ------------------------------------------------------------------------------ rules

    def number(self, name: str, at: int) -> int:
        if name not in self.numbers:
            self.numbers[name] = self.grammar.rule(name, at=at)
        return self.numbers[name]

    def begin(self, name: str, at: int) -> None:
        """The rule whose body comes next."""
        if name in self.defined:
            self.source.fail(f"rule {name!r} is defined twice", at)
        self.defined[name] = self.number(name, at)
        self.grammar.rules[self.defined[name]].at = at
        self.frames = [Frame("", at)]

    def end(self) -> None:
        """The body is complete."""
        if len(self.frames) > 1:
            self.source.fail(f"the {self.frames[-1].opener!r} is never closed", self.frames[-1].at)
        self.grammar.rules[next(reversed(self.defined.values()))].body = self.close()

    def finish(self, start: str) -> Grammar:
        """Every name is defined; `start` is where texts begin."""
        for name, number in self.numbers.items():
            if name not in self.defined:
                self.source.fail(f"undefined rule {name!r}{self.nearest(name)}", self.grammar.rules[number].at)
        if start not in self.defined:
            known = self.nearest(start) or (f", known are {', '.join(map(repr, list(self.defined)[:5]))}" if self.defined else "")
            self.source.fail(f"no rule {start!r} to start from{known}", 0)
        self.grammar.start = self.defined[start]
        return self.grammar

    def nearest(self, name: str) -> str:
        near = get_close_matches(name, self.defined, 1)
        return f"; did you mean {near[0]!r}?" if near else ""

    # ------------------------------------------------------------------------------ groups

    @property
    def frame(self) -> Frame:
        return self.frames[-1]

    def open(self, opener: str, at: int) -> None:
        self.frames.append(Frame(opener, at))

    def next_alternative(self) -> None:
        frame = self.frame
        frame.alternatives.append(self.grammar.seq(*frame.parts))
        frame.parts = []

    def close(self) -> int:
        """The node of the innermost group."""
        self.next_alternative()
        return self.grammar.alt(self.frames.pop().alternatives)

    # ------------------------------------------------------------------------------ parts

    def reference(self, name: str, at: int) -> int:
        return self.grammar.add("rule", value=self.number(name, at))

    def lexeme(self, root: int) -> int:
        node = self.grammar.add("expr", value=(self.expr_set, self.expr_set.lexeme(root)))
        self.bare[node] = root
        return node

    def text(self, text: str, at: int) -> int:
        if not text:
            return self.grammar.empty
        surrogate = next((c for c in text if "\ud800" <= c <= "\udfff"), None)
        if surrogate:
            self.source.fail(f"U+{ord(surrogate):04X} is a surrogate, which stands in no text; write the character that is meant", at)
        return self.lexeme(self.alphabet.text(text))

    def character(self, points: CodePoints, at: int) -> int:
        if not points:
            self.source.fail("the class has no characters, and no text matches it", at)
        return self.lexeme(self.alphabet.char(points))

    def repeat(self, node: int, least: int, most: int | None, at: int) -> int:
        """`node` so many times in a row; `most` None: any number."""
        if most is not None and most < least:
            self.source.fail(f"bad range {least}..{most}: the greatest count is below the least", at)
        count = max(least, most or 0)
        if count > MAX_COUNT:
            raise LimitExceeded("max_count", count, MAX_COUNT, self.source.message(f"a count is more than {MAX_COUNT}", at))
        if node in self.bare and most != 0:
            return self.lexeme(self.expr_set.repeat(self.bare[node], least, -1 if most is None else most))
        return self.grammar.repeat(node, least, most)

    def free_text(self, root: int) -> int:
        """An expression that is as it stands."""
        return self.grammar.add("expr", value=(self.expr_set, root))
