"""What the files of a repository say of its networks."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pixquery.db.errors import SourceUnusable
from pixquery.trainer.adopting.find import find
from pixquery.trainer.adopting.known import KNOWN, RECOMMENDED, Known
from pixquery.trainer.adopting.layouts import Pair, Wording, files_of, networks_in, pair_of
from pixquery.trainer.adopting.pins import refuse_foreign
from pixquery.trainer.adopting.sources import Wish
from pixquery.trainer.adopting.wording import worded

pytest.importorskip("transformers", reason="the small repositories are made with transformers")

from tests import ready

pytestmark = pytest.mark.usefixtures("one_thread")


def pair_in(folder: Path) -> Pair:
    source = find(str(folder), Wish(joint=True))
    networks = networks_in(source.checksums)
    assert networks is not None
    return pair_of(source, networks)


def test_half_precision_is_preferred(tmp_path: Path) -> None:
    names = {"onnx/vision_model.onnx", "onnx/text_model.onnx", "config.json", "spiece.model"}
    assert networks_in(names) == ("onnx/vision_model.onnx", "onnx/text_model.onnx")
    assert networks_in(names | {"onnx/vision_model_fp16.onnx"}) == networks_in(names)
    both = names | {"onnx/vision_model_fp16.onnx", "onnx/text_model_fp16.onnx"}
    networks = ("onnx/vision_model_fp16.onnx", "onnx/text_model_fp16.onnx")
    assert networks_in(both) == networks
    assert files_of(both, networks) == ["config.json", *networks]
    assert networks_in({"onnx/model.onnx", "model.safetensors"}) is None
    ready.siglip2(tmp_path, halves=True)
    assert pair_in(tmp_path).text.name == "text_model_fp16.onnx"


RULES = {
    "clip": (ready.clip, "crop", "bicubic", Wording(77, False, "")),
    "siglip": (ready.siglip, "squash", "bicubic", Wording(64, True, "</s>", True, True)),
    "siglip2": (ready.siglip2, "squash", "bilinear", Wording(64, True, "<pad>", True)),
    "immich-clip": (ready.immich_clip, "crop", "bicubic", Wording(77, True, "")),
    "immich-siglip": (
        ready.immich_siglip, "squash", "bicubic", Wording(64, True, "<pad>", True, True),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", RULES)
def test_rules_are_read_from_the_files(kind: str, tmp_path: Path) -> None:
    make, fit, interpolation, wording = RULES[kind]
    make(tmp_path)
    pair = pair_in(tmp_path)
    assert (pair.fit, pair.preparation.interpolation) == (fit, interpolation)
    assert pair.wording == wording


def changed(file: str, **entries: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        stored = json.loads((folder / file).read_text("utf-8"))
        (folder / file).write_text(json.dumps({**stored, **entries}), "utf-8")

    return change


REFUSED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "another architecture": (changed("config.json", model_type="blip"), "is a blip model"),
    "no preprocessor": (lambda f: (f / "preprocessor_config.json").unlink(), "how its photos"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "has no tokenizer.json"),
    "a tokenizer cut off": (lambda f: (f / "tokenizer.json").write_text("{"), "cannot be used"),
    "another pad": (changed("tokenizer_config.json", pad_token="<none>"), "no piece '<none>'"),
    "marks of languages": (
        changed("tokenizer_config.json", tokenizer_class="NllbTokenizer"), "with its language",
    ),
    "an odd length": (
        changed("config.json", text_config={"max_position_embeddings": "many"}), "'many'",
    ),
    "an unknown step": (changed("preprocessor_config.json", do_pad=True), "do_pad"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_odd_files_are_refused(what: str, tmp_path: Path) -> None:
    ready.siglip2(tmp_path)
    change, words = REFUSED[what]
    change(tmp_path)
    with pytest.raises(SourceUnusable, match=words):
        worded(pair_in(tmp_path))


def test_rclips_repository_has_no_tokenizer(tmp_path: Path) -> None:
    ready.rclip(tmp_path, flat=True)
    with pytest.raises(SourceUnusable, match=r"has no tokenizer\.json"):
        pair_in(tmp_path)


def test_with_a_tokenizer_rclips_networks_are_read_as_openais(tmp_path: Path) -> None:
    ready.rclip(tmp_path, flat=True)
    ready.immich_clip(tmp_path / "other")
    words = (tmp_path / "other" / "textual" / "tokenizer.json").read_bytes()
    (tmp_path / "tokenizer.json").write_bytes(words)
    pair = pair_in(tmp_path)
    assert (pair.fit, pair.preparation.size) == ("crop", 224)
    assert pair.preparation.mean[0] == pytest.approx(0.48145466)
    assert pair.wording == Wording(77, True, "")


def test_a_file_of_git_lfs_is_no_network(tmp_path: Path) -> None:
    ready.siglip2(tmp_path)
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    (tmp_path / "onnx" / "text_model.onnx").write_bytes(pointer)
    with pytest.raises(SourceUnusable, match="git lfs pull"):
        find(str(tmp_path), Wish(joint=True))


# -- known models ---------------------------------------------------------------------------------


def test_known_models_are_pinned() -> None:
    assert next(iter(KNOWN)) == RECOMMENDED
    for name, known in KNOWN.items():
        assert known.origin
        assert known.coco or known.flickr30k
        if name == "siglip2-so400m":  # its checksums are not known here
            continue
        assert len(known.revision) == 40
        assert len(known.pins) == 3
        assert networks_in(known.pins) is not None
        assert all(len(pin) == 64 for pin in known.pins.values())


def test_a_foreign_file_under_a_known_name_is_refused(tmp_path: Path) -> None:
    ready.siglip2(tmp_path)
    source = find(str(tmp_path), Wish(joint=True))
    name = "onnx/text_model.onnx"
    known = Known("a/b", "B", "MIT", ("en",), 1, pins={name: source.checksums[name]})
    refuse_foreign("b", known, source)
    other = replace(known, pins={name: "0" * 64})
    with pytest.raises(SourceUnusable, match="and b is made of the file with the sha256 0000"):
        refuse_foreign("b", other, source)
    gone = replace(known, pins={"onnx/other.onnx": "0" * 64})
    with pytest.raises(SourceUnusable, match="is missing"):
        refuse_foreign("b", gone, source)
