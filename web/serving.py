"""The server process: its address, its start and its end."""

import errno
import logging
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from urllib.parse import quote

import uvicorn

from pixquery.db.errors import CannotServe, PixqueryError
from pixquery.engine.legible import legible
from pixquery.web.app import application
from pixquery.web.connections import CONNECTIONS, Connection
from pixquery.web.guard import Rules, is_loopback
from pixquery.web.reader import Reader

_log = logging.getLogger("pixquery.web")
_SHORTEST_TOKEN = 16
"""Characters. Shorter ones could be guessed from another computer."""


def serve(
    folder: Path,
    *,
    host: str,
    port: int,
    token: str,
    ready: Callable[[str], None],
    may_trash: bool = False,
) -> None:
    """Serves a library until the process is interrupted.

    Args:
        folder: The library's folder, which may be created later.
        host: Address or name to listen on.
        port: Port to listen on; 0 picks a free one.
        token: What clients must send; may be empty only if ``host`` means this computer.
        ready: Called with the server's URL once it listens.
        may_trash: Whether clients on this computer may move copies of photos to the trash.

    Raises:
        CannotServe: The address is unavailable, or others could reach it without a token or with
            one that can be guessed.
        KeyboardInterrupt: On Ctrl-C, after everything is closed.
    """
    if len(token) < _SHORTEST_TOKEN and not is_loopback(host):
        raise CannotServe(
            f"other computers can reach {host}, so the library needs a token of at least "
            f"{_SHORTEST_TOKEN} characters: set PIXQUERY_TOKEN to one that nobody can guess, such "
            f"as {secrets.token_urlsafe(18)}"
        )
    listening = _listening(host, port)
    reader = Reader(folder)
    # Proxies' headers are ignored: a client that they call local could see paths.
    config = uvicorn.Config(
        application(reader, Rules(token), may_trash=may_trash),
        http=Connection,
        log_level="warning",
        use_colors=False,  # a terminal gets them escaped
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws="none",
        limit_concurrency=CONNECTIONS,
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
