"""Healing: the border between a prompt and its answer is where the tokenizer would have put it, and the text is the same."""

from __future__ import annotations

import itertools
import random
import re

import numpy as np
import pytest

import constrain
from constrain import dsl
from constrain.dsl import assistant, capture, gen, select, user
from constrain.generate import LanguageModel
from constrain.vocabulary import Vocabulary
from tests.dsl.programs import PROGRAMS


class Recorded:
    """Random logits from a hash of what came; keeps the ids that it was given, pass by pass."""

    max_length = 10_000

    def __init__(self, vocabulary, seed=0, likes=()):
        self.vocabulary = vocabulary
        self.seed = seed
        self.likes = list(likes)
        self.passes: list[list[int]] = []

    def open(self, num_sequences):
        assert num_sequences == 1
        self.passes = []
        return self

    def forward(self, tokens):
        self.passes.append(list(tokens[0]))
        seen = tuple(itertools.chain(*self.passes))
        rng = np.random.default_rng([self.seed, *seen])
        logits = rng.normal(size=(1, self.vocabulary.size)).astype(np.float32)
        for rank, token in enumerate(self.likes):
            logits[0, token] = 1000 - rank
        return logits

    def keep(self, rows):
        """The one sequence stays."""

    def chat_ids(self, messages):
        return [self.vocabulary.end_ids[0]]

    def text_ids(self, text):
        return self.vocabulary.encode(text, start="turn")


# ---------------------------------------------------------------- against brute force


def taken_back_by_brute_force(vocabulary, prompt, texts):
    """How many tokens are taken back: the most behind which a longer token begins some text, found by looking at all.

    `texts` None stands for any text.
    """
    most = 0
    for count in range(1, len(prompt)):
        pieces = [vocabulary.tokens[i] for i in prompt[-count:]]
        if None in pieces:
            break
        suffix = b"".join(pieces)
        rests = [t[len(suffix) :] for t in vocabulary.tokens if t and len(t) > len(suffix) and t.startswith(suffix)]
        if any(texts is None or any(text.startswith(rest) for text in texts) for rest in rests):
            most = count
    return most


@pytest.mark.parametrize("seed", range(60))
def test_what_is_taken_back_and_the_first_mask_are_those_of_brute_force(seed):
    rng = random.Random(seed)
    words = {bytes(rng.choice(b"abc") for _ in range(rng.randint(2, 5))) for _ in range(rng.randint(1, 12))}
    tokens = [b"a", b"b", b"c", *sorted(words), None]
    vocabulary = Vocabulary(tokens, end_ids=[len(tokens) - 1])
    prompt = [rng.randrange(len(tokens) - 1) for _ in range(rng.randint(1, 6))]
    if rng.random() < 0.3:
        prompt.insert(rng.randrange(len(prompt)), len(tokens) - 1)  # a special token, which is never crossed
    texts = sorted({bytes(rng.choice(b"abc") for _ in range(rng.randint(1, 5))) for _ in range(rng.randint(1, 6))})
    constraint = constrain.compile(constrain.choice([text.decode() for text in texts]), vocabulary)
    backend = Recorded(vocabulary, seed)
    lm = LanguageModel(backend)
    for free in (False, True):
        options = {"max_tokens": 30, "temperature": 1.0, "seed": seed, "fast_forward": False, "log_probabilities": True}
        answer = lm.generate(prompt, None if free else constraint, heal=True, **options)
        expected = taken_back_by_brute_force(vocabulary, prompt, None if free else texts)
        assert answer.num_healed_tokens == expected
        kept = prompt[: len(prompt) - expected]
        owed = vocabulary.decode(prompt[len(kept) :])
        assert backend.passes[0] == kept
        assert answer.num_prompt_tokens == len(kept) and answer.num_leading_bytes == len(owed)
        assert vocabulary.decode(answer.token_ids) == owed + answer.data
        if free:
            continue
        assert answer.data in texts
        allowed = [
            i for i, t in enumerate(tokens) if t and (owed.startswith(t) if len(t) <= len(owed) else any((owed + x).startswith(t) for x in texts))
        ]  # fmt: skip
        assert constraint.matcher(prefix=owed).allowed_tokens() == allowed
        quick = lm.generate(prompt, constraint, heal=True, **(options | {"fast_forward": True}))
        assert quick.data in texts and vocabulary.decode(quick.token_ids) == owed + quick.data


def test_the_choice_is_the_models_own_at_the_border():
    """A model that likes `://` writes it behind `https:`, and one that likes `:` keeps it."""
    vocabulary = Vocabulary([b"https", b":", b"/", b"://", b"x", None], end_ids=[5])
    expr = constrain.regex("//x+")
    for likes, ids in (([3, 4], [3, 4]), ([1, 2, 4], [1, 2, 2, 4])):
        answer = LanguageModel(Recorded(vocabulary, likes=[*likes, 5])).generate([0, 1], expr, heal=True, max_tokens=8, fast_forward=False)
        assert (answer.text[:3], answer.token_ids[: len(ids)], answer.num_healed_tokens) == ("//x", ids, 1)
        unhealed = LanguageModel(Recorded(vocabulary, likes=[*likes, 5])).generate([0, 1], expr, heal=False, max_tokens=8)
        assert unhealed.num_healed_tokens == 0 and unhealed.text.startswith("//x")


def test_ids_are_continued_as_they_are_unless_asked_otherwise():
    vocabulary = Vocabulary([b"a", b"b", b"ab", None], end_ids=[3])
    lm = LanguageModel(Recorded(vocabulary, likes=[3]))
    prompt = [1, 0, 0]
    assert lm.generate(prompt, constrain.regex("b")).num_healed_tokens == 0
    assert lm.generate(prompt, constrain.regex("b"), heal=True).num_healed_tokens == 1
    assert lm.generate(prompt, constrain.regex("a"), heal=True).num_healed_tokens == 0  # the mask allows no longer token
    with pytest.raises(constrain.ConstrainError, match="heal is 'yes', expected True, False or a number of tokens"):
        lm.generate(prompt, heal="yes")


def test_at_most_so_many_tokens_are_taken_back():
    vocabulary = Vocabulary([b"a", b"b", b"c", b"d", b"bc", b"abcd", b"cd", None], end_ids=[7])
    lm = LanguageModel(Recorded(vocabulary))
    found = [lm.generate([3, 0, 1, 2], constrain.regex("d+"), heal=most).num_healed_tokens for most in (0, 1, 2, 3, 9)]
    assert found == [0, 1, 1, 3, 3]


def test_characters_in_byte_tokens_are_taken_back_whole():
    """`日` is three bytes; `日本` is a token. The text never splits a character, streamed or not."""
    tokens = [*(bytes([b]) for b in range(256)), "日本".encode(), "本".encode(), None]
    vocabulary = Vocabulary(tokens, end_ids=[len(tokens) - 1])
    expr = constrain.regex("[本人]{3}")
    prompt = list("x日".encode())
    answer = LanguageModel(Recorded(vocabulary, likes=[256, 257])).generate(prompt, expr, heal=True)
    assert (answer.num_healed_tokens, answer.token_ids[0], answer.text) == (3, 256, "本本本")
    for likes in ([256, 257], []):
        stream = LanguageModel(Recorded(vocabulary, seed=3, likes=likes)).stream(prompt, expr, heal=True)
        text = "".join(stream)
        assert expr.matches(text) and text == stream.generation.text


@pytest.mark.parametrize("seed", range(40))
def test_budgets_hold_with_what_was_taken_back_on_top(seed):
    """Whatever the model wants: what was taken back is written whole, and a promised end comes in time."""
    rng = random.Random(seed)
    words = {bytes(rng.choice(b"ab") for _ in range(rng.randint(2, 6))) for _ in range(8)}
    tokens = [b"a", b"b", *sorted(words), None]
    vocabulary = Vocabulary(tokens, end_ids=[len(tokens) - 1])
    spelled = Vocabulary([*(bytes([b]) for b in range(256)), *sorted(words), None], end_ids=[256 + len(words)])
    for voc, shift in ((vocabulary, 0), (spelled, 97)):
        prompt = [rng.randrange(2) + shift for _ in range(6)]
        text = voc.decode(prompt)
        expr = constrain.regex("[ab]{3,7}")
        backend = Recorded(voc, seed)
        lm = LanguageModel(backend)
        for max_tokens in range(1, 12):
            for finish, constraint in (("cut", expr), ("cut", None), ("complete", expr)):
                options = {"max_tokens": max_tokens, "finish": finish, "temperature": 1.0, "seed": seed}
                try:
                    answer = lm.generate(prompt, constraint, heal=True, **options)
                except constrain.LimitExceeded:
                    with pytest.raises(constrain.LimitExceeded):  # healing never costs an answer
                        lm.generate(prompt, constraint, heal=False, **options)
                    continue
                assert len(answer.token_ids) <= max_tokens + answer.num_healed_tokens
                whole = voc.decode(prompt[: answer.num_prompt_tokens]) + voc.decode(answer.token_ids)
                assert whole == text + answer.data
                assert answer.num_prompt_tokens + answer.num_healed_tokens == len(prompt)
                assert answer.num_sampled_tokens + answer.num_forced_tokens - len(answer.token_ids) in (0, 1)
                if finish == "complete" and voc is spelled:
                    assert expr.matches(answer.text)


# ---------------------------------------------------------------- Phi's vocabulary


@pytest.fixture(scope="module")
def phi():
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    return constrain.Phi.load()


def test_turns_are_not_healed(phi):
    answer = phi.generate("Is water wet?", constrain.choice(["yes", "no"]), heal=True)
    assert answer.num_healed_tokens == 0


@pytest.mark.parametrize(
    ("prompt", "pattern"),
    [
        ("The total is ", "[a-z]{3,9}"),
        ("Invoice num", "[a-z]{3,5}: [0-9]"),
        ("Total", "[:;] [0-9]{2}"),
        ("naïve caf", "é[a-z]{0,4}"),
        ("two\nlines ", "(东京|é|ok)"),
        ("a", "b"),
    ],
)
@pytest.mark.parametrize("fast_forward", [True, False])
def test_the_embedded_model_goes_on_with_the_same_text(phi, prompt, pattern, fast_forward):
    vocabulary, expr = phi.vocabulary, constrain.regex(pattern)
    ids = phi.backend.text_ids(prompt)
    for seed in range(4):
        options = {"chat": False, "temperature": 1.0, "seed": seed, "fast_forward": fast_forward, "max_tokens": 24}
        answer = phi.generate(prompt, expr, **options)
        assert expr.matches(answer.text)
        whole = vocabulary.decode([*ids[: answer.num_prompt_tokens], *answer.token_ids])
        assert whole == b" " + (prompt + answer.text).encode()
        free = phi.generate(prompt, **options)
        assert vocabulary.decode([*ids[: free.num_prompt_tokens], *free.token_ids]) == b" " + prompt.encode() + free.data
        assert ids[0] not in ids[1:] or answer.num_prompt_tokens >= 1


class Follower(Recorded):
    """A model that wants its text in the given tokens."""

    def __init__(self, vocabulary, ids):
        super().__init__(vocabulary)
        self.wanted = ids

    def forward(self, tokens):
        self.passes.append(list(tokens[0]))
        logits = np.zeros((1, self.vocabulary.size), dtype=np.float32)
        seen = list(itertools.chain(*self.passes))
        if self.wanted[: len(seen)] == seen:
            logits[0, [*self.wanted, self.vocabulary.end_ids[0]][len(seen)]] = 100
        return logits


BORDERS = [
    ("See https:", "//x", 1), ("The answer is ", "yes", 1), ("The answer is ", "4x", 0), ("An indiv", "idual", 2),
    ("x a", "b", 0), ("A naïve caf", "é", 1), ("日", "本", 0), ("New York Ci", "ty!", 1), ("x =", "= 3", 1), ("a b", ". c", 0),
]  # fmt: skip


@pytest.mark.parametrize(("prompt", "text", "least"), BORDERS)
@pytest.mark.parametrize("is_real", [True, False], ids=["Phi's", "the embedded model's"])
def test_a_model_that_wants_the_tokenizers_own_tokens_gets_them(request, prompt, text, least, is_real):
    """What the tokenizer writes as one token across the border may be written so."""
    vocabulary = request.getfixturevalue("phi_vocabulary") if is_real else request.getfixturevalue("phi").vocabulary
    canonical = vocabulary.encode(prompt + text, start="turn")
    lm = LanguageModel(Follower(vocabulary, canonical))
    prompt_ids = lm.backend.text_ids(prompt)
    for constraint in (constrain.choice([text]), None):
        answer = lm.generate(prompt, constraint, chat=False, fast_forward=False)
        assert answer.text == text
        assert prompt_ids[: answer.num_prompt_tokens] + answer.token_ids == canonical
        assert not is_real or answer.num_healed_tokens >= least


PIECES = [
    "é", "東", "京", "😀", "👩\u200d👩\u200d👧", "\u0301", "ﬁ", "\xa0", " ", "  ", "\n", "\t", "a", "the", "https:", "//", "ß", "İ", "\ud7ff",
    "\U0010ffff", "{", '"', ":", "\\u", "0", "12", "▁", "<|end|>", "</s>", "<0x41>",
]  # fmt: skip


@pytest.mark.parametrize("is_real", [True, False], ids=["Phi's", "the embedded model's"])
def test_strange_texts_heal_to_the_tokenizers_own_tokens(request, is_real):
    """Random pieces of Unicode and of tokenizers' own notation, cut anywhere; models with and without a will."""
    vocabulary = request.getfixturevalue("phi_vocabulary") if is_real else request.getfixturevalue("phi").vocabulary
    rng, num_canonical, num_healed = random.Random(5), 0, 0
    for seed in range(60):
        text, more = ("".join(rng.choice(PIECES) for _ in range(rng.randint(1, 8))) for _ in range(2))
        ids, canonical = (vocabulary.encode(one, start="turn") for one in (text, text + more))
        for constraint in (constrain.choice([more, more + "x"]), None):
            backend = Follower(vocabulary, canonical) if seed % 3 else Recorded(vocabulary, seed)
            answer = LanguageModel(backend).generate(text, constraint, chat=False, fast_forward=bool(seed % 2), max_tokens=60)
            found = [*ids[: answer.num_prompt_tokens], *answer.token_ids]
            assert vocabulary.decode(found) == vocabulary.decode(ids) + answer.data
            assert constraint is None or answer.text in (more, more + "x")
            num_healed += answer.num_healed_tokens > 0
            if seed % 3 and answer.text == more and canonical[0] == ids[0]:
                assert found == canonical, (text, more)
                num_canonical += 1
    assert num_canonical > 40 and num_healed > 10


def test_the_prompts_first_token_stays(phi):
    answer = phi.generate("Tot", constrain.choice(["al"]), chat=False)
    assert (answer.num_prompt_tokens, answer.text) == (max(1, len(phi.backend.text_ids("Tot")) - answer.num_healed_tokens), "al")
    assert phi.generate([phi.backend.text_ids("Tot")[0]], constrain.choice(["al"]), heal=True).num_healed_tokens == 0


def test_special_tokens_are_not_crossed_and_the_dummy_prefix_stays(phi):
    """Behind a role token a turn's first token may be taken back; its bytes, the prefix among them, come again."""
    vocabulary, special = phi.vocabulary, phi.vocabulary.special_tokens["<|assistant|>"]
    turn = vocabulary.encode("Tot", start="turn")
    before = [*vocabulary.encode("word"), special]
    answer = phi.generate([*before, *turn], constrain.regex("al: [0-9]"), heal=True)
    assert answer.num_prompt_tokens >= len(before)
    assert vocabulary.decode([*[*before, *turn][len(before) : answer.num_prompt_tokens], *answer.token_ids]) == (" Tot" + answer.text).encode()


# ---------------------------------------------------------------- programs


@pytest.fixture(scope="module")
def start(phi):
    return dsl.Model(phi, max_tokens=60, seed=0)


def without_space(data):
    return re.sub(rb"\s", b"", data)


def ids_and_text(lm):
    """What the ids spell, special tokens by name, and the text, both without white space."""
    vocabulary, flushed = lm._engine.lm.vocabulary, lm._flushed()._state
    shown = [token if isinstance(token, bytes) else token.encode() for token in vocabulary.shown(flushed.ids)]
    return without_space(b"".join(shown)), without_space(flushed.text.encode())


@pytest.mark.parametrize("program", [one for one in PROGRAMS if one.form], ids=lambda one: one.run.__name__)
def test_the_ids_of_programs_spell_their_text(start, program):
    spelled, text = ids_and_text(program.run(start + "Go on:\n"))
    assert spelled == text


def test_programs_heal_given_text_and_not_what_the_model_wrote(start):
    with user():
        lm = start + "Total"
    with assistant():
        before = lm + "The tot"
        lm = before + gen("rest", regex="al(s|ity)? [0-9]") + gen("more", max_tokens=3, temperature=1.0) + gen("end", regex="[a-z]{3}")
    assert re.fullmatch("al(s|ity)? [0-9]", lm["rest"]) and str(lm).removesuffix("<|end|>\n").endswith(lm["rest"] + lm["more"] + lm["end"])
    given = before._flushed()._state.ids
    kept = next((n for n, (a, b) in enumerate(zip(given, lm._state.ids, strict=False)) if a != b), len(given))
    assert 0 < len(given) - kept <= lm.report.num_healed_tokens
    spelled, text = ids_and_text(lm)
    assert spelled == text


def test_text_behind_forced_text_is_encoded_together_with_it(start):
    """The tokenizer writes ` d` as one token; the forced space before it was no choice of the model."""
    vocabulary = start._engine.lm.vocabulary
    with assistant():
        lm = start + "Say " + gen("x", regex="[ab]") + "!"
        lm += select(["then ", "then "])
        lm += "de"
    turn = vocabulary.decode(lm._flushed()._state.ids)
    assert turn.decode() == " Say " + lm["x"] + "!then de"
    assert list(lm._flushed()._state.ids)[-2:] == vocabulary.encode(turn.decode()[1:], start="turn")[-2:]


def test_healing_leaves_captures_and_streams_alone(start):
    """With and without healing, the same text where the model has no choice; pieces of a stream are the text added."""
    given, node = "See the https:", gen("x", regex="//a") + select(["b"], name="y") + capture(" c", "z")
    with user():
        whole = start + given + node
        stream = (start + given).stream() + node
        pieces = list(stream)
    assert [whole[name] for name in "xyz"] == ["//a", "b", " c"] == [stream.lm[name] for name in "xyz"]
    assert "".join(pieces) == "//ab c"
    with user():
        unhealed = dsl.Model(start._engine.lm, max_tokens=60, heal=False) + given + node
    assert (str(unhealed), unhealed.report.num_healed_tokens) == (str(whole), 0)
