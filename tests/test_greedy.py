"""Greedy lexemes: maximal munch by definition, on all short texts; liveness; masks bit for bit.

The oracle is ten lines: a lexeme may end at j only if no longer beginning of the text behind its start is one of its munch.
"""

from __future__ import annotations

import itertools
import random
import re

import pytest

import constrain
from constrain._native import ExprSet
from constrain.expr import Expr
from tests.test_masks import walk_and_compare

# Lexemes as regexes, with what they must not be the beginning of (None: themselves).
LEXEMES = [
    ("a+", None), ("[ab]+", None), ("a", "aa|a"), ("ab?", None), ("a(bb)*", None), ("b|ba*b", None), ("c+", None), ("a", "[ab]+"),
    ("ab", "a[bc]*"), ("(ab)+", None), ("[ab]*c", "[abc]+"), ("b", "b(c|aa)|b"), ("a|abc", None), ("b+|bc", "b+|bc|bcc*a"),
]  # fmt: skip


def random_tree(rng: random.Random, size: int) -> tuple:
    if size <= 1:
        return ("lexeme", rng.randrange(len(LEXEMES))) if rng.random() < 0.75 else ("text", rng.choice(["a", "b", "c", "ab", ""]))
    kind = rng.choice(["concat", "concat", "concat", "or", "or", "repeat", "rule"])
    if kind in ("repeat", "rule"):
        return (kind, random_tree(rng, size - 1))
    left = rng.randrange(1, size)
    return (kind, random_tree(rng, left), random_tree(rng, size - left))


def ends(tree: tuple, text: str, start: int) -> set[int]:
    """Where a part that begins at `start` may end, by definition."""
    kind = tree[0]
    if kind == "text":
        return {start + len(tree[1])} if text.startswith(tree[1], start) else set()
    if kind == "lexeme":
        pattern, munch = LEXEMES[tree[1]]
        places = range(start, len(text) + 1)
        longest = max((j for j in places if re.fullmatch(munch or pattern, text[start:j])), default=-1)
        return {j for j in places if j >= longest and re.fullmatch(pattern, text[start:j])}
    if kind == "concat":
        return {k for j in ends(tree[1], text, start) for k in ends(tree[2], text, j)}
    if kind == "or":
        return ends(tree[1], text, start) | ends(tree[2], text, start)
    if kind == "rule":  # "(" nested ")" or the part
        found = set(ends(tree[1], text, start))
        if text.startswith("(", start):
            found |= {j + 1 for j in ends(tree, text, start + 1) if text.startswith(")", j)}
        return found
    found = new = {start}
    while new:
        new = {k for j in new for k in ends(tree[1], text, j)} - found
        found = found | new
    return found


def build(s: ExprSet, tree: tuple) -> int:
    kind = tree[0]
    if kind == "text":
        return s.literal(tree[1].encode())
    if kind == "lexeme":
        pattern, munch = (p and constrain.regex(p) for p in LEXEMES[tree[1]])
        x = s.copy_from(pattern.set, pattern.root)
        return s.greedy(x, s.copy_from(munch.set, munch.root) if munch else x)
    if kind == "repeat":
        return s.repeat(build(s, tree[1]), 0, -1)
    if kind == "rule":
        rule = s.rule("nested")
        s.define(rule, s.union([build(s, tree[1]), s.concat([s.literal(b"("), rule, s.literal(b")")])]))
        return rule
    parts = [build(s, part) for part in tree[1:]]
    return s.concat(parts) if kind == "concat" else s.union(parts)


def texts(length: int, alphabet: str = "abc"):
    for n in range(length + 1):
        for letters in itertools.product(alphabet, repeat=n):
            yield "".join(letters)


@pytest.mark.parametrize("seed", range(10))
def test_greedy_lexemes_match_by_definition_and_live_where_a_text_goes_on(seed):
    rng = random.Random(seed)
    for _ in range(8):
        tree = random_tree(rng, rng.randrange(2, 8))
        s = ExprSet()
        root = build(s, tree)
        alphabet, length = ("abc()", 5) if "rule" in str(tree) else ("abc", 7)
        accepted = {text for text in texts(length, alphabet) if len(text) in ends(tree, text, 0)}
        prefixes = {text[:i] for text in accepted for i in range(len(text) + 1)}
        assert s.is_empty(root) <= (not accepted), tree
        for text in texts(length, alphabet):
            assert s.matches(root, text.encode()) == (text in accepted), (tree, text)
            if not s.is_empty(root) and text in prefixes:
                assert s.advance(root, text.encode())[1] == len(text), (tree, text)
        # What is dead behind a short text is dead for good; what lives can be finished.
        for text in texts(length - 3, alphabet):
            state, offset = s.advance(root, text.encode())
            if not s.is_empty(root) and offset == len(text) and s.num_unproven() == 0:
                way = Expr(s, state).sample(max_random_bytes=0)
                assert len(way) > 12 or len(text + way) in ends(tree, text + way, 0), (tree, text, way)


def grammar() -> Expr:
    """Assignments with white space between: names, keywords, numbers with parts that need a look back."""
    s = ExprSet()

    def lexeme(pattern: str, munch: str | None = None) -> int:
        x = constrain.regex(pattern)
        root = s.copy_from(x.set, x.root)
        if munch is None:
            return s.greedy(root, root, False)
        m = constrain.regex(munch)
        return s.greedy(root, s.copy_from(m.set, m.root), False)

    space = s.repeat(lexeme(r"[ \n]+"), 0, -1)
    name = lexeme(r"(?!(?:if|true)$)[a-z]+", "[a-z]+")
    number = lexeme(r"[0-9]+(?:\.[0-9]+)?")
    value = s.rule("value")
    dots = s.concat([number, space, s.literal(b".."), space, number])
    s.define(value, s.union([name, number, dots, s.concat([s.literal(b"("), space, value, space, s.literal(b")")])]))
    keyword = lexeme("if", "[a-z]+")
    return Expr(s, s.repeat(s.union([s.concat([keyword, space, value, space]), s.concat([name, space, s.literal(b"="), space, value, space, s.literal(b"\n")])]), 1, -1))


def test_a_number_may_have_to_be_read_again():
    assert grammar().matches("if 1..2") and grammar().matches("a=1.5..22.5\n") and not grammar().matches("if 1.")
    assert not grammar().matches("ifx") and grammar().matches("ifx=1\n") and not grammar().matches("if=1\n")


def test_masks_of_greedy_lexemes_equal_brute_force(small_vocabulary, phi_vocabulary):
    for seed in range(12):
        walk_and_compare(grammar(), small_vocabulary, seed, 40)
    for seed in range(2):
        walk_and_compare(grammar(), phi_vocabulary, seed, 25)


def test_what_stands_behind_text_of_another_expression_is_no_business_of_the_lexer():
    word = ExprSet()
    letters = word.repeat(word.byte_range(97, 122), 1, -1)
    lexeme = Expr(word, word.greedy(letters, letters))
    assert (lexeme + "end").matches("theend")
    assert (lexeme + lexeme).matches("ab") and lexeme.repeat(2, 2).matches("ab")
    assert not Expr(word, word.concat([lexeme.root, lexeme.root])).matches("ab")
    assert Expr(word, word.concat([lexeme.root, lexeme.root])).is_empty()
