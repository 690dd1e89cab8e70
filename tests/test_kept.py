"""Thumbnails that are made while indexing."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixquery import Library
from pixquery.indexer.build import Options, index
from pixquery.indexer.decode import decode, thumbnail
from pixquery.indexer.kept import Kept, kept_pictures, makes_thumbnails, name_of
from tests.conftest import Invoke, NewLibrary, square

JPEG = b"\xff\xd8" + bytes(96) + b"\xff\xd9"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PIXQUERY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "thumbnails"


def test_indexing_makes_what_the_gallery_asks_for(library: Library, cache: Path) -> None:
    assert len(list(cache.glob("*/*.jpg"))) == len(library)
    for record in library.catalog.everything():
        kept = kept_pictures().get(name_of(record.content, 320))
        assert kept is not None
        ours = np.asarray(Image.open(io.BytesIO(kept)), np.int16)
        wanted = thumbnail(record.path.read_bytes(), 320)
        theirs = np.asarray(Image.open(io.BytesIO(wanted)), np.int16)
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).mean() < 3


def test_indexing_without_them(new_library: NewLibrary, squares: Path, cache: Path) -> None:
    assert index(new_library(), [squares], Options(thumbnails=False)).added == 8
    assert not cache.exists()


def test_the_library_remembers_the_choice(place: Path, squares: Path, invoke: Invoke) -> None:
    for option, on in (("--no-thumbnails", False), ("--thumbnails", True)):
        assert invoke("index", squares, option, "--library", place).exit_code == 0
        assert invoke("index", "--library", place).exit_code == 0
        with Library.open(place) as library:
            assert makes_thumbnails(library) is on


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_cache_that_cannot_be_written(
    new_library: NewLibrary, squares: Path, cache: Path
) -> None:
    cache.parent.mkdir(parents=True)
    cache.parent.chmod(0o500)
    assert index(new_library(), [squares]).added == 8


def test_a_file_in_place_of_the_cache(new_library: NewLibrary, squares: Path, cache: Path) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_bytes(b"")
    assert index(new_library(), [squares]).added == 8


def test_what_is_offered_drives_nothing_out(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept", room=1000)
    for number in range(20):
        kept.offer(f"{number:02}", lambda: JPEG)
    assert len(list((tmp_path / "kept").glob("*/*"))) == 8  # 80 % of the room
    assert kept.get("00") == JPEG
    kept.offer("00", lambda: pytest.fail("it is there already"))


@pytest.mark.parametrize("size", [(3000, 2000), (1000, 1500), (330, 300), (200, 90), (640, 640)])
@pytest.mark.parametrize("fit", ["squash", "crop"])
def test_a_small_picture_changes_no_pixel_of_the_others(
    size: tuple[int, int], fit: str, tmp_path: Path
) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (9, 9, 3), np.uint8)
    file = tmp_path / "photo.jpg"
    Image.fromarray(noise).resize(size).save(file)
    content = file.read_bytes()
    alone = decode(content, 224, fit=fit)
    both = decode(content, 224, fit=fit, small=320)
    assert (alone.pixels == both.pixels).all()
    assert alone.small is None
    if both.small is not None:
        share = min(1.0, 320 / max(size))
        assert both.small.size == tuple(round(side * share) for side in size)


def test_an_upright_small_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = square(tmp_path / "side.jpg", "red", (600, 400), exif=exif).read_bytes()
    small = decode(content, 224, small=320).small
    assert small is not None
    assert small.size == (213, 320)


def test_a_picture_that_vanishes_while_they_are_counted(tmp_path: Path) -> None:
    """As when the gallery makes room while photos are indexed; a link to nothing stands for it."""
    kept = Kept(tmp_path, 10**6)
    (tmp_path / "ab").mkdir()
    try:
        (tmp_path / "ab" / "gone.jpg").symlink_to(tmp_path / "nowhere")
    except OSError:
        pytest.skip("links cannot be made here")
    kept.offer("abcd-320", lambda: b"picture\xff\xd9")
    assert kept.get("abcd-320") == b"picture\xff\xd9"
