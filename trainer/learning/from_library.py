"""Trains on the judgements that were given in a library, without a word about files.

Every training learns from all judgements anew. So it begins with the profile that the library had
before it learned from any: otherwise the earlier ones would count twice.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixquery.db.errors import BadData, ProfileError
from pixquery.db.quoting import quoted
from pixquery.engine.adoption import same_vectors
from pixquery.engine.judging import readiness
from pixquery.engine.library import Library
from pixquery.engine.profile import Profile, load_profile, profiles_folder
from pixquery.engine.ratings_file import JUDGEMENTS, Judgements, RatingsFile
from pixquery.trainer.measuring.tables import is_file


@dataclass(frozen=True, slots=True)
class Judged:
    """The judgements of a library, and what training on them begins with."""

    file: Path
    judgements: Judgements
    gone: int
    """Judgements of photos that are not there any more."""
    profile: Profile


def judged_in(library: Library) -> Judged:
    """What to train a library's relevance on.

    Raises:
        BadData: There are too few judgements to learn anything; the message says what is missing.
        StorageFailed: They cannot be read.
    """
    file = RatingsFile(library.folder)
    judgements = file.read()
    there = [one for one in judgements.counting if is_file(Path(one.image))]
    lacking = readiness(Judgements(tuple(there))).lacking
    if lacking:
        raise BadData(
            f"the judgements in {file.file} are too few to learn from ({lacking}): judge photos "
            f"with `pixquery judge --library {quoted(library.folder)}`"
        )
    gone = len(judgements.counting) - len(there)
    return Judged(file.file, judgements, gone, base_of(library.profile))


def base_of(profile: Profile) -> Profile:
    """The profile before it learned from a library's judgements.

    It is the profile itself if it did not, or if the earlier one is gone.
    """
    base, seen = profile, set()
    while (trained := base.manifest.get("trained", {})).get("source") == JUDGEMENTS:
        seen.add(base.reference)
        try:
            earlier = load_profile(str(trained["base"]), profile.quality)
        except ProfileError:
            break
        if earlier.reference in seen or not same_vectors(earlier, profile):
            break
        base = earlier
    return load_profile(base.reference, profile.quality)


def place_for(profile: Profile) -> Path:
    """A new folder among the user's profiles, named after the one that training begins with."""
    name = f"{Path(profile.reference).name}-judged"
    number = 1
    while (folder := profiles_folder() / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return folder


def drop_if_useless(found: Mapping[str, Any], out: Path) -> bool:
    """Deletes a profile that changes nothing; whether it did."""
    if found["deployed"] and not found.get("kept"):
        return False
    shutil.rmtree(out, ignore_errors=True)
    return True
