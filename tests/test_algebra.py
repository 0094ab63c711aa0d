"""The algebra against explicit sets of strings: the oracle shares no code with the core, liveness included."""

from __future__ import annotations

import contextlib
import itertools
import math
import random

import pytest

import constrain
from constrain import ConstrainError, LimitExceeded
from constrain._native import ExprSet

ALPHABET = b"ab"
MAX_LENGTH = 5
UNIVERSE = [bytes(t) for n in range(MAX_LENGTH + 1) for t in itertools.product(ALPHABET, repeat=n)]
EVERYTHING = frozenset(UNIVERSE)

LEAVES = [("bytes", b"a"), ("bytes", b"b"), ("bytes", b"ab"), ("empty",), ("none",), ("all",)]
REPEATS = [(0, 1), (0, -1), (1, -1), (2, 2), (1, 3)]


def trees(size: int) -> list[tuple]:
    """All expression trees with exactly `size` nodes."""
    if size == 1:
        return list(LEAVES)
    result: list[tuple] = []
    for x in trees(size - 1):
        result += [("not", x), ("lexeme", x), ("body", x)] + [("repeat", x, *bounds) for bounds in REPEATS]
    for left in range(1, size - 1):
        for x in trees(left):
            for y in trees(size - 1 - left):
                result += [(op, x, y) for op in ("concat", "or", "and")]
    return result


def denotation(tree: tuple) -> frozenset[bytes]:
    """The texts of at most MAX_LENGTH bytes over the alphabet, by the definitions."""
    op = tree[0]
    if op == "bytes":
        return frozenset(bytes([b]) for b in tree[1])
    if op in ("empty", "none", "all"):
        return {"empty": frozenset([b""]), "none": frozenset(), "all": EVERYTHING}[op]
    if op in ("lexeme", "body"):
        return denotation(tree[1])
    if op == "not":
        return EVERYTHING - denotation(tree[1])
    if op == "repeat":
        x, least, most = denotation(tree[1]), tree[2], tree[3]
        power, result = frozenset([b""]), frozenset([b""]) if least == 0 else frozenset()
        for count in range(1, (MAX_LENGTH + least if most < 0 else most) + 1):
            power = product(power, x)
            if count >= least:
                result |= power
        return result
    x, y = denotation(tree[1]), denotation(tree[2])
    return {"concat": product, "or": frozenset.union, "and": frozenset.intersection}[op](x, y)


def product(x: frozenset[bytes], y: frozenset[bytes]) -> frozenset[bytes]:
    return frozenset(a + b for a in x for b in y if len(a) + len(b) <= MAX_LENGTH)


def build(s: ExprSet, tree: tuple) -> int:
    op = tree[0]
    if op == "bytes":
        return s.byte_set(tree[1])
    if op in ("empty", "none", "all"):
        return {"empty": s.EMPTY_STRING, "none": s.NO_MATCH, "all": s.ANYTHING}[op]
    if op == "repeat":
        return s.repeat(build(s, tree[1]), tree[2], tree[3])
    if op in ("not", "lexeme", "body"):
        return {"not": s.complement, "lexeme": s.lexeme, "body": s.body}[op](build(s, tree[1]))
    parts = [build(s, tree[1]), build(s, tree[2])]
    return {"concat": s.concat, "or": s.union, "and": s.intersection}[op](parts)


def accepted(s: ExprSet, e: int) -> frozenset[bytes]:
    return frozenset(t for t in UNIVERSE if s.matches(e, t))


def check(s: ExprSet, tree: tuple) -> None:
    e = build(s, tree)
    expected = denotation(tree)
    assert accepted(s, e) == expected, (tree, s.to_string(e))
    check_prefixes(s, e, expected, tree)


def check_prefixes(s: ExprSet, e: int, expected: frozenset[bytes], tree: tuple) -> None:
    """No dead prefix of a text is reported dead, and no state that is left alive is without a text behind it."""
    for text in expected:
        state, n = s.advance(e, text)
        assert n == len(text), (tree, text)
    if expected:
        within = s.intersection([e, s.repeat(s.byte_set(ALPHABET), 0, -1)])
        assert not s.is_empty(within), tree
        assert s.min_length(within) == min(map(len, expected)), (tree, s.to_string(e))


def test_all_small_expressions_denote_what_the_definitions_say():
    s = ExprSet()
    for size in (1, 2, 3):
        for tree in trees(size):
            check(s, tree)


def test_random_larger_expressions_denote_what_the_definitions_say():
    rng = random.Random(0)

    def grow(size: int) -> tuple:
        if size <= 1:
            return rng.choice(LEAVES[:3] + LEAVES[:3] + LEAVES)
        op = rng.choice(["not", "lexeme", "body", "repeat", "concat", "concat", "concat", "or", "or", "and"])
        if op == "repeat":
            return (op, grow(size - 1), *rng.choice(REPEATS))
        if op in ("not", "lexeme", "body"):
            return (op, grow(size - 1))
        left = rng.randint(1, max(1, size - 2))
        return (op, grow(left), grow(size - 1 - left))

    for _ in range(1500):
        check(ExprSet(), grow(rng.randint(4, 11)))


def test_a_live_state_always_has_a_text_behind_it():
    """Liveness against an oracle of its own: plain reachability over a product of explicit automata."""
    rng = random.Random(1)
    for _ in range(300):
        s = ExprSet()
        parts = []
        for _ in range(rng.randint(2, 3)):
            word = bytes(rng.choice(ALPHABET) for _ in range(rng.randint(1, 3)))
            n = rng.randint(1, 4)
            shape = rng.choice(["length", "modulo", "contains", "lacks", "begins"])
            unit = s.byte_set(ALPHABET)
            anything = s.repeat(unit, 0, -1)
            found = s.concat([anything, s.literal(word), anything])
            parts.append(
                {
                    "length": s.repeat(unit, 0, n),
                    "modulo": s.repeat(s.repeat(unit, n, n), 0, -1),
                    "contains": found,
                    "lacks": s.complement(found),
                    "begins": s.concat([s.literal(word), anything]),
                }[shape]
            )
        e = s.intersection([*parts, s.repeat(s.byte_set(ALPHABET), 0, -1)])
        # Every state reachable by three bytes: alive exactly where a text of at most 12 more bytes exists.
        for prefix in UNIVERSE[:15]:
            raw = e
            for byte in prefix:
                raw = s.derivative(raw, byte)
            reachable = any(s.nullable(t) for t in closure(s, raw))
            assert s.is_empty(raw) == (not reachable), (s.to_string(e), prefix)
            state, n = s.advance(e, prefix)
            assert not prefix or (n == len(prefix)) == reachable


def closure(s: ExprSet, e: int) -> set[int]:
    seen, todo = {e}, [e]
    while todo:
        x = todo.pop()
        for byte in ALPHABET:
            y = s.derivative(x, byte)
            if y not in seen:
                seen.add(y)
                todo.append(y)
    return seen


# Two columns of equal languages: what a smart constructor must see as one node.
def _laws(s: ExprSet) -> list[tuple[int, int]]:
    a, b, ab = s.byte_set(b"a"), s.byte_set(b"b"), s.byte_set(b"ab")
    x, y, z = s.literal(b"aab"), s.literal(b"ba"), s.repeat(s.literal(b"ab"), 0, -1)
    return [
        (s.concat([x, s.NO_MATCH]), s.NO_MATCH),
        (s.concat([s.EMPTY_STRING, x]), x),
        (s.concat([s.concat([x, y]), z]), s.concat([x, s.concat([y, z])])),
        (s.union([a, b]), ab),
        (s.union([x, y]), s.union([y, x])),
        (s.union([x, x]), x),
        (s.union([x, s.NO_MATCH]), x),
        (s.union([x, s.ANYTHING]), s.ANYTHING),
        (s.union([s.union([x, y]), z]), s.union([x, s.union([y, z])])),
        (s.union([s.concat([x, y]), s.concat([x, z])]), s.concat([x, s.union([y, z])])),
        (s.union([s.concat([a, y]), s.concat([b, y])]), s.concat([ab, y])),
        (s.union([s.EMPTY_STRING, z]), z),
        (s.union([s.repeat(x, 1, 3), s.repeat(x, 3, 7)]), s.repeat(x, 1, 7)),
        (s.union([s.EMPTY_STRING, s.repeat(x, 1, -1)]), s.repeat(x, 0, -1)),
        (s.intersection([x, s.ANYTHING]), x),
        (s.intersection([x, s.NO_MATCH]), s.NO_MATCH),
        (s.intersection([x, s.complement(x)]), s.NO_MATCH),
        (s.intersection([ab, b]), b),
        (s.intersection([s.EMPTY_STRING, z]), s.EMPTY_STRING),
        (s.intersection([s.EMPTY_STRING, x]), s.NO_MATCH),
        (s.intersection([s.concat([a, z]), s.concat([a, y])]), s.concat([a, s.intersection([z, y])])),
        (s.complement(s.complement(x)), x),
        (s.complement(s.NO_MATCH), s.ANYTHING),
        (s.repeat(x, 1, 1), x),
        (s.repeat(x, 0, 0), s.EMPTY_STRING),
        (s.repeat(s.repeat(x, 100, 100), 100, 100), s.repeat(x, 10000, 10000)),
        (s.repeat(s.repeat(x, 0, -1), 0, -1), s.repeat(x, 0, -1)),
        (s.concat([s.repeat(x, 2, 3), s.repeat(x, 1, -1)]), s.repeat(x, 3, -1)),
        (s.repeat(s.byte_range(0, 255), 0, -1), s.ANYTHING),
    ]


def test_each_law_of_the_smart_constructors_holds():
    s = ExprSet()
    for number, (left, right) in enumerate(_laws(s)):
        assert left == right, (number, s.to_string(left), s.to_string(right))
        assert accepted(s, left) == accepted(s, right)


def test_copies_between_sets_keep_the_language_and_meet_their_twins():
    s, t = ExprSet(), ExprSet()
    t.literal(b"something else first")
    for tree in trees(3)[::7]:
        e = build(s, tree)
        f = t.copy_from(s, e)
        assert f == build(t, tree)
        assert accepted(t, f) == denotation(tree)
    twin = s.clone()
    assert twin.size() == s.size()


def test_rules_recur_and_copy():
    s = ExprSet()
    nest = s.rule("nest")
    s.define(nest, s.union([s.literal(b"x"), s.concat([s.literal(b"("), nest, s.literal(b")")])]))
    t = ExprSet()
    copied = t.copy_from(s, nest)
    for expr_set, e in ((s, nest), (t, copied)):
        assert expr_set.matches(e, b"((x))")
        assert not expr_set.matches(e, b"((x)")
        assert expr_set.min_length(e) == 1


def rule_chain(n: int, order: str, kind: str) -> tuple[ExprSet, int]:
    """n rules, each made of the next one."""
    s = ExprSet()
    rules = [s.rule(f"r{i}") for i in range(n)]
    last = {"letters": b"z", "aliases": b"z", "nullable": b"", "pairs": b"z", "fan": b"z"}[kind]
    places = list(range(n))
    if order != "forward":
        places.reverse() if order == "backward" else random.Random(1).shuffle(places)
    for i in places:
        following = rules[(i + 1) % n]
        if kind == "pairs":  # all of them lead to each other
            exit_, other = s.literal(b"z"), s.concat([s.literal(b"b"), rules[i * 7 % n]])
            body = s.union([s.concat([s.literal(b"a"), following, s.literal(b"b")]), exit_ if i == n // 2 else other])
        elif i == n - 1:
            body = s.literal(last)
        elif kind == "aliases":
            body = following
        elif kind == "nullable":
            body = s.union([s.EMPTY_STRING, s.concat([s.literal(b"a"), following])])
        elif kind == "fan" and i == 0:
            body = s.union([s.concat([s.literal(b"c%d" % k), rules[k]]) for k in range(1, n)])
        else:
            body = s.concat([s.literal(b"a"), following])
        s.define(rules[i], body)
    return s, rules[0]


@pytest.mark.parametrize("kind", ["letters", "aliases", "nullable", "pairs", "fan"])
@pytest.mark.parametrize("order", ["forward", "backward", "shuffled"])
def test_fifty_thousand_rules_are_settled_in_whatever_order_they_come(order, kind):
    """Rounds over all rules would take hours: a shuffled chain needs one for nearly every rule."""
    n = 50_000
    s, first = rule_chain(n, order, kind)
    expected = {"letters": n, "aliases": 1, "nullable": 0, "fan": 7}
    assert not s.is_empty(first) and s.nullable(first) == (kind == "nullable")
    if kind == "pairs":
        assert 0 < s.min_length(first) < 100
        small, start = rule_chain(500, order, kind)
        lengths = [math.inf] * 500  # by definition, from the exit outwards
        while True:
            fresh = [min(lengths[(i + 1) % 500] + 2, 1 if i == 250 else lengths[i * 7 % 500] + 1) for i in range(500)]
            if fresh == lengths:
                break
            lengths = fresh
        assert small.min_length(start) == lengths[0]
    else:
        assert s.min_length(first) == expected[kind]


def lengths_by_rounds(rules: list[tuple]) -> list[float]:
    """The lengths of the shortest texts, by definition: rounds until nothing gets shorter."""
    lengths = [math.inf] * len(rules)

    def of(tree: tuple) -> float:
        op, *parts = tree
        if op == "text":
            return len(parts[0])
        if op == "rule":
            return 1 + lengths[parts[0]]
        if op == "repeat":
            return of(parts[0]) * parts[1] if parts[1] else 0
        return min(map(of, parts)) if op == "or" else sum(map(of, parts))

    while True:
        fresh = [of(tree) for tree in rules]
        if fresh == lengths:
            return lengths
        lengths = fresh


@pytest.mark.parametrize("seed", range(150))
def test_lengths_of_recursive_rules_are_the_least(seed):
    r = random.Random(seed)
    n = r.randrange(1, 9)

    def tree(depth: int) -> tuple:
        op = r.choice(["text", "rule", "or", "concat", "repeat"] if depth else ["text", "rule", "rule"])
        if op == "text":
            return "text", bytes(r.choice(b"abc") for _ in range(r.randrange(1, 5)))
        if op == "rule":
            return "rule", r.randrange(n)
        if op == "repeat":
            return "repeat", tree(depth - 1), r.randrange(3)
        return op, *(tree(depth - 1) for _ in range(r.randrange(1, 4)))

    s = ExprSet()
    rules = [s.rule(f"r{i}") for i in range(n)]

    def made(tree: tuple) -> int:
        op, *parts = tree
        if op == "text":
            return s.literal(parts[0])
        if op == "rule":
            return s.concat([s.literal(b"x"), rules[parts[0]]])
        if op == "repeat":
            return s.repeat(made(parts[0]), parts[1], -1)
        return (s.union if op == "or" else s.concat)([made(part) for part in parts])

    trees = [tree(3) for _ in range(n)]
    for i in r.sample(range(n), n):
        s.define(rules[i], made(trees[i]))
    for rule, length in zip(rules, lengths_by_rounds(trees), strict=True):
        assert s.min_length(rule) == (-1 if length == math.inf else length)
        assert s.is_empty(rule) == (length == math.inf) and s.nullable(rule) == (length == 0)


def test_a_complement_that_depends_on_itself_is_refused():
    s = ExprSet()
    rule = s.rule("liar")
    s.define(rule, s.union([s.literal(b"a"), s.complement(rule)]))
    with pytest.raises(ConstrainError, match="a complement depends on itself"):
        s.matches(rule, b"a")


@pytest.mark.parametrize("is_scarce", [True, False])
@pytest.mark.parametrize("seed", range(40))
def test_entries_that_want_the_same_keys_cost_what_different_keys_cost(seed, is_scarce):
    """Two entries over one language of keys, more of them than were ever counted one by one; and lengths lead home."""
    r = random.Random(seed)
    s = ExprSet()
    letters = s.concat([s.repeat(s.byte_set(b"kl"), 1, 5), s.literal(b":")])
    tails = [r.randrange(1, 4), r.randrange(1, 4)]
    counts = [r.randrange(0, 12), r.randrange(1, 12)]
    entries = [(s.keyed(letters, s.literal(b"v" * tail), is_scarce), count, -1) for tail, count in zip(tails, counts, strict=True)]
    low = sum(counts) + r.randrange(3)
    e = s.members(s.literal(b","), entries, 0, low)
    keys = sorted(n for n in range(1, 6) for _ in range(2**n))[:low]
    fill = low - sum(counts)
    expected = sum(keys) + low + sum(map(math.prod, zip(tails, counts, strict=True))) + fill * min(tails) + low - 1
    assert s.min_length(e) == expected and s.num_loose_lengths() == 0
    state, length = e, expected
    while not s.nullable(state):
        following = [s.step(state, b) for b in s.live_bytes(state)]
        state = r.choice([x for x in following if s.min_length(x) == min(map(s.min_length, following))])
        assert s.min_length(state) == length - 1
        length -= 1


def test_unproductive_rules_are_empty():
    s = ExprSet()
    loop = s.rule("loop")
    s.define(loop, s.concat([s.literal(b"("), loop, s.literal(b")")]))
    assert s.is_empty(loop)
    assert s.live_bytes(s.union([loop, s.literal(b"y")])) == b"y"


@pytest.mark.parametrize("kind", ["direct", "indirect", "hidden"])
def test_left_recursion_is_refused_by_name(kind):
    s = ExprSet()
    first, second = s.rule("first"), s.rule("second")
    s.define(second, s.concat([first, s.literal(b"b")]) if kind == "indirect" else s.literal(b"b"))
    head = {"direct": [first], "indirect": [second], "hidden": [s.repeat(s.literal(b"q"), 0, -1), first]}[kind]
    s.define(first, s.union([s.literal(b"a"), s.concat([*head, s.literal(b"a")])]))
    with pytest.raises(ConstrainError, match=r"left recursion: rule '(first|second)'"):
        s.matches(first, b"a")


def test_an_undefined_rule_is_named():
    s = ExprSet()
    rule = s.rule("ghost")
    with pytest.raises(ConstrainError, match="ghost"):
        s.matches(rule, b"a")


def test_members_are_separated_entries_in_order():
    entries = [(b"a", 0, 1), (b"b", 1, 2), (b"c", 0, -1)]
    s = ExprSet()
    e = s.members(s.literal(b","), [(s.literal(item), least, most) for item, least, most in entries])
    expected = {
        b",".join([b"a"] * i + [b"b"] * j + [b"c"] * k) for i in range(2) for j in range(1, 3) for k in range(4)
    }
    alphabet = [b"a", b"b", b"c"]
    for n in range(6):
        for choice in itertools.product(alphabet, repeat=n):
            text = b",".join(choice)
            assert s.matches(e, text) == (text in expected or (text.count(b"c") > 3 and text.rstrip(b",c") + b",c" in expected))
    for broken in (b",b", b"b,", b"ab", b"b,,c"):
        assert not s.matches(e, broken)
    assert s.min_length(e) == 1


def allowed_members(entries: list[tuple], num_ordered: int, low: int, high: int) -> set[tuple[str, ...]]:
    """The sequences of members, by definition: entries as (texts, min, max, keyed), each member given to some entry."""
    longest = 4
    found: set[tuple[str, ...]] = set()

    def grow(members: tuple[str, ...], counts: tuple[int, ...], position: int, keys: frozenset[str]) -> None:
        complete = all(n >= least for n, (_, least, _, _) in zip(counts, entries, strict=True))
        if complete and len(members) >= low:
            found.add(members)
        if len(members) == min(longest, high if high >= 0 else longest):
            return
        for i, (texts, _, most, keyed) in enumerate(entries):
            if i < num_ordered and (i < position or position >= num_ordered):
                continue
            if 0 <= most <= counts[i]:
                continue
            after = tuple(n + (j == i) for j, n in enumerate(counts))
            place = i if i < num_ordered else num_ordered
            if any(after[j] < entries[j][1] for j in range(place)):
                continue
            for text in texts:
                if not (keyed and text[0] in keys):
                    grow((*members, text), after, place, keys | {text[0]} if keyed else keys)

    grow((), (0,) * len(entries), 0, frozenset())
    return found


def prefixes_of(found: set[tuple[str, ...]]) -> set[str]:
    return {text[:i] for members in found for text in [",".join(members)] for i in range(len(text) + 1)}


@pytest.mark.parametrize("seed", range(120))
def test_members_in_any_order_with_totals_and_keys_that_come_once(seed):
    r = random.Random(seed)
    pool = [["a1"], ["b2"], ["c3", "d3"], ["e4", "e5", "f4", "i4"], ["g", "h"]]
    entries = []
    for texts in r.sample(pool, r.randrange(1, 4)):
        keyed = texts[0] in ("c3", "e4")
        least = r.choice([0, 0, 1])
        entries.append((texts, least, max(least, r.choice([1, 1, 2, 2 if keyed else 4])), keyed))
    num_ordered, low, high = r.randrange(len(entries) + 1), r.choice([0, 0, 1, 2]), r.choice([-1, -1, 2, 3])
    expected = allowed_members(entries, num_ordered, low, high)
    s = ExprSet()
    made = []
    for texts, least, most, keyed in entries:
        parts = [s.keyed(s.literal(t[:1].encode()), s.literal(t[1:].encode()), seed % 2 == 0) if keyed else s.literal(t.encode()) for t in texts]
        made.append((s.union(parts), least, most))
    e = s.members(s.literal(b","), made, num_ordered, low, high)
    texts = [t for group in pool for t in group]
    for n in range(4):
        for members in itertools.product(texts, repeat=n):
            assert s.matches(e, ",".join(members).encode()) == (members in expected), (members, entries, num_ordered, low, high)
    assert s.is_empty(e) == (not expected)
    if expected:
        assert s.min_length(e) == min(len(",".join(members)) for members in expected)


@pytest.mark.parametrize("is_scarce", [True, False])
def test_no_key_comes_twice_however_many_came(is_scarce):
    s = ExprSet()
    letters = s.repeat(s.byte_range(97, 122), 1, -1)
    e = s.members(s.literal(b","), [(s.keyed(s.lexeme(s.concat([letters, s.literal(b":")])), s.literal(b"1"), is_scarce), 0, -1)])
    r = random.Random(3)
    state, seen = e, []
    for i in range(600):
        key = "".join(r.choice("abcd") for _ in range(r.randrange(1, 6))).encode()
        before = b"" if i == 0 else b","
        after, n = s.advance(state, before + key + b":1")
        assert (n == len(before + key) + 2) == (key not in seen)
        if key not in seen:
            state, seen = after, [*seen, key]
    assert len(seen) > 200
    twin = ExprSet()
    copy = twin.copy_from(s, state)
    for key in (seen[0], seen[-1], b"zzz"):
        assert twin.matches(copy, b"," + key + b":1") == s.matches(state, b"," + key + b":1") == (key == b"zzz")


def test_keys_that_are_decimals_are_equal_by_value():
    s = ExprSet()
    digit = s.byte_range(48, 57)
    digits = s.repeat(digit, 1, -1)
    number = s.concat([s.repeat(s.literal(b"-"), 0, 1), digits, s.repeat(s.concat([s.literal(b"."), digits]), 0, 1)])
    e = s.members(s.literal(b","), [(s.keyed(number, s.EMPTY_STRING), 0, -1)])
    for text in (b"1,2", b"1,1.5", b"-1,1", b"10,1", b"1.5,1.51", b"0,1,2"):
        assert s.matches(e, text), text
    for text in (b"1,1", b"1.0,1", b"1,1.00", b"1.5,1.50", b"0,-0", b"-0.0,0", b"1,2,3,2.0"):
        assert not s.matches(e, text), text


def test_tables_are_trimmed_and_match():
    s = ExprSet()
    # Binary numbers divisible by three, and a trap state that must not show.
    moves = [(0, 48, 0), (0, 49, 1), (1, 48, 2), (1, 49, 0), (2, 48, 1), (2, 49, 2), (0, 120, 3), (3, 120, 3)]
    e = s.table(4, 0, [0], moves)
    for n in range(200):
        assert s.matches(e, f"{n:b}".encode()) == (n % 3 == 0)
    assert s.live_bytes(e) == b"01"
    assert s.table(1, 0, [], []) == s.NO_MATCH


@pytest.mark.parametrize("n", [20_000, 100_000])
def test_nothing_recurses_over_its_input(n):
    s = ExprSet()
    s.set_limits(64 << 20, 1 << 22, 20_000)
    e = s.literal(b"a")
    for _ in range(n):
        e = s.repeat(s.concat([e, s.literal(b"b")]), 0, -1)
    with contextlib.suppress(LimitExceeded):  # a spine of n per level: the answer, or the limit's name
        assert s.matches(e, b"ab")
    assert s.min_length(e) == 0
    s.to_string(e)
    ExprSet().copy_from(s, e)
    s = ExprSet()
    spine = s.concat([s.repeat(s.byte_set(bytes([i % 200])), 0, 1) for i in range(n)])
    assert s.nullable(spine)
    assert s.matches(spine, bytes([7]))
    long_words = s.union([s.literal(b"x" * n + b"1"), s.literal(b"x" * n + b"2")])
    assert s.matches(long_words, b"x" * n + b"2")


def test_fuel_ends_a_blow_up_with_a_typed_error():
    s = ExprSet()
    s.set_limits(1 << 30, 500, 1000)
    ab = s.byte_set(b"ab")
    e = s.concat([s.repeat(ab, 0, -1), s.literal(b"a"), s.repeat(ab, 400, 400), s.literal(b"c")])
    rng = random.Random(0)
    with pytest.raises(LimitExceeded) as caught:
        for _ in range(200):
            s.matches(e, bytes(rng.choice(b"ab") for _ in range(900)))
    assert caught.value.limit in ("max_steps", "max_memory_bytes")


def test_a_cancelled_set_stops_and_goes_on_when_let():
    s = ExprSet()
    e = s.literal(b"abc")
    s.cancel()
    with pytest.raises(LimitExceeded, match="cancelled"):
        s.matches(e, b"abc")
    s.cancel(False)
    assert s.matches(e, b"abc")


def test_tables_that_differ_are_never_one():
    s = ExprSet()
    one = s.table(3, 0, [1], [(0, 97, 1), (0, 98, 2), (2, 0, 2), (2, 99, 1)])  # a | b \0* c
    other = s.table(3, 0, [1], [(0, 97, 1), (0, 98, 2), (1, 0, 2), (2, 99, 1)])  # (a | b c) (\0 c)*
    assert one != other and s.matches(one, b"b\0c") and not s.matches(other, b"b\0c") and s.matches(other, b"a\0c")
    assert s.literals([b"a" * 50000]) != s.literals([b"a" * 5762, b"a" * 50000])  # a state numbered 44,238


def test_an_intersection_keeps_what_follows_from_its_greedy_lexemes():
    x, y = (constrain.lark(f'start: "1" T | "{k}" T\nT: /a+/') for k in (2, 3))
    assert ((x & y) + "ab").matches("1aaab") and (x + "ab").matches("1aaab")
