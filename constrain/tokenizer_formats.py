"""Floor 2: the exact bytes of every token, read from the files and objects in which tokenizers come.

A tokenizer's own `decode` cannot be asked for the bytes of one token: it replaces halves of characters, strips spaces
and drops specials. So the bytes are derived from the structure instead: the decoder's `Replace` (`▁` is a space), its
`ByteFallback` (`<0x0A>` is a byte) or its `ByteLevel` alphabet (GPT-2's printable stand-ins for the 256 bytes).

The invariant: for every text that the tokenizer does not normalise, the bytes of its tokens concatenate to the text
(behind the dummy prefix, where there is one). A structure for which that cannot hold is refused by name.
Sources: `tokenizers`' decoders, GPT-2's `bytes_to_unicode`, `sentencepiece_model.proto`.
Held by tests/test_vocabulary.py.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from .errors import ConstrainError, UnsupportedError

__all__ = ["TokenizerData", "read_json_file", "read_object", "read_sentencepiece", "read_tiktoken_file",
           "read_tokenizer_json"]  # fmt: skip

Encoder = Callable[[str], list[int]]

_BYTE_PIECE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_CONTROL_SHAPE = re.compile(
    r"<\|.*\|>|</?s>|<(unk|pad|bos|eos|mask|cls|sep)>|\[(UNK|PAD|BOS|EOS|MASK|CLS|SEP)\]"
)


@dataclass
class TokenizerData:
    """What a tokenizer's source says: `tokens[i]` is None for specials and gaps; `eos` names its end token."""

    tokens: list[bytes | None]
    special_tokens: dict[str, int]
    byte_duplicates: list[int] = field(default_factory=list)
    adds_dummy_prefix: bool = False
    eos: int | None = None
    make_encoder: Callable[[], Encoder] | None = None


# ---------------------------------------------------------------- pieces to bytes


@cache
def _byte_level_alphabet() -> Mapping[str, int]:
    """GPT-2's printable character for each byte, reversed: printable bytes stand for themselves, the rest from U+0100."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    alphabet = {chr(byte): byte for byte in printable}
    others = [byte for byte in range(256) if byte not in set(printable)]
    return alphabet | {chr(0x100 + i): byte for i, byte in enumerate(others)}


def _byte_level_bytes(piece: str) -> bytes:
    alphabet = _byte_level_alphabet()
    try:
        return bytes([alphabet[character] for character in piece])
    except KeyError:  # the library does the same with a piece outside the alphabet
        return piece.encode()


def _flatten(node: Any, children: str) -> Iterator[dict[str, Any]]:
    """The parts of a tokenizer JSON component, `Sequence`s unfolded."""
    if isinstance(node, dict):
        if node.get("type") == "Sequence":
            for child in node.get(children, []):
                yield from _flatten(child, children)
        else:
            yield node


def _decoder_parts(document: dict[str, Any]) -> list[dict[str, Any]]:
    parts = list(_flatten(document.get("decoder"), "decoders"))
    pre_tokenizers = list(_flatten(document.get("pre_tokenizer"), "pretokenizers"))
    if not parts:  # a decoder of null joins pieces by spaces; its inventors meant the pre-tokenizer's inverse
        parts = [part for part in pre_tokenizers if part.get("type") in ("ByteLevel", "Metaspace")]
    if not parts:
        raise UnsupportedError(
            "a tokenizer without a decoder", "in tokenizer.json",
            "vocabulary: tokenizer.json has no decoder and no byte-level pre-tokenizer, so the bytes of its tokens "
            "are not defined; accepted are ByteLevel, Metaspace and Replace with ByteFallback",
        )  # fmt: skip
    return parts


def _piece_reader(document: dict[str, Any]) -> Callable[[str], bytes]:
    """The function from a piece to its bytes that the decoder's structure defines."""
    parts = _decoder_parts(document)
    kinds = {str(part.get("type")) for part in parts}
    if "ByteLevel" in kinds:
        return _byte_level_bytes
    replacements: list[tuple[str, str]] = []
    for part in parts:
        kind = part.get("type")
        if kind == "Metaspace":
            replacements.append((str(part.get("replacement", "▁")), " "))
        elif kind == "Replace" and isinstance(part.get("pattern"), dict) and "String" in part["pattern"]:
            replacements.append((str(part["pattern"]["String"]), str(part.get("content", ""))))
        elif kind not in ("ByteFallback", "Fuse", "Strip"):
            raise UnsupportedError(
                f"decoder {kind!r}", "in tokenizer.json",
                f"vocabulary: decoder {kind!r} of tokenizer.json makes the bytes of a token depend on its neighbours; "
                "accepted are ByteLevel, Metaspace and Replace with ByteFallback",
            )  # fmt: skip
    has_byte_fallback = "ByteFallback" in kinds

    def read(piece: str) -> bytes:
        match = _BYTE_PIECE.fullmatch(piece) if has_byte_fallback and len(piece) == 6 else None
        if match:
            return bytes([int(match[1], 16)])
        for old, new in replacements:
            piece = piece.replace(old, new)
        return piece.encode()

    return read


def _byte_duplicates(byte_ids: list[int], tokens: list[bytes | None]) -> list[int]:
    """The byte tokens whose byte is also an ordinary piece: the tokenizer itself never writes them."""
    byte_id_set = set(byte_ids)
    ordinary = {token for i, token in enumerate(tokens) if token is not None and i not in byte_id_set}
    return [i for i in byte_ids if tokens[i] in ordinary]


# ---------------------------------------------------------------- tokenizers JSON


def _dummy_prefix(document: dict[str, Any]) -> bool:
    """Whether a space is put before the text that follows any special token."""
    for part in _flatten(document.get("normalizer"), "normalizers"):
        if part.get("type") == "Prepend":
            return True
    for part in _flatten(document.get("pre_tokenizer"), "pretokenizers"):
        if part.get("type") == "Metaspace":
            scheme = part.get("prepend_scheme", "always" if part.get("add_prefix_space", True) else "never")
            return bool(scheme == "always")
        if part.get("type") == "ByteLevel" and part.get("add_prefix_space"):
            return True
    return False


def _json_pieces(model: dict[str, Any]) -> list[tuple[str, int]]:
    kind = model.get("type", "BPE" if "merges" in model else None)
    vocabulary = model.get("vocab")
    if kind == "Unigram" and isinstance(vocabulary, list):
        return [(str(entry[0]), i) for i, entry in enumerate(vocabulary)]
    if kind != "BPE" or not isinstance(vocabulary, dict):
        raise UnsupportedError(
            f"tokenizer model {kind!r}", "in tokenizer.json",
            f"vocabulary: tokenizer model {kind!r} does not keep the bytes of its text; accepted are BPE and Unigram",
        )  # fmt: skip
    for name in ("continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(name):
            raise UnsupportedError(
                name, "in tokenizer.json",
                f"vocabulary: {name} {model[name]!r} in tokenizer.json makes the bytes of a token depend on its "
                "neighbours; accepted is BPE with ByteLevel or with ▁ for spaces",
            )  # fmt: skip
    return list(vocabulary.items())


def _is_control(entry: dict[str, Any]) -> bool:
    """Added tokens that are no text: the special ones, and those spelt like control tokens (Phi's `</s>`)."""
    return bool(entry.get("special")) or _CONTROL_SHAPE.fullmatch(str(entry["content"])) is not None


def read_tokenizer_json(document: dict[str, Any]) -> TokenizerData:
    """The tokens of a parsed `tokenizer.json` (the format of the `tokenizers` library)."""
    model = document.get("model")
    if not isinstance(model, dict):
        raise ConstrainError(
            "vocabulary: tokenizer.json has no 'model'; accepted is the `tokenizers` library's format"
        )
    pieces = _json_pieces(model)
    added = [entry for entry in document.get("added_tokens") or [] if isinstance(entry, dict)]
    read = _piece_reader(document)
    num_tokens = 1 + max([i for _, i in pieces] + [int(entry["id"]) for entry in added], default=-1)
    if num_tokens > 16 * (len(pieces) + len(added)) + 65536 or min((i for _, i in pieces), default=0) < 0:
        raise ConstrainError(
            f"vocabulary: tokenizer.json has ids up to {num_tokens - 1} for {len(pieces)} tokens"
        )
    tokens: list[bytes | None] = [None] * num_tokens
    for piece, i in pieces:
        tokens[i] = read(piece)
    byte_ids = [i for piece, i in pieces if len(piece) == 6 and _BYTE_PIECE.fullmatch(piece) and tokens[i] is not None
                and len(tokens[i] or b"") == 1]  # fmt: skip
    special_tokens: dict[str, int] = {}
    for entry in added:
        i, content = int(entry["id"]), str(entry["content"])
        if _is_control(entry):
            tokens[i] = None
            special_tokens[content] = i
        else:
            tokens[i] = content.encode()
    unknown = model.get("unk_token")
    if isinstance(unknown, str) and unknown in (ids := dict(pieces)):
        tokens[ids[unknown]] = None
        special_tokens.setdefault(unknown, ids[unknown])
    if isinstance(model.get("unk_id"), int):
        tokens[model["unk_id"]] = None
    return TokenizerData(
        tokens=tokens,
        special_tokens=special_tokens,
        byte_duplicates=_byte_duplicates([i for i in byte_ids if tokens[i] is not None], tokens),
        adds_dummy_prefix=_dummy_prefix(document),
        make_encoder=lambda: _json_encoder(document),
    )


def _json_encoder(document: dict[str, Any]) -> Encoder:
    """Text to ids by the `tokenizers` library, with text that spells a special token treated as the text it is."""
    from tokenizers import Tokenizer

    added = [entry for entry in document.get("added_tokens") or [] if not _is_control(entry)]
    plain = document | {"added_tokens": added, "post_processor": None, "truncation": None, "padding": None}
    tokenizer = Tokenizer.from_str(json.dumps(plain))
    return lambda text: list(tokenizer.encode(text, add_special_tokens=False).ids)


def read_json_file(path: Path) -> dict[str, Any]:
    """A JSON object from a file; errors name the file and the place."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ConstrainError(
            f"vocabulary: {str(path)!r} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise ConstrainError(f"vocabulary: {str(path)!r} is not JSON text: {error}") from None
    except OSError as error:
        raise ConstrainError(f"vocabulary: cannot read {str(path)!r}: {error.strerror or error}") from None
    if not isinstance(document, dict):
        raise ConstrainError(
            f"vocabulary: {str(path)!r} holds {type(document).__name__}, expected a JSON object"
        )
    return document


# ---------------------------------------------------------------- SentencePiece


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message as (number, value); nested messages stay bytes."""
    offset = 0
    while offset < len(data):
        key, offset = _varint(data, offset)
        number, wire_type = key >> 3, key & 7
        if wire_type == 0:
            value, offset = _varint(data, offset)
            yield number, value
            continue
        if wire_type == 2:
            length, offset = _varint(data, offset)
        elif wire_type in (1, 5):
            length = 8 if wire_type == 1 else 4
        else:
            raise ValueError(f"wire type {wire_type}")
        if offset + length > len(data):
            raise ValueError("cut off")
        yield number, data[offset : offset + length]
        offset += length


_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED, _BYTE = range(1, 7)


def _signed(value: int | bytes) -> int:
    return (
        struct.unpack("<i", struct.pack("<I", int(value) & 0xFFFFFFFF))[0] if isinstance(value, int) else -1
    )


def _sentencepiece_message(data: bytes) -> tuple[list[tuple[str, int]], dict[int, Any], dict[int, Any]]:
    pieces: list[tuple[str, int]] = []
    trainer: dict[int, Any] = {}
    normalizer: dict[int, Any] = {}
    for number, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            entry = dict(_fields(value))
            kind = entry.get(3, _NORMAL)
            pieces.append((bytes(entry[1]).decode(), int(kind)))
        elif number == 2 and isinstance(value, bytes):
            trainer = dict(_fields(value))
        elif number == 3 and isinstance(value, bytes):
            normalizer = dict(_fields(value))
    if not pieces:
        raise ValueError("no pieces")
    return pieces, trainer, normalizer


def read_sentencepiece(data: bytes, name: str = "tokenizer.model") -> TokenizerData:
    """The tokens of a serialised SentencePiece model (`ModelProto`)."""
    try:
        pieces, trainer, normalizer = _sentencepiece_message(data)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise ConstrainError(
            f"vocabulary: {name!r} is no SentencePiece model ({error or type(error).__name__}); accepted are "
            "SentencePiece .model files, tokenizer.json and tiktoken's files"
        ) from None
    tokens: list[bytes | None] = []
    special_tokens: dict[str, int] = {}
    byte_ids = [i for i, (_, kind) in enumerate(pieces) if kind == _BYTE]
    for i, (piece, kind) in enumerate(pieces):
        if kind == _BYTE and (match := _BYTE_PIECE.fullmatch(piece)):
            tokens.append(bytes([int(match[1], 16)]))
        elif kind in (_NORMAL, _USER_DEFINED):
            tokens.append(piece.replace("▁", " ").encode())
        else:
            tokens.append(None)
            special_tokens[piece] = i
    eos = _signed(trainer.get(42, 2))
    return TokenizerData(
        tokens=tokens,
        special_tokens=special_tokens,
        byte_duplicates=_byte_duplicates(byte_ids, tokens),
        adds_dummy_prefix=bool(normalizer.get(3, 1)) and not trainer.get(24, 0),
        eos=eos if 0 <= eos < len(tokens) and tokens[eos] is None else None,
        make_encoder=lambda: _sentencepiece_encoder(data),
    )


def _sentencepiece_encoder(data: bytes) -> Encoder:
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor(model_proto=data)
    return lambda text: list(processor.encode(text, out_type=int))


# ---------------------------------------------------------------- tiktoken


def read_tiktoken_file(text: str, name: str) -> TokenizerData:
    """The ranks file of tiktoken and of Llama 3: a base64 token and its id on each line; it holds no specials."""
    ranks: dict[int, bytes] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            token, rank = line.split()
            ranks[int(rank)] = base64.b64decode(token, validate=True)
        except (ValueError, binascii.Error):
            raise ConstrainError(
                f"vocabulary: line {number} of {name!r} is not a base64 token and its id: {line[:40]!r}"
            ) from None
    if not ranks or min(ranks) < 0 or max(ranks) > 16 * len(ranks) + 65536:
        raise ConstrainError(f"vocabulary: {name!r} holds no usable tokens")
    return TokenizerData(tokens=[ranks.get(i) for i in range(max(ranks) + 1)], special_tokens={})


def _read_tiktoken(encoding: Any) -> TokenizerData:
    specials = {str(name): int(encoding.encode_single_token(name)) for name in encoding.special_tokens_set}
    special_ids = set(specials.values())
    tokens: list[bytes | None] = []
    for i in range(encoding.n_vocab):
        try:
            tokens.append(None if i in special_ids else encoding.decode_single_token_bytes(i))
        except KeyError:
            tokens.append(None)
    return TokenizerData(
        tokens=tokens,
        special_tokens=specials,
        eos=specials.get("<|endoftext|>"),
        make_encoder=lambda: lambda text: list(encoding.encode_ordinary(text)),
    )


# ---------------------------------------------------------------- loaded objects


def _added_on_top(data: TokenizerData, tokenizer: Any) -> TokenizerData:
    """Adds a transformers tokenizer's added tokens to those of the model beneath it."""
    added = getattr(tokenizer, "added_tokens_decoder", None) or {}
    for i, entry in sorted(added.items()):
        content = str(getattr(entry, "content", entry))
        data.tokens.extend([None] * (int(i) + 1 - len(data.tokens)))
        if _is_control({"content": content, "special": getattr(entry, "special", True)}):
            data.tokens[int(i)] = None
            data.special_tokens[content] = int(i)
        else:
            data.tokens[int(i)] = content.encode()
    return data


def _slow_byte_level(tokenizer: Any) -> TokenizerData:
    pieces: dict[str, int] = dict(tokenizer.get_vocab())
    tokens: list[bytes | None] = [None] * (1 + max(pieces.values()))
    for piece, i in pieces.items():
        tokens[i] = _byte_level_bytes(piece)
    data = TokenizerData(
        tokens=tokens,
        special_tokens={},
        adds_dummy_prefix=bool(getattr(tokenizer, "add_prefix_space", False)),
        make_encoder=lambda: (
            lambda text: list(tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))
        ),
    )
    return _added_on_top(data, tokenizer)


def _with_eos(data: TokenizerData, tokenizer: Any) -> TokenizerData:
    eos = getattr(tokenizer, "eos_token_id", None)
    if isinstance(eos, int) and not isinstance(eos, bool):
        data.eos = eos
    return data


def read_object(tokenizer: Any) -> TokenizerData | None:
    """The tokens of a loaded tokenizer, known by the methods it has; None when it is of no known kind."""
    if hasattr(tokenizer, "token_byte_values") and hasattr(tokenizer, "decode_single_token_bytes"):
        return _read_tiktoken(tokenizer)
    if hasattr(tokenizer, "to_str") and hasattr(tokenizer, "get_vocab_size"):
        return read_tokenizer_json(json.loads(tokenizer.to_str()))
    if hasattr(tokenizer, "serialized_model_proto"):
        return read_sentencepiece(tokenizer.serialized_model_proto(), "the SentencePieceProcessor")
    if hasattr(tokenizer, "backend_tokenizer"):
        return _with_eos(read_tokenizer_json(json.loads(tokenizer.backend_tokenizer.to_str())), tokenizer)
    if hasattr(tokenizer, "sp_model"):
        proto = tokenizer.sp_model.serialized_model_proto()
        return _with_eos(
            _added_on_top(read_sentencepiece(proto, type(tokenizer).__name__), tokenizer), tokenizer
        )
    if hasattr(tokenizer, "get_vocab") and (
        hasattr(tokenizer, "byte_decoder") or hasattr(tokenizer, "byte_encoder")
    ):
        return _with_eos(_slow_byte_level(tokenizer), tokenizer)
    return None
