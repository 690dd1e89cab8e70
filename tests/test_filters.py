"""Filters compared with plain Python on the same photos."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pixquery.db.catalog import Catalog
from pixquery.db.errors import BadQuery
from pixquery.db.filters import path_fits
from pixquery.db.records import FileState, Filter, ImageRecord, Near, Period, Place
from pixquery.db.values import bounds

ROOTS = (Path("/a"), Path("/a b"))
_DAYS = [datetime(2020, 1, 1) + timedelta(days=91 * step, hours=step) for step in range(20)]


def _photo(number: int, rng: np.random.Generator) -> ImageRecord:
    root = ROOTS[number % 2]
    folder = ["", "2019", "2019/Summer", "\udcff"][rng.integers(4)]
    moment = _DAYS[rng.integers(len(_DAYS))]
    sizes = [(640, 480), (480, 640), (500, 500), (4000, 3000)]
    width, height = sizes[rng.integers(len(sizes))]
    return ImageRecord(
        path=root / folder / f"IMG_{number:03d}.{['jpg', 'PNG'][rng.integers(2)]}",
        state=FileState(10, int(_DAYS[rng.integers(len(_DAYS))].timestamp()) * 10**9),
        content=number.to_bytes(16, "big"),
        width=width,
        height=height,
        format=["JPEG", "PNG", "WebP"][rng.integers(3)],
        taken=moment if rng.random() < 0.7 else None,
        camera=["", "Canon EOS 80D", "Apple iPhone 15 ÄÖ"][rng.integers(3)],
        place=Place(*rng.uniform([-90, -180], [90, 180])) if rng.random() < 0.7 else None,
    )


class Filled(NamedTuple):
    """A catalogue and its photos."""

    catalog: Catalog
    records: list[ImageRecord]

    def __repr__(self) -> str:
        return f"{len(self.records)} photos"  # what a failing test prints


@pytest.fixture(scope="module")
def filled() -> Iterator[Filled]:
    """A catalogue of 120 photos."""
    rng = np.random.default_rng(5)
    records = [_photo(number, rng) for number in range(120)]
    catalog = Catalog(Path(":memory:"))
    roots = [catalog.add_root(root) for root in ROOTS]
    for place, root in enumerate(roots):
        inside = records[place :: len(roots)]
        catalog.put(root, inside, np.zeros((len(inside), 3), np.float16), "this")
    yield Filled(catalog, records)
    catalog.close()


def matches(record: ImageRecord, where: Filter) -> bool:
    """Whether a photo matches a filter, in plain Python."""
    path = str(record.path)
    file_time = datetime.fromtimestamp(record.state.mtime_ns / 1e9)
    shape = np.sign(record.width - record.height)
    return (
        (not where.roots or any(record.path.is_relative_to(root) for root in where.roots))
        and (
            not where.paths
            or any(fnmatchcase(path, g) or fnmatchcase(record.path.name, g) for g in where.paths)
        )
        and (
            where.taken is None or (record.taken is not None and lies_in(record.taken, where.taken))
        )
        and (where.modified is None or lies_in(file_time, where.modified))
        and where.orientation in (None, {1: "landscape", -1: "portrait", 0: "square"}[int(shape)])
        and record.width >= where.min_width
        and record.height >= where.min_height
        and (not where.formats or record.format.lower() in [f.lower() for f in where.formats])
        and where.camera.casefold() in record.camera.casefold()
        and (
            where.near is None
            or (
                record.place is not None
                and apart(record.place, where.near) <= where.near.kilometres
            )
        )
    )


def lies_in(moment: datetime, period: Period) -> bool:
    return (period.begin is None or moment >= period.begin) and (
        period.end is None or moment < period.end
    )


def apart(place: Place, near: Near) -> float:
    """Kilometres, by the angle between two points of the sphere."""

    def point(at: Place) -> np.ndarray:
        north, east = np.radians(at.latitude), np.radians(at.longitude)
        return np.array([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)])

    one, other = point(place), point(near.centre)
    return float(6371.0088 * np.arctan2(np.linalg.norm(np.cross(one, other)), one @ other))


_times = st.sampled_from(_DAYS)
_periods = st.one_of(
    st.none(),
    st.builds(
        Period,
        st.none() | _times,
        st.none() | _times.map(lambda day: day + timedelta(days=200)),
    ),
)
_filters = st.builds(
    Filter,
    roots=st.lists(
        st.sampled_from([*ROOTS, Path("/a/2019"), Path("/"), Path("/b")]), max_size=2
    ).map(tuple),
    paths=st.lists(
        st.sampled_from(["*/2019/*", "IMG_00*", "*.jpg", "*.JPG", "/a/*", "\udcff", "*[0-4].PNG"]),
        max_size=2,
    ).map(tuple),
    taken=_periods,
    modified=_periods,
    orientation=st.sampled_from([None, None, "landscape", "portrait", "square"]),
    min_width=st.sampled_from([0, 0, 500, 641]),
    min_height=st.sampled_from([0, 0, 480, 3000]),
    formats=st.lists(st.sampled_from(["jpeg", "PNG", "gif"]), max_size=2).map(tuple),
    camera=st.sampled_from(["", "", "canon", "IPHONE 15 äö", "nikon"]),
    near=st.none()
    | st.builds(
        Near,
        st.builds(Place, st.floats(-90, 90), st.floats(-180, 180)),
        st.sampled_from([1.0, 5_000.0, 12_000.0, 30_000.0]),
    ),
)


@given(where=_filters)
@hypothesis_settings(max_examples=1000)
def test_a_filter_matches_what_plain_python_does(where: Filter, filled: Filled) -> None:
    catalog, records = filled
    names = {record.path for record in records if matches(record, where)}
    found = catalog.records(catalog.matching(where).tolist())
    assert {record.path for record in found.values()} == names
    newest = catalog.newest(where, limit=1000)
    assert [record.path for record in newest] == [
        record.path for record in sorted(found.values(), key=newness, reverse=True)
    ]
    assert catalog.newest(where, limit=5, offset=3) == newest[3:8]


def newness(record: ImageRecord) -> tuple[datetime, int]:
    moment = record.taken or datetime.fromtimestamp(record.state.mtime_ns / 1e9)
    return moment.replace(microsecond=0), record.id


def test_an_empty_filter_is_false() -> None:
    assert not Filter()
    assert Filter(min_width=1)


def test_facets_count_what_filters_find(filled: Filled) -> None:
    facets = filled.catalog.facets()
    formats = Counter(record.format for record in filled.records)
    cameras = Counter(record.camera for record in filled.records if record.camera)
    years = Counter(str(record.taken.year) for record in filled.records if record.taken)
    assert dict(facets.formats) == formats
    assert dict(facets.cameras) == cameras
    assert dict(facets.years) == years
    assert [tally.name for tally in facets.years] == sorted(years, reverse=True)
    assert [tally.images for tally in facets.formats] == sorted(formats.values(), reverse=True)
    for name, images in facets.formats:
        assert len(filled.catalog.matching(Filter(formats=(name,)))) == images


def test_distances_agree_with_an_atlas(filled: Filled) -> None:
    """Vienna to Salzburg is 251 kilometres as the crow flies; the date line makes no difference."""
    catalog = Catalog(Path(":memory:"))
    root = catalog.add_root(Path("/r"))
    record = _photo(0, np.random.default_rng(0))
    for name, place in (("salzburg", Place(47.8095, 13.055)), ("fiji", Place(-17.8, -179.9))):
        put = ImageRecord(Path(f"/r/{name}"), record.state, name.encode(), 1, 1, "PNG", place=place)
        catalog.put(root, [put], np.zeros((1, 3), np.float16), "this")

    def names(latitude: float, longitude: float, kilometres: float) -> list[str]:
        where = Filter(near=Near(Place(latitude, longitude), kilometres))
        return [found.path.name for found in catalog.newest(where, limit=9)]

    assert names(48.2082, 16.3738, 252) == ["salzburg"]
    assert names(48.2082, 16.3738, 249) == []
    assert names(-17.8, 179.9, 25) == ["fiji"]
    catalog.close()


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the system has one time zone")
def test_file_times_use_the_clock_of_this_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        catalog = Catalog(Path(":memory:"))
        root = catalog.add_root(Path("/r"))
        late = int(datetime(2023, 12, 31, 20).timestamp())  # 11 o'clock in Greenwich
        photo = ImageRecord(Path("/r/a"), FileState(1, late * 10**9), b"a", 1, 1, "PNG")
        catalog.put(root, [photo], np.zeros((1, 3), np.float16), "this")
        year = Period(datetime(2023, 12, 31, 19), datetime(2023, 12, 31, 21))
        assert len(catalog.matching(Filter(modified=year))) == 1
        greenwich = Period(datetime(2023, 12, 31, 10), datetime(2023, 12, 31, 12))
        assert len(catalog.matching(Filter(modified=greenwich))) == 0
        catalog.close()
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_the_newest_are_ordered_across_camera_and_file_times() -> None:
    catalog = Catalog(Path(":memory:"))
    root = catalog.add_root(Path("/r"))
    when = {"old": 2001, "middle": 2010, "new": 2020}
    for name, year in when.items():
        moment = datetime(year, 5, 5, 12)
        by_file = name == "middle"
        written = int((moment if by_file else datetime(2024, 1, 1)).timestamp()) * 10**9
        photo = ImageRecord(
            Path(f"/r/{name}"), FileState(1, written), name.encode(), 1, 1, "PNG",
            None if by_file else moment,
        )  # fmt: skip
        catalog.put(root, [photo], np.zeros((1, 3), np.float16), "this")
    newest = catalog.newest(Filter(), limit=3)
    assert [record.path.name for record in newest] == ["new", "middle", "old"]
    catalog.close()


# -- paths as Windows writes them ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "below", "elsewhere"),
    [
        ("D:\\", ["D:\\a.jpg", "D:\\2019\\b.jpg"], ["C:\\a.jpg", "E:\\a.jpg", "D:"]),
        ("D:\\photos", ["D:\\photos\\a.jpg", "D:\\photos\\x\\b"], ["D:\\photos2\\a", "D:\\photo"]),
        ("\\\\nas\\share\\", ["\\\\nas\\share\\a.jpg"], ["\\\\nas\\shared\\a.jpg"]),
    ],
)
def test_the_range_below_a_windows_folder(
    folder: str, below: list[str], elsewhere: list[str]
) -> None:
    path, first, end = bounds(PureWindowsPath(folder))
    assert path == folder.encode()
    assert all(first <= each.encode() < end for each in below)
    assert not any(first <= each.encode() < end for each in elsewhere)


@pytest.mark.parametrize("folder", ["/", "/photos", "/photos\\"])
def test_the_range_below_a_posix_folder(folder: str) -> None:
    path, first, end = bounds(PurePosixPath(folder))
    assert path == folder.encode()
    assert first <= folder.rstrip("/").encode() + b"/a.jpg" < end
    assert not first <= folder.encode() + b"2" < end or folder == "/"


@pytest.mark.parametrize(
    ("glob", "fits"),
    [
        ("*/2019/*", True),
        ("*\\2019\\*", True),
        ("D:/*.jpg", True),
        ("IMG_?.jpg", True),
        ("*/2020/*", False),
        ("*.png", False),
    ],
)
def test_globs_match_windows_paths_with_either_slash(glob: str, fits: bool) -> None:
    assert path_fits("D:\\photos\\2019\\IMG_1.jpg", glob, separator="\\") is fits


def test_on_posix_a_backslash_is_part_of_a_name() -> None:
    assert path_fits("/photos/a\\b.jpg", "a\\b.jpg", separator="/")
    assert not path_fits("/photos/a/b.jpg", "a\\b.jpg", separator="/")


def test_stars_in_a_glob_do_not_multiply() -> None:
    path = "/" + "a" * 4000
    assert not path_fits(path, "*a*a*a*a*a*a*a*a*a*a*a*b", separator="/")
    assert path_fits(path, "*a" * 1000, separator="/")


def test_text_that_is_none_is_refused_and_bytes_of_names_are_found(tmp_path: Path) -> None:
    with closing(Catalog(tmp_path / "catalogue.sqlite")) as catalog:
        root = catalog.add_root(Path("/a"))
        for number, name in enumerate(("caf\udce9.jpg", "café.jpg", "\x1b.jpg"), 1):
            record = ImageRecord(Path("/a") / name, FileState(1, 1), bytes([number] * 16), 1, 1)
            catalog.put(root, [record], np.zeros((1, 3), np.float16), "x")
        assert len(catalog.matching(Filter(paths=("*caf\udce9*",)))) == 1
        assert len(catalog.matching(Filter(paths=("*caf?.jpg",)))) == 2
        assert len(catalog.matching(Filter(camera="\0"))) == 0
        assert len(catalog.matching(Filter(min_width=2**70))) == 0
        assert len(catalog.matching(Filter(min_height=2**70))) == 0
        for where in (Filter(camera="\udce9"), Filter(camera="\ud800"), Filter(paths=("\ud800",))):
            with pytest.raises(BadQuery, match=r"the (camera|path) '.*' is not valid UTF-8"):
                catalog.matching(where)
