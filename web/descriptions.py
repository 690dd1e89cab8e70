"""What photos say of themselves, as JSON: text in them, their owners' words, names of places."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Literal, NamedTuple

from pydantic import BaseModel, Field

from pixquery.db import records
from pixquery.db.metadata import MetadataKeeping
from pixquery.db.records import Tally
from pixquery.engine import answers, mentions

MOST_PLACES = 200
MOST_NAMED = 500
"""Keywords, and people, that the page offers."""
"""Names of places that are offered as choices of a filter."""
_CORNERS = (
    "x and y of the line's four corners, clockwise from where the text begins: eight numbers from "
    "0 to 1, as shares of the upright photo's width and height"
)


class Reason(BaseModel):
    """Why a photo is among the hits."""

    kind: mentions.Kind = Field(
        description='Where the words stand: "text" that was read in the photo; its "title", '
        '"caption", "keyword", "person" or "location" as its owner wrote them; the "place" where '
        'it was taken. "look": it looks like what is searched; "alike": it looks like other '
        "photos in which the words stand."
    )
    words: str = Field(description="The line, name or sentence; otherwise the reason in words.")
    corners: list[float] | None = Field(description=f"Of a line of text: {_CORNERS}; else null.")


class Recognised(BaseModel):
    """Words of q that work as a filter."""

    kind: Literal["taken", "place"]
    words: str = Field(description="As they are in q; as `literal` they are only words.")
    meaning: str = Field(description="The value of the filter `taken`, or the name of the place.")


class Line(BaseModel):
    """A line of text that was read in a photo."""

    text: str
    corners: list[float] = Field(description=f"{_CORNERS[0].upper()}{_CORNERS[1:]}.")


class Locality(BaseModel):
    """Where a photo was taken, by its coordinates."""

    city: str = Field(description="The nearest town; empty if none is near.")
    region: str = Field(description="State, province or the like; may be empty.")
    country: str


class Annotation(BaseModel):
    """What its owner wrote about a photo, in its file or beside it."""

    title: str
    caption: str
    keywords: list[str]
    people: list[str] = Field(description="Names of persons in it.")
    rating: int | None = Field(description="Stars, from 0 to 5; -1 is rejected; null if not rated.")
    label: str = Field(description='A colour label, such as "Red".')
    location: list[str] = Field(description="Names of places, the smallest first.")


class TextReading(BaseModel):
    """How far the text in the library's photos was read."""

    on: bool = Field(description="Whether indexing reads it.")
    read: int = Field(description="Photos that were read, whether there is text in them or not.")


class Described(NamedTuple):
    """What the catalogue knows of one photo in words."""

    locality: records.Locality | None
    annotation: records.Annotation | None
    lines: Sequence[records.Line]

    @classmethod
    def of(cls, image_id: int, catalog: MetadataKeeping) -> "Described":
        """All that is known of a photo of the library.

        Raises:
            LibraryDamaged: A row differs from its checksum.
        """
        one = [image_id]
        return cls(
            catalog.localities(one).get(image_id),
            catalog.annotations(one).get(image_id),
            catalog.readings(one).get(image_id, ()),
        )


def reasons(hit: answers.Hit) -> list[Reason]:
    """Why a photo is among the hits, the best reason first."""
    return [
        Reason(kind=match.kind, words=match.words, corners=list(match.corners) or None)
        for match in hit.matched
    ]


def recognised(answer: answers.Answer) -> list[Recognised]:
    """The words of a query that were taken for a filter."""
    return [Recognised(**asdict(each)) for each in answer.recognised]


def locality(names: records.Locality | None) -> Locality | None:
    """Names of where a photo was taken, if it is known."""
    return names and Locality(city=names.city, region=names.region, country=names.country)


def annotation(written: records.Annotation | None) -> Annotation | None:
    """What an owner wrote, if anything."""
    return Annotation(**asdict(written)) if written else None


def lines(read: Iterable[records.Line]) -> list[Line]:
    """Lines of text, as they were read."""
    return [Line(text=line.text, corners=list(line.corners)) for line in read]


def tallied(localities: Iterable[tuple[records.Locality, int]]) -> tuple[Tally, ...]:
    """The towns, regions and countries of photos, the most frequent first.

    A name counts wherever it stands, as its filter matches the town Salzburg and the region.
    """
    counts: Counter[str] = Counter()
    for names, images in localities:
        for name in {names.city, names.region, names.country} - {""}:
            counts[name] += images
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return tuple(Tally(*one) for one in ordered[:MOST_PLACES])
