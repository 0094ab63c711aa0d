"""Can a conjunction be satisfied at all? As far as it can be told without writing anything recursive.

Answers err on one side only: "possible" where nobody knows. Held by tests/test_json_schema_fuzz.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import keywords as read
from .numbers import number_expression
from .shapes import ArrayShape, Conjunction, Cycle, ObjectShape, Witness, contradicts
from .strings import string_expression

if TYPE_CHECKING:
    from .normal import Normaliser

__all__ = ["Emptiness"]


class Emptiness:
    """What is possible, in one session."""

    def __init__(self, normaliser: Normaliser) -> None:
        self.normaliser = normaliser
        self.session = normaliser.session
        self.possibles: dict[Conjunction, int] = {}

    def disjoint(self, x: Conjunction, y: Conjunction) -> bool:
        """Is it certain that no value satisfies both?"""
        return not self.possible(x | y)

    def is_hopeless(self, shape: object) -> bool:
        """Is it certain that nothing has this shape?"""
        try:
            if isinstance(shape, ObjectShape):
                return self.empty_object(shape, 1)
            return isinstance(shape, ArrayShape) and self.empty_array(shape, 1)
        except Cycle:
            return False

    def empty(self, conjunction: Conjunction, depth: int = 0) -> bool:
        """Is it certain that nothing satisfies the conjunction? False where that is not known."""
        return not self.possible(conjunction, depth)

    def possible(self, conjunction: Conjunction, depth: int = 0) -> int:
        """The bits of the types of which some value may satisfy the conjunction; a bit too many where nobody knows."""
        if contradicts(conjunction):
            return 0
        known = self.possibles.get(conjunction)
        if known is not None:
            return known
        if depth > 6 or not conjunction:
            return read.ALL_TYPES
        self.possibles[conjunction] = read.ALL_TYPES
        try:
            form = self.normaliser.form(conjunction)
        except Cycle:
            if not depth:
                raise
            del self.possibles[conjunction]
            return read.ALL_TYPES  # a member of what is being made; nobody knows yet
        result = int(form.null) | (2 if form.booleans else 0)
        if number_expression(self.session.set, self.session.text, form.numbers, "#"):
            result |= 12
        if string_expression(self.session, form.strings, "#"):
            result |= 16
        if any(not self.empty_object(x, depth) for x in form.objects):
            result |= 32
        if any(not self.empty_array(x, depth) for x in form.arrays):
            result |= 64
        self.possibles[conjunction] = result
        return result

    def empty_object(self, x: ObjectShape, depth: int) -> bool:
        if any(self.empty(x.names[n] if n in x.names else self.normaliser.keys.value_of(x.classes, n), depth + 1) for n in x.required):
            return True
        open_ = any(1 not in c for _, c in x.classes)
        if not open_ and sum(1 not in c for c in x.names.values()) < x.low:
            return True
        return any(self._lacks_witness(x, w) for w in x.witnesses)

    def _lacks_witness(self, x: ObjectShape, w: Witness) -> bool:
        if any(1 not in c for _, c in x.classes):
            return False
        return all(1 in c or n in w.excluded or not self.normaliser.keys.holds(w.keys, n) for n, c in x.names.items())

    def empty_array(self, x: ArrayShape, depth: int) -> bool:
        if 0 <= x.high < x.low or any(self.empty(item, depth + 1) for item in x.prefix[: x.low]):
            return True
        if x.low > len(x.prefix) and self.empty(x.rest, depth + 1):
            return True
        return any(c.low > 0 and 0 <= x.high < c.start + c.low for c in x.contains)
