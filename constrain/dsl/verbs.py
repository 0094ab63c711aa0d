r"""The verbs that make nodes: gen, select, regex, json, repeats, captures and settings.

Each checks its arguments when it is called, so that an error names the line that wrote them. Held by tests/test_dsl.py.

>>> from constrain import dsl
>>> lm = dsl.models.Mock("7 apples")
>>> lm += "I have " + dsl.gen("count", regex=r"\d+") + " " + dsl.select(["apples", "pears"], name="fruit")
>>> str(lm), lm["count"], lm["fruit"]
('I have 7 apples', '7', 'apples')
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._native import ExprSet
from ..expr import Expr
from ..frontends import regex as _regex_frontend
from ..frontends.choice import choice
from ..frontends.json_schema import json_schema
from ..frontends.json_schema.types import read_type
from ..frontends.lark import read_lark
from ..frontends.quote import Passage, find_quotes
from ..frontends.quote import quote as quote_expression
from ..models.sampling import Sampling
from .grammar import EXPRESSIONS, until
from .larks import lark_node
from .nodes import (
    Alternatives,
    Capture,
    Choice,
    Free,
    Label,
    Leaf,
    Node,
    Repeat,
    Settings,
    Special,
    Until,
    as_node,
    has_nodes,
)
from .places import ProgramError, located

__all__ = [
    "at_most_n_repeats", "byte_range", "capture", "exactly_n_repeats", "gen", "json", "lark", "one_or_more", "optional", "regex",
    "select", "sequence", "special_token", "string", "token_limit", "with_temperature", "zero_or_more",
]  # fmt: skip


# ---------------------------------------------------------------- what the model writes


def gen(
    name: str | None = None,
    *,
    regex: str | None = None,
    stop: str | list[str] | None = None,
    stop_regex: str | list[str] | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    list_append: bool = False,
    save_stop_text: bool | str = False,
) -> Node:
    """Text that the model writes: any, or a text of `regex`, up to the first `stop` or `stop_regex`.

    The stop is written, and is no part of the capture `name`; `save_stop_text` captures it as `<name>_stop_text`, or under
    the name given. Without `regex` and stops the text ends where the model ends it. A text that meets `max_tokens` is cut,
    and captured as far as it came. `temperature=None` is that of `with_temperature` around it, or 0.
    """
    label = _label("gen", name, list_append)
    with located():
        body = None if regex is None else _compiled(regex)
        stops = _stops(stop, stop_regex)
    if stops is None:
        if save_stop_text:
            raise ProgramError("gen: save_stop_text is given without stop or stop_regex, so there is no stop to save")
        node: Node = Free() if body is None else Leaf(body, may_be_cut=True)
        node = node if label is None else Capture(node, label)
    else:
        with located(), EXPRESSIONS:
            total = until(body, stops)
        node = Until(body, stops, total, label, _stop_label(save_stop_text, name, list_append))
    return _set(node, "gen", temperature, max_tokens)


def select(options: Iterable[str | Node], name: str | None = None, list_append: bool = False) -> Node:
    """One of the options, texts or nodes; where a text can be read in two ways the earlier option counts."""
    label = _label("select", name, list_append)
    if isinstance(options, (str, Node)):
        raise ProgramError(f"select: options is a single {type(options).__name__}, expected a list of texts and nodes")
    listed = list(options)
    if not listed:
        raise ProgramError("select: options is empty, expected one text or node at least")
    if all(isinstance(option, str) and not has_nodes(option) for option in listed):
        with located():
            expr = choice([option for option in listed if isinstance(option, str)])
        order: dict[bytes, int] = {}
        for option in listed:
            order.setdefault(str(option).encode(), len(order))
        node: Node = Choice(order, expr)
    else:
        node = Alternatives(tuple(as_node(option) for option in listed))
    return node if label is None else Capture(node, label)


def regex(pattern: str, name: str | None = None, *, list_append: bool = False) -> Node:
    """A text that `pattern` matches in full."""
    label = _label("regex", name, list_append)
    with located():
        node = Leaf(_compiled(pattern))
    return node if label is None else Capture(node, label)


def json(
    source: Any = None,
    name: str | None = None,
    *,
    schema: Any = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    list_append: bool = False,
    **options: Any,
) -> Node:
    """JSON of a schema or type, given first or as `schema`; the capture is the parsed, validated object.

    With `schema` a text in front is the name. Further options are those of `constrain.json_schema`; white space is
    compact unless they say otherwise.
    """
    if schema is not None:
        if source is not None and (name is not None or not isinstance(source, str)):
            raise ProgramError("json: two schemas are given, expected one")
        source, name = schema, name if source is None else source
    label_name = _label("json", name, list_append)
    with located():
        answer = read_type(True if source is None else source)
        expr = json_schema(answer.schema, **({"whitespace": "compact", "integers": "plain"} | options))
    node: Node = Leaf(expr)
    if label_name is not None:
        node = Capture(node, Label(label_name.name, list_append, answer.parse))
    return _set(node, "json", temperature, max_tokens)


def lark(
    text: str,
    name: str | None = None,
    *,
    temperature: float | None = None,
    max_tokens: int | None = None,
    list_append: bool = False,
    **options: Any,
) -> Node:
    r"""A text of a grammar in Lark's language; options are those of `constrain.lark`.

    Rules with `[capture]` or `[capture="…"]` are captures of the program, the last one counts where a rule comes more than
    once, or all in a list with `list_append`. `[temperature=…]` and `[max_tokens=…]` are carried out at the start rule
    and at rules in its own sequence.

    >>> from constrain.dsl import lark, models
    >>> grammar = 'start: name "=" number\nname[capture]: /[a-z]+/\nnumber[capture]: /[0-9]+/'
    >>> lm = models.Mock("n=12") + lark(grammar, "all")
    >>> lm["all"], lm["name"], lm["number"]
    ('n=12', 'n', '12')
    """
    if name is not None:
        _label("lark", name, list_append)
    with located(), EXPRESSIONS:
        node = lark_node(read_lark(text, **options), list_append)
    if name is not None:
        node = Capture(node, Label(name, list_append))
    return _set(node, "lark", temperature, max_tokens)


class Quotation(str):
    """A quote, which is a str, and the places where the context has it; `source`, `start` and `end` are the first's."""

    passages: list[Passage]

    @classmethod
    def of(cls, text: str, passages: list[Passage]) -> Quotation:
        """The text and its places."""
        made = cls(text)
        made.passages = passages
        return made

    @property
    def source(self) -> str | int | None:
        return self.passages[0].source

    @property
    def start(self) -> int:
        return self.passages[0].start

    @property
    def end(self) -> int:
        return self.passages[0].end


def quote(
    context: Any,
    name: str | None = None,
    *,
    temperature: float | None = None,
    max_tokens: int | None = None,
    list_append: bool = False,
    **options: Any,
) -> Node:
    """A contiguous part of the context; options are those of `constrain.quote`.

    The capture is a `Quotation`: the text as written, with `start` and `end` that slice the passage out of the context.

    >>> from constrain.dsl import models, quote
    >>> lm = models.Mock("brown fox") + quote("The quick brown fox.", "q")
    >>> lm["q"], lm["q"].start, lm["q"].end
    ('brown fox', 10, 19)
    """
    label_name = _label("quote", name, list_append)
    with located():
        node: Node = Leaf(quote_expression(context, **options))
    if label_name is not None:
        node = Capture(node, Label(label_name.name, list_append, lambda text: Quotation.of(text, find_quotes(context, text, **options))))
    return _set(node, "quote", temperature, max_tokens)


substring = quote


def string(text: str) -> Node:
    """Exactly this text."""
    return as_node(text)


def byte_range(low: bytes, high: bytes) -> Node:
    """One byte from `low` to `high`."""
    if not all(isinstance(end, bytes) and len(end) == 1 for end in (low, high)) or low > high:
        raise ProgramError(f"byte_range: ends {low!r} and {high!r} are no range, expected two single bytes in order")
    expr_set = ExprSet()
    return Leaf(Expr(expr_set, expr_set.byte_range(low[0], high[0])))


def special_token(name: str) -> Node:
    """A special token of the model's vocabulary by its name, such as `<|end|>`; it adds no text."""
    if not isinstance(name, str) or not name:
        raise ProgramError(f"special_token: the name is {name!r}, expected text")
    return Special(name)


# ---------------------------------------------------------------- how often


def sequence(node: Node | str, min_length: int = 0, max_length: int | None = None) -> Node:
    """The node from `min_length` to `max_length` times (None: any number)."""
    return _repeat("sequence", node, min_length, max_length)


def optional(node: Node | str) -> Node:
    """The node or nothing."""
    return _repeat("optional", node, 0, 1)


def zero_or_more(node: Node | str) -> Node:
    """The node any number of times."""
    return _repeat("zero_or_more", node, 0, None)


def one_or_more(node: Node | str) -> Node:
    """The node once or more often."""
    return _repeat("one_or_more", node, 1, None)


def exactly_n_repeats(node: Node | str, n_repeats: int) -> Node:
    """The node so many times."""
    return _repeat("exactly_n_repeats", node, n_repeats, n_repeats)


def at_most_n_repeats(node: Node | str, n_repeats: int) -> Node:
    """The node so many times or less often."""
    return _repeat("at_most_n_repeats", node, 0, n_repeats)


def _repeat(verb: str, node: Node | str, low: Any, high: Any) -> Node:
    for count in (low, high):
        if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 0):
            raise ProgramError(f"{verb}: the number of repeats is {count!r}, expected a whole number from 0")
    if high is not None and high < low:
        raise ProgramError(f"{verb}: min_length is {low} and max_length {high}, expected no more than {high}")
    return Repeat(as_node(node), low, high)


# ---------------------------------------------------------------- what is remembered, and how it is written


def capture(node: Node | str, name: str, list_append: bool = False) -> Node:
    """The node, whose text is remembered as `name`."""
    label = _label("capture", name, list_append)
    if label is None:
        return as_node(node)
    return Capture(as_node(node), label)


def token_limit(node: Node | str, max_tokens: int) -> Node:
    """The node in at most so many tokens."""
    return _set(as_node(node), "token_limit", None, _checked_limit("token_limit", max_tokens))


def with_temperature(node: Node | str, temperature: float) -> Node:
    """The node, sampled at this temperature where no part says otherwise."""
    return _set(as_node(node), "with_temperature", temperature, None)


def _set(node: Node, verb: str, temperature: float | None, max_tokens: int | None) -> Node:
    if temperature is not None:
        with located():
            Sampling(temperature=temperature)
    if max_tokens is not None:
        _checked_limit(verb, max_tokens)
    return node if temperature is None and max_tokens is None else Settings(node, temperature, max_tokens)


def _checked_limit(verb: str, limit: Any) -> int:
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise ProgramError(f"{verb}: max_tokens is {limit!r}, expected a whole number from 1")
    return limit


# ---------------------------------------------------------------- arguments


def _label(verb: str, name: Any, is_list: bool) -> Label | None:
    if name is None:
        if is_list:
            raise ProgramError(f"{verb}: list_append is given without a name, so there is no list to append to")
        return None
    if not isinstance(name, str) or not name:
        raise ProgramError(f"{verb}: the name is {name!r:.60}, expected text")
    return Label(name, is_list)


def _stop_label(save: bool | str, name: str | None, is_list: bool) -> Label | None:
    if not save:
        return None
    if isinstance(save, str):
        return Label(save, is_list)
    if name is None:
        raise ProgramError("gen: save_stop_text is True without a name, expected a name for the stop")
    return Label(f"{name}_stop_text", is_list)


def _stops(stop: Any, stop_regex: Any) -> Expr | None:
    """The stops as one expression; None where there are none."""
    texts = _listed("stop", stop)
    stops = [_compiled(pattern) for pattern in _listed("stop_regex", stop_regex)]
    if texts:
        stops.append(choice(texts))
    for one in stops:
        if one.matches(""):
            raise ProgramError("gen: a stop matches the empty text, so nothing could be written before it")
    if not stops:
        return None
    found = stops[0]
    for one in stops[1:]:
        found = found | one
    return found


def _listed(option: str, value: Any) -> list[str]:
    if value is None:
        return []
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, (list, tuple)) or not all(isinstance(one, str) for one in listed):
        raise ProgramError(f"gen: {option} is {value!r:.60}, expected text or a list of texts")
    return list(listed)


def _compiled(pattern: str) -> Expr:
    with EXPRESSIONS:
        return _regex_frontend.regex(pattern)
