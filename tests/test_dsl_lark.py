"""Grammars in programs: captures of rules against a reading by Lark, settings of rules, what is refused by name."""

from __future__ import annotations

import random
import re

import lark
import pytest

import constrain
from constrain import ConstrainError, LarkError, UnsupportedError, dsl
from constrain.dsl import models
from constrain.dsl.captures import read
from constrain.dsl.steps import Run, steps_of
from tests.lark_cases import CASES

LIST = 'start: "[" (item ("," item)*)? "]"\nitem[capture]: NAME | "(" item ")"\nNAME: /[a-z]+/\n%ignore " "'


def captures(grammar, texts, **options):
    lm = models.Mock(texts) + dsl.lark(grammar, **options)
    return {name: lm[name] for name in lm._names()}


@pytest.mark.parametrize(
    ("grammar", "text", "expected"),
    [
        ('start: a "=" b\na[capture]: /[a-z]+/\nb[capture="n"]: /[0-9]+/', "x=12", {"a": "x", "n": "12"}),
        ('start: a a\na[capture]: "x" | "y"', "xy", {"a": "y"}),
        ('start: a "!"?\na[capture]: "x" a | "."', "xx.!", {"a": "xx."}),
        ('start[capture]: b "!"\nb[capture="t", suffix="<end>", stop_capture="s"]: /.*/', "fo<end>!", {"start": "fo<end>!", "t": "fo", "s": "<end>"}),
        ('start: outer\nouter[capture]: inner "<end>"\ninner[capture, stop="<end>"]: /.*/', "foo<end>", {"inner": "foo", "outer": "foo<end>"}),
        ('start: outer\nouter[capture]: inner "b"\ninner[capture, stop="<end>"]: /[a-z]*/', "foob", {"inner": "foo", "outer": "foob"}),
        ('start: a b\na[capture, lazy]: /.*?;/\nb[capture]: /.*/', "x;y;z", {"a": "x;", "b": "y;z"}),
        ('start: key value\nkey[capture]: "if"\nvalue[capture]: NAME\nNAME: /[a-z]+/\n%ignore /[ ]+/', "if  ifs ", {"key": "if", "value": "ifs"}),
        ('start: a b\na[capture]: "x"*\nb[capture]: "y"*', "", {"a": "", "b": ""}),
        ('start: j\nj[capture]: %json {"type": "array", "items": {"type": "integer"}}', "[1,2]", {"j": "[1,2]"}),
        ('start: n::2\nn::_[capture]: "x" n::decr(_) %if gt(_, 0)\n | "."', "xx.", {"n": "xx."}),
        ('start: sum\nsum: sum "+" n | n\nn[capture]: /[0-9]+/', "1+22+3", {"n": "3"}),
    ],
)  # fmt: skip
def test_rules_are_captured(grammar, text, expected):
    assert captures(grammar, text) == expected


def test_a_rule_that_comes_again_is_a_list_where_that_is_wanted():
    assert captures(LIST, "[ab , (c ) ]", list_append=True) == {"item": ["ab", "c", "(c )"]}
    assert captures(LIST, "[]") == {}


def test_the_whole_is_a_capture_too():
    assert captures('start: "a" "b"\n%ignore " "', " a b ", name="all") == {"all": " a b "}


def test_captures_are_what_lark_reads():
    """Random texts of a grammar with blanks: the captured items are the subtrees of Lark's tree, in its order."""
    grammar = lark.Lark(LIST.replace("[capture]", ""), parser="lalr", propagate_positions=True)
    node = dsl.lark(LIST, list_append=True)
    rng = random.Random(4)

    def item() -> str:
        return rng.choice(["a", "bc"]) if rng.random() < 0.6 else "(" + blank() + item() + blank() + ")"

    def blank() -> str:
        return " " * rng.choice((0, 0, 1, 2))

    for _ in range(60):
        text = blank() + "[" + blank() + ("," + blank()).join(item() + blank() for _ in range(rng.randrange(4))) + "]" + blank()
        reading = read(node, text.encode())
        places = [(t.meta.start_pos, t.meta.end_pos) for t in grammar.parse(text).iter_subtrees() if t.data == "item"]
        if "(" not in text:  # Lark filters parentheses out of its trees' places
            assert sorted((a, b) for _, a, b in reading.captures) == sorted(places)
        assert len(reading.captures) == sum(t.data == "item" for t in grammar.parse(text).iter_subtrees_topdown())


def test_rules_with_settings_are_runs_of_their_own():
    node = dsl.lark('start: "<" a "." b\na[temperature=0.7, capture]: /[a-z]+/\nb[max_tokens=10, capture]: /[0-9]+/')
    runs = [(s.temperature, s.max_tokens) for s in steps_of(node) if isinstance(s, Run)]
    assert runs == [(0.7, None), (0.0, 10)]
    lm = models.Mock(["abc.", "12"]) + node
    assert (str(lm), lm["a"], lm["b"]) == ("<abc.12", "abc", "12")
    whole = dsl.lark('start[temperature=0.5, max_tokens=9]: "a" | "b"')
    assert [(s.temperature, s.max_tokens) for s in steps_of(whole)] == [(0.5, 9)]


@pytest.mark.parametrize(
    ("grammar", "words"),
    [
        ("start: a b\na[temperature=0.7]: /[a-z]+/\nb: /[a-z0-9]+/", "might go on"),
        ('start: a | "x"\na[max_tokens=3]: /[0-9]+/', "start rule's own sequence"),
        ('start: "<" b ">"\nb: a "."\na[max_tokens=3]: /[0-9]+/', "start rule's own sequence"),
        ('start: s\ns[capture]: s "+" "1" | "1"', "left-recursive"),
        ('start: a\na[stop="x", stop_capture="s"]: /[a-z]*/', "no part of the text"),
        ('start: A\nA[capture]: "x"', "expected it at a rule"),
        ('start: %lark { start: a\n a[capture]: "x" }', "in %lark"),
        ('start: "a" <|system|>', "special_token"),
        ('start[max_tokens=3]: "a" start | "b"', "contains itself"),
    ],
)
def test_what_has_no_exact_meaning_is_refused_by_name(grammar, words):
    with pytest.raises(UnsupportedError, match=words):
        dsl.lark(grammar)


@pytest.mark.parametrize("attribute", ["temperature", 'temperature="hot"', "max_tokens=0", "max_tokens=1.5", 'capture=""', "capture=x"])
def test_values_that_are_none_are_errors(attribute):
    with pytest.raises(LarkError, match="line 2, column"):
        dsl.lark(f'start: a\na[{attribute}]: "x"')


def test_errors_name_the_line_of_the_program():
    with pytest.raises(ConstrainError, match=r"test_dsl_lark\.py:\d+"):
        dsl.lark("start: nowhere")


@pytest.mark.parametrize("case", [c for c in CASES if not c.error and not c.has_tokens], ids=lambda case: case.id)
def test_the_tree_of_a_grammar_reads_what_its_expression_matches(case):
    start = case.options.get("start", "start")
    grammar = re.sub(rf"(?m)^([?!]*){start}(\s*):(?!:)", rf"\1{start}[capture]\2:", case.grammar, count=1)
    try:
        node = dsl.lark(grammar, **case.options)
    except UnsupportedError as error:
        assert "left-recursive" in str(error)
        return
    expr, rng = constrain.lark(case.grammar, **case.options), random.Random(case.id)
    texts = [*case.accept, *case.reject, *(expr.sample(seed) for seed in range(4))]
    for text in [t for t in texts if t]:
        at = rng.randrange(len(text))
        texts += [text[:at] + text[at + 1 :], text[:at] + rng.choice(texts)[:2] + text[at:]]
    assert [t for t in texts if expr.matches(t) != (read(node, t.encode()) is not None)] == []
