"""Judging that is killed at any moment, and by several at once, loses nothing that was answered."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pixquery import Library
from pixquery.engine.ratings_file import RatingsFile
from tests.conftest import REPOSITORY
from tests.proofs.kills import HALF_A_WRITE, KILL, Kills
from tests.proofs.material import RUNGS, Children, Workplace


@pytest.mark.parametrize("way", [KILL, HALF_A_WRITE])
def test_an_append_killed_at_any_call(
    way: int, tmp_path: Path, squares: Path, children: Children
) -> None:
    """The line that takes a judgement back is there or not, and the next one is on its own."""
    workplace = Workplace(tmp_path / "work", RUNGS["exact"])
    workplace.index([squares])
    photos = sorted(squares.rglob("*.*"))[:3]
    for photo in photos[:2]:
        RatingsFile(workplace.library).add(photo, "red, round", "yes", "Ada")
    kills = Kills(children, workplace.library, ["judge", "--undo", "--worker", "Ada"])
    assert kills.run(0) == 0
    calls, counts, cut = kills.calls, set(), 0
    for at in range(1, calls + 1):
        if kills.run(at, way) == 0:
            continue  # this call cannot be cut in half
        file = RatingsFile(workplace.library)
        before = file.read()
        counts.add(len(before.counting))
        cut += before.unreadable
        assert str(photos[0]) in {one.image for one in before.counting}, at
        file.add(photos[2], "blue", "no", "Ada")
        after = file.read()
        assert after.counting == (*before.counting, after.counting[-1]), at
        assert (after.counting[-1].image, after.unreadable) == (str(photos[2]), before.unreadable)
        with Library.open(workplace.library) as library:
            assert library.verify() == [], at
    if way == KILL:
        assert counts == {1, 2}  # some were killed before the line was written, some after
    else:
        assert cut == 1  # the half that was written


@pytest.mark.skipif(sys.platform == "win32", reason="no signals can be sent there")
@pytest.mark.parametrize("seed", [1, 2])
def test_sessions_killed_in_the_middle(place: Path, seed: int) -> None:
    """Of every answer whose next question was asked, the judgement is there."""
    answered = []
    for session in range(3):
        worker = f"worker {seed} {session}"
        command = [sys.executable, str(REPOSITORY / "cli.py"), "judge", "red", "--library",
                   str(place), "--worker", worker]  # fmt: skip
        running = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdout.readline()
        for _ in range(seed + session):
            running.stdin.write("partly\n")
            running.stdin.flush()
            assert "red?" in running.stdout.readline()
            answered.append(worker)
        running.stdin.write("yes\n")  # this one may be kept or not
        running.stdin.flush()
        running.send_signal(signal.SIGKILL)
        running.communicate()
    judged = RatingsFile(place).read()
    kept = [one.worker for one in judged.counting if one.rating == "partly"]
    assert kept == answered
    assert judged.unreadable == 0


def test_a_copied_library_has_its_judgements(place: Path, tmp_path: Path, squares: Path) -> None:
    RatingsFile(place).add(next(squares.rglob("red.*")), "red", "yes", "Ada")
    copy = shutil.copytree(place, tmp_path / "copy")
    assert RatingsFile(copy).read() == RatingsFile(place).read()
    with Library.open(copy) as library:
        assert library.verify(repair=True) == []
    assert RatingsFile(copy).read() == RatingsFile(place).read()
