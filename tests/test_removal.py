"""`models remove`: an added profile goes, and nothing else does."""

import shutil
from pathlib import Path

import pytest

from pixquery.db.errors import StorageFailed
from pixquery.engine.profile import names
from pixquery.engine.removal import remove
from pixquery.engine.runtime import cache_folder
from tests.conftest import Invoke, parsed, sentence, write_profile


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of added profiles with one, `mine`."""
    monkeypatch.setenv("PIXQUERY_PROFILES", str(tmp_path / "profiles"))
    write_profile(tmp_path / "profiles" / "mine", "mine")
    return tmp_path / "profiles"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder without a library."""
    return tmp_path / "none"


def test_a_profile_is_removed(added: Path, elsewhere: Path, invoke: Invoke) -> None:
    write_profile(added / "other", "other")
    size = sum(file.stat().st_size for file in (added / "mine").iterdir())
    done = invoke("models", "remove", "mine", "--library", elsewhere, "--json")
    assert parsed(done) == {"profile": "mine", "folder": str(added / "mine"), "bytes": size}
    assert [folder.name for folder in added.iterdir()] == ["other"]
    again = invoke("models", "remove", "other", "--library", elsewhere)
    assert again.stdout == f"removed other: 0 MB in {added / 'other'}\n"
    assert not list(added.iterdir())
    assert not elsewhere.exists()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("lite2-minilm", "lite2-minilm comes with pixquery and cannot be removed"),
        ("nothing", "no profile 'nothing' was added: choose one of mine"),
        ("MINE", "no profile 'MINE' was added"),
        ("", "no profile '' was added"),
        ("..", "no profile '..' was added"),
        ("./mine", "./mine is not the name of a profile"),
        ("../profiles/mine", "is not the name of a profile: `pixquery models list` shows"),
        ("FOLDER", "and a folder of your own is yours to delete"),
    ],
)
def test_what_is_not_the_name_of_an_added_profile_is_refused(
    name: str, why: str, added: Path, elsewhere: Path, invoke: Invoke
) -> None:
    name = name.replace("FOLDER", str(added / "mine"))
    done = invoke("models", "remove", name, "--library", elsewhere)
    assert done.exit_code == 1
    assert why in sentence(done.stderr)
    assert (added / "mine" / "text.onnx").is_file()
    assert "lite2-minilm" in names()


def test_there_may_be_no_added_profile(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke
) -> None:
    monkeypatch.setenv("PIXQUERY_PROFILES", str(tmp_path / "missing"))
    done = invoke("models", "remove", "mine", "--library", elsewhere)
    assert "no profile 'mine' was added: only profiles that were can be removed" in done.stderr


def test_a_damaged_profile_can_be_removed(added: Path, elsewhere: Path) -> None:
    (added / "mine" / "manifest.json").write_text("{")
    assert remove("mine", elsewhere).name == "mine"
    assert not (added / "mine").exists()


def test_a_library_keeps_its_profile(
    added: Path, tmp_path: Path, squares: Path, colours: Path, invoke: Invoke
) -> None:
    library = tmp_path / "my library"
    assert invoke("index", squares, "--library", library, "--profile", "mine").exit_code == 0
    done = invoke("models", "remove", "mine", "--library", library)
    assert done.exit_code == 1
    assert sentence(done.stderr) == (
        f"pixquery: the library {library} uses the profile mine: switch it to another one first, "
        f"with `pixquery index --rebuild --profile lite2-minilm --library '{library}'`\n"
    )
    assert (added / "mine").is_dir()
    switched = invoke("index", "--rebuild", "--profile", colours, "--library", library)
    assert switched.exit_code == 0, switched.output
    assert invoke("models", "remove", "mine", "--library", library).exit_code == 0
    assert not (added / "mine").exists()


def test_a_switch_that_was_interrupted_keeps_it_too(added: Path, place: Path) -> None:
    from pixquery import Library

    with Library.open(place, profile="mine", switch=True) as library, library.writing():
        library.encode_anew()
    with pytest.raises(Exception, match="uses the profile mine"):
        remove("mine", place)
    assert (added / "mine").is_dir()


def test_links_are_not_followed(added: Path, tmp_path: Path, elsewhere: Path) -> None:
    theirs = write_profile(tmp_path / "theirs", "theirs")
    (added / "linked").symlink_to(theirs, target_is_directory=True)
    with pytest.raises(Exception, match="the profile linked is a link"):
        remove("linked", elsewhere)
    (added / "mine" / "more").symlink_to(theirs, target_is_directory=True)
    (added / "mine" / "image.onnx").unlink()
    (added / "mine" / "image.onnx").symlink_to(theirs / "image.onnx")
    remove("mine", elsewhere)
    assert not (added / "mine").exists()
    assert len(list(theirs.iterdir())) == 6


def test_what_a_killed_removal_left_is_deleted_by_the_next(added: Path, elsewhere: Path) -> None:
    shutil.copytree(added / "mine", added / ".removed-0123456789abcdef" / "theirs")
    remove("mine", elsewhere)
    assert not list(added.iterdir())


def test_a_removal_that_is_killed_leaves_no_half_profile(
    added: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shutil, "rmtree", killed)
        remove("mine", elsewhere)
    assert names() == ["lite2-minilm"]
    with pytest.raises(Exception, match="no profile 'mine' was added"):
        remove("mine", elsewhere)
    assert not list(added.iterdir())


def test_a_folder_that_cannot_be_moved_stays(
    added: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StorageFailed, match=r"cannot be moved \(Permission denied\)"):
        remove("mine", elsewhere)
    assert (added / "mine" / "manifest.json").is_file()
    assert [folder.name for folder in added.iterdir()] == ["mine"]


def test_its_compiled_models_go_unless_another_profile_has_the_same(
    added: Path, elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, squares: Path,
    invoke: Invoke,
) -> None:  # fmt: skip
    monkeypatch.setenv("PIXQUERY_CACHE", str(tmp_path / "cache"))
    for name in ("mine", "twin"):
        if name == "twin":
            shutil.copytree(added / "mine", added / "twin")
        done = invoke("index", squares, "--library", tmp_path / name, "--profile", name)
        assert done.exit_code == 0, done.output
    compiled = len(list(cache_folder().glob("*.blob")))
    assert compiled >= 2
    remove("mine", elsewhere)
    assert len(list(cache_folder().glob("*.blob"))) == compiled
    remove("twin", elsewhere)
    assert not list(cache_folder().glob("*.blob"))
