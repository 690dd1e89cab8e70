"""The singular of plurals, and texts that have none."""

import pytest

from pixquery.engine.plurals import regular, singular

PLURALS = {
    "cat": "cats", "bus": "buses", "dress": "dresses", "fox": "foxes", "beach": "beaches",
    "dish": "dishes", "cherry": "cherries", "toy": "toys", "tomato": "tomatoes", "knife": "knives",
    "house": "houses", "horse": "horses", "bike": "bikes", "sledge": "sledges", "shoe": "shoes",
    "cookie": "cookies", "woman": "women", "goose": "geese", "box": "boxes", "red car": "red cars",
    "hot air balloon": "hot air balloons",
}  # fmt: skip


@pytest.mark.parametrize("one", PLURALS)
def test_plurals_have_their_singular(one: str) -> None:
    assert singular(PLURALS[one]) == one


@pytest.mark.parametrize("one", PLURALS)
def test_a_singular_has_none(one: str) -> None:
    assert singular(one) == ""


@pytest.mark.parametrize(
    "text",
    ["glasses", "scissors", "jeans", "fireworks", "tennis", "grass", "cactus", "Paris", "texas",
     "San Marcos", "dogs and cats", "two dogs", "man in shorts", "boeing 747s", "people", "yes"],
)  # fmt: skip
def test_these_stay_as_they_are(text: str) -> None:
    assert singular(text) == ""


def test_a_regular_plural_ends_in_s() -> None:
    assert regular("barks") == "bark"
    assert regular("moss") == regular("men") == regular("iris") == ""
