"""Finds dates in the words of a query: "summer 2019", "last week", "14. Juli 2023".

A filter that was not meant hides photos, a date that was not recognised only ranks them less well:
so words stay words when in doubt.

- A year stands for itself at the end of a part of the query or before a preposition: "lisbon 2023",
  not "a 2021 bottle of wine". It is one from 1900 to this one.
- Seasons are those of the north, in whole months: summer is June to August, and "winter 2020" begins
  in December 2020. Weeks begin on Monday. "Three years ago" is all of that year.
- Christmas is 24 to 26 December, Easter is Good Friday to Easter Monday, and New Year's Eve ends at
  six in the morning. Without a year or "last" they are words: no period holds them all.
- In 7/14/2023 the 14 can only be a day, 7/4/2023 may be either and stays words; with dots, as in
  4.7.2023, the day comes first.

Months are read in all languages, other words in English, German, French, Spanish and Italian.
"""
# ruff: noqa: RUF001 - apostrophes and dashes

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple

from pixquery.db.records import Period
from pixquery.engine.date_words import (
    DAYS_AGO, DECADES, FEASTS, NUMBERS, SEASONS, SEVERAL, UNITS, WEEKDAYS, months,
)  # fmt: skip
from pixquery.engine.gazetteer import folded

EARLIEST = 1900
"""The first year that is taken for one."""
LONGEST_AGO = 60
"""Days, weeks, months or years."""


class DateMention(NamedTuple):
    """Words of a query that are a date."""

    begin: int
    """Where they begin in the query; a preposition before the date belongs to them."""
    end: int
    words: str
    period: Period


class _Span(NamedTuple):
    begin: int
    end: int
    period: Period
    sure: bool = True
    """Whether it needs no context, as a bare year does."""


_Rule = Callable[[re.Match[str], date], Period | None]

_WORD = r"[^\W\d_]+"
_YEAR = r"((?:19|20)\d\d)"
_OF = r"\s+(?:of\s+|de\s+|del\s+|di\s+)?"
_BEGIN, _END = r"(?<![\w$€£#/:.\-–])", r"(?![\w$€£/%:°\-–]|\.\d)"
_HINT = re.compile(
    r"\d{4}|\d0s\b|ies\b|day\b|\b(?:last|past|this|ago|tonight|letzte|vorige|gestern|heute|vor|il y a|"
    r"hace|fa|derni|pass|pasad|scors|ayer|anteayer|ieri|vorgestern)",
    re.IGNORECASE,
)
"""What every date has; other texts are not looked at any further."""
_QUOTED = re.compile(r'"[^"]*"|“[^”]*”|„[^“”]*[“”]|«[^»]*»')
_LED = re.compile(
    r"\b(?:(?:in|on|at|from|during|of|im|am|vom|an|zu|en|au|aux|à|de|nel|the|le|el|il|i|in the|on the|"
    r"from the|during the|of the|en el|dans le)\s+)$",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    r"\b(?:(since|seit|depuis|desde)|(before|vor|avant|antes de)|(after|nach|après|después de|dopo)|"
    r"(until|till|up to|bis|jusqu['’]en|hasta|fino al?))\s+(?:the\s+)?$",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"\b(?:between|zwischen|entre|tra|from|von|de|dal)\s+(?:the\s+)?$", re.IGNORECASE)
_TO = re.compile(r"\s+(?:and|to|until|till|und|bis|et|à|y|a|e|al)\s+|\s*[-–]\s*", re.IGNORECASE)
_DENIED = re.compile(
    r"\b(?:not|no|except|excluding|without|never|but|than|over|nicht|ohne|pas|sauf|sin|non|senza|or|"
    r"oder|ou)\s+(?:\w+\s+)?$",
    re.IGNORECASE,
)
"""Before a date, says that it is another one, or less than exactly this one."""
_ALSO = re.compile(r"\s*(?:,|and|or|&|und|oder|et|ou|y|e|o)\s+", re.IGNORECASE)
_NEXT = re.compile(r"[ \t]+([\w'’]+)")
_PREVIOUS = re.compile(r"([\w'’]+)\.?[ \t]+$")
_BOUNDARY = frozenset(
    "in at on by from to near with without and or for during im am mit und et avec con y e à".split()
)
_LEADS = frozenset("in from during im en nel since".split())
_NO_YEAR_AFTER = frozenset(
    "a an the this that these those my your his her our their of no number nr room route flight model "
    "windows iphone galaxy version bmw audi boeing airbus porsche mercedes peugeot highway apartment "
    "house bus train line page euro euros dollars office pavilion series type mark size is space "
    "odyssey population year's le la el il der die das ein eine".split()
)
"""Words before a number that is hardly a year."""


def dates(text: str, today: date) -> list[DateMention]:
    """The dates that a query names, in the order of the query; by the camera's clock."""
    if not _HINT.search(text) and "年" not in text:
        return []
    taken = [match.span() for match in _QUOTED.finditer(text)]
    spans: list[_Span] = []
    for pattern, rule in _RULES:
        for match in pattern.finditer(text):
            begin, end = match.span()
            if any(begin < e and b < end for b, e in taken):
                continue
            try:
                period = rule(match, today)
            except (ValueError, OverflowError):  # there is no such day, nor a month in it
                taken.append((begin, end))
                continue
            if period is not None:
                taken.append((begin, end))
                spans.append(_Span(begin, end, period, sure=rule is not _bare_year))
    return [
        DateMention(begin, end, text[begin:end], period)
        for begin, end, period, _ in _joined(text, sorted(spans))
        if not _DENIED.search(text, 0, begin)
    ]


def covering(mentions: list[DateMention]) -> Period | None:
    """The period from the first of several dates to the last; none if there are none."""
    if not mentions:
        return None
    begins = [mention.period.begin for mention in mentions]
    ends = [mention.period.end for mention in mentions]
    return Period(
        min((begin for begin in begins if begin), default=None) if all(begins) else None,
        max((end for end in ends if end), default=None) if all(ends) else None,
    )


def _joined(text: str, spans: list[_Span]) -> Iterator[_Span]:
    """Makes one span of a period's two ends or of several dates, with the prepositions before."""
    at = 0
    while at < len(spans):
        span = spans[at]
        at += 1
        if at < len(spans) and (joint := _TO.fullmatch(text, span.end, spans[at].begin)):
            last = spans[at]
            led = _BETWEEN.search(text, 0, span.begin)
            dash = joint[0].strip() in "-–"
            if (led or dash) and _in_order(span.period, last.period):
                begin = led.start() if led else span.begin
                yield _Span(begin, last.end, Period(span.period.begin, last.period.end))
                at += 1
                continue
        while at < len(spans) and _ALSO.fullmatch(text, span.end, spans[at].begin):
            whole = covering([DateMention(0, 0, "", each.period) for each in (span, spans[at])])
            span = span._replace(end=spans[at].end, period=whole or span.period)
            at += 1
        if limit := _LIMIT.search(text, 0, span.begin):
            begin, end = span.period
            periods = ((begin, None), (None, begin), (end, None), (None, end))
            period = Period(*periods[(limit.lastindex or 1) - 1])
            if period != Period(None, None):
                yield _Span(limit.start(), span.end, period)
            continue
        if not (span.sure or _stands_as_year(text, span.begin, span.end)):
            continue
        if lead := _LED.search(text, 0, span.begin):
            outer = _LED.search(text, 0, lead.start())
            article = lead[0].strip().lower() in ("the", "le", "el", "il")
            span = span._replace(begin=outer.start() if outer and article else lead.start())
        yield span


def _in_order(first: Period, last: Period) -> bool:
    return first.begin is not None and last.end is not None and first.begin < last.end


def _stands_as_year(text: str, begin: int, end: int) -> bool:
    """Whether a number from 1900 on stands as a year, which the words around it say."""
    behind = _NEXT.match(text, end)
    if behind and behind[1].lower() not in _BOUNDARY:
        return False
    before = _PREVIOUS.search(text, 0, begin)
    if before is None:
        return True
    return before[1].lower() not in _NO_YEAR_AFTER and not before[1].isdigit()


# -- periods ------------------------------------------------------------------------------------


def _days(first: date, days: int = 1) -> Period:
    begin = datetime(first.year, first.month, first.day)
    return Period(begin, begin + timedelta(days=days))


def _months(year: int, month: int, count: int = 1) -> Period:
    """Whole months; the number of the first may be any, and counts on into other years."""
    first, last = year * 12 + month - 1, year * 12 + month - 1 + count
    return Period(
        datetime(first // 12, first % 12 + 1, 1), datetime(last // 12, last % 12 + 1, 1)
    )


def _feast(name: str, year: int) -> Period:
    if name == "christmas":
        return _days(date(year, 12, 24), 3)
    if name == "eve":
        return Period(datetime(year, 12, 31), datetime(year + 1, 1, 1, 6))
    if name == "halloween":
        return _days(date(year, 10, 31))
    if name == "thanksgiving":  # the fourth Thursday of November, and the weekend
        first = date(year, 11, 1)
        return _days(first + timedelta(days=(3 - first.weekday()) % 7 + 21), 4)
    return _days(_easter(year) - timedelta(days=2), 4)


def _easter(year: int) -> date:
    """Easter Sunday; the algorithm of Butcher's Ecclesiastical Calendar (1876)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    h = (19 * a + b - d - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    i, k = divmod(c, 4)
    weekday = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * weekday) // 451
    month, day = divmod(h + weekday - 7 * m + 114, 31)
    return date(year, month, day + 1)


def _unit(unit: str, today: date, ago: int) -> Period:
    """The day, week, weekend, month or year so many before the one that today is in."""
    monday = today - timedelta(days=today.weekday())
    if unit == "day":
        return _days(today - timedelta(days=ago))
    if unit == "week":
        return _days(monday - timedelta(weeks=ago), 7)
    if unit == "weekend":
        return _days(monday - timedelta(weeks=ago) + timedelta(days=5), 2)
    if unit == "month":
        return _months(today.year, today.month - ago)
    return _months(today.year - ago, 1, 12)


def _latest(of_year: Callable[[int], Period], today: date) -> Period:
    """The latest of a yearly period that is over."""
    this = of_year(today.year)
    over = this.end is not None and this.end.date() <= today
    return this if over else of_year(today.year - 1)


def _yearly(word: str) -> Callable[[int], Period] | None:
    """The period of a season, feast or month in each year."""
    if month := SEASONS.get(word):
        return lambda year: _months(year, month, 3)
    if feast := FEASTS.get(word):
        return lambda year: _feast(feast, year)
    if month := months().get(word):
        return lambda year: _months(year, month)
    return None


# -- rules --------------------------------------------------------------------------------------


def _number(text: str) -> int:
    return int(text) if text.isdigit() else NUMBERS.get(folded(text), 0)


def _iso_day(match: re.Match[str], today: date) -> Period | None:
    return _days(date(int(match[1]), int(match[3]), int(match[4])))


def _numbers(match: re.Match[str], today: date) -> Period | None:
    first, second, year = int(match[1]), int(match[3]), int(match[4])
    if match[2] == "." or first > 12 or first == second:
        return _days(date(year, second, first))
    return _days(date(year, first, second)) if second > 12 else None


def _chinese(match: re.Match[str], today: date) -> Period | None:
    year, month, day = (int(part) if part else 0 for part in match.groups())
    if day:
        return _days(date(year, month, day))
    return _months(year, month) if month in range(1, 13) else None if month else _months(year, 1, 12)


def _day_month_year(match: re.Match[str], today: date) -> Period | None:
    month = months().get(folded(match[2]))
    return _days(date(int(match[3]), month, int(match[1]))) if month else None


def _month_day_year(match: re.Match[str], today: date) -> Period | None:
    month = months().get(folded(match[1]))
    return _days(date(int(match[3]), month, int(match[2]))) if month else None


def _named_year(match: re.Match[str], today: date) -> Period | None:
    yearly = _yearly(folded(match[1]))
    return yearly(int(match[2])) if yearly else None


def _from_to(match: re.Match[str], today: date) -> Period | None:
    """From a month or season to another one of the same year, or of the next one."""
    first, last = _yearly(folded(match[1])), _yearly(folded(match[2]))
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
    return _days(first, (last - first).days + 1) if first < last else None


def _new_year(match: re.Match[str], today: date) -> Period | None:
    begin = datetime(int(match[1]) - 1, 12, 31, 18)
    return Period(begin, datetime(int(match[1]), 1, 2))


def _christmas_day(match: re.Match[str], today: date) -> Period | None:
    return _days(date(int(match[2]), 12, 24 if match[1].lower() == "eve" else 25))


def _eve_year(match: re.Match[str], today: date) -> Period | None:
    return _feast("eve", int(match[1]))


def _iso_month(match: re.Match[str], today: date) -> Period | None:
    return _months(int(match[1]), int(match[2])) if int(match[2]) in range(1, 13) else None


def _last(match: re.Match[str], today: date) -> Period | None:
    """The last week, summer, Friday or Christmas."""
    word = folded(match["of"])
    if word in UNITS and UNITS[word] != "day":
        return None if word in SEVERAL else _unit(UNITS[word], today, 1)
    if word in WEEKDAYS:
        return _days(today - timedelta(days=(today.weekday() - WEEKDAYS[word] - 1) % 7 + 1))
    yearly = _yearly(word)
    ambiguous = word in ("spring", "fall", "march", "may")
    if yearly is None or (ambiguous and _goes_on(match)):
        return None
    return _latest(yearly, today)


def _goes_on(match: re.Match[str]) -> bool:
    behind = _NEXT.match(match.string, match.end())
    return bool(behind and behind[1].lower() not in _BOUNDARY)


def _this(match: re.Match[str], today: date) -> Period | None:
    word = folded(match[1])
    if word in UNITS:
        return _unit(UNITS[word], today, 0)
    hours = {"morning": (0, 12), "afternoon": (12, 18), "evening": (17, 24)}.get(word)
    midnight = datetime(today.year, today.month, today.day)
    if hours:
        return Period(midnight + timedelta(hours=hours[0]), midnight + timedelta(hours=hours[1]))
    if word in SEASONS and not _goes_on(match):
        return _months(today.year, SEASONS[word], 3)
    return None


def _last_night(match: re.Match[str], today: date) -> Period | None:
    midnight = datetime(today.year, today.month, today.day)
    return Period(midnight - timedelta(hours=6), midnight + timedelta(hours=6))


def _last_few(match: re.Match[str], today: date) -> Period | None:
    """The last 30 days, with today."""
    count, unit = _number(match[1]), UNITS.get(folded(match[2]), "")
    if not 0 < count <= 1000 or unit not in ("day", "week", "month", "year"):
        return None
    end = _days(today).end
    if unit in ("day", "week"):
        return Period(_days(today - timedelta(days=count * (7 if unit == "week" else 1))).begin, end)
    first = _months(today.year, today.month - count * (12 if unit == "year" else 1)).begin
    return Period(first, end)


def _ago(match: re.Match[str], today: date) -> Period | None:
    count, unit = _number(match["n"]), UNITS.get(folded(match["unit"]), "")
    return _unit(unit, today, count) if unit and 0 < count <= LONGEST_AGO else None


def _day_word(match: re.Match[str], today: date) -> Period | None:
    if _goes_on(match) and not match["s"]:
        return None
    return _days(today - timedelta(days=int(DAYS_AGO[folded(match[1])])))


def _two_days_ago(match: re.Match[str], today: date) -> Period | None:
    return _days(today - timedelta(days=2))


def _decade(match: re.Match[str], today: date) -> Period | None:
    if _goes_on(match):
        return None
    digits = match[1]
    year = DECADES.get(digits.lower()) or int(digits.rstrip("s'’")[-4:])
    year += 0 if year > 100 else 2000 if year < 20 else 1900
    return _months(year, 1, 120) if year % 10 == 0 and EARLIEST <= year <= today.year else None


def _years(match: re.Match[str], today: date) -> Period | None:
    first, last = int(match[1]), int(match[2])
    return _months(first, 1, 12 * (last - first + 1)) if first < last <= today.year else None


def _bare_year(match: re.Match[str], today: date) -> Period | None:
    year = int(match[1])
    return _months(year, 1, 12) if year <= today.year else None


def _rule(pattern: str, rule: _Rule) -> tuple[re.Pattern[str], _Rule]:
    return re.compile(f"{_BEGIN}(?:{pattern}){_END}", re.IGNORECASE), rule


_RULES = (
    _rule(r"((?:19|20)\d\d)([-/.])(\d{1,2})\2(\d{1,2})", _iso_day),
    _rule(rf"(\d{{1,2}})([-/.])(\d{{1,2}})\2{_YEAR}", _numbers),
    (re.compile(r"(?<!\d)((?:19|20)\d\d)年(?:(\d{1,2})月(?:(\d{1,2})日)?)?"), _chinese),
    _rule(
        rf"(\d{{1,2}})(?:st|nd|rd|th|\.)?\s*(?:-|–|to|and|until|bis|und|au|et|al|y)\s*"
        rf"(\d{{1,2}})(?:st|nd|rd|th|\.)?{_OF}({_WORD}){_OF}{_YEAR}",
        _day_to_day,
    ),
    _rule(rf"(\d{{1,2}})(?:st|nd|rd|th|er|º|°|\.)?{_OF}({_WORD})[.,]?{_OF}{_YEAR}", _day_month_year),
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
    _rule(_YEAR, _bare_year),
)
"""Each form of a date; what an earlier one has read is left alone by the later ones."""
