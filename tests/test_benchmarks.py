"""The harness of benchmarks/ on a tiny workload with the engine itself; no time is asserted."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

tokenizers = pytest.importorskip("tokenizers", reason="the harness tokenises with tokenizers (extra phi)")

from benchmarks import masks, report, tool_calls, workloads  # noqa: E402

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name"],
    "additionalProperties": False,
}
TESTS = [
    {"valid": True, "data": {"name": "Zoë", "age": 7}},
    {"valid": True, "data": {"name": ""}},
    {"valid": False, "data": {"age": 7}},
    {"valid": False, "data": {"name": 1}},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tokenizer of Phi's kind with 256 bytes, a few pieces and an end token."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    pieces += [*'abcdefghijklmnopqrstuvwxyz0123456789"{}:,.-@', "\u2581", "na", "me", "name"]
    model = {
        "type": "BPE",
        "unk_token": "<unk>",
        "fuse_unk": True,
        "byte_fallback": True,
        "vocab": {piece: token for token, piece in enumerate(pieces)},
        "merges": ["n a", "m e", "na me"],
    }
    end = {"id": len(pieces), "content": "<|endoftext|>", "special": True}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    prepend = {"type": "Prepend", "prepend": "\u2581"}
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
    decoders = [
        {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0},
    ]
    specials = [{"id": token, "content": pieces[token], "special": True} for token in range(3)]
    text = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [token | flags for token in (*specials, end)],
        "normalizer": {"type": "Sequence", "normalizers": [prepend, replace]},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": model,
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(text), encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": "<|endoftext|>"}', encoding="utf-8")
    return tmp_path


def test_texts_become_the_tokens_of_a_continuation(folder: Path) -> None:
    encoder = workloads.Encoder(folder)
    spellings = [encoder.tokenizer.token_bytes[token] for token in encoder.encode('{"name": "Zoë"}')]
    assert b"".join(spelling or b"" for spelling in spellings) == '{"name": "Zoë"}'.encode()
    assert b"name" in spellings
    with pytest.raises(ValueError, match="spell"):
        encoder.encode("<|endoftext|>")


def test_code_lists_are_different_strings_and_the_same_each_time() -> None:
    assert len(set(workloads.codes(2000))) == 2000
    assert workloads.codes(2000) == workloads.codes(2000)


def test_the_harness_reports_right_verdicts_for_the_engine(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = folder / "tiny.jsonl.gz", folder / "out"
    refused = {"id": "refused", "schema": {"type": "no such type"}, "tests": []}
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        for record in ({"id": "person", "schema": SCHEMA, "tests": TESTS}, refused):
            lines.write(json.dumps(record) + "\n")
    width = workloads.Encoder(folder).tokenizer.width
    options = [
        "--engines",
        "constrain",
        "--parts",
        "maskbench",
        "--tokenizer",
        str(folder),
        "--width",
        str(width),
    ]
    assert (
        masks.main([*options, "--maskbench", str(path), "--repeats", "2", "--worst", "2", "--out", str(out)])
        == 0
    )
    person, other = report.read(out / "maskbench.jsonl")
    assert (person["status"], person["wrong"]) == ("ok", [])
    assert [len(steps) for steps in person["steps"]][:2] == [
        len(workloads.Encoder(folder).encode(json.dumps(test["data"], ensure_ascii=False)))
        for test in TESTS[:2]
    ]
    assert other["status"] == "refused"
    assert "| constrain | 2 | 1 | 1 | 0 | 0 | 0 | 0 | 0 |" in capsys.readouterr().out


def test_a_process_that_takes_too_long_is_replaced(folder: Path) -> None:
    encoder = workloads.Encoder(folder)
    cases = [workloads.Case(encoder.encode("yes"), True), workloads.Case(encoder.encode("maybe"), False)]
    tasks = [workloads.Task(f"limit {limit}", "choice", ["yes", "no"], cases, limit) for limit in (0.0, 60.0)]
    masks.write_tasks(folder / "tasks.jsonl", encoder, tasks)
    first, second = masks.run_tasks(["constrain"], tasks, folder / "tasks.jsonl", folder, None, fresh=False)
    assert first["status"] == "timed out"
    assert (second["status"], second["wrong"]) == ("ok", [])


def test_repeated_runs_keep_the_least_time_of_each_step() -> None:
    def record(*steps: int) -> dict[str, object]:
        times = {"ttfm_ns": steps[0], "compile_ns": steps[1], "set_up_ns": 1}
        return {"task": "a", "engine": "e", "status": "ok", "steps": [list(steps)], "wrong": [], **times}

    assert masks.least([[record(3, 9)], [record(5, 4)]])[0]["steps"] == [[3, 4]]


def test_figures_are_percentiles_in_microseconds() -> None:
    figures = dict(zip(report.COLUMNS, report.summary(list(range(0, 101_000, 1000))), strict=True))
    assert (figures["avg"], figures["p25"], figures["p50"], figures["p90"], figures["max"]) == (
        50,
        25,
        50,
        90,
        100,
    )


def test_the_text_of_the_tool_calls_is_one_of_its_request():
    import constrain

    for number in (0, 3):
        expr = constrain.structural_tags(tool_calls.request(3, number))
        assert expr.matches(tool_calls.text(3, number)) and not expr.matches(tool_calls.text(4, number))
