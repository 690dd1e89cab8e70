"""Downloads from a hub that the tests play: whole, resumed, verified, discreet."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from pixquery.db.errors import DownloadFailed, SourceUnusable
from pixquery.trainer.adopting.find import find
from pixquery.trainer.adopting.sources import Source
from pixquery.trainer.adopting.weights import read_state
from tests import hubs
from tests.conftest import REPOSITORY
from tests.hubs import Answer, Asked, Hub
from tests.published import (
    BERT,
    CUT,
    KEPT,
    RESNET,
    STATE,
    bert,
    cut_once,
    lay,
    refused,
    resnet,
    same,
    sent,
    sharded,
    sums,
)


def test_a_model_is_fetched_whole_and_no_more(hub: Hub, tmp_path: Path) -> None:
    files = resnet()
    commit = hub.publish(RESNET, files)
    found = find(RESNET)
    wanted = ("README.md", "config.json", "preprocessor_config.json", "model.safetensors")
    assert {asked.file for asked in hub.asked()} == {"", *wanted}
    assert found.checksums == sums(files, *wanted)
    assert found.weights.read_bytes() == files["model.safetensors"]
    assert {path.name for path in found.folder.iterdir()} == set(wanted)
    assert found.folder.is_relative_to(tmp_path / "cache")
    assert (found.named, found.revision, found.licence) == (RESNET, commit, "apache-2.0")


def test_all_that_texts_need_is_fetched(hub: Hub) -> None:
    hub.publish(BERT, bert(), tags=("pytorch", "license:mit", "region:us"))
    found = find(BERT)
    assert set(found.checksums) == set(bert()) - {
        "onnx/config.json", "train_script.py", "openvino/openvino_model.bin",
    }  # fmt: skip
    assert found.weights == found.folder / "pytorch_model.bin"
    assert (found.folder / "1_Pooling/config.json").read_bytes() == b"1_Pooling/config.json"
    assert found.licence == "mit", "from the tags: there is no card"


def test_weights_in_several_files_are_fetched(hub: Hub) -> None:
    hub.publish(RESNET, sharded())
    assert same(read_state(find(RESNET).weights), STATE)


def test_a_model_of_one_word_may_have_moved(hub: Hub) -> None:
    hub.publish("distilbert/distilbert-base-uncased", resnet())

    def moved(asked: Asked) -> Answer | None:
        if "distilbert/" in asked.path:
            return None
        return 307, {"Location": asked.path.replace("distilbert", "distilbert/distilbert", 1)}, b""

    hub.fault = moved
    assert len(find("distilbert-base-uncased").checksums) == 4


def test_nothing_is_fetched_twice(hub: Hub) -> None:
    hub.publish(RESNET, resnet())
    first = find(RESNET)
    hub.log.clear()
    assert find(RESNET) == first
    assert [asked.path.split("?")[0] for asked in hub.log] == [
        f"/api/models/{RESNET}/revision/main"
    ]


def test_all_files_are_of_one_commit(hub: Hub) -> None:
    """Even where another is published while they are fetched."""
    old = hub.publish(RESNET, resnet())

    def publish(asked: Asked) -> None:
        if asked.file and len(hub.models[RESNET].commits) == 1:
            hub.publish(RESNET, dict.fromkeys(resnet(), b"newer"))

    hub.fault = publish
    found = find(RESNET)
    assert found.revision == old
    assert found.checksums == sums(resnet(), *found.checksums)
    assert all(f"/resolve/{old}/" in asked.path for asked in hub.log if asked.file)

    newer = find(RESNET)
    assert (newer.revision != old, newer.weights.read_bytes()) == (True, b"newer")


@pytest.mark.parametrize("revision", ["v1.0", "refs/pr/4", "COMMIT"])
def test_a_revision_is_what_was_asked_for(hub: Hub, revision: str) -> None:
    old = hub.publish(RESNET, resnet())
    hub.publish(RESNET, dict.fromkeys(resnet(), b"newer"))
    hub.models[RESNET].revisions = {"v1.0": old, "refs/pr/4": old}
    revision = revision.replace("COMMIT", old)
    found = find(RESNET, revision=revision)
    assert (found.revision, found.checksums) == (old, sums(resnet(), *found.checksums))
    hub.servers["hub"].server_close()
    constants.HF_HUB_OFFLINE = True  # the fixture takes it back
    assert find(RESNET, revision=revision) == found


def test_progress_is_told_in_bytes_and_nothing_is_printed(
    hub: Hub, capfd: pytest.CaptureFixture[str]
) -> None:
    files = resnet(3)
    hub.publish(RESNET, files)
    told: list[tuple[str, int, int]] = []
    find(RESNET, progress=lambda *words: told.append(words))
    for name in {name for name, _, _ in told}:
        done = [(now, whole) for file, now, whole in told if file == name]
        assert done == sorted(done)
        assert done[0] == (0, len(files[name]))
        assert done[-1] == (len(files[name]), len(files[name]))
    assert len([name for name, _, _ in told if name == "model.safetensors"]) >= 4
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("how", ["closed", "reset", "stalled"])
def test_a_download_goes_on_where_it_was_cut(
    hub: Hub, how: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.5)
    files = resnet(4)
    hub.publish(RESNET, files)
    cut_once(hub, stall=3 if how == "stalled" else 0, reset=how == "reset")
    told: list[int] = []
    found = find(RESNET, progress=lambda name, done, whole: told.append(done))
    assert found.weights.read_bytes() == files["model.safetensors"]
    first, second = [a for a in hub.asked("model.safetensors", "GET") if a.server == "store"]
    assert "range" not in first.headers
    assert second.headers["range"] == f"bytes={KEPT}-", "whole pieces were kept"
    assert sent(hub) == [CUT, (4 << 20) - KEPT]
    assert max(told) == 4 << 20
    assert capfd.readouterr() == ("", "")


def test_a_download_goes_on_for_as_long_as_something_comes(hub: Hub) -> None:
    files = resnet(1)
    hub.publish(RESNET, files)
    lengths = [300_000, 300_000, 0]

    def reset(asked: Asked) -> None:
        if asked.server == "store" and lengths:
            asked.cut, asked.reset = lengths.pop(0), True

    hub.fault = reset
    assert "the download of microsoft/resnet-18 from" in refused(RESNET, DownloadFailed)
    assert find(RESNET).weights.read_bytes() == files["model.safetensors"]
    asked = [a for a in hub.asked("model.safetensors", "GET") if a.server == "store"]
    ranges = [a.headers.get("range") for a in asked]
    assert ranges == [None, "bytes=262144-", "bytes=524288-", "bytes=524288-"]


def test_what_is_too_long_is_begun_anew(hub: Hub, tmp_path: Path) -> None:
    files = resnet()
    hub.publish(RESNET, files)
    blobs = tmp_path / "cache" / "models--microsoft--resnet-18" / "blobs"
    digest = hashlib.sha256(files["model.safetensors"]).hexdigest()
    lay(blobs, {f"{digest}.incomplete": files["model.safetensors"] + b"more"})
    assert find(RESNET).weights.read_bytes() == files["model.safetensors"]


@pytest.mark.slow
def test_a_download_that_stalls_for_good_is_left(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
    hub.publish(RESNET, resnet())

    def stall(asked: Asked) -> None:
        if asked.server == "store":
            asked.cut, asked.stall = 1000, 1.0

    hub.fault = stall
    assert "stopped answering during the download of microsoft/resnet-18" in refused(
        RESNET, DownloadFailed
    )


def test_a_later_try_goes_on_where_the_last_one_ended(hub: Hub) -> None:
    files = resnet(4)
    hub.publish(RESNET, files)

    def fail(asked: Asked) -> Answer | None:
        if asked.server == "store" and "range" in asked.headers:
            return hubs.error(503)
        if asked.server == "store":
            asked.cut, asked.reset = CUT, True
        return None

    hub.fault = fail
    assert "what was downloaded is kept" in refused(RESNET, DownloadFailed)
    hub.fault = lambda asked: None
    hub.log.clear()
    assert find(RESNET).weights.read_bytes() == files["model.safetensors"]
    assert sent(hub) == [(4 << 20) - KEPT]
    assert not hub.asked("config.json"), "it was there"


def test_a_server_that_cannot_go_on_begins_anew(hub: Hub) -> None:
    files = resnet(4)
    hub.publish(RESNET, files)
    cut_once(hub, reset=True)
    cut = hub.fault

    def forget(asked: Asked) -> Answer | None:
        asked.headers.pop("range", None)
        return cut(asked)

    hub.fault = forget
    assert find(RESNET).weights.read_bytes() == files["model.safetensors"]


def test_a_slow_server_is_waited_for(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is the time since the last byte."""
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.5)
    files = resnet(0.5)
    hub.publish(RESNET, files)

    def slow(asked: Asked) -> None:
        asked.pause = 0.08 if asked.server == "store" else 0.0

    hub.fault = slow
    assert find(RESNET).weights.read_bytes() == files["model.safetensors"]
    assert len(hub.asked("model.safetensors", "GET")) == 2


def test_a_hub_that_says_nothing_is_left(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.3)
    awake = threading.Event()
    hub.fault = lambda asked: (awake.wait(3), None)[1]
    assert "stopped answering during the download of microsoft/resnet-18" in refused(
        RESNET, DownloadFailed
    )
    awake.set()


def test_two_at_a_time_fetch_a_model_once(hub: Hub) -> None:
    files = resnet(2)
    hub.publish(RESNET, files)

    def slow(asked: Asked) -> None:
        asked.pause = 0.01 if asked.server == "store" else 0.0

    hub.fault = slow
    found: list[Source] = []
    threads = [threading.Thread(target=lambda: found.append(find(RESNET))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1]
    assert sent(hub) == [2 << 20]


def test_wrong_bytes_are_told_and_not_kept(hub: Hub) -> None:
    files = resnet()
    hub.publish(RESNET, files)
    right = hashlib.sha256(files["model.safetensors"]).hexdigest()
    altered = b"\0" + files["model.safetensors"][1:]
    hub.fault = lambda asked: (200, {}, altered) if asked.server == "store" else None
    said = refused(RESNET, DownloadFailed)
    for part in ("model.safetensors", RESNET, right, hashlib.sha256(altered).hexdigest(), "again"):
        assert part in said
    hub.fault = lambda asked: None
    assert find(RESNET).weights.read_bytes() == files["model.safetensors"]


def test_a_damaged_cache_is_told_and_mended(hub: Hub) -> None:
    files = resnet()
    hub.publish(RESNET, files)
    file = find(RESNET).weights.resolve()
    file.write_bytes(b"\0" + files["model.safetensors"][1:])
    assert "model.safetensors" in refused(RESNET, DownloadFailed)
    assert find(RESNET).weights.read_bytes() == files["model.safetensors"]


def test_a_proxy_s_page_is_not_taken_for_weights(hub: Hub) -> None:
    files = resnet()
    hub.publish(RESNET, files)
    page = b"<html>Log in to the guest network</html>"
    hub.fault = lambda asked: (200, {}, page) if asked.server == "store" else None
    assert "does not answer as a Hugging Face hub does" in refused(RESNET, DownloadFailed)
    hub.fault = lambda asked: None
    assert find(RESNET).weights.read_bytes() == files["model.safetensors"]


@pytest.mark.parametrize(
    "claim",
    [
        {"rfilename": "../../../evil/config.json"},
        {"lfs": {"sha256": "../../../evil", "size": 7, "pointerSize": 1}},
        {"lfs": {"sha256": "", "size": 7, "pointerSize": 1}},
    ],
)
def test_a_hub_cannot_write_elsewhere(hub: Hub, tmp_path: Path, claim: dict[str, Any]) -> None:
    hub.publish(RESNET, resnet())
    hub.claims["config.json"] = claim
    with pytest.raises((DownloadFailed, SourceUnusable)):
        find(RESNET)
    assert not [path for path in tmp_path.rglob("*") if "evil" in path.name]


@pytest.mark.parametrize("commit", ["../../evil", "main", "a" * 41])
def test_a_commit_is_a_commit(hub: Hub, commit: str) -> None:
    hub.publish(RESNET, resnet(), commit=commit)
    assert "does not answer as a Hugging Face hub" in refused(RESNET, DownloadFailed)


def test_the_token_goes_to_the_hub_alone(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.publish(RESNET, resnet(2))
    find(RESNET)
    assert {asked.headers.get("authorization") for asked in hub.log if asked.server == "hub"} == {
        "Bearer hf_secret"
    }
    elsewhere = [asked for asked in hub.log if asked.server == "store"]
    assert elsewhere
    assert "hf_secret" not in str([(asked.path, asked.headers) for asked in elsewhere])


def test_nothing_is_told_of_the_user(hub: Hub) -> None:
    hub.publish(RESNET, resnet())
    find(RESNET)
    for asked in hub.log:
        assert asked.path.startswith((f"/api/models/{RESNET}/revision/main", f"/{RESNET}/resolve/"))
        assert asked.method in {"GET", "HEAD"}
        assert not {"torch", "agent", "transformers"} & set(
            asked.headers["user-agent"].replace("/", " ").replace(";", " ").split()
        )
        assert "authorization" not in asked.headers


_FIND = """
import json, sys
from pixquery.trainer.adopting.find import find
found = find(sys.argv[1])
told = [str(found.folder), found.revision, found.licence, dict(found.checksums)]
print(json.dumps(told, sort_keys=True))
"""


def test_the_environment_counts(hub: Hub, tmp_path: Path) -> None:
    """The variables that users of the hub know, as a process finds them at its start."""
    files = resnet(3)
    commit = hub.publish(RESNET, files)
    cut_once(hub)
    home = tmp_path / "home"

    def run(**more: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", _FIND, RESNET],
            env=kept | {"HF_ENDPOINT": hub.address(), "HF_HOME": str(home)} | more,
            cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    online = run(HF_TOKEN="hf_secret")
    assert online.stderr == ""
    place, revision, licence, checksums = json.loads(online.stdout)
    assert Path(place).is_relative_to(home / "hub")
    assert (revision, licence, checksums) == (commit, "apache-2.0", sums(files, *checksums))
    assert hub.log[0].headers["authorization"] == "Bearer hf_secret"

    hub.log.clear()
    offline = run(HF_HUB_OFFLINE="1")
    assert (offline.stdout, offline.stderr) == (online.stdout, "")
    assert not hub.log
