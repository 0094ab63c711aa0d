"""outlines-core: a schema becomes a regex, a regex an Index over the vocabulary, and a Guide walks it."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

import numpy
from outlines_core import Guide, Index, Vocabulary
from outlines_core.json_schema import build_regex_from_schema

from benchmarks.engines import Refused, Tokenizer


class OutlinesCoreCursor:
    def __init__(self, guide: Guide, row: numpy.ndarray[Any, Any]) -> None:
        self._guide = guide
        self.fill = partial(guide.write_mask_into, row.ctypes.data, row.size, row.itemsize)

    def accept(self, token: int) -> bool:
        self._guide.advance(token, False)
        return True

    def reset(self) -> None:
        self._guide.reset()

    def error(self) -> str:
        return ""


class OutlinesCoreEngine:
    def __init__(self, tokenizer: Tokenizer) -> None:
        ids: dict[bytes, list[int]] = {}
        for token, spelling in enumerate(tokenizer.token_bytes):
            if spelling:
                ids.setdefault(spelling, []).append(token)
        self._vocabulary = Vocabulary(tokenizer.end_id, ids)
        self._row = numpy.full((tokenizer.width + 31) // 32, -1, dtype=numpy.int32)
        self.words = memoryview(self._row)

    def compile(self, kind: str, source: Any) -> OutlinesCoreCursor:
        try:
            if kind == "json_schema":
                pattern = build_regex_from_schema(json.dumps(source))
            elif kind == "regex":
                pattern = source
            else:
                pattern = "|".join(re.escape(text) for text in source)
            guide = Guide(Index(pattern, self._vocabulary))
        except Exception as error:  # the binding raises errors of several unrelated types
            raise Refused(f"{type(error).__name__}: {error}") from error
        return OutlinesCoreCursor(guide, self._row)


def create(tokenizer: Tokenizer) -> OutlinesCoreEngine:
    return OutlinesCoreEngine(tokenizer)
