"""Left recursion, rewritten: direct, through other rules, and hidden behind parts that may be empty.

Rules that can begin with each other are solved together, like a system of linear equations over languages: the nonempty
texts of rule i are B_i, which begin with none of these rules, and whatever follows one of them first,

    A_i = B_i ∪ A_1·C_1i ∪ … ∪ A_n·C_ni,   so   A_i = ⋃_j B_j·N_ji   with   N_ji = {ε if j = i} ∪ ⋃_k C_jk·N_ki.

The N are rules that recur on the right. Alone, a rule is A = B·C*, and the repetition keeps what an ambiguous grammar piles
up in one place (C*·C* = C*). There a step α·A may as well be α·B, since (α·B·C*)* is (α·B)* beside the other steps: so the
ambiguous E -> E + E becomes B (+ B)*, as one would write it. Where C_jk has the empty text (a rule that is another one), the steps that it allows for
nothing are taken beforehand. The language stays the same, and so does every neighbour of every terminal.

Source: Arden's lemma; Greibach 1965, Rosenkrantz 1967 for the matrix form. Held by tests/test_lark.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import LimitExceeded, UnsupportedError
from .grammar import Grammar

__all__ = ["nonempty_texts", "without_left_recursion"]

MAX_COMPONENT = 200  # rules of the result are its square


@dataclass(slots=True)
class Split:
    """A part's texts: the empty one?; nonempty ones that begin with no rule of the component; by such a rule, what follows."""

    nullable: bool
    base: list[int]
    behind: dict[int, list[int]]


def without_left_recursion(grammar: Grammar, rules: list[int], nullable: set[int]) -> None:
    """Rewrites the bodies of the rules that can begin with themselves."""
    rewriter = _Rewriter(grammar, nullable)
    components = rewriter.components(rules)
    for component in components:
        rewriter.solve(component)
    rewriter.define_nonempty()


def nonempty_texts(grammar: Grammar, node: int, rules: list[int]) -> int:
    """A node of the texts of `node` but the empty one; `rules` are those below it, and each has a text."""
    rewriter = _Rewriter(grammar, grammar.nullable_rules(rules))
    whole = grammar.rule("", grammar.alt(rewriter.split(node, set()).base))
    rewriter.define_nonempty()
    made = [whole, *rewriter.nonempty_rules.values()]
    productive = grammar.productive_rules([*rules, *made])
    for number in made:  # a rule that has the empty text only has none here
        rule = grammar.rules[number]
        ways = grammar.nodes[rule.body].items if grammar.nodes[rule.body].kind == "alt" else [rule.body]
        rule.body = grammar.alt(way for way in ways if grammar.is_productive(way, productive))
    return grammar.rules[whole].body


class _Rewriter:
    def __init__(self, grammar: Grammar, nullable: set[int]) -> None:
        self.grammar = grammar
        self.nullable = nullable
        self.nonempty_rules: dict[int, int] = {}
        self.empty: dict[int, bool] = {}

    # ------------------------------------------------------------------------------ which rules

    def beginnings(self, rule: int) -> list[int]:
        """The rules that a text of `rule` may begin with, behind nothing."""
        edge = self.grammar.at_edge(self.grammar.rules[rule].body, self.empty)
        return [node.value for i in sorted(edge) if (node := self.grammar.nodes[i]).kind == "rule"]

    def components(self, rules: list[int]) -> list[list[int]]:
        """The strongly connected sets of rules that begin with each other (Tarjan 1972), without recursion."""
        self.empty = self.grammar.nullable_nodes([self.grammar.rules[r].body for r in rules], self.nullable)
        edges = {r: self.beginnings(r) for r in rules}
        index: dict[int, int] = {}
        low: dict[int, int] = {}
        on_stack: set[int] = set()
        stack: list[int] = []
        found: list[list[int]] = []
        for root in rules:
            if root in index:
                continue
            work = [(root, 0)]
            while work:
                r, k = work.pop()
                if k == 0:
                    index[r] = low[r] = len(index)
                    stack.append(r)
                    on_stack.add(r)
                if k < len(edges[r]):
                    work.append((r, k + 1))
                    following = edges[r][k]
                    if following not in index:
                        work.append((following, 0))
                    elif following in on_stack:
                        low[r] = min(low[r], index[following])
                    continue
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[r])
                if low[r] == index[r]:
                    component: list[int] = []
                    while not component or component[-1] != r:
                        component.append(stack.pop())
                        on_stack.discard(component[-1])
                    if len(component) > 1 or r in edges[r]:
                        found.append(component)
        return found

    # ------------------------------------------------------------------------------ parts

    def split(self, root: int, component: set[int]) -> Split:
        """Splits a part; what is in front only is looked at, children first, without recursion."""
        grammar = self.grammar
        empty = grammar.nullable_nodes([root], self.nullable)
        found: dict[int, Split] = {}
        for i in sorted(grammar.at_edge(root, empty)):
            found[i] = self.split_node(i, found, empty, component)
        return found[root]

    def split_node(self, i: int, found: dict[int, Split], empty: dict[int, bool], component: set[int]) -> Split:
        grammar, node = self.grammar, self.grammar.nodes[i]
        if node.kind == "rule":
            if node.value in component:
                return Split(empty[i], [], {node.value: [grammar.empty]})
            return Split(empty[i], [self.nonempty(node.value) if empty[i] else i], {})
        if node.kind == "term" and empty[i]:
            terminal = grammar.terminals[node.value]
            what = f"terminal {terminal.name!r}, which may be empty"
            raise UnsupportedError(what, "in left recursion", grammar.source.message(f"{what}, is not supported in left recursion", terminal.at))
        if node.kind in ("term", "expr"):
            return Split(empty[i], [self.nonempty_expr(i) if empty[i] else i], {})
        made = Split(empty[i], [], {})
        if node.kind == "alt":
            for k in node.items:
                self.extend(made, found[k], grammar.empty)
        elif node.kind == "repeat":
            least, most = node.value
            item = found[node.items[0]]
            again = 0 if item.nullable else max(0, least - 1)
            self.extend(made, item, grammar.repeat(node.items[0], again, None if most is None else most - 1))
        else:
            rests = [grammar.empty]
            for k in reversed(node.items):
                rests.append(grammar.seq(k, rests[-1]))
            rests.reverse()
            for position, k in enumerate(node.items):
                self.extend(made, found[k], rests[position + 1])
                if not empty[k]:
                    break
        return made

    def extend(self, split: Split, part: Split, rest: int) -> None:
        """Adds `part` with `rest` behind it."""
        grammar = self.grammar
        split.base += [grammar.seq(b, rest) for b in part.base]
        for rule, behind in part.behind.items():
            split.behind.setdefault(rule, []).extend(grammar.seq(b, rest) for b in behind)

    def nonempty(self, rule: int) -> int:
        """A rule of the nonempty texts of a rule that may be empty; its body is found when all are rewritten."""
        grammar = self.grammar
        if rule not in self.nonempty_rules:
            self.nonempty_rules[rule] = grammar.rule(grammar.rules[rule].name, at=grammar.rules[rule].at)
        return grammar.add("rule", value=self.nonempty_rules[rule])

    def define_nonempty(self) -> None:
        done = 0
        while done < len(self.nonempty_rules):  # which grows
            rule, number = list(self.nonempty_rules.items())[done]
            self.grammar.rules[number].body = self.grammar.alt(self.split(self.grammar.rules[rule].body, set()).base)
            done += 1

    def nonempty_expr(self, i: int) -> int:
        expr_set, root = self.grammar.nodes[i].value
        some = expr_set.concat([expr_set.byte_range(0, 255), expr_set.ANYTHING])
        return self.grammar.add("expr", value=(expr_set, expr_set.intersection([root, some])))

    # ------------------------------------------------------------------------------ solving

    def solve(self, component: list[int]) -> None:
        grammar = self.grammar
        splits = {r: self.split(grammar.rules[r].body, set(component)) for r in component}
        if len(component) == 1:
            (rule,) = component
            split = splits[rule]
            base = grammar.alt(split.base)
            behind = [self.ended_by(c, rule, grammar.optional(base) if split.nullable else base) for c in split.behind[rule]]
            if base in behind:  # A -> A A: any number of A is no more than any number of B
                behind = [base, *(c for c, old in zip(behind, split.behind[rule]) if c != base and not self.is_only(old, rule))]
            steps = [self.nonempty_part(c) for c in behind if c != grammar.empty]
            again = grammar.repeat(grammar.alt(s for step in steps for s in step), 0, None) if any(steps) else grammar.empty
            self.define(rule, [grammar.seq(base, again)] if split.base else [])
            return
        if len(component) > MAX_COMPONENT:
            names = ", ".join(repr(grammar.rules[r].name) for r in component[:3])
            message = f"{self.grammar.source.notation}: {len(component)} rules that begin with each other are more than {MAX_COMPONENT}: {names} and others"
            raise LimitExceeded("max_left_recursion", len(component), MAX_COMPONENT, message)
        ends = self.ends(component, splits)
        for i in component:
            self.define(i, [grammar.seq(b, end) for j in component for b in splits[j].base for end in [ends.get((j, i))] if end is not None])

    def ended_by(self, node: int, rule: int, base: int) -> int:
        """The part with `base` in place of the rule that it ends with."""
        grammar, heads = self.grammar, list[int]()
        while grammar.nodes[node].kind == "seq" and grammar.nodes[node].items:
            *front, node = grammar.nodes[node].items
            heads += front
        if (grammar.nodes[node].kind, grammar.nodes[node].value) == ("rule", rule):
            node = base
        return grammar.seq(*heads, node)

    def is_only(self, node: int, rule: int) -> bool:
        """Is the part the rule, several times over?"""
        leaves = [n for i in self.grammar.reachable([node]) if not (n := self.grammar.nodes[i]).items]
        shapes = {self.grammar.nodes[i].kind for i in self.grammar.reachable([node])}
        return shapes <= {"seq", "rule"} and all(n.kind == "rule" and n.value == rule for n in leaves)

    def define(self, rule: int, texts: list[int]) -> None:
        body = self.grammar.alt([*texts, self.grammar.empty] if rule in self.nullable else texts)
        self.grammar.rules[rule].body = body

    def nonempty_part(self, node: int) -> list[int]:
        return self.split(node, set()).base

    def ends(self, component: list[int], splits: dict[int, Split]) -> dict[tuple[int, int], int]:
        """N_ji as nodes, for those pairs where j can become i at all."""
        grammar = self.grammar
        nothing: dict[int, set[int]] = {j: {j} for j in component}  # what j becomes for nothing
        steps: dict[int, dict[int, list[int]]] = {j: {} for j in component}
        for k in component:
            for j, coefficients in splits[k].behind.items():
                for c in coefficients:
                    split = self.split(c, set())
                    if split.nullable:
                        nothing[j].add(k)
                    steps[j].setdefault(k, []).extend(split.base)
        for _ in component:  # transitive closure
            for j in component:
                nothing[j] = set().union(*(nothing[k] for k in nothing[j]))
        numbers = {(j, i): grammar.rule(f"{grammar.rules[i].name}", at=grammar.rules[i].at) for j in component for i in component}
        for (j, i), number in numbers.items():
            ways = [grammar.empty] if i in nothing[j] else []
            for j2 in nothing[j]:
                for k, several in steps[j2].items():
                    onward = grammar.add("rule", value=numbers[k, i])
                    ways += [grammar.seq(step, onward) for step in several]
            grammar.rules[number].body = grammar.alt(ways)
        return {pair: grammar.add("rule", value=number) for pair, number in numbers.items()}
