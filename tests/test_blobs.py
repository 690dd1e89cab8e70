"""Compiled models in files: used as they were written, or not at all."""

import os
import random
from pathlib import Path

import numpy as np
import pytest

from pixquery.engine import blobs
from pixquery.engine.profile import Profile, load_profile


@pytest.mark.parametrize("length", [1, 1000, 17 * 2**20])
def test_what_was_written_is_read(length: int, tmp_path: Path) -> None:
    content = random.Random(length).randbytes(length)
    blobs.write(tmp_path / "new" / "a.blob", lambda: content)
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["a.blob"]
    found = blobs.read(tmp_path / "new" / "a.blob")
    assert found is not None
    assert not found.readonly
    assert bytes(found) == content


def test_any_damage_is_noticed(tmp_path: Path) -> None:
    file, chance = tmp_path / "a.blob", random.Random(0)
    blobs.write(file, lambda: chance.randbytes(500))
    file.chmod(0o644)
    sound = file.read_bytes()
    for place in (*range(56), *range(64, len(sound))):  # between them are zeros for alignment
        file.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        assert blobs.read(file) is None, place
    for length in range(len(sound)):
        file.write_bytes(sound[:length])
        assert blobs.read(file) is None, length
    file.write_bytes(sound + b"x")
    assert blobs.read(file) is None
    file.write_bytes(sound)
    assert blobs.read(file) is not None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are a matter of Unix")
def test_nothing_waits_for_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.blob")
    with pytest.raises(OSError, match="regular"):
        blobs.read(tmp_path / "a.blob")


def test_what_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> bytes:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        blobs.write(tmp_path / "a.blob", fail)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PIXQUERY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def encoded(folder: Path) -> tuple[list[list[float]], list[list[float]]]:
    """By models that are loaded anew."""
    profile = Profile(folder, load_profile(str(folder)).manifest)
    pixels = np.full((1, 8, 8, 3), 77, np.uint8)
    texts, photos = profile.texts.encode(["red blue"]), profile.images.encode(pixels)
    return texts.tolist(), photos.tolist()


def test_a_damaged_cache_changes_no_vector(colours: Path, cache: Path) -> None:
    right, chance = encoded(colours), random.Random(1)
    for _ in range(5):
        for blob in cache.glob("*.blob"):
            content = bytearray(blob.read_bytes())
            for _ in range(20):
                content[chance.randrange(len(content))] ^= 255
            blob.chmod(0o644)
            blob.write_bytes(content)
        assert encoded(colours) == right
    assert all(blobs.read(blob) is not None for blob in cache.glob("*.blob"))


def test_earlier_versions_of_a_model_are_forgotten(colours: Path, cache: Path) -> None:
    encoded(colours)
    kept = sorted(blob.name for blob in cache.glob("*.blob"))
    which = kept[0].partition("-")[0]
    (cache / f"{which}-0123456789abcdef.blob").write_bytes(b"of an earlier version")
    (cache / "0123456789abcdef-0123456789abcdef").mkdir()  # as they were before
    (cache / "0123456789abcdef-0123456789abcdef" / "1.blob").write_bytes(b"x")
    (cache / "thumbnails-of-somebody").mkdir()
    (cache / kept[0]).unlink()
    encoded(colours)
    names = {file.name for file in cache.iterdir()} - {"digests.json"}
    assert names == {*kept, "thumbnails-of-somebody"}


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)
def test_a_cache_that_nobody_else_may_read_is_no_obstacle(colours: Path, cache: Path) -> None:
    right = encoded(colours)
    for blob in cache.glob("*.blob"):
        blob.chmod(0)
    assert encoded(colours) == right
    cache.chmod(0)
    assert encoded(colours) == right
    cache.chmod(0o700)


def test_models_that_were_exchanged_are_not_taken_for_each_other(
    colours: Path, cache: Path
) -> None:
    right = encoded(colours)
    one, other = cache.glob("*.blob")
    one.rename(cache / "aside")
    other.rename(one)
    (cache / "aside").rename(other)
    assert encoded(colours) == right
    assert blobs.read(one) is not None
    assert blobs.read(other) is not None


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such files")
@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a link to itself", "a link to zeros"])
def test_whatever_lies_in_its_place_is_replaced(kind: str, colours: Path, cache: Path) -> None:
    right = encoded(colours)
    for blob in cache.glob("*.blob"):
        blob.unlink()
        if kind == "a folder":
            (blob / "below").mkdir(parents=True)
        elif kind == "a pipe":
            os.mkfifo(blob)
        else:
            blob.symlink_to(blob if kind == "a link to itself" else "/dev/zero")
    assert encoded(colours) == right
    assert all(blobs.read(blob) is not None for blob in cache.glob("*.blob"))
