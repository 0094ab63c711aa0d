"""Random walks by masks, over schemas whose states intersect and complement languages.

    python -m tests.json_schema_walks FIRST_SEED COUNT

Each step takes a token that the mask allows, by one of several biases; after `FREE_TOKENS` the walk takes the shortest way
to the end. A mask is never empty before the end, allows exactly what is accepted, each walk ends, and each finished text is
valid.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import constrain
from tests.json_schema_draws import Schemas, random_options
from tests.json_schema_fuzz import Case, Result, failed, guarded, shrunk

FREE_TOKENS = 150
MAX_TOKENS = 2000
WANTED = (
    "allOf", "anyOf", "oneOf", "not", "if", "unevaluatedProperties", "unevaluatedItems", "uniqueItems", "minProperties", "maxProperties",
    "propertyNames", "patternProperties", "contains", "dependentSchemas",
)  # fmt: skip
BIASES = ("uniform", "uniform", "closing", "quotes", "short", "structure", "again", "again")


class Words(NamedTuple):
    """A vocabulary, and its tokens by kind."""

    vocabulary: constrain.Vocabulary
    kinds: dict[str, np.ndarray]
    by_byte: dict[int, int]
    ends: np.ndarray

    @classmethod
    def of(cls, vocabulary: constrain.Vocabulary) -> Words:
        tokens = [t or b"" for t in vocabulary.tokens] + [b""] * (vocabulary.size - len(vocabulary.tokens))

        def mark(holds: Any) -> np.ndarray:
            return np.array([bool(t) and holds(t) for t in tokens])

        kinds = {
            "closing": mark(lambda t: t.strip()[:1] in (b'"', b"]", b"}")),
            "quotes": mark(lambda t: b'"' in t or b"," in t),
            "short": mark(lambda t: len(t) == 1),
            "structure": mark(lambda t: not t.strip(b'[]{}",: 01tfn')),
        }
        ends = np.zeros(vocabulary.size, bool)
        ends[list(vocabulary.end_ids)] = True
        return cls(vocabulary, kinds, {t[0]: i for i, t in enumerate(tokens) if len(t) == 1}, ends)


class Walk:
    """One walk through one constraint."""

    def __init__(self, constraint: constrain.Constraint, words: Words, r: random.Random, start: str) -> None:
        self.constraint, self.words, self.r = constraint, words, r
        self.matcher = constraint.matcher(start)
        self.bitmask = constrain.allocate_token_bitmask(1, words.vocabulary.size)
        self.bias = r.choice(BIASES)
        self.is_turn = start == "turn"
        self.tokens: list[int] = []
        self.slowest = 0.0

    def run(self) -> str:
        """What went wrong, or ''."""
        while True:
            allowed = self.allowed()
            if not allowed.any():
                return "empty mask"
            if not self.agrees(allowed):
                return "mask disagrees"
            token = self.choose(allowed)
            if not self.matcher.accept_token(token):
                return "allowed token refused"
            if self.words.ends[token]:
                return ""
            self.tokens.append(token)
            if len(self.tokens) > MAX_TOKENS:
                return "no end"

    def allowed(self) -> np.ndarray:
        start = time.perf_counter()
        self.matcher.fill_next_token_bitmask(self.bitmask)
        self.slowest = max(self.slowest, time.perf_counter() - start)
        bits = np.unpackbits(np.asarray(self.bitmask[0]).view(np.uint8), bitorder="little")
        return bits[: self.words.vocabulary.size].astype(bool)

    def agrees(self, allowed: np.ndarray) -> bool:
        """Now and then: is each of a few tokens accepted exactly where the mask allows it?"""
        if self.r.random() < 0.8:
            return True
        some = [self.pick(self.words.kinds[kind]) for kind in ("quotes", "structure", "short", "structure")]
        some += [self.pick(allowed) for _ in range(3)] + self.r.sample(self.tokens, min(6, len(self.tokens)))
        return all(self.matcher.is_token_allowed(t) == allowed[t] for t in some)

    def choose(self, allowed: np.ndarray) -> int:
        """A token by the walk's bias; the shortest way once the walk is long."""
        if len(self.tokens) >= FREE_TOKENS:
            return self.shortest(allowed)
        ends = allowed & self.words.ends
        if ends.any() and self.r.random() < (0.3 if self.bias == "closing" else 0.08):
            return self.pick(ends)
        if self.bias == "again" and self.tokens and self.r.random() < 0.6:  # keys and items that are there already
            token = self.r.choice(self.tokens)
            return token if allowed[token] else self.pick(allowed)
        preferred = self.words.kinds.get(self.bias)
        if preferred is not None and self.r.random() < 0.7 and (allowed & preferred).any():
            return self.pick(allowed & preferred)
        return self.pick(allowed)

    def pick(self, allowed: np.ndarray) -> int:
        found = np.flatnonzero(allowed)
        return int(found[self.r.randrange(len(found))])

    def shortest(self, allowed: np.ndarray) -> int:
        """An end token, or the byte whose state is nearest to the end."""
        ends = allowed & self.words.ends
        if ends.any():
            return self.pick(ends)
        s = self.constraint.expr.set
        state, num = s.advance(self.constraint.expr.root, self.spelled().encode("utf-8", "surrogateescape"))
        steps = [(s.min_length(s.step(state, b)), b) for b in s.live_bytes(state) if allowed[self.words.by_byte.get(b, -1)]]
        steps = [step for step in steps if step[0] >= 0]
        if not steps:
            closers = allowed & self.words.kinds["closing"]
            return self.pick(closers if closers.any() else allowed)
        return self.words.by_byte[min(steps)[1]]

    def spelled(self) -> str:
        """The text so far; bytes of an unfinished character as surrogates."""
        data = b"".join(self.words.vocabulary.tokens[t] or b"" for t in self.tokens)
        if self.is_turn and data[:1] == b" ":
            data = data[1:]
        return data.decode("utf-8", "surrogateescape")


def wanted(schema: Any) -> bool:
    """Does the schema combine schemas?"""
    text = json.dumps(schema)
    return any(f'"{keyword}"' in text for keyword in WANTED)


def draw(seed: int) -> tuple[random.Random, Any, dict[str, Any]]:
    """The first schema from this seed on that combines schemas."""
    r = random.Random(seed)
    while True:
        schema = Schemas(r).document()
        if wanted(schema):
            return r, schema, random_options(r)


def check(seed: int, words: Words, num_walks: int = 4) -> Result:
    """One schema and some walks."""
    r, schema, options = draw(seed)
    case = Case.of(schema, options)
    if isinstance(case, str) or case.expr is None:
        return failed(case if isinstance(case, str) else "unsatisfiable", schema, options)
    constraint = constrain.compile(case.expr, words.vocabulary, constrain.Limits(max_memory_bytes=128 << 20, max_steps=1 << 19))
    figures: Counter[str] = Counter()
    for _ in range(num_walks):
        walk = Walk(constraint, words, r, r.choice(["continue", "continue", "turn"]))
        try:
            wrong = walk.run()
        except constrain.LimitExceeded:
            return Result("limit", "", figures)
        figures += Counter({"walks": 1, "tokens": len(walk.tokens), "steered": int(len(walk.tokens) > FREE_TOKENS)})
        figures["longest"] = max(figures["longest"], len(walk.tokens))
        figures["slowest mask, ms"] = max(figures["slowest mask, ms"], int(walk.slowest * 1000))
        text = walk.spelled()
        wrong = wrong or guarded(partial(case.wrong, text)) or ""
        if wrong:
            problem = f"{wrong} after {text!r} by {json.dumps(schema)} with {options}"
            return Result(wrong, problem, figures, (schema, options, text))
    return Result("right", "", figures)


def same_wrong(kind: str, words: Words) -> Any:
    """Does a case fail in the given way? A wrong mask is sought behind the same text, over all tokens."""

    def fails(schema: Any, options: dict[str, Any], text: str) -> bool:
        case = Case.of(schema, options)
        if not isinstance(case, Case) or case.expr is None:
            return case == kind
        if kind not in ("empty mask", "no end", "allowed token refused", "mask disagrees"):
            return case.wrong(text) == kind
        walk = Walk(constrain.compile(case.expr, words.vocabulary), words, random.Random(0), "continue")
        if not walk.matcher.accept_bytes(text.encode("utf-8", "surrogateescape")):
            return False
        allowed = walk.allowed()
        if kind in ("empty mask", "no end"):
            return not allowed.any()
        some = np.flatnonzero(allowed | words.kinds["quotes"] | words.kinds["structure"] | words.kinds["short"])
        return any(walk.matcher.is_token_allowed(int(t)) != allowed[t] for t in some)

    return fails


def default_words() -> Words:
    """The real vocabulary where the shared data are, else bytes and some longer tokens."""
    from tests.conftest import SHARED

    if (SHARED / "phi3-tokenizer").exists():
        return Words.of(constrain.Vocabulary.from_tokenizer(str(SHARED / "phi3-tokenizer"), size=32064))
    pieces = ["ab", "abc", '":', '","', '":"', '{"', '"}', " {", "true", "null", "  ", "12", "é", '": ', ", "]
    return Words.of(constrain.Vocabulary([None, *(bytes([b]) for b in range(256)), *(p.encode() for p in pieces)], end_ids=[0]))


def main(first: int, count: int) -> int:
    words = default_words()
    outcomes: Counter[str] = Counter()
    figures: Counter[str] = Counter()
    worst: list[tuple[int, int]] = []
    num_wrong = 0
    for seed in range(first, first + count):
        result = check(seed, words)
        outcomes[result.outcome] += 1
        if result.outcome == "limit":
            print(f"seed {seed}: a limit was met")
        worst.append((result.texts["slowest mask, ms"], seed))
        for name, n in result.texts.items():
            figures[name] = max(figures[name], n) if name in ("longest", "slowest mask, ms") else figures[name] + n
        if result.case is not None:
            num_wrong += 1
            schema, options, text = shrunk(*result.case, same_wrong(result.outcome, words))
            found = {"schema": schema, "options": options, "text": text, "wrong": result.outcome, "seed": seed}
            print(json.dumps(found), flush=True)
    print(dict(outcomes), dict(figures), "slowest masks (ms, seed)", sorted(worst)[-5:])
    return num_wrong


if __name__ == "__main__":
    sys.exit(min(1, main(int(sys.argv[1]), int(sys.argv[2]))))
