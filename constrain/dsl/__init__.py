"""Floor 7, a face: programs in the manner of Guidance on the built-in runner.

`lm` is an immutable state, nodes say what may be written (`nodes`, made by `verbs` and `functions`), `steps` splits a
node into runs, each run is one expression (`grammar`), and captures come from the finished text (`captures`). `state`
ties them together; `roles` are the blocks, `models` and `engine` the models. Held by tests/test_dsl.py.

>>> from constrain.dsl import assistant, gen, models, user
>>> lm = models.Mock("42")
>>> with user():
...     lm += "How many?"
>>> with assistant():
...     lm += gen("answer", regex=r"[0-9]+")
>>> lm["answer"]
'42'
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from . import models
from .functions import function
from .places import ProgramError, UnknownCaptureError
from .roles import assistant, block, role, system, user
from .state import Model
from .verbs import (
    Quotation,
    at_most_n_repeats,
    byte_range,
    capture,
    exactly_n_repeats,
    gen,
    json,
    lark,
    one_or_more,
    optional,
    quote,
    regex,
    select,
    sequence,
    special_token,
    string,
    substring,
    token_limit,
    with_temperature,
    zero_or_more,
)

guidance = function  # the decorator's name in programs that were written for Guidance

__all__ = [
    "Model", "ProgramError", "Quotation", "UnknownCaptureError", "assistant", "at_most_n_repeats", "block", "byte_range", "capture",
    "exactly_n_repeats", "function", "gen", "guidance", "json", "lark", "models", "one_or_more", "optional", "quote", "regex", "role",
    "select", "sequence", "special_token", "string", "substring", "system", "token_limit", "user", "with_temperature", "zero_or_more",
]  # fmt: skip


class _Face(ModuleType):
    """The module is also the decorator, for `import constrain.dsl as guidance`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)


sys.modules[__name__].__class__ = _Face
