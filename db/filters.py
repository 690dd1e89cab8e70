"""A filter as an SQL condition on the catalogue's table of photos."""

import os
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fnmatch import translate
from functools import lru_cache
from math import asin, cos, radians, sin, sqrt
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from pixquery.db.records import EARLIEST_NS, LATEST_NS, Filter, Meaning, Period, Stars
from pixquery.db.schema import annotations, images, localities
from pixquery.db.terms import terms
from pixquery.db.values import bounds, refuse_other_bytes, written

_LARGEST = 2**63 - 1
"""The largest number that SQLite takes."""
_EARTH = 6371.0088
"""Mean radius in kilometres."""

_ORIENTATIONS = {
    "landscape": images.c.width > images.c.height,
    "portrait": images.c.width < images.c.height,
    "square": images.c.width == images.c.height,
}


def condition(where: Filter, *, annotated: bool = True) -> tuple[str, dict[str, object]]:
    """SQL that is true of the photos that match, and the values that it names.

    The connection that runs it needs the functions that :func:`prepare` adds.

    Args:
        where: The filter.
        annotated: Whether the catalogue has tables of places and of what owners wrote; earlier ones
            have none.
    """
    conditions = [*_conditions(where), *_noted(where, annotated=annotated)]
    compiled = sa.and_(sa.true(), *conditions).compile(
        dialect=sqlite.dialect(paramstyle="named"), compile_kwargs={"render_postcompile": True}
    )
    return str(compiled), compiled.params


def _conditions(where: Filter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if where.roots:
        conditions.append(sa.or_(*(_under(root) for root in where.roots)))
    if where.paths:
        conditions.append(sa.or_(*(_fits(glob) for glob in where.paths)))
    if where.taken is not None:
        conditions += _within(images.c.taken, where.taken)
        conditions.append(images.c.taken.is_not(None))
    if where.modified is not None:
        conditions += _within(images.c.mtime_ns, where.modified)
    if where.orientation is not None:
        conditions.append(_ORIENTATIONS[where.orientation])
    if where.min_width:
        conditions.append(images.c.width >= min(where.min_width, _LARGEST))
    if where.min_height:
        conditions.append(images.c.height >= min(where.min_height, _LARGEST))
    if where.formats:
        conditions.append(
            sa.func.lower(images.c.format).in_([name.lower() for name in where.formats])
        )
    if where.camera:
        refuse_other_bytes(where.camera, "the camera")
        conditions.append(sa.func.pixquery_holds(images.c.camera, where.camera.casefold()))
    if where.near is not None:
        (latitude, longitude), kilometres = where.near
        away = sa.func.pixquery_km(images.c.latitude, images.c.longitude, latitude, longitude)
        conditions.append(images.c.latitude.is_not(None))
        conditions.append(images.c.longitude.is_not(None))
        conditions.append(away <= kilometres)
    return conditions


def _taken_in(place: Meaning) -> sa.ColumnElement[bool]:
    columns = localities.c
    inside = [
        columns.code.in_(sorted(place.codes)),
        *(sa.and_(columns.region == region, columns.code == code)
          for region, code in sorted(place.regions)),
        *(sa.and_(columns.city == city, columns.region == region, columns.code == code)
          for city, region, code in sorted(place.cities)),
    ]  # fmt: skip
    photos = sa.select(columns.image_id).where(sa.or_(*inside))
    return images.c.id.in_(photos)


def _noted(where: Filter, *, annotated: bool) -> Iterator[sa.ColumnElement[bool]]:
    """The conditions on tables that earlier catalogues lack."""
    if where.places:
        yield sa.or_(*map(_taken_in, where.places)) if annotated else sa.false()
    if where.rating is not None:
        yield _rated(where.rating, annotated=annotated)
    for names, column, function in (
        (where.keywords, annotations.c.keywords, sa.func.pixquery_keyword),
        (where.people, annotations.c.people, sa.func.pixquery_person),
    ):
        if names and not annotated:
            yield sa.false()
        for name in names if annotated else ():
            refuse_other_bytes(name, "the name")
            photos = sa.select(annotations.c.image_id).where(column != "", function(column, name))
            yield images.c.id.in_(photos)


def _rated(rating: Stars, *, annotated: bool) -> sa.ColumnElement[bool]:
    least = -1 if rating.least is None else rating.least
    most = 5 if rating.most is None else rating.most
    unrated = least <= 0 <= most
    if not annotated:
        return sa.true() if unrated else sa.false()
    stars = annotations.c.rating
    if unrated:  # most photos have no row, or no rating in it
        return images.c.id.not_in(
            sa.select(annotations.c.image_id).where(sa.not_(stars.between(least, most)))
        )
    return images.c.id.in_(sa.select(annotations.c.image_id).where(stars.between(least, most)))


def prepare(connection: sqlite3.Connection) -> None:
    """Adds the functions that :func:`condition` calls to a connection."""
    for name, arguments, function in (
        ("pixquery_fits", 2, _stored_path_fits),
        ("pixquery_holds", 2, _holds),
        ("pixquery_km", 4, _kilometres),
        ("pixquery_keyword", 2, _has_keyword),
        ("pixquery_person", 2, _has_person),
    ):
        connection.create_function(name, arguments, function, deterministic=True)


def _under(root: Path) -> sa.ColumnElement[bool]:
    path, first, end = bounds(root)
    column = images.c.path
    return sa.or_(column == path, sa.and_(column >= first, column < end))


def _fits(glob: str) -> sa.ColumnElement[bool]:
    refuse_other_bytes(glob, "the path", os.fsencode)  # not UTF-8 alone: names are bytes
    return sa.func.pixquery_fits(images.c.path, os.fsencode(glob))


def _within(column: sa.Column[object], period: Period) -> list[sa.ColumnElement[bool]]:
    """For a column of times without a zone, or of nanoseconds since the epoch."""
    begin, end = period
    if column is images.c.mtime_ns:
        return _modified(begin, end)
    return [
        *([] if begin is None else [column >= written(begin)]),
        *([] if end is None else [column < written(end)]),
    ]


def _modified(begin: datetime | None, end: datetime | None) -> list[sa.ColumnElement[bool]]:
    """A file's time beyond those that can be stored is only known to be beyond them.

    So such a file matches every period that reaches as far.
    """
    column, conditions = images.c.mtime_ns, []
    if begin is not None and (first := _nanoseconds(begin)) > EARLIEST_NS:
        conditions.append(column >= min(first, LATEST_NS))
    if end is not None and (after := _nanoseconds(end)) <= LATEST_NS:
        conditions.append(column < max(after, EARLIEST_NS + 1))
    return conditions


def _nanoseconds(moment: datetime) -> int:
    """Nanoseconds since the epoch of a time on this computer's clock, of any year."""
    try:
        there = moment.astimezone(UTC)
    except (OverflowError, OSError, ValueError):
        # The zone leads out of the years 1 to 9999, or Windows knows no zone before 1970.
        there = moment.replace(tzinfo=UTC)
    since = there - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1) * 1000


def _stored_path_fits(path: bytes, glob: bytes) -> bool:
    return path_fits(os.fsdecode(path), os.fsdecode(glob), separator=os.sep)


def path_fits(path: str, glob: str, *, separator: str) -> bool:
    """Whether a path, or its last name, matches a glob, in which ``*`` spans folders.

    Args:
        path: Absolute.
        glob: As :mod:`fnmatch` reads it, in the same case as the path. Its folders may be separated
            by ``/`` on every system.
        separator: The system's, ``os.sep``.
    """
    if separator != "/":
        path, glob = path.replace(separator, "/"), glob.replace(separator, "/")
    pattern = _pattern(glob)
    return bool(pattern.match(path) or pattern.match(path.rpartition("/")[2]))


@lru_cache(64)
def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob))


def _holds(text: str, part: str) -> bool:
    return part in text.casefold()


def _has_keyword(keywords: str, asked: str) -> bool:
    wanted = plain(asked)
    return any(plain(keyword) == wanted for keyword in keywords.split("\n"))


def _has_person(people: str, asked: str) -> bool:
    wanted = set(plain(asked).split())
    return any(wanted.issubset(plain(name).split()) for name in people.split("\n"))


@lru_cache(4096)
def plain(text: str) -> str:
    """A keyword or a name as it is compared: its terms, or itself if it is a symbol."""
    return " ".join(terms(text)) or text.casefold().strip()


def _kilometres(latitude: float, longitude: float, north: float, east: float) -> float:
    """The distance along the surface, by the haversine formula, which is exact for near points."""
    half_north = sin(radians(latitude - north) / 2)
    half_east = sin(radians(longitude - east) / 2)
    squared = half_north**2 + cos(radians(latitude)) * cos(radians(north)) * half_east**2
    return 2 * _EARTH * asin(min(1.0, sqrt(squared)))
