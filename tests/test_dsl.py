"""Programs: the suite of tests/dsl on the Mock and on the embedded model; errors name the line; streams; exact captures."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import random
import re
import threading

import pytest

import constrain
from constrain import dsl
from constrain.dsl import (
    ProgramError,
    UnknownCaptureError,
    assistant,
    capture,
    function,
    gen,
    models,
    one_or_more,
    optional,
    regex,
    select,
    special_token,
    system,
    token_limit,
    user,
    with_temperature,
    zero_or_more,
)
from constrain.dsl.captures import read
from constrain.dsl.grammar import expression
from constrain.dsl.steps import Run, steps_of
from tests.dsl.programs import POINT, PROGRAMS

IDS = [program.run.__name__ for program in PROGRAMS]


# ---------------------------------------------------------------- the suite


@pytest.mark.parametrize("program", PROGRAMS, ids=IDS)
def test_programs_on_the_mock(program):
    lm = program.run(models.Mock(program.texts))
    assert str(lm) == program.text
    assert {name: lm[name] for name in lm._names()} == program.captures


@pytest.mark.parametrize("program", [one for one in PROGRAMS if "fork" not in one.run.__name__], ids=lambda one: one.run.__name__)
def test_programs_stream_what_they_write(program):
    @function
    def whole(lm):
        return program.run(lm)

    stream = models.Mock(program.texts).stream() + whole()
    pieces = list(stream)
    assert str(stream.lm) == program.text == "".join(pieces)
    assert all(stream.lm[name] == value for name, value in program.captures.items())


def test_the_suite_is_large():
    assert len(PROGRAMS) >= 60
    assert sum(bool(program.form) for program in PROGRAMS) >= 12


@pytest.fixture(scope="module")
def phi():
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    return models.Phi(max_tokens=60)


@pytest.mark.parametrize("program", [one for one in PROGRAMS if one.form], ids=lambda one: one.run.__name__)
def test_programs_on_the_embedded_model(phi, program):
    lm = program.run(phi + "Go on:\n")
    for name, pattern in program.form.items():
        values = lm[name] if isinstance(lm[name], list) else [lm[name]]
        for value in values:
            assert re.fullmatch(pattern, str(value), re.S), (name, value)


def test_a_chat_has_the_ids_of_phis_template(phi):
    with system():
        lm = phi + "Be brief."
    with user():
        lm += " Hi "
        lm += "there."
    with assistant():
        lm += ""
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " Hi there."}]
    assert list(lm._flushed()._state.ids) == phi._engine.lm.backend.chat_ids(messages)


def test_turns_of_the_embedded_model_begin_with_its_dummy_prefix(phi):
    with user():
        lm = phi + "Hi"
    with assistant():
        lm += "Well, " + gen("x", regex="[a-z]{3}")
        lm += select([" yes", " no"], name="y")
    assert str(lm).endswith(f"<|assistant|>\nWell, {lm['x']}{lm['y']}<|end|>\n")
    assert phi._engine.lm.vocabulary.decode(lm._state.ids).endswith(f" Well, {lm['x']}{lm['y']}".encode())


def test_seeds_make_sampling_repeatable(phi):
    sampled = {
        str(dsl.Model(phi._engine.lm, seed=seed) + "a" + gen(regex="[a-z]{12}", temperature=2.0)) for seed in (1, 1, 2)
    }
    assert len(sampled) == 2


# ---------------------------------------------------------------- runs


def runs(node):
    return [step for step in steps_of(node) if isinstance(step, Run)]


def test_consecutive_parts_are_one_run():
    node = "a " + gen("x", regex="[0-9]+") + " b " + select(["c", "d"], name="y") + gen(stop=".") + " e"
    assert len(runs(node)) == 1
    assert len(runs(with_temperature(node, 0.5))) == 1
    assert len(runs(gen(regex="a", temperature=1) + gen(regex="b", temperature=1.0))) == 1


@pytest.mark.parametrize(
    "node",
    [
        lambda: gen(regex="a", temperature=1) + gen(regex="b"),
        lambda: gen(regex="a", max_tokens=3) + gen(regex="b"),
        lambda: gen(regex="a") + gen(),
        lambda: gen(regex="a") + special_token("<|end|>") + gen(regex="b"),
        lambda: capture(gen("x", max_tokens=3) + select(["a", "b"]), "y"),
        lambda: token_limit(gen(regex="a"), 3) + token_limit(gen(regex="b"), 3),
    ],
)
def test_what_must_be_apart_is_two_runs(node):
    assert len(runs(node())) == 2


def test_settings_reach_the_runs():
    (run,) = runs(with_temperature(token_limit(gen(regex="a", temperature=0.5) + "b", 7), 0.9))
    assert (run.temperature, run.max_tokens) == (0.5, 7)
    (run,) = runs(with_temperature(select(["a", "b"]), 0.9))
    assert (run.temperature, run.max_tokens) == (0.9, None)


# ---------------------------------------------------------------- captures, against Python's re

NODES = [
    (lambda: capture(zero_or_more("a"), "x") + capture(optional("b"), "y") + zero_or_more("a"), "(?P<x>a*)(?P<y>b?)a*"),
    (lambda: select([capture("a", "x") + "b", "a" + capture("b", "y")]), "(?P<x>a)b|a(?P<y>b)"),
    (lambda: zero_or_more(capture(select(["a", "ab", "b"]), "x")), "(?P<x>a|ab|b)*"),
    (lambda: zero_or_more(capture(select(["ab", "b", "a"]), "x") + optional("b")), "(?:(?P<x>ab|b|a)b?)*"),
    (lambda: one_or_more(capture("a" | dsl.string("b"), "x")) + capture(one_or_more("b"), "y"), "(?P<x>a|b)+(?P<y>b+)"),
    (lambda: regex("a*b?", "x") + regex("[ab]*", "y"), "(?P<x>a*b?)(?P<y>[ab]*)"),
    (lambda: gen("x", stop="b") + regex("[ab]*", "y"), "(?P<x>a*?)b(?P<y>[ab]*)"),
    (lambda: dsl.sequence(capture("a" | dsl.string("ab"), "x"), 1, 2) + capture(zero_or_more("b"), "y"), "(?P<x>a|ab){1,2}(?P<y>b*)"),
]


@pytest.mark.parametrize(("node", "pattern"), NODES, ids=[pattern for _, pattern in NODES])
def test_captures_are_those_of_a_backtracking_regex(node, pattern):
    """All texts to length 7 over {a, b}: the same texts match, with the same groups."""
    node = node()
    expr = expression(node)
    for length in range(8):
        for letters in itertools.product("ab", repeat=length):
            text = "".join(letters)
            found, wanted = read(node, text.encode()), re.fullmatch(pattern, text)
            assert expr.matches(text) == (found is not None) == (wanted is not None), text
            if found is not None and wanted is not None:
                spans = {label.name: text[start:end] for label, start, end in found.captures}
                assert spans == {name: group for name, group in wanted.groupdict().items() if group is not None}, text


def random_node(rng, depth, names):
    """A node, a pattern that should capture alike, and whether it matches the empty text."""
    kind = rng.random()
    if depth == 0 or kind < 0.25:
        text = rng.choice(["a", "b", "ab", "ba", "aa"])
        return dsl.string(text), text, False
    if kind < 0.35:
        pattern = rng.choice(["a*", "[ab]b?", "b+", "a?b"])
        return regex(pattern), f"(?:{pattern})", pattern == "a*"
    if kind < 0.7:
        parts = [random_node(rng, depth - 1, names) for _ in range(rng.randint(2, 3))]
        nodes, patterns, empties = zip(*parts)
        if kind < 0.55:
            return sum(nodes[1:], nodes[0]), "".join(f"(?:{one})" for one in patterns), all(empties)
        return select(nodes), "(?:" + "|".join(patterns) + ")", any(empties)
    node, pattern, is_empty = random_node(rng, depth - 1, names)
    if kind < 0.85:
        if is_empty:  # what re captures in the last, empty turn of a repeat is a thing of its own
            return node, pattern, True
        low, high = rng.choice([(0, 1), (0, None), (1, None), (2, 2), (1, 3), (0, 2)])
        return dsl.sequence(node, low, high), f"(?:{pattern}){{{low},{'' if high is None else high}}}", low == 0
    names.append(f"g{len(names)}")
    name = names[-1]
    return capture(node, name), f"(?P<{name}>{pattern})", is_empty


@pytest.mark.parametrize("seed", range(150))
def test_captures_of_random_nodes_are_those_of_a_backtracking_regex(seed):
    node, pattern, _ = random_node(random.Random(seed), 4, [])
    expr = expression(node)
    for length in range(7):
        for letters in itertools.product("ab", repeat=length):
            text = "".join(letters)
            found, wanted = read(node, text.encode()), re.fullmatch(pattern, text)
            assert expr.matches(text) == (found is not None) == (wanted is not None), (pattern, text)
            if found is not None and wanted is not None:
                spans = {label.name: (start, end) for label, start, end in found.captures}
                groups = {name: wanted.span(name) for name, group in wanted.groupdict().items() if group is not None}
                assert spans == groups, (pattern, text)


def test_nodes_are_shared_between_threads():
    node = zero_or_more(select([gen("x", stop=","), "no;"])) + regex("[a-z]+", "y")
    wrong = []

    def work(n):
        for _ in range(20):
            lm = models.Mock(f"a{n},no;b{n},end") + node
            if (lm["x"], lm["y"]) != (f"no;b{n}", "end"):
                wrong.append(str(lm))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_cut_text_closes_its_captures():
    node = capture("(" + gen("x", stop=")") + gen("y", stop="."), "all")
    cut = read(node, b"(ab", is_cut=True)
    assert cut is not None
    assert [(label.name, start, end) for label, start, end in cut.captures] == [("x", 1, 3), ("all", 0, 3)]


def test_reading_a_long_text_takes_time_in_its_length():
    item = regex("[a-z]+", "word", list_append=True) + select([" ", ", ", "; "])
    text = "word, other; and " * 1500
    found = read(zero_or_more(item), text.encode())
    assert found is not None and len(found.captures) == 4500


# ---------------------------------------------------------------- streams and async


def test_a_stream_gives_pieces_and_the_state_behind_it():
    stream = models.Mock(["tw", "b"]).stream() + "Say: " + gen("x") + " " + select(["a", "b"], name="y")
    with pytest.raises(ProgramError, match="has not ended"):
        _ = stream.lm
    assert list(stream)[:3] == ["Say: ", "t", "w"]
    assert (stream.lm["x"], stream.lm["y"]) == ("tw", "b")


def test_a_stream_that_is_left_stops_its_program():
    before = threading.active_count()
    for piece in models.Mock(["x" * 100_000]).stream() + gen():
        assert piece == "x"
        break
    for _ in range(500):
        if threading.active_count() <= before:
            break
        threading.Event().wait(0.02)
    assert threading.active_count() <= before


def test_a_role_reaches_into_the_streams_thread():
    with assistant():
        stream = models.Mock("hi").stream() + gen("x")
        assert "".join(stream) == "<|assistant|>\nhi"
    assert str(stream.lm) == "<|assistant|>\nhi<|end|>\n"


def test_async_programs():
    async def main():
        one, two = models.Mock("a"), models.Mock("b")
        found = await asyncio.gather(one.run_async("1" + gen("x")), two.run_async("2" + gen("x")))
        pieces = [piece async for piece in models.Mock("cd").stream() + gen("x")]
        return [str(lm) for lm in found], pieces

    assert asyncio.run(main()) == (["1a", "2b"], ["c", "d"])


# ---------------------------------------------------------------- errors that name the line


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
    (lambda: dsl.Model("phi"), "Model takes a language model"),
    (lambda: lm_of('{"x":1}') + dsl.json(POINT, "x"), "is not what the program allows"),
    (lambda: list(lm_of("b").stream() + select(["a"])), "is not what the program allows"),
    (lambda: asyncio.run(lm_of("b").run_async(select(["a"]))), "is not what the program allows"),
]


@pytest.mark.parametrize(("bad", "message"), ERRORS, ids=[message[:40] for _, message in ERRORS])
def test_bad_programs_name_their_line(bad, message):
    with pytest.raises(constrain.ConstrainError) as caught:
        bad()
    assert message in str(caught.value)
    path, _, line = caught.value.place.rpartition(":")
    assert path == __file__ and f"\n  at {path}:{line}" in str(caught.value)
    lines, first = inspect.getsourcelines(bad)
    assert first <= int(line) < first + len(lines) or "function" in lines[0] or "()" in lines[0]
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


# ---------------------------------------------------------------- programs written for Guidance


class TestGuidance:
    """Programs in the shapes of Guidance's own documentation; only imports and the line of the model differ."""

    def test_a_chat(self):
        from constrain.dsl import assistant, gen, system, user
        from constrain.dsl.models import Mock

        phi_lm = Mock(["I am Phi.", "34"])
        lm = phi_lm
        with system():
            lm += "You are a helpful assistant"
        with user():
            lm += "Hello. What is your name?"
        with assistant():
            lm += gen(name="lm_response", max_tokens=20)
        with user():
            lm += "How old are you?"
        with assistant():
            lm += gen("lm_age", regex=r"\d+", temperature=0.8)
        assert (lm["lm_response"], int(lm["lm_age"])) == ("I am Phi.", 34)
        assert "lm_age" not in phi_lm

    def test_a_function_with_roles(self):
        import constrain.dsl as guidance
        from constrain.dsl import assistant, select, user
        from constrain.dsl.models import Mock, Model

        @guidance
        def multiple_choice(language_model: Model, question: str, choices: list[str]):
            with user():
                language_model += question + "\n"
                for letter, choice in zip("abc", choices):
                    language_model += f"{letter} : {choice}\n"
            with assistant():
                language_model += select(list("abc"), name="string_choice")
            return language_model

        lm = Mock("b")
        lm += multiple_choice("Which is a fruit?", ["Iron", "Pear", "Car"])
        assert lm["string_choice"] == "b"
        assert str(lm).startswith("<|user|>\nWhich is a fruit?\na : Iron\nb : Pear\nc : Car\n<|end|>")

    def test_a_grammar_of_functions(self):
        import constrain.dsl as guidance
        from constrain.dsl import capture, gen, models, one_or_more, select, with_temperature

        @guidance(stateless=True)
        def text(lm):
            return lm + gen(regex="[^<>]+")

        @guidance(stateless=True)
        def tagged(lm, tag: str):
            lm += f"<{tag}>"
            lm += text()
            lm += f"</{tag}>"
            return lm

        @guidance(stateless=True)
        def paragraph(lm):
            lm += "<p>"
            lm += one_or_more(select(options=[text(), tagged("em"), "<br />"]))
            lm += "</p>\n"
            return lm

        @guidance(stateless=True)
        def body(lm):
            lm += "<body>\n"
            lm += one_or_more(select(options=[tagged("h1") + "\n", one_or_more(paragraph())]))
            return lm + "</body>\n"

        @guidance(stateless=True)
        def page(lm, name: str | None = None, *, temperature: float = 0.0):
            return lm + capture(with_temperature(body(), temperature=temperature), name=name)

        html = "<body>\n<h1>A b</h1>\n<p>c <em>d</em><br />e</p>\n<p>f</p>\n</body>\n"
        lm = models.Mock(html)
        lm += page(name="html", temperature=0.7)
        assert lm["html"] == html

    def test_nodes_in_f_strings(self):
        lm = models.Mock(["joke about 7 cats", "yes"])
        cats = f"{gen(regex='c')}ats"
        lm += f"A {select(['joke', 'poem'], name='kind')} about {gen('n', regex='[0-9]')} {select([cats, 'dogs'])}"
        lm += f" and {lm['kind']} {gen('x')}"
        assert str(lm) == "A joke about 7 cats and joke yes"
        assert (lm["kind"], lm["n"], lm["x"]) == ("joke", "7", "yes")


# ---------------------------------------------------------------- the module


def test_the_module_is_the_decorator_too():
    import constrain.dsl as guidance

    @guidance(stateless=True)
    def yes(lm):
        return lm + "yes"

    @guidance.guidance
    def no(lm):
        return lm + "no"

    assert str(models.Mock([]) + yes() + no()) == "yesno"


def test_a_mock_without_texts_writes_texts_of_the_constraint():
    lm = models.Mock() + gen("a", regex="[0-9]{3}") + gen("b", stop=".") + dsl.json(POINT, "p")
    assert re.fullmatch("[0-9]{3}", lm["a"]) and set(lm["p"]) == {"x", "y"}


def test_pydantic_models_come_back_as_objects():
    pydantic = pytest.importorskip("pydantic")

    class Point(pydantic.BaseModel):
        x: int
        y: int

    lm = lm_of('{"x":1,"y":2}') + dsl.json(name="p", schema=Point)
    assert lm["p"] == Point(x=1, y=2)
