"""The embedded model: its files, its tokenizer, the documents it learns from, and a few extractions.

The accuracy over seeded documents is measured by benchmarks/extraction.py, not here.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from constrain.models.prompts import form, prompt
from embedded import values, wordings
from embedded.documents import KINDS, Writer

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "constrain" / "models" / "embedded"
TEXTS = [
    "Total: 12.50 EUR",
    " two  spaces",
    "\n\tline\r\n",
    "Łukasz Dvořák, 北京 🙂 \u0000",
    'a "quoted" {"k":[1,2]}',
    "",
    "x" * 300,
]


@pytest.fixture(scope="module")
def tokenizer():
    return pytest.importorskip("tokenizers").Tokenizer.from_file(str(FOLDER / "tokenizer.json"))


@pytest.fixture(scope="module")
def lm():
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    import constrain

    return constrain.Phi.load()


# ------------------------------------------------------------ files


def test_model_and_its_making_take_less_than_20_megabytes():
    files = [*FOLDER.rglob("*"), *(ROOT / "embedded").glob("*.py")]
    assert sum(file.stat().st_size for file in files if file.is_file()) < 20_000_000


def test_configuration_is_that_of_a_phi_3_5():
    config = json.loads((FOLDER / "config.json").read_text())
    assert (config["model_type"], config["vocab_size"]) == ("phi3", 32064)
    assert config["architectures"] == ["Phi3ForCausalLM"]
    generation = json.loads((FOLDER / "generation_config.json").read_text())
    assert generation["eos_token_id"] == [32007, 32001, 32000]


# ------------------------------------------------------------ tokenizer


def test_ids_are_those_of_phi(tokenizer):
    assert [tokenizer.id_to_token(number) for number in (0, 1, 2, 3, 258)] == [
        "<unk>",
        "<s>",
        "</s>",
        "<0x00>",
        "<0xFF>",
    ]
    roles = ["<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>"]
    assert [tokenizer.token_to_id(text) for text in roles] == [32000, 32001, 32006, 32007, 32010]
    assert tokenizer.get_vocab_size() == 32011


@pytest.mark.parametrize("text", TEXTS)
def test_text_survives_the_tokenizer(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


@pytest.mark.parametrize("word", ["Schmidt", "Zweofrag", "INV-2031", "quick-brown@fox.example", "naïve", "4711", "X"])
def test_a_word_splits_alike_after_a_space_and_after_a_quote(tokenizer, word):
    spaced = tokenizer.encode(f"is {word}").tokens[1:]
    quoted = tokenizer.encode(f'":"{word}').tokens
    quoted = quoted[quoted.index('":"') + 1 :] if '":"' in quoted else quoted[1:]
    assert "".join(spaced).lstrip("▁") == "".join(quoted) == word
    assert [piece.lstrip("▁") for piece in spaced if piece != "▁"] == quoted


def test_no_piece_crosses_a_space_and_digits_stand_alone(tokenizer):
    for piece in tokenizer.get_vocab():
        if piece.strip("▁") and not piece.startswith("<"):
            assert "▁" not in piece[1:], piece
            assert len(piece) == 1 or not any(letter.isdigit() for letter in piece), piece


def test_prefix_after_a_role_token_is_phis(tokenizer):
    assert tokenizer.encode("<|user|>\nHi").tokens[1].startswith("▁")


# ------------------------------------------------------------ documents


def test_known_and_unseen_wordings_are_disjoint():
    for kind in wordings.KINDS:
        assert not set(wordings.sentences(kind, False)) & set(wordings.sentences(kind, True))
        for role in wordings.LABELS[kind]:
            known, unseen = ({text.lower() for text in wordings.labels(kind, role, side)} for side in (False, True))
            assert known and unseen and not known & unseen
    assert not set(wordings.generic(False)) & set(wordings.generic(True))


def test_every_text_of_training_is_free_of_unseen_sentences():
    heads = {
        wordings.expand(p)[0].split("{")[0].strip() for kind in wordings.KINDS for p in wordings.sentences(kind, True)
    }
    heads = {head for head in heads if len(head) > 25}
    writer = Writer(5)
    assert heads
    assert not [head for _ in range(500) for head in heads if head in writer.record().text]


def test_the_seed_decides_the_documents():
    first, second = Writer(7, unseen=True, held_out=True), Writer(7, unseen=True, held_out=True)
    assert [first.record() for _ in range(50)] == [second.record() for _ in range(50)]


@pytest.mark.parametrize("held_out", [False, True])
def test_values_keep_to_their_side_of_the_split(held_out):
    writer = Writer(3, held_out=held_out)
    for _ in range(300):
        record = writer.record()
        for start, end in record.spans:
            value = record.answer.encode()[start:end].decode()
            if len(value) > 16 and "\\" not in value:  # no number, no choice
                assert values.is_held_out(value) == held_out


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_compact_json_of_the_schema(kind):
    jsonschema = pytest.importorskip("jsonschema")
    writer = Writer(11, unseen=True)
    for _ in range(100):
        record = writer.record(kind)
        jsonschema.validate(record.object, record.schema)
        assert list(record.object) == list(record.schema["properties"])
        assert form(record.schema) in prompt(record.text, record.schema)[0]["content"]


def test_form_resolves_references_and_names_choices():
    schema = {
        "properties": {"a": {"$ref": "#/$defs/A"}, "b": {"enum": ["x", 1]}, "c": {"type": ["string", "null"]}},
        "$defs": {"A": {"type": "array", "items": {"type": "integer"}}},
    }
    assert form(schema) == '{"a":[integer],"b":"x"|1,"c":string|null}'
    assert form({"properties": {"self": {"$ref": "#"}}}).count("self") < 20


# ------------------------------------------------------------ extraction


def test_loading_takes_less_than_two_seconds(lm):
    import constrain

    times = []
    for _ in range(3):
        began = time.perf_counter()
        constrain.Phi.load()
        times.append(time.perf_counter() - began)
    assert min(times) < 2


def extracted(lm, name: str, text: str) -> dict:
    import constrain

    schema = json.loads((ROOT / "examples" / "documents" / f"{name}.schema.json").read_text())
    return constrain.extract(lm, text, schema)


def test_extracts_an_incident_note(lm):
    found = extracted(lm, "incident", (ROOT / "examples" / "documents" / "incidents" / "incident-1.txt").read_text())
    expected = {"incident_id": "INC-30982", "severity": "high", "started": "09:42 UTC", "reporter": "Greta Olsen", "assignee": "Rahul Meyer",
                "affected_users": 2350, "status": "resolved"}  # fmt: skip
    assert {key: found[key] for key in expected} == expected


def test_extracts_fields_of_a_schema_it_never_saw(lm):
    line = (ROOT / "examples" / "documents" / "notes.jsonl").read_text().splitlines()[0]
    assert extracted(lm, "notes", json.loads(line)["text"]) == {
        "model": "Quartz P-220", "serial_number": "QZ88213004", "depth": 12.5, "weight": 38, "operator": "Elena Haas",
        "last_inspection": "2025-11-04",
    }  # fmt: skip


def test_most_fields_of_seeded_documents_are_right(lm):
    from benchmarks.extraction import answers, documents, field_results

    records = documents(15, unseen=False)
    results = [
        one
        for record, answer in zip(records, answers(lm, records, False, 5), strict=True)
        for one in field_results(answer, record.object)
    ]
    assert sum(results) / len(results) > 0.85
