"""`index`: the photos of folders into a library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixquery.commands import INTERRUPTED
from pixquery.commands.loading import extra
from pixquery.commands.options import shared
from pixquery.commands.printing import counted, print_json, say, shown
from pixquery.commands.progress import progress_bar

if TYPE_CHECKING:
    from pixquery.engine.library import Library
    from pixquery.indexer.build import Options
    from pixquery.indexer.report import IndexReport


@click.command(epilog="Example:  pixquery index ~/Pictures /media/camera --exclude '*.tmp.jpg'")
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
              metavar="DEVICE", show_default=True,
              help="Where to encode: cpu, cuda, gpu, npu, or auto: a GPU of its own, else cpu.",
              )  # fmt: skip
@click.option("--rebuild", is_flag=True,
              help="Encode every photo of the library anew, or for another --profile.")  # fmt: skip
@shared
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
    from pixquery.engine.library import CATALOGUE, Library
    from pixquery.indexer.build import Options
    from pixquery.indexer.build import index as build
    from pixquery.indexer.scan import scan_roots

    if watch:
        with extra("watch"):
            import pixquery.indexer.watch  # noqa: F401 - reports a missing extra before a long first pass
    if not (library / CATALOGUE).is_file():
        if not paths:
            raise click.UsageError(f"name a folder: the library {shown(library)} has none yet")
        # A wrong path is told before a library is made for it.
        scan_roots(paths, exclude, follow_links=follow_links)
    with Library.open(library, create=True, profile=profile, switch=rebuild) as opened:
        if not (paths or opened.catalog.roots()):
            raise click.UsageError(f"name a folder: the library {shown(library)} has none yet")
        options = Options(
            exclude,
            batch_size,
            jobs,
            rebuild,
            device=device,
            follow_links=follow_links,
            prune=prune,
        )
        with progress_bar("Indexing", "photos") as progress:
            report = build(opened, paths, replace(options, progress=progress))
        _tell_index(report, as_json=as_json)
        if watch and not report.interrupted:
            report = _watch(opened, paths, replace(options, rebuild=False), report, as_json=as_json)
    if report.interrupted:
        say("pixquery: interrupted; what was done is kept, run the same command to go on")
        click.get_current_context().exit(INTERRUPTED)
    if report.lacking:
        say(
            f"pixquery: {counted(report.lacking, 'photo')} could not be encoded with the profile "
            f"{report.profile}: the library answers as before until they are; run the same command "
            "when their folders are back, or forget them with --prune"
        )
    if report.lacking or (report.vanished and not report.roots):
        click.get_current_context().exit(1)


def _watch(
    library: Library, paths: Sequence[Path], options: Options, last: IndexReport, *, as_json: bool
) -> IndexReport:
    """Tells of every pass that did or found something, until Ctrl-C."""
    from pixquery.indexer.watch import keep_in_step

    say("watching; Ctrl-C ends it")
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
    say("no longer watching")
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
        say(
            f"pixquery: {lost.path} {lost.reason}: its {lost.images:,} photos are kept; "
            "index again when it is back, or forget them with --prune"
        )
    if as_json:
        print_json(_index_json(report))
        return
    for skip in report.skipped[:_SKIPS_SHOWN]:
        say(f"skipped {shown(skip.path)}: {skip.reason}")
    if len(report.skipped) > _SKIPS_SHOWN:
        say(f"skipped {len(report.skipped) - _SKIPS_SHOWN} more: `--json` lists all of them")
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
    click.echo(f"{report.images:,} photos in {shown(report.library)} ({report.profile})")
