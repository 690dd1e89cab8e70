"""Features of rated pairs by alignments that have not seen them."""

from pathlib import Path

import numpy as np
import pytest

from pixquery.commands.loading import view_loader
from pixquery.db.errors import BadData
from pixquery.db.records import Floats
from pixquery.engine.features import ALIGNED
from pixquery.engine.profile import Profile
from pixquery.trainer.learning.captions import Caption
from pixquery.trainer.learning.competition import encoded
from pixquery.trainer.learning.course import Course
from pixquery.trainer.learning.judged import Judged
from pixquery.trainer.learning.landmarks import fit_landmarks
from pixquery.trainer.learning.learned import Examples, learn_from_few
from pixquery.trainer.learning.options import Options
from pixquery.trainer.learning.out_of_fold import (
    EncodedOnce,
    Rated,
    columns_out_of_fold,
    folds_of,
)

COUNT = 40


class Numbers:
    """A text encoder: "n" is row n of a table."""

    def __init__(self, table: Floats) -> None:
        self.table, self.dimension = table, table.shape[1]
        self.encoded: list[str] = []

    def encode(self, texts: list[str]) -> Floats:
        self.encoded += texts
        return self.table[[int(text) for text in texts]]

    def rank(self, word: str) -> int | None:
        return None


def every_pair(step: int = 3) -> Judged:
    """Photos with their own text, which describes them, and with others, which do not."""
    pairs = [(a, b) for a in range(COUNT) for b in range(COUNT) if (a - b) % step == 0]
    own = np.array([a == b for a, b in pairs])
    return Judged(
        images=tuple(str(a) for a, _ in pairs),
        texts=tuple(str(b) for _, b in pairs),
        sources=tuple(str(b) for _, b in pairs),
        grades=np.repeat(np.where(own, 1.0, 0.0)[:, None], 3, 1),
        share=np.full(len(pairs), np.nan),
        votes=np.zeros(len(pairs), np.int64),
        own=own,
    )


CAPTIONS = [Caption(f"{n}#0", str(n), str(n)) for n in range(COUNT)]


def test_a_fold_learns_from_nothing_that_its_pairs_consist_of() -> None:
    pairs = every_pair()
    kept = np.arange(len(pairs.images)) % 5 > 0
    seen: list[int] = []
    for rows, clear in folds_of(pairs, kept, CAPTIONS, seed=0):
        used = {CAPTIONS[number].image for number in clear}
        assert not used & {pairs.images[row] for row in rows}
        assert not used & {pairs.sources[row] for row in rows}
        seen += rows.tolist()
    assert sorted(seen) == np.flatnonzero(kept).tolist()


def test_too_few_captions_without_a_fold() -> None:
    pairs = every_pair()
    with pytest.raises(BadData, match="when those of a fold are held out, and learning an align"):
        list(folds_of(pairs, np.ones(len(pairs.images), np.bool_), CAPTIONS[:3], seed=0))


def test_no_text_is_encoded_twice() -> None:
    numbers = Numbers(np.eye(4, dtype=np.float32))
    once = EncodedOnce(numbers)
    np.testing.assert_array_equal(once.encode(["2", "1", "2"]), np.eye(4)[[2, 1, 2]])
    np.testing.assert_array_equal(once.encode(["1", "3"]), np.eye(4)[[1, 3]])
    assert once.encode([]).shape == (0, 4)
    assert numbers.encoded == ["2", "1", "3"]


def similarities_of_own_and_others(
    photos: Floats, texts: Floats, folder: Path
) -> dict[str, tuple[Floats, Floats]]:
    """Similarities of own and other pairs, by the alignment of all pairs and out of fold."""
    manifest = {
        "name": "numbers",
        "image": {"dimension": photos.shape[1], "source_sha256": "0" * 64},
    }
    course = Course(Profile(folder, manifest), view_loader("bicubic"), Options())
    pairs, encoder = every_pair(), EncodedOnce(Numbers(texts))
    examples = Examples(CAPTIONS, photos[None], np.arange(COUNT))
    learned = learn_from_few(course, folder, examples, encoder)
    everything = np.ones(len(pairs.images), np.bool_)
    raw = photos[[int(image) for image in pairs.images]]
    rated = Rated(pairs, everything, encoded(encoder, pairs.texts), raw)
    folds = list(folds_of(pairs, everything, CAPTIONS, seed=0))
    by = {
        "in": rated.columns(learned.alignment, fit_landmarks(learned, photos)),
        "out": columns_out_of_fold(course, rated, examples, learned, folds, encoder),
    }
    similarity = {name: columns[ALIGNED][:, 0] for name, columns in by.items()}
    return {name: (each[pairs.own], each[~pairs.own]) for name, each in similarity.items()}


def test_noise_seems_to_fit_only_where_it_was_seen(tmp_path: Path) -> None:
    """Photos and texts have nothing in common: whatever tells own pairs from others is a leak."""
    rng = np.random.default_rng(0)
    photos, texts = (rng.normal(size=(COUNT, 12)).astype(np.float32) for _ in range(2))
    found = similarities_of_own_and_others(photos, texts, tmp_path)
    for name, (own, others) in found.items():
        above = (own[:, None] > others[None]).mean()  # 0.5 by chance
        assert above > 0.95 if name == "in" else 0.35 < above < 0.65, (name, above)


def test_what_photos_and_texts_share_is_found_out_of_fold(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    photos = rng.normal(size=(COUNT, 4)).astype(np.float32)
    texts = photos @ np.linalg.qr(rng.normal(size=(4, 4)))[0].astype(np.float32)
    own, others = similarities_of_own_and_others(photos, texts, tmp_path)["out"]
    assert (own[:, None] > others[None]).mean() > 0.9
