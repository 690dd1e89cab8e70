"""Two roots that are one folder become one in the catalogue."""

from pathlib import Path

import numpy as np
import pytest

from pixquery.db.catalog import Catalog
from pixquery.db.errors import LibraryDamaged
from pixquery.db.records import FileState, ImageRecord, Skipped

ODD = "na\udcffme\\ '%.png"
"""Not valid Unicode, and what SQL and patterns would act on."""


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalogue.sqlite")


def put(catalog: Catalog, root: str, *names: str) -> list[int]:
    root_id = catalog.add_root(Path(root))
    records = [
        ImageRecord(Path(root, name), FileState(1, 2), name.encode("utf-8", "ignore"), 3, 4, "PNG")
        for name in names
    ]
    return catalog.put(root_id, records, np.zeros((len(names), 2), np.float16), "e")


def paths(catalog: Catalog) -> dict[int, Path]:
    return {record.id: record.path for record in catalog.everything()}


@pytest.mark.parametrize(
    ("old", "new"),
    [("/old", "/new"), ("/old", "/new/in/it"), ("/a%_'", "/b?["), ("/new/x", "/y")],
)
def test_paths_change_and_ids_stay(old: str, new: str, catalog: Catalog) -> None:
    ids = put(catalog, old, "a.png", f"sub/{ODD}", "b.png")
    put(catalog, "/older", "a.png")  # its name begins alike
    (twin,) = put(catalog, new, "a.png")
    assert catalog.merge_roots(Path(old), Path(new)) == 1
    expected = {
        twin: Path(new, "a.png"), ids[1]: Path(new, "sub", ODD), ids[2]: Path(new, "b.png"),
    }  # fmt: skip
    found = paths(catalog)
    assert {key: found[key] for key in expected} == expected
    assert len(found) == 4
    assert Path(old) not in [root.path for root in catalog.roots()]
    assert catalog.problems() == []
    assert len(catalog.known(Path(new), "e")) == 3


def test_a_new_root_may_be_unknown(catalog: Catalog) -> None:
    ids = put(catalog, "/old", "a.png")
    catalog.skip(
        catalog.add_root(Path("/old")), [(Skipped(Path("/old/x.png"), "bad"), FileState(1, 1))]
    )
    assert catalog.merge_roots(Path("/old"), Path("/new/part")) == 0
    assert paths(catalog) == {ids[0]: Path("/new/part/a.png")}
    assert [root.path for root in catalog.roots()] == [Path("/new/part")]
    assert not catalog.holds(Path("/old"))
    assert catalog.problems() == []


def test_damaged_rows_are_not_sealed_again(catalog: Catalog) -> None:
    put(catalog, "/old", "a.png")
    with catalog._write() as connection:
        connection.execute("UPDATE images SET width = 5")
    with pytest.raises(LibraryDamaged, match="checksums"):
        catalog.merge_roots(Path("/old"), Path("/new"))
    assert len(catalog.problems()) == 1
