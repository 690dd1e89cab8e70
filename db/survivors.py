"""The photos of a damaged catalogue, their roots, and what is lost of them."""

import os
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from pixquery.db.checksums import SEALED, digest
from pixquery.db.forms import MOST_IDS
from pixquery.db.losses import Loss
from pixquery.db.remains import Remains, Sign, is_sound
from pixquery.db.schema import images, roots
from pixquery.db.values import bounds


class Survivors:
    """The photos of a damaged catalogue, those that are lost, and the roots they are in.

    Attributes:
        sound: The rows of photos by id, each with a root of ``homes``.
        homes: The paths of roots by id.
        outlines: Rows by id for photos whose own could not be read, of what SQLite's indexes say.
            The next indexing completes them; until then, they are found as before.
    """

    def __init__(self, remains: Remains) -> None:
        self.sound: dict[int, dict[str, Any]] = {}
        signs, read = remains.signs(), set()
        for row in remains.rows(images):
            read.add(row["row_id"])
            if is_sound(images, row):
                self.sound[row["id"]] = dict(row)
            elif 0 < row["row_id"] < MOST_IDS and isinstance(row["root_id"], int):
                path = row["path"] if isinstance(row["path"], bytes) else None
                signs.setdefault(row["row_id"], Sign(row["root_id"], path))
        self._lost = {one: sign for one, sign in signs.items() if one not in self.sound}
        self._guessed: set[int] = set()
        self.homes = self._known_homes(remains)
        self._torn, self._roots_torn = ("images" in remains.torn), ("roots" in remains.torn)
        for root_id, paths in self._homeless().items():
            self._guess(root_id, paths)
        for one, row in list(self.sound.items()):
            if self._home_of(row["root_id"], row["path"]) is None:
                del self.sound[one]
                self._lost[one] = Sign(row["root_id"])
        for row in self.sound.values():
            row["root_id"] = self._home_of(row["root_id"], row["path"])
        self.outlines: dict[int, dict[str, Any]] = {}
        for one in self._lost.keys() - read:
            if outline := self._outline(one, self._lost[one]):
                self.outlines[one] = outline

    def _outline(self, image_id: int, sign: Sign) -> dict[str, Any] | None:
        """What is known of a photo, if that is enough to find it and to notice if it changes."""
        root_id, path, content = sign
        if root_id not in self.homes or path is None or content is None or not _is_deep(path):
            return None
        if not _is_in(self.homes[root_id], path):
            return None
        row = dict.fromkeys((column.name for column in images.columns), 0) | {
            "id": image_id, "root_id": root_id, "path": path, "content": content,
            "format": "", "taken": None, "camera": "", "latitude": None, "longitude": None,
        }  # fmt: skip
        return row | {"checksum": digest(*(row[name] for name in SEALED["images"]))}

    def keep(self, ids: Collection[int]) -> None:
        """Keeps the outlines of those photos that have a vector; the others are lost."""
        self.outlines = {one: row for one, row in self.outlines.items() if one in ids}
        self._lost = {one: sign for one, sign in self._lost.items() if one not in self.outlines}

    def _known_homes(self, remains: Remains) -> dict[int, bytes]:
        """The roots whose path is certain: the row is sound, or SQLite's index completes it."""
        homes: dict[int, bytes] = {}
        listed, checksums = remains.folders(), {}
        for row in remains.rows(roots):
            checksums[row["row_id"]] = row["checksum"]
            if is_sound(roots, row):
                homes[row["id"]] = row["path"]
        paths: dict[int, list[bytes]] = {}
        for row in self.sound.values():
            paths.setdefault(row["root_id"], []).append(row["path"])
        for root_id, path in listed.items():
            if root_id not in homes:
                inside = [_is_in(path, each) for each in paths.get(root_id, [])]
                unread = root_id not in checksums and inside and all(inside)
                if unread or checksums.get(root_id) == digest(root_id, path):
                    homes[root_id] = path
        return homes

    def _homeless(self) -> dict[int, list[bytes]]:
        """The paths of photos whose root cannot be read, by the id that it had."""
        homeless: dict[int, list[bytes]] = {}
        places = [(row["root_id"], row["path"]) for row in self.sound.values()]
        places += [
            (sign.root_id, sign.path)
            for sign in self._lost.values()
            if sign.root_id is not None and sign.path is not None and _is_deep(sign.path)
        ]
        for root_id, path in places:
            if (
                root_id in self.homes
            ):  # and if the path is elsewhere, it is no photo of this library
                continue
            if not any(_is_in(home, path) for home in self.homes.values()):
                homeless.setdefault(root_id, []).append(path)
        return homeless

    def _guess(self, root_id: int, paths: Iterable[bytes]) -> None:
        """Takes the folder that holds all photos of a root for the root itself.

        It goes when the user indexes the original root again, which covers it.
        """
        by_drive: dict[object, set[bytes]] = {}
        for path in paths:
            drive, _ = os.path.splitdrive(path)
            parents = by_drive.setdefault((drive, os.path.isabs(path)), set())  # noqa: PTH117
            parents.add(os.path.dirname(path))  # noqa: PTH120 - of bytes
        for parents in by_drive.values():
            path = os.path.commonpath(sorted(parents))
            if path in self.homes.values():
                continue
            free = root_id if root_id > 0 and root_id not in self.homes else 0
            new = free or max(self.homes, default=0) + 1
            self.homes[new] = path
            self._guessed.add(new)

    def _home_of(self, root_id: int, path: bytes) -> int | None:
        if root_id in self.homes and self._fits(root_id, path):
            return root_id
        return self._home_around(path)

    def _fits(self, root_id: int, path: bytes) -> bool:
        """Whether a root contains a path; one of another system is compared with nothing."""
        return not os.path.isabs(path) or _is_in(self.homes[root_id], path)  # noqa: PTH117

    def _home_around(self, path: bytes) -> int | None:
        return next((one for one, home in self.homes.items() if _is_in(home, path)), None)

    def losses(self) -> list[Loss]:
        """What is lost, by root; empty if nothing is, as SQLite's indexes confirm."""
        counts: Counter[int | None] = Counter()
        nameless = False  # a folder was lost of which nothing is known
        for sign in self._lost.values():
            home = sign.root_id if sign.root_id in self.homes else None
            if home is None and sign.path is not None:
                home = self._home_around(sign.path)
            nameless = nameless or (home is None and (self._roots_torn or sign.root_id is not None))
            counts[home] += 1
        found = [
            Loss(Path(os.fsdecode(path)), counts[home], guessed=home in self._guessed)
            for home, path in self.homes.items()
            if counts[home] or self._torn
        ]
        if counts[None]:
            found.append(Loss(None, counts[None], guessed=nameless))
        return found


def _is_deep(path: bytes) -> bool:
    """Whether a path that nothing vouches for can be a photo's, whose folder is worth a look."""
    folder = os.path.dirname(path)  # noqa: PTH120 - of bytes
    usual = os.path.isabs(path) and os.path.normpath(path) == path  # noqa: PTH117
    return usual and b"\0" not in path and os.path.dirname(folder) != folder  # noqa: PTH120


def _is_in(folder: bytes, path: bytes) -> bool:
    """Whether a photo is under a folder."""
    _, first, end = bounds(Path(os.fsdecode(folder)))
    return first <= path < end
