"""ISO/IEC 14977's exceptions: the texts of one part that are none of another.

Both parts become expressions of their own, inner exceptions first. What is taken away must not be recursive, as the standard
asks; where neither part is, the difference is a table, which needs no search for what is left. The usual way to say
one or more, `{ … } -`, is no difference: its texts are the nonempty ones. Held by tests/test_notations.py.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from ...errors import LimitExceeded, UnsupportedError
from ..lark.grammar import Grammar
from ..lark.recursion import nonempty_texts
from ..lark.writer import write
from .definitions import Definitions

__all__ = ["resolve_exceptions"]

NOTHING_LEFT = "nothing is left of the exception"


def resolve_exceptions(definitions: Definitions, grammar: Grammar) -> None:
    """Replaces the nodes of the kind "except" that the start rule leads to."""
    reached = grammar.reachable([grammar.rules[grammar.start].body], into_rules=True) if definitions.exceptions else []
    resolver = _Resolver(definitions)
    for node in resolver.in_order([i for i in reached if i in definitions.exceptions]):
        resolver.resolve(node)


class _Resolver:
    def __init__(self, definitions: Definitions) -> None:
        self.set = definitions.expr_set
        self.grammar = definitions.grammar
        self.offsets = definitions.exceptions

    def in_order(self, exceptions: list[int]) -> list[int]:
        """Those that others lead to come first, where none leads to itself."""
        opened: set[int] = set()
        closed: dict[int, None] = {}
        for start in exceptions:
            stack = [start]
            while stack:
                i = stack[-1]
                if i not in opened:
                    opened.add(i)
                    node = self.grammar.nodes[i]
                    below = (self.grammar.rules[node.value].body,) if node.kind == "rule" else node.items
                    stack += [k for k in below if k not in opened]
                else:
                    closed.setdefault(stack.pop())
        return [i for i in closed if i in self.offsets]

    def resolve(self, i: int) -> None:
        grammar, node, at = self.grammar, self.grammar.nodes[i], self.offsets[i]
        reached = grammar.reachable(node.items, into_rules=True)
        if any(grammar.nodes[k].kind == "except" for k in reached):
            what = "an exception that contains itself, through rules, is not supported"
            raise UnsupportedError("recursive exception", "in a grammar", grammar.source.message(what, at))
        left, right = node.items
        if right == grammar.empty:
            node.kind, node.value = "rule", grammar.rule("an exception", self.nonempty(left, at), at)
        else:
            node.kind, node.value = "expr", (self.set, self.difference(left, right, at))
        node.items = ()

    def nonempty(self, left: int, at: int) -> int:
        rules = list(self.edges_below(left))
        if len(self.grammar.productive_rules(rules)) < len(rules):
            return left  # a rule has no text: whoever writes the grammar refuses it by name
        made = nonempty_texts(self.grammar, left, rules)
        if self.grammar.nodes[made].kind == "alt" and not self.grammar.nodes[made].items:
            self.grammar.fail(NOTHING_LEFT, at)
        return made

    def difference(self, left: int, right: int, at: int) -> int:
        if (recursive := self.recursive_rule(right)) is not None:
            what = f"what is excepted must not be recursive, and rule {recursive!r} is"
            raise UnsupportedError("recursive exception", "in a grammar", self.grammar.source.message(what, at))
        root = self.set.intersection([self.root_of(left, at), self.set.complement(self.root_of(right, at))])
        if self.recursive_rule(left) is None:
            try:
                root = self.set.lexeme(self.set.tabulated(root))
            except LimitExceeded:  # it stays an intersection
                pass
        if self.set.is_empty(root):
            self.grammar.fail(NOTHING_LEFT, at)
        return root

    def rules_below(self, i: int) -> list[int]:
        """The rules named below a node, not into them."""
        nodes = (self.grammar.nodes[k] for k in self.grammar.reachable([i]))
        return [node.value for node in nodes if node.kind == "rule"]

    def edges_below(self, i: int) -> dict[int, list[int]]:
        """By rule that `i` leads to, those that it names."""
        edges: dict[int, list[int]] = {}
        work = self.rules_below(i)
        while work:
            number = work.pop()
            if number not in edges:
                edges[number] = self.rules_below(self.grammar.rules[number].body)
                work += edges[number]
        return edges

    def recursive_rule(self, i: int) -> str | None:
        """The name of a rule that `i` leads to and that leads to itself."""
        try:
            TopologicalSorter(self.edges_below(i)).prepare()
        except CycleError as error:
            return self.grammar.rules[error.args[1][0]].name
        return None

    def root_of(self, i: int, at: int) -> int:
        """The texts of a node, whatever the rest of the grammar is: left recursion is rewritten in a copy."""
        grammar, part = self.grammar, Grammar(self.grammar.source)
        reached = grammar.reachable([i], into_rules=True)
        numbers = {number: part.rule(grammar.rules[number].name, at=grammar.rules[number].at)
                   for number in dict.fromkeys(grammar.nodes[k].value for k in reached if grammar.nodes[k].kind == "rule")}  # fmt: skip
        made = {grammar.empty: part.empty}
        for k in reached:
            node = grammar.nodes[k]
            value = numbers[node.value] if node.kind == "rule" else node.value
            if k not in made:
                made[k] = part.add(node.kind, [made[c] for c in node.items], value)
        for number, copied in numbers.items():
            part.rules[copied].body = made[grammar.rules[number].body]
        part.start = part.rule("an exception", made[i], at)
        return write(part, self.set, "dynamic").root
