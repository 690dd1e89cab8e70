"""`query`: finds the photos that match a description best."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixquery.commands.hits import (
    answer_json,
    hit_json,
    open_hit,
    say_if_nothing_fits,
    say_what_was_searched,
    show_hits,
    show_pictures,
    write_sheet,
)
from pixquery.commands.loading import one_thread_for_small_sums, scales_loader
from pixquery.commands.options import filter_of, filtered, shared, why_no_photos
from pixquery.commands.printing import print_json, print_paths
from pixquery.db.errors import NothingFound, ProfileError
from pixquery.engine.legible import legible

if TYPE_CHECKING:
    from pixquery.engine.answers import Answer
    from pixquery.engine.library import Library
    from pixquery.engine.query import Part, Query


@click.command(
    epilog="""Examples:

\b
pixquery query man on bicycle -k 5
pixquery query "a beach" --minus people --plus sunset:0.5 --taken 2023..2024-06
pixquery query --like holiday.jpg --orientation landscape
pixquery query "boarding pass" --text "gate b27"
pixquery query "a beach in Portugal, summer 2019\"""",
)
@click.argument("text", nargs=-1)
@click.option("--plus", metavar="TEXT[:WEIGHT]", multiple=True, help="Find more of this.")
@click.option("--minus", metavar="TEXT[:WEIGHT]", multiple=True, help="Find less of this.")
@click.option("--like", metavar="FILE[:WEIGHT]", multiple=True, help="Find photos like this one.")
@click.option("--like-id", metavar="ID", multiple=True, type=click.IntRange(1),
              help="Find photos like this one in the library; hits show their ids.")  # fmt: skip
@click.option("--exact", is_flag=True, help="Search for TEXT word for word.")
@click.option("--literal", metavar="WORDS", multiple=True,
              help="Words of TEXT that are no date or place.")  # fmt: skip
@click.option("--text", "words", metavar="WORDS", default="",
              help="Only photos in which these words were read.")  # fmt: skip
@filtered
@click.option("-k", type=click.IntRange(1), default=10, show_default=True, help="Number of hits.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Skip this many hits at the top.")
@click.option("--candidates", type=click.IntRange(1), default=200, show_default=True,
              help="Photos that are re-ranked at a time.")  # fmt: skip
@click.option("--min-relevance", type=click.FloatRange(0, 1), default=0.0,
              help="Leave out hits with a lower relevance.")  # fmt: skip
@click.option("--rerank/--no-rerank", default=True,
              help="Order by relevance (the default), or by similarity alone.")  # fmt: skip
@click.option("--sort", type=click.Choice(["relevance", "newest", "oldest"]), default="relevance",
              help="Sort by date; of what TEXT describes, the best --candidates.")  # fmt: skip
@click.option("--paths", is_flag=True, help="Print only the paths.")
@click.option(
    "-0", "nul", is_flag=True, help="With --paths: end each path with NUL instead of a newline."
)
@click.option("--ndjson", is_flag=True, help="Print one JSON document per hit.")
@click.option("--pictures", is_flag=True, help="Show pictures in the terminal.")
@click.option("--sheet", metavar="FILE.html", type=click.Path(path_type=Path, dir_okay=False),
              help="Write the hits to one HTML file that contains the pictures.")  # fmt: skip
@click.option("--open", "opened_hit", metavar="N", type=click.IntRange(1),
              help="Open hit N in the system's viewer.")  # fmt: skip
@shared
def query(
    text: tuple[str, ...],
    library: Path,
    as_json: bool,
    paths: bool,
    nul: bool,
    ndjson: bool,
    pictures: bool,
    sheet: Path | None,
    opened_hit: int | None,
    **options: Any,
) -> None:
    """Find photos by describing them.

    Write TEXT as a caption would describe the photo, or name a thing. Words such as "my photos of"
    are left out, and "without people" works as --minus people:0.5 does. A date such as "summer
    2019", and a place of the library such as "in Lisbon", work as --taken and --place do. --exact
    prevents all that, and --literal "summer 2019" makes these words again.

    Several words need no quotation marks, and options may stand before or after them. Write -- in
    front of a TEXT that begins with a dash, and quotation marks around signs that the shell reads,
    such as an apostrophe.

    Each hit has a relevance from 0 to 1: how well TEXT describes it, as people would judge.
    Relevance is predicted for TEXT alone; with --plus, --minus, --like or --like-id, hits are
    ordered by similarity instead. With nothing but filters, the newest matching photos are shown.

    --sort newest and --sort oldest go by the time when a photo was taken, or else by the file's.
    Without TEXT they sort all photos; with it, only the --candidates best (200), so that the hits
    still show what TEXT describes.
    """
    if pictures and not (sys.stdout.isatty() and sys.stdin.isatty()):
        raise click.UsageError("--pictures needs a terminal: use --sheet FILE.html to write a page")
    one_thread_for_small_sums()
    import numpy  # noqa: F401 - see `engine.library`: deeper, its import takes longer

    from pixquery.engine.habits import note_profile, usual_profile
    from pixquery.engine.profile import load_profile

    with suppress(ProfileError):  # it was removed since
        load_profile(usual_profile(library)).warm()
    from pixquery.engine.library import Library
    from pixquery.engine.query import Query

    with Library.open(library) as opened:
        note_profile(library, opened.profile.reference)
        question = Query(
            " ".join(text),
            where=filter_of(opened, options),
            parts=_parts(opened, options),
            **options,
        )
        answer = opened.search(question)
        photo_count = len(opened)
        drawn = answer.hits if pictures or sheet is not None else ()
        photos = opened.catalog.records([hit.id for hit in drawn])
    if not as_json:
        say_what_was_searched(answer)
    if not (as_json or ndjson or paths):
        say_if_nothing_fits(answer)
    if as_json:
        print_json(answer_json(answer))
    elif ndjson:
        for hit in answer.hits:
            click.echo(json.dumps(hit_json(hit)))
    elif paths:
        print_paths((hit.path for hit in answer.hits), nul)
    elif pictures:
        show_pictures(answer, photos)
    elif answer.hits:
        show_hits(answer)
    if not answer.hits:
        raise NothingFound(_why_nothing(question, answer, photo_count, library))
    if sheet is not None:
        write_sheet(answer, photos, sheet)
    if opened_hit is not None:
        open_hit(answer, opened_hit)


def _parts(library: Library, options: dict[str, Any]) -> tuple[Part, ...]:
    """The parts that --plus, --minus, --like and --like-id describe, removed from ``options``."""
    from pixquery.engine.query import Part
    from pixquery.engine.wording import weighted

    parts = []
    for option, sign in (("plus", 1), ("minus", -1)):
        for argument in options.pop(option):
            text, weight = weighted(argument)
            parts.append(Part(text=text, weight=sign * weight))
    for argument in options.pop("like"):
        name, weight = (
            (argument, 1.0) if Path(argument).exists() else weighted(argument, times=False)
        )
        profile = library.profile
        pixels = scales_loader(profile.sizes, profile.interpolation, profile.fit)(Path(name))
        parts.append(Part(pixels=pixels, weight=weight, name=legible(Path(name).name)))
    parts += [Part(id=image_id) for image_id in options.pop("like_id")]
    return tuple(parts)


def _why_nothing(query: Query, answer: Answer, photo_count: int, library: Path) -> str:
    if query.words and photo_count and not answer.among:
        return (
            f"{query.words!r} was read in no photo that was searched: leave out a word, or read "
            "more photos with `pixquery index --read-text`"
        )
    if not (photo_count and answer.among):
        return why_no_photos(photo_count, library)
    if query.min_relevance > 0:
        return (
            f"no photo has a relevance of {query.min_relevance:g} or more for {query.text!r}: "
            "lower --min-relevance or describe the photo in other words"
        )
    return f"there are no hits after the first {query.offset:,}: lower --offset"
