"""Shared beginnings: whatever is reused, forked, evicted or joined, logits equal those of a fresh full forward."""

# ruff: noqa: E402
from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

import constrain
from constrain import dsl
from constrain.generate import Phi
from constrain.models import memory, packed
from constrain.models.prefixes import Prefixes, num_shared
from tests import tiny_phi
from tests.test_runner import fresh_logits

SWITCH = 64


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return tiny_phi.write_checkpoint(tmp_path_factory.mktemp("tiny"), original=SWITCH)


@pytest.fixture
def lm(checkpoint):
    return Phi.load(checkpoint, device="cpu")


def computed(lm, run):
    """What `run` returns, and how many tokens went through the model for it."""
    before = lm.backend.packed.num_computed
    result = run()
    return result, lm.backend.packed.num_computed - before


# ---------------------------------------------------------------- random walks


@pytest.mark.parametrize("changes", [{}, {"sliding_window": 20}, {"longrope": False, "num_key_value_heads": 4}])
@pytest.mark.parametrize(("prefix_bytes", "pass_tokens"), [(0, 1024), (60_000, 7), (1 << 30, 1024), (1 << 30, 2)])
def test_logits_equal_a_fresh_forward_whatever_is_shared(tmp_path, monkeypatch, changes, prefix_bytes, pass_tokens):
    """Sessions that open, join, fork, drop and end over texts from a small tree of beginnings, on both sides of the switch."""
    monkeypatch.setattr(packed, "PASS_TOKENS", pass_tokens)
    lm = Phi.load(tiny_phi.write_checkpoint(tmp_path, **({"original": SWITCH} | changes)), device="cpu", prefix_bytes=prefix_bytes)
    rng = np.random.default_rng(7)
    size, num_reused, num_given = lm.vocabulary.size, 0, 0
    stems = [rng.integers(3, size, length).tolist() for length in (10, 40, 50, 90)]

    def beginning():
        stem = stems[rng.integers(len(stems))]
        cut = int(rng.integers(1, len(stem) + 1))
        return stem[:cut] + rng.integers(3, 6, rng.integers(0, 40)).tolist()

    for _ in range(6):
        texts = [list[int]() for _ in range(rng.integers(1, 4))]
        session = lm.backend.open(len(texts))
        for _ in range(9):
            blocks = [rng.integers(3, 6, rng.integers(1, 4)).tolist() if text else beginning() for text in texts]
            for text, block in zip(texts, blocks, strict=True):
                text += block
            num_given += sum(map(len, blocks))
            for row, text in zip(session.forward(blocks), texts, strict=True):
                np.testing.assert_allclose(row, fresh_logits(lm.backend.model, text), atol=3e-4)
            num_reused = max(num_reused, *session.num_reused_tokens)
            kept = rng.integers(0, len(texts), rng.integers(1, 4)).tolist()
            session.keep(kept)
            texts = [list(texts[row]) for row in kept]
            joining = int(rng.integers(0, 3))
            session.add(joining)
            texts += [[] for _ in range(joining)]
        session.keep([])
        assert lm.backend.packed.prefixes.num_bytes() <= prefix_bytes
    assert (num_reused > 0) == (prefix_bytes > 0)
    assert lm.backend.packed.num_computed < num_given or not prefix_bytes


def test_both_sides_of_the_switch_share_a_pass(lm):
    rng = np.random.default_rng(3)
    texts = [rng.integers(3, 200, length).tolist() for length in (SWITCH - 1, SWITCH, SWITCH + 1, 5)]
    for row, text in zip(lm.backend.open(4).forward(texts), texts, strict=True):
        np.testing.assert_allclose(row, fresh_logits(lm.backend.model, text), atol=3e-4)


def test_the_other_sides_keys_are_never_taken(lm):
    text = np.random.default_rng(4).integers(3, 200, SWITCH + 20).tolist()
    short, long = text[: SWITCH - 4], text
    for first, second in ((short, long), (long, short)):
        lm.backend.packed.prefixes.clear()
        lm.backend.open(1).forward([first])
        session = lm.backend.open(1)
        np.testing.assert_allclose(session.forward([second])[0], fresh_logits(lm.backend.model, second), atol=3e-4)
        assert session.num_reused_tokens == [0]


# ---------------------------------------------------------------- what is computed


def test_a_prompt_is_not_computed_twice(lm):
    ids = lm.backend.chat_ids([{"role": "user", "content": "Tell me about it."}])
    first, num_first = computed(lm, lambda: lm.generate(ids, constrain.regex("[a-z]{6}"), fast_forward=False))
    second, num_second = computed(lm, lambda: lm.generate(ids, constrain.regex("[a-z]{6}"), fast_forward=False))
    assert first.token_ids == second.token_ids
    assert (first.num_reused_tokens, second.num_reused_tokens) == (0, len(ids) - 1)
    assert num_first - num_second == len(ids) - 1


def program(lm):
    lm += "Name: " + dsl.regex("[A-Z][a-z]{3}", "name") + ", "
    for number in range(5):
        lm += f"item {number}: " + dsl.select(["yes", "no", "maybe"], name="item") + dsl.gen(regex="[0-9]", max_tokens=2)
    return lm


@pytest.mark.parametrize("prefix_bytes", [0, None])
def test_a_program_of_many_runs_computes_each_token_once(checkpoint, prefix_bytes):
    lm = Phi.load(checkpoint, device="cpu", prefix_bytes=prefix_bytes)
    state, count = computed(lm, lambda: program(dsl.Model(lm)))
    length = len(state._state.ids)
    assert length <= SWITCH
    assert count <= length if prefix_bytes is None else count > 2 * length
    reference = program(dsl.Model(Phi.load(checkpoint, device="cpu", prefix_bytes=0)))
    assert str(state) == str(reference)


def test_two_programs_that_go_on_from_one_state_share_it(lm):
    state = dsl.Model(lm) + "A beginning that is shared by the two of them: " + dsl.regex("[a-z]{4}", "word")
    length = len(state._state.ids)
    _, first = computed(lm, lambda: state + " one " + dsl.regex("[0-9]{2}", "n"))
    _, second = computed(lm, lambda: state + " two " + dsl.regex("[0-9]{2}", "n"))
    assert max(first, second) < length < 60


def test_a_batch_computes_a_common_instruction_once(lm):
    instruction = "Do this, that and the other with the following text, and be quick: "
    prompts = [instruction + text for text in ("one", "two", "three", "four")]
    lengths = [len(lm.backend.chat_ids([{"role": "user", "content": prompt}])) for prompt in prompts]
    answers, count = computed(lm, lambda: lm.generate_batch(prompts, constrain.choice(["yes", "no"])))
    assert count < lengths[0] + 4 * 20 < sum(lengths)
    assert [answer.num_reused_tokens > 30 for answer in answers] == [False, True, True, True]


def test_threads_may_share_a_model(lm):
    prompts = ["the same beginning for all of them, " + end for end in ("x", "y y y", "z" * 30)]
    expr = constrain.regex("[a-z ]{20}")
    wanted = [lm.generate(prompt, expr).token_ids for prompt in prompts]
    lm.backend.packed.prefixes.clear()
    found = [[] for _ in prompts]
    threads = [
        threading.Thread(target=lambda i=i: found[i].extend(lm.generate(prompts[i], expr).token_ids for _ in range(3)))
        for i in range(len(prompts))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[ids] * 3 for ids in wanted]


def test_a_session_goes_on_after_a_pass_that_failed(lm, monkeypatch):
    monkeypatch.setattr(packed, "PASS_TOKENS", 16)
    text = np.random.default_rng(5).integers(3, 200, 50).tolist()
    session = lm.backend.open(1)
    session.forward([text[:5]])
    forward, calls = lm.backend.packed.forward, []

    def failing(ids, parts):
        calls.append(len(ids))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return forward(ids, parts)

    monkeypatch.setattr(lm.backend.packed, "forward", failing)
    with pytest.raises(KeyboardInterrupt):
        session.forward([text[5:]])
    np.testing.assert_allclose(session.forward([text[5:]])[0], fresh_logits(lm.backend.model, text), atol=3e-4)
    assert calls == [16, 16, 16, 13]  # what the first pass had computed was found again
    assert lm.backend.model.config._attn_implementation == "sdpa"


# ---------------------------------------------------------------- the store


@dataclass
class Entry:
    ids: list[int]
    num_bytes: int = 10
    is_long: bool = False


def test_the_store_finds_the_longest_beginning_and_forgets_the_oldest():
    rng = np.random.default_rng(0)
    store, kept = Prefixes[Entry](100), list[Entry]()
    for _ in range(300):
        ids = rng.integers(0, 2, rng.integers(1, 12)).tolist()
        found, length = store.find(ids, False)
        best = max((num_shared(entry.ids, ids) for entry in kept), default=0)
        assert length == best
        assert found is None if best == 0 else num_shared(found.ids, ids) == best
        if found is not None:
            kept = [entry for entry in kept if entry is not found] + [found]
        entry = Entry(rng.integers(0, 2, rng.integers(1, 12)).tolist(), int(rng.integers(1, 40)))
        store.add(entry)
        store.trim()
        kept.append(entry)
        while sum(entry.num_bytes for entry in kept) > 100:
            kept.pop(0)
        assert len(store) == len(kept)
        assert store.find(ids, True) == (None, 0)


def test_a_store_of_no_bytes_keeps_nothing():
    store = Prefixes[Entry](0)
    store.add(Entry([1, 2]))
    assert (len(store), store.find([1, 2], False)) == (0, (None, 0))


@pytest.mark.parametrize("wrong", [-1, 1.5, "all"])
def test_a_bound_that_is_none_is_refused(checkpoint, wrong):
    with pytest.raises(constrain.ConstrainError, match="prefix_bytes is"):
        Phi.load(checkpoint, device="cpu", prefix_bytes=wrong)


# ---------------------------------------------------------------- memory and long contexts


@dataclass
class Free:
    """A device with so much memory left, and how often it was asked."""

    num_bytes: int | None
    calls: list[int] = field(default_factory=list)

    def __call__(self, device):
        self.calls.append(1)
        return self.num_bytes


def test_memory_is_that_of_the_configuration(lm):
    one = lm.memory_bytes(1)
    assert one == 2 * 2 * 2 * 8 * 4  # keys and values, layers, heads, head_dim, bytes of a float32
    session = lm.backend.open(1)
    session.forward([[5] * 100])
    kept = lm.backend.packed.prefixes.num_bytes()
    assert lm.memory_bytes(100) <= kept <= lm.memory_bytes(200)


def test_what_does_not_fit_is_said_before_the_first_pass(lm, monkeypatch):
    free = Free(3 * lm.memory_bytes(100))
    monkeypatch.setattr(packed, "MIN_CHECKED_BYTES", 1)
    lm.backend.open(1).forward([[7] * 20])
    monkeypatch.setattr(packed, "available_bytes", free)
    before = lm.backend.packed.num_computed
    with pytest.raises(constrain.LimitExceeded, match=r"400 tokens need 102.4 kB .* 76.8 kB are available on cpu") as caught:
        lm.backend.open(2).forward([[5] * 200, [6] * 200])
    assert (caught.value.limit, caught.value.given, caught.value.allowed) == ("memory_bytes", lm.memory_bytes(400), free.num_bytes)
    assert lm.backend.packed.num_computed == before
    assert len(lm.backend.packed.prefixes) == 0  # kept beginnings had made room
    lm.backend.open(2).forward([[5] * 100, [6] * 100])
    free.num_bytes = None  # unknown: nothing is refused
    lm.backend.open(1).forward([[5] * 1000])


def test_the_memory_that_is_free_can_be_told_here():
    available = memory.available_bytes(torch.device("cpu"))
    if available is None:
        pytest.skip("this system does not say how much memory is available")
    assert 1 << 20 < available < 1 << 50


def test_a_group_with_a_limit_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    unlimited = memory.available_bytes(torch.device("cpu"))
    for name, text in (("memory.max", "1000000\n"), ("memory.current", "400000\n"), ("memory.stat", "anon 5\ninactive_file 300\n")):
        (tmp_path / name).write_text(text)
    if unlimited is not None:
        assert memory.available_bytes(torch.device("cpu")) == 600_300
    (tmp_path / "memory.max").write_text("max\n")
    assert (memory.available_bytes(torch.device("cpu")) is None) == (unlimited is None)


def test_long_texts_are_computed_in_passes_and_equal_one_forward(tmp_path):
    """10,000 tokens with Phi-3.5's switch at 4,096, then a few more; a short neighbour joins the last pass."""
    lm = Phi.load(tiny_phi.write_checkpoint(tmp_path, max_position_embeddings=131072), device="cpu")
    assert lm.backend.max_length == 131072
    rng = np.random.default_rng(1)
    text = rng.integers(3, lm.vocabulary.size, 10_000).tolist()
    session = lm.backend.open(1)
    np.testing.assert_allclose(session.forward([text])[0], fresh_logits(lm.backend.model, text), atol=3e-4)
    session.add(1)
    more, neighbour = [7, 8, 9], text[:50]
    found = session.forward([more, neighbour])
    np.testing.assert_allclose(found[0], fresh_logits(lm.backend.model, text + more), atol=3e-4)
    np.testing.assert_allclose(found[1], fresh_logits(lm.backend.model, neighbour), atol=3e-4)
