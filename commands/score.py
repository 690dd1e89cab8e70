"""`score`: computes similarity and relevance for pairs of photo and text."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pixquery.commands.loading import scales_loader
from pixquery.commands.options import shared
from pixquery.commands.printing import figure, print_json, print_table
from pixquery.commands.progress import progress_bar

if TYPE_CHECKING:
    from pixquery.engine.profile import Profile


@click.command(epilog="Example:  pixquery score pairs.csv > scored.csv")
@click.argument("pairs", metavar="PAIRS.csv", type=click.Path(path_type=Path))
@click.option("--profile", metavar="NAME|DIR", help="Models to use instead of the library's.")
@shared
def score(pairs: Path, profile: str | None, library: Path, as_json: bool) -> None:
    """Score how well texts describe photos.

    PAIRS.csv has the columns `image,text`. The output is the same table with the columns
    `similarity,relevance` added. Image paths are relative to the current folder, or else to the
    folder of PAIRS.csv. The photos need not be in the library. If the profile predicts no
    relevance, that column is empty.
    """
    from pixquery.engine.profile import load_profile
    from pixquery.trainer.measuring.pairs import read_pairs
    from pixquery.trainer.measuring.score import score as judge

    to_score = read_pairs(pairs)
    models = load_profile(profile) if profile else _profile_of(library)
    with progress_bar("Scoring", "photos") as progress:
        load = scales_loader(models.sizes, models.interpolation, models.fit)
        scored = judge(to_score, models, load, progress)
    rows = [
        {
            "image": pair.given or str(pair.image),
            "text": pair.text,
            "similarity": figure(similarity),
            "relevance": figure(relevance),
        }
        for pair, similarity, relevance in scored
    ]
    if as_json:
        print_json(rows)
        return
    out = io.StringIO()
    writer = csv.DictWriter(out, ["image", "text", "similarity", "relevance"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    print_table(out.getvalue())


def _profile_of(library: Path) -> Profile:
    """The library's profile, or the shipped one where there is no library."""
    from pixquery.db.errors import LibraryNotFound
    from pixquery.engine.library import Library
    from pixquery.engine.profile import load_profile

    try:
        with Library.open(library) as opened:
            return opened.profile
    except LibraryNotFound:
        return load_profile()
