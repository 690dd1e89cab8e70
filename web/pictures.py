"""Photos for the browser: their own files, and smaller pictures made from them.

Clients name a photo by its id, never by a path. Its file is sent or drawn only if it has the
content that was indexed, wherever its path leads by now.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import BinaryIO

from pixquery.db.errors import PhotoFailed, UnreadableImage
from pixquery.db.records import ImageRecord
from pixquery.engine.photos import open_indexed, read_indexed
from pixquery.indexer.decode import thumbnail
from pixquery.indexer.kept import Kept, kept_pictures, name_of
from pixquery.web.reader import Reader
from pixquery.web.refusals import Refusal


class Side(IntEnum):
    """Longer sides of thumbnails, in pixels."""

    SMALL = 160
    MIDDLE = 320
    BIG = 640


LARGE = 2048
"""Longer side of the JPEG that replaces a photo which browsers cannot show, in pixels."""

_TYPES = {
    "JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WebP": "image/webp",
    "BMP": "image/bmp", "TIFF": "image/tiff", "HEIC": "image/heic", "AVIF": "image/avif",
    "JPEG XL": "image/jxl",
}  # fmt: skip
_UNKNOWN = "application/octet-stream"
MEDIA_TYPES = (*_TYPES.values(), _UNKNOWN)


@dataclass(frozen=True, slots=True)
class Original:
    """A photo's own file, open for reading."""

    file: BinaryIO
    size: int
    """In bytes."""
    tag: str
    """ETag, which changes with the content."""
    name: str
    media_type: str
    modified: datetime


@dataclass(frozen=True, slots=True)
class Picture:
    """A smaller picture of a photo."""

    content: bytes
    """A JPEG."""
    tag: str
    """ETag, which changes with the photo's content and differs between sizes."""
    version: str
    """Version of the photo in the catalogue."""


class Pictures:
    """Opens photos and makes pictures from them."""

    def __init__(self, reader: Reader, kept: Kept | None = None) -> None:
        """Reads from a library, and keeps pictures in ``kept`` or the user's cache folder."""
        self._reader = reader
        self._kept = kept or kept_pictures()

    def original(self, image_id: int) -> Original:
        """Opens a photo's own file, which the caller closes.

        Raises:
            NothingFound: There is no photo with this id.
            Refusal: Its file is missing, or has not the content that was indexed.
        """
        record = self._reader.photo(image_id)
        with _refused(record):
            file = open_indexed(record)
        return Original(
            file,
            record.state.size,
            f'"{record.content.hex()}-{os.fstat(file.fileno()).st_mtime_ns:x}"',
            record.path.name,
            _TYPES.get(record.format, _UNKNOWN),
            record.state.modified,
        )

    def kept(self, image_id: int, side: int) -> Picture | None:
        """The picture with this longer side in pixels, if the cache has it.

        Raises:
            NothingFound: There is no photo with this id.
        """
        record = self._reader.photo(image_id)
        name = name_of(record.content, side)
        content = self._kept.get(name)
        if content is None:
            return None
        return Picture(content, f'"{name}"', version_of(record))

    def picture(self, image_id: int, side: int) -> Picture:
        """The picture with this longer side in pixels, from the cache or made now.

        Raises:
            NothingFound: There is no photo with this id.
            Refusal: Its file is missing, or has not the content that was indexed.
            PhotoFailed: It cannot be drawn now.
        """
        kept = self.kept(image_id, side)
        if kept is not None:
            return kept
        record = self._reader.photo(image_id)
        with _refused(record):
            small = thumbnail(read_indexed(record), side)
        name = name_of(record.content, side)
        self._kept.put(name, small)
        return Picture(small, f'"{name}"', version_of(record))


def version_of(record: ImageRecord) -> str:
    """Identifies a photo's content."""
    return record.content.hex()[:16]


@contextmanager
def _refused(record: ImageRecord) -> Iterator[None]:
    """Says in a refusal why a photo's file cannot be used, and no path."""
    try:
        yield
    except PhotoFailed:
        raise
    except UnreadableImage as error:
        raise Refusal(
            410, f"photo {record.id} cannot be shown: {error}: index its folder again"
        ) from None
    except OSError:
        raise Refusal(
            410, f"the file of photo {record.id} is missing or unreachable: index its folder again"
        ) from None
