# ruff: noqa: E402 - two variables must be set before NumPy is imported
"""How does `serve` cope with many clients at once, and what does HTTP cost?

The library is made of the raw vectors of real photos with noise, under names of files that do not
exist. First, one client sends each caption over HTTP and to the engine in this process. Then many
clients send queries at once, each on its own connection and again after every answer; clients that
the server refuses for its load wait as long as it says. All of them share this computer's cores
with the server.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Thread
from time import perf_counter, sleep
from typing import Any
from urllib.parse import urlencode

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # as the command line does, before NumPy is imported

from benchmarks import made
from benchmarks.setting import (
    EXAMPLES,
    FLICKR8K,
    ROOT,
    first_of,
    machine,
    photos_in,
    print_json,
    quantiles,
    say,
    versions,
)
from pixquery import Library, Query

HITS = 40
"""A page of the gallery."""
WARM_UP = 20


def main() -> None:
    """Makes and serves a library, and prints the figures."""
    arguments = _arguments()
    texts, origin = made.texts(arguments.captions, arguments.queries)
    document: dict[str, Any] = {
        "question": "milliseconds and answers a second of `serve` under load, and its cost over "
        "calling the engine",
        "machine": machine(),
        "versions": versions("openvino", "faiss-cpu", "numpy", "fastapi", "starlette", "uvicorn"),
        "queries": {"texts": len(texts), "from": origin, "hits": HITS},
    }
    with tempfile.TemporaryDirectory(prefix="pixquery-bench-") as name:
        place = Path(name)
        os.environ["PIXQUERY_CACHE"] = str(place / "cache")
        folder = _library(place, arguments)
        with Library.open(folder) as library, _served(folder) as server:
            document["library"] = {"photos": len(library), "index": library.index.kind}
            say("one client, alternating with the engine")
            document["one_client"] = _compared(library, server, texts[: arguments.alone])
            say(f"{arguments.clients} clients for {arguments.seconds:g} s")
            document["many_clients"] = _loaded(server, texts, arguments.clients, arguments.seconds)
    print_json(document)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, metavar="DIR", help="photos whose vectors are used")
    for name, kind, default, what in (
        ("count", int, 1000, "photos whose vectors are used"),
        ("large", int, 100_000, "photos of the library"),
        ("queries", int, 5000, "different captions"),
        ("alone", int, 300, "captions that one client asks"),
        ("clients", int, 64, "clients at once"),
        ("seconds", float, 60.0, "how long they ask"),
        ("noise", float, 1.0, "noise of the vectors, in standard deviations"),
    ):
        parser.add_argument(
            f"--{name}", type=kind, default=default, metavar="N", help=f"{what} ({default:g})"
        )
    parser.add_argument(
        "--captions",
        type=Path,
        default=FLICKR8K / "captions_dev.csv",
        metavar="CSV",
        help="captions to use as queries; made sentences if the file is missing",
    )
    arguments = parser.parse_args()
    if (
        min(arguments.count, arguments.large, arguments.queries, arguments.alone, arguments.clients)
        < 1
    ):
        parser.error("the numbers must be at least 1")
    return arguments


# -- library and server -------------------------------------------------------------------------


def _library(place: Path, arguments: argparse.Namespace) -> Path:
    photos = photos_in(arguments.photos or first_of(FLICKR8K / "images" / "dev", EXAMPLES))
    say(f"indexing {min(arguments.count, len(photos))} photos")
    base = made.real(place / "small", photos[: arguments.count])
    say(f"making a library of {arguments.large:,}")
    with Library.open(place / "large", create=True) as library, library.writing():
        made.add(library, base, range(arguments.large), noise=arguments.noise)
        library.publish()
        return library.folder


@dataclass(frozen=True)
class _Server:
    port: int
    pid: int

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=120)

    def megabytes(self) -> float | None:
        """Resident memory, if the system reports it."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return None
        kilobytes = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return round(int(kilobytes.split()[1]) * 1024 / 1e6, 1)


@contextmanager
def _served(folder: Path) -> Iterator[_Server]:
    command = [sys.executable, str(ROOT / "cli.py"), "serve", "--port", "0", "--json"]
    process = subprocess.Popen(
        [*command, "--library", str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        output = ""
        while process.stdout is not None and not output.endswith("}\n"):
            output += process.stdout.readline() or "}\n"
        yield _Server(int(json.loads(output)["url"].rstrip("/").rpartition(":")[2]), process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def _ask(connection: HTTPConnection, text: str) -> tuple[int, float, bytes]:
    """Status, milliseconds, and the answer's body."""
    begin = perf_counter()
    connection.request("GET", f"/api/search?{urlencode({'q': text, 'k': HITS})}")
    response = connection.getresponse()
    body = response.read()
    return response.status, 1e3 * (perf_counter() - begin), body


# -- one client -----------------------------------------------------------------------------------


def _compared(library: Library, server: _Server, texts: list[str]) -> dict[str, Any]:
    """The same captions over HTTP and by the engine, alternating, so that the load is the same."""
    connection = server.connect()
    http, engine = [], []
    for number, text in enumerate([*texts[:WARM_UP], *texts]):
        status, spent, body = _ask(connection, text)
        begin = perf_counter()
        answer = library.search(Query(text, k=HITS))
        direct = 1e3 * (perf_counter() - begin)
        ids = [hit["id"] for hit in json.loads(body)["hits"]] if status == 200 else []
        if ids != [hit.id for hit in answer.hits]:
            raise SystemExit(f"status {status}: the server and the engine do not answer the same")
        if number >= WARM_UP:
            http.append(spent)
            engine.append(direct)
    connection.close()
    figures = {"http_milliseconds": quantiles(http), "engine_milliseconds": quantiles(engine)}
    differences = [over - under for over, under in zip(http, engine, strict=True)]
    return {
        "queries": len(texts),
        **figures,
        "overhead_milliseconds": quantiles(differences),
    }


# -- many clients ---------------------------------------------------------------------------------


@dataclass
class _Client:
    """One of many clients, and what it measured."""

    statuses: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)

    def ask(self, server: _Server, texts: list[str], until: float) -> None:
        """Sends queries until the end, each after the last answer."""
        connection, number = server.connect(), 0
        while perf_counter() < until:
            try:
                status, spent, _ = _ask(connection, texts[number % len(texts)])
            except (OSError, HTTPException) as error:
                self.statuses[type(error).__name__] += 1
                connection.close()
                continue
            number += 1
            self.statuses[str(status)] += 1
            if status == 200:
                self.milliseconds.append(spent)
            elif status == 429:
                sleep(1)  # as `Retry-After` says
        connection.close()


def _loaded(server: _Server, texts: list[str], count: int, seconds: float) -> dict[str, Any]:
    clients = [_Client() for _ in range(count)]
    before = server.megabytes()
    begin = perf_counter()
    threads = [
        Thread(target=client.ask, args=(server, texts[place::count] or texts, begin + seconds))
        for place, client in enumerate(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = perf_counter() - begin
    answered = [value for client in clients for value in client.milliseconds]
    statuses = sum((client.statuses for client in clients), Counter[str]())
    return {
        "clients": count,
        "seconds": round(spent, 2),
        "answers_by_status": dict(sorted(statuses.items())),
        "answers_a_second": round(len(answered) / spent, 1),
        "milliseconds": quantiles(answered),
        "server_megabytes": {"before": before, "after": server.megabytes()},
    }


if __name__ == "__main__":
    main()
