"""`score`: relevance and similarity of given pairs."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import click

from pixquery.commands.loading import photo_loader
from pixquery.commands.options import shared
from pixquery.commands.printing import print_json
from pixquery.commands.progress import progress_bar


@click.command(epilog="Example:  pixquery score pairs.csv > scored.csv")
@click.argument("pairs", metavar="PAIRS.csv", type=click.Path(path_type=Path))
@click.option("--profile", metavar="NAME|DIR", help="Models to use; else the library's.")
@shared
def score(pairs: Path, profile: str | None, library: Path, as_json: bool) -> None:
    """Tell the relevance and similarity of given pairs.

    PAIRS.csv has the columns `image,text`; the same comes out with `similarity,relevance` added.
    Image paths are looked for from the current folder, then from the file's own. The library need
    not hold the photos.
    """
    from pixquery.engine.library import CATALOGUE, Library
    from pixquery.engine.profile import load_profile
    from pixquery.trainer.measuring.pairs import read_pairs
    from pixquery.trainer.measuring.score import score as judge

    asked = read_pairs(pairs)
    if profile is None and (library / CATALOGUE).is_file():
        with Library.open(library) as opened:
            models = opened.profile
    else:
        models = load_profile(profile) if profile else load_profile()
    with progress_bar("Scoring", "photos") as progress:
        load = photo_loader(models.size, models.interpolation)
        scored = judge(asked, models, load, progress)
    rows = [
        {
            "image": pair.given or str(pair.image),
            "text": pair.text,
            "similarity": round(float(similarity), 4),
            "relevance": round(float(relevance), 4),
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
    click.echo(out.getvalue(), nl=False)
