"""The normaliser: what a conjunction of schemas, each asserted or denied, denotes as a disjunction of shapes.

Negation is pushed to the keywords, each of which has a dual: `items` and "contains one that is not", `required` and
"lacks", `properties` and "has it, and not so". Conjunctions merge shapes pairwise; a disjunction is the list of its
cases, at most `MAX_CASES` of them by type. Nothing here descends into children, whose conjunctions stay unread until
someone asks, so work is lazy, memoised by content, and finite. Held by tests/test_json_schema_fuzz.py and tests/corpus/json_schema/booleans.json.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ...errors import UnsatisfiableError
from . import keywords as read
from . import reading
from .numbers import NumberShape, exact, meet_numbers, number_expression
from .reading import Scope, escape
from .session import Session
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
    contradicts,
    join,
    merge_arrays,
    settle_array,
)
from .strings import StringShape, meet_strings, pattern_expression, string_body, string_expression

__all__ = ["Normaliser"]

MAX_CASES = 256
_BOOLEAN = (
    reading.VALUES | reading.REF | reading.DYNAMIC | reading.ALL_OF | reading.ANY_OF | reading.ONE_OF | reading.NOT
    | reading.IF | reading.DEPENDENT | reading.UNEVALUATED
)  # fmt: skip
_NUMERIC_KEYS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


class Cycle(UnsatisfiableError):
    """A schema whose form was asked for while it was being made."""


class Normaliser:
    """Forms of conjunctions, in one session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.keys = read.Keys(session)
        self.keys.pattern_body = lambda pattern: pattern_expression(session, pattern, "patternProperties")
        self.keys.body_of_keys = self._key_bodies
        self.literals: dict[int, Form] = {}
        self.busy: set[int] = set()
        self.possibles: dict[Conjunction, int] = {}
        self.references: dict[tuple[int, str], Conjunction] = {}

    # Conjunctions.

    def form(self, conjunction: Conjunction) -> Form:
        """What a conjunction denotes."""
        known = self.session.forms.get(conjunction)
        if known is None:
            known = ANY
            if contradicts(conjunction):
                self.session.never("'false', or a schema and its negation, allow nothing")
                known = NEVER
            else:
                for literal in sorted(conjunction, key=abs):
                    known = self.meet(known, self.literal(literal), literal)
            self.session.forms[conjunction] = known
        return known

    def literal(self, literal: int) -> Form:
        """What one schema denotes, or its negation."""
        known = self.literals.get(literal)
        if known is not None:
            return known
        schema, scope, where = self.session.schemas[abs(literal)]
        if literal in self.busy:
            raise Cycle(f"json schema: '$ref' at {where} only leads back to itself: a cycle without a value in between")
        self.busy.add(literal)
        try:
            if isinstance(schema, bool):
                known = ANY if schema == (literal > 0) else NEVER
            elif literal > 0:
                known = self.asserted(schema, scope, where)
            else:
                known = self.denied(schema, scope, where)
        finally:
            self.busy.discard(literal)
        self.literals[literal] = known
        return known

    def meet(self, x: Form, y: Form, literal: int = 0) -> Form:
        """The conjunction of two forms."""
        if x is ANY:
            return y
        if y is ANY:
            return x
        return Form(
            x.null and y.null,
            x.booleans & y.booleans,
            self._product(x.numbers, y.numbers, meet_numbers, ANY.numbers, literal),
            self._product(x.strings, y.strings, meet_strings, ANY.strings, literal),
            self._product(x.objects, y.objects, self.keys.merge, ANY.objects, literal),
            self._product(x.arrays, y.arrays, merge_arrays, ANY.arrays, literal),
        )

    def _product(self, xs: Any, ys: Any, merge: Callable[[Any, Any], Any], everything: Any, literal: int) -> Any:
        if not xs or not ys or ys == everything:
            return xs and ys and xs
        if xs == everything:
            return ys
        if len(xs) * len(ys) > 16 * MAX_CASES:
            self._too_many(literal)
        out: list[Any] = []
        for x in xs:
            row: list[Any] = []
            for y in ys:
                z = merge(x, y)
                if isinstance(z, str):
                    self.session.never(z)
                elif z == x:  # y adds nothing to x, so every other case of y is a part of this one
                    row = [x]
                    break
                else:
                    row.append(z)
            out += [z for z in row if z not in out]
        if len(out) > MAX_CASES:
            self._too_many(literal)
        return tuple(out)

    def _too_many(self, literal: int) -> None:
        where = self.session.schemas[abs(literal)][2]
        self.session.refuse(f"a combination of 'anyOf', 'oneOf' or 'not' with more than {MAX_CASES} cases", where)

    # Asserted schemas.

    def asserted(self, schema: dict[str, Any], scope: Scope, where: str) -> Form:
        keywords = scope.keywords
        mask = 0
        for key in schema:
            mask |= keywords.get(key, 0)
        if mask & reading.REF and 0 < scope.draft <= 7:
            return self.form(self.reference(schema, scope, where))
        if mask & reading.IDENTIFIER:
            scope = scope.enter(schema)
        form = self.by_type(schema, mask, scope, where)
        if mask & _BOOLEAN:
            for part in self.boolean_parts(schema, mask, scope, where, _types(form)):
                form = self.meet(form, part, self.session.number(schema, scope, where))
        return form

    def by_type(self, schema: dict[str, Any], mask: int, scope: Scope, where: str) -> Form:
        """The keywords that speak of one type each."""
        session = self.session
        types = read.types_of(session, schema, where) if mask & reading.TYPE else read.ALL_TYPES
        shapes: list[Any] = [(), (), (), ()]
        if types & 12:
            integer = None if types & 8 else True
            shapes[0] = self._one(read.number_shape(session, schema, integer, scope.draft, where), where) if mask & reading.NUMERIC or integer else ANY.numbers
        if types & 16:
            shapes[1] = self._one(read.string_shape(session, schema, mask, where), where)
        if types & 32:
            object_bits = reading.PROPERTIES | reading.REQUIRED | reading.ADDITIONAL | reading.PATTERNS | reading.COUNT | reading.NAMES
            shapes[2] = self._one(read.object_shape(self.keys, schema, scope, where), where) if mask & object_bits else ANY.objects
        if types & 64:
            array_bits = reading.ITEMS | reading.PREFIX | reading.ADDITIONAL_ITEMS | reading.LENGTH_ITEMS | reading.CONTAINS | reading.UNIQUE
            shape = settle_array(read.array_shape(session, schema, scope, where)) if mask & array_bits else None
            shapes[3] = self._one(shape, where) if shape is not None else ANY.arrays
        return Form(bool(types & 1), 3 if types & 2 else 0, *shapes)

    def _one(self, shape: Any, where: str) -> Any:
        if isinstance(shape, str):
            self.session.never(f"{shape} at {where}")
            return ()
        return (shape,)

    def boolean_parts(self, schema: dict[str, Any], mask: int, scope: Scope, where: str, types: int) -> Iterable[Form]:
        """The forms of the keywords that combine schemas or list values; only `types` matter to the caller."""
        session, literal = self.session, self.session.literal
        if mask & reading.REF:
            yield self.form(self.reference(schema, scope, where))
        if mask & reading.DYNAMIC:
            yield self.form(self.dynamic(schema, scope, where))
        if mask & reading.VALUES:
            yield from self.value_forms(schema, scope, where)
        if mask & reading.ALL_OF:
            for i, sub in enumerate(read.schema_list(session, schema, "allOf", where)):
                yield self.form(literal(sub, scope, f"{where}/allOf/{i}"))
        if mask & reading.ANY_OF:
            yield join([self.form(b) for b in self.branches(schema, "anyOf", scope, where)])
        if mask & reading.ONE_OF:
            yield self.exactly_one(self.branches(schema, "oneOf", scope, where), where, types)
        if mask & reading.NOT:
            yield self.form(self.negated(literal(schema["not"], scope, f"{where}/not")))
        if mask & reading.IF:
            yield join(list(self.conditional(schema, scope, where)))
        if mask & reading.DEPENDENT:
            yield from self.dependent(schema, scope, where)
        if mask & reading.UNEVALUATED:
            for keyword in ("unevaluatedProperties", "unevaluatedItems"):
                if keyword in schema and schema[keyword] is not True and schema[keyword] != {}:
                    session.refuse(repr(keyword), where)

    def reference(self, schema: dict[str, Any], scope: Scope, where: str, keyword: str = "$ref") -> Conjunction:
        """The conjunction that a `$ref` stands for."""
        ref = schema[keyword]
        if not isinstance(ref, str):
            raise self.session.malformed(f"'{keyword}'", where, ref, "a string")
        key = (id(scope), ref)
        known = self.references.get(key)
        if known is None:
            target, target_scope, pointer = scope.resolve(ref, where)
            known = self.references[key] = self.session.literal(target, target_scope, pointer)
        return known

    def dynamic(self, schema: dict[str, Any], scope: Scope, where: str) -> Conjunction:
        """`$recursiveRef` and `$dynamicRef`, refused where their target depends on the path that led here."""
        keyword = "$dynamicRef" if "$dynamicRef" in schema else "$recursiveRef"
        target, _, _ = scope.resolve(str(schema[keyword]), where)
        anchor = target.get("$dynamicAnchor" if keyword == "$dynamicRef" else "$recursiveAnchor") if isinstance(target, dict) else None
        if anchor:
            self.session.refuse(repr(keyword), where, " where its target depends on the path that led there")
            return TRUE
        return self.reference(schema, scope, where, keyword)

    def branches(self, schema: dict[str, Any], keyword: str, scope: Scope, where: str) -> list[Conjunction]:
        subs = read.schema_list(self.session, schema, keyword, where)
        return [self.session.literal(sub, scope, f"{where}/{keyword}/{i}") for i, sub in enumerate(subs)]

    def negated(self, conjunction: Conjunction) -> Conjunction:
        """The negation of one schema's conjunction."""
        if not conjunction:
            return FALSE
        (literal,) = conjunction
        return TRUE if literal == 1 else frozenset((-literal,))

    def exactly_one(self, branches: list[Conjunction], where: str, types: int = read.ALL_TYPES) -> Form:
        """Each branch without those others that it may overlap, type by type; only `types` matter to the caller."""
        number = self.session.number({}, self.session.synthetic, where)
        forms = []
        for i, branch in enumerate(branches):
            form = _restricted(self.form(branch), types, NEVER)
            for j, other in enumerate(branches):
                shared = self.possible(branch | other) & types if j != i else 0
                if shared and not form.never:
                    form = self.meet(form, _restricted(self.form(self.negated(other)), shared, ANY), number)
            forms.append(form)
        return join(forms)

    def disjoint(self, x: Conjunction, y: Conjunction) -> bool:
        """Is it certain that no value satisfies both?"""
        return not self.possible(x | y)

    def conditional(self, schema: dict[str, Any], scope: Scope, where: str) -> Iterable[Form]:
        literal = self.session.literal
        condition = literal(schema["if"], scope, f"{where}/if")
        then = literal(schema.get("then", True), scope, f"{where}/then")
        other = literal(schema.get("else", True), scope, f"{where}/else")
        if condition != FALSE:
            yield self.form(condition | then)
        otherwise = self.negated(condition)
        if otherwise != FALSE:
            yield self.form(otherwise | other)
        elif condition == FALSE:
            yield NEVER

    def dependent(self, schema: dict[str, Any], scope: Scope, where: str) -> Iterable[Form]:
        """Either the property is absent, or what depends on it holds."""
        for name, dependency in self.dependencies(schema, scope, where):
            lacks = Form(*ANY[:4], (ObjectShape({name: FALSE}),), ANY.arrays)
            yield join([lacks, dependency])

    def dependencies(self, schema: dict[str, Any], scope: Scope, where: str) -> Iterable[tuple[str, Form]]:
        session = self.session
        for keyword in ("dependentRequired", "dependentSchemas", "dependencies"):
            if keyword not in scope.keywords:
                continue
            for name, value in read.mapping(session, schema, keyword, where).items():
                place = f"{where}/{keyword}/{escape(name)}"
                if isinstance(value, str) and keyword == "dependencies":
                    value = [value]
                if isinstance(value, (list, tuple)) and keyword != "dependentSchemas":
                    names = frozenset(read.required_names(session, {"required": value}, place))
                    yield name, Form(*ANY[:4], (ObjectShape({}, names | {name}),), ANY.arrays)
                elif keyword == "dependentRequired":
                    raise session.malformed(f"{keyword!r}", place, value, "an array of strings")
                else:
                    yield name, self.form(session.literal(value, scope, place))

    # Values.

    def value_forms(self, schema: dict[str, Any], scope: Scope, where: str) -> Iterable[Form]:
        if "enum" in schema:
            values = schema["enum"]
            if not isinstance(values, (list, tuple)):
                raise self.session.malformed("'enum'", where, values, "an array")
            yield self.of_values(values, f"{where}/enum")
        if "const" in schema and "const" in scope.keywords:
            yield self.of_values([schema["const"]], f"{where}/const")

    def of_values(self, values: Iterable[Any], where: str) -> Form:
        """The form of a list of JSON values."""
        null, booleans = False, 0
        numbers, strings = set(), set()
        objects: list[ObjectShape] = []
        arrays: list[ArrayShape] = []
        for value in values:
            if value is None:
                null = True
            elif isinstance(value, bool):
                booleans |= 2 if value else 1
            elif isinstance(value, str):
                strings.add(value)
            elif isinstance(value, dict):
                names = {str(n): self.session.constant(v, where) for n, v in value.items()}
                objects.append(ObjectShape(names, frozenset(names), ((ANY_KEY, FALSE),)))
            elif isinstance(value, (list, tuple)):
                items = tuple(self.session.constant(v, where) for v in value)
                arrays.append(ArrayShape(items, FALSE, len(items), len(items)))
            elif read.is_number(value):
                numbers.add(exact(value))
            else:
                raise self.session.malformed("a value", where, value, "a JSON value")
        if not (null or booleans or numbers or strings or objects or arrays):
            self.session.never(f"'enum' lists no value at {where}")
        return Form(
            null,
            booleans,
            (NumberShape(values=frozenset(numbers)),) if numbers else (),
            (StringShape(values=frozenset(strings)),) if strings else (),
            tuple(objects),
            tuple(arrays),
        )

    # Denied schemas: one case for each way to fail.

    def denied(self, schema: dict[str, Any], scope: Scope, where: str) -> Form:
        keywords = scope.keywords
        mask = 0
        for key in schema:
            mask |= keywords.get(key, 0)
        if mask & reading.REF and 0 < scope.draft <= 7:
            return self.form(self.negated(self.reference(schema, scope, where)))
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
        if types & 16 and mask & (reading.LENGTH | reading.FORMAT):
            yield Form(strings=tuple(self._other_strings(schema, where)))
        if types & 32:
            yield Form(objects=tuple(self._other_objects(schema, mask, scope, where)))
        if types & 64:
            yield Form(arrays=tuple(self._other_arrays(schema, mask, scope, where)))
        if mask & reading.REF:
            yield self.form(self.negated(self.reference(schema, scope, where)))
        if mask & reading.DYNAMIC:
            yield self.form(self.negated(self.dynamic(schema, scope, where)))
        if mask & reading.VALUES:
            yield from (self._without(f, where) for f in self.value_forms(schema, scope, where))
        if mask & reading.ALL_OF:
            for b in self.branches(schema, "allOf", scope, where):
                yield self.form(self.negated(b))
        if mask & reading.ANY_OF:
            yield self._none_of(self.branches(schema, "anyOf", scope, where))
        if mask & reading.ONE_OF:
            branches = self.branches(schema, "oneOf", scope, where)
            yield self._none_of(branches)
            yield from (self.form(x | y) for i, x in enumerate(branches) for y in branches[:i] if not self.disjoint(x, y))
        if mask & reading.NOT:
            yield self.form(literal(schema["not"], scope, f"{where}/not"))
        if mask & reading.IF:
            condition = literal(schema["if"], scope, f"{where}/if")
            for test, branch in ((condition, "then"), (self.negated(condition), "else")):
                yield self.form(test | self.negated(literal(schema.get(branch, True), scope, f"{where}/{branch}")))
        if mask & reading.DEPENDENT:
            yield from self._broken_dependencies(schema, scope, where)
        if mask & reading.UNEVALUATED:
            session.refuse("'unevaluatedProperties' or 'unevaluatedItems' under a negation", where)

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

    def _other_strings(self, schema: dict[str, Any], where: str) -> Iterable[StringShape]:
        low = read.count(self.session, schema, "minLength", where, 0)
        high = read.count(self.session, schema, "maxLength", where, -1)
        if low:
            yield StringShape(max=low - 1)
        if high >= 0:
            yield StringShape(min=high + 1)
        if "pattern" in schema:
            yield StringShape(patterns=frozenset(((schema["pattern"], False),)))
        name = read.asserted_format(self.session, schema, where)
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

    # Emptiness, as far as it can be told without writing anything recursive.

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
            form = self.form(conjunction)
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
        if any(self.empty(x.names[n] if n in x.names else self.keys.value_of(x.classes, n), depth + 1) for n in x.required):
            return True
        open_ = any(1 not in c for _, c in x.classes)
        if not open_ and sum(1 not in c for c in x.names.values()) < x.low:
            return True
        return any(self._lacks_witness(x, w) for w in x.witnesses)

    def _lacks_witness(self, x: ObjectShape, w: Witness) -> bool:
        if any(1 not in c for _, c in x.classes):
            return False
        return all(1 in c or n in w.excluded or not self.keys.holds(w.keys, n) for n, c in x.names.items())

    def empty_array(self, x: ArrayShape, depth: int) -> bool:
        if 0 <= x.high < x.low or any(self.empty(item, depth + 1) for item in x.prefix[: x.low]):
            return True
        if x.low > len(x.prefix) and self.empty(x.rest, depth + 1):
            return True
        return any(c.low > 0 and 0 <= x.high < c.start + c.low for c in x.contains)

    def _key_bodies(self, conjunction: Conjunction) -> int:
        """The string bodies that a conjunction allows."""
        bodies = [string_body(self.session, shape, "propertyNames") for shape in self.form(conjunction).strings]
        return int(self.session.set.union(bodies))


def _types(form: Form) -> int:
    """The bits of the types that a form allows."""
    bits = int(form.null) | (2 if form.booleans else 0) | (12 if form.numbers else 0)
    return bits | (16 if form.strings else 0) | (32 if form.objects else 0) | (64 if form.arrays else 0)


def _restricted(form: Form, types: int, other: Form) -> Form:
    """The form for some types, and another one for the rest."""
    return Form(
        form.null if types & 1 else other.null,
        form.booleans if types & 2 else other.booleans,
        form.numbers if types & 12 else other.numbers,
        form.strings if types & 16 else other.strings,
        form.objects if types & 32 else other.objects,
        form.arrays if types & 64 else other.arrays,
    )
