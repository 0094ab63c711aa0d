"""Bad input with its expected outcome, from the shared list: an error of the family that names what is wrong, or an answer."""

from __future__ import annotations

import json
import random
import resource
import string
import time

import pytest

import constrain
from tests.conftest import SHARED

PATH = SHARED / "hostile.jsonl"
CASES = [json.loads(line) for line in PATH.read_text().splitlines()] if PATH.exists() else []
KINDS = {"schema", "regex", "grammar", "choice", "tokenizer"}
CASES = [case for case in CASES if case["kind"] in KINDS]
MAKE = {"schema": constrain.json_schema, "regex": constrain.regex, "grammar": constrain.gbnf, "choice": constrain.choice}


def test_the_shared_list_is_there():
    if not CASES:
        pytest.skip("shared data are absent: hostile.jsonl")
    assert len(CASES) > 30


def input_of(case: dict):
    if "gen" not in case:
        return case["input"]
    import functools
    import gzip
    import math
    import os

    scope = {"json": json, "functools": functools, "string": string, "random": random, "math": math, "gzip": gzip, "os": os}
    return eval(case["gen"], scope)


def check_answer(case: dict, expr: constrain.Expr) -> None:
    spell = json.dumps if case["kind"] == "schema" else str
    for text in case.get("accept", []):
        assert expr.matches(spell(text)), text
    for text in case.get("reject", []):
        assert not expr.matches(spell(text)), text


def check_error(case: dict, error: Exception) -> None:
    message = str(error)
    assert any(word in message for word in case.get("must_name", [message])), message
    assert not any(word in message for word in case.get("must_not_name", [])), message


@pytest.mark.parametrize("case", [c for c in CASES if c["kind"] != "tokenizer"], ids=lambda c: c["id"])
def test_hostile_constraints(case):
    given = input_of(case)
    started, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for one in given if case.get("list_input") else [given]:
        try:
            expr = MAKE[case["kind"]](one)
        except constrain.ConstrainError as error:
            assert case["expect"] != "ok", error
            check_error(case, error)
        else:
            assert case["expect"] != "error", "accepted what has no meaning"
            if not case.get("list_input"):
                check_answer(case, expr)
    # A factor of ten over the limit fails; the limit itself is a benchmark's business on a shared machine.
    assert time.process_time() - started < 10 * case.get("limit_s", 2)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < case.get("limit_mb", 256), f"{grown:.0f} MiB"


@pytest.mark.parametrize("case", [c for c in CASES if c["kind"] == "tokenizer"], ids=lambda c: c["id"])
def test_hostile_tokenizers(case):
    given = case["input"]
    end = given["eos"]
    tokens = [bytes.fromhex(t) for t in given["vocab"]]
    if end is not None:
        tokens[end if end < len(tokens) else -1] = None  # type: ignore[call-overload]

    def compiled() -> constrain.Matcher:
        vocabulary = constrain.Vocabulary(tokens, end_ids=end, size=given.get("logits_width"))
        return constrain.compile(constrain.regex(given["constraint"]["regex"]), vocabulary).matcher()

    if case["expect"] == "error" and "feed" not in given:
        with pytest.raises(constrain.ConstrainError) as caught:
            compiled()
        return check_error(case, caught.value)
    matcher = compiled()
    if "first_mask" in given or "first_mask" in case:
        assert matcher.allowed_tokens() == case.get("first_mask", given.get("first_mask"))
    for token in given.get("feed", []):
        if 0 <= token < matcher.constraint.vocabulary.size:
            assert not matcher.accept_token(token)
        else:
            with pytest.raises(constrain.ConstrainError):
                matcher.accept_token(token)
    if "then_mask" in given:
        assert matcher.allowed_tokens() == given["then_mask"]
    return None
