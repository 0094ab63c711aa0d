"""Programs as data: what each one writes and captures on the Mock, and the form of its captures on a real model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from constrain import dsl
from constrain.dsl import (
    assistant,
    at_most_n_repeats,
    block,
    byte_range,
    capture,
    exactly_n_repeats,
    function,
    gen,
    lark,
    one_or_more,
    optional,
    regex,
    role,
    select,
    sequence,
    special_token,
    string,
    system,
    token_limit,
    user,
    with_temperature,
    zero_or_more,
)


@dataclass
class Program:
    """`texts`: what the Mock writes, a text for each run. `form`: patterns of the captures on the embedded model."""

    run: Callable[[Any], Any]
    texts: list[str]
    text: str
    captures: dict[str, Any] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)


PROGRAMS: list[Program] = []


def program(texts: list[str] | str, text: str, form: dict[str, str] | None = None, **captures: Any) -> Any:
    def add(run: Callable[[Any], Any]) -> Callable[[Any], Any]:
        listed = [texts] if isinstance(texts, str) else texts
        PROGRAMS.append(Program(run, listed, text, captures, form or {}))
        return run

    return add


POINT = {
    "type": "object",
    "properties": {"x": {"type": "integer", "minimum": -99, "maximum": 99}, "y": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["x", "y"],
    "additionalProperties": False,
}

# ---------------------------------------------------------------- state


@program([], "plain text")
def plain_text(lm):
    return lm + "plain " + "text"


@program("blue", "sky: blue", colour="blue")
def gen_free(lm):
    return lm + "sky: " + gen("colour")


@program("blue", "sky: blue")
def gen_without_name(lm):
    return lm + "sky: " + gen()


@program(["a", "b"], "1 a 2 b", x="b")
def a_name_twice_keeps_the_last(lm):
    lm += "1 " + gen("x") + " 2 "
    return lm + gen("x")


@program([], "t", x=5, y="u")
def set_and_get(lm):
    lm = lm.set("x", 5) + "t"
    return lm.set("y", lm.get("no", "u"))


@program([], "t", x=1)
def remove_a_capture(lm):
    return (lm.set("x", 1).set("y", 2) + "t").remove("y")


@program(["left", "right"], "go right", way="right")
def forks_do_not_see_each_other(lm):
    lm += "go "
    one = lm + select(["left", "right"], name="way")
    assert "way" not in lm and "way" in one
    return lm + select(["left", "right"], name="way")


@program(["2", "3"], "2 and 3: 5", a="2", b="3", sum=5)
def python_between_generations(lm):
    lm += gen("a", regex="[0-9]") + " and "
    lm += gen("b", regex="[0-9]")
    lm = lm.set("sum", int(lm["a"]) + int(lm["b"]))
    return lm + f": {lm['sum']}"


# ---------------------------------------------------------------- gen


@program("1984", "Year: 1984", {"year": "[0-9]{4}"}, year="1984")
def gen_regex(lm):
    return lm + "Year: " + gen("year", regex="[0-9]{4}")


@program("A first sentence.", "A first sentence.", s="A first sentence")
def gen_stop(lm):
    return lm + gen("s", stop=".")


@program("one\n", "one\n two", s="one")
def gen_stop_then_text(lm):
    return lm + gen("s", stop="\n") + " two"


@program("ab;", "ab;", s="ab", s_stop_text=";")
def gen_save_stop_text(lm):
    return lm + gen("s", stop=[".", ";"], save_stop_text=True)


@program("ab;", "ab;", s="ab", end=";")
def gen_save_stop_text_under_a_name(lm):
    return lm + gen("s", stop=[".", ";"], save_stop_text="end")


@program("item 12", "item 12", s="item ", s_stop_text="12")
def gen_stop_regex(lm):
    return lm + gen("s", stop_regex="[0-9][0-9]", save_stop_text=True)


@program("caab", "caab", s="c", s_stop_text="aab")
def of_stops_that_end_together_the_longer_counts(lm):
    return lm + gen("s", stop=["b", "aab"], save_stop_text=True)


@program("aab!", "aab!", s="a", s_stop_text="ab")
def the_stop_that_ends_first_counts(lm):
    return lm + (gen("s", stop=["ab", "b!"], save_stop_text=True) + "!")


@program("a, b;c;", "a, b;c;", s=["a, b", "c"], s_stop_text=[";", ";"])
def gen_stop_in_a_repeat(lm):
    return lm + one_or_more(gen("s", stop=";", list_append=True, save_stop_text=True))


@program("baa", "baa", s="b")
def a_stop_that_overlaps_itself(lm):
    return lm + gen("s", stop="aa")


@program("12,", "12,", {"n": "[0-9]+"}, n="12")
def gen_regex_and_stop(lm):
    return lm + gen("n", regex="[0-9]{1,3}", stop=",")


@program("blue sky", "blue ", c="blue ")
def gen_max_tokens_cuts(lm):
    return lm + gen("c", max_tokens=5)


@program("blue sky", "blue and", c="blue")
def gen_max_tokens_cuts_before_its_stop(lm):
    return lm + gen("c", stop=".", max_tokens=4) + " and"


@program("123456", "123", n="123")
def gen_max_tokens_cuts_a_regex(lm):
    return lm + gen("n", regex="[0-9]{6}", max_tokens=3)


@program(["a", "b", "c"], "abc", {"x": ".*"}, x=["a", "b", "c"])
def gen_list_append(lm):
    for _ in range(3):
        lm += gen("x", regex="[abc]", list_append=True)
    return lm


@program("grün 😀.", "Farbe: grün 😀.", c="grün 😀")
def gen_text_beyond_ascii(lm):
    return lm + "Farbe: " + gen("c", stop=".")


@program(["x1", "y2"], "x1y2", {"a": "[a-z][0-9]", "b": "[a-z][0-9]"}, a="x1", b="y2")
def gen_temperatures_split_a_run(lm):
    return lm + gen("a", regex="[a-z][0-9]", temperature=1.0) + gen("b", regex="[a-z][0-9]")


# ---------------------------------------------------------------- select


@program("no", "Is it? no", {"a": "yes|no"}, a="no")
def select_texts(lm):
    return lm + "Is it? " + select(["yes", "no"], name="a")


@program("ab", "ab", a="ab")
def select_where_one_option_begins_another(lm):
    return lm + select(["a", "ab", "abc"], name="a")


@program("abc", "abc", first="a", second="bc")
def select_the_earlier_option_counts(lm):
    return lm + (select(["a", "ab"], name="first") + select(["bc", "c"], name="second"))


@program("abc", "abc", first="ab", second="c")
def select_the_earlier_option_counts_in_the_other_order(lm):
    return lm + (select(["ab", "a"], name="first") + select(["bc", "c"], name="second"))


@program("id 7", "id 7", {"which": ".*"}, which="id 7", n="7")
def select_nodes(lm):
    return lm + select(["none", "id " + regex("[0-9]", "n")], name="which")


@program(["a", "c"], "ac", x=["a", "c"])
def select_list_append(lm):
    lm += select(["a", "b"], name="x", list_append=True)
    return lm + select(["c", "d"], name="x", list_append=True)


@program("maybe", "maybe", {"a": "yes|no|maybe"}, a="maybe")
def operator_or(lm):
    return lm + capture("yes" | string("no") | "maybe", "a")


@program("K35.80", "Code: K35.80", code="K35.80")
def select_of_many_codes(lm):
    return lm + "Code: " + select([f"K{n}.{m:02}" for n in range(30, 40) for m in range(100)], name="code")


# ---------------------------------------------------------------- quotes

CONTEXT = "The quick brown fox jumps over the lazy dog. It sleeps."


@program("brown fox", "Quote: brown fox", {"q": r"[A-Za-z .]+"}, q="brown fox")
def quote_of_a_context(lm):
    return lm + "Quote: " + dsl.quote(CONTEXT, "q", max_length=20)


@program("It sleeps.", "It sleeps.", {"q": r"(?:The .*|It sleeps\.)"}, q="It sleeps.")
def quote_of_a_sentence(lm):
    return lm + dsl.quote(CONTEXT, "q", align="sentences")


@program("QUICK  brown", "QUICK  brown", q="QUICK  brown")
def quote_in_any_case_and_spacing(lm):
    return lm + dsl.substring(["Nothing here.", CONTEXT], "q", mode=["case", "whitespace"], align="words", max_length=9)


# ---------------------------------------------------------------- regex, json


@program("12:30", "at 12:30", {"t": "[0-2][0-9]:[0-5][0-9]"}, t="12:30")
def regex_verb(lm):
    return lm + "at " + regex("[0-2][0-9]:[0-5][0-9]", "t")


@program("aaab", "aaab", x="aaa", y="b")
def regex_takes_the_longest(lm):
    return lm + (regex("a*", "x") + regex("a*b", "y"))


@program('{"x":1,"y":2}', '{"x":1,"y":2}', {"p": ".*"}, p={"x": 1, "y": 2})
def json_of_a_schema(lm):
    return lm + dsl.json(POINT, "p")


@program('{"x":1,"y":2}', '{"x":1,"y":2}', p={"x": 1, "y": 2})
def json_of_a_schema_by_keyword(lm):
    return lm + dsl.json(name="p", schema=POINT)


@program("[1,2]", "[1,2]", p=[1, 2])
def json_of_a_type(lm):
    return lm + dsl.json(list[int], name="p")


@program('{"x":1,"y":2}. "a"', 'A: {"x":1,"y":2}. "a"', p={"x": 1, "y": 2}, q="a")
def two_json_values_in_one_constraint(lm):
    return lm + "A: " + (dsl.json(POINT, "p") + ". " + dsl.json({"enum": ["a", "b"]}, "q"))


@program("[true, null]", "[true, null]", p=[True, None])
def json_of_anything(lm):
    return lm + dsl.json(name="p", whitespace="spaced")


@program("3;4;", "3;4;", n=[3, 4])
def json_captures_in_a_list(lm):
    return lm + one_or_more(dsl.json({"type": "integer"}, "n", list_append=True) + ";")


# ---------------------------------------------------------------- repeats


@program("-5", "-5", {"n": "-?[0-9]"}, n="-5")
def optional_there(lm):
    return lm + capture(optional("-") + regex("[0-9]"), "n")


@program("5", "5", n="5")
def optional_absent(lm):
    return lm + capture(optional("-") + regex("[0-9]"), "n")


@program("a,b,c,", "a,b,c,", x=["a", "b", "c"])
def one_or_more_with_a_list(lm):
    return lm + one_or_more(regex("[a-z]", "x", list_append=True) + ",")


@program(".", ".")
def zero_or_more_none(lm):
    return lm + (zero_or_more(gen("x", regex="[a-z]", list_append=True)) + ".")


@program("a1b2", "a1b2", pair=["a1", "b2"], letter=["a", "b"], digit=["1", "2"])
def nested_captures_in_a_repeat(lm):
    item = regex("[a-z]", "letter", list_append=True) + regex("[0-9]", "digit", list_append=True)
    return lm + zero_or_more(capture(item, "pair", list_append=True))


@program("ababab", "ababab", {"x": "(ab){3}"}, x="ababab")
def exactly_n(lm):
    return lm + capture(exactly_n_repeats("ab", 3), "x")


@program("aa", "aa", {"x": "a{0,3}"}, x="aa")
def at_most_n(lm):
    return lm + capture(at_most_n_repeats("a", 3), "x")


@program("abab", "abab", x="abab")
def sequence_between(lm):
    return lm + capture(sequence("ab", min_length=1, max_length=2), "x")


@program("aaa", "aaa", x="aa", y="a")
def repeats_are_greedy(lm):
    return lm + (capture(zero_or_more("a"), "x") + capture(one_or_more("a"), "y"))


@program("aab", "aab", x="aab")
def a_repeat_of_what_may_be_empty(lm):
    return lm + capture(zero_or_more(optional("a")) + "b", "x")


@program("a" * 3000, "a" * 3000, last="a")
def three_thousand_repeats(lm):
    return lm + one_or_more(regex("a", "last"))


@program(["ab", "cd"], "ab|cd|", x=["ab", "cd"])
def exact_repeats_with_a_limit_are_taken_apart(lm):
    return lm + exactly_n_repeats(gen("x", max_tokens=5, list_append=True) + "|", 2)


@program("Q", "Q", x="Q")
def byte_ranges(lm):
    return lm + capture(byte_range(b"A", b"Z"), "x")


# ---------------------------------------------------------------- settings, captures across runs


@program("12345678", "12345678", {"n": "[0-9]{1,8}"}, n="12345678")
def token_limit_on_a_part(lm):
    return lm + token_limit(gen("n", regex="[0-9]{1,8}"), 8)


@program("a: 1", "a: 1", k="a", v="1")
def token_limit_on_a_sequence(lm):
    return lm + token_limit(regex("[a-z]", "k") + ": " + regex("[0-9]", "v"), 30)


@program("ab", "ab", {"x": "[a-z]", "y": "[a-z]"}, x="a", y="b")
def with_temperature_on_a_sequence_is_one_run(lm):
    return lm + with_temperature(gen("x", regex="[a-z]") + gen("y", regex="[a-z]"), 0.7)


@program(["one", "2"], "(one 2)", all="(one 2)", a="one", b="2")
def a_capture_over_several_runs(lm):
    return lm + capture("(" + gen("a", max_tokens=3) + " " + gen("b", regex="[0-9]") + ")", "all")


@program("x=1;y=22;", "x=1;y=22;", a="x=1", b="22", c="x=1;y=22;")
def captures_within_captures(lm):
    a, b = capture("x=" + regex("[0-9]+"), "a"), regex("[0-9]+", "b")
    return lm + capture(a + ";y=" + b + ";", "c")


# ---------------------------------------------------------------- functions


@function(stateless=True)
def digits(lm, count):
    return lm + exactly_n_repeats(regex("[0-9]"), count)


@function(stateless=True)
def term(lm):
    return lm + select([regex("[0-9]"), "(" + total() + ")"])


@function(stateless=True)
def total(lm):
    lm += term()
    lm += zero_or_more("+" + term())
    return lm


@function
def ask(lm, question):
    lm += question + " "
    lm += select(["yes", "no"], name="answer")
    return lm


@function(stateless=False)
def until_done(lm, most):
    for _ in range(most):
        lm += select(["more", "done"], name="word") + " "
        if lm["word"] == "done":
            break
    return lm


@program("2026-11", "2026-11", {"y": "[0-9]{4}", "m": "[0-9]{2}"}, y="2026", m="11")
def stateless_function(lm):
    return lm + (capture(digits(4), "y") + "-" + capture(digits(2), "m"))


@program("(1+2)+((3))", "(1+2)+((3))", sum="(1+2)+((3))")
def stateless_functions_recurse(lm):
    return lm + capture(total(), "sum")


@program("1+2+3", "1+2+3", sum="1+2+3")
def a_stateless_function_where_a_choice_is(lm):
    return lm + capture(select(["none", total()]), "sum")


@program("no", "Rain? no", {"answer": "yes|no"}, answer="no")
def stateful_function(lm):
    return lm + ask("Rain?")


@program(["more ", "more ", "done "], "more more done ", {"word": "more|done"}, word="done")
def stateful_function_with_a_loop(lm):
    return lm + until_done(5)


@program(["yes"], "A: Rain? yes.", answer="yes")
def stateful_function_between_parts(lm):
    return lm + ("A: " + ask("Rain?") + ".")


# ---------------------------------------------------------------- roles and blocks

CHAT = "<|system|>\nBe brief.<|end|>\n<|user|>\nHow many?<|end|>\n<|assistant|>\n7<|end|>\n"


@program("7", CHAT, {"n": "[0-9]"}, n="7")
def a_chat(lm):
    with system():
        lm += "Be brief."
    with user():
        lm += "How many?"
    with assistant():
        lm += gen("n", regex="[0-9]")
    return lm


@program(["a", "b"], "<|user|>\n1<|end|>\n<|assistant|>\na<|end|>\n<|user|>\n2<|end|>\n<|assistant|>\nb<|end|>\n", x=["a", "b"])
def turns_in_a_loop(lm):
    for question in "12":
        with user():
            lm += question
        with assistant():
            lm += gen("x", list_append=True)
    return lm


@program([], "a 2<|end|>", both="a 2<|end|>")
def a_capture_over_text_and_a_special_token(lm):
    return lm + capture("a " + string("2") + special_token("<|end|>"), "both")


@program([], "fixed text", x="fixed", y="text")
def a_capture_of_fixed_text_asks_no_model(lm):
    return lm + (capture("fixed", "x") + " " + token_limit(capture("text", "y"), 9))


@program(["c", "d"], "say c then d", {"x": "[cd]"}, x="d", y="c")
def nodes_in_an_f_string(lm):
    lm += f"say {gen('y', regex='[cd]')} then {gen('x', regex='[cd]', max_tokens=1)}"
    return lm


@program("ok", "<|user|>\nhi<|end|>\n<|assistant|>\n Well: ok!<|end|>\n", said=" Well: ok!")
def a_role_with_a_name(lm):
    with role("user"):
        lm += "hi"
    with assistant(name="said"):
        lm += " Well: " + gen(max_tokens=9) + "!"
    return lm


@program(["1", "2"], "a 1 b 2", whole="a 1 b 2", n="2")
def a_block(lm):
    with block("whole"):
        lm += "a " + gen("n", regex="[0-9]") + " "
        lm += "b " + gen("n2", regex="[0-9]")
    return lm.set("n", lm["n2"]).remove("n2")


@program("x", "<|assistant|>\nA x<|end|>\n", inner="A x")
def a_block_in_a_role(lm):
    with assistant():
        with block("inner"):
            lm += "A " + gen()
    return lm


@program("b", "a<|end|>b", x="b")
def special_tokens(lm):
    return lm + "a" + special_token("<|end|>") + gen("x")


CALLS = r"""
start: call ("; " call)*
call: name "(" argument ")"
name[capture]: "add" | "say"
argument[capture="argument"]: /[0-9]{1,3}/ | "'" /[a-z]{1,5}/ "'"
"""


@program("add(12); say('hi')", "Calls: add(12); say('hi').", name=["add", "say"], argument=["12", "'hi'"])
def a_grammar_with_captures_in_lists(lm):
    return lm + "Calls: " + lark(CALLS, list_append=True) + "."


@program(
    "x=7", "Set x=7 now", {"all": "[a-z]=[0-9]", "key": "[a-z]", "value": "[0-9]"}, all="x=7", key="x", value="7"
)
def a_grammar_between_texts(lm):
    return lm + "Set " + lark('start: key "=" value\nkey[capture]: /[a-z]/\nvalue[capture]: /[0-9]/', "all") + " now"


@program(["ab-", "9"], "ab-9", {"word": "[a-z]{1,4}", "number": "[0-9]"}, word="ab", number="9")
def rules_of_a_grammar_with_temperatures_of_their_own(lm):
    grammar = 'start: word "-" number\nword[capture, temperature=0.8]: /[a-z]{1,4}/\nnumber[capture, max_tokens=1]: /[0-9]/'
    return lm + lark(grammar)


@program("think; so;", "think; so; done", head=["think;", " so;"], form={"head": "[a-z ]{0,6};"})
def lazy_rules_of_a_grammar(lm):
    return lm + lark("start: head head\nhead[capture, lazy]: /[a-z ]{0,6};/", list_append=True) + " done"
