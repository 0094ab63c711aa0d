"""The text of a grammar, read: definitions and statements over one arena of syntax nodes.

`read_syntax(text)` parses with the `lark` package and dialect.lark. Nodes are numbered as they are made, children before
their parents, so whoever comes later goes through them in a loop and nothing recurses, however deep the groups nest.
Bodies in braces (JSON, nested grammars) are cut out beforehand and replaced by a token of the same length, so that
offsets stay those of the text. Errors are LarkErrors with line, column and a caret. Held by tests/test_lark.py.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NoReturn

from ...errors import ConstrainError, GrammarError, LarkError

if TYPE_CHECKING:
    from lark import Lark

Token = Any  # lark.Token, a str with start_pos

__all__ = ["Definition", "Import", "Node", "Source", "Syntax", "below", "is_terminal", "kind_of", "nearest", "read_syntax"]


class Source:
    """The text of a grammar, for errors that point into it; `notation` is the word that they begin with."""

    def __init__(self, text: str, name: str = "", notation: str = "lark", error: type[GrammarError] = LarkError) -> None:
        self.text = text
        self.name = name
        self.notation = notation
        self.error = error

    def fail(self, what: str, at: int) -> NoReturn:
        raise self.error(self.message(what, at), self.text, (at, at))

    def place(self, error: ConstrainError, at: int, where: str = "") -> None:
        """Says in the message of an error from elsewhere where in this text it came up, and only there."""
        what = re.sub(r" \(line \d+, column \d+[^()]*\)", "", str(error).splitlines()[0])
        error.args = (self.message(where + re.sub("^(lark|regex): ", "", what), at), *error.args[1:])

    def message(self, what: str, at: int) -> str:
        """`what`, and where it is; the error itself adds the line with a caret."""
        line, column = self.text.count("\n", 0, at) + 1, at - self.text.rfind("\n", 0, at)
        where = f" of {self.name!r}" if self.name else ""
        return f"{self.notation}: {what} (line {line}, column {column}{where})"


@dataclass(slots=True)
class Node:
    """`kind`: alt, seq, and, not, repeat, name, string, regexp, range, template, passed, if, special, embedded."""

    kind: str
    items: tuple[int, ...]
    at: int
    value: Any = None


@dataclass(slots=True)
class Definition:
    """A rule or, where the name is in capitals, a terminal."""

    name: str
    body: int
    at: int
    parameters: tuple[str, ...] = ()
    is_parametric: bool = False  # `name::_`, whose bodies know a number
    attributes: dict[str, Any] = field(default_factory=dict)
    priority: int = 0
    mode: str = ""  # "override", "extend"

    @property
    def is_terminal(self) -> bool:
        return self.name.lstrip("_")[:1].isupper()


@dataclass(slots=True)
class Import:
    path: tuple[str, ...]
    names: list[tuple[str, str]]  # there, here
    at: int
    is_relative: bool = False


@dataclass
class Syntax:
    """What a grammar says, in its own order."""

    source: Source
    nodes: list[Node] = field(default_factory=list)
    definitions: list[Definition] = field(default_factory=list)
    ignored: list[int] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    declared: list[tuple[str, int]] = field(default_factory=list)
    options: list[tuple[dict[str, Any], int]] = field(default_factory=list)


def read_syntax(text: str, name: str = "") -> Syntax:
    """Parses the text of a grammar; LarkError where it is not well-formed."""
    from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken

    source = Source(text, name)
    syntax = Syntax(source)
    cut, bodies = _cut_bodies(source)
    builder = _Builder(syntax, bodies)
    try:
        _parser(builder).parse(cut + "\n")
    except UnexpectedToken as error:
        token: Token = error.token
        what = "the end of the grammar" if token.type == "$END" else f"{str(token)[:40]!r}"
        at = len(text) if token.start_pos is None else min(token.start_pos, len(text))
        source.fail(f"unexpected {what}, expected {_expected(error.accepts or error.expected)}", at)
    except UnexpectedCharacters as error:
        place = error.pos_in_stream or 0
        source.fail(f"unexpected character {cut[place]!r}, expected {_expected(error.allowed or ())}", place)
    except UnexpectedEOF:
        source.fail("the grammar ends within a definition", len(text))
    return syntax


_SPELLED = {
    "_NL": "the end of the line", "_COLON": "':'", "_OR": "'|'", "_NL_OR": "'|'", "RULE": "a rule name", "TERMINAL": "a terminal name",
    "STRING": "a string", "REGEXP": "a regex", "OP": "'*', '+' or '?'", "LPAR": "'('", "RPAR": "')'", "LSQB": "'['", "RSQB": "']'",
    "LBRACE": "'{'", "RBRACE": "'}'", "NUMBER": "a number", "DOT": "'.'", "COMMA": "','", "EQUAL": "'='", "MODIFIERS": "", "BRACES": "",
    "NOT": "", "COUNT": "", "SPECIAL": "", "EMBEDDED": "", "LLGUIDANCE": "", "DECIMAL": "", "AMPERSAND": "", "PASSED": "", "CONDITION": "", "$END": "the end",
}  # fmt: skip


def _expected(names: Any) -> str:
    texts = {t.name: f"'{t.pattern.value}'" for t in _made_parser().terminals if t.pattern.type == "str"}
    shown = sorted({word for n in names if (word := _SPELLED.get(n, texts.get(n, "")))})
    return " or ".join(filter(None, [", ".join(shown[:-1]), shown[-1]])) if shown else "something else"


# ---------------------------------------------------------------------------------------------- bodies in braces

# What a "%json" must not be found in, and what it looks like.
_LANDMARK = re.compile(
    r'"(?:\\.|[^"\\\n])*"|/(?![/*])(?:\\.|[^/\\\n])+/|(?://|\#)[^\n]*|%(?P<word>json|regex|lark|llguidance|grammar_options)\b\s*', re.ASCII
)


def _cut_bodies(source: Source) -> tuple[str, dict[int, tuple[str, Any]]]:
    """The text with `@` for the bodies in braces; by offset, what stood there."""
    text, bodies, cut, done = source.text, {}, [], 0
    at = 0
    while found := _LANDMARK.search(text, at):
        word, at = found["word"], found.end()
        if word is None:
            continue
        if word == "lark":
            end = _matching_brace(source, at)
            body: Any = (text[at + 1 : end - 1], at + 1)
        else:
            try:
                body, end = json.JSONDecoder().raw_decode(text, at)
            except json.JSONDecodeError as error:
                source.fail(f"the JSON behind '%{word}' is not well-formed: {error.msg.lower()}", error.pos)
        start = found.end() if word in ("llguidance", "grammar_options") else found.start()
        bodies[start] = (word, body)
        cut += [text[done:start], "@" * (end - start)]
        at = done = end
    return "".join([*cut, text[done:]]), bodies


def _matching_brace(source: Source, at: int) -> int:
    """The offset behind the brace that closes the one at `at`."""
    text = source.text
    if not text.startswith("{", at):
        source.fail("expected '{' behind '%lark'", at)
    depth, i = 0, at
    while i < len(text):
        found = _LANDMARK.match(text, i)
        if found and not found["word"]:
            i = found.end()
            continue
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        i += 1
        if depth == 0:
            return i
    source.fail("the '{' behind '%lark' is never closed", at)


# ---------------------------------------------------------------------------------------------- building


class _Builder:
    """Called by the parser bottom-up, once for each production."""

    def __init__(self, syntax: Syntax, bodies: dict[int, tuple[str, Any]]) -> None:
        self.syntax = syntax
        self.bodies = bodies

    def make(self, kind: str, items: Any, at: int, value: Any = None) -> int:
        self.syntax.nodes.append(Node(kind, tuple(items), at, value))
        return len(self.syntax.nodes) - 1

    def at(self, node: int) -> int:
        return self.syntax.nodes[node].at

    # ---- expressions

    def alternatives(self, parts: list[int]) -> int:
        return parts[0] if len(parts) == 1 else self.make("alt", parts, self.at(parts[0]))

    def alternative(self, parts: list[Any]) -> int:
        if len(parts) > 1 and parts[1] is not None and parts[1].type == "CONDITION":
            return self.make("if", [parts[0]], parts[1].start_pos, str(parts[1]).removeprefix("%if"))
        return parts[0]

    def conjunction(self, parts: list[int]) -> int:
        return self.make("and", parts, self.at(parts[0]))

    def sequence(self, parts: list[int]) -> int:
        if len(parts) == 1:
            return parts[0]
        return self.make("seq", parts, self.at(parts[0]) if parts else self.last_offset())

    def last_offset(self) -> int:
        return self.syntax.nodes[-1].at if self.syntax.nodes else 0

    def complement(self, parts: list[Any]) -> int:
        return self.make("not", [parts[1]], parts[0].start_pos)

    def operated(self, parts: list[Any]) -> int:
        least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[str(parts[1])]
        return self.make("repeat", [parts[0]], self.at(parts[0]), (least, most))

    def exactly(self, parts: list[Any]) -> int:
        return self.counted(parts[0], int(parts[2]), int(parts[2]), parts[2])

    def between(self, parts: list[Any]) -> int:
        return self.counted(parts[0], int(parts[2]), int(parts[3]), parts[2])

    def braced(self, parts: list[Any]) -> int:
        least, comma, most = re.fullmatch(r"\{\s*(\d*)\s*(,?)\s*(\d*)\s*\}", str(parts[1])).groups()  # type: ignore[union-attr]
        if not least and not most:
            self.syntax.source.fail("a count needs a number: {2}, {2,}, {,5} or {2,5}", parts[1].start_pos)
        low = int(least or 0)
        return self.counted(parts[0], low, (int(most) if most else None) if comma else low, parts[1])

    def counted(self, item: int, least: int, most: int | None, token: Token) -> int:
        if least < 0 or (most is not None and most < least):
            self.syntax.source.fail(f"bad range {least}..{most}", token.start_pos)
        return self.make("repeat", [item], self.at(item), (least, most))

    def maybe(self, parts: list[int]) -> int:
        return self.make("repeat", parts, self.at(parts[0]), (0, 1))

    def name(self, parts: list[Token]) -> int:
        return self.make("name", (), parts[0].start_pos, str(parts[0]))

    def string(self, parts: list[Token]) -> int:
        return self.make("string", (), parts[0].start_pos, str(parts[0]))

    def regexp(self, parts: list[Token]) -> int:
        return self.make("regexp", (), parts[0].start_pos, str(parts[0]))

    def range(self, parts: list[Token]) -> int:
        return self.make("range", (), parts[0].start_pos, (str(parts[0]), str(parts[1])))

    def special(self, parts: list[Token]) -> int:
        return self.make("special", (), parts[0].start_pos, str(parts[0]))

    def template(self, parts: list[Any]) -> int:
        return self.make("template", parts[1:], parts[0].start_pos, str(parts[0]))

    def passed(self, parts: list[Token]) -> int:
        return self.make("passed", (), parts[0].start_pos, (str(parts[0]), str(parts[1]).removeprefix("::").strip()))

    def embedded(self, parts: list[Token]) -> int:
        at = parts[0].start_pos
        if at not in self.bodies:
            self.syntax.source.fail("unexpected character '@'", at)
        return self.make("embedded", (), at, self.bodies[at])

    # ---- definitions and statements

    def parameters(self, parts: list[Token]) -> tuple[str, tuple[str, ...]]:
        return "parameters", tuple(map(str, parts))

    def attribute_value(self, parts: list[Token]) -> Token:
        return parts[0]

    def attribute(self, parts: list[Any]) -> tuple[Token, Token | None]:
        return parts[0], parts[1] if len(parts) > 1 else None

    def attributes(self, parts: list[Any]) -> tuple[str, dict[str, Any]]:
        return "attributes", {str(name): (value, name.start_pos) for name, value in parts}

    def priority(self, parts: list[Token]) -> tuple[str, int]:
        return "priority", int(parts[0])

    def rule(self, parts: list[Any]) -> Definition:
        tokens = [p for p in parts[:-1] if not isinstance(p, tuple)]
        passed = [t for t in tokens if t.type == "PASSED"]
        name = next(t for t in tokens if t.type in ("RULE", "TERMINAL"))
        if passed and str(passed[0]) != "::_":
            self.syntax.source.fail(f"{str(passed[0])!r} stands where a rule takes a parameter, expected '::_'", passed[0].start_pos)
        made = Definition(str(name), parts[-1], name.start_pos, is_parametric=bool(passed))
        for key, value in (p for p in parts[:-1] if isinstance(p, tuple)):
            setattr(made, key, value)
        return made

    terminal = rule

    def declare(self, parts: list[int]) -> None:
        nodes = [self.syntax.nodes[p] for p in parts]
        self.syntax.declared += [(n.value, n.at) for n in nodes]

    def ignore(self, parts: list[int]) -> None:
        self.syntax.ignored.append(parts[0])

    def import_path(self, parts: list[Any]) -> Import:
        names = [self.syntax.nodes[p].value for p in parts if isinstance(p, int)]
        first = next(p for p in parts if isinstance(p, int))
        return Import(tuple(names), [], self.at(first), len(names) < len(parts))

    def import_one(self, parts: list[Any]) -> None:
        found, name = parts[0], parts[0].path[-1]
        alias = self.syntax.nodes[parts[1]].value if len(parts) > 1 and parts[1] is not None else name
        if len(found.path) < 2:
            self.syntax.source.fail("an import names a grammar and what it takes: '%import common.NUMBER'", found.at)
        self.syntax.imports.append(Import(found.path[:-1], [(name, alias)], found.at, found.is_relative))

    def import_many(self, parts: list[Any]) -> None:
        names = [self.syntax.nodes[p].value for p in parts[1:]]
        parts[0].names = [(name, name) for name in names]
        self.syntax.imports.append(parts[0])

    def override(self, parts: list[Definition]) -> Definition:
        parts[0].mode = "override"
        return parts[0]

    def extend(self, parts: list[Definition]) -> Definition:
        parts[0].mode = "extend"
        return parts[0]

    def llguidance(self, parts: list[Token]) -> None:
        token = parts[0]
        at = token.start_pos + str(token).index("@")
        self.syntax.options.append((self.bodies[at][1], token.start_pos))

    def start(self, parts: list[Any]) -> None:
        self.syntax.definitions += [p for p in parts if isinstance(p, Definition)]


def _parser(builder: _Builder) -> Lark:
    """The parser whose productions call `builder`."""
    parser = _made_parser()
    _calls.builder = builder
    return parser


class _Calls(threading.local):
    """The parser is made once; its callbacks find the builder of the text that this thread reads here."""

    builder: _Builder

    def __getattr__(self, name: str) -> Callable[[list[Any]], Any]:
        if name.startswith("_") or not hasattr(_Builder, name):
            raise AttributeError(name)
        return lambda parts: getattr(_calls.builder, name)(parts)


_calls = _Calls()


@lru_cache(maxsize=1)
def _made_parser() -> Lark:
    import lark

    text = files(__package__).joinpath("dialect.lark").read_text()
    return lark.Lark(text, parser="lalr", transformer=_calls, maybe_placeholders=False)  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------- names and nodes


def is_terminal(name: str) -> bool:
    return name.lstrip("_")[:1].isupper()


def kind_of(name: str) -> str:
    return "terminal" if is_terminal(name) else "rule"


def nearest(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, [k for k in known if is_terminal(k) == is_terminal(name)], 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def below(nodes: list[Node], root: int, ends_at: Callable[[Node], bool] | None = None) -> list[int]:
    """The nodes below `root`, children first; not into those where `ends_at` says so."""
    seen: set[int] = set()
    stack = [root]
    while stack:
        i = stack.pop()
        if i not in seen:
            seen.add(i)
            if ends_at is None or not ends_at(nodes[i]):
                stack += nodes[i].items
    return sorted(seen)
