"""Searching, filters, and photos to search by."""

import re

import pytest
from playwright.sync_api import (
    Route,
    expect,
)

from tests.gallery.conftest import (
    SHADES,
    Open,
    accessible,
    first,
    hand_over,
    names,
    needs_chromium,
    picture,
    search,
    tiles,
)

pytestmark = needs_chromium


def test_the_page_starts_with_the_newest_photos(visit: Open, gallery: str) -> None:
    page = visit(gallery)
    expect(page.locator("#summary")).to_have_text("60 photos, newest first")
    expect(tiles(page).first.locator("img")).to_have_js_property("complete", True)
    assert not page.locator("#photos .fit:visible").count()
    accessible(page)


def test_searching_while_typing(visit: Open, gallery: str) -> None:
    page = visit(gallery)
    expect(tiles(page).nth(1)).to_be_visible()
    page.get_by_role("searchbox").press_sequentially("red", delay=30)
    first(page, "red.jpg")
    expect(tiles(page).first).to_have_text("fits very well")
    expect(tiles(page).nth(1)).to_have_text("fits partly")
    expect(page).to_have_url(f"{gallery}?q=red")
    expect(page).to_have_title("red \N{EN DASH} pixquery")
    expect(page.locator("#announcement")).to_contain_text("60 photos shown for red")
    assert set(names(page)[1:]) >= {"black.jpg", "yellow.jpg", "magenta.tiff"}
    accessible(page)
    page.go_back()  # all keys typed in a row are one step of the history
    expect(page).to_have_url(gallery)
    expect(page.locator("#summary")).to_have_text("60 photos, newest first")
    page.go_forward()
    first(page, "red.jpg")
    expect(page.get_by_role("searchbox")).to_have_value("red")


def test_a_late_answer_is_dropped(visit: Open, gallery: str) -> None:
    page = visit(gallery)
    waiting: list[Route] = []
    dropped: list[str] = []
    page.route("**/api/search?q=red&*", lambda route: waiting.append(route))
    page.on("requestfailed", lambda request: dropped.append(request.url))
    with page.expect_request("**/api/search?q=red&*"):
        page.get_by_role("searchbox").fill("red")
    expect(page.locator("#busy")).to_be_visible()
    search(page, "green", "green.png")
    expect(page.locator("#busy")).to_be_hidden()
    assert [url for url in dropped if "q=red" in url]
    assert waiting


def test_words_typed_before_the_library_has_loaded_stay(visit: Open, gallery: str) -> None:
    page = visit(gallery)
    waiting: list[Route] = []
    page.route("**/api/library", lambda route: waiting.append(route))
    with page.expect_request("**/api/library"):
        page.reload()
    page.get_by_role("searchbox").press_sequentially("re")
    waiting[0].continue_()
    page.get_by_role("searchbox").press_sequentially("d")
    first(page, "red.jpg")
    expect(page.get_by_role("searchbox")).to_have_value("red")


def test_photos_that_stay_are_not_loaded_again(visit: Open, gallery: str) -> None:
    page = visit(gallery)
    search(page, "red", "red.jpg")
    tiles(page).first.evaluate("tile => { tile.id = 'known' }")
    search(page, "yellow", "yellow.jpg")
    expect(page.locator("#known").get_by_role("img")).to_have_attribute("alt", "red.jpg")


def test_less_of_something(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=yellow")
    first(page, "yellow.jpg")
    page.get_by_role("button", name="less of…").click()
    page.get_by_role("textbox", name="Less of").fill("green")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{gallery}?q=yellow&minus=green")
    expect(page.locator("#summary")).to_contain_text("Likeness does not say")
    accessible(page)
    page.get_by_role("button", name=re.compile("^less green: change")).click()
    expect(page).to_have_url(f"{gallery}?q=yellow&minus=green%3A2")
    first(page, "magenta.tiff")  # yellow contains green, and too much of it is subtracted
    page.get_by_role("button", name="Remove: much less green").click()
    first(page, "yellow.jpg")
    expect(page).to_have_url(f"{gallery}?q=yellow")


def test_a_search_that_the_policy_refuses(visit: Open, gallery: str) -> None:
    page = visit(gallery, refused=(403,))
    page.get_by_role("searchbox").fill("child")
    expect(page.get_by_role("alert")).to_contain_text("This search is not allowed")
    expect(tiles(page)).to_have_count(0)
    accessible(page)
    page.get_by_role("button", name="Start over").click()
    expect(page.locator("#summary")).to_have_text("60 photos, newest first")
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_filters_appear_as_chips(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=green")
    page.get_by_role("button", name="Filters", exact=True).click()
    panel = page.locator("#filters")
    expect(panel).to_be_visible()
    accessible(page)
    panel.get_by_role("radio", name="portrait").check()
    panel.locator("[name=root]").select_option(label="Colours (8)")
    expect(tiles(page)).to_have_count(1)
    first(page, "green.png")
    assert "orientation=portrait" in page.url
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(page.get_by_role("button", name="Filters, 2 in use")).to_be_visible()
    accessible(page)
    page.get_by_role("button", name="Remove: portrait").click()
    expect(tiles(page)).to_have_count(8)
    expect(page.get_by_role("button", name="Remove: in Colours")).to_be_focused()
    page.reload()
    expect(tiles(page)).to_have_count(8)
    expect(page.get_by_role("button", name="Remove: in Colours")).to_be_visible()


@pytest.mark.parametrize(
    ("address", "chip", "photos"),
    [
        ("taken=2021-05", "taken May 2021", {"red.jpg"}),
        ("camera=Canon", "Canon", {"red.jpg"}),
        ("format=PNG", "PNG", {"green.png"}),
        ("min_width=900", "at least 900 px wide", {"yellow.jpg", "white.jpg"}),
        ("near=48.2,16.4", "near 48.2, 16.4", {"red.jpg"}),
        ("path=*gre*", "path contains gre", {"green.png"}),
        ("q=red&min_relevance=0.45", "at least “fits”", {"red.jpg"}),
    ],
)
def test_every_filter_has_a_chip(
    visit: Open, gallery: str, address: str, chip: str, photos: set[str]
) -> None:
    page = visit(f"{gallery}?{address}")
    expect(tiles(page)).to_have_count(len(photos))
    assert set(names(page)) == photos
    page.get_by_role("button", name=f"Remove: {chip}").click()
    expect(page.get_by_role("button", name=f"Remove: {chip}")).to_have_count(0)
    expect(tiles(page).nth(len(photos))).to_be_attached()


def test_no_results_offer_to_remove_the_filters(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=red&camera=Leica")
    expect(page.get_by_role("heading", name="No photo matches these filters")).to_be_visible()
    accessible(page)
    page.get_by_role("button", name="Remove all filters").click()
    first(page, "red.jpg")
    expect(page).to_have_url(f"{gallery}?q=red")


def test_a_filter_that_makes_no_sense(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=red&taken=summer", refused=(422,))
    expect(page.get_by_role("alert")).to_contain_text("write 2023")
    page.get_by_role("button", name="Remove all filters").click()
    first(page, "red.jpg")


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_photo_of_the_users_own(visit: Open, gallery: str, event: str) -> None:
    page = visit(gallery)
    expect(tiles(page).first).to_be_visible()
    if event == "drop":
        hand_over(page, "dragenter", "mine.png", b"")
        expect(page.get_by_text("Drop to search by this photo")).to_be_visible()
    hand_over(page, event, "mine.png", picture("blue"))
    first(page, "blue.webp")
    expect(page.locator("#drop")).to_be_hidden()
    expect(page.locator("#summary")).to_contain_text("Likeness does not say")
    expect(page.locator(".chip.example")).to_contain_text("like mine.png")
    accessible(page)
    page.go_back()
    expect(page.locator("#summary")).to_have_text("60 photos, newest first")
    page.go_forward()
    first(page, "blue.webp")
    page.reload()  # the address cannot contain a photo
    expect(page.get_by_role("heading", name="“mine.png” was not kept")).to_be_visible()
    expect(page.locator("#summary")).to_have_text("60 photos, newest first")
    expect(page).to_have_url(gallery)
    accessible(page)


def test_a_chosen_photo_keeps_the_filters(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?orientation=landscape")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Search by photo").click()
    file = {"name": "sun.jpg", "mimeType": "image/jpeg", "buffer": picture("yellow", "JPEG")}
    chooser.value.set_files(file)  # type: ignore[arg-type]
    first(page, "yellow.jpg")
    assert "blue.webp" not in names(page)
    page.get_by_role("button", name="Remove: like sun.jpg").click()
    expect(page).to_have_url(f"{gallery}?orientation=landscape")


def test_a_file_that_is_not_a_photo(visit: Open, gallery: str) -> None:
    page = visit(gallery, refused=(415, 422))
    expect(tiles(page).first).to_be_visible()
    hand_over(page, "drop", "mine.png", b"no photo at all")
    expect(page.get_by_role("alert")).to_contain_text("Cannot search by this photo")
    expect(page.get_by_role("button", name="Choose another photo")).to_be_visible()
    accessible(page)
    page.get_by_role("button", name="Remove: like mine.png").click()
    expect(page.locator("#summary")).to_have_text("60 photos, newest first")


def test_a_file_that_is_too_large_is_not_uploaded(visit: Open, gallery: str) -> None:
    page = visit(gallery)
    expect(tiles(page).first).to_be_visible()
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File([new ArrayBuffer(26e6)], "huge.png", { type: "image/png" }));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
        }"""
    )
    expect(page.get_by_role("heading", name="This photo is too large")).to_be_visible()
    expect(page).to_have_url(gallery)


def test_more_like_a_photo(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=green")
    first(page, "green.png")
    page.get_by_role("button", name="More like green.png").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#summary")).to_contain_text("59 photos, most similar first")
    expect(page.locator("#summary")).to_be_focused()
    expect(page.locator(".chip.example")).to_contain_text("like green.png")
    expect(page.get_by_role("searchbox")).to_have_value("green")
    assert "green.png" not in names(page)
    page.get_by_role("button", name="Remove: also “green”").click()
    expect(page.get_by_role("searchbox")).to_have_value("")
    expect(page.locator(".chip.example")).to_contain_text("like green.png")
    expect(page.locator(".chip")).to_have_count(1)
    page.go_back()
    expect(page.get_by_role("searchbox")).to_have_value("green")
    assert set(names(page)[:3]) <= {"black.jpg", "cyan.jpg", "yellow.jpg"} | {
        f"shade-{place:02}.jpg" for place in range(SHADES)
    }
    accessible(page)
    page.go_back()
    first(page, "green.png")
    page.go_forward()
    page.reload()
    expect(page.locator(".chip.example")).to_contain_text("like green.png")
