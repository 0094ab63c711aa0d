"""Beams and samples against brute force: all texts of a constraint, scored token by token by hand."""

from __future__ import annotations

import numpy as np
import pytest

import constrain
from constrain.decode import decode
from constrain.generate import LanguageModel
from constrain.models.sampling import Sampler, Sampling
from tests.moody import Moody

WORDS = (b"tr", b"ue", b"na", b"me", b"less", b"aa", b"aaa")
TEXTS = ["true", "tr", "name", "nameless", "null", "aaaa", "aaa", "b", "nam", "falsehood"]


def all_answers(model, constraint, max_tokens):
    """The score of every way to write every text of at most `max_tokens` tokens: the sum over its tokens and its end."""
    found = {}

    def follow(matcher, ids, total):
        allowed = matcher.allowed_tokens()
        logits = model.logits(b"".join(model.vocabulary.tokens[i] for i in ids))[allowed].astype(float)
        logs = logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())
        for token, log in zip(allowed, logs, strict=True):
            if token == model.end:
                found[ids] = total + log
            elif len(ids) < max_tokens:
                after = matcher.fork()
                after.accept_token(token)
                follow(after, (*ids, token), total + log)

    follow(constraint.matcher(), (), 0.0)
    return found


CONSTRAINTS = {
    "choice": lambda: constrain.choice(TEXTS),
    "regex": lambda: constrain.regex("[abx]{1,3}c?(na|me)*"),
    "object": lambda: constrain.json_schema({"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"], "additionalProperties": False}, whitespace="compact"),
}


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 0.5, -0.5])
@pytest.mark.parametrize("name", list(CONSTRAINTS))
@pytest.mark.parametrize("scale", [0.3, 1.5, 4.0])
def test_enough_beams_find_the_best_of_all_answers(name, scale, length_penalty):
    model = Moody(WORDS, scale)
    constraint = constrain.compile(CONSTRAINTS[name](), model.vocabulary)
    budget = 11 if name == "object" else 4 if name == "regex" else 9
    scores = all_answers(model, constraint, budget)
    wanted = max(scores, key=lambda ids: scores[ids] / max(1, len(ids)) ** length_penalty)
    answer = LanguageModel(model).generate(
        "", constraint, num_beams=400, fast_forward=False, max_tokens=budget, length_penalty=length_penalty
    )
    assert tuple(answer.token_ids) == wanted
    assert answer.log_probability == pytest.approx(scores[wanted], abs=1e-5)
    assert answer.is_complete


def score_of(model, constraint, prompt, ids):
    """The sum over these tokens and the end behind them."""
    matcher, total = constraint.matcher(), 0.0
    for position, token in enumerate([*ids, model.end]):
        logits = model.logits(prompt + b"".join(model.vocabulary.tokens[i] for i in ids[:position])).astype(float)
        allowed = logits[matcher.allowed_tokens()]
        total += logits[token] - allowed.max() - np.log(np.exp(allowed - allowed.max()).sum())
        assert matcher.accept_token(token)
    return total


@pytest.mark.parametrize("fast_forward", [True, False])
@pytest.mark.parametrize("num_beams", [2, 3, 5])
def test_a_few_beams_find_likelier_answers_than_greed_and_complete_ones(num_beams, fast_forward):
    gains = []
    for seed in range(20):
        expr = constrain.regex(f"{'ab'[seed % 2]}[abc]{{2,4}}x|name(less)?{seed}[0-9]*")
        model = Moody(WORDS, 2.0)
        lm, prompt = LanguageModel(model), f"{seed}"
        constraint = constrain.compile(expr, lm.vocabulary)
        options = {"max_tokens": 9 + seed % 5, "fast_forward": fast_forward}
        greedy, beams = (lm.generate(prompt, constraint, num_beams=count, **options) for count in (1, num_beams))
        assert expr.matches(beams.text) and beams.is_complete
        assert len(beams.token_ids) <= options["max_tokens"]
        scores = [score_of(model, constraint, prompt.encode(), answer.token_ids) for answer in (greedy, beams)]
        gains.append(scores[1] - scores[0])
        assert fast_forward or beams.log_probability == pytest.approx(scores[1], abs=1e-5)
    assert sum(gain > 1e-6 for gain in gains) > 3 * sum(gain < -1e-6 for gain in gains)
    assert sum(gains) > 5


def test_beams_end_inside_the_least_budget():
    model = Moody(WORDS)
    for expr, least in ((constrain.regex("[ab]{9,}"), 3), (constrain.choice(["falsehood", "falsehoods"]), 9)):
        for extra in range(4):
            answer = LanguageModel(model).generate("", expr, num_beams=4, max_tokens=least + extra, length_penalty=-1.0)
            assert answer.is_complete and expr.matches(answer.text)
    with pytest.raises(constrain.LimitExceeded, match="shortest answer takes 9"):
        LanguageModel(model).generate("", constrain.regex("[bc]{9,}"), num_beams=4, max_tokens=8)


def test_beams_may_be_cut_and_may_be_free():
    lm = LanguageModel(Moody(WORDS))
    cut = lm.generate("", constrain.regex("[a-z]{30}"), num_beams=3, max_tokens=4, finish="cut")
    assert (cut.finish_reason, cut.is_complete, len(cut.token_ids)) == ("length", False, 4)
    free = lm.generate("", num_beams=3, max_tokens=4)
    assert len(free.token_ids) <= 4
    forced = lm.generate("", constrain.choice(["only"]), num_beams=3)
    assert (forced.text, forced.num_forward_passes, forced.log_probability) == ("only", 0, 0.0)


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_best_of_gives_the_best_of_its_samples(length_penalty):
    lm = LanguageModel(Moody(WORDS))
    constraint = constrain.compile(constrain.choice(TEXTS), lm.vocabulary)
    differ = 0
    for seed in range(10):
        options = {"temperature": 1.5, "seed": seed, "log_probabilities": True, "max_tokens": 20}
        samples = [lm.begin("p", constraint, **options) for _ in range(6)]
        for number, sample in enumerate(samples):
            sample.sampler = Sampler(Sampling(temperature=1.5, seed=seed), 0, number)
        for _ in decode(lm.backend, samples):
            pass
        scores = [sample.log_probability / max(1, len(sample.ids)) ** length_penalty for sample in samples]
        answer = lm.generate("p", constraint, best_of=6, length_penalty=length_penalty, **options)
        best = samples[int(np.argmax(scores))]
        assert (answer.token_ids, answer.log_probability) == (best.ids, best.log_probability)
        assert samples[0].ids == lm.generate("p", constraint, **options).token_ids
        differ += len(set(scores)) > 1
    assert differ > 5


def test_searches_in_a_batch_are_those_of_single_prompts():
    lm = LanguageModel(Moody(WORDS))
    expr = constrain.choice(TEXTS)
    prompts = ["a", "b", "c"]
    beams = lm.generate_batch(prompts, expr, num_beams=3)
    assert [answer.text for answer in beams] == [lm.generate(prompt, expr, num_beams=3).text for prompt in prompts]
    best = lm.generate_batch(prompts, expr, best_of=4, temperature=1.0, seed=1)
    assert best[0].text == lm.generate("a", expr, best_of=4, temperature=1.0, seed=1).text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_beams": 0}, "num_beams is 0"),
        ({"best_of": 2.5}, "best_of is 2.5"),
        ({"best_of": 2}, "a temperature above 0"),
        ({"best_of": 2, "num_beams": 2, "temperature": 1.0}, "no beams"),
        ({"num_beams": 2, "temperature": 1.0}, "a temperature of 0"),
        ({"length_penalty": "long"}, "length_penalty is 'long'"),
        ({"length_penalty": float("nan")}, "length_penalty is nan"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(constrain.ConstrainError, match=message):
        LanguageModel(Moody(WORDS)).generate("", constrain.choice(TEXTS), **options)


def test_a_search_cannot_be_streamed():
    with pytest.raises(constrain.ConstrainError, match="options of generate"):
        LanguageModel(Moody(WORDS)).stream("", None, num_beams=2)


def test_beams_on_a_real_model_share_its_keys_and_equal_the_sum_by_hand(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("transformers", reason="transformers is not installed")
    from constrain.generate import Phi
    from tests import tiny_phi
    from tests.test_runner import fresh_logits

    torch.set_num_threads(1)
    lm = Phi.load(tiny_phi.write_checkpoint(tmp_path, original=24), device="cpu")  # the beams cross the switch
    constraint = constrain.compile(constrain.regex("[a-z]{3}[0-9a-z ]{9}"), lm.vocabulary)
    prompt = lm.backend.chat_ids([{"role": "user", "content": "Hello there, and so on"}])
    beams = lm.generate(prompt, constraint, num_beams=4, fast_forward=False)
    greedy = lm.generate(prompt, constraint, log_probabilities=True, fast_forward=False)
    assert beams.log_probability > greedy.log_probability
    assert len(prompt) < 24 < len(prompt) + len(beams.token_ids)
    matcher, total = constraint.matcher(start="turn"), 0.0
    for position, token in enumerate(beams.token_ids):
        logits = fresh_logits(lm.backend.model, prompt + beams.token_ids[:position]).astype(float)
        allowed = logits[matcher.allowed_tokens()]
        total += logits[token] - allowed.max() - np.log(np.exp(allowed - allowed.max()).sum())
        assert matcher.accept_token(token)
    assert matcher.is_accepting()
    assert beams.log_probability == pytest.approx(total, abs=1e-2)
