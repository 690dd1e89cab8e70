"""How the files of photos begin; what the first bytes of a file say before it is read."""

from pathlib import Path

from pixquery.engine.photos import open_file

JPEG_XL_CODE, JPEG_XL_CONTAINER = b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"
"""How a JPEG XL begins: with the bare code, or with boxes around it."""
HEVC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
"""Brands of HEIC."""
AVIF = frozenset({b"avif", b"avis"})
"""Brands of AVIF."""
CANON = b"crx "
"""The brand of Canon's newer RAW files."""
RAW_STARTS = (b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM")
"""Olympus, Panasonic, Fujifilm, Sigma, Minolta."""
BIG_TIFF = (b"II+\0", b"MM\0+")
TIFF = (b"II*\0", b"MM\0*", *BIG_TIFF)
STARTS = (
    b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"RIFF", b"BM", *TIFF,
)  # fmt: skip
"""JPEG, PNG, GIF, WebP, BMP and TIFF, which most RAW files are."""

_HEAD = 256
"""Bytes in which a file shows what it is."""
_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
"""Sizes of the header that follows a BMP's first 14 bytes."""


def brands(content: bytes) -> set[bytes]:
    """What a file of boxes says of its format; empty for any other file."""
    if content[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(content[:4], "big"), _HEAD)
    return {content[8:12], *(content[at : at + 4] for at in range(16, end, 4))}


def begins_as_photo(head: bytes) -> bool:
    """Whether a file that begins so is to be read as a photo.

    Args:
        head: Its first bytes, :data:`_HEAD` of them if it has as many.
    """
    if head.startswith((JPEG_XL_CODE, JPEG_XL_CONTAINER, *RAW_STARTS)):
        return True
    if head.startswith(b"RIFF"):  # as films and sound do
        return head[8:12] == b"WEBP"
    if head.startswith(b"BM"):  # as texts may
        return head[6:10] == bytes(4) and int.from_bytes(head[14:18], "little") in _BMP_HEADERS
    return head.startswith(STARTS) or not brands(head).isdisjoint({*HEVC, *AVIF, CANON})


def is_photo(path: str) -> bool:
    """Whether a file begins as a photo; False if it cannot be opened."""
    try:
        with open_file(Path(path)) as file:
            return begins_as_photo(file.read(_HEAD))
    except OSError:
        return False
