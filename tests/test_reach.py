"""Folders that are there, and ways not to be."""

from pathlib import Path

from pixquery.engine.reach import absence


def test_what_is_said_of_a_folder(tmp_path: Path) -> None:
    assert absence(tmp_path) == "is empty"
    file = tmp_path / "file"
    file.write_text("")
    assert absence(tmp_path) == ""
    assert absence(tmp_path / "none") == absence(file) == absence(file / "below") == "is not there"
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert absence(loop).startswith("cannot be read (")
