"""Floor 7: from a text and a schema to a validated object, in one call.

The schema is the constraint of the answer, so what comes back parses and validates; a pydantic model gives an instance
of itself. Held by tests/test_runner.py and tests/test_cli.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .errors import ConstrainError, LimitExceeded, SchemaError
from .frontends.json_schema import json_schema
from .matcher import Constraint, compile
from .models.prompts import prompt

if TYPE_CHECKING:
    from .generate import Generation, LanguageModel

__all__ = ["Extractor", "extract"]

DEFAULT_MAX_TOKENS = 1024


def extract(lm: LanguageModel, text: str, schema: Any, **options: Any) -> Any:
    """The object of `schema` (dict, JSON text or pydantic model) that `lm` finds in `text`.

    Options are those of `lm.generate`; `max_tokens` defaults to 1024. Returns plain data, or an instance of the pydantic
    model. Raises ConstrainError for a bad schema, and LimitExceeded when the answer does not fit in `max_tokens`.
    """
    return Extractor(lm, schema).extract([text], **options)[0]


class Extractor:
    """A schema compiled for a model, for many texts; `extract` returns an object or an error for each text."""

    def __init__(self, lm: LanguageModel, schema: Any) -> None:
        self._lm = lm
        self._model: Any = schema if isinstance(schema, type) and hasattr(schema, "model_json_schema") else None
        self._schema = _plain_schema(schema)
        self.constraint: Constraint = compile(json_schema(schema, whitespace="compact"), lm.vocabulary)

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

    def _prompt(self, text: Any) -> list[dict[str, str]]:
        if not isinstance(text, str):
            raise ConstrainError(f"extract: text is a {type(text).__name__}, expected str")
        return prompt(text, self._schema)

    def _object(self, answer: Generation, max_tokens: int) -> Any:
        """The parsed answer, or the error that it is."""
        if not answer.is_complete:
            return LimitExceeded(
                "max_tokens", None, max_tokens,
                f"extract: the answer was not complete after {len(answer.token_ids)} tokens (max_tokens {max_tokens}): "
                f"it begins {answer.text[:60]!r}",
            )  # fmt: skip
        try:
            value = json.loads(answer.text, parse_float=_number)
        except (ValueError, RecursionError) as error:  # valid JSON, but thousands of digits or brackets
            return ConstrainError(f"extract: Python cannot hold the object: {error}")
        if self._model is None:
            return value
        try:
            return self._model.model_validate(value)
        except ValueError as error:  # a validator in Python that no schema can express
            return ConstrainError(f"extract: {self._model.__name__} refuses the object: {error}")


def _number(text: str) -> int | float:
    """A number written with a fraction; 7.0 is the integer 7, as JSON Schema has it."""
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text[:40]} is too large")
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _plain_schema(schema: Any) -> Any:
    """The schema as plain data, for the prompt."""
    if isinstance(schema, (dict, bool)):
        return schema
    if isinstance(schema, str):
        try:
            return json.loads(schema)
        except ValueError as error:
            raise SchemaError(f"json schema: not JSON: {error}", source=schema) from None
    if hasattr(schema, "model_json_schema"):
        return schema.model_json_schema()
    try:
        from pydantic import TypeAdapter

        return TypeAdapter(schema).json_schema()
    except Exception as error:  # noqa: BLE001 - pydantic raises its own kinds for what is no type
        raise SchemaError(f"json schema: cannot read a schema from {schema!r:.80}: {error}") from None
