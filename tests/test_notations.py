"""GBNF and EBNF: random grammars against a recogniser of their own, errors with their places, and sizes."""

from __future__ import annotations

import time

import pytest

import constrain
from tests.notation_oracle import Recogniser, Speller, draw_grammar, texts, unproductive

NOTATIONS = ["gbnf", "xgrammar", "iso"]
SHORT = texts(4)


def made(notation: str, text: str) -> constrain.Expr:
    return constrain.gbnf(text) if notation == "gbnf" else constrain.ebnf(text)


def check(notation: str, seed: int, with_exceptions: bool = False) -> bool:
    """Compares on all short texts; false where the grammar is rightly refused."""
    rules = draw_grammar(seed, with_exceptions)
    spelt = Speller(notation, seed).grammar(rules)
    endless = unproductive(rules)
    try:
        expr = made(notation, spelt)
    except constrain.UnsupportedError as error:
        assert error.feature == "recursive exception", (spelt, error)
        return False
    except (constrain.UnsatisfiableError, constrain.GrammarError) as error:
        is_named = (endless and "can never end" in str(error)) or (with_exceptions and "nothing is left" in str(error))
        assert is_named, (spelt, error)
        return False
    assert not endless, spelt
    for text in SHORT:
        assert expr.matches(text) == Recogniser(rules, text).accepts, (text, spelt)
    return True


@pytest.mark.parametrize("notation", NOTATIONS)
def test_random_grammars_match_what_a_recogniser_matches(notation):
    assert sum(check(notation, seed) for seed in range(120)) > 50


def test_random_exceptions_match_what_a_recogniser_matches():
    assert sum(check("iso", seed, with_exceptions=True) for seed in range(200)) > 50


# ---------------------------------------------------------------------------------------------- errors

ERRORS = [
    ("gbnf", 'root ::= a\nother ::= "x"\n  # a\n', "undefined rule 'a'", (1, 10)),
    ("gbnf", "root ::= itm\nitem ::= [a]", "undefined rule 'itm'; did you mean 'item'?", (1, 10)),
    ("gbnf", 'start ::= "a"', "no rule 'root' to start from, known are 'start'", (1, 1)),
    ("gbnf", 'rot ::= "a"', "no rule 'root' to start from; did you mean 'rot'?", (1, 1)),
    ("gbnf", "", "no rule 'root' to start from", (1, 1)),
    ("gbnf", 'root ::= "a"\nroot ::= "b"', "rule 'root' is defined twice", (2, 1)),
    ("gbnf", 'root ::= a "x"\na ::= a "y"', "no text satisfies the grammar: 'root', 'a' can never end", (1, 1)),
    ("gbnf", 'root ::= a | "x"\na ::= a "y"', "'a' can never end: no text satisfies the rule", (2, 1)),
    ("gbnf", 'root ::= "a\n', "the string is never closed", (1, 10)),
    ("gbnf", "root ::= [a-", "the class is never closed", (1, 10)),
    ("gbnf", 'root ::= ("a" ( "b")\nb ::= "c"', "the '(' is never closed", (1, 10)),
    ("gbnf", 'root ::= "a")', "unexpected ')': no '(' is open", (1, 13)),
    ("gbnf", 'root ::= "a"\n  | "b"', "unexpected '|', expected a rule: name ::= …; a rule goes on over lines behind '|' and in parentheses", (2, 3)),
    ("gbnf", 'root ::= "a" |\nb ::= "c"', "the rule ends in '|', and the next line goes on with it", (1, 14)),
    ("gbnf", 'root ::=\nb ::= "c"', "the rule ends in '::=', and the next line goes on with it", (1, 6)),
    ("gbnf", 'root\n::= "a"', "unexpected '::=', expected '::=' behind the rule's name 'root'", (2, 1)),
    ("gbnf", "root ::= [z-a]", "bad range 'z' to 'a': the first character comes behind the last", (1, 11)),
    ("gbnf", "root ::= [a] []", "the class has no characters, and no text matches it; any character is '.'", (1, 15)),
    ("gbnf", r"root ::= [^\x00-\U0010FFFF]", "the class has no characters, and no text matches it", (1, 10)),
    ("gbnf", r'root ::= "ab\d"', r"unknown escape '\\d', known are \n \r \t \\ ", (1, 13)),
    ("gbnf", r'root ::= "\x4"', r"unknown escape '\\x', known are", (1, 11)),
    ("gbnf", r'root ::= "\U00110000"', r"\U00110000 is no code point", (1, 11)),
    ("gbnf", r'root ::= "\uD83D\uDE00"', "U+D83D is a surrogate", (1, 10)),
    ("gbnf", 'root ::= "\ud800"', "U+D800 is a surrogate", (1, 10)),
    ("gbnf", 'root ::= "a"{2,1}', "bad range 2..1", (1, 13)),
    ("gbnf", 'root ::= "a"{,}', "bad count '{,}', expected {2}, {2,} or {2,5}", (1, 13)),
    ("gbnf", 'root ::= "a" | *', "there is nothing to repeat before '*'", (1, 16)),
    ("gbnf", "root ::= é", "unexpected character 'é'", (1, 10)),
    ("xgrammar", 'root ::= "a" b ::= "c"', "unexpected '::=', expected a part of a rule; a rule's name stands first on its line", (1, 16)),
    ("xgrammar", 'root ::= "a" |', "unexpected the end of the grammar, expected an element; nothing is written \"\"", (1, 15)),
    ("xgrammar", 'root ::= ( | "a")', "unexpected '|', expected an element", (1, 12)),
    ("xgrammar", 'root ::= "a\n"', "the string is never closed on its line", (1, 10)),
    ("xgrammar", "root ::= .", "'.' is no element here; any character is '[^]'", (1, 10)),
    ("xgrammar", 'root ::= "a"+*', "'*' follows another repetition: put the first into parentheses", (1, 14)),
    ("xgrammar", 'root[temperature=-1] ::= "a"', "bad options '[temperature=-1]', known is [temperature=0.7]", (1, 5)),
    ("xgrammar", 'TagDispatch ::= "a"', "'TagDispatch' is a macro and cannot name a rule", (1, 1)),
    ("xgrammar", 'root ::= TagDispatch(("", root))', "a tag or excluded string of TagDispatch is empty", (1, 22)),
    ("xgrammar", 'root ::= TagDispatch(("a", t))', "undefined rule 't'", (1, 22)),
    ("xgrammar", 'root ::= TagDispatch(("<a>", t), excludes=("<a",))\nt ::= "x"', "the tag '<a>' can never come, because '<a' ends in it", (1, 22)),
    ("xgrammar", 'root ::= TagDispatch(("a", t), often=true)\nt ::= "x"', "bad argument 'often' of TagDispatch", (1, 32)),
    ("iso", 'root = "a"', "unexpected the end of the grammar, expected ';' behind the last part of the rule", (1, 11)),
    ("iso", 'root = "a"\nb = "c";', "unexpected 'b', expected ',' between the parts of a sequence", (2, 1)),
    ("iso", "root = 'a' 'b';", "unexpected \"'b'\", expected ',' between the parts of a sequence", (1, 12)),
    ("iso", "root 'a';", "unexpected \"'a'\", expected '=' behind the rule's name 'root'", (1, 6)),
    ("iso", "root = 'a'; ;", "unexpected ';', expected a rule: name = …;", (1, 13)),
    ("xgrammar", "root ::= <think>", "unexpected character '<'", (1, 10)),
    ("gbnf", 'root ::= "a"{1', "the count is never closed", (1, 13)),
    ("iso", "root = ( 'a' ];", "unexpected ']', expected ')', which closes '('", (1, 14)),
    ("iso", "root = 'a' );", "unexpected ')', expected a part: nothing is open", (1, 12)),
    ("iso", "root = ( 'a' ;", "the '(' is never closed", (1, 8)),
    ("iso", "root = '';", "a string has at least one character; nothing is written as nothing", (1, 8)),
    ("iso", "root = 'a;", "the string is never closed", (1, 8)),
    ("iso", "(* (* *) root = 'a';", "the comment is never closed", (1, 1)),
    ("iso", "root = 3 'a';", "unexpected \"'a'\", expected '*' behind 3", (1, 10)),
    ("iso", "root = 'a' - 'b' - 'c';", "unexpected '-', expected one exception: put the first into parentheses", (1, 18)),
    ("iso", "root = 'a' - 'a';", "nothing is left of the exception", (1, 14)),
    ("iso", "root = first nam;\nfirst name = 'a';", "undefined rule 'first nam'; did you mean 'first name'?", (1, 8)),
]  # fmt: skip


@pytest.mark.parametrize(("notation", "text", "message", "place"), ERRORS)
def test_errors_name_what_is_wrong_and_where(notation, text, message, place):
    with pytest.raises((constrain.GrammarError, constrain.UnsatisfiableError)) as caught:
        constrain.gbnf(text) if notation == "gbnf" else constrain.ebnf(text, syntax=notation)
    assert str(caught.value).startswith(f"{'gbnf' if notation == 'gbnf' else 'ebnf'}: {message}")
    assert f"(line {place[0]}, column {place[1]})" in str(caught.value)
    if isinstance(caught.value, constrain.GrammarError):
        assert caught.value.source == text
        at = sum(len(line) + 1 for line in text.split("\n")[: place[0] - 1]) + place[1] - 1
        assert caught.value.span == (at, at)


REFUSED = [
    ("xgrammar", 'root ::= "a" (= "b") "b"', "look-ahead"),
    ("xgrammar", "root ::= TagDispatch(stop_eos=false)", "stop_eos"),
    ("iso", "root = ? any letter ?;", "special sequence"),
    ("iso", "root = 'a' - x; x = 'b', [x];", "recursive exception"),
    ("iso", "root = ['a', root] - 'b';", "recursive exception"),
]


@pytest.mark.parametrize(("notation", "text", "feature"), REFUSED)
def test_what_cannot_be_carried_out_is_refused_by_name(notation, text, feature):
    with pytest.raises(constrain.UnsupportedError) as caught:
        made(notation, text)
    assert caught.value.feature == feature
    assert "line 1, column" in str(caught.value)


def test_arguments_that_are_no_texts_are_errors():
    for call in (lambda: constrain.gbnf(b"root"), lambda: constrain.gbnf("root", 1), lambda: constrain.ebnf("root", syntax="bnf")):
        with pytest.raises(constrain.GrammarError, match="expected"):
            call()


# ---------------------------------------------------------------------------------------------- particulars


@pytest.mark.parametrize(
    ("text", "is_iso"),
    [
        ('root = "::=" ;', True),
        ('root ::= "="', False),
        ("(* a ::= b *) root (* ::= *) = '::=';", True),
        ("# a = b\n  # c = d\nroot ::= '=' ", None),
        ('# (* a = b\nroot[temperature=1] ::= "="', False),
    ],
)
@pytest.mark.filterwarnings("ignore:ebnf. the temperature")
def test_the_first_rule_tells_which_ebnf_it_is(text, is_iso):
    if is_iso is None:
        with pytest.raises(constrain.GrammarError, match="unexpected character"):
            constrain.ebnf(text)
    else:
        assert constrain.ebnf(text).matches("::=" if is_iso else "=")


def test_start_may_be_another_rule():
    assert constrain.gbnf('a ::= "x" b\nb ::= "y"', "b").matches("y")
    assert constrain.ebnf('a ::= "x" b\nb ::= "y"', start="a").matches("xy")
    assert constrain.ebnf('first rule = "x";', start="first rule").matches("x")


def test_a_temperature_is_warned_of():
    with pytest.warns(UserWarning, match=r"temperature of rule 'root' is no property .*line 1, column 5"):
        assert constrain.ebnf('root[temperature = 0.5] ::= "a"').matches("a")


@pytest.mark.parametrize("character", ["\0", "\n", "\r", "\x7f", "\x80", "é", "ß", "ſ", "\u2028", "\ufeff", "\uffff", "日", "\U0001f600", "\U0010ffff", "]", "^", "-", "\\", '"'])
def test_characters_however_they_are_spelt(character):
    code = ord(character)
    spelt = [f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}", f"\\U{code:08X}"]
    spelt += [f"\\x{code:02x}"] if code < 0x100 else []
    spelt += [f"\\{character}" if character in '"\\]-' else character] if character not in "^\r\n\"" else []
    for form in spelt:
        class_forms = [f"[{form}]", f"[y{form}z]", f"[{form}-{form}]"]
        for notation in ("gbnf", "xgrammar"):
            forms = class_forms if notation == "xgrammar" and form in ("\\]", "\\-") else [f'"{form}"', *class_forms]
            for written in forms:
                expr = made(notation, f"root ::= {written}")
                assert expr.matches(character) and not expr.matches("c") and not expr.matches(character * 2), (notation, written)
            assert not made(notation, f"root ::= [^{form}]").matches(character)


def test_line_ends_of_other_systems():
    for end in ("\r\n", "\r"):
        assert constrain.gbnf(f'# one{end}root ::= a |{end}  "b"{end}{end}a ::= "a"{end}').matches("a")
        assert constrain.ebnf(f'# one{end}root ::= a{end}  | "b"{end}{end}a ::= "a"{end}').matches("b")


def dispatched(text: str, at: int, tags: dict[str, set[str]], excludes: list[str], loops: bool) -> bool:
    """Whether TagDispatch takes the rest of the text, by search."""
    found = min(((i + len(s), -len(s), s) for s in (*tags, *excludes) if (i := text.find(s, at)) >= 0), default=None)
    if found is None:
        return True
    end, _, tag = found
    bodies = [body for body in tags.get(tag, ()) if text.startswith(body, end)]
    return any(dispatched(text, end + len(b), tags, excludes, loops) if loops else end + len(b) == len(text) for b in bodies)


@pytest.mark.parametrize("loops", [True, False])
@pytest.mark.parametrize("excludes", [[], ["bb"], ["ba", "aaa"]])
def test_tag_dispatch_is_what_a_search_for_tags_finds(loops, excludes):
    tags = {"ab": {"a", "aé"}, "éé": {"", "b"}}
    listed = "".join(f'"{text}", ' for text in excludes)
    expr = constrain.ebnf(
        f'root ::= TagDispatch(("ab", x), loop_after_dispatch={str(loops).lower()}, ("\\u00e9é", y), excludes=({listed}))\n'
        'x ::= "a" "é"?\ny ::= "b" | ""'
    )
    for text in texts(6):
        assert expr.matches(text) == dispatched(text, 0, tags, excludes, loops), text


# ---------------------------------------------------------------------------------------------- sizes

DEEP = 10_000
CHAIN = 20_000
LARGE = {
    "groups": ("gbnf", lambda: "root ::= " + "(" * DEEP + '"a"' + ")" * DEEP, ["a"], ["", "aa"]),
    "optional groups": ("gbnf", lambda: "root ::= " + '("a" ' * DEEP + '"b"' + ")?" * DEEP, ["", "a", "a" * DEEP + "b"], ["b", "ab"]),
    "repeated groups": ("xgrammar", lambda: "root ::= " + "(" * DEEP + '"a"' + ")*" * DEEP, ["", "aaa"], ["b"]),
    "operators": ("gbnf", lambda: "root ::= a" + "*" * DEEP + '\na ::= "a"', ["", "aaa"], ["b"]),
    "ISO groups": ("iso", lambda: "root = " + "{[" * DEEP + '"a"' + "]}" * DEEP + ";", ["", "aaa"], ["b"]),
    "comments": ("iso", lambda: "(*" * DEEP + "*)" * DEEP + 'root = "a";', ["a"], [""]),
    "exceptions": ("iso", lambda: "root = " + "(" * 1000 + "a" + ' - "b")' * 1000 + '; a = "a" | "b";', ["a"], ["b"]),
    "alternatives": ("gbnf", lambda: "root ::= " + " | ".join(f'"w{i}"' for i in range(CHAIN)), ["w7"], ["w"]),
    "a literal": ("gbnf", lambda: 'root ::= "' + "ab" * 100_000 + '"', ["ab" * 100_000], ["ab"]),
    "counts": ("gbnf", lambda: 'root ::= (("a"{1000000}){1000000}){0,1000000} "b"', ["b"], ["ab"]),
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_large_grammars_compile_in_seconds(name):
    notation, make, accept, reject = LARGE[name]
    text, started = make(), time.process_time()
    expr = made(notation, text)
    assert time.process_time() - started < 20
    assert all(map(expr.matches, accept)) and not any(map(expr.matches, reject))


CHAINS = [
    ("r%d", ["x"], ["", "xx"]),
    ('"a" r%d', ["a" * CHAIN + "x"], ["ax", "x"]),
    ('r%d "a"', ["x" + "a" * CHAIN], ["xa", "x"]),
    ('r%d? "b"', ["x" + "b" * CHAIN, "b", "bb"], ["", "x"]),
]


@pytest.mark.parametrize(("body", "accept", "reject"), CHAINS)
def test_a_chain_of_rules_compiles_in_seconds(body, accept, reject):
    text = "root ::= r0\n" + "".join(f"r{i} ::= {body % (i + 1)}\n" for i in range(CHAIN)) + f'r{CHAIN} ::= "x"'
    started = time.process_time()
    expr = constrain.gbnf(text)
    assert all(map(expr.matches, accept)) and not any(map(expr.matches, reject))
    assert time.process_time() - started < 30


def test_counts_beyond_all_measure_are_refused():
    for digits in ("2000000000", "9" * 5000):
        with pytest.raises(constrain.LimitExceeded) as caught:
            constrain.gbnf(f'root ::= "a"{{0,{digits}}}')
        assert caught.value.limit == "max_count"
        with pytest.raises(constrain.LimitExceeded):
            constrain.ebnf(f'root = {digits} * "a";')


def test_too_many_rules_that_begin_with_each_other_are_refused():
    count = 300
    text = "root ::= r0\n" + "".join(f'r{i} ::= r{(i + 1) % count} "a" | "b"\n' for i in range(count))
    with pytest.raises(constrain.LimitExceeded, match="^gbnf: .* rules that begin with each other"):
        constrain.gbnf(text)
