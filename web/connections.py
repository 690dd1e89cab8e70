"""Connections whose clients keep the server waiting: how long it waits, and which go first.

A client that sends or reads slowly takes a connection and nothing else. Nobody may take all of
them: when there are too many, the one that has waited longest for its client makes room.
"""

import asyncio
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS = 500
"""Most connections at once. More are refused before they use resources."""

_Timer = asyncio.TimerHandle | None


class Connection(H11Protocol):
    """Closes connections that wait too long for their clients, as uvicorn does not."""

    patience = 20.0
    """Seconds for each request's head."""
    stalled = 120.0
    """Seconds without a byte taken of an answer. The system takes them in large parts only, which
    last long on a slow line."""
    lingering = 2.0
    """Seconds in which a body must end after its request was answered. Without them, a client that
    is still sending might lose the answer."""
    most: ClassVar[int] = CONNECTIONS
    most_per_address: ClassVar[int] = CONNECTIONS // 2
    """A proxy's address may have as many as this; anybody else needs far fewer."""

    _waits: float | None = None
    """Since when it has waited for its client, on the loop's clock; None while it does not."""
    _slow_head: _Timer = None
    _slow_body: _Timer = None
    _slow_reading: _Timer = None

    @property
    def address(self) -> str:
        """The client's, without its port."""
        return self.client[0] if self.client else ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Makes room if there are too many connections, and starts the timer for the first head."""
        super().connection_made(transport)
        self._watch()
        self._make_room()

    def data_received(self, data: bytes) -> None:
        """Stops the timer once the head is complete, and starts it for the next."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Gives the client a little time to end a body that nobody reads any more."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY and self._slow_body is None:
            self._slow_body = self.loop.call_later(self.lingering, self.transport.close)
        self._watch()

    def pause_writing(self) -> None:
        """Starts the timer for a client that does not take its answer."""
        super().pause_writing()
        self._await_reading(self.transport.get_write_buffer_size())
        self._watch()

    def resume_writing(self) -> None:
        """Stops that timer."""
        super().resume_writing()
        self._slow_reading = _stopped(self._slow_reading)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops all timers."""
        for timer in (self._slow_head, self._slow_body, self._slow_reading):
            _stopped(timer)
        super().connection_lost(exc)

    # -- waiting ------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Looks for whom the connection is waiting."""
        heading = self.conn.their_state is h11.IDLE
        if not heading:
            self._slow_head = _stopped(self._slow_head)
        elif self._slow_head is None:
            self._slow_head = self.loop.call_later(self.patience, self.transport.close)
        sending = self.conn.their_state is h11.SEND_BODY
        if not sending:
            self._slow_body = _stopped(self._slow_body)
        if not (heading or sending or self.flow.write_paused):
            self._waits = None
        elif self._waits is None:
            self._waits = self.loop.time()

    def _await_reading(self, remaining: int) -> None:
        self._slow_reading = self.loop.call_later(self.stalled, self._check_reading, remaining)

    def _check_reading(self, before: int) -> None:
        remaining = self.transport.get_write_buffer_size()
        if remaining >= before:  # not a byte was taken; closing would wait until all were
            self.transport.abort()
        else:
            self._await_reading(remaining)

    # -- room ---------------------------------------------------------------------------------

    def _make_room(self) -> None:
        """Closes the connection that has waited longest, if there are too many.

        That is one of the new client's own address if it has too many, else one of the address
        that has the most.
        """
        open_ = [one for one in self.connections if isinstance(one, Connection)]
        of: dict[str, list[Connection]] = {}
        for one in open_:
            of.setdefault(one.address, []).append(one)
        if len(of[self.address]) > self.most_per_address:
            crowd = of[self.address]
        elif len(open_) >= self.most:
            crowd = max(of.values(), key=len)
        else:
            return
        waiting = [one for one in crowd if one is not self and one._waits is not None]
        if waiting:
            longest = min(waiting, key=lambda one: one._waits or 0.0)
        elif crowd is of[self.address]:
            longest = self
        else:
            return  # uvicorn answers that the server is busy
        self.connections.discard(longest)  # now: the transport tells it later
        longest.transport.abort()


def _stopped(timer: _Timer) -> _Timer:
    """Cancels a timer; returns what replaces it."""
    if timer is not None:
        timer.cancel()
    return None
