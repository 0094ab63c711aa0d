"""Floor 3: a list of strings, as its minimal automaton.

The core sorts the strings and builds the automaton bottom-up, so a million of them cost a second. Held by
tests/test_choice.py.
"""

from __future__ import annotations

from collections.abc import Iterable

from constrain._native import ExprSet
from constrain.errors import GrammarError
from constrain.expr import Expr

__all__ = ["choice"]


def choice(strings: Iterable[str]) -> Expr:
    """One of the given strings, exactly.

    Any number of them; repeats are harmless, and a string may be a prefix of another. Raises `GrammarError` for an empty
    list, for an item that is no string and for one with a lone surrogate, naming its index.

    >>> choice(["a", "ab"]).matches("ab")
    True
    """
    if isinstance(strings, (str, bytes)):
        raise GrammarError(f"choice: a list of strings is needed, given the single {type(strings).__name__} {strings!r:.60}")
    texts = list(strings)
    if not texts:
        raise GrammarError("choice: at least one string is needed, given an empty list")
    try:
        encoded = [text.encode() for text in texts]
    except (AttributeError, UnicodeEncodeError):
        raise _bad_item(texts) from None
    expr_set = ExprSet()
    return Expr(expr_set, expr_set.literals(encoded))


def _bad_item(texts: list[str]) -> GrammarError:
    """The error for the first item that cannot be encoded."""
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            return GrammarError(f"choice: item {index} is {text!r:.60}, a {type(text).__name__}; a str is needed")
        if any(0xD800 <= ord(c) <= 0xDFFF for c in text):
            return GrammarError(f"choice: item {index}, {text!r:.60}, holds a lone surrogate, which no UTF-8 text can")
    return GrammarError("choice: an item cannot be encoded")
