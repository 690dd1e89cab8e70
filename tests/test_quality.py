"""`index --quality`: photos encoded at two sizes, remembered, and gone over to without a pause."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixquery import Library, Part, Query
from pixquery.db.errors import ProfileError, ProfileMismatch
from pixquery.engine.profile import HIGH, MANIFEST, NORMAL, load_profile
from pixquery.indexer.build import Options, index
from pixquery.indexer.decode import decode
from tests.conftest import COLOURS, SIZE, Invoke, parsed, sentence, square
from tests.proofs.kills import Kills
from tests.proofs.material import RUNGS, Children, Workplace

LARGER = 12


@pytest.fixture
def sharp(colours: Path, tmp_path: Path) -> Path:
    """The colour profile with a high quality, at 8 and 12 pixels."""
    folder = Path(shutil.copytree(colours, tmp_path / "sharp"))
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["image"]["sizes"] = {"high": [SIZE, LARGER]}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def dots(tmp_path: Path) -> Path:
    """Photos whose mean colour depends on the size they are squashed to."""
    folder = tmp_path / "dots"
    folder.mkdir()
    for seed, suffix in enumerate((".png", ".bmp", ".tiff")):
        pixels = np.random.default_rng(seed).random((11, 13, 3)) < 0.3
        Image.fromarray(np.uint8(255) * pixels).save(folder / f"{seed}{suffix}")
    return folder


def made(place: Path, profile: Path, photos: Path, quality: str | None = None) -> None:
    with Library.open(place, create=True, profile=str(profile), quality=quality) as library:
        index(library, [photos])


def raw_of(place: Path) -> dict[str, np.ndarray]:
    """Every photo's raw vector float16[3], by the photo's name."""
    with Library.open(place) as library:
        names = {record.id: record.path.name for record in library}
        vectors = library.catalog.vectors_of(list(names), *library.profile.readable)
        return {names[image_id]: vector for image_id, vector in vectors.items()}


def mean_colour(file: Path, *sizes: int) -> np.ndarray:
    """What the colour encoder makes of a photo at some sizes, averaged, float64[3]."""
    scales = decode(file.read_bytes(), *sizes).scales
    return np.asarray(np.mean([pixels.mean((0, 1)) / 255 for pixels in scales], 0))


def test_high_quality_is_the_mean_of_both_sizes(sharp: Path, dots: Path, tmp_path: Path) -> None:
    made(tmp_path / "normal", sharp, dots)
    made(tmp_path / "high", sharp, dots, "high")
    normal, high = raw_of(tmp_path / "normal"), raw_of(tmp_path / "high")
    assert len(high) == 3
    for file in dots.iterdir():
        one, both = mean_colour(file, SIZE), mean_colour(file, SIZE, LARGER)
        assert normal[file.name] == pytest.approx(one, abs=5e-4)
        assert high[file.name] == pytest.approx(both, abs=5e-4)
        assert np.abs(one - both).max() > 1.5e-3  # else the test could not tell them apart


def test_a_library_remembers_its_quality(
    sharp: Path, squares: Path, tmp_path: Path, invoke: Invoke
) -> None:
    place = tmp_path / "library"
    told = invoke("index", squares, "--library", place, "--profile", sharp, "--quality", "high")
    assert told.exit_code == 0, told.output
    assert "8 photos" in told.stdout
    assert "high quality" in told.stdout
    square(squares / "new.png", (250, 0, 0))
    report = parsed(invoke("index", "--library", place, "--json"))
    assert (report["quality"], report["added"], report["unchanged"]) == ("high", 1, 8)
    assert re.search(r"quality +high\n", invoke("info", "--library", place).stdout)
    info = parsed(invoke("info", "--library", place, "--json"))
    assert (info["quality"], info["earlier"], info["switching"]) == ("high", 0, None)
    with Library.open(place) as library:
        assert set(library.catalog.encoders()) == {library.profile.source + "-high"}
    assert "no problems" in invoke("verify", "--library", place).stdout


def test_another_quality_is_refused_with_the_command_to_type(
    sharp: Path, squares: Path, tmp_path: Path, invoke: Invoke
) -> None:
    place = tmp_path / "library"
    made(place, sharp, squares)
    refused = invoke("index", squares, "--quality", "high", "--library", place)
    assert refused.exit_code == 1
    (command,) = re.findall("`pixquery (.*?)`", sentence(refused.stderr))
    assert command == f"index --rebuild --quality high --library {place}"
    with pytest.raises(ProfileMismatch):
        Library.open(place, quality=HIGH)
    assert invoke("index", "--quality", "normal", "--library", place).exit_code == 0
    assert invoke(*command.split()).exit_code == 0
    assert parsed(invoke("info", "--library", place, "--json"))["quality"] == "high"


def test_a_profile_of_one_size_has_no_high_quality(
    colours: Path, sharp: Path, squares: Path, tmp_path: Path, invoke: Invoke
) -> None:
    place = tmp_path / "library"
    options = ("index", squares, "--library", place, "--quality", "high", "--profile")
    refused = invoke(*options, colours)
    assert refused.exit_code == 1
    assert "--quality normal" in sentence(refused.stderr)
    assert not place.exists()
    with pytest.raises(ProfileError):
        load_profile(str(colours), HIGH)
    assert load_profile(str(colours)).qualities == (NORMAL,)
    assert invoke(*options, sharp).exit_code == 0
    # Its photos cannot be encoded at high quality by the other profile: which is wanted?
    switch = ("index", "--rebuild", "--profile", colours, "--library", place)
    assert "--quality normal" in sentence(invoke(*switch).stderr)
    assert invoke(*switch, "--quality", "normal").exit_code == 0
    info = parsed(invoke("info", "--library", place, "--json"))
    assert (info["profile"], info["quality"]) == ("colours", "normal")


def test_a_photo_in_a_query_is_encoded_as_the_photos_of_the_library(
    sharp: Path, dots: Path, tmp_path: Path, invoke: Invoke
) -> None:
    made(tmp_path / "library", sharp, dots, "high")
    for file in dots.iterdir():
        like = invoke("query", "--like", file, "--library", tmp_path / "library", "--json")
        best = parsed(like)["hits"][0]
        assert Path(best["path"]) == file
        assert best["similarity"] == pytest.approx(1, abs=1e-3)
    with Library.open(tmp_path / "library") as library:
        photo = decode(file.read_bytes(), *library.profile.sizes)
        for pixels in (photo.scales, photo.pixels):  # photos of one size are in the same space
            hits = library.search(Query(parts=(Part(pixels=pixels),))).hits
            assert hits[0].path == file


# -- going over --------------------------------------------------------------------------------


def found(library: Library) -> bool:
    return all(library.search(colour, k=1).hits[0].path.stem == colour for colour in COLOURS)


def test_going_over_answers_meanwhile_and_resumes(
    sharp: Path, squares: Path, tmp_path: Path, invoke: Invoke
) -> None:
    place = tmp_path / "library"
    made(place, sharp, squares)
    seen = []

    def ask(done: int, total: int) -> None:
        with Library.open(place) as reader:
            seen.append((reader.profile.quality, found(reader)))
        if done >= 4:
            raise KeyboardInterrupt

    options = Options(rebuild=True, batch_size=2, progress=ask)
    with Library.open(place, quality=HIGH, switch=True) as library:
        assert index(library, [], options).interrupted
    assert set(seen) == {("normal", True)}
    info = parsed(invoke("info", "--library", place, "--json"))
    assert info["quality"] == "normal"
    assert info["switching"] == {"profile": str(sharp), "quality": "high", "encoded": 4}
    words = invoke("info", "--library", place).stdout
    assert f"index --rebuild --profile {sharp} --quality high`" in words
    square(squares / "new.png", (255, 128, 0))  # meanwhile the library is used as ever
    assert parsed(invoke("index", "--library", place, "--json"))["quality"] == "normal"
    # The quality need not be named again.
    report = parsed(invoke("index", "--rebuild", "--library", place, "--json"))
    assert (report["quality"], report["updated"], report["lacking"]) == ("high", 5, 0)
    with Library.open(place) as library:
        assert library.profile.quality == HIGH
        assert set(library.catalog.encoders()) == {library.profile.encoder}
        assert (library.info().switching, library.info().encoded) == ("", 0)
        assert found(library)
        assert library.verify() == []


def test_readers_notice_another_quality(sharp: Path, squares: Path, tmp_path: Path) -> None:
    place = tmp_path / "library"
    made(place, sharp, squares)
    with Library.open(place) as reader:
        assert found(reader)
        with Library.open(place, quality=HIGH, switch=True) as library:
            index(library, [], Options(rebuild=True))
        file = next(place.glob("vectors-*.faiss"))
        reader.refresh()
        assert found(reader)
        assert next(place.glob("vectors-*.faiss")) == file  # it made no index of its own


def test_rebuilding_keeps_the_quality(
    sharp: Path, squares: Path, tmp_path: Path, invoke: Invoke
) -> None:
    place = tmp_path / "library"
    made(place, sharp, squares, "high")
    report = parsed(invoke("index", "--rebuild", "--library", place, "--json"))
    assert (report["quality"], report["updated"]) == ("high", 8)
    again = parsed(invoke("index", "--rebuild", "--library", place, "--json"))
    assert again["updated"] == 8


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_at_any_call_it_has_one_quality(
    step: int, tmp_path: Path, squares: Path, children: Children
) -> None:
    workplace = Workplace(tmp_path / "work", RUNGS["exact"])
    manifest = json.loads((workplace.profile / MANIFEST).read_text())
    manifest["image"]["sizes"] = {"high": [SIZE, LARGER]}
    (workplace.profile / MANIFEST).write_text(json.dumps(manifest))
    workplace.index([squares])
    words = ["index", "--rebuild", "--quality", "high", "--batch-size", "3", "--jobs", "1"]
    kills = Kills(children, workplace.library, words)
    assert kills.run(0) == 0
    assert kills.calls > 40
    qualities = set()
    for at in range(1, kills.calls + 1, step):
        if kills.run(at) == 0:
            continue
        with Library.open(workplace.library) as library:
            qualities.add(library.profile.quality)
            assert set(library.catalog.encoders()) == {library.profile.encoder}, at
            assert found(library), at
        with Library.open(workplace.library, quality=HIGH, switch=True) as library:
            index(library, [], Options(rebuild=True))
        with Library.open(workplace.library) as library:
            assert library.profile.quality == HIGH
            assert found(library), at
            assert library.verify() == [], at
    assert NORMAL in qualities
