"""Rated pairs as columns: what experts and a crowd, or a user's raters, said of each pair."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixquery.db.errors import BadData
from pixquery.trainer.learning.aggregation import (
    WORKER_METHODS,
    aggregate,
    grades_by_pair,
    row_of_pairs,
)
from pixquery.trainer.learning.captions import Caption
from pixquery.trainer.learning.ratings import CrowdRating, ExpertRating, Rating
from pixquery.trainer.learning.splits import Mask
from pixquery.trainer.learning.workers import by_worker
from pixquery.trainer.measuring.agreement import Grades
from pixquery.trainer.measuring.metrics import Values


@dataclass(frozen=True, slots=True)
class Judged:
    """n rated pairs as columns; each row is a photo and a text."""

    images: tuple[str, ...]
    texts: tuple[str, ...]
    sources: tuple[str, ...]
    """What a split keeps apart, besides the photo: the photo that the caption was written for, or
    the text itself for a user's ratings."""
    grades: Grades
    """float64[n, 3] in [0, 1]: the experts' grades; NaN where none judged. For a user's ratings
    float64[n, 1], aggregated."""
    share: Values
    """float64[n]: the crowd's share of "yes"; NaN where no crowd judged."""
    votes: NDArray[np.int64]
    """int64[n]: how many of the crowd judged."""
    own: Mask
    """bool[n]: the caption was written for this very photo."""

    @property
    def expert(self) -> Mask:
        """bool[n]: experts judged the pair."""
        return np.asarray(np.isfinite(self.grades).any(1))

    @property
    def crowd(self) -> Mask:
        """bool[n]: a crowd judged the pair."""
        return self.votes > 0

    def keep(self, rows: Mask) -> "Judged":
        """The pairs whose row is true in bool[n]."""
        numbers = np.flatnonzero(rows)

        def kept(column: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(column[number] for number in numbers)

        return Judged(
            images=kept(self.images),
            texts=kept(self.texts),
            sources=kept(self.sources),
            grades=self.grades[numbers],
            share=self.share[numbers],
            votes=self.votes[numbers],
            own=self.own[numbers],
        )


def judged(
    experts: Sequence[ExpertRating], crowd: Sequence[CrowdRating], captions: Sequence[Caption]
) -> Judged:
    """Joins the ratings of experts and of a crowd, pair by pair.

    Args:
        experts: Each pair once.
        crowd: Each pair once; may be empty.
        captions: The texts of all captions that were rated.

    Returns:
        The experts' pairs in their order, then the pairs that only the crowd judged in theirs.

    Raises:
        BadData: A rated caption has no text.
    """
    text_of = {caption.id: caption.text for caption in captions}
    rated: list[ExpertRating | CrowdRating] = [*experts, *crowd]
    missing = sorted({rating.caption for rating in rated} - text_of.keys())
    if missing:
        raise BadData(
            f"{len(missing)} rated captions have no text, for example {missing[0]}: "
            "add them to the file of captions"
        )
    row_of: dict[tuple[str, str], int] = {}
    for rating in rated:
        row_of.setdefault((rating.image, rating.caption), len(row_of))
    grades = np.full((len(row_of), 3), np.nan)
    share, votes = np.full(len(row_of), np.nan), np.zeros(len(row_of), np.int64)
    for expert in experts:
        grades[row_of[expert.image, expert.caption]] = (np.array(expert.grades) - 1) / 3
    for votes_of in crowd:
        row = row_of[votes_of.image, votes_of.caption]
        share[row], votes[row] = votes_of.share, votes_of.yes + votes_of.no
    images, ids = [image for image, _ in row_of], [caption for _, caption in row_of]
    sources = [caption.partition("#")[0] for caption in ids]
    return Judged(
        images=tuple(images),
        texts=tuple(text_of[caption] for caption in ids),
        sources=tuple(sources),
        grades=grades,
        share=share,
        votes=votes,
        own=np.array([a == b for a, b in zip(images, sources, strict=True)], np.bool_),
    )


def judged_by_user(
    ratings: Sequence[Rating], aggregation: str, scale: tuple[float, float]
) -> Judged:
    """A user's ratings, one row a pair, in the order of the pairs' first lines.

    Args:
        ratings: All within the scale.
        aggregation: One of ``AGGREGATIONS`` or ``WORKER_METHODS``.
        scale: Lowest and highest rating; they become the grades 0 and 1.

    Raises:
        BadData: There is no such aggregation, or it cannot work with these ratings.
        MissingExtra: It needs a package that is not installed.
    """
    low, high = scale
    if aggregation in WORKER_METHODS:
        values = by_worker(ratings, aggregation)
    else:
        values = aggregate(grades_by_pair(ratings), aggregation)
    pairs = row_of_pairs(ratings)
    texts = tuple(text for _, text in pairs)
    return Judged(
        images=tuple(image for image, _ in pairs),
        texts=texts,
        sources=texts,
        grades=((values - low) / (high - low))[:, None],
        share=np.full(len(pairs), np.nan),
        votes=np.zeros(len(pairs), np.int64),
        own=np.zeros(len(pairs), np.bool_),
    )
