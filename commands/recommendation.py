"""The line after a library's first photos that names a larger model and what it costs here."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pixquery.commands.printing import say, size_of
from pixquery.db.errors import PixqueryError
from pixquery.engine.legible import counted

if TYPE_CHECKING:
    from pixquery.engine.library import Library
    from pixquery.engine.random_network import VisionTransformer
    from pixquery.indexer.report import IndexReport

_LEAST_PHOTOS = 10
_NOTE = "recommended"
"""The catalogue's setting that says which model was named."""


def recommend(library: Library, report: IndexReport) -> None:
    """Names the recommended model, once a library; what fails here fails silently.

    Only if the shipped profile encoded photos on the processor, where the time is measured, and
    enough of them to measure it with.
    """
    if report.interrupted or report.added < _LEAST_PHOTOS or report.pace.device != "cpu":
        return
    with suppress(PixqueryError, OSError, RuntimeError, ValueError, MemoryError):
        if not _is_wanted(library):
            return
        from pixquery.indexer.forecast import forecast

        seconds = forecast(library, _network())
        if seconds is None:
            return
        with library.writing(brief=True):
            if library.catalog.setting(_NOTE):  # another process was faster
                return
            library.catalog.keep(_NOTE, _name())
        say(_words(len(library), seconds))


def _is_wanted(library: Library) -> bool:
    from pixquery.engine.profile import DEFAULT, names

    shipped = library.profile.reference == DEFAULT
    return shipped and not library.catalog.setting(_NOTE) and _name() not in names()


def _name() -> str:
    from pixquery.trainer.adopting.known import RECOMMENDED

    return RECOMMENDED


def _network() -> VisionTransformer:
    """The dimensions of the recommended model's image network: a base one, as ViT-B/16."""
    from pixquery.engine.random_network import VisionTransformer

    return VisionTransformer(size=256, patch=16, width=768, layers=12)


def _words(photos: int, seconds: float) -> str:
    from pixquery.trainer.adopting.known import KNOWN

    download = size_of(KNOWN[_name()].download)
    return (
        f"a larger model finds more, in 109 languages: `pixquery models add {_name()}` (downloads "
        f"{download}; encoding these {counted(photos, 'photo')} again would take about "
        f"{_duration(photos * seconds)} here, measured on ten of them)"
    )


def _duration(seconds: float) -> str:
    """A time in the largest unit that gives at least two of it, with two digits at most."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds >= 2 * length:
            return counted(_rounded(seconds / length), unit)
    return "a second"


def _rounded(count: float) -> int:
    """A whole number; above ten, to its two leading digits."""
    return int(float(f"{count:.2g}"))
