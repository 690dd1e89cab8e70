"""A filter as a condition on the catalogue's table of photos."""

import os
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from fnmatch import translate
from functools import lru_cache
from math import asin, cos, radians, sin, sqrt
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from pixquery.db.records import Filter, Period
from pixquery.db.schema import images
from pixquery.db.values import bounds, written

_EARTH = 6371.0088
"""Mean radius, kilometres."""

_ORIENTATIONS = {
    "landscape": images.c.width > images.c.height,
    "portrait": images.c.width < images.c.height,
    "square": images.c.width == images.c.height,
}


def condition(where: Filter) -> tuple[str, dict[str, object]]:
    """SQL of what must hold for a photo to pass, and the values that it names.

    Args:
        where: What is asked. :func:`prepare` teaches SQLite the functions.
    """
    compiled = sa.and_(sa.true(), *_conditions(where)).compile(
        dialect=sqlite.dialect(paramstyle="named"), compile_kwargs={"render_postcompile": True}
    )
    return str(compiled), compiled.params


def _conditions(where: Filter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if where.roots:
        found.append(sa.or_(*(_under(root) for root in where.roots)))
    if where.paths:
        found.append(sa.or_(*(_fits(glob) for glob in where.paths)))
    if where.taken is not None:
        found += _within(images.c.taken, where.taken)
        found.append(images.c.taken.is_not(None))
    if where.modified is not None:
        found += _within(images.c.mtime_ns, where.modified)
    if where.orientation is not None:
        found.append(_ORIENTATIONS[where.orientation])
    if where.min_width:
        found.append(images.c.width >= where.min_width)
    if where.min_height:
        found.append(images.c.height >= where.min_height)
    if where.formats:
        found.append(sa.func.lower(images.c.format).in_([name.lower() for name in where.formats]))
    if where.camera:
        found.append(sa.func.pixquery_holds(images.c.camera, where.camera.casefold()))
    if where.near is not None:
        (latitude, longitude), kilometres = where.near
        away = sa.func.pixquery_km(images.c.latitude, images.c.longitude, latitude, longitude)
        found.append(images.c.latitude.is_not(None))
        found.append(images.c.longitude.is_not(None))
        found.append(away <= kilometres)
    return found


def prepare(connection: sqlite3.Connection) -> None:
    """Teaches a connection the functions that :func:`condition` asks for."""
    for name, arguments, function in (
        ("pixquery_fits", 2, _path_fits),
        ("pixquery_holds", 2, _holds),
        ("pixquery_km", 4, _kilometres),
    ):
        connection.create_function(name, arguments, function, deterministic=True)


def _under(root: Path) -> sa.ColumnElement[bool]:
    whole, inside, beyond = bounds(root)
    path = images.c.path
    return sa.or_(path == whole, sa.and_(path >= inside, path < beyond))


def _fits(glob: str) -> sa.ColumnElement[bool]:
    return sa.func.pixquery_fits(images.c.path, os.fsencode(glob))


def _within(column: sa.Column[object], period: Period) -> list[sa.ColumnElement[bool]]:
    """The column is a time without a zone, or nanoseconds since the epoch."""
    begin, end = period
    told = _nanoseconds if column is images.c.mtime_ns else written
    return [
        *([] if begin is None else [column >= told(begin)]),
        *([] if end is None else [column < told(end)]),
    ]


def _nanoseconds(moment: datetime) -> int:
    """Of a time on this computer's clock."""
    since = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1) * 1000


def _path_fits(path: bytes, glob: bytes) -> bool:
    whole = os.fsdecode(path)
    match = _pattern(glob)
    return bool(match.match(whole) or match.match(whole.rpartition(os.sep)[2]))


@lru_cache(64)
def _pattern(glob: bytes) -> re.Pattern[str]:
    return re.compile(translate(os.fsdecode(glob)))


def _holds(text: str, part: str) -> bool:
    return part in text.casefold()


def _kilometres(latitude: float, longitude: float, north: float, east: float) -> float:
    """Along the surface, by the haversine formula, which is exact for near points."""
    half_north = sin(radians(latitude - north) / 2)
    half_east = sin(radians(longitude - east) / 2)
    squared = half_north**2 + cos(radians(latitude)) * cos(radians(north)) * half_east**2
    return 2 * _EARTH * asin(min(1.0, sqrt(squared)))
