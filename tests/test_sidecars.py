"""Which files are a photo's sidecars."""

import time

import pytest

from pixquery.indexer.sidecars import Sidecars, is_sidecar, sidecars_of

LONG = "Urlaub in Knaufspesch in der Schneifel (38).JPG"
OF_LONG = "Urlaub in Knaufspesch in der Schneifel (38).JP.json"


@pytest.mark.parametrize(
    ("photo", "sidecar"),
    [
        ("photo.jpg", "photo.xmp"),
        ("photo.jpg", "photo.jpg.xmp"),
        ("photo.jpg", "PHOTO.XMP"),
        ("PHOTO.JPG", "photo.jpg.xmp"),
        ("photo.raf", "photo.xmp"),
        ("photo.old.jpg", "photo.old.xmp"),
        ("photo", "photo.xmp"),
        ("photo.jpg", "photo.jpg.json"),
        ("photo.jpg", "photo.json"),
        ("PHOTO.JPG", "photo.jpg.JSON"),
        ("photo.jpg", "photo.jpg.supplemental-metadata.json"),
        ("photo(1).jpg", "photo.jpg(1).json"),
        ("photo(1).jpg", "photo.jpg.supplemental-metadata(1).json"),
        ("photo(1).jpg", "photo(1).jpg.json"),
        ("photo(1).jpg", "photo(1).jpg.supplemental-metadata.json"),
        ("photo-edited.jpg", "photo.jpg.json"),
        ("photo-bearbeitet.jpg", "photo.jpg.supplemental-metadata.json"),
        ("photo-edited(1).jpg", "photo.jpg(1).json"),
        (LONG, OF_LONG),
        ("original_1d4caa6f-16c6-4c3d-901b-9387de10e528_.jpg",
         "original_1d4caa6f-16c6-4c3d-901b-9387de10e528_.json"),
        ("original_1d4caa6f-16c6-4c3d-901b-9387de10e528_(1).jpg",
         "original_1d4caa6f-16c6-4c3d-901b-9387de10e528_(1).json"),
    ],
)  # fmt: skip
def test_a_sidecar_belongs_to_its_photo(photo: str, sidecar: str) -> None:
    assert sidecars_of(photo, [photo, sidecar, "other.jpg.json", "other.xmp"]) == (sidecar,)
    assert is_sidecar(sidecar)


@pytest.mark.parametrize("length", range(1, 45))
def test_every_length_at_which_takeout_cuts(length: int) -> None:
    photo = "a" * length + ".jpg"
    sidecar = (photo + ".supplemental-metadata")[:46] + ".json"
    assert sidecars_of(photo, [sidecar]) == (sidecar,)
    numbered = (photo + ".supplemental-metadata")[:46] + "(2).json"
    assert sidecars_of("a" * length + "(2).jpg", [sidecar, numbered]) == (numbered,)


@pytest.mark.parametrize(
    ("photo", "other"),
    [
        ("photo.jpg", "photo1.xmp"),
        ("photo1.jpg", "photo.xmp"),
        ("photo.jpg", "photo.jpg"),
        ("photo.jpg", "photo.png.xmp"),
        ("photo.jpg", "photo.png.json"),
        ("photo.jpg", "photo.jpg(1).json"),
        ("photo(1).jpg", "photo.jpg.json"),
        ("photo(1).jpg", "photo.jpg(2).json"),
        ("photo-edited.jpg", "photo.jpg(1).json"),
        ("photo.jpg", "photo.jpg.supplementary.json"),
        ("photo.jpg", "metadata.json"),
        ("photo.jpg", "photo.jpg.json.bak"),
        ("photographs.jpg", "photo.json"),
        (".jpg", ".xmp.jpg"),
    ],
)
def test_others_do_not(photo: str, other: str) -> None:
    assert sidecars_of(photo, [photo, other]) == ()


def test_one_for_this_photo_alone_comes_first() -> None:
    names = ["photo.JSON", "photo.jpg", "photo.xmp", "photo.jpg.xmp", "photo.raf", "photo.jpg.json"]
    assert sidecars_of("photo.jpg", names) == ("photo.jpg.xmp", "photo.xmp", "photo.jpg.json")
    assert sidecars_of("photo.raf", names) == ("photo.xmp", "photo.JSON")


def test_an_edited_photo_has_its_own_if_there_is_one() -> None:
    names = ["a.jpg.json", "a-edited.jpg.json"]
    assert sidecars_of("a-edited.jpg", names) == ("a-edited.jpg.json",)


def test_a_large_folder() -> None:
    photos = [f"IMG_{number:05}.jpg" for number in range(50_000)]
    names = [*photos, *(f"{photo}.supplemental-metadata.json" for photo in photos)]
    begin = time.perf_counter()
    sidecars = Sidecars(names)
    assert all(len(sidecars.of(photo)) == 1 for photo in photos)
    assert time.perf_counter() - begin < 5
    assert not Sidecars(photos)
