r"""The sets of code points that regexes name: `\d \w \s` as Python's `re` has them, `\p{…}`, ECMA-262's, and ignoring case.

Everything comes from the running interpreter's own Unicode tables, found once a process on first use, so the sets agree
with `re` on the same Python. Planes 4 to 13 hold no characters, 15 and 16 only private ones; tests/test_unicode_sets.py
checks every code point against `re` and `unicodedata`.

Ignoring case follows `re._compiler`: a character is compared by its simple lower case, and lower-case letters with the same
upper case (`ſ` and `s`, `ς` and `σ`) count as equal, but only from a letter that has case itself. The one known difference is
kept on purpose: CPython does not find an upper-case letter beyond U+FFFF inside a bracketed set under `(?i)`; here it is found.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from array import array
from collections.abc import Iterator
from functools import cache

from .utf8 import ANY, NONE, CodePoints, Range

__all__ = [
    "ASCII_DIGIT",
    "ASCII_SPACE",
    "ASCII_WORD",
    "ECMA_SPACE",
    "LINE_ENDS",
    "NEWLINE",
    "digit",
    "ignore_case",
    "property_set",
    "space",
    "word",
]

NEWLINE = CodePoints.of("\n")
LINE_ENDS = CodePoints.of("\n\r\u2028\u2029")  # ECMA-262's LineTerminator
ASCII_DIGIT = CodePoints.between("0", "9")
ASCII_WORD = ASCII_DIGIT | CodePoints.between("a", "z") | CodePoints.between("A", "Z") | CodePoints.of("_")
ASCII_SPACE = CodePoints.of(" \t\n\r\f\v")

# The planes that hold characters other than private ones, without the surrogates.
_ASSIGNED: tuple[Range, ...] = ((0, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x3FFFF), (0xE0000, 0xEFFFF))
# Letters with case, digits and spaces all live here; beyond are only ideographs, tags and private use.
_FIRST_TWO_PLANES: tuple[Range, ...] = ((0, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x1FFFF))


def _text(first: int, last: int) -> str:
    return array("I", range(first, last + 1)).tobytes().decode(f"utf-32-{sys.byteorder[0]}e")


def _found_by(pattern: str, planes: tuple[Range, ...]) -> CodePoints:
    """The characters that a one-character class of `re` matches, found as runs by `re` itself."""
    runs = re.compile(f"{pattern}+")
    return CodePoints(
        (start + match.start(), start + match.end() - 1)
        for start, end in planes
        for match in runs.finditer(_text(start, end))
    )


@cache
def digit() -> CodePoints:
    r"""Python's `\d`: the decimal digits of every script."""
    return _found_by(r"\d", _FIRST_TWO_PLANES)


@cache
def word() -> CodePoints:
    r"""Python's `\w`: letters and numbers of every script, and the underscore."""
    return _found_by(r"\w", _ASSIGNED)


@cache
def space() -> CodePoints:
    r"""Python's `\s`."""
    return _found_by(r"\s", _FIRST_TWO_PLANES[:1])


# ECMA-262, 12.2 and 12.3: the tab characters, the byte order mark, Space_Separator (Zs) and the line terminators.
ECMA_SPACE = LINE_ENDS | CodePoints(
    [(9, 9), (0xB, 0xC), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x202F, 0x202F),
     (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)]
)  # fmt: skip


# ---------------------------------------------------------------------------------------------- \p{…}

# The long names and the aliases of General_Category (PropertyValueAliases.txt), as ECMA-262 spells them.
_CATEGORY_NAMES = {
    "LC": "Cased_Letter", "L": "Letter", "Lu": "Uppercase_Letter", "Ll": "Lowercase_Letter", "Lt": "Titlecase_Letter",
    "Lm": "Modifier_Letter", "Lo": "Other_Letter", "M": "Mark Combining_Mark", "Mn": "Nonspacing_Mark",
    "Mc": "Spacing_Mark", "Me": "Enclosing_Mark", "N": "Number", "Nd": "Decimal_Number digit", "Nl": "Letter_Number",
    "No": "Other_Number", "P": "Punctuation punct", "Pc": "Connector_Punctuation", "Pd": "Dash_Punctuation",
    "Ps": "Open_Punctuation", "Pe": "Close_Punctuation", "Pi": "Initial_Punctuation", "Pf": "Final_Punctuation",
    "Po": "Other_Punctuation", "S": "Symbol", "Sm": "Math_Symbol", "Sc": "Currency_Symbol", "Sk": "Modifier_Symbol",
    "So": "Other_Symbol", "Z": "Separator", "Zs": "Space_Separator", "Zl": "Line_Separator", "Zp": "Paragraph_Separator",
    "C": "Other", "Cc": "Control cntrl", "Cf": "Format", "Cs": "Surrogate", "Co": "Private_Use", "Cn": "Unassigned",
}  # fmt: skip


def _loose(name: str) -> str:
    """Names compare without case, underscores, hyphens and spaces (UAX 44, loose matching)."""
    return re.sub(r"[_\-\s]", "", name).lower()


_CATEGORY_BY_NAME = {
    _loose(name): short for short, names in _CATEGORY_NAMES.items() for name in [short, *names.split()]
}
_CATEGORY_PROPERTIES = {"gc", "generalcategory", "category"}
_WHITE_SPACE = CodePoints([(9, 13), (0x20, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A),
                           (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000)])  # fmt: skip


@cache
def _categories() -> dict[str, CodePoints]:
    """The set of each two-letter General_Category."""
    found: dict[str, list[Range]] = {}
    category = unicodedata.category
    for start, end in _ASSIGNED:
        run_start, run = start, category(chr(start))
        for code in range(start + 1, end + 2):
            here = category(chr(code)) if code <= end else ""
            if here != run:
                found.setdefault(run, []).append((run_start, code - 1))
                run_start, run = code, here
    found.setdefault("Co", []).extend([(0xF0000, 0xFFFFD), (0x100000, 0x10FFFD)])
    sets = {name: CodePoints(ranges) for name, ranges in found.items()}
    rest = CodePoints(r for points in sets.values() for r in points.ranges)
    sets["Cn"] = sets.get("Cn", NONE) | ~rest
    sets["Cs"] = NONE
    return sets


@cache
def _category(short: str) -> CodePoints:
    members = ("Lu", "Ll", "Lt") if short == "LC" else [name for name in _categories() if name.startswith(short)]
    return CodePoints(r for name in members for r in _categories()[name].ranges)


def _tested(test: str, before: str = "") -> CodePoints:
    """The characters c for which the method `test` of the string `before + c` says yes."""
    method = getattr(str, test)
    ranges = ((code, code) for start, end in _ASSIGNED for code in range(start, end + 1) if method(before + chr(code)))
    return CodePoints(ranges)


@cache
def _binary_property(name: str) -> CodePoints | None:
    match name:
        case "any":
            return ANY
        case "ascii":
            return CodePoints([(0, 0x7F)])
        case "assigned":
            return ~_category("Cn")
        case "whitespace" | "wspace" | "space":
            return _WHITE_SPACE
        case "asciihexdigit" | "ahex":
            return ASCII_DIGIT | CodePoints.between("a", "f") | CodePoints.between("A", "F")
        case "lowercase" | "lower":
            return _tested("islower")
        case "uppercase" | "upper":
            return _tested("isupper")
        case "xidstart" | "xids":
            return _tested("isidentifier") - CodePoints.of("_")
        case "xidcontinue" | "xidc":
            return _tested("isidentifier", "a")
    return None


def property_set(name: str) -> CodePoints | None:
    r"""The set that `\p{name}` names, or None for a property that is not carried: General_Category and a few binary ones.

    >>> property_set("Lu") == property_set("Uppercase_Letter") == property_set("gc=Lu")
    True
    >>> property_set("Script=Greek") is None
    True
    """
    key, separator, value = name.partition("=")
    if separator:
        short = _CATEGORY_BY_NAME.get(_loose(value))
        return _category(short) if short and _loose(key) in _CATEGORY_PROPERTIES else None
    short = _CATEGORY_BY_NAME.get(_loose(name))
    return _category(short) if short else _binary_property(_loose(name))


# ---------------------------------------------------------------------------------------- ignoring case


def _changed(method: str) -> Iterator[str]:
    """The characters that `method` (lower or upper) changes, found block by block."""
    convert = getattr(str, method)
    for first, last in _FIRST_TWO_PLANES:
        text = _text(first, last)
        for start in range(0, len(text), 128):
            block = text[start : start + 128]
            if convert(block) != block:
                yield from (c for c in block if convert(c) != c)


class _Case:
    """Who equals whom when case is ignored."""

    def __init__(self) -> None:
        # As in CPython's tables, a one-character mapping is the first character of the full one: U+0130 lowers to i.
        self.lower = {ord(c): ord(c.lower()[0]) for c in _changed("lower")}
        raised = list(_changed("upper"))
        self.cased = set(self.lower) | {ord(c) for c in raised if c.upper()[0] != c}
        self.originals: dict[int, list[int]] = {}
        for code, low in self.lower.items():
            self.originals.setdefault(low, []).append(code)
        # Lower-case letters with one upper case are equal; grouped by the full upper case, as re._casefix is made.
        groups: dict[str, list[int]] = {}
        for c in raised:
            if ord(c) not in self.lower:
                groups.setdefault(c.upper(), []).append(ord(c))
        fixed = {code: group for group in groups.values() if len(group) > 1 for code in group}
        self.fixes = {code: [other for other in group if other != code] for code, group in fixed.items()}
        self.codes = CodePoints((c, c) for c in {*self.cased, *self.originals, *self.fixes})

    def fold(self, low: int) -> list[int]:
        """All characters that equal the lower-case character `low`."""
        equal = [low, *self.fixes.get(low, [])]
        return [code for e in equal for code in [e, *self.originals.get(e, [])]]


@cache
def _case() -> _Case:
    return _Case()


def _ascii_fold(points: CodePoints) -> CodePoints:
    letters = points & _ASCII_LETTERS
    return points | CodePoints((code ^ 0x20, code ^ 0x20) for code in letters) if letters else points


_ASCII_LETTERS = CodePoints.between("a", "z") | CodePoints.between("A", "Z")


def ignore_case(points: CodePoints, ascii_only: bool) -> CodePoints:
    """The characters that match a set under `(?i)`.

    A set without any cased character stays what it is, even where its lower case would match (`re` does the same).
    """
    if ascii_only:
        return _ascii_fold(points)
    case = _case()
    if not any(code in case.cased for code in points & case.codes):
        return points
    return points | _folded(points & case.codes)


@cache
def _folded(points: CodePoints) -> CodePoints:
    case = _case()
    lowers = {case.lower.get(code, code) for code in points}
    return CodePoints((code, code) for low in lowers for code in case.fold(low))
