"""Programs: the suite of tests/dsl on the Mock and on the embedded model; streams; exact captures."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import subprocess
import sys
import threading

import pytest

from constrain import dsl
from constrain.dsl import (
    ProgramError,
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
from tests.conftest import ROOT
from tests.dsl.programs import CONTEXT, POINT, PROGRAMS

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


def test_a_quote_knows_its_place_in_the_context():
    lm = models.Mock("QUICK  brown") + dsl.quote(["Nothing here.", CONTEXT], "q", mode=["case", "whitespace"])
    assert (lm["q"], lm["q"].source, CONTEXT[lm["q"].start : lm["q"].end]) == ("QUICK  brown", 1, "quick brown")
    assert [passage.text for passage in lm["q"].passages] == ["quick brown"]


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


def test_streams_of_the_embedded_model_write_what_it_writes(phi):
    with user():
        lm = phi + "Invoice number: R-7731"
    with assistant():
        program = "Number: " + gen("x", regex="[A-Z]-[0-9]{2,6}") + gen("y", max_tokens=5) + select(["é", "ü"], name="z")
        whole = lm + program
        stream = lm.stream() + program
        assert str(lm) + "".join(stream).removeprefix("<|end|>\n") == str(whole)
    assert [stream.lm[name] for name in "xyz"] == [whole[name] for name in "xyz"]


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


@pytest.mark.parametrize("body", [None, "a*b*", "(ab|a)*"])
@pytest.mark.parametrize("stops", [["a"], ["aa"], ["aba"], ["ab", "b"], ["bb", "abb", "aab"], ["ba", "aab"]])
def test_stops_by_brute_force(stops, body):
    """The first occurrence of any stop ends the text; of stops that end there the one that begins first counts."""
    node = gen("x", regex=body, stop=stops, save_stop_text=True)
    expr = expression(node)
    for length in range(8):
        for letters in itertools.product("ab", repeat=length):
            text = "".join(letters)
            is_first = not any(stop in text[:-1] for stop in stops)
            splits = [(text[: -len(stop)], stop) for stop in stops if text.endswith(stop)]
            splits = [one for one in splits if body is None or re.fullmatch(body, one[0])] if is_first else []
            found = read(node, text.encode())
            assert expr.matches(text) == bool(splits) == (found is not None), text
            if found is not None:
                assert tuple(text[start:end] for _, start, end in found.captures) == min(splits, key=lambda s: len(s[0]))


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


def test_the_module_is_imported_when_it_is_used():
    code = "import sys, constrain; a = 'constrain.dsl' in sys.modules; constrain.dsl.gen(); print(a, 'torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert out.stdout.split() == ["False", "False"]


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

    lm = models.Mock('{"x":1,"y":2}') + dsl.json(name="p", schema=Point)
    assert lm["p"] == Point(x=1, y=2)
