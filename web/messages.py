"""The messages between an assistant and the server: every request that comes in is answered.

The SDK leaves lines that it cannot read without an answer, and drops the answers that are not yet
written when its input ends, as it does when messages are piped to it.
"""

import json
import re
from typing import Any, Self

import anyio
from mcp.shared.message import SessionMessage
from mcp.types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from pixquery.engine.legible import legible_lines

_HALVES = re.compile("[\ud800-\udfff]")
"""Halves of characters, which JSON can write as escapes and UTF-8 cannot."""
PATIENCE = 60.0
"""Seconds to wait for answers after the input has ended."""


class Outgoing:
    """The stream of answers, which knows what is still to be answered."""

    def __init__(self, stream: Any) -> None:
        """Takes the SDK's stream."""
        self._stream = stream
        self._asked: set[int | str] = set()
        self._answered = anyio.Event()

    async def send(self, item: SessionMessage) -> None:
        """Sends a message, whose texts disturb nobody who prints them."""
        message = item.message
        if isinstance(message, JSONRPCResponse):
            for part in message.result.get("content", ()):
                if part.get("type") == "text":
                    part["text"] = legible_lines(part["text"])
        elif isinstance(message, JSONRPCError):
            message.error.message = legible_lines(message.error.message)
        await self._stream.send(item)
        if isinstance(message, JSONRPCResponse | JSONRPCError):
            self.settle(message.id)

    async def refuse(self, request: int | str | None, code: int, why: str) -> None:
        """Sends an error, without the request's id if it has none that can be sent."""
        error = ErrorData(code=code, message=why)
        await self.send(SessionMessage(JSONRPCError(jsonrpc="2.0", id=request, error=error)))

    def expect(self, request: int | str) -> None:
        """Notes that a request must be answered."""
        self._asked.add(request)

    def settle(self, request: int | str | None) -> None:
        """Notes that a request was answered, or needs no answer any more."""
        if request is not None:
            self._asked.discard(request)
        self._answered.set()

    async def finish(self) -> None:
        """Waits until every request is answered."""
        with anyio.move_on_after(PATIENCE):
            while self._asked:
                self._answered = anyio.Event()
                await self._answered.wait()

    async def aclose(self) -> None:
        """Closes the SDK's stream."""
        await self._stream.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class Incoming:
    """The stream of requests that can be read; all others are refused."""

    def __init__(self, stream: Any, outgoing: Outgoing) -> None:
        """Takes the SDK's stream, and the one for the answers."""
        self._stream, self._outgoing = stream, outgoing

    async def receive(self) -> SessionMessage:
        """The next message.

        Raises:
            anyio.EndOfStream: The input has ended, and every request is answered.
        """
        while True:
            try:
                item = await self._stream.receive()
            except anyio.EndOfStream:
                await self._outgoing.finish()
                raise
            if isinstance(item, Exception):
                item = await self._mended(item)
            if item is not None and await self._usable(item.message):
                return SessionMessage(item.message)

    async def _usable(self, message: object) -> bool:
        if isinstance(message, JSONRPCRequest):
            self._outgoing.expect(message.id)
        if isinstance(message, JSONRPCNotification):
            if not message.method.startswith("notifications/"):
                # The SDK takes a request with an id of another type for one without.
                why = "a request needs an id that is a whole number or a text"
                await self._outgoing.refuse(None, INVALID_REQUEST, why)
                return False
            if message.method == "notifications/cancelled":
                self._outgoing.settle((message.params or {}).get("requestId"))
        return True

    async def _mended(self, error: Exception) -> SessionMessage | None:
        """The message of a line that could not be read, without halves of characters in it.

        A line that cannot be mended is refused, if it is not blank.
        """
        details = error.errors(include_url=False) if isinstance(error, ValidationError) else []
        line = next((each["input"] for each in details if each["type"] == "json_invalid"), None)
        if line is None:
            ids = [_id_of(each["input"]) for each in details]
            request = next((each for each in ids if each is not None), None)
            await self._outgoing.refuse(request, INVALID_REQUEST, "the message is no request")
            return None
        if isinstance(line, str) and not line.strip():
            return None
        try:
            text = json.dumps(content := json.loads(line), ensure_ascii=False)
            mended = _HALVES.sub("\ufffd", text)
            message = jsonrpc_message_adapter.validate_json(mended, by_name=False)
        except (ValueError, RecursionError):
            await self._outgoing.refuse(None, PARSE_ERROR, "the message is not valid JSON")
            return None
        if _HALVES.search(str(_id_of(content))):
            await self._outgoing.refuse(None, INVALID_REQUEST, "the id is not valid Unicode")
            return None
        return SessionMessage(message)

    async def aclose(self) -> None:
        """Closes the SDK's stream."""
        await self._stream.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _id_of(message: object) -> int | str | None:
    request = message.get("id") if isinstance(message, dict) else None
    return request if isinstance(request, int | str) and not isinstance(request, bool) else None
