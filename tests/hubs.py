"""A Hugging Face hub on this machine: it answers as huggingface.co does, and fails on demand.

Requests for large files are redirected to a second server of another name, like those to the real
hub to its content network, so tests can see what only the hub receives.
"""

import hashlib
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = 1 << 16
"""Files of this size or more are on the second server."""

Answer = tuple[int, dict[str, str], bytes]
Fault = Callable[["Request"], "Answer | None"]
"""Answers in place of the hub, or returns None and lets the hub answer."""


@dataclass
class Model:
    """One model with its commits, the last of which is the main branch."""

    commits: dict[str, dict[str, bytes]]
    tags: list[str] = field(default_factory=list)
    revisions: dict[str, str] = field(default_factory=dict)
    """Tags and branches besides main."""

    def commit(self, revision: str) -> str | None:
        """The commit of a revision."""
        revision = self.revisions.get(revision, revision)
        return [*self.commits][-1] if revision == "main" else revision


@dataclass
class Request:
    """A request, and how its answer is cut or slowed down."""

    server: str
    method: str
    path: str
    headers: dict[str, str]
    sent: int = 0
    """How many bytes of the body were written."""
    cut: int | None = None
    """After how many bytes of the body the connection ends."""
    stall: float = 0.0
    """Seconds of silence before it ends."""
    reset: bool = False
    """Whether it ends with a reset instead of a close."""
    pause: float = 0.0
    """Seconds between pieces of the body."""

    @property
    def file(self) -> str:
        """The requested file's name; empty for other requests."""
        match = re.search(r"/resolve/[^/]+/(.*)", self.path)
        return match[1] if match else ""


class Hub:
    """The hub's two servers, their models and the requests to them."""

    def __init__(self) -> None:
        self.models: dict[str, Model] = {}
        self.log: list[Request] = []
        self.fault: Fault = lambda request: None
        self.claims: dict[str, dict[str, Any]] = {}
        """False entries in the list of files, by file."""
        self.servers = {name: _server(self, name) for name in ("hub", "store")}

    def address(self, name: str = "hub") -> str:
        """Where a server listens."""
        host = {"hub": "127.0.0.1", "store": "localhost"}[name]
        return f"http://{host}:{self.servers[name].server_address[1]}"

    def publish(
        self, named: str, files: dict[str, bytes], *, commit: str = "", tags: tuple[str, ...] = ()
    ) -> str:
        """Adds a commit to a model and returns its hash."""
        model = self.models.setdefault(named, Model({}))
        model.tags = list(tags) or model.tags
        commit = commit or hashlib.sha1(f"{named} {len(model.commits)}".encode()).hexdigest()
        model.commits[commit] = files
        return commit

    def requests(self, file: str = "", method: str = "") -> list[Request]:
        """The requests so far, or those for one file or with one method."""
        return [
            request
            for request in self.log
            if file in {"", request.file} and method in {"", request.method}
        ]

    def answer(self, request: Request) -> Answer:
        """The real hub's answer."""
        parts = urlsplit(request.path)
        if match := re.fullmatch(r"/api/models/(.+)/revision/(.+)", parts.path):
            return self._info(match[1], unquote(match[2]))
        if match := re.fullmatch(r"/(.+)/resolve/([^/]+)/(.+)", unquote(parts.path)):
            return self._file(request, match[1], match[2], match[3])
        return _error(404, "", "Sorry, we can't find the page you are looking for.")

    def _info(self, named: str, revision: str) -> Answer:
        model = self.models.get(named)
        if model is None:  # the real hub does not say whether it is private
            return _error(401, "RepoNotFound", "Invalid username or password.")
        commit = model.commit(revision)
        if commit not in model.commits:
            return _error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        files = [self._sibling(name, data) for name, data in model.commits[commit].items()]
        document = {
            "_id": "621ffdc136468d709f17b0b4", "id": named, "modelId": named, "sha": commit,
            "private": False, "gated": False, "disabled": False, "downloads": 7, "likes": 1,
            "lastModified": "2024-04-10T08:08:16.000Z", "createdAt": "2022-03-02T23:29:04.000Z",
            "tags": model.tags, "siblings": files,
        }  # fmt: skip
        return 200, {"Content-Type": "application/json"}, json.dumps(document).encode()

    def _sibling(self, name: str, data: bytes) -> dict[str, Any]:
        entry: dict[str, Any] = {"rfilename": name, "size": len(data), "blobId": _git(data)}
        if len(data) >= LARGE:
            digest = hashlib.sha256(data).hexdigest()
            entry["lfs"] = {"sha256": digest, "size": len(data), "pointerSize": 134}
        return entry | self.claims.get(name, {})

    def _file(self, request: Request, named: str, revision: str, name: str) -> Answer:
        model = self.models[named]
        commit = model.commit(revision)
        if commit not in model.commits or name not in model.commits[commit]:
            return _error(404, "EntryNotFound", "Entry not found")
        data = model.commits[commit][name]
        headers = {"X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if len(data) < LARGE:
            return _ranged(request, headers | {"ETag": f'"{_git(data)}"'}, data)
        digest = hashlib.sha256(data).hexdigest()
        if request.server == "store":
            return _ranged(request, {"ETag": f'"{digest}"'}, data)
        headers |= {
            "Location": self.address("store") + request.path,
            "X-Linked-Etag": f'"{digest}"',
            "X-Linked-Size": str(len(data)),
            "X-Xet-Hash": digest[::-1],
            "X-Xet-Refresh-Route": f"{self.address()}/api/models/{named}/xet-read-token/{commit}",
        }
        return 302, headers, b""


def _git(data: bytes) -> str:
    """Git's hash of a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _error(status: int, code: str, message: str) -> Answer:
    headers = {"X-Error-Message": message, "Content-Type": "application/json"}
    if code:
        headers["X-Error-Code"] = code
    return status, headers, json.dumps({"error": message}).encode()


def error(status: int, code: str = "", message: str = "no") -> Answer:
    """An error answer of the hub."""
    return _error(status, code, message)


def _ranged(request: Request, headers: dict[str, str], data: bytes) -> Answer:
    wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
    if wanted is None:
        return 200, headers, data
    first = int(wanted[1])
    if first >= len(data):
        return 416, headers | {"Content-Range": f"bytes */{len(data)}"}, b""
    headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
    return 206, headers, data[first:]


def _server(hub: Hub, name: str) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            headers = {key.lower(): value for key, value in self.headers.items()}
            request = Request(name, self.command, self.path, headers)
            hub.log.append(request)
            status, more, body = hub.fault(request) or hub.answer(request)
            self.send_response(status)
            for header, value in ({"Content-Length": str(len(body))} | more).items():
                self.send_header(header, value)
            self.end_headers()
            if self.command != "HEAD":
                self._write(request, body)

        do_HEAD = do_GET  # noqa: N815 - the base class names it so

        def _write(self, request: Request, body: bytes) -> None:
            end = len(body) if request.cut is None else request.cut
            for start in range(0, end, LARGE):
                piece = body[start : min(start + LARGE, end)]
                self.wfile.write(piece)
                request.sent += len(piece)
                time.sleep(request.pause)
            if request.cut is not None:
                time.sleep(request.stall)
                self.close_connection = True
            if request.reset:
                time.sleep(0.1)  # so that what was written arrives first
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()

        def log_message(self, format: str, *args: object) -> None:
            """Requests are logged in ``Hub.log``."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Some tests make the client disconnect."""

    return Server(("127.0.0.1", 0), Handler)


@contextmanager
def running() -> Iterator[Hub]:
    """A hub that listens."""
    hub = Hub()
    for server in hub.servers.values():
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield hub
    finally:
        for server in hub.servers.values():
            server.shutdown()
            server.server_close()
