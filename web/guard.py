"""Access to the server, and the headers that protect browsers from its answers."""

import hmac
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pixquery.web.refusals import Refusal

_COOKIE = "pixquery"
_COOKIE_SECONDS = 30 * 24 * 3600
_OPEN = "/healthz"
"""The one address that reveals nothing and needs no token."""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; font-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# The token is exchanged for a cookie on a page of its own, which leads on to the gallery: browsers
# do not send a strict cookie with a request that a link on another site started.
_WELCOME = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>pixquery</title>'
    '<meta http-equiv="refresh" content="0;url=./"><p><a href="./">Continue to the photos</a></p>'
)


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may use the server."""

    token: str = ""
    """What clients must send; if empty, only this computer may use the server."""

    def shown(self, headers: Headers) -> bool:
        """Whether a request carries the token or its cookie."""
        kind, _, credentials = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self.fits(credentials.strip()):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(_COOKIE)
        except CookieError:
            return False
        return cookie is not None and _same(cookie.value, self.cookie)

    def fits(self, token: str) -> bool:
        """Whether this is the token, compared in constant time."""
        return _same(token, self.token)

    @property
    def cookie(self) -> str:
        """What a browser stores instead of the token."""
        return hmac.new(self.token.encode(), b"pixquery cookie", "sha256").hexdigest()

    def local(self, scope: Scope) -> bool:
        """Whether a client may see paths: it is on this computer, and the server needs no token."""
        client = scope.get("client")
        forwarded = any(
            name in (b"forwarded", b"x-forwarded-for", b"via") for name, _ in scope["headers"]
        )
        return not self.token and not forwarded and client is not None and is_loopback(client[0])


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this computer."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), wanted.encode("utf-8", "surrogatepass")
    )


class Guard:
    """Wraps an app: refuses requests that break the rules, and adds headers to every answer."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def add_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await (self._refusal(scope) or self._app)(scope, receive, add_headers)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        """The answer that replaces the app's; none if the app may answer."""
        headers = Headers(scope=scope)
        try:
            self._check_origin(scope, headers)
            return self._admit(scope, headers) if self._rules.token else None
        except Refusal as refusal:
            return refused(refusal)

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        """Refuses requests that a browser on this computer makes for other sites."""
        host = headers.get("host", "")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if not self._rules.token and not is_loopback(name):
            raise Refusal(400, "this server only answers to localhost and 127.0.0.1")
        if scope["method"] not in ("GET", "HEAD") and not _is_own(headers, host):
            raise Refusal(403, "requests from other sites are not allowed")

    def _admit(self, scope: Scope, headers: Headers) -> Response | None:
        if scope["path"] == _OPEN or self._rules.shown(headers):
            return None
        token = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and self._rules.fits(token):
            page = HTMLResponse(_WELCOME)
            page.set_cookie(
                _COOKIE,
                self._rules.cookie,
                max_age=_COOKIE_SECONDS,
                secure=scope["scheme"] == "https",
                httponly=True,
                samesite="strict",
            )
            return page
        raise Refusal(
            401,
            "this library needs its token: visit /?token=... once, or send it as "
            "Authorization: Bearer",
            www_authenticate="Bearer",
        )


def _is_own(headers: Headers, host: str) -> bool:
    """Whether a request comes from a page of this server, or from no page at all.

    Browsers before 2023 send no ``Sec-Fetch-Site``, but ``Origin`` with every request that may
    change something. Its scheme is not compared: a proxy may add TLS.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("none", "same-origin")
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2].lower() == host.lower()


def refused(refusal: Refusal) -> JSONResponse:
    """A refusal as a response."""
    return JSONResponse({"error": str(refusal)}, refusal.status, dict(refusal.headers))
