"""Floor 2: a model's tokens as byte strings, and the trie over them.

A `Vocabulary` is immutable. What it keeps true: `tokens[i]` are the exact bytes that token i adds to a text, or None
where it adds none (specials, gaps, the end tokens); `end_ids` is never empty; `size` is the width of the logits, and
no id without bytes is ever allowed by a mask, but for the end ids where the text may end. The reading of tokenizers'
formats lies in tokenizer_formats.py. Held by tests/test_vocabulary.py.
"""

from __future__ import annotations

import hashlib
import operator
import os
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ConstrainError
from .hub import hub_file
from .specials import pieces, spell, tokens_of
from .tokenizer_formats import (
    Encoder,
    TokenizerData,
    read_json_file,
    read_object,
    read_sentencepiece,
    read_tiktoken_file,
    read_tokenizer_json,
)

if TYPE_CHECKING:
    from ._native import TokenTrie

__all__ = ["NUM_TAIL_TOKENS", "Vocabulary"]

_MAX_SPECIAL_TRIES = 16
NUM_TAIL_TOKENS = 8  # what of the ids before a text the tokenizer is shown to encode it

# What ends a turn, by name, for tokenizers that come without a generation_config.json: all of the first row whose
# names are all there, else every token of the second that is.
_END_NAMES_TOGETHER = (
    ("<|end|>", "<|assistant|>", "<|endoftext|>"),
)  # Phi-3 and Phi-3.5: 32007, 32001, 32000
_END_NAMES = (
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<end_of_turn>",
    "<eos>",
    "<|return|>",
)
_END_NAMES_OLD = ("<|endoftext|>", "</s>")

_ACCEPTED = (
    "accepted are a path to tokenizer.json, tokenizer.model or their folder, a hub id, or a tokenizer object of "
    "transformers, tokenizers, sentencepiece or tiktoken"
)


def _as_id(value: Any, what: str) -> int:
    if isinstance(value, bool):
        raise ConstrainError(f"vocabulary: {what} is {value!r}, expected a token id (an integer)")
    try:
        return operator.index(value)
    except TypeError:
        raise ConstrainError(f"vocabulary: {what} is {value!r}, expected a token id (an integer)") from None


class Vocabulary:
    """The tokens of a model: `tokens`, a list of bytes (None for specials and gaps), ids that end a text, and a size.

    `size` is the width of the logits and defaults to `len(tokens)`; ids beyond the tokens are padding and never
    allowed. `excluded` ids keep their bytes but stay out of masks.

    >>> vocabulary = Vocabulary([b"a", b"b", b"ab", None], end_ids=[3], size=8)
    >>> vocabulary.size, vocabulary.decode([2, 0, 3])
    (8, b'aba')
    """

    def __init__(
        self,
        tokens: Sequence[bytes | None],
        end_ids: int | Iterable[int] | None,
        size: int | None = None,
        *,
        excluded: Iterable[int] = (),
        special_tokens: Mapping[str, int] | None = None,
        adds_dummy_prefix: bool = False,
        make_encoder: Callable[[], Encoder] | None = None,
    ) -> None:
        self.tokens: list[bytes | None] = _checked_tokens(tokens)
        self.size: int = len(self.tokens) if size is None else _as_id(size, "size")
        if self.size < len(self.tokens):
            raise ConstrainError(
                f"vocabulary: size {self.size} is smaller than the {len(self.tokens)} tokens; it is the width of the logits"
            )
        self.tokens += [None] * (self.size - len(self.tokens))
        self.end_ids: list[int] = _checked_end_ids(end_ids, self.size)
        for i in self.end_ids:
            self.tokens[i] = None
        self.excluded: list[int] = sorted({_as_id(i, "an excluded id") for i in excluded} - set(self.end_ids))
        if self.excluded and not 0 <= self.excluded[0] <= self.excluded[-1] < self.size:
            raise ConstrainError(f"vocabulary: excluded id outside 0 to {self.size - 1}")
        if not any(self.tokens):
            raise ConstrainError("vocabulary: no token with text, so nothing could ever be written")
        self.special_tokens: Mapping[str, int] = dict(special_tokens or {})
        self.adds_dummy_prefix: bool = adds_dummy_prefix
        self._make_encoder = make_encoder
        self._special_tries: dict[tuple[str, ...], TokenTrie] = {}

    def __repr__(self) -> str:
        num_text = sum(token is not None for token in self.tokens)
        return f"Vocabulary({num_text} tokens with text, size={self.size}, end_ids={self.end_ids})"

    # ------------------------------------------------------------ from a tokenizer

    @classmethod
    def from_tokenizer(
        cls,
        source: Any,
        *,
        end_ids: int | Iterable[int] | None = None,
        size: int | None = None,
        keep_byte_duplicates: bool = False,
    ) -> Vocabulary:
        """Reads the exact bytes of every token from a tokenizer's files or from a loaded tokenizer.

        `source`: a path to `tokenizer.json`, `tokenizer.model` or their folder, a hub id, or a tokenizer object of
        transformers, tokenizers, sentencepiece or tiktoken. `size` defaults to `vocab_size` of a `config.json` beside
        the tokenizer, `end_ids` to those of a `generation_config.json`, else to the tokenizer's own end tokens.
        Byte tokens whose byte is also an ordinary piece stay out of masks unless `keep_byte_duplicates`.
        Raises ConstrainError for what cannot be read.
        """
        if isinstance(source, Vocabulary):
            return source
        data, beside = _read_source(source)
        if end_ids is None:
            end_ids = _find_end_ids(data, beside)
        if size is None:
            size = _find_size(beside)
        return cls(
            data.tokens,
            end_ids,
            size,
            excluded=() if keep_byte_duplicates else data.byte_duplicates,
            special_tokens=data.special_tokens,
            adds_dummy_prefix=data.adds_dummy_prefix,
            make_encoder=data.make_encoder,
        )

    # ------------------------------------------------------------ what masks need

    @cached_property
    def trie(self) -> TokenTrie:
        """The prefix tree over the tokens' bytes that masks walk; built once, on first use."""
        from ._native import TokenTrie

        return TokenTrie(self.tokens, self.end_ids, self.size, self.excluded)

    def trie_with(self, required: Iterable[str]) -> TokenTrie:
        """The tree for a constraint that speaks of these tokens themselves (specials.py); the ordinary one where there are none."""
        key = tuple(sorted(required))
        if not key:
            return self.trie
        if key not in self._special_tries:
            from ._native import TokenTrie

            aliases = [(i, spell(one)) for one in key for i in tokens_of(one, self)]
            while len(self._special_tries) >= _MAX_SPECIAL_TRIES:
                self._special_tries.pop(next(iter(self._special_tries)), None)
            self._special_tries[key] = TokenTrie(self.tokens, self.end_ids, self.size, self.excluded, aliases)
        return self._special_tries[key]

    def is_token(self, i: int) -> bool:
        """Whether the id has a text or the name of a special token, and neither ends a text nor is excluded."""
        return i in self._token_ids

    @cached_property
    def _token_ids(self) -> frozenset[int]:
        known = {i for i, token in enumerate(self.tokens) if token is not None} | set(self.special_tokens.values())
        return frozenset(known - set(self.excluded) - set(self.end_ids))

    @cached_property
    def fingerprint(self) -> str:
        """A digest of tokens, end ids, size and exclusions: equal for vocabularies that make equal masks."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(repr((self.size, self.end_ids, self.excluded)).encode())
        for token in self.tokens:
            digest.update(b"\xff" if token is None else len(token).to_bytes(4, "little") + token)
        return digest.hexdigest()

    @cached_property
    def absent_bytes(self) -> bytes:
        """The bytes that occur in no token: a text with one of them cannot be written with this vocabulary."""
        present: set[int] = set()
        for token in set(self.tokens):
            present.update(token or b"")
        return bytes(byte for byte in range(256) if byte not in present)

    @cached_property
    def _sorted_tokens(self) -> tuple[list[bytes], list[int]]:
        excluded = set(self.excluded)
        pairs = sorted((token, i) for i, token in enumerate(self.tokens) if token and i not in excluded)
        return [token for token, _ in pairs], [i for _, i in pairs]

    def longer_tokens(self, prefix: bytes, following: bytes | None = None) -> Iterator[int]:
        """The ids of the tokens whose bytes begin with `prefix` and go on, with one of the bytes `following` if given.

        >>> vocabulary = Vocabulary([b"a", b"b", b"ab", b"abc", None], end_ids=4)
        >>> list(vocabulary.longer_tokens(b"a")), list(vocabulary.longer_tokens(b"ab", b"xyz"))
        ([2, 3], [])
        """
        texts, ids = self._sorted_tokens
        tail = b"\xff" * (1 + self.max_token_length)
        first = bisect_right(texts, prefix)
        last = bisect_left(texts, prefix + tail, lo=first)
        if following is None or first == last:
            yield from ids[first:last]
            return
        for byte in following:
            start = prefix + bytes((byte,))
            low = bisect_left(texts, start, first, last)
            yield from ids[low : bisect_left(texts, start + tail, low, last)]

    @cached_property
    def max_token_length(self) -> int:
        """The number of bytes of the longest token."""
        return max(len(token) for token in self.tokens if token)

    # ------------------------------------------------------------ bytes and ids

    @cached_property
    def _special_names(self) -> dict[int, str]:
        return {i: name for name, i in self.special_tokens.items()}

    def shown(self, ids: Iterable[int]) -> list[bytes | str]:
        """The bytes of each id, or for those that have none a special token's name, for people to look at."""
        tokens, names = self.tokens, self._special_names
        return [names.get(i, f"<{i}>") if (token := tokens[i]) is None else token for i in ids]

    def decode(self, ids: Iterable[int]) -> bytes:
        """The bytes that the ids add to a text; specials add none. The dummy prefix, where there is one, stays in."""
        parts = []
        for i in ids:
            if not 0 <= i < self.size:
                raise ConstrainError(f"vocabulary: token id {i} is outside 0 to {self.size - 1}")
            parts.append(self.tokens[i] or b"")
        return b"".join(parts)

    @cached_property
    def _encoder(self) -> Encoder | None:
        if self._make_encoder is None:
            return None
        try:
            return self._make_encoder()
        except ImportError:  # the library that would know the canonical tokens is not installed
            return None

    @property
    def has_tokenizer(self) -> bool:
        """Whether `encode` gives the tokenizer's own tokens; without one they are the longest that fit."""
        return self._encoder is not None

    def encode(self, text: str | bytes, *, after: Sequence[int] = (), start: str = "continue") -> list[int]:
        """The tokenizer's own tokens for `text`, whose bytes concatenate to exactly `text`.

        With `start="continue"` the text goes on after the ids `after` (a tail of them is enough); with `start="turn"`
        it begins a turn, and the bytes are those of the dummy prefix, where there is one, and of the text. Bytes that
        are no UTF-8 text, and texts that the tokenizer would change, become the longest tokens that fit.
        Where the bytes spell special tokens as a constraint does (specials.py), these are among the ids, up to the first
        that may be one of several.
        Raises ConstrainError when no token spells one of the bytes.
        """
        data = text.encode() if isinstance(text, str) else bytes(text)
        if b"\xfe" in data or b"\xff" in data:
            return self._encode_pieces(data, after, start)
        if start == "turn":
            wanted = b" " + data if self.adds_dummy_prefix and data else data
            ids = self._canonical(data, b"", len(wanted) - len(data))
            return self._longest_tokens(wanted) if ids is None else ids
        if start != "continue":
            raise ConstrainError(f"vocabulary: start is {start!r}, expected 'continue' or 'turn'")
        lead, middle, trail = _split_at_characters(data)
        ids = self._encode_continuation(middle, after) if middle else []
        return self._longest_tokens(lead) + ids + self._longest_tokens(trail)

    def _encode_pieces(self, data: bytes, after: Sequence[int], start: str) -> list[int]:
        ids: list[int] = []
        for piece in pieces(data):
            if isinstance(piece, bytes):
                is_first = not ids and start == "turn"
                ids += self.encode(piece, start=start) if is_first else self.encode(piece, after=[*after, *ids])
            elif len(tokens := tokens_of(piece, self)) == 1:
                ids += tokens
            else:
                break  # more than one token may stand here
        return ids or self._longest_tokens(data)

    def _encode_continuation(self, text: bytes, after: Sequence[int]) -> list[int]:
        """Encodes `text` behind the last few tokens before it, and keeps what comes after the border."""
        tail = b"".join(self.tokens[i] or b"" for i in after[-NUM_TAIL_TOKENS:])
        tail = tail[_first_character(tail) :]
        for context in dict.fromkeys([tail, b""]):
            for prefix in (b"\n", b"") if self._prefixes_text else (b"", b"\n"):
                if not prefix and self._prefixes_text and not context.startswith(b" "):
                    continue
                ids = self._canonical(text, prefix + context, None)
                if ids is not None:
                    return ids
        return self._longest_tokens(text)

    @cached_property
    def _prefixes_text(self) -> bool:
        """Whether the tokenizer writes more than the text when it begins with a letter."""
        encoder = self._encoder
        return encoder is not None and b"".join(self.tokens[i] or b"" for i in encoder("a")) != b"a"

    def _canonical(self, text: bytes, context: bytes, num_extra: int | None) -> list[int] | None:
        """The tokenizer's ids for `context + text` from the border before `text` on, or None if none is there.

        `num_extra` bytes of the tokenizer's own are kept before the text; None keeps only what follows the border.
        """
        encoder = self._encoder
        if encoder is None:
            return None
        try:
            ids = encoder((context + text).decode())
        except UnicodeDecodeError:
            return None
        total = b"".join(self.tokens[i] or b"" for i in ids)
        if any(self.tokens[i] is None for i in ids) or not total.endswith(context + text):
            return None
        surplus = len(total) - len(context) - len(text)
        if num_extra is not None:
            return ids if surplus == num_extra and total[:surplus] == b" " * surplus else None
        return _after_border(ids, self.tokens, surplus + len(context))

    @cached_property
    def _ids_by_bytes(self) -> dict[bytes, int]:
        texts, ids = self._sorted_tokens
        return dict(
            zip(reversed(texts), reversed(ids), strict=True)
        )  # of equal tokens the one with the least id

    def _longest_tokens(self, data: bytes) -> list[int]:
        """The longest token at each position, from left to right."""
        ids, offset = [], 0
        by_bytes = self._ids_by_bytes if data else {}
        while offset < len(data):
            for end in range(min(len(data), offset + self.max_token_length), offset, -1):
                if (i := by_bytes.get(data[offset:end])) is not None:
                    ids.append(i)
                    offset = end
                    break
            else:
                raise ConstrainError(
                    f"vocabulary: no token begins with byte 0x{data[offset]:02x} as in {data[offset : offset + 8]!r}"
                )
        return ids


def _after_border(ids: list[int], tokens: list[bytes | None], num_bytes: int) -> list[int] | None:
    """The ids after the first `num_bytes` bytes, or None when a token lies across that border."""
    seen = 0
    for position, i in enumerate(ids):
        if seen >= num_bytes:
            return ids[position:] if seen == num_bytes else None
        seen += len(tokens[i] or b"")
    return None


def _first_character(data: bytes) -> int:
    """The offset of the first byte that is not inside a character begun earlier."""
    return next((i for i, byte in enumerate(data[:4]) if byte & 0xC0 != 0x80), min(len(data), 4))


def _split_at_characters(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Splits into the end of a character begun earlier, whole characters, and what is no whole character."""
    first = _first_character(data)
    try:
        data[first:].decode()
        return data[:first], data[first:], b""
    except UnicodeDecodeError as error:
        return data[:first], data[first : first + error.start], data[first + error.start :]


# ---------------------------------------------------------------- checks


def _checked_tokens(tokens: Sequence[bytes | None]) -> list[bytes | None]:
    if isinstance(tokens, (str, bytes)) or not isinstance(tokens, Iterable):
        raise ConstrainError(
            f"vocabulary: tokens is {type(tokens).__name__}, expected a list of bytes and None"
        )
    checked: list[bytes | None] = []
    for i, token in enumerate(tokens):
        if token is not None and not isinstance(token, (bytes, bytearray)):
            raise ConstrainError(
                f"vocabulary: token {i} is {token!r}, expected bytes, or None for specials and gaps"
            )
        checked.append(bytes(token) if token else None)  # an empty token would never make progress
    return checked


def _checked_end_ids(end_ids: int | Iterable[int] | None, size: int) -> list[int]:
    if end_ids is None:
        listed: list[int] = []
    elif isinstance(end_ids, Iterable) and not isinstance(end_ids, (str, bytes)):
        listed = [_as_id(i, "an end id") for i in end_ids]
    else:
        listed = [_as_id(end_ids, "end_ids")]
    if not listed:
        raise ConstrainError(
            "vocabulary: no end-of-text token (eos), so no text could ever end; pass end_ids=[…] with at least one id"
        )
    for i in listed:
        if not 0 <= i < size:
            raise ConstrainError(f"vocabulary: end id {i} is outside 0 to {size - 1}")
    return list(dict.fromkeys(listed))


# ---------------------------------------------------------------- sources


def _read_source(source: Any) -> tuple[TokenizerData, dict[str, dict[str, Any]]]:
    """The tokens of any accepted source, and the configuration files found beside it."""
    try:
        if isinstance(source, (str, os.PathLike)):
            return _read_path(Path(source), str(source))
        data = read_object(source)
        folder = getattr(source, "name_or_path", None)
        if data is None:
            raise ConstrainError(
                f"vocabulary: cannot read tokens from a {type(source).__name__!r} object; {_ACCEPTED}"
            )
        return data, _configs_in(Path(folder)) if isinstance(folder, str) and folder else {}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        what = repr(str(source)) if isinstance(source, (str, os.PathLike)) else f"the {type(source).__name__}"
        raise ConstrainError(
            f"vocabulary: {what} is malformed: {type(error).__name__}: {error}; {_ACCEPTED}"
        ) from error


def _read_path(path: Path, name: str) -> tuple[TokenizerData, dict[str, dict[str, Any]]]:
    if path.is_dir():
        return _read_folder(path)
    if path.is_file():
        return _read_file(path), _configs_in(path.parent)
    if re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name) and not name.endswith((".json", ".model", ".tiktoken")):
        return _read_hub(name)
    raise ConstrainError(f"vocabulary: no file or folder {name!r}; {_ACCEPTED}")


_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "*.tiktoken",
)


def _read_folder(folder: Path) -> tuple[TokenizerData, dict[str, dict[str, Any]]]:
    for pattern in _TOKENIZER_FILES:
        for path in sorted(folder.glob(pattern)):
            return _read_file(path), _configs_in(folder)
    found = sorted(entry.name for entry in folder.iterdir())[:8]
    listing = ", ".join(repr(entry) for entry in found) or "nothing"
    raise ConstrainError(
        f"vocabulary: no tokenizer.json or tokenizer.model in folder {str(folder)!r} (it holds {listing})"
    )


def _read_file(path: Path) -> TokenizerData:
    if path.suffix == ".json":
        return read_tokenizer_json(read_json_file(path))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConstrainError(f"vocabulary: cannot read {str(path)!r}: {error.strerror or error}") from None
    if data.lstrip()[:1] == b"{":
        return read_tokenizer_json(read_json_file(path))
    if re.match(rb"[A-Za-z0-9+/=]+ [0-9]+\r?\n", data):
        return read_tiktoken_file(data.decode("ascii", "replace"), str(path))
    return read_sentencepiece(data, str(path))


_CONFIG_FILES = ("config.json", "generation_config.json", "tokenizer_config.json")


def _configs_in(folder: Path) -> dict[str, dict[str, Any]]:
    return {name: read_json_file(folder / name) for name in _CONFIG_FILES if (folder / name).is_file()}


def _read_hub(name: str) -> tuple[TokenizerData, dict[str, dict[str, Any]]]:
    """Fetches the tokenizer's files, and reads them as from a folder."""
    try:
        paths = [hub_file(name, "config.json", is_optional=False)]
        for file_name in (*_CONFIG_FILES[1:], "tokenizer.model", "tokenizer.json"):
            paths.append(hub_file(name, file_name, is_optional=True))
    except ConstrainError as error:
        raise ConstrainError(f"vocabulary: {error}") from None
    return _read_folder(next(path.parent for path in reversed(paths) if path is not None))


def _token_id(data: TokenizerData, token: Any) -> int | None:
    """The id of a token named in tokenizer_config.json (a string or an object with its content)."""
    content = token.get("content") if isinstance(token, dict) else token
    return data.special_tokens.get(content) if isinstance(content, str) else None


def _find_end_ids(data: TokenizerData, beside: dict[str, dict[str, Any]]) -> list[int]:
    """The ids that end a text: the generation config's, else known turn ends by name and the tokenizer's own."""
    listed = beside.get("generation_config.json", {}).get("eos_token_id")
    if listed is not None:
        return [listed] if isinstance(listed, int) else list(listed)
    for names in _END_NAMES_TOGETHER:
        if all(name in data.special_tokens for name in names):
            return [data.special_tokens[name] for name in names]
    found = [data.special_tokens[name] for name in _END_NAMES if name in data.special_tokens]
    named = _token_id(data, beside.get("tokenizer_config.json", {}).get("eos_token"))
    found += [i for i in (named, data.eos) if i is not None]
    configured = beside.get("config.json", {}).get("eos_token_id")
    found += [configured] if isinstance(configured, int) else list(configured or [])
    if not found:
        found = [data.special_tokens[name] for name in _END_NAMES_OLD if name in data.special_tokens][:1]
    return list(dict.fromkeys(found))


def _find_size(beside: dict[str, dict[str, Any]]) -> int | None:
    config = beside.get("config.json", {})
    text_config = config.get("text_config")
    size = config.get("vocab_size", text_config.get("vocab_size") if isinstance(text_config, dict) else None)
    return size if isinstance(size, int) else None
