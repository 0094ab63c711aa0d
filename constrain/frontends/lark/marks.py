"""What rules are marked with that is no property of a text: captures, temperatures, limits.

`constrain.lark` lets captures be and refuses the others; `dsl.lark` carries them out (dsl/larks.py). Source: llguidance,
docs/syntax.md. Held by tests/test_dsl_lark.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import UnsupportedError
from . import terminals as lexical
from .syntax import Definition, Source

__all__ = ["LANGUAGE", "Mark", "read_mark"]

LANGUAGE = frozenset(["lazy", "stop", "suffix"])  # the attributes that say which texts a rule has


@dataclass
class Mark:
    """The marks of a rule; `ended` are the roots of its body and its suffix, where it has one."""

    at: int
    capture: str | None = None
    stop_capture: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    ended: tuple[int, int] | None = None


def read_mark(definition: Definition, source: Source) -> Mark:
    """The marks of a rule. Raises LarkError where a value is none, UnsupportedError for what nothing carries out."""
    mark = Mark(definition.at)
    for key, (token, at) in definition.attributes.items():
        kind, value = ("", "") if token is None else (token.type, str(token))
        if key == "capture" and token is None:
            mark.capture = definition.name
        elif key in ("capture", "stop_capture"):
            text = lexical.literal(source, value, at).value if kind == "STRING" else ""
            if not text:
                source.fail(f'{key!r} needs a name in quotes, such as {key}="found"', at)
            setattr(mark, key, text)
        elif key == "temperature":
            if kind not in ("NUMBER", "DECIMAL") or float(value) < 0:
                source.fail(f"'temperature' is {value!r}, expected a number from 0", at)
            mark.temperature = float(value)
        elif key == "max_tokens":
            if kind != "NUMBER" or int(value) < 1:
                source.fail(f"'max_tokens' is {value!r}, expected a whole number from 1", at)
            mark.max_tokens = int(value)
    if mark.stop_capture is not None and "suffix" not in definition.attributes:
        message = "'stop_capture' is supported beside 'suffix' only: what stands behind 'stop' is no part of the text"
        raise UnsupportedError("stop_capture", "without suffix", source.message(message, definition.attributes["stop_capture"][1]))
    return mark
