"""Masks bit for bit against brute force; random walks; applying masks to logits."""

from __future__ import annotations

import random

import numpy as np
import pytest

import constrain
from constrain import ConstrainError
from constrain._native import ExprSet
from constrain.expr import Expr, utf8_text

from . import grammar_corpus


def json_value(s: ExprSet) -> int:
    """A JSON value with recursion, open keys by And and Not, counted strings: each mask mechanism has its part."""
    cont = s.byte_range(0x80, 0xBF)
    plain = bytes(b for b in range(0x20, 0x80) if b not in b'"\\')
    char = s.union(
        [
            s.byte_set(plain),
            s.concat([s.byte_range(0xC2, 0xDF), cont]),
            s.concat([s.byte_range(0xE1, 0xEC), cont, cont]),
            s.concat([s.literal(b"\\"), s.byte_set(b'"\\nrt')]),
        ]
    )
    quote = s.literal(b'"')
    string = s.lexeme(s.concat([quote, s.repeat(char, 0, -1), quote]))
    counted = s.lexeme(s.concat([quote, s.repeat(char, 2, 40), quote]))
    ws = s.lexeme(s.repeat(s.byte_set(b" \n\t\r"), 0, 16))
    number = s.lexeme(s.concat([s.repeat(s.literal(b"-"), 0, 1), s.repeat(s.byte_range(48, 57), 1, -1)]))
    comma, colon = s.concat([ws, s.literal(b","), ws]), s.concat([ws, s.literal(b":"), ws])
    value = s.rule("value")
    known = [s.lexeme(s.literal(k)) for k in (b'"name"', b'"nice"', b'"n\xc3\xa9e"')]
    other = s.lexeme(s.intersection([string, s.complement(s.union(known))]))
    array = s.body(s.concat([s.literal(b"["), ws, s.members(comma, [(value, 0, -1)]), ws, s.literal(b"]")]), "#/array")
    entries = [
        (s.concat([known[0], colon, value]), 1, 1),
        (s.concat([known[1], colon, counted]), 0, 1),
        (s.concat([known[2], colon, number]), 0, 1),
        (s.concat([other, colon, value]), 0, -1),
    ]
    members = s.members(comma, entries)
    record = s.body(s.concat([s.literal(b"{"), ws, members, ws, s.literal(b"}")]), "#/object")
    s.define(value, s.union([string, number, array, record, s.lexeme(s.literal(b"true")), s.lexeme(s.literal(b"null"))]))
    return record


def _expressions() -> dict[str, Expr]:
    s = ExprSet()
    text = utf8_text(s)
    record = json_value(s)
    word = s.union([s.literal(b"ab"), s.literal(b"a"), s.byte_range(97, 122)])
    return {
        "json": Expr(s, record),
        "json or text": Expr(s, s.union([record, s.concat([s.literal(b"no: "), s.lexeme(text)])])),
        "text without foo": Expr(s, s.intersection([text, s.complement(s.concat([text, s.literal(b"foo"), text]))])),
        "ambiguous counts": Expr(s, s.repeat(word, 3, 9)),
        "counted string": Expr(s, s.lexeme(s.concat([s.literal(b"<"), s.repeat(s.byte_range(97, 122), 3, 100), s.literal(b">")]))),
        "codes": Expr(s, s.literals([f"{c}{i:02d}.{i % 7}".encode() for c in "ABC" for i in range(100)])),
        "words and space": Expr(s, s.concat([s.lexeme(s.repeat(s.byte_set(b" \n"), 0, 16)), s.lexeme(text)])),
        "nested nots": Expr(
            s,
            s.intersection(
                [
                    s.repeat(s.byte_range(97, 122), 2, 12),
                    s.complement(s.concat([s.ANYTHING, s.literal(b"aa"), s.ANYTHING])),
                    s.complement(s.concat([s.literal(b"b"), s.ANYTHING])),
                ]
            ),
        ),
    }


def brute_force(expr: Expr, state: int, vocabulary: constrain.Vocabulary) -> np.ndarray:
    """The mask by definition: each token's bytes stepped one by one from the state."""
    allowed = np.zeros((vocabulary.size + 31) // 32 * 32, dtype=bool)
    left_out = set(vocabulary.excluded) | set(vocabulary.end_ids)
    for token_id, token in enumerate(vocabulary.tokens):
        if token and token_id not in left_out:
            allowed[token_id] = expr.set.advance(state, token)[1] == len(token)
    if expr.set.nullable(state):
        allowed[vocabulary.end_ids] = True
    return allowed


def unpacked(bitmask: np.ndarray) -> np.ndarray:
    return np.unpackbits(bitmask.view(np.uint8), bitorder="little").astype(bool)


def walk_and_compare(expr: Expr, vocabulary: constrain.Vocabulary, seed: int, num_steps: int, near: bytes = b"") -> int:
    """Random walks from the start, mostly along `near`; every mask is compared with brute force. The number of masks compared."""
    rng = random.Random(seed)
    matcher = constrain.compile(expr, vocabulary).matcher()
    bitmask = constrain.allocate_token_bitmask(1, vocabulary.size)
    fresh = ExprSet()  # what the masks have learnt must not help the judge
    expr = Expr(fresh, fresh.copy_from(expr.set, expr.root))
    state, text = expr.root, b""
    for step in range(num_steps):
        matcher.fill_next_token_bitmask(bitmask)
        mask = unpacked(bitmask[0])
        expected = brute_force(expr, state, vocabulary)
        assert np.array_equal(mask, expected), (text, np.flatnonzero(mask != expected)[:9])
        choices = np.flatnonzero(mask)
        assert len(choices), f"an empty mask behind {text!r}"
        token = int(rng.choice(choices))
        if near.startswith(text) and text != near and rng.random() < 0.9:
            token = max((int(t) for t in choices if near.startswith(vocabulary.tokens[t] or b"\xff", len(text))), key=lambda t: len(vocabulary.tokens[t]), default=token)
        if token in vocabulary.end_ids:
            assert matcher.is_accepting()
            return step + 1
        assert matcher.accept_token(token)
        state = expr.set.advance(state, vocabulary.tokens[token])[0]
        text += vocabulary.tokens[token]
    return num_steps


@pytest.mark.parametrize("name", list(_expressions()))
def test_masks_equal_brute_force_on_a_small_vocabulary(name, small_vocabulary):
    for seed in range(12):
        walk_and_compare(_expressions()[name], small_vocabulary, seed, 40)


@pytest.mark.parametrize("name", list(_expressions()))
def test_masks_equal_brute_force_on_the_phi_vocabulary(name, phi_vocabulary):
    for seed in range(2):
        walk_and_compare(_expressions()[name], phi_vocabulary, seed, 12)


def crossing_vocabulary(texts: list[str], seed: int, num_tokens: int = 150, num_words: int = 0) -> constrain.Vocabulary:
    """Every byte, and pieces of the texts: tokens that run through several keys and items at once; words beside them."""
    r = random.Random(seed)
    pieces = {bytes([b]) for b in range(256)} | {bytes(r.choices(b"abcdefgh01,:", k=r.choice([2, 3, 4]))) for _ in range(num_words)}
    for _ in range(num_tokens):
        data = r.choice(texts).encode()
        start = r.randrange(len(data))
        pieces.add(data[start : start + r.choice([2, 3, 4, 6, 9, 14, 20])])
    tokens = sorted(pieces)
    return constrain.Vocabulary([*tokens, None], end_ids=[len(tokens)])


KEYED = {
    "any object": ({"type": "object"}, ['{"a":1,"a":2,"":[],"b":{"a":1,"a":2},"ab":3}', '{"b":1,"a":"a","ab":{"a":"b"},"":0}']),
    "at most two": ({"maxProperties": 2, "type": "object"}, ['{"a":1,"a":2,"b":3}', '{"b":1,"a":2}']),
    "at least two": ({"minProperties": 2, "properties": {"a": True}}, ['{"a":1,"b":2,"b":3}', '{"c":1,"b":2,"c":4}', "[1]"]),
    "few names": ({"propertyNames": {"enum": ["a", "b", "ab"]}, "minProperties": 2, "type": "object"}, ['{"a":1,"ab":2,"b":3,"a":0}']),
    "scarce names": ({"propertyNames": {"pattern": "^[a-c]{1,2}x$"}, "type": "object"}, ['{"ax":1,"abx":2,"ax":3}', '{"bx":1,"cx":2,"bx":3}']),
    "witness": ({"type": "object", "not": {"additionalProperties": {"type": "string"}}}, ['{"a":"x","b":1,"a":2}', '{"b":"a","a":"a"}']),
    "strings": ({"type": "array", "items": {"type": "string"}, "uniqueItems": True}, ['["a","b","a","","ab",""]', '["ab","a","ab"]']),
    "numbers": ({"type": "array", "items": {"type": "number"}, "uniqueItems": True}, ["[1,1.0,2,-0,0,1.50,1.5]", "[2,10,1,1.5,1.25,2.0]"]),
    "few numbers": ({"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 12}, "uniqueItems": True, "minItems": 3}, ["[1,1,2,12,10,0]"]),
    "mixed": ({"type": "array", "items": {"type": ["boolean", "null", "string"]}, "uniqueItems": True}, ['[true,null,false,"a",true,"a",null]']),
    "either": ({"anyOf": [{"type": "object", "maxProperties": 3}, {"type": "object", "additionalProperties": {"type": "object"}}]}, ['{"a":{},"a":{"b":1,"b":2},"b":{}}']),
}  # fmt: skip


@pytest.mark.parametrize("order", ["schema", "any"])
@pytest.mark.parametrize("name", list(KEYED))
def test_masks_of_keys_that_must_differ_equal_brute_force(name, order):
    schema, texts = KEYED[name]
    for seed in range(4):
        expr = constrain.json_schema(schema, whitespace="compact", property_order=order)
        vocabulary = crossing_vocabulary(texts, seed)
        for walk in range(3):
            walk_and_compare(expr, vocabulary, 10 * seed + walk, 30)
    vocabulary = crossing_vocabulary(texts, 9, num_words=2500)  # so many that masks are composed
    walk_and_compare(constrain.json_schema(schema, whitespace="compact", property_order=order), vocabulary, 1, 25)


@pytest.mark.parametrize("name", grammar_corpus.names())
def test_masks_of_grammars_equal_brute_force(name, phi_vocabulary):
    grammar = grammar_corpus.load(name)
    expr = constrain.lark(grammar.text, lexer=grammar.lexer)
    for seed, record in enumerate(random.Random(name).sample(grammar.accept, 6)):
        walk_and_compare(expr, phi_vocabulary, seed, 8, record.text.encode())


def test_a_comment_behind_which_nothing_fits_is_in_no_mask(phi_vocabulary):
    expr = constrain.lark('start: NAME "=" NAME\nNAME: /[a-z]+/\n%ignore " "\n%ignore /#[^\\n]*/')  # the rest of the line would be comment
    for seed in range(4):
        walk_and_compare(expr, phi_vocabulary, seed, 6, b"a =b #c")
    assert not expr.matches("a=#b") and expr.matches("a=b#c") and expr.explain("a#").offset == 1


@pytest.mark.parametrize(
    "grammar, near",
    [
        ('start: A | "!" B\nA: /[a-z]+/\nB: / [a-z]+/\n%ignore " "', "!  ab"),  # the blank goes on in B's texts
        ('start: T\nT: /st[a-z]*|!/\n%ignore / [a-s]*/', " ab state"),
        ('start: (T | V)*\nT: /t+/\nV: / return\'?/', "ttt return t"),
        ('start: NUM TAIL | "f" FLOAT\nNUM: /[0-9]+/\nFLOAT.2: /[0-9]+\\.[0-9]+/\nTAIL: /\\.[0-9a-z]+/', "12.a5"),
    ],
)
def test_masks_that_attacks_found_wrong(grammar, near, phi_vocabulary):
    expr = constrain.lark(grammar, lexer="basic")
    for seed in range(3):
        walk_and_compare(expr, phi_vocabulary, seed, 5, near.encode())


def test_masks_do_not_depend_on_what_was_asked_before(phi_vocabulary):
    """Shared parts from one constraint serve the next: the second of two equal constraints masks alike."""
    for name, expr in _expressions().items():
        again = _expressions()[name]
        rows = []
        for e in (expr, again):
            matcher = constrain.compile(e, phi_vocabulary).matcher()
            bitmask = constrain.allocate_token_bitmask(1, phi_vocabulary.size)
            matcher.fill_next_token_bitmask(bitmask)
            rows.append(bitmask.copy())
        assert np.array_equal(rows[0], rows[1]), name


def test_equal_tokens_are_allowed_together_and_padding_never():
    vocabulary = constrain.Vocabulary([b"a", b"b", b"a", None], end_ids=[3], size=40)
    matcher = constrain.compile(constrain.regex("ab"), vocabulary).matcher()
    assert matcher.allowed_tokens() == [0, 2]


def test_a_byte_that_no_token_spells_is_an_error_that_names_it():
    vocabulary = constrain.Vocabulary([b"a", b"b", None], end_ids=[2])
    with pytest.raises(constrain.UnsatisfiableError, match="0xc3.*offset 1"):
        constrain.compile(constrain.regex("aé"), vocabulary)


def test_a_token_is_masked_where_no_token_can_follow():
    # "b" cannot be written alone, so "a" must not be taken where "ab" is meant.
    vocabulary = constrain.Vocabulary([b"a", b"ab", b"c", None], end_ids=[3])
    matcher = constrain.compile(constrain.regex("ab|ac"), vocabulary).matcher()
    assert matcher.allowed_tokens() == [0, 1]
    matcher = constrain.compile(constrain.regex("ab|cab"), vocabulary).matcher()
    assert matcher.allowed_tokens() == [1, 2]


def test_random_walks_never_get_stuck_and_always_can_finish(small_vocabulary):
    rng = random.Random(3)
    for name, expr in _expressions().items():
        constraint = constrain.compile(expr, small_vocabulary)
        for _ in range(20):
            matcher, text = constraint.matcher(), b""
            for _ in range(60):
                allowed = matcher.allowed_tokens()
                assert allowed, (name, text)
                token = rng.choice(allowed)
                assert matcher.accept_token(token)
                if matcher.is_terminated():
                    break
                text += small_vocabulary.tokens[token]
            else:
                state = expr.set.advance(expr.root, text)[0]
                while not expr.set.nullable(state):  # the shortest way home gets shorter with each byte
                    length = expr.set.min_length(state)
                    state = min((expr.set.step(state, b) for b in expr.set.live_bytes(state)), key=expr.set.min_length)
                    assert expr.set.min_length(state) < length
                continue
            assert expr.set.matches(expr.root, text), (name, text)


# ------------------------------------------------------------------------------------------------ logits


def _reference(logits: np.ndarray, bitmask: np.ndarray) -> np.ndarray:
    out = logits.astype(np.float32).copy()
    for row in range(out.shape[0]):
        out[row, ~unpacked(bitmask[row])[: out.shape[1]]] = -np.inf
    return out


@pytest.mark.parametrize("width", [1, 31, 32, 33, 100, 32064])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_masks_apply_to_numpy_logits_in_place(width, dtype):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3, width)).astype(dtype)
    bitmask = rng.integers(-(2**31), 2**31, size=(3, (width + 31) // 32)).astype(np.int32)
    bitmask[1] = 0
    bitmask[2] = -1
    expected = _reference(logits, bitmask)
    constrain.apply_token_bitmask_inplace(logits, bitmask)
    assert np.array_equal(logits.astype(np.float32), expected)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_masks_apply_to_torch_logits_in_place(dtype):
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 1000, generator=generator).to(getattr(torch, dtype))
    bitmask = torch.randint(-(2**31), 2**31, (2, 32), generator=generator).to(torch.int32)
    expected = _reference(logits.float().numpy(), bitmask.numpy())
    view = torch.empty(2, 2000, dtype=logits.dtype)[:, ::2]
    view.copy_(logits)
    for target in (logits, view, torch.nn.Parameter(logits.clone())):
        constrain.apply_token_bitmask_inplace(target, bitmask)
        assert np.array_equal(target.detach().float().numpy(), expected)


def test_masks_apply_on_an_accelerator_when_there_is_one():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no accelerator on this machine")
    logits = torch.randn(2, 1000, dtype=torch.bfloat16, device="cuda")
    bitmask = torch.randint(-(2**31), 2**31, (2, 32)).to(torch.int32)
    expected = _reference(logits.float().cpu().numpy(), bitmask.numpy())
    constrain.apply_token_bitmask_inplace(logits, bitmask)
    assert np.array_equal(logits.float().cpu().numpy(), expected)


def test_the_device_path_unpacks_as_the_core_does():
    torch = pytest.importorskip("torch")
    from constrain.bitmask import _apply_on_device

    logits = torch.randn(2, 1000)
    bitmask = torch.randint(-(2**31), 2**31, (2, 32)).to(torch.int32)
    expected = _reference(logits.numpy(), bitmask.numpy())
    _apply_on_device(logits, bitmask)
    assert np.array_equal(logits.numpy(), expected)


@pytest.mark.parametrize(
    ("logits", "bitmask"),
    [
        (np.zeros((1, 64), np.float32), np.zeros((1, 3), np.int32)),
        (np.zeros((2, 64), np.float32), np.zeros((1, 2), np.int32)),
        (np.zeros((1, 64), np.int64), np.zeros((1, 2), np.int32)),
        (np.zeros((1, 64), np.float32), np.zeros((1, 2), np.int64)),
        ([0.0] * 64, np.zeros((1, 2), np.int32)),
    ],
)
def test_logits_that_do_not_fit_are_a_clear_error(logits, bitmask):
    with pytest.raises(ConstrainError, match="logits|bitmask"):
        constrain.apply_token_bitmask_inplace(logits, bitmask)
