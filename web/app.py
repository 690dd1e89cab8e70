"""The gallery and its API as one application."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from pixquery.db.errors import PixqueryError
from pixquery.engine.legible import legible
from pixquery.web import archive, judging
from pixquery.web.answers import described
from pixquery.web.copies import Copies
from pixquery.web.duplicates import duplicate_routes
from pixquery.web.guard import Guard, Rules, refused
from pixquery.web.meters import Meters
from pixquery.web.pictures import Pictures
from pixquery.web.reader import Reader
from pixquery.web.refusals import Refusal, malformed, refusal_of
from pixquery.web.routes import STATIC, routes
from pixquery.web.site import Site, is_local

_log = logging.getLogger("pixquery.web")


def application(
    reader: Reader, rules: Rules, pictures: Pictures | None = None, *, may_trash: bool = False
) -> ASGIApp:
    """The application that serves one library.

    Args:
        reader: The library.
        rules: Who may use the server.
        pictures: Source of pictures; by default, one for the reader.
        may_trash: Whether clients on this computer may move copies of photos to the trash.
    """
    site = Site(reader, rules, pictures or Pictures(reader), Copies(reader), may_trash)
    meters = Meters(site.gates)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        site.copies.close()
        for gate in site.gates:
            gate.close()
        site.training.close()
        reader.close()

    app = FastAPI(
        title="pixquery",
        summary="Search your own photos by describing them.",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=described(
            _400="The request names a host that is not this server.",
            _401="The library needs its token.",
            _422="A parameter is invalid; the message says which.",
            _429="The server is busy; `Retry-After` says when to try again.",
            _503="The library is missing, locked or damaged.",
        ),
    )
    app.state.site, app.state.meters = site, meters
    for part in (routes, judging.routes, duplicate_routes, archive.routes):
        app.include_router(part)
    app.mount("/static", GZipMiddleware(_Static(directory=STATIC, check_dir=False)))
    for kind, handler in (
        (PixqueryError, _on_refusal),
        (RequestValidationError, _on_malformed),
        (HTTPException, _on_unrouted),
        (Exception, _on_defect),
    ):
        app.add_exception_handler(kind, handler)
    return meters.watch(Guard(_heads_too(app), rules))


def _heads_too(app: ASGIApp) -> ASGIApp:
    """Answers HEAD like GET; the server then sends the headers alone."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await app(scope, receive, send)
            return
        get = {**scope, "method": "GET"}
        await app(get, receive, send)
        scope["route"] = get.get("route")

    return answer


class _Static(StaticFiles):
    """The files of the page, which browsers revalidate each time."""

    def file_response(
        self, full_path: object, stat_result: object, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "no-cache"
        return response


# -- refusals -----------------------------------------------------------------------------------


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, PixqueryError)  # noqa: S101 - registered for these alone
    refusal = refusal_of(error, local=is_local(request))
    if refusal.status >= 500:
        _log.error("%s", legible(str(error)))
    return refused(refusal)


async def _on_malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for these alone
    return refused(malformed(error.errors()))


async def _on_unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for these alone
    messages = {
        404: "there is nothing at this address",
        405: "this address does not accept this method",
    }
    refusal = Refusal(error.status_code, messages.get(error.status_code, str(error.detail)))
    refusal.headers = dict(error.headers or {})
    return refused(refusal)


async def _on_defect(request: Request, error: Exception) -> Response:
    message = f"unexpected {type(error).__name__}: this is a bug, see the server's output"
    return refused(Refusal(500, message))
