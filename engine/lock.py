"""The lock that lets one process at a time write to a library."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pixquery.db.errors import LibraryLocked, StorageFailed


@contextmanager
def writers_lock(folder: Path) -> Iterator[None]:
    """Holds the lock of the library in ``folder``; the system releases it if the process dies.

    Raises:
        LibraryLocked: Another process holds it.
        StorageFailed: The lock file cannot be created.
    """
    from filelock import FileLock, Timeout  # readers never need it

    lock = FileLock(folder / "lock")
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
