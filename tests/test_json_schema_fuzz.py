"""Differential fuzzing against python-jsonschema; more of it by `python -m tests.json_schema_fuzz FIRST COUNT`."""

from __future__ import annotations

from collections import Counter

from tests.json_schema_fuzz import check


def test_random_schemas_have_the_judges_verdicts() -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(500):
        outcome, problem = check(seed)
        assert problem == "", f"seed {seed}: {outcome}"
        outcomes[outcome] += 1
    assert outcomes["right"] > 350 and outcomes["refused"] < 10, outcomes
