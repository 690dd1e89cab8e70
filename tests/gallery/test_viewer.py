"""The large view of one photo."""

import re

import pytest
from playwright.sync_api import (
    Page,
    expect,
)

from tests.gallery.conftest import Open, accessible, first, needs_chromium, tiles

pytestmark = needs_chromium


def test_the_large_view_by_keyboard(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=red")
    first(page, "red.jpg")
    tiles(page).first.get_by_role("link").focus()
    page.keyboard.press("ArrowRight")
    expect(tiles(page).nth(1).get_by_role("link")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    viewer = page.get_by_role("dialog")
    expect(viewer).to_be_visible()
    expect(viewer.get_by_text("1 of 60")).to_be_visible()
    page.keyboard.press("i")
    details = page.get_by_role("region", name="Details")
    for words in (
        "fits very well",
        "1 May 2021",
        "Canon EOS 80D",
        "480 \N{MULTIPLICATION SIGN} 320",
        "48.2083° N",
    ):
        expect(details).to_contain_text(words)
    accessible(page)
    page.keyboard.press("ArrowRight")
    expect(viewer.get_by_text("2 of 60")).to_be_visible()
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(page).to_have_url(f"{gallery}?q=red")
    expect(tiles(page).nth(1).get_by_role("link")).to_be_focused()
    page.go_back()
    expect(viewer).to_be_hidden()


def test_the_large_view_has_an_address(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=red")
    first(page, "red.jpg")
    tiles(page).first.get_by_role("link").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    address = page.url
    assert re.search(r"photo=\d+$", address)
    page.reload()
    expect(page.get_by_role("dialog").get_by_text("1 of 60")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.goto(address)  # opened from a link, so there is nothing to go back to
    expect(page.get_by_role("dialog").get_by_text("1 of 60")).to_be_visible()
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page).to_have_url(f"{gallery}?q=red")


def test_photos_that_browsers_cannot_show(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=magenta")
    first(page, "magenta.tiff")
    with page.expect_response("**/file?as=jpeg&*") as reply:
        tiles(page).first.get_by_role("link").click()
    assert reply.value.headers["content-type"] == "image/jpeg"
    expect(page.locator("#large")).to_have_attribute("src", re.compile("as=jpeg"))
    expect(page.locator("#large")).to_have_js_property("naturalWidth", 360)
    assert page.get_by_role("link", name="Original").get_attribute("href") == re.sub(
        r"\?as=jpeg.*", "", str(page.locator("#large").get_attribute("src")).replace(gallery, "")
    )


def pane(page: Page) -> dict[str, float]:
    """Width and position of the large photo, and width and scroll position of its pane."""
    return dict(
        page.evaluate(
            """() => {
              const pane = document.getElementById("pane");
              const picture = document.getElementById("large").getBoundingClientRect();
              return { width: picture.width, left: picture.left, top: picture.top,
                room: pane.clientWidth, x: pane.scrollLeft, y: pane.scrollTop };
            }"""
        )
    )


def test_full_size_by_keyboard(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=white", viewport={"width": 700, "height": 500})
    first(page, "white.jpg")  # 1200 pixels wide
    tiles(page).first.get_by_role("link").click()
    button = page.get_by_role("button", name="Full size")
    expect(button).to_be_enabled()
    assert pane(page)["width"] < 700
    page.keyboard.press("z")
    expect(button).to_have_attribute("aria-pressed", "true")
    full = pane(page)
    assert full["width"] == 1200
    assert full["x"] == pytest.approx((1200 - full["room"]) / 2, abs=1)
    accessible(page)
    for key, way in (("ArrowRight", 1), ("ArrowLeft", -1)):
        before = pane(page)["x"]
        page.keyboard.press(key)
        assert (pane(page)["x"] - before) * way > 50
    before = pane(page)["y"]
    page.keyboard.press("ArrowDown")
    assert pane(page)["y"] > before
    expect(page.locator("#viewer-place")).to_have_text("1 of 60")
    page.keyboard.press("Escape")
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert pane(page)["width"] < 700
    page.keyboard.press("z")
    page.get_by_role("button", name="Next photo").click()  # the next photo is shown in full
    expect(page.locator("#viewer-place")).to_have_text("2 of 60")
    expect(button).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_full_size_by_mouse(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=white", viewport={"width": 700, "height": 500})
    first(page, "white.jpg")
    tiles(page).first.get_by_role("link").click()
    expect(page.get_by_role("button", name="Full size")).to_be_enabled()
    before = pane(page)
    x, y = before["left"] + 0.25 * before["width"], before["top"] + 30
    page.mouse.click(x, y)
    after = pane(page)
    assert after["width"] == 1200
    assert after["left"] + 0.25 * after["width"] == pytest.approx(
        x, abs=1.5
    )  # the clicked point stays in place
    page.mouse.down()
    page.mouse.move(x - 40, y, steps=4)
    page.mouse.up()
    assert pane(page)["x"] == pytest.approx(after["x"] + 40, abs=1)  # dragged, not clicked
    page.mouse.wheel(0, 100)
    page.wait_for_function("document.getElementById('pane').scrollTop > 50")
    page.mouse.click(x, y)
    assert pane(page)["width"] == before["width"]


def test_small_photos_have_no_full_size(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=red")  # 480 pixels wide
    tiles(page).first.get_by_role("link").click()
    expect(page.locator("#large")).to_have_attribute("src", re.compile("/file$"))
    expect(page.get_by_role("button", name="Full size")).to_be_disabled()
    before = pane(page)
    page.keyboard.press("z")
    page.locator("#large").click()
    assert pane(page) == before


def test_a_photo_whose_file_is_missing(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=red", refused=(410,))
    first(page, "red.jpg")
    for address in ("**/thumbnail?*", "**/file"):
        page.route(address, lambda route: route.fulfill(status=410, json={"error": "it is gone"}))
    page.reload()
    expect(tiles(page).first).to_have_class(re.compile("failed"))
    content = "getComputedStyle(document.querySelector('.photo a'), '::before').content"
    assert '"red.jpg"' in page.evaluate(content)
    accessible(page)
    tiles(page).first.get_by_role("link").click()
    expect(page.locator("#large-failed")).to_contain_text("is missing, changed or damaged")
    expect(page.get_by_role("button", name="More like this")).to_be_visible()


def test_from_a_photo_to_photos_near_it(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=red")
    tiles(page).first.get_by_role("link").click()
    page.get_by_role("button", name="Details").click()
    page.get_by_role("button", name="Photos near here").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(tiles(page)).to_have_count(1)


def test_an_unknown_photo(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?photo=123456", refused=(404,))
    expect(page.locator("#large-failed")).to_contain_text("not in the library")
    expect(page.get_by_role("button", name="More like this")).to_be_hidden()
    accessible(page)
    page.keyboard.press("Escape")
    expect(page.locator("#summary")).to_have_text("60 photos, newest first")
