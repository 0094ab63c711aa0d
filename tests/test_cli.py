"""The command line as users meet it: answers, exit codes, messages; jobs that are killed, cut off and resumed."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from constrain.__main__ import main
from constrain.cli.journal import Journal
from constrain.errors import ConstrainError, LimitExceeded
from constrain.frontends.json_schema import SchemaReport
from tests import scripted_job
from tests.conftest import ROOT

SCHEMA = json.dumps({
    "type": "object", "properties": {"kind": {"enum": ["invoice", "order"]}, "count": {"type": "integer", "minimum": 0, "maximum": 99}},
    "required": ["kind", "count"], "additionalProperties": False,
})  # fmt: skip


@pytest.fixture
def job(tmp_path, monkeypatch):
    """A folder with inputs; returns (folder, run) where run(*more) is `constrain extract` there with a scripted model."""
    monkeypatch.setattr(scripted_job, "DELAY", 0.0)
    (tmp_path / "a.txt").write_text("An invoice for 3 lamps.")
    lines = [json.dumps({"id": f"r{i}", "text": f"order no. {i}"}) for i in range(1, 6)]
    (tmp_path / "b.jsonl").write_text("\n".join(lines) + "\n")
    monkeypatch.chdir(tmp_path)

    def run(*more, schema=SCHEMA, inputs=("a.txt", "b.jsonl")):
        return scripted_job.run(["extract", "--schema", schema, "--input", *inputs, *more])

    return tmp_path, run


def records(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


# ---------------------------------------------------------------- extract


def test_extract_writes_an_object_for_every_text(job, capsys):
    _, run = job
    assert run("--output", "o.jsonl") == 0
    found = records("o.jsonl")
    assert [record["source"] for record in found] == ["a.txt", *(f"b.jsonl:{i}" for i in range(1, 6))]
    assert [record["id"] for record in found] == ["a.txt", *(f"r{i}" for i in range(1, 6))]
    assert all(set(record["object"]) == {"kind", "count"} for record in found)
    assert "6 of 6 texts extracted to 'o.jsonl'" in capsys.readouterr().err


def test_extract_to_standard_output_and_from_a_folder(job, capsys):
    folder, run = job
    assert run(inputs=[str(folder)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 6


def test_a_second_run_has_nothing_to_do(job, capsys):
    _, run = job
    run("--output", "o.jsonl")
    before = Path("o.jsonl").read_bytes()
    assert run("--output", "o.jsonl") == 0
    assert Path("o.jsonl").read_bytes() == before
    assert "0 of 0 texts extracted to 'o.jsonl', 6 were there already" in capsys.readouterr().err


def test_errors_by_line_are_records_and_the_rest_is_done(job, capsys):
    _, run = job
    Path("c.jsonl").write_text('{"text": "x"}\n{oops\n\n"plain"\n7\n{"txt": 1}\n{"id": 5, "text": "y"}\n')
    Path("d.txt").write_bytes(b"caf\xe9")
    assert run("--output", "o.jsonl", inputs=["c.jsonl", "d.txt"]) == 1
    found = {record["source"]: record for record in records("o.jsonl")}
    assert [source for source in found if "object" in found[source]] == [
        "c.jsonl:1",
        "c.jsonl:4",
        "c.jsonl:7",
    ]
    assert found["c.jsonl:7"]["id"] == 5
    assert "line 2 of 'c.jsonl' is not JSON" in found["c.jsonl:2"]["error"]
    assert "expected an object or a string" in found["c.jsonl:5"]["error"]
    assert "has no text in 'text'" in found["c.jsonl:6"]["error"]
    assert "'d.txt' is not UTF-8 text" in found["d.txt"]["error"]
    shown = capsys.readouterr().err
    assert "3 of 7 texts extracted" in shown
    assert "failed: c.jsonl:2: line 2 of 'c.jsonl' is not JSON" in shown


def test_failed_texts_are_done_again_only_when_asked(job, capsys):
    _, run = job
    Path("c.jsonl").write_text('{"text": "x"}\n{oops\n')
    assert run("--output", "o.jsonl", inputs=["c.jsonl"]) == 1
    Path("c.jsonl").write_text('{"text": "x"}\n{"text": "fine now"}\n')
    assert run("--output", "o.jsonl", inputs=["c.jsonl"]) == 1
    assert "1 texts failed in an earlier run; --retry-errors" in capsys.readouterr().err
    assert run("--output", "o.jsonl", "--retry-errors", inputs=["c.jsonl"]) == 0
    assert [record["source"] for record in records("o.jsonl")] == ["c.jsonl:1", "c.jsonl:2"]


def test_an_answer_that_does_not_fit_is_an_error_record(job):
    _, run = job
    assert run("--output", "o.jsonl", "--max-tokens", "4") == 1
    assert all("max_tokens 4" in record["error"] for record in records("o.jsonl"))


def test_half_a_record_is_cut_off_and_done_again(job, capsys):
    _, run = job
    run("--output", "o.jsonl")
    whole = Path("o.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    for cut in (1, len(lines[3]) - 1, len(lines[3]) // 2):
        Path("o.jsonl").write_bytes(b"".join(lines[:3]) + lines[3][:cut])
        assert run("--output", "o.jsonl") == 0
        assert Path("o.jsonl").read_bytes() == whole
        assert "ended in half a record" in capsys.readouterr().err


def test_objects_of_another_schema_are_noticed(job, capsys):
    _, run = job
    run("--output", "o.jsonl")
    run("--output", "o.jsonl", schema='{"type":"integer"}')
    assert "6 of 6 objects in 'o.jsonl' (first: line 1) do not fit this schema" in capsys.readouterr().err
    assert run("--output", "o.jsonl", "--overwrite", schema='{"type":"integer","minimum":0,"maximum":9}') == 0
    assert all(isinstance(record["object"], int) for record in records("o.jsonl"))


def test_other_files_are_not_taken_for_output(job, capsys):
    _, run = job
    before = Path("b.jsonl").read_bytes()
    assert run("--output", "b.jsonl") == 2
    assert "is also an input" in capsys.readouterr().err
    Path("notes.md").write_text("# mine\n")
    assert run("--output", "notes.md") == 2
    assert "line 1 of 'notes.md' is not a record of this command" in capsys.readouterr().err
    assert run("--output", "no/such/folder/o.jsonl") == 2
    assert "cannot open 'no/such/folder/o.jsonl'" in capsys.readouterr().err
    assert (Path("b.jsonl").read_bytes(), Path("notes.md").read_text()) == (before, "# mine\n")


def test_two_jobs_cannot_write_one_file(tmp_path):
    with Journal(tmp_path / "o.jsonl"), pytest.raises(ConstrainError, match="another process is writing"):
        Journal(tmp_path / "o.jsonl")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--schema", "{", "--input", "a.txt"], "--schema is not JSON: Expecting property name"),
        (["--schema", "none.json", "--input", "a.txt"], "cannot read 'none.json'"),
        (["--schema", '{"type":"stsring"}', "--input", "a.txt"], "stsring"),
        (["--schema", SCHEMA, "--input", "none.txt"], "no input file 'none.txt'"),
        (["--schema", SCHEMA, "--input", "a.txt", "--batch-size", "0"], "--batch-size is 0"),
        (["--schema", SCHEMA, "--input", "a.txt", "--top-p", "7"], "top_p is 7.0"),
        (["--schema", SCHEMA, "--input", "a.txt", "--max-tokens", "0"], "--max-tokens is 0"),
    ],
)
def test_bad_jobs_are_refused_before_a_model_is_loaded(job, capsys, arguments, message):
    assert main(["extract", *arguments]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown


# ---------------------------------------------------------------- killed and cut off

BIG = 300


def big_job(folder):
    """A job's command line over many records, in a process of its own."""
    lines = [json.dumps({"id": i, "text": f"{i} things"}) for i in range(BIG)]
    (folder / "in.jsonl").write_text("\n".join(lines) + "\n")
    return [
        sys.executable, "-m", "tests.scripted_job", "extract", "--schema", SCHEMA, "--input", str(folder / "in.jsonl"),
        "--output", str(folder / "o.jsonl"), "--batch-size", "3",
    ]  # fmt: skip


def environment():
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def test_a_job_killed_many_times_loses_and_repeats_nothing(tmp_path):
    command = big_job(tmp_path)
    output = tmp_path / "o.jsonl"
    rng = random.Random(5)
    kills = 0
    while kills < 6:
        before = output.stat().st_size if output.exists() else 0
        process = subprocess.Popen(command, env=environment(), cwd=ROOT, stderr=subprocess.DEVNULL)
        while process.poll() is None and (not output.exists() or output.stat().st_size <= before):
            time.sleep(0.005)
        time.sleep(rng.random() * 0.03)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        if output.read_bytes().count(b"\n") == BIG:
            break
    done = subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert kills >= 3
    assert sorted(record["id"] for record in records(output)) == list(range(BIG))


def test_a_full_disk_is_named_and_the_job_resumes(tmp_path):
    command = big_job(tmp_path)
    limit = 10_000

    def full_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    run = {"env": environment(), "cwd": ROOT, "capture_output": True, "text": True, "check": False}
    done = subprocess.run(command, preexec_fn=full_disk, **run)
    assert done.returncode == 1
    assert f"cannot write {str(tmp_path / 'o.jsonl')!r}: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    written = len(records(tmp_path / "o.jsonl"))
    assert 50 < written < BIG
    done = subprocess.run(command, **run)
    assert done.returncode == 0, done.stderr
    assert f"{BIG - written} of {BIG - written} texts extracted" in done.stderr
    assert sorted(record["id"] for record in records(tmp_path / "o.jsonl")) == list(range(BIG))


# ---------------------------------------------------------------- check


@pytest.mark.parametrize(
    ("arguments", "code", "shown"),
    [
        (["--regex", "[0-9]{4}", "2024"], 0, "matches\n"),
        (["--regex", "[0-9]{4}", "20x4"], 1, "'x' stands at offset 2"),
        (["--regex", "[0-9]{4}", "20"], 1, "the text ends at offset 2"),
        (["--choice", "yes", "--choice", "no", "no"], 0, "matches\n"),
        (["--choice", "yes", "--choice", "no", "nope"], 1, "offset 2"),
        (["--schema", SCHEMA, '{"kind": "order", "count": 3}'], 0, "matches\n"),
        (["--schema", SCHEMA, '{"kind": "orders", "count": 3}'], 1, "offset 15"),
        (["--schema", SCHEMA], 0, "the constraint is in order"),
        (["--schema", SCHEMA, "--whitespace", "compact", '{"kind": "order"}'], 1, "offset 8"),
        (["--quiet", "--regex", "a", "b"], 1, ""),
    ],
)
def test_check(capsys, arguments, code, shown):
    assert main(["check", *arguments]) == code
    out = capsys.readouterr().out
    assert shown in out if shown else out == ""


REPORTS = [
    ('{"type":"integer","title":"t"}', 0, ["exact       #/type", "annotation  #/title", "exact: 1, annotations: 1, refused: 0; the schema is carried out exactly"]),
    (r'{"properties":{"a":{"pattern":"(a)\\1"}},"then":{}}', 1, [
        "annotation  #/then: says nothing without 'if'", "refused     #/properties/a/pattern: 'pattern' with back-reference is not supported",
        "refused: 1; as a whole the schema is refused",
    ]),
    ('{"type":"number","minimum":3,"maximum":2}', 1, ["refused: 0; json schema: nothing satisfies it: 'minimum' 3 and 'maximum' 2"]),
    ('{"allOf":[{"$ref":"http://example.org/a"},{"$ref":"b.json"}]}', 1, [
        "refused     #/allOf/0/$ref: '$ref' to 'http://example.org/a'", "refused     #/allOf/1/$ref: '$ref' to 'b.json'",
    ]),
    ("false", 1, ["nothing satisfies it"]),
    ("true", 0, ["exact: 0"]),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "code", "shown"), REPORTS, ids=[schema for schema, _, _ in REPORTS])
def test_check_reports_what_becomes_of_each_keyword(capsys, schema, code, shown):
    assert main(["check", "--report", "--schema", schema]) == code
    out = capsys.readouterr().out
    assert [words for words in shown if words not in out] == []
    assert main(["check", "--report", "--quiet", "--schema", schema]) == code
    assert capsys.readouterr().out == ""


def test_a_report_on_a_terminal_is_a_table(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    long = "a" * 90
    schema = {"properties": {long: {"format": "zip"}, "[bold]": {"type": "null"}}}
    assert main(["check", "--report", "--schema", json.dumps(schema)]) == 0
    out = capsys.readouterr().out
    assert "keyword" in out and "[bold]" in out
    assert out.count("a" * 10) >= 3  # the place is folded, not cut


def report(schema, **options):
    found = SchemaReport.of(schema, **options)
    return found, dict(found.reasons)


def test_reports_say_why_a_keyword_means_nothing():
    old = "http://json-schema.org/draft-07/schema#"
    definitions = {"a": {"type": "integer", "prefixItems": [{"x": 1}]}, "b": {"uniqueItems": True}}
    found, why = report({"$schema": old, "$ref": "#/definitions/a", "type": "string", "definitions": definitions})
    assert why == {
        "#/type": "ignored beside '$ref' in draft 7",
        "#/definitions/a/prefixItems": "not a keyword of draft 7",
        "#/definitions/b/uniqueItems": "nothing refers to it",
    }
    assert found and "#/definitions/a/type" in found.exact
    _, why = report({"minContains": 2, "additionalItems": False, "format": "zip", "x-mine": {"type": 5}})
    assert set(why) == {"#/minContains", "#/additionalItems", "#/format"}
    _, why = report({"$schema": "http://json-schema.org/draft-04/schema#", "if": {"x": 1}, "then": {}, "const": 3})
    assert set(why) == {"#/if", "#/then", "#/const"}
    _, why = report({"type": "string", "format": "date"}, formats="annotate")
    assert why == {"#/format": "formats are annotations here"}
    found, _ = report({"$ref": "#/$defs/a/properties/b", "$defs": {"a": {"properties": {"b": {"type": "null"}}}}})
    assert "#/$defs/a/properties/b/type" in found.exact


def test_reports_on_what_cannot_be_read(capsys):
    assert main(["check", "--report", "--schema", '{"type":"nope"}']) == 2
    assert "'type' at # is 'nope'" in capsys.readouterr().err
    deep = {"type": "null"}
    for _ in range(3000):
        deep = {"not": deep}
    with pytest.raises(LimitExceeded, match="depth"):
        SchemaReport.of(deep)


def test_check_reads_files_and_standard_input(tmp_path, capsys, monkeypatch):
    (tmp_path / "t.txt").write_text("ab")
    (tmp_path / "c.txt").write_text("ab\ncd\n")
    assert main(["check", "--choices", str(tmp_path / "c.txt"), "--file", str(tmp_path / "t.txt")]) == 0
    done = subprocess.run(
        [sys.executable, "-m", "constrain", "check", "--regex", "a+", "-"], input=b"aaa", capture_output=True, cwd=ROOT,
        env=environment(), check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"matches\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "--regex", "a(b"], "offset"),
        (["check", "--regex", "a", "x", "--file", "y"], "two texts"),
        (["check", "--regex", "a", "--file", "none"], "cannot read 'none'"),
        (["check", "--choices", "none", "x"], "cannot read 'none'"),
        (["check", "--regex", "a", "--report"], "--report goes with --schema"),
        (["check", "--schema", SCHEMA, "--report", "x"], "expected no text"),
        (["check", "--regex", "a", "--whitespace", "compact", "x"], "--whitespace goes with --schema"),
        (["check", "--schema", SCHEMA, "--whitespace", "lots", "x"], "lots"),
        (["generate", "--raw", "--system", "s", "p"], "--raw"),
        (["explain", "--regex", "a", "--vocabulary", "/none/tokenizer.json", "a"], "/none/tokenizer.json"),
    ],
)
def test_wrong_commands_get_a_line_and_exit_code_2(capsys, arguments, message):
    assert main(arguments) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("constrain: ")
    assert message in shown


def test_usage_errors_exit_with_2(capsys):
    for arguments in (["check", "x"], ["check", "--regex", "a", "--choice", "b"], ["no-such-command"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
    assert main([]) == 2


# ---------------------------------------------------------------- generate and explain


def test_generate_writes_the_answer(capsys):
    assert scripted_job.run(["generate", "--regex", "[a-z]{3}-[0-9]{2}", "--stats", "a code, please"]) == 0
    captured = capsys.readouterr()
    word, number = captured.out.strip().split("-")
    assert (len(word), len(number)) == (3, 2)
    assert "6 tokens (5 sampled, 1 forced) in 5 passes" in captured.err
    assert scripted_job.run(["generate", "--regex", "[a-z]{30}", "--max-tokens", "4", "x"]) == 2
    assert "max_tokens 4 is not enough: the shortest answer takes 30 tokens" in capsys.readouterr().err


def test_explain_shows_states_masks_and_forced_text(capsys, tmp_path):
    pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    pytest.importorskip("torch", reason="torch is not installed")
    from tests import tiny_phi

    tiny_phi.write_tokenizer(tmp_path)
    explain = ["explain", "--vocabulary", str(tmp_path), "--regex", "(yes|yet), [0-9]+"]
    assert main([*explain, "yes, 1"]) == 0
    shown = capsys.readouterr().out
    assert "forced  'ye'" in shown
    assert "forced  ', '" in shown or "forced  's, '" in shown or "' '" in shown
    assert shown.endswith("the text matches\n")
    assert main([*explain, "yes"]) == 1
    assert "more must follow" in capsys.readouterr().out
    assert main([*explain, "yex"]) == 1
    assert "is refused" in capsys.readouterr().out
    assert main(explain) == 0


# ---------------------------------------------------------------- start-up


def test_start_up_is_quick_and_brings_no_torch():
    code = (
        "import sys; from constrain.__main__ import main; main(['check', '--regex', 'a', 'a']);"
        "print([m for m in ('torch', 'transformers', 'rich', 'tokenizers') if m in sys.modules])"
    )
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment(), check=True
    )
    assert done.stdout == "matches\n[]\n"
    assert time.perf_counter() - started < 20.0  # measured 0.3 s
