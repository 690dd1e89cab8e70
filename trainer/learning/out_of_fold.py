"""Features of rated pairs by alignments that have seen neither their photo nor their text.

An alignment that was learned from the rated pairs themselves knows which of them belong together.
Regressors that were fitted to, or measured on, what it says of these pairs would promise too much.
So each fold of the study gets the features of an alignment that was learned without its photos and
texts.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from pixquery.db.records import Floats, Ids
from pixquery.engine.alignment import Alignment
from pixquery.engine.encoders import TextEncoder
from pixquery.engine.features import Landmarks
from pixquery.trainer.learning import study
from pixquery.trainer.learning.captions import Caption
from pixquery.trainer.learning.competition import columns_of
from pixquery.trainer.learning.contenders import TWO_WAY
from pixquery.trainer.learning.course import EPOCH, Course
from pixquery.trainer.learning.judged import Judged
from pixquery.trainer.learning.landmarks import fit_landmarks
from pixquery.trainer.learning.learned import Examples, Learned, learn_from_few
from pixquery.trainer.learning.positives import LEAST_IN_FOLD, check_positives
from pixquery.trainer.learning.splits import Mask

Folds = Sequence[tuple[Ids, Ids]]
"""The numbers of the pairs of each fold, and of the captions it may learn from."""


class EncodedOnce:
    """A text encoder that encodes no text twice: every fold asks for the same ones."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self._known: dict[str, Floats] = {}
        self.dimension = encoder.dimension

    def rank(self, word: str) -> int | None:
        """The place of a word in the vocabulary of the encoder."""
        return self._encoder.rank(word)

    def encode(self, texts: list[str]) -> Floats:
        """Raw vectors float32[n, e]."""
        unknown = list(dict.fromkeys(text for text in texts if text not in self._known))
        if unknown:
            self._known.update(zip(unknown, self._encoder.encode(unknown), strict=True))
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        return np.stack([self._known[text] for text in texts])


def folds_of(
    pairs: Judged, kept: Mask, captions: Sequence[Caption], *, seed: int
) -> Iterator[tuple[Ids, Ids]]:
    """Yields the pairs of each fold, int64[m], and the captions it may learn from, int64[l].

    Raises:
        BadData: Without the photos and texts of a fold too few captions are left.
    """
    rows = np.flatnonzero(kept)
    for _, held_out in study.splits(pairs.keep(kept), TWO_WAY, seed=seed):
        of_fold = rows[held_out]
        names = {pairs.images[row] for row in of_fold} | {pairs.sources[row] for row in of_fold}
        clear = [
            number
            for number, caption in enumerate(captions)
            if caption.image not in names and caption.id.partition("#")[0] not in names
        ]
        check_positives([captions[number] for number in clear], LEAST_IN_FOLD)
        yield of_fold, np.array(clear, np.int64)


@dataclass(frozen=True, slots=True)
class Rated:
    """n rated pairs, and their raw vectors."""

    pairs: Judged
    kept: Mask
    """bool[n]: those that take part."""
    texts: Floats
    """float32[n, e]"""
    photos: Floats
    """float32[n, d]"""

    def columns(self, alignment: Alignment, landmarks: Landmarks) -> dict[str, Floats]:
        """What contenders see of all pairs."""
        return columns_of(alignment, landmarks, self.texts, self.photos)


def columns_out_of_fold(
    course: Course,
    rated: Rated,
    examples: Examples,
    learned: Learned,
    folds: Folds,
    texts: TextEncoder,
) -> dict[str, Floats]:
    """What contenders see of n pairs, as `columns_of` has it, each pair by its fold's alignment.

    The spaces of the folds' alignments are turned towards the one of all captions, so that columns
    mean the same in every row. Pairs that take no part have the features of that one.

    Args:
        course: The run.
        rated: The pairs.
        examples: What the alignment was learned from.
        learned: It, from all examples.
        folds: Of `folds_of`.
        texts: The profile's text encoder.
    """
    seed, photos = course.options.seed, examples.views[0]
    columns = rated.columns(learned.alignment, fit_landmarks(learned, photos, seed=seed))
    anchors = _anchors(learned.alignment, learned.captions, photos)
    for rows, clear in folds:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            fold = learn_from_few(course, folder, examples.only(clear), texts)
            there = _anchors(fold.alignment, learned.captions, photos)
            fold = replace(fold, alignment=_turned(folder, there, anchors))
        landmarks = fit_landmarks(fold, photos, seed=seed)
        of_fold = columns_of(fold.alignment, landmarks, rated.texts[rows], rated.photos[rows])
        for name, values in of_fold.items():
            columns[name][rows] = values
        course.step(EPOCH)
    return columns


def _anchors(alignment: Alignment, texts: Floats, photos: Floats) -> Floats:
    return np.concatenate([alignment.texts(texts), alignment.images(photos)])


def _turned(folder: Path, there: Floats, here: Floats) -> Alignment:
    """The alignment in a folder, in the orientation of another one.

    The orthogonal Procrustes problem (Schönemann 1966).

    Args:
        folder: Has the alignment.
        there: float32[n, a], what it makes of some texts and photos.
        here: float32[n, a], what the other one makes of them.
    """
    left, _, right = np.linalg.svd(there.T @ here)
    turn = np.asarray(left @ right, np.float32)
    file = folder / "alignment.safetensors"
    tensors = load_file(file)
    for name in ("basis", "probes"):
        tensors[name] = np.ascontiguousarray(tensors[name].astype(np.float32) @ turn)
    save_file(tensors, file)
    return Alignment(file)
