"""From a folder of judgements to a profile, in one straight line.

Read everything and refuse what is wrong, encode, fine-tune the text encoder, fit the alignment, let
regressors compete on pairs they have not seen, deploy the winner. A folder without captions of
further photos keeps the profile's alignment, or learns one from the rated pairs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pixquery.db.errors import ProfileUntrained
from pixquery.db.records import Floats
from pixquery.engine.encoders import TextEncoder
from pixquery.engine.features import Landmarks
from pixquery.engine.policy import SHIPPED, Policy
from pixquery.engine.profile import Profile
from pixquery.trainer.learning import answered, study
from pixquery.trainer.learning.captions import Caption
from pixquery.trainer.learning.competition import compete, counts, encoded
from pixquery.trainer.learning.course import CONTENDER, EPOCH, STEP, Course, photo_files
from pixquery.trainer.learning.datasets import CAPTIONED, DataSet, read_dataset
from pixquery.trainer.learning.deploy import copy_encoders, deploy
from pixquery.trainer.learning.landmarks import fit_landmarks, landmarks_of
from pixquery.trainer.learning.learned import (
    Examples,
    Learned,
    better_space,
    is_fine_tuned,
    keep,
    learn,
    learn_from_few,
)
from pixquery.trainer.learning.out_of_fold import (
    EncodedOnce,
    Folds,
    Rated,
    columns_out_of_fold,
    folds_of,
)
from pixquery.trainer.learning.positives import check_positives
from pixquery.trainer.learning.rerank import MEASURES, Search, means
from pixquery.trainer.learning.stop_words import kept_pairs
from pixquery.trainer.learning.views import encoded_views, views_of

KEPT, BY_CAPTIONS, BY_RATINGS = "kept", "captions", "ratings"
"""Where the alignment comes from: the profile, captions of further photos, or the rated pairs."""


def from_captions(
    course: Course, data: Path, folder: Path
) -> tuple[dict[str, Any], dict[str, Path]]:
    """Trains on a folder of judgements and writes the profile's files to ``folder``.

    Returns:
        The report, but for what `train` adds, and the files of the photos that queries ask for.

    Raises:
        BadData: A file is missing or malformed, or there are too few ratings to learn from.
        ProfileUntrained: The profile has no alignment to keep.
    """
    options, profile = course.options, course.profile
    dataset = read_dataset(data, course.load)
    pairs, asked = dataset.pairs, dataset.queries
    source = _alignment_from(course, dataset)
    captions = [] if source == KEPT else dataset.captions
    policy = Policy.load(SHIPPED)
    kept, dropped = kept_pairs(pairs, captions, policy, options.stop_words)
    study.check_groups(pairs.keep(kept))
    if options.stop_words == "all":
        captions = [caption for caption in captions if not policy.matches(caption.text)]
    folds: Folds = []
    if source == BY_RATINGS:
        check_positives(captions)
        folds = list(folds_of(pairs, kept, captions, seed=options.seed))
    photos, photo_of = photo_files(dataset.captioned, [c.image for c in captions])
    rated, rated_of = photo_files(dataset.rated, pairs.images)
    names = [query.image for query in asked]
    asked_photos, asked_of = photo_files(dataset.asked, names)
    planned = views_of(profile, quick=options.quick) if captions else ()
    to_encode = len(planned) * len(photos) + len(rated) + len(asked_photos)
    course.total = to_encode + _work(course, captions, source, len(folds))
    course.total += CONTENDER * len(answered.rivals(options)) if asked else 0
    examples = Examples(captions, encoded_views(course, planned, photos), photo_of)
    rated_raw = course.encode(profile.images, rated)
    search = Search(
        [query.text for query in asked],
        asked_of,
        course.encode(profile.images, asked_photos),
        sorted(set(names)),
    )
    copy_encoders(profile, folder)

    def judged(texts: TextEncoder) -> Rated:
        return Rated(pairs, kept, encoded(texts, pairs.texts), rated_raw[rated_of])

    if source == KEPT:
        learned = keep(profile, folder, pairs.texts)
        landmarks = landmarks_of(profile, learned, rated_raw, seed=options.seed)
        columns = judged(learned.texts).columns(learned.alignment, landmarks)
    elif source == BY_RATINGS:
        texts = EncodedOnce(profile.texts)
        learned, landmarks, columns = _by_ratings(
            course, folder, examples, judged(texts), folds, search, texts
        )
    else:
        learned = learn(course, folder, captions, examples.views, photo_of)
        if "joint" in profile.manifest and search.queries:
            learned = better_space(profile, folder, learned, search)
        landmarks = fit_landmarks(learned, examples.views[0], seed=options.seed)
        columns = judged(learned.texts).columns(learned.alignment, landmarks)
    outcome = compete(course, pairs, kept, columns)
    deployment = deploy(course, folder, outcome, landmarks, learned, search)
    answers = answered.answers(course, deployment, learned, search, policy)
    course.finish()
    reranking = deployment.report["reranking"]
    report = {
        "layout": dataset.layout.name,
        "pairs": counts(pairs.keep(kept)),
        "dropped": dropped,
        "dropped_rows": dataset.dropped,
        **outcome.report,
        **deployment.report,
        "answers": answers,
        "alignment_from": {"source": source, "texts": len(captions), "photos": len(photos)},
        "alignment": _found(dataset.split, search, profile, learned, reranking, source),
    }
    return report, dict(zip(search.images, asked_photos, strict=True))


def _alignment_from(course: Course, dataset: DataSet) -> str:
    """Where the alignment will come from.

    Raises:
        ProfileUntrained: It is to be kept, and the profile has none.
    """
    profile, captioned = course.profile, dataset.layout is CAPTIONED
    has_one = "alignment" in profile.manifest
    keeping = course.options.keep_alignment
    if keeping and not has_one:
        raise ProfileUntrained(
            f"the profile {profile.reference} has no alignment to keep: train with "
            "`--alignment learn`, or choose another profile"
        )
    if keeping or (keeping is None and has_one and not captioned):
        return KEPT
    return BY_CAPTIONS if captioned else BY_RATINGS


def _by_ratings(
    course: Course,
    folder: Path,
    examples: Examples,
    rated: Rated,
    folds: Folds,
    search: Search,
    texts: EncodedOnce,
) -> tuple[Learned, Landmarks, dict[str, Floats]]:
    """Learns the alignment from rated pairs: it, its landmarks, and the features of the pairs."""
    profile, seed = course.profile, course.options.seed
    learned = learn_from_few(course, folder, examples, texts)
    learned = replace(learned, texts=profile.texts)
    better = learned
    if "joint" in profile.manifest and search.queries:
        better = better_space(profile, folder, learned, search)
    landmarks = fit_landmarks(better, examples.views[0], seed=seed)
    if better is learned:
        columns = columns_out_of_fold(course, rated, examples, learned, folds, texts)
    else:  # which has seen none of the pairs
        columns = rated.columns(better.alignment, landmarks)
    return better, landmarks, columns


def _work(course: Course, captions: Sequence[Caption], source: str, folds: int) -> int:
    """About how long training takes besides encoding photos, in photos encoded."""
    options = course.options
    if source != BY_CAPTIONS:
        return EPOCH * folds + CONTENDER * 15
    fine_tuned = is_fine_tuned(course.profile, options)
    steps = options.text.epochs * (len(captions) // min(options.text.batch, len(captions)))
    members = 1 if fine_tuned else options.alignment.members
    return (
        (STEP * steps if fine_tuned else 0)
        + EPOCH * members * options.alignment.epochs
        + CONTENDER * 15
    )


def _found(
    split: str,
    search: Search,
    profile: Profile,
    learned: Learned,
    reranking: Mapping[str, Any],
    source: str,
) -> dict[str, Any] | None:
    """What a search by similarity finds, before training and after, and what chance would."""
    if not search.queries:
        return None
    after = reranking["first_stage"]
    before = None
    if "alignment" in profile.manifest and source != KEPT:
        before = means(search.ranks(profile.alignment, profile.texts.encode(search.queries), None))
    recalls = {name: value for name, value in after.items() if name.startswith("recall")}
    return {
        **recalls,
        "split": split,
        "curve": learned.curve,
        "before": before,
        "after": after,
        "chance": _by_chance(len(search.raw)),
    }


def _by_chance(photos: int) -> dict[str, float]:
    """The recalls of a random order of n photos, one of which is right."""
    places = {name: int(name.partition("@")[2]) for name in MEASURES if name.startswith("recall")}
    return {name: round(min(1.0, k / photos), 4) for name, k in places.items()}
