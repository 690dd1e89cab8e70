"""XMP: what programs write into photos as XML.

Read with Expat and no more than needed. Names and values are as in the XMP specification, part 2
(https://www.adobe.com/devnet/xmp.html) and the Exif schema for XMP (CIPA DC-010).
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from xml.parsers import expat

_SPACES = {
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
}
_PREFIXES = {
    **{space.rstrip("/"): prefix for space, prefix in _SPACES.items()},
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#": "rdf",
    "http://www.w3.org/XML/1998/namespace": "xml",
    "http://purl.org/dc/elements/1.1": "dc",
    "http://ns.adobe.com/lightroom/1.0": "lr",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns": "Iptc4xmpCore",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29": "Iptc4xmpExt",
    "http://www.metadataworkinggroup.com/schemas/regions": "mwg-rs",
    "http://ns.microsoft.com/photo/1.0": "MicrosoftPhoto",
    "http://ns.microsoft.com/photo/1.2": "MP",
    "http://ns.microsoft.com/photo/1.2/t/RegionInfo#": "MPRI",
    "http://ns.microsoft.com/photo/1.2/t/Region#": "MPReg",
    "http://www.digikam.org/ns/1.0": "digiKam",
    "http://ns.iview-multimedia.com/mediapro/1.0": "mediapro",
    "http://darktable.sf.net": "darktable",
}
"""The usual prefixes of the namespaces, without the slash that some programs leave out."""
LARGEST = 4 * 2**20
"""Bytes of a packet."""
_DEEPEST = 100
_MOST_NODES = 50_000
_LARGEST_TAG = 2**20
"""Bytes of one tag with all its attributes."""
_PIECE = 2**16
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

    packet, encoding = _utf_8(packet[:LARGEST])
    parser = expat.ParserCreate(encoding, " ")
    parser.StartElementHandler = begin
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text.append
    parser.StartDoctypeDeclHandler = refuse
    with suppress(expat.ExpatError, _Refused, ValueError, LookupError):
        parser.Parse(packet, True)
    return found


def _utf_8(packet: bytes) -> tuple[bytes, str | None]:
    """A packet without blanks around it, and its encoding if it is not what the packet says.

    Sidecars may be in UTF-16, whose letters end in zeros.
    """
    if packet.startswith((b"\xff\xfe", b"\xfe\xff")):
        return packet.decode("utf-16", "replace").strip().encode("utf-8", "replace"), "utf-8"
    return packet.strip(b"\0 \r\n\t"), None


# -- trees --------------------------------------------------------------------------------------


@dataclass(slots=True)
class Node:
    """A property with a structure, or a part of one."""

    name: str
    """With its usual prefix, such as ``dc:subject``; empty if the namespace is not known."""
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Node"] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its own value, which may have qualifiers beside it."""
        value = "".join(self.pieces)
        return value if value.strip() else self.part("rdf:value")

    def part(self, name: str) -> str:
        """The value of a field of this structure, in any of the ways that RDF can write it."""
        if value := self.attributes.get(name, ""):
            return value
        for child in self.children:
            if child.name == name:
                return child.text if name != "rdf:value" else "".join(child.pieces)
            if child.name == "rdf:Description" and (value := child.part(name)):
                return value
        return ""

    def all(self) -> Iterator["Node"]:
        """This node and all below, in their order."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += reversed(node.children)

    def items(self) -> list[str]:
        """The items of an array; a property that is none has itself for one."""
        found = [node.text for node in self.all() if node.name == "rdf:li"]
        return found or ([self.text] if self.text.strip() else [])

    def alternative(self) -> str:
        """The default language of several, or else the first that says something."""
        items = [node for node in self.all() if node.name == "rdf:li"]
        items.sort(key=lambda node: node.attributes.get("xml:lang", "").lower() != "x-default")
        return next((node.text for node in items if node.text.strip()), self.text)


def trees(packet: bytes, names: frozenset[str]) -> list[Node]:
    """The properties of an XMP packet that are asked for, with their structure.

    Args:
        packet: As it is in the photo or in a sidecar. A damaged one is read as far as it goes.
        names: Properties by their usual names, such as ``dc:subject``.

    Returns:
        In their order. None if the packet is refused: it is larger than :data:`LARGEST`, nested
        deeper than any program does, or declares entities, which can grow without end.
    """
    if len(packet) > LARGEST:
        return []
    packet, encoding = _utf_8(packet)
    reading = _Trees(names)
    try:
        try:
            reading.parse(packet, encoding)
        except expat.ExpatError:
            if (mended := _mended(packet)) != packet:
                reading = _Trees(names)
                with suppress(expat.ExpatError):
                    reading.parse(mended, "utf-8")
    except (_Refused, ValueError, LookupError):
        return []
    return reading.found


_NO_XML = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def _mended(packet: bytes) -> bytes:
    """A packet of UTF-8 without what XML does not allow, which some programs write nevertheless."""
    return _NO_XML.sub(" ", packet.decode("utf-8", "replace")).encode()


class _Trees:
    """Builds the trees of some properties, and of nothing else."""

    def __init__(self, names: frozenset[str]) -> None:
        self.found: list[Node] = []
        self._names = names
        self._path: list[str] = []
        self._open: list[Node] = []
        self._nodes = 0

    def parse(self, packet: bytes, encoding: str | None) -> None:
        """Parses a packet, in this encoding or else in the one that it names.

        Raises:
            ExpatError: It is damaged from here on.
            _Refused: It contains what XMP never contains.
        """
        parser = expat.ParserCreate(encoding, " ")
        parser.buffer_text = True
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._refuse
        for at in range(0, len(packet), _PIECE):
            parser.Parse(packet[at : at + _PIECE], False)
            if at - parser.CurrentByteIndex > _LARGEST_TAG:
                raise _Refused
        parser.Parse(b"", True)

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        name = _usual(name)
        if self._open:
            node = self._node(name, attributes)
            self._open[-1].children.append(node)
            self._open.append(node)
        elif self._path[-1:] == ["rdf:RDF"] and name == "rdf:Description":
            for attribute, value in attributes.items():
                if (usual := _usual(attribute)) in self._names:
                    self.found.append(Node(usual, pieces=[value]))
        elif self._path[-2:] == ["rdf:RDF", "rdf:Description"] and name in self._names:
            node = self._node(name, attributes)
            self.found.append(node)
            self._open.append(node)
        self._path.append(name)
        if len(self._path) > _DEEPEST:
            raise _Refused

    def _node(self, name: str, attributes: dict[str, str]) -> Node:
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise _Refused
        return Node(name, {_usual(key): value for key, value in attributes.items()})

    def _end(self, _name: str) -> None:
        self._path.pop()
        if self._open:
            self._open.pop()

    def _text(self, text: str) -> None:
        if self._open:
            self._open[-1].pieces.append(text)

    def _refuse(self, *_: object) -> None:
        raise _Refused


def _usual(name: str) -> str:
    space, _, local = name.rpartition(" ")
    prefix = _PREFIXES.get(space.rstrip("/"), "")
    return f"{prefix}:{local}" if prefix else ""
