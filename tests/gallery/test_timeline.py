"""Photos by date: months, the strip that leads to any of them, and a page that stays light."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from pixquery import Library
from pixquery.indexer.build import index
from tests.gallery.conftest import (
    COUNT,
    PHONE,
    WIDE,
    Open,
    accessible,
    first,
    library_of,
    needs_chromium,
    tiles,
    write,
)

pytestmark = needs_chromium

SHIFT = """new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.shifted = (window.shifted ?? 0) + entry.value;
}).observe({ type: "layout-shift", buffered: true });"""


def strip(page: Page) -> Locator:
    return page.get_by_role("slider", name="Date")


def seen(page: Page, name: str) -> None:
    """Waits until a photo is in the window."""
    expect(page.get_by_role("img", name=name, exact=True)).to_be_in_viewport()


def settled(page: Page) -> None:
    """Waits until each photo in the window has its record."""
    page.wait_for_function(
        """() => {
          const seen = [...document.querySelectorAll(".photo")].filter((tile) => {
            const box = tile.getBoundingClientRect();
            return box.bottom > 0 && box.top < innerHeight;
          });
          return seen.length && seen.every((tile) => !tile.classList.contains("blank"));
        }"""
    )


def test_months_have_headings(visit: Open, dated: str) -> None:
    page = visit(dated)
    heading = page.locator(".month").first
    expect(heading).to_have_text("January 202216 photos")
    first(page, "399.jpg")
    expect(page.get_by_role("heading", name="December 2021")).to_be_attached()
    expect(page.locator("#summary")).to_have_text("400 photos, newest first")
    expect(tiles(page).first).to_have_attribute("aria-posinset", "1")
    expect(tiles(page).first).to_have_attribute("aria-setsize", "400")
    accessible(page)


@pytest.mark.parametrize("settings", [{"viewport": WIDE}, PHONE], ids=["desktop", "phone"])
def test_every_photo_can_be_scrolled_to(visit: Open, dated: str, settings: Any) -> None:
    page = visit(dated, **settings)
    first(page, "399.jpg")
    names: list[str] = []
    for _ in range(200):
        settled(page)
        shown = page.locator(".photo img").evaluate_all("all => all.map(one => one.alt)")
        names += [name for name in shown if name not in names]
        assert page.locator(".photo").count() < 140
        if page.evaluate("innerHeight + scrollY >= document.documentElement.scrollHeight - 1"):
            break
        page.evaluate("scrollBy(0, 1.5 * innerHeight)")
        page.evaluate("new Promise((done) => { requestAnimationFrame(() => setTimeout(done)); })")
    assert sorted(names) == [f"{number:03}.jpg" for number in range(COUNT)]
    seen(page, "000.jpg")


def test_the_strip_by_keyboard(visit: Open, dated: str) -> None:
    page = visit(dated)
    first(page, "399.jpg")
    expect(strip(page)).to_have_attribute("aria-valuetext", "January 2022, 16 photos")
    strip(page).focus()
    for key, month in (
        ("ArrowDown", "December 2021"),
        ("PageDown", "December 2020"),
        ("ArrowUp", "January 2021"),
        ("End", "January 2020"),
        ("PageUp", "January 2021"),
        ("Home", "January 2022"),
    ):
        page.keyboard.press(key)
        heading = page.get_by_role("heading", name=month)
        if key not in ("End", "PageUp"):
            expect(strip(page)).to_have_attribute("aria-valuetext", re.compile(month))
        expect(heading).to_be_in_viewport()
        settled(page)
    first(page, "399.jpg")
    accessible(page)


def test_the_strip_by_mouse(visit: Open, dated: str) -> None:
    page = visit(dated)
    first(page, "399.jpg")
    box = strip(page).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 0.5 * box["height"])
    bubble = page.locator("#scrubber-month")
    expect(bubble).to_have_text(re.compile(r"^(December 2020|January 2021|February 2021)$"))
    assert page.evaluate("scrollY") == 0
    page.mouse.down()
    page.mouse.move(box["x"] + 20, box["y"] + box["height"], steps=5)
    seen(page, "000.jpg")
    page.mouse.move(box["x"] + 20, box["y"], steps=5)
    seen(page, "399.jpg")
    page.mouse.up()
    page.mouse.move(300, 300)
    expect(bubble).to_be_hidden()
    years = page.locator("#scrubber .year").all_inner_texts()
    assert years in (["2022", "2021", "2020"], ["2022", "2020"])


def test_the_strip_by_finger(visit: Open, dated: str) -> None:
    page = visit(dated, **PHONE)
    first(page, "399.jpg")
    thumb = page.locator("#scrubber-thumb").bounding_box()
    assert thumb is not None
    assert thumb["width"] >= 44
    assert thumb["height"] >= 44
    session = page.context.new_cdp_session(page)
    x, y = thumb["x"] + thumb["width"] / 2, thumb["y"] + thumb["height"] / 2
    for kind, to in (("touchStart", y), ("touchMove", 500), ("touchMove", 843), ("touchEnd", None)):
        points = [] if to is None else [{"x": x, "y": to}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    seen(page, "000.jpg")
    accessible(page)


def test_the_keyboard_crosses_rows_and_months(visit: Open, dated: str) -> None:
    page = visit(dated)
    first(page, "399.jpg")
    tiles(page).first.get_by_role("link").focus()
    for _ in range(16):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_role("link", name="383.jpg")).to_be_focused()  # the newest of a month
    page.keyboard.press("End")
    expect(page.get_by_role("link", name="000.jpg")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("link", name="000.jpg")).to_be_focused()
    page.keyboard.press("PageUp")
    expect(page.get_by_role("link", name="000.jpg")).not_to_be_focused()
    expect(page.locator(".photo a:focus")).to_be_in_viewport()
    page.keyboard.press("Home")
    expect(page.get_by_role("link", name="399.jpg")).to_be_focused()
    for _ in range(30):
        page.keyboard.press("ArrowDown")
    expect(page.locator(".photo a:focus")).to_be_in_viewport()
    for _ in range(30):
        page.keyboard.press("ArrowUp")
    expect(page.locator(".photo a:focus")).to_be_in_viewport()
    expect(page.get_by_role("heading", name="January 2022")).to_be_in_viewport()


def test_the_focus_stays_when_its_photo_is_far_away(visit: Open, dated: str) -> None:
    page = visit(dated)
    first(page, "399.jpg")
    tiles(page).nth(1).get_by_role("link").focus()
    page.mouse.move(400, 400)
    page.mouse.wheel(0, 9000)
    expect(page.get_by_role("img", name="397.jpg", exact=True)).not_to_be_attached()
    expect(page.get_by_role("link", name="398.jpg")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("link", name="397.jpg")).to_be_focused()
    seen(page, "397.jpg")


def test_back_and_reload_return_to_the_place(visit: Open, dated: str) -> None:
    page = visit(dated)
    first(page, "399.jpg")
    strip(page).focus()
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    expect(page.get_by_role("heading", name="December 2020")).to_be_in_viewport()
    settled(page)
    before = page.evaluate("scrollY")
    page.wait_for_timeout(400)  # until the place is in the history
    page.reload()
    expect(page.get_by_role("heading", name="December 2020")).to_be_in_viewport()
    assert page.evaluate("scrollY") == pytest.approx(before, abs=2)
    page.get_by_role("searchbox").focus()  # which scrolls a little
    before = page.evaluate("scrollY")
    page.get_by_role("searchbox").fill("red")
    expect(page.locator("#summary")).to_contain_text("best first")
    page.go_back()
    expect(page.get_by_role("heading", name="December 2020")).to_be_in_viewport()
    assert page.evaluate("scrollY") == pytest.approx(before, abs=2)


def test_a_turned_phone_keeps_the_place(visit: Open, dated: str) -> None:
    page = visit(dated, **PHONE)
    first(page, "399.jpg")
    page.evaluate("scrollTo(0, 3000)")
    settled(page)
    there = page.evaluate(
        """() => [...document.querySelectorAll(".photo")]
          .find((tile) => tile.getBoundingClientRect().top > 80).querySelector("img").alt"""
    )
    page.set_viewport_size({"width": 844, "height": 390})
    seen(page, str(there))


def test_the_large_view_goes_through_all_photos(visit: Open, dated: str) -> None:
    page = visit(dated)
    first(page, "399.jpg")
    tiles(page).first.get_by_role("link").focus()
    page.keyboard.press("End")
    expect(page.get_by_role("link", name="000.jpg")).to_be_focused()
    page.keyboard.press("Enter")
    place = page.locator("#viewer-place")
    expect(place).to_have_text("400 of 400")
    expect(page.locator("#next")).to_be_disabled()
    page.keyboard.press("ArrowLeft")
    expect(place).to_have_text("399 of 400")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="001.jpg")).to_be_focused()


def test_a_link_to_a_photo_knows_its_place(visit: Open, dated: str) -> None:
    page = visit(f"{dated}?photo=1")
    expect(page.locator("#viewer-name")).to_have_text("000.jpg")
    expect(page.locator("#viewer-place")).to_have_text("400 of 400")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="000.jpg")).to_be_focused()


def test_sorting(visit: Open, dated: str) -> None:
    page = visit(dated)
    first(page, "399.jpg")
    order = page.get_by_label("Sort")
    order.select_option("oldest first")
    first(page, "000.jpg")
    expect(page).to_have_url(f"{dated}?sort=oldest")
    expect(page.locator(".month").first).to_contain_text("January 2020")
    expect(page.locator("#summary")).to_have_text("400 photos, oldest first")
    accessible(page)
    page.get_by_role("searchbox").fill("red")
    expect(page.locator("#summary")).to_contain_text("best first")
    expect(page.locator(".month")).to_have_count(0)
    order.select_option("newest first")
    expect(page.locator("#summary")).to_have_text("The best of 400 photos, newest first")
    expect(page.locator(".month").first).to_be_visible()
    places = page.locator(".photo").evaluate_all("all => all.map(one => one.ariaPosInSet)")
    assert places == [str(place) for place in range(1, len(places) + 1)]
    expect(tiles(page).first).to_have_attribute("aria-setsize", "200")
    order.select_option("best first")
    expect(page).to_have_url(f"{dated}?q=red")


def test_a_filter_has_months_too(visit: Open, dated: str) -> None:
    page = visit(f"{dated}?taken=2021-03..2021-04&sort=oldest")
    expect(page.locator(".month h2")).to_have_text(["March 2021", "April 2021"])
    expect(tiles(page).first).to_have_attribute("aria-setsize", "32")
    page.goto(f"{dated}?q=march+2021")  # the words are a filter
    expect(page.locator(".month h2")).to_have_text(["March 2021"])
    expect(tiles(page)).to_have_count(16)


def test_nothing_shifts(visit: Open, dated: str) -> None:
    page = visit(dated)
    page.add_init_script(SHIFT)
    page.reload()
    first(page, "399.jpg")
    strip(page).focus()
    for key in ("PageDown", "End", "ArrowUp", "Home"):
        page.keyboard.press(key)
        settled(page)
        page.wait_for_timeout(300)
    page.mouse.move(400, 400)
    for _ in range(6):
        page.mouse.wheel(0, 900)
        settled(page)
    assert page.evaluate("window.shifted ?? 0") == 0


def test_large_text(visit: Open, dated: str) -> None:
    page = visit(dated, viewport={"width": 1280, "height": 860})
    page.add_init_script(
        "addEventListener('DOMContentLoaded', () => "
        "{ document.documentElement.style.fontSize = '200%'; })"
    )
    page.reload()
    first(page, "399.jpg")
    heading, photo = page.locator(".month").first.bounding_box(), tiles(page).first.bounding_box()
    assert heading is not None
    assert photo is not None
    assert heading["y"] + heading["height"] <= photo["y"] + 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    accessible(page)


def test_dark(visit: Open, dated: str) -> None:
    page = visit(dated, color_scheme="dark")
    first(page, "399.jpg")
    strip(page).hover()
    accessible(page)


def test_a_page_of_photos_that_fails_is_loaded_again(visit: Open, dated: str) -> None:
    page = visit(dated, refused=(500,))
    first(page, "399.jpg")
    failed: list[str] = []

    def reply(route: Route) -> None:
        if len(failed) < 2:
            failed.append(route.request.url)
            route.fulfill(status=500, json={"error": "something broke"})
        else:
            route.continue_()

    page.route("**/api/search?*offset=*", reply)
    strip(page).focus()
    page.keyboard.press("End")
    seen(page, "000.jpg")
    assert len(failed) == 2


def test_photos_that_come_in_between_move_nothing(
    visit: Open, serve: Callable[[Path], str], colours: Path, tmp_path: Path
) -> None:
    for number in range(200):
        write(tmp_path / "photos", number)
    library_of(colours, tmp_path / "library", tmp_path / "photos")
    page = visit(serve(tmp_path / "library"))
    first(page, "199.jpg")
    page.evaluate("scrollTo(0, 0.4 * document.documentElement.scrollHeight)")
    settled(page)
    name, before = page.evaluate(
        """() => {
          const tile = [...document.querySelectorAll(".photo")]
            .find((tile) => tile.getBoundingClientRect().top > 80);
          return [tile.querySelector("img").alt, tile.getBoundingClientRect().top];
        }"""
    )
    for number in range(200, 216):
        write(tmp_path / "photos", number)
    with Library.open(tmp_path / "library") as library:
        index(library, [tmp_path / "photos"])
    page.wait_for_timeout(1100)  # the server looks for changes each second
    page.mouse.move(400, 400)
    page.mouse.wheel(0, 3000)
    expect(page.locator(".photo").last).to_have_attribute("aria-setsize", "216")
    place = page.get_by_role("img", name=str(name), exact=True)
    page.mouse.wheel(0, -3000)
    expect(place).to_be_in_viewport()
    box = place.bounding_box()
    assert box is not None
    assert box["y"] == pytest.approx(before, abs=60)
