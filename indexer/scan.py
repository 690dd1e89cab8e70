"""Which files under a root look like photos, and what has changed since the last scan.

Paths are strings here: a root may contain a hundred thousand files of which three have changed.
"""

import os
import re
import stat
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from operator import attrgetter
from pathlib import Path

from pixquery.db.errors import BadRoot
from pixquery.db.records import FileState, KnownFile, Skipped
from pixquery.engine.home import expanded
from pixquery.indexer.ignore import IGNORE_FILE, Rules

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff",
     ".heic", ".heif", ".hif", ".avif", ".jxl",
     ".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".orf", ".rw2", ".raf",
     ".pef", ".srw", ".x3f", ".mrw"}
)  # fmt: skip
"""Names worth opening; the content decides what a file really is."""

MANY = 20
"""If this many photos are gone at once and only others are there, the disk is another one."""

_SYSTEM_FOLDERS = frozenset(
    {"@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "lost+found", "recycler",
     "__macosx", "$recycle.bin", "system volume information"}
)  # fmt: skip


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

    @property
    def files(self) -> list[Path]:
        """The photos, in the order they were found."""
        return [Path(path) for path in self.states]


@dataclass(slots=True)
class Changes:
    """How a scan differs from the catalogue."""

    fresh: list[tuple[Path, FileState, KnownFile | None]] = field(default_factory=list)
    """New or changed files, and what the catalogue knew of them."""
    unchanged: int = 0
    gone: dict[Path, KnownFile] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    """Files known to be unusable, and unchanged since."""


def _never(_path: Path) -> bool:
    return False


def roots_of(paths: Iterable[str | Path], held: Callable[[Path], bool] = _never) -> list[Path]:
    """The folders to scan: absolute, none inside another.

    Args:
        paths: As the user typed them.
        held: Whether the library has photos of a folder, which then need not exist now.

    Raises:
        BadRoot: One does not exist or is not a folder; the message names it.
    """
    roots: list[Path] = []
    for path in sorted({Path(os.path.abspath(expanded(path))) for path in paths}):
        if not (is_there(path) or held(path)):
            raise BadRoot(f"the folder {path} does not exist: check its name, then index it again")
        if os.path.isfile(path):  # noqa: PTH113
            raise BadRoot(f"{path} is a file: index its folder, {path.parent}")
        if not any(root in path.parents for root in roots):
            roots.append(path)
    return roots


def is_there(root: Path) -> bool:
    """Whether a path can be reached; on a disk that fails or hangs it cannot."""
    return os.path.isdir(root) or os.path.isfile(root)  # noqa: PTH112, PTH113 - Path's may raise


def holds_anything(folder: Path) -> bool:
    """Whether a folder can be opened and is not empty; an unplugged disk's may be."""
    try:
        with os.scandir(folder) as entries:
            return any(True for _ in entries)
    except OSError:
        return False


def scan(root: Path, exclude: Sequence[str] = (), *, follow_links: bool = False) -> Scan:
    """Walks a root without opening any photo.

    Left out are hidden and system folders, names without the suffix of a photo, everything but
    regular files, and whatever an ignore file lists. A photo with several names counts once, under
    the first: the files of a folder come before its folders, links after everything else, each
    sorted by name.

    Args:
        root: A folder.
        exclude: Globs; a file or folder is left out if its name or its path below the root matches.
        follow_links: Follow symbolic links, except to a folder that contains the root itself.
    """
    walk = _Walk(root, exclude, follow_links=follow_links)
    walk.run()
    return Scan(walk.states, tuple(walk.closed), walk.linked, folders=tuple(walk.folders))


def scan_roots(
    paths: Iterable[str | Path],
    exclude: Sequence[str] = (),
    *,
    follow_links: bool = False,
    held: Callable[[Path], bool] = _never,
) -> dict[Path, Scan]:
    """Walks several folders; see :func:`roots_of` and :func:`scan`.

    Raises:
        BadRoot: A path does not exist or is not a folder; or there is no photo under any of them,
            and the library has no photos of them either.
    """
    scans = {
        root: scan(root, exclude, follow_links=follow_links)
        if is_there(root)
        else Scan({}, missing=True)
        for root in roots_of(paths, held)
    }
    if any(scanned.states for scanned in scans.values()):
        return scans
    for scanned in scans.values():
        for closed in scanned.closed:
            raise BadRoot(
                f"no photo was found: {closed.path}: {closed.reason}: "
                "fix its permissions, then index again"
            )
    if any(map(held, scans)):
        return scans
    raise BadRoot(
        f"there are no photos under {', '.join(map(str, scans))} "
        "(JPEG, PNG, GIF, WebP, BMP, TIFF, HEIC, AVIF, JPEG XL and camera RAW count): "
        "name the folder that contains your photos"
    )


def is_hidden(name: str) -> bool:
    """Whether files and folders of this name are left out."""
    return name.startswith(".") or name.lower() in _SYSTEM_FOLDERS


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
    for name in known.keys() - scanned.states.keys():
        lost = Path(name)
        if closed.isdisjoint((lost, *lost.parents)):
            changes.gone[lost] = known[name]
    return changes


def out_of_reach(scanned: Scan, known: Mapping[str, KnownFile], changes: Changes) -> str:
    """The reason why a root's photos look unplugged rather than deleted; empty if they do not.

    They do if none of them is there, neither under its name nor under another with the same size
    and time, and if either the root contains no photo at all or :data:`MANY` are gone at once.
    """
    gone = sum(file.id > 0 for file in changes.gone.values())
    if not gone or not known.keys().isdisjoint(scanned.states):
        return ""
    if scanned.missing:
        return "is not there (an unplugged disk?)"
    if not scanned.states:
        return "contains no photo now (an unplugged disk?)"
    moved = not {file.state for file in known.values()}.isdisjoint(scanned.states.values())
    return "" if moved or gone < MANY else "contains none of its known photos (another disk?)"


class _Walk:
    """One walk through a root: what was found, and what is still to be opened."""

    def __init__(self, root: Path, exclude: Sequence[str], *, follow_links: bool) -> None:
        self.states: dict[str, FileState] = {}
        self.closed: list[Skipped] = []
        self.linked = 0
        self.folders: list[str] = []
        self._root = os.path.join(root, "")
        globs = "|".join(translate(os.path.normcase(glob)) for glob in exclude)
        self._exclude = re.compile(globs) if globs else None
        self._follow_links = follow_links
        self._seen: set[tuple[int, int]] = set()
        self._folders: list[tuple[str, Rules | None]] = [(str(root), None)]
        self._links: deque[tuple[str, Rules | None]] = deque()
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
        self.folders.append(folder)
        inner: list[tuple[str, Rules | None]] = []
        every = rules is None and self._exclude is None
        for entry in entries:
            name = entry.name
            if name[0] == ".":
                continue
            if name[name.rfind(".") :].lower() in SUFFIXES and entry.is_file(follow_symlinks=False):
                if every or self._wants(entry.path, rules):
                    self._look_at(entry)
            elif entry.is_symlink():
                if self._follow_links:
                    self._links.append((entry.path, rules))
            elif entry.is_dir(follow_symlinks=False) and self._wants_folder(entry.path, rules):
                inner.append((entry.path, rules))
        self._folders += reversed(inner)

    def _look_at(self, entry: os.DirEntry[str]) -> None:
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return  # deleted meanwhile
        except OSError as error:
            self._close(entry.path, f"cannot be read ({error.strerror})")
            return
        if status.st_nlink == 1 and not self._follow_links:
            # Twice as fast as FileState(...), which matters for a hundred thousand files.
            self.states[entry.path] = tuple.__new__(FileState, (status.st_size, status.st_mtime_ns))
        else:
            self._take(entry.path, status)

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
        elif stat.S_ISREG(status.st_mode) and os.path.splitext(path)[1].lower() in SUFFIXES:
            self._take(path, status)

    def _take(self, path: str, status: os.stat_result) -> None:
        """Adds a photo that may have other names, unless one of them was added before."""
        if self._is_known(status):
            self.linked += 1
        else:
            self.states[path] = FileState(status.st_size, status.st_mtime_ns)

    def _is_known(self, status: os.stat_result) -> bool:
        """Whether this file or folder was seen before, under any name."""
        identity = status.st_dev, status.st_ino
        if identity in self._seen:
            return True
        if status.st_ino:  # otherwise the file system has no such numbers
            self._seen.add(identity)
        return False

    def _wants(self, path: str, rules: Rules | None, *, folder: bool = False) -> bool:
        if self._exclude:
            below = os.path.normcase(path[len(self._root) :])
            if self._exclude.match(below) or self._exclude.match(_name(below)):
                return False
        return rules is None or not rules.ignore(path, folder=folder)

    def _wants_folder(self, path: str, rules: Rules | None) -> bool:
        system = _name(path).lower() in _SYSTEM_FOLDERS
        return not system and self._wants(path, rules, folder=True)

    def _close(self, path: str, reason: str) -> None:
        self.closed.append(Skipped(Path(path), reason))


def _name(path: str) -> str:
    return path.rpartition(os.sep)[2]
