"""An MCP server over stdin and stdout, with which assistants find photos by describing them.

The protocol is described at https://modelcontextprotocol.io. Only its messages may go to stdout.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Annotated, Literal

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.stdio import stdio_server
from mcp.types import CallToolResult, ContentBlock, ImageContent, TextContent, ToolAnnotations
from pydantic import BaseModel, Field

from pixquery.db.errors import PixqueryError, UnreadableImage
from pixquery.db.records import Annotation, Filter, ImageRecord
from pixquery.engine import wording
from pixquery.engine.answers import Answer, Hit
from pixquery.engine.legible import counted, legible
from pixquery.engine.library import Library
from pixquery.engine.mentions import by_words
from pixquery.engine.query import Part, Query
from pixquery.engine.standing import FITS, NOTHING_FITS, in_figures, in_words
from pixquery.indexer.thumbnails import thumbnail_of
from pixquery.web.answers import Details, details
from pixquery.web.descriptions import Described, tallied
from pixquery.web.findings import FoundPhotos, LibrarySummary, found_photos, library_summary
from pixquery.web.messages import Incoming, Outgoing
from pixquery.web.sheet import as_data

MOST_HITS = 30
SMALL, LARGE = 384, 1024
"""Longer sides of the pictures in answers, in pixels."""

_INSTRUCTIONS = """\
pixquery finds photos on this computer by what they show. Describe the picture in plain English, as
a caption would: "a man on a bicycle in the rain" rather than "cycling photos". It recognises
everyday things, animals, scenes and actions. It also finds words of the description that stand in a
photo, as far as the library has read its photos (library_info says how far); titles, captions,
keywords and names of persons that the owner wrote in other programs; towns, regions and countries,
of photos whose camera noted coordinates; and dates in words, such as "summer 2019" or "last
christmas". It knows no faces: a person nobody named is not found by name. Each hit says which words
found it, and has an id: pass it to photo_details for a closer look, or to search_photos as like_id
to find similar photos. Look at the thumbnails yourself: even the best match may not show what the
user wants. Relevance says how well a photo fits, from 0 (not at all) to 1 (very well)."""

_SEARCH = """\
Finds the photos that best fit a description, best first, with thumbnails.

Pass a description, or like_id (the id of an earlier hit) for similar photos, or both; more_of and
less_of shift the results towards or away from something. Dates and places in the description become
filters, and the answer says so; exact prevents that. Pass text for words that must stand in the
photo, such as a name on a sign. Filters limit which photos are searched.
With filters alone, the newest photos come first. Hits have a relevance if the search is a
description alone and the library's profile predicts it. Otherwise they have a likeness, which
orders them but means nothing by itself. If nothing fits, try other words or fewer filters. Use
offset for the next page."""

_DETAILS = """\
Shows one photo larger, with its path, format, size in pixels and bytes, and, if the camera recorded
them, when, where (with the names of the place) and with which camera it was taken. Also the text
that was read in it, and what its owner wrote. Takes the id of a hit."""

_INFO = """\
Lists the library's folders, formats, cameras, years and places, with the number of photos of each,
and says in how many photos text was read. Useful before filtering, or when nothing is found."""

_When = Annotated[
    str, Field(description="2023, 2023-07, 2023-07-14, 2023..2024-06, 2023.. or ..2020")
]


def serve(library: Library, version: str) -> None:
    """Answers an assistant until it disconnects.

    Args:
        library: What it may search.
        version: Of pixquery, which assistants show.

    Raises:
        BaseException: What ended the first task that failed, such as an OSError.
    """
    try:
        server(library, version).run("stdio")
    except BaseExceptionGroup as group:  # of the tasks that read and write
        failed: BaseException = group
        while isinstance(failed, BaseExceptionGroup):
            failed = failed.exceptions[0]
        raise failed from None


class _Server(MCPServer[None]):
    """The SDK's server, which answers every request."""

    async def run_stdio_async(self) -> None:
        async with stdio_server() as (read, write):
            outgoing = Outgoing(write)
            await self._lowlevel_server.run(
                Incoming(read, outgoing),
                outgoing,
                self._lowlevel_server.create_initialization_options(),
            )


def server(library: Library, version: str) -> MCPServer[None]:
    """The tools over a library, which the caller closes; ``version`` is pixquery's."""
    server = _Server(
        "pixquery",
        title="Photos by description",
        version=version,
        instructions=_INSTRUCTIONS,
        log_level="WARNING",  # on stderr
    )
    tools = _Tools(library)
    reading = ToolAnnotations(
        read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )
    tool: Callable[..., CallToolResult]
    for tool, title, description in (
        (tools.search_photos, "Search photos", _SEARCH),
        (tools.photo_details, "Photo details", _DETAILS),
        (tools.library_info, "Library contents", _INFO),
    ):
        server.add_tool(tool, title=title, description=description, annotations=reading)
    return server


class _Tools:
    """Each method is a tool. The schema of its arguments is derived from its signature."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._one_at_a_time = Lock()  # one query already uses all cores

    def search_photos(
        self,
        description: Annotated[str, Field(description="What the photos show, in words")] = "",
        k: Annotated[int, Field(ge=1, le=MOST_HITS, description="Number of photos")] = 6,
        offset: Annotated[int, Field(ge=0, description="Number of hits to skip")] = 0,
        like_id: Annotated[
            int | None, Field(ge=1, description="Id of a photo that hits resemble")
        ] = None,
        more_of: Annotated[str, Field(description="What to show more of, in words")] = "",
        less_of: Annotated[str, Field(description="What to show less of, in words")] = "",
        exact: Annotated[bool, Field(description="Take the description word for word")] = False,
        min_relevance: Annotated[
            float, Field(ge=0, le=1, description=f"{FITS:g} leaves out photos that do not fit")
        ] = 0.0,
        taken: _When = "",
        path: Annotated[
            str, Field(description="Glob that matches the whole path, such as */2019/*")
        ] = "",
        orientation: Literal["landscape", "portrait", "square"] | None = None,
        format: Annotated[str, Field(description="jpeg, png, heic, raw ...")] = "",
        camera: Annotated[str, Field(description="Part of the camera's name")] = "",
        near: Annotated[
            str, Field(description="A town, or LAT,LON; after another comma KM (default 10)")
        ] = "",
        place: Annotated[
            str, Field(description="Town, region or country; Paris, Texas says which")
        ] = "",
        text: Annotated[
            str, Field(description="Words that stand in the photo: all, in any order")
        ] = "",
        rating: Annotated[
            str, Field(description="Stars that the owner gave: 4, 4.., ..2 or 3..5")
        ] = "",
        keyword: Annotated[str, Field(description="A keyword that the owner gave")] = "",
        person: Annotated[str, Field(description="A person whom the owner named in it")] = "",
        thumbnails: Annotated[bool, Field(description="Whether to send thumbnails")] = True,
    ) -> Annotated[CallToolResult, FoundPhotos]:
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
                places=(wording.place(place),) if place else (),
                rating=wording.rating(rating) if rating else None,
                keywords=(wording.named(keyword, "keyword"),) if keyword else (),
                people=(wording.named(person, "person's name"),) if person else (),
            )
            answer = library.search(
                Query(
                    description, k, offset, min_relevance=min_relevance, parts=tuple(parts),
                    where=where, exact=exact, words=text.strip(),
                )
            )  # fmt: skip
            total = len(library)
        photos = {record.id: record for record in answer.photos}
        content: list[ContentBlock] = [_words(_summary(answer, total))]
        for hit in answer.hits:
            content.append(_words(_hit(hit)))
            if thumbnails:
                content.append(_picture(photos.get(hit.id), SMALL))
        return _result(content, found_photos(answer))

    def photo_details(
        self,
        id: Annotated[int, Field(ge=1, description="Id of a hit")],
    ) -> Annotated[CallToolResult, Details]:
        with self._answering() as library:
            record = library.photo(id)
            described = Described.of(id, library.catalog)
            roots = library.catalog.roots()
        content = [_words(_details(record, described)), _picture(record, LARGE)]
        return _result(content, details(record, described, roots, local=True))

    def library_info(self) -> Annotated[CallToolResult, LibrarySummary]:
        with self._answering() as library:
            info, facets = library.info(), library.catalog.facets()
            places = tallied(library.catalog.known_localities())
        unpredicted = "" if info.relevance else ", which predicts no relevance"
        lines = [f"{counted(info.images, 'photo')}, profile {info.profile}{unpredicted}."]
        lines += [
            f"Folder: {legible(root.path)} ({counted(root.images, 'photo')})" for root in info.roots
        ]
        if names := [legible(concept.name) for concept in info.concepts if concept.known]:
            lines.append(f"Taught by example photos: {', '.join(names)}")
        for name, tallies in (
            ("Formats", facets.formats), ("Cameras", facets.cameras), ("Years", facets.years),
            ("Places", places),
        ):  # fmt: skip
            counts = ", ".join(f"{legible(each.name)} ({each.images:,})" for each in tallies[:30])
            lines.append(f"{name}: {counts or 'none recorded'}")
        lines.append(f"Text: read in {info.text_read:,} of {counted(info.images, 'photo')}")
        return _result([_words("\n".join(lines))], library_summary(info, facets, places))

    @contextmanager
    def _answering(self) -> Iterator[Library]:
        """The library, up to date; its errors reach the assistant as their message."""
        with self._one_at_a_time:
            try:
                self._library.refresh()
                yield self._library
            except PixqueryError as error:
                raise ToolError(legible(str(error))) from error


def _notes(answer: Answer) -> list[str]:
    """How the description was understood, if not word for word."""
    phrase = answer.searched
    notes = [f"Searched for: {phrase}."] if phrase is not None and phrase.reworded else []
    notes += [
        f'Taken as a filter: "{each.words}", meaning {each.kind} {each.meaning}.'
        for each in answer.recognised
    ]
    notes += [f"Did you mean: {suggestion}?" for suggestion in answer.suggestions]
    return notes + [f"Note: {hint}." for hint in answer.hints]


def _summary(answer: Answer, total: int) -> str:
    return "\n".join([*_notes(answer), _found(answer, total)])


def _found(answer: Answer, total: int) -> str:
    if answer.hits:
        order = "best first" if answer.sort == "relevance" else f"{answer.sort} first"
        poor = f"{NOTHING_FITS.capitalize()}. " if answer.nothing_fits else ""
        return f"{poor}{counted(len(answer.hits), 'photo')} of {answer.among:,}, {order}:"
    if not total:
        return "The library has no photos yet."
    if not answer.among:
        return f"None of the {total:,} photos matches the filters: remove one or widen it."
    return "Nothing fits, or the offset is past the last photo: try other words or a lower offset."


def _hit(hit: Hit) -> str:
    words = in_words(hit.relevance, hit.similarity)
    if hit.relevance is not None:
        words += f" (relevance {in_figures(hit.relevance)})"
    facts = [words, f"{hit.width} x {hit.height} pixels"]
    facts += [f"taken {hit.taken:%Y-%m-%d %H:%M}"] if hit.taken else []
    facts += [f"found by {legible(str(match))}" for match in by_words(hit.matched)]
    return f"{hit.rank}. id {hit.id}: {'; '.join(filter(None, facts))}; {legible(hit.path)}"


def _details(record: ImageRecord, described: Described) -> str:
    megapixels = record.width * record.height / 1e6
    facts = {
        "id": str(record.id),
        "path": legible(record.path),
        "format": record.format or "not recorded",
        "size": f"{record.width} x {record.height} pixels ({megapixels:.1f} megapixels), "
        f"{record.state.size:,} bytes",
        "taken": f"{record.taken:%Y-%m-%d %H:%M:%S}" if record.taken else "not recorded",
        "camera": legible(record.camera) or "not recorded",
        "place": "{:.5f},{:.5f}".format(*record.place) if record.place else "not recorded",
    }
    facts |= _described(described)
    return "\n".join(f"{name}: {value}" for name, value in facts.items() if value)


def _described(described: Described) -> dict[str, str]:
    """What a photo says of itself; empty for what it does not say."""
    annotation = described.annotation or Annotation()
    text = "".join(f"\n  {legible(line.text)}" for line in described.lines)
    rating = "" if annotation.rating is None else f"{annotation.rating} of 5 stars"
    return {
        "place name": legible(str(described.locality or "")),
        "title": legible(annotation.title),
        "caption": legible(annotation.caption),
        "keywords": legible(", ".join(annotation.keywords)),
        "people": legible(", ".join(annotation.people)),
        "rating": "rejected" if annotation.rating == -1 else rating,
        "label": legible(annotation.label),
        "place as written": legible(", ".join(annotation.location)),
        "text in the photo": text,
    }


def _picture(photo: ImageRecord | None, side: int) -> ContentBlock:
    try:
        small = thumbnail_of(photo, side)
    except UnreadableImage as error:
        return _words(f"(the picture cannot be shown: {legible(str(error))})")
    return ImageContent(type="image", data=as_data(small), mime_type="image/jpeg")


def _result(content: Sequence[ContentBlock], document: BaseModel) -> CallToolResult:
    """What an assistant reads, and the same as data for the program around it."""
    data = document.model_dump(mode="json")
    return CallToolResult(content=list(content), structured_content=data)


def _words(text: str) -> TextContent:
    return TextContent(type="text", text=text)
