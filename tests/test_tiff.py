"""TIFFs of more than eight bits and of floating point, against numbers worked out by hand."""

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixquery.db.errors import UnreadableImage
from pixquery.indexer.decode import decode
from pixquery.indexer.tiff import layout
from tests import photos
from tests.conftest import Invoke, parsed
from tests.photos import UPRIGHT, corners, encoded, quarters, stored, tiff

SIZE = 64
RAMP = np.tile(np.linspace(0, 1, 96), (64, 1))[..., None]
"""From black on the left to white on the right."""
QUARTERS = np.asarray(quarters()) / 255.0
OPAQUE = np.ones((64, 96, 1))


def ramp(content: bytes) -> list[int]:
    """The levels on the left, in the middle and on the right."""
    row = decode(content, SIZE).pixels[SIZE // 2, :, 0]
    return [int(row[2]), int(row[SIZE // 2]), int(row[-3])]


def is_ramp(content: bytes) -> bool:
    left, middle, right = ramp(content)
    return abs(left - 10) <= 4 and abs(middle - 128) <= 6 and abs(right - 245) <= 4


def whole(share: np.ndarray, white: int, kind: str) -> np.ndarray:
    return np.round(share * white).astype(kind)


# -- which values are black and white -----------------------------------------------------------


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("low", "high", "kind"),
    [
        (0, 65535, "u2"), (0, 16383, "u2"), (0, 4095, "u2"), (0, 1023, "u2"), (0, 255, "u2"),
        (0, 32767, "i2"), (0, 4095, "i2"), (-1000, 3000, "i2"), (-32768, 32767, "i2"),
        (0, 65535, "u4"), (0, 255, "u4"), (0, 1_000_000, "u4"), (0, 2**32 - 1, "u4"),
        (-5000, 5000, "i4"), (0, 2**31 - 1, "i4"), (0, 2**62, "u8"), (-(2**62), 2**62, "i8"),
        (0, 127, "i1"), (-128, 127, "i1"),
        (0, 1, "f2"), (0, 1, "f4"), (0, 1, "f8"), (0, 255, "f4"), (0, 1.2, "f4"), (0, 16, "f4"),
        (0, 1000, "f4"), (0, 60_000, "f2"), (-1, 1, "f4"), (-1000, 1000, "f8"), (500, 900, "f4"),
        (0, 1e30, "f4"), (0, 1e300, "f8"),
    ],
)  # fmt: skip
def test_ramps(low: float, high: float, kind: str, order: str) -> None:
    values = (low + RAMP * (float(high) - low)).clip(low, high)
    if high > 2**53:
        values = values * (1 - 2**-50)  # or rounding would go beyond the largest
    content = tiff(values.astype(order + kind))
    assert is_ramp(content), ramp(content)


@pytest.mark.parametrize(
    "values",
    [
        whole(1 - RAMP, 65535, "u2"), whole(1 - RAMP, 4095, ">u2"),
        whole(1 - RAMP, 2**32 - 1, "u4"), whole(1 - RAMP, 32767, "i2"),
        (1 - RAMP).astype("f4"), (1000 - 1000 * RAMP).astype("f4"), whole(1 - RAMP, 255, "u1"),
    ],
    ids=lambda values: f"{values.dtype} to {values.max()}",
)  # fmt: skip
@pytest.mark.parametrize("compression", [1, 5, 8])
def test_white_is_zero(values: np.ndarray, compression: int) -> None:
    assert is_ramp(tiff(values, 0, compression=compression))


def test_dark_numbers_from_0_to_1_stay_dark() -> None:
    assert max(ramp(tiff((RAMP / 100).astype("f4")))) <= 2


def test_the_largest_value_may_be_in_the_file() -> None:
    assert is_ramp(tiff(whole(RAMP, 3000, "u2"), tags={281: 3000}))
    assert is_ramp(tiff(whole(RAMP, 3000, "u2"), tags={341: 3000}))
    dark = tiff(whole(RAMP, 3000, "u2"), tags={281: 10})  # not true: larger ones are there
    assert abs(ramp(dark)[2] - 245 * 3000 / 4095) < 6


def test_a_few_values_do_not_change_the_others() -> None:
    values = (RAMP * 1000).astype("f4")
    values[0, :5, 0] = np.nan, np.inf, -np.inf, 3e38, -3e38
    assert is_ramp(tiff(values))


def test_no_data_is_not_the_darkest_value() -> None:
    values = (500 + RAMP * 400).astype("f4")
    values[:20] = -9999
    content = tiff(values)
    tagged = tiff(values, tags={42113: 0})
    place = tagged.index(struct.pack("<HHI", 42113, 4, 1))
    place_of_words = len(tagged)
    tagged = (
        tagged[:place] + struct.pack("<HHII", 42113, 2, 6, place_of_words) + tagged[place + 12 :]
        + b"-9999\0"
    )  # fmt: skip
    assert not is_ramp(content)
    assert is_ramp(tagged)


@pytest.mark.parametrize("level", [np.nan, np.inf, 7000.0, -5.0, 0.0])
def test_one_value_everywhere(level: float) -> None:
    pixels = decode(tiff(np.full((9, 9, 1), level, "f4")), SIZE).pixels
    assert pixels.min() == pixels.max()


def test_a_png_of_twelve_bits_in_sixteen_is_as_dark_as_it_says() -> None:
    image = Image.fromarray(whole(RAMP[..., 0], 4095, "u2"))
    assert ramp(encoded(image))[2] < 20


# -- how they are stored --------------------------------------------------------------------------

KINDS = [("u2", 65535), ("u2", 4095), ("u4", 2**32 - 1), ("i2", 32767), ("f2", 1), ("f4", 1),
         ("f4", 1000), ("f8", 1)]  # fmt: skip


@pytest.mark.parametrize("stored_in", [{}, {"rows": 7}, {"tile": 32}, {"tile": 16}])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("compression", [1, 5, 8, 32773])
@pytest.mark.parametrize(("kind", "white"), KINDS)
def test_colours(
    kind: str, white: int, compression: int, planar: bool, stored_in: dict[str, Any]
) -> None:
    for order in "<>":
        values = (QUARTERS * white).astype(order + kind)
        content = tiff(values, 2, compression=compression, planar=planar, **stored_in)
        assert corners(decode(content, SIZE).pixels) == UPRIGHT


@pytest.mark.parametrize("kind", ["<u2", ">u2", "<u4", ">i2"])
@pytest.mark.parametrize("stored_in", [{}, {"rows": 7}, {"tile": 32}])
def test_differences(kind: str, stored_in: dict[str, Any]) -> None:
    values = whole(QUARTERS, np.iinfo(kind).max, kind)
    for compression in (5, 8):
        content = tiff(values, 2, compression=compression, predictor=2, **stored_in)
        assert corners(decode(content, SIZE).pixels) == UPRIGHT


@pytest.mark.parametrize("order", "<>")
def test_differences_of_floating_point_numbers(order: str) -> None:
    # Adobe's technical note 3: the bytes of a row's numbers, highest first, and their differences.
    values = RAMP.astype(">f4")
    by_byte = values.view(np.uint8).reshape(64, 96, 4).transpose(0, 2, 1).reshape(64, 384)
    packed = np.diff(by_byte, axis=1, prepend=by_byte[:, :1] * 0)
    as_bytes = packed.view(order + "f4").reshape(64, 96, 1)
    assert is_ramp(tiff(as_bytes, compression=8, tags={317: 3}))


@pytest.mark.parametrize("bits", [9, 10, 12, 14])
def test_packed_bits(bits: int) -> None:
    values = whole(RAMP, (1 << bits) - 1, "u2")
    for compression in (1, 5, 8):
        assert is_ramp(tiff(values, bits=bits, compression=compression, rows=10))
        negative = whole(1 - RAMP, (1 << bits) - 1, "u2")
        assert is_ramp(tiff(negative, 0, bits=bits, compression=compression))


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits(bits: int) -> None:
    values = whole(RAMP, (1 << bits) - 1, "u2")
    negative = whole(1 - RAMP, (1 << bits) - 1, "u2")
    for content in (tiff(values, bits=bits), tiff(negative, 0, bits=bits)):
        left, _, right = ramp(content)
        assert left < 10
        assert right > 245


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
@pytest.mark.parametrize("extra", [0, 1, 2])
def test_a_further_channel(kind: str, extra: int) -> None:
    white = 1 if kind == "f4" else np.iinfo(kind).max
    half = np.concatenate([QUARTERS * 0.5, OPAQUE * 0.5], axis=2)
    pixels = decode(tiff((half * white).astype(kind), 2, tags={338: extra}), SIZE).pixels
    red = pixels[SIZE // 4, SIZE // 4]
    # Half of it lies on white; with 1 the colours are multiplied already; with 0 it is no alpha.
    assert np.abs(red - {0: (127, 0, 0), 1: (255, 127, 127), 2: (191, 127, 127)}[extra]).max() <= 3
    grey = np.concatenate([RAMP, OPAQUE], axis=2)
    assert is_ramp(tiff((grey * white).astype(kind), tags={338: extra}))


@pytest.mark.parametrize("planar", [False, True])
def test_cmyk(planar: bool) -> None:
    inks = np.concatenate([1 - QUARTERS, 0 * OPAQUE], axis=2)
    for values in (whole(inks, 65535, "u2"), whole(inks, 4095, ">u2"), inks.astype("f4")):
        assert corners(decode(tiff(values, 5, planar=planar), SIZE).pixels) == UPRIGHT


def _big(values: np.ndarray, photometric: int) -> bytes:
    """As a BigTIFF, in one strip."""
    height, width, channels = values.shape
    tags = {256: width, 257: height, 258: 8 * values.itemsize, 259: 1, 262: photometric, 273: 0,
            274: 3, 277: channels, 279: values.nbytes,
            339: "uif".index(values.dtype.kind) + 1}  # fmt: skip
    at = 16 + 8 + 20 * len(tags) + 8
    body = b"".join(struct.pack("<HHQQ", n, 16, 1, at if n == 273 else v) for n, v in tags.items())
    head = struct.pack("<4sHHQQ", b"II+\0", 8, 0, 16, len(tags))
    return head + body + bytes(8) + values.tobytes()


def test_big_tiffs() -> None:
    for kind in ("u2", "f4"):
        turned = np.asarray(stored(quarters(), 3)) / 255
        values = (turned * (65535 if kind == "u2" else 1)).astype(kind)
        assert corners(decode(_big(values, 2), SIZE).pixels) == UPRIGHT


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_tiffs_come_out_upright(orientation: int) -> None:
    turned = np.asarray(stored(quarters(), orientation)) / 255
    photo = decode(tiff(whole(turned, 65535, "u2"), 2, tags={274: orientation}), SIZE)
    assert corners(photo.pixels) == UPRIGHT
    assert (photo.width, photo.height) == (96, 64)


def test_a_profile_is_used() -> None:
    values = np.full((9, 9, 3), (200, 60, 40), "u2") * 257
    profile = photos.matrix_profile()
    content = tiff(values, 2, tags={34675: 0})
    place = content.index(struct.pack("<HHI", 34675, 4, 1))
    tag = struct.pack("<HHII", 34675, 7, len(profile), len(content))
    content = content[:place] + tag + content[place + 12 :] + profile
    plain = encoded(Image.new("RGB", (9, 9), (200, 60, 40)), icc_profile=profile)
    difference = decode(content, 8).pixels.astype(int) - decode(plain, 8).pixels
    assert np.abs(difference).max() <= 1


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (tiff(whole(QUARTERS, 255, "u1"), 2, tags={259: 34712}), "3 x 8-bit, JPEG 2000"),
        (tiff(QUARTERS.astype("f4"), 2, planar=True, tags={259: 34887}),
         "3 x 32-bit floating point, planar, LERC"),
        (tiff(whole(QUARTERS, 65535, "u2"), 8), "3 x 16-bit, Lab"),
        (tiff(RAMP.astype("f8"), tags={339: 6}), "1 x 64-bit of unusual numbers"),
        (tiff(whole(QUARTERS, 255, "u1"), 2, tags={259: 50001}), "3 x 8-bit, WebP"),
    ],
)  # fmt: skip
def test_a_kind_that_is_not_read_is_called_so(content: bytes, words: str) -> None:
    with pytest.raises(UnreadableImage) as refused:
        decode(content, SIZE)
    assert str(refused.value) == f"this kind of TIFF is not read ({words})"


@pytest.mark.parametrize("compression", [1, 5, 8, 32773])
def test_cut_off(compression: int) -> None:
    noise = np.random.default_rng(0).random((64, 96, 3))
    content = tiff(noise.astype("f4"), 2, compression=compression)
    for length in (100, len(content) // 2, len(content) - 20):
        with pytest.raises(UnreadableImage, match="damaged or cut off"):
            decode(content[:-length], SIZE)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({256: 60_000, 257: 60_000}, "megapixels"),
        ({256: 15_000, 257: 15_000}, "more than the 900 MB"),
        ({277: 60_000}, "damaged or cut off"),
        ({278: 0}, "damaged or cut off"),
        ({258: 0}, "damaged or cut off"),
        ({322: 2**31, 323: 2**31}, "damaged or cut off"),
        ({322: 0, 323: 16}, "damaged or cut off"),
    ],
)
def test_wrong_numbers(tags: dict[int, int], words: str) -> None:
    with pytest.raises(UnreadableImage, match=words):
        decode(tiff(QUARTERS.astype("f8"), 2, compression=8, tags=tags), SIZE)


def test_a_layout_is_none_of_what_is_no_tiff() -> None:
    for content in (b"", b"II*\0", b"II*\0" + bytes(100), b"MM\0*\xff\xff\xff\xff", bytes(50)):
        assert layout(content) is None


def test_index_says_what_is_not_read(tmp_path: Path, invoke: Invoke, colours: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "deep.tif").write_bytes(tiff(QUARTERS.astype("f4"), 2))
    (folder / "unread.tif").write_bytes(tiff(whole(QUARTERS, 65535, "u2"), 8))
    done = invoke(
        "index", folder, "--library", tmp_path / "library", "--profile", colours, "--json"
    )
    assert parsed(done)["added"] == 1
    assert [one["reason"] for one in parsed(done)["skipped"]] == [
        "this kind of TIFF is not read (3 x 16-bit, Lab)"
    ]


# -- damage -------------------------------------------------------------------------------------


def _with_tag(content: bytes, tag: int, *, of: int, value: int) -> bytes:
    """The file with another tag number and value in the place of a tag."""
    order = "<" if content.startswith(b"II") else ">"
    (at,) = struct.unpack_from(order + "I", content, 4)
    (count,) = struct.unpack_from(order + "H", content, at)
    damaged = bytearray(content)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        if struct.unpack_from(order + "H", content, entry) == (tag,):
            struct.pack_into(order + "HHII", damaged, entry, of, 4, 1, value)
    return bytes(damaged)


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
@pytest.mark.parametrize(("tag", "of", "value"), [
    (323, 40_000, 16),  # no height of tiles
    (322, 322, 16_711_696),  # a tile of 2 GB
    (324, 339, 0),  # no place of the tiles
    (322, 322, 0),
])  # fmt: skip
def test_impossible_tiles_are_damage(kind: str, tag: int, of: int, value: int) -> None:
    white = 1 if kind == "f4" else 255
    content = tiff(whole(np.tile(QUARTERS, 1), white, kind), 2, compression=8, tile=16)
    assert decode(content, SIZE).pixels.shape == (SIZE, SIZE, 3)
    with pytest.raises(UnreadableImage, match="damaged or cut off"):
        decode(_with_tag(content, tag, of=of, value=value), SIZE)


def test_a_layout_is_none_of_values_outside_of_the_file() -> None:
    content = bytearray(tiff(whole(QUARTERS, 255, "u1"), 2))
    (at,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        if struct.unpack_from("<H", content, entry) == (258,):
            struct.pack_into("<HHII", content, entry, 258, 3, 3, 2**31)
    assert layout(bytes(content)) is None
    with pytest.raises(UnreadableImage, match="damaged or cut off"):
        decode(bytes(content), SIZE)


def test_a_raw_preview_of_more_bytes_than_the_file_is_damage(tmp_path: Path) -> None:
    """LibRaw would have Pillow read beyond the end of the preview: in a process of its own."""
    sound = (photos.SAMPLES / "quarters.dng").read_bytes()
    assert decode(sound, SIZE).pixels.shape == (SIZE, SIZE, 3)
    code = (
        "import sys; from pixquery.indexer.decode import decode; from pathlib import Path\n"
        "from pixquery.db.errors import UnreadableImage\n"
        "try: decode(Path(sys.argv[1]).read_bytes(), 64)\n"
        "except UnreadableImage as error: print(error)"
    )
    for tag in (256, 257):
        file = tmp_path / f"{tag}.dng"
        file.write_bytes(_with_tag(sound, tag, of=tag, value=65_296))
        done = subprocess.run(
            [sys.executable, "-c", code, file], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "damaged or cut off" in done.stdout
