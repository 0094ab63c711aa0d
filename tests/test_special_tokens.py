"""Tokens that a grammar speaks of themselves: masks against brute force, walks on a real vocabulary, refusals by name."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest

import constrain
from constrain import ConstrainError, UnsupportedError, specials

GRAMMARS = {
    "names": 'start: <think> /[a-z]*/ </think> ("!" | <think>)+',
    "choice of names": "start: (<think> | </think> | /[a-c]+/)+",
    "numbers": 'start: "a" <[97-98,263]> <[^97-100]> "b"*',
    "any": "start: <[*]> /a+/ <[*]>",
    "both": "start: (<think> | <[97]>) ('x' | <[260-263]>)*".replace("'", '"'),
    "a token or its text": 'start: ("ab" | <[258]>) "c"',
    "text and tools": 'start: (TEXT | call)*\ncall: <|tool|> %json {"type": "integer"} <|eom|>\nTEXT: /[^{]/',
    "ignored": 'start: <|tool|> "x"+ <|eom|>?\n%ignore " "',
    "recursion": 'start: <think> start </think> | "ab"',
}


@pytest.fixture(scope="module")
def vocabulary() -> constrain.Vocabulary:
    tokens: list[bytes | None] = [bytes([b]) for b in range(256)]
    tokens += [None, None, b"ab", b"abc", None, b"<x>", b"a\xfe", None, b"bb", None]
    named = {"<think>": 256, "</think>": 257, "<|tool|>": 260, "<x>": 261, "<|eom|>": 263, "<end>": 265}
    return constrain.Vocabulary(tokens, end_ids=[265], size=270, special_tokens=named, excluded=[264])


LISTS = ["[97-98,263]", "[^97-100]", "[*]", "[97]", "[260-263]", "[258]"]


def members(written: str) -> set[int]:
    """The ids that a list means, for better or worse."""
    ids = {i for part in written.strip("[^]*").split(",") if part for i in range(int(part.split("-")[0]), int(part.split("-")[-1]) + 1)}
    return set(range(270)) - ids if written[1] in "^*" else ids


def spellings(vocabulary: constrain.Vocabulary, token: int) -> list[bytes]:
    """The text of a token and what else stands for it."""
    if token in vocabulary.end_ids or token in vocabulary.excluded:
        return []
    text = vocabulary.tokens[token]
    names = [name for name, i in vocabulary.special_tokens.items() if i == token]
    found = [] if text is None or set(text) & {0xFE, 0xFF} else [text]
    lists = [one for one in LISTS if token in members(one)] if text is not None or names else []
    return found + [specials.spell(one) for one in lists + names]


class Oracle:
    """The states of all spellings side by side, byte by byte."""

    def __init__(self, expr: constrain.Expr) -> None:
        self.set, self.states = expr.set, {expr.root}

    def after(self, data: bytes) -> set[int]:
        found = set()
        for state in self.states:
            for byte in data:
                state = self.set.step(state, byte)
            found.add(state)
        return found - {self.set.NO_MATCH}

    def allowed(self, vocabulary: constrain.Vocabulary) -> list[int]:
        ids = [i for i in range(vocabulary.size) if any(self.after(s) for s in spellings(vocabulary, i))]
        return sorted(ids + (vocabulary.end_ids if any(self.set.nullable(s) for s in self.states) else []))

    def accept(self, vocabulary: constrain.Vocabulary, token: int) -> None:
        self.states = set().union(*(self.after(s) for s in spellings(vocabulary, token)))


@pytest.mark.parametrize("name", GRAMMARS)
def test_masks_equal_brute_force(name, vocabulary):
    expr = constrain.lark(GRAMMARS[name])
    rng = random.Random(name)
    for _ in range(12):
        twin = constrain.lark(GRAMMARS[name])
        twin.set.nullable(twin.set.advance(twin.root, b"")[0])
        oracle, matcher = Oracle(twin), constrain.compile(expr, vocabulary).matcher()
        for _ in range(8):
            bitmask = constrain.allocate_token_bitmask(1, vocabulary.size)
            matcher.fill_next_token_bitmask(bitmask)
            bits = np.unpackbits(bitmask.view(np.uint8), bitorder="little")
            allowed = [int(i) for i in np.flatnonzero(bits)]
            assert allowed == oracle.allowed(vocabulary) == [i for i in range(vocabulary.size) if matcher.is_token_allowed(i)]
            going_on = [i for i in allowed if i not in vocabulary.end_ids]
            if not going_on:
                break
            rare = [i for i in going_on if i > 255]
            token = rng.choice(rare if rare and rng.random() < 0.5 else going_on)
            assert matcher.accept_token(token)
            oracle.accept(vocabulary, token)


def test_text_never_spells_a_special_token(vocabulary):
    matcher = constrain.compile(constrain.lark("start: <think>"), vocabulary).matcher()
    for spelling in (b"<think>", specials.spell("<think>"), specials.spell("[256]")):
        assert matcher.accept_tokens(list(spelling)) == 0
    assert matcher.allowed_tokens() == [256]
    assert matcher.forced_bytes() == matcher.allowed_bytes() == b""


def test_combinations_keep_the_names(vocabulary):
    think = constrain.lark("start: <think>")
    for expr in (think + "a", constrain.regex("a*") + think, think | "b", (think + "a") & constrain.lark("start: <think> /[ab]/")):
        matcher = constrain.compile(expr, vocabulary).matcher()
        matcher.accept_token(97)
        assert matcher.accept_token(256) or matcher.num_accepted
    nowhere = constrain.lark("start: <nowhere>")
    with pytest.raises(ConstrainError, match="'<nowhere>' is not in the vocabulary"):
        constrain.compile("a" + nowhere, vocabulary)
    with pytest.raises(UnsupportedError, match="tokens by number"):
        constrain.lark("start: <[97]>") & constrain.lark("start: <[97,98]>")
    text = constrain.regex("a+")
    text.set.copy_from(nowhere.set, nowhere.root)  # noted, but no part of the text
    assert constrain.compile(text, vocabulary).matcher().accept_token(97)


@pytest.mark.parametrize(
    ("grammar", "error", "words"),
    [
        ("start: <end>", UnsupportedError, "'<end>' ends a text"),
        ("start: <[265]>", UnsupportedError, "ends a text"),
        ("start: <[260-266]>", UnsupportedError, "ends a text"),
        ("start: <[270]>", ConstrainError, "ids end at 269"),
        ("start: <[266-268]>", ConstrainError, "no token of the vocabulary"),
        ("start: <[264]>", ConstrainError, "no token of the vocabulary"),
        ("start: <other>", ConstrainError, "known are '<think>'"),
    ],
)
def test_tokens_that_cannot_be_are_refused_by_name(grammar, error, words, vocabulary):
    with pytest.raises(error, match=words.replace("[", r"\[")):
        constrain.compile(constrain.lark(grammar), vocabulary)


@pytest.mark.parametrize("written", ["[]", "[1-]", "[^*]", "[5-2]", "[1,,2]", "[a]", "[9999999999]", "[1 2]", "[-1]"])
def test_lists_of_tokens_that_are_none_are_refused(written):
    with pytest.raises(ConstrainError):
        constrain.lark(f"start: <{written}>")


def test_lists_of_numbers_are_those_numbers(vocabulary):
    rng = random.Random(5)
    tokens = [i for i in range(vocabulary.size) if vocabulary.is_token(i)]
    for _ in range(60):
        ranges = [sorted(rng.choice((rng.randrange(257), rng.randrange(250, 264))) for _ in range(2)) for _ in range(rng.randrange(1, 4))]
        listed = {i for low, high in ranges for i in range(low, high + 1)}
        text = ",".join(f"{low}-{high}" if low < high or rng.random() < 0.5 else str(low) for low, high in ranges)
        assert specials.tokens_of(f"[{text}]", vocabulary) == [i for i in tokens if i in listed]
        assert specials.tokens_of(f"[^{text}]", vocabulary) == [i for i in tokens if i not in listed]


def test_samples_and_forced_tokens_show_them(vocabulary):
    expr = constrain.lark('start: "a" <think> "b" <[263]>')
    assert expr.sample() == "a<think>b<[263]>"
    assert constrain.compile(expr, vocabulary).matcher().forced_tokens() == [97, 256, 98, 263]
    assert vocabulary.encode(b"a" + specials.spell("<think>") + b"ab") == [97, 256, 258]
    assert vocabulary.decode([97, 256, 98]) == b"ab"
    explanation = constrain.lark("start: <think>").explain("a")
    assert "a special token" in str(explanation)


TOOLS = r"""
start: TEXT? (call TEXT?)*
call: <|system|> name "(" %json {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]} ")" <|user|>
name: "weather" | "time"
TEXT: /(.|\n)+/
"""


@pytest.mark.parametrize("grammar", [TOOLS, "start: <|system|> /[a-z ]+/ <[^29871]> <[300-4000]>+ <|user|>"])
def test_walks_on_the_phi_vocabulary(grammar):
    vocabulary = constrain.Phi.load().vocabulary
    expr = constrain.lark(grammar)
    constraint = constrain.compile(expr, vocabulary)
    rng = random.Random(7)
    named = set(vocabulary.special_tokens.values()) - set(vocabulary.end_ids)
    num_special = 0
    for start in ("continue", "turn"):
        for _ in range(4):
            matcher, ids = constraint.matcher(start), []
            for _ in range(40):
                allowed = matcher.allowed_tokens()
                assert allowed
                allowed = [i for i in allowed if i not in vocabulary.end_ids] or allowed
                rare = [i for i in allowed if i in named]
                token = rng.choice(rare if rare and rng.random() < 0.4 else allowed)
                assert matcher.accept_token(token)
                if token in vocabulary.end_ids:
                    break
                ids.append(token)
                num_special += token in named
            else:
                left, _ = matcher.fewest_tokens()
                assert left >= 0
                for left in range(left, 0, -1):  # noqa: B020
                    bitmask = constrain.allocate_token_bitmask(1, vocabulary.size)
                    matcher.fill_next_token_bitmask_within(bitmask, left)
                    fitting = np.flatnonzero(np.unpackbits(bitmask.view(np.uint8), bitorder="little"))
                    fitting = [int(i) for i in fitting if i not in vocabulary.end_ids]
                    assert all(matcher.is_token_allowed_within(i, left) for i in fitting[:50])
                    assert matcher.accept_token(rng.choice(fitting))
                assert matcher.is_accepting()
    assert num_special > 5


def test_an_answer_leaves_them_out_of_its_text():
    lm = constrain.Phi.load()
    expr = constrain.lark('start: "It is " <|system|> ("yes" | "no") <|user|> " then."')
    for finish in ("cut", "complete"):
        answer = lm.generate("Is it?", expr, max_tokens=20, finish=finish)
        assert answer.is_complete and answer.text in ("It is yes then.", "It is no then.")
        places = [answer.token_ids.index(lm.vocabulary.special_tokens[name]) for name in ("<|system|>", "<|user|>")]
        assert all(a < b for a, b in pairwise(places))


def test_budgets_hold_with_tokens_by_number(vocabulary):
    expr = constrain.lark("start: <[^97-98]> <[*]>{2} /[a-c]{4}/ <think>?")
    rng = random.Random(2)
    for budget in (5, 6, 7, 9):
        matcher = constrain.compile(expr, vocabulary).matcher()
        assert matcher.fewest_tokens() == (5, True)  # any three, "ab" or "abc" and the rest
        assert not matcher.can_end_within(4) and matcher.can_end_within(budget)
        for left in range(budget, 0, -1):
            bitmask = constrain.allocate_token_bitmask(1, vocabulary.size)
            matcher.fill_next_token_bitmask_within(bitmask, left)
            bits = np.flatnonzero(np.unpackbits(bitmask.view(np.uint8), bitorder="little"))
            fitting = [int(i) for i in bits]
            expected = [i for i in matcher.allowed_tokens() if i in vocabulary.end_ids or matcher.is_token_allowed_within(i, left)]
            assert fitting == expected
            token = rng.choice(fitting)
            assert matcher.accept_token(token)
            if token in vocabulary.end_ids:
                break
        assert matcher.is_accepting() or matcher.is_terminated()


def test_other_constraints_never_see_the_second_tree():
    vocabulary = constrain.Vocabulary([bytes([b]) for b in range(256)] + [None, None], end_ids=[256], special_tokens={"<t>": 257})
    text = constrain.compile(constrain.regex("a+"), vocabulary)
    assert text.trie is vocabulary.trie
    assert constrain.compile(constrain.lark("start: <t>"), vocabulary).trie is not vocabulary.trie
