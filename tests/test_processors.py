"""`ConstraintLogitsProcessor` inside `model.generate`: every mode's answers are texts of their constraints.

The models are random, so what they write without a constraint is noise; a wrong mask shows at once.
"""

# ruff: noqa: E402
from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

import constrain
from constrain.processors.transformers import ConstraintLogitsProcessor
from tests import tiny_phi

PATTERNS = [
    r"[a-z]{2,5} [0-9]{1,3}",
    r"(yes|no|maybe)( [A-Z]{1,4}){0,2}",
    r'\{"n":-?[1-9][0-9]{0,3},"ok":(true|false)\}',
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A random model, its vocabulary (wider than the tokenizer), and its pad id."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("tiny")
    num_tokens = tiny_phi.write_tokenizer(folder)
    model = tiny_phi.model(tiny_phi.config(num_tokens + 9))
    vocabulary = constrain.Vocabulary.from_tokenizer(folder, size=num_tokens + 9)
    return model, vocabulary


def prompts(vocabulary, texts, pad):
    """Left-padded ids and their attention mask."""
    rows = [
        [*vocabulary.encode(text, start="turn"), vocabulary.special_tokens["<|assistant|>"]] for text in texts
    ]
    width = max(map(len, rows))
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids, mask


def answers(vocabulary, output, prompt_length, start="turn"):
    """The texts behind the prompts, up to the first end token."""
    texts = []
    for row in output[:, prompt_length:].tolist():
        ends = [i for i, token in enumerate(row) if token in vocabulary.end_ids]
        assert ends, f"no end in {row}"
        data = vocabulary.decode(row[: ends[0]])
        texts.append((data[1:] if start == "turn" and data[:1] == b" " else data).decode())
    return texts


MODES = {
    "greedy": {"do_sample": False},
    "sampling": {"do_sample": True, "temperature": 1.5},
    "several samples": {"do_sample": True, "num_return_sequences": 3},
    "top-k and top-p": {"do_sample": True, "top_k": 5, "top_p": 0.7, "num_return_sequences": 2},
    "beams": {"num_beams": 3},
    "beams, several returned": {"num_beams": 4, "num_return_sequences": 3},
    "sampled beams": {"num_beams": 3, "do_sample": True, "num_return_sequences": 2},
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("pad", ["end", "other"])
def test_every_mode_gives_valid_answers_for_each_rows_constraint(tiny, mode, pad):
    model, vocabulary = tiny
    pad_id = vocabulary.end_ids[0] if pad == "end" else 5
    exprs = [constrain.regex(pattern) for pattern in PATTERNS]
    constraints = [constrain.compile(expr, vocabulary) for expr in exprs]
    ids, mask = prompts(
        vocabulary, ["Hi", "a much longer prompt, so that the batch is ragged", "name:"], pad_id
    )
    processor = ConstraintLogitsProcessor(constraints, ids, pad_token_id=pad_id)
    torch.manual_seed(1)
    output = model.generate(
        ids, attention_mask=mask, logits_processor=[processor], max_new_tokens=60,
        eos_token_id=vocabulary.end_ids, pad_token_id=pad_id, **MODES[mode],
    )  # fmt: skip
    texts = answers(vocabulary, output, ids.shape[1])
    rows_per_prompt = len(texts) // len(exprs)
    assert rows_per_prompt == MODES[mode].get("num_return_sequences", 1)
    for row, text in enumerate(texts):
        assert exprs[row // rows_per_prompt].matches(text), text


def test_greedy_takes_the_best_allowed_token_at_every_step(tiny):
    model, vocabulary = tiny
    constraint = constrain.compile(constrain.regex(PATTERNS[0]), vocabulary)
    ids, mask = prompts(vocabulary, ["Hello there"], 0)
    output = model.generate(
        ids, attention_mask=mask, logits_processor=[ConstraintLogitsProcessor(constraint, ids)], max_new_tokens=40,
        do_sample=False, eos_token_id=vocabulary.end_ids, pad_token_id=0,
    )[0].tolist()  # fmt: skip
    matcher = constraint.matcher(start="turn")
    for position in range(ids.shape[1], len(output)):
        with torch.inference_mode():
            logits = model(torch.tensor([output[:position]])).logits[0, -1]
        best = max(matcher.allowed_tokens(), key=lambda i: float(logits[i]))
        assert output[position] == best
        assert matcher.accept_token(best)


def test_it_is_a_function_of_the_suffix_alone(tiny):
    _, vocabulary = tiny
    expr = constrain.regex(r"(a|b)c[0-9]")
    constraint = constrain.compile(expr, vocabulary)
    processor = ConstraintLogitsProcessor(constraint, 2, start="continue")
    a, b, c = (vocabulary.encode(text)[0] for text in "abc")
    end = vocabulary.end_ids[0]
    suffixes = [[a, c], [b, c], [a, b], [c, c], [a, end], [end, end]]
    width = vocabulary.size + 3
    for order in ([0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [2, 2, 0, 1, 1, 4]):
        ids = torch.tensor([[7, 8, *suffixes[i]] for i in order])
        scores = torch.randn(len(order), width)
        before = scores.clone()
        result = processor(ids, scores)
        assert torch.equal(scores, before)
        for row, i in enumerate(order):
            allowed = torch.isfinite(result[row]).nonzero().flatten().tolist()
            matcher = constraint.matcher()
            is_alive = matcher.accept_tokens(suffixes[i]) == 2 and not matcher.is_terminated()
            assert allowed == (matcher.allowed_tokens() if is_alive else sorted(vocabulary.end_ids))
            assert torch.equal(result[row, allowed], before[row, allowed])


def test_a_prompt_may_go_without_a_constraint(tiny):
    _, vocabulary = tiny
    constraint = constrain.compile(constrain.choice(["x"]), vocabulary)
    processor = ConstraintLogitsProcessor([None, constraint], 1, start="continue")
    result = processor(torch.tensor([[3], [3]]), torch.zeros(2, vocabulary.size))
    assert torch.isfinite(result[0]).all()
    assert torch.isfinite(result[1]).sum() == 1


def test_matchers_are_forked_not_rebuilt_and_forgotten_in_time(tiny):
    _, vocabulary = tiny
    constraint = constrain.compile(constrain.regex("[ab]*"), vocabulary)
    processor = ConstraintLogitsProcessor(constraint, 0, start="continue")
    a = vocabulary.encode("a")[0]
    for length in range(300):
        processor(torch.full((2, length), a), torch.zeros(2, vocabulary.size))
    assert len(processor._matchers) <= 2 * 2 + 64


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda c, v: ConstraintLogitsProcessor("a+", 3), "constraint is a str"),
        (lambda c, v: ConstraintLogitsProcessor([], 3), "no constraint"),
        (lambda c, v: ConstraintLogitsProcessor(c, -1), "prompt_length"),
        (lambda c, v: ConstraintLogitsProcessor(c, 3, start="end"), "start is 'end'"),
        (
            lambda c, v: ConstraintLogitsProcessor(c, 0)(torch.zeros(1, 1), torch.zeros(1, v.size - 1)),
            "does not fit",
        ),
        (
            lambda c, v: ConstraintLogitsProcessor([c, c], 0)(torch.zeros(3, 1), torch.zeros(3, v.size)),
            "3 rows",
        ),
        (
            lambda c, v: ConstraintLogitsProcessor(c, 4)(torch.zeros(1, 1), torch.zeros(1, v.size)),
            "prompt of 4",
        ),
    ],
)
def test_errors(tiny, make, message):
    _, vocabulary = tiny
    constraint = constrain.compile(constrain.regex("a+"), vocabulary)
    with pytest.raises(constrain.ConstrainError, match=message):
        make(constraint, vocabulary)
