"""Vocabularies: the exact bytes of every token from each kind of tokenizer, and the errors for what is none.

The oracle is the tokenizer itself: for arbitrary Unicode text, the bytes of its tokens concatenate to the text, behind
the dummy prefix where the tokenizer puts one.
"""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from constrain.errors import ConstrainError, UnsupportedError
from constrain.vocabulary import Vocabulary

tokenizers = pytest.importorskip("tokenizers", reason="the tokenizers package is not installed")

PHI = Path(__file__).parents[1].parent / "shared" / "phi3-tokenizer"
CORPUS = [
    'The quick brown fox jumps over the lazy dog. {"name": "value", "number": 12345}',
    "Grüße aus Köln, naïve café — 東京 😀 done.\nSecond line\twith a tab, and    spaces.",
    "invoice 2024-05-17 total 1,234.50 EUR; contact ada@example.org; order no. 4711",
] * 8

texts = st.text(max_size=60) | st.text(alphabet='ab é▁\n <|>sx0419{}":', max_size=60)
relaxed = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def phi() -> Vocabulary:
    if not PHI.is_dir():
        pytest.skip("../shared/phi3-tokenizer is not there")
    return Vocabulary.from_tokenizer(PHI, size=32064)


@pytest.fixture(scope="module")
def byte_level() -> tokenizers.Tokenizer:
    """A small GPT-2-style tokenizer, trained here."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


@pytest.fixture(scope="module")
def sentencepiece_model() -> bytes:
    """A small SentencePiece BPE model with byte fallback, trained here."""
    sentencepiece = pytest.importorskip("sentencepiece", reason="the sentencepiece package is not installed")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_writer=model, vocab_size=420, model_type="bpe", byte_fallback=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=0.98,
        user_defined_symbols=["<tool>"], minloglevel=2,
    )  # fmt: skip
    return model.getvalue()


# ---------------------------------------------------------------- Phi's tokenizer


def test_phi_specials_are_no_text_and_padding_has_no_bytes(phi: Vocabulary) -> None:
    assert phi.size == 32064
    assert phi.end_ids == [32007, 32001, 32000]
    assert [i for i in range(32064) if phi.tokens[i] is None] == [0, 1, 2, *range(32000, 32064)]
    assert phi.tokens[3:6] == [b"\x00", b"\x01", b"\x02"]
    assert phi.tokens[6324] == b" Hi"
    assert phi.tokens[13] == b"\n"
    assert phi.special_tokens["<|end|>"] == 32007
    assert phi.adds_dummy_prefix
    assert phi.max_token_length == 27
    assert phi.absent_bytes == b""


def test_phi_byte_duplicates_stay_out_unless_asked_for(phi: Vocabulary) -> None:
    assert len(phi.excluded) == 96
    assert all(3 <= i <= 258 for i in phi.excluded)
    assert phi.tokens[phi.excluded[0]] is not None
    assert Vocabulary.from_tokenizer(PHI, keep_byte_duplicates=True).excluded == []


@relaxed
@given(text=texts)
def test_phi_token_bytes_concatenate_to_the_text(phi: Vocabulary, text: str) -> None:
    assert phi.decode(phi.encode(text, start="turn")) == (b" " + text.encode() if text else b"")
    assert phi.decode(phi.encode(text)) == text.encode()
    ids = _phi_reference().encode(text, add_special_tokens=False).ids
    if not any(
        phi.tokens[i] is None for i in ids
    ):  # the tokenizer itself reads "<s>" in a text as the control token
        assert phi.decode(ids) == (
            b" " + text.replace("▁", " ").encode() if text else b""
        )  # and ▁ as a space


_reference: list[tokenizers.Tokenizer] = []


def _phi_reference() -> tokenizers.Tokenizer:
    if not _reference:
        _reference.append(tokenizers.Tokenizer.from_file(str(PHI / "tokenizer.json")))
    return _reference[0]


def test_encode_gives_the_tokenizers_own_tokens(phi: Vocabulary) -> None:
    assert phi.has_tokenizer
    assert phi.encode("Hi", start="turn") == [6324]
    assert phi.encode("Hi") == [18567]
    turn = phi.encode("Hello there", start="turn")
    assert phi.encode(" there", after=turn[:1]) == turn[1:]
    assert phi.encode("<|end|>") != [32007]  # text that spells a special is text


def test_encode_of_bytes_that_cut_characters(phi: Vocabulary) -> None:
    data = "é東".encode()[1:-1]
    assert phi.decode(phi.encode(data)) == data


@relaxed
@given(text=texts, data=st.data())
def test_encode_continues_any_text_at_any_border(phi: Vocabulary, text: str, data: st.DataObject) -> None:
    before = phi.encode(text, start="turn")
    cut = data.draw(st.integers(0, len(before)))
    rest = phi.decode(before[cut:])
    if cut:
        assert phi.decode(phi.encode(rest, after=before[:cut])) == rest


# ---------------------------------------------------------------- every source gives the same bytes


def test_all_forms_of_one_tokenizer_agree(phi: Vocabulary) -> None:
    transformers = pytest.importorskip("transformers", reason="the transformers package is not installed")
    loaded = transformers.PreTrainedTokenizerFast(tokenizer_file=str(PHI / "tokenizer.json"))
    forms = [PHI, str(PHI), PHI / "tokenizer.json", _phi_reference(), loaded]
    assert {Vocabulary.from_tokenizer(form, size=32064).fingerprint for form in forms} == {phi.fingerprint}


@relaxed
@given(text=texts)
def test_byte_level_token_bytes_concatenate_to_the_text(byte_level: tokenizers.Tokenizer, text: str) -> None:
    vocabulary = Vocabulary.from_tokenizer(byte_level)
    ids = byte_level.encode(text).ids
    assert vocabulary.decode(ids) == (
        text.encode() if vocabulary.end_ids[0] not in ids else vocabulary.decode(ids)
    )
    assert vocabulary.encode(text) == ids or "<|endoftext|>" in text
    assert not vocabulary.adds_dummy_prefix
    assert vocabulary.end_ids == [byte_level.token_to_id("<|endoftext|>")]


def test_byte_level_from_a_transformers_tokenizer_and_a_folder(
    byte_level: tokenizers.Tokenizer, tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers", reason="the transformers package is not installed")
    loaded = transformers.PreTrainedTokenizerFast(tokenizer_object=byte_level, eos_token="<|endoftext|>")
    loaded.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"vocab_size": 640}))
    from_folder = Vocabulary.from_tokenizer(tmp_path)
    assert from_folder.size == 640
    assert from_folder.tokens[: len(loaded)] == Vocabulary.from_tokenizer(loaded).tokens
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [5, 0]}))
    assert Vocabulary.from_tokenizer(tmp_path).end_ids == [5, 0]
    assert Vocabulary.from_tokenizer(tmp_path, end_ids=7).end_ids == [7]


def test_added_tokens_that_are_text_keep_their_bytes(byte_level: tokenizers.Tokenizer) -> None:
    tokenizer = tokenizers.Tokenizer.from_str(byte_level.to_str())
    tokenizer.add_tokens(["        ", "</s>"])
    tokenizer.add_special_tokens(["<|im_end|>"])
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    assert vocabulary.tokens[tokenizer.token_to_id("        ")] == b"        "
    assert vocabulary.tokens[tokenizer.token_to_id("</s>")] is None
    assert vocabulary.end_ids == [tokenizer.token_to_id("<|im_end|>")]


@relaxed
@given(text=texts)
def test_sentencepiece_token_bytes_concatenate_to_the_text(sentencepiece_model: bytes, text: str) -> None:
    processor, vocabulary = _sentencepiece_pair(sentencepiece_model)
    if "▁" in text or "\0" in text:  # the library reads ▁ as a space, and ends a text at NUL
        return
    assert vocabulary.decode(processor.encode(text)) == (b" " + text.encode() if text else b"")
    assert vocabulary.decode(vocabulary.encode(text)) == text.encode()


_pairs: dict[bytes, tuple[object, Vocabulary]] = {}


def _sentencepiece_pair(model: bytes):  # type: ignore[no-untyped-def]
    if model not in _pairs:
        from sentencepiece import SentencePieceProcessor

        processor = SentencePieceProcessor(model_proto=model)
        _pairs[model] = processor, Vocabulary.from_tokenizer(processor)
    return _pairs[model]


def test_sentencepiece_pieces_by_kind(sentencepiece_model: bytes, tmp_path: Path) -> None:
    processor, vocabulary = _sentencepiece_pair(sentencepiece_model)
    path = tmp_path / "tokenizer.model"
    path.write_bytes(sentencepiece_model)
    for source in (path, tmp_path):
        assert Vocabulary.from_tokenizer(source).fingerprint == vocabulary.fingerprint
    assert vocabulary.end_ids == [processor.eos_id()]
    assert vocabulary.tokens[processor.unk_id()] is None
    assert vocabulary.tokens[processor.piece_to_id("<tool>")] == b"<tool>"
    assert vocabulary.tokens[processor.piece_to_id("<0xFF>")] == b"\xff"
    assert vocabulary.adds_dummy_prefix
    ordinary = {processor.id_to_piece(i) for i in range(len(processor)) if not processor.is_byte(i)}
    expected = [i for i in range(len(processor)) if processor.is_byte(i)
                and bytes([int(processor.id_to_piece(i)[3:5], 16)]).decode("latin-1").replace(" ", "▁") in ordinary
                and int(processor.id_to_piece(i)[3:5], 16) < 128]  # fmt: skip
    assert vocabulary.excluded == expected


def test_tiktoken_encoding_and_ranks_file(tmp_path: Path) -> None:
    tiktoken = pytest.importorskip("tiktoken", reason="the tiktoken package is not installed")
    ranks = {bytes([i]): i for i in range(256)} | {b"ab": 256, b" a": 257, "é".encode(): 258}
    encoding = tiktoken.Encoding(
        "small", pat_str=r"\s?\S+|\s+", mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 260}
    )
    vocabulary = Vocabulary.from_tokenizer(encoding)
    assert vocabulary.end_ids == [260]
    assert vocabulary.tokens[256:261] == [b"ab", b" a", "é".encode(), None, None]
    for text in ("ab abé\n", "<|endoftext|>", "東京 é"):
        assert vocabulary.encode(text) == encoding.encode_ordinary(text)
        assert vocabulary.decode(vocabulary.encode(text)) == text.encode()
    path = tmp_path / "tokenizer.model"
    path.write_text("".join(f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ranks.items()))
    with pytest.raises(ConstrainError, match="no end-of-text token"):
        Vocabulary.from_tokenizer(path)
    from_file = Vocabulary.from_tokenizer(path, end_ids=260, size=261)
    assert from_file.fingerprint == vocabulary.fingerprint
    assert not from_file.has_tokenizer
    assert from_file.encode("abé") == [256, 258]


def test_unigram_json_with_byte_fallback() -> None:
    pieces = [["<unk>", 0.0], ["</s>", 0.0], ["<0x41>", -9.0], ["▁a", -1.0], ["b", -2.0], ["A", -2.0]]
    document = {
        "model": {"type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": True},
        "added_tokens": [{"id": 1, "content": "</s>", "special": True}],
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
        ]},
    }  # fmt: skip
    vocabulary = Vocabulary.from_tokenizer(_JsonTokenizer(document))
    assert vocabulary.tokens == [None, None, b"A", b" a", b"b", b"A"]
    assert vocabulary.excluded == [2]
    assert vocabulary.end_ids == [1]
    assert (
        not vocabulary.adds_dummy_prefix
    )  # "first" puts the space at the start of a text only, not of a turn


class _JsonTokenizer:
    """Stands for a `tokenizers.Tokenizer`: what `from_tokenizer` reads of it is its JSON."""

    def __init__(self, document: dict[str, object]) -> None:
        self.document = document

    def to_str(self) -> str:
        return json.dumps(self.document)

    def get_vocab_size(self) -> int:
        return 0


# ---------------------------------------------------------------- made by hand


def test_plain_tokens_padding_and_the_end_token() -> None:
    vocabulary = Vocabulary([b"a", b"b", b"a", b"<eos>"], end_ids=3, size=16)
    assert vocabulary.size == 16
    assert vocabulary.tokens == [b"a", b"b", b"a"] + [None] * 13  # an end token is no text
    assert vocabulary.excluded == []  # equal tokens are both allowed: only byte fallback has duplicates
    assert vocabulary.decode([0, 1, 3, 2]) == b"aba"
    assert vocabulary.encode("aab") == [0, 0, 1]


def test_longer_tokens() -> None:
    vocabulary = Vocabulary([b'"', b'":', b'":"', b'"\xff', b"x", None], end_ids=5)
    assert list(vocabulary.longer_tokens(b'"')) == [1, 2, 3]
    assert list(vocabulary.longer_tokens(b'":"')) == []
    assert list(vocabulary.longer_tokens(b"")) == [0, 1, 2, 3, 4]


def test_the_trie_is_built_once_and_fast(phi: Vocabulary) -> None:
    import time

    pytest.importorskip("constrain._native", reason="the native core is not built")
    start = time.perf_counter()
    trie = phi.trie
    assert time.perf_counter() - start < 0.5  # measured 0.02 s; a wide margin for a busy machine
    assert phi.trie is trie


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tokens": [b"a"], "end_ids": None}, "no end-of-text token"),
        ({"tokens": [b"a"], "end_ids": []}, "no end-of-text token"),
        ({"tokens": [b"a"], "end_ids": [1]}, "end id 1 is outside 0 to 0"),
        ({"tokens": [b"a"], "end_ids": -1}, "end id -1 is outside"),
        ({"tokens": [b"a"], "end_ids": "</s>"}, "'</s>', expected a token id"),
        ({"tokens": [b"a"], "end_ids": [True]}, "True, expected a token id"),
        ({"tokens": [b"a", b"b"], "end_ids": [1], "size": 1}, "size 1 is smaller than the 2 tokens"),
        ({"tokens": [b"a", b"b"], "end_ids": [1], "size": 2.5}, "size is 2.5"),
        ({"tokens": [b"a", "b"], "end_ids": [1]}, "token 1 is 'b', expected bytes"),
        ({"tokens": b"ab", "end_ids": [1]}, "expected a list of bytes"),
        ({"tokens": [None, b""], "end_ids": [0]}, "no token with text"),
        ({"tokens": [b"a", b"b"], "end_ids": [1], "excluded": [9]}, "excluded id outside 0 to 1"),
    ],
)
def test_bad_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ConstrainError, match=message.replace("'", ".")):
        Vocabulary(**arguments)


def test_bad_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConstrainError, match="it holds nothing"):
        Vocabulary.from_tokenizer(tmp_path)
    with pytest.raises(ConstrainError, match="no file or folder './missing/tokenizer.json'"):
        Vocabulary.from_tokenizer("./missing/tokenizer.json")
    with pytest.raises(ConstrainError, match="'int' object"):
        Vocabulary.from_tokenizer(7)
    path = tmp_path / "tokenizer.json"
    path.write_text('{"model": {"type": "BPE",\n "vocab"')
    with pytest.raises(ConstrainError, match="line 2, column 9"):
        Vocabulary.from_tokenizer(path)
    path.write_text("[]")
    with pytest.raises(ConstrainError, match="holds list"):
        Vocabulary.from_tokenizer(path)
    path.write_text("{}")
    with pytest.raises(ConstrainError, match="no 'model'"):
        Vocabulary.from_tokenizer(path)
    path.write_text(json.dumps({"model": {"type": "WordPiece", "vocab": {"a": 0}}}))
    with pytest.raises(UnsupportedError, match="WordPiece"):
        Vocabulary.from_tokenizer(path)
    path.write_text(
        json.dumps({"model": {"type": "BPE", "vocab": {"a": "x"}}, "decoder": {"type": "ByteLevel"}})
    )
    with pytest.raises(ConstrainError, match="malformed"):
        Vocabulary.from_tokenizer(path)
    path.write_text(
        json.dumps({"model": {"type": "BPE", "vocab": {"a": 10**12}}, "decoder": {"type": "ByteLevel"}})
    )
    with pytest.raises(ConstrainError, match="ids up to 1000000000000"):
        Vocabulary.from_tokenizer(path)
    model = tmp_path / "broken.model"
    model.write_bytes(b"\x0a\x7f garbage")
    with pytest.raises(ConstrainError, match="no SentencePiece model"):
        Vocabulary.from_tokenizer(model)


def test_a_tokenizer_with_more_tokens_than_logits_is_refused(
    byte_level: tokenizers.Tokenizer, tmp_path: Path
) -> None:
    byte_level.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text(json.dumps({"vocab_size": 100}))
    with pytest.raises(ConstrainError, match="size 100 is smaller than the"):
        Vocabulary.from_tokenizer(tmp_path)


def test_a_hub_id_without_network_is_a_clean_error(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("transformers.utils.hub", reason="the transformers package is not installed")
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "_is_offline_mode", True, raising=False)
    with pytest.raises(ConstrainError, match="could not be had from the hub"):
        Vocabulary.from_tokenizer("constrain-tests/no-such-model")


def test_bytes_that_no_token_spells() -> None:
    vocabulary = Vocabulary([b"a", b"b", None], end_ids=2)
    assert ord("c") in vocabulary.absent_bytes
    with pytest.raises(ConstrainError, match="no token begins with byte 0x63"):
        vocabulary.encode("abc")
    with pytest.raises(ConstrainError, match="token id 3 is outside 0 to 2"):
        vocabulary.decode([3])
