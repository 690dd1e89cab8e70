"""From captions and ratings to a profile, in one straight line.

Read everything and refuse what is wrong, encode, fine-tune the text encoder, fit the alignment, let
regressors compete on pairs they have not seen, deploy the winner.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pixquery.engine.policy import SHIPPED, Policy
from pixquery.engine.profile import Profile
from pixquery.trainer.learning import study
from pixquery.trainer.learning.captions import Caption, read_captions
from pixquery.trainer.learning.competition import columns_of, compete, counts, encoded
from pixquery.trainer.learning.course import CONTENDER, EPOCH, STEP, Course, photo_files
from pixquery.trainer.learning.deploy import copy_encoders, deploy
from pixquery.trainer.learning.judged import Judged, judged
from pixquery.trainer.learning.landmarks import fit_landmarks
from pixquery.trainer.learning.learned import Learned, better_space, is_fine_tuned, learn
from pixquery.trainer.learning.ratings import read_crowd_ratings, read_expert_ratings
from pixquery.trainer.learning.rerank import Search, means
from pixquery.trainer.learning.stop_words import kept_pairs
from pixquery.trainer.learning.views import encoded_views, views_of


def from_captions(course: Course, data: Path, folder: Path) -> dict[str, Any]:
    """Trains on a folder of captions and ratings and writes the profile's files to ``folder``.

    Returns:
        The report, but for what `train` adds.

    Raises:
        BadData: A file is missing or malformed, or there are too few ratings to learn from.
    """
    options, profile = course.options, course.profile
    captions = read_captions(data / "captions_train.csv")
    pairs = _judged(data)
    policy = Policy.load(SHIPPED)
    kept, dropped = kept_pairs(pairs, captions, policy, options.stop_words)
    study.check_groups(pairs.keep(kept))
    if options.stop_words == "all":
        captions = [caption for caption in captions if not policy.matches(caption.text)]
    dev = read_captions(data / "captions_dev.csv") if (data / "captions_dev.csv").exists() else []
    photos, photo_of = photo_files(data / "images" / "train", [c.image for c in captions])
    rated, rated_of = photo_files(data / "images" / "rated", pairs.images)
    dev_photos, dev_photo_of = photo_files(data / "images" / "dev", [c.image for c in dev])
    planned = views_of(profile, quick=options.quick)
    to_encode = len(planned) * len(photos) + len(rated) + len(dev_photos)
    course.total = _work(course, captions, to_encode)
    views = encoded_views(course, planned, photos)
    rated_raw = course.encode(profile.images, rated)[rated_of]
    dev_raw = course.encode(profile.images, dev_photos)
    copy_encoders(profile, folder)
    dev_texts = [caption.text for caption in dev]
    search = Search(dev_texts, dev_photo_of, dev_raw)
    learned = learn(course, folder, captions, views, photo_of)
    if "joint" in profile.manifest and search.queries:
        learned = better_space(profile, folder, learned, search)
    landmarks = fit_landmarks(learned, views[0], seed=options.seed)
    columns = columns_of(
        learned.alignment, landmarks, encoded(learned.texts, pairs.texts), rated_raw
    )
    outcome = compete(course, pairs, kept, columns)
    reranking = deploy(course, folder, outcome, landmarks, learned, search)
    course.finish()
    return {
        "pairs": counts(pairs.keep(kept)),
        "dropped": dropped,
        **outcome.report,
        **reranking,
        "alignment": _gained(search, profile, learned),
    }


def _judged(data: Path) -> Judged:
    crowd = data / "CrowdAnnotations.tsv"
    return judged(
        read_expert_ratings(data / "ExpertAnnotations.tsv"),
        read_crowd_ratings(crowd) if crowd.exists() else [],
        read_captions(data / "captions_rated.csv"),
    )


def _work(course: Course, captions: Sequence[Caption], encoded: int) -> int:
    """About how long training takes, in photos encoded."""
    options = course.options
    fine_tuned = is_fine_tuned(course.profile, options)
    steps = options.text.epochs * (len(captions) // min(options.text.batch, len(captions)))
    members = 1 if fine_tuned else options.alignment.members
    return (
        encoded
        + (STEP * steps if fine_tuned else 0)
        + EPOCH * members * options.alignment.epochs
        + CONTENDER * 15
    )


def _gained(search: Search, profile: Profile, learned: Learned) -> dict[str, Any] | None:
    """What a search by similarity finds, before training and after."""
    if not search.queries:
        return None
    queries = learned.texts.encode(search.queries)
    after = means(search.ranks(learned.alignment, queries, None))
    before = None
    if "alignment" in profile.manifest:
        before = means(search.ranks(profile.alignment, profile.texts.encode(search.queries), None))
    recalls = {name: value for name, value in after.items() if name.startswith("recall")}
    return {**recalls, "split": "dev", "curve": learned.curve, "before": before, "after": after}
