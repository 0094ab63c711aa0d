"""Shared by all tests: where the optional shared data lies, and the real vocabulary when it is there."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def shared_path(*parts: str) -> Path:
    """A path of the shared data; the calling test is skipped, with its reason, where it is absent."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"shared data are absent: {'/'.join(parts)}")
    return path


@pytest.fixture(scope="session")
def small_vocabulary():
    """A vocabulary of all bytes and some longer tokens, with specials, gaps, duplicates and padding."""
    import constrain

    pieces = ["ab", "abc", "ba", "aa", "bb", '"', '":', '","', '":"', '{"', '"}', " {", "true", "  ", "\n ", "12", "é", "日本"]
    tokens: list[bytes | None] = [None, None]
    tokens += [bytes([b]) for b in range(256)]
    tokens += [p.encode() for p in pieces] + [b"ab", None, b"\xe6\x97", None]
    return constrain.Vocabulary(tokens, end_ids=[0, len(tokens) - 1], size=len(tokens) + 13)


@pytest.fixture(scope="session")
def phi_vocabulary():
    """The vocabulary that Phi-3.5 shares with Phi-3, padded as its logits are."""
    import constrain

    return constrain.Vocabulary.from_tokenizer(str(shared_path("phi3-tokenizer")), size=32064)
