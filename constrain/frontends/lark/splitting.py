"""Rules told apart by what came before them, where the lexer asks for other terminals there.

After `AS` a word is a name whatever it spells; at the start of a statement it may be a keyword. Where one rule stands in both
places its first terminal is two lexemes. So the contexts are put into classes, by what they mean to the terminals
that have rivals, and a rule is written once for each class that comes before it. What comes behind a rule is lexed as
behind any of the terminals that it may end with: the union of their classes, which asks no terminal too few. Mostly there
is one class, and nothing is split.

Splitting by the class behind a rule as well was tried once (no committed command repeats it): grammars/sql.lark then agreed with Lark on all of 1,000 mutated texts
instead of 998 (`t.* fromk` is not read as `from k`), with 181 rules instead of 82 and new masks four times as slow.

Held by tests/test_lark.py and test_grammars.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .grammar import Grammar

__all__ = ["Splitter"]

Part = tuple[int, int]  # the class behind, and the node


class Splitter:
    """`class_behind` by place of a terminal or an expression; `united` makes one class of several. Replaces the start rule."""

    def __init__(
        self, grammar: Grammar, class_behind: dict[int, int], nullable: set[int], united: Callable[[frozenset[int]], int]
    ) -> None:
        self.grammar = grammar
        self.class_behind = class_behind
        self.nullable = nullable
        self.union_of = united
        self.class_before: dict[int, int] = {}  # by new terminal node
        self.place_of: dict[int, int] = {}  # by new terminal node, the one that it comes from
        self.numbers: dict[tuple[int, int], int] = {}
        self.waiting: list[tuple[int, int]] = []
        self.last = self.last_classes(grammar.used_rules())

    def united(self, classes: Iterable[int]) -> int:
        several = frozenset(classes)
        return next(iter(several)) if len(several) == 1 else self.union_of(several)

    def split(self, first_class: int) -> None:
        grammar = self.grammar
        _, start = self.rule_part(grammar.start, first_class)
        while self.waiting:
            rule, before = self.waiting.pop()
            grammar.rules[self.numbers[rule, before]].body = self.part(grammar.rules[rule].body, before)[1]
        grammar.start = grammar.nodes[start].value

    # ------------------------------------------------------------------------------ rules

    def last_classes(self, rules: list[int]) -> dict[int, set[int]]:
        """By rule, the classes behind the terminals that it may end with."""
        grammar = self.grammar
        found: dict[int, set[int]] = {r: set() for r in rules}
        empty = grammar.nullable_nodes([grammar.rules[r].body for r in rules], self.nullable)
        users: dict[int, set[int]] = {}
        work = list(rules)
        while work:
            r = work.pop()
            mine = set[int]()
            for i in grammar.at_edge(grammar.rules[r].body, empty, last=True):
                node = grammar.nodes[i]
                if node.kind == "rule":
                    users.setdefault(node.value, set()).add(r)
                    mine |= found[node.value]
                elif node.kind in ("term", "expr"):
                    mine.add(self.class_behind[i])
            if mine != found[r]:
                found[r] = mine
                work += users.get(r, ())
        return found

    def rule_part(self, rule: int, before: int) -> Part:
        """The rule behind a class, which is written later."""
        grammar = self.grammar
        if (rule, before) not in self.numbers:
            self.numbers[rule, before] = grammar.rule(grammar.rules[rule].name, at=grammar.rules[rule].at)
            self.waiting.append((rule, before))
        behind = self.united({*self.last[rule], before} if rule in self.nullable or not self.last[rule] else self.last[rule])
        return behind, grammar.add("rule", value=self.numbers[rule, before])

    # ------------------------------------------------------------------------------ parts

    def part(self, root: int, before: int) -> Part:
        """A part behind a class; what is inside it first, without recursion."""
        found: dict[tuple[int, int], Part] = {}
        stack = [(root, before)]
        while stack:
            i, k = stack[-1]
            made = found.get((i, k)) or self.made(i, k, found)
            if isinstance(made, list):
                stack += made
            else:
                found[i, k] = made
                stack.pop()
        return found[root, before]

    def made(self, i: int, before: int, found: dict[tuple[int, int], Part]) -> Part | list[tuple[int, int]]:
        """The part, or what has to be found first."""
        grammar, node = self.grammar, self.grammar.nodes[i]
        if node.kind in ("term", "expr"):
            new = grammar.add(node.kind, value=node.value)
            self.class_before[new], self.place_of[new] = before, i
            return self.class_behind[i], new
        if node.kind == "rule":
            return self.rule_part(node.value, before)
        if node.kind == "repeat":
            return self.repeated(i, before, found)
        if node.kind == "alt":
            missing = [(k, before) for k in node.items if (k, before) not in found]
            if missing or not node.items:
                return missing or (before, i)
            parts = [found[k, before] for k in node.items]
            return self.united(c for c, _ in parts), grammar.alt(n for _, n in parts)
        nodes, current = list[int](), before
        for k in node.items:
            if (k, current) not in found:
                return [(k, current)]
            current, new = found[k, current]
            nodes.append(new)
        return current, grammar.seq(*nodes)

    def repeated(self, i: int, before: int, found: dict[tuple[int, int], Part]) -> Part | list[tuple[int, int]]:
        """The first time behind `before`, then again and again behind itself."""
        grammar, node = self.grammar, self.grammar.nodes[i]
        (item,), (least, most) = node.items, node.value
        if (item, before) not in found:
            return [(item, before)]
        behind, first = found[item, before]
        while True:
            if (item, behind) not in found:
                return [(item, behind)]
            next_class, again = found[item, behind]
            if self.united({behind, next_class}) == behind:
                break
            behind = self.united({behind, next_class})
        if behind == before:
            return before, grammar.repeat(again, least, most)
        rest = grammar.repeat(again, max(0, least - 1), None if most is None else most - 1)
        once = grammar.seq(first, rest)
        return (behind, once) if least else (self.united({before, behind}), grammar.optional(once))
