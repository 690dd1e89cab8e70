"""Answers sorted by date."""

import os
from datetime import datetime
from pathlib import Path

import pytest

from pixquery import Filter, Library, Query
from pixquery.db.errors import BadQuery
from pixquery.db.records import Period
from pixquery.engine.query import Sort
from pixquery.indexer.build import index
from tests.conftest import COLOURS, Invoke

YEARS = dict(zip(COLOURS, (2003, 2011, 2007, 2019, 2001, 2015, 2009, 2005), strict=True))
WAYS: list[tuple[Sort, bool]] = [("newest", True), ("oldest", False)]


@pytest.fixture
def dated(library: Library, squares: Path) -> Library:
    """The squares, with files of different years."""
    for colour, year in YEARS.items():
        moment = datetime(year, 6, 1).timestamp()
        os.utime(next(squares.rglob(f"{colour}.*")), (moment, moment))
    index(library, [squares])
    return library


def colours(library: Library, query: Query) -> list[str]:
    answer = library.search(query)
    assert answer.sort == query.sort
    assert [hit.rank for hit in answer.hits] == [
        query.offset + place for place in range(1, len(answer.hits) + 1)
    ]
    return [hit.path.stem for hit in answer.hits]


@pytest.mark.parametrize(("sort", "backwards"), WAYS)
def test_all_photos_by_date(dated: Library, sort: Sort, backwards: bool) -> None:
    wanted = sorted(YEARS, key=YEARS.__getitem__, reverse=backwards)
    for _ in range(2):  # by SQL, then from the order that is kept
        assert colours(dated, Query(sort=sort, k=8)) == wanted
        assert colours(dated, Query(sort=sort, k=3, offset=4)) == wanted[4:7]
        dated.timeline(Query(sort=sort))


@pytest.mark.parametrize(("sort", "backwards"), WAYS)
def test_a_filter_by_date(dated: Library, sort: Sort, backwards: bool) -> None:
    where = Filter(modified=Period(datetime(2004, 1, 1), datetime(2012, 1, 1)))
    wanted = [one for one in YEARS if 2004 <= YEARS[one] < 2012]
    wanted.sort(key=YEARS.__getitem__, reverse=backwards)
    assert colours(dated, Query(sort=sort, where=where)) == wanted
    timeline = dated.timeline(Query(sort=sort, where=where))
    assert [month.name for month in timeline.months] == [f"{YEARS[one]}-06" for one in wanted]
    assert colours(dated, Query(sort=sort, where=where)) == wanted


@pytest.mark.parametrize(("sort", "backwards"), WAYS)
def test_the_best_photos_of_a_description_by_date(
    dated: Library, sort: Sort, backwards: bool
) -> None:
    best = [hit.path.stem for hit in dated.search(Query("red", k=3, candidates=3)).hits]
    wanted = sorted(best, key=YEARS.__getitem__, reverse=backwards)
    assert colours(dated, Query("red", sort=sort, candidates=3)) == wanted
    assert colours(dated, Query("red", sort=sort, candidates=3, k=2, offset=1)) == wanted[1:]
    assert colours(dated, Query("red", sort=sort, candidates=3, offset=3)) == []


def test_those_that_reach_a_relevance_by_date(dated: Library) -> None:
    fitting = {h.path.stem for h in dated.search(Query("red", min_relevance=0.2)).hits}
    assert 1 < len(fitting) < 8
    wanted = sorted(fitting, key=YEARS.__getitem__)
    assert colours(dated, Query("red", min_relevance=0.2, sort="oldest", k=8)) == wanted


def test_a_description_has_no_timeline(dated: Library) -> None:
    with pytest.raises(BadQuery, match="leave it out"):
        dated.timeline(Query("red", sort="newest"))
    assert len(dated.timeline(Query("2019", sort="newest"))) == 0  # files have no camera date


def test_the_command_sorts(dated: Library, invoke: Invoke) -> None:
    run = invoke("query", "--sort", "oldest", "--paths", "-k", 2, "--library", dated.folder)
    assert run.exit_code == 0
    oldest = sorted(YEARS, key=YEARS.__getitem__)[:2]
    assert [Path(line).stem for line in run.stdout.splitlines()] == oldest
