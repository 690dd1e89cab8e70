"""A photo that a client sends, read no further than it may be long."""

import asyncio
from time import monotonic

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from pixquery.web.refusals import Refusal, busy

LARGEST = 25 * 10**6
"""Bytes."""
MOST_PIXELS = 50_000_000
_WRAPPING = 16 * 1024
"""Bytes of headers and boundaries around it."""
_PAUSE = 20.0
"""Seconds in which something must come."""
_LONGEST = 300.0
"""Seconds in which all must come."""
_AT_ONCE = 64
"""Uploads that may be on their way; what has come of them lies on the disk."""


def _too_large() -> Refusal:
    said = f"the photo has more than {LARGEST // 10**6} MB: send a smaller one"
    return Refusal(413, said, connection="close")


class Uploads:
    """Receives photos, so many at once."""

    def __init__(self) -> None:
        """Begins with none."""
        self._coming = 0

    async def receive(self, request: Request) -> tuple[str, bytes]:
        """Name and content of the one file ``photo`` of a form.

        Raises:
            Refusal: It is too large, too slow, missing, or too many come at once.
        """
        if self._coming >= _AT_ONCE:
            raise busy()
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > LARGEST + _WRAPPING:
            raise _too_large()
        self._coming += 1
        try:
            return await _photo(Request(request.scope, _Limited(request).receive))
        finally:
            self._coming -= 1


async def _photo(request: Request) -> tuple[str, bytes]:
    missing = Refusal(422, "photo: send one photo as the file `photo` of a multipart form")
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise missing
    try:
        async with request.form(max_files=1, max_fields=0) as form:
            photo = form.get("photo")
            if not isinstance(photo, UploadFile):
                raise missing
            if photo.size is not None and photo.size > LARGEST:
                raise _too_large()
            return photo.filename or "", await photo.read()
    except HTTPException as error:  # a form that cannot be read
        raise Refusal(422, f"photo: {error.detail}", connection="close") from None


class _Limited:
    """A request's body, so long as it is neither too large nor too slow."""

    def __init__(self, request: Request) -> None:
        self._receive = request.receive
        self._left = LARGEST + _WRAPPING
        self._until = monotonic() + _LONGEST

    async def receive(self) -> Message:
        """The next piece."""
        try:
            async with asyncio.timeout(min(_PAUSE, self._until - monotonic())):
                message = await self._receive()
        except TimeoutError:
            raise Refusal(408, "the photo came too slowly", connection="close") from None
        if message["type"] == "http.disconnect":
            raise Refusal(400, "the photo was cut off", connection="close")
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise _too_large()
        return message
