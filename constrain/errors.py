"""Floor 0: the one family of errors.

Every error that this package raises on purpose is a `ConstrainError`, so that an application needs one `except`.
Messages are lower-case clauses that name the thing, say where it is, and say what would be accepted; text that came
from a user stands in `repr`. Nothing in the package ever decides by a message: the attributes carry the facts.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "ConstrainError",
    "GrammarError",
    "LarkError",
    "LimitExceeded",
    "RegexError",
    "SchemaError",
    "UnsatisfiableError",
    "UnsupportedError",
    "with_index",
]


class ConstrainError(Exception):
    """Base of every error raised on purpose."""


def _caret_line(source: str, span: tuple[int, int]) -> str:
    """Two lines: the source's line around `span` (at most 80 characters of it) and carets under the span.

    >>> print(_caret_line("a(b", (1, 2)))
      a(b
       ^
    """
    start, end = span
    line_start = source.rfind("\n", 0, start) + 1
    line_end = source.find("\n", start)
    line_end = len(source) if line_end < 0 else line_end
    window_start = max(line_start, start - 40)
    line = source[window_start : min(line_end, window_start + 80)]
    printable = "".join(c if c.isprintable() else "?" for c in line)
    width = max(1, min(end, window_start + len(line)) - start)
    return f"  {printable}\n  {' ' * (start - window_start)}{'^' * width}"


class GrammarError(ConstrainError):
    """A constraint's source text is wrong.

    `source` is the text (or None), `span` the half-open range of offsets in code points that is to blame (or None).
    The message ends with the line and a caret when both are known.
    """

    def __init__(self, message: str, source: str | None = None, span: tuple[int, int] | None = None) -> None:
        self.source = source
        self.span = span
        if source is not None and span is not None:
            message = f"{message}\n{_caret_line(source, span)}"
        super().__init__(message)


class RegexError(GrammarError):
    """A regex that is not well-formed."""


class SchemaError(GrammarError):
    """A JSON schema that is not well-formed; `pointer` is the JSON pointer to the offending place, or None."""

    def __init__(
        self,
        message: str,
        source: str | None = None,
        span: tuple[int, int] | None = None,
        pointer: str | None = None,
    ) -> None:
        self.pointer = pointer
        super().__init__(message, source, span)


class LarkError(GrammarError):
    """A Lark grammar that is not well-formed."""


class UnsupportedError(ConstrainError):
    """Well-formed, but not carried out exactly, hence refused: `feature` by name, `where` it stands."""

    def __init__(self, feature: str, where: str, message: str | None = None) -> None:
        self.feature = feature
        self.where = where
        super().__init__(message or f"{feature} is not supported {where}")


class UnsatisfiableError(ConstrainError):
    """No text satisfies the constraint; the message names what contradicts what."""


class LimitExceeded(ConstrainError):
    """A limit of `constrain.Limits` was met: `limit` is its name, `given` what was asked for, `allowed` its value."""

    def __init__(self, limit: str, given: int | None, allowed: int, message: str | None = None) -> None:
        self.limit = limit
        self.given = given
        self.allowed = allowed
        found = f", given {given}" if given is not None else ""
        super().__init__(message or f"limit exceeded: {limit} is {allowed}{found}")


def with_index(error: Exception, index: int) -> Exception:
    """The error of one of many inputs, with its number as `index`; a ConstrainError says it in its message, too.

    >>> with_index(ConstrainError("no text"), 3)
    ConstrainError('no text (input 3)')
    """
    indexed: Any = error
    if not hasattr(error, "index"):
        indexed.index = index
        if isinstance(error, ConstrainError):
            indexed.args = (f"{error} (input {index})", *error.args[1:])
    return error
