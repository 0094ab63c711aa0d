"""The core: expressions, derivatives, tries, masks, matchers."""

from collections.abc import Sequence
from typing import Annotated, overload

import numpy
from numpy.typing import NDArray


class ExprSet:
    """An arena of interned expressions; an expression is an int in it."""

    def __init__(self) -> None: ...

    NO_MATCH: int = 0

    EMPTY_STRING: int = 1

    ANYTHING: int = 2

    def clone(self) -> ExprSet: ...

    def byte_set(self, members: bytes) -> int: ...

    def byte_range(self, low: int, high: int) -> int: ...

    def literal(self, text: bytes) -> int: ...

    def concat(self, parts: Sequence[int]) -> int: ...

    def union(self, parts: Sequence[int]) -> int: ...

    def intersection(self, parts: Sequence[int]) -> int: ...

    def complement(self, e: int) -> int: ...

    def repeat(self, e: int, min: int, max: int) -> int: ...

    def lexeme(self, e: int) -> int: ...

    def mark_grammar(self) -> None:
        """Lexemes and rules of this set are worth preparing."""

    def tabulated(self, e: int, max_states: int = 20000) -> int:
        """
        A regular expression as a table; LimitExceeded where it has more states.
        """

    def has_substring(self, e: int) -> bool: ...

    def fenced(self, e: int) -> int:
        """The same language, whose greedy lexemes do not see what follows e."""

    def greedy(self, e: int, munch: int, may_block: bool = True, is_optional: bool = False) -> int:
        """
        A text of e behind which no longer text of munch stands: a lexer's maximal munch. may_block: perhaps nothing fits behind it.
        """

    def body(self, e: int, label: str = '') -> int: ...

    def rule(self, name: str) -> int: ...

    def define(self, rule: int, body: int) -> None: ...

    def members(self, separator: int, entries: Sequence[tuple[int, int, int]], num_ordered: int = -1, low: int = 0, high: int = -1) -> int:
        """
        Separated entries (item, min, max): the first num_ordered in order (-1: all), then the others in any order; low..high in all.
        """

    def keyed(self, key: int, tail: int, is_scarce: bool = True) -> int:
        """
        key·tail; as an entry of members no two of its keys are equal. Not scarce: every prefix has infinitely many keys.
        """

    def literals(self, texts: list) -> int: ...

    def table(self, num_states: int, start: int, accepting: Sequence[int], moves: Sequence[tuple[int, int, int]]) -> int: ...

    def substring(self, symbols: bytes, starts: bytes, ends: bytes, counts: bytes, units: Sequence[tuple[bytes, Sequence[int]]], min_count: int, max_count: int, run_symbol: int) -> int:
        """
        The contiguous parts of a text of uint32 symbols (0 ends each source) from a start to an end: substring.h. No match where none.
        """

    def copy_from(self, other: ExprSet, e: int) -> int: ...

    def nullable(self, e: int) -> bool: ...

    def derivative(self, e: int, byte: int) -> int: ...

    def step(self, e: int, byte: int) -> int: ...

    def advance(self, e: int, text: bytes) -> tuple[int, int]:
        """
        The state after the longest prefix of text that is not dead, and that prefix's length.
        """

    def live_bytes(self, e: int) -> bytes: ...

    def live_classes(self, e: int) -> list[bytes]:
        """
        The bytes that may come next, in classes of bytes with equal futures but for the keys that they spell.
        """

    def is_empty(self, e: int) -> bool: ...

    def has_distinct(self, e: int, count: int) -> bool:
        """Has a keyed entry so many different texts?"""

    def min_length(self, e: int) -> int: ...

    def shortest_way(self, e: int, max_length: int = 1048576) -> bytes | None:
        """
        Bytes that lead to an end, as few as is known; None where they are more than max_length.
        """

    def matches(self, e: int, text: bytes) -> bool: ...

    def to_string(self, e: int, max_length: int = 200) -> str: ...

    def labels(self, e: int) -> list[str]: ...

    def size(self) -> int: ...

    def memory_bytes(self) -> int: ...

    def num_unproven(self) -> int: ...

    def num_loose_lengths(self) -> int:
        """How many lengths found so far are bounds; 0: all are exact."""

    def set_limits(self, max_memory_bytes: int, max_steps: int, max_search_states: int) -> None: ...

    def require(self, token: str) -> None:
        """
        Notes a token that expressions of this set speak of; a copy into another set notes it there.
        """

    def required(self) -> list[str]:
        """The tokens that were noted, in order."""

    def cancel(self, on: bool = True) -> None: ...

class TokenTrie:
    """The prefix tree of a vocabulary's token bytes."""

    def __init__(self, tokens: list, end_ids: Sequence[int], size: int, excluded: Sequence[int] = [], aliases: Sequence[tuple[int, bytes]] = []) -> None: ...

    @property
    def size(self) -> int: ...

    @property
    def num_nodes(self) -> int: ...

    @property
    def spells_every_byte(self) -> bool: ...

class Constraint:
    """An expression over a vocabulary, with the masks found so far."""

    def __init__(self, set: ExprSet, root: int, trie: TokenTrie, max_mask_bytes: int) -> None: ...

    def memory_bytes(self) -> int: ...

class Matcher:
    """The cursor of one request through a constraint."""

    @overload
    def __init__(self, constraint: Constraint, is_turn: bool, prefix: bytes = ...) -> None: ...

    @overload
    def __init__(self, other: Matcher) -> None: ...

    def fill_next_token_bitmask(self, bitmask: object | None, index: int = 0) -> None: ...

    def is_token_allowed(self, token_id: int) -> bool: ...

    def accept_token(self, token_id: int) -> bool: ...

    def accept_tokens(self, token_ids: Sequence[int]) -> int: ...

    def accept_bytes(self, text: bytes) -> bool: ...

    def rollback(self, n: int) -> None: ...

    def reset(self) -> None: ...

    def is_accepting(self) -> bool: ...

    def is_terminated(self) -> bool: ...

    @property
    def num_accepted(self) -> int: ...

    def forced_bytes(self, max_length: int = 4096) -> bytes: ...

    def min_length(self) -> int:
        """Bytes to the nearest end of the text; -1 where that is not known."""

    def fewest_tokens(self) -> tuple[int, bool]:
        """
        The fewest tokens known to end the text (-1: none), and whether it is known that no fewer will do.
        """

    def can_end_within(self, num_tokens: int) -> bool: ...

    def is_token_allowed_within(self, token_id: int, num_tokens: int) -> bool: ...

    def fill_next_token_bitmask_within(self, bitmask: object | None, num_tokens: int, index: int = 0) -> None: ...

    def allowed_tokens(self) -> list[int]: ...

    def allowed_bytes(self) -> bytes: ...

    def describe(self, max_length: int = 200) -> str: ...

    def labels(self) -> list[str]: ...

def fill_next_token_bitmasks(matchers: Sequence[Matcher], bitmask: object) -> None: ...

def accept_tokens(matchers: Sequence[Matcher], token_ids: Sequence[int]) -> list[bool]: ...

def apply_token_bitmask(logits: Annotated[NDArray, dict(device='cpu')], bitmask: Annotated[NDArray[numpy.int32], dict(order='C', device='cpu')]) -> None: ...
