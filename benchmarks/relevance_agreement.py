"""How well does relevance agree with people, on pairs that share nothing with its training?

Held out means both ways: neither the photo nor the caption of a judged pair was seen, in either
role, by the regressor that judges it; the alignment has seen no rated photo at all. Pairs of a
photo and its own caption are left out of the figures, as published ones do.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from setting import FLICKR8K, machine, needed, say, shown, tell, versions

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from db.records import Floats, Pair, Pixels
from engine.features import NAMES, pair_features
from engine.profile import DEFAULT, Profile, load_profile
from engine.relevance import Logistic
from indexer.decode import decode
from trainer.datasets import ExpertRating, read_captions, read_expert_ratings
from trainer.evaluate import score
from trainer.metrics import rmse, tau_c
from trainer.ratings import grades_of, targets_of
from trainer.regressors import Fitted, fit_logistic
from trainer.splits import two_way
from trainer.train import measure

Values = NDArray[np.float64]
BATCH = 64
CHECKED = 8
"""Pairs that are also judged by the function behind `score`."""


def main() -> None:
    """Reads the arguments, encodes what was rated, prints the figures."""
    asked = _arguments()
    with tempfile.TemporaryDirectory(prefix="pixquery-bench-") as place:
        os.environ["PIXQUERY_CACHE"] = place
        tell(_document(asked))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=FLICKR8K,
        metavar="DIR",
        help="ExpertAnnotations.tsv, captions_rated.csv and images/rated of Flickr8k",
    )
    parser.add_argument("--profile", default=DEFAULT, metavar="NAME|DIR", help="models to judge")
    parser.add_argument(
        "--draws", type=int, default=300, metavar="N", help="of the bootstrap (300)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the folds (0)")
    parser.add_argument(
        "--photos", type=int, metavar="N", help="only pairs of the first N photos, for a quick try"
    )
    return parser.parse_args()


def _document(asked: argparse.Namespace) -> dict[str, Any]:
    ratings = read_expert_ratings(needed(asked.data / "ExpertAnnotations.tsv"))
    if asked.photos:
        some = set(sorted({rating.image for rating in ratings})[: asked.photos])
        ratings = [r for r in ratings if r.image in some]
    profile = load_profile(asked.profile)
    shipped = profile.relevance
    if not isinstance(shipped, Logistic):
        raise SystemExit(f"the profile {profile.name} has no trained regressor to measure")
    captions = read_captions(needed(asked.data / "captions_rated.csv"))
    texts_by_id = {caption.id: caption.text for caption in captions}
    folder = needed(asked.data / "images" / "rated")

    texts, photos = _aligned(profile, ratings, texts_by_id, folder)
    features = pair_features(texts, photos, shipped.landmarks)
    targets, grades = targets_of(ratings), grades_of(ratings)
    own = np.array([rating.image == rating.source for rating in ratings])
    held_out = _held_out(ratings, features, targets, asked.seed)
    everything = held_out | {
        "shipped": np.asarray(shipped.score(texts, photos), np.float64),
    }
    _, groups = np.unique([r.image for r in ratings], return_inverse=True)
    say(f"{asked.draws} bootstrap draws")
    table = _table(everything, targets, grades, groups, ~own, asked.draws)
    return {
        "question": "agreement of predicted relevance with three experts a pair",
        "machine": machine(),
        "versions": versions("openvino", "numpy", "scipy", "scikit-learn"),
        "data": shown(asked.data),
        "profile": profile.name,
        "pairs": {"rated": len(ratings), "measured": int((~own).sum()), "own": int(own.sum())},
        "intervals": f"95 %, bootstrap over whole photos, {asked.draws} draws",
        "held_out": {
            "what": "THE figures to quote: every pair judged by a regressor fitted on pairs that "
            "share neither its photo nor its caption, in either role",
            "constant": table["constant"],
            "similarity alone": table["similarity alone"],
            "relevance regressor": table["relevance regressor"],
            "gain_over_similarity": table["gain"],
            "calibration": _calibration(held_out["relevance regressor"][~own], targets[~own]),
            "calibration_with_own_pairs": _calibration(held_out["relevance regressor"], targets),
            "agrees_with_the_trainers_own_measure": _same_as_trainer(
                ratings, features, asked.seed, table
            ),
        },
        "in_sample": {
            "what": "NOT to be quoted: the shipped regressor on the very pairs it was fitted on; "
            "its distance to held_out is what the fit has memorised",
            "shipped regressor": table["shipped"],
            "distance_to_held_out": {
                name: round(table["shipped"][name] - table["relevance regressor"][name], 4)
                for name in ("tau_c", "rmse")
            },
        },
        "checks": _checks(profile, ratings, features, targets, texts_by_id, folder),
    }


def _load(size: int) -> Callable[[Path], Pixels]:
    return lambda file: decode(file.read_bytes(), size).pixels


def _aligned(
    profile: Profile, ratings: list[ExpertRating], texts_by_id: dict[str, str], folder: Path
) -> tuple[Floats, Floats]:
    """The aligned text and photo of every pair, float32[n, a] each."""
    names = sorted({rating.image for rating in ratings})
    say(f"encoding {len(names)} photos")
    load = _load(profile.size)
    raw = [
        profile.images.encode(
            np.stack([load(needed(folder / name)) for name in names[start : start + BATCH]])
        )
        for start in range(0, len(names), BATCH)
    ]
    photos = profile.alignment.images(np.concatenate(raw))
    asked = sorted({rating.caption for rating in ratings})
    texts = profile.alignment.texts(profile.texts.encode([texts_by_id[key] for key in asked]))
    photo_of = {name: row for row, name in enumerate(names)}
    text_of = {key: row for row, key in enumerate(asked)}
    return (
        texts[[text_of[rating.caption] for rating in ratings]],
        photos[[photo_of[rating.image] for rating in ratings]],
    )


def _held_out(
    ratings: list[ExpertRating], features: Floats, targets: Values, seed: int
) -> dict[str, Values]:
    """Each pair's prediction by regressors that know neither its photo nor its caption."""
    alone = np.zeros_like(features)
    alone[:, 0] = features[:, 0]
    found = {
        name: np.full(len(ratings), np.nan)
        for name in ("constant", "similarity alone", "relevance regressor")
    }
    photos, sources = [r.image for r in ratings], [r.source for r in ratings]
    for clear, out in two_way(photos, sources, seed=seed):
        found["constant"][out] = targets[clear].mean()
        for name, columns in (("similarity alone", alone), ("relevance regressor", features)):
            fitted = fit_logistic(columns[clear], targets[clear])
            found[name][out] = fitted.predict(columns[out])
    return found


def _table(
    predictions: dict[str, Values],
    targets: Values,
    grades: NDArray[np.int64],
    groups: NDArray[np.int64],
    kept: NDArray[np.bool_],
    draws: int,
) -> dict[str, dict[str, Any]]:
    """tau_c and RMSE of every predictor with intervals, over the pairs that are kept."""

    def both(predicted: Values, rows: NDArray[np.int64]) -> tuple[float, float]:
        tau = tau_c(predicted[rows], grades[rows]) if predicted.std() > 0 else 0.0
        return tau, rmse(predicted[rows], targets[rows])

    rows_of = [np.flatnonzero((groups == g) & kept) for g in range(groups.max() + 1)]
    rng = np.random.default_rng(0)
    samples = [
        np.concatenate([rows_of[g] for g in rng.integers(len(rows_of), size=len(rows_of))])
        for _ in range(draws)
    ]
    whole = np.flatnonzero(kept)
    drawn = {
        name: np.array([both(values, rows) for rows in samples])
        for name, values in predictions.items()
    }
    table: dict[str, dict[str, Any]] = {}
    for name, values in predictions.items():
        tau, error = both(values, whole)
        if name == "constant":  # its value differs between the folds, which orders nothing
            tau, drawn[name][:, 0] = 0.0, 0.0
        table[name] = {
            "tau_c": round(tau, 4),
            "rmse": round(error, 4),
            "tau_c_ci95": _interval(drawn[name][:, 0]),
            "rmse_ci95": _interval(drawn[name][:, 1]),
        }
    gain = drawn["relevance regressor"] - drawn["similarity alone"]
    table["gain"] = {
        "what": "regressor minus similarity alone, intervals from the same draws",
        **{
            name: round(table["relevance regressor"][name] - table["similarity alone"][name], 4)
            for name in ("tau_c", "rmse")
        },
        "tau_c_ci95": _interval(gain[:, 0]),
        "rmse_ci95": _interval(gain[:, 1]),
    }
    return table


def _interval(values: Values) -> list[float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return [round(float(low), 4), round(float(high), 4)]


def _calibration(predicted: Values, judged: Values) -> list[dict[str, float]]:
    """Five bins of equal width: what was predicted, what people said."""
    bins = np.minimum((predicted * 5).astype(int), 4)
    return [
        {
            "from": number / 5,
            "to": (number + 1) / 5,
            "pairs": int((bins == number).sum()),
            "mean_predicted": round(float(predicted[bins == number].mean()), 3),
            "mean_judged": round(float(judged[bins == number].mean()), 3),
        }
        for number in range(5)
        if (bins == number).any()
    ]


def _same_as_trainer(
    ratings: list[ExpertRating], features: Floats, seed: int, table: dict[str, dict[str, Any]]
) -> bool:
    found = measure(ratings, features, seed=seed)
    return all(
        abs(found[name][value] - table[name][value]) < 1e-4
        for name in ("constant", "similarity alone", "relevance regressor")
        for value in ("tau_c", "rmse")
    )


def _checks(
    profile: Profile,
    ratings: list[ExpertRating],
    features: Floats,
    targets: Values,
    texts_by_id: dict[str, str],
    folder: Path,
) -> dict[str, Any]:
    """Whether `score` says what the fitted weights say, and whether a fit here gives them."""
    rows = np.linspace(0, len(ratings) - 1, CHECKED).astype(int)
    pairs = [Pair(folder / ratings[r].image, texts_by_id[ratings[r].caption]) for r in rows]
    scored = score(pairs, profile, _load(profile.size))
    told = np.array([relevance for _, _, relevance in scored])
    cosines = np.array([similarity for _, similarity, _ in scored])
    refitted = fit_logistic(features, targets)
    weights = _stored(profile)
    return {
        "pairs": CHECKED,
        "score_against_the_stored_weights": _largest(told, weights.predict(features[rows])),
        "score_against_weights_fitted_here": _largest(told, refitted.predict(features[rows])),
        "score_against_the_similarity_column": _largest(cosines, features[rows, 0]),
        "weights": {
            name: {"stored": round(float(a), 4), "fitted_here": round(float(b), 4)}
            for name, a, b in zip(NAMES, weights.weights, refitted.weights, strict=True)
        },
    }


def _stored(profile: Profile) -> Fitted:
    from safetensors.numpy import load_file

    tensors = load_file(profile.folder / str(profile.manifest["relevance"]))
    return Fitted(tensors["weights"].astype(np.float32), float(tensors["bias"][0]))


def _largest(some: Values, others: Values | Floats) -> dict[str, float]:
    return {"largest_difference": float(f"{np.abs(some - others).max():.2g}")}


if __name__ == "__main__":
    main()
