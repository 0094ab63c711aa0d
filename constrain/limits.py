"""Floor 0: the limits of one compiled constraint, in one frozen dataclass.

The core never reads the clock: it counts. A limit that is met raises `LimitExceeded` with the limit's name here, and
leaves everything as it was.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """What one constraint may cost.

    >>> Limits(max_steps=1000).max_steps
    1000
    """

    max_memory_bytes: int = 1 << 30
    """Bytes of expressions and transitions of one expression set."""
    max_steps: int = 1 << 22
    """Derivatives computed (not looked up) in one call: compiling, one mask, one token."""
    max_search_states: int = 20_000
    """States searched to prove that an intersection or complement is not empty; beyond it counts as alive."""
    max_mask_bytes: int = 256 << 20
    """Bytes of cached masks of one constraint; beyond it they are forgotten and found again."""
    max_kept_bytes: int = 256 << 20
    """Bytes of expressions that a constraint keeps from one matcher to the next: states that remember keys or items of
    one text are of no use to the next. Beyond it a new matcher starts afresh; older ones keep what they have."""
