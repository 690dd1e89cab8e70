"""Photos for the browser: their own files, and smaller pictures made from them.

Clients name a photo by its id, never by a path. Its file is sent or drawn only if it has the
content that was indexed, wherever its path leads by now.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from pixquery.db.errors import PhotoFailed, UnreadableImage
from pixquery.db.records import ImageRecord
from pixquery.engine.photos import open_indexed, read_indexed
from pixquery.engine.runtime import cache_folder
from pixquery.indexer.decode import thumbnail
from pixquery.web.reader import Reader
from pixquery.web.refusals import Refusal


class Side(IntEnum):
    """Longer sides of thumbnails, in pixels."""

    SMALL = 160
    MIDDLE = 320
    BIG = 640


LARGE = 2048
"""Longer side of the JPEG that replaces a photo which browsers cannot show, in pixels."""
ROOM = 512 * 2**20
"""Size of the picture cache, in bytes."""

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

    def __init__(self, reader: Reader, kept: "Kept | None" = None) -> None:
        """Reads from a library, and keeps pictures in ``kept`` or the user's cache folder."""
        self._reader = reader
        self._kept = kept or Kept(cache_folder() / "thumbnails", ROOM)

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
        name = _name(record, side)
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
        name = _name(record, side)
        self._kept.put(name, small)
        return Picture(small, f'"{name}"', version_of(record))


def version_of(record: ImageRecord) -> str:
    """Identifies a photo's content."""
    return record.content.hex()[:16]


def _name(record: ImageRecord, side: int) -> str:
    return f"{record.content.hex()}-{side}"


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


class Kept:
    """A cache of pictures on disk, which removes those that were not used for longest."""

    def __init__(self, folder: Path, room: int) -> None:
        """Uses up to ``room`` bytes in ``folder``, which is created when needed."""
        self._folder = folder
        self._room = room
        self._size: int | None = None
        self._counting = Lock()

    def get(self, name: str) -> bytes | None:
        """A picture from the cache; none if it is missing or incomplete."""
        file = self._file(name)
        try:
            content = file.read_bytes()
            os.utime(file)
        except OSError:
            return None
        return content if content.endswith(b"\xff\xd9") else None

    def put(self, name: str, content: bytes) -> None:
        """Adds a picture. A disk that is full or read-only is not an error."""
        file = self._file(name)
        partial = file.with_name(f"{file.name}.{os.getpid()}-{id(content):x}.part")
        with suppress(OSError):
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial.write_bytes(content)
            partial.replace(file)
            self._count(len(content))
        with suppress(OSError):
            partial.unlink()

    def _file(self, name: str) -> Path:
        return self._folder / name[:2] / f"{name}.jpg"

    def _count(self, more: int) -> None:
        """Makes room if needed. Other processes may have added pictures too."""
        with self._counting:
            if self._size is not None:
                self._size += more
                if self._size <= self._room:
                    return
            files = sorted(
                (status.st_mtime_ns, status.st_size, file)
                for file in self._folder.glob("*/*")
                for status in [file.stat()]
            )
            self._size = sum(size for _, size, _ in files)
            if self._size <= self._room:
                return
            for _, size, file in files:
                if self._size <= 0.9 * self._room:
                    break
                with suppress(OSError):
                    file.unlink()
                self._size -= size
