"""Formats: dates against `datetime`, times with leap seconds, addresses against `ipaddress`, and lists of cases."""

from __future__ import annotations

import datetime
import ipaddress
import json
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import constrain


def format_of(name: str) -> constrain.Expr:
    return constrain.json_schema({"type": "string", "format": name})


def is_date(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def test_february_of_every_year_and_all_days_of_some_years() -> None:
    s, date = (e := format_of("date")).set, e.root
    for year in range(0, 10_000):
        for day in (28, 29, 30) if year % 4 == 0 or year % 100 < 2 else (29,):
            text = f"{year:04d}-02-{day:02d}"
            assert s.matches(date, f'"{text}"'.encode()) == is_date(text), text
    for year in (1900, 2000, 2023, 2024):
        for month in range(0, 14):
            for day in range(0, 33):
                text = f"{year:04d}-{month:02d}-{day:02d}"
                assert s.matches(date, f'"{text}"'.encode()) == is_date(text), text


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
    "email": (["a@b", "joe.bloggs@example.com", "te~st@example.com", '"a b"@x.org', "j@[127.0.0.1]", "j@[IPv6:::1]"], ["a", "@x", "a@", ".a@x", "a.@x", "a..b@x", "a@-x", "a b@x"]),
    "hostname": (["a", "www.example.com", "a-b.c", "x" * 63], ["", "-a", "a-", "a..b", ".a", "a.", "x" * 64, "a_b", ".".join(["x" * 49] * 6)]),
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
    assert [t for t in good if not expr.matches(json.dumps(t, ensure_ascii=False))] == []
    assert [t for t in bad if expr.matches(json.dumps(t, ensure_ascii=False))] == []
