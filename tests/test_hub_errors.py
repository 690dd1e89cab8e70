"""What a user can do when the hub refuses, fails or cannot be reached."""

from pathlib import Path

import pytest
from huggingface_hub import constants

from pixquery.db.errors import DownloadFailed, SourceUnusable
from pixquery.trainer.adopting.find import find
from pixquery.trainer.adopting.sources import Wish
from tests import hubs
from tests.hubs import Answer, Hub
from tests.published import RESNET, refused, resnet, silence


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (hubs.error(401, "GatedRepo"), ("terms", "HF_TOKEN", "URL/microsoft/resnet-18", "URL/set")),
        (hubs.error(403, "GatedRepo"), ("terms", "HF_TOKEN", "URL/microsoft/resnet-18")),
        (hubs.error(403), ("terms", "HF_TOKEN")),
        (hubs.error(401, "RepoNotFound"), ("has no model microsoft/resnet-18", "private")),
        (hubs.error(404, "RepoNotFound"), ("has no model microsoft/resnet-18", "private")),
        (hubs.error(404), ("has no model microsoft/resnet-18", "private")),
        (
            hubs.error(401, "", "Invalid credentials in Authorization header"),
            ("does not accept your token", "HF_TOKEN"),
        ),
        (hubs.error(429), ("429", "again in a few minutes", "kept")),
        (hubs.error(500), ("500", "again in a few minutes", "kept")),
        (hubs.error(503), ("503", "again in a few minutes", "kept")),
        ((200, {}, b"<html>Log in</html>"), ("does not answer as a Hugging Face hub does",)),
        ((200, {}, b"[]"), ("does not answer as a Hugging Face hub does",)),
        ((200, {}, b"{}"), ("does not answer as a Hugging Face hub does",)),
    ],
)
def test_refusals_say_what_to_do(hub: Hub, answer: Answer, said: tuple[str, ...]) -> None:
    hub.fault = lambda request: answer
    sentence = refused(RESNET, DownloadFailed).replace(hub.address(), "URL")
    for part in said:
        assert part in sentence


@pytest.mark.parametrize("answer", [hubs.error(401, "GatedRepo"), hubs.error(403)])
def test_gated_files_are_explained_too(hub: Hub, answer: Answer) -> None:
    """The real hub shows the list of a gated model's files to everybody."""
    hub.publish(RESNET, resnet())
    hub.fault = lambda request: answer if request.file else None
    assert "accept them at" in refused(RESNET, DownloadFailed)


def test_a_missing_model_is_reported(hub: Hub) -> None:
    assert "has no model microsoft/resnet-18" in refused(RESNET, DownloadFailed)


def test_a_missing_revision_is_reported(hub: Hub) -> None:
    hub.publish(RESNET, resnet())
    with pytest.raises(DownloadFailed, match=r"no revision 'v9'.*resnet-18/commits/main"):
        find(RESNET, Wish(revision="v9"))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_models_of_another_kind_are_refused(hub: Hub, name: str) -> None:
    files = resnet()
    hub.publish(
        RESNET, {n: data for n, data in files.items() if n not in {name, "pytorch_model.bin"}}
    )
    assert f"lacks {name}" in refused(RESNET, SourceUnusable)
    assert not [request for request in hub.log if request.file]


def test_a_model_larger_than_the_disk_is_not_started(hub: Hub) -> None:
    hub.publish(RESNET, resnet())
    hub.claims["model.safetensors"] = {"size": 10**15}
    said = refused(RESNET, DownloadFailed)
    assert "needs 1,000,000,000 MB" in said
    assert "HF_HOME" in said
    assert not [request for request in hub.log if request.file]


def test_a_full_disk_is_reported(hub: Hub, tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk."""
    files = resnet(2)
    hub.publish(RESNET, files)
    resource = pytest.importorskip("resource", reason="limits on the size of files need POSIX")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        said = refused(RESNET, DownloadFailed)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert f"{tmp_path / 'cache'} is full: make room" in said
    assert find(RESNET).weights.read_bytes() == files["model.safetensors"]


def test_a_cache_that_cannot_be_made_is_reported(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.publish(RESNET, resnet())
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file" / "cache"))
    assert "set HF_HOME to a writable folder" in refused(RESNET, DownloadFailed)


@pytest.mark.parametrize("offline", [False, True])
def test_without_a_network_the_error_says_what_to_do(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, offline: bool
) -> None:
    silence(hub, monkeypatch)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    said = refused(RESNET, DownloadFailed)
    for part in (
        f"{constants.ENDPOINT}/{RESNET}/tree/main",
        "HF_HUB_OFFLINE is set" if offline else "Connection refused",
        str(tmp_path / "cache"),
        "config.json", "model.safetensors", "pytorch_model.bin", "tokenizer.json",
        "preprocessor_config.json", "`pixquery models add NAME --image FOLDER`",
    ):  # fmt: skip
        assert part in said


@pytest.mark.parametrize("offline", [False, True])
def test_without_a_network_the_cache_answers(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, offline: bool
) -> None:
    hub.publish(RESNET, resnet())
    found = find(RESNET)
    silence(hub, monkeypatch)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    assert find(RESNET) == found
    assert "cannot be reached" in refused("microsoft/resnet-50", DownloadFailed)


def test_an_incomplete_model_in_the_cache_does_not_count(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = hub.publish(RESNET, resnet())
    hub.fault = lambda request: hubs.error(500) if request.server == "store" else None
    refused(RESNET, DownloadFailed)
    silence(hub, monkeypatch)
    for revision in ("", commit):
        with pytest.raises(DownloadFailed, match="cannot be reached"):
            find(RESNET, Wish(revision=revision))
