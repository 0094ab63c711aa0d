"""From nodes to one expression of the algebra: captures, temperatures and limits fall away, the language stays.

Held by tests/test_dsl.py: what the expression matches, captures.py can take apart.
"""

from __future__ import annotations

import threading

from .._native import ExprSet
from ..expr import Expr, utf8_text
from .nodes import (
    Alternatives,
    Capture,
    Choice,
    Free,
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
)
from .places import ProgramError

__all__ = ["EXPRESSIONS", "expression", "until"]

# Nodes are shared between threads, and with them the arenas of their expressions.
EXPRESSIONS = threading.RLock()


def expression(node: Node) -> Expr:
    """The texts of a node, in an arena of their own."""
    expr_set = ExprSet()
    with EXPRESSIONS:
        try:
            return Expr(expr_set, _Builder(expr_set).build(node))
        except RecursionError:
            raise ProgramError("dsl: the parts of the program nest too deep for Python's stack") from None


def until(body: Expr | None, stop: Expr) -> Expr:
    """The texts of `body` (None: any) with a text of `stop` behind them that end with the first occurrence of one."""
    expr_set = ExprSet()
    anything = utf8_text(expr_set)
    stop_root = expr_set.copy_from(stop.set, stop.root)
    body_root = anything if body is None else expr_set.copy_from(body.set, body.root)
    byte = expr_set.byte_range(0, 255)
    any_bytes = expr_set.repeat(byte, 0, -1)
    goes_on = expr_set.concat([any_bytes, stop_root, byte, any_bytes])
    ended = expr_set.concat([body_root, stop_root])
    return Expr(expr_set, expr_set.intersection([ended, expr_set.complement(goes_on)]))


class _Builder:
    """One arena, and the rules in it."""

    def __init__(self, expr_set: ExprSet) -> None:
        self._set = expr_set
        self._rules: dict[int, int] = {}

    def build(self, node: Node) -> int:
        expr_set = self._set
        if isinstance(node, Text):
            return expr_set.literal(node.data)
        if isinstance(node, (Leaf, Choice, Lexeme, Parsed)):
            return expr_set.copy_from(node.expr.set, node.expr.root)
        if isinstance(node, Until):
            return expr_set.copy_from(node.total.set, node.total.root)
        if isinstance(node, Free):
            return utf8_text(expr_set)
        if isinstance(node, Sequence):
            return expr_set.concat([self.build(part) for part in node.parts])
        if isinstance(node, Alternatives):
            return expr_set.union([self.build(option) for option in node.options])
        if isinstance(node, Repeat):
            return expr_set.repeat(self.build(node.item), node.min, -1 if node.max is None else node.max)
        if isinstance(node, (Capture, Settings)):
            return self.build(node.item)
        if isinstance(node, Rule):
            return self._rule(node)
        raise ProgramError(f"dsl: {type(node).__name__} cannot be part of a grammar")

    def _rule(self, node: Rule) -> int:
        if id(node) not in self._rules:
            if node.body is None:
                raise ProgramError(f"dsl: the function {node.name!r} is used while its grammar is still being made")
            rule = self._rules[id(node)] = self._set.rule(node.name)
            self._set.define(rule, self.build(node.body))
        return self._rules[id(node)]
