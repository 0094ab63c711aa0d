"""The EBNF of ISO/IEC 14977: commas between parts, `name = …;`, `3 * "ab"`, exceptions such as `letter - "b"`.

Gaps inside a name do not count, so `first name` and `firstname` are the same rule. An exception is what matches its first part
and not its second, which must not be recursive (clause 4.7 of the standard asks for that); both are written as expressions of
their own once all names are known (exceptions.py). Special sequences are refused by name. Held by tests/test_notations.py.
"""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

from ...errors import UnsupportedError
from ..lark.syntax import Source
from .definitions import Definitions, read_count

__all__ = ["read_iso", "skip_comment"]

_TOKENS = re.compile(
    r"""
  (?P<space>\s+)
| (?P<name>[^\W\d]\w*(?:\s+\w+)*)
| (?P<number>[0-9]+)
| (?P<string>"[^"]*"|'[^']*')
| (?P<special>\?[^?]*\?)
| (?P<close>/\)|:\)|[)\]}])
| (?P<open>\(/|\(:|[(\[{])
| (?P<separator>[|/!])
| (?P<end>[;.])
| (?P<comma>,)
| (?P<mark>[=*-])
""",
    re.VERBOSE,
)
_CLOSERS = {"(": (")",), "[": ("]", "/)"), "(/": ("]", "/)"), "{": ("}", ":)"), "(:": ("}", ":)")}
_COMMENT_MARKS = re.compile(r"\(\*|\*\)")


class Token(NamedTuple):
    kind: str
    text: str
    at: int


def skip_comment(source: Source, at: int) -> int:
    """The offset behind a comment `(* … *)`, which may hold others; `at` where none begins there."""
    if not source.text.startswith("(*", at):
        return at
    depth, end = 0, at
    while found := _COMMENT_MARKS.search(source.text, end):
        depth += 1 if found[0] == "(*" else -1
        end = found.end()
        if depth == 0:
            return end
    source.fail("the comment is never closed", at)


def _tokens(source: Source) -> list[Token]:
    text, at, found = source.text, 0, list[Token]()
    while at < len(text):
        behind = skip_comment(source, at)
        if behind > at:
            at = behind
            continue
        match = _TOKENS.match(text, at)
        if match is None:
            unclosed = {'"': "string", "'": "string", "?": "special sequence"}.get(text[at])
            source.fail(f"the {unclosed} is never closed" if unclosed else f"unexpected character {text[at]!r}", at)
        kind = match.lastgroup or ""
        if kind == "name" and found and found[-1].kind == "name":  # a comment stood inside
            found[-1] = found[-1]._replace(text=found[-1].text + match[0])
        elif kind != "space":
            found.append(Token(kind, match[0], at))
        at = match.end()
    return found


def read_iso(definitions: Definitions) -> None:
    """Reads all rules of the text."""
    _Reader(definitions).read()


class _Reader:
    def __init__(self, definitions: Definitions) -> None:
        self.definitions = definitions
        self.source = definitions.source
        self.tokens = _tokens(self.source)
        self.place = 0
        self.names: dict[str, str] = {}  # without gaps: as first written
        self.handlers = {
            "name": self.name, "string": self.string, "special": self.special, "number": self.number,
            "open": self.open, "close": self.close, "separator": self.separator, "comma": self.comma, "mark": self.mark,
        }  # fmt: skip

    def take(self, expected: str) -> Token:
        if self.place == len(self.tokens):
            self.source.fail(f"unexpected the end of the grammar, expected {expected}", len(self.source.text))
        self.place += 1
        return self.tokens[self.place - 1]

    def unexpected(self, token: Token, expected: str) -> NoReturn:
        self.source.fail(f"unexpected {token.text[:40]!r}, expected {expected}", token.at)

    # ------------------------------------------------------------------------------ rules

    def read(self) -> None:
        while self.place < len(self.tokens):
            name = self.take("a rule")
            if name.kind != "name":
                self.unexpected(name, "a rule: name = …;")
            expected = f"'=' behind the rule's name {name.text[:60]!r}"
            if (defines := self.take(expected)).text != "=":
                self.unexpected(defines, expected)
            self.definitions.begin(self.key(name), name.at)
            while (token := self.take("';' behind the last part of the rule")).kind != "end":
                self.handlers[token.kind](token)
            self.end_factor()
            self.definitions.end()

    def key(self, token: Token) -> str:
        return self.names.setdefault("".join(token.text.split()), " ".join(token.text.split()))

    # ------------------------------------------------------------------------------ primaries

    def name(self, token: Token) -> None:
        self.primary(self.definitions.reference(self.key(token), token.at), token)

    def string(self, token: Token) -> None:
        if len(token.text) == 2:
            self.source.fail("a string has at least one character; nothing is written as nothing", token.at)
        self.primary(self.definitions.text(token.text[1:-1], token.at), token)

    def special(self, token: Token) -> None:
        what = f"special sequence {token.text[:60]!r} is not supported: it has no meaning of its own"
        raise UnsupportedError("special sequence", "in a grammar", self.source.message(what, token.at))

    def number(self, token: Token) -> None:
        following = self.take(f"'*' behind {token.text[:20]}")
        if following.text != "*":
            self.unexpected(following, f"'*' behind {token.text[:20]}")
        self.check_place(token)
        self.definitions.frame.count = read_count(token.text)

    def open(self, token: Token) -> None:
        self.check_place(token)
        self.definitions.open(token.text, token.at)

    def close(self, token: Token) -> None:
        opener = self.definitions.frame.opener
        if token.text not in _CLOSERS.get(opener, ()):
            self.unexpected(token, f"{_CLOSERS[opener][0]!r}, which closes {opener!r}" if opener else "a part: nothing is open")
        self.end_factor()
        node = self.definitions.close()
        if opener in ("[", "(/"):
            node = self.definitions.repeat(node, 0, 1, token.at)
        elif opener in ("{", "(:"):
            node = self.definitions.repeat(node, 0, None, token.at)
        self.primary(node, token)

    def check_place(self, token: Token) -> None:
        if self.definitions.frame.has_factor or (token.kind == "number" and self.definitions.frame.count is not None):
            self.unexpected(token, "',' between the parts of a sequence")

    def primary(self, node: int, token: Token) -> None:
        self.check_place(token)
        self.factor(node, token.at)

    def factor(self, node: int, at: int) -> None:
        """A primary with the count before it; an exception is complete with its second factor."""
        frame = self.definitions.frame
        if frame.count is not None:
            node = self.definitions.repeat(node, frame.count, frame.count, at)
        if frame.minuend is not None:
            node = self.definitions.grammar.add("except", (frame.minuend, node))
            self.definitions.exceptions[node] = at
            frame.is_exception = True
        frame.parts.append(node)
        frame.count, frame.minuend, frame.has_factor = None, None, True

    # ------------------------------------------------------------------------------ between them

    def end_factor(self) -> None:
        """What has not been written is the empty sequence."""
        frame = self.definitions.frame
        if not frame.has_factor:
            place = min(self.place, len(self.tokens)) - 1
            self.factor(self.definitions.grammar.empty, self.tokens[place].at)
        frame.has_factor = frame.is_exception = False

    def separator(self, token: Token) -> None:
        self.end_factor()
        self.definitions.next_alternative()

    def comma(self, token: Token) -> None:
        self.end_factor()

    def mark(self, token: Token) -> None:
        frame = self.definitions.frame
        if token.text == "=":
            self.unexpected(token, "';' at the end of the rule before this one")
        if token.text == "*":
            self.unexpected(token, "a count before '*'")
        if frame.is_exception or frame.minuend is not None:
            self.unexpected(token, "one exception: put the first into parentheses")
        if not frame.has_factor:
            self.factor(self.definitions.grammar.empty, token.at)
        frame.minuend, frame.has_factor = frame.parts.pop(), False
