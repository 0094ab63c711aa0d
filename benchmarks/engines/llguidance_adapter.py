"""llguidance: a grammar text, an LLMatcher, and the mask written through the address of a numpy row.

The address is taken once: `llguidance.numpy.fill_next_token_bitmask` looks it up again at each call, which
would cost about a microsecond a step that is not the engine's. Tried and found equal over MaskBench:
`json_slices()` for the tokenizer, and `deep_copy` of a fresh matcher for each text in place of `reset`. A
choice is one Lark terminal: `grammar_from("choice", ...)` panics at 70,000.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import numpy
from llguidance import LLMatcher, LLTokenizer, StructTag
from llguidance.numpy import allocate_token_bitmask

from benchmarks.engines import Refused, Tokenizer


class LLGuidanceCursor:
    def __init__(self, matcher: Any, row: numpy.ndarray[Any, Any]) -> None:
        self._matcher = matcher
        self.fill = partial(matcher.unsafe_compute_mask_ptr, row.ctypes.data, row.nbytes)
        self.accept = matcher.consume_token

    def reset(self) -> None:
        self._matcher.reset()

    def error(self) -> str:
        return str(self._matcher.get_error()) if self._matcher.is_error() else ""


class LLGuidanceEngine:
    def __init__(self, tokenizer: Tokenizer) -> None:
        text = (tokenizer.folder / "tokenizer.json").read_text(encoding="utf-8")
        self._tokenizer = LLTokenizer(text, n_vocab=tokenizer.width, eos_token=tokenizer.end_id)
        self._row = allocate_token_bitmask(1, tokenizer.width)[0]
        self.words = memoryview(self._row)

    def compile(self, kind: str, source: Any) -> LLGuidanceCursor:
        try:
            if kind == "json_schema":
                grammar = LLMatcher.grammar_from_json_schema(source)
            elif kind == "regex":
                grammar = LLMatcher.grammar_from_regex(source)
            elif kind == "structural_tag":
                grammar = StructTag.to_grammar([_tag(tag, source) for tag in source["structures"]], assume_special=False)
            elif kind == "lark":
                grammar = LLMatcher.grammar_from_lark(source["grammar"])
            else:
                alternatives = " | ".join(json.dumps(text, ensure_ascii=False) for text in source)
                grammar = LLMatcher.grammar_from_lark(f"start: CHOICE\nCHOICE: {alternatives}")
            matcher = LLMatcher(self._tokenizer, grammar, log_level=0)
        except ValueError as error:
            raise Refused(str(error)) from error
        if matcher.is_error():
            raise Refused(matcher.get_error())
        return LLGuidanceCursor(matcher, self._row)


def _tag(tag: dict[str, Any], source: dict[str, Any]) -> StructTag:
    trigger = next(t for t in source["triggers"] if tag["begin"].startswith(t))
    return StructTag(trigger=trigger, begin=tag["begin"], grammar=tag["schema"], end=tag["end"])


def create(tokenizer: Tokenizer) -> LLGuidanceEngine:
    return LLGuidanceEngine(tokenizer)
