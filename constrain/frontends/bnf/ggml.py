r"""The notations with `::=`: llama.cpp's GBNF, and the EBNF that XGrammar made of it.

They differ in where a rule ends: in GBNF with its line, except behind `|`, behind `::=` and in parentheses; in EBNF where a
line begins with `name ::=`. EBNF adds `TagDispatch`, free text in which a tag begins a rule. What either says of tokens is
refused by name. Sources: llama.cpp, grammars/README.md and src/llama-grammar.cpp; XGrammar 0.2.8, ebnf_grammar.md.
Held by tests/test_notations.py.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from ...errors import UnsupportedError
from ...specials import node_of
from ..triggers import text_until, text_without
from ..utf8 import ANY
from .characters import GBNF_ESCAPES, XGRAMMAR_ESCAPES, Escapes, read_class, read_text
from .definitions import Definitions, read_count

__all__ = ["GBNF", "XGRAMMAR", "Dialect", "read_ggml"]


@dataclass(frozen=True)
class Dialect:
    tokens: re.Pattern[str]
    escapes: Escapes
    ends_with_line: bool  # does a rule?
    operators_follow_operators: bool
    has_least_zero: bool  # may a count be {,n}?
    has_empty_alternatives: bool
    macros: tuple[str, ...] = ()


_COMMON = r"""
  (?P<space>[ \t]+|\#[^\r\n]*)
| (?P<line>\r\n?|\n)
| (?P<define>::=)
| (?P<count>\{[^{}]*\})
| (?P<operator>[*+?])
"""
GBNF = Dialect(
    re.compile(
        _COMMON + r"""
| (?P<name>[A-Za-z0-9_-]+)
| (?P<string>"[^"\\]*(?:\\.[^"\\]*)*")
| (?P<class>\[[^\]\\]*(?:\\.[^\]\\]*)*\])
| (?P<token>!?<(?:\[[^\]>\n]*\]|[^>\n]*)>)
| (?P<mark>[()|.])
""",
        re.VERBOSE | re.DOTALL,
    ),
    GBNF_ESCAPES,
    ends_with_line=True,
    operators_follow_operators=True,
    has_least_zero=True,
    has_empty_alternatives=True,
)  # fmt: skip
XGRAMMAR = Dialect(
    re.compile(
        _COMMON + r"""
| (?P<name>[A-Za-z_.-][A-Za-z0-9_.-]*)
| (?P<string>"[^"\\\r\n]*(?:\\.[^"\\\r\n]*)*")
| (?P<class>\[[^\]\\\r\n]*(?:\\.[^\]\\\r\n]*)*\])
| (?P<number>[0-9]+)
| (?P<mark>[()|,=])
""",
        re.VERBOSE,
    ),
    XGRAMMAR_ESCAPES,
    ends_with_line=False,
    operators_follow_operators=False,
    has_least_zero=False,
    has_empty_alternatives=False,
    macros=("TagDispatch", "TokenTagDispatch", "Token", "ExcludeToken"),
)  # fmt: skip


class Token(NamedTuple):
    kind: str
    text: str
    at: int
    is_first: bool  # on its line?


_UNCLOSED = {'"': "string", "[": "class", "{": "count", "<": "token"}


def _tokens(definitions: Definitions, dialect: Dialect) -> list[Token]:
    source, found, at, is_first = definitions.source, list[Token](), 0, True
    text = source.text
    while at < len(text):
        match = dialect.tokens.match(text, at)
        if match is None:
            if (unclosed := _UNCLOSED.get(text[at])) is None or (unclosed == "token" and not dialect.ends_with_line):
                source.fail(f"unexpected character {text[at]!r}", at)
            on_line = "" if dialect.ends_with_line or unclosed == "count" else " on its line"
            source.fail(f"the {unclosed} is never closed{on_line}", at)
        kind = match.lastgroup or ""
        if kind == "line":
            is_first = True
        elif kind != "space":
            found.append(Token(kind, match[0], at, is_first))
            is_first = False
        at = match.end()
    found.append(Token("end", "", at, True))
    return found


def read_ggml(definitions: Definitions, dialect: Dialect) -> None:
    """Reads all rules of the text."""
    _Reader(definitions, dialect).read()


class _Reader:
    def __init__(self, definitions: Definitions, dialect: Dialect) -> None:
        self.definitions = definitions
        self.source = definitions.source
        self.dialect = dialect
        self.tokens = _tokens(definitions, dialect)
        self.place = 0
        self.handlers = {
            "string": self.string, "class": self.character_class, "name": self.name, "token": self.token,
            "operator": self.operator, "count": self.count, "mark": self.mark,
        }  # fmt: skip

    @property
    def token_here(self) -> Token:
        return self.tokens[self.place]

    def take(self) -> Token:
        self.place += 1
        return self.tokens[self.place - 1]

    def unexpected(self, token: Token, expected: str) -> NoReturn:
        shown = "the end of the grammar" if token.kind == "end" else f"{token.text[:40]!r}"
        self.source.fail(f"unexpected {shown}, expected {expected}", token.at)

    # ------------------------------------------------------------------------------ rules

    def read(self) -> None:
        while self.token_here.kind != "end":
            self.begin_rule()
            while not self.is_at_end_of_rule():
                token = self.take()
                handler = self.handlers.get(token.kind)
                if handler is None:
                    hint = "; a rule's name stands first on its line" if token.kind == "define" else ""
                    self.unexpected(token, f"a part of a rule{hint}")
                handler(token)
            self.check_alternative(self.token_here)
            self.definitions.end()

    def begin_rule(self) -> None:
        name = self.take()
        if name.kind != "name":
            hint = "; a rule goes on over lines behind '|' and in parentheses" if self.dialect.ends_with_line else ""
            self.unexpected(name, f"a rule: name ::= …{hint}")
        options = self.take() if self.has_options() else None
        define = self.take()
        if define.kind != "define" or (define.is_first and self.dialect.ends_with_line):
            self.unexpected(define, f"'::=' behind the rule's name {name.text[:60]!r}")
        if name.text in self.dialect.macros:
            self.source.fail(f"{name.text!r} is a macro and cannot name a rule", name.at)
        self.definitions.begin(name.text, name.at)
        if options is not None:
            self.read_options(name.text, options)

    def has_options(self) -> bool:
        return not self.dialect.ends_with_line and self.token_here.kind == "class"

    def is_at_end_of_rule(self) -> bool:
        token, previous = self.token_here, self.tokens[self.place - 1]
        if token.kind == "end":
            return True
        if not token.is_first:
            return False
        if not self.dialect.ends_with_line:
            return self.is_head(self.place)
        if len(self.definitions.frames) > 1:
            return self.is_head(self.place)  # and the open group is an error
        if previous.kind != "define" and previous.text != "|":
            return True
        if self.is_head(self.place):
            what = f"the rule ends in {previous.text!r}, and the next line goes on with it; nothing is written \"\""
            self.source.fail(what, previous.at)
        return False

    def is_head(self, place: int) -> bool:
        """Does `name ::=` or `name[…] ::=` stand there?"""
        kinds = [token.kind for token in self.tokens[place : place + 3]]
        return kinds[:2] == ["name", "define"] or (kinds == ["name", "class", "define"] and not self.dialect.ends_with_line)

    def read_options(self, name: str, options: Token) -> None:
        number = re.fullmatch(r"\[\s*temperature\s*=\s*([0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)\s*\]", options.text)
        if number is None or float(number[1]) == float("inf"):
            self.source.fail(f"bad options {options.text[:40]!r}, known is [temperature=0.7] with a number that is not negative", options.at)
        what = f"the temperature of rule {name!r} is no property of a text: it is for whoever samples, and not carried out"
        warnings.warn(self.source.message(what, options.at), stacklevel=6)

    # ------------------------------------------------------------------------------ parts

    def add(self, node: int) -> None:
        self.definitions.frame.parts.append(node)

    def string(self, token: Token) -> None:
        text = read_text(self.source, token.text[1:-1], token.at + 1, self.dialect.escapes)
        self.add(self.definitions.text(text, token.at))

    def character_class(self, token: Token) -> None:
        points = read_class(self.source, token.text[1:-1], token.at + 1, self.dialect.escapes)
        self.add(self.definitions.character(points, token.at))

    def name(self, token: Token) -> None:
        if token.text in self.dialect.macros:
            self.macro(token)
        elif token.text == ".":
            self.source.fail("'.' is no element here; any character is '[^]'", token.at)
        else:
            self.add(self.definitions.reference(token.text, token.at))

    def token(self, token: Token) -> None:
        """`<name>` or `<[number]>`, a token of the vocabulary that no text spells; with `!` any other one."""
        written = token.text.removeprefix("!")
        name = written[1:-1] if written.startswith("<[") else written
        if token.text.startswith("!"):
            name = f"[^{name[1:-1] if name.startswith('[') else name}]"
        self.add(self.token_node(name, token.at))

    def token_node(self, required: str, at: int) -> int:
        expr_set = self.definitions.expr_set
        try:
            return self.definitions.grammar.add("expr", value=(expr_set, node_of(expr_set, required)))
        except ValueError as error:
            self.source.fail(str(error), at)

    def numbers(self, values: list[str], at: int) -> str:
        if not values or not all(v.isdecimal() for v in values):
            self.source.fail("tokens are listed by number here: (1, 2)", at)
        return ",".join(values)

    def token_macro(self, name: Token, positional: list[tuple[tuple[str, ...], int]], named: list[tuple[str, tuple[str, ...], int]]) -> int:
        """XGrammar's `Token(1, 2)`, `ExcludeToken(1)` and `TokenTagDispatch((1, rule), excludes=(2,))`."""
        if name.text != "TokenTagDispatch":
            if named:
                self.source.fail(f"bad argument {named[0][0]!r} of {name.text}", named[0][2])
            listed = self.numbers([v for value, _ in positional for v in value], name.at)
            return self.token_node(f"[{listed}]" if name.text == "Token" else f"[^{listed}]", name.at)
        grammar, excluded, loops = self.definitions.grammar, list[str](), True
        for key, value, at in named:
            if key == "loop_after_dispatch" and value in (("true",), ("false",)):
                loops = value == ("true",)
            elif key == "excludes":
                excluded += self.numbers(list(value), at).split(",")
            else:
                raise UnsupportedError(key, "of TokenTagDispatch", self.source.message(f"{key!r} of TokenTagDispatch is not supported", at))
        ways = []
        for value, at in positional:
            if len(value) != 2:
                self.source.fail("TokenTagDispatch takes pairs of a token and a rule: (1, rule)", at)
            excluded.append(self.numbers([value[0]], at))
            ways.append((f"[{value[0]}]", self.definitions.reference(value[1], at), at))
        free = grammar.repeat(self.token_node(f"[^{','.join(excluded)}]" if excluded else "[*]", name.at), 0, None)
        calls = grammar.alt(grammar.seq(self.token_node(token, at), rule, *([free] if loops else [])) for token, rule, at in ways)
        if not ways:
            return free
        return grammar.seq(free, grammar.repeat(calls, 0, None) if loops else grammar.optional(calls))

    def mark(self, token: Token) -> None:
        definitions = self.definitions
        if token.text == "(":
            if self.token_here.text == "=":
                raise UnsupportedError("look-ahead", "in a grammar", self.source.message("look-ahead '(=' is not supported", token.at))
            definitions.open("(", token.at)
        elif token.text == ")":
            if len(definitions.frames) == 1:
                self.source.fail("unexpected ')': no '(' is open", token.at)
            self.check_alternative(token)
            self.add(definitions.close())
        elif token.text == "|":
            self.check_alternative(token)
            definitions.next_alternative()
        elif token.text == ".":
            self.add(definitions.character(ANY, token.at))
        else:
            self.unexpected(token, "a part of a rule")

    def check_alternative(self, token: Token) -> None:
        """EBNF has no empty alternatives, but `()`."""
        previous = self.tokens[self.place - 1 if token is self.token_here else self.place - 2]
        if self.definitions.frame.parts or self.dialect.has_empty_alternatives or (previous.text, token.text) == ("(", ")"):
            return
        self.unexpected(token, "an element; nothing is written \"\"")

    # ------------------------------------------------------------------------------ repetitions

    def operator(self, token: Token) -> None:
        least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[token.text]
        self.repeat(token, least, most)

    def count(self, token: Token) -> None:
        found = re.fullmatch(r"\{\s*([0-9]*)\s*(,?)\s*([0-9]*)\s*\}", token.text)
        least, comma, most = found.groups() if found else ("", "", "")
        if not (least or (self.dialect.has_least_zero and most)) or (most and not comma):
            self.source.fail(f"bad count {token.text[:40]!r}, expected {{2}}, {{2,}} or {{2,5}}", token.at)
        low = read_count(least)
        self.repeat(token, low, (read_count(most) if most else None) if comma else low)

    def repeat(self, token: Token, least: int, most: int | None) -> None:
        parts, previous = self.definitions.frame.parts, self.tokens[self.place - 2]
        if not parts:
            self.source.fail(f"there is nothing to repeat before {token.text[:40]!r}", token.at)
        if previous.kind in ("operator", "count") and not self.dialect.operators_follow_operators:
            self.source.fail(f"{token.text[:40]!r} follows another repetition: put the first into parentheses", token.at)
        parts[-1] = self.definitions.repeat(parts[-1], least, most, token.at)

    # ------------------------------------------------------------------------------ macros

    def macro(self, name: Token) -> None:
        positional, named = self.arguments(name)
        if name.text != "TagDispatch":
            return self.add(self.token_macro(name, positional, named))
        loops, excludes = True, list[str]()
        for key, value, at in named:
            if key == "loop_after_dispatch" and value in (("true",), ("false",)):
                loops = value == ("true",)
            elif key == "excludes" and all(v.startswith('"') for v in value):
                excludes = [self.tag(v, at) for v in value]
            elif key in ("stop_eos", "stop_str"):
                raise UnsupportedError(key, "of TagDispatch", self.source.message(f"{key!r} of TagDispatch is not supported", at))
            else:
                known = "loop_after_dispatch=true or false, excludes=(\"…\",)"
                self.source.fail(f"bad argument {key!r} of TagDispatch, known are {known}", at)
        tags = []
        for value, at in positional:
            if len(value) != 2 or not value[0].startswith('"') or value[1][:1] in '"0123456789':
                self.source.fail("TagDispatch takes pairs of a tag and a rule: (\"<tag>\", rule)", at)
            tags.append((self.tag(value[0], at), self.definitions.reference(value[1], at), at))
        self.add(self.dispatch(tags, excludes, loops))

    def tag(self, written: str, at: int) -> str:
        text = read_text(self.source, written[1:-1], at, self.dialect.escapes)
        if not text:
            self.source.fail("a tag or excluded string of TagDispatch is empty", at)
        self.definitions.text(text, at)
        return text

    def dispatch(self, tags: list[tuple[str, int, int]], excludes: list[str], loops: bool) -> int:
        """Free text up to the first tag, the tag's rule; then free text again, or the end."""
        grammar, expr_set = self.definitions.grammar, self.definitions.expr_set
        for tag, _, at in tags:
            inside = next((t for t in excludes if t in tag), None) or next((t for t, _, _ in tags if t in tag[:-1]), None)
            if inside:
                self.source.fail(f"the tag {tag!r} can never come, because {inside!r} ends in it", at)
        strings = [text.encode() for text in (*(tag for tag, _, _ in tags), *excludes)]
        free = self.definitions.free_text(text_without(expr_set, strings))
        ways = [
            grammar.seq(self.definitions.free_text(text_until(expr_set, [tag.encode()], strings)), rule) for tag, rule, _ in tags
        ]
        if not ways:
            return free
        if loops:
            return grammar.seq(grammar.repeat(grammar.alt(ways), 0, None), free)
        return grammar.alt([free, *ways])

    def arguments(self, name: Token) -> tuple[list[tuple[tuple[str, ...], int]], list[tuple[str, tuple[str, ...], int]]]:
        """Of a macro: those by position and those by name, each with its offset; a value is a tuple of texts as written."""
        positional, named = [], []
        if self.token_here.text != "(":
            self.unexpected(self.token_here, f"'(' behind {name.text}")
        self.take()
        while self.token_here.text != ")":
            token = self.token_here
            if token.kind == "name" and self.tokens[self.place + 1].text == "=":
                self.place += 2
                named.append((token.text, self.value(), token.at))
            else:
                positional.append((self.value(), token.at))
            self.comma(")")
        self.take()
        return positional, named

    def value(self) -> tuple[str, ...]:
        token, found = self.take(), []
        if token.kind in ("string", "name", "number"):
            return (token.text,)
        if token.text != "(":
            self.unexpected(token, "a string, a name, a number or a list in parentheses")
        while self.token_here.text != ")":
            token = self.take()
            if token.kind not in ("string", "name", "number"):
                self.unexpected(token, "a string, a name or a number")
            found.append(token.text)
            self.comma(")")
        self.take()
        return tuple(found)

    def comma(self, closer: str) -> None:
        if self.token_here.text == ",":
            self.take()
        elif self.token_here.text != closer:
            self.unexpected(self.token_here, f"',' or {closer!r}")
