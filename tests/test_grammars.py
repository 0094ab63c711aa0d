"""The grammars in grammars/: Lark and the package agree with every record, and samples are Lark's texts too.

The offsets are held twice: by an oracle made of Lark's rules (grammar_liveness.py) and by `explain`. A thousand samples and a
thousand mutated texts for each grammar: `python -m benchmarks.grammar_soundness`.
"""

from __future__ import annotations

from functools import cache

import pytest

import constrain
from benchmarks import grammar_soundness

from . import grammar_corpus as corpus
from .grammar_liveness import Liveness

NAMES = corpus.names()
each_grammar = pytest.mark.parametrize("name", NAMES)


@cache
def expr_of(name: str) -> constrain.Expr:
    grammar = corpus.load(name)
    return constrain.lark(grammar.text, lexer=grammar.lexer)


def test_there_are_enough_records():
    assert len(NAMES) >= 12
    counts = {name: (len(corpus.load(name).accept), len(corpus.load(name).reject)) for name in NAMES}
    assert all(accept >= 15 and reject >= 15 for accept, reject in counts.values()), counts


@each_grammar
def test_lark_accepts(name):
    grammar = corpus.load(name)
    assert [r for r in grammar.accept if not corpus.lark_accepts(grammar, r.text)] == []


@each_grammar
def test_lark_rejects_where_stated(name):
    grammar = corpus.load(name)
    assert [r for r in grammar.reject if corpus.lark_accepts(grammar, r.text)] == []
    liveness = Liveness(grammar)
    assert [(r, n) for r in grammar.reject if (n := liveness.longest_live_prefix(r.text)) != r.offset] == []


@each_grammar
def test_accepted_texts_live_to_their_end(name):
    """The oracle of offsets calls no prefix of an accepted text dead (every fifth is asked)."""
    grammar = corpus.load(name)
    liveness = Liveness(grammar)
    assert [r for r in grammar.accept if not all(liveness.is_live(r.text[:k]) for k in range(len(r.text) % 5, len(r.text) + 1, 5))] == []


@each_grammar
def test_accepted_texts_match(name):
    assert [(r, expr_of(name).explain(r.text)) for r in corpus.load(name).accept if not expr_of(name).matches(r.text)] == []


@each_grammar
def test_rejected_texts_fail_where_stated(name):
    explained = [(r, expr_of(name).explain(r.text)) for r in corpus.load(name).reject]
    assert [(r, e) for r, e in explained if e.matches or e.offset != r.offset] == []


@each_grammar
def test_samples_parse_with_lark(name):
    grammar = corpus.load(name)
    samples = [expr_of(name).sample(seed=seed) for seed in range(30)]
    assert [text for text in samples if not corpus.lark_accepts(grammar, text)] == []


@each_grammar
def test_mutated_texts_are_judged_alike(name):
    grammar = corpus.load(name)
    texts = grammar_soundness.mutated_texts(grammar, 60)
    assert [text for text in texts if expr_of(name).matches(text) != corpus.lark_accepts(grammar, text)] == []


def test_mutation_makes_both_kinds():
    """A mutator whose texts were all right, or all wrong, would test nothing."""
    for name in ("json", "sql", "url"):
        grammar = corpus.load(name)
        verdicts = [corpus.lark_accepts(grammar, text) for text in grammar_soundness.mutated_texts(grammar, 200)]
        assert 20 <= sum(verdicts) <= 180


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        ("a", ["a"]),
        ("a\nb\n", ["a\nb"]),
        ("a\n\n", ["a\n"]),
        ("@\n-----\n@\n\n-----\nb", ["", "", "b"]),
        ("@escapes\na\\n\nb\\x20\\u00e9\\\\", ["a\nb \u00e9\\"]),
        ("@# why\na", ["a"]),
        (" -----\n------", [" -----\n------"]),
    ],
)
def test_records_are_read(tmp_path, data, texts):
    (tmp_path / "records.txt").write_bytes(data.encode())
    if len(set(texts)) == len(texts):
        assert [r.text for r in corpus.read_records(tmp_path / "records.txt", with_offsets=False)] == texts
    else:
        with pytest.raises(ValueError, match="there twice"):
            corpus.read_records(tmp_path / "records.txt", with_offsets=False)


@pytest.mark.parametrize(
    ("data", "with_offsets", "message"),
    [
        ("-----\na", False, r"records.txt:1: a record begins"),
        ("a", True, r"a record begins with its text or a line of @"),
        ("@x\na", True, "invalid literal"),
        ("@1 escape\na", True, r"unknown words \['escape'\]"),
        ("@3\na", False, r"unknown words \['3'\]"),
        ("@escapes\n\\q", False, "a backslash that begins no escape"),
    ],
)
def test_mistakes_in_records_are_errors(tmp_path, data, with_offsets, message):
    (tmp_path / "records.txt").write_bytes(data.encode())
    with pytest.raises(ValueError, match=message):
        corpus.read_records(tmp_path / "records.txt", with_offsets)


def test_a_grammar_says_how_it_is_read():
    assert corpus.declared("// lexer: basic\nstart: A", "lexer", corpus.READINGS) == "basic"
    for text in ("start: A", "// lexer: greedy", "// lexer: basic\n// lexer: basic"):
        with pytest.raises(ValueError, match="one line «// lexer"):
            corpus.declared(text, "lexer", corpus.READINGS)
