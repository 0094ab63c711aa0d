"""Ratchets over MaskBench's public sample and the official suite: no wrong accept, and never fewer right than before.

With reasons and compile times: `python benchmarks/json_schema_suites.py`. Numbers only go up: where a run is better than
what is written here, the test says so and the number is to be raised.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks import json_schema_suites as suites

from .conftest import shared_path

# Groups that are (right, compiled with a wrong reject, refused); wrong rejects are members in another order.
RATCHET = {
    "maskbench": (1147, 41, 12),
    "maskbench, any order": (1188, 0, 12),
    "draft2020-12/required": (380, 0, 3),
    "draft2020-12/optional": (49, 1, 0),
    "draft2020-12/optional/format": (25, 3, 0),
    "draft7/required": (254, 0, 3),
    "draft7/optional": (36, 1, 1),
    "draft7/optional/format": (23, 3, 0),
}


def ratchet(name: str, groups: list[tuple[str, Any, list[dict[str, Any]]]], **options: Any) -> None:
    result = suites.run(groups, False, **options)
    assert result.get("groups with a wrong accept", 0) == 0, result
    right = result["right"] + result.get("rightly unsatisfiable", 0)
    rejects = result.get("groups with a wrong reject", 0)
    found = (right, rejects, result["groups"] - right - rejects)
    assert found == RATCHET[name], f"{name}: {found}; raise the ratchet if this is better: {json.dumps(result)}"


@pytest.mark.parametrize("order", ["schema", "any"])
def test_maskbench(order: str) -> None:
    """What the default order rejects is right in any order: the one documented narrowing, and no other."""
    shared_path("maskbench", "public.jsonl.gz")
    ratchet("maskbench" if order == "schema" else "maskbench, any order", suites.maskbench(), property_order=order)


@pytest.mark.parametrize("draft", ["draft2020-12", "draft7"])
@pytest.mark.parametrize("folder", ["", "optional", "optional/format"])
def test_official_suite(draft: str, folder: str) -> None:
    shared_path("json-schema-test-suite", "tests")
    formats = "assert" if folder.endswith("format") else "annotate"
    options = {"formats": formats, "remotes": suites.remotes(), "property_order": "any"}
    ratchet(f"{draft}/{folder or 'required'}", suites.suite(draft, folder), **options)
