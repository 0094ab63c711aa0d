"""Seeded synthetic documents with their schemas and answers: what the embedded model learns from and is measured on.

A record is a text, a schema and the object that the text gives for it. Every value stands in the text as it
stands in the answer (numbers may lose a thousands comma; enumerations may differ in case). Invariants: the seed decides the
record; training and evaluation share no value (values.py) and, with `unseen=True`, no wording (wordings.py). Held by tests/test_embedded.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from embedded import values as v
from embedded import wordings
from embedded.words import KEY_LEFT, KEY_WORDS, pseudo_word

KINDS = (*wordings.KINDS, "generic")
CURRENCIES = ["EUR", "USD", "GBP", "CHF", "SEK", "JPY", "CAD", "PLN"]

ENUMS: dict[tuple[str, str], list[str]] = {
    ("invoice", "currency"): CURRENCIES,
    ("invoice", "status"): ["paid", "unpaid", "overdue", "draft", "open", "cancelled"],
    ("order", "shipping"): ["standard", "express", "overnight", "pickup", "economy", "freight"],
    ("order", "status"): ["pending", "shipped", "delivered", "cancelled", "packed", "confirmed"],
    ("incident", "severity"): ["low", "medium", "high", "critical", "minor", "major"],
    ("incident", "status"): ["open", "investigating", "resolved", "closed", "monitoring", "fixed"],
}

# kind -> role -> (maker, type, names that schemas give to it)
ROLES: dict[str, dict[str, tuple[v.Maker | None, str, str]]] = {
    "invoice": {
        "invoice_number": (
            v.code,
            "string",
            "invoice_number invoice_no invoice_id number reference bill_number invoiceNumber id",
        ),
        "invoice_date": (v.date, "string", "invoice_date date issue_date issued_on invoiceDate issued"),
        "due_date": (v.date, "string", "due_date due pay_by payment_due dueDate deadline"),
        "vendor": (v.company, "string", "vendor seller supplier issuer vendor_name biller company"),
        "customer": (v.company, "string", "customer buyer client bill_to customer_name recipient"),
        "total": (v.amount, "number", "total amount total_amount amount_due grand_total amountDue sum"),
        "tax": (v.amount, "number", "tax vat tax_amount vat_amount sales_tax"),
        "currency": (None, "enum", "currency currency_code"),
        "status": (None, "enum", "status payment_status state"),
        "purchase_order": (v.code, "string", "purchase_order po po_number order_reference"),
        "iban": (v.iban, "string", "iban account bank_account account_number"),
    },
    "contact": {
        "name": (v.person, "string", "name full_name contact person contact_name fullName"),
        "title": (v.job, "string", "title job_title position role jobTitle job"),
        "company": (v.company, "string", "company employer organisation organization company_name firm"),
        "department": (v.department, "string", "department dept unit team"),
        "email": (v.email, "string", "email mail email_address e_mail"),
        "phone": (v.phone, "string", "phone telephone phone_number tel"),
        "mobile": (v.phone, "string", "mobile cell mobile_number cell_phone"),
        "website": (v.website, "string", "website url web homepage"),
        "street": (v.street, "string", "street address street_address"),
        "city": (v.city, "string", "city town"),
        "postcode": (v.postcode, "string", "postcode zip postal_code zip_code"),
        "country": (v.country, "string", "country"),
    },
    "order": {
        "order_number": (v.code, "string", "order_number order_no order_id order number orderNumber id"),
        "customer": (v.person, "string", "customer buyer client customer_name ordered_by name"),
        "item": (v.item, "string", "item product article item_name description"),
        "quantity": (v.small_count, "integer", "quantity qty count units amount"),
        "price": (v.amount, "number", "price unit_price cost unitPrice"),
        "order_date": (v.date, "string", "order_date date ordered_on placed_on orderDate"),
        "delivery_date": (v.date, "string", "delivery_date delivery arrival expected_delivery deliver_by eta"),
        "carrier": (v.carrier, "string", "carrier shipper courier shipped_with"),
        "tracking": (v.long_code, "string", "tracking tracking_number tracking_code trackingNumber"),
        "city": (v.city, "string", "city destination delivery_city ship_to_city"),
        "shipping": (None, "enum", "shipping shipping_method delivery_method method"),
        "status": (None, "enum", "status order_status state"),
    },
    "incident": {
        "incident_id": (v.code, "string", "incident_id id incident ticket ticket_id case_number number incidentId"),
        "service": (v.service, "string", "service system affected_service component affected_system"),
        "severity": (None, "enum", "severity priority level"),
        "started": (v.moment, "string", "started start start_time started_at began"),
        "resolved": (v.moment, "string", "resolved end end_time resolved_at ended"),
        "reporter": (v.person, "string", "reporter reported_by raised_by reportedBy"),
        "assignee": (v.person, "string", "assignee owner assigned_to engineer responsible"),
        "cause": (v.cause, "string", "cause root_cause reason rootCause"),
        "action": (v.action, "string", "action action_taken fix resolution"),
        "affected_users": (v.count, "integer", "affected_users users users_affected affectedUsers"),
        "status": (None, "enum", "status state incident_status"),
        "location": (v.room, "string", "location site place"),
        "duration": (v.count, "integer", "duration_minutes minutes downtime_minutes duration"),
    },
}

SEPARATORS = [": ", ": ", ": ", ": ", ": ", " : ", " - ", " = ", ":\n", ":  ", " ", " -> ", ":\t", " | "]
AMOUNTS = ["{v}", "{v}", "{v} {c}", "{c} {v}", "{s}{v}", "{s} {v}", "{v} {s}"]
SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "CHF": "Fr.", "SEK": "kr", "JPY": "¥", "CAD": "$", "PLN": "zł"}


@dataclass
class Record:
    """A document and what the model shall make of it; `spans` are the values' places in `answer`, in bytes."""

    kind: str
    text: str
    schema: dict[str, Any]
    answer: str
    spans: list[tuple[int, int]]

    @property
    def object(self) -> Any:
        return json.loads(self.answer)


@dataclass
class _Answer:
    """Compact JSON under construction, with the places of its values."""

    text: str = ""
    spans: list[tuple[int, int]] = field(default_factory=list)

    def put(self, shape: Any) -> None:
        """Append a value: dicts and lists of them, ("string", text) or ("number", literal)."""
        if isinstance(shape, dict):
            for number, (key, part) in enumerate(shape.items()):
                self.text += ("," if number else "{") + json.dumps(key, ensure_ascii=False) + ":"
                self.put(part)
            self.text += "}"
        elif isinstance(shape, list):
            self.text += "["
            for number, part in enumerate(shape):
                self.text += "," if number else ""
                self.put(part)
            self.text += "]"
        else:
            kind, text = shape
            literal = json.dumps(text, ensure_ascii=False) if kind == "string" else text.replace(",", "")
            start = len(self.text.encode()) + (kind == "string")
            self.text += literal
            self.spans.append((start, len(self.text.encode()) - (kind == "string")))


class Writer:
    """Writes records from a seed.

    `unseen` takes the wordings that training never shows, `held_out` the values; `pieces` are odd words that
    replace parts of values now and then (training only: it makes copying independent of the word).
    """

    def __init__(
        self, seed: int | str, unseen: bool = False, held_out: bool = False, pieces: Sequence[str] = ()
    ) -> None:
        self.rng = Random(seed)
        self.unseen = unseen
        self.held_out = held_out
        self.pieces = pieces

    def record(self, kind: str | None = None) -> Record:
        """The next record, of the given kind or of one drawn evenly."""
        kind = kind or self.rng.choice(KINDS)
        return self._generic() if kind == "generic" else self._typed(kind)

    # values

    def _value(self, maker: v.Maker) -> str:
        if self.pieces and self.rng.random() < 0.3:
            maker = self._odd
        return v.draw(self.rng, maker, self.held_out)

    def _odd(self, rng: Random) -> str:
        """One to four words glued from any pieces of the vocabulary."""
        words = []
        for _ in range(rng.choice([1, 1, 2, 2, 3, 4])):
            word = "".join(rng.choice(self.pieces) for _ in range(rng.choice([1, 1, 1, 2])))
            words.append(word if rng.random() < 0.6 else word.capitalize())
        return " ".join(words)

    def _number(self, maker: v.Maker) -> str:
        return v.draw(self.rng, maker, self.held_out)

    # documents of a kind

    def _typed(self, kind: str) -> Record:
        rng = self.rng
        roles = list(ROLES[kind])
        chosen = rng.sample(roles, rng.randint(3, min(9, len(roles))))
        first = roles[0]
        if first not in chosen and rng.random() < 0.8:
            chosen.append(first)
        shapes, written, schemas, keys = {}, {}, {}, {}
        currency = rng.choice(CURRENCIES)
        taken: set[str] = set()
        for role in chosen:
            maker, kind_of, names = ROLES[kind][role]
            if maker is None:
                choices = ENUMS[kind, role]
                value = currency if role == "currency" else rng.choice(choices)
                options = [choice for choice in choices if choice == value or rng.random() < 0.7]
                schemas[role] = {"enum": options}
                written[role] = rng.choice([value, value, value.capitalize(), value.upper()])
                shapes[role] = ("string", value)
            elif kind_of == "string":
                schemas[role] = {"type": "string"}
                written[role] = self._value(maker)
                shapes[role] = ("string", written[role])
            else:
                schemas[role] = {"type": kind_of}
                value = self._number(maker)
                shapes[role] = ("number", value)
                written[role] = value
                if kind_of == "number" and "currency" not in chosen:
                    written[role] = rng.choice(AMOUNTS).format(v=value, c=currency, s=SYMBOLS[currency])
            options = [name for name in names.split() if name not in taken] or [role]
            keys[role] = options[0] if rng.random() < 0.4 else rng.choice(options)
            taken.add(keys[role])
        text = self._text(kind, chosen, written, keys)
        asked = rng.sample(chosen, rng.randint(min(3, len(chosen)), len(chosen)))
        if rng.random() < 0.6:
            asked.sort(key=roles.index)
        properties: dict[str, Any] = {}
        answer: dict[str, Any] = {}
        nested = kind == "contact" and rng.random() < 0.3
        for role in asked:
            if nested and role in ("street", "city", "postcode", "country"):
                place = properties.setdefault("address", _object({}))
                place["properties"][keys[role]] = schemas[role]
                place["required"].append(keys[role])
                answer.setdefault("address", {})[keys[role]] = shapes[role]
            elif not (nested and keys[role] == "address"):
                properties[keys[role]] = schemas[role]
                answer[keys[role]] = shapes[role]
        if kind in ("invoice", "order") and rng.random() < 0.14:
            text = self._add_lines(kind, text, properties, answer)
        elif rng.random() < 0.08:
            text = self._add_tags(text, properties, answer)
        return self._record(kind, text, properties, answer)

    def _text(self, kind: str, chosen: list[str], written: dict[str, str], keys: dict[str, str]) -> str:
        rng = self.rng
        layout = rng.choice(["lines", "lines", "prose", "prose", "both"])
        remaining = list(chosen)
        parts: list[str] = []
        if layout != "lines":
            limit = len(chosen) if layout == "prose" else len(chosen) // 2
            patterns = wordings.sentences(kind, self.unseen)
            for pattern in rng.sample(patterns, len(patterns)):
                needed = wordings.slots(pattern)
                if all(role in remaining for role in needed) and len(chosen) - len(remaining) < limit:
                    reading = wordings.one_reading(rng, pattern)
                    parts.append(reading.format(**{role: written[role] for role in needed}))
                    remaining = [role for role in remaining if role not in needed]
            if rng.random() < 0.5:
                rng.shuffle(parts)
            if rng.random() < 0.35:
                parts.insert(rng.randint(0, len(parts)), rng.choice(wordings.NOISE))
        prose = rng.choice([" ", " ", "\n"]).join(parts)
        if not remaining:
            return self._title(kind) + prose if rng.random() < 0.3 else prose
        if rng.random() < 0.5:
            rng.shuffle(remaining)
        else:
            remaining.sort(key=list(ROLES[kind]).index)
        separator = rng.choice(SEPARATORS)
        upper = rng.random()
        lines = []
        for role in remaining:
            label = rng.choice(wordings.labels(kind, role, self.unseen))
            if not self.unseen and rng.random() < 0.12:
                plain = _words(keys[role])
                label = label if plain in wordings.unseen_labels() else plain.capitalize()
            label = (
                label.upper()
                if upper < 0.1
                else label.lower()
                if upper < 0.2
                else label.title()
                if upper < 0.3
                else label
            )
            lines.append(label + separator + written[role])
        if rng.random() < 0.2:
            lines.insert(rng.randint(0, len(lines)), rng.choice(wordings.NOISE))
        block = ("; " if rng.random() < 0.06 and separator != ":\n" else "\n").join(lines)
        text = "\n".join(part for part in rng.choice([(prose, block), (block, prose)]) if part)
        return self._title(kind) + text if rng.random() < 0.5 else text

    def _title(self, kind: str) -> str:
        return self.rng.choice(wordings.TITLES[kind].split("|")) + self.rng.choice(["\n", "\n", "\n\n", ":\n"])

    def _add_lines(self, kind: str, text: str, properties: dict[str, Any], answer: dict[str, Any]) -> str:
        """Append one to four order lines to the text, and an array of objects to the schema."""
        rng = self.rng
        names = [
            rng.choice(["item", "product", "description", "article"]),
            rng.choice(["quantity", "qty", "count"]),
            rng.choice(["price", "unit_price", "cost"]),
        ]
        pattern = rng.choice(
            [
                "{q} x {i} {p}",
                "{q}x {i} @ {p}",
                "- {i}, {q}, {p}",
                "{i}: {q} at {p}",
                "{i} | {q} | {p}",
                "* {q} {i} {p} each",
                "{i} ({q}) {p}",
                "{i}; {q}; {p}",
                "{q} pcs {i} à {p}",
                "{i} - {q} pieces - {p}",
            ]
        )
        lines, shapes = [], []
        for _ in range(rng.randint(1, 4)):
            name, many, price = self._value(v.item), v.small_count(rng), self._number(v.amount)
            lines.append(pattern.format(q=many, i=name, p=price))
            shapes.append({names[0]: ("string", name), names[1]: ("number", many), names[2]: ("number", price)})
        if rng.random() < 0.3:
            shapes = [{key: part for key, part in shape.items() if key != names[2]} for shape in shapes]
        line = {names[0]: {"type": "string"}, names[1]: {"type": "integer"}, names[2]: {"type": "number"}}
        key = rng.choice(["lines", "items", "positions", "products", "line_items"])
        kept = {name: part for name, part in line.items() if name in shapes[0]}
        properties[key] = {"type": "array", "items": _object(kept)}
        answer[key] = shapes
        heading = rng.choice(["", "Items:\n", "Lines:\n", "Positions:\n", "Products:\n"])
        return f"{text}\n{heading}" + "\n".join(lines)

    def _add_tags(self, text: str, properties: dict[str, Any], answer: dict[str, Any]) -> str:
        """Append a list of short words to the text, and an array of strings to the schema."""
        rng = self.rng
        tags = list(dict.fromkeys(v.draw(rng, v.topic, self.held_out) for _ in range(rng.randint(1, 4))))
        key = rng.choice(["tags", "keywords", "labels", "topics", "categories"])
        properties[key] = {"type": "array", "items": {"type": "string"}}
        answer[key] = [("string", tag) for tag in tags]
        label = rng.choice(
            [key.capitalize(), key, key.upper(), rng.choice(["Tags", "Keywords", "Labels", "Topics", "Filed under"])]
        )
        return f"{text}\n{label}: " + rng.choice([", ", ", ", "; ", " "]).join(tags)

    # lists of labelled values with keys of any kind

    def _generic(self) -> Record:
        rng = self.rng
        patterns = wordings.generic(self.unseen)
        same = rng.random() < 0.65
        pattern = rng.choice(patterns)
        style, key_style = rng.randint(0, 6), rng.choice(["snake", "snake", "snake", "camel", "words", "kebab"])
        properties: dict[str, Any] = {}
        answer: dict[str, Any] = {}
        parts = []
        for _ in range(rng.randint(3, 9)):
            key_words = self._key()
            schema, shape, written = self._anything()
            label = _label(key_words, style)
            if rng.random() < 0.05:
                label += " " + rng.choice(["(m)", "(kg)", "(EUR)", "[1]", "(*)", "no.", "#"])
            reading = wordings.one_reading(rng, pattern if same else rng.choice(patterns))
            line = reading.replace("{k}", label).replace("{v}", written)
            key = _key_text(key_words, key_style)
            if key in properties:
                continue
            parts.append(line)
            properties[key], answer[key] = schema, shape
        order = list(properties)
        if rng.random() < 0.5:
            rng.shuffle(order)
        order = order[: rng.randint(min(3, len(order)), len(order))]
        text = ("\n" if rng.random() < 0.75 else rng.choice([" ", "; ", "\n\n"])).join(parts)
        if rng.random() < 0.3:
            text = self._title("generic") + text
        return self._record(
            "generic", text, {key: properties[key] for key in order}, {key: answer[key] for key in order}
        )

    def _key(self) -> list[str]:
        rng = self.rng
        while True:
            words = [rng.choice(KEY_WORDS) if rng.random() < 0.75 else self._strange()]
            if rng.random() < 0.45:
                words.insert(0, rng.choice(KEY_LEFT) if rng.random() < 0.6 else rng.choice(KEY_WORDS))
            if rng.random() < 0.12:
                words.append(rng.choice(KEY_WORDS))
            if self.held_out or " ".join(words) not in wordings.unseen_labels():
                return words

    def _strange(self) -> str:
        if self.pieces and self.rng.random() < 0.4:
            return self.rng.choice(self.pieces).lower()
        return pseudo_word(self.rng, 1, 3)

    def _anything(self) -> tuple[dict[str, Any], tuple[str, str], str]:
        """Schema, shape and written form of a value of any kind."""
        rng = self.rng
        form = rng.random()
        if form < 0.72:
            value = self._value(rng.choice(v.ANYTHING))
            return {"type": "string"}, ("string", value), value
        if form < 0.92:
            whole = rng.random() < 0.5
            value = self._number(v.count if whole else v.decimal)
            unit = rng.choice(["", "", "", " kg", " km", " m", "%", " EUR", " h", " °C", " units"])
            return {"type": "integer" if whole else "number"}, ("number", value), value + unit
        options = list(dict.fromkeys(rng.choice(KEY_WORDS) for _ in range(rng.randint(2, 5))))
        value = rng.choice(options)
        return {"enum": options}, ("string", value), rng.choice([value, value, value.capitalize(), value.upper()])

    def _record(self, kind: str, text: str, properties: dict[str, Any], answer: dict[str, Any]) -> Record:
        made = _Answer()
        made.put(answer)
        return Record(kind, text, _object(properties), made.text, made.spans)


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _words(key: str) -> str:
    """A key as plain words: `invoiceNumber` and `invoice_number` both give `invoice number`."""
    return "".join(" " + letter.lower() if letter.isupper() else letter for letter in key).replace("_", " ").strip()


def _label(words: list[str], style: int) -> str:
    text = " ".join(words)
    return [
        text.capitalize(),
        text.capitalize(),
        text.title(),
        text,
        text.upper(),
        text.replace(" ", "_"),
        text.title(),
    ][style]


def _key_text(words: list[str], style: str) -> str:
    if style == "camel":
        return words[0] + "".join(word.capitalize() for word in words[1:])
    return {"snake": "_", "words": " ", "kebab": "-"}[style].join(words)
