"""Removes added profiles: complete, or not at all.

The folder is moved aside first, so that a process that dies leaves no half profile. What it leaves
is deleted by the next removal.
"""

import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pixquery.db.catalog import Catalog
from pixquery.db.errors import LibraryNotFound, ProfileError, ProfileNotFound, StorageFailed
from pixquery.db.quoting import library_option
from pixquery.engine.home import library_folder
from pixquery.engine.library import CATALOGUE
from pixquery.engine.manifest import MANIFEST
from pixquery.engine.profile import DEFAULT, SHIPPED, load_profile, names, profiles_folder
from pixquery.engine.runtime import forget_compiled

_ASIDE = ".removed-"
"""What the names of folders that are being deleted begin with."""


@dataclass(frozen=True, slots=True)
class Removed:
    """A profile that is not there any more."""

    name: str
    folder: Path
    bytes: int
    """What its files took."""


def remove(name: str, library: Path) -> Removed:
    """Removes an added profile, and its compiled models from the cache.

    Args:
        name: The profile's. Its folder's path is refused: that folder is its owner's.
        library: A library that must not be using it; there need not be one.

    Raises:
        ProfileNotFound: No added profile has this name.
        ProfileError: It comes with pixquery, is a link, or the library uses it.
        LibraryError: The library cannot be read, so that nobody knows which profile it uses.
        StorageFailed: The folder cannot be moved aside, or not deleted.
    """
    _sweep()
    folder = _folder(name)
    _refuse_used(name, folder, library)
    digests = _digests_of(name)
    size = sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir())
    aside = folder.with_name(f"{_ASIDE}{os.urandom(8).hex()}")
    try:
        aside.mkdir()
        folder.rename(aside / name)  # one level below the profiles, so that it is none
    except OSError as error:
        with suppress(OSError):
            aside.rmdir()
        raise StorageFailed(
            f"the profile {name} cannot be removed, because its folder {folder} cannot be moved "
            f"({error.strerror}): end programs that use it, or delete the folder yourself"
        ) from error
    try:
        shutil.rmtree(aside)
    except OSError as error:
        raise StorageFailed(
            f"the profile {name} is removed, but some of its files cannot be deleted "
            f"({error.strerror}): delete the folder {aside} yourself"
        ) from error
    kept = {digest for other in names() for digest in _digests_of(other)}
    forget_compiled(digests - kept)
    return Removed(name, folder, size)


def _folder(name: str) -> Path:
    """The folder of an added profile."""
    folder = profiles_folder() / name
    if name not in names():  # spelled exactly so: some systems also open a folder by other cases
        if re.search(r"[/\\]", name):
            raise ProfileError(
                f"{name} is not the name of a profile: `pixquery models list` shows the names, and "
                "a folder of your own is yours to delete"
            )
        added = ", ".join(each for each in names() if not _comes_along(each))
        raise ProfileNotFound(
            f"no profile {name!r} was added: "
            + (f"choose one of {added}" if added else "only profiles that were can be removed")
        )
    if _comes_along(name):
        raise ProfileError(f"{name} comes with pixquery and cannot be removed")
    if folder.is_symlink():
        raise ProfileError(
            f"the profile {name} is a link, {folder}, to {folder.resolve()}: delete the link "
            "yourself"
        )
    return folder


def _comes_along(name: str) -> bool:
    return (SHIPPED / name / MANIFEST).is_file()


def _refuse_used(name: str, folder: Path, library: Path) -> None:
    try:
        file = library_folder(library) / CATALOGUE
    except LibraryNotFound:  # a user without a home has none
        return
    if not file.is_file():
        return
    catalog = Catalog(file)
    try:
        used = {catalog.setting("profile"), catalog.setting("switching")}
    finally:
        catalog.close()
    if used & {name, str(folder), str(folder.resolve())}:
        raise ProfileError(
            f"the library {library} uses the profile {name}: switch it to another one first, with "
            f"`pixquery index --rebuild --profile {DEFAULT}{library_option(library)}`"
        )


def _digests_of(name: str) -> set[str]:
    """The SHA-256 of a profile's files; none if its manifest cannot be read."""
    with suppress(ProfileError):
        return {str(file["sha256"]) for file in load_profile(name).manifest["files"].values()}
    return set()


def _sweep() -> None:
    """Deletes what removals that were killed have left."""
    for left in profiles_folder().glob(f"{_ASIDE}*"):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
