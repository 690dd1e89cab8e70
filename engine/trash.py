"""Moves the copies of photos to the system's trash, and never deletes one.

Each copy is looked at once more right before it goes, and so is the photo that is kept: both are
there, both are the files that were compared, and equal files are still equal.
"""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pixquery.db.errors import StorageFailed
from pixquery.engine.answers import Copy, Duplicates, Group
from pixquery.engine.sightings import LeftOut, again, compare, look, one_file


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one copy."""

    copy: Copy
    left: str = ""
    """Why it was left where it is, without the path; empty if it is in the trash."""
    failed: bool = False
    """Whether it was left because the trash did not take it."""


def trash(found: Duplicates, *, dry_run: bool = False) -> Iterator[Fate]:
    """Moves the copies of all groups to the trash, each when its fate is asked for.

    Args:
        found: What a library answered; the best of each group stays.
        dry_run: Check everything and move nothing.

    Raises:
        StorageFailed: The kept photo was lost together with its copy, which is in the trash.
    """
    for group in found.groups:
        for copy in group.copies:
            if left := _objection(group, copy):
                yield Fate(copy, left)
            elif dry_run:
                yield Fate(copy)
            elif left := _moved(copy.record.path):
                yield Fate(copy, left, failed=True)
            else:
                yield Fate(copy)
                if isinstance(look(group.best), LeftOut):
                    raise StorageFailed(
                        f"{group.best.path} was lost when {copy.record.path} went to the trash: "
                        "restore that from the trash, both were one file"
                    )


def _objection(group: Group, copy: Copy) -> str:
    """Why a copy must stay; empty if it may go."""
    going, kept = again(copy.seen), again(group.seen)
    if isinstance(going, LeftOut):
        return going.reason
    if isinstance(kept, LeftOut):
        return f"the photo to keep, {kept.record.path}, {kept.reason}"
    if one_file(going, kept):
        return f"is the same file as {kept.path}"
    if going.path.is_symlink():
        return "is a symbolic link, which takes no space"
    if copy.exact:
        equal = compare(kept, going)
        if isinstance(equal, LeftOut):
            return f"{equal.record.path} {equal.reason}"
        if not equal:
            return f"is no longer equal to {kept.path}"
    return ""


def _moved(path: Path) -> str:
    """Moves a file to the trash; returns why that failed, or nothing."""
    from send2trash import TrashPermissionError, send2trash  # few runs move anything

    if not _may_have_trash(path):
        return "its disk has no trash"
    if not os.access(path.parent, os.W_OK):  # before the trash notes a photo that stays
        return "you may not change its folder (permission denied)"
    try:
        send2trash(str(path))
    except TrashPermissionError:
        return "its disk has no trash that you may write to"
    except PermissionError:
        return "you may not change it (permission denied)"
    except OSError as error:
        return f"the trash did not take it ({error.strerror or error})"
    except ValueError:  # GLib's names are text
        return "the trash cannot take a file of this name"
    return "the trash did not take it" if os.path.lexists(path) else ""


if sys.platform == "win32":

    def _may_have_trash(path: Path) -> bool:
        """Only fixed disks have a recycle bin; elsewhere Windows would delete the file."""
        import ctypes

        fixed = 3
        return ctypes.windll.kernel32.GetDriveTypeW(f"{path.drive}\\") == fixed

else:

    def _may_have_trash(path: Path) -> bool:
        """The trash of the desktop says so itself."""
        return True
