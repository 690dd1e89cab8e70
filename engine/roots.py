"""The folders of a library: which of them a user means, and forgetting one."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pixquery.db.errors import BadRoot
from pixquery.db.files import FileReading
from pixquery.db.quoting import quoted
from pixquery.db.records import RootSummary
from pixquery.engine.home import expanded

if TYPE_CHECKING:
    from pixquery.engine.library import Library

_GLOB, _ESCAPED = r"([\\*?\[])", r"\\\1"
"""What an ignore file would not take as it stands, and how it does."""


class Forgotten(NamedTuple):
    """A folder that a library no longer has."""

    path: Path
    images: int
    """How many photos were removed with it."""


def known_folder(catalog: FileReading, path: str | Path) -> Path:
    """The absolute path of a folder that the library has photos of, which need not exist now.

    Args:
        catalog: The library's.
        path: As the user typed it; ``~`` is expanded.

    Raises:
        BadRoot: The library has no photos of it.
    """
    typed, real = _spellings(path)
    for folder in (typed, real):
        if catalog.holds(folder):
            return folder
    raise BadRoot(f"the library has no photos of {typed}: {_its_folders(catalog)}")


def root_named(catalog: FileReading, path: str | Path) -> RootSummary:
    """The root with a path, which need not exist now.

    Args:
        catalog: The library's.
        path: As the user typed it; ``~`` is expanded.

    Raises:
        BadRoot: It is no root; the message names the one that contains it, if one does.
    """
    typed, real = _spellings(path)
    roots = {root.path: root for root in catalog.roots()}
    for folder in (typed, real):
        if folder in roots:
            return roots[folder]
    for folder in (typed, real):
        for root in roots:
            if root in folder.parents:
                below = folder.relative_to(root).as_posix()
                line = f"/{re.sub(_GLOB, _ESCAPED, below)}/"
                raise BadRoot(
                    f"{folder} is only a part of the library's folder {root}: to leave it out, add "
                    f"the line {line} to {root / '.pixqueryignore'} and run "
                    f"`pixquery index {quoted(root)}`, or forget the whole of {root}"
                )
    raise BadRoot(f"{typed} is no folder of the library: {_its_folders(catalog)}")


def forget(library: "Library", path: str | Path) -> Forgotten:
    """Removes a root and its photos from a library, whether the folder exists or not.

    No file is touched; indexing the folder again adds its photos again, with other ids.

    Args:
        library: Whose root it is.
        path: Of the root; ``~`` is expanded.

    Raises:
        BadRoot: It is no root of the library.
        LibraryLocked: Another process is writing to the library.
        StorageFailed: The disk is full or failing; nothing was removed.
    """
    with library.writing():
        root = root_named(library.catalog, path)
        library.catalog.drop_roots(root.path)
        library.publish()
    return Forgotten(root.path, root.images)


def _spellings(path: str | Path) -> tuple[Path, Path]:
    """A path as it was typed, and without symbolic links; absolute."""
    typed = os.path.abspath(expanded(path))
    return Path(typed), Path(os.path.realpath(typed))


def _its_folders(catalog: FileReading) -> str:
    paths = ", ".join(str(root.path) for root in catalog.roots())
    return f"its folders are {paths}" if paths else "it has no folders yet"
