"""Words of a query that are a filter: dates, and places of the library.

"beach in Portugal, summer 2019" looks for a beach among the photos that were taken there and then.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from pixquery.db.records import Meaning, Period
from pixquery.engine.answers import Answer, Recognised
from pixquery.engine.date_hint import may_name_date
from pixquery.engine.query import Query

if TYPE_CHECKING:  # most queries name no date, and most libraries no place
    from pixquery.engine.place_names import Known


class _Span(NamedTuple):
    begin: int
    end: int
    recognised: Recognised
    filter: Period | Meaning


_LEADING = re.compile(
    r"(?:^|\s)(?:(?:in|at|from|near|around|to|via|of|on|during|bei|nach|aus|von|en|à|de)\s+)$",
    re.IGNORECASE,
)
"""A preposition that leads to words that are taken out."""


def recognise(
    query: Query, places: Callable[[], "Mapping[str, Known]"], today: date
) -> tuple[Query, tuple[Recognised, ...]]:
    """A query with a filter in place of the words that are one, and those words.

    A filter that the user set is left alone, and so is a query to be taken word for word.

    Args:
        query: As it was typed.
        places: Gets the names of places of the library.
        today: For "yesterday" and the like.
    """
    if query.exact or not query.text.strip():
        return query, ()
    spans = list(_spans(query, places, today))
    if not spans:
        return query, ()
    periods = [span.filter for span in spans if isinstance(span.filter, Period)]
    meanings = tuple(span.filter for span in spans if isinstance(span.filter, Meaning))
    where = replace(
        query.where,
        taken=_joined(periods) if periods else query.where.taken,
        places=(*query.where.places, *meanings),
    )
    rest = _without(query.text, spans)
    least = query.min_relevance if rest else 0.0  # there is nothing left to judge photos by
    asked = replace(query, text=rest, where=where, min_relevance=least)
    return asked, tuple(span.recognised for span in spans)


def with_hint(answer: Answer, recognised: tuple[Recognised, ...]) -> Answer:
    """An answer in which words are words, as no photo matches the filter that they could be."""
    words = " and ".join(f'"{each.words}"' for each in recognised)
    hint = f"no photo matches {words} as a date or place, so it was searched as words"
    return replace(answer, hints=(*answer.hints, hint))


def _spans(
    query: Query, places: Callable[[], "Mapping[str, Known]"], today: date
) -> Iterator[_Span]:
    """The words that are a filter, in their order."""
    text, kept = query.text, {phrase.casefold() for phrase in query.literal}
    found: list[_Span] = []
    if query.where.taken is None and may_name_date(text):
        from pixquery.engine.dates import dates

        for when in dates(text, today):
            recognised = Recognised("taken", when.words, written(when.period))
            found.append(_Span(when.begin, when.end, recognised, when.period))
    if query.where.near is None and not query.where.places and (names := places()):
        from pixquery.engine.places import mentions

        for place in mentions(text, names.get):
            if not any(span.begin < place.end and place.begin < span.end for span in found):
                recognised = Recognised("place", place.words, place.name)
                found.append(_Span(place.begin, place.end, recognised, place.meaning))
    return iter(sorted(span for span in found if span.recognised.words.casefold() not in kept))


def _joined(periods: list[Period]) -> Period:
    """From the first to the last."""
    begins, ends = zip(*periods, strict=True)
    return Period(
        None if None in begins else min(filter(None, begins)),
        None if None in ends else max(filter(None, ends)),
    )


def _without(text: str, spans: list[_Span]) -> str:
    """A text without some of its words, and without the prepositions that lead to them."""
    rest, at = "", 0
    for span in spans:
        part = text[at : span.begin]
        lead = _LEADING.search(part)
        rest += part[: lead.start()] if lead else part
        rest += " "
        at = span.end
    return " ".join((rest + text[at:]).split()).strip(" ,;:-")


def written(period: Period) -> str:
    """A period as ``engine.wording.period`` reads it, in days."""
    begin = period.begin.date().isoformat() if period.begin else ""
    end = (period.end - timedelta(microseconds=1)).date().isoformat() if period.end else ""
    return begin if begin == end else f"{begin}..{end}"
