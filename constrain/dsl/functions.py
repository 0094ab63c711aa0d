"""`@function`: parts of programs as Python functions.

A stateful function gets the state, does what it likes, and returns a state; it runs when it is added to one. A stateless
one is run once, when it is called, on an empty grammar, and what it returns is the grammar: it may call itself with
equal arguments, which makes a rule. Held by tests/test_dsl.py.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from .nodes import Call, Node, Rule, Sequence, as_node
from .places import ProgramError
from .steps import walk

__all__ = ["function", "is_in_grammar"]

# The stateless functions that are being run now, with their arguments, and the rules that stand for them.
_running: ContextVar[dict[Any, Rule] | None] = ContextVar("running", default=None)


def is_in_grammar() -> bool:
    """Whether a stateless function is being run."""
    return bool(_running.get())


def function(f: Callable[..., Any] | None = None, *, stateless: bool = False) -> Any:
    """Makes `f(lm, …)` a part of programs, called without `lm`: `lm += f(…)`.

    `stateless=True`: the function only adds text and nodes to `lm`, becomes grammar, and may be used inside other nodes and
    inside itself. Otherwise it is plain Python: it may read captures, branch, loop, and call tools.
    """
    if f is None:
        return functools.partial(function, stateless=stateless)
    wrapped = f

    @functools.wraps(wrapped)
    def call(*args: Any, **kwargs: Any) -> Node:
        return _grammar(wrapped, args, kwargs) if stateless else Call(wrapped, args, kwargs)

    call.is_part = True  # type: ignore[attr-defined]  # not to be called with a state
    return call


def _grammar(f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Node:
    """What a stateless function writes; a rule where it meets itself."""
    running = _running.get() or {}
    name = getattr(f, "__name__", "function")
    key = (f, _identity(args), _identity(tuple(sorted(kwargs.items()))))
    if key in running:
        return running[key]
    rule = Rule(name)
    token = _running.set({**running, key: rule})
    try:
        written = f(Sequence(()), *args, **kwargs)
    except RecursionError:
        raise ProgramError(
            f"function {name!r}: it calls itself with ever new arguments, expected equal ones somewhere"
        ) from None
    finally:
        _running.reset(token)
    if not isinstance(written, (Node, str)):
        raise ProgramError(f"function {name!r}: it returned {type(written).__name__}, expected lm with parts added to it")
    rule.body = as_node(written)
    return rule if _meets(rule.body, rule) else rule.body


def _identity(values: Any) -> Any:
    """Equal for equal hashable arguments, and for the same objects otherwise."""
    parts = []
    for value in values:
        try:
            hash(value)
            parts.append((type(value), value))
        except TypeError:
            parts.append((type(value), id(value)))
    return tuple(parts)


def _meets(node: Node, rule: Rule) -> bool:
    return any(inner is rule for inner in walk(node))
