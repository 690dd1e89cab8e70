"""`forget`: removes a folder from the library."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pixquery.commands.options import shared
from pixquery.commands.printing import print_json, say, shown
from pixquery.db.quoting import quoted
from pixquery.engine.legible import counted


@click.command(
    epilog="""Examples:

\b
pixquery forget /media/old-disk
pixquery forget ~/Pictures/2019 --yes"""
)
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
@shared
def forget(folder: Path, yes: bool, library: Path, as_json: bool) -> None:
    """Remove a folder and its photos from the library.

    No file is touched. FOLDER is one of the library's folders, as `info` lists them, and need not
    exist any more. On a terminal, you are asked first.

    To leave out a part of a folder, use a .pixqueryignore file instead. If a folder was moved,
    `index NEW --moved-from OLD` keeps its photos.
    """
    from pixquery.engine.library import Library
    from pixquery.engine.roots import forget as drop
    from pixquery.engine.roots import root_named

    with Library.open(library) as opened:
        root = root_named(opened.catalog, folder)
        if not yes and sys.stdin.isatty():
            question = f"forget the {counted(root.images, 'photo')} of {shown(root.path)}?"
            if not click.confirm(f"{question} The files stay where they are.", err=True):
                say("pixquery: nothing was forgotten")
                click.get_current_context().exit(1)
        forgotten = drop(opened, root.path)
        remaining = len(opened)
    if as_json:
        print_json(
            {
                "library": str(library),
                "path": str(forgotten.path),
                "removed": forgotten.images,
                "images": remaining,
            }
        )
        return
    click.echo(f"forgot {shown(forgotten.path)} and its {counted(forgotten.images, 'photo')}")
    click.echo(
        f"{counted(remaining, 'photo')} in {shown(library)}; "
        f"`pixquery index {quoted(forgotten.path)}` adds the folder again"
    )
