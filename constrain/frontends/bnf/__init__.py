r"""Grammars in the notations of llama.cpp, XGrammar and ISO/IEC 14977: `constrain.gbnf` and `constrain.ebnf`.

`ggml` reads the first two, which write `::=`, `iso` the third; `characters` has escapes and classes, `definitions` what all
share: parts put together, names found. What comes out is the Grammar of the Lark front-end, written by its writer without a
lexer: every part matches whatever it can. Held by tests/test_notations.py and the cases in tests/notation_cases.py.
"""

from __future__ import annotations

import re

from ...errors import GrammarError
from ...expr import Expr
from ..lark.syntax import Source
from ..lark.writer import write
from .definitions import Definitions
from .exceptions import resolve_exceptions
from .ggml import GBNF, XGRAMMAR, read_ggml
from .iso import read_iso, skip_comment

__all__ = ["ebnf", "gbnf"]

SYNTAXES = ("xgrammar", "iso")


def gbnf(text: str, start: str = "root") -> Expr:
    r"""The texts of a grammar in llama.cpp's notation (GBNF), as an expression.

    `start` is the rule to begin with. Left recursion is allowed, and counts are not limited. Raises GrammarError with line and
    column where the grammar is not well-formed, UnsupportedError for elements that name tokens, UnsatisfiableError
    where no text satisfies it.

    >>> import constrain
    >>> moves = constrain.gbnf('root ::= move ("," move){1,2}\nmove ::= [a-h] [1-8] | "O-O" "-O"?')
    >>> moves.matches("e4,O-O"), moves.matches("e4"), moves.matches("e9,e4")
    (True, False, False)
    """
    definitions = _definitions("gbnf", text, start)
    read_ggml(definitions, GBNF)
    return _written(definitions, start)


def ebnf(text: str, start: str = "root", *, syntax: str | None = None) -> Expr:
    r"""The texts of a grammar in XGrammar's EBNF ("xgrammar") or in that of ISO/IEC 14977 ("iso"), as an expression.

    Which `syntax` it is shows in the first rule, `name ::= …` or `name = …;`, and need not be given; `start` is the rule to
    begin with. A rule's sampling temperature is no property of its texts: it is read and warned of. Raises GrammarError
    with line and column where the grammar is not well-formed, UnsupportedError for what cannot be exact (special
    sequences, elements that name tokens), UnsatisfiableError where no text satisfies it.

    >>> import constrain
    >>> sums = constrain.ebnf('root ::= number ([-+] number)*\nnumber ::= [0-9]+ | "(" root ")"')
    >>> sums.matches("1+(2-30)"), sums.matches("1+")
    (True, False)
    >>> constrain.ebnf('root = digit, { digit | "_" } ; digit = "0" | "1" ;').matches("1_01")
    True
    """
    definitions = _definitions("ebnf", text, start)
    if syntax is not None and syntax not in SYNTAXES:
        raise GrammarError(f"ebnf: syntax is {syntax!r}, expected one of {', '.join(map(repr, SYNTAXES))}")
    if (syntax or _syntax_of(definitions.source)) == "iso":
        read_iso(definitions)
    else:
        read_ggml(definitions, XGRAMMAR)
    return _written(definitions, start)


def _definitions(notation: str, text: object, start: object) -> Definitions:
    for what, value in (("the grammar", text), ("start", start)):
        if not isinstance(value, str):
            raise GrammarError(f"{notation}: {what} is a {type(value).__name__}, expected a text")
    return Definitions(Source(str(text), notation=notation, error=GrammarError))


def _written(definitions: Definitions, start: str) -> Expr:
    grammar = definitions.finish(start)
    resolve_exceptions(definitions, grammar)
    return write(grammar, definitions.expr_set, "dynamic")


_LANDMARK = re.compile(r"#[^\r\n]*|\(\*|\[[^\]\n]*\]\s*::=|::=|=")


def _syntax_of(source: Source) -> str:
    """By what defines the first rule; comments of either syntax may stand before it."""
    at = 0
    while found := _LANDMARK.search(source.text, at):
        if found[0] == "=":
            return "iso"
        if found[0].endswith("::=") and not found[0].startswith("#"):
            return "xgrammar"
        at = skip_comment(source, found.start()) if found[0] == "(*" else found.end()
    source.fail("there is no rule: expected 'name ::= …', or 'name = …;' as in ISO/IEC 14977", len(source.text))
