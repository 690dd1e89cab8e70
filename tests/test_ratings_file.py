"""The judgements of a library: appended, withdrawn, cut off, and written by several at once."""

import csv
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixquery.db.errors import BadData, BadQuery, StorageFailed
from pixquery.engine import ratings_file
from pixquery.engine.ratings_file import (
    COLUMNS,
    NO,
    PARTLY,
    VERDICTS,
    YES,
    Judgement,
    RatingsFile,
)
from pixquery.trainer.learning.ratings import read_ratings
from tests.comparing import without_privileges

ODD = (
    "/photos/plain.jpg",
    "/photos/a, b.jpg",
    '/photos/say "cheese".jpg',
    "/photos/two\nlines.jpg",
    "/photos/carriage\rreturn.jpg",
    "/photos/ blanks .jpg ",
    "/photos/\udcff\udcfe.jpg",
    "/photos/café ☕.jpg",
    "=HYPERLINK(1).jpg",
)
"""Paths that a system may have; the last but two has bytes that are no UTF-8."""


def pairs(file: RatingsFile) -> list[tuple[str, str, str]]:
    return [(one.image, one.text, one.rating) for one in file.read().counting]


def test_a_judgement_is_a_line(tmp_path: Path) -> None:
    file = RatingsFile(tmp_path)
    assert file.read().counting == ()
    given = file.add(Path("/photos/a.jpg"), " a  dog\n", YES, "Ada")
    assert given.text == "a dog"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", given.time)
    file.add(Path("/photos/b.jpg"), "a dog", PARTLY, "Ada")
    lines = (tmp_path / "ratings.csv").read_text().splitlines()
    assert lines == [
        "image,text,rating,worker,time",
        f"/photos/a.jpg,a dog,yes,Ada,{given.time}",
        f"/photos/b.jpg,a dog,partly,Ada,{file.read().counting[1].time}",
    ]
    judged = file.read()
    assert judged.counting[0] == given
    assert (judged.photos, judged.texts, judged.unreadable) == (2, 1, 0)


@pytest.mark.parametrize("path", ODD)
def test_odd_paths_and_texts_survive(tmp_path: Path, path: str) -> None:
    file = RatingsFile(tmp_path)
    file.add(Path(path), 'a "red, round" thing', NO, "Ada")
    file.add(Path("/photos/next.jpg"), "-1+1", YES, "Ada")
    assert pairs(file) == [
        (path, 'a "red, round" thing', NO),
        ("/photos/next.jpg", "-1+1", YES),
    ]
    exported = list(csv.DictReader(io.StringIO(file.export(), newline="")))
    assert [row["image"] for row in exported] == [path, "/photos/next.jpg"]


def test_the_last_judgement_of_a_person_counts(tmp_path: Path) -> None:
    file = RatingsFile(tmp_path)
    for rating, worker in ((YES, "Ada"), (NO, "Bob"), (PARTLY, "Ada")):
        file.add(Path("/a.jpg"), "dog", rating, worker)
    file.add(Path("/a.jpg"), "cat", NO, "Ada")
    counting = file.read().counting
    assert [(one.worker, one.text, one.rating) for one in counting] == [
        ("Bob", "dog", NO), ("Ada", "dog", PARTLY), ("Ada", "cat", NO),
    ]  # fmt: skip


def test_undo_walks_back(tmp_path: Path) -> None:
    file = RatingsFile(tmp_path)
    file.add(Path("/a.jpg"), "dog", YES, "Ada")
    file.add(Path("/b.jpg"), "dog", YES, "Bob")
    file.add(Path("/a.jpg"), "dog", NO, "Ada")
    file.add(Path("/c.jpg"), "dog", NO, "Ada")
    undone = [file.undo("Ada") for _ in range(4)]
    assert [(one.image, one.rating) if one else None for one in undone] == [
        ("/c.jpg", NO), ("/a.jpg", NO), ("/a.jpg", YES), None,
    ]  # fmt: skip
    assert pairs(file) == [("/b.jpg", "dog", YES)]
    assert len(file.file.read_text().splitlines()) == 1 + 4 + 3  # nothing is ever taken out


def test_withdrawn_is_all_that_was_said(tmp_path: Path) -> None:
    file = RatingsFile(tmp_path)
    for rating in (YES, NO):
        file.add(Path("/a.jpg"), "dog", rating, "Ada")
    file.add(Path("/a.jpg"), "dog", YES, "Bob")
    assert file.withdraw(Path("/a.jpg"), "dog", "Ada")
    assert not file.withdraw(Path("/a.jpg"), "dog", "Ada")
    assert [one.worker for one in file.read().counting] == ["Bob"]
    file.add(Path("/a.jpg"), "dog", PARTLY, "Ada")
    assert [one.rating for one in file.read().counting] == [YES, PARTLY]


def test_what_is_no_judgement_is_refused(tmp_path: Path) -> None:
    file = RatingsFile(tmp_path)
    with pytest.raises(BadQuery, match="yes, partly, no, not 'maybe'"):
        file.add(Path("/a.jpg"), "dog", "maybe", "Ada")
    with pytest.raises(BadQuery, match="needs a text"):
        file.add(Path("/a.jpg"), " \0 ", YES, "Ada")
    with pytest.raises(BadQuery, match="101 characters"):
        file.add(Path("/a.jpg"), "dog", YES, "A" * 101)
    assert not file.file.exists()


def test_whoever_runs_the_process_judges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    assert RatingsFile(tmp_path).add(Path("/a.jpg"), "dog", YES).worker == "ada"


# -- what was cut off -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ODD)
def test_whatever_byte_an_append_ends_at_the_rest_is_read(tmp_path: Path, path: str) -> None:
    file = RatingsFile(tmp_path)
    file.add(Path("/first.jpg"), "dog", YES, "Ada")
    whole = len(file.file.read_bytes())
    file.add(Path(path), 'a "dog"', NO, "Ada")
    content = file.file.read_bytes()
    for end in range(whole, len(content)):
        file.file.write_bytes(content[:end])
        complete = end == len(content) - 1  # but for its line break
        expected = [("/first.jpg", "dog", YES), *([(path, 'a "dog"', NO)] if complete else [])]
        assert pairs(file) == expected, content[:end]
        file.add(Path("/after.jpg"), "cat", PARTLY, "Ada")
        file.add(Path("/last.jpg"), "cat", NO, "Ada")
        expected += [("/after.jpg", "cat", PARTLY), ("/last.jpg", "cat", NO)]
        assert pairs(file) == expected, content[:end]


def test_a_header_that_was_cut_off(tmp_path: Path) -> None:
    file = RatingsFile(tmp_path)
    for end in range(len(",".join(COLUMNS)) + 1):
        file.file.write_bytes(",".join(COLUMNS).encode()[:end])
        assert file.read().counting == ()
        file.add(Path("/a.jpg"), "dog", YES, "Ada")
        assert file.file.read_text().splitlines()[0] == "image,text,rating,worker,time"
        assert pairs(file) == [("/a.jpg", "dog", YES)]


def test_lines_that_were_edited(tmp_path: Path) -> None:
    file = RatingsFile(tmp_path)
    file.file.write_bytes(
        b"\xef\xbb\xbfimage,text,rating,worker,time\r\n"
        b"/a.jpg,dog,Yes,Ada,2026-01-02T03:04:05Z\r\n"
        b"/b.jpg,dog,perhaps,Ada,2026-01-02T03:04:05Z\r\n"
        b"/c.jpg,dog,yes,Ada,yesterday\r\n"
        b"\r\n"
        b"/d.jpg,dog,no,Ada,2026-01-02T03:04:05Z"
    )
    judged = file.read()
    assert [(one.image, one.rating) for one in judged.counting] == [("/a.jpg", YES), ("/d.jpg", NO)]
    assert judged.unreadable == 2


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_no_content_breaks_reading(content: bytes) -> None:
    found, unreadable = ratings_file.records(
        content + b"\n/a.jpg,dog,yes,Ada,2026-01-02T03:04:05Z\n"
    )
    assert unreadable >= 0
    quotes = content.count(b'"')
    if quotes == 0:
        assert found[-1] == Judgement("/a.jpg", "dog", YES, "Ada", "2026-01-02T03:04:05Z")


# -- what cannot be written -----------------------------------------------------------------------


def test_a_folder_that_is_read_only(tmp_path: Path) -> None:
    file = RatingsFile(tmp_path)
    tmp_path.chmod(0o555)
    with without_privileges(), pytest.raises(StorageFailed, match="cannot be written"):
        file.add(Path("/a.jpg"), "dog", YES, "Ada")
    tmp_path.chmod(0o755)


def test_a_link_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("mine")
    file = RatingsFile(tmp_path)
    file.file.symlink_to(other)
    for act in (file.read, lambda: file.add(Path("/a.jpg"), "dog", YES)):
        with pytest.raises(StorageFailed, match="is a link"):
            act()
    assert other.read_text() == "mine"


FULL = """
import resource, signal, sys
from pathlib import Path
from pixquery.db.errors import StorageFailed
from pixquery.engine.ratings_file import RatingsFile
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
try:
    RatingsFile(Path(sys.argv[1])).add(Path("/photos/b.jpg"), "a dog", "no", "Ada")
except StorageFailed as error:
    sys.exit(str(error))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of files can be set there")
def test_a_disk_with_room_for_half_a_line(tmp_path: Path) -> None:
    """A limit on the file's size stands for the disk: the system writes what fits."""
    file = RatingsFile(tmp_path)
    file.add(Path("/photos/a.jpg"), "a dog", YES, "Ada")
    before = file.file.read_bytes()
    words = [sys.executable, "-c", FULL, str(tmp_path), str(len(before) + 10)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"the judgement cannot be written to .*: make room .*\n", done.stderr)
    assert file.file.read_bytes() == before


# -- several at once ------------------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from pixquery.engine.ratings_file import RatingsFile
file, name = RatingsFile(Path(sys.argv[1])), sys.argv[2]
for number in range(int(sys.argv[3])):
    file.add(Path(f"/photos/{name}, {number}.jpg"), f'"{number}"' * 40, "yes", name)
    if number % 5 == 4:
        file.undo(name)
"""


def test_processes_that_write_at_once_lose_no_line(tmp_path: Path) -> None:
    names, each = ("ada", "bob", "cy"), 40
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name, str(each)])
        for name in names
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0]
    judged = RatingsFile(tmp_path).read()
    assert judged.unreadable == 0
    for name in names:
        theirs = [one.image for one in judged.counting if one.worker == name]
        kept = [f"/photos/{name}, {number}.jpg" for number in range(each) if number % 5 != 4]
        assert theirs == kept


# -- training reads it ----------------------------------------------------------------------------


def test_train_reads_what_counts(tmp_path: Path) -> None:
    photos = [tmp_path / "photos" / os.fsdecode(name) for name in (b"a.jpg", b"\xff\n.jpg")]
    for photo in photos:
        photo.parent.mkdir(exist_ok=True)
        photo.touch()
    file = RatingsFile(tmp_path)
    for photo in photos:
        file.add(photo, "dog", YES, "Ada")
    file.add(photos[0], "dog", PARTLY, "Ada")
    file.add(photos[1], "cat", NO, "Ada")
    file.add(photos[1], "bird", YES, "Ada")
    file.undo("Ada")
    file.add(tmp_path / "gone.jpg", "dog", YES, "Ada")
    with file.file.open("a") as opened:
        opened.write('"/cut off')
    read = read_ratings(file.file, None)
    assert [(one.image, one.text, one.rating, one.worker) for one in read] == [
        (str(photos[1]), "dog", 1.0, "Ada"),
        (str(photos[0]), "dog", 0.5, "Ada"),
        (str(photos[1]), "cat", 0.0, "Ada"),
    ]
    assert set(VERDICTS.values()) == {one.rating for one in read}
    with pytest.raises(BadData, match="leave out --scale"):
        read_ratings(file.file, (1, 5))
    for photo in photos:
        photo.unlink()
    with pytest.raises(BadData, match="still there"):
        read_ratings(file.file, None)


def test_partly_in_a_file_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    own = tmp_path / "own.csv"
    own.write_text("image,text,rating\na.jpg,dog,partly\na.jpg,cat,No\n")
    assert [one.rating for one in read_ratings(own, None)] == [0.5, 0.0]
