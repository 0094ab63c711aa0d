"""The grammars in `grammars/` and their records, read from the files; Lark's verdict under the same reading.

The format of the records is that of grammars/README.md: records between lines `-----`; a first line that begins with `@` has
the offset (of texts to be rejected), the word `escapes`, and a note behind `#`. Nothing here knows the package: tests,
benchmarks and the oracle of offsets (grammar_liveness.py) share it. Held by tests/test_grammars.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import lark

FOLDER = Path(__file__).resolve().parents[1] / "grammars"
SEPARATOR = "-----"
READINGS = ("contextual", "basic", "dynamic")
ESCAPE = re.compile(r"\\(?:([nrt\\])|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")


@dataclass(frozen=True)
class Record:
    """A text, and for one to be rejected the bytes of its longest prefix that can still be continued to an accepted text."""

    text: str
    offset: int | None
    line: int

    @property
    def is_incomplete(self) -> bool:
        return self.offset == len(self.text.encode())


@dataclass(frozen=True)
class Grammar:
    """A file of grammars/ with its records. `lexer` and `parser` are the reading that its head names."""

    name: str
    text: str
    lexer: str
    parser: str
    accept: tuple[Record, ...]
    reject: tuple[Record, ...]


def unescape(text: str, where: str) -> str:
    r"""`\n \r \t \\ \xHH \uHHHH \UHHHHHHHH` as characters, line breaks left out; any other backslash is an error."""

    def character(m: re.Match[str]) -> str:
        letter, *codes = m.groups()
        return {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}[letter] if letter else chr(int(next(filter(None, codes)), 16))

    if "\\" in ESCAPE.sub("", text):
        raise ValueError(f"{where}: a backslash that begins no escape")
    return ESCAPE.sub(character, text.replace("\n", ""))


def read_records(path: Path, with_offsets: bool) -> tuple[Record, ...]:
    """The records of one file; every mistake in it is a ValueError with the line."""
    lines = path.read_bytes().decode().removesuffix("\n").split("\n")
    groups: list[tuple[int, list[str]]] = [(1, [])]
    for number, line in enumerate(lines, 1):
        if line == SEPARATOR:
            groups.append((number + 1, []))
        else:
            groups[-1][1].append(line)
    records = [read_record(group, with_offsets, f"{path.name}:{start}", start) for start, group in groups]
    texts = [record.text for record in records]
    if twice := {t for t in texts if texts.count(t) > 1}:
        raise ValueError(f"{path.name}: there twice: {sorted(twice)!r}")
    return tuple(records)


def read_record(lines: list[str], with_offset: bool, where: str, start: int) -> Record:
    head = lines[0] if lines and lines[0].startswith("@") else None
    if not lines or (with_offset and head is None):
        raise ValueError(f"{where}: a record begins with its text or a line of @, with the offset where it is to be rejected")
    words = head[1:].split("#")[0].split() if head is not None else []
    body = "\n".join(lines[head is not None :])
    offset = int(words.pop(0)) if with_offset else None
    if words not in ([], ["escapes"]):
        raise ValueError(f"{where}: unknown words {words}")
    return Record(unescape(body, where) if words else body, offset, start)


def declared(text: str, what: str, among: tuple[str, ...], default: str | None = None) -> str:
    found = re.findall(rf"^// {what}: (\w+)$", text, re.M) or [default]
    if len(found) != 1 or found[0] not in among:
        raise ValueError(f"one line «// {what}: …» with one of {among} is needed, found {found}")
    return str(found[0])


def read_grammar(name: str) -> Grammar:
    text = (FOLDER / f"{name}.lark").read_bytes().decode()
    lexer = declared(text, "lexer", READINGS)
    parser = declared(text, "parser", ("lalr", "earley"), "earley" if lexer == "dynamic" else "lalr")
    accept = read_records(FOLDER / f"{name}.accept.txt", with_offsets=False)
    return Grammar(name, text, lexer, parser, accept, read_records(FOLDER / f"{name}.reject.txt", with_offsets=True))


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.lark"))


@cache
def load(name: str) -> Grammar:
    return read_grammar(name)


@cache
def lark_of(text: str, lexer: str, parser: str, start: str = "start") -> lark.Lark:
    """Lark itself under the reading: the letter-by-letter one is its `dynamic_complete`."""
    return lark.Lark(text, start=start, parser=parser, lexer="dynamic_complete" if lexer == "dynamic" else lexer)


def lark_accepts(grammar: Grammar, text: str) -> bool:
    """Lark's verdict on a whole text."""
    try:
        lark_of(grammar.text, grammar.lexer, grammar.parser).parse(text)
    except lark.exceptions.UnexpectedInput:
        return False
    return True
