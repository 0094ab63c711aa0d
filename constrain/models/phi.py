"""Floor 5: Phi-3.5 through transformers' own Phi3ForCausalLM, for the decode loop of generate.py.

What this file keeps true, each something that a plain loop gets wrong:

- Up to `original_max_position_embeddings` tokens LongRoPE's short factors hold, above it the long ones. A sequence that
  crosses is computed afresh, since its cached keys were rotated with the wrong factors; and sequences on different
  sides never share a pass, since transformers picks the factors by the longest of a batch.
- A chat is put together from ids, not from text, so that a message that spells `<|end|>` is text. The ids are those
  that the checkpoint's own tokenizer gives to the rendered template; that is checked at load, since a tokenizer loaded
  another way puts no space before the text of a turn.
- A sequence's logits do not depend on its neighbours: padding is masked, positions count a sequence's own tokens.

Source: `modeling_phi3.py` and `modeling_rope_utils.py` of transformers. Held by tests/test_runner.py.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import ConstrainError
from ..hub import first_line, hub_file, is_reachable
from ..vocabulary import Vocabulary

__all__ = ["PhiBackend"]

EMBEDDED = Path(__file__).parent / "embedded"
_ROLES = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>"}
_END = "<|end|>"
# What `rstrip` swallows after a role token: Unicode's White_Space, as the tokenizers library has it.
_WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    + ("\u2028\u2029\u202f\u205f\u3000")
)


class PhiBackend:
    """A Phi-3 model and its vocabulary; `open` begins a batch."""

    def __init__(self, model: Any, vocabulary: Vocabulary) -> None:
        width = model.get_output_embeddings().weight.shape[0]
        if vocabulary.size != width:
            raise ConstrainError(
                f"phi: the vocabulary's size {vocabulary.size} does not fit the model's logits of width {width}"
            )
        missing = [name for name in (*_ROLES.values(), _END) if name not in vocabulary.special_tokens]
        if missing:
            raise ConstrainError(
                f"phi: the tokenizer has no special token {missing[0]!r}, so it is none of Phi's"
            )
        self.model = model.eval().requires_grad_(False)
        self.vocabulary = vocabulary
        self.max_length: int = int(model.config.max_position_embeddings)
        if model.config.sliding_window is not None and model.config.sliding_window >= self.max_length:
            model.config.sliding_window = None  # wider than any sequence: the same as none, and cheaper

    @classmethod
    def load(
        cls,
        source: str | os.PathLike[str] | None = None,
        dtype: str | torch.dtype | None = None,
        device: str | torch.device | None = None,
    ) -> PhiBackend:
        """Loads a checkpoint from a folder, a hub id, or the embedded model (None)."""
        folder = _checkpoint(source)
        name = "the embedded model" if source is None else repr(str(source))
        model = _load_model(folder, name, _dtype(dtype), _device(device))
        vocabulary = Vocabulary.from_tokenizer(folder, size=int(model.config.vocab_size))
        backend = cls(model, vocabulary)
        backend._check_tokenizer(folder, name)
        return backend

    def _check_tokenizer(self, folder: str | Path, name: str) -> None:
        """Refuses a checkpoint whose tokenizer gives other ids to a chat than `chat_ids` does."""
        from tokenizers import Tokenizer

        path = _file_of(folder, "tokenizer.json")
        if path is None:
            raise ConstrainError(f"phi: {name} has no tokenizer.json")
        ids = Tokenizer.from_file(str(path)).encode(
            "<|user|>\nHi there.<|end|>\n<|assistant|>\nHi<|end|>\n<|assistant|>\n", add_special_tokens=False
        ).ids  # fmt: skip
        messages = [{"role": "user", "content": "Hi there."}, {"role": "assistant", "content": "Hi"}]
        if ids != self.chat_ids(messages) or not self.vocabulary.adds_dummy_prefix:
            raise ConstrainError(
                f"phi: the tokenizer of {name} is not of Phi's kind (a short chat became {ids}): it keeps the newline "
                "after a role token, or puts no space before the text of a turn"
            )

    # ------------------------------------------------------------ prompts

    def chat_ids(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """The ids of a chat by Phi's template, up to the place where the assistant's answer begins."""
        special = self.vocabulary.special_tokens
        ids: list[int] = []
        for number, message in enumerate(messages):
            role, content = message.get("role"), message.get("content")
            if role not in _ROLES or not isinstance(content, str):
                raise ConstrainError(
                    f"phi: message {number} is {dict(message)!r}, expected a 'role' of {', '.join(map(repr, _ROLES))} "
                    "and a 'content' of text"
                )
            if role == "system" and not content:
                continue
            text = content.lstrip(_WHITE_SPACE)
            ids += [special[_ROLES[role]], *self.vocabulary.encode(text, start="turn"), special[_END]]
        return [*ids, special["<|assistant|>"]]

    def text_ids(self, text: str) -> list[int]:
        """The ids of a plain text that the model is to continue."""
        return self.vocabulary.encode(text, start="turn")

    def open(self, num_sequences: int) -> PhiSession:
        """A session of this many empty sequences."""
        return PhiSession(self, num_sequences)


# ---------------------------------------------------------------- computing


class _Group:
    """Sequences that share a cache: right-aligned, with masked gaps where a sequence had fewer tokens than others."""

    def __init__(self, model: Any, rows: list[int]) -> None:
        from transformers import DynamicCache

        self.rows = rows
        self._model = model
        self._cache = DynamicCache(config=model.config)
        self._mask = torch.zeros((len(rows), 0), dtype=torch.long)

    def select(self, positions: list[int], rows: list[int]) -> None:
        """Keeps the sequences at these positions, under new row numbers."""
        if len(positions) < len(self.rows):
            indices = torch.tensor(positions, dtype=torch.long, device=self._model.device)
            self._cache.batch_select_indices(indices)
            self._mask = self._mask[positions]
        self.rows = rows

    def forward(self, blocks: list[Sequence[int]]) -> torch.Tensor:
        """Appends a block to each sequence; float32 logits [num_sequences, size] behind the last tokens."""
        width = max(len(block) for block in blocks)
        ids = torch.tensor([[0] * (width - len(block)) + list(block) for block in blocks])
        block_mask = torch.tensor([[0] * (width - len(block)) + [1] * len(block) for block in blocks])
        seen = self._mask.sum(1, keepdim=True)
        positions = (seen + block_mask.cumsum(1) - 1).clamp(min=0)
        self._mask = torch.cat((self._mask, block_mask), dim=1)
        device = self._model.device
        logits = self._model(
            input_ids=ids.to(device),
            attention_mask=None if bool(self._mask.all()) else self._mask.to(device),
            position_ids=positions.to(device),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits
        return logits[:, -1, :].float()  # type: ignore[no-any-return]


class PhiSession:
    """A batch of sequences with their caches; see backend.py for the contract."""

    def __init__(self, backend: PhiBackend, num_sequences: int) -> None:
        config = backend.model.config
        self._model = backend.model
        self._size = backend.vocabulary.size
        self._ids: list[list[int]] = [[] for _ in range(num_sequences)]
        self._groups: list[_Group] = []
        rope = config.rope_parameters or {}
        is_longrope = rope.get("rope_type") == "longrope"
        switch = rope.get("original_max_position_embeddings") or config.original_max_position_embeddings
        self._switch: int | None = int(switch) if is_longrope else None
        # A window counts positions in the cache, which gaps would shift: such models get one sequence to a group.
        self._is_windowed = config.sliding_window is not None

    def _is_long(self, length: int) -> bool:
        return self._switch is not None and length > self._switch

    def forward(self, tokens: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Appends `tokens[i]` to sequence i; returns writable logits [num_sequences, size]."""
        if len(tokens) != len(self._ids) or not all(tokens):
            raise ConstrainError(
                f"phi: forward takes one or more tokens for each of {len(self._ids)} sequences"
            )
        fresh = []
        for row, (ids, new) in enumerate(zip(self._ids, tokens, strict=True)):
            if not ids or self._is_long(len(ids)) != self._is_long(len(ids) + len(new)):
                fresh.append(row)
            ids.extend(new)
        self._drop(set(fresh))
        logits = np.empty((len(tokens), self._size), dtype=np.float32)
        with torch.inference_mode():
            for group in self._groups:
                logits[group.rows] = group.forward([tokens[row] for row in group.rows]).cpu().numpy()
            for rows in self._split(fresh):
                group = _Group(self._model, rows)
                logits[rows] = group.forward([self._ids[row] for row in rows]).cpu().numpy()
                self._groups.append(group)
        return logits

    def _drop(self, rows: set[int]) -> None:
        for group in self._groups:
            kept = [position for position, row in enumerate(group.rows) if row not in rows]
            if 0 < len(kept) < len(group.rows):
                group.select(kept, [group.rows[position] for position in kept])
        self._groups = [group for group in self._groups if not rows.issuperset(group.rows)]

    def _split(self, rows: list[int]) -> list[list[int]]:
        """Sequences that are to be computed from their first token, by those that may share a pass."""
        if self._is_windowed:
            return [[row] for row in rows]
        sides = [
            [row for row in rows if self._is_long(len(self._ids[row])) == side] for side in (False, True)
        ]
        return [side for side in sides if side]

    def keep(self, rows: Sequence[int]) -> None:
        """Goes on with these sequences only, renumbered in the given order."""
        self._drop(set(range(len(self._ids))) - set(rows))
        number = {row: position for position, row in enumerate(rows)}
        for group in self._groups:
            group.rows = [number[row] for row in group.rows]
        self._ids = [self._ids[row] for row in rows]


# ---------------------------------------------------------------- loading


def _checkpoint(source: str | os.PathLike[str] | None) -> str | Path:
    """The folder or hub id to load from."""
    if source is None:
        if not (EMBEDDED / "config.json").is_file():
            raise ConstrainError(
                "phi: this installation has no embedded model; pass a checkpoint folder or a hub id"
            )
        return EMBEDDED
    if not isinstance(source, (str, os.PathLike)):
        raise ConstrainError(f"phi: cannot load from {source!r}, expected a checkpoint folder or a hub id")
    path = Path(source)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ConstrainError(f"phi: no config.json in folder {str(path)!r}, so it is no checkpoint")
        return path
    if path.is_absolute() or path.exists() or str(source).count("/") > 1 or str(source).startswith("."):
        raise ConstrainError(f"phi: no checkpoint folder {str(source)!r}")
    return str(source)


def _file_of(folder: str | Path, name: str) -> Path | None:
    if isinstance(folder, Path):
        return folder / name if (folder / name).is_file() else None
    return hub_file(folder, name, is_optional=True)


def _dtype(dtype: str | torch.dtype | None) -> torch.dtype | None:
    """A torch dtype from its name; None leaves it to the checkpoint."""
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if found is not None and found not in (torch.float32, torch.float16, torch.bfloat16):
        found = None
    if dtype is not None and found is None:
        raise ConstrainError(f"phi: dtype is {dtype!r}, expected 'float32', 'bfloat16' or 'float16'")
    return found


def _device(device: str | torch.device | None) -> torch.device:
    """A torch device from its name; None is a GPU where there is one."""
    try:
        return torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    except (RuntimeError, TypeError):
        raise ConstrainError(
            f"phi: device is {device!r}, expected 'cpu', 'cuda', 'cuda:1' or the like"
        ) from None


def _load_model(folder: str | Path, name: str, dtype: torch.dtype | None, device: torch.device) -> Any:
    """Phi3ForCausalLM with all its weights, or an error that says what is wrong with the checkpoint."""
    from transformers import Phi3ForCausalLM
    from transformers.models.auto.configuration_auto import AutoConfig

    logging: Any = import_module("transformers.utils.logging")
    verbosity, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    if name == "the embedded model" or not sys.stderr.isatty():
        logging.disable_progress_bar()
    try:
        where = {} if isinstance(folder, Path) else {"local_files_only": not is_reachable()}
        kind = AutoConfig.from_pretrained(folder, **where).model_type
        if kind != "phi3":
            raise ConstrainError(f"phi: {name} has model_type {kind!r}, expected 'phi3'")
        load = cast(Any, Phi3ForCausalLM).from_pretrained
        model, report = load(folder, dtype=dtype or "auto", output_loading_info=True, **where)
    except ConstrainError:
        raise
    except (
        Exception
    ) as error:  # the loaders raise OSError, ValueError, RuntimeError, SafetensorError and more
        raise ConstrainError(f"phi: cannot load {name}: {first_line(error)}") from error
    finally:
        logging.set_verbosity(verbosity)
        if has_bars:
            logging.enable_progress_bar()
    wrong = [*report["missing_keys"], *report["mismatched_keys"]]
    if wrong:
        first = wrong[0] if isinstance(wrong[0], str) else wrong[0][0]
        raise ConstrainError(f"phi: {name} lacks the weights of {first!r}, or has them in another shape")
    if dtype is None and device.type == "cpu" and model.dtype == torch.float16:
        model = model.float()  # half precision has no fast kernels there
    try:
        return model.to(device)
    except (RuntimeError, AssertionError) as error:  # no such device, or not enough of its memory
        raise ConstrainError(f"phi: cannot move {name} to {str(device)!r}: {first_line(error)}") from error
