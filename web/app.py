"""The gallery and its API as one application."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from pixquery.db.errors import NothingFound, PixqueryError
from pixquery.db.records import ImageRecord
from pixquery.engine.answers import Answer
from pixquery.indexer.decode import decode
from pixquery.web import answers, reference
from pixquery.web.answers import described
from pixquery.web.gate import Gate
from pixquery.web.guard import Guard, Rules, refused
from pixquery.web.meters import Meters
from pixquery.web.pictures import LARGE, MEDIA_TYPES, Picture, Pictures, Side
from pixquery.web.questions import Asked
from pixquery.web.ranges import FileResponse
from pixquery.web.reader import Reader
from pixquery.web.refusals import Refusal, malformed, refusal_of
from pixquery.web.uploads import MOST_PIXELS, Uploads

STATIC = Path(__file__).parent / "static"
_YEAR = 365 * 24 * 3600
_LARGEST_ID = 2**63 - 1

_log = logging.getLogger("pixquery.web")


@dataclass(frozen=True)
class Site:
    """What the routes share."""

    reader: Reader
    rules: Rules
    pictures: Pictures
    uploads: Uploads = field(default_factory=Uploads)
    searches: Gate = field(default_factory=partial(Gate, "search", threads=16, waiting=64))
    """More threads than cores, so that there are texts to be encoded together."""
    glances: Gate = field(default_factory=partial(Gate, "glance", threads=4, waiting=256))
    """Short reads: details, facets, pictures that are kept."""
    drawings: Gate = field(default_factory=partial(Gate, "draw", threads=2, waiting=256))
    """Decoding photos into pictures."""

    @property
    def gates(self) -> tuple[Gate, ...]:
        """All gates."""
        return self.searches, self.glances, self.drawings


def application(reader: Reader, rules: Rules, pictures: Pictures | None = None) -> ASGIApp:
    """The server of one library.

    Args:
        reader: The library.
        rules: Who may ask.
        pictures: Where pictures come from; made for the reader where none is given.
    """
    site = Site(reader, rules, pictures or Pictures(reader))
    meters = Meters(site.gates)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        for gate in site.gates:
            gate.close()
        reader.close()

    app = FastAPI(
        title="pixquery",
        summary="Search your own photos by describing them.",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=described(
            _400="The request came under a name that is not this server's.",
            _401="The library's token is asked for.",
            _422="A parameter is not what it should be; the sentence says which.",
            _429="Too many ask at once; `Retry-After` says when to ask again.",
            _503="The library is missing, locked or damaged.",
        ),
    )
    app.state.site, app.state.meters = site, meters
    app.include_router(_routes)
    app.mount("/static", _Static(directory=STATIC, check_dir=False))
    for kind, handler in (
        (PixqueryError, _on_refusal),
        (RequestValidationError, _on_malformed),
        (HTTPException, _on_unrouted),
        (Exception, _on_defect),
    ):
        app.add_exception_handler(kind, handler)
    return meters.watch(Guard(_heads_too(app), rules))


def _heads_too(app: ASGIApp) -> ASGIApp:
    """Answers HEAD as GET, of which the server then sends the headers alone."""

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await app(scope, receive, send)
            return
        whole = {**scope, "method": "GET"}
        await app(whole, receive, send)
        scope["route"] = whole.get("route")

    return asked


class _Static(StaticFiles):
    """The page's files, which browsers ask after each time they use them."""

    def file_response(
        self, full_path: object, stat_result: object, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "no-cache"
        return response


# -- refusals -----------------------------------------------------------------------------------


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, PixqueryError)  # noqa: S101 - it is the handler of these
    refusal = refusal_of(error, local=_local(request))
    if refusal.status >= 500:
        _log.error("%s", error)
    return refused(refusal)


async def _on_malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is the handler of these
    return refused(malformed(error.errors()))


async def _on_unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is the handler of these
    told = {404: "there is nothing under this address", 405: "this address takes other methods"}
    refusal = Refusal(error.status_code, told.get(error.status_code, str(error.detail)))
    refusal.headers = dict(error.headers or {})
    return refused(refusal)


async def _on_defect(request: Request, error: Exception) -> Response:
    said = f"unexpected {type(error).__name__}: this is a defect, the server's output tells more"
    return refused(Refusal(500, said))


# -- what routes ask of the site ------------------------------------------------------------------


def _site(request: Request) -> Site:
    site = request.app.state.site
    assert isinstance(site, Site)  # noqa: S101 - the application put it there
    return site


def _local(request: Request) -> bool:
    return _site(request).rules.local(request.scope)


def _number(image_id: int) -> int:
    """A number that the catalogue may have given."""
    if not 1 <= image_id <= _LARGEST_ID:
        raise NothingFound(f"the library holds no photo with the number {image_id}")
    return image_id


# -- routes -------------------------------------------------------------------------------------

_routes = APIRouter()
_Searched = Annotated[Asked, Query()]
_Version = Annotated[
    str, Query(max_length=64, description="The photo's version: the picture may be kept then.")
]
_SEARCH_REFUSALS = described(
    _403="The library's stop-word policy refuses the query, or another site asks."
)


@_routes.get("/", include_in_schema=False)
async def page() -> Response:
    """The gallery."""
    content = (STATIC / "index.html").read_bytes()
    return HTMLResponse(content, headers={"Cache-Control": "no-cache"})


@_routes.get(
    "/api/search",
    response_model=answers.Found,
    response_model_exclude_unset=True,
    responses=_SEARCH_REFUSALS,
)
async def search(request: Request, asked: _Searched) -> answers.Found:
    """Photos by words, by photos of the library, by both; without any, the newest."""
    return await _answer(request, asked)


@_routes.post(
    "/api/search",
    response_model=answers.Found,
    response_model_exclude_unset=True,
    responses=_SEARCH_REFUSALS
    | described(_408="The photo came too slowly.", _413="The photo has more than 25 MB."),
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
async def search_by_photo(request: Request, asked: _Searched) -> answers.Found:
    """Photos like one that is sent, of at most 25 MB and 50 megapixels."""
    name, content = await _site(request).uploads.receive(request)
    return await _answer(request, asked, photo=(name, content))


async def _answer(
    request: Request, asked: Asked, photo: tuple[str, bytes] | None = None
) -> answers.Found:
    site, local = _site(request), _local(request)

    def work() -> tuple[Answer, Mapping[int, ImageRecord], bool]:
        library, pixels = site.reader.library, None
        if photo is not None:
            pixels = decode(
                photo[1],
                library.profile.size,
                interpolation=library.profile.interpolation,
                most=MOST_PIXELS,
            ).pixels
        beyond = len(library) if asked.offset else 0  # there is nothing after the last photo
        within = asked.model_copy(update={"offset": min(asked.offset, beyond)})
        query = within.query(
            site.reader.roots() if asked.root or asked.path else (),
            pixels=pixels,
            name=Path(photo[0]).name if photo else "",
            local=local,
        )
        answer = site.reader.ask(query, k=within.k, offset=within.offset)
        records = library.catalog.records([hit.id for hit in answer.hits])
        return answer, records, query is not None and query.judged

    answer, records, judged = await site.searches.run(work)
    request.app.state.meters.search(answer.milliseconds)
    more = len(answer.hits) == asked.k if asked.min_relevance else True
    end = asked.offset + asked.k
    following = end if more and end < answer.among else None
    return answers.found(answer, records, judged=judged, following=following, local=local)


_UNKNOWN = described(_404="There is no photo of this number.")
_GONE = _UNKNOWN | described(_410="The photo's file is gone, changed or damaged.")


@_routes.get(
    "/api/images/{image_id}",
    response_model=answers.Details,
    response_model_exclude_unset=True,
    responses=_UNKNOWN,
)
async def details(request: Request, image_id: int) -> answers.Details:
    """All that is known of a photo."""
    site, local = _site(request), _local(request)

    def work() -> answers.Details:
        record = site.reader.photo(_number(image_id))
        modified = datetime.fromtimestamp(record.state.mtime_ns / 1e9, UTC)
        return answers.details(record, site.reader.roots(), modified, local=local)

    return await site.glances.run(work)


@_routes.get(
    "/api/images/{image_id}/thumbnail",
    response_class=Response,
    responses=_GONE
    | {
        200: {"description": "Upright, of the photo's shape.", "content": {"image/jpeg": {}}},
        304: {"description": "As the client has it."},
    },
)
async def small(
    request: Request,
    image_id: int,
    size: Annotated[Side, Query()] = Side.MIDDLE,
    of: _Version = "",
) -> Response:
    """A small picture of a photo; `size` is its longer side in pixels."""
    return await _picture(request, image_id, size, of)


@_routes.get(
    "/api/images/{image_id}/file",
    response_class=Response,
    responses=_GONE
    | {
        200: {"description": "The photo.", "content": {kind: {} for kind in MEDIA_TYPES}},
        206: {"description": "Part of it.", "content": {kind: {} for kind in MEDIA_TYPES}},
        304: {"description": "As the client has it."},
    }
    | described(_416="Nothing of the file lies in the range."),
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
    site, headers = _site(request), request.headers
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
    site = _site(request)
    _number(image_id)
    picture = await site.glances.run(partial(site.pictures.kept, image_id, side))
    if picture is None:
        picture = await site.drawings.run(partial(site.pictures.picture, image_id, side))
    headers = _caching(picture, version)
    if picture.tag and picture.tag in request.headers.get("if-none-match", ""):
        return Response(None, 304, headers)
    return Response(picture.content, 200, headers, "image/jpeg")


def _caching(picture: Picture, version: str) -> dict[str, str]:
    if not picture.lasting:
        return {"Cache-Control": "no-store"}
    # An address without the version stays when a photo is edited in its place, and when another
    # library is served from here: it is asked about each time.
    kept = f"max-age={_YEAR}, immutable" if version == picture.version else "no-cache"
    return {"ETag": picture.tag, "Cache-Control": f"private, {kept}"}


@_routes.get("/api/library", response_model=answers.LibraryTold, response_model_exclude_unset=True)
async def library(request: Request) -> answers.LibraryTold:
    """What the library holds, and what filters can choose among."""
    site = _site(request)
    contents = await site.glances.run(site.reader.contents)
    return answers.library(contents, local=_local(request))


@_routes.get("/healthz", response_model=answers.Health)
async def health() -> answers.Health:
    """That the server is there."""
    return answers.Health(status="ok")


@_routes.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Counts and times for Prometheus."""
    media_type = "text/plain; version=0.0.4; charset=utf-8"
    return Response(request.app.state.meters.text(), media_type=media_type)


@_routes.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """The API's document as a page."""
    return HTMLResponse(reference.page(request.app.openapi()))
