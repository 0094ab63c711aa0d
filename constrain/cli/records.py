"""Floor 8: the texts of an extraction job, from text files and JSONL.

A record's `source` (`notes.jsonl:17`, or the file's path) is its name for good: a resumed job knows by it what is done.
A line that cannot be read becomes a record with an error, and the job goes on. Held by tests/test_cli.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConstrainError

__all__ = ["InputRecord", "input_files", "read_records"]

LINE_SUFFIXES = (".jsonl", ".ndjson")


@dataclass(frozen=True)
class InputRecord:
    """A text to work on, or the reason why there is none."""

    id: Any
    source: str
    text: str = ""
    error: str | None = None


def input_files(paths: Sequence[str]) -> list[Path]:
    """The files to read, folders replaced by the text and JSONL files in them; each once."""
    files: list[Path] = []
    for name in paths:
        path = Path(os.path.normpath(name))
        if path.is_dir():
            inside = sorted(
                entry for entry in path.iterdir() if entry.suffix in (".txt", ".md", *LINE_SUFFIXES)
            )
            if not inside:
                raise ConstrainError(f"no .txt, .md, .jsonl or .ndjson files in folder {name!r}")
            files += inside
        elif path.exists():
            files.append(path)
        else:
            raise ConstrainError(f"no input file {name!r}")
    return list(dict.fromkeys(files))


def read_records(files: Sequence[Path], text_field: str, id_field: str) -> Iterator[InputRecord]:
    """The records of the files, in order."""
    for path in files:
        if path.suffix in LINE_SUFFIXES:
            yield from _read_lines(path, text_field, id_field)
        else:
            yield _read_text(path)


def _read_text(path: Path) -> InputRecord:
    source = str(path)
    try:
        return InputRecord(id=source, source=source, text=path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return InputRecord(
            id=source,
            source=source,
            error=f"{source!r} is not UTF-8 text: {error.reason} at byte {error.start}",
        )
    except OSError as error:
        return InputRecord(
            id=source, source=source, error=f"cannot read {source!r}: {error.strerror or error}"
        )


def _read_lines(path: Path, text_field: str, id_field: str) -> Iterator[InputRecord]:
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _read_line(
                        line, f"{path}:{number}", f"line {number} of {str(path)!r}", text_field, id_field
                    )
    except OSError as error:
        raise ConstrainError(f"cannot read {str(path)!r}: {error.strerror or error}") from None


def _read_line(line: bytes, source: str, where: str, text_field: str, id_field: str) -> InputRecord:
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        return InputRecord(source, source, error=f"{where} is not JSON: {error.msg} at column {error.colno}")
    except (UnicodeDecodeError, RecursionError) as error:
        return InputRecord(source, source, error=f"{where} is not JSON: {error}")
    if isinstance(value, str):
        return InputRecord(source, source, text=value)
    if not isinstance(value, dict):
        return InputRecord(
            source, source, error=f"{where} holds {type(value).__name__}, expected an object or a string"
        )
    name = value.get(id_field, source)
    if not isinstance(value.get(text_field), str):
        return InputRecord(
            name, source, error=f"{where} has no text in {text_field!r} (--text-field names another)"
        )
    return InputRecord(name, source, text=value[text_field])
