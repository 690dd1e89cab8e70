"""What the server answers where it does not do what it was asked: a status and a sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

from pixquery.db.errors import (
    BadQuery,
    LibraryLocked,
    LibraryNotFound,
    NothingFound,
    PixqueryError,
    QueryRefused,
    UnreadableImage,
)

BUSY_SECONDS = 1
"""After how long one who was turned away may ask again."""

_ANSWERS: tuple[tuple[type[PixqueryError], int, str], ...] = (
    (BadQuery, 422, ""),
    (QueryRefused, 403, "the library's stop-word policy refuses this query: use other words"),
    (NothingFound, 404, ""),
    (UnreadableImage, 422, ""),
    (LibraryNotFound, 503, "there is no library yet: its owner makes one with `pixquery index`"),
    (LibraryLocked, 503, "the library is being written to: try again later"),
    (PixqueryError, 503, "the library cannot be used: its owner is told why by `pixquery verify`"),
)
"""Kind, status, and the sentence for those who must not learn where files lie on this computer."""


class Refusal(PixqueryError):
    """A request is not done; the message is for whoever asked."""

    def __init__(self, status: int, sentence: str, **headers: str) -> None:
        """Takes a status of HTTP, a sentence, and headers with ``_`` for ``-``."""
        super().__init__(sentence)
        self.status = status
        self.headers: Mapping[str, str] = {
            name.replace("_", "-"): value for name, value in headers.items()
        }


def refusal_of(error: PixqueryError, *, local: bool) -> Refusal:
    """The one place where errors become statuses.

    Args:
        error: Any.
        local: Whether whoever asks may know where files lie on this computer.
    """
    if isinstance(error, Refusal):
        return error
    status, remote = next((s, text) for kind, s, text in _ANSWERS if isinstance(error, kind))
    sentence = str(error) if local or not remote else remote
    return Refusal(status, sentence, **({"retry_after": "5"} if status == 503 else {}))


def busy() -> Refusal:
    """For one who comes when the queue is full."""
    return Refusal(
        429,
        "too many are asking at once: try again in a moment",
        retry_after=str(BUSY_SECONDS),
    )


def malformed(errors: Sequence[Mapping[str, Any]]) -> Refusal:
    """For parameters that are not what they should be, as Pydantic tells of them."""
    told = []
    for error in errors[:3]:
        place = [str(part) for part in error["loc"] if part not in ("query", "path", "body")]
        said = str(error["msg"])
        told.append(f"{' '.join(place) or 'the request'}: {said[:1].lower()}{said[1:]}")
    return Refusal(422, "; ".join(told))
