"""The full-text index, against terms that are compared one by one."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixquery.db.catalog import Catalog
from pixquery.db.metadata import Noted
from pixquery.db.records import Annotation, FileState, ImageRecord, Line
from pixquery.db.words import FILE, Words

CORNERS = (0.0,) * 8
TEXTS = {1: "BOARDING PASS Lisbon", 2: "gate b27", 3: "Pass the gate"}


def add(catalog: Catalog, *names: str) -> list[int]:
    root = catalog.add_root(Path("/r"))
    records = [
        ImageRecord(Path(f"/r/{name}"), FileState(1, 1), name.encode() * 32, 1, 1) for name in names
    ]
    return catalog.put(root, records, np.ones((len(names), 3), np.float16), "this")


def read(catalog: Catalog, texts: dict[int, str]) -> None:
    lines = {image_id: [Line(text, 1.0, CORNERS)] for image_id, text in texts.items()}
    catalog.note_readings(lines, "reader")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "c.sqlite")
    add(catalog, "a", "b", "c", "d")
    read(catalog, TEXTS)
    catalog.annotate({4: Noted(Annotation(keywords=("gate",), people=("Anna B.",), label="Red"))})
    yield catalog
    catalog.close()


@pytest.fixture
def words(tmp_path: Path, catalog: Catalog) -> Iterator[Words]:
    words = Words(tmp_path)
    assert words.bring_up_to_date(catalog)
    yield words
    words.close()


def one(*terms: str) -> list[tuple[str, ...]]:
    return [(term,) for term in terms]


def test_all_terms_must_be_there(words: Words) -> None:
    assert words.search(one("pass", "lisbon")) == [1]
    assert set(words.search(one("gate"))) == {2, 3, 4}
    assert words.search(one("gate", "anna")) == [4]
    assert words.search(one("red")) == []  # a label describes nothing
    assert words.search([]) == []


def test_some_may_be_missing(words: Words) -> None:
    assert words.search(one("pass", "lisbon", "porto"), spare=1) == [1]
    assert set(words.search(one("pass", "gate", "lisbon"), spare=1)) == {1, 3}
    assert words.search(one("pass", "lisbon", "porto")) == []


def test_another_form_will_do(words: Words) -> None:
    assert set(words.search([("gates", "gate")])) == {2, 3, 4}


def test_where_words_stand(words: Words) -> None:
    assert words.search(one("gate"), source="owner") == [4]
    assert set(words.search(one("gate"), source="text")) == {2, 3}


@contextmanager
def made(texts: list[list[str]]) -> Iterator[tuple[Catalog, Words]]:
    """A catalogue of photos with these texts, in a folder that goes."""
    with TemporaryDirectory() as folder, closing(Catalog(Path(folder) / "c.sqlite")) as catalog:
        add(catalog, *(str(number) for number in range(len(texts))))
        read(catalog, {image_id: " ".join(own) for image_id, own in enumerate(texts, 1)})
        with closing(Words(Path(folder))) as words:
            yield catalog, words


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.lists(st.sampled_from("abcdefg"), max_size=6), min_size=1, max_size=8),
    asked=st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=4, unique=True),
    spare=st.integers(0, 3),
)
def test_the_same_as_comparing_each(texts: list[list[str]], asked: list[str], spare: int) -> None:
    with made(texts) as (catalog, words):
        assert words.bring_up_to_date(catalog)
        needed = max(1, len(asked) - spare)
        expected = {
            image_id for image_id, own in enumerate(texts, 1) if len({*own} & {*asked}) >= needed
        }
        assert set(words.search(one(*asked), spare=spare)) == expected


def test_it_follows_the_catalogue(words: Words, catalog: Catalog, tmp_path: Path) -> None:
    read(catalog, {2: "now Porto"})
    catalog.annotate({4: Noted(Annotation())})
    assert words.bring_up_to_date(catalog)
    assert words.search(one("porto")) == [2]
    assert words.search(one("gate")) == [3]
    catalog.remove([3])
    assert words.bring_up_to_date(catalog)
    assert words.search(one("gate")) == []
    other = Words(tmp_path)  # another process finds the file as it was left
    assert other.bring_up_to_date(catalog)
    assert other.search(one("porto")) == [2]
    assert other.search(one("gate")) == []
    other.close()


def test_a_library_without_words_has_no_file(tmp_path: Path) -> None:
    with closing(Catalog(tmp_path / "c.sqlite")) as catalog:
        add(catalog, "a")
        assert not Words(tmp_path).bring_up_to_date(catalog)
    assert not (tmp_path / FILE).exists()


def _junk(file: Path) -> None:
    file.write_bytes(b"no database" * 1000)


def _torn(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:4096])


def _foreign(file: Path) -> None:
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("CREATE TRIGGER t AFTER INSERT ON state BEGIN DELETE FROM state; END")


def _ahead(file: Path) -> None:
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("DELETE FROM words")
        other.execute("UPDATE state SET metadata = 1000")


def _stateless(file: Path) -> None:
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("DELETE FROM state")


@pytest.mark.parametrize("damage", [Path.unlink, _junk, _torn, _foreign, _ahead, _stateless])
def test_a_damaged_file_is_made_anew(
    damage: object, words: Words, catalog: Catalog, tmp_path: Path
) -> None:
    words.close()
    damage(tmp_path / FILE)  # type: ignore[operator]
    again = Words(tmp_path)
    assert again.bring_up_to_date(catalog)
    assert again.search(one("lisbon")) == [1]
    assert again.agrees(catalog)
    again.close()


def test_damage_while_it_is_open_answers_nothing_and_is_mended(
    words: Words, catalog: Catalog, tmp_path: Path
) -> None:
    file = tmp_path / FILE
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    file.write_bytes(content)
    assert words.search(one("lisbon")) in ([], [1])  # SQLite may have it in its cache
    assert words.bring_up_to_date(catalog)
    assert words.search(one("lisbon")) == [1]


def test_where_nothing_can_be_written_words_are_kept_in_memory(
    catalog: Catalog, tmp_path: Path
) -> None:
    (tmp_path / FILE).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "sub").mkdir()
    nowhere = Words(tmp_path / "gone" / "away")
    assert nowhere.bring_up_to_date(catalog)
    assert nowhere.search(one("lisbon")) == [1]
    nowhere.close()
    assert not (tmp_path / "gone").exists()
    link = Words(tmp_path)
    assert link.bring_up_to_date(catalog)
    assert link.search(one("lisbon")) == [1]
    link.close()
    assert not (tmp_path / "elsewhere").exists()
