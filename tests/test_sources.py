"""Files of models: at hand, from a hub that the tests play, and every way in which they fail."""

import hashlib
import io
import json
import os
import pickle
import random
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import close_session, constants
from safetensors.torch import save_file

from pixquery.db.errors import DownloadFailed, ProfileError, SourceUnusable
from pixquery.trainer.adopting.sources import Source, find, read_state
from tests import hubs
from tests.conftest import REPOSITORY
from tests.hubs import Answer, Asked, Hub

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
"""SHA-256 of the three letters abc, as FIPS 180-4 gives it."""
CARD = "---\nlicense: apache-2.0\ntags:\n- vision\n---\n# A model\n"
STATE = {"layer.weight": torch.arange(6.0).reshape(2, 3), "layer.bias": torch.tensor([1.5, -2.0])}
RESNET = "microsoft/resnet-18"
CUT = int(2.6 * (1 << 20))
"""Where connections end, in bytes."""
KEPT = int(2.5 * (1 << 20))
"""What is kept then: whole pieces of 256 KiB."""
BERT = "sentence-transformers/all-MiniLM-L6-v2"


def weights(megabytes: float = 0.1) -> bytes:
    """Bytes as good as random, so that none can be taken for others."""
    return np.random.default_rng(7).bytes(int(megabytes * (1 << 20)))


def resnet(megabytes: float = 0.1) -> dict[str, bytes]:
    """What the hub has of a model of images, needed or not."""
    return {
        ".gitattributes": b"*.bin filter=lfs",
        "README.md": CARD.encode(),
        "config.json": b'{"architectures": ["ResNetForImageClassification"]}',
        "flax_model.msgpack": b"no",
        "model.onnx": b"no",
        "model.safetensors": weights(megabytes),
        "modeling_own.py": b"raise SystemExit('code of a model ran')",
        "preprocessor_config.json": b'{"size": 224}',
        "pytorch_model.bin": weights(0.07),
        "tf_model.h5": b"no",
    }


def bert() -> dict[str, bytes]:
    """What the hub has of a model of texts."""
    names = ("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "modules.json",
             "special_tokens_map.json", "sentence_bert_config.json", "1_Pooling/config.json",
             "onnx/config.json", "train_script.py", "openvino/openvino_model.bin")  # fmt: skip
    return {"pytorch_model.bin": weights()} | {name: name.encode() for name in names}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub that listens, and the library set to it as its environment would at its start."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    with hubs.running() as hub:
        template = hub.address() + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", hub.address())
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
        close_session()
        yield hub
        close_session()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder as the hub lays it out."""
    return lay(tmp_path / "model", {"config.json": b"{}", "model.safetensors": b"abc"})


def lay(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return folder


def sums(files: dict[str, bytes], *names: str) -> dict[str, str]:
    return {name: hashlib.sha256(files[name]).hexdigest() for name in names}


def refused(named: str | Path, kind: type[ProfileError] | type[DownloadFailed]) -> str:
    """The sentence with which a model is refused."""
    with pytest.raises(kind) as caught:
        find(str(named))
    assert "\n" not in str(caught.value)
    return str(caught.value)


# -- the disk ------------------------------------------------------------------------------------


def test_a_folder_is_told_with_its_licence_and_checksums(folder: Path) -> None:
    lay(folder, {"README.md": CARD.encode(), "1_Pooling/config.json": b"", "photo.jpg": b"",
                 "run.py": b"", "pytorch_model.bin": b"older"})  # fmt: skip
    found = find(str(folder))
    assert (found.named, found.folder, found.weights) == (
        str(folder),
        folder,
        folder / "model.safetensors",
    )
    assert (found.revision, found.licence) == ("", "apache-2.0")
    assert set(found.checksums) == {
        "README.md",
        "config.json",
        "model.safetensors",
        "1_Pooling/config.json",
    }
    assert found.checksums["model.safetensors"] == ABC


def test_a_lone_file_is_a_model_too(tmp_path: Path) -> None:
    file = tmp_path / "resnet18-f37072fd.pth"
    file.write_bytes(b"abc")
    (tmp_path / "README.md").write_text(CARD)  # of what else lies among the downloads
    assert find(str(file)) == Source(str(file), tmp_path, file, "", "unknown", {file.name: ABC})


def test_a_lone_file_beside_its_config_is_used_with_it(folder: Path) -> None:
    lay(folder, {"ema.safetensors": b"abc", "README.md": CARD.encode()})
    found = find(str(folder / "ema.safetensors"))
    assert (found.weights, found.licence) == (folder / "ema.safetensors", "apache-2.0")
    assert set(found.checksums) == {"ema.safetensors", "config.json", "README.md"}


@pytest.mark.parametrize("name", ["pytorch_model.bin", "checkpoint.pth", "weights.safetensors"])
def test_the_only_weights_of_a_folder_are_taken(tmp_path: Path, name: str) -> None:
    lay(tmp_path, {"config.json": b"{}", name: b"abc"})
    assert find(str(tmp_path)).weights == tmp_path / name


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: MIT\n---\n", "mit"),
        ("---\r\ntags: [a]\r\nlicense: 'cc-by-4.0' # why\r\n---\r\nlicense: gpl\r\n", "cc-by-4.0"),
        ("---\nlicense:\n- bsd-3-clause\n- mit\n---\n", "bsd-3-clause"),
        ("---\nlicense: [openrail]\n---\n", "openrail"),
        ("---\nlicense: other\nlicense_name: apple-amlr\n---\n", "apple-amlr"),
        ("---\nlicense_name: x\nlicense: other\nlicense_link: https://x.y\n---\n", "x"),
        ("---\nlicense: other\n---\n", "other"),
        ("---\ntags: []\n---\nlicense: mit\n", "unknown"),
        ("# A model\nlicense: mit\n", "unknown"),
        ("", "unknown"),
    ],
)
def test_licences_stand_at_the_head_of_a_card(folder: Path, card: str, licence: str) -> None:
    (folder / "README.md").write_bytes(card.encode())
    assert find(str(folder)).licence == licence


def test_what_lies_on_the_disk_wins_over_the_hub(
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


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "neither config.json nor weights"),
        ({"a.jpg": b"photo", "b.jpg": b"photo"}, "neither config.json nor weights"),
        ({"config.json": b"{}", "model.onnx": b"x"}, "no weights: put the model's model.saf"),
        ({"model.safetensors": b"x"}, "lacks config.json"),
        ({"resnet18.pth": b"x"}, "give FOLDER/resnet18.pth if it is torchvision's"),
        ({"config.json": b"{}", "a.pth": b"x", "b.pt": b"x"}, "several files of weights (a.pth, b"),
        ({"config.json": b"{}", "model.safetensors": b""}, "model.safetensors is empty"),
        (
            {
                "config.json": b"{}",
                "model.safetensors": b"version https://git-lfs.github.com/spec/v1",
            },
            "type `git lfs pull` in FOLDER",
        ),
        ({"config.json": b"{}", "model.safetensors.index.json": b"[]"}, "no index of weights"),
        (
            {
                "config.json": b"{}",
                "model.safetensors.index.json": b'{"weight_map": {"a": "../a.safetensors"}}',
            },
            "no part of weights beside it",
        ),
    ],
)
def test_folders_that_are_no_models_are_refused(
    tmp_path: Path, files: dict[str, bytes], said: str
) -> None:
    place = lay(tmp_path / "here", files)
    place.mkdir(exist_ok=True)
    assert said in refused(place, SourceUnusable).replace(str(place), "FOLDER")


@pytest.mark.parametrize("closed", ["", "model.safetensors", "config.json"])
def test_what_may_not_be_read_is_refused(closed: str) -> None:
    if os.name != "posix":
        pytest.skip("permissions are a thing of POSIX")
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        place = lay(Path(name) / "model", {"config.json": b"{}", "model.safetensors": b"abc"})
        (place / closed).chmod(0)
        try:
            if user == 0:  # permissions bind everybody else
                os.seteuid(65534)
            assert f"{place / closed} cannot be read: Perm" in refused(place, SourceUnusable)
        finally:
            os.seteuid(user)
            (place / closed).chmod(0o700)


def test_local_models_need_neither_network_nor_the_hub_s_library(folder: Path) -> None:
    script = (
        "import sys\n"
        "def look(event, args):\n"
        "    if event.startswith('socket.'): raise SystemExit(event)\n"
        "sys.addaudithook(look)\n"
        "from pixquery.trainer.adopting.sources import find\n"
        "print(find(sys.argv[1]).checksums['model.safetensors'])\n"
        "assert 'huggingface_hub' not in sys.modules and 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == (ABC, "")


# -- weights -------------------------------------------------------------------------------------


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def pickled(document: object, *, zipped: bool = True) -> bytes:
    written = io.BytesIO()
    torch.save(document, written, _use_new_zipfile_serialization=zipped)
    return written.getvalue()


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "model.safetensors")
    assert same(read_state(tmp_path / "model.safetensors"), STATE)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "document",
    [
        STATE,
        {"state_dict": STATE, "epoch": 7},
        {"model": STATE, "optimizer": {"lr": 0.1}},
        {f"module.{name}": tensor for name, tensor in STATE.items()},
    ],
    ids=["bare", "state_dict", "model", "parallel"],
)
def test_checkpoints_are_read(tmp_path: Path, document: object, zipped: bool) -> None:
    (tmp_path / "a.pth").write_bytes(pickled(document, zipped=zipped))
    assert same(read_state(tmp_path / "a.pth"), STATE)


def test_a_layer_may_be_called_module(tmp_path: Path) -> None:
    state = {"module.weight": torch.ones(2), "head.weight": torch.zeros(2)}
    (tmp_path / "a.pth").write_bytes(pickled(state))
    assert same(read_state(tmp_path / "a.pth"), state)


def sharded() -> dict[str, bytes]:
    """Weights in two files with their index."""
    from safetensors.torch import save

    parts = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    index = {"metadata": {}, "weight_map": dict(zip(STATE, parts, strict=True))}
    files = {
        part: save({name: tensor})
        for part, (name, tensor) in zip(parts, STATE.items(), strict=True)
    }
    return files | {
        "model.safetensors.index.json": json.dumps(index).encode(),
        "config.json": b"{}",
    }


def test_weights_in_several_files_are_put_together(tmp_path: Path) -> None:
    lay(tmp_path, sharded())
    found = find(str(tmp_path))
    assert found.checksums == sums(sharded(), *sharded())
    assert same(read_state(found.weights), STATE)


def test_a_missing_part_is_told(tmp_path: Path) -> None:
    lay(tmp_path, sharded())
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    assert "model-00002-of-00002.safetensors cannot be read" in refused(tmp_path, SourceUnusable)


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pth", "weights"])
@pytest.mark.parametrize("form", ["zipped", "legacy", "pickle 2", "pickle 4"])
def test_code_in_weights_never_runs(tmp_path: Path, name: str, form: str) -> None:
    pickle.loads(pickle.dumps(Payload(tmp_path / "control")))
    assert (tmp_path / "control").is_dir(), "the payload works where code is allowed"

    bad: dict[str, object] = {"bad": Payload(tmp_path / "ran")}
    if form.startswith("pickle"):
        data = pickle.dumps(bad, protocol=int(form[-1]))
    else:
        data = pickled({**STATE, **bad}, zipped=form == "zipped")
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceUnusable) as caught:
        read_state(tmp_path / name)
    said = str(caught.value)
    assert ("no weights of PyTorch's" if form == "pickle 4" else "mkdir to be run, and no") in said
    assert "\n" not in said
    assert find(str(tmp_path / name)).checksums.keys() == {name}, "finding reads no weights"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_checkpoints_are_refused_or_read_whole(tmp_path: Path, zipped: bool) -> None:
    whole, file, chance = pickled(STATE, zipped=zipped), tmp_path / "a.pth", random.Random(5)
    for attempt in range(200):
        data = bytearray(whole[: chance.randrange(len(whole)) if attempt % 3 == 0 else None])
        for _ in range(chance.randrange(1, 20) if attempt % 3 else 0):
            data[chance.randrange(len(data))] = chance.randrange(256)
        file.write_bytes(data)
        try:
            assert read_state(file)
        except SourceUnusable as error:
            assert str(file) in str(error)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.safetensors", b"These are not the weights that you are looking for.", "damaged, or no"),
        ("a.safetensors", b"abc", "damaged, or no"),
        ("a.safetensors", b"", "is empty"),
        ("a.pth", b"", "is empty"),
        ("a.pth", b"<html>Please log in</html>", "no weights of PyTorch's"),
        ("a.pth", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("a.pth", pickled([1, 2]), "no tensors by name"),
        ("a.pth", pickled({"epoch": 3}), "no tensors by name"),
        ("a.pth", pickled(torch.zeros(3)), "no tensors by name"),
        ("a.pth", pickled(torch.nn.Linear(2, 2)), "Linear to be run"),
    ],
)
def test_other_files_are_no_weights(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceUnusable, match=said):
        read_state(tmp_path / name)


def test_truncated_safetensors_are_refused(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "whole.safetensors")
    whole = (tmp_path / "whole.safetensors").read_bytes()
    for length in range(1, len(whole)):
        (tmp_path / "cut.safetensors").write_bytes(whole[:length])
        with pytest.raises(SourceUnusable, match="damaged"):
            read_state(tmp_path / "cut.safetensors")


def test_missing_weights_are_told(tmp_path: Path) -> None:
    with pytest.raises(SourceUnusable, match=r"no\.pth cannot be read: No such file"):
        read_state(tmp_path / "no.pth")
    with pytest.raises(SourceUnusable, match="Is a directory"):
        read_state(tmp_path)


# -- the hub -------------------------------------------------------------------------------------


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


# -- cuts ----------------------------------------------------------------------------------------


def cut_once(hub: Hub, *, stall: float = 0.0, reset: bool = False) -> None:
    """The first answer with weights ends in the middle."""

    def cut(asked: Asked) -> None:
        if asked.server == "store" and len(hub.asked("model.safetensors", "GET")) <= 2:
            asked.cut, asked.stall, asked.reset = CUT, stall, reset

    hub.fault = cut


def sent(hub: Hub) -> list[int]:
    return [asked.sent for asked in hub.asked("model.safetensors", "GET") if asked.sent]


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
    assert "stopped answering while microsoft/resnet-18 was" in refused(RESNET, DownloadFailed)


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
    assert "what was fetched is kept" in refused(RESNET, DownloadFailed)
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
    assert "stopped answering while microsoft/resnet-18 was" in refused(RESNET, DownloadFailed)
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


# -- wrong bytes ---------------------------------------------------------------------------------


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


# -- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (hubs.error(401, "GatedRepo"), ("terms", "HF_TOKEN", "URL/microsoft/resnet-18", "URL/set")),
        (hubs.error(403, "GatedRepo"), ("terms", "HF_TOKEN", "URL/microsoft/resnet-18")),
        (hubs.error(403), ("terms", "HF_TOKEN")),
        (hubs.error(401, "RepoNotFound"), ("knows no model microsoft/resnet-18", "private")),
        (hubs.error(404, "RepoNotFound"), ("knows no model microsoft/resnet-18", "private")),
        (hubs.error(404), ("knows no model microsoft/resnet-18", "private")),
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
    hub.fault = lambda asked: answer
    sentence = refused(RESNET, DownloadFailed).replace(hub.address(), "URL")
    for part in said:
        assert part in sentence


@pytest.mark.parametrize("answer", [hubs.error(401, "GatedRepo"), hubs.error(403)])
def test_gated_files_are_told_too(hub: Hub, answer: Answer) -> None:
    """The real hub shows everybody what a gated model holds."""
    hub.publish(RESNET, resnet())
    hub.fault = lambda asked: answer if asked.file else None
    assert "accept them at" in refused(RESNET, DownloadFailed)


def test_a_missing_model_is_told(hub: Hub) -> None:
    assert "knows no model microsoft/resnet-18" in refused(RESNET, DownloadFailed)


def test_a_missing_revision_is_told(hub: Hub) -> None:
    hub.publish(RESNET, resnet())
    with pytest.raises(DownloadFailed, match=r"no revision 'v9'.*resnet-18/commits/main"):
        find(RESNET, revision="v9")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_models_of_another_kind_are_told(hub: Hub, name: str) -> None:
    files = resnet()
    hub.publish(
        RESNET, {n: data for n, data in files.items() if n not in {name, "pytorch_model.bin"}}
    )
    assert f"lacks {name}" in refused(RESNET, SourceUnusable)
    assert not [asked for asked in hub.log if asked.file]


def test_too_large_a_model_is_not_begun(hub: Hub) -> None:
    hub.publish(RESNET, resnet())
    hub.claims["model.safetensors"] = {"size": 10**15}
    said = refused(RESNET, DownloadFailed)
    assert "takes 1,000,000,000 MB" in said
    assert "HF_HOME" in said
    assert not [asked for asked in hub.log if asked.file]


def test_a_full_disk_is_told(hub: Hub, tmp_path: Path) -> None:
    """As full as a limit on the size of files makes it."""
    resource = pytest.importorskip("resource", reason="file size limits are a thing of POSIX")
    files = resnet(2)
    hub.publish(RESNET, files)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        said = refused(RESNET, DownloadFailed)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert f"{tmp_path / 'cache'} is full: make room" in said
    assert find(RESNET).weights.read_bytes() == files["model.safetensors"]


def test_a_cache_that_cannot_be_made_is_told(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.publish(RESNET, resnet())
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file" / "cache"))
    assert "set HF_HOME to a folder that may be written" in refused(RESNET, DownloadFailed)


# -- no network ----------------------------------------------------------------------------------


def silence(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens at the hub's address any more."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", address)


@pytest.mark.parametrize("offline", [False, True])
def test_without_a_network_the_way_is_told(
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


def test_half_a_model_in_the_cache_is_none(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = hub.publish(RESNET, resnet())
    hub.fault = lambda asked: hubs.error(500) if asked.server == "store" else None
    refused(RESNET, DownloadFailed)
    silence(hub, monkeypatch)
    for revision in ("", commit):
        with pytest.raises(DownloadFailed, match="cannot be reached"):
            find(RESNET, revision=revision)


# -- what is sent --------------------------------------------------------------------------------


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
from pixquery.trainer.adopting.sources import find
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
