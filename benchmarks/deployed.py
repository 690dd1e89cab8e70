"""Is what is deployed what was measured, and what does each regressor find, at which price?

For each regressor: its figures in the study of a folder of ratings (pairs whose photo and text
training has not seen), as measured and calibrated as it is deployed. Then, for each fold of that
study, a profile is trained without the fold's photos and texts, written, loaded again and asked for
the relevance of the fold's pairs, as `score` does. All figures are of the pairs of these folds.

And the profile that learned from all pairs: recall on the test queries, and how long ordering 200
candidates takes in a library of the test photos.
"""

import argparse
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.setting import machine, print_json, say, versions
from pixquery import Library, Query
from pixquery.commands.loading import scales_loader, view_loader
from pixquery.db.records import Floats, Ids
from pixquery.engine.policy import SHIPPED, Policy
from pixquery.engine.predictors import Curve
from pixquery.engine.profile import Profile, load_profile
from pixquery.indexer.build import index
from pixquery.trainer.learning import findings, study
from pixquery.trainer.learning.competition import columns_of, compete, encoded
from pixquery.trainer.learning.contenders import TWO_WAY
from pixquery.trainer.learning.course import Course, photo_files
from pixquery.trainer.learning.datasets import DataSet, read_dataset
from pixquery.trainer.learning.deploy import Deployment, copy_encoders, deploy
from pixquery.trainer.learning.judged import Judged
from pixquery.trainer.learning.landmarks import landmarks_of
from pixquery.trainer.learning.learned import keep
from pixquery.trainer.learning.options import Options
from pixquery.trainer.learning.personal import light_contenders
from pixquery.trainer.learning.rerank import Search
from pixquery.trainer.learning.splits import Mask
from pixquery.trainer.learning.stop_words import kept_pairs
from pixquery.trainer.measuring.pairs import Pair
from pixquery.trainer.measuring.score import score

REGRESSORS = (
    ("auto", "auto"),
    ("linear", "concatenated"),
    ("catboost", "concatenated"),
    ("network", "concatenated"),
)
MEASURES = ("rmse", "tau_c_expert", "tau_b_crowd")


def main() -> None:
    """Measures, and prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="ratings alone, as `pixquery train` takes them")
    parser.add_argument("--folds", type=int, default=25, help="train without so many of the folds")
    arguments = parser.parse_args()
    material = _material(arguments.folder)
    rows = []
    for regressor, features in REGRESSORS:
        row = _measured(material, Options(regressor=regressor, features=features), arguments.folds)
        say(str(row))
        rows.append(row)
    print_json(
        {
            "question": "is what is deployed what was measured",
            "machine": machine(),
            "versions": versions("numpy", "scikit-learn", "catboost", "torch"),
            "folds": arguments.folds,
            "rows": rows,
        }
    )


@dataclass(frozen=True, slots=True)
class _Material:
    """A folder of ratings, encoded once."""

    data: DataSet
    profile: Profile
    pairs: Judged
    photos: list[Path]
    """The file of each pair's photo."""
    texts: Floats
    """float32[n, e]"""
    raw: Floats
    """float32[n, d]"""
    search: Search

    def keep(self, rows: Mask) -> "_Material":
        """The material of some pairs."""
        photos = [photo for photo, kept in zip(self.photos, rows, strict=True) if kept]
        return replace(
            self, pairs=self.pairs.keep(rows), photos=photos, texts=self.texts[rows],
            raw=self.raw[rows],
        )  # fmt: skip


def _material(folder: Path) -> _Material:
    profile = load_profile()
    load = view_loader(profile.interpolation)
    course = Course(profile, load, Options())
    data = read_dataset(folder, load)
    kept, _ = kept_pairs(data.pairs, [], Policy.load(SHIPPED), "pairs")
    pairs = data.pairs.keep(kept)
    files, row_of = photo_files(data.rated, pairs.images)
    names = [query.image for query in data.queries]
    asked, asked_of = photo_files(data.asked, names)
    queries = [query.text for query in data.queries]
    return _Material(
        data, profile, pairs, [files[row] for row in row_of], encoded(profile.texts, pairs.texts),
        course.encode(profile.images, files)[row_of],
        Search(queries, asked_of, course.encode(profile.images, asked), sorted(set(names))),
    )  # fmt: skip


def _train(material: _Material, options: Options, folder: Path, search: Search) -> Deployment:
    """Does what `pixquery train` does, with pairs that are encoded already."""
    profile, pairs = material.profile, material.pairs
    course = Course(profile, view_loader(profile.interpolation), options)
    folder.mkdir()
    copy_encoders(profile, folder)
    learned = keep(profile, folder, pairs.texts)
    landmarks = landmarks_of(profile, learned, material.raw, seed=options.seed)
    columns = columns_of(learned.alignment, landmarks, material.texts, material.raw)
    every = np.ones(len(pairs.images), np.bool_)
    outcome = compete(course, pairs, every, columns, light_contenders(pairs))
    return deploy(course, folder, outcome, landmarks, learned, search)


def _measured(material: _Material, options: Options, folds: int) -> dict[str, Any]:
    """A regressor's figures: in the study, deployed, on test queries, and its time."""
    with tempfile.TemporaryDirectory(prefix="pixquery-") as place:
        deployment = _train(material, options, Path(place, "profile"), material.search)
        winner, report = deployment.outcome.winner, deployment.report
        again = _again(material, options, winner, folds)
        calibrated = deployment.outcome.calibrated
        stages = report["reranking"]
        return {
            "regressor": winner.contender.name,
            "features": winner.contender.features,
            "study": _figures(_only(winner, again.rows), material),
            "calibrated": _figures(_only(calibrated, again.rows), material),
            "deployed": _figures(again, material),
            "recall by similarity": stages["first_stage"],
            "recall by relevance": stages["reranked"],
            "milliseconds": _time(material, Path(place)),
        }


def _figures(held_out: study.HeldOut, material: _Material) -> dict[str, Any]:
    found = findings.measured(held_out, material.pairs)
    return {name: found[name] for name in MEASURES}


def _only(held_out: study.HeldOut, rows: Ids) -> study.HeldOut:
    """What was predicted of some of the pairs."""
    kept = np.isin(held_out.rows, rows)
    return replace(held_out, rows=held_out.rows[kept], predicted=held_out.predicted[kept])


def _again(
    material: _Material, options: Options, winner: study.HeldOut, folds: int
) -> study.HeldOut:
    """What profiles predict that were trained without the pairs that they judge."""
    if not options.asked:  # in each fold, too
        options = replace(options, regressor=Curve.kind)
    rows, predicted = [], []
    splits = list(study.splits(material.pairs, TWO_WAY, seed=options.seed))[:folds]
    for clear, held_out in splits:
        with tempfile.TemporaryDirectory(prefix="pixquery-") as place:
            nothing = material.search.only([])
            _train(material.keep(clear), options, Path(place, "profile"), nothing)
            made = load_profile(str(Path(place, "profile")))
            numbers = np.flatnonzero(held_out)
            pairs = [Pair(material.photos[n], material.pairs.texts[n]) for n in numbers]
            load = scales_loader(made.sizes, made.interpolation)
            rows.append(numbers)
            judged = [relevance for _, _, relevance in score(pairs, made, load)]
            predicted.append(np.array(judged, np.float64))
    return replace(winner, rows=np.concatenate(rows), predicted=np.concatenate(predicted))


def _time(material: _Material, place: Path) -> dict[str, float]:
    """Median milliseconds of the parts of a warm search of the test photos, 200 candidates."""
    photos = next(folder for folder in material.data.asked if folder.is_dir())
    with Library.open(place / "library", create=True, profile=str(place / "profile")) as library:
        index(library, [photos])
        library.search("a warm start")
        times = [
            asdict(library.search(Query(text, candidates=200)).milliseconds)
            for text in material.search.queries[:400]
        ]
    return {part: round(median(each[part] for each in times), 2) for part in times[0]}


if __name__ == "__main__":
    main()
