"""Switching the profile: the library answers with the old one until the new one is complete.

The two profiles know the same colours and words in different spaces. "red" finds the red square
with either, and never if texts of one are compared with photos of the other.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pixquery import Library
from pixquery.db.errors import ProfileMismatch
from pixquery.engine.profile import MANIFEST
from pixquery.indexer.build import Options, index
from tests.conftest import COLOURS, Invoke, parsed, square, write_profile
from tests.proofs.kills import HALF_A_WRITE, KILL, Kills
from tests.proofs.material import RUNGS, Children, Workplace


class Stop:
    """Ends a run after a number of photos, as Ctrl-C does."""

    def __init__(self, after: int) -> None:
        self._after = after
        self.totals: set[int] = set()

    def __call__(self, done: int, total: int) -> None:
        self.totals.add(total)
        if done >= self._after:
            raise KeyboardInterrupt


@pytest.fixture
def turned(tmp_path: Path) -> Path:
    """A profile with another encoder, in a rotated space: red texts of the other find green."""
    folder = write_profile(tmp_path / "turned", "turned")
    tensors = load_file(folder / "alignment.safetensors")
    save_file(
        {n: np.ascontiguousarray(np.roll(t, 1, -1)) for n, t in tensors.items()},
        folder / "alignment.safetensors",
    )
    _resealed(folder)
    return folder


def _resealed(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["files"]["alignment.safetensors"]
    (folder / MANIFEST).write_text(json.dumps(manifest))


@pytest.fixture
def place(tmp_path: Path, squares: Path, colours: Path) -> Path:
    with Library.open(tmp_path / "library", create=True, profile=str(colours)) as library:
        index(library, [squares])
    return tmp_path / "library"


def begin(place: Path, profile: Path, roots: list[Path], after: int) -> Stop:
    """Starts a switch that is interrupted after a number of photos."""
    stop = Stop(after)
    with Library.open(place, profile=str(profile), switch=True) as library:
        report = index(library, roots, Options(rebuild=True, batch_size=2, progress=stop))
    assert report.interrupted
    return stop


def found(library: Library) -> dict[str, str]:
    return {colour: library.search(colour, k=1).hits[0].path.stem for colour in COLOURS}


RIGHT = {colour: colour for colour in COLOURS}


def test_an_interrupted_switch_answers_as_before_and_resumes(
    place: Path, squares: Path, turned: Path
) -> None:
    begin(place, turned, [squares], after=4)
    with Library.open(place) as library:
        assert library.profile.name == "colours"
        assert found(library) == RIGHT
        info = library.info()
        assert (info.switching, info.encoded) == (str(turned), 4)
        assert library.verify() == []
    done = Stop(100)
    with Library.open(place, switch=True) as library:  # the profile need not be named again
        report = index(library, [squares], Options(rebuild=True, progress=done))
        assert (report.lacking, report.updated, done.totals) == (0, 4, {4})
        assert found(library) == RIGHT
    with Library.open(place) as library:
        assert library.profile.name == "turned"
        assert found(library) == RIGHT
        assert (library.info().switching, library.info().encoded) == ("", 0)
        assert library.verify() == []
    assert len(list(place.glob("vectors-*.faiss"))) == 1


def test_readers_find_everything_while_photos_are_encoded_again(
    place: Path, squares: Path, turned: Path
) -> None:
    answers = []

    def ask(done: int, total: int) -> None:
        with Library.open(place) as reader:
            answers.append((reader.profile.name, found(reader) == RIGHT))

    with Library.open(place, profile=str(turned), switch=True) as library:
        index(library, [squares], Options(rebuild=True, batch_size=2, progress=ask))
        assert found(library) == RIGHT
    assert len(answers) >= 5
    assert set(answers) == {("colours", True)}


def test_a_reader_never_mixes_two_profiles(place: Path, squares: Path, turned: Path) -> None:
    with Library.open(place) as early, Library.open(place) as late:
        assert found(early) == RIGHT  # the vectors of the old profile are loaded
        with Library.open(place, profile=str(turned), switch=True) as library:
            index(library, [squares], Options(rebuild=True))
        assert found(early) == RIGHT
        with pytest.raises(ProfileMismatch, match="turned"):
            late.search("red")
        square(squares / "new.png", (200, 20, 20))
        with Library.open(place) as library:
            index(library, [squares])
        with pytest.raises(ProfileMismatch, match="open it again"):
            early.refresh()
    with Library.open(place) as library:
        assert found(library) == RIGHT
        assert library.verify() == []


def test_a_library_opened_to_be_switched_answers_nothing_before(place: Path, turned: Path) -> None:
    with (
        Library.open(place, profile=str(turned), switch=True) as library,
        pytest.raises(ProfileMismatch),
    ):
        library.search("red")
    with Library.open(place) as library:
        assert found(library) == RIGHT


def test_a_new_alignment_needs_no_photo_encoded(
    place: Path, squares: Path, colours: Path, tmp_path: Path
) -> None:
    trained = shutil.copytree(colours, tmp_path / "trained")
    tensors = load_file(trained / "alignment.safetensors")
    save_file(
        {n: np.ascontiguousarray(np.roll(t, 1, -1)) for n, t in tensors.items()},
        trained / "alignment.safetensors",
    )
    _resealed(trained)
    done = Stop(100)
    with Library.open(place, profile=str(trained), switch=True) as library:
        report = index(library, [squares], Options(rebuild=True, progress=done))
        assert (report.lacking, report.updated, done.totals) == (0, 0, {0})
        assert found(library) == RIGHT
    with Library.open(place) as library:
        assert library.profile.folder == trained.resolve()
        assert found(library) == RIGHT
        assert library.info().encoded == 0
        # Nothing is left that another rebuild could take for its own.
        assert index(library, [squares], Options(rebuild=True)).updated == 8


def test_what_changes_during_a_switch_is_right_before_and_after(
    place: Path, squares: Path, turned: Path, colours: Path
) -> None:
    begin(place, turned, [squares], after=8)  # all, but stopped before the switch
    square(next(squares.rglob("red.*")), "blue")  # the old profile sees it at the next indexing
    square(squares / "new.png", (250, 5, 5))
    with Library.open(place) as library:
        assert library.profile.name == "colours"
        index(library, [squares])
        assert library.search("red", k=1).hits[0].path.stem == "new"
    done = Stop(100)
    with Library.open(place, profile=str(turned), switch=True) as library:
        index(library, [squares], Options(rebuild=True, progress=done))
        assert done.totals == {2}  # the earlier run encoded the others
        assert library.search("red", k=1).hits[0].path.stem == "new"
        assert {hit.path.stem for hit in library.search("blue", k=2).hits} == {"red", "blue"}
        assert library.verify() == []


def test_a_third_profile_starts_from_the_beginning(
    place: Path, squares: Path, turned: Path, tints: Path
) -> None:
    begin(place, turned, [squares], after=4)
    done = Stop(100)
    with Library.open(place, profile=str(tints), switch=True) as library:
        index(library, [squares], Options(rebuild=True, progress=done))
        assert done.totals == {8}
        assert found(library) == RIGHT
    with Library.open(place) as library:
        assert library.profile.name == "tints"
        assert library.verify() == []


def test_photos_out_of_reach_keep_a_library_from_switching(
    place: Path, tmp_path: Path, turned: Path, invoke: Invoke
) -> None:
    disk = square(tmp_path / "disk" / "crimson.png", (220, 20, 60)).parent
    with Library.open(place) as library:
        index(library, [disk])
    disk.rename(tmp_path / "unplugged")
    switch = ("index", "--rebuild", "--profile", turned, "--library", place)
    failed = invoke(*switch)
    assert failed.exit_code == 1
    assert "1 photo" in failed.stderr
    with Library.open(place) as library:
        assert (library.profile.name, len(library)) == ("colours", 9)
        assert found(library) == RIGHT
    told = invoke("info", "--library", place)
    assert f"--rebuild --profile {turned}" in told.stdout
    assert parsed(invoke("info", "--library", place, "--json"))["switching"] == {
        "profile": str(turned),
        "quality": "normal",
        "encoded": 8,
    }
    (tmp_path / "unplugged").rename(disk)
    assert invoke(*switch).exit_code == 0
    with Library.open(place) as library:
        assert (library.profile.name, len(library)) == ("turned", 9)
        assert library.verify() == []


def test_a_profile_rebuilt_from_other_models_finds_nothing_wrong(
    place: Path, squares: Path, colours: Path, tmp_path: Path, invoke: Invoke
) -> None:
    profile = shutil.copytree(colours, tmp_path / "profile")
    with Library.open(place, profile=str(profile), switch=True) as library:
        index(library, [squares], Options(rebuild=True))
    manifest = json.loads((profile / MANIFEST).read_text())
    manifest["image"]["source_sha256"] = "f" * 64
    (profile / MANIFEST).write_text(json.dumps(manifest))
    told = invoke("query", "red", "--library", place)
    assert told.exit_code == 1
    assert f"pixquery index --library {place}" in told.stderr
    assert parsed(invoke("index", "--library", place, "--json"))["updated"] == 8
    with Library.open(place) as library:
        assert found(library) == RIGHT
        assert library.verify() == []


# -- whatever happens --------------------------------------------------------------------------


@pytest.mark.parametrize("way", [KILL, HALF_A_WRITE])
@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_a_switch_killed_at_any_call_leaves_one_whole_profile(
    way: int, step: int, tmp_path: Path, squares: Path, turned: Path, children: Children
) -> None:
    workplace = Workplace(tmp_path / "work", RUNGS["exact"])
    workplace.index([squares])
    words = ["index", "--rebuild", "--profile", str(turned), "--batch-size", "3", "--jobs", "1"]
    kills = Kills(children, workplace.library, words)
    assert kills.run(0) == 0
    assert kills.calls > 40
    kept, names = 0, set()
    for at in range(1, kills.calls + 1, step):
        if kills.run(at, way) == 0:
            continue  # this call cannot be cut in half
        with Library.open(workplace.library) as library:
            names.add(library.profile.name)
            assert found(library) == RIGHT, at
            kept += library.info().encoded
        with Library.open(workplace.library, profile=str(turned), switch=True) as library:
            index(library, [], Options(rebuild=True))
        with Library.open(workplace.library) as library:
            assert library.profile.name == "turned"
            assert found(library) == RIGHT, at
            assert library.verify() == [], at
    assert names == {"colours", "turned"}  # some were killed before the change, some after
    assert kept  # and a switch killed before it resumes
