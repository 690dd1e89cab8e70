"""The files of a run, read and decoded in threads."""

import os
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from pixquery.db.errors import PhotoFailed, UnreadableImage
from pixquery.db.records import FileState, KnownFile
from pixquery.engine.photos import PhotoFile, fingerprint, read, read_below
from pixquery.engine.profile import Profile
from pixquery.indexer.failures import TRIED_AGAIN, failures_reported
from pixquery.indexer.options import Options
from pixquery.indexer.plan import Plan

if TYPE_CHECKING:  # decoders are loaded with the first photo: most runs find nothing new
    from pixquery.indexer.decode import Photo

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
        known: set[bytes],
        options: Options,
        stop_requested: Callable[[], bool],
    ) -> None:
        self.known = known
        """Fingerprints of contents that need not be decoded."""
        self._profile = profile
        self._options = options
        self._stop_requested = stop_requested

    def read_all(self, plan: Plan) -> Generator[Read, None, None]:
        """Reads the new and changed files of a root in threads, and yields them in their order.

        At most two batches are ahead.

        Raises:
            KeyboardInterrupt: A stop was requested.
        """
        ahead = 2 * self._options.batch_size
        pending: deque[Future[Read]] = deque()
        pool = ThreadPoolExecutor(self._options.jobs or os.cpu_count() or 1, "decode")
        try:
            for file in plan.changes.fresh:
                if len(pending) >= ahead:
                    yield self._next(pending)
                pending.append(submitted(pool, self.read, plan, *file))
            while pending:
                yield self._next(pending)
        finally:
            pool.shutdown(cancel_futures=True)

    def read(self, plan: Plan, path: Path, state: FileState, before: KnownFile | None) -> Read:
        """Reads a file of a root; ``state`` and ``before`` are from the scan and the catalogue."""
        try:
            state, content = self._file(plan, path)
            with failures_reported("cannot be read"):
                return self._content(path, state, before, content)
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
        self, path: Path, state: FileState, before: KnownFile | None, content: bytes
    ) -> Read:
        from pixquery.indexer.decode import decode

        digest = fingerprint(content)
        if digest in self.known:
            return Read(path, state, before, digest)
        profile = self._profile
        photo = decode(content, *profile.sizes, interpolation=profile.interpolation)
        return Read(path, state, before, digest, photo)

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
