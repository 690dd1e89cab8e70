"""The routes of the gallery and its API."""

import json
from collections.abc import Mapping
from functools import partial
from html import escape
from pathlib import Path
from string import Template
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse
from starlette.responses import Response

from pixquery.db.errors import NothingFound
from pixquery.db.records import ImageRecord, Scales
from pixquery.engine.answers import Answer
from pixquery.engine.standing import STANDINGS
from pixquery.indexer.decode import decode
from pixquery.web import answers, reference
from pixquery.web import timeline as timelines
from pixquery.web.answers import described
from pixquery.web.descriptions import Described
from pixquery.web.pictures import LARGE, MEDIA_TYPES, Picture, Side
from pixquery.web.questions import MOST_SORTED, SearchParameters, TimelineParameters
from pixquery.web.ranges import FileResponse
from pixquery.web.refusals import Refusal
from pixquery.web.site import is_local, site_of
from pixquery.web.uploads import MOST_PIXELS, Upload

STATIC = Path(__file__).parent / "static"
_YEAR = 365 * 24 * 3600
_LARGEST_ID = 2**63 - 1

_LATER = {"theme.js", "app.js", "duplicates.js"}
"""Scripts that the pages name themselves, or that another page needs."""

routes = APIRouter()
_Parameters = Annotated[SearchParameters, Query()]
_Version = Annotated[
    str,
    Query(
        max_length=64,
        description="The photo's version, which lets clients cache the picture for ever.",
    ),
]
_SEARCH_REFUSALS = described(
    _403="The library's stop-word policy refuses the query, or the request is from another site."
)


def _number(image_id: int) -> int:
    """An id, if the catalogue could have assigned it."""
    if not 1 <= image_id <= _LARGEST_ID:
        raise NothingFound(f"the library contains no photo with the id {image_id}")
    return image_id


def html_page(name: str) -> Response:
    """A page of the gallery, with the words for relevance that its scripts use."""
    standings = json.dumps([row._asdict() for row in STANDINGS])
    template = Template((STATIC / name).read_text("utf-8"))
    # All at once, or the browser would find each module only in the one that imports it.
    modules = "\n  ".join(
        f'<link rel="modulepreload" href="static/{file.name}">'
        for file in sorted(STATIC.glob("*.js"))
        if file.name not in _LATER
    )
    content = template.substitute(standings=escape(standings), modules=modules)
    return HTMLResponse(content, headers={"Cache-Control": "no-cache"})


@routes.get("/", include_in_schema=False)
async def page() -> Response:
    """The gallery."""
    return html_page("index.html")


@routes.get(
    "/api/search",
    response_model=answers.SearchPage,
    response_model_exclude_unset=True,
    responses=_SEARCH_REFUSALS,
)
async def search(request: Request, parameters: _Parameters) -> answers.SearchPage:
    """Finds photos by words, by photos of the library, or both; without either, the newest."""
    return await _answer(request, parameters)


@routes.post(
    "/api/search",
    response_model=answers.SearchPage,
    response_model_exclude_unset=True,
    responses=_SEARCH_REFUSALS
    | described(_408="The photo arrived too slowly.", _413="The photo is larger than 25 MB."),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {"photo": {"type": "string", "format": "binary"}},
                        "required": ["photo"],
                    }
                }
            },
        }
    },
)
async def search_by_photo(request: Request, parameters: _Parameters) -> answers.SearchPage:
    """Finds photos like an uploaded one, of at most 25 MB and 50 megapixels."""
    async with site_of(request).uploads.receive(request) as photo:
        return await _answer(request, parameters, photo)


async def _answer(
    request: Request, parameters: SearchParameters, photo: Upload | None = None
) -> answers.SearchPage:
    site, local = site_of(request), is_local(request)

    def decoded(photo: Upload) -> Scales:
        profile = site.reader.library.profile
        return decode(
            photo.file.read(),
            *profile.sizes,
            interpolation=profile.interpolation,
            fit=profile.fit,
            most=MOST_PIXELS,
        ).scales

    # Few at once: a photo that waits for its turn is on disk and takes no memory.
    pixels = await site.drawings.run(partial(decoded, photo)) if photo else None

    def work() -> tuple[Answer, Mapping[int, ImageRecord], str]:
        library = site.reader.library
        most = len(library) if parameters.offset else 0  # there is nothing after the last photo
        bounded = parameters.model_copy(update={"offset": min(parameters.offset, most)})
        query = bounded.query(
            site.reader.roots() if parameters.root or parameters.path else (),
            pixels=pixels,
            name=Path(photo.name).name if photo else "",
            local=local,
        )
        revision = site.reader.revision(query)  # before the answer: a change between shows later
        answer = site.reader.ask(query)
        return answer, library.catalog.records([hit.id for hit in answer.hits]), revision

    answer, records, revision = await site.searches.run(work)
    request.app.state.meters.search(answer.milliseconds)
    more = len(answer.hits) == parameters.k if parameters.min_relevance else True
    best = answer.candidates > 0 and answer.sort != "relevance"  # only these are sorted by date
    last = min(answer.among, MOST_SORTED) if best else answer.among
    end = parameters.offset + parameters.k
    following = end if more and end < last else None
    bounds = answers.Bounds(following, revision)
    return answers.search_page(answer, records, bounds, local=local)


@routes.get("/api/timeline", response_model=timelines.Timeline, responses=_SEARCH_REFUSALS)
async def timeline(
    request: Request,
    parameters: Annotated[TimelineParameters, Query()],
) -> Response:
    """All photos that match filters, by date: how many each month has, and their shapes.

    With a description other than a date or place that is a filter, it is refused.
    """
    site, local = site_of(request), is_local(request)

    def work() -> Response:
        library = site.reader.library
        roots = site.reader.roots() if parameters.root or parameters.path else ()
        query = parameters.query(roots, local=local)
        revision = site.reader.revision(query)
        order = library.timeline(query)
        return timelines.compact(timelines.timeline(order, revision, parameters.find), request)

    return await site.glances.run(work)


_BYTES = {"schema": {"type": "string", "format": "binary"}}
"""What generated clients need to know of a picture: that it is bytes, and no JSON."""
_PHOTO_TYPES = dict.fromkeys(MEDIA_TYPES, _BYTES)
_UNKNOWN = described(_404="There is no photo with this id.")
_GONE = _UNKNOWN | described(_410="The photo's file is missing, changed or damaged.")


@routes.get(
    "/api/images/{image_id}",
    response_model=answers.Details,
    response_model_exclude_unset=True,
    responses=_UNKNOWN,
)
async def details(request: Request, image_id: int) -> answers.Details:
    """Everything known about a photo."""
    site, local = site_of(request), is_local(request)

    def work() -> answers.Details:
        record = site.reader.photo(_number(image_id))
        known = Described.of(record.id, site.reader.library.catalog)
        return answers.details(record, known, site.reader.roots(), local=local)

    return await site.glances.run(work)


@routes.get(
    "/api/images/{image_id}/thumbnail",
    response_class=Response,
    responses=_GONE
    | {
        200: {"description": "Upright, in the photo's shape.", "content": {"image/jpeg": _BYTES}},
        304: {"description": "Unchanged."},
    },
)
async def small(
    request: Request,
    image_id: int,
    size: Annotated[Side, Query()] = Side.MIDDLE,
    of: _Version = "",
) -> Response:
    """A thumbnail of a photo; `size` is its longer side in pixels."""
    return await _picture(request, image_id, size, of)


@routes.get(
    "/api/images/{image_id}/file",
    response_class=Response,
    responses=_GONE
    | {
        200: {"description": "The photo.", "content": _PHOTO_TYPES},
        206: {"description": "Part of the photo.", "content": _PHOTO_TYPES},
        304: {"description": "Unchanged."},
    }
    | described(_416="The range begins after the end of the file."),
)
async def file(
    request: Request,
    image_id: int,
    shown_as: Annotated[Literal["jpeg"] | None, Query(alias="as")] = None,
    of: _Version = "",
) -> Response:
    """A photo's own file, or with `as=jpeg` an upright JPEG of at most 2048 pixels."""
    if shown_as:
        return await _picture(request, image_id, LARGE, of)
    site, headers = site_of(request), request.headers
    original = await site.glances.run(partial(site.pictures.original, _number(image_id)))
    try:
        if original.tag in headers.get("if-none-match", ""):
            original.file.close()
            return Response(None, 304, {"ETag": original.tag, "Cache-Control": "private, no-cache"})
        return FileResponse(original, headers.get("range", ""), headers.get("if-range", ""))
    except Refusal:
        original.file.close()
        raise


async def _picture(request: Request, image_id: int, side: int, version: str) -> Response:
    site = site_of(request)
    _number(image_id)
    picture = await site.glances.run(partial(site.pictures.kept, image_id, side))
    if picture is None:
        picture = await site.drawings.run(partial(site.pictures.picture, image_id, side))
    headers = _caching(picture, version)
    if picture.tag in request.headers.get("if-none-match", ""):
        return Response(None, 304, headers)
    return Response(picture.content, 200, headers, "image/jpeg")


def _caching(picture: Picture, version: str) -> dict[str, str]:
    # An address without the version stays the same when a photo is edited in place or another
    # library is served here, so browsers must revalidate it.
    lifetime = f"max-age={_YEAR}, immutable" if version == picture.version else "no-cache"
    return {"ETag": picture.tag, "Cache-Control": f"private, {lifetime}"}


@routes.get(
    "/api/library", response_model=answers.LibraryContents, response_model_exclude_unset=True
)
async def library(request: Request) -> answers.LibraryContents:
    """What the library contains, and the choices of its filters."""
    site = site_of(request)
    contents = await site.glances.run(site.reader.contents)
    return answers.library(contents, local=is_local(request))


@routes.get("/healthz", response_model=answers.Health)
async def health() -> answers.Health:
    """Whether the server is running."""
    return answers.Health(status="ok")


@routes.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Counts and times for Prometheus."""
    media_type = "text/plain; version=0.0.4; charset=utf-8"
    return Response(request.app.state.meters.text(), media_type=media_type)


@routes.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """The API reference."""
    return HTMLResponse(reference.page(request.app.openapi()))
