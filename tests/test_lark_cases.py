"""What the peers document about grammars holds here, case by case; what is plain Lark is checked with Lark as well."""

from __future__ import annotations

from collections import Counter
from functools import cache

import lark
import pytest

import constrain

from .grammar_corpus import lark_of
from .lark_cases import CASES as LARK_CASES
from .lark_cases import SPECIAL_TOKENS, VOCABULARY_SIZE, Case, Text
from .notation_cases import CASES as OTHER_CASES

CASES = [*LARK_CASES, *OTHER_CASES]
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


@cache
def vocabulary() -> constrain.Vocabulary:
    """A token for every byte, the end, and the special tokens of the cases."""
    tokens: list[bytes | None] = [bytes([b]) for b in range(256)]
    tokens += [None] * (VOCABULARY_SIZE - len(tokens))
    return constrain.Vocabulary(tokens, end_ids=[256], special_tokens=SPECIAL_TOKENS)


def made(case: Case) -> constrain.Expr:
    return getattr(constrain, case.notation)(case.grammar, **case.options)


def accepts(case: Case, text: Text) -> bool:
    """By the expression where that can be told from bytes, and always by a matcher."""
    expr = made(case)
    matcher = constrain.compile(expr, vocabulary()).matcher()
    pieces = text if isinstance(text, tuple) else (text,)
    ids = [i for piece in pieces for i in ([piece] if isinstance(piece, int) else piece.encode())]
    verdict = matcher.accept_tokens(ids) == len(ids) and matcher.is_accepting()
    if not case.has_tokens:
        assert expr.matches(text) == verdict, "the expression and its matcher differ"
    return verdict


def test_there_are_enough_cases():
    counts = Counter(case.notation for case in CASES)
    assert counts["lark"] >= 80 and counts["gbnf"] >= 25 and counts["ebnf"] >= 20
    assert max(Counter(case.id for case in CASES).values()) == 1
    assert all(case.accept or case.reject or case.error for case in CASES)


@pytest.mark.parametrize("case", [case for case in LARK_CASES if case.lark], ids=lambda case: case.id)
def test_lark_says_the_same(case):
    parser = lark_of(case.grammar, case.lark, "earley" if case.lark == "dynamic" else "lalr", case.options.get("start", "start"))
    for text in case.accept:
        parser.parse(text)
    for text in case.reject:
        with pytest.raises(lark.exceptions.UnexpectedInput):
            parser.parse(text)


@each_case
def test_documented(case):
    if case.error:
        with pytest.raises(getattr(constrain, case.error)):
            expr = made(case)
            if case.late:
                constrain.compile(expr, vocabulary())
        return
    assert [text for text in case.accept if not accepts(case, text)] == []
    assert [text for text in case.reject if accepts(case, text)] == []
