"""Failures that are not the photo's: memory ran out, the system failed, or pixquery has a defect.

They are not remembered: the photo is tried again. And they end nothing: the next photo is taken.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pixquery.db.errors import PhotoFailed, PixqueryError
from pixquery.engine.legible import named

TRIED_AGAIN = ": it is tried again at the next index"


@contextmanager
def failures_reported(what: str) -> Iterator[None]:
    """Raises whatever nobody expected as a :class:`PhotoFailed`.

    Args:
        what: What failed then, such as "could not be decoded".

    Raises:
        PhotoFailed: The photo may be sound. Its cause is the error itself.
    """
    try:
        yield
    except (PixqueryError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a decoder in Rust panics with one
        raise PhotoFailed(f"{what}: {named(error)}") from error
