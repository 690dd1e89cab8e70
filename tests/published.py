"""Models as the hub publishes them, and the small steps that tests of sources share."""

import hashlib
import io
import json
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants

from pixquery.db.errors import DownloadFailed, ProfileError
from pixquery.trainer.adopting.find import find
from tests.hubs import Hub, Request

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
"""SHA-256 of the three letters abc, as FIPS 180-4 gives it."""
CARD = "---\nlicense: apache-2.0\ntags:\n- vision\n---\n# A model\n"
STATE = {"layer.weight": torch.arange(6.0).reshape(2, 3), "layer.bias": torch.tensor([1.5, -2.0])}
RESNET = "microsoft/resnet-18"
CUT = int(2.6 * (1 << 20))
"""After how many bytes connections are cut."""
KEPT = int(2.5 * (1 << 20))
"""How many bytes are kept then: complete pieces of 256 KiB."""
BERT = "sentence-transformers/all-MiniLM-L6-v2"


def weights(megabytes: float = 0.1) -> bytes:
    """Pseudo-random bytes, so that no part resembles another."""
    return np.random.default_rng(7).bytes(int(megabytes * (1 << 20)))


def resnet(megabytes: float = 0.1) -> dict[str, bytes]:
    """The files of an image model at the hub, needed or not."""
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
    """The files of a text model at the hub."""
    names = ("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "modules.json",
             "special_tokens_map.json", "sentence_bert_config.json", "1_Pooling/config.json",
             "onnx/config.json", "train_script.py", "openvino/openvino_model.bin")  # fmt: skip
    return {"pytorch_model.bin": weights()} | {name: name.encode() for name in names}


def lay(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return folder


def sums(files: dict[str, bytes], *names: str) -> dict[str, str]:
    return {name: hashlib.sha256(files[name]).hexdigest() for name in names}


def refused(named: str | Path, kind: type[ProfileError] | type[DownloadFailed]) -> str:
    """The message with which a model is refused."""
    with pytest.raises(kind) as caught:
        find(str(named))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def pickled(document: object, *, zipped: bool = True) -> bytes:
    written = io.BytesIO()
    torch.save(document, written, _use_new_zipfile_serialization=zipped)
    return written.getvalue()


def sharded() -> dict[str, bytes]:
    """Weights in two files, with their index."""
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


def cut_once(hub: Hub, *, stall: float = 0.0, reset: bool = False) -> None:
    """Cuts the first answer with weights in the middle."""

    def cut(request: Request) -> None:
        if request.server == "store" and len(hub.requests("model.safetensors", "GET")) <= 2:
            request.cut, request.stall, request.reset = CUT, stall, reset

    hub.fault = cut


def sent(hub: Hub) -> list[int]:
    return [request.sent for request in hub.requests("model.safetensors", "GET") if request.sent]


def silence(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points the library to an address where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
