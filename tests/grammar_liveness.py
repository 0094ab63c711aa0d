"""An oracle for «how far can this text still be continued to an accepted one», from Lark's rules and terminals alone.

Letter by letter: an Earley chart over characters, where a terminal may be any of its matches; the text lives up to the furthest
place that some expected terminal reaches as a prefix. With a lexer: a prefix lives if, at some border of Lark's own lexemes, a
terminal that the parser accepts there (or an ignored one) can still grow over the rest of the prefix. Prefixes of terminals
are judged by the `regex` package's partial matches. What is ignored counts as alive whatever
may follow it, so where a comment to the end of the line cannot be followed by a line break the oracle is too kind; no record
depends on that. Independent of the package under test; tests/test_grammars.py compares both with the stated offsets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, cached_property

import lark
import regex
from lark.grammar import Terminal

from tests.grammar_corpus import Grammar, lark_of


class Chart:
    """Earley's recogniser over the rules of a `Lark`, for any notion of where a terminal may end."""

    def __init__(self, rules: list, start: str) -> None:
        self.rules = [(rule.origin.name, tuple(rule.expansion)) for rule in rules]
        self.by_origin: dict[str, list[int]] = {}
        for i, (origin, _) in enumerate(self.rules):
            self.by_origin.setdefault(origin, []).append(i)
        self.start = start
        self.nullable: set[str] = set()
        while grown := {o for o, body in self.rules if o not in self.nullable and all(s.name in self.nullable for s in body)}:
            self.nullable |= grown

    def expected(self, length: int, ends: Callable[[str, int], Iterator[int]]) -> list[set[str]]:
        """For each place the terminals that may begin there; `ends(terminal, place)` are the places where one may end."""
        sets: list[dict[tuple[int, int, int], None]] = [{} for _ in range(length + 1)]
        expected: list[set[str]] = [set() for _ in range(length + 1)]
        sets[0] = {(i, 0, 0): None for i in self.by_origin[self.start]}
        waiting: list[dict[str, list[tuple[int, int, int]]]] = [{} for _ in range(length + 1)]
        for place in range(length + 1):
            agenda, seen = list(sets[place]), sets[place]

            def add(item: tuple[int, int, int], agenda: list = agenda, seen: dict = seen) -> None:
                if item not in seen:
                    seen[item] = None
                    agenda.append(item)

            while agenda:
                rule, dot, origin = agenda.pop()
                head, body = self.rules[rule]
                if dot == len(body):
                    for r, d, o in waiting[origin].get(head, ()):
                        add((r, d + 1, o))
                elif isinstance(body[dot], Terminal):
                    expected[place].add(body[dot].name)
                    for end in ends(body[dot].name, place):
                        sets[end][rule, dot + 1, origin] = None
                else:
                    name = body[dot].name
                    waiting[place].setdefault(name, []).append((rule, dot, origin))
                    for i in self.by_origin[name]:
                        add((i, 0, place))
                    if name in self.nullable:
                        add((rule, dot + 1, origin))
        return expected


class Liveness:
    """`longest_live_prefix` for one grammar under its reading."""

    def __init__(self, grammar: Grammar) -> None:
        self.reading = grammar.lexer
        self.lark = lark_of(grammar.text, grammar.lexer, grammar.parser)
        self.is_lalr = grammar.parser == "lalr"
        self.patterns = {t.name: regex.compile(t.pattern.to_regexp()) for t in self.lark.terminals}
        self.lazy = {p.pattern for p in self.patterns.values() if "*?" in p.pattern}
        self.letters = sorted({c for c in grammar.text if c > "\x7f"})

    @cached_property
    def chart(self) -> Chart:
        return Chart(self.lark.rules, self.lark.options.start[0])

    def grows(self, terminal: str, text: str, start: int) -> bool:
        """Whether text[start:] is a prefix of a match of the terminal; a lazy one that has ended grows no more."""
        pattern = self.patterns.get(terminal)
        if pattern is None or (pattern.pattern in self.lazy and (m := pattern.match(text, start)) and m.end() < len(text)):
            return False
        return pattern.fullmatch(text, start, partial=True) is not None

    def is_live(self, text: str) -> bool:
        if self.reading == "dynamic":
            return self.is_live_by_letters(text)
        borders = self.lalr_borders(text) if self.is_lalr else self.earley_borders(text)
        return any(
            i == len(text) or any(self.grows(t, text, i) for t in (*accepted, *self.lark.ignore_tokens))
            for border, accepted in borders
            for i in self.behind_ignored(text, border)
        )

    def is_live_by_letters(self, text: str) -> bool:
        def ends(terminal: str, place: int) -> Iterator[int]:
            return (end for end in range(place + 1, len(text) + 1) if self.patterns[terminal].fullmatch(text, place, end))

        expected = self.chart.expected(len(text), ends)
        return not text or any(self.grows(t, text, i) for i, terminals in enumerate(expected[:-1]) for t in terminals)

    def behind_ignored(self, text: str, start: int) -> Iterator[int]:
        """`start`, and every place behind ignored matches from there on."""
        yield start
        for name in self.lark.ignore_tokens:
            m = self.patterns[name].match(text, start)
            if m and m.end() > start:
                yield from self.behind_ignored(text, m.end())

    def lalr_borders(self, text: str) -> Iterator[tuple[int, set[str]]]:
        """Ends of Lark's lexemes with the terminals that its parser accepts there."""
        interactive = self.lark.parse_interactive(text)
        yield 0, interactive.accepts()
        tokens = interactive.lexer_thread.lex(interactive.parser_state)
        try:
            for token in tokens:
                interactive.feed_token(token)
                yield token.end_pos, interactive.accepts()
        except lark.exceptions.UnexpectedInput:
            return

    def earley_borders(self, text: str) -> Iterator[tuple[int, set[str]]]:
        tokens: list[lark.Token] = []
        try:
            tokens.extend(self.lark.lex(text))
        except lark.exceptions.UnexpectedInput as error:
            tokens = list(self.lark.lex(text[: error.pos_in_stream]))
        expected = self.chart.expected(len(tokens), lambda t, i: iter([i + 1] if tokens[i : i + 1] and tokens[i].type == t else []))
        yield 0, expected[0]
        for token, before, behind in zip(tokens, expected, expected[1:]):
            if token.type not in before:
                return
            yield token.end_pos or 0, behind

    def longest_live_prefix(self, text: str) -> int:
        """In bytes, so that a character of which only the first bytes can stand counts in part."""
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.is_live(text[:middle]) else (low, middle - 1)
        head = text[:low]
        return len(head.encode()) + (self.bytes_of_next(head, text[low]) if low < len(text) else 0)

    def bytes_of_next(self, head: str, character: str) -> int:
        """How many bytes of a character that cannot stand behind `head` begin one that can."""
        data = character.encode()
        for size in range(len(data) - 1, 0, -1):
            if any(self.is_live(head + c) for c in (*self.letters, *sharing(data[:size])) if c.encode()[:size] == data[:size]):
                return size
        return 0


@cache
def sharing(start: bytes) -> tuple[str, ...]:
    """Some characters whose UTF-8 begins with these bytes: the first 64 and then one in 97."""
    lead = start[0]
    low, high = (0x80, 0x800) if lead < 0xE0 else (0x800, 0x10000) if lead < 0xF0 else (0x10000, 0x110000)
    codes = [c for c in range(low, high) if not 0xD800 <= c < 0xE000 and chr(c).encode().startswith(start)]
    return tuple(chr(c) for c in codes[:64] + codes[64::97])
