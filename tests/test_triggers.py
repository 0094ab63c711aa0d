"""Free text up to a trigger, structural tags and `after`, against a reader that searches the text itself.

The oracle (`places`) reads a text from left to right by string search alone: it knows the documented meaning of formats, tags
and triggers, and nothing of automata, bytes or expressions. The two are compared on all short texts over small alphabets
with triggers that overlap, contain each other and end in what begins another.
"""

from __future__ import annotations

import itertools
import json
import random

import pytest

import constrain
from constrain import GrammarError, LimitExceeded, SchemaError, UnsupportedError
from constrain._native import ExprSet
from constrain.frontends.triggers import MAX_STATES, text_until, text_without
from tests.test_masks import walk_and_compare

# ------------------------------------------------------------------------------------------------------------ oracle


def first(text: str, at: int, strings: list[str]) -> tuple[int, str] | None:
    """Where in text[at:] the first of the strings ends, and which: the longest of those that end there."""
    for end in range(at + 1, len(text) + 1):
        found = [s for s in strings if text[at:end].endswith(s)]
        if found:
            return end, max(found, key=len)
    return None


def places(form, text: str, start: int, ends=(), barred=()) -> set[int]:
    """Where what a format says can end, when it begins at `start`. `ends`: one of them follows, and is part of it."""
    kind = form["type"]
    if kind in ("any_text", "triggered_tags"):
        return places_of_free_text(form, text, start, list(ends), [*form.get("excludes", []), *barred])
    if kind == "or":
        return {p for part in form["elements"] for p in places(part, text, start, ends, barred)}
    if kind == "optional":
        return followed(text, {start}, ends) | places(form["content"], text, start, ends, barred)
    if kind == "sequence":
        at = {start}
        for part in form["elements"][:-1]:
            at = {q for p in at for q in places(part, text, p, (), [*barred, *ends])}
        return {q for p in at for q in places(form["elements"][-1], text, p, ends, barred)}
    if kind == "star":
        at, todo = set(), {start}
        while todo:
            at |= todo
            todo = {q for p in todo for q in places(form["content"], text, p, (), [*barred, *ends])} - at
        return followed(text, at, ends)
    if kind == "tag":
        inner = [form["end"]] if isinstance(form["end"], str) else form["end"]
        return followed(text, {q for p in followed(text, {start}, [form["begin"]]) for q in places(form["content"], text, p, inner)}, ends)
    assert kind == "const_string"
    return followed(text, followed(text, {start}, [form["value"]]), ends)


def followed(text: str, at: set[int], strings) -> set[int]:
    return {p + len(s) for p in at for s in strings if text.startswith(s, p)} if strings else at


def places_of_free_text(form, text: str, start: int, ends: list[str], barred: list[str]) -> set[int]:
    triggers, tags = form.get("triggers", []), form.get("tags", [])
    is_once = form.get("stop_after_first", False)
    result: set[int] = set()

    def tags_from(at: int, begins_with: str) -> set[int]:
        return {p for t in tags if t["begin"].startswith(begins_with) for p in places(t, text, at)}

    todo, seen = {start}, set()
    if form.get("at_least_one"):
        todo = tags_from(start, "")
        if is_once:
            return followed(text, todo, ends)
    while todo:
        at = todo.pop()
        seen.add(at)
        found = first(text, at, [*triggers, *ends, *barred])
        if not ends:
            result |= set(range(at, found[0] if found else len(text) + 1))
        if found and found[1] in ends:
            result.add(found[0])
        if found and found[1] in triggers:
            behind = tags_from(found[0] - len(found[1]), found[1])
            if is_once:
                result |= followed(text, behind, ends)
            else:
                todo |= behind - seen
    return result


def readings(text, tags, triggers, **flags) -> bool:
    """Is the text free text with tags? `tags`: (begin, contents, end), where contents is a list of strings."""
    forms = [tag(b, {"type": "or", "elements": list(map(const, c))}, e) for b, c, e in tags]
    return len(text) in places({"type": "triggered_tags", "tags": forms, "triggers": triggers, **flags}, text, 0)


def const(value):
    return {"type": "const_string", "value": value}


def tag(begin, content, end):
    return {"type": "tag", "begin": begin, "content": content, "end": end}


def all_texts(alphabet: str, length: int):
    for n in range(length + 1):
        yield from map("".join, itertools.product(alphabet, repeat=n))


# ------------------------------------------------------------------------------------------------- the automaton alone


@pytest.mark.parametrize(
    "strings",
    [["a"], ["ab"], ["aa"], ["aab", "ba"], ["ab", "b"], ["aba", "bab"], ["a", "ab"], ["é"], ["éa", "aé"], ["日a", "a日", "日日"],
     ["\u0800", "\u0801"], ["bbb", "abb", "b\u00e9"]],
)  # fmt: skip
def test_text_up_to_the_first_of_several_strings(strings):
    alphabet = "ab" + "".join(sorted({c for s in strings for c in s} - {"a", "b"}))[:2]
    for stop in strings:
        others = [s for s in strings if s != stop]
        expr_set = ExprSet()
        until = constrain.Expr(expr_set, text_until(expr_set, [stop.encode()], [s.encode() for s in others]))
        for text in all_texts(alphabet, 7 if len(alphabet) < 3 else 5):
            assert until.matches(text) == (first(text, 0, strings) == (len(text), stop)), (text, stop)


@pytest.mark.parametrize(("barred", "suffix"), [(["ab"], "a"), (["aa", "bé"], "b"), (["aa"], "aa"), ([], "ab"), (["éé"], "é"), (["aab"], "aa")])
def test_text_without_some_strings_that_ends_in_another(barred, suffix):
    expr_set = ExprSet()
    expr = constrain.Expr(expr_set, text_without(expr_set, [s.encode() for s in barred], suffix.encode()))
    for text in all_texts("abé", 6):
        assert expr.matches(text) == (text.endswith(suffix) and not any(s in text for s in barred)), text


def test_free_text_is_valid_utf8_and_nothing_else():
    expr_set = ExprSet()
    free = text_without(expr_set, ["é".encode()])
    chooser = random.Random(5)
    heads = [0x00, 0x41, 0x7F, 0x80, 0xA9, 0xBF, 0xC1, 0xC2, 0xC3, 0xDF, 0xE0, 0xED, 0xEF, 0xF0, 0xF4, 0xF5, 0xFF]
    for _ in range(20_000):
        data = bytes(chooser.choice(heads) if chooser.random() < 0.8 else chooser.randrange(256) for _ in range(chooser.randrange(1, 6)))
        try:
            is_free = "é" not in data.decode()
        except UnicodeDecodeError:
            is_free = False
        assert expr_set.matches(free, data) == is_free, data


def test_every_state_of_free_text_can_end_and_needs_no_search():
    expr = constrain.structural_tags([{"begin": "<é>", "content": constrain.regex("[0-9]+"), "end": "</é>"}], ["<é"])
    chooser = random.Random(2)
    for _ in range(200):
        state = expr.root
        for _ in range(chooser.randrange(30)):
            state = expr.set.step(state, chooser.choice(expr.set.live_bytes(state) or b"\0")) or state
        assert expr.set.min_length(state) >= 0
    assert expr.set.num_unproven() == 0


def test_triggers_too_long_for_an_automaton_are_refused():
    assert constrain.after("x" * (MAX_STATES - 1), "y").matches("x" * MAX_STATES + "y") is False
    with pytest.raises(LimitExceeded) as caught:
        constrain.after("x" * MAX_STATES, "y")
    assert caught.value.limit == "max_trigger_states"


# --------------------------------------------------------------------------------------------------------------- after


def test_after_constrains_nothing_before_the_first_marker():
    expr = constrain.after("aba", constrain.choice(["b", "ab", "aba"]))
    loose = constrain.after("aba", constrain.choice(["b", "ab", "aba"]), required=False)
    for text in all_texts("ab", 9):
        before, marker, behind = text.partition("aba")
        assert expr.matches(text) == bool(marker and behind in ("b", "ab", "aba")), text
        assert loose.matches(text) == (not marker or behind in ("b", "ab", "aba")), text


def test_after_after_after():
    expr = constrain.after("1", constrain.after("2", constrain.after("3", "!")))
    assert expr.matches("x1x2x3!") and expr.matches("3211 2 3!") and not expr.matches("3213!")


@pytest.mark.parametrize(
    ("marker", "constraint", "says"),
    [("", "x", "after: the marker is empty; at least one"), (5, "x", "after: the marker is 5; a str"), ("x", 5, "after: the constraint is a int")],
)
def test_after_wants_a_marker_and_a_constraint(marker, constraint, says):
    with pytest.raises(GrammarError, match=says):
        constrain.after(marker, constraint)


# ------------------------------------------------------------------------------------------------------ structural tags

HARD = [
    # tags (begin, contents, end), triggers, excludes
    ([("ab", ["", "a"], "b")], ["ab"], []),
    ([("ab", ["a"], "b"), ("aab", ["b"], "a")], ["ab", "aa"], []),
    ([("aa", ["b"], ""), ("ab", ["b", "ba"], "a")], ["a"], []),
    ([("ab", ["b"], "a"), ("b", ["ab"], "a")], ["ab", "b"], []),
    ([("b", ["a"], "b"), ("ba", ["b"], "a")], ["b", "ba"], []),
    ([("aba", ["a", "b"], "ab")], ["aba"], ["bb"]),
    ([("bab", ["a"], "a"), ("bba", ["b"], "")], ["ba", "bb"], ["aaa"]),
    ([("éa", ["é", "a"], "é")], ["é"], []),
    ([("aé", ["b"], "é"), ("éa", [""], "a")], ["aé", "éa"], []),
    ([("aaa", ["b"], "a"), ("aab", ["a"], "b")], ["aaa", "aab"], ["ba"]),
    ([("ba", ["b"], "b"), ("bbb", ["a"], "")], ["ba", "bbb"], []),
    ([("xab", ["b"], "a"), ("xba", [""], "b")], ["xab", "xba"], ["aab"]),
    ([("xab", ["b"], "a"), ("xba", ["xa"], "b"), ("xaa", ["a"], "")], ["xab", "xba", "xa"], ["bxa"]),
    ([("xab", ["b"], "a"), ("xba", ["xa"], "b")], ["xab", "xba"], ["axb"]),
    ([("éab", ["b"], "é"), ("ébé", ["a"], "b")], ["éab", "ébé"], ["bb"]),
    ([("xa", ["b"], ""), ("xb", ["a"], "x"), ("xxa", ["a"], "")], ["xa", "xb", "xxa"], []),
]


@pytest.mark.parametrize("case", HARD, ids=lambda case: " ".join(case[1]))
@pytest.mark.parametrize("at_least_one", [False, True])
@pytest.mark.parametrize("stop_after_first", [False, True])
def test_tags_against_string_search_on_all_short_texts(case, at_least_one, stop_after_first):
    tags, triggers, excludes = case
    flags = {"at_least_one": at_least_one, "stop_after_first": stop_after_first, "excludes": excludes}
    expr = constrain.structural_tags(dicts(tags), triggers, **flags)
    alphabet = "".join(sorted({c for tag in tags for c in tag[0]} | {"a", "b"}))
    for text in all_texts(alphabet, 9 if len(alphabet) == 2 else 6):
        assert expr.matches(text) == readings(text, tags, triggers, **flags), text


def dicts(tags):
    return [{"begin": b, "content": constrain.choice(c), "end": e} for b, c, e in tags]


def test_random_tags_against_string_search():
    chooser = random.Random(11)

    def word(low, high):
        return "".join(chooser.choice("aab<é") for _ in range(chooser.randint(low, high)))

    compared = accepted = refused = 0
    for _ in range(600):
        triggers = list({word(1, 3) for _ in range(chooser.randint(1, 3))})
        tags = [(chooser.choice(triggers) + word(0, 2), [word(0, 2) for _ in range(2)], word(0, 2)) for _ in range(chooser.randint(1, 3))]
        flags = {"excludes": [word(1, 3)] if chooser.random() < 0.3 else []}
        flags |= {name: chooser.random() < 0.3 for name in ("at_least_one", "stop_after_first")}
        try:
            expr = constrain.structural_tags(dicts(tags), triggers, **flags)
        except GrammarError:
            refused += 1
            continue
        texts = [word(0, 9) for _ in range(40)] + [expr.sample(seed) for seed in range(5)]
        for _ in range(40):
            begin, contents, end = chooser.choice(tags)
            texts.append(word(0, 3) + begin + chooser.choice(contents) + end + word(0, 3))
        for text in texts:
            compared += 1
            accepted += expr.matches(text)
            assert expr.matches(text) == readings(text, tags, triggers, **flags), (text, tags, triggers, flags)
    assert compared > 20_000 and accepted > 5_000 and refused < 400


def test_contents_may_hold_triggers_and_free_text_starts_anew_behind_a_tag():
    expr = constrain.structural_tags([{"begin": "<t>", "content": constrain.regex("[^!]*"), "end": "!"}], ["<t"])
    assert expr.matches("<t><t><t!") and expr.matches("<t>!><t>!") and not expr.matches("<<t")
    assert expr.matches("<t>!<") and expr.matches("<t>a!t>")


def test_schemas_and_types_as_contents():
    tags = [
        {"begin": "<a>", "schema": {"type": "integer"}, "end": "</a>"},
        {"begin": "<b>", "schema": list[bool], "end": ["</b>", "<end>"]},
    ]
    expr = constrain.structural_tags(tags, ["<a", "<b"], whitespace="compact")
    assert expr.matches("x <a>12</a> <b>[true,false]<end>.") and not expr.matches("<b>[true, false]</b>")
    assert not expr.matches("<a>1.5</a>") and not expr.matches("<ab>") and expr.matches("a <c>")


# ------------------------------------------------------------------------------------------------- requests and formats

ANY = {"type": "any_text"}
F = {"type": "tag", "begin": "<f>", "content": {"type": "json_schema", "json_schema": {"type": "integer"}}, "end": "</f>"}


FORMATS = [
    (const("a"), ["a"], ["", "aa"]),
    (const(""), [""], ["a"]),
    ({"type": "regex", "pattern": "a|b+"}, ["a", "bb"], ["ab", ""]),
    (ANY, ["", "a\n日"], []),
    ({**ANY, "excludes": ["ab", "é"]}, ["", "a", "ba"], ["ab", "xéx"]),
    ({"type": "json_schema", "json_schema": {"required": ["b", "a"], "properties": {"a": True, "b": True}, "type": "object"}, "any_order": True},
     ['{"a": 1, "b": 2}', '{"b": 1, "a": 2}'], ['{"a": 1, "a": 2}', '{"a": 1}']),
    ({"type": "sequence", "elements": [const("a"), {"type": "optional", "content": const("b")}, ANY]}, ["a", "ab", "acb"], ["", "b"]),
    ({"type": "sequence", "elements": []}, [""], ["a"]),
    ({"type": "or", "elements": [const("a"), const("b")]}, ["a", "b"], ["", "ab"]),
    ({"type": "plus", "content": const("ab")}, ["ab", "abab"], ["", "aba"]),
    ({"type": "star", "content": const("ab")}, ["", "ab", "abab"], ["aba"]),
    ({"type": "repeat", "min": 1, "max": 2, "content": const("a")}, ["a", "aa"], ["", "aaa"]),
    ({"type": "repeat", "min": 1, "max": -1, "content": const("a")}, ["a", "aaaa"], [""]),
    (tag("<t>", ANY, "</t>"), ["<t></t>", "<t><t></t>", "<t><</t></t>"[:8]], ["<t>", "<t></t></t>", "<t>x</t>y"]),
    (tag("<t>", ANY, ["</t>", "</u>"]), ["<t>x</u>", "<t>x</t>"], ["<t>x</u></t>", "<t></t>x</u>"]),
    (tag("<t>", {"type": "or", "elements": [ANY, const("</t>!")]}, "</t>"), ["<t>x</t>", "<t></t>!</t>"], ["<t></t>?</t>"]),
    (tag("<t>", {"type": "optional", "content": ANY}, "</t>"), ["<t>x</t>", "<t></t>"], ["<t></t>x</t>"]),
    (tag("<t>", {"type": "sequence", "elements": [ANY, const("x")]}, "</t>"), ["<t>x</t>", "<t>axx</t>"], ["<t></t>x</t>", "<t></t>"]),
    (tag("", tag("(", ANY, ")"), "</t>"), ["(a)</t>", "(</t>)</t>"], ["())</t>"]),
    ({"type": "triggered_tags", "triggers": ["<f"], "tags": [F]}, ["", "a<f>1</f>b<f>2</f>", "f>"], ["<f", "<f>x</f>"]),
    ({"type": "triggered_tags", "triggers": ["<f"], "tags": [F], "at_least_one": True}, ["<f>1</f>", "<f>1</f>a"], ["", "a<f>1</f>"]),
    ({"type": "triggered_tags", "triggers": ["<f"], "tags": [F], "stop_after_first": True}, ["", "a", "a<f>1</f>"], ["<f>1</f>a"]),
    ({"type": "triggered_tags", "triggers": ["<f"], "tags": [F], "excludes": ["a"]}, ["b<f>1</f>b"], ["a", "<f>1</f>a"]),
    (tag("<t>", {"type": "triggered_tags", "triggers": ["<f"], "tags": [F]}, "</t>"),
     ["<t></t>", "<t>a<f>1</f>a</t>"], ["<t></t></t>", "<t><f></t>", "<t></t><f>1</f></t>"]),
    (tag("<t>", {"type": "triggered_tags", "triggers": ["<f"], "tags": [F], "stop_after_first": True}, "</t>"),
     ["<t>a</t>", "<t>a<f>1</f></t>"], ["<t>a<f>1</f>a</t>"]),
    (tag("<t>", {"type": "triggered_tags", "triggers": ["<f"], "tags": [F], "stop_after_first": True, "at_least_one": True}, "</t>"),
     ["<t><f>1</f></t>"], ["<t></t>", "<t>a<f>1</f></t>"]),
    ({"type": "tags_with_separator", "separator": ",", "tags": [F]}, ["", "<f>1</f>", "<f>1</f>,<f>2</f>"], ["<f>1</f>,", "<f>1</f><f>1</f>"]),
    ({"type": "tags_with_separator", "separator": ",", "tags": [F], "at_least_one": True}, ["<f>1</f>"], [""]),
    ({"type": "tags_with_separator", "separator": "", "tags": [F], "stop_after_first": True}, ["", "<f>1</f>"], ["<f>1</f><f>1</f>"]),
    ({"type": "dispatch", "rules": [["ab", const("1")], ["ac", const("2")]]}, ["", "aab1ac2ab1", "a"], ["ab", "ab2", "ac1"]),
    ({"type": "dispatch", "rules": [["ab", const("1")]], "loop": False}, ["", "x", "xab1"], ["ab1x"]),
    ({"type": "dispatch", "rules": [["ab", const("1")]], "excludes": ["z"]}, ["xab1x"], ["z", "ab1z"]),
]  # fmt: skip


@pytest.mark.parametrize(("form", "yes", "no"), FORMATS, ids=lambda x: x.get("type") if isinstance(x, dict) else "")
def test_formats_mean_what_their_documentation_says(form, yes, no):
    for request in (form, {"type": "structural_tag", "format": form}, json.dumps({"type": "structural_tag", "format": form})):
        expr = constrain.structural_tags(request)
        assert [t for t in yes if not expr.matches(t)] == [] and [t for t in no if expr.matches(t)] == []


@pytest.mark.parametrize(("form", "yes", "no"), FORMATS, ids=lambda x: x.get("type") if isinstance(x, dict) else "")
def test_formats_mean_what_xgrammar_makes_of_them(form, yes, no):
    xgrammar = pytest.importorskip("xgrammar")
    testing = pytest.importorskip("xgrammar.testing")
    if form.get("any_order"):
        pytest.skip("xgrammar's any_order lets keys come twice")
    if form.get("elements") == []:
        pytest.skip("xgrammar wants an element")
    grammar = xgrammar.Grammar.from_structural_tag(json.dumps({"type": "structural_tag", "format": form}))
    assert [t for t in yes if not testing._is_grammar_accept_string(grammar, t)] == []
    assert [t for t in no if testing._is_grammar_accept_string(grammar, t)] == []


def drawn_format(chooser, word, depth):
    """A random tree of formats."""
    kinds = ["const_string", "any_text", "any_text"]
    kinds += ["sequence", "or", "optional", "star", "tag", "tag", "triggered_tags", "triggered_tags"] if depth else []
    kind = chooser.choice(kinds)

    def inner():
        return drawn_format(chooser, word, depth - 1)

    def some_tag(begin):
        return tag(begin, inner(), [word(1, 2) for _ in range(chooser.randint(1, 2))])

    if kind == "const_string":
        return const(word(0, 2))
    if kind == "any_text":
        return {**ANY, "excludes": [word(1, 2)] if chooser.random() < 0.5 else []}
    if kind in ("sequence", "or"):
        return {"type": kind, "elements": [inner() for _ in range(chooser.randint(1, 2))]}
    if kind in ("optional", "star"):
        return {"type": kind, "content": inner()}
    if kind == "tag":
        return some_tag(word(1, 2))
    triggers = [word(1, 2) for _ in range(chooser.randint(1, 2))]
    tags = [some_tag(trigger + word(0, 1)) for trigger in triggers]
    flags = {name: chooser.random() < 0.3 for name in ("at_least_one", "stop_after_first")}
    return {"type": kind, "triggers": triggers, "tags": tags, **flags}


def test_random_trees_of_formats_against_string_search():
    chooser = random.Random(13)

    def word(low, high):
        return "".join(chooser.choice("aab<é") for _ in range(chooser.randint(low, high)))

    compared = accepted = 0
    for _ in range(500):
        form = drawn_format(chooser, word, 3)
        try:
            expr = constrain.structural_tags(form)
        except GrammarError:
            continue
        texts = [word(0, 9) for _ in range(25)] + ([] if expr.is_empty() else [expr.sample(seed, max_random_bytes=25) for seed in range(25)])
        for text in texts + [t[:i] + word(0, 1) + t[i + 1 :] for t in texts[25:] for i in [chooser.randrange(len(t) + 1)]]:
            compared += 1
            accepted += expr.matches(text)
            assert expr.matches(text) == (len(text) in places(form, text, 0)), (text, form)
    assert compared > 15_000 and accepted > 6_000


def test_the_older_request_with_structures():
    structures = [{"begin": "<function=add>", "schema": {"type": "object", "required": ["a"]}, "end": "</function>"}]
    expr = constrain.structural_tags({"type": "structural_tag", "structures": structures, "triggers": ["<function="]})
    assert expr.matches('x<function=add>{"a": 1}</function>y') and not expr.matches("<function=add>{}</function>")


@pytest.mark.parametrize(
    ("form", "feature", "where"),
    [({"type": "grammar", "grammar": "root ::= 'a'"}, "'grammar'", "#/format"), ({"type": "token", "token": 5}, "'token'", "#/format"),
     ({"type": "sequence", "elements": [const("a"), {"type": "any_tokens"}]}, "'any_tokens'", "#/format/elements/1"),
     ({"type": "token_triggered_tags"}, "'token_triggered_tags'", "#/format"), ({"type": "token_dispatch"}, "'token_dispatch'", "#/format"),
     ({"type": "exclude_token"}, "'exclude_token'", "#/format"), ({**ANY, "max_tokens": 5}, "max_tokens", "#/format/max_tokens"),
     ({"type": "json_schema", "json_schema": True, "style": "qwen_xml"}, "style 'qwen_xml'", "#/format/style"),
     ({"type": "json_schema", "json_schema": True, "excludes": ["a"]}, "excludes", "#/format/excludes"),
     (tag({"type": "token", "token": 1}, ANY, ""), "a token as 'begin'", "#/format/begin")],
)  # fmt: skip
def test_what_is_not_carried_out_is_refused_by_name_and_place(form, feature, where):
    with pytest.raises(UnsupportedError) as caught:
        constrain.structural_tags({"type": "structural_tag", "format": form})
    assert feature in caught.value.feature and caught.value.where == f"at {where}"


@pytest.mark.parametrize(
    ("tags", "triggers", "says"),
    [([], ["a"], "there is no tag at #"), ([tag("a", ANY, "b")], [], "no trigger is a prefix of the begin 'a'"),
     ([tag("a", ANY, "b")], [""], "the string at #/triggers/0 is empty"), ([tag("a", ANY, "b")], [5], "#/triggers/0 is 5; a str"),
     ([tag("a", ANY, "b")], "a", "#/triggers is 'a'; a list"), ([tag("a", ANY, "b")], ["a", "ab"], "the trigger 'ab' begins no tag"),
     ([tag("b", ANY, "c")], ["a", "b"], "the trigger 'a' begins no tag"), ([tag("b", ANY, "c"), tag("x", ANY, "c")], ["b"], "begin 'x'"),
     ([tag("abc", ANY, "d"), tag("b", ANY, "d")], ["abc", "b"], "'abc' of the begin 'abc' can never come first, because 'b' ends inside"),
     ([{"begin": "a", "end": "b"}], ["a"], "the tag at #/tags/0 has 'begin', 'end'"), ([5], ["a"], "5 at #/tags/0 is no tag"),
     ([{"begin": "a", "end": "b", "content": "x"}], ["a"], "'x' at #/tags/0/content is no format"),
     ([tag(5, ANY, "b")], ["a"], "5 at #/tags/0/begin is a int"), ([tag("a", ANY, [])], ["a"], "empty list"),
     ([tag("a", ANY, "")], ["a"], "would have no end"), ([tag("a", {"type": "nonsense"}, "b")], ["a"], "'nonsense' at #/tags/0/content"),
     ([tag("a", {"type": "or", "elements": []}, "b")], ["a"], "elements is empty"),
     ([tag("a", {"type": "repeat", "min": 2, "max": 1, "content": ANY}, "b")], ["a"], "0 <= min <= max"),
     ([tag("a", {"type": "const_string"}, "b")], ["a"], "const_string at #/tags/0/content lacks 'value'"),
     ([tag("a", {"type": "const_string", "value": "x", "valeu": 1}, "b")], ["a"], "has no 'valeu'"),
     ([tag("a", {"type": "regex", "pattern": "("}, "b")], ["a"], "the pattern at #/tags/0/content/pattern: regex")],
)  # fmt: skip
def test_malformed_tags_are_refused_with_their_place(tags, triggers, says):
    with pytest.raises(GrammarError, match=says.replace("(", r"\(")):
        constrain.structural_tags(tags, triggers)


def test_a_bad_schema_is_refused_with_both_places():
    with pytest.raises(SchemaError) as caught:
        constrain.structural_tags([{"begin": "a", "schema": {"properties": {"x": 5}}, "end": "b"}], ["a"])
    assert caught.value.pointer == "#/properties/x"
    assert str(caught.value).startswith("structural tags: the schema at #/tags/0/schema: json schema:")
    with pytest.raises(UnsupportedError, match="the schema at #/tags/0/schema: json schema: 'multipleOf' 20001"):
        constrain.structural_tags([{"begin": "a", "schema": {"multipleOf": 20001, "type": "integer"}, "end": "b"}], ["a"])


@pytest.mark.parametrize(
    ("request_", "says"),
    [("{", "not JSON"), ([], "tags need triggers"), ({"type": "structural_tag"}, "'structures' and 'triggers'"),
     ({"type": "structural_tag", "format": ANY, "triggers": []}, "'structures' and 'triggers'"), (5, "5 at # is no format")],
)  # fmt: skip
def test_malformed_requests_are_refused(request_, says):
    with pytest.raises(GrammarError, match=says):
        constrain.structural_tags(request_)
    with pytest.raises(constrain.ConstrainError, match="'spaces' is no option"):
        constrain.structural_tags(ANY, spaces=2)


def test_deeply_nested_formats_are_a_typed_error():
    form = const("a")
    for _ in range(5000):
        form = {"type": "optional", "content": form}
    with pytest.raises(LimitExceeded):
        constrain.structural_tags(form)


# --------------------------------------------------------------------------------------------------------------- tokens


def test_a_trigger_split_over_tokens_in_every_way_is_the_same_trigger(small_vocabulary):
    expr = constrain.structural_tags([tag("日本é", const("ab"), "é")], ["日本"])
    constraint = constrain.compile(expr, small_vocabulary)
    ids = small_vocabulary
    chooser = random.Random(4)
    for text in ["xx日本éabé", "日日本éabéab", "日本éabé日本éabé"]:
        data = text.encode()
        for _ in range(30):
            matcher = constraint.matcher()
            at = 0
            while at < len(data):
                fits = [i for i in matcher.allowed_tokens() if (t := ids.tokens[i]) and data.startswith(t, at)]
                choice = chooser.choice(fits)
                assert matcher.accept_token(choice)
                at += len(ids.tokens[choice])
            assert matcher.is_accepting()
    matcher = constraint.matcher()
    assert matcher.accept_bytes("日本".encode()) and not matcher.accept_bytes(b"x")


def test_masks_in_free_text_and_in_tags_are_those_of_brute_force(small_vocabulary):
    tags = [tag("abé", {"type": "regex", "pattern": "[0-9]+"}, "a"), tag("ab12", const("日"), "12"), tag("\n x", ANY, '"}')]
    expr = constrain.structural_tags(tags, ["ab", "\n "], excludes=["true"])
    assert sum(walk_and_compare(expr, small_vocabulary, seed, 12) for seed in range(40)) > 200


def test_masks_are_right_whether_or_not_something_follows_the_free_text(phi_vocabulary):
    free, until = ExprSet(), ExprSet()
    alone = constrain.Expr(free, text_without(free, [b"</think>", "é".encode()]))
    stopped = constrain.Expr(until, text_until(until, [b"</think>"], ["é".encode()]))
    for expr in (alone, alone + "Z", alone + constrain.choice(["\n", " x", "é"]), stopped + "y", stopped | alone):
        for text in (b"so <", b"so </th", b"\xe6", b"\xc3"):
            state, length = expr.set.advance(expr.root, text)
            assert length == len(text)
            walk_and_compare(constrain.Expr(expr.set, state), phi_vocabulary, 1, 2)


def test_random_token_walks_end_in_texts_that_the_oracle_reads(phi_vocabulary):
    tags = [("<a>", ["1", "22"], "</a>"), ("<b>é", ["é"], "!"), ("日本", ["x", "日"], "語")]
    triggers = ["<a", "<b", "日"]
    expr = constrain.structural_tags(dicts(tags), triggers)
    constraint = constrain.compile(expr, phi_vocabulary)
    chooser = random.Random(8)
    tagged = 0
    for _ in range(60):
        matcher, out = constraint.matcher(), bytearray()
        for _ in range(chooser.randrange(1, 40)):
            if chooser.random() < 0.3:  # hurry towards the next trigger
                piece = chooser.choice(triggers).encode()
                if matcher.accept_bytes(piece):
                    out += piece
                    continue
            allowed = matcher.allowed_tokens()
            if not allowed:
                break
            token = chooser.choice(allowed)
            data = phi_vocabulary.tokens[token]
            if data is None:
                break
            assert matcher.accept_token(token)
            out += data
        way = constraint.expr.set.shortest_way(constraint.expr.set.advance(constraint.expr.root, bytes(out))[0])
        text = (bytes(out) + way).decode()
        tagged += any(text.count(begin) for begin, _, _ in tags)
        assert readings(text, tags, triggers), text
    assert tagged > 20
