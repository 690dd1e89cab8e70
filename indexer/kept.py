"""Small pictures of photos that were made before, on disk."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock

from pixquery.engine.library import Library
from pixquery.engine.runtime import cache_folder

ROOM = 512 * 2**20
"""Size of the cache, in bytes."""
_SETTING = "thumbnails"
_EARLY = 0.8
"""Share of it that pictures may take which are made before anybody asks for them."""


def kept_pictures() -> "Kept":
    """The user's cache of pictures."""
    return Kept(cache_folder() / "thumbnails", ROOM)


def makes_thumbnails(library: Library) -> bool:
    """Whether the library's indexings make the gallery's pictures."""
    return library.catalog.setting(_SETTING, "on") == "on"


def remember_thumbnails(library: Library, *, on: bool) -> None:
    """Makes the library's indexings make them, or not; those that were made stay."""
    if makes_thumbnails(library) != on:
        with library.writing(brief=True):
            library.catalog.keep(_SETTING, "on" if on else "off")


def name_of(content: bytes, side: int) -> str:
    """Name of a picture, by its photo's fingerprint and its longer side in pixels."""
    return f"{content.hex()}-{side}"


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

    def offer(self, name: str, make: Callable[[], bytes]) -> None:
        """Adds a picture that nobody asked for yet, if it is missing and there is room for it."""
        with self._counting:
            if self._size is None:
                self._size = sum(size for _, size, _ in self._files())
            if self._size >= _EARLY * self._room or self._file(name).exists():
                return
        self.put(name, make())

    def _file(self, name: str) -> Path:
        return self._folder / name[:2] / f"{name}.jpg"

    def _count(self, more: int) -> None:
        """Makes room if needed. Other processes may have added pictures too."""
        with self._counting:
            if self._size is not None:
                self._size += more
                if self._size <= self._room:
                    return
            files = self._files()
            self._size = sum(size for _, size, _ in files)
            if self._size <= self._room:
                return
            for _, size, file in files:
                if self._size <= 0.9 * self._room:
                    break
                with suppress(OSError):
                    file.unlink()
                self._size -= size

    def _files(self) -> list[tuple[int, int, Path]]:
        """Time, size and path of each picture, those first that were not used for longest."""
        files = []
        for file in self._folder.glob("*/*"):
            with suppress(OSError):  # another process has just removed or renamed it
                status = file.stat()
                files.append((status.st_mtime_ns, status.st_size, file))
        return sorted(files)
