"""The user's folders, also of a user whom the system does not know."""

import os
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from pixquery.db.errors import LibraryNotFound
from pixquery.engine.home import NOWHERE, chosen_folder, expanded, library_folder, user_folder


@pytest.mark.skipif(os.name != "posix", reason="Windows has other users")
def test_the_home_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/photos") == tmp_path / "photos"
    assert expanded(Path("~")) == tmp_path
    import pwd

    user = pwd.getpwuid(os.getuid())
    assert expanded(f"~{user.pw_name}/x") == Path(user.pw_dir, "x")
    assert expanded("a/~/b") == Path("a/~/b")


def test_an_unknown_home_is_left_as_it_is() -> None:
    assert expanded("~nobody-of-this-name/x") == Path("~nobody-of-this-name/x")


def test_a_folder_below_the_home_of_nobody_is_nowhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It would otherwise appear in the current folder, as `~nobody`."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert chosen_folder("~/cache") == tmp_path / "cache"
    assert chosen_folder("cache") == tmp_path / "cache"
    assert chosen_folder("~nobody-of-this-name/cache") == NOWHERE


def test_the_users_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_folder(user_cache_path, "pixquery") == user_cache_path("pixquery", appauthor=False)


def homeless(name: str, *, appauthor: bool) -> Path:
    raise KeyError("getpwuid(): uid not found: 54321")


def unexpanded(name: str, *, appauthor: bool) -> Path:
    return Path("~/.cache") / name


def test_without_a_home_nothing_is_there_and_nothing_can_be_put_there() -> None:
    for find in (homeless, unexpanded):
        assert user_folder(find, "pixquery") == NOWHERE
    assert not NOWHERE.exists()
    with pytest.raises(OSError):
        NOWHERE.mkdir(parents=True)


def test_a_librarys_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert library_folder("~/photos") == library_folder("photos") == tmp_path / "photos"
    for nowhere in ("~nobody-of-this-name/x", NOWHERE):
        with pytest.raises(LibraryNotFound, match="--library DIR"):
            library_folder(nowhere)
