"""The one way to open a photo's file, and what its bytes are recognised by.

A fingerprint is BLAKE3: equal ones prove equal bytes. Earlier versions stored XXH3-128, of which
anybody can make two files; of those rows it remains as a hint, which proves nothing.

Only regular files are read. Whatever a name ends in, behind it may be a pipe that nobody writes to,
a device that never ends, or a link that was put there after the folder was scanned. So there are
three ways to a photo:

- A file that somebody names is read wherever it lies: :func:`read`.
- A run that does not follow links reads below the folder that it scanned, and nowhere else:
  :func:`read_below`.
- Before a photo of a library is shown, its content must be what was indexed: :func:`read_indexed`
  and :func:`open_indexed`. Links do not matter then: whatever is reached, it is the very photo.
"""

import errno
import io
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import xxhash
from blake3 import blake3

from pixquery.db.errors import UnreadableImage
from pixquery.db.records import FileState, ImageRecord

MAX_BYTES = 512 * 2**20
"""Larger files are not read."""

HINT_BYTES = 16

Identity: TypeAlias = tuple[int, int]
"""Device and inode: the same for every name of a file or folder, and different for another one."""

_NO_WAITING = getattr(os, "O_NONBLOCK", 0)
"""Opening a pipe does not wait for a writer."""
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = getattr(os, "O_DIRECTORY", 0)
_LINKED = "symbolic links are not followed"
_CHANGED = "it has changed since it was indexed"


class PhotoFile(NamedTuple):
    """A file that was read in full."""

    state: FileState
    content: bytes


def identity_of(status: os.stat_result) -> Identity | None:
    """The identity of a file or folder; none if the file system has no such numbers."""
    return (status.st_dev, status.st_ino) if status.st_ino else None


def read(path: Path, identity: Identity | None = None) -> PhotoFile:
    """Reads a photo's file, following links.

    Args:
        path: Of the file.
        identity: The file's when it was found; none if it was not looked at.

    Raises:
        OSError: It cannot be read, is not a regular file or another one than was found, or changed
            while it was read.
        UnreadableImage: It is larger than :data:`MAX_BYTES`.
    """
    with open_same(path, identity) as file:
        return _read(file, path)


def open_same(path: Path, identity: Identity | None) -> BinaryIO:
    """The same, but opens the file, at its beginning; the caller closes it.

    Raises:
        OSError: It cannot be opened, is not a regular file, or another one than was found.
    """
    file = open_file(path)
    if identity is not None and identity_of(os.fstat(file.fileno())) != identity:
        file.close()
        raise OSError(errno.ESTALE, "another file has taken its place", str(path))
    return file


def read_below(folder: Path, path: Path, identity: Identity | None = None) -> PhotoFile:
    """Reads a photo's file without following any link below a folder.

    Each folder on the way is opened in the one before, so that none can be replaced meanwhile.

    Args:
        folder: A folder, which may be a link.
        path: Of a file in it, or further below.
        identity: The folder's when ``path`` was found; none if it was not looked at.

    Raises:
        OSError: As for :func:`read`; or there is a link on the way.
        UnreadableImage: It is larger than :data:`MAX_BYTES`.
    """
    with open_below(folder, path, identity) as file:
        return _read(file, path)


def open_below(folder: Path, path: Path, identity: Identity | None = None) -> BinaryIO:
    """The same, but opens the file, at its beginning; the caller closes it.

    Raises:
        OSError: As for :func:`read_below`.
    """
    *folders, name = path.parts[len(folder.parts) :]
    if os.open not in os.supports_dir_fd:  # Windows
        real = os.path.realpath(path)
        if real != os.path.join(os.path.realpath(folder), *folders, name):
            raise OSError(errno.ELOOP, _LINKED, str(path))
        return open_file(Path(real))
    here = os.open(folder, os.O_RDONLY | _FOLDER)
    try:
        if identity is not None and identity_of(os.fstat(here)) != identity:
            raise OSError(errno.ESTALE, "another folder has taken the place of its own", str(path))
        for inner in folders:
            outer = here
            here = _folder_in(outer, inner, path)
            os.close(outer)
        return _opened(name, path, _NO_LINK, here)
    finally:
        os.close(here)


def read_indexed(photo: ImageRecord) -> bytes:
    """Reads a photo of a library, if its file still has the content that was indexed.

    Raises:
        OSError: It cannot be read, or is not a regular file.
        UnreadableImage: It has changed, or is larger than :data:`MAX_BYTES`.
    """
    with _of_size(photo) as file:
        content = _read(file, photo.path).content
    if not resembles(io.BytesIO(content), photo.content):
        raise UnreadableImage(_CHANGED)
    return content


def open_indexed(photo: ImageRecord) -> BinaryIO:
    """The same, but opens the file, at its beginning; the caller closes it."""
    file = _of_size(photo)
    try:
        if not resembles(file, photo.content):
            raise UnreadableImage(_CHANGED)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def open_file(path: Path) -> BinaryIO:
    """Opens a file for reading, without waiting for anything; the caller closes it.

    Raises:
        OSError: The file cannot be opened, or is not a regular file.
    """
    return _opened(path, path)


def read_file(path: Path, most: int) -> bytes:
    """The bytes of a file of at most ``most`` bytes, without waiting for anything.

    Raises:
        OSError: The file cannot be read, or is not a regular file.
        ValueError: It is larger.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise ValueError(f"it has more than {most // 2**20:,} MB")
        return file.read(size)  # asked for more, Python would first make room for that


def _opened(name: str | Path, path: Path, extra: int = 0, folder: int | None = None) -> BinaryIO:
    """Opens ``name``, in an open folder if there is one; errors name ``path``."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | _NO_WAITING | extra, dir_fd=folder)

    try:
        file = open(name, "rb", opener=opener)  # noqa: SIM115 - the caller closes it
    except ValueError as error:  # a NUL in a name
        raise OSError(errno.EINVAL, str(error), str(path)) from None
    except OSError as error:
        if error.errno == errno.ELOOP and extra & _NO_LINK:
            raise OSError(errno.ELOOP, _LINKED, str(path)) from None
        raise
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return file


def _folder_in(outer: int, name: str, path: Path) -> int:
    """Opens a folder in an open one, unless it is a link."""
    try:
        return os.open(name, os.O_RDONLY | _FOLDER | _NO_LINK, dir_fd=outer)
    except NotADirectoryError:
        if stat.S_ISLNK(os.stat(name, dir_fd=outer, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, _LINKED, str(path)) from None
        raise


def _of_size(photo: ImageRecord) -> BinaryIO:
    """A photo's open file, if it has the size in the catalogue."""
    file = open_file(photo.path)
    if os.fstat(file.fileno()).st_size != photo.state.size:
        file.close()
        raise UnreadableImage(_CHANGED)
    return file


def _read(file: BinaryIO, path: Path) -> PhotoFile:
    state = _state(file)
    if state.size > MAX_BYTES:
        raise UnreadableImage(
            f"{state.size:,} bytes are more than the {MAX_BYTES // 2**20} MB that are read"
        )
    try:
        content = file.read(state.size + 1) or b""  # none if it would have to wait
    except MemoryError:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM), str(path)) from None
    if len(content) != state.size or _state(file) != state:
        raise OSError(errno.EAGAIN, "it changed while it was read", str(path))
    return PhotoFile(state, content)


def fingerprint(content: bytes) -> bytes:
    """BLAKE3 of a photo's bytes, 32 bytes, by which the catalogue recognises it wherever it lies.

    https://github.com/BLAKE3-team/BLAKE3-specs/blob/master/blake3.pdf
    """
    return blake3(content).digest()


def fingerprint_of(file: BinaryIO) -> bytes:
    """The same of an open file, from its current position to its end."""
    return _digest(blake3(), file)


def hint(content: bytes) -> bytes:
    """XXH3-128 of a photo's bytes, 16 bytes: what earlier versions stored.

    Equal bytes have equal hints; the reverse need not be true.
    """
    return xxhash.xxh3_128_digest(content)


def is_hint(noted: bytes) -> bool:
    """Whether what the catalogue notes of a content is a hint rather than a fingerprint."""
    return len(noted) == HINT_BYTES


def resembles(file: BinaryIO, noted: bytes) -> bool:
    """Whether an open file, from its current position, has a noted fingerprint, or its hint.

    A hint is enough to show a photo: nobody can make a photo with the hint of a private file whose
    bytes they do not know.
    """
    if not is_hint(noted):
        return fingerprint_of(file) == noted
    return _digest(xxhash.xxh3_128(), file) == noted


def _digest(digest: Any, file: BinaryIO) -> bytes:
    while block := file.read(1 << 20):
        digest.update(block)
    return bytes(digest.digest())


def _state(file: BinaryIO) -> FileState:
    return FileState.of(os.fstat(file.fileno()))
