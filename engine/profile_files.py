"""The files of a profile, each the one that its manifest names."""

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixquery.db.checksums import sha256_of
from pixquery.db.errors import ProfileDamaged
from pixquery.engine.digests import has_digest
from pixquery.engine.manifest import IR, weights_of

SHIPPED = Path(__file__).parent / "profiles"
"""The folder of the profiles that come with pixquery."""


class ProfileFiles:
    """Names of files, as in a manifest, become paths of files with the right content."""

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        """Reads nothing yet.

        Args:
            folder: The profile's, without links.
            manifest: Its manifest.
        """
        self._folder = folder
        self._entries = manifest["files"]
        self._of = f"of the profile {manifest['name']}"
        # Installers may put links to a store of their own where they install.
        self._state = Path.stat if is_shipped(folder) else Path.lstat

    def path(self, name: str, *, read: bool = False) -> Path:
        """The path of a file.

        Args:
            name: As in the manifest.
            read: The caller reads the file in full and compares its SHA-256 itself.

        Raises:
            ProfileDamaged: The file is missing, altered, or a link.
        """
        file = self._folder / name
        try:
            status = self._state(file)
            if not stat.S_ISREG(status.st_mode):
                raise ProfileDamaged(
                    f"{file} {self._of} is a link or no file: put the file itself there"
                )
            sha256 = self.sha256(name)
            same = not sha256 or status.st_size == self._entries[name]["bytes"]
            if not (same and (read or not sha256 or has_digest(file, sha256))):
                raise self._altered(name)
        except FileNotFoundError as error:
            raise ProfileDamaged(
                f"the file {file} {self._of} is missing: install the profile again"
            ) from error
        except OSError as error:
            raise ProfileDamaged(
                f"the file {file} {self._of} cannot be read ({error.strerror}): "
                "install the profile again"
            ) from error
        return file

    def model(self, name: str) -> Path:
        """The path of a network's file, after its weights were checked if they have their own.

        Raises:
            ProfileDamaged: As of :meth:`path`.
        """
        if name.endswith(IR):
            self.path(weights_of(name))
        return self.path(name)

    def sha256(self, name: str) -> str:
        """What a file must have, in hexadecimal; empty if the manifest does not say."""
        return str(self._entries.get(name, {}).get("sha256", ""))

    def check(self) -> None:
        """Reads every file in full.

        Raises:
            ProfileDamaged: A file is missing, altered, or a link; the message names the first.
        """
        for name in self._entries:
            file = self.path(name, read=True)
            try:
                intact = sha256_of(file) == self.sha256(name)
            except OSError:
                intact = False
            if not intact:
                raise self._altered(name)

    def _altered(self, name: str) -> ProfileDamaged:
        return ProfileDamaged(
            f"the file {self._folder / name} {self._of} is not the one the profile was made with: "
            "install the profile again"
        )


def is_shipped(folder: Path) -> bool:
    """Whether the folder of a profile, without links, is that of one that comes with pixquery."""
    return folder.parent == SHIPPED.resolve()
