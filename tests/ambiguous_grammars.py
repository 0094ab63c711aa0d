"""Ambiguous grammars, each with accepted texts of any length: what a parser of all readings must take in its stride.

All are Lark texts for the letter-by-letter reading (`lexer="dynamic"`). `texts` gives about n characters, exactly
`len(text) <= n` and more than n - 40; the number of readings grows exponentially with n in most. Held by
tests/test_ambiguous_grammars.py; the time a character takes at n and at 2 n is measured with them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ambiguous:
    """`accept`: an accepted text of about n characters. `reject`: small texts that are not."""

    name: str
    grammar: str
    accept: Callable[[int], str]
    reject: tuple[str, ...]


def repeated(*pieces: str, head: str = "", tail: str = "") -> Callable[[int], str]:
    """head, then the pieces in turn as long as they fit, then tail."""

    def text(n: int) -> str:
        out, size, i = [head], len(head) + len(tail), 0
        while size + len(pieces[i % len(pieces)]) <= n:
            out.append(pieces[i % len(pieces)])
            size += len(out[-1])
            i += 1
        return "".join([*out, tail])

    return text


def nested(opening: str, middle: str, closing: str) -> Callable[[int], str]:
    """middle, within as many pairs as fit."""

    def text(n: int) -> str:
        depth = max(0, n - len(middle)) // (len(opening) + len(closing))
        return opening * depth + middle + closing * depth

    return text


def nested_conditions(n: int) -> str:
    """Conditions in conditions, most of which have an else: there are many ways to say which."""
    depth = max(1, (n - 1) // 15)
    return "if c then " * depth + "s" + " else s" * min(depth, max(0, n - 1 - 10 * depth) // 7)


GRAMMARS = [
    Ambiguous(
        "operators without precedence",
        'start: start ("+" | "-" | "*" | "/" | "**" | "<" | "<<") start | "(" start ")" | /[0-9]+/',
        repeated("+12", "*3", "-(4**5)", "<<6", "/7", "<89", head="1"),
        ("", "1+", "+1", "1***2", "(1", "1<<<2"),
    ),
    Ambiguous("doubling", 'start: start start | "a"', repeated("a"), ("", "b", "aab")),
    Ambiguous("doubling or nothing", 'start: start start | "a" |', repeated("a"), ("b", "aba")),
    Ambiguous("tripling", 'start: start start start | start start | "a"', repeated("a"), ("", "ab")),
    Ambiguous(
        "dangling else",
        'start: "if c then " start | "if c then " start " else " start | "s"',
        nested_conditions,
        ("", "if c then ", "s else s", "if c then s else"),
    ),
    Ambiguous("lists of lists", 'start: row*\nrow: cell*\ncell: "a"? "b"?', repeated("a", "b", "b"), ("c", "ac")),
    Ambiguous("lists of optional pairs", 'start: (pair?)+\npair: item? ","? item?\nitem: "x" | "y"', repeated("x", ",", "y", ","), ("z", "x;")),
    Ambiguous("hidden left recursion", 'start: maybe start "x" | "y"\nmaybe: ("z" maybe)?', repeated("x", head="zzy"), ("", "x", "yz", "xy")),
    Ambiguous("recursion on both sides", 'start: maybe start maybe "x" | "y"\nmaybe: "x"?', repeated("x", head="xy"), ("", "xx", "yxy")),
    Ambiguous("indirect left recursion", 'start: a\na: b "x" | "x"\nb: c "y" | a | "y"\nc: a "z" | b | "z"', repeated("x", head="y"), ("", "y", "xy", "xw")),
    Ambiguous("signs", 'start: start "-" start | "-" start | start "-" | "n"', repeated("-", "-", "n", head="n-n"), ("", "-", "nn", "n-n+")),
    Ambiguous("regexes", 'start: start "|" start | start start | start "*" | "(" start? ")" | /[a-z]/ | "."', repeated("a", "|b", "(c.)*", "d", "*", "()", head="x"), ("", "*", "a|", "(a", "|a")),
    Ambiguous("optional separators", 'start: item ((";" | ",")? " "* item)*\nitem: word+\nword: /[a-z]+/', repeated("ab", ";", "cd", ", ", "ef", head="x", tail="y"), ("", ";a", "a;;b", "a;")),
    Ambiguous(
        "noun phrases",
        'start: "we saw " phrase\nphrase: noun | phrase " " preposition " " phrase\nnoun: ("the ")? ("old " | "man " | "sea ")* ("man" | "sea" | "old")\npreposition: "in" | "on" | "by"',
        repeated(" in the old man", " by sea", " on the sea old man", head="we saw the man"),
        ("", "we saw", "we saw the", "we saw man in", "we saw man sea by the"),
    ),
    Ambiguous(
        "types with arrows",
        'start: start " -> " start | start " | " start | start start_arg | name | "(" start ")"\nstart_arg: " " start\nname: /[A-Z]/ | "List"',
        repeated(" -> A", " | List", " B", " -> (C -> D)", head="A"),
        ("", "A ->", "-> A", "A  B", "(A"),
    ),
    Ambiguous("balanced or not", 'start: ("(" start ")" | "(" | ")" | start start)?', nested("(", "()", ")"), ("x", "(x)")),
    Ambiguous("palindromes", 'start: "a" start "a" | "b" start "b" | "a" | "b" |', nested("ab", "a", "ba"), ("ab", "aab", "c")),
    Ambiguous("two kinds of words", 'start: (word | number | mixed) (" "? (word | number | mixed))*\nword: /[a-z]+/\nnumber: /[0-9]+/\nmixed: /[a-z0-9]+/', repeated("ab", "12", " ", "c3", head="x", tail="9"), ("", " a", "a ", "a  b")),
    Ambiguous("unit rules in a circle", 'start: a\na: b | a "x"\nb: c | b "y"\nc: a | "z" | c "x"', repeated("x", "y", "x", head="z"), ("", "x", "zw")),
    Ambiguous("unions of the same", 'start: (a | b | c)*\na: "x" | "xx"\nb: "xx" | "xxx"\nc: "x" "x"* "y"?', repeated("x", "x", "x", "y"), ("y", "xyy", "z")),
    Ambiguous("counts without borders", 'start: chunk~2..6 "."\nchunk: /[a-c]/*', repeated("a", "b", "c", tail="."), ("", "a", "..", "d.")),
    Ambiguous(
        "statements and blanks",
        'start: (ws statement ws)+\nstatement: "{" start? ws "}" | name ws ";" | name ws "=" ws start_value ws ";"\nstart_value: name | start_value ws start_value\nname: /[a-z]+/\nws: /[ \\n]/*',
        repeated(" a = b c ; ", "\n{ d; { e ; } }\n", "f;", " ", head="x;"),
        ("", "a", "a=;", "{a}", "a; }"),
    ),
]
