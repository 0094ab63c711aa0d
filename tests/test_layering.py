"""Floors: a file imports only from a lower floor, or from a file above it in its own floor's list (DESIGN.md)."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "constrain"

# Lower floors first; within a floor, a file may import from those listed before it.
FLOORS: list[list[str]] = [
    ["errors", "limits"],
    ["_native"],
    ["specials", "expr", "hub", "tokenizer_formats", "vocabulary"],
    ["frontends"],
    ["bitmask", "matcher"],
    ["models"],
    ["report", "display", "generation", "answer", "decode", "search", "generate", "extraction"],
    ["dsl", "processors", "server", "batch", "inspect"],
    ["cli", "__main__"],
]
ALONE = {"dsl", "processors", "server", "batch", "inspect"}  # faces: none imports another


def modules() -> list:
    return [p for p in sorted(PACKAGE.rglob("*.py")) if p.name != "__init__.py" or p.parent != PACKAGE]


def unit_of(path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path) -> set[str]:
    """The units of this package that a file imports, relative imports included."""
    found: set[str] = set()
    package = ["constrain", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{stem}.{alias.name}" if stem == "constrain" else stem for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("constrain.")}
    return found


def rank(unit: str) -> tuple[int, int]:
    for floor, units in enumerate(FLOORS):
        if unit in units:
            return floor, units.index(unit)
    raise AssertionError(f"constrain/{unit} stands on no floor: add it to FLOORS on purpose")


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_imports_only_from_below(path):
    unit = unit_of(path)
    for other in imports_of(path) - {unit}:
        if other[0].isupper():
            continue
        if other not in {u for floor in FLOORS for u in floor}:
            continue  # a public name of the package itself
        assert rank(other) < rank(unit), f"{path.name} imports {other}, which stands above it"
        assert not (other in ALONE and unit in ALONE), f"{path.name} imports another face: {other}"


@pytest.mark.parametrize(
    ("folder", "pattern"),
    [("native", r"schema|regex|sentencepiece|tokenizer\.json"), ("frontends", r"\btoken_ids?\b|(?-i:\bVocabulary\b)")],
)
def test_floors_keep_to_their_words(folder, pattern):
    for path in (PACKAGE / folder).rglob("*"):
        if path.suffix in (".cc", ".h", ".py"):
            assert not re.search(pattern, path.read_text(), re.I), path


def test_only_the_bindings_include_nanobind():
    for path in (PACKAGE / "native").glob("*"):
        if path.name != "bindings.cc":
            assert "#include <nanobind" not in path.read_text(), path


def test_importing_the_package_brings_neither_torch_nor_transformers():
    code = "import sys, constrain; print([m for m in ('torch', 'transformers', 'pydantic', 'lark') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert out.stdout.strip() == "[]"
