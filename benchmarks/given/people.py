"""Agreement of relevance with the people who rated photos of Flickr8k."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.given.encoded import Encoded
from benchmarks.given.figures import one
from pixquery.trainer.learning.aggregation import aggregate
from pixquery.trainer.learning.captions import read_captions
from pixquery.trainer.learning.judged import judged
from pixquery.trainer.learning.ratings import read_crowd_ratings, read_expert_ratings
from pixquery.trainer.measuring.metrics import bootstrap, rmse, tau_b, tau_c

DRAWS = 60
IN_SAMPLE = (
    "relevance is in sample where the profile was fitted on these pairs, as the shipped one was: "
    "`python -m benchmarks.relevance_agreement` holds pairs out; similarity has seen none of them"
)


def agreement(encoded: Encoded, folder: Path) -> dict[str, Any]:
    """Kendall's tau_c and RMSE against experts without own pairs; tau_b against the crowd."""
    crowd = folder / "CrowdAnnotations.tsv"
    pairs = judged(
        read_expert_ratings(folder / "ExpertAnnotations.tsv"),
        read_crowd_ratings(crowd) if crowd.exists() else [],
        read_captions(folder / "captions_rated.csv"),
    )
    names, photo_of = np.unique(pairs.images, return_inverse=True)
    there = np.array([(folder / "images" / "rated" / name).is_file() for name in names])
    photos = encoded.photos([folder / "images" / "rated" / n for n in names[there]])
    aligned = np.zeros((len(names), photos.shape[1]), np.float32)
    aligned[there] = photos
    unique, text_of = np.unique(pairs.texts, return_inverse=True)
    texts = encoded.texts(unique.tolist())[text_of]
    photos = aligned[photo_of]
    predicted = {
        "relevance": np.asarray(encoded.pairs(texts, photos), np.float64),
        "similarity": np.einsum("na,na->n", texts, photos).astype(np.float64),
    }
    _, groups = np.unique(pairs.images, return_inverse=True)
    expert = pairs.expert & ~pairs.own & there[photo_of]
    voted = pairs.crowd & there[photo_of]
    means = aggregate(pairs.grades[expert], "mean")
    results: dict[str, Any] = {"note": IN_SAMPLE}
    for name, values in predicted.items():
        kept = np.unique(groups[expert], return_inverse=True)[1]
        results[name] = {
            "tau_c": {
                **one(tau_c(values[expert], pairs.grades[expert]), int(expert.sum())),
                "ci95": _ends(
                    bootstrap(tau_c, values[expert], pairs.grades[expert], groups=kept, draws=DRAWS)
                ),
            },
            "tau_b": one(tau_b(values[voted], pairs.share[voted]), int(voted.sum())),
        }
    results["relevance"]["rmse"] = {
        **one(rmse(predicted["relevance"][expert], means), int(expert.sum())),
        "ci95": _ends(
            bootstrap(rmse, predicted["relevance"][expert], means, groups=kept, draws=DRAWS)
        ),
    }
    return results


def _ends(ends: tuple[float, float]) -> list[float]:
    return [round(end, 4) for end in ends]
