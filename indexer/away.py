"""Roots that are out of reach, and their photos that turn up in the folders of a run.

A missing root may have been moved, or its disk may be unplugged: nobody can know. So its photos are
kept, and the same contents elsewhere are copies. It counts as moved if the user says so, or if each
of its photos is among the new files of the run; then nothing is lost in either case.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pixquery.db.catalog import Catalog
from pixquery.db.changes import Move
from pixquery.db.errors import UnreadableImage
from pixquery.db.records import ImageRecord
from pixquery.engine.photos import fingerprint, hint, is_hint, read
from pixquery.engine.reach import absence
from pixquery.indexer.plan import Plan
from pixquery.indexer.reading import Reader
from pixquery.indexer.report import AwayRoot, Tally, Vanished
from pixquery.indexer.scan import FreshFile

_MERGED_AT_ONCE = 500
"""Photos per transaction."""


class Away:
    """The roots that are out of reach, as they were when the run began.

    Attributes:
        moved: Folders whose missing photos were moved, not unplugged.
    """

    def __init__(
        self,
        catalog: Catalog,
        plans: Sequence[Plan],
        moved: Sequence[Path],
        tally: Tally,
        encoders: Sequence[str],
    ) -> None:
        """Looks for all roots.

        Args:
            catalog: The library's.
            plans: The roots of the run.
            moved: Folders that the user says were moved.
            tally: Names those that have vanished.
            encoders: Those whose vectors a photo may keep.
        """
        self._catalog = catalog
        self._plans = plans
        self._tally = tally
        self._encoders = encoders
        self._said = tuple(moved)
        self.moved = set(moved)
        planned = {plan.root for plan in plans}
        odd = {lost.path: lost.reason for lost in tally.vanished}
        reasons = {root: absence(root) or odd.get(root, "") for root in catalog.root_paths()}
        self._reasons = {
            root: reason for root, reason in reasons.items() if reason and root not in planned
        }
        self._folders = {*odd, *(root for root, reason in reasons.items() if reason)}
        roots = catalog.roots() if self._reasons else ()  # counting their photos takes time
        self._roots = {root.path: root for root in roots if root.path in self._reasons}
        self._dropped: set[Path] = set()
        self._resembling: dict[int, Path] = {}

    def is_gone(self, path: Path) -> bool:
        """Whether a file was deleted or moved, rather than being out of reach with its disk."""
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            if not self._folders or self._was_moved(path):
                return True
            return self._folders.isdisjoint(path.parents)
        except OSError:
            return False
        return False

    def _was_moved(self, path: Path) -> bool:
        return bool(self.moved) and not self.moved.isdisjoint(path.parents)

    # -- before the run -------------------------------------------------------------------------

    def look_for(self, fresh: Sequence[tuple[Plan, FreshFile]], reader: Reader) -> None:
        """Finds the roots that were moved: each of their photos is among the new files.

        Files are only read if there may be one for each photo, by their sizes.

        Raises:
            KeyboardInterrupt: A stop was requested.
        """
        sizes = Counter(state.size for _, (_, state, _) in fresh)
        wanted: dict[Path, list[ImageRecord]] = {}
        for path, root in self._roots.items():
            if not root.images or path in self.moved or absence(path).startswith("cannot"):
                continue
            photos = self._catalog.under(path)
            each = len(photos) == root.images  # else rows are damaged
            if each and not Counter(photo.state.size for photo in photos) - sizes:
                wanted[path] = photos
        if not wanted:
            return
        some = {photo.state.size for photos in wanted.values() for photo in photos}
        supply = _Supply()
        for found in reader.recognise([file for file in fresh if file[1][1].size in some]):
            supply.add(found.content, found.hint)
        self.moved.update(path for path, photos in wanted.items() if supply.take(photos))

    # -- during the run -------------------------------------------------------------------------

    def first(self, photos: Sequence[ImageRecord]) -> list[ImageRecord]:
        """Photos in the order in which a new file is taken for one of them."""
        if not self.moved:
            return list(photos)
        return sorted(photos, key=lambda photo: not self._was_moved(photo.path))

    def resembles(self, photo: ImageRecord, root: Path) -> None:
        """Notes that a file of another root has the hint of a photo."""
        if not self._reasons.keys().isdisjoint(photo.path.parents):
            self._resembling[photo.id] = root

    def drop_moved(self) -> None:
        """Drops the roots all of whose photos have moved; in the transaction of the last move."""
        for path in self.moved & self._roots.keys() - self._dropped:
            if absence(path) and not self._catalog.has_photos(path):
                self._catalog.drop_roots(path)
                self._dropped.add(path)

    # -- after the run --------------------------------------------------------------------------

    def settle(self) -> None:
        """Merges what the user says was moved, and counts whose photos are elsewhere, too."""
        for folder in self._said:
            self._merge(folder)
        for path, root in self._roots.items():
            kept = {photo.id for photo in self._catalog.under(path)}
            moved = root.images - len(kept)
            shared = {plan.root: self._catalog.shared(path, plan.root_id) for plan in self._plans}
            for image_id in kept & self._resembling.keys():
                shared.setdefault(self._resembling[image_id], set()).add(image_id)
            found = set().union(*shared.values())
            dropped = path in self._dropped
            if found or moved or dropped:
                places = tuple(folder for folder, ids in shared.items() if ids)
                self._tally.away.append(
                    AwayRoot(
                        path,
                        self._reasons[path],
                        root.images,
                        len(found) + moved,
                        places or tuple(plan.root for plan in self._plans),
                        moved,
                        dropped,
                    )
                )
            self._recount(path, len(kept), dropped=dropped)

    def _merge(self, folder: Path) -> None:
        """Gives photos of a moved folder the places of their copies that were indexed before."""
        missing = [photo for photo in self._catalog.under(folder) if self.is_gone(photo.path)]
        pairs = list(self._pairs(missing))
        for start in range(0, len(pairs), _MERGED_AT_ONCE):
            some = pairs[start : start + _MERGED_AT_ONCE]
            with self._catalog.transaction():
                done = self._put_in_place(some)
                self.drop_moved()
            self._tally.moved += done
            self._tally.unchanged -= done

    def _pairs(self, missing: Sequence[ImageRecord]) -> Iterator[tuple[ImageRecord, ImageRecord]]:
        """Missing photos, each with another photo of the same bytes in a root of the run."""
        copies = self._catalog.twins([photo.content for photo in missing])
        hints = {photo.content for photo in missing if is_hint(photo.content)}
        sizes = {photo.state.size for photo in missing if photo.content in hints}
        for plan in self._plans if hints else ():
            for copy in self._catalog.under(plan.root):
                if copy.state.size in sizes and not is_hint(copy.content):
                    copies.setdefault(_hint_of(copy), []).append(copy)
        taken: set[int] = set()
        for photo in missing:
            for copy in copies.get(photo.content, ()):
                if copy.id not in taken and self._plan_of(copy) and not self._was_moved(copy.path):
                    taken.add(copy.id)
                    yield photo, copy
                    break

    def _plan_of(self, photo: ImageRecord) -> Plan | None:
        return next((plan for plan in self._plans if plan.root in photo.path.parents), None)

    def _put_in_place(self, pairs: Sequence[tuple[ImageRecord, ImageRecord]]) -> int:
        """Photos get the paths of their copies, and their vectors too if bytes are not proven."""
        ids = [photo.id for pair in pairs for photo in pair]
        vectors = self._catalog.first_vectors(ids, self._encoders)
        places = [
            (photo, copy, plan.root_id)
            for photo, copy in pairs
            if (plan := self._plan_of(copy))
            and (photo.content == copy.content or copy.id in vectors)
        ]
        self._catalog.remove([copy.id for _, copy, _ in places])
        self._catalog.move(
            [Move(photo.id, root_id, copy.path, copy.state) for photo, copy, root_id in places]
        )
        for photo, copy, root_id in places:
            kept = photo.content == copy.content and photo.id in vectors
            if not kept and copy.id in vectors:
                encoder, vector = vectors[copy.id]
                self._catalog.put(root_id, [copy], vector[None], encoder)
        return len(places)

    def _recount(self, path: Path, images: int, *, dropped: bool) -> None:
        self._tally.vanished[:] = [
            Vanished(lost.path, images, lost.reason) if lost.path == path else lost
            for lost in self._tally.vanished
            if not (dropped and lost.path == path)
        ]


def _hint_of(photo: ImageRecord) -> bytes:
    """The hint of a photo's file; empty if its bytes are not those that were indexed."""
    try:
        content = read(photo.path).content
    except (OSError, UnreadableImage):
        return b""
    return hint(content) if fingerprint(content) == photo.content else b""


class _Supply:
    """Contents of new files, each of which one photo can have been moved to."""

    def __init__(self) -> None:
        self._contents: Counter[bytes] = Counter()
        self._by_hint: dict[bytes, set[bytes]] = {}

    def add(self, content: bytes, hint: bytes) -> None:
        self._contents[content] += 1
        if hint:
            self._by_hint.setdefault(hint, set()).add(content)

    def take(self, photos: Sequence[ImageRecord]) -> bool:
        """Takes a content for each of the photos, or none if there are not enough."""
        left = self._contents.copy()
        for photo in sorted(photos, key=lambda photo: is_hint(photo.content)):
            same = self._by_hint.get(photo.content, ()) if is_hint(photo.content) else ()
            content = next((c for c in (photo.content, *same) if left[c]), None)
            if content is None:
                return False
            left[content] -= 1
        self._contents = left
        return True
