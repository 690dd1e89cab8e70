"""Options that every command takes, and the filters of `query` and `duplicates`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from platformdirs import user_data_path

from pixquery.db.quoting import library_option
from pixquery.engine.home import expanded, user_folder

if TYPE_CHECKING:
    from pixquery.db.records import Filter
    from pixquery.engine.library import Library


Command = TypeVar("Command", bound=Callable[..., Any])


class _Folder(click.Path):
    """A folder, whose ``~`` no shell has expanded if it comes from a variable or after a ``=``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(expanded(value), param, ctx)


def shared(command: Command) -> Command:
    """Adds the options that every command takes."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
        click.option(
            "--library",
            type=_Folder(path_type=Path),
            envvar="PIXQUERY_LIBRARY",
            default=lambda: user_folder(user_data_path, "pixquery"),
            show_default="$PIXQUERY_LIBRARY, else the user's data folder",
            help="Folder of the library.",
        ),
    ):
        command = option(command)
    return command


def filtered(command: Command) -> Command:
    """Adds the options that narrow the search to some photos."""
    for option in reversed((  # the last applied comes first in the help
        click.option("--root", "roots", metavar="DIR", multiple=True,
                     type=click.Path(path_type=Path), help="Only photos in DIR or below."),
        click.option("--path", "paths_like", metavar="GLOB", multiple=True,
                     help="Only photos whose path or name matches, such as '*/2019/*'."),
        click.option("--taken", metavar="WHEN",
                     help="Only photos taken in this period: 2023, 2023-07, 2023..2024-06, 2023.."),
        click.option("--modified", metavar="WHEN",
                     help="Only photos modified in this period, written like --taken."),
        click.option("--orientation", type=click.Choice(["landscape", "portrait", "square"]),
                     help="Only photos of this shape."),
        click.option("--min-width", type=click.IntRange(1), metavar="PIXELS",
                     help="Only photos at least this wide."),
        click.option("--min-height", type=click.IntRange(1), metavar="PIXELS",
                     help="Only photos at least this high."),
        click.option("--format", "formats", metavar="NAME", multiple=True,
                     help="Only photos of this format: jpeg, png, heic, raw ..."),
        click.option("--camera", metavar="TEXT",
                     help="Only photos whose camera's name contains TEXT."),
        click.option("--place", "places", metavar="NAME", multiple=True,
                     help="Only photos taken in this town, region or country."),
        click.option("--near", metavar="LAT,LON|TOWN[,KM]",
                     help="Only photos taken within KM kilometres (default 10) of a place."),
        click.option("--rating", metavar="STARS",
                     help="Only photos that their owner gave as many stars: 4, 4.., ..2, 3..5."),
        click.option("--keyword", "keywords", metavar="WORD", multiple=True,
                     help="Only photos that their owner gave this keyword."),
        click.option("--person", "people", metavar="NAME", multiple=True,
                     help="Only photos of this person, as their owner named faces in them."),
    )):  # fmt: skip
        command = option(command)
    return command


def filter_of(library: Library, options: dict[str, Any]) -> Filter:
    """The filter that the options of `filtered` describe. Removes them from ``options``."""
    from pixquery.db.records import Filter
    from pixquery.engine import wording

    def parsed(name: str, read: Callable[[str], Any]) -> Any:
        text = options.pop(name)
        return None if text is None else read(text)

    roots = options.pop("roots")
    known = library.catalog.roots() if roots else ()  # counting their photos takes time
    return Filter(
        roots=tuple(wording.root_among(root, known) for root in roots),
        paths=options.pop("paths_like"),
        taken=parsed("taken", wording.period),
        modified=parsed("modified", wording.period),
        orientation=options.pop("orientation"),
        min_width=options.pop("min_width") or 0,
        min_height=options.pop("min_height") or 0,
        formats=tuple(wording.format_name(name) for name in options.pop("formats")),
        camera=options.pop("camera") or "",
        near=parsed("near", wording.near),
        places=tuple(wording.place(name) for name in options.pop("places")),
        rating=parsed("rating", wording.rating),
        keywords=tuple(wording.named(word, "keyword") for word in options.pop("keywords")),
        people=tuple(wording.named(name, "person's name") for name in options.pop("people")),
    )


def why_no_photos(photo_count: int, library: Path) -> str:
    """Why there was nothing to search: the library is empty, or no photo matches the filters."""
    if not photo_count:
        return (
            f"the library {library} contains no photos yet: add some with "
            f"`pixquery index FOLDER{library_option(library)}`"
        )
    return (
        f"none of the library's {photo_count:,} photos matches the filters: remove or widen one "
        "(photos without a recorded time or place never match --taken, --near or --place)"
    )
