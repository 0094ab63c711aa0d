"""Floor 6: answers and programs as people look at them: text coloured by where it came from.

HTML: every text is escaped; colours are translucent grounds under the page's own text colour, so that they can be read on
light and on dark pages; a token's probabilities stand in its `title`. A token that ends inside a character is shown
together with those that complete it. Held by tests/test_display.py.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .report import Token

__all__ = ["Piece", "abridged", "prompt_pieces", "to_html", "token_pieces"]

_BORDER = "box-shadow:inset 1px 0 rgba(128,128,128,.5)"  # between tokens
_COLOURS = {
    "forced": f"background:rgba(66,133,244,.28);{_BORDER}",
    "sampled": f"background:rgba(52,168,83,.32);{_BORDER}",
    "special": "color:rgb(128,128,128);font-size:85%;border:1px solid rgba(128,128,128,.6);border-radius:3px;padding:0 2px",
}
_FRAME = "font-family:monospace;white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.5"


class Piece(NamedTuple):
    """A stretch of text of one origin: "prompt", "forced", "sampled" or "special"."""

    text: str
    origin: str
    title: str = ""


def abridged(text: str, max_length: int = 120) -> str:
    """The text's repr, cut in the middle where it is long.

    >>> abridged("a" * 30 + "b" * 30, 11)
    "'aaaa … bbbb'"
    """
    if len(text) > max_length:
        half = (max_length - 3) // 2
        text = f"{text[:half]} … {text[-half:]}"
    return repr(text)


def prompt_pieces(prompt: Iterable[bytes | str]) -> list[Piece]:
    """A prompt's text tokens, as bytes, joined; special tokens, by name, by themselves."""
    pieces: list[Piece] = []
    data = b""
    for token in prompt:
        if isinstance(token, bytes):
            data += token
            continue
        pieces += [Piece(data.decode(errors="replace"), "prompt"), Piece(token, "special")]
        data = b""
    return [piece for piece in [*pieces, Piece(data.decode(errors="replace"), "prompt")] if piece.text]


def token_pieces(tokens: Sequence[Token], num_leading_bytes: int = 0) -> list[Piece]:
    """The tokens as pieces of whole characters, without the first bytes that are no part of the answer's text."""
    pieces: list[Piece] = []
    data, group = b"", list[Token]()
    for token in tokens:
        cut = min(num_leading_bytes, len(token.data))
        num_leading_bytes -= cut
        data += token.data[cut:]
        group.append(token)
        if data and (not token.data or _is_whole(data)):
            pieces.append(_piece(data, group))
            data, group = b"", []
        if not token.data:
            pieces.append(Piece("end", "special", _title(token)))
            group = []
    return [*pieces, _piece(data, group)] if data else pieces


def _is_whole(data: bytes) -> bool:
    """Whether the data do not end inside a character; what can be none does not wait for more."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.reason != "unexpected end of data"
    return True


def _piece(data: bytes, group: list[Token]) -> Piece:
    origin = "sampled" if any(token.origin == "sampled" for token in group) else "forced"
    return Piece(data.decode(errors="replace"), origin, "\n".join(map(_title, group)))


def _title(token: Token) -> str:
    shown = repr(token.data.decode()) if _is_text(token.data) else token.data.hex(" ")
    title = f"{shown if token.data else 'end'} ({token.id}), {token.origin}"
    if token.log_probability is not None and token.model_log_probability is not None:
        masked, model = math.exp(token.log_probability), math.exp(token.model_log_probability)
        title += f", p = {masked:.4g} under the mask, {model:.4g} without"
    return title


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def to_html(pieces: Iterable[Piece], caption: str) -> str:
    """A fragment of a page: the pieces, then a legend and the caption."""
    body = "".join(_span(piece.text, piece.origin, piece.title) for piece in pieces)
    legend = " ".join(_span(f" {origin} ", origin, "") for origin in ("forced", "sampled"))
    return (
        f'<div style="{_FRAME}"><div>{body}</div>'
        f'<div style="margin-top:.5em;font-size:85%;opacity:.75">{legend} {html.escape(caption)}</div></div>'
    )


def _span(text: str, origin: str, title: str) -> str:
    style = f' style="{_COLOURS[origin]}"' if origin in _COLOURS else ""
    hover = f' title="{html.escape(title)}"' if title else ""
    return f"<span{style}{hover}>{html.escape(text)}</span>"
