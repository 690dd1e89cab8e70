"""Profiles are found by name or folder, checked against manifests, and loaded when used."""

import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pixquery.db.errors import ProfileDamaged, ProfileNotFound
from pixquery.engine.profile import DEFAULT, MANIFEST, Profile, load_profile, names
from pixquery.engine.relevance import Regressor
from pixquery.engine.runtime import cache_folder
from tests.conftest import COLOURS, REPOSITORY, SIZE, centred

words = st.lists(
    st.sampled_from([*COLOURS, "unheard", "of", "RED", "?!"]), min_size=1, max_size=10
).map(" ".join)


@pytest.fixture
def copy(colours: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(colours, tmp_path / "copy"))


def test_the_default_is_shipped() -> None:
    assert DEFAULT in names()
    profile = load_profile()
    assert profile.name == DEFAULT
    assert profile.reference == DEFAULT
    assert profile.folder.name == DEFAULT


def test_a_folder_is_a_profile_too(colours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_profile(str(colours)).name == "colours"
    assert load_profile(str(colours)).reference == str(colours.resolve())
    monkeypatch.chdir(colours.parent)
    assert load_profile("colours").folder == load_profile("./colours").folder == colours.resolve()


@pytest.mark.parametrize("name", ["nothing", "/no/such/folder", "..", ""])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ProfileNotFound, match=DEFAULT):
        load_profile(name)


@pytest.mark.parametrize("text", ["", "{", '["not", "a", "mapping"]', "{}", '{"name": "x"}'])
def test_a_damaged_manifest_is_reported(text: str, copy: Path) -> None:
    (copy / MANIFEST).write_text(text)
    with pytest.raises(ProfileDamaged, match="manifest"):
        load_profile(str(copy)).check()


@pytest.mark.parametrize(
    "name", ["image.onnx", "text.onnx", "tokenizer.json", "alignment.safetensors"]
)
def test_check_notices_every_file(name: str, copy: Path) -> None:
    profile = load_profile(str(copy))
    profile.check()
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ProfileDamaged, match=name):
        profile.check()
    (copy / name).unlink()
    with pytest.raises(ProfileDamaged, match=name):
        profile.check()


@pytest.mark.parametrize("part", ["images", "texts", "alignment"])
def test_a_missing_file_is_reported_when_it_is_needed(part: str, copy: Path) -> None:
    for name in ("image.onnx", "text.onnx", "alignment.safetensors"):
        (copy / name).unlink()
    with pytest.raises(ProfileDamaged, match="install the profile again"):
        getattr(load_profile(str(copy)), part)


@pytest.mark.parametrize(("part", "name"), [("images", "image.onnx"), ("texts", "text.onnx"),
                                            ("texts", "tokenizer.json")])  # fmt: skip
def test_a_damaged_model_is_reported_when_it_is_needed(part: str, name: str, copy: Path) -> None:
    (copy / name).write_bytes((copy / name).read_bytes()[:40])
    with pytest.raises(ProfileDamaged, match=name):
        getattr(load_profile(str(copy)), part)


def test_images_are_their_mean_colour(models: Profile) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (70, SIZE, SIZE, 3), np.uint8)
    vectors = models.images.encode(pixels)
    assert vectors.shape == (70, 3)
    assert vectors.dtype == np.float32
    assert vectors == pytest.approx(pixels.mean((1, 2)) / 255, abs=0.01)
    assert models.images.encode(pixels[:0]).shape == (0, 3)


@given(texts=st.lists(words, max_size=70))
@hypothesis_settings(max_examples=30)
def test_texts_are_the_mean_of_their_colours_in_any_company(
    texts: list[str], models: Profile
) -> None:
    grey = np.full(3, 0.5)
    vectors = models.texts.encode(texts)
    assert vectors.shape == (len(texts), 3)
    for text, vector in zip(texts, vectors, strict=True):
        # "?!" is one word to the tokenizer
        known = [
            np.array(COLOURS[word.lower()]) / 255 if word.lower() in COLOURS else grey
            for word in text.split()
        ]
        assert vector == pytest.approx(np.mean(known, 0), abs=0.01)


def test_longer_texts_are_cut(models: Profile) -> None:
    long = models.texts.encode(["red " * 16 + "blue " * 500])
    assert long[0] == pytest.approx([1, 0, 0], abs=0.01)


def test_the_two_sides_meet(models: Profile) -> None:
    pixels = np.stack([np.full((SIZE, SIZE, 3), rgb, np.uint8) for rgb in COLOURS.values()])
    photos = models.alignment.images(models.images.encode(pixels))
    texts = models.alignment.texts(models.texts.encode(list(COLOURS)))
    wanted = np.stack([centred(colour) for colour in COLOURS])
    assert photos == pytest.approx(wanted, abs=0.01)
    assert texts == pytest.approx(wanted, abs=0.01)


def test_relevance_is_optional(unrated: Path, tints: Path) -> None:
    assert load_profile(str(unrated)).relevance is None
    assert not load_profile(str(unrated)).predicts_relevance
    assert isinstance(load_profile(str(tints)).relevance, Regressor)
    assert load_profile(str(tints)).predicts_relevance
    for folder in (unrated, tints):
        probes = load_profile(str(folder)).alignment.probes
        assert probes.shape[1] == 3
        assert np.linalg.norm(probes, axis=1) == pytest.approx(1, abs=1e-5)


def test_profiles_with_other_image_encoders_differ(colours: Path, tints: Path) -> None:
    assert load_profile(str(colours)).encoder != load_profile(str(tints)).encoder


def test_the_cache_folder_can_be_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIXQUERY_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("PIXQUERY_CACHE")
    assert cache_folder().name == "pixquery"


@pytest.mark.parametrize("where", ["file", "file/below"])
def test_models_work_without_a_cache(
    where: str, colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("PIXQUERY_CACHE", str(tmp_path / where))
    assert load_profile(str(colours)).texts.encode(["red"])[0] == pytest.approx([1, 0, 0], abs=0.01)


def test_a_missing_manifest_entry_is_reported(copy: Path) -> None:
    manifest = json.loads((copy / MANIFEST).read_text())
    del manifest["image"]["size"]
    (copy / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ProfileDamaged, match="manifest"):
        _ = load_profile(str(copy)).images


def test_programs_that_start_together_share_an_empty_cache(colours: Path, tmp_path: Path) -> None:
    """OpenVINO by itself reads files that another process is still writing, and crashes."""
    code = (
        "import sys; from pixquery.engine.profile import load_profile; "
        "profile = load_profile(sys.argv[1]); "
        "print(profile.texts.encode(['red']).tolist(), len(profile.images.encode("
        "__import__('numpy').zeros((1, 8, 8, 3), 'u1'))))"
    )
    environment = {**os.environ, "PIXQUERY_CACHE": str(tmp_path / "cache")}
    for _ in range(3):
        programs = [
            subprocess.Popen(
                [sys.executable, "-c", code, str(colours)],
                cwd=REPOSITORY, env=environment, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
            for _ in range(6)
        ]  # fmt: skip
        said = [program.communicate() for program in programs]
        assert [program.returncode for program in programs] == [0] * 6, said
        assert {out for out, _ in said} == {"[[1.0, 0.0, 0.0]] 1\n"}
        kept = sorted(path.name for path in (tmp_path / "cache").iterdir())
        assert len([name for name in kept if name.endswith(".blob")]) == 2  # one for each model
        assert not any(name.startswith(".") for name in kept)


def test_a_damaged_cache_is_rebuilt(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXQUERY_CACHE", str(copy.parent / "cache"))
    right = load_profile(str(copy)).texts.encode(["red"])
    (blob,) = (copy.parent / "cache").glob("*.blob")
    blob.write_bytes(blob.read_bytes()[: blob.stat().st_size // 2])
    profile = Profile(copy, load_profile(str(copy)).manifest)
    np.testing.assert_array_equal(profile.texts.encode(["red"]), right)


def _with_step(*steps: Any, **constants: Any) -> bytes:
    """A model of mean colours to whose vectors the number ``t`` is added, which steps compute."""
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["floats"], ["mean"], axes=[1, 2], keepdims=0),
            *steps,
            helper.make_node("ReduceMax", ["big"], ["t"], keepdims=0),
            helper.make_node("Add", ["mean", "t"], ["vectors"]),
        ],
        "hostile",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("what", ["a vast constant", "a repeated photo", "many products"])
def test_models_that_would_take_all_memory_or_time_are_refused(what: str, copy: Path) -> None:
    from onnx import helper

    vast = np.array([200_000, 200_000])
    matrix = np.full((1500, 1500), 1e-3, np.float32)
    names = ["m", *(f"m{number}" for number in range(30)), "big"]
    models = {
        "a vast constant": lambda: _with_step(
            helper.make_node("ConstantOfShape", ["shape"], ["big"]), shape=vast
        ),
        "a repeated photo": lambda: _with_step(
            helper.make_node("Tile", ["floats", "times"], ["big"]),
            times=np.array([1, 100_000, 100_000, 1]),
        ),
        "many products": lambda: _with_step(
            *(
                helper.make_node("MatMul", [one, "m"], [following])
                for one, following in itertools.pairwise(names)
            ),
            m=matrix,
        ),
    }
    content = models[what]()
    (copy / "image.onnx").write_bytes(content)
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest["files"]["image.onnx"] = {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    (copy / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ProfileDamaged, match=r"image\.onnx .* (numbers|long)"):
        _ = load_profile(str(copy)).images


@pytest.mark.parametrize("name", ["image.onnx", "text.onnx", "alignment.safetensors"])
def test_a_file_of_the_same_size_is_not_taken_for_another(name: str, copy: Path) -> None:
    content = bytearray((copy / name).read_bytes())
    content[-1] ^= 1
    (copy / name).write_bytes(content)
    profile = load_profile(str(copy))
    with pytest.raises(ProfileDamaged, match=name):
        _ = profile.images, profile.texts, profile.alignment


def test_a_link_is_no_file_of_a_profile(copy: Path, tmp_path: Path) -> None:
    (copy / "text.onnx").rename(tmp_path / "elsewhere")
    (copy / "text.onnx").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ProfileDamaged, match=r"text\.onnx .* link"):
        _ = load_profile(str(copy)).texts
