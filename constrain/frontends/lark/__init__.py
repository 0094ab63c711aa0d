"""Grammars in Lark's language, with what llguidance added to it: `constrain.lark`.

`syntax` reads the text, `reader` finds what names mean and makes a `grammar`, `terminals` and `preference` say what a
terminal matches, `lexing` which lexeme stands where, `recursion` rewrites left recursion, `writer` makes the expression.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import LarkError
from ...expr import Expr
from .reader import LarkReader
from .writer import write

__all__ = ["lark"]

LEXERS = ("contextual", "basic", "dynamic")


def lark(
    text: str, *, start: str = "start", lexer: str = "contextual", imports: Mapping[str, str] | None = None, **json_options: Any
) -> Expr:
    r"""The texts of a grammar in Lark's language, as an expression.

    `lexer` is the reading, each that of Lark's lexer of this name: "contextual" (the default), terminals are greedy and
    keywords beat names where both may stand; "basic", keywords are reserved everywhere; "dynamic", no lexer: terminals
    match whatever they can. `imports` are grammars by name for `%import`, beside Lark's own; `json_options` are keywords of
    `json_schema` for `%json`. Raises LarkError with line and column where the grammar is not well-formed,
    UnsupportedError for what cannot be exact, UnsatisfiableError where no text satisfies it.

    >>> import constrain
    >>> sums = constrain.lark('start: NUMBER ("+" NUMBER)*\n%import common.NUMBER\n%ignore " "')
    >>> sums.matches("1 + 2.5"), sums.matches("1 2")
    (True, False)
    """
    if not isinstance(text, str):
        raise LarkError(f"lark: the grammar is a {type(text).__name__}, expected a text")
    if lexer not in LEXERS:
        raise LarkError(f"lark: lexer is {lexer!r}, expected one of {', '.join(map(repr, LEXERS))}")
    reader = LarkReader(text, start, lexer, imports or {}, json_options)
    return write(reader.read(), reader.expr_set, lexer)
