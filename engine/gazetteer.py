"""Names the places of coordinates, offline: the nearest town, its region and its country.

The towns are those of GeoNames with 500 inhabitants or more (https://geonames.org, CC BY 4.0), as
``trainer/gazetteer_file.py`` writes them. A place that is part of a much larger town, such as a
district, stands for that town. The file is read when the first name is needed.
"""

from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pixquery.db.records import Locality, Place

FILE = Path(__file__).parent / "gazetteer.zip"
PRECISION = 0.001
"""Degrees between two positions that can be told apart: 100 metres."""
PEOPLE = 12
"""Inhabitants are stored as so many times their decimal logarithm."""
FARTHEST = 100.0
"""Kilometres to the nearest town, at most, for a place to be named after it."""

_NEAR = 25.0
"""Kilometres within which the nearest town is looked for first."""
_EARTH = 6371.0088
"""The earth's mean radius in kilometres."""
_AT_ONCE = 20_000
"""Positions whose distances are computed together, to bound the memory."""

Numbers = NDArray[np.float64]


class Country(NamedTuple):
    """A country or territory."""

    code: str
    """ISO 3166-1, two letters."""
    name: str
    """In English."""
    aliases: frozenset[str]
    """Its other names, folded."""


class Region(NamedTuple):
    """A state, province or the like."""

    code: str
    """Its country's."""
    name: str
    """In English; empty if it is unknown."""
    aliases: frozenset[str]
    """Its other names, folded; an abbreviation begins with =."""


def directions(latitudes: Numbers, longitudes: Numbers) -> Numbers:
    """Unit vectors float64[n, 3] from the earth's centre to positions in degrees."""
    north, east = np.radians(latitudes), np.radians(longitudes)
    across = np.cos(north)
    units = np.stack([across * np.cos(east), across * np.sin(east), np.sin(north)], axis=-1)
    return np.asarray(units, np.float64)


class Lines:
    """Lines of a text, in UTF-8; each is decoded when it is needed."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n"))
        self._ends = np.append(ends, len(text))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, row: int) -> str:
        begin = int(self._ends[row - 1]) + 1 if row else 0
        return self.text[begin : int(self._ends[row])].decode()


class Gazetteer:
    """The towns of the world, t of them."""

    def __init__(self, file: Path = FILE) -> None:
        self._file = file

    def member(self, name: str) -> bytes:
        """A part of the file, decompressed."""
        import zipfile  # takes milliseconds, and most queries need none of it

        with zipfile.ZipFile(self._file) as archive:
            return archive.read(name)

    @cached_property
    def version(self) -> str:
        """A digest of the data: names stored with another one are stale."""
        return self.member("version").decode()

    @cached_property
    def positions(self) -> Numbers:
        """float64[t, 2], degrees north and east."""
        steps = self._numbers("points", np.int32).reshape(2, -1)
        return np.asarray(np.cumsum(steps, axis=1, dtype=np.int64).T * PRECISION, np.float64)

    @cached_property
    def names(self) -> "Lines":
        """The English or most usual name of each town."""
        return Lines(self.member("names"))

    @cached_property
    def aliases(self) -> "Lines":
        """The other names of each town, folded, between tabulators; empty for small towns."""
        return Lines(self.member("aliases"))

    @cached_property
    def people(self) -> Numbers:
        """float64[t], the inhabitants of each town, within 10 percent."""
        stored = np.frombuffer(self.member("people"), np.uint8)
        return np.asarray(10 ** (stored / PEOPLE) - 1, np.float64)

    @cached_property
    def whole(self) -> NDArray[np.int64]:
        """int64[t], the town that each is a part of: its own row for most."""
        steps = self._numbers("part", np.int32)
        return steps.astype(np.int64) + np.arange(len(steps))

    @cached_property
    def region_of(self) -> NDArray[np.uint16]:
        """uint16[t], the row in `regions` of each town."""
        return self._numbers("region", np.uint16)

    @cached_property
    def regions(self) -> list[Region]:
        """All regions."""
        return [Region(code, name, frozenset(rest)) for code, name, *rest in self._lines("regions")]

    @cached_property
    def countries(self) -> dict[str, Country]:
        """All countries, by code."""
        return {
            code: Country(code, name, frozenset(rest))
            for code, name, *rest in self._lines("countries")
        }

    def place(self, row: int) -> Place:
        """Where a town is."""
        latitude, longitude = self.positions[row].tolist()
        return Place(round(latitude, 3), round(longitude, 3))

    def locality(self, row: int) -> Locality:
        """What a town is called, and where it belongs."""
        region = self.regions[self.region_of[row]]
        return Locality(self.names[row], region.name, self._country(region.code), region.code)

    def localities(self, latitudes: Numbers, longitudes: Numbers) -> list[Locality | None]:
        """Names positions in degrees, float64[n] each.

        A position farther than 100 kilometres from every town has only a country, and none at sea;
        a number that is no position has none either.
        """
        rows = self.nearest(latitudes, longitudes)[0]
        known: dict[int, Locality | None] = {}
        for row in np.unique(rows[rows >= 0]).tolist():
            known[row] = self.locality(int(self.whole[row]))
        found = [known.get(row) for row in rows.tolist()]
        for at in np.flatnonzero(rows < 0).tolist():
            if code := self._remote(float(latitudes[at]), float(longitudes[at])):
                found[at] = Locality("", "", self._country(code), code)
        return found

    def nearest(self, latitudes: Numbers, longitudes: Numbers) -> tuple[NDArray[np.int64], Numbers]:
        """The nearest town within 100 kilometres of positions in degrees, float64[n] each.

        Returns:
            Its row, int64[n], -1 if there is none, and the kilometres on the great circle,
            float64[n].
        """
        rows = np.full(len(latitudes), -1, np.int64)
        kilometres = np.full(len(latitudes), np.inf)
        valid = (np.abs(latitudes) <= 90) & (np.abs(longitudes) <= 180)
        left = np.flatnonzero(valid)
        units = directions(np.where(valid, latitudes, 0), np.where(valid, longitudes, 0))
        for grid in self._grids():
            for part in np.array_split(left, len(left) // _AT_ONCE + 1):
                rows[part], chords = grid.nearest(units[part])
                kilometres[part] = 2 * _EARTH * np.arcsin(np.minimum(chords / 2, 1))
            left = left[rows[left] < 0]
            if not len(left):
                break
        return rows, kilometres

    def _grids(self) -> Iterator["_Grid"]:
        yield self._fine
        yield self._coarse

    @cached_property
    def _fine(self) -> "_Grid":
        return _Grid(self._units, 2 * np.sin(_NEAR / _EARTH / 2))

    @cached_property
    def _coarse(self) -> "_Grid":
        return _Grid(self._units, 2 * np.sin(FARTHEST / _EARTH / 2))

    @cached_property
    def _units(self) -> Numbers:
        return directions(*self.positions.T)

    @cached_property
    def _inland(self) -> NDArray[np.uint16]:
        """uint16[180, 360], 1 and the row of the country of each degree, 0 for none."""
        return self._numbers("inland", np.uint16).reshape(180, 360)

    def _remote(self, latitude: float, longitude: float) -> str:
        """The code of the country around a position far from towns; empty at sea."""
        if not (abs(latitude) <= 90 and abs(longitude) <= 180):
            return ""
        row, column = min(int(latitude + 90), 179), min(int(longitude + 180), 359)
        country = int(self._inland[row, column])
        return list(self.countries)[country - 1] if country else ""

    def _country(self, code: str) -> str:
        country = self.countries.get(code)
        return country.name if country else code

    def _lines(self, member: str) -> list[list[str]]:
        return [line.split("\t") for line in self.member(member).decode().split("\n")]

    def _numbers(self, member: str, dtype: DTypeLike) -> NDArray[Any]:
        """Numbers of which all first bytes are stored first, then all second ones."""
        kind = np.dtype(dtype).newbyteorder("<")
        planes = np.frombuffer(self.member(member), np.uint8).reshape(kind.itemsize, -1)
        return np.ascontiguousarray(planes.T).view(kind).ravel()


class _Grid:
    """Points on the unit sphere in cubes, so that only those nearby are looked at."""

    def __init__(self, units: Numbers, side: float) -> None:
        """Takes unit vectors float64[t, 3], and the largest distance that is looked for."""
        self._units = units
        self._side = side
        self._across = int(2 / side) + 4
        keys = self._keys(self._cubes(units))
        self._order = np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]

    def nearest(self, units: Numbers) -> tuple[NDArray[np.int64], Numbers]:
        """The nearest point to each of float64[n, 3], and its distance; -1 if it is too far."""
        rows = np.full(len(units), -1, np.int64)
        best = np.full(len(units), self._side**2)
        cubes = self._cubes(units)
        for shift in np.ndindex(3, 3, 3):
            keys = self._keys(cubes + np.array(shift) - 1)
            begins = np.searchsorted(self._sorted, keys)
            counts = np.searchsorted(self._sorted, keys, "right") - begins
            near = np.flatnonzero(counts)
            if len(near):
                self._look(units, near, begins[near], counts[near], rows, best)
        return rows, np.sqrt(best)

    def _look(
        self,
        units: Numbers,
        near: NDArray[np.int64],
        begins: NDArray[np.int64],
        counts: NDArray[np.int64],
        rows: NDArray[np.int64],
        best: Numbers,
    ) -> None:
        """Compares positions with the points of one cube each, and notes those that are nearer."""
        firsts = np.cumsum(counts) - counts
        within = np.arange(counts.sum()) - np.repeat(firsts, counts)
        points = self._order[np.repeat(begins, counts) + within]
        apart = units[np.repeat(near, counts)] - self._units[points]
        squares = np.einsum("ij,ij->i", apart, apart)
        least = np.minimum.reduceat(squares, firsts)
        hits = np.flatnonzero(squares == np.repeat(least, counts))[::-1]  # the first row wins
        winner = np.empty(len(near), np.int64)
        winner[np.repeat(np.arange(len(near)), counts)[hits]] = points[hits]
        closer = least <= best[near]
        rows[near[closer]], best[near[closer]] = winner[closer], least[closer]

    def _cubes(self, units: Numbers) -> NDArray[np.int64]:
        return np.floor((units + 1) / self._side).astype(np.int64) + 1

    def _keys(self, cubes: NDArray[np.int64]) -> NDArray[np.int64]:
        x, y, z = cubes.T
        return np.asarray((x * self._across + y) * self._across + z, np.int64)


@cache
def gazetteer() -> Gazetteer:
    """The gazetteer that is shipped."""
    return Gazetteer()


def localities(latitudes: Numbers, longitudes: Numbers) -> list[Locality | None]:
    """Names positions in degrees, float64[n] each; see `Gazetteer.localities`."""
    return gazetteer().localities(latitudes, longitudes)
