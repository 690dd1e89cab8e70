"""Training behind the gallery: a process of its own, one at a time, which can be cancelled."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pixquery import Library
from pixquery.engine.judging import pairs_for
from pixquery.engine.ratings_file import RatingsFile
from pixquery.indexer.build import index
from pixquery.web import training as module
from pixquery.web.app import application
from pixquery.web.guard import Rules
from pixquery.web.reader import Reader
from pixquery.web.refusals import Refusal
from pixquery.web.training import Training
from tests.played import TEXTS, spread_colours, strict
from tests.web.conftest import HERE, error


def wait(probe: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not probe():
        assert time.monotonic() < until
        time.sleep(0.05)


def script(tmp_path: Path, text: str) -> Training:
    """A training that runs a script in place of pixquery."""
    file = tmp_path / "script.py"
    file.write_text(text)
    return Training((str(file),))


def ended(training: Training) -> str:
    wait(lambda: training.progress.state != "running")
    assert training._follower is not None
    training._follower.join()
    return training.progress.state


def test_progress_and_report(tmp_path: Path) -> None:
    training = script(
        tmp_path,
        "import json, sys, time\n"
        "print(json.dumps({'done': 3, 'total': 10}), file=sys.stderr, flush=True)\n"
        "print('learning from 60 judgements', file=sys.stderr, flush=True)\n"
        f"while not __import__('os').path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\n"
        "print(json.dumps({'argv': sys.argv[1:], 'long': 'x' * 10**6}))\n",
    )
    assert training.progress.state == "idle"
    training.start(tmp_path, "base")
    wait(lambda: training.progress.done == 3)
    assert (training.progress.total, training.progress.state) == (10, "running")
    with pytest.raises(Refusal, match="running"):
        training.start(tmp_path, "base")
    (tmp_path / "go").touch()
    assert ended(training) == "done"
    report = training.progress.report
    assert report is not None
    assert report["argv"] == ["train", "--json", "--progress", "--library", str(tmp_path)]
    assert training.progress.base == "base"


@pytest.mark.parametrize(
    "text, message",
    [
        ("import sys; sys.exit('pixquery: too few judgements')", "too few judgements"),
        ("import os; os._exit(9)", "training ended with the code 9"),
        ("print('no json')", "training ended with the code 0"),
    ],
)
def test_why_it_failed(tmp_path: Path, text: str, message: str) -> None:
    training = script(tmp_path, text)
    training.start(tmp_path, "base")
    assert ended(training) == "failed"
    assert training.progress.message == message


def test_cancelled_and_started_again(tmp_path: Path) -> None:
    training = script(tmp_path, "import time; time.sleep(600)")
    training.cancel()
    assert training.progress.state == "idle"
    for _ in range(2):
        training.start(tmp_path, "base")
        process = training._process
        assert process is not None
        training.cancel()
        assert training.progress.state == "cancelled"
        assert process.wait(30) != 0
        assert training._follower is not None
        training._follower.join()
    training.start(tmp_path, "base")
    training.close()
    assert training._process is not None
    assert training._process.poll() is not None


def test_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Training.missing() == ""
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "sklearn" else name)
    assert Training.missing() == "sklearn"


def test_the_server_loads_nothing_of_it() -> None:
    code = (
        "import sys, pixquery.web.app\n"
        "print({'torch', 'sklearn', 'matplotlib', 'scipy'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# -- over HTTP ------------------------------------------------------------------------------------


@pytest.fixture
def judged(
    tmp_path: Path, colours: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[TestClient, Path]]:
    """A client of a library with sixty judgements by somebody strict."""
    monkeypatch.setenv("PIXQUERY_PROFILES", str(tmp_path / "profiles"))
    root = spread_colours(tmp_path / "photos", count=80)
    folder = tmp_path / "library"
    with Library.open(folder, create=True, profile=str(colours)) as library:
        index(library, [root])
        for text in TEXTS:
            for pair in islice(pairs_for(library, text, []), 10):
                RatingsFile(folder).add(pair.photo.path, text, strict(pair.photo.path, text))
    app = application(Reader(folder), Rules())
    with TestClient(app, HERE, client=("127.0.0.1", 1)) as client:
        yield client, folder


def state(client: TestClient) -> dict[str, Any]:
    found = client.get("/api/training")
    assert found.status_code == 200, found.text
    return dict(found.json())


def relevances(client: TestClient) -> list[float]:
    hits = client.get("/api/search", params={"q": "red", "k": 80}).json()["hits"]
    return [hit["relevance"] for hit in hits]


def test_train_switch_and_back(judged: tuple[TestClient, Path]) -> None:
    client, folder = judged
    assert state(client)["state"] == "idle"
    error(client.post("/api/training/use", json={"relevance": "new"}), 409)
    before = relevances(client)
    assert client.post("/api/training").json()["state"] == "running"
    error(client.post("/api/training"), 409)
    wait(lambda: state(client)["state"] != "running")
    found = state(client)
    assert found["state"] == "done", found
    assert found["profile"] == "colours-judged"
    assert found["gain"]["after"] < found["gain"]["before"]
    assert "better than the relevance of colours" in found["why"]
    assert not found["used"]
    assert relevances(client) == before  # nothing happens unasked
    assert client.post("/api/training/use", json={"relevance": "new"}).json()["used"]
    assert relevances(client) != before
    with Library.open(folder) as library:
        assert library.profile.name == "colours-judged"
    assert not client.post("/api/training/use", json={"relevance": "earlier"}).json()["used"]
    assert relevances(client) == before


def test_too_few_judgements(own: tuple[TestClient, Library, Path]) -> None:
    client, _, _ = own
    assert "no judgements yet" in error(client.post("/api/training"), 422)
    assert state(client)["state"] == "idle"


def test_missing_packages_are_named(
    judged: tuple[TestClient, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = judged
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    assert state(client)["missing"] == "pip install 'pixquery[train]'"
    assert "pip install 'pixquery[train]'" in error(client.post("/api/training"), 422)
