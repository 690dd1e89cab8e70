"""JPEG's markers: in how many passes a picture is stored, where it ends, and whether all came.

As ITU-T T.81 defines them, annex B; and read as libjpeg reads them, which is more lenient.
"""

import re
from typing import NamedTuple

END = b"\xff\xd9"

_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
"""Any but those without meaning here: stuffed zeros, padding, TEM and restarts."""
_SOI, _EOI, _SOS, _DHT, _DAC, _DRI, _COM = 0xD8, 0xD9, 0xDA, 0xC4, 0xCC, 0xDD, 0xFE
_FRAMES = {*range(0xC0, 0xD0)} - {_DHT, 0xC8, _DAC}
_SEGMENTS = _FRAMES | {_DHT, _DAC, _SOS, 0xDB, 0xDC, _DRI, *range(0xE0, 0xF0), _COM}
"""Markers with a length behind them. At any other libjpeg gives up."""
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
MAX_SCANS = 1000
"""Nobody stores a picture in more: encoders use a dozen at most."""
_MAX_SEGMENTS = 10_000


class Layout(NamedTuple):
    """What a JPEG's markers say about its first picture."""

    segments: list[tuple[int, int, int]]
    """Before the first scan: marker, and where it and what belongs to it begin and end."""
    scans: list[bytes]
    """The header of each scan."""
    first_scan: int
    """Where the marker of the first scan lies."""
    end: int
    """Where the picture ends: behind its end marker, or where its data stop without one."""
    ended: bool
    """There is an end marker."""


def layout(content: bytes, *, resume: bool = True) -> Layout:
    """Walks through the markers up to the end of the first picture.

    What lies behind that, such as a film or further pictures, is not looked at; nor are pictures
    within a segment. The walk ends early at more scans than :data:`MAX_SCANS`.

    Args:
        content: The whole file.
        resume: Whether to walk on, as libjpeg does, past markers that mean nothing in a picture
            with restarts. Of a picture without an end marker, they may be a film's.
    """
    segments: list[tuple[int, int, int]] = []
    scans: list[bytes] = []
    at, first_scan, restarts = 2, 0, False
    while match := _MARKER.search(content, at):
        begin, code = match.start(), content[match.start() + 1]
        if code == _EOI:
            return Layout(segments, scans, first_scan, match.end(), True)
        if resume and scans and restarts and code < 0xC0:
            at = match.end()  # libjpeg looks on for the next restart
            continue
        length = int.from_bytes(content[begin + 2 : begin + 4], "big")
        too_many = len(scans) > MAX_SCANS or len(segments) > _MAX_SEGMENTS
        if code not in _SEGMENTS or length < 2 or too_many:
            return Layout(segments, scans, first_scan, begin, False)
        at = begin + 2 + length
        if code == _SOS:
            first_scan = first_scan or begin
            scans.append(content[begin + 4 : at])
        elif not scans:
            segments.append((code, begin, at))
        if code == _DRI:
            restarts = any(content[begin + 4 : begin + 6])
    return Layout(segments, scans, first_scan, len(content), False)


def without_extras(content: bytes, parts: Layout) -> bytes:
    """The first picture alone, without its end marker.

    Of what stands beside it, EXIF, colour profile and what the decoder needs to know are kept, if
    they are long enough to be read.
    """
    kept = b"".join(
        content[begin:end]
        for code, begin, end in parts.segments
        if not 0xE0 <= code <= _COM or _is_needed(content[begin + 4 : end], code)
    )
    picture = content[parts.first_scan : parts.end]
    return content[:2] + kept + picture.removesuffix(END).rstrip(b"\xff")


def _is_needed(data: bytes, code: int) -> bool:
    return (
        (code == 0xE0 and data.startswith(b"JFIF\0") and len(data) >= 14)
        or (code == 0xE1 and data.startswith(b"Exif\0\0"))
        or (code == 0xE2 and data.startswith(b"ICC_PROFILE\0") and len(data) > 14)
        or (code == 0xEE and data.startswith(b"Adobe") and len(data) >= 12)
    )


def all_scans_begun(content: bytes, parts: Layout) -> bool:
    """Whether there is a scan for every coefficient's last bit (ITU-T T.81, G.1.1.1)."""
    frames = [(code, begin) for code, begin, _ in parts.segments if code in _FRAMES]
    if not frames:
        return False
    code, begin = frames[0]
    channels = content[begin + 10 : begin + 10 + 3 * content[begin + 9] : 3]
    missing = {(channel, place): 1 for channel in channels for place in range(64)}
    for scan in parts.scans:
        count = scan[0] if scan else 0
        if len(scan) < 4 + 2 * count:
            return False
        first, last, bits = scan[1 + 2 * count : 4 + 2 * count]
        if code not in _PROGRESSIVE:
            first, last, bits = 0, 63, 0
        for channel in scan[1 : 1 + 2 * count : 2]:
            for place in range(first, last + 1):
                missing[channel, place] = bits & 15
    return not any(missing.values())


def frame_height(content: bytes, parts: Layout) -> tuple[int, int]:
    """Height of the picture and of a row of its blocks, in pixels; zeros if it has no frame."""
    for code, begin, end in parts.segments:
        if code in _FRAMES and end - begin >= 13:
            down = [factors & 15 for factors in content[begin + 11 : end : 3]]
            height = int.from_bytes(content[begin + 5 : begin + 7], "big")
            return height, 8 * max(1, *down, 1)
    return 0, 0


def unread_kind(content: bytes) -> str:
    """What kind of JPEG it is, if one that no decoder here reads; else empty."""
    for code, begin, _ in layout(content).segments:
        if code in _FRAMES:
            bits = content[begin + 4]
            return "" if bits == 8 else f"{bits} bits a channel"
    return ""
