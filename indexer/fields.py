"""What the fields of a photo's metadata mean: times, places and the names of cameras.

Cameras, phones and programs write them in more ways than EXIF allows. What can only mean one thing
is understood; what could mean two is left out, since a wrong date or place is worse than none.
"""

import math
import re
from datetime import datetime
from string import ascii_letters
from typing import Any

from pixquery.db.records import Place
from pixquery.indexer.pillow import DECODER_ERRORS

_LONGEST_NAME = 100

_TIME = re.compile(
    r"\s*(\d{4})([:\-/.])\s?(\d{1,2})\2\s?(\d{1,2})"  # the day
    r"(?:(?:[T_]|\s+)\s?(\d{1,2}):\s?(\d{1,2})(?::\s?(\d{1,2})(?:[.,:]\d+)?)?"
    r"(?!\d|:)\s*([AaPp][Mm])?)?",  # a zone, or anything else, may follow
    re.ASCII,
)
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:/\d+(?:\.\d+)?)?", re.ASCII)


def text_of(value: object) -> str:
    """The text of a field, up to its first NUL; empty if it is not text.

    EXIF declares ASCII. Programs write UTF-8, which Pillow reads as Latin-1.
    """
    if isinstance(value, str):
        try:
            content = value.encode("latin-1")
        except UnicodeEncodeError:  # it was decoded already
            return value.partition("\0")[0]
    elif isinstance(value, bytes):
        content = value
    else:
        return ""
    content = content.partition(b"\0")[0]
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def words(value: object) -> str:
    """The printable text of a field, cut to one line."""
    text = "".join(letter if letter.isprintable() else " " for letter in text_of(value))
    return " ".join(text.split())[:_LONGEST_NAME]


def camera_of(maker: object, model: object) -> str:
    """Maker and model as one name; some models already begin with their maker."""
    parts = [words(maker), words(model)]
    if parts[0] and parts[1].casefold().startswith(parts[0].split()[0].casefold()):
        parts[0] = ""
    return " ".join(filter(None, parts))


def time_of(value: object) -> datetime | None:
    """A time by the camera's clock: its zone, if there is one, is left out.

    A day without a time begins at midnight.
    """
    match = _TIME.match(text_of(value))
    if match is None:
        return None
    year, _, month, day, hour, minute, second, half = match.groups(default="")
    if not hour and text_of(value)[match.end() :].strip(" :-/."):
        return None  # what follows the day is not understood
    try:
        midnight = datetime(int(year), int(month), int(day))
        if not hour:
            return midnight
        hours = int(hour) % 12 + 12 * (half.lower() == "pm") if half else int(hour)
        seconds = int(second or 0)
        return midnight.replace(
            hour=hours, minute=int(minute), second=59 if seconds == 60 else seconds
        )
    except ValueError:
        return None


# -- places -------------------------------------------------------------------------------------


def place_of(latitude: object, north: object, longitude: object, east: object) -> Place | None:
    """A place from degrees and the side of the equator or of Greenwich that they are on.

    Args:
        latitude: Degrees, minutes and seconds, or fewer of them, as numbers or as text.
        north: "N" or "S", or a word that begins so.
        longitude: As ``latitude``.
        east: "E" or "W", or a word that begins so.
    """
    up, right = _signed(latitude, north, "NS"), _signed(longitude, east, "EW")
    if up is None or right is None or (up, right) == (0, 0):
        return None  # cameras without a GPS fix write zeros
    return Place(up, right) if abs(up) <= 90 and abs(right) <= 180 else None


def place_in(latitude: str, north: str, longitude: str, east: str) -> Place | None:
    """A place from XMP's texts, such as "48,12.6N" or "48,12,36N".

    Args:
        latitude: Degrees, and minutes and seconds after commas, with the side at the end.
        north: The side, where it is a text of its own.
        longitude: As ``latitude``.
        east: As ``north``.
    """
    up, north = _split(latitude, north)
    right, east = _split(longitude, east)
    return place_of(up, north, right, east)


def _split(degrees: str, side: str) -> tuple[list[str], str]:
    last = degrees.strip()[-1:]
    return degrees.strip().rstrip(ascii_letters + " ").split(","), last if last.isalpha() else side


def _signed(parts: object, side: object, sides: str) -> float | None:
    """Degrees north or east."""
    degrees = _degrees(parts)
    letter = words(side)[:1].upper()
    if degrees is None:
        return None
    if letter not in sides or not letter:
        # Nobody knows the side, unless the degrees have a sign, which EXIF does not allow.
        return degrees if degrees < 0 and not letter else None
    return -abs(degrees) if letter == sides[1] else degrees


def _degrees(value: Any) -> float | None:
    """Degrees, minutes and seconds as one number; the later ones may be missing."""
    if isinstance(value, str | bytes):
        value = _NUMBER.findall(text_of(value))
    try:
        parts = list(value) if hasattr(value, "__iter__") else [value]
        numbers = [_number(part) for part in parts[:3]]
    except DECODER_ERRORS:
        return None
    if not numbers or len(parts) > 3 or not math.isfinite(numbers[0]):
        return None
    # Cameras that do not measure seconds write 0/0.
    minutes, seconds = (
        number if math.isfinite(number) else 0.0 for number in (*numbers[1:], 0.0, 0.0)[:2]
    )
    if minutes < 0 or seconds < 0:
        return None
    return round(math.copysign(abs(numbers[0]) + minutes / 60 + seconds / 3600, numbers[0]), 6)


def _number(value: Any) -> float:
    """A number, which may be written as a fraction."""
    if not isinstance(value, str | bytes):
        return float(value)
    upper, _, lower = text_of(value).strip().partition("/")
    if not lower:
        return float(upper)
    return float(upper) / float(lower) if float(lower) else math.nan
