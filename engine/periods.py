"""Periods of the calendar: days, months, weeks, seasons and feasts, by the camera's clock."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

from pixquery.db.records import Period
from pixquery.engine.date_words import FEASTS, SEASONS, months


def days(first: date, count: int = 1) -> Period:
    """A day, or several from a first one on."""
    begin = datetime(first.year, first.month, first.day)
    return Period(begin, begin + timedelta(days=count))


def whole_months(year: int, month: int, count: int = 1) -> Period:
    """Whole months; the number of the first may be any, and counts on into other years."""
    first, last = year * 12 + month - 1, year * 12 + month - 1 + count
    return Period(datetime(first // 12, first % 12 + 1, 1), datetime(last // 12, last % 12 + 1, 1))


def feast(name: str, year: int) -> Period:
    """A feast of a year; ``FEASTS`` has the names. Christmas is 24 to 26 December."""
    if name == "christmas":
        return days(date(year, 12, 24), 3)
    if name == "eve":
        return Period(datetime(year, 12, 31), datetime(year + 1, 1, 1, 6))
    if name == "halloween":
        return days(date(year, 10, 31))
    if name == "thanksgiving":  # the fourth Thursday of November, and the weekend
        first = date(year, 11, 1)
        return days(first + timedelta(days=(3 - first.weekday()) % 7 + 21), 4)
    return days(easter_sunday(year) - timedelta(days=2), 4)


def easter_sunday(year: int) -> date:
    """Easter Sunday; the algorithm of Butcher's Ecclesiastical Calendar (1876)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    h = (19 * a + b - d - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    i, k = divmod(c, 4)
    weekday = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * weekday) // 451
    month, day = divmod(h + weekday - 7 * m + 114, 31)
    return date(year, month, day + 1)


def unit_ago(unit: str, today: date, ago: int) -> Period:
    """The day, week, weekend, month or year so many before the one that today is in."""
    monday = today - timedelta(days=today.weekday())
    if unit == "day":
        return days(today - timedelta(days=ago))
    if unit == "week":
        return days(monday - timedelta(weeks=ago), 7)
    if unit == "weekend":
        return days(monday - timedelta(weeks=ago) + timedelta(days=5), 2)
    if unit == "month":
        return whole_months(today.year, today.month - ago)
    return whole_months(today.year - ago, 1, 12)


def latest(of_year: Callable[[int], Period], today: date) -> Period:
    """The latest of a yearly period that is over."""
    this = of_year(today.year)
    over = this.end is not None and this.end.date() <= today
    return this if over else of_year(today.year - 1)


def yearly(word: str) -> Callable[[int], Period] | None:
    """The period of a season, feast or month, folded, in each year; none for other words."""
    if word in SEASONS:
        return lambda year: whole_months(year, SEASONS[word], 3)
    if word in FEASTS:
        return lambda year: feast(FEASTS[word], year)
    if word in months():
        return lambda year: whole_months(year, months()[word])
    return None
