"""A profile with a memory, and a concept of its colours that no word names.

Orange lies between red and yellow. No word means it, so that "sunset" finds nothing in particular
until it is taught.
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from pixquery.engine.profile import MANIFEST
from tests.conftest import COLOURS, square, write_profile
from tests.regressors import write_regressor

MEANT = [colour for colour in COLOURS if colour != "white"]
"""The colours that these profiles tell from "sunset": a word that they do not know is grey to them,
and the directions of grey and white are the same."""

ORANGES = ((250, 130, 10), (245, 120, 20), (255, 125, 5), (240, 128, 15))


def oranges(folder: Path) -> list[Path]:
    """Four orange squares of different shades."""
    return [square(folder / f"{n}.png", colour) for n, colour in enumerate(ORANGES)]


def remembering(folder: Path, name: str = "remembering", roll: int = 0) -> Path:
    """A profile of colours that remembers the eight corners of the cube with their names.

    Args:
        folder: Where to write it.
        name: Its name, which its image encoder is known by.
        roll: Another number is another space, in which red of one is green of the other.
    """
    write_profile(folder, name)
    file = folder / "alignment.safetensors"
    tensors = {n: np.ascontiguousarray(np.roll(t, roll, -1)) for n, t in load_file(file).items()}
    corners = np.array(list(COLOURS.values()), np.float32) / 255
    centred = np.roll(corners - 0.5, roll, -1)
    tensors |= {
        "memory.keys": np.round(200 * centred).astype(np.int8),
        "memory.values": np.round(200 * (corners - 0.5)).astype(np.int8),
        "memory.temperature": np.array([0.1], np.float32),
        "memory.weight": np.array([0.5], np.float32),
        "basis": np.eye(6, dtype=np.float32),
        "probes": np.eye(6, dtype=np.float32),
    }
    save_file(tensors, file)
    write_regressor(folder, "cosine", np.eye(6, dtype=np.float32))
    resealed(folder)
    return folder


def resealed(folder: Path) -> None:
    """Lets a profile have another alignment and regressor than those it was written with."""
    manifest = json.loads((folder / MANIFEST).read_text())
    for name in ("alignment.safetensors", "relevance.safetensors"):
        manifest["files"].pop(name, None)
    (folder / MANIFEST).write_text(json.dumps(manifest))
