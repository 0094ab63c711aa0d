"""Floor 5: the keys and values of a text's tokens in all layers, and attention that reads them.

A pass is *packed*: the tokens of all sequences stand in one row without padding, and only attention looks at each sequence
by itself (the selective batching of Yu et al., *Orca*, OSDI 2022). transformers hands its attention to `attend` through
its own registry, with the pass's `Part`s beside it.

Keys and values are only ever appended, so any number of sequences with a common beginning may share them: the first to
go on writes behind them, whoever comes later and goes on otherwise takes a copy of the beginning. Held by tests/test_runner.py and
tests/test_prefixes.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

__all__ = ["KeyValues", "Part", "attend"]

_LEAST_GROWTH, _GREATEST_GROWTH = 64, 1024  # tokens


class KeyValues:
    """For each layer a buffer [2, heads, capacity, head_dim] with the keys and values of `ids`."""

    def __init__(self, empty: torch.Tensor, num_layers: int, is_long: bool) -> None:
        """`empty`: [2, heads, 0, head_dim], for dtype and device; `is_long`: rotated with LongRoPE's long factors."""
        self.ids: list[int] = []  # those that are there in all layers
        self.is_long = is_long
        self._buffers = [empty] * num_layers

    @property
    def capacity(self) -> int:
        """The number of tokens that there is room for."""
        return self._buffers[-1].shape[2]

    @property
    def num_bytes(self) -> int:
        """Bytes of all buffers, their free room included."""
        return self._buffers[-1].nbytes * len(self._buffers)

    @property
    def device(self) -> torch.device:
        """Where they lie."""
        return self._buffers[-1].device

    def reserve(self, length: int) -> None:
        """Makes room for `length` tokens, layer by layer, so that little more than one copy is ever held."""
        if length <= self.capacity:
            return
        growth = min(max(length // 4, _LEAST_GROWTH), _GREATEST_GROWTH) if self.ids else _LEAST_GROWTH
        for layer, buffer in enumerate(self._buffers):
            grown = buffer.new_empty((2, buffer.shape[1], length + growth, buffer.shape[3]))
            grown[:, :, : len(self.ids)] = buffer[:, :, : len(self.ids)]
            self._buffers[layer] = grown

    def beginning(self, length: int, room: int) -> KeyValues:
        """A copy of the first `length` tokens, with room for `room` of them."""
        copy = KeyValues(self._buffers[0][:, :, :0], len(self._buffers), self.is_long)
        copy.reserve(room)
        for target, source in zip(copy._buffers, self._buffers, strict=True):
            target[:, :, :length] = source[:, :, :length]
        copy.ids = self.ids[:length]
        return copy

    def write(self, layer: int, first: int, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Puts keys and values [heads, count, head_dim] at position `first`; all up to there, [2, heads, first + count, head_dim]."""
        buffer, end = self._buffers[layer], first + keys.shape[1]
        buffer[0, :, first:end] = keys
        buffer[1, :, first:end] = values
        return buffer[:, :, :end]


@dataclass
class Part:
    """The stretch of a packed pass that belongs to one sequence: `count` tokens from `begin` on, at positions from `first` on."""

    key_values: KeyValues
    begin: int
    first: int
    count: int
    window: int | None
    mask: torch.Tensor | None = None  # which keys a query sees; None: all of them, or all up to itself

    def __post_init__(self) -> None:
        if self.count == 1 or (self.first == 0 and not self._is_windowed):
            return
        whole = torch.ones((self.count, self.first + self.count), dtype=torch.bool, device=self.key_values.device)
        self.mask = whole.tril(self.first)
        if self.window is not None and self._is_windowed:
            self.mask &= ~whole.tril(self.first - self.window)

    @property
    def _is_windowed(self) -> bool:
        return self.window is not None and self.first + self.count > self.window

    def attend(self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float) -> torch.Tensor:
        """The attention of this part's tokens [1, heads, count, head_dim]; keys and values are kept."""
        stretch = slice(self.begin, self.begin + self.count)
        kept = self.key_values.write(layer, self.first, key[0, :, stretch], value[0, :, stretch])
        if self.count == 1 and self.window is not None:
            kept = kept[:, :, -self.window :]
        return scaled_dot_product_attention(
            query[:, :, stretch], kept[None, 0], kept[None, 1], attn_mask=self.mask, scale=scaling,
            is_causal=self.mask is None and self.count > 1, enable_gqa=query.shape[1] != key.shape[1],
        )  # fmt: skip


def attend(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, _mask: None, *, scaling: float, parts: list[Part],
    **_others: Any,
) -> tuple[torch.Tensor, None]:  # fmt: skip
    """transformers' attention interface for a packed pass: [1, heads, tokens, head_dim] in, [1, tokens, heads, head_dim] out."""
    found = [part.attend(module.layer_idx, query, key, value, scaling) for part in parts]
    return torch.cat(found, dim=2).transpose(1, 2).contiguous(), None
