"""The alignment maps the two encoders' vectors into one space, where a cosine means likeness.

The image side is one linear map, the text side a small multilayer perceptron; both give unit
vectors, called *near* vectors. Each of the further parts may be missing: *names* move a text
towards photos of what it names, a *memory* adds a description to each photo, and a *completion*
takes raw vectors of an earlier image encoder. ``trainer/learning/align.py`` fits all of it.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixquery.db.errors import ProfileDamaged
from pixquery.db.records import Floats
from pixquery.engine.completion import Completion
from pixquery.engine.memory import Memory
from pixquery.engine.names import FACTOR, TEMPERATURE, Names, around
from pixquery.engine.tensors import Tensors, agreed_lengths, read_tensors
from pixquery.engine.unit import in_bytes, unit

__all__ = ["Alignment", "unit"]


class Alignment:
    """Maps raw encoder vectors to unit vectors in one space.

    Attributes:
        digest: Identifies the space.
        lengths: Of the raw vectors that are aligned: d of photos, e of texts.
        dimension: Length of an aligned vector, a.
        probes: float32[p, a]: aligned texts like those that people type, to tune an index with.
    """

    def __init__(self, file: Path, *, sha256: str = "") -> None:
        """Reads the maps.

        Args:
            file: safetensors with ``image.weight`` [d, b], ``image.bias`` [b] and, for layers
                i = 0, 1, ..., ``text.i.weight`` and ``text.i.bias``, GELU between the layers. With
                a memory also ``memory.keys`` int8[r, b] and ``memory.values`` int8[r, e], unit rows
                times a factor, ``memory.temperature`` [1], ``memory.weight`` [1] and ``basis``
                [b + e, a]; it may come with ``classes.weight`` int8[c, m], ``classes.scale`` [c],
                ``classes.bias`` [c], ``classes.texts`` int8[c, e] and ``classes.factor`` [1], and
                with ``names.texts`` int8[t, e], ``names.rows`` int32[s] of the memory's r for the
                first s of t names, ``names.keys`` int8[t - s, b] for the others,
                ``names.centre`` [e], ``names.temperature`` [1] and ``names.factor`` [1].
                ``completion.weight`` int8[m, d - m], ``completion.scale`` [d - m] and
                ``completion.bias`` [d - m] are optional, as are ``probes`` [p, a].
            sha256: What the file must have, in hexadecimal; it may be any if this is empty.

        Raises:
            ProfileDamaged: The file is missing, is another one or no safetensors file, lacks a
                tensor, or has tensors that contradict each other or are not finite.
        """
        try:
            tensors, digest = read_tensors(file, sha256)
            self._read(tensors, digest[:16])
        except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
            raise ProfileDamaged(
                f"the alignment {file} cannot be read ({error}): install the profile again"
            ) from error

    def _read(self, tensors: Tensors, digest: str) -> None:
        self._tensors = tensors
        self.lengths = _lengths(tensors)
        self._image = tuple(
            tensors[f"image.{part}"].astype(np.float32) for part in ("weight", "bias")
        )
        text = {int(name.split(".")[1]) for name in tensors if name.startswith("text.")}
        self._text = [
            tuple(tensors[f"text.{i}.{part}"].astype(np.float32) for part in ("weight", "bias"))
            for i in range(max(text, default=0) + 1)
        ]
        self._memory = Memory.of(tensors) if "memory.keys" in tensors else None
        self._names = Names.of(tensors) if "names.texts" in tensors else None
        self._completion = Completion.of(tensors) if "completion.weight" in tensors else None
        self.digest = digest
        final = tensors["image.weight" if self._memory is None else "basis"]
        self.dimension = int(final.shape[1])
        probes = tensors.get("probes", np.eye(self.dimension, dtype=np.float32))
        self.probes = unit(probes.astype(np.float32))

    def images(self, raw: Floats) -> Floats:
        """Aligns raw image vectors float32[n, d] to unit rows float32[n, a].

        With a completion, vectors of an earlier encoder, float32[n, m], are aligned as well.
        """
        raw = self.completed(raw)
        near = self._near_images(raw)
        return near if self._memory is None else self._memory.images(near, raw)

    def texts(self, raw: Floats) -> Floats:
        """Aligns raw text vectors float32[n, e] to unit rows float32[n, a]."""
        near = self._near_texts(raw)
        if self._memory is None:
            return near if self._names is None else self._names.drawn(near, near)
        if self._names is not None:
            near = self._names.drawn(near, raw)
        return self._memory.texts(near, raw)

    def taught(self, texts: Floats, photos: Sequence[Floats]) -> "Alignment":
        """The same alignment with further concepts, without training.

        Each concept is remembered as a photo with a caption: the mean of its examples, with its
        words. It also becomes one of the names, so that these words find what looks like it.
        Without a memory, as for encoders that were trained together, it becomes a name only.

        Args:
            texts: float32[k, e], the raw vector of each concept's words.
            photos: For each concept float32[n, d], the raw vectors of its n >= 1 examples.

        Returns:
            An alignment of the same dimension. Its digest depends on this one's and on the
            concepts; without concepts, it is this one's.
        """
        if not len(texts):
            return self
        near = [self._near_images(self.completed(examples)).mean(0) for examples in photos]
        keys = in_bytes(unit(np.stack(near)))
        said = self._near_texts(texts) if self._memory is None else unit(texts)
        names = self._names_tensors()
        added = {
            "names.texts": in_bytes(around(names["names.centre"], said)),
            "names.keys": keys,
        }
        if self._memory is not None:
            added["memory.keys"] = keys
            added["memory.values"] = self._memory.in_values(said)
        tensors = {**self._tensors, **names}
        for name, rows in added.items():
            tensors[name] = np.concatenate([tensors[name], rows]) if name in tensors else rows
        alignment = Alignment.__new__(Alignment)
        alignment._read(tensors, _digest(self.digest, texts, photos))
        return alignment

    def _names_tensors(self) -> dict[str, NDArray[Any]]:
        """What `Names` need besides names; without any, around the mean of known texts."""
        if self._names is not None:
            return {"names.centre": self._names.centre}
        centre = self.probes.mean(0) if self._memory is None else self._memory.centre
        return {
            "names.centre": centre,
            "names.temperature": np.array([TEMPERATURE], np.float32),
            "names.factor": np.array([FACTOR], np.float32),
        }

    def completed(self, raw: Floats) -> Floats:
        """Raw image vectors float32[n, d], also of those of an earlier encoder, float32[n, m]."""
        return raw if self._completion is None else self._completion.completed(raw)

    def _near_images(self, raw: Floats) -> Floats:
        weight, bias = self._image
        return unit(raw @ weight + bias)

    def _near_texts(self, raw: Floats) -> Floats:
        layers = iter(self._text)
        weight, bias = next(layers)
        hidden = raw @ weight + bias
        for weight, bias in layers:
            hidden = _gelu(hidden) @ weight + bias
        return unit(hidden)


def _lengths(tensors: Tensors) -> tuple[int, int]:
    """The lengths of the raw vectors of photos and of texts that tensors agree on.

    Raises:
        KeyError: A tensor is missing.
        ValueError: Two tensors contradict each other.
    """
    last = max(int(name.split(".")[1]) for name in tensors if name.startswith("text."))
    near = ["e", *(f"layer {i}" for i in range(last)), "b"]
    named = "e" if "memory.keys" in tensors else "b"
    lengths = agreed_lengths(
        tensors,
        {
            "image.weight": ("d", "b"),
            "image.bias": ("b",),
            **{f"text.{i}.weight": (near[i], near[i + 1]) for i in range(last + 1)},
            **{f"text.{i}.bias": (near[i + 1],) for i in range(last + 1)},
            "memory.keys": ("r", "b"),
            "memory.values": ("r", "e"),
            "basis": ("b + e", "a"),
            "classes.weight": ("c", "m"),
            "classes.scale": ("c",),
            "classes.bias": ("c",),
            "classes.texts": ("c", "e"),
            "names.texts": ("t", named),
            "names.centre": (named,),
            "names.rows": ("s",),
            "names.keys": ("t - s", "b"),
            "completion.weight": ("earlier", "added"),
            "completion.scale": ("added",),
            "completion.bias": ("added",),
            "probes": ("p", "a" if "memory.keys" in tensors else "b"),
        },
    )
    sums = {"b + e": lengths["b"] + lengths["e"], "d": lengths["d"]}
    if "added" in lengths:
        sums["d"] = lengths["earlier"] + lengths["added"]
    for name, length in sums.items():
        if lengths.get(name, length) != length:
            raise ValueError(f"its length {name} is {lengths[name]}, and should be {length}")
    if lengths.get("m", 0) > lengths["d"]:
        raise ValueError(f"its classes read {lengths['m']} of {lengths['d']} numbers")
    for part in ("memory", "names"):
        if f"{part}.temperature" in tensors and not tensors[f"{part}.temperature"][0] > 0:
            raise ValueError(f"the temperature of its {part} is not above 0")
    return lengths["d"], lengths["e"]


def _digest(before: str, texts: Floats, photos: Sequence[Floats]) -> str:
    """Identifies the space of an alignment that was taught."""
    digest = hashlib.sha256(before.encode())
    for words, examples in zip(texts, photos, strict=True):
        digest.update(f"{len(words)}, {examples.shape}".encode())
        for numbers in (words, examples):
            digest.update(np.ascontiguousarray(numbers, np.float32).tobytes())
    return digest.hexdigest()[:16]


def _gelu(x: Floats) -> Floats:
    """GELU in its tanh form (Hendrycks and Gimpel 2016, arXiv:1606.08415), as in training."""
    inner = np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x**3)
    return np.asarray(np.float32(0.5) * x * (1 + np.tanh(inner)), np.float32)
