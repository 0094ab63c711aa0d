"""`max_tokens` is a promise, and sampling is the model's own choice where the mask leaves one."""

from __future__ import annotations

import gzip
import json
from collections import Counter

import numpy as np
import pytest

import constrain
from benchmarks.budgets import MODELS, Adversary, attack, least_budget
from constrain.generate import LanguageModel

from .conftest import shared_path
from .moody import WORDS, Moody, vocabulary_with

EXPRESSIONS = {
    "regex": lambda: constrain.regex("(ab|cde){2,5}x*[0-9]{3}"),
    "open text": lambda: constrain.regex('"[^"]*"(, "[^"]*")*'),
    "choice": lambda: constrain.choice(["a", "abcdef", "abcdefghijk", "zz"]),
    "not": lambda: constrain.regex("[a-f]{3,}") & ~constrain.regex(".*ab.*"),
    "object": lambda: constrain.json_schema({"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}),
    "any value": lambda: constrain.json_schema(True),
    "many keys": lambda: constrain.json_schema({"type": "object", "minProperties": 4}),
    "unique": lambda: constrain.json_schema({"items": {"type": "integer"}, "uniqueItems": True, "minItems": 5, "type": "array"}),
    "tree": lambda: constrain.json_schema(
        {"$ref": "#/$defs/t", "$defs": {"t": {"type": "object", "required": ["a"], "properties": {"a": {"type": "boolean"}, "t": {"$ref": "#/$defs/t"}}}}}
    ),
}  # fmt: skip


@pytest.mark.parametrize("words", [(), WORDS], ids=["bytes", "words"])
@pytest.mark.parametrize("name", list(EXPRESSIONS))
def test_every_answer_ends_inside_its_budget(name, words):
    expr, vocabulary = EXPRESSIONS[name](), vocabulary_with(words)
    constraint = constrain.compile(expr, vocabulary)
    least = least_budget(LanguageModel(Adversary(vocabulary, "random", 0)), constraint)
    for kind in MODELS:
        for extra in range(0, 41, 3):
            for fast_forward in (True, False):
                lm = LanguageModel(Adversary(vocabulary, kind, extra))
                answer = lm.generate("x", constraint, max_tokens=least + extra, fast_forward=fast_forward, temperature=1.0, seed=extra)
                assert answer.is_complete and len(answer.token_ids) <= least + extra, (kind, extra, answer)
                assert expr.matches(answer.text), (kind, extra, answer.text)


def test_a_budget_below_the_least_is_refused_before_the_first_pass():
    class Untouched(Adversary):
        def forward(self, tokens):
            raise AssertionError("the model was asked")

    lm = LanguageModel(Untouched(vocabulary_with(()), "random", 0))
    with pytest.raises(constrain.LimitExceeded, match="max_tokens 4 is not enough: the shortest answer takes 9 tokens") as caught:
        lm.generate("x", constrain.regex("[ab]{9,}"), max_tokens=4)
    assert (caught.value.limit, caught.value.given, caught.value.allowed) == ("max_tokens", 9, 4)
    with pytest.raises(constrain.ConstrainError, match="finish is 'later', expected 'complete' or 'cut'"):
        lm.generate("x", constrain.regex("a"), finish="later")


def test_maskbench_schemas_end_inside_their_budgets():
    rows = gzip.open(shared_path("maskbench", "public.jsonl.gz"), "rt").readlines()[::150]
    vocabulary = constrain.Vocabulary.from_tokenizer(shared_path("phi3-tokenizer"))
    total: Counter[str] = Counter()
    for number, line in enumerate(rows):
        counts, wrong = attack(vocabulary, json.loads(line)["schema"], 4, number)
        assert not wrong
        total += counts
    assert total["answers"] == len(rows) * 4 * len(MODELS)


def expected_shares(model, constraint, max_tokens=None):
    """The probability of each text: the model's own, renormalised token by token over the mask, or over what fits."""
    shares: Counter[str] = Counter()

    def follow(matcher, text, left, share):
        allowed = matcher.allowed_tokens()
        if max_tokens is not None:
            allowed = [t for t in allowed if t == model.end or (left and matcher.is_token_allowed_within(t, left))]
        logits = model.logits(text)[allowed].astype(float)
        chances = np.exp(logits - logits.max())
        chances /= chances.sum()
        for token, chance in zip(allowed, chances, strict=True):
            if token == model.end:
                shares[text.decode()] += share * chance
                continue
            after = matcher.fork()
            after.accept_token(token)
            follow(after, text + model.vocabulary.tokens[token], left - 1, share * chance)

    follow(constraint.matcher(), b"", max_tokens or 0, 1.0)
    return shares


def chi_square(model, constraint, expected, **options):
    lm, found, total = LanguageModel(model), Counter(), 20_000
    for start in range(0, total, 1000):
        answers = lm.generate_batch([""] * 1000, constraint, temperature=1.0, seed=start, fast_forward=False, **options)
        found.update(answer.text for answer in answers)
    assert set(found) <= set(expected)
    return sum((found[t] - total * share) ** 2 / (total * share) for t, share in expected.items())


def test_sampling_is_the_models_own_choice_inside_the_mask():
    """20,000 samples of a ten-way choice against the exact shares: Pearson's chi-square, far below its 1e-6 quantile."""
    texts = ["true", "tr", "name", "nameless", "null", "aaaa", "aaa", "b", "nam", "falsehood"]
    model = Moody()
    constraint = constrain.compile(constrain.choice(texts), model.vocabulary)
    expected = expected_shares(model, constraint)
    assert abs(sum(expected.values()) - 1) < 1e-9 and set(expected) == set(texts)
    assert chi_square(model, constraint, expected) < 45  # 9 degrees of freedom: 1e-6 at 44.8


def test_near_the_end_it_is_the_models_own_choice_of_what_fits():
    """Two tokens: "aaa" fits in the word only where "a" was not chosen first, "falsehood" never; with ten, all do."""
    texts = ["true", "tr", "name", "nameless", "null", "aaaa", "aaa", "b", "nam", "falsehood"]
    model = Moody()
    constraint = constrain.compile(constrain.choice(texts), model.vocabulary)
    expected = expected_shares(model, constraint, 2)
    assert abs(sum(expected.values()) - 1) < 1e-9 and {"true", "tr", "b"} <= set(expected) < set(texts)
    assert chi_square(model, constraint, expected, max_tokens=2) < 45
    assert expected_shares(model, constraint, 10) == expected_shares(model, constraint)
