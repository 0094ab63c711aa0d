"""Rules told apart by what came before them, where the lexer asks for other terminals there.

After `AS` a word is a name whatever it spells; at the start of a statement it may be a keyword. Where one rule stands in both
places its first terminal is two lexemes. So the contexts are put into classes, by what they mean to the terminals
that have rivals, and rules are split by the class before them and the class behind them: the product of the grammar and
the automaton whose states are the classes. Mostly there is one class, and nothing is split.

Held by tests/test_lark.py and test_grammars.py.
"""

from __future__ import annotations

from ...errors import LimitExceeded
from .grammar import Grammar

__all__ = ["Splitter"]

MAX_UNROLLED = 1000

Ways = dict[int, int]  # by class behind, the node


class Splitter:
    """`classes` by place of a terminal or an expression: the class behind it. The grammar's rules are replaced."""

    def __init__(self, grammar: Grammar, class_behind: dict[int, int], nullable: set[int]) -> None:
        self.grammar = grammar
        self.class_behind = class_behind
        self.nullable = nullable
        self.class_before: dict[int, int] = {}  # by new terminal node
        self.place_of: dict[int, int] = {}  # by new terminal node, the one that it comes from
        self.numbers: dict[tuple[int, int, int], int] = {}
        self.waiting: list[tuple[int, int]] = []  # a rule and the class before it
        self.bodies: set[tuple[int, int]] = set()
        self.last = self.last_places(grammar.used_rules())

    def split(self, first_class: int) -> None:
        """Replaces the start rule by the split one."""
        grammar = self.grammar
        ways = self.rule_ways(grammar.start, first_class)
        while self.waiting:
            rule, before = self.waiting.pop()
            found = self.ways(grammar.rules[rule].body, before)
            for behind in self.classes_behind(rule, before):
                number = self.numbers[rule, before, behind]
                grammar.rules[number].body = found[behind] if behind in found else grammar.alt([])
        start = grammar.rules[grammar.start]
        grammar.start = grammar.rule(start.name, grammar.alt(ways.values()), start.at)

    # ------------------------------------------------------------------------------ rules

    def last_places(self, rules: list[int]) -> dict[int, set[int]]:
        """By rule, the classes behind the terminals that it may end with."""
        grammar = self.grammar
        found: dict[int, set[int]] = {r: set() for r in rules}
        users: dict[int, set[int]] = {}
        work = list(rules)
        while work:
            r = work.pop()
            body = grammar.rules[r].body
            empty = grammar.nullable_nodes([body], self.nullable)
            mine, stack, seen = set[int](), [body], set[int]()
            while stack:
                i = stack.pop()
                if i in seen:
                    continue
                seen.add(i)
                node = grammar.nodes[i]
                if node.kind == "rule":
                    users.setdefault(node.value, set()).add(r)
                    mine |= found[node.value]
                elif node.kind in ("term", "expr"):
                    mine.add(self.class_behind[i])
                for k in reversed(node.items):
                    stack.append(k)
                    if node.kind == "seq" and not empty[k]:
                        break
            if mine != found[r]:
                found[r] = mine
                work += users.get(r, ())
        return found

    def classes_behind(self, rule: int, before: int) -> set[int]:
        return self.last[rule] | ({before} if rule in self.nullable else set())

    def rule_ways(self, rule: int, before: int) -> Ways:
        """The split rules of a rule behind a class, which are written later."""
        grammar = self.grammar
        if (rule, before) not in self.bodies:
            self.bodies.add((rule, before))
            self.waiting.append((rule, before))
            for behind in self.classes_behind(rule, before):
                self.numbers[rule, before, behind] = grammar.rule(grammar.rules[rule].name, at=grammar.rules[rule].at)
        return {behind: grammar.add("rule", value=self.numbers[rule, before, behind]) for behind in self.classes_behind(rule, before)}

    # ------------------------------------------------------------------------------ parts

    def ways(self, root: int, before: int) -> Ways:
        """A part behind a class; parts inside it first, each behind the classes that it is met with, without recursion."""
        found: dict[tuple[int, int], Ways] = {}
        stack = [(root, before)]
        while stack:
            i, k = stack[-1]
            needed = self.ways_of(i, k, found)
            if isinstance(needed, list):
                stack += needed
            else:
                found[i, k] = needed
                stack.pop()
        return found[root, before]

    def ways_of(self, i: int, before: int, found: dict[tuple[int, int], Ways]) -> Ways | list[tuple[int, int]]:
        """The ways, or what has to be found first."""
        grammar, node = self.grammar, self.grammar.nodes[i]
        if (i, before) in found:
            return found[i, before]
        if node.kind in ("term", "expr"):
            made = grammar.add(node.kind, value=node.value)
            self.class_before[made], self.place_of[made] = before, i
            return {self.class_behind[i]: made}
        if node.kind == "rule":
            return self.rule_ways(node.value, before)
        if node.kind == "alt":
            missing = [(k, before) for k in node.items if (k, before) not in found]
            return missing or self.united([found[k, before] for k in node.items])
        if node.kind == "repeat":
            return self.repeated(i, before, found)
        ways: Ways = {before: grammar.empty}
        for k in node.items:
            missing = [(k, b) for b in ways if (k, b) not in found]
            if missing:
                return missing
            ways = self.joined(ways, k, found)
        return ways

    def joined(self, ways: Ways, item: int, found: dict[tuple[int, int], Ways]) -> Ways:
        grammar = self.grammar
        return self.united([{b: grammar.seq(node, n) for b, n in found[item, k].items()} for k, node in ways.items()])

    def united(self, several: list[Ways]) -> Ways:
        made: dict[int, list[int]] = {}
        for ways in several:
            for behind, node in ways.items():
                made.setdefault(behind, []).append(node)
        return {behind: self.grammar.alt(nodes) for behind, nodes in made.items()}

    def repeated(self, i: int, before: int, found: dict[tuple[int, int], Ways]) -> Ways | list[tuple[int, int]]:
        grammar, node = self.grammar, self.grammar.nodes[i]
        (item,), (least, most) = node.items, node.value
        seen, work = {before}, [before]  # the classes that an item may be met with
        while work:
            k = work.pop()
            if (item, k) not in found:
                return [(item, k)]
            for behind in found[item, k]:
                if behind not in seen:
                    seen.add(behind)
                    work.append(behind)
        nothing: Ways = {before: grammar.empty}
        once = found[item, before]
        if set(once) == {before}:
            return {before: grammar.repeat(once[before], least, most)}
        if len(once) == 1 and set(found[item, next(iter(once))]) == set(once):
            ((behind, first),) = once.items()
            again = grammar.repeat(found[item, behind][behind], max(0, least - 1), None if most is None else most - 1)
            ways = {behind: grammar.seq(first, again)}
            return ways if least else self.united([nothing, ways])
        return self.unrolled(nothing, item, least, most, found)

    def unrolled(self, ways: Ways, item: int, least: int, most: int | None, found: dict[tuple[int, int], Ways]) -> Ways:
        """One item after the other; without an end, by rules that recur on the right."""
        if max(least, most or 0) > MAX_UNROLLED:
            given = max(least, most or 0)
            message = f"lark: a repetition of {given} whose parts are lexed in several ways is more than {MAX_UNROLLED}"
            raise LimitExceeded("max_unrolled", given, MAX_UNROLLED, message)
        for _ in range(least):
            ways = self.joined(ways, item, found)
        if most is not None:
            results = [ways]
            for _ in range(most - least):
                results.append(self.joined(results[-1], item, found))
            return self.united(results)
        grammar = self.grammar
        classes, work = list(ways), list(ways)
        while work:
            for behind in found[item, work.pop()]:
                if behind not in classes:
                    classes.append(behind)
                    work.append(behind)
        loops = {(k, b): grammar.rule("repeated") for k in classes for b in classes}
        for (k, b), number in loops.items():
            on = [grammar.seq(n, grammar.add("rule", value=loops[c, b])) for c, n in found[item, k].items()]
            grammar.rules[number].body = grammar.alt([grammar.empty, *on] if k == b else on)
        return self.united([{b: grammar.seq(n, grammar.add("rule", value=loops[k, b])) for b in classes} for k, n in ways.items()])
