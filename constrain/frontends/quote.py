"""Floor 3: quotes: the contiguous parts of a context, and where in the context a quote stands.

A context is brought into *symbols*, one or more for each character: itself as it stands (verbatim), or what is left of it
where white space, case or typography do not matter. A written character stands for the same symbols, so a text is a
quote where its symbols are a contiguous part of the context's that begins and ends at borders. The core holds the
symbols as a suffix tree (native/substring.h) and knows how each character is spelt, plainly or inside a JSON string.
Invariants: a border is never inside what one character of the context became; a quote never runs across two sources;
`find_quotes` finds a text exactly where `quote` matches it. Held by tests/test_quote.py.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy

from constrain._native import ExprSet
from constrain.errors import GrammarError, LimitExceeded
from constrain.expr import Expr

from .json_text import canonical

__all__ = ["TYPOGRAPHY", "Passage", "find_quotes", "quote", "substring"]

Context = str | Sequence[str] | Mapping[str, str]
MODES = ("verbatim", "whitespace", "case", "typography")
ALIGNMENTS = ("characters", "words", "sentences", "units")
MAX_CHARACTERS = 1 << 23
MAX_RUN = 16
_UNBOUNDED = (1 << 32) - 1

_PLAIN_FORMS = {
    "'": "‘’‚‛′‹›ʼ",
    '"': "“”„‟″«»",
    "-": "‐‑‒–—―−﹘﹣－",
    "...": "…",
    "..": "‥",
    " ": "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
    "ff": "ﬀ", "fi": "ﬁ", "fl": "ﬂ", "ffi": "ﬃ", "ffl": "ﬄ", "st": "ﬅﬆ",
    "ij": "ĳ", "IJ": "Ĳ",
}  # fmt: skip
TYPOGRAPHY: dict[str, str] = {character: plain for plain, characters in _PLAIN_FORMS.items() for character in characters}
"""What typography-insensitive quotes take each character for: quotation marks, dashes, ellipses, spaces, ligatures."""

_TERMINATORS, _WIDE_TERMINATORS, _CLOSERS = ".!?…‼⁇⁈⁉؟۔।", "。！？｡", "\"'”’»›)\\]}」』】）"
_NEWLINE = r"(?:\r\n|\r(?!\n)|\n)"
_SENTENCE_END = re.compile(
    rf"(?<![{_TERMINATORS}])[{_TERMINATORS}]+[{_CLOSERS}]*(?=\s|\Z)|[{_WIDE_TERMINATORS}]+[{_CLOSERS}]*"
    rf"|(?<=\S)(?=\s*?{_NEWLINE}\s*?{_NEWLINE})"
)


@dataclass(frozen=True)
class Passage:
    """What was quoted: `text` is `context[start:end]`, or `context[source][start:end]` where there are several.

    `source` is the source's name or index, None where the context is one text.
    """

    source: str | int | None
    start: int
    end: int
    text: str


def quote(
    context: Context,
    *,
    mode: str | Iterable[str] = "verbatim",
    align: str = "characters",
    min_length: int = 1,
    max_length: int | None = None,
    inside: str = "text",
) -> Expr:
    """Any contiguous part of the context: a text, or a list or mapping of texts, across whose borders no quote runs.

    `mode`: "verbatim", or any of "whitespace" (a run of white space stands for any run of up to 16), "case" (full case
    folding: "ß" is "ss") and "typography" (`TYPOGRAPHY`: curly and straight quotes, dashes, ellipses, spaces, ligatures),
    as a name, several names joined by "+", or a collection.

    `align`: where a quote may begin and end. "characters": anywhere between characters. "words": at the borders of words,
    which are runs of letters, digits and marks, an apostrophe between them included. "sentences": from a sentence's first
    character to its last. A sentence ends behind ".", "!", "?" and their like with closing marks, where white space or the
    end follows; behind "。", "！", "？" in any case; and before an empty line. Abbreviations end sentences too.
    "units": at the borders of runs of letters and digits, of white space, and of all else.

    `min_length`, `max_length`: of the passage quoted, in what `align` names; a run of white space counts as one character
    in mode "whitespace". `inside="json"`: the body of a JSON string that holds the quote, in the spelling of
    `json.dumps(ensure_ascii=False)`, without its quotes.

    >>> quote("Water boils at 100 °C.").matches("boils at 100 °")
    True
    >>> fuzzy = quote({"a": "It’s  done.", "b": "Yes!"}, mode="whitespace+case+typography", align="words")
    >>> fuzzy.matches("it's done"), fuzzy.matches("done yes"), fuzzy.matches("don")
    (True, False, False)
    """
    prepared = _prepare(context, mode, align, min_length, max_length, "quote")
    if inside not in ("text", "json"):
        raise GrammarError(f"quote: inside is {inside!r:.60}; 'text' or 'json' is needed")
    expr_set = ExprSet()
    root = _build(expr_set, prepared, min_length, max_length, canonical if inside == "json" else str.encode)
    if root == expr_set.NO_MATCH:
        raise GrammarError(f"quote: no part of the context begins and ends at {align}, {_lengths(min_length, max_length)} of them long")
    return Expr(expr_set, root)


substring = quote


def find_quotes(
    context: Context,
    text: str,
    *,
    mode: str | Iterable[str] = "verbatim",
    align: str = "characters",
    min_length: int = 1,
    max_length: int | None = None,
    limit: int | None = None,
) -> list[Passage]:
    """The passages of the context that `text` quotes, in order, overlapping ones too; at most `limit` of them.

    The options are those of `quote`; none is found exactly where `quote` does not match. Offsets are in characters of the
    context as it was given, so that slicing it gives the passage whatever its characters became on the way.

    >>> find_quotes("Die Straße, DIE STRASSE.", "strasse", mode="case")
    [Passage(source=None, start=4, end=10, text='Straße'), Passage(source=None, start=16, end=23, text='STRASSE')]
    """
    prepared = _prepare(context, mode, align, min_length, max_length, "find_quotes")
    if not isinstance(text, str):
        raise GrammarError(f"find_quotes: text is a {type(text).__name__}; a str is needed")
    needle = _symbols_of(text, prepared.modes)
    found: list[Passage] = []
    if not needle:
        return found
    for source in prepared.sources:
        at = source.symbols.find(needle)
        while at >= 0 and (limit is None or len(found) < limit):
            end = at + len(needle)
            length = int(source.counts[end] - source.counts[at])
            if source.starts[at] and source.ends[end] and min_length <= length <= (length if max_length is None else max_length):
                found.append(source.passage(at, end))
            at = source.symbols.find(needle, at + 1)
    return found


# ------------------------------------------------------------------------------------------ what characters stand for


@lru_cache(maxsize=1)
def _spaces() -> frozenset[str]:
    return frozenset(c for c in map(chr, range(0x3001)) if c.isspace())


@lru_cache(maxsize=16)
def _folded_characters(modes: frozenset[str]) -> dict[str, str]:
    """The characters that stand for something else than themselves."""
    folds: dict[str, str] = dict(TYPOGRAPHY) if "typography" in modes else {}
    if "whitespace" in modes:
        folds |= {c: " " for c in _spaces() if c != " "}
    if "case" in modes:
        changed = {c: c.casefold() for c in map(chr, range(0x110000)) if not 0xD800 <= ord(c) < 0xE000 and c.casefold() != c}
        folds = changed | {c: plain.casefold() for c, plain in folds.items()}
    return folds


@lru_cache(maxsize=16)
def _table(modes: frozenset[str]) -> dict[int, str]:
    return {ord(c): plain for c, plain in _folded_characters(modes).items()}


def _symbols_of(text: str, modes: frozenset[str]) -> str:
    """A written text as its symbols; empty where a run of white space is too long."""
    if "whitespace" in modes:
        if any(len(run) > MAX_RUN for run in re.findall(r"\s+", text)):
            return ""
        text = re.sub(r"\s+", " ", text)
    return text.translate(_table(modes)) if modes else text


# ------------------------------------------------------------------------------------------------------- the context


@dataclass
class _Source:
    """One text as symbols: a str with one character for each, and what is known at each place between them."""

    name: str | int | None
    text: str
    symbols: str
    first: Any  # the offset in the text of each symbol's character
    starts: Any
    ends: Any
    counts: Any

    def passage(self, start: int, end: int) -> Passage:
        stop = int(self.first[end]) if end < len(self.symbols) else len(self.text)
        begin = int(self.first[start])
        return Passage(self.name, begin, stop, self.text[begin:stop])


@dataclass
class _Prepared:
    sources: list[_Source]
    modes: frozenset[str]


def _prepare(
    context: Context, mode: str | Iterable[str], align: str, min_length: int, max_length: int | None, who: str
) -> _Prepared:
    texts = _texts(context, who)
    modes = _modes(mode, who)
    if align not in ALIGNMENTS:
        raise GrammarError(f"{who}: align is {align!r:.60}; one of {', '.join(map(repr, ALIGNMENTS))} is needed")
    for name, value in (("min_length", min_length), ("max_length", max_length)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise GrammarError(f"{who}: {name} is {value!r:.60}; an int is needed")
    if min_length < 1 or (max_length is not None and max_length < min_length):
        raise GrammarError(f"{who}: 1 <= min_length <= max_length is needed, given {min_length} and {max_length}")
    return _Prepared([_source(name, text, modes, align) for name, text in texts], modes)


def _lengths(low: int, high: int | None) -> str:
    return f"at least {low}" if high is None else f"{low} to {high}"


def _texts(context: Context, who: str) -> list[tuple[str | int | None, str]]:
    """The sources with their names, each checked."""
    named: list[tuple[Any, Any]]
    if isinstance(context, str):
        named = [(None, context)]
    elif isinstance(context, Mapping):
        named = list(context.items())
    elif isinstance(context, Sequence) and not isinstance(context, (bytes, bytearray)):
        named = list(enumerate(context))
    else:
        raise GrammarError(f"{who}: the context is a {type(context).__name__}; a str, or a list or mapping of them, is needed")
    for name, text in named:
        where = "the context" if name is None else f"source {name!r:.60}"
        if not isinstance(text, str):
            raise GrammarError(f"{who}: {where} is a {type(text).__name__}; a str is needed")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise GrammarError(f"{who}: {where} holds a lone surrogate at offset {error.start}, which no UTF-8 text can") from None
    total = sum(len(text) for _, text in named)
    if total == 0:
        raise GrammarError(f"{who}: the context is empty; at least one character is needed")
    if total > MAX_CHARACTERS:
        raise LimitExceeded("max_context_characters", total, MAX_CHARACTERS)
    return named


def _modes(mode: str | Iterable[str], who: str) -> frozenset[str]:
    names = mode.split("+") if isinstance(mode, str) else list(mode)
    for name in names:
        if name not in MODES:
            raise GrammarError(f"{who}: mode {name!r:.60} is not known; {', '.join(map(repr, MODES))} are")
    return frozenset(names) - {"verbatim"}


def _source(name: str | int | None, text: str, modes: frozenset[str], align: str) -> _Source:
    n = len(text)
    codes = _codes(text)
    lengths = numpy.ones(n, numpy.int32)  # symbols of each character
    symbols = text
    if modes:
        if "whitespace" in modes:  # of a run its first character stands for all
            is_space = numpy.isin(codes, _codes("".join(sorted(_spaces()))))
            lengths[1:][is_space[1:] & is_space[:-1]] = 0
            symbols = re.sub(r"\s+", " ", text)
        folds = _folded_characters(modes)
        for character in {c for c in set(symbols) if len(folds.get(c, c)) > 1}:
            lengths[codes == ord(character)] = len(folds[character])
        symbols = symbols.translate(_table(modes))
    kept = numpy.flatnonzero(lengths)
    first = numpy.repeat(numpy.arange(n, dtype=numpy.int32), lengths)
    place = numpy.zeros(n + 1, numpy.int32)  # of each character among the symbols
    numpy.cumsum(lengths, out=place[1:])
    is_whole = numpy.zeros(len(symbols) + 1, bool)  # does a character begin here, or all end?
    is_whole[place[kept]] = True
    is_whole[-1] = True
    starts, ends, units = is_whole.copy(), is_whole.copy(), is_whole
    if align != "characters":
        begin, end = _borders(text, align)
        starts, ends, units = (numpy.zeros(len(symbols) + 1, bool) for _ in range(3))
        starts[place[begin]] = ends[place[end]] = units[place[begin]] = True
    counts = numpy.zeros(len(symbols) + 1, numpy.uint32)
    numpy.cumsum(units[:-1], out=counts[1:])
    return _Source(name, text, symbols, first, starts, ends, counts)


def _codes(text: str) -> Any:
    return numpy.frombuffer(text.encode("utf-32-le"), numpy.uint32)


def _borders(text: str, align: str) -> tuple[list[int], list[int]]:
    """Where the words or sentences of a text begin, and where they end."""
    if align == "words":
        spans = [match.span() for match in _word_pattern().finditer(text)]
        return [a for a, _ in spans], [b for _, b in spans]
    if align == "units":
        cuts = [0, *(match.end() for match in re.finditer(r"\w+|\s+|[^\w\s]+", text))]
        return cuts, cuts
    begin: list[int] = []
    end: list[int] = []
    at = 0
    for stop in [*(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]:
        part = text[at:stop].lstrip()
        if part:
            begin.append(stop - len(part))
            end.append(begin[-1] + len(part.rstrip()))
        at = stop
    return begin, end


@lru_cache(maxsize=1)
def _word_pattern() -> re.Pattern[str]:
    """Letters, digits, underscores and marks; an apostrophe between them."""
    marks = "".join(c for c in map(chr, range(0x110000)) if unicodedata.category(c)[0] == "M")
    return re.compile(rf"[\w{marks}]+(?:['’][\w{marks}]+)*")


# --------------------------------------------------------------------------------------------------------- the core


def _build(expr_set: ExprSet, prepared: _Prepared, low: int, high: int | None, spell: Any) -> int:
    """The node of all quotes. Symbols are numbered from 1; 0 stands behind each source."""
    codes = [_codes(source.symbols) for source in prepared.sources]
    known = numpy.unique(numpy.concatenate(codes))
    numbers = numpy.zeros(int(known[-1]) + 1, numpy.uint32)
    numbers[known] = numpy.arange(1, len(known) + 1)
    number_of = {chr(code): i + 1 for i, code in enumerate(known.tolist())}
    end = numpy.zeros(1, numpy.uint32)
    symbols = numpy.concatenate([part for text in codes for part in (numbers[text], end)])
    return expr_set.substring(
        symbols.tobytes(),
        numpy.concatenate([source.starts for source in prepared.sources]).tobytes(),
        numpy.concatenate([*(source.ends for source in prepared.sources), [False]]).tobytes(),
        _joined_counts(prepared.sources).tobytes(),
        _units(number_of, prepared.modes, spell),
        min(low, _UNBOUNDED),
        _UNBOUNDED if high is None else min(high, _UNBOUNDED),
        number_of.get(" ", 0) if "whitespace" in prepared.modes else 0,
    )


def _joined_counts(sources: list[_Source]) -> Any:
    """The sources' counts one behind the other, growing."""
    parts, before = [], 0
    for source in sources:
        parts.append(source.counts + numpy.uint32(before))
        before = int(parts[-1][-1])
    return numpy.concatenate([*parts, numpy.array([before], numpy.uint32)])


def _units(number_of: dict[str, int], modes: frozenset[str], spell: Any) -> list[tuple[bytes, list[int]]]:
    """Each character that may be written: its bytes and its symbols."""
    folds = _folded_characters(modes) if modes else {}
    units = [(spell(c), [i]) for c, i in number_of.items() if c not in folds]
    for c, plain in folds.items():
        if all(x in number_of for x in plain):
            units.append((spell(c), [number_of[x] for x in plain]))
    return units
