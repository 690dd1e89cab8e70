"""Keeps a library in step with its roots, as long as it is asked to.

What changed is left to the ordinary indexing pass; here is only told that, and under which root.
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
from pixquery.indexer.report import IndexReport
from pixquery.indexer.scan import SUFFIXES, is_hidden, roots_of, scan

QUIET = 500
"""Milliseconds without a change before a pass begins: a photo is written in many steps."""
LONGEST = 5_000
"""Milliseconds that changes are waited for at the most: a card of photos is copied for long."""
LOOK = 1_000
"""Milliseconds between looks for roots that came or went."""

_Identity = tuple[int, int]


def keep_in_step(
    library: Library, paths: Sequence[Path], options: Options | None = None
) -> Iterator[IndexReport]:
    """Indexes a root whenever something changed in it; for ever, until Ctrl-C.

    The first pass, over all roots, comes as soon as they are watched. While another process writes
    to the library, a pass waits for it.

    Args:
        library: To be kept in step.
        paths: Folders; none means all roots of the library. One may be away and come back.
        options: As for :func:`indexer.build.index`.

    Yields:
        What each pass did.

    Raises:
        BadRoot: One does not exist, is no folder, or its name is no text.
        StorageFailed: The system cannot watch so many folders.
        KeyboardInterrupt: Ctrl-C while nothing was to be done.
    """
    options = options or Options()
    given = paths or [root.path for root in library.catalog.roots()]
    roots = roots_of(given, library.catalog.holds)
    for root in roots:
        if not _is_text(root):
            raise BadRoot(
                f"the folder {root} cannot be watched, as its name is not valid Unicode: "
                "index it without --watch"
            )
    waiting: set[Path] = set()
    for changed in _changed(roots, library.folder, options):
        waiting |= changed
        if not waiting:
            continue
        try:
            report = index(library, sorted(waiting), options)
        except LibraryLocked:
            continue
        waiting.clear()
        yield report


def _changed(roots: Sequence[Path], library: Path, options: Options) -> Iterator[set[Path]]:
    """The roots in which something happened, or that came or went; none when nothing did.

    Folders are watched before their root is told of, so that nothing slips in between.
    """
    while True:
        unseen = set(roots)
        standing = _standing(roots)
        folders = _folders(list(standing), library, options)
        if not folders:
            yield unseen
            while standing == _standing(roots):
                time.sleep(LOOK / 1000)
                yield set()
            continue
        for told in _events(folders):
            happened = {path for path in told if _matters(path, roots, library)}
            yield unseen | {root for root in roots if any(_is_in(root, p) for p in happened)}
            unseen = set()
            if standing != _standing(roots) or any(map(_is_other_folder, happened)):
                break  # what is to be watched is not the same any more


def _is_other_folder(path: Path) -> bool:
    return path.is_dir() or path.name == IGNORE_FILE


def _folders(roots: Sequence[Path], library: Path, options: Options) -> list[Path]:
    """The folders to watch.

    Linux watches one by one. Watching a whole tree there follows links wherever they lead, so it is
    done for the folders that a scan looks into; elsewhere the system watches trees, and no links.
    Folders whose names are no text cannot be watched; passes that others cause look into them.
    """
    if sys.platform != "linux":
        return list(roots)
    scans = (scan(root, options.exclude, follow_links=options.follow_links) for root in roots)
    folders = [Path(folder) for found in scans for folder in found.folders]
    return [folder for folder in folders if _is_text(folder) and not _is_in(library, folder)]


def _events(folders: Sequence[Path]) -> Iterator[set[Path]]:
    """Paths at which something happened; none when nothing did for a while.

    Polling, for network drives, is switched on by watchfiles' own $WATCHFILES_FORCE_POLLING.
    """
    try:
        for happened in watchfiles.watch(
            *folders,
            recursive=sys.platform != "linux",
            watch_filter=None,  # what it leaves nothing of is not told of, not even by a time-out
            step=QUIET,
            debounce=LONGEST,
            rust_timeout=LOOK,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        ):
            yield {Path(name) for _, name in happened}
    except (FileNotFoundError, RuntimeError):  # a folder went just now; a name that is no text
        time.sleep(LOOK / 1000)
    except OSError as error:
        raise StorageFailed(
            f"the folders cannot be watched ({error}): raise the system's limit "
            "(fs.inotify.max_user_watches on Linux), or set WATCHFILES_FORCE_POLLING=1"
        ) from error


def _matters(path: Path, roots: Sequence[Path], library: Path) -> bool:
    """Whether something happened to a photo, an ignore file or a folder, as far as known."""
    if _is_in(library, path):
        return False  # our own writing
    if path.name == IGNORE_FILE:
        return True
    for root in roots:
        if root in path.parents and any(map(is_hidden, path.relative_to(root).parts)):
            return False
    return path.suffix.lower() in SUFFIXES or not path.is_file()


def _is_text(path: Path) -> bool:
    return os.fsencode(path).decode("utf-8", "replace") == str(path)


def _is_in(folder: Path, path: Path) -> bool:
    return folder == path or folder in path.parents


def _standing(roots: Sequence[Path]) -> dict[Path, _Identity]:
    """The roots that are there, and which disk and folder each is: another one may take a place."""
    found: dict[Path, _Identity] = {}
    for root in roots:
        try:
            status = root.stat()
        except OSError:
            continue
        found[root] = status.st_dev, status.st_ino
    return found
