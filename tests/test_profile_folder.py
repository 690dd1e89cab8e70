"""A profile that is being made is complete, or not there."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pixquery.db.errors import BadData
from pixquery.engine.profile import MANIFEST, load_profile
from pixquery.trainer.profile_folder import moved_when_done, write_manifest
from tests.conftest import REPOSITORY


def test_a_manifest_holds_what_lies_beside_it(colours: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(colours, tmp_path / "copy")
    manifest = json.loads((copy / MANIFEST).read_text())
    wanted = manifest.pop("files")
    (copy / MANIFEST).unlink()
    write_manifest(copy, manifest)
    assert json.loads((copy / MANIFEST).read_text())["files"] == wanted
    load_profile(str(copy)).check()


def test_a_profile_that_is_there_is_replaced_at_once(colours: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for version in ("first", "second"):
        with moved_when_done(out) as folder:
            shutil.copytree(colours, folder, dirs_exist_ok=True)
            (folder / "version").write_text(version)
            assert not out.exists() or (out / "version").read_text() == "first"
        assert (out / "version").read_text() == version
        assert list(tmp_path.iterdir()) == [out]
    with pytest.raises(KeyError), moved_when_done(out) as folder:
        raise KeyError
    assert (out / "version").read_text() == "second"
    assert list(tmp_path.iterdir()) == [out]


def test_what_is_no_profile_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("keep me")
    with pytest.raises(BadData, match="choose another"), moved_when_done(tmp_path):
        pytest.fail("it would be replaced")
    assert (tmp_path / "precious.txt").read_text() == "keep me"


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = (
        "import sys; from pathlib import Path; "
        "from pixquery.trainer.profile_folder import moved_when_done\n"
        "with moved_when_done(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'part').write_text('half'); print('begun', flush=True); sys.stdin.read()"
    )

    def begin() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(out)], cwd=REPOSITORY, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        return process

    killed = begin()
    killed.kill()
    assert killed.wait() != 0
    killed.communicate()
    (left,) = tmp_path.iterdir()
    other = tmp_path / ".out-which-is-mine"
    other.mkdir()
    working = begin()  # at the same time as the next
    assert not left.exists()
    try:
        with moved_when_done(out) as folder:
            (folder / MANIFEST).write_text("whole")
    finally:
        working.communicate("")
    assert working.returncode == 0
    assert sorted(tmp_path.iterdir()) == [other, out]
