"""Formats: dates against `datetime`, addresses against `ipaddress`, labels against `unicodedata`, and lists of cases."""

from __future__ import annotations

import calendar
import datetime
import ipaddress
import json
import random
import unicodedata
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import constrain
from constrain._native import ExprSet
from constrain.errors import RegexError, UnsupportedError
from constrain.frontends.json_schema import formats_idn
from constrain.frontends.json_schema.formats import FORMATS, NARROWED
from constrain.frontends.regex_syntax import parse
from constrain.frontends.utf8 import Utf8Alphabet


def format_of(name: str) -> constrain.Expr:
    return constrain.json_schema({"type": "string", "format": name})


def accepts(expr: constrain.Expr, text: str) -> bool:
    return expr.matches(json.dumps(text, ensure_ascii=False))


def after(s: Any, state: int, text: str) -> int:
    """The state after some bytes; 0 where they lead nowhere."""
    for byte in text.encode():
        state = s.step(state, byte)
    return state


def days_after(s: Any, state: int) -> frozenset[str]:
    """Every `MM-DD`, of all four digits, that ends a date from this state."""
    found = set()
    for month in range(100):
        in_month = after(s, state, f"{month:02d}-")
        if in_month:
            found |= {f"{month:02d}-{day:02d}" for day in range(100) if s.nullable(after(s, in_month, f'{day:02d}"'))}
    return frozenset(found)


def days_of(leap: bool) -> frozenset[str]:
    first = datetime.date(2024 if leap else 2023, 1, 1)
    return frozenset((first + datetime.timedelta(days=n)).strftime("%m-%d") for n in range(366 if leap else 365))


def test_every_year_has_just_the_days_that_datetime_knows() -> None:
    """All 3.6 million dates and all that are none: years that lead to the same state are asked once."""
    s, date = (e := format_of("date")).set, e.root
    start, known = after(s, date, '"'), {0: frozenset[str]()}
    expected = {True: days_of(True), False: days_of(False)}
    for year in range(10_000):
        state = after(s, start, f"{year:04d}-")
        if state not in known:
            known[state] = days_after(s, state)
        assert known[state] == (expected[calendar.isleap(year)] if year else frozenset()), year
    assert len(known) <= 4


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 23), st.integers(0, 59), st.sampled_from(["Z", "+", "-"]), st.integers(0, 23), st.integers(0, 59))
def test_leap_seconds_only_at_midnight_in_utc(hour: int, minute: int, sign: str, offset_hour: int, offset_minute: int) -> None:
    zone = "Z" if sign == "Z" else f"{sign}{offset_hour:02d}:{offset_minute:02d}"
    offset = 0 if sign == "Z" else (offset_hour * 60 + offset_minute) * (1 if sign == "+" else -1)
    expr = format_of("time")
    assert expr.matches(f'"{hour:02d}:{minute:02d}:60{zone}"') == ((hour * 60 + minute - offset) % 1440 == 1439)
    local = (1439 + offset) % 1440
    assert expr.matches(f'"{local // 60:02d}:{local % 60:02d}:60.5{zone}"')
    assert expr.matches(f'"{hour:02d}:{minute:02d}:59.123{zone}"')
    spelt = constrain.json_schema({"type": "string", "format": "time"}, escapes="any")
    assert spelt.matches(f'"{hour:02d}:{minute:02d}:60{zone}"') == expr.matches(f'"{hour:02d}:{minute:02d}:60{zone}"')


@given(st.ip_addresses())
def test_addresses(address: object) -> None:
    text = str(address)
    assert format_of(f"ipv{address.version}").matches(f'"{text}"')  # type: ignore[attr-defined]
    assert not format_of(f"ipv{10 - address.version}").matches(f'"{text}"')  # type: ignore[attr-defined]


@settings(max_examples=300, deadline=None)
@given(st.text("0123456789abcF:.", max_size=24))
def test_near_addresses(text: str) -> None:
    for version, kind in ((4, ipaddress.IPv4Address), (6, ipaddress.IPv6Address)):
        try:
            kind(text)
            good = True
        except ValueError:
            good = False
        assert format_of(f"ipv{version}").matches(f'"{text}"') == good


CASES = {
    "date-time": (["2024-02-29T12:00:00Z", "1998-12-31t23:59:60.5z", "1985-04-12T23:20:50.52-08:00"], ["2023-02-29T12:00:00Z", "2024-02-29 12:00:00Z", "2024-02-29T24:00:00Z", "2024-02-29T12:00:00"]),
    "time": (["12:00:00Z", "23:59:59.999+23:59"], ["12:00Z", "12:00:00", "24:00:00Z", "12:60:00Z", "12:00:00+24:00", "12:00:00.Z"]),
    "duration": (["P1Y", "PT5M", "P1Y2M3DT4H5M6S", "P4W", "PT1H"], ["P", "PT", "P1S", "1Y", "P1YT", "P4W1D", "P1D2H"]),
    "email": (["a@b", "joe.bloggs@example.com", "te~st@example.com", '"a b"@x.org', "j@[127.0.0.1]", "j@[IPv6:::1]", "j@[ipv6:1:2:3:4:5:6::]", "j@[127.000.0.01]"], ["j@[IPv6:1:2:3:4:5:6:7::]", "j@[1.2.3.256]", "a", "@x", "a@", ".a@x", "a.@x", "a..b@x", "a@-x", "a b@x"]),
    "hostname": (["a", "www.example.com", "a-b.c", "x" * 63], ["", "-a", "a-", "a..b", ".a", "a.", "x" * 64, "a_b", ".".join(["x" * 49] * 6)]),
    "idn-email": (["실례@실례.테스트", "δοκιμή@example.com", '"δ\u0085"@a', "\uffff@a.b", "a@[127.0.0.1]"], ["a", "a＠b", "a@b。c", "a@-ü", "a@ü_", ".ü@a"]),
    "idn-hostname": (["bücher.example", "実例。テスト", "l·l·l", "α͵β", "א׳ב", "・ァ", "क\u094d\u200dष", "بي\u200cبي", "ب\u200cب\u200cب", "٠".join("بب"), "A.b-c", "אב.a", "ẹ\u0301", "தமிழ்"], ["", "ü.", "-ü", "ü-", "üb--a", "\u0301ü", "l·a", "α͵S", "a׳ב", "a・b", "क\u200dष", "x\u200cy", "ب٠۰", "0a.א", "aא", "Bü", "u\u0308", "ạ\u0302", "ü" * 66, "xn--7a"]),
    "regex": (["", "([abc])+\\s+$", "(?<n>a)\\k<n>", "(?<=a+)b", "[]", "[^]", "\\cA", "(a)\\1", "a{2,10}?", "[\\w-]", "[\\u4e00-\\u9fa5à-ÿ!-/]", "\\p{Script=Greek}\\u{1F600}", "((((((((a))))))))"], ["^(abc]", "\\a", "(?P<n>x)", "(?#c)a", "(?i)a", "*", "a**", "(?=a)*", "a{2,1}", "a{", "]", "}", "[z-a]", "[\\w-a]", "\\1", "\\k<n>", "(?<n>a)(?<n>b)", "\\01", "(a)\\10", "[(]\\1", "(?:a)\\1", "\\p{Foo}", "\\u{110000}", "\\-", "["]),
    "uuid": ([str(uuid.UUID(int=7)), "2EB8AA08-aa98-11ea-b4aa-73b441d16380"], ["2eb8aa08aa9811eab4aa73b441d16380", "2eb8aa08-aa98-11ea-b4aa-73b441d1638"]),
    "uri": (["http://a.b/c?d#e", "urn:a:b", "mailto:a@b", "ftp://[::1]:21/", "a:"], ["//a", "a", "http://a b", "http://a/\\", ":a", "http://[::1", "a:%zz"]),
    "uri-reference": (["", "//a/b", "../x", "#y", "a:b"], ["\\a", "a b", "#a#b"]),
    "iri": (["http://ƒøø.ßår/?∂éœ=πîx#πîüx"], ["∂", "http://a b"]),
    "json-pointer": (["", "/a/b~0~1", "//"], ["a", "/~", "/~2", "#/a"]),
    "relative-json-pointer": (["0", "1/a", "0#", "12/~1"], ["", "/a", "01/a", "-1", "0##"]),
    "uri-template": (["http://x/{a}", "{+a,b:3,c*}", "a"], ["{", "}", "http://x/{a", "{a b}"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_cases(name: str) -> None:
    good, bad = CASES[name]
    expr = format_of(name)
    assert [t for t in good if not accepts(expr, t)] == []
    assert [t for t in bad if accepts(expr, t)] == []
    spelt = constrain.json_schema({"type": "string", "format": name}, escapes="any")
    assert [t for t in good if not spelt.matches(json.dumps(t))] == []
    assert [t for t in bad if spelt.matches(json.dumps(t))] == []


@pytest.mark.parametrize("name", FORMATS)
def test_a_narrower_format_cannot_be_denied(name: str) -> None:
    schema = {"type": "string", "not": {"format": name}}
    if name in NARROWED:
        with pytest.raises(UnsupportedError, match=name):
            constrain.json_schema(schema)
    else:
        assert constrain.json_schema(schema).matches('"\\u0000"')


# --------------------------------------------------------------------------------------------------- patterns

FRAGMENTS = (
    r"a 1 9 - ^ $ \\ \d \b \0 \1 \2 \k<a> (?<a> (?<ab> (?: (?= (?! (?<= (?<! ( ( ) ) [ ] [^ { } {2} {2,} {3,2} {9,10} * + ?"
    r" | . \x41 \u0041 \u{1F600} \u{110000} \p{L} \p{Foo} \cA \c \a \- \/ é 中 😀 a-z z-a à-ÿ ÿ-à \x20-~ : = < > , _"
).split()


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join), st.booleans())
def test_what_is_a_pattern_can_be_read_as_one(text: str, inside: bool) -> None:
    text = f"[{text}]" if inside else text
    if accepts(format_of("regex"), text):
        try:
            parse(text, 0, "ecma")
        except RegexError as error:
            pytest.fail(f"{text!r}: {error}")
        except UnsupportedError:
            pass  # well-formed: back-references, some properties


# ------------------------------------------------------------------------------ labels beyond ASCII

THRESHOLDS = (1, 36, 1261, 28_886, 288_886, 2_888_886, 28_888_886)


def digit_thresholds(bias: int) -> list[int]:
    """The least numbers with 2, 3, … digits (RFC 3492, 3.3)."""
    found, total, weight = [], 0, 1
    for k in range(36, 36 * 9, 36):
        threshold = max(1, min(26, k - bias))
        total += threshold * weight
        weight *= 36 - threshold
        found.append(total)
    return found


def test_no_bias_makes_a_number_longer_than_the_thresholds_say() -> None:
    assert tuple(min(digit_thresholds(bias)[i] for bias in range(250)) for i in range(7)) == THRESHOLDS


@pytest.mark.parametrize("row", formats_idn.LABEL_WEIGHTS)
def test_the_weights_of_a_label_bound_its_punycode(row: Any) -> None:
    weight, budget, windows = row
    assert max(formats_idn._letters()) <= max(high for _, _, w in formats_idn.LABEL_WEIGHTS for _, high in w)
    for low, high in windows:
        for m in range(1, budget // weight + 1):
            for b in range(budget - weight * m + 1):
                first = 1 + sum((high - 127) * (b + 1) >= t for t in digit_thresholds(72))
                others = m - 1 + sum(min(m - 1, (high - low + 1) * (b + m) // t) for t in THRESHOLDS)
                assert 4 + b + (b > 0) + first + others <= 63, (row, b, m)


def test_the_letters_are_those_of_rfc_5892() -> None:
    letters = formats_idn._letters()
    for code in range(0x110000):
        c = chr(code)
        if unicodedata.category(c) in ("Ll", "Lu", "Lo", "Nd", "Lm", "Mn", "Mc"):
            stable = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", c).casefold()) == c
            assert code not in letters or stable or c in "ßς", c
        else:
            assert code not in letters or c in "-\u00b7\u0375\u05f3\u05f4\u30fb\u06fd\u06fe\u0f0b\u3007\u200c\u200d", c
        parts = unicodedata.decomposition(c).split()
        if len(parts) == 2 and parts[0][0] != "<" and unicodedata.normalize("NFC", c) == c:
            assert any(low <= code <= high for low, high in formats_idn._COMPOSED_IN), c


SCRIPTS = ["aelou-1éßçüñğ\u0301\u0308\u0323", "αβγςά͵", "אבגד״׳\u05b0\u05c1", "بييس٠۰\u200c\u064b\u0651", "カタぁア・丈一\u3099", "कषन\u094d\u200d\u200c\u093c", "கொ\u0bd7", "l·lAa", "실례테스트", "тест"]


def test_labels_are_no_wider_than_the_standard() -> None:
    idna = pytest.importorskip("idna", reason="the package idna, an independent check, is absent")
    expr, pick = format_of("idn-hostname"), random.Random(7)
    good = 0
    for _ in range(3000):
        letters = pick.choice(SCRIPTS) + pick.choice(["", "", "a0-", pick.choice(SCRIPTS)])
        label = "".join(pick.choice(letters) for _ in range(pick.choice([1, 2, 3, 4, 8, 16])))
        try:
            valid = label.isascii() or bool(idna.alabel(label))
        except idna.IDNAError:
            valid = False
        accepted = accepts(expr, label)
        assert valid or not accepted, ascii(label)
        good += accepted
    assert good > 500


def test_marks_are_no_wider_than_normalization_form_c() -> None:
    alphabet, pick = Utf8Alphabet(ExprSet()), random.Random(3)
    form_c = formats_idn._normal_form(formats_idn._Words(alphabet))
    composites = formats_idn._composites()
    letters = [c for c in {*composites, *(first for first, _ in composites.values())} if ord(c) in formats_idn._letters()]
    few = [c for c in letters if ord(c) < 0x250 or 0x1E00 <= ord(c) < 0x1F00]
    marks = [chr(c) for points in formats_idn._marks_by_class().values() for c in points]
    accepted = 0
    for _ in range(6000):
        some, after = pick.choice([(letters, marks), (few, [m for m in marks if ord(m) < 0x370])])
        text = "".join(pick.choice(some) + "".join(pick.choices(after, k=pick.randint(0, 3))) for _ in range(2))
        if alphabet.set.matches(form_c, text.encode()):
            assert unicodedata.is_normalized("NFC", text), ascii(text)
            accepted += 1
    assert accepted > 1000


def test_long_labels_stay_within_63_octets() -> None:
    expr, pick = format_of("idn-hostname"), random.Random(11)
    longest = 0
    for pool in ("αωά", "\u0561\u0586", "一鿯", "가힣", "ßа一가\U00020000", "aé", "aaa가"):
        for _ in range(200):
            label = "".join(pick.choice(pool) for _ in range(pick.randint(1, 50)))
            if accepts(expr, label):
                longest = max(longest, len(label.encode("punycode")))
    assert 40 < longest <= 59
