"""The server process: its address, its start and its end."""

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
from pixquery.engine.legible import legible
from pixquery.web.app import application
from pixquery.web.guard import Rules, is_loopback
from pixquery.web.reader import Reader

_log = logging.getLogger("pixquery.web")
_CONNECTIONS = 500
"""Most connections at once. More are refused before they use resources."""


class Impatient(H11Protocol):
    """Closes connections whose clients are slow to send a request's head, as uvicorn does not."""

    patience = 20.0
    """Seconds for each head."""
    _closing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the timer for the first head."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Stops the timer once the head is complete, and starts it for the next."""
        super().data_received(data)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the timer."""
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
    """Serves a library until the process is interrupted.

    Args:
        folder: The library's folder, which may be created later.
        host: Address or name to listen on.
        port: Port to listen on; 0 picks a free one.
        token: What clients must send; may be empty only if ``host`` means this computer.
        ready: Called with the server's URL once it listens.

    Raises:
        CannotServe: The address is unavailable, or others could reach it without a token.
        KeyboardInterrupt: On Ctrl-C, after everything is closed.
    """
    if not token and not is_loopback(host):
        raise CannotServe(
            f"other computers can reach {host}, so the library needs a token: choose a long word "
            "that nobody can guess and set PIXQUERY_TOKEN to it, or pass it as --token"
        )
    listening = _listening(host, port)
    reader = Reader(folder)
    # Proxies' headers are ignored: a client that they call local could see paths.
    config = uvicorn.Config(
        application(reader, Rules(token)),
        http=Impatient,
        log_level="warning",
        use_colors=False,  # a terminal gets them escaped
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
        _log.warning("%s", legible(str(error)))


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise CannotServe(
            f"{host} is not an address of this computer ({error.strerror}): try --host 127.0.0.1"
        ) from error
    # asyncio sets TCP_NODELAY only on sockets created with IPPROTO_TCP. Without it, small answers
    # wait until the client has acknowledged the previous one.
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
        f"cannot listen on {host} port {port} ({error.strerror}): try --host 127.0.0.1"
    )


def _free_port(host: str) -> int:
    with _listening(host, 0) as listening:
        return int(listening.getsockname()[1])


def entrance(url: str, token: str) -> str:
    """The address to open in a browser, with the token that it needs once."""
    return f"{url}?token={quote(token, safe='')}" if token else url


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
