"""What was carried out of a schema: every keyword by its JSON pointer.

The report is a walk of its own, made only when asked for, so that compiling pays nothing for it. Held by
tests/test_json_schema_report.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["SchemaReport"]


@dataclass(frozen=True)
class SchemaReport:
    """Keywords by pointer: `exact`, `annotations`, and `refused` with the reason."""

    exact: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = field(default_factory=tuple)

    def __str__(self) -> str:
        lines = [f"exact       {p}" for p in self.exact] + [f"annotation  {p}" for p in self.annotations]
        return "\n".join(lines + [f"refused     {p}: {why}" for p, why in self.refused])


def report_of(schema: Any) -> SchemaReport:
    raise NotImplementedError
