"""Bad programs get errors of the right type that name the line of the program."""

from __future__ import annotations

import asyncio
import inspect

import pytest

import constrain
from constrain import dsl
from constrain.dsl import (
    ProgramError,
    UnknownCaptureError,
    assistant,
    function,
    gen,
    models,
    one_or_more,
    optional,
    select,
    special_token,
    token_limit,
    user,
)
from tests.dsl.programs import POINT


def lm_of(*texts):
    return models.Mock(list(texts))


def bad_nested_role():
    with user():
        with assistant():
            pass


def bad_reused_role():
    turn = user()
    with turn:
        pass
    with turn:
        pass


def bad_closing_order():
    outer, inner = dsl.block("a"), user()
    outer.__enter__()
    inner.__enter__()
    try:
        outer.__exit__(None, None, None)
    finally:
        inner.__exit__(None, None, None)


def bad_text_behind_a_role():
    with user():
        lm = lm_of() + "hi"
    lm + "more"


def bad_gen_behind_a_role():
    with user():
        lm = lm_of("a") + "hi"
    lm + gen()


def bad_depth():
    node = dsl.string("a")
    for _ in range(3000):
        node = optional("a" + node)
    lm_of("a") + node


def bad_recursion(lm, n=0):
    return lm + function(stateless=True)(bad_recursion)(n + 1)


@function(stateless=True)
def left(lm):
    return lm + select([left() + "a", "b"])


@function
def forgets_to_return(lm):
    lm += "a"


@function(stateless=True)
def reads_a_capture(lm):
    return lm + lm["x"]


@function(stateless=True)
def opens_a_role(lm):
    with user():
        return lm + "a"


ERRORS = [
    (lambda: lm_of()["x"], "no capture 'x'; there are none yet"),
    (lambda: lm_of().set("y", 1)["x"], "no capture 'x'; there are 'y'"),
    (bad_nested_role, "unbalanced roles: role 'assistant' is opened inside role 'user'"),
    (bad_reused_role, "unbalanced roles: role 'user' is opened a second time"),
    (bad_closing_order, "unbalanced roles: block 'a' is closed while role 'user' is open"),
    (bad_text_behind_a_role, "unbalanced roles: something is added behind a closed role"),
    (bad_gen_behind_a_role, "unbalanced roles"),
    (bad_depth, "nest too deep"),
    (lambda: dsl.role("judge"), "the role is 'judge', expected one of"),
    (lambda: select([]), "select: options is empty"),
    (lambda: select("yes"), "select: options is a single str"),
    (lambda: select(["a", 5]), "a part of a program is text or a node, given int 5"),
    (lambda: gen("x", max_tokens=0), "gen: max_tokens is 0, expected a whole number from 1"),
    (lambda: token_limit(gen(), -1), "token_limit: max_tokens is -1"),
    (lambda: token_limit(gen(), None), "token_limit: max_tokens is None"),
    (lambda: gen("x", temperature=-1), "temperature is -1"),
    (lambda: gen("x", regex="(a"), "regex: "),
    (lambda: gen("x", stop=""), "a stop matches the empty text"),
    (lambda: gen("x", stop=5), "gen: stop is 5"),
    (lambda: gen(5), "gen: the name is 5"),
    (lambda: gen("x", save_stop_text=True), "save_stop_text is given without stop"),
    (lambda: gen(list_append=True), "list_append is given without a name"),
    (lambda: dsl.sequence("a", 3, 2), "sequence: min_length is 3 and max_length 2"),
    (lambda: dsl.exactly_n_repeats("a", -1), "exactly_n_repeats: the number of repeats is -1"),
    (lambda: dsl.byte_range(b"b", b"a"), "byte_range"),
    (lambda: dsl.json({"type": "integers"}, "x"), "'integers'"),
    (lambda: dsl.json({"uniqueItems": True, "items": {"type": "array"}}, "x"), "uniqueItems"),
    (lambda: dsl.json(5, "x"), "a schema is an object or a boolean"),
    (lambda: lm_of() + (gen("x") + gen("x", list_append=True)), "the name 'x' is used with list_append and without"),
    (lambda: lm_of("a") + gen("x") + gen("x", list_append=True), "the name 'x' is used for a list of captures"),
    (lambda: lm_of().set("x", 1) + gen("x", list_append=True), "the name 'x' is used for a list of captures"),
    (lambda: lm_of() + 5, "only text and nodes are added to a state, given int"),
    (lambda: f"{gen():>5}", "a node in an f-string takes no format"),
    (lambda: lm_of("a") + one_or_more(gen(max_tokens=3)), "a token limit stands inside a choice"),
    (lambda: lm_of("a") + select([special_token("<|end|>"), "a"]), "the special token '<|end|>' stands inside"),
    (lambda: lm_of("a") + optional(forgets_to_return()), "the stateful function 'forgets_to_return' stands inside"),
    (lambda: lm_of("a") + select([gen(regex="a", temperature=1), gen(regex="b", temperature=2)]), "temperatures 1, 2"),
    (lambda: lm_of("a") + special_token("<|no|>"), "no special token '<|no|>'"),
    (lambda: lm_of() + forgets_to_return(), "it returned NoneType, expected the state lm"),
    (lambda: reads_a_capture(), "'x' cannot be read here"),
    (lambda: opens_a_role(), "opened in a stateless function"),
    (lambda: function(stateless=True)(bad_recursion)(), "it calls itself with ever new arguments"),
    (lambda: lm_of("b") + left(), "left"),
    (lambda: lm_of("x" * 9) + token_limit(select(["x" * 9, "y"]), 3), "not complete after 3 tokens"),
    (lambda: lm_of("maybe") + select(["yes", "no"]), "mock: text 1, 'maybe', is not what the program allows"),
    (lambda: lm_of("a") + gen() + gen(), "the program asks for text 2, and 1 are given"),
    (lambda: models.Mock(5), "mock: texts is 5"),
    (lambda: models.Phi("no/such/folder"), "no checkpoint folder"),
    (lambda: lm_of("a") + gen(regex=r"[^\s\S]"), "no text"),
    (lambda: lm_of("a") + gen("x", max_tokens=5) + 5, "only text and nodes"),
    (lambda: dsl.Model("phi"), "Model takes a language model"),
    (lambda: lm_of('{"x":1}') + dsl.json(POINT, "x"), "is not what the program allows"),
    (lambda: list(lm_of("b").stream() + select(["a"])), "is not what the program allows"),
    (lambda: asyncio.run(lm_of("b").run_async(select(["a"]))), "is not what the program allows"),
]


INSIDE = (reads_a_capture, opens_a_role, bad_recursion)  # functions whose own lines are to blame


def lines_of(part):
    lines, first = inspect.getsourcelines(part)
    return range(first, first + len(lines))


@pytest.mark.parametrize(("bad", "message"), ERRORS, ids=[message[:40] for _, message in ERRORS])
def test_bad_programs_name_their_line(bad, message):
    with pytest.raises(constrain.ConstrainError) as caught:
        bad()
    assert message in str(caught.value)
    path, _, line = caught.value.place.rpartition(":")
    assert path == __file__ and f"\n  at {path}:{line}" in str(caught.value)
    assert any(int(line) in lines_of(part) for part in (bad, *INSIDE))
    assert str(caught.value).count("\n  at ") == 1


def test_the_errors_keep_their_types():
    with pytest.raises(constrain.SchemaError):
        dsl.json({"type": "integers"})
    with pytest.raises(constrain.UnsupportedError):
        dsl.json({"uniqueItems": True, "items": {"type": "array"}})
    with pytest.raises(constrain.RegexError):
        gen(regex="(")
    with pytest.raises(KeyError):
        lm_of()["x"]
    with pytest.raises(UnknownCaptureError):
        lm_of()["x"]
    with pytest.raises(constrain.LimitExceeded):
        lm_of("ab") + token_limit(select(["ab", "cd"]), 1)


def test_a_broken_block_leaves_no_block_open():
    with pytest.raises(ProgramError):
        bad_nested_role()
    with pytest.raises(ProgramError):
        bad_closing_order()
    assert str(lm_of() + "a") == "a"
