"""A bounded queue for slow work: a few requests run, some wait, and the rest are refused."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pixquery.web.refusals import busy

_Result = TypeVar("_Result")


class Gate:
    """Runs work in its own threads, so that the event loop never waits for it.

    A place is taken by work, not by a connection: a client that sends or reads slowly takes none.

    Attributes:
        name: Name of the work.
        inside: Number of requests that run or wait.
    """

    def __init__(self, name: str, *, threads: int, waiting: int) -> None:
        """Runs ``threads`` requests at once and lets ``waiting`` more wait."""
        self.name = name
        self.inside = 0
        self._most = threads + waiting
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """Returns what ``work`` returns, and raises what it raises.

        Raises:
            Refusal: Too many requests are waiting.
        """
        if self.inside >= self._most:
            raise busy()
        self.inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self.inside -= 1

    def close(self) -> None:
        """Lets running work finish, and cancels work that waits."""
        self._threads.shutdown(wait=False, cancel_futures=True)
