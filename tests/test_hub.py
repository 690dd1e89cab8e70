"""Downloads from a simulated hub: complete, resumed, verified, and discreet."""

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
from pixquery.trainer.adopting.sources import Source, Wish
from pixquery.trainer.adopting.weights import read_state
from tests import hubs
from tests.conftest import REPOSITORY
from tests.hubs import Answer, Hub, Request
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


def test_only_the_files_that_are_needed_are_downloaded(hub: Hub, tmp_path: Path) -> None:
    files = resnet()
    commit = hub.publish(RESNET, files)
    source = find(RESNET)
    wanted = ("README.md", "config.json", "preprocessor_config.json", "model.safetensors")
    assert {request.file for request in hub.requests()} == {"", *wanted}
    assert source.checksums == sums(files, *wanted)
    assert source.weights.read_bytes() == files["model.safetensors"]
    assert {path.name for path in source.folder.iterdir()} == set(wanted)
    assert source.folder.is_relative_to(tmp_path / "cache")
    assert (source.named, source.revision, source.licence) == (RESNET, commit, "apache-2.0")


def test_all_files_of_a_text_model_are_downloaded(hub: Hub) -> None:
    hub.publish(BERT, bert(), tags=("pytorch", "license:mit", "region:us"))
    source = find(BERT)
    assert set(source.checksums) == set(bert()) - {
        "onnx/config.json", "train_script.py", "openvino/openvino_model.bin",
    }  # fmt: skip
    assert source.weights == source.folder / "pytorch_model.bin"
    assert (source.folder / "1_Pooling/config.json").read_bytes() == b"1_Pooling/config.json"
    assert source.licence == "mit", "from the tags: there is no card"


def test_weights_in_several_files_are_downloaded(hub: Hub) -> None:
    hub.publish(RESNET, sharded())
    assert same(read_state(find(RESNET).weights), STATE)


def test_an_id_of_one_word_may_redirect(hub: Hub) -> None:
    hub.publish("distilbert/distilbert-base-uncased", resnet())

    def moved(request: Request) -> Answer | None:
        if "distilbert/" in request.path:
            return None
        return (
            307,
            {"Location": request.path.replace("distilbert", "distilbert/distilbert", 1)},
            b"",
        )

    hub.fault = moved
    assert len(find("distilbert-base-uncased").checksums) == 4


def test_nothing_is_downloaded_twice(hub: Hub) -> None:
    hub.publish(RESNET, resnet())
    first = find(RESNET)
    hub.log.clear()
    assert find(RESNET) == first
    assert [request.path.split("?")[0] for request in hub.log] == [
        f"/api/models/{RESNET}/revision/main"
    ]


def test_all_files_are_of_one_commit(hub: Hub) -> None:
    """Even if another one is published during the download."""
    old = hub.publish(RESNET, resnet())

    def publish(request: Request) -> None:
        if request.file and len(hub.models[RESNET].commits) == 1:
            hub.publish(RESNET, dict.fromkeys(resnet(), b"newer"))

    hub.fault = publish
    source = find(RESNET)
    assert source.revision == old
    assert source.checksums == sums(resnet(), *source.checksums)
    assert all(f"/resolve/{old}/" in request.path for request in hub.log if request.file)

    newer = find(RESNET)
    assert (newer.revision != old, newer.weights.read_bytes()) == (True, b"newer")


@pytest.mark.parametrize("revision", ["v1.0", "refs/pr/4", "COMMIT"])
def test_the_requested_revision_is_downloaded(hub: Hub, revision: str) -> None:
    old = hub.publish(RESNET, resnet())
    hub.publish(RESNET, dict.fromkeys(resnet(), b"newer"))
    hub.models[RESNET].revisions = {"v1.0": old, "refs/pr/4": old}
    revision = revision.replace("COMMIT", old)
    source = find(RESNET, Wish(revision=revision))
    assert (source.revision, source.checksums) == (old, sums(resnet(), *source.checksums))
    hub.servers["hub"].server_close()
    constants.HF_HUB_OFFLINE = True  # the fixture restores it
    assert find(RESNET, Wish(revision=revision)) == source


def test_progress_is_reported_in_bytes_and_nothing_is_printed(
    hub: Hub, capfd: pytest.CaptureFixture[str]
) -> None:
    files = resnet(3)
    hub.publish(RESNET, files)
    calls: list[tuple[str, int, int]] = []
    find(RESNET, progress=lambda *words: calls.append(words))
    for name in {name for name, _, _ in calls}:
        done = [(now, whole) for file, now, whole in calls if file == name]
        assert done == sorted(done)
        assert done[0] == (0, len(files[name]))
        assert done[-1] == (len(files[name]), len(files[name]))
    assert len([name for name, _, _ in calls if name == "model.safetensors"]) >= 4
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("how", ["closed", "reset", "stalled"])
def test_a_download_resumes_where_it_was_cut(
    hub: Hub, how: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.5)
    files = resnet(4)
    hub.publish(RESNET, files)
    cut_once(hub, stall=3 if how == "stalled" else 0, reset=how == "reset")
    calls: list[int] = []
    source = find(RESNET, progress=lambda name, done, whole: calls.append(done))
    assert source.weights.read_bytes() == files["model.safetensors"]
    first, second = [a for a in hub.requests("model.safetensors", "GET") if a.server == "store"]
    assert "range" not in first.headers
    assert second.headers["range"] == f"bytes={KEPT}-", "complete pieces were kept"
    assert sent(hub) == [CUT, (4 << 20) - KEPT]
    assert max(calls) == 4 << 20
    assert capfd.readouterr() == ("", "")


def test_a_download_retries_while_data_arrives(hub: Hub) -> None:
    files = resnet(1)
    hub.publish(RESNET, files)
    lengths = [300_000, 300_000, 0]

    def reset(request: Request) -> None:
        if request.server == "store" and lengths:
            request.cut, request.reset = lengths.pop(0), True

    hub.fault = reset
    assert "the download of microsoft/resnet-18 from" in refused(RESNET, DownloadFailed)
    assert find(RESNET).weights.read_bytes() == files["model.safetensors"]
    request = [a for a in hub.requests("model.safetensors", "GET") if a.server == "store"]
    ranges = [a.headers.get("range") for a in request]
    assert ranges == [None, "bytes=262144-", "bytes=524288-", "bytes=524288-"]


def test_a_partial_file_that_is_too_long_is_started_again(hub: Hub, tmp_path: Path) -> None:
    files = resnet()
    hub.publish(RESNET, files)
    blobs = tmp_path / "cache" / "models--microsoft--resnet-18" / "blobs"
    digest = hashlib.sha256(files["model.safetensors"]).hexdigest()
    lay(blobs, {f"{digest}.incomplete": files["model.safetensors"] + b"more"})
    assert find(RESNET).weights.read_bytes() == files["model.safetensors"]


@pytest.mark.slow
def test_a_download_that_stalls_for_good_is_given_up(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
    hub.publish(RESNET, resnet())

    def stall(request: Request) -> None:
        if request.server == "store":
            request.cut, request.stall = 1000, 1.0

    hub.fault = stall
    assert "stopped answering during the download of microsoft/resnet-18" in refused(
        RESNET, DownloadFailed
    )


def test_a_later_run_resumes_the_download(hub: Hub) -> None:
    files = resnet(4)
    hub.publish(RESNET, files)

    def fail(request: Request) -> Answer | None:
        if request.server == "store" and "range" in request.headers:
            return hubs.error(503)
        if request.server == "store":
            request.cut, request.reset = CUT, True
        return None

    hub.fault = fail
    assert "what was downloaded is kept" in refused(RESNET, DownloadFailed)
    hub.fault = lambda request: None
    hub.log.clear()
    assert find(RESNET).weights.read_bytes() == files["model.safetensors"]
    assert sent(hub) == [(4 << 20) - KEPT]
    assert not hub.requests("config.json"), "it was in the cache"


def test_a_server_without_ranges_starts_again(hub: Hub) -> None:
    files = resnet(4)
    hub.publish(RESNET, files)
    cut_once(hub, reset=True)
    cut = hub.fault

    def forget(request: Request) -> Answer | None:
        request.headers.pop("range", None)
        return cut(request)

    hub.fault = forget
    assert find(RESNET).weights.read_bytes() == files["model.safetensors"]


def test_a_slow_server_is_waited_for(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The timeout counts from the last byte."""
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.5)
    files = resnet(0.5)
    hub.publish(RESNET, files)

    def slow(request: Request) -> None:
        request.pause = 0.08 if request.server == "store" else 0.0

    hub.fault = slow
    assert find(RESNET).weights.read_bytes() == files["model.safetensors"]
    assert len(hub.requests("model.safetensors", "GET")) == 2


def test_a_silent_hub_is_given_up(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.3)
    awake = threading.Event()
    hub.fault = lambda request: (awake.wait(3), None)[1]
    assert "stopped answering during the download of microsoft/resnet-18" in refused(
        RESNET, DownloadFailed
    )
    awake.set()


def test_two_processes_download_a_model_once(hub: Hub) -> None:
    files = resnet(2)
    hub.publish(RESNET, files)

    def slow(request: Request) -> None:
        request.pause = 0.01 if request.server == "store" else 0.0

    hub.fault = slow
    source: list[Source] = []
    threads = [threading.Thread(target=lambda: source.append(find(RESNET))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert source[0] == source[1]
    assert sent(hub) == [2 << 20]


def test_wrong_bytes_are_reported_and_deleted(hub: Hub) -> None:
    files = resnet()
    hub.publish(RESNET, files)
    right = hashlib.sha256(files["model.safetensors"]).hexdigest()
    altered = b"\0" + files["model.safetensors"][1:]
    hub.fault = lambda request: (200, {}, altered) if request.server == "store" else None
    said = refused(RESNET, DownloadFailed)
    for part in ("model.safetensors", RESNET, right, hashlib.sha256(altered).hexdigest(), "again"):
        assert part in said
    hub.fault = lambda request: None
    assert find(RESNET).weights.read_bytes() == files["model.safetensors"]


def test_a_damaged_cache_is_reported_and_repaired(hub: Hub) -> None:
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
    hub.fault = lambda request: (200, {}, page) if request.server == "store" else None
    assert "does not answer as a Hugging Face hub does" in refused(RESNET, DownloadFailed)
    hub.fault = lambda request: None
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
    assert {
        request.headers.get("authorization") for request in hub.log if request.server == "hub"
    } == {"Bearer hf_secret"}
    elsewhere = [request for request in hub.log if request.server == "store"]
    assert elsewhere
    assert "hf_secret" not in str([(request.path, request.headers) for request in elsewhere])


def test_nothing_about_the_user_is_sent(hub: Hub) -> None:
    hub.publish(RESNET, resnet())
    find(RESNET)
    for request in hub.log:
        assert request.path.startswith(
            (f"/api/models/{RESNET}/revision/main", f"/{RESNET}/resolve/")
        )
        assert request.method in {"GET", "HEAD"}
        assert not {"torch", "agent", "transformers"} & set(
            request.headers["user-agent"].replace("/", " ").replace(";", " ").split()
        )
        assert "authorization" not in request.headers


_FIND = """
import json, sys
from pixquery.trainer.adopting.find import find
found = find(sys.argv[1])
told = [str(found.folder), found.revision, found.licence, dict(found.checksums)]
print(json.dumps(told, sort_keys=True))
"""


def test_the_environment_variables_apply(hub: Hub, tmp_path: Path) -> None:
    """The hub's environment variables, as a process reads them at its start."""
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
