"""Finds the words of a query that name a place of the library, such as "beach in Portugal".

A filter that was not meant hides photos, a place that was not recognised only ranks them less well.
So words stay words unless their surroundings say that they are a place:

- after a preposition such as "in", "from" or "near": "sunset in vienna";
- as all that was typed, or at the end of a part: "lisbon", "eiffel tower, paris", "london 2023";
- before a word for a journey or a sight: "tokyo street", "rome holiday".

A name that is also a word of everyday English, such as Nice, Reading or Split, has to follow a
preposition and to have a capital letter that the sentence does not ask for. Names that people have,
such as Charlotte, have to follow a preposition of place. What stands in quotes is never a place.
"""
# ruff: noqa: RUF001, SIM905 - apostrophes; words that are easier to read as one text

import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pixquery.db.records import Meaning
from pixquery.engine.folding import QUOTED, folded
from pixquery.engine.place_names import Known

WORDS = Path(__file__).parent / "place-words.txt"
"""Words of everyday English that are names of places, too."""

_LONGEST = 5
"""Words of a name."""
_TOKEN = re.compile(r"\w+(?:['’]\w+)*")
_GAP = re.compile(r"[ \-–]|\. ")
"""What stands between the words of a name."""
_WITHIN = ("", ",", "/")
"""What stands between a town and its region or country: "Paris, Texas", "lima peru"."""
_AND = re.compile(r"\s*(?:,|and|or|&|\+|/|und|oder|et|ou|y|e|o)\s+(?:in\s+)?", re.IGNORECASE)
_AT = frozenset(
    "in near around outside inside visiting through across bei nach en au aux à em uit naar".split()
)
"""Prepositions that only places follow, of those that people and places follow."""
_PREPOSITIONS = _AT | frozenset("at from to via leaving aus von depuis desde da hacia".split())
_PHOTOS = frozenset("photo photos picture pictures pic pics image images shots trip visit".split())
_BEFORE_NAMES = frozenset(
    "a an the this that these those my your his her our their some any no every each another "
    "two three four five six called named like ein eine der die das une un le la les una el il "
    "lo".split()
)
"""What the name of a thing follows, or of a person."""
_BOUNDARY = frozenset(
    "in at on by from to near with without and or for during after before while around last this "
    "next yesterday today tonight when since until between im am mit und et avec con y e".split()
)
"""What a name of a place ends before."""
_DENYING = frozenset(
    "not no except excluding without but ohne nicht pas sauf sin senza non".split()
)
"""What says that another place is meant."""
_SIGHTS = frozenset(
    "trip holiday holidays vacation vacations weekend honeymoon visit tour travel travels beach "
    "street streets night nights skyline airport hotel harbour harbor port downtown zoo wedding "
    "sunset sunrise park cathedral opera castle museum station metro subway canal canals river "
    "coast countryside photos photo pictures pics marathon christmas winter summer spring autumn "
    "streetlights old town city centre center view views mountains hills lakes islands rooftops "
    "suburbs riverside reise urlaub".split()
)
_THINGS = frozenset(
    "sprouts beans cup cups plate plates sausage sausages cheesecake pizza terrier pie hat hats "
    "sandwich style wall flag shirt shirts map vase bowl bowls silk tea coffee steak".split()
)
"""What is called after places."""
_COUNTRIES = frozenset(
    "turkey china guinea chile lima java cologne panama cuba brussels hamburg bordeaux canton "
    "champagne burgundy manila phoenix".split()
)
"""Common words that name a place after a preposition in lower case as well: "cats in turkey"."""
_GIVEN = frozenset(
    "charlotte florence austin sydney jordan georgia chelsea victoria madison savannah "
    "brooklyn lincoln jackson houston dallas nancy lourdes carmel adelaide alexandria helena "
    "jefferson lafayette santiago diego francisco jose maria sofia chester kent devon clay "
    "troy logan eugene tyler denver camilla regina virginia carolina lucia martin asia india "
    "chad israel milan siena sienna verona alice alma ada elizabeth irma marion jasper dayton "
    "preston carson clinton lorena valencia catania antonia isabella olivia teresa rosa paola "
    "laura anna eva lara linda marina monica gloria aurora diana flora grace hope faith joy "
    "dale glen craig douglas melbourne stanley bradford stafford warwick wayne bruno felix "
    "leon oscar hugo max albert arthur henry george andrea angelo salvador san antonio "
    "christian kingston sandy shelby avery reno rio".split()
)
"""Names that people have."""
_RATHER_PLACES = frozenset({"sydney", "florence", "india", "milan", "melbourne", "israel", "siena"})
"""Those of them that are places if nothing else was typed."""


_SHORT = frozenset({"nyc", "uk", "usa", "uae"})
"""Abbreviations of places; others, such as SUV, are those of things."""


class Mention(NamedTuple):
    """Words of a query that name a place."""

    begin: int
    """Where they begin in the query."""
    end: int
    words: str
    name: str
    """As the place is shown."""
    meaning: Meaning


class _Word(NamedTuple):
    """A word of the query, and what stands around it."""

    text: str
    begin: int
    end: int
    apart: bool
    """It is in quotes, or part of something else that was recognised."""


def mentions(
    text: str, known: Callable[[str], Known | None], taken: Iterable[tuple[int, int]] = ()
) -> list[Mention]:
    """The places of the library that a query names, in the order of the query.

    Args:
        text: The query.
        known: The place of a folded name, if the library has photos of one: such as
            ``known_as(...).get``.
        taken: Where words begin and end that were recognised as something else, such as a date:
            they name no place, and a place may stand before or behind them.
    """
    query = _Query(text, known, taken)
    found: list[Mention] = []
    at = 0
    while at < len(query.words):
        end, place = query.name_at(at)
        if place is None:
            at += 1
            continue
        begin, stop = query.words[at].begin, query.words[end - 1].end
        wider_end, wider = query.name_at(end)
        gap = text[stop : query.words[end].begin].strip() if wider else "none"
        if wider and gap in _WITHIN and (meaning := place.meaning.within(wider.meaning)):
            end, stop = wider_end, query.words[wider_end - 1].end
            found.append(Mention(begin, stop, text[begin:stop], place.name, meaning))
        elif query.is_place(at, end, bool(found and _AND.fullmatch(text, found[-1].end, begin))):
            found.append(Mention(begin, stop, text[begin:stop], *place))
        at = end
    return found


class _Query:
    """The words of a query, and which of them stand as a place."""

    def __init__(
        self,
        text: str,
        known: Callable[[str], Known | None],
        taken: Iterable[tuple[int, int]],
    ) -> None:
        parts = [*taken, *(match.span() for match in QUOTED.finditer(text))]
        self._text = text
        self._known = known
        self.words = [
            _Word(match[0], *match.span(), any(b <= match.start() < e for b, e in parts))
            for match in _TOKEN.finditer(text)
        ]

    def name_at(self, at: int) -> tuple[int, Known | None]:
        """The longest known name that begins with a word, and the word behind it."""
        stop = at
        while stop < min(at + _LONGEST, len(self.words)) and not self.words[stop].apart:
            stop += 1
            if stop < len(self.words) and not _GAP.fullmatch(
                self._text, self.words[stop - 1].end, self.words[stop].begin
            ):
                break
        for end in range(stop, at, -1):
            name = self._name(at, end)
            if _may_be_name(name) and (place := self._known(name)):
                return end, place
        return at, None

    def is_place(self, at: int, end: int, linked: bool) -> bool:
        """Whether the words from ``at`` to ``end``, which are a known name, stand as a place.

        Args:
            at: The first word of the name.
            end: The word behind the last.
            linked: Whether another place stands before it, with "and".
        """
        name, words = self._name(at, end), self.words
        if words[at].text.isupper() and len(name) < 5 and name not in _SHORT:
            return False
        before, after = self._before(at), self._behind(end)
        earlier = self._before(at - 1) if before else ""
        if after in _THINGS or before in _DENYING or earlier in _DENYING:
            return False
        ends = not after or after in _BOUNDARY or after[0].isdigit()
        seen = before == "of" and (earlier in _PHOTOS or earlier in _SIGHTS)
        led = before in _PREPOSITIONS or seen or linked
        if name in _GIVEN:
            alone = not before and (not after or after[0].isdigit()) and name in _RATHER_PLACES
            local = before in _AT or linked or (led and earlier in _PHOTOS)
            return alone or (ends and local)
        if _is_common(name):
            several = " " in name and name.partition(" ")[0] not in _BEFORE_NAMES
            clear = ends and (several or name in _COUNTRIES)
            return led and (self._stands_out(at, end) or clear)
        if led:
            return True
        if before == "of" or (before in _BEFORE_NAMES and before not in ("my", "our")):
            return False
        return ends or after in _SIGHTS

    def _name(self, at: int, end: int) -> str:
        return folded(self._text[self.words[at].begin : self.words[end - 1].end])

    def _before(self, at: int) -> str:
        """The word before one, in lower case; nothing if it does not belong to it."""
        return self.words[at - 1].text.lower() if at > 0 and self._belong(at) else ""

    def _behind(self, end: int) -> str:
        return self.words[end].text.lower() if end < len(self.words) and self._belong(end) else ""

    def _belong(self, at: int) -> bool:
        """Whether a word and the one before are parts of one text without a punctuation mark."""
        left, right = self.words[at - 1], self.words[at]
        return not (left.apart or right.apart or self._text[left.end : right.begin].strip())

    def _stands_out(self, at: int, end: int) -> bool:
        """Whether a name has a capital letter that other words in its place would not have."""
        words = self.words
        others = [word.text for word in (*words[1:at], *words[end:]) if len(word.text) > 3]
        return (
            at > 0
            and words[at].text[:1].isupper()
            and not (others and all(word[:1].isupper() for word in others))
            and not (words[0].text.isupper() and len(words[0].text) > 1)
        )


def _may_be_name(name: str) -> bool:
    """Whether a folded text is long enough; two letters of others than the Latin script are."""
    return len(name.replace(" ", "")) > 2 or name in _SHORT or (bool(name) and not name.isascii())


def _is_common(name: str) -> bool:
    """Whether all words of a folded name are everyday words: "nice", "the river", "long beach"."""
    return all(word in _common() or word in _BEFORE_NAMES for word in name.split())


@cache
def _common() -> frozenset[str]:
    lines = WORDS.read_text("utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))
