"""A damaged catalogue is noticed, put aside, and repaired from its sound rows."""

import shutil
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import pytest

from pixquery import Library
from pixquery.db.catalog import Catalog
from pixquery.db.errors import LibraryDamaged
from pixquery.db.salvage import salvage
from pixquery.engine.library import CATALOGUE
from pixquery.indexer.build import index
from tests.conftest import COLOURS, Invoke, parsed
from tests.proofs.material import Photos


@pytest.fixture
def place(tmp_path: Path, squares: Path, colours: Path) -> Path:
    """A closed library of the squares."""
    with Library.open(tmp_path / "library", create=True, profile=str(colours)) as library:
        index(library, [squares])
    return tmp_path / "library"


def ids(place: Path) -> dict[str, int]:
    with Library.open(place) as library:
        return {record.path.stem: record.id for record in library.catalog.everything()}


def revisions(place: Path) -> dict[int, int]:
    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue:
        return dict(catalogue.execute("SELECT image_id, revision FROM vectors").fetchall())


def flip(file: Path, content: bytes) -> None:
    """Flips one bit of content that occurs once in the file."""
    found = bytearray(file.read_bytes())
    assert found.count(content) >= 1
    start = found.rindex(content)
    found[start + len(content) // 2] ^= 4
    file.write_bytes(found)


def change(place: Path, statement: str) -> None:
    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue:
        catalogue.execute(statement)
        catalogue.commit()


ROWS = {
    "a path": "UPDATE images SET path = CAST('/elsewhere.png' AS BLOB) WHERE id = 3",
    "a width": "UPDATE images SET width = width + 1 WHERE id = 3",
    "a camera time": "UPDATE images SET taken = 'soon' WHERE id = 3",
}


@pytest.mark.parametrize("what", ROWS)
def test_a_photo_with_an_altered_row_is_never_shown(
    what: str, place: Path, squares: Path, invoke: Invoke
) -> None:
    before, vectors = ids(place), revisions(place)
    change(place, ROWS[what])
    refused = invoke("query", "green", "-k", "8", "--library", place)
    assert refused.exit_code == 1
    assert "`pixquery verify --repair --library" in refused.stderr
    told = invoke("verify", "--library", place)
    assert told.exit_code == 1
    assert "1 rows of images differ from their checksums" in told.stdout
    mended = invoke("verify", "--repair", "--library", place, "--json")
    assert mended.exit_code == 0, mended.output
    assert all(finding["repaired"] for finding in parsed(mended)["findings"])
    after = ids(place)
    assert after.keys() == before.keys()
    assert sum(after[name] != before[name] for name in before) <= 1  # that one was indexed again
    kept = {image_id: vectors[image_id] for image_id in vectors if image_id != 3}
    assert revisions(place).items() >= kept.items()  # nothing else was encoded again
    assert invoke("verify", "--library", place).exit_code == 0
    for colour in COLOURS:
        (hit,) = parsed(invoke("query", colour, "-k", "1", "--library", place, "--json"))["hits"]
        assert Path(hit["path"]).stem == colour


def test_a_flipped_bit_in_a_vector_costs_that_vector(place: Path, invoke: Invoke) -> None:
    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue:
        raw = catalogue.execute("SELECT hex(raw) FROM vectors WHERE image_id = 5").fetchone()[0]
    altered = bytearray(bytes.fromhex(raw))
    altered[0] ^= 4
    change(place, f"UPDATE vectors SET raw = x'{altered.hex()}' WHERE image_id = 5")
    before = revisions(place)
    next(place.glob("vectors-*")).unlink()  # so that the vectors must be read
    assert "verify --repair" in invoke("query", "red", "--library", place).stderr
    assert invoke("verify", "--repair", "--library", place).exit_code == 0
    after = revisions(place)
    assert [image_id for image_id in after if after[image_id] != before[image_id]] == [5]
    assert invoke("verify", "--library", place).exit_code == 0


def test_a_schema_that_is_not_utf8_is_damage(place: Path, tmp_path: Path) -> None:
    """SQLite quotes the schema in its messages, which Python cannot decode then."""
    whole = (place / CATALOGUE).read_bytes()
    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue:
        rows = catalogue.execute("SELECT sql FROM sqlite_master WHERE sql != ''").fetchall()
    outcomes = Counter[str]()
    for (sql,) in rows:
        start = whole.index(sql.encode())
        for at in range(start, start + len(sql), 11):
            file = tmp_path / str(at) / CATALOGUE
            file.parent.mkdir()
            content = bytearray(whole)
            content[at] ^= 0x80
            file.write_bytes(content)
            try:
                with closing(Catalog(file)) as catalog:
                    list(catalog.everything())
                outcomes["read"] += 1
            except LibraryDamaged:
                outcomes["damaged"] += 1
            with suppress(LibraryDamaged):  # even the profile's name may be lost
                salvage(file)
                with closing(Catalog(file)) as catalog:
                    outcomes["mended"] += not catalog.problems()
    assert outcomes["damaged"] > 100
    assert outcomes["mended"] > 100


def test_the_damaged_catalogue_is_kept(place: Path) -> None:
    flip(place / CATALOGUE, b"magenta")
    damaged = (place / CATALOGUE).read_bytes()
    salvage(place / CATALOGUE)
    (kept,) = place.glob(f"{CATALOGUE}.corrupt-*")
    assert kept.read_bytes() == damaged
    assert sorted(file.name for file in place.glob("*mending*")) == []


def test_unreadable_pages_lose_only_their_own_rows(
    place: Path, tmp_path: Path, squares: Path, colours: Path
) -> None:
    photos = Photos(tmp_path / "many", 400, 1)
    with Library.open(place) as library:
        index(library, [squares, photos.root])
        held = len(library)
    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue:
        pages = catalogue.execute(
            "SELECT pageno FROM dbstat WHERE name = 'images' AND pagetype = 'leaf' ORDER BY pageno"
        ).fetchall() if _has_dbstat(catalogue) else [(20,)]  # fmt: skip
    content = bytearray((place / CATALOGUE).read_bytes())
    start = (pages[len(pages) // 2][0] - 1) * 4096
    content[start : start + 4096] = bytes(4096)
    (place / CATALOGUE).write_bytes(content)
    before = revisions(place)
    salvage(place / CATALOGUE)
    with Library.open(place) as library:
        assert library.catalog.problems() == []
        assert held - 120 <= len(library) <= held
        index(library, [squares, photos.root])
        assert len(library) == held
    kept = revisions(place)
    assert sum(kept.get(image_id) == revision for image_id, revision in before.items()) >= held / 2


def test_the_rows_of_a_truncated_file_are_kept(place: Path, tmp_path: Path, squares: Path) -> None:
    photos = Photos(tmp_path / "many", 300, 1)
    with Library.open(place) as library:
        index(library, [squares, photos.root])
        held = len(library)
    before = revisions(place)
    content = (place / CATALOGUE).read_bytes()
    (place / CATALOGUE).write_bytes(content[: len(content) * 3 // 4])
    salvage(place / CATALOGUE)
    with Library.open(place) as library:
        assert library.catalog.problems() == []
        assert held / 3 <= len(library) < held
        index(library, [squares, photos.root])
        assert len(library) == held
    kept = revisions(place)
    assert any(kept.get(image_id) == revision for image_id, revision in before.items())


def _has_dbstat(catalogue: sqlite3.Connection) -> bool:
    try:
        catalogue.execute("SELECT 1 FROM dbstat LIMIT 1")
    except sqlite3.OperationalError:
        return False
    return True


def test_photos_whose_root_is_gone_get_another(place: Path, squares: Path, invoke: Invoke) -> None:
    before = ids(place)
    change(place, "DELETE FROM roots")
    assert invoke("verify", "--library", place).exit_code == 1
    assert invoke("verify", "--repair", "--library", place).exit_code == 0
    assert ids(place) == before
    with Library.open(place) as library:
        assert [root.path for root in library.catalog.roots()] == [squares]


def test_a_catalogue_beyond_repair_is_put_aside(
    place: Path, squares: Path, colours: Path, invoke: Invoke
) -> None:
    garbage = b"garbage" * 5000
    (place / CATALOGUE).write_bytes(garbage)
    told = invoke("verify", "--library", place)
    assert told.exit_code == 1
    assert "`pixquery verify --repair --library" in told.stderr
    refused = invoke("verify", "--repair", "--library", place)
    assert refused.exit_code == 1
    assert f"`pixquery index FOLDER --library {place}`" in refused.stderr
    (kept,) = place.glob(f"{CATALOGUE}.corrupt-*")
    assert kept.read_bytes() == garbage
    assert invoke("index", squares, "--library", place, "--profile", colours).exit_code == 0
    assert invoke("verify", "--library", place).exit_code == 0


def test_a_lost_profile_is_reported_with_the_folders(place: Path, squares: Path) -> None:
    change(place, "UPDATE settings SET value = 'other' WHERE name = 'profile'")
    with pytest.raises(LibraryDamaged, match=f"pixquery index {squares}"):
        salvage(place / CATALOGUE)


def test_ids_are_never_reused(place: Path, squares: Path) -> None:
    newest = max(ids(place).values())
    change(place, f"UPDATE images SET width = 1 WHERE id = {newest}")
    salvage(place / CATALOGUE)
    with Library.open(place) as library:
        index(library, [squares])
    assert newest not in ids(place).values()


def test_a_policy_switched_off_by_damage_is_reported(place: Path, invoke: Invoke) -> None:
    assert invoke("policy", "on", "--library", place).exit_code == 0
    change(place, "UPDATE settings SET value = 'of' WHERE name = 'policy'")
    assert "verify --repair" in invoke("query", "red", "--library", place).stderr


def test_a_sound_catalogue_stays_as_it_is(place: Path) -> None:
    other = shutil.copytree(place, place.parent / "other")
    salvage(other / CATALOGUE)
    catalogs = [Catalog(folder / CATALOGUE) for folder in (place, other)]
    ours, theirs = (list(catalog.everything()) for catalog in catalogs)
    assert ours == theirs
    for catalog in catalogs:
        assert catalog.problems() == []
        catalog.close()
