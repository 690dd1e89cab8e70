"""What a client asks, as its parameters say it."""

from collections.abc import Sequence
from dataclasses import replace
from glob import escape
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pixquery.db.errors import BadQuery
from pixquery.db.records import Filter, Pixels, RootSummary
from pixquery.engine import wording
from pixquery.engine.search import LONGEST_QUERY, Part, Query

MOST_HITS = 200
_LONGEST_TEXT = LONGEST_QUERY + 20
"""A part of a query with its weight."""
_LARGEST_NUMBER = 2**53 - 1
"""Beyond it JavaScript cannot count."""
_MOST_VALUES = 32

_Text = Annotated[str, Field(max_length=_LONGEST_TEXT)]
_Short = Annotated[str, Field(max_length=200)]
_Number = Annotated[int, Field(ge=1, le=_LARGEST_NUMBER)]


class Asked(BaseModel):
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
        [], max_length=_MOST_VALUES, description="Photos like a hit, by its id."
    )
    k: int = Field(40, ge=1, le=MOST_HITS, description="Hits a page.")
    offset: int = Field(0, ge=0, description="Hits to leave out at the top.")
    min_relevance: float = Field(
        0.0, ge=0, le=1, allow_inf_nan=False, description="Leave out hits below."
    )
    root: list[_Number] = Field(
        [], max_length=_MOST_VALUES,
        description="Photos below the folder of this number, as /api/library tells it.",
    )  # fmt: skip
    path: list[_Short] = Field(
        [], max_length=_MOST_VALUES,
        description="Photos whose path or name fits this glob, such as */2019/*.",
    )  # fmt: skip
    taken: _Short = Field(
        "", description="By the camera's clock: 2023, 2023-07, 2023..2024-06, 2023.."
    )
    modified: _Short = Field("", description="By the file's time, likewise.")
    orientation: Literal["landscape", "portrait", "square"] | None = Field(
        None, description="Photos of this shape."
    )
    min_width: int = Field(0, ge=0, le=10**6, description="In pixels.")
    min_height: int = Field(0, ge=0, le=10**6, description="In pixels.")
    format: list[_Short] = Field(
        [], max_length=_MOST_VALUES, description="Photos of this format: jpeg, png, heic, raw ..."
    )
    camera: _Short = Field("", description="Photos whose camera's name holds this.")
    near: _Short = Field("", description="LAT,LON or LAT,LON,KM: photos taken there.")

    def query(
        self,
        roots: Sequence[RootSummary],
        *,
        pixels: Pixels | None = None,
        name: str = "",
        local: bool = True,
    ) -> Query | None:
        """What is asked of the engine; none where nothing is, and the newest photos are wanted.

        Args:
            roots: The library's folders.
            pixels: A photo that hits shall be like, uint8[size, size, 3].
            name: What to call it.
            local: Whether the client may know where folders lie on this computer.

        Raises:
            BadQuery: It cannot be understood.
        """
        parts = self._parts()
        if pixels is not None:
            parts.append(Part(pixels=pixels, name=name))
        where = self._filter(roots, local=local)
        if not (self.q.strip() or parts or where):
            if self.min_relevance > 0:
                raise BadQuery("relevance is predicted for a text: say what the photos show")
            return None
        return Query(
            self.q,
            k=self.k,
            offset=self.offset,
            min_relevance=self.min_relevance,
            parts=tuple(parts),
            where=where,
        )

    def _parts(self) -> list[Part]:
        parts = []
        for texts, sign in ((self.plus, 1), (self.minus, -1)):
            for given in texts:
                text, weight = wording.weighted(given)
                parts.append(Part(text=text, weight=sign * weight))
        return parts + [Part(id=image_id) for image_id in self.like_id]

    def _filter(self, roots: Sequence[RootSummary], *, local: bool) -> Filter:
        for number in self.root:
            if number > len(roots):
                raise BadQuery(f"the library has {len(roots)} folders, and none of number {number}")
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
        )
        return where if local else replace(where, paths=_below(where.paths, roots))


def _below(globs: Sequence[str], roots: Sequence[RootSummary]) -> tuple[str, ...]:
    """Globs that say nothing of where the roots lie, or one could find that out by guessing."""
    return tuple(
        f"{escape(str(root.path))}{between}{glob}"
        for glob in globs
        for root in roots
        for between in (("",) if glob.startswith("*") else ("/", "/*/"))
    )
