"""How fast photos were encoded is noted for each computer, and a wrong note never matters."""

import json
import platform
from pathlib import Path

import pytest

from pixquery.engine.speeds import LEAST_PHOTOS, note_speed, noted_speeds


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of notes in a cache of its own, which does not exist yet."""
    monkeypatch.setenv("PIXQUERY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "speeds.json"


def test_the_last_speed_of_each_encoder_and_device_is_noted(notes: Path) -> None:
    assert noted_speeds() == {}
    note_speed("one", "cpu", 100, 4.0)
    note_speed("two", "cpu", 50, 100.0)
    note_speed("one", "cuda", 1000, 2.0)
    note_speed("one", "cpu", 60, 2.0)
    assert noted_speeds() == {"one": {"cpu": 30.0, "cuda": 500.0}, "two": {"cpu": 0.5}}
    assert [file.name for file in notes.parent.iterdir()] == ["speeds.json"]


def test_few_photos_say_nothing(notes: Path) -> None:
    note_speed("one", "cpu", LEAST_PHOTOS - 1, 1.0)
    note_speed("one", "cpu", LEAST_PHOTOS, 0.0)
    assert not notes.exists()


def test_other_computers_keep_their_notes(notes: Path) -> None:
    notes.parent.mkdir()
    theirs = {"another computer": {"one": {"cpu": 7.0}}}
    notes.write_text(json.dumps(theirs))
    assert noted_speeds() == {}
    note_speed("one", "cpu", 100, 1.0)
    assert json.loads(notes.read_text()) == {**theirs, platform.node(): {"one": {"cpu": 100.0}}}


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b"[" * 100_000, b"\xff", b"null", b"x" * 2_000_000, b"HERE",
     b'{"HERE": 1}', b'{"HERE": {"one": [2]}}', b'{"HERE": {"one": {"cpu": "fast"}}}',
     b'{"HERE": {"one": {"cpu": -1, "gpu": NaN, "npu": Infinity, "cuda": 0}}}'],
)  # fmt: skip
def test_notes_that_are_damaged_are_made_anew(content: bytes, notes: Path) -> None:
    notes.parent.mkdir()
    notes.write_bytes(content.replace(b"HERE", platform.node().encode()))
    assert not noted_speeds().get("one")
    note_speed("one", "cpu", 100, 4.0)
    assert noted_speeds()["one"] == {"cpu": 25.0}


def test_the_notes_do_not_grow_for_ever(notes: Path) -> None:
    notes.parent.mkdir()
    many = {str(number): {"cpu": 1.0} for number in range(1000)}
    notes.write_text(json.dumps({platform.node(): many}))
    note_speed("one", "cpu", 100, 1.0)
    assert len(noted_speeds()) == 200
    assert "one" in noted_speeds()


def test_a_cache_that_cannot_be_written_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_bytes(b"")
    monkeypatch.setenv("PIXQUERY_CACHE", str(tmp_path / "cache"))
    note_speed("one", "cpu", 100, 1.0)
    assert noted_speeds() == {}
