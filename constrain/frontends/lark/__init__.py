"""Grammars in Lark's language, with what llguidance added to it: `constrain.lark`.

`syntax` reads the text, `reader` finds what names mean and makes a `grammar`, `terminals` and `preference` say what a
terminal matches, `lexing` which lexeme stands where, `recursion` rewrites left recursion, `writer` makes the expression.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import LarkError
from ...expr import Expr
from .grammar import Grammar
from .marks import Mark
from .reader import LarkReader
from .writer import Written, write, write_in_full

__all__ = ["Reading", "lark", "read_lark"]

LEXERS = ("contextual", "basic", "dynamic")


def lark(
    text: str, *, start: str = "start", lexer: str = "contextual", imports: Mapping[str, str] | None = None, **json_options: Any
) -> Expr:
    r"""The texts of a grammar in Lark's language, as an expression.

    `lexer` is the reading, each that of Lark's lexer of this name: "contextual" (the default), terminals are greedy and
    keywords beat names where both may stand; "basic", keywords are reserved everywhere; "dynamic", no lexer: terminals
    match whatever they can. `<name>` is a special token and `<[1,5-9]>`, `<[^1]>`, `<[*]>` are tokens by number: no text
    spells them, and `compile` refuses by name those that the vocabulary lacks. Of llguidance's
    attributes of rules `lazy`, `stop` and `suffix` say which texts a rule has, `capture` is let be, and `temperature` and
    `max_tokens` are refused: `dsl.lark` carries these out. `imports` are grammars by name for `%import`, beside Lark's own; `json_options` are keywords of
    `json_schema` for `%json`. Raises LarkError with line and column where the grammar is not well-formed,
    UnsupportedError for what cannot be exact, UnsatisfiableError where no text satisfies it.

    >>> import constrain
    >>> sums = constrain.lark('start: NUMBER ("+" NUMBER)*\n%import common.NUMBER\n%ignore " "')
    >>> sums.matches("1 + 2.5"), sums.matches("1 2")
    (True, False)
    """
    reader = _reader(text, start, lexer, imports, json_options, keeps_marks=False)
    return write(reader.read(), reader.expr_set, lexer)


@dataclass
class Reading:
    """A grammar with what a finished text is read with: its rules and their marks, and the lexeme at each place."""

    grammar: Grammar
    written: Written
    marks: dict[int, Mark]


def read_lark(
    text: str, *, start: str = "start", lexer: str = "contextual", imports: Mapping[str, str] | None = None, **json_options: Any
) -> Reading:
    """A grammar for programs: captures, temperatures and limits of its rules are kept, and not refused."""
    reader = _reader(text, start, lexer, imports, json_options, keeps_marks=True)
    grammar = reader.read()
    written = write_in_full(grammar, reader.expr_set, lexer)
    marks = {number: reader.marks[origin] for number, origin in written.origins.items() if origin in reader.marks}
    return Reading(grammar, written, marks)


def _reader(
    text: Any, start: str, lexer: str, imports: Mapping[str, str] | None, json_options: Mapping[str, Any], keeps_marks: bool
) -> LarkReader:
    if not isinstance(text, str):
        raise LarkError(f"lark: the grammar is a {type(text).__name__}, expected a text")
    if lexer not in LEXERS:
        raise LarkError(f"lark: lexer is {lexer!r}, expected one of {', '.join(map(repr, LEXERS))}")
    return LarkReader(text, start, lexer, imports or {}, json_options, keeps_marks)
