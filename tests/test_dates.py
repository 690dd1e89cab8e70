"""Dates in words, against a table made by hand. Today is Wednesday, 15 May 2024."""

import time
from datetime import date, datetime

import pytest

from pixquery.db.records import Period
from pixquery.engine.dates import covering, dates
from pixquery.engine.periods import easter_sunday

TODAY = date(2024, 5, 15)

DATES: dict[str, tuple[str, str | None, str | None]] = {
    "2021": ("2021", "2021-01-01", "2022-01-01"),
    "lisbon 2023": ("2023", "2023-01-01", "2024-01-01"),
    "dog in 2021": ("in 2021", "2021-01-01", "2022-01-01"),
    "photos from 2021": ("from 2021", "2021-01-01", "2022-01-01"),
    "our garden, 2019, with snow": ("2019", "2019-01-01", "2020-01-01"),
    "summer 2019": ("summer 2019", "2019-06-01", "2019-09-01"),
    "the beach in the summer of 2019": ("in the summer of 2019", "2019-06-01", "2019-09-01"),
    "spring of 2018": ("spring of 2018", "2018-03-01", "2018-06-01"),
    "winter 2020": ("winter 2020", "2020-12-01", "2021-03-01"),
    "autumn 2022": ("autumn 2022", "2022-09-01", "2022-12-01"),
    "fall 2022": ("fall 2022", "2022-09-01", "2022-12-01"),
    "today": ("today", "2024-05-15", "2024-05-16"),
    "yesterday": ("yesterday", "2024-05-14", "2024-05-15"),
    "the day before yesterday": ("the day before yesterday", "2024-05-13", "2024-05-14"),
    "cats last week": ("last week", "2024-05-06", "2024-05-13"),
    "this month": ("this month", "2024-05-01", "2024-06-01"),
    "last month": ("last month", "2024-04-01", "2024-05-01"),
    "photos of last year": ("of last year", "2023-01-01", "2024-01-01"),
    "last summer": ("last summer", "2023-06-01", "2023-09-01"),
    "last winter": ("last winter", "2023-12-01", "2024-03-01"),
    "last december": ("last december", "2023-12-01", "2024-01-01"),
    "last friday": ("last friday", "2024-05-10", "2024-05-11"),
    "last weekend": ("last weekend", "2024-05-11", "2024-05-13"),
    "last night": ("last night", "2024-05-14T18:00", "2024-05-15T06:00"),
    "this morning": ("this morning", "2024-05-15", "2024-05-15T12:00"),
    "the last 30 days": ("the last 30 days", "2024-04-15", "2024-05-16"),
    "past two weeks": ("past two weeks", "2024-05-01", "2024-05-16"),
    "3 days ago": ("3 days ago", "2024-05-12", "2024-05-13"),
    "two weeks ago": ("two weeks ago", "2024-04-29", "2024-05-06"),
    "a month ago": ("a month ago", "2024-04-01", "2024-05-01"),
    "hiking three years ago": ("three years ago", "2021-01-01", "2022-01-01"),
    "last christmas": ("last christmas", "2023-12-24", "2023-12-27"),
    "christmas 2022": ("christmas 2022", "2022-12-24", "2022-12-27"),
    "new year's eve 2022": ("new year's eve 2022", "2022-12-31", "2023-01-01T06:00"),
    "easter 2021": ("easter 2021", "2021-04-02", "2021-04-06"),
    "last easter": ("last easter", "2024-03-29", "2024-04-02"),
    "halloween 2020": ("halloween 2020", "2020-10-31", "2020-11-01"),
    "a walk in May 2020": ("in May 2020", "2020-05-01", "2020-06-01"),
    "march 2020": ("march 2020", "2020-03-01", "2020-04-01"),
    "14 July 2023": ("14 July 2023", "2023-07-14", "2023-07-15"),
    "July 14th, 2023": ("July 14th, 2023", "2023-07-14", "2023-07-15"),
    "on the 3rd of October 2018": ("on the 3rd of October 2018", "2018-10-03", "2018-10-04"),
    "7/14/2023": ("7/14/2023", "2023-07-14", "2023-07-15"),
    "14/7/2023": ("14/7/2023", "2023-07-14", "2023-07-15"),
    "4.7.2023": ("4.7.2023", "2023-07-04", "2023-07-05"),
    "2023-07-14": ("2023-07-14", "2023-07-14", "2023-07-15"),
    "cake 2023-07": ("2023-07", "2023-07-01", "2023-08-01"),
    "the nineties": ("the nineties", "1990-01-01", "2000-01-01"),
    "family in the 80s": ("in the 80s", "1980-01-01", "1990-01-01"),
    "the 1990s": ("the 1990s", "1990-01-01", "2000-01-01"),
    "between 2018 and 2020": ("between 2018 and 2020", "2018-01-01", "2021-01-01"),
    "dogs from 2018 to 2020": ("from 2018 to 2020", "2018-01-01", "2021-01-01"),
    "2018-2020": ("2018-2020", "2018-01-01", "2021-01-01"),
    "since 2022": ("since 2022", "2022-01-01", None),
    "cars before 2015": ("before 2015", None, "2015-01-01"),
    "after march 2020": ("after march 2020", "2020-04-01", None),
    "until 2019": ("until 2019", None, "2020-01-01"),
    "14. Juli 2023": ("14. Juli 2023", "2023-07-14", "2023-07-15"),
    "Strand im Sommer 2019": ("im Sommer 2019", "2019-06-01", "2019-09-01"),
    "Hund im Mai 2020": ("im Mai 2020", "2020-05-01", "2020-06-01"),
    "März 2020": ("März 2020", "2020-03-01", "2020-04-01"),
    "gestern": ("gestern", "2024-05-14", "2024-05-15"),
    "letzte Woche": ("letzte Woche", "2024-05-06", "2024-05-13"),
    "vor drei Jahren": ("vor drei Jahren", "2021-01-01", "2022-01-01"),
    "letzten Sommer": ("letzten Sommer", "2023-06-01", "2023-09-01"),
    "Weihnachten 2022": ("Weihnachten 2022", "2022-12-24", "2022-12-27"),
    "plage juillet 2020": ("juillet 2020", "2020-07-01", "2020-08-01"),
    "le 14 juillet 2023": ("le 14 juillet 2023", "2023-07-14", "2023-07-15"),
    "été 2019": ("été 2019", "2019-06-01", "2019-09-01"),
    "l'année dernière": ("l'année dernière", "2023-01-01", "2024-01-01"),
    "il y a trois ans": ("il y a trois ans", "2021-01-01", "2022-01-01"),
    "14 de julio de 2023": ("14 de julio de 2023", "2023-07-14", "2023-07-15"),
    "verano de 2019": ("verano de 2019", "2019-06-01", "2019-09-01"),
    "hace tres años": ("hace tres años", "2021-01-01", "2022-01-01"),
    "el año pasado": ("el año pasado", "2023-01-01", "2024-01-01"),
    "14 luglio 2023": ("14 luglio 2023", "2023-07-14", "2023-07-15"),
    "estate 2019": ("estate 2019", "2019-06-01", "2019-09-01"),
    "tre anni fa": ("tre anni fa", "2021-01-01", "2022-01-01"),
    "14 июля 2023": ("14 июля 2023", "2023-07-14", "2023-07-15"),
    "2023年7月14日": ("2023年7月14日", "2023-07-14", "2023-07-15"),
}
"""Queries, the words of the date in it, its first moment, and the first moment after it."""

LATER: dict[str, tuple[str, str | None, str | None]] = {
    "from march to june 2020": ("from march to june 2020", "2020-03-01", "2020-07-01"),
    "december to february 2021": ("december to february 2021", "2020-12-01", "2021-03-01"),
    "14 to 16 July 2023": ("14 to 16 July 2023", "2023-07-14", "2023-07-17"),
    "14-16 July 2023": ("14-16 July 2023", "2023-07-14", "2023-07-17"),
    "in 2021 and 2022": ("in 2021 and 2022", "2021-01-01", "2023-01-01"),
    "may 2020 or july 2020": ("may 2020 or july 2020", "2020-05-01", "2020-08-01"),
    "snow since last christmas": ("since last christmas", "2023-12-24", None),
    "yesterday's dinner": ("yesterday's", "2024-05-14", "2024-05-15"),
    "christmas eve 2021": ("christmas eve 2021", "2021-12-24", "2021-12-25"),
    "new year 2022": ("new year 2022", "2021-12-31T18:00", "2022-01-02"),
    "mars 2019": ("mars 2019", "2019-03-01", "2019-04-01"),
    "thanksgiving 2023": ("thanksgiving 2023", "2023-11-23", "2023-11-27"),
    "letzten 3 Jahren": ("letzten 3 Jahren", "2021-05-01", "2024-05-16"),
}
"""The same, found to be needed when the first ones were read."""

WORDS = (
    "a 2021 bottle of wine", "may", "march of penguins", "1984 the book cover", "route 66",
    "boeing 747", "a man in his twenties", "second hand shop", "sunday roast",
    "a date with friends", "fall", "spring water", "august statue", "10:30 train", "2 dogs",
    "100 euro note", "apollo 11", "windows 95", "iphone 2020 case", "christmas", "summer dress",
    "windows 2000", "blade runner 2049", "2001 a space odyssey", "the last supper",
    "the last two dogs", "last page of a book", "7/4/2023", "31/31/2023", "30 february 2021",
    "easter eggs", "80s hairstyle", "day and night", "years ago", "a week of rain",
    '"summer 2019" on a poster', "room 2012", "a penny from 1802", "3000 people", "monday",
    "before the storm", "since she was born", "hier ist der hund", "model 2019", "100 years ago",
    "may 1", "december snow", "fresh spring 5000", "the 2021 calendar", "today show logo",
    "last spring water bottle", "2019 2020", "$2019", "1/2 cup", "no. 1999", "mens 1500 m race",
    "not in 2021", "beach except 2020", "two or three years ago", "more than three years ago",
    "last years", "next week", "tomorrow", "4 July",
)  # fmt: skip


@pytest.mark.parametrize("text", [*DATES, *LATER])
def test_dates_are_recognised(text: str) -> None:
    words, begin, end = {**DATES, **LATER}[text]
    (found,) = dates(text, TODAY)
    assert found.words == words == text[found.begin : found.end]
    first, last = (datetime.fromisoformat(each) if each else None for each in (begin, end))
    assert found.period == Period(first, last)


@pytest.mark.parametrize("text", WORDS)
def test_words_stay_words(text: str) -> None:
    assert dates(text, TODAY) == []


@pytest.mark.parametrize("year", range(1900, 2101))
def test_easter_is_that_of_dateutil(year: int) -> None:
    known = pytest.importorskip("dateutil.easter").easter(year)
    assert easter_sunday(year) == known


def test_several_dates_are_covered_by_one_period() -> None:
    found = dates("summer 2019 with a dog, christmas 2021", TODAY)
    assert len(found) == 2
    assert covering(found) == Period(datetime(2019, 6, 1), datetime(2021, 12, 27))
    assert covering(dates("since 2020, not red", TODAY)) == Period(datetime(2020, 1, 1), None)
    assert covering([]) is None


def test_any_text_is_read() -> None:
    for text in ("", " ", "0000-00-00", "99.99.2021", "2021-99", "ago", "last", "year 2021" * 50):
        dates(text, TODAY)
    assert dates("last year", date(1, 1, 1)) == dates("3 years ago", date(2, 1, 1)) == []


def test_a_query_without_a_date_costs_little() -> None:
    text = "two brown dogs play with a red ball on the beach while a man in jeans is watching them"
    dates(text, TODAY)
    begin = time.perf_counter()
    for _ in range(200):
        dates(text, TODAY)
    assert (time.perf_counter() - begin) / 200 < 0.0003
