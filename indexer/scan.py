"""Which files under a root look like photos, and what changed since the last time."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from db.errors import BadRoot
from db.records import FileState, KnownFile, Skipped

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff"}
)
"""Names worth opening; what a file really is, its content decides."""

_SYSTEM_FOLDERS = frozenset({"@eadir", "__macosx", "$recycle.bin", "system volume information"})


@dataclass(frozen=True, slots=True)
class Scan:
    """What lies under a root now."""

    files: Mapping[Path, FileState]
    closed: tuple[Skipped, ...]
    """Folders that could not be looked into; nothing in them counts as gone."""


@dataclass(slots=True)
class Changes:
    """How a scan differs from the catalogue."""

    fresh: list[tuple[Path, FileState, KnownFile | None]] = field(default_factory=list)
    """New or changed files, with what was known of them."""
    unchanged: int = 0
    gone: dict[Path, KnownFile] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    """Known to be unusable, and unchanged since."""


def roots_of(paths: Iterable[Path]) -> list[Path]:
    """The folders to scan: absolute, none inside another.

    Raises:
        BadRoot: One does not exist or is not a folder; the message names it.
    """
    roots: list[Path] = []
    for path in sorted({Path(os.path.abspath(path.expanduser())) for path in paths}):
        if not path.exists():
            raise BadRoot(f"the folder {path} does not exist: check its name, then index it again")
        if not path.is_dir():
            raise BadRoot(f"{path} is a file: index the folder it lies in, {path.parent}")
        if not any(root in path.parents for root in roots):
            roots.append(path)
    return roots


def scan(root: Path, exclude: Sequence[str] = ()) -> Scan:
    """Walks a root without opening any file.

    Hidden and system folders, links, and names without a photo's suffix are passed over.

    Args:
        root: A folder.
        exclude: Globs; a file or folder is passed over when its name or its path below the root
            matches one.
    """
    files: dict[Path, FileState] = {}
    closed: list[Skipped] = []
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if _passed_over(entry, root, exclude):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
                    elif entry.is_file(follow_symlinks=False) and _suffix(entry.name) in SUFFIXES:
                        status = entry.stat(follow_symlinks=False)
                        files[Path(entry.path)] = FileState(status.st_size, status.st_mtime_ns)
        except OSError as error:
            closed.append(Skipped(folder, f"folder cannot be read ({error.strerror})"))
    return Scan(files, tuple(closed))


def scan_roots(paths: Iterable[Path], exclude: Sequence[str] = ()) -> dict[Path, Scan]:
    """Walks the folders among which at least one photo must lie.

    Raises:
        BadRoot: A path does not exist or is no folder, or no photo lies under any of them.
    """
    scans = {root: scan(root, exclude) for root in roots_of(paths)}
    if any(found.files for found in scans.values()):
        return scans
    names = ", ".join(map(str, scans))
    for found in scans.values():
        for folder in found.closed:
            raise BadRoot(
                f"no photo was found: {folder.path}: {folder.reason}: "
                "fix its permissions, then index again"
            )
    raise BadRoot(
        f"no photo lies under {names} (JPEG, PNG, GIF, WebP, BMP and TIFF are looked for): "
        "name the folder that holds your photos"
    )


def compare(found: Scan, known: Mapping[Path, KnownFile]) -> Changes:
    """Tells what is new, changed, unchanged and gone."""
    changes = Changes()
    for path, state in found.files.items():
        before = known.get(path)
        if before is None or before.state != state:
            changes.fresh.append((path, state, before))
        elif before.reason:
            changes.skipped.append(Skipped(path, before.reason))
        else:
            changes.unchanged += 1
    closed = {folder.path for folder in found.closed}
    for path, before in known.items():
        if path not in found.files and closed.isdisjoint(path.parents):
            changes.gone[path] = before
    return changes


def _passed_over(entry: os.DirEntry[str], root: Path, exclude: Sequence[str]) -> bool:
    if entry.name.startswith(".") or entry.name.lower() in _SYSTEM_FOLDERS or entry.is_symlink():
        return True
    if not exclude:
        return False
    below = os.path.relpath(entry.path, root)
    return any(fnmatch(entry.name, glob) or fnmatch(below, glob) for glob in exclude)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()
