"""Internationalised host names and mailboxes: which labels RFC 5890 to 5893 allow, as one regular language.

What lives here: the code points of RFC 5892 derived from the interpreter's own Unicode tables; the rules of a U-label (its
ends and hyphens, RFC 5891, 4.2.3; the contextual rules, RFC 5892, appendix A; normalization form C; the Bidi rule, RFC
5893) each as a small language, met; and the length limits.

Invariant: never wider than the RFCs. Narrower in four places: labels in Punycode are left out (`xn--…`: see below); a mark
that composes with some letter of a kind may follow no letter of that kind, where form C would allow it after those with
which it does not compose; joining types of scripts out of use are left out; and the limit of 63 octets is on the Punycode
form, whose length no automaton of a useful size knows, so it is held by the bound that `_label_weights` states.

Why no label in Punycode: an automaton that has read the digits of one code point must remember which one it was, for the
next digits are a difference from it. Two code points leave different sets of continuations, since the greatest difference
that still leads to a valid one differs, so there is a state for each of the 130,000 valid code points, times the place and
the bias after the second one; the table would have millions of states.

Held by tests/test_json_schema_formats.py, which derives the same answers by `unicodedata` and Python's Punycode.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any

from ..unicode_sets import property_set
from ..utf8 import NONE, Alphabet, CodePoints, Range

__all__ = ["idn_domain", "idn_hostname", "idn_mailbox"]


def _ranges(text: str) -> CodePoints:
    """Sets as the Unicode data files write them, `370-373 375`."""
    pairs = [part.partition("-") for part in text.split()]
    return CodePoints((int(a, 16), int(b or a, 16)) for a, _, b in pairs)


# RFC 5892, 2.6 Exceptions; 2.7 has no entries.
_EXCEPTIONS_VALID = _ranges("df 3c2 6fd-6fe f0b 3007")
_EXCEPTIONS_CONTEXT = _ranges("b7 375 5f3-5f4 30fb 660-669 6f0-6f9")
_EXCEPTIONS_DISALLOWED = _ranges("640 7fa 302e-302f 3031-3035 303b")
# 2.3 IgnorableProperties that are letters or marks (Default_Ignorable_Code_Point), 2.4 IgnorableBlocks, 2.9 OldHangulJamo.
_IGNORABLE = _ranges("34f 115f-1160 17b4-17b5 180b-180f 3164 fe00-fe0f ffa0 e0000-e0fff")
_IGNORABLE_BLOCKS = _ranges("20d0-20ff 1d100-1d1ff 1d200-1d24f")
_OLD_HANGUL = _ranges("1100-11ff a960-a97f d7b0-d7ff")
_JOINERS = _ranges("200c-200d")

# Scripts.txt, as far as the contextual rules need it: valid code points only matter.
_GREEK = _ranges("370-373 375-377 37b-37d 37f 386 388-38a 38c 38e-3a1 3a3-3e1 3f0-3ff 1f00-1f15 1f20-1f27 1f30-1f37 1f40-1f45")
_HEBREW = _ranges("591-5c7 5d0-5ea 5ef-5f4")
_KANA_OR_HAN = _ranges("3005 3007 3041-3096 309d-309e 30a1-30fa 30fd-30fe 31f0-31ff 3400-4dbf 4e00-9fff 20000-2a6df")

# ArabicShaping.txt: Dual_Joining with Left_Joining, and Right_Joining; the scripts in use today.
_JOINS_ON = _ranges(
    "620 626 628 62a-62e 633-63f 641-647 649-64a 66e-66f 678-687 69a-6bf 6c1-6c2 6cc 6ce 6d0-6d1 6fa-6fc 6ff 712-714 71a-71d"
    " 71f-727 729 72b 72d-72e 74e-758 75c-76a 76d-770 772 775-777 77a-77f 7ca-7ea 841-845 848 84a-853 855 860 862-865 868"
    " 8a0-8a9 8af-8b0 8b3-8b4 8b6-8b8 8ba-8c7 1820-1878 1887-18a8 18aa a840-a872 1e900-1e943"
)
_JOINS_BACK = (_JOINS_ON - _ranges("a872")) | _ranges(
    "622-625 627 629 62f-632 648 671-673 675-677 688-699 6c0 6c3-6cb 6cd 6cf 6d2-6d3 6d5 6ee-6ef 710 715-719 71e 728 72a 72c"
    " 72f 74d 759-75b 76b-76c 771 773-774 778-779 840 846-847 849 854 867 869-86a 8aa-8ac 8ae 8b1-8b2 8b9"
)

# Transparent marks: general ones, and those of the scripts that join.
_TRANSPARENT = _ranges("300-36f 610-61a 64b-65f 670 6d6-6ed 711 730-74a 7eb-7f3 859-85b 8ca-8ff 1885-1886 18a9 1e944-1e94a")

_ASCII = CodePoints.between("\0", "\x7f")
_LOWER_LDH = CodePoints.between("a", "z") | CodePoints.between("0", "9") | CodePoints.of("-")
_SEPARATORS = CodePoints.of(".\u3002\uff0e\uff61")  # RFC 3490, 3.1
_BELOW = 220  # the combining class of marks below
_COMPOSED_IN: tuple[Range, ...] = ((0xC0, 0x30FF), (0x10000, 0x16FFF))  # where the primary composites are


def _category(*names: str) -> CodePoints:
    found = [property_set(name) or NONE for name in names]
    return CodePoints(r for points in found for r in points.ranges)


def _is_stable(text: str) -> bool:
    normal = unicodedata.normalize("NFKC", text)
    return unicodedata.normalize("NFKC", normal.casefold()) == text


@cache
def _letters() -> CodePoints:
    """PVALID, CONTEXTJ and CONTEXTO (RFC 5892, 3): all that a U-label may hold before the contextual rules."""
    candidates = _category("Ll", "Lo", "Nd", "Lm", "Mn", "Mc") - _IGNORABLE - _IGNORABLE_BLOCKS - _OLD_HANGUL
    stable: list[Range] = []
    for low, high in candidates.ranges:
        for start in range(low, high + 1, 64):
            end = min(start + 63, high)
            if _is_stable("\n".join(map(chr, range(start, end + 1)))):  # nothing composes across a line feed
                stable.append((start, end))
            else:
                stable += [(c, c) for c in range(start, end + 1) if _is_stable(chr(c))]
    return (CodePoints(stable) - _EXCEPTIONS_DISALLOWED) | _LOWER_LDH | _EXCEPTIONS_VALID | _EXCEPTIONS_CONTEXT | _JOINERS


@cache
def _bidi() -> dict[str, CodePoints]:
    """The letters by Bidi_Class."""
    found: dict[str, list[Range]] = {}
    for low, high in _letters().ranges:
        if low >= 0x3100 and high < 0xA000 or 0xAC00 <= low and high < 0xD7B0 or 0x20000 <= low:
            found.setdefault("L", []).append((low, high))  # ideographs and Hangul
            continue
        for code in range(low, high + 1):
            found.setdefault(unicodedata.bidirectional(chr(code)), []).append((code, code))
    return {name: CodePoints(ranges) for name, ranges in found.items()}


@cache
def _marks_by_class() -> dict[int, CodePoints]:
    """The letters by Canonical_Combining_Class, without class 0."""
    found: dict[int, list[Range]] = {}
    for code in _letters() & _category("Mn", "Mc"):
        combining = unicodedata.combining(chr(code))
        if combining:
            found.setdefault(combining, []).append((code, code))
    return {combining: CodePoints(ranges) for combining, ranges in found.items()}


@cache
def _composites() -> dict[str, tuple[str, str]]:
    """The primary composites (UAX 15): two characters that normalization form C makes one."""
    found = {}
    for low, high in _COMPOSED_IN:
        for code in range(low, high + 1):
            parts = unicodedata.decomposition(chr(code)).split()
            if len(parts) == 2 and parts[0][0] != "<":
                first, mark = (chr(int(part, 16)) for part in parts)
                if unicodedata.normalize("NFC", first + mark) == chr(code):
                    found[chr(code)] = (first, mark)
    return found


def _composing() -> list[tuple[CodePoints, CodePoints]]:
    """Letters, and the marks with which some of them compose: directly, or after other marks that do not.

    In a text whose marks are in canonical order, the first composition of the algorithm is that of a mark with the letter
    before it, less those marks of the letter itself that order puts behind. A text with no such mark is in form C. Two
    kinds of letters are enough to keep what is written: those that have a mark below, as in Yoruba, and all others.
    """
    made = _composites()
    marks_of: dict[str, set[str]] = {}
    for first, mark in made.values():
        marks_of.setdefault(first, set()).add(mark)
    every = {mark for _, mark in made.values()}
    kinds: dict[bool, tuple[set[str], set[str]]] = {True: (set(), set()), False: (set(), set())}
    for letter in {*marks_of, *made}:
        refused = {mark for mark in every if mark in marks_of.get(_reached(letter, mark, made), ())}
        if refused:
            letters, marks = kinds[letter in made and unicodedata.combining(made[letter][1]) == _BELOW]
            letters.add(letter)
            marks |= refused
    return [(CodePoints.of(letters), CodePoints.of(marks)) for letters, marks in kinds.values()]


def _reached(letter: str, mark: str, made: dict[str, tuple[str, str]]) -> str:
    """What a mark finds before it: the letter without its own marks of a greater combining class."""
    combining = unicodedata.combining(mark)
    while combining and letter in made and unicodedata.combining(made[letter][1]) > combining:
        letter = made[letter][0]
    return letter


class _Words:
    """Shorthand for the algebra over one alphabet."""

    def __init__(self, alphabet: Alphabet) -> None:
        self.set: Any = alphabet.set
        self.char = alphabet.char
        self.any = alphabet.any_text

    def seq(self, *parts: int) -> int:
        return int(self.set.concat(list(parts)))

    def alt(self, *parts: int) -> int:
        return int(self.set.union(list(parts)))

    def both(self, *parts: int) -> int:
        return int(self.set.intersection(list(parts)))

    def star(self, points: CodePoints) -> int:
        return int(self.set.repeat(self.char(points), 0, -1))

    def listed(self, label: int, separators: CodePoints) -> int:
        """One label, or more with separators between them."""
        return self.seq(label, int(self.set.repeat(self.seq(self.char(separators), label), 0, -1)))

    def has(self, points: CodePoints) -> int:
        return self.seq(self.star(~points), self.char(points), self.any)

    def many(self, *parts: int) -> int:
        return int(self.set.repeat(self.alt(*parts), 0, -1))


def _context(w: _Words) -> list[int]:
    """RFC 5892, appendix A: a sequence of plain characters and of those that need a neighbour, with it.

    The rules A.8 and A.9, Arabic digits of two kinds, follow from the Bidi rule, whose classes for them are AN and EN.

    Said without complements, so that what breaks a rule is dead at once. Where one letter serves two neighbours, they are
    one part of the sequence: `l·l·l`, or letters of which each joins the next.
    """
    char, one = w.char, CodePoints.of
    viramas, keraia, geresh = _marks_by_class()[9], one("\u0375"), one("\u05f3\u05f4")
    small_l, dotted = char(one("l")), w.seq(char(one("\u00b7")), char(one("l")))
    transparent = w.star(_TRANSPARENT & _category("Mn"))
    gap = w.seq(transparent, char(one("\u200c")), transparent)
    parts = [
        char(~(_JOINERS | keraia | geresh | one("\u00b7"))),
        w.seq(char(viramas), char(_JOINERS)),  # A.1, A.2
        w.seq(char(_JOINS_ON), w.many(w.seq(gap, char(_JOINS_ON & _JOINS_BACK))), gap, char(_JOINS_BACK)),  # A.1
        w.seq(small_l, dotted, w.many(dotted)),  # A.3
        w.seq(char(keraia), w.star(keraia), char(_GREEK - keraia)),  # A.4
        w.seq(char(_HEBREW - geresh), char(geresh), w.star(geresh)),  # A.5, A.6
    ]
    dot, kana = one("\u30fb"), _KANA_OR_HAN
    ended = w.alt(1, w.seq(char(kana), w.any), w.seq(char(dot), w.star(~kana), char(kana), w.any))
    return [w.many(*parts), w.seq(w.star(~kana - dot), ended)]  # A.7


def _normal_form(w: _Words) -> int:
    """Normalization form C, or narrower: marks in canonical order, and none that could compose with the letter before it."""
    by_class = _marks_by_class()
    marks = CodePoints(r for points in by_class.values() for r in points.ranges)
    groups = _composing()
    letters = CodePoints(r for points, _ in groups for r in points.ranges)
    later = CodePoints(r for _, points in groups for r in points.ranges)
    order = [by_class[combining] for combining in sorted(by_class)]

    def run(refused: CodePoints) -> int:
        return w.seq(*(w.star(points - refused) for points in order))

    composer = w.alt(*(w.seq(w.char(points - marks), run(refused)) for points, refused in groups))
    free = run(NONE)
    other = w.seq(w.char(~marks - letters), free)
    parted = w.seq(w.char(~marks - letters - later), free)  # what composes need not be a mark: vowel signs
    composers = w.many(composer)
    return w.seq(free, w.many(w.alt(other, w.seq(composer, composers, parted))), composers)


def _bidi_rule(w: _Words) -> int:
    """RFC 5893, section 2, for one label."""
    by_class = _bidi()

    def of(names: str) -> CodePoints:
        return CodePoints(r for name in names.split() for r in by_class.get(name, NONE).ranges)

    def label(first: CodePoints, inner: CodePoints, last: CodePoints) -> int:
        return w.seq(w.char(first), w.alt(1, w.seq(w.star(inner), w.char(last))), w.star(of("NSM")))

    neutral = of("ES CS ET ON BN NSM")
    beside = _ranges("b7 375 30fb")  # these need letters from left to right, so leave them out where there are none
    rtl = [label(of("R AL"), of(f"R AL {digits}") | (neutral - beside), of(f"R AL {digits}")) for digits in ("EN", "AN")]
    left = of("L") | CodePoints.between("A", "Z")  # upper case is in host names only
    return w.alt(*rtl, label(left, left | of("EN") | neutral, left | of("EN")))


def _right_to_left() -> CodePoints:
    by_class = _bidi()
    return by_class["R"] | by_class["AL"] | by_class["AN"]


def _weighed(w: _Words, budget: int, weight: int) -> int:
    """Texts of at most `budget`, where ASCII and separators weigh one and all else `weight`."""
    light = _ASCII | _SEPARATORS
    plain, heavy = w.char(light), w.char(~light)
    made = [1]
    for left in range(1, budget + 1):
        more = [w.seq(heavy, made[left - weight])] if left >= weight else []
        made.append(w.alt(1, w.seq(plain, made[left - 1]), *more))
    return made[budget]


# Labels of at most 63 octets in Punycode: weight of a character beyond ASCII, greatest weight of a label, and the windows
# that the code points beyond ASCII must share. Anywhere; in ideographs and kana, or Hangul; in 256 places.
_EVERYWHERE = ((0x80, 0x3FFFF),)
_IDEOGRAPHS = ((0x3041, 0x9FFF), (0xAC00, 0xD7A3))
_SMALL_SCRIPTS = tuple((start, start + 255) for start in range(0x80, 0x3080, 128))
LABEL_WEIGHTS = ((6, 54, _EVERYWHERE), (5, 55, _IDEOGRAPHS), (3, 50, _SMALL_SCRIPTS))


def _label_weights(w: _Words) -> int:
    """Labels whose Punycode form has at most 63 octets, as far as weights show it: a bound, for the form is not regular.

    The form is `xn--`, the b characters of ASCII, a hyphen if there are any, and m numbers (RFC 3492). Whatever the bias, a
    number below 1 has one digit, one below 36 at most two, and so on: 1,261, 28,886, 288,886, 2,888,886, 28,888,886. The
    first number is below (c - 127)·(b + 1) for the first code point c. The others count the places passed over, at most
    b + m of them for each code point of the window, and so they sum to at most (width + 1)·(b + m). The test reckons the
    most digits that such sums allow, for all b and m of each row of `LABEL_WEIGHTS`.
    """
    rows = []
    for weight, budget, windows in LABEL_WEIGHTS:
        inside = [w.star(_ASCII | CodePoints([window])) for window in windows if CodePoints([window]) & _letters()]
        rows.append(w.both(_weighed(w, budget, weight), w.alt(*inside)))
    return w.alt(*rows)


def _u_label(w: _Words, normal: bool) -> int:
    """A label that has more than ASCII, before the Bidi rule; `normal`: in normalization form C."""
    letters = _letters()
    hyphen = CodePoints.of("-")
    inner, first = w.char(letters), w.char(letters - hyphen - _category("Mn", "Mc", "Me"))
    body = w.seq(first, w.star(letters), w.char(letters - hyphen))
    shape = w.alt(first, body)
    no_hyphen = w.char(~hyphen)
    third = w.alt(w.seq(no_hyphen, w.any), w.seq(w.char(hyphen), no_hyphen, w.any))
    hyphens = w.alt(inner, w.seq(inner, inner), w.seq(inner, inner, third))
    rules = [shape, w.has(~_ASCII), hyphens, _label_weights(w), *_context(w)]
    return w.both(*rules, *([_normal_form(w)] if normal else []))


def _domain(w: _Words, plain_label: int, separators: CodePoints, normal: bool) -> int:
    """Labels of either kind; where one is written from right to left, all keep the Bidi rule."""
    label = w.alt(plain_label, _u_label(w, normal))
    plain = w.listed(w.both(label, w.star(~_right_to_left())), separators)
    bidi = w.listed(w.both(label, _bidi_rule(w)), separators)
    return w.both(w.alt(plain, bidi), _domain_weights(w))


def _domain_weights(w: _Words) -> int:
    """At most 253 octets in Punycode: a label needs 5 more than its ASCII, and its numbers have up to 6, 7, 7, … digits.

    So a character beyond ASCII weighs at most 11. Or at most three labels have any, which makes 189 octets, and the domain
    has at most 64 characters.
    """
    light, inside = w.star(_ASCII | _SEPARATORS), w.star(~_SEPARATORS)
    three = w.seq(light, inside, light, inside, light, inside, light)
    return w.alt(_weighed(w, 253, 11), w.both(three, int(w.set.repeat(w.char(~NONE), 0, 64))))


def idn_domain(alphabet: Alphabet, plain_label: int) -> int:
    """The domain of a mailbox: full stops only, and normalization form C is not asked for."""
    return _domain(_Words(alphabet), plain_label, CodePoints.of("."), False)


def idn_hostname(alphabet: Alphabet, plain_label: int) -> int:
    """Host names of RFC 5890; `plain_label` is the expression of a label in ASCII."""
    return _domain(_Words(alphabet), plain_label, _SEPARATORS, True)


def idn_mailbox(alphabet: Alphabet, plain_label: int, literal: int) -> int:
    """RFC 6531, 3.3: as RFC 5321, with any character beyond ASCII in the local part, and U-labels in the domain."""
    w = _Words(alphabet)
    wide = ~_ASCII
    alphanumeric = CodePoints.between("0", "9") | CodePoints.between("A", "Z") | CodePoints.between("a", "z")
    atom = int(w.set.repeat(w.char(alphanumeric | CodePoints.of("!#$%&'*+/=?^_`{|}~-") | wide), 1, -1))
    quote, backslash = w.char(CodePoints.of('"')), w.char(CodePoints.of("\\"))
    printable = CodePoints.between(" ", "~")
    quoted = w.alt(w.char((printable - CodePoints.of('"\\')) | wide), w.seq(backslash, w.char(printable)))
    local = w.alt(w.listed(atom, CodePoints.of(".")), w.seq(quote, int(w.set.repeat(quoted, 0, -1)), quote))
    return w.seq(local, w.char(CodePoints.of("@")), w.alt(idn_domain(alphabet, plain_label), literal))
