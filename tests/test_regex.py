"""Regexes against `re.fullmatch`, the two ways with assertions against each other, ECMA-262, errors, hostile patterns.

The cases are data (corpus/regex.jsonl); patterns drawn by hypothesis come from a grammar of all that is supported.
"""

from __future__ import annotations

import gzip
import itertools
import json
import random
import re
import shutil
import subprocess
import time
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constrain._native import ExprSet
from constrain.errors import ConstrainError, GrammarError, LimitExceeded, RegexError, UnsupportedError
from constrain.frontends import regex_looks
from constrain.frontends.regex import compile_regex, regex
from constrain.frontends.regex_automaton import automaton_table
from constrain.frontends.regex_looks import ANY_TEXT, Unsettled, settle
from constrain.frontends.regex_syntax import parse
from constrain.frontends.regex_tree import concat
from constrain.frontends.utf8 import Alphabet, CodePoints, Utf8Alphabet
from tests import reference
from tests.conftest import ROOT, shared_path

CORPUS = [json.loads(line) for line in (ROOT / "tests" / "corpus" / "regex.jsonl").open(encoding="utf-8")]
MATCHING = [case for case in CORPUS if "accept" in case]
FAILING = [case for case in CORPUS if "error" in case]
ERRORS = {"RegexError": RegexError, "UnsupportedError": UnsupportedError, "LimitExceeded": LimitExceeded}


def compiled(case: dict):
    return regex(case["pattern"], case.get("flags", ""), syntax=case.get("syntax", "python"))


@pytest.mark.parametrize("case", MATCHING, ids=lambda c: c["pattern"][:30])
def test_corpus_accepts_and_rejects(case):
    expr = compiled(case)
    for text in case["accept"]:
        assert expr.matches(text), text
    for text in case["reject"]:
        assert not expr.matches(text), text


def test_corpus_agrees_with_re():
    for case in MATCHING:
        if "syntax" in case or case.get("note", "").startswith(("not part of re", "surrogates")):
            continue
        flags = sum(int(getattr(re, letter.upper())) for letter in case.get("flags", ""))
        try:
            pattern = re.compile(case["pattern"], flags)
        except re.error:
            assert "+" in case["pattern"] or "(?>" in case["pattern"]  # possessive and atomic came with Python 3.11
            continue
        assert all(pattern.fullmatch(text) for text in case["accept"]), case
        assert not any(pattern.fullmatch(text) for text in case["reject"]), case


@pytest.mark.parametrize("case", FAILING, ids=lambda c: c["pattern"][:30])
def test_corpus_errors_name_the_thing_and_the_place(case):
    with pytest.raises(ConstrainError) as caught:
        compiled(case)
    message = str(caught.value)
    assert type(caught.value) is ERRORS[case["error"]]
    assert f"at offset {case['offset']}" in message and case.get("says", "") in message
    assert "^" in message.splitlines()[-1]
    if isinstance(caught.value, GrammarError):
        assert caught.value.source == case["pattern"] and caught.value.span[0] == case["offset"]


# ------------------------------------------------------------------------------------- drawn patterns

ATOMS = [
    "a", "b", "c", "ab", ".", "[ab]", "[^a]", r"\w", r"\W", r"\s", r"\n", "-", "[b-c-]", r"\d", "1", "é", "[a-é]", r"\x41",
]  # fmt: skip
ASSERTIONS = ["^", "$", r"\b", r"\B", r"\A", r"\Z", "(?m:^)", "(?m:$)"]
QUANTIFIERS = ["*", "+", "?", "{2}", "{1,2}", "{,3}", "{2,}", "*?", "??", "{0}", "{1,3}?"]
LOOKS = ["=", "!", "<=", "<!"]
TEXTS = ["".join(t) for n in range(4) for t in itertools.product("ab-\n", repeat=n)]
_random = random.Random(5)
TEXTS += ["".join(_random.choice("aAbBcC1- \né_") for _ in range(_random.randrange(2, 9))) for _ in range(120)]


def _larger(inner):
    return st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda p: f"(?:{p[0]}|{p[1]})"),
        st.tuples(inner, st.sampled_from(QUANTIFIERS)).map(lambda p: f"(?:{p[0]}){p[1]}"),
        st.tuples(st.sampled_from(LOOKS), inner).map(lambda p: f"(?{p[0]}{p[1]})"),
        inner.map(lambda p: f"(?i:{p})"),
        inner.map(lambda p: f"({p}|)"),
    )


PATTERNS = st.recursive(st.sampled_from(ATOMS * 3 + ASSERTIONS), _larger, max_leaves=7)


def python_pattern(pattern: str, flags: int = 0):
    """`re`'s own reading; None where it refuses, as look-behind of two widths."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return re.compile(pattern, flags)
        except re.error:
            return None


@settings(max_examples=400, deadline=None)
@given(PATTERNS, st.booleans())
def test_drawn_patterns_agree_with_re(pattern, search):
    expected = python_pattern(pattern)
    if expected is None:
        return
    try:
        expr = regex(pattern, search=search)
    except LimitExceeded:
        return
    found = expected.search if search else expected.fullmatch
    for text in TEXTS:
        assert expr.matches(text) == bool(found(text)), (pattern, text)


@settings(max_examples=150, deadline=None)
@given(PATTERNS)
def test_equations_and_automaton_agree(pattern):
    tree = parse(pattern)
    if tree.plain:
        return
    alphabet = Utf8Alphabet(ExprSet())
    try:
        by_automaton = automaton_table(tree, alphabet)
        by_equations = compile_regex(settle(tree), alphabet)
    except (LimitExceeded, Unsettled):
        return
    for text in TEXTS:
        encoded = text.encode()
        assert alphabet.set.matches(by_automaton, encoded) == alphabet.set.matches(by_equations, encoded), text


TOKENS = [
    *"aabA1b-^$.|()()[]{}*+?,\\ \n#:=!<>P", "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?i)", "(?x)", "(?s)", "(?a)", "(?i:", "(?-i:", "(?P<n>",
    "(?P=n)", "(?>", "(?#", r"\d", r"\w", r"\W", r"\b", r"\B", r"\A", r"\Z", r"\1", r"\0", r"\07", r"\101", r"\x41", r"\u0041", r"\q", r"\-",
    "{2}", "{1,2}", "{,2}", "{2,}", "{,}", "{}", "{2,1}", "[^", "[a-c]", "[]a]", "[^]]", "[a-", r"\]", "é", "ß", "ſ", "K", "İ", "Σ", "*?",
]  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=8).map("".join))
def test_any_text_is_read_as_re_reads_it(pattern):
    expected = python_pattern(pattern)
    try:
        expr = regex(pattern)
    except UnsupportedError:
        return
    except RegexError:
        assert expected is None, pattern
        return
    if expected is None:
        # Look-behind of two widths is more than re has; possessive and atomic came to re with 3.11, as did its rule for flags.
        assert "(?<" in pattern or "+" in pattern or "(?>" in pattern, pattern
        return
    for text in ["", "a", "A", "b", "aa", "ab", "1", "\n", "a\n", "ß", "ẞ", "s", "S", "ſ", "k", "K", "i", "İ", "ı", "σ", "-", "^"]:
        assert expr.matches(text) == bool(expected.fullmatch(text)), (pattern, text)


def test_small_patterns_exhaustively():
    """Every pattern of up to three parts over a small set of them, on every text of up to three characters."""
    parts = ["a", "b", ".", "[^a]", "^", "$", r"\b", "(?=a)", "(?!a)", "(?<=a)", "(?<!b)", "a*", "(?:ab)?", "(?:a|$)*"]
    texts = ["".join(t) for n in range(4) for t in itertools.product("ab\n", repeat=n)]
    for count in (1, 2, 3):
        for chosen in itertools.product(parts, repeat=count):
            pattern = "".join(chosen)
            expr, expected = regex(pattern), re.compile(pattern)
            for text in texts:
                assert expr.matches(text) == bool(expected.fullmatch(text)), (pattern, text)


@pytest.mark.parametrize("pattern", [r"(a|ab)(c|bcd)*", r"[a-c]{2,3}b?", r"(ab|a)*b{1,2}", r"a(b|c)*?a|cc", r"((a|b)c?){2}", r".a."])
def test_regular_patterns_agree_with_interegular(pattern):
    interegular = pytest.importorskip("interegular", reason="interegular is not installed")
    automaton = interegular.parse_pattern(pattern).to_fsm()
    expr = regex(pattern)
    for n in range(6):
        for text in map("".join, itertools.product("abc", repeat=n)):
            assert expr.matches(text) == automaton.accepts(text), text


# -------------------------------------------------------------------------------- alphabets, and arguments


class Rot(Alphabet):
    """An alphabet that spells every character as a hash sign and its UTF-8 bytes."""

    def spell(self, points: CodePoints) -> int:
        return self.set.concat([self.set.literal(b"#"), Utf8Alphabet.spell(self, points)])


@pytest.mark.parametrize("pattern", [r"a+\w", r"(?!ab)\w+", r"(?:(?!ab).)*", r"(?:^a|b)*c", r"a|bc|dé", r"[^a]\b.?"])
@pytest.mark.parametrize("make_set", [ExprSet, reference.ExprSet])
def test_the_compiler_works_over_any_spelling_and_any_set(pattern, make_set):
    alphabet = Rot(make_set())
    root = compile_regex(pattern, alphabet)
    for text in ["", "a", "ab", "aé", "abc", "ba", "bc", "dé", "acb", "bbc", "-", "-a", "é-"]:
        spelt = b"".join(b"#" + c.encode() for c in text)
        assert alphabet.set.matches(root, spelt) == bool(re.fullmatch(pattern, text)), text
        assert not text or not alphabet.set.matches(root, text.encode())


def test_a_compiled_pattern_brings_its_flags():
    assert regex(re.compile("a.b", re.I | re.S)).matches("A\nB")
    assert regex("a b", re.X | re.I).matches("AB")
    assert regex("a.", "is").matches("A\n")


@pytest.mark.parametrize(
    ("pattern", "flags"), [("a", "q"), ("a", "L"), ("a", re.A | re.U), ("a", 1 << 20), (b"a", ""), (None, ""), (re.compile(b"a"), "")]
)
def test_bad_arguments_are_regex_errors(pattern, flags):
    with pytest.raises(RegexError):
        regex(pattern, flags)
    with pytest.raises(RegexError):
        regex("a", syntax="pcre")


def test_only_valid_utf8_matches():
    expr = regex("(?s).*")
    for raw in (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80"):
        assert not expr.set.matches(expr.root, raw)
    with pytest.raises(ConstrainError):
        expr.matches("\ud800")


def test_patterns_from_schemas_agree_with_a_search():
    """ECMA-262 and Python differ in `\\d \\w \\s .` beyond ASCII only, so over ASCII texts `re.search` is the oracle."""
    path = shared_path("maskbench", "public.jsonl.gz")
    patterns: set[str] = set()
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            todo = [json.loads(line)["schema"]]
            while todo:
                item = todo.pop()
                if isinstance(item, dict):
                    patterns |= {v for k, v in item.items() if k == "pattern" and isinstance(v, str)}
                    patterns |= set(item["patternProperties"]) if isinstance(item.get("patternProperties"), dict) else set()
                    todo += item.values()
                elif isinstance(item, list):
                    todo += item
    chooser = random.Random(3)
    texts = ["".join(chooser.choice("aZ09-_./: @#%") for _ in range(chooser.randrange(9))) for _ in range(40)]
    assert len(patterns) > 400
    for pattern in sorted(patterns):
        expr, expected = regex(pattern, syntax="ecma"), re.compile(pattern, re.A)
        for text in [*texts, expr.sample(seed=1), expr.sample(seed=2)]:
            if text.isascii() and not re.search("[\n\r\x1c-\x1f]", text):
                assert expr.matches(text) == bool(expected.search(text)), (pattern, text)


def test_ecma_patterns_agree_with_a_javascript_engine(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("no JavaScript engine (node) is installed")
    chooser = random.Random(11)
    atoms = ["a", "b", ".", "[ab]", "[^a]", r"\w", r"\W", r"\s", r"\S", "-", r"\d", r"\p{L}", r"[\p{Lu}\d]", r"\u0061", "[^]", "[]", r"\cJ", "é"]
    atoms += ["^", "$", r"\b", r"\B"]

    def draw(depth: int) -> str:
        kind = chooser.randrange(10) if depth else 0
        if kind < 3:
            return chooser.choice(atoms)
        if kind < 5:
            return draw(depth - 1) + draw(depth - 1)
        if kind < 7:
            return f"(?:{draw(depth - 1)}|{draw(depth - 1)})"
        if kind < 8:
            return f"({draw(depth - 1)}){chooser.choice(['*', '+', '?', '{2}', '{0,3}', '{2,}', '*?'])}"
        return f"(?{chooser.choice(LOOKS)}{draw(depth - 1)})"

    patterns = [draw(chooser.randrange(1, 5)) for _ in range(1500)]
    texts = ["".join(t) for n in range(4) for t in itertools.product("ab-\n", repeat=n)]
    texts += ["".join(chooser.choice("abA1-\n é\r\u2028_\ufeff") for _ in range(chooser.randrange(1, 7))) for _ in range(60)]
    (tmp_path / "in.json").write_text(json.dumps([patterns, texts]))
    script = (
        "const fs = require('fs'), [ps, ts] = JSON.parse(fs.readFileSync(process.argv[1], 'utf8'));"
        "console.log(JSON.stringify(ps.map(p => { const r = new RegExp(p, 'u'); return ts.map(t => r.test(t)) })))"
    )
    done = subprocess.run([node, "-e", script, str(tmp_path / "in.json")], capture_output=True, text=True, check=True)
    for pattern, verdicts in zip(patterns, json.loads(done.stdout)):
        try:
            expr = regex(pattern, syntax="ecma")
        except LimitExceeded:
            continue
        for text, verdict in zip(texts, verdicts):
            assert expr.matches(text) == verdict, (pattern, text)


# ---------------------------------------------------------------------------------------------- hostile

NESTS = [
    "(" * 100_000 + "a" + ")" * 100_000,
    "(" * 100_000 + "a" + ")*" * 100_000,
    "(" * 30_000 + "a" + "|bc)" * 30_000,
    "(" * 30_000 + "a" + "[bc])" * 30_000,
    "^" + "(" * 30_000 + "a" + "|bc)" * 30_000 + "$",
    "|".join(["a", "bc*"] * 30_000),
    "|".join(f"^a{n}$" for n in range(3000)),
    "(^|a)" * 30,
    "(?=" * 2000 + "a" + ")" * 2000 + "a",
    "(?<!" * 2000 + "ab" + ")" * 2000 + "ab",
    "(?:" * 2000 + "a$" + ")*" * 2000,
    "(" * 100_000,
    "[" * 100_000,
    "((a{100}){100}){100}",
    "(?:a{99999}){99999}",
    "(x+x+)+y",
    "(?:a?){100000}",
    r"(?:\b\w{1,1000}\b ?){0,1000}",
]


@pytest.mark.parametrize("number", range(len(NESTS)))
def test_hostile_patterns_are_answered_or_refused(number):
    start = time.process_time()
    try:
        expr = regex(NESTS[number])
    except ConstrainError:
        expr = None
    assert time.process_time() - start < 10
    if expr is not None:
        expr.matches("abc")


def test_ten_thousand_alternatives_are_fast():
    words = [f"w{n:05d}" for n in range(10_000)]
    best = 9.0
    for _ in range(3):
        parse.cache_clear()
        start = time.process_time()
        expr = regex("|".join(words))
        best = min(best, time.process_time() - start)
    assert best < 0.3
    assert expr.matches("w00000") and expr.matches("w09999") and not expr.matches("w10000") and not expr.matches("w0000")


def test_counts_cost_nothing():
    expr = regex("(?:[a-z]{1,100000}-){0,100000}")
    assert expr.set.size() < 200
    assert expr.matches("ab-" * 50) and not expr.matches("ab-a")


@pytest.mark.parametrize("number", range(1, 9))
def test_shared_hostile_regexes(number):
    lines = shared_path("hostile.jsonl").open(encoding="utf-8")
    case = next(c for c in map(json.loads, lines) if c["id"] == f"P-R{number:02d}")
    pattern = eval(case["gen"]) if "gen" in case else case["input"]
    start = time.process_time()
    try:
        expr = regex(pattern)
    except ConstrainError as error:
        assert case["expect"] != "ok"
        assert any(word in str(error) for word in case["must_name"])
        return
    assert case["expect"] != "error"
    assert time.process_time() - start < case.get("limit_s", 2)
    assert all(expr.matches(text) for text in case.get("accept", []))
    assert not any(expr.matches(text) for text in case.get("reject", []))


# ------------------------------------------------------------------------------------------- form, speed


@pytest.mark.parametrize(
    ("pattern", "printed"),
    [("^a+$", "a+"), ("^a|b$", None), (r"(?a)^\bfoo\b$", "foo"), ("(?!-)[a-z-]{1,9}(?<!-)", None), ("^(?:a|b)?$", None)],
)
def test_common_anchored_shapes_need_no_intersection(pattern, printed):
    expr = regex(pattern, syntax="python", search=True)
    text = expr.set.to_string(expr.root, 10_000)
    assert "&" not in text and "~" not in text
    if printed:  # Python's `$` also stands before a last newline
        assert text.startswith(printed)


def test_an_anchored_search_is_settled_without_surrounding_text():
    tree = settle(concat([ANY_TEXT, parse("^a$|^b", 0, "ecma"), ANY_TEXT]))
    assert tree.min_length == 1 and not any(part is ANY_TEXT for part in getattr(tree.parts[0], "parts", [])[:1])
    assert regex_looks.settle(parse("^abc$", 0, "ecma")).text == "abc"


def test_compiling_a_common_pattern_is_quick():
    pattern = r"[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}"
    regex(pattern)
    best = 1.0
    for _ in range(20):
        start = time.perf_counter()
        regex(pattern)
        best = min(best, time.perf_counter() - start)
    assert best < 150e-6 * 4  # 16 µs on the machine of benchmarks/; room for a slow one
