"""A grammar as an expression: each rule a rule of the core, each terminal the lexeme of its place, ignored text behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...errors import UnsatisfiableError
from ...expr import Expr
from .grammar import Grammar
from .lexing import Lexing
from .recursion import without_left_recursion

__all__ = ["Written", "write", "write_in_full"]


def write(grammar: Grammar, expr_set: Any, reading: str) -> Expr:
    """The texts of the start rule. Raises UnsatisfiableError, naming the rule, where there are none."""
    return write_in_full(grammar, expr_set, reading).expr


@dataclass
class Written:
    """An expression, and how the grammar came to be what it is now.

    `origins`: by rule, the one that it is a copy of in another lexical context (itself where it is none). `rewritten`: those
    whose bodies changed with left recursion; rules without an origin came with them.
    """

    expr: Expr
    lexing: Lexing
    origins: dict[int, int]
    rewritten: set[int]


def write_in_full(grammar: Grammar, expr_set: Any, reading: str) -> Written:
    """The same, with what stands at each place."""
    rules = grammar.used_rules()
    _check_productive(grammar, rules)
    expr_set.mark_grammar()
    lexing = Lexing(grammar, expr_set, reading)
    rules = grammar.used_rules()  # lexing may have split them
    origins = {number: number for number in range(len(grammar.rules))}
    if lexing.splitter is not None:
        origins |= lexing.splitter.origins
    bodies = [rule.body for rule in grammar.rules]
    without_left_recursion(grammar, rules, grammar.nullable_rules(rules))
    rewritten = {number for number, body in enumerate(bodies) if grammar.rules[number].body != body}
    return Written(Expr(expr_set, _Writer(grammar, expr_set, lexing).root()), lexing, origins, rewritten)


def _check_productive(grammar: Grammar, rules: list[int]) -> None:
    productive = grammar.productive_rules(rules)
    endless = [grammar.rules[r] for r in rules if r not in productive]
    if not endless:
        return
    names = ", ".join(repr(r.name) for r in endless[:5])
    if grammar.start not in productive:
        raise UnsatisfiableError(grammar.source.message(f"no text satisfies the grammar: {names} can never end", grammar.rules[grammar.start].at))
    grammar.fail(f"{names} can never end: no text satisfies the rule", endless[0].at)


class _Writer:
    def __init__(self, grammar: Grammar, expr_set: Any, lexing: Lexing) -> None:
        self.grammar = grammar
        self.set = expr_set
        self.lexing = lexing
        self.skip = lexing.skip() if grammar.ignored else expr_set.EMPTY_STRING

    def root(self) -> int:
        grammar, s = self.grammar, self.set
        rules = grammar.used_rules()
        made_rules = {r: s.rule(grammar.rules[r].name) for r in rules}
        made: dict[int, int] = {}
        for i in grammar.reachable(grammar.rules[r].body for r in rules):
            made[i] = self.node(i, made, made_rules)
        for r in rules:
            s.define(made_rules[r], made[grammar.rules[r].body])
        before = self.skip if grammar.skips_at_start else s.EMPTY_STRING
        return int(s.concat([before, made_rules[grammar.start]]))

    def node(self, i: int, made: dict[int, int], made_rules: dict[int, int]) -> int:
        node, s = self.grammar.nodes[i], self.set
        if node.kind == "seq":
            return int(s.concat([made[k] for k in node.items]))
        if node.kind == "alt":
            return int(s.union([made[k] for k in node.items]))
        if node.kind == "repeat":
            least, most = node.value
            return int(s.repeat(made[node.items[0]], least, -1 if most is None else most))
        if node.kind == "rule":
            return made_rules[node.value]
        if node.kind == "term":
            return int(s.concat([self.lexing.at(i), self.skip]))
        return int(s.concat([node.value[1], self.skip]))
