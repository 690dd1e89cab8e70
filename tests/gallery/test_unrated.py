"""The gallery of a library whose profile predicts no relevance."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.conftest import square
from tests.gallery.conftest import Open, accessible, library_of, needs_chromium, search, tiles

pytestmark = needs_chromium


@pytest.fixture
def likening(serve: Callable[[Path], str], unrated: Path, tmp_path: Path) -> str:
    """The address of a gallery of three photos."""
    for colour in ("red", "green", "blue"):
        square(tmp_path / "photos" / f"{colour}.png", colour, (240, 160))
    return serve(library_of(unrated, tmp_path / "library", tmp_path / "photos"))


def test_photos_have_a_likeness_and_there_is_no_filter_by_relevance(
    visit: Open, likening: str
) -> None:
    page = visit(likening)
    search(page, "red", "red.png")
    expect(page.locator("#summary")).to_contain_text("3 photos, most similar first")
    expect(tiles(page).first).to_have_text("likeness 1.00")
    page.get_by_role("button", name="Filters").click()
    expect(page.get_by_label("Minimum width in pixels")).to_be_visible()
    expect(page.get_by_label("How well it fits")).to_be_hidden()
    accessible(page)


def test_an_address_with_that_filter_is_refused(visit: Open, likening: str) -> None:
    page = visit(f"{likening}?q=red&min_relevance=0.5", refused=(422,))
    expect(page.get_by_text("The profile unrated predicts no relevance")).to_be_visible()
    page.get_by_role("button", name="Remove all filters").click()
    expect(tiles(page)).to_have_count(3)


def test_a_search_that_nothing_fits_says_so(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=red")
    expect(page.locator("#summary")).to_have_text("60 photos, best first")
    page.get_by_role("searchbox").fill("asdfgh qwerty")
    expect(page.locator("#summary")).to_have_text("Nothing fits well. 60 photos, best first")
