"""Floor 7: from a text and a schema to a validated object, in one call.

The schema is the constraint of the answer, so what comes back parses and validates; a type gives an object of itself.
Held by tests/test_runner.py and tests/test_cli.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .errors import ConstrainError, LimitExceeded
from .frontends.json_schema import json_schema
from .frontends.json_schema.types import read_type
from .matcher import Constraint, compile
from .models.prompts import prompt

if TYPE_CHECKING:
    from .generate import Generation, LanguageModel

__all__ = ["Extractor", "extract"]

DEFAULT_MAX_TOKENS = 1024


def extract(lm: LanguageModel, text: str, schema: Any, **options: Any) -> Any:
    """The object of `schema` that `lm` finds in `text`.

    `schema`: a dict or JSON text, for plain data; or a type, for an object of that type: a pydantic model, a dataclass, a
    TypedDict, an Enum, an annotation such as `list[date]`, a `pydantic.TypeAdapter`. Options are those of `lm.generate`;
    `max_tokens` defaults to 1024. Raises ConstrainError for a bad schema and for an answer that a validator written in
    Python refuses, and LimitExceeded when the answer does not fit in `max_tokens`.
    """
    return Extractor(lm, schema).extract([text], **options)[0]


class Extractor:
    """A schema compiled for a model, for many texts; `extract` returns an object or an error for each text."""

    def __init__(self, lm: LanguageModel, schema: Any) -> None:
        self._lm = lm
        self._type = read_type(schema)
        self.constraint: Constraint = compile(json_schema(self._type.schema, whitespace="compact", integers="plain"), lm.vocabulary)
        plain = isinstance(schema, (dict, bool))  # what was read may hold decimals
        self._form = schema if plain else json.loads(json.dumps(self._type.schema, default=float))

    def extract(self, texts: Sequence[str], **options: Any) -> list[Any]:
        """The objects of the texts, found in common passes; the first error is raised."""
        found = self.try_extract(texts, **options)
        for one in found:
            if isinstance(one, ConstrainError):
                raise one
        return found

    def try_extract(self, texts: Sequence[str], **options: Any) -> list[Any]:
        """The objects of the texts, with the ConstrainError in the place of an object that failed."""
        options = {"max_tokens": DEFAULT_MAX_TOKENS} | options
        prompts = [self._prompt(text) for text in texts]
        try:
            answers = self._lm.generate_batch(prompts, self.constraint, **options)
        except ConstrainError as error:
            if len(texts) == 1:
                return [error]
            return [found for text in texts for found in self.try_extract([text], **options)]
        return [self._object(answer, options["max_tokens"]) for answer in answers]

    def map(self, texts: Iterable[str], *, max_batch: int = 8, **options: Any) -> Iterator[Any]:
        """The objects of any number of texts, in order, with the ConstrainError in the place of one that failed.

        Up to `max_batch` texts are worked on at once; a text is taken up as soon as another is done.
        """
        options = {"max_tokens": DEFAULT_MAX_TOKENS} | options
        prompts = map(self._prompt, texts)
        for answer in self._lm.map(prompts, self.constraint, max_batch=max_batch, errors="return", **options):
            yield answer if isinstance(answer, ConstrainError) else self._object(answer, options["max_tokens"])

    def _prompt(self, text: Any) -> list[dict[str, str]]:
        if not isinstance(text, str):
            raise ConstrainError(f"extract: text is a {type(text).__name__}, expected str")
        return prompt(text, self._form)

    def _object(self, answer: Generation, max_tokens: int) -> Any:
        """The parsed answer, or the error that it is."""
        if not answer.is_complete:
            return LimitExceeded(
                "max_tokens", None, max_tokens,
                f"extract: the answer was not complete after {len(answer.token_ids)} tokens (max_tokens {max_tokens}): "
                f"it begins {answer.text[:60]!r}",
            )  # fmt: skip
        try:
            return self._type.parse(answer.text)
        except ConstrainError as error:
            return error
