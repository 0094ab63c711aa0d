"""xgrammar: a GrammarCompiler with its cache shared between tasks, one thread, free white space,
strict_mode off (the meaning that JSON Schema gives to a missing additionalProperties). Choices are a
grammar of alternatives.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import xgrammar
from transformers import PreTrainedTokenizerFast

from benchmarks.engines import Refused, Tokenizer


class XGrammarCursor:
    def __init__(self, matcher: xgrammar.GrammarMatcher, bitmask: Any) -> None:
        self._matcher = matcher
        self.fill = partial(matcher.fill_next_token_bitmask, bitmask)
        self.accept = matcher.accept_token

    def reset(self) -> None:
        self._matcher.reset()

    def error(self) -> str:
        return ""


class XGrammarEngine:
    def __init__(self, tokenizer: Tokenizer) -> None:
        fast = PreTrainedTokenizerFast(tokenizer_file=str(tokenizer.folder / "tokenizer.json"))
        info = xgrammar.TokenizerInfo.from_huggingface(
            fast, vocab_size=tokenizer.width, stop_token_ids=[tokenizer.end_id]
        )
        self._compiler = xgrammar.GrammarCompiler(info, max_threads=1)
        self._bitmask = xgrammar.allocate_token_bitmask(1, tokenizer.width)
        self.words = memoryview(self._bitmask.numpy()[0])

    def compile(self, kind: str, source: Any) -> XGrammarCursor:
        try:
            if kind == "json_schema":
                compiled = self._compiler.compile_json_schema(source, any_whitespace=True, strict_mode=False)
            elif kind == "regex":
                compiled = self._compiler.compile_regex(source)
            elif kind == "structural_tag":
                compiled = self._compiler.compile_structural_tag(json.dumps(_request(source)))
            else:
                alternatives = " | ".join(json.dumps(text, ensure_ascii=False) for text in source)
                compiled = self._compiler.compile_grammar(f"root ::= {alternatives}")
        except Exception as error:  # the binding raises errors of several unrelated types
            raise Refused(f"{type(error).__name__}: {error}") from error
        return XGrammarCursor(xgrammar.GrammarMatcher(compiled), self._bitmask)


def _request(source: dict[str, Any]) -> dict[str, Any]:
    """The older form with `structures` as the newer one."""
    tags = [
        {"type": "tag", "begin": t["begin"], "content": {"type": "json_schema", "json_schema": t["schema"]}, "end": t["end"]}
        for t in source["structures"]
    ]
    return {"type": "structural_tag", "format": {"type": "triggered_tags", "triggers": source["triggers"], "tags": tags}}


def create(tokenizer: Tokenizer) -> XGrammarEngine:
    return XGrammarEngine(tokenizer)
