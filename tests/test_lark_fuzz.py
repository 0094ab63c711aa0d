"""Texts of grammars, mutated: whatever is wrong with one is said by an error of the family, with its place."""

from __future__ import annotations

import random
import re
import warnings

import pytest

import constrain
from constrain import ConstrainError, LarkError, UnsupportedError

from .lark_cases import CASES, SPECIAL_TOKENS

VOCABULARY = constrain.Vocabulary([bytes([b]) for b in range(256)] + [None] * 64, end_ids=[256], special_tokens=SPECIAL_TOKENS)
LIMITS = constrain.Limits(max_steps=100_000)
SEEDS = [case.grammar for case in CASES if not case.options and len(case.grammar) < 400]
PIECES = [
    '"', "'", "/", "(", ")", "[", "]", "{", "}", "|", ":", "::", "::0", "::_", "%if", " %if bit_set(1)", "->", "~", "~2", "&", "*", "+", "?",
    "..", ".", ",", "\n", "\n|", " ", "\\", "-", "_", "<think>", "<[1-9]>", "<[^", "<[*]>", "%ignore ", "%import ", "%import common.INT\n",
    "%json ", "%json {", "%regex {", "%lark {", "%llguidance {", '%llguidance {"no_forcing": 1}\n', "%declare X\n", "%override ", "%extend ",
    "start", "start: ", "A", "a", "[lazy]", '[stop="x"]', "[suffix=/x/]", "[capture]", "[max_tokens=3]", "!", "?", "$", "#", "//", "é", "\ud800",
    "\x00", "9" * 30, "{2}", "{99999999999}", "{,", "{3,1}", "i", '"i', "/s", '""', "//", "/(?=a)/", "/(?<=a)/", "/\\b/", "/[/", "/(/", "/a**/",
]  # fmt: skip


def mutated(rng: random.Random) -> str:
    text = rng.choice(SEEDS)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(text) + 1)
        end = min(len(text), at + rng.choice((0, 0, 1, 1, 2, 5, 12)))
        other = rng.choice(SEEDS)
        start = rng.randrange(len(other))
        new = rng.choice((rng.choice(PIECES), "", other[start : start + rng.randrange(1, 16)], text[at:end] * 2))
        text = text[:at] + new + text[end:]
    return text


def outcome(text: str) -> str:
    """What becomes of a text; anything but an error of the family goes on upwards."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expr = constrain.lark(text)
            constrain.compile(expr, VOCABULARY, LIMITS)
            assert expr.set.required() or expr.matches(expr.sample(len(text))), text
    except LarkError as error:
        assert error.source is not None and error.span is not None, error
        lines = str(error).split("\n")
        place = re.search(r"\(line (\d+), column (\d+)( of '.*')?\)$", lines[0])
        assert place, error
        at = error.span[0]
        assert (int(place[1]), int(place[2])) == (error.source.count("\n", 0, at) + 1, at - error.source.rfind("\n", 0, at))
        assert lines[-1].strip("^ ") == "" and "__anon" not in lines[0].lower(), error
        return "LarkError"
    except UnsupportedError as error:
        assert str(error).startswith("compile: ") or re.search(r"\(line \d+, column \d+\)$", str(error)), error
        return "UnsupportedError"
    except ConstrainError as error:
        return type(error).__name__
    return "made"


@pytest.mark.parametrize("seed", range(6))
def test_mutated_grammars_are_made_or_refused(seed):
    rng = random.Random(seed)
    outcomes = [outcome(mutated(rng)) for _ in range(40)]
    assert {"LarkError", "made"} <= set(outcomes)


def test_what_once_ended_the_process():
    """Ignored text that ends where it begins; an intersection with a grammar whose lexemes may block."""
    expr = constrain.lark('start: "a" "b"\nC: "/*" /[^*]*/ " /"\n%ignore C')
    assert all(expr.matches(expr.sample(seed)) for seed in range(20))
    both = constrain.lark('start: ("x" %json {"type": "integer"} "y" | /[^{]+/)') & constrain.regex("(?s:.*xq.*)")
    assert not both.is_empty() and both.matches("axqb")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("%grammar\nstart: A", "expected '%declare', '%extend', '%ignore', '%import', '%override', a rule name"),
        ("start: a:", "unexpected ':', expected"),
        ("start: /a(?=b)/", "look-ahead, .* in a terminal (line 1, column 8)"),
        ("start: x\nx: %lark { start: /a(?!b)/ }", "in %lark: regex .* (line 2, column 4)"),
        ('start: %json {"type": "array", "uniqueItems": true}', "in %json: json schema: .* (line 1, column 8)"),
        ("start: p::0", "undefined rule 'p' (line 1, column 8)"),
        ('start: "a" %if true', "'%if' stands in a rule without a number"),
    ],
)
def test_messages_say_what_and_where(text, words):
    with pytest.raises((LarkError, UnsupportedError)) as error:
        constrain.lark(text)
    pattern = re.escape(words).replace(r"\.\*", ".*")
    assert re.search(pattern, str(error.value)), error.value
