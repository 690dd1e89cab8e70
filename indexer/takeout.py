"""The JSON that Google Takeout puts beside each photo.

Google describes it nowhere; the fields are those that are found in people's exports. Its ``title``
is the file's name, so that it is none here. Google Photos knows no stars: its favourites count as
five, the only praise that can be given there.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pixquery.db.records import Annotation, Place
from pixquery.indexer.exif import Exif
from pixquery.indexer.typed import MOST_PEOPLE, caption_of, distinct, keyword_of

LARGEST = 2**20
"""Bytes; those of real exports have two thousand."""
_MARKS = frozenset({"photoTakenTime", "geoData", "googlePhotosOrigin", "creationTime"})
"""Fields that other programs' JSON beside photos does not have."""
_FAVOURITE = 5
_DEGREES_AN_HOUR = 15


def takeout_of(content: bytes) -> tuple[Annotation, Exif]:
    """What the owner told Google of a photo, and its time and place.

    The time is the sun's at the place, to a whole hour, since Google notes it in UTC; without a
    place it is UTC. Both empty if it is not Google's JSON, or not worth trusting.
    """
    told = _object(content)
    if not _MARKS & told.keys():
        return Annotation(), Exif()
    persons = told.get("people")
    names = (
        _text(person, "name")
        for person in (persons if isinstance(persons, list) else [])
        if isinstance(person, dict)
    )
    place = _place(told.get("geoData")) or _place(told.get("geoDataExif"))
    annotation = Annotation(
        caption=caption_of(_text(told, "description")),
        people=distinct(map(keyword_of, names), MOST_PEOPLE),
        rating=_FAVOURITE if told.get("favorited") is True else None,
    )
    return annotation, Exif(taken=_time(told.get("photoTakenTime"), place), place=place)


def _object(content: bytes) -> Mapping[str, Any]:
    if len(content) > LARGEST:
        return {}
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _place(fields: object) -> Place | None:
    """A place; Google writes zeros where there is none."""
    if not isinstance(fields, dict):
        return None
    north, east = fields.get("latitude"), fields.get("longitude")
    if not (isinstance(north, int | float) and isinstance(east, int | float)):
        return None
    if not (abs(north) <= 90 and abs(east) <= 180) or (north, east) == (0, 0):
        return None  # NaN is none, either
    return Place(round(float(north), 6), round(float(east), 6))


def _time(fields: object, place: Place | None) -> datetime | None:
    if not isinstance(fields, dict):
        return None
    hours = round(place.longitude / _DEGREES_AN_HOUR) if place else 0
    try:
        since = timedelta(seconds=int(str(fields.get("timestamp"))[:20]), hours=hours)
        return (datetime(1970, 1, 1, tzinfo=UTC) + since).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
