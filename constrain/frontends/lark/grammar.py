"""A context-free grammar over terminals, whatever notation it was written in.

Nodes are numbered as they are made, children before their parents: analyses are loops. A terminal node is an occurrence:
two places that want the same terminal are two nodes, because what may stand there depends on the place (lexing.py).
Left recursion is allowed here; recursion.py rewrites it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, NoReturn

from .syntax import Source

if TYPE_CHECKING:
    from .terminals import Terminal

__all__ = ["Grammar", "Node", "Rule"]


@dataclass(slots=True)
class Node:
    """`kind`: seq, alt; repeat, whose value is (least, most or None); rule, term: a number; expr: (set, root)."""

    kind: str
    items: tuple[int, ...] = ()
    value: Any = None


@dataclass(slots=True)
class Rule:
    name: str
    body: int
    at: int = 0
    is_marked: bool = False  # is something asked of its texts (marks.py)?


@dataclass
class Grammar:
    source: Source
    nodes: list[Node] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    terminals: list[Terminal] = field(default_factory=list)
    ignored: list[int] = field(default_factory=list)
    start: int = 0
    skips_at_start: bool = True  # may ignored text come first?
    skips_once: bool = False  # at most one ignored terminal at a place, instead of any number

    def __post_init__(self) -> None:
        self.empty = self.add("seq")

    # ------------------------------------------------------------------------------ making nodes

    def add(self, kind: str, items: Iterable[int] = (), value: Any = None) -> int:
        self.nodes.append(Node(kind, tuple(items), value))
        return len(self.nodes) - 1

    def seq(self, *items: int) -> int:
        kept = [i for i in items if i != self.empty]
        return kept[0] if len(kept) == 1 else self.add("seq", kept) if kept else self.empty

    def alt(self, items: Iterable[int]) -> int:
        kept = list(dict.fromkeys(items))
        return kept[0] if len(kept) == 1 else self.add("alt", kept)

    def optional(self, item: int) -> int:
        return self.repeat(item, 0, 1)

    def repeat(self, item: int, least: int, most: int | None) -> int:
        if item == self.empty or most == 0:
            return self.empty
        inner = self.nodes[item]
        if inner.kind == "repeat" and inner.value[1] is None and inner.value[0] <= 1 and least <= 1:  # (x+)* = x*
            return self.add("repeat", inner.items, (min(least, inner.value[0]), None))
        return item if (least, most) == (1, 1) else self.add("repeat", [item], (least, most))

    def rule(self, name: str, body: int | None = None, at: int = 0) -> int:
        """A new rule's number; the body may follow later."""
        self.rules.append(Rule(name, self.empty if body is None else body, at))
        return len(self.rules) - 1

    # ------------------------------------------------------------------------------ going through them

    def reachable(self, roots: Iterable[int], into_rules: bool = False) -> list[int]:
        """The nodes below `roots`, children first."""
        seen: set[int] = set()
        stack = list(roots)
        while stack:
            i = stack.pop()
            if i in seen:
                continue
            seen.add(i)
            node = self.nodes[i]
            stack += node.items
            if into_rules and node.kind == "rule":
                stack.append(self.rules[node.value].body)
        return sorted(seen)

    def used_rules(self) -> list[int]:
        """The rules that the start rule leads to, itself first."""
        found = {self.start: None}
        queue = [self.start]
        for number in queue:  # which grows
            for i in self.reachable([self.rules[number].body]):
                if self.nodes[i].kind == "rule" and self.nodes[i].value not in found:
                    found[self.nodes[i].value] = None
                    queue.append(self.nodes[i].value)
        return queue

    def nullable_rules(self, rules: list[int]) -> set[int]:
        """Those that have the empty text."""
        return self._least(rules, lambda node, nullable: self._is_nullable(node, nullable))

    def productive_rules(self, rules: list[int]) -> set[int]:
        """Those that have a text at all."""
        return self._least(rules, self.is_productive)

    def _least(self, rules: list[int], holds: Any) -> set[int]:
        """The least set of rules of which `holds(body, set)`."""
        found: set[int] = set()

        def grows(number: int) -> bool:
            if number in found or not holds(self.rules[number].body, found):
                return False
            found.add(number)
            return True

        self.settle(rules, grows)
        return found

    def settle(self, rules: list[int], changes: Callable[[int], bool]) -> None:
        """Asks `changes(rule)` till no rule does, those first that others are made of; where one does, its users are asked again."""
        used = {r: [self.nodes[i].value for i in self.reachable([self.rules[r].body]) if self.nodes[i].kind == "rule"] for r in rules}
        users: dict[int, list[int]] = {}
        for r, inner in used.items():
            for k in inner:
                users.setdefault(k, []).append(r)
        place = {r: n for n, r in enumerate(_children_first(rules, used))}
        by_place = list(place)
        heap = list(range(len(by_place)))
        waiting = set(heap)
        while heap:
            n = heappop(heap)
            waiting.discard(n)
            if changes(by_place[n]):
                for user in users.get(by_place[n], ()):
                    if place[user] not in waiting:
                        waiting.add(place[user])
                        heappush(heap, place[user])

    def _is_nullable(self, root: int, rules: set[int]) -> bool:
        return self.nullable_nodes([root], rules)[root]

    def nullable_nodes(self, roots: Iterable[int], rules: set[int]) -> dict[int, bool]:
        """Which nodes below `roots` have the empty text."""

        def is_nullable(node: Node) -> bool:
            if node.kind == "expr":
                return bool(node.value[0].nullable(node.value[1]))
            return node.value in rules if node.kind == "rule" else self.terminals[node.value].nullable

        return self.folded(roots, is_nullable)

    def is_productive(self, root: int, rules: set[int]) -> bool:
        return self.folded([root], lambda node: node.kind != "rule" or node.value in rules)[root]

    def folded(self, roots: Iterable[int], leaf: Callable[[Node], bool]) -> dict[int, bool]:
        """By node: all of a sequence, any of the alternatives, a repetition that may be none; `leaf` says the rest."""
        found: dict[int, bool] = {}
        for i in self.reachable(roots):
            node = self.nodes[i]
            if node.kind in ("seq", "alt"):
                values = (found[k] for k in node.items)
                found[i] = all(values) if node.kind == "seq" else any(values)
            elif node.kind == "repeat":
                found[i] = node.value[0] == 0 or found[node.items[0]]
            else:
                found[i] = leaf(node)
        return found

    def at_edge(self, root: int, empty: dict[int, bool], last: bool = False) -> set[int]:
        """The nodes below `root` where its texts may begin, or end; `empty` are those that have the empty text."""
        seen: set[int] = set()
        stack = [root]
        while stack:
            i = stack.pop()
            if i in seen:
                continue
            seen.add(i)
            node = self.nodes[i]
            for k in reversed(node.items) if last else node.items:
                stack.append(k)
                if node.kind == "seq" and not empty[k]:
                    break
        return seen

    def drop_endless(self) -> None:
        """Takes out the alternatives that have no text, as those have whose conditions never hold."""
        rules = self.used_rules()
        productive = self.productive_rules(rules)
        dead = self.alt([])
        kept: dict[int, int] = {dead: dead}
        for i in self.reachable(self.rules[r].body for r in rules):
            node = self.nodes[i]
            items = [kept[k] for k in node.items]
            if node.kind == "alt":
                kept[i] = self.alt(k for k in items if k != dead)
                kept[i] = dead if not self.nodes[kept[i]].items and self.nodes[kept[i]].kind == "alt" else kept[i]
            elif node.kind == "seq":
                kept[i] = dead if dead in items else self.seq(*items)
            elif node.kind == "repeat" and items[0] == dead:
                kept[i] = self.empty if node.value[0] == 0 else dead
            elif node.kind == "repeat":
                kept[i] = self.repeat(items[0], *node.value)
            else:
                kept[i] = dead if node.kind == "rule" and node.value not in productive else i
        for r in rules:
            self.rules[r].body = kept[self.rules[r].body]

    def fail(self, what: str, at: int) -> NoReturn:
        self.source.fail(what, at)


def _children_first(roots: list[int], children: dict[int, list[int]]) -> Iterator[int]:
    """Each once, as far as circles allow behind those below it."""
    seen: set[int] = set()
    for root in roots:
        stack = [(root, False)]
        while stack:
            r, is_done = stack.pop()
            if is_done:
                yield r
            elif r not in seen:
                seen.add(r)
                stack.append((r, True))
                stack += [(k, False) for k in children.get(r, ()) if k not in seen]
