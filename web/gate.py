"""A gate before work that takes long: a few work, some wait, and the rest are turned away."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pixquery.web.refusals import busy

_Result = TypeVar("_Result")


class Gate:
    """Runs work in threads of its own, so that the event loop never waits for it.

    Work is what holds a place, not a connection: a client that sends or reads slowly holds none.

    Attributes:
        name: What is done behind it.
        inside: How many work or wait.
    """

    def __init__(self, name: str, *, threads: int, waiting: int) -> None:
        """Lets ``threads`` work at once and ``waiting`` more wait."""
        self.name = name
        self.inside = 0
        self._most = threads + waiting
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """What ``work`` returns or raises.

        Raises:
            Refusal: Too many wait already.
        """
        if self.inside >= self._most:
            raise busy()
        self.inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self.inside -= 1

    def close(self) -> None:
        """Lets what is at work end, and nothing begin."""
        self._threads.shutdown(wait=False, cancel_futures=True)
