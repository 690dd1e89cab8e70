"""Words of a query that are a filter: dates, and places of the library.

"beach in Portugal, summer 2019" looks for a beach among the photos that were taken there and then.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Protocol

from pixquery.db.records import Period
from pixquery.engine.answers import Answer, Recognised
from pixquery.engine.date_hint import may_name_date
from pixquery.engine.query import Query

if TYPE_CHECKING:  # most queries name no date, and most libraries no place
    from pixquery.engine.dates import DateMention
    from pixquery.engine.place_names import Known
    from pixquery.engine.places import Mention


class Places(Protocol):
    """The places of a library; see :class:`pixquery.engine.known_places.KnownPlaces`."""

    @property
    def lookup(self) -> "Callable[[str], Known | None] | None":
        """The place that a folded name means; none if there are no places."""
        ...


_LEADING = re.compile(
    r"(?:^|\s)(?:(?:in|at|from|near|around|to|via|of|on|during|bei|nach|aus|von|en|à|de)\s+)$",
    re.IGNORECASE,
)
"""A preposition that leads to words that are taken out."""


def recognise(
    query: Query, places: Places, today: Callable[[], date] = date.today
) -> tuple[Query, tuple[Recognised, ...]]:
    """A query with a filter in place of the words that are one, and those words.

    A filter that the user set is left alone, and so is a query to be taken word for word.

    Args:
        query: As it was typed.
        places: Those of the library.
        today: For "yesterday" and the like.
    """
    if query.exact or not query.text.strip():
        return query, ()
    literal = {phrase.casefold() for phrase in query.literal}
    when = [each for each in _dates(query, today) if each.words.casefold() not in literal]
    where = [each for each in _places(query, places, when) if each.words.casefold() not in literal]
    if not (when or where):
        return query, ()
    recognised = [
        *((each.begin, Recognised("taken", each.words, in_days(each.period))) for each in when),
        *((each.begin, Recognised("place", each.words, each.name)) for each in where),
    ]
    taken, meanings = query.where.taken, query.where.places
    if when:
        from pixquery.engine.dates import covering

        taken = covering(when)
    filter_ = replace(
        query.where, taken=taken, places=(*meanings, *(each.meaning for each in where))
    )
    spans = sorted([(each.begin, each.end) for each in when] + [(m.begin, m.end) for m in where])
    rest = _without(query.text, spans)
    least = query.min_relevance if rest else 0.0  # there is nothing left to judge photos by
    asked = replace(query, text=rest, where=filter_, min_relevance=least)
    return asked, tuple(each for _, each in sorted(recognised, key=lambda pair: pair[0]))


def _dates(query: Query, today: Callable[[], date]) -> "Sequence[DateMention]":
    if query.where.taken is not None or not may_name_date(query.text):
        return ()
    from pixquery.engine.dates import dates

    return dates(query.text, today())


def _places(query: Query, places: Places, when: "Sequence[DateMention]") -> "Sequence[Mention]":
    if query.where.near is not None or query.where.places or (find := places.lookup) is None:
        return ()
    from pixquery.engine.places import mentions

    return mentions(query.text, find, [(each.begin, each.end) for each in when])


def with_hint(answer: Answer, recognised: tuple[Recognised, ...]) -> Answer:
    """An answer in which words are words, as no photo matches the filter that they could be."""
    words = " and ".join(f'"{each.words}"' for each in recognised)
    hint = f"no photo matches {words} as a date or place, so it was searched as words"
    return replace(answer, hints=(*answer.hints, hint))


def _without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """A text without some of its words, and without the prepositions that lead to them."""
    rest, at = "", 0
    for begin, end in spans:
        part = text[at:begin]
        lead = _LEADING.search(part)
        rest += part[: lead.start()] if lead else part
        rest += " "
        at = end
    return " ".join((rest + text[at:]).split()).strip(" ,;:-")


def in_days(period: Period) -> str:
    """A period as ``engine.wording.period`` reads it, in days."""
    begin = period.begin.date().isoformat() if period.begin else ""
    end = (period.end - timedelta(microseconds=1)).date().isoformat() if period.end else ""
    return begin if begin == end else f"{begin}..{end}"
