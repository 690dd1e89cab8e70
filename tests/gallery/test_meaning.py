"""How the gallery shows what was searched, typing errors and other languages."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.conftest import square
from tests.gallery.conftest import (
    NARROW,
    Open,
    accessible,
    first,
    library_of,
    needs_chromium,
    search,
)

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def speaking(
    serve: Callable[[Path], str], english: Path, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The address of a gallery whose profile understands English."""
    folder = tmp_path_factory.mktemp("speaking")
    for colour in ("red", "green", "blue", "yellow", "magenta"):
        square(folder / "photos" / f"{colour}.png", colour, (300, 200))
    return serve(library_of(english, folder / "library", folder / "photos"))


def meaning(page: Page) -> Locator:
    return page.locator("#meaning")


def test_what_was_searched_is_shown_and_can_be_taken_back(visit: Open, speaking: str) -> None:
    page = visit(speaking)
    search(page, "my photos of red without blue", "red.png")
    expect(meaning(page)).to_contain_text("Searching for red, without blue.")
    expect(meaning(page)).to_contain_text("relevance is only predicted for a single description")
    expect(page.locator("#summary")).to_contain_text("most similar first")
    expect(page.locator("#announcement")).to_contain_text("understood as red, without blue")
    accessible(page)
    meaning(page).get_by_role("button", name="Search for exactly what I typed").click()
    expect(page).to_have_url(f"{speaking}?q=my+photos+of+red+without+blue&exact=true")
    expect(meaning(page)).to_be_hidden()
    expect(page.locator("#summary")).to_contain_text("best first")  # by relevance
    page.get_by_role("button", name="Remove: word for word").click()
    expect(meaning(page)).to_contain_text("Searching for red, without blue.")
    page.go_back()
    expect(meaning(page)).to_be_hidden()
    page.reload()
    expect(page.locator("#summary")).to_contain_text("best first")
    expect(page.get_by_role("button", name="Remove: word for word")).to_be_visible()


def test_new_words_are_not_taken_word_for_word(visit: Open, speaking: str) -> None:
    page = visit(f"{speaking}?q=red&exact=true")
    first(page, "red.png")
    search(page, "photos of green", "green.png")
    expect(page).to_have_url(f"{speaking}?q=photos+of+green")
    expect(meaning(page)).to_contain_text("Searching for green.")


def test_a_typing_error_gets_a_link(visit: Open, speaking: str) -> None:
    page = visit(speaking, viewport=NARROW)
    page.get_by_role("searchbox").fill("yelolw")
    expect(meaning(page)).to_have_text("Did you mean yellow?")
    accessible(page)
    meaning(page).get_by_role("button", name="yellow").click()
    first(page, "yellow.png")
    expect(page.get_by_role("searchbox")).to_have_value("yellow")
    expect(meaning(page)).to_be_hidden()


def test_half_a_word_is_no_error(visit: Open, speaking: str) -> None:
    page = visit(speaking)
    with page.expect_response("**/api/search?q=yello&*") as answered:
        page.get_by_role("searchbox").fill("yello")
    assert answered.value.json()["suggestions"] == ["yellow"]
    expect(page.locator("#announcement")).to_contain_text("shown for yello")
    expect(meaning(page)).to_be_hidden()


def test_another_language_gets_a_hint(visit: Open, speaking: str) -> None:
    page = visit(speaking)
    page.get_by_role("searchbox").fill("ein Hund im Schnee")
    expect(meaning(page)).to_contain_text("this looks like German")
    expect(meaning(page).locator("code")).to_have_text("pixquery models list")
    accessible(page)
    search(page, "red", "red.png")
    expect(meaning(page)).to_be_hidden()


def test_ordinary_words_say_nothing(visit: Open, speaking: str) -> None:
    page = visit(speaking)
    for text in ("red", "a green", "the blue"):
        search(page, text, f"{text.split()[-1]}.png")
        expect(meaning(page)).to_be_hidden()
