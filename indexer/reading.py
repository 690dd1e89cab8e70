"""The files of a run, read and decoded in threads."""

import os
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from pixquery.db.catalog import Catalog
from pixquery.db.errors import PhotoFailed, UnreadableImage
from pixquery.db.records import FileState, KnownFile
from pixquery.engine.photos import PhotoFile, fingerprint, hint, read, read_below
from pixquery.engine.profile import Profile
from pixquery.indexer.failures import TRIED_AGAIN, failures_reported
from pixquery.indexer.kept import kept_pictures, name_of
from pixquery.indexer.options import Options
from pixquery.indexer.plan import Plan
from pixquery.indexer.scan import FreshFile

if TYPE_CHECKING:  # decoders are loaded with the first photo: most runs find nothing new
    from pixquery.indexer.decode import Photo
    from pixquery.indexer.owner import OwnersWords

SIDE = 320
"""Longer side of the pictures that are made while indexing, in pixels: that of most tiles."""
Given = ParamSpec("Given")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Read:
    """What became of one file."""

    path: Path
    state: FileState
    before: KnownFile | None
    """What the catalogue knew of the file."""
    content: bytes = b""
    """The fingerprint of its content."""
    hint: bytes = b""
    """The hint of its content if the catalogue holds it, from an earlier version; else empty."""
    proven: Mapping[int, bytes] = field(default_factory=dict)
    """The fingerprints of photos of this hint whose files are still as they were, by id."""
    photo: "Photo | None" = None
    """None if the catalogue knows this content already."""
    reason: str = ""
    """Why the file cannot be used; empty if it can."""
    passing: bool = False
    """The reason may be gone at the next run even if the file looks the same then."""
    gone: bool = False
    """The file was deleted after the scan."""
    words: "OwnersWords | None" = None
    """What its owner wrote, in the file and beside it; none if that is not known."""


class Reader:
    """Reads files, and decodes those whose content the catalogue does not know."""

    def __init__(
        self,
        profile: Profile,
        catalog: Catalog,
        options: Options,
        stop_requested: Callable[[], bool],
        encoders: Sequence[str],
    ) -> None:
        """Knows nothing of the catalogue's contents yet; see :meth:`learn`."""
        self.encoders = encoders
        """Those whose vectors a photo may keep, the profile's own first."""
        self.known: set[bytes] = set()
        """Contents that need not be decoded."""
        self._hints: set[bytes] = set()
        self._recognised: dict[Path, Read] = {}
        self._catalog = catalog
        self._profile = profile
        self._options = options
        self._stop_requested = stop_requested
        self._pictures = kept_pictures() if options.thumbnails else None

    def learn(self) -> None:
        """Looks up which contents the catalogue knows."""
        self.known = self._catalog.contents(*self.encoders)
        self._hints = self._catalog.hints()

    def read_all(self, plan: Plan) -> Generator[Read, None, None]:
        """Reads the new and changed files of a root in threads, and yields them in their order.

        At most two batches are ahead.

        Raises:
            KeyboardInterrupt: A stop was requested.
        """
        return self._in_threads(self.read, [(plan, file) for file in plan.changes.fresh])

    def _in_threads(
        self,
        read_one: Callable[[Plan, Path, FileState, KnownFile | None], Read],
        files: Sequence[tuple[Plan, FreshFile]],
    ) -> Generator[Read, None, None]:
        ahead = 2 * self._options.batch_size
        pending: deque[Future[Read]] = deque()
        pool = ThreadPoolExecutor(self._options.jobs or os.cpu_count() or 1, "decode")
        try:
            for plan, file in files:
                if len(pending) >= ahead:
                    yield self._next(pending)
                pending.append(submitted(pool, read_one, plan, *file))
            while pending:
                yield self._next(pending)
        finally:
            pool.shutdown(cancel_futures=True)

    def recognise(self, files: Sequence[tuple[Plan, FreshFile]]) -> Generator[Read, None, None]:
        """Reads files in threads without decoding any; :meth:`read` need not read them again.

        Yields:
            Those that can be read, in their order.

        Raises:
            KeyboardInterrupt: A stop was requested.
        """
        for found in self._in_threads(self._recognise, files):
            if found.content:
                self._recognised[found.path] = found
                yield found

    def _recognise(
        self, plan: Plan, path: Path, state: FileState, before: KnownFile | None
    ) -> Read:
        try:
            state, content = self._file(plan, path)
        except (OSError, UnreadableImage):  # the run itself counts it
            return Read(path, state, before)
        return Read(path, state, before, fingerprint(content), self._hint(content))

    def read(
        self,
        plan: Plan,
        path: Path,
        state: FileState,
        before: KnownFile | None,
        *,
        decoding: bool = False,
    ) -> Read:
        """Reads one file of a root.

        Args:
            plan: Of the root.
            path: Of the file.
            state: As the scan found it.
            before: What the catalogue knows.
            decoding: Decode it even if its content is known.
        """
        seen = None if decoding else self._recognised.pop(path, None)
        try:
            if seen and seen.state == state and seen.content in self.known and not seen.hint:
                return replace(seen, words=self._words_in(plan, path, state))
            state, content = self._file(plan, path)
            with failures_reported("cannot be read"):
                read = self._content(path, state, before, content, decoding=decoding)
                return replace(read, words=self._words(plan, read, content))
        except PhotoFailed as error:
            return Read(path, state, before, reason=f"{error}{TRIED_AGAIN}", passing=True)
        except UnreadableImage as error:
            return Read(path, state, before, reason=str(error))
        except (FileNotFoundError, NotADirectoryError):
            return Read(path, state, before, gone=True)
        except OSError as error:
            reason = f"cannot be read ({error.strerror or error}){TRIED_AGAIN}"
            return Read(path, state, before, reason=reason, passing=True)

    def _content(
        self,
        path: Path,
        state: FileState,
        before: KnownFile | None,
        content: bytes,
        *,
        decoding: bool,
    ) -> Read:
        from pixquery.indexer.decode import as_jpeg, decode, thumbnail

        digest, noted = fingerprint(content), self._hint(content)
        proven = self._proven(noted, path)
        known = digest in self.known or (noted in self.known and digest in proven.values())
        if known and not decoding:
            return Read(path, state, before, digest, noted, proven)
        profile = self._profile
        photo = decode(
            content,
            *profile.sizes,
            interpolation=profile.interpolation,
            fit=profile.fit,
            small=SIDE if self._pictures else 0,
        )
        if self._pictures is not None:
            small = photo.small
            with suppress(UnreadableImage):  # the gallery tries again, and says why not
                self._pictures.offer(
                    name_of(digest, SIDE),
                    lambda: thumbnail(content, SIDE) if small is None else as_jpeg(small),
                )
            photo = replace(photo, small=None)  # it would wait for its batch in memory
        return Read(path, state, before, digest, noted, proven, photo)

    def _words(self, plan: Plan, read: Read, content: bytes) -> "OwnersWords | None":
        """What the owner wrote about a photo that was read."""
        from pixquery.indexer.metadata import metadata_of
        from pixquery.indexer.owner import of_photo, words_of

        own = of_photo(read.photo) if read.photo else metadata_of(content)
        follow_links = self._options.follow_links
        return None if own is None else words_of(plan, read.path, own, follow_links=follow_links)

    def _words_in(self, plan: Plan, path: Path, state: FileState) -> "OwnersWords | None":
        from pixquery.indexer.owner import words_in

        return words_in(plan, path, state, follow_links=self._options.follow_links)

    def _hint(self, content: bytes) -> bytes:
        """The content's hint, if the catalogue holds it."""
        noted = hint(content) if self._hints else b""
        return noted if noted in self._hints else b""

    def _proven(self, noted: bytes, path: Path) -> dict[int, bytes]:
        """The fingerprints of the photos with this hint whose files are as they were indexed.

        Not of ``path`` itself, whose earlier bytes nobody can read any more.
        """
        proven: dict[int, bytes] = {}
        for twin in self._catalog.twins([noted]).get(noted, ()) if noted else ():
            if twin.path == path:
                continue
            with suppress(OSError, UnreadableImage):
                state, content = read(twin.path)
                if state == twin.state and hint(content) == noted:
                    proven[twin.id] = fingerprint(content)
        return proven

    def _file(self, plan: Plan, path: Path) -> PhotoFile:
        """What the scan found at a path: not what a link leads to that was put there since.

        Another regular file may have been: programs replace a file to change it.
        """
        if self._options.follow_links:
            return read(path, plan.scanned.identities.get(str(path)))
        return read_below(plan.root, path, plan.scanned.identity)

    def _next(self, pending: deque[Future[Read]]) -> Read:
        if self._stop_requested():
            raise KeyboardInterrupt
        return pending.popleft().result()


def submitted(
    pool: ThreadPoolExecutor, work: Callable[Given, Result], *args: Given.args, **more: Given.kwargs
) -> Future[Result]:
    """Hands work to a pool; if the system starts no more threads, this thread does it."""
    try:
        return pool.submit(work, *args, **more)
    except RuntimeError:
        done: Future[Result] = Future()
        done.set_result(work(*args, **more))
        return done
