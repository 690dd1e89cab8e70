"""Photos as a browser shows them: their own files, and small pictures of them.

A photo is asked for by its number alone. Its file is opened only where it truly lies in a folder
of the library and is as large as the catalogue says.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from pixquery.db.errors import UnreadableImage
from pixquery.db.records import ImageRecord, RootSummary
from pixquery.engine.runtime import cache_folder
from pixquery.indexer.decode import thumbnail
from pixquery.indexer.photos import fingerprint, fingerprint_of, open_file
from pixquery.web.reader import Reader
from pixquery.web.refusals import Refusal


class Side(IntEnum):
    """Longer sides of thumbnails, in pixels."""

    SMALL = 160
    MIDDLE = 320
    BIG = 640


LARGE = 2048
"""Longer side of the picture that stands for a photo which browsers cannot show."""
ROOM = 512 * 2**20
"""Bytes of pictures that are kept."""

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
    """Differs where the content does."""
    name: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A small picture of a photo."""

    content: bytes
    """A JPEG."""
    tag: str
    """Differs where the photo's content or the picture's size does."""
    version: str
    """Of the photo, as the catalogue knows it."""
    lasting: bool
    """It is of the content that the catalogue knows: other content gets another tag."""


class Pictures:
    """Opens photos and makes pictures of them."""

    def __init__(self, reader: Reader, kept: "Kept | None" = None) -> None:
        """Takes the library, and where pictures are kept."""
        self._reader = reader
        self._kept = kept or Kept(cache_folder() / "thumbnails", ROOM)

    def original(self, image_id: int) -> Original:
        """A photo's own file; the caller closes it.

        Raises:
            NothingFound: There is no photo of that number.
            Refusal: Its file is gone, changed, or lies elsewhere.
        """
        record = self._reader.photo(image_id)
        file = _opened(record, self._reader.roots())
        return Original(
            file,
            record.state.size,
            f'"{record.content.hex()}-{os.fstat(file.fileno()).st_mtime_ns:x}"',
            record.path.name,
            _TYPES.get(record.format, _UNKNOWN),
        )

    def kept(self, image_id: int, side: int) -> Picture | None:
        """A photo's picture of this longer side, if it was made before.

        Raises:
            NothingFound: There is no photo of that number.
        """
        record = self._reader.photo(image_id)
        name = _name(record, side)
        content = self._kept.get(name)
        if content is None:
            return None
        return Picture(content, f'"{name}"', version_of(record), lasting=True)

    def picture(self, image_id: int, side: int) -> Picture:
        """A photo's picture of this longer side, in pixels.

        Raises:
            NothingFound: There is no photo of that number.
            Refusal: Its file is gone, changed, damaged, or lies elsewhere.
        """
        kept = self.kept(image_id, side)
        if kept is not None:
            return kept
        record = self._reader.photo(image_id)
        with _opened(record, self._reader.roots()) as file:
            content = file.read(record.state.size)
        same = fingerprint(content) == record.content
        try:
            small = thumbnail(content, side)
        except UnreadableImage as error:
            raise Refusal(410, f"photo {image_id} cannot be shown: {error}") from None
        name = _name(record, side)
        if same:
            self._kept.put(name, small)
        return Picture(small, f'"{name}"' if same else "", version_of(record), lasting=same)


def version_of(record: ImageRecord) -> str:
    """What tells a photo's content from any other."""
    return record.content.hex()[:16]


def _name(record: ImageRecord, side: int) -> str:
    return f"{record.content.hex()}-{side}"


def _opened(record: ImageRecord, roots: Sequence[RootSummary]) -> BinaryIO:
    """A photo's file, if it truly lies in a root and is as large as the catalogue says."""
    gone = Refusal(
        410, f"the file of photo {record.id} is gone or out of reach: index its folder again"
    )
    try:
        real = record.path.resolve(strict=True)
        inside = any(real.is_relative_to(root.path.resolve()) for root in roots)
        file = open_file(real, follow_link=False)
    except (OSError, RuntimeError, ValueError):  # a link to itself, a name with NUL
        raise gone from None
    try:
        if os.fstat(file.fileno()).st_size != record.state.size:
            raise Refusal(410, f"the file of photo {record.id} has changed: index its folder again")
        if not inside:  # through a link; what was indexed through one has the content it had
            if fingerprint_of(file) != record.content:
                raise Refusal(404, f"photo {record.id} lies outside of the library's folders")
            file.seek(0)
    except OSError:
        file.close()
        raise gone from None
    except Refusal:
        file.close()
        raise
    return file


class Kept:
    """Pictures on the disk, so many bytes of them; those not asked for longest make room."""

    def __init__(self, folder: Path, room: int) -> None:
        """Takes the folder, which is made when it is needed, and the bytes it may hold."""
        self._folder = folder
        self._room = room
        self._held: int | None = None
        self._counting = Lock()

    def get(self, name: str) -> bytes | None:
        """A picture that was kept, and is whole."""
        file = self._file(name)
        try:
            content = file.read_bytes()
            os.utime(file)
        except OSError:
            return None
        return content if content.endswith(b"\xff\xd9") else None

    def put(self, name: str, content: bytes) -> None:
        """Keeps a picture; a disk that is full or may not be written costs time and no answer."""
        file = self._file(name)
        beside = file.with_name(f"{file.name}.{os.getpid()}-{id(content):x}.part")
        with suppress(OSError):
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside.write_bytes(content)
            beside.replace(file)
            self._count(len(content))
        with suppress(OSError):
            beside.unlink()

    def _file(self, name: str) -> Path:
        return self._folder / name[:2] / f"{name}.jpg"

    def _count(self, more: int) -> None:
        """Makes room where there is too little; other processes may have written, too."""
        with self._counting:
            if self._held is not None:
                self._held += more
                if self._held <= self._room:
                    return
            files = sorted(
                (found.st_mtime_ns, found.st_size, file)
                for file in self._folder.glob("*/*")
                for found in [file.stat()]
            )
            self._held = sum(size for _, size, _ in files)
            if self._held <= self._room:
                return
            for _, size, file in files:
                if self._held <= 0.9 * self._room:
                    break
                with suppress(OSError):
                    file.unlink()
                self._held -= size
