"""Trains a profile, from captions and ratings or from a user's own ratings.

The profile is made beside its destination and moved there when it is complete, so that an
interrupted run leaves nothing half done.
"""

from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from pixquery.db.errors import BadData
from pixquery.engine.alteration import Load
from pixquery.engine.profile import Profile
from pixquery.engine.ratings_file import JUDGEMENTS, is_log
from pixquery.trainer.learning.answered import thumbnails
from pixquery.trainer.learning.course import Course
from pixquery.trainer.learning.from_captions import from_captions
from pixquery.trainer.learning.from_ratings import from_ratings
from pixquery.trainer.learning.options import Options
from pixquery.trainer.learning.origin import name_for, sign
from pixquery.trainer.learning.report import write_report
from pixquery.trainer.learning.stop_words import STOP_WORDS
from pixquery.trainer.profile_folder import moved_when_done


def train(
    data: Path, out: Path, profile: Profile, load: Load, options: Options | None = None
) -> dict[str, Any]:
    """Trains a profile and writes it with a report.

    Args:
        data: A folder with ``captions_train.csv``, ``captions_rated.csv``,
            ``ExpertAnnotations.tsv``, ``images/train`` and ``images/rated``, and optionally
            ``CrowdAnnotations.tsv``, ``captions_dev.csv`` and ``images/dev``. Or one with
            ``train_dataset.csv``, ``ExpertAnnotations.tsv`` and ``train_images``, and optionally
            ``CrowdAnnotations.tsv``, ``test_queries.csv`` and ``test_images``. Or a CSV of a
            user's own ratings: then encoders and alignment stay as they are.
        out: Where the new profile is written, with ``report.html`` and ``report.json``.
        profile: Its encoders are the starting point.
        load: Reads a photo.
        options: How to train; the defaults when None.

    Returns:
        The report; ``docs/relevance.md`` explains its parts.

    Raises:
        BadData: A file is missing or malformed, or there are too few ratings to learn from.
        ProfileUntrained: The profile has no alignment to keep.
    """
    begin = perf_counter()
    options = options or Options()
    if options.stop_words not in STOP_WORDS:
        raise BadData(
            f"stop words must be one of {', '.join(STOP_WORDS)}, not {options.stop_words!r}"
        )
    if options.keep_alignment is False and not data.is_dir():
        raise BadData(
            f"an alignment is learned from a folder of judgements, and {data} is none: leave out "
            "`--alignment learn`"
        )
    if options.quick:
        epochs = -(-options.alignment.epochs // 2)
        options = replace(options, alignment=replace(options.alignment, epochs=epochs))
    name = name_for(out, options.name)
    course = Course(profile, load, options)
    with moved_when_done(out) as folder:
        learn = from_captions if data.is_dir() else from_ratings
        found, photos = learn(course, data, folder)
        report = {
            "profile": name,
            "from": profile.name,
            "out": str(out),
            "seed": options.seed,
            **found,
        }
        pairs = report["pairs"]
        report.setdefault("judges", "experts and a crowd" if pairs["crowd"] else "experts")
        trained = {
            "from": profile.name,
            "pairs": pairs["expert"] + pairs["crowd"] - pairs["both"],
            "judges": report["judges"],
            **({"source": JUDGEMENTS, "base": profile.reference} if is_log(data) else {}),
            **({"asked": report["why"]} if options.asked else {}),
        }
        sign(folder, name, trained)
        report["seconds"] = round(perf_counter() - begin, 1)
        pictures = thumbnails(report.get("answers", ()), photos, options.thumbnail)
        write_report(folder, report, pictures)
    return report
