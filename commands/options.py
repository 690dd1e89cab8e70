"""The options that every command takes, and those that say among which photos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from platformdirs import user_data_path

from pixquery.db.quoting import quoted

if TYPE_CHECKING:
    from pixquery.db.records import Filter
    from pixquery.engine.library import Library


Command = TypeVar("Command", bound=Callable[..., Any])


def shared(command: Command) -> Command:
    """The options that every command takes."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
        click.option(
            "--library",
            type=click.Path(path_type=Path),
            envvar="PIXQUERY_LIBRARY",
            default=lambda: user_data_path("pixquery", appauthor=False),
            show_default="$PIXQUERY_LIBRARY, else the user's data folder",
            help="The library's folder.",
        ),
    ):
        command = option(command)
    return command


def filtered(command: Command) -> Command:
    """The options that say among which photos."""
    for option in reversed((  # the last applied comes first in the help
        click.option("--root", "roots", metavar="DIR", multiple=True,
                     type=click.Path(path_type=Path), help="Photos below DIR."),
        click.option("--path", "paths_like", metavar="GLOB", multiple=True,
                     help="Photos whose path or name fits, such as '*/2019/*'."),
        click.option("--taken", metavar="WHEN",
                     help="By the camera's clock: 2023, 2023-07, 2023..2024-06, 2023.."),
        click.option("--modified", metavar="WHEN", help="By the file's time, likewise."),
        click.option("--orientation", type=click.Choice(["landscape", "portrait", "square"]),
                     help="Photos of this shape."),
        click.option("--min-width", type=click.IntRange(1), metavar="PIXELS",
                     help="Photos at least so wide."),
        click.option("--min-height", type=click.IntRange(1), metavar="PIXELS",
                     help="Photos at least so high."),
        click.option("--format", "formats", metavar="NAME", multiple=True,
                     help="Photos of this format: jpeg, png, heic, raw ..."),
        click.option("--camera", metavar="TEXT", help="Photos whose camera's name holds TEXT."),
        click.option("--near", metavar="LAT,LON[,KM]",
                     help="Photos taken there, within 10 kilometres or KM."),
    )):  # fmt: skip
        command = option(command)
    return command


def filter_of(library: Library, asked: dict[str, Any]) -> Filter:
    """The filter that the options of `filtered` say; they leave ``asked``."""
    from pixquery.db.records import Filter
    from pixquery.engine import wording

    def understood(name: str, read: Callable[[str], Any]) -> Any:
        text = asked.pop(name)
        return None if text is None else read(text)

    roots = asked.pop("roots")
    known = library.catalog.roots() if roots else ()  # each is counted
    return Filter(
        roots=tuple(wording.root_among(root, known) for root in roots),
        paths=asked.pop("paths_like"),
        taken=understood("taken", wording.period),
        modified=understood("modified", wording.period),
        orientation=asked.pop("orientation"),
        min_width=asked.pop("min_width") or 0,
        min_height=asked.pop("min_height") or 0,
        formats=tuple(wording.format_name(name) for name in asked.pop("formats")),
        camera=asked.pop("camera") or "",
        near=understood("near", wording.near),
    )


def why_none_asked(held: int, library: Path) -> str:
    """Why no photo was even looked at: there is none, or none passes the filters."""
    if not held:
        return (
            f"the library {library} holds no photos yet: add some with "
            f"`pixquery index FOLDER --library {quoted(library)}`"
        )
    return (
        f"none of the library's {held:,} photos passes the filters: leave one out or widen it "
        "(photos whose camera noted no time or place never pass --taken or --near)"
    )
