r"""Regex text to syntax tree: Python's `re` (plus `\p{…}`, variable look-behind), and ECMA-262 as JSON Schema uses it.

The parser keeps its open groups in a list, so 100,000 nested brackets are no deeper than one. What is not well-formed is a
`RegexError`, what is well-formed but cannot be exact an `UnsupportedError`; both end with a caret under the offending text.

Python: the grammar of `re._parser`, its errors included. ECMA-262: the pattern grammar in unicode mode; escapes of
punctuation (`\-`, `\_`, `\"`), `{` where no quantifier is, `]`, and `[\w-.]` are read as Annex B reads them; a leading
`(?i)` and `(?P<name>…)` have one possible meaning and get it. Escaped letters that ECMA-262 does not have are errors.

Held by tests/test_regex.py and tests/corpus/regex*.json.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import NoReturn

from ..errors import LimitExceeded, RegexError, UnsupportedError
from . import unicode_sets as sets
from .regex_tree import (
    EMPTY,
    INFINITE,
    Chars,
    Concat,
    Context,
    Look,
    Node,
    Repeat,
    Text,
    WordBoundary,
    concat,
    repeat,
    union,
)
from .utf8 import ANY, NONE, CodePoints

__all__ = ["MAX_REPEAT", "parse", "read_flags"]

MAX_REPEAT = 100_000  # the greatest count of {m,n}

I, M, S, X, A, U, L = re.I.value, re.M.value, re.S.value, re.X.value, re.A.value, re.U.value, re.L.value
_FLAG_LETTERS = {"i": I, "m": M, "s": S, "x": X, "a": A, "u": U, "L": L}
_KNOWN_FLAGS = I | M | S | X | A | U | re.DEBUG.value

_ORDINARY = re.compile(r"[^\\.^$*+?{}\[\]()|]+")
_ORDINARY_VERBOSE = re.compile(r"[^\\.^$*+?{}\[\]()|\s#]+")
_SKIPPED_VERBOSE = re.compile(r"(?:[ \t\n\r\v\f]|#[^\n]*)+")
_COUNTS = re.compile(r"\{([0-9]*)(?:(,)([0-9]*))?\}")
_CLASS = {  # in Python's syntax a bracket that comes first stands for itself
    "python": re.compile(r"\[(?:\^\]|\^(?=[^\]])|\]|(?=[^\]^]))(?:[^\]\\]|\\.)*\]", re.S),
    "ecma": re.compile(r"\[(?:[^\]\\]|\\.)*\]", re.S),
}
_COMMENT = re.compile(r"\(\?#(?:[^)\\]|\\.)*\)", re.S)
_NAME = re.compile(r"[^>]*")
_CONTROL_ESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92}
_HEX_WIDTHS = {"x": 2, "u": 4, "U": 8}
_AT_END = Context(False, NONE, True)
_BEFORE_LAST_NEWLINE = Look(False, False, concat([Text("\n"), _AT_END]))
# Before Python 3.14 the empty text has neither a word boundary nor a place that is none.
_EMPTY_TEXT_HAS_B = re.search(r"\B", "") is not None
_SOME_CHARACTER = union([Context(True, ANY, False), concat([Context(True, NONE, True), Context(False, ANY, False)])])

_NOTHING, _ASSERTION, _ATOM, _RUN, _REPEAT = range(5)  # what stands before the place, for a quantifier


def read_flags(flags: str | int, pattern: str) -> int:
    """Flags as an int of `re`'s bits, from such an int or from letters out of `aimsux`."""
    if isinstance(flags, str):
        unknown = [letter for letter in flags if letter not in _FLAG_LETTERS]
        if unknown:
            raise RegexError(f"regex: unknown flag {unknown[0]!r}: flags are letters of 'aimsux'", pattern)
        flags = sum({_FLAG_LETTERS[letter] for letter in flags})
    flags = int(flags)
    if flags & L:
        raise RegexError("regex: flag 'L' (locale) is for bytes, not for text", pattern)
    if flags & ~_KNOWN_FLAGS:
        raise RegexError(f"regex: unknown flags {flags & ~_KNOWN_FLAGS:#x}", pattern)
    if flags & A and flags & U:
        raise RegexError("regex: flags 'a' and 'u' are incompatible", pattern)
    return flags & (I | M | S | X | A)


@lru_cache(maxsize=512)
def parse(pattern: str, flags: int = 0, syntax: str = "python") -> Node:
    """The tree of `pattern`; `syntax` is "python" or "ecma"; recent trees are kept."""
    return _Parser(pattern, flags, syntax).parse()


class _Group:
    """An open bracket: what has been read inside it so far, and what to make of that at the closing one."""

    __slots__ = ("branches", "finish", "flags", "items", "last", "name_index", "start")

    def __init__(self, start: int, flags: int, finish: Callable[[Node], Node] | None, name_index: int = 0) -> None:
        self.start = start
        self.flags = flags  # those to return to
        self.finish = finish
        self.name_index = name_index
        self.branches: list[Node] = []
        self.items: list[Node] = []
        self.last = _NOTHING


class _Parser:
    def __init__(self, pattern: str, flags: int, syntax: str) -> None:
        self.pattern = pattern
        self.flags = flags
        self.syntax = syntax
        self.python = syntax == "python"
        self.at = 0
        self.group = _Group(0, flags, None)
        self.outer: list[_Group] = []
        self.num_groups = 0
        self.open_groups: set[int] = set()
        self.names: dict[str, int] = {}
        self.handlers: dict[str, Callable[[], None]] = {
            "\\": self.escape, ".": self.dot, "^": self.caret, "$": self.dollar, "*": self.star, "+": self.plus,
            "?": self.question, "{": self.brace, "[": self.char_class, "(": self.open, ")": self.close, "|": self.bar,
            "]": self.literal_bracket, "}": self.literal_bracket,
        }  # fmt: skip

    # -------------------------------------------------------------------------------------------- errors

    def message(self, what: str, start: int, end: int) -> str:
        shown = self.pattern[start : min(end, start + 40)]
        return f"regex: {what}: {shown!r} at offset {start}" if shown else f"regex: {what} at offset {start}"

    def fail(self, what: str, start: int, end: int) -> NoReturn:
        raise RegexError(self.message(what, start, end), self.pattern, (start, max(end, start + 1)))

    def refuse(self, feature: str, start: int, end: int, hint: str = "") -> NoReturn:
        message = self.message(f"{feature} is not supported{hint}", start, end)
        shown = RegexError(message, self.pattern, (start, max(end, start + 1)))
        raise UnsupportedError(feature, f"at offset {start}", str(shown))

    # --------------------------------------------------------------------------------------------- loop

    def parse(self) -> Node:
        pattern, handlers = self.pattern, self.handlers
        while self.at < len(pattern):
            if self.flags & X:
                skipped = _SKIPPED_VERBOSE.match(pattern, self.at)
                if skipped:
                    self.at = skipped.end()
                    continue
                run = _ORDINARY_VERBOSE.match(pattern, self.at)
            else:
                run = _ORDINARY.match(pattern, self.at)
            if run:
                self.at = run.end()
                self.text(run.group())
            elif pattern[self.at] in handlers:
                handlers[pattern[self.at]]()
            else:  # white space that re does not skip under (?x)
                self.at += 1
                self.text(pattern[self.at - 1])
        if self.outer:
            start = self.group.start
            self.fail("missing ')', unterminated group", start, start + 1)
        return self.closed_group(self.group)

    def closed_group(self, group: _Group) -> Node:
        branch = concat(group.items) if group.items else EMPTY
        if not group.branches:
            return branch
        return union([*group.branches, branch])

    def atom(self, node: Node) -> None:
        self.group.items.append(node)
        self.group.last = _ATOM

    def assertion(self, node: Node) -> None:
        self.group.items.append(node)
        self.group.last = _ASSERTION

    def text(self, text: str) -> None:
        items = self.group.items
        if not self.flags & I:
            items.append(Text(text))
            self.group.last = _RUN if len(text) > 1 else _ATOM
            return
        items += [_character(c, bool(self.flags & A)) for c in text]
        self.group.last = _ATOM

    def literal_bracket(self) -> None:
        self.at += 1
        self.text(self.pattern[self.at - 1])

    def points(self, points: CodePoints) -> None:
        """One character of a set, as an item."""
        self.atom(Chars(points))

    # -------------------------------------------------------------------------------------------- simple

    def dot(self) -> None:
        self.at += 1
        if self.flags & S:
            self.points(ANY)
        else:
            self.points(_NOT_NEWLINE if self.python else _NOT_LINE_END)

    def line_ends(self) -> CodePoints:
        return sets.NEWLINE if self.python else sets.LINE_ENDS

    def caret(self) -> None:
        self.at += 1
        self.assertion(Context(True, self.line_ends() if self.flags & M else NONE, True))

    def dollar(self) -> None:
        self.at += 1
        if self.flags & M:
            self.assertion(Context(False, self.line_ends(), True))
        elif self.python:  # at the end, or before a newline that is the last character
            self.assertion(union([_AT_END, _BEFORE_LAST_NEWLINE]))
        else:
            self.assertion(_AT_END)

    def bar(self) -> None:
        self.at += 1
        group = self.group
        group.branches.append(concat(group.items) if group.items else EMPTY)
        group.items = []
        group.last = _NOTHING

    # --------------------------------------------------------------------------------------- quantifiers

    def star(self) -> None:
        self.quantifier(self.at + 1, 0, INFINITE)

    def plus(self) -> None:
        self.quantifier(self.at + 1, 1, INFINITE)

    def question(self) -> None:
        self.quantifier(self.at + 1, 0, 1)

    def brace(self) -> None:
        counts = _COUNTS.match(self.pattern, self.at)
        if not counts or counts.group() == "{}":
            self.literal_bracket()
            return
        least, comma, most = counts.groups()
        if not least and not self.python:
            self.fail("a count without its least number; write {0,n}", self.at, counts.end())
        low = self.count(least or "0", counts)
        high = low if not comma else self.count(most, counts) if most else INFINITE
        if high < low:
            self.fail("least count greater than the greatest", self.at, counts.end())
        self.quantifier(counts.end(), low, high)

    def count(self, digits: str, counts: re.Match[str]) -> int:
        number = int(digits) if len(digits) < 20 else INFINITE
        if number > MAX_REPEAT:
            given = f"{digits[:20]}…" if len(digits) > 20 else digits
            what = f"repeat count {given} exceeds the limit {MAX_REPEAT}"
            shown = RegexError(self.message(what, self.at, counts.end()), self.pattern, counts.span())
            raise LimitExceeded("max_repeat", number, MAX_REPEAT, str(shown))
        return number

    def quantifier(self, end: int, least: int, most: int) -> None:
        start, group = self.at, self.group
        greedy, possessive = True, False
        if self.pattern.startswith("?", end):
            greedy, end = False, end + 1
        elif self.python and self.pattern.startswith("+", end):
            possessive, end = True, end + 1
        if group.last in (_NOTHING, _ASSERTION):
            self.fail("nothing to repeat", start, end)
        if group.last == _REPEAT:
            self.fail("multiple repeat", start, end)
        item = group.items.pop()
        if group.last == _RUN and type(item) is Text:
            group.items.append(Text(item.text[:-1]))
            item = Text(item.text[-1])
        if possessive:
            group.items.append(self.possessive(item, least, most, start, end))
        else:
            group.items.append(repeat(item, least, most, greedy))
        group.last = _REPEAT
        self.at = end

    def possessive(self, item: Node, least: int, most: int, start: int, end: int) -> Node:
        """`item{least,most}+`: as many as there are. With one width for the item that is "and then not one more"."""
        if least == most or most == 0:
            if item.fixed_width:
                return repeat(item, least, most)
        elif item.fixed_width and item.max_length:
            no_more = _not_ahead(item)
            if most == INFINITE:
                return concat([repeat(item, least, most), no_more])
            return union([repeat(item, most, most), concat([repeat(item, least, most - 1), no_more])])
        self.refuse("a possessive quantifier over items of different widths", start, end)

    def atomic(self, start: int) -> Callable[[Node], Node]:
        def finish(node: Node) -> Node:
            if node.fixed_width:
                return node
            parts = node.parts if isinstance(node, Concat) else [node]
            last = parts[-1]
            if isinstance(last, Repeat) and last.greedy and all(p.fixed_width for p in parts[:-1]):
                end = self.at + 1
                return concat([*parts[:-1], self.possessive(last.item, last.min, last.max, start, end)])
            self.refuse("an atomic group of texts of different widths", start, self.at + 1)

        return finish

    # -------------------------------------------------------------------------------------------- groups

    def push(self, length: int, finish: Callable[[Node], Node] | None, numbered: bool = False) -> None:
        index = 0
        if numbered:
            self.num_groups += 1
            index = self.num_groups
            self.open_groups.add(index)
        self.outer.append(self.group)
        self.group = _Group(self.at, self.flags, finish, index)
        self.at += length

    def close(self) -> None:
        if not self.outer:
            self.fail("unbalanced ')'", self.at, self.at + 1)
        group = self.group
        node = self.closed_group(group)
        if group.finish:
            node = group.finish(node)
        self.open_groups.discard(group.name_index)
        self.flags = group.flags
        self.group = self.outer.pop()
        self.at += 1
        self.atom(node)

    def open(self) -> None:
        if not self.pattern.startswith("(?", self.at):
            return self.push(1, None, numbered=True)
        start = self.at
        mark = self.pattern[start + 2 : start + 3]
        if mark == ":":
            self.push(3, None)
        elif mark in ("=", "!"):
            self.push(3, _looking(False, mark == "!"))
        elif mark == "<" and self.pattern[start + 3 : start + 4] in ("=", "!"):
            self.push(4, _looking(True, self.pattern[start + 3] == "!"))
        elif mark == "P" or (mark == "<" and not self.python):
            self.named()
        elif mark == ">" and self.python:
            self.push(3, self.atomic(start))
        elif mark == "#" and self.python:
            self.comment()
        elif mark == "(" and self.python:
            self.refuse("a conditional group", start, start + 3)
        elif mark == "-" or mark.isalpha():
            self.inline_flags()
        elif not mark:
            self.fail("unexpected end of pattern", start, start + 2)
        else:
            self.fail("unknown extension", start, start + 3)

    def comment(self) -> None:
        comment = _COMMENT.match(self.pattern, self.at)
        if not comment:
            self.fail("missing ')', unterminated comment", self.at, self.at + 3)
        self.at = comment.end()

    def named(self) -> None:
        start = self.at
        opening = "(?P<" if self.pattern.startswith("(?P", start) else "(?<"
        if self.pattern.startswith("(?P=", start):
            end = self.pattern.find(")", start)
            name = self.pattern[start + 4 : end] if end >= 0 else ""
            if end < 0 or name not in self.names:
                self.fail("unknown group name", start, start + 4 if end < 0 else end + 1)
            self.refuse("back-reference", start, end + 1)
        if not self.pattern.startswith(opening, start):
            self.fail("unknown extension", start, start + 4)
        name_start = start + len(opening)
        match = _NAME.match(self.pattern, name_start)
        name = match.group() if match else ""
        if name_start + len(name) >= len(self.pattern):
            self.fail("missing '>', unterminated name", start, start + len(opening))
        if not name.replace("$", "_" if not self.python else "$").isidentifier():
            what = "bad character in group name" if name else "missing group name"
            self.fail(what, start, name_start + len(name) + 1)
        if name in self.names and self.python:
            self.fail("redefinition of group name", start, name_start + len(name) + 1)
        self.push(len(opening) + len(name) + 1, None, numbered=True)
        self.names[name] = self.num_groups

    def inline_flags(self) -> None:
        start, at = self.at, self.at + 2
        on, at = self.flag_letters(at)
        off = 0
        end = self.pattern[at : at + 1]
        if end == "-":
            off, at = self.flag_letters(at + 1)
            end = self.pattern[at : at + 1]
            if not off:
                self.fail("missing flag", start, at + 1)
            if off & (A | U | L):
                self.fail("flags 'a' and 'u' cannot be turned off", start, at)
        if end not in (":", ")") or (end == ")" and off):
            self.fail("missing ':' after flags" if off else "missing ':' or ')' after flags, or an unknown flag", start, at + 1)
        if on & L:
            self.fail("flag 'L' is for bytes, not for text", start, at)
        if on & A and on & U:
            self.fail("flags 'a' and 'u' are incompatible", start, at)
        if on & off:
            self.fail("flag turned on and off", start, at)
        if end == ")" and (self.outer or self.group.branches or self.group.items):
            self.fail("flags for the whole pattern not at its start", start, at + 1)
        flags = (self.flags | on) & ~off
        if on & U:
            flags &= ~A
        if end == ":":
            self.push(at + 1 - start, None)
        else:
            if on & U and self.flags & A or on & A and self.flags & U:
                self.fail("flags 'a' and 'u' are incompatible", start, at)
            self.at = at + 1
        self.flags = flags

    def flag_letters(self, at: int) -> tuple[int, int]:
        flags = 0
        while self.pattern[at : at + 1] in _FLAG_LETTERS:
            flags |= _FLAG_LETTERS[self.pattern[at]]
            at += 1
        return flags, at

    # ------------------------------------------------------------------------------------------- classes

    def char_class(self) -> None:
        match = _CLASS[self.syntax].match(self.pattern, self.at)
        if not match:
            self.fail("missing ']', unterminated character set", self.at, self.at + 1)
        key = (match.group(), self.flags & (I | A), self.syntax)
        node = _class_cache.get(key)
        if node is None:
            node = self.read_class(self.at, match.end() - 1)
            if len(_class_cache) < 4096:
                _class_cache[key] = node
        self.at = match.end()
        self.atom(node)

    def read_class(self, start: int, end: int) -> Node:
        """The set between the brackets at `start` and `end`."""
        negative = self.pattern.startswith("^", start + 1)
        at = start + (2 if negative else 1)
        parts: list[CodePoints] = []
        while at < end:
            low_at = at
            low, at = self.class_member(at)
            if not (self.pattern.startswith("-", at) and at + 1 < end):
                parts.append(CodePoints.one(low) if isinstance(low, int) else low)
                continue
            high, at = self.class_member(at + 1)
            if isinstance(low, int) and isinstance(high, int):
                if high < low:
                    self.fail("bad character range", low_at, at)
                parts.append(CodePoints([(low, high)]))
            elif self.python:
                self.fail("bad character range", low_at, at)
            else:  # Annex B: the hyphen stands for itself
                for one in (low, ord("-"), high):
                    parts.append(CodePoints.one(one) if isinstance(one, int) else one)
        points = CodePoints([r for part in parts for r in part.ranges])
        if self.flags & I:
            points = sets.ignore_case(points, bool(self.flags & A))
        return Chars(~points if negative else points)

    def class_member(self, at: int) -> tuple[int | CodePoints, int]:
        if self.pattern[at] == "\\":
            return self.escaped(at, in_class=True)
        return ord(self.pattern[at]), at + 1

    # ------------------------------------------------------------------------------------------- escapes

    def escape(self) -> None:
        start = self.at
        letter = self.pattern[start + 1 : start + 2]
        if letter in ("b", "B"):
            self.at += 2
            boundary = WordBoundary(self.word(), letter == "B")
            never_empty = letter == "B" and self.python and not _EMPTY_TEXT_HAS_B
            return self.assertion(concat([_SOME_CHARACTER, boundary]) if never_empty else boundary)
        if letter in ("A", "Z") and self.python:
            self.at += 2
            return self.assertion(Context(letter == "A", NONE, True))
        if "1" <= letter <= "9" and len(letter) == 1:
            return self.digits_escape()
        if letter == "k" and not self.python:
            self.refuse("back-reference", start, start + 2)
        value, self.at = self.escaped(start, in_class=False)
        if isinstance(value, int):
            self.text(chr(value))
        else:
            self.points(value)

    def digits_escape(self) -> None:
        """`\\123`: an octal escape of three digits (Python), or a reference to a group."""
        start = self.at
        octal = re.compile("[0-7]{3}").match(self.pattern, start + 1)
        if octal and self.python:
            code = int(octal.group(), 8)
            if code > 0o377:
                self.fail("octal escape outside of 0-0o377", start, octal.end())
            self.at = octal.end()
            return self.text(chr(code))
        digits = re.compile("[0-9]{1,2}" if self.python else "[0-9]+").match(self.pattern, start + 1)
        assert digits
        group, end = int(digits.group()[:6]), digits.end()
        if self.python and group > self.num_groups:
            self.fail("reference to a group that does not exist", start, end)
        if self.python and group in self.open_groups:
            self.fail("reference to an open group", start, end)
        self.refuse("back-reference", start, end)

    def word(self) -> CodePoints:
        return sets.ASCII_WORD if self.flags & A or not self.python else sets.word()

    def category(self, letter: str) -> CodePoints:
        ascii_only = self.flags & A
        match letter:
            case "w":
                return self.word()
            case "d":
                return sets.ASCII_DIGIT if ascii_only or not self.python else sets.digit()
        return sets.ECMA_SPACE if not self.python else sets.ASCII_SPACE if ascii_only else sets.space()

    def escaped(self, start: int, in_class: bool) -> tuple[int | CodePoints, int]:
        """What the escape at `start` stands for: a code point or a set; and where it ends."""
        letter = self.pattern[start + 1 : start + 2]
        end = start + 2
        if not letter:
            self.fail("bad escape at the end of the pattern", start, end)
        if letter in "dws":
            return self.category(letter), end
        if letter in "DWS":
            return _complement(self.category(letter.lower())), end
        if letter in "pP":
            return self.property(start)
        if letter in _CONTROL_ESCAPES and (letter != "b" or in_class) and (letter != "a" or self.python):
            return _CONTROL_ESCAPES[letter], end
        if letter in _HEX_WIDTHS and (letter != "U" or self.python):
            return self.hexadecimal(start, letter)
        if letter in "01234567" and (letter == "0" or in_class):
            return self.octal(start, in_class)
        if letter == "N" and self.python:
            return self.named_character(start)
        if letter == "c" and not self.python:
            control = self.pattern[end : end + 1]
            if not (control.isascii() and control.isalpha()):
                self.fail("a letter is missing after '\\c'", start, end + 1)
            return ord(control) % 32, end + 1
        if letter.isascii() and letter.isalnum():
            self.fail("bad escape", start, end)
        return ord(letter), end

    def octal(self, start: int, in_class: bool) -> tuple[int, int]:
        if not self.python:
            after = self.pattern[start + 2 : start + 3]
            if self.pattern[start + 1] != "0" or after.isdigit():
                self.fail("octal escapes are not part of this syntax; write \\xHH", start, start + 2)
            return 0, start + 2
        digits = re.compile("[0-7]{1,3}" if in_class else "0[0-7]{0,2}").match(self.pattern, start + 1)
        assert digits
        code = int(digits.group(), 8)
        if code > 0o377:
            self.fail("octal escape outside of 0-0o377", start, digits.end())
        return code, digits.end()

    def hexadecimal(self, start: int, letter: str) -> tuple[int, int]:
        if letter == "u" and not self.python:
            return self.ecma_unicode(start)
        width = _HEX_WIDTHS[letter]
        digits = re.compile(f"[0-9a-fA-F]{{{width}}}").match(self.pattern, start + 2)
        if not digits:
            self.fail(f"incomplete escape, {width} hexadecimal digits are needed", start, start + 2)
        code = int(digits.group(), 16)
        if code > 0x10FFFF:
            self.fail("escape beyond the last code point U+10FFFF", start, digits.end())
        return code, digits.end()

    def ecma_unicode(self, start: int) -> tuple[int, int]:
        """`\\uXXXX`, `\\u{X…}`, or two of the first that are a surrogate pair."""
        digits = re.compile(r"\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{4})").match(self.pattern, start + 2)
        if not digits:
            self.fail("incomplete escape, \\uHHHH or \\u{H…} is needed", start, start + 2)
        code = int(digits.group(1) or digits.group(2), 16)
        if code > 0x10FFFF:
            self.fail("escape beyond the last code point U+10FFFF", start, digits.end())
        if digits.group(2) and 0xD800 <= code <= 0xDBFF:
            low = re.compile(r"\\u([dD][c-fC-F][0-9a-fA-F]{2})").match(self.pattern, digits.end())
            if low:
                return 0x10000 + ((code - 0xD800) << 10) + int(low.group(1), 16) - 0xDC00, low.end()
        return code, digits.end()

    def named_character(self, start: int) -> tuple[int, int]:
        name = re.compile(r"\{([^}]*)\}").match(self.pattern, start + 2)
        if not name:
            self.fail("missing '{NAME}'", start, start + 2)
        try:
            return ord(unicodedata.lookup(name.group(1))), name.end()
        except (KeyError, TypeError):
            self.fail("undefined character name", start, name.end())

    def property(self, start: int) -> tuple[CodePoints, int]:
        r"""`\p{Name}`, `\P{Name}`, `\p{^Name}`, `\pL`."""
        braced = re.compile(r"\{(\^?)([^{}]*)\}|([A-Z])").match(self.pattern, start + 2)
        if not braced:
            self.fail("a property is missing, as in \\p{Lu}", start, start + 2)
        name = braced.group(2) if braced.group(3) is None else braced.group(3)
        points = sets.property_set(name)
        if points is None:
            self.refuse("this Unicode property", start, braced.end(), " (General_Category and a few binary ones are)")
        negative = (self.pattern[start + 1] == "P") != (braced.group(1) == "^")
        return (_complement(points) if negative else points), braced.end()


_class_cache: dict[tuple[str, int, str], Node] = {}
_NOT_NEWLINE = ~sets.NEWLINE
_NOT_LINE_END = ~sets.LINE_ENDS


@lru_cache(maxsize=256)
def _complement(points: CodePoints) -> CodePoints:
    return ~points


@lru_cache(maxsize=1024)
def _character(character: str, ascii_only: bool) -> Node:
    """One character under `(?i)`."""
    points = CodePoints.one(ord(character))
    folded = sets.ignore_case(points, ascii_only)
    return Text(character) if folded == points else Chars(folded)


def _looking(behind: bool, negative: bool) -> Callable[[Node], Node]:
    return lambda node: _look(behind, negative, node)


def _look(behind: bool, negative: bool, item: Node) -> Node:
    """A look at one character is a Context; one that cannot match at all never holds."""
    points = _single(item)
    if points is None:
        return Look(behind, negative, item)
    return Context(behind, _complement(points) if negative else points, negative)


def _single(item: Node) -> CodePoints | None:
    if isinstance(item, Chars):
        return item.points
    if isinstance(item, Text) and len(item.text) == 1:
        return CodePoints.one(ord(item.text))
    return None


def _not_ahead(item: Node) -> Node:
    return _look(False, True, item)
