"""The formats of JSON Schema as regular languages over the decoded string, each matching the whole of it.

A format here is exact by its RFC, or narrower, and then listed in `NARROWED` with the reason: a narrower format may be
asserted (no wrong text comes out), never denied. A name that is not here is an annotation. Most are regexes; `regex`,
`idn-hostname` and `idn-email` have files of their own, read when first used. Sources: RFC 3339 and ISO 8601 (times, appendix A for durations),
RFC 5321 (mailboxes), RFC 1123 (host names), RFC 4291 (IPv6), RFC 3986/3987 (URI, IRI), RFC 6570 (URI templates),
RFC 6901 and draft-handrews-relative-json-pointer-01 (JSON pointers), RFC 4122. Held by tests/test_json_schema_formats.py.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..._native import ExprSet
from ..json_text import JsonAlphabet

if TYPE_CHECKING:
    from .session import Session

__all__ = ["FORMATS", "NARROWED", "REFUSED", "format_expression"]


def _date() -> str:
    year = r"(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
    fours = r"(?:0[48]|[2468][048]|[13579][26])"
    leap = rf"(?:[0-9]{{2}}{fours}|{fours}00)"
    days = r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    return rf"(?:{year}-{days}|{leap}-02-29)"


def _time() -> str:
    clock = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
    zone = rf"(?:[Zz]|[+-]{clock})"
    return rf"(?:{clock}:[0-5][0-9](?:\.[0-9]+)?{zone}|23:59:60(?:\.[0-9]+)?[Zz])"


def _duration() -> str:
    day, minute = "[0-9]+D", "[0-9]+M(?:[0-9]+S)?"
    month = f"[0-9]+M(?:{day})?"
    year = f"[0-9]+Y(?:{month})?"
    time = f"T(?:[0-9]+H(?:{minute})?|{minute}|[0-9]+S)"
    return f"P(?:(?:{day}|{month}|{year})(?:{time})?|{time}|[0-9]+W)"


def _ipv6(ipv4: str, least_zeros: int) -> str:
    """RFC 4291, 2.2; `::` stands for at least `least_zeros` groups."""
    h = "[0-9A-Fa-f]{1,4}"
    forms = [f"(?:{h}:){{7}}{h}", f"(?:{h}:){{6}}{ipv4}"]
    for before in range(9 - least_zeros):
        head = (f"(?:{h}:){{{before - 1}}}{h}" if before > 1 else h) if before else ""
        left = 8 - least_zeros - before
        tails = [f"(?:{h}(?::{h}){{0,{left - 1}}})?"] if left else [""]
        if left >= 2:
            tails.append(f"(?:{h}:){{0,{left - 2}}}{ipv4}")
        forms.append(f"{head}::(?:{'|'.join(tails)})")
    return f"(?:{'|'.join(forms)})"


def _host_label() -> str:
    """Letters, digits and inner hyphens, at most 63, without hyphens in both the third and fourth place (those are IDNA's)."""
    a, h = "[A-Za-z0-9]", "[A-Za-z0-9-]"
    return f"(?:{a}|{a}{a}|{a}{h}{a}|{a}{h}(?:(?:{a}|-){a}|(?:{a}{h}|-{a}){h}{{0,58}}{a}))"


def _uri(more: str, private: str, reference: bool) -> str:
    """`more` are further unreserved characters (IRI), `private` those of queries only."""
    pct, sub = "%[0-9A-Fa-f]{2}", "!$&'()*+,;="
    pchar = f"(?:[A-Za-z0-9._~{sub}:@{more}-]|{pct})"
    no_colon = f"(?:[A-Za-z0-9._~{sub}@{more}-]|{pct})"
    host = rf"(?:\[(?:{_IPV6}|[Vv][0-9A-Fa-f]+\.[A-Za-z0-9._~{sub}:-]+)\]|(?:[A-Za-z0-9._~{sub}{more}-]|{pct})*)"
    authority = f"(?:(?:[A-Za-z0-9._~{sub}:{more}-]|{pct})*@)?{host}(?::[0-9]*)?"
    empty_path = f"(?:/{pchar}*)*"
    absolute = f"/(?:{pchar}+{empty_path})?"
    query = rf"(?:\?(?:{pchar}|[/?{private}])*)?(?:#(?:{pchar}|[/?])*)?"
    full = f"[A-Za-z][A-Za-z0-9+.-]*:(?://{authority}{empty_path}|{absolute}|{pchar}+{empty_path}|){query}"
    if not reference:
        return full
    return f"(?:{full}|(?://{authority}{empty_path}|{absolute}|{no_colon}+{empty_path}|){query})"


def _template() -> str:
    pct = "%[0-9A-Fa-f]{2}"
    char = f"(?:[A-Za-z0-9_]|{pct})"
    spec = rf"{char}(?:\.?{char})*(?::[1-9][0-9]{{0,3}}|\*)?"
    literal = f"(?:[!#$&-;=?-\\[\\]_a-z~{_UCS}{_PRIVATE}]|{pct})"
    return rf"(?:{literal}|\{{[+#./;?&=,!@|]?{spec}(?:,{spec})*\}})*"


_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_IPV6 = _ipv6(_IPV4, 1)
_LABEL = _host_label()
_UCS = r"\u00a0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef" + "".join(rf"\U000{p:x}0000-\U000{p:x}fffd" for p in range(1, 14)) + r"\U000e1000-\U000efffd"
_PRIVATE = r"\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd"
_DOMAIN = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
_SNUM = "(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]{1,2})"  # RFC 5321, 4.1.3: leading zeros, and `::` for two groups or more
_SNUMS = rf"{_SNUM}(?:\.{_SNUM}){{3}}"
_ADDRESS_LITERAL = rf"\[(?:{_SNUMS}|[Ii][Pp][Vv]6:{_ipv6(_SNUMS, 2)})\]"
_POINTER = "(?:/(?:[^~/]|~[01])*)*"


def _email(atom: str) -> str:
    quoted = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
    return rf"(?:{atom}+(?:\.{atom}+)*|{quoted})@(?:{_DOMAIN}|{_ADDRESS_LITERAL})"


FORMATS: dict[str, str] = {
    "date": _date(),
    "time": _time(),
    "date-time": rf"{_date()}[Tt]{_time()}",
    "duration": _duration(),
    "email": _email("[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"),
    "hostname": rf"{_LABEL}(?:\.{_LABEL})*",
    "ipv4": _IPV4,
    "ipv6": _IPV6,
    "uuid": "[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}",
    "uri": _uri("", "", False),
    "uri-reference": _uri("", "", True),
    "iri": _uri(_UCS, _PRIVATE, False),
    "iri-reference": _uri(_UCS, _PRIVATE, True),
    "uri-template": _template(),
    "json-pointer": _POINTER,
    "relative-json-pointer": f"(?:0|[1-9][0-9]*)(?:#|{_POINTER})",
    # Built by files of their own, from sets and nested groups.
    "idn-hostname": "",
    "idn-email": "",
    "regex": "",
}

# Narrower than their standard, and why: such a format may not stand under a negation.
NARROWED = {
    "hostname": "labels of IDNA, xn--…, are left out",
    "idn-hostname": "labels in Punycode, xn--…, are left out, and long labels: 63 octets of Punycode are held by a bound",
    "idn-email": "its domains are those of 'idn-hostname', but in any normalization form",
    "relative-json-pointer": "the index manipulation of its later drafts, 0+1/a, is left out",
    "regex": "groups nest at most 8 deep, at most one is named, and references come after their group",
}

# Known to the standard, and refused where asserted.
REFUSED: frozenset[str] = frozenset()

_MAX_LENGTH = {"hostname": 253}

_lock = threading.Lock()
_shared: dict[str, tuple[Any, JsonAlphabet, dict[str, int]]] = {}


def format_expression(session: Session, name: str) -> int:
    """The bodies of JSON strings of one format; built once per process and spelling, then copied."""
    known = session.formats.get(name)
    if known is None:
        with _lock:
            escapes = session.alphabet.escapes
            if escapes not in _shared:
                shared = ExprSet()
                _shared[escapes] = (shared, JsonAlphabet(shared, escapes), {})
            shared_set, alphabet, made = _shared[escapes]
            if name not in made:
                made[name] = _build(shared_set, alphabet, name)
            known = session.formats[name] = session.set.copy_from(shared_set, made[name])
    return known


def _leap_seconds(s: Any) -> int:
    """23:59:60 in UTC, told with any numeric offset: the local hour and minute give the offset. A table of its own.

    States: the 1,440 local times and their prefixes, a tail of `:60` and a fraction for each of them, and the offsets
    that lead back to UTC, shared as suffixes between local times.
    """
    numbers: dict[str, int] = {"": 0}  # prefixes of HH:MM
    zones: dict[str, int] = {}  # what remains of an offset
    moves: list[tuple[int, int, int]] = []
    clock = [f"{minutes // 60:02d}:{minutes % 60:02d}" for minutes in range(1440)]
    for text in clock:
        for i, c in enumerate(text):
            if text[: i + 1] not in numbers:
                numbers[text[: i + 1]] = len(numbers)
                moves.append((numbers[text[:i]], ord(c), numbers[text[: i + 1]]))
    first_zone = len(numbers)
    for text in clock:
        for i in range(5, -1, -1):
            if text[i:] not in zones:
                zones[text[i:]] = first_zone + len(zones)
                if i < 5:
                    moves.append((zones[text[i:]], ord(text[i]), zones[text[i + 1 :]]))
    state = first_zone + len(zones)
    digits = range(48, 58)
    for minutes, text in enumerate(clock):
        seconds, dot, fraction = state + 2, state + 3, state + 4
        moves += [(numbers[text], 58, state), (state, 54, state + 1), (state + 1, 48, seconds), (seconds, 46, dot)]
        moves += [(dot, d, fraction) for d in digits]
        moves += [(fraction, d, fraction) for d in digits]
        east, west = zones[clock[(minutes + 1) % 1440]], zones[clock[1439 - minutes]]
        moves += [(seconds, 43, east), (fraction, 43, east), (seconds, 45, west), (fraction, 45, west)]
        state += 5
    return int(s.table(state, 0, [zones[""]], moves))


def _spelt_leap_seconds(alphabet: JsonAlphabet, compiled: Callable[[str], int]) -> int:
    """The same where a character has several spellings: the union over the local times."""
    s, colon = alphabet.set, alphabet.text(":")
    seconds, east, west = compiled(r":60(?:\.[0-9]+)?"), alphabet.text("+"), alphabet.text("-")
    two = [alphabet.text(f"{number:02d}") for number in range(60)]
    clock = [s.concat([two[minutes // 60], colon, two[minutes % 60]]) for minutes in range(1440)]
    rows = []
    for minutes, local in enumerate(clock):
        zone = s.union([s.concat([east, clock[(minutes + 1) % 1440]]), s.concat([west, clock[1439 - minutes]])])
        rows.append(s.concat([local, seconds, zone]))
    return int(s.union(rows))


def _build(s: Any, alphabet: JsonAlphabet, name: str) -> int:
    from ..regex import compile_regex
    from ..regex_syntax import parse

    def compiled(text: str) -> int:
        return compile_regex(parse(text), alphabet)

    if name in _ELSEWHERE:
        return _ELSEWHERE[name](alphabet, compiled)
    whole = compiled(FORMATS[name])
    if name in ("time", "date-time"):
        leap = _leap_seconds(s) if alphabet.escapes == "canonical" else _spelt_leap_seconds(alphabet, compiled)
        if name == "date-time":
            leap = s.concat([compiled(FORMATS["date"] + "[Tt]"), leap])
        whole = s.union([whole, leap])
    longest = _MAX_LENGTH.get(name)
    if longest is not None:
        whole = s.intersection([whole, s.repeat(alphabet.any_character, 0, longest)])
    return int(whole)


def _regex(alphabet: JsonAlphabet, compiled: Callable[[str], int]) -> int:
    from .formats_regex import ecma_pattern

    return ecma_pattern(alphabet)


def _idn_hostname(alphabet: JsonAlphabet, compiled: Callable[[str], int]) -> int:
    from .formats_idn import idn_hostname

    return idn_hostname(alphabet, compiled(_LABEL))


def _idn_email(alphabet: JsonAlphabet, compiled: Callable[[str], int]) -> int:
    from .formats_idn import idn_mailbox

    return idn_mailbox(alphabet, compiled(_LABEL), compiled(_ADDRESS_LITERAL))


_ELSEWHERE = {"regex": _regex, "idn-hostname": _idn_hostname, "idn-email": _idn_email}
