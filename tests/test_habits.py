"""A query loads the models of the profile that the library had before."""

import json
from pathlib import Path

import pytest

from pixquery.engine.habits import note_profile, usual_profile
from pixquery.engine.notes import read_notes, write_notes
from pixquery.engine.profile import DEFAULT
from tests.conftest import Invoke


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PIXQUERY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_profile_of_a_library_is_remembered(tmp_path: Path, cache: Path) -> None:
    assert usual_profile(tmp_path / "a") == DEFAULT
    note_profile(tmp_path / "a", DEFAULT)
    assert not cache.exists()  # most libraries need no note
    note_profile(tmp_path / "a", "siglip2-b16")
    note_profile(tmp_path / "b", "mine")
    assert usual_profile(tmp_path / "x" / ".." / "a") == "siglip2-b16"
    note_profile(tmp_path / "a", DEFAULT)
    assert usual_profile(tmp_path / "a") == DEFAULT
    assert list(read_notes("libraries.json").values()) == ["mine"]


def test_only_so_many_are_remembered(tmp_path: Path) -> None:
    for place in range(120):
        note_profile(tmp_path / str(place), "mine")
    assert len(read_notes("libraries.json")) == 100
    assert usual_profile(tmp_path / "119") == "mine"


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"a": 1}', b"\xff", b"[" * 100_000])
def test_damaged_notes_are_no_notes(content: bytes, cache: Path, tmp_path: Path) -> None:
    cache.mkdir()
    (cache / "libraries.json").write_bytes(content)
    assert usual_profile(tmp_path) == DEFAULT
    note_profile(tmp_path, "mine")
    assert usual_profile(tmp_path) == "mine"
    assert [file.name for file in cache.iterdir()] == ["libraries.json"]


def test_notes_that_cannot_be_written_are_left(cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    write_notes("libraries.json", {"a": "b"})
    assert read_notes("libraries.json") == {}


def test_a_query_notes_the_profile(place: Path, colours: Path, invoke: Invoke) -> None:
    assert invoke("query", "red", "--library", place).exit_code == 0
    assert usual_profile(place) == str(colours)
    noted = json.dumps(read_notes("libraries.json"))
    assert invoke("query", "red", "--library", place).exit_code == 0
    assert json.dumps(read_notes("libraries.json")) == noted
