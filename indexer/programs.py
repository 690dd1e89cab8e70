"""Folders of systems and of photo programs, in which a user has no photos of their own.

Photo programs keep previews, thumbnails and edited copies beside the originals; they would show
each photo several times. Names are compared in any case.
"""

import os
from pathlib import Path

SYSTEM_FOLDERS = frozenset(
    {"@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "lost+found", "recycler",
     "__macosx", "$recycle.bin", "system volume information"}
)  # fmt: skip
"""Rubbish bins, snapshots and thumbnails of disks, cameras and file servers."""

_ORIGINALS = frozenset({"originals"})
_ONLY: dict[str, frozenset[str]] = {
    ".photoslibrary": _ORIGINALS | {"masters"},
    ".photolibrary": _ORIGINALS | {"masters"},
    ".migratedphotolibrary": _ORIGINALS | {"masters"},
    ".aplibrary": frozenset({"masters"}),
    ".migratedaplibrary": frozenset({"masters"}),
    ".cocatalog": _ORIGINALS,
}
"""Which folders of a package, named by its suffix, contain photos: Apple Photos, iPhoto, Aperture,
Capture One."""

_PREVIEWS = (".lrdata", ".lrcat-data")
"""Suffixes of packages without originals: Lightroom's previews, smart previews and masks."""

CACHES = frozenset({"ipod photo cache", "generated images.bundle"})
"""Folders of Apple and of Mylio that contain nothing but copies in other sizes."""


def is_hidden(name: str) -> bool:
    """Whether files and folders of this name are left out."""
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS


def is_derived(folder: str, name: str) -> bool:
    """Whether a folder contains a program's derivatives of photos, and no originals.

    Args:
        folder: The path of the folder that contains it.
        name: Its name.
    """
    lower = name.lower()
    if lower in CACHES or lower.endswith(_PREVIEWS):
        return True
    above, _, package = folder.lower().rpartition(os.sep)
    only = _ONLY.get(package[package.rfind(".") :])
    if only is None and above.endswith(".lrlibrary") and package != "originals":
        only = _ORIGINALS  # Lightroom: within the folder of an account
    if only is None and package == "iphoto library" and _is_iphoto(folder):
        only = _ONLY[".photolibrary"]
    if only is not None:
        return lower not in only
    return package == "captureone" and lower == "cache"  # beside the photos of a session


def _is_iphoto(folder: str) -> bool:
    """Whether a folder is a library of iPhoto from before these were packages."""
    return Path(folder, "AlbumData.xml").is_file()
