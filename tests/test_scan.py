"""The photos under a root, and what changed."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixquery.db.errors import BadRoot
from pixquery.db.records import FileState, KnownFile, Skipped
from pixquery.indexer.scan import (
    MANY,
    SUFFIXES,
    Scan,
    compare,
    out_of_reach,
    roots_of,
    scan,
    scan_roots,
)
from tests.conftest import names, plant


def test_photos_are_known_by_their_suffix_in_any_case(tmp_path: Path) -> None:
    plant(tmp_path, *(f"a{suffix}" for suffix in SUFFIXES), "B.JPG", "c.Png", "d.txt", "jpg", "e")
    assert names(scan(tmp_path), tmp_path) == {f"a{s}" for s in SUFFIXES} | {"B.JPG", "c.Png"}


def test_size_and_time_are_those_of_the_file(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg")
    os.utime(tmp_path / "a.jpg", ns=(0, 1_234_567_890_123_456_789))
    (state,) = scan(tmp_path).states.values()
    assert state.size == 5
    assert state.mtime_ns == (tmp_path / "a.jpg").stat().st_mtime_ns


def test_folders_are_walked_to_the_bottom(tmp_path: Path) -> None:
    deep = "/".join(["d"] * 60) + "/a.png"
    plant(tmp_path, deep, "b/c.png", "named.jpg/inside.png")
    assert names(scan(tmp_path), tmp_path) == {deep, "b/c.png", "named.jpg/inside.png"}


@pytest.mark.parametrize(
    "folder",
    [".git", ".Trash-1000", ".thumbnails", "@eaDir", "__MACOSX", "$RECYCLE.BIN", "#recycle",
     "System Volume Information"],
)  # fmt: skip
def test_hidden_and_system_folders_are_left_out(folder: str, tmp_path: Path) -> None:
    plant(tmp_path, f"{folder}/a.png", ".hidden.png", "b.png")
    assert names(scan(tmp_path), tmp_path) == {"b.png"}


def test_links_are_left_out_and_loops_end(tmp_path: Path) -> None:
    plant(tmp_path, "a/b.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "c.png").symlink_to(tmp_path / "a" / "b.png")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nothing.png")
    assert names(scan(tmp_path), tmp_path) == {"a/b.png"}


def test_links_are_followed_on_request(tmp_path: Path) -> None:
    root = tmp_path / "root"
    plant(root, "a/b.png", "d/e.png")
    plant(tmp_path, "outside/f.png", "outside/deep/g.png")
    (root / "0").symlink_to(root / "a", target_is_directory=True)  # a second way to b.png
    (root / "1.png").symlink_to(root / "d" / "e.png")
    (root / "a" / "up").symlink_to(root, target_is_directory=True)
    (root / "above").symlink_to(tmp_path, target_is_directory=True)
    (root / "all").symlink_to("/", target_is_directory=True)
    (root / "out").symlink_to(tmp_path / "outside", target_is_directory=True)
    (tmp_path / "outside" / "back").symlink_to(root, target_is_directory=True)
    (root / "self.png").symlink_to(root / "self.png")
    (root / "dangling.png").symlink_to(tmp_path / "nothing.png")
    scanned = scan(root, follow_links=True)
    assert names(scanned, root) == {"a/b.png", "d/e.png", "out/f.png", "out/deep/g.png"}
    assert scanned.linked == 1
    assert {skip.path.name for skip in scanned.closed} == {"self.png", "dangling.png"}
    assert names(scan(root, ("out",), follow_links=True), root) == {"a/b.png", "d/e.png"}


def test_hard_links_count_once_under_the_first_name(tmp_path: Path) -> None:
    plant(tmp_path, "b/c.png", "d.png")
    (tmp_path / "e.png").hardlink_to(tmp_path / "b" / "c.png")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "d.png").hardlink_to(tmp_path / "d.png")
    (tmp_path / "d.txt").hardlink_to(tmp_path / "d.png")
    scanned = scan(tmp_path)
    assert names(scanned, tmp_path) == {"d.png", "e.png"}
    assert scanned.linked == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes exist on POSIX only")
def test_pipes_are_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")  # reading it would block for ever
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


@pytest.mark.skipif(sys.platform != "linux", reason="Linux takes paths of up to 4,095 bytes")
def test_paths_too_long_are_reported_and_the_others_found(tmp_path: Path) -> None:
    plant(tmp_path, "a.png", "z.png")
    name = "n" * 200
    # Of one length wherever the tests run: its files must not be too deep before their folder is.
    top = tmp_path / ("t" * (201 - (len(str(tmp_path)) + 1) % 201))
    top.mkdir()
    there = os.open(top, os.O_RDONLY)
    length = len(str(top))
    while length < 4300:
        os.mkdir(name, dir_fd=there)
        inner = os.open(name, os.O_RDONLY, dir_fd=there)
        os.close(there)
        there, length = inner, length + 1 + len(name)
        for photo in ("0.png", "y" * (4095 - length - 5) + ".png"):  # the longest that can be had
            if 5 < len(photo) < 256 or photo == "0.png":
                os.close(os.open(photo, os.O_CREAT | os.O_WRONLY, dir_fd=there))
    os.close(there)
    scanned = scan(tmp_path)
    assert {"a.png", "z.png"} < names(scanned, tmp_path)
    assert max(len(path) for path in scanned.states) == 4095
    assert [skip.reason for skip in scanned.closed] == [
        "folder cannot be read (File name too long)"
    ]


def test_twins_in_other_unicode_forms_are_two_files(tmp_path: Path) -> None:
    try:
        plant(
            tmp_path,
            "caf\N{LATIN SMALL LETTER E WITH ACUTE}.png",
            "cafe\N{COMBINING ACUTE ACCENT}.png",
        )
    except OSError as error:
        pytest.skip(f"this file system refuses the name: {error}")
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system holds them for one")
    assert len(scan(tmp_path).states) == 2


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

_paths = st.sampled_from([f"/r/{name}" for name in ("a.png", "b.png", "s/c.png", "s/t/d.png")])
_states = st.builds(FileState, st.integers(0, 2), st.integers(0, 2))
_known = st.builds(
    KnownFile, st.integers(1, 9), _states, st.just(b"x"), st.sampled_from(["", "broken"])
)


@given(
    files=st.dictionaries(_paths, _states),
    known=st.dictionaries(_paths, _known),
    closed=st.sets(st.sampled_from([Path("/r"), Path("/r/s"), Path("/r/s/t")])),
)
def test_every_file_is_reported_exactly_once(
    files: dict[str, FileState], known: dict[str, KnownFile], closed: set[Path]
) -> None:
    files = {path: state for path, state in files.items() if closed.isdisjoint(Path(path).parents)}
    scanned = Scan(files, tuple(Skipped(folder, "closed") for folder in closed))
    changes = compare(scanned, known)
    fresh = {str(path) for path, _, _ in changes.fresh}
    same = {path for path in files if path in known and known[path].state == files[path]}
    assert fresh == files.keys() - same
    assert {str(skip.path) for skip in changes.skipped} == {p for p in same if known[p].reason}
    assert changes.unchanged == len(same) - len(changes.skipped)
    hidden = {path for path in known if not closed.isdisjoint(Path(path).parents)}
    assert set(map(str, changes.gone)) == known.keys() - files.keys() - hidden
    for path, state, before in changes.fresh:
        assert state == files[str(path)]
        assert before == known.get(str(path))


# -- photos out of reach ----------------------------------------------------------------------


def known_files(count: int) -> dict[str, KnownFile]:
    return {f"/r/{n}.png": KnownFile(n + 1, FileState(n, n), b"x") for n in range(count)}


def odd(scanned: Scan, known: dict[str, KnownFile]) -> str:
    return out_of_reach(scanned, known, compare(scanned, known))


def test_nothing_is_odd_while_a_known_photo_is_there() -> None:
    known = known_files(1000)
    other = {f"/r/other{n}.png": FileState(5000 + n, 0) for n in range(50)}
    assert odd(Scan({**other, "/r/7.png": FileState(9, 9)}), known) == ""  # changed, in its place
    assert odd(Scan({**other, "/r/moved/7.png": FileState(7, 7)}), known) == ""  # moved
    assert odd(Scan(other), {}) == ""
    assert odd(Scan({}), {}) == ""


def test_an_empty_folder_is_an_unplugged_disk() -> None:
    assert "unplugged" in odd(Scan({}), known_files(1))
    assert "not there" in odd(Scan({}, missing=True), known_files(1))
    assert odd(Scan({}), {"/r/a.png": KnownFile(0, FileState(1, 1), b"", "broken")}) == ""


def test_many_others_are_another_disk() -> None:
    others = Scan({"/r/other.png": FileState(5000, 0)})
    assert odd(others, known_files(MANY - 1)) == ""
    assert "another disk" in odd(others, known_files(MANY))


def test_what_cannot_be_looked_at_is_not_lost() -> None:
    closed = (Skipped(Path("/r"), "folder cannot be read (Input/output error)"),)
    assert odd(Scan({}, closed), known_files(50)) == ""
    assert not compare(Scan({}, closed), known_files(50)).gone


def test_a_root_may_be_away_when_the_library_holds_it(tmp_path: Path) -> None:
    away = tmp_path / "away"
    assert scan_roots([away], held=lambda path: path == away) == {away: Scan({}, missing=True)}
    with pytest.raises(BadRoot, match="does not exist"):
        scan_roots([away, tmp_path / "typo"], held=lambda path: path == away)
