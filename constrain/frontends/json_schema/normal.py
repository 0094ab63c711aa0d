"""The normaliser: what a conjunction of schemas, each asserted or denied, denotes as a disjunction of shapes.

Conjunctions merge shapes pairwise; a disjunction is the list of its cases, at most `MAX_CASES` of them by type.
Negation is pushed to the keywords (`denial`); what a schema has looked at is followed in `annotations`; `emptiness` finds
overlaps that cannot be. Nothing here descends into children, whose conjunctions stay unread until
someone asks, so work is lazy, memoised by content, and finite. Held by tests/test_json_schema_fuzz.py and tests/corpus/json_schema/booleans.json.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from . import keywords as read
from . import reading
from .annotations import Annotations
from .denial import Denial
from .emptiness import Emptiness
from .numbers import NumberShape, exact, meet_numbers
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
    Cycle,
    Either,
    Form,
    ObjectShape,
    contradicts,
    join,
    merge_arrays,
    settle_array,
)
from .strings import StringShape, meet_strings, pattern_expression, string_body

__all__ = ["Normaliser"]

MAX_CASES = 256
FEW_CASES = 8  # beyond, cases that cannot be are looked for and left out
_BOOLEAN = (
    reading.VALUES | reading.REF | reading.DYNAMIC | reading.ALL_OF | reading.ANY_OF | reading.ONE_OF | reading.NOT
    | reading.IF | reading.DEPENDENT | reading.UNEVALUATED
)  # fmt: skip
_UNEVALUATED = ("unevaluatedProperties", "unevaluatedItems")


class Normaliser:
    """Forms of conjunctions, in one session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.keys = read.Keys(session)
        self.keys.pattern_body = lambda pattern: pattern_expression(session, pattern, session.pattern_places.get(pattern, "#"))
        self.keys.body_of_keys = self._key_bodies
        self.literals: dict[int, Form] = {}
        self.busy: set[int] = set()
        self.emptiness = Emptiness(self)
        self.denial = Denial(self)
        self.annotations = Annotations(self)
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
            elif isinstance(schema, Either):
                known = self.either(schema, literal > 0)
            elif literal > 0:
                known = self.asserted(schema, scope, where)
            else:
                known = self.denial.denied(schema, scope, where)
        finally:
            self.busy.discard(literal)
        self.literals[literal] = known
        return known

    def either(self, schema: Either, positive: bool) -> Form:
        """A disjunction of conjunctions, or its negation."""
        if positive:
            return join([self.form(part) for part in schema.parts])
        form = ANY
        for part in schema.parts:
            form = self.meet(form, self.form(self.negated(part)))
        return form

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
            out += [z for z in row if z not in out and not (len(out) > FEW_CASES and self.emptiness.is_hopeless(z))]
        if len(out) > FEW_CASES:
            out = [z for z in out if not self.emptiness.is_hopeless(z)]
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
            if mask & reading.REF and scope.draft == reading.LOOSE and schema is not scope.root:
                self.session.refuse("'$ref' beside '$id' without '$schema'", where, " (drafts up to 7 ignore the '$id', later ones do not)")
            scope = scope.enter(schema)
        if mask & reading.UNEVALUATED and any(schema.get(k, True) not in (True, {}) for k in _UNEVALUATED):
            return self.annotations.asserted(schema, mask, scope, where)
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
            shapes[1] = self._one(read.string_shape(session, schema, mask, scope, where), where)
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
        """The conjunction that a `$dynamicRef` or `$recursiveRef` stands for on the path that led here."""
        keyword = "$dynamicRef" if "$dynamicRef" in schema and "$dynamicRef" in scope.keywords else "$recursiveRef"
        ref = schema[keyword]
        if not isinstance(ref, str):
            raise self.session.malformed(f"'{keyword}'", where, ref, "a string")
        return self.session.literal(*scope.resolve_dynamic(ref, keyword, where))

    def branches(self, schema: dict[str, Any], keyword: str, scope: Scope, where: str) -> list[Conjunction]:
        subs = read.schema_list(self.session, schema, keyword, where)
        return [self.session.literal(sub, scope, f"{where}/{keyword}/{i}") for i, sub in enumerate(subs)]

    def negated(self, conjunction: Conjunction) -> Conjunction:
        """The negation of a conjunction."""
        if not conjunction:
            return FALSE
        if 1 in conjunction:
            return TRUE
        return self.session.either([frozenset((-literal,)) for literal in conjunction])

    def exactly_one(self, branches: list[Conjunction], where: str, types: int = read.ALL_TYPES) -> Form:
        """Each branch without those others that it may overlap, type by type; only `types` matter to the caller."""
        number = self.session.number({}, self.session.synthetic, where)
        forms = []
        for i, branch in enumerate(branches):
            form = _restricted(self.form(branch), types, NEVER)
            for j, other in enumerate(branches):
                shared = self.emptiness.possible(branch | other) & types if j != i else 0
                if shared and not form.never:
                    form = self.meet(form, _restricted(self.form(self.negated(other)), shared, ANY), number)
            forms.append(form)
        return join(forms)

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
            yield join([lacks, dependency if isinstance(dependency, Form) else self.form(dependency)])

    def dependencies(self, schema: dict[str, Any], scope: Scope, where: str) -> Iterable[tuple[str, Form | Conjunction]]:
        """The names that something depends on, and what: a form, or the conjunction of a schema."""
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
                    yield name, session.literal(value, scope, place)

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
            (NumberShape(values=frozenset(numbers), plain=self.session.options.integers == "plain"),) if numbers else (),
            (StringShape(values=frozenset(strings)),) if strings else (),
            tuple(objects),
            tuple(arrays),
        )

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
