"""Reports, log-probabilities against softmax by hand, and answers and programs as people look at them."""

from __future__ import annotations

import html
import math
import pickle
import re

import numpy as np
import pytest

import constrain
from constrain import dsl
from constrain.display import Piece, abridged, to_html, token_pieces
from constrain.dsl import assistant, block, gen, models, select, user
from constrain.generate import LanguageModel
from constrain.report import Report, Token
from constrain.vocabulary import Vocabulary
from tests.test_healing import Recorded

WORDS = ["yes", "no", "maybe", "ab", "abc", " ", "=1", "1", "42"]


def vocabulary_of(words=WORDS):
    tokens = [*(bytes([b]) for b in range(256)), *(word.encode() for word in words)]
    specials = {name: len(tokens) + n for n, name in enumerate(("<s>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"))}
    return Vocabulary([*tokens, *[None] * 5], end_ids=[specials["<|end|>"]], special_tokens=specials)


def by_hand(lm, constraint, prompt, answer):
    """For each sampled token: its log-probabilities under the mask and without, and the mass that the mask removed."""
    found = []
    matcher = constraint.matcher()
    before = list(prompt)
    for token in answer.tokens:
        if token.origin == "sampled":
            session = lm.backend.open(1)
            session.likes = []
            logits = session.forward([before])[0].astype(float)
            chances = np.exp(logits - logits.max())
            chances /= chances.sum()
            left = chances[matcher.allowed_tokens()].sum()
            found.append((math.log(chances[token.id] / left), math.log(chances[token.id]), 1 - left))
        assert matcher.accept_token(token.id)
        before.append(token.id)
    return found


class Whole(Recorded):
    """Random logits from a hash of all ids so far, however they came."""

    def forward(self, tokens):
        self.passes.append(list(tokens[0]))
        seen = [i for ids in self.passes for i in ids]
        return np.random.default_rng([self.seed, *seen]).normal(scale=2.0, size=(1, self.vocabulary.size)).astype(np.float32)


@pytest.mark.parametrize("fast_forward", [True, False])
@pytest.mark.parametrize("pattern", ["(yes|no|maybe)", "x=1(ab|abc){2,3}", "[a-z]{3}; (42|1)!"])
def test_log_probabilities_are_those_of_softmax_by_hand(pattern, fast_forward):
    lm = LanguageModel(Whole(vocabulary_of()))
    constraint = constrain.compile(constrain.regex(pattern), lm.vocabulary)
    prompt = list(b"Q: ")
    for seed in range(5):
        options = {"temperature": 1.3, "top_p": 0.9, "seed": seed, "fast_forward": fast_forward}
        answer = lm.generate(prompt, constraint, log_probabilities=True, **options)
        sampled = [token for token in answer.tokens if token.origin == "sampled"]
        expected = by_hand(lm, constraint, prompt, answer)
        np.testing.assert_allclose([t.log_probability for t in sampled], [e[0] for e in expected], atol=1e-5)
        np.testing.assert_allclose([t.model_log_probability for t in sampled], [e[1] for e in expected], atol=1e-5)
        np.testing.assert_allclose(answer.report.removed_mass, [e[2] for e in expected], atol=1e-5)
        assert answer.log_probability == pytest.approx(sum(e[0] for e in expected), abs=1e-4)
        forced = [token for token in answer.tokens if token.origin == "forced"]
        assert all((t.log_probability, t.model_log_probability) == (0.0, None) for t in forced)
        assert bool(forced) == (fast_forward and "(yes" not in pattern)
        plain = lm.generate(prompt, constraint, **options)
        assert plain.token_ids == answer.token_ids
        assert np.isnan(plain.report.removed_mass).all() and plain.tokens[0].log_probability is None
        with pytest.raises(constrain.ConstrainError, match="expected log_probabilities=True"):
            _ = plain.log_probability


def test_the_texts_of_a_choice_have_probability_one_together():
    """Whatever is drawn, its log-probability is that of drawing it: the shares of all token paths add up to 1."""
    lm = LanguageModel(Whole(vocabulary_of(["ab", "b"])))
    constraint = constrain.compile(constrain.choice(["ab", "a", "b"]), lm.vocabulary)
    found = {}
    for seed in range(200):
        answer = lm.generate([65], constraint, temperature=6.0, seed=seed, fast_forward=False, log_probabilities=True)
        found[tuple(token.id for token in answer.tokens)] = math.exp(answer.log_probability)
    assert len(found) >= 4 and sum(found.values()) == pytest.approx(1.0, abs=1e-4)


def test_reports_count_and_add_up():
    lm = LanguageModel(Whole(vocabulary_of()))
    first = lm.generate([65, 66], constrain.regex("x=1(ab|abc)!"), max_tokens=20)
    second = lm.generate([65], constrain.choice(["yes"]))
    for answer in (first, second):
        report = answer.report
        assert report.tokens == {"prompt": answer.num_prompt_tokens, "forced": report.num_forced_tokens, "sampled": report.num_sampled_tokens}
        assert len(report.mask_microseconds) == report.num_forward_passes + 1 and len(report.removed_mass) == report.num_forward_passes
        assert report.mask_total == pytest.approx(1e6 * answer.mask_seconds) and 0 < report.mask_mean <= report.mask_max <= report.mask_total
        assert (report.mask_microseconds >= 0).all()
    both = first.report + second.report
    assert both.num_prompt_tokens == 3 and both.num_forward_passes == first.num_forward_passes
    assert both.mask_total == pytest.approx(first.report.mask_total + second.report.mask_total)
    assert Report() + both == both != first.report
    assert "3 prompt" in str(both) and "passes" in str(both)
    assert pickle.loads(pickle.dumps(first)) == first


# ---------------------------------------------------------------- programs


def model(**options):
    return dsl.Model(LanguageModel(Whole(vocabulary_of())), **options)


def test_captures_have_the_log_probabilities_of_the_tokens_that_overlap_them():
    lm = model(seed=1)
    noted = []
    run = lm._engine.run
    lm._engine.run = lambda *args: noted.append(run(*args)) or noted[-1]
    lm += "Q: " + gen("first", regex="[a-c]{2}") + "=1" + select(["yes", "no"], name="second") + "!"
    answer = noted[0].generation
    assert len(noted) == 1
    offset, expected = 0, {"first": 0.0, "second": 0.0}
    spans = {"first": (0, 2), "second": (4, 4 + len(lm["second"]))}
    for token in answer.tokens:
        for name, (start, end) in spans.items():
            if offset < end and offset + len(token.data) > start:
                expected[name] += token.log_probability
        offset += len(token.data)
    assert {name: lm.log_prob(name) for name in spans} == expected
    assert expected["first"] < 0 and expected["second"] < 0


def test_lists_blocks_and_spanning_captures_have_log_probabilities():
    lm = model(seed=2) + "x"
    with block("all"):
        for _ in range(3):
            lm += gen("one", regex="[a-z]", temperature=1.0, list_append=True) + ","
        assert lm.log_prob("all") == pytest.approx(sum(lm.log_prob("one")))
    lm += dsl.capture(gen(regex="[0-9]{2}", temperature=1.0) + "a" + gen(regex="[0-9]", temperature=0.5), "wide")
    assert len(lm.log_prob("one")) == 3 and max(lm.log_prob("one")) < 0
    assert lm.log_prob("all") == pytest.approx(sum(lm.log_prob("one"))) and lm.log_prob("wide") < 0
    assert lm.report.num_forward_passes >= 6 and len(lm.report.removed_mass) == lm.report.num_forward_passes
    assert (lm.report.removed_mass > 0).all()
    with pytest.raises(dsl.UnknownCaptureError, match="'none' has a log-probability; these have: 'one', 'all', 'wide'"):
        lm.log_prob("none")
    with pytest.raises(dsl.UnknownCaptureError):
        lm.set("one", 3).log_prob("one")
    with pytest.raises(dsl.ProgramError, match="expected a model with log_probabilities=True"):
        (model(log_probabilities=False) + "x" + gen("n", regex="[a-z]")).log_prob("n")


def test_fixed_text_costs_nothing():
    lm = model() + "Well" + dsl.capture("known", "name")
    assert (lm.log_prob("name"), lm.report) == (0.0, Report())


def test_a_state_forked_in_two_has_two_reports():
    lm = model(seed=0) + "x" + gen("a", regex="[a-z]{2}")
    left, right = lm + gen("b", regex="[a-z]{3}"), lm + "y"
    assert left.report.num_forward_passes > lm.report.num_forward_passes == right.report.num_forward_passes > 0


# ---------------------------------------------------------------- to look at


def text_of(page):
    """What a browser shows of the first part of the fragment, before the legend."""
    body = page[: page.index('<div style="margin-top')]
    return html.unescape(re.sub(r"<[^>]*>", "", body))


def test_pages_show_the_text_escaped_and_coloured_by_origin():
    lm = LanguageModel(Whole(vocabulary_of()))
    answer = lm.generate(list(b'<b>"Q" & '), constrain.regex("<i>[ab]</i>(yes|no)"), log_probabilities=True)
    page = answer._repr_html_()
    assert text_of(page) == '<b>"Q" & ' + answer.text + "end" * (answer.tokens[-1].data == b"")
    assert "<b>" not in page and "<i>" not in page
    assert "sampled, p = " in page and "forced" in page and "passes in" in page


def test_states_show_roles_as_such_and_print_as_before():
    with user():
        lm = models.Mock(["<script>", "b"]) + "How & why?"
    with assistant():
        lm += "Since " + gen("x", regex=r"<\w+>") + gen("y", max_tokens=1)
    page = lm._repr_html_()
    assert text_of(page) == str(lm).rstrip()
    assert page.count(">&lt;|end|&gt;</span>") == 2
    assert "<script>" not in page and page.count("&lt;|user|&gt;") == 1
    assert str(lm) == f"{lm}" == "<|user|>\nHow & why?<|end|>\n<|assistant|>\nSince <script>b<|end|>\n"


def test_reprs_cut_long_texts_in_the_middle():
    lm = models.Mock("9") + "begin " + "x" * 5000 + gen("n", regex="[0-9]")
    assert len(repr(lm)) < 200 and "begin" in repr(lm) and "9'" in repr(lm) and "captures: n" in repr(lm)
    runner = LanguageModel(Whole(vocabulary_of()))
    answer = runner.generate([65], constrain.regex("b{300}"), max_tokens=400)
    assert len(repr(answer)) < 220 and "300 tokens (0 sampled, 300 forced)" in repr(answer)
    assert "incomplete" in repr(runner.generate([65], constrain.regex("[a-z]{9}"), max_tokens=1, finish="cut"))
    assert abridged("short") == "'short'" and len(abridged("é" * 999)) <= 122


def test_tokens_inside_a_character_are_shown_with_the_others_of_it():
    data = "aé€😀b".encode()
    tokens = [Token(n, bytes([byte]), "sampled" if n % 2 else "forced", -0.5, -1.0) for n, byte in enumerate(data)]
    pieces = token_pieces(tokens)
    assert [piece.text for piece in pieces] == ["a", "é", "€", "😀", "b"]
    assert [piece.title.count("\n") + 1 for piece in pieces] == [1, 2, 3, 4, 1]
    assert pieces[3].title.startswith("f0 (6), forced, p = 0.6065 under the mask, 0.3679 without\n9f (7), sampled")
    assert "".join(piece.text for piece in token_pieces(tokens, 3)) == "€😀b"
    broken = [Token(0, b"\xff", "sampled"), Token(1, b"a\xe2", "forced"), Token(2, b"", "sampled", -0.1, -0.2)]
    shown = token_pieces(broken)
    assert [piece.text for piece in shown] == ["\ufffd", "a\ufffd", "end"]
    assert "&lt;" in to_html([Piece("<", "prompt"), *shown], "<caption>") and "<caption>" not in to_html(shown, "<caption>")
