"""A file's SHA-256 is computed once for each change, and a wrong note never matters."""

import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from pixquery.engine import digests
from pixquery.engine.digests import has_digest


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PIXQUERY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as settled at once; a test would have to wait otherwise."""
    monkeypatch.setattr(digests, "_SETTLED", -1.0)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def written(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


@pytest.mark.usefixtures("settled")
def test_a_file_is_read_once(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "file", b"abc")
    assert has_digest(file, sha256(b"abc"))
    assert (cache / "digests.json").is_file()
    monkeypatch.setattr(digests, "sha256_of", lambda file: pytest.fail(f"{file} is read again"))
    assert has_digest(file, sha256(b"abc"))


@pytest.mark.usefixtures("settled", "cache")
@pytest.mark.parametrize("times_kept", [True, False])
def test_a_change_is_noticed(times_kept: bool, tmp_path: Path) -> None:
    file = written(tmp_path / "file", b"abc")
    assert has_digest(file, sha256(b"abc"))
    before = file.stat()
    time.sleep(0.02)  # the clock of files is coarse
    file.write_bytes(b"abd")
    if times_kept:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not has_digest(file, sha256(b"abc"))
    assert has_digest(file, sha256(b"abd"))


@pytest.mark.usefixtures("cache")
def test_what_has_just_changed_is_not_noted(cache: Path, tmp_path: Path) -> None:
    assert has_digest(written(tmp_path / "file", b"abc"), sha256(b"abc"))
    assert not (cache / "digests.json").exists()


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "note", [b"", b"[]", b"{", b"[" * 100_000, b"\xff", b'{"a": 1}', b"null", b"x" * 2_000_000]
)
def test_notes_that_are_damaged_are_made_anew(note: bytes, cache: Path, tmp_path: Path) -> None:
    cache.mkdir()
    (cache / "digests.json").write_bytes(note)
    file = written(tmp_path / "file", b"abc")
    assert has_digest(file, sha256(b"abc"))
    assert str(file) in json.loads((cache / "digests.json").read_text())


@pytest.mark.usefixtures("settled")
def test_a_note_of_another_digest_refuses_nothing(cache: Path, tmp_path: Path) -> None:
    file = written(tmp_path / "file", b"abc")
    assert has_digest(file, sha256(b"abc"))
    notes = (cache / "digests.json").read_text()
    (cache / "digests.json").write_text(notes.replace(sha256(b"abc"), sha256(b"abd")))
    assert has_digest(file, sha256(b"abc"))


@pytest.mark.usefixtures("settled")
def test_a_cache_that_cannot_be_written_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXQUERY_CACHE", str(written(tmp_path / "cache", b"")))
    file = written(tmp_path / "file", b"abc")
    assert has_digest(file, sha256(b"abc"))
    assert not has_digest(file, sha256(b"abd"))


@pytest.mark.usefixtures("settled")
def test_files_that_are_gone_are_forgotten(cache: Path, tmp_path: Path) -> None:
    for name in "ab":
        assert has_digest(written(tmp_path / name, b"abc"), sha256(b"abc"))
    (tmp_path / "a").unlink()
    assert has_digest(written(tmp_path / "c", b"abc"), sha256(b"abc"))
    names = [Path(name).name for name in json.loads((cache / "digests.json").read_text())]
    assert sorted(names) == ["b", "c"]
