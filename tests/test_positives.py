"""What alignments can be learned from, among ratings."""

import numpy as np
import pytest

from pixquery.db.errors import BadData
from pixquery.trainer.learning.captions import Caption
from pixquery.trainer.learning.judged import judged
from pixquery.trainer.learning.positives import check_positives, positives
from pixquery.trainer.learning.ratings import CrowdRating, ExpertRating
from tests.rated import CAPTIONS


def test_own_captions_and_what_experts_judged_well_count() -> None:
    experts = [
        ExpertRating("a", "b#0", (3, 3, 4)),  # 10 / 3
        ExpertRating("a", "c#1", (3, 3, 3)),
        ExpertRating("b", "b#0", (1, 1, 1)),  # its own caption, whoever doubts it
        ExpertRating("b", "c#1", (4, 4, 4)),
    ]
    crowd = [CrowdRating("c", "a#0", 1.0, 3, 0), CrowdRating("a", "c#1", 1.0, 3, 0)]
    found = positives(judged(experts, crowd, CAPTIONS), [CAPTIONS[1]])
    assert [(each.image, each.text) for each in found] == [
        ("b", "a bee"), ("a", "a bee"), ("b", "sea"),
    ]  # fmt: skip
    np.testing.assert_allclose([each.weight for each in found], [1, 7 / 9, 1])
    # A fold must keep texts apart by the photo that they were written for.
    assert [each.id.partition("#")[0] for each in found] == ["b", "b", "c"]


def test_photos_are_counted_not_texts() -> None:
    texts = [Caption(f"{n % 7}#{n}", str(n % 7), f"text {n}") for n in range(70)]
    with pytest.raises(BadData, match="only 7 photos have a text that describes them"):
        check_positives(texts)
    check_positives([*texts, Caption("7#0", "7", "one more")])
