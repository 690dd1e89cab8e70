"""`policy`: turns a library's list of stop words on or off."""

from __future__ import annotations

from pathlib import Path

import click

from pixquery.commands.options import shared
from pixquery.commands.printing import print_json, shown


@click.command(epilog="Example:  pixquery policy on")
@click.argument("state", type=click.Choice(["show", "on", "off"]), default="show")
@shared
def policy(state: str, library: Path, as_json: bool) -> None:
    """Refuse queries that contain a stop word.

    The policy is off by default. `on` copies the list stop-words.txt to the library's folder, where
    you can edit it; the shipped list contains words about children. `off` keeps the file. `show`
    prints the current state.
    """
    from pixquery.engine.library import Library

    with Library.open(library) as opened:
        if state != "show":
            opened.switch_policy(on=state == "on")
        policed, words = opened.policed, opened.stop_words
        # Turning the policy off is the way out of a damaged list, so it must not read the list.
        count = None if state == "off" else len(opened.policy())
    if as_json:
        print_json(
            {
                "library": str(library),
                "policy": "on" if policed else "off",
                "file": str(words),
                "words": count,
            }
        )
        return
    click.echo(f"policy  {'on' if policed else 'off'}")
    click.echo(f"list    {shown(words)}" + (f" ({count:,} words)" if count else ""))
