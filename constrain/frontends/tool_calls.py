"""Tool calls: free text in which a trigger starts calls whose arguments follow each tool's schema.

A format is a record (`ToolFormat`) of the texts around names and arguments; the constraint and the reader of what was written
are made from the same record. What stands in a record is written exactly so, as `json.dumps` writes it; the options of
`json_schema` hold for the arguments. Markers are ordinary text: in Phi-3.5's vocabulary `<|tool_call|>` is no token of its own.
Special tokens are never part of a text here, so a marker that is one in another vocabulary is spelt in pieces all the same.

Sources: "phi" is what Phi-4-mini's chat template and tokenizer name; "functools" what vLLM's template for Phi-4-mini asks for and
its `phi4_mini_json` parser reads; "tags" is that of Hermes 2 and Qwen; "llama" and "llama_json" those that Llama 3.1's
prompts describe; "mistral" that of Mistral's v2 templates; "functions" writes a call as code. Held by tests/test_tool_calls.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from os.path import commonprefix
from typing import Any, NamedTuple

from ..errors import ConstrainError, GrammarError, SchemaError, UnsupportedError
from ..expr import Expr
from .json_schema import open_session, write_schema
from .json_schema.reading import read_schema
from .json_schema.types import read_type
from .structural_tags import named
from .triggers import check_triggers, encode_marker, tagged_text, text_without

__all__ = ["FORMATS", "ToolCall", "ToolFormat", "read_tool_calls", "tool_calls"]


class ToolFormat(NamedTuple):
    """How calls are written: `opening`, then for each call `begin`, its arguments and `end`, `separator` in between, `closing`.

    `begin` holds `{name}`. `trigger` starts `opening` + `begin`: free text that has it goes on as a call; it may hold
    `{initial}`, the first letter of any tool's name. With an opening or a closing all calls stand in one block, which ends the
    text; without, each is a tag of its own and free text may follow.

    >>> import constrain
    >>> shout = constrain.ToolFormat(trigger="CALL ", begin="CALL {name} WITH ", end="!", separator=" ")
    >>> constrain.tool_calls([{"name": "stop"}], format=shout).matches("Yes. CALL stop WITH {}!")
    True
    """

    trigger: str
    begin: str
    end: str
    separator: str
    opening: str = ""
    closing: str = ""

    @property
    def is_block(self) -> bool:
        return bool(self.opening or self.closing)


_OBJECT = '{"name": "{name}", "arguments": '
FORMATS = {
    "phi": ToolFormat("<|tool_call|>", _OBJECT, "}", ", ", "<|tool_call|>[", "]<|/tool_call|>"),
    "functools": ToolFormat("functools[", _OBJECT, "}", ", ", "functools[", "]"),
    "json": ToolFormat('[{"name": "', _OBJECT, "}", ", ", "[", "]"),
    "mistral": ToolFormat("[TOOL_CALLS]", _OBJECT, "}", ", ", "[TOOL_CALLS][", "]"),
    "tags": ToolFormat("<tool_call>", "<tool_call>\n" + _OBJECT, "}\n</tool_call>", "\n"),
    "functions": ToolFormat("functions.{initial}", "functions.{name}(", ")", "\n"),
    "llama": ToolFormat("<function=", "<function={name}>", "</function>", "\n"),
    "llama_json": ToolFormat('{"name": "', '{"name": "{name}", "parameters": ', "}", "; "),
}
_NAME = "[A-Za-z0-9_.-]{1,128}"
_MODES = ("auto", "required", "none")


class ToolCall(NamedTuple):
    """A call that was read: `text[start:end]` is what was written for it, and no free text lies in it."""

    name: str
    arguments: dict[str, Any]
    start: int
    end: int


def tool_calls(
    tools: Iterable[Any],
    mode: str | Mapping[str, Any] = "auto",
    *,
    parallel: bool = True,
    format: str | ToolFormat = "phi",
    **options: Any,
) -> Expr:
    """Free text and calls of the given tools, or calls alone, in the way that a model writes them.

    `tools`: OpenAI's `{"type": "function", "function": {"name", "description", "parameters", "strict"}}`, the inner dict alone, pydantic
    models and other types with a name, or functions with annotations. `mode`: "auto" (free text, in which calls may
    come), "required" (calls and nothing else), "none" (text without calls), a tool's name (that one call and nothing else), or OpenAI's
    `tool_choice`. `parallel=False`: at most one call, which ends the text. `format`: one of `FORMATS` or a `ToolFormat`. Arguments
    always follow the schema, `strict` or not; without `parameters` a tool takes none. Options are those of
    `json_schema`. Raises GrammarError, naming the tool; for a bad schema also its JSON pointer.

    >>> import constrain
    >>> add = {"name": "add", "parameters": {"properties": {"a": {"type": "integer"}}, "required": ["a"]}}
    >>> expr = constrain.tool_calls([add], format="tags")
    >>> expr.matches('Let me see.<tool_call>\\n{"name": "add", "arguments": {"a": 1}}\\n</tool_call>')
    True
    >>> expr.matches('<tool_call>\\n{"name": "add", "arguments": {"a": "1"}}\\n</tool_call>')
    False
    """
    sources = _read_tools(tools)
    style = _read_format(format)
    if not isinstance(parallel, bool):
        raise GrammarError(f"tool calls: parallel is {parallel!r:.60}; True or False is needed")
    kind, names = _read_mode(mode, list(sources))
    remotes = options.pop("remotes", None)
    session = open_session(**options)
    triggers = _triggers(style, names)
    begins = [style.begin.replace("{name}", name).encode() for name in names]
    _check_format(style, triggers, begins)
    if kind == "none":
        return Expr(session.set, text_without(session.set, triggers))
    s = session.set
    opening, end = s.literal(style.opening.encode()), s.literal(style.end.encode())
    rests = []
    for name in names:
        with _about(name):
            rests.append(s.concat([write_schema(session, _read_arguments(sources[name]), remotes), end]))
    one_call = s.union([s.concat([s.literal(begin), rest]) for begin, rest in zip(begins, rests, strict=True)])
    is_one = not parallel or kind == "named"
    others = s.repeat(s.concat([s.literal(style.separator.encode()), one_call]), 0, 0 if is_one else -1)
    closing = s.literal(style.closing.encode())
    if kind != "auto":
        return Expr(s, s.concat([opening, one_call, others, closing]))
    if style.is_block:
        tags = [(style.opening.encode() + begin, s.concat([rest, others, closing])) for begin, rest in zip(begins, rests, strict=True)]
        return Expr(s, tagged_text(s, tags, triggers, stop_after_first=True))
    return Expr(s, tagged_text(s, list(zip(begins, rests, strict=True)), triggers, stop_after_first=is_one))


def _triggers(style: ToolFormat, names: Iterable[str]) -> list[bytes]:
    found = [style.trigger.replace("{initial}", name[0]) for name in names]
    return [encode_marker(trigger, "tool calls: the format's trigger") for trigger in dict.fromkeys(found)]


def _check_format(style: ToolFormat, triggers: list[bytes], begins: list[bytes]) -> None:
    """That a trigger leads to each call, and that none stands before a call behind another."""
    check_triggers(triggers, [style.opening.encode() + begin for begin in begins], (), "tool calls: the format")
    separator = style.separator.encode()
    for begin in begins if not style.is_block else ():
        if any(trigger in (separator + begin)[: len(separator + trigger) - 1] for trigger in triggers):
            raise GrammarError(f"tool calls: in the format a trigger ends in the separator {style.separator!r:.60}, before the call")


@contextmanager
def _about(name: str) -> Iterator[None]:
    """Errors inside say which tool they are about."""
    try:
        yield
    except ConstrainError as error:
        raise named(error, f"tool calls: the tool {name!r}") from None


# -------------------------------------------------------------------------------------------------- what users hand in


def _read_format(form: Any) -> ToolFormat:
    if isinstance(form, str) and form in FORMATS:
        return FORMATS[form]
    if not isinstance(form, ToolFormat):
        raise GrammarError(f"tool calls: format is {form!r:.60}; one of {', '.join(map(repr, FORMATS))}, or a ToolFormat, is needed")
    for field, text in form._asdict().items():
        if not isinstance(text, str):
            raise GrammarError(f"tool calls: the format's {field} is {text!r:.60}; a str is needed")
    if form.begin.count("{name}") != 1:
        raise GrammarError(f"tool calls: the format's begin {form.begin!r:.60} has to hold '{{name}}' once")
    if re.match("[A-Za-z0-9_.-]|$", form.begin.partition("{name}")[2]):
        raise GrammarError(f"tool calls: in the format's begin {form.begin!r:.60} a character that is in no name has to follow '{{name}}'")
    if not form.is_block and not form.end:
        raise GrammarError("tool calls: the format's end is empty, so nothing would part a call from the text behind it")
    return form


def _read_tools(tools: Any) -> dict[str, Any]:
    """What says the arguments of each tool, by name."""
    if isinstance(tools, (str, bytes, Mapping)) or not isinstance(tools, Iterable):
        raise GrammarError(f"tool calls: tools is {tools!r:.60}; a list of tools is needed")
    sources: dict[str, Any] = {}
    for index, tool in enumerate(tools):
        name, source = _read_tool(tool, f"tool {index}")
        if not isinstance(name, str) or not re.fullmatch(_NAME, name):
            raise GrammarError(f"tool calls: the name of tool {index} is {name!r:.60}; 1 to 128 of A-Z a-z 0-9 _ . - are needed")
        if name in sources:
            raise GrammarError(f"tool calls: tool {index} has the name {name!r} of an earlier one; names have to differ")
        sources[name] = source
    if not sources:
        raise GrammarError("tool calls: tools is empty; at least one tool is needed")
    return sources


_NO_ARGUMENTS = {"type": "object", "properties": {}, "additionalProperties": False}


def _read_tool(tool: Any, what: str) -> tuple[Any, Any]:
    """The name of one tool, and what says its arguments."""
    if not isinstance(tool, Mapping):
        if not callable(tool) or not hasattr(tool, "__name__"):
            raise GrammarError(f"tool calls: {what} is {tool!r:.60}; a dict, a type or a function is needed")
        return tool.__name__, tool
    if tool.get("type", "function") != "function":
        raise UnsupportedError(f"tool calls: the type {tool['type']!r:.60}", f"of {what}")
    given = {name: value for name, value in tool.items() if name != "type"}
    if isinstance(given.get("function"), Mapping) and len(given) == 1:
        given = dict(given["function"])
    unknown = [name for name in given if name not in ("name", "description", "parameters", "strict")]
    if unknown:
        raise GrammarError(f"tool calls: {what} has {unknown[0]!r:.60}; name, description, parameters and strict are known")
    parameters = given.get("parameters")
    return given.get("name"), _NO_ARGUMENTS if parameters is None else parameters


def _read_arguments(source: Any) -> Any:
    """The schema of a tool's arguments, which are an object."""
    schema = read_schema(source)
    if not isinstance(schema, dict):
        return {"type": "object"} if schema else schema
    kind = schema.get("type", "object")
    if kind != "object" and not (isinstance(kind, list) and "object" in kind):
        raise SchemaError(f"json schema: 'type' at #/type is {kind!r:.60}; arguments are an object", pointer="#/type")
    return {**schema, "type": "object"}


def _read_mode(mode: Any, names: list[str]) -> tuple[str, list[str]]:
    """One of "auto", "required", "none" and "named", and the names of the tools that can be called."""
    if isinstance(mode, str) and mode in _MODES:
        return mode, names
    chosen = mode
    if isinstance(mode, Mapping):
        if mode.get("type") != "function":
            raise UnsupportedError(f"tool calls: the mode {mode.get('type')!r:.60}", "as tool_choice")
        function = mode.get("function", mode)
        chosen = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(chosen, str) or chosen not in names:
        known = ", ".join(map(repr, names[:20]))
        raise GrammarError(f"tool calls: mode is {mode!r:.80}; {', '.join(map(repr, _MODES))} or the name of a tool is needed: {known}")
    return "named", [chosen]


# ------------------------------------------------------------------------------------------------------------- reading


def read_tool_calls(text: str, tools: Iterable[Any], *, format: str | ToolFormat = "phi", partial: bool = False) -> list[ToolCall]:
    """The calls in a text that was written under `tool_calls(tools, format=format)`, in their order; none: free text alone.

    What lies outside of the calls' spans is free text. Arguments are plain data. Raises GrammarError, with the place, where a
    call is begun and goes on otherwise; `partial=True` gives the calls before that, for a text that was cut.

    >>> calls = read_tool_calls('Right. functools[{"name": "add", "arguments": {"a": 1}}]', [{"name": "add"}], format="functools")
    >>> calls[0].name, calls[0].arguments, calls[0].start
    ('add', {'a': 1}, 7)
    """
    names = list(_read_tools(tools))
    style = _read_format(format)
    if not isinstance(text, str):
        raise GrammarError(f"tool calls: the text is {text!r:.60}; a str is needed")
    reader = _Reader(text, names, style)
    try:
        reader.read()
    except GrammarError:
        if not partial:
            raise
    return reader.calls


_SPACE = (" ", "\t", "\n", "\r")
_SCANNER = json.JSONDecoder(parse_int=str, parse_float=str)  # where a value ends; whether Python can hold it is asked next
_PLAIN = read_type(True)


class _Reader:
    """Reads one text; `calls` holds what has been read so far."""

    def __init__(self, text: str, names: list[str], style: ToolFormat) -> None:
        self.text = text
        self.names = set(names)
        self.style = style
        self.calls: list[ToolCall] = []
        self.triggers = [t.decode() for t in _triggers(style, names)]
        before, _, behind = style.begin.partition("{name}")
        self.begin = re.compile(f"{re.escape(before)}({_NAME}){re.escape(behind)}")

    def read(self) -> None:
        at = 0
        while (start := self.next_trigger(at)) >= 0:
            at = self.read_block(start) if self.style.is_block else self.read_call(start, start)

    def next_trigger(self, at: int) -> int:
        return min((found for t in self.triggers if (found := self.text.find(t, at)) >= 0), default=-1)

    def read_block(self, start: int) -> int:
        """From the opening to behind the closing, which belong to the first and to the last call."""
        style = self.style
        at = self.read_call(start, self.read_exactly(start, style.opening))
        while self.text[at:] != style.closing:
            if not self.text.startswith(style.separator, at):
                raise self.wrong(at, f"{style.separator!r} or {style.closing!r} and the end of the text")
            at = self.read_call(at + len(style.separator), at + len(style.separator))
        self.calls[-1] = self.calls[-1]._replace(end=len(self.text))
        return len(self.text)

    def read_call(self, start: int, at: int) -> int:
        match = self.begin.match(self.text, at)
        if not match or match[1] not in self.names:
            raise self.wrong(at, f"{self.style.begin!r} with the name of a tool")
        at = match.end()
        while self.text[at : at + 1] in _SPACE:
            at += 1
        if not self.text.startswith("{", at):
            raise self.wrong(at, "a JSON object")
        try:
            _, end = _SCANNER.raw_decode(self.text, at)
        except ValueError:
            raise self.wrong(at, "a JSON object") from None
        except RecursionError:
            raise GrammarError(f"tool calls: the arguments at offset {at} nest too deep for a JSON parser") from None
        arguments = _PLAIN.parse(self.text[at:end])
        while self.text[end : end + 1] in _SPACE and not self.text.startswith(self.style.end, end):
            end += 1
        end = self.read_exactly(end, self.style.end)
        self.calls.append(ToolCall(match[1], arguments, start, end))
        return end

    def read_exactly(self, at: int, expected: str) -> int:
        if not self.text.startswith(expected, at):
            same = len(commonprefix([self.text[at : at + len(expected)], expected]))
            raise self.wrong(at + same, repr(expected[same:]))
        return at + len(expected)

    def wrong(self, at: int, expected: str) -> GrammarError:
        found = repr(self.text[at : at + 30]) if at < len(self.text) else "the end of the text"
        return GrammarError(f"tool calls: {found} at offset {at}, where {expected} is needed", self.text, (at, at + 1))
