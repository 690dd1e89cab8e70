"""The scale of ratings, found from their values."""

import pytest

from pixquery.db.errors import BadData
from pixquery.trainer.learning.scales import scale_of


@pytest.mark.parametrize(
    ("ratings", "scale"),
    [
        ([0, 1, 1], (0, 1)),
        ([0.25, 0.5], (0, 1)),
        ([1], (0, 1)),
        ([-1, 1, 0], (-1, 1)),
        ([1, 4, 2], (1, 4)),
        ([5, 1, 4.5], (1, 5)),
        ([0, 5], (0, 5)),
        ([1, 10, 7], (1, 10)),
        ([0, 62, 100], (0, 100)),
    ],
)
def test_both_ends_show_the_scale(ratings: list[float], scale: tuple[float, float]) -> None:
    assert scale_of(ratings) == scale


@pytest.mark.parametrize(
    ("ratings", "shown"),
    [
        ([2, 3, 4], "(2, 3, 4)"),
        ([1, 2, 3], "(1, 2, 3)"),  # perhaps of five
        ([1, 2], "(1, 2)"),
        ([0, 1, 2], "(0, 1, 2)"),
        ([1, 5, 55], "(1, 5, 55)"),  # a slip of the finger
        ([-3, 1], "(-3, 1)"),
        ([n / 2 for n in range(3, 30)], "(1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5 ... 14.5)"),
    ],
)
def test_a_part_of_a_scale_is_not_guessed_at(ratings: list[float], shown: str) -> None:
    with pytest.raises(BadData) as error:
        scale_of(ratings)
    assert shown in str(error.value)
    assert "--scale 1..5" in str(error.value)
