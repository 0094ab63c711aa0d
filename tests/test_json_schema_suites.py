"""Ratchets over MaskBench's public sample and the official suite: no wrong accept, and never fewer right than before.

With reasons and compile times: `python benchmarks/json_schema_suites.py`. Numbers only go up: where a run is better than
what is written here, the test says so and the number is to be raised.
"""

from __future__ import annotations

import json
from typing import Any

from benchmarks import json_schema_suites as suites

from .conftest import shared_path

# Groups that are (right, compiled with a wrong reject, refused); wrong rejects are members in another order.
RATCHET = {
    "maskbench": (1145, 39, 16),
    "draft2020-12/required": (280, 8, 95),
    "draft2020-12/optional/format": (17, 1, 10),
}


def ratchet(name: str, groups: list[tuple[str, Any, list[dict[str, Any]]]], **options: Any) -> None:
    result = suites.run(groups, False, **options)
    assert result.get("groups with a wrong accept", 0) == 0, result
    right = result["right"] + result.get("rightly unsatisfiable", 0)
    rejects = result.get("groups with a wrong reject", 0)
    found = (right, rejects, result["groups"] - right - rejects)
    assert found == RATCHET[name], f"{name}: {found}; raise the ratchet if this is better: {json.dumps(result)}"


def test_maskbench() -> None:
    shared_path("maskbench", "public.jsonl.gz")
    ratchet("maskbench", suites.maskbench())


def test_official_suite() -> None:
    shared_path("json-schema-test-suite", "tests")
    ratchet("draft2020-12/required", suites.suite("draft2020-12"), formats="annotate", remotes=suites.remotes())


def test_official_formats() -> None:
    shared_path("json-schema-test-suite", "tests")
    ratchet("draft2020-12/optional/format", suites.suite("draft2020-12", "optional/format"), remotes=suites.remotes())
