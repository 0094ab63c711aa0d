"""From what a grammar's text says to a Grammar: names, imports, templates, attributes.

Only what the start rule leads to is built; names are checked everywhere. A literal in a rule is the terminal with the same
pattern, as in Lark, so that priorities and keywords meet. Held by tests/test_lark.py.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from ... import specials
from ..._native import ExprSet
from ...errors import ConstrainError, LarkError, LimitExceeded, UnsupportedError
from ..json_schema import json_schema
from ..quote import substring
from ..utf8 import Utf8Alphabet
from . import terminals as lexical
from .grammar import Grammar
from .marks import LANGUAGE, Mark, read_mark
from .parameters import holds, passed_number
from .syntax import Definition, Node, Source, Syntax, below, is_terminal, kind_of, nearest, read_syntax
from .terminals import Terminal

__all__ = ["LarkReader"]

LIBRARIES = ("common", "unicode", "python", "lark")  # the grammars that come with Lark
MAX_INSTANCES = 10_000
_NOTHING = -1  # in place of a terminal that has only the empty text
_NUMBER = "::"  # a rule's own number in its environment
_OUTSIDE = ("max_tokens", "temperature")  # no property of a text
_KNOWN_OPTIONS = ("no_forcing", "allow_initial_skip", "allow_invalid_utf8")


@dataclass
class File:
    """A grammar's text, and what its names mean."""

    syntax: Syntax
    prefix: str
    scope: dict[str, str] = field(default_factory=dict)

    @property
    def source(self) -> Source:
        return self.syntax.source


@dataclass
class Value:
    """What a part of a terminal matches: a pattern while Python's `re` can say it, else an expression."""

    pattern: Any = None
    root: int | None = None


Bodies = list[tuple[Definition, File]]  # the definition, and what %extend added


class LarkReader:
    """`keeps_marks`: what rules are marked with is gathered in `marks`, by the rule's number, and not refused."""

    def __init__(
        self, text: str, start: str, reading: str, imports: Mapping[str, str], json_options: Mapping[str, Any],
        keeps_marks: bool = False,
    ) -> None:  # fmt: skip
        self.keeps_marks = keeps_marks
        self.marks: dict[int, Mark] = {}
        self.reading = reading
        self.imports = imports
        self.json_options = json_options
        self.expr_set = ExprSet()
        self.alphabet = Utf8Alphabet(self.expr_set)
        self.definitions: dict[str, Bodies] = {}
        self.libraries: dict[str, File] = {}
        self.values: dict[str, Value] = {}
        self.by_name: dict[str, int] = {}
        self.by_pattern: dict[Any, int] = {}
        self.instances: dict[str, int] = {}
        self.waiting: list[tuple[int, str, dict[str, tuple[str, int]]]] = []
        self.main = self.load(read_syntax(text), "")
        self.grammar = Grammar(self.main.source)
        self.start_name = start

    # ------------------------------------------------------------------------------ files and names

    def load(self, syntax: Syntax, prefix: str) -> File:
        file = File(syntax, prefix)
        for item in syntax.imports:
            if item.is_relative:
                item = type(item)(item.path, item.names, item.at)
            library = self.library(".".join(item.path), file, item.at)
            for there, here in item.names:
                if there not in library.scope:
                    file.source.fail(f"grammar {'.'.join(item.path)!r} has no {there!r}", item.at)
                file.scope[here] = library.scope[there]
        for name, at in syntax.declared:
            raise UnsupportedError("%declare", f"for {name}", file.source.message(f"%declare is not supported: {name} has no text", at))
        for definition in syntax.definitions:
            self.define(definition, file)
        return file

    def library(self, path: str, file: File, at: int) -> File:
        if path not in self.libraries:
            if path in self.imports:
                text = self.imports[path]
            elif path in LIBRARIES:
                text = files("lark").joinpath("grammars", path + ".lark").read_text()
            else:
                known = ", ".join(map(repr, (*LIBRARIES, *self.imports)))
                file.source.fail(f"unknown grammar {path!r} to import from, known are {known}; others are given with imports={{…}}", at)
            self.libraries[path] = self.load(read_syntax(text, path), path + ".")
        return self.libraries[path]

    def define(self, definition: Definition, file: File) -> None:
        name = definition.name
        if definition.mode:
            if name not in file.scope:
                file.source.fail(f"nothing to {definition.mode}: {name!r} is not defined", definition.at)
            target = file.scope[name]
            kept = self.definitions[target] if definition.mode == "extend" else []
            self.definitions[target] = [*kept, (definition, file)]
            return
        if name in file.scope:
            how = " (it is imported too)" if file.scope[name] != file.prefix + name else ""
            file.source.fail(f"{kind_of(name)} {name!r} is defined twice{how}", definition.at)
        file.scope[name] = file.prefix + name
        self.definitions[file.prefix + name] = [(definition, file)]

    def resolve(self, file: File, name: str, at: int) -> str:
        if name not in file.scope:
            file.source.fail(f"undefined {kind_of(name)} {name!r}{nearest(name, file.scope)}", at)
        return file.scope[name]

    # ------------------------------------------------------------------------------ the whole

    def read(self) -> Grammar:
        grammar = self.grammar
        for options, at in self.main.syntax.options:
            self.read_options(options, at)
        self.check_names()
        if self.start_name not in self.main.scope:
            at = self.main.syntax.definitions[0].at if self.main.syntax.definitions else 0
            self.main.source.fail(f"no rule {self.start_name!r} to start from{nearest(self.start_name, self.main.scope)}", at)
        self.check_parameter(self.main, self.main.scope[self.start_name], False, self.definitions[self.main.scope[self.start_name]][0][0].at)
        grammar.start = self.rule_number(self.main.scope[self.start_name], {})
        if self.reading == "basic":
            for name in self.kept_rules():
                self.rule_number(name, {})
        while self.waiting:
            number, name, environment = self.waiting.pop()
            grammar.rules[number].body = self.body_of(number, name, environment)
        grammar.ignored = [t for body in self.main.syntax.ignored if (t := self.anonymous(self.main, body)) != _NOTHING]
        if any("::" in key for key in self.instances):
            grammar.drop_endless()
        self.warn_of_unused()
        return grammar

    def kept_rules(self) -> list[str]:
        """The rules whose terminals Lark's basic lexer knows: those that other rules use, though nothing may lead there."""
        users: dict[str, set[str]] = {}
        for name, bodies in self.definitions.items():
            for definition, file in bodies:
                nodes = file.syntax.nodes
                for i in below(nodes, definition.body) if not definition.is_terminal else ():
                    repeated = nodes[i].kind == "repeat" and nodes[i].value[1] != 1
                    for k in below(nodes, i) if repeated else [i]:
                        used = file.scope.get(nodes[k].value) if nodes[k].kind == "name" else None
                        if used and (used != name or repeated):
                            users.setdefault(used, set()).add(name)
        kept = {n for n, bodies in self.definitions.items() if not (bodies[0][0].is_terminal or bodies[0][0].parameters or bodies[0][0].is_parametric)}
        while gone := {n for n in kept if not users.get(n, set()) & kept and n != self.main.scope[self.start_name]}:
            kept -= gone
        return [n for n in self.definitions if n in kept]

    def read_options(self, options: Any, at: int) -> None:
        if not isinstance(options, dict):
            self.main.source.fail("the options of %llguidance are an object: {\"no_forcing\": true}", at)
        for key, value in options.items():
            if key == "skip_repetition" and value in ("once", "repeat"):
                self.grammar.skips_once = value == "once"
                continue
            if key not in _KNOWN_OPTIONS or not isinstance(value, bool):
                raise UnsupportedError(
                    f"option {key!r}", "of %llguidance",
                    self.main.source.message(f"%llguidance: {key!r}: {value!r} is not supported, known are {', '.join(_KNOWN_OPTIONS)} (true or false), skip_repetition ('repeat' or 'once')", at),
                )  # fmt: skip
            if key == "allow_initial_skip":
                self.grammar.skips_at_start = value
            elif key == "allow_invalid_utf8" and value:
                raise UnsupportedError("allow_invalid_utf8", "of %llguidance", self.main.source.message("invalid UTF-8 is never allowed", at))

    def check_names(self) -> None:
        """Every name in the main grammar is defined."""
        syntax = self.main.syntax
        parameters = {p for d in syntax.definitions for p in d.parameters}
        for node in syntax.nodes:
            name = node.value[0] if node.kind == "passed" else node.value
            if node.kind in ("name", "template", "passed") and name not in parameters and name not in self.libraries:
                if name in self.main.scope or any(name in i.path or name in sum(i.names, ()) for i in syntax.imports):
                    continue
                self.resolve(self.main, name, node.at)

    def warn_of_unused(self) -> None:
        used = {name.split("{")[0].split("::")[0] for name in (*self.instances, *self.by_name, *self.values)}
        unused = [d.name for d in self.main.syntax.definitions if self.main.scope[d.name] not in used]
        if unused:
            warnings.warn(f"lark: never used: {', '.join(unused[:8])}{' and others' if len(unused) > 8 else ''}", stacklevel=5)

    # ------------------------------------------------------------------------------ terminals

    def terminals_in(self, name: str) -> list[str]:
        return [
            self.resolve(file, node.value, node.at)
            for definition, file in self.definitions[name]
            for node in (file.syntax.nodes[i] for i in below(file.syntax.nodes, definition.body))
            if node.kind == "name" and is_terminal(node.value)
        ]

    def value_of(self, name: str) -> Value:
        """What a named terminal matches; those inside it are found first, without recursion."""
        stack, opened = [name], set()
        while stack:
            top = stack[-1]
            needed = [n for n in self.terminals_in(top) if n not in self.values]
            if top not in self.values and needed:
                opened.add(top)
                if not opened.isdisjoint(needed):
                    definition, file = self.definitions[top][0]
                    file.source.fail(f"terminal {definition.name!r} contains itself", definition.at)
                stack += needed
                continue
            stack.pop()
            if top not in self.values:
                parts = [self.part(file, definition.body) for definition, file in self.definitions[top]]
                self.values[top] = parts[0] if len(parts) == 1 else self.alternatives(parts)
        return self.values[name]

    def part(self, file: File, body: int) -> Value:
        """What a part of a terminal matches; the terminals that it names are known."""
        nodes, found = file.syntax.nodes, dict[int, Value]()
        for i in below(nodes, body):
            found[i] = self.value_of_node(file, nodes[i], [found[k] for k in nodes[i].items])
        return found[body]

    def value_of_node(self, file: File, node: Node, items: list[Value]) -> Value:
        s = self.expr_set
        if node.kind in ("string", "regexp"):
            return Value(lexical.literal(file.source, node.value, node.at))
        if node.kind == "range":
            return Value(lexical.range_pattern(file.source, node.value, node.at))
        if node.kind == "name" and is_terminal(node.value):
            return self.values[self.resolve(file, node.value, node.at)]
        if node.kind == "seq":
            if all(v.pattern is not None for v in items):
                return Value(lexical.join_sequence([v.pattern for v in items]))
            return Value(root=s.concat([self.root_of(v, file, node.at) for v in items]))
        if node.kind == "alt":
            return self.alternatives(items)
        if node.kind == "repeat":
            least, most = node.value
            if items[0].pattern is not None:
                return Value(lexical.repeated(items[0].pattern, least, most))
            return Value(root=s.repeat(self.root_of(items[0], file, node.at), least, -1 if most is None else most))
        if node.kind == "and":
            return Value(root=s.intersection([self.root_of(v, file, node.at) for v in items]))
        if node.kind == "not":
            return Value(root=s.intersection([self.alphabet.any_text, s.complement(self.root_of(items[0], file, node.at))]))
        if node.kind == "embedded" and node.value[0] == "regex":
            return Value(root=self.quoted(file, node))
        what = {"name": f"rule {node.value!r}", "template": "a template", "passed": "a rule with a number", "if": "'%if'", "special": f"special token {node.value}", "embedded": f"%{node.value[0]}"}
        file.source.fail(f"{what.get(node.kind, node.kind)} cannot stand in a terminal or beside '&' and '~'", node.at)

    def alternatives(self, parts: list[Value]) -> Value:
        if all(v.pattern is not None for v in parts):
            return Value(lexical.join_alternatives([v.pattern for v in parts]))
        return Value(root=self.expr_set.union([self.root_of(v, self.main, 0) for v in parts]))

    def root_of(self, value: Value, file: File, at: int) -> int:
        if value.root is None:
            return lexical.language(value.pattern, self.alphabet, file.source, at, prefer=False)
        return value.root

    def named(self, name: str) -> int:
        """The number of a named terminal."""
        if name not in self.by_name:
            definition, file = self.definitions[name][0]
            value = self.value_of(name)
            attributes = self.read_attributes(definition, file)
            if self.keeps_marks and (marks := sorted(definition.attributes.keys() - LANGUAGE)):
                raise UnsupportedError(f"attribute {marks[0]!r}", "of a terminal", file.source.message(
                    f"attribute {marks[0]!r} of terminal {definition.name} is not supported, expected it at a rule", definition.at))  # fmt: skip
            if "stop" in attributes or "suffix" in attributes:
                file.source.fail(f"'stop' and 'suffix' are attributes of rules, and {definition.name} is a terminal", definition.at)
            self.by_name[name] = self.terminal(
                definition.name, value, file, definition.at, definition.priority, lazy="lazy" in attributes
            )
            if value.pattern is not None:
                self.by_pattern.setdefault(value.pattern, self.by_name[name])
        return self.by_name[name]

    def anonymous(self, file: File, body: int, lazy: bool = False) -> int:
        """The number of the terminal that a part of a rule is: a named one where the pattern is the same."""
        node = file.syntax.nodes[body]
        if node.kind == "name" and is_terminal(node.value) and not lazy:
            return self.named(self.resolve(file, node.value, node.at))
        for i in below(file.syntax.nodes, body):
            inner = file.syntax.nodes[i]
            if inner.kind == "name" and is_terminal(inner.value):
                self.value_of(self.resolve(file, inner.value, inner.at))
        value = self.part(file, body)
        if value.pattern is None or lazy:
            return self.terminal(f"__ANON_{len(self.grammar.terminals)}", value, file, node.at, lazy=lazy)
        if value.pattern not in self.by_pattern:
            for name, known in self.named_patterns().items():
                if known == value.pattern:
                    return self.named(name)
            name = value.pattern.value.upper() if value.pattern.value.isidentifier() else f"__ANON_{len(self.grammar.terminals)}"
            self.by_pattern[value.pattern] = self.terminal(name, value, file, node.at)
        return self.by_pattern[value.pattern]

    def named_patterns(self) -> dict[str, Any]:
        """The patterns of the named terminals that the main grammar defines or imports."""
        if not hasattr(self, "_named_patterns"):
            names = [n for n in self.main.scope.values() if self.definitions[n][0][0].is_terminal]
            self._named_patterns = {n: p for n in names if (p := self.value_of(n).pattern) is not None}
        return self._named_patterns

    def terminal(self, name: str, value: Value, file: File, at: int, priority: int = 0, lazy: bool = False) -> int:
        s = self.expr_set
        if value.pattern is not None and not lazy:
            root = lexical.language(value.pattern, self.alphabet, file.source, at, prefer=True)
        else:
            root = self.root_of(value, file, at)
        is_quote = value.pattern is None and not lazy and s.has_substring(root)
        if value.pattern is None and not is_quote:
            root = s.tabulated(root)
        nullable = s.nullable(root)
        if nullable and lazy:
            return _NOTHING
        if nullable:  # Lark has no empty terminals; here one is an optional one
            root = s.tabulated(s.intersection([root, s.concat([s.byte_range(0, 255), s.ANYTHING])]))
        if lazy:
            root = lexical.shortest(root, s)
        if root == s.NO_MATCH and nullable:
            return _NOTHING
        if root == s.NO_MATCH:
            shown = "the terminal" if name.startswith("__ANON") else f"terminal {name!r}"
            file.source.fail(f"{shown} matches no text", at)
        made = Terminal(name, root, value.pattern, priority, at, lazy=lazy, plain=is_quote, nullable=nullable)
        made.set_order()
        self.grammar.terminals.append(made)
        return len(self.grammar.terminals) - 1

    def quoted(self, file: File, node: Node) -> int:
        """`%regex {"substring_words": …}`: any contiguous part of a text."""
        modes = {"substring_words": "units", "substring_chars": "characters"}
        body = node.value[1]
        found = [key for key in body if key in (*modes, "substring_chunks")] if isinstance(body, dict) else []
        if len(found) != 1 or len(body) != 1:
            raise UnsupportedError("%regex", "as it stands", file.source.message(
                f"%regex {str(body)[:60]} is not supported, known are {', '.join(map(repr, (*modes, 'substring_chunks')))}", node.at))  # fmt: skip
        key, text = found[0], body[found[0]]
        s = self.expr_set
        if key == "substring_chunks":
            if not isinstance(text, list) or not all(isinstance(chunk, str) for chunk in text):
                file.source.fail("'substring_chunks' takes a list of strings", node.at)
            rests = [s.EMPTY_STRING]
            for chunk in reversed(text):
                rests.append(s.union([s.EMPTY_STRING, s.concat([self.alphabet.text(chunk), rests[-1]])]))
            return int(s.union(rests))
        if not isinstance(text, str):
            file.source.fail(f"{key!r} takes a string", node.at)
        expr = substring(text, align=modes[key])
        return int(s.union([s.EMPTY_STRING, s.copy_from(expr.set, expr.root)]))

    # ------------------------------------------------------------------------------ rules

    def rule_number(self, name: str, environment: dict[str, tuple[str, int]], key: str = "") -> int:
        key = key or name
        if key not in self.instances:
            definition, _ = self.definitions[name][0]
            if len(self.instances) >= MAX_INSTANCES and environment:
                raise LimitExceeded("max_instances", None, MAX_INSTANCES, f"lark: templates and rules with a number have more than {MAX_INSTANCES} instances: {key[:60]!r}")
            self.instances[key] = self.grammar.rule(key, at=definition.at)
            self.waiting.append((self.instances[key], name, environment))
        return self.instances[key]

    def body_of(self, number: int, name: str, environment: dict[str, tuple[str, int]]) -> int:
        bodies = []
        for definition, file in self.definitions[name]:
            attributes = self.read_attributes(definition, file)
            if self.keeps_marks and definition.attributes.keys() - LANGUAGE:
                self.marks[number] = read_mark(definition, file.source)
                self.grammar.rules[number].is_marked = True
            if attributes:
                bodies.append(self.lexeme_rule(definition, file, attributes, self.marks.get(number)))
            else:
                bodies.append(self.rule_part(file, definition.body, environment))
        return self.grammar.alt(bodies)

    def read_attributes(self, definition: Definition, file: File) -> dict[str, Any]:
        """Those that change the language; captures are names only, budgets and temperatures are refused."""
        found = {}
        for key, (value, at) in definition.attributes.items():
            if key in _OUTSIDE and not self.keeps_marks:
                raise UnsupportedError(key, f"at rule {definition.name!r}", file.source.message(
                    f"attribute {key!r} is no property of a text and is not supported in a constraint", at))  # fmt: skip
            if key in ("capture", "stop_capture", *_OUTSIDE):
                continue
            if key not in ("lazy", "stop", "suffix"):
                file.source.fail(f"unknown attribute {key!r}, known are capture, lazy, stop, stop_capture, suffix, max_tokens, temperature", at)
            found[key] = (value, at)
        return found

    def lexeme_rule(self, definition: Definition, file: File, attributes: dict[str, Any], mark: Mark | None) -> int:
        """A rule whose body is one terminal: lazy, with a suffix at its first place, or the text before a stop."""
        if "stop" not in attributes and "suffix" not in attributes:
            return self.term(self.anonymous(file, definition.body, lazy=True))
        token, at = attributes.get("stop") or attributes["suffix"]
        if token is None:
            file.source.fail("'stop' and 'suffix' need a value: a string, a regex or a terminal", at)
        s = self.expr_set
        for i in below(file.syntax.nodes, definition.body):
            inner = file.syntax.nodes[i]
            if inner.kind == "name" and is_terminal(inner.value):
                self.value_of(self.resolve(file, inner.value, inner.at))
        value = self.part(file, definition.body)
        body = self.root_of(value, file, definition.at)
        kind = {"STRING": "string", "REGEXP": "regexp", "TERMINAL": "name"}.get(token.type)
        if kind is None:
            file.source.fail(f"{str(token)!r} is no string, regex or terminal", at)
        if str(token) in ('""', "//"):
            return self.term(self.opaque(definition, file, body))
        node = Node(kind, (), at, str(token))
        if kind == "name":
            self.value_of(self.resolve(file, node.value, at))
        stop_value = self.value_of_node(file, node, [])
        stop = self.root_of(stop_value, file, at)
        if "stop" in attributes:
            return self.grammar.add("expr", value=(s, self.before(body, stop, definition, file)))
        if mark is not None:
            mark.ended = (body, stop)
        if value.pattern is not None and stop_value.pattern is not None:
            ended = Value(lexical.join_sequence([value.pattern, stop_value.pattern]))
        else:
            ended = Value(root=s.concat([body, stop]))
        return self.term(self.terminal(f"__ANON_{len(self.grammar.terminals)}", ended, file, definition.at, lazy=True))

    def before(self, body: int, stop: int, definition: Definition, file: File) -> int:
        """What stands before the stop in the shortest texts of the body and the stop: the stop itself is no part of the text."""
        s = self.expr_set
        start = lexical.shortest(s.concat([body, stop]), s)
        numbers, order, moves = {start: 0}, [start], []
        for state in order:  # which grows
            for some in s.live_classes(state):
                after = s.step(state, some[0])
                if after not in numbers:
                    numbers[after] = len(order)
                    order.append(after)
                moves += [(numbers[state], byte, numbers[after]) for byte in some]
        accepting = [numbers[state] for state in order if not s.is_empty(s.intersection([state, stop]))]
        if not accepting:
            file.source.fail(f"rule {definition.name!r} matches no text before its stop", definition.at)
        root = s.intersection([body, s.table(len(order), 0, accepting, moves)])
        return int(s.tabulated(root))

    def opaque(self, definition: Definition, file: File, root: int) -> int:
        return self.terminal(f"__ANON_{len(self.grammar.terminals)}", Value(root=root), file, definition.at)

    def term(self, number: int) -> int:
        if number == _NOTHING:
            return self.grammar.empty
        node = self.grammar.add("term", value=number)
        return self.grammar.optional(node) if self.grammar.terminals[number].nullable else node

    def rule_part(self, file: File, body: int, environment: dict[str, tuple[str, int]]) -> int:
        nodes = file.syntax.nodes
        found: dict[int, int] = {}

        def ends_here(node: Node) -> bool:  # what lies below is no rule, or does not hold for the rule's number
            return node.kind in ("and", "not") or (node.kind == "if" and not self.condition(file, node, environment))

        for i in below(nodes, body, ends_here):
            found[i] = self.node_of(file, i, nodes[i], found, environment)
        return found[body]

    def node_of(self, file: File, i: int, node: Node, found: dict[int, int], environment: dict[str, tuple[str, int]]) -> int:
        grammar = self.grammar
        if node.kind == "string" and node.value.startswith('""'):
            return grammar.empty
        if node.kind in ("string", "regexp", "range", "and", "not"):
            return self.term(self.anonymous(file, i))
        if node.kind == "seq":
            return grammar.seq(*(found[k] for k in node.items))
        if node.kind == "alt":
            return grammar.alt(found[k] for k in node.items)
        if node.kind == "repeat":
            return grammar.repeat(found[node.items[0]], *node.value)
        if node.kind == "name":
            if node.value in environment:
                return environment[node.value][1]
            name = self.resolve(file, node.value, node.at)
            if is_terminal(node.value):
                return self.term(self.named(name))
            self.check_arguments(file, name, 0, node)
            self.check_parameter(file, name, False, node.at)
            return grammar.add("rule", value=self.rule_number(name, {}))
        if node.kind == "passed":
            return self.numbered(file, node, environment)
        if node.kind == "if":
            return found[node.items[0]] if node.items[0] in found else grammar.alt([])
        if node.kind == "template":
            return self.instance(file, node, found, environment)
        if node.kind == "special":
            return self.special(file, node)
        return self.embedded(file, node)

    def check_parameter(self, file: File, name: str, given: bool, at: int) -> None:
        definition = self.definitions[name][0][0]
        if definition.is_parametric != given:
            what = "takes no number: it is not defined with '::_'" if given else f"takes a number, as in {definition.name}::0"
            file.source.fail(f"rule {definition.name!r} {what}", at)

    def numbered(self, file: File, node: Node, environment: dict[str, tuple[str, int]]) -> int:
        """The rule for the number that is passed to it."""
        short, text = node.value
        name = self.resolve(file, short, node.at)
        self.check_parameter(file, name, True, node.at)
        try:
            number = passed_number(text, environment[_NUMBER][1] if _NUMBER in environment else None)
        except ValueError as error:
            file.source.fail(str(error), node.at)
        return self.grammar.add("rule", value=self.rule_number(name, {_NUMBER: (str(number), number)}, f"{name}::{number}"))

    def condition(self, file: File, node: Node, environment: dict[str, tuple[str, int]]) -> bool:
        if _NUMBER not in environment:
            file.source.fail("'%if' stands in a rule without a number, expected one defined with '::_'", node.at)
        try:
            return holds(node.value, environment[_NUMBER][1])
        except ValueError as error:
            file.source.fail(str(error), node.at)

    def check_arguments(self, file: File, name: str, given: int, node: Node) -> None:
        wanted = len(self.definitions[name][0][0].parameters)
        if wanted != given:
            file.source.fail(f"template {node.value!r} takes {wanted} arguments, given {given}" if wanted else f"rule {node.value!r} is no template", node.at)

    def instance(self, file: File, node: Node, found: dict[int, int], environment: dict[str, tuple[str, int]]) -> int:
        name = self.resolve(file, node.value, node.at)
        self.check_arguments(file, name, len(node.items), node)
        texts = [self.argument_key(file, k, environment) for k in node.items]
        definition = self.definitions[name][0][0]
        inner = dict(zip(definition.parameters, zip(texts, (found[k] for k in node.items))))
        key = f"{name}{{{','.join(texts)}}}"
        return self.grammar.add("rule", value=self.rule_number(name, inner, key))

    def argument_key(self, file: File, i: int, environment: dict[str, tuple[str, int]]) -> str:
        node = file.syntax.nodes[i]
        if node.kind == "template":
            return f"{node.value}{{{','.join(self.argument_key(file, k, environment) for k in node.items)}}}"
        if node.kind == "name":
            return environment[node.value][0] if node.value in environment else self.resolve(file, node.value, node.at)
        return f"{node.kind}:{node.value}"

    def embedded(self, file: File, node: Node) -> int:
        word, body = node.value
        if word == "regex":
            return self.term(self.terminal(f"__ANON_{len(self.grammar.terminals)}", Value(root=self.quoted(file, node)), file, node.at))
        try:
            if word == "json":
                expr = json_schema(body, **self.json_options)
            else:
                expr = self.nested(body[0], file, node)
        except LarkError as error:
            at = body[1] + (error.span or (0, 0))[0]
            file.source.fail(f"in %lark: {str(error).splitlines()[0].removeprefix('lark: ')}", at)
        except (LimitExceeded, UnsupportedError) as error:
            file.source.place(error, node.at, f"in %{word}: ")
            raise
        except ConstrainError as error:
            file.source.fail(f"in %{word}: {str(error).splitlines()[0]}", node.at)
        root = self.expr_set.copy_from(expr.set, expr.set.fenced(expr.root))
        return self.grammar.add("expr", value=(self.expr_set, root))

    def nested(self, text: str, file: File, node: Node) -> Any:
        """The expression of a grammar in this one."""
        from .writer import write

        reader = LarkReader(text, "start", self.reading, self.imports, self.json_options, self.keeps_marks)
        grammar = reader.read()
        if reader.marks:
            name = grammar.rules[min(reader.marks)].name
            raise UnsupportedError("attributes", f"of rule {name!r} in %lark", file.source.message(
                f"captures, temperatures and limits in %lark are not supported: rule {name!r} has some", node.at))  # fmt: skip
        return write(grammar, reader.expr_set, self.reading)

    def special(self, file: File, node: Node) -> int:
        """A token of the vocabulary that no text spells: by name, or by number as in `<[1,5-9]>`."""
        written = node.value[1:-1] if node.value.startswith("<[") else node.value
        try:
            return self.grammar.add("expr", value=(self.expr_set, specials.node_of(self.expr_set, written)))
        except ValueError as error:
            file.source.fail(str(error), node.at)
