"""The user's folders, also of a user whom the system does not know."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from pixquery.engine.home import NOWHERE, expanded, user_folder
from tests.conftest import REPOSITORY


def test_the_home_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/photos") == tmp_path / "photos"
    assert expanded(Path("~")) == tmp_path
    user = pwd.getpwuid(os.getuid())
    assert expanded(f"~{user.pw_name}/x") == Path(user.pw_dir, "x")
    assert expanded("a/~/b") == Path("a/~/b")


def test_an_unknown_home_is_left_as_it_is() -> None:
    assert expanded("~nobody-of-this-name/x") == Path("~nobody-of-this-name/x")


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


@pytest.mark.skipif(not hasattr(os, "setuid") or os.getuid() != 0, reason="needs root")
def test_a_user_whom_the_system_does_not_know() -> None:
    """As in a container that is started with ``--user 54321``."""
    code = (
        "import os; os.setgid(54321); os.setuid(54321); from platformdirs import user_cache_path\n"
        "from pixquery.engine.home import NOWHERE, expanded, user_folder\n"
        "print(user_folder(user_cache_path, 'pixquery') == NOWHERE, expanded('~/x'))"
    )
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout == "True ~/x\n", done.stderr
