r"""The texts of moments, addresses and patterns as pydantic reads them, in JSON Schema's words.

Moments need no zone, as in what pydantic itself writes. Patterns of Rust's and Python's engines are translated, or
refused where the engines differ. Held by tests/test_types.py.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NoReturn

from ...errors import UnsupportedError
from .formats import FORMATS

__all__ = [
    "ASCII", "BY_FORMAT", "BY_FUNCTION", "EMAIL", "REFUSED_FORMATS", "bounds", "date_schema", "duration_schema", "matching",
    "moment_schema", "portable", "refuse", "time_schema", "url_schema",
]  # fmt: skip


def refuse(made: Any, feature: str) -> NoReturn:
    where = f"in field {made.field_now!r}" if made.field_now else ""
    message = f"json schema: {feature} is not supported {where}".rstrip()
    raise UnsupportedError(f"json schema: {feature}", where, f"{message}; no schema says which texts pydantic would accept")


def matching(pattern: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^(?:{pattern})$", **more}


def bounds(low: float, high: float) -> dict[str, float]:
    return ({"minimum": low} if low > -math.inf else {}) | ({"maximum": high} if high < math.inf else {})


ASCII = r"^[\t\n\r -~]*$"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
_OFFSET = "[+-](?:[01][0-9]|2[0-3]):[0-5][0-9]"
_DURATION = (
    r"[+-]?P(?=[0-9T])(?:[0-9]{1,5}Y)?(?:[0-9]{1,6}M)?(?:[0-9]{1,6}W)?(?:[0-9]{1,7}D)?"
    r"(?:T(?=[0-9])(?:[0-9]{1,5}H)?(?:[0-9]{1,6}M)?(?:[0-9]{1,9}(?:\.[0-9]{1,6})?S)?)?"
)
_SECOND = datetime.timedelta(seconds=1)
_DAY = datetime.timedelta(days=1)


def _at_least(low: str) -> str:
    """Texts of digits at fixed places that do not sort before `low`, whatever follows."""
    above = [f"{low[:i]}[{int(c) + 1}-9]" for i, c in enumerate(low) if c.isdigit() and c < "9"]
    return f"^(?:{'|'.join([low, *above])})"


def _at_most(high: str) -> str:
    """Texts of digits at fixed places that do not sort after `high`; at `high` itself no fraction may follow."""
    below = [f"{high[:i]}[0-{int(c) - 1}]" for i, c in enumerate(high) if c.isdigit() and c > "0"]
    return f"^(?:{'|'.join([high + '(?:[Z+-]|$)', *below])})"


def _edges(core: Any, now: Any) -> Iterator[tuple[str, Any]]:
    """The bounds of a type, that of `past` or `future` among them."""
    yield from ((name, core[name]) for name in ("ge", "gt", "le", "lt") if core.get(name) is not None)
    if core.get("now_op"):
        yield ("lt" if core["now_op"] == "past" else "gt"), now


def date_schema(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    schema = usual()
    steps = {"ge": 0, "gt": 1, "le": 0, "lt": -1}
    bounds = []
    for name, edge in _edges(core, datetime.date.today()):
        text = (edge + steps[name] * _DAY).isoformat()
        bounds.append({"pattern": _at_least(text) if name[0] == "g" else _at_most(text)})
    return schema | ({"allOf": bounds} if bounds else {})


def moment_schema(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A datetime, with or without a zone; pydantic compares the written fields where one side has no zone."""
    body, zone = f"{FORMATS['date']}T{_CLOCK}", _zone(made, core)
    utc = datetime.timezone.utc
    edges = list(_edges(core, datetime.datetime.now(utc)))
    if not any(edge.tzinfo for _, edge in edges):
        return _bounded(matching(body + zone), edges, datetime.timedelta())
    edges = [(name, edge.astimezone(utc).replace(tzinfo=None) if edge.tzinfo else edge) for name, edge in edges]
    cases = [_bounded(matching(body + zone), edges, _DAY)]  # no zone is further from UTC than a day
    if re.fullmatch(zone, "Z"):
        cases.append(_bounded(matching(body + "Z"), edges, datetime.timedelta()))
    return {"anyOf": cases}


def _bounded(schema: dict[str, Any], edges: list[tuple[str, Any]], margin: datetime.timedelta, cut: int = 0) -> dict[str, Any]:
    """The schema of a moment with bounds on its fields as written from `cut`, to the second, drawn in by a margin."""
    bounds = []
    for name, edge in edges:
        start = edge.replace(microsecond=0)
        if name[0] == "g":
            start += margin + (_SECOND if name == "gt" or edge.microsecond else 0 * _SECOND)
            bounds.append({"pattern": _at_least(start.isoformat()[cut:])})
        else:
            start -= margin + (_SECOND if name == "lt" and not edge.microsecond else 0 * _SECOND)
            bounds.append({"pattern": _at_most(start.isoformat()[cut:])})
        if cut and start.date() != edge.date():
            raise OverflowError(f"{name}={edge.time()} leaves no whole second of the day")
    return schema | ({"allOf": bounds} if bounds else {})


def _zone(made: Any, core: Any) -> str:
    """The zones that a type's constraint allows."""
    wanted = core.get("tz_constraint")
    if wanted is None:
        return f"(?:Z|{_OFFSET})?"
    if wanted == "naive":
        return ""
    if wanted == "aware":
        return f"(?:Z|{_OFFSET})"
    minutes = abs(wanted) // 60
    offset = f"{'-' if wanted < 0 else r'[+]'}{minutes // 60:02d}:{minutes % 60:02d}"
    return offset if wanted else f"(?:Z|{offset})"


def time_schema(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    edges = list(_edges(core, None))
    if any(edge.tzinfo for _, edge in edges):
        refuse(made, "a bound with a zone on a time")
    day = datetime.date(2000, 1, 1)
    moments = [(name, datetime.datetime.combine(day, edge)) for name, edge in edges]
    return _bounded(matching(_CLOCK + _zone(made, core)), moments, 0 * _DAY, len("2000-01-01T"))


def duration_schema(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    if any(core.get(name) is not None for name in ("ge", "gt", "le", "lt")):
        refuse(made, "a bound on a timedelta")
    schema = usual()
    return {**schema, **bounds(-8e13, 8e13)} if schema.get("type") == "number" else matching(_DURATION)


_LABEL = "[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*"
_HOST = rf"(?:(?:{_LABEL}\.)*[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*|{FORMATS['ipv4']}|\[{FORMATS['ipv6']}\])"
_PCHAR = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
_REST = rf"(?:/{_PCHAR}*)*(?:\?(?:{_PCHAR}|[/?])*)?(?:#(?:{_PCHAR}|[/?])*)?"
_PLACE = rf"://(?:[A-Za-z0-9._~-]+(?::[A-Za-z0-9._~-]*)?@)?{_HOST}(?::[0-9]{{1,4}})?{_REST}"


def url_schema(made: Any, core: Any, usual: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """URLs that every reader takes: ASCII, with plain host names."""
    schemes = core.get("allowed_schemes")
    if schemes is None:
        url = f"(?![Ff][Ii][Ll][Ee]:)[A-Za-z][A-Za-z0-9+.-]*{_PLACE}|(?:mailto|tel|urn|data):{_PCHAR}+"
    else:
        urls = [re.escape(scheme).replace("\\-", "-") + (f"://{_REST[: _REST.index('*)*') + 3]}" if scheme == "file" else _PLACE) for scheme in schemes]
        url = "|".join(urls)
    longest = core.get("max_length")
    return matching(url, format="uri", **({} if longest is None else {"maxLength": longest}))


def _uuid(version: int) -> str:
    return f"[0-9a-f]{{8}}-[0-9a-f]{{4}}-{version}[0-9a-f]{{3}}-[89ab][0-9a-f]{{3}}-[0-9a-f]{{12}}"


def _network4() -> str:
    """IPv4 networks: no bit is set below the prefix."""
    octet, forms = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])", []
    for bits in range(33):
        whole, left = divmod(bits, 8)
        parts = [octet] * whole
        if left:
            parts.append(f"(?:{'|'.join(str(i) for i in range(0, 256, 1 << (8 - left)))})")
        parts += ["0"] * (4 - len(parts))
        forms.append(r"\.".join(parts) + f"/{bits}")
    return "|".join(forms)


def _network6() -> str:
    """IPv6 networks: whole groups before `::`, and addresses with /128."""
    group = "[0-9A-Fa-f]{1,4}"
    forms = [f"{FORMATS['ipv6']}(?:/128)?"]
    for num in range(8):
        sizes = "|".join(str(bits) for bits in range(16 * num, 129))
        forms.append(f"{':'.join([group] * num)}::/(?:{sizes})")
    return "|".join(forms)


EMAIL = rf"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?:{_LABEL}\.)*{_LABEL}\.(?!(?:test|local|invalid|arpa|onion|localhost)$)[a-z]{{2,24}}"
_BITS4, _BITS6 = "(?:3[0-2]|[12]?[0-9])", "(?:12[0-8]|1[01][0-9]|[1-9]?[0-9])"
BY_FORMAT: dict[str, Callable[[], str]] = {
    **{f"uuid{v}": partial(_uuid, v) for v in range(1, 9)},
    "ipv4network": _network4,
    "ipv6network": _network6,
    "ipvanynetwork": lambda: f"{_network4()}|{_network6()}",
    "ipv4interface": lambda: f"{FORMATS['ipv4']}(?:/{_BITS4})?",
    "ipv6interface": lambda: f"{FORMATS['ipv6']}(?:/{_BITS6})?",
    "ipvanyinterface": lambda: f"{FORMATS['ipv4']}(?:/{_BITS4})?|{FORMATS['ipv6']}(?:/{_BITS6})?",
    "ipvanyaddress": lambda: f"{FORMATS['ipv4']}|{FORMATS['ipv6']}",
    "fraction": lambda: "-?[0-9]{1,18}(?:/[1-9][0-9]{0,17})?",
}  # fmt: skip
BY_FUNCTION = {
    "import_string": "ImportString", "validate_file": "FilePath", "validate_directory": "DirectoryPath",
    "validate_socket": "SocketPath", "validate_new": "NewPath",
}  # fmt: skip
REFUSED_FORMATS = {"regex": "a regex pattern as a type", "name-email": "NameEmail"}
_PATTERN_PART = re.compile(r"\\(?:[pP]\{[^}]*\}|x\{[^}]*\}|[bB]\{[^}]*\}|.)|\[\^?\]?|\]|&&|--|~~|\(\?(?:[A-Za-z]*[-:)]|[=!<])|.", re.S)
_BEYOND = r"\p{L}\p{M}\p{N}\p{Pc}\p{So}\u200c\u200d"  # at least what Rust and Python call a word's characters
_SPACE = r"\t\n\v\f\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"  # what all call space
_NO_SPACE = r"!-~\xa1-\u167f\u1681-\u1fff\u200b-\u2027\u202a-\u202e\u2030-\u205e\u2060-\u2fff\u3001-\u{10ffff}"
_ESCAPES: dict[str, dict[str, str | None]] = {  # what is inside: nothing, a class, a negated class; \d \w elsewhere are narrower in JSON Schema
    "": {"s": f"[{_SPACE}]", "D": r"\P{Nd}", "W": f"[^{_BEYOND}]", "S": r"[^\s\x85\x1c-\x1f]", "A": "^", "z": "$", "Z": "$"},
    "[": {"s": _SPACE, "D": r"\P{Nd}", "W": r"\x00-\x2f:-@\x5b-\x5e\x60\x7b-\x7f", "S": _NO_SPACE},
    "[^": {"s": r"\s\x85\x1c-\x1f", "d": r"\p{Nd}", "w": _BEYOND, "D": None, "W": None, "S": None},
}  # fmt: skip


def portable(made: Any, given: Any, engine: str | None) -> list[str]:
    """Patterns of JSON Schema that find no more than a pattern of Rust's regex or Python's re."""
    pattern, flags = (given, 0) if isinstance(given, str) else (given.pattern, given.flags)
    if flags & (re.X | re.M):
        refuse(made, f"the pattern {pattern!r} with flags")
    is_python = engine == "python-re" or not isinstance(given, str)
    out, inside, ascii_only = ["(?i)"] if flags & re.I else [], "", False
    for match in _PATTERN_PART.finditer(pattern):
        part = match[0]
        if part[0] == "\\":
            known: str | None = _ESCAPES[inside].get(part[1:], part)
            if known is None or part[1:2] in "<>" or part[1:3] in ("b{", "B{"):
                refuse(made, f"{part!r} in the pattern {pattern!r}")
            ascii_only |= not inside and part[1] in "bB"
            part = "\\u" + part[2:] if part.startswith("\\x{") else known
        elif inside and part[0] == "[":
            if not is_python:
                refuse(made, f"a class inside a class in the pattern {pattern!r}")
            inside, part = ("" if part[-1] == "]" else inside), "\\" + part
        elif part[0] == "[":
            inside, part = part.rstrip("]"), part.replace("]", "\\]")
        elif part == "]":
            inside = ""
        elif inside and part in ("&&", "--", "~~") and not is_python:
            refuse(made, f"{part!r} in the pattern {pattern!r}")
        elif part[:2] == "(?" and not inside:
            ascii_only |= part[2] in "=!<"
            if part[2:-1].strip("isu") and part[-1] in ":)-":
                refuse(made, f"the flags {part!r} in the pattern {pattern!r}")
            part = part.replace("u", "").replace("(?)", "")
        out.append(part)
    return ["".join(out), *([ASCII] if ascii_only else [])]
