"""The routes of the duplicates page."""

import json
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from pixquery.db.records import ImageRecord
from pixquery.engine.answers import Copy
from pixquery.engine.duplicates import THRESHOLD
from pixquery.web.answers import described, valid
from pixquery.web.copies import Standing, State
from pixquery.web.pictures import version_of
from pixquery.web.refusals import Refusal, malformed
from pixquery.web.routes import html_page
from pixquery.web.site import is_local, site_of

_LARGEST_BODY = 2**20
"""Bytes; 100,000 ids need less."""
_MOST_GROUPS = 100

_Model = TypeVar("_Model", bound=BaseModel)

_BODY_REFUSALS = described(
    _413="The request is larger than 1 MB.", _415="The request is not application/json."
)

duplicate_routes = APIRouter()


class Kept(BaseModel):
    """A photo of a group."""

    id: int
    name: str
    path: str | None = Field(None, description="Only for clients on the server's own computer.")
    version: str
    width: int
    height: int
    bytes: int
    format: str
    taken: str | None


class Spare(Kept):
    """A photo that duplicates the best one of its group."""

    exact: bool = Field(description="Whether the files are equal, byte for byte.")
    likeness: float = Field(description="How alike the pictures are, at most 1.")
    frees: int = Field(description="Bytes that are freed if it and the copies before it go.")
    moved: bool = Field(description="Whether it is in the trash.")


class GroupOfCopies(BaseModel):
    """Photos of the same picture."""

    number: int = Field(description="From 1.")
    best: Kept = Field(
        description="The one to keep: with the most pixels, then the largest file, then the oldest."
    )
    copies: list[Spare]


class Left(BaseModel):
    """A copy that was left where it is."""

    id: int
    name: str
    reason: str


class DuplicatesPage(BaseModel):
    """How far a comparison is, and one page of what it found."""

    state: State
    done: int = Field(description="Comparisons or moves that are done.")
    total: int
    threshold: float
    trouble: str = Field(description="Why the work failed; may be empty.")
    may_trash: bool = Field(description="Whether this client may move copies to the trash.")
    among: int = Field(description="Number of photos that were compared.")
    found: int = Field(description="Number of groups.")
    copies: int = Field(description="Number of copies that are not in the trash.")
    bytes: int = Field(description="Bytes that they take.")
    groups: list[GroupOfCopies]
    next: int | None = Field(description="Offset of the next groups; null on the last page.")
    left: list[Left] = Field(description="Copies that the last move left, and why.")


class Comparison(BaseModel):
    """What to compare."""

    model_config = ConfigDict(extra="forbid")

    threshold: float = Field(
        THRESHOLD, gt=0, le=1, description="The least likeness; 1 finds equal files alone."
    )


class Selection(BaseModel):
    """Copies to move to the trash."""

    model_config = ConfigDict(extra="forbid")

    ids: list[Annotated[int, Field(ge=1, lt=2**63)]] = Field(min_length=1, max_length=100_000)


@duplicate_routes.get("/duplicates", include_in_schema=False)
async def page() -> Response:
    """The duplicates page."""
    return html_page("duplicates.html")


@duplicate_routes.get("/api/duplicates", response_model=DuplicatesPage)
async def found(
    request: Request,
    offset: Annotated[int, Query(ge=0, le=2**53, description="Number of groups to skip.")] = 0,
    k: Annotated[int, Query(ge=0, le=_MOST_GROUPS, description="Groups per page.")] = 20,
) -> DuplicatesPage:
    """How far the comparison is, and what it found."""
    site = site_of(request)
    local = is_local(request)
    may_trash = site.may_trash and local
    return await site.glances.run(
        lambda: _page(site.copies.standing, offset, k, local=local, may_trash=may_trash)
    )


@duplicate_routes.post(
    "/api/duplicates",
    status_code=202,
    response_model=DuplicatesPage,
    responses=_BODY_REFUSALS
    | described(_403="The request is from another site.", _409="Other work is going on."),
    openapi_extra={
        "requestBody": {"content": {"application/json": {"schema": Comparison.model_json_schema()}}}
    },
)
async def compare(request: Request) -> DuplicatesPage:
    """Begins to compare all photos; GET says how far that is."""
    wanted = await _body(request, Comparison)
    site_of(request).copies.compare(wanted.threshold)
    return await found(request, 0, 0)


@duplicate_routes.post(
    "/api/duplicates/trash",
    status_code=202,
    response_model=DuplicatesPage,
    responses=_BODY_REFUSALS
    | described(
        _403="Moving photos is off, the client is on another computer, or on another site.",
        _409="There is no finished comparison.",
    ),
    openapi_extra={
        "requestBody": {"content": {"application/json": {"schema": Selection.model_json_schema()}}}
    },
)
async def to_trash(request: Request) -> DuplicatesPage:
    """Begins to move copies to the system's trash; GET says how far that is.

    Only for clients on the server's own computer, if it was started with --trash. Every copy is
    looked at once more before it goes; no photo is deleted.
    """
    site = site_of(request)
    if not site.may_trash:
        raise Refusal(403, "this server moves no photos: its owner can start it with --trash")
    if not is_local(request):
        raise Refusal(403, "only the computer with the photos may move them to the trash")
    wanted = await _body(request, Selection)
    await site.glances.run(partial(site.copies.move, wanted.ids))
    return await found(request, 0, 0)


async def _body(request: Request, model: type[_Model]) -> _Model:
    """A small JSON body. A form of another site cannot send this type without being asked.

    Raises:
        Refusal: It is no JSON, too large, or not of this model.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refusal(415, "send the request's body as application/json")
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > _LARGEST_BODY:
            raise Refusal(413, "the request is larger than 1 MB", connection="close")
    try:
        return model.model_validate(json.loads(content or b"{}"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, ValidationError):
            raise malformed(error.errors()) from None
        raise Refusal(422, "the request's body is not valid JSON") from None


def _page(
    standing: Standing, offset: int, k: int, *, local: bool, may_trash: bool
) -> DuplicatesPage:
    found = standing.found
    groups = found.groups if found is not None else ()
    left = [
        copy for group in groups for copy in group.copies if copy.record.id not in standing.moved
    ]
    shown = groups[offset : offset + k]
    return DuplicatesPage(
        state=standing.state,
        done=standing.done,
        total=standing.total,
        threshold=standing.threshold,
        trouble=standing.trouble if local else "",
        may_trash=may_trash,
        among=found.among if found is not None else 0,
        found=len(groups),
        copies=len(left),
        bytes=sum(copy.frees for copy in left),
        groups=[
            GroupOfCopies(
                number=number,
                best=Kept(**_photo(group.best, local=local)),
                copies=[_spare(copy, standing, local=local) for copy in group.copies],
            )
            for number, group in enumerate(shown, offset + 1)
        ],
        next=offset + k if k and offset + k < len(groups) else None,
        left=[
            Left(
                id=fate.copy.record.id,
                name=valid(fate.copy.record.path.name),
                reason=fate.left if local else "it was left",
            )
            for fate in standing.fates
            if fate.left
        ],
    )


def _spare(copy: Copy, standing: Standing, *, local: bool) -> Spare:
    return Spare(
        **_photo(copy.record, local=local),
        exact=copy.exact,
        likeness=round(copy.likeness, 4),
        frees=copy.frees,
        moved=copy.record.id in standing.moved,
    )


def _photo(record: ImageRecord, *, local: bool) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": valid(record.path.name),
        "path": valid(record.path) if local else None,
        "version": version_of(record),
        "width": record.width,
        "height": record.height,
        "bytes": record.state.size,
        "format": record.format,
        "taken": record.taken.isoformat() if record.taken else None,
    }
