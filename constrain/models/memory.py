"""Floor 5: how much memory a device has left, where that can be told.

On the CPU: what the kernel calls available, and no more than the process's control group allows. On a GPU: what the
driver has free and what torch holds without using it. Held by tests/test_prefixes.py.
"""

from __future__ import annotations

from pathlib import Path

import torch

__all__ = ["available_bytes", "in_words"]

_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


def available_bytes(device: torch.device) -> int | None:
    """Bytes that a run may still take on the device; None where that is unknown."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    if device.type != "cpu":
        return None
    try:
        lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
        available = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
    return min([available, *_group_bytes()])


def _group_bytes() -> list[int]:
    """What the control group leaves, where there is one with a limit."""
    try:
        limit, current = (int((_GROUP / name).read_text()) for name in ("memory.max", "memory.current"))
        counts = dict(line.split() for line in (_GROUP / "memory.stat").read_text().splitlines())
        return [max(0, limit - current + int(counts["inactive_file"]))]  # cached files give way
    except (OSError, KeyError, ValueError):  # no group, or no limit ("max")
        return []


def in_words(num_bytes: int) -> str:
    """A number of bytes for people.

    >>> in_words(393_216), in_words(51_539_607_552)
    ('393.2 kB', '51.5 GB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if num_bytes >= size:
            return f"{num_bytes / size:.1f} {unit}"
    return f"{num_bytes} bytes"
