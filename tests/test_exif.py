"""What is read of a photo's EXIF, XMP and IPTC."""

import shutil
import struct
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from pixquery.db.records import Place
from pixquery.indexer.decode import Details, decode
from pixquery.indexer.fields import camera_of, place_in, place_of, text_of, time_of
from pixquery.indexer.xmp import properties
from tests.photos import UPRIGHT, corners, encoded, quarters

SIZE = 32
NOON = datetime(2019, 7, 14, 10, 11, 12)
VIENNA = Place(48.21, 16.37)
TAKEN, DIGITIZED, MODIFIED = 0x9003, 0x9004, 0x0132


def details(content: bytes) -> Details:
    return decode(content, SIZE).details


def jpeg(exif: Image.Exif | None = None, segments: bytes = b"") -> bytes:
    """A photo with EXIF and further segments of metadata."""
    content = encoded(quarters(), "JPEG", exif=Image.Exif() if exif is None else exif)
    return content[:2] + segments + content[2:]


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def in_exif(values: dict[int, Any], first: dict[int, Any] | None = None) -> Image.Exif:
    """EXIF with values in its own directory, and others in the first."""
    exif = Image.Exif()
    exif.update(first or {})
    if values:
        exif.get_ifd(0x8769).update(values)
    return exif


# -- time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["2019:07:14 10:11:12", "2019:07:14 10:11:12.345", "2019:07:14 10:11:12,3",
     "2019:07:14 10:11:12:99",
     "2019:07:14 10:11:12+02:00", "2019:07:14 10:11:12 -0800", "2019:07:14 10:11:12Z",
     "2019-07-14 10:11:12", "2019-07-14T10:11:12", "2019-07-14T10:11:12.5+02:00",
     "2019/07/14 10:11:12", "2019.07.14 10:11:12", "2019: 7:14 10:11:12", "2019:7:14 10:11:12",
     "2019:07:14  10:11:12", "2019:07:14_10:11:12", " 2019:07:14 10:11:12 ",
     "2019:07:14 10:11:12\0\0x", "2019:07:14 10:11:12\0", b"2019:07:14 10:11:12\0\0\0",
     "2019:07:14 10:11:12 AM"],
)  # fmt: skip
def test_spellings_of_a_time(text: str | bytes) -> None:
    assert time_of(text) == NOON


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2019:07:14 10:11", NOON.replace(second=0)),
        ("2019: 7:14  9: 1: 2", datetime(2019, 7, 14, 9, 1, 2)),
        ("2019:07:14 10:11:12 pm", NOON.replace(hour=22)),
        ("2019:07:14 12:11:12 AM", NOON.replace(hour=0)),
        ("2019:07:14 10:11:60", NOON.replace(second=59)),
        ("2019:07:14", datetime(2019, 7, 14)),
        ("2019-07-14", datetime(2019, 7, 14)),
        ("2019:07:14   :  :  ", datetime(2019, 7, 14)),
        ("0001:01:01 00:00:00", datetime(1, 1, 1)),
        ("9999:12:31 23:59:59", datetime(9999, 12, 31, 23, 59, 59)),
    ],
)
def test_times_of_fewer_or_other_parts(text: str, time: datetime) -> None:
    assert time_of(text) == time


@pytest.mark.parametrize(
    "text",
    ["", "    :  :     :  :  ", "0000:00:00 00:00:00", "yesterday", "2019:13:41 18:03:59",
     "2019:02:30 10:11:12", "2019:07:14 24:00:00", "2019:07:14 10:61:12", "2019:07:14 10:11:61",
     "2019:07:14 10:11:123", "14.07.2019 10:11:12", "07/14/2019 10:11", "2019:07", "2019",
     "2019:07-14 10:11:12", "2019:07:14 noon", "20190714", "\0", "\0002019:07:14 10:11:12",
     "٢٠١٩:07:14 10:11:12", None, 7, 7.5, (2019, 7, 14), b"\xff\xfe", ["2019:07:14 10:11:12"]],
)  # fmt: skip
def test_what_is_not_a_time(text: object) -> None:
    assert time_of(text) is None


def test_the_time_taken_comes_before_digitized_and_modified() -> None:
    days = [f"2019:07:{day} 10:11:12" for day in (14, 15, 16)]
    everywhere = in_exif({TAKEN: days[0], DIGITIZED: days[1]}, {MODIFIED: days[2]})
    assert details(jpeg(everywhere)).taken == NOON
    digitized = in_exif({DIGITIZED: days[0]}, {MODIFIED: days[2]})
    assert details(jpeg(digitized)).taken == NOON
    unusable = in_exif({TAKEN: "0000:00:00 00:00:00", DIGITIZED: days[0]}, {MODIFIED: days[2]})
    assert details(jpeg(unusable)).taken == NOON
    assert details(jpeg(in_exif({}, {MODIFIED: days[0]}))).taken == NOON
    assert details(jpeg(in_exif({}, {TAKEN: days[0], MODIFIED: days[2]}))).taken == NOON
    assert details(jpeg(in_exif({}))).taken is None


# -- place --------------------------------------------------------------------------------------


def rational(upper: int, lower: int) -> IFDRational:
    return IFDRational(upper, lower)


@pytest.mark.parametrize(
    "degrees",
    [(48.0, 12.0, 36.0), (48, 12, 36), (rational(48, 1), rational(12, 1), rational(36, 1)),
     (rational(48, 1), rational(126, 10), rational(0, 1)),
     (rational(48, 1), rational(126, 10), rational(0, 0)),
     (rational(48, 1), rational(126, 10)), (rational(4821, 100),), rational(4821, 100), 48.21,
     (rational(4821, 100), rational(0, 1), rational(0, 1)),
     (rational(4821, 100), rational(0, 0), rational(0, 0)),
     "48.21", "48 12.6", "48/1 12/1 36/1", b"48/1,12/1,36/1", ["48", "12", "36"]],
    ids=repr,
)  # fmt: skip
def test_spellings_of_degrees(degrees: object) -> None:
    assert place_of(degrees, "N", 16.37, "E") == VIENNA
    assert place_of(16.37, "N", degrees, "W") == Place(16.37, -48.21)


@pytest.mark.parametrize("side", ["S", "s", "South", "south", "SOUTH", "S\0", b"S", b"S\0", " S"])
def test_words_for_the_south(side: object) -> None:
    """A place on the wrong side of the equator is worse than none."""
    assert place_of(33.9, side, 151.2, "E") == Place(-33.9, 151.2)
    assert place_of(-33.9, side, 151.2, "East") == Place(-33.9, 151.2)


@pytest.mark.parametrize(
    "values",
    [
        (33.9, "", 151.2, "E"), (33.9, None, 151.2, "E"), (33.9, "O", 151.2, "E"),
        (33.9, "E", 151.2, "N"), (33.9, "S", 151.2, "Ouest"), (91, "N", 16, "E"),
        (48, "N", 181, "E"), (0, "N", 0, "E"), (None, "N", 16, "E"), ((), "N", 16, "E"),
        (rational(0, 0), "N", 16, "E"), ((rational(0, 0), 12, 36), "N", 16, "E"),
        ((1, 2, 3, 4), "N", 16, "E"), ("north", "N", 16, "E"), (float("inf"), "N", 16, "E"),
        ((48, -12, 0), "N", 16, "E"), ((48, "x"), "N", 16, "E"), ({"a": 1}, "N", 16, "E"),
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_not_a_place(values: tuple[Any, Any, Any, Any]) -> None:
    assert place_of(*values) is None


def test_degrees_with_a_sign_need_no_side() -> None:
    assert place_of(-33.9, "", -151.2, None) == Place(-33.9, -151.2)


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [("48,12.6N", "16,22.2E"), ("48,12,36N", "16,22,12E"), ("48.21N", "16.37E"),
     ("48,12.600000n", " 16,22.2E ")],
)  # fmt: skip
def test_places_in_xmp(latitude: str, longitude: str) -> None:
    assert place_in(latitude, "", longitude, "") == VIENNA
    assert place_in("33,54S", "", "18,25.2W", "") == Place(-33.9, -18.42)
    assert place_in("48.21", "N", "16.37", "E") == VIENNA
    assert place_in("48.21", "", "16.37", "") is None
    assert place_in("", "", "", "") is None


def test_a_place_in_exif() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "South", 2: (33.0, 54.0, 0.0), 3: "E", 4: (151.0, 12.0, 0.0)})
    assert details(jpeg(exif)).place == Place(-33.9, 151.2)


# -- camera -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("maker", "model", "camera"),
    [
        ("Maker", "Model 1", "Maker Model 1"), ("NIKON CORPORATION", "NIKON D90", "NIKON D90"),
        ("", "Model", "Model"), ("Maker", None, "Maker"), (None, None, ""), (3, b"x", "x"),
        ("小米".encode().decode("latin-1"), "Café 9".encode().decode("latin-1"), "小米 Café 9"),
        ("小米", "Café 9", "小米 Café 9"), ("Caf\xe9", "9", "Café 9"),
        ("Maker\0\0junk", "Model\0", "Maker Model"), ("  a \x1b[31m b ", "", "a [31m b"),
    ],
)  # fmt: skip
def test_names_of_cameras(maker: object, model: object, camera: str) -> None:
    assert camera_of(maker, model) == camera


def test_text_is_cut_at_its_end() -> None:
    assert text_of(b"a\0b") == text_of("a\0b") == "a"
    assert text_of(7) == text_of(None) == ""


# -- XMP and IPTC -------------------------------------------------------------------------------

_SPACES = (
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
    'xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
)


def packet(attributes: str = "", elements: str = "") -> bytes:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF {_SPACES}><rdf:Description rdf:about="" {attributes}>{elements}'
        "</rdf:Description></rdf:RDF></x:xmpmeta>" + " " * 100 + '<?xpacket end="w"?>'
    ).encode()


def with_xmp(content: bytes, exif: Image.Exif | None = None) -> bytes:
    return jpeg(exif, segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + content))


ATTRIBUTES = packet(
    'exif:DateTimeOriginal="2019-07-14T10:11:12+02:00" exif:GPSLatitude="48,12.6N" '
    'exif:GPSLongitude="16,22.2E" tiff:Make="Maker" tiff:Model="Café 9"'
)
ELEMENTS = packet(
    elements="<exif:DateTimeOriginal>2019-07-14T10:11:12</exif:DateTimeOriginal>"
    "<exif:GPSLatitude>48,12.6N</exif:GPSLatitude><exif:GPSLongitude>16,22.2E</exif:GPSLongitude>"
    "<tiff:Make>Maker</tiff:Make><tiff:Model>Café 9</tiff:Model>"
)


@pytest.mark.parametrize("told", [ATTRIBUTES, ELEMENTS, ELEMENTS + b"\0\0"], ids=range(3))
def test_xmp_fills_in_what_exif_lacks(told: bytes) -> None:
    read = details(with_xmp(told))
    assert (read.taken, read.place, read.camera) == (NOON, VIENNA, "Maker Café 9")


def test_exif_comes_before_xmp() -> None:
    exif = in_exif({TAKEN: "2001:02:03 04:05:06"}, {0x010F: "Other"})
    read = details(with_xmp(ATTRIBUTES, exif))
    assert (read.taken, read.place) == (datetime(2001, 2, 3, 4, 5, 6), VIENNA)
    assert read.camera == "Other"


def test_xmp_comes_before_the_time_of_editing() -> None:
    exif = in_exif({}, {MODIFIED: "2024:01:01 00:00:00"})
    assert details(with_xmp(ATTRIBUTES, exif)).taken == NOON
    created = packet('xmp:CreateDate="2019-07-14T10:11:12" xmp:ModifyDate="2024-01-01T00:00:00"')
    assert details(with_xmp(created)).taken == NOON


@pytest.mark.parametrize("name", ["photoshop:DateCreated", "exif:DateTimeDigitized"])
def test_other_times_in_xmp(name: str) -> None:
    assert details(with_xmp(packet(f'{name}="2019-07-14T10:11:12Z"'))).taken == NOON


BILLION = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9))
    + b"]><x>&j;</x>"
)


@pytest.mark.parametrize(
    "told",
    [b"", b"\0", b"no XML", b"<a>" * 200_000, BILLION, ATTRIBUTES[:-60], b"\xff\xfe" + ATTRIBUTES,
     b'<?xml version="1.0" encoding="no-such"?><a/>', b"<a><b></a></b>"],
    ids=range(9),
)  # fmt: skip
def test_damaged_xmp_costs_nothing(told: bytes) -> None:
    assert properties(told).get("exif:DateTimeOriginal") in (None, "2019-07-14T10:11:12+02:00")
    if len(told) < 60_000:
        assert corners(decode(with_xmp(told), SIZE).pixels) == UPRIGHT


def test_xmp_in_other_formats() -> None:
    for format_, name in (("PNG", "PNG"), ("WEBP", "WebP"), ("TIFF", "TIFF"), ("AVIF", "AVIF")):
        if format_ == "PNG":
            from PIL.PngImagePlugin import PngInfo

            info = PngInfo()
            info.add_itxt("XML:com.adobe.xmp", ATTRIBUTES.decode())
            content = encoded(quarters(), "PNG", pnginfo=info)
        elif format_ == "TIFF":
            content = encoded(quarters(), "TIFF", tiffinfo={700: ATTRIBUTES})
        else:
            content = encoded(quarters(), format_, xmp=ATTRIBUTES)
        read = details(content)
        assert (read.format, read.taken, read.place) == (name, NOON, VIENNA)


def iptc(**fields: bytes) -> bytes:
    numbers = {"day": 55, "time": 60}
    block = b"".join(
        b"\x1c\x02" + struct.pack(">BH", numbers[name], len(value)) + value
        for name, value in fields.items()
    )
    block += b"\0" * (len(block) % 2)
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(block)) + block
    return segment(0xED, b"Photoshop 3.0\0" + resource)


@pytest.mark.parametrize(
    ("fields", "time"),
    [
        ({"day": b"20190714", "time": b"101112+0200"}, NOON),
        ({"day": b"20190714", "time": b"101112"}, NOON),
        ({"day": b"20190714"}, datetime(2019, 7, 14)),
        ({"day": b"20190714", "time": b"noon"}, datetime(2019, 7, 14)),
        ({"day": b"20190700", "time": b"101112"}, None),
        ({"day": b"", "time": b"101112"}, None),
        ({"time": b"101112"}, None),
    ],
)
def test_the_time_in_iptc(fields: dict[str, bytes], time: datetime | None) -> None:
    assert details(jpeg(segments=iptc(**fields))).taken == time


# -- damage, and another program ------------------------------------------------------------------


def test_a_photo_with_damaged_exif_is_used() -> None:
    exif = Image.Exif()
    exif[0x0112] = 1
    content = bytearray(encoded(quarters(), "JPEG", exif=exif))
    start = content.index(b"Exif\0\0") + 6
    content[start + 4 : start + 12] = b"\xff" * 8
    assert corners(decode(bytes(content), SIZE).pixels) == UPRIGHT


IN_EXIF = [
    "-DateTimeOriginal=2019:07:14 10:11:12", "-GPSLatitude=48.21", "-GPSLatitudeRef=N",
    "-GPSLongitude=16.37", "-GPSLongitudeRef=E", "-charset", "exif=utf8", "-Make=小米",
]  # fmt: skip
IN_XMP = [
    "-XMP-exif:DateTimeOriginal=2019:07:14 10:11:12", "-XMP-exif:GPSLatitude=48.21",
    "-XMP-exif:GPSLongitude=16.37", "-XMP-tiff:Make=小米",
]  # fmt: skip


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool")
@pytest.mark.parametrize("options", [IN_EXIF, IN_XMP], ids=["EXIF", "XMP"])
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
def test_what_exiftool_writes_is_read(options: list[str], suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"photo.{suffix}"
    quarters().save(file)
    subprocess.run(["exiftool", "-q", *options, str(file)], check=True)
    read = details(file.read_bytes())
    assert (read.taken, read.place, read.camera) == (NOON, VIENNA, "小米")
