"""What the owner wrote about a photo, in XMP.

Programs write the same in several places; all are read, and what is said twice counts once.

- Title and caption: ``dc:title`` and ``dc:description`` in the default language.
- Keywords: ``dc:subject``, and the hierarchies of Lightroom, darktable, digiKam, Windows and Media
  Pro. Each level of a hierarchy is a keyword: "Places|Portugal|Lisbon" is three.
- Persons: regions of the Metadata Working Group and of Microsoft, ``Iptc4xmpExt:PersonInImage``,
  and the last level of hierarchies that begin with "People", in the languages of the programs.
- Rating, label, and the names of places.

The regions are defined in https://www.metadataworkinggroup.org (Guidelines for Handling Image
Metadata 2.0, section 5.12) and https://learn.microsoft.com/windows/win32/wic/-wic-people-tagging,
places and persons in https://iptc.org/std/photometadata/specification/.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from math import isfinite

from pixquery.db.records import Annotation
from pixquery.indexer.typed import (
    MOST_KEYWORDS,
    MOST_PEOPLE,
    caption_of,
    distinct,
    keyword_of,
    label_of,
    line_of,
    title_of,
)
from pixquery.indexer.xmp import LARGEST, Node, trees

_TITLES = ("dc:title", "photoshop:Headline")
_CAPTIONS = ("dc:description", "tiff:ImageDescription", "exif:UserComment")
_HIERARCHIES = {
    "lr:hierarchicalSubject": "|",
    "mediapro:CatalogSets": "|",
    "digiKam:TagsList": "/",
    "MicrosoftPhoto:LastKeywordXMP": "/",
}
"""Properties of hierarchical keywords, and what separates their levels."""
_REGIONS = ("mwg-rs:Regions", "MP:RegionInfo")
_PERSONS = ("Iptc4xmpExt:PersonInImage", "Iptc4xmpExt:PersonInImageWDetails")
_PLACES = ("Iptc4xmpCore:Location", "photoshop:City", "photoshop:State", "photoshop:Country")
_PLACES_BY_PARTS = ("Iptc4xmpExt:LocationCreated", "Iptc4xmpExt:LocationShown")
_PARTS = tuple(
    f"Iptc4xmpExt:{part}" for part in ("Sublocation", "City", "ProvinceState", "CountryName")
)
_OTHERS = frozenset(
    {"dc:subject", "xmp:Rating", "MicrosoftPhoto:Rating", "xmp:Label", "darktable:colorlabels"}
)
_NAMES = _OTHERS.union(
    (
        *_TITLES,
        *_CAPTIONS,
        *_HIERARCHIES,
        *_REGIONS,
        *_PERSONS,
        *_PLACES,
        *_PLACES_BY_PARTS,
    )
)
_MARKS = re.compile("|".join({name.partition(":")[2] for name in _NAMES}).encode())
"""What a packet with any of these properties contains; most cameras' packets contain none."""

_PEOPLE = frozenset(
    {"people", "persons", "faces", "personen", "menschen", "leute", "gesichter", "personnes",
     "gens", "visages", "personas", "gente", "persone", "pessoas", "mensen", "människor",
     "personer", "ihmiset", "henkilöt", "osoby", "ludzie", "lidé", "люди", "人物"}
)  # fmt: skip
"""First levels of hierarchies, in lower case, below which there are persons."""
_NOBODY = frozenset({"unknown", "unconfirmed", "ignored", "unbekannt", "inconnu", "desconocido"})
"""Names of faces that a program has found and that have no name yet."""
_INTERNAL = frozenset({"darktable", "_digikam_internal_tags_"})
"""First levels of hierarchies that programs keep for themselves."""
_COLOURS = ("Red", "Yellow", "Green", "Blue", "Purple")
"""darktable's labels, by their numbers."""


def words_of(packet: bytes) -> Annotation:
    """What the owner wrote in an XMP packet; empty if the packet is refused or damaged.

    A rating of 0 says that there is none, for a sidecar that takes back the photo's own.
    """
    if len(packet) > LARGEST or not (_MARKS.search(packet) or b"\0" in packet[:8]):
        return Annotation()
    found: dict[str, list[Node]] = {}
    for node in trees(packet, _NAMES):
        found.setdefault(node.name, []).append(node)
    if not found:
        return Annotation()
    levels = list(_hierarchies(found))
    items = list(_all_items(found, ("dc:subject",)))
    if len(items) == 1 and "rdf:Bag" not in {n.name for n in found["dc:subject"][0].children}:
        items = items[0].replace(";", ",").split(",")  # a program that knows no arrays
    flat = (level for item in items for level in item.split("|"))
    return Annotation(
        title=_first(found, _TITLES, title_of),
        caption=_first(found, _CAPTIONS, caption_of),
        keywords=distinct(map(keyword_of, chain(flat, *levels)), MOST_KEYWORDS),
        people=distinct(_people(found, levels), MOST_PEOPLE),
        rating=_rating(found),
        label=_label(found),
        location=_location(found),
    )


def _first(
    found: Mapping[str, Sequence[Node]], names: Sequence[str], cleaned: Callable[[str], str]
) -> str:
    texts = (cleaned(node.alternative()) for name in names for node in found.get(name, ()))
    return next(filter(None, texts), "")


def _all_items(found: Mapping[str, Sequence[Node]], names: Sequence[str]) -> Iterator[str]:
    for name in names:
        for node in found.get(name, ()):
            yield from node.items()


def _hierarchies(found: Mapping[str, Sequence[Node]]) -> Iterator[list[str]]:
    """The levels of each hierarchical keyword, the first first."""
    for name, separator in _HIERARCHIES.items():
        for item in _all_items(found, (name,)):
            levels = [level for level in map(str.strip, item.split(separator)) if level]
            if levels and levels[0].casefold() not in _INTERNAL:
                yield levels


def _people(found: Mapping[str, Sequence[Node]], levels: Sequence[list[str]]) -> Iterator[str]:
    for region in chain.from_iterable(
        node.all() for name in _REGIONS for node in found.get(name, ())
    ):
        if region.part("mwg-rs:Type").casefold() in ("face", ""):
            yield _person(region.part("mwg-rs:Name"))
        yield _person(region.part("MPReg:PersonDisplayName"))
    for name in _all_items(found, _PERSONS[:1]):
        yield _person(name)
    for node in found.get(_PERSONS[1], ()):
        for part in node.all():
            if part.name == "Iptc4xmpExt:PersonName":
                yield _person(part.alternative())
    for first, *others in levels:
        if others and first.casefold() in _PEOPLE:
            yield _person(others[-1])


def _person(text: str) -> str:
    name = keyword_of(text)
    return "" if name.casefold() in _NOBODY else name


def _rating(found: Mapping[str, Sequence[Node]]) -> int | None:
    for node in found.get("xmp:Rating", ()):
        if (rating := stars_of(node.text)) is not None:
            return rating
    for node in found.get("MicrosoftPhoto:Rating", ()):
        if (rating := stars_of_percent(node.text)) is not None:
            return rating
    return None


def stars_of(value: object) -> int | None:
    """Stars from a number of them, -1 to 5; None if it is no such number."""
    stars = _number(value)
    return round(stars) if -1 <= stars <= 5 else None


def stars_of_percent(value: object) -> int | None:
    """Stars from Microsoft's percent: 1, 25, 50, 75 and 99 are one to five."""
    percent = _number(value)
    if not 0 <= percent <= 100:
        return None
    return 0 if percent < 1 else 1 + round(percent / 25)


def _number(value: object) -> float:
    """A number, or -inf."""
    try:
        number = float(str(value)[:20])
    except ValueError:
        return float("-inf")
    return number if isfinite(number) else float("-inf")


def _label(found: Mapping[str, Sequence[Node]]) -> str:
    if label := _first(found, ("xmp:Label",), label_of):
        return label
    numbers = (item.strip() for item in _all_items(found, ("darktable:colorlabels",)))
    return next((_COLOURS[int(n)] for n in numbers if n in ("0", "1", "2", "3", "4")), "")


def _location(found: Mapping[str, Sequence[Node]]) -> tuple[str, ...]:
    """Names of places, the smallest first."""
    if places := tuple(filter(None, (_first(found, (name,), line_of) for name in _PLACES))):
        return places
    for name in _PLACES_BY_PARTS:
        for node in found.get(name, ()):
            for part in node.all():
                if places := tuple(filter(None, (line_of(part.part(field)) for field in _PARTS))):
                    return places
    return ()
