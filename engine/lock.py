"""The lock that lets one process at a time write to a library."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from pixquery.db.connections import refuse_odd_file
from pixquery.db.errors import LibraryLocked, StorageFailed

LOCK = "lock"
BRIEF = "lock.brief"
PATIENCE = 60.0
"""Seconds to wait for a process that holds the lock briefly; the largest index file that a query
may have to build takes about as long."""
_LOOK_AGAIN = 0.05
"""Seconds between attempts."""


def _nothing() -> None:
    pass


@contextmanager
def writers_lock(
    folder: Path,
    *,
    brief: bool = False,
    patience: float = PATIENCE,
    waiting: Callable[[], object] = _nothing,
) -> Iterator[None]:
    """Holds the lock of the library in ``folder``; the system releases it if the process dies.

    Whoever holds it briefly, as a query that brings the index file up to date, holds another lock
    as well, which tells others to wait. Nobody waits for an indexing.

    Args:
        folder: The library's.
        brief: Whether it is held for moments.
        patience: Seconds to wait for a process that holds it briefly.
        waiting: Called once if there is such a process.

    Raises:
        LibraryLocked: Another process holds it, and not briefly, or for longer than that.
        StorageFailed: The lock file cannot be created, or is a link.
    """
    with ExitStack() as locks:
        wait = _Wait(patience, waiting)
        while brief:
            try:
                locks.enter_context(_locked(folder, BRIEF))
                break
            except LibraryLocked:
                if not wait.goes_on():
                    raise
        while True:
            try:
                locks.enter_context(_locked(folder, LOCK))
                break
            except LibraryLocked:
                if brief or not (_is_held(folder, BRIEF) and wait.goes_on()):
                    raise
        yield


@contextmanager
def lock_for_moments(folder: Path, name: str, *, patience: float = PATIENCE) -> Iterator[None]:
    """Holds another lock of the library in ``folder``, one that nobody holds for long.

    Args:
        folder: The library's.
        name: Of the lock's file.
        patience: Seconds to wait for others.

    Raises:
        LibraryLocked: Another process has held it for so long.
        StorageFailed: The lock file cannot be created, or is a link.
    """
    wait = _Wait(patience, _nothing)
    with ExitStack() as lock:
        while True:
            try:
                lock.enter_context(_locked(folder, name))
                break
            except LibraryLocked:
                if not wait.goes_on():
                    raise
        yield


class _Wait:
    """The time that one process waits for others."""

    def __init__(self, seconds: float, begins: Callable[[], object]) -> None:
        self._end = time.monotonic() + seconds
        self._begins: Callable[[], object] | None = begins

    def goes_on(self) -> bool:
        """Waits a moment; false if there is no time left."""
        if time.monotonic() >= self._end:
            return False
        if self._begins is not None:
            self._begins()
            self._begins = None
        time.sleep(_LOOK_AGAIN)
        return True


def _is_held(folder: Path, name: str) -> bool:
    try:
        with _locked(folder, name):
            return False
    except LibraryLocked:
        return True


@contextmanager
def _locked(folder: Path, name: str) -> Iterator[None]:
    from filelock import FileLock, Timeout  # readers never need it

    file = folder / name
    _refuse_link(file)
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LibraryLocked(
            f"the library {folder} is being written to by another pixquery: "
            "try again when it is done"
        ) from None
    except OSError as error:
        raise StorageFailed(
            f"the library {folder} cannot be written ({error.strerror}): "
            "fix its permissions, or choose another with --library DIR"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _refuse_link(file: Path) -> None:
    """Refuses a lock that is another file as well, which opening it would empty."""
    refuse_odd_file(file)
    with suppress(OSError):
        status = file.stat()
        if status.st_nlink > 1 and status.st_size:
            raise StorageFailed(
                f"{file} is another name of a file that is not empty: delete this name, then run "
                "the same command again"
            )
