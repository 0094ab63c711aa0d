r"""Regexes: `constrain.regex`, and the compiler from a syntax tree to an expression over any spelling of characters.

`compile_regex(pattern, alphabet)` is the compiler. The alphabet (utf8.py) says how a set of characters is spelt in bytes;
a JSON string's alphabet spells `"` as `\"`, and the compiler need not know. Three stages: regex_syntax.py reads the text,
regex_looks.py settles the assertions by equations, what it leaves goes through regex_automaton.py; then each node of the
tree becomes one of the algebra.

Invariants: the expression matches exactly the texts that `re.fullmatch` (Python syntax) or ECMA-262's `RegExp.test`
accepts, or the pattern is refused; surrogates are no text. No recursion over the tree. Held by tests/test_regex.py.
"""

from __future__ import annotations

import re
from typing import Any

from .._native import ExprSet
from ..errors import RegexError
from ..expr import Expr
from .regex_automaton import automaton_table
from .regex_looks import ANY_TEXT, Unsettled, settle
from .regex_syntax import parse, read_flags
from .regex_tree import INFINITE, Chars, Concat, Meet, Node, Repeat, Text, Union, concat
from .utf8 import Alphabet, Utf8Alphabet

__all__ = ["compile_regex", "regex"]



def regex(
    pattern: str | re.Pattern[str], flags: str | int = 0, *, syntax: str = "python", search: bool | None = None
) -> Expr:
    r"""The texts that a regex matches in full, as an expression.

    `pattern` has the syntax of Python's `re`, with `\p{…}` and look-behind of any width besides; `flags` are letters of
    "aimsux" or an int of `re`'s. `syntax="ecma"` reads ECMA-262 in unicode mode as JSON Schema does, and then a match
    anywhere is enough; `search` says so explicitly. Raises RegexError where the pattern is not well-formed,
    UnsupportedError for what cannot be exact (back-references), LimitExceeded for a count above 100,000.

    >>> from constrain.frontends.regex import regex
    >>> regex(r"\d{4}-\d{2}").matches("2026-11")
    True
    """
    if isinstance(pattern, re.Pattern):
        flags = flags or pattern.flags
        pattern = pattern.pattern
    if not isinstance(pattern, str):
        raise RegexError(f"regex: the pattern is {type(pattern).__name__} {pattern!r:.80}; a str is needed")
    if syntax not in ("python", "ecma"):
        raise RegexError(f"regex: unknown syntax {syntax!r}; 'python' and 'ecma' are known")
    tree = parse(pattern, read_flags(flags, pattern), syntax)
    expr_set, alphabet = _prepared()
    root = compile_regex(tree, alphabet, search=syntax == "ecma" if search is None else search)
    return Expr(expr_set, expr_set.lexeme(root))


_prelude: tuple[Any, Utf8Alphabet] | None = None


def _prepared() -> tuple[Any, Utf8Alphabet]:
    """A fresh set in which the commonest characters are already spelt, and its alphabet."""
    global _prelude
    if _prelude is None:
        alphabet = Utf8Alphabet(ExprSet())
        for pattern in (r"(?s:.).", r"(?a)\d\w\s"):
            compile_regex(parse(pattern), alphabet)
        _ = alphabet.any_text
        _prelude = alphabet.set, alphabet
    expr_set = _prelude[0].clone()
    return expr_set, _prelude[1].on(expr_set)


def compile_regex(
    pattern: str | Node, alphabet: Alphabet, *, flags: int = 0, syntax: str = "python", search: bool = False
) -> int:
    """The expression, in `alphabet.set`, of the texts that match in full, or anywhere with `search`.

    `pattern` is a tree, or text in `syntax` ("python" or "ecma").
    """
    tree = parse(pattern, flags, syntax) if isinstance(pattern, str) else pattern
    if search:
        tree = concat([ANY_TEXT, tree, ANY_TEXT])
    if not tree.plain:
        try:
            tree = settle(tree)
        except Unsettled:
            return automaton_table(tree, alphabet)
    return _compile_plain(tree, alphabet)


def _compile_plain(tree: Node, alphabet: Alphabet) -> int:
    """Children before parents: the order in which a stack finds them, backwards."""
    order: list[tuple[Node, list[Node]]] = []
    stack = [tree]
    while stack:
        node = stack.pop()
        children = _children(node)
        order.append((node, children))
        stack += children
    made: dict[Node, int] = {}
    for node, children in reversed(order):
        if node not in made:
            made[node] = _compile_node(node, children, made, alphabet)
    return made[tree]


def _children(node: Node) -> list[Node]:
    if isinstance(node, Concat):
        # Sequences directly within sequences are read as one: joining them pair by pair would cost the square.
        return node.parts if not any(type(p) is Concat for p in node.parts) else _flat_parts(node)
    if isinstance(node, Union):
        return node.parts
    if isinstance(node, Repeat):
        return [node.item]
    return [node.item, node.other] if isinstance(node, Meet) else []


def _flat_parts(node: Concat) -> list[Node]:
    flat: list[Node] = []
    stack: list[Node] = [node]
    while stack:
        part = stack.pop()
        if type(part) is Concat:
            stack += reversed(part.parts)
        else:
            flat.append(part)
    return flat


def _compile_node(node: Node, children: list[Node], made: dict[Node, int], alphabet: Alphabet) -> int:
    expr_set = alphabet.set
    if isinstance(node, Text):
        return alphabet.text(node.text)
    if isinstance(node, Chars):
        return alphabet.char(node.points)
    if isinstance(node, Concat):
        return expr_set.concat([made[part] for part in children])
    if isinstance(node, Repeat):
        return expr_set.repeat(made[node.item], node.min, -1 if node.max >= INFINITE else node.max)
    if isinstance(node, Union):
        texts = [part.text for part in node.parts if type(part) is Text]
        if len(texts) < 2:
            return expr_set.union([made[part] for part in node.parts])
        return expr_set.union([alphabet.texts(texts), *(made[p] for p in node.parts if type(p) is not Text)])
    assert isinstance(node, Meet)
    other = made[node.other]
    return expr_set.intersection([made[node.item], expr_set.complement(other) if node.negative else other])
