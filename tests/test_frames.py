"""Tables of pandas, and the error if pandas is missing."""

import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

import pixquery
from pixquery import Library, Query
from pixquery.db.errors import MissingExtra
from pixquery.db.records import FileState, ImageRecord, Place
from pixquery.indexer.build import index
from tests.conftest import COLOURS, NewLibrary, square

pandas = pytest.importorskip("pandas")


@pytest.fixture
def library(new_library: NewLibrary, squares: Path) -> Library:
    """The squares, and a larger red one."""
    made = new_library()
    square(squares / "large.png", "red", (48, 32))
    index(made, [squares])
    return made


def test_hits_as_a_table(library: Library) -> None:
    answer = library.search("red", k=3)
    table = answer.to_pandas()
    assert table.index.name == "rank"
    assert table.index.tolist() == [1, 2, 3]
    assert table["path"].tolist() == [str(hit.path) for hit in answer.hits]
    assert table["relevance"].tolist() == [hit.relevance for hit in answer.hits]
    assert table["standing"].tolist() == [hit.standing for hit in answer.hits]
    assert str(table["modified"].dt.tz) == "UTC"
    assert table["taken"].isna().all()
    assert table["taken"].dtype.kind == "M"


def test_relevance_that_is_not_predicted_is_missing(library: Library) -> None:
    from pixquery import Part

    table = library.search(Query(parts=(Part("red"), Part("blue")))).to_pandas()
    assert table["relevance"].isna().all()
    assert table["relevance"].dtype.kind == "f"
    newest = library.newest(k=2).to_pandas()
    assert newest["similarity"].isna().all()


def test_an_empty_answer_is_an_empty_table(library: Library) -> None:
    table = library.search(Query("red", offset=99)).to_pandas()
    assert len(table) == 0
    assert "path" in table


def test_all_photos_in_turn_and_as_a_table(library: Library) -> None:
    photos = list(library)
    assert len(photos) == len(library) == len(COLOURS) + 1
    assert [photo.id for photo in photos] == sorted(photo.id for photo in photos)
    table = library.to_pandas()
    assert table.index.tolist() == [photo.id for photo in photos]
    assert table["bytes"].tolist() == [photo.path.stat().st_size for photo in photos]
    assert set(table["format"]) <= {"JPEG", "PNG", "GIF", "WebP", "BMP", "TIFF"}


def test_what_cameras_note(new_library: NewLibrary) -> None:
    library = new_library()
    record = ImageRecord(
        Path("/a/b.jpg"), FileState(7, 10**18), b"x" * 16, 4, 3, "JPEG",
        datetime(2020, 1, 2, 3), "Canon", Place(1.5, -2.5),
    )  # fmt: skip
    root = library.catalog.add_root(Path("/a"))
    library.catalog.put(root, [record], np.ones((1, 3), np.float16), library.profile.encoder)
    (row,) = library.to_pandas().to_dict("records")
    assert row["taken"] == datetime(2020, 1, 2, 3)
    assert (row["latitude"], row["longitude"], row["camera"]) == (1.5, -2.5, "Canon")
    assert row["modified"] == pandas.Timestamp(10**18, tz="UTC")


def test_duplicates_as_a_table(library: Library) -> None:
    table = library.duplicates().to_pandas()
    assert table["kind"].tolist() == ["best", "near"]
    assert table["group"].tolist() == [1, 1]
    assert table["width"].tolist() == [48, 24]


def test_without_pandas_the_error_names_the_extra(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    for ask in (
        library.to_pandas, library.search("red").to_pandas, library.duplicates().to_pandas
    ):  # fmt: skip
        with pytest.raises(MissingExtra, match=r"pip install 'pixquery\[pandas\]'"):
            ask()


def test_the_package_exports_the_names_in_all() -> None:
    for name in pixquery.__all__:
        assert getattr(pixquery, name).__name__.rpartition(".")[2] == name
    assert dir(pixquery) == sorted(pixquery.__all__)
    with pytest.raises(AttributeError):
        pixquery.Nonsense  # noqa: B018
    assert (Path(pixquery.__file__).parent / "py.typed").is_file()
