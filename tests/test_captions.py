"""Captions."""

from pathlib import Path

import pytest

from pixquery.db.errors import BadData
from pixquery.trainer.learning.captions import Caption, read_captions


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data.csv"


def test_captions(file: Path) -> None:
    file.write_text("image,query_id,query_text\na.jpg,a.jpg#0, A dog . \n")
    assert read_captions(file) == [Caption("a.jpg#0", "a.jpg", "A dog .")]
    file.write_text(
        "image,query_id,query_text\na.jpg,a.jpg#0,x\nb.jpg,a.jpg#1,x\na.jpg,a.jpg#0,y\n"
    )
    with pytest.raises(BadData, match="1 bad lines: line 4: it repeats line 2"):
        read_captions(file)
