"""Differential fuzzing against python-jsonschema; more of it by `python -m tests.json_schema_fuzz FIRST COUNT`."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.json_schema_fuzz import Case, check, same_wrong, shrunk
from tests.json_schema_judge import exactly, has_key_twice, in_some_order, judge_of


def test_random_schemas_have_the_judges_verdicts() -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(500):
        result = check(seed)
        assert result.problem == "", f"seed {seed}: {result.outcome}"
        outcomes[result.outcome] += 1
    assert outcomes["right"] > 350 and outcomes["refused"] < 40 and outcomes["limit"] < 3, outcomes


@pytest.mark.parametrize(
    ("schema", "text", "good"),
    [
        ({"multipleOf": 0.1}, "0.3", True),
        ({"multipleOf": 0.01}, "1.13", True),
        ({"type": "integer"}, "1.0", True),
        ({"uniqueItems": True}, "[1, true, [1], [true]]", True),
        ({"uniqueItems": True}, "[[1], [true], [1.0]]", False),
        ({"enum": [0]}, "false", False),
        ({"pattern": "a$"}, '"a\\n"', False),
        ({"dependencies": {"a": ["b"]}}, '{"a": 1}', False),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"multipleOf": 0.1}}, "$schema": "https://json-schema.org/draft/2020-12/schema"}, "0.3", True),
        ({"format": "date"}, '"2023-02-29"', False),
    ],
)
def test_the_judge_is_exact(schema: object, text: str, good: bool) -> None:
    assert judge_of(schema, {}).is_valid(exactly(text)) == good


def test_a_wrong_verdict_is_found_and_shrunk() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 2}, "b": True}}
    case = Case.of(schema, {})
    assert isinstance(case, Case) and case.expr is not None
    assert case.wrong('{"b": 1, "a": 3}') == "" and in_some_order(case.expr, {"b": 1, "a": 3})
    blind = case._replace(judge=Case.of({"type": "string"}, {}).judge)  # type: ignore[union-attr]
    assert blind.wrong('{"a": 3}') == "wrong accept" and blind.wrong('"x"') == "wrong reject"
    assert has_key_twice('{"a": [{"b": 1, "b": 1}]}')
    assert not same_wrong("wrong accept")(schema, {}, '{"a": 3}')
    assert shrunk(schema, {"whitespace": 1}, '{"a": 3}', lambda s, o, t: "minimum" in str(s))[0] == {"minimum": 2}
