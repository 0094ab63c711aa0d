r"""The texts that are regular expressions of ECMA-262 in unicode mode, as one regular language.

What lives here: the grammar of `Pattern` (ECMA-262, 22.2.1, flag u), its early errors included, group by group of brackets
up to `MAX_NESTING`; brackets beyond it would need a stack.

Invariant: never wider than ECMA-262. Narrower, as `formats.NARROWED` says:

- brackets nest at most `MAX_NESTING` deep; there are no `(?i:…)`, and no properties but those listed below;
- at most one group has a name, and `\k` knows names of one letter (distinct names of any length are no regular language);
- `\k` and references up to `\9` come only after their group was opened, so that closing its brackets ends any pattern;
- of `{m,n}` and of ranges inside `[…]` those whose order shows in the leading digits; `\0` inside `[…]` only at its end or as
  the first end of a range.

A pattern is what three languages have in common: the grammar, the references, and the names. The latter two read the text
token by token, and rely on the grammar for the rest. Held by tests/test_json_schema_formats.py.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from ..json_text import digit_ranges
from ..regex import compile_regex
from ..regex_syntax import parse
from ..utf8 import Alphabet, CodePoints

__all__ = ["MAX_NESTING", "ecma_pattern"]

MAX_NESTING = 8
_MAX_REFERENCE = 9

_SYNTAX = r"\^$.*+?()[]{}|/"
_HEX = "[0-9A-Fa-f]"
_CODE = rf"u\{{0*(?:{_HEX}{{1,5}}|10{_HEX}{{4}})\}}"
_CHARACTER_ESCAPE = rf"(?:[fnrtv]|c[A-Za-z]|x{_HEX}{{2}}|u{_HEX}{{4}}|{_CODE}|[\^$\\.*+?()\[\]{{}}|/])"
_CONTROLS = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_NAME = r"[A-Za-z_$][A-Za-z0-9_$]*"

# ECMA-262, tables 66 to 68: properties without a value, and values of General_Category and Script.
_BINARY = (
    "ASCII AHex ASCII_Hex_Digit Alpha Alphabetic Any Assigned Bidi_C Bidi_Control Bidi_M Bidi_Mirrored CI Case_Ignorable Cased"
    " CWCF CWCM CWKCF CWL CWT CWU DI Dash Default_Ignorable_Code_Point Dep Deprecated Dia Diacritic Emoji Emoji_Component"
    " Emoji_Modifier Emoji_Modifier_Base Emoji_Presentation Extended_Pictographic Ext Extender Gr_Base Grapheme_Base Gr_Ext"
    " Grapheme_Extend Hex Hex_Digit IDS IDC ID_Start ID_Continue Ideo Ideographic Join_C Join_Control LOE Lower Lowercase Math"
    " NChar Noncharacter_Code_Point Pat_Syn Pattern_Syntax Pat_WS Pattern_White_Space QMark Quotation_Mark RI Radical STerm"
    " Sentence_Terminal SD Soft_Dotted Term Terminal_Punctuation UIdeo Unified_Ideograph Upper Uppercase VS"
    " Variation_Selector space White_Space XIDS XIDC XID_Start XID_Continue"
)
_CATEGORIES = (
    "Cased_Letter LC Close_Punctuation Pe Connector_Punctuation Pc Control Cc cntrl Currency_Symbol Sc Dash_Punctuation Pd"
    " Decimal_Number Nd digit Enclosing_Mark Me Final_Punctuation Pf Format Cf Initial_Punctuation Pi Letter L Letter_Number"
    " Nl Line_Separator Zl Lowercase_Letter Ll Mark M Combining_Mark Math_Symbol Sm Modifier_Letter Lm Modifier_Symbol Sk"
    " Nonspacing_Mark Mn Number N Open_Punctuation Ps Other C Other_Letter Lo Other_Number No Other_Punctuation Po"
    " Other_Symbol So Paragraph_Separator Zp Private_Use Co Punctuation P punct Separator Z Space_Separator Zs Spacing_Mark"
    " Mc Surrogate Cs Symbol S Titlecase_Letter Lt Unassigned Cn Uppercase_Letter Lu"
)
_SCRIPTS = (
    "Arabic Arab Armenian Armn Bengali Beng Bopomofo Bopo Braille Brai Cherokee Cher Common Zyyy Coptic Copt Cyrillic Cyrl"
    " Devanagari Deva Ethiopic Ethi Georgian Geor Gothic Goth Greek Grek Gujarati Gujr Gurmukhi Guru Han Hani Hangul Hang"
    " Hebrew Hebr Hiragana Hira Inherited Zinh Kannada Knda Katakana Kana Khmer Khmr Lao Laoo Latin Latn Malayalam Mlym"
    " Mongolian Mong Myanmar Mymr Oriya Orya Runic Runr Sinhala Sinh Syriac Syrc Tamil Taml Telugu Telu Thaana Thaa Thai"
    " Tibetan Tibt Tifinagh Tfng Yi Yiii"
)


def _either(names: str) -> str:
    return "(?:" + "|".join(names.split()) + ")"


_PROPERTY = (
    rf"[pP]\{{(?:{_either(_BINARY)}|(?:(?:gc|General_Category)=)?{_either(_CATEGORIES)}"
    rf"|(?:sc|Script|scx|Script_Extensions)={_either(_SCRIPTS)})\}}"
)
_CLASS_ESCAPE = rf"(?:[dDsSwW]|{_PROPERTY})"


def _counts() -> str:
    """`{m}`, `{m,}`, and `{m,n}` with m ≤ n as far as the leading digits or the number of digits show it."""
    ordered = [f"[0-9]{{{k}}},[1-9][0-9]{{{k},}}" for k in range(1, 6)]
    ordered += [f"{a}[0-9]{{{k}}},[{a + 1}-9][0-9]{{{k}}}" for k in range(5) for a in range(9)]
    ordered += [f"{a},{a}" for a in range(10)]
    ordered += [f"{a}{b},{a}[{b}-9]" for a in range(10) for b in range(10)]
    return rf"\{{(?:[0-9]+,?|{'|'.join(ordered)})\}}"


def _fineness(code: int) -> int:
    """How many code points around `code`, a power of two, are told apart only from others: 1 in ASCII, 16 in small scripts."""
    if code < 0x80:
        return 1
    if code < 0x700 or 0x900 <= code < 0xA00 or 0xE00 <= code < 0xE80 or 0x3000 <= code < 0x3100 or 0x1F300 <= code < 0x1F700:
        return 16
    return 256 if code < 0x10000 or 0x1F000 <= code < 0x20000 else 0x10000


@cache
def _hex_digits(low: int, high: int) -> CodePoints:
    return CodePoints.of("".join(f"{d:x}{d:X}" for d in range(low, high + 1)))


_DIGITS = "(?:[0-9][0-9?]*)?"
_AFTER_REFERENCE = r"(?:\?[0-9?]*)?"
_ESCAPED = r"\\[\x00-\U0010ffff]"
# Text before the digits, number of digits, least number, text after: `\x41`, `\u0041`, `\u{1F600}`, `\u{10FFFF}`.
_RANGE_ESCAPES = (("x", 2, 0, ""), ("u", 4, 0, ""), ("u{", 5, 0x10000, "}"), ("u{", 6, 0x100000, "}"))


class _Pattern:
    def __init__(self, alphabet: Alphabet) -> None:
        self.set: Any = alphabet.set
        self.alphabet = alphabet
        self.star = partial(self.set.repeat, min=0, max=-1)

    def text(self, regex: str) -> int:
        return compile_regex(parse(regex), self.alphabet)

    def seq(self, *parts: int) -> int:
        return int(self.set.concat(list(parts)))

    def alt(self, *parts: int) -> int:
        return int(self.set.union(list(parts)))

    # ------------------------------------------------------------------------------------------ the grammar

    def grammar(self) -> int:
        """Disjunction, built from the innermost brackets outwards."""
        quantifier = self.alt(1, self.text(rf"(?:[*+?]|{_counts()})\??"))
        escape = rf"\\(?:{_CHARACTER_ESCAPE}|{_CLASS_ESCAPE}|0|[1-{_MAX_REFERENCE}]|k<[A-Za-z_$]>)"
        atom = self.alt(self.text(rf"[^\^$\\.*+?()\[\]{{}}|]|\.|{escape}"), self.char_class())
        simple = self.alt(self.text(r"\^|\$|\\[bB]"), self.seq(atom, quantifier))
        group, look = self.text(rf"\((?:\?:|\?<{_NAME}>)?"), self.text(r"\(\?<?[=!]")
        bar, closed = self.text(r"\|"), self.text(r"\)")
        inner = 0
        for _ in range(MAX_NESTING + 1):
            brackets = [self.seq(group, inner, closed, quantifier), self.seq(look, inner, closed)] if inner else []
            branch = self.star(self.alt(simple, *brackets))
            inner = self.seq(branch, self.star(self.seq(bar, branch)))
        return inner

    def char_class(self) -> int:
        """`[…]`; a hyphen stands for itself first, last, and after a range."""
        hyphen = self.text("-?")
        single = self.text(rf"[^\]\\-]|\\(?:{_CHARACTER_ESCAPE}|{_CLASS_ESCAPE}|[b-])")
        items = self.star(self.alt(single, self.seq(self.ranges(), hyphen)))
        return self.seq(self.text(r"\[\^?"), hyphen, items, self.text(r"(?:\\0)?"), hyphen, self.text(r"\]"))

    def ranges(self) -> int:
        """`a-b` with a < b, told by halving: a lies in the lower half and b in the upper half of some interval."""
        rows: list[int] = []
        hyphen = self.text("-")
        work = [(0, 21)]
        while work:
            start, bits = work.pop()
            if bits and 1 << bits > _fineness(start) and start <= 0x10FFFF:
                half = 1 << (bits - 1)
                work += [(start, bits - 1), (start + half, bits - 1)]
                low, high = self.ends(start, start + half - 1, False), self.ends(start + half, start + 2 * half - 1, True)
                rows.append(self.seq(low, hyphen, high))
        return self.alt(*rows)

    def ends(self, low: int, high: int, last: bool) -> int:
        """The characters between two, as ends of ranges: themselves, or by an escape; no halves of surrogate pairs."""
        spans = [(low, min(high, 0xD7FF)), (max(low, 0xE000), min(high, 0x10FFFF))]
        spans = [(a, b) for a, b in spans if a <= b]
        points = CodePoints(spans)
        char, backslash = self.alphabet.char, self.alphabet.char(CodePoints.of("\\"))
        parts = [char(points - CodePoints.of("\\]" if last else "\\]-"))]
        if low < 0x80:
            letters = [c for c, code in _CONTROLS.items() if code in points]
            parts.append(self.seq(backslash, char((points & CodePoints.of(_SYNTAX + "-")) | CodePoints.of(letters))))
        for a, b in spans:
            parts += [self.seq(backslash, self.hexadecimal(a, b, *form)) for form in _RANGE_ESCAPES]
        return self.alt(*parts)

    def hexadecimal(self, low: int, high: int, before: str, width: int, least: int, after: str) -> int:
        """The numbers between two that are at least `least`, with exactly `width` digits, between two texts."""
        low, high = max(low, least), min(high, 16**width - 1)
        if low > high:
            return 0
        first, final = ([n >> 4 * i & 15 for i in range(width - 1, -1, -1)] for n in (low, high))
        rows = [self.seq(*(self.digit(a, b) for a, b in row)) for row in digit_ranges(first, final, [15] * width)]
        return self.seq(self.alphabet.text(before), self.alt(*rows), self.alphabet.text(after))

    def digit(self, low: int, high: int) -> int:
        return self.alphabet.char(_hex_digits(low, high))

    # ------------------------------------------------------------------------------- references and names

    def tokens(self, name: str, reference: str) -> int:
        r"""One token, with the question marks and digits after it; `name` is what `\k` may name. `(` that captures is none.

        Digits belong to the token before them, so that none can follow `\0` or `\1`, which would be read on.
        """
        named = rf"|\\k<{name}>" if name else ""
        plain = rf"(?:[^\\\[(?0-9]|\[(?:[^\]\\]|{_ESCAPED})*\]|\\[^0-9k]{named})[0-9?]*"
        return self.text(rf"{plain}|\\{reference}{_AFTER_REFERENCE}|\(\?(?::|<?[=!]){_DIGITS}")

    def references(self) -> int:
        r"""`\N` only after the N-th capturing group has been opened, in a text of any groups."""
        capture = self.text(rf"\((?:\?<{_NAME}>)?{_DIGITS}")
        rest = self.star(self.alt(capture, self.tokens("[A-Za-z_$]", f"[0-{_MAX_REFERENCE}]")))
        for groups in range(_MAX_REFERENCE - 1, -1, -1):
            token = self.tokens("[A-Za-z_$]", f"[0-{groups}]" if groups else "0")
            rest = self.seq(self.star(token), self.alt(1, self.seq(capture, rest)))
        return self.seq(self.text(_DIGITS), rest)

    def names(self) -> int:
        r"""At most one named group; `\k` only after it and with its name."""
        capture = self.text(rf"\({_DIGITS}")
        plain = self.star(self.alt(self.tokens("", "[0-9]"), capture))
        groups = [self.seq(self.text(rf"[A-Za-z_$][A-Za-z0-9_$]+>{_DIGITS}"), plain)]
        for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ_$abcdefghijklmnopqrstuvwxyz":
            name = rf"\{letter}" if letter == "$" else letter
            some = self.star(self.alt(self.tokens(name, "[0-9]"), capture))
            groups.append(self.seq(self.text(rf"{name}>{_DIGITS}"), some))
        group = self.seq(self.text(r"\(\?<"), self.alt(*groups))
        return self.seq(self.text(_DIGITS), plain, self.alt(1, group))


def ecma_pattern(alphabet: Alphabet) -> int:
    """The language of patterns in `alphabet.set`."""
    made = _Pattern(alphabet)
    return int(alphabet.set.intersection([made.grammar(), made.references(), made.names()]))
