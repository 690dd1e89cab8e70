"""Ratings: how well a text describes a photo, by experts, a crowd, or a user's own raters."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pixquery.db.errors import BadData
from pixquery.engine.ratings_file import VERDICTS, RatingsFile, is_log
from pixquery.trainer.measuring.tables import (
    filled,
    is_file,
    number_in,
    read_table,
    read_tsv,
    whole_number,
)

_ROUNDING = 0.005
"""Shares of "yes" may be rounded to two decimals."""
_VERDICTS = {**VERDICTS, "true": 1.0, "false": 0.0}
"""Words for ratings from 0 to 1."""


@dataclass(frozen=True, slots=True)
class ExpertRating:
    """Three people's grades of one pair, from 1 (does not describe the photo) to 4 (does)."""

    image: str
    caption: str
    grades: tuple[int, int, int]

    @property
    def source(self) -> str:
        """The photo that the caption was written for."""
        return _source(self.caption)


@dataclass(frozen=True, slots=True)
class CrowdRating:
    """How many people in a crowd said that a caption describes a photo."""

    image: str
    caption: str
    share: float
    """The share of "yes", in [0, 1]."""
    yes: int
    no: int

    @property
    def source(self) -> str:
        """The photo that the caption was written for."""
        return _source(self.caption)


@dataclass(frozen=True, slots=True)
class Rating:
    """One line of a user's own ratings."""

    image: str
    """The path in the file: absolute, or relative to the file's folder."""
    text: str
    rating: float
    """On the user's scale."""
    worker: str
    """Who judged; empty if the file has no such column."""
    line: int


def parse_scale(text: str) -> tuple[float, float]:
    """The lowest and the highest rating of a scale written as ``1..5``.

    Raises:
        BadData: It is written in another way, or does not rise.
    """
    number = r"\s*([-+]?[0-9]+(?:\.[0-9]+)?)\s*"
    match = re.fullmatch(rf"{number}\.\.{number}", text)
    low, high = (float(end) for end in match.groups()) if match else (0.0, 0.0)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise BadData(
            f"a scale names the lowest and the highest rating, like 1..5 or 0..1; {text!r} does not"
        )
    return low, high


def read_expert_ratings(file: Path) -> list[ExpertRating]:
    """Reads tab-separated lines of photo, caption id and three grades, without a header.

    Raises:
        BadData: The file is missing or has bad lines, such as a pair that is rated twice.
    """

    def rating(row: Sequence[str], _: int) -> ExpertRating:
        a, b, c = (whole_number(grade) for grade in row[2:])
        if not all(1 <= grade <= 4 for grade in (a, b, c)):
            raise ValueError(f"grades go from 1 to 4, not {row[2:]}")
        return ExpertRating(filled(row[0]), filled(row[1]), (a, b, c))

    return read_tsv(file, 5, rating, key=lambda rating: (rating.image, rating.caption))


def read_crowd_ratings(file: Path) -> list[CrowdRating]:
    """Reads tab-separated lines of photo, caption id, share of "yes", count of "yes" and of "no".

    The shares returned are computed from the counts, unrounded.

    Raises:
        BadData: The file is missing or has bad lines, such as a share that contradicts the counts
            or a pair that is rated twice.
    """

    def rating(row: Sequence[str], _: int) -> CrowdRating:
        stated, yes, no = number_in(row[2], "share"), whole_number(row[3]), whole_number(row[4])
        if yes + no == 0:
            raise ValueError("nobody voted")
        share = yes / (yes + no)
        if abs(stated - share) > _ROUNDING:
            raise ValueError(f"{yes} yes and {no} no are a share of {share:.3f}, not {row[2]}")
        return CrowdRating(filled(row[0]), filled(row[1]), share, yes, no)

    return read_tsv(file, 5, rating, key=lambda rating: (rating.image, rating.caption))


def read_ratings(file: Path, scale: tuple[float, float] | None) -> list[Rating]:
    """Reads a user's ratings: columns ``image``, ``text``, ``rating`` and optionally ``worker``.

    Of the file that a library keeps, the judgements that count are taken, but for those of photos
    that are gone.

    Args:
        file: Image paths are relative to its folder.
        scale: Lowest and highest rating; None takes any numbers, and "yes", "partly" and "no" for
            1, 0.5 and 0.

    Raises:
        BadData: The file is missing, lacks a column, or has bad lines: a rating outside the
            scale, a missing photo, a pair that is rated twice (by the same worker, if named).
    """
    if is_log(file):
        return _judged_in_library(file, scale)
    low, high = scale or (-math.inf, math.inf)
    verdicts: list[str] = []

    @cache  # many lines name the same photo
    def is_there(image: str) -> bool:
        return is_file(file.parent / image)

    def rating(row: Sequence[str], line: int) -> Rating:
        image, value = str(Path(filled(row[0]))), _VERDICTS.get(row[2].strip().casefold())
        if value is None or scale not in (None, (0, 1)):
            value = number_in(row[2], "rating")
        else:
            verdicts.append(row[2].strip())
        if not low <= value <= high:
            raise ValueError(f"the rating {row[2].strip()} is outside the scale {low:g}..{high:g}")
        if not is_there(image):
            raise ValueError(f"there is no photo {image} in {file.parent}")
        worker = filled(row[3]) if len(row) > 3 else ""
        return Rating(image, filled(row[1]), value, worker, line)

    ratings = read_table(
        file,
        ("image", "text", "rating"),
        rating,
        optional=("worker",),
        key=lambda rating: (rating.image, rating.text, rating.worker),
    )
    beyond = next((r for r in ratings if not 0 <= r.rating <= 1), None)
    if verdicts and beyond is not None:
        raise BadData(
            f"{file} has words such as {verdicts[0]!r} beside numbers such as {beyond.rating:g} "
            f"(line {beyond.line}): write either words or numbers"
        )
    return ratings


def _judged_in_library(file: Path, scale: tuple[float, float] | None) -> list[Rating]:
    if scale not in (None, (0, 1)):
        raise BadData(
            f"{file} has the words {', '.join(VERDICTS)}, which are ratings from 0 to 1: leave out "
            "--scale"
        )
    counting = RatingsFile(file.parent, file.name).read().counting
    ratings = [
        Rating(one.image, one.text, VERDICTS[one.rating], one.worker, line)
        for line, one in enumerate(counting, 1)
        if is_file(file.parent / one.image)
    ]
    if not ratings:
        raise BadData(
            f"{file} has no judgement of a photo that is still there: judge some with "
            "`pixquery judge`"
        )
    return ratings


def _source(caption: str) -> str:
    return caption.partition("#")[0]
