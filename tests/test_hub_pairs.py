"""Ready pairs from a simulated hub: what is downloaded, asked, resumed, and refused."""

from pathlib import Path

import pytest

from pixquery.db.errors import DownloadFailed, SourceUnusable
from pixquery.trainer.adopting.find import find
from pixquery.trainer.adopting.known import KNOWN
from pixquery.trainer.adopting.layouts import networks_in
from pixquery.trainer.adopting.sources import Wish
from tests.conftest import Spawn
from tests.hubs import Answer, Hub, Request, running
from tests.published import sums

REPO = "onnx-community/small-ONNX"
LARGE = b"\x00" * 900_000
FILES = {
    "README.md": b"---\nlicense: apache-2.0\n---\n",
    "config.json": b'{"model_type": "siglip"}',
    "preprocessor_config.json": b"{}",
    "tokenizer.json": b"{}",
    "tokenizer_config.json": b"{}",
    "special_tokens_map.json": b"{}",
    "onnx/model.onnx": LARGE + b"both",
    "onnx/vision_model.onnx": LARGE + b"seen",
    "onnx/text_model.onnx": LARGE + b"read",
    "onnx/text_model_int8.onnx": LARGE + b"coarse",
    "model.safetensors": LARGE + b"weights",
}
NEEDED = ("README.md", "config.json", "preprocessor_config.json", "tokenizer.json",
          "tokenizer_config.json", "onnx/vision_model.onnx", "onnx/text_model.onnx")  # fmt: skip


def test_only_the_files_of_the_pair_are_downloaded(hub: Hub) -> None:
    commit = hub.publish(REPO, FILES)
    source = find(REPO, Wish(joint=True))
    assert {request.file for request in hub.requests()} == {"", *NEEDED}
    assert source.checksums == sums(FILES, *NEEDED)
    assert (source.revision, source.licence) == (commit, "apache-2.0")
    assert (source.folder / "onnx" / "text_model.onnx").read_bytes().endswith(b"read")
    assert networks_in(source.checksums) == ("onnx/vision_model.onnx", "onnx/text_model.onnx")


def test_files_with_known_checksums_come_before_smaller_ones(hub: Hub) -> None:
    """The repositories of known names have networks in half precision as well."""
    halves = {"onnx/vision_model_fp16.onnx": b"seen", "onnx/text_model_fp16.onnx": b"read"}
    hub.publish(REPO, FILES | halves)
    assert networks_in(find(REPO, Wish(joint=True)).checksums) == tuple(halves)
    hub.log.clear()
    pins = KNOWN["siglip2-b16"].pins
    source = find(REPO, Wish(joint=True, known=tuple(pins)))
    assert networks_in(source.checksums) == ("onnx/vision_model.onnx", "onnx/text_model.onnx")
    assert not {request.file for request in hub.requests()} & set(halves)
    again = find(str(source.folder), Wish(joint=True, known=tuple(pins)))
    assert again.checksums == source.checksums


def test_without_a_pair_the_weights_are_downloaded(hub: Hub) -> None:
    hub.publish(REPO, {name: file for name, file in FILES.items() if "text_model" not in name})
    assert networks_in(find(REPO, Wish(joint=True)).checksums) is None
    hub.publish(REPO, FILES)
    assert find(REPO).weights.name == "model.safetensors"  # for one side, no pair is looked for


def test_a_pair_without_config_is_found(hub: Hub) -> None:
    """As rclip publishes its networks."""
    hub.publish(REPO, {"visual.onnx": LARGE, "textual.onnx": LARGE, "tokenizer.json": b"{}"})
    source = find(REPO, Wish(joint=True))
    assert source.weights == source.folder / "visual.onnx"


def test_a_download_is_asked_for_once(hub: Hub) -> None:
    hub.publish(REPO, FILES, tags=("license:mit",))
    asked: list[tuple[str, str, int]] = []

    def refuse(*download: object) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        find(REPO, Wish(joint=True), agree=refuse)
    assert not [request for request in hub.requests() if request.file]
    find(REPO, Wish(joint=True), agree=lambda *download: asked.append(download))
    assert asked == [(REPO, "mit", sum(len(FILES[name]) for name in NEEDED))]
    find(REPO, Wish(joint=True), agree=lambda *download: asked.append(download))
    assert len(asked) == 1  # the cache has all


def test_a_cut_download_resumes(hub: Hub) -> None:
    hub.publish(REPO, FILES)
    name = "onnx/text_model.onnx"

    def cut(request: Request) -> None:
        if request.server == "store" and len(hub.requests(name, "GET")) <= 2:
            request.cut = 800_000 if request.file == name else None

    hub.fault = cut
    assert find(REPO, Wish(joint=True)).checksums[name] == sums(FILES, name)[name]
    sent = [request.sent for request in hub.requests(name, "GET") if request.sent]
    assert len(sent) == 2
    assert sent[1] <= len(FILES[name]) - 800_000 + 2**18  # at most a piece is sent twice


def test_the_cache_answers_without_a_network(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.publish(REPO, FILES)
    there = find(REPO, Wish(joint=True))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    again = find(REPO, Wish(joint=True))
    assert (again.checksums, again.revision) == (there.checksums, there.revision)
    with pytest.raises(DownloadFailed, match=r"onnx/vision_model\.onnx and onnx/text_model\.onnx"):
        find("onnx-community/other-ONNX", Wish(joint=True))


def test_an_unfinished_pair_in_the_cache_is_no_pair(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.publish(REPO, {name: file for name, file in FILES.items() if name != "model.safetensors"})
    source = find(REPO, Wish(joint=True))
    (source.folder / "onnx" / "text_model.onnx").unlink()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadFailed, match="cannot be reached"):
        find(REPO, Wish(joint=True))


def test_a_renamed_repository_is_followed(hub: Hub) -> None:
    hub.publish("onnx-community/renamed", FILES)

    def moved(request: Request) -> Answer | None:
        if REPO not in request.path:
            return None
        return 307, {"Location": request.path.replace(REPO, "onnx-community/renamed")}, b""

    hub.fault = moved
    assert set(find(REPO, Wish(joint=True)).checksums) == set(NEEDED)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "has no model"),
        (403, "accept them at"),
        (404, "has no model"),
        (429, "busy or failing"),
        (500, "busy or failing"),
        (503, "busy or failing"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence(hub: Hub, status: int, words: str) -> None:
    hub.publish(REPO, FILES)
    hub.fault = lambda request: (status, {}, b"no") if "api/models" in request.path else None
    with pytest.raises(DownloadFailed, match=words) as error:
        find(REPO, Wish(joint=True))
    assert "\n" not in str(error.value)


def test_a_side_file_that_is_missing_is_named(tmp_path: Path) -> None:
    for name in NEEDED:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(FILES[name])
    (tmp_path / "onnx" / "text_model.onnx").unlink()
    with pytest.raises(SourceUnusable, match="no weights"):
        find(str(tmp_path), Wish(joint=True))


def test_other_files_under_a_known_name_are_refused(tmp_path: Path, spawn: Spawn) -> None:
    known = KNOWN["siglip2-b16"]
    with running() as hub:
        halves = {"onnx/vision_model_fp16.onnx": b"1", "onnx/text_model_fp16.onnx": b"2"}
        hub.publish(known.repo, FILES | halves, commit=known.revision)
        done = spawn(
            "models", "add", "siglip2-b16", "--yes",
            NO_PROXY="127.0.0.1,localhost", HF_ENDPOINT=hub.address(),
            HF_HOME=str(tmp_path / "cache"), PIXQUERY_PROFILES=str(tmp_path / "profiles"),
        )  # fmt: skip
    assert done.returncode == 1
    assert "onnx/vision_model.onnx of onnx-community/siglip2-base-patch16-256" in done.stderr
    assert "siglip2-b16 is made of the file with the sha256" in done.stderr
    assert "is missing" not in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "profiles" / "siglip2-b16").exists()
