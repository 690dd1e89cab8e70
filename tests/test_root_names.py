"""A folder under two names is one root, under the name that came first."""

import json
import os
from pathlib import Path

import pytest

from pixquery import Library
from pixquery.engine.library import Library as Opened
from pixquery.indexer.build import Options, index
from pixquery.indexer.report import OtherName
from tests.conftest import Invoke, NewLibrary, square


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    square(tmp_path / "disk" / "red.png", "red")
    square(tmp_path / "disk" / "sub" / "blue.png", "blue")
    return tmp_path / "disk"


@pytest.fixture
def link(disk: Path, tmp_path: Path) -> Path:
    (tmp_path / "Pictures").symlink_to(disk)
    return tmp_path / "Pictures"


def roots(library: Opened) -> list[Path]:
    return [root.path for root in library.catalog.roots()]


def paths(library: Opened) -> dict[int, Path]:
    return {record.id: record.path for record in library.catalog.everything()}


@pytest.mark.parametrize("first", ["link", "disk"])
def test_the_name_that_came_first_stays(
    first: str, disk: Path, link: Path, new_library: NewLibrary
) -> None:
    name, other = (link, disk) if first == "link" else (disk, link)
    library = new_library()
    index(library, [name])
    before = paths(library)
    report = index(library, [other])
    assert (report.added, report.unchanged, report.images) == (0, 2, 2)
    assert report.other_names == (OtherName(other, name),)
    assert roots(library) == [name]
    assert paths(library) == before


def test_both_names_at_once(disk: Path, link: Path, new_library: NewLibrary) -> None:
    library = new_library()
    report = index(library, [link, disk, disk / "sub"])
    assert (report.added, report.images, roots(library)) == (2, 2, [link])
    assert report.other_names == (
        OtherName(disk, link), OtherName(disk / "sub", link / "sub"),
    )  # fmt: skip


def test_a_part_of_a_root_under_another_name(
    disk: Path, link: Path, tmp_path: Path, new_library: NewLibrary
) -> None:
    library = new_library()
    index(library, [disk])
    (tmp_path / "part").symlink_to(link / "sub")
    square(disk / "sub" / "green.png", "green")
    report = index(library, [tmp_path / "part"])
    assert (report.added, report.unchanged, report.images) == (1, 1, 3)
    assert report.other_names == (OtherName(tmp_path / "part", disk / "sub"),)
    assert roots(library) == [disk]


def test_a_folder_around_a_root_takes_it_in(
    disk: Path, tmp_path: Path, new_library: NewLibrary
) -> None:
    (tmp_path / "part").symlink_to(disk / "sub")
    library = new_library()
    index(library, [tmp_path / "part"])
    (known,) = paths(library)
    report = index(library, [disk])
    assert (report.added, report.moved, report.unchanged, report.images) == (1, 0, 1, 2)
    assert report.other_names == (OtherName(tmp_path / "part", disk / "sub"),)
    assert roots(library) == [disk]
    assert paths(library)[known] == disk / "sub" / "blue.png"
    assert library.search("blue", k=1).hits[0].id == known
    assert library.catalog.problems() == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_library_that_has_both_is_mended(
    order: tuple[int, int], disk: Path, tmp_path: Path, new_library: NewLibrary
) -> None:
    """As earlier versions let it happen: two folders that only now turn out to be one."""
    copy = tmp_path / "Pictures"
    library = new_library()
    square(copy / "red.png", "red")
    square(copy / "sub" / "blue.png", "blue")
    square(copy / "only here.png", "green")
    names = [[disk, copy][place] for place in order]
    for name in names:
        index(library, [name])
    first, second = names
    both = paths(library)
    (copy / "only here.png").rename(disk / "only here.png")
    (copy / "red.png").unlink()
    (copy / "sub" / "blue.png").unlink()
    (copy / "sub").rmdir()
    copy.rmdir()
    copy.symlink_to(disk)
    report = index(library, [])
    assert report.other_names == (OtherName(second, first, 2),)
    assert (report.images, report.added, report.removed) == (3, 0, 0)
    assert roots(library) == [first]
    kept = paths(library)
    assert kept.keys() < both.keys()
    assert set(kept.values()) == {first / "red.png", first / "sub" / "blue.png",
                                  first / "only here.png"}  # fmt: skip
    assert [hit.path.name for hit in library.search("red", k=3).hits].count("red.png") == 1
    assert library.catalog.problems() == []
    assert index(library, []).other_names == ()


def test_the_typed_name_survives_the_disk(
    disk: Path, link: Path, tmp_path: Path, new_library: NewLibrary
) -> None:
    library = new_library()
    index(library, [link])
    disk.rename(tmp_path / "unplugged")
    for name in (link, disk):  # the name that the library does not use is known, too
        report = index(library, [name])
        assert [(lost.path, lost.images) for lost in report.vanished] == [(link, 2)]
    (tmp_path / "unplugged").rename(disk)
    report = index(library, [])
    assert (report.unchanged, report.vanished, report.images) == (2, (), 2)


def test_a_hidden_folder_is_a_root_of_its_own(
    disk: Path, tmp_path: Path, new_library: NewLibrary
) -> None:
    square(disk / ".hidden" / "green.png", "green")
    (tmp_path / "shown").symlink_to(disk / ".hidden")
    library = new_library()
    for order in ([tmp_path / "shown", disk], [disk, tmp_path / "shown"], []):
        assert index(library, order).images == 3
    assert set(roots(library)) == {tmp_path / "shown", disk}


def test_unlike_folders_stay_apart(disk: Path, tmp_path: Path, new_library: NewLibrary) -> None:
    """Copies are other files, whatever they are called."""
    square(tmp_path / "copy" / "red.png", "red")
    library = new_library()
    report = index(library, [disk, tmp_path / "copy"])
    assert (report.images, report.linked, report.other_names) == (3, 0, ())


def test_it_is_said(disk: Path, link: Path, tmp_path: Path, colours: Path, invoke: Invoke) -> None:
    place = tmp_path / "library"
    invoke("index", link, "--library", place, "--profile", colours)
    done = invoke("index", disk, "--library", place)
    assert done.stderr == f"pixquery: {disk} is {link}, the name that the library uses\n"
    told = json.loads(invoke("index", disk, "--library", place, "--json").stdout)
    assert told["other_names"] == [{"path": str(disk), "name": str(link), "twice": 0}]
    with Library.open(place) as library:
        assert len(library) == 2


def test_options_do_not_change_it(disk: Path, link: Path, new_library: NewLibrary) -> None:
    library = new_library()
    index(library, [link], Options(follow_links=True))
    for options in (Options(follow_links=True), Options(prune=True), Options(rebuild=True)):
        assert index(library, [disk], options).images == 2
    assert set(paths(library).values()) == {link / "red.png", link / "sub" / "blue.png"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="links of folders to themselves")
def test_a_link_to_itself_is_no_folder(tmp_path: Path, new_library: NewLibrary) -> None:
    from pixquery.db.errors import BadRoot

    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(BadRoot, match="does not exist"):
        index(new_library(), [tmp_path / "loop"])
