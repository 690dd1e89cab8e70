"""What a photo's file says besides its picture, read without decoding that."""

from contextlib import suppress
from typing import BinaryIO, NamedTuple

from PIL import Image, UnidentifiedImageError

from pixquery.db.errors import UnreadableImage
from pixquery.db.records import Annotation
from pixquery.engine.photos import MAX_BYTES
from pixquery.indexer.annotations import annotation_in, of_raw
from pixquery.indexer.exif import Exif, exif_of
from pixquery.indexer.exif import of_raw as exif_of_raw
from pixquery.indexer.failures import failures_reported
from pixquery.indexer.formats import kind_of, open_photo
from pixquery.indexer.pillow import DECODER_ERRORS, set_for_decoding

_BEGINNING = 128 * 1024
"""Bytes in which the metadata of most JPEGs end."""
_SCAN = 0xDA
_ALONE = {0x01, *range(0xD0, 0xD8)}
"""Markers of a JPEG that have no length."""


class Metadata(NamedTuple):
    """What a photo's file says besides its picture."""

    words: Annotation = Annotation()
    exif: Exif = Exif()


def metadata_of(content: bytes) -> Metadata | None:
    """The metadata of a photo, without those that are damaged; none if it cannot be opened.

    Args:
        content: The file, or its beginning up to the picture itself.

    Raises:
        PhotoFailed: It may be sound; another try may succeed.
    """
    with failures_reported("its metadata could not be read"), set_for_decoding():
        try:
            kind = kind_of(content)
            with open_photo(content, kind) as image:
                _look_behind_the_picture(image, content)
                words, exif = annotation_in(image), exif_of(image)
        except (UnidentifiedImageError, UnreadableImage, *DECODER_ERRORS):
            return None
        if kind == "camera RAW":
            return Metadata(of_raw(content, words), exif_of_raw(content, exif))
        return Metadata(words, exif)


def metadata_in(file: BinaryIO) -> Metadata | None:
    """The same of an open file, of which no more is read than must be.

    Raises:
        OSError: It cannot be read.
        PhotoFailed: It may be sound; another try may succeed.
    """
    beginning = file.read(_BEGINNING)
    found = metadata_of(beginning) if _ends_in(beginning) else None
    return found or metadata_of(beginning + file.read(MAX_BYTES))


def _ends_in(beginning: bytes) -> bool:
    """Whether all metadata of a JPEG are in its beginning: they come before the picture."""
    if not beginning.startswith(b"\xff\xd8"):
        return False
    at = 2
    while at + 4 <= len(beginning) and beginning[at] == 0xFF:
        marker = beginning[at + 1]
        if marker == _SCAN:
            return True
        if marker == 0xFF:  # padding
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(beginning[at + 2 : at + 4], "big")
    return False


def _look_behind_the_picture(image: Image.Image, content: bytes) -> None:
    """Loads a PNG whose metadata come after the pixels: Pillow finds them only then."""
    if image.format != "PNG":
        return
    for name, key in ((b"XML:com.adobe.xmp", "xmp"), (b"eXIf", "exif")):
        if name in content and key not in image.info:
            with suppress(*DECODER_ERRORS):
                image.load()
