"""What an assistant sends over MCP: each request is answered, however odd its line is."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY, square

pytest.importorskip("mcp", reason="the extra mcp is not installed")

HELLO: dict[str, Any] = {
    "jsonrpc": "2.0", "id": "hello", "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {},
               "clientInfo": {"name": "test", "version": "1"}},
}  # fmt: skip
INVALID_REQUEST, PARSE_ERROR = -32600, -32700


def call(request: Any, tool: str = "search_photos", **arguments: Any) -> str:
    """A line that calls a tool."""
    if tool == "search_photos":
        arguments = {"description": "red", "k": 1, "thumbnails": False} | arguments
    params = {"name": tool, "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": request, "method": "tools/call", "params": params}
    return json.dumps(message)


def converse(library: Path, *lines: str | bytes) -> tuple[list[Any], str]:
    """Pipes lines to a server, whose input ends after them; its answers, and its stderr."""
    whole = [json.dumps(HELLO), '{"jsonrpc": "2.0", "method": "notifications/initialized"}', *lines]
    content = b"".join((x if isinstance(x, bytes) else x.encode()) + b"\n" for x in whole)
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "cli.py"), "mcp", "--library", str(library)],
        input=content, capture_output=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(answer["jsonrpc"] == "2.0" for answer in answers)
    return answers[1:], done.stderr.decode()


def found(answer: Any) -> list[str]:
    return [part["text"] for part in answer["result"]["content"]]


def test_every_id_that_json_rpc_allows_comes_back(place: Path) -> None:
    ids = [2**70, -5, 0, "", "x" * 100_000, "\u202e☂"]
    answers, errors = converse(place, *map(call, ids))
    assert errors == ""
    assert {answer["id"] for answer in answers} == set(ids)
    assert all("red" in found(answer)[1] for answer in answers)


def test_ids_of_other_types_are_refused(place: Path) -> None:
    odd = ["null", "1.5", "true", "[]", "{}", "1e400", '"\\ud800"']
    answers, errors = converse(place, *(call(1).replace('"id": 1', f'"id": {x}') for x in odd))
    assert errors == ""
    assert [(each["id"], each["error"]["code"]) for each in answers] == (
        [(None, INVALID_REQUEST)] * len(odd)
    )


def test_lines_that_are_no_request_are_refused(place: Path) -> None:
    lines = ["nonsense", "{", "[" * 100_000, '{"a":' * 100_000, "1" + "0" * 5000, "[1, 2]", "7",
             '{"jsonrpc": "1.0", "id": 8, "method": "ping"}',
             '{"jsonrpc": "2.0", "id": 9, "method": 5}']  # fmt: skip
    answers, errors = converse(place, *lines, "", "   ")
    assert errors == ""
    assert sorted((each["id"] or 0, each["error"]["code"]) for each in answers) == [
        *[(0, PARSE_ERROR)] * 5, *[(0, INVALID_REQUEST)] * 2, (8, INVALID_REQUEST),
        (9, INVALID_REQUEST),
    ]  # fmt: skip


def test_texts_with_halves_of_characters_are_searched_without(place: Path) -> None:
    answers, errors = converse(
        place,
        call(1, description="red \ud800"),
        call(2, path="*\udce9*"),
        call(3).encode().replace(b"red", b"red caf\xe9"),
        call(4, description="red \ud83d\ude00"),  # two halves that make one
    )
    assert errors == ""
    by_id = {answer["id"]: found(answer) for answer in answers}
    assert "red" in by_id[1][1]
    assert by_id[2] == ["None of the 8 photos matches the filters: remove one or widen it."]
    assert "red" in by_id[3][1]
    assert "red" in by_id[4][1]


def test_numbers_beyond_everything_are_sentences(place: Path) -> None:
    answers, errors = converse(
        place,
        call(1, like_id=2**70),
        call(2, offset=2**70),
        call(3, "photo_details", id=2**70),
        call(4, description="x" * 10**6),
    )
    assert errors == ""
    texts = {answer["id"]: found(answer)[0] for answer in answers}
    assert "no photo with the id" in texts[1]
    assert "offset must be from 0 to" in texts[2]
    assert "no photo with the id" in texts[3]
    assert "1,000,000 characters" in texts[4]


def test_no_text_has_escape_sequences(place: Path, squares: Path, invoke: Any) -> None:
    square(squares / "esc\x1b[31m\u202e.png", "red")
    assert invoke("index", "--library", place).exit_code == 0
    answers, _ = converse(
        place, call(1, k=9), call(2, "esc\x1b[31m"), call(3, format="\x1b[31m"), call(4, k="\x1b"),
        '{"jsonrpc": "2.0", "id": 5, "method": "\\u001b[31m"}',
    )  # fmt: skip
    assert {answer["id"] for answer in answers} == {1, 2, 3, 4, 5}
    for answer in answers:
        texts = [answer["error"]["message"]] if "error" in answer else found(answer)
        assert not any(mark in text for mark in "\x1b\u202e" for text in texts)


def test_a_reader_that_leaves_is_no_error(place: Path) -> None:
    lines = "".join(f"{line}\n" for line in [json.dumps(HELLO), *(call(n) for n in range(50))])
    server = subprocess.Popen(
        [sys.executable, str(REPOSITORY / "cli.py"), "mcp", "--library", str(place)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert server.stdin is not None
    assert server.stdout is not None
    assert server.stderr is not None
    server.stdout.close()
    server.stdin.write(lines.encode())
    server.stdin.close()
    assert server.wait(60) == 0
    assert server.stderr.read() == b""
    server.stderr.close()
