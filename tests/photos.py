"""Pictures whose pixels a person can work out, files with wrong headers, and colour profiles."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pixquery.db.records import FileState, ImageRecord, Pixels
from pixquery.engine.photos import fingerprint

SAMPLES = Path(__file__).parent / "samples"


def encoded(image: Image.Image, format_: str = "PNG", **save: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format_, **save)
    return out.getvalue()


def quarters(size: tuple[int, int] = (96, 64)) -> Image.Image:
    """Red, green, blue and white quarters: it looks different however it is turned or mirrored."""
    image = Image.new("RGB", size, "white")
    width, height = size[0] // 2, size[1] // 2
    for colour, corner in (("red", (0, 0)), ("lime", (width, 0)), ("blue", (0, height))):
        image.paste(Image.new("RGB", (width, height), colour), corner)
    return image


UPRIGHT = ["red", "lime", "blue", "white"]


def corners(pixels: Pixels) -> list[str]:
    """Names of the colours in the middle of the four quarters."""
    names = {(1, 0, 0): "red", (0, 1, 0): "lime", (0, 0, 1): "blue", (1, 1, 1): "white"}
    quarter = len(pixels) // 4
    middles = [(quarter, quarter), (quarter, -quarter), (-quarter, quarter), (-quarter, -quarter)]
    bright = [pixels[corner].astype(int) > 127 for corner in middles]
    return [names.get((int(r), int(g), int(b)), "none") for r, g, b in bright]


def stored(image: Image.Image, orientation: int) -> Image.Image:
    """The picture as a camera stores it with this orientation."""
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


def oriented(image: Image.Image, orientation: int, format_: str, **save: Any) -> bytes:
    """A file that shows the picture upright if its orientation is applied."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(stored(image, orientation), format_, exif=exif, **save)


def transcoded(jpeg: bytes, folder: Path) -> bytes:
    """A JPEG packed into JPEG XL without loss, as ``cjxl`` does."""
    import pillow_jxl  # noqa: F401

    file = folder / "one.jpg"
    file.write_bytes(jpeg)
    with Image.open(file) as image:
        return encoded(image, "JXL", lossless_jpeg=True)


def tiff(
    values: np.ndarray,
    photometric: int = 1,
    *,
    compression: int = 1,
    predictor: int = 1,
    planar: bool = False,
    tile: int = 0,
    rows: int = 0,
    bits: int = 0,
    tags: dict[int, int] | None = None,
) -> bytes:
    """A TIFF of any numbers, [height, width, channels], in their own order of bytes (TIFF 6.0).

    Args:
        values: The numbers.
        photometric: 0 if white is zero, 1 if black is, 2 for RGB, 5 for CMYK.
        compression: 1 for none, 8 for Deflate; 5 (LZW) and 32773 (PackBits) as Pillow writes them.
        predictor: 2 stores differences of whole numbers.
        planar: Each channel for itself.
        tile: Side of square tiles; 0 for strips.
        rows: Of each strip; 0 for all in one.
        bits: Of each number, if they are packed.
        tags: More of them, of one number each.
    """
    height, width, channels = values.shape
    kind = values.dtype.kind
    blocks = []
    for plane in np.split(values, channels, axis=2) if planar else [values]:
        wide, high = (tile, tile) if tile else (width, rows or height)
        for y in range(0, height, high):
            for x in range(0, width, wide):
                part = plane[y : y + high, x : x + wide]
                if tile:
                    down, across = tile - part.shape[0], tile - part.shape[1]
                    part = np.pad(part, ((0, down), (0, across), (0, 0)))
                if predictor == 2:
                    part = np.diff(part, axis=1, prepend=part[:, :1] * 0).astype(part.dtype)
                blocks.append(_packed(part, compression, bits))
    each = {256: width, 257: height, 258: bits or 8 * values.itemsize, 259: compression,
            262: photometric, 277: channels, 284: 2 if planar else 1, 317: predictor,
            339: "uif".index(kind) + 1}  # fmt: skip
    each |= {322: tile, 323: tile} if tile else {278: rows or height}
    each |= tags or {}
    listed = {n: [number] for n, number in each.items()}
    offsets, counts = (324, 325) if tile else (273, 279)
    listed |= {offsets: [0] * len(blocks), counts: [len(block) for block in blocks]}
    order = ">" if values.dtype.byteorder == ">" else "<"
    at = 8 + 2 + 12 * len(listed) + 4
    first = at + sum(4 * len(many) for many in listed.values() if len(many) > 1)
    listed[offsets] = [first + sum(map(len, blocks[:n])) for n in range(len(blocks))]
    directory = arrays = b""
    for number, many in sorted(listed.items()):
        where = at + len(arrays) if len(many) > 1 else many[0]
        arrays += struct.pack(f"{order}{len(many)}I", *many) if len(many) > 1 else b""
        directory += struct.pack(order + "HHII", number, 4, len(many), where)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(listed))
    return head + directory + bytes(4) + arrays + b"".join(blocks)


def _packed(part: np.ndarray, compression: int, bits: int) -> bytes:
    data = part.tobytes()
    if bits:
        places = np.unpackbits(part.astype(">u2").view(np.uint8).reshape(len(part), -1, 2), axis=2)
        data = np.packbits(places[..., 16 - bits :].reshape(len(part), -1), axis=1).tobytes()
    if compression == 8:
        return zlib.compress(data)
    names = {5: "tiff_lzw", 32773: "packbits"}
    if compression in names:
        grey = Image.frombytes("L", (len(data) // len(part), len(part)), data)
        written = encoded(grey, "TIFF", compression=names[compression], strip_size=1 << 30)
        with Image.open(io.BytesIO(written)) as image:
            (begin,), (count,) = (image.tag_v2[number] for number in (273, 279))  # type: ignore[attr-defined]
        return written[begin : begin + count]
    return data


# -- files that claim to be large -------------------------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_claiming(width: int, height: int, pixels: bytes = b"", bits: int = 8) -> bytes:
    """With ``pixels`` compressed; grey where a pixel has less than 8 bits."""
    header = struct.pack(">IIBBBBB", width, height, bits, 2 if bits == 8 else 0, 0, 0, 0)
    data = chunk(b"IDAT", pixels or zlib.compress(b"\0"))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


def patched(content: bytes, after: bytes, skip: int, layout: str, *values: int) -> bytes:
    """Overwrites numbers ``skip`` bytes after a mark."""
    at = content.index(after) + len(after) + skip
    data = struct.pack(layout, *values)
    return content[:at] + data + content[at + len(data) :]


def jxl_claiming(width: int, height: int, *, channels: int = 0, animated: bool = False) -> bytes:
    """The header of a JPEG XL (ISO/IEC 18181-1, annex D), bit by bit, and nothing behind it."""
    bits: list[int] = []

    def put(value: int, count: int) -> None:
        bits.extend(value >> place & 1 for place in range(count))

    put(0, 1)  # not small
    put(3, 2)
    put(height - 1, 30)
    put(0, 3)  # no ratio
    put(3, 2)
    put(width - 1, 30)
    put(0, 1)  # not all default
    put(animated, 1)  # extra fields
    if animated:
        put(0, 3 + 1 + 1)  # upright; no other size; no preview
        put(1, 1)
    put(0, 1)  # whole numbers ...
    put(0, 2)  # ... of 8 bits
    put(1, 1)
    put(3 if channels else 0, 2)
    put(max(0, channels - 1), 12)
    data = bytes(
        sum(bit << place for place, bit in enumerate(bits[at : at + 8]))
        for at in range(0, len(bits), 8)
    )
    return b"\xff\x0a" + data + bytes(32)


# -- colour profiles --------------------------------------------------------------------------

D50 = np.array([0.9642, 1.0, 0.8249])
WIDE = np.array([[0.51512, 0.29198, 0.1571], [0.2412, 0.69225, 0.06657],
                 [-0.00105, 0.04189, 0.78407]])  # fmt: skip
"""Display P3's primaries in columns, adapted to D50 (XYZ)."""
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061],
                 [0.01392, 0.09708, 0.7141]])  # fmt: skip
"""sRGB's, likewise (ICC's sRGB profile)."""


def matrix_profile(primaries: np.ndarray = WIDE, gamma: float = 2.2) -> bytes:
    """An RGB display profile (ICC.1:2001) of three primaries and one gamma."""
    tags = {b"wtpt": _xyz(D50)}
    for name, column in zip(b"rgb", primaries.T, strict=True):
        tags[bytes([name]) + b"XYZ"] = _xyz(column)
        tags[bytes([name]) + b"TRC"] = _gamma(gamma)
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def grey_profile(gamma: float) -> bytes:
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"wtpt": _xyz(D50), b"kTRC": _gamma(gamma)})


def cmyk_profile() -> bytes:
    """A press whose cyan, magenta and yellow are greys: 30, 50 and 70 light, their mixes black.

    A table of Lab at the sixteen corners (lut8Type), so what is decoded proves that it was used.
    """
    light = {(0, 0, 0, 0): 100, (1, 0, 0, 0): 30, (0, 1, 0, 0): 50, (0, 0, 1, 0): 70}
    straight = bytes(range(256))
    table = b"".join(
        bytes([round(light.get((c, m, y, k), 0) * 2.55), 128, 128])
        for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)
    )  # fmt: skip
    identity = [1, 0, 0, 0, 1, 0, 0, 0, 1]
    lut = struct.pack(">4s4x4B9i", b"mft1", 4, 3, 2, 0, *[65536 * n for n in identity])
    tags = {b"wtpt": _xyz(D50), b"A2B0": lut + 4 * straight + table + 3 * straight}
    return _profile(b"prtr", b"CMYK", b"Lab ", tags)


def _xyz(values: np.ndarray) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *[round(float(value) * 65536) for value in values])


def _gamma(gamma: float) -> bytes:
    return struct.pack(">4s4xIH2x", b"curv", 1, round(gamma * 256))


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    text = struct.pack(">4s4xI", b"desc", 5) + b"Test\0" + bytes(78)
    tags = {b"desc": text, b"cprt": b"text\0\0\0\0CC0\0", **tags}
    at, table, data = 132 + 12 * len(tags), b"", b""
    for name, value in tags.items():
        table += struct.pack(">4sII", name, at + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    body = struct.pack(">I", len(tags)) + table + data
    head = struct.pack(">I4xI4s4s4s6H4s28x", 128 + len(body), 0x02400000, kind, space, connection,
                       2026, 1, 1, 0, 0, 0, b"acsp") + _xyz(D50)[8:]  # fmt: skip
    return head.ljust(128, b"\0") + body


def as_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear light of sRGB's primaries in [0, 1] -> levels of 255 (IEC 61966-2-1)."""
    linear = np.clip(linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def from_xyz(xyz: np.ndarray) -> np.ndarray:
    """XYZ relative to D50 -> sRGB levels."""
    return as_srgb(np.linalg.inv(SRGB) @ xyz)


def from_lab(light: float, a: float, b: float) -> np.ndarray:
    """CIE Lab relative to D50 -> sRGB levels (CIE 15)."""
    y = (light + 16) / 116
    roots = np.array([y + a / 500, y, y - b / 200])
    parts = np.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29))
    return from_xyz(parts * D50)


def recorded(file: Path) -> ImageRecord:
    """What a catalogue would have of a photo, with its file's content of now; of none, nothing."""
    content = file.read_bytes() if file.is_file() else b""
    return ImageRecord(file, FileState(len(content), 0), fingerprint(content), 24, 16, "PNG")
