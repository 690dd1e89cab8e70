"""What the name of a place can mean, in any of its languages: towns, regions, countries."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from itertools import islice
from typing import NamedTuple

import numpy as np

from pixquery.db.records import City, Locality, Meaning, Place, Province
from pixquery.engine.folding import folded
from pixquery.engine.gazetteer import Country, Gazetteer, Region, gazetteer

ALIAS = 0.1
"""How much the inhabitants of a town count if its name in another language was typed: Nis is Niš,
although the Romanian name of the larger Nice is Nisa."""
NEARLY = 0.78
"""How alike names are that may be meant; difflib's ratio, [0, 1]."""
_KNOWN_TOWN = 15_000
"""Inhabitants of the smallest town that is suggested."""


class Known(NamedTuple):
    """A place of a library."""

    name: str
    """As it is shown."""
    meaning: Meaning


class Found(NamedTuple):
    """A place that was asked for by its name."""

    place: Place
    name: str
    """With its region and country."""


def names_of(name: str) -> Meaning:
    """What a name can mean: "Wien", "Bayern", "Italia", "Paris, Texas". Means nothing if unknown.

    A district has no meaning of its own: photos in it are stored under its town.
    """
    return _names_of(gazetteer(), name)


@lru_cache(256)
def _names_of(data: Gazetteer, name: str) -> Meaning:
    first, *rest = _split(name)
    rows = [row for row in _index(data).towns(first) if data.whole[row] == row]
    regions = [] if not first else [r for r in data.regions if r.name and _is(r, first)]
    codes = [c.code for c in data.countries.values() if _is(c, first)]
    return Meaning(
        frozenset(_city(data.locality(row)) for row in rows if _lies(data, row, rest)),
        frozenset(
            Province(region.name, region.code)
            for region in regions
            if all(_is(data.countries.get(region.code), each, abroad=True) for each in rest)
        ),
        frozenset(() if rest else codes),
    )


def position(name: str) -> Found | None:
    """The largest town of a name, in any of its languages: "Vienna", "Wien", "Springfield, IL".

    Regions and countries have no position. After a comma, a region or country narrows it down.
    """
    data = gazetteer()
    first, *rest = _split(name)
    rows = [row for row in _index(data).towns(first) if _lies(data, row, rest)]
    if not rows:
        return None

    def size(row: int) -> float:
        return float(data.people[row]) * (1 if folded(data.names[row]) == first else ALIAS)

    row = max(rows, key=size)
    place = data.locality(row)
    parts = dict.fromkeys(part for part in (place.city, place.region, place.country) if part)
    return Found(data.place(row), ", ".join(parts))


def similar(name: str, most: int = 3) -> list[str]:
    """Names of known towns, regions and countries that are spelt nearly like this one."""
    import difflib  # takes milliseconds, and most queries need none of it

    data = gazetteer()
    wanted = _split(name)[0]
    sized = np.flatnonzero(data.people >= _KNOWN_TOWN)
    names = [data.names[row] for row in sized[np.argsort(-data.people[sized])].tolist()]
    names += [country.name for country in data.countries.values()]
    names += [region.name for region in data.regions if region.name]
    likely = {
        folded(each): each
        for each in reversed(names)
        if abs(len(each) - len(wanted)) <= 2 and each[:1].casefold() == wanted[:1]
    }
    return [likely[each] for each in difflib.get_close_matches(wanted, likely, most, NEARLY)]


def known_as(counts: Mapping[Locality, int]) -> dict[str, Known]:
    """Every name, folded, that the places of a library have in any language.

    Args:
        counts: The localities of the library's photos, and how many photos each has.
    """
    data = gazetteer()
    meant: dict[str, Meaning] = defaultdict(Meaning)
    shown: dict[str, tuple[bool, int, str]] = {}

    def add(name: str, aliases: Iterable[str], meaning: Meaning, photos: int) -> None:
        for alias in {folded(name), *aliases}:
            meant[alias] |= meaning
            best = shown.get(alias, (False, -1, ""))
            shown[alias] = max(best, (bool(meaning.cities), photos, name))

    regions, countries = defaultdict[Province, int](int), defaultdict[str, int](int)
    for locality, photos in counts.items():
        regions[Province(locality.region, locality.code)] += photos
        countries[locality.code] += photos
    for code, photos in countries.items():
        if country := data.countries.get(code):
            add(country.name, country.aliases, Meaning(codes=frozenset({code})), photos)
    for region in data.regions:
        key = Province(region.name, region.code)
        if region.name and key in regions:
            aliases = (alias for alias in region.aliases if not alias.startswith("="))
            add(region.name, aliases, Meaning(regions=frozenset({key})), regions[key])
    wanted = {locality.city for locality in counts if locality.city}
    for row, name in enumerate(data.names.text.decode().split("\n")):
        if name in wanted and data.whole[row] == row:
            locality = data.locality(row)
            if photos := counts.get(locality, 0):
                add(name, filter(None, data.aliases[row].split("\t")),
                    Meaning(cities=frozenset({_city(locality)})), photos)  # fmt: skip
    meant.pop("", None)
    return {name: Known(shown[name][2], meaning) for name, meaning in meant.items()}


def dumped(known: Mapping[str, Known]) -> str:
    """The names of a library's places as text, to be kept until its places change.

    The first line has all names, between tabulators, the second one what they mean as JSON: the
    name that is shown, cities, regions, codes, and how many of the names mean this.
    """
    groups: dict[Known, list[str]] = defaultdict(list)
    for name, place in known.items():
        groups[place].append(name)
    meant = [
        [name, sorted(place.cities), sorted(place.regions), sorted(place.codes), len(names)]
        for (name, place), names in groups.items()
    ]
    names = "\t".join(name for each in groups.values() for name in each)
    return f"{names}\n{json.dumps(meant, ensure_ascii=False, separators=(',', ':'))}"


def loaded(text: str) -> dict[str, Known]:
    """What `dumped` wrote."""
    line, _, meant = text.partition("\n")
    names = iter(line.split("\t"))
    known = {}
    for name, cities, regions, codes, count in json.loads(meant):
        meaning = Meaning(
            frozenset(City(*each) for each in cities),
            frozenset(Province(*each) for each in regions),
            frozenset(codes),
        )
        known.update(dict.fromkeys(islice(names, count), Known(name, meaning)))
    return known


def lookup(text: str) -> Callable[[str], Known | None]:
    """The same as ``loaded(text).get``, for a few names: it takes one of them to read it all."""
    names = frozenset(text.partition("\n")[0].split("\t"))
    known: dict[str, Known] = {}

    def look(name: str) -> Known | None:
        if name in names and not known:
            known.update(loaded(text))
        return known.get(name)

    return look


def _split(name: str) -> list[str]:
    """The folded parts of a name with commas; at least one."""
    return [folded(part) for part in name.split(",") if part.strip()] or [""]


def _city(locality: Locality) -> City:
    return City(locality.city, locality.region, locality.code)


def _is(place: Region | Country | None, name: str, *, abroad: bool = False) -> bool:
    """Whether a folded name is a place's; behind a comma, an abbreviation is one, too."""
    if place is None:
        return False
    short = abroad and (f"={name}" in place.aliases or name == place.code.lower())
    return name in place.aliases or short or name == folded(place.name)


def _lies(data: Gazetteer, row: int, rest: Iterable[str]) -> bool:
    """Whether a town lies in all of these regions and countries, folded."""
    region = data.regions[data.region_of[row]]
    country = data.countries.get(region.code)
    return all(
        (_is(region, each) or f"={each}" in region.aliases) or _is(country, each, abroad=True)
        for each in rest
    )


class _Index:
    """Finds towns by a folded name, by looking through all names: it takes milliseconds."""

    def __init__(self, data: Gazetteer) -> None:
        plain = data.names.text.decode().lower().encode()
        self._names = b"\n" + plain + b"\n"
        self._aliases = b"\n\t" + data.aliases.text.replace(b"\n", b"\t\n\t") + b"\t\n"
        self._name_ends = _newlines(self._names)
        self._alias_ends = _newlines(self._aliases)

    def towns(self, name: str) -> list[int]:
        """The rows of all towns of a name."""
        if not name:
            return []
        word = name.encode()
        rows = _rows(self._names, b"\n" + word + b"\n", self._name_ends)
        return sorted(rows | _rows(self._aliases, b"\t" + word + b"\t", self._alias_ends))


def _newlines(text: bytes) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n"))


def _rows(
    text: bytes, pattern: bytes, ends: "np.ndarray[tuple[int], np.dtype[np.int64]]"
) -> set[int]:
    """The rows of the lines in which a pattern stands."""
    offsets = []
    at = text.find(pattern)
    while at >= 0:
        offsets.append(at)
        at = text.find(pattern, at + 1)
    return set((np.searchsorted(ends, offsets, "right") - 1).tolist())


@cache
def _index(data: Gazetteer) -> _Index:
    return _Index(data)
