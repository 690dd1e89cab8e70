"""How well does relevance agree with people, on pairs that share nothing with its training?

Pairs are held out both ways: the regressor that judges a pair has seen neither its photo nor its
caption, and the alignment has seen no rated photo at all. Pairs of a photo and its own caption are
left out, as in published figures.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.setting import FLICKR8K, machine, needed, print_json, say, shown, versions
from pixquery.db.records import Floats, Pixels
from pixquery.engine.features import ALIGNED, Vectors, pair_features
from pixquery.engine.policy import SHIPPED, Policy
from pixquery.engine.profile import DEFAULT, Profile, load_profile
from pixquery.engine.relevance import Regressor
from pixquery.indexer.decode import decode
from pixquery.trainer.learning import study
from pixquery.trainer.learning.aggregation import aggregate
from pixquery.trainer.learning.captions import read_captions
from pixquery.trainer.learning.contenders import ALONE, NONE, TWO_WAY, contenders
from pixquery.trainer.learning.findings import measured, reliability
from pixquery.trainer.learning.judged import Judged, judged
from pixquery.trainer.learning.ratings import read_crowd_ratings, read_expert_ratings
from pixquery.trainer.learning.study import HeldOut
from pixquery.trainer.measuring.metrics import Values, bootstrap, rmse, tau_c
from pixquery.trainer.measuring.pairs import Pair
from pixquery.trainer.measuring.score import score

BATCH = 64
CHECKED = 8
"""How many pairs are also judged by the function behind `score`."""
SHOWN = ("constant", ALONE, "logistic")


def main() -> None:
    """Encodes the rated pairs, and prints the figures."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="pixquery-bench-") as place:
        os.environ["PIXQUERY_CACHE"] = place
        print_json(_document(arguments))


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
        "--draws", type=int, default=300, metavar="N", help="draws of the bootstrap (300)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the folds (0)")
    parser.add_argument(
        "--photos", type=int, metavar="N", help="only pairs of the first N photos, for a quick try"
    )
    return parser.parse_args()


def _document(arguments: argparse.Namespace) -> dict[str, Any]:
    crowd = arguments.data / "CrowdAnnotations.tsv"
    pairs = judged(
        read_expert_ratings(needed(arguments.data / "ExpertAnnotations.tsv")),
        read_crowd_ratings(crowd) if crowd.exists() else [],
        read_captions(needed(arguments.data / "captions_rated.csv")),
    )
    if arguments.photos:
        first = set(sorted(set(pairs.images))[: arguments.photos])
        pairs = pairs.keep(np.array([image in first for image in pairs.images]))
    profile = load_profile(arguments.profile)
    shipped = profile.relevance
    if not isinstance(shipped, Regressor) or shipped.features != ALIGNED:
        raise SystemExit(f"the profile {profile.name} has no trained regressor to measure")
    folder = needed(arguments.data / "images" / "rated")
    texts, photos = _aligned(profile, pairs, folder)
    columns = {
        ALIGNED: pair_features(texts, photos, shipped.landmarks),
        NONE: np.zeros((len(texts), 1), np.float32),
    }
    policy = Policy.load(SHIPPED)
    unrefused = np.array([not policy.matches(text) for text in pairs.texts], np.bool_)
    predicted = np.asarray(shipped.score(Vectors(texts), Vectors(photos)), np.float64)
    return {
        "question": "agreement of predicted relevance with people, pairs held out both ways",
        "machine": machine(),
        "versions": versions("openvino", "numpy", "scipy", "scikit-learn"),
        "data": shown(arguments.data),
        "profile": profile.name,
        "intervals": f"95 %, bootstrap over whole photos, {arguments.draws} draws",
        "all_pairs": _held_out(pairs, columns, arguments),
        "without_stop_words": _held_out(
            pairs.keep(unrefused),
            {name: rows[unrefused] for name, rows in columns.items()},
            arguments,
        ),
        "in_sample": {
            "what": "NOT to be quoted: the shipped regressor on pairs that it was fitted on",
            "rmse": round(rmse(*_of_experts(predicted, pairs)[:2]), 4),
        },
        "checks": _checks(profile, pairs, predicted, folder),
    }


def _held_out(
    pairs: Judged, columns: dict[str, Floats], arguments: argparse.Namespace
) -> dict[str, Any]:
    predictions = {
        contender.name: study.hold_out(contender, pairs, columns, TWO_WAY, seed=arguments.seed)
        for contender in contenders(pairs, seed=arguments.seed)
        if contender.name in SHOWN and contender.features in columns
    }
    say(f"{arguments.draws} bootstrap draws of {len(predictions)} predictors")
    return {
        "expert_pairs": int((pairs.expert & ~pairs.own).sum()),
        "crowd_pairs": int(pairs.crowd.sum()),
        **{
            name: measured(one, pairs, seed=arguments.seed, draws=arguments.draws)
            for name, one in predictions.items()
        },
        "gain_over_similarity": _gain(
            predictions["logistic"], predictions[ALONE], pairs, arguments
        ),
        "reliability": reliability(
            study.cross_calibrated(predictions["logistic"], pairs, seed=arguments.seed), pairs
        ),
    }


def _gain(
    better: HeldOut, base: HeldOut, pairs: Judged, arguments: argparse.Namespace
) -> dict[str, Any]:
    """The gain in tau_c, with both predictors on the same draws."""
    count = len(pairs.images)
    kept = np.flatnonzero(pairs.expert & ~pairs.own)
    improved, others = better.by_pair(count)[kept], base.by_pair(count)[kept]
    _, groups = np.unique(np.array(pairs.images)[kept], return_inverse=True)

    def gain(one: Values, other: Values, grades: Values) -> float:
        return tau_c(one, grades) - tau_c(other, grades)

    grades = pairs.grades[kept]
    ends = bootstrap(gain, improved, others, grades, groups=groups, draws=arguments.draws)
    return {
        "tau_c": round(gain(improved, others, grades), 4),
        "tau_c_ci95": [round(end, 4) for end in ends],
    }


def _load(profile: Profile) -> Callable[[Path], Pixels]:
    def load(file: Path) -> Pixels:
        return decode(file.read_bytes(), profile.size, interpolation=profile.interpolation).pixels

    return load


def _aligned(profile: Profile, pairs: Judged, folder: Path) -> tuple[Floats, Floats]:
    """The aligned text and photo of every pair, float32[n, a] each."""
    names, photo_of = np.unique(pairs.images, return_inverse=True)
    say(f"encoding {len(names)} photos")
    load = _load(profile)
    raw = [
        profile.images.encode(
            np.stack([load(needed(folder / name)) for name in names[start : start + BATCH]])
        )
        for start in range(0, len(names), BATCH)
    ]
    unique, text_of = np.unique(pairs.texts, return_inverse=True)
    texts = profile.alignment.texts(profile.texts.encode(unique.tolist()))
    return texts[text_of], profile.alignment.images(np.concatenate(raw))[photo_of]


def _of_experts(predicted: Values, pairs: Judged) -> tuple[Values, Values]:
    kept = pairs.expert & ~pairs.own
    return predicted[kept], aggregate(pairs.grades[kept], "mean")


def _checks(profile: Profile, pairs: Judged, predicted: Values, folder: Path) -> dict[str, Any]:
    """Checks that the function behind `score` predicts the same."""
    rows = np.linspace(0, len(predicted) - 1, CHECKED).astype(int)
    load = _load(profile)
    scored = score(
        [Pair(folder / pairs.images[row], pairs.texts[row]) for row in rows],
        profile,
        lambda file: (load(file),),
    )
    scores = np.array([relevance for _, _, relevance in scored])
    return {
        "pairs": CHECKED,
        "score_against_the_regressor": {
            "largest_difference": float(f"{np.abs(scores - predicted[rows]).max():.2g}")
        },
    }


if __name__ == "__main__":
    main()
