"""A Lark grammar as a node: the grammar's own expression says what may be written, a tree of nodes what a text holds.

The tree mirrors the grammar behind its rewriting (frontends/lark/recursion.py): a rule with a capture becomes a `Capture`,
a lexeme a `Lexeme`, which ends only where the lexer ends it. Captures inside left recursion have no borders left to find
and are refused by name, as are special tokens in grammars: between nodes they are `special_token`.

A temperature or a limit of a rule makes a run of its own. The start rule may have one, and rules in its sequence where
every lexeme that may come before a border ends for certain: what may follow cannot be a longer one's next byte.
Held by tests/test_dsl_lark.py.
"""

from __future__ import annotations

from ..errors import UnsupportedError
from ..expr import Expr
from ..frontends.lark import Reading
from ..frontends.lark.lexing import Neighbours
from ..frontends.lark.marks import Mark
from .nodes import (
    IGNORED,
    Alternatives,
    Capture,
    Label,
    Leaf,
    Lexeme,
    Node,
    Parsed,
    Repeat,
    Rule,
    Sequence,
    Settings,
    Text,
    Until,
    join,
)

__all__ = ["lark_node"]


def lark_node(reading: Reading, is_list: bool) -> Node:
    """The node of a grammar; with `is_list` its captures are lists."""
    if reading.written.expr.set.required():
        token = reading.written.expr.set.required()[0]
        message = f"lark: special token {token!r} is not supported in a program's grammar, expected special_token between parts"
        raise UnsupportedError(f"special token {token!r}", "in dsl.lark", message)
    if not reading.marks:
        return Leaf(reading.written.expr)
    return _Tree(reading, is_list).node()


class _Tree:
    def __init__(self, reading: Reading, is_list: bool) -> None:
        self._reading = reading
        self._grammar = reading.grammar
        self._set = reading.written.expr.set
        self._is_list = is_list
        self._rules = {number: Rule(self._grammar.rules[number].name) for number in self._grammar.used_rules()}
        self._made: dict[int, Node] = {}
        self._lexemes: dict[int, Node] = {}
        self._skips: list[int] = []  # the lexemes of ignored terminals
        self._skip = self._ignored()
        self._check_marks()

    def _refuse(self, what: str, number: int, why: str) -> None:
        name, at = self._grammar.rules[number].name, self._reading.marks[number].at
        raise UnsupportedError(what, f"of rule {name!r}", self._grammar.source.message(f"{what} of rule {name!r} is not supported: {why}", at))

    def _check_marks(self) -> None:
        grammar, reading = self._grammar, self._reading
        copies = {(grammar.rules[n].name, grammar.rules[n].at) for n in self._rules if n not in reading.written.origins}
        for number in [n for n in reading.marks if n in self._rules]:
            rule = grammar.rules[number]
            if number in reading.written.rewritten:
                self._refuse("the mark", number, "the rule is left-recursive")
            if (rule.name, rule.at) in copies:
                self._refuse("the mark", number, "the rule may be empty where left recursion begins")

    # ------------------------------------------------------------------------------ the tree

    def node(self) -> Node:
        grammar = self._grammar
        for i in grammar.reachable(grammar.rules[number].body for number in self._rules):
            self._made[i] = self._node(i)
        for number, rule in self._rules.items():
            rule.body = self._body(number)
        mark = self._reading.marks.get(grammar.start)
        if mark is not None and _has_settings(mark) and any(grammar.nodes[i].value == grammar.start for i in self._made if grammar.nodes[i].kind == "rule"):
            self._refuse("a temperature or limit", grammar.start, "the rule contains itself")
        settings = [n for n, m in self._reading.marks.items() if n in self._rules and n != grammar.start and _has_settings(m)]
        before = self._skip if grammar.skips_at_start else Sequence(())
        start = grammar.start
        if not settings:
            tree = join([before, self._rule(start, with_settings=False)])
            return self._set_around(start, Parsed(self._reading.written.expr, tree))
        return self._set_around(start, self._split(before, settings))

    def _node(self, i: int) -> Node:
        node = self._grammar.nodes[i]
        parts = tuple(self._made[k] for k in node.items)
        if node.kind == "seq":
            return join(list(parts))
        if node.kind == "alt":
            return Alternatives(parts)
        if node.kind == "repeat":
            return Repeat(parts[0], *node.value)
        if node.kind == "rule":
            return self._rule(node.value)
        if node.kind == "expr":
            return join([Leaf(Expr(self._set, node.value[1])), self._skip])
        terminal = self._grammar.terminals[node.value]
        root = self._reading.written.lexing.at(i)
        ways = self._reading.written.lexing.ways.get(root, [(terminal.root, None)])
        if terminal.is_string and terminal.pattern is not None and not terminal.pattern.flags and [munch for _, munch in ways] == [None]:
            return join([Text(terminal.pattern.value), self._skip])
        return join([self._lexeme(root, terminal.root), self._skip])

    def _lexeme(self, root: int, texts: int) -> Node:
        if root not in self._lexemes:
            ways = self._reading.written.lexing.ways.get(root, [(texts, None)])
            made = tuple((Expr(self._set, a), None if b is None else Expr(self._set, b)) for a, b in ways)
            self._lexemes[root] = Lexeme(Expr(self._set, root), made)
        return self._lexemes[root]

    def _ignored(self) -> Node:
        grammar, lexing = self._grammar, self._reading.written.lexing
        if not grammar.ignored:
            return Sequence(())
        options = []
        for t in grammar.ignored:
            root = grammar.terminals[t].root
            if lexing.reading == "dynamic":
                options.append(self._lexeme(int(self._set.lexeme(root)), root))
            else:
                self._skips.append(lexing.lexeme(t, frozenset([lexing.used]), lexing.placed))
                options.append(self._lexeme(self._skips[-1], root))
        return Capture(Repeat(Alternatives(tuple(options)), 0, 1 if grammar.skips_once else None), IGNORED)

    def _rule(self, number: int, with_settings: bool = True) -> Node:
        mark = self._reading.marks.get(number)
        node: Node = self._rules[number]
        if mark is None:
            return node
        if mark.capture is not None and mark.ended is None:
            node = Capture(node, Label(mark.capture, self._is_list, is_trimmed=True))
        return Settings(node, mark.temperature, mark.max_tokens) if with_settings and _has_settings(mark) else node

    def _body(self, number: int) -> Node:
        body, mark = self._grammar.rules[number].body, self._reading.marks.get(number)
        if mark is None or mark.ended is None or (mark.capture is None and mark.stop_capture is None):
            return self._made[body]
        place = next(i for i in self._grammar.reachable([body]) if self._grammar.nodes[i].kind == "term")
        total = Expr(self._set, self._reading.written.lexing.at(place))
        labels = [None if name is None else Label(name, self._is_list) for name in (mark.capture, mark.stop_capture)]
        text, suffix = (Expr(self._set, root) for root in mark.ended)
        return join([Until(text, suffix, total, labels[0], labels[1]), self._skip])

    def _set_around(self, number: int, node: Node) -> Node:
        mark = self._reading.marks.get(number)
        return node if mark is None or not _has_settings(mark) else Settings(node, mark.temperature, mark.max_tokens)

    # ------------------------------------------------------------------------------ runs of their own

    def _split(self, before: Node, settings: list[int]) -> Node:
        """The start rule's parts one behind the other, those with settings apart."""
        grammar, start = self._grammar, self._grammar.start
        body = grammar.nodes[grammar.rules[start].body]
        items = list(body.items) if body.kind == "seq" else [grammar.rules[start].body]
        owners = {k: grammar.nodes[i].value for k, i in enumerate(items) if grammar.nodes[i].kind == "rule"}
        apart = {k: number for k, number in owners.items() if number in settings}
        uses = [i for i in grammar.reachable(grammar.rules[n].body for n in self._rules) if grammar.nodes[i].kind == "rule"]
        for number in settings:
            here = [i for i in uses if grammar.nodes[i].value == number]
            if number not in apart.values() or any(i not in items for i in here) or start in self._reading.written.rewritten:
                self._refuse("a temperature or limit", number, "it stands inside other parts, expected it in the start rule's own sequence")
        for k, number in apart.items():
            for border in (k, k + 1):
                if not self._is_certain(items[:border], items[border:]):
                    self._refuse("a temperature or limit", number, "a lexeme at its border might go on in what follows")
        pieces = [before, *(self._made[i] for i in items)]
        tree: Node = join(pieces)
        mark = self._reading.marks.get(start)
        return tree if mark is None or mark.capture is None else Capture(tree, Label(mark.capture, self._is_list, is_trimmed=True))

    def _neighbours(self) -> Neighbours:
        """Which terminals may stand beside which, in the grammar as it is now."""
        rules = self._grammar.used_rules()
        return Neighbours(self._grammar, rules, self._grammar.nullable_rules(rules))

    def _is_certain(self, left: list[int], right: list[int]) -> bool:
        """Does no lexeme before the border go on with what may come behind it?"""
        lexing = self._reading.written.lexing
        if lexing.reading == "dynamic" or not left or not right:
            return True
        n, last, first = self._neighbours(), 0, 0
        for i in left:
            last = last | n.last[i] if n.nullable[i] else n.last[i]
        for i in reversed(right):
            first = first | n.first[i] if n.nullable[i] else n.first[i]
        behind = 0
        for t in range(len(lexing.terminals)):
            behind |= lexing.first_bytes[t] if first >> t & 1 else 0
        for i, number in n.opaque.items():
            behind |= lexing.bytes_of(self._set.live_bytes(self._grammar.nodes[i].value[1])) if first >> number & 1 else 0
        nodes = self._grammar.nodes
        before = [lexing.at(i) for i in self._made if nodes[i].kind == "term" and last >> nodes[i].value & 1] + self._skips
        ways = (way for root in before for way in lexing.ways.get(root, ()))
        return not any(
            behind & more for root, munch in ways if munch is not None for more in lexing.going_on(root, munch)
        )


def _has_settings(mark: Mark) -> bool:
    return mark.temperature is not None or mark.max_tokens is not None
