"""Prints text, numbers, paths and JSON documents."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixquery.commands.streams import unguarded
from pixquery.engine.legible import counted, legible

if TYPE_CHECKING:
    from rich.console import Console


def say(text: str) -> None:
    """Prints a line that is not data, to stderr."""
    with suppress(OSError):  # nobody reads it: that must not stop the work
        click.echo(legible(text), err=True)


def tell(text: str) -> None:
    """Prints a line for people, to stdout."""
    click.echo(legible(text))


def print_json(document: Any) -> None:
    """Prints one JSON document to stdout."""
    # ASCII: a path that is not valid Unicode survives as escapes.
    click.echo(json.dumps(document, indent=2))


def tell_marked(mark: str, colour: str, text: str) -> None:
    """Prints a line for people that begins with a mark in a colour."""
    from rich.text import Text

    line = Text(legible(mark), colour) + Text(f"  {legible(text)}")
    console().print(line, soft_wrap=True)


def print_table(text: str) -> None:
    """Prints a table for programs to stdout: exactly, unless that is a terminal."""
    sys.stdout.write(text)  # click would leave escape sequences out
    sys.stdout.flush()


def print_paths(paths: Iterable[Path], nul: bool) -> None:
    """Prints paths as the bytes that the file system uses; to a terminal, as legible lines."""
    if sys.stdout.isatty():
        for path in paths:
            tell(str(path))
        return
    for path in paths:
        sys.stdout.buffer.write(os.fsencode(path) + (b"\0" if nul else b"\n"))
    sys.stdout.buffer.flush()


def console(*, stderr: bool = False) -> Console:
    """Where tables, colours and pictures are drawn. Every text in them must be legible."""
    from rich.console import Console

    return Console(file=unguarded(sys.stderr if stderr else sys.stdout))


def shown(path: Path) -> str:
    """A path as text that cannot disturb a terminal."""
    return legible(path)


def near(path: Path) -> str:
    """A path for people: relative if it is in the current folder."""
    try:
        here = Path.cwd()
    except OSError:  # it was deleted
        return shown(path)
    return shown(path.relative_to(here) if path.is_relative_to(here) else path)


def rounded(values: Mapping[str, float], digits: int) -> dict[str, float]:
    """Values rounded to ``digits`` decimal places."""
    return {name: round(value, digits) for name, value in values.items()}


def figure(value: float | None) -> float | None:
    """A similarity or relevance, rounded for JSON; null if it is unknown."""
    return None if value is None else round(value, 4)


def origin(trained: Mapping[str, Any]) -> str:
    """What a profile was trained from and on, for people."""
    if trained.get("borrowed"):
        return (
            f"relevance borrowed from {trained['from']}, which learned it from "
            f"{counted(trained['pairs'], 'pair')} judged by {trained['judges']}"
        )
    asked = f"; {trained['asked']}" if "asked" in trained else ""
    return (
        f"trained from {trained['from']} on {counted(trained['pairs'], 'pair')} judged by "
        f"{trained['judges']}{asked}"
    )


def iso(moment: datetime | None) -> str | None:
    """A time in ISO 8601, to the second."""
    return moment.isoformat(timespec="seconds") if moment else None


def day(moment: datetime) -> str:
    """The day of a time, on this computer's clock if the time has a zone."""
    with suppress(OSError):  # Windows has no clock for the years before 1970
        moment = moment.astimezone() if moment.tzinfo else moment
    return moment.date().isoformat()


def size_of(count: int) -> str:
    """A number of bytes as megabytes or gigabytes, for people; rounded."""
    return f"{count / 1e6:.0f} MB" if count < 10**9 else f"{count / 1e9:.1f} GB"


def megabytes(count: int) -> str:
    """A number of bytes as megabytes, for people."""
    return f"{count / 1e6:.1f} MB"
