"""Keeps a library up to date with its roots for as long as it runs.

This file only notices that something changed, and under which root. The ordinary run of the indexer
finds out what.
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import watchfiles

from pixquery.db.errors import BadRoot, LibraryLocked, StorageFailed
from pixquery.engine.library import Library
from pixquery.indexer.build import Options, index
from pixquery.indexer.ignore import IGNORE_FILE
from pixquery.indexer.programs import is_hidden
from pixquery.indexer.report import IndexReport
from pixquery.indexer.root_names import is_there, roots_of
from pixquery.indexer.scan import scan
from pixquery.indexer.sidecars import is_sidecar
from pixquery.indexer.suffixes import is_other

QUIET = 500
"""Milliseconds without a change before a run begins: a photo is written in many steps."""
LONGEST = 5_000
"""Milliseconds after which a run begins even while files change: copying a card takes long."""
LOOK = 1_000
"""Milliseconds between checks for roots that appeared or disappeared."""

_Identity = tuple[int, int]


def keep_in_step(
    library: Library, paths: Sequence[Path], options: Options | None = None
) -> Iterator[IndexReport]:
    """Indexes a root whenever something changes in it, until Ctrl-C.

    The first run, over all roots, begins as soon as they are watched. While another process writes
    to the library, a run waits for it.

    Args:
        library: To keep up to date.
        paths: Folders; none means all roots of the library. One may disappear and come back.
        options: As for :func:`indexer.build.index`.

    Yields:
        The report of each run.

    Raises:
        BadRoot: One does not exist, is not a folder, or its name is not valid Unicode.
        StorageFailed: The system cannot watch so many folders.
        KeyboardInterrupt: Ctrl-C between runs.
    """
    options = options or Options()
    named = paths or [root.path for root in library.catalog.roots()]
    roots = roots_of(named, library.catalog.holds)
    for root in roots:
        if not _is_text(root):
            raise BadRoot(
                f"the folder {root} cannot be watched because its name is not valid Unicode: "
                "index it without --watch"
            )
    waiting: set[Path] = set()
    for changed in _changed(roots, library.folder, options):
        waiting |= changed
        waiting = {root for root in waiting if is_there(root) or library.catalog.holds(root)}
        if not waiting:  # one that was moved whole is no root any more
            continue
        try:
            report = index(library, sorted(waiting), options)
        except LibraryLocked:
            continue
        waiting.clear()
        yield report


def _changed(roots: Sequence[Path], library: Path, options: Options) -> Iterator[set[Path]]:
    """The roots in which something happened, or that appeared or disappeared; none if nothing did.

    Folders are watched before their root is yielded, so that no change is missed in between.
    """
    while True:
        unseen = set(roots)
        present = _present(roots)
        folders = _folders(list(present), library, options)
        if not folders:
            yield unseen
            while present == _present(roots):
                time.sleep(LOOK / 1000)
                yield set()
            continue
        for events in _events(folders):
            changed = {path for path in events if _matters(path, roots, library)}
            yield unseen | {root for root in roots if any(_is_in(root, p) for p in changed)}
            unseen = set()
            if present != _present(roots) or any(map(_is_other_folder, changed)):
                break  # the folders to watch have changed


def _is_other_folder(path: Path) -> bool:
    return path.is_dir() or path.name == IGNORE_FILE


def _folders(roots: Sequence[Path], library: Path, options: Options) -> list[Path]:
    """The folders to watch.

    Linux watches folders one by one. Watching a whole tree there would follow links wherever they
    lead, so the folders that a scan opens are watched; other systems watch trees, and no links.
    A folder whose name is not valid Unicode cannot be watched; the next run includes it.
    """
    if sys.platform != "linux":
        return list(roots)
    scans = (scan(root, options.exclude, follow_links=options.follow_links) for root in roots)
    folders = [Path(folder) for scanned in scans for folder in scanned.folders]
    return [folder for folder in folders if _is_text(folder) and not _is_in(library, folder)]


def _events(folders: Sequence[Path]) -> Iterator[set[Path]]:
    """Paths at which something happened; none if nothing did for a while.

    $WATCHFILES_FORCE_POLLING makes watchfiles poll, which network drives need.
    """
    try:
        for changes in watchfiles.watch(
            *folders,
            recursive=sys.platform != "linux",
            watch_filter=None,  # with a filter that drops everything there would be no time-outs
            step=QUIET,
            debounce=LONGEST,
            rust_timeout=LOOK,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        ):
            yield {Path(name) for _, name in changes}
    except (
        FileNotFoundError,
        RuntimeError,
    ):  # a folder was just deleted, or a name is not valid Unicode
        time.sleep(LOOK / 1000)
    except OSError as error:
        raise StorageFailed(
            f"the folders cannot be watched ({error}): raise the system's limit "
            "(fs.inotify.max_user_watches on Linux), or set WATCHFILES_FORCE_POLLING=1"
        ) from error


def _matters(path: Path, roots: Sequence[Path], library: Path) -> bool:
    """Whether the path may be a photo, a sidecar, an ignore file or a folder of a root."""
    if _is_in(library, path):
        return False  # the library's own files
    if path.name == IGNORE_FILE:
        return True
    for root in roots:
        if root in path.parents and any(map(is_hidden, path.relative_to(root).parts)):
            return False
    return not is_other(path.name) or is_sidecar(path.name) or not path.is_file()


def _is_text(path: Path) -> bool:
    return os.fsencode(path).decode("utf-8", "replace") == str(path)


def _is_in(folder: Path, path: Path) -> bool:
    return folder == path or folder in path.parents


def _present(roots: Sequence[Path]) -> dict[Path, _Identity]:
    """The roots that exist, and the disk and folder of each: another may appear under its name."""
    identities: dict[Path, _Identity] = {}
    for root in roots:
        try:
            status = root.stat()
        except OSError:
            continue
        identities[root] = status.st_dev, status.st_ino
    return identities
