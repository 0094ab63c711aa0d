"""Floor 4: bitmasks, and applying them to logits.

A bitmask is int32 `[batch_size, ceil(size / 32)]`; bit `i % 32` of word `i // 32` says that token `i` is allowed. The
layout is the one of llguidance and XGrammar, so that kernels can be shared. Held by tests/test_masks.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from constrain import _native
from constrain.errors import ConstrainError

if TYPE_CHECKING:
    import torch

__all__ = ["allocate_token_bitmask", "apply_token_bitmask_inplace"]


def allocate_token_bitmask(batch_size: int, vocab_size: int, backend: str = "numpy") -> Any:
    """A bitmask of ones (everything allowed): int32 `[batch_size, ceil(vocab_size / 32)]`.

    `backend` is "numpy" or "torch" (a CPU tensor; pinned memory is the caller's business).

    >>> allocate_token_bitmask(2, 32064).shape
    (2, 1002)
    """
    shape = (batch_size, (vocab_size + 31) // 32)
    if backend == "numpy":
        return np.full(shape, -1, dtype=np.int32)
    if backend == "torch":
        import torch

        return torch.full(shape, -1, dtype=torch.int32)
    raise ConstrainError(f"bitmask: backend 'numpy' or 'torch' is needed, given {backend!r}")


def apply_token_bitmask_inplace(logits: Any, bitmask: Any) -> None:
    """Sets the logits of tokens that are not allowed to minus infinity, in place.

    `logits`: numpy or torch, float32, float16, bfloat16 or float64, `[batch_size, size]` or `[size]`, any strides.
    `bitmask`: int32 of the same number of rows, numpy or torch. On the CPU nothing of the logits' size is allocated; on
    another device the bitmask is moved there and unpacked. Raises `ConstrainError` where shapes or dtypes do not fit.

    >>> logits = np.zeros((1, 40), dtype=np.float32)
    >>> bitmask = np.array([[0b101, 0]], dtype=np.int32)
    >>> apply_token_bitmask_inplace(logits, bitmask)
    >>> np.flatnonzero(logits[0] == 0).tolist()
    [0, 2]
    """
    device = getattr(logits, "device", None)
    if device is not None and getattr(device, "type", "cpu") != "cpu":
        _apply_on_device(logits, bitmask)
        return
    if hasattr(logits, "detach"):
        logits = logits.detach()
    try:
        _native.apply_token_bitmask(logits, bitmask)
    except TypeError:
        raise ConstrainError(
            "logits and bitmask: writable numpy arrays or torch tensors are needed, the bitmask C-contiguous int32; "
            f"given {type(logits).__name__} and {type(bitmask).__name__}"
        ) from None


def _apply_on_device(logits: torch.Tensor, bitmask: Any) -> None:
    import torch

    bits = torch.as_tensor(bitmask).to(logits.device, non_blocking=True)
    width = logits.shape[-1]
    if bits.shape[-1] != (width + 31) // 32 or bits.shape[:-1] != logits.shape[:-1]:
        raise ConstrainError(
            f"bitmask of shape {tuple(bits.shape)} does not fit logits of shape {tuple(logits.shape)}: "
            "the vocabulary does not fit the logits"
        )
    shifts = torch.arange(32, device=logits.device, dtype=torch.int32)
    blocked = ((bits.unsqueeze(-1) >> shifts) & 1 == 0).flatten(-2)[..., :width]
    logits.masked_fill_(blocked, float("-inf"))
