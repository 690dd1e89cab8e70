"""The name of a trained profile, and what it says it was made from."""

import shutil
from pathlib import Path

import pytest

from pixquery.db.errors import BadData
from pixquery.engine.profile import load_profile
from pixquery.trainer.learning.origin import name_for, sign


def test_a_profile_is_called_as_its_folder_unless_another_name_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert name_for(tmp_path / "mine", "") == "mine"
    assert name_for(tmp_path / "mine", "Holidays 2024") == "Holidays 2024"
    assert name_for(Path("/"), "") == "trained"
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert name_for(Path(), "") == "here"
    assert name_for(Path("two\nlines"), "").isprintable()


@pytest.mark.parametrize(
    "name", [" ", "a/b", "..", "-x", "two\nlines", "\x1b[2J", "x" * 101, "a\\b", "\u202egnp"]
)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(BadData, match="consists of letters"):
        name_for(Path("out"), name)


def test_a_name_that_comes_with_pixquery_is_taken() -> None:
    with pytest.raises(BadData, match="choose another name with --name"):
        name_for(Path("out"), "lite2-minilm")


def test_name_and_origin_are_written(colours: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(colours, tmp_path / "mine")
    sign(folder, "mine", {"from": "colours", "pairs": 30, "judges": "you"})
    made = load_profile(str(folder))
    made.check()
    assert made.name == "mine"
    assert made.manifest["trained"] == {"from": "colours", "pairs": 30, "judges": "you"}
    assert made.manifest["files"].keys() == set(load_profile(str(colours)).manifest["files"])
