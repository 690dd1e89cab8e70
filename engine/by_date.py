"""Answers in the order of dates: by the camera's clock, or the file's time if it noted none."""

from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from pixquery.db.catalog import Catalog
from pixquery.db.date_order import DateOrder
from pixquery.db.errors import BadQuery
from pixquery.db.records import Ids, ImageRecord
from pixquery.engine.answers import Answer, Milliseconds, hit_of
from pixquery.engine.mentions import Mentioned, Mentions
from pixquery.engine.query import Query, Sort
from pixquery.engine.ranking import Ranking

if TYPE_CHECKING:  # FAISS is loaded by what opens an index
    from pixquery.engine.profile import Profile


def by_date(query: Query, profile: "Profile", catalog: Catalog) -> Answer:
    """All photos that match a query's filter, the newest first unless it wants the oldest.

    Without a description, none is better than another.
    """
    begin = perf_counter()
    known = catalog.dates.kept(query.where)
    oldest = query.sort == "oldest"
    if known is None:
        searched = len(catalog.matching(query.where)) if query.where else len(catalog)
        records = catalog.newest(query.where, limit=query.k, offset=query.offset, oldest=oldest)
    else:
        searched = len(known)
        records = _part(known.reverse if oldest else known, query, catalog)
    hits = tuple(hit_of(rank, record) for rank, record in enumerate(records, query.offset + 1))
    sort: Sort = "oldest" if oldest else "newest"
    photos = tuple(records)
    return Answer("", profile.name, 0, hits, _since(begin), searched, sort=sort, photos=photos)


def with_text(query: Query, standing: Mentioned, profile: "Profile", catalog: Catalog) -> Answer:
    """The photos in which words stand, those first that say little else, or by date."""
    begin = perf_counter()
    ids = list(standing)
    if query.by_date:
        order = _among(query, standing, catalog)
        ids = (order.reverse if query.sort == "oldest" else order).ids.tolist()
    ids = ids[query.offset : query.offset + query.k]
    records = catalog.records(ids)
    hits = tuple(
        hit_of(rank, records[one], matched=standing[one].matches)
        for rank, one in enumerate(ids, query.offset + 1)
        if one in records
    )
    spent = _since(begin)
    return Answer(
        str(query),
        profile.name,
        0,
        hits,
        spent,
        len(standing),
        sort=query.sort,
        photos=tuple(records.values()),
    )


def in_date_order(query: Query, ranking: Ranking, best: Ids, catalog: Catalog) -> Ids:
    """The positions int64[n] of candidates by their dates; photos of one second by id."""
    records = catalog.records(ranking.ids[best].tolist())
    here = [position for position in best.tolist() if int(ranking.ids[position]) in records]

    def moment(position: int) -> tuple[datetime, int]:
        image_id = int(ranking.ids[position])
        return records[image_id].dated, image_id

    return np.array(sorted(here, key=moment, reverse=query.sort == "newest"), np.int64)


def timeline(query: Query, catalog: Catalog, mentions: Mentions) -> DateOrder:
    """All photos that a query without a description finds, by date.

    Raises:
        BadQuery: The query describes something.
    """
    if query.everything:
        raise BadQuery(
            "a timeline has all photos that match filters, and a description matches every photo: "
            "leave it out, or ask for the best photos sorted by date"
        )
    if query.words:
        among = catalog.matching(query.where) if query.where else None
        order = _among(query, mentions.with_text(query.words, among=among), catalog)
    else:
        order = catalog.dates.of(query.where)
    return order.reverse if query.sort == "oldest" else order


def _among(query: Query, standing: Mentioned, catalog: Catalog) -> DateOrder:
    return catalog.dates.of(query.where).among(np.fromiter(standing, np.int64))


def _part(order: DateOrder, query: Query, catalog: Catalog) -> list[ImageRecord]:
    ids = order.ids[query.offset : query.offset + query.k].tolist()
    records = catalog.records(ids)
    return [records[one] for one in ids if one in records]


def _since(begin: float) -> Milliseconds:
    return Milliseconds(0.0, 0.0, 0.0, 1e3 * (perf_counter() - begin))
