"""`models list`: the profiles that are there, and the models that can be added by name."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pixquery.engine.speeds import note_speed
from pixquery.trainer.adopting.known import KNOWN, RECOMMENDED
from tests.conftest import Invoke, parsed, write_profile

Add = Callable[..., Path]


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Add:
    """Adds a profile of colours with further entries in its manifest."""
    monkeypatch.setenv("PIXQUERY_PROFILES", str(tmp_path / "profiles"))
    monkeypatch.setenv("PIXQUERY_CACHE", str(tmp_path / "cache"))

    def write(name: str, **entries: Any) -> Path:
        folder = write_profile(tmp_path / "profiles" / name, name, english=True)
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["text"] |= entries.pop("text", {})
        (folder / "manifest.json").write_text(json.dumps({**manifest, **entries}))
        return folder

    return write


def listed(invoke: Invoke) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in parsed(invoke("models", "list", "--json"))}


def line(text: str, name: str) -> str:
    (found,) = [each for each in text.splitlines() if each.startswith(f"{name} ")]
    return found


def test_json_has_what_is_known_of_each(add: Add, invoke: Invoke) -> None:
    add("mine")
    rows = parsed(invoke("models", "list", "--json"))
    assert [row["name"] for row in rows] == ["lite2-minilm", "mine", *KNOWN]
    assert len({tuple(sorted(row)) for row in rows}) == 1
    shipped, mine, best = rows[0], rows[1], rows[2]
    assert {name: shipped[name] for name in (
        "default", "installed", "recommended", "languages", "download_bytes", "recall",
        "images_per_second", "checked", "aligned", "relevance", "trained",
    )} == {
        "default": True, "installed": True, "recommended": False, "languages": ["en"],
        "download_bytes": None, "recall": None, "images_per_second": None, "checked": None,
        "aligned": True, "relevance": True, "trained": None,
    }  # fmt: skip
    assert (mine["installed"], mine["default"], mine["description"]) == (
        True, False, "Colours and their words",
    )  # fmt: skip
    assert best["name"] == RECOMMENDED
    known = KNOWN[RECOMMENDED]
    assert best == {
        "name": RECOMMENDED, "description": known.what, "licence": known.licence,
        "dimension": None, "bytes": None, "default": False, "qualities": None, "folder": None,
        "aligned": None, "relevance": None, "trained": None, "installed": False,
        "recommended": True, "languages": ["mul"], "download_bytes": known.download,
        "recall": {"coco": known.coco, "flickr30k": None}, "images_per_second": None,
        "checked": None,
    }  # fmt: skip
    assert [row["name"] for row in rows if row["recommended"]] == [RECOMMENDED]


def test_a_known_model_that_is_installed_is_listed_once(add: Add, invoke: Invoke) -> None:
    source = {"what": "both encoders", "from": KNOWN["clip-b32"].repo}
    add("clip-b32", sources=[source])
    row = listed(invoke)["clip-b32"]
    assert (row["installed"], row["recall"]) == (True, {"coco": None, "flickr30k": 0.588})
    assert row["download_bytes"] == KNOWN["clip-b32"].download
    text = invoke("models", "list").stdout
    assert re.search(r"yes +0 MB +- +Flickr30k 58\.8 +English +CC0-1\.0", line(text, "clip-b32"))


@pytest.mark.parametrize("sources", [[{"from": "somebody/else"}], [], 5, ["x"], [{"from": {}}]])
def test_another_model_of_a_known_name_gets_no_published_figures(
    sources: Any, add: Add, invoke: Invoke
) -> None:
    add(RECOMMENDED, sources=sources)
    row = listed(invoke)[RECOMMENDED]
    assert (row["installed"], row["recommended"], row["recall"]) == (True, False, None)


@pytest.mark.parametrize(
    ("codes", "words"),
    [(["en"], "English"), (["mul"], "109 languages"), (["en", "de"], "2 languages"), (["de"], "de"),
     ([], "?")],
)  # fmt: skip
def test_languages(codes: list[str], words: str, add: Add, invoke: Invoke) -> None:
    add("mine", text={"languages": codes})
    assert f"  {words}  " in line(invoke("models", "list").stdout, "mine")
    assert listed(invoke)["mine"]["languages"] == codes


def test_notes_are_of_those_that_need_them(add: Add, invoke: Invoke) -> None:
    plain = invoke("models", "list").stdout
    add("kept", checked={"conversion": {}, "reference": None, "examples": {}})
    add("compared", checked={"conversion": {}, "reference": {"lowest": 1.0}})
    add("odd", checked="yes")
    text = invoke("models", "list").stdout
    assert "\nkept: not compared with its makers' code\n" in text
    assert text.count("not compared") == 1
    assert "not compared" not in plain
    assert listed(invoke)["compared"]["checked"] == {"conversion": {}, "reference": {"lowest": 1.0}}
    assert f"{RECOMMENDED}, " in line(plain, "*") + ", "
    assert "add one: pixquery models add NAME\n" in plain


def test_the_speed_is_what_index_measured(
    add: Add, tmp_path: Path, many: Path, invoke: Invoke
) -> None:
    add("mine")
    assert listed(invoke)["mine"]["images_per_second"] is None
    done = invoke("index", many, "--library", tmp_path / "library", "--profile", "mine")
    assert done.exit_code == 0, done.output
    speed = listed(invoke)["mine"]["images_per_second"]
    assert speed > 10
    assert f" {speed:.0f}  " in line(invoke("models", "list").stdout, "mine")
    encoder = b"mine".hex().ljust(16, "0")
    note_speed(encoder, "cpu", 100, 62.5)
    assert " 1.6  " in line(invoke("models", "list").stdout, "mine")
    again = invoke("index", many, "--library", tmp_path / "library")
    assert again.exit_code == 0
    assert listed(invoke)["mine"]["images_per_second"] == 1.6  # nothing was encoded


def test_few_photos_are_no_measure(add: Add, tmp_path: Path, squares: Path, invoke: Invoke) -> None:
    add("mine")
    assert invoke("index", squares, "--library", tmp_path / "l", "--profile", "mine").exit_code == 0
    assert listed(invoke)["mine"]["images_per_second"] is None


def test_a_damaged_profile_does_not_hide_the_others(add: Add, invoke: Invoke) -> None:
    (add("broken") / "manifest.json").write_text("{")
    (add("half") / "alignment.safetensors").unlink()
    done = invoke("models", "list")
    assert done.exit_code == 0
    assert [word in done.stderr for word in ("broken", "half")] == [True, True]
    assert done.stderr.count("\n") == 2
    assert "lite2-minilm" in done.stdout


def test_pipes_get_every_word_on_one_line(add: Add, invoke: Invoke) -> None:
    add("a-name-that-is-longer-than-any-other-one")
    lines = invoke("models", "list").stdout.split("\n\n")[0].splitlines()
    assert lines[0].split() == [
        "profile", "installed", "size", "photos/s", "recall@1", "languages", "licence",
        "description",
    ]  # fmt: skip
    assert len(lines) == 3 + len(KNOWN)
    place = lines[0].index("description")
    assert all(each[place - 1] == " " != each[place] for each in lines)


@pytest.mark.parametrize("columns", [30, 40, 79, 80, 100, 200])
def test_no_word_is_cut_on_a_terminal(columns: int, add: Add) -> None:
    pytest.importorskip("pty", reason="there are no pseudo terminals")
    from tests.test_terminal import on_terminal

    add("mine")
    code, sent = on_terminal("models", "list", columns=columns)
    assert code == 0
    table, _, _ = sent.partition("\n\n")
    assert max(map(len, table.splitlines())) <= columns
    words = set(re.findall(r"[^\s,]+", table))
    assert {
        "lite2-minilm",
        "mine",
        "recommended",
        "Apache-2.0*",
        "Flickr30k",
        "109",
        *KNOWN,
    } <= words
