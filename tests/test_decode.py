"""Bytes to upright pixels: formats and orientations."""

import io
import struct
import time
import zlib
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from pixquery.db.errors import UnreadableImage
from pixquery.engine.alteration import Alteration
from pixquery.engine.profile import load_profile
from pixquery.indexer.altered import altered
from pixquery.indexer.decode import decode, thumbnail
from tests import photos
from tests.conftest import REPOSITORY, SUFFIXES
from tests.photos import SAMPLES, UPRIGHT, corners, encoded, oriented, quarters, transcoded

SIZE = 32
FORMATS = {".jpg": "JPEG", ".png": "PNG", ".gif": "GIF", ".webp": "WEBP", ".bmp": "BMP",
           ".tiff": "TIFF"}  # fmt: skip
PHOTOS = sorted((REPOSITORY / "examples" / "images").iterdir())
BALLOON = REPOSITORY / "examples" / "images" / "p15.jpg"


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(orientation: int, format_: str) -> None:
    upright = quarters()
    content = oriented(upright, orientation, format_)
    # Pillow agrees that this file shows the upright picture.
    with Image.open(io.BytesIO(content)) as image:
        assert ImageOps.exif_transpose(image).size == upright.size
    photo = decode(content, SIZE)
    assert corners(photo.pixels) == UPRIGHT
    assert (photo.width, photo.height) == (96, 64)
    plain = decode(encoded(upright), SIZE).pixels.astype(int)
    assert np.abs(photo.pixels - plain).mean() < 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(96, 32), (32, 96)])
def test_of_a_cropped_photo_only_the_middle_square_is_seen(
    size: tuple[int, int], orientation: int
) -> None:
    """Three squares in a row, of which the middle one is green; by default all are squashed."""
    upright = Image.new("RGB", size, "red")
    left, top = (size[0] - 32) // 2, (size[1] - 32) // 2
    upright.paste("lime", (left, top, left + 32, top + 32))
    content = oriented(upright, orientation, "PNG")
    assert (decode(content, SIZE, fit="crop").pixels == (0, 255, 0)).all()
    squashed = decode(content, SIZE).pixels
    assert 0.3 < (squashed[:, :, 1] > 200).mean() < 0.36
    altered_too = altered(content, SIZE, Alteration(1.0), fit="crop")
    assert np.abs(altered_too.astype(int) - (0, 255, 0)).max() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_heic_comes_out_upright(orientation: int) -> None:
    photo = decode((SAMPLES / f"quarters-{orientation}.heic").read_bytes(), SIZE)
    assert corners(photo.pixels) == UPRIGHT
    assert (photo.width, photo.height) == (96, 64)
    assert photo.details.taken == datetime(2019, 7, 21, 18, 3, 59)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpeg_xl_comes_out_upright(orientation: int, tmp_path: Path) -> None:
    jpeg = oriented(quarters(), orientation, "JPEG", quality=95)
    photo = decode(transcoded(jpeg, tmp_path), SIZE)
    assert corners(photo.pixels) == UPRIGHT
    assert (photo.width, photo.height) == (96, 64)


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "LA", "I;16"])
def test_several_sizes_are_those_of_several_decodings(mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.arange(96 * 64, dtype=np.uint16).reshape(64, 96) * 10)
    else:
        image = quarters().convert(mode)
    if mode in ("RGBA", "LA"):
        image.putalpha(quarters().convert("L"))
    content = oriented(image, 6, "PNG")
    photo = decode(content, SIZE, 48, 20)
    assert [pixels.shape[0] for pixels in photo.scales] == [SIZE, 48, 20]
    for pixels in photo.scales:
        alone = decode(content, len(pixels))
        assert np.array_equal(pixels, alone.pixels)
        assert (photo.width, photo.height, photo.details) == (
            alone.width, alone.height, alone.details,
        )  # fmt: skip
    assert photo.pixels is photo.scales[0]


def test_a_large_jpeg_is_decoded_for_the_largest_size() -> None:
    with Image.open(BALLOON) as image:
        whole = image.resize((2600, 1900), Image.Resampling.BICUBIC)
    content = encoded(whole, "JPEG", quality=92)
    photo = decode(content, 260, 320)
    assert np.array_equal(photo.scales[1], decode(content, 320).pixels)
    # At 260 it comes from the same decoding, which may be of more pixels than it needs.
    alone = decode(content, 260).pixels.astype(int)
    assert np.abs(photo.scales[0] - alone).mean() < 2


def _seen(content: bytes, side: int) -> Image.Image:
    with Image.open(io.BytesIO(thumbnail(content, side)), formats=("JPEG",)) as image:
        image.load()
        return image


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_thumbnails_are_upright_and_keep_their_shape(orientation: int, format_: str) -> None:
    small = _seen(oriented(quarters(), orientation, format_), 48)
    assert small.size == (48, 32)
    assert corners(np.asarray(small)) == UPRIGHT
    assert not small.getexif()  # or it would be turned again


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((96, 64), 320, (96, 64)),
        ((4000, 3000), 320, (320, 240)),
        ((3000, 4000), 160, (120, 160)),
        ((5000, 3), 160, (160, 1)),
        ((1, 1), 160, (1, 1)),
    ],
)
def test_thumbnails_are_never_enlarged(
    size: tuple[int, int], side: int, expected: tuple[int, int]
) -> None:
    assert _seen(encoded(Image.new("RGB", size, "red"), "JPEG"), side).size == expected


def test_thumbnails_of_wide_colours_are_srgb() -> None:
    colour = (200, 60, 40)
    content = encoded(Image.new("RGB", (64, 48), colour), icc_profile=photos.matrix_profile())
    expected = decode(content, 8).pixels[4, 4].astype(int)
    assert np.abs(expected - colour).max() > 10
    seen = np.asarray(_seen(content, 32))[16, 12].astype(int)
    assert np.abs(seen - expected).max() <= 6


def test_thumbnails_lie_on_white() -> None:
    content = encoded(Image.new("RGBA", (64, 48), (255, 0, 0, 0)))
    assert (np.asarray(_seen(content, 32)) > 250).all()


def test_a_thumbnail_of_a_damaged_photo_fails() -> None:
    whole = encoded(quarters(), "JPEG")
    for content in (b"", b"<svg/>", whole[:200], photos.png_claiming(50_000, 50_000)):
        with pytest.raises(UnreadableImage):
            thumbnail(content, 320)


def test_fewer_pixels_may_be_allowed() -> None:
    content = encoded(quarters((96, 64)))
    assert decode(content, SIZE, most=96 * 64).width == 96
    with pytest.raises(UnreadableImage, match="96 x 64 pixels are more than"):
        decode(content, SIZE, most=96 * 64 - 1)


def _turned(format_: str, orientation: int, folder: Path) -> bytes:
    if format_ == "HEIC":
        return (SAMPLES / f"quarters-{orientation}.heic").read_bytes()
    with Image.open(PHOTOS[0]) as photo:
        exact = format_ in ("PNG", "TIFF", "WEBP")
        picture = photo.convert("RGB").resize((320, 240) if exact else (960, 704))
    # Best quality: the files must differ by orientation and not by loss of compression.
    best: dict[str, Any] = {"quality": 100, "subsampling": "4:4:4"}
    if format_ == "JXL":
        return transcoded(oriented(picture, orientation, "JPEG", **best), folder)
    save = {"JPEG": best, "AVIF": {**best, "speed": 10}, "WEBP": {"lossless": True}}.get(
        format_, {}
    )
    return oriented(picture, orientation, format_, **save)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIC", "JXL"])
def test_all_orientations_mean_the_same_to_the_encoder(format_: str, tmp_path: Path) -> None:
    encoder = load_profile().images
    pixels = [decode(_turned(format_, n, tmp_path), encoder.size).pixels for n in range(1, 9)]
    vectors = encoder.encode(np.stack(pixels)).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert (vectors @ vectors.T).min() >= 0.999


@pytest.mark.parametrize("orientation", [0, 9, 1000])
def test_an_orientation_that_does_not_exist_is_none(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = decode(encoded(quarters(), "JPEG", exif=exif), SIZE)
    assert corners(photo.pixels) == UPRIGHT


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_the_same_picture(suffix: str) -> None:
    photo = decode(encoded(quarters(), FORMATS[suffix]), SIZE)
    assert photo.pixels.shape == (SIZE, SIZE, 3)
    assert photo.pixels.dtype == np.uint8
    assert corners(photo.pixels) == UPRIGHT
    assert (photo.width, photo.height, photo.details.taken) == (96, 64, None)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 7), (SIZE, SIZE)])
def test_any_shape_is_squeezed_into_the_square(size: tuple[int, int]) -> None:
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
    assert corners(decode(encoded(image), SIZE).pixels) == UPRIGHT


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
    assert corners(photo.pixels) == UPRIGHT


def test_grey_jpegs() -> None:
    photo = decode(encoded(Image.new("L", (50, 50), 77), "JPEG"), SIZE)
    assert np.abs(photo.pixels.astype(int) - 77).max() <= 2


def test_interlaced_png() -> None:
    # Adam7's seven passes of a picture of one colour hold as many rows as this, each with its
    # filter byte: Pillow writes no interlaced PNG.
    width = height = 8
    rows = [(1, 1), (1, 1), (2, 1), (2, 2), (4, 2), (4, 4), (8, 4)]  # (pixels, rows) of a pass
    data = b"".join((b"\0" + bytes((10, 200, 30)) * across) * down for across, down in rows)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    content = (
        b"\x89PNG\r\n\x1a\n" + photos.chunk(b"IHDR", header)
        + photos.chunk(b"IDAT", zlib.compress(data)) + photos.chunk(b"IEND", b"")
    )  # fmt: skip
    pixels = decode(content, SIZE).pixels
    assert (pixels.reshape(-1, 3) == (10, 200, 30)).all()


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_deflate", "packbits", "jpeg"])
def test_tiff_compressions(compression: str | None) -> None:
    photo = decode(encoded(quarters(), "TIFF", compression=compression), SIZE)
    assert corners(photo.pixels) == UPRIGHT


def test_cmyk_tiff() -> None:
    assert corners(decode(encoded(quarters().convert("CMYK"), "TIFF"), SIZE).pixels) == UPRIGHT


@pytest.mark.parametrize("lab", [(50, 0, 0), (60, 40, 30), (40, -30, 10), (30, 20, -50)])
def test_lab_tiff(lab: tuple[int, int, int]) -> None:
    light, a, b = lab
    image = Image.frombytes("LAB", (9, 9), bytes([round(light * 2.55), a % 256, b % 256]) * 81)
    pixels = decode(encoded(image, "TIFF"), SIZE).pixels
    assert np.abs(pixels - photos.from_lab(*lab)).max() <= 8  # dark levels, by a table


def test_sixteen_bit_grey_tiff() -> None:
    image = Image.fromarray(np.full((9, 9), 32768, np.uint16))
    assert np.abs(decode(encoded(image, "TIFF"), SIZE).pixels.astype(int) - 127).max() <= 1


@pytest.mark.parametrize(("level", "grey"), [(0.0, 0), (0.5, 127), (1.0, 255), (127.0, 127)])
def test_floating_tiff(level: float, grey: int) -> None:
    values = np.full((9, 9), level, np.float32)
    values[0, 0] = np.nan
    pixels = decode(encoded(Image.fromarray(values), "TIFF"), SIZE).pixels
    assert np.abs(pixels[8:, 8:].astype(int) - grey).max() <= 2


def test_deep_pictures_are_scaled_alike_in_every_row() -> None:
    # More rows than are converted at once.
    values = np.zeros((3000, 2000), np.uint16)
    values[1500:] = 65535
    pixels = decode(encoded(Image.fromarray(values), "PNG", compress_level=1), SIZE).pixels
    assert (pixels[2].max(), pixels[-2].min()) == (0, 255)


def test_avif_with_transparency_lies_on_white() -> None:
    content = encoded(Image.new("RGBA", (40, 40), (255, 0, 0, 0)), "AVIF")
    assert decode(content, SIZE).pixels.min() >= 253


@pytest.mark.parametrize(
    ("name", "size", "time"),
    [
        ("quarters-420.heic", (96, 64), None),
        ("quarters.dng", (96, 64), datetime(2019, 7, 21, 18, 3, 59)),
    ],
)
def test_samples(name: str, size: tuple[int, int], time: datetime | None) -> None:
    photo = decode((SAMPLES / name).read_bytes(), SIZE)
    assert corners(photo.pixels) == UPRIGHT
    assert (photo.width, photo.height, photo.details.taken) == (*size, time)


@pytest.mark.parametrize("save", [{"lossless": True}, {"quality": 90}, {"use_container": True}])
def test_jpeg_xl(save: dict[str, Any]) -> None:
    import pillow_jxl  # noqa: F401

    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2019:07:21 18:03:59"
    photo = decode(encoded(quarters(), "JXL", exif=exif.tobytes(), **save), SIZE)
    assert corners(photo.pixels) == UPRIGHT
    assert (photo.width, photo.height) == (96, 64)
    assert photo.details.taken in (None, datetime(2019, 7, 21, 18, 3, 59))


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "I;16"])
def test_jpeg_xl_of_other_modes(mode: str) -> None:
    import pillow_jxl  # noqa: F401

    image = Image.new("L", (24, 16), 77)
    if mode == "I;16":
        image = Image.fromarray(np.full((16, 24), 77 * 257, np.uint16))
    elif mode != "L":
        image = Image.new(mode, (24, 16), (77, 255) if mode == "LA" else (77, 77, 77, 255))
    pixels = decode(encoded(image, "JXL", lossless=True), SIZE).pixels
    # The plugin tags pictures of more than eight bits as linear light.
    wanted = photos.as_srgb(np.array(77 / 255)) if mode == "I;16" else 77
    assert np.abs(pixels - wanted).max() <= 1


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "TIFF", "PNG", "AVIF"])
def test_of_many_frames_the_first_is_taken(format_: str) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue", "lime")]
    content = encoded(frames[0], format_, save_all=True, append_images=frames[1:])
    assert decode(content, SIZE).pixels[5, 5].argmax() == 0
