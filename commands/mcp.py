"""`mcp`: lets AI assistants search a library."""

from __future__ import annotations

import shutil
import sys
from importlib import import_module
from pathlib import Path

import click

from pixquery.commands.loading import extra, one_thread_for_small_sums
from pixquery.commands.options import shared
from pixquery.commands.printing import print_json
from pixquery.commands.streams import unguarded


@click.command(
    epilog="""Example, to print what an assistant's settings need:

\b
pixquery mcp --library ~/pixquery --json"""
)
@shared
def mcp(library: Path, as_json: bool) -> None:
    """Let AI assistants search your photos, over MCP.

    An assistant starts this command itself and talks to it over stdin and stdout, using the Model
    Context Protocol. It can search, and see details and small versions of photos. It cannot change
    anything. --json only prints the entry for the assistant's settings.
    """
    if as_json:
        command, *words = _how_started()
        words += ["mcp", "--library", str(library.absolute())]
        print_json({"mcpServers": {"pixquery": {"command": command, "args": words}}})
        return
    one_thread_for_small_sums()
    with extra("mcp"):
        from pixquery.web.assistants import serve
    from pixquery.engine.library import Library

    sys.stdout = unguarded(sys.stdout)  # the protocol escapes what it sends
    with Library.open(library) as opened:
        opened.profile.warm()
        serve(opened, import_module("pixquery").__version__)


_CLI = Path(__file__).resolve().parent.parent / "cli.py"
"""Exists only in a clone."""


def _how_started() -> list[str]:
    """The command line by which another program starts pixquery, from any folder."""
    installed = shutil.which("pixquery")
    if installed:
        return [installed]
    return [sys.executable, *([str(_CLI)] if _CLI.is_file() else ["-m", "pixquery"])]
