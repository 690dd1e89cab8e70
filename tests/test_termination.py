"""A command that is told to terminate cleans up."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.folders import coloured_folder

pytest.importorskip("torch", reason="PyTorch comes with the extra `train`")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes without asking them")
def test_a_training_that_is_told_to_end_leaves_nothing(colours: Path, tmp_path: Path) -> None:
    data, place = coloured_folder(tmp_path / "judged"), tmp_path / "made"
    place.mkdir()
    command = ["cli.py", "train", data, "--out", place / "out", "--profile", colours]
    process = subprocess.Popen(
        [sys.executable, *map(str, command)], cwd=REPOSITORY, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    end = time.monotonic() + 60
    while not list(place.iterdir()) and time.monotonic() < end:
        time.sleep(0.02)
    assert list(place.iterdir())
    process.terminate()
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "Traceback" not in told
    assert list(place.iterdir()) == []
