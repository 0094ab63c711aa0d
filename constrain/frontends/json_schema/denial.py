"""Denied schemas: what fails a schema, as a disjunction of shapes with one case for each way to fail.

Every keyword has a dual: `items` and "contains one that is not", `required` and "lacks", `properties` and "has it, and
not so". Negation never goes deeper than one schema: what stands in a keyword becomes a denied literal.
Held by tests/test_json_schema_fuzz.py and tests/corpus/json_schema/booleans.json.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from . import keywords as read
from . import reading
from .numbers import NumberShape
from .reading import Scope, escape
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
from .strings import StringShape

if TYPE_CHECKING:
    from .normal import Normaliser

__all__ = ["Denial"]


class Denial:
    """The forms of denied schemas, in one session."""

    def __init__(self, normaliser: Normaliser) -> None:
        self.normaliser = normaliser
        self.session = normaliser.session
        self.form, self.meet, self.negated = normaliser.form, normaliser.meet, normaliser.negated

    def denied(self, schema: dict[str, Any], scope: Scope, where: str) -> Form:
        keywords = scope.keywords
        mask = 0
        for key in schema:
            mask |= keywords.get(key, 0)
        if mask & reading.REF and 0 < scope.draft <= 7:
            return self.form(self.negated(self.normaliser.reference(schema, scope, where)))
        if mask & reading.IDENTIFIER:
            scope = scope.enter(schema)
        cases = list(self.failures(schema, mask, scope, where))
        return join(cases) if cases else NEVER

    def failures(self, schema: dict[str, Any], mask: int, scope: Scope, where: str) -> Iterable[Form]:
        session, literal = self.session, self.session.literal
        types = read.ALL_TYPES
        if mask & reading.TYPE:
            types = read.types_of(session, schema, where)
            yield self._other_types(types)
        if types & 12 and mask & reading.NUMERIC:
            yield Form(numbers=tuple(self._other_numbers(schema, scope, where)))
        if types & 16 and mask & (reading.LENGTH | reading.FORMAT | reading.CONTENT):
            yield Form(strings=tuple(self._other_strings(schema, scope, where)))
        if types & 32:
            yield Form(objects=tuple(self._other_objects(schema, mask, scope, where)))
        if types & 64:
            yield Form(arrays=tuple(self._other_arrays(schema, mask, scope, where)))
        if mask & reading.REF:
            yield self.form(self.negated(self.normaliser.reference(schema, scope, where)))
        if mask & reading.DYNAMIC:
            yield self.form(self.negated(self.normaliser.dynamic(schema, scope, where)))
        if mask & reading.VALUES:
            yield from (self._without(f, where) for f in self.normaliser.value_forms(schema, scope, where))
        if mask & reading.ALL_OF:
            for b in self.normaliser.branches(schema, "allOf", scope, where):
                yield self.form(self.negated(b))
        if mask & reading.ANY_OF:
            yield self._none_of(self.normaliser.branches(schema, "anyOf", scope, where))
        if mask & reading.ONE_OF:
            branches = self.normaliser.branches(schema, "oneOf", scope, where)
            yield self._none_of(branches)
            yield from (self.form(x | y) for i, x in enumerate(branches) for y in branches[:i] if not self.normaliser.emptiness.disjoint(x, y))
        if mask & reading.NOT:
            yield self.form(literal(schema["not"], scope, f"{where}/not"))
        if mask & reading.IF:
            condition = literal(schema["if"], scope, f"{where}/if")
            for test, branch in ((condition, "then"), (self.negated(condition), "else")):
                yield self.form(test | self.negated(literal(schema.get(branch, True), scope, f"{where}/{branch}")))
        if mask & reading.DEPENDENT:
            yield from self._broken_dependencies(schema, scope, where)
        if mask & reading.UNEVALUATED:
            yield from self.normaliser.annotations.violations(schema, mask, scope, where)

    def _none_of(self, branches: list[Conjunction]) -> Form:
        form = ANY
        for b in branches:
            form = self.meet(form, self.form(self.negated(b)))
        return form

    def _other_types(self, types: int) -> Form:
        numbers = () if types & 8 else (NumberShape(integer=False),) if types & 4 else ANY.numbers
        return Form(
            not types & 1,
            0 if types & 2 else 3,
            numbers,
            () if types & 16 else ANY.strings,
            () if types & 32 else ANY.objects,
            () if types & 64 else ANY.arrays,
        )

    def _other_numbers(self, schema: dict[str, Any], scope: Scope, where: str) -> Iterable[NumberShape]:
        shape = read.number_shape(self.session, schema, None, scope.draft, where)
        if isinstance(shape, str):
            yield NumberShape()
            return
        if shape.low is not None:
            yield NumberShape(high=shape.low, high_open=not shape.low_open)
        if shape.high is not None:
            yield NumberShape(low=shape.high, low_open=not shape.high_open)
        for step, _ in shape.multiples:
            yield NumberShape(multiples=frozenset(((step, False),)))

    def _other_strings(self, schema: dict[str, Any], scope: Scope, where: str) -> Iterable[StringShape]:
        low = read.count(self.session, schema, "minLength", where, 0)
        high = read.count(self.session, schema, "maxLength", where, -1)
        if low:
            yield StringShape(max=low - 1)
        if high >= 0:
            yield StringShape(min=high + 1)
        if "pattern" in schema:
            yield StringShape(patterns=frozenset(((schema["pattern"], False),)))
        for pattern in read.content_patterns(self.session, schema, where) if "contentEncoding" in scope.keywords else ():
            if pattern != read.BASE64:
                self.session.refuse("the negation of 'contentMediaType'", where)
            yield StringShape(patterns=frozenset(((pattern, False),)))
        name = read.asserted_format(self.session, schema, scope, where)
        if name:
            yield StringShape(formats=frozenset(((name, False),)))

    def _other_objects(self, schema: dict[str, Any], mask: int, scope: Scope, where: str) -> Iterable[ObjectShape]:
        session, literal = self.session, self.session.literal
        properties = read.mapping(session, schema, "properties", where)
        patterns = read.mapping(session, schema, "patternProperties", where)
        for name, sub in properties.items():
            item = self.negated(literal(sub, scope, f"{where}/properties/{escape(name)}"))
            if item != FALSE:
                yield ObjectShape({name: item}, frozenset((name,)))
        for name in read.required_names(session, schema, where):
            yield ObjectShape({name: FALSE})
        for pattern, sub in patterns.items():
            item = self.negated(literal(sub, scope, f"{where}/patternProperties/{escape(pattern)}"))
            if item != FALSE:
                yield ObjectShape({}, witnesses=(Witness(frozenset((("pattern", pattern, True),)), frozenset(), item),))
        if mask & reading.ADDITIONAL:
            item = self.negated(literal(schema["additionalProperties"], scope, f"{where}/additionalProperties"))
            if item != FALSE:
                outside: KeyClass = frozenset(("pattern", p, False) for p in patterns)
                yield ObjectShape({}, witnesses=(Witness(outside, frozenset(properties), item),))
        if mask & reading.COUNT:
            low = read.count(session, schema, "minProperties", where, 0)
            high = read.count(session, schema, "maxProperties", where, -1)
            if low:
                yield ObjectShape({}, high=low - 1)
            if high >= 0:
                yield ObjectShape({}, low=high + 1)
        if mask & reading.NAMES:
            names = self.negated(literal(schema["propertyNames"], scope, f"{where}/propertyNames"))
            if names != FALSE:
                yield ObjectShape({}, witnesses=(Witness(frozenset((("keys", names, True),)) if names else ANY_KEY, frozenset(), TRUE),))

    def _other_arrays(self, schema: dict[str, Any], mask: int, scope: Scope, where: str) -> Iterable[ArrayShape]:
        shape = read.array_shape(self.session, schema, scope, where)
        for place, sub in enumerate(shape.prefix):
            item = self.negated(sub)
            if item != FALSE:
                yield ArrayShape((*(TRUE,) * place, item), low=place + 1)
        item = self.negated(shape.rest)
        if item != FALSE:
            start = len(shape.prefix)
            yield ArrayShape((TRUE,) * start, low=start + 1, contains=(Counted(item, start, 1, -1),))
        if shape.low:
            yield ArrayShape(high=shape.low - 1)
        if shape.high >= 0:
            yield ArrayShape(low=shape.high + 1)
        for counted in shape.contains:
            if counted.low == 1:
                yield ArrayShape(rest=self.negated(counted.item))
            elif counted.low:
                yield ArrayShape(contains=(Counted(counted.item, 0, 0, counted.low - 1),))
            if counted.high >= 0:
                yield ArrayShape(contains=(Counted(counted.item, 0, counted.high + 1, -1),))
        if shape.unique:
            self.session.refuse("'uniqueItems' under a negation", where)

    def _without(self, form: Form, where: str) -> Form:
        """Every value that is none of the listed ones."""
        strings = frozenset(v for shape in form.strings for v in shape.values or ())
        numbers = frozenset(v for shape in form.numbers for v in shape.values or ())
        objects, arrays = ANY, ANY
        for shape in form.objects:
            cases = [ObjectShape({n: frozenset(-c for c in item)}, frozenset((n,))) for n, item in shape.names.items()]
            cases += [ObjectShape({n: FALSE}) for n in shape.names]
            cases.append(ObjectShape({}, witnesses=(Witness(ANY_KEY, frozenset(shape.names), TRUE),)))
            objects = self.meet(objects, Form(objects=tuple(cases)))
        for array in form.arrays:
            length = len(array.prefix)
            cases_ = [ArrayShape((*(TRUE,) * i, frozenset(-c for c in item)), low=i + 1) for i, item in enumerate(array.prefix)]
            cases_ += [ArrayShape(high=length - 1)] if length else []
            cases_.append(ArrayShape(low=length + 1))
            arrays = self.meet(arrays, Form(arrays=tuple(cases_)))
        return Form(
            not form.null,
            3 & ~form.booleans,
            (NumberShape(excluded=numbers),) if numbers else ANY.numbers,
            (StringShape(excluded=strings),) if strings else ANY.strings,
            objects.objects,
            arrays.arrays,
        )

    def _broken_dependencies(self, schema: dict[str, Any], scope: Scope, where: str) -> Iterable[Form]:
        session = self.session
        for keyword in ("dependentRequired", "dependentSchemas", "dependencies"):
            if keyword not in scope.keywords:
                continue
            for name, value in read.mapping(session, schema, keyword, where).items():
                has = Form(objects=(ObjectShape({}, frozenset((name,))),))
                if isinstance(value, (list, tuple)):
                    for other in value:
                        yield self.meet(has, Form(objects=(ObjectShape({other: FALSE}),)))
                else:
                    item = session.literal(value, scope, f"{where}/{keyword}/{escape(name)}")
                    yield self.meet(has, self.form(self.negated(item)))
