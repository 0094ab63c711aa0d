"""Lark grammars: readings, what terminals match, left recursion, errors with their place, sizes."""

from __future__ import annotations

import itertools
import random
import re
import time
from concurrent.futures import ThreadPoolExecutor

import lark
import pytest

import constrain
from constrain._native import ExprSet
from constrain.frontends.lark.preference import first_match
from constrain.frontends.regex_syntax import parse
from constrain.frontends.utf8 import Utf8Alphabet
from tests.lark_fuzz import disagreements, disagreements_about, lark_verdict

pytestmark = pytest.mark.filterwarnings("ignore:lark. never used")


@pytest.mark.parametrize(
    "pattern",
    [
        "a|ab", "ab|a", "a?(ab)?", ".*?b", "a*?b?", "(a|ab)(c|bcd)?", "(?:a|b)*", "(a*)(ab)*", "a+?", "(?:ab|a)*b", "[ab]{1,3}?c?",
        "a(?:|b)c?", "b.*?(?<!a)b", "b.*?(?<!a)(aa)*?b", "(?i:A)b", "(b|a|ab)c?", "a{0,2}b{0,2}a", "(?<=a)b|ab*", "(?:(?:a?)*b)?", "c(?<!ab)c*",
    ],
)  # fmt: skip
def test_a_terminal_matches_what_re_returns(pattern):
    s = ExprSet()
    root = first_match(parse(pattern), Utf8Alphabet(s))
    for n in range(6):
        for letters in itertools.product("abc", repeat=n):
            text = "".join(letters)
            match = re.match(pattern, text)
            fitting = [text[:i] for i in range(n + 1) if s.matches(root, text[:i].encode())]
            assert (max(fitting, key=len) if fitting else None) == (match and match.group()), text


STATEMENTS = 'start: ("select" NAME | NAME "=" NAME)+\nNAME: /[a-z]+/\n%ignore " "'


@pytest.mark.parametrize(
    "lexer, accepted, rejected",
    [
        ("contextual", ["selectx = y", "select x select y", "select select"], ["selectx", "select = y"]),
        ("basic", ["selectx = y", "select x select y"], ["selectx", "select = y", "select select"]),
        ("dynamic", ["selectx", "select = y", "selectx = y", "select select"], ["select", "x y"]),
    ],
)
def test_each_reading_has_its_own_mind_about_keywords(lexer, accepted, rejected):
    expr = constrain.lark(STATEMENTS, lexer=lexer)
    assert [t for t in accepted if not expr.matches(t)] == [] == [t for t in rejected if expr.matches(t)]


def test_a_place_is_lexed_by_what_came_before_it():
    # `b` stands behind "(" where a keyword may come, and behind "s" where none may.
    expr = constrain.lark('start: b | "s" NAME\nb: "(" (NAME | start) ")"\nNAME: /[a-z]+/')
    assert expr.matches("sx") and expr.matches("ss") and expr.matches("(sx)") and not expr.matches("(s)") and not expr.matches("(s x)")


KINDS = {  # behind `a` there may be another name and then the keyword, behind `*` the keyword only
    "a list": 'start: item ("," item)* tail?\nitem: a | NAME "." "*" | "*"',
    "a repetition of them": 'start: item* tail\nitem: "," a | "*"',
    "counted": 'start: item~2..3 tail\nitem: "," a | "*"',
    "counted from two on": 'start: item~2 item* tail\nitem: "," a | "*"',
    "optional": 'start: "," item? tail\nitem: a | "*"',
    "left-recursive": 'start: table tail\ntable: a | table "," a | table "*" "."',
    "containing itself": 'start: table tail\ntable: a | "," table | "." table "*"',
    "one in another": 'start: whole tail\nwhole: (item ".")* item\nitem: inner | "," inner\ninner: a | "*"',
    "one that may be empty": 'start: "." item tail\nitem: ("," a)?',
    "one in two places": 'start: (item tail ";" | "." item "," item ";")+\nitem: a | "*"',
}


@pytest.mark.parametrize("name", KINDS)
def test_what_follows_is_lexed_by_how_a_rule_ended(name):
    grammar = KINDS[name] + '\ntail: "from" NAME\na: NAME NAME?\nNAME: /[a-z]+/\n%ignore " "'
    assert lark_verdict(grammar, "contextual") is not None
    for seed in range(5):
        assert disagreements_about(grammar, random.Random(seed), name, 40, 200, "from,*. a" * 3) == []


@pytest.mark.parametrize("seed", range(24))
def test_random_grammars_are_judged_as_lark_judges_them(seed):
    assert disagreements(seed) == []


@pytest.mark.parametrize("first", [275, 325, 489, 12, 65, 78, 97])
def test_grammars_that_once_were_judged_differently(first):
    assert disagreements(first) == []


@pytest.mark.parametrize(
    "grammar, message",
    [
        ('start: "a', r"unexpected character '\"'.*\(line 1, column 8\)"),
        ('start: (a\na: "x"', r"line 1"),
        ("start: a", r"undefined rule 'a'.*\(line 1, column 8\)"),
        ('start: statment\nstatement: "x"', r"undefined rule 'statment'; did you mean 'statement'\? \(line 1, column 8\)"),
        ("start: A", r"undefined terminal 'A'"),
        ('start: "x"\nstart: "y"', r"rule 'start' is defined twice \(line 2, column 1\)"),
        ("start: A\nA: B\nB: A", r"terminal '[AB]' contains itself"),
        ('begin: "x"', r"no rule 'start' to start from"),
        ('start: "x" | a\na: "y" a', r"'a' can never end.*\(line 2, column 1\)"),
        ("start: /[/", r"regex '\['"),
        ('start: "b".."a"', r"bad range"),
        ('start: "x" ~ 3..1', r"bad range 3\.\.1"),
        ("%import nowhere.X\nstart: X", r"unknown grammar 'nowhere'"),
        ('start: pair{"x"}\npair{a, b}: a b', r"template 'pair' takes 2 arguments, given 1"),
        ('start[colour]: "x"', r"unknown attribute 'colour'"),
        ("start: %json {", r"JSON behind '%json' is not well-formed"),
    ],
)
def test_errors_say_what_and_where(grammar, message):
    with pytest.raises(constrain.LarkError, match=message):
        constrain.lark(grammar)


@pytest.mark.parametrize(
    "grammar, accepted, rejected",
    [
        ('start: N* "ab"i\nN: /[a-c]+/', ["AB"], ["aB"]),  # only one spelling of the keyword is a name too
        ('start: "1" w | "2" (w | "(" N ",")\nw: "(" ("end" ";" "x" | "end;" "y")\nN: /[a-z]+/', [], ["1(end;x"]),
        ('start: "1" w | "2" (w | "(" B ",")\nw: "(" ("ab" Z | N ";")\nZ: "z"\nN: /[a-z]+/\nB: /[a-c]+/', [], ["1(abz"]),
        ('start: (("if"?)~2 N)? "in"\nN: /[a-z]+/\n%ignore " "', ["if if x in", "x in", "in"], ["if if if x in"]),
        ('start: (K1 N?)~0..2\nK1: "a"\nN.1: /[ab]+/', ["", "a"], ["b"]),
        ('start: NUM TAIL | "f" FLOAT\nNUM: /[0-9]+/\nFLOAT.2: /[0-9]+\\.[0-9]+/\nTAIL: /\\.[0-9a-z]+/', ["1.a", "f1.5"], ["1.5x"]),
        ('start: W W | N\nW: /[a-z]+/\nN.2: / +/\n%ignore " "', [" "], ["a a", "a"]),  # what is ignored is always a terminal
        ('start: "x" WS WS | "y"\nWS: / +/\n%ignore WS', ["y "], ["x  ", "x"]),
        ('start: T T | "a"\nT: /[^ ]+:/\n%ignore "/"', ["a", "/a"], ["a:a:"]),
    ],
)
def test_what_attacks_found(grammar, accepted, rejected):
    for lexer in ("basic", "contextual"):
        expr = constrain.lark(grammar, lexer=lexer)
        parser = lark.Lark(grammar, parser="earley" if lexer == "basic" else "lalr", lexer=lexer)
        for text in accepted + rejected:
            try:
                parser.parse(text)
                is_lark_s = True
            except lark.exceptions.LarkError:
                is_lark_s = False
            assert is_lark_s or not expr.matches(text), text
        if lexer == "contextual":
            assert [t for t in accepted if not expr.matches(t)] == []


def test_grammars_whose_search_for_life_never_ended():
    assert constrain.lark('start: "a" T T\nT: / +/\n%ignore / +/').is_empty()
    assert not constrain.lark('start: "x" T\nT: /[^ ]+:/\n%ignore "--"', lexer="basic").is_empty()
    assert not constrain.lark("start: (T T)*\nT: /[^ ]+:/\n%ignore /\\/\\*/").is_empty()


def test_a_terminal_that_may_be_empty_is_refused_in_left_recursion():
    with pytest.raises(constrain.UnsupportedError, match=r"terminal 'T', which may be empty, is not supported in left recursion \(line 2, column 1\)"):
        constrain.lark('start: start T | "x"\nT: /a*/', lexer="dynamic")


def test_threads_read_grammars_at_once():
    def read(number):
        rules = "".join(f'r{k}: "{number}.{k}" | r{k + 1}\n' for k in range(120)) + f'r120: "end {number}"'
        return constrain.lark("start: r0+\n" + rules)

    with ThreadPoolExecutor(8) as pool:
        exprs = list(pool.map(read, range(32)))
    assert all(e.matches(f"{n}.7end {n}{n}.119") and not e.matches(f"{n + 1}.7") for n, e in enumerate(exprs))


def test_a_grammar_without_texts_is_named():
    with pytest.raises(constrain.UnsatisfiableError, match="'start' can never end"):
        constrain.lark('start: "a" start')


def test_rules_that_nothing_leads_to_are_warned_of():
    with pytest.warns(UserWarning, match="never used: other"):
        constrain.lark('start: "a"\nother: "b"')


@pytest.mark.parametrize(
    "name, grammar, text, seconds",
    [
        ("a chain of rules", "start: a0\n" + "\n".join(f"a{i}: a{i + 1}" for i in range(50_000)) + '\na50000: "x"', "x", 60),
        ("terminals", "start: (" + " | ".join(f"T{i}" for i in range(10_000)) + ")*\n" + "\n".join(f'T{i}: "item{i}"' for i in range(10_000)), "item12item9999", 20),
        ("keywords among names", "start: (NAME | " + " | ".join(f'"k{i}"' for i in range(10_000)) + ')*\nNAME: /[a-z0-9]+/\n%ignore " "', "k12 foo k9999", 20),
        ("groups", "start: " + "(" * 10_000 + '"a"' + ")" * 10_000, "a", 20),
        ("optional groups", "start: " + "[" * 10_000 + '"a"' + "]" * 10_000, "", 20),
        ("repeated groups", "start: " + "(" * 10_000 + '"a"' + ")+" * 10_000, "aaa", 20),
    ],
)  # fmt: skip
def test_large_grammars_compile(name, grammar, text, seconds):
    begin = time.process_time()
    assert constrain.lark(grammar).matches(text)
    assert time.process_time() - begin < seconds, name


@pytest.mark.parametrize(
    "grammar",
    [
        "start: A0\n" + "\n".join(f"A{i}: A{i + 1} A{i + 1}" for i in range(40)) + '\nA40: "x"',
        'start: a{b}\na{x}: a{c{x}}\nc{y}: y\nb: "z"',
        "start: a0\n" + "\n".join(f'a{i}: a{i + 1} "l" | "m"' for i in range(300)) + '\na300: a0 "x" | "z"',
        "start: " + " | ".join(f'"w{i}"' for i in range(25_000)),
    ],
)
def test_what_would_grow_without_end_is_a_limit(grammar):
    with pytest.raises(constrain.LimitExceeded):
        constrain.lark(grammar)
