"""Which lexeme stands where: the lexer's choices, found beforehand for every place in the grammar.

Lark's contextual lexer asks, behind each token, the terminals that the parser could take there, in one order, and takes what
the first one that fits returns; a string that such a regex matches whole is the string (a keyword). So terminal T with
text w stands at a place only if, among the terminals of that place,

- `re` would return w for T, and not more: T's own text is greedy (preference.py);
- no terminal before T in the order fits there, not even one that is longer than w and goes on in what follows;
- w is none of the strings that T would swallow.

The first and the third are languages of w; what may go on behind w is the `munch` of a Greedy node. The terminals of a place
are those of the parser's states there (places.py; in a very large grammar those that may follow a terminal which may come
before). Where several states meet at one place a text must be T's in each of them: so what is let through parses with Lark.

`lexer="basic"` asks all terminals everywhere, `"dynamic"` none: every terminal matches what it can, as in scannerless parsing.

A greedy lexeme may leave no way on: a name directly before another. Where white space may come between, or what follows
begins with other bytes, there always is one; elsewhere its node says that it may block, and liveness is searched.

Source: lark/lexer.py (`BasicLexer`, `ContextualLexer`, `_create_unless`). Held by tests/test_lark.py and test_grammars.py.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import reduce
from operator import or_
from typing import Any

from ...errors import LimitExceeded
from ..utf8 import Utf8Alphabet
from .classes import Classes
from .grammar import Grammar
from .places import Context, contexts, members
from .splitting import Splitter
from .terminals import Terminal

__all__ = ["Lexing"]

MAX_EXPLORED = 3000
MAX_TERMINALS = 20_000


class Neighbours:
    """Which terminals may stand beside which, in grammars too large for places.py: a set is an int, bit t for terminal t.

    Parts that are expressions (`%json`) have numbers behind those of the terminals; the highest bit is the start of the text.
    """

    def __init__(self, grammar: Grammar, rules: list[int], nullable: set[int]) -> None:
        self.grammar = grammar
        self.rules = rules
        bodies = [grammar.rules[r].body for r in rules]
        self.nodes = grammar.reachable(bodies)
        self.nullable = grammar.nullable_nodes(bodies, nullable)
        self.opaque = {i: len(grammar.terminals) + k for k, i in enumerate(i for i in self.nodes if grammar.nodes[i].kind == "expr")}
        self.at_start = 1 << (len(grammar.terminals) + len(self.opaque))
        self.first = self.edges(first=True)
        self.last = self.edges(first=False)
        self.following = self.find_following()
        self.before = self.find_before()

    def edges(self, first: bool) -> dict[int, int]:
        """By node, the terminals that its texts may begin (or end) with; rules again and again until nothing changes."""
        grammar, found, of_rule = self.grammar, dict[int, int](), dict.fromkeys(self.rules, 0)
        reached = {r: grammar.reachable([grammar.rules[r].body]) for r in self.rules}

        def grows(r: int) -> bool:
            for i in reached[r]:
                found[i] = self.edge(i, found, of_rule, first)
            is_new = found[grammar.rules[r].body] != of_rule[r]
            of_rule[r] = found[grammar.rules[r].body]
            return is_new

        grammar.settle(self.rules, grows)
        return found

    def edge(self, i: int, found: dict[int, int], of_rule: dict[int, int], first: bool) -> int:
        node = self.grammar.nodes[i]
        if node.kind == "term":
            return 1 << int(node.value)
        if node.kind == "expr":
            return 1 << self.opaque[i]
        if node.kind == "rule":
            return of_rule[node.value]
        bits = 0
        for k in node.items if first else reversed(node.items):
            bits |= found[k]
            if node.kind == "seq" and not self.nullable[k]:
                break
        return bits

    def find_following(self) -> list[int]:
        """By terminal, what may come directly behind it."""
        following = [0] * self.at_start.bit_length()
        done: set[tuple[int, int]] = set()

        def join(left: int, right: int) -> None:
            if left and right and (left, right) not in done:
                done.add((left, right))
                for t in members(left):
                    following[t] |= right

        for i in self.nodes:
            node = self.grammar.nodes[i]
            if node.kind == "repeat" and node.value[1] != 1:
                join(self.last[node.items[0]], self.first[node.items[0]])
            if node.kind == "seq":
                last = 0
                for k in node.items:
                    join(last, self.first[k])
                    last = last | self.last[k] if self.nullable[k] else self.last[k]
        return following

    def find_before(self) -> dict[int, int]:
        """By node, what may come directly before it."""
        grammar = self.grammar
        of_rule = dict.fromkeys(self.rules, 0)
        of_rule[grammar.start] = self.at_start
        reached = {r: grammar.reachable([grammar.rules[r].body])[::-1] for r in self.rules}
        found: dict[int, int] = {}
        work = [grammar.start]
        while work:
            r = work.pop()
            found[grammar.rules[r].body] = found.get(grammar.rules[r].body, 0) | of_rule[r]
            for i in reached[r]:
                node, before = grammar.nodes[i], found.get(i, 0)
                if node.kind == "rule":
                    if before | of_rule[node.value] != of_rule[node.value]:
                        of_rule[node.value] |= before
                        work.append(node.value)
                elif node.kind == "repeat" and node.value[1] != 1:
                    before |= self.last[node.items[0]]
                for k in node.items:
                    found[k] = found.get(k, 0) | before
                    if node.kind == "seq":
                        before = before | self.last[k] if self.nullable[k] else self.last[k]
        return found


class Lexing:
    """The expression of the lexeme at each place."""

    def __init__(self, grammar: Grammar, expr_set: Any, reading: str) -> None:
        self.grammar = grammar
        self.set = expr_set
        self.reading = reading
        self.terminals = grammar.terminals
        if len(self.terminals) > MAX_TERMINALS and reading != "dynamic":
            raise LimitExceeded(
                "max_terminals", len(self.terminals), MAX_TERMINALS,
                f"lark: {len(self.terminals)} terminals are more than {MAX_TERMINALS}; many words can be one terminal: WORD: \"a\" | \"b\"",
            )  # fmt: skip
        self.made: dict[tuple, int] = {}
        self.any_character = Utf8Alphabet(expr_set).any_character
        self.closures: dict[int, int] = {}
        self.bytes_of_sets: dict[int, set[int]] = {}
        self.completed: dict[tuple[int, int], bool] = {}
        self.ways: dict[int, list[tuple[int, int | None]]] = {}  # by lexeme: its texts, and what must not go on behind one
        self.contexts: dict[int, int] = {}
        self.places: dict[int, Context] | None = None
        self.splitter: Splitter | None = None
        if reading == "dynamic":
            return
        self.rules = grammar.used_rules()
        nullable = grammar.nullable_rules(self.rules)
        nodes = grammar.reachable(grammar.rules[r].body for r in self.rules)
        found = contexts(grammar, self.rules, nullable)
        self.places = found.around if found else None
        self.neighbours = None if found else Neighbours(grammar, self.rules, nullable)
        self.ignored = reduce(or_, (1 << t for t in grammar.ignored), 0)
        self.used = (1 << len(self.terminals)) - 1 if reading == "basic" else self.ignored | reduce(or_, (1 << grammar.nodes[i].value for i in nodes if grammar.nodes[i].kind == "term"), 0)
        self.placed = reduce(or_, (1 << grammar.nodes[i].value for i in nodes if grammar.nodes[i].kind == "term"), 0)
        self.first_bytes = [self.bytes_of(self.set.live_bytes(t.root)) for t in self.terminals]
        self.opaque_bytes = {self.bytes_of(self.set.live_bytes(grammar.nodes[i].value[1])) for i in nodes if grammar.nodes[i].kind == "expr"}
        self.rivals_of = _Rivals(self)
        self.separators = [first for t in grammar.ignored if (first := self.first_of_separator(t))]
        if reading == "contextual" and found:
            splitter = Splitter(grammar, Classes(self), found, nullable)
            self.splitter = splitter if splitter.is_needed else None

    @staticmethod
    def bytes_of(data: bytes) -> int:
        return reduce(or_, (1 << b for b in data), 0)

    # ------------------------------------------------------------------------------ places

    def at(self, place: int) -> int:
        """The lexeme at a terminal node."""
        number = int(self.grammar.nodes[place].value)
        if self.reading == "dynamic":
            return int(self.set.lexeme(self.terminals[number].root))
        if self.places is None:
            assert self.neighbours is not None
            return self.lexeme(number, frozenset([self.context(self.neighbours, place)]), self.neighbours.following[number])
        if self.splitter is not None:
            rivals = self.splitter.classes.rivals[self.splitter.class_before[place]].get(number, frozenset([self.used]))
            return self.lexeme(number, rivals, self.places[self.splitter.place_of[place]].behind)
        found = self.places[place]
        asked = frozenset([self.used] if self.reading == "basic" else ((terminals | self.ignored) & self.used for terminals in found.asked))
        return self.lexeme(number, asked, found.behind)

    def skip(self) -> int:
        """Ignored text, as much as there is."""
        union, most = self.set.union, 1 if self.grammar.skips_once else -1
        if self.reading == "dynamic":
            return int(self.set.repeat(union([self.set.lexeme(self.terminals[t].root) for t in self.grammar.ignored]), 0, most))
        return int(self.set.repeat(union([self.lexeme(t, frozenset([self.used]), self.placed) for t in self.grammar.ignored]), 0, most))

    def context(self, n: Neighbours, place: int) -> int:
        """The terminals that are asked for at a place of a grammar that is too large to tell its places apart."""
        before = n.before.get(place, 0)
        if self.reading == "basic":
            return self.used
        if before not in self.contexts:
            found = n.first.get(self.grammar.rules[self.grammar.start].body, 0) if before & n.at_start else 0
            for t in members(before & ~n.at_start):
                found |= n.following[t]
            self.contexts[before] = (found | self.ignored) & self.used
        return self.contexts[before]

    # ------------------------------------------------------------------------------ lexemes

    def lexeme(self, number: int, contexts: frozenset[int], behind: int) -> int:
        """The texts that are the terminal's in each of the contexts, sets of terminals that may be asked for."""
        terminal = self.terminals[number]
        if terminal.plain or terminal.lazy:
            return int(self.set.lexeme(terminal.root))
        rivals = frozenset(self.rivals_of(number) & context for context in contexts)
        key = (number, rivals, behind)
        if key not in self.made:
            self.made[key] = self.make(number, rivals, behind)
        return self.made[key]

    def make(self, number: int, rivals: frozenset[int], behind: int) -> int:
        s = self.set
        first, *others = (self.ways_among(number, several) for several in sorted(rivals))
        pairs = first
        for ways in others:
            both = [(s.intersection([a, b]), s.union([m, n])) for a, m in pairs for b, n in ways]
            pairs = [(s.tabulated(root), s.tabulated(munch)) for root, munch in dict.fromkeys(both) if not s.is_empty(root)]
        made = [self.lexed(number, root, munch, behind) for root, munch in pairs]
        whole = int(s.union(made))
        self.ways[whole] = [pair for way in dict.fromkeys(made) for pair in self.ways.get(way, ())]
        return whole

    def ways_among(self, number: int, several: int) -> list[tuple[int, int]]:
        """The ways to be the terminal among rivals: texts, and what must not go on behind one."""
        terminal, s = self.terminals[number], self.set
        rivals = [self.terminals[t] for t in members(several)]
        earlier = [t for t in rivals if t.order < terminal.order]
        swallowers = sorted((t for t in rivals if self.swallows(t, terminal)), key=lambda t: t.order)
        regexes, strings = [t for t in [terminal, *rivals] if not t.is_string], [t for t in rivals if t.is_string]
        embedded = {id(t) for r in regexes for t in strings if self.swallows(r, t) and _has_flags_of(r, t)}
        ways = []
        if swallowers:  # as what the first of them returns, when that is the string whole
            first = swallowers[0]
            before = [t for t in earlier if t.order < first.order and id(t) not in embedded]
            root = terminal.root if _is_plain_string(terminal) else s.intersection([terminal.root, first.root])
            ways.append(self.narrowed(root, first.root, before))
        if not swallowers or not any(_has_flags_of(r, terminal) for r in swallowers):
            mine = [t for t in rivals if self.swallows(terminal, t)]
            root = terminal.root
            if mine:
                root = s.intersection([root, s.complement(s.union([t.root for t in mine]))])
            before = [t for t in earlier if id(t) not in embedded]
            ways.append(self.narrowed(root, terminal.root, before))
        return ways

    def swallows(self, regex: Terminal, string: Terminal) -> bool:
        """Is the string a keyword to the regex?"""
        if not string.is_string or regex.is_string or regex.lazy or regex.plain or regex.priority != string.priority:
            return False
        assert string.pattern is not None
        return bool(self.set.matches(regex.root, string.pattern.value.encode()))

    def narrowed(self, root: int, munch: int, earlier: list[Terminal]) -> tuple[int, int]:
        """Texts of `root` in which no earlier terminal fits, and the munch with these."""
        s = self.set
        anything, some = s.ANYTHING, s.concat([s.byte_range(0, 255), s.ANYTHING])
        rest = s.union([t.root for t in earlier])
        if earlier and not s.is_empty(s.intersection([root, s.concat([rest, anything])])):
            root = s.intersection([root, s.complement(s.concat([rest, anything]))])
        if root != munch:
            root = s.tabulated(root)
        if earlier and root != s.NO_MATCH and not s.is_empty(s.intersection([rest, s.concat([root, some])])):
            munch = s.tabulated(s.union([munch, rest]))
        return root, munch

    def lexed(self, number: int, root: int, munch: int, behind: int) -> int:
        """Texts of `root` that do not go on as `munch`."""
        s = self.set
        some = s.concat([s.byte_range(0, 255), s.ANYTHING])
        if root == s.NO_MATCH:
            return int(root)
        if s.is_empty(s.intersection([munch, s.concat([root, some])])):
            made = int(s.lexeme(root))
            self.ways[made] = [(root, None)]
            return made
        munch = self.closed(munch)
        is_ignored = bool((self.ignored & ~self.placed) >> number & 1)  # and stands nowhere else
        made = int(s.greedy(root, munch, self.may_block(behind, root, munch), is_ignored))
        self.ways[made] = [(root, munch)]
        return made

    def closed(self, munch: int) -> int:
        """The same where texts are UTF-8: it fits at a character's first byte where it fits whatever the character becomes.

        What follows then need not be watched through the character.
        """
        if munch not in self.closures:
            self.closures[munch] = self.close(munch)
        return self.closures[munch]

    def close(self, munch: int) -> int:
        s = self.set
        numbers, order = {munch: 0}, [munch]
        accepting: set[int] = set()
        moves: list[tuple[int, int, int]] = []
        is_closed = False
        for number, state in enumerate(order):  # which grows
            if s.nullable(state):
                accepting.add(number)
            for some in s.live_classes(state):
                after = s.step(state, some[0])
                if after not in numbers:
                    if len(order) >= MAX_EXPLORED:
                        return munch
                    numbers[after] = len(order)
                    order.append(after)
                moves += [(number, byte, numbers[after]) for byte in some]
                if some[0] >= 0xC2 and not s.nullable(after) and all(self.completes(after, byte) for byte in some):
                    accepting.add(numbers[after])
                    is_closed = True
        return int(s.table(len(order), 0, list(accepting), moves)) if is_closed else munch

    def completes(self, munch: int, first: int) -> bool:
        """Is every character that begins with this byte finished by a text of the munch?"""
        s = self.set
        rest = s.derivative(self.any_character, first)
        key = (munch, rest)
        if key not in self.completed:
            unmunched = s.complement(s.concat([munch, s.ANYTHING]))
            self.completed[key] = rest != s.NO_MATCH and s.is_empty(s.intersection([rest, unmunched]))
        return self.completed[key]

    # ------------------------------------------------------------------------------ does something always fit behind?

    def going_on(self, root: int, munch: int) -> list[int]:
        """By place where a lexeme may end, the bytes by which a longer one goes on."""
        s = self.set
        seen, work, found = {(root, munch)}, [(root, munch)], set[int]()
        while work and len(seen) < MAX_EXPLORED:
            x, m = work.pop()
            if s.nullable(x):
                found.add(self.bytes_of(s.live_bytes(m)))
            for some in s.live_classes(s.union([x, m]) if x != m else x):
                after = (s.step(x, some[0]), s.step(m, some[0]))
                if after[0] != s.NO_MATCH and after not in seen:
                    seen.add(after)
                    work.append(after)
        return list(found)

    def may_block(self, behind: int, root: int, munch: int) -> bool:
        """Is there a place where the lexeme may end and something that may follow cannot, nor ignored text before it?"""
        places = self.going_on(root, munch)
        if all(first & ~going_on for going_on in places for first in self.bytes_of_all(behind)):
            return False
        return not any(all(first & ~going_on for going_on in places) for first in self.separators)

    def first_of_separator(self, number: int) -> int:
        """The bytes by which this ignored terminal may begin anywhere, where every terminal fits behind it; else none."""
        terminal = self.terminals[number]
        if not all(first & ~more for more in self.going_on(terminal.root, terminal.root) for first in self.bytes_of_all(self.placed)):
            return 0
        earlier = [t for t in members(self.rivals_of(number) & self.used) if self.terminals[t].order < terminal.order]
        return self.first_bytes[number] & ~reduce(or_, (self.first_bytes[t] for t in earlier), 0)

    def bytes_of_all(self, terminals: int) -> set[int]:
        """The first bytes of each terminal; those of expressions beside."""
        if terminals not in self.bytes_of_sets:
            self.bytes_of_sets[terminals] = self.find_bytes(terminals)
        return self.bytes_of_sets[terminals]

    def find_bytes(self, terminals: int) -> set[int]:
        return {self.first_bytes[t] for t in members(terminals) if t < len(self.terminals)} | self.opaque_bytes


def _has_flags_of(regex: Terminal, string: Terminal) -> bool:
    """Lark leaves a string out of the order where a regex with all its flags swallows it."""
    return string.pattern is not None and (regex.pattern is None or frozenset(string.pattern.flags) <= frozenset(regex.pattern.flags))


class _Rivals:
    """By terminal, those that could take its place or part of it: found by prefixes among strings, by first bytes else."""

    def __init__(self, lexing: Lexing) -> None:
        self.lexing = lexing
        self.found: dict[int, int] = {}
        used = list(members(lexing.used))
        self.texts = sorted((lexing.terminals[t].pattern.value, t) for t in used if _is_plain_string(lexing.terminals[t]))  # type: ignore[union-attr]
        self.by_text: dict[str, int] = {}
        for text, t in self.texts:
            self.by_text[text] = self.by_text.get(text, 0) | 1 << t
        self.others = [t for t in used if not _is_plain_string(lexing.terminals[t])]

    def __call__(self, number: int) -> int:
        if number not in self.found:
            terminal, first = self.lexing.terminals[number], self.lexing.first_bytes
            if _is_plain_string(terminal):
                assert terminal.pattern is not None
                found = self.with_common_beginning(terminal.pattern.value)
            else:
                found = reduce(or_, (1 << t for _, t in self.texts if first[t] & first[number]), 0)
            found |= reduce(or_, (1 << t for t in self.others if first[t] & first[number]), 0)
            self.found[number] = self.that_matter(number, list(members(found & ~(1 << number))))
        return self.found[number]

    def that_matter(self, number: int, candidates: list[int]) -> int:
        """Without those that come later in the order and have nothing to do with keywords."""
        terminals, swallows = self.lexing.terminals, self.lexing.swallows
        mine = terminals[number]
        if mine.plain or mine.lazy:
            return 0
        candidates = [t for t in candidates if not _never_meet(terminals[t], mine)]
        earlier = [t for t in candidates if terminals[t].order < mine.order]
        kept = set(earlier)
        for t in candidates:
            if t not in kept and (swallows(terminals[t], mine) or swallows(mine, terminals[t]) or any(swallows(terminals[t], terminals[e]) for e in earlier)):
                kept.add(t)
        return reduce(or_, (1 << t for t in kept), 0)

    def with_common_beginning(self, text: str) -> int:
        found = 0
        for end in range(1, len(text) + 1):
            found |= self.by_text.get(text[:end], 0)
        for i in range(bisect_left(self.texts, (text, -1)), len(self.texts)):
            if not self.texts[i][0].startswith(text):
                break
            found |= 1 << self.texts[i][1]
        return found


def _never_meet(one: Terminal, other: Terminal) -> bool:
    """Two strings of which neither begins the other."""
    if not (one.is_string and other.is_string):
        return False
    assert one.pattern is not None and other.pattern is not None
    a, b = one.pattern.value.casefold(), other.pattern.value.casefold()
    return not a.startswith(b) and not b.startswith(a)


def _is_plain_string(terminal: Terminal) -> bool:
    return terminal.is_string and terminal.pattern is not None and not terminal.pattern.flags


