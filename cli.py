"""The command line: the only file that prints, exits, or knows click."""

from __future__ import annotations

import csv
import gc
import io
import json
import os
import shlex
import shutil
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click
from platformdirs import user_data_path

from db.errors import (
    BadQuery,
    LibraryLocked,
    MissingExtra,
    NothingFound,
    NoViewer,
    PixqueryError,
    QueryRefused,
)

if TYPE_CHECKING:  # NumPy stays unloaded until a command has said how many threads it wants
    from db.records import (
        Answer,
        Copy,
        Duplicates,
        Evaluation,
        Filter,
        Hit,
        ImageRecord,
        IndexReport,
        LibraryInfo,
        Pixels,
    )
    from engine import Library, Part, Query
    from indexer.build import Options
    from trainer.evaluate import Graded

_EXIT_CODES: tuple[tuple[type[PixqueryError], int], ...] = (
    (BadQuery, 2),
    (NothingFound, 3),
    (QueryRefused, 4),
    (LibraryLocked, 75),
    (PixqueryError, 1),
)
_INTERRUPTED = 130

_Command = TypeVar("_Command", bound=Callable[..., Any])


class _Commands(click.Group):
    """Maps errors to exit codes, in this one place; a traceback is for developers only."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **more: Any) -> Any:
        """As click's; a process of its own starts and ends faster than Python would by itself."""
        if args is not None:  # called from Python
            return super().main(args, *rest, **more)
        gc.set_threshold(50_000)  # imports make many objects and no garbage
        try:
            super().main(None, *rest, **more)
        except SystemExit as done:
            _leave(done.code)

    def invoke(self, ctx: click.Context) -> Any:
        if os.environ.get("PIXQUERY_DEBUG") == "1":
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except PixqueryError as error:
            _say(f"pixquery: {error}")
            ctx.exit(next(code for kind, code in _EXIT_CODES if isinstance(error, kind)))
        except KeyboardInterrupt:
            _say("pixquery: interrupted")
            ctx.exit(_INTERRUPTED)
        except BrokenPipeError:
            # The reader of our output has gone (`pixquery query ... | head`): nothing is wrong.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)
        except OSError as error:
            place = f" {error.filename}" if error.filename else ""
            _say(f"pixquery: the system refused{place}: {error.strerror or error}")
            ctx.exit(1)
        except Exception as error:  # noqa: BLE001 - the last line of defence before the user
            _say(
                f"pixquery: unexpected {type(error).__name__}: {error}. This is a defect: run the "
                "command again with PIXQUERY_DEBUG=1 and report what it prints"
            )
            ctx.exit(1)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog='Begin with:  pixquery index ~/Pictures  and then:  pixquery query "man on bicycle"',
)
@click.version_option(package_name="pixquery", prog_name="pixquery")
def main() -> None:
    """Search your own photos by describing them."""


def _shared(command: _Command) -> _Command:
    """The options that every command takes."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
        click.option(
            "--library",
            type=click.Path(path_type=Path),
            envvar="PIXQUERY_LIBRARY",
            default=lambda: user_data_path("pixquery", appauthor=False),
            show_default="$PIXQUERY_LIBRARY, else the user's data folder",
            help="The library's folder.",
        ),
    ):
        command = option(command)
    return command


# -- index ------------------------------------------------------------------------------------


@main.command(epilog="Example:  pixquery index ~/Pictures /media/camera --exclude '*.tmp.jpg'")
@click.argument("paths", metavar="[PATH...]", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--profile", metavar="NAME|DIR", help="Models to use; fixed when the library is made."
)
@click.option("--exclude", metavar="GLOB", multiple=True, help="Files or folders to pass over.")
@click.option("--follow-links", is_flag=True, help="Follow symbolic links.")
@click.option("--prune", is_flag=True,
              help="Forget the photos of folders that are out of reach, too.")  # fmt: skip
@click.option("--watch", is_flag=True, help="Stay, and keep the library in step until Ctrl-C.")
@click.option("--batch-size", type=click.IntRange(1, 4096), default=32, show_default=True,
              help="Photos written at a time.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(0, 256), default=0, show_default="one a core",
              help="Decoding threads.")  # fmt: skip
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "gpu", "npu"]), default="auto",
              show_default=True, help="Where photos are encoded; auto: a GPU of its own, else cpu.",
              )  # fmt: skip
@click.option("--rebuild", is_flag=True,
              help="Encode every photo of the library anew, or for another --profile.")  # fmt: skip
@_shared
def index(
    paths: tuple[Path, ...],
    profile: str | None,
    exclude: tuple[str, ...],
    follow_links: bool,
    prune: bool,
    watch: bool,
    batch_size: int,
    jobs: int,
    device: str,
    rebuild: bool,
    library: Path,
    as_json: bool,
) -> None:
    """Add the photos under PATH... and bring the library up to date with them.

    New, changed, moved and gone files are found; unchanged ones are not read again. Without PATH,
    all folders of the library are brought up to date.

    The photos of a folder that is missing, is suddenly empty, or holds none of 20 or more known
    photos are kept, as its disk may be unplugged; --prune forgets them.

    Hidden and system folders are passed over, and what the --exclude globs or a file
    .pixqueryignore (gitignore's syntax, in any folder) name. A file with several names counts once.
    """
    from engine import Library
    from engine.library import CATALOGUE
    from indexer.build import Options
    from indexer.build import index as build
    from indexer.scan import scan_roots

    if watch:
        with _extra("watch"):
            import indexer.watch  # noqa: F401 - what is missing is told before a long first pass
    if not (library / CATALOGUE).is_file():
        if not paths:
            raise click.UsageError(f"name a folder: the library {_shown(library)} has none yet")
        # A wrong path is told before a library is made for it.
        scan_roots(paths, exclude, follow_links=follow_links)
    with Library.open(library, create=True, profile=profile, switch=rebuild) as opened:
        if not (paths or opened.catalog.roots()):
            raise click.UsageError(f"name a folder: the library {_shown(library)} has none yet")
        options = Options(
            exclude,
            batch_size,
            jobs,
            rebuild,
            device=device,
            follow_links=follow_links,
            prune=prune,
        )
        with _progress("Indexing", "photos") as progress:
            report = build(opened, paths, replace(options, progress=progress))
        _tell_index(report, as_json=as_json)
        if watch and not report.interrupted:
            report = _watch(opened, paths, replace(options, rebuild=False), report, as_json=as_json)
    if report.interrupted:
        _say("pixquery: interrupted; what was done is kept, run the same command to go on")
        click.get_current_context().exit(_INTERRUPTED)
    if report.lacking:
        _say(
            f"pixquery: {_counted(report.lacking, 'photo')} could not be encoded with the profile "
            f"{report.profile}: the library answers as before until they are; run the same command "
            "when their folders are back, or forget them with --prune"
        )
    if report.lacking or (report.vanished and not report.roots):
        click.get_current_context().exit(1)


def _watch(
    library: Library, paths: Sequence[Path], options: Options, last: IndexReport, *, as_json: bool
) -> IndexReport:
    """Tells of every pass that did or found something, until Ctrl-C."""
    from indexer.watch import keep_in_step

    _say("watching; Ctrl-C ends it")
    try:
        for report in keep_in_step(library, paths, options):
            told = (last.skipped, last.vanished)
            if report.changes or (report.skipped, report.vanished) != told:
                _tell_index(report, as_json=as_json)
            last = report
            if report.interrupted:
                break
    except KeyboardInterrupt:
        pass
    _say("no longer watching")
    return last


def _index_json(report: IndexReport) -> dict[str, Any]:
    return {
        "library": str(report.library),
        "profile": report.profile,
        "added": report.added,
        "updated": report.updated,
        "moved": report.moved,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "skipped": [{"path": str(s.path), "reason": s.reason} for s in report.skipped],
        "images": report.images,
        "seconds": round(report.seconds, 3),
        "images_per_second": round(report.images_per_second, 2),
        "interrupted": report.interrupted,
        "linked": report.linked,
        "lacking": report.lacking,
        "vanished": [
            {"path": str(lost.path), "images": lost.images, "reason": lost.reason}
            for lost in report.vanished
        ],
    }


_SKIPS_SHOWN = 10


def _tell_index(report: IndexReport, *, as_json: bool) -> None:
    for lost in report.vanished:
        _say(
            f"pixquery: {lost.path} {lost.reason}: its {lost.images:,} photos are kept; "
            "index again when it is back, or forget them with --prune"
        )
    if as_json:
        _print_json(_index_json(report))
        return
    for skip in report.skipped[:_SKIPS_SHOWN]:
        _say(f"skipped {_shown(skip.path)}: {skip.reason}")
    if len(report.skipped) > _SKIPS_SHOWN:
        _say(f"skipped {len(report.skipped) - _SKIPS_SHOWN} more: `--json` lists all of them")
    counts = {
        "added": report.added,
        "updated": report.updated,
        "moved": report.moved,
        "removed": report.removed,
        "unchanged": report.unchanged,
        "skipped": len(report.skipped),
        "linked": report.linked,
    }
    done = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    rate = f", {report.images_per_second:.0f} photos/s" if report.added + report.updated else ""
    click.echo(f"{done or 'nothing to do'} in {report.seconds:.1f} s{rate}")
    click.echo(f"{report.images:,} photos in {_shown(report.library)} ({report.profile})")


# -- query ------------------------------------------------------------------------------------


def _filtered(command: _Command) -> _Command:
    """The options that say among which photos."""
    for option in reversed((  # the last applied comes first in the help
        click.option("--root", "roots", metavar="DIR", multiple=True,
                     type=click.Path(path_type=Path), help="Photos below DIR."),
        click.option("--path", "paths_like", metavar="GLOB", multiple=True,
                     help="Photos whose path or name fits, such as '*/2019/*'."),
        click.option("--taken", metavar="WHEN",
                     help="By the camera's clock: 2023, 2023-07, 2023..2024-06, 2023.."),
        click.option("--modified", metavar="WHEN", help="By the file's time, likewise."),
        click.option("--orientation", type=click.Choice(["landscape", "portrait", "square"]),
                     help="Photos of this shape."),
        click.option("--min-width", type=click.IntRange(1), metavar="PIXELS",
                     help="Photos at least so wide."),
        click.option("--min-height", type=click.IntRange(1), metavar="PIXELS",
                     help="Photos at least so high."),
        click.option("--format", "formats", metavar="NAME", multiple=True,
                     help="Photos of this format: jpeg, png, heic, raw ..."),
        click.option("--camera", metavar="TEXT", help="Photos whose camera's name holds TEXT."),
        click.option("--near", metavar="LAT,LON[,KM]",
                     help="Photos taken there, within 10 kilometres or KM."),
    )):  # fmt: skip
        command = option(command)
    return command


def _filter(library: Library, asked: dict[str, Any]) -> Filter:
    """The filter that the options of `_filtered` say; they leave ``asked``."""
    from db.records import Filter
    from engine import wording

    def understood(name: str, read: Callable[[str], Any]) -> Any:
        text = asked.pop(name)
        return None if text is None else read(text)

    known = library.catalog.roots()
    return Filter(
        roots=tuple(wording.root_among(root, known) for root in asked.pop("roots")),
        paths=asked.pop("paths_like"),
        taken=understood("taken", wording.period),
        modified=understood("modified", wording.period),
        orientation=asked.pop("orientation"),
        min_width=asked.pop("min_width") or 0,
        min_height=asked.pop("min_height") or 0,
        formats=tuple(wording.format_name(name) for name in asked.pop("formats")),
        camera=asked.pop("camera") or "",
        near=understood("near", wording.near),
    )


@main.command(
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
@_filtered
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
@_shared
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
    _one_thread_for_small_sums()
    from engine.profile import load_profile

    load_profile().warm()  # nearly every library uses the shipped profile
    from engine import Library, Query

    with Library.open(library) as opened:
        question = Query(where=_filter(opened, asked), parts=_parts(opened, asked), **asked)
        answer = opened.search(question)
        held = len(opened)
    if as_json:
        _print_json(_answer_json(answer))
    elif ndjson:
        for hit in answer.hits:
            click.echo(json.dumps(_hit_json(hit)))
    elif paths:
        _print_paths((hit.path for hit in answer.hits), nul)
    elif pictures:
        _show_pictures(answer)
    elif answer.hits:
        _show_hits(answer)
    if not answer.hits:
        raise NothingFound(_why_nothing(question, answer, held, library))
    if sheet is not None:
        _write_sheet(answer, sheet)
    if opened_hit is not None:
        _open_hit(answer, opened_hit)


def _parts(library: Library, asked: dict[str, Any]) -> tuple[Part, ...]:
    """What --plus, --minus, --like and --like-id say; they leave ``asked``."""
    from engine import Part
    from engine.wording import weighted

    parts = []
    for option, sign in (("plus", 1), ("minus", -1)):
        for given in asked.pop(option):
            text, weight = weighted(given)
            parts.append(Part(text=text, weight=sign * weight))
    for given in asked.pop("like"):
        name, weight = (given, 1.0) if Path(given).exists() else weighted(given)
        pixels = _photo_loader(library.profile.size)(Path(name))
        parts.append(Part(pixels=pixels, weight=weight, name=_clean(Path(name).name)))
    parts += [Part(id=image_id) for image_id in asked.pop("like_id")]
    return tuple(parts)


def _why_none_asked(held: int, library: Path) -> str:
    if not held:
        return (
            f"the library {library} holds no photos yet: add some with "
            f"`pixquery index FOLDER --library {shlex.quote(str(library))}`"
        )
    return (
        f"none of the library's {held:,} photos passes the filters: leave one out or widen it "
        "(photos whose camera noted no time or place never pass --taken or --near)"
    )


def _why_nothing(query: Query, answer: Answer, held: int, library: Path) -> str:
    if not (held and answer.among):
        return _why_none_asked(held, library)
    if query.min_relevance > 0:
        return (
            f"no photo reaches the relevance {query.min_relevance:g} for {query.text!r}: "
            "lower --min-relevance or describe the photo in other words"
        )
    return f"there is no hit after the first {query.offset:,}: lower --offset"


def _hit_json(hit: Hit) -> dict[str, Any]:
    return {
        **asdict(hit),
        "path": str(hit.path),
        "relevance": _figure(hit.relevance),
        "similarity": _figure(hit.similarity),
        "modified": _iso(hit.modified),
        "taken": hit.taken.isoformat() if hit.taken else None,
    }


def _figure(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _answer_json(answer: Answer) -> dict[str, Any]:
    return {
        "query": answer.query,
        "profile": answer.profile,
        "candidates": answer.candidates,
        "among": answer.among,
        "hits": [_hit_json(hit) for hit in answer.hits],
        "milliseconds": _rounded(asdict(answer.milliseconds), 2),
    }


def _show_hits(answer: Answer) -> None:
    if not sys.stdout.isatty():
        for hit in answer.hits:
            figures = [
                "" if value is None else f"{value:.3f}" for value in (hit.relevance, hit.similarity)
            ]
            click.echo("\t".join([str(hit.rank), *figures, _shown(hit.path)]))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("#", justify="right", style="dim")
    judged = answer.hits[0].relevance is not None
    described = answer.hits[0].similarity is not None
    heading = "relevance" if judged else "likeness" if described else "taken"
    table.add_column(heading, no_wrap=True)
    table.add_column("photo", overflow="fold")
    table.add_column("size", justify="right", style="dim", no_wrap=True)
    for hit in answer.hits:
        figure = hit.relevance if judged else hit.similarity
        if figure is None:
            known = Text(f"{hit.taken or hit.modified.astimezone():%Y-%m-%d}")
        else:
            known = Text(f"{figure:4.2f} ") + _bar(max(0.0, figure))
        link = Text(_near(hit.path))
        if hit.path.is_absolute() and _shown(hit.path) == str(hit.path):
            link.stylize(f"link {hit.path.as_uri()}")
        table.add_row(str(hit.rank), known, link, f"{hit.width} x {hit.height}")
    console = Console()
    console.print(table)
    spent = answer.milliseconds.total
    summary = f"{answer.candidates:,} of {answer.among:,} photos judged in {spent:.0f} ms"
    if not answer.candidates:
        summary = f"the newest of {answer.among:,} photos"
    console.print(summary, style="dim", highlight=False)


def _show_pictures(answer: Answer) -> None:
    """By what the terminal can show: kitty's graphics, sixels, or half blocks."""
    with _extra("terminal"):
        from textual_image.renderable import Image  # asks the terminal
    from rich.console import Console

    from db.errors import UnreadableImage
    from indexer.decode import thumbnail
    from web.words import fit

    console = Console()
    for hit in answer.hits:
        words = fit(hit.relevance, hit.similarity).words
        caption = [f"{hit.rank}", words, _near(hit.path), f"{hit.width} x {hit.height}"]
        console.print("  ".join(filter(None, caption)), markup=False, highlight=False)
        try:
            small = thumbnail(hit.path.read_bytes(), _PICTURE)
        except (OSError, UnreadableImage) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            console.print(f"cannot be read: {_clean(str(reason))}", style="dim", highlight=False)
        else:
            console.print(Image(io.BytesIO(small), width="auto", height=_ROWS))
        console.print()


_PICTURE, _ROWS = 640, 12
"""Longer side of a picture in pixels, and its height in lines."""


def _write_sheet(answer: Answer, file: Path) -> None:
    from web.sheet import contact_sheet

    with _progress("Drawing", "photos") as progress:
        page = contact_sheet(answer, progress)
    file.write_bytes(page)
    _say(f"wrote {_counted(len(answer.hits), 'picture')} to {file}")


def _open_hit(answer: Answer, rank: int) -> None:
    hit = next((hit for hit in answer.hits if hit.rank == rank), None)
    if hit is None:
        first, last = answer.hits[0].rank, answer.hits[-1].rank
        raise NothingFound(f"there is no hit {rank} to open: those shown are {first} to {last}")
    if sys.platform == "win32":
        os.startfile(hit.path)
        return
    names = ("open",) if sys.platform == "darwin" else ("xdg-open", "gio")
    viewer = next(filter(None, map(shutil.which, names)), None)
    if viewer is None:
        raise NoViewer(
            f"no program is known that opens photos: install xdg-utils, or open {hit.path} yourself"
        )
    words = [viewer, "open"] if Path(viewer).name == "gio" else [viewer]
    import subprocess  # most commands do without

    nothing = subprocess.DEVNULL
    started = subprocess.Popen(
        [*words, hit.path], stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
    )
    try:
        failed = started.wait(_PATIENCE) != 0
    except subprocess.TimeoutExpired:
        failed = False  # some stay as long as the photo is looked at
    if failed:
        raise NoViewer(f"{Path(viewer).name} could not open {hit.path}: open it yourself")


_PATIENCE = 3
"""Seconds that a viewer has to say that it cannot."""


def _bar(relevance: float) -> Any:
    from rich.text import Text

    cells = round(relevance * 10)
    style = "green" if relevance >= 0.6 else "yellow" if relevance >= 0.3 else "red"
    return Text("━" * cells, style) + Text("━" * (10 - cells), "bright_black")


# -- duplicates -------------------------------------------------------------------------------


@main.command(
    epilog="""Examples:

\b
pixquery duplicates --taken 2023
pixquery duplicates --threshold 1 --paths -0 | xargs -0 trash"""
)
@click.option("--threshold", type=click.FloatRange(0, 1, min_open=True), default=0.9,
              show_default=True,
              help="Likeness from which photos count as one picture; 1: equal files only.",
              )  # fmt: skip
@_filtered
@click.option("--paths", is_flag=True, help="Print the paths of all but the best of each group.")
@click.option(
    "-0", "nul", is_flag=True, help="With --paths: end each with NUL instead of a newline."
)
@_shared
def duplicates(
    threshold: float, library: Path, as_json: bool, paths: bool, nul: bool, **asked: Any
) -> None:
    """Find photos that are there more than once.

    Equal files are found by their content, near copies (resized, compressed anew, slightly cropped
    or brightened, in another format) by how like they look. Each group begins with the photo to
    keep: of the most pixels, then the largest file, then the oldest. The others are each like that
    one.

    Nothing is deleted. Look at near copies before you delete them: photos of one burst can be as
    like.
    """
    from engine import Library

    with Library.open(library) as opened:
        where = _filter(opened, asked)
        held = len(opened)
        with _progress("Comparing", "photos") as progress:
            found = opened.duplicates(threshold, where=where, progress=progress)
    if as_json:
        _print_json(_duplicates_json(found))
    elif paths:
        _print_paths((copy.record.path for group in found.groups for copy in group.copies), nul)
    elif found.groups:
        _show_duplicates(found)
    if not found.groups:
        raise NothingFound(_why_no_duplicates(found, held, library))


def _why_no_duplicates(found: Duplicates, held: int, library: Path) -> str:
    if not (held and found.among):
        return _why_none_asked(held, library)
    lower = "" if found.threshold < 0.8 else "; a lower --threshold also finds what is less alike"
    return f"none of the {found.among:,} photos is there more than once{lower}"


def _duplicates_json(found: Duplicates) -> dict[str, Any]:
    return {
        "threshold": found.threshold,
        "among": found.among,
        "copies": found.copies,
        "bytes": found.bytes,
        "groups": [
            {
                "best": _file_json(group.best),
                "copies": [
                    {
                        **_file_json(copy.record),
                        "kind": _kind(copy),
                        "likeness": round(copy.likeness, 4),
                    }
                    for copy in group.copies
                ],
            }
            for group in found.groups
        ],
    }


def _file_json(record: ImageRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "path": str(record.path),
        "width": record.width,
        "height": record.height,
        "bytes": record.state.size,
        "format": record.format,
    }


def _kind(copy: Copy) -> str:
    return "exact" if copy.exact else "near"


def _show_duplicates(found: Duplicates) -> None:
    """A block a group for eyes, a line a photo for programs."""
    eyes = sys.stdout.isatty()
    for number, group in enumerate(found.groups, 1):
        rows: list[tuple[str, str, ImageRecord]] = [("best", "", group.best)]
        rows += [(_kind(copy), f"{copy.likeness:.3f}", copy.record) for copy in group.copies]
        for kind, likeness, record in rows:
            size = f"{record.width} x {record.height}"
            if eyes:
                mark = click.style(f"{kind:<5}", fg="green" if kind == "best" else "yellow")
                weight = _size(record.state.size)
                click.echo(f"{mark}  {likeness:<5}  {size:>13}  {weight:>9}  {_near(record.path)}")
            else:
                columns = (number, kind, likeness, size, record.state.size, _shown(record.path))
                click.echo("\t".join(map(str, columns)))
        if eyes:
            click.echo()
    if eyes:
        click.echo(
            f"{found.copies:,} of {found.among:,} photos are superfluous, {_size(found.bytes)}, "
            f"in {_counted(len(found.groups), 'group')}"
        )


# -- serve ------------------------------------------------------------------------------------


@main.command(
    epilog="""Examples:

\b
pixquery serve --open
PIXQUERY_TOKEN=... pixquery serve --host 0.0.0.0"""
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS",
              help="Where to listen; other computers reach any but this one, by a token.",
              )  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True,
              help="Where to listen; 0 takes any that is free.")  # fmt: skip
@click.option("--token", envvar="PIXQUERY_TOKEN", default="", metavar="WORD",
              help="What clients must show; better as $PIXQUERY_TOKEN, which others cannot list.",
              )  # fmt: skip
@click.option("--open", "opens", is_flag=True, help="Open the gallery in the browser.")
@_shared
def serve(host: str, port: int, token: str, opens: bool, library: Path, as_json: bool) -> None:
    """Show the library in the browser, and answer other programs, until Ctrl-C.

    The gallery lies at the address that is printed, the API's description below it at docs. Only
    this computer is answered; with --host and a token others are, too: in the browser by visiting
    the address with ?token=WORD once, in programs by the header Authorization: Bearer WORD.
    """
    _one_thread_for_small_sums()
    with _extra("web"):
        from web.serving import entrance
        from web.serving import serve as run

    def ready(url: str) -> None:
        if as_json:
            _print_json({"url": url, "library": str(library)})
        else:
            click.echo(f"pixquery serves {_shown(library)} at {url}  (Ctrl-C ends it)")
        if opens:
            click.launch(entrance(url, token))

    try:
        run(library, host=host, port=port, token=token, ready=ready)
    except KeyboardInterrupt:
        _say("no longer serving")


# -- policy -----------------------------------------------------------------------------------


@main.command(epilog="Example:  pixquery policy on")
@click.argument("state", type=click.Choice(["show", "on", "off"]), default="show")
@_shared
def policy(state: str, library: Path, as_json: bool) -> None:
    """Refuse queries that hold a stop word, such as words about children.

    `on` puts the list stop-words.txt into the library's folder, where you may edit it; `off` leaves
    it there; `show` tells which of the two it is. It is off until you switch it on.
    """
    from engine import Library

    with Library.open(library) as opened:
        if state != "show":
            opened.switch_policy(on=state == "on")
        policed, words = opened.policed, opened.stop_words
        # Switching off is the way out of a damaged list: it must not need one.
        count = None if state == "off" else len(opened.policy())
    if as_json:
        _print_json(
            {
                "library": str(library),
                "policy": "on" if policed else "off",
                "file": str(words),
                "words": count,
            }
        )
        return
    click.echo(f"policy  {'on' if policed else 'off'}")
    click.echo(f"list    {_shown(words)}" + (f" ({count:,} words)" if count else ""))


# -- score and evaluate -----------------------------------------------------------------------


@main.command(epilog="Example:  pixquery score pairs.csv > scored.csv")
@click.argument("pairs", metavar="PAIRS.csv", type=click.Path(path_type=Path))
@click.option("--profile", metavar="NAME|DIR", help="Models to use; else the library's.")
@_shared
def score(pairs: Path, profile: str | None, library: Path, as_json: bool) -> None:
    """Tell the relevance and similarity of given pairs.

    PAIRS.csv has the columns `image,text`; the same comes out with `similarity,relevance` added.
    Image paths are looked for from the current folder, then from the file's own. The library need
    not hold the photos.
    """
    from engine.library import CATALOGUE, Library
    from engine.profile import load_profile
    from trainer.datasets import read_pairs
    from trainer.evaluate import score as judge

    asked = read_pairs(pairs)
    if profile is None and (library / CATALOGUE).is_file():
        with Library.open(library) as opened:
            models = opened.profile
    else:
        models = load_profile(profile) if profile else load_profile()
    with _progress("Scoring", "photos") as progress:
        scored = judge(asked, models, _photo_loader(models.size), progress)
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
        _print_json(rows)
        return
    out = io.StringIO()
    writer = csv.DictWriter(out, ["image", "text", "similarity", "relevance"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    click.echo(out.getvalue(), nl=False)


@main.command(
    epilog="Example:  pixquery evaluate test_queries.csv --judgements qrels.txt --report report"
)
@click.argument("queries", metavar="QUERIES.csv", type=click.Path(path_type=Path))
@click.option("--judgements", metavar="FILE", type=click.Path(path_type=Path),
              help="Graded judgements, for nDCG, AP, RR, P and R.")  # fmt: skip
@click.option("--sep", metavar="CHAR", help="Column separator; else found from the header.")
@click.option("--candidates", type=click.IntRange(1), default=200, show_default=True,
              help="Photos that the prefilter hands to the regressor.")  # fmt: skip
@click.option("--report", metavar="DIR", type=click.Path(path_type=Path),
              help="Write evaluation.json and the figures of every query there.")  # fmt: skip
@_shared
def evaluate(
    queries: Path,
    judgements: Path | None,
    sep: str | None,
    candidates: int,
    report: Path | None,
    library: Path,
    as_json: bool,
) -> None:
    """Measure a library against queries whose relevant photos are known.

    QUERIES.csv has the columns `query_id,query_text,image`; the image is named by its file name or
    the end of its path. Prefilter alone is shown beside re-ranked.

    With --judgements many photos may be more or less relevant to a query: FILE is a CSV with the
    columns `query_id,image,relevance`, or TREC qrels. 0 is not relevant, as is a photo that nobody
    judged.
    """
    _one_thread_for_small_sums()
    from engine import Library
    from trainer.datasets import read_judgements, read_queries
    from trainer.evaluate import evaluate as measure
    from trainer.evaluate import evaluate_graded, write_measures, write_ranks

    asked = read_queries(queries, sep)
    judged = read_judgements(judgements) if judgements is not None else None
    graded = None
    with Library.open(library) as opened, _progress("Evaluating", "queries") as progress:
        if judged is None:
            result, ranks = measure(opened, asked, candidates, progress)
        else:
            result, ranks, graded = evaluate_graded(opened, asked, judged, candidates, progress)
    found = _evaluation_json(result, graded)
    if report is not None:
        report.mkdir(parents=True, exist_ok=True)
        (report / "evaluation.json").write_text(json.dumps(found, indent=2) + "\n", "utf-8")
        write_ranks(report / "ranks.csv", asked, ranks)
        if graded is not None:
            write_measures(report / "measures.csv", graded)
    _warn_of_evaluation(result, graded)
    if as_json:
        _print_json(found)
    else:
        _show_evaluation(result, graded)


def _warn_of_evaluation(result: Evaluation, graded: Graded | None) -> None:
    if result.unmatched:
        _say(
            f"{len(result.unmatched)} relevant photos are not in the library and count as not "
            f"found, for example {result.unmatched[0]}"
        )
    if graded is None:
        return
    for what, names in (
        ("judged photos that the library lacks, not found where relevant", graded.unmatched),
        ("judged query ids that are not asked", graded.unknown),
        ("queries left out of the graded measures, no photo relevant", graded.left_out),
    ):
        if names:
            _say(f"{what}: {len(names):,}, for example {names[0]}")


def _evaluation_json(result: Evaluation, graded: Graded | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "queries": result.queries,
        "images": result.images,
        "profile": result.profile,
        "first_stage": _rounded(result.first_stage, 4),
        "reranked": _rounded(result.reranked, 4),
        "ci95": _bounds_json(result.ci95),
        "milliseconds": _rounded({"p50": result.p50, "p95": result.p95}, 2),
    }
    if graded is not None:
        first, reranked = graded.unjudged.mean(1)
        found["measures"] = {
            "queries": len(graded.queries),
            "left_out": len(graded.left_out),
            "judgements": graded.judgements,
            "first_stage": _rounded(graded.means(0), 4),
            "reranked": _rounded(graded.means(1), 4),
            "ci95": _bounds_json(graded.ci95()),
            "unjudged@10": {
                "first_stage": round(float(first), 2),
                "reranked": round(float(reranked), 2),
            },
        }
    return found


def _bounds_json(
    ci95: Mapping[str, Mapping[str, tuple[float, float]]],
) -> dict[str, dict[str, list[float]]]:
    return {
        stage: {name: [round(low, 4), round(high, 4)] for name, (low, high) in bounds.items()}
        for stage, bounds in ci95.items()
    }


def _show_evaluation(result: Evaluation, graded: Graded | None) -> None:
    click.echo(f"{result.queries:,} queries over {result.images:,} photos ({result.profile})\n")
    _show_stages(result.first_stage, result.reranked, result.ci95)
    if graded is not None:
        click.echo(
            f"\n{len(graded.queries):,} queries with {graded.judgements:,} graded judgements\n"
        )
        _show_stages(graded.means(0), graded.means(1), graded.ci95())
        first, reranked = graded.unjudged.mean(1)
        click.echo(
            f"\nof the first ten photos, nobody judged {first:.1f} (prefilter) and {reranked:.1f} "
            "(re-ranked) on average"
        )
    click.echo(f"\none query: median {result.p50:.1f} ms, 95 % within {result.p95:.1f} ms")


def _show_stages(
    first_stage: Mapping[str, float],
    reranked: Mapping[str, float],
    ci95: Mapping[str, Mapping[str, tuple[float, float]]],
) -> None:
    click.echo(
        f"{'':<12}{'prefilter':>10}{'95 % interval':>18}{'re-ranked':>12}{'95 % interval':>18}"
    )
    for name, first in first_stage.items():
        cells = ""
        for stage, value, width in (("first_stage", first, 10), ("reranked", reranked[name], 12)):
            bounds = ci95[stage].get(name)
            span = f"{bounds[0]:.3f} .. {bounds[1]:.3f}" if bounds else ""
            cells += f"{value:>{width}.3f}{span:>18}"
        click.echo(f"{name:<12}{cells}".rstrip())


# -- train ------------------------------------------------------------------------------------


@main.command(epilog="Examples:  pixquery train ./flickr8k --out ./my-profile;  "
              "pixquery train ratings.csv --scale 1..5 --out ./my-profile")  # fmt: skip
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--out", required=True, metavar="DIR", type=click.Path(path_type=Path),
              help="The new profile's folder; report.html lies in it.")  # fmt: skip
@click.option("--profile", metavar="NAME|DIR", help="Whose encoders to begin with.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--quick", is_flag=True,
              help="In a fifth of the time: text encoder as it is, less compared.")  # fmt: skip
@click.option("--tune", type=click.IntRange(0), default=0, metavar="N",
              help="Search better settings of regressors in N trials each.")  # fmt: skip
@click.option("--stop-words", type=click.Choice(["pairs", "all", "off"]), default="pairs",
              show_default=True,
              help="What the stop-word list takes out: rated pairs, captions as well, or nothing.",
              )  # fmt: skip
@click.option("--scale", default="0..1", show_default=True, metavar="LO..HI",
              help="Of the ratings in a CSV.")  # fmt: skip
@click.option("--aggregation", default="mean", show_default=True, metavar="NAME",
              help="How several ratings of a pair become one: mean, median, majority; where the "
              "CSV names workers also dawid-skene, one-coin, glad, mace, wawa.")  # fmt: skip
@_shared
def train(
    data: Path, out: Path, profile: str | None, library: Path, as_json: bool, **chosen: Any
) -> None:
    """Learn alignment and relevance from captions and people's ratings, and write a profile.

    DATA is a folder with captions_train.csv, captions_rated.csv, ExpertAnnotations.tsv and images/,
    or a CSV of your own ratings with the columns image, text, rating and perhaps worker: then only
    relevance is learned.
    """
    del library  # every command takes the option; training needs none
    from engine.profile import load_profile

    with _extra("train"):
        from trainer.datasets import parse_scale
        from trainer.train import Options
        from trainer.train import train as learn

    models = load_profile(profile) if profile else load_profile()
    chosen["scale"] = parse_scale(chosen["scale"])
    with _progress("Training", "steps") as progress:
        options = Options(**chosen, progress=progress)
        found = learn(data, out, models, _photo_loader(models.size), options)
    if as_json:
        _print_json(found)
        return
    for line in _study_lines(found):
        click.echo(line)


def _study_lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{'regressor':<24}{'features':<18}{'split':<10}  RMSE  tau_c  crowd tau_b"
    for row in found["regressors"]:
        figures = [
            "    -" if row[name] is None else f"{row[name]:5.3f}"
            for name in ("rmse", "tau_c_expert", "tau_b_crowd")
        ]
        yield f"{row['name']:<24}{row['features']:<18}{row['split']:<10} " + "  ".join(figures)
    yield f"chosen: {found['chosen']}; {found['why']}"
    if found["alignment"] is not None:
        stages = found["reranking"]
        for name, stage in (("similarity", "first_stage"), ("relevance", "reranked")):
            recalls = " / ".join(f"{100 * stages[stage][f'recall@{k}']:.1f}" for k in (1, 5, 10))
            yield f"recall@1 / 5 / 10 by {name}: {recalls} %"
    out = found["out"]
    yield f"wrote the profile {out}, and what was measured to {Path(out) / 'report.html'}"
    yield f"use it with:  pixquery index FOLDER --profile {shlex.quote(out)}"


# -- mcp --------------------------------------------------------------------------------------


@main.command("mcp", epilog="Example:  pixquery mcp --library ~/pixquery --json")
@_shared
def assist(library: Path, as_json: bool) -> None:
    """Let assistants search your photos, by the Model Context Protocol.

    An assistant starts this command itself and talks to it over stdin and stdout; --json prints the
    entry for its settings and does nothing else. It can search, and see small pictures and details
    of photos; it can change nothing.
    """
    if as_json:
        command, *words = _how_started()
        words += ["mcp", "--library", str(library.expanduser().absolute())]
        _print_json({"mcpServers": {"pixquery": {"command": command, "args": words}}})
        return
    _one_thread_for_small_sums()
    with _extra("mcp"):
        from web.assistants import serve
    from engine import Library

    with Library.open(library) as opened:
        opened.profile.warm()
        serve(opened)


def _how_started() -> list[str]:
    """How another program starts this one, from wherever it runs."""
    installed = shutil.which("pixquery")
    return [installed] if installed else [sys.executable, str(Path(__file__).absolute())]


# -- info, verify, models ---------------------------------------------------------------------


@main.command()
@_shared
def info(library: Path, as_json: bool) -> None:
    """Tell what the library holds."""
    from engine import Library

    with Library.open(library) as opened:
        found = opened.info()
    if as_json:
        _print_json(_info_json(found))
        return
    click.echo(f"library    {_shown(found.library)}")
    click.echo(f"profile    {found.profile}")
    click.echo(f"photos     {found.images:,}")
    for root in found.roots:
        click.echo(f"  root     {_shown(root.path)} ({root.images:,})")
    click.echo(
        f"index      {found.index}, {found.dimension} dimensions, {_size(found.vectors_bytes)}"
    )
    click.echo(f"catalogue  {_size(found.catalogue_bytes)}")
    click.echo(f"updated    {_iso(found.updated) or 'never'}")
    if found.switching:
        click.echo(
            f"unfinished {found.encoded:,} of {found.images:,} photos are encoded anew; go on with "
            f"`pixquery index --rebuild --profile {shlex.quote(found.switching)}`"
        )


def _info_json(found: LibraryInfo) -> dict[str, Any]:
    return {
        "library": str(found.library),
        "profile": found.profile,
        "images": found.images,
        "roots": [{"path": str(root.path), "images": root.images} for root in found.roots],
        "vectors": {
            "index": found.index,
            "dimension": found.dimension,
            "bytes": found.vectors_bytes,
        },
        "catalogue_bytes": found.catalogue_bytes,
        "updated": _iso(found.updated),
        "switching": {"profile": found.switching, "encoded": found.encoded}
        if found.switching
        else None,
    }


@main.command()
@click.option("--repair", is_flag=True, help="Mend what can be mended.")
@_shared
def verify(repair: bool, library: Path, as_json: bool) -> None:
    """Check catalogue, vectors, profile and files against each other.

    Exit code 1 when something is wrong and was not mended.
    """
    from db.errors import LibraryDamaged
    from db.records import Finding
    from engine import Library

    beyond = []
    try:
        opened = Library.open(library)
    except LibraryDamaged as error:
        if not repair:
            raise
        Library.mend(library)
        beyond = [Finding(str(error).partition(": mend")[0], repaired=True)]
        opened = Library.open(library)
    with opened:
        findings = [*beyond, *opened.verify(repair=repair)]
        if repair and findings:
            from indexer.build import index as build

            roots = [root.path for root in opened.catalog.roots() if root.path.is_dir()]
            if roots:
                with _progress("Encoding", "photos") as progress:
                    _reindex(opened, roots, progress, build)
            left = {finding.what for finding in opened.verify(repair=False)}
            findings = [
                type(finding)(finding.what, repaired=finding.what not in left)
                for finding in findings
            ]
    broken = [finding for finding in findings if not finding.repaired]
    if as_json:
        _print_json({"library": str(library), "findings": [asdict(f) for f in findings]})
    else:
        for finding in findings:
            click.echo(f"{'mended' if finding.repaired else 'wrong'}: {_clean(finding.what)}")
        if not findings:
            click.echo("catalogue, vectors, profile and files agree")
        elif broken and not repair:
            click.echo("mend it with `pixquery verify --repair`")
    if broken:
        click.get_current_context().exit(1)


def _reindex(opened: Any, roots: list[Path], progress: Any, build: Any) -> None:
    from db.errors import BadRoot
    from indexer.build import Options

    try:
        build(opened, roots, Options(progress=progress))
    except BadRoot as error:
        _say(f"pixquery: {error}")


@main.group()
def models() -> None:
    """Tell about profiles, and make the shipped one."""


@models.command("list")
@_shared
def models_list(library: Path, as_json: bool) -> None:
    """List the profiles at hand."""
    del library
    from engine.profile import DEFAULT, load_profile, names

    rows = []
    for name in names():
        profile = load_profile(name)
        rows.append(
            {
                "name": name,
                "description": profile.manifest["description"],
                "licence": profile.manifest["licence"],
                "dimension": profile.alignment.dimension,
                "bytes": sum(file["bytes"] for file in profile.manifest["files"].values()),
                "default": name == DEFAULT,
            }
        )
    if as_json:
        _print_json(rows)
        return
    for row in rows:
        mark = " (default)" if row["default"] else ""
        click.echo(
            f"{row['name']}{mark}: {row['description']}; {_size(row['bytes'])}, {row['licence']}"
        )


@models.command(
    "export", epilog="Example:  pixquery models export --out profile --photos ~/Pictures"
)
@click.option("--out", required=True, metavar="DIR", type=click.Path(path_type=Path),
              help="Where to write the models.")  # fmt: skip
@click.option("--photos", required=True, metavar="DIR", type=click.Path(path_type=Path),
              help="A few hundred photos: they set the ranges of the 8-bit model.")  # fmt: skip
@_shared
def models_export(out: Path, photos: Path, library: Path, as_json: bool) -> None:
    """Make the shipped profile's encoders from the pinned PyPI packages.

    Alignment and relevance are then learned by `pixquery train --profile OUT`.
    """
    del library
    import numpy as np

    from indexer.scan import roots_of, scan

    with _extra("train"):
        from trainer.export import SIZE, export

    files = sorted(scan(roots_of([photos])[0]).files)
    step = max(1, len(files) // 300)
    load = _photo_loader(SIZE)
    export(out, np.stack([load(file) for file in files[::step][:300]]))
    if as_json:
        _print_json({"out": str(out)})
    else:
        click.echo(
            f"wrote the encoders to {out}; next: pixquery train DATA --profile {out} --out DIR"
        )


# -- words and numbers ------------------------------------------------------------------------


def _leave(code: object) -> NoReturn:
    """Ends the process without taking down the models one by one, which takes a fifth of a query.

    All that must be whole is: files are closed where they are written, output is flushed here.
    """
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    status = code if isinstance(code, int) else 0 if code is None else 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            status = status or 1
    os._exit(status)


def _one_thread_for_small_sums() -> None:
    """Keeps FAISS and NumPy from waking threads for one query's sums; before they are imported.

    Their threads would fight with the encoder's for the same cores: on two busy ones a query took
    three times as long.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def _photo_loader(size: int) -> Callable[[Path], Pixels]:
    from db.errors import UnreadableImage
    from indexer.decode import decode

    def load(path: Path) -> Pixels:
        try:
            return decode(path.read_bytes(), size).pixels
        except UnreadableImage as error:
            raise UnreadableImage(f"{_shown(path)}: {error}") from None

    return load


@contextmanager
def _progress(what: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr with rate and time left; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(what, total=None, rate="")

        def show(done: int, total: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(
                task, completed=done, total=total, rate=f"{speed:,.0f} {unit}/s" if speed else ""
            )

        yield show


@contextmanager
def _extra(name: str) -> Iterator[None]:
    """Says which extra to install where an import of it fails."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"this command needs the package {error.name}: pip install 'pixquery[{name}]'"
        ) from error


def _say(text: str) -> None:
    click.echo(_clean(text), err=True)


def _print_json(document: Any) -> None:
    # ASCII: a path that is not valid Unicode survives as escapes.
    click.echo(json.dumps(document, indent=2))


def _print_paths(paths: Iterable[Path], nul: bool) -> None:
    """As the bytes that the system knows them by."""
    for path in paths:
        sys.stdout.buffer.write(os.fsencode(path) + (b"\0" if nul else b"\n"))
    sys.stdout.buffer.flush()


def _shown(path: Path) -> str:
    return _clean(str(path))


def _near(path: Path) -> str:
    """A path as short as the current folder allows, for eyes rather than programs."""
    here = Path.cwd()
    return _shown(path.relative_to(here) if path.is_relative_to(here) else path)


def _clean(text: str) -> str:
    """Text that cannot disturb a terminal: control characters and stray bytes as escapes."""
    valid = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in valid)


def _rounded(values: Mapping[str, float], digits: int) -> dict[str, float]:
    return {name: round(value, digits) for name, value in values.items()}


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


if __name__ == "__main__":
    main()
