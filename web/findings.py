"""What assistants find, as data for the programs around them: the structured content of answers.

It repeats what the text for the assistant says, so that no program has to read that.
"""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, Field

from pixquery.db.records import Facets, Tally
from pixquery.engine.answers import Answer, LibraryInfo
from pixquery.web.answers import NamedCount, valid
from pixquery.web.descriptions import Reason, Recognised, reasons, recognised


class FoundPhoto(BaseModel):
    """One hit."""

    rank: int
    id: int = Field(description="For photo_details, and for search_photos as like_id.")
    path: str
    relevance: float | None = Field(description="From 0 to 1; null if it is not predicted.")
    standing: str | None = Field(description="The relevance in words.")
    similarity: float | None = Field(description="From -1 to 1; null without a description.")
    width: int
    height: int
    taken: str | None = Field(description="By the camera's clock, without a time zone.")
    matched: list[Reason] = Field(description="Why it was found, the best reason first.")


class FoundPhotos(BaseModel):
    """The hits of a search, best first."""

    query: str
    among: int = Field(description="Number of photos searched.")
    fits: int | None = Field(description="How many hits fit; null if no relevance is predicted.")
    recognised: list[Recognised] = Field(description="Dates and places taken as filters.")
    suggestions: list[str] = Field(description="Descriptions without typing errors, to try.")
    hits: list[FoundPhoto]


class Folder(BaseModel):
    """A folder of the library."""

    path: str
    images: int


class LibrarySummary(BaseModel):
    """What the library contains."""

    images: int
    profile: str
    relevance: bool = Field(description="Whether the profile predicts relevance.")
    folders: list[Folder]
    concepts: list[str] = Field(description="What it was taught by example photos.")
    formats: list[NamedCount]
    cameras: list[NamedCount]
    years: list[NamedCount]
    places: list[NamedCount]
    text_read: int = Field(description="In how many photos text was read.")
    updated: datetime | None


def found_photos(answer: Answer) -> FoundPhotos:
    """An answer of the engine as data."""
    return FoundPhotos(
        query=valid(answer.query),
        among=answer.among,
        fits=answer.fits,
        recognised=recognised(answer),
        suggestions=list(answer.suggestions),
        hits=[
            FoundPhoto(
                rank=hit.rank,
                id=hit.id,
                path=valid(hit.path),
                relevance=None if hit.relevance is None else round(hit.relevance, 4),
                standing=hit.standing,
                similarity=None if hit.similarity is None else round(hit.similarity, 4),
                width=hit.width,
                height=hit.height,
                taken=hit.taken.isoformat() if hit.taken else None,
                matched=reasons(hit),
            )
            for hit in answer.hits
        ],
    )


def library_summary(info: LibraryInfo, facets: Facets, places: Sequence[Tally]) -> LibrarySummary:
    """A library's summary as data; ``places`` are those with the most photos."""

    def counts(tallies: Sequence[Tally]) -> list[NamedCount]:
        return [NamedCount(name=valid(each.name), images=each.images) for each in tallies]

    return LibrarySummary(
        images=info.images,
        profile=info.profile,
        relevance=info.relevance,
        folders=[Folder(path=valid(root.path), images=root.images) for root in info.roots],
        concepts=[concept.name for concept in info.concepts if concept.known],
        formats=counts(facets.formats),
        cameras=counts(facets.cameras),
        years=counts(facets.years),
        places=counts(places),
        text_read=info.text_read,
        updated=info.updated,
    )
