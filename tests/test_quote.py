"""quote: exactly the contiguous parts of the context, in every mode, between the right borders; and where they stand.

The oracle works on the text character by character by the definitions in `quote`'s docstring and shares no code with it.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import subprocess
import sys
import time
import unicodedata

import pytest

import constrain
from constrain import ConstrainError, GrammarError, LimitExceeded, find_quotes, quote
from constrain._native import ExprSet
from constrain.expr import Expr
from constrain.frontends.quote import TYPOGRAPHY
from tests.conftest import ROOT, shared_path
from tests.test_masks import walk_and_compare

MODES = ["verbatim", "whitespace", "case", "typography", "whitespace+case+typography"]
ALIGNMENTS = ["characters", "words", "sentences"]
# Pieces that meet in awkward ways: letters that change their length, runs, marks, right-to-left, line ends, surrogate-pair code points.
PIECES = ["a", "A", "b", " ", "  ", "\r\n", "\u00a0", "ß", "SS", "s", "ſ", "İ", "i\u0307", "ﬁ", "f", "i", "I", "…", ".", "...", "! ", "é", "e\u0301",
          "\u0301", "😀", "👩‍👧", "שלום", "、", "。", "’", "'", "“", '"', "—", "-", "\n\n", "日", "\\", "\x01", "ŉ", "0", "x1", "ΐ"]  # fmt: skip


def random_text(rng: random.Random, most: int = 12) -> str:
    return "".join(rng.choices(PIECES, k=rng.randint(1, most)))


# ------------------------------------------------------------------------------------------------------- the oracle


def form(text: str, mode: str) -> str:
    if "whitespace" in mode:
        text = re.sub(r"\s+", " ", text)
    if "typography" in mode:
        text = "".join(TYPOGRAPHY.get(c, c) for c in text)
    return "".join(c.casefold() for c in text) if "case" in mode else text


def is_part_of_word(text: str, i: int) -> bool:
    def is_letter(k: int) -> bool:
        return 0 <= k < len(text) and (text[k].isalnum() or text[k] == "_" or unicodedata.category(text[k])[0] == "M")

    return is_letter(i) or (0 <= i < len(text) and text[i] in "'’" and is_letter(i - 1) and is_letter(i + 1))


def sentences(text: str) -> list[tuple[int, int]]:
    stops, i = set(), 0
    while i < len(text):
        if text[i] in ".!?…":
            j = i
            while j < len(text) and text[j] in ".!?…":
                j += 1
            while j < len(text) and text[j] in "\"'”’»)]}":
                j += 1
            if j == len(text) or text[j].isspace():
                stops.add(j)
            while i + 1 < len(text) and text[i + 1] in ".!?…":
                i += 1
        elif text[i] in "。！？":
            j = i
            while j < len(text) and text[j] in "。！？":
                j += 1
            while j < len(text) and text[j] in "\"'”’»)]}":
                j += 1
            stops.add(j)
            i = j - 1
        i += 1
    for match in re.finditer(r"\s+", text):
        if match.start() and len(re.findall(r"\r\n|\n|\r", match[0])) > 1:
            stops.add(match.start())
    spans, at = [], 0
    for stop in sorted(stops | {len(text)}):
        part = text[at:stop]
        if part.strip():
            start = at + len(part) - len(part.lstrip())
            spans.append((start, start + len(part.strip())))
        at = stop
    return spans


def passages(text: str, mode: str, align: str) -> list[tuple[int, int, int]]:
    """All passages that may be quoted: start, end, length."""
    n = len(text)
    if align == "characters":
        def is_border(i: int) -> bool:
            return not ("whitespace" in mode and 0 < i < n and text[i - 1].isspace() and text[i].isspace())

        borders = [i for i in range(n + 1) if is_border(i)]
        return [(a, b, k) for i, a in enumerate(borders) for k, b in enumerate(borders[i + 1 :], 1)]
    if align == "words":
        inside = [is_part_of_word(text, i) for i in range(-1, n + 1)]
        begin = [i for i in range(n) if inside[i + 1] and not inside[i]]
        end = [i for i in range(1, n + 1) if inside[i] and not inside[i + 1]]
        spans = list(zip(begin, end))
    else:
        spans = sentences(text)
    return [(a, spans[j][1], j - i + 1) for i, (a, _) in enumerate(spans) for j in range(i, len(spans))]


def expected_passages(text: str, written: str, mode: str, align: str, low: int = 1, high: int = 10**9) -> set[tuple[int, int]]:
    if "whitespace" in mode and re.search(r"\s{17}", written):
        return set()
    wanted = form(written, mode)
    return {(a, b) for a, b, k in passages(text, mode, align) if low <= k <= high and form(text[a:b], mode) == wanted}


def respelt(rng: random.Random, text: str, mode: str) -> str:
    """The same for the mode, written otherwise."""
    if "whitespace" in mode:
        text = re.sub(r"\s+", lambda _: "".join(rng.choices(" \n\t\u2003", k=rng.randint(1, 17))), text)
    if "case" in mode:
        text = "".join(rng.choice([c, c.casefold(), c.upper() if c.upper().casefold() == c.casefold() else c]) for c in text)
    if "typography" in mode:
        for curly, plain in rng.sample(sorted(TYPOGRAPHY.items()), len(TYPOGRAPHY)):
            text = text.replace(*((curly, plain) if rng.random() < 0.3 else (plain, curly) if rng.random() < 0.2 else ("", "")))
    return text


# -------------------------------------------------------------------------------------------------------- languages


def test_all_small_texts_against_all_small_strings():
    universe = ["".join(t) for n in range(6) for t in itertools.product("ab", repeat=n)]
    for text in universe[1:]:
        expr = quote(text)
        parts = {text[i:j] for i in range(len(text)) for j in range(i + 1, len(text) + 1)}
        assert {w for w in universe if expr.matches(w)} == parts, text


@pytest.mark.parametrize("align", ALIGNMENTS)
@pytest.mark.parametrize("mode", MODES)
def test_small_texts_exhaustively_in_every_mode_and_alignment(mode, align):
    alphabet = {"whitespace": "a \n", "case": "sSß", "typography": ".…a", "verbatim": "a. "}.get(mode, "ß. ")
    universe = ["".join(t) for n in range(1, 5) for t in itertools.product(alphabet, repeat=n)]
    for text in universe:
        if not passages(text, mode, align):
            with pytest.raises(GrammarError, match="no part of the context"):
                quote(text, mode=mode, align=align)
            continue
        expr = quote(text, mode=mode, align=align)
        forms = {form(text[a:b], mode) for a, b, _ in passages(text, mode, align)}
        for written in universe:
            assert expr.matches(written) == (form(written, mode) in forms), (text, written)


@pytest.mark.parametrize("align", ALIGNMENTS)
@pytest.mark.parametrize("mode", MODES)
def test_random_unicode_texts(mode, align):
    rng = random.Random(f"{mode} {align}")
    checked = 0
    for _ in range(120):
        text = random_text(rng)
        low, high = rng.choice([(1, None), (2, None), (1, 2), (3, 5), (2, 2)])
        all_passages = [(a, b) for a, b, k in passages(text, mode, align) if k >= low and k <= (high or k)]
        if not all_passages:
            continue
        options = {"mode": mode, "align": align, "min_length": low, "max_length": high}
        expr, inside = quote(text, **options), quote(text, inside="json", **options)
        state = expr.set.min_length(expr.root)
        assert state >= 1
        written = [text[a:b] for a, b in rng.sample(all_passages, min(6, len(all_passages)))]
        written += [respelt(rng, w, mode) for w in written] + [random_text(rng, 3)]
        written += [w[:-1] for w in written] + [w[1:] for w in written] + [w + text[:1] for w in written] + [expr.sample(seed=checked)]
        for w in filter(None, written):
            expected = expected_passages(text, w, mode, align, low, high or 10**9)
            found = find_quotes(text, w, **options)
            assert {(p.start, p.end) for p in found} == expected, (text, w)
            assert all(p.text == text[p.start : p.end] for p in found)
            assert expr.matches(w) == bool(expected), (text, w)
            assert inside.matches(json.dumps(w, ensure_ascii=False)[1:-1]) == bool(expected), (text, w)
            checked += 1
    assert checked > 300


def test_every_prefix_can_be_finished_and_min_length_leads_home():
    rng = random.Random(5)
    for number in range(60):
        text = random_text(rng, 20) + "a. b!"
        options = {"mode": MODES[number % 5], "align": ALIGNMENTS[number % 3], "min_length": rng.randint(1, 2)}
        expr = quote(text, **options)
        state, written = expr.root, b""
        for _ in range(rng.randint(1, 12)):
            live = expr.set.live_bytes(state)
            if not live:
                break
            written += bytes([rng.choice(live)])
            state = expr.set.step(state, written[-1])
        while not expr.set.nullable(state):
            length = expr.set.min_length(state)
            byte = min(expr.set.live_bytes(state), key=lambda b: expr.set.min_length(expr.set.step(state, b)))
            state, written = expr.set.step(state, byte), written + bytes([byte])
            assert expr.set.min_length(state) < length
        assert find_quotes(text, written.decode(), **options)


def test_lengths_count_what_the_alignment_names():
    text = "one two  three. Four."
    assert quote(text, align="words", min_length=2, max_length=2).matches("two  three")
    assert not quote(text, align="words", max_length=2).matches("one two  three")
    assert quote(text, align="sentences", min_length=2).matches(text)
    assert quote(text, mode="whitespace", min_length=3, max_length=3).matches("o    t")
    assert not quote(text, max_length=3).matches("o  t")


def test_quotes_never_run_across_sources_and_say_where_they_are_from():
    named = {"a": "one two", "b": "two\x00three", "": "one"}
    expr = quote(named)
    assert expr.matches("two\x00t") and not expr.matches("twotwo") and not expr.matches("two\x00two")
    assert [(p.source, p.start) for p in find_quotes(named, "two")] == [("a", 4), ("b", 0)]
    assert [p.source for p in find_quotes(["x", "", "ax"], "x")] == [0, 2]
    assert not quote(["a", "b"], mode="case").matches("ab")
    assert [p.start for p in find_quotes("aaaa", "aa")] == [0, 1, 2]
    assert len(find_quotes("a" * 100, "a", limit=7)) == 7


def test_lengths_that_change_with_case_are_sound():
    assert quote("Maß", mode="case").matches("MASS")
    assert not quote("Maß", mode="case").matches("MAS")  # half a letter is no part of the text
    assert [p.text for p in find_quotes("İstanbul ISTANBUL", "i̇stanbul", mode="case")] == ["İstanbul"]
    assert find_quotes("so… what", "SO... W", mode="case+typography")[0].text == "so… w"
    assert find_quotes("a \r\n\t b", "a b", mode={"whitespace"})[0].text == "a \r\n\t b"


def test_thousands_of_quotes_round_trip():
    rng = random.Random(11)
    text = "".join(rng.choices(PIECES, k=3000))
    expressions = {mode: quote(text, mode=mode) for mode in MODES}
    for number in range(3000):
        mode = MODES[number % len(MODES)]
        start = rng.randrange(len(text))
        end = min(len(text), start + rng.randint(1, 30))
        written = text[start:end]
        found = find_quotes(text, written, mode=mode) if number % 10 == 0 else None
        if "whitespace" not in mode:
            assert expressions[mode].matches(written)
            assert found is None or (start, end) in {(p.start, p.end) for p in found}
        for passage in found or []:
            assert form(passage.text, mode) == form(written, mode) and passage.text == text[passage.start : passage.end]


def test_quotes_combine_with_other_expressions():
    expr = '{"who":' + constrain.choice(['"a"', '"b"']) + ',"said":"' + quote('He said "no"\n.', inside="json") + '"}'
    assert expr.matches('{"who":"a","said":"\\"no\\"\\n"}') and not expr.matches('{"who":"a","said":"yes"}')
    twice = quote("abcab") + "|" + quote("abc")
    assert twice.matches("cab|bc") and not twice.matches("cab|cab")
    assert (quote("abcd") & constrain.regex("[a-c]+")).matches("bc")
    assert (quote("abcd") & constrain.regex("x+")).is_empty()
    assert quote("ab").repeat(2, 3).matches("abab") and quote("a").optional().matches("")
    matcher = constrain.compile("<" + quote("unique prefix", min_length=13) + ">", bytes_vocabulary()).matcher()
    assert matcher.forced_bytes() == b"<unique prefix>"


def bytes_vocabulary() -> constrain.Vocabulary:
    return constrain.Vocabulary([*(bytes([b]) for b in range(256)), None], end_ids=[256])


# ------------------------------------------------------------------------------------------------------------ masks

TEXT = 'The “naïve” cat sat.  It\'s Größe; "The End"…\r\nשלום 日本語 😀 the cat sat on\tthe mat! A \\ b. ' * 2


def mask_expressions() -> dict[str, Expr]:
    body = quote(TEXT, inside="json")
    return {
        "verbatim": quote(TEXT),
        "all modes": quote(TEXT, mode="whitespace+case+typography"),
        "words": quote(TEXT, align="words", max_length=4),
        "sentences": quote(TEXT, align="sentences", mode="case"),
        "in a JSON string": '{"q":"' + body + '"}',
        "two": quote(TEXT, max_length=6) + " " + quote(TEXT, align="words") + ".",
        "or": constrain.choice(["none", '"']) | quote(TEXT) | (quote(TEXT, mode="case") + "!"),
        "and": quote(TEXT) & constrain.regex(r"[^c]{3,20}"),
        "several": (quote(TEXT, align="words") + ", ").repeat(1, 3),
        "optional": "x" + quote(TEXT).optional() + quote(TEXT, mode="case", min_length=2),
    }


@pytest.mark.parametrize("name", list(mask_expressions()))
def test_masks_equal_brute_force_on_a_small_vocabulary(name, small_vocabulary):
    for seed in range(6):
        walk_and_compare(mask_expressions()[name], small_vocabulary, seed, 30)


@pytest.mark.parametrize("name", list(mask_expressions()))
def test_masks_equal_brute_force_on_the_phi_vocabulary(name, phi_vocabulary):
    for seed in range(2):
        walk_and_compare(mask_expressions()[name], phi_vocabulary, seed, 10)


def test_masks_of_a_long_text_equal_brute_force(phi_vocabulary):
    rng = random.Random(3)
    text = " ".join("".join(rng.choices("etaoin shrdlu", k=rng.randint(2, 9))) for _ in range(30_000))  # wide states
    for expr in (quote(text), '"' + quote(text, inside="json") + '",' + quote(text, align="words")):
        for seed in range(2):
            walk_and_compare(expr, phi_vocabulary, seed, 6)
    turn = constrain.compile(quote(text), phi_vocabulary).matcher(start="turn")
    plain = constrain.compile(quote(text), phi_vocabulary).matcher()
    allowed, plain_allowed = set(turn.allowed_tokens()), set(plain.allowed_tokens())
    tokens = phi_vocabulary.tokens
    expected = {i for i in plain_allowed if not tokens[i].startswith(b" ")}
    fits = quote(text)
    expected |= {i for i, t in enumerate(tokens) if t and t.startswith(b" ") and fits.set.advance(fits.root, t[1:])[1] == len(t) - 1}
    assert allowed == expected - set(phi_vocabulary.excluded) - set(phi_vocabulary.end_ids)


def test_expressions_copy_and_print():
    expr = quote(TEXT)
    fresh = ExprSet()
    state, _ = expr.set.advance(expr.root, "The “na".encode())
    copied = fresh.copy_from(expr.set, state)
    assert fresh.matches(copied, "ïve”".encode()) and not fresh.matches(copied, b"x")
    assert "quote(" in repr(expr)
    again = quote(TEXT)
    assert fresh.copy_from(again.set, again.root) == fresh.copy_from(expr.set, expr.root)  # equal contents, one node
    explained = expr.explain("The “nave")
    assert explained.offset == len("The “na".encode()) and not explained


# ---------------------------------------------------------------------------------------------------------- hostile


@pytest.mark.parametrize(
    ("context", "options", "says"),
    [("", {}, "empty"), ([], {}, "empty"), ({"a": ""}, {}, "empty"), (b"ab", {}, "bytes"), (7, {}, "int"), (["a", 1], {}, "source 1"),
     ({"k": None}, {}, "'k'"), ("a\ud800", {}, "lone surrogate at offset 1"), ("a", {"mode": "fuzzy"}, "fuzzy"), ("a", {"align": "lines"}, "lines"),
     ("a", {"min_length": 0}, "min_length"), ("a", {"min_length": 3, "max_length": 2}, "3 and 2"), ("a", {"min_length": "1"}, "min_length"),
     ("a", {"min_length": 2}, "no part"), ("...", {"align": "words"}, "no part"), ("a", {"inside": "xml"}, "xml")],
)  # fmt: skip
def test_bad_arguments_are_typed_errors(context, options, says):
    with pytest.raises(GrammarError, match=says) as caught:
        quote(context, **options)
    assert str(caught.value).startswith("quote:")


def test_surrogates_in_a_written_text_are_no_quote():
    assert find_quotes("ab", "\ud800") == []
    with pytest.raises(ConstrainError, match="surrogate"):
        quote("ab").matches("\ud800")


def test_too_long_a_context_is_refused_by_name():
    with pytest.raises(LimitExceeded) as caught:
        quote("a" * ((1 << 23) + 1))
    assert caught.value.limit == "max_context_characters"


def test_a_megabyte_of_prose_keeps_its_promises():
    """Seconds to compile, megabytes and the 99th percentile of masks, by the benchmark; a busy machine may slow a mask."""
    tokenizer = str(shared_path("phi3-tokenizer"))
    command = [sys.executable, "-m", "benchmarks.quotes", "--way", "all insensitive", "--quotes", "60", "--tokenizer", tokenizer]
    row = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    seconds, megabytes, _, high, _, _ = map(float, row.strip().strip("|").split("|")[1:])
    assert seconds < 20 and megabytes < 200 and high < 20_000, row  # benchmarks.quotes has the figures; a busy machine needs room


def test_few_steps_are_enough_for_a_long_text():
    constraint = constrain.compile(quote("some words " * 5000), bytes_vocabulary(), limits=constrain.Limits(max_steps=600))
    assert constraint.matcher().allowed_tokens() == sorted(set(b"some words "))


@pytest.mark.parametrize(
    ("text", "options"),
    [("a" * 1_000_000, {}), ("ab " * 333_333, {"align": "words", "max_length": 7}), ("." * 1_000_000 + "x", {"align": "sentences"}),
     ("\n " * 500_000 + "x.", {"align": "sentences", "mode": "whitespace"}), ("a" * 1_000_000, {"min_length": 900_000}),
     ("ß… " * 300_000, {"mode": "whitespace+case+typography"}), ("'" * 1_000_000 + "a", {"align": "words"}), (["a"] * 100_000, {})],
    ids=["a's", "words", "dots", "empty lines", "long only", "changing lengths", "apostrophes", "many sources"],
)  # fmt: skip
def test_a_million_hostile_characters_are_quick(text, options):
    start = time.process_time()
    expr = quote(text, **options)
    assert time.process_time() - start < 30  # measured 1 to 2 s; what grew with the square would take hours
    constraint = constrain.compile(expr, bytes_vocabulary())
    matcher = constraint.matcher()
    start = time.process_time()
    for _ in range(50):
        allowed = matcher.allowed_tokens()
        if not matcher.accept_token(allowed[0]) or matcher.is_terminated():
            break
    assert time.process_time() - start < 10
