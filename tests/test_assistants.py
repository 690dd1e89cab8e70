"""The MCP server, used by the SDK's own client over stdin and stdout."""

import base64
import io
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import pixquery
from pixquery import Library
from pixquery.db.metadata import Noted
from pixquery.db.records import Annotation, Line, Locality
from tests.conftest import REPOSITORY, Invoke, parsed, square
from tests.lessons import oranges

pytest.importorskip("mcp", reason="the extra mcp is not installed")

import anyio
from mcp import Client, StdioServerParameters, stdio_client
from mcp.types import CallToolResult, ImageContent, TextContent

Ask = Callable[..., list[CallToolResult]]


@pytest.fixture
def place(tmp_path: Path, squares: Path, colours: Path, invoke: Invoke) -> Path:
    """A library of the squares."""
    exif = Image.Exif()
    exif[0x010F] = "Pinhole"
    square(squares / "taken.jpg", (250, 130, 10), (300, 200), exif=exif)
    folder = tmp_path / "library"
    assert invoke("index", squares, "--library", folder, "--profile", colours).exit_code == 0
    return folder


def started(library: Path) -> StdioServerParameters:
    words = [str(REPOSITORY / "cli.py"), "mcp", "--library", str(library)]

    return StdioServerParameters(command=sys.executable, args=words, env=dict(os.environ))


def talk(library: Path, do: Callable[[Client], Awaitable[Any]], errors: Path) -> Any:
    """Starts a server, runs a conversation with it, and returns the result."""

    async def conversation() -> Any:
        with errors.open("w") as log, anyio.fail_after(90):
            async with Client(stdio_client(started(library), errlog=log)) as client:
                return await do(client)

    return anyio.run(conversation)


@pytest.fixture
def ask(place: Path, tmp_path: Path) -> Ask:
    """Calls tools, given as pairs of name and arguments, in one conversation."""

    def call(*calls: tuple[str, dict[str, Any]]) -> list[CallToolResult]:
        async def do(client: Client) -> list[CallToolResult]:
            return [await client.call_tool(name, arguments) for name, arguments in calls]

        results: list[CallToolResult] = talk(place, do, tmp_path / "errors")
        assert (tmp_path / "errors").read_text() == ""
        return results

    return call


def words(result: CallToolResult) -> list[str]:
    return [part.text for part in result.content if isinstance(part, TextContent)]


def pictures(result: CallToolResult) -> list[Image.Image]:
    images: list[Image.Image] = []
    for part in result.content:
        if isinstance(part, ImageContent):
            assert part.mime_type == "image/jpeg"
            images.append(Image.open(io.BytesIO(base64.b64decode(part.data))))
    return images


def test_the_tools_are_described(place: Path, tmp_path: Path) -> None:
    async def do(client: Client) -> Any:
        return client.instructions, (await client.list_tools()).tools

    instructions, tools = talk(place, do, tmp_path / "errors")
    assert "plain English" in instructions
    assert [tool.name for tool in tools] == ["search_photos", "photo_details", "library_info"]
    for tool in tools:
        assert len(tool.description) > 100
        assert tool.annotations.read_only_hint
        for name, schema in tool.input_schema["properties"].items():
            assert schema.get("description") or name == "orientation", name
    assert tools[0].input_schema.get("required", []) == []
    assert tools[1].input_schema["required"] == ["id"]


def test_the_server_says_its_version(place: Path, tmp_path: Path) -> None:
    async def do(client: Client) -> Any:
        return client.server_info

    assert talk(place, do, tmp_path / "errors").version == pixquery.__version__


def test_answers_are_also_data_that_keeps_its_schema(place: Path, tmp_path: Path) -> None:
    """The SDK's client checks the data against the schema of the tool."""

    async def do(client: Client) -> Any:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        found = await client.call_tool("search_photos", {"description": "red", "k": 2})
        one = found.structured_content["hits"][0]["id"]
        details = await client.call_tool("photo_details", {"id": one})
        return tools, found, details, await client.call_tool("library_info", {})

    tools, found, details, info = talk(place, do, tmp_path / "errors")
    assert all(tool.output_schema["properties"] for tool in tools.values())
    data = found.structured_content
    assert (data["query"], data["among"], data["fits"]) == ("red", 9, 2)
    assert [hit["rank"] for hit in data["hits"]] == [1, 2]
    best = data["hits"][0]
    assert Path(best["path"]).stem == "red"
    assert (best["relevance"], best["standing"]) == (1.0, "fits very well")
    assert (best["width"], best["height"], best["taken"]) == (24, 16, None)
    assert details.structured_content["path"] == best["path"]
    assert details.structured_content["bytes"] == Path(best["path"]).stat().st_size
    assert info.structured_content["images"] == 9
    assert {"name": "Pinhole", "images": 1} in info.structured_content["cameras"]


def test_a_search_answers_with_words_and_pictures(ask: Ask, squares: Path) -> None:
    result, without = ask(
        ("search_photos", {"description": "red", "k": 2}),
        ("search_photos", {"description": "red", "k": 2, "thumbnails": False}),
    )
    summary, best, second = words(result)
    assert summary == "2 photos of 9, best first:"
    assert best.startswith("1. id ")
    assert "fits very well (relevance 1.00); 24 x 16 pixels;" in best
    assert best.endswith(str(next(squares.rglob("red.*"))))
    assert second.startswith("2. id ")
    first, _ = pictures(result)
    assert first.size == (24, 16)
    red, green, blue = first.convert("RGB").getpixel((12, 8))  # type: ignore[misc]
    assert red > 240 > 15 > max(green, blue)
    assert words(without) == words(result)
    assert pictures(without) == []


def test_examples_parts_filters_and_pages(ask: Ask) -> None:
    first, more, page, newest = ask(
        ("search_photos", {"description": "red", "k": 1, "thumbnails": False}),
        ("search_photos", {"description": "red", "less_of": "blue", "k": 1, "thumbnails": False}),
        ("search_photos", {"description": "red", "offset": 8, "thumbnails": False}),
        ("search_photos", {"camera": "pinhole", "thumbnails": False}),
    )
    assert "relevance" in words(first)[1]
    assert "likeness" in words(more)[1]
    assert len(words(page)) == 2
    assert words(page)[1].startswith("9. ")
    assert words(newest)[0] == "1 photo of 1, newest first:"
    assert "taken.jpg" in words(newest)[1]
    image_id = int(words(newest)[1].split("id ")[1].split(":")[0])
    (like,) = ask(("search_photos", {"like_id": image_id, "k": 8, "thumbnails": False}))
    assert len(words(like)) == 9
    assert not any("taken.jpg" in line for line in words(like))


def test_details(ask: Ask, squares: Path) -> None:
    (result,) = ask(("search_photos", {"camera": "pinhole", "thumbnails": False}))
    image_id = int(words(result)[1].split("id ")[1].split(":")[0])
    (details,) = ask(("photo_details", {"id": image_id}))
    (text,) = words(details)
    for fact in (
        f"path: {squares / 'taken.jpg'}",
        "format: JPEG",
        "size: 300 x 200 pixels",
        "camera: Pinhole",
        "place: not recorded",
    ):
        assert fact in text.splitlines() or any(line.startswith(fact) for line in text.splitlines())
    (picture,) = pictures(details)
    assert picture.size == (300, 200)


def test_what_photos_say_of_themselves(place: Path, squares: Path, ask: Ask) -> None:
    written = Annotation("Dusk", "Late.\x1b", ("holiday",), ("Anna Smith",), 4, "Red", ("Alfama",))
    with Library.open(place) as library, library.writing():
        ids = {record.path.stem: record.id for record in library}
        line = Line("BOARDING PASS", 0.9, (0.0, 0.0, 1.0, 0.0, 1.0, 0.5, 0.0, 0.5))
        library.catalog.note_readings({ids["blue"]: [line]}, "reader")
        library.catalog.annotate({ids["green"]: Noted(written)})
        lisbon = Locality("Lisbon", "Lisbon", "Portugal", "PT")
        library.catalog.locate({ids["green"]: lisbon}, "gazetteer")
    searches: list[dict[str, Any]] = [
        {"description": "boarding pass", "k": 1}, {"text": "pass"}, {"place": "Lisbon"},
        {"description": "red in Lisbon"}, {"description": "anna", "k": 1},
    ]  # fmt: skip
    said, text, there, recognised, anna = ask(
        *(("search_photos", search | {"thumbnails": False}) for search in searches)
    )
    assert 'found by text: "BOARDING PASS"' in words(said)[1]
    assert words(said)[1].endswith(str(next(squares.rglob("blue.*"))))
    assert words(text)[0].startswith("1 photo of 1")
    assert "found by place: Lisbon, Portugal" in words(there)[1]
    assert "looks like it" not in words(recognised)[1]
    assert words(recognised)[0].startswith('Taken as a filter: "Lisbon", meaning place Lisbon.')
    assert "found by person: Anna Smith" in words(anna)[1]
    green, blue, info = ask(
        ("photo_details", {"id": ids["green"]}), ("photo_details", {"id": ids["blue"]}),
        ("library_info", {}),
    )  # fmt: skip
    lines = words(green)[0].splitlines()
    for fact in (
        "place name: Lisbon, Portugal", "title: Dusk", "keywords: holiday", "people: Anna Smith",
        "rating: 4 of 5 stars", "label: Red", "place as written: Alfama",
    ):  # fmt: skip
        assert fact in lines
    assert "\x1b" not in words(green)[0]
    assert "text in the photo: \n  BOARDING PASS" in words(blue)[0]
    assert "Places: Lisbon (1), Portugal (1)" in words(info)[0]
    assert "Text: read in 1 of 9 photos" in words(info)[0]


def test_the_library_is_described(
    ask: Ask, squares: Path, place: Path, tmp_path: Path, invoke: Invoke
) -> None:
    (result,) = ask(("library_info", {}))
    (text,) = words(result)
    assert text.startswith("9 photos, profile colours.")
    assert f"Folder: {squares} (9 photos)" in text
    assert "Cameras: Pinhole (1)" in text
    assert "Taught" not in text
    examples = oranges(tmp_path / "examples")
    assert invoke("models", "teach", "sunset", *examples, "--library", place).exit_code == 0
    result, found = ask(("library_info", {}), ("search_photos", {"description": "sunset", "k": 1}))
    assert "Taught by example photos: sunset\n" in words(result)[0]
    assert words(found)[1].endswith(str(squares / "taken.jpg"))


def test_errors_are_sentences(ask: Ask) -> None:
    calls: list[tuple[str, dict[str, Any], str]] = [
        ("search_photos", {}, "the query is empty"),
        ("search_photos", {"description": "x" * 1001}, "characters"),
        ("search_photos", {"description": "red", "taken": "summer"}, "is not a time"),
        ("search_photos", {"description": "red", "near": "Vienna,x,y"}, "no place named"),
        ("search_photos", {"description": "red", "place": "Lisbn"}, "no place named"),
        ("search_photos", {"text": "?!"}, "could stand in a photo"),
        ("search_photos", {"description": "red", "rating": "many"}, "is not a rating"),
        ("search_photos", {"description": "red", "format": "doc"}, "there is no format"),
        ("search_photos", {"less_of": "red"}, "says only what is not wanted"),
        ("search_photos", {"like_id": 999}, "no photo with the id 999"),
        ("search_photos", {"description": "red", "k": 1000}, "less than or equal to 30"),
        ("photo_details", {"id": 999}, "no photo with the id 999"),
    ]
    answers = ask(*((name, arguments) for name, arguments, _ in calls))
    for (name, arguments, part), answer in zip(calls, answers, strict=True):
        assert answer.is_error, (name, arguments)
        (text,) = words(answer)
        assert part in text, text
        assert "Traceback" not in text
    nothing, empty = ask(
        ("search_photos", {"description": "red", "camera": "Brownie"}),
        ("search_photos", {"description": "red", "offset": 99}),
    )
    assert words(nothing) == ["None of the 9 photos matches the filters: remove one or widen it."]
    assert not nothing.is_error
    assert words(empty)[0].startswith("Nothing fits")


def test_a_photo_that_is_gone_leaves_its_words(ask: Ask, squares: Path) -> None:
    next(squares.rglob("red.*")).unlink()
    (result,) = ask(("search_photos", {"description": "red", "k": 1}))
    assert words(result)[2] == "(the picture cannot be shown: No such file or directory)"


def test_the_policy_holds(place: Path, invoke: Invoke, ask: Ask) -> None:
    assert invoke("policy", "on", "--library", place).exit_code == 0
    (refused,) = ask(("search_photos", {"description": "a child in red"}))
    assert refused.is_error
    assert "stop-word policy" in words(refused)[0]


def test_nothing_but_the_protocol_on_stdout(place: Path) -> None:
    """Even of what is no message."""
    hello = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {},
                   "clientInfo": {"name": "test", "version": "1"}},
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "cli.py"), "mcp", "--library", str(place)],
        input=f"{json.dumps(hello)}\nnonsense\n", capture_output=True, text=True, timeout=90,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines
    assert all(line["jsonrpc"] == "2.0" for line in lines)
    assert lines[0]["result"]["serverInfo"]["name"] == "pixquery"


def test_without_a_library_there_is_a_sentence(tmp_path: Path, invoke: Invoke) -> None:
    done = invoke("mcp", "--library", tmp_path / "none")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "there is no library" in done.stderr


def test_the_entry_for_settings_starts_it(
    place: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)  # not installed: a clone
    entry = parsed(invoke("mcp", "--library", place, "--json"))["mcpServers"]["pixquery"]
    assert entry["args"][-3:] == ["mcp", "--library", str(place)]
    done = subprocess.run(
        [entry["command"], *entry["args"]], input="", capture_output=True, timeout=90, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"")
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    entry = parsed(invoke("mcp", "--library", place, "--json"))["mcpServers"]["pixquery"]
    assert entry["command"] == "/bin/pixquery"
