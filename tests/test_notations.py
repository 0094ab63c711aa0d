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
