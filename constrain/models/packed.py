"""Floor 5: sequences inside a Phi model: packed passes over sequences that may share their beginnings.

What this file keeps true, each something that a plain loop gets wrong:

- Up to `original_max_position_embeddings` tokens LongRoPE's short factors hold, above it the long ones. A sequence that
  crosses is computed afresh, since its keys were rotated with the wrong factors; each token of a pass is rotated with the
  factors of its own sequence, where transformers would pick those of the longest; and what was computed on one side is of
  no use on the other.
- A token is computed once: what sequences have computed is kept (prefixes.py), and of fresh sequences that begin alike
  one goes first.
- A sequence's logits do not depend on its neighbours: nothing is padded.

The model's attention and rotary embedding are ours only during a pass; outside it is transformers' own. Source:
`modeling_phi3.py` and `modeling_rope_utils.py` of transformers. Held by tests/test_runner.py and tests/test_prefixes.py.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AttentionInterface
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from ..errors import ConstrainError, LimitExceeded
from .key_values import KeyValues, Part, attend
from .memory import available_bytes, in_words
from .prefixes import Prefixes, num_shared

__all__ = ["PackedModel", "PackedSession"]

PASS_TOKENS = 1024  # of all sequences together; longer prompts take several passes
MIN_SHARED = 32  # tokens in common for which one fresh sequence waits for another
MIN_CHECKED_BYTES = 64 << 20  # what needs less is not held against the memory that is free
_NAME = "constrain_packed"

AttentionInterface.register(_NAME, attend)


class _Rotary(torch.nn.Module):
    """LongRoPE whose factors are chosen for each token."""

    def __init__(self, config: Any, switch: int, device: torch.device) -> None:
        super().__init__()
        found = [ROPE_INIT_FUNCTIONS["longrope"](config, device, seq_len=length) for length in (switch, switch + 1)]
        self._frequencies = torch.stack([frequencies for frequencies, _ in found]).float()
        self._scales = torch.tensor([scale for _, scale in found], device=device)
        self.sides = torch.zeros(0, dtype=torch.long)  # of the pass's tokens: 0 short, 1 long

    def forward(self, x: torch.Tensor, position_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosines and sines [1, tokens, head_dim] for the positions [1, tokens]."""
        angles = position_ids[..., None].float() * self._frequencies[self.sides]
        angles = torch.cat((angles, angles), dim=-1)
        scales = self._scales[self.sides][:, None]
        return (angles.cos() * scales).to(x.dtype), (angles.sin() * scales).to(x.dtype)


class PackedModel:
    """A Phi model that computes packed passes; one pass at a time, whatever the number of threads."""

    def __init__(self, model: Any, prefix_bytes: int | None) -> None:
        self.model = model
        self.lock = threading.RLock()
        config = model.config
        rope = config.rope_parameters or {}
        switch = rope.get("original_max_position_embeddings") or config.original_max_position_embeddings
        self.switch: int | None = int(switch) if rope.get("rope_type") == "longrope" else None
        self._rotary = None if self.switch is None else _Rotary(config, self.switch, model.device)
        head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self._empty = torch.empty((2, config.num_key_value_heads, 0, head_dim), dtype=model.dtype, device=model.device)
        self.token_bytes = config.num_hidden_layers * 2 * config.num_key_value_heads * head_dim * self._empty.element_size()
        self.window: int | None = config.sliding_window
        self.num_computed = 0  # tokens that passes were made of, since loading
        self.prefixes = Prefixes[KeyValues](_default_prefix_bytes(model.device) if prefix_bytes is None else prefix_bytes)

    def is_long(self, length: int) -> bool:
        """Whether a text of this length takes LongRoPE's long factors."""
        return self.switch is not None and length > self.switch

    def key_values(self, is_long: bool) -> KeyValues:
        """Empty ones."""
        return KeyValues(self._empty, self.model.config.num_hidden_layers, is_long)

    def forward(self, ids: list[int], parts: list[Part]) -> torch.Tensor:
        """The last layer's states [tokens, hidden_size] of a pass."""
        device = self.model.device
        positions = [position for part in parts for position in range(part.first, part.first + part.count)]
        sides = [int(part.key_values.is_long) for part in parts for _ in range(part.count)]
        with self._as_packed(torch.tensor(sides, device=device)):
            states = self.model.base_model(
                input_ids=torch.tensor([ids], device=device), position_ids=torch.tensor([positions], device=device),
                use_cache=False, parts=parts,
            ).last_hidden_state  # fmt: skip
        self.num_computed += len(ids)
        return states[0]  # type: ignore[no-any-return]

    @contextmanager
    def _as_packed(self, sides: torch.Tensor) -> Iterator[None]:
        base, config = self.model.base_model, self.model.config
        attention, rotary = config._attn_implementation, base.rotary_emb
        config._attn_implementation = _NAME
        if self._rotary is not None:
            self._rotary.sides = sides
            base.rotary_emb = self._rotary
        try:
            yield
        finally:
            config._attn_implementation, base.rotary_emb = attention, rotary

    def check_memory(self, num_tokens: int) -> None:
        """Refuses keys and values for so many tokens more where they do not fit; kept beginnings make room first."""
        needed = num_tokens * self.token_bytes
        if needed < MIN_CHECKED_BYTES:
            return
        available = available_bytes(self.model.device)
        if available is not None and available < needed:
            self.prefixes.clear()
            available = available_bytes(self.model.device)
        if available is not None and available < needed:
            raise LimitExceeded(
                "memory_bytes", needed, available,
                f"phi: keys and values of {num_tokens} tokens need {in_words(needed)} ({in_words(self.token_bytes)} a token), "
                f"and {in_words(available)} are available on {self.model.device}",
            )  # fmt: skip


def _default_prefix_bytes(device: torch.device) -> int:
    """An eighth of what is free, at most 4 GB; 1 GB where that cannot be told."""
    available = available_bytes(device)
    return 1 << 30 if available is None else min(available // 8, 4 << 30)


class _Row:
    """A sequence: its ids, of which the first `length` are in `key_values`."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.key_values: KeyValues | None = None
        self.length = 0
        self.num_reused: int | None = None  # known once the first tokens have come

    def note_reused(self) -> None:
        """The sequence has begun with what is in `key_values`."""
        if self.num_reused is None:
            self.num_reused = self.length

    def fork(self) -> _Row:
        """The same sequence once more."""
        twin = _Row()
        twin.ids, twin.key_values = list(self.ids), self.key_values
        twin.length, twin.num_reused = self.length, self.num_reused
        return twin


class PackedSession:
    """A batch of sequences with their keys and values; see backend.py for the contract."""

    def __init__(self, model: PackedModel, num_sequences: int) -> None:
        self._model = model
        self._rows = [_Row() for _ in range(num_sequences)]

    @property
    def num_reused_tokens(self) -> list[int]:
        """For each sequence, how many of its first tokens were not computed for it."""
        return [row.num_reused or 0 for row in self._rows]

    def add(self, num_sequences: int) -> None:
        """So many empty sequences more, behind the others."""
        self._rows += [_Row() for _ in range(num_sequences)]

    def keep(self, rows: Sequence[int]) -> None:
        """Goes on with these sequences, renumbered in the given order; one that is named again is forked."""
        seen = set[int]()
        kept = []
        for row in rows:
            kept.append(self._rows[row].fork() if row in seen else self._rows[row])
            seen.add(row)
        self._rows = kept
        with self._model.lock:
            self._model.prefixes.trim()

    def forward(self, tokens: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Appends `tokens[i]` to sequence i; returns writable logits [num_sequences, size]."""
        if len(tokens) != len(self._rows) or not all(tokens):
            raise ConstrainError(f"phi: forward takes one or more tokens for each of {len(self._rows)} sequences")
        with self._model.lock, torch.inference_mode():
            for row, new in zip(self._rows, tokens, strict=True):
                row.ids.extend(new)
            try:
                states = self._computed()
            except BaseException:
                for row, new in zip(self._rows, tokens, strict=True):
                    del row.ids[-len(new) :]
                    row.key_values, row.length = None, 0  # found again among the kept ones
                raise
            logits = self._model.model.get_output_embeddings()(torch.stack(states))
            return logits.float().cpu().numpy()  # type: ignore[no-any-return]

    def _computed(self) -> list[torch.Tensor]:
        """The states behind the last token of each sequence."""
        prefixes = self._model.prefixes
        num_kept = len(prefixes)
        leaders, followers = self._in_order()
        self._check_memory(leaders, followers)
        states = dict[int, torch.Tensor]()
        for rows in (leaders, followers):
            self._place(rows)
            while any(row.length < len(row.ids) for row in rows):
                self._pass(rows, states)
        if len(prefixes) != num_kept:
            prefixes.trim()
        return [states[id(row)] for row in self._rows]

    def _in_order(self) -> tuple[list[_Row], list[_Row]]:
        """The sequences to be computed first, and those that then find their beginnings among them."""
        leaders, followers, fresh = list[_Row](), list[_Row](), list[_Row]()
        for row in self._rows:
            is_long = self._model.is_long(len(row.ids))
            if row.key_values is not None and row.key_values.is_long != is_long:
                row.key_values, row.length = None, 0
            if row.key_values is not None:
                leaders.append(row)
                continue
            found, length = self._model.prefixes.find(row.ids[:-1], is_long)
            if self._model.prefixes.max_bytes and any(
                self._model.is_long(len(other.ids)) == is_long and num_shared(other.ids, row.ids) >= length + MIN_SHARED
                for other in fresh
            ):
                followers.append(row)
                continue
            row.key_values, row.length = found or self._model.key_values(is_long), length
            row.note_reused()
            leaders.append(row)
            fresh.append(row)
        return leaders, followers

    def _check_memory(self, leaders: list[_Row], followers: list[_Row]) -> None:
        needed = sum(len(row.ids) for row in followers)
        for row in leaders:
            has_room = row.key_values is not None and len(row.key_values.ids) == row.length
            room = row.key_values.capacity if has_room and row.key_values is not None else 0
            needed += max(0, len(row.ids) - room)
        self._model.check_memory(needed)

    def _place(self, rows: list[_Row]) -> None:
        """Gives each sequence keys and values that it may append to: shared ones go to the first, the others copy."""
        prefixes = self._model.prefixes
        taken = set[int]()
        for row in rows:
            if row.key_values is None:
                is_long = self._model.is_long(len(row.ids))
                found, row.length = prefixes.find(row.ids[:-1], is_long)
                row.key_values = found or self._model.key_values(is_long)
                row.note_reused()
            if len(row.key_values.ids) != row.length or id(row.key_values) in taken:
                row.key_values = row.key_values.beginning(row.length, len(row.ids))
            row.key_values.reserve(len(row.ids))
            prefixes.add(row.key_values)
            taken.add(id(row.key_values))

    def _pass(self, rows: list[_Row], states: dict[int, torch.Tensor]) -> None:
        """One packed pass over what these sequences lack, up to its greatest length."""
        ids, parts, members = list[int](), list[Part](), list[_Row]()
        for row in rows:
            count = min(PASS_TOKENS - len(ids), len(row.ids) - row.length)
            if count > 0:
                assert row.key_values is not None
                parts.append(Part(row.key_values, len(ids), row.length, count, self._model.window))
                ids += row.ids[row.length : row.length + count]
                members.append(row)
        found = self._model.forward(ids, parts)
        for row, part in zip(members, parts, strict=True):
            assert row.key_values is not None
            row.key_values.ids += row.ids[row.length : row.length + part.count]
            row.length += part.count
            if row.length == len(row.ids):
                states[id(row)] = found[part.begin + part.count - 1]
