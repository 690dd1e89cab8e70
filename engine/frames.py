"""Tables of pandas, an extra that nothing else of pixquery needs."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pixquery.db.errors import MissingExtra
from pixquery.db.records import ImageRecord

if TYPE_CHECKING:
    from pandas import DataFrame as DataFrame  # other files import it from here alone

PHOTO = ("id", "path", "bytes", "width", "height", "format", "taken", "camera", "latitude",
         "longitude", "modified")  # fmt: skip
"""The columns of :func:`photo_row`."""


def photo_row(photo: ImageRecord) -> list[Any]:
    """A photo as a row of a table."""
    latitude, longitude = photo.place or (None, None)
    return [
        photo.id, str(photo.path), photo.state.size, photo.width, photo.height, photo.format,
        photo.taken, photo.camera, latitude, longitude, photo.state.mtime_ns,
    ]  # fmt: skip


def of_photos(photos: Iterable[ImageRecord]) -> "DataFrame":
    """One row per photo, by id; the columns are those of :data:`PHOTO`."""
    return table(map(photo_row, photos), PHOTO).set_index("id")


def table(rows: Iterable[Sequence[Any]], columns: Sequence[str]) -> "DataFrame":
    """A table whose times and numbers have their types even in empty columns.

    Args:
        rows: Values in the order of the columns.
        columns: With ``taken``, a time without a zone as cameras note it, and ``modified``, a time
            in UTC or nanoseconds since the epoch.

    Raises:
        MissingExtra: pandas is not installed.
    """
    try:
        from pandas import DataFrame, to_datetime, to_numeric
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"tables need the package {error.name}: pip install 'pixquery[pandas]'"
        ) from error
    frame = DataFrame(list(rows), columns=list(columns))
    frame["taken"] = frame["taken"].astype("datetime64[us]")  # cameras note any year
    frame["modified"] = to_datetime(frame["modified"], utc=True)
    for name in ("relevance", "similarity", "latitude", "longitude"):
        if name in frame:
            frame[name] = to_numeric(frame[name])
    return frame
