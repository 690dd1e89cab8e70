"""What a repair could not save is noted, and stays noted until it was looked for."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pixquery import Library
from pixquery.db.catalog import Catalog
from pixquery.db.losses import Loss, put
from pixquery.db.salvage import salvage
from pixquery.engine.library import CATALOGUE
from pixquery.indexer.build import index
from tests.conftest import Invoke, parsed, square
from tests.proofs import repair_soak
from tests.proofs.repair_soak import DAMAGES

NEAR = 3
FAR = 5


@pytest.fixture
def roots(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders of red squares, of different shades."""
    for name, count in (("near", NEAR), ("far", FAR)):
        for number in range(count):
            square(tmp_path / name / f"{number}.png", (255, 10 * number, len(name)))
    return tmp_path / "near", tmp_path / "far"


@pytest.fixture
def place(tmp_path: Path, roots: tuple[Path, Path], colours: Path) -> Path:
    """A closed library of both folders."""
    with Library.open(tmp_path / "library", create=True, profile=str(colours)) as library:
        index(library, roots)
    return tmp_path / "library"


def change(place: Path, statement: str) -> None:
    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue, catalogue:
        catalogue.execute(statement)
    catalogue.close()


def losses(place: Path) -> list[Loss]:
    with Library.open(place) as library:
        return library.catalog.losses()


def findings(invoke: Invoke, place: Path, *words: str) -> list[str]:
    found = parsed(invoke("verify", *words, "--library", place, "--json"))["findings"]
    return [finding["what"] for finding in found if not finding["repaired"]]


LOSE = "UPDATE images SET width = 1 WHERE CAST(path AS TEXT) LIKE '%/far/%' AND id % 2 = 1"
"""Alters the rows of three photos of the second folder."""


def test_a_repair_that_stops_before_it_indexes_says_what_is_lost(
    place: Path, roots: tuple[Path, Path], invoke: Invoke
) -> None:
    change(place, LOSE)
    salvage(place / CATALOGUE)  # as if `verify --repair` was killed after it
    assert losses(place) == [Loss(roots[1], 3)]
    assert invoke("query", "red", "--library", place).exit_code == 0  # which mends the index file
    told = invoke("verify", "--library", place)
    assert told.exit_code == 1
    assert f"3 photos of {roots[1]} were lost to damage and are not back yet" in told.stdout
    assert f"run `pixquery index --library {place}`" in told.stdout
    assert invoke("index", roots[0], "--library", place).exit_code == 0
    assert losses(place) == [Loss(roots[1], 3)]  # the other folder was not looked at
    assert invoke("index", "--library", place).exit_code == 0
    assert losses(place) == []
    assert invoke("verify", "--library", place).exit_code == 0
    with Library.open(place) as library:
        assert len(library) == NEAR + FAR


@pytest.mark.parametrize("mount", [False, True], ids=["no folder", "an empty folder"])
def test_what_an_unplugged_disk_lost_is_told_until_it_is_back(
    mount: bool, place: Path, roots: tuple[Path, Path], invoke: Invoke
) -> None:
    change(place, LOSE)
    roots[1].rename(roots[1].with_name("away"))
    if mount:
        roots[1].mkdir()
    for _ in range(2):
        repaired = invoke("verify", "--repair", "--library", place)
        assert repaired.exit_code == 1
        assert f"wrong: catalogue: 3 photos of {roots[1]} were lost" in repaired.stdout
        assert "2 photos are kept" in repaired.stderr
    with Library.open(place) as library:
        assert len(library) == NEAR + FAR - 3
    if mount:
        roots[1].rmdir()
    roots[1].with_name("away").rename(roots[1])
    assert invoke("index", "--library", place).exit_code == 0
    assert invoke("verify", "--library", place).exit_code == 0
    with Library.open(place) as library:
        assert len(library) == NEAR + FAR


def test_photos_out_of_reach_whose_rows_are_gone_with_their_page_are_kept(
    place: Path, roots: tuple[Path, Path], invoke: Invoke
) -> None:
    with Library.open(place) as library:
        before = {record.path: record.id for record in library}
    DAMAGES["a page of images"](place)
    roots[1].rename(roots[1].with_name("away"))
    assert invoke("verify", "--repair", "--library", place).exit_code == 1
    with Library.open(place) as library:
        assert {record.path: record.id for record in library} == before
        hits = library.search("red", k=20).hits
        assert len(hits) == NEAR + FAR
    roots[1].with_name("away").rename(roots[1])
    assert invoke("index", "--library", place).exit_code == 0
    assert invoke("verify", "--library", place).exit_code == 0
    with Library.open(place) as library:
        assert {record.path: record.id for record in library} == before
        assert all(record.width == 24 and record.format == "PNG" for record in library)


def test_prune_forgets_what_was_lost_with_a_folder(
    place: Path, roots: tuple[Path, Path], invoke: Invoke
) -> None:
    change(place, LOSE)
    shutil.rmtree(roots[1])
    assert any("--prune" in what for what in findings(invoke, place, "--repair"))
    assert invoke("index", "--prune", "--library", place).exit_code == 0
    assert invoke("verify", "--library", place).exit_code == 0


def test_a_folder_whose_name_is_lost_must_be_named(
    tmp_path: Path, colours: Path, invoke: Invoke
) -> None:
    root = tmp_path / "photos"
    for name in ("a/1", "a/2", "b/3"):
        square(root / f"{name}.png", "red")
        square(root / f"{name}x.png", "blue")
    place = tmp_path / "library"
    assert invoke("index", root, "--library", place, "--profile", colours).exit_code == 0
    # All that is left of the folder's name is in the paths of two of its photos.
    change(place, "DELETE FROM roots")
    change(
        place,
        "UPDATE images SET path = CAST('/' || id AS BLOB) WHERE CAST(path AS TEXT) LIKE '%/b/%'",
    )
    repaired = invoke("verify", "--repair", "--library", place)
    assert repaired.exit_code == 1
    assert "with the name of their folder" in repaired.stdout
    assert f"{root / 'a'} is a part" in repaired.stdout
    assert invoke("index", "--library", place).exit_code == 0
    assert invoke("verify", "--library", place).exit_code == 1
    assert invoke("index", root, "--library", place).exit_code == 0
    assert invoke("verify", "--library", place).exit_code == 0
    with Library.open(place) as library:
        assert len(library) == 6
        assert [each.path for each in library.catalog.roots()] == [root]


def test_losses_are_added_up_and_forgotten_with_their_folder(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "c.sqlite")
    for folder in ("/p", "/q"):
        catalog.add_root(Path(folder))
    for loss in (Loss(Path("/p/a"), 2), Loss(Path("/p/a"), 1), Loss(None, 4), Loss(Path("/q"), 0)):
        with catalog._connections.writing() as connection:
            put(connection, [loss])
    assert catalog.losses() == [Loss(None, 4), Loss(Path("/p/a"), 2), Loss(Path("/q"), 0)]
    catalog.settle([Path("/p")], [])
    assert catalog.losses() == [Loss(None, 4), Loss(Path("/q"), 0)]  # not all roots were looked at
    catalog.settle([Path("/p"), Path("/q")], [])
    assert catalog.losses() == []
    with catalog._connections.writing() as connection:
        put(connection, [Loss(Path("/p"), 3), Loss(None, 1, guessed=True)])
    catalog.drop_roots(Path("/p"))
    assert catalog.losses() == [Loss(None, 1, guessed=True)]
    catalog.settle([Path("/q")], [])
    assert catalog.losses() != []  # the user must name the folder
    catalog.settle([Path("/q")], [Path("/q")])
    assert catalog.losses() == []
    catalog.close()


def test_a_note_that_is_damaged_is_a_loss_of_which_nothing_is_known(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "c.sqlite")
    catalog.add_root(Path("/p"))
    with catalog._connections.writing() as connection:
        put(connection, [Loss(Path("/p"), 3)])
        connection.execute("UPDATE losses SET photos = 0")
    assert catalog.losses() == [Loss(None, 0)]
    catalog.settle([Path("/p")], [])
    assert catalog.losses() == []
    catalog.close()


def test_a_repair_that_was_stopped_as_it_replaced_the_file_is_completed(
    place: Path, invoke: Invoke
) -> None:
    file = place / CATALOGUE
    file.rename(place / f"{CATALOGUE}.mended")
    for words in (["query", "red"], ["index"], ["verify"]):
        told = invoke(*words, "--library", place)
        assert told.exit_code in (1, 2)
        assert "verify --repair" in told.stderr or words == ["index"]
    assert invoke("verify", "--repair", "--library", place).exit_code == 0
    assert invoke("verify", "--library", place).exit_code == 0
    assert not list(place.glob("*.mended"))


# -- the proof ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("faults")
@pytest.mark.parametrize("damage", ["a row", "a page of images", "a header that forbids writing"])
def test_nothing_is_lost_in_silence_when_a_repair_is_killed(damage: str, tmp_path: Path) -> None:
    result = repair_soak.prove(tmp_path, damage, step=150)
    assert result["failures"] == []
    assert result["reported"] and result["killed"]


@pytest.mark.slow
@pytest.mark.usefixtures("faults")
@pytest.mark.parametrize("damage", DAMAGES)
def test_nothing_is_lost_in_silence_wherever_a_repair_is_killed(
    damage: str, tmp_path: Path
) -> None:
    assert repair_soak.prove(tmp_path, damage, step=1)["failures"] == []
