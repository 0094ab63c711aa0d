r"""Free text up to a trigger: what `after`, structural tags and tool calls are made of.

Free text is valid text in which none of some strings stands; it ends where the first of them has been written. Both are
one Aho–Corasick automaton over bytes, kept to UTF-8 and given to the core as a table, so that no state of it needs a
search for liveness, and its masks are shared by all constraints of a process that wait for the same strings.

Invariants: the strings are whole characters, and UTF-8 is self-synchronising, so one of them stands in the bytes exactly
where it stands in the text. The *first* string is the one that ends first; of several that end at the same place it is the
longest. So every text is read in one way, and a string inside which another one ends never comes first.
Source: Aho, Corasick 1975, with the failure links followed in advance. Held by tests/test_triggers.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from os.path import commonprefix
from typing import NamedTuple

from .._native import ExprSet
from ..errors import GrammarError, LimitExceeded
from ..expr import Expr, encode, utf8_text
from .utf8 import ANY, utf8_character

__all__ = ["after", "check_triggers", "encode_marker", "tagged_text", "text_until", "text_without"]

MAX_STATES = 4000  # bytes of all strings together, common beginnings once; each has moves for some 180 others


def after(marker: str, constraint: Expr | str, *, required: bool = True) -> Expr:
    """Free text, the marker, and behind it the constraint: nothing is constrained before the marker has come.

    The first occurrence of the marker counts, and what follows it, white space included, is the constraint's. The text
    cannot end before the marker has come, unless `required=False`. Raises GrammarError for an empty marker.

    >>> import constrain
    >>> answer = constrain.after("</think>", constrain.choice(["yes", "no"]))
    >>> answer.matches("is it? it is</think>yes"), answer.matches("yes"), answer.matches("</think>maybe")
    (True, False, False)
    """
    stop = encode_marker(marker, "after: the marker")
    if not isinstance(constraint, (Expr, str)):
        raise GrammarError(f"after: the constraint is a {type(constraint).__name__}; an expression or a str is needed")
    free = ExprSet()
    whole = Expr(free, text_until(free, [stop])) + constraint
    return whole if required else whole | Expr(free, text_without(free, [stop]))


def encode_marker(marker: object, what: str) -> bytes:
    """The bytes of a string to wait for; a GrammarError about `what` where there is nothing to wait for."""
    if not isinstance(marker, str):
        raise GrammarError(f"{what} is {marker!r:.60}; a str is needed")
    if not marker:
        raise GrammarError(f"{what} is empty; at least one character is needed")
    return encode(marker)


def text_without(expr_set: ExprSet, barred: Iterable[bytes], suffix: bytes = b"") -> int:
    """Text in which none of `barred` stands, and which ends in `suffix`; a node of `expr_set`."""
    return _copied(expr_set, frozenset(), frozenset(barred), suffix)


def text_until(expr_set: ExprSet, stops: Iterable[bytes], others: Iterable[bytes] = ()) -> int:
    """Text that ends in the first of `stops` and `others` to come, where that is one of `stops`; a node."""
    return _copied(expr_set, frozenset(stops), frozenset(others), b"")


def tagged_text(
    expr_set: ExprSet,
    tags: Sequence[tuple[bytes, int]],
    triggers: Sequence[bytes],
    *,
    barred: Sequence[bytes] = (),
    ends: Sequence[bytes] = (),
    at_least_one: bool = False,
    stop_after_first: bool = False,
) -> int:
    """Free text in which a trigger starts one of the tags; then free text again. A node of `expr_set`.

    `tags`: how each begins, and the node of all that follows that. `barred`: what no free text holds. `ends`: where
    there are any, the whole runs up to the first of them, which belongs to it. `at_least_one`: a tag comes first, before
    any free text. `stop_after_first`: nothing follows the first tag, if one comes.
    """
    strings = [*triggers, *ends, *barred]
    end = expr_set.literals(list(ends)) if ends else expr_set.EMPTY_STRING
    free = text_until(expr_set, ends, strings) if ends else text_without(expr_set, strings)
    first = expr_set.union([_tag(expr_set, tag, 0) for tag in tags])
    if at_least_one and stop_after_first:
        return expr_set.concat([first, end])
    triggered = expr_set.union(
        [
            expr_set.concat([before, expr_set.union([_tag(expr_set, tag, len(known)) for tag in tags if tag[0].startswith(begins)])])
            for before, known, begins in _ways(expr_set, list(dict.fromkeys(triggers)), strings)
        ]
    )
    if stop_after_first:
        return expr_set.union([free, expr_set.concat([triggered, end])])
    rest = expr_set.concat([expr_set.repeat(triggered, 0, -1), free])
    return expr_set.concat([first, rest]) if at_least_one else rest


def check_triggers(triggers: Sequence[bytes], begins: Sequence[bytes], others: Sequence[bytes], who: str) -> None:
    """Raises GrammarError for a trigger that begins no tag, and for a tag that no trigger can start."""
    for trigger in triggers:
        if not any(begin.startswith(trigger) for begin in begins):
            raise GrammarError(f"{who}: the trigger {_shown(trigger)} begins no tag; each has to be a prefix of some tag's begin")
    strings = [*triggers, *others]
    for begin in begins:
        mine = [trigger for trigger in triggers if begin.startswith(trigger)]
        if not mine:
            wanted = " or ".join(map(_shown, triggers[:8])) or "nothing, as there is no trigger"
            raise GrammarError(f"{who}: no trigger is a prefix of the begin {_shown(begin)}; it would have to start with {wanted}")
        inside = [_ends_inside(trigger, strings) for trigger in mine]
        if all(inside):
            raise GrammarError(
                f"{who}: the trigger {_shown(mine[0])} of the begin {_shown(begin)} can never come first, "
                f"because {_shown(inside[0] or b'')} ends inside it"
            )


def _shown(text: bytes) -> str:
    return repr(text.decode()[:60])


def _tag(expr_set: ExprSet, tag: tuple[bytes, int], known: int) -> int:
    """A tag without the bytes of its begin that have been written already."""
    return expr_set.concat([expr_set.literal(tag[0][known:]), tag[1]])


def _ways(expr_set: ExprSet, triggers: list[bytes], strings: list[bytes]) -> list[tuple[int, bytes, tuple[bytes, ...]]]:
    """How free text leads into tags: its node, which bytes of a tag it ends in, and how such a tag begins.

    Triggers with a common beginning are waited for together, by one automaton: free text leads up to the end of that
    beginning, wherever it stands, and one of them may follow. Where no string has the beginning further inside, what comes
    before it cannot make another string end first.
    """
    groups: dict[str, list[bytes]] = {}
    for trigger in triggers:
        if _ends_inside(trigger, strings) is None:
            groups.setdefault(trigger.decode()[0], []).append(trigger)
    ways = []
    for group in groups.values():
        prefix = commonprefix([trigger.decode() for trigger in group]).encode()
        if len(group) > 1 and not any(prefix in string[1:] for string in strings):
            ways.append((text_without(expr_set, strings, prefix), prefix, tuple(group)))
        else:
            ways += [(text_until(expr_set, [trigger], strings), trigger, (trigger,)) for trigger in group]
    return ways


def _ends_inside(trigger: bytes, strings: Iterable[bytes]) -> bytes | None:
    """A string that ends before the trigger does, wherever the trigger stands: so the trigger never comes first."""
    return next((string for string in strings if string in trigger[:-1]), None)


# ------------------------------------------------------------------------------------------------------- the automaton


class _Automaton(NamedTuple):
    """Of some strings; states are numbered from 0, the start, and the moves are (state, byte, state)."""

    num_states: int
    marked: list[int]  # between two characters, where the mark has just been written
    final: dict[bytes, int]  # by string: where it has come first; no move leads on from there
    moves: list[tuple[int, int, int]]


@lru_cache(maxsize=1)
def _utf8() -> list[list[tuple[int, int]]]:
    """The moves (byte, state) inside characters; state 0 stands between two."""
    expr_set = ExprSet()
    order = [utf8_character(expr_set, ANY)]
    rows = []
    for e in order:  # which grows
        row = []
        for byte in expr_set.live_bytes(e):
            inside = expr_set.derivative(e, byte)
            if inside != expr_set.EMPTY_STRING and inside not in order:
                order.append(inside)
            row.append((byte, 0 if inside == expr_set.EMPTY_STRING else order.index(inside)))
        rows.append(row)
    return rows


def _trie(strings: Iterable[bytes], mark: bytes) -> tuple[list[dict[int, int]], list[bytes], list[bool]]:
    """For each node of the strings' trie: its moves other than to the root, the longest string and whether the mark end there."""
    children: list[dict[int, int]] = [{}]
    longest = [b""]
    marked = [not mark]
    for string in (*strings, mark):
        node = 0
        for byte in string:
            if byte not in children[node]:
                children[node][byte] = len(children)
                children.append({})
                longest.append(b"")
                marked.append(False)
            node = children[node][byte]
        if string == mark:
            marked[node] = True
        if string in strings:
            longest[node] = string
    fallback = [0] * len(children)
    queue = [0]
    for node in queue:  # which grows; what is nearer to the root comes first
        for byte, child in children[node].items():
            fallback[child] = children[fallback[node]].get(byte, 0) if node else 0
            longest[child] = longest[child] or longest[fallback[child]]
            marked[child] = marked[child] or marked[fallback[child]]
            queue.append(child)
        if node:
            children[node] = children[fallback[node]] | children[node]
    return children, longest, marked


@lru_cache(maxsize=2)
def _automaton(strings: frozenset[bytes], mark: bytes) -> _Automaton:
    """The product of the trie with UTF-8."""
    children, longest, marked = _trie(strings, mark)
    if len(children) > MAX_STATES:
        raise LimitExceeded("max_trigger_states", len(children), MAX_STATES)
    utf8 = _utf8()
    numbers = {(0, 0): 0}
    order = [(0, 0)]
    found: dict[bytes, list[tuple[int, int]]] = {}
    moves: list[tuple[int, int, int]] = []
    for node, inside in order:  # which grows
        state = numbers[node, inside]
        for byte, after_byte in utf8[inside]:
            place = children[node].get(byte, 0), after_byte
            if longest[place[0]]:
                found.setdefault(longest[place[0]], []).append((state, byte))
                continue
            if place not in numbers:
                numbers[place] = len(order)
                order.append(place)
            moves.append((state, byte, numbers[place]))
    final = {string: len(order) + i for i, string in enumerate(sorted(found))}
    moves += [(state, byte, final[string]) for string, places in found.items() for state, byte in places]
    at_mark = [numbers[node, inside] for node, inside in order if not inside and marked[node]]
    return _Automaton(len(order) + len(final), at_mark, final, moves)


def _table(stops: frozenset[bytes], others: frozenset[bytes], suffix: bytes) -> tuple[ExprSet, int]:
    """The node of `text_until` or, without stops, of `text_without`, in a set of its own to copy from."""
    automaton = _automaton(stops | others, suffix)
    accepting = [state for string, state in automaton.final.items() if string in stops] if stops else automaton.marked
    expr_set = ExprSet()
    return expr_set, expr_set.table(automaton.num_states, 0, accepting, automaton.moves)


_kept_table = lru_cache(maxsize=128)(_table)
_KEPT_BYTES = 500  # longer ones are not kept for the next call


def _copied(expr_set: ExprSet, stops: frozenset[bytes], others: frozenset[bytes], suffix: bytes) -> int:
    if not stops and not others and not suffix:
        return utf8_text(expr_set)
    is_short = sum(map(len, stops | others)) <= _KEPT_BYTES
    source, root = (_kept_table if is_short else _table)(stops, others, suffix)
    return expr_set.copy_from(source, root)
