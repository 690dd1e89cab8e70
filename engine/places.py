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
from collections.abc import Callable
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
    "rooftops suburbs riverside reise urlaub".split()
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
    quoted: bool


def mentions(text: str, known: Callable[[str], Known | None]) -> list[Mention]:
    """The places of the library that a query names, in the order of the query.

    Args:
        text: The query.
        known: The place of a folded name, if the library has photos of one: such as
            ``known_as(...).get``.
    """
    quotes = [match.span() for match in QUOTED.finditer(text)]
    words = [
        _Word(match[0], *match.span(), any(b <= match.start() < e for b, e in quotes))
        for match in _TOKEN.finditer(text)
    ]
    found: list[Mention] = []
    at = 0
    while at < len(words):
        for end in range(min(at + _LONGEST, len(words)), at, -1):
            begin, stop = words[at].begin, words[end - 1].end
            if not all(
                _GAP.fullmatch(text, left.end, right.begin)
                for left, right in zip(words[at:end], words[at + 1 : end], strict=False)
            ):
                continue
            name = folded(text[begin:stop])
            place = known(name) if _may_be_name(name) else None
            if place is not None:
                if _is_place(text, words, at, end, name):
                    found.append(Mention(begin, stop, text[begin:stop], *place))
                at = end
                break
        else:
            at += 1
    return _narrowed(text, found)


def _may_be_name(name: str) -> bool:
    """Whether a folded text is long enough; two letters of others than the Latin script are."""
    return len(name.replace(" ", "")) > 2 or name in _SHORT or (bool(name) and not name.isascii())


def _is_place(text: str, words: list[_Word], at: int, end: int, name: str) -> bool:
    """Whether the words from ``at`` to ``end``, which are a known name, stand as a place."""
    if any(word.quoted for word in words[at:end]):
        return False
    if words[at].text.isupper() and len(name) < 5 and name not in _SHORT:
        return False
    before = _joined(text, words, at - 1)
    after = _joined(text, words, end - 1, behind=True)
    if after in _THINGS:
        return False
    ends = not after or after in _BOUNDARY or after[0].isdigit()
    earlier = _joined(text, words, at - 2) if before else ""
    if before in _DENYING or earlier in _DENYING:
        return False
    led = before in _PREPOSITIONS or (before == "of" and earlier in _PHOTOS)
    if name in _GIVEN:
        alone = not before and (not after or after[0].isdigit()) and name in _RATHER_PLACES
        return alone or (ends and (before in _AT or (led and earlier in _PHOTOS)))
    if _is_common(name):
        if not led:
            return False
        several = " " in name and name.partition(" ")[0] not in _BEFORE_NAMES
        return _stands_out(words, at, end) or (ends and (several or name in _COUNTRIES))
    if led:
        return True
    if before == "of" or (before in _BEFORE_NAMES and before not in ("my", "our")):
        return False
    return ends or after in _SIGHTS


def _joined(text: str, words: list[_Word], at: int, *, behind: bool = False) -> str:
    """A word before or behind a name in lower case; nothing if a punctuation mark parts them."""
    if behind:
        if at + 1 >= len(words) or text[words[at].end : words[at + 1].begin].strip():
            return ""
        return words[at + 1].text.lower()
    if at < 0 or text[words[at].end : words[at + 1].begin].strip():
        return ""
    return words[at].text.lower()


def _stands_out(words: list[_Word], at: int, end: int) -> bool:
    """Whether a name has a capital letter that other words in its place would not have."""
    others = [word.text for word in (*words[1:at], *words[end:]) if len(word.text) > 3]
    return (
        at > 0
        and words[at].text[:1].isupper()
        and not (others and all(word[:1].isupper() for word in others))
        and not (words[0].text.isupper() and len(words[0].text) > 1)
    )


def _is_common(name: str) -> bool:
    """Whether all words of a folded name are everyday words: "nice", "the river", "long beach"."""
    return all(word in _common() or word in _BEFORE_NAMES for word in name.split())


@cache
def _common() -> frozenset[str]:
    lines = WORDS.read_text("utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


def _narrowed(text: str, found: list[Mention]) -> list[Mention]:
    """Joins a town and the region or country behind it: "Paris, Texas"."""
    joined: list[Mention] = []
    for mention in found:
        if joined and text[joined[-1].end : mention.begin].strip() == ",":
            town = joined[-1]
            if meaning := town.meaning.within(mention.meaning):
                words = text[town.begin : mention.end]
                joined[-1] = Mention(town.begin, mention.end, words, town.name, meaning)
                continue
        joined.append(mention)
    return joined
