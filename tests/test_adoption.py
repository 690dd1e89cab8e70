"""Another relevance for a library, without a photo being encoded."""

import json
import shutil
from pathlib import Path

import pytest

from pixquery import Library
from pixquery.db.errors import ProfileError, ProfileMismatch
from pixquery.engine.adoption import same_vectors, use
from pixquery.engine.profile import MANIFEST, load_profile
from tests.conftest import Invoke, sentence, write_profile


@pytest.fixture
def steep(colours: Path, tmp_path: Path) -> Path:
    """The colour profile with another regressor."""
    folder = shutil.copytree(colours, tmp_path / "steep")
    other = write_profile(tmp_path / "other", "other", relevance="steep")
    manifest = json.loads((folder / MANIFEST).read_text())
    theirs = json.loads((other / MANIFEST).read_text())
    name = theirs["relevance"]
    shutil.copy(other / name, folder / name)
    manifest["name"], manifest["files"][name] = "steep", theirs["files"][name]
    manifest |= {key: theirs[key] for key in ("relevance", "regressor") if key in theirs}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


def relevances(folder: Path) -> list[float]:
    with Library.open(folder) as library:
        return [round(hit.relevance or 0, 4) for hit in library.search("red", k=8).hits]


def test_only_the_relevance_changes(place: Path, steep: Path, colours: Path) -> None:
    before = relevances(place)
    vectors = {file.name for file in place.glob("vectors-*")}
    with Library.open(place) as library:
        encoders = library.catalog.encoders()
        assert use(library, str(steep)) == str(colours)
    assert relevances(place) != before
    with Library.open(place) as library:
        assert (library.profile.name, library.catalog.encoders()) == ("steep", encoders)
        assert library.verify() == []
        assert {file.name for file in place.glob("vectors-*")} == vectors  # not even these
        use(library, str(colours))
    assert relevances(place) == before


def test_other_vectors_are_refused(place: Path, tints: Path, invoke: Invoke) -> None:
    with Library.open(place) as library:
        with pytest.raises(ProfileMismatch, match="index --rebuild --profile"):
            use(library, str(tints))
        assert not same_vectors(load_profile(str(tints)), library.profile)
    done = invoke("models", "use", tints, "--library", place)
    assert done.exit_code == 1
    assert "more than their relevance" in sentence(done.stderr)
    assert invoke("models", "use", "nonsense", "--library", place).exit_code == 1


def test_a_switch_that_was_begun_comes_first(place: Path, steep: Path, tints: Path) -> None:
    with Library.open(place, profile=str(tints), switch=True) as library, library.writing():
        library.encode_anew()
    with Library.open(place) as library, pytest.raises(ProfileMismatch, match="being switched"):
        use(library, str(steep))


def test_a_damaged_profile_is_not_adopted(place: Path, steep: Path) -> None:
    name = json.loads((steep / MANIFEST).read_text())["relevance"]
    (steep / name).write_bytes(b"nothing")
    with Library.open(place) as library, pytest.raises(ProfileError):
        use(library, str(steep))
    assert relevances(place)


def test_a_library_with_concepts(place: Path, steep: Path, squares: Path) -> None:
    from pixquery import teach

    photos = [next(squares.rglob(f"{name}.*")) for name in ("magenta", "blue")]
    with Library.open(place) as library:
        teach(library, "berry", photos)
        before = [hit.path for hit in library.search("berry", k=2).hits]
        use(library, str(steep))
    with Library.open(place) as library:
        assert [hit.path for hit in library.search("berry", k=2).hits] == before
