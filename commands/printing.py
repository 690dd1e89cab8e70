"""How words, numbers, paths and documents are printed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from pixquery.engine.legible import legible


def say(text: str) -> None:
    """A line on stderr: what is no data."""
    click.echo(legible(text), err=True)


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    # ASCII: a path that is not valid Unicode survives as escapes.
    click.echo(json.dumps(document, indent=2))


def print_paths(paths: Iterable[Path], nul: bool) -> None:
    """As the bytes that the system knows them by."""
    for path in paths:
        sys.stdout.buffer.write(os.fsencode(path) + (b"\0" if nul else b"\n"))
    sys.stdout.buffer.flush()


def shown(path: Path) -> str:
    """A path as text that cannot disturb a terminal."""
    return legible(path)


def near(path: Path) -> str:
    """A path as short as the current folder allows, for eyes rather than programs."""
    here = Path.cwd()
    return shown(path.relative_to(here) if path.is_relative_to(here) else path)


def rounded(values: Mapping[str, float], digits: int) -> dict[str, float]:
    """Figures of no more digits than they are good for."""
    return {name: round(value, digits) for name, value in values.items()}


def iso(moment: datetime | None) -> str | None:
    """A moment to the second, in ISO 8601."""
    return moment.isoformat(timespec="seconds") if moment else None


def megabytes(count: int) -> str:
    """A number of bytes, for eyes."""
    return f"{count / 1e6:.1f} MB"
