"""Clients that send or read slowly, and what they may not keep from others."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from pixquery.web.app import application
from pixquery.web.connections import Connection
from pixquery.web.guard import Rules
from pixquery.web.reader import Reader
from tests.web.conftest import TOKEN

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
SLOW_BODY = (
    b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n\r\n-"
)
SECONDS = 30

Address = tuple[str, int]


@contextmanager
def running(app: ASGIApp, **settings: Any) -> Iterator[Address]:
    """Serves an app with other limits than usual."""
    kind = type("Quick", (Connection,), settings)
    most = settings.get("most", Connection.most)
    config = uvicorn.Config(app, http=kind, log_level="error", ws="none", limit_concurrency=most)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()
        finally:
            server.should_exit = server.force_exit = True
            thread.join(SECONDS)


@pytest.fixture
def app(folder: Path) -> ASGIApp:
    return application(Reader(folder), Rules(TOKEN))


def connect(address: Address, sent: bytes = b"", of: str = "127.0.0.1") -> socket.socket:
    connection = socket.create_connection(address, timeout=SECONDS, source_address=(of, 0))
    connection.sendall(sent)
    return connection


def health(connection: socket.socket) -> bytes:
    """The answer to a request for the server's health."""
    connection.sendall(HEALTH)
    received = b""
    while not received.endswith(b'{"status":"ok"}'):
        piece = connection.recv(1 << 16)
        if not piece:
            return received
        received += piece
    return received


def is_closed(connection: socket.socket) -> bool:
    with suppress(OSError):
        while connection.recv(1 << 16):
            pass
    return True


def test_slow_heads_are_cut_off(app: ASGIApp) -> None:
    with running(app, patience=0.3) as address:
        for request, sent in ((False, b""), (False, HEALTH[:30]), (True, HEALTH[:30])):
            with connect(address) as slow:
                if request:
                    assert health(slow)
                slow.sendall(sent)
                begin = time.monotonic()
                assert is_closed(slow)
                assert time.monotonic() - begin < SECONDS / 2
    # Somebody who sends a request now and then stays, for longer than the patience in all.
    with running(app, patience=1.5) as address, connect(address) as steady:
        for _ in range(4):
            assert b"200 OK" in health(steady)
            time.sleep(0.5)


def test_a_body_after_its_answer_is_cut_off(app: ASGIApp) -> None:
    with running(app, lingering=0.5) as address, connect(address, SLOW_BODY) as slow:
        assert b" 401 " in slow.recv(1 << 16), "it was answered"
        begin = time.monotonic()
        with suppress(OSError):
            while time.monotonic() - begin < SECONDS:
                slow.sendall(b"x")
                time.sleep(0.05)
        assert time.monotonic() - begin < SECONDS / 2


def test_a_body_that_ends_soon_keeps_its_connection(app: ASGIApp) -> None:
    head, _, _ = SLOW_BODY.rpartition(b"-")
    with running(app, lingering=1.0) as address, connect(address) as steady:
        steady.sendall(head.replace(b"1000000", b"20"))
        assert b" 401 " in steady.recv(1 << 16)
        steady.sendall(b"x" * 20)
        time.sleep(1.5)
        assert b"200 OK" in health(steady)


def test_an_answer_that_nobody_takes_is_cut_off() -> None:
    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not gone.is_set():
            await send({"type": "http.response.body", "body": bytes(1 << 16), "more_body": True})

    gone = threading.Event()
    with running(endless, stalled=0.5) as address, connect(address, HEALTH) as slow:
        time.sleep(2)  # it was closed long ago, but for what had been sent
        begin = time.monotonic()
        assert is_closed(slow)
        gone.set()
        assert time.monotonic() - begin < SECONDS / 2


def test_a_slow_reader_that_reads_is_served() -> None:
    size = 4 << 20

    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(size)})

    with running(large, stalled=0.5) as address, connect(address, HEALTH) as slow:
        received = 0
        begin = time.monotonic()
        while received < size:
            piece = slow.recv(1 << 17)
            assert piece, received
            received += len(piece)
            time.sleep(0.05)
        assert time.monotonic() - begin > 1


@pytest.mark.parametrize("of", ["127.0.0.1", "127.0.0.2"])
@pytest.mark.parametrize("sent", [b"", HEALTH[:30], SLOW_BODY, HEALTH], ids=range(4))
def test_one_address_shuts_nobody_out(app: ASGIApp, sent: bytes, of: str) -> None:
    """Not even other clients of its own address."""
    with ExitStack() as opened, running(app, most=40, most_per_address=20, lingering=60) as address:
        slow = [opened.enter_context(connect(address, sent)) for _ in range(60)]
        time.sleep(0.5)
        for _ in range(5):
            with connect(address, of=of) as other:
                assert b"200 OK" in health(other)
        assert sum(map(is_open, slow)) <= 20


def test_many_addresses_shut_nobody_out(app: ASGIApp) -> None:
    with ExitStack() as opened, running(app, most=40, most_per_address=20, lingering=60) as address:
        for number in range(60):
            opened.enter_context(connect(address, SLOW_BODY, of=f"127.0.1.{number % 6}"))
        time.sleep(0.5)
        for _ in range(5):
            with connect(address, of="127.0.0.2") as other:
                assert b"200 OK" in health(other)


def is_open(connection: socket.socket) -> bool:
    connection.settimeout(0.01)
    try:
        while connection.recv(1 << 16):
            pass
    except TimeoutError:
        return True
    except OSError:
        pass
    return False


def test_requests_that_are_worked_on_are_never_cut_off() -> None:
    release = threading.Event()

    async def working(scope: Scope, receive: Receive, send: Send) -> None:
        import asyncio

        while scope["path"] == "/work" and not release.is_set():
            await asyncio.sleep(0.02)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"status":"ok"}'})

    work = HEALTH.replace(b"/healthz", b"/work")
    with ExitStack() as opened, running(working, most=20, most_per_address=10) as address:
        busy = [opened.enter_context(connect(address, work)) for _ in range(10)]
        time.sleep(0.3)
        refused = [opened.enter_context(connect(address, HEALTH)) for _ in range(3)]
        assert all(map(is_closed, refused))
        with connect(address, of="127.0.0.2") as other:
            assert b"200 OK" in health(other)
        release.set()
        for connection in busy:
            assert b"200 OK" in connection.recv(1 << 16)
