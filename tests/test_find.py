"""Finding a model: a path, or an id of the hub."""

import subprocess
import sys
from pathlib import Path

import pytest

from pixquery.db.errors import SourceUnusable
from pixquery.trainer.adopting.find import find
from tests.conftest import REPOSITORY
from tests.hubs import Hub
from tests.published import ABC, RESNET, lay, refused, resnet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder as the hub lays it out."""
    return lay(tmp_path / "model", {"config.json": b"{}", "model.safetensors": b"abc"})


def test_a_path_on_the_disk_wins_over_the_hub(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.publish(RESNET, resnet())
    lay(tmp_path / RESNET, {"config.json": b"{}", "model.safetensors": b"abc"})
    monkeypatch.chdir(tmp_path)
    assert find(RESNET).checksums["model.safetensors"] == ABC
    assert not hub.log


@pytest.mark.parametrize(
    "named", ["./no/model", "/no/model", "~/no-model", "../no", "no/model.pth", "no.safetensors",
              "~nobody/model", "a/b.bin", "." ]
)  # fmt: skip
def test_paths_are_never_looked_for_at_the_hub(
    hub: Hub, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(named, SourceUnusable)
    assert not hub.log


@pytest.mark.parametrize(
    "named", ["", "a/b/c", "my photos", "https://huggingface.co/microsoft/resnet-18", "a--b/c",
              "a\nb", "x" * 300, "ä/ö"]
)  # fmt: skip
def test_what_is_neither_path_nor_id_is_refused(hub: Hub, named: str) -> None:
    with pytest.raises(SourceUnusable):
        find(named)
    assert not hub.log


def test_a_path_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    lay(tmp_path / "m", {"config.json": b"{}", "model.safetensors": b"abc"})
    assert find("~/m").folder == tmp_path / "m"


def test_local_models_need_neither_network_nor_the_hub_s_library(folder: Path) -> None:
    script = (
        "import sys\n"
        "def look(event, args):\n"
        "    if event.startswith('socket.'): raise SystemExit(event)\n"
        "sys.addaudithook(look)\n"
        "from pixquery.trainer.adopting.find import find\n"
        "print(find(sys.argv[1]).checksums['model.safetensors'])\n"
        "assert 'huggingface_hub' not in sys.modules and 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == (ABC, "")
