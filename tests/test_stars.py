"""Stars as ratings to learn from."""

import csv
from pathlib import Path

import pytest

from pixquery import Library
from pixquery.db.errors import BadData
from pixquery.db.metadata import Noted
from pixquery.db.records import Annotation
from pixquery.trainer.learning.stars import write_stars
from tests.conftest import Invoke


def test_rated_photos_with_words_are_written(library: Library, tmp_path: Path) -> None:
    ids = {record.path.stem: record.id for record in library}
    notes = {
        "red": Annotation(caption="a red\nsquare", title="not this", rating=5),
        "blue": Annotation(title="blue, deep", rating=-1),
        "green": Annotation(keywords=("leaf", "grass"), rating=2),
        "white": Annotation(caption="without stars"),
        "black": Annotation(rating=4),
        "cyan": Annotation(caption="unrated", rating=0),
    }
    with library.writing():
        library.catalog.annotate({ids[name]: Noted(own) for name, own in notes.items()})
    file = tmp_path / "stars.csv"
    assert write_stars(library, file) == 3
    with file.open(newline="", encoding="utf-8") as opened:
        rows = {
            Path(row["image"]).stem: (row["text"], row["rating"]) for row in csv.DictReader(opened)
        }
    assert rows == {
        "red": ("a red square", "5"), "blue": ("blue, deep", "0"), "green": ("leaf, grass", "2"),
    }  # fmt: skip


def test_a_library_without_stars(library: Library, tmp_path: Path, invoke: Invoke) -> None:
    with pytest.raises(BadData, match="both stars and a caption"):
        write_stars(library, tmp_path / "stars.csv")
    words = ("train", "--stars", "--out", tmp_path / "out", "--library", library.folder)
    done = invoke(*words)
    assert (done.exit_code, "both stars" in done.stderr) == (1, True)


def test_stars_or_data(tmp_path: Path, invoke: Invoke) -> None:
    done = invoke("train", "--stars", tmp_path, "--out", tmp_path / "out")
    assert (done.exit_code, "not both" in done.stderr) == (2, True)
