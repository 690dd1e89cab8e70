"""The server as a process: its address, its start and its end."""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from urllib.parse import quote

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from pixquery.db.errors import CannotServe, PixqueryError
from pixquery.web.app import application
from pixquery.web.guard import Rules, is_loopback
from pixquery.web.reader import Reader

_log = logging.getLogger("pixquery.web")
_CONNECTIONS = 500
"""At once; more are turned away before they cost anything."""


class Impatient(H11Protocol):
    """Closes connections whose clients dawdle over a request's head, which uvicorn would not."""

    patience = 20.0
    """Seconds for each head."""
    _closing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for the first head."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Goes on to wait, or stops when the head is complete."""
        super().data_received(data)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops."""
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._closing is None:
            self._closing = self.loop.call_later(self.patience, self.transport.close)

    def _stop(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None


def serve(folder: Path, *, host: str, port: int, token: str, ready: Callable[[str], None]) -> None:
    """Serves a library until the process is told to end.

    Args:
        folder: The library's; it may come into being later.
        host: Address or name to listen at.
        port: 0 takes any that is free.
        token: What clients must show; may be empty on addresses of this computer alone.
        ready: Is told the server's URL as soon as it listens.

    Raises:
        CannotServe: The address cannot be had, or others could reach it without a token.
        KeyboardInterrupt: At Ctrl-C, once all is closed.
    """
    if not token and not is_loopback(host):
        raise CannotServe(
            f"others could reach {host}, so the library needs a token: choose a long word that "
            "nobody guesses and set PIXQUERY_TOKEN to it, or give it as --token"
        )
    listening = _listening(host, port)
    reader = Reader(folder)
    # No proxy's word is taken for where a client is: whoever is told to be local may see paths.
    config = uvicorn.Config(
        application(reader, Rules(token)),
        http=Impatient,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws="none",
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=3,
    )
    with listening:
        ready(_url(host, listening.getsockname()[1]))
        Thread(target=_warm, args=(reader,), name="warm", daemon=True).start()
        uvicorn.Server(config).run(sockets=[listening])


def _warm(reader: Reader) -> None:
    try:
        reader.warm()
    except PixqueryError as error:
        _log.warning("%s", error)


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise CannotServe(
            f"{host} is no address of this computer ({error.strerror}): try --host 127.0.0.1"
        ) from error
    # Named as TCP, or asyncio would let small answers wait for the client to acknowledge the last.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(1024)
    except OSError as error:
        listening.close()
        raise _unavailable(host, port, error) from error
    return listening


def _unavailable(host: str, port: int, error: OSError) -> CannotServe:
    if error.errno == errno.EADDRINUSE:
        other = _free_port(host)
        return CannotServe(f"port {port} is in use: try another, such as --port {other}")
    if error.errno == errno.EACCES:
        return CannotServe(
            f"port {port} is reserved for the system: try a higher one, such as --port 8000"
        )
    return CannotServe(
        f"{host} port {port} cannot be listened at ({error.strerror}): try --host 127.0.0.1"
    )


def _free_port(host: str) -> int:
    with _listening(host, 0) as found:
        return int(found.getsockname()[1])


def entrance(url: str, token: str) -> str:
    """The address that a browser is led to, which lets it in."""
    return f"{url}?token={quote(token, safe='')}" if token else url


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
