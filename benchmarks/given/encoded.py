"""A profile with its vectors of photos and texts, which are computed once and kept in a folder."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.setting import say
from pixquery.db.checksums import sha256_of
from pixquery.db.records import Floats, Ids, Pixels
from pixquery.engine.encoders import has_bfloat16
from pixquery.engine.features import Vectors
from pixquery.engine.profile import Profile
from pixquery.indexer.decode import decode

CANDIDATES = 200
"""How many photos the prefilter passes to the regressor, as in a query."""
BATCH = 64
Order = NDArray[np.int64]


class Encoded:
    """What a profile makes of photos and texts.

    Raw vectors are kept in a folder under a digest of the encoder's files and of the photos' names,
    sizes and times; a change of any of them computes anew. Alignment and relevance are always
    computed, since these are what a profile is tuned by.
    """

    def __init__(self, profile: Profile, cache: Path) -> None:
        """Joins a profile and the folder of its vectors."""
        self.profile = profile
        self._image = cache / f"image-{_digest(_files_of(profile, 'image'), has_bfloat16())}"
        self._text = cache / f"text-{_digest(_files_of(profile, 'text'))}"

    def raw(self, photos: Sequence[Path]) -> Floats:
        """Raw vectors float32[n, d] of photos."""
        stats = [(str(photo), photo.stat().st_size, photo.stat().st_mtime_ns) for photo in photos]
        file = self._image / f"{_digest(stats)}.npy"
        return _kept(file, lambda: self._encode(photos))

    def photos(self, photos: Sequence[Path]) -> Floats:
        """Aligned vectors float32[n, a] of photos."""
        return self.profile.alignment.images(self.raw(photos))

    def pixels(self, key: Sequence[object], made: Callable[[], Pixels]) -> Floats:
        """Aligned vectors float32[n, a] of pixels that are made, kept under a key."""
        file = self._image / f"{_digest(*key)}.npy"
        return self.profile.alignment.images(_kept(file, lambda: self._encode_pixels(made())))

    def texts(self, texts: Sequence[str]) -> Floats:
        """Aligned vectors float32[n, a] of texts."""
        file = self._text / f"{_digest(*texts)}.npy"
        raw = _kept(file, lambda: self.profile.texts.encode(list(texts)))
        return self.profile.alignment.texts(raw)

    def relevance(self, text: Floats, photos: Floats) -> Floats:
        """Relevance float32[n] of aligned photos float32[n, a] for one aligned text float32[a].

        The only place where a query is judged: as in `engine/search.py`.
        """
        return self.pairs(text[None], photos)

    def relevances(self, texts: Floats, photos: Floats) -> Floats:
        """Relevance float32[q, n] of every photo for every text, without a prefilter."""
        return np.stack([self.relevance(text, photos) for text in texts])

    def pairs(self, texts: Floats, photos: Floats) -> Floats:
        """Relevance float32[n] of pairs of aligned texts and photos.

        If the profile predicts none, the cosine, or 0 if that is negative: what any measure of
        relevance has to beat.
        """
        if self.profile.relevance is None:
            cosines = np.einsum("na,na->n", np.broadcast_to(texts, photos.shape), photos)
            return np.asarray(np.clip(cosines, 0, 1), np.float32)
        return self.profile.relevance.score(Vectors(texts), Vectors(photos))

    def order(self, text: Floats, photos: Floats) -> tuple[Ids, Ids]:
        """The nearest candidates int64[c] of a query, by similarity and re-ranked.

        As `engine/search.py`: by relevance, and by similarity where that is equal.
        """
        similarities = photos @ text
        near = np.argsort(-similarities, kind="stable")[:CANDIDATES]
        relevances = self.relevance(text, photos[near])
        return near, near[np.lexsort((-similarities[near], -relevances))]

    def decoded(self, content: bytes) -> Pixels:
        """The pixels uint8[size, size, 3] that the profile's encoder takes."""
        size, interpolation = self.profile.size, self.profile.interpolation
        return decode(content, size, interpolation=interpolation).pixels

    def _encode(self, photos: Sequence[Path]) -> Floats:
        say(f"encoding {len(photos)} photos of {photos[0].parent}")
        return np.concatenate(
            [
                self._encode_pixels(
                    np.stack([self.decoded(p.read_bytes()) for p in photos[start : start + BATCH]])
                )
                for start in range(0, len(photos), BATCH)
            ]
        )

    def _encode_pixels(self, pixels: Pixels) -> Floats:
        return self.profile.images.encode(pixels)


def _files_of(profile: Profile, part: str) -> str:
    """What the vectors of an encoder depend on: its entry in the manifest and its files."""
    entry = profile.manifest[part]
    models = entry["models"].values() if part == "image" else (entry["model"], entry["tokenizer"])
    sums = {name: sha256_of(profile.folder / name) for name in models}
    return json.dumps([entry, sums], sort_keys=True)


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def _kept(file: Path, compute: Callable[[], Floats]) -> Floats:
    if file.exists():
        kept: Floats = np.load(file, allow_pickle=False)
        return kept
    made = compute()
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".part.npy")
    np.save(fresh, made)
    fresh.replace(file)
    return made
