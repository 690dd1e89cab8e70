"""`duplicates`: photos that the library holds more than once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixquery.commands.options import filter_of, filtered, shared, why_no_photos
from pixquery.commands.printing import megabytes, near, print_json, print_paths, shown, tell_marked
from pixquery.commands.progress import progress_bar
from pixquery.db.errors import NothingFound
from pixquery.engine.legible import counted

if TYPE_CHECKING:
    from pixquery.db.records import ImageRecord
    from pixquery.engine.answers import Copy, Duplicates


@click.command(
    epilog="""Examples:

\b
pixquery duplicates --taken 2023
pixquery duplicates --threshold 1 --paths -0 | xargs -0 trash"""
)
@click.option("--threshold", type=click.FloatRange(0, 1, min_open=True), default=0.9,
              show_default=True,
              help="How alike two photos must be to count as one picture; 1: equal files only.",
              )  # fmt: skip
@filtered
@click.option(
    "--paths", is_flag=True, help="Print the paths of all but the best photo of each group."
)
@click.option(
    "-0", "nul", is_flag=True, help="With --paths: end each path with NUL instead of a newline."
)
@shared
def duplicates(
    threshold: float, library: Path, as_json: bool, paths: bool, nul: bool, **options: Any
) -> None:
    """Find photos that you have more than once.

    Equal files are found by their content. Near copies (resized, recompressed, slightly cropped or
    brightened, or in another format) are found by how alike they look. Each group starts with the
    photo to keep: the one with the most pixels, then the largest file, then the oldest. The other
    photos of the group each resemble that one.

    Nothing is deleted. Look at near copies before you delete them: photos from one burst can look
    just as alike.
    """
    from pixquery.engine.library import Library

    with Library.open(library) as opened:
        where = filter_of(opened, options)
        photo_count = len(opened)
        with progress_bar("Comparing", "photos") as progress:
            found = opened.duplicates(threshold, where=where, progress=progress)
    if as_json:
        print_json(_duplicates_json(found))
    elif paths:
        print_paths((copy.record.path for group in found.groups for copy in group.copies), nul)
    elif found.groups:
        show_duplicates(found)
    if not found.groups:
        raise NothingFound(_why_no_duplicates(found, photo_count, library))


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
