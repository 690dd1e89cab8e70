"""Exit codes and error messages of the command line, and output that goes nowhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import REPOSITORY, Invoke, Spawn, parsed, sentence, square


def test_nothing_found_exits_with_3(
    place: Path, tmp_path: Path, colours: Path, invoke: Invoke
) -> None:
    library = ("--library", place)
    low = invoke("query", "unheard of", *library, "--min-relevance", "0.5")
    assert low.exit_code == 3
    assert "--min-relevance" in sentence(low.stderr)
    beyond = invoke("query", "red", *library, "--offset", "8")
    assert beyond.exit_code == 3
    assert "--offset" in sentence(beyond.stderr)
    as_json = invoke("query", "red", *library, "--offset", "8", "--json")
    assert as_json.exit_code == 3
    assert parsed(as_json)["hits"] == []


@pytest.mark.parametrize(
    "words",
    [
        ("query", ""),
        ("query", "x" * 1001),
        ("query",),
        ("query", "red", "-k", "0"),
        ("query", "red", "--min-relevance", "1.5"),
        ("index", "--library", "nowhere"),  # it has no folders yet
        ("index", ".", "--batch-size", "0"),
        ("nonsense",),
        ("query", "red", "--nonsense"),
        ("train", "."),
    ],
)
def test_wrong_usage_exits_with_2(words: tuple[str, ...], place: Path, invoke: Invoke) -> None:
    run = invoke(*words, PIXQUERY_LIBRARY=str(place))
    assert run.exit_code == 2
    assert run.stdout == ""
    assert run.stderr
    assert "Traceback" not in run.stderr


def test_without_a_folder_all_folders_of_the_library_are_updated(
    place: Path, squares: Path, tmp_path: Path, invoke: Invoke
) -> None:
    square(tmp_path / "other" / "grey.png", (90, 20, 20))
    assert invoke("index", tmp_path / "other", "--library", place).exit_code == 0
    square(squares / "new.png", (1, 2, 3))
    found = parsed(invoke("index", "--library", place, "--json"))
    assert (found["added"], found["unchanged"]) == (1, 9)


def test_photos_of_an_unplugged_disk_are_reported_and_kept(
    place: Path, squares: Path, tmp_path: Path, invoke: Invoke
) -> None:
    square(tmp_path / "other" / "grey.png", (90, 20, 20))
    assert invoke("index", tmp_path / "other", "--library", place).exit_code == 0
    squares.rename(tmp_path / "away")
    updated = invoke("index", "--library", place)
    assert updated.exit_code == 0  # the other folder was updated
    assert sentence(updated.stderr) == (
        f"pixquery: {squares} is not there (an unplugged disk?): its 8 photos are kept; "
        "index again when it is back, or forget them with --prune\n"
    )
    alone = invoke("index", squares, "--library", place, "--json")
    assert alone.exit_code == 1
    assert parsed(alone)["vanished"] == [
        {"path": str(squares), "images": 8, "reason": "is not there (an unplugged disk?)"}
    ]
    pruned = parsed(invoke("index", "--library", place, "--prune", "--json"))
    assert (pruned["removed"], pruned["images"], pruned["vanished"]) == (8, 1, [])
    roots = parsed(invoke("info", "--library", place, "--json"))["roots"]
    assert [root["path"] for root in roots] == [str(tmp_path / "other")]


def test_errors_exit_with_1_and_one_sentence(
    place: Path, tmp_path: Path, squares: Path, tints: Path, invoke: Invoke
) -> None:
    missing = tmp_path / "missing"
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.csv").write_text("query_id,query_text,image\n1,,\n")
    (tmp_path / "pairs.csv").write_text(f"image,text\n{tmp_path / 'bad.csv'},red\n")
    in_place = ("--library", place)
    for words, message in (
        (("query", "red", "--library", missing), "there is no library"),
        (("info", "--library", missing), "there is no library"),
        (("verify", "--library", missing), "there is no library"),
        (("index", missing, *in_place), "does not exist"),
        (("index", tmp_path / "empty", *in_place), "there are no photos under"),
        (("index", squares, *in_place, "--profile", tints), "was made with the profile"),
        (("index", squares, *in_place, "--profile", "unheard"), "there is no profile 'unheard'"),
        (("evaluate", missing, *in_place), "cannot be read"),
        (("evaluate", tmp_path / "bad.csv", *in_place), "line 2: a column is empty"),
        (("score", missing, *in_place), "cannot be read"),
        (("score", tmp_path / "pairs.csv", *in_place), "bad.csv: not a JPEG"),
        (("train", missing, "--out", tmp_path / "out"), "cannot be read"),
    ):
        run = invoke(*words)
        assert run.exit_code == 1, words
        assert message in sentence(run.stderr)
        assert run.stdout == ""
    assert not missing.exists()


def test_a_wrong_path_creates_no_library(tmp_path: Path, invoke: Invoke) -> None:
    library = tmp_path / "library"
    (tmp_path / "empty").mkdir()
    for wrong in (tmp_path / "missing", tmp_path / "empty"):
        assert invoke("index", wrong, "--library", library).exit_code == 1
        assert not library.exists()


def test_debugging_shows_the_traceback(tmp_path: Path, spawn: Spawn) -> None:
    words = ("query", "red", "--library", tmp_path / "none")
    plain = spawn(*words)
    assert plain.returncode == 1
    sentence(plain.stderr)
    debugged = spawn(*words, PIXQUERY_DEBUG="1")
    assert debugged.returncode == 1
    assert "Traceback" in debugged.stderr
    assert "LibraryNotFound" in debugged.stderr


def test_a_damaged_profile_is_a_sentence(
    place: Path, squares: Path, colours: Path, tmp_path: Path, spawn: Spawn
) -> None:
    import shutil

    for name in ("text.onnx", "tokenizer.json", "image.onnx"):
        profile = shutil.copytree(colours, tmp_path / f"damaged {name}")
        (profile / name).write_bytes(b"\x08" * 100)
        library = tmp_path / f"library of {name}"
        run = spawn("index", squares, "--library", library, "--profile", profile)
        if run.returncode == 0:
            run = spawn("query", "red", "--library", library)
        assert run.returncode == 1
        assert name in sentence(run.stderr)
        assert "This is a bug" not in run.stderr


def test_damaged_photos_print_no_warnings(
    tmp_path: Path, squares: Path, colours: Path, spawn: Spawn
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 1
    square(squares / "exif.jpg", (9, 9, 9), exif=exif)
    content = bytearray((squares / "exif.jpg").read_bytes())
    start = content.index(b"Exif\0\0") + 6
    content[start + 4 : start + 12] = b"\xff" * 8
    (squares / "exif.jpg").write_bytes(content)
    tiff = bytearray(square(squares / "damaged.tiff", (9, 9, 9)).read_bytes())
    tiff[-40:] = b"\xff" * 40
    (squares / "damaged.tiff").write_bytes(tiff)
    run = spawn("index", squares, "--library", tmp_path / "l", "--profile", colours)
    assert run.returncode == 0
    assert all(line.startswith("skipped ") for line in run.stderr.splitlines()), run.stderr


def test_names_that_the_output_cannot_encode_are_escaped(
    tmp_path: Path, colours: Path, spawn: Spawn
) -> None:
    """Pipes on Windows may only accept the characters of one code page."""
    photo = square(tmp_path / "photos" / "\u8d64.png", "red")
    library = tmp_path / "library"
    index = ("index", photo.parent, "--library", library, "--profile", colours)
    assert spawn(*index, PYTHONIOENCODING="cp1252").returncode == 0
    done = spawn("query", "red", "--library", library, PYTHONIOENCODING="cp1252")
    assert done.returncode == 0, done.stderr
    assert "\\u8d64.png" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="broken pipes differ on other systems")
def test_a_closed_pipe_is_no_error(place: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    run = subprocess.run(
        [sys.executable, str(REPOSITORY / "cli.py"), "query", "red", "--library", str(place)],
        stdout=theirs, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip
    os.close(theirs)
    assert run.stderr == ""
    assert run.returncode == 0


def test_progress_stays_off_pipes(
    tmp_path: Path, squares: Path, colours: Path, spawn: Spawn
) -> None:
    run = spawn("index", squares, "--library", tmp_path / "l", "--profile", colours, "--json")
    assert parsed(run)["added"] == 8
    assert run.stderr == ""


def test_queries_can_contain_anything(place: Path, invoke: Invoke) -> None:
    for text in ("写真", "red\nblue", "'; DROP TABLE images; --", "\u202ered", "%s", "🎉"):
        run = invoke("query", "--library", place, "--json", "--", text)
        assert run.exit_code == 0
        assert parsed(run)["query"] == text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("qurey", "red"), "'qurey' is no command. Did you mean `query`?"),
        (("a", "red", "balloon"), "to find photos, type `pixquery query` before the words"),
        (("xyzzy",), "'xyzzy' is no command: `pixquery --help` lists them"),
        (("query", "red", "-k", "many"), "'many' is not a whole number."),
        (("query", "red", "--min-relevance", "much"), "'much' is not a number."),
        (("train", ".", "--out", "out", "--seed", "x"), "'x' is not a whole number."),
        (("train", ".", "--out", "out", "--seed", "-1"), "-1 is not from 0 to 4,294,967,295."),
        (("query", "red", "--plus", "blue::"), "a weight must follow :: in 'blue::'"),
        (("query", "caf\udce9"), "the query 'caf\\udce9' is not valid UTF-8"),
        (("query", "red", "--camera", "\udce9"), "the camera '\\udce9' is not valid UTF-8"),
        (("query", "red", "--offset", str(2**70)), "offset must be from 0 to 1,000,000,000"),
        (("query", "--path", "*", "-k", str(2**70)), "k must be from 1 to 1,000,000,000"),
        (("query", "red", "--like-id", str(2**70)), "no photo with the id"),
    ],
)
def test_wrong_values_are_plain_sentences(
    words: tuple[str, ...], message: str, place: Path, spawn: Spawn
) -> None:
    run = spawn(*words, PIXQUERY_LIBRARY=str(place))
    assert run.returncode == 2
    assert run.stdout == ""
    assert message in run.stderr
    assert "This is a bug" not in run.stderr


def test_a_report_that_cannot_be_written_is_refused_before_the_work(
    place: Path, tmp_path: Path, invoke: Invoke
) -> None:
    (tmp_path / "file").write_text("")
    for report in (tmp_path / "file", tmp_path / "file" / "inside", Path(os.devnull)):
        run = invoke("evaluate", tmp_path / "none.csv", "--report", report, "--library", place)
        assert run.exit_code == 1
        assert "name another with --report DIR" in sentence(run.stderr)
