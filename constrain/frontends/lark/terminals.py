"""Terminals: what each one matches, and in which order a lexer tries them.

A terminal that Python's `re` can say keeps Lark's pattern: a string, or a regex put together as Lark does it, since the
lexer's order depends on widths and lengths of these. Its texts are those that `re.match` returns somewhere, and of two that
begin alike the lexer takes the longer one (preference.py). Terminals with `&`, `~` or bodies in braces have no pattern
and are taken at their longest.

Source of the order: lark/lexer.py, `BasicLexer`. Held by tests/test_lark.py.
"""

from __future__ import annotations

import ast
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...errors import LimitExceeded, RegexError, UnsupportedError
from ..regex import compile_regex
from ..regex_syntax import parse, read_flags
from ..utf8 import Alphabet
from .preference import first_match
from .syntax import Source

if TYPE_CHECKING:
    from lark.lexer import Pattern

__all__ = ["Terminal", "join_alternatives", "join_sequence", "literal", "range_pattern", "repeated"]

MAX_PATTERN = 1 << 20
_reading = threading.Lock()  # Python 3.11's ast.parse fails now and then where threads use it at once


@dataclass
class Terminal:
    """`root`: its texts; `pattern`: as Lark has it, or None."""

    name: str
    root: int
    pattern: Pattern | None = None
    priority: int = 0
    at: int = 0
    lazy: bool = False  # ends as soon as it can: no longer text begins with one of its texts
    plain: bool = False  # what follows is not looked at, whatever the reading
    nullable: bool = False
    order: tuple = field(default=(), repr=False)

    @property
    def is_string(self) -> bool:
        return self.pattern is not None and self.pattern.type == "str"

    def set_order(self) -> None:
        """Where it stands among the terminals that a lexer tries one after the other: lesser first."""
        width, length = 1 << 62, 1 << 62
        if self.pattern is not None:
            length = len(self.pattern.value)
            try:
                width = int(self.pattern.max_width)
            except Exception:  # what Python's own parser cannot read, such as \p{…}
                width = 1 << 62
        self.order = (-self.priority, -width, -length, self.name)


# ---------------------------------------------------------------------------------------------- Lark's patterns


def _unescaped(body: str) -> str:
    """What stands between the quotes or slashes, as Lark reads it: Python's escapes, all others kept."""
    out, i = [], 0
    while i < len(body):
        if body[i] != "\\":
            out.append("\\'" if body[i] == "'" else body[i])
            i += 1
            continue
        following = body[i + 1 : i + 2]
        out.append("\\" + following if following in "Uuxnftr" and following else '"' if following == '"' else "\\\\" + ("\\\\" if following == "\\" else "\\'" if following == "'" else following))
        i += 2
    joined = "".join(out)
    if not {"\\", "\r", "\0"} & set(joined):
        return joined
    with _reading:
        return str(ast.literal_eval("'''" + joined + "'''"))


def literal(source: Source, text: str, at: int) -> Pattern:
    """The pattern of a string or regex as it stands in the grammar, with its flags."""
    from lark.lexer import PatternRE, PatternStr

    end = max(text.rfind('"'), text.rfind("/"))
    flags = text[end + 1 :]
    is_string = text[0] == '"'
    if not is_string and "\n" in text and "x" not in flags:
        source.fail("a regex over several lines needs the flag 'x'", at)
    try:
        value = _unescaped(text[1:end])
    except (SyntaxError, ValueError) as error:
        source.fail(f"bad escape in {text[:60]!r}: {getattr(error, 'msg', error)}", at)
    if not value and not is_string:
        source.fail(f"empty terminals are not allowed: {text}", at)
    if is_string:
        return PatternStr(value.replace("\\\\", "\\"), flags, raw=text)
    return PatternRE(value, flags, raw=text)


def range_pattern(source: Source, written: tuple[str, str], at: int) -> Pattern:
    from lark.lexer import PatternRE

    ends = [_unescaped(end[1:-1]).replace("\\\\", "\\") for end in written]
    if not all(len(end) == 1 for end in ends):
        source.fail(f"a range goes from one character to one character, not {'..'.join(written)}", at)
    if ends[0] > ends[1]:
        source.fail(f"bad range {'..'.join(written)}: the first character comes behind the last", at)
    return PatternRE("[{}-{}]".format(*(re.escape(end) for end in ends)))


def join_sequence(parts: list[Pattern]) -> Pattern:
    from lark.lexer import PatternRE, PatternStr

    if len(parts) == 1:
        return parts[0]
    return PatternRE(_checked("".join(p.to_regexp() for p in parts))) if parts else PatternStr("")


def join_alternatives(parts: list[Pattern]) -> Pattern:
    """Wider ones first, as Lark sorts them, since `re` takes the first that fits."""
    from lark.lexer import PatternRE

    if len(parts) == 1:
        return parts[0]
    ordered = sorted(parts, key=lambda p: (-_width(p), -p.min_width, -len(p.value)))
    return PatternRE(_checked("(?:{})".format("|".join(p.to_regexp() for p in ordered))))


def _width(pattern: Pattern) -> int:
    try:
        return int(pattern.max_width)
    except Exception:
        return 1 << 62


def repeated(item: Pattern, least: int, most: int | None) -> Pattern:
    from lark.lexer import PatternRE

    sign = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((least, most))
    if sign is None:
        sign = f"{{{least}}}" if least == most else f"{{{least},{'' if most is None else most}}}"
    return PatternRE(_checked(f"(?:{item.to_regexp()}){sign}"), item.flags)


def _checked(pattern: str) -> str:
    if len(pattern) > MAX_PATTERN:
        raise LimitExceeded("max_pattern", len(pattern), MAX_PATTERN, f"lark: a terminal's regex is longer than {MAX_PATTERN} characters")
    return pattern


# ---------------------------------------------------------------------------------------------- languages


def language(pattern: Pattern, alphabet: Alphabet, source: Source, at: int, prefer: bool) -> int:
    """The texts of a pattern; with `prefer` those that `re.match` may return."""
    if pattern.type == "str" and not pattern.flags:
        return alphabet.text(pattern.value)
    try:
        tree = parse(pattern.to_regexp(), read_flags(0, ""))
        return first_match(tree, alphabet) if prefer else compile_regex(tree, alphabet)
    except (LimitExceeded, UnsupportedError) as error:
        source.place(error, at, f"regex {pattern.value[:60]!r}: ")
        raise
    except RegexError as error:
        source.fail(f"regex {pattern.value[:60]!r}: {str(error).splitlines()[0].removeprefix('regex: ')}", at)


def shortest(root: int, expr_set: Any) -> int:
    """The texts of `root` that no other one of them begins: a lazy terminal."""
    longer = expr_set.concat([root, expr_set.concat([_any_byte(expr_set), expr_set.ANYTHING])])
    return int(expr_set.tabulated(expr_set.intersection([root, expr_set.complement(longer)])))


def _any_byte(expr_set: Any) -> int:
    return int(expr_set.byte_range(0, 255))
