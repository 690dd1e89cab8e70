"""Reads what people type as the values of a query: times, places, formats, weights."""

import re
from calendar import monthrange
from collections.abc import Sequence
from datetime import datetime, timedelta
from math import isfinite
from pathlib import Path

from pixquery.db.errors import BadQuery
from pixquery.db.records import Meaning, Near, Period, Place, RootSummary, Stars
from pixquery.engine.home import expanded

NEARBY = 10.0
"""Kilometres around a place given without a distance."""

_ALIASES = {
    "jpg": "JPEG", "jpe": "JPEG", "jfif": "JPEG", "tif": "TIFF", "heif": "HEIC", "hif": "HEIC",
    "jxl": "JPEG XL", "raw": "camera RAW",
}  # fmt: skip
_FORMATS = ("JPEG", "PNG", "GIF", "WebP", "BMP", "TIFF", "HEIC", "AVIF", "JPEG XL", "camera RAW")
_STARS = frozenset({"-1", "0", "1", "2", "3", "4", "5"})
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_WEIGHTED = re.compile(rf"(.*[^\s:])\s*:\s*({_NUMBER})\s*", re.DOTALL)
_SURELY_WEIGHTED = re.compile(
    rf"(.*)::\s*({_NUMBER}(?:e[+-]?[0-9]+)?|[+-]?nan|[+-]?inf(?:inity)?|)\s*",
    re.DOTALL | re.IGNORECASE,
)
_LIKELY = 10.0
"""Larger numbers after a single colon are hardly ever meant as a weight."""


def period(text: str) -> Period:
    """Reads ``2023``, ``2023-07``, ``2023-07-14``, or a range such as ``2021..2023-07``.

    Either end of a range may be left out.

    Raises:
        BadQuery: The text is not a time, or ends before it begins.
    """
    first, dots, last = (part.strip() for part in text.partition(".."))
    if not dots:
        last = first
    begin = _day(first, text)[0] if first else None
    end = _day(last, text)[1] if last else None
    if not (first or last):
        raise _no_period(text)
    if begin is not None and end is not None and begin >= end:
        raise BadQuery(f"the time {text!r} ends before it begins: write {last}..{first}")
    return Period(begin, end)


def _day(text: str, typed: str) -> tuple[datetime, datetime | None]:
    """The first moment of a year, month or day, and the first moment after it."""
    match = _DAY.fullmatch(text)
    if match is None:
        raise _no_period(typed)
    year, month, day = (int(part) if part else None for part in match.groups())
    assert year is not None  # noqa: S101 - the pattern has it
    try:
        begin = datetime(year, month or 1, day or 1)
        last = begin.replace(month=month or 12)
        last = last.replace(day=day or monthrange(year, last.month)[1])
        return begin, last + timedelta(days=1)
    except OverflowError:
        return begin, None  # nothing comes after the year 9999
    except ValueError:
        raise _no_period(typed) from None


def _no_period(text: str) -> BadQuery:
    return BadQuery(
        f"{text!r} is not a time: write 2023, 2023-07, 2023-07-14, 2023..2024-06, 2023.. or ..2020"
    )


def near(text: str) -> Near:
    """Reads ``48.2,16.37`` or ``48.2,16.37,5``: degrees north and east, and kilometres around.

    Instead of the degrees, the name of a town will do: ``Vienna`` or ``Paris, Texas, 20``.

    Raises:
        BadQuery: The text is not a place.
    """
    wrong = BadQuery(
        f"{text!r} is not a place: write a town, or degrees north and east, and the kilometres "
        "around, such as Vienna,5 or 48.21,16.37,5; south and west are negative"
    )
    parts = [part.strip() for part in text.split(",")]
    if _number(parts[0]) is None and any(letter.isalpha() for letter in parts[0]):
        kilometres = _number(parts[-1]) if parts[1:] else None
        town = ", ".join(parts if kilometres is None else parts[:-1])
        centre, kilometres = _town(town), NEARBY if kilometres is None else kilometres
    else:
        numbers = [_number(part) for part in parts]
        if len(numbers) not in (2, 3) or None in numbers:
            raise wrong
        latitude, longitude, kilometres = (each or 0.0 for each in (*numbers, NEARBY)[:3])
        centre = Place(latitude, longitude)
    inside = abs(centre.latitude) <= 90 and abs(centre.longitude) <= 180
    if not (inside and 0 < kilometres < float("inf")):
        raise wrong
    return Near(centre, kilometres)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _town(name: str) -> Place:
    from pixquery.engine.place_names import position  # reads the gazetteer

    found = position(name)
    if found is None:
        raise _unknown(name)
    return found.place


def place(name: str) -> Meaning:
    """What the name of a town, region or country means, in any language: ``Lisboa``, ``Bavaria``.

    Raises:
        BadQuery: No such place is known.
    """
    from pixquery.engine.place_names import names_of  # reads the gazetteer

    meaning = names_of(name)
    if not meaning:
        raise _unknown(name)
    return meaning


def _unknown(name: str) -> BadQuery:
    from pixquery.engine.place_names import similar

    likely = " or ".join(similar(name)) or "write the name of a town, region or country"
    return BadQuery(f"no place named {name!r} is known: {likely}")


def rating(text: str) -> Stars:
    """Reads ``4``, ``4..``, ``..2`` or ``3..5``: stars from 0 to 5, or -1 for rejected.

    Raises:
        BadQuery: The text is no such range, or ends before it begins.
    """
    first, dots, last = (part.strip() for part in text.partition(".."))
    if not dots:
        last = first
    least, most = (_stars(part, text) if part else None for part in (first, last))
    if least is None and most is None:
        raise _no_rating(text)
    if least is not None and most is not None and least > most:
        raise BadQuery(f"the rating {text!r} ends before it begins: write {last}..{first}")
    return Stars(least, most)


def _stars(text: str, typed: str) -> int:
    if text not in _STARS:
        raise _no_rating(typed)
    return int(text)


def _no_rating(text: str) -> BadQuery:
    return BadQuery(
        f"{text!r} is not a rating: write 4, 4.., ..2 or 3..5 stars; photos without stars have 0, "
        "rejected ones -1"
    )


def named(text: str, what: str) -> str:
    """A keyword or the name of a person, without blanks around it.

    Args:
        text: What was typed.
        what: What it is, such as "keyword".

    Raises:
        BadQuery: There is none.
    """
    name = " ".join(text.split())
    if not name:
        raise BadQuery(f"the {what} is empty: write one, or leave the filter out")
    return name


def format_name(text: str) -> str:
    """The format with a name or a suffix, such as ``jpg``.

    Raises:
        BadQuery: There is none.
    """
    name = text.strip().lower().removeprefix(".")
    name = _ALIASES.get(name, name).lower()
    for known in _FORMATS:
        if name == known.lower():
            return known
    raise BadQuery(f"there is no format {text!r}: choose one of {', '.join(_FORMATS)}")


def weighted(text: str, *, times: bool = True) -> tuple[str, float]:
    """Splits ``snow:0.5`` into its words and its weight, which is 1 by default.

    After a single colon, a number is a weight from -10 to 10, unless it may be part of a time, a
    ratio or a result, such as ``10:30`` or ``16:9``. After ``::`` it always is one.

    Args:
        text: What was typed.
        times: Whether it may contain times. File names do not: ``map.jp2:2`` has a weight.

    Raises:
        BadQuery: After ``::`` is no finite number.
    """
    if match := _SURELY_WEIGHTED.fullmatch(text):
        weight = float(match[2] or "nan")
        if not isfinite(weight):
            raise BadQuery(
                f"a weight must follow :: in {text!r}: write a number, such as snow::0.5"
            )
        return match[1].rstrip(), weight
    match = _WEIGHTED.fullmatch(text)
    if match is None or abs(float(match[2])) > _LIKELY:
        return text, 1.0
    if times and match[1][-1].isdigit() and match[2].isdigit():
        return text, 1.0
    return match[1], float(match[2])


def root_among(path: Path, roots: Sequence[RootSummary]) -> Path:
    """The absolute path of a folder that is in one of the library's, or contains one.

    Raises:
        BadQuery: It is not.
    """
    folder = expanded(path).absolute()
    for root in roots:
        if folder == root.path or root.path in folder.parents or folder in root.path.parents:
            return folder
    known = ", ".join(str(root.path) for root in roots) or "none yet"
    raise BadQuery(f"the folder {folder} is not in the library: its folders are {known}")
