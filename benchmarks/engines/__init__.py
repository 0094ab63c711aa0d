"""One small adapter per engine, all with the same four names, so that the harness never asks which engine
it drives.

An adapter compiles a task and hands back a cursor. `Cursor.fill` computes the next mask into the engine's
own pre-allocated buffer, whichever kind that engine is fastest with; `Engine.words` is the same memory as
packed words, 32 tokens each. `Cursor.accept` consumes one token. Invariant: an adapter adds no work of its
own to a step beyond the engine's call. Held by tests/test_benchmarks.py.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

MODULES = {
    "constrain": "benchmarks.engines.constrain_adapter",
    "llguidance": "benchmarks.engines.llguidance_adapter",
    "xgrammar": "benchmarks.engines.xgrammar_adapter",
    "outlines-core": "benchmarks.engines.outlines_core_adapter",
}


class Refused(Exception):
    """The engine declined the task with an error of its own; the message is the engine's."""


@dataclass(frozen=True)
class Tokenizer:
    """A run's vocabulary: its folder, the width of the logits, the end token's id, each token's bytes."""

    folder: Path
    width: int
    end_id: int
    token_bytes: list[bytes | None]


class Cursor(Protocol):
    """One request in flight."""

    fill: Callable[[], object]
    accept: Callable[[int], object]

    def reset(self) -> None:
        """Return to the beginning of the text, keeping what the engine has learnt."""

    def error(self) -> str:
        """The engine's message if it broke down while stepping, else ''."""


class Engine(Protocol):
    """An engine set up for one vocabulary."""

    words: memoryview

    def compile(self, kind: str, source: Any) -> Cursor:
        """Compile a json_schema, regex, choice, structural_tag or lark (a dict of grammar and lexer) and start a cursor; raise Refused if declined."""


def load(name: str, tokenizer: Tokenizer) -> Engine:
    """Import the adapter called `name` and set it up for `tokenizer`."""
    if name not in MODULES:
        raise ValueError(f"unknown engine {name!r}: known are {', '.join(MODULES)}")
    engine: Engine = importlib.import_module(MODULES[name]).create(tokenizer)
    return engine
