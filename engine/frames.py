"""Records as tables of pandas, which nothing else of pixquery needs: an extra."""

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixquery.db.errors import MissingExtra

if TYPE_CHECKING:
    from pandas import DataFrame as DataFrame  # the others know pandas by this file alone

    from pixquery.db.records import ImageRecord
    from pixquery.engine.answers import Answer, Duplicates


def of_answer(answer: "Answer") -> "DataFrame":
    """A row a hit, by rank; columns as the fields of a hit."""
    from pixquery.engine.answers import Hit

    names = [field.name for field in fields(Hit)]
    rows = ([_plain(getattr(hit, name)) for name in names] for hit in answer.hits)
    return _timed(_frame(rows, names)).set_index("rank")


def of_photos(photos: Iterable["ImageRecord"]) -> "DataFrame":
    """A row a photo, by id: path, bytes, width, height, format, taken, camera, place, modified."""
    return _timed(_frame((_photo(photo) for photo in photos), _PHOTO)).set_index("id")


def of_duplicates(duplicates: "Duplicates") -> "DataFrame":
    """A row a photo: number of its group, kind (best, exact or near), likeness, and the photo."""
    rows = (
        [number, kind, likeness, *_photo(photo)]
        for number, group in enumerate(duplicates.groups, 1)
        for kind, likeness, photo in [
            ("best", 1.0, group.best),
            *(("exact" if c.exact else "near", c.likeness, c.record) for c in group.copies),
        ]
    )
    return _timed(_frame(rows, ["group", "kind", "likeness", *_PHOTO]))


_PHOTO = ["id", "path", "bytes", "width", "height", "format", "taken", "camera", "latitude",
          "longitude", "modified"]  # fmt: skip


def _photo(photo: "ImageRecord") -> list[Any]:
    latitude, longitude = photo.place or (None, None)
    return [
        photo.id, str(photo.path), photo.state.size, photo.width, photo.height, photo.format,
        photo.taken, photo.camera, latitude, longitude, photo.state.mtime_ns,
    ]  # fmt: skip


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _frame(rows: Iterable[list[Any]], names: list[str]) -> "DataFrame":
    try:
        from pandas import DataFrame
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"tables need the package {error.name}: pip install 'pixquery[pandas]'"
        ) from error
    return DataFrame(list(rows), columns=names)


def _timed(frame: "DataFrame") -> "DataFrame":
    """Times and numbers as such in empty columns, too; the camera's times have no zone."""
    from pandas import to_datetime, to_numeric

    frame["taken"] = to_datetime(frame["taken"])
    frame["modified"] = to_datetime(frame["modified"], utc=True)
    for name in ("relevance", "similarity", "latitude", "longitude"):
        if name in frame:
            frame[name] = to_numeric(frame[name])
    return frame
