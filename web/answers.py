"""What the server answers, as JSON."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any

from pydantic import BaseModel, Field

from pixquery.db.records import ImageRecord, RootSummary, Tally
from pixquery.engine.answers import Answer, Hit
from pixquery.web.pictures import version_of
from pixquery.web.reader import Contents

_VERSION = (
    "Another where the photo's content is another: pictures that are asked for with it as `of` may "
    "be kept for ever."
)


class Error(BaseModel):
    """Why a request was not done."""

    error: str = Field(description="One sentence.")


class Health(BaseModel):
    """That the server is there."""

    status: str


class Photo(BaseModel):
    """One hit."""

    rank: int = Field(description="From 1.")
    id: int
    name: str = Field(description="Of the file.")
    path: str | None = Field(None, description="For clients on the server's own computer.")
    version: str = Field(description=_VERSION)
    relevance: float | None = Field(
        description="What people would judge of photo and text, from 0 to 1; null where the query "
        "is more than one text."
    )
    similarity: float | None = Field(
        description="Cosine, from -1 to 1; null where nothing was described."
    )
    width: int = Field(description="In pixels, as seen upright.")
    height: int
    modified: datetime
    taken: str | None = Field(description="ISO 8601 by the camera's clock, without a zone.")


class Spent(BaseModel):
    """Where the time of a query went, in milliseconds."""

    encode: float
    prefilter: float
    rerank: float
    total: float


class Found(BaseModel):
    """One page of an answer, best first."""

    query: str = Field(description="In words, whatever it is made of.")
    profile: str
    among: int = Field(description="How many photos were asked: all, or those of the filters.")
    candidates: int = Field(description="How many photos were judged.")
    judged: bool = Field(description="Whether relevance was predicted, and orders the hits.")
    hits: list[Photo]
    next: int | None = Field(description="The offset of the next page, if there is one.")
    milliseconds: Spent


class Place(BaseModel):
    """A point on the earth, in degrees north and east."""

    latitude: float
    longitude: float


class Details(BaseModel):
    """All that is known of a photo."""

    id: int
    name: str
    path: str | None = Field(None, description="For clients on the server's own computer.")
    version: str = Field(description=_VERSION)
    root: int | None = Field(description="Number of the library's folder that it lies in.")
    folder: str = Field(description="Its folder below that one; empty for that one itself.")
    width: int
    height: int
    bytes: int
    format: str
    camera: str
    taken: str | None = Field(description="ISO 8601 by the camera's clock, without a zone.")
    modified: datetime
    place: Place | None


class Root(BaseModel):
    """A folder of the library."""

    number: int = Field(description="From 1; what the parameter `root` asks for.")
    name: str
    images: int


class Named(BaseModel):
    """A format or a camera, and how many photos the filter of that name lets through."""

    name: str
    images: int


class Year(BaseModel):
    """Photos of a year, by the camera's clock."""

    year: int
    images: int


class LibraryTold(BaseModel):
    """What the library holds."""

    name: str
    folder: str | None = Field(None, description="For clients on the server's own computer.")
    images: int
    roots: list[Root]
    profile: str
    formats: list[Named]
    cameras: list[Named]
    years: list[Year]
    updated: str | None


def found(
    answer: Answer,
    records: Mapping[int, ImageRecord],
    *,
    judged: bool,
    following: int | None,
    local: bool,
) -> Found:
    """An answer of the engine, with the paths that a client may know.

    Args:
        answer: The engine's.
        records: Of its hits' photos, by their ids.
        judged: Whether relevance was predicted.
        following: The offset of the next page, if there is one.
        local: Whether the client may know where files lie on this computer.
    """
    spent = answer.milliseconds
    return Found(
        query=answer.query,
        profile=answer.profile,
        among=answer.among,
        candidates=answer.candidates,
        judged=judged,
        hits=[_photo(hit, records.get(hit.id), local=local) for hit in answer.hits],
        next=following,
        milliseconds=Spent(
            encode=round(spent.encode, 2),
            prefilter=round(spent.prefilter, 2),
            rerank=round(spent.rerank, 2),
            total=round(spent.total, 2),
        ),
    )


def _photo(hit: Hit, record: ImageRecord | None, *, local: bool) -> Photo:
    return Photo(
        rank=hit.rank,
        id=hit.id,
        name=legible(hit.path.name),
        **_where(hit.path, local=local),
        version=version_of(record) if record else "",
        relevance=None if hit.relevance is None else round(hit.relevance, 4),
        similarity=None if hit.similarity is None else round(hit.similarity, 4),
        width=hit.width,
        height=hit.height,
        modified=hit.modified,
        taken=hit.taken.isoformat() if hit.taken else None,
    )


def _where(path: Path, *, local: bool) -> dict[str, Any]:
    return {"path": legible(path)} if local else {}


def details(
    record: ImageRecord, roots: Sequence[RootSummary], modified: datetime, *, local: bool
) -> Details:
    """All that is known of a photo, with the paths that a client may know."""
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
        name=legible(record.path.name),
        **_where(record.path, local=local),
        version=version_of(record),
        root=number,
        folder="" if folder == "." else legible(folder),
        width=record.width,
        height=record.height,
        bytes=record.state.size,
        format=record.format,
        camera=record.camera,
        taken=record.taken.isoformat() if record.taken else None,
        modified=modified,
        place=record.place and Place(**record.place._asdict()),
    )


def library(contents: Contents, *, local: bool) -> LibraryTold:
    """What a library holds, with the paths that a client may know."""
    facets = contents.facets

    def named(tallies: tuple[Tally, ...]) -> list[Named]:
        return [Named(**tally._asdict()) for tally in tallies]

    return LibraryTold(
        name=legible(contents.folder.name),
        **({"folder": legible(contents.folder)} if local else {}),
        images=sum(root.images for root in contents.roots),
        roots=[
            Root(number=number, name=legible(_called(root.path)), images=root.images)
            for number, root in enumerate(contents.roots, 1)
        ],
        profile=contents.profile,
        formats=named(facets.formats),
        cameras=named(_let_through(facets.cameras)),
        years=[Year(year=int(tally.name), images=tally.images) for tally in facets.years],
        updated=contents.updated,
    )


def _let_through(cameras: Sequence[Tally]) -> tuple[Tally, ...]:
    """As many photos of each as its filter finds, which takes a part of a name for the whole."""

    def found(name: str) -> int:
        return sum(one.images for one in cameras if name.casefold() in one.name.casefold())

    return tuple(Tally(camera.name, found(camera.name)) for camera in cameras)


def _called(root: Path) -> str:
    return root.name or str(root)


def legible(path: PurePath | str) -> str:
    """A path as valid Unicode, which a file's name need not be."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def described(**statuses: str) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route, for the API's document: ``_404="why"``."""
    return {
        int(status[1:]): {"model": Error, "description": why} for status, why in statuses.items()
    }
