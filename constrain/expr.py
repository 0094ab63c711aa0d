"""Floor 2: the algebra as Python sees it.

An `Expr` is a node (`root`) in an arena of nodes (`set`). Front-ends make one arena per call; combining two expressions
copies the smaller arena's expression into the larger one, so arenas never show in the public names. Languages are sets
of byte strings in the core and sets of texts here: `~` and `sample` stay within valid UTF-8.
Laws held by tests/test_algebra.py.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from constrain._native import ExprSet
from constrain.errors import ConstrainError, LimitExceeded, UnsatisfiableError, UnsupportedError
from constrain.specials import is_number, shown

__all__ = ["Explanation", "Expr", "utf8_text"]


def utf8_text(expr_set: ExprSet) -> int:
    """Every well-formed UTF-8 text (RFC 3629: no surrogates, nothing overlong), as a node of `expr_set`."""
    continuation = expr_set.byte_range(0x80, 0xBF)

    def sequence(*ranges: tuple[int, int], tail: int = 0) -> int:
        return expr_set.concat([expr_set.byte_range(a, b) for a, b in ranges] + [continuation] * tail)

    character = expr_set.union(
        [
            expr_set.byte_range(0x00, 0x7F),
            sequence((0xC2, 0xDF), tail=1),
            sequence((0xE0, 0xE0), (0xA0, 0xBF), tail=1),
            sequence((0xE1, 0xEC), tail=2),
            sequence((0xED, 0xED), (0x80, 0x9F), tail=1),
            sequence((0xEE, 0xEF), tail=2),
            sequence((0xF0, 0xF0), (0x90, 0xBF), tail=2),
            sequence((0xF1, 0xF3), tail=3),
            sequence((0xF4, 0xF4), (0x80, 0x8F), tail=2),
        ]
    )
    return expr_set.repeat(character, 0, -1)


@dataclass(frozen=True)
class Explanation:
    """Why a text does not match, or that it does.

    `matches`: the whole text is in the language. `offset`: bytes of the longest good prefix. `allowed`: the bytes that
    could stand there. `may_end`: the text could end there. `part`: the open parts of the constraint, innermost first.
    `expected`: what remains there, as an expression in print.
    """

    matches: bool
    text: str
    offset: int
    allowed: bytes
    may_end: bool
    part: tuple[str, ...]
    expected: str

    @property
    def position(self) -> int:
        """The failing place in code points."""
        return len(self.text.encode("utf-8", "surrogatepass")[: self.offset].decode("utf-8", "ignore"))

    def __bool__(self) -> bool:
        return self.matches

    def __str__(self) -> str:
        if self.matches:
            return "the text matches"
        at = self.position
        found = "the text ends" if at >= len(self.text) else f"{self.text[at]!r} stands"
        where = f" in {self.part[0]!r}" if self.part else ""
        line_start = self.text.rfind("\n", 0, at) + 1
        shown = self.text[max(line_start, at - 60) : at + 20].split("\n")[0] if at < len(self.text) else self.text[
            max(line_start, at - 60) :
        ]
        caret = " " * (at - max(line_start, at - 60)) + "^"
        return (
            f"{found} at offset {at}{where}, where {_spell(self.allowed, self.may_end)} would be accepted\n"
            f"  {shown}\n  {caret}\n  expected: {self.expected}"
        )


def _spell(allowed: bytes, may_end: bool) -> str:
    """A short list of bytes for people: printable ASCII as it is, runs as ranges, the rest by number."""
    runs: list[list[int]] = []
    for b in allowed:
        if runs and runs[-1][1] == b - 1 and chr(b).isalnum() == chr(runs[-1][1]).isalnum():
            runs[-1][1] = b
        else:
            runs.append([b, b])
    show = [repr(chr(b)) if 32 <= b < 127 else {9: r"'\t'", 10: r"'\n'", 13: r"'\r'"}.get(b, f"0x{b:02x}") for b in range(256)]
    names = [show[a] if a == b else f"{show[a]}..{show[b]}" for a, b in runs]
    if any(b >= 0xFE for b in allowed):
        names = [name for name in names if name not in ("0xfe", "0xff")] + ["a special token"]
    if len(names) > 12:
        names = [*names[:12], f"{len(names) - 12} more"]
    if may_end:
        names.append("the end")
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else "nothing"


class Expr:
    """A language of texts; made by the front-ends and by the operators.

    Operators: `+` concatenation (with `str` too), `|` union, `&` intersection, `~` complement within valid text.

    >>> import constrain
    >>> yes = constrain.choice(["yes", "no"]) + "!"
    >>> yes.matches("no!"), yes.matches("no")
    (True, False)
    """

    __slots__ = ("root", "set")

    def __init__(self, expr_set: ExprSet, root: int) -> None:
        self.set = expr_set
        self.root = root

    def _joined(self, other: Expr | str) -> tuple[ExprSet, int, int]:
        """Both roots in one arena: the larger of the two."""
        if isinstance(other, str):
            return self.set, self.root, self.set.lexeme(self.set.literal(encode(other)))
        if other.set is self.set:
            return self.set, self.root, other.root
        if other.set.size() > self.set.size():
            return other.set, other.set.copy_from(self.set, self.root), other.root
        return self.set, self.root, self.set.copy_from(other.set, other.root)

    def __add__(self, other: Expr | str) -> Expr:
        if not isinstance(other, (Expr, str)):
            return NotImplemented
        expr_set, a, b = self._joined(other)
        return Expr(expr_set, expr_set.concat([expr_set.fenced(a), b]))

    def __radd__(self, other: str) -> Expr:
        if not isinstance(other, str):
            return NotImplemented
        expr_set, a, b = self._joined(other)
        return Expr(expr_set, expr_set.concat([b, a]))

    def __or__(self, other: Expr | str) -> Expr:
        if not isinstance(other, (Expr, str)):
            return NotImplemented
        expr_set, a, b = self._joined(other)
        return Expr(expr_set, expr_set.union([a, b]))

    __ror__ = __or__

    def __and__(self, other: Expr | str) -> Expr:
        if not isinstance(other, (Expr, str)):
            return NotImplemented
        expr_set, a, b = self._joined(other)
        if len(required := expr_set.required()) > 1 and any(map(is_number, required)):
            what = f"'&' of tokens by number beside others ({', '.join(required)})"
            raise UnsupportedError("&", "of tokens by number", f"expr: {what} is not supported; one list of numbers alone is")
        return Expr(expr_set, expr_set.intersection([a, b]))

    __rand__ = __and__

    def __invert__(self) -> Expr:
        return Expr(self.set, self.set.intersection([self.set.complement(self.root), utf8_text(self.set)]))

    def repeat(self, min: int = 0, max: int | None = None) -> Expr:
        """From `min` to `max` texts of this language in a row (`None`: any number). The count is symbolic."""
        if min < 0 or (max is not None and max < min):
            raise ConstrainError(f"repeat: 0 <= min <= max is needed, given min={min}, max={max}")
        return Expr(self.set, self.set.repeat(self.set.fenced(self.root), min, -1 if max is None else max))

    def optional(self) -> Expr:
        """This or nothing."""
        return self.repeat(0, 1)

    def matches(self, text: str) -> bool:
        """Whether the whole text is in the language."""
        return self.set.matches(self.root, encode(text))

    def is_empty(self) -> bool:
        """Whether no text at all is in the language."""
        return self.set.is_empty(self.root)

    def explain(self, text: str) -> Explanation:
        """Where and why the text leaves the language: see `Explanation`."""
        data = encode(text)
        if self.is_empty():
            return Explanation(False, text, 0, b"", False, (), "nothing: no text satisfies the constraint")
        state, offset = self.set.advance(self.root, data)
        may_end = self.set.nullable(state)
        return Explanation(
            matches=offset == len(data) and may_end,
            text=text,
            offset=offset,
            allowed=self.set.live_bytes(state),
            may_end=may_end,
            part=tuple(self.set.labels(state)),
            expected=self.set.to_string(state),
        )

    def sample(self, seed: int = 0, max_random_bytes: int = 60) -> str:
        """A random text of the language: `max_random_bytes` bytes by chance, then the shortest way to the end.

        Special tokens stand in it by their names. Deterministic in `seed`. Raises `UnsatisfiableError` where there is no text.

        >>> import constrain
        >>> constrain.regex("[ab]{3}").sample(seed=1) in {a + b + c for a in "ab" for b in "ab" for c in "ab"}
        True
        """
        if self.is_empty():
            raise UnsatisfiableError("sample: no text satisfies the constraint")
        rng = random.Random(seed)
        state, out = self.root, bytearray()
        while len(out) < max_random_bytes and not (self.set.nullable(state) and rng.random() < 0.2):
            classes = self.set.live_classes(state)
            if not classes:
                break
            byte = self._choose(state, classes, rng)
            state = self.set.step(state, byte)
            out.append(byte)
        way = self.set.shortest_way(state)
        if way is None:
            raise LimitExceeded("max_length", None, 1 << 20, "sample: no way to the end of the text was found within 1 MB")
        return shown(bytes(out) + way) if self.set.required() else (bytes(out) + way).decode("utf-8")

    def _choose(self, state: int, classes: list[bytes], rng: random.Random) -> int:
        """By chance: each successor state alike, and printable ASCII mostly."""
        printable = [kept for c in classes if (kept := bytes(b for b in c if 32 <= b < 127))]
        classes = printable if printable and rng.random() < 0.95 else classes
        targets: dict[int, bytes] = {}
        for c in classes:
            target = self.set.step(state, c[0])
            targets[target] = targets.get(target, b"") + c
        return rng.choice(targets[rng.choice(sorted(targets))])

    def __repr__(self) -> str:
        return f"<Expr {self.set.to_string(self.root, 100)}>"


def encode(text: str) -> bytes:
    """UTF-8 bytes; a lone surrogate is a `ConstrainError`."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        at = error.start
        raise ConstrainError(
            f"text: lone surrogate {text[at]!r} at offset {at}; only Unicode scalar values have UTF-8 bytes"
        ) from None
    except AttributeError:
        raise ConstrainError(f"text: a str is needed, given {type(text).__name__}") from None
