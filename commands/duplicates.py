"""`duplicates`: photos that the library holds more than once, and their way to the trash."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from pixquery.commands.options import filter_of, filtered, shared, why_no_photos
from pixquery.commands.printing import (
    megabytes,
    near,
    print_json,
    print_paths,
    say,
    shown,
    tell_marked,
)
from pixquery.commands.progress import progress_bar
from pixquery.db.errors import NothingFound
from pixquery.db.quoting import library_option
from pixquery.engine.legible import counted

if TYPE_CHECKING:
    from pixquery.db.records import ImageRecord
    from pixquery.engine.answers import Copy, Duplicates
    from pixquery.engine.trash import Fate


_LEFT_OUT: dict[str, str] = {
    "missing": "{} not there any more{}: run `pixquery index`, or connect the disk",
    "changed": "{} no longer what was indexed{}: run `pixquery index`",
    "unreachable": "{} left out{}",
    "same file": "{} the same file as another photo under a second path{}: counted once",
    "link": "{} only a symbolic link{}: deleting it would free nothing",
}
"""What is said of photos that were left out: how many are, and an example."""


@click.command(
    epilog="""Examples:

\b
pixquery duplicates --taken 2023
pixquery duplicates --trash --dry-run
pixquery duplicates --trash"""
)
@click.option("--threshold", type=click.FloatRange(0, 1, min_open=True), default=0.9,
              show_default=True,
              help="How alike two photos must be to count as one picture; 1: equal files only.",
              )  # fmt: skip
@filtered
@click.option(
    "--trash", "to_trash", is_flag=True,
    help="Move all but the best photo of each group to the trash, after asking. Equal files only, "
    "unless you give a --threshold.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="With --trash: only show what would be moved.")
@click.option("--yes", "-y", is_flag=True, help="With --trash: move without asking.")
@click.option(
    "--paths", is_flag=True, help="Print the paths of all but the best photo of each group."
)
@click.option(
    "-0", "nul", is_flag=True, help="With --paths: end each path with NUL instead of a newline."
)
@shared
def duplicates(
    threshold: float,
    library: Path,
    as_json: bool,
    paths: bool,
    nul: bool,
    to_trash: bool,
    dry_run: bool,
    yes: bool,
    **options: Any,
) -> None:
    """Find photos that you have more than once.

    Equal files are compared byte for byte. Near copies (resized, recompressed, slightly cropped or
    brightened, or in another format) are found by how alike they look. Each group starts with the
    photo to keep: the one with the most pixels, then the largest file, then the oldest. The other
    photos of the group each resemble that one.

    Every photo is looked at before it is named. One that is not there, changed since it was
    indexed, or is the same file as another under a second path, is left out.

    Nothing is deleted. --trash moves photos to the system's trash, from where you can restore them.
    Look at near copies before: photos from one burst can look just as alike.
    """
    from pixquery.engine.library import Library

    context = click.get_current_context()
    _refuse_contradictions(to_trash=to_trash, dry_run=dry_run, yes=yes, paths=paths)
    if to_trash and context.get_parameter_source("threshold") == ParameterSource.DEFAULT:
        threshold = 1
    with Library.open(library) as opened:
        where = filter_of(opened, options)
        photo_count = len(opened)
        with progress_bar("Comparing", "photos") as progress:
            found = opened.duplicates(threshold, where=where, progress=progress)
    _tell_left_out(found)
    failed = False
    if to_trash and found.groups:
        failed = _to_trash(found, library, dry_run=dry_run, yes=yes, as_json=as_json)
    elif as_json:
        print_json(_duplicates_json(found))
    elif paths:
        print_paths((copy.record.path for group in found.groups for copy in group.copies), nul)
    elif found.groups:
        show_duplicates(found)
    if not found.groups:
        raise NothingFound(_why_no_duplicates(found, photo_count, library))
    if failed:
        context.exit(1)


def _refuse_contradictions(*, to_trash: bool, dry_run: bool, yes: bool, paths: bool) -> None:
    if (dry_run or yes) and not to_trash:
        raise click.UsageError("--dry-run and --yes belong to --trash: without it nothing is moved")
    if dry_run and yes:
        raise click.UsageError("--dry-run moves nothing, and --yes does: use one of them")
    if to_trash and paths:
        raise click.UsageError("--paths is for other programs, and --trash acts: use one of them")
    if to_trash and not (dry_run or yes) and not (sys.stdin and sys.stdin.isatty()):
        raise click.UsageError(
            "--trash asks before it moves photos, and nobody can answer here: "
            "see what would be moved with --dry-run, or add --yes"
        )


def _tell_left_out(found: Duplicates) -> None:
    for kind, words in _LEFT_OUT.items():
        photos = [left_out for left_out in found.left_out if left_out.kind == kind]
        if photos:
            count = f"{counted(len(photos), 'photo')} {'is' if len(photos) == 1 else 'are'}"
            why = f", {photos[0].reason}" if kind == "unreachable" else ""
            example = f"{'such as ' * (len(photos) > 1)}{shown(photos[0].record.path)}{why}"
            say(f"pixquery: {words.format(count, f' ({example})')}")


def _to_trash(found: Duplicates, library: Path, *, dry_run: bool, yes: bool, as_json: bool) -> bool:
    """Moves the copies, and tells what became of them; returns whether the trash refused any."""
    from pixquery.engine.trash import trash

    if not as_json and (dry_run or not yes):
        show_duplicates(found)
    if not (dry_run or yes) and not click.confirm(f"Move {_what(found)} to the trash?", err=True):
        say("pixquery: nothing was moved to the trash")
        return True
    fates: list[Fate] = []
    try:
        with progress_bar("Checking" if dry_run else "Moving", "photos") as progress:
            for fate in trash(found, dry_run=dry_run):
                fates.append(fate)
                progress(len(fates), found.copies)
    finally:  # also after Ctrl-C: these photos are in the trash by now
        if as_json:
            print_json({**_duplicates_json(found), "trash": _trash_json(fates, dry_run)})
        else:
            _tell_trash(fates, library, dry_run=dry_run)
    return any(fate.failed for fate in fates)


def _what(found: Duplicates) -> str:
    exact = sum(copy.exact for group in found.groups for copy in group.copies)
    kinds = f"{exact:,} equal to the kept one, {found.copies - exact:,} near copies"
    return f"{counted(found.copies, 'photo')} ({megabytes(found.bytes)}; {kinds})"


def _tell_trash(fates: list[Fate], library: Path, *, dry_run: bool) -> None:
    for fate in fates:
        if fate.left:
            say(f"pixquery: left {shown(fate.copy.record.path)}: {fate.left}")
    moved = [fate.copy for fate in fates if not fate.left]
    size = megabytes(sum(copy.frees for copy in moved))
    left = len(fates) - len(moved)
    rest = f"; {counted(left, 'photo')} {'was' if left == 1 else 'were'} left" if left else ""
    verb = "would be moved" if dry_run else "was moved" if len(moved) == 1 else "were moved"
    click.echo(f"{counted(len(moved), 'photo')} ({size}) {verb} to the trash{rest}")
    if moved and not dry_run:
        say(
            "pixquery: the library still lists them: "
            f"`pixquery index{library_option(library)}` removes them"
        )


def _trash_json(fates: list[Fate], dry_run: bool) -> dict[str, Any]:
    moved = [fate.copy for fate in fates if not fate.left]
    return {
        "dry_run": dry_run,
        "photos": len(moved),
        "bytes": sum(copy.frees for copy in moved),
        "paths": [str(copy.record.path) for copy in moved],
        "left": [
            {"path": str(fate.copy.record.path), "reason": fate.left, "failed": fate.failed}
            for fate in fates
            if fate.left
        ],
    }


def _why_no_duplicates(found: Duplicates, photo_count: int, library: Path) -> str:
    if not (photo_count and found.among):
        return why_no_photos(photo_count, library)
    hint = "" if found.threshold < 0.8 else "; lower --threshold to find less similar copies"
    return f"no duplicates among the {found.among:,} photos{hint}"


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
                        "frees": copy.frees,
                    }
                    for copy in group.copies
                ],
            }
            for group in found.groups
        ],
        "left_out": [
            {
                "path": str(left_out.record.path),
                "kind": left_out.kind,
                "reason": left_out.reason,
            }
            for left_out in found.left_out
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


def show_duplicates(found: Duplicates) -> None:
    """Prints a block per group on a terminal, otherwise a tab-separated line per photo."""
    terminal = sys.stdout.isatty()
    for number, group in enumerate(found.groups, 1):
        rows: list[tuple[str, str, ImageRecord]] = [("best", "", group.best)]
        rows += [(_kind(copy), f"{copy.likeness:.3f}", copy.record) for copy in group.copies]
        for kind, likeness, record in rows:
            size = f"{record.width} x {record.height}"
            if terminal:
                colour = "green" if kind == "best" else "yellow"
                weight = megabytes(record.state.size)
                tell_marked(
                    f"{kind:<5}",
                    colour,
                    f"{likeness:<5}  {size:>13}  {weight:>9}  {near(record.path)}",
                )
            else:
                columns = (number, kind, likeness, size, record.state.size, shown(record.path))
                click.echo("\t".join(map(str, columns)))
        if terminal:
            click.echo()
    if terminal:
        click.echo(
            f"{found.copies:,} of {found.among:,} photos are duplicates, "
            f"{megabytes(found.bytes)}, in {counted(len(found.groups), 'group')}"
        )
