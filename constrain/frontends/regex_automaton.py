r"""Assertions anywhere, by an explicit automaton: for the patterns that no equation of regex_looks.py settles.

The tree becomes a program of characters, splits and looks (Thompson 1968). Its threads are stepped together over classes of
characters that no set of the pattern tells apart. A thread carries what it still owes: for every look-ahead that it passed,
the threads of that look's own program (an alternating automaton, written as sets of sets). A look-behind is a program
that starts anew at every place of the text, and holds where one of its threads has just finished. So a state is a tuple
of sets of threads, the states reached from the first one are the automaton, and it goes to the core as a table of bytes.

Invariants: exact for every tree; bounded by `MAX_STATES` and by fuel, counted in threads stepped, beyond which the pattern
is refused by LimitExceeded. Held by tests/test_regex.py, which also sends settled patterns through here.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import product

from ..errors import LimitExceeded
from .regex_looks import ANY_TEXT
from .regex_tree import (
    INFINITE,
    Chars,
    Concat,
    Context,
    Look,
    Node,
    Repeat,
    Text,
    Union,
    WordBoundary,
    concat,
    union,
)
from .utf8 import ANY, Alphabet, CodePoints

__all__ = ["MAX_STATES", "Program", "Speller", "automaton_table", "classes_of", "minimal", "spelled_table"]

MAX_STATES = 4000
_MAX_PROGRAM = 20_000
_MAX_FUEL = 300_000
_MAX_DEPTH = 150

# A thread: a place in the program, and what it owes. A debt: negative?, and the threads of the look-ahead's program.
Debts = frozenset["Debt"]
Thread = tuple[int, Debts]
Threads = frozenset[Thread]
Debt = tuple[bool, Threads]
State = tuple[Threads, ...]  # of each look-behind, inner ones first, and last of the pattern itself

_NO_DEBTS: Debts = frozenset()


def _too_large(limit: str, allowed: int) -> LimitExceeded:
    message = f"regex: look-around or anchors inside a repetition need more than {allowed} {limit}"
    return LimitExceeded("max_lookaround", None, allowed, message)


class Program:
    """Instructions by number: `("char", set, next)`, `("split", nexts)`, `("ahead" | "behind", …)`, `("match",)`."""

    def __init__(self) -> None:
        self.code: list[tuple] = [("match",)]
        self.behinds: list[int] = []  # where each look-behind's program starts

    def add(self, *instruction: object) -> int:
        if len(self.code) >= _MAX_PROGRAM:
            raise _too_large("instructions", _MAX_PROGRAM)
        self.code.append(instruction)
        return len(self.code) - 1

    def compile(self, node: Node, after: int, level: int = 0) -> int:
        """The place where `node`, followed by what is at `after`, starts."""
        if level > _MAX_DEPTH:
            raise _too_large("levels of brackets", _MAX_DEPTH)
        if isinstance(node, Text):
            for character in reversed(node.text):
                after = self.add("char", CodePoints.one(ord(character)), after)
            return after
        if isinstance(node, Chars):
            return self.add("char", node.points, after)
        if isinstance(node, Concat):
            for part in reversed(node.parts):
                after = self.compile(part, after, level + 1)
            return after
        if isinstance(node, Union):
            return self.add("split", tuple(self.compile(part, after, level + 1) for part in node.parts))
        if isinstance(node, Repeat):
            return self.compile_repeat(node, after, level)
        return self.compile_assertion(node, after, level)

    def compile_repeat(self, node: Repeat, after: int, level: int) -> int:
        if node.max == INFINITE:
            loop = self.add("split", ())
            self.code[loop] = ("split", (self.compile(node.item, loop, level + 1), after))
            after = loop
        else:
            end = after
            for _ in range(node.max - node.min):
                after = self.add("split", (self.compile(node.item, after, level + 1), end))
        for _ in range(node.min):
            after = self.compile(node.item, after, level + 1)
        return after

    def compile_assertion(self, node: Node, after: int, level: int) -> int:
        if isinstance(node, Look):
            return self.compile_look(node.item, node.behind, node.negative, after, level)
        if isinstance(node, Context):
            # "one of these, or the edge" is "not one of the others"
            points = ~node.points if node.edge else node.points
            return self.compile_look(Chars(points), node.behind, node.edge, after, level)
        assert isinstance(node, WordBoundary), "an intersection is made from assertions only after this"
        word, other = node.word, ~node.word
        ahead = [Context(False, word, False), Context(False, other, True)]
        if not node.negative:
            ahead.reverse()
        return self.compile(
            union([concat([Context(True, word, False), ahead[0]]), concat([Context(True, other, True), ahead[1]])]),
            after,
            level + 1,
        )

    def compile_look(self, item: Node, behind: bool, negative: bool, after: int, level: int) -> int:
        if not behind:
            return self.add("ahead", negative, self.compile(item, 0, level + 1), after)
        start = self.compile(concat([ANY_TEXT, item]), 0, level + 1)
        self.behinds.append(start)
        return self.add("behind", negative, len(self.behinds) - 1, after)


class _Stepper:
    """How a state moves on; everything is memoised by state."""

    def __init__(self, tree: Node) -> None:
        self.program = Program()
        start = self.program.compile(tree, 0)
        self.starts = [*self.program.behinds, start]
        self.classes = classes_of(i[1] for i in self.program.code if i[0] == "char")
        self.members = {
            at: frozenset(n for n, c in enumerate(self.classes) if c.ranges[0][0] in i[1])
            for at, i in enumerate(self.program.code)
            if i[0] == "char"
        }
        self.fuel = _MAX_FUEL
        self.closed: dict[Threads, Threads] = {}  # at the place being stepped
        self.truths: list[list[Debts]] = []  # of each look-behind there: the debts under which it holds

    def first(self) -> State:
        return tuple(frozenset([(start, _NO_DEBTS)]) for start in self.starts)

    def at(self, state: State) -> State:
        """The state with every set of threads closed: moved on to characters and matches."""
        self.closed = {}
        self.truths = []
        done = []
        for threads in state:
            closed = self.close(threads)
            done.append(closed)
            self.truths.append([debts for at, debts in closed if at == 0])
        return tuple(done)

    def close(self, threads: Threads) -> Threads:
        known = self.closed.get(threads)
        if known is not None:
            return known
        seen: set[Thread] = set()
        found: set[Thread] = set()
        stack = list(threads)
        while stack:
            thread = stack.pop()
            if thread in seen:
                continue
            seen.add(thread)
            self.burn()
            at, debts = thread
            instruction = self.program.code[at]
            kind = instruction[0]
            if kind in ("char", "match"):
                found.add(thread)
            elif kind == "split":
                stack += [(after, debts) for after in instruction[1]]
            elif kind == "ahead":
                owed = self.owed(instruction[1], frozenset([(instruction[2], _NO_DEBTS)]))
                if owed is not None:
                    stack.append((instruction[3], debts | owed))
            else:
                stack += [(instruction[3], debts | more) for more in self.behind(instruction[1], instruction[2])]
        result = self.closed[threads] = _least(found)
        return result

    def burn(self) -> None:
        self.fuel -= 1
        if self.fuel < 0:
            raise _too_large("steps of threads", _MAX_FUEL)

    def owed(self, negative: bool, threads: Threads) -> Debts | None:
        """What a look-ahead at this place leaves to owe: nothing once it is decided; None when it has failed."""
        closed = self.close(threads)
        if (0, _NO_DEBTS) in closed:
            return None if negative else _NO_DEBTS
        if not closed:
            return _NO_DEBTS if negative else None
        return frozenset([(negative, threads)])

    def behind(self, negative: bool, index: int) -> list[Debts]:
        """The debts under which a look-behind at this place holds, one set for each way."""
        ways = self.truths[index]
        if not negative:
            return ways
        # Every way must fail: of each, one debt is turned round.
        turned = [[(not kind, threads) for kind, threads in way] for way in ways]
        chosen = []
        for choice in product(*turned):
            self.burn()
            chosen.append(frozenset(choice))
        return list(dict.fromkeys(chosen))

    def step(self, closed: Threads, character: int, memo: dict[Threads, Threads], is_look: bool) -> Threads:
        """The threads after a character; what a look-ahead has found stays found, up to what it owes."""
        found: set[Thread] = set()
        for at, debts in closed:
            self.burn()
            if at == 0:
                if not is_look:
                    continue
                after = 0
            elif character in self.members[at]:
                after = self.program.code[at][2]
            else:
                continue
            left = self.step_debts(debts, character, memo)
            if left is not None:
                found.add((after, left))
        return _least(found)

    def step_debts(self, debts: Debts, character: int, memo: dict[Threads, Threads]) -> Debts | None:
        left: set[Debt] = set()
        for negative, threads in debts:
            after = memo.get(threads)
            if after is None:
                after = memo[threads] = self.step(self.closed_now(threads), character, memo, True)
            if (0, _NO_DEBTS) in after:
                if negative:
                    return None
            elif after:
                left.add((negative, after))
            elif not negative:
                return None
        return frozenset(left)

    def closed_now(self, threads: Threads) -> Threads:
        return self.closed[threads] if threads in self.closed else self.close(threads)

    def move(self, closed: State, character: int) -> State:
        memo: dict[Threads, Threads] = {}
        return tuple(self.step(threads, character, memo, False) for threads in closed)

    def accepts(self, closed: Threads) -> bool:
        """Does the text end well here? All that is owed must be found without another character."""
        return any(at == 0 and all(self.paid_at_end(debt) for debt in debts) for at, debts in closed)

    def paid_at_end(self, debt: Debt) -> bool:
        negative, threads = debt
        return self.accepts(self.closed_now(threads)) != negative


def _least(threads: Iterable[Thread]) -> Threads:
    """Without the threads that owe more than another one at the same place."""
    by_place: dict[int, list[Debts]] = {}
    for at, debts in threads:
        by_place.setdefault(at, []).append(debts)
    return frozenset(
        (at, debts)
        for at, owed in by_place.items()
        for debts in owed
        if len(owed) == 1 or not any(other < debts for other in owed)
    )


def classes_of(sets: Iterable[CodePoints]) -> list[CodePoints]:
    """The coarsest classes of characters that no set tells apart; together they are all characters."""
    classes = [ANY]
    for points in dict.fromkeys(sets):
        parts = [part for c in classes for part in (c & points, c - points)]
        classes = [part for part in parts if part]
    return classes


Moves = list[dict[int, int]]  # by state: class of characters -> state


@lru_cache(maxsize=64)
def _automaton(tree: Node) -> tuple[list[CodePoints], Moves, list[bool]]:
    """Classes, moves and acceptance of the minimal automaton of `tree`; state 0 is the first."""
    stepper = _Stepper(tree)
    first = stepper.first()
    numbers = {first: 0}
    order = [first]
    moves: Moves = []
    accepting: list[bool] = []
    for state in order:  # which grows
        closed = stepper.at(state)
        accepting.append(stepper.accepts(closed[-1]))
        row: dict[int, int] = {}
        for character in range(len(stepper.classes)):
            after = stepper.move(closed, character)
            if not after[-1]:
                continue
            if after not in numbers:
                if len(order) >= MAX_STATES:
                    raise _too_large("states", MAX_STATES)
                numbers[after] = len(order)
                order.append(after)
            row[character] = numbers[after]
        moves.append(row)
    return (stepper.classes, *minimal(moves, accepting))


def minimal(moves: Moves, accepting: list[bool]) -> tuple[Moves, list[bool]]:
    """Moore's algorithm: states are split by acceptance, then by where they move, until nothing changes."""
    block = [int(a) for a in accepting]
    count = len(set(block))
    while True:
        signatures = [(block[q], *((c, block[t]) for c, t in row.items())) for q, row in enumerate(moves)]
        ids: dict[tuple, int] = {}
        block = [ids.setdefault(s, len(ids)) for s in signatures]
        if len(ids) == count:
            break
        count = len(ids)
    merged: Moves = [{} for _ in range(count)]
    accepts = [False] * count
    for q, row in enumerate(moves):
        merged[block[q]] = {c: block[t] for c, t in row.items()}
        accepts[block[q]] = accepting[q]
    return merged, accepts


def automaton_table(tree: Node, alphabet: Alphabet) -> int:
    """The expression of a tree with assertions, as a table of the core over the alphabet's bytes."""
    return spelled_table(*_automaton(tree), alphabet)


def spelled_table(classes: list[CodePoints], moves: Moves, accepting: list[bool], alphabet: Alphabet) -> int:
    """An automaton over classes of characters as a table over the alphabet's bytes; state 0 is the first."""
    speller = Speller(alphabet, len(moves))
    for state, row in enumerate(moves):
        by_target: dict[int, list[int]] = {}
        for character, target in row.items():
            by_target.setdefault(target, []).append(character)
        spelt = []
        for target, members in by_target.items():
            points = CodePoints([r for c in members for r in classes[c].ranges])
            spelt.append((alphabet.char(points), target))
        speller.spell(state, frozenset(spelt))
    accepts = [state for state, yes in enumerate(accepting) if yes]
    return int(alphabet.set.table(speller.num_states, 0, accepts, speller.moves))


class Speller:
    """Moves by characters to moves by bytes: a state within a character is what is left of it, by target."""

    def __init__(self, alphabet: Alphabet, num_states: int) -> None:
        self.set = alphabet.set
        self.num_states = num_states
        self.moves: list[tuple[int, int, int]] = []
        self.numbers: dict[frozenset[tuple[int, int]], int] = {}
        self.rows: dict[int, list[tuple[int, int]]] = {}

    def spell(self, state: int, spelt: frozenset[tuple[int, int]]) -> None:
        work = [(state, spelt)]
        while work:
            number, left = work.pop()
            by_byte: dict[int, set[tuple[int, int]]] = {}
            for e, target in left:
                for byte, after in self.row(e):
                    by_byte.setdefault(byte, set()).add((after, target))
            for byte, after_byte in by_byte.items():
                done = [target for e, target in after_byte if e == self.set.EMPTY_STRING]
                if done:
                    assert len(after_byte) == 1, "one spelling begins another"
                    self.moves.append((number, byte, done[0]))
                    continue
                key = frozenset(after_byte)
                if key not in self.numbers:
                    self.numbers[key] = self.num_states
                    self.num_states += 1
                    work.append((self.numbers[key], key))
                self.moves.append((number, byte, self.numbers[key]))

    def row(self, e: int) -> list[tuple[int, int]]:
        found = self.rows.get(e)
        if found is None:
            found = [(byte, self.set.derivative(e, byte)) for byte in self.set.live_bytes(e)]
            self.rows[e] = found
        return found


