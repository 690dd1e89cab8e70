"""Finds the files of other people's models: on the disk, or at the Hugging Face hub.

Nothing goes over the network unless `find` is asked for an id of the hub. No code of a model is
fetched or run, and every file is told with its checksum.
"""

import hashlib
import json
import re
import struct
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from pixquery.db.errors import SourceUnusable

if TYPE_CHECKING:  # loaded with the first weights: files are found, or not, in a blink
    from torch import Tensor

Progress = Callable[[str, int, int], object]
"""Told of a download: file name, bytes done, bytes to do (0 while unknown)."""

CONFIG = "config.json"
INDEX = ".index.json"
WEIGHTS = ("model.safetensors", "model.safetensors" + INDEX, "pytorch_model.bin")
"""The best first: safetensors cannot hold code, and one file is simpler than many."""
SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
ABOUT = re.compile(
    r"README\.md|config\.json|preprocessor_config\.json|processor_config\.json|tokenizer\.json"
    r"|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json|vocab\.json|vocab\.txt"
    r"|merges\.txt|spiece\.model|sentencepiece\.bpe\.model|tokenizer\.model|modules\.json"
    r"|sentence_bert_config\.json|config_sentence_transformers\.json|\d+_Pooling/config\.json"
)
"""What says how the weights are to be used, and under which licence."""
COMMAND = "`pixquery models add NAME --image FOLDER` (or --text, or --joint)"
UNKNOWN = "unknown"
_ENDINGS = (".safetensors", ".bin", ".pth", ".pt")
_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)
_LICENCE = re.compile(r"""^license(_name)?:\s*(?:-\s*|\[\s*)?["']?([^"'\s,\]]+)""", re.MULTILINE)
_POINTER = b"version https://git-lfs.github.com/spec/"
_DAMAGE = (UnpicklingError, RuntimeError, ValueError, LookupError, TypeError, AttributeError,
           AssertionError, ArithmeticError, EOFError, MemoryError, struct.error)  # fmt: skip
"""What PyTorch's reader stumbles over in files with flipped, missing or foreign bytes."""


@dataclass(frozen=True, slots=True)
class Source:
    """The files of one model, at hand, as their origin published them."""

    named: str
    """What the user typed."""
    folder: Path
    """Where config.json, tokenizer.json and the like lie; for a lone file the one it lies in."""
    weights: Path
    """What `read_state` reads."""
    revision: str
    """The hub's commit hash; empty for local files."""
    licence: str
    """As the model's card or the hub says, in the hub's words; ``unknown`` where nobody does."""
    checksums: Mapping[str, str]
    """SHA-256 in hex of every file used, by its path from the folder."""


def _unheard(file: str, done: int, total: int) -> None:
    """Progress that nobody asked for."""


def find(named: str, *, revision: str = "", progress: Progress = _unheard) -> Source:
    """Has the files of a model at hand; those of the hub are fetched unless its cache has them.

    What exists on the disk wins over an id of the hub that looks the same. Without a network the
    cache answers alone.

    Args:
        named: A folder, a file of weights, or an id of the hub such as ``microsoft/resnet-18``.
        revision: Branch, tag or commit at the hub; its main branch when empty.
        progress: Told of each file while it is fetched.

    Raises:
        SourceUnusable: What was named is no model, or its files are damaged.
        DownloadFailed: The hub cannot be reached, or does not give the files.
    """
    place = Path(named).expanduser() if named.startswith("~/") else Path(named)
    with _readable(place):
        if named.startswith((".", "/", "~")) or named.endswith(_ENDINGS) or place.exists():
            return of_disk(named, place)
    if not _ID.fullmatch(named):
        raise no_model(named)
    from pixquery.trainer.adopting import hub  # what lies on the disk is found without its library

    return hub.fetch(named, revision, progress)


def no_model(named: str) -> SourceUnusable:
    """What a user hears whose model lies nowhere and could not be at the hub."""
    return SourceUnusable(
        f"{named!r} is neither a folder or file at hand nor an id of the Hugging Face hub, such as "
        f"microsoft/resnet-18: give one of them to {COMMAND}"
    )


def read_state(file: Path) -> "dict[str, Tensor]":
    """The tensors of a file of weights by their names; code in it is never run.

    Checkpoints of a training give the weights in them.

    Args:
        file: ``*.safetensors``, an index ``*.safetensors.index.json`` of several such files beside
            it, or by any other name what ``torch.save`` wrote.

    Raises:
        SourceUnusable: The file is damaged, or holds something else.
    """
    with _readable(file):
        _refuse_hollow(file)
        if file.name.endswith(INDEX):
            parts = [read_state(file.parent / part) for part in _parts(file)]
            return {name: tensor for part in parts for name, tensor in part.items()}
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
    state = _unwrapped(_unpickled(file))
    if not state:
        raise SourceUnusable(
            f"{file} holds no tensors by name: give the file of a state dict, as "
            "torch.save(model.state_dict(), FILE) writes it"
        )
    return state


# -- files of weights -------------------------------------------------------------------------


@contextmanager
def _readable(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SourceUnusable(
            f"{error.filename or place} cannot be read: {error.strerror or error}; look whether it "
            "is the right one"
        ) from error
    except SafetensorError as error:
        raise SourceUnusable(
            f"{place} is damaged, or no file of safetensors ({error}): fetch it again"
        ) from error


def _refuse_hollow(file: Path) -> None:
    """Refuses what stands where weights should lie and holds none."""
    with file.open("rb") as opened:
        head = opened.read(len(_POINTER))
    if not head:
        raise SourceUnusable(f"{file} is empty: fetch it again")
    if head == _POINTER:
        raise SourceUnusable(
            f"{file} is a pointer of git-lfs and not the weights: type `git lfs pull` in "
            f"{file.parent}"
        )


def _parts(index: Path) -> list[str]:
    """Names of the files that an index puts together; only files beside it count."""
    try:
        parts = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise SourceUnusable(f"{index} is no index of weights: fetch it again") from error
    for part in parts:
        if not isinstance(part, str) or not SHARD.fullmatch(part):
            raise SourceUnusable(f"{index} names {part!r}, which is no part of weights beside it")
    return parts


def _unpickled(file: Path) -> Any:
    import torch

    try:
        with warnings.catch_warnings(action="ignore"):  # of formats, which are refused below
            return torch.load(file, map_location="cpu", weights_only=True)
    except _DAMAGE as error:
        code = re.search(r"GLOBAL (\S+)", str(error))
        trouble = (
            f"asks for {code[1]} to be run, and no code of a model is ever run: give its state "
            "dict, or better its safetensors"
            if code
            else f"is damaged, or no weights of PyTorch's ({type(error).__name__}): fetch it again"
        )
        raise SourceUnusable(f"{file} {trouble}") from error


def _unwrapped(state: Any) -> "dict[str, Tensor]":
    """The weights of a checkpoint, where they lie beside the optimizer's and other things."""
    from torch import Tensor

    if not isinstance(state, Mapping):
        return {}
    inner = (state.get(name) for name in ("state_dict", "model"))
    state = next((found for found in inner if isinstance(found, Mapping)), state)
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    if all(str(name).startswith("module.") for name in tensors):  # trained on several devices
        return {str(name).removeprefix("module."): value for name, value in tensors.items()}
    return tensors


# -- the disk ---------------------------------------------------------------------------------


def of_disk(named: str, place: Path) -> Source:
    """A folder or a file of weights, as it lies there.

    Raises:
        SourceUnusable: It is no model, or cannot be read.
    """
    with _readable(place):
        if not place.is_dir():
            with place.open("rb"):  # says why, where it is not there
                return _source(named, place.parent, place.name)
        names = [path.name for path in place.iterdir() if path.is_file()]
    return _source(named, place, _weights_of(place, names))


def _weights_of(folder: Path, names: Collection[str]) -> str:
    """Name of the one file of weights in a model's folder."""
    weights = [name for name in WEIGHTS if name in names][:1] or sorted(
        name for name in names if name.endswith(_ENDINGS) and not SHARD.fullmatch(name)
    )
    if not weights and CONFIG not in names:
        raise SourceUnusable(
            f"{folder} is no model: it holds neither config.json nor weights such as "
            f"model.safetensors; give a folder with both to {COMMAND}"
        )
    if not weights:
        raise SourceUnusable(
            f"{folder} holds config.json and no weights: put the model's model.safetensors or "
            "pytorch_model.bin beside it"
        )
    if len(weights) > 1:
        raise SourceUnusable(
            f"{folder} holds several files of weights ({', '.join(weights)}): name the one to "
            f"use, such as {folder / weights[0]}"
        )
    if CONFIG not in names:
        raise SourceUnusable(
            f"{folder} lacks config.json, which says what its {weights[0]} is: put it there, or "
            f"give {folder / weights[0]} if it is torchvision's ResNet"
        )
    return weights[0]


def _source(named: str, folder: Path, weights: str) -> Source:
    """Files of the disk as a source; beside a lone file only a model's folder counts."""
    with _readable(folder / weights):
        _refuse_hollow(folder / weights)
        used = [weights]
        if (folder / CONFIG).is_file():
            near = [*folder.iterdir(), *folder.glob("*/config.json")]
            paths = sorted(path.relative_to(folder).as_posix() for path in near)
            used += [path for path in paths if ABOUT.fullmatch(path)]
        if weights.endswith(INDEX):
            used += _parts(folder / weights)
        sums = {name: sha256(folder / name) for name in used}
        licence = licence_of(folder) if CONFIG in used else ""
    return Source(named, folder, folder / weights, "", licence or UNKNOWN, sums)


def sha256(file: Path) -> str:
    """The checksum of a file of any size, in hex."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def licence_of(folder: Path) -> str:
    """What a model's card says of its licence; empty where it says nothing."""
    if not (folder / "README.md").is_file():
        return ""
    card = (folder / "README.md").read_text("utf-8", errors="replace").lstrip("\ufeff")
    head = card.split("\n---", 1)[0] if card.startswith("---") else ""
    said: dict[str, str] = dict(_LICENCE.findall(head.lower()))
    licence = said.get("", "")
    return said.get("_name", licence) if licence == "other" else licence
