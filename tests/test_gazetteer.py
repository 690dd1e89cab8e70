"""Names of positions: known places, the nearest town against brute force, odd positions."""

import subprocess
import sys
import time
from hashlib import sha256

import numpy as np
import pytest

from pixquery.db.records import Locality
from pixquery.engine.folding import folded
from pixquery.engine.gazetteer import FARTHEST, FILE, directions, gazetteer, localities
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
     ("서울", "서울"), ("Αθήνα", "αθηνα"), ("İzmir", "izmir"), ("  New   York ", "new york"), ("", "")],
)  # fmt: skip
def test_names_are_compared_without_accents(name: str, plain: str) -> None:
    assert folded(name) == plain
    assert folded(plain) == plain
