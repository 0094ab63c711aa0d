"""Random grammars as trees, spelt in each notation, and a recogniser that knows nothing of the package.

A tree is a tuple: ("text", s), ("class", characters, is_negated), ("rule", i), ("seq", …), ("alt", …), ("repeat", x, least,
most), ("except", x, y). Used by tests/test_notations.py.
"""

from __future__ import annotations

import random
from itertools import product
from typing import Any

Tree = tuple[Any, ...]
ALPHABET = "ab\u00e9"


class Recogniser:
    """Which rules match which parts of one text: the least sets of (rule, start, end), found by going round."""

    def __init__(self, rules: list[Tree], text: str) -> None:
        self.rules, self.text, self.is_excepted = rules, text, False
        self.ends: dict[tuple[int, int], set[int]] = {(r, i): set() for r in used_rules(rules) for i in range(len(text) + 1)}
        changed = True
        while changed:
            changed = False
            for (rule, start), known in self.ends.items():
                found = self.find(rules[rule], start)
                changed |= not found <= known
                known |= found

    def find(self, tree: Tree, start: int) -> set[int]:
        """Where the tree may end; what is excepted is not recursive, and found anew rather than by going round."""
        kind, *parts = tree
        if kind == "text":
            return {start + len(parts[0])} if self.text.startswith(parts[0], start) else set()
        if kind == "class":
            return {start + 1} if start < len(self.text) and (self.text[start] in parts[0]) != parts[1] else set()
        if kind == "rule":
            return self.find(self.rules[parts[0]], start) if self.is_excepted else set(self.ends[parts[0], start])
        if kind == "alt":
            return set().union(*(self.find(part, start) for part in parts))
        if kind == "seq":
            ends = {start}
            for part in parts:
                ends = set().union(*(self.find(part, end) for end in ends))
            return ends
        if kind == "except":
            found = self.find(parts[0], start)
            was_excepted, self.is_excepted = self.is_excepted, True
            found -= self.find(parts[1], start)
            self.is_excepted = was_excepted
            return found
        item, least, most = parts
        ends, found, seen = {start}, {start} if least == 0 else set(), 0
        while ends and (most is None or seen < most):
            ends = set().union(*(self.find(item, end) for end in ends))
            seen += 1
            if seen >= least:
                if most is None and ends <= found:
                    break
                found |= ends
        return found

    @property
    def accepts(self) -> bool:
        return len(self.text) in self.ends[0, 0]


def texts(length: int) -> list[str]:
    return ["".join(t) for n in range(length + 1) for t in product(ALPHABET, repeat=n)]


def used_rules(rules: list[Tree]) -> set[int]:
    found, work = set(), [0]
    while work:
        rule = work.pop()
        if rule not in found:
            found.add(rule)
            work += _named(rules[rule])
    return found


def _named(tree: Tree) -> list[int]:
    if tree[0] == "rule":
        return [tree[1]]
    if tree[0] == "repeat" and tree[3] == 0:  # never there
        return []
    return [rule for part in tree[1:] if isinstance(part, tuple) for rule in _named(part)]


def unproductive(rules: list[Tree]) -> set[int]:
    """The used rules that can never end."""
    good: set[int] = set()

    def ends(tree: Tree) -> bool:
        kind, *parts = tree
        if kind in ("text", "class"):
            return True
        if kind == "rule":
            return parts[0] in good
        if kind == "repeat":
            return parts[1] == 0 or ends(parts[0])
        return (any if kind == "alt" else all)(ends(part) for part in (parts[:1] if kind == "except" else parts))

    while more := {r for r, body in enumerate(rules) if r not in good and ends(body)}:
        good |= more
    return used_rules(rules) - good


def draw(rng: random.Random, num_rules: int, depth: int, with_exceptions: bool) -> Tree:
    kind = rng.choice(["text", "class", "rule", "rule"] if depth == 0 else ["text", "class", "rule", "seq", "seq", "alt", "alt", "repeat"])
    if kind == "text":
        return "text", "".join(rng.choices(ALPHABET, k=rng.choice([0, 1, 1, 2])))
    if kind == "class":
        return "class", "".join(rng.sample(ALPHABET, rng.choice([1, 2]))), rng.random() < 0.3
    if kind == "rule":
        return "rule", rng.randrange(num_rules)
    if kind == "repeat":
        least = rng.choice([0, 0, 1, 2])
        return "repeat", draw(rng, num_rules, depth - 1, with_exceptions), least, rng.choice([None, least + rng.randrange(3)])
    if kind == "alt" and with_exceptions and rng.random() < 0.5:
        return "except", draw(rng, num_rules, depth - 1, False), draw(rng, num_rules, depth - 1, False)
    return kind, *(draw(rng, num_rules, depth - 1, with_exceptions) for _ in range(rng.choice([1, 2, 2, 3])))


def draw_grammar(seed: int, with_exceptions: bool = False) -> list[Tree]:
    rng = random.Random(seed)
    num_rules = rng.randint(1, 4)
    return [draw(rng, num_rules, rng.randint(1, 3), with_exceptions) for _ in range(num_rules)]


class Speller:
    """A grammar in one notation: "gbnf", "xgrammar" or "iso"; how it is spelt is drawn too."""

    def __init__(self, notation: str, seed: int) -> None:
        self.notation, self.rng = notation, random.Random(seed)

    def grammar(self, rules: list[Tree]) -> str:
        define, end = (" =", ";") if self.notation == "iso" else (" ::=", "")
        order = list(range(len(rules)))
        self.rng.shuffle(order)
        comment = {"iso": "(* root = 'x'; (* in *) *)"}.get(self.notation, "# root ::= )")
        return "\n".join(f"{comment if self.rng.random() < 0.2 else ''}\n{self.name(i)}{define} {self.body(rules[i])} {end}" for i in order) + "\n"

    def name(self, rule: int) -> str:
        return "root" if rule == 0 else f"rule {rule}" if self.notation == "iso" and self.rng.random() < 0.5 else f"rule{rule}"

    def body(self, tree: Tree) -> str:
        kind, *parts = tree
        if kind == "seq":
            return (", " if self.notation == "iso" else self.rng.choice([" ", "  "])).join(map(self.item, parts))
        if kind == "alt":
            bar = self.rng.choice(["|", "/", "!"]) if self.notation == "iso" else self.rng.choice(["|", "|\n  ", "|  # or )\n"])
            return f" {bar} ".join(map(self.item, parts))
        if kind == "repeat":
            return self.repeat(*parts)
        if kind == "except":
            return f"{self.item(parts[0])} - {self.item(parts[1])}"
        if kind == "rule":
            return self.name(parts[0])
        if kind == "class":
            return self.characters(*parts)
        return self.text(parts[0])

    def item(self, tree: Tree) -> str:
        gap = self.rng.choice(["", " ", "\n"])
        return f"({gap}{self.body(tree)}{gap})" if tree[0] in ("seq", "alt", "repeat", "except") or (tree[0] == "class" and self.notation == "iso") else self.body(tree)

    def text(self, text: str) -> str:
        if self.notation != "iso":
            return '"' + "".join(map(self.character, text)) + '"'
        return f'"{text}"' if text and self.rng.random() < 0.5 else f"'{text}'" if text else "( )"

    def character(self, c: str) -> str:
        code = ord(c)
        return self.rng.choice([c, c, f"\\x{code:02X}" if self.notation == "gbnf" else c, f"\\u{code:04x}", f"\\U{code:08x}"])

    def characters(self, members: str, is_negated: bool) -> str:
        if self.notation == "iso":
            shown = [c for c in ALPHABET if (c in members) != is_negated]
            return " | ".join(f'"{c}"' for c in shown)
        return f"[{'^' if is_negated else ''}{''.join(map(self.character, members))}]"

    def repeat(self, item: Tree, least: int, most: int | None) -> str:
        inner = self.item(item)
        if self.notation == "iso":
            counted = f"{least} * {inner}"
            if most is None:
                return f"{counted}, {{ {self.body(item)} }}"
            return ", ".join([counted, *[f"[ {self.body(item)} ]"] * (most - least)])
        sign = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((least, most))
        if sign and self.rng.random() < 0.7:
            return inner + sign
        if most is None:
            return f"{inner}{{{least},}}"
        return f"{inner}{{{least}}}" if least == most else f"{inner}{{{least}, {most}}}"
