"""Rules told apart by what came before them, where the lexer asks for other terminals there.

After `AS` a word is a name whatever it spells; at the start of a statement it may be a keyword. Where one rule stands in both
places its first terminal is two lexemes. So a rule is written once for each class (classes.py) of what may come before it.

What comes behind a rule depends on the terminal that it ended with. Where the same rivals of what may follow are asked for
behind two of them, as mostly, their classes are united: a text must fit both. Else the rule ends in several
*kinds* (`t.*` may not be followed by a name, `t.a` may: only the first lets `fromage` be read as `from` and `age`), and is
written in place with what follows each kind behind it, so that beginnings which kinds have in common stay one. Rules that
contain themselves become a rule for each kind instead; as these cost a step for each kind, they are told apart by regexes only,
by whether a name may follow, not by which words are none there. Two states of the parser at one place stay united.

A *frame* says what follows: nothing (`DONE`), the end of a rule in one of its kinds, the rest of a sequence, the next round
of a repetition. Data flow: `ends` finds forwards which classes a part ends with, `part` writes it backwards.

Held by tests/test_lark.py and test_grammars.py.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any

from .classes import Classes
from .grammar import Grammar
from .places import Contexts

__all__ = ["Splitter"]

DONE = 0  # the frame behind which nothing follows, in whatever class
MAX_NODES = 200_000
MAX_KINDS = 4
MAX_UNROLLED = 16

Ends = tuple[int, ...]
Run = Generator["Run", Any, Any]  # yields other runs and is sent what they return


class _TooLarge(Exception):
    pass


class Splitter:
    """Replaces the start rule. `class_before` and `place_of` are by new terminal node, `origins` by new rule."""

    def __init__(self, grammar: Grammar, classes: Classes, contexts: Contexts, nullable: set[int]) -> None:
        self.grammar = grammar
        self.classes = classes
        self.nullable = nullable
        self.class_behind = {i: classes.of(c.asked_next, c.behind) for i, c in contexts.around.items()}
        self.first_class = classes.of([contexts.asked_first], contexts.asked_first)
        self.is_needed = classes.are_several()
        if not self.is_needed:
            return
        rules = grammar.used_rules()
        self.first = self.edges(rules, last=False, value=lambda i: grammar.nodes[i].value if grammar.nodes[i].kind == "term" else -1)
        self.last = self.edges(rules, last=True, value=self.class_behind.__getitem__)
        self.told_apart = {r: classes.told_apart_by(contexts.follow[r] & classes.used) for r in rules}
        self.tell_fewer_apart(rules)
        self.most_nodes = MAX_NODES
        try:
            self.split(rules)
        except _TooLarge:  # then every rule ends in one kind
            self.told_apart = dict.fromkeys(rules, 0)
            classes.asked = [0] * len(classes.asked)
            self.most_nodes = 1 << 62
            self.split(rules)

    def split(self, rules: list[int]) -> None:
        grammar = self.grammar
        self.class_before: dict[int, int] = {}
        self.place_of: dict[int, int] = {}
        self.origins: dict[int, int] = {}
        self.made: dict[tuple, int] = {}
        self.frames: list[tuple] = [("done",)]
        self.frame_numbers: dict[tuple, int] = {("done",): DONE}
        self.numbers: dict[tuple, int] = {}
        self.waiting: list[tuple[int, Run]] = []
        self.representative: dict[tuple, int] = {}
        self.known_kinds: dict[tuple[int, int], Ends] = {}
        self.known_ends: dict[tuple[int, int], Ends] = {}
        self.known_parts: dict[tuple[int, int, int], int] = {}
        self.dead = grammar.alt([])
        below = self.of_several_kinds(rules)
        self.in_place = {r for r in below if r not in below[r] and not grammar.rules[r].is_marked}
        start = self.rule(grammar.start, self.first_class)
        while self.waiting:
            number, run = self.waiting.pop()
            grammar.rules[number].body = _result(run)
        grammar.start = grammar.nodes[start].value
        grammar.drop_endless()

    # ------------------------------------------------------------------------------ rules

    def edges(self, rules: list[int], last: bool, value: Callable[[int], int]) -> dict[int, set[int]]:
        """By rule, the values of the terminals and expressions that it may begin, or end, with."""
        grammar = self.grammar
        found: dict[int, set[int]] = {r: set() for r in rules}
        empty = grammar.nullable_nodes([grammar.rules[r].body for r in rules], self.nullable)
        users = self.ending_with = dict[int, set[int]]()
        work = list(rules)
        while work:
            r = work.pop()
            mine = set[int]()
            for i in grammar.at_edge(grammar.rules[r].body, empty, last):
                node = grammar.nodes[i]
                if node.kind == "rule":
                    users.setdefault(node.value, set()).add(r)
                    mine |= found[node.value]
                elif node.kind in ("term", "expr"):
                    mine.add(value(i))
            if mine != found[r]:
                found[r] = mine
                work += users.get(r, ())
        return found

    def grouped(self, classes: Iterable[int], told_apart: int = -1) -> Ends:
        """The classes, those united that ask for the same ones of these terminals."""
        groups: dict[int, set[int]] = {}
        for c in classes:
            groups.setdefault(self.classes.asked[c] & told_apart, set()).add(c)
        return tuple(self.classes.united(groups[kind]) for kind in sorted(groups))

    def kinds(self, rule: int, before: int) -> Ends:
        """The classes that a rule ends with, one for each kind."""
        may_be_empty = rule in self.nullable
        key = (rule, before if may_be_empty else -1)
        if key not in self.known_kinds:
            self.known_kinds[key] = self.grouped(self.last[rule] | {before} if may_be_empty else self.last[rule], self.told_apart[rule])
        return self.known_kinds[key]

    def of_several_kinds(self, rules: Iterable[int]) -> dict[int, set[int]]:
        """The rules that end in several kinds, and those among them that are below each."""
        grammar = self.grammar
        several = {r for r in rules if len(self.grouped(self.last[r], self.told_apart[r])) > 1}
        found: dict[int, set[int]] = {}
        for rule in several:
            inner = {n.value for i in grammar.reachable([grammar.rules[rule].body]) if (n := grammar.nodes[i]).kind == "rule"}
            found[rule] = inner & several
        return {rule: _all_below(rule, found) for rule in several}

    def tell_fewer_apart(self, rules: list[int]) -> None:
        """Rules that contain themselves, or would have too many kinds, and those that may end with them, by regexes alone."""
        below = self.of_several_kinds(rules)
        work = [r for r in below if r in below[r] or len(self.grouped(self.last[r], self.told_apart[r])) > MAX_KINDS]
        seen = set(work)
        while work:
            rule = work.pop()
            self.told_apart[rule] &= self.classes.regexes
            new = self.ending_with.get(rule, set()) - seen
            seen |= new
            work += new

    def rule(self, rule: int, before: int, kind: int | None = None) -> int:
        """A reference to a rule behind a class: to its texts that end in one kind, or to all. The rule is written later."""
        grammar, old = self.grammar, self.grammar.rules[rule]
        if rule not in self.nullable:  # only what it begins with is asked for behind `before`
            asked = self.classes.rivals[before]
            before = self.representative.setdefault((rule, *(asked.get(t) for t in self.first[rule])), before)
        key = (rule, before, kind)
        if key not in self.numbers:
            self.numbers[key] = grammar.rule(old.name, at=old.at)
            self.origins[self.numbers[key]] = rule
            end = DONE if kind is None else self.frame("end", self.told_apart[rule], kind)
            self.waiting.append((self.numbers[key], self.part(old.body, before, end)))
        return self.add("rule", value=self.numbers[key])

    # ------------------------------------------------------------------------------ where parts end

    def ends(self, i: int, before: int) -> Run:
        """The classes that a part behind a class ends with, one for each set of terminals that they ask for."""
        if (i, before) not in self.known_ends:
            self.known_ends[i, before] = yield self.find_ends(i, before)
        return self.known_ends[i, before]

    def ends_of_all(self, i: int, classes: Iterable[int]) -> Run:
        found = set[int]()
        for c in classes:
            found.update((yield self.ends(i, c)))
        return found

    def find_ends(self, i: int, before: int) -> Run:
        node = self.grammar.nodes[i]
        if node.kind in ("term", "expr"):
            return (self.class_behind[i],)
        if node.kind == "rule":
            return self.kinds(node.value, before)
        if node.kind == "repeat":
            behind = yield self.rounds(i, before)
            return behind if node.value[0] else self.grouped({before, *behind})
        current: Ends = (before,)
        if node.kind == "seq":
            for k in node.items:
                current = self.grouped((yield self.ends_of_all(k, current)))
            return current
        found = set[int]()
        for k in node.items:
            found.update((yield self.ends(k, before)))
        return self.grouped(found)

    def rounds(self, i: int, before: int) -> Run:
        """The classes behind a round of a repetition, the first or any other."""
        (item,), (_, most) = self.grammar.nodes[i].items, self.grammar.nodes[i].value
        current = yield self.ends(item, before)
        while most != 1:
            following = self.grouped({*current, *(yield self.ends_of_all(item, current))})
            if following == current:
                break
            current = following
        return current

    # ------------------------------------------------------------------------------ parts

    def part(self, i: int, before: int, frame: int) -> Run:
        """The part behind a class, with what the frame says behind it."""
        key = (i, before, frame)
        if key not in self.known_parts:
            self.known_parts[key] = yield self.write(i, before, frame)
        return self.known_parts[key]

    def write(self, i: int, before: int, frame: int) -> Run:
        node, ends = self.grammar.nodes[i], (yield self.ends(i, before))
        if frame != DONE:
            rests = []
            for c in ends:
                rests.append((yield self.behind(frame, c)))
            if len(set(rests)) <= 1:
                return self.seq((yield self.part(i, before, DONE)), *rests[:1])
            if node.kind == "rule" and node.value not in self.in_place:
                kinds = (self.classes.asked[c] & self.told_apart[node.value] for c in ends)
                return self.alt([self.seq(self.rule(node.value, before, kind), rest) for kind, rest in zip(kinds, rests)])
        if node.kind in ("term", "expr"):
            return self.leaf(i, before)
        if node.kind == "rule":
            if frame == DONE:
                return self.rule(node.value, before)
            told_apart = self.told_apart[node.value]
            return (yield self.part(self.grammar.rules[node.value].body, before, self.frame("join", told_apart, ends, frame)))
        if node.kind == "seq":
            return (yield self.sequence(i, 0, before, frame))
        joined = DONE if frame == DONE else self.frame("join", -1, ends, frame)
        if node.kind == "repeat":
            return (yield self.repeated(i, before, joined))
        ways = []
        for k in node.items:
            ways.append((yield self.part(k, before, joined)))
        return self.alt(ways)

    def sequence(self, i: int, start: int, before: int, frame: int) -> Run:
        """The items from `start` on; one of several kinds has the rest behind each of them."""
        items, written = self.grammar.nodes[i].items, list[int]()
        for n in range(start, len(items)):
            ends = yield self.ends(items[n], before)
            if len(ends) != 1:
                rest = frame if n + 1 == len(items) else self.frame("rest", i, n + 1, frame)
                return self.seq(*written, (yield self.part(items[n], before, rest)))
            written.append((yield self.part(items[n], before, DONE)))
            (before,) = ends
        return self.seq(*written, (yield self.behind(frame, before)))

    def repeated(self, i: int, before: int, frame: int) -> Run:
        """The first round behind `before`, the others behind what a round ends with."""
        (item,), (least, most) = self.grammar.nodes[i].items, self.grammar.nodes[i].value
        behind = yield self.rounds(i, before)
        nothing = [] if least else [(yield self.behind(frame, before))]
        first, again = (yield self.part(item, before, DONE)), list[int]()
        for c in behind:
            again.append((yield self.part(item, c, DONE)))
        fewer = None if most is None else most - 1
        if most != 1 and len(set(again)) == 1 and (frame == DONE or len(behind) == 1):
            if first == again[0] and frame == DONE:
                return self.repeat(first, least, most)
            once = self.seq(first, self.repeat(again[0], max(0, least - 1), fewer), (yield self.behind(frame, behind[0])))
            return once if least else self.repeat(once, 0, 1) if frame == DONE else self.alt([*nothing, once])
        if most == 1:
            return self.alt([*nothing, (yield self.part(item, before, frame))])
        if most is None and least <= 1:
            return self.alt([*nothing, (yield self.part(item, before, self.frame("again", i, behind, frame)))])
        if most is not None and most <= MAX_UNROLLED:
            return (yield self.unrolled(item, before, least, most, frame))
        united = self.classes.united({before, *behind})  # all rounds behind any of them
        front = self.repeat((yield self.part(item, united, DONE)), max(0, least - 1), fewer)
        return self.alt([*nothing, self.seq(front, (yield self.part(item, united, frame)))])

    def unrolled(self, item: int, before: int, least: int, most: int, frame: int) -> Run:
        """A counted repetition, round by round."""
        nothing = [] if least else [(yield self.behind(frame, before))]
        if most == 0:
            return self.alt(nothing)
        rest = self.frame("rounds", item, max(0, least - 1), most - 1, frame)
        return self.alt([*nothing, (yield self.part(item, before, rest))])

    def behind(self, frame: int, before: int) -> Run:
        """What follows in a frame, behind a class."""
        kind, *values = self.frames[frame]
        asked = self.classes.asked
        if kind == "done":
            return self.grammar.empty
        if kind == "end":
            told_apart, only = values
            return self.grammar.empty if asked[before] & told_apart == only else self.dead
        if kind == "rest":
            i, start, outer = values
            return (yield self.sequence(i, start, before, outer))
        if kind == "rounds":
            item, least, most, outer = values
            return (yield self.unrolled(item, before, least, most, outer))
        told_apart, ends, outer = (-1, *values[1:]) if kind == "again" else values
        alike = [c for c in ends if asked[c] & told_apart == asked[before] & told_apart]
        before = alike[0] if alike else self.classes.united({before, *ends})
        if kind == "join":
            return (yield self.behind(outer, before))
        key = (frame, before)
        if key not in self.numbers:
            self.numbers[key] = self.grammar.rule("")
            self.waiting.append((self.numbers[key], self.next_round(frame, before)))
        return self.add("rule", value=self.numbers[key])

    def next_round(self, frame: int, before: int) -> Run:
        """Behind a round: what follows the repetition, or one more."""
        _, i, _, outer = self.frames[frame]
        end = yield self.behind(outer, before)
        return self.alt([end, (yield self.part(self.grammar.nodes[i].items[0], before, frame))])

    # ------------------------------------------------------------------------------ nodes, equal ones once

    def frame(self, *value: Any) -> int:
        if value not in self.frame_numbers:
            self.frame_numbers[value] = len(self.frames)
            self.frames.append(value)
        return self.frame_numbers[value]

    def leaf(self, i: int, before: int) -> int:
        node = self.grammar.nodes[i]
        key = ("leaf", i, self.classes.rivals[before].get(node.value) if node.kind == "term" else None)
        if key not in self.made:
            new = self.made[key] = self.grammar.add(node.kind, value=node.value)
            self.class_before[new], self.place_of[new] = before, i
        return self.made[key]

    def add(self, kind: str, items: Iterable[int] = (), value: Any = None) -> int:
        key = (kind, *items, value)
        if key not in self.made:
            self.made[key] = self.grammar.repeat(*items, *value) if kind == "repeat" else self.grammar.add(kind, items, value)
            if len(self.made) > self.most_nodes:
                raise _TooLarge
        return self.made[key]

    def seq(self, *items: int) -> int:
        if self.dead in items:
            return self.dead
        kept = [i for i in items if i != self.grammar.empty]
        return kept[0] if len(kept) == 1 else self.add("seq", kept) if kept else self.grammar.empty

    def alt(self, items: Iterable[int]) -> int:
        kept = list(dict.fromkeys(i for i in items if i != self.dead))
        return kept[0] if len(kept) == 1 else self.add("alt", kept) if kept else self.dead

    def repeat(self, item: int, least: int, most: int | None) -> int:
        return self.dead if item == self.dead else self.add("repeat", [item], (least, most))


def _all_below(start: int, inner: dict[int, set[int]]) -> set[int]:
    seen, work = set[int](), [start]
    while work:
        new = inner[work.pop()] - seen
        seen |= new
        work += new
    return seen


def _result(run: Run) -> Any:
    """What a run returns, without recursion."""
    stack, value = [run], None
    while stack:
        try:
            stack.append(stack[-1].send(value))
            value = None
        except StopIteration as stop:
            stack.pop()
            value = stop.value
    return value
