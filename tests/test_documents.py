"""What is written runs: docstrings, the README's Python blocks, and the committed stub of the core."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys

import pytest

import constrain
from tests.conftest import ROOT

HEAVY = ("constrain.models.phi", "constrain.processors")


def module_names() -> list[str]:
    names = [m.name for m in pkgutil.walk_packages(constrain.__path__, "constrain.")]
    return [n for n in names if not n.endswith(("__main__", "._native"))]


@pytest.mark.parametrize("name", module_names())
def test_docstring_examples_run(name):
    if name.startswith(HEAVY):
        pytest.importorskip("torch")
        pytest.importorskip("transformers")
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


def readme_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)


def test_readme_python_examples_run(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    blocks = readme_blocks()
    assert len(blocks) >= 3
    namespace: dict = {}
    monkeypatch.chdir(ROOT)
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)


def test_the_committed_stub_is_what_the_core_offers(tmp_path):
    pytest.importorskip("nanobind")
    out = tmp_path / "_native.pyi"
    subprocess.run(
        [sys.executable, "-m", "nanobind.stubgen", "-q", "-m", "constrain._native", "-o", str(out)], check=True, cwd=ROOT
    )
    committed = (ROOT / "constrain" / "_native.pyi").read_text()
    assert out.read_text() == committed, "python -m nanobind.stubgen -m constrain._native -o constrain/_native.pyi"
