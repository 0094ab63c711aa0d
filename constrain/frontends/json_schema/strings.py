"""Strings: a shape of assertions on the decoded text, and its lexeme in encoded text.

A `StringShape` is a conjunction of lengths in code points, patterns and formats (each asserted or denied), and allowed
or excluded values. Strings are regular, so the Boolean work is the algebra's own: what cannot be merged symbolically
becomes an intersection or complement inside one lexeme. All languages here are over the encoded alphabet of
`JsonAlphabet`, which is closed under respelling, so complement speaks of decoded values. Held by
tests/corpus/json_schema/strings.json.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...errors import RegexError, SchemaError, UnsupportedError
from .formats import NARROWED, format_expression

if TYPE_CHECKING:
    from .session import Session

__all__ = ["ANY_STRING", "StringShape", "meet_strings", "pattern_expression", "string_expression"]


class StringShape(NamedTuple):
    """A conjunction of string assertions; `max` -1 is no bound, the booleans say asserted (or denied)."""

    min: int = 0
    max: int = -1
    patterns: frozenset[tuple[str, bool]] = frozenset()
    formats: frozenset[tuple[str, bool]] = frozenset()
    values: frozenset[str] | None = None
    excluded: frozenset[str] = frozenset()


ANY_STRING = StringShape()


def meet_strings(x: StringShape, y: StringShape) -> StringShape | str:
    """The conjunction, or in words why it is empty."""
    low = max(x.min, y.min)
    high = x.max if y.max < 0 else y.max if x.max < 0 else min(x.max, y.max)
    values = x.values if y.values is None else y.values if x.values is None else x.values & y.values
    merged = StringShape(low, high, x.patterns | y.patterns, x.formats | y.formats, values, x.excluded | y.excluded)
    return settle(merged)


def settle(x: StringShape) -> StringShape | str:
    """The shape with its values filtered by length, or why it is empty."""
    if 0 <= x.max < x.min:
        return f"'minLength' {x.min} is above 'maxLength' {x.max}"
    for kind, pairs in (("pattern", x.patterns), ("format", x.formats)):
        for text, positive in pairs:
            if positive and (text, False) in pairs:
                return f"{kind!r} {text!r} is both asserted and denied"
    if x.values is not None:
        kept = frozenset(v for v in x.values if v not in x.excluded and x.min <= len(v) and (x.max < 0 or len(v) <= x.max))
        if not kept:
            return "no string of 'enum' or 'const' is left"
        return StringShape(0, -1, x.patterns, x.formats, kept)
    return x


def pattern_expression(session: Session, pattern: str, where: str) -> int:
    """The bodies of JSON strings in which an ECMA-262 pattern is found."""
    known = session.patterns.get(pattern)
    if known is not None:
        return known
    from ..regex import compile_regex
    from ..regex_syntax import parse

    try:
        made = compile_regex(parse(pattern, 0, "ecma"), session.alphabet, search=True)
    except RegexError as error:
        message = str(error).split("\n")[0]
        raise SchemaError(f"json schema: 'pattern' at {where}: {message}", pattern, error.span, where) from None
    except UnsupportedError as error:
        raise UnsupportedError(f"json schema: 'pattern' with {error.feature}", f"at {where}") from None
    session.patterns[pattern] = made
    return made


def string_body(session: Session, shape: StringShape, where: str) -> int:
    """The expression of a shape without its quotes; NO_MATCH where no string fits."""
    s, alphabet = session.set, session.alphabet
    parts = [pattern_expression(session, p, where) for p, positive in sorted(shape.patterns) if positive]
    parts += [format_expression(session, f) for f, positive in sorted(shape.formats) if positive]
    _check_denied(session, shape, where)
    denied = [pattern_expression(session, p, where) for p, positive in sorted(shape.patterns) if not positive]
    denied += [format_expression(session, f) for f, positive in sorted(shape.formats) if not positive]
    if shape.values is not None:
        values = sorted(shape.values)
        if not parts and not denied:
            return int(alphabet.texts(values))
        spelt = [(v, alphabet.text(v)) for v in values]
        kept = [v for v, e in spelt if e and _inside(s, e, parts) and not any(_inside(s, e, [d]) for d in denied)]
        return int(alphabet.texts(kept)) if kept else 0
    if shape.excluded:
        denied.append(alphabet.texts(sorted(shape.excluded)))
    if shape.min or shape.max >= 0 or not parts:
        parts.append(s.repeat(alphabet.any_character, shape.min, shape.max))
    parts += [s.complement(d) for d in denied]
    return parts[0] if len(parts) == 1 else int(s.intersection(parts))


def _check_denied(session: Session, shape: StringShape, where: str) -> None:
    """A format that is narrower than its standard cannot be denied."""
    for name, positive in shape.formats:
        if not positive and name in NARROWED:
            session.refuse(f"the negation of 'format' {name!r}", where, f" ({NARROWED[name]})")


def _inside(s: object, text: int, languages: list[int]) -> bool:
    return all(not s.is_empty(s.intersection([text, e])) for e in languages)  # type: ignore[attr-defined]


def string_expression(session: Session, shapes: tuple[StringShape, ...], where: str) -> int:
    """One lexeme for a disjunction of shapes, quotes included; NO_MATCH where no string fits."""
    if not shapes or ANY_STRING in shapes:
        return session.text.string if shapes else 0
    known = session.strings.get(shapes)
    if known is None:
        s, quote = session.set, session.text.quote
        body = s.union([string_body(session, shape, where) for shape in shapes])
        searched = any(len(x.patterns) + len(x.formats) + bool(x.excluded) + bool(x.min or x.max >= 0) > 1 for x in shapes)
        if (searched or any("(?" in p for x in shapes for p, _ in x.patterns)) and s.is_empty(body):
            body = 0
        if not body:
            session.never(f"{_assertions(shapes)} leave no string at {where}")
        known = session.strings[shapes] = s.lexeme(s.concat([quote, body, quote])) if body else 0
    return known


def _assertions(shapes: tuple[StringShape, ...]) -> str:
    """The keywords that shapes are made of, for messages."""
    names = []
    for x in shapes:
        names += [f"'pattern' {p!r}" if positive else f"the negation of 'pattern' {p!r}" for p, positive in sorted(x.patterns)]
        names += [f"'format' {f!r}" if positive else f"the negation of 'format' {f!r}" for f, positive in sorted(x.formats)]
        names += [f"'minLength' {x.min}"] if x.min else []
        names += [f"'maxLength' {x.max}"] if x.max >= 0 else []
        names += ["'enum' or 'const'"] if x.values is not None or x.excluded else []
    return ", ".join(dict.fromkeys(names))


