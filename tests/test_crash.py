"""Whatever happens to a process, a disk or a file: nothing is lost, and nothing false is answered.

The proofs themselves lie in benchmarks/, where each can be run alone and replayed; here they run in
a short form, and in their long one by `make soak`.
"""

import errno
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest

from pixquery.engine.library import CATALOGUE
from pixquery.engine.profile import DEFAULT, SHIPPED
from tests.conftest import REPOSITORY
from tests.proofs import contention_soak, crash_soak, damage_soak, fault_soak, model_soak
from tests.proofs.material import (
    RUNGS,
    Children,
    Photos,
    Workplace,
    refusal,
)

NOBODY = 65534


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path / "work", RUNGS["exact"])


@pytest.fixture
def photos(workplace: Workplace) -> Photos:
    made = Photos(workplace.folder / "photos", 20, 1)
    workplace.index([made.root])
    return made


def index_words(workplace: Workplace, photos: Photos) -> list[str]:
    return ["index", str(photos.root), "--library", str(workplace.library), "--jobs", "1"]


def fault(workplace: Workplace, at: int, error: int, **more: Any) -> dict[str, Any]:
    return {"folder": str(workplace.library), "at": at, "error": error, "lasting": False} | more


# -- the proofs -------------------------------------------------------------------------------


@pytest.mark.parametrize("rung", RUNGS)
def test_nothing_is_lost_when_index_is_killed(rung: str, tmp_path: Path) -> None:
    assert crash_soak.prove(tmp_path, rung, range(2), seed=7)["failures"] == []


@pytest.mark.slow
@pytest.mark.parametrize("rung", RUNGS)
def test_nothing_is_lost_when_index_is_killed_200_times(rung: str, tmp_path: Path) -> None:
    result = crash_soak.prove(tmp_path, rung, range(200), seed=1)
    assert result["failures"] == []
    assert result["killed at a call"] + result["killed at a moment"] >= 100


def test_damaged_models_change_nothing(colours: Path, tmp_path: Path) -> None:
    result = model_soak.prove(tmp_path, range(4), seed=7, profile=colours)
    assert result["failures"] == []


@pytest.mark.slow
def test_damaged_models_change_nothing_200_times(tmp_path: Path) -> None:
    result = model_soak.prove(tmp_path, range(200), seed=1, profile=SHIPPED / DEFAULT)
    assert result["failures"] == []


@pytest.mark.usefixtures("faults")
@pytest.mark.parametrize("run", fault_soak.RUNS)
def test_a_library_survives_a_failing_disk(run: str, tmp_path: Path) -> None:
    assert fault_soak.prove(tmp_path, run, step=41)["failures"] == []


@pytest.mark.slow
@pytest.mark.usefixtures("faults")
@pytest.mark.parametrize("run", fault_soak.RUNS)
def test_a_library_survives_every_failure_of_the_disk(run: str, tmp_path: Path) -> None:
    assert fault_soak.prove(tmp_path, run, step=1)["failures"] == []


@pytest.mark.usefixtures("faults")
def test_damaged_files_are_noticed_and_repaired(tmp_path: Path) -> None:
    assert damage_soak.prove(tmp_path, range(8), seed=7)["failures"] == []


@pytest.mark.usefixtures("faults")
def test_a_catalogue_cut_off_before_its_profile_is_mended_from_the_log(tmp_path: Path) -> None:
    result = damage_soak.prove(tmp_path, [176], seed=1)
    assert result["catalogue.sqlite: noticed"] == 1
    assert result["failures"] == []


@pytest.mark.slow
@pytest.mark.usefixtures("faults")
def test_1000_damaged_files_are_noticed_and_repaired(tmp_path: Path) -> None:
    assert damage_soak.prove(tmp_path, range(1000), seed=1)["failures"] == []


def test_writers_and_readers_leave_each_other_alone(tmp_path: Path) -> None:
    result = contention_soak.prove(tmp_path, 5, writers=4, readers=4, on="inverted")
    assert result["failures"] == []
    assert result["answers"] and result["runs of index"]


@pytest.mark.slow
@pytest.mark.parametrize("rung", RUNGS)
def test_writers_and_readers_leave_each_other_alone_for_long(rung: str, tmp_path: Path) -> None:
    result = contention_soak.prove(tmp_path, 300, writers=4, readers=4, on=rung)
    assert result["failures"] == []


# -- power loss -------------------------------------------------------------------------------


def test_what_is_published_is_on_the_disk_before_it_is_named(
    workplace: Workplace, photos: Photos, children: Children
) -> None:
    # A power cut keeps what was synchronised. The vectors' bytes come first, then their name, then
    # the folder that holds the name, and only then the catalogue's word that they are the ones.
    photos.add()
    journal = workplace.folder / "journal"
    done = children.run(
        "command",
        words=index_words(workplace, photos),
        fault=fault(workplace, 0, 0, journal=str(journal)),
    )
    assert done.status == 0, done.output
    calls = [line.split(" ", 1) for line in journal.read_text().splitlines()]
    names = [(call, Path(path).name) for call, path in calls]
    (renamed,) = [number for number, (call, _) in enumerate(names) if call == "rename"]
    vectors = names[renamed][1]
    assert vectors.startswith("vectors-")
    of_vectors = [
        number for number, (_, name) in enumerate(names) if name.startswith(f"{vectors}.")
    ]
    assert names[max(of_vectors)][0] == "fsync"  # nothing is written after it
    assert max(of_vectors) < renamed
    folder = names.index(("fsync", workplace.library.name), renamed)
    log = f"{CATALOGUE}-wal"
    inserted = names.index(("write", log), renamed)
    assert folder < inserted
    assert ("fsync", log) in names[inserted:]
    # Each batch, too, is synchronised before progress reports it, and so is every commit.
    commits = [number for number, name in enumerate(names) if name == ("fsync", log)]
    assert len(commits) >= 2
    committed = names.index(("fsync", log), inserted)
    gone = [number for number, (call, name) in enumerate(names)
            if call == "unlink" and name.startswith("vectors-")]  # fmt: skip
    assert len(gone) == 1  # the last generation, which readers had until then
    assert gone[0] > committed


# -- locks and permissions --------------------------------------------------------------------


def test_a_dead_writers_lock_is_no_lock(
    workplace: Workplace, photos: Photos, children: Children
) -> None:
    photos.add()
    killed = children.run(
        "command", words=index_words(workplace, photos), fault=fault(workplace, 9, 0)
    )
    assert killed.status == -signal.SIGKILL
    assert (workplace.library / "lock").exists()
    after = workplace.index([photos.root])
    assert after == workplace.fresh([photos.root])


def test_a_library_that_may_only_be_read_answers(
    faults: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only the superuser can act as another user")
    if any(place.stat().st_mode & 0o005 != 0o005 for place in (REPOSITORY, *REPOSITORY.parents)):
        pytest.skip("another user could not read the models where this clone lies")
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        folder = Path(name)
        monkeypatch.setenv("PIXQUERY_CACHE", str(folder / "cache"))
        shutil.copy(faults, folder)
        workplace = Workplace(folder / "work", RUNGS["exact"])
        photos = Photos(folder / "photos", 20, 1)
        workplace.index([photos.root])
        before = workplace.answers()
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        for path in (workplace.library, *workplace.library.iterdir()):
            path.chmod(0o555 if path.is_dir() else 0o444)
        with Children(folder, folder / faults.name) as children:
            (folder / "child.log").touch()
            (folder / "child.log").chmod(0o666)
            words = ["query", "red", "--json", "--library", str(workplace.library)]
            ended = children.run("command", words=words, user=NOBODY)
            assert ended.status == 0, ended.output
            assert next(iter(before["red"])) in ended.output
            refused = children.run("command", words=index_words(workplace, photos), user=NOBODY)
            assert refused.status == 1
            assert refusal(refused.output) == []
        assert workplace.answers() == before


def test_a_query_needs_no_room_on_the_disk(
    workplace: Workplace, photos: Photos, children: Children
) -> None:
    words = ["query", "red", "--library", str(workplace.library)]
    full = fault(workplace, 1, errno.ENOSPC, lasting=True)
    assert not (workplace.library / f"{CATALOGUE}-wal").exists()
    ended = children.run("command", words=words, fault=full)
    assert ended.status == 0, ended.output


def test_a_catalogue_that_was_only_just_begun_is_a_new_one(
    workplace: Workplace, photos: Photos, children: Children
) -> None:
    shutil.rmtree(workplace.library)
    for at in (3, 12, 30, 60):
        words = [*index_words(workplace, photos), "--profile", str(workplace.profile)]
        children.run("command", words=words, fault=fault(workplace, at, 0))
    after = workplace.index([photos.root])
    assert after == workplace.fresh([photos.root])
