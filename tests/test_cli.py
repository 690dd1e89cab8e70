"""The command line as people and programs use it: text, JSON, exit codes."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from PIL import Image

from pixquery.commands.entry import main
from tests.conftest import COLOURS, REPOSITORY, Invoke, Snapshot, Spawn, parsed, square


@pytest.fixture
def place(tmp_path: Path, squares: Path, colours: Path, invoke: Invoke) -> Path:
    """A library of the squares."""
    folder = tmp_path / "library"
    done = invoke("index", squares, "--library", folder, "--profile", colours)
    assert done.exit_code == 0, done.output
    return folder


def tidy(text: str, *folders: Path) -> str:
    """Replaces what differs from run to run: folders, times, sizes and dates."""
    for folder in folders:
        text = text.replace(str(folder), "DIR")
    for pattern, word in (
        (r"\d+\.\d s", "N s"),
        (r"[\d,]+ photos/s", "N photos/s"),
        (r"\d+\.\d+ ms", "N ms"),
        (r"\d+\.\d MB", "N MB"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", "TIME"),
    ):
        text = re.sub(pattern, word, text)
    return text


def shape(value: Any) -> Any:
    """The names and types in a JSON document."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def sentence(text: str) -> str:
    """Checks that an error is one line without a traceback."""
    assert text.startswith("pixquery: "), text
    assert text.count("\n") == 1, text
    assert "Traceback" not in text
    return text


# -- text ------------------------------------------------------------------------------------


def test_text_of_indexing(
    tmp_path: Path, squares: Path, colours: Path, invoke: Invoke, snapshot: Snapshot
) -> None:
    (squares / "broken.jpg").write_bytes(b"no photo")
    library = ("--library", tmp_path / "library")
    first = invoke("index", squares, *library, "--profile", colours)
    (squares / "broken.jpg").unlink()
    square(squares / "new.png", (1, 2, 3))
    next(squares.rglob("red.*")).unlink()
    next(squares.rglob("blue.*")).rename(squares / "moved.gif")
    second = invoke("index", squares, *library)
    third = invoke("index", squares, *library)
    text = ""
    for run in (first, second, third):
        assert run.exit_code == 0
        text += f"{run.stdout}--- on stderr\n{run.stderr}\n"
    snapshot("index", tidy(text, tmp_path))


def test_text_of_a_query(place: Path, tmp_path: Path, invoke: Invoke, snapshot: Snapshot) -> None:
    run = invoke("query", "red", "--library", place, "-k", "1")
    assert run.exit_code == 0
    assert run.stderr == ""
    snapshot("query", tidy(run.stdout, tmp_path))


def test_text_of_info_verify_and_evaluate(
    place: Path, tmp_path: Path, squares: Path, invoke: Invoke, snapshot: Snapshot
) -> None:
    text = invoke("info", "--library", place).stdout + "\n"
    text += invoke("verify", "--library", place).stdout + "\n"
    queries = queries_file(tmp_path, squares)
    text += invoke("evaluate", queries, "--library", place).stdout + "\n"
    next(squares.rglob("red.*")).unlink()
    text += invoke("verify", "--library", place).stdout
    snapshot("reports", tidy(text, tmp_path))


def test_help(invoke: Invoke, snapshot: Snapshot) -> None:
    texts = [invoke("--help").output]
    for name in main.list_commands(context := click.Context(main)):
        command = main.get_command(context, name)
        texts.append(invoke(name, "--help").output)
        inner = sorted(getattr(command, "commands", {}))
        texts += [invoke(name, each, "--help").output for each in inner]
    snapshot("help", "\n".join(texts))


def test_the_version_is_shown_in_a_clone(spawn: Spawn) -> None:
    run = spawn("--version")
    assert run.returncode == 0, run.stderr
    assert re.fullmatch(r"pixquery, version \d+\.\d+\.\d+\S*\n", run.stdout)


# -- JSON -------------------------------------------------------------------------------------


def queries_file(folder: Path, squares: Path) -> Path:
    file = folder / "queries.csv"
    names = {path.stem: path.name for path in squares.rglob("*.*")}
    lines = [f"{number}|{c}|{names[c]}" for number, c in enumerate(COLOURS)]
    file.write_text("\n".join(["query_id|query_text|image", *lines]) + "\n")
    return file


def test_json_of_index(tmp_path: Path, squares: Path, colours: Path, invoke: Invoke) -> None:
    (squares / "broken.jpg").write_bytes(b"no photo")
    found = parsed(
        invoke("index", squares, "--library", tmp_path / "l", "--profile", colours, "--json")
    )
    assert found.pop("seconds") > 0
    assert found.pop("images_per_second") > 0
    for name in ("interrupted", "lacking", "linked", "vanished"):  # not part of the contract
        found.pop(name, None)
    assert found == {
        "library": str(tmp_path / "l"),
        "profile": "colours",
        "added": 8,
        "updated": 0,
        "moved": 0,
        "unchanged": 0,
        "removed": 0,
        "skipped": [{
            "path": str(squares / "broken.jpg"),
            "reason": "not a JPEG, PNG, GIF, WebP, BMP, TIFF, HEIC, AVIF, JPEG XL or camera RAW "
            "image, whatever its name says",
        }],
        "images": 8,
    }  # fmt: skip


def test_json_of_query(place: Path, invoke: Invoke, squares: Path) -> None:
    found = parsed(invoke("query", "red", "--library", place, "-k", "2", "--json"))
    assert shape(found) == {
        "query": "str",
        "profile": "str",
        "candidates": "int",
        "among": "int",
        "hits": [{
            "rank": "int", "id": "int", "path": "str", "relevance": "float",
            "similarity": "float", "width": "int", "height": "int", "modified": "str",
            "taken": "NoneType",
        }],
        "milliseconds": {
            "encode": "float", "prefilter": "float", "rerank": "float", "total": "float",
        },
    }  # fmt: skip
    assert (found["query"], found["profile"], found["candidates"]) == ("red", "colours", 8)
    best = found["hits"][0]
    assert best["path"] == str(next(squares.rglob("red.*")))
    assert (best["rank"], best["width"], best["height"]) == (1, 24, 16)
    assert [hit["rank"] for hit in found["hits"]] == [1, 2]


def test_json_of_evaluate(place: Path, tmp_path: Path, squares: Path, invoke: Invoke) -> None:
    done = invoke(
        "evaluate", queries_file(tmp_path, squares), "--library", place, "--json",
        "--report", tmp_path / "new" / "report",
    )  # fmt: skip
    found = parsed(done)
    measures = ("recall@1", "recall@5", "recall@10", "mrr", "ndcg@10")
    stage = dict.fromkeys([*measures, "median_rank"], "float")
    bounds = {name: ["float"] for name in measures}
    assert shape(found) == {
        "queries": "int",
        "images": "int",
        "profile": "str",
        "first_stage": stage,
        "reranked": stage,
        "ci95": {"first_stage": bounds, "reranked": bounds},
        "milliseconds": {"p50": "float", "p95": "float"},
    }
    assert (found["queries"], found["images"]) == (8, 8)
    assert found["reranked"]["recall@1"] == 1
    report = tmp_path / "new" / "report"
    assert json.loads((report / "evaluation.json").read_text()) == found
    assert len((report / "ranks.csv").read_text().splitlines()) == 9


def test_json_of_info(place: Path, squares: Path, invoke: Invoke) -> None:
    found = parsed(invoke("info", "--library", place, "--json"))
    assert shape(found) == {
        "library": "str",
        "profile": "str",
        "images": "int",
        "roots": [{"path": "str", "images": "int"}],
        "vectors": {"index": "str", "dimension": "int", "bytes": "int"},
        "catalogue_bytes": "int",
        "updated": "str",
        "switching": "NoneType",
    }
    assert found["roots"] == [{"path": str(squares), "images": 8}]


def test_json_of_models_list(invoke: Invoke) -> None:
    (first, *_) = parsed(invoke("models", "list", "--json"))
    assert {"name", "description", "licence", "dimension", "bytes"} <= first.keys()


def test_an_environment_variable_chooses_the_library(place: Path, invoke: Invoke) -> None:
    found = parsed(invoke("info", "--json", PIXQUERY_LIBRARY=str(place)))
    assert found["library"] == str(place)


# -- output formats -------------------------------------------------------------------------


def test_paths(place: Path, invoke: Invoke) -> None:
    found = parsed(invoke("query", "red", "--library", place, "--json"))
    paths = [hit["path"] for hit in found["hits"]]
    lines = invoke("query", "red", "--library", place, "--paths")
    assert lines.stdout == "".join(path + "\n" for path in paths)
    nul = invoke("query", "red", "--library", place, "--paths", "-0")
    assert nul.stdout == "".join(path + "\0" for path in paths)


def test_ndjson(place: Path, invoke: Invoke) -> None:
    found = parsed(invoke("query", "red", "--library", place, "--json"))
    lines = invoke("query", "red", "--library", place, "--ndjson").stdout.splitlines()
    assert [json.loads(line) for line in lines] == found["hits"]


def test_a_page_of_hits(place: Path, invoke: Invoke) -> None:
    def paths(*words: str) -> list[str]:
        return invoke("query", "red", "--library", place, "--paths", *words).stdout.splitlines()

    assert paths("-k", "2", "--offset", "3") == paths("-k", "8")[3:5]
    assert paths("--no-rerank") == paths(
        "--rerank"
    )  # the same order, because relevance is similarity here
    assert len(paths("--min-relevance", "0.9")) == 1


def test_a_table_without_a_terminal_is_tab_separated(place: Path, invoke: Invoke) -> None:
    rows = list(
        csv.reader(io.StringIO(invoke("query", "red", "--library", place).stdout), "excel-tab")
    )
    assert len(rows) == 8
    assert [row[0] for row in rows] == [str(rank) for rank in range(1, 9)]
    assert all(len(row) == 4 and 0 <= float(row[1]) <= 1 for row in rows)


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has pseudo-terminals")
@pytest.mark.parametrize("colourless", [False, True])
def test_a_table_on_a_terminal(place: Path, colourless: bool) -> None:
    import pty

    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", **({"NO_COLOR": "1"} if colourless else {})}
    subprocess.run(
        [sys.executable, str(REPOSITORY / "cli.py"), "query", "red", "--library", str(place)],
        stdin=theirs, stdout=theirs, stderr=theirs, env=env, check=True, timeout=60,
    )  # fmt: skip
    os.close(theirs)
    shown = ""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the end, on Linux
            break
        if not part:
            break
        shown += part.decode()
    os.close(ours)
    assert "relevance" in shown
    assert "24 x 16" in shown
    assert ("\x1b[32m" in shown) is not colourless


# -- score ------------------------------------------------------------------------------------


def test_score(place: Path, tmp_path: Path, squares: Path, invoke: Invoke) -> None:
    red = next(squares.rglob("red.*"))
    file = tmp_path / "pairs.csv"
    # The first path is relative to the file's folder. Commas and quotes are part of the text.
    file.write_text(f'image,text\n{red.relative_to(tmp_path)},"a ""red"", thing"\n{red},cyan\n')
    scored = invoke("score", file, "--library", place)
    assert scored.exit_code == 0, scored.stderr
    rows = list(csv.DictReader(io.StringIO(scored.stdout)))
    assert list(rows[0]) == ["image", "text", "similarity", "relevance"]
    assert [row["image"] for row in rows] == [str(red.relative_to(tmp_path)), str(red)]
    assert [row["text"] for row in rows] == ['a "red", thing', "cyan"]
    assert float(rows[0]["similarity"]) == pytest.approx(1, abs=0.02)
    assert float(rows[1]["similarity"]) == pytest.approx(-1, abs=0.02)
    assert float(rows[1]["relevance"]) == 0
    as_json = parsed(invoke("score", file, "--library", place, "--json"))
    assert [row["text"] for row in as_json] == ['a "red", thing', "cyan"]


def test_score_needs_no_library(
    tmp_path: Path, squares: Path, colours: Path, invoke: Invoke
) -> None:
    red = next(squares.rglob("red.*"))
    (tmp_path / "pairs.csv").write_text(f"image,text\n{red},red\n")
    scored = invoke(
        "score", tmp_path / "pairs.csv", "--profile", colours, "--library", tmp_path / "none"
    )
    assert scored.exit_code == 0
    assert not (tmp_path / "none").exists()


# -- errors and exit codes --------------------------------------------------------------------


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
