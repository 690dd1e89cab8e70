"""The files of a run, read and decoded in threads."""

import os
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pixquery.db.catalog import Catalog
from pixquery.db.errors import UnreadableImage
from pixquery.db.records import FileState, KnownFile
from pixquery.engine.photos import fingerprint, hint, read
from pixquery.engine.profile import Profile
from pixquery.indexer.options import Options

if TYPE_CHECKING:  # decoders are loaded with the first photo: most runs find nothing new
    from pixquery.indexer.decode import Photo


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

    def learn(self) -> None:
        """Looks up which contents the catalogue knows."""
        self.known = self._catalog.contents(*self.encoders)
        self._hints = self._catalog.hints()

    def read_all(
        self, files: Sequence[tuple[Path, FileState, KnownFile | None]]
    ) -> Generator[Read, None, None]:
        """Reads files in threads, two batches ahead at most, and yields them in their order.

        Raises:
            KeyboardInterrupt: A stop was requested.
        """
        return self._in_threads(self.read, files)

    def _in_threads(
        self,
        read_one: Callable[[Path, FileState, KnownFile | None], Read],
        files: Sequence[tuple[Path, FileState, KnownFile | None]],
    ) -> Generator[Read, None, None]:
        ahead = 2 * self._options.batch_size
        pending: deque[Future[Read]] = deque()
        pool = ThreadPoolExecutor(self._options.jobs or os.cpu_count() or 1, "decode")
        try:
            for file in files:
                if len(pending) >= ahead:
                    yield self._next(pending)
                pending.append(pool.submit(read_one, *file))
            while pending:
                yield self._next(pending)
        finally:
            pool.shutdown(cancel_futures=True)

    def recognise(
        self, files: Sequence[tuple[Path, FileState, KnownFile | None]]
    ) -> Generator[Read, None, None]:
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

    def _recognise(self, path: Path, state: FileState, before: KnownFile | None) -> Read:
        try:
            state, content = read(path, follow_link=self._options.follow_links)
        except (OSError, UnreadableImage):  # the run itself counts it
            return Read(path, state, before)
        return Read(path, state, before, fingerprint(content), self._hint(content))

    def read(
        self, path: Path, state: FileState, before: KnownFile | None, *, decoding: bool = False
    ) -> Read:
        """Reads one file; ``state`` and ``before`` are what the scan and the catalogue say.

        Args:
            path: Of the file.
            state: As the scan found it.
            before: What the catalogue knows.
            decoding: Decode it even if its content is known.
        """
        from pixquery.indexer.decode import decode

        seen = None if decoding else self._recognised.pop(path, None)
        if seen and seen.state == state and seen.content in self.known and not seen.hint:
            return seen
        try:
            state, content = read(path, follow_link=self._options.follow_links)
            digest, noted = fingerprint(content), self._hint(content)
            proven = self._proven(noted, path)
            known = digest in self.known or (noted in self.known and digest in proven.values())
            if known and not decoding:
                return Read(path, state, before, digest, noted, proven)
            profile = self._profile
            photo = decode(content, *profile.sizes, interpolation=profile.interpolation)
            return Read(path, state, before, digest, noted, proven, photo)
        except UnreadableImage as error:
            return Read(path, state, before, reason=str(error))
        except (FileNotFoundError, NotADirectoryError):
            return Read(path, state, before, gone=True)
        except OSError as error:
            reason = f"cannot be read ({error.strerror}): it is tried again at the next index"
            return Read(path, state, before, reason=reason, passing=True)

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
                state, content = read(twin.path, follow_link=self._options.follow_links)
                if state == twin.state and hint(content) == noted:
                    proven[twin.id] = fingerprint(content)
        return proven

    def _next(self, pending: deque[Future[Read]]) -> Read:
        if self._stop_requested():
            raise KeyboardInterrupt
        return pending.popleft().result()
