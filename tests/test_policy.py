"""The stop-word policy of a library, and the command that switches it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pixquery import Library
from pixquery.db.errors import BadData, LibraryLocked, QueryRefused
from pixquery.engine.policy import SHIPPED, STOP_WORDS, Policy
from pixquery.indexer.build import index
from tests.conftest import REPOSITORY, Invoke, NewLibrary, Spawn, parsed

CHILDREN = Policy.load(SHIPPED)


@pytest.fixture
def library(new_library: NewLibrary, squares: Path) -> Library:
    made = new_library()
    index(made, [squares])
    return made


def test_libraries_begin_without_a_policy(library: Library) -> None:
    assert not library.policed
    assert library.search("a red boy", k=1).hits
    assert not (library.folder / STOP_WORDS).exists()


def test_a_policy_refuses_and_says_what_to_do(library: Library) -> None:
    library.switch_policy(on=True)
    assert library.policed
    assert (library.folder / STOP_WORDS).read_bytes() == SHIPPED.read_bytes()
    assert library.search("red", k=1).hits[0].path.stem == "red"
    with pytest.raises(QueryRefused) as error:
        library.search("red boys and a girl")
    message = str(error.value)
    for part in ("'boy', 'girl'", str(library.folder / STOP_WORDS), "pixquery policy off"):
        assert part in message


def test_switching_off_keeps_the_list(library: Library) -> None:
    library.switch_policy(on=True)
    library.switch_policy(on=False)
    assert not library.policed
    assert library.search("a red boy", k=1).hits
    assert (library.folder / STOP_WORDS).is_file()


def test_users_may_edit_the_list(library: Library) -> None:
    own = library.folder / STOP_WORDS
    own.write_text("red\n")
    library.switch_policy(on=True)
    assert own.read_text() == "red\n"
    with pytest.raises(QueryRefused):
        library.search("red")
    own.write_text("blue\n")  # takes effect at once
    assert library.search("red boy", k=1).hits


def test_another_process_switches_it_for_an_open_library(library: Library) -> None:
    with Library.open(library.folder) as other:
        other.switch_policy(on=True)
    with pytest.raises(QueryRefused):
        library.search("boy")


def test_ranking_for_evaluation_is_not_policed(library: Library) -> None:
    library.switch_policy(on=True)
    assert len(library.rank("a red boy").ids) == 8


def test_without_a_usable_list_no_query_is_answered(library: Library) -> None:
    library.switch_policy(on=True)
    own = library.folder / STOP_WORDS
    own.write_text("kid\nlittle boy\n")
    with pytest.raises(BadData, match="line 2") as error:
        library.search("red")
    assert "pixquery policy off" in str(error.value)
    own.unlink()
    with pytest.raises(BadData, match="cannot be read"):
        library.search("red")
    library.switch_policy(on=True)  # copies the shipped list
    assert library.search("red", k=1).hits


def test_a_damaged_list_cannot_be_switched_on_but_off(library: Library) -> None:
    own = library.folder / STOP_WORDS
    own.write_text("little boy\n")
    with pytest.raises(BadData, match="line 1"):
        library.switch_policy(on=True)
    assert not library.policed
    own.write_text("boy\n")
    library.switch_policy(on=True)
    own.write_text("little boy\n")
    library.switch_policy(on=False)
    assert library.search("boy", k=1).hits


def test_switching_needs_the_writers_lock(library: Library) -> None:
    with Library.open(library.folder) as other, other.writing(), pytest.raises(LibraryLocked):
        library.switch_policy(on=True)
    assert not library.policed
    assert not (library.folder / STOP_WORDS).exists()


# -- the command line -------------------------------------------------------------------------


def test_the_command_as_a_user_types_it(library: Library, spawn: Spawn) -> None:
    place = ("--library", library.folder)
    own = library.folder / STOP_WORDS
    assert spawn("query", "red boys", *place).returncode == 0
    assert spawn("policy", *place).stdout == (
        f"policy  off\nlist    {SHIPPED} ({len(CHILDREN)} words)\n"
    )
    assert spawn("policy", "on", *place).stdout == (
        f"policy  on\nlist    {own} ({len(CHILDREN)} words)\n"
    )
    refused = spawn("query", "red Boys", *place)
    assert refused.returncode == 4
    assert refused.stdout == ""
    assert refused.stderr == (
        "pixquery: the library's stop-word policy refuses this query for 'boy': use other words, "
        f"edit {own}, or switch the policy off with `pixquery policy off --library "
        f"{library.folder}`\n"
    )
    assert spawn("query", "red", *place).returncode == 0
    assert spawn("policy", "off", *place).stdout == f"policy  off\nlist    {own}\n"
    assert spawn("query", "red boys", *place).returncode == 0


def test_json_of_policy(library: Library, invoke: Invoke) -> None:
    place = ("--library", library.folder, "--json")
    own = str(library.folder / STOP_WORDS)
    common = {"library": str(library.folder), "words": len(CHILDREN)}
    shown = {"policy": "off", "file": str(SHIPPED), **common}
    assert parsed(invoke("policy", *place)) == shown
    assert parsed(invoke("policy", "show", *place)) == shown
    on = {"policy": "on", "file": own, **common}
    assert parsed(invoke("policy", "on", *place)) == on
    assert parsed(invoke("policy", *place)) == on
    off = {"policy": "off", "file": own, **common, "words": None}
    assert parsed(invoke("policy", "off", *place)) == off


def test_evaluation_is_not_refused(library: Library, tmp_path: Path, invoke: Invoke) -> None:
    library.switch_policy(on=True)
    queries = tmp_path / "queries.csv"
    name = next(hit.path.name for hit in library.search("red", k=1).hits)
    queries.write_text(f"query_id,query_text,image\n1,a boy in red,{name}\n")
    done = invoke("evaluate", queries, "--library", library.folder, "--json")
    assert done.exit_code == 0, done.output
    assert parsed(done)["reranked"]["recall@1"] == 1


def test_errors_of_the_command(library: Library, tmp_path: Path, invoke: Invoke) -> None:
    place = ("--library", library.folder)
    assert invoke("policy", "maybe", *place).exit_code == 2
    missing = invoke("policy", "on", "--library", tmp_path / "none")
    assert (missing.exit_code, missing.stderr.count("\n")) == (1, 1)
    with library.writing():
        assert invoke("policy", "on", *place).exit_code == 75
        assert invoke("policy", *place).exit_code == 0
    (library.folder / STOP_WORDS).write_text("kid\ntwo words\n")
    for state in ("show", "on"):
        damaged = invoke("policy", state, *place)
        assert (damaged.exit_code, damaged.stdout) == (1, "")
        assert f"{library.folder / STOP_WORDS}, line 2: " in damaged.stderr
    assert invoke("policy", "off", *place).exit_code == 0


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_library_that_cannot_be_written_is_reported(library: Library, invoke: Invoke) -> None:
    library.folder.chmod(0o555)
    try:
        run = invoke("policy", "on", "--library", library.folder)
    finally:
        library.folder.chmod(0o755)
    assert run.exit_code == 1
    assert run.stderr.count("\n") == 1


# -- weight -------------------------------------------------------------------------------------


def modules_after(code: str, *words: str | Path) -> set[str]:
    """The modules that a new process has imported after running some code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))",
         *map(str, words)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_stemmer_is_loaded_when_a_text_is_compared_with_words() -> None:
    idle = (
        "from pixquery.engine.policy import *; p = Policy.load(SHIPPED); Policy(()).matches('kid')"
    )
    assert "snowballstemmer" not in modules_after(idle)
    assert "snowballstemmer" in modules_after(f"{idle}; p.matches('kid')")


def test_a_query_without_a_policy_loads_nothing_of_it(library: Library) -> None:
    ask = (
        "import sys; from pixquery import Library\n"
        "with Library.open(sys.argv[1]) as l: l.search('red')"
    )
    without = modules_after(ask, library.folder)
    assert "pixquery.engine.library" in without
    assert not without & {"pixquery.engine.policy", "snowballstemmer"}
