"""What is searched for what people type."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pixquery.engine.phrasing import Phrase, caption_of, phrase

SEARCHED = [  # what is typed, what photos should show, its singular, what they should not show
    # names of things
    ("dog", "dog", "", ()),
    ("a dog", "dog", "", ()),
    ("The dog", "dog", "", ()),
    ("my dog", "dog", "", ()),
    ("an old red car", "old red car", "", ()),
    ("great white shark", "great white shark", "", ()),
    ("dogs", "dogs", "dog", ()),
    ("Dogs", "Dogs", "dog", ()),
    ("red cars", "red cars", "red car", ()),
    ("some cherries", "cherries", "cherry", ()),
    ("children", "children", "child", ()),
    ("two dogs", "two dogs", "", ()),
    ("dogs and cats", "dogs and cats", "", ()),
    ("sunglasses", "sunglasses", "", ()),
    ("Los Angeles", "Los Angeles", "", ()),
    # what is said to the program
    ("my photos of dogs", "dogs", "dog", ()),
    ("photos of my dog", "dog", "", ()),
    ("Photo of a zebra!", "zebra", "", ()),
    ("a photo of a man on a bicycle", "a man on a bicycle", "", ()),
    ("pictures with a red car", "red car", "", ()),
    ("pics of sunsets", "sunsets", "sunset", ()),
    ("images from Paris", "Paris", "", ()),
    ("show me the beach", "beach", "", ()),
    ("find me all the images that contain a cat in it", "cat", "", ()),
    ("my pictures with a cat in them", "cat", "", ()),
    ("please show me all my pictures of trains", "trains", "train", ()),
    ("can you find a picture of a lighthouse, please?", "lighthouse", "", ()),
    ("I'm looking for a picture of my grandmother", "grandmother", "", ()),
    ("I would like to see lions", "lions", "lion", ()),
    ("do I have any pictures of sharks?", "sharks", "shark", ()),
    ("where is my dog?", "dog", "", ()),
    ("search for trains", "trains", "train", ()),
    ("all the photos of trains", "trains", "train", ()),
    ("everything with a bridge", "bridge", "", ()),
    ("my photos in Vienna", "in Vienna", "", ()),
    ("photos that I took of the sea", "sea", "", ()),
    ("dog photos", "dog", "", ()),
    ("wedding pictures", "wedding", "", ()),
    ('"a dog in the snow"', "a dog in the snow", "", ()),
    ("“cat”", "cat", "", ()),
    ("birds.", "birds", "bird", ()),
    # descriptions that look similar
    ("man taking photos", "man taking photos", "", ()),
    ("old photos", "old photos", "old photo", ()),
    ("picture frame", "picture frame", "", ()),
    ("a photo album", "photo album", "", ()),
    ("pictures on a wall", "pictures on a wall", "", ()),
    ("show jumping horse", "show jumping horse", "", ()),
    ("see through glass", "see through glass", "", ()),
    ("a table with a book on it", "a table with a book on it", "", ()),
    ("a dog barks", "a dog barks", "", ()),
    ("a man climbing", "a man climbing", "", ()),
    ("a dog runs in the snow", "a dog runs in the snow", "", ()),
    ("A dog runs in the snow .", "A dog runs in the snow .", "", ()),
    ("Two dogs play. ", "Two dogs play", "", ()),
    # what is not wanted
    ("beach without people", "beach", "", ("people",)),
    ("no people on the beach", "beach", "", ("people",)),
    ("nobody on the beach", "beach", "", ("people",)),
    ("a beach with no one", "beach", "", ("people",)),
    ("cars no people", "cars", "car", ("people",)),
    ("beach -people -dogs", "beach", "", ("people", "dogs")),
    ("city street, no cars, no people", "city street", "", ("cars", "people")),
    ("landscape without people or cars", "landscape", "", ("people", "cars")),
    ("street without cars at night", "street at night", "", ("cars",)),
    ("a dog without a leash", "dog", "", ("leash",)),
    ("forest but no snow", "forest", "", ("snow",)),
    ("dog not cat", "dog", "", ("cat",)),
    ("mountains minus snow", "mountains", "mountain", ("snow",)),
    ("my pictures of the sea without any boats", "sea", "", ("boats",)),
    ("photos without people", "photos", "", ("people",)),
    # what only looks like it
    ("no people", "no people", "", ()),
    ("no parking sign", "no parking sign", "", ()),
    ("a man with no shirt", "a man with no shirt", "", ()),
    ("a man wearing no shirt", "a man wearing no shirt", "", ()),
    ("a dog not on a leash", "a dog not on a leash", "", ()),
    ("man with no shirt on climbing rocks", "man with no shirt on climbing rocks", "", ()),
    ("three people stand, ready to ski, next to a no skiing sign",
     "three people stand, ready to ski, next to a no skiing sign", "", ()),
    ("A dog with no tail runs in the dirt", "A dog with no tail runs in the dirt", "", ()),
    ("portrait without people in the background", "portrait without people in the background",
     "", ()),
    # nothing to search for
    ("photos", "photos", "", ()),
    ("show me", "show me", "", ()),
    ("the", "the", "", ()),
    ("no", "no", "", ()),
    ("???", "???", "", ()),
    ("asdfgh qwerty", "asdfgh qwerty", "", ()),
    ("", "", "", ()),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "text", "also", "minus"), SEARCHED)
def test_what_is_searched(typed: str, text: str, also: str, minus: tuple[str, ...]) -> None:
    found = phrase(typed)
    assert (found.text, found.also, found.minus) == (text, also, minus)


@pytest.mark.parametrize("typed", ["a dog", "dogs", "birds.", '"cat"', "a man on a bicycle"])
def test_articles_signs_and_numbers_are_not_worth_a_word(typed: str) -> None:
    assert not phrase(typed).reworded


@pytest.mark.parametrize("typed", ["my photos of dogs", "beach without people", "all dogs"])
def test_other_changes_are(typed: str) -> None:
    assert phrase(typed).reworded


def test_in_words() -> None:
    assert str(phrase("my pictures of the beach without people or dogs")) == (
        "beach, without people or dogs"
    )
    assert str(phrase("my dogs")) == "dogs"


def test_what_is_not_wanted_can_stay_in_the_text() -> None:
    assert phrase("my photos of the beach without people", negation=False) == Phrase(
        "beach without people", reworded=True
    )


SOME_WORDS = """
    a an the my all photos photo of pictures with show me find please without no not but people
    dog dogs beach red cars on at in night it -people -dog and or , no one nobody where is i
    want like ? ! " ' “ ” « » man taking s - wedding glasses children x
"""
WORDS = st.lists(
    st.sampled_from(SOME_WORDS.split()),
    max_size=14,
).map(" ".join)
TYPED = st.one_of(WORDS, st.text(max_size=60), st.text("abno -,\"'?", max_size=40))


@given(TYPED)
@example("photos of photos of")
@example("my my my")
@example('"" \'"\'')
@settings(max_examples=600, deadline=None)
def test_any_text(typed: str) -> None:
    found = phrase(typed)
    assert bool(found.text) == bool(typed.split())
    assert all(thing.strip() == thing != "" for thing in found.minus)
    assert found == phrase(f"  {typed} ")  # space around it changes nothing


@given(TYPED)
@settings(max_examples=600, deadline=None)
def test_what_is_searched_is_searched_as_it_is(typed: str) -> None:
    once = phrase(typed)
    again = phrase(once.text, negation=not once.minus)
    assert again.text == once.text
    assert not again.reworded


@given(TYPED)
@settings(max_examples=600, deadline=None)
def test_no_word_comes_from_nowhere(typed: str) -> None:
    """Nothing is added, and what is dropped is said to the program or joins the parts."""
    found = phrase(typed)
    before = re.findall(r"\w+", typed)
    after = [word for text in (found.text, *found.minus) for word in re.findall(r"\w+", text)]
    added = [word for word in after if word not in before]
    assert set(added) <= {"no", "people"}  # "nobody" is "no people"
    dropped = {word.lower() for word in before} - {word.lower() for word in after}
    assert not dropped & {"dog", "dogs", "beach", "red", "cars", "night", "man", "taking", "x"}


@pytest.mark.parametrize("name", ["dog", "dogs", "red car", "two dogs", "people", "Los Angeles"])
def test_a_bare_name_has_a_caption(name: str) -> None:
    assert caption_of(name) == f"a photo of {name}"


@pytest.mark.parametrize(
    "text", ["", "a dog", "running", "the beach", "a dog barks", "a man on a bicycle in the rain"]
)
def test_other_texts_have_none(text: str) -> None:
    assert caption_of(text) == ""
