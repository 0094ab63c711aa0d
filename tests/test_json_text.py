"""The lexemes of JSON: canonical and free spellings of strings, ranges of digits, white space."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from constrain._native import ExprSet
from constrain.frontends.json_text import JsonAlphabet, canonical, digit_ranges, json_text
from constrain.frontends.utf8 import CodePoints

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(TEXT)
def test_canonical_is_what_json_writes(text: str) -> None:
    assert canonical(text) == json.dumps(text, ensure_ascii=False)[1:-1].encode()
    prelude = json_text("flexible", "canonical")
    assert prelude.set.clone().matches(prelude.string, json.dumps(text, ensure_ascii=False).encode())


@settings(max_examples=200)
@given(TEXT, st.randoms(use_true_random=False))
def test_any_spelling_is_accepted_and_decodes_to_its_character(text: str, random: object) -> None:
    s = ExprSet()
    alphabet = JsonAlphabet(s, "any")
    body = "".join(_spell(c, random) for c in text)
    assert json.loads(f'"{body}"') == text
    assert s.matches(alphabet.text(text), body.encode())
    assert s.matches(alphabet.any_text, body.encode())
    other = text[:-1] + ("a" if text[-1:] != "a" else "b")
    assert not s.matches(alphabet.text(other), body.encode())


def _spell(c: str, random: object) -> str:
    units = [int.from_bytes(c.encode("utf-16-be")[i : i + 2], "big") for i in range(0, len(c.encode("utf-16-be")), 2)]
    escaped = "".join(f"\\u{u:04x}" if random.random() < 0.5 else f"\\u{u:04X}" for u in units)  # type: ignore[attr-defined]
    plain = json.dumps(c, ensure_ascii=False)[1:-1]
    return random.choice([escaped, plain, "\\/" if c == "/" else plain])  # type: ignore[attr-defined]


@given(st.integers(0, 0x10FFFF), st.integers(0, 0x10FFFF), st.integers(0, 0x10FFFF))
def test_a_range_of_characters_in_both_spellings(a: int, b: int, c: int) -> None:
    low, high = min(a, b), max(a, b)
    points = CodePoints([(low, high)])
    if not points or 0xD800 <= c <= 0xDFFF:
        return
    for escapes in ("canonical", "any"):
        s = ExprSet()
        e = JsonAlphabet(s, escapes).char(points)
        assert s.matches(e, canonical(chr(c))) == (low <= c <= high)
        if escapes == "any":
            assert s.matches(e, json.dumps(chr(c))[1:-1].encode()) == (low <= c <= high)


@given(st.integers(0, 9999), st.integers(0, 9999), st.integers(0, 9999))
def test_digit_ranges(a: int, b: int, n: int) -> None:
    low, high = sorted((a, b))
    rows = digit_ranges(*([int(d) for d in f"{x:04d}"] for x in (low, high)), [9] * 4)
    inside = [all(x <= int(d) <= y for d, (x, y) in zip(f"{n:04d}", row)) for row in rows]
    assert sum(inside) == (low <= n <= high)


def test_white_space_is_bounded_by_16_bytes() -> None:
    prelude = json_text("flexible", "canonical")
    s = prelude.set.clone()
    array = prelude.arrays[0]
    for n in range(20):
        assert s.matches(array, b"[" + b" " * n + b"]") == (n <= 16)
        assert s.matches(array, b"[1" + b"\t" * n + b"]") == (n <= 16)
        assert s.matches(array, b"[1," + b"\n" * n + b"2]") == (n <= 16)
        assert s.matches(prelude.objects[0], b'{"a"' + b" " * n + b":1}") == (n <= 16)
