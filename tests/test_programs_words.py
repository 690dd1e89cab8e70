"""The owner's words as five programs write them, written by exiftool."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest

from pixquery.db.records import Annotation, Place
from pixquery.indexer.annotations import annotation_in, merged
from pixquery.indexer.formats import kind_of, open_photo
from pixquery.indexer.pillow import set_for_decoding
from pixquery.indexer.sidecar_content import Sidecar, read_sidecar
from pixquery.indexer.sidecars import sidecars_of
from tests.photos import SAMPLES, quarters

pytestmark = pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool")

FORMATS = ("jpg", "png", "tif", "webp", "heic")


def photo(folder: Path, suffix: str) -> Path:
    file = folder / f"photo.{suffix}"
    if suffix == "heic":
        pytest.importorskip("pi_heif")
        shutil.copy(SAMPLES / "quarters-1.heic", file)
    else:
        quarters().save(file)
    return file


def write(file: Path, options: Sequence[str]) -> None:
    subprocess.run(
        ["exiftool", "-q", "-q", "-m", "-overwrite_original", "-charset", "iptc=UTF8", *options,
         str(file)],
        check=True,
    )  # fmt: skip


def annotation(file: Path) -> Annotation:
    content = file.read_bytes()
    with set_for_decoding(), open_photo(content, kind_of(content)) as image:
        image.load()
        return annotation_in(image)


LIGHTROOM = [
    "-XMP-dc:Title=Die Hochzeit", "-XMP-dc:Description=Anna & Tom im Garten 👰",
    "-XMP-dc:Subject=Garten", "-XMP-dc:Subject=Lisbon", "-XMP-dc:Subject=Anna Müller",
    "-XMP-lr:HierarchicalSubject=Garten", "-XMP-lr:HierarchicalSubject=Orte|Portugal|Lisbon",
    "-XMP-lr:HierarchicalSubject=Personen|Anna Müller", "-XMP-xmp:Rating=4", "-XMP-xmp:Label=Rot",
    "-XMP-photoshop:City=Lisbon", "-XMP-photoshop:State=Lisboa", "-XMP-photoshop:Country=Portugal",
    "-XMP-iptcCore:Location=Alfama", "-IPTC:CodedCharacterSet=UTF8",
    "-IPTC:ObjectName=Die Hochzeit", "-IPTC:Caption-Abstract=Anna & Tom im Garten 👰",
    "-IPTC:Keywords=Garten", "-IPTC:Keywords=Lisbon", "-IPTC:Keywords=Anna Müller",
    "-IPTC:City=Lisbon", "-EXIF:ImageDescription=Anna & Tom im Garten 👰",
    "-RegionInfo={AppliedToDimensions={W=96,H=64,Unit=pixel},RegionList=[{Area={W=0.1,H=0.1,"
    "X=0.5,Y=0.5,Unit=normalized},Name=Anna Müller,Type=Face},{Area={W=0.1,H=0.1,X=0.2,Y=0.5,"
    "Unit=normalized},Type=Focus}]}",
]  # fmt: skip


@pytest.mark.parametrize("suffix", FORMATS)
def test_lightroom(suffix: str, tmp_path: Path) -> None:
    file = photo(tmp_path, suffix)
    write(file, LIGHTROOM)
    assert annotation(file) == Annotation(
        title="Die Hochzeit",
        caption="Anna & Tom im Garten 👰",
        keywords=("Garten", "Lisbon", "Anna Müller", "Orte", "Portugal", "Personen"),
        people=("Anna Müller",),
        rating=4,
        label="Rot",
        location=("Alfama", "Lisbon", "Lisboa", "Portugal"),
    )


DIGIKAM = [
    "-XMP-dc:Title=Geburtstag", "-XMP-dc:Description=Bei Oma", "-XMP-digiKam:TagsList=Feste/Torte",
    "-XMP-digiKam:TagsList=People/Familie/Ömer", "-XMP-dc:Subject=Torte", "-XMP-dc:Subject=Ömer",
    "-XMP-microsoft:LastKeywordXMP=Feste/Torte", "-XMP-lr:HierarchicalSubject=Feste|Torte",
    "-XMP-microsoft:RatingPercent=75", "-XMP-xmp:Rating=4", "-XMP-digiKam:ColorLabel=1",
    "-XMP-exif:UserComment=Bei Oma", "-XMP-tiff:ImageDescription=Bei Oma",
    "-EXIF:UserComment=Bei Oma", "-EXIF:ImageDescription=Bei Oma", "-IPTC:Keywords=Torte",
    "-IPTC:Keywords=Ömer", "-IPTC:CodedCharacterSet=UTF8", "-EXIF:Rating=4",
    "-RegionInfo={AppliedToDimensions={W=96,H=64,Unit=pixel},RegionList=[{Area={W=0.1,H=0.1,"
    "X=0.5,Y=0.5,Unit=normalized},Name=Ömer,Type=Face},{Area={W=0.1,H=0.1,X=0.5,Y=0.5,"
    "Unit=normalized},Name=Zoë,Type=Face}]}",
    "-RegionInfoMP={Regions=[{Rectangle=0.1|, 0.1|, 0.2|, 0.2,PersonDisplayName=Ömer}]}",
]  # fmt: skip


@pytest.mark.parametrize("suffix", FORMATS)
def test_digikam(suffix: str, tmp_path: Path) -> None:
    file = photo(tmp_path, suffix)
    write(file, DIGIKAM)
    assert annotation(file) == Annotation(
        title="Geburtstag",
        caption="Bei Oma",
        keywords=("Torte", "Ömer", "Feste", "People", "Familie"),
        people=("Ömer", "Zoë"),
        rating=4,
    )


def test_darktable(tmp_path: Path) -> None:
    sidecar = tmp_path / "photo.raf.xmp"
    write(sidecar, [
        "-XMP-dc:Title=Harvest", "-XMP-dc:Subject=wheat", "-XMP-dc:Subject=Places",
        "-XMP-lr:HierarchicalSubject=Places|Austria|Vienna", "-XMP-lr:HierarchicalSubject=wheat",
        "-XMP-lr:HierarchicalSubject=darktable|changed", "-XMP-xmp:Rating=-1",
        "-XMP-exif:GPSLatitude=48.21", "-XMP-exif:GPSLongitude=16.37",
        "-XMP-exif:DateTimeOriginal=2019:07:14 10:11:12", "-XMP-xmp:Label=Green",
    ])  # fmt: skip
    assert sidecars_of("photo.raf", [sidecar.name, "photo.jpg.xmp"]) == (sidecar.name,)
    read = read_sidecar(sidecar.name, sidecar.read_bytes())
    assert read.annotation == Annotation(
        title="Harvest",
        keywords=("wheat", "Places", "Austria", "Vienna"),
        rating=-1,
        label="Green",
    )
    assert read.exif.taken == datetime(2019, 7, 14, 10, 11, 12)
    assert read.exif.place == Place(48.21, 16.37)


@pytest.mark.parametrize("suffix", FORMATS)
def test_apple_photos(suffix: str, tmp_path: Path) -> None:
    """An export with "IPTC as XMP" gives a sidecar; names of persons are osxphotos'."""
    file = photo(tmp_path, suffix)
    options = [
        "-XMP-dc:Title=Sea 🌊", "-XMP-dc:Description=Two\nlines", "-XMP-dc:Subject=beach",
        "-XMP-iptcExt:PersonInImage=Anna", "-XMP-iptcExt:PersonInImage=Tom", "-IPTC:Keywords=beach",
        "-IPTC:ObjectName=Sea", "-IPTC:Caption-Abstract=Two", "-XMP-photoshop:DateCreated=2019",
    ]  # fmt: skip
    expected = Annotation(
        title="Sea 🌊", caption="Two\nlines", keywords=("beach",), people=("Anna", "Tom")
    )
    write(file, options)
    assert annotation(file) == expected
    sidecar = tmp_path / "photo.xmp"
    write(sidecar, [option for option in options if "IPTC:" not in option])
    assert read_sidecar(sidecar.name, sidecar.read_bytes()).annotation == expected


def test_google_takeout(tmp_path: Path) -> None:
    file = photo(tmp_path, "jpg")
    write(file, ["-EXIF:ImageDescription=SONY DSC", "-XMP-dc:Subject=old", "-XMP-xmp:Rating=3"])
    told = {
        "title": "photo.jpg", "description": "Törtchen", "people": [{"name": "Anna"}],
        "photoTakenTime": {"timestamp": "1563098400"}, "favorited": True,
        "geoData": {"latitude": 48.21, "longitude": 16.37, "altitude": 0.0},
    }  # fmt: skip
    name = "photo.jpg.supplemental-metadata.json"
    read = read_sidecar(name, json.dumps(told).encode())
    assert isinstance(read, Sidecar)
    assert merged(read.annotation, annotation(file)) == Annotation(
        caption="Törtchen", keywords=("old",), people=("Anna",), rating=5
    )
    assert (read.exif.taken, read.exif.place) == (datetime(2019, 7, 14, 11), Place(48.21, 16.37))
