"""A manifest is what anybody may have written: every wrong entry is refused in one sentence."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from pixquery.db.errors import PixqueryError, ProfileDamaged
from pixquery.engine.manifest import CHECKSUM, MANIFEST, checksum, parsed
from pixquery.engine.profile import DEFAULT, SHIPPED, load_profile
from tests.conftest import Invoke

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def copy(colours: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(colours, tmp_path / "copy"))


def entries(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
    return found


def write(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text, "utf-8", "surrogatepass")


def put(place: str, value: Any) -> Change:
    def change(manifest: dict[str, Any]) -> None:
        *above, last = place.split("/")
        for name in above:
            manifest = manifest[name]
        manifest[last] = value

    return change


HOSTILE: dict[str, Change] = {
    "a vast photo": put("image/size", 200_000),
    "no pixels": put("image/size", 0),
    "a negative size": put("image/size", -8),
    "a size that is true": put("image/size", True),
    "a size in words": put("image/size", "8"),
    "a vast vector": put("image/dimension", 10**12),
    "a fraction": put("image/dimension", 3.0),
    "a vast text vector": put("text/dimension", 10**12),
    "endless texts": put("text/max_tokens", 10**9),
    "no tokens": put("text/max_tokens", 0),
    "many sizes": put("image/sizes", {"high": [8] * 1000}),
    "a vast further size": put("image/sizes", {"high": [8, 10**6]}),
    "sizes that are no table": put("image/sizes", [8]),
    "a file above": put("text/model", "../text.onnx"),
    "a file anywhere": put("text/model", "/etc/passwd"),
    "a file of Windows": put("text/model", "..\\text.onnx"),
    "a drive of Windows": put("text/model", "C:text.onnx"),
    "the folder": put("text/model", ".."),
    "no file": put("alignment", ""),
    "the manifest itself": put("alignment", MANIFEST),
    "a file in another entry": put("files/..", {"bytes": 1, "sha256": "0" * 64}),
    "models that are no table": put("image/models", ["image.onnx"]),
    "no float model": put("image/models", {"int8": "image.onnx"}),
    "a number as a file": put("relevance", 7),
    "a number as a taste": put("taste", 7),
    "an origin in a text": put("trained", "lite2-minilm"),
    "an origin without a name": put("trained", {"pairs": 3, "judges": "you"}),
    "no whole number of pairs": put("trained", {"from": "a", "pairs": 3.5, "judges": "you"}),
    "an escape in its origin": put("trained", {"from": "\x1b[2J", "pairs": 3, "judges": "you"}),
    "a short digest": put("files/text.onnx/sha256", "abc"),
    "a negative length": put("files/text.onnx/bytes", -1),
    "a vast file": put("files/text.onnx/bytes", 10**15),
    "an escape in its name": put("name", "evil\x1b[2Jname"),
    "a line break in its name": put("name", "two\nlines"),
    "a name that turns the line": put("name", "\u202egnp.exe"),
    "half a character": put("name", "\ud800"),
    "no name": put("name", ""),
    "a list as a name": put("name", ["a"]),
    "an escape in its licence": put("licence", "\x1b]0;title\x07"),
    "an escape in a source": put("sources", [{"what": "\x9b31m"}]),
    "an escape in the name of an entry": put("\x1b[31m", 1),
    "a long text": put("description", "x" * 1_000_000),
    "another interpolation": put("image/interpolation", "magic"),
    "another way to make a square": put("image/fit", "stretch"),
    "no length of texts": put("text/context", 0),
    "a piece that is no number": put("text/pad", "</s>"),
    "a negative piece": put("text/pad", -1),
    "no texts at once": put("text/rows", 0),
    "a schema of the future": put("schema", 3),
    "a schema that is no number": put("schema", [2]),
    "checks that are no table": put("checked", True),
    "a check that is no number": put("checked", {"examples": {"recall@3": "good"}}),
    "an encoder with spaces": put("image/source_sha256", "a b"),
    "earlier encoders that are no table": put("image/earlier", ["a"]),
    "an earlier encoder of no length": put("image/earlier", {"aa": 0}),
    "languages in a text": put("text/languages", "en"),
    "a scale that is no number": put("joint", {"logit_scale": "ten"}),
    "an infinite scale": put("joint", {"logit_scale": float("inf")}),
    "a scale that is not a number": put("joint", {"logit_scale": float("nan")}),
    "another checksum": put(CHECKSUM, "0" * 64),
    "a checksum of another kind": put(CHECKSUM, 7),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_no_profile_says_is_refused(what: str, copy: Path) -> None:
    manifest = entries(copy)
    HOSTILE[what](manifest)
    write(copy, json.dumps(manifest))
    with pytest.raises(ProfileDamaged, match="manifest") as error:
        load_profile(str(copy))
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 500


TEXTS = {
    "nothing": "",
    "a list": "[]",
    "a number": "7",
    "null": "null",
    "cut off": '{"name": "x"',
    "nested deeply": '{"name":' + "[" * 100_000 + "]" * 100_000 + "}",
    "nested tables": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "a vast number": '{"name": 1' + "0" * 5000 + "}",
    "two names": '{"name": "a", "name": "b"}',
    "many names": "{" + ",".join(f'"{n}": 1' for n in range(100_000)) + ', "5": 2}',
    "NaN": '{"name": NaN}',
    "too long": '{"name": "' + "x" * 5_000_000 + '"}',
}


@pytest.mark.parametrize("what", TEXTS)
def test_what_is_no_manifest_is_refused(what: str, copy: Path) -> None:
    begin = monotonic()
    write(copy, TEXTS[what])
    with pytest.raises(ProfileDamaged, match="manifest") as error:
        load_profile(str(copy))
    assert len(str(error.value)) < 500
    assert monotonic() - begin < 5


def test_bytes_that_are_no_text_are_refused(copy: Path) -> None:
    (copy / MANIFEST).write_bytes(b'{"name": "\xff\xfe"}')
    with pytest.raises(ProfileDamaged, match="manifest"):
        load_profile(str(copy))


def test_a_manifest_that_was_altered_is_refused_if_it_has_a_checksum(copy: Path) -> None:
    manifest = entries(copy)
    manifest[CHECKSUM] = checksum(manifest)
    write(copy, json.dumps(manifest, indent=1))
    assert load_profile(str(copy)).size == manifest["image"]["size"]
    manifest["image"]["interpolation"] = "lanczos"  # would change every vector a little
    write(copy, json.dumps(manifest))
    with pytest.raises(ProfileDamaged, match="altered"):
        load_profile(str(copy))


def test_the_shipped_manifest_needs_its_checksum() -> None:
    text = (SHIPPED / DEFAULT / MANIFEST).read_text("utf-8")
    manifest = parsed(text, vouched=True)
    assert manifest[CHECKSUM] == checksum(manifest)
    del manifest[CHECKSUM]
    parsed(json.dumps(manifest))
    with pytest.raises(ValueError, match=CHECKSUM):
        parsed(json.dumps(manifest), vouched=True)


def test_the_order_and_layout_of_entries_do_not_matter() -> None:
    manifest = entries(SHIPPED / DEFAULT)
    assert checksum(dict(reversed(manifest.items()))) == manifest[CHECKSUM]


def _places(entry: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = entry.items() if isinstance(entry, dict) else ()
    return [before, *(place for name, each in inner for place in _places(each, (*before, name)))]


VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 10**30, 1.5, float("nan"), [], {}, [[]], {"a": {}}),
    *("", "\x1b[31m", "../../x", "a", "9" * 3000),
)


def test_any_other_value_anywhere_is_refused_or_harmless(copy: Path, invoke: Invoke) -> None:
    """200 entries replaced by values of other kinds: one sentence, or a profile that works."""
    sound, chance = entries(copy), random.Random(1)
    refused = 0
    for _ in range(200):
        manifest = json.loads(json.dumps(sound))
        *above, last = chance.choice([place for place in _places(sound) if place])
        table = manifest
        for name in above:
            table = table[name]
        table[last] = chance.choice(VALUES)
        write(copy, json.dumps(manifest))
        begin = monotonic()
        try:
            profile = load_profile(str(copy))
            profile.texts.encode(["red"])
            _ = profile.images, profile.alignment, profile.relevance, profile.readable
        except PixqueryError as error:
            refused += 1
            assert str(error).isprintable(), error
            assert str(copy) in str(error) or "copy" in str(error)
        assert monotonic() - begin < 5
    assert refused > 150
    write(copy, json.dumps({**sound, "name": "\x1b[31mred"}))
    said = invoke("index", copy, "--library", copy.parent / "library", "--profile", copy)
    assert said.exit_code == 1
    assert "\x1b" not in said.stderr
