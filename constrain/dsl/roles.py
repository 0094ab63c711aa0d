"""Role blocks and named blocks: `with system(): …`, `with block("name"): …`.

The open blocks are a stack of the current context (thread or task). A state compares it with the blocks that it was written
in whenever something is added to it, and closes and opens what differs; so a block needs no variable of its own.
Invariant: no role inside another, and blocks close in the order in which they can. Held by tests/test_dsl.py.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from .functions import is_in_grammar
from .places import ProgramError

__all__ = ["Block", "assistant", "block", "open_blocks", "role", "system", "user"]

_open: ContextVar[tuple[Block, ...]] = ContextVar("open_blocks", default=())

ROLES = ("system", "user", "assistant")


class Block:
    """A stretch of a program that is a turn of a role, is captured under a name, or both."""

    def __init__(self, role: str | None, name: str | None) -> None:
        self.role = role
        self.name = name
        self.is_closed = False
        self._was_opened = False

    def __str__(self) -> str:
        return f"role {self.role!r}" if self.role else f"block {self.name!r}"

    def __enter__(self) -> None:
        if is_in_grammar():
            raise ProgramError(f"dsl: {self} is opened in a stateless function, which can only write grammar")
        if self._was_opened:
            raise ProgramError(f"dsl: unbalanced roles: {self} is opened a second time, expected a new one")
        outer = next((one for one in _open.get() if one.role), None)
        if self.role and outer is not None:
            raise ProgramError(f"dsl: unbalanced roles: {self} is opened inside {outer}, which is not closed")
        self._was_opened = True
        _open.set((*_open.get(), self))

    def __exit__(self, *error: Any) -> None:
        blocks = _open.get()
        self.is_closed = True
        if not blocks or blocks[-1] is not self:
            _open.set(tuple(one for one in blocks if one is not self))
            if error[0] is not None:
                return  # the error that is on its way says more
            inside = f"while {blocks[-1]} is open" if self in blocks else "without having been opened"
            raise ProgramError(f"dsl: unbalanced roles: {self} is closed {inside}")
        _open.set(blocks[:-1])


def open_blocks() -> tuple[Block, ...]:
    """The blocks that are open here, the outermost first."""
    return _open.get()


def role(role_name: str, name: str | None = None) -> Block:
    """A turn of the given role; with `name` its text is captured."""
    if role_name not in ROLES:
        raise ProgramError(f"dsl: the role is {role_name!r}, expected one of {', '.join(map(repr, ROLES))}")
    return Block(role_name, name)


def system(name: str | None = None) -> Block:
    """The system's turn."""
    return role("system", name)


def user(name: str | None = None) -> Block:
    """The user's turn."""
    return role("user", name)


def assistant(name: str | None = None) -> Block:
    """The assistant's turn."""
    return role("assistant", name)


def block(name: str) -> Block:
    """A stretch of a program whose whole text is captured as `name`."""
    if not isinstance(name, str) or not name:
        raise ProgramError(f"block: the name is {name!r}, expected text")
    return Block(None, name)
