"""Folders of judgements to train on: found by their files, and read into one value.

There are two layouts. The richer one has captions of further photos, which alignments are learned
from. The other one has nothing but ratings and their texts; what its rows name and the folder lacks
is left out and counted.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pixquery.db.errors import BadData, UnreadableImage
from pixquery.engine.alteration import Load
from pixquery.trainer.learning.captions import Caption, read_captions
from pixquery.trainer.learning.course import located
from pixquery.trainer.learning.judged import Judged, judged
from pixquery.trainer.learning.positives import positives
from pixquery.trainer.learning.ratings import (
    CrowdRating,
    ExpertRating,
    read_crowd_ratings,
    read_expert_ratings,
)
from pixquery.trainer.measuring.queries import read_queries
from pixquery.trainer.measuring.tables import read_table

_Row = TypeVar("_Row", ExpertRating, CrowdRating, Caption)
_EXPERTS, _CROWD = "ExpertAnnotations.tsv", "CrowdAnnotations.tsv"
_TEXTS, _QUERIES = "train_dataset.csv", "test_queries.csv"
_PROBE = 32
"""Side in pixels at which a photo is read once, to see whether it can be."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which files a folder has, so that it can be trained on."""

    name: str
    needed: tuple[str, ...]
    photos: str
    """Where its photos belong."""
    optional: tuple[str, ...]

    def missing(self, folder: Path) -> list[str]:
        """The needed files that a folder lacks."""
        return [name for name in self.needed if not (folder / name).exists()]

    def present(self, folder: Path) -> list[str]:
        """What a folder has of this layout."""
        return [name for name in (*self.needed, *self.optional) if (folder / name).exists()]


CAPTIONED = Layout(
    "captions",
    ("captions_train.csv", "captions_rated.csv", _EXPERTS),
    "images/train and images/rated",
    (_CROWD, "captions_dev.csv", "images/train", "images/rated", "images/dev"),
)
RATED = Layout(
    "ratings",
    (_TEXTS, _EXPERTS),
    "train_images",
    (_CROWD, "train_images", "images", _QUERIES, "test_images"),
)
_LAYOUTS = (CAPTIONED, RATED)


@dataclass(frozen=True, slots=True)
class DataSet:
    """What a folder holds, whichever layout it has."""

    layout: Layout
    captions: list[Caption]
    """What an alignment can be learned from."""
    pairs: Judged
    queries: list[Caption]
    """Texts of one relevant photo each, which nothing is learned from; perhaps none."""
    captioned: tuple[Path, ...]
    """Folders to look for the photos of captions in, the first one first; likewise the others."""
    rated: tuple[Path, ...]
    asked: tuple[Path, ...]
    split: str
    """What the report calls the queries."""
    dropped: dict[str, dict[str, int]] = field(default_factory=dict)
    """Kind of row -> why it was left out -> how many."""


def layout_of(folder: Path) -> Layout:
    """The layout of a folder; the one with captions, if it has both.

    Raises:
        BadData: It has neither.
    """
    for layout in _LAYOUTS:
        if not layout.missing(folder):
            return layout

    def distance(layout: Layout) -> tuple[float, int]:
        lacks = len(layout.missing(folder))
        return lacks / len(layout.needed), lacks

    nearer = min(_LAYOUTS, key=distance)
    either = ", or ".join(f"{_listed(each.needed)} with {each.photos}" for each in _LAYOUTS)
    raise BadData(
        f"{folder} cannot be trained on: that takes {either}; of "
        f"{'the latter' if nearer is RATED else 'the former'} it lacks "
        f"{_listed(nearer.missing(folder))}: add what is missing, or name a CSV of your own ratings"
    )


def described(folder: Path) -> str:
    """Which layout a folder has, in one line.

    Raises:
        BadData: It has neither.
    """
    layout = layout_of(folder)
    unused = layout is CAPTIONED and (folder / _TEXTS).exists()
    return f"{folder} is a folder with {_listed(layout.present(folder))}" + (
        f"; {_TEXTS} is not needed" if unused else ""
    )


def read_dataset(folder: Path, load: Load) -> DataSet:
    """Reads a folder of either layout.

    Args:
        folder: What to read.
        load: Reads a photo.

    Raises:
        BadData: It has neither layout, a file is malformed, or too little is left.
    """
    return _captioned(folder) if layout_of(folder) is CAPTIONED else _rated(folder, load)


def _captioned(folder: Path) -> DataSet:
    captions = read_captions(folder / "captions_train.csv")
    experts, crowd = _ratings(folder)
    dev = folder / "captions_dev.csv"
    photos = folder / "images"
    return DataSet(
        layout=CAPTIONED,
        captions=captions,
        pairs=judged(experts, crowd, read_captions(folder / "captions_rated.csv")),
        queries=read_captions(dev) if dev.exists() else [],
        captioned=(photos / "train",),
        rated=(photos / "rated",),
        asked=(photos / "dev",),
        split="dev",
    )


def _rated(folder: Path, load: Load) -> DataSet:
    dropped: dict[str, dict[str, int]] = {}
    rated = (folder / "train_images", folder / "images", folder)
    asked = (folder / "test_images", folder / "images", folder)
    photos = _Photos(rated, load)
    texts = _texts(folder / _TEXTS, dropped)
    experts, crowd = _ratings(folder)

    def unusable(row: ExpertRating | CrowdRating) -> str:
        return (
            ""
            if row.caption in texts and photos.has(row.image)
            else ("no text" if row.caption not in texts else photos.why(row.image))
        )

    kept = _kept(experts, unusable, "expert", dropped)
    if not kept:
        reasons = ", ".join(f"{count:,} have {why}" for why, count in dropped["expert"].items())
        raise BadData(
            f"none of the {len(experts):,} rows of {folder / _EXPERTS} can be used: {reasons} (the "
            f"first is of {experts[0].image} and {experts[0].caption}); texts belong in {_TEXTS} "
            f"and photos in {rated[0].name}: add them"
        )
    pairs = judged(kept, _kept(crowd, unusable, "crowd", dropped), list(texts.values()))
    own = [text for text in texts.values() if photos.has(text.image)]
    learned = photos.files({*pairs.images, *(text.image for text in own)})
    return DataSet(
        layout=RATED,
        captions=positives(pairs, own),
        pairs=pairs,
        queries=_queries(folder / _QUERIES, _Photos(asked, load), learned, dropped),
        captioned=rated,
        rated=rated,
        asked=asked,
        split="test queries",
        dropped=dropped,
    )


def _ratings(folder: Path) -> tuple[list[ExpertRating], list[CrowdRating]]:
    crowd = folder / _CROWD
    return (
        read_expert_ratings(folder / _EXPERTS),
        read_crowd_ratings(crowd) if crowd.exists() else [],
    )


def _texts(file: Path, dropped: dict[str, dict[str, int]]) -> dict[str, Caption]:
    """Id -> its text, as a caption of the photo it was written for.

    Each line is a rated pair, so that a text may occur with several photos. A text whose id has
    another text on a later line is ambiguous: nobody can say which of the two was rated.

    Raises:
        BadData: The file is malformed, or no line has an id and a text.
    """

    def cells(row: Sequence[str], _: int) -> tuple[str, str]:
        return row[0].strip(), row[1].strip()

    texts: dict[str, Caption] = {}
    ambiguous: set[str] = set()
    lines = read_table(file, ("query_id", "query_text", "image"), cells)
    for id_, text in lines:
        if not id_ or not text:
            _count(dropped, "texts", "no text" if id_ else "no id")
        elif texts.setdefault(id_, Caption(id_, id_.partition("#")[0], text)).text != text:
            ambiguous.add(id_)
    for id_ in ambiguous:
        del texts[id_]
        _count(dropped, "texts", "several texts of one id")
    if not texts:
        raise BadData(
            f"none of the {len(lines):,} lines of {file} has a text with an id of its own: fill "
            "the columns query_id and query_text"
        )
    return texts


class _Photos:
    """The photos of some folders: which are there, and can be read."""

    def __init__(self, folders: Sequence[Path], load: Load) -> None:
        self.folders = folders
        self._load = load
        self._why: dict[str, str] = {}

    def has(self, name: str) -> bool:
        """Whether a photo is there and can be read."""
        return not self.why(name)

    def files(self, names: Iterable[str]) -> set[Path]:
        """The files of names, whichever links lead there."""
        return {file.resolve() for name in names if (file := located(self.folders, name))}

    def why(self, name: str) -> str:
        """Why a photo cannot be used; empty if it can."""
        if name not in self._why:
            self._why[name] = self._found(name)
        return self._why[name]

    def _found(self, name: str) -> str:
        file = located(self.folders, name)
        if file is None:
            return "no photo"
        try:
            self._load(file, _PROBE)
        except UnreadableImage:
            return "unreadable photo"
        return ""


def _queries(
    file: Path, asked: _Photos, learned: set[Path], dropped: dict[str, dict[str, int]]
) -> list[Caption]:
    """The test queries whose photo is there, and is not one that is learned from."""
    if not file.exists():
        return []

    def unusable(query: Caption) -> str:
        why = asked.why(query.image)
        seen = not why and asked.files([query.image]) <= learned
        return "rated photo" if seen else why

    queries = [Caption(query.id, query.image, query.text) for query in read_queries(file)]
    return _kept(queries, unusable, "queries", dropped)


def _kept(
    rows: Iterable[_Row],
    unusable: Callable[[_Row], str],
    kind: str,
    dropped: dict[str, dict[str, int]],
) -> list[_Row]:
    kept = []
    for row in rows:
        if why := unusable(row):
            _count(dropped, kind, why)
        else:
            kept.append(row)
    return kept


def _count(dropped: dict[str, dict[str, int]], kind: str, why: str) -> None:
    reasons = dropped.setdefault(kind, {})
    reasons[why] = reasons.get(why, 0) + 1


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
