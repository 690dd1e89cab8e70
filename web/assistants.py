"""A Model Context Protocol server over stdin and stdout: assistants find photos by describing them.

The protocol: https://modelcontextprotocol.io. Nothing but its messages may go to stdout.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Annotated, Literal

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, ContentBlock, ImageContent, TextContent, ToolAnnotations
from pydantic import Field

from pixquery.db.errors import PixqueryError, UnreadableImage
from pixquery.db.records import Filter, ImageRecord
from pixquery.engine import wording
from pixquery.engine.answers import Answer, Hit
from pixquery.engine.library import Library
from pixquery.engine.search import Part, Query
from pixquery.indexer.photos import thumbnail_of
from pixquery.web.sheet import as_data
from pixquery.web.words import fit, photos

MOST_HITS = 30
SMALL, LARGE = 384, 1024
"""Longer sides of pictures in answers, in pixels."""

_INSTRUCTIONS = """\
pixquery finds photos on this computer by what is to be seen in them. Describe the picture in plain
English, as a caption would: "a man on a bicycle in the rain" rather than "cycling photos". It knows
everyday things, animals, scenes and actions; it does not read text in pictures and knows no names
of people or places. Each hit has an id: give it to photo_details to look closer, or to
search_photos as like_id for more of the same. Judge the thumbnails yourself: the best of many
photos may still not show what was asked for. Relevance says how well a photo fits, from 0 (not at
all) to 1 (very well)."""

_SEARCH = """\
Finds the photos that fit a description best, in order, with thumbnails.

Give a description, or like_id (the id of an earlier hit) for similar photos, or both; more_of and
less_of shift the result towards or away from something. Filters narrow the photos down before the
search. With filters alone the newest photos come first. Relevance is predicted for a description
alone; otherwise hits tell their likeness, which orders them but means nothing by itself. If nothing
fits, try other words or fewer filters; offset turns the page."""

_DETAILS = """\
Shows one photo larger and tells what is known of it: path, format, size in pixels and bytes, and
when, where and with which camera it was taken, as far as the camera noted it. Takes a hit's id."""

_INFO = """\
Tells how many photos there are, in which folders, of which formats, cameras and years. Useful
before filtering, or when a search finds nothing."""

_When = Annotated[
    str, Field(description="2023, 2023-07, 2023-07-14, 2023..2024-06, 2023.. or ..2020")
]


def serve(library: Library) -> None:
    """Answers an assistant until it hangs up."""
    server(library).run("stdio")


def server(library: Library) -> MCPServer[None]:
    """The tools over a library, which stays the caller's to close."""
    found = MCPServer[None](
        "pixquery",
        title="Photos by description",
        instructions=_INSTRUCTIONS,
        log_level="WARNING",  # on stderr, where somebody may read it
    )
    tools = _Tools(library)
    reading = ToolAnnotations(
        read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )
    tool: Callable[..., CallToolResult]
    for tool, title, description in (
        (tools.search_photos, "Search photos", _SEARCH),
        (tools.photo_details, "Details of a photo", _DETAILS),
        (tools.library_info, "What the library holds", _INFO),
    ):
        found.add_tool(
            tool, title=title, description=description, annotations=reading, structured_output=False
        )
    return found


class _Tools:
    """Each method is a tool; the protocol's schema of its arguments is read off its signature."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._one_at_a_time = Lock()  # the models use all cores for one question

    def search_photos(
        self,
        description: Annotated[str, Field(description="What the photos show, in words")] = "",
        k: Annotated[int, Field(ge=1, le=MOST_HITS, description="How many photos")] = 6,
        offset: Annotated[int, Field(ge=0, description="Photos to leave out at the top")] = 0,
        like_id: Annotated[int | None, Field(ge=1, description="Similar to this photo")] = None,
        more_of: Annotated[str, Field(description="Also wanted, in words")] = "",
        less_of: Annotated[str, Field(description="Not wanted, in words")] = "",
        min_relevance: Annotated[
            float, Field(ge=0, le=1, description="0.5 leaves out what does not fit")
        ] = 0.0,
        taken: _When = "",
        path: Annotated[str, Field(description="Glob over whole paths, such as */2019/*")] = "",
        orientation: Literal["landscape", "portrait", "square"] | None = None,
        format: Annotated[str, Field(description="jpeg, png, heic, raw ...")] = "",
        camera: Annotated[str, Field(description="Part of the camera's name")] = "",
        near: Annotated[
            str, Field(description="LAT,LON or LAT,LON,KM: taken there, within 10 km or KM")
        ] = "",
        thumbnails: Annotated[bool, Field(description="Send pictures, too")] = True,
    ) -> CallToolResult:
        with self._answering() as library:
            parts = [Part(id=like_id)] if like_id else []
            parts += [Part(more_of)] if more_of.strip() else []
            parts += [Part(less_of, weight=-1)] if less_of.strip() else []
            where = Filter(
                paths=(path,) if path else (),
                taken=wording.period(taken) if taken else None,
                orientation=orientation,
                formats=(wording.format_name(format),) if format else (),
                camera=camera,
                near=wording.near(near) if near else None,
            )
            answer = library.search(
                Query(
                    description, k, offset, min_relevance=min_relevance, parts=tuple(parts),
                    where=where,
                )
            )  # fmt: skip
            held = len(library)
        content: list[ContentBlock] = [_words(_summary(answer, held))]
        for hit in answer.hits:
            content.append(_words(_hit(hit)))
            if thumbnails:
                content.append(_picture(hit.path, SMALL))
        return CallToolResult(content=content)

    def photo_details(
        self,
        id: Annotated[int, Field(ge=1, description="Of a hit")],
    ) -> CallToolResult:
        with self._answering() as library:
            record = library.photo(id)
        return CallToolResult(content=[_words(_details(record)), _picture(record.path, LARGE)])

    def library_info(self) -> CallToolResult:
        with self._answering() as library:
            info, facets = library.info(), library.catalog.facets()
        lines = [f"{photos(info.images)}, profile {info.profile}."]
        lines += [
            f"Folder: {_clean(str(root.path))} ({photos(root.images)})" for root in info.roots
        ]
        for what, tallies in (
            ("Formats", facets.formats), ("Cameras", facets.cameras), ("Years", facets.years),
        ):  # fmt: skip
            told = ", ".join(f"{_clean(each.name)} ({each.images:,})" for each in tallies[:30])
            lines.append(f"{what}: {told or 'none noted'}")
        return CallToolResult(content=[_words("\n".join(lines))])

    @contextmanager
    def _answering(self) -> Iterator[Library]:
        """What goes wrong on purpose is told as the sentence it is."""
        with self._one_at_a_time:
            try:
                self._library.refresh()
                yield self._library
            except PixqueryError as error:
                raise ToolError(_clean(str(error))) from error


def _summary(answer: Answer, held: int) -> str:
    if answer.hits:
        order = "best first" if answer.query else "newest first"
        return f"{photos(len(answer.hits))} of {answer.among:,}, {order}:"
    if not held:
        return "The library holds no photos yet."
    if not answer.among:
        return f"None of the {held:,} photos passes the filters: leave one out or widen it."
    return "Nothing fits, or the offset is beyond the last photo: use other words or ask for less."


def _hit(hit: Hit) -> str:
    words = fit(hit.relevance, hit.similarity).words
    if hit.relevance is not None:
        words += f" (relevance {hit.relevance:.2f})"
    facts = [words, f"{hit.width} x {hit.height} pixels"]
    facts += [f"taken {hit.taken:%Y-%m-%d %H:%M}"] if hit.taken else []
    told = "; ".join(filter(None, facts))
    return f"{hit.rank}. id {hit.id}: {told}; {_clean(str(hit.path))}"


def _details(record: ImageRecord) -> str:
    megapixels = record.width * record.height / 1e6
    facts = {
        "id": str(record.id),
        "path": _clean(str(record.path)),
        "format": record.format or "not noted",
        "size": f"{record.width} x {record.height} pixels ({megapixels:.1f} megapixels), "
        f"{record.state.size:,} bytes",
        "taken": f"{record.taken:%Y-%m-%d %H:%M:%S}" if record.taken else "not noted",
        "camera": _clean(record.camera) or "not noted",
        "place": "{:.5f},{:.5f}".format(*record.place) if record.place else "not noted",
    }
    return "\n".join(f"{name}: {value}" for name, value in facts.items())


def _picture(path: Path, side: int) -> ContentBlock:
    try:
        small = thumbnail_of(path, side)
    except UnreadableImage as error:
        return _words(f"(the picture cannot be shown: {_clean(str(error))})")
    return ImageContent(type="image", data=as_data(small), mime_type="image/jpeg")


def _words(text: str) -> TextContent:
    return TextContent(type="text", text=text)


def _clean(text: str) -> str:
    """What a message can carry: no stray bytes of names, nor breaks where a line is meant."""
    valid = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in valid)
