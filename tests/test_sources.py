"""Sources: the licence on a model's card."""

from pathlib import Path

import pytest

from pixquery.trainer.adopting.find import find
from tests.published import lay


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder as the hub lays it out."""
    return lay(tmp_path / "model", {"config.json": b"{}", "model.safetensors": b"abc"})


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: MIT\n---\n", "mit"),
        ("---\r\ntags: [a]\r\nlicense: 'cc-by-4.0' # why\r\n---\r\nlicense: gpl\r\n", "cc-by-4.0"),
        ("---\nlicense:\n- bsd-3-clause\n- mit\n---\n", "bsd-3-clause"),
        ("---\nlicense: [openrail]\n---\n", "openrail"),
        ("---\nlicense: other\nlicense_name: apple-amlr\n---\n", "apple-amlr"),
        ("---\nlicense_name: x\nlicense: other\nlicense_link: https://x.y\n---\n", "x"),
        ("---\nlicense: other\n---\n", "other"),
        ("---\ntags: []\n---\nlicense: mit\n", "unknown"),
        ("# A model\nlicense: mit\n", "unknown"),
        ("", "unknown"),
    ],
)
def test_licences_are_read_from_the_head_of_a_card(folder: Path, card: str, licence: str) -> None:
    (folder / "README.md").write_bytes(card.encode())
    assert find(str(folder)).licence == licence
