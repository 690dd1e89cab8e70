"""Vectors that a damaged model has stored are found and encoded again."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from pixquery import Library
from pixquery.db.errors import ProfileDamaged
from pixquery.engine.manifest import CHECKSUM, MANIFEST
from pixquery.engine.profile import load_profile
from pixquery.indexer.build import index
from pixquery.indexer.sample import LEAST_COSINE, compare_vectors, forget_differing
from tests.conftest import Invoke, square


@pytest.fixture
def place(squares: Path, tmp_path: Path, colours: Path) -> Path:
    with Library.open(tmp_path / "library", create=True, profile=str(colours)) as library:
        index(library, [squares])
    return tmp_path / "library"


def stored(library: Library, *ids: int) -> dict[int, list[float]]:
    found = library.catalog.vectors_of(ids, library.profile.encoder)
    return {image_id: vector.tolist() for image_id, vector in found.items()}


def alter(place: Path, image_id: int, vector: list[float]) -> None:
    """Stores a vector as a damaged model would have: with the right checksums everywhere."""
    raw = np.array([vector], np.float16)
    with Library.open(place) as library, library.writing():
        record = library.photo(image_id)
        (root,) = library.catalog.roots()
        root_id = library.catalog.add_root(root.path)
        library.catalog.put(root_id, [record], raw, library.profile.encoder)
        library.publish()


def test_a_sound_library_agrees(place: Path) -> None:
    with Library.open(place) as library:
        found = compare_vectors(library)
        assert (found.compared, found.differing) == (8, ())
        assert compare_vectors(library, most=3).compared == 3
        assert compare_vectors(library, ids=[2, 5]).compared == 2


def test_photos_that_changed_or_are_gone_are_left_out(place: Path, squares: Path) -> None:
    next(squares.rglob("red.*")).unlink()
    square(next(squares.rglob("blue.*")), "green")
    with Library.open(place) as library:
        found = compare_vectors(library)
    assert (found.compared, found.differing) == (6, ())


@pytest.mark.parametrize("vector", [[0.0, 1.0, 0.3], [0.0, 0.0, 0.0]])
def test_a_vector_of_something_else_is_found_and_replaced(
    vector: list[float], place: Path, invoke: Invoke
) -> None:
    with Library.open(place) as library:
        before = stored(library, 2, 3)
    alter(place, 3, vector)
    with Library.open(place) as library:
        assert library.verify() == []  # every checksum is right
        ((record, cosine),) = compare_vectors(library).differing
        assert record.id == 3
        assert cosine < LEAST_COSINE
    said = invoke("verify", "--library", place, "--json")
    assert said.exit_code == 1
    found = json.loads(said.stdout)
    assert found["compared"] == 8
    assert [str(record.path) in finding["what"] for finding in found["findings"]] == [True]
    mended = invoke("verify", "--repair", "--library", place, "--json")
    assert mended.exit_code == 0, mended.stdout
    assert [finding["repaired"] for finding in json.loads(mended.stdout)["findings"]] == [True]
    assert invoke("verify", "--library", place).stdout == "no problems found\n"
    with Library.open(place) as library:
        assert stored(library, 2, 3) == before


def test_what_differs_is_forgotten(place: Path) -> None:
    alter(place, 3, [0.0, 1.0, 0.3])
    with Library.open(place) as library:
        forget_differing(library, compare_vectors(library))
        assert library.lacking() == 1
        assert compare_vectors(library).compared == 7


# -- numbers that are not finite ------------------------------------------------------------------


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_a_stored_vector_that_is_not_finite_is_found_and_crashes_nothing(
    odd: float, place: Path, invoke: Invoke
) -> None:
    alter(place, 3, [odd, 0.0, 0.0])
    assert invoke("query", "red", "--library", place, "-k", 8).exit_code == 0
    assert invoke("duplicates", "--library", place).exit_code in (0, 3)
    said = invoke("verify", "--library", place, "--json")
    assert said.exit_code == 1
    assert invoke("verify", "--repair", "--library", place).exit_code == 0
    assert invoke("verify", "--library", place).exit_code == 0
    with Library.open(place) as library:
        assert np.isfinite(list(stored(library, 3).values())).all()


@pytest.fixture
def odd_profile(colours: Path, tmp_path: Path) -> Callable[[str, float], Path]:
    """A profile whose model divides by another number."""

    def make(model: str, number: float) -> Path:
        folder = Path(shutil.copytree(colours, tmp_path / f"odd {number}"))
        network = onnx.load(folder / model)
        tensor: Any = next(t for t in network.graph.initializer if t.name in ("top", "table"))
        values = np.full(list(tensor.dims), number, np.float32)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
        onnx.save(network, folder / model)
        manifest = json.loads((folder / MANIFEST).read_text())
        del manifest["files"][model]
        manifest.pop(CHECKSUM, None)
        (folder / MANIFEST).write_text(json.dumps(manifest))
        return folder

    return make


def test_photos_without_a_finite_vector_are_skipped_and_tried_again(
    odd_profile: Callable[[str, float], Path], squares: Path, tmp_path: Path, invoke: Invoke
) -> None:
    profile = odd_profile("image.onnx", 0.0)  # what is divided by it is infinite, and black is NaN
    place = tmp_path / "odd library"
    for _ in range(2):
        said = invoke("index", squares, "--library", place, "--profile", profile, "--json")
        report = json.loads(said.stdout)
        assert report["images"] == 0
        assert {"not finite" in skipped["reason"] for skipped in report["skipped"]} == {True}
        assert len(report["skipped"]) == 8
    photo = next(squares.rglob("red.*"))
    (tmp_path / "pairs.csv").write_text(f"image,text\n{photo},red\n")
    said = invoke("score", tmp_path / "pairs.csv", "--profile", profile, "--library", place)
    assert said.exit_code == 1
    assert "not finite" in said.stderr


def test_a_text_without_a_finite_vector_is_one_sentence(
    odd_profile: Callable[[str, float], Path],
) -> None:
    profile = load_profile(str(odd_profile("text.onnx", float("nan"))))
    with pytest.raises(ProfileDamaged, match=r"text\.onnx.*finite"):
        profile.texts.encode(["red"])
