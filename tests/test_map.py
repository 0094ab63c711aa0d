"""Many inputs in common passes: the answers of single runs, in order, and one that breaks down breaks down alone."""

from __future__ import annotations

import threading
import time

import pytest

import constrain
from constrain import dsl
from constrain.generate import LanguageModel
from tests.moody import Moody

EXPR = constrain.regex("[a-z]{2,9}(true|name)[0-9]{0,5}")


@pytest.fixture
def lm():
    return LanguageModel(Moody())


# ---------------------------------------------------------------- prompts


@pytest.mark.parametrize("max_batch", [1, 3, 50])
@pytest.mark.parametrize("options", [{}, {"temperature": 1.2, "seed": 5}])
def test_answers_are_those_of_a_batch_in_order_with_a_full_one_going_on(lm, max_batch, options):
    prompts = [f"prompt {number}" for number in range(20)]
    wanted = lm.generate_batch(prompts, EXPR, **options)
    lm.backend.num_rows.clear()
    found = list(lm.map(iter(prompts), EXPR, max_batch=max_batch, **options))
    assert [answer.token_ids for answer in found] == [answer.token_ids for answer in wanted]
    assert max(lm.backend.num_rows) == min(max_batch, 20)
    if max_batch == 3:  # a row that ends is replaced at once
        assert sum(rows < 3 for rows in lm.backend.num_rows) <= max(answer.num_forward_passes for answer in found)


def test_a_constraint_for_each_prompt_and_answers_that_need_no_model(lm):
    constraints = [constrain.choice(["only this"]), EXPR, None, constrain.choice(["and this"])]
    found = list(lm.map(["a", "b", "c", "d"], constraints, max_batch=2, max_tokens=30))
    assert [found[0].text, found[3].text] == ["only this", "and this"]
    assert EXPR.matches(found[1].text)
    assert list(lm.map([], EXPR)) == []
    with pytest.raises(constrain.ConstrainError, match="4 constraints for 1 prompts"):
        lm.map(["a"], constraints)


def test_prompts_are_taken_as_there_is_room(lm):
    taken = []

    def prompts():
        for number in range(10):
            taken.append(number)
            yield f"prompt {number}"

    answers = lm.map(prompts(), EXPR, max_batch=2)
    assert not taken
    next(answers)
    assert 2 <= len(taken) < 10
    assert len(list(answers)) == 9


def test_an_error_stands_in_its_place_and_has_its_number(lm):
    prompts = ["a", "b", [{"role": "user"}], "d", 3.5, "f"]
    lm.backend.chat_ids = lambda messages: [*messages[0]["content"].encode(), lm.backend.end]
    prompts[2] = [10**6]
    found = list(lm.map(prompts, EXPR, max_batch=2, errors="return"))
    assert [isinstance(one, constrain.ConstrainError) for one in found] == [False, False, True, False, True, False]
    assert (found[2].index, found[4].index) == (2, 4)
    assert str(found[4]).endswith("expected a text, a list of messages or token ids (input 4)")
    answers = lm.map(prompts, EXPR, max_batch=2)
    assert [next(answers).token_ids for _ in range(2)] == [found[0].token_ids, found[1].token_ids]
    with pytest.raises(constrain.ConstrainError, match="token id 1000000"):
        next(answers)


def test_an_answer_that_breaks_down_leaves_its_neighbours_alone(lm):
    """A constraint whose search for a way to the end meets a limit in the middle of its text."""
    hard = constrain.compile(EXPR, lm.vocabulary)
    matcher = hard.matcher

    def breaking(start="continue"):
        made = matcher(start)

        class Breaking(type(made)):
            def accept_token(self, token):
                if self.num_accepted == 3:
                    raise constrain.LimitExceeded("max_steps", None, 1)
                return super().accept_token(token)

        made.__class__ = Breaking
        return made

    hard.matcher = breaking
    prompts, constraints = ["a", "b", "c"], [EXPR, hard, EXPR]
    found = list(lm.map(prompts, constraints, fast_forward=False, errors="return", max_batch=3))
    assert isinstance(found[1], constrain.LimitExceeded)
    assert [found[0].text, found[2].text] == [lm.generate(p, EXPR, fast_forward=False).text for p in ("a", "c")]
    with pytest.raises(constrain.LimitExceeded):
        lm.generate_batch(prompts, constraints, fast_forward=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_batch": 0}, "max_batch is 0"),
        ({"errors": "ignore"}, "errors is 'ignore'"),
        ({"num_beams": 2}, "options of generate"),
        ({"temprature": 2}, "unknown option 'temprature'"),
        ({"prompts": "a text"}, "prompts is a str"),
        ({"prompts": 5}, "prompts is a int"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_taken(lm, arguments, message):
    with pytest.raises(constrain.ConstrainError, match=message):
        lm.map(**({"prompts": ["a"], "constraints": EXPR} | arguments))


# ---------------------------------------------------------------- programs


def plain(lm, item):
    """A program that reads what it wrote."""
    lm += f"Item {item}: " + dsl.regex("[a-z]{1,6}", "word")
    for _ in range(len(lm["word"])):
        lm += " " + dsl.select(["true", "name", "null"], name="choice") + dsl.gen(regex="[0-9]{1,3}", name="number")
    return lm


@dsl.function
def stateful(lm, item):
    return plain(lm, item)


@dsl.function(stateless=True)
def stateless(lm, item):
    return lm + f"Item {item}: " + dsl.regex("[a-z]{1,6}", "word") + dsl.select(["true", "name"], name="choice")


@pytest.mark.parametrize("program", [plain, stateful, stateless])
@pytest.mark.parametrize("max_batch", [1, 4, 30])
def test_programs_write_what_they_write_alone(program, max_batch):
    model = Moody()
    lm = dsl.Model(LanguageModel(model), seed=3) + "A shared beginning. "
    alone = [plain(lm, item) if program is not stateless else lm + stateless(item) for item in range(9)]
    model.num_rows.clear()
    found = lm.map(program, iter(range(9)), max_batch=max_batch)
    assert [str(state) for state in found] == [str(state) for state in alone]
    assert [state["word"] for state in found] == [state["word"] for state in alone]
    assert max(model.num_rows) <= max_batch
    if max_batch > 1:
        assert sum(model.num_rows) / len(model.num_rows) > 1.5  # passes are shared


def test_roles_and_what_programs_return():
    lm = dsl.models.Mock(["one", "two"])
    with dsl.assistant():
        words = lm.map(lambda lm, item: (lm + item + dsl.regex("[a-z]+", "word"))["word"], ["a", "b"])
    assert words == ["one", "two"]
    lm = dsl.Model(LanguageModel(Moody(words=())))
    assert lm.map(lambda lm, item: item * 2, [1, 2, 3]) == [2, 4, 6]
    assert lm.map(plain, []) == []


def test_mock_texts_come_in_the_order_of_the_inputs():
    lm = dsl.models.Mock(["a", "true1", "bc", "name2", "null3"])
    states = lm.map(plain, ["x", "y"], max_batch=8)
    assert [state["word"] for state in states] == ["a", "bc"]
    with pytest.raises(dsl.ProgramError, match=r"asks for text 6, and 5 are given(.|\n)*\(input 0\)"):
        lm.map(plain, ["z"])


def failing(lm, item):
    lm += dsl.regex("[a-z]{3}", "word")
    if item == 2:
        raise ValueError("no item 2")
    if item == 4:
        lm += dsl.select([], name="none")
    if item == 5:
        return lm["nothing"]
    return lm + dsl.regex("[a-z]{3}", "more")


def test_errors_have_the_number_of_their_input_and_stop_nobody():
    lm = dsl.Model(LanguageModel(Moody()))
    found = lm.map(failing, range(7), max_batch=3, errors="return")
    assert [type(one).__name__ for one in found] == [
        "Model", "Model", "ValueError", "Model", "ProgramError", "UnknownCaptureError", "Model",
    ]  # fmt: skip
    assert [found[i].index for i in (2, 4, 5)] == [2, 4, 5]
    assert "(input 5)" in str(found[5])
    assert "test_map.py" in str(found[4])
    with pytest.raises(ValueError, match="no item 2"):
        lm.map(failing, range(7), max_batch=3)


class Small(Moody):
    """Has no room for texts with "boom" in them, and breaks at "bang"."""

    def logits(self, text):
        if b"boom" in text:
            raise constrain.LimitExceeded("memory_bytes", 5, 4)
        if b"bang" in text:
            raise RuntimeError("broken")
        return super().logits(text)


def words(lm, item):
    return (lm + item + " " + dsl.regex("[a-z]{3}", "word"))["word"]


@pytest.mark.parametrize("max_batch", [1, 2, 5])
def test_what_does_not_fit_into_memory_goes_alone(max_batch):
    lm = dsl.Model(LanguageModel(Small()))
    inputs = ["a", "b", "boom", "c", "boom and more", "d"]
    found = lm.map(words, inputs, max_batch=max_batch, errors="return")
    assert [one.index for one in found if isinstance(one, constrain.LimitExceeded)] == [2, 4]
    assert [one for one in found if isinstance(one, str)] == [words(lm, item) for item in "abcd"]
    found = list(LanguageModel(Small()).map(inputs, EXPR, max_batch=max_batch, errors="return"))
    assert [isinstance(one, constrain.LimitExceeded) for one in found] == [False, False, True, False, True, False]


def test_a_pass_that_breaks_ends_the_programs_in_it_and_no_others():
    lm = dsl.Model(LanguageModel(Small()))
    found = lm.map(words, ["a", "b", "bang", "c", "d"], max_batch=1, errors="return")
    assert [isinstance(one, RuntimeError) for one in found] == [False, False, True, False, False]
    found = lm.map(words, ["bang", "a", "b", "c", "d", "e", "f"], max_batch=2, errors="return")
    assert isinstance(found[0], RuntimeError)
    failed = [i for i, one in enumerate(found) if isinstance(one, Exception)]
    assert [found[i].index for i in failed] == failed
    assert len(failed) <= 2
    assert isinstance(found[-1], str)


def test_a_slow_program_holds_up_nobody():
    """One program waits, in Python, until all the others are through."""
    lm, done = dsl.Model(LanguageModel(Moody())), []
    through = threading.Event()

    def program(lm, item):
        lm += dsl.regex("[a-z]{3}", "word")
        if item == 0:
            assert through.wait(20)
        else:
            done.append(item)
            if len(done) == 5:
                through.set()
        return lm + dsl.regex("[0-9]{3}", "number")

    started = time.perf_counter()
    assert len(lm.map(program, range(6), max_batch=2)) == 6
    assert time.perf_counter() - started < 10


def test_maps_inside_maps_threads_and_streams_inside_programs():
    lm = dsl.Model(LanguageModel(Moody()))

    def inner(lm, item):
        return lm + f"{item}" + dsl.regex("[a-z]{3}", "word")

    def outer(lm, item):
        inside = lm.map(inner, [f"{item}a", f"{item}b"], max_batch=2)
        found = []
        thread = threading.Thread(target=lambda: found.append(inner(lm, f"{item}c")))
        thread.start()
        thread.join()
        stream = lm.stream() + f"{item}d" + dsl.regex("[a-z]{3}", "word")
        pieces = "".join(stream)
        assert pieces == str(stream.lm)[len(str(lm)) :]
        return [state["word"] for state in (*inside, found[0], stream.lm)]

    wanted = [[inner(lm, f"{item}{letter}")["word"] for letter in "abcd"] for item in range(4)]
    assert lm.map(outer, range(4), max_batch=3) == wanted


def test_an_interruption_ends_the_map_and_the_model_goes_on():
    class Interrupted(Moody):
        def logits(self, text):
            if text.endswith(b"3"):
                raise KeyboardInterrupt
            return super().logits(text)

    lm, begun = dsl.Model(LanguageModel(Interrupted())), []

    def program(lm, item):
        begun.append(item)
        return lm + f"{item}" + dsl.regex("[a-z]{3}", "word")

    with pytest.raises(KeyboardInterrupt):
        lm.map(program, range(50), max_batch=2)
    assert len(begun) < 10
    assert "word" in program(lm, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("not a program", [1]), "the program is a str"),
        ((plain, [1], 0), "max_batch is 0"),
    ],
)
def test_wrong_arguments_of_programs(arguments, message):
    lm = dsl.Model(LanguageModel(Moody()))
    program, inputs, *rest = arguments
    with pytest.raises(dsl.ProgramError, match=message):
        lm.map(program, inputs, **({"max_batch": rest[0]} if rest else {}))
    with pytest.raises(dsl.ProgramError, match="errors is 'no'"):
        lm.map(plain, [1], errors="no")


# ---------------------------------------------------------------- a real model


def test_a_real_model_gives_the_same_answers_one_by_one_and_together(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("transformers", reason="transformers is not installed")
    from constrain.generate import Phi
    from tests import tiny_phi

    torch.set_num_threads(1)
    folder = tiny_phi.write_checkpoint(tmp_path, original=64)
    lm = Phi.load(folder, device="cpu")
    prompts = ["Hi", "a longer prompt " * 5, "x" * 30, "and one more", "Hello"] * 3
    single = [Phi.load(folder, device="cpu", prefix_bytes=0).generate(prompt, EXPR) for prompt in prompts[:5]] * 3
    mapped = list(lm.map(prompts, EXPR, max_batch=4))
    assert [answer.token_ids for answer in mapped] == [answer.token_ids for answer in single]
    model = dsl.Model(lm)
    alone = [str(plain(model, item)) for item in range(6)]
    lm.backend.packed.prefixes.clear()
    assert [str(state) for state in model.map(plain, range(6), max_batch=4)] == alone
