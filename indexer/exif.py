"""What the camera recorded in a photo's EXIF: orientation, time, camera and place."""

import math
from datetime import datetime
from typing import Any, NamedTuple

from PIL import Image

from pixquery.db.records import Place
from pixquery.indexer.formats import ORIENTATION
from pixquery.indexer.pillow import DECODER_ERRORS

_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_TAKEN, _MAKER, _MODEL = 0x9003, 0x010F, 0x0110
_LONGEST_NAME = 100


class Exif(NamedTuple):
    """What is used of a photo's EXIF."""

    orientation: int = 1
    """From 1 to 8."""
    taken: datetime | None = None
    """By the camera's clock."""
    camera: str = ""
    """Maker and model."""
    place: Place | None = None


def exif_of(image: Image.Image) -> Exif:
    """A picture's EXIF; if it is damaged, the photo is used without it."""
    try:
        return _fields(image.getexif())
    except DECODER_ERRORS:
        return Exif()


def of_raw(content: bytes, preview: Exif) -> Exif:
    """The preview's EXIF, completed from the RAW file if that is a TIFF."""
    exif = Image.Exif()
    try:
        exif.load(content)
        of_file = _fields(exif)
    except DECODER_ERRORS:
        return preview
    return Exif(
        preview.orientation,
        preview.taken or of_file.taken,
        preview.camera or of_file.camera,
        preview.place or of_file.place,
    )


def _fields(exif: Image.Exif) -> Exif:
    orientation = exif.get(ORIENTATION, 1)
    if not isinstance(orientation, int) or not 1 <= orientation <= 8:
        orientation = 1
    return Exif(
        orientation,
        _time(_part(exif, _EXIF_IFD).get(_TAKEN)),
        _camera(exif.get(_MAKER), exif.get(_MODEL)),
        _place(_part(exif, _GPS_IFD)),
    )


def _part(exif: Image.Exif, tag: int) -> dict[int, Any]:
    try:
        return exif.get_ifd(tag)
    except DECODER_ERRORS:
        return {}


def _camera(maker: object, model: object) -> str:
    """Maker and model as one name; some models already begin with their maker."""
    parts = [_words(part) for part in (maker, model)]
    if parts[0] and parts[1].casefold().startswith(parts[0].split()[0].casefold()):
        parts[0] = ""
    return " ".join(filter(None, parts))


def _words(value: object) -> str:
    """The printable text of a field, cut to one line; empty if it is not text."""
    text = value if isinstance(value, str) else ""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_LONGEST_NAME]


def _place(gps: dict[int, Any]) -> Place | None:
    latitude = _degrees(gps.get(2), gps.get(1), "S")
    longitude = _degrees(gps.get(4), gps.get(3), "W")
    if latitude is None or longitude is None or (latitude, longitude) == (0, 0):
        return None  # cameras without a GPS fix write zeros
    return Place(latitude, longitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else None


def _degrees(parts: object, side: object, negative: str) -> float | None:
    """Degrees, minutes and seconds as one number."""
    try:
        degrees, minutes, seconds = (float(part) for part in parts)  # type: ignore[attr-defined]
    except DECODER_ERRORS:
        return None
    angle = degrees + minutes / 60 + seconds / 3600
    if not math.isfinite(angle):
        return None
    return round(-angle if _words(side).upper() == negative else angle, 6)


def _time(text: object) -> datetime | None:
    try:
        return datetime.strptime(str(text).strip("\0 "), "%Y:%m:%d %H:%M:%S") if text else None
    except ValueError:
        return None
