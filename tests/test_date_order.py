"""Photos in the order of their dates, against sorting done in Python."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import numpy as np
import pytest

from pixquery.db.catalog import Catalog
from pixquery.db.records import FileState, Filter, ImageRecord

COUNT = 300


def photo(number: int, rng: Random) -> ImageRecord:
    """A photo of one of 30 months; a third of them have no camera date, and many are equal."""
    moment = datetime(2020, 1, 31, 23, 59, 59) + timedelta(days=30 * rng.randrange(30))
    taken = moment if number % 3 else None
    written = datetime(2025, 1, 1) if taken else moment
    return ImageRecord(
        Path(f"/r/{number}"),
        FileState(1, int(written.timestamp()) * 10**9),
        number.to_bytes(4, "little"),
        rng.choice([100, 400]),
        rng.choice([100, 300]),
        rng.choice(["PNG", "JPEG"]),
        taken,
    )


def put(catalog: Catalog, records: list[ImageRecord]) -> None:
    vectors = np.zeros((len(records), 3), np.float16)
    catalog.put(catalog.add_root(Path("/r")), records, vectors, "this")


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    catalog = Catalog(Path(":memory:"))
    rng = Random(1)
    put(catalog, [photo(number, rng) for number in range(COUNT)])
    yield catalog
    catalog.close()


def expected(catalog: Catalog, *, oldest: bool = False, form: str = "") -> list[ImageRecord]:
    records = [one for one in catalog.everything() if form in ("", one.format)]
    return sorted(records, key=lambda one: (one.dated, one.id), reverse=not oldest)


@pytest.mark.parametrize("form", ["", "PNG"])
@pytest.mark.parametrize("oldest", [False, True])
def test_photos_months_and_shapes_are_in_the_order_of_dates(
    catalog: Catalog, oldest: bool, form: str
) -> None:
    where = Filter(formats=(form,)) if form else Filter()
    photos = expected(catalog, oldest=oldest, form=form)
    newest_first = catalog.dates.of(where)
    order = newest_first.reverse if oldest else newest_first
    assert order.ids.tolist() == [one.id for one in photos]
    assert order.shapes.tolist() == pytest.approx([one.width / one.height for one in photos])
    counts = Counter(f"{one.dated:%Y-%m}" for one in photos)
    assert [month.name for month in order.months] == sorted(counts, reverse=not oldest)
    assert {month.name: month.images for month in order.months} == counts
    listed = catalog.newest(where, limit=7, offset=50, oldest=oldest)
    assert [one.id for one in listed] == order.ids[50:57].tolist()
    again = order.reverse
    assert again.ids.tolist() == order.ids[::-1].tolist()


def test_some_photos_of_an_order(catalog: Catalog) -> None:
    chosen = np.arange(1, COUNT, 7)
    order = catalog.dates.of(Filter()).among(chosen)
    photos = [one for one in expected(catalog) if one.id in set(chosen.tolist())]
    assert order.ids.tolist() == [one.id for one in photos]
    counts = Counter(f"{one.dated:%Y-%m}" for one in photos)
    assert [(month.name, month.images) for month in order.months] == [
        (name, counts[name]) for name in sorted(counts, reverse=True)
    ]
    assert len(catalog.dates.of(Filter()).among(np.empty(0, np.int64)).months) == 0


def test_an_order_is_kept_until_photos_change(catalog: Catalog) -> None:
    everything = Filter()
    assert catalog.dates.kept(everything) is None
    order = catalog.dates.of(everything)
    assert catalog.dates.kept(everything) is order
    assert catalog.dates.of(everything) is order
    state = catalog.dates.state(everything)
    put(catalog, [photo(COUNT, Random(5))])
    assert catalog.dates.state(everything) != state
    assert catalog.dates.kept(everything) is None
    assert len(catalog.dates.of(everything)) == COUNT + 1


def test_an_empty_catalogue_has_an_empty_order() -> None:
    catalog = Catalog(Path(":memory:"))
    order = catalog.dates.of(Filter())
    assert (len(order), order.months) == (0, ())
    assert len(order.reverse) == 0
    catalog.close()
