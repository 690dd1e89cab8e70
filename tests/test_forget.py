"""Forgetting a folder of a library."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pixquery import Library
from pixquery.engine.roots import forget
from pixquery.indexer.build import index
from tests.conftest import REPOSITORY, Invoke, parsed, sentence, square


@pytest.fixture
def other(place: Path, squares: Path, invoke: Invoke) -> Path:
    """Another folder of the library, with one photo."""
    folder = square(squares.parent / "other" / "grey.png", (90, 20, 20)).parent
    assert invoke("index", folder, "--library", place).exit_code == 0
    return folder


def roots(place: Path) -> dict[Path, int]:
    with Library.open(place) as library:
        assert library.verify() == []
        assert len(library.index) == len(library)
        return {root.path: root.images for root in library.catalog.roots()}


@pytest.mark.parametrize("there", [True, False], ids=["there", "not there"])
def test_a_folder_is_forgotten_whether_it_is_there_or_not(
    there: bool, place: Path, squares: Path, other: Path, invoke: Invoke
) -> None:
    files = {file: file.read_bytes() for file in squares.rglob("*.*")}
    if not there:
        shutil.rmtree(squares)
    run = invoke("forget", squares, "--library", place)
    assert run.exit_code == 0, run.output
    assert run.stdout.splitlines() == [
        f"forgot {squares} and its 8 photos",
        f"1 photo in {place}; `pixquery index {squares}` adds the folder again",
    ]
    assert roots(place) == {other: 1}
    if there:
        assert {file: file.read_bytes() for file in squares.rglob("*.*")} == files
    found = parsed(invoke("query", "red", "--library", place, "--json"))
    assert [Path(hit["path"]).name for hit in found["hits"]] == ["grey.png"]


def test_the_last_folder_can_be_forgotten(place: Path, squares: Path, invoke: Invoke) -> None:
    told = parsed(invoke("forget", squares, "--library", place, "--json"))
    assert told == {"library": str(place), "path": str(squares), "removed": 8, "images": 0}
    assert roots(place) == {}
    assert invoke("query", "red", "--library", place).exit_code == 3
    assert invoke("index", squares, "--library", place).exit_code == 0
    assert roots(place) == {squares: 8}


def test_skipped_files_are_forgotten_too(place: Path, squares: Path, invoke: Invoke) -> None:
    (squares / "broken.jpg").write_bytes(b"x")
    invoke("index", "--library", place)
    invoke("forget", squares, "--library", place)
    with Library.open(place) as library:
        assert not library.catalog.holds(squares)


def test_a_part_of_a_folder_cannot_be_forgotten(place: Path, squares: Path, invoke: Invoke) -> None:
    run = invoke("forget", squares / "deep", "--library", place)
    assert (run.exit_code, run.stdout) == (1, "")
    line = sentence(run.stderr)
    assert f"{squares / 'deep'} is only a part of the library's folder {squares}" in line
    assert f"add the line /deep/ to {squares / '.pixqueryignore'}" in line
    assert roots(place) == {squares: 8}
    # What the sentence says works.
    (squares / ".pixqueryignore").write_text("/deep/\n")
    assert parsed(invoke("index", squares, "--library", place, "--json"))["removed"] > 0
    assert roots(place)[squares] < 8


def test_names_with_the_signs_of_ignore_files_are_written_as_these_take_them(
    place: Path, squares: Path, invoke: Invoke
) -> None:
    square(squares / "a[1]*" / "grey.png", (90, 20, 20))
    square(squares / "a1x" / "grey.png", (90, 30, 20))
    invoke("index", squares, "--library", place)
    line = sentence(invoke("forget", squares / "a[1]*", "--library", place).stderr)
    written = line.partition("add the line ")[2].partition(" to /")[0]
    (squares / ".pixqueryignore").write_text(f"{written}\n")
    invoke("index", squares, "--library", place)
    with Library.open(place) as library:
        assert [r.path.parent.name for r in library if r.path.name == "grey.png"] == ["a1x"]


@pytest.mark.parametrize("name", ["nowhere", ".", "~nobody-like-that"])
def test_an_unknown_folder_is_named_with_the_known_ones(
    name: str, place: Path, squares: Path, invoke: Invoke
) -> None:
    run = invoke("forget", name, "--library", place)
    assert run.exit_code == 1
    assert f"is no folder of the library: its folders are {squares}" in sentence(run.stderr)


def test_a_folder_is_known_by_a_link_to_it(place: Path, squares: Path, invoke: Invoke) -> None:
    link = squares.parent / "link"
    link.symlink_to(squares, target_is_directory=True)
    assert invoke("forget", link, "--library", place).exit_code == 0
    assert roots(place) == {}


def test_without_a_library_none_is_made(tmp_path: Path, invoke: Invoke) -> None:
    run = invoke("forget", tmp_path, "--library", tmp_path / "none")
    assert run.exit_code == 1
    assert "there is no library" in sentence(run.stderr)
    assert not (tmp_path / "none").exists()


def test_another_writer_is_waited_for_by_the_user(
    place: Path, squares: Path, invoke: Invoke
) -> None:
    with Library.open(place) as library, library.writing():
        run = invoke("forget", squares, "--library", place)
    assert run.exit_code == 75
    assert roots(place) == {squares: 8}


def test_photos_that_are_added_again_get_other_ids(place: Path, squares: Path) -> None:
    with Library.open(place) as library:
        before = {record.id for record in library}
        assert forget(library, squares) == (squares, 8)
        index(library, [squares])
        assert before.isdisjoint(record.id for record in library)


@pytest.mark.skipif(os.name != "posix", reason="a terminal is made with a pty")
@pytest.mark.parametrize(
    ("words", "answer", "code", "left"),
    [((), b"n\n", 1, 8), ((), b"y\n", 0, 0), ((), b"\n", 1, 8), (("--yes",), b"", 0, 0)],
)
def test_on_a_terminal_the_user_is_asked(
    words: tuple[str, ...], answer: bytes, code: int, left: int, place: Path, squares: Path
) -> None:
    import pty

    main, terminal = pty.openpty()
    try:
        os.write(main, answer)
        run = subprocess.run(
            [sys.executable, REPOSITORY / "cli.py", "forget", squares, "--library", place, *words],
            stdin=terminal, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
    finally:
        os.close(main)
        os.close(terminal)
    assert run.returncode == code
    assert ("forget the 8 photos of" in run.stderr) is not bool(words)
    assert "Traceback" not in run.stderr
    assert sum(roots(place).values()) == left
