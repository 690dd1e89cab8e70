"""Models on the disk: folders as the hub lays them out, and lone files of weights."""

from collections.abc import Collection
from pathlib import Path

from pixquery.db.checksums import sha256_of
from pixquery.db.errors import SourceUnusable
from pixquery.engine.photos import open_file
from pixquery.trainer.adopting.layouts import files_of, networks_in
from pixquery.trainer.adopting.sources import (
    ABOUT,
    COMMAND,
    CONFIG,
    ENDINGS,
    INDEX,
    SHARD,
    UNKNOWN,
    WEIGHTS,
    Source,
    Wish,
    licence_of,
)
from pixquery.trainer.adopting.weights import parts_of, readable, refuse_hollow


def of_disk(named: str, path: Path, wish: Wish) -> Source:
    """The source that a folder or a file of weights makes.

    Args:
        named: What the user typed.
        path: The folder or file.
        wish: What is wanted of it; there is but one revision.

    Raises:
        SourceUnusable: It is no model, or cannot be read.
    """
    with readable(path):
        if not path.is_dir():
            with open_file(path):  # raises if it is missing, or a pipe
                return _source(named, path.parent, path.name)
        names = [file.name for file in path.iterdir() if file.is_file()]
        if wish.joint:
            deeper = [file.relative_to(path).as_posix() for file in path.glob("*/*")]
            networks = networks_in([*names, *deeper], wish.known)
            if networks:
                return _pair(named, path, [*names, *deeper], networks)
    return _source(named, path, _weights_of(path, names))


def _pair(named: str, folder: Path, names: Collection[str], networks: tuple[str, str]) -> Source:
    for network in networks:
        refuse_hollow(folder / network)
    sums = {name: sha256_of(folder / name) for name in files_of(names, networks)}
    licence = licence_of(folder) or UNKNOWN
    return Source(named, folder, folder / networks[0], "", licence, sums)


def _weights_of(folder: Path, names: Collection[str]) -> str:
    """The name of the one file of weights in a model's folder."""
    weights = [name for name in WEIGHTS if name in names][:1] or sorted(
        name for name in names if name.endswith(ENDINGS) and not SHARD.fullmatch(name)
    )
    if not weights and CONFIG not in names:
        raise SourceUnusable(
            f"{folder} is no model: it contains neither config.json nor weights such as "
            f"model.safetensors; give a folder with both to {COMMAND}"
        )
    if not weights:
        raise SourceUnusable(
            f"{folder} contains config.json but no weights: put the model's model.safetensors or "
            "pytorch_model.bin beside it"
        )
    if len(weights) > 1:
        raise SourceUnusable(
            f"{folder} contains several files of weights ({', '.join(weights)}): name the one to "
            f"use, such as {folder / weights[0]}"
        )
    if CONFIG not in names:
        raise SourceUnusable(
            f"{folder} has no config.json to say what its {weights[0]} is: put it there, or "
            f"give {folder / weights[0]} if it is torchvision's ResNet"
        )
    return weights[0]


def _source(named: str, folder: Path, weights: str) -> Source:
    """The source of a file of weights; the files beside it count only if config.json is there."""
    with readable(folder / weights):
        refuse_hollow(folder / weights)
        used = [weights]
        if (folder / CONFIG).is_file():
            near = [*folder.iterdir(), *folder.glob("*/config.json")]
            paths = sorted(path.relative_to(folder).as_posix() for path in near)
            used += [path for path in paths if ABOUT.fullmatch(path)]
        if weights.endswith(INDEX):
            used += parts_of(folder / weights)
        sums = {name: sha256_of(folder / name) for name in used}
        licence = licence_of(folder) if CONFIG in used else ""
    return Source(named, folder, folder / weights, "", licence or UNKNOWN, sums)
