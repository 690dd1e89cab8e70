"""Photos that clients upload, with limits on size and time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import BinaryIO, NamedTuple

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from pixquery.web.refusals import Refusal, busy

LARGEST = 25 * 10**6
"""Largest photo, in bytes."""
MOST_PIXELS = 50_000_000
"""Most pixels of a photo."""
_WRAPPING = 16 * 1024
"""Bytes allowed for the headers and boundaries around the photo."""
_PAUSE = 20.0
"""Longest wait for the next bytes, in seconds."""
_LONGEST = 300.0
"""Longest upload, in seconds."""
_AT_ONCE = 64
"""Most uploads at once. What has arrived is kept on disk."""


def _too_large() -> Refusal:
    message = f"the photo is larger than {LARGEST // 10**6} MB: send a smaller one"
    return Refusal(413, message, connection="close")


class Upload(NamedTuple):
    """A photo that has arrived."""

    name: str
    """As the client calls it."""
    file: BinaryIO
    """To read where it is decoded: photos that wait for their turn take no memory."""


class Uploads:
    """Receives photos, a limited number at once."""

    def __init__(self) -> None:
        self._running = 0

    @asynccontextmanager
    async def receive(self, request: Request) -> AsyncIterator[Upload]:
        """Yields the form's only file, ``photo``; it is on disk, and gone afterwards.

        Raises:
            Refusal: The photo is too large, too slow or missing, or there are too many uploads.
        """
        if self._running >= _AT_ONCE:
            raise busy()
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > LARGEST + _WRAPPING:
            raise _too_large()
        self._running += 1
        try:
            async with _photo(Request(request.scope, _Limited(request).receive)) as photo:
                yield photo
        finally:
            self._running -= 1


@asynccontextmanager
async def _photo(request: Request) -> AsyncIterator[Upload]:
    missing = Refusal(422, "photo: send one photo as the file `photo` of a multipart form")
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise missing
    try:
        form = await request.form(max_files=1, max_fields=0)
    except HTTPException as error:  # a malformed form
        raise Refusal(422, f"photo: {error.detail}", connection="close") from None
    try:
        photo = form.get("photo")
        if not isinstance(photo, UploadFile):
            raise missing
        if photo.size is not None and photo.size > LARGEST:
            raise _too_large()
        yield Upload(photo.filename or "", photo.file)
    finally:
        await form.close()


class _Limited:
    """A request's body with limits on its size and time."""

    def __init__(self, request: Request) -> None:
        self._receive = request.receive
        self._remaining = LARGEST + _WRAPPING
        self._until = monotonic() + _LONGEST

    async def receive(self) -> Message:
        """The next piece of the body."""
        try:
            async with asyncio.timeout(min(_PAUSE, self._until - monotonic())):
                message = await self._receive()
        except TimeoutError:
            raise Refusal(408, "the photo arrived too slowly", connection="close") from None
        if message["type"] == "http.disconnect":
            raise Refusal(400, "the upload was interrupted", connection="close")
        self._remaining -= len(message.get("body", b""))
        if self._remaining < 0:
            raise _too_large()
        return message
