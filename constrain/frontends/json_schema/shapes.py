"""The normal form of schemas: per JSON type a disjunction of shapes, each a conjunction that can be written out directly.

A *literal* is a signed schema: `n` the n-th schema that the session has met, `-n` its negation. A *conjunction* is a
frozenset of literals, lazily normalised; the empty one allows everything, `FALSE` nothing. A `Form` is what a
conjunction denotes. Object and array shapes hold conjunctions for their members, so a form never descends into children
and recursion costs nothing here. Method: Attouche et al., "Witness Generation for JSON Schema", VLDB 2022. Held by
tests/test_json_schema_fuzz.py and tests/corpus/json_schema/booleans.json.
"""

from __future__ import annotations

from typing import NamedTuple

from ...errors import UnsatisfiableError
from .numbers import ANY_NUMBER, NumberShape
from .strings import ANY_STRING, StringShape

__all__ = ["ANY", "FALSE", "NEVER", "TRUE", "ArrayShape", "Conjunction", "Cycle", "Either", "Form", "KeyClass", "ObjectShape", "join"]

Conjunction = frozenset[int]
TRUE: Conjunction = frozenset()
FALSE: Conjunction = frozenset((1,))  # the session's first schema is `false`

# A class of keys: a conjunction of ("pattern", text, asserted) and ("keys", literal, True).
KeyClass = frozenset[tuple[str, object, bool]]
ANY_KEY: KeyClass = frozenset()


class Witness(NamedTuple):
    """Some key of a class, none of `excluded`, has a value that satisfies the conjunction."""

    keys: KeyClass
    excluded: frozenset[str]
    value: Conjunction


class ObjectShape(NamedTuple):
    """`names` by definition order; `classes` partition the other keys; `low`/`high` count members (-1: no bound)."""

    names: dict[str, Conjunction]
    required: frozenset[str] = frozenset()
    classes: tuple[tuple[KeyClass, Conjunction], ...] = ((ANY_KEY, TRUE),)
    low: int = 0
    high: int = -1
    witnesses: tuple[Witness, ...] = ()


class Either(NamedTuple):
    """A disjunction of conjunctions: a schema that no text holds."""

    parts: tuple[Conjunction, ...]


class Cycle(UnsatisfiableError):
    """A schema whose form was asked for while it was being made."""


class Counted(NamedTuple):
    """Of the items from place `start` on, at least `low` and at most `high` (-1: any number) satisfy the conjunction."""

    item: Conjunction
    start: int
    low: int
    high: int


class ArrayShape(NamedTuple):
    """`prefix` by place, then `rest`; `low`/`high` count items; `unique`: no two are equal."""

    prefix: tuple[Conjunction, ...] = ()
    rest: Conjunction = TRUE
    low: int = 0
    high: int = -1
    contains: tuple[Counted, ...] = ()
    unique: bool = False


ANY_OBJECT = ObjectShape({})
ANY_ARRAY = ArrayShape()


class Form(NamedTuple):
    """Disjunctions by type; `booleans` has bit 1 for false and bit 2 for true."""

    null: bool = False
    booleans: int = 0
    numbers: tuple[NumberShape, ...] = ()
    strings: tuple[StringShape, ...] = ()
    objects: tuple[ObjectShape, ...] = ()
    arrays: tuple[ArrayShape, ...] = ()

    @property
    def never(self) -> bool:
        return not (self.null or self.booleans or self.numbers or self.strings or self.objects or self.arrays)


ANY = Form(True, 3, (ANY_NUMBER,), (ANY_STRING,), (ANY_OBJECT,), (ANY_ARRAY,))
NEVER = Form()


def join(forms: list[Form]) -> Form:
    """The disjunction."""
    if len(forms) == 1:
        return forms[0]
    null, booleans = any(f.null for f in forms), 0
    for f in forms:
        booleans |= f.booleans
    return Form(
        null,
        booleans,
        _union(ANY_NUMBER, [f.numbers for f in forms]),
        _union(ANY_STRING, [f.strings for f in forms]),
        _union(ANY_OBJECT, [f.objects for f in forms]),
        _union(ANY_ARRAY, [f.arrays for f in forms]),
    )


def _union(everything: object, groups: list[tuple]) -> tuple:  # type: ignore[type-arg]
    out: list[object] = []
    for group in groups:
        for shape in group:
            if shape is everything or shape == everything:
                return (everything,)
            if shape not in out:
                out.append(shape)
    return tuple(out)


def merge_arrays(x: ArrayShape, y: ArrayShape) -> ArrayShape | str:
    """The conjunction, or in words why it is empty."""
    length = max(len(x.prefix), len(y.prefix))
    prefix = tuple(_at(x, i) | _at(y, i) for i in range(length))
    high = x.high if y.high < 0 else y.high if x.high < 0 else min(x.high, y.high)
    merged = ArrayShape(prefix, x.rest | y.rest, max(x.low, y.low), high, tuple(dict.fromkeys(x.contains + y.contains)), x.unique or y.unique)
    return settle_array(merged)


def _at(x: ArrayShape, place: int) -> Conjunction:
    return x.prefix[place] if place < len(x.prefix) else x.rest


def settle_array(x: ArrayShape) -> ArrayShape | str:
    """The shape with its greatest length as small as `false` items make it, or why it is empty."""
    high = x.high
    for place, item in enumerate((*x.prefix, x.rest)):
        if 1 in item:
            high = place if high < 0 else min(high, place)
            break
    if 0 <= high < x.low:
        if high == x.high:
            return f"'minItems' {x.low} is above 'maxItems' {high}"
        return f"'minItems' {x.low} asks for more items than the {high} that are allowed"
    return x if high == x.high else x._replace(high=high)


def contradicts(conjunction: Conjunction) -> bool:
    """Does it hold `false`, or a schema beside its negation?"""
    return 1 in conjunction or any(-n in conjunction for n in conjunction if n > 0)
