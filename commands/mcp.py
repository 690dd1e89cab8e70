"""`mcp`: a library in the hands of assistants."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from pixquery.commands.loading import extra, one_thread_for_small_sums
from pixquery.commands.options import shared
from pixquery.commands.printing import print_json


@click.command(epilog="Example:  pixquery mcp --library ~/pixquery --json")
@shared
def mcp(library: Path, as_json: bool) -> None:
    """Let assistants search your photos, by the Model Context Protocol.

    An assistant starts this command itself and talks to it over stdin and stdout; --json prints the
    entry for its settings and does nothing else. It can search, and see small pictures and details
    of photos; it can change nothing.
    """
    if as_json:
        command, *words = _how_started()
        words += ["mcp", "--library", str(library.expanduser().absolute())]
        print_json({"mcpServers": {"pixquery": {"command": command, "args": words}}})
        return
    one_thread_for_small_sums()
    with extra("mcp"):
        from pixquery.web.assistants import serve
    from pixquery.engine.library import Library

    with Library.open(library) as opened:
        opened.profile.warm()
        serve(opened)


_CLI = Path(__file__).resolve().parent.parent / "cli.py"
"""Only in a clone."""


def _how_started() -> list[str]:
    """How another program starts this one, from wherever it runs."""
    installed = shutil.which("pixquery")
    if installed:
        return [installed]
    return [sys.executable, *([str(_CLI)] if _CLI.is_file() else ["-m", "pixquery"])]
