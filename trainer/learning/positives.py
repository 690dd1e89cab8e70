"""Texts that describe their photo, by the ratings: positives to learn an alignment from."""

from collections.abc import Sequence

import numpy as np

from pixquery.db.errors import BadData
from pixquery.trainer.learning.aggregation import aggregate
from pixquery.trainer.learning.captions import Caption
from pixquery.trainer.learning.judged import Judged

LEAST_GRADE = 2.3 / 3
"""The experts' mean from which on a text describes a photo, in [0, 1]: 3.3 of 4."""
LEAST_PHOTOS = 8
"""Of how many photos there must be positives."""
LEAST_IN_FOLD = 3
"""Of how many photos there must be positives without those of a fold."""


def positives(pairs: Judged, own: Sequence[Caption]) -> list[Caption]:
    """The pairs to learn an alignment from: own captions, and what experts judged so.

    A crowd's votes are left out: mapped to the experts' scale they are too high (see `fused`), and
    with them an alignment finds less.

    Args:
        pairs: All rated pairs.
        own: Texts, each with the photo that it was written for.

    Returns:
        Own captions with a weight of 1, then other pairs with their grade as weight.
    """
    found = {(caption.image, caption.text): caption for caption in own}
    grades = aggregate(pairs.grades, "mean")
    for row in np.flatnonzero(pairs.expert & (np.nan_to_num(grades) >= LEAST_GRADE)):
        image, text, source = pairs.images[row], pairs.texts[row], pairs.sources[row]
        found.setdefault((image, text), Caption(source, image, text, float(grades[row])))
    return list(found.values())


def check_positives(captions: Sequence[Caption], least: int = LEAST_PHOTOS) -> None:
    """Refuses too few positives.

    Raises:
        BadData: They are of fewer than ``least`` photos.
    """
    photos = len({caption.image for caption in captions})
    if photos < least:
        where = "" if least == LEAST_PHOTOS else ", when those of a fold are held out"
        raise BadData(
            f"only {photos} photos have a text that describes them (an own caption, or one that "
            f"experts judged 3.3 or more of 4 on average){where}, and learning an alignment takes "
            f"{least}: rate more photos, or start from a profile that has an alignment"
        )
