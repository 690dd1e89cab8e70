"""A file as a response, whole or in part, as RFC 9110 has it in section 14."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import BinaryIO
from urllib.parse import quote

from anyio import CapacityLimiter, to_thread
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pixquery.web.pictures import Original
from pixquery.web.refusals import Refusal

_AT_ONCE = 1 << 18
_PATIENCE = 60.0
"""Seconds in which a client must take so many bytes."""
_log = logging.getLogger("pixquery.web")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class FileResponse(Response):
    """Sends an open file, as fast as its reader takes it, and closes it."""

    def __init__(self, original: Original, asked: str, condition: str) -> None:
        """Takes a photo's file and the headers ``Range`` and ``If-Range``.

        Raises:
            Refusal: Nothing of the file lies in the range.
        """
        whole = not asked or (condition and condition != original.tag)
        first, after = (0, original.size) if whole else _between(asked, original.size)
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
        """Sends it piece by piece; reading waits for the disk in other threads."""
        try:
            start = {"type": "http.response.start", "status": self.status_code}
            await send({**start, "headers": self.raw_headers})
            async for some in _pieces(self._file, self._first, self._after):
                async with asyncio.timeout(_PATIENCE):
                    await send({"type": "http.response.body", "body": some, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            _log.info("a client stopped reading a photo")  # the connection is closed with it
        finally:
            self._file.close()


async def _pieces(file: BinaryIO, first: int, after: int) -> AsyncIterator[bytes]:
    limiter = CapacityLimiter(1)  # its own: a slow disk must not hold up others' files

    def read() -> bytes:
        file.seek(first)
        return file.read(min(_AT_ONCE, after - first))

    while first < after:
        some = b""
        with suppress(OSError):
            some = await to_thread.run_sync(read, limiter=limiter)
        if not some:
            return  # the file was cut off meanwhile: the client sees that bytes are lacking
        first += len(some)
        yield some


def _between(asked: str, size: int) -> tuple[int, int]:
    """The first byte and the one after the last; several ranges may be answered by the whole."""
    found = _RANGE.fullmatch(asked.strip())
    if found is None or not (found[1] or found[2]):
        return 0, size
    if not found[1]:  # the last so many
        first, last = max(0, size - int(found[2])), size - 1
    else:
        first, last = int(found[1]), min(int(found[2] or size), size - 1)
        if found[2] and int(found[2]) < first:
            return 0, size
    if first >= size:
        raise Refusal(
            416, f"the file has {size:,} bytes, and the range begins beyond",
            content_range=f"bytes */{size}",
        )  # fmt: skip
    return first, last + 1


def _inline(name: str) -> str:
    """Shown in the browser, saved under its name, whatever letters that has (RFC 6266)."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in name)
    encoded = quote(name, safe="", errors="replace")
    return f"inline; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
