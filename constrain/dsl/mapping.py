"""One program over many inputs: each in a thread of its own, their runs in common passes of the model.

A `Scheduler` takes the runs that programs ask for and writes them in one batch (decode.py), which a run joins when it comes
and leaves when it is done; whatever Python a program does meanwhile holds up nobody else. Invariants: a result is that of
the program run alone; the failure of one program ends none of the others; results come in the order of the inputs. A model
that writes given texts in order (`Mock`) runs one program after the other. Held by tests/test_map.py.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextvars import Context, copy_context
from itertools import islice
from typing import Any

from ..answer import Answer
from ..decode import decode_arriving
from ..errors import with_index
from ..generation import Generation
from ..matcher import Constraint
from .engine import Engine
from .places import ProgramError, program_place, user_place
from .state import Model, sink

__all__ = ["Scheduler", "map_program"]


class _Job:
    """A run that a program waits for."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.started = time.perf_counter()
        self.future: Future[Generation | None] = Future()  # None: nobody has taken it up

    def end(self) -> None:
        """Hands out the answer, or the error that it broke down with."""
        try:
            self.future.set_result(self.answer.generation(time.perf_counter() - self.started))
        except Exception as error:  # noqa: BLE001 - goes on in the program's thread
            self.future.set_exception(error)


class Scheduler:
    """Writes the runs of `num_programs` programs together, in the thread that calls `serve`."""

    def __init__(self, engine: Engine, max_batch: int, num_programs: int) -> None:
        self._lm = engine.lm
        self._max_batch = max_batch
        self._num_programs = num_programs
        self._inbox: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()  # None: a program has ended
        self._jobs: dict[int, _Job] = {}  # by the identity of the answers that are being written
        self._lock = threading.Lock()
        self._is_closed = False
        self._interruption: BaseException | None = None

    def run(self, prompt: Sequence[int], constraint: Constraint | None, options: dict[str, Any]) -> Generation | None:
        """The answer, once it is written; None where nobody serves any more."""
        job = _Job(self._lm.begin(prompt, constraint, **options))
        with self._lock:
            if self._interruption is not None:
                raise self._interruption
            if self._is_closed:
                return None
            self._inbox.put(job)
        return job.future.result()

    def end_program(self) -> None:
        """One program fewer to wait for."""
        self._inbox.put(None)

    def serve(self) -> None:
        """Writes what is asked for until the programs have ended."""
        while self._num_programs or self._jobs:
            try:
                for answer in decode_arriving(self._lm.backend, self._arrivals, self._max_batch):
                    if answer.finish_reason is not None and id(answer) in self._jobs:
                        self._jobs.pop(id(answer)).end()
            except Exception as error:  # noqa: BLE001 - a pass has failed: goes on in the threads of the programs in it
                self._fail(error)
            except BaseException as error:
                self._interruption = error
                self._close()
                raise
        self._close()

    def _arrivals(self, room: int, is_idle: bool) -> list[Answer]:
        taken: list[Answer] = []
        while len(taken) < room:
            try:
                job = self._inbox.get(block=is_idle and not taken and self._num_programs > 0)
            except queue.Empty:
                break
            if job is None:
                self._num_programs -= 1
            else:
                self._jobs[id(job.answer)] = job
                taken.append(job.answer)
        return taken

    def _fail(self, error: BaseException) -> None:
        for job in self._jobs.values():
            job.future.set_exception(_twin(error))
        self._jobs.clear()

    def _close(self) -> None:
        """Whoever comes now, from a thread that no program waits for, runs alone; after an interruption nobody does."""
        with self._lock:
            self._is_closed = True
        jobs = [*self._jobs.values(), *(self._inbox.get() for _ in range(self._inbox.qsize()))]
        for job in filter(None, jobs):
            if self._interruption is not None:
                job.future.set_exception(_twin(self._interruption))
            else:
                job.future.set_result(None)


def _twin(error: BaseException) -> BaseException:
    """The same error once more, for another thread to add to."""
    twin = type(error).__new__(type(error), *error.args)
    twin.__dict__.update(error.__dict__)
    return twin


def map_program(
    model: Model, program: Callable[..., Any], inputs: Iterable[Any], max_batch: int, errors: str
) -> list[Any]:
    """What `program` returns for each input; see `Model.map`."""
    if not callable(program):
        raise ProgramError(f"map: the program is a {type(program).__name__}, expected a function program(lm, item)")
    if not isinstance(max_batch, int) or isinstance(max_batch, bool) or max_batch < 1:
        raise ProgramError(f"map: max_batch is {max_batch!r}, expected a whole number from 1")
    if errors not in ("raise", "return"):
        raise ProgramError(f"map: errors is {errors!r}, expected 'raise' or 'return'")
    engine = model._engine
    work = _Work(model, program, list(inputs))
    if min(max_batch, engine.max_batch, len(work.inputs)) <= 1:
        work.run()
    elif engine.scheduler is not None:  # a map inside a map
        for thread in work.start(max_batch):
            thread.join()
    else:
        _serve(engine, work, max_batch)
    failed = [found for found in work.results if isinstance(found, _Failure)]
    if failed and (errors == "raise" or not isinstance(failed[0].error, Exception)):
        raise failed[0].error
    return [found.error if isinstance(found, _Failure) else found for found in work.results]


def _serve(engine: Engine, work: _Work, max_batch: int) -> None:
    with engine.lock:
        engine.scheduler = work.scheduler = Scheduler(engine, max_batch, len(work.inputs))
        try:
            threads = work.start(max_batch)
            engine.scheduler.serve()
        except BaseException:
            work.stop()
            raise
        finally:
            engine.scheduler = None
    for thread in threads:
        thread.join()


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Work:
    """The inputs, handed out one by one, and what became of each."""

    def __init__(self, model: Model, program: Callable[..., Any], inputs: list[Any]) -> None:
        self.inputs = inputs
        self.results: list[Any] = [None] * len(inputs)
        self._model = model
        self._program = program
        self._waiting = iter(range(len(inputs)))
        self._lock = threading.Lock()
        self._context = copy_context()
        self._context.run(program_place.set, user_place())
        self._context.run(sink.set, None)  # the pieces of many programs make no text
        self.scheduler: Scheduler | None = None

    def start(self, num_threads: int) -> list[threading.Thread]:
        """Threads that do it all."""
        count = min(num_threads, len(self.inputs))
        threads = [threading.Thread(target=self.run, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        return threads

    def stop(self) -> None:
        """No input is begun any more."""
        with self._lock:
            self._waiting = iter(range(0))

    def run(self) -> None:
        """Does one input after the other until none is left."""
        while True:
            with self._lock:
                following = list(islice(self._waiting, 1))
            if not following:
                return
            index = following[0]
            try:
                context: Context = self._context.copy()
                self.results[index] = context.run(self._result, self.inputs[index])
            except Exception as error:  # noqa: BLE001 - raised or returned by `map`
                self.results[index] = _Failure(with_index(error, index))
            except BaseException as error:  # noqa: BLE001
                self.results[index] = _Failure(error)
            finally:
                if self.scheduler is not None:
                    self.scheduler.end_program()

    def _result(self, item: Any) -> Any:
        if getattr(self._program, "is_part", False):  # made by @function
            return self._model + self._program(item)
        return self._program(self._model, item)
