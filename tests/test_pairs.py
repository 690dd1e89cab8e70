"""Pairs of a photo and a text."""

from pathlib import Path

import pytest

from pixquery.db.errors import BadData
from pixquery.trainer.measuring.pairs import Pair, read_pairs
from tests.conftest import square


def test_photos_are_found_from_here_and_from_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    square(here / "a.png", "red")
    square(there / "a.png", "red")
    square(there / "b.png", "red")
    (there / "pairs.csv").write_text(f"text,image\nx,a.png\ny,b.png\nz,{there / 'a.png'}\n")
    monkeypatch.chdir(here)
    found = read_pairs(there / "pairs.csv")
    assert [pair.text for pair in found] == ["x", "y", "z"]
    assert [pair.image.resolve() for pair in found] == [
        here / "a.png", there / "b.png", there / "a.png",
    ]  # fmt: skip
    assert isinstance(found[0], Pair)


def test_a_text_in_place_of_a_path_is_reported(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text(f"image,text\n{'a dog ' * 100},x\n")
    with pytest.raises(BadData, match="line 2: there is no photo a dog"):
        read_pairs(tmp_path / "pairs.csv")


def test_missing_photos_are_reported(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("image,text\nnone.jpg,x\n.,y\n")
    with pytest.raises(BadData, match=r"2 bad lines.*line 2: there is no photo none\.jpg"):
        read_pairs(tmp_path / "pairs.csv")
