"""Files with times that most programs never see: before 1677, after 2262, before 1970."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from pixquery import Library
from pixquery.commands.printing import day, iso
from pixquery.db.catalog import Catalog
from pixquery.db.records import (
    EARLIEST_NS,
    LATEST_NS,
    FileState,
    Filter,
    ImageRecord,
    KnownFile,
)
from pixquery.engine import frames, wording
from pixquery.indexer.build import index
from pixquery.indexer.scan import compare, scan
from pixquery.web.reader import Reader
from tests.comparing import counts
from tests.conftest import Invoke, parsed, square
from tests.web.conftest import client_of

EPOCH = datetime(1970, 1, 1)
YEARS = (1, 1601, 1677, 1969, 1970, 2023, 2262, 2263, 2445, 9999)


def nanoseconds(year: int) -> int:
    return (datetime(year, 7, 1) - EPOCH) // timedelta(seconds=1) * 10**9


def status(mtime_ns: int) -> os.stat_result:
    return os.stat_result((0,) * 6 + (5,) + (0,) * 3, {"st_mtime_ns": mtime_ns})


def set_time(file: Path, year: int) -> None:
    os.utime(file, ns=(0, nanoseconds(year)))
    if file.stat().st_mtime_ns != nanoseconds(year):
        pytest.skip(f"this file system has no year {year}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder on a file system that has nearly all years, where there is one."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        return tmp_path
    made = memory / f"pixquery-{os.getpid()}-{tmp_path.name}"
    made.mkdir()
    return made


@pytest.mark.parametrize("year", YEARS)
def test_a_time_is_stored_as_the_nearest_that_can_be(year: int) -> None:
    state = FileState.of(status(nanoseconds(year)))
    assert state.size == 5
    if 1677 < year < 2262:
        assert state.mtime_ns == nanoseconds(year)
        assert state.modified == datetime(year, 7, 1, tzinfo=UTC)
    elif year < 2000:
        assert (state.mtime_ns, state.modified.year) == (EARLIEST_NS, 1677)
    else:
        assert (state.mtime_ns, state.modified.year) == (LATEST_NS, 2262)


@pytest.mark.parametrize("year", [1, 1601, 1969, 2445, 9999])
def test_one_odd_time_costs_nothing(
    year: int, folder: Path, colours: Path, tmp_path: Path, invoke: Invoke
) -> None:
    library = tmp_path / "library"
    for place, colour in enumerate(("red", "green", "blue")):
        square(folder / f"{colour}.png", colour, (24, 16 + place))
    try:
        set_time(folder / "red.png", year)
        made = invoke("index", folder, "--library", library, "--profile", colours, "--json")
        assert (made.exit_code, parsed(made)["added"]) == (0, 3), made.output
        assert parsed(invoke("index", folder, "--library", library, "--json"))["unchanged"] == 3
        assert invoke("verify", "--library", library).output == "no problems found\n"
        for words in (["red"], ["red", "--json"], ["--modified", "0001..9999", "--ndjson"]):
            asked = invoke("query", *words, "--library", library)
            assert asked.exit_code == 0, asked.output
        hit = parsed(invoke("query", "red", "--library", library, "--json"))["hits"][0]
        assert hit["modified"][:4] == str(min(max(year, 1677), 2262))
        (folder / "red.png").write_bytes((folder / "red.png").read_bytes() + b"\0")
        set_time(folder / "red.png", year)
        assert parsed(invoke("index", folder, "--library", library, "--json"))["updated"] == 1
    finally:
        for file in (*folder.iterdir(), folder):
            file.rmdir() if file.is_dir() else file.unlink()


def test_a_file_known_with_a_clamped_time_is_unchanged(tmp_path: Path) -> None:
    set_time(file := square(tmp_path / "a.png", "red"), 2445)
    scanned = scan(tmp_path)
    known = {str(file): KnownFile(1, FileState(file.stat().st_size, LATEST_NS), b"")}
    assert compare(scanned, known).unchanged == 1
    os.link(file, tmp_path / "b.png")  # another path through the scan
    assert list(scan(tmp_path).states.values()) == list(scanned.states.values())


def test_verify_compares_clamped_times(library: Library, squares: Path) -> None:
    set_time(next(squares.rglob("red.*")), 2445)
    index(library, [squares])
    assert library.verify() == []
    assert counts(index(library, [squares])) == {"unchanged": 8}


# -- filters ----------------------------------------------------------------------------------

EARLY, LATE = {1, 1601, 1677}, {2262, 2263, 2445, 9999}
"""In July, beyond the times that are stored."""


@pytest.fixture(scope="module")
def catalog() -> Iterator[Catalog]:
    """A photo of each year, by the camera's clock and by the file's."""
    catalog = Catalog(Path(":memory:"))
    photos = [
        ImageRecord(Path(f"/a/{year}"), FileState.of(status(nanoseconds(year))), bytes(16), 1, 1,
                    taken=datetime(year, 7, 1))
        for year in YEARS
    ]  # fmt: skip
    vectors = np.zeros((len(photos), 3), np.float16)
    catalog.put(catalog.add_root(Path("/a")), photos, vectors, "this")
    yield catalog
    catalog.close()


def years(catalog: Catalog, where: Filter) -> set[int]:
    return {int(photo.path.name) for photo in catalog.newest(where, limit=99)}


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/Los_Angeles"])
@pytest.mark.parametrize(
    ("period", "wanted"),
    [
        ("0001..9999", set(YEARS)),
        ("..9999", set(YEARS)),
        ("0001..", set(YEARS)),
        ("0001", EARLY),
        ("..1600", EARLY),
        ("..1970", EARLY | {1969, 1970}),
        ("1969", {1969}),
        ("1800..2200", {1969, 1970, 2023}),
        ("2023..", {2023} | LATE),
        ("2263", LATE),
        ("2300..2301", LATE),
        ("9999", LATE),
    ],
)
def test_a_time_that_is_not_stored_matches_what_reaches_as_far(
    period: str, wanted: set[int], zone: str, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(time, "tzset"):
        pytest.skip("the system has one time zone")
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert years(catalog, Filter(modified=wording.period(period))) == wanted
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("period", "wanted"),
    [("0001..9999", set(YEARS)), ("..9999", set(YEARS)), ("0001", {1}), ("9999", {9999}),
     ("2263..", {2263, 2445, 9999}), ("..1600", {1})],
)  # fmt: skip
def test_cameras_may_note_any_year(period: str, wanted: set[int], catalog: Catalog) -> None:
    assert years(catalog, Filter(taken=wording.period(period))) == wanted


@pytest.mark.parametrize("option", ["--modified", "--taken"])
@pytest.mark.parametrize(
    "text",
    ["nan", "inf", "-5", "10000", "0000", "2263-13-01", "2263-02-29", "1e3", "..nan"],
)
def test_what_is_no_time_is_refused_in_one_sentence(
    option: str, text: str, place: Path, invoke: Invoke
) -> None:
    done = invoke("query", f"{option}={text}", "--library", place)
    assert done.exit_code == 2
    assert f"{text!r} is not a time: write 2023" in done.output


@pytest.mark.parametrize("name", ["taken", "modified"])
def test_the_api_answers_or_says_why(name: str, place: Path) -> None:
    with client_of(Reader(place)) as client:
        for text in ("0001..9999", "..9999", "2263", "..1600", "9999", "0001"):
            answer = client.get("/api/search", params={name: text})
            assert answer.status_code == 200, answer.text
        for text in ("nan", "inf", "-5", "10000", "2263-13-01", "9" * 200):
            answer = client.get("/api/search", params={name: text})
            assert answer.status_code == 422
            assert "is not a time" in answer.json()["error"]


def test_dates_are_written_for_every_year() -> None:
    for year in YEARS:
        modified = FileState.of(status(nanoseconds(year))).modified
        assert iso(modified) == modified.strftime("%Y-%m-%dT%H:%M:%S+00:00")
        assert day(datetime(year, 7, 1, 12)) == f"{year:04}-07-01"
        assert day(modified)[:4] == str(modified.year)


def test_tables_have_every_year(catalog: Catalog) -> None:
    table = frames.of_photos(catalog.newest(Filter(), limit=99))
    assert {moment.year for moment in table["taken"]} == set(YEARS)
    assert {moment.year for moment in table["modified"]} == {1677, 1969, 1970, 2023, 2262}
