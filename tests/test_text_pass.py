"""The second pass of an indexing, with a reader that reads the names of colours."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from pixquery import Library
from pixquery.db.errors import LibraryLocked, UnreadableImage
from pixquery.db.records import Line
from pixquery.indexer import text_reader
from pixquery.indexer.build import index
from pixquery.indexer.decode import picture
from pixquery.indexer.text_pass import TextReport, read_text, remember_to_read
from tests.conftest import COLOURS, REPOSITORY, Invoke, NewLibrary, parsed, square
from tests.proofs import text_soak
from tests.test_mentions import CORNERS


class ColourReader:
    """Reads the name of a square's colour in it, but in black ones nothing."""

    def __init__(self, version: str = "1") -> None:
        self.version = version
        self.read: list[str] = []

    def read_file(self, content: bytes) -> Sequence[Line]:
        middle = picture(content, 8).convert("RGB").getpixel((4, 4))
        name = min(COLOURS, key=lambda each: _apart(COLOURS[each], middle))
        self.read.append(name)
        if name == "green":
            raise UnreadableImage("green")
        if name == "cyan":
            raise ZeroDivisionError  # a defect in the reader
        return [] if name == "black" else [Line(f"it is {name}", 1.0, CORNERS)]


def _apart(one: Sequence[int], other: object) -> int:
    assert isinstance(other, tuple)
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))


def test_every_photo_is_read_once(library: Library) -> None:
    reader, steps = ColourReader(), []
    report = read_text(library, lambda done, total: steps.append((done, total)), reader)
    assert report == TextReport(read=6, found=5, left=2)
    assert steps == [(done, 8) for done in range(9)]
    assert sorted(reader.read) == sorted(COLOURS)
    assert library.search("it is yellow").hits[0].path.stem == "yellow"
    again = ColourReader()
    assert read_text(library, reader=again) == TextReport(read=0, found=0, left=2)
    assert sorted(again.read) == ["cyan", "green"]  # what failed is tried again


def test_the_newest_come_first(library: Library, squares: Path) -> None:
    for place, name in enumerate(("red", "blue", "white")):
        file = next(squares.rglob(f"{name}.*"))
        os.utime(file, (4e9 + place, 4e9 + place))
    index(library, [squares])
    reader = ColourReader()
    read_text(library, reader=reader)
    assert reader.read[:3] == ["white", "blue", "red"]


def test_a_photo_is_read_again_only_when_it_changed(library: Library, squares: Path) -> None:
    read_text(library, reader=ColourReader())
    square(next(squares.rglob("red.*")), "magenta")
    file = next(squares.rglob("yellow.*"))
    file.rename(file.with_name(f"moved{file.suffix}"))
    square(squares / "more" / "new.png", "blue")
    report = index(library, [squares])
    assert (report.updated, report.moved, report.added) == (1, 1, 1)
    reader = ColourReader()
    read_text(library, reader=reader)
    assert sorted(reader.read) == ["blue", "cyan", "green", "magenta"]
    stem = {record.id: record.path.stem for record in library}
    lines = {
        stem[one]: own[0].text for one, own in library.catalog.readings([*stem]).items() if own
    }
    assert (lines["red"], lines["moved"]) == ("it is magenta", "it is yellow")


def test_another_reader_reads_everything_again(library: Library) -> None:
    read_text(library, reader=ColourReader())
    better = ColourReader("2")
    read_text(library, reader=better)
    assert len(better.read) == 8


def test_a_photo_whose_file_changed_since_is_left(library: Library, squares: Path) -> None:
    square(next(squares.rglob("red.*")), "yellow")
    next(squares.rglob("white.*")).unlink()
    reader = ColourReader()
    assert read_text(library, reader=reader).left == 4
    assert sorted(reader.read) == ["black", "blue", "cyan", "green", "magenta", "yellow"]


def test_it_can_be_stopped_and_goes_on(library: Library) -> None:
    def stop(done: int, total: int) -> None:
        if done == 3:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1.2)  # the main thread notices it

    report = read_text(library, stop, ColourReader())
    assert report.interrupted
    assert report.left >= 4
    rest = ColourReader()
    assert not read_text(library, reader=rest).interrupted
    assert len(rest.read) == report.left


def test_the_library_can_be_written_meanwhile(library: Library, squares: Path) -> None:
    added = 0

    class Adding(ColourReader):
        def read_file(self, content: bytes) -> Sequence[Line]:
            nonlocal added
            with Library.open(library.folder) as other:  # as another process would
                square(squares / "added" / f"{added}.png", (added, 0, 0))
                added += 1
                assert index(other, [squares]).added == 1
            return super().read_file(content)

    assert read_text(library, reader=Adding()).read == 6
    library.refresh()
    assert len(library) == 16


def test_a_long_writer_ends_it_and_the_next_pass_goes_on(library: Library) -> None:
    program = (
        "import sys; from pixquery import Library\n"
        "with Library.open(sys.argv[1]) as library, library.writing():\n"
        "    print('held', flush=True); input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(library.folder)],
        cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(LibraryLocked):
            read_text(library, reader=ColourReader())
        holder.communicate("\n")
    assert read_text(library, reader=ColourReader()).read == 6


def test_the_wish_is_remembered(library: Library, invoke: Invoke, squares: Path) -> None:
    assert not library.reads_text
    remember_to_read(library, on=True)
    remember_to_read(library, on=True)
    with Library.open(library.folder) as other:
        assert other.reads_text
    info = parsed(invoke("info", "--library", library.folder, "--json"))
    assert info["text"] == {"on": True, "read": 0}
    assert "read in 0 of 8 photos" in invoke("info", "--library", library.folder).stdout
    invoke("index", squares, "--no-read-text", "--library", library.folder)
    assert not library.reads_text


def test_networks_are_loaded_only_if_a_photo_waits(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []

    class Blind(ColourReader):
        def __init__(self, threads: int) -> None:
            super().__init__(text_reader.reading_version())
            loaded.append(threads)

        def read_file(self, content: bytes) -> Sequence[Line]:
            return []

    monkeypatch.setattr(text_reader, "TextReader", Blind)
    assert read_text(library) == TextReport(read=8)
    assert read_text(library) == TextReport()
    assert len(loaded) == 1


def test_a_library_with_nothing_to_read(new_library: NewLibrary) -> None:
    assert read_text(new_library(), reader=ColourReader()) == TextReport()


def test_a_killed_reading_repeats_only_the_photo_at_work(tmp_path: Path) -> None:
    assert text_soak.prove(tmp_path, 1, seed=3)["failures"] == []


@pytest.mark.slow
def test_a_reading_that_is_killed_again_and_again(tmp_path: Path) -> None:
    result = text_soak.prove(tmp_path, 50, seed=1)
    assert (result["kills"], result["failures"]) == (50, [])
