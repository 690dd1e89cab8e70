"""What lies at the paths of photos now: which file it is, and whether it is still the indexed one.

The catalogue says what was there when a folder was indexed. Since then a photo may have been
deleted, edited or unplugged, and two paths may lead to one file. So a file is known by its device
and inode here, and two files are equal if their bytes are.
"""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, TypeAlias

from pixquery.db.catalog import Catalog
from pixquery.db.records import FileState, Ids, ImageRecord
from pixquery.engine.photos import open_file

Kind: TypeAlias = Literal["missing", "changed", "unreachable", "same file", "link"]

_HEAD = 1 << 16
"""Bytes at the beginning that show whether a file can be read, and whether two may be equal."""
_BLOCK = 1 << 20
"""Bytes compared at once."""
_NO_FILE = frozenset({errno.EINVAL, errno.EISDIR, errno.ENXIO, errno.ENODEV, errno.ENOTDIR})
"""What opening a folder, a pipe, a socket or a device answers."""


class FileId(NamedTuple):
    """What makes a file the same file, whichever path leads to it."""

    device: int
    inode: int
    path: str = ""
    """The resolved path, on file systems that do not number their files; else empty."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A photo that is neither kept nor a copy, because of what lies at its path now."""

    record: ImageRecord
    kind: Kind
    """``missing``: nothing is there; ``changed``: not the file that was indexed; ``unreachable``:
    it cannot be read; ``same file``: another path of a photo that was compared; ``link``: a
    symbolic link, which takes no space."""
    reason: str
    """The same in words, without the path."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A photo's file, found as it was indexed."""

    record: ImageRecord
    file: FileId
    links: int
    """How many directory entries the file has."""
    changed_ns: int
    """When its bytes, name count or permissions last changed; nanoseconds since the epoch."""
    head: bytes
    """A digest of its first bytes."""

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.record.path


class _Lost(Exception):
    """A file is not there, or not as it was indexed."""

    def __init__(self, record: ImageRecord, kind: Kind, reason: str) -> None:
        super().__init__(reason)
        self.left_out = LeftOut(record, kind, reason)


def look(record: ImageRecord) -> Sighting | LeftOut:
    """Opens a photo's file, and checks that it is the one that was indexed."""
    try:
        with _opened(record) as file, _reading(record):
            status = os.fstat(file.fileno())
            head = blake2b(file.read(_HEAD), digest_size=16).digest()
    except _Lost as lost:
        return lost.left_out
    identity = _identity(record.path, status)
    return Sighting(record, identity, status.st_nlink, status.st_ctime_ns, head)


def compare(one: Sighting, other: Sighting) -> bool | LeftOut:
    """Whether two files are equal, byte for byte.

    Returns:
        The answer; or one of the two, if it was lost or changed since it was seen.
    """
    if one.record.state.size != other.record.state.size or one.head != other.head:
        return False
    both = one, other
    try:
        with ExitStack() as stack:
            files = [stack.enter_context(_opened(each.record)) for each in both]
            _unchanged(both, files)
            while True:
                blocks = []
                for each, file in zip(both, files, strict=True):
                    with _reading(each.record):
                        blocks.append(file.read(_BLOCK))
                if blocks[0] != blocks[1]:
                    return False
                if not blocks[0]:
                    break
            _unchanged(both, files)
    except _Lost as lost:
        return lost.left_out
    return True


def again(before: Sighting) -> Sighting | LeftOut:
    """Looks once more, and checks that the same file is there."""
    now = look(before.record)
    if isinstance(now, Sighting) and not _kept_its_place(before, now.file, now.changed_ns):
        return LeftOut(before.record, "changed", "was replaced by another file")
    return now


def one_file(one: Sighting, other: Sighting) -> bool:
    """Whether two paths lead to one file, so that losing it loses both.

    A network folder or an overlay that is mounted twice has two device numbers. There, one file is
    recognised by its inode number together with all its times, which no copy shares.
    """
    if one.file == other.file:
        return True
    return (
        one.file.inode == other.file.inode != 0
        and one.file.device != other.file.device
        and (_mounted(one.file.device) or _mounted(other.file.device))
        and one.record.state == other.record.state
        and one.changed_ns == other.changed_ns
    )


class Sightings:
    """The files of photos by position, each looked at once; every file has one position."""

    def __init__(self, catalog: Catalog, ids: Ids) -> None:
        self._catalog, self._ids = catalog, ids
        self._seen: dict[int, Sighting | None] = {}
        self._holders: dict[tuple[int, int], list[int]] = {}
        """Inode number and size -> positions, one for each file."""
        self._others: dict[int, list[int]] = {}
        """Position of a file -> the positions of its other paths."""
        self._aliases: dict[int, Sighting] = {}
        self._left_out: dict[int, LeftOut] = {}

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """The photos that were looked at and left out, in order."""
        return tuple(left_out for _, left_out in sorted(self._left_out.items()))

    def see(self, positions: Iterable[int]) -> None:
        """Looks at files that were not looked at yet."""
        new = [position for position in dict.fromkeys(positions) if position not in self._seen]
        records = self._catalog.records([int(self._ids[position]) for position in new])
        for position in new:
            record = records.get(int(self._ids[position]))
            # A writer may have removed the row meanwhile.
            self._seen[position] = None if record is None else self._met(position, record)

    def at(self, position: int) -> Sighting | None:
        """The file at a position; none if it is left out."""
        if position not in self._seen:
            self.see([position])
        return self._seen[position]

    def equal(self, one: int, other: int) -> bool:
        """Whether two files are equal byte for byte; false if one of them is lost."""
        files = self.at(one), self.at(other)
        if files[0] is None or files[1] is None:
            return False
        answer = compare(files[0], files[1])
        if isinstance(answer, LeftOut):
            self._lose(one if answer.record is files[0].record else other, answer)
            return False
        return answer

    def kept(self, position: int) -> Sighting | None:
        """The file to keep, under its plainest path, if it is still there."""
        paths = self._paths(position)[:1]
        self._name(position, paths)
        return paths[0] if paths else None

    def superfluous(self, position: int, kept: Sighting) -> list[Sighting]:
        """The paths to delete to be rid of a file: more than one if it has hard links.

        Args:
            position: Of the file.
            kept: What stays, as seen a moment ago.
        """
        entries: dict[tuple[int, int, str], Sighting] = {}
        for sighting in self._paths(position):
            if not (sighting.path.is_symlink() or one_file(sighting, kept)):
                entries.setdefault(_entry(sighting), sighting)
        paths = list(entries.values())
        self._name(position, paths)
        return paths

    def _paths(self, position: int) -> list[Sighting]:
        """All paths of a file that is still there, those without links first."""
        if self.at(position) is None:
            return []
        paths = []
        for at in (position, *self._others.get(position, ())):
            now = again(self._sighting(at))
            if isinstance(now, LeftOut):
                self._lose(position, now)
                return []
            paths.append(now)
        if len(paths) > 1:
            paths.sort(key=lambda each: os.path.realpath(each.path) != str(each.path))
        return paths

    def _name(self, position: int, paths: list[Sighting]) -> None:
        """Notes all other paths of a file as left out."""
        if self._seen[position] is None:
            return
        named = {sighting.record.id for sighting in paths}
        for at in (position, *self._others.get(position, ())):
            record = self._sighting(at).record
            if record.id in named:
                self._left_out.pop(at, None)
            else:
                link = not named and record.path.is_symlink()
                self._left_out[at] = _link(record) if link else _same_file(record)

    def _lose(self, position: int, left_out: LeftOut) -> None:
        """Leaves out a file that was there before, with all its paths."""
        for at in (position, *self._others.pop(position, ())):
            self._left_out[at] = replace(left_out, record=self._sighting(at).record)
        self._seen[position] = None

    def _sighting(self, position: int) -> Sighting:
        return self._seen[position] or self._aliases[position]

    def _met(self, position: int, record: ImageRecord) -> Sighting | None:
        sighting = look(record)
        if isinstance(sighting, LeftOut):
            self._left_out[position] = sighting
            return None
        key = sighting.file.inode, record.state.size
        holders = self._holders.setdefault(key, [])
        for holder in holders:
            known = self._seen[holder]
            if known is not None and one_file(known, sighting):
                self._others.setdefault(holder, []).append(position)
                self._aliases[position] = sighting
                self._left_out[position] = _same_file(record)
                return None
        holders.append(position)
        return sighting


@contextmanager
def _reading(record: ImageRecord) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _lost(record, error) from error


@contextmanager
def _opened(record: ImageRecord) -> Iterator[BinaryIO]:
    """The file of a photo, if it is as it was indexed."""
    with _reading(record):
        file = open_file(record.path)
    with file:
        with _reading(record):
            status = os.fstat(file.fileno())
        if FileState.of(status) != record.state:
            raise _Lost(record, "changed", "changed since it was indexed")
        yield file


def _lost(record: ImageRecord, error: OSError) -> _Lost:
    if isinstance(error, FileNotFoundError) or error.errno == errno.ENOTDIR:
        return _Lost(record, "missing", "is not there")
    if error.errno in _NO_FILE:
        return _Lost(record, "changed", "is no regular file any more")
    return _Lost(record, "unreachable", f"cannot be read ({error.strerror or error})")


def _unchanged(sightings: Iterable[Sighting], files: Iterable[BinaryIO]) -> None:
    for sighting, file in zip(sightings, files, strict=True):
        record = sighting.record
        with _reading(record):
            status = os.fstat(file.fileno())
        state = FileState.of(status)
        identity = _identity(record.path, status)
        if state != record.state or not _kept_its_place(sighting, identity, status.st_ctime_ns):
            raise _Lost(record, "changed", "changed while it was compared")


def _kept_its_place(before: Sighting, file: FileId, changed_ns: int) -> bool:
    """Whether a file is the one that was seen before.

    FAT numbers its files anew whenever it forgets them. A file that took the place of another would
    have a time of its own, even if its size and the time that programs can set are the same.
    """
    return file == before.file or changed_ns == before.changed_ns


def _identity(path: Path, status: os.stat_result) -> FileId:
    if status.st_ino:
        return FileId(status.st_dev, status.st_ino)
    return FileId(status.st_dev, 0, os.path.normcase(os.path.realpath(path)))


def _mounted(device: int) -> bool:
    """Whether a device number stands for a mount and not for a disk."""
    major = getattr(os, "major", None)
    return major is not None and major(device) == 0


def _entry(sighting: Sighting) -> tuple[int, int, str]:
    """What makes a directory entry the same one, whichever path leads to its folder."""
    if sighting.links <= 1:  # once any of its paths is deleted, the file is gone
        return sighting.file.device, sighting.file.inode, ""
    try:
        folder = sighting.path.parent.stat()
    except OSError:  # it was there a moment ago
        return 0, 0, str(sighting.path)
    return folder.st_dev, folder.st_ino, sighting.path.name


def _same_file(record: ImageRecord) -> LeftOut:
    return LeftOut(record, "same file", "is another path of a photo that was compared")


def _link(record: ImageRecord) -> LeftOut:
    return LeftOut(record, "link", "is a symbolic link, which takes no space")
