"""The prompt of an extraction: one user turn with the form to fill in and the text.

The embedded model is trained on exactly this wording (embedded/documents.py builds its examples with `prompt`), and Phi-3.5 reads it as
well. The *form* is the schema in short: keys in definition order with their types, enumerations spelt out, and what a
short form cannot say given as compact JSON Schema. Held by tests/test_embedded.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

INSTRUCTION = "Fill in the form with values copied from the text."
MAX_DEPTH = 12


def prompt(text: str, schema: Mapping[str, Any] | bool) -> list[dict[str, str]]:
    """The chat messages that ask for the object of `schema` in `text`.

    >>> prompt("Total: 5", {"type": "object", "properties": {"total": {"type": "number"}}})[0]["content"]
    'Fill in the form with values copied from the text.\\nForm: {"total":number}\\nText:\\nTotal: 5'
    """
    content = f"{INSTRUCTION}\nForm: {form(schema)}\n"
    if notes := _notes(schema):
        content += f"Notes: {notes}\n"
    return [{"role": "user", "content": content + f"Text:\n{text.strip()}"}]


def form(schema: Mapping[str, Any] | bool) -> str:
    """The schema in short, such as `{"id":string,"lines":[{"item":string,"count":integer}],"status":"open"|"paid"}`."""
    return _form(schema, schema, 0)


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _form(schema: Any, root: Any, depth: int) -> str:
    if not isinstance(schema, Mapping):
        return "any"
    if "$ref" in schema and depth < MAX_DEPTH:
        target = _resolve(schema["$ref"], root)
        return _form(target, root, depth + 1) if target is not None else _compact(schema)
    if depth >= MAX_DEPTH:
        return "any"
    if "const" in schema:
        return _compact(schema["const"])
    if isinstance(schema.get("enum"), list):
        return "|".join(_compact(value) for value in schema["enum"])
    for union in ("anyOf", "oneOf"):
        if isinstance(schema.get(union), list):
            return "|".join(dict.fromkeys(_form(part, root, depth + 1) for part in schema[union]))
    kind = schema.get("type")
    if isinstance(kind, list):
        return "|".join(_form({**schema, "type": one}, root, depth + 1) for one in kind)
    if isinstance(schema.get("properties"), Mapping) and kind in (None, "object"):
        members = (f"{_compact(key)}:{_form(part, root, depth + 1)}" for key, part in schema["properties"].items())
        return "{" + ",".join(members) + "}"
    if kind == "array" and isinstance(schema.get("items"), Mapping):
        return "[" + _form(schema["items"], root, depth + 1) + "]"
    if isinstance(kind, str) and kind not in ("object", "array"):
        return kind
    return _compact(schema)


def _resolve(reference: object, root: Any) -> Any:
    """The subschema behind a reference into the same document, or None."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    target = root
    for part in reference[1:].split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        target = target.get(part) if isinstance(target, Mapping) else None
    return target


def _notes(schema: Any) -> str:
    """The descriptions of the top level's properties, as `key: description; …`."""
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping):
        return ""
    described = ((key, part.get("description")) for key, part in properties.items() if isinstance(part, Mapping))
    return "; ".join(f"{key}: {' '.join(text.split())}" for key, text in described if isinstance(text, str) and text)
