"""XMP: what programs write into photos as XML.

Read with Expat and no more than needed. Names and values are as in the XMP specification, part 2
(https://www.adobe.com/devnet/xmp.html) and the Exif schema for XMP (CIPA DC-010).
"""

from collections.abc import Mapping
from contextlib import suppress
from xml.parsers import expat

_SPACES = {
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
}
_LARGEST = 4 * 2**20
_LONGEST = 1000
"""Characters of a value; none of those that are used has more."""


class _Refused(Exception):
    """The packet declares what XMP never contains."""


def properties(packet: bytes) -> Mapping[str, str]:
    """The simple properties of an XMP packet.

    Args:
        packet: As it is in the photo. A damaged one is read as far as it goes.

    Returns:
        Values by their usual names, such as ``exif:DateTimeOriginal``, the first of each name.
    """
    found: dict[str, str] = {}
    text: list[str] = []

    def keep(name: str, value: str) -> None:
        space, _, local = name.rpartition(" ")
        value = value.strip()[:_LONGEST]
        if value and space in _SPACES:
            found.setdefault(f"{_SPACES[space]}:{local}", value)

    def begin(_name: str, attributes: dict[str, str]) -> None:
        text.clear()
        for attribute, value in attributes.items():
            keep(attribute, value)

    def end(name: str) -> None:
        keep(name, "".join(text))
        text.clear()

    def refuse(*_: object) -> None:
        raise _Refused  # entities, which can grow without end

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = begin
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text.append
    parser.StartDoctypeDeclHandler = refuse
    with suppress(expat.ExpatError, _Refused, ValueError, LookupError):
        parser.Parse(packet[:_LARGEST].strip(b"\0 \r\n\t"), True)
    return found
