"""Of the folders of photo programs the originals are indexed, and what is derived from them not."""

from pathlib import Path

import pytest

from pixquery.indexer.build import index
from pixquery.indexer.scan import scan
from tests.conftest import NewLibrary, names, plant, square

APPLE = "Photos Library.photoslibrary"


@pytest.mark.parametrize(
    ("derived", "originals"),
    [
        (["resources/derivatives/A.jpeg", "resources/renders/A.jpeg", "database/x.jpg",
          "scopes/cloudsharing/b.jpg", "private/com.apple/c.jpg", "external/d.jpg",
          "Thumbnails/e.jpg"],
         ["originals/A/A1.heic", "originals/0/private/x.jpeg", "Masters/2012/b.jpg"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("package", [APPLE, "x/OLD.PHOTOSLIBRARY"])
def test_apple_photos(
    package: str, derived: list[str], originals: list[str], tmp_path: Path
) -> None:
    plant(tmp_path, *(f"{package}/{name}" for name in (*derived, *originals)), "a.jpg")
    expected = {f"{package}/{name}" for name in originals}
    assert names(scan(tmp_path), tmp_path) == {*expected, "a.jpg"}
    inside = tmp_path / package  # also as a root
    assert names(scan(inside), inside) == set(originals)


@pytest.mark.parametrize(
    ("left_out", "indexed"),
    [
        ("iPhoto.photolibrary/Thumbnails/a.jpg", "iPhoto.photolibrary/Masters/a.jpg"),
        ("x.migratedphotolibrary/Previews/a.jpg", "x.migratedphotolibrary/Originals/a.jpg"),
        ("x.migratedphotolibrary/Data/a.jpg", "x.migratedphotolibrary/Masters/2/a.jpg"),
        ("A.aplibrary/Previews/a.jpg", "A.aplibrary/Masters/2010/a.nef"),
        ("C.cocatalog/Cache/Thumbnails/a.jpg", "C.cocatalog/Originals/a.cr2"),
        ("Session/Capture/CaptureOne/Cache/Proxies/a.tif", "Session/Capture/a.iiq.tif"),
        ("L Previews.lrdata/0/a.jpg", "L/a.jpg"),
        ("L Smart Previews.lrdata/0/a.dng", "Cache/a.dng"),
        ("L.lrcat-data/a.jpg", "resources/a.jpg"),
        ("Lightroom Library.lrlibrary/0a1b/previews/a.jpg",
         "Lightroom Library.lrlibrary/0a1b/originals/2020/a.jpg"),
        ("Lightroom Library.lrlibrary/0a1b/proxies/a.dng",
         "Lightroom Library.lrlibrary/originals/2020/a.jpg"),
        ("iPod Photo Cache/F00/a.jpg", "iPod/a.jpg"),
        ("@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg", "thumbnails/a.jpg"),
        (".picasaoriginals/a.jpg", "Originals/a.jpg"),
    ],
)  # fmt: skip
def test_other_programs(left_out: str, indexed: str, tmp_path: Path) -> None:
    plant(tmp_path, left_out, indexed)
    assert names(scan(tmp_path), tmp_path) == {indexed}


def test_iphoto_before_packages(tmp_path: Path) -> None:
    plant(tmp_path, "iPhoto Library/Data/a.jpg", "iPhoto Library/Originals/a.jpg")
    assert len(scan(tmp_path).files) == 2  # any folder may be called so
    plant(tmp_path, "iPhoto Library/AlbumData.xml")
    assert names(scan(tmp_path), tmp_path) == {"iPhoto Library/Originals/a.jpg"}


def test_linked_packages(tmp_path: Path) -> None:
    plant(tmp_path, f"there/{APPLE}/originals/a.jpg", f"there/{APPLE}/resources/b.jpg")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / APPLE).symlink_to(tmp_path / "there" / APPLE)
    found = scan(tmp_path / "here", follow_links=True)
    assert names(found, tmp_path / "here") == {f"{APPLE}/originals/a.jpg"}


def test_derivatives_leave_the_library(tmp_path: Path, new_library: NewLibrary) -> None:
    package = tmp_path / "photos" / "X.other"
    square(package / "originals" / "a.png", "red")
    square(package / "resources" / "a.png", "red", (8, 8))
    library = new_library()
    assert index(library, [tmp_path / "photos"]).images == 2
    package.rename(package.with_suffix(".photoslibrary"))
    assert index(library, []).images == 1
