"""Finds dates in the words of a query: "summer 2019", "last week", "14. Juli 2023".

A filter that was not meant hides photos, a date that was not recognised only ranks them less well:
so words stay words when in doubt.

- A year stands for itself at the end of a part of the query or before a preposition: "lisbon
  2023", not "a 2021 bottle of wine". It is one from 1900 to this one.
- Seasons are those of the north, in whole months: summer is June to August, and "winter 2020"
  begins in December 2020. Weeks begin on Monday. "Three years ago" is all of that year.
- Christmas is 24 to 26 December, Easter is Good Friday to Easter Monday, and New Year's Eve ends at
  six in the morning. Without a year or "last" they are words: no period holds them all.
- In 7/14/2023 the 14 can only be a day, 7/4/2023 may be either and stays words; with dots, as in
  4.7.2023, the day comes first.

Months are read in all languages, other words in English, German, French, Spanish and Italian.
"""
# ruff: noqa: RUF001, SIM905 - apostrophes and dashes; words that are easier to read as one text

import re
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from pixquery.db.records import Period
from pixquery.engine.date_forms import bare_year, follows, rules
from pixquery.engine.date_hint import may_name_date
from pixquery.engine.folding import QUOTED


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


_LED = re.compile(
    r"\b(?:(?:in|on|at|from|during|of|im|am|vom|an|zu|en|au|aux|à|de|nel|the|le|el|il|i|in the|"
    r"on the|from the|during the|of the|en el|dans le)\s+)$",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    r"\b(?:(since|seit|depuis|desde)|(before|vor|avant|antes de)|"
    r"(after|nach|après|después de|dopo)|(until|till|up to|bis|jusqu['’]en|hasta|fino al?))"
    r"\s+(?:the\s+)?$",
    re.IGNORECASE,
)
_BETWEEN = re.compile(
    r"\b(?:between|zwischen|entre|tra|from|von|de|dal)\s+(?:the\s+)?$", re.IGNORECASE
)
_TO = re.compile(r"\s+(?:and|to|until|till|und|bis|et|à|y|a|e|al)\s+|\s*[-–]\s*", re.IGNORECASE)
_DENIED = re.compile(
    r"\b(?:not|no|except|excluding|without|never|but|than|over|nicht|ohne|pas|sauf|sin|non|senza|or|"
    r"oder|ou)\s+(?:\w+\s+)?$",
    re.IGNORECASE,
)
"""Before a date, says that it is another one, or less than exactly this one."""
_ALSO = re.compile(r"\s*(?:,|and|or|&|und|oder|et|ou|y|e|o)\s+", re.IGNORECASE)
_PREVIOUS = re.compile(r"([\w'’]+)\.?[ \t]+$")
_NO_YEAR_AFTER = frozenset(
    "a an the this that these those my your his her our their of no number nr room route flight "
    "model windows iphone galaxy version bmw audi boeing airbus porsche mercedes peugeot highway "
    "apartment house bus train line page euro euros dollars office pavilion series type mark size "
    "is space odyssey population le la el il der die das ein eine".split()
)
"""Words before a number that is hardly a year."""


def dates(text: str, today: date) -> list[DateMention]:
    """The dates that a query names, in the order of the query; by the camera's clock."""
    if not may_name_date(text):
        return []
    taken = [match.span() for match in QUOTED.finditer(text)]
    spans: list[_Span] = []
    for pattern, rule in rules():
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
                spans.append(_Span(begin, end, period, sure=rule is not bare_year))
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
            first, after = span.period
            periods = ((first, None), (None, first), (after, None), (None, after))
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
    if follows(text, end):
        return False
    before = _PREVIOUS.search(text, 0, begin)
    if before is None:
        return True
    return before[1].lower() not in _NO_YEAR_AFTER and not before[1].isdigit()
