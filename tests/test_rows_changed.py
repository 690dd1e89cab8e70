"""Rows of the catalogue that change and keep their vectors; several calls in one transaction."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from pixquery.db.catalog import Catalog
from pixquery.db.changes import Move
from pixquery.db.errors import LibraryDamaged
from pixquery.db.records import FileState
from tests.test_catalog import ENCODER, photo, raw

OLD, NEW = Path("/old"), Path("/new")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "catalogue.sqlite")
    yield catalog
    catalog.close()


@pytest.fixture
def ids(catalog: Catalog) -> list[int]:
    """Two photos of one content and one of another."""
    root = catalog.add_root(OLD)
    photos = [photo(OLD / "a"), photo(OLD / "b"), photo(OLD / "c", b"y" * 32)]
    return catalog.put(root, photos, raw(1, 2, 3), ENCODER)


def test_several_calls_are_one_transaction(catalog: Catalog, ids: list[int]) -> None:
    revision = catalog.revision
    with pytest.raises(ZeroDivisionError), catalog.transaction():
        catalog.remove(ids[:1])
        catalog.put(catalog.add_root(NEW), [photo(NEW / "d")], raw(4), ENCODER)
        assert len(catalog) == 3  # what was written is seen inside
        assert set(catalog.records(ids)) == set(ids[1:])
        _ = 1 / 0
    assert (len(catalog), catalog.revision, catalog.root_paths()) == (3, revision, [OLD])
    with catalog.transaction():
        catalog.remove(ids[:1])
    assert set(catalog.records(ids)) == set(ids[1:])


def test_other_threads_see_a_transaction_when_it_is_complete(
    catalog: Catalog, ids: list[int]
) -> None:
    seen: list[int] = []
    with catalog.transaction():
        catalog.remove(ids)
        other = Thread(target=lambda: seen.append(len(catalog)))
        other.start()
        other.join(60)
    assert (seen, len(catalog)) == ([3], 0)


def test_photos_are_moved_together(catalog: Catalog, ids: list[int]) -> None:
    root = catalog.add_root(NEW)
    catalog.move(
        [Move(ids[0], root, NEW / "a", FileState(7, 8)), Move(99, root, NEW / "z", FileState(1, 1))]
    )
    record = catalog.records(ids)[ids[0]]
    assert (record.path, record.state) == (NEW / "a", FileState(7, 8))
    assert np.array_equal(catalog.vectors_of(ids, ENCODER)[ids[0]], raw(1)[0])
    assert [root.images for root in catalog.roots()] == [2, 1]
    assert catalog.problems() == []
    assert (catalog.has_photos(NEW), catalog.has_photos(Path("/other"))) == (True, False)
    assert [record.id for record in catalog.under(OLD)] == ids[1:]


@pytest.mark.parametrize("change", ["restate", "move", "prove"])
def test_a_damaged_row_is_not_sealed_by_a_change(
    change: str, catalog: Catalog, ids: list[int]
) -> None:
    with closing(sqlite3.connect(catalog.file)) as other, other:
        other.execute("UPDATE images SET width = 99 WHERE id = ?", ids[1:2])
    with pytest.raises(LibraryDamaged, match="checksums"):
        if change == "restate":
            catalog.restate({image_id: FileState(5, 6) for image_id in ids})
        elif change == "move":
            catalog.move([Move(ids[1], 1, NEW / "b", FileState(5, 6))])
        else:
            catalog.prove(dict.fromkeys(ids, b"p" * 32))
    assert set(catalog.records([ids[0]])) == {ids[0]}
    assert catalog.records([ids[0]])[ids[0]].state == photo(OLD / "a").state  # all or nothing


def test_contents_are_looked_up_together(catalog: Catalog, ids: list[int]) -> None:
    x, y = b"x" * 16, b"y" * 32
    twins = catalog.twins([x, y, b"z" * 32])
    assert {key: [record.id for record in rows] for key, rows in twins.items()} == {
        x: ids[:2],
        y: ids[2:],
    }
    assert catalog.hints() == {x}
    catalog.prove({ids[0]: y, ids[1]: b"p" * 32})
    assert catalog.hints() == set()
    assert [record.id for record in catalog.twins([y])[y]] == [ids[0], ids[2]]
    assert catalog.problems() == []


def test_contents_that_two_roots_share(catalog: Catalog, ids: list[int]) -> None:
    new = catalog.add_root(NEW)
    catalog.put(new, [photo(NEW / "a", b"y" * 32), photo(NEW / "b", b"w" * 32)], raw(3, 5), ENCODER)
    assert catalog.shared(OLD, new) == {ids[2]}
    assert catalog.shared(NEW, new) == set()  # with itself it shares nothing
    assert catalog.shared(OLD / "c", new) == {ids[2]}


def test_the_first_encoder_that_has_a_vector(catalog: Catalog, ids: list[int]) -> None:
    (other,) = catalog.put(1, [photo(OLD / "d")], raw(9), "other")
    vectors = catalog.first_vectors([*ids, other], [ENCODER, "other"])
    assert {image_id: encoder for image_id, (encoder, _) in vectors.items()} == {
        **dict.fromkeys(ids, ENCODER),
        other: "other",
    }
    assert catalog.first_vectors(ids, ["nobody"]) == {}


def test_dropping_a_root_is_a_change_of_photos(catalog: Catalog, ids: list[int]) -> None:
    revision = catalog.revision
    catalog.drop_roots(NEW)
    assert catalog.revision == revision
    catalog.drop_roots(OLD)
    assert (catalog.revision, len(catalog)) == (revision + 1, 0)
