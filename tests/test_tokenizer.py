"""A tokenizer of a stranger: its patterns are known or simple, and damage is one sentence."""

import json
import random
import string
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from pixquery.db.errors import ProfileDamaged
from pixquery.engine.profile import DEFAULT, SHIPPED
from pixquery.engine.tokenizer import Reading, read_tokenizer

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
USUAL = {
    "spaces": r"\s+",
    "many spaces": " {2,}",
    "SigLIP": "[" + "".join(f"\\{sign}" for sign in string.punctuation) + "]",
    "CLIP": r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]"
    r"|[^\s\p{L}\p{N}]+",
    "GPT-2": GPT2,
    "Llama 3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
SLOW = {
    "nested": "(a+)+$",
    "nested without a name": "(?:a*)*b",
    "alternatives": "(a|a)*b",
    "many repeats": "a*a*a*a*a*a*b",
    "many options": "a?" * 40 + "a" * 40,
    "a word of words": r"(\w+\s?)*$",
    "a reference": r"(a*)\1*b",
    "a call": r"(?<x>a|b\g<x>c)*",
    "looking": "(?=(a+)+b)",
    "long repeats": "a{1,999}a{1,999}a{1,999}b",
}


def made(file: Path, pattern: str, place: str = "split") -> Path:
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    if place == "split":
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(pattern), "isolated")]
        )
    else:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Replace(Regex(pattern), "")])
    tokenizer.save(str(file))
    return file


@pytest.mark.parametrize("place", ["split", "replace"])
@pytest.mark.parametrize("name", USUAL)
def test_usual_patterns_are_run(name: str, place: str, tmp_path: Path) -> None:
    tokenizer = read_tokenizer(made(tmp_path / "t.json", USUAL[name], place), Reading(16))
    begin = monotonic()
    tokenizer.encode("a" * 50_000 + " !" * 20_000)
    assert monotonic() - begin < 20


@pytest.mark.parametrize("place", ["split", "replace"])
@pytest.mark.parametrize("name", SLOW)
def test_slow_patterns_are_refused(name: str, place: str, tmp_path: Path) -> None:
    begin = monotonic()
    with pytest.raises(ProfileDamaged, match=r"t\.json.*for ever"):
        read_tokenizer(made(tmp_path / "t.json", SLOW[name], place), Reading(16))
    assert monotonic() - begin < 5


def test_a_key_that_is_written_otherwise_is_the_same_key(tmp_path: Path) -> None:
    file = made(tmp_path / "t.json", "(a+)+$")
    for other in ("\\u0052egex", "Rege\\u0078", "Re\\u0067ex"):
        file.write_text(file.read_text().replace("Regex", other))
        assert json.loads(file.read_text())
        with pytest.raises(ProfileDamaged, match="for ever"):
            read_tokenizer(file, Reading(16))
        file.write_text(file.read_text().replace(other, "Regex"))


CONTENTS: dict[str, Any] = {
    "nothing": b"",
    "no JSON": b"garbage",
    "no text": b"\xff\xfe",
    "another JSON": b"[1]",
    "nested deeply": b'{"Regex":' * 100_000,
    "nested lists": b"[" * 100_000,
    "another kind": b'{"version": "1.0", "model": {"type": "Magic"}}',
}


@pytest.mark.parametrize("what", CONTENTS)
def test_what_is_no_tokenizer_is_refused(what: str, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_bytes(CONTENTS[what])
    with pytest.raises(ProfileDamaged, match=r"t\.json") as error:
        read_tokenizer(tmp_path / "t.json", Reading(16))
    assert str(error.value).isprintable()
    with pytest.raises(ProfileDamaged, match="missing"):
        read_tokenizer(tmp_path / "missing.json", Reading(16))


def test_damage_anywhere_does_no_more_than_refuse(tmp_path: Path) -> None:
    sound = (SHIPPED / DEFAULT / "tokenizer.json").read_bytes()
    begins, chance = sound[: sound.index(b'"vocab"')], random.Random(0)
    for _ in range(60):
        content = bytearray(sound)
        for _ in range(3):
            content[chance.randrange(len(begins))] = chance.choice(b'{}[]",:0aZ\\')
        (tmp_path / "t.json").write_bytes(content)
        try:
            read_tokenizer(tmp_path / "t.json", Reading(16))
        except ProfileDamaged as error:
            assert str(error).isprintable()
