"""A profile whose image encoder was replaced by a richer one: old libraries keep answering.

The narrow encoder computes mean colours. The wide one computes them, too, and then the contrast of
each channel, which the squares do not have. So old and new photos of one colour are equally alike.
"""

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from pixquery import Library, teach
from pixquery.engine.library import CATALOGUE
from pixquery.engine.profile import MANIFEST, load_profile
from pixquery.indexer.build import Options, index
from tests.conftest import COLOURS, SIZE, Invoke, Spawn, parsed, square, write_profile
from tests.proofs.kills import Kills
from tests.proofs.material import RUNGS, Children, Workplace

RIGHT = {colour: colour for colour in COLOURS}


def widen(folder: Path) -> None:
    """Replaces a colour profile by one of the same name with the wide encoder."""
    manifest = json.loads((folder / MANIFEST).read_text())
    image = manifest["image"]
    (folder / "image.onnx").write_bytes(wide_model())
    image["earlier"] = {image["source_sha256"]: image["dimension"]}
    image |= {"source_sha256": "f" * 64, "dimension": 6, "sizes": {"high": [SIZE, 12]}}
    file = folder / "alignment.safetensors"
    tensors = load_file(file)
    contrast = np.full((3, 3), 0.25, np.float32)
    tensors["image.weight"] = np.concatenate([tensors["image.weight"], contrast])
    # What the narrow encoder did not compute is zero, as it is of squares.
    tensors["completion.weight"] = np.zeros((3, 3), np.int8)
    tensors["completion.scale"] = np.ones(3, np.float32)
    tensors["completion.bias"] = np.zeros(3, np.float32)
    save_file(tensors, file)
    manifest["files"] = {
        name: {"bytes": len(content), "sha256": sha256(content).hexdigest()}
        for name in manifest["files"]
        if (content := (folder / name).read_bytes())
    }
    (folder / MANIFEST).write_text(json.dumps(manifest))


def wide_model() -> bytes:
    """uint8[n, 8, 8, 3] -> float32[n, 6]: mean and contrast of each channel, in [0, 1]."""
    from onnx import TensorProto, helper

    def over_pixels(operator: str, out: str) -> Any:
        return helper.make_node(operator, ["floats"], [out], axes=[1, 2], keepdims=0)

    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
            over_pixels("ReduceMean", "mean"),
            over_pixels("ReduceMax", "most"),
            over_pixels("ReduceMin", "least"),
            helper.make_node("Sub", ["most", "least"], ["contrast"]),
            helper.make_node("Concat", ["mean", "contrast"], ["both"], axis=1),
            helper.make_node("Div", ["both", "top"], ["vectors"]),
        ],
        "mean colour and contrast",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", 6])],
        [helper.make_tensor("top", TensorProto.FLOAT, [], [255.0])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """The narrow profile, in a folder of its own, where the wide one will replace it."""
    return write_profile(tmp_path / "profile", "colours")


@pytest.fixture
def old(profile: Path, squares: Path, tmp_path: Path) -> Path:
    """A library of the narrow profile, whose folder contains the wide one by now."""
    place = tmp_path / "library"
    with Library.open(place, create=True, profile=str(profile)) as library:
        index(library, [squares])
        assert found(library) == RIGHT
    widen(profile)
    return place


def found(library: Library) -> dict[str, str]:
    return {colour: library.search(colour, k=1).hits[0].path.stem for colour in COLOURS}


def lengths(place: Path) -> dict[str, int]:
    """The length of each photo's raw vector, by the photo's name."""
    with Library.open(place) as library:
        names = {record.id: record.path.stem for record in library}
        vectors = library.catalog.vectors_of(list(names), *library.profile.readable)
        return {names[image_id]: len(vector) for image_id, vector in vectors.items()}


def test_a_manifest_names_the_earlier_encoders(profile: Path) -> None:
    before = load_profile(str(profile))
    widen(profile)
    after = load_profile(str(profile))
    assert after.encoder == "f" * 16
    assert next(iter(after.readable)) == after.encoder
    assert after.readable == {
        "f" * 16: 6,
        "f" * 16 + "-high": 6,
        before.encoder: 3,
        before.encoder + "-high": 3,
    }
    high = load_profile(str(profile), "high")
    assert (high.encoder, high.readable) == ("f" * 16 + "-high", after.readable)
    assert next(iter(high.readable)) == high.encoder


def test_an_old_library_answers_at_once(old: Path, invoke: Invoke) -> None:
    catalogue = (old / CATALOGUE).read_bytes()
    before = next(old.glob("vectors-*.faiss"))
    answer = parsed(invoke("query", "red", "--library", old, "--json"))
    assert Path(answer["hits"][0]["path"]).stem == "red"
    assert next(old.glob("vectors-*.faiss")) != before  # derived anew
    assert (old / CATALOGUE).stat().st_size >= len(catalogue)
    assert set(lengths(old).values()) == {3}
    assert parsed(invoke("index", "--library", old, "--json"))["unchanged"] == 8
    assert set(lengths(old).values()) == {3}  # no photo was encoded
    with Library.open(old) as library:
        assert found(library) == RIGHT
        assert library.verify() == []


def test_new_and_changed_photos_live_beside_old_ones(
    old: Path, squares: Path, invoke: Invoke
) -> None:
    crimson = square(squares / "crimson.png", (220, 20, 60))
    square(next(squares.rglob("white.*")), (128, 0, 128))
    shutil.copy(next(squares.rglob("green.*")), squares / "copy.jpg")
    next(squares.rglob("blue.*")).rename(squares / "moved.jpg")
    report = parsed(invoke("index", "--library", old, "--json"))
    assert (report["added"], report["updated"], report["moved"]) == (2, 1, 1)
    assert lengths(old) == {
        **dict.fromkeys(["black", "red", "green", "yellow", "cyan", "magenta"], 3),
        "moved": 3,  # neither read again
        "copy": 3,  # nor encoded twice
        "white": 6,
        "crimson": 6,
    }
    answer = parsed(invoke("query", "red", "-k", "2", "--library", old, "--json"))
    assert [Path(hit["path"]).stem for hit in answer["hits"]] == ["red", "crimson"]
    like = parsed(invoke("query", "--like", crimson, "-k", "2", "--library", old, "--json"))
    assert [Path(hit["path"]).stem for hit in like["hits"]] == ["crimson", "red"]
    info = parsed(invoke("info", "--library", old, "--json"))
    assert (info["images"], info["earlier"]) == (10, 8)
    words = invoke("info", "--library", old).stdout
    assert "8 of 10 photos" in words
    assert "pixquery index --rebuild" in words
    assert invoke("verify", "--library", old).exit_code == 0


def test_duplicates_are_found_across_encoders(old: Path, squares: Path, invoke: Invoke) -> None:
    # The same pictures in files of other bytes, one of each encoder.
    for colour in ("red", "cyan"):
        square(squares / f"{colour}-large.png", colour, (48, 32))
    assert parsed(invoke("index", "--library", old, "--json"))["added"] == 2
    groups = parsed(invoke("duplicates", "--library", old, "--json"))["groups"]
    stems = [
        sorted(Path(photo["path"]).stem for photo in (g["best"], *g["copies"])) for g in groups
    ]
    assert sorted(stems) == [["cyan", "cyan-large"], ["red", "red-large"]]
    assert all(copy["likeness"] > 0.999 for group in groups for copy in group["copies"])
    assert invoke("index", "--rebuild", "--library", old).exit_code == 0
    assert parsed(invoke("duplicates", "--library", old, "--json"))["groups"] == groups


def test_a_rebuild_encodes_the_old_photos_alone(old: Path, squares: Path, invoke: Invoke) -> None:
    for number in range(3):
        square(squares / f"new-{number}.png", (200 + number, 100, 0))
    invoke("index", "--library", old)
    totals = set()

    def stop(done: int, total: int) -> None:
        totals.add(total)
        if done >= 4:
            raise KeyboardInterrupt

    with Library.open(old, switch=True) as library:
        assert index(library, [], Options(rebuild=True, batch_size=2, progress=stop)).interrupted
    assert totals == {8}
    with Library.open(old) as library:  # it answers as before
        assert found(library) == RIGHT
        assert library.info().earlier == 8
    report = parsed(invoke("index", "--rebuild", "--library", old, "--json"))
    assert (report["updated"], report["unchanged"], report["lacking"]) == (4, 7, 0)
    assert set(lengths(old).values()) == {6}
    info = parsed(invoke("info", "--library", old, "--json"))
    assert (info["earlier"], info["switching"]) == (0, None)
    with Library.open(old) as library:
        assert found(library) == RIGHT
        assert library.verify() == []
    # Now that all are alike, it encodes every photo again.
    assert parsed(invoke("index", "--rebuild", "--library", old, "--json"))["updated"] == 11


def test_an_old_library_goes_over_to_high_quality(old: Path, invoke: Invoke) -> None:
    report = parsed(invoke("index", "--rebuild", "--quality", "high", "--library", old, "--json"))
    assert (report["quality"], report["updated"]) == ("high", 8)
    with Library.open(old) as library:
        assert set(library.catalog.encoders()) == {"f" * 16 + "-high"}
        assert found(library) == RIGHT
        assert library.verify() == []


def test_a_library_of_high_quality_answers_under_the_new_encoder(
    profile: Path, squares: Path, tmp_path: Path, invoke: Invoke
) -> None:
    manifest = json.loads((profile / MANIFEST).read_text())
    manifest["image"]["sizes"] = {"high": [SIZE, 12]}
    (profile / MANIFEST).write_text(json.dumps(manifest))
    place = tmp_path / "library"
    options = ("--library", place, "--profile", profile, "--quality", "high")
    assert invoke("index", squares, *options).exit_code == 0
    widen(profile)
    square(squares / "new.png", (255, 128, 0))
    assert parsed(invoke("index", "--library", place, "--json"))["added"] == 1
    with Library.open(place) as library:
        assert found(library) == RIGHT
        assert sorted(library.catalog.encoders().values()) == [1, 8]
        assert (library.info().quality, library.info().earlier) == ("high", 8)
        assert library.verify() == []
    report = parsed(invoke("index", "--rebuild", "--library", place, "--json"))
    assert (report["quality"], report["updated"]) == ("high", 8)


def test_a_switch_that_began_with_the_old_encoder_ends_with_the_new_one(
    profile: Path, squares: Path, tmp_path: Path, colours: Path, invoke: Invoke
) -> None:
    place = tmp_path / "library"
    with Library.open(place, create=True, profile=str(colours)) as library:
        index(library, [squares])

    def stop(done: int, total: int) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    manifest = json.loads((profile / MANIFEST).read_text())
    manifest["image"]["source_sha256"] = "e" * 64  # another encoder than that of `colours`
    (profile / MANIFEST).write_text(json.dumps(manifest))
    with Library.open(place, profile=str(profile), switch=True) as library:
        assert index(library, [], Options(rebuild=True, batch_size=2, progress=stop)).interrupted
    widen(profile)
    with Library.open(place) as library:
        assert library.profile.folder == colours
        assert found(library) == RIGHT
    report = parsed(invoke("index", "--rebuild", "--library", place, "--json"))
    assert (report["updated"], report["lacking"]) == (8, 0)
    assert set(lengths(place).values()) == {6}
    with Library.open(place) as library:
        assert library.profile.folder == profile
        assert found(library) == RIGHT
        assert library.verify() == []


def test_a_vector_of_the_wrong_length_is_found_and_mended(old: Path, invoke: Invoke) -> None:
    with Library.open(old) as library:
        root = library.catalog.roots()[0].path
        record = next(iter(library))
        root_id = library.catalog.add_root(root)
        encoder = library.profile.encoder  # which computes six numbers
        library.catalog.put(root_id, [record], np.ones((1, 3), np.float16), encoder)
    wrong = invoke("verify", "--library", old)
    assert wrong.exit_code == 1
    assert "1 photos have no sound vector" in wrong.stdout
    assert invoke("verify", "--repair", "--library", old).exit_code == 0
    assert sorted(lengths(old).values()) == [3] * 7 + [6]


def test_contrast_counts_for_new_photos_only(old: Path, squares: Path, invoke: Invoke) -> None:
    half = np.zeros((16, 16, 3), np.uint8)
    half[:8] = 255
    Image.fromarray(half).save(squares / "half.png")
    invoke("index", "--library", old)
    with Library.open(old) as library:
        names = {record.path.stem: record.id for record in library}
        raw = library.catalog.vectors_of([names["half"]], library.profile.encoder)
        assert raw[names["half"]].tolist() == pytest.approx([0.5] * 3 + [1] * 3, abs=0.05)


def test_examples_of_both_encoders_teach_a_concept_together(
    profile: Path, squares: Path, tmp_path: Path
) -> None:
    files = [tmp_path / f"example{number}.png" for number in range(5)]
    for file, colour in zip(files, ["blue", "cyan", "white", "green", "green"], strict=True):
        square(file, colour)
    places = [tmp_path / "one-by-one", tmp_path / "at-once"]
    for place in places:
        with Library.open(place, create=True, profile=str(profile)) as library:
            index(library, [squares])
    with Library.open(places[0]) as library:
        teach(library, "red", files[:3])
    widen(profile)
    for file in files[:3]:  # so that the wide encoder never sees them
        shutil.copy(file, file.with_suffix(".kept.png"))
        file.unlink()
    with Library.open(places[0]) as library:
        lesson = teach(library, "red", files[3:4], add=True)
        assert (lesson.added, len(lesson.concept.examples)) == (1, 4)
        lesson = teach(library, "red", files[4:], add=True)  # the same picture and bytes
        assert (lesson.added, len(lesson.concept.examples)) == (0, 4)
        assert lesson.concept.known
        found_one_by_one = similarities(library)
    with Library.open(places[1]) as library:
        teach(library, "red", [*(file.with_suffix(".kept.png") for file in files[:3]), *files[3:]])
        assert similarities(library) == pytest.approx(found_one_by_one, abs=1e-3)


def similarities(library: Library) -> dict[str, float]:
    """Of all photos with "red", by their names."""
    return {hit.path.stem: hit.similarity or 0 for hit in library.search("red").hits}


# -- whatever happens --------------------------------------------------------------------------


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("words", [["index"], ["index", "--rebuild"]], ids=["index", "rebuild"])
def test_killed_at_any_call_an_old_library_keeps_answering(
    step: int, words: list[str], tmp_path: Path, squares: Path, children: Children
) -> None:
    workplace = Workplace(tmp_path / "work", RUNGS["exact"])
    workplace.index([squares])
    widen(workplace.profile)
    square(squares / "new.png", (255, 128, 0))
    kills = Kills(children, workplace.library, [*words, "--batch-size", "3", "--jobs", "1"])
    assert kills.run(0) == 0
    assert kills.calls > 20
    mixed = 0
    for at in range(1, kills.calls + 1, step):
        if kills.run(at) == 0:
            continue
        with Library.open(workplace.library) as library:
            assert found(library) == RIGHT, at
            mixed += len(library.catalog.encoders()) > 1
            # What a rebuild adds is searched when it is complete, as before.
            assert sum(library.catalog.encoders().values()) >= 8, at
        with Library.open(workplace.library, switch=True) as library:
            index(library, [], Options(rebuild=True))
        with Library.open(workplace.library) as library:
            assert set(library.catalog.encoders()) == {library.profile.encoder}, at
            assert found(library) == RIGHT, at
            assert len(library) == 9
            assert library.verify() == [], at
    assert mixed or "--rebuild" in words


def test_the_whole_way_as_a_user_goes_it(old: Path, squares: Path, spawn: Spawn) -> None:
    def run(*words: str | Path) -> str:
        done = spawn(*words, "--library", old)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "red" in run("query", "red", "-k", "1", "--paths")
    square(squares / "new.png", (255, 128, 0))
    assert "1 added, 8 unchanged" in run("index")
    assert "8 of 9 photos" in run("info")
    assert "no problems" in run("verify")
    assert "8 updated, 1 unchanged" in run("index", "--rebuild")
    assert "earlier " not in run("info")
    assert "red" in run("query", "red", "-k", "1", "--paths")
    assert "no problems" in run("verify")
