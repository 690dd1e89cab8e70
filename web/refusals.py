"""Refusals: the status and message of a request that is not fulfilled."""

from collections.abc import Mapping, Sequence
from typing import Any

from pixquery.db.errors import (
    BadQuery,
    LibraryLocked,
    LibraryNotFound,
    NothingFound,
    PhotoFailed,
    PixqueryError,
    QueryRefused,
    UnreadableImage,
)

BUSY_SECONDS = 1
"""Seconds after which a refused client may try again."""

_ANSWERS: tuple[tuple[type[PixqueryError], int, str], ...] = (
    (BadQuery, 422, ""),
    (QueryRefused, 403, "the library's stop-word policy refuses this query: use other words"),
    (NothingFound, 404, ""),
    (PhotoFailed, 500, "the photo could not be decoded: try again, or send another"),
    (UnreadableImage, 422, ""),
    (
        LibraryNotFound,
        503,
        "there is no library yet: its owner can create one with `pixquery index`",
    ),
    (LibraryLocked, 503, "the library is being written to: try again later"),
    (
        PixqueryError,
        503,
        "the library cannot be used: its owner can run `pixquery verify` to see why",
    ),
)
"""Kind, status, and a message without paths for remote clients; empty if the error has none."""


class Refusal(PixqueryError):
    """A request is refused. The message is for the client."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        """Refuses with an HTTP status, a message, and headers with ``_`` for ``-``."""
        super().__init__(message)
        self.status = status
        self.headers: Mapping[str, str] = {
            name.replace("_", "-"): value for name, value in headers.items()
        }


def refusal_of(error: PixqueryError, *, local: bool) -> Refusal:
    """The refusal for an error. Only here do errors become statuses.

    Args:
        error: Any error of pixquery.
        local: Whether the client may see paths on this computer.
    """
    if isinstance(error, Refusal):
        return error
    status, remote = next((s, text) for kind, s, text in _ANSWERS if isinstance(error, kind))
    message = str(error) if local or not remote else remote
    return Refusal(status, message, **({"retry_after": "5"} if status == 503 else {}))


def busy() -> Refusal:
    """The refusal when a queue is full."""
    return Refusal(
        429,
        "the server is busy: try again in a moment",
        retry_after=str(BUSY_SECONDS),
    )


def malformed(errors: Sequence[Mapping[str, Any]]) -> Refusal:
    """The refusal for invalid parameters, from the errors that Pydantic reports."""
    return Refusal(422, "; ".join(_problem(error) for error in errors[:3]))


_PROBLEMS = {
    "string_too_long": "{name} has {length:,} characters and may have {max_length:,}",
    "too_long": "{name} is given {actual_length:,} times, and may be given {max_length:,} times",
    "greater_than_equal": "{name} must be {ge:,} or more, not {value}",
    "less_than_equal": "{name} must be {le:,} or less, not {value}",
    "int_parsing": "{name} must be a whole number, not {value}",
    "int_parsing_size": "{name} must be a whole number of fewer digits",
    "int_from_float": "{name} must be a whole number, not {value}",
    "float_parsing": "{name} must be a number, not {value}",
    "finite_number": "{name} must be a finite number, not {value}",
    "bool_parsing": "{name} must be true or false, not {value}",
    "literal_error": "{name} must be {expected}, not {value}",
    "enum": "{name} must be {expected}, not {value}",
    "extra_forbidden": "there is no parameter {name}: /docs lists those that there are",
    "missing": "{name} is missing",
}
"""Pydantic's kinds of errors, and what to say of them."""
_LONGEST_VALUE = 60
"""Characters of a value that are repeated."""


def _problem(error: Mapping[str, Any]) -> str:
    """One problem in plain words, with the parameter's name and value."""
    place = [part for part in error["loc"] if part not in ("query", "path", "body")]
    name = str(next((part for part in place if isinstance(part, str)), "")) or "the request"
    given = error.get("input")
    value = repr(given) if isinstance(given, str) else str(given)
    if len(value) > _LONGEST_VALUE:
        value = f"{value[:_LONGEST_VALUE]}..."
    facts = {"length": len(given) if isinstance(given, str) else 0, **error.get("ctx", {})}
    facts |= {key: int(fact) for key, fact in facts.items() if fact in (0.0, 1.0)}  # 1, not 1.0
    pattern = _PROBLEMS.get(str(error["type"]))
    if pattern is None:
        problem = str(error["msg"])
        return f"{name}: {problem[:1].lower()}{problem[1:]}"
    return pattern.format(name=name, value=value, **facts)
