"""The duplicates of a library, compared and moved to the trash in a thread of their own.

A comparison takes as long as reading the copies and comparing all pictures takes, so pages ask how
far it is. There is one result at a time, which all pages share.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock, Thread
from typing import Literal

from pixquery.db.errors import PixqueryError
from pixquery.engine.answers import Copy, Duplicates
from pixquery.engine.legible import legible
from pixquery.engine.trash import Fate, trash
from pixquery.web.reader import Reader
from pixquery.web.refusals import Refusal

State = Literal["none", "comparing", "done", "moving", "failed"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the work is, and what it found."""

    state: State = "none"
    done: int = 0
    total: int = 0
    threshold: float = 1.0
    found: Duplicates | None = None
    moved: frozenset[int] = field(default_factory=frozenset)
    """Ids of the copies that are in the trash."""
    fates: tuple[Fate, ...] = ()
    """What became of the copies of the last move."""
    trouble: str = ""
    """Why the work failed."""


class _Stopped(Exception):
    """The server ends."""


class Copies:
    """Compares the photos of a library, and moves copies to the trash."""

    def __init__(self, reader: Reader) -> None:
        """Takes the library."""
        self._reader = reader
        self._lock = Lock()
        self._standing = Standing()
        self._ending = False

    @property
    def standing(self) -> Standing:
        """How far the work is now."""
        return self._standing

    def compare(self, threshold: float) -> None:
        """Begins to compare all photos; does nothing if that is being done.

        Args:
            threshold: The least likeness of near copies, in (0, 1]; 1 finds equal files alone.

        Raises:
            Refusal: Copies are being moved.
        """
        with self._lock:
            if self._standing.state == "moving":
                raise Refusal(409, "copies are being moved to the trash: wait until that is done")
            if self._standing.state == "comparing" and self._standing.threshold == threshold:
                return
            if self._standing.state == "comparing":
                raise Refusal(409, "photos are being compared: wait until that is done")
            self._standing = Standing("comparing", threshold=threshold)
        self._begin(lambda: self._compare(threshold))

    def move(self, ids: Collection[int]) -> None:
        """Begins to move copies to the trash. Each is looked at once more before it goes.

        Args:
            ids: Of copies that the last comparison found; never of a photo to keep.

        Raises:
            Refusal: There is no comparison, an id is not of such a copy, or a photo lies outside
                the library's folders.
        """
        with self._lock:
            standing = self._standing
            if standing.state != "done" or standing.found is None:
                raise Refusal(409, "compare the photos first: there is no result to choose from")
            chosen = _chosen(standing.found, set(ids) - standing.moved)
            roots = [root.path.resolve() for root in self._reader.roots()]
            for copy in (copy for group in chosen.groups for copy in group.copies):
                if not _below(copy.record.path, roots):
                    raise Refusal(
                        403, f"{copy.record.path.name} lies outside the library's folders: it stays"
                    )
            self._standing = replace(
                standing, state="moving", done=0, total=chosen.copies, fates=(), trouble=""
            )
        self._begin(lambda: self._move(chosen))

    def close(self) -> None:
        """Ends the work after the photo that is being looked at."""
        self._ending = True

    # -- the thread -------------------------------------------------------------------------------

    def _begin(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except _Stopped:
                pass
            except PixqueryError as error:
                self._fail(str(error))
            except OSError as error:
                self._fail(error.strerror or str(error))
            finally:
                if self._standing.state in ("comparing", "moving"):  # a defect; the log has it
                    self._fail("the work ended unexpectedly")

        Thread(target=run, name="copies", daemon=True).start()

    def _fail(self, why: str) -> None:
        found = self._standing.found
        state: State = "done" if found is not None else "failed"
        self._standing = replace(self._standing, state=state, trouble=legible(why))

    def _compare(self, threshold: float) -> None:
        def progress(done: int, total: int) -> None:
            if self._ending:
                raise _Stopped
            self._standing = replace(self._standing, done=done, total=total)

        found = self._reader.library.duplicates(threshold, progress=progress)
        self._standing = Standing("done", threshold=threshold, found=found)

    def _move(self, chosen: Duplicates) -> None:
        for fate in trash(chosen):
            standing = self._standing
            moved = standing.moved if fate.left else standing.moved | {fate.copy.record.id}
            fates = (*standing.fates, fate)
            self._standing = replace(standing, done=len(fates), moved=moved, fates=fates)
            if self._ending:
                raise _Stopped
        self._standing = replace(self._standing, state="done")


def _chosen(found: Duplicates, ids: Collection[int]) -> Duplicates:
    """The groups with those copies alone.

    Raises:
        Refusal: An id is not of a copy.
    """
    wanted, groups = set(ids), []
    for group in found.groups:
        copies: tuple[Copy, ...] = tuple(c for c in group.copies if c.record.id in wanted)
        wanted -= {copy.record.id for copy in copies}
        if copies:
            groups.append(replace(group, copies=copies))
    if wanted:
        raise Refusal(422, f"the photo {min(wanted)} is no copy that was found: compare again")
    if not groups:
        raise Refusal(422, "no copy was chosen: choose one, or compare again")
    return replace(found, groups=tuple(groups))


def _below(path: Path, roots: Collection[Path]) -> bool:
    """Whether a file, wherever links lead, lies in one of the folders."""
    real = path.parent.resolve() / path.name
    return any(real.is_relative_to(root) for root in roots)
