"""Floor 8: the output of a long job, one JSON record a line, which survives being killed.

What is kept true: the file holds whole lines only, each record's `source` at most once. A half-written last line (the
process was killed, the disk was full) is cut off on opening, and its record is done again; nothing else is. A failed
write is undone, so that it may be tried again. The file is locked, so two jobs cannot write it at once.
Held by tests/test_cli.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import ConstrainError

__all__ = ["Journal", "OutputError"]

Record = dict[str, Any]


class OutputError(ConstrainError):
    """The output cannot be written now: the disk is full, say. What was written stands."""


class Journal:
    """An append-only file of records with a `source`; `done` maps the sources in it to whether they failed."""

    def __init__(self, path: Path, *, overwrite: bool = False, retry_errors: bool = False) -> None:
        self.path = path
        self.done: dict[str, bool] = {}
        self.num_repaired_bytes = 0
        self._file = self._open()
        try:
            self._lock()
            self._end = self._read(overwrite)
            if retry_errors and any(self.done.values()):
                self._drop_errors()
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            os.fsync(self._file)
        except OSError:
            pass  # a pipe or a device has nothing to sync
        finally:
            os.close(self._file)

    # ------------------------------------------------------------ writing

    def append(self, record: Record) -> None:
        """Writes a record's line, or nothing of it."""
        try:
            self._write(_line(record))
        except OSError as error:
            os.ftruncate(self._file, self._end)
            raise OutputError(
                f"cannot write {str(self.path)!r}: {error.strerror or error}; it holds {len(self.done)} whole records, "
                "and the same command goes on from there"
            ) from error
        self.done[record["source"]] = "error" in record

    def _write(self, data: bytes) -> None:
        offset = 0
        while offset < len(data):
            offset += os.write(self._file, data[offset:])
        self._end += len(data)

    # ------------------------------------------------------------ opening

    def _open(self) -> int:
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise ConstrainError(
                f"cannot open {str(self.path)!r} for writing: {error.strerror or error}"
            ) from None

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # not on this system: two jobs on one file are the user's care there
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConstrainError(f"another process is writing {str(self.path)!r}") from None

    def _read(self, overwrite: bool) -> int:
        """Reads what is there and cuts off a half-written last line; returns the offset to write at."""
        end = 0
        if not overwrite:
            for number, line in enumerate(self._lines(), start=1):
                if not line.endswith(b"\n"):
                    self.num_repaired_bytes = len(line)
                    break
                record = self._parse(line, number)
                self.done[record["source"]] = "error" in record
                end += len(line)
        os.ftruncate(self._file, end)
        os.lseek(self._file, end, os.SEEK_SET)
        return end

    def _lines(self) -> Iterator[bytes]:
        with open(self.path, "rb") as file:
            yield from file

    def _parse(self, line: bytes, number: int) -> Record:
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict) or not isinstance(record.get("source"), str):
            raise ConstrainError(
                f"line {number} of {str(self.path)!r} is not a record of this command; choose another --output, or "
                "--overwrite the file"
            )
        return record

    def records(self) -> Iterator[tuple[int, Record]]:
        """The records in the file, with their line numbers."""
        for number, line in enumerate(self._lines(), start=1):
            yield number, self._parse(line, number)

    def _drop_errors(self) -> None:
        """Takes the failed records out, by way of a new file that replaces the old one when it is whole."""
        kept = [record for _, record in self.records() if "error" not in record]
        data = b"".join(_line(record) for record in kept)
        temporary = self.path.with_name(self.path.name + ".partial")
        try:
            temporary.write_bytes(data)
            os.replace(temporary, self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise OutputError(f"cannot rewrite {str(self.path)!r}: {error.strerror or error}") from error
        os.close(self._file)
        self._file = self._open()
        self._lock()
        self._end = os.lseek(self._file, 0, os.SEEK_END)
        self.done = {record["source"]: False for record in kept}


def _line(record: Record) -> bytes:
    text = json.dumps(record, ensure_ascii=False)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can hold and UTF-8 cannot
        return json.dumps(record).encode() + b"\n"
