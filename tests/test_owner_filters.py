"""Filters by what owners wrote, compared with plain Python on the same photos."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixquery.db.catalog import Catalog
from pixquery.db.errors import BadQuery
from pixquery.db.filters import plain
from pixquery.db.metadata import Noted
from pixquery.db.records import (
    Annotation,
    City,
    FileState,
    Filter,
    ImageRecord,
    Meaning,
    OwnersNames,
    Stars,
)

ANNOTATIONS = {
    1: Annotation(keywords=("Café", "New York", "Portugal"), people=("Anna Smith",), rating=5),
    2: Annotation(keywords=("cafe",), people=("Ann", "Bob Müller"), rating=3),
    3: Annotation(keywords=("🎂", "York"), people=("Smith",), rating=-1),
    4: Annotation(caption="Anna Smith in Portugal"),
    5: Annotation(keywords=("Cafe Central", "東京"), people=("Anna", "Tom Smith"), rating=1),
}
PHOTOS = range(1, 8)


@pytest.fixture(scope="module")
def catalog() -> Iterator[Catalog]:
    with closing(Catalog(Path(":memory:"))) as catalog:
        fill(catalog)
        catalog.annotate({number: Noted(own) for number, own in ANNOTATIONS.items()})
        yield catalog


def fill(catalog: Catalog) -> None:
    records = [
        ImageRecord(Path(f"/a/{number}.jpg"), FileState(1, 1), bytes([number]) * 32, 4, 3)
        for number in PHOTOS
    ]
    catalog.put(catalog.add_root(Path("/a")), records, np.zeros((7, 3), np.float16), "this")


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        (Filter(keywords=("café",)), [1, 2]),
        (Filter(keywords=("CAFE",)), [1, 2]),
        (Filter(keywords=("york",)), [3]),
        (Filter(keywords=("new york",)), [1]),
        (Filter(keywords=("new-york", "portugal")), [1]),
        (Filter(keywords=("🎂",)), [3]),
        (Filter(keywords=("東京",)), [5]),
        (Filter(keywords=("東",)), []),
        (Filter(keywords=("",)), []),
        (Filter(people=("anna",)), [1, 5]),
        (Filter(people=("Smith",)), [1, 3, 5]),
        (Filter(people=("smith, anna",)), [1]),
        (Filter(people=("Anna", "Tom")), [5]),
        (Filter(people=("muller",)), [2]),
        (Filter(people=("Bob Anna",)), []),
        (Filter(people=("%",)), []),
        (Filter(rating=Stars(4, None)), [1]),
        (Filter(rating=Stars(3, 5)), [1, 2]),
        (Filter(rating=Stars(0, 0)), [4, 6, 7]),
        (Filter(rating=Stars(None, 1)), [3, 4, 5, 6, 7]),
        (Filter(rating=Stars(-1, -1)), [3]),
        (Filter(rating=Stars(1, None), people=("Anna",), keywords=("Portugal",)), [1]),
    ],
    ids=str,
)
def test_who_matches(catalog: Catalog, where: Filter, ids: list[int]) -> None:
    assert catalog.matching(where).tolist() == ids
    assert sorted(photo.id for photo in catalog.newest(where, limit=9)) == ids


_STARS = st.none() | st.integers(-1, 5)
_NAMES = st.lists(st.sampled_from(["anna", "SMITH", "cafe", "Café Central", "tom smith", "%", "'"]))


@given(_STARS, _STARS, _NAMES, _NAMES)
def test_against_plain_python(
    catalog: Catalog, least: int | None, most: int | None, keywords: list[str], people: list[str]
) -> None:
    where = Filter(rating=Stars(least, most), keywords=tuple(keywords), people=tuple(people))

    def matches(own: Annotation) -> bool:
        stars = own.rating or 0
        names = [set(plain(name).split()) for name in own.people]
        return (
            (least is None or least <= stars)
            and (most is None or stars <= most)
            and {plain(word) for word in keywords} <= {plain(word) for word in own.keywords}
            and all(any(set(plain(one).split()) <= name for name in names) for one in people)
        )

    expected = [n for n in PHOTOS if matches(ANNOTATIONS.get(n, Annotation()))]
    assert catalog.matching(where).tolist() == expected


def test_what_owners_named_is_counted_as_the_filters_find_it(catalog: Catalog) -> None:
    named = catalog.owners_names()
    counted = dict(named.keywords)
    assert counted == {
        "Café": 2, "New York": 1, "Portugal": 1, "🎂": 1, "York": 1, "Cafe Central": 1, "東京": 1,
    }  # fmt: skip
    assert list(counted.values()) == sorted(counted.values(), reverse=True)
    for name, images in counted.items():
        assert len(catalog.matching(Filter(keywords=(name,)))) == images
    assert dict(named.people) == {
        "Anna Smith": 1, "Ann": 1, "Bob Müller": 1, "Smith": 1, "Anna": 1, "Tom Smith": 1,
    }  # fmt: skip
    assert named.rated == len(catalog.matching(Filter(rating=Stars(1, None)))) == 3


def test_names_that_cannot_be_stored_are_refused(catalog: Catalog) -> None:
    with pytest.raises(BadQuery):
        catalog.matching(Filter(keywords=("\ud800",)))


def test_a_catalogue_of_an_earlier_version(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    with closing(Catalog(file)) as catalog:
        fill(catalog)
    with closing(sqlite3.connect(file)) as connection:
        for table in ("annotations", "readings", "localities"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("PRAGMA user_version = 6")
        connection.commit()

    with closing(Catalog(file, lock=nullcontext)) as catalog:
        assert catalog.owners_names() == OwnersNames()
        assert catalog.matching(Filter(keywords=("a",))).tolist() == []
        lisbon = Meaning(cities=frozenset({City("Lisbon", "Lisbon", "PT")}))
        assert catalog.matching(Filter(places=(lisbon,))).tolist() == []
        assert catalog.matching(Filter(people=("a",))).tolist() == []
        assert catalog.matching(Filter(rating=Stars(1, None))).tolist() == []
        assert catalog.matching(Filter(rating=Stars(None, 2))).tolist() == list(PHOTOS)
