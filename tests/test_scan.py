"""What lies under a root, and what changed."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import BadRoot
from db.records import FileState, KnownFile, Skipped
from indexer.scan import SUFFIXES, Scan, compare, roots_of, scan


def plant(root: Path, *names: str) -> None:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())


def names(found: Scan, root: Path) -> set[str]:
    return {os.path.relpath(path, root) for path in found.files}


def test_photos_are_known_by_their_suffix_in_any_case(tmp_path: Path) -> None:
    plant(tmp_path, *(f"a{suffix}" for suffix in SUFFIXES), "B.JPG", "c.Png", "d.txt", "jpg", "e")
    assert names(scan(tmp_path), tmp_path) == {f"a{s}" for s in SUFFIXES} | {"B.JPG", "c.Png"}


def test_size_and_time_are_those_of_the_file(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg")
    os.utime(tmp_path / "a.jpg", ns=(0, 1_234_567_890_123_456_789))
    (state,) = scan(tmp_path).files.values()
    assert state.size == 5
    assert state.mtime_ns == (tmp_path / "a.jpg").stat().st_mtime_ns


def test_folders_are_walked_to_the_bottom(tmp_path: Path) -> None:
    deep = "/".join(["d"] * 60) + "/a.png"
    plant(tmp_path, deep, "b/c.png", "named.jpg/inside.png")
    assert names(scan(tmp_path), tmp_path) == {deep, "b/c.png", "named.jpg/inside.png"}


@pytest.mark.parametrize("folder", [".git", ".Trash", "@eaDir", "__MACOSX", "$RECYCLE.BIN"])
def test_hidden_and_system_folders_are_passed_over(folder: str, tmp_path: Path) -> None:
    plant(tmp_path, f"{folder}/a.png", ".hidden.png", "b.png")
    assert names(scan(tmp_path), tmp_path) == {"b.png"}


def test_links_are_passed_over_and_loops_end(tmp_path: Path) -> None:
    plant(tmp_path, "a/b.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "c.png").symlink_to(tmp_path / "a" / "b.png")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nothing.png")
    assert names(scan(tmp_path), tmp_path) == {"a/b.png"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are a thing of POSIX")
def test_pipes_are_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")  # reading it would wait for ever
    assert not scan(tmp_path).files


@pytest.mark.parametrize(
    ("globs", "left"),
    [
        ((), {"a.png", "b.tmp.png", "sub/a.png", "sub/deep/c.png"}),
        (("*.tmp.png",), {"a.png", "sub/a.png", "sub/deep/c.png"}),
        (("a.png",), {"b.tmp.png", "sub/deep/c.png"}),
        (("sub",), {"a.png", "b.tmp.png"}),
        (("sub/a.png",), {"a.png", "b.tmp.png", "sub/deep/c.png"}),
        (("deep", "b*"), {"a.png", "sub/a.png"}),
        (("*",), set()),
    ],
)
def test_exclude(globs: tuple[str, ...], left: set[str], tmp_path: Path) -> None:
    plant(tmp_path, "a.png", "b.tmp.png", "sub/a.png", "sub/deep/c.png")
    assert names(scan(tmp_path, globs), tmp_path) == left


def test_a_folder_that_vanished_is_closed_and_not_empty(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert scan(gone) == Scan(
        {}, (Skipped(gone, "folder cannot be read (No such file or directory)"),)
    )


# -- roots ------------------------------------------------------------------------------------


def test_roots_are_absolute_and_none_lies_inside_another(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "ab").mkdir()
    given_ = [
        tmp_path / "a" / "b",
        tmp_path / "ab",
        tmp_path / "a",
        tmp_path / "a" / "." / "b" / "..",
    ]
    assert roots_of(given_) == [tmp_path / "a", tmp_path / "ab"]


def test_relative_roots_and_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert roots_of([Path("photos")]) == roots_of([Path("~/photos")]) == [tmp_path / "photos"]


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    plant(tmp_path, "a.png")
    with pytest.raises(BadRoot, match="does not exist"):
        roots_of([tmp_path, tmp_path / "none"])
    with pytest.raises(BadRoot, match="is a file"):
        roots_of([tmp_path / "a.png"])


# -- changes ----------------------------------------------------------------------------------

_paths = st.sampled_from(
    [Path(f"/r/{name}") for name in ("a.png", "b.png", "s/c.png", "s/t/d.png")]
)
_states = st.builds(FileState, st.integers(0, 2), st.integers(0, 2))
_known = st.builds(
    KnownFile, st.integers(1, 9), _states, st.just(b"x"), st.sampled_from(["", "broken"])
)


@given(
    files=st.dictionaries(_paths, _states),
    known=st.dictionaries(_paths, _known),
    closed=st.sets(st.sampled_from([Path("/r"), Path("/r/s"), Path("/r/s/t")])),
)
def test_every_file_is_told_exactly_once(
    files: dict[Path, FileState], known: dict[Path, KnownFile], closed: set[Path]
) -> None:
    files = {path: state for path, state in files.items() if closed.isdisjoint(path.parents)}
    found = Scan(files, tuple(Skipped(folder, "closed") for folder in closed))
    changes = compare(found, known)
    fresh = {path for path, _, _ in changes.fresh}
    same = {path for path in files if path in known and known[path].state == files[path]}
    assert fresh == files.keys() - same
    assert {skip.path for skip in changes.skipped} == {p for p in same if known[p].reason}
    assert changes.unchanged == len(same) - len(changes.skipped)
    hidden = {path for path in known if not closed.isdisjoint(path.parents)}
    assert changes.gone.keys() == known.keys() - files.keys() - hidden
    for path, state, before in changes.fresh:
        assert state == files[path]
        assert before == known.get(path)
