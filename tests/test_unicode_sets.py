"""The sets that regexes name, at every code point, against `re` and `unicodedata`."""

from __future__ import annotations

import random
import re
import unicodedata

import pytest

from constrain.frontends import unicode_sets as sets
from constrain.frontends.utf8 import CodePoints

ALL_CODES = [*range(0xD800), *range(0xE000, 0x110000)]
ALL_TEXT = "".join(map(chr, ALL_CODES))
CASED_TEXT = ALL_TEXT[:0x20000]


def found_by_re(pattern: str, text: str = ALL_TEXT) -> set[int]:
    return set(map(ord, re.findall(pattern, text)))


@pytest.mark.parametrize(("name", "points"), [("d", sets.digit), ("w", sets.word), ("s", sets.space)])
def test_categories_are_those_of_re(name, points):
    assert set(points()) == found_by_re(rf"\{name}")


@pytest.mark.parametrize(("name", "points"), [("d", sets.ASCII_DIGIT), ("w", sets.ASCII_WORD), ("s", sets.ASCII_SPACE)])
def test_ascii_categories_are_those_of_re(name, points):
    assert set(points) == found_by_re(rf"(?a)\{name}")


def test_ecma_space_is_zs_and_the_named_ones():
    zs = {c for c in ALL_CODES if unicodedata.category(chr(c)) == "Zs"}
    assert set(sets.ECMA_SPACE) == zs | set(map(ord, "\t\v\f\ufeff\n\r\u2028\u2029"))


def test_general_categories_are_those_of_unicodedata():
    found: dict[str, set[int]] = {}
    for code in ALL_CODES:
        found.setdefault(unicodedata.category(chr(code)), set()).add(code)
    for name, members in found.items():
        assert set(sets.property_set(name)) == members, name
    assert set(sets.property_set("L")) == set.union(*(m for n, m in found.items() if n[0] == "L"))
    assert set(sets.property_set("LC")) == found["Lu"] | found["Ll"] | found["Lt"]


@pytest.mark.parametrize(
    ("name", "test"),
    [("Lowercase", str.islower), ("Uppercase", str.isupper), ("XID_Start", lambda c: c.isidentifier() and c != "_"),
     ("XID_Continue", lambda c: ("a" + c).isidentifier()), ("ASCII", str.isascii), ("Any", lambda c: True),
     ("Assigned", lambda c: unicodedata.category(c) != "Cn"), ("AHex", lambda c: c in "0123456789abcdefABCDEF")],
)  # fmt: skip
def test_binary_properties(name, test):
    assert set(sets.property_set(name)) == {c for c in ALL_CODES if test(chr(c))}


def test_property_names_compare_loosely():
    letters = sets.property_set("Lu")
    for name in ("Uppercase_Letter", "uppercase letter", "UPPERCASE-LETTER", "gc=Lu", "General_Category=Uppercase_Letter", "category=lu"):
        assert sets.property_set(name) == letters
    for name in ("Script=Greek", "sc=Lu", "Greek", "L&u", "", "gc=", "Emoji"):
        assert sets.property_set(name) is None


def test_ignoring_case_is_that_of_re_for_every_cased_character():
    codes = [ord(c) for c in CASED_TEXT if c.lower() != c or c.upper() != c]
    # By lower case, all that re finds: computed once for all, since a search per character would take minutes.
    for code in codes[:: max(1, len(codes) // 700)]:
        expected = found_by_re("(?i)" + re.escape(chr(code)), CASED_TEXT)
        assert set(sets.ignore_case(CodePoints.one(code), False)) == expected, hex(code)


def test_the_extra_cases_are_those_of_re():
    casefix = pytest.importorskip("re._casefix", reason="before Python 3.11 the table lies elsewhere")
    extra = {code: sorted(others) for code, others in casefix._EXTRA_CASES.items()}
    assert {code: sorted(others) for code, others in sets._case().fixes.items()} == extra


def test_ignoring_case_in_sets_is_that_of_re():
    chooser = random.Random(2)
    for _ in range(25):
        start = chooser.choice([chooser.randrange(0x250), chooser.randrange(0x370, 0x530), chooser.randrange(0x1E00, 0x2000), 0x41, 0x61, 0xFF21])
        end = start + chooser.randrange(1, 40)
        for flag, ascii_only in (("(?i)", False), ("(?ia)", True)):
            expected = found_by_re(f"{flag}[\\u{start:04x}-\\u{end:04x}]", CASED_TEXT)
            assert set(sets.ignore_case(CodePoints([(start, end)]), ascii_only)) == expected, (hex(start), hex(end))


def test_nothing_with_case_lies_beyond_the_first_two_planes():
    rest = "".join(chr(c) for c in range(0x20000, 0x110000))
    assert rest.lower() == rest == rest.upper()
