"""What a photo's metadata say: orientation, time, camera and place.

EXIF comes first, as the camera wrote it; XMP and IPTC, which programs write, fill in what it lacks.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from PIL import Image, IptcImagePlugin

from pixquery.db.records import Place
from pixquery.indexer.fields import camera_of, place_in, place_of, time_of
from pixquery.indexer.formats import ORIENTATION
from pixquery.indexer.pillow import DECODER_ERRORS
from pixquery.indexer.xmp import properties

_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_TAKEN, _DIGITIZED, _MODIFIED = 0x9003, 0x9004, 0x0132
_MAKER, _MODEL = 0x010F, 0x0110
_LATITUDE, _LONGITUDE = (2, 1), (4, 3)
"""Tags of degrees and of their side."""
_IPTC_DAY, _IPTC_TIME = (2, 55), (2, 60)


class Exif(NamedTuple):
    """What is used of a photo's metadata."""

    orientation: int = 1
    """From 1 to 8."""
    taken: datetime | None = None
    """By the camera's clock."""
    camera: str = ""
    """Maker and model."""
    place: Place | None = None

    def completed(self, *others: "Exif") -> "Exif":
        """With what it lacks from others, the first first."""
        all_ = (self, *others)
        return Exif(
            self.orientation,
            next((exif.taken for exif in all_ if exif.taken), None),
            next((exif.camera for exif in all_ if exif.camera), ""),
            next((exif.place for exif in all_ if exif.place), None),
        )

    @property
    def lacking(self) -> tuple[bytes, ...]:
        """What the names of those properties contain in XMP that could fill in what is missing."""
        return (
            *((b"Date",) if self.taken is None else ()),
            *(() if self.camera else (b"Make", b"Model")),
            *((b"GPSLatitude",) if self.place is None else ()),
        )


def exif_of(image: Image.Image) -> Exif:
    """A picture's metadata; what is damaged of them is left out."""
    try:
        read = image.getexif()
        exif = _fields(read)
        modified = time_of(read.get(_MODIFIED))
    except DECODER_ERRORS:
        exif, modified = Exif(), None
    if exif.lacking:
        exif = exif.completed(_of_xmp(image.info.get("xmp"), exif.lacking), _of_iptc(image))
    # Last: programs write the time of editing there.
    return exif.completed(Exif(taken=modified))


def of_raw(content: bytes, preview: Exif) -> Exif:
    """The EXIF of a RAW file, if that is a TIFF, completed from its preview's."""
    exif = Image.Exif()
    try:
        exif.load(content)
        of_file, modified = _fields(exif), Exif(taken=time_of(exif.get(_MODIFIED)))
    except DECODER_ERRORS:
        return preview
    return Exif(preview.orientation).completed(of_file, preview, modified)


def of_sidecar(packet: bytes) -> Exif:
    """Time, camera and place in an XMP sidecar, which programs write beside files they spare."""
    return _of_told(properties(packet))


def _fields(exif: Image.Exif) -> Exif:
    orientation = exif.get(ORIENTATION, 1)
    if not isinstance(orientation, int) or not 1 <= orientation <= 8:
        orientation = 1
    camera, gps = _part(exif, _EXIF_IFD), _part(exif, _GPS_IFD)
    return Exif(
        orientation,
        _first_time(part.get(tag) for tag in (_TAKEN, _DIGITIZED) for part in (camera, exif)),
        camera_of(exif.get(_MAKER), exif.get(_MODEL)),
        place_of(*(gps.get(tag) for tag in (*_LATITUDE, *_LONGITUDE))),
    )


def _part(exif: Image.Exif, tag: int) -> Mapping[int, Any]:
    try:
        return exif.get_ifd(tag)
    except DECODER_ERRORS:
        return {}


def _first_time(values: Iterable[object]) -> datetime | None:
    return next((time for time in map(time_of, values) if time), None)


def _of_xmp(packet: object, lacking: tuple[bytes, ...]) -> Exif:
    if not isinstance(packet, bytes) or not any(name in packet for name in lacking):
        return Exif()  # most have a place alone to look for, and few have one
    return _of_told(properties(packet))


def _of_told(told: Mapping[str, str]) -> Exif:
    return Exif(
        taken=_first_time(
            told.get(name)
            for name in (
                "exif:DateTimeOriginal", "photoshop:DateCreated", "exif:DateTimeDigitized",
                "xmp:CreateDate",
            )
        ),
        camera=camera_of(told.get("tiff:Make"), told.get("tiff:Model")),
        place=place_in(
            *(told.get(f"exif:GPS{name}", "") for name in ("Latitude", "LatitudeRef")),
            *(told.get(f"exif:GPS{name}", "") for name in ("Longitude", "LongitudeRef")),
        ),
    )  # fmt: skip


def _of_iptc(image: Image.Image) -> Exif:
    """The time in IPTC's fields: CCYYMMDD and HHMMSS, with a zone (IIM 4.2, 2:55 and 2:60)."""
    try:
        told = IptcImagePlugin.getiptcinfo(image) or {}  # type: ignore[arg-type] # asks for its kind
    except DECODER_ERRORS:
        return Exif()
    day, time = (_digits(told.get(field)) for field in (_IPTC_DAY, _IPTC_TIME))
    if len(day) < 8:
        return Exif()
    clock = f" {time[:2]}:{time[2:4]}:{time[4:6]}" if len(time) >= 6 else ""
    return Exif(taken=time_of(f"{day[:4]}:{day[4:6]}:{day[6:8]}{clock}"))


def _digits(value: object) -> str:
    """The digits at the beginning of a field, of which there may be several."""
    text = value[0] if isinstance(value, list) and value else value
    match = re.match(rb"\d+", text) if isinstance(text, bytes) else None
    return match[0].decode() if match else ""
