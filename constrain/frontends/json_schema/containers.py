"""Object and array shapes as expressions: members in their order or in any, items in place, counts by small automata.

Invariants: between two tokens stands exactly one run of white space (see `json_text.Layout`); every container is one
`body` of the core, so borders survive; recursion only happens through the writer that is asked for the members'
values. Automata over counts are written out as expressions from their last state to their first, every loop being a
single state's. Held by tests/corpus/json_schema/ and tests/test_json_schema_fuzz.py.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..json_text import canonical
from .shapes import ANY_KEY, FALSE, ArrayShape, Conjunction, Counted, KeyClass, ObjectShape, Witness
from .unique import write_unique

if TYPE_CHECKING:
    from .writer import Writer

__all__ = ["ObjectWriter", "write_array"]

MAX_STATES = 20_000
MAX_WITNESSES = 4
MAX_LISTED_KEYS = 64
MAX_CASES = 256

Entry = tuple[int, int, int]  # expression, least and greatest count (-1: no bound)


class ObjectWriter:
    """Writes one object at one depth."""

    def __init__(self, writer: Writer, where: str, depth: int) -> None:
        self.writer, self.where, self.depth = writer, where, depth
        self.session = writer.session
        self.layout = writer.text.layout(depth)

    # Entries.

    def key(self, name: str) -> int:
        """The lexeme of one key; NO_MATCH where it has no spelling."""
        known = self.writer.keys.get(name)
        if known is None:
            known = self.writer.keys[name] = self._key(name)
        return known

    def _key(self, name: str) -> int:
        s, text = self.session.set, self.writer.text
        if self.session.options.escapes == "canonical":
            try:
                return s.lexeme(s.literal(b'"%s"' % canonical(name)))
            except UnicodeEncodeError:
                return 0
        return s.lexeme(s.concat([text.quote, self.session.alphabet.text(name), text.quote]))

    def other_key(self, names: list[str], language: int | None) -> int:
        """The lexeme of any key in a language (None: any string) that is none of the names; NO_MATCH where none is."""
        s, text = self.session.set, self.writer.text
        quote = text.quote
        if not names and language is None:
            return text.other_string
        parts = [text.one_spelling] if language is None or self.session.options.escapes == "any" else []
        parts += [language] if language is not None else []
        parts += [s.complement(self.session.alphabet.texts(names))] if names else []
        body = s.intersection(parts)
        if language is not None and s.is_empty(body):
            return 0
        return s.lexeme(s.concat([quote, body, quote]))

    def entry(self, key: int, value: int) -> int:
        """`"key": value` and the white space after it."""
        return self.session.set.concat([key, self.writer.after_key(value, self.depth)]) if key and value else 0

    def open_entry(self, key: int, value: int, is_scarce: bool) -> int:
        """The same for a key that is not known beforehand: no two such keys of one object are equal."""
        return int(self.session.set.keyed(key, self.writer.after_key(value, self.depth), is_scarce)) if key and value else 0

    # Whole objects.

    def shape(self, shape: ObjectShape) -> int:
        """The expression of a shape; NO_MATCH where nothing fits."""
        declared = list(shape.names)
        if any(k for k, _ in shape.classes) or shape.witnesses:
            shape = self._with_few_keys_listed(shape)
        if shape.witnesses:
            parts = [self._one(s, declared, w) for s, w in self._expand(shape)]
            return int(self.session.set.union(parts))
        return self._one(shape, declared, [])

    def _with_few_keys_listed(self, shape: ObjectShape) -> ObjectShape:
        """The shape with the keys of small classes as names of their own: the core does not count how many are left."""
        names, classes = dict(shape.names), []
        for key_class, item in shape.classes:
            few = self._few_keys(key_class, shape.low) if 1 not in item else None
            if few is None:
                classes.append((key_class, item))
                for w in shape.witnesses if 1 not in item else ():
                    few = self._few_keys(key_class | w.keys, shape.low)
                    names.update((n, item) for n in few or () if n not in names)
            else:
                names.update((n, item) for n in few if n not in names)
        return shape._replace(names=names, classes=tuple(classes) or ((ANY_KEY, FALSE),))

    def _few_keys(self, key_class: KeyClass, low: int) -> list[str] | None:
        """The keys of a class; None where there are many."""
        if not key_class:
            return None
        s, text = self.session.set, self.writer.text
        language = self.writer.normaliser.keys.language(key_class)
        if self.session.options.escapes == "any":
            language = s.intersection([language, text.one_spelling])
        found = _enumerate_texts(s, language, max(MAX_LISTED_KEYS, low))
        return None if found is None else [json.loads(b'"%s"' % body) for body in found]

    def _expand(self, shape: ObjectShape) -> list[tuple[ObjectShape, list[Witness]]]:
        """Every way to let a witness be one of the names, or one further key."""
        keys = self.writer.normaliser.keys
        named = dict(shape.names)
        for name in sorted(shape.required.union(*(w.excluded for w in shape.witnesses))):
            if name not in named:  # all of them first, for they are outside the classes from here on
                named[name] = keys.value_of(shape.classes, name)
        cases: list[tuple[ObjectShape, list[Witness]]] = [(shape._replace(names=named, witnesses=()), [])]
        for w in shape.witnesses:
            grown = []
            for case, others in cases:
                names = case.names
                for name, item in names.items():
                    if 1 not in item and name not in w.excluded and keys.holds(w.keys, name):
                        with_name = case._replace(names={**names, name: item | w.value}, required=case.required | {name})
                        grown.append((with_name, others))
                grown.append((case, [*others, w]))
            cases = grown
            if len(cases) > MAX_CASES:
                self.session.refuse("so many properties under a negation", self.where)
                return [(shape._replace(witnesses=()), [])]
        return cases

    def _one(self, shape: ObjectShape, declared: list[str], witnesses: list[Witness]) -> int:
        if len(witnesses) > MAX_WITNESSES:
            self.session.refuse(f"more than {MAX_WITNESSES} negations about unnamed properties of one object", self.where)
            witnesses = []
        entries: list[Entry] = []
        num_ordered = 0
        order = list(dict.fromkeys([*self.ordered(declared), *shape.names, *sorted(shape.required)]))
        for i, name in enumerate(order):
            item = shape.names.get(name)
            if item is None:
                item = self.writer.normaliser.keys.value_of(shape.classes, name)
            value = self.writer.conjunction(item, self.where, self.depth + 1) if 1 not in item else 0
            needed = name in shape.required
            if not value:
                if needed:
                    why = self.session.reason
                    return self.session.never(f"the required property {name!r} at {self.where} cannot exist: {why}")
                continue
            entries.append((self.entry(self.key(name), value), int(needed), 1))
            num_ordered += i < len(declared)
        rest = self._classes(shape, order, ())
        around: list[Entry] = [(rest, 0, -1)] if rest else []
        parts = []
        for groups in _partitions(witnesses):
            found = [self._classes(shape, order, group) for group in groups]
            if all(found):
                parts.append(self.entries([*entries, *around, *((f, 1, 1) for f in found)], num_ordered, shape.low, shape.high))
        return self.session.set.union(parts) or self.session.never(f"no further property may be there as a negation at {self.where} asks")

    def ordered(self, names: list[str]) -> list[str]:
        """Names in the order that `property_order` asks for; those that it does not list keep theirs, behind."""
        order = self.session.options.property_order
        if isinstance(order, str):
            return names
        known = dict.fromkeys(names)
        return list(dict.fromkeys([*(n for n in order if n in known), *names]))

    def _classes(self, shape: ObjectShape, names: list[str], witnesses: tuple[Witness, ...]) -> int:
        """One member whose key is none of the names, by the classes; also satisfying some witnesses."""
        keys, s = self.writer.normaliser.keys, self.session.set
        parts = []
        for key_class, item in shape.classes:
            for w in witnesses:
                key_class, item = key_class | w.keys, item | w.value
            if 1 in item:
                continue
            language = keys.language(key_class) if key_class else None
            if language == 0:
                continue
            key = self.other_key(names, language)
            value = self.writer.conjunction(item, self.where, self.depth + 1) if key else 0
            if value:
                parts.append(self.open_entry(key, value, language is not None))
        return int(s.union(parts)) if parts else 0

    def entries(self, entries: list[Entry], num_names: int, low: int, high: int) -> int:
        """An object with these entries, of which the first are names, and between `low` and `high` of them in all."""
        s, layout = self.session.set, self.layout
        least = sum(e[1] for e in entries)
        most = -1 if any(e[2] < 0 for e in entries) else sum(e[2] for e in entries)
        if 0 <= most < low:
            return self.session.never(f"'minProperties' {low} at {self.where} is above the {most} properties that are allowed")
        if 0 <= high < least:
            return self.session.never(f"'maxProperties' {high} at {self.where} is below the {least} properties that are required")
        num_ordered = 0 if self.session.options.property_order == "any" else num_names
        low = 0 if low <= least else low
        high = -1 if 0 <= most <= high else high
        parts = [layout.empty_object] if layout.empty_object is not None and not least and not low else []
        if parts:
            low = 1
        inner = s.members(layout.comma, entries, num_ordered, low, high)
        parts.append(s.concat([layout.open_object, inner, layout.close_object]))
        return self.writer.body(s.union(parts), self.where)


def _enumerate_texts(s: Any, language: int, limit: int) -> list[bytes] | None:
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


def _partitions(witnesses: list[Witness]) -> list[list[tuple[Witness, ...]]]:
    """Every way to share out some witnesses to members, several to one member or each to its own."""
    ways: list[list[tuple[Witness, ...]]] = [[]]
    for w in witnesses:
        ways = [[*way[:i], (*way[i], w), *way[i + 1 :]] for way in ways for i in range(len(way))] + [[*way, (w,)] for way in ways]
    return ways


def write_array(writer: Writer, shape: ArrayShape, where: str, depth: int) -> int:
    """The expression of an array shape; NO_MATCH where nothing fits."""
    s, layout = writer.session.set, writer.text.layout(depth)
    if shape.unique and not 0 <= shape.high <= 1:
        writer.session.reason = ""
        inner = write_unique(writer, shape, where, depth)
        if inner == 0 and writer.session.reason:
            return 0
        if inner >= 0:
            return _wrap(writer, inner, shape.low == 0, where, depth)
    if shape.contains:
        inner = _automaton(writer, shape, where, depth)
        return _wrap(writer, inner, shape.low == 0 and not any(c.low for c in shape.contains), where, depth)
    items = _items(writer, shape, where, depth)
    if items is None:
        return 0
    if layout.empty_array is None or shape.low:
        return writer.body(s.concat([layout.open_array, items[0], layout.close_array]), where)
    return writer.body(s.union([layout.empty_array, s.concat([layout.open_array, items[1], layout.close_array])]), where)


def _wrap(writer: Writer, inner: int, may_be_empty: bool, where: str, depth: int) -> int:
    """Brackets around items; an indented layout writes the empty array as `[]`."""
    s, layout = writer.session.set, writer.text.layout(depth)
    if not inner:
        return writer.session.never(f"no list of items fits at {where}")
    if layout.empty_array is None or not may_be_empty:
        return writer.body(s.concat([layout.open_array, inner, layout.close_array]), where)
    some = s.intersection([inner, s.concat([s.byte_range(0, 255), 2])])
    return writer.body(s.union([layout.empty_array, s.concat([layout.open_array, some, layout.close_array])]), where)


def _item(writer: Writer, item: Conjunction, where: str, depth: int) -> int:
    """One item and the white space after it."""
    value = 0 if 1 in item else writer.conjunction(item, where, depth + 1)
    return int(writer.session.set.concat([value, writer.text.layout(depth).tail])) if value else 0


def _items(writer: Writer, shape: ArrayShape, where: str, depth: int) -> tuple[int, int] | None:
    """The items between the brackets; and the same without the empty list."""
    s, comma = writer.session.set, writer.text.layout(depth).comma
    low, high, places = shape.low, shape.high, len(shape.prefix)
    rest = _item(writer, shape.rest, where, depth) if high < 0 or high > places else 0
    after = _rest(s, comma, rest, max(0, low - places), high - places if high >= 0 else -1, places == 0)
    if not after:
        writer.session.never(f"'minItems' {low} at {where} cannot be met: {writer.session.reason}")
        return None
    some = after
    for place in range(places - 1, -1, -1):
        item = _item(writer, shape.prefix[place], where, depth) if high < 0 or place < high else 0
        some = s.concat([item if place == 0 else s.concat([comma, item]), after]) if item else 0
        after = some if place < low else s.union([1, some])
        if not after:
            writer.session.never(f"'minItems' {low} at {where} cannot be met: {writer.session.reason}")
            return None
    if not places:
        some = _rest(s, comma, rest, max(1, low), high, True)
    return after, some


def _rest(s: Any, comma: int, item: int, low: int, high: int, first: bool) -> int:
    """Between `low` and `high` further items; the first one without a comma where nothing stands before it."""
    if not item or high == 0:
        return 1 if low == 0 else 0
    more = s.concat([comma, item])
    if not first:
        return int(s.repeat(more, low, high))
    some = s.concat([item, s.repeat(more, max(0, low - 1), high - 1 if high >= 0 else -1)])
    return int(some if low else s.union([1, some]))


State = tuple[int, tuple[int, ...]]


def _automaton(writer: Writer, shape: ArrayShape, where: str, depth: int) -> int:
    """Items with `contains`: a state is a place and how many items have counted so far, both no further than matters."""
    s, session = writer.session.set, writer.session
    bounded = shape.high >= 0
    last = shape.high if bounded else max(len(shape.prefix), shape.low, *(c.start for c in shape.contains), 1)
    caps = [c.high if c.high >= 0 else c.low for c in shape.contains]
    total = last + 1
    for cap in caps:
        total *= cap + 1
    if total > MAX_STATES:
        session.refuse("'contains' with counts so large", where)
        return _items(writer, shape._replace(contains=()), where, depth)[0]  # type: ignore[index]
    states = _states(last, caps)
    done: dict[State, int] = {}
    for state in states:  # later places and greater counts first
        place, counts = state
        groups: dict[State, list[int]] = {}
        if not (bounded and place == last):
            for item, moved in _choices(writer, shape, place, counts):
                value = _item(writer, item, where, depth)
                if value:
                    groups.setdefault((min(place + 1, last), moved), []).append(value)
        comma = writer.text.layout(depth).comma
        accepts = place >= shape.low and all(n >= c.low for n, c in zip(counts, shape.contains, strict=True))
        parts = [1] if accepts else []
        loop = 1
        for target, values in groups.items():
            one = s.union(values)
            step = one if place == 0 else s.concat([comma, one])
            if target == state:
                loop = s.repeat(step, 0, -1)
            else:
                parts.append(s.concat([step, done[target]]))
        done[state] = s.concat([loop, s.union(parts)])
    return int(done[(0, (0,) * len(caps))])


def _states(last: int, caps: list[int]) -> list[State]:
    vectors: list[tuple[int, ...]] = [()]
    for cap in caps:
        vectors = [(*v, n) for v in vectors for n in range(cap, -1, -1)]
    return [(place, v) for place in range(last, -1, -1) for v in sorted(vectors, key=lambda v: (-sum(v), v))]


def _choices(writer: Writer, shape: ArrayShape, place: int, counts: tuple[int, ...]) -> list[tuple[Conjunction, tuple[int, ...]]]:
    """What may stand at a place, split by which of the counted conditions it meets."""
    base = shape.prefix[place] if place < len(shape.prefix) else shape.rest
    choices: list[tuple[Conjunction, tuple[int, ...]]] = [(base, ())]
    for counted, n in zip(shape.contains, counts, strict=True):
        grown = []
        for item, moved in choices:
            grown += [(item | extra, (*moved, m)) for extra, m in _split(writer, counted, place, n)]
        choices = grown
    return choices


def _split(writer: Writer, counted: Counted, place: int, n: int) -> list[tuple[Conjunction, int]]:
    if place < counted.start or (counted.high < 0 and n >= counted.low):
        return [(frozenset(), n)]
    if counted.high < 0:
        return [(frozenset(), n), (counted.item, n + 1)]
    outside = writer.normaliser.negated(counted.item)
    return [(outside, n)] + ([(counted.item, n + 1)] if n < counted.high else [])
