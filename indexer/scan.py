"""Which files under a root look like photos, and what has changed since the last scan.

Paths are strings here: a root may contain a hundred thousand files of which three have changed.
"""

import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import TypeAlias

from pixquery.db.errors import BadRoot
from pixquery.db.records import EARLIEST_NS, LATEST_NS, FileState, KnownFile, Skipped
from pixquery.engine.photos import Identity, identity_of
from pixquery.indexer.exclusion import Exclusion
from pixquery.indexer.ignore import IGNORE_FILE, Rules
from pixquery.indexer.programs import SYSTEM_FOLDERS, is_derived
from pixquery.indexer.root_names import is_there, never
from pixquery.indexer.root_names import roots_of as roots_of
from pixquery.indexer.sidecars import SidecarFile, is_sidecar, paired
from pixquery.indexer.signatures import is_photo
from pixquery.indexer.suffixes import SUFFIXES as SUFFIXES
from pixquery.indexer.suffixes import is_other

NO_PHOTO = "no photo by its first bytes"
"""The reason that the catalogue notes of files that are passed over until they change."""

MANY = 20
"""If this many photos are gone at once and only others are there, the disk is another one."""


@dataclass(frozen=True, slots=True)
class Scan:
    """The photos under a root now."""

    states: Mapping[str, FileState]
    """Each photo's path and state."""
    closed: tuple[Skipped, ...] = ()
    """Files and folders that could not be opened; nothing in them counts as gone."""
    linked: int = 0
    """Additional names of photos found before: hard links, and symbolic links followed."""
    missing: bool = False
    """The root does not exist now."""
    folders: tuple[str, ...] = ()
    """The folders that were opened."""
    identity: Identity | None = None
    """The root's."""
    identities: Mapping[str, Identity | None] = field(default_factory=dict)
    """Each photo's, by path, if links were followed: they may lead elsewhere by now."""
    passed_over: int = 0
    """Other files, by their names or their first bytes; without hidden and excluded ones."""
    no_photos: Mapping[str, FileState] = field(default_factory=dict)
    """Those of them whose names say nothing, so that they were looked into."""
    sidecars: Mapping[str, tuple[SidecarFile, ...]] = field(default_factory=dict)
    """What lies beside photos and describes them, by the photo's path."""
    met: frozenset[str] = frozenset()
    """The patterns of ``exclude`` that matched something."""

    @property
    def files(self) -> list[Path]:
        """The photos, in the order they were found."""
        return [Path(path) for path in self.states]


FreshFile: TypeAlias = tuple[Path, FileState, KnownFile | None]
"""A new or changed file, and what the catalogue knew of it."""


@dataclass(slots=True)
class Changes:
    """How a scan differs from the catalogue."""

    fresh: list[FreshFile] = field(default_factory=list)
    unchanged: int = 0
    gone: dict[Path, KnownFile] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    """Files known to be unusable, and unchanged since."""


def _nothing(_paths: Sequence[str]) -> Mapping[str, KnownFile]:
    return {}


def scan(
    root: Path,
    exclude: Sequence[str] = (),
    *,
    follow_links: bool = False,
    noted: Callable[[Sequence[str]], Mapping[str, KnownFile]] = _nothing,
) -> Scan:
    """Walks a root without reading any photo.

    Left out are hidden and system folders, what photo programs derive from photos, everything but
    regular files, and whatever an ignore file lists. Names that say nothing are decided by the
    first bytes of the file. A photo with several names counts once, under the first: the files of a
    folder come before its folders, links after everything else, each sorted by name.

    Args:
        root: A folder.
        exclude: Patterns; see :class:`pixquery.indexer.exclusion.Exclusion`.
        follow_links: Follow symbolic links, except to a folder that contains the root itself.
        noted: What the catalogue notes of some paths, so that no file is looked into twice.
    """
    walk = _Walk(root, exclude, follow_links=follow_links, noted=noted)
    walk.run()
    return walk.scan()


def scan_roots(
    paths: Iterable[str | Path],
    exclude: Sequence[str] = (),
    *,
    follow_links: bool = False,
    held: Callable[[Path], bool] = never,
    noted: Callable[[Sequence[str]], Mapping[str, KnownFile]] = _nothing,
) -> dict[Path, Scan]:
    """Walks several folders; see :func:`roots_of` and :func:`scan`.

    Raises:
        BadRoot: A path does not exist or is not a folder; or there is no photo under any of them,
            and the library has no photos of them either.
    """
    scans = {
        root: scan(root, exclude, follow_links=follow_links, noted=noted)
        if is_there(root)
        else Scan({}, missing=True)
        for root in roots_of(paths, held)
    }
    if any(scanned.states for scanned in scans.values()):
        return scans
    for scanned in scans.values():
        for closed in scanned.closed:
            remedy = (
                f"mend {IGNORE_FILE}" if IGNORE_FILE in closed.reason else "fix its permissions"
            )
            raise BadRoot(
                f"no photo was found: {closed.path}: {closed.reason}: {remedy}, then index again"
            )
    if any(map(held, scans)):
        return scans
    raise BadRoot(
        f"there are no photos under {', '.join(map(str, scans))} "
        "(JPEG, PNG, GIF, WebP, BMP, TIFF, HEIC, AVIF, JPEG XL and camera RAW count): "
        "name the folder that contains your photos"
    )


def compare(scanned: Scan, known: Mapping[str, KnownFile]) -> Changes:
    """Finds what is new, changed, unchanged and gone."""
    changes = Changes()
    for path, state in scanned.states.items():
        before = known.get(path)
        if before is None or before.state != state:
            changes.fresh.append((Path(path), state, before))
        elif before.reason:
            changes.skipped.append(Skipped(Path(path), before.reason))
        else:
            changes.unchanged += 1
    closed = {skipped.path for skipped in scanned.closed}
    for name in known.keys() - scanned.states.keys() - scanned.no_photos.keys():
        lost = Path(name)
        if not closed or closed.isdisjoint((lost, *lost.parents)):
            changes.gone[lost] = known[name]
    return changes


def out_of_reach(scanned: Scan, known: Mapping[str, KnownFile], changes: Changes) -> str:
    """The reason why a root's photos look unplugged rather than deleted; empty if they do not.

    They do if none of them is there, neither under its name, if only to be left out now, nor under
    another with the same size and time, and if either the root contains no photo at all or
    :data:`MANY` are gone at once.
    """
    gone = sum(file.id > 0 for file in changes.gone.values())
    if not gone or not known.keys().isdisjoint(scanned.states):
        return ""
    if scanned.missing:
        return "is not there (an unplugged disk?)"
    if any(os.path.lexists(path) for path, file in changes.gone.items() if file.id):
        return ""
    if not scanned.states:
        return "contains no photo now (an unplugged disk?)"
    moved = not {file.state for file in known.values()}.isdisjoint(scanned.states.values())
    return "" if moved or gone < MANY else "contains none of its known photos (another disk?)"


class _Walk:
    """One walk through a root: what was found, and what is still to be opened."""

    def __init__(
        self,
        root: Path,
        exclude: Sequence[str],
        *,
        follow_links: bool,
        noted: Callable[[Sequence[str]], Mapping[str, KnownFile]],
    ) -> None:
        self._states: dict[str, FileState] = {}
        self._identity: Identity | None = None
        self._identities: dict[str, Identity | None] = {}
        self._closed: list[Skipped] = []
        self._linked = 0
        self._opened: list[str] = []
        self._passed_over = 0
        self._no_photos: dict[str, FileState] = {}
        self._sidecars: dict[str, tuple[SidecarFile, ...]] = {}
        self._exclude = Exclusion(exclude, root) if exclude else None
        self._follow_links = follow_links
        self._noted = noted
        self._seen: set[tuple[int, int]] = set()
        self._folders: list[tuple[str, Rules | None]] = [(str(root), None)]
        self._links: deque[tuple[str, Rules | None]] = deque()
        with suppress(OSError):  # looking into it reports it
            self._identity = identity_of(root.stat())
        if follow_links:
            for parent in root.parents:
                self._is_known(parent.stat())

    def run(self) -> None:
        while self._folders or self._links:
            if self._folders:
                path, rules = self._folders.pop()
                try:
                    self._look_into(path, rules)
                except OSError as error:
                    self._close(path, f"folder cannot be read ({error.strerror})")
            else:
                self._follow(*self._links.popleft())

    def scan(self) -> Scan:
        return Scan(
            self._states,
            tuple(self._closed),
            self._linked,
            folders=tuple(self._opened),
            passed_over=self._passed_over,
            no_photos=self._no_photos,
            sidecars=self._sidecars,
            met=frozenset(self._exclude.met if self._exclude else ()),
            identity=self._identity,
            identities=self._identities,
        )

    def _look_into(self, folder: str, rules: Rules | None) -> None:
        if self._follow_links and self._is_known(Path(folder).stat()):
            return
        with os.scandir(folder) as unsorted:
            entries = sorted(unsorted, key=attrgetter("name"))
        for entry in entries:
            if entry.name == IGNORE_FILE:
                try:
                    rules = Rules.read(folder, rules) if entry.is_file() else rules
                except OSError as error:  # which of its files to leave out is unknown
                    self._close(folder, f"its {IGNORE_FILE} cannot be read ({error.strerror})")
                    return
        self._opened.append(folder)
        inner: list[tuple[str, Rules | None]] = []
        unclear: list[os.DirEntry[str]] = []
        beside: list[os.DirEntry[str]] = []
        every = rules is None and self._exclude is None
        for entry in entries:
            name = entry.name
            if name[0] == ".":
                self._is_excluded(entry.path)
                continue
            if name[name.rfind(".") :].lower() in SUFFIXES and entry.is_file(follow_symlinks=False):
                if every or self._wants(entry.path, rules):
                    self._look_at(entry)
            elif entry.is_symlink():
                if self._follow_links:
                    self._links.append((entry.path, rules))
                else:
                    self._is_excluded(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                if self._wants_folder(entry.path, rules):
                    inner.append((entry.path, rules))
            elif entry.is_file(follow_symlinks=False) and self._wants(entry.path, rules):
                if is_other(name):
                    self._passed_over += 1
                    if is_sidecar(name):
                        beside.append(entry)
                else:
                    unclear.append(entry)
        self._folders += reversed(inner)
        if unclear:
            self._look_into_files(unclear)
        if beside:
            found = paired(beside, (entry for entry in entries if entry.path in self._states))
            self._passed_over -= len({file.path for files in found.values() for file in files})
            self._sidecars |= found

    def _look_at(self, entry: os.DirEntry[str]) -> None:
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return  # deleted meanwhile
        except OSError as error:
            self._close(entry.path, f"cannot be read ({error.strerror})")
            return
        if status.st_nlink == 1 and not self._follow_links:
            # FileState.of, twice as fast, which matters for a hundred thousand files.
            modified = status.st_mtime_ns
            if not EARLIEST_NS <= modified <= LATEST_NS:
                modified = FileState.of(status).mtime_ns
            self._states[entry.path] = tuple.__new__(FileState, (status.st_size, modified))
        else:
            self._take(entry.path, status)

    def _look_into_files(self, entries: Sequence[os.DirEntry[str]]) -> None:
        """Adds those files of a folder that are photos, though their names do not say so."""
        noted = self._noted([entry.path for entry in entries])
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                status = None  # deleted meanwhile, or as unreadable as its content
            if status is None or not self._is_photo(entry.path, status, noted):
                self._passed_over += 1
            else:
                self._look_at(entry)

    def _is_photo(self, path: str, status: os.stat_result, noted: Mapping[str, KnownFile]) -> bool:
        """Whether a file was a photo when the catalogue saw it, or begins as one."""
        before = noted.get(path)
        state = FileState.of(status)
        if before is not None and before.reason != NO_PHOTO:
            return True
        if (before is None or before.state != state) and is_photo(path):
            return True
        self._no_photos[path] = state
        return False

    def _follow(self, path: str, rules: Rules | None) -> None:
        if not self._wants(path, rules):
            return
        try:
            status = Path(path).stat()
        except OSError as error:
            self._close(path, f"link leads nowhere ({error.strerror})")
            return
        if stat.S_ISDIR(status.st_mode):
            if self._wants_folder(path, rules):
                self._folders.append((path, rules))
        elif stat.S_ISREG(status.st_mode):
            suffix = os.path.splitext(path)[1].lower()
            if suffix in SUFFIXES or (
                not is_other(_name(path)) and self._is_photo(path, status, self._noted([path]))
            ):
                self._take(path, status)
            else:
                self._passed_over += 1

    def _take(self, path: str, status: os.stat_result) -> None:
        """Adds a photo that may have other names, unless one of them was added before."""
        if self._is_known(status):
            self._linked += 1
        else:
            self._states[path] = FileState.of(status)
            if self._follow_links:
                self._identities[path] = identity_of(status)

    def _is_known(self, status: os.stat_result) -> bool:
        """Whether this file or folder was seen before, under any name."""
        identity = status.st_dev, status.st_ino
        if identity in self._seen:
            return True
        if status.st_ino:  # otherwise the file system has no such numbers
            self._seen.add(identity)
        return False

    def _wants(self, path: str, rules: Rules | None, *, folder: bool = False) -> bool:
        if self._is_excluded(path, folder=folder):
            return False
        return rules is None or not rules.ignore(path, folder=folder)

    def _is_excluded(self, path: str, *, folder: bool = False) -> bool:
        """Also notes that the pattern met something, for files that are left out anyway."""
        return self._exclude is not None and self._exclude.leaves_out(path, folder=folder)

    def _wants_folder(self, path: str, rules: Rules | None) -> bool:
        folder, _, name = path.rpartition(os.sep)
        left_out = name.lower() in SYSTEM_FOLDERS or is_derived(folder, name)
        return not left_out and self._wants(path, rules, folder=True)

    def _close(self, path: str, reason: str) -> None:
        self._closed.append(Skipped(Path(path), reason))


def _name(path: str) -> str:
    return path.rpartition(os.sep)[2]
