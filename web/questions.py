"""The parameters of a search, and the query that they describe."""

from collections.abc import Sequence
from dataclasses import replace
from glob import escape
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pixquery.db.errors import BadQuery
from pixquery.db.records import Filter, RootSummary, Scales
from pixquery.engine import wording
from pixquery.engine.query import LONGEST_QUERY, Part, Query, Sort

MOST_HITS = 200
MOST_SORTED = 200
"""How many of the best photos for a description are sorted by date."""
_LONGEST_TEXT = LONGEST_QUERY + 20
"""Characters of a part of a query with its weight."""
_LARGEST_NUMBER = 2**53 - 1
"""Largest integer that JavaScript represents exactly."""
_MOST_VALUES = 32

_Text = Annotated[str, Field(max_length=_LONGEST_TEXT)]
_Short = Annotated[str, Field(max_length=200)]
_Number = Annotated[int, Field(ge=1, le=_LARGEST_NUMBER)]


class SearchParameters(BaseModel):
    """The parameters of a search."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: Annotated[str, Field(max_length=LONGEST_QUERY)] = Field(
        "", description="What the photos show, in words."
    )
    plus: list[_Text] = Field(
        [], max_length=_MOST_VALUES, description="More of this: TEXT or TEXT:WEIGHT."
    )
    minus: list[_Text] = Field(
        [], max_length=_MOST_VALUES, description="Less of this: TEXT or TEXT:WEIGHT."
    )
    like_id: list[_Number] = Field(
        [], max_length=_MOST_VALUES, description="Id of a photo that hits should resemble."
    )
    exact: bool = Field(False, description="Search for q word for word.")
    text: _Short = Field("", description="Words that stand in the photo: all, in any order.")
    literal: list[_Short] = Field(
        [], max_length=_MOST_VALUES,
        description="Words of q that are neither a date nor a place, although they could be one.",
    )  # fmt: skip
    sort: Sort = Field(
        "relevance",
        description=f"By date, the {MOST_SORTED} best photos for what is described are sorted, or "
        "all that match if nothing is; photos without a camera's date go by the file's. Without a "
        "description, relevance means the newest first.",
    )
    k: int = Field(40, ge=1, le=MOST_HITS, description="Hits per page.")
    offset: int = Field(0, ge=0, description="Number of hits to skip.")
    min_relevance: float = Field(
        0.0, ge=0, le=1, allow_inf_nan=False, description="Leave out hits with a lower relevance."
    )
    root: list[_Number] = Field(
        [], max_length=_MOST_VALUES,
        description="Photos below the folder with this number in /api/library.",
    )  # fmt: skip
    path: list[_Short] = Field(
        [], max_length=_MOST_VALUES,
        description="Photos whose path or name matches this glob, such as */2019/*.",
    )  # fmt: skip
    taken: _Short = Field(
        "",
        description="When the photo was taken, by the camera's clock: 2023, 2023-07, "
        "2023..2024-06, 2023..",
    )
    modified: _Short = Field("", description="When the file was modified, in the same form.")
    orientation: Literal["landscape", "portrait", "square"] | None = Field(
        None, description="Photos with this shape."
    )
    min_width: int = Field(0, ge=0, le=10**6, description="In pixels.")
    min_height: int = Field(0, ge=0, le=10**6, description="In pixels.")
    format: list[_Short] = Field(
        [], max_length=_MOST_VALUES, description="Photos in this format: jpeg, png, heic, raw ..."
    )
    camera: _Short = Field("", description="Photos whose camera's name contains this.")
    near: _Short = Field(
        "",
        description="A town, or LAT,LON, and KM after another comma: photos taken within KM (by "
        "default 10) of there.",
    )
    place: list[_Short] = Field(
        [], max_length=_MOST_VALUES,
        description="Photos taken in this town, region or country, in any language; after a comma, "
        "a larger one says which: Paris, Texas.",
    )  # fmt: skip
    rating: _Short = Field(
        "", description="Stars that the owner gave: 4, 4.., ..2 or 3..5; -1 is rejected."
    )
    keyword: list[_Short] = Field(
        [], max_length=_MOST_VALUES, description="Photos that their owner gave this keyword."
    )
    person: list[_Short] = Field(
        [], max_length=_MOST_VALUES,
        description="Photos of this person, as their owner named faces in them.",
    )  # fmt: skip

    def query(
        self,
        roots: Sequence[RootSummary],
        *,
        pixels: Scales | None = None,
        name: str = "",
        local: bool = True,
    ) -> Query:
        """The query for the engine; for all photos by date if nothing else is wanted.

        Args:
            roots: The library's folders.
            pixels: A photo that hits should resemble, at each of the profile's sizes.
            name: Name of that photo.
            local: Whether the client may see paths on this computer.

        Raises:
            BadQuery: A parameter cannot be understood.
        """
        parts = self._parts()
        if pixels is not None:
            parts.append(Part(pixels=pixels, name=name))
        where = self._filter(roots, local=local)
        nothing = not (self.q.strip() or self.text.strip() or parts or where)
        if nothing and self.min_relevance > 0:
            raise BadQuery("min_relevance needs a description: say what the photos show in q")
        return Query(
            self.q,
            k=self.k,
            offset=self.offset,
            min_relevance=self.min_relevance,
            parts=tuple(parts),
            where=where,
            exact=self.exact,
            words=self.text.strip(),
            literal=tuple(self.literal),
            candidates=MOST_SORTED,
            sort="newest" if nothing and self.sort == "relevance" else self.sort,
        )

    def _parts(self) -> list[Part]:
        parts = []
        for texts, sign in ((self.plus, 1), (self.minus, -1)):
            for weighted_text in texts:
                text, weight = wording.weighted(weighted_text)
                parts.append(Part(text=text, weight=sign * weight))
        return parts + [Part(id=image_id) for image_id in self.like_id]

    def _filter(self, roots: Sequence[RootSummary], *, local: bool) -> Filter:
        for number in self.root:
            if number > len(roots):
                raise BadQuery(
                    f"the library has {len(roots)} folders, none with the number {number}"
                )
        where = Filter(
            roots=tuple(roots[number - 1].path for number in self.root),
            paths=tuple(self.path),
            taken=wording.period(self.taken) if self.taken else None,
            modified=wording.period(self.modified) if self.modified else None,
            orientation=self.orientation,
            min_width=self.min_width,
            min_height=self.min_height,
            formats=tuple(wording.format_name(name) for name in self.format),
            camera=self.camera,
            near=wording.near(self.near) if self.near else None,
            places=tuple(wording.place(name) for name in self.place),
            rating=wording.rating(self.rating) if self.rating else None,
            keywords=tuple(wording.named(word, "keyword") for word in self.keyword),
            people=tuple(wording.named(name, "person's name") for name in self.person),
        )
        return where if local else replace(where, paths=_below(where.paths, roots))


class TimelineParameters(SearchParameters):
    """The parameters of a timeline; those that describe something are refused."""

    find: int = Field(0, ge=0, le=_LARGEST_NUMBER, description="Id of a photo to look up.")


def _below(globs: Sequence[str], roots: Sequence[RootSummary]) -> tuple[str, ...]:
    """Globs that only match below the roots, so that nobody can find out the roots by guessing."""
    return tuple(
        f"{escape(str(root.path))}{between}{glob}"
        for glob in globs
        for root in roots
        for between in (("",) if glob.startswith("*") else ("/", "/*/"))
    )
