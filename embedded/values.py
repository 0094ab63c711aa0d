"""Values of fields: names, dates, codes, amounts … and the split that keeps some of them out of training.

Invariant: `is_held_out` divides all value texts by their checksum into about nine parts for training and one for evaluation;
training draws only from the former, evaluation only from the latter. Numbers below 1,000 and enumerations are
exempt: there are too few of them. Held by tests/test_embedded.py.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from random import Random

from embedded import words as w

Maker = Callable[[Random], str]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def is_held_out(value: str) -> bool:
    """Whether this value is kept for evaluation."""
    return zlib.crc32(value.encode()) % 10 == 7


def draw(rng: Random, maker: Maker, held_out: bool) -> str:
    """A value of `maker` from the wanted side of the split; makers with few values give up after 2,000 tries."""
    for _ in range(2000):
        value = maker(rng)
        if is_held_out(value) == held_out or (value.isdigit() and len(value) < 4):
            return value
    raise ValueError(f"{maker.__name__} has no value on the wanted side of the split")


def digits(rng: Random, count: int) -> str:
    return "".join(rng.choice("0123456789") for _ in range(count))


def code(rng: Random) -> str:
    """An identifier such as INV-20391, A38-112 or 2024/0192."""
    prefix = rng.choice(
        ["INV", "ORD", "PO", "INC", "REF", "SO", "TKT", "RE", "AB", "CN", "MX", "DOC", "C", "R", "X", ""]
    )
    if rng.random() < 0.35:
        prefix = "".join(rng.choice(LETTERS) for _ in range(rng.randint(1, 4)))
    middle = rng.choice(["", "", "-", "-", "-", "/", "."]) if prefix else ""
    year = str(rng.randint(2015, 2031)) + rng.choice("-/") if rng.random() < 0.25 else ""
    tail = digits(rng, rng.randint(3, 8))
    if rng.random() < 0.12:
        tail += rng.choice(["-", "/", ""]) + rng.choice(LETTERS)
    return prefix + middle + year + tail


def long_code(rng: Random) -> str:
    """A tracking or serial number: 8 to 16 capitals and digits."""
    start = "".join(rng.choice(LETTERS) for _ in range(rng.randint(0, 3)))
    return start + digits(rng, rng.randint(8, 13)) + (rng.choice(LETTERS) * rng.randint(0, 1))


def date(rng: Random) -> str:
    year, month, day = rng.randint(2012, 2034), rng.randint(1, 12), rng.randint(1, 28)
    name = w.MONTHS[month - 1]
    form = rng.randint(0, 9)
    if form <= 3:
        return f"{year}-{month:02}-{day:02}"
    if form == 4:
        return f"{day:02}.{month:02}.{year}"
    if form == 5:
        return f"{day:02}/{month:02}/{year}"
    if form == 6:
        return f"{day} {name} {year}"
    if form == 7:
        return f"{name} {day}, {year}"
    if form == 8:
        return f"{day} {name[:3]} {year}"
    return f"{month}/{day}/{year}"


def iso_date(rng: Random) -> str:
    return f"{rng.randint(2012, 2034)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"


def moment(rng: Random) -> str:
    clock = f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}"
    form = rng.randint(0, 4)
    if form <= 1:
        return clock + rng.choice(["", "", " UTC", " CET"])
    if form == 2:
        return f"{iso_date(rng)} {clock}"
    if form == 3:
        return f"{iso_date(rng)}T{clock}:00Z"
    return f"{rng.randint(1, 12)}:{rng.randint(0, 59):02} {rng.choice(['am', 'pm', 'AM', 'PM'])}"


def odd_word(rng: Random) -> str:
    """A word that no list holds, in one of four spellings."""
    word = w.pseudo_word(rng, 1, 3)
    return rng.choice([word.capitalize(), word.capitalize(), word, word.upper() if len(word) < 7 else word])


def surname(rng: Random) -> str:
    return rng.choice(w.LAST) if rng.random() < 0.6 else w.pseudo_word(rng, 2, 3).capitalize()


def person(rng: Random) -> str:
    first = rng.choice(w.FIRST) if rng.random() < 0.85 else w.pseudo_word(rng, 2, 2).capitalize()
    form = rng.random()
    if form < 0.08:
        return f"{rng.choice(['Dr', 'Dr.', 'Prof.', 'Ms', 'Mr', 'Mrs'])} {first} {surname(rng)}"
    if form < 0.16:
        return f"{first} {rng.choice(LETTERS)}. {surname(rng)}"
    if form < 0.20:
        return f"{first} {surname(rng)}-{surname(rng)}"
    if form < 0.24:
        return f"{surname(rng)}, {first}"
    return f"{first} {surname(rng)}"


def company(rng: Random) -> str:
    maker = rng.choice(w.MAKERS) if rng.random() < 0.55 else w.pseudo_word(rng, 2, 3).capitalize()
    form = rng.randint(0, 7)
    if form <= 2:
        return f"{maker} {rng.choice(w.TRADES)} {rng.choice(w.FORMS)}"
    if form == 3:
        return f"{maker} {rng.choice(w.TRADES)}"
    if form == 4:
        return f"{maker} {rng.choice(w.FORMS)}"
    if form == 5:
        return f"{rng.choice(w.LAST)} & {rng.choice(['Sons', 'Partners', 'Co', 'Daughters', rng.choice(w.LAST)])}"
    if form == 6:
        return f"{maker} {rng.choice(w.TRADES)} {rng.choice(['and', '&'])} {rng.choice(w.TRADES)}"
    return f"{rng.choice(w.LAST)} {rng.choice(w.TRADES)} {rng.choice(w.FORMS)}"


def city(rng: Random) -> str:
    form = rng.random()
    if form < 0.7:
        return rng.choice(w.CITIES)
    if form < 0.8:
        return rng.choice(["New", "Upper", "Port", "Saint", "North", "West", "Old"]) + " " + rng.choice(w.CITIES)
    return w.pseudo_word(rng, 2, 3).capitalize() + rng.choice(["", "ville", "ton", "burg", "stad"])


def country(rng: Random) -> str:
    return rng.choice(w.COUNTRIES)


def street(rng: Random) -> str:
    name = rng.choice(w.STREET_NAMES) if rng.random() < 0.7 else w.pseudo_word(rng, 2, 3).capitalize()
    number = str(rng.randint(1, 999)) + (rng.choice("abc") if rng.random() < 0.08 else "")
    form = rng.random()
    if form < 0.6:
        return f"{number} {name} {rng.choice(w.STREET_KINDS)}"
    if form < 0.8:
        return f"{name} {rng.choice(w.STREET_KINDS)} {number}"
    return f"{name.capitalize()}{rng.choice(['strasse', 'gatan', 'straat', 'weg'])} {number}"


def postcode(rng: Random) -> str:
    form = rng.randint(0, 4)
    if form <= 2:
        return digits(rng, rng.choice([4, 5, 5]))
    if form == 3:
        return f"{rng.choice(LETTERS)}{rng.choice(LETTERS)}{rng.randint(1, 9)} {rng.randint(1, 9)}{rng.choice(LETTERS)}{rng.choice(LETTERS)}"
    return f"{rng.choice(LETTERS)}-{digits(rng, 4)}"


def phone(rng: Random) -> str:
    form = rng.randint(0, 5)
    if form == 0:
        return f"+{rng.randint(1, 99)} {rng.randint(1, 999)} {digits(rng, rng.randint(5, 7))}"
    if form == 1:
        return f"({digits(rng, 3)}) {digits(rng, 3)}-{digits(rng, 4)}"
    if form == 2:
        return f"{digits(rng, 3)}-{digits(rng, 3)}-{digits(rng, 4)}"
    if form == 3:
        return f"+{rng.randint(1, 99)} {digits(rng, 2)} {digits(rng, 4)} {digits(rng, 4)}"
    if form == 4:
        return f"0{digits(rng, 3)} {digits(rng, 6)}"
    return f"{digits(rng, 3)}-{digits(rng, 4)}"


def domain(rng: Random) -> str:
    name = rng.choice(w.MAKERS).lower() if rng.random() < 0.5 else w.pseudo_word(rng, 2, 3)
    more = rng.choice(["", "", "-" + rng.choice(w.TRADES).lower()])
    return f"{name}{more}.{rng.choice(['com', 'example', 'org', 'net', 'io', 'de', 'co.uk', 'at', 'test'])}"


def email(rng: Random) -> str:
    ascii_first = [name for name in w.FIRST if name.isascii()]
    first, last = rng.choice(ascii_first).lower(), surname(rng).lower()
    last = last if last.isascii() else w.pseudo_word(rng, 2, 2)
    user = rng.choice(
        [f"{first}.{last}", f"{first[0]}.{last}", f"{first}_{last}", last, first + digits(rng, 2), f"{first}"]
    )
    return f"{user}@{domain(rng)}"


def website(rng: Random) -> str:
    return rng.choice(["www.", "https://www.", "https://", "http://", "www."]) + domain(rng)


def iban(rng: Random) -> str:
    start = rng.choice(["DE", "AT", "FR", "GB", "NL", "CH", "ES"]) + digits(rng, 2)
    if rng.random() < 0.5:
        return start + " " + " ".join(digits(rng, 4) for _ in range(rng.randint(3, 4)))
    return start + digits(rng, rng.randint(12, 16))


def amount(rng: Random) -> str:
    """A sum of money; thousands carry a comma now and then."""
    size = rng.choice([10, 100, 1000, 1000, 10000, 100000])
    whole = rng.randint(1, size)
    form = rng.random()
    cents = f".{rng.randint(0, 99):02}" if form < 0.8 else ""
    return (f"{whole:,}" if form < 0.15 else str(whole)) + cents


def small_count(rng: Random) -> str:
    return str(rng.randint(1, rng.choice([9, 20, 60, 300])))


def count(rng: Random) -> str:
    return str(rng.randint(2, rng.choice([50, 500, 5000, 90000])))


def item(rng: Random) -> str:
    form = rng.random()
    if form < 0.6:
        text = f"{rng.choice(w.ADJECTIVES)} {rng.choice(w.ITEMS)}"
    elif form < 0.75:
        text = f"{rng.choice(w.ADJECTIVES)} {rng.choice(w.ADJECTIVES)} {rng.choice(w.ITEMS)}"
    elif form < 0.9:
        text = f"{rng.choice(w.ITEMS)} {rng.choice(w.MAKERS)} {rng.randint(1, 900)}"
    else:
        text = f"{w.pseudo_word(rng, 2, 3)} {rng.choice(w.ITEMS)}"
    return rng.choice([text, text, text.capitalize(), text.title()])


def job(rng: Random) -> str:
    form = rng.random()
    if form < 0.4:
        text = f"{rng.choice(w.ROLES_LEFT)} {rng.choice(w.ROLES_RIGHT)}"
    elif form < 0.7:
        text = f"{rng.choice(w.AREAS)} {rng.choice(w.ROLES_RIGHT)}"
    elif form < 0.85:
        text = f"{rng.choice(w.ROLES_LEFT)} {rng.choice(w.AREAS)} {rng.choice(w.ROLES_RIGHT)}"
    else:
        text = f"{rng.choice(['head of', 'director of', 'VP of', 'manager of'])} {rng.choice(w.AREAS)}"
    return rng.choice([text, text.title(), text.capitalize()])


def department(rng: Random) -> str:
    text = rng.choice(w.AREAS)
    if rng.random() < 0.4:
        text += " and " + rng.choice(w.AREAS)
    elif rng.random() < 0.4:
        text = rng.choice(w.ROLES_LEFT) + " " + text
    return rng.choice([text.title(), text.capitalize(), text])


def service(rng: Random) -> str:
    text = f"{rng.choice(w.SERVICES_LEFT)} {rng.choice(w.SERVICES_RIGHT)}"
    if rng.random() < 0.15:
        text = f"{w.pseudo_word(rng, 2, 2)} {rng.choice(w.SERVICES_RIGHT)}"
    return rng.choice([text, text, text.capitalize(), text.title(), text.replace(" ", "-")])


def cause(rng: Random) -> str:
    text = rng.choice(w.CAUSES_LEFT)
    if rng.random() < 0.6:
        text += (
            rng.choice([" in the ", " on the ", " at the ", " of the "])
            + rng.choice(w.SERVICES_LEFT)
            + " "
            + rng.choice(w.SERVICES_RIGHT)
        )
    return rng.choice([text, text, text.capitalize()])


def action(rng: Random) -> str:
    text = rng.choice(w.ACTIONS).format(x=service(rng).lower(), i=rng.choice(w.ITEMS))
    return rng.choice([text, text, text.capitalize()])


def room(rng: Random) -> str:
    kind = rng.choice(
        ["Room", "Building", "Hall", "Floor", "Data centre", "Warehouse", "Site", "Rack", "Lab", "Office"]
    )
    return f"{kind} {rng.choice(LETTERS)}{rng.randint(1, 400)}" if rng.random() < 0.6 else f"{kind} {city(rng)}"


def topic(rng: Random) -> str:
    return rng.choice(w.TOPICS) if rng.random() < 0.8 else w.pseudo_word(rng, 2, 3)


def carrier(rng: Random) -> str:
    name = rng.choice(w.MAKERS) if rng.random() < 0.5 else w.pseudo_word(rng, 2, 2).capitalize()
    return (
        name + " " + rng.choice(["Express", "Parcel", "Freight", "Logistics", "Post", "Couriers", "Cargo", "Delivery"])
    )


def phrase(rng: Random) -> str:
    """One to four words of any kind: what a field of an unknown schema may hold."""
    chosen = [rng.choice(w.common_words()) if rng.random() < 0.7 else odd_word(rng) for _ in range(rng.randint(1, 4))]
    text = " ".join(chosen)
    return rng.choice([text, text, text.capitalize(), text.title()])


def measure(rng: Random) -> str:
    unit = rng.choice(
        [
            "kg",
            "km",
            "m",
            "cm",
            "mm",
            "g",
            "h",
            "min",
            "s",
            "V",
            "W",
            "kW",
            "°C",
            "%",
            "litres",
            "days",
            "years",
            "EUR",
            "MB",
            "GB",
        ]
    )
    number = str(rng.randint(1, 9999)) if rng.random() < 0.5 else f"{rng.randint(0, 900)}.{rng.randint(1, 99)}"
    return f"{number} {unit}"


def decimal(rng: Random) -> str:
    return f"{rng.randint(0, rng.choice([9, 90, 900, 9000]))}.{rng.randint(1, rng.choice([9, 99]))}"


ANYTHING: list[Maker] = [
    phrase,
    phrase,
    phrase,
    code,
    date,
    person,
    company,
    city,
    measure,
    email,
    job,
    item,
    phone,
    street,
    long_code,
    moment,
    country,
    service,
    odd_word,
]
