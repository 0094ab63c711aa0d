"""Which tokens still allow an end: against a search of its own through states and tokens."""

from __future__ import annotations

import random

import numpy as np
import pytest

import constrain
from constrain import ConstrainError, LimitExceeded

from .moody import WORDS, vocabulary_with
from .test_budgets import EXPRESSIONS

UNBOUNDED = 99


def fewest_by_search(matcher, vocabulary, most: int) -> int:
    """Breadth first over the matcher's states; UNBOUNDED where more than `most` tokens are needed."""
    level, seen = [matcher.fork()], {matcher.describe(10_000)}
    for num_tokens in range(most + 1):
        if any(m.is_accepting() for m in level):
            return num_tokens
        following = []
        for m in level:
            for token in m.allowed_tokens():
                after = m.fork()
                assert after.accept_token(token)
                if after.describe(10_000) not in seen:
                    seen.add(after.describe(10_000))
                    following.append(after)
        level = following
    return UNBOUNDED


def bits(bitmask) -> set[int]:
    return set(np.flatnonzero(np.unpackbits(bitmask.view(np.uint8), bitorder="little")).tolist())


def random_vocabulary(r: random.Random, alphabet: bytes, num_words: int):
    words = {bytes(r.choice(alphabet) for _ in range(r.randrange(2, 6))) for _ in range(num_words)}
    return vocabulary_with(sorted(words))


REGULAR = ["(ab|cde){2,5}x*[0-9]{3}", "a{3,9}b|c{20}", "(aa|b)*ab(ca|c)", "(ab)*c(a|bb){4}", "[ab]{7}c|(ca){3}", "a?b?c?(abc){2}"]


@pytest.mark.parametrize("seed", range(60))
def test_the_fewest_tokens_are_those_that_a_search_finds(seed):
    r = random.Random(seed)
    vocabulary = random_vocabulary(r, b"abcx01", r.choice([0, 3, 12]))
    matcher = constrain.compile(constrain.regex(r.choice(REGULAR)), vocabulary).matcher()
    for _ in range(r.randrange(4)):
        matcher.accept_token(r.choice([t for t in matcher.allowed_tokens() if t not in vocabulary.end_ids] or vocabulary.end_ids))
    fewest, is_exact = matcher.fewest_tokens()
    assert is_exact and fewest == fewest_by_search(matcher, vocabulary, 30)
    assert matcher.can_end_within(fewest) and not (fewest and matcher.can_end_within(fewest - 1))


def test_the_fewest_tokens_may_spell_a_longer_text():
    matcher = constrain.compile(constrain.choice(["xyz", "abcdef"]), vocabulary_with([b"abcdef"])).matcher()
    assert matcher.min_length() == 3 and not matcher.can_end_within(2)
    assert matcher.fewest_tokens() == (1, True) and matcher.can_end_within(1)
    bitmask = constrain.allocate_token_bitmask(1, matcher.constraint.vocabulary.size)
    matcher.fill_next_token_bitmask_within(bitmask, 1)
    assert bits(bitmask) == {256}
    matcher.fill_next_token_bitmask_within(bitmask, 3)
    assert bits(bitmask) == {256, ord("x")}  # behind "a" five tokens are needed
    assert constrain.compile(constrain.regex("a{0,3}"), vocabulary_with([])).matcher().fewest_tokens() == (0, True)


SCHEMAS = {
    "four keys": {"type": "object", "minProperties": 4},
    "open object": {"type": "object", "required": ["ab"], "properties": {"ab": {"type": "boolean"}}},
    "key patterns": {"type": "object", "patternProperties": {"^a": {"type": "null"}}, "minProperties": 2, "additionalProperties": False},
    "two of a pattern": {
        "type": "object",
        "oneOf": [{"patternProperties": {"a": {"multipleOf": 10}}}, {"patternProperties": {"b": {"multipleOf": 4}}}],
    },
    "distinct": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True, "minItems": 10},
}  # fmt: skip


@pytest.mark.parametrize("name", [*SCHEMAS, *EXPRESSIONS])
def test_who_keeps_to_the_masks_ends_in_time(name):
    """Random tokens of the masks; each mask lies in the full one, is never empty, and holds what the single test allows."""
    r = random.Random(name)
    expr = constrain.json_schema(SCHEMAS[name]) if name in SCHEMAS else EXPRESSIONS[name]()
    vocabulary = vocabulary_with([*WORDS, b'"a":', b'","b', b'":1,"', b"ab", b'ba":'])
    constraint = constrain.compile(expr, vocabulary)
    bitmask, whole = (constrain.allocate_token_bitmask(1, vocabulary.size) for _ in range(2))
    for extra in range(24):
        matcher, text = constraint.matcher(), b""
        left = matcher.fewest_tokens()[0] + extra // 2
        assert matcher.can_end_within(left)
        while left or not matcher.is_accepting():
            matcher.fill_next_token_bitmask_within(bitmask, left)
            matcher.fill_next_token_bitmask(whole)
            allowed = bits(bitmask)
            assert allowed and allowed <= bits(whole), (text, left)
            fitting = {t for t in allowed if matcher.is_token_allowed_within(t, left)}
            assert fitting, (text, left)
            if not expr.set.num_loose_lengths():
                assert fitting == {t for t in bits(whole) if matcher.is_token_allowed_within(t, left)} == allowed, (text, left)
            token = r.choice(sorted(fitting))
            if token in vocabulary.end_ids:
                break
            assert matcher.accept_token(token)
            text += vocabulary.tokens[token]
            left -= 1
            assert matcher.can_end_within(left), (text, left)
        assert expr.matches(text.decode()), text


@pytest.mark.parametrize("seed", range(20))
def test_a_mask_holds_only_what_a_search_can_end(seed):
    r = random.Random(seed)
    vocabulary = random_vocabulary(r, b"abcx01", 8)
    matcher = constrain.compile(constrain.regex(r.choice(REGULAR)), vocabulary).matcher()
    bitmask = constrain.allocate_token_bitmask(1, vocabulary.size)
    for num_tokens in range(matcher.fewest_tokens()[0], 9):
        matcher.fill_next_token_bitmask_within(bitmask, num_tokens)
        for token in bits(bitmask) - set(vocabulary.end_ids):
            after = matcher.fork()
            assert after.accept_token(token) and fewest_by_search(after, vocabulary, 9) <= num_tokens - 1


def test_too_few_tokens_and_vocabularies_without_bytes_are_refused():
    matcher = constrain.compile(constrain.regex("a{9}"), vocabulary_with([b"aaa"])).matcher()
    bitmask = constrain.allocate_token_bitmask(1, matcher.constraint.vocabulary.size)
    with pytest.raises(LimitExceeded) as caught:
        matcher.fill_next_token_bitmask_within(bitmask, 2)
    assert (caught.value.limit, caught.value.given, caught.value.allowed) == ("max_tokens", 3, 2)
    with pytest.raises(ConstrainError, match="below zero"):
        matcher.can_end_within(-1)
    small = constrain.Vocabulary([b"a", None], end_ids=[1])
    with pytest.raises(ConstrainError, match="a token for every byte"):
        constrain.compile(constrain.regex("a"), small).matcher().can_end_within(3)
    matcher.accept_tokens([256, 256, 256, matcher.constraint.vocabulary.end_ids[0]])
    assert matcher.is_terminated() and matcher.can_end_within(0) and matcher.fewest_tokens() == (0, True)


def test_masks_near_the_end_are_cheap_inside_open_keys():
    """A key's text is part of the state: one state for each of them would be two million."""
    expr = constrain.json_schema(SCHEMAS["open object"])
    words = sorted({bytes(x) for n in (2, 3) for x in np.random.default_rng(n).integers(97, 123, (4000, n)).tolist()})
    vocabulary = vocabulary_with(words)
    matcher = constrain.compile(expr, vocabulary).matcher()
    assert matcher.accept_bytes(b'{"ab":true,"')
    bitmask = constrain.allocate_token_bitmask(1, vocabulary.size)
    size = expr.set.size()
    for left in (4, 5, 6):
        matcher.fill_next_token_bitmask_within(bitmask, left)
        assert len(bits(bitmask)) > (1000 if left > 5 else 0)
    assert expr.set.size() - size < 3000
