"""Roots that are not there, and whose photos turn up in other folders."""

import os
import shutil
from pathlib import Path

import pytest

from pixquery import Library
from pixquery.db.errors import BadRoot
from pixquery.indexer.build import Options, index
from tests.aged import aged, lengths
from tests.comparing import assert_equals_fresh, counts
from tests.conftest import Invoke, NewLibrary, parsed, square
from tests.proofs.kills import HALF_A_WRITE, KILL, Kills
from tests.proofs.material import Children

Ids = dict[str, int]


@pytest.fixture
def old(squares: Path) -> Path:
    """The root of the library's eight squares."""
    return squares


@pytest.fixture
def new(old: Path) -> Path:
    """Where it is moved to."""
    return old.parent / "new"


def ids(library: Library) -> Ids:
    return {record.path.name: record.id for record in library}


def roots(library: Library) -> dict[Path, int]:
    return {root.path: root.images for root in library.catalog.roots()}


def copied(old: Path, new: Path) -> None:
    """Copies a folder as copying programs do that keep no times."""
    for file in sorted(old.rglob("*.*")):
        target = new / file.relative_to(old)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
        os.utime(target, ns=(10**18, 10**18))


@pytest.mark.parametrize("left_empty", [False, True])
@pytest.mark.parametrize("earlier", [False, True], ids=["now", "earlier version"])
def test_a_folder_that_was_moved_whole_keeps_its_ids(
    library: Library, old: Path, new: Path, new_library: NewLibrary,
    left_empty: bool, earlier: bool,
) -> None:  # fmt: skip
    before = ids(library)
    if earlier:
        aged(library.folder)
    copied(old, new)
    shutil.rmtree(old)
    if left_empty:
        old.mkdir()
    report = index(library, [new], Options(batch_size=3))
    assert counts(report) == {"moved": 8}
    assert (ids(library), roots(library)) == (before, {new: 8})
    (away,) = report.away
    assert (away.path, away.images, away.found, away.moved) == (old, 8, 8, 8)
    assert (away.found_in, away.dropped) == ((new,), True)
    assert away.reason == ("is empty" if left_empty else "is not there")
    assert set(lengths(library.folder).values()) == {32}
    assert library.verify() == []
    assert_equals_fresh(library, new, new_library)
    assert counts(again := index(library, [])) == {"unchanged": 8}
    assert (again.away, again.vanished) == ((), ())


def test_updating_all_folders_finds_what_was_moved(library: Library, old: Path, new: Path) -> None:
    square(new / "other.png", (90, 20, 20))
    index(library, [new])
    before = ids(library)
    copied(old, new / "inner")
    shutil.rmtree(old)
    report = index(library, [])
    assert counts(report) == {"moved": 8, "unchanged": 1}
    assert (ids(library), roots(library), report.vanished) == (before, {new: 9}, ())


def test_where_only_a_part_is_found_nothing_is_lost(library: Library, old: Path, new: Path) -> None:
    before = ids(library)
    copied(old / "deep", new)
    shutil.rmtree(old)
    part = len(list(new.rglob("*.*")))
    report = index(library, [new])
    assert counts(report) == {"added": part}
    assert roots(library) == {old: 8, new: part}
    (away,) = report.away
    assert (away.images, away.found, away.found_in) == (8, part, (new,))
    assert (away.moved, away.dropped) == (0, False)
    assert {record.id for record in library} > set(before.values())
    # It is told again, and when the folder is asked for, too.
    assert index(library, [new]).away == (away,)
    (everywhere,) = index(library, []).away
    assert (everywhere.found, everywhere.found_in) == (part, (new,))


@pytest.mark.parametrize("known", [False, True], ids=["new", "indexed before"])
@pytest.mark.parametrize("earlier", [False, True], ids=["now", "earlier version"])
def test_the_user_says_that_a_folder_was_moved(
    library: Library, old: Path, new: Path, known: bool, earlier: bool
) -> None:
    before = ids(library)
    if earlier:
        aged(library.folder)
    copied(old / "deep", new)
    names = {file.name for file in new.rglob("*.*")}
    shutil.rmtree(old)
    if known:
        index(library, [new])
    report = index(library, [new], Options(moved_from=(old,)))
    assert counts(report) == {"moved": len(names)}
    assert ids(library) == before
    assert roots(library) == {old: 8 - len(names), new: len(names)}
    (away,) = report.away
    assert (away.images, away.moved, away.dropped) == (8, len(names), False)
    assert library.verify()[0].what.startswith("file: ")  # the others are missing
    assert len(library.verify()) == 8 - len(names)
    assert counts(index(library, [new])) == {"unchanged": len(names)}


def test_copies_that_were_indexed_before_stay_copies(
    library: Library, old: Path, new: Path
) -> None:
    copied(old, new)
    index(library, [new])
    assert len(library) == 16
    old.rename(old.parent / "unplugged")
    report = index(library, [new])
    assert (counts(report), roots(library)) == ({"unchanged": 8}, {old: 8, new: 8})
    (old.parent / "unplugged").rename(old)
    assert counts(index(library, [])) == {"unchanged": 16}


def test_a_folder_whose_disk_comes_back_is_added_again(
    library: Library, old: Path, new: Path, new_library: NewLibrary
) -> None:
    before = ids(library)
    copied(old, new)
    old.rename(old.parent / "unplugged")
    index(library, [new])
    (old.parent / "unplugged").rename(old)
    assert counts(index(library, [old])) == {"added": 8}
    assert {record.id for record in library if new in record.path.parents} == set(before.values())


def test_each_photo_needs_a_file_of_its_own(library: Library, old: Path, new: Path) -> None:
    second = old.parent / "second"
    copied(old, second)
    index(library, [second])
    copied(old, new)
    old.rename(old.parent / "unplugged")
    second.rename(second.parent / "unplugged too")
    report = index(library, [new])
    # The first root takes all files of the new one; the second may still be a copy.
    assert counts(report) == {"moved": 8}
    assert roots(library) == {second: 8, new: 8}
    assert [(away.path, away.found, away.dropped) for away in report.away] == [
        (old, 8, True),
        (second, 8, False),
    ]


def test_two_folders_are_moved_at_once(library: Library, old: Path, new: Path) -> None:
    second = square(old.parent / "second" / "grey.png", (90, 20, 20)).parent
    index(library, [second])
    before = ids(library)
    copied(old, new / "a")
    copied(second, new / "b")
    shutil.rmtree(old)
    shutil.rmtree(second)
    report = index(library, [new])
    assert counts(report) == {"moved": 9}
    assert (ids(library), roots(library)) == (before, {new: 9})
    assert [away.path for away in report.away] == [old, second]


def test_left_out_files_are_not_found(library: Library, old: Path, new: Path) -> None:
    copied(old, new)
    shutil.rmtree(old)
    report = index(library, [new], Options(exclude=("red.*",)))
    assert counts(report) == {"added": 7}
    assert (report.away[0].found, report.away[0].images) == (7, 8)
    assert roots(library) == {old: 8, new: 7}


def test_an_interrupted_move_goes_on(library: Library, old: Path, new: Path) -> None:
    before = ids(library)
    copied(old, new)
    shutil.rmtree(old)
    aged(library.folder, [file.read_bytes() for file in new.rglob("*.*")])

    def stop(done: int, total: int) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    assert index(library, [new], Options(batch_size=2, progress=stop)).interrupted
    assert (ids(library), sum(roots(library).values())) == (before, 8)
    assert 0 < roots(library)[old] < 8
    report = index(library, [new])
    assert report.moved + report.unchanged == 8
    assert (ids(library), roots(library)) == (before, {new: 8})


@pytest.mark.parametrize("way", [KILL, HALF_A_WRITE])
@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_a_move_that_is_killed_at_any_call_goes_on(
    way: int, step: int, place: Path, old: Path, new: Path, children: Children
) -> None:
    with Library.open(place) as library:
        before = ids(library)
    copied(old, new)
    shutil.rmtree(old)
    kills = Kills(children, place, ["index", str(new), "--batch-size", "2"])
    assert kills.run(0) == 0
    assert kills.calls > 10
    for at in range(1, kills.calls + 1, step):
        if kills.run(at, way) == 0:
            continue  # this call cannot be cut in half
        with Library.open(place) as library:
            assert ids(library) == before, at
            report = index(library, [new])
            assert report.moved + report.unchanged == 8, at
            assert (ids(library), roots(library)) == (before, {new: 8}), at
            assert library.verify() == [], at


def test_a_folder_that_cannot_be_looked_into_is_not_moved(
    library: Library, old: Path, new: Path
) -> None:
    copied(old, new)
    old.rename(old.parent / "away")
    old.symlink_to(old)  # opening it fails, and not because it is missing
    report = index(library, [new])
    assert (counts(report), roots(library)) == ({"added": 8}, {old: 8, new: 8})
    assert report.away[0].reason.startswith("cannot be read")


def test_a_folder_that_the_library_does_not_know_cannot_have_moved(
    library: Library, old: Path
) -> None:
    with pytest.raises(BadRoot, match=f"no photos of /nowhere: its folders are {old}"):
        index(library, [old], Options(moved_from=(Path("/nowhere"),)))


# -- on the command line ----------------------------------------------------------------------


def test_what_is_told_of_a_moved_folder(place: Path, old: Path, new: Path, invoke: Invoke) -> None:
    copied(old / "deep", new)
    part = len(list(new.rglob("*.*")))
    shutil.rmtree(old)
    run = invoke("index", new, "--library", place)
    assert run.exit_code == 0
    assert f"{old} is not there, and {part} of its 8 photos are in {new}: " in run.stderr
    assert f"`pixquery forget {old} --library {place}` drops it" in run.stderr
    assert f"`pixquery index {new} --moved-from {old} --library {place}`" in run.stderr
    told = parsed(invoke("index", new, "--library", place, "--json"))["away"]
    assert told == [
        {
            "path": str(old), "reason": "is not there", "images": 8, "found": part,
            "found_in": [str(new)], "moved": 0, "dropped": False,
        }
    ]  # fmt: skip
    run = invoke("index", new, "--library", place, "--moved-from", old)
    assert (run.exit_code, f"{part} moved" in run.stdout) == (0, True)
    assert f"{part} of the 8 photos of {old} have moved to {new}" in run.stderr
    assert f"the other {8 - part} photos are kept: `pixquery forget {old}" in run.stderr
    assert invoke("forget", old, "--library", place).exit_code == 0
    run = invoke("index", "--library", place)
    assert (run.exit_code, run.stderr) == (0, "")


def test_a_folder_that_was_moved_whole_is_told_in_one_line(
    place: Path, old: Path, new: Path, invoke: Invoke
) -> None:
    old.rename(new)
    run = invoke("index", new, PIXQUERY_LIBRARY=str(place))
    assert (run.exit_code, "8 moved" in run.stdout) == (0, True)
    (line,) = run.stderr.splitlines()
    assert line.startswith(f"pixquery: {old} is not there, and its 8 photos are all in {new}: ")
    assert "no longer a folder of the library" in line


def test_a_new_library_has_nothing_that_can_have_moved(
    tmp_path: Path, squares: Path, invoke: Invoke
) -> None:
    run = invoke("index", squares, "--library", tmp_path / "none", "--moved-from", squares / "x")
    assert (run.exit_code, (tmp_path / "none").exists()) == (2, False)
    assert "has no photos yet" in run.stderr


def test_moved_folders_are_named_with_folders_of_all_kinds(
    place: Path, old: Path, new: Path, invoke: Invoke
) -> None:
    # One that is there: photos that are still in it are copies, and those that are not have moved.
    copied(old, new)
    next(old.rglob("red.*")).unlink()
    run = invoke("index", new, "--library", place, "--moved-from", old, "--json")
    told = parsed(run)
    assert (told["moved"], told["added"], told["away"]) == (1, 7, [])
    # The folder itself, and a part of it.
    for folder in (new, new / "deep"):
        told = parsed(invoke("index", new, "--library", place, "--moved-from", folder, "--json"))
        assert (told["unchanged"], told["moved"], told["away"]) == (8, 0, [])


def test_a_part_of_a_missing_folder_may_have_moved(
    place: Path, old: Path, new: Path, invoke: Invoke
) -> None:
    copied(old / "deep", new)
    count = len(list(new.rglob("*.*")))
    shutil.rmtree(old)
    words = ("index", new, "--library", place, "--moved-from", old / "deep", "--json")
    told = parsed(invoke(*words))
    assert (told["moved"], told["images"]) == (count, 8)
    assert [root["moved"] for root in told["away"]] == [count]
