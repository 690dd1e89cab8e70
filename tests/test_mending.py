"""Photos whose pixels are whole are used, whatever stands beside them; cut off ones are not."""

import io
import random
import struct
import time
import zlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from pixquery.db.errors import UnreadableImage
from pixquery.indexer import jpeg, png
from pixquery.indexer.decode import decode
from tests.conftest import REPOSITORY, Invoke, parsed
from tests.photos import (
    SAMPLES,
    UPRIGHT,
    chunk,
    corners,
    encoded,
    matrix_profile,
    oriented,
    quarters,
    tiff,
)

SIZE = 64
EXAMPLES = sorted((REPOSITORY / "examples" / "images").glob("*.jpg"))
FILM = b"MotionPhoto_Data\0\0\0\x18ftypmp42" + random.Random(2).randbytes(3_000_000)
PNG, JPEG = encoded(quarters()), encoded(quarters(), "JPEG", quality=95)
LONG = b"x" * 2_000_000


def is_upright(content: bytes) -> bool:
    return corners(decode(content, SIZE).pixels) == UPRIGHT


# -- JPEG: films, further pictures, previews -----------------------------------------------------


def _photo(width: int, height: int, *, progressive: bool) -> bytes:
    return encoded(quarters((width, height)), "JPEG", quality=60, progressive=progressive)


@pytest.mark.parametrize("behind", [FILM, JPEG * 2000, b"\xff\xda" * 500_000], ids=len)
def test_what_lies_behind_a_progressive_photo_is_not_counted(behind: bytes) -> None:
    content = _photo(4000, 3000, progressive=True)
    assert len(jpeg.layout(content + behind).scans) == len(jpeg.layout(content).scans) < 20
    assert is_upright(content + behind)


def test_a_motion_photo_above_100_megapixels() -> None:
    assert is_upright(_photo(12_000, 9_000, progressive=False) + FILM)


def test_a_preview_within_a_photo_is_not_counted() -> None:
    preview = encoded(quarters(), "JPEG", progressive=True)
    segment = b"\xff\xe1" + struct.pack(">H", len(preview) + 8) + b"Other\0" + preview
    content = encoded(quarters(), "JPEG", progressive=True)
    parts = jpeg.layout(content[:2] + segment * 9 + content[2:])
    assert len(parts.scans) == len(jpeg.layout(content).scans)
    assert parts.ended


@pytest.mark.parametrize("save", [{}, {"progressive": True}, {"restart_marker_blocks": 1}])
def test_the_walk_ends_where_the_picture_ends(save: dict[str, int]) -> None:
    with Image.open(EXAMPLES[0]) as image:
        content = encoded(image, "JPEG", **save)
    parts = jpeg.layout(content + FILM)
    assert (parts.end, parts.ended) == (len(content), True)
    assert jpeg.all_scans_begun(content, parts)


def test_the_walk_is_faster_than_decoding() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (2000, 3000, 3), np.uint8))
    content = encoded(noise, "JPEG", quality=95)

    def seconds(call: Callable[[], object]) -> float:
        begin = time.process_time()
        call()
        return time.process_time() - begin

    walking = min(seconds(lambda: jpeg.layout(content)) for _ in range(3))
    assert walking < 0.3 * min(seconds(lambda: decode(content, SIZE)) for _ in range(3))


# -- JPEG: the end ----------------------------------------------------------------------------


def _ways(image: Image.Image) -> list[bytes]:
    image = image.convert("RGB")
    ways: list[dict[str, Any]] = [
        {},
        {"progressive": True},
        {"restart_marker_rows": 1},
        {"subsampling": 0},
    ]
    return [encoded(image, "JPEG", quality=85, **way) for way in ways] + [
        encoded(image.convert("L"), "JPEG"),
        encoded(image.convert("CMYK"), "JPEG"),
    ]


@pytest.mark.parametrize("file", EXAMPLES[:6], ids=lambda file: file.name)
def test_a_photo_without_its_end_mark_is_the_same_photo(file: Path) -> None:
    with Image.open(file) as image:
        contents = _ways(image)
    ends = (b"", b"\xff", bytes(5000), b"\xff" * 500, b"text at the end", JPEG, FILM)
    for content in contents:
        expected = decode(content, SIZE).pixels
        for end in ends:
            assert np.array_equal(decode(content[:-2] + end, SIZE).pixels, expected)


@pytest.mark.parametrize("file", EXAMPLES[:4], ids=lambda file: file.name)
def test_a_photo_that_lacks_some_of_its_last_blocks_is_used(file: Path) -> None:
    with Image.open(file) as image:
        contents = _ways(image)[:4]
    for content in contents:
        expected = decode(content, SIZE).pixels.astype(int)
        for length in (3, 10, 100):
            pixels = decode(content[:-length], SIZE).pixels
            assert np.abs(pixels - expected)[: SIZE * 9 // 10].max() <= 2


@pytest.mark.parametrize("share", [0.5, 0.8, 0.9])
@pytest.mark.parametrize("file", EXAMPLES[:4], ids=lambda file: file.name)
def test_a_photo_that_is_cut_off_is_refused(file: Path, share: float) -> None:
    with Image.open(file) as image:
        contents = _ways(image)
    for content in contents:
        with pytest.raises(UnreadableImage, match=r"damaged or cut off \(.*(missing|passes)"):
            decode(content[: int(len(content) * share)], SIZE)


def test_the_reason_says_how_much_is_missing() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (640, 640, 3), np.uint8))
    content = encoded(noise, "JPEG", quality=90)
    with pytest.raises(UnreadableImage, match=r"the lower (4[89]|5[0-2])% of it is missing"):
        decode(content[: len(content) // 2], SIZE)


def test_a_progressive_photo_of_which_a_pass_is_missing_is_refused() -> None:
    content = encoded(quarters(), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    with pytest.raises(UnreadableImage, match="not all of its passes are there"):
        decode(content[:last], SIZE)


# -- JPEG: what stands beside the picture ---------------------------------------------------------


def _segment(code: int, data: bytes) -> bytes:
    return bytes([0xFF, code]) + struct.pack(">H", len(data) + 2) + data


BESIDE_JPEG = {
    "a short JFIF": _segment(0xE0, b"JFIF\0"),
    "EXIF that is none": _segment(0xE1, b"Exif\0\0garbage"),
    "a profile without its numbers": _segment(0xE2, b"ICC_PROFILE\0"),
    "a profile's first part of two": _segment(0xE2, b"ICC_PROFILE\0\1\2" + matrix_profile()),
    "a profile that is none": _segment(0xE2, b"ICC_PROFILE\0\1\1garbage"),
    "an empty list of pictures": _segment(0xE2, b"MPF\0"),
    "a list of pictures far away": _segment(0xE2, b"MPF\0II*\0\xff\xff\xff\x7f"),
    "Photoshop's, cut off": _segment(0xED, b"Photoshop 3.0\x008BIM\3\xed"),
    "a short Adobe": _segment(0xEE, b"Adobe"),
    "25 MB of others": _segment(0xEB, bytes(65_000)) * 400,
}


@pytest.mark.parametrize("name", BESIDE_JPEG)
def test_nothing_beside_a_jpeg_costs_it(name: str) -> None:
    assert is_upright(JPEG[:20] + BESIDE_JPEG[name] + JPEG[20:])
    assert is_upright(JPEG[:2] + BESIDE_JPEG[name] + JPEG[2:])


def test_of_a_mended_jpeg_orientation_time_and_colours_stay() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0x9003] = "2019:07:21 18:03:59"
    content = encoded(quarters(), "JPEG", exif=exif, icc_profile=matrix_profile())
    whole, short = decode(content, SIZE), decode(content[:-2], SIZE)
    assert np.array_equal(short.pixels, whole.pixels)
    assert short.details == whole.details
    assert short.details.taken == datetime(2019, 7, 21, 18, 3, 59)


def test_a_jpeg_of_twelve_bits_is_called_so() -> None:
    frame = JPEG.index(b"\xff\xc0")
    content = JPEG[: frame + 4] + b"\x0c" + JPEG[frame + 5 :]
    with pytest.raises(UnreadableImage, match=r"this kind of JPEG is not read \(12 bits a channel"):
        decode(content, SIZE)


# -- PNG --------------------------------------------------------------------------------------


def _wrong(name: bytes, data: bytes) -> bytes:
    return chunk(name, data)[:-4] + b"\0\0\0\0"


def _large_profile() -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + bytes(1_500_000)
    return struct.pack(">I", len(profile)) + profile[4:]


BESIDE_PNG = {
    "2 MB in zTXt": chunk(b"zTXt", b"workflow\0\0" + zlib.compress(LONG)),
    "2 MB in iTXt": chunk(b"iTXt", b"w\0\1\0\0\0" + zlib.compress(LONG)),
    "6 MB in tEXt": chunk(b"tEXt", b"w\0" + LONG * 3),
    "80 MB in 80 zTXt": chunk(b"zTXt", b"w\0\0" + zlib.compress(LONG[: 1 << 20])) * 80,
    "tEXt with a wrong checksum": _wrong(b"tEXt", b"Comment\0hello"),
    "zTXt of an unknown method": chunk(b"zTXt", b"w\0\5garbage"),
    "a short pHYs": chunk(b"pHYs", b"ab"),
    "a short gAMA": chunk(b"gAMA", b"ab"),
    "a short cHRM": chunk(b"cHRM", b"ab"),
    "an empty sRGB": chunk(b"sRGB", b""),
    "a short tRNS": chunk(b"tRNS", b"a"),
    "a short acTL": chunk(b"acTL", b"a"),
    "EXIF that is none": chunk(b"eXIf", b"garbage"),
    "a name that is none": chunk(b"a\0b1", b"data"),
    "a profile of 1.5 MB": chunk(b"iCCP", b"p\0\0" + zlib.compress(_large_profile())),
    "a profile of 300 MB": chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(300_000_000), 1)),
    "a profile without a name": chunk(b"iCCP", b"p"),
    "a profile of an unknown method": chunk(b"iCCP", b"p\0\7garbage"),
    "a profile with a wrong checksum": _wrong(b"iCCP", b"p\0\0" + zlib.compress(b"profile")),
}


@pytest.mark.parametrize("name", BESIDE_PNG)
def test_nothing_beside_a_png_costs_it(name: str) -> None:
    assert is_upright(PNG[:33] + BESIDE_PNG[name] + PNG[33:])
    assert is_upright(PNG[:-12] + BESIDE_PNG[name] + PNG[-12:])


def test_pngs_end() -> None:
    for content in (PNG[:-12], PNG[:-5], PNG[:-1] + b"\0", PNG + b"junk" * 999):
        assert is_upright(content)


def test_a_png_whose_pixels_are_damaged_is_refused() -> None:
    place = PNG.index(b"IDAT") + 40
    text = BESIDE_PNG["2 MB in zTXt"]
    damaged = PNG[:33] + text + PNG[33:place] + bytes(9) + PNG[place + 9 :]
    header = PNG[:29] + bytes(4) + PNG[33:]  # its size may be wrong
    for content in (damaged, header, PNG[: len(PNG) // 2]):
        with pytest.raises(UnreadableImage, match="damaged or cut off"):
            decode(content, SIZE)


def test_a_large_profile_of_a_png_is_used() -> None:
    profile = matrix_profile() + bytes(1_500_000)
    profile = struct.pack(">I", len(profile)) + profile[4:]
    red = Image.new("RGB", (9, 9), (200, 60, 40))
    small = encoded(red, icc_profile=matrix_profile())
    content = encoded(red)
    content = content[:33] + chunk(b"iCCP", b"p\0\0" + zlib.compress(profile)) + content[33:]
    assert np.array_equal(decode(content, SIZE).pixels, decode(small, SIZE).pixels)
    assert not np.array_equal(decode(content, SIZE).pixels, decode(encoded(red), SIZE).pixels)


@pytest.mark.parametrize("orientation", [3, 6])
def test_of_a_mended_png_orientation_and_transparency_stay(orientation: int) -> None:
    text = BESIDE_PNG["2 MB in zTXt"]
    content = oriented(quarters(), orientation, "PNG")
    assert is_upright(content[:33] + text + content[33:])
    palette = Image.new("P", (9, 9), 0)
    palette.putpalette([255, 0, 0])
    content = encoded(palette, transparency=0)
    assert decode(content[:33] + text + content[33:], SIZE).pixels.min() == 255


def test_a_sound_png_stays_as_it_is_without_its_text() -> None:
    content, profile = png.without_extras(PNG[:33] + BESIDE_PNG["2 MB in zTXt"] + PNG[33:])
    assert (content, profile) == (PNG, b"")


# -- GIF, WebP, TIFF, HEIC, AVIF ----------------------------------------------------------------


def _block(label: int, data: bytes) -> bytes:
    parts = [data[at : at + 255] for at in range(0, len(data), 255)]
    return bytes([0x21, label]) + b"".join(bytes([len(p)]) + p for p in parts) + b"\0"


@pytest.mark.parametrize(
    "extension",
    [
        _block(0xFE, LONG),
        _block(0xFE, b"hi") * 20_000,
        _block(0xFF, b"NETSCAPE2.0") + _block(0xFF, b"NETSCAPE2.0\1"),
        b"\x21\xf9\x01\x01\x00",
        b"\x21\xf9\x00",
        _block(0x77, b"unknown"),
    ],
    ids=["2 MB", "20,000", "short", "short control", "empty control", "unknown"],
)
def test_nothing_beside_a_gif_costs_it(extension: bytes) -> None:
    content = encoded(quarters().quantize(16), "GIF")
    at = 13 + 3 * (2 << (content[10] & 7))
    assert is_upright(content[:at] + extension + content[at:])


def test_nothing_beside_a_webp_costs_it() -> None:
    exif = Image.Exif()
    exif[0x0112] = 1
    content = encoded(quarters(), "WEBP", lossless=True, exif=exif, icc_profile=matrix_profile())
    at = content.index(b"EXIF") + 4
    longer = content[:at] + struct.pack("<I", 5_000_000) + content[at + 4 :]
    for changed in (content[:-5], longer, content[:4] + struct.pack("<I", 90_000) + content[8:]):
        with pytest.raises(OSError, match="could not create decoder"):
            Image.open(io.BytesIO(changed))
        assert np.array_equal(decode(changed, SIZE).pixels, decode(content, SIZE).pixels)


@pytest.mark.parametrize(
    "tags", [{50000: 0x7FFFFFFF}, {34665: 0x7FFFFFFF}, {34853: 8}, {330: 8}, {296: 99}, {0xBC01: 1}]
)
def test_nothing_beside_a_tiff_costs_it(tags: dict[int, int]) -> None:
    assert is_upright(tiff(np.asarray(quarters()), 2, tags=tags))


def test_nothing_beside_an_heic_or_avif_costs_it() -> None:
    heic = (SAMPLES / "quarters-1.heic").read_bytes()
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    avif = encoded(quarters(), "AVIF", exif=exif)
    at = avif.index(b"MM\0*")
    name = heic.index(b"Exif\0") + 4
    for content in (
        avif[: at - 4] + b"\xff\xff\xff\xff" + avif[at:],
        avif[:at] + b"garbage!" + avif[at + 8 :],
        heic[:name].replace(b"Exif", b"Exi\xff") + heic[name:],
        heic + struct.pack(">I4s", 100_008, b"mpvd") + bytes(100_000),
    ):
        assert is_upright(content)


# -- all together ------------------------------------------------------------------------------


def test_index_takes_them(tmp_path: Path, invoke: Invoke, colours: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    files = {
        "motion.jpg": _photo(4000, 3000, progressive=True) + FILM,
        "no-end.jpg": JPEG[:-2],
        "text.png": PNG[:33] + BESIDE_PNG["2 MB in iTXt"] + PNG[33:],
        "profile.png": PNG[:33] + BESIDE_PNG["a profile of 1.5 MB"] + PNG[33:],
        "cut.jpg": EXAMPLES[0].read_bytes()[:-20_000],
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    done = invoke(
        "index", folder, "--library", tmp_path / "library", "--profile", colours, "--json"
    )
    assert parsed(done)["added"] == 4
    (skipped,) = parsed(done)["skipped"]
    assert Path(skipped["path"]).name == "cut.jpg"
    assert "is missing" in skipped["reason"]
