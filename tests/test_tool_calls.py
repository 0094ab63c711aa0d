"""Tool calls: every text of the constraint is read back, with arguments that jsonschema accepts, and nothing else is let through."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import date

import jsonschema
import pytest

import constrain
from constrain import GrammarError, SchemaError, UnsatisfiableError, UnsupportedError
from constrain.frontends.tool_calls import FORMATS

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["city"],
    "additionalProperties": False,
}
FIND = {"type": "object", "properties": {"q": {"$ref": "#/$defs/q"}}, "required": ["q"], "additionalProperties": False, "$defs": {"q": {"type": ["null", "boolean"]}}}
TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "The weather.", "parameters": WEATHER, "strict": True}},
    {"name": "get", "parameters": FIND},
    {"type": "function", "name": "now"},
]
SCHEMAS = {"get_weather": WEATHER, "get": FIND, "now": {"type": "object", "maxProperties": 0}}

# What stands for two calls, and for one, in each format.
SPELT = {
    "phi": '<|tool_call|>[{"name": "get", "arguments": {"q": null}}, {"name": "now", "arguments": {}}]<|/tool_call|>',
    "functools": 'functools[{"name": "get", "arguments": {"q": null}}, {"name": "now", "arguments": {}}]',
    "json": '[{"name": "get", "arguments": {"q": null}}, {"name": "now", "arguments": {}}]',
    "mistral": '[TOOL_CALLS][{"name": "get", "arguments": {"q": null}}, {"name": "now", "arguments": {}}]',
    "tags": '<tool_call>\n{"name": "get", "arguments": {"q": null}}\n</tool_call>\n<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>',
    "functions": 'functions.get({"q": null})\nfunctions.now({})',
    "llama": '<function=get>{"q": null}</function>\n<function=now>{}</function>',
    "llama_json": '{"name": "get", "parameters": {"q": null}}; {"name": "now", "parameters": {}}',
}


def spelt(style, *calls):
    form = FORMATS[style]
    written = [form.begin.replace("{name}", name) + json.dumps(a, ensure_ascii=False) + form.end for name, a in calls]
    return form.opening + form.separator.join(written) + form.closing


def way_to_end(expr, data):
    """What ends a text that may begin with the space of a turn."""
    state, read = expr.set.advance(expr.root, data)
    if read < len(data):
        state, read = expr.set.advance(expr.root, data[1:])
        assert read == len(data) - 1
    return expr.set.shortest_way(state)


def triggers_of(style, names=tuple(SCHEMAS)):
    return sorted({FORMATS[style].trigger.replace("{initial}", name[0]) for name in names})


@pytest.fixture(params=sorted(FORMATS))
def style(request):
    return request.param


def test_each_format_is_written_as_its_models_write_it(style):
    text = SPELT[style]
    assert spelt(style, ("get", {"q": None}), ("now", {})) == text
    for mode in ("auto", "required"):
        assert constrain.tool_calls(TOOLS, mode, format=style).matches(text)
        assert not constrain.tool_calls(TOOLS, mode, format=style, parallel=False).matches(text)
    calls = constrain.read_tool_calls(text, TOOLS, format=style)
    assert [(c.name, c.arguments) for c in calls] == [("get", {"q": None}), ("now", {})]
    assert calls[0].start == 0 and calls[1].end == len(text)


def test_modes(style):
    two, one, text = SPELT[style], spelt(style, ("now", {})), "I cannot say."
    is_block = FORMATS[style].is_block
    expected = {
        # two calls, one, free text, text and a call, a call and text, nothing
        ("auto", True): [True, True, True, True, not is_block, True],
        ("auto", False): [False, True, True, True, False, True],
        ("required", True): [True, True, False, False, False, False],
        ("required", False): [False, True, False, False, False, False],
        ("none", True): [False, False, True, False, False, True],
        ("now", True): [False, True, False, False, False, False],
        ("get", True): [False, False, False, False, False, False],
    }
    for (mode, parallel), verdicts in expected.items():
        expr = constrain.tool_calls(TOOLS, mode, parallel=parallel, format=style)
        texts = [two, one, text, text + one, one + text, ""]
        assert [expr.matches(t) for t in texts] == verdicts, (mode, parallel)


def test_openais_tool_choice_names_a_tool():
    for choice in ({"type": "function", "function": {"name": "now"}}, {"type": "function", "name": "now"}):
        assert constrain.tool_calls(TOOLS, choice).matches(spelt("phi", ("now", {})))
    tools = [{"name": "auto"}, {"name": "b"}]
    assert constrain.tool_calls(tools, "auto").matches("text")
    assert not constrain.tool_calls(tools, {"type": "function", "name": "auto"}).matches("text")


def test_none_bars_calls_and_nothing_else(style):
    expr = constrain.tool_calls(TOOLS, "none", format=style)
    for trigger in triggers_of(style):
        assert expr.matches("so " + trigger[:-1] + " é 日本") and not expr.matches("so " + trigger)


# ------------------------------------------------------------------------------------------------------------ read back


def judged(text: str, style: str) -> bool:
    """Is this text allowed in "auto", by string search and jsonschema? Arguments as `json.dumps` writes them."""
    form, at = FORMATS[style], 0
    while True:
        found = [i for t in triggers_of(style) if (i := text.find(t, at)) >= 0]
        if not found:
            return True
        at = min(found)
        if not text.startswith(form.opening, at):
            return False
        at = one_call(text, at + len(form.opening), form)
        while form.is_block and at is not None and text.startswith(form.separator, at):
            at = one_call(text, at + len(form.separator), form)
        if at is None or form.is_block:
            return at is not None and text[at:] == form.closing


def one_call(text, at, form):
    """Where the call that begins here ends, or None."""
    for name, schema in SCHEMAS.items():
        begin = form.begin.replace("{name}", name)
        if text.startswith(begin, at):
            try:
                arguments, end = json.JSONDecoder().raw_decode(text, at + len(begin))
            except ValueError:
                return None
            written = text[at + len(begin) : end]
            order = list(schema.get("properties", {}))
            is_right = jsonschema.Draft202012Validator(schema).is_valid(arguments) and sorted(arguments, key=order.index) == list(arguments)
            if is_right and written == json.dumps(arguments, ensure_ascii=False) and text.startswith(form.end, end):
                return end + len(form.end)
    return None


def drawn_texts(expr, style, chooser, count):
    """Texts of the constraint: free text, a trigger now and then, and whatever may follow."""
    for _ in range(count):
        state, text = expr.root, ""
        for _ in range(chooser.randrange(4)):
            piece = chooser.choice(["", "a", "<", "é日", "\n", "[", "f", "functions", "{"]) + chooser.choice([*triggers_of(style), "", "b"])
            after, length = expr.set.advance(state, piece.encode())
            if length < len(piece.encode()):
                continue
            piece += constrain.Expr(expr.set, after).sample(chooser.randrange(10**6), max_random_bytes=chooser.choice([0, 30, 90]))
            state, length = expr.set.advance(state, piece.encode())
            assert length == len(piece.encode())
            text += piece
        if expr.set.nullable(state):
            yield text


def test_every_text_of_the_constraint_is_read_back_with_valid_arguments(style):
    chooser = random.Random(3)
    for options in ({}, {"whitespace": "compact", "property_order": "any"}, {"escapes": "any"}):
        expr = constrain.tool_calls(TOOLS, format=style, **options)
        num_calls = num_texts = 0
        for text in drawn_texts(expr, style, chooser, 60):
            calls = constrain.read_tool_calls(text, TOOLS, format=style)
            for call in calls:
                jsonschema.validate(call.arguments, SCHEMAS[call.name])
            borders = [0, *(place for call in calls for place in (call.start, call.end)), len(text)]
            for start, end in zip(borders[::2], borders[1::2]):  # what lies between the calls is free
                assert start <= end and not any(t in text[start:end] for t in triggers_of(style))
            num_texts += 1
            num_calls += len(calls)
        assert num_texts > 30 and num_calls > 20


def test_changed_texts_are_let_through_exactly_where_string_search_and_jsonschema_say_so(style):
    chooser = random.Random(9)
    expr = constrain.tool_calls(TOOLS, format=style, whitespace="spaced", integers="plain")
    pool = [SPELT[style], spelt(style, ("get_weather", {"city": "Zoë \"x\"", "unit": "C", "days": 3})), "free ", spelt(style, ("now", {}))]
    pieces = [*triggers_of(style), "}", "{", '"', "]", ", ", " ", "\n", "get", "now", "null", "true", "1", "_weather", FORMATS[style].end]
    verdicts = []
    for _ in range(1500):
        text = "".join(chooser.choice(pool) for _ in range(chooser.randrange(1, 4)))
        for _ in range(chooser.choice([0, 1, 1, 2])):
            a, b = sorted(chooser.randrange(len(text) + 1) for _ in range(2))
            b = min(b, a + chooser.randrange(12))
            text = text[:a] + chooser.choice(["", "", chooser.choice(pieces), text[a:b] * 2]) + text[b:]
        verdicts.append(expr.matches(text))
        assert verdicts[-1] == judged(text, style), text
    assert 100 < sum(verdicts) < 1400


def test_random_token_walks_end_in_texts_that_read_back(style, phi_vocabulary):
    expr = constrain.tool_calls(TOOLS, format=style)
    constraint = constrain.compile(expr, phi_vocabulary)
    chooser = random.Random(6)
    num_calls = 0
    for start in ["continue", "turn"] * 8:
        matcher, out = constraint.matcher(start=start), bytearray()
        if chooser.random() < 0.8:
            begun = ("Now: " if chooser.random() < 0.5 else "") + chooser.choice(triggers_of(style))
            assert matcher.accept_bytes(b" " + begun.encode() if start == "turn" else begun.encode())
            out += begun.encode()
        for _ in range(25):
            allowed = [t for t in matcher.allowed_tokens() if phi_vocabulary.tokens[t]]
            if not allowed:
                break
            token = chooser.choice(allowed)
            assert matcher.accept_token(token)
            out += phi_vocabulary.tokens[token]
        out += way_to_end(constraint.expr, bytes(out))
        text = out.decode()
        for call in constrain.read_tool_calls(text, TOOLS, format=style):
            jsonschema.validate(call.arguments, SCHEMAS[call.name])
            num_calls += 1
    assert num_calls >= 8


def test_the_embedded_model_calls_a_tool():
    pytest.importorskip("torch")
    lm = constrain.Phi.load()
    for style in ("phi", "tags", "functions"):
        expr = constrain.tool_calls(TOOLS, "get_weather", format=style)
        text = lm.generate("What is the weather in Lisbon?", expr, max_tokens=80).text
        (call,) = constrain.read_tool_calls(text, TOOLS, format=style)
        jsonschema.validate(call.arguments, WEATHER)


@pytest.mark.parametrize(
    ("text", "place"),
    [('<|tool_call|>[{"name": "now", "arguments": {}}', 46), ('x<|tool_call|>[{"name": "nope", "arguments": {}}]<|/tool_call|>', 15),
     ('<|tool_call|>{"name": "now", "arguments": {}}', 13), ('<|tool_call|>[{"name": "now", "arguments": 5}]<|/tool_call|>', 43),
     ('<|tool_call|>[{"name": "now", "arguments": {"a": }}]<|/tool_call|>', 43), ("<|tool_call|>", 13),
     ('<|tool_call|>[{"name": "now", "arguments": {}}]<|/tool_call|> bye', 46)],
)  # fmt: skip
def test_a_call_that_breaks_off_is_an_error_with_its_place(text, place):
    with pytest.raises(GrammarError, match=f"at offset {place}, where") as caught:
        constrain.read_tool_calls(text, TOOLS)
    assert caught.value.span == (place, place + 1)
    assert all(call.name == "now" for call in constrain.read_tool_calls(text, TOOLS, partial=True))


def test_only_text_is_read():
    with pytest.raises(GrammarError, match="the text is b'x'; a str is needed"):
        constrain.read_tool_calls(b"x", TOOLS)


def test_partial_reading_gives_the_calls_before_the_cut():
    text = SPELT["tags"]
    for cut in range(len(text)):
        calls = constrain.read_tool_calls(text[:cut], TOOLS, format="tags", partial=True)
        assert len(calls) == text[:cut].count("</tool_call>")


def test_arguments_are_plain_data_and_whole_numbers_are_integers():
    text = 'functools[{"name": "f", "arguments":  {"a": 7.0, "b": 1e2, "c": 0.5, "é": "\\u00e9"} }]'
    (call,) = constrain.read_tool_calls(text, [{"name": "f"}], format="functools")
    assert call.arguments == {"a": 7, "b": 100, "c": 0.5, "é": "é"} and type(call.arguments["a"]) is int
    deep = 'functools[{"name": "f", "arguments": ' + '{"a":' * 10**5
    with pytest.raises(GrammarError):
        constrain.read_tool_calls(deep, [{"name": "f"}], format="functools")
    for number in ("9" * 5000, "1e999", "NaN"):
        with pytest.raises(constrain.ConstrainError):
            constrain.read_tool_calls(text.replace("0.5", number), [{"name": "f"}], format="functools")


# ---------------------------------------------------------------------------------------------------------------- tools


def test_functions_and_types_are_tools():
    def book(when: date, seats: int = 1, *, note: str | None = None) -> bool:
        """Books seats."""
        raise AssertionError("is never called")

    class Desk:
        def ask(self, what: list[int]) -> None:
            raise AssertionError("is never called")

    method = constrain.tool_calls([Desk().ask], "ask", format="functions")
    assert method.matches('functions.ask({"what": [1, 2]})') and not method.matches("functions.ask({})")

    @dataclass
    class Point:
        x: int
        y: int

    expr = constrain.tool_calls([book, Point], "required", format="functions", whitespace="spaced")
    assert expr.matches('functions.book({"when": "2026-11-28", "seats": 3})') and expr.matches('functions.Point({"x": 1, "y": 2})')
    assert not expr.matches('functions.book({"when": "2026-11-31"})') and not expr.matches('functions.Point({"x": 1})')
    assert not expr.matches('functions.book({"when": "2026-11-28", "who": 3})')


def test_pydantic_models_are_tools_and_parameters():
    pydantic = pytest.importorskip("pydantic")

    class Order(pydantic.BaseModel):
        item: str
        count: int = pydantic.Field(1, ge=1, le=3)

    for tool in (Order, {"name": "Order", "parameters": Order}, {"name": "Order", "parameters": json.dumps(Order.model_json_schema())}):
        expr = constrain.tool_calls([tool], "Order", format="llama")
        assert expr.matches('<function=Order>{"item": "x", "count": 3}</function>')
        assert not expr.matches('<function=Order>{"item": "x", "count": 4}</function>')


def test_arguments_are_an_object_whatever_the_schema_forgets():
    for parameters in ({}, True, {"properties": {"a": {"type": "integer"}}}, {"type": ["object", "null"]}):
        expr = constrain.tool_calls([{"name": "f", "parameters": parameters}], "f", format="llama")
        assert expr.matches('<function=f>{"a": 1}</function>') and not expr.matches("<function=f>null</function>")
    nothing = constrain.tool_calls([{"name": "f", "parameters": None}], "f", format="llama")
    assert nothing.matches("<function=f>{}</function>") and not nothing.matches('<function=f>{"a": 1}</function>')


def test_prose_that_only_looks_like_a_function_stays_prose():
    expr = constrain.tool_calls(TOOLS, format="functions")
    assert expr.matches("That is how the heart functions. The lung has other functions.\nfunctions.x is a name.")
    assert not expr.matches("functions.nothing") and not expr.matches("functions.get")


def test_json_options_hold_for_the_arguments():
    order = constrain.tool_calls(TOOLS, "get_weather", format="llama", property_order="any", whitespace="compact")
    assert order.matches('<function=get_weather>{"unit":"C","city":"x"}</function>')
    remotes = {"http://x.test/s": {"type": "integer"}}
    remote = constrain.tool_calls([{"name": "f", "parameters": {"properties": {"a": {"$ref": "http://x.test/s"}}}}], "f", format="llama", remotes=remotes)
    assert remote.matches('<function=f>{"a": 1}</function>') and not remote.matches('<function=f>{"a": "1"}</function>')


def test_a_format_of_ones_own():
    form = constrain.ToolFormat(trigger="@", begin="@{name} ", end=";", separator=" ")
    expr = constrain.tool_calls(TOOLS, format=form)
    assert expr.matches('Hm, @get {"q": true}; and @now {};.') and not expr.matches("me@home")
    calls = constrain.read_tool_calls('Hm, @get {"q": true}; and @now {};.', TOOLS, format=form)
    assert [(c.name, c.start) for c in calls] == [("get", 4), ("now", 26)]


@pytest.mark.parametrize(
    ("tools", "mode", "options", "says"),
    [([], "auto", {}, "tools is empty"), ("x", "auto", {}, "tools is 'x'; a list"), ([5], "auto", {}, "tool 0 is 5; a dict, a type or a function"),
     ([{"name": "a"}, {"name": "a"}], "auto", {}, "tool 1 has the name 'a' of an earlier"), ([{"name": "a b"}], "auto", {}, "name of tool 0 is 'a b'"),
     ([{"name": ""}], "auto", {}, "name of tool 0 is ''"), ([{}], "auto", {}, "name of tool 0 is None"), ([lambda: 0], "auto", {}, "'<lambda>'"),
     ([{"name": "a", "input_schema": {}}], "auto", {}, "tool 0 has 'input_schema'"), (TOOLS, "sometimes", {}, "mode is 'sometimes'; 'auto'"),
     (TOOLS, None, {}, "mode is None"), (TOOLS, {"type": "function", "function": 5}, {}, "mode is"), (TOOLS, "auto", {"format": "nope"}, "format is 'nope'; one of 'phi'"),
     (TOOLS, "auto", {"parallel": 1}, "parallel is 1"), ([{"type": "function", "function": {"name": "a"}, "name": "b"}], "auto", {}, "tool 0 has 'function'"),
     (TOOLS, "auto", {"format": constrain.ToolFormat("x", "y{name} ", ";", " ")}, "trigger 'x' begins no tag"),
     (TOOLS, "auto", {"format": constrain.ToolFormat("", "y{name} ", ";", " ")}, "trigger is empty"),
     (TOOLS, "auto", {"format": constrain.ToolFormat("y", "y", ";", " ")}, "begin 'y' has to hold"),
     (TOOLS, "auto", {"format": constrain.ToolFormat("y", "y{name}", ";", " ")}, "a character that is in no name"),
     (TOOLS, "auto", {"format": constrain.ToolFormat("y", "y{name} ", "", " ")}, "end is empty"),
     (TOOLS, "auto", {"format": constrain.ToolFormat("y", "y{name} ", ";", "y")}, "a trigger ends in the separator 'y'"),
     (TOOLS, "auto", {"format": constrain.ToolFormat("y", "y{name} ", 5, "y")}, "end is 5"), (TOOLS, "auto", {"spaces": 2}, "'spaces' is no option")],
)  # fmt: skip
def test_what_is_no_tool_mode_or_format_is_refused(tools, mode, options, says):
    with pytest.raises(constrain.ConstrainError) as caught:
        constrain.tool_calls(tools, mode, **options)
    assert says in str(caught.value)


def test_errors_of_schemas_name_the_tool_and_the_place():
    def tools(parameters):
        return [{"name": "a"}, {"name": "bad", "parameters": parameters}]

    with pytest.raises(SchemaError, match="the tool 'bad': json schema: 'minimum' at #/properties/x is 'a'") as caught:
        constrain.tool_calls(tools({"properties": {"x": {"type": "integer", "minimum": "a"}}}))
    assert caught.value.pointer == "#/properties/x"
    with pytest.raises(SchemaError, match="the tool 'bad': json schema: 'type' at #/type is 'array'; arguments are an object"):
        constrain.tool_calls(tools({"type": "array"}))
    with pytest.raises(UnsupportedError, match="the tool 'bad'.*uniqueItems") as refused:
        constrain.tool_calls(tools({"properties": {"x": {"uniqueItems": True, "items": {"type": "object"}}}}))
    assert refused.value.where == "at #/properties/x"
    with pytest.raises(UnsatisfiableError, match="the tool 'bad'"):
        constrain.tool_calls(tools(False))
    with pytest.raises(UnsupportedError, match="the type 'web_search' is not supported of tool 0"):
        constrain.tool_calls([{"type": "web_search"}])
    with pytest.raises(UnsupportedError, match="'allowed_tools'"):
        constrain.tool_calls(TOOLS, {"type": "allowed_tools"})
