"""2,000 seeded generations over 50 constraints: every text must parse and validate, every checked mask must be right.

The generator is adversarial, not a model: it draws tokens from the mask by chance, prefers nothing that a model would
prefer, ends where it may with some probability, and walks the shortest way home after 120 tokens. The oracles share no
code with the engine: `re.fullmatch`, a Python set, `jsonschema` with its format checker. One mask in 40 is compared bit
for bit with brute force over the whole vocabulary.

    python -m benchmarks.soundness [--seeds 40] [--tokenizer ../shared/phi3-tokenizer]

Prints what was checked and exits 1 when anything was wrong. The dummy prefix is checked with it: half of the
generations begin as a turn.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema

import constrain

ROOT = Path(__file__).resolve().parents[1]
REGEXES = [
    r"\d{4}-\d{2}-\d{2}", r"[A-Z]\d{2}(\.\d{1,4})?", r"(?i)yes|no|maybe", r"[^\"]{0,50}", r"(\w+ ){2,5}\w+\.", r"\p{Lu}\p{Ll}+".replace(r"\p{Lu}", "[A-Z]").replace(r"\p{Ll}", "[a-z]"),
    r"[\w.+-]+@[\w-]+\.[a-z]{2,6}", r"(a|ab)(c|bcd)(d*)", r"(?=.*\d)[a-z0-9]{4,8}", r"(?!.*aa)[ab]{1,12}", r"\bfoo\b.*", r"x*y?z+",
    r"(?s).{1,20}", r"#[0-9a-fA-F]{6}", r"(GET|POST) /[a-z/]{0,30} HTTP/1\.[01]", r"é+ü?日{1,3}", r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?",
    r"(?x) \d{3} - \d{4}  # a number", r"[\s\S]{3}", r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)",
]  # fmt: skip
CHOICES = [
    ["yes", "no"], ["a", "ab", "abc"], [" leading", "  two", "none"], ["é", "日本", "😀"], [f"{c}{i:02d}.{i % 10}" for c in "ABCDEF" for i in range(100)],
]  # fmt: skip
OPEN = {"type": "object", "properties": {"id": {"type": "integer"}, "tag": {"enum": ["x", "y", None]}}, "required": ["id"]}
SCHEMAS: list[dict] = [
    {"type": "integer", "minimum": -5, "maximum": 1203},
    {"type": "number", "exclusiveMinimum": 0, "maximum": 2.5},
    {"type": "string", "minLength": 2, "maxLength": 9},
    {"type": "string", "pattern": "^[a-z]+\\d?$"},
    {"type": "string", "pattern": "b\\d"},
    {"type": "string", "format": "date"},
    {"type": "string", "format": "date-time"},
    {"type": "string", "format": "uuid"},
    {"type": "string", "format": "ipv4"},
    {"type": "string", "format": "email"},
    {"type": "boolean"},
    {"enum": [1, "one", None, [1], {"k": True}]},
    {"const": {"a": [1, 2], "b": "é\"\\"}},
    OPEN,
    {**OPEN, "additionalProperties": False},
    {**OPEN, "additionalProperties": {"type": "boolean"}},
    {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 4},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}], "items": False},
    {"type": "array", "items": {"anyOf": [{"type": "null"}, {"type": "string", "maxLength": 3}]}},
    {"$defs": {"tree": {"type": "object", "properties": {"v": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}, "maxItems": 2}}, "required": ["v"], "additionalProperties": False}}, "$ref": "#/$defs/tree"},
    {"oneOf": [{"type": "object", "properties": {"k": {"const": "a"}, "x": {"type": "integer"}}, "required": ["k", "x"]}, {"type": "object", "properties": {"k": {"const": "b"}}, "required": ["k"]}]},
    {"allOf": [{"type": "string"}, {"minLength": 3}, {"pattern": "^[a-c]*$"}]},
    {"type": ["string", "null"], "maxLength": 4},
    {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "array", "items": {"type": "boolean"}}}, "required": ["b"]}}, "required": ["a"], "additionalProperties": False},
    {},
]  # fmt: skip


def constraints() -> list[tuple[str, constrain.Expr, Callable[[str], bool]]]:
    """Name, expression, and an oracle that says whether a text is right."""
    made: list[tuple[str, constrain.Expr, Callable[[str], bool]]] = []
    for pattern in REGEXES:
        made.append((f"regex {pattern}", constrain.regex(pattern), lambda t, p=pattern: re.fullmatch(p, t) is not None))
    for strings in CHOICES:
        made.append((f"choice {strings[:3]}", constrain.choice(strings), lambda t, s=frozenset(strings): t in s))
    for schema in SCHEMAS:
        checker = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
        made.append((f"schema {json.dumps(schema)[:60]}", constrain.json_schema(schema), lambda t, c=checker: c.is_valid(json.loads(t))))
    return made


def brute_force(expr: constrain.Expr, state: int, vocabulary: constrain.Vocabulary) -> list[int]:
    left_out = set(vocabulary.excluded) | set(vocabulary.end_ids)
    allowed = [
        i for i, token in enumerate(vocabulary.tokens)
        if token and i not in left_out and expr.set.advance(state, token)[1] == len(token)
    ]  # fmt: skip
    return sorted(allowed + (vocabulary.end_ids if expr.set.nullable(state) else []))


class Run:
    """One pass over everything; `problems` says what was wrong."""

    def __init__(self, vocabulary: constrain.Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.num_texts = self.num_masks = self.num_tokens = 0
        self.problems: list[str] = []

    def generate(self, name: str, constraint: constrain.Constraint, is_right: Callable[[str], bool], seed: int) -> None:
        rng = random.Random(f"{name} {seed}")
        is_turn = seed % 2 == 1
        matcher = constraint.matcher("turn" if is_turn else "continue")
        expr, data = constraint.expr, b""
        for step in range(2000):
            allowed = matcher.allowed_tokens()
            if not allowed:
                self.problems.append(f"{name} seed {seed}: an empty mask behind {data!r}")
                return
            self.num_tokens += 1
            text = data[1:] if is_turn and data[:1] == b" " else data
            if not is_turn and rng.random() < 1 / 40:
                self.num_masks += 1
                state = expr.set.advance(expr.root, data)[0]
                if allowed != brute_force(expr, state, self.vocabulary):
                    self.problems.append(f"{name} seed {seed}: a wrong mask behind {data!r}")
            if matcher.is_accepting() and (rng.random() < 0.25 or step > 120):
                break
            text_tokens = [t for t in allowed if t not in self.vocabulary.end_ids]
            if not text_tokens:
                break
            token = rng.choice(text_tokens)
            if step > 120 and data:
                token = self.nearest(expr, text, rng.sample(text_tokens, min(200, len(text_tokens))))
            if not matcher.accept_token(token):
                self.problems.append(f"{name} seed {seed}: token {token} is in the mask and was not accepted")
                return
            data += self.vocabulary.tokens[token] or b""
        else:
            self.problems.append(f"{name} seed {seed}: did not end in 2000 tokens")
            return
        self.judge(name, seed, data[1:] if is_turn and data[:1] == b" " else data, is_right)

    def nearest(self, expr: constrain.Expr, data: bytes, tokens: list[int]) -> int:
        state = expr.set.advance(expr.root, data)[0]
        return min(tokens, key=lambda t: expr.set.min_length(expr.set.advance(state, self.vocabulary.tokens[t] or b"")[0]))

    def judge(self, name: str, seed: int, data: bytes, is_right: Callable[[str], bool]) -> None:
        self.num_texts += 1
        try:
            right = is_right(data.decode())
        except ValueError as error:
            self.problems.append(f"{name} seed {seed}: {data!r} does not parse: {error}")
            return
        if not right:
            self.problems.append(f"{name} seed {seed}: {data!r} is not valid")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--tokenizer", default=str(ROOT.parent / "shared" / "phi3-tokenizer"))
    options = parser.parse_args()
    vocabulary = constrain.Vocabulary.from_tokenizer(options.tokenizer, size=32064)
    run = Run(vocabulary)
    made = constraints()
    for name, expr, is_right in made:
        constraint = constrain.compile(expr, vocabulary)
        for seed in range(options.seeds):
            run.generate(name, constraint, is_right, seed)
    print(
        f"{len(made)} constraints, {run.num_texts} texts of {run.num_tokens} tokens judged, "
        f"{run.num_masks} masks compared bit for bit, {len(run.problems)} problems"
    )
    for problem in run.problems[:40]:
        print("-", problem[:300])
    return 1 if run.problems else 0


if __name__ == "__main__":
    sys.exit(main())
