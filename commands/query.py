"""`query`: the photos that fit a description best."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixquery.commands.hits import (
    answer_json,
    hit_json,
    open_hit,
    show_hits,
    show_pictures,
    write_sheet,
)
from pixquery.commands.loading import one_thread_for_small_sums, photo_loader
from pixquery.commands.options import filter_of, filtered, shared, why_none_asked
from pixquery.commands.printing import print_json, print_paths
from pixquery.db.errors import NothingFound
from pixquery.engine.legible import legible

if TYPE_CHECKING:
    from pixquery.engine.answers import Answer
    from pixquery.engine.library import Library
    from pixquery.engine.search import Part, Query


@click.command(
    epilog="""Examples:

\b
pixquery query "man on bicycle" -k 5
pixquery query "a beach" --minus people --plus sunset:0.5 --taken 2023..2024-06
pixquery query --like holiday.jpg --orientation landscape"""
)
@click.argument("text", default="")
@click.option("--plus", metavar="TEXT[:WEIGHT]", multiple=True, help="More of this.")
@click.option("--minus", metavar="TEXT[:WEIGHT]", multiple=True, help="Less of this.")
@click.option("--like", metavar="FILE[:WEIGHT]", multiple=True, help="Photos like this one.")
@click.option("--like-id", metavar="ID", multiple=True, type=click.IntRange(1),
              help="Photos like a hit, by its id.")  # fmt: skip
@filtered
@click.option("-k", type=click.IntRange(1), default=10, show_default=True, help="Hits to show.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Hits to leave out at the top.")
@click.option("--candidates", type=click.IntRange(1), default=200, show_default=True,
              help="Photos that the prefilter hands to the regressor at a time.")  # fmt: skip
@click.option("--min-relevance", type=click.FloatRange(0, 1), default=0.0,
              help="Leave out hits below, from 0 to 1.")  # fmt: skip
@click.option("--rerank/--no-rerank", default=True,
              help="Order by relevance, or by similarity alone.")  # fmt: skip
@click.option("--paths", is_flag=True, help="Print paths only.")
@click.option(
    "-0", "nul", is_flag=True, help="With --paths: end each with NUL instead of a newline."
)
@click.option("--ndjson", is_flag=True, help="Print one JSON document a hit.")
@click.option("--pictures", is_flag=True, help="Show the hits as pictures in the terminal.")
@click.option("--sheet", metavar="FILE.html", type=click.Path(path_type=Path, dir_okay=False),
              help="Write the hits as a page of pictures that needs nothing else.")  # fmt: skip
@click.option("--open", "opened_hit", metavar="N", type=click.IntRange(1),
              help="Open the hit of rank N with the system's viewer.")  # fmt: skip
@shared
def query(
    library: Path,
    as_json: bool,
    paths: bool,
    nul: bool,
    ndjson: bool,
    pictures: bool,
    sheet: Path | None,
    opened_hit: int | None,
    **asked: Any,
) -> None:
    """Find the photos that TEXT describes best.

    Relevance, from 0 to 1, is what people would judge of photo and TEXT. It is predicted for a TEXT
    alone: with --plus, --minus, --like or --like-id, hits are ordered by similarity. Without any of
    these, and no TEXT, the newest photos come that the filters let through.
    """
    if pictures and not (sys.stdout.isatty() and sys.stdin.isatty()):
        raise click.UsageError("--pictures needs a terminal: --sheet FILE.html writes a page")
    one_thread_for_small_sums()
    from pixquery.engine.profile import load_profile

    load_profile().warm()  # nearly every library uses the shipped profile
    from pixquery.engine.library import Library
    from pixquery.engine.search import Query

    with Library.open(library) as opened:
        question = Query(where=filter_of(opened, asked), parts=_parts(opened, asked), **asked)
        answer = opened.search(question)
        held = len(opened)
    if as_json:
        print_json(answer_json(answer))
    elif ndjson:
        for hit in answer.hits:
            click.echo(json.dumps(hit_json(hit)))
    elif paths:
        print_paths((hit.path for hit in answer.hits), nul)
    elif pictures:
        show_pictures(answer)
    elif answer.hits:
        show_hits(answer)
    if not answer.hits:
        raise NothingFound(_why_nothing(question, answer, held, library))
    if sheet is not None:
        write_sheet(answer, sheet)
    if opened_hit is not None:
        open_hit(answer, opened_hit)


def _parts(library: Library, asked: dict[str, Any]) -> tuple[Part, ...]:
    """What --plus, --minus, --like and --like-id say; they leave ``asked``."""
    from pixquery.engine.search import Part
    from pixquery.engine.wording import weighted

    parts = []
    for option, sign in (("plus", 1), ("minus", -1)):
        for given in asked.pop(option):
            text, weight = weighted(given)
            parts.append(Part(text=text, weight=sign * weight))
    for given in asked.pop("like"):
        name, weight = (given, 1.0) if Path(given).exists() else weighted(given)
        profile = library.profile
        pixels = photo_loader(profile.size, profile.interpolation)(Path(name))
        parts.append(Part(pixels=pixels, weight=weight, name=legible(Path(name).name)))
    parts += [Part(id=image_id) for image_id in asked.pop("like_id")]
    return tuple(parts)


def _why_nothing(query: Query, answer: Answer, held: int, library: Path) -> str:
    if not (held and answer.among):
        return why_none_asked(held, library)
    if query.min_relevance > 0:
        return (
            f"no photo reaches the relevance {query.min_relevance:g} for {query.text!r}: "
            "lower --min-relevance or describe the photo in other words"
        )
    return f"there is no hit after the first {query.offset:,}: lower --offset"
