"""From a user's own ratings to a profile: encoders and alignment stay as they are.

A profile that predicts relevance goes on predicting it: the ratings only move it (see
`trainer.learning.personal`). One that predicts none learns to.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pixquery.db.errors import BadData, UnreadableImage
from pixquery.db.records import Floats
from pixquery.engine.features import Landmarks, Vectors
from pixquery.engine.policy import SHIPPED, Policy
from pixquery.engine.ratings_file import is_log
from pixquery.engine.relevance import Relevance
from pixquery.trainer.learning import personal, study
from pixquery.trainer.learning.competition import columns_of, compete, counts, encoded
from pixquery.trainer.learning.contenders import Contender, contenders
from pixquery.trainer.learning.course import CONTENDER, Course, photo_files
from pixquery.trainer.learning.deploy import copy_encoders, deploy
from pixquery.trainer.learning.judged import Judged, judged_by_user
from pixquery.trainer.learning.landmarks import fit_landmarks
from pixquery.trainer.learning.learned import Learned
from pixquery.trainer.learning.ratings import Rating, read_ratings
from pixquery.trainer.learning.rerank import Search
from pixquery.trainer.learning.scales import scale_of
from pixquery.trainer.learning.stop_words import kept_pairs


def from_ratings(
    course: Course, file: Path, folder: Path
) -> tuple[dict[str, Any], dict[str, Path]]:
    """Trains on a user's ratings and writes the profile's files to ``folder``.

    Returns:
        The report, but for what `train` adds, and no photos: nothing is asked.

    Raises:
        BadData: The file is missing or malformed, or there are too few ratings to learn from.
    """
    options, profile = course.options, course.profile
    ratings = read_ratings(file, options.scale)
    unreadable: list[Path] = []
    if is_log(file):
        ratings, unreadable = _of_readable_photos(course, file.parent, ratings)
    scale = options.scale or scale_of(rating.rating for rating in ratings)
    pairs = judged_by_user(ratings, options.aggregation, scale)
    policy = Policy.load(SHIPPED)
    kept, dropped = kept_pairs(pairs, [], policy, options.stop_words)
    study.check_groups(pairs.keep(kept))
    photos, photo_of = photo_files(file.parent, pairs.images)
    competitors = _competitors(course, pairs.keep(kept))
    course.total = len(photos) + CONTENDER * len(competitors)
    raw_photos = course.encode(profile.images, photos)[photo_of]
    raw_texts = encoded(profile.texts, pairs.texts)
    alignment = profile.alignment
    no_texts, no_photos = raw_texts[:0], raw_photos[:0]
    learned = Learned(profile.texts, alignment, raw_texts, no_texts, no_texts, no_photos, [])
    relevance = profile.relevance
    landmarks = _landmarks(relevance, learned, raw_photos, options.seed)
    columns = columns_of(alignment, landmarks, raw_texts, raw_photos)
    if relevance is None or options.asked:
        outcome = compete(course, pairs, kept, columns, competitors)
        copy_encoders(profile, folder)
        shutil.copyfile(
            profile.folder / profile.manifest["alignment"], folder / profile.manifest["alignment"]
        )
        no_queries = Search([], np.empty(0, np.int64), no_photos, [])
        written = deploy(course, folder, outcome, landmarks, learned, no_queries).report
    else:
        earlier = personal.earlier_of(relevance, alignment.dimension)
        features = earlier.columns(
            Vectors(alignment.texts(raw_texts), lambda: raw_texts),
            Vectors(alignment.images(raw_photos), lambda: alignment.completed(raw_photos)),
        )
        columns[personal.PERSONAL] = features
        personal.refuse_reversed(features[kept], pairs.keep(kept))
        choice = personal.Choice(features[kept], options.seed)
        competitors += personal.personal_contenders(earlier, int(kept.sum()))
        outcome = compete(course, pairs, kept, columns, competitors, choice)
        written = personal.write_personal(profile, folder, outcome, earlier, choice)
    course.finish()
    report = {
        "pairs": counts(pairs.keep(kept)),
        "dropped": dropped,
        **outcome.report,
        **written,
        "alignment": None,
        "judges": _judges(ratings),
        **({"unreadable": list(map(str, unreadable))} if unreadable else {}),
        "scale": {"lowest": scale[0], "highest": scale[1], "found": options.scale is None},
    }
    return report, {}


def _competitors(course: Course, pairs: Judged) -> list[Contender]:
    seed, quick = course.options.seed, course.options.quick
    if quick or len(pairs.images) < personal.FEW:
        return personal.light_contenders(pairs, seed=seed)
    return contenders(pairs, seed=seed)


def _landmarks(
    relevance: Relevance | None, learned: Learned, raw_photos: Floats, seed: int
) -> Landmarks:
    """The profile's, if it has a regressor."""
    if relevance is not None:
        return relevance.landmarks
    return fit_landmarks(learned, raw_photos, seed=seed)


def _of_readable_photos(
    course: Course, folder: Path, ratings: Sequence[Rating]
) -> tuple[list[Rating], list[Path]]:
    """The ratings without those of photos that were damaged since they were judged, and these.

    Whoever judged photos in a library did not choose them one by one, as for a file.
    """
    size, unreadable = course.profile.images.size, []
    for image in sorted({rating.image for rating in ratings}):
        try:
            course.load(folder / image, size, None)
        except UnreadableImage:
            unreadable.append(folder / image)
    left = [rating for rating in ratings if folder / rating.image not in unreadable]
    if not left:
        raise BadData(f"none of the photos that are judged in {folder} can be read")
    return left, unreadable


def _judges(ratings: Sequence[Rating]) -> str:
    """Who judged: the user, or so many people."""
    workers = {rating.worker for rating in ratings}
    return "you" if len(workers) == 1 else f"{len(workers)} people"
