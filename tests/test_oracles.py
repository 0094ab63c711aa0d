"""Front-ends against engines that share no code with them: `re.fullmatch`, `interegular`, `jsonschema`, MaskBench."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import constrain
from tests.conftest import shared_path

PYTHON = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))

ATOMS = st.sampled_from(
    ["a", "b", ".", r"\d", r"\w", r"\W", r"\s", "[ab]", "[^a]", "[a-c1]", r"\.", "é", "ß", "K", "^", "$", r"\b", r"\B", r"\A", r"\Z", "\n"]
)


def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("|".join).map("(?:{})".format),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "*?", "{,2}"])).map(lambda t: f"(?:{t[0]}){t[1]}"),
        inner.map("(?={})".format),
        inner.map("(?!{})".format),
        inner.map("(?i:{})".format),
        inner.map("({})".format),
    )


TEXTS = ["".join(t) for n in range(4) for t in itertools.product("ab1 \n", repeat=n)] + ["é", "ß", "SS", "k", "K", "K", "a.b", "ſ"]


@PYTHON
@given(pattern=st.recursive(ATOMS, grow, max_leaves=7), flags=st.sampled_from(["", "i", "s", "m", "a", "im"]))
def test_regexes_match_what_re_fullmatch_matches(pattern, flags):
    value = sum(getattr(re, letter.upper()).value for letter in flags)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compiled = re.compile(pattern, value)
        except re.error:
            with pytest.raises(constrain.RegexError):
                constrain.regex(pattern, flags)
            return
    try:
        expr = constrain.regex(pattern, flags)
    except (constrain.UnsupportedError, constrain.LimitExceeded):
        return
    for text in TEXTS:
        assert expr.matches(text) == (compiled.fullmatch(text) is not None), (pattern, flags, text)


REFUSED = [(r"(a)\1", "back-reference", 3), (r"(?P<n>a)(?P=n)", "back-reference", 8)]
MALFORMED = [("(a", 0), ("a)", 1), ("[a", 0), ("*a", 0), ("a{2,1}", 1), (r"\q", 0), ("(?z)a", 0), ("[b-a]", 1)]


@pytest.mark.parametrize(("pattern", "feature", "offset"), REFUSED)
def test_what_cannot_be_exact_is_refused_with_a_caret(pattern, feature, offset):
    with pytest.raises(constrain.UnsupportedError, match=feature) as caught:
        constrain.regex(pattern)
    assert f"offset {offset}" in str(caught.value)
    assert str(caught.value).rstrip().endswith("^")


@pytest.mark.parametrize(("pattern", "offset"), MALFORMED)
def test_malformed_patterns_name_the_place(pattern, offset):
    with pytest.raises(constrain.RegexError) as caught:
        constrain.regex(pattern)
    assert caught.value.span is not None
    assert abs(caught.value.span[0] - offset) <= 1, caught.value


@pytest.mark.parametrize("pattern", [r"(a|b)*abb", r"a{2,4}b?", r"(ab|a)(bc|c)?", r"[^a]b*", r"((a|bb)+c)?", r"a.{1,2}b"])
def test_regular_patterns_agree_with_interegular(pattern):
    interegular = pytest.importorskip("interegular")
    fsm = interegular.parse_pattern(pattern).to_fsm()
    expr = constrain.regex(pattern)
    for n in range(6):
        for letters in itertools.product("abc", repeat=n):
            text = "".join(letters)
            assert expr.matches(text) == fsm.accepts(text), text


# ------------------------------------------------------------------------------------------------- schemas

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-20, 20), st.text("aé\"\\ 1", max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=5,
)


def schemas() -> st.SearchStrategy[object]:
    simple = st.one_of(
        st.builds(lambda t: {"type": t}, st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])),
        st.builds(lambda a, b: {"type": "integer", "minimum": a, "maximum": a + b}, st.integers(-20, 20), st.integers(0, 30)),
        st.builds(lambda a, b: {"type": "string", "minLength": a, "maxLength": a + b}, st.integers(0, 3), st.integers(0, 3)),
        st.builds(lambda v: {"enum": v}, st.lists(VALUES, min_size=1, max_size=3)),
        st.builds(lambda v: {"const": v}, VALUES),
        st.just({"type": "string", "pattern": "^a"}),
        st.booleans(),
    )

    def compound(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
        properties = st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        return st.one_of(
            st.builds(
                lambda p, r, extra: {"type": "object", "properties": p, "required": sorted(r), "additionalProperties": extra},
                properties, st.sets(st.sampled_from("ab"), max_size=2), inner,
            ),  # fmt: skip
            st.builds(lambda i, a, b: {"type": "array", "items": i, "minItems": a, "maxItems": a + b}, inner, st.integers(0, 2), st.integers(0, 2)),
            st.builds(lambda p, i: {"type": "array", "prefixItems": p, "items": i}, st.lists(inner, max_size=2), inner),
            st.builds(lambda p: {"anyOf": p}, st.lists(inner, min_size=1, max_size=3)),
            st.builds(lambda p: {"oneOf": p}, st.lists(inner, min_size=1, max_size=2)),
            st.builds(lambda p: {"allOf": p}, st.lists(inner, min_size=1, max_size=2)),
            st.builds(lambda p: {"not": p}, inner),
        )

    return st.recursive(simple, compound, max_leaves=5)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(schema=schemas(), values=st.lists(VALUES, min_size=1, max_size=8), seed=st.integers(0, 1000))
def test_schemas_give_the_verdicts_of_jsonschema(schema, values, seed):
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(schema)
    try:
        expr = constrain.json_schema(schema)
    except (constrain.UnsupportedError, constrain.LimitExceeded):
        return
    except constrain.UnsatisfiableError:
        assert not any(validator.is_valid(v) for v in values)
        return
    for value in values:
        in_order = json.dumps(value, ensure_ascii=False)
        valid = validator.is_valid(value)
        if expr.matches(in_order):
            assert valid, (schema, value)
        elif valid:  # the documented narrowing: properties come in definition order
            assert "{" in in_order and in_order.count(",") > 0, (schema, value)
    if not expr.is_empty():
        text = expr.sample(seed, max_random_bytes=30)
        assert validator.is_valid(json.loads(text)), (schema, text)


def test_maskbench_sample_has_no_wrong_accept_and_compiles():
    path = shared_path("maskbench", "public.jsonl.gz")
    files = [json.loads(line) for line in gzip.open(path, "rt")][::10]
    compiled, rejected = 0, []
    for file in files:
        try:
            expr = constrain.json_schema(file["schema"])
        except constrain.ConstrainError:
            continue
        compiled += 1
        for test in file["tests"]:
            matches = expr.matches(json.dumps(test["data"], ensure_ascii=False))
            assert test["valid"] or not matches, file["id"]
            if test["valid"] and not matches:
                rejected.append(file["id"])
    assert compiled >= 0.96 * len(files), compiled
    assert len(set(rejected)) <= 0.05 * len(files), rejected
