"""Ambiguous grammars give the verdicts of Lark's Earley parser, and every prefix of a long text stays alive."""

from __future__ import annotations

from functools import cache

import lark
import pytest

import constrain

from .ambiguous_grammars import GRAMMARS, Ambiguous
from .grammar_corpus import lark_of

each_grammar = pytest.mark.parametrize("ambiguous", GRAMMARS, ids=lambda g: g.name)


@cache
def expr_of(ambiguous: Ambiguous) -> constrain.Expr:
    return constrain.lark(ambiguous.grammar, lexer="dynamic")


@each_grammar
def test_lark_agrees_about_the_texts(ambiguous):
    parser = lark_of(ambiguous.grammar, "dynamic", "earley")
    for n in (20, 33, 45):
        parser.parse(ambiguous.accept(n))
    for text in ambiguous.reject:
        with pytest.raises(lark.exceptions.UnexpectedInput):
            parser.parse(text)


@each_grammar
def test_texts_are_as_long_as_asked(ambiguous):
    assert all(n - 40 < len(ambiguous.accept(n)) <= n for n in (100, 1000, 2500, 5000))


@each_grammar
def test_short_texts(ambiguous):
    assert expr_of(ambiguous).matches(ambiguous.accept(40))
    assert [text for text in ambiguous.reject if expr_of(ambiguous).matches(text)] == []


@each_grammar
def test_long_texts(ambiguous):
    text = ambiguous.accept(1000)
    assert expr_of(ambiguous).explain(text).matches
    assert expr_of(ambiguous).explain(text[:777] + "\0" + text[777:]).offset == 777
