"""What Lark's contextual lexer asks for at each place: the terminals with an action in the parser's state.

The state behind a terminal is the set of places in the grammar where the parser may be (an LR(0) state); the terminals
with an action there may come next at one of them, or, where a rule may end, follow that rule anywhere (SLR). LALR looks
at no more than that, so each set here holds what Lark's holds. A place's own set is the union over all states behind the terminals
that may come directly before it.

Repetitions are rules of their own, as Lark makes them: equal ones in different rules are one rule, whose states they share.
Sets of places, states and terminals are ints, bit n for number n.

Sources: DeRemer 1969 (SLR, LR(0)); Glushkov 1961 for places within a rule's body. Held by tests/test_lark.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import or_

from .grammar import Grammar

__all__ = ["Context", "Contexts", "contexts", "members"]

MAX_PLACES = 4000
MAX_STATES = 3000


def members(bits: int) -> Iterator[int]:
    """The numbers of a set."""
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low


@dataclass(slots=True)
class Body:
    """A rule, or a repetition: its places, first and last ones, and whether it may be empty."""

    nullable: bool
    first: int = 0
    last: int = 0
    uses: list[int] = field(default_factory=list)  # the places where it stands


@dataclass(slots=True)
class Place:
    """An occurrence in a body: of a terminal (its number), of a body (its number), or of an expression (neither)."""

    owner: int
    node: int
    terminal: int = -1
    body: int = -1


class Places:
    """All places, and which may follow which inside their bodies."""

    def __init__(self, grammar: Grammar, rules: list[int], nullable: set[int]) -> None:
        self.grammar = grammar
        self.nullable_rules = nullable
        self.bodies: list[Body] = []
        self.places: list[Place] = []
        self.following: list[int] = []
        self.keys: dict[tuple, int] = {}
        self.key_of: dict[int, int] = {}
        self.of_rule: dict[int, int] = {}
        self.of_repeat: dict[int, tuple[int, int]] = {}  # by key: the body, and the part that it was made of
        self.twins: dict[int, int] = {}  # the nodes of a repetition that is written alike elsewhere
        self.repeats: set[int] = set()
        self.waiting: list[tuple[int, int]] = []
        for r in rules:
            self.body_of_rule(r)
        while self.waiting and len(self.places) <= MAX_PLACES:
            self.add_places(*self.waiting.pop())

    def body_of_rule(self, rule: int) -> int:
        if rule not in self.of_rule:
            self.of_rule[rule] = self.new_body(rule in self.nullable_rules)
            self.waiting.append((self.of_rule[rule], self.grammar.rules[rule].body))
        return self.of_rule[rule]

    def new_body(self, nullable: bool) -> int:
        self.bodies.append(Body(nullable))
        return len(self.bodies) - 1

    def key(self, i: int) -> int:
        """Equal for parts that are written alike; asked children first."""
        node = self.grammar.nodes[i]
        value = i if node.kind == "expr" else node.value
        key = (node.kind, value, *(self.key_of[k] for k in node.items))
        return self.keys.setdefault(key, len(self.keys))

    def add_places(self, number: int, root: int) -> None:
        """The places of one body: what each of its nodes begins and ends with; repetitions become bodies of their own."""
        grammar = self.grammar
        empty = grammar.nullable_nodes([root], self.nullable_rules)
        inner = self.repeats_below(root)
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for i in grammar.reachable([root]):
            if i not in self.key_of:
                self.key_of[i] = self.key(i)
        for i in self.above_repeats(root):
            node = grammar.nodes[i]
            if i in inner:
                first[i] = last[i] = self.add_place(number, i, body=self.body_of_repeat(i, empty))
            elif node.kind == "rule":
                first[i] = last[i] = self.add_place(number, i, body=self.body_of_rule(node.value))
            elif node.kind in ("term", "expr"):
                first[i] = last[i] = self.add_place(number, i, terminal=node.value if node.kind == "term" else -1)
            elif node.kind == "seq":
                first[i], last[i] = self.sequence(node.items, first, last, empty)
            else:
                first[i] = reduce(or_, (first[k] for k in node.items), 0)
                last[i] = reduce(or_, (last[k] for k in node.items), 0)
        body = self.bodies[number]
        body.first |= first[root]
        body.last |= last[root]
        if number in self.repeats:  # again and again: the body itself, then once more
            before = self.add_place(number, root, body=number)
            self.link(before, first[root])
            body.first |= before

    def repeats_below(self, root: int) -> set[int]:
        return {i for i in self.grammar.reachable([root]) if self.grammar.nodes[i].kind == "repeat" and self.grammar.nodes[i].value[1] != 1}

    def above_repeats(self, root: int) -> list[int]:
        """The nodes of a body, children first, without those inside its repetitions."""
        grammar, seen, stack = self.grammar, set[int](), [root]
        while stack:
            i = stack.pop()
            if i not in seen:
                seen.add(i)
                node = grammar.nodes[i]
                if node.kind != "repeat" or node.value[1] == 1:
                    stack += node.items
        return sorted(seen)

    def body_of_repeat(self, i: int, empty: dict[int, bool]) -> int:
        item = self.grammar.nodes[i].items[0]
        key = self.key_of[item]
        if key not in self.of_repeat:
            self.of_repeat[key] = (self.new_body(empty[item]), item)
            self.repeats.add(self.of_repeat[key][0])
            self.waiting.append((self.of_repeat[key][0], item))
        body, twin = self.of_repeat[key]
        stack = [(item, twin)]
        while stack:
            mine, other = stack.pop()
            if mine != other and mine not in self.twins:
                self.twins[mine] = other
                stack += zip(self.grammar.nodes[mine].items, self.grammar.nodes[other].items)
        return body

    def twin(self, i: int) -> int:
        while i in self.twins:
            i = self.twins[i]
        return i

    def add_place(self, owner: int, node: int, terminal: int = -1, body: int = -1) -> int:
        self.places.append(Place(owner, node, terminal, body))
        self.following.append(0)
        if body >= 0:
            self.bodies[body].uses.append(len(self.places) - 1)
        return 1 << (len(self.places) - 1)

    def sequence(self, items: Iterable[int], first: dict[int, int], last: dict[int, int], empty: dict[int, bool]) -> tuple[int, int]:
        begin, end, may_begin = 0, 0, True
        for k in items:
            self.link(end, first[k])
            if may_begin:
                begin |= first[k]
            end = end | last[k] if empty[k] else last[k]
            may_begin = may_begin and empty[k]
        return begin, end

    def link(self, ends: int, begins: int) -> None:
        for p in members(ends):
            self.following[p] |= begins


class _Analysis:
    """What may come where, found by going round until nothing changes."""

    def __init__(self, places: Places, start: int) -> None:
        self.all = places
        self.places, self.bodies = places.places, places.bodies
        self.start = places.of_rule[start]
        self.terms = reduce(or_, (1 << n for n, p in enumerate(self.places) if p.body < 0), 0)
        self.begins = self.closure_of_first()
        self.next = [self.opened(f) for f in places.following]
        self.follows = self.follow_sets()

    def opened(self, bits: int) -> int:
        """The places, and those that the bodies standing there begin with."""
        for p in members(bits & ~self.terms):
            bits |= self.begins[self.places[p].body]
        return bits

    def closure_of_first(self) -> list[int]:
        self.begins = [body.first for body in self.bodies]
        work = list(range(len(self.bodies)))
        while work:
            b = work.pop()
            bits = self.opened(self.begins[b])
            if bits != self.begins[b]:
                self.begins[b] = bits
                work += {self.places[p].owner for p in self.bodies[b].uses}
        return self.begins

    def terminals(self, bits: int) -> int:
        return reduce(or_, (1 << t for p in members(bits & self.terms) if (t := self.places[p].terminal) >= 0), 0)

    def follow_sets(self) -> list[int]:
        """By body, the terminals that may come directly behind it."""
        found = [0] * len(self.bodies)
        direct = [reduce(or_, (self.terminals(self.next[p]) for p in body.uses), 0) for body in self.bodies]
        work = list(range(len(self.bodies)))
        while work:
            b = work.pop()
            bits = direct[b]
            for p in self.bodies[b].uses:
                owner = self.places[p].owner
                if self.bodies[owner].last >> p & 1:
                    bits |= found[owner]
            if bits | found[b] != found[b]:
                found[b] |= bits
                work += {self.places[p].body for p in members(self.bodies[b].last & ~self.terms)}
        return found

    def states(self) -> list[int] | None:
        """The LR(0) states behind terminals, each as the places where the terminal may have stood; None: too many."""
        seen: dict[int, None] = {}
        by_symbol: dict[tuple[int, int], int] = {}
        for n, p in enumerate(self.places):
            symbol = (p.terminal, p.body) if p.terminal >= 0 or p.body >= 0 else (-1, -2 - n)
            by_symbol[symbol] = by_symbol.get(symbol, 0) | 1 << n
        symbol_of = {n: bits for bits in by_symbol.values() for n in members(bits)}
        behind_terminals: dict[int, None] = {}
        work = [self.begins[self.start]]
        while work:
            bits = work.pop()
            while bits:
                same = bits & symbol_of[(bits & -bits).bit_length() - 1]
                bits &= ~same
                if same & self.terms:
                    behind_terminals[same] = None
                if same not in seen:
                    seen[same] = None
                    if len(seen) > MAX_STATES:
                        return None
                    work.append(reduce(or_, (self.next[p] for p in members(same)), 0))
        return list(behind_terminals)

    def action_terminals(self, state: int) -> int:
        """The terminals with an action in the state behind these places."""
        found = 0
        for p in members(state):
            found |= self.terminals(self.next[p])
            owner = self.places[p].owner
            if self.bodies[owner].last >> p & 1:
                found |= self.follows[owner]
        return found

    def before(self) -> list[int]:
        """By place, the places of terminals directly before it; the highest bit is the start of the text."""
        at_start = 1 << len(self.places)
        ends = [body.last for body in self.bodies]
        self.close(ends, [body.uses for body in self.bodies])
        direct = [0] * len(self.places)
        for p, following in enumerate(self.all.following):
            mine = 1 << p if self.places[p].body < 0 else ends[self.places[p].body] & self.terms
            for f in members(following):
                direct[f] |= mine
        of_body = [0] * len(self.bodies)
        of_body[self.start] = at_start
        work = list(range(len(self.bodies)))
        while work:
            b = work.pop()
            bits = of_body[b]
            for p in self.bodies[b].uses:
                bits |= direct[p]
                owner = self.places[p].owner
                if self.bodies[owner].first >> p & 1:
                    bits |= of_body[owner]
            if bits != of_body[b]:
                of_body[b] = bits
                work += {self.places[p].body for p in members(self.bodies[b].first & ~self.terms)}
        return [bits | (of_body[self.places[p].owner] if self.bodies[self.places[p].owner].first >> p & 1 else 0) for p, bits in enumerate(direct)]

    def close(self, ends: list[int], uses: list[list[int]]) -> None:
        work = list(range(len(ends)))
        while work:
            b = work.pop()
            bits = ends[b]
            for p in members(bits & ~self.terms):
                bits |= ends[self.places[p].body]
            if bits != ends[b]:
                ends[b] = bits
                work += {self.places[p].owner for p in uses[b]}


@dataclass(slots=True)
class Context:
    """At the place of a terminal or an expression, sets of terminals.

    Those that the lexer may ask for there, one set for each state that what comes before may leave the parser in; those that it
    may ask for next; and the terminals that may come directly behind.
    """

    asked: set[int] = field(default_factory=set)
    asked_next: set[int] = field(default_factory=set)
    behind: int = 0


@dataclass(slots=True)
class Contexts:
    """The terminals asked for first; by node what surrounds it; by rule the terminals that may follow it."""

    asked_first: int
    around: dict[int, Context]
    follow: dict[int, int]


def contexts(grammar: Grammar, rules: list[int], nullable: set[int]) -> Contexts | None:
    """What the lexer asks for where; None where the grammar is too large for this."""
    places = Places(grammar, rules, nullable)
    if len(places.places) > MAX_PLACES:
        return None
    analysis = _Analysis(places, grammar.start)
    states = analysis.states()
    if states is None:
        return None
    asked_behind = [set[int]() for _ in places.places]
    for state in states:
        actions = analysis.action_terminals(state)
        for p in members(state):
            asked_behind[p].add(actions)
    asked_first = analysis.terminals(analysis.begins[analysis.start])
    found: dict[int, Context] = {}
    asked: dict[int, set[int]] = {}  # behind any of these places
    behind: dict[tuple[int, int], int] = {}
    for n, before in enumerate(analysis.before()):
        place = places.places[n]
        if place.body >= 0:
            continue
        context = found.setdefault(place.node, Context())
        key = (analysis.next[n], analysis.follows[place.owner] if analysis.bodies[place.owner].last >> n & 1 else 0)
        if key not in behind:
            behind[key] = analysis.action_terminals(1 << n)
        if before not in asked:
            asked[before] = set().union(*(asked_behind[p] if p < len(asked_behind) else {asked_first} for p in members(before)))
        context.behind |= behind[key]
        context.asked_next |= asked_behind[n]
        context.asked |= asked[before]
    for i in places.twins:
        if (twin := places.twin(i)) in found:
            found[i] = found[twin]
    return Contexts(asked_first, found, {rule: analysis.follows[body] for rule, body in places.of_rule.items()})
