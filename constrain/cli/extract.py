"""Floor 8: `constrain extract`, the main job: texts in, validated objects out as JSONL.

Everything that can be wrong is looked at before the model is loaded. Each text gives one line, an `object` or an
`error`; a failed text stops nothing. Run again after whatever stopped it, the command does what is left.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConstrainError
from .constraints import read_schema
from .journal import Journal
from .models import add_model_options, load_model, sampling_of
from .records import InputRecord, input_files, read_records

if TYPE_CHECKING:
    from ..expr import Expr
    from ..extraction import Extractor

__all__ = ["add_parser", "run"]

_NUM_ERRORS_SHOWN = 10


def add_parser(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser(
        "extract", help="read texts and fill in a JSON schema from each",
        description="Reads texts and writes the object that a JSON schema describes for each, as one JSON record a line: "
        '{"id", "source", "object"}, or "error" in place of "object". The same command resumes a job that was stopped.',
    )  # fmt: skip
    parser.add_argument(
        "--schema", metavar="S", required=True, help="the JSON schema: a file, or the JSON text itself"
    )
    parser.add_argument(
        "--input", metavar="F", required=True, nargs="+",
        help="text files, .jsonl files with a text in each line's 'text', or folders of them",
    )  # fmt: skip
    parser.add_argument(
        "--output", metavar="O", help="the file to write (default: standard output, without resuming)"
    )
    parser.add_argument(
        "--text-field", metavar="NAME", default="text", help="where a JSONL line has its text (text)"
    )
    parser.add_argument("--id-field", metavar="NAME", default="id", help="where a JSONL line has its id (id)")
    parser.add_argument("--batch-size", metavar="N", type=int, default=8, help="texts that are worked on at once (8)")
    parser.add_argument(
        "--overwrite", action="store_true", help="start afresh, whatever the output file holds"
    )
    parser.add_argument("--retry-errors", action="store_true", help="do the texts again that failed before")
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no summary")
    add_model_options(parser, max_tokens=1024)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Does the job; 0 when every text has its object, 1 when some failed."""
    if arguments.batch_size < 1:
        raise ConstrainError(f"--batch-size is {arguments.batch_size}, expected a number from 1")
    from ..frontends.json_schema import json_schema

    schema = read_schema(arguments.schema)
    expr = json_schema(schema, whitespace="compact", integers="plain")
    options = sampling_of(arguments)
    files = input_files(arguments.input)
    if arguments.output is None:
        return _Job(arguments, schema, options, files, {}).run(_print_record)
    output = Path(arguments.output)
    if any(output.exists() and os.path.samefile(output, file) for file in files):
        raise ConstrainError(f"--output {str(output)!r} is also an input")
    with Journal(output, overwrite=arguments.overwrite, retry_errors=arguments.retry_errors) as journal:
        _warn(journal, expr)
        return _Job(arguments, schema, options, files, journal.done).run(journal.append)


def _print_record(record: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _warn(journal: Journal, expr: Expr) -> None:
    """Says what was found in the output file that the user should know of."""
    if journal.num_repaired_bytes:
        _say(
            f"{str(journal.path)!r} ended in half a record ({journal.num_repaired_bytes} bytes); it is done again"
        )
    strangers = [
        number for number, record in journal.records()
        if "object" in record and not expr.matches(json.dumps(record["object"], separators=(",", ":"), ensure_ascii=False))
    ]  # fmt: skip
    if strangers:
        _say(
            f"warning: {len(strangers)} of {len(journal.done)} objects in {str(journal.path)!r} (first: line {strangers[0]}) "
            "do not fit this schema; --overwrite starts afresh"
        )


def _say(message: str) -> None:
    print(f"constrain extract: {message}", file=sys.stderr)


def _errors_before_a_text(taken: deque[InputRecord]) -> Iterator[ConstrainError]:
    """Those of the records at the front that have no text; each is taken away before the next is looked for."""
    while taken and (error := taken[0].error) is not None:
        yield ConstrainError(error)


class _Job:
    """One run over the inputs."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        schema: Any,
        options: dict[str, Any],
        files: list[Path],
        done: dict[str, bool],
    ) -> None:
        self._arguments = arguments
        self._schema = schema
        self._options = options
        self._files = files
        self._done = dict(done)
        self._failed: list[tuple[str, str]] = []

    def _records(self) -> Iterator[InputRecord]:
        return read_records(self._files, self._arguments.text_field, self._arguments.id_field)

    def run(self, write: Callable[[dict[str, Any]], None]) -> int:
        """Does what is not done yet, and says how it went."""
        sources = {record.source for record in self._records()}
        num_before = len(sources & self._done.keys())
        todo = (record for record in self._records() if record.source not in self._done)
        started = time.monotonic()
        if num_before < len(sources):
            with self._progress(len(sources), num_before) as advance:
                self._work(todo, write, advance)
        num_failed_before = sum(self._done.get(source, False) for source in sources)
        if not self._arguments.quiet:
            self._summarise(len(sources), num_before, num_failed_before, time.monotonic() - started)
        return 1 if self._failed or num_failed_before else 0

    def _work(
        self,
        todo: Iterator[InputRecord],
        write: Callable[[dict[str, Any]], None],
        advance: Callable[[int], None],
    ) -> None:
        taken: deque[InputRecord] = deque()
        objects = self._objects(todo, taken)
        for value in objects:
            record = taken.popleft()
            line: dict[str, Any] = {"id": record.id, "source": record.source}
            if isinstance(value, ConstrainError):
                self._failed.append((record.source, str(value)))
                line["error"] = str(value)
            else:
                line["object"] = value
            write(line)
            advance(1)

    def _objects(self, todo: Iterator[InputRecord], taken: deque[InputRecord]) -> Iterator[Any]:
        """An object or error for each record, in order; the model is loaded when the first text comes."""

        def texts() -> Iterator[str]:
            for record in todo:
                taken.append(record)
                if record.error is None:
                    yield record.text

        waiting = texts()
        first = next(waiting, None)
        found: Iterator[Any] = iter(())
        if first is not None:
            extractor = self._extractor()
            found = extractor.map(chain([first], waiting), max_batch=self._arguments.batch_size, **self._options)
        for value in found:
            yield from _errors_before_a_text(taken)
            yield value
        yield from _errors_before_a_text(taken)

    def _extractor(self) -> Extractor:
        from ..extraction import Extractor

        return Extractor(load_model(self._arguments), self._schema)

    @contextmanager
    def _progress(self, total: int, done: int) -> Iterator[Callable[[int], None]]:
        """A bar on a terminal, else nothing."""
        if self._arguments.quiet or not sys.stderr.isatty():
            yield lambda _: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("extracting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("extracting", total=total, completed=done)
            yield lambda count: progress.advance(task, count)

    def _summarise(self, total: int, num_before: int, num_failed_before: int, seconds: float) -> None:
        num_new = total - num_before
        target = repr(self._arguments.output) if self._arguments.output else "standard output"
        earlier = f", {num_before} were there already" if num_before else ""
        speed = f" in {seconds:.1f} s" if num_new else ""
        _say(f"{num_new - len(self._failed)} of {num_new} texts extracted to {target}{speed}{earlier}")
        for source, message in self._failed[:_NUM_ERRORS_SHOWN]:
            _say(f"failed: {source}: {message.splitlines()[0]}")
        if len(self._failed) > _NUM_ERRORS_SHOWN:
            _say(f"… and {len(self._failed) - _NUM_ERRORS_SHOWN} more; each has its 'error' in the output")
        if num_failed_before:
            _say(f"{num_failed_before} texts failed in an earlier run; --retry-errors does them again")
