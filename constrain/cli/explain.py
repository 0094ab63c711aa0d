"""Floor 8: `constrain explain`: what the engine does along a text: states, masks and forced bytes, token by token."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConstrainError
from .check import read_text
from .constraints import add_constraint_options, constraint_of

if TYPE_CHECKING:
    from ..matcher import Matcher
    from ..vocabulary import Vocabulary

__all__ = ["add_parser", "run"]

_NUM_TOKENS_SHOWN = 6


def add_parser(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser(
        "explain", help="show states, masks and forced text step by step",
        description="Feeds a text to a constraint token by token, and shows before each token how many tokens the mask "
        "allows, which, what text is forced, and the state: what may still come. Exit code 1: the text is refused.",
    )  # fmt: skip
    parser.add_argument(
        "text", metavar="TEXT", nargs="?", help="the text (default: the start only); - reads standard input"
    )
    parser.add_argument("--file", metavar="F", help="a file whose whole content is the text")
    parser.add_argument(
        "--vocabulary", metavar="V", help="a tokenizer: a file, folder or hub id (default: the embedded one)"
    )
    parser.add_argument("--turn", action="store_true", help="start as at the beginning of a chat turn")
    parser.add_argument(
        "--state-width", metavar="N", type=int, default=100, help="characters of a state to show (100)"
    )
    add_constraint_options(parser, required=True)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Explains; 0 where the whole text is accepted, 1 where a token is refused or the text may not end."""
    from ..matcher import compile

    expr = constraint_of(arguments, whitespace="flexible")
    assert expr is not None
    text = read_text(arguments)
    vocabulary = _vocabulary(arguments.vocabulary)
    start = "turn" if arguments.turn else "continue"
    matcher = compile(expr, vocabulary).matcher(start=start)
    if text is None:
        _show_state(0, matcher, vocabulary, arguments.state_width)
        return 0
    for step, token in enumerate(vocabulary.encode(text, start=start)):
        _show_state(step, matcher, vocabulary, arguments.state_width)
        if not matcher.accept_token(token):
            print(f"      {_spell(vocabulary, token)} is refused")
            print(expr.explain(text))
            return 1
        print(f"      {_spell(vocabulary, token)} is accepted")
    _show_state(len(vocabulary.encode(text, start=start)), matcher, vocabulary, arguments.state_width)
    if matcher.is_accepting():
        print("the text matches")
        return 0
    print("the text is a beginning: more must follow")
    return 1


def _show_state(step: int, matcher: Matcher, vocabulary: Vocabulary, width: int) -> None:
    allowed = matcher.allowed_tokens()
    readable = [i for i in allowed if _is_readable(vocabulary.tokens[i])]
    shown = ", ".join(_spell(vocabulary, i) for i in (readable or allowed)[:_NUM_TOKENS_SHOWN])
    more = f", and {len(allowed) - _NUM_TOKENS_SHOWN} more" if len(allowed) > _NUM_TOKENS_SHOWN else ""
    print(f"{step:4}  state   {matcher.describe(width)}")
    if labels := matcher.labels():
        print(f"      in      {' < '.join(map(repr, labels))}")
    print(f"      mask    {len(allowed)} of {vocabulary.size} tokens: {shown}{more}")
    if forced := matcher.forced_bytes():
        print(f"      forced  {forced.decode(errors='backslashreplace')!r}")


def _is_readable(token: bytes | None) -> bool:
    """Whether a token makes a good example: whole printable characters, more than a byte."""
    text = (token or b"").decode(errors="replace")
    return len(text) > 1 and text.isprintable() and "\ufffd" not in text


def _spell(vocabulary: Vocabulary, token: int) -> str:
    data = vocabulary.tokens[token]
    if data is None:
        names = [name for name, i in vocabulary.special_tokens.items() if i == token]
        return names[0] if names else f"<{token}>"
    return repr(data.decode(errors="backslashreplace"))


def _vocabulary(source: str | None) -> Vocabulary:
    from ..vocabulary import Vocabulary

    if source is not None:
        return Vocabulary.from_tokenizer(source)
    embedded = Path(__file__).parents[1] / "models" / "embedded"
    if not embedded.is_dir():
        raise ConstrainError("this installation has no embedded model; name a tokenizer with --vocabulary")
    return Vocabulary.from_tokenizer(embedded)
