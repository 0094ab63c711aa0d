"""Arrays whose items differ: `uniqueItems` over null, booleans, numbers and strings; refused by name over containers.

The core remembers the items that have come and takes them out of the language of the next one, so the texts of equal
values must be known to it: strings keep to their one canonical spelling here, numbers are plain decimals, and 1 equals
1.0. Where places have few values of their own an automaton over the sets of used values finds what leads nowhere.
Equality of containers would need every order of members and every run of white space. Held by
tests/corpus/json_schema/arrays.json and tests/test_json_schema_fuzz.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .numbers import ANY_INTEGER, ANY_NUMBER, number_expression
from .shapes import ArrayShape, Conjunction, Form
from .strings import ANY_STRING, string_body

if TYPE_CHECKING:
    from .writer import Writer

__all__ = ["write_unique"]

MAX_LISTED = 9
MAX_NEEDED = 1000


def write_unique(writer: Writer, shape: ArrayShape, where: str, depth: int) -> int:
    """The items between the brackets; NO_MATCH where none fit, -1 where the keyword was refused and is not enforced."""
    session, s = writer.session, writer.set
    forms = [writer.normaliser.form(c) for c in (*shape.prefix, shape.rest)]
    if shape.contains:
        session.refuse("'uniqueItems' beside 'contains'", where)
        return -1
    if any(f.objects or f.arrays for f in forms):
        session.refuse("'uniqueItems' over arrays or objects", where)
        return -1
    if shape.low > MAX_NEEDED:
        session.refuse(f"'uniqueItems' beside 'minItems' above {MAX_NEEDED}", where)
        return -1
    layout = writer.text.layout(depth)
    items = [s.keyed(_scalar(writer, f, where), layout.tail, f != Form(strings=(ANY_STRING,))) for f in forms]
    if not shape.prefix and not _has(writer, forms[0], items[0], shape.low):
        return session.never(f"'minItems' {shape.low} at {where} is above the number of different items that there are")
    needed = [(i, i + 1) for i in range(min(shape.low, len(shape.prefix)))]  # place, how many different items it must know
    if shape.low > len(shape.prefix):
        needed.append((-1, shape.low))
    if all(_has(writer, forms[i], items[i], n) for i, n in needed):
        return _members(writer, shape, items, depth)
    listed = [_listed(f) for f in forms]
    values = list({(type(v), v): v for each in listed for v in each or ()}.values())
    if None in listed or len(values) > MAX_LISTED:
        session.refuse("'uniqueItems' over places with few values each", where, f" (it is carried out for at most {MAX_LISTED} values in all)")
        return -1
    return _by_sets(writer, shape, values, where, depth)


def _has(writer: Writer, form: Form, item: int, count: int) -> bool:
    """Are there so many different items? Whatever came before, one of them is left then."""
    if count == 0 or _is_plenty(form):
        return True
    return bool(item and writer.set.has_distinct(item, count))


def _is_plenty(form: Form) -> bool:
    """Has the form more than `MAX_NEEDED` values at first sight?"""
    strings = any(x.values is None and not x.patterns and not x.formats and not 0 <= x.max < 2 for x in form.strings)
    return strings or ANY_NUMBER in form.numbers or ANY_INTEGER in form.numbers


def _members(writer: Writer, shape: ArrayShape, items: list[int], depth: int) -> int:
    """Each item remembered by the core. A list may end early, so there is one alternative for each short length."""
    s, comma = writer.set, writer.text.layout(depth).comma
    places = len(shape.prefix)
    parts = [1] if shape.low == 0 else []
    for length in range(max(1, shape.low), places if shape.high < 0 else min(places, shape.high + 1)):
        parts.append(s.members(comma, [(e, 1, 1) for e in items[:length]]))
    if shape.high < 0 or shape.high >= places:
        fixed = [(e, 1, 1) for e in items[:-1]]
        low = max(shape.low, places, 1)
        parts.append(s.members(comma, [*fixed, (items[-1], 0, -1)], -1, low, shape.high))
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

