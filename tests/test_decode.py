"""Bytes to upright pixels: formats, orientations, limits, and files that only pretend."""

import io
import struct
import time
import zlib
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import REPOSITORY, SUFFIXES
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from db.errors import UnreadableImage
from db.records import Pixels
from indexer.decode import MAX_PIXELS, Photo, decode

SIZE = 32
FORMATS = {".jpg": "JPEG", ".png": "PNG", ".gif": "GIF", ".webp": "WEBP", ".bmp": "BMP",
           ".tiff": "TIFF"}  # fmt: skip
PHOTOS = sorted((REPOSITORY / "examples" / "images").iterdir())


def encoded(image: Image.Image, format_: str = "PNG", **save: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format_, **save)
    return out.getvalue()


def quarters(size: tuple[int, int] = (96, 64)) -> Image.Image:
    """Red, green, blue and white quarters: turned or mirrored, it is another picture."""
    image = Image.new("RGB", size, "white")
    width, height = size[0] // 2, size[1] // 2
    for colour, place in (("red", (0, 0)), ("lime", (width, 0)), ("blue", (0, height))):
        image.paste(Image.new("RGB", (width, height), colour), place)
    return image


def corners(pixels: Pixels) -> list[str]:
    """Names of the colours in the middle of the four quarters."""
    names = {(1, 0, 0): "red", (0, 1, 0): "lime", (0, 0, 1): "blue", (1, 1, 1): "white"}
    quarter = len(pixels) // 4
    middles = [(quarter, quarter), (quarter, -quarter), (-quarter, quarter), (-quarter, -quarter)]
    bright = [pixels[place].astype(int) > 127 for place in middles]
    return [names.get((int(r), int(g), int(b)), "none") for r, g, b in bright]


def stored(image: Image.Image, orientation: int) -> Image.Image:
    """The picture as a camera stores it that then writes this orientation."""
    turned = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    return image if turned is None else image.transpose(turned)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(orientation: int, format_: str) -> None:
    upright = quarters()
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(stored(upright, orientation), format_, exif=exif)
    # Pillow's own way of turning agrees that this file shows the upright picture.
    with Image.open(io.BytesIO(content)) as image:
        assert ImageOps.exif_transpose(image).size == upright.size
    photo = decode(content, SIZE)
    assert corners(photo.pixels) == ["red", "lime", "blue", "white"]
    assert (photo.width, photo.height) == (96, 64)
    plain = decode(encoded(upright), SIZE).pixels.astype(int)
    assert np.abs(photo.pixels - plain).mean() < 6


@pytest.mark.parametrize("orientation", [0, 9, 1000])
def test_an_orientation_that_does_not_exist_is_none(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = decode(encoded(quarters(), "JPEG", exif=exif), SIZE)
    assert corners(photo.pixels) == ["red", "lime", "blue", "white"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_the_same_picture(suffix: str) -> None:
    photo = decode(encoded(quarters(), FORMATS[suffix]), SIZE)
    assert photo.pixels.shape == (SIZE, SIZE, 3)
    assert photo.pixels.dtype == np.uint8
    assert corners(photo.pixels) == ["red", "lime", "blue", "white"]
    assert (photo.width, photo.height, photo.taken) == (96, 64, None)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 7), (SIZE, SIZE)])
def test_any_shape_is_squashed_whole(size: tuple[int, int]) -> None:
    photo = decode(encoded(Image.new("RGB", size, (10, 200, 30))), SIZE)
    assert (photo.width, photo.height) == size
    assert np.abs(photo.pixels.astype(int) - (10, 200, 30)).max() <= 1


@pytest.mark.parametrize("size", [8, 260])
@pytest.mark.parametrize("file", PHOTOS, ids=lambda file: file.name)
def test_scaled_decoding_is_close_to_full_decoding(file: Path, size: int) -> None:
    with Image.open(file) as image:
        full = ImageOps.exif_transpose(image).convert("RGB")
    wanted = np.asarray(full.resize((size, size), Image.Resampling.BICUBIC), np.int64)
    photo = decode(file.read_bytes(), size)
    assert (photo.width, photo.height) == full.size
    assert np.abs(photo.pixels - wanted).mean() < 4


def test_large_jpegs_are_decoded_at_a_fraction() -> None:
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 255, (40, 60, 3), np.uint8)).resize((4800, 3200))
    content = encoded(noise, "JPEG", quality=80)

    def seconds(size: int) -> float:
        begin = time.perf_counter()
        decode(content, size)
        return time.perf_counter() - begin

    assert min(seconds(64) for _ in range(3)) < 0.7 * min(seconds(3000) for _ in range(3))


def test_transparency_lies_on_white() -> None:
    image = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 20, 40))
    pixels = decode(encoded(image), SIZE).pixels
    assert pixels[16, 4].tolist() == [0, 0, 255]
    assert pixels[16, -4].tolist() == [255, 255, 255]
    assert pixels[:, :, 2].min() >= 250  # no red shines through where the two meet


def test_half_transparency_is_half_white() -> None:
    pixels = decode(encoded(Image.new("RGBA", (9, 9), (0, 0, 0, 128))), SIZE).pixels
    assert np.abs(pixels.astype(int) - 127).max() <= 1


def test_grey_with_alpha_lies_on_white() -> None:
    assert decode(encoded(Image.new("LA", (9, 9), (0, 0))), SIZE).pixels.min() == 255


def test_palettes_are_looked_up() -> None:
    image = quarters().convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    assert corners(decode(encoded(image), SIZE).pixels) == ["red", "lime", "blue", "white"]


def test_a_transparent_palette_colour_is_white() -> None:
    image = Image.new("P", (9, 9), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    assert decode(encoded(image, transparency=0), SIZE).pixels.min() == 255


def test_one_bit_pictures() -> None:
    image = Image.new("1", (10, 10), 1)
    image.paste(0, (0, 0, 5, 10))
    pixels = decode(encoded(image), SIZE).pixels
    assert (pixels[16, 3].tolist(), pixels[16, -3].tolist()) == ([0] * 3, [255] * 3)


@pytest.mark.parametrize("level", [0, 200, 255, 256, 32768, 65535])
def test_sixteen_bits_are_scaled_to_eight(level: int) -> None:
    image = Image.fromarray(np.full((9, 9), level, np.uint16))
    pixels = decode(encoded(image), SIZE).pixels
    assert np.abs(pixels.astype(float) - level / 257).max() <= 1.5


def test_cmyk_jpegs() -> None:
    image = quarters().convert("CMYK")
    photo = decode(encoded(image, "JPEG", quality=95), SIZE)
    assert corners(photo.pixels) == ["red", "lime", "blue", "white"]


def test_grey_jpegs() -> None:
    photo = decode(encoded(Image.new("L", (50, 50), 77), "JPEG"), SIZE)
    assert np.abs(photo.pixels.astype(int) - 77).max() <= 2


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_many_frames_the_first_is_taken(format_: str) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue", "lime")]
    content = encoded(frames[0], format_, save_all=True, append_images=frames[1:])
    assert decode(content, SIZE).pixels[5, 5].argmax() == 0


# -- EXIF -------------------------------------------------------------------------------------


def taken(text: Any) -> datetime | None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = text
    return decode(encoded(quarters(), "JPEG", exif=exif), SIZE).taken


def test_the_camera_time() -> None:
    assert taken("2019:07:21 18:03:59") == datetime(2019, 7, 21, 18, 3, 59)


@pytest.mark.parametrize("text", ["", "    :  :     :  :  ", "0000:00:00 00:00:00", "yesterday",
                                  "2019:13:41 18:03:59"])  # fmt: skip
def test_a_camera_without_a_clock(text: str) -> None:
    assert taken(text) is None


def test_damaged_exif_is_no_reason_to_lose_a_photo() -> None:
    exif = Image.Exif()
    exif[0x0112] = 1
    content = bytearray(encoded(quarters(), "JPEG", exif=exif))
    start = content.index(b"Exif\0\0") + 6
    content[start + 4 : start + 12] = b"\xff" * 8
    assert corners(decode(bytes(content), SIZE).pixels) == ["red", "lime", "blue", "white"]


# -- limits and damage ------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_claiming(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0"))


def gif_claiming(width: int, height: int) -> bytes:
    small = bytearray(encoded(Image.new("RGB", (4, 4)), "GIF"))
    small[6:10] = struct.pack("<HH", width, height)
    return bytes(small)


def bmp_claiming(width: int, height: int) -> bytes:
    small = bytearray(encoded(Image.new("RGB", (4, 4)), "BMP"))
    small[18:26] = struct.pack("<ii", width, height)
    return bytes(small)


@pytest.mark.parametrize(
    "content",
    [png_claiming(50_000, 50_000), gif_claiming(60_000, 60_000), bmp_claiming(40_000, 40_000)],
    ids=["png", "gif", "bmp"],
)
def test_gigapixels_are_refused_before_decoding(content: bytes) -> None:
    begin = time.perf_counter()
    with pytest.raises(UnreadableImage, match=r"00 x \d\d,000 pixels are more than the 256 mega"):
        decode(content, SIZE)
    assert time.perf_counter() - begin < 0.5


def test_the_largest_camera_is_within_the_limit() -> None:
    assert MAX_PIXELS >= 200_000_000
    with pytest.raises(UnreadableImage, match="damaged or cut off"):  # and not "too large"
        decode(png_claiming(16_000, 12_500), SIZE)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_files_cut_off_anywhere_are_refused_or_whole(format_: str) -> None:
    whole = encoded(quarters(), format_)
    refused = 0
    for length in range(0, len(whole) - 1, max(1, len(whole) // 60)):
        try:
            decode(whole[:length], SIZE)
        except UnreadableImage as error:
            refused += 1
            assert str(error)
    assert refused > 30


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"GIF89a", b"\xff\xd8\xff", b"%PDF-1.7\n", b"x" * 99]
)
def test_what_is_no_photo_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableImage):
        decode(content, SIZE)


def test_other_formats_that_pillow_knows_are_refused() -> None:
    for format_ in ("PPM", "ICO", "TGA", "EPS"):
        with pytest.raises(UnreadableImage, match="not a JPEG, PNG"):
            decode(encoded(quarters(), format_), SIZE)


_SMALL = {name: encoded(quarters((24, 16)), name) for name in ("JPEG", "PNG", "GIF", "WEBP", "BMP",
                                                               "TIFF")}  # fmt: skip


@given(
    format_=st.sampled_from(sorted(_SMALL)),
    changes=st.lists(st.tuples(st.integers(0), st.binary(min_size=1, max_size=4)), max_size=5),
)
@hypothesis_settings(max_examples=400)
def test_damage_anywhere_never_does_more_than_refuse(
    format_: str, changes: list[tuple[int, bytes]]
) -> None:
    content = bytearray(_SMALL[format_])
    for place, data in changes:
        place %= len(content)
        content[place : place + len(data)] = data
    try:
        photo = decode(bytes(content), SIZE)
    except UnreadableImage as error:
        assert str(error)
    else:
        assert isinstance(photo, Photo)
        assert photo.pixels.shape == (SIZE, SIZE, 3)
