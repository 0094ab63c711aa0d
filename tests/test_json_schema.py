"""The JSON Schema front-end on its corpus: verdicts, refusals and contradictions by pointer, options, inputs."""

from __future__ import annotations

import dataclasses
import json
import socket
import sys
import time
import typing
from pathlib import Path

import pytest

import constrain

from .json_schema_judge import corrected, exactly

CORPUS = Path(__file__).parent / "corpus" / "json_schema"
CASES = [(file.stem, case) for file in sorted(CORPUS.glob("*.json")) for case in json.loads(file.read_text(encoding="utf-8"))]


def spell(value: typing.Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{stem}: {case['about']}") for stem, case in CASES])
def test_corpus(case: dict[str, typing.Any]) -> None:
    options = case.get("options", {})
    for kind, error in (
        ("refused", constrain.UnsupportedError),
        ("malformed", constrain.SchemaError),
        ("unsatisfiable", constrain.UnsatisfiableError),
    ):
        if kind in case:
            with pytest.raises(error) as caught:
                constrain.json_schema(case["schema"], **options)
            words = case.get("names", []) if kind != "unsatisfiable" else case[kind]
            assert [w for w in words if w not in str(caught.value)] == []
            if kind == "malformed":
                assert caught.value.pointer == case[kind]  # type: ignore[attr-defined]
            elif kind == "refused":
                assert str(caught.value).split(" at ", 1)[1].split()[0] == case[kind]
            return
    expr = constrain.json_schema(case["schema"], **options)
    assert [v for v in case.get("valid", []) if not expr.matches(spell(v))] == []
    assert [v for v in case.get("invalid", []) if expr.matches(spell(v))] == []
    assert [t for t in case.get("texts", []) if not expr.matches(t)] == []
    assert [t for t in case.get("not_texts", []) if expr.matches(t)] == []
    for text in case.get("dead", []):
        assert expr.explain(text).offset == 0


def test_every_sample_of_the_corpus_is_valid() -> None:
    from jsonschema.validators import validator_for

    for _, case in CASES:
        if "valid" not in case or case.get("options") or "format" in json.dumps(case["schema"]):
            continue
        expr = constrain.json_schema(case["schema"])
        validator = validator_for(case["schema"], default=None) or __import__("jsonschema").Draft202012Validator
        if "exclusiveMinimum\": true" in json.dumps(case["schema"]) or case["about"].startswith("older"):
            continue
        judge = corrected(validator)(exactly(json.dumps(case["schema"])))
        for seed in range(3):
            text = expr.sample(seed)
            assert judge.is_valid(exactly(text)), (case["about"], text)


def test_schema_text_and_its_errors() -> None:
    assert constrain.json_schema('{"type": "integer", "maximum": 5}').matches("5")
    with pytest.raises(constrain.SchemaError, match=r"line 2, column 1"):
        constrain.json_schema('{"type":\n')
    for text in ("[]", "3", "null", '{"maximum": NaN}', ""):
        with pytest.raises(constrain.SchemaError):
            constrain.json_schema(text)
    with pytest.raises(constrain.LimitExceeded, match="depth"):
        constrain.json_schema("[" * 100_000)
    for schema in (None, 5, [1], object()):
        with pytest.raises(constrain.ConstrainError):
            constrain.json_schema(schema)


def test_options_are_checked() -> None:
    for options in ({"whitespace": "wide"}, {"whitespace": -1}, {"formats": "maybe"}, {"escapes": 1}, {"property_order": "z"}):
        with pytest.raises(constrain.ConstrainError, match=next(iter(options))):
            constrain.json_schema({}, **options)


def test_deep_schemas_are_an_answer_or_a_typed_error() -> None:
    schema: typing.Any = {"type": "null"}
    for _ in range(5000):
        schema = {"type": "array", "items": schema}
    start = time.process_time()
    expr = constrain.json_schema(schema)
    assert expr.matches("[" * 5000 + "null" + "]" * 5000)
    assert not expr.matches("[" * 5000 + "1" + "]" * 5000)
    assert time.process_time() - start < 20
    for wrap in (lambda s: {"allOf": [s, {}]}, lambda s: {"not": s}, lambda s: {"properties": {"a": s}}):
        schema = {"type": "null"}
        for _ in range(3000):
            schema = wrap(schema)
        try:
            constrain.json_schema(schema)
        except constrain.LimitExceeded as error:
            assert "depth" in str(error)


def test_python_types() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Line(pydantic.BaseModel):
        name: str
        count: int = 1

    class Order(pydantic.BaseModel):
        lines: list[Line]
        note: str | None = None

    @dataclasses.dataclass
    class Point:
        x: float
        y: float = 0.0

    class Named(typing.TypedDict):
        name: str

    good = {
        Order: {"lines": [{"name": "a", "count": 2}], "note": None},
        Point: {"x": 1.5, "y": 2},
        Named: {"name": "x"},
        list[int]: [1, 2],
        typing.Literal["a", 3]: "a",
    }
    for kind, value in good.items():
        expr = constrain.json_schema(kind)
        assert expr.matches(spell(value)), kind
        assert not expr.matches('{"name": 1}') and not expr.matches("[1.5]")


def test_lenient_warns_and_goes_on() -> None:
    schema = {"type": "array", "items": {"type": "object"}, "uniqueItems": True}
    with pytest.warns(UserWarning, match="'uniqueItems' over arrays or objects is not supported at #"):
        expr = constrain.json_schema(schema, lenient=True)
    assert expr.matches("[{}, {}]") and not expr.matches("[1]")


def test_report() -> None:
    schema = {
        "title": "t",
        "type": "object",
        "properties": {"a/b": {"type": "string", "format": "date"}, "c": {"type": "array", "uniqueItems": True}},
        "x-unknown": 1,
    }
    report = constrain.SchemaReport.of(schema)
    assert "#/properties/a~1b/format" in report.exact and "#/type" in report.exact
    assert report.annotations == ("#/title", "#/x-unknown")
    assert [pointer for pointer, _ in report.refused] == ["#/properties/c/uniqueItems"]
    assert "uniqueItems" in str(report)
    assert "minItems" in constrain.SchemaReport.of({"type": "array", "minItems": 2, "maxItems": 1}).contradiction
    assert "#/properties/a~1b/format" in constrain.SchemaReport.of(schema, formats="annotate").annotations


def test_same_content_is_the_same_expression() -> None:
    """Equal subschemas, wherever they stand, are one node: the schema does not grow with their number."""
    one = {"type": "object", "properties": {"x": {"type": "string", "maxLength": 9}}, "required": ["x"]}
    sizes = []
    for n in (2, 20):
        copies = {f"p{i:02d}": json.loads(json.dumps(one)) for i in range(n)}
        sizes.append(constrain.json_schema({"type": "object", "properties": copies}).set.size())
    assert sizes[1] - sizes[0] < 18 * 12


def test_nothing_heavy_is_imported() -> None:
    import subprocess

    code = (
        "import sys, constrain; constrain.json_schema({'type': 'object', 'properties': {'a': {'$ref': '#/$defs/b'}}, '$defs': {'b': {}}});"
        "print([m for m in ('torch', 'transformers', 'pydantic', 'referencing', 'jsonschema') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_no_socket_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    for ref in ("http://127.0.0.1:9/latest/meta-data", "https://example.org/a.json#/b", "other.json", "urn:x:y"):
        with pytest.raises(constrain.ConstrainError, match="remotes"):
            constrain.json_schema({"$ref": ref})


SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.mark.skipif(not (SHARED / "hostile.jsonl").exists(), reason="../shared/hostile.jsonl is not there")
def test_hostile_schemas() -> None:
    import functools
    import random
    import string

    scope = {"functools": functools, "random": random, "string": string, "json": json}
    for line in (SHARED / "hostile.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record["kind"] != "schema":
            continue
        source = record["input"] if "input" in record else eval(record["gen"], scope)  # noqa: S307
        start = time.process_time()
        try:
            expr = [constrain.json_schema(s) for s in (source if record.get("list_input") else [source])][-1]
        except constrain.ConstrainError as error:
            assert record["expect"] != "ok", (record["id"], error)
            assert any(w in str(error) for w in record.get("must_name", [""])), (record["id"], error)
            assert not any(w in str(error) for w in record.get("must_not_name", [])), (record["id"], error)
        else:
            assert record["expect"] != "error", record["id"]
            assert all(expr.matches(spell(v)) for v in record.get("accept", [])), record["id"]
            assert not any(expr.matches(spell(v)) for v in record.get("reject", [])), record["id"]
        assert time.process_time() - start < record.get("limit_s", 2), record["id"]
