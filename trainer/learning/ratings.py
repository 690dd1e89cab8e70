"""Several people's judgements of a pair -> one target in [0, 1] with a weight.

The experts' mean is the yardstick. A crowd's share of "yes" is another question, put onto the
experts' scale by an isotonic map that is fitted where both judged. Where both judged a pair, their
precisions weigh them; a pair that only the crowd judged counts less in training.

How far people agree is told by Krippendorff's alpha, the one-way intraclass correlation and the
noise floor: the error that remains to whoever predicts perfectly what people say on average.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixquery.db.errors import BadData, MissingExtra
from pixquery.trainer.learning.datasets import Caption, CrowdRating, ExpertRating, Rating
from pixquery.trainer.measuring.metrics import rmse, tau_c

Grades = NDArray[np.float64]
"""float64[n, j]: up to j people's grades of n pairs; NaN where fewer judged."""
Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

AGGREGATIONS = ("mean", "median", "majority")
"""How several grades of a pair become one, whoever gave them."""
WORKER_METHODS = ("dawid-skene", "one-coin", "glad", "mace", "wawa")
"""The same where it is known who gave which, so that reliable workers can count more."""

CROWD_PRECISION = 0.2
"""Of a mapped crowd share, where the mean of three experts has 1.

Precision is the inverse of the error's variance. The experts' mean has the noise floor's, 0.078
squared; a mapped share is 0.186 from the experts' mean, of which the floor is a part: 0.186 squared
less 0.078 squared is 4.7 times as much (Flickr8k, README of the data; 4.8 on the part given here).
"""
NO_YES_WEIGHT = 0.14
"""Of a pair that only the crowd judged and nobody said yes to, beside other crowd pairs.

88 % of the crowd's pairs are such; so weighed, all of them together count as much as the other
12 %. They also deserve less trust: the map knows zeros from pairs that were given to experts, which
describe their photos better than the crowd's other pairs do.
"""
MIN_OVERLAP = 10
"""Pairs that both judged, without which there is no map."""
MAX_LABELS = 10
"""Distinct ratings that models of workers can tell apart.

They learn for each worker how often which rating is given for which; the cells of that table grow
with the square.
"""
MIN_SORTED = 20
"""Rows of three or more grades, not all the same, that are all sorted by no accident.

By chance one in three at most would be. Two grades prove nothing: of two people, one may be strict.
"""
_DRAWS = 10
"""Of a random judge, for the human ceiling."""


@dataclass(frozen=True, slots=True)
class Judged:
    """n rated pairs as columns; one row is a photo and a text."""

    images: tuple[str, ...]
    texts: tuple[str, ...]
    sources: tuple[str, ...]
    """What a split keeps apart beside the photo: the photo that the caption was written for; where
    texts are a user's, the text."""
    grades: Grades
    """float64[n, 3] in [0, 1], of the experts; NaN rows where none judged. For a user's ratings
    float64[n, 1], aggregated."""
    share: Values
    """float64[n] of the crowd's "yes"; NaN where no crowd judged."""
    votes: NDArray[np.int64]
    """int64[n] of the crowd; 0 where none judged."""
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
        places = np.flatnonzero(rows)

        def some(column: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(column[place] for place in places)

        return Judged(
            images=some(self.images),
            texts=some(self.texts),
            sources=some(self.sources),
            grades=self.grades[places],
            share=self.share[places],
            votes=self.votes[places],
            own=self.own[places],
        )


def grades_of(ratings: Sequence[ExpertRating]) -> NDArray[np.int64]:
    """int64[n, 3]: the grades 1 to 4 of each pair."""
    return np.array([rating.grades for rating in ratings], np.int64)


def targets_of(ratings: Sequence[ExpertRating]) -> Values:
    """float64[n] in [0, 1]: the mean grade, 1 -> 0 and 4 -> 1.

    The mean of the three has an intraclass correlation of 0.92 with what more people would say;
    the columns are sorted, so that methods which weigh single raters do not apply.
    """
    return np.asarray((grades_of(ratings).mean(1) - 1) / 3, np.float64)


# -- pairs ------------------------------------------------------------------------------------


def judged(
    experts: Sequence[ExpertRating], crowd: Sequence[CrowdRating], captions: Sequence[Caption]
) -> Judged:
    """Brings together what experts and a crowd said of the same pairs.

    Args:
        experts: Each pair once.
        crowd: Each pair once; perhaps none.
        captions: The texts of all captions that were rated.

    Returns:
        The experts' pairs in their order, then those of the crowd alone in theirs.

    Raises:
        BadData: A rated caption has no text.
    """
    text_of = {caption.id: caption.text for caption in captions}
    rated: list[ExpertRating | CrowdRating] = [*experts, *crowd]
    lost = sorted({rating.caption for rating in rated} - text_of.keys())
    if lost:
        raise BadData(
            f"{len(lost)} rated captions have no text, for example {lost[0]}: "
            "add them to the file of captions"
        )
    row_of: dict[tuple[str, str], int] = {}
    for rating in rated:
        row_of.setdefault((rating.image, rating.caption), len(row_of))
    grades = np.full((len(row_of), 3), np.nan)
    share, votes = np.full(len(row_of), np.nan), np.zeros(len(row_of), np.int64)
    for expert in experts:
        grades[row_of[expert.image, expert.caption]] = (np.array(expert.grades) - 1) / 3
    for many in crowd:
        row = row_of[many.image, many.caption]
        share[row], votes[row] = many.share, many.yes + many.no
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
    """A user's ratings, one row a pair in the order of their first lines.

    Args:
        ratings: All within the scale.
        aggregation: One of ``AGGREGATIONS`` or ``WORKER_METHODS``.
        scale: Lowest and highest rating: 0 and 1 of the grades.

    Raises:
        BadData: There is no such aggregation, or the ratings do not allow for it.
        MissingExtra: It needs a package that is not installed.
    """
    low, high = scale
    if aggregation in WORKER_METHODS:
        values = by_worker(ratings, aggregation)
    else:
        values = aggregate(grades_by_pair(ratings), aggregation)
    pairs = _pairs(ratings)
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


def grades_by_pair(ratings: Sequence[Rating]) -> Grades:
    """float64[n, j] on the user's scale: all ratings of each pair, from the left, in any order.

    A column is no person; for agreement and aggregations that do not ask who.
    """
    found: dict[tuple[str, str], list[float]] = {}
    for rating in ratings:
        found.setdefault((rating.image, rating.text), []).append(rating.rating)
    grades = np.full((len(found), max(map(len, found.values()), default=0)), np.nan)
    for row, values in enumerate(found.values()):
        grades[row, : len(values)] = values
    return grades


def _pairs(ratings: Sequence[Rating]) -> dict[tuple[str, str], int]:
    """The row of each pair, in the order of their first lines."""
    rows: dict[tuple[str, str], int] = {}
    for rating in ratings:
        rows.setdefault((rating.image, rating.text), len(rows))
    return rows


# -- several grades, one value ----------------------------------------------------------------


def aggregate(grades: Grades, how: str) -> Values:
    """One grade of several people's; the order of columns does not matter.

    Args:
        grades: float64[n, j], NaN where fewer judged.
        how: ``mean``, ``median``, or ``majority``: the grade that most gave; among several such
            the one next to the median, and of two equally near the lower, so that a photo is not
            promised what half of its judges deny.

    Returns:
        float64[n], NaN where nobody judged.

    Raises:
        BadData: There is no such aggregation, or it asks who gave which grade.
    """
    if how in WORKER_METHODS:
        refuse_sorted(grades)
        raise BadData(f"{how} needs to know who gave which grade: take {_either(AGGREGATIONS)}")
    if how not in AGGREGATIONS:
        raise BadData(
            f"there is no aggregation {how}: take {_either((*AGGREGATIONS, *WORKER_METHODS))}"
        )
    one: Callable[[Grades], Any] = {
        "mean": lambda rows: np.nanmean(rows, 1),
        "median": lambda rows: np.nanmedian(rows, 1),
        "majority": lambda rows: [_majority(row[np.isfinite(row)]) for row in rows],
    }[how]
    there = np.isfinite(grades).any(1)
    values = np.full(len(grades), np.nan)
    if there.any():
        values[there] = one(grades[there])
    return values.round(12)  # means of the same sum are the same, and tie


def _majority(grades: Values) -> float:
    """The mode of float64[j]; ties as ``aggregate`` says."""
    values, counts = np.unique(grades, return_counts=True)
    tied = values[counts == counts.max()]
    return float(tied[np.abs(tied - np.median(grades)).argmin()])  # the first is the lowest


def by_worker(ratings: Sequence[Rating], method: str = "dawid-skene") -> Values:
    """Ratings of pairs by models that learn how far each worker is to be trusted.

    Dawid and Skene (1979) with a table of confusions for each worker (``one-coin``: one number),
    GLAD (Whitehill et al. 2009), MACE (Hovy et al. 2013) and Wawa (workers by their agreement with
    the majority), all from crowd-kit. The models see names of ratings, not their order; out comes
    the mean of what they hold probable.

    Args:
        ratings: With worker ids, few distinct ratings, and pairs that several workers rated.
        method: One of ``WORKER_METHODS``.

    Returns:
        float64[n] on the ratings' scale, one for each pair in the order of their first lines.

    Raises:
        BadData: There is no such method, or the ratings do not allow for it.
        MissingExtra: crowd-kit is not installed.
    """
    if method not in WORKER_METHODS:
        raise BadData(f"there is no method {method} for workers: take {_either(WORKER_METHODS)}")
    pairs = _pairs(ratings)
    values, labels = np.unique([rating.rating for rating in ratings], return_inverse=True)
    _refuse_without_workers(ratings, method, len(pairs), len(values))
    try:
        import pandas as pd
        from crowdkit import aggregation as models
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"{method} needs the package {error.name}: pip install 'pixquery[workers]'"
        ) from error
    frame = pd.DataFrame(
        {
            "task": [pairs[rating.image, rating.text] for rating in ratings],
            "worker": [rating.worker for rating in ratings],
            "label": labels,
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # crowd-kit is older than pandas 3
        if method == "wawa":
            # Its own `predict` fails with scikit-learn 1.7 and later; this is what it would do.
            found = models.MajorityVote().fit_predict_proba(frame, models.Wawa().fit(frame).skills_)
        else:
            model = {
                "dawid-skene": models.DawidSkene,
                "one-coin": models.OneCoinDawidSkene,
                "glad": models.GLAD,
                "mace": models.MACE,
            }[method]
            found = model().fit_predict_proba(frame)
    probable = found.reindex(index=range(len(pairs)), columns=range(len(values)), fill_value=0)
    # Clipped, because probabilities add up to one only nearly.
    expected = np.asarray(probable.to_numpy(np.float64) @ values, np.float64)
    return expected.clip(values[0], values[-1])


def refuse_sorted(grades: Grades) -> None:
    """Refuses columns that are no persons: in some order they rise in every row.

    Then they are the lowest grade, the next and so on, as in Flickr8k's expert file, and a model of
    single raters would learn that one of them is always mild.

    Args:
        grades: float64[n, j], a column a rater; NaN where one did not judge.

    Raises:
        BadData: They are sorted.
    """
    grades = grades[:, np.isfinite(grades).any(0)]
    ordered = grades[:, np.argsort(np.nanmean(grades, 0))]
    highest = np.fmax.reduce(ordered, 1, initial=-np.inf)
    lowest = np.fmin.reduce(ordered, 1, initial=np.inf)
    telling = (lowest < highest) & (np.isfinite(ordered).sum(1) >= 3)
    falls = ordered < np.fmax.accumulate(ordered, 1)
    if telling.sum() >= MIN_SORTED and not falls.any():
        raise BadData(
            f"the raters' columns are sorted from lowest to highest in all {len(grades)} rows, so "
            "that a column is no person and weighing single raters would mean nothing: "
            f"take {_either(AGGREGATIONS)}"
        )


def _refuse_without_workers(
    ratings: Sequence[Rating], method: str, pairs: int, labels: int
) -> None:
    otherwise = f"take {_either(AGGREGATIONS)}"
    nameless = [rating.line for rating in ratings if not rating.worker]
    if nameless:
        raise BadData(
            f"{method} weighs workers, and line {nameless[0]} names none: "
            f"add a column worker, or {otherwise}"
        )
    if len(ratings) == pairs:
        raise BadData(f"{method} compares workers, and no pair was rated by two: {otherwise}")
    if labels > MAX_LABELS:
        raise BadData(
            f"{method} needs few distinct ratings, at most {MAX_LABELS}, not {labels}: {otherwise}"
        )
    refuse_sorted(_columns(ratings))


def _columns(ratings: Sequence[Rating]) -> Grades:
    """float64[n, w]: a row a pair, a column a worker."""
    rows = _pairs(ratings)
    columns = {name: place for place, name in enumerate(sorted({r.worker for r in ratings}))}
    grades = np.full((len(rows), len(columns)), np.nan)
    for rating in ratings:
        grades[rows[rating.image, rating.text], columns[rating.worker]] = rating.rating
    return grades


def _either(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


# -- the crowd on the experts' scale ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CrowdMap:
    """A rising map from the crowd's share of "yes" to what experts say on average."""

    shares: Values
    """float64[m], rising."""
    grades: Values
    """float64[m] in [0, 1], at those shares; straight between them, level beyond."""

    @classmethod
    def fit(cls, share: Values, votes: NDArray[np.int64], expert: Values) -> "CrowdMap":
        """Isotonic regression, each share with the weight of its votes.

        Args:
            share: float64[n] of "yes", in [0, 1].
            votes: int64[n], at least 1.
            expert: float64[n] in [0, 1]: the experts' mean of the same pairs.
        """
        from sklearn.isotonic import IsotonicRegression

        found = IsotonicRegression(y_min=0, y_max=1).fit(share, expert, sample_weight=votes)
        return cls(
            np.asarray(found.X_thresholds_, np.float64), np.asarray(found.y_thresholds_, np.float64)
        )

    def apply(self, share: Values) -> Values:
        """float64[n] in [0, 1]; NaN stays NaN."""
        return np.asarray(np.interp(share, self.shares, self.grades), np.float64)


def fused(judged: Judged, training: Mask, *, how: str = "mean") -> tuple[Values, Values]:
    """What to learn and how much each pair counts, from experts and crowd.

    For training only: the yardstick of held-out pairs is what the experts said, ``aggregate``.
    Targets of the crowd's own pairs are high, because the map is learnt from pairs that were good
    enough for both (experts' mean 0.43, elsewhere 0.09): order gains by them, level does not, so
    that predictions want a calibration on experts' pairs afterwards.

    Args:
        judged: n pairs.
        training: bool[n]: the crowd's map is fitted on these rows alone.
        how: One of ``AGGREGATIONS``, of the experts' grades.

    Returns:
        Targets float64[n] in [0, 1] and weights float64[n], 1 where experts judged alone: more
        where both did, ``CROWD_PRECISION`` where only the crowd, and of that ``NO_YES_WEIGHT``
        where nobody said yes. Both for all rows, held-out ones through the training rows' map.

    Raises:
        BadData: There is no such aggregation, or too few training pairs have both judgements to
            map those that the crowd alone judged.
    """
    targets = aggregate(judged.grades, how)
    weights = np.ones(len(targets))
    if not judged.crowd.any():
        return targets, weights
    both, alone = judged.expert & judged.crowd, ~judged.expert
    mapped = _map_of(judged, targets, both & training).apply(judged.share)
    summed = 1 + CROWD_PRECISION
    targets[both] = (targets[both] + CROWD_PRECISION * mapped[both]) / summed
    targets[alone] = mapped[alone]
    weights[both] = summed
    weights[alone] = CROWD_PRECISION
    weights[alone & (judged.share == 0)] *= NO_YES_WEIGHT
    return targets, weights


def _map_of(judged: Judged, expert: Values, rows: Mask) -> CrowdMap:
    if rows.sum() < MIN_OVERLAP:
        raise BadData(
            f"the crowd's shares cannot be put onto the experts' scale: only {rows.sum()} training "
            f"pairs were judged by both, and {MIN_OVERLAP} are needed: rate more of the crowd's "
            "pairs, or leave the crowd's file out"
        )
    return CrowdMap.fit(judged.share[rows], judged.votes[rows], expert[rows])


# -- agreement --------------------------------------------------------------------------------


def alpha(grades: Grades) -> float | None:
    """Krippendorff's alpha for grades on an interval scale (Krippendorff 2011, Computing ...).

    One minus the disagreement within pairs over that among all grades, of pairs with two or more.
    Written out because the packages that have it are under the GPL or unkept.

    Args:
        grades: float64[n, j], NaN where one did not judge; who gave which does not matter.

    Returns:
        1 where all agree, 0 where they do as by chance; None where all grades are the same, or no
        pair has two.
    """
    counts = np.isfinite(grades).sum(1)
    grades, counts = grades[counts > 1], counts[counts > 1]
    if not len(grades) or np.nanmin(grades) == np.nanmax(grades):
        return None
    within = np.nansum((grades - np.nanmean(grades, 1, keepdims=True)) ** 2, 1)
    among = np.nanvar(grades, ddof=1)
    observed = (within * counts / (counts - 1)).sum() / counts.sum()
    return float(1 - observed / among)


def intraclass(grades: Grades) -> tuple[float, float] | None:
    """One-way random effects intraclass correlation, ICC(1,1) and ICC(1,j).

    Shrout and Fleiss (1979). One-way, because the columns are no persons: nothing is known of a
    rater but the grade.

    Args:
        grades: float64[n, j] without NaN.

    Returns:
        The reliability of one grade and of the mean of j, or None where they are undefined: fewer
        than two pairs, fewer than two grades a pair, or pairs that do not differ.
    """
    n, j = grades.shape
    if n < 2 or j < 2:
        return None
    between, within = j * grades.mean(1).var(ddof=1), _within(grades)
    if between < 1e-12:
        return None
    single = (between - within) / (between + (j - 1) * within)
    return float(single), float((between - within) / between)


def noise_floor(grades: Grades) -> float:
    """RMSE of a perfect predictor against the mean of the raters.

    Whoever knows what people say on average is still as far from the mean of these j as it is from
    the average: the standard error, from the variance within pairs.

    Args:
        grades: float64[n, j] without NaN, j at least 2.
    """
    return float(np.sqrt(_within(grades) / grades.shape[1]))


def human_ceiling(grades: Grades, *, seed: int = 0) -> float:
    """Kendall's tau_c of the mean of all judges but one against that one, drawn at random.

    The mean of several draws; columns may be sorted.

    Args:
        grades: float64[n, j] without NaN, j at least 2.
        seed: Of the draws.
    """
    rng = np.random.default_rng(seed)
    draws = (rng.permuted(grades, axis=1) for _ in range(_DRAWS))
    return float(np.mean([tau_c(drawn[:, 1:].mean(1), drawn[:, :1]) for drawn in draws]))


def summary(judged: Judged) -> dict[str, Any]:
    """What the report says of ratings, ready for JSON; None where there is nothing to say.

    Alpha, intraclass correlations and noise floor are those of all pairs with experts. The human
    ceiling, in percent, and the aggregations, each against every single grade, leave out pairs of a
    photo and its own caption, as CLIPScore does (Hessel et al. 2021, arXiv:2104.08718). The map of
    ``overlap`` is fitted on all pairs with both: it describes, and trains nothing.
    """
    grades = judged.grades[judged.expert]
    several = grades.shape[1] > 1 and len(grades) > 1
    others = judged.grades[judged.expert & ~judged.own]
    icc = intraclass(grades) if several else None
    ceiling = human_ceiling(others) if several and len(others) > 1 else None
    return {
        "expert_means": _counted(grades.mean(1)) if len(grades) else None,
        "grades": _grade_counts(grades) if grades.shape[1] > 1 else None,
        "crowd_shares": _counted(judged.share[judged.crowd]) if judged.crowd.any() else None,
        "alpha": _rounded(alpha(grades)),
        "icc_single": _rounded(icc[0]) if icc else None,
        "icc_mean": _rounded(icc[1]) if icc else None,
        "noise_floor": _rounded(noise_floor(grades)) if several else None,
        "human_ceiling": None if ceiling is None else round(100 * ceiling, 1),
        "overlap": _overlap(judged),
        "aggregations": _compared(others) if several and len(others) > 1 else None,
    }


def _within(grades: Grades) -> float:
    """Variance within pairs: the one-way analysis of variance's mean square."""
    return float(grades.var(1, ddof=1).mean())


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _counted(values: Values) -> list[list[float | int]]:
    levels, counts = np.unique(values.round(3), return_counts=True)
    return [[float(level), int(count)] for level, count in zip(levels, counts, strict=True)]


def _grade_counts(grades: Grades) -> dict[str, int]:
    given = np.rint(1 + 3 * grades).astype(np.int64)
    return {str(grade): int((given == grade).sum()) for grade in range(1, 5)}


def _overlap(judged: Judged) -> list[dict[str, float | int]] | None:
    """At each mean of the experts: how many said yes, and what their shares are mapped to."""
    both = judged.expert & judged.crowd
    if both.sum() < MIN_OVERLAP:
        return None
    expert = aggregate(judged.grades, "mean")
    mapped = _map_of(judged, expert, both).apply(judged.share)
    found: list[dict[str, float | int]] = []
    for level in np.unique(expert[both].round(3)):
        rows = both & (expert.round(3) == level)
        found.append(
            {
                "expert": float(level),
                "pairs": int(rows.sum()),
                "yes": round(float(judged.share[rows].mean()), 4),
                "mapped": round(float(mapped[rows].mean()), 4),
            }
        )
    return found


def _compared(grades: Grades) -> list[dict[str, Any]]:
    """Each aggregation against every single grade that went into it."""
    rows = []
    for name in AGGREGATIONS:
        values = aggregate(grades, name)
        every = np.repeat(values, grades.shape[1])
        rows.append(
            {
                "name": name,
                "rmse": _rounded(rmse(every, grades.ravel())),
                "tau_c": _rounded(tau_c(values, grades)),
            }
        )
    return rows
