"""The stupid oracle: Brzozowski derivatives as the textbook has them, with the method names of `constrain._native.ExprSet`.

No byte classes, no composition, no cleverness: nodes are tuples, interned in a list; only `Or` and `And` are kept as sets,
which is what makes the number of derivatives finite (Brzozowski 1964). Recursion over rules is by fixpoint. Slow on purpose;
for small expressions and short strings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Node = tuple


class ExprSet:
    NO_MATCH, EMPTY_STRING, ANYTHING = 0, 1, 2

    def __init__(self) -> None:
        self.nodes: list[Node] = [("no",), ("empty",)]
        self.ids: dict[Node, int] = {node: i for i, node in enumerate(self.nodes)}
        self.memo: dict[tuple[int, int], int] = {}
        self.nullable_memo: dict[int, bool] = {}
        self.rules: dict[int, int] = {}
        any_byte = ("bytes", frozenset(range(256)))
        self.nodes += [("repeat", 3, 0, -1), any_byte]
        self.ids[self.nodes[2]], self.ids[any_byte] = 2, 3

    def _node(self, *node: object) -> int:
        found = self.ids.get(node)
        if found is None:
            found = self.ids[node] = len(self.nodes)
            self.nodes.append(node)
        return found

    # ------------------------------------------------------------------------------------------ building

    def byte_set(self, members: bytes) -> int:
        return self._node("bytes", frozenset(members)) if members else self.NO_MATCH

    def byte_range(self, low: int, high: int) -> int:
        return self.byte_set(bytes(range(low, high + 1)))

    def literal(self, text: bytes) -> int:
        return self.concat([self.byte_set(bytes([b])) for b in text])

    def concat(self, parts: Sequence[int]) -> int:
        result = self.EMPTY_STRING
        for part in reversed(parts):
            result = self._pair(part, result)
        return result

    def _pair(self, x: int, y: int) -> int:
        if self.NO_MATCH in (x, y):
            return self.NO_MATCH
        if x == self.EMPTY_STRING:
            return y
        if y == self.EMPTY_STRING:
            return x
        spine = []  # to the right, without recursion
        while self.nodes[x][0] == "concat":
            spine.append(self.nodes[x][1])
            x = self.nodes[x][2]
        result = self._node("concat", x, y)
        for head in reversed(spine):
            result = self._node("concat", head, result)
        return result

    def _flat(self, kind: str, parts: Iterable[int]) -> set[int]:
        flat: set[int] = set()
        for part in parts:
            flat |= self.nodes[part][1] if self.nodes[part][0] == kind else {part}
        return flat

    def union(self, parts: Sequence[int]) -> int:
        flat = self._flat("or", parts) - {self.NO_MATCH}
        if self.ANYTHING in flat:
            return self.ANYTHING
        if len(flat) < 2:
            return flat.pop() if flat else self.NO_MATCH
        return self._node("or", frozenset(flat))

    def intersection(self, parts: Sequence[int]) -> int:
        flat = self._flat("and", parts) - {self.ANYTHING}
        if self.NO_MATCH in flat:
            return self.NO_MATCH
        if len(flat) < 2:
            return flat.pop() if flat else self.ANYTHING
        return self._node("and", frozenset(flat))

    def complement(self, e: int) -> int:
        if e in (self.NO_MATCH, self.ANYTHING):
            return self.ANYTHING if e == self.NO_MATCH else self.NO_MATCH
        return self.nodes[e][1] if self.nodes[e][0] == "not" else self._node("not", e)

    def repeat(self, e: int, least: int, most: int = -1) -> int:
        if most == 0 or e == self.EMPTY_STRING:
            return self.EMPTY_STRING
        if e == self.NO_MATCH:
            return self.EMPTY_STRING if least == 0 else self.NO_MATCH
        return e if least == most == 1 else self._node("repeat", e, least, most)

    def lexeme(self, e: int) -> int:
        return e

    def body(self, e: int, label: str = "") -> int:
        return e

    def rule(self, name: str) -> int:
        return self._node("rule", name, len(self.nodes))

    def define(self, rule: int, body: int) -> None:
        self.rules[rule] = body
        self.nullable_memo.clear()

    def members(self, separator: int, entries: Sequence[tuple[int, int, int]]) -> int:
        """By counting from the end: what may follow entry i, taken or not, started or not."""
        fresh = started = self.EMPTY_STRING  # nothing before; something before
        for entry, least, most in reversed(entries):
            next_one = self._pair(separator, entry)
            more = self.repeat(next_one, max(least - 1, 0), -1 if most < 0 else most - 1)
            taken = self._pair(self._pair(entry, more), started) if most else self.NO_MATCH
            fresh = taken if least else self.union([taken, fresh])
            started = self._pair(self.repeat(next_one, least, most), started)
        return fresh

    def literals(self, texts: Sequence[bytes]) -> int:
        return self.union([self.literal(text) for text in texts])

    def table(
        self, num_states: int, start: int, accepting: Sequence[int], moves: Sequence[tuple[int, int, int]]
    ) -> int:
        rules = [self.rule(f"state {len(self.nodes)}.{q}") for q in range(num_states)]
        parts: list[list[int]] = [[self.EMPTY_STRING] if q in set(accepting) else [] for q in range(num_states)]
        by_target: dict[tuple[int, int], bytearray] = {}
        for state, byte, target in moves:
            by_target.setdefault((state, target), bytearray()).append(byte)
        for (state, target), members in by_target.items():
            parts[state].append(self._pair(self.byte_set(bytes(members)), rules[target]))
        for q, rule in enumerate(rules):
            self.define(rule, self.union(parts[q]))
        return rules[start]

    def copy_from(self, other: ExprSet, e: int) -> int:
        node = other.nodes[e]
        match node[0]:
            case "no" | "empty":
                return e
            case "bytes":
                return self._node(*node)
            case "concat":
                return self._pair(self.copy_from(other, node[1]), self.copy_from(other, node[2]))
            case "or":
                return self.union([self.copy_from(other, x) for x in node[1]])
            case "and":
                return self.intersection([self.copy_from(other, x) for x in node[1]])
            case "not":
                return self.complement(self.copy_from(other, node[1]))
            case "repeat":
                return self.repeat(self.copy_from(other, node[1]), node[2], node[3])
        raise NotImplementedError(node[0])

    def clone(self) -> ExprSet:
        other = ExprSet()
        other.nodes, other.ids = list(self.nodes), dict(self.ids)
        other.memo, other.rules = dict(self.memo), dict(self.rules)
        return other

    # ------------------------------------------------------------------------------------------- asking

    def nullable(self, e: int) -> bool:
        known = self.nullable_memo.get(e)
        if known is not None:
            return known
        node = self.nodes[e]
        match node[0]:
            case "empty":
                result = True
            case "concat":
                result = self.nullable(node[1]) and self.nullable(node[2])
            case "or":
                result = any(self.nullable(x) for x in node[1])
            case "and":
                result = all(self.nullable(x) for x in node[1])
            case "not":
                result = not self.nullable(node[1])
            case "repeat":
                result = node[2] == 0 or self.nullable(node[1])
            case "rule":
                self.nullable_memo[e] = False
                result = self.nullable(self.rules[e])
            case _:
                result = False
        self.nullable_memo[e] = result
        return result

    def derivative(self, e: int, byte: int) -> int:
        known = self.memo.get((e, byte))
        if known is None:
            known = self.memo[e, byte] = self._derive(e, byte)
        return known

    def _derive(self, e: int, byte: int) -> int:
        node = self.nodes[e]
        match node[0]:
            case "bytes":
                return self.EMPTY_STRING if byte in node[1] else self.NO_MATCH
            case "concat":
                first = self._pair(self.derivative(node[1], byte), node[2])
                return self.union([first, self.derivative(node[2], byte)]) if self.nullable(node[1]) else first
            case "or":
                return self.union([self.derivative(x, byte) for x in node[1]])
            case "and":
                return self.intersection([self.derivative(x, byte) for x in node[1]])
            case "not":
                return self.complement(self.derivative(node[1], byte))
            case "repeat":
                x, least, most = node[1:]
                rest = self.repeat(x, max(least - 1, 0), most if most < 0 else most - 1)
                return self._pair(self.derivative(x, byte), rest)
            case "rule":
                return self.derivative(self.rules[e], byte)
        return self.NO_MATCH

    def live_bytes(self, e: int) -> bytes:
        return bytes(b for b in range(256) if not self.is_empty(self.derivative(e, b)))

    def matches(self, e: int, text: bytes) -> bool:
        for byte in text:
            e = self.derivative(e, byte)
            if e == self.NO_MATCH:
                return False
        return self.nullable(e)

    def is_empty(self, e: int, max_states: int = 20_000) -> bool:
        """By looking at every state; AssertionError where there are too many."""
        seen, todo = {e}, [e]
        while todo:
            state = todo.pop()
            if self.nullable(state):
                return False
            for byte in range(256):
                after = self.derivative(state, byte)
                if after not in seen:
                    assert len(seen) < max_states, "too many states for the reference"
                    seen.add(after)
                    todo.append(after)
        return True

    def size(self) -> int:
        return len(self.nodes)

    def to_string(self, e: int) -> str:
        node = self.nodes[e]
        match node[0]:
            case "no":
                return "∅"
            case "empty":
                return "ε"
            case "bytes":
                return repr(bytes(sorted(node[1])))[1:] if len(node[1]) < 9 else f"<{len(node[1])} bytes>"
            case "concat":
                return f"{self.to_string(node[1])}{self.to_string(node[2])}"
            case "or" | "and":
                return "(" + ("|" if node[0] == "or" else "&").join(map(self.to_string, sorted(node[1]))) + ")"
            case "not":
                return f"~({self.to_string(node[1])})"
            case "repeat":
                return f"({self.to_string(node[1])}){{{node[2]},{node[3] if node[3] >= 0 else ''}}}"
        return f"@{node[1]}"
