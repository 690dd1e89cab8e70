"""The server's answers, as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from pydantic import BaseModel, Field

from pixquery.db.records import ImageRecord, RootSummary, Tally
from pixquery.engine.answers import Answer, Hit
from pixquery.engine.standing import FITS, STANDINGS
from pixquery.web import descriptions
from pixquery.web.descriptions import Annotation, Described, Line, Locality, Reason, TextReading
from pixquery.web.pictures import version_of
from pixquery.web.reader import Contents

_VERSION = (
    "Changes with the photo's content. Pictures requested with it as `of` may be cached for ever."
)
_LOCAL = "Only for clients on the server's own computer."
_CLOCK = "ISO 8601, by the camera's clock, without a time zone."


class Error(BaseModel):
    """Why a request was refused."""

    error: str = Field(description="A sentence.")


class Health(BaseModel):
    """Whether the server is running."""

    status: str


class Photo(BaseModel):
    """One hit."""

    rank: int = Field(description="From 1.")
    id: int
    name: str = Field(description="Name of the file.")
    path: str | None = Field(None, description=_LOCAL)
    version: str = Field(description=_VERSION)
    relevance: float | None = Field(
        description="How well people would say that the photo fits the text, from 0 to 1; null "
        "unless the query is a single text, and if the profile predicts no relevance."
    )
    standing: str | None = Field(
        description="The relevance in words: "
        + ", ".join(f'"{row.words}" from {row.least:g}' for row in STANDINGS)
        + "; null without one."
    )
    similarity: float | None = Field(
        description="Cosine, from -1 to 1; null if the query has neither text nor photo."
    )
    width: int = Field(description="In pixels, with the photo upright.")
    height: int
    modified: datetime
    taken: str | None = Field(description=_CLOCK)
    month: str = Field(description="Where a timeline has it: 2023-07.")
    matched: list[Reason] = Field(
        description="Why it is here, the best reason first; empty if nothing was described."
    )


class Timings(BaseModel):
    """How long each stage of a query took, in milliseconds."""

    encode: float
    prefilter: float
    rerank: float
    total: float


class Searched(BaseModel):
    """What was searched for a text."""

    text: str = Field(description="What the photos should show.")
    also: str = Field(description="The singular of a plural, which counts as much; may be empty.")
    minus: list[str] = Field(description="What they should not show.")
    reworded: bool = Field(
        description="Whether more was changed than articles, signs and the singular added."
    )


class SearchPage(BaseModel):
    """One page of an answer, best first."""

    query: str = Field(description="The query in words, whatever its parts.")
    searched: Searched | None = Field(
        description="What was searched for q; null if that is q, word for word."
    )
    suggestions: list[str] = Field(description="Texts to search for if q has typing errors.")
    hints: list[str] = Field(description="Sentences on how q was understood.")
    recognised: list[descriptions.Recognised] = Field(
        description="Dates and places in q, which work as filters; `literal` prevents that."
    )
    profile: str
    among: int = Field(
        description="Number of photos searched: all, or those that match the filters."
    )
    candidates: int = Field(description="Number of photos compared with the query.")
    sort: str = Field(description="What the hits are sorted by: relevance, newest or oldest.")
    revision: str = Field(
        description="Changes when photos come or go. Pages of different revisions may repeat a "
        "photo, or leave one out."
    )
    judged: bool = Field(description="Whether the hits have a relevance and are ordered by it.")
    fits: int | None = Field(
        description=f"How many hits of this page have a relevance of {FITS:g} or more; null if "
        "they have none."
    )
    hits: list[Photo]
    next: int | None = Field(description="Offset of the next page; null on the last.")
    milliseconds: Timings


class Place(BaseModel):
    """A point on the earth, in degrees north and east."""

    latitude: float
    longitude: float


class Details(BaseModel):
    """Everything known about a photo."""

    id: int
    name: str
    path: str | None = Field(None, description=_LOCAL)
    version: str = Field(description=_VERSION)
    root: int | None = Field(description="Number of the library's folder that contains the photo.")
    folder: str = Field(description="Path of its folder below that folder; may be empty.")
    width: int
    height: int
    bytes: int
    format: str
    camera: str
    taken: str | None = Field(description=_CLOCK)
    modified: datetime
    place: Place | None
    locality: Locality | None = Field(description="Names of that place.")
    annotation: Annotation | None = Field(description="Null if its owner wrote nothing.")
    lines: list[Line] = Field(description="Text in the photo, as far as it was read.")


class Root(BaseModel):
    """A folder of the library."""

    number: int = Field(description="From 1; the value of the parameter `root`.")
    name: str
    images: int


class NamedCount(BaseModel):
    """A format, camera or place, and the number of photos that match its filter."""

    name: str
    images: int


class YearCount(BaseModel):
    """Number of photos taken in a year, by the camera's clock."""

    year: int
    images: int


_MOST_NAMED = (
    "{} in their owner's words, those with the most photos first; at most "
    f"{descriptions.MOST_NAMED}."
)


class LibraryContents(BaseModel):
    """What the library contains."""

    name: str
    folder: str | None = Field(None, description=_LOCAL)
    images: int
    roots: list[Root]
    profile: str
    relevance: bool = Field(
        description="Whether the profile predicts relevance; if not, min_relevance is refused."
    )
    formats: list[NamedCount]
    cameras: list[NamedCount]
    years: list[YearCount]
    places: list[NamedCount] = Field(
        description="Towns, regions and countries, those with the most photos first; at most "
        f"{descriptions.MOST_PLACES}."
    )
    keywords: list[NamedCount] = Field(description=_MOST_NAMED.format("Keywords"))
    people: list[NamedCount] = Field(description=_MOST_NAMED.format("People"))
    rated: int = Field(description="Number of photos to which their owner gave stars.")
    text: TextReading
    updated: str | None


class Bounds(NamedTuple):
    """Where a page of an answer ends, and in which state of the library."""

    following: int | None
    """Offset of the next page, if there is one."""
    revision: str


def search_page(
    answer: Answer, records: Mapping[int, ImageRecord], bounds: Bounds, *, local: bool
) -> SearchPage:
    """One page of an answer of the engine.

    Args:
        answer: From the engine.
        records: Records of the hits' photos by id.
        bounds: Of the page.
        local: Whether the client may see paths on this computer.
    """
    stages = answer.milliseconds
    return SearchPage(
        query=answer.query,
        searched=_searched(answer),
        suggestions=list(answer.suggestions),
        hints=list(answer.hints),
        recognised=descriptions.recognised(answer),
        profile=answer.profile,
        among=answer.among,
        candidates=answer.candidates,
        sort=answer.sort,
        revision=bounds.revision,
        judged=answer.judged,
        fits=answer.fits,
        hits=[_photo(hit, records.get(hit.id), local=local) for hit in answer.hits],
        next=bounds.following,
        milliseconds=Timings(
            encode=round(stages.encode, 2),
            prefilter=round(stages.prefilter, 2),
            rerank=round(stages.rerank, 2),
            total=round(stages.total, 2),
        ),
    )


def _searched(answer: Answer) -> Searched | None:
    return None if answer.searched is None else Searched(**asdict(answer.searched))


def _photo(hit: Hit, record: ImageRecord | None, *, local: bool) -> Photo:
    return Photo(
        rank=hit.rank,
        id=hit.id,
        name=valid(hit.path.name),
        **_path(hit.path, local=local),
        version=version_of(record) if record else "",
        relevance=None if hit.relevance is None else round(hit.relevance, 4),
        standing=hit.standing,
        similarity=None if hit.similarity is None else round(hit.similarity, 4),
        width=hit.width,
        height=hit.height,
        modified=hit.modified,
        taken=hit.taken.isoformat() if hit.taken else None,
        month=hit.dated.isoformat()[:7],
        matched=descriptions.reasons(hit),
    )


def _path(path: Path, *, local: bool) -> dict[str, Any]:
    return {"path": valid(path)} if local else {}


def details(
    record: ImageRecord, described: Described, roots: Sequence[RootSummary], *, local: bool
) -> Details:
    """Everything known about a photo. Only local clients see its path."""
    number, folder = next(
        (
            (number, str(record.path.parent.relative_to(root.path)))
            for number, root in enumerate(roots, 1)
            if record.path.is_relative_to(root.path) and record.path != root.path
        ),
        (None, ""),
    )
    return Details(
        id=record.id,
        name=valid(record.path.name),
        **_path(record.path, local=local),
        version=version_of(record),
        root=number,
        folder="" if folder == "." else valid(folder),
        width=record.width,
        height=record.height,
        bytes=record.state.size,
        format=record.format,
        camera=record.camera,
        taken=record.taken.isoformat() if record.taken else None,
        modified=record.state.modified,
        place=record.place and Place(**record.place._asdict()),
        locality=descriptions.locality(described.locality),
        annotation=descriptions.annotation(described.annotation),
        lines=descriptions.lines(described.lines),
    )


def library(contents: Contents, *, local: bool) -> LibraryContents:
    """What a library contains. Only local clients see its folder."""
    facets = contents.facets

    def named(tallies: tuple[Tally, ...]) -> list[NamedCount]:
        return [NamedCount(**tally._asdict()) for tally in tallies]

    return LibraryContents(
        name=valid(contents.folder.name),
        **({"folder": valid(contents.folder)} if local else {}),
        images=sum(root.images for root in contents.roots),
        roots=[
            Root(number=number, name=valid(root.path.name or root.path), images=root.images)
            for number, root in enumerate(contents.roots, 1)
        ],
        profile=contents.profile,
        relevance=contents.relevance,
        formats=named(facets.formats),
        cameras=named(_matched(facets.cameras)),
        years=[YearCount(year=int(tally.name), images=tally.images) for tally in facets.years],
        places=named(contents.places),
        keywords=named(contents.named.keywords[: descriptions.MOST_NAMED]),
        people=named(contents.named.people[: descriptions.MOST_NAMED]),
        rated=contents.named.rated,
        text=TextReading(on=contents.reads_text, read=contents.text_read),
        updated=contents.updated,
    )


def _matched(cameras: Sequence[Tally]) -> tuple[Tally, ...]:
    """Cameras with the number of photos that their filter, which compares parts of names, finds."""

    def matches(name: str) -> int:
        return sum(other.images for other in cameras if name.casefold() in other.name.casefold())

    return tuple(Tally(camera.name, matches(camera.name)) for camera in cameras)


def valid(path: PurePath | str) -> str:
    """A path as valid Unicode. Unlike ``legible`` it keeps all else, which JSON escapes itself."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def described(**statuses: str) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route for the OpenAPI document, as ``_404="Why."``."""
    return {
        int(status[1:]): {"model": Error, "description": why} for status, why in statuses.items()
    }
