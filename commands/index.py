"""`index`: adds the photos of folders to a library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixquery.commands import INTERRUPTED
from pixquery.commands.loading import extra
from pixquery.commands.options import shared
from pixquery.commands.printing import print_json, say, shown, tell
from pixquery.commands.progress import progress_bar
from pixquery.commands.reading import read_if_wanted, say_what_was_read, text_json
from pixquery.commands.recommendation import recommend
from pixquery.db.quoting import library_option, quoted
from pixquery.engine.habits import note_profile
from pixquery.engine.legible import counted

if TYPE_CHECKING:
    from pixquery.engine.library import Library
    from pixquery.indexer.build import Options
    from pixquery.indexer.report import AwayRoot, IndexReport
    from pixquery.indexer.text_pass import TextReport


@click.command(
    epilog="""Examples:

\b
pixquery index ~/Pictures
pixquery index ~/Pictures /media/camera --exclude '*.tmp.jpg' --exclude private/
pixquery index ~/Pictures --quality high
pixquery index /media/new/photos --moved-from /media/old/photos
pixquery index --read-text
pixquery index --watch"""
)
@click.argument("paths", metavar="[PATH...]", nargs=-1, type=click.Path(path_type=Path))
@click.option("--profile", metavar="NAME|DIR", help="Models to use. Fixed once the library exists.")
@click.option("--quality", type=click.Choice(["normal", "high"]),
              help="high finds more, and encoding takes about 2.5 times as long. Fixed once the "
              "library exists.  [default: normal]")  # fmt: skip
@click.option(
    "--exclude",
    metavar="GLOB",
    multiple=True,
    help="Skip files or folders: a name, a path, or a line of .gitignore; repeatable.",
)
@click.option("--follow-links", is_flag=True, help="Follow symbolic links.")
@click.option("--prune", is_flag=True,
              help="Also forget the photos of folders that seem unplugged.")  # fmt: skip
@click.option("--moved-from", metavar="DIR", multiple=True, type=click.Path(path_type=Path),
              help="DIR was moved to PATH: photos found in both keep their ids; repeatable.",
              )  # fmt: skip
@click.option("--read-text/--no-read-text", "reading", default=None,
              help="Then read the text in photos, now and at every later indexing.")  # fmt: skip
@click.option("--thumbnails/--no-thumbnails", default=None,
              help="Make the gallery's pictures, now and at every later indexing (the default).",
              )  # fmt: skip
@click.option("--watch", is_flag=True, help="Keep running and index changes as they happen.")
@click.option("--batch-size", type=click.IntRange(1, 4096), default=32, show_default=True,
              help="Photos per transaction.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(0, 256), default=0, show_default="one per core",
              help="Decoding threads.")  # fmt: skip
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "gpu", "npu"]), default="auto",
              metavar="DEVICE", show_default=True,
              help="Where to encode: cpu, cuda, gpu, npu, or auto (discrete GPU, else cpu).",
              )  # fmt: skip
@click.option("--rebuild", is_flag=True,
              help="Encode every photo again, or switch to another --profile or --quality.",
              )  # fmt: skip
@shared
def index(
    paths: tuple[Path, ...],
    profile: str | None,
    quality: str | None,
    exclude: tuple[str, ...],
    follow_links: bool,
    prune: bool,
    moved_from: tuple[Path, ...],
    reading: bool | None,
    thumbnails: bool | None,
    watch: bool,
    batch_size: int,
    jobs: int,
    device: str,
    rebuild: bool,
    library: Path,
    as_json: bool,
) -> None:
    """Add photos to the library and bring it up to date.

    PATH is a folder of photos. New, changed, moved and deleted files are detected; unchanged files
    are not read again. Without PATH, all folders of the library are updated.

    Photos are kept if their folder is missing, suddenly empty, or contains none of its 20 or more
    known photos: the disk may be unplugged. --prune forgets them. If all of them are among the new
    files of PATH, the folder was moved to PATH: its photos keep their ids. If only some are,
    --moved-from says that it was moved, and `pixquery forget` drops it.

    With --read-text, text in photos is read once they can be searched, the newest first. It takes
    from 0.2 seconds a photo. Ctrl-C stops it, and the next indexing goes on.

    Hidden and system folders are skipped, and so are the previews and thumbnails of Apple Photos,
    Lightroom and other programs. So is everything that matches --exclude or a .pixqueryignore file
    (the syntax of .gitignore, in any folder). Photos are recognised by their content if their names
    are unusual. A file with several names counts once, and so does a folder.
    """
    from pixquery.engine.library import CATALOGUE, Library
    from pixquery.indexer.build import Options
    from pixquery.indexer.build import index as build
    from pixquery.indexer.kept import makes_thumbnails, remember_thumbnails
    from pixquery.indexer.scan import scan_roots

    if reading:
        from pixquery.indexer.text_pass import refuse_if_missing

        refuse_if_missing()
    if watch:
        with extra("watch"):
            import pixquery.indexer.watch  # noqa: F401 - a missing extra is reported at once
    if not (library / CATALOGUE).is_file():
        if not paths:
            raise click.UsageError(f"name a folder: the library {shown(library)} has none yet")
        if moved_from:
            raise click.UsageError(
                f"nothing can have moved: the library {shown(library)} has no photos yet"
            )
        # Fails on a wrong path before a library is created for it.
        scan_roots(paths, exclude, follow_links=follow_links)
    with Library.open(
        library, create=True, profile=profile, quality=quality, switch=rebuild
    ) as opened:
        if not (paths or opened.catalog.roots()):
            raise click.UsageError(f"name a folder: the library {shown(library)} has none yet")
        if thumbnails is not None:
            remember_thumbnails(opened, on=thumbnails)
        options = Options(
            exclude,
            batch_size,
            jobs,
            rebuild,
            device=device,
            follow_links=follow_links,
            waiting=lambda: say(
                "pixquery: another pixquery is bringing the library up to date for a moment; "
                "waiting for it"
            ),
            prune=prune,
            moved_from=moved_from,
            thumbnails=makes_thumbnails(opened),
        )
        if reading is not None:
            from pixquery.indexer.text_pass import remember_to_read

            remember_to_read(opened, on=reading)
        with progress_bar("Indexing", "photos") as progress:
            report = build(opened, paths, replace(options, progress=progress))
        _show_names(report)
        text = _show_and_read(opened, report, as_json=as_json)
        _note_speed(opened, report)
        note_profile(library, opened.profile.reference)
        if not as_json:
            recommend(opened, report)
        if watch and not (report.interrupted or (text and text.interrupted)):
            report = _watch(
                opened,
                paths,
                replace(options, rebuild=False, moved_from=()),
                report,
                as_json=as_json,
            )
    if report.interrupted or (text and text.interrupted):
        say("pixquery: interrupted; progress is saved, run the same command to continue")
        click.get_current_context().exit(INTERRUPTED)
    if report.lacking:
        say(
            f"pixquery: {counted(report.lacking, 'photo')} could not be encoded with the profile "
            f"{report.profile}, so the library answers as before: run the same command when their "
            "folders are back, or forget them with --prune"
        )
    if report.lacking or (report.vanished and not report.roots):
        click.get_current_context().exit(1)


def _note_speed(library: Library, report: IndexReport) -> None:
    """Notes for `models list` how fast photos were encoded, if there was little else to do."""
    pace = report.pace
    if pace.photos * 2 > report.added + report.updated + report.moved:
        from pixquery.engine.speeds import note_speed

        note_speed(library.profile.encoder, pace.device, pace.photos, pace.seconds)


def _watch(
    library: Library, paths: Sequence[Path], options: Options, last: IndexReport, *, as_json: bool
) -> IndexReport:
    """Reports every pass that changed or noticed something, until Ctrl-C."""
    from pixquery.indexer.watch import keep_in_step

    say("watching for changes; press Ctrl-C to stop")
    try:
        for report in keep_in_step(library, paths, options):
            known_problems = (last.skipped, last.vanished)
            if (
                report.changes
                or report.described
                or (report.skipped, report.vanished) != known_problems
            ):
                text = _show_and_read(library, report, as_json=as_json, told=last.away)
                if text is not None and text.interrupted:
                    break
            last = report
            if report.interrupted:
                break
    except KeyboardInterrupt:
        pass
    say("stopped watching")
    return last


def _index_json(report: IndexReport) -> dict[str, Any]:
    return {
        "library": str(report.library),
        "profile": report.profile,
        "quality": report.quality,
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
        "passed_over": report.passed_over,
        "described": report.described,
        "unmatched": list(report.unmatched),
        "other_names": [
            {"path": str(other.path), "name": str(other.name), "twice": other.twice}
            for other in report.other_names
        ],
        "mended": report.mended,
        "vanished": [
            {"path": str(lost.path), "images": lost.images, "reason": lost.reason}
            for lost in report.vanished
        ],
        "away": [
            {
                "path": str(root.path),
                "reason": root.reason,
                "images": root.images,
                "found": root.found,
                "found_in": [str(folder) for folder in root.found_in],
                "moved": root.moved,
                "dropped": root.dropped,
            }
            for root in report.away
        ],
    }


def _told_of(root: AwayRoot, library: Path) -> str:
    """What is known of a root that is out of reach, and what can be done about it."""
    folders = " and ".join(map(str, root.found_in))
    photos = counted(root.images, "photo")
    own = library_option(library)
    forget = f"`pixquery forget {quoted(root.path)}{own}`"
    if root.dropped:
        return (
            f"{root.path} {root.reason}, and its {photos} are all in {folders}: they keep their "
            f"ids there, and {root.path} is no longer a folder of the library (if its disk is only "
            "unplugged, index it again when it is back)"
        )
    if root.moved:
        rest = counted(root.images - root.moved, "photo")
        return (
            f"{root.moved:,} of the {photos} of {root.path} have moved to {folders}; the other "
            f"{rest} are kept: {forget} drops them"
        )
    into = " ".join(quoted(folder) for folder in root.found_in)
    return (
        f"{root.path} {root.reason}, and {root.found:,} of its {photos} are in {folders}: {forget} "
        f"drops it, and `pixquery index {into} --moved-from {quoted(root.path)}{own}` keeps their "
        "ids; if its disk is only unplugged, do nothing: its photos are kept"
    )


def _show_names(report: IndexReport) -> None:
    """Reports what was not as the user named it; once, also if the folders are watched."""
    for other in report.other_names:
        twice = f"; {counted(other.twice, 'photo')} that it had twice it has once now"
        say(
            f"pixquery: {shown(other.path)} is {shown(other.name)}, the name that the library uses"
            + (twice if other.twice else "")
        )
    if report.mended:
        say(
            f"pixquery: {counted(report.mended, 'photo')} of the library had a second name: "
            "each is in it once now"
        )
    for pattern in report.unmatched:
        say(f"pixquery: --exclude {quoted(pattern)} matched nothing")


_SKIPS_SHOWN = 10


def _show_and_read(
    library: Library, report: IndexReport, *, as_json: bool, told: Sequence[AwayRoot] = ()
) -> TextReport | None:
    """Shows what an indexing did, and reads the text in new photos if the library is to."""
    _show_problems(report, told)
    if not as_json:
        _show_counts(report)
    text = None if report.interrupted else read_if_wanted(library)
    if as_json:
        print_json({**_index_json(report), "text": text_json(text)})
    else:
        say_what_was_read(text)
    return text


def _show_problems(report: IndexReport, told: Sequence[AwayRoot]) -> None:
    for root in report.away:
        if root not in told:
            say(f"pixquery: {_told_of(root, report.library)}")
    elsewhere = {root.path for root in report.away}
    for lost in report.vanished:
        if lost.path in elsewhere:
            continue
        say(
            f"pixquery: {lost.path} {lost.reason}: its {counted(lost.images, 'photo')} are kept; "
            "index again when it is back, or forget them with --prune"
        )


def _show_counts(report: IndexReport) -> None:
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
        "with new words of their owner": report.described,
        "linked": report.linked,
        f"other file{'' if report.passed_over == 1 else 's'} passed over": report.passed_over,
    }
    summary = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    rate = f", {report.images_per_second:.0f} photos/s" if report.added + report.updated else ""
    click.echo(f"{summary or 'nothing to do'} in {report.seconds:.1f} s{rate}")
    models = (
        report.profile
        if report.quality == "normal"
        else f"{report.profile}, {report.quality} quality"
    )
    tell(f"{report.images:,} photos in {report.library} ({models})")
