"""Search your own photos by describing them.

::

    from pixquery import Library, index

    with Library.open("~/pixquery", create=True) as library:
        index(library, ["~/Pictures"])
        for hit in library.search("man on bicycle", k=10).hits:
            print(hit.rank, hit.relevance, hit.path)

The names in ``__all__`` are the stable interface; everything below may change from one version to
the next. ``docs/python.md`` is the guide.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if (Path(__file__).parent / "engine").is_file():
    # In a clone the rooms are links to the folders beside this package. Git on Windows checks links
    # out as small text files unless it is configured otherwise; the folders are beside it then.
    __path__.append(str(Path(__file__).parent.parent))

from pixquery.db.errors import (
    BadConcept,
    BadData,
    BadQuery,
    BadRoot,
    CannotServe,
    DeviceUnusable,
    DownloadFailed,
    LibraryDamaged,
    LibraryError,
    LibraryLocked,
    LibraryNotFound,
    LibraryTooNew,
    MissingExtra,
    NothingFound,
    NoViewer,
    PixqueryError,
    ProfileDamaged,
    ProfileError,
    ProfileMismatch,
    ProfileNotFound,
    ProfileUntrained,
    QueryRefused,
    SourceUnusable,
    StorageFailed,
    UnreadableImage,
)

if TYPE_CHECKING:
    from pixquery.db.records import (
        Annotation,
        Filter,
        ImageRecord,
        Line,
        Locality,
        Near,
        Period,
        Place,
        RootSummary,
        Stars,
    )
    from pixquery.engine import wording
    from pixquery.engine.answers import (
        Answer,
        Concept,
        Copy,
        Duplicates,
        Group,
        Hit,
        Lesson,
        LibraryInfo,
        Milliseconds,
        Recognised,
    )
    from pixquery.engine.checkup import Finding
    from pixquery.engine.library import Library
    from pixquery.engine.mentions import Match
    from pixquery.engine.phrasing import Phrase
    from pixquery.engine.query import Part, Query
    from pixquery.engine.sightings import LeftOut
    from pixquery.indexer.build import Options, index
    from pixquery.indexer.decode import decode
    from pixquery.indexer.examples import teach
    from pixquery.indexer.report import IndexReport
    from pixquery.indexer.sample import Comparison, compare_vectors
    from pixquery.indexer.text_pass import TextReport, read_text

_MODULES = {
    "db.records": (
        "Annotation", "Filter", "ImageRecord", "Line", "Locality", "Near", "Period", "Place",
        "RootSummary", "Stars",
    ),
    "engine.answers": (
        "Answer", "Concept", "Copy", "Duplicates", "Group", "Hit", "Lesson", "LibraryInfo",
        "Milliseconds", "Recognised",
    ),
    "engine.checkup": ("Finding",),
    "engine.library": ("Library",),
    "engine.mentions": ("Match",),
    "engine.phrasing": ("Phrase",),
    "engine.search": ("Part", "Query"),
    "engine.sightings": ("LeftOut",),
    "indexer.build": ("Options", "index"),
    "indexer.decode": ("decode",),
    "indexer.examples": ("teach",),
    "indexer.report": ("IndexReport",),
    "indexer.sample": ("Comparison", "compare_vectors"),
    "indexer.text_pass": ("TextReport", "read_text"),
}  # fmt: skip
"""The names that are imported on first use, which keeps `import pixquery` fast."""

__version__ = "0.1.0"

__all__ = [
    "Annotation",
    "Answer",
    "BadConcept",
    "BadData",
    "BadQuery",
    "BadRoot",
    "CannotServe",
    "Comparison",
    "Concept",
    "Copy",
    "DeviceUnusable",
    "DownloadFailed",
    "Duplicates",
    "Filter",
    "Finding",
    "Group",
    "Hit",
    "ImageRecord",
    "IndexReport",
    "LeftOut",
    "Lesson",
    "Library",
    "LibraryDamaged",
    "LibraryError",
    "LibraryInfo",
    "LibraryLocked",
    "LibraryNotFound",
    "LibraryTooNew",
    "Line",
    "Locality",
    "Match",
    "Milliseconds",
    "MissingExtra",
    "Near",
    "NoViewer",
    "NothingFound",
    "Options",
    "Part",
    "Period",
    "Phrase",
    "PixqueryError",
    "Place",
    "ProfileDamaged",
    "ProfileError",
    "ProfileMismatch",
    "ProfileNotFound",
    "ProfileUntrained",
    "Query",
    "QueryRefused",
    "Recognised",
    "RootSummary",
    "SourceUnusable",
    "Stars",
    "StorageFailed",
    "TextReport",
    "UnreadableImage",
    "compare_vectors",
    "decode",
    "index",
    "read_text",
    "teach",
    "wording",
]


def __getattr__(name: str) -> Any:
    if name == "wording":
        return import_module("pixquery.engine.wording")
    for module, names in _MODULES.items():
        if name in names:
            found = getattr(import_module(f"pixquery.{module}"), name)
            if name in ("Answer", "Library"):
                _let_answers_be_drawn()
            return found
    raise AttributeError(f"module 'pixquery' has no attribute {name!r}")


def _let_answers_be_drawn() -> None:
    """Connects answers with what opens photos, which lies above them."""
    answer = import_module("pixquery.engine.answers").Answer
    if answer.drawing is None:
        answer.drawing = staticmethod(_drawn)


def _drawn(answer: Any) -> str:
    drawn: str = import_module("pixquery.web.notebook").answer_html(answer)
    return drawn


def __dir__() -> list[str]:
    return sorted(__all__)
