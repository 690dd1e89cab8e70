"""Copies go to the system's trash, where each is found again; nothing is ever deleted."""

import configparser
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from pixquery import Library, StorageFailed
from pixquery.engine.answers import Duplicates
from pixquery.engine.trash import trash
from tests.conftest import REPOSITORY, Invoke, parsed, square

if sys.platform != "linux":
    pytest.skip("the trash is read as Linux desktops keep it", allow_module_level=True)

TIME = 1_700_000_000


@pytest.fixture
def bin_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty trash, which send2trash finds when it is imported."""
    _forget()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    yield tmp_path / "data" / "Trash"
    _forget()


def _forget() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "send2trash"]:
        del sys.modules[name]


@pytest.fixture
def photos(tmp_path: Path, colours: Path, invoke: Invoke) -> Path:
    """A best photo, two equal ones with odd names, and a smaller one of the same picture."""
    folder = tmp_path / "photos"
    best = square(folder / "best.png", "red", (48, 32))
    for number, name in enumerate(("copy.png", os.fsdecode(b"two\nlines \xff.png")), 1):
        shutil.copy(best, folder / name)
        os.utime(folder / name, (TIME + number, TIME + number))
    os.utime(best, (TIME, TIME))
    square(folder / "small.png", "red", (24, 16))
    done = invoke("index", folder, "--library", tmp_path / "library", "--profile", colours)
    assert done.exit_code == 0, done.output
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


EVERYTHING = ["best.png", "copy.png", "small.png", os.fsdecode(b"two\nlines \xff.png")]


def contents(bin_: Path) -> dict[str, bytes]:
    """Where each file of the trash was, and its bytes."""
    found = {}
    for file in (bin_ / "files").iterdir():
        note = configparser.RawConfigParser()
        note.read_string((bin_ / "info" / f"{file.name}.trashinfo").read_text("utf-8"))
        where = unquote(note["Trash Info"]["Path"], errors="surrogateescape")
        found[where] = file.read_bytes()
    return found


def found_in(photos: Path, threshold: float = 1) -> Duplicates:
    with Library.open(photos.parent / "library") as library:
        return library.duplicates(threshold)


# -- the command ------------------------------------------------------------------------------


def test_equal_files_go_to_the_trash(photos: Path, bin_: Path, invoke: Invoke) -> None:
    size, content = (photos / "best.png").stat().st_size, (photos / "best.png").read_bytes()
    asked = ("duplicates", "--library", photos.parent / "library", "--trash")
    dry = invoke(*asked, "--dry-run")
    assert (dry.exit_code, dry.stderr) == (0, "")
    assert dry.stdout.splitlines()[-1] == "2 photos (0.0 MB) would be moved to the trash"
    assert names(photos) == EVERYTHING
    assert not bin_.exists()
    done = invoke(*asked, "--yes", "--json")
    assert done.exit_code == 0, done.output
    answer = parsed(done)
    assert answer["trash"] == {
        "dry_run": False,
        "photos": 2,
        "bytes": 2 * size,
        "paths": [str(photos / "copy.png"), str(photos / EVERYTHING[3])],
        "left": [],
    }
    assert names(photos) == ["best.png", "small.png"]
    assert contents(bin_) == {str(photos / name): content for name in EVERYTHING[1::2]}
    again = invoke(*asked, "--yes")
    assert (again.exit_code, again.stdout) == (3, "")
    assert "2 photos are not there any more" in again.stderr
    assert "no duplicates" in again.stderr
    invoke("index", "--library", photos.parent / "library")
    again = invoke(*asked, "--yes")
    assert (again.exit_code, again.stderr.count("\n")) == (3, 1)


def test_near_copies_go_if_a_threshold_is_given(photos: Path, bin_: Path, invoke: Invoke) -> None:
    asked = ("duplicates", "--library", photos.parent / "library", "--trash", "--yes")
    done = invoke(*asked, "--threshold", "0.9")
    assert done.exit_code == 0, done.output
    assert done.stdout == "3 photos (0.0 MB) were moved to the trash\n"
    assert "`pixquery index --library" in done.stderr
    assert names(photos) == ["best.png"]
    assert len(contents(bin_)) == 3


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--trash"], "nobody can answer"),
        (["--dry-run"], "belong to --trash"),
        (["--yes"], "belong to --trash"),
        (["--trash", "--dry-run", "--yes"], "one of them"),
        (["--trash", "--yes", "--paths"], "one of them"),
    ],
)
def test_contradictions(words: list[str], why: str, photos: Path, invoke: Invoke) -> None:
    done = invoke("duplicates", "--library", photos.parent / "library", *words)
    assert done.exit_code == 2
    assert why in done.stderr
    assert names(photos) == EVERYTHING


@pytest.mark.skipif(os.name != "posix", reason="Windows has other terminals")
@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, 2), ("n", 1, 4), ("", 1, 4)])
def test_a_terminal_is_asked(answer: str, code: int, left: int, photos: Path, bin_: Path) -> None:
    import pty  # Windows has none

    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, REPOSITORY / "cli.py", "duplicates", "--trash",
         "--library", photos.parent / "library"],
        stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    os.write(ours, f"{answer}\n".encode())
    _, stderr = child.communicate(timeout=120)
    os.close(ours)
    os.close(theirs)
    assert child.returncode == code, stderr
    assert b"Move 2 photos (0.0 MB; 2 equal to the kept one, 0 near copies)" in stderr
    assert len(names(photos)) == left
    assert ("best.png" in names(photos), bin_.exists()) == (True, code == 0)


def test_other_commands_do_not_load_it(photos: Path) -> None:
    program = (
        "import sys; from pixquery.commands.entry import main; "
        "main(sys.argv[1:], standalone_mode=False); print('send2trash' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "duplicates", "--library", photos.parent / "library"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "False"


# -- between the answer and the trash -----------------------------------------------------------


def test_what_changed_since_is_left(photos: Path, bin_: Path) -> None:
    found = found_in(photos)
    (photos / "copy.png").unlink()
    (photos / EVERYTHING[3]).touch()
    fates = list(trash(found))
    assert [(fate.left, fate.failed) for fate in fates] == [
        ("is not there", False),
        ("changed since it was indexed", False),
    ]
    assert not bin_.exists()


@pytest.mark.parametrize("loss", ["deleted", "edited", "edited, time restored", "replaced"])
def test_without_the_kept_photo_its_copies_stay(loss: str, photos: Path, bin_: Path) -> None:
    found = found_in(photos)
    best = photos / "best.png"
    content = bytearray(best.read_bytes())
    if loss == "replaced":
        shutil.copy2(best, photos / "new")
        (photos / "new").rename(best)
    elif loss == "deleted":
        best.unlink()
    else:
        content[-1] ^= 1
        best.write_bytes(content)
        if loss != "edited":
            os.utime(best, (TIME, TIME))
    fates = list(trash(found))
    assert all(str(best) in fate.left for fate in fates)
    assert len(fates) == 2
    assert not bin_.exists()
    assert len(names(photos)) == 4 - (loss == "deleted")


def test_a_copy_that_became_a_link_to_the_kept_photo(photos: Path, bin_: Path) -> None:
    found = found_in(photos)
    (photos / "copy.png").unlink()
    (photos / "copy.png").symlink_to("best.png")
    (photos / EVERYTHING[3]).unlink()
    os.link(photos / "best.png", photos / EVERYTHING[3])
    assert all(fate.left for fate in trash(found))
    assert not bin_.exists()
    assert len(names(photos)) == 4


def test_it_stops_if_a_copy_takes_the_kept_photo_along(
    photos: Path, bin_: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So would two mounts of one folder over a network that number its files differently."""
    import send2trash

    move = send2trash.send2trash

    def both(path: str) -> None:
        move(path)
        (photos / "best.png").unlink()

    found = found_in(photos)
    monkeypatch.setattr(send2trash, "send2trash", both)
    fates = trash(found)
    assert not next(fates).left
    with pytest.raises(
        StorageFailed, match=r"best\.png was lost when .*copy\.png went to the trash"
    ):
        next(fates)
    assert EVERYTHING[3] in names(photos)
    assert list(contents(bin_)) == [str(photos / "copy.png")]


def test_ctrl_c_tells_what_was_moved(photos: Path, bin_: Path) -> None:
    program = (
        "import send2trash, sys; from pixquery.commands.entry import main\n"
        "move = send2trash.send2trash\n"
        "def once(path):\n"
        "    if names: raise KeyboardInterrupt\n"
        "    names.append(path); move(path)\n"
        "names = []; send2trash.send2trash = once; main(sys.argv[1:], prog_name='pixquery')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "duplicates", "--trash", "--yes", "--library",
         photos.parent / "library"],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 130
    assert done.stdout == "1 photo (0.0 MB) was moved to the trash\n"
    assert done.stderr.splitlines()[-1] == "pixquery: interrupted"
    assert names(photos) == ["best.png", "small.png", EVERYTHING[3]]


# -- other disks --------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, for those who may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "none", disk], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("nothing can be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.fixture
def away(disk: Path, tmp_path: Path, colours: Path, invoke: Invoke) -> Path:
    """Two equal photos on another disk."""
    folder = disk / "photos"
    square(folder / "best.png", "red")
    os.utime(folder / "best.png", (TIME, TIME))
    shutil.copy(folder / "best.png", folder / "copy.png")
    done = invoke("index", folder, "--library", tmp_path / "library", "--profile", colours)
    assert done.exit_code == 0, done.output
    return folder


@pytest.mark.skipif(os.name != "posix", reason="a trash as XDG has it")
def test_the_trash_of_another_disk(away: Path, bin_: Path) -> None:
    with Library.open(bin_.parent.parent / "library") as library:
        (fate,) = trash(library.duplicates(1))
    assert not fate.left
    assert names(away) == ["best.png"]
    own = away.parent / f".Trash-{os.getuid()}"
    assert list(contents(own)) == ["photos/copy.png"]
    assert not bin_.exists()


@pytest.mark.skipif(os.name != "posix", reason="a trash as XDG has it")
def test_a_disk_without_a_trash_keeps_its_photos(
    away: Path, bin_: Path, tmp_path: Path, invoke: Invoke
) -> None:
    (away.parent / f".Trash-{os.getuid()}").write_bytes(b"no folder")
    done = invoke("duplicates", "--library", tmp_path / "library", "--trash", "--yes")
    assert done.exit_code == 1
    assert done.stdout == "0 photos (0.0 MB) were moved to the trash; 1 photo was left\n"
    assert f"pixquery: left {away / 'copy.png'}: " in done.stderr
    assert "Traceback" not in done.stderr
    assert names(away) == ["best.png", "copy.png"]


def test_a_disk_that_cannot_be_written(
    away: Path, bin_: Path, tmp_path: Path, invoke: Invoke
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", away.parent], check=True)
    done = invoke("duplicates", "--library", tmp_path / "library", "--trash", "--yes", "--json")
    assert done.exit_code == 1
    (left,) = json.loads(done.stdout)["trash"]["left"]
    assert (left["path"], left["failed"]) == (str(away / "copy.png"), True)
    assert names(away) == ["best.png", "copy.png"]
