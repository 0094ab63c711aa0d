"""Arrays whose items differ: `uniqueItems` over null, booleans, numbers and strings; refused by name over containers.

The core remembers the items that have come and takes them out of the language of the next one, so the texts of equal
values must be known to it: strings keep to their one canonical spelling here, numbers are plain decimals, and 1 equals
1.0. Where places have few values of their own an automaton over the sets of used values finds what leads nowhere.
Equality of containers would need every order of members and every run of white space. Held by
tests/corpus/json_schema/arrays.json and tests/test_json_schema_fuzz.py.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Any

from .numbers import ANY_NUMBER, NumberShape, number_expression
from .shapes import ArrayShape, Conjunction, Form
from .strings import string_body

if TYPE_CHECKING:
    from .writer import Writer

__all__ = ["write_unique"]

MAX_LISTED = 9
MAX_COUNTED = 1000


def write_unique(writer: Writer, shape: ArrayShape, where: str, depth: int) -> int:
    """The items between the brackets; NO_MATCH where none fit, -1 where the keyword was refused and is not enforced."""
    session = writer.session
    forms = [writer.normaliser.form(c) for c in (*shape.prefix, shape.rest)]
    if shape.contains:
        session.refuse("'uniqueItems' beside 'contains'", where)
        return -1
    if any(f.objects or f.arrays for f in forms):
        session.refuse("'uniqueItems' over arrays or objects", where)
        return -1
    counts = [_count(writer, f, shape.low) for f in forms]
    scarce = [n for n in counts[: max(shape.low, 1)] + counts[-1:] if n is not None]
    if shape.prefix and scarce:
        values = [v for f in forms for v in _listed(f) or ()]
        distinct = list({(type(v), v): v for v in values}.values())
        if any(n is not None and n > MAX_LISTED for n in counts) or len(distinct) > MAX_LISTED or None in [_listed(f) for f in forms]:
            session.refuse("'uniqueItems' over places with few values each", where, f" (it is carried out for at most {MAX_LISTED} values in all)")
            return -1
        return _by_sets(writer, shape, distinct, where, depth)
    available = counts[-1]
    if available is not None and available < shape.low and not shape.prefix:
        return session.never(f"'minItems' {shape.low} at {where} is above the {available} different items that there are")
    return _members(writer, shape, forms, where, depth)


def _members(writer: Writer, shape: ArrayShape, forms: list[Form], where: str, depth: int) -> int:
    """Each item remembered by the core. A list may end early, so there is one alternative for each short length."""
    s, layout = writer.set, writer.text.layout(depth)
    items = [s.keyed(item, layout.tail, True) if item else 0 for item in (_scalar(writer, f, where) for f in forms)]
    places = len(shape.prefix)
    parts = [1] if shape.low == 0 else []
    for length in range(max(1, shape.low), places if shape.high < 0 else min(places, shape.high + 1)):
        parts.append(s.members(layout.comma, [(e, 1, 1) for e in items[:length]]))
    if shape.high < 0 or shape.high >= places:
        fixed = [(e, 1, 1) for e in items[:-1]]
        low = max(shape.low, places, 1)
        parts.append(s.members(layout.comma, [*fixed, (items[-1], 0, -1)], -1, low, shape.high))
    return int(s.union(parts))


def _scalar(writer: Writer, form: Form, where: str) -> int:
    """One item, each value in spellings that the core can tell from every other value's."""
    s, text = writer.set, writer.text
    parts = [text.null] if form.null else []
    if form.booleans:
        parts.append((0, text.false, text.true, text.boolean)[form.booleans])
    if ANY_NUMBER in form.numbers:
        parts.append(text.decimal)
    elif form.numbers:
        parts.append(number_expression(s, text, form.numbers, where))
    if form.strings:
        body = s.union([string_body(writer.session, shape, where) for shape in form.strings])
        if writer.session.options.escapes == "any":
            body = s.intersection([body, text.one_spelling])
        parts.append(0 if s.is_empty(body) else s.lexeme(s.concat([text.quote, body, text.quote])))
    return int(s.union(parts))


def _count(writer: Writer, form: Form, wanted: int) -> int | None:
    """How many values a form has, where they are few; None where there are enough for any count that is asked for."""
    total = int(form.null) + form.booleans.bit_count()
    for x in form.numbers:
        n = _count_numbers(x)
        if n is None:
            return None
        total += n
    for shape in form.strings:
        if shape.values is not None:
            total += len(shape.values)
            continue
        n = len(texts) if (texts := enumerate_texts(writer.set, string_body(writer.session, shape, "#"), max(64, wanted))) is not None else None
        if n is None:
            return None
        total += n
    return total


def _count_numbers(x: NumberShape) -> int | None:
    if x.values is not None:
        return len(x.values)
    step = max((m for m, asserted in x.multiples if asserted), default=Fraction(1) if x.integer else None)
    if step is None or x.low is None or x.high is None:
        return None
    n = floor(x.high / step) - ceil(x.low / step) + 1
    return n if n <= MAX_COUNTED else None


def enumerate_texts(s: Any, language: int, limit: int) -> list[bytes] | None:
    """The texts of a language, shortest first; None where there are more than `limit`."""
    found: list[bytes] = []
    level: list[tuple[int, bytes]] = [(language, b"")]
    while level:
        after: list[tuple[int, bytes]] = []
        for state, text in level:
            if s.nullable(state):
                found.append(text)
            live = s.live_bytes(state)
            if len(found) + len(after) + len(live) > limit:
                return None
            after += [(s.step(state, b), text + bytes((b,))) for b in live]
        level = after
    return found


def _listed(form: Form) -> list[Any] | None:
    """The values of a form that lists them."""
    values: list[Any] = ([None] if form.null else []) + [v for bit, v in ((1, False), (2, True)) if form.booleans & bit]
    for group in (form.numbers, form.strings):
        for x in group:
            if x.values is None:  # type: ignore[attr-defined]
                return None
            values += x.values  # type: ignore[attr-defined]
    return values


def _by_sets(writer: Writer, shape: ArrayShape, values: list[Any], where: str, depth: int) -> int:
    """Lists of some values, none twice: a state is the set of values that have been used, whose size is the place."""
    s, layout = writer.set, writer.text.layout(depth)
    constants = [writer.constant(v, where) for v in values]
    done: dict[int, int] = {}
    for used in sorted(range(1 << len(values)), key=lambda u: -u.bit_count()):
        n = used.bit_count()
        parts = [1] if n >= shape.low else []
        if shape.high < 0 or n < shape.high:
            place = shape.prefix[n] if n < len(shape.prefix) else shape.rest
            for i, constant in enumerate(constants):
                item = 0 if used >> i & 1 else _one(writer, constant | place, where, depth)
                if item and done[used | 1 << i]:
                    parts.append(s.concat([item if n == 0 else s.concat([layout.comma, item]), done[used | 1 << i]]))
        done[used] = s.union(parts)
    return int(done[0])


def _one(writer: Writer, item: Conjunction, where: str, depth: int) -> int:
    value = 0 if 1 in item else writer.conjunction(item, where, depth + 1)
    return int(writer.set.concat([value, writer.text.layout(depth).tail])) if value else 0

