"""Floor 2: files of a model on the hub, through transformers' cache; a short clean error where there is no network."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from .errors import ConstrainError

__all__ = ["first_line", "hub_file", "is_reachable"]


def is_reachable() -> bool:
    """Whether asking the hub has any hope: its client would try again for half a minute where the name is unknown."""
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True  # a proxy resolves names for us
    host = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co")).hostname
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        return False
    return True


def hub_file(name: str, file_name: str, *, is_optional: bool) -> Path | None:
    """A file of the model `name`, fetched or from the cache; None where it is optional and not there."""
    try:
        from transformers.utils.hub import cached_file
    except ImportError:
        raise ConstrainError(
            f"no file or folder {name!r}, and a hub id needs the transformers package (pip install 'constrain[phi]')"
        ) from None
    try:
        path = cached_file(
            name,
            file_name,
            local_files_only=not is_reachable(),
            _raise_exceptions_for_missing_entries=not is_optional,
            _raise_exceptions_for_connection_errors=not is_optional,
        )
    except Exception as error:  # noqa: BLE001 - the client raises many kinds: no network, no such repository, no access
        raise ConstrainError(
            f"{name!r} is no file or folder here, and could not be had from the hub: {first_line(error)}"
        ) from None
    return Path(path) if path else None


def first_line(error: BaseException) -> str:
    """The first line of an error of another library, or its kind where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
