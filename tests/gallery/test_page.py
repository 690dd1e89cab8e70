"""The page as a whole: endless scrolling, empty and busy servers, themes and small screens."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import (
    Page,
    Route,
    expect,
)

from tests.conftest import square
from tests.gallery.conftest import (
    NARROW,
    PHONE,
    WIDE,
    Open,
    accessible,
    first,
    library_of,
    needs_chromium,
    search,
    tiles,
)

pytestmark = needs_chromium


def test_scrolling_loads_more_photos(visit: Open, dated: str) -> None:
    page = visit(f"{dated}?q=red", viewport={"width": 800, "height": 400})
    expect(tiles(page).first).to_be_visible()
    expect(tiles(page).first).to_have_attribute("aria-setsize", "400")
    page.mouse.move(400, 300)
    page.mouse.wheel(0, 20_000)
    expect(page.locator("#announcement")).to_have_text("60 more photos, 120 in total")
    expect(page.locator("#photos > .photo").last).to_be_attached()
    place = page.evaluate(
        """() => [...document.querySelectorAll(".photo")]
          .find((tile) => tile.getBoundingClientRect().top > 80).ariaPosInSet"""
    )
    assert int(place) > 40
    page.wait_for_timeout(500)  # until the place is in the history
    page.reload()
    expect(page.locator(f'.photo[aria-posinset="{place}"]')).to_be_in_viewport()


def test_a_button_loads_more_photos(visit: Open, dated: str) -> None:
    page = visit(f"{dated}?q=red")
    page.add_init_script("window.IntersectionObserver = class { observe() {} disconnect() {} }")
    page.reload()
    more = page.get_by_role("button", name="More photos")
    more.focus()
    page.keyboard.press("Enter")
    there = page.locator('.photo[aria-posinset="61"]')
    expect(there.get_by_role("link")).to_be_focused()
    expect(there).to_be_in_viewport()


def test_it_says_which_profile_answers(visit: Open, gallery: str, empty: str) -> None:
    for size in ({"viewport": WIDE}, PHONE):
        page = visit(gallery, **size)
        profile = page.locator("#profile")
        expect(profile).to_have_text("Profile: colours")
        expect(profile).to_be_in_viewport()
        search(page, "red", "red.jpg")
        expect(profile).to_have_text("Profile: colours")
        accessible(page)
        box, width = profile.bounding_box(), page.evaluate("innerWidth")
        assert box is not None
        assert width / 2 < box["x"] + box["width"] <= width
    expect(visit(empty).locator("#profile")).to_be_empty()


def test_nothing_jumps_while_pictures_load(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=red")
    page.route("**/thumbnail?*", lambda route: route.abort())
    page.reload()
    first(page, "red.jpg")
    without = tiles(page).evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().toJSON())"
    )
    page.unroute("**/thumbnail?*")
    page.reload()
    expect(page.locator("#photos > li.loaded").first).to_be_visible()
    loaded = tiles(page).evaluate_all("all => all.map(one => one.getBoundingClientRect().toJSON())")
    assert without == loaded


def test_an_empty_library(visit: Open, empty: str) -> None:
    page = visit(empty)
    expect(page.get_by_role("heading", name="No photos yet")).to_be_visible()
    command = page.locator("#notice code")
    expect(command).to_have_text(re.compile(r"^pixquery index ~/Pictures --library /\S+$"))
    accessible(page)


def test_a_library_that_is_created_later(
    visit: Open, serve: Callable[[Path], str], colours: Path, tmp_path: Path
) -> None:
    page = visit(serve(tmp_path / "later"), refused=(503,))
    expect(page.get_by_role("heading", name="The library is not ready")).to_be_visible()
    expect(page.locator("#notice code")).to_contain_text(f"--library {tmp_path / 'later'}")
    accessible(page)
    square(tmp_path / "photos" / "red.jpg", "red")
    library_of(colours, tmp_path / "later", tmp_path / "photos")
    page.wait_for_timeout(1100)  # the server checks for changes each second
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#summary")).to_have_text("1 photo, newest first")


def test_a_busy_server_is_tried_again(visit: Open, gallery: str) -> None:
    page = visit(gallery, refused=(429,))
    busy = [True]

    def reply(route: Route) -> None:
        if busy:
            busy.pop()
            route.fulfill(status=429, json={"error": "too many searches at once"})
        else:
            route.continue_()

    page.route("**/api/search?q=red&*", reply)
    search(page, "red", "red.jpg")
    assert not busy


def test_the_browser_caches_thumbnails(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=red&min_relevance=0.9")
    expect(page.locator("#photos > li.loaded")).to_have_count(1)
    page.goto(f"{gallery}?q=red&min_relevance=0.9&orientation=landscape")
    expect(page.locator("#photos > li.loaded")).to_have_count(1)
    fetched = page.evaluate(
        """performance.getEntriesByType("resource")
          .filter((entry) => entry.name.includes("/thumbnail?"))
          .map((entry) => entry.transferSize)"""
    )
    assert fetched
    assert not any(fetched)


def test_failed_thumbnails_are_requested_again(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=red&min_relevance=0.9", refused=(429,))
    seen: list[str] = []

    def reply(route: Route) -> None:
        seen.append(route.request.url)
        if len(seen) == 1:
            route.fulfill(status=429, json={"error": "too many pictures at once"})
        else:
            route.continue_()

    page.route("**/thumbnail?*", reply)
    page.reload()
    expect(tiles(page).first).to_have_class(re.compile("loaded"))
    assert len(seen) == 2


def test_a_server_that_does_not_answer(visit: Open, gallery: str) -> None:
    page = visit(gallery)
    page.route("**/api/search?q=red&*", lambda route: route.abort())
    page.get_by_role("searchbox").fill("red")
    expect(page.get_by_role("alert")).to_contain_text("does not answer")
    accessible(page)
    page.unroute("**/api/search?q=red&*")
    page.get_by_role("button", name="Try again").click()
    first(page, "red.jpg")


def test_dark_and_light(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=red&minus=green", color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    expect(tiles(page).first).to_be_visible()
    assert page.evaluate(ground) == "rgb(18, 19, 20)"
    accessible(page)
    page.get_by_role("button", name="Theme: system").click()
    page.get_by_role("button", name="Filters").click()
    assert page.evaluate(ground) == "rgb(251, 251, 250)"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Theme: light").click()
    page.reload()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    page.get_by_role("button", name="Filters").click()
    accessible(page)


def test_a_narrow_screen(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=red&orientation=landscape", **PHONE)
    first(page, "red.jpg")
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
    accessible(page)
    page.get_by_role("button", name="Filters").click()
    box = page.locator("#filters").bounding_box()
    assert box is not None
    assert box["width"] == NARROW["width"]
    accessible(page)
    page.get_by_role("button", name="Close the filters").click()
    tiles(page).first.get_by_role("link").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    where = page.locator("#viewer-place")
    expect(where).to_have_text(re.compile("^1 of"))
    swipe(page, 320, 80)
    expect(where).to_have_text(re.compile("^2 of"))
    swipe(page, 80, 320)
    expect(where).to_have_text(re.compile("^1 of"))
    page.get_by_role("button", name="Details").click()
    expect(page.locator("#details")).to_be_visible()
    accessible(page)


def swipe(page: Page, start: int, end: int) -> None:
    """Swipes over the photo from one x position to another."""
    touch = page.context.new_cdp_session(page)
    for kind, x in (("touchStart", start), ("touchMove", (start + end) // 2), ("touchMove", end)):
        points = [{"x": x, "y": 300}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_the_skip_link_and_the_shortcut(visit: Open, gallery: str) -> None:
    page = visit(gallery)
    expect(tiles(page).first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the photos")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
