"""Floor 4: `compile`, the shareable `Constraint`, the `Matcher` of one request.

A `Constraint` learns states and masks lazily, behind a lock, and may serve any number of threads; a `Matcher` belongs to
one request. A token is accepted exactly where the mask allows it; what is refused leaves the matcher as it was.
Laws held by tests/test_matcher.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from constrain import _native
from constrain.errors import ConstrainError
from constrain.expr import Expr
from constrain.limits import Limits
from constrain.specials import check_required, pieces, spell, text_before
from constrain.vocabulary import Vocabulary

__all__ = ["Constraint", "Matcher", "accept_tokens", "compile", "fill_next_token_bitmasks"]

_STARTS = ("continue", "turn")


class Constraint:
    """An expression compiled for a vocabulary; made by `constrain.compile`, shareable between threads."""

    def __init__(self, expr: Expr, vocabulary: Vocabulary, limits: Limits) -> None:
        self.expr = expr
        self.vocabulary = vocabulary
        self.limits = limits
        self._bind(expr.set, expr.root)

    def _bind(self, expr_set: _native.ExprSet, root: int) -> None:
        limits = self.limits
        expr_set.set_limits(limits.max_memory_bytes, limits.max_steps, limits.max_search_states)
        required = expr_set.required()
        if required:
            check_required(expr_set, root, self.vocabulary)
        self.has_specials = bool(required)
        self.trie = self.vocabulary.trie_with(required)
        self._native = _native.Constraint(expr_set, root, self.trie, limits.max_mask_bytes)
        self._set = expr_set

    def _renew(self) -> None:
        """Only what the constraint is made of, without the states of texts that were."""
        fresh = _native.ExprSet()
        self._bind(fresh, fresh.copy_from(self.expr.set, self.expr.root))

    def matcher(self, start: str = "continue", prefix: bytes = b"") -> Matcher:
        """A fresh matcher.

        `start="continue"`: the tokens spell the text, byte for byte. `start="turn"`: they stand at the start of a turn,
        where SentencePiece vocabularies put one space before the text that is not part of it. `prefix` are bytes that
        the tokens spell before the text; tokens may lie across the border.

        >>> import constrain
        >>> vocabulary = constrain.Vocabulary([b":", b"/", b"://", None], end_ids=[3])
        >>> constrain.compile("//", vocabulary).matcher(prefix=b":").allowed_tokens()
        [0, 2]
        """
        if start not in _STARTS:
            raise ConstrainError(f"matcher: start is one of {', '.join(map(repr, _STARTS))}, given {start!r}")
        if self._set.memory_bytes() > self.limits.max_kept_bytes:
            self._renew()
        matcher = Matcher(self._native, start == "turn", prefix)
        matcher.constraint = self
        return matcher

    def memory_bytes(self) -> int:
        """Bytes of expressions, transitions and masks held now."""
        return int(self._native.memory_bytes())


class Matcher(_native.Matcher):
    """The cursor of one request.

    From the core: `fill_next_token_bitmask(bitmask, index=0)`, `accept_token(id) -> bool`, `accept_tokens(ids) -> int`
    (how many were accepted), `accept_bytes(data) -> bool` (one entry for `rollback`), `rollback(n)`, `reset()`,
    `is_accepting()` (the text may end here), `is_terminated()` (an end token was accepted), `is_token_allowed(id)`,
    `allowed_tokens()`, `allowed_bytes()`, `forced_bytes()`, `num_accepted`. After an end token only end tokens are
    allowed. An id outside `0 .. size - 1` raises `ConstrainError`.

    With `num_tokens` that may still come, end tokens not counted: `can_end_within(num_tokens)`, `is_token_allowed_within(id,
    num_tokens)`, `fill_next_token_bitmask_within(bitmask, num_tokens, index=0)`: the tokens behind which the text can still
    be ended; a `LimitExceeded` with the number that would do where it cannot be. `fewest_tokens()` gives that number, and
    whether it is known that no fewer will do. They need a vocabulary with a token for every byte.

    >>> import constrain
    >>> vocabulary = constrain.Vocabulary([b"a", b"b", b"ab", None], end_ids=[3])
    >>> matcher = constrain.compile(constrain.regex("ab"), vocabulary).matcher()
    >>> matcher.allowed_tokens(), matcher.forced_bytes()
    ([0, 2], b'ab')
    >>> matcher.accept_token(2), matcher.is_accepting(), matcher.allowed_tokens()
    (True, True, [3])
    """

    constraint: Constraint

    def fork(self) -> Matcher:
        """An independent copy, its history included."""
        twin = Matcher(self)
        twin.constraint = self.constraint
        return twin

    def forced_tokens(self) -> list[int]:
        """The tokens of the forced text, split as the vocabulary's own tokenizer would.

        The last ones are kept back where a longer token could still swallow the border: see `accept_forced`.
        """
        forced = self.forced_spelling()
        return self.fork().accept_forced(self.constraint.vocabulary.encode(forced)) if forced else []

    def forced_bytes(self, max_length: int = 4096) -> bytes:
        """The bytes that must come next, up to the next special token."""
        forced = super().forced_bytes(max_length)
        return text_before(forced) if self.constraint.has_specials else forced

    def forced_spelling(self, max_length: int = 4096) -> bytes:
        """The same with special tokens in it, spelt as specials.py does; `Vocabulary.encode` makes ids of it."""
        forced = super().forced_bytes(max_length)
        if not self.constraint.has_specials:
            return forced
        return b"".join(piece if isinstance(piece, bytes) else spell(piece) for piece in pieces(forced))

    def allowed_bytes(self) -> bytes:
        """The bytes that may come next; special tokens are none."""
        return super().allowed_bytes().rstrip(b"\xfe\xff") if self.constraint.has_specials else super().allowed_bytes()

    def accept_forced(self, tokens: Sequence[int]) -> list[int]:
        """Accepts those of the forced `tokens` that stand whatever follows, and returns them.

        The last ones are kept back while some longer token, allowed by the mask, begins with their bytes: the
        tokenizer might have written that one, so the model shall choose.
        """
        vocabulary = self.constraint.vocabulary
        position = num_kept = self.accept_tokens(tokens)
        following = self.allowed_bytes()
        suffix = b""
        while position > 0 and len(suffix) < vocabulary.max_token_length:
            if vocabulary.tokens[tokens[position - 1]] is None:
                break  # a special token: no longer one swallows what comes before it
            position -= 1
            suffix = (vocabulary.tokens[tokens[position]] or b"") + suffix
            self.rollback(1)
            if any(self.is_token_allowed(i) for i in vocabulary.longer_tokens(suffix, following)):
                num_kept = position
        if num_kept > position:
            self.accept_tokens(tokens[position:num_kept])
        elif num_kept < position:
            self.rollback(position - num_kept)
        return list(tokens[:num_kept])


def compile(expr: Expr | str, vocabulary: Vocabulary, limits: Limits | None = None) -> Constraint:
    """Binds an expression to a vocabulary.

    Cheap: states and masks are found when a matcher first needs them, but for the widest of a long `quote`. Raises
    `UnsatisfiableError` where no text (or no sequence of tokens) satisfies the expression, `ConstrainError` for left
    recursion and the like.
    """
    if isinstance(expr, str):
        expr_set = _native.ExprSet()
        expr = Expr(expr_set, expr_set.literal(expr.encode()))
    if not isinstance(expr, Expr):
        raise ConstrainError(f"compile: an Expr is needed, given {type(expr).__name__}")
    if not isinstance(vocabulary, Vocabulary):
        raise ConstrainError(f"compile: a Vocabulary is needed, given {type(vocabulary).__name__}")
    return Constraint(expr, vocabulary, limits or Limits())


def fill_next_token_bitmasks(matchers: Sequence[Matcher | None], bitmask: Any) -> None:
    """Fills row i of `bitmask` from `matchers[i]`, without the GIL; where it is None the row becomes all ones."""
    _native.fill_next_token_bitmasks(list(matchers), bitmask)  # type: ignore[arg-type]  # None is taken too
    for i, matcher in enumerate(matchers):
        if matcher is None:
            bitmask[i] = -1


def accept_tokens(matchers: Sequence[Matcher | None], token_ids: Sequence[int] | np.ndarray) -> list[bool]:
    """Feeds `token_ids[i]` to `matchers[i]`, without the GIL; says for each whether it was accepted (None: True)."""
    return list(_native.accept_tokens(list(matchers), [int(t) for t in token_ids]))  # type: ignore[arg-type]
