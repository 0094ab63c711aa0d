"""Floor 5: Phi-3.5 through transformers' own Phi3ForCausalLM: loading it, and the ids of chats.

A chat is put together from ids, not from text, so that a message that spells `<|end|>` is text. The ids are those that
the checkpoint's own tokenizer gives to the rendered template; that is checked at load, since a tokenizer loaded another way
puts no space before the text of a turn. What computes is in packed.py. Held by tests/test_runner.py.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import torch

from ..errors import ConstrainError
from ..hub import first_line, hub_file, is_reachable
from ..vocabulary import Vocabulary
from .packed import PackedModel, PackedSession

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

    def __init__(self, model: Any, vocabulary: Vocabulary, prefix_bytes: int | None = None) -> None:
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
        if prefix_bytes is not None and (not isinstance(prefix_bytes, int) or prefix_bytes < 0):
            raise ConstrainError(f"phi: prefix_bytes is {prefix_bytes!r}, expected a whole number from 0, or None")
        self.packed = PackedModel(self.model, prefix_bytes)

    @classmethod
    def load(
        cls,
        source: str | os.PathLike[str] | None = None,
        dtype: str | torch.dtype | None = None,
        device: str | torch.device | None = None,
        prefix_bytes: int | None = None,
    ) -> PhiBackend:
        """Loads a checkpoint from a folder, a hub id, or the embedded model (None)."""
        folder = _checkpoint(source)
        name = "the embedded model" if source is None else repr(str(source))
        model = _load_model(folder, name, _dtype(dtype), _device(device))
        vocabulary = Vocabulary.from_tokenizer(folder, size=int(model.config.vocab_size))
        backend = cls(model, vocabulary, prefix_bytes)
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

    # ------------------------------------------------------------ computing

    def open(self, num_sequences: int) -> PackedSession:
        """A session of this many empty sequences."""
        return PackedSession(self.packed, num_sequences)

    def memory_bytes(self, num_tokens: int) -> int:
        """Bytes of keys and values of so many tokens."""
        return num_tokens * self.packed.token_bytes


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
