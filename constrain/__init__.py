"""constrain: constrained decoding, exactly.

A constraint (a regex, a list of choices, a JSON schema) is compiled into a lazy automaton over a model's vocabulary; every
decoding step is masked so that only valid continuations remain. The public names; no logic lives here. `import
constrain` imports neither torch nor transformers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from constrain.bitmask import allocate_token_bitmask, apply_token_bitmask_inplace
from constrain.errors import (
    ConstrainError,
    GrammarError,
    LarkError,
    LimitExceeded,
    RegexError,
    SchemaError,
    UnsatisfiableError,
    UnsupportedError,
)
from constrain.expr import Explanation, Expr
from constrain.frontends.bnf import ebnf, gbnf
from constrain.frontends.choice import choice
from constrain.frontends.json_schema import SchemaReport, json_schema
from constrain.frontends.lark import lark
from constrain.frontends.quote import Passage, find_quotes, quote, substring
from constrain.frontends.regex import regex
from constrain.frontends.structural_tags import structural_tags
from constrain.frontends.tool_calls import ToolCall, ToolFormat, read_tool_calls, tool_calls
from constrain.frontends.triggers import after
from constrain.limits import Limits
from constrain.matcher import Constraint, Matcher, accept_tokens, compile, fill_next_token_bitmasks
from constrain.vocabulary import Vocabulary

if TYPE_CHECKING:
    from constrain import dsl
    from constrain.extraction import extract
    from constrain.generate import Phi

__all__ = [
    "ConstrainError",
    "Constraint",
    "Explanation",
    "Expr",
    "GrammarError",
    "LarkError",
    "LimitExceeded",
    "Limits",
    "Matcher",
    "Passage",
    "Phi",
    "RegexError",
    "SchemaError",
    "SchemaReport",
    "ToolCall",
    "ToolFormat",
    "UnsatisfiableError",
    "UnsupportedError",
    "Vocabulary",
    "accept_tokens",
    "after",
    "allocate_token_bitmask",
    "apply_token_bitmask_inplace",
    "choice",
    "compile",
    "dsl",
    "ebnf",
    "extract",
    "fill_next_token_bitmasks",
    "find_quotes",
    "gbnf",
    "json_schema",
    "lark",
    "quote",
    "read_tool_calls",
    "regex",
    "structural_tags",
    "substring",
    "tool_calls",
]


def __getattr__(name: str) -> Any:
    # These bring more along than the rest; they are imported when first used.
    if name == "dsl":
        return import_module("constrain.dsl")
    if name == "Phi":
        from constrain.generate import Phi

        return Phi
    if name == "extract":
        from constrain.extraction import extract

        return extract
    raise AttributeError(f"module 'constrain' has no attribute {name!r}")
