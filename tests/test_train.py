"""Fitting: an alignment whose answer is known, and the whole way from files to a profile."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY

from db.errors import BadData
from db.records import Floats, Pixels
from engine.alignment import Alignment, unit
from engine.profile import load_profile
from indexer.decode import decode

align = pytest.importorskip("trainer.align", reason="PyTorch comes with the extra `train`")
training = pytest.importorskip("trainer.train", reason="PyTorch comes with the extra `train`")

PHOTOS = sorted((REPOSITORY / "examples" / "images").glob("*.jpg"))[:12]


def load(file: Path) -> Pixels:
    return decode(file.read_bytes(), 260).pixels


def two_views(count: int, seed: int) -> tuple[Floats, Floats]:
    """The same things as photos and as texts see them: two linear pictures of hidden causes."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(count, 6))
    mixing = np.random.default_rng(7)
    photos = hidden @ mixing.normal(size=(6, 20)) + 3
    texts = hidden @ mixing.normal(size=(6, 10)) + 0.01 * rng.normal(size=(count, 10))
    return photos.astype(np.float32), texts.astype(np.float32)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Steps this small take ten times as long when threads wait for each other."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Alignment:
    from safetensors.numpy import save_file

    photos, texts = two_views(300, seed=0)
    data = align.Captioned(photos=photos[None], captions=texts, photo_of=np.arange(300))
    classes, names = two_views(30, seed=1)
    recipe = align.Recipe(
        epochs=40, batch=100, learning_rate=5e-3, hidden=32, width=16, image_dropout=0.0,
        text_dropout=0.0, members=1, dimension=12, prototype_batch=20,
    )  # fmt: skip
    told: list[int] = []
    tensors = align.fit(
        data, align.Prototypes(classes, names[:, None]), recipe, progress=lambda: told.append(1)
    )
    assert len(told) == 40  # once an epoch of each member
    again = align.fit(data, align.Prototypes(classes, names[:, None]), recipe)
    assert all(np.allclose(tensors[name], again[name], atol=1e-4) for name in tensors)
    file = tmp_path_factory.mktemp("fitted") / "a.safetensors"
    save_file(tensors, file)
    return Alignment(file)


def test_what_belongs_together_lies_together(fitted: Alignment) -> None:
    photos, texts = two_views(100, seed=5)  # never seen in training
    cosines = fitted.texts(texts) @ fitted.images(photos).T
    assert fitted.dimension == 12
    assert (cosines.argmax(1) == np.arange(100)).mean() > 0.8


def test_prototypes_lie_among_the_photos() -> None:
    rng = np.random.default_rng(0)
    photos = rng.normal(5, 2, size=(50, 8)).astype(np.float32)
    classifier = rng.normal(size=(7, 8)).astype(np.float32)
    found = align.prototypes_of(classifier, photos)
    centre = photos.mean(0)
    distance = np.linalg.norm(photos - centre, axis=1).mean()
    assert np.linalg.norm(found - centre, axis=1) == pytest.approx(distance, rel=1e-4)
    directions = unit(classifier - classifier.mean(0))
    assert np.einsum("cd,cd->c", unit(found - centre), directions) == pytest.approx(1, abs=1e-4)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A tiny data set of the example photos, rated by whether text and photo belong together."""
    folder = tmp_path / "data"
    captions = ["image,query_id,query_text"]
    ratings = []
    for kind in ("train", "rated"):
        (folder / "images" / kind).mkdir(parents=True)
        for photo in PHOTOS:
            shutil.copy(photo, folder / "images" / kind)
    for place, photo in enumerate(PHOTOS):
        captions.append(f"{photo.name},{photo.name}#0,thing number {place} of {place * 37}")
        for other in PHOTOS:
            grade = 4 if other == photo else 1
            ratings.append(f"{other.name}\t{photo.name}#0\t{grade}\t{grade}\t{grade}")
    for kind in ("train", "rated"):
        (folder / f"captions_{kind}.csv").write_text("\n".join(captions) + "\n")
    (folder / "ExpertAnnotations.tsv").write_text("\n".join(ratings) + "\n")
    return folder


def test_from_files_to_a_profile(data: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    recipe = align.Recipe(epochs=2, members=1, hidden=64, width=64, dimension=32)
    found = training.train(
        data, tmp_path / "out", load_profile(), load, recipe=recipe,
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert {"profile", "out", "pairs", "seconds"} <= found.keys()
    assert found["pairs"]["expert"] == len(PHOTOS) ** 2
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    made = load_profile(str(tmp_path / "out"))
    made.check()
    assert made.alignment.dimension == 32
    assert made.encoder == load_profile().encoder
    judged = made.relevance.score(made.probes[:1], made.probes[:3])
    assert ((judged >= 0) & (judged <= 1)).all()


def test_missing_photos_and_captions_are_told(data: Path, tmp_path: Path) -> None:
    (data / "images" / "train" / PHOTOS[0].name).unlink()
    with pytest.raises(BadData, match=PHOTOS[0].name):
        training.train(data, tmp_path / "out", load_profile(), load)
    assert not (tmp_path / "out").exists()


def test_an_unknown_image_encoder_is_told(data: Path, tmp_path: Path, colours: Path) -> None:
    def small(file: Path) -> Pixels:
        return decode(file.read_bytes(), 8).pixels

    with pytest.raises(BadData, match="models export"):
        training.train(data, tmp_path / "out", load_profile(str(colours)), small)
