"""Structural tags: free text with constrained parts behind triggers, as XGrammar, vLLM and OpenAI-like servers write them.

A tree of formats becomes one expression, each format by one method of `_Writer`. Carried out: `const_string`,
`json_schema`, `regex`, `any_text`, `sequence`, `or`, `optional`, `plus`, `star`, `repeat`, `tag`, `triggered_tags`,
`tags_with_separator`, `dispatch`; what speaks of tokens, other grammars or styles is refused by name and JSON pointer.

Free text inside a tag stops at the first of the tag's ends, as it does at a trigger (triggers.py), so every `ends` is handed
down to the format that stands last. Source: XGrammar's documentation of structural tags (0.2.6), whose meaning holds
but for two points: `any_order` asks for all required properties and no key twice, and a trigger inside which another one
ends is refused. Held by tests/test_triggers.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import ConstrainError, GrammarError, LimitExceeded, UnsupportedError
from ..expr import Expr, encode
from .json_schema import open_session, write_schema
from .regex import regex
from .triggers import check_triggers, encode_marker, tagged_text, text_until, text_without

__all__ = ["named", "structural_tags"]

MAX_NESTING = 100


def structural_tags(
    tags: Sequence[Mapping[str, Any]] | Mapping[str, Any] | str,
    triggers: Sequence[str] | None = None,
    *,
    at_least_one: bool = False,
    stop_after_first: bool = False,
    excludes: Sequence[str] = (),
    **options: Any,
) -> Expr:
    """Free text in which each trigger starts one of the tags that begin with it; behind a tag free text goes on.

    `tags`: dicts with `begin`, `end` (a str, or a list of them) and either `schema` (as `json_schema` takes it) or `content`
    (an expression, or a format). Free text holds no trigger and none of `excludes`; `at_least_one`: the text begins with
    a tag; `stop_after_first`: it ends with the first. Or one request, as a dict or JSON text, alone: `{"type":
    "structural_tag", "format": …}`, or with `structures` and `triggers`, or a format by itself. Options are those of
    `json_schema`. Raises GrammarError for a malformed tree, UnsupportedError for a format that is not carried out.

    >>> import constrain
    >>> call = {"begin": "<add>", "schema": {"type": "array", "items": {"type": "integer"}}, "end": "</add>"}
    >>> expr = constrain.structural_tags([call], ["<add"])
    >>> expr.matches("One moment. <add>[1, 2]</add> Done."), expr.matches("<add>1</add>"), expr.matches("<addition>")
    (True, False, False)
    """
    form: Any
    if triggers is None:
        if at_least_one or stop_after_first or excludes:
            raise GrammarError("structural tags: at_least_one, stop_after_first and excludes need tags and triggers")
        form, path = _requested(tags)
    else:
        form = {"type": "triggered_tags", "tags": tags, "triggers": triggers, "excludes": excludes}
        form |= {"at_least_one": at_least_one, "stop_after_first": stop_after_first}
        path = "#"
    writer = _Writer(options)
    return Expr(writer.set, writer.write(form, _Place(path)))


def _requested(request: Any) -> tuple[Any, str]:
    """The format of a request, and where it stands."""
    if isinstance(request, str):
        try:
            request = json.loads(request)
        except (ValueError, RecursionError) as error:
            raise GrammarError(f"structural tags: not JSON: {error}") from None
    if isinstance(request, Sequence):
        raise GrammarError("structural tags: tags need triggers; pass both, or a request alone")
    if not isinstance(request, Mapping) or request.get("type") != "structural_tag":
        return request, "#"
    allowed = ({"type", "format"}, {"type", "structures", "triggers"})
    if set(request) not in allowed:
        raise GrammarError(f"structural tags: the request has {_listed(request)}; either 'format', or 'structures' and 'triggers', is needed")
    if "format" in request:
        return request["format"], "#/format"
    return {"type": "triggered_tags", "tags": request["structures"], "triggers": request["triggers"]}, "#"


def _listed(names: Any) -> str:
    return ", ".join(map(repr, names)) or "nothing"


_REQUIRED: Any = object()
_TAGS: dict[str, Any] = {"tags": _REQUIRED, "at_least_one": False, "stop_after_first": False}
# The fields of each format that is carried out, with what they are where they are left out.
_FIELDS: dict[str, dict[str, Any]] = {
    "const_string": {"value": _REQUIRED},
    "json_schema": {"json_schema": _REQUIRED, "style": "json", "any_order": False, "max_whitespace_cnt": None, "excludes": ()},
    "regex": {"pattern": _REQUIRED},
    "any_text": {"excludes": (), "max_tokens": None, "max_chars": None},
    "sequence": {"elements": _REQUIRED},
    "or": {"elements": _REQUIRED},
    "optional": {"content": _REQUIRED},
    "plus": {"content": _REQUIRED},
    "star": {"content": _REQUIRED},
    "repeat": {"content": _REQUIRED, "min": _REQUIRED, "max": _REQUIRED},
    "tag": {"begin": _REQUIRED, "content": _REQUIRED, "end": _REQUIRED},
    "triggered_tags": {**_TAGS, "triggers": _REQUIRED, "excludes": ()},
    "tags_with_separator": {**_TAGS, "separator": _REQUIRED},
    "dispatch": {"rules": _REQUIRED, "loop": True, "excludes": ()},
}
_REFUSED = ("grammar", "token", "exclude_token", "any_tokens", "token_triggered_tags", "token_dispatch")
_Strings = tuple[bytes, ...]


class _Place(NamedTuple):
    """Where a format stands: its JSON pointer, the strings of which the first ends it, and others that free text must not hold.

    Without `ends` a format ends by itself; with them one of them is part of what is written for it.
    """

    path: str
    ends: _Strings = ()
    barred: _Strings = ()

    def __str__(self) -> str:
        return self.path

    def inside(self, path: str) -> _Place:
        """A part that is followed by what follows the whole."""
        return self._replace(path=f"{self.path}/{path}")

    def before(self, path: str) -> _Place:
        """A part that is followed by another."""
        return _Place(f"{self.path}/{path}", (), self.barred + self.ends)


class _Writer:
    """Writes one tree into one set: a method for each format, which takes its place and its fields."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = dict(options)
        self.remotes = self.options.pop("remotes", None)
        self.session = open_session(**self.options)
        self.set = self.session.set
        self.depth = 0

    def write(self, form: Any, at: _Place) -> int:
        if isinstance(form, Expr):
            return self.ended(self.set.copy_from(form.set, form.root), at)
        if not isinstance(form, Mapping):
            raise GrammarError(f"structural tags: {form!r:.60} at {at} is no format; an object with a 'type' is needed")
        kind = form.get("type")
        if kind in _REFUSED:
            raise UnsupportedError(f"structural tags: the format {kind!r}", f"at {at}")
        if not isinstance(kind, str) or kind not in _FIELDS:
            raise GrammarError(f"structural tags: the format {kind!r:.60} at {at} is not known; {_listed(_FIELDS)} are")
        method: Callable[..., int] = getattr(self, f"_{kind}")
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise LimitExceeded("structural tag nesting depth", None, MAX_NESTING)
        made = method(at, **_fields(form, kind, at))
        self.depth -= 1
        return made

    def ended(self, made: int, at: _Place) -> int:
        return self.set.concat([made, self.set.literals(list(at.ends))]) if at.ends else made

    # What does not hold free text.

    def _const_string(self, at: _Place, value: Any) -> int:
        return self.ended(self.set.literal(_text(value, f"{at}/value")), at)

    def _json_schema(self, at: _Place, json_schema: Any, any_order: Any, style: Any, **others: Any) -> int:
        for name, value in (("style", style if style != "json" else None), *others.items()):
            if value:
                raise UnsupportedError(f"structural tags: {name} {value!r:.40}", f"at {at}/{name}")
        order = {"property_order": "any"} if _flag(any_order, f"{at}/any_order") else {}
        return self.ended(self.schema(json_schema, f"{at}/json_schema", order), at)

    def schema(self, schema: Any, where: str, order: Mapping[str, Any]) -> int:
        session = open_session(**{**self.options, **order}) if order else self.session
        try:
            return self.set.copy_from(session.set, write_schema(session, schema, self.remotes))
        except ConstrainError as error:
            raise named(error, f"structural tags: the schema at {where}") from None

    def _regex(self, at: _Place, pattern: Any) -> int:
        try:
            made = regex(pattern)
        except ConstrainError as error:
            raise named(error, f"structural tags: the pattern at {at}/pattern") from None
        return self.write(made, at)

    # Formats of formats.

    def _sequence(self, at: _Place, elements: Any) -> int:
        items = _items(elements, f"{at}/elements")
        places = [at.before(f"elements/{i}") for i in range(len(items))]
        if not items:
            return self.ended(self.set.EMPTY_STRING, at)
        places[-1] = at.inside(f"elements/{len(items) - 1}")
        return self.set.concat([self.write(item, place) for item, place in zip(items, places, strict=True)])

    def _or(self, at: _Place, elements: Any) -> int:
        items = _items(elements, f"{at}/elements")
        if not items:
            raise GrammarError(f"structural tags: {at}/elements is empty; at least one format is needed")
        return self.set.union([self.write(item, at.inside(f"elements/{i}")) for i, item in enumerate(items)])

    def _optional(self, at: _Place, content: Any) -> int:
        return self.set.union([self.ended(self.set.EMPTY_STRING, at), self.write(content, at.inside("content"))])

    def _plus(self, at: _Place, content: Any) -> int:
        return self._repeat(at, content, 1, -1)

    def _star(self, at: _Place, content: Any) -> int:
        return self._repeat(at, content, 0, -1)

    def _repeat(self, at: _Place, content: Any, min: Any, max: Any) -> int:
        for name, value in (("min", min), ("max", max)):
            if isinstance(value, bool) or not isinstance(value, int):
                raise GrammarError(f"structural tags: {at}/{name} is {value!r:.60}; an int is needed")
        if min < 0 or (max != -1 and max < min):
            raise GrammarError(f"structural tags: 0 <= min <= max, or max -1, is needed at {at}, given {min} and {max}")
        return self.ended(self.set.repeat(self.write(content, at.before("content")), min, max), at)

    # Tags and free text.

    def _any_text(self, at: _Place, excludes: Any, max_tokens: Any, max_chars: Any) -> int:
        for name, value in (("max_tokens", max_tokens), ("max_chars", max_chars)):
            if value is not None:
                raise UnsupportedError(f"structural tags: {name} of any_text", f"at {at}/{name}")
        barred = _strings(excludes, f"{at}/excludes") + at.barred
        _check_ends(at)
        return text_until(self.set, at.ends, barred) if at.ends else text_without(self.set, barred)

    def _tag(self, at: _Place, **tag: Any) -> int:
        return self.ended(self.whole_tag(tag, at.path), at)

    def whole_tag(self, tag: Any, where: str) -> int:
        begin, rest = self.tag(tag, where)
        return self.set.concat([self.set.literal(begin), rest])

    def tag(self, tag: Any, where: str) -> tuple[bytes, int]:
        """How a tag begins, and the node of what follows that."""
        if not isinstance(tag, Mapping):
            raise GrammarError(f"structural tags: {tag!r:.60} at {where} is no tag; an object with 'begin', 'content' and 'end' is needed")
        given = set(tag) - {"type"}
        if given not in ({"begin", "content", "end"}, {"begin", "schema", "end"}) or tag.get("type", "tag") != "tag":
            raise GrammarError(
                f"structural tags: the tag at {where} has {_listed(tag)}; 'begin', 'end' and either 'content' or 'schema' are needed"
            )
        for name in ("begin", "end"):
            if isinstance(tag[name], Mapping):
                raise UnsupportedError(f"structural tags: a token as {name!r}", f"at {where}/{name}")
        end = [tag["end"]] if isinstance(tag["end"], str) else _items(tag["end"], f"{where}/end")
        if not end:
            raise GrammarError(f"structural tags: {where}/end is an empty list; at least one str is needed")
        behind = _Place(f"{where}/content", tuple(_text(one, f"{where}/end") for one in end))
        begin = _text(tag["begin"], f"{where}/begin")
        if "schema" in tag:
            return begin, self.ended(self.schema(tag["schema"], f"{where}/schema", {}), behind)
        return begin, self.write(tag["content"], behind)

    def _triggered_tags(
        self, at: _Place, tags: Any, triggers: Any, excludes: Any, at_least_one: Any, stop_after_first: Any
    ) -> int:
        made = [self.tag(tag, f"{at}/tags/{i}") for i, tag in enumerate(_items(tags, f"{at}/tags"))]
        flags = {"at_least_one": at_least_one, "stop_after_first": stop_after_first}
        return self.triggered(at, made, _strings(triggers, f"{at}/triggers"), excludes, flags)

    def _dispatch(self, at: _Place, rules: Any, loop: Any, excludes: Any) -> int:
        tags = []
        for i, rule in enumerate(_items(rules, f"{at}/rules")):
            pair = _items(rule, f"{at}/rules/{i}")
            if len(pair) != 2:
                raise GrammarError(f"structural tags: the rule at {at}/rules/{i} has {len(pair)} parts; a string and a format are needed")
            begin = encode_marker(pair[0], f"structural tags: the string at {at}/rules/{i}/0")
            tags.append((begin, self.write(pair[1], _Place(f"{at}/rules/{i}/1"))))
        flags = {"at_least_one": False, "stop_after_first": not _flag(loop, f"{at}/loop")}
        return self.triggered(at, tags, tuple(begin for begin, _ in tags), excludes, flags)

    def triggered(
        self, at: _Place, tags: list[tuple[bytes, int]], triggers: _Strings, excludes: Any, flags: Mapping[str, Any]
    ) -> int:
        """Free text with tags."""
        if not tags:
            raise GrammarError(f"structural tags: there is no tag at {at}; at least one is needed")
        _check_ends(at)
        barred = _strings(excludes, f"{at}/excludes") + at.barred
        check_triggers(triggers, [begin for begin, _ in tags], at.ends + barred, f"structural tags at {at}")
        chosen = {name: _flag(value, f"{at}/{name}") for name, value in flags.items()}
        return tagged_text(self.set, tags, triggers, barred=barred, ends=at.ends, **chosen)

    def _tags_with_separator(self, at: _Place, tags: Any, separator: Any, at_least_one: Any, stop_after_first: Any) -> int:
        items = _items(tags, f"{at}/tags")
        if not items:
            raise GrammarError(f"structural tags: there is no tag at {at}; at least one is needed")
        any_tag = self.set.union([self.whole_tag(tag, f"{at}/tags/{i}") for i, tag in enumerate(items)])
        other = self.set.concat([self.set.literal(_text(separator, f"{at}/separator")), any_tag])
        others = self.set.repeat(other, 0, 0 if _flag(stop_after_first, f"{at}/stop_after_first") else -1)
        tags_only = self.set.concat([any_tag, others])
        is_needed = _flag(at_least_one, f"{at}/at_least_one")
        return self.ended(tags_only if is_needed else self.set.union([self.set.EMPTY_STRING, tags_only]), at)


def _fields(form: Mapping[str, Any], kind: str, at: _Place) -> dict[str, Any]:
    """All fields of a format, those that are left out as well."""
    known = _FIELDS[kind]
    for name in form:
        if name != "type" and name not in known:
            raise GrammarError(f"structural tags: {kind} at {at} has no {name!r:.60}; {_listed(known)} can stand there")
    for name, default in known.items():
        if default is _REQUIRED and name not in form:
            raise GrammarError(f"structural tags: {kind} at {at} lacks {name!r}")
    return {name: form.get(name, default) for name, default in known.items()}


def named(error: ConstrainError, what: str) -> ConstrainError:
    """The same error, its message beginning with what it is about."""
    error.args = (f"{what}: {error}", *error.args[1:])
    return error


def _text(value: Any, where: str) -> bytes:
    if not isinstance(value, str):
        raise GrammarError(f"structural tags: {value!r:.60} at {where} is a {type(value).__name__}; a str is needed")
    return encode(value)


def _strings(values: Any, where: str) -> _Strings:
    return tuple(encode_marker(v, f"structural tags: the string at {where}/{i}") for i, v in enumerate(_items(values, where)))


def _items(values: Any, where: str) -> list[Any]:
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Sequence):
        raise GrammarError(f"structural tags: {where} is {values!r:.60}; a list is needed")
    return list(values)


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise GrammarError(f"structural tags: {where} is {value!r:.60}; true or false is needed")
    return value


def _check_ends(at: _Place) -> None:
    if b"" in at.ends:
        raise GrammarError(f"structural tags: free text at {at} would have no end, because the tag's end is empty")
