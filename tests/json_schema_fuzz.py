"""Random schemas over the whole subset, random instances near them, and python-jsonschema as the judge.

    python -m tests.json_schema_fuzz FIRST_SEED COUNT

Verdicts must be equal, up to the one documented narrowing: members in another order than the schema's. What was
rejected is therefore tried again in every order. Samples drawn from the expression must validate, and be JSON.
"""

from __future__ import annotations

import copy
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema

import constrain

NAMES = ["a", "b", "c", "dd"]
PATTERNS = ["^a", "b", "a", "^[ab]+", "1", "^[^x][^x]"]
LEAVES: list[Any] = [True, False, {}, {"type": "integer"}, {"type": "string"}, {"type": ["null", "boolean"]}]
TYPES: list[Any] = ["string", "number", "integer", "object", "array", "null", "boolean", ["string", "object"], ["integer", "array"]]


def random_value(r: random.Random, depth: int = 0) -> Any:
    kind = r.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return None
    if kind == 1:
        return r.choice([True, False])
    if kind == 2:
        return r.randrange(-3, 12)
    if kind == 3:
        return r.choice([0.5, 1.5, 2.0, -1.0, 3.25, 10.0])
    if kind in (4, 5):
        return "".join(r.choice('ab1é"') for _ in range(r.randrange(4)))
    if kind == 6:
        return [random_value(r, depth + 1) for _ in range(r.randrange(4))]
    return {n: random_value(r, depth + 1) for n in NAMES if r.random() < 0.5}


class Schemas:
    """Draws one schema."""

    def __init__(self, r: random.Random) -> None:
        self.r = r

    def draw(self, depth: int = 0) -> Any:
        r = self.r
        if depth > 3 or r.random() < 0.1:
            return copy.deepcopy(r.choice(LEAVES))
        schema: dict[str, Any] = {}
        kinds: list[Callable[[dict[str, Any], int], None]] = [
            self.type, self.string, self.number, self.object, self.array, self.values, self.combined, self.combined,
            self.condition, self.dependent, self.reference, self.contains, self.patterns, self.names, self.counts,
        ]  # fmt: skip
        for kind in r.sample(kinds, r.choice([1, 1, 2, 2, 3])):
            kind(schema, depth)
        return schema

    def document(self) -> Any:
        schema = self.draw()
        if isinstance(schema, dict):
            schema["$defs"] = {"x": self.draw(2), "y": self.draw(2)}
        return schema

    def some(self, schema: dict[str, Any], chance: float, keyword: str, value: Callable[[], Any]) -> None:
        if self.r.random() < chance:
            schema[keyword] = value()

    def type(self, s: dict[str, Any], depth: int) -> None:
        s["type"] = self.r.choice(TYPES)

    def string(self, s: dict[str, Any], depth: int) -> None:
        self.some(s, 0.5, "minLength", lambda: self.r.randrange(3))
        self.some(s, 0.5, "maxLength", lambda: self.r.randrange(4))
        self.some(s, 0.4, "pattern", lambda: self.r.choice(PATTERNS))

    def number(self, s: dict[str, Any], depth: int) -> None:
        self.some(s, 0.5, self.r.choice(["minimum", "exclusiveMinimum"]), lambda: self.r.choice([-2, 0, 1, 2.5, 3]))
        self.some(s, 0.5, self.r.choice(["maximum", "exclusiveMaximum"]), lambda: self.r.choice([-1, 0, 3, 2.5, 9]))
        self.some(s, 0.4, "multipleOf", lambda: self.r.choice([1, 2, 3, 0.5, 1.5, 4]))

    def object(self, s: dict[str, Any], depth: int) -> None:
        self.some(s, 0.8, "properties", lambda: {n: self.draw(depth + 1) for n in NAMES if self.r.random() < 0.5})
        self.some(s, 0.5, "required", lambda: self.r.sample(NAMES, self.r.randrange(3)))
        self.some(s, 0.4, "additionalProperties", lambda: self.r.choice([False, True, self.draw(depth + 1)]))

    def patterns(self, s: dict[str, Any], depth: int) -> None:
        s["patternProperties"] = {p: self.draw(depth + 1) for p in self.r.sample(["^a", "b", "d", "c|d"], self.r.randrange(1, 3))}

    def names(self, s: dict[str, Any], depth: int) -> None:
        fixed: list[Any] = [{"pattern": "^[a-c]"}, {"maxLength": 1}, {"enum": ["a", "b", "zz"]}]
        s["propertyNames"] = self.r.choice([*fixed, self.draw(depth + 1)])

    def counts(self, s: dict[str, Any], depth: int) -> None:
        self.some(s, 0.6, "minProperties", lambda: self.r.randrange(3))
        self.some(s, 0.6, "maxProperties", lambda: self.r.randrange(4))

    def array(self, s: dict[str, Any], depth: int) -> None:
        self.some(s, 0.5, "items", lambda: self.draw(depth + 1))
        self.some(s, 0.3, "prefixItems", lambda: [self.draw(depth + 1) for _ in range(self.r.randrange(1, 3))])
        self.some(s, 0.4, "minItems", lambda: self.r.randrange(3))
        self.some(s, 0.4, "maxItems", lambda: self.r.randrange(4))

    def contains(self, s: dict[str, Any], depth: int) -> None:
        s["contains"] = self.draw(depth + 1)
        self.some(s, 0.3, "minContains", lambda: self.r.randrange(3))
        self.some(s, 0.3, "maxContains", lambda: self.r.randrange(3))

    def values(self, s: dict[str, Any], depth: int) -> None:
        if self.r.random() < 0.5:
            s["enum"] = [random_value(self.r) for _ in range(self.r.randrange(1, 4))]
        else:
            s["const"] = random_value(self.r)

    def combined(self, s: dict[str, Any], depth: int) -> None:
        keyword = self.r.choice(["allOf", "anyOf", "oneOf", "not"])
        s[keyword] = self.draw(depth + 1) if keyword == "not" else [self.draw(depth + 1) for _ in range(self.r.randrange(1, 4))]

    def condition(self, s: dict[str, Any], depth: int) -> None:
        s["if"] = self.draw(depth + 1)
        self.some(s, 0.8, "then", lambda: self.draw(depth + 1))
        self.some(s, 0.8, "else", lambda: self.draw(depth + 1))

    def dependent(self, s: dict[str, Any], depth: int) -> None:
        if self.r.random() < 0.5:
            s["dependentRequired"] = {self.r.choice(NAMES): self.r.sample(NAMES, self.r.randrange(3))}
        else:
            s["dependentSchemas"] = {self.r.choice(NAMES): self.draw(depth + 1)}

    def reference(self, s: dict[str, Any], depth: int) -> None:
        if depth:
            s["$ref"] = self.r.choice(["#/$defs/x", "#/$defs/y"])


def in_some_order(expr: constrain.Expr, value: Any) -> bool:
    """Does the value match with its members in some order?"""
    return any(expr.set.nullable(state) for state in _states(expr.set, expr.root, value))


def _advance(s: Any, state: int, text: str) -> list[int]:
    data = text.encode()
    after, n = s.advance(state, data)
    return [after] if n == len(data) else []


def _states(s: Any, state: int, value: Any) -> Iterator[int]:
    if isinstance(value, dict):
        for opened in _advance(s, state, "{"):
            yield from _members(s, opened, list(value.items()), True)
    elif isinstance(value, list):
        states = _advance(s, state, "[")
        for i, item in enumerate(value):
            before = [after for q in states for after in (_advance(s, q, ", ") if i else [q])]
            states = list(dict.fromkeys(after for q in before for after in _states(s, q, item)))
        for q in states:
            yield from _advance(s, q, "]")
    else:
        yield from _advance(s, state, json.dumps(value, ensure_ascii=False))


def _members(s: Any, state: int, items: list[tuple[str, Any]], first: bool) -> Iterator[int]:
    if not items:
        yield from _advance(s, state, "}")
    for i, (key, value) in enumerate(items):
        head = ("" if first else ", ") + json.dumps(key, ensure_ascii=False) + ": "
        for q in _advance(s, state, head):
            for after in _states(s, q, value):
                yield from _members(s, after, items[:i] + items[i + 1 :], False)


def has_key_twice(text: str) -> bool:
    found: list[bool] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found.append(len({k for k, _ in items}) < len(items))
        return dict(items)

    json.loads(text, object_pairs_hook=pairs)
    return any(found)


def is_beyond_floats(text: str) -> bool:
    """Does a number have more digits than the judge's binary floats can tell apart?"""
    return re.search(r"[0-9]{16}|\.[0-9]{12}|[eE]", text) is not None


def check(seed: int) -> tuple[str, str]:
    """(outcome, what went wrong or ''): one schema, twelve instances, three samples."""
    r = random.Random(seed)
    schema = Schemas(r).document()
    try:
        expr = constrain.json_schema(schema)
    except constrain.UnsatisfiableError as error:
        if "leads back" in str(error):
            return "cycle", ""
        expr = None
    except constrain.UnsupportedError:
        return "refused", ""
    judge = jsonschema.Draft202012Validator(schema)
    try:
        for _ in range(12):
            value = random_value(r)
            text = json.dumps(value, ensure_ascii=False)
            good, found = judge.is_valid(value), expr is not None and expr.matches(text)
            if found and not good:
                return "wrong accept", f"{json.dumps(schema)} accepts {text}"
            if good and not found and (expr is None or not in_some_order(expr, value)):
                return "wrong reject", f"{json.dumps(schema)} rejects {text}"
        for sample in range(3 if expr is not None else 0):
            text = expr.sample(sample)  # type: ignore[union-attr]
            if not judge.is_valid(json.loads(text)) and not has_key_twice(text) and not is_beyond_floats(text):
                return "wrong sample", f"{json.dumps(schema)} makes {text}"
    except RecursionError:
        return "judge recursion", ""
    except BaseException as error:  # the judge's map panics when a recursion error meets it
        if type(error).__name__ != "PanicException":
            raise
        return "judge recursion", ""
    return "unsatisfiable" if expr is None else "right", ""


def main(first: int, count: int) -> int:
    outcomes: Counter[str] = Counter()
    for seed in range(first, first + count):
        outcome, problem = check(seed)
        outcomes[outcome] += 1
        if problem:
            print(f"seed {seed}: {outcome}: {problem}")
    print(dict(outcomes))
    return sum(outcomes[k] for k in ("wrong accept", "wrong reject", "wrong sample"))


if __name__ == "__main__":
    sys.exit(min(1, main(int(sys.argv[1]), int(sys.argv[2]))))
