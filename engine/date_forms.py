"""The forms that dates have in a text, and the period that each means."""
# ruff: noqa: RUF001, SIM905 - apostrophes and dashes; words that are easier to read as one text

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import cache
from typing import TypeAlias

from pixquery.db.records import Period
from pixquery.engine.date_words import (
    DAYS_AGO,
    DECADES,
    NUMBERS,
    SEASONS,
    SEVERAL,
    UNITS,
    WEEKDAYS,
    months,
)  # fmt: skip
from pixquery.engine.folding import folded
from pixquery.engine.periods import days, feast, latest, unit_ago, whole_months, yearly

EARLIEST = 1900
"""The first year that is taken for one."""
LONGEST_AGO = 60
"""Days, weeks, months or years."""

Rule: TypeAlias = Callable[[re.Match[str], date], Period | None]
"""What a match means today; nothing if it is no date.

Raises:
    ValueError: It looks like a date, and there is no such day.
    OverflowError: The calendar does not reach that far.
"""

_WORD = r"[^\W\d_]+"
_YEAR = r"((?:19|20)\d\d)"
_OF = r"\s+(?:of\s+|de\s+|del\s+|di\s+)?"
_BEGIN, _END = r"(?<![\w$€£#/:.\-–])", r"(?![\w$€£/%:°\-–]|\.\d)"
_NEXT = re.compile(r"[ \t]+([\w'’]+)")
_BOUNDARY = frozenset(
    "in at on by from to near with without and or for during im am mit und et avec con y e "
    "à".split()
)


def follows(text: str, end: int) -> bool:
    """Whether a word follows that what ends here may describe: not a preposition, nor the end."""
    behind = _NEXT.match(text, end)
    return bool(behind and behind[1].lower() not in _BOUNDARY)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else NUMBERS.get(folded(text), 0)


def _iso_day(match: re.Match[str], today: date) -> Period | None:
    return days(date(int(match[1]), int(match[3]), int(match[4])))


def _numbers(match: re.Match[str], today: date) -> Period | None:
    first, second, year = int(match[1]), int(match[3]), int(match[4])
    if match[2] == "." or first > 12 or first == second:
        return days(date(year, second, first))
    return days(date(year, first, second)) if second > 12 else None


def _chinese(match: re.Match[str], today: date) -> Period | None:
    year, month, day = (int(part) if part else 0 for part in match.groups())
    if day:
        return days(date(year, month, day))
    return (
        whole_months(year, month)
        if month in range(1, 13)
        else None
        if month
        else whole_months(year, 1, 12)
    )


def _day_month_year(match: re.Match[str], today: date) -> Period | None:
    month = months().get(folded(match[2]))
    return days(date(int(match[3]), month, int(match[1]))) if month else None


def _month_day_year(match: re.Match[str], today: date) -> Period | None:
    month = months().get(folded(match[1]))
    return days(date(int(match[3]), month, int(match[2]))) if month else None


def _named_year(match: re.Match[str], today: date) -> Period | None:
    each = yearly(folded(match[1]))
    return each(int(match[2])) if each else None


def _from_to(match: re.Match[str], today: date) -> Period | None:
    """From a month or season to another one of the same year, or of the next one."""
    first, last = yearly(folded(match[1])), yearly(folded(match[2]))
    if first is None or last is None:
        return None
    end = last(int(match[3]))
    begin = first(int(match[3])).begin
    if begin is not None and end.begin is not None and begin > end.begin:
        begin = first(int(match[3]) - 1).begin
    return Period(begin, end.end)


def _day_to_day(match: re.Match[str], today: date) -> Period | None:
    """Days of one month."""
    month = months().get(folded(match[3]))
    if not month:
        return None
    first, last = (date(int(match[4]), month, int(match[each])) for each in (1, 2))
    return days(first, (last - first).days + 1) if first < last else None


def _new_year(match: re.Match[str], today: date) -> Period | None:
    begin = datetime(int(match[1]) - 1, 12, 31, 18)
    return Period(begin, datetime(int(match[1]), 1, 2))


def _christmas_day(match: re.Match[str], today: date) -> Period | None:
    return days(date(int(match[2]), 12, 24 if match[1].lower() == "eve" else 25))


def _eve_year(match: re.Match[str], today: date) -> Period | None:
    return feast("eve", int(match[1]))


def _iso_month(match: re.Match[str], today: date) -> Period | None:
    return whole_months(int(match[1]), int(match[2])) if int(match[2]) in range(1, 13) else None


def _last(match: re.Match[str], today: date) -> Period | None:
    """The last week, summer, Friday or Christmas."""
    word = folded(match["of"])
    if word in UNITS and UNITS[word] != "day":
        return None if word in SEVERAL else unit_ago(UNITS[word], today, 1)
    if word in WEEKDAYS:
        return days(today - timedelta(days=(today.weekday() - WEEKDAYS[word] - 1) % 7 + 1))
    each = yearly(word)
    ambiguous = word in ("spring", "fall", "march", "may")
    if each is None or (ambiguous and follows(match.string, match.end())):
        return None
    return latest(each, today)


def _this(match: re.Match[str], today: date) -> Period | None:
    word = folded(match[1])
    if word in UNITS:
        return unit_ago(UNITS[word], today, 0)
    hours = {"morning": (0, 12), "afternoon": (12, 18), "evening": (17, 24)}.get(word)
    midnight = datetime(today.year, today.month, today.day)
    if hours:
        return Period(midnight + timedelta(hours=hours[0]), midnight + timedelta(hours=hours[1]))
    if word in SEASONS and not follows(match.string, match.end()):
        return whole_months(today.year, SEASONS[word], 3)
    return None


def _last_night(match: re.Match[str], today: date) -> Period | None:
    midnight = datetime(today.year, today.month, today.day)
    return Period(midnight - timedelta(hours=6), midnight + timedelta(hours=6))


def _last_few(match: re.Match[str], today: date) -> Period | None:
    """The last 30 days, with today."""
    count, unit = _number(match[1]), UNITS.get(folded(match[2]), "")
    if not 0 < count <= 1000 or unit not in ("day", "week", "month", "year"):
        return None
    end = days(today).end
    if unit in ("day", "week"):
        return Period(days(today - timedelta(days=count * (7 if unit == "week" else 1))).begin, end)
    first = whole_months(today.year, today.month - count * (12 if unit == "year" else 1)).begin
    return Period(first, end)


def _ago(match: re.Match[str], today: date) -> Period | None:
    count, unit = _number(match["n"]), UNITS.get(folded(match["unit"]), "")
    return unit_ago(unit, today, count) if unit and 0 < count <= LONGEST_AGO else None


def _day_word(match: re.Match[str], today: date) -> Period | None:
    if follows(match.string, match.end()) and not match["s"]:
        return None
    return days(today - timedelta(days=int(DAYS_AGO[folded(match[1])])))


def _two_days_ago(match: re.Match[str], today: date) -> Period | None:
    return days(today - timedelta(days=2))


def _decade(match: re.Match[str], today: date) -> Period | None:
    if follows(match.string, match.end()):
        return None
    digits = match[1]
    year = DECADES.get(digits.lower()) or int(digits.rstrip("s'’")[-4:])
    year += 0 if year > 100 else 2000 if year < 20 else 1900
    return whole_months(year, 1, 120) if year % 10 == 0 and EARLIEST <= year <= today.year else None


def _years(match: re.Match[str], today: date) -> Period | None:
    first, last = int(match[1]), int(match[2])
    return whole_months(first, 1, 12 * (last - first + 1)) if first < last <= today.year else None


def bare_year(match: re.Match[str], today: date) -> Period | None:
    """A year that may be any number; the words around it decide."""
    year = int(match[1])
    return whole_months(year, 1, 12) if year <= today.year else None


def _rule(pattern: str, rule: Rule) -> tuple[re.Pattern[str], Rule]:
    return re.compile(f"{_BEGIN}(?:{pattern}){_END}", re.IGNORECASE), rule


@cache
def rules() -> tuple[tuple[re.Pattern[str], Rule], ...]:
    """Each form of a date; what an earlier one has read is left alone by the later ones.

    They are compiled when a text may hold a date, which takes 20 milliseconds.
    """
    return (
        _rule(r"((?:19|20)\d\d)([-/.])(\d{1,2})\2(\d{1,2})", _iso_day),
        _rule(rf"(\d{{1,2}})([-/.])(\d{{1,2}})\2{_YEAR}", _numbers),
        (re.compile(r"(?<!\d)((?:19|20)\d\d)年(?:(\d{1,2})月(?:(\d{1,2})日)?)?"), _chinese),
        _rule(
            rf"(\d{{1,2}})(?:st|nd|rd|th|\.)?\s*(?:-|–|to|and|until|bis|und|au|et|al|y)\s*"
            rf"(\d{{1,2}})(?:st|nd|rd|th|\.)?{_OF}({_WORD}){_OF}{_YEAR}",
            _day_to_day,
        ),
        _rule(
            rf"(\d{{1,2}})(?:st|nd|rd|th|er|º|°|\.)?{_OF}({_WORD})[.,]?{_OF}{_YEAR}",
            _day_month_year,
        ),
        _rule(rf"({_WORD})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+{_YEAR}", _month_day_year),
        _rule(rf"(?:new\s+year['’]?s\s+eve)(?:\s+of)?\s+{_YEAR}", _eve_year),
        _rule(rf"new\s+year(?:['’]?s\s+day)?{_OF}{_YEAR}", _new_year),
        _rule(rf"christmas\s+(eve|day){_OF}{_YEAR}", _christmas_day),
        _rule(
            rf"({_WORD})\s*(?:-|–|/|\b(?:to|and|or|until|till|bis|und|oder|à|et|a|y|e|al)\b)\s*"
            rf"({_WORD}){_OF}{_YEAR}",
            _from_to,
        ),
        _rule(rf"({_WORD})[.,]?{_OF}{_YEAR}", _named_year),
        _rule(r"((?:19|20)\d\d)-(\d{1,2})", _iso_month),
        _rule(rf"{_YEAR}\s*[-–]\s*{_YEAR}", _years),
        _rule(rf"(?:the\s+)?(?:last|past|letzten)\s+(\d+|{_WORD})\s+({_WORD})", _last_few),
        _rule(r"last\s+night", _last_night),
        _rule(rf"(?:last|letzte[nrs]?|vorige[nrs]?)\s+(?P<of>{_WORD})(?:['’]s)?", _last),
        _rule(
            rf"(?:l['’]|(?:la|le|el|lo)\s+)?(?P<of>{_WORD})\s+"
            r"(?:derni[eè]re?|pass[eé]e?|pasad[oa]|scors[oa]|passad[oa])",
            _last,
        ),
        _rule(rf"this\s+({_WORD})", _this),
        _rule(rf"(?P<n>\d+|{_WORD})\s+(?P<unit>{_WORD})\s+(?:ago|fa)", _ago),
        _rule(rf"(?:vor|il\s+y\s+a|hace)\s+(?P<n>\d+|{_WORD})\s+(?P<unit>{_WORD})", _ago),
        _rule(r"the\s+day\s+before\s+yesterday", _two_days_ago),
        _rule(rf"({'|'.join(DAYS_AGO)})(?P<s>['’]s)?", _day_word),
        _rule(rf"the\s+((?:\d\d)?\d0['’]?s|{'|'.join(DECADES)})", _decade),
        _rule(_YEAR, bare_year),
    )
