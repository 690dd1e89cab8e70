"""Fitting: an alignment whose answer is known, and the whole way from files to a profile."""

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from pixquery.db.errors import BadData
from pixquery.db.records import Floats, Pixels
from pixquery.engine.alignment import Alignment, unit
from pixquery.engine.profile import MANIFEST, load_profile
from pixquery.indexer.decode import decode
from tests.conftest import COLOURS, PHOTOS, SIZE

align = pytest.importorskip("pixquery.trainer.learning.align", reason="needs the extra `train`")
training = pytest.importorskip("pixquery.trainer.learning.train", reason="needs the extra `train`")
pytestmark = pytest.mark.usefixtures("one_thread")


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


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Alignment:
    from safetensors.numpy import save_file

    photos, texts = two_views(300, seed=0)
    data = align.Captioned(
        photos=photos[None], captions=texts, photo_of=np.arange(300), meanings=texts
    )
    classes, names = two_views(30, seed=1)
    recipe = align.Recipe(
        epochs=40, batch=100, learning_rate=5e-3, hidden=32, width=16, image_dropout=0.0,
        text_dropout=0.0, members=1, dimension=12, prototype_batch=20,
    )  # fmt: skip
    told: list[float] = []
    tensors = align.fit(
        data, align.Prototypes(classes, names[:, None]), recipe, progress=told.append
    )
    assert len(told) == 40  # once an epoch of each member
    assert told[-1] < told[0] / 2
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


def test_what_is_remembered_is_found_by_its_captions() -> None:
    """Photos that the linear map cannot tell apart, and sentences that can."""
    rng = np.random.default_rng(0)
    photos = rng.normal(size=(200, 12)).astype(np.float32)
    captions = unit(np.concatenate([photos, photos + 0.1 * rng.normal(size=photos.shape)])[:, :6])
    tensors = {
        "image.weight": np.eye(12, dtype=np.float32),
        "image.bias": np.zeros(12, np.float32),
        "text.0.weight": np.zeros((6, 12), np.float32),  # knows nothing of photos
        "text.0.bias": np.ones(12, np.float32),
    }
    data = align.Captioned(photos[None], captions.astype(np.float32), np.tile(np.arange(200), 2),
                           captions)  # fmt: skip
    classes = align.Prototypes(photos[:3], np.zeros((3, 1, 6), np.float32))
    recipe = align.Recipe(memory_temperature=0.05, memory_weight=5.0, memory_dimension=18)
    with_memory = align.remember(tensors, data, classes, recipe)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "a.safetensors"
        file.write_bytes(save(with_memory))
        alignment = Alignment(file)
    unseen = photos[3:] + 0.05 * rng.normal(size=photos[3:].shape).astype(np.float32)
    cosines = alignment.texts(captions[3:200]) @ alignment.images(unseen).T
    assert (cosines.argmax(1) == np.arange(197)).mean() > 0.8


def test_likeness_spreads_the_target() -> None:
    """A text that also suits the second photo costs less there, more where nothing is spread."""
    import torch

    images, texts = torch.eye(3), torch.tensor([[0.7, 0.7, 0.1]])
    likeness = torch.tensor([[0.0, 1.0, 0.0]])
    hard, soft = (
        float(
            align.info_nce(
                images, texts, torch.tensor(1.0), torch.arange(3),
                align.Spread(likeness, weight, 0.1),
            )
        )
        for weight in (0.0, 1.0)
    )  # fmt: skip
    logits = np.e * np.array([0.7, 0.7, 0.1])
    log_softmax = logits - np.log(np.exp(logits).sum())
    # The way back, from the one photo to the one text, costs nothing either way.
    assert hard == pytest.approx(-log_softmax[0] / 2, abs=1e-5)
    assert soft == pytest.approx(-(log_softmax[0] + log_softmax[1]) / 4, abs=1e-3)


RECIPE = align.Recipe(
    epochs=2, batch=8, members=1, hidden=64, width=64, dimension=32, memory_dimension=48
)


def test_from_files_to_a_profile(data: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    options = training.Options(
        quick=True, alignment=RECIPE, progress=lambda done, total: told.append((done, total))
    )
    out = tmp_path / "out"
    found = training.train(data, out, load_profile(), load, options)
    assert found["pairs"] == {"expert": 132, "crowd": 132, "both": 132}  # of 144
    assert found["dropped"] | {"words": {}} == {
        "mode": "pairs", "words": {}, "expert": 12, "crowd": 12, "captions": 0,
    }  # fmt: skip
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    classic = {
        (row["name"], row["split"])
        for row in found["regressors"]
        if row["features"] == "concatenated"
    }
    assert classic == {
        (name, split)
        for name in ("linear", "CatBoost", "network")
        for split in ("two-way", "by photo")
    }
    assert json.loads((out / "report.json").read_text())["chosen"] == found["chosen"]
    assert "<script" not in (out / "report.html").read_text()
    made = load_profile(str(out))
    made.check()
    assert made.alignment.dimension == 48
    assert made.encoder == load_profile().encoder
    assert ("relevance" in made.manifest) == found["deployed"]
    assert list(tmp_path.iterdir()) == [out]  # nothing half made is left beside it


def test_the_text_encoder_is_fine_tuned(data: Path, tmp_path: Path) -> None:
    options = training.Options(
        alignment=RECIPE,
        text=training.TextRecipe(
            epochs=1, batch=4, other_photos=4, classes=8, frozen_layers=5, learning_rate=1e-2
        ),
    )
    found = training.train(data, tmp_path / "out", load_profile(), load, options)
    made = load_profile(str(tmp_path / "out"))
    made.check()
    assert made.manifest["text"]["fine_tuned"]
    assert found["alignment"]["curve"]
    before = load_profile().texts.encode(["a dog on grass"])[0]
    after = made.texts.encode(["a dog on grass"])[0]
    assert np.linalg.norm(after) == pytest.approx(1, abs=1e-3)
    assert not np.allclose(before, after, atol=1e-4)


def test_own_ratings_teach_relevance(data: Path, tmp_path: Path) -> None:
    lines = ["image,text,rating"]
    for place, photo in enumerate(PHOTOS):
        for number in range(4):
            rating = 1 + (place * number) % 5
            lines.append(f"{photo.name},text {number},{rating}")
    file = data / "images" / "dev" / "ratings.csv"
    file.write_text("\n".join(lines) + "\n")
    found = training.train(
        file, tmp_path / "out", load_profile(), load, training.Options(scale=(1, 5))
    )
    assert found["pairs"] == {"expert": 48, "crowd": 0, "both": 0}
    assert found["alignment"] is None
    made = load_profile(str(tmp_path / "out"))
    made.check()
    assert made.alignment.digest == load_profile().alignment.digest


def test_missing_photos_are_told_and_nothing_is_left(data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "data"
    shutil.copytree(data, copy)
    (copy / "images" / "train" / PHOTOS[0].name).unlink()
    with pytest.raises(BadData, match=PHOTOS[0].name):
        training.train(copy, tmp_path / "out", load_profile(), load)
    assert sorted(tmp_path.iterdir()) == [copy]


def test_what_is_no_profile_is_not_replaced(data: Path, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("keep me")
    with pytest.raises(BadData, match="choose another"):
        training.train(data, tmp_path, load_profile(), load)
    assert (tmp_path / "precious.txt").read_text() == "keep me"


def test_pairs_judged_alike_teach_nothing(data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "data"
    shutil.copytree(data, copy)
    lines = (copy / "ExpertAnnotations.tsv").read_text().splitlines()
    alike = ["\t".join([*line.split("\t")[:2], "2", "2", "2"]) for line in lines]
    (copy / "ExpertAnnotations.tsv").write_text("\n".join(alike) + "\n")
    with pytest.raises(BadData, match="judged alike"):
        training.train(copy, tmp_path / "out", load_profile(), load)


def small(file: Path) -> Pixels:
    return decode(file.read_bytes(), SIZE).pixels


def test_other_encoders_stay_as_they_are_and_get_an_alignment(
    data: Path, tmp_path: Path, colours: Path
) -> None:
    profile = load_profile(str(colours))
    options = training.Options(alignment=RECIPE)
    found = training.train(data, tmp_path / "out", profile, small, options)
    made = load_profile(str(tmp_path / "out"))
    made.check()
    assert made.encoder == profile.encoder
    assert "fine_tuned" not in made.manifest["text"]
    assert made.alignment.digest != profile.alignment.digest
    assert found["alignment"]["before"] is not None
    np.testing.assert_array_equal(made.texts.encode(["red"]), profile.texts.encode(["red"]))


def test_a_joint_profile_keeps_its_space_where_nothing_better_is_learned(
    data: Path, tmp_path: Path, colours: Path
) -> None:
    coloured = shutil.copytree(data, tmp_path / "data")
    for file in coloured.glob("captions_*.csv"):  # words that the text encoder can tell apart
        head, *lines = file.read_text().splitlines()
        names = [" ".join(list(COLOURS)[: 1 + place % 7]) for place in range(len(lines))]
        both = [f"{line} {words}" for line, words in zip(lines, names, strict=True)]
        file.write_text("\n".join([head, *both]) + "\n")
    joint = shutil.copytree(colours, tmp_path / "joint")
    manifest = json.loads((joint / MANIFEST).read_text())
    (joint / MANIFEST).write_text(json.dumps({**manifest, "joint": {"logit_scale": 10}}))
    options = training.Options(alignment=replace(RECIPE, epochs=0))
    found = training.train(coloured, tmp_path / "out", load_profile(str(joint)), small, options)
    made = load_profile(str(tmp_path / "out"))
    made.check()
    assert made.manifest["joint"] == {"logit_scale": 10}
    after, before = found["alignment"]["after"], found["alignment"]["before"]
    assert after["recall@10"] >= before["recall@10"]


def turned(vectors: Floats, angle: float) -> Floats:
    """Turned by an angle in the planes of the first two dimensions, the next two, and so on."""
    cos, sin = np.cos(angle), np.sin(angle)
    pairs = vectors.reshape(len(vectors), -1, 2)
    both = np.stack([cos * pairs[..., 0] - sin * pairs[..., 1],
                     sin * pairs[..., 0] + cos * pairs[..., 1]], 2)  # fmt: skip
    return np.asarray(both.reshape(vectors.shape), np.float32)


def test_a_shared_space_is_where_adapting_begins(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    hidden = unit(rng.normal(size=(400, 16)).astype(np.float32))
    noise = 0.15 * rng.normal(size=hidden.shape).astype(np.float32)
    photos, texts = unit(hidden + noise), turned(hidden, 0.9)
    own = {"image.weight": np.eye(16, dtype=np.float32), "image.bias": np.zeros(16, np.float32)}
    own |= {"text.0.weight": own["image.weight"], "text.0.bias": own["image.bias"]}
    data = align.Captioned(photos[None, :300], texts[:300], np.arange(300), texts[:300])
    recipe = align.Recipe(batch=100, epochs=0, soft_weight=0.0)
    for name, tensor in align.adapt(own, 20, data, recipe).items():
        np.testing.assert_array_equal(tensor, own[name])
    learned = align.adapt(own, 20, data, replace(recipe, epochs=700))

    def first(maps: dict[str, Floats]) -> float:
        """Share of unseen texts whose own photo is the nearest."""
        file = tmp_path / "alignment.safetensors"
        file.write_bytes(save(maps))
        held = Alignment(file)
        cosines = held.texts(texts[300:]) @ held.images(photos[300:]).T
        return float((cosines.argmax(1) == np.arange(100)).mean())

    assert first(own) < 0.6
    assert first(learned) > first(own) + 0.15
    assert np.linalg.norm(learned["image.weight"] - own["image.weight"]) < 4
