"""Random walks by masks never end in nothing; more of them by `python -m tests.json_schema_walks FIRST COUNT`."""

from __future__ import annotations

from collections import Counter

import constrain
from tests.json_schema_walks import Words, check


def _walk(words: Words, first: int, count: int) -> Counter[str]:
    figures: Counter[str] = Counter()
    for seed in range(first, first + count):
        result = check(seed, words)
        assert result.problem == "", f"seed {seed}: {result.outcome}"
        figures += result.texts
    return figures


def test_walks_over_a_small_vocabulary_end_in_valid_texts(small_vocabulary: constrain.Vocabulary) -> None:
    figures = _walk(Words.of(small_vocabulary), 0, 120)
    assert figures["walks"] > 300 and figures["steered"] > 5, figures


def test_walks_over_the_real_vocabulary_end_in_valid_texts(phi_vocabulary: constrain.Vocabulary) -> None:
    figures = _walk(Words.of(phi_vocabulary), 1000, 120)
    assert figures["walks"] > 300 and figures["steered"] > 5, figures
