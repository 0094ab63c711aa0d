"""Floor 5: which beginning of a text is computed already: a bounded store, the least recently used thrown out first.

What a model computes for a token depends on the tokens before it and on nothing behind it, so what is kept for one text
serves every text with the same beginning. The store knows neither tensors nor models: an entry has the ids it was
computed for, the side of LongRoPE's switch that it was computed on, and a size. An entry may grow while it is kept.
Invariant: what `find` returns agrees with the ids asked for, on their side. Source: the prompt caches of vLLM and SGLang,
without their trees: comparing lists is cheap for the few hundred entries that memory allows. Held by tests/test_prefixes.py.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

__all__ = ["Prefixes", "num_shared"]


class Computed(Protocol):
    """What a model has computed for the beginning of some text."""

    ids: list[int]
    is_long: bool

    @property
    def num_bytes(self) -> int: ...


Entry = TypeVar("Entry", bound=Computed)


class Prefixes(Generic[Entry]):
    """At most `max_bytes` of entries; 0 keeps none."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._entries: dict[int, Entry] = {}  # by identity, the one used last behind the others

    def __len__(self) -> int:
        return len(self._entries)

    def num_bytes(self) -> int:
        """The size of all entries now."""
        return sum(entry.num_bytes for entry in self._entries.values())

    def find(self, ids: list[int], is_long: bool) -> tuple[Entry | None, int]:
        """The entry that shares the longest beginning with `ids`, and how many tokens that is."""
        best: Entry | None = None
        length = 0
        for entry in reversed(self._entries.values()):
            if entry.is_long != is_long or entry.ids[length : length + 1] != ids[length : length + 1]:
                continue  # it shares no more than the best so far
            shared = num_shared(entry.ids, ids)
            if shared > length:
                best, length = entry, shared
        if best is not None:
            self.add(best)
        return best, length

    def add(self, entry: Entry) -> None:
        """Keeps an entry, or notes that it was used."""
        self._entries.pop(id(entry), None)
        if self.max_bytes > 0:
            self._entries[id(entry)] = entry

    def trim(self) -> None:
        """Throws out what was not used for the longest time until the rest fits."""
        excess = self.num_bytes() - self.max_bytes
        for key, entry in list(self._entries.items()):
            if excess <= 0:
                break
            excess -= entry.num_bytes
            del self._entries[key]

    def clear(self) -> None:
        """Throws everything out."""
        self._entries.clear()


def num_shared(first: list[int], second: list[int]) -> int:
    """How many ids two lists begin with in common.

    >>> num_shared([5, 6, 7, 8], [5, 6, 9]), num_shared([1], []), num_shared([1, 2], [1, 2])
    (2, 0, 2)
    """
    low, high = 0, min(len(first), len(second))
    if first[:high] == second[:high]:
        return high
    while low + 1 < high:  # the first `low` agree, the first `high` do not
        middle = (low + high) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle
    return low
