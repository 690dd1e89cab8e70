"""Examples for the report: the test queries with the best and the worst answers.

The deployed order is shown beside those of CatBoost and the network on concatenated vectors, which
are fitted to all pairs for that alone.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pixquery.db.errors import BadData, UnreadableImage
from pixquery.engine.features import ALIGNED, CONCATENATED
from pixquery.engine.policy import Policy
from pixquery.trainer.learning.contenders import ALONE, TWO_WAY
from pixquery.trainer.learning.course import CONTENDER, Course
from pixquery.trainer.learning.deploy import Deployment, fitted
from pixquery.trainer.learning.learned import Learned
from pixquery.trainer.learning.options import Options, Thumbnail
from pixquery.trainer.learning.rerank import Order, Search
from pixquery.trainer.learning.splits import Mask
from pixquery.trainer.learning.study import HeldOut
from pixquery.trainer.measuring.metrics import Ranks, Values

BEST, WORST = "best", "worst"
EACH = 3
"""How many queries of each kind are shown."""
FIRST = 4
"""How many photos of each order are shown."""

_Of = tuple[str, str]
"""The name of a regressor, and what it sees."""


def rivals(options: Options) -> tuple[str, ...]:
    """The regressors on concatenated vectors to show; if quick, only the one fitted sooner."""
    return ("CatBoost",) if options.quick else ("CatBoost", "network")


def answers(
    course: Course, deployment: Deployment, learned: Learned, search: Search, policy: Policy
) -> list[dict[str, Any]]:
    """The test queries with the best and the worst answers, as the report has them.

    Args:
        course: The run.
        deployment: What orders photos from now on.
        learned: The encoders and the alignment.
        search: The test queries; perhaps none.
        policy: Queries that it refuses are not shown, unless its stop words are off.
    """
    everything = course.options.stop_words == "off"
    shown = [everything or not policy.matches(text) for text in search.queries]
    depths = _depths(learned, search, search.ranks_in(deployment.orders))
    picks = picked(deployment.orders, depths, search, np.array(shown, np.bool_))
    if not picks:
        return []
    rows = [row for row, _ in picks]
    some = search.only(rows)
    by = {_deployed(deployment): [deployment.orders[row] for row in rows]}
    for of, orders in _beside(course, deployment, learned, some):
        by.setdefault(of, orders)
    return [
        answer(some, place, kind, {of: orders[place] for of, orders in by.items()})
        for place, (_, kind) in enumerate(picks)
    ]


def picked(
    orders: Sequence[Order], depths: Values, search: Search, shown: Mask
) -> list[tuple[int, str]]:
    """The rows of the queries with the best and the worst answers, and which of the two each is.

    The best have their own photo first, farthest ahead of the second; the worst have it furthest
    down. No photo is asked for twice.

    Args:
        orders: Of q queries.
        depths: float64[q], from 1: where the own photo is.
        search: The queries.
        shown: bool[q]: which queries may be shown.
    """
    leads = np.array([-np.diff(order.values[:2]).sum() for order in orders])
    first, later = np.flatnonzero(shown & (depths == 1)), np.flatnonzero(shown & (depths > 1))
    picks: list[tuple[int, str]] = []
    asked: set[int] = set()
    for kind, rows in (
        (BEST, first[np.argsort(-leads[first], kind="stable")]),
        (WORST, later[np.argsort(-depths[later], kind="stable")]),
    ):
        left = EACH
        for row in rows:
            if left and search.photo_of[row] not in asked:
                asked.add(int(search.photo_of[row]))
                picks.append((int(row), kind))
                left -= 1
    return picks


def _depths(learned: Learned, search: Search, ranks: Ranks) -> Values:
    """Ranks float64[q]; photos that are not among the candidates have their rank by similarity."""
    missing = np.flatnonzero(np.isinf(ranks))
    if not len(missing):
        return ranks
    some = search.only(missing)
    depths = ranks.copy()
    depths[missing] = some.ranks(
        learned.alignment, learned.texts.encode(some.queries), None, candidates=len(search.raw)
    )
    return depths


def _deployed(deployment: Deployment) -> _Of:
    """What orders photos from now on."""
    if deployment.relevance is None:
        return ALONE, ALIGNED
    return deployment.outcome.winner.contender.of[:2]


def _beside(
    course: Course, deployment: Deployment, learned: Learned, some: Search
) -> Iterator[tuple[_Of, list[Order]]]:
    """Yields the orders of the classic recipe's regressors, except for the deployed one."""
    queries = learned.texts.encode(some.queries)
    for held_out in _rivals(course.options, deployment):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            try:
                relevance = fitted(held_out, deployment.outcome, deployment.landmarks, folder)
            except BadData:  # all pairs are alike to it, so that it orders nothing
                continue
            yield held_out.contender.of[:2], some.orders(learned.alignment, queries, relevance)
        course.step(CONTENDER)


def _rivals(options: Options, deployment: Deployment) -> Iterator[HeldOut]:
    """What they predict of held-out pairs."""
    wanted = {(name, CONCATENATED) for name in rivals(options)} - {_deployed(deployment)}
    for each in deployment.outcome.held_out:
        if each.split == TWO_WAY and each.contender.of[:2] in wanted:
            yield each


def answer(search: Search, row: int, kind: str, by: Mapping[_Of, Order]) -> dict[str, Any]:
    """A query's right photo, and the first photos of each order.

    Args:
        search: The queries.
        row: Of the query.
        kind: `BEST` or `WORST`.
        by: Name and features of a regressor -> its order.
    """
    right = int(search.photo_of[row])
    orders = []
    for (name, features), order in by.items():
        rank = order.rank(right)
        photos = [
            {
                "image": search.images[order.photos[place]],
                "similarity": round(float(order.similarities[place]), 4),
                "relevance": None
                if order.relevances is None
                else round(float(order.relevances[place]), 4),
                "right": bool(order.photos[place] == right),
            }
            for place in range(min(FIRST, len(order.photos)))
        ]
        orders.append(
            {
                "regressor": name,
                "features": features,
                "rank": int(rank) if np.isfinite(rank) else None,
                "photos": photos,
            }
        )
    return {
        "query": search.queries[row],
        "image": search.images[right],
        "kind": kind,
        "orders": orders,
    }


def thumbnails(
    answers: Sequence[Mapping[str, Any]],
    files: Mapping[str, Path],
    thumbnail: Thumbnail | None,
) -> dict[str, bytes]:
    """Small JPEGs of the photos that answers show; without those that cannot be read.

    Args:
        answers: Of `answers`.
        files: A photo's name -> its file.
        thumbnail: Makes them; None means that the report shall have none.
    """
    if thumbnail is None:
        return {}
    names = {one["image"] for one in answers}
    names |= {
        photo["image"] for one in answers for order in one["orders"] for photo in order["photos"]
    }
    pictures = {}
    for name in sorted(names):
        try:
            pictures[name] = thumbnail(files[name])
        except UnreadableImage:  # it may have changed since it was encoded
            continue
    return pictures
