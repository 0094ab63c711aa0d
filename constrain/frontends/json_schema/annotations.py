"""What the keywords of a schema have looked at: `unevaluatedProperties` and `unevaluatedItems`.

A value satisfies a schema in one of several ways (which branches of `anyOf` succeed, which way an `if` goes), and each
way evaluates certain keys and items. `cases` gives the ways as disjoint forms, each with what it evaluates; the
unevaluated keywords then become ordinary shapes, case by case. Branches that evaluate nothing are not told apart.
Source: JSON Schema 2020-12, core, section 11; 2019-09, section 9.3. Held by tests/corpus/json_schema/unevaluated.json.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from . import keywords as read
from . import reading
from .reading import Scope
from .shapes import (
    ANY,
    ANY_KEY,
    FALSE,
    NEVER,
    TRUE,
    ArrayShape,
    Conjunction,
    Counted,
    Form,
    KeyClass,
    ObjectShape,
    Witness,
    join,
)

if TYPE_CHECKING:
    from .normal import Normaliser

__all__ = ["Annotations"]

MAX_WAYS = 256


class Evaluated(NamedTuple):
    """Keys by name, by pattern, or all; items up to a place, those that a `contains` counts, or all."""

    names: frozenset[str] = frozenset()
    patterns: frozenset[str] = frozenset()
    all_keys: bool = False
    num_items: int = 0
    contains: frozenset[Conjunction] = frozenset()
    all_items: bool = False

    def __or__(self, other: Evaluated) -> Evaluated:  # type: ignore[override]
        return Evaluated(
            self.names | other.names,
            self.patterns | other.patterns,
            self.all_keys or other.all_keys,
            max(self.num_items, other.num_items),
            self.contains | other.contains,
            self.all_items or other.all_items,
        )


NOTHING = Evaluated()
Way = tuple[Form, Evaluated]


class Annotations:
    """The ways of the schemas of one session."""

    def __init__(self, normaliser: Normaliser) -> None:
        self.normaliser = normaliser
        self.session = normaliser.session
        self.known: dict[int, list[Way]] = {}
        self.busy: set[int] = set()

    # The unevaluated keywords.

    def asserted(self, schema: dict[str, Any], mask: int, scope: Scope, where: str) -> Form:
        """The form of a schema that has one of them."""
        return join([form for form, _ in self.ways(schema, mask, scope, where)])

    def violations(self, schema: dict[str, Any], mask: int, scope: Scope, where: str) -> Iterable[Form]:
        """What satisfies everything else in the schema and fails one of them."""
        meet, negated = self.normaliser.meet, self.normaliser.negated
        for form, seen in self.adjacent(schema, mask, scope, where):
            keys, items = self.rests(schema, scope, where)
            if keys is not None and not seen.all_keys and negated(keys) != FALSE:
                outside: KeyClass = frozenset(("pattern", p, False) for p in seen.patterns)
                witness = Witness(outside, seen.names, negated(keys))
                yield meet(form, Form(objects=(ObjectShape({}, witnesses=(witness,)),)))
            if items is not None and not seen.all_items and negated(items) != FALSE:
                item = negated(items).union(*(negated(c) for c in seen.contains))
                counted = Counted(item, seen.num_items, 1, -1)
                yield meet(form, Form(arrays=(ArrayShape((TRUE,) * seen.num_items, low=seen.num_items + 1, contains=(counted,)),)))

    def rests(self, schema: dict[str, Any], scope: Scope, where: str) -> tuple[Conjunction | None, Conjunction | None]:
        """What the two keywords ask of keys and of items that nothing has evaluated; None where one is absent."""
        literal = self.session.literal
        keys = items = None
        if "unevaluatedProperties" in schema and "unevaluatedProperties" in scope.keywords:
            keys = literal(schema["unevaluatedProperties"], scope, f"{where}/unevaluatedProperties")
        if "unevaluatedItems" in schema and "unevaluatedItems" in scope.keywords:
            items = literal(schema["unevaluatedItems"], scope, f"{where}/unevaluatedItems")
        return keys, items

    # Ways.

    def of(self, conjunction: Conjunction) -> list[Way]:
        """The ways to satisfy one schema."""
        if not conjunction:
            return [(ANY, NOTHING)]
        (literal,) = conjunction
        known = self.known.get(literal)
        if known is None:
            schema, scope, where = self.session.schemas[literal]
            if not isinstance(schema, dict) or literal in self.busy:
                return [(self.normaliser.form(conjunction), NOTHING)]
            self.busy.add(literal)
            try:
                known = self.of_schema(schema, scope, where)
            finally:
                self.busy.discard(literal)
            self.known[literal] = known
        return known

    def of_schema(self, schema: dict[str, Any], scope: Scope, where: str) -> list[Way]:
        mask = 0
        for key in schema:
            mask |= scope.keywords.get(key, 0)
        if mask & reading.IDENTIFIER:
            scope = scope.enter(schema)
        return self.ways(schema, mask, scope, where)

    def ways(self, schema: dict[str, Any], mask: int, scope: Scope, where: str) -> list[Way]:
        """The ways to satisfy all of a schema."""
        ways = self.adjacent(schema, mask, scope, where)
        keys, items = self.rests(schema, scope, where) if mask & reading.UNEVALUATED else (None, None)
        if keys is not None:
            ways = [(self.normaliser.meet(f, self._other_keys(seen, keys)), seen | Evaluated(all_keys=True)) for f, seen in ways]
        if items is not None:
            ways = [(self.normaliser.meet(f, self._other_items(seen, items)), seen | Evaluated(all_items=True)) for f, seen in ways]
        return self._merged(ways, where)

    def _other_keys(self, seen: Evaluated, rest: Conjunction) -> Form:
        if seen.all_keys or not rest:
            return ANY
        classes: list[tuple[KeyClass, Conjunction]] = [(ANY_KEY, TRUE)]
        for pattern in sorted(seen.patterns):
            classes = self.normaliser.keys.split(classes, ("pattern", pattern, True), TRUE, "#")
        inside = tuple((k, c if any(positive for _, _, positive in k) else rest) for k, c in classes)
        shape = ObjectShape(dict.fromkeys(sorted(seen.names), TRUE), frozenset(), inside)
        return Form(*ANY[:4], (shape,), ANY.arrays)

    def _other_items(self, seen: Evaluated, rest: Conjunction) -> Form:
        if seen.all_items or not rest:
            return ANY
        item = self.session.either([rest, *seen.contains])
        return Form(*ANY[:5], (ArrayShape((TRUE,) * seen.num_items, item),))

    def adjacent(self, schema: dict[str, Any], mask: int, scope: Scope, where: str) -> list[Way]:
        """The ways to satisfy a schema but for its unevaluated keywords."""
        normaliser, literal = self.normaliser, self.session.literal
        ways: list[Way] = [(normaliser.by_type(schema, mask, scope, where), self.own(schema, mask, scope, where))]
        for form in normaliser.boolean_parts(schema, mask & (reading.VALUES | reading.NOT), scope, where, read.ALL_TYPES):
            ways = [(normaliser.meet(f, form), seen) for f, seen in ways]
        if mask & reading.REF:
            ways = self.product(ways, self.of(normaliser.reference(schema, scope, where)), where)
            if 0 < scope.draft <= 7:
                return ways
        if mask & reading.DYNAMIC:
            ways = self.product(ways, self.of(normaliser.dynamic(schema, scope, where)), where)
        if mask & reading.ALL_OF:
            for branch in normaliser.branches(schema, "allOf", scope, where):
                ways = self.product(ways, self.of(branch), where)
        if mask & reading.ANY_OF:
            ways = self.product(ways, self.any_of(normaliser.branches(schema, "anyOf", scope, where), where), where)
        if mask & reading.ONE_OF:
            ways = self.product(ways, self.one_of(normaliser.branches(schema, "oneOf", scope, where), where), where)
        if mask & reading.IF:
            condition = literal(schema["if"], scope, f"{where}/if")
            then = self.of(literal(schema.get("then", True), scope, f"{where}/then"))
            other = self.of(literal(schema.get("else", True), scope, f"{where}/else"))
            both = self.product(self.of(condition), then, where) + self.product(self.failed(condition), other, where)
            ways = self.product(ways, both, where)
        if mask & reading.DEPENDENT:
            ways = self.dependent(ways, schema, scope, where)
        return ways

    def own(self, schema: dict[str, Any], mask: int, scope: Scope, where: str) -> Evaluated:
        """What the keywords that stand in the schema itself evaluate."""
        session, seen = self.session, NOTHING
        if mask & (reading.PROPERTIES | reading.PATTERNS | reading.ADDITIONAL):
            names = frozenset(read.mapping(session, schema, "properties", where))
            patterns = frozenset(read.mapping(session, schema, "patternProperties", where))
            seen |= Evaluated(names, patterns, bool(mask & reading.ADDITIONAL))
        if mask & (reading.ITEMS | reading.PREFIX):
            shape = read.array_shape(session, schema, scope, where)
            whole = isinstance(schema.get("items", ()), (dict, bool)) or ("additionalItems" in schema and isinstance(schema.get("items"), list))
            seen |= Evaluated(num_items=len(shape.prefix), all_items=whole and bool(mask & reading.ITEMS))
        if mask & reading.CONTAINS and "contains" in schema and scope.draft != 2019:
            seen |= Evaluated(contains=frozenset((session.literal(schema["contains"], scope, f"{where}/contains"),)))
        return seen

    def failed(self, conjunction: Conjunction) -> list[Way]:
        form = self.normaliser.form(self.normaliser.negated(conjunction))
        return [] if form.never else [(form, NOTHING)]

    def any_of(self, branches: list[Conjunction], where: str) -> list[Way]:
        """Every set of branches that may hold at once, of those that evaluate something; the others as one."""
        silent = [b for b in branches if self.is_silent(b)]
        telling = [b for b in branches if not self.is_silent(b)]
        ways: list[tuple[Form, Evaluated, bool]] = [(ANY, NOTHING, False)]
        for branch in telling:
            grown = [(f, seen, True) for f, seen in self.product([(f, seen) for f, seen, _ in ways], self.of(branch), where)]
            for form, seen, held in ways:
                for failed, _ in self.failed(branch):
                    grown.append((self.normaliser.meet(form, failed), seen, held))
            ways = [w for w in grown if not w[0].never]
        some = join([self.normaliser.form(b) for b in silent]) if silent else NEVER
        told = [(f, seen) for f, seen, held in ways if held]
        return told + [(self.normaliser.meet(f, some), seen) for f, seen, held in ways if silent and not held]

    def one_of(self, branches: list[Conjunction], where: str) -> list[Way]:
        """Each branch without the others."""
        ways: list[Way] = []
        for i, branch in enumerate(branches):
            own = self.of(branch)
            for j, other in enumerate(branches):
                if i != j and not self.normaliser.emptiness.disjoint(branch, other):
                    own = self.product(own, self.failed(other), where)
            ways += own
        return ways

    def dependent(self, ways: list[Way], schema: dict[str, Any], scope: Scope, where: str) -> list[Way]:
        for name, dependency in self.normaliser.dependencies(schema, scope, where):
            lacks = Form(*ANY[:4], (ObjectShape({name: FALSE}),), ANY.arrays)
            if isinstance(dependency, Form):
                held: list[Way] = [(dependency, NOTHING)]
            else:
                has = Form(objects=(ObjectShape({}, frozenset((name,))),))
                held = self.product([(has, NOTHING)], self.of(dependency), where)
            ways = self.product(ways, [(lacks, NOTHING), *held], where)
        return ways

    def is_silent(self, conjunction: Conjunction) -> bool:
        """Does no way to satisfy the schema evaluate anything?"""
        return all(seen == NOTHING for _, seen in self.of(conjunction))

    def product(self, xs: list[Way], ys: list[Way], where: str) -> list[Way]:
        """Both: one of these ways and one of those."""
        meet = self.normaliser.meet
        return self._merged([(meet(f, g), s | t) for f, s in xs for g, t in ys], where)

    def _merged(self, ways: list[Way], where: str) -> list[Way]:
        """Ways that evaluate the same as one; impossible ones left out."""
        groups: dict[Evaluated, list[Form]] = {}
        for form, seen in ways:
            if not form.never:
                groups.setdefault(seen, []).append(form)
        if len(groups) > MAX_WAYS:
            self.session.refuse(f"'unevaluatedProperties' or 'unevaluatedItems' over more than {MAX_WAYS} combinations of branches", where)
        return [(join(forms), seen) for seen, forms in groups.items()] or [(NEVER, NOTHING)]
