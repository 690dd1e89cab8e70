"""What the owner wrote in a photo: XMP, IPTC and EXIF together, in every format."""

import io
import struct
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pixquery.db.records import Annotation
from pixquery.indexer.annotations import annotation_in, merged, of_raw
from pixquery.indexer.formats import kind_of, open_photo
from pixquery.indexer.pillow import set_for_decoding
from tests.photos import encoded, quarters
from tests.test_exif import segment
from tests.test_iptc import fields
from tests.test_xmp_words import array, languages, packet

DESCRIPTION, COMMENT, MAKER = 0x010E, 0x9286, 0x010F
XP_TITLE, XP_COMMENT, XP_KEYWORDS = 0x9C9B, 0x9C9C, 0x9C9E
PACKET = packet(
    languages("dc:title", x_default="Harvest") + array("dc:subject", ["wheat", "Ähren 🌾"]),
    'xmp:Rating="4"',
)
HARVEST = Annotation(title="Harvest", keywords=("wheat", "Ähren 🌾"), rating=4)


def annotation(content: bytes) -> Annotation:
    with set_for_decoding(), open_photo(content, kind_of(content)) as image:
        before = annotation_in(image)
        image.load()
        assert annotation_in(image) == before
        return before


def jpeg(exif: dict[int, Any], inner: dict[int, Any] | None = None, segments: bytes = b"") -> bytes:
    written = Image.Exif()
    written.update(exif)
    if inner:
        written.get_ifd(0x8769).update(inner)
    content = encoded(quarters(), "JPEG", exif=written)
    return content[:2] + segments + content[2:]


def in_xmp(content: bytes) -> bytes:
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + content)


def in_iptc(block: bytes) -> bytes:
    block += b"\0" * (len(block) % 2)
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(block)) + block
    return segment(0xED, b"Photoshop 3.0\0" + resource)


def wide(text: str) -> bytes:
    return (text + "\0").encode("utf-16-le")


# -- EXIF ---------------------------------------------------------------------------------------


def test_the_fields_of_windows() -> None:
    exif = {
        DESCRIPTION: "Harvest", XP_TITLE: wide("Harvest"), XP_COMMENT: wide("In the 🌾 field"),
        XP_KEYWORDS: wide("wheat;Ähren; ;WHEAT"), 0x4746: 3, 0x4749: 50,
    }  # fmt: skip
    assert annotation(jpeg(exif)) == Annotation(
        title="Harvest", caption="In the 🌾 field", keywords=("wheat", "Ähren"), rating=3
    )


def test_what_a_camera_writes_is_nobodys_word() -> None:
    exif = {DESCRIPTION: "OLYMPUS DIGITAL CAMERA         ", 0x4746: 0, 0x4749: 0}
    assert not annotation(jpeg(exif, {COMMENT: b"\0" * 125}))
    assert not annotation(jpeg({DESCRIPTION: "cof", MAKER: "HUAWEI"}))
    assert annotation(jpeg({DESCRIPTION: "cof"})).caption == "cof"
    assert not annotation(jpeg({}, {COMMENT: b"ASCII\0\0\0Screenshot"}))
    assert not annotation(jpeg({}))


@pytest.mark.parametrize(
    ("comment", "text"),
    [
        (b"ASCII\0\0\0At home", "At home"),
        (b"ASCII\0\0\0" + "Zu Hause, schön".encode(), "Zu Hause, schön"),
        (b"ASCII\0\0\0At home\0\0\0\0", "At home"),
        (b"\0" * 8 + b"At home", "At home"),
        (b"\0" * 8 + b"\1\2\3binary\xff", ""),
        (b"UNICODE\0" + "Schön 🎂 東京".encode("utf-16-le"), "Schön 🎂 東京"),
        (b"UNICODE\0" + "Schön 🎂 東京".encode("utf-16-be"), "Schön 🎂 東京"),
        (b"UNICODE\0" + "東京".encode("utf-16"), "東京"),
        (b"UNICODE\0" + "Привет".encode("utf-16-be"), "Привет"),
        (b"UNICODE\0" + b"At home, in bed", "At home, in bed"),
        (b"JIS\0\0\0\0\0" + "東京".encode("iso2022_jp"), "東京"),
        (b"At home, without a character set", "At home, without a character set"),
        (b"ASCII\0\0\0" + b"x" * 60_000, "x" * 10_000),
        (b"", ""), (b"ASCII", ""), (b"UNICODE\0", ""), (b"UNICODE\0a", ""), (b"\xff" * 100, ""),
    ],
)  # fmt: skip
def test_user_comments(comment: bytes, text: str) -> None:
    assert annotation(jpeg({}, {COMMENT: comment})).caption == text


def test_a_description_comes_before_a_comment() -> None:
    read = annotation(jpeg({DESCRIPTION: "Schön".encode()}, {COMMENT: b"ASCII\0\0\0other"}))
    assert read.caption == "Schön"


# -- together -----------------------------------------------------------------------------------


def test_xmp_comes_before_iptc_before_exif() -> None:
    block = fields((2, 5, b"IPTC"), (2, 120, b"From IPTC"), (2, 25, b"barley"), (2, 25, b"WHEAT"))
    exif = {DESCRIPTION: "From EXIF", XP_TITLE: wide("EXIF"), XP_KEYWORDS: wide("rye"), 0x4746: 1}
    assert annotation(jpeg(exif, segments=in_xmp(PACKET) + in_iptc(block))) == Annotation(
        title="Harvest",
        caption="From IPTC",
        keywords=("wheat", "Ähren 🌾", "barley", "rye"),
        rating=4,
    )
    assert annotation(jpeg(exif)).caption == "From EXIF"


def test_keywords_that_iptc_cut_off_are_not_kept_beside_the_whole() -> None:
    long = "a keyword that is longer than the sixty-four bytes that IPTC allows for one"
    block = fields((2, 25, long.encode()[:64]), (2, 25, b"a keyword"))
    whole = in_xmp(packet(array("dc:subject", [long])))
    assert annotation(jpeg({}, segments=whole + in_iptc(block))).keywords == (long, "a keyword")


def test_no_stars_in_xmp_take_back_those_in_exif() -> None:
    content = jpeg({0x4746: 3}, segments=in_xmp(packet(attributes='xmp:Rating="0"')))
    assert annotation(content).rating == 0
    assert merged(annotation(content)).rating is None


def test_sidecars_and_photos_together() -> None:
    sidecar = Annotation(caption="New", keywords=("b", "C"), rating=0, location=("Lisbon",))
    photo = Annotation("Title", "Old", ("c", "a"), ("Anna",), 5, "Red", ("Porto", "Portugal"))
    assert merged(sidecar, photo) == Annotation(
        "Title", "New", ("b", "C", "a"), ("Anna",), None, "Red", ("Lisbon",)
    )
    assert merged(photo, sidecar).rating == 5
    assert merged(Annotation(), photo) == photo
    assert merged() == merged(Annotation(), Annotation()) == merged(Annotation(rating=0))
    many = Annotation(keywords=tuple(map(str, range(900))))
    more = Annotation(keywords=tuple(map(str, range(800, 1700))))
    assert len(merged(many, more).keywords) == 1000


# -- formats ------------------------------------------------------------------------------------


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + name + content


def in_jpeg_xl(packet: bytes) -> bytes:
    import pillow_jxl  # noqa: F401 - registers itself

    code = encoded(quarters(), "JXL")
    begin = box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    return begin + box(b"xml ", packet) + box(b"jxlc", code)


def with_xmp(format_: str) -> bytes:
    if format_ == "JXL":
        return in_jpeg_xl(PACKET)
    if format_ == "PNG":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", PACKET.decode())
        return encoded(quarters(), "PNG", pnginfo=info)
    if format_ == "TIFF":
        return encoded(quarters(), "TIFF", tiffinfo={700: PACKET})
    return encoded(quarters(), format_, xmp=PACKET)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "JXL"])
def test_every_format(format_: str) -> None:
    if format_ == "JXL":
        pytest.importorskip("pillow_jxl")
    assert annotation(with_xmp(format_)) == HARVEST


def test_a_tiff_of_16_bits_and_iptc_in_a_tiff() -> None:
    deep = Image.new("I;16", (8, 8), 9)
    block = fields((2, 25, b"barley"), (2, 25, b"rye"))
    for picture in (deep, quarters()):
        content = encoded(picture, "TIFF", tiffinfo={700: PACKET, 33723: block})
        assert annotation(content).keywords == ("wheat", "Ähren 🌾", "barley", "rye")


def test_a_raw_file_that_is_a_tiff() -> None:
    content = encoded(quarters(), "TIFF", tiffinfo={700: PACKET})
    preview = Annotation(caption="Preview's", rating=1)
    expected = Annotation("Harvest", "Preview's", ("wheat", "Ähren 🌾"), (), 4)
    assert of_raw(content, preview) == expected
    assert of_raw(b"FUJIFILMCCD-RAW", preview) == preview


@pytest.mark.parametrize("value", [b"", "text", 7, (1, 2), None, b"\xff" * 10], ids=repr)
def test_strange_values_cost_nothing(value: object) -> None:
    image = Image.open(io.BytesIO(encoded(quarters(), "PNG")))
    exif = image.getexif()
    for tag in (DESCRIPTION, XP_TITLE, XP_KEYWORDS, 0x4746, 0x4749, MAKER, 700, 33723):
        exif[tag] = value
    image.info |= {"xmp": value, "photoshop": {0x0404: value}}
    annotation_in(image)
