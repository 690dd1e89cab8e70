"""The user's folders, also for a user without any: a container's has no name and no `$HOME`."""

import os
from collections.abc import Callable
from pathlib import Path

from pixquery.db.errors import LibraryNotFound

NOWHERE = Path(os.devnull) / "pixquery"
"""The folder of a user without a home: nothing is in it, and nothing can be put there."""


def expanded(path: str | Path) -> Path:
    """A path with ``~`` or ``~user`` expanded, or left as it is if there is no such home."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises RuntimeError


def chosen_folder(path: str | Path) -> Path:
    """A folder that a variable names; :data:`NOWHERE` if it is below the home of nobody."""
    folder = expanded(path)
    return NOWHERE if str(folder).startswith("~") else folder.absolute()


def user_folder(find: Callable[..., Path], name: str) -> Path:
    """The user's folder of one kind; :data:`NOWHERE` for a user without a home.

    Args:
        find: A function of platformdirs, such as ``user_cache_path``.
        name: Of the folder.
    """
    try:
        folder = find(name, appauthor=False)
    except (RuntimeError, KeyError):  # no $HOME, and the system does not know the user
        return NOWHERE
    return folder if folder.is_absolute() else NOWHERE  # older versions leave `~` as it is


def library_folder(path: str | Path) -> Path:
    """The absolute folder of a library.

    Raises:
        LibraryNotFound: There is no such home folder.
    """
    folder = expanded(path)
    if str(folder).startswith("~"):
        raise LibraryNotFound(
            f"the library {folder} is below the home folder of a user that does not exist: "
            "name another with --library DIR, or set PIXQUERY_LIBRARY"
        )
    if folder.absolute() == NOWHERE:
        raise LibraryNotFound(
            "this user has no home folder, and so no library of their own: name one with "
            "--library DIR, or set PIXQUERY_LIBRARY"
        )
    return folder.absolute()
