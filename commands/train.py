"""`train`: learns a profile from captions and people's ratings."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixquery.commands.loading import extra, thumbnail_maker, view_loader
from pixquery.commands.options import shared
from pixquery.commands.printing import print_json, say, tell
from pixquery.commands.progress import Show, print_progress, progress_bar
from pixquery.commands.termination import cleaned_up
from pixquery.db.quoting import library_option, quoted
from pixquery.engine.legible import counted

if TYPE_CHECKING:
    from pixquery.engine.profile import Profile

_SIDE, _QUALITY = 112, 75
"""Of the report's photos: its longer side in pixels, and the quality of the JPEG."""


def _seed(ctx: click.Context, option: click.Parameter, seed: int) -> int:
    if not 0 <= seed < 2**32:  # what every library takes
        raise click.BadParameter(f"{seed} is not from 0 to {2**32 - 1:,}.", ctx, option)
    return seed


@click.command(
    epilog="""Examples:

\b
pixquery train
pixquery train ./flickr8k --out ./my-profile
pixquery train ratings.csv --scale 1..5 --out ./my-profile
pixquery train --stars --out ./my-profile"""
)
@click.argument("data", required=False, type=click.Path(path_type=Path))
@click.option("--stars", is_flag=True,
              help="Learn from the stars of the library's photos, in place of DATA.")  # fmt: skip
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path),
              help="Write the profile and report.html to DIR; optional without DATA.")  # fmt: skip
@click.option("--profile", metavar="NAME|DIR", help="Profile whose encoders to start from.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of random numbers.",
              callback=_seed)  # fmt: skip
@click.option("--quick", is_flag=True,
              help="Take a fifth of the time: keep the text encoder, compare less.")  # fmt: skip
@click.option("--tune", type=click.IntRange(0), default=0, metavar="N",
              help="Tune the settings of each regressor in N trials.")  # fmt: skip
@click.option("--alignment", type=click.Choice(["keep", "learn"]),
              help="Keep the profile's alignment, or learn one. By default, it is kept if DATA has "
              "no captions to learn from and the profile has one.")  # fmt: skip
@click.option("--stop-words", type=click.Choice(["pairs", "all", "off"]), default="pairs",
              show_default=True,
              help="Where to apply the stop-word list: rated pairs, captions as well, or nothing.",
              )  # fmt: skip
@click.option("--scale", metavar="LO..HI",
              help="Lowest and highest rating in a CSV; by default found from the ratings.",
              )  # fmt: skip
@click.option("--name", default="", metavar="NAME",
              help="Name of the new profile; by default that of DIR.")  # fmt: skip
@click.option("--progress", "as_lines", is_flag=True,
              help="Print the progress as lines of JSON on stderr, for programs.")  # fmt: skip
@click.option("--no-photos", is_flag=True,
              help="Leave photos out of report.html, for example to share it.")  # fmt: skip
@click.option("--aggregation", default="mean", show_default=True, metavar="NAME",
              help="How to combine several ratings of a pair: mean, median, majority; if the CSV "
              "names workers, also dawid-skene, one-coin, glad, mace, wawa.")  # fmt: skip
@click.option("--regressor", default="auto", show_default=True,
              type=click.Choice(["auto", "logistic", "linear", "catboost", "network"]),
              help="Regressor to deploy, even if it loses; auto: the best.")  # fmt: skip
@click.option("--features", type=click.Choice(["auto", "aligned", "concatenated", "product"]),
              default="auto", show_default=True,
              help="What the regressor sees: aligned vectors, concatenated raw vectors, products.",
              )  # fmt: skip
@shared
def train(
    data: Path | None,
    stars: bool,
    out: Path | None,
    profile: str | None,
    alignment: str | None,
    no_photos: bool,
    as_lines: bool,
    library: Path,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Train a profile from captions and people's ratings.

    DATA is a folder with captions_train.csv, captions_rated.csv, ExpertAnnotations.tsv and images/,
    or one with train_dataset.csv, ExpertAnnotations.tsv and train_images/. It can also be a CSV of
    your own ratings, with the columns image, text, rating and optionally worker; then only
    relevance is learned.

    Without DATA, the judgements that were given in the library are learned from, with `pixquery
    judge` or in the gallery. The new profile gets a name; `pixquery models use NAME` has the
    library search with it. If it gains nothing, nothing is written.

    With --stars, the ratings are the stars that you gave the library's photos in other programs,
    for what you wrote about them: it learns which photos you like.
    """
    from pixquery.engine.profile import load_profile

    if stars and data is not None:
        raise click.UsageError("name DATA to learn from, or use --stars, and not both")
    own = data is None and not stars
    if out is None and not own:
        raise click.UsageError("name a folder for the new profile with --out DIR")

    with extra("train"):
        from pixquery.trainer.learning.datasets import described
        from pixquery.trainer.learning.from_library import drop_if_useless, place_for
        from pixquery.trainer.learning.options import Options
        from pixquery.trainer.learning.ratings import parse_scale
        from pixquery.trainer.learning.train import train as learn

    given = load_profile(profile) if profile else None
    chosen["scale"] = None if chosen["scale"] is None else parse_scale(chosen["scale"])
    chosen["keep_alignment"] = None if alignment is None else alignment == "keep"
    chosen["thumbnail"] = None if no_photos else thumbnail_maker(_SIDE, _QUALITY)
    if data is not None and data.is_dir():
        say(described(data))
    with cleaned_up(), ExitStack() as until_done:
        if own:
            data, models = _judged(library, given)
        else:
            models = given or load_profile()
            data = data or until_done.enter_context(_stars(library, chosen))
        target = out or place_for(models)
        show = print_progress if as_lines else until_done.enter_context(_bar())
        options = Options(**chosen, progress=show)
        load = view_loader(models.interpolation, models.fit)
        found = learn(data, target, models, load, options)
    useless = out is None and drop_if_useless(found, target)
    for line in _left_out(found):
        say(line)
    if as_json:
        print_json(found | ({"out": None} if useless else {}))
        return
    for line in _study_lines(found):
        tell(line)
    for line in _end_lines(found, library, models, own=own, useless=useless):
        tell(line)


def _bar() -> AbstractContextManager[Show]:
    return progress_bar("Training", "steps")


def _judged(library: Path, given: Profile | None) -> tuple[Path, Profile]:
    """The file of the library's judgements, and the profile to begin with."""
    from pixquery.engine.library import Library
    from pixquery.trainer.learning.from_library import judged_in

    with Library.open(library) as opened:
        judged = judged_in(opened)
    say(f"learning from {counted(len(judged.judgements.counting), 'judgement')} in {judged.file}")
    if judged.gone:
        say(f"left out {counted(judged.gone, 'judgement')} of photos that are not there any more")
    if judged.judgements.unreadable:
        say(f"left out {counted(judged.judgements.unreadable, 'line')} that cannot be read")
    return judged.file, given or judged.profile


@contextmanager
def _stars(library: Path, chosen: dict[str, Any]) -> Iterator[Path]:
    """A file of the stars of the library's photos."""
    from pixquery.engine.library import Library
    from pixquery.trainer.learning.stars import SCALE, write_stars

    chosen["scale"] = chosen["scale"] or SCALE
    with tempfile.TemporaryDirectory() as folder, Library.open(library) as opened:
        file = Path(folder) / "stars.csv"
        say(f"learning from the stars of {counted(write_stars(opened, file), 'photo')}")
        yield file


_KINDS = {
    "texts": "lines of train_dataset.csv",
    "expert": "expert rows",
    "crowd": "crowd rows",
    "queries": "test queries",
}
_REASONS = {
    "no text": "without a text",
    "no id": "without an id",
    "no photo": "without their photo",
    "unreadable photo": "with a photo that cannot be read",
    "several texts of one id": "with an id that has several texts",
    "rated photo": "of a rated photo",
}


def _left_out(found: Mapping[str, Any]) -> Iterator[str]:
    """What the folder named and lacked."""
    for kind, reasons in found.get("dropped_rows", {}).items():
        counts = [f"{count:,} {_REASONS[why]}" for why, count in reasons.items()]
        yield f"left out {_KINDS[kind]}: {', '.join(counts)}"
    if unreadable := found.get("unreadable"):
        photos = counted(len(unreadable), "photo")
        yield f"left out judgements of {photos} that cannot be read, such as {unreadable[0]}"
    if found.get("dropped_rows", {}).get("crowd") and not found["pairs"]["crowd"]:
        yield "no row of the crowd is left: relevance was learned from the experts alone"
    if "alignment_from" in found and found["alignment"] is None:
        yield "there are no test queries with their photos, so recall was not measured"


def _study_lines(found: Mapping[str, Any]) -> Iterator[str]:
    if scale := found.get("scale"):
        how = "found from their values" if scale["found"] else "as --scale says"
        ends = f"{scale['lowest']:g}..{scale['highest']:g}"
        yield f"ratings by {found['judges']}, on the scale {ends} ({how})"
        if dropped := found["dropped"]["expert"]:
            yield (
                f"left out {counted(dropped, 'pair')} whose text has a stop word: "
                "`--stop-words off` keeps them"
            )
    yield from _table(found["regressors"])
    yield f"chosen: {found['chosen']}; {found['why']}"
    if found["alignment"] is not None:
        stages = found["reranking"]
        for name, stage in (("similarity", "first_stage"), ("relevance", "reranked")):
            recalls = " / ".join(f"{100 * stages[stage][f'recall@{k}']:.1f}" for k in (1, 5, 10))
            yield f"recall@1 / 5 / 10 by {name}: {recalls} %"
        if "chance" in found["alignment"]:
            chance = [100 * found["alignment"]["chance"][f"recall@{k}"] for k in (1, 5, 10)]
            recalls = " / ".join(f"{recall:.1f}" for recall in chance)
            yield f"recall@1 / 5 / 10 by chance: {recalls} %"
    if found.get("alignment_from", {}).get("source") == "ratings":
        learned = found["alignment_from"]
        yield (
            f"the alignment was learned from only {learned['texts']:,} texts of "
            f"{learned['photos']:,} photos, and finds less than one learned from many captions"
        )


def _end_lines(
    found: Mapping[str, Any], library: Path, models: Profile, *, own: bool, useless: bool
) -> Iterator[str]:
    """Where the profile is, and how to search with it."""
    if useless:
        yield f"the library goes on with {models.name}, and nothing was written"
        return
    out = found["out"]
    yield (
        f"wrote the profile {found['profile']} to {out} and a report to {Path(out) / 'report.html'}"
    )
    if not own:
        yield from _use_lines(out, library)
        return
    where = library_option(library)
    yield f"search with it:  pixquery models use {_known(out)}{where}"
    yield f"and go back:     pixquery models use {quoted(models.reference)}{where}"


def _known(out: str) -> str:
    """A profile as a command takes it: its name if it is among the user's, else its folder."""
    from pixquery.engine.profile import load_profile

    return quoted(load_profile(out).reference)


def _table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The regressors; without the crowd's column if no crowd judged."""
    columns = [("rmse", " RMSE"), ("tau_c_expert", "tau_c")]
    if any(row["tau_b_crowd"] is not None for row in rows):
        columns.append(("tau_b_crowd", "crowd tau_b"))
    wide = max(len(row["features"]) for row in rows) + 1
    heads = "  ".join(head for _, head in columns)
    yield f"{'regressor':<24}{'features':<{wide}}{'split':<10} {heads}"
    for row in rows:
        figures = ["    -" if row[name] is None else f"{row[name]:5.3f}" for name, _ in columns]
        start = f"{row['name']:<24}{row['features']:<{wide}}{row['split']:<10} "
        yield start + "  ".join(figures)


def _use_lines(out: str, library: Path) -> Iterator[str]:
    """How to search with the new profile: in the library that there is, and in a new one."""
    from pixquery.engine.library import CATALOGUE
    from pixquery.engine.profile import names

    # A folder of the same name as a profile would not be found by it alone.
    profile = quoted(f".{os.sep}{out}" if out in names() else out)
    if (library / CATALOGUE).is_file():
        where = library_option(library)
        yield f"switch your library to it:  pixquery index --rebuild --profile {profile}{where}"
        yield (
            f"or make another with it:    pixquery index FOLDER --profile {profile} --library DIR"
        )
        return
    yield f"make a library with it:     pixquery index FOLDER --profile {profile}"
    yield f"or switch one to it:        pixquery index --rebuild --profile {profile} --library DIR"
