"""Texts are split as with the whole vocabulary, though only parts of it are read."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save
from tokenizers import Tokenizer

from pixquery.db.errors import ProfileDamaged
from pixquery.engine import vocabulary
from pixquery.engine.tokenizer import Reading, read_parted
from pixquery.engine.vocabulary import PartedTokenizer, Vocabulary, parted
from tests import ready_words

TEXTS = (
    "", "a", " ", "a black dog runs through snow", "RED  Balloon, don't!", "une tasse de café",
    "東京の夜 🎉", "собака", "<pad>", "a<eos>b <bos>c", "<0x41>", "▁", "a\nb\tc", "a " * 500,
    "antidisestablishmentarianism" * 4, "\x00\x7f\u200b", "ﬁne №7", "<start_of_turn>user",
)  # fmt: skip


@pytest.fixture(scope="module")
def whole() -> str:
    return str(ready_words.small_gemma().to_str())


@pytest.fixture(scope="module")
def files(whole: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("parted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary, "LARGE", 100)  # the real ones have 256,000 pieces
        apart = parted(whole)
    assert apart is not None
    (folder / "tokenizer.json").write_text(apart[0], "utf-8")
    (folder / "pieces.safetensors").write_bytes(apart[1])
    assert len(json.loads(apart[0])["model"]["merges"]) == 0
    return folder / "tokenizer.json", folder / "pieces.safetensors"


@pytest.fixture(scope="module")
def both(whole: str, files: tuple[Path, Path]) -> tuple[Tokenizer, PartedTokenizer]:
    tokenizer = Tokenizer.from_str(whole)
    tokenizer.enable_truncation(64)
    tokenizer.enable_padding(length=64, pad_id=0)
    return tokenizer, read_parted(files[0], Reading(64, 64), files[1])


def test_known_texts_are_split_alike(both: tuple[Tokenizer, PartedTokenizer]) -> None:
    theirs, ours = both
    for text in TEXTS:
        (one,) = ours.encode_batch([text])
        true = theirs.encode(text)
        assert (one.ids, one.attention_mask) == (true.ids, true.attention_mask), text
    together = ours.encode_batch(list(TEXTS))
    assert [one.ids for one in together] == [theirs.encode(text).ids for text in TEXTS]


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80) | st.text("abcdefghi s▁<>eos0x", max_size=80))
def test_any_text_is_split_alike(both: tuple[Tokenizer, PartedTokenizer], text: str) -> None:
    theirs, ours = both
    text = text.encode("utf-8", "ignore").decode()
    assert ours.encode_batch([text])[0].ids == theirs.encode(text).ids


def test_threads_do_not_read_each_others_pieces(
    both: tuple[Tokenizer, PartedTokenizer],
) -> None:
    """As in the gallery, where several people search at once."""
    theirs, ours = both
    true = {text: theirs.encode(text).ids for text in TEXTS}

    def differing(_: int) -> list[str]:
        return [text for text in TEXTS if ours.encode_batch([text])[0].ids != true[text]]

    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(differing, range(64)))


def test_small_and_other_vocabularies_stay_whole(
    whole: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert parted(whole) is None
    monkeypatch.setattr(vocabulary, "LARGE", 100)
    stored = json.loads(whole)
    stored["model"]["end_of_word_suffix"] = "</w>"
    assert parted(json.dumps(stored)) is None
    assert parted(str(ready_words.siglip().to_str())) is None  # no pairs are joined


DAMAGE = {
    "no keys": lambda t: t.pop("keys"),
    "fewer numbers": lambda t: t.update(ids=t["ids"][:-1]),
    "ends that go back": lambda t: t.update(ends=t["ends"][::-1].copy()),
    "rules beyond the end": lambda t: t.update(rules=t["rules"] + 5),
    "a text cut off": lambda t: t.update(text=t["text"][:-3]),
    "keys of another kind": lambda t: t.update(keys=t["keys"].astype(np.int32)),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_vocabulary_is_refused(
    what: str, files: tuple[Path, Path], tmp_path: Path
) -> None:
    tensors = dict(load(files[1].read_bytes()))
    DAMAGE[what](tensors)
    (tmp_path / "pieces").write_bytes(save(tensors))
    with pytest.raises(ProfileDamaged, match="install the profile again"):
        read_parted(files[0], Reading(64, 64), tmp_path / "pieces")
    with pytest.raises(ProfileDamaged, match="install the profile again"):
        read_parted(files[0], Reading(64, 64), tmp_path / "gone")


def test_a_piece_of_the_same_key_is_no_match(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Keys are 64 bits: a part of a text may have that of a piece by chance."""
    tensors = dict(load(files[1].read_bytes()))
    tensors["text"] = np.full_like(tensors["text"], ord("~"))
    (tmp_path / "pieces").write_bytes(save(tensors))
    assert Vocabulary(tmp_path / "pieces").among(["a black dog"]) == ({}, [])
