"""The keys of the page: from the field to the photos, and the list of keys."""

import pytest
from playwright.sync_api import expect

from tests.gallery.conftest import Open, accessible, first, tiles


def test_arrow_down_leads_from_the_field_to_the_photos(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=green")
    first(page, "green.png")
    page.get_by_role("searchbox").focus()
    page.keyboard.press("ArrowDown")
    expect(tiles(page).first.get_by_role("link")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(tiles(page).nth(1).get_by_role("link")).to_be_focused()
    page.keyboard.press("Home")
    expect(tiles(page).first.get_by_role("link")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_keys_are_listed(scheme: str, visit: Open, gallery: str) -> None:
    page = visit(gallery, color_scheme=scheme)
    keys = page.get_by_role("dialog", name="Keys")
    page.locator("#summary").focus()
    page.keyboard.press("?")
    expect(keys).to_be_visible()
    expect(keys).to_contain_text("Go to the search field")
    accessible(page)
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.get_by_role("button", name="Keys").click()
    expect(keys).to_be_visible()
    keys.get_by_role("button", name="Close the list of keys").click()
    expect(keys).to_be_hidden()


def test_a_question_mark_in_the_field_is_text(visit: Open, gallery: str) -> None:
    page = visit(gallery)
    page.get_by_role("searchbox").press_sequentially("red?")
    expect(page.get_by_role("searchbox")).to_have_value("red?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
