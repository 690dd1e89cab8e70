"""What people type on the command line, through the API and to assistants, through its entry."""

import json
from pathlib import Path
from typing import Any

import pytest

from pixquery.engine.standing import NOTHING_FITS
from tests.conftest import Invoke, Spawn, parsed

POOR = f"{NOTHING_FITS}; these photos come closest:\n"


@pytest.fixture
def words(tmp_path: Path, squares: Path, english: Path, invoke: Invoke) -> Path:
    """A library of the squares, whose profile understands English."""
    folder = tmp_path / "library"
    done = invoke("index", squares, "--library", folder, "--profile", english)
    assert done.exit_code == 0, done.output
    return folder


def first(run: Any) -> str:
    return Path(str(run.stdout).splitlines()[0].split("\t")[-1]).stem


def test_what_was_searched_is_said_beside_the_hits(words: Path, invoke: Invoke) -> None:
    run = invoke("query", "show me my photos of red", "--library", words, "-k", "1")
    assert run.exit_code == 0
    assert first(run) == "red"
    assert run.stderr == "searching for: red\n"


@pytest.mark.parametrize("text", ["red", "a red", "reds", '"red"'])
def test_small_changes_are_not_said(words: Path, invoke: Invoke, text: str) -> None:
    assert invoke("query", text, "--library", words).stderr == ""


def test_what_is_not_wanted_is_said(words: Path, invoke: Invoke) -> None:
    run = invoke("query", "red without blue", "--library", words, "-k", "1")
    said, hint = run.stderr.splitlines()
    assert said == "searching for: red, without blue"
    assert hint.startswith("ordered by likeness, as relevance is only predicted")
    assert run.stdout.split("\t")[1] == ""  # no relevance


def test_exact_searches_word_for_word(words: Path, invoke: Invoke) -> None:
    run = invoke("query", "red without blue", "--exact", "--library", words, "-k", "1")
    assert run.stderr == ""
    assert float(run.stdout.split("\t")[1]) > 0


def test_a_typing_error_gets_an_offer(words: Path, invoke: Invoke) -> None:
    run = invoke("query", "photos of yelolw", "--library", words)
    assert run.exit_code == 0
    assert run.stderr == f"searching for: yelolw\ndid you mean: photos of yellow?\n{POOR}"
    assert invoke("query", "asdfgh qwerty", "--library", words).stderr == POOR


def test_another_language_gets_a_hint(words: Path, invoke: Invoke) -> None:
    run = invoke("query", "ein Hund im Schnee", "--library", words)
    assert run.exit_code == 0
    assert run.stderr == (
        "the profile english understands English, and this looks like German: "
        f"`pixquery models list` shows profiles for other languages\n{POOR}"
    )


def test_json_carries_it_all_and_stderr_nothing(words: Path, invoke: Invoke) -> None:
    typed = "my photos of yelolw without red"
    run = invoke("query", typed, "--library", words, "--json")
    assert run.stderr == ""
    answer = parsed(run)
    assert answer["query"] == typed
    assert answer["searched"] == {"text": "yelolw", "also": "", "minus": ["red"]}
    assert answer["suggestions"] == ["my photos of yellow without red"]
    assert len(answer["hints"]) == 1
    plural = parsed(invoke("query", "reds", "--library", words, "--json"))
    assert plural["searched"] == {"text": "reds", "also": "red", "minus": []}


def test_data_for_programs_stays_clean(words: Path, spawn: Spawn) -> None:
    done = spawn("query", "my pictures of red", "--library", words, "-k", "1", "--ndjson")
    assert json.loads(done.stdout)["rank"] == 1
    assert done.stderr == "searching for: red\n"
    done = spawn("query", "my pictures of red", "--library", words, "-k", "1", "--paths")
    assert Path(done.stdout.strip()).stem == "red"


def test_a_least_relevance_goes_together_with_without(words: Path, invoke: Invoke) -> None:
    run = invoke("query", "red without blue", "--library", words, "--min-relevance", "0.1")
    assert run.exit_code == 0
    assert "searched like the rest" in run.stderr


def test_an_assistant_is_told(tmp_path: Path, words: Path) -> None:
    pytest.importorskip("mcp", reason="the extra mcp is not installed")
    from mcp import Client
    from mcp.types import TextContent

    from tests.test_assistants import talk

    async def do(client: Client) -> Any:
        plain = {"k": 1, "thumbnails": False}
        calls = [
            {"description": "my photos of yelolw without blue", **plain},
            {"description": "my photos of red", "exact": True, **plain},
        ]
        return [await client.call_tool("search_photos", call) for call in calls]

    told, exact = talk(words, do, tmp_path / "log")
    block = told.content[0]
    assert isinstance(block, TextContent)
    assert block.text.splitlines() == [
        "Searched for: yelolw, without blue.",
        "Did you mean: my photos of yellow without blue?",
        "Note: ordered by likeness, as relevance is only predicted for a single description.",
        "1 photo of 8, best first:",
    ]
    assert exact.content[0].text == "1 photo of 8, best first:"


def test_the_api_carries_it_all(words: Path, tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason="the extra web is not installed")
    from starlette.testclient import TestClient

    from pixquery.web.reader import Reader
    from tests.web.conftest import client_of

    client: TestClient
    with client_of(Reader(words, look_again=0)) as client:
        page = client.get("/api/search", params={"q": "photos of yelolw without blue"}).json()
        assert page["query"] == "photos of yelolw without blue"
        assert page["searched"] == {
            "text": "yelolw", "also": "", "minus": ["blue"], "reworded": True
        }  # fmt: skip
        assert page["suggestions"] == ["photos of yellow without blue"]
        assert len(page["hints"]) == 1
        assert page["judged"] is False
        exact = client.get("/api/search", params={"q": "red without blue", "exact": "true"}).json()
        assert (exact["searched"], exact["hints"], exact["judged"]) == (None, [], True)
        sure = client.get("/api/search", params={"q": "red without blue", "min_relevance": 0.1})
        assert sure.json()["judged"] is True
        newest = client.get("/api/search").json()
        assert (newest["searched"], newest["suggestions"], newest["hints"]) == (None, [], [])
