"""A study such as `train` makes, and one of a user's own ratings."""

import math
from typing import Any

Study = dict[str, Any]


def regressor(
    name: str, features: str, rows: str, split: str, *figures: float, width: float = 0.006
) -> Study:
    keys = ("rmse", "mae", "spearman", "tau_c_expert", "tau_b_crowd")
    return {
        "name": name,
        "features": features,
        "split": split,
        "rows": rows,
        **dict(zip(keys, figures, strict=True)),
        "ci95": {
            key: [round(value - width, 4), round(value + width, 4)]
            for key, value in zip(keys, figures, strict=True)
        },
        "folds": 25 if split == "two-way" else 5,
        "seconds": 3.0,
    }


def answer(query: str, image: str, kind: str, *ranks: int | None) -> Study:
    """Three orders of a query, with its right photo at these ranks."""
    orders = []
    for regressor, rank in zip(("ensemble", "CatBoost", "network"), ranks, strict=True):
        photos = [
            {
                "image": image if place == rank else f"{place}_of_{regressor}.jpg",
                "similarity": round(0.4 - 0.03 * place, 4),
                "relevance": round(0.9 - 0.07 * place, 4),
                "right": place == rank,
            }
            for place in range(1, 5)
        ]
        features = "all of them" if regressor == "ensemble" else "concatenated"
        orders.append(
            {"regressor": regressor, "features": features, "rank": rank, "photos": photos}
        )
    return {"query": query, "image": image, "kind": kind, "orders": orders}


def sample() -> Study:
    """Figures of the size that the data gives."""
    both, experts, product = "experts and crowd", "experts", "elementwise product"
    strong = "similarity and its surroundings"
    two_way, by_photo = "two-way", "by photo"
    levels = [0, 1 / 9, 2 / 9, 1 / 3, 4 / 9, 5 / 9, 2 / 3, 7 / 9, 8 / 9, 1]
    yes = [0.004, 0.01, 0.021, 0.037, 0.09, 0.18, 0.317, 0.578, 0.768, 0.921]
    mapped = [0.04, 0.06, 0.11, 0.2, 0.31, 0.42, 0.6, 0.74, 0.83, 0.93]
    counts = [861, 322, 241, 208, 176, 150, 122, 96, 74, 131]
    captions = (
        "A man in a red jacket is riding a bicycle down a steep mountain trail .",
        "Two dogs are playing in the snow while a person watches from the doorway of a house .",
        "A crowd at a concert .",
        "The surfer leans into a wave that is about to break over him .",
    )
    return {
        "profile": "lite2-minilm",
        "out": "my profile",
        "seed": 0,
        "seconds": 3480.4,
        "pairs": {"expert": 2381, "crowd": 20114, "both": 1904},
        "dropped": {
            "mode": "pairs",
            "words": {
                "child": 1204, "boy": 3310, "girl": 2871, "children": 1177, "baby": 402,
                "kid": 333, "toddler": 151, "boys": 509, "girls": 488, "kids": 260, "infant": 12,
                "teenager": 41, "youngster": 3, "schoolgirl": 5,
            },
            "expert": 1333, "crowd": 9948, "captions": 0,
        },
        "ratings": {
            "expert_means": [[round(x, 3), n] for x, n in zip(levels, counts, strict=True)],
            "grades": {"1": 3702, "2": 1611, "3": 1092, "4": 738},
            "crowd_shares": [[0.0, 17640], [0.25, 401], [0.333, 902], [0.5, 67], [0.667, 489],
                             [0.75, 120], [1.0, 495]],
            "alpha": 0.806, "icc_single": 0.789, "icc_mean": 0.918,
            "noise_floor": 0.078, "human_ceiling": 55.3,
            "all_pairs": {"alpha": 0.811, "icc_single": 0.793, "icc_mean": 0.92,
                          "noise_floor": 0.077, "human_ceiling": 55.9},
            "overlap": [
                {"expert": round(x, 3), "pairs": n, "yes": y, "mapped": m}
                for x, n, y, m in zip(levels, counts, yes, mapped, strict=True)
            ],
            "aggregations": [
                {"name": "mean", "rmse": 0.1274, "tau_c": 0.7061},
                {"name": "median", "rmse": 0.1388, "tau_c": 0.6874},
                {"name": "majority", "rmse": 0.1512, "tau_c": 0.6593},
            ],
        },
        "splits": [
            {"name": two_way, "folds": 25, "training": 8120.4, "held_out": 805.0,
             "shared_photos": 0.0, "shared_captions": 0.0},
            {"name": by_photo, "folds": 5, "training": 14081.0, "held_out": 6034.0,
             "shared_photos": 0.0, "shared_captions": 0.978},
        ],
        "regressors": [
            regressor("constant", "", both, two_way, 0.239, 0.207, 0, 0, 0, width=0.003),
            regressor("linear", "concatenated", both, two_way, 0.275, 0.216, 0.201, 0.132, 0.084),
            regressor("linear", "concatenated", both, by_photo, 0.219, 0.171, 0.502, 0.334, 0.201),
            regressor("CatBoost", "concatenated", both, two_way, 0.221, 0.18, 0.381, 0.27, 0.151),
            regressor("CatBoost", "concatenated", both, by_photo, 0.19, 0.15, 0.58, 0.41, 0.25),
            regressor("network", "concatenated", both, two_way, 0.203, 0.16, 0.471, 0.363, 0.216),
            regressor("network", "concatenated", both, by_photo, 0.181, 0.14, 0.6, 0.42, 0.26),
            regressor("similarity alone", "similarity", both, two_way,
                      0.175, 0.14, 0.66, 0.495, 0.312),
            regressor("linear", product, both, two_way, 0.179, 0.145, 0.63, 0.472, 0.298),
            regressor("CatBoost", strong, both, two_way, 0.169, 0.13, 0.665, 0.489, 0.312),
            regressor("ridge", strong, experts, two_way, 0.169, 0.131, 0.667, 0.487, 0.314),
            regressor("network", product, both, two_way, 0.167, 0.127, 0.661, 0.488, 0.310),
            regressor("network", product, both, by_photo, 0.159, 0.12, 0.69, 0.51, 0.325),
            regressor("pairwise network", "product and text", both, two_way,
                      0.165, 0.126, 0.668, 0.498, 0.316),
            regressor("ensemble", "all of them", both, two_way, 0.1583, 0.121, 0.69, 0.512, 0.331),
            regressor("ensemble", "all of them", both, by_photo, 0.151, 0.115, 0.71, 0.53, 0.342),
        ],
        "stop_words_cost": [
            {"rows": "all rated pairs", "rmse": 0.1561, "tau_c_expert": 0.516,
             "tau_b_crowd": 0.335},
            {"rows": "those left", "rmse": 0.1583, "tau_c_expert": 0.512, "tau_b_crowd": 0.331},
        ],
        "chosen": "ensemble",
        "deployed": True,
        "why": "it has the smallest error on pairs whose photo and caption are both new, and it "
               "orders the candidates of held-out queries better than similarity does",
        "errors": [
            {"grade": round(x, 3), "pairs": n, "rmse": round(0.11 + 0.12 * x * (1.3 - x), 3),
             "bias": round(0.06 - 0.17 * x, 3)}
            for x, n in zip(levels, counts, strict=True)
        ],
        "calibration": [
            {"predicted": 0.02, "judged": 0.03, "pairs": 5210},
            {"predicted": 0.08, "judged": 0.07, "pairs": 3100},
            {"predicted": 0.16, "judged": 0.18, "pairs": 1770},
            {"predicted": 0.27, "judged": 0.25, "pairs": 920},
            {"predicted": 0.38, "judged": 0.4, "pairs": 530},
            {"predicted": 0.51, "judged": 0.5, "pairs": 340},
            {"predicted": 0.62, "judged": 0.65, "pairs": 212},
            {"predicted": 0.77, "judged": 0.74, "pairs": 160},
            {"predicted": 0.9, "judged": 0.92, "pairs": 90},
        ],
        "worst": [
            {"image": f"{1056338697 + 7919 * n}_{4_207_411 * (n + 3):x}.jpg",
             "text": captions[n % len(captions)],
             "judged": round((n % 3) / 3, 2), "predicted": round(0.93 - 0.04 * (n % 20), 2)}
            for n in range(20)
        ],
        "alignment": {
            "recall@1": 0.291, "recall@5": 0.612, "recall@10": 0.738, "split": "dev",
            "curve": [
                {"step": 50 * n, "loss": round(1.1 + 3 * math.exp(-n / 8), 4),
                 "recall@10": round(0.738 - 0.3 * math.exp(-n / 6), 4)}
                for n in range(1, 33)
            ],
            "before": {"recall@1": 0.253, "recall@5": 0.55, "recall@10": 0.683},
            "after": {"recall@1": 0.291, "recall@5": 0.612, "recall@10": 0.738},
        },
        "reranking": {
            "queries": 5000,
            "first_stage": {"recall@1": 0.291, "recall@5": 0.612, "recall@10": 0.738,
                            "ndcg@10": 0.497},
            "reranked": {"recall@1": 0.304, "recall@5": 0.625, "recall@10": 0.747,
                         "ndcg@10": 0.509},
            "gain_ci95": {"recall@1": [0.008, 0.018], "recall@5": [0.009, 0.017],
                          "recall@10": [0.005, 0.013], "ndcg@10": [0.008, 0.016]},
            "rated": {"first_stage": {"ndcg@10": 0.902}, "reranked": {"ndcg@10": 0.914}},
        },
        "answers": [
            answer(captions[0], "1056338697.jpg", "best", 1, 37, 3),
            answer(captions[3], "1064535340.jpg", "worst", None, 1_120, None),
        ],
    }  # fmt: skip


def own_ratings() -> Study:
    """A user's own ratings: no crowd, no captions to align, no queries."""
    whole = sample()
    empty = dict.fromkeys(whole["ratings"])
    return {
        **whole,
        "pairs": {"expert": 240, "crowd": 0, "both": 0},
        "dropped": {"mode": "off", "words": {}, "expert": 0, "crowd": 0, "captions": 0},
        "ratings": {**empty, "expert_means": [[n / 97, 1 + n % 5] for n in range(98)]},
        "regressors": [{**row, "tau_b_crowd": None} for row in whole["regressors"]],
        "stop_words_cost": [{**row, "tau_b_crowd": None} for row in whole["stop_words_cost"]],
        "alignment": None,
        "reranking": None,
        "answers": [],
        "judges": "you",
    }
