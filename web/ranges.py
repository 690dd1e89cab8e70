"""A response that sends a file or a range of it (RFC 9110, section 14).

Starlette's ``FileResponse`` opens a path itself. This one sends a file that was opened and checked
before, and does not wait for ever for a client that stops reading.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import suppress
from typing import BinaryIO
from urllib.parse import quote

from anyio import CapacityLimiter, create_task_group, to_thread
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pixquery.web.pictures import Original
from pixquery.web.refusals import Refusal

_AT_ONCE = 1 << 18
"""Bytes that are read and sent at a time."""
_PATIENCE = 60.0
"""Seconds in which a client must accept so many bytes."""
_log = logging.getLogger("pixquery.web")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class FileResponse(Response):
    """Sends an open file as fast as the client reads, then closes it."""

    def __init__(self, original: Original, wanted: str, condition: str) -> None:
        """Answers the headers ``Range`` and ``If-Range``, which may be empty.

        Raises:
            Refusal: The range begins after the end of the file.
        """
        entire = not wanted or (condition and condition != original.tag)
        first, after = (0, original.size) if entire else _between(wanted, original.size)
        part = (first, after) != (0, original.size)
        self._file, self._first, self._after = original.file, first, after
        headers = {
            "Content-Length": str(after - first),
            "Content-Disposition": _inline(original.name),
            "Accept-Ranges": "bytes",
            "ETag": original.tag,
            "Cache-Control": "private, no-cache",
        }
        if part:
            headers["Content-Range"] = f"bytes {first}-{after - 1}/{original.size}"
        super().__init__(
            None, 206 if part else 200, headers=headers, media_type=original.media_type
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the file piece by piece. Reading waits for the disk in another thread."""
        try:
            await _send(self, _pieces(self._file, self._first, self._after), send)
        finally:
            self._file.close()


class Sent(Response):
    """Sends what is made meanwhile, in a thread of its own, as fast as the client reads."""

    def __init__(
        self, pieces: Generator[bytes], media_type: str, headers: Mapping[str, str]
    ) -> None:
        """Sends pieces, whose number and size nobody knows yet."""
        super().__init__(None, headers=dict(headers), media_type=media_type)
        del self.headers["content-length"]
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the pieces; what makes them ends when the client goes."""
        limiter = CapacityLimiter(1)

        async def made() -> AsyncIterator[bytes]:
            while piece := await to_thread.run_sync(next, self._pieces, b"", limiter=limiter):
                yield piece

        async def end_with_client() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            sending.cancel_scope.cancel()

        try:
            async with create_task_group() as sending:
                sending.start_soon(end_with_client)
                await _send(self, made(), send)
                sending.cancel_scope.cancel()
        finally:
            self._pieces.close()


async def _send(response: Response, pieces: AsyncIterator[bytes], send: Send) -> None:
    start = {"type": "http.response.start", "status": response.status_code}
    await send({**start, "headers": response.raw_headers})
    try:
        async for piece in pieces:
            async with asyncio.timeout(_PATIENCE):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
    except TimeoutError:
        _log.info("a client stopped reading")  # ending here closes the connection
        return
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _pieces(file: BinaryIO, first: int, after: int) -> AsyncIterator[bytes]:
    limiter = CapacityLimiter(1)  # its own, so that a slow disk delays no other file

    def read() -> bytes:
        file.seek(first)
        return file.read(min(_AT_ONCE, after - first))

    while first < after:
        piece = b""
        with suppress(OSError):
            piece = await to_thread.run_sync(read, limiter=limiter)
        if not piece:
            return  # the file was truncated: the client notices the missing bytes
        first += len(piece)
        yield piece


def _between(wanted: str, size: int) -> tuple[int, int]:
    """The first byte and the one after the last. Anything but one valid range means all bytes."""
    match = _RANGE.fullmatch(wanted.strip())
    if match is None or not (match[1] or match[2]):
        return 0, size
    if not match[1]:  # a number of bytes from the end
        first, last = max(0, size - int(match[2])), size - 1
    else:
        first, last = int(match[1]), min(int(match[2] or size), size - 1)
        if match[2] and int(match[2]) < first:
            return 0, size
    if first >= size:
        raise Refusal(
            416, f"the range begins after the end of the file, which has {size:,} bytes",
            content_range=f"bytes */{size}",
        )  # fmt: skip
    return first, last + 1


def _inline(name: str) -> str:
    """Shows the file in the browser, and saves it under its name (RFC 6266)."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in name)
    encoded = quote(name, safe="", errors="replace")
    return f"inline; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
