"""Laws of the matcher: mask and acceptance agree, rollback undoes, forks are independent, errors change nothing."""

from __future__ import annotations

import random
import threading

import numpy as np
import pytest

import constrain
from constrain import ConstrainError
from tests.test_masks import _expressions, unpacked


@pytest.fixture
def constraint(small_vocabulary):
    return constrain.compile(_expressions()["json"], small_vocabulary)


def row(matcher: constrain.Matcher) -> bytes:
    bitmask = constrain.allocate_token_bitmask(1, matcher.constraint.vocabulary.size)
    matcher.fill_next_token_bitmask(bitmask)
    return bitmask.tobytes()


def random_tokens(matcher: constrain.Matcher, n: int, seed: int) -> list[int]:
    rng, tokens = random.Random(seed), []
    for _ in range(n):
        tokens.append(rng.choice(matcher.allowed_tokens()))
        assert matcher.accept_token(tokens[-1])
    return tokens


def test_a_token_is_accepted_exactly_where_the_mask_has_its_bit(constraint, small_vocabulary):
    matcher = constraint.matcher()
    for seed in range(15):
        allowed = set(matcher.allowed_tokens())
        for token in range(small_vocabulary.size):
            assert matcher.is_token_allowed(token) == (token in allowed)
            twin = matcher.fork()
            before = row(twin)
            assert twin.accept_token(token) == (token in allowed)
            if token not in allowed:
                assert row(twin) == before
        random_tokens(matcher, 1, seed)


def test_rollback_undoes_exactly(constraint):
    for seed in range(20):
        matcher = constraint.matcher()
        random_tokens(matcher, 5, seed)
        before = row(matcher)
        tokens = random_tokens(matcher, 7, seed + 100)
        after = row(matcher)
        matcher.rollback(7)
        assert row(matcher) == before
        assert matcher.accept_tokens(tokens) == 7
        assert row(matcher) == after
        matcher.rollback(12)
        assert row(matcher) == row(constraint.matcher())


def test_a_fork_is_independent_and_keeps_its_history(constraint):
    matcher = constraint.matcher()
    random_tokens(matcher, 4, 0)
    twin = matcher.fork()
    assert type(twin) is constrain.Matcher
    before = row(matcher)
    random_tokens(twin, 5, 1)
    assert row(matcher) == before
    twin.rollback(9)
    assert row(twin) == row(constraint.matcher())


def test_reset_returns_to_the_start(constraint):
    matcher = constraint.matcher()
    start = row(matcher)
    random_tokens(matcher, 6, 2)
    matcher.reset()
    assert row(matcher) == start
    with pytest.raises(ConstrainError, match="rollback"):
        matcher.rollback(1)


def test_after_an_end_token_only_end_tokens_are_allowed(small_vocabulary):
    matcher = constrain.compile(constrain.regex("ab?"), small_vocabulary).matcher()
    end = small_vocabulary.end_ids[0]
    assert not matcher.accept_token(end)
    assert matcher.accept_token(small_vocabulary.tokens.index(b"a"))
    assert matcher.is_accepting() and not matcher.is_terminated()
    assert matcher.accept_token(end)
    assert matcher.is_terminated() and matcher.is_accepting()
    assert matcher.allowed_tokens() == sorted(small_vocabulary.end_ids)
    assert matcher.forced_bytes() == b""
    matcher.rollback(1)
    assert not matcher.is_terminated()


@pytest.mark.parametrize("token", [-1, 10**6, 2**40])
def test_an_id_outside_the_vocabulary_is_an_error_that_changes_nothing(constraint, token):
    matcher = constraint.matcher()
    before = row(matcher)
    with pytest.raises(ConstrainError, match="outside the vocabulary"):
        matcher.accept_token(token)
    assert row(matcher) == before


def test_forced_bytes_are_the_only_way(small_vocabulary):
    matcher = constrain.compile(constrain.regex('\\{"name":("x"|"y")\\}'), small_vocabulary).matcher()
    assert matcher.forced_bytes() == b'{"name":"'
    assert matcher.accept_bytes(b'{"name":"x')
    assert matcher.forced_bytes() == b'"}'
    assert matcher.accept_bytes(b'"}')
    assert matcher.forced_bytes() == b""
    assert not matcher.accept_bytes(b"!")


def test_forced_tokens_keep_an_open_border_back():
    vocabulary = constrain.Vocabulary([*(bytes([b]) for b in range(256)), b"xy", b"yz", None], end_ids=[258])
    matcher = constrain.compile(constrain.regex("xy[za]"), vocabulary).matcher()
    assert matcher.forced_bytes() == b"xy"
    assert matcher.forced_tokens() == [256]  # no longer token begins with "xy", and "yz" would begin inside it
    matcher = constrain.compile(constrain.regex("y[za]"), vocabulary).matcher()
    assert matcher.forced_bytes() == b"y"
    assert matcher.forced_tokens() == []  # "yz" may be what the tokenizer would write


def test_the_turn_start_allows_the_dummy_prefix_once(small_vocabulary):
    constraint = constrain.compile(constrain.regex(" ?ab"), small_vocabulary)
    texts = {" ab", "ab", "  ab"}
    for start, expected in (("continue", {" ab", "ab"}), ("turn", texts)):
        accepted = set()
        for text in texts:
            matcher = constraint.matcher(start=start)
            if matcher.accept_bytes(text.encode()) and matcher.is_accepting():
                accepted.add(text)
        assert accepted == expected
    with pytest.raises(ConstrainError, match="'continue', 'turn'"):
        constraint.matcher(start="middle")


def test_batches_fill_and_step_as_one_by_one(small_vocabulary):
    matchers = [constrain.compile(e, small_vocabulary).matcher() for e in _expressions().values()]
    bitmask = constrain.allocate_token_bitmask(len(matchers) + 1, small_vocabulary.size)
    for seed in range(5):
        constrain.fill_next_token_bitmasks([*matchers, None], bitmask)
        assert (bitmask[-1] == -1).all()
        for i, matcher in enumerate(matchers):
            assert bitmask[i].tobytes() == row(matcher)
        rng = random.Random(seed)
        tokens = [int(rng.choice(np.flatnonzero(unpacked(bitmask[i])))) for i in range(len(matchers))]
        assert constrain.accept_tokens(matchers, tokens) == [True] * len(matchers)


def test_one_constraint_serves_many_threads(small_vocabulary):
    constraint = constrain.compile(_expressions()["json"], small_vocabulary)
    expected = {seed: random_tokens(constrain.compile(_expressions()["json"], small_vocabulary).matcher(), 30, seed) for seed in range(8)}
    found: dict[int, list[int]] = {}

    def work(seed: int) -> None:
        found[seed] = random_tokens(constraint.matcher(), 30, seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected


@pytest.mark.parametrize(
    "bitmask",
    [
        np.zeros((1, 3), np.int32),
        np.zeros((1, 9), np.int64),
        np.zeros((1, 9), np.float32),
        "no array",
        None,
    ],
)
def test_a_bitmask_that_does_not_fit_is_a_clear_error(constraint, bitmask):
    with pytest.raises(ConstrainError, match="bitmask"):
        constraint.matcher().fill_next_token_bitmask(bitmask)


def test_a_bitmask_row_outside_is_a_clear_error(constraint, small_vocabulary):
    with pytest.raises(ConstrainError, match="row 1 is outside"):
        constraint.matcher().fill_next_token_bitmask(constrain.allocate_token_bitmask(1, small_vocabulary.size), 1)


def test_torch_bitmasks_are_filled_too(constraint, small_vocabulary):
    pytest.importorskip("torch")
    bitmask = constrain.allocate_token_bitmask(2, small_vocabulary.size, backend="torch")
    matcher = constraint.matcher()
    matcher.fill_next_token_bitmask(bitmask, 1)
    assert bitmask[1].numpy().tobytes() == row(matcher)
    assert (bitmask[0] == -1).all()


def test_a_constraint_without_a_text_is_refused(small_vocabulary):
    with pytest.raises(constrain.UnsatisfiableError):
        constrain.compile(constrain.regex("a") & constrain.regex("b"), small_vocabulary)


def test_texts_that_were_are_forgotten_when_they_fill_the_memory():
    """Keys that are not declared make states of their own; a constraint that serves many texts must not keep them all."""
    limits = constrain.Limits(max_kept_bytes=2 << 20)
    expr = constrain.json_schema({"type": "object"}, whitespace="compact")
    vocabulary = constrain.Vocabulary([bytes([b]) for b in range(256)] + [None], end_ids=[256])
    constraint = constrain.compile(expr, vocabulary, limits)
    old = constraint.matcher()
    assert old.accept_bytes(b'{"a":1,')
    sizes = []
    for n in range(120):
        matcher = constraint.matcher()
        assert matcher.accept_bytes(("{" + ",".join(f'"key {n} {i}":{i}' for i in range(20)) + "}").encode())
        assert matcher.is_accepting()
        sizes.append(constraint.memory_bytes())
    assert max(sizes) < 4 << 20 and min(sizes[1:]) < max(sizes) / 2
    assert not old.accept_bytes(b'"a":') and old.accept_bytes(b'"b":2}') and old.is_accepting()
