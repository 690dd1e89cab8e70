"""The page of the recipe: all its commands run, in its order, on a small folder of ratings.

ResNet-18 and DistilBERT come from a hub on this machine, small and with random weights; everything
else is real: both are added, aligned by the ratings, searched with and evaluated.
"""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import checkpoints
from tests.conftest import REPOSITORY
from tests.folders import coloured_folder
from tests.hubs import Model, running
from tests.test_docs import fenced

pytest.importorskip("torch", reason="PyTorch comes with the extra `train`")

PAGE = REPOSITORY / "docs" / "recipe.md"


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Where `pixquery` is this one, and the hub one on this machine."""
    for name, save in (("see", checkpoints.resnet), ("read", checkpoints.distilbert)):
        save(tmp_path / name)
    see, read = (
        Model({"c" * 40: {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()}})
        for name in ("see", "read")
    )
    command = tmp_path / "bin" / "pixquery"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{REPOSITORY}/cli.py" "$@"\n')
    command.chmod(stat.S_IRWXU)
    with running() as hub:
        hub.models["microsoft/resnet-18"] = see
        hub.models["distilbert/distilbert-base-uncased"] = read
        yield {
            **os.environ,
            "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
            "PIXQUERY_PROFILES": str(tmp_path / "profiles"),
            "HF_ENDPOINT": hub.address(),
            "HF_HOME": str(tmp_path / "hub"),
            "NO_PROXY": "127.0.0.1,localhost",
            "OMP_NUM_THREADS": "1",
        }


def commands() -> Iterator[tuple[str, str]]:
    """Each command of the page, and what the page says that it prints."""
    for language, text in fenced(PAGE):
        if language == "console":
            for part in re.split(r"^\$ ", text.strip("\n"), flags=re.MULTILINE)[1:]:
                command, _, output = part.partition("\n")
                yield command, output


def labels(output: str) -> list[str]:
    """What the lines of an output begin with: their words, up to the first figure."""
    lines = [re.split(r"\s*[-\d]*\d", line)[0].rstrip() for line in output.splitlines()]
    return [line for line in lines if line]


@pytest.mark.skipif(os.name != "posix", reason="the page is written for a shell")
def test_the_commands_of_the_recipe_run(tmp_path: Path, environment: dict[str, str]) -> None:
    place = tmp_path / "place"
    place.mkdir()
    coloured_folder(place / "flickr8k")
    printed = {}
    for command, shown in commands():
        done = subprocess.run(
            command, shell=True, cwd=place, env=environment, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        printed[command] = done.stdout
        if command.startswith(("pixquery train", "pixquery evaluate")):
            missing = set(labels(shown)) - set(labels(done.stdout + done.stderr))
            assert {line for line in missing if not line.startswith(ONLY_THERE)} == set(), command
    assert len(printed) > 10
    evaluated = [text for command, text in printed.items() if "evaluate" in command]
    for text in evaluated:
        assert "28 queries over 28 photos" in text
    assert (place / "wish" / "report.html").is_file()


ONLY_THERE = ("left out", "logistic, crowd", "network, crowd", "5,000 queries", "chosen")
"""What a small folder has not, or says in other words."""
