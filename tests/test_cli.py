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

from pixquery.commands.entry import main
from tests.conftest import COLOURS, REPOSITORY, Invoke, Snapshot, Spawn, parsed, square


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
    for name in ("interrupted", "lacking", "linked", "vanished", "away", "text", "unmatched",
                 "passed_over", "other_names", "mended", "described"):  # fmt: skip # no contract
        found.pop(name, None)
    assert found == {
        "library": str(tmp_path / "l"),
        "profile": "colours",
        "quality": "normal",
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
        "searched": "NoneType",
        "recognised": [],
        "suggestions": [],
        "hints": [],
        "fits": "int",
        "hits": [{
            "rank": "int", "id": "int", "path": "str", "relevance": "float",
            "similarity": "float", "width": "int", "height": "int", "modified": "str",
            "taken": "NoneType", "standing": "str", "matched": [{"kind": "str", "words": "str"}],
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
        "relevance": "bool",
        "relevant": "int",
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
        "relevance": "bool",
        "trained": "NoneType",
        "quality": "str",
        "images": "int",
        "earlier": "int",
        "roots": [{"path": "str", "images": "int"}],
        "vectors": {"index": "str", "dimension": "int", "bytes": "int"},
        "catalogue_bytes": "int",
        "updated": "str",
        "text": {"on": "bool", "read": "int"},
        "switching": "NoneType",
        "concepts": [],
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
    assert "1.00 ━━━━ fits very well" in re.sub(r"\x1b\[[0-9;]*m", "", shown)
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
