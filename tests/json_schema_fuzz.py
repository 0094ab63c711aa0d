"""Random schemas over the whole vocabulary of draft 2020-12, texts near them, and python-jsonschema as the judge.

    python -m tests.json_schema_fuzz FIRST_SEED COUNT

Each schema comes with random options. Texts: values drawn near the schema, samples of the expression, and changed
samples. Verdicts must be equal, up to the documented narrowings: the order of members (what was rejected is tried again in
every order), one spelling of each string, and numbers with exponents. No accepted text has a key twice. The judge reads
numbers as decimals; where it is known to be wrong tests/json_schema_judge.py corrects it. Failures are shrunk.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import jsonschema

import constrain
from tests.json_schema_draws import Schemas, Values, has_pairs, random_options
from tests.json_schema_judge import (
    Layout,
    exactly,
    has_exponent,
    has_key_twice,
    in_some_order,
    is_beyond_judging,
    judge_of,
    layout_of,
    spell,
)


class Case(NamedTuple):
    """A schema with its options, ready to be asked; `expr` is None where nothing satisfies it."""

    schema: Any
    options: dict[str, Any]
    expr: constrain.Expr | None
    judge: Any

    @classmethod
    def of(cls, schema: Any, options: dict[str, Any]) -> Case | str:
        """The case, or in a word why there is none."""
        try:
            expr = constrain.json_schema(schema, **options)
        except constrain.UnsatisfiableError as error:
            if "leads back" in str(error):
                return "cycle"
            expr = None
        except constrain.UnsupportedError:
            return "refused"
        except constrain.LimitExceeded:
            return "limit"
        except constrain.ConstrainError as error:
            return "malformed" if isinstance(error, constrain.SchemaError) else "crash"
        if expr is not None:
            expr.set.set_limits(64 << 20, 1 << 18, 20_000)
        return cls(schema, options, expr, judge_of(schema, options))

    def wrong(self, text: str) -> str:
        """What is wrong with the verdict on a text, or ''."""
        found = self.expr is not None and self.expr.matches(text)
        try:
            twice = has_key_twice(text)
        except ValueError:
            return "no JSON" if found else ""
        if twice:
            return "key twice" if found else ""
        if is_beyond_judging(text):
            return ""
        value = exactly(text)
        good = self.judge.is_valid(value)
        if found and not good:
            return "wrong accept"
        if good and not found and not has_exponent(text) and not self.otherwise(value):
            return "wrong reject"
        return self._spelling(text, value) if found else ""

    def otherwise(self, value: Any) -> bool:
        """Is the value accepted in the canonical spelling, or in another order where the order is fixed?"""
        if self.expr is None:
            return False
        layout = layout_of(self.options)
        if self.options.get("property_order") == "any":
            return self.expr.matches(spell(value, layout))
        return in_some_order(self.expr, value, layout)

    def _spelling(self, text: str, value: Any) -> str:
        """An accepted text keeps to the options of spelling."""
        if self.options.get("escapes") != "any" and re.findall(r'"(?:[^"\\]|\\.)*"', text) != _strings(value):
            return "wrong spelling"
        if self.options.get("whitespace", "flexible") != "flexible" and not re.search(r"[.0-9]", text):
            return "" if self.options.get("escapes") == "any" or text == spell(value, layout_of(self.options)) else "wrong white space"
        return ""

    def texts(self, r: random.Random, num_near: int, num_samples: int, num_changed: int) -> Iterator[tuple[str, str]]:
        """Kinds of texts, with texts to ask about."""
        values = Values(r, self.schema)
        found = [values.near(self.schema) for _ in range(num_near)]
        for value in found:
            yield "near", self.spelled(value, r)
        for seed in range(num_samples if self.expr is not None else 0):
            assert self.expr is not None
            text = self.expr.sample(seed, r.choice([20, 60, 120]))
            yield "sample", text
            if not is_beyond_judging(text):
                found.append(exactly(text))
        for _ in range(num_changed):
            value = r.choice(found)
            for _ in range(r.choice([1, 1, 2])):
                if not has_pairs(value):
                    value = values.changed(value)
            yield "changed", self.spelled(value, r)

    def spelled(self, value: Any, r: random.Random) -> str:
        layout = layout_of(self.options)
        if layout == Layout() and "whitespace" not in self.options and r.random() < 0.3:
            layout = layout._replace(r=r)
        return spell(value, layout, r if r.random() < 0.1 else None)


def _strings(value: Any) -> list[str]:
    """The strings of a value in their one spelling, in the order of the text."""
    if isinstance(value, str):
        return [json.dumps(value, ensure_ascii=False)]
    if isinstance(value, dict):
        return [text for k, v in value.items() for text in (*_strings(k), *_strings(v))]
    return [text for v in value for text in _strings(v)] if isinstance(value, list) else []


class Result(NamedTuple):
    """What came of one seed; `problem` is '' where all is well."""

    outcome: str
    problem: str = ""
    texts: Counter[str] = Counter()
    case: tuple[Any, dict[str, Any], str] | None = None


def failed(outcome: str, schema: Any, options: dict[str, Any]) -> Result:
    """There was no expression to ask; only a crash is a problem."""
    if outcome != "crash":
        return Result(outcome)
    return Result(outcome, f"crash by {json.dumps(schema)} with {options}", Counter(), (schema, options, ""))


def guarded(call: Callable[[], Any]) -> Any:
    """The result, or None where the judge recursed too deep."""
    try:
        return call()
    except RecursionError:
        return None
    except BaseException as error:  # the judge's map panics when a recursion error meets it
        if type(error).__name__ != "PanicException":
            raise
        return None


def check(seed: int, num_near: int = 10, num_samples: int = 4, num_changed: int = 12) -> Result:
    """One schema and some texts."""
    r = random.Random(seed)
    schema, options = Schemas(r).document(), random_options(r)
    case = Case.of(schema, options)
    if isinstance(case, str):
        return failed(case, schema, options)
    texts: Counter[str] = Counter()

    def run() -> Result:
        try:
            return ask()
        except constrain.LimitExceeded as error:
            return Result("limit", "", texts | Counter({str(error)[:40]: 1}))

    def ask() -> Result:
        for kind, text in case.texts(r, num_near, num_samples, num_changed):
            texts[kind] += 1
            wrong = case.wrong(text)
            if kind == "sample" and case.expr is not None and not case.expr.matches(text):
                wrong = "dead end"
            if wrong:
                problem = f"{wrong} of {text!r} ({kind}) by {json.dumps(schema)} with {options}"
                return Result(wrong, problem, texts, (schema, options, text))
        return Result("unsatisfiable" if case.expr is None else "right", "", texts)

    return guarded(run) or Result("judge recursion", "", texts)


# Shrinking.


def _smaller(value: Any) -> Iterator[Any]:
    """The value with one part left out, or replaced by something simpler."""
    if isinstance(value, dict):
        for key in value:
            yield {k: v for k, v in value.items() if k != key}
        for key, inner in value.items():
            if isinstance(inner, dict):
                yield inner
            for less in _smaller(inner):
                yield {**value, key: less}
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield value[:i] + value[i + 1 :]
            for less in _smaller(inner):
                yield [*value[:i], less, *value[i + 1 :]]
    elif isinstance(value, str) and value:
        yield value[:-1]


def shrunk(schema: Any, options: dict[str, Any], text: str, fails: Callable[[Any, dict[str, Any], str], bool]) -> tuple[Any, dict[str, Any], str]:
    """A smaller schema, fewer options and a smaller text that fail alike."""

    def still(*case: Any) -> bool:
        try:
            return bool(guarded(lambda: fails(*case)))
        except Exception:  # a part was left out that something else needs
            return False

    changed = True
    while changed:
        changed = False
        tries = [(s, options, text) for s in _smaller(schema)] + [(schema, o, text) for o in _smaller(options) if isinstance(o, dict)]
        with suppress(ValueError, ArithmeticError):
            tries += [(schema, options, spell(v, layout_of(options))) for v in _smaller(exactly(text))]
        for case in tries:
            if len(repr(case)) < len(repr((schema, options, text))) and still(*case):
                (schema, options, text), changed = case, True
                break
    return schema, options, text


def same_wrong(kind: str) -> Callable[[Any, dict[str, Any], str], bool]:
    """Does a case fail in the given way?"""

    def fails(schema: Any, options: dict[str, Any], text: str) -> bool:
        jsonschema.Draft202012Validator.check_schema(schema)
        case = Case.of(schema, options)
        if not isinstance(case, Case):
            return case == kind
        if kind == "dead end":
            return case.expr is not None and any(not case.expr.matches(case.expr.sample(seed, 60)) for seed in range(8))
        return case.wrong(text) == kind

    return fails


def main(first: int, count: int) -> int:
    outcomes: Counter[str] = Counter()
    texts: Counter[str] = Counter()
    slow: list[tuple[float, int]] = []
    num_wrong = 0
    for seed in range(first, first + count):
        start = time.perf_counter()
        result = check(seed)
        slow.append((round(time.perf_counter() - start, 2), seed))
        if result.outcome == "limit":
            print(f"seed {seed}: a limit was met")
        outcomes[result.outcome] += 1
        texts += result.texts
        if result.case is not None:
            num_wrong += 1
            schema, options, text = shrunk(*result.case, same_wrong(result.outcome))
            found = {"schema": schema, "options": options, "text": text, "wrong": result.outcome, "seed": seed}
            print(json.dumps(found, ensure_ascii=False), flush=True)
    print(dict(outcomes), dict(texts), "slowest", sorted(slow)[-3:])
    return num_wrong


if __name__ == "__main__":
    sys.exit(min(1, main(int(sys.argv[1]), int(sys.argv[2]))))
