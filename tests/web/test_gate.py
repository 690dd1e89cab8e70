"""Queues for slow work refuse what they cannot hold."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pixquery.web.gate import Gate
from pixquery.web.reader import Reader
from pixquery.web.refusals import Refusal
from tests.web.conftest import client_of


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_a_full_queue_refuses_more() -> None:
    import asyncio

    gate, stop = Gate("test", threads=2, waiting=3), threading.Event()
    runs = [asyncio.ensure_future(gate.run(stop.wait)) for _ in range(5)]
    await asyncio.sleep(0)
    assert gate.inside == 5
    with pytest.raises(Refusal) as refused:
        await gate.run(stop.wait)
    assert refused.value.status == 429
    assert refused.value.headers["retry-after"] == "1"
    stop.set()
    assert await asyncio.gather(*runs) == [True] * 5
    assert gate.inside == 0
    gate.close()


def test_a_busy_server_answers_429(folder: Path) -> None:
    reader, stop = Reader(folder), threading.Event()
    answer = reader.ask

    def slow(*args: Any, **more: Any) -> Any:
        stop.wait(20)
        return answer(*args, **more)

    reader.ask = slow  # type: ignore[method-assign]
    with client_of(reader) as client:
        statuses: list[int] = []

        def ask() -> None:
            response = client.get("/api/search?q=red")
            statuses.append(response.status_code)
            if response.status_code == 429:
                assert response.headers["retry-after"] == "1"

        threads = [threading.Thread(target=ask) for _ in range(90)]
        for thread in threads:
            thread.start()
        until = time.monotonic() + 10
        while statuses.count(429) < 10 and time.monotonic() < until:
            time.sleep(0.01)
        # Other requests are still answered.
        assert client.get("/healthz").status_code == 200
        assert client.get("/api/library").status_code == 200
        assert 'pixquery_queue_length{queue="search"} 80' in client.get("/metrics").text
        stop.set()
        for thread in threads:
            thread.join()
    assert sorted(statuses) == [200] * 80 + [429] * 10
