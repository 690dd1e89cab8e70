"""From a user's own ratings to a profile: encoders and alignment stay as they are."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from pixquery.engine.policy import SHIPPED, Policy
from pixquery.trainer.learning import study
from pixquery.trainer.learning.competition import columns_of, compete, counts, encoded
from pixquery.trainer.learning.course import CONTENDER, Course, photo_files
from pixquery.trainer.learning.deploy import copy_encoders, deploy
from pixquery.trainer.learning.judged import judged_by_user
from pixquery.trainer.learning.landmarks import fit_landmarks
from pixquery.trainer.learning.learned import Learned
from pixquery.trainer.learning.ratings import read_ratings
from pixquery.trainer.learning.rerank import Search
from pixquery.trainer.learning.stop_words import kept_pairs


def from_ratings(course: Course, file: Path, folder: Path) -> dict[str, Any]:
    """Trains on a user's ratings and writes the profile's files to ``folder``.

    Returns:
        The report, but for what `train` adds.

    Raises:
        BadData: The file is missing or malformed, or there are too few ratings to learn from.
    """
    options, profile = course.options, course.profile
    ratings = read_ratings(file, options.scale)
    pairs = judged_by_user(ratings, options.aggregation, options.scale)
    policy = Policy.load(SHIPPED)
    kept, dropped = kept_pairs(pairs, [], policy, options.stop_words)
    study.check_groups(pairs.keep(kept))
    photos, photo_of = photo_files(file.parent, pairs.images)
    course.total = len(photos) + CONTENDER * 12
    raw_photos = course.encode(profile.images, photos)[photo_of]
    raw_texts = encoded(profile.texts, pairs.texts)
    alignment = profile.alignment
    no_texts, no_photos = raw_texts[:0], raw_photos[:0]
    learned = Learned(profile.texts, alignment, raw_texts, no_texts, no_texts, no_photos, [])
    if profile.relevance is not None:
        landmarks = profile.relevance.landmarks
    else:
        landmarks = fit_landmarks(learned, raw_photos, seed=options.seed)
    outcome = compete(course, pairs, kept, columns_of(alignment, landmarks, raw_texts, raw_photos))
    copy_encoders(profile, folder)
    shutil.copyfile(
        profile.folder / profile.manifest["alignment"], folder / profile.manifest["alignment"]
    )
    no_queries = Search([], np.empty(0, np.int64), no_photos)
    reranking = deploy(course, folder, outcome, landmarks, learned, no_queries)
    course.finish()
    return {
        "pairs": counts(pairs.keep(kept)),
        "dropped": dropped,
        **outcome.report,
        **reranking,
        "alignment": None,
    }
