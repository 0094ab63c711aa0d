"""constrain, through its public names only."""

from __future__ import annotations

from functools import partial
from typing import Any

import constrain
from benchmarks.engines import Refused, Tokenizer


class ConstrainCursor:
    def __init__(self, matcher: Any, bitmask: Any) -> None:
        self._matcher = matcher
        self.fill = partial(matcher.fill_next_token_bitmask, bitmask)
        self.accept = matcher.accept_token

    def reset(self) -> None:
        self._matcher.reset()

    def error(self) -> str:
        return ""


class ConstrainEngine:
    def __init__(self, tokenizer: Tokenizer) -> None:
        self._vocabulary = constrain.Vocabulary.from_tokenizer(str(tokenizer.folder), size=tokenizer.width)
        self._bitmask = constrain.allocate_token_bitmask(1, self._vocabulary.size)
        self.words = memoryview(self._bitmask[0])

    def compile(self, kind: str, source: Any) -> ConstrainCursor:
        front_end = {
            "json_schema": constrain.json_schema,
            "regex": constrain.regex,
            "choice": constrain.choice,
            "structural_tag": constrain.structural_tags,
            "lark": lambda grammar: constrain.lark(grammar["grammar"], lexer=grammar["lexer"]),
        }[kind]
        try:
            constraint = constrain.compile(front_end(source), self._vocabulary)
        except constrain.ConstrainError as error:
            raise Refused(f"{type(error).__name__}: {error}") from error
        return ConstrainCursor(constraint.matcher(start="continue"), self._bitmask)


def create(tokenizer: Tokenizer) -> ConstrainEngine:
    return ConstrainEngine(tokenizer)
