"""Thumbs and keys: what they keep, where photos go, and what training makes of them."""

import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from pixquery import Library
from pixquery.engine.judging import pairs_for
from pixquery.engine.ratings_file import RatingsFile, named_worker
from tests.gallery.conftest import (
    PHONE,
    Open,
    accessible,
    first,
    library_of,
    names,
    needs_chromium,
    photos,
    search,
    tiles,
)
from tests.played import TEXTS, spread_colours, strict
from tests.terminals import Terminal

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def folder(colours: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that may be judged; every test judges for a text of its own."""
    place = tmp_path_factory.mktemp("judged")
    return library_of(colours, place / "library", *photos(place))


@pytest.fixture(scope="module")
def judged(folder: Path, serve: Callable[[Path], str]) -> str:
    return serve(folder)


def tile(page: Page, name: str) -> Locator:
    return page.locator("#photos > li", has=page.get_by_role("img", name=name, exact=True))


def thumb(page: Page, name: str, verdict: str) -> Locator:
    return tile(page, name).locator(f".verdict.{verdict}")


def said(folder: Path, text: str) -> dict[str, str]:
    return {
        Path(one.image).name: one.rating
        for one in RatingsFile(folder).read().counting
        if one.text == text
    }


def kept(page: Page, folder: Path, text: str, verdicts: dict[str, str]) -> None:
    """Waits until the file has these judgements for a text."""
    for _ in range(200):
        if said(folder, text) == verdicts:
            return
        page.wait_for_timeout(50)
    assert said(folder, text) == verdicts


def is_last(page: Page, name: str) -> None:
    """Waits until this photo is the last, to the end of the page."""
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(tiles(page).last.get_by_role("img")).to_have_attribute("alt", name)


def ready(page: Page) -> None:
    """Waits until photos can be judged."""
    expect(tiles(page).first.locator(".verdicts")).not_to_have_attribute("hidden", "")


def test_a_wrong_photo_goes_down_when_the_pointer_leaves(
    visit: Open, judged: str, folder: Path
) -> None:
    page = visit(judged)
    search(page, "red", "red.jpg")
    ready(page)
    before = names(page)
    wrong = before[1]
    tile(page, wrong).hover()
    expect(thumb(page, wrong, "no")).to_have_css("opacity", "1")
    box = tile(page, wrong).bounding_box()
    thumb(page, wrong, "no").click()
    expect(thumb(page, wrong, "no")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".toast")).to_contain_text("Not “red”. It goes down.")
    assert tile(page, wrong).bounding_box() == box  # nothing moves under the pointer
    page.mouse.move(2, 2)
    expect(tiles(page).nth(1).get_by_role("img")).to_have_attribute("alt", before[2])
    assert names(page)[:9] == [name for name in before if name != wrong][:9]
    kept(page, folder, "red", {wrong: "no"})
    is_last(page, wrong)
    page.get_by_role("button", name="Undo").click()
    page.evaluate("scrollTo(0, 0)")
    expect(tiles(page).nth(1).get_by_role("img")).to_have_attribute("alt", wrong)
    kept(page, folder, "red", {})


def test_photos_that_load_later_stay_above_the_wrong_ones(
    visit: Open, judged: str, folder: Path
) -> None:
    page = visit(f"{judged}?q=black")
    page.route(
        re.compile("/api/search"),  # smaller pages, so that there are several
        lambda route: route.continue_(url=re.sub(r"\bk=60\b", "k=40", route.request.url)),
    )
    page.reload()
    ready(page)
    expect(tiles(page).first).to_have_attribute("aria-setsize", "60")
    wrong = names(page)[0]
    tiles(page).first.locator("a").focus()
    page.keyboard.press("n")
    expect(tiles(page).first.get_by_role("img")).not_to_have_attribute("alt", wrong)
    for _ in range(2):  # the end of the first page, then that of all
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_timeout(300)
    is_last(page, wrong)
    expect(tiles(page).last).to_have_attribute("aria-posinset", "60")
    kept(page, folder, "black", {wrong: "no"})


def test_keys_in_the_grid(visit: Open, judged: str, folder: Path) -> None:
    page = visit(f"{judged}?q=green")
    ready(page)
    one, _, three, four = names(page)[:4]
    tile(page, three).get_by_role("link").focus()
    page.keyboard.press("y")
    first(page, three)
    expect(tile(page, four).get_by_role("link")).to_be_focused()
    expect(page.locator("#announcement")).to_have_text(
        "It fits “green”. It goes up. Press u to undo."
    )
    page.keyboard.press("p")
    kept(page, folder, "green", {three: "yes", four: "partly"})
    page.keyboard.press("u")
    page.keyboard.press("u")
    first(page, one)
    expect(tile(page, three).get_by_role("link")).to_be_focused()
    page.keyboard.press("u")  # there is nothing left
    kept(page, folder, "green", {})
    page.get_by_role("searchbox").fill("")
    page.get_by_role("searchbox").press_sequentially("yn")  # a letter is a letter there
    expect(page.get_by_role("searchbox")).to_have_value("yn")


def test_the_same_again_takes_it_back(visit: Open, judged: str, folder: Path) -> None:
    page = visit(f"{judged}?q=yellow")
    ready(page)
    name = names(page)[0]
    tile(page, name).hover()
    for verdict, expected in (("yes", {name: "yes"}), ("no", {name: "no"}), ("no", {})):
        thumb(page, name, verdict).click()
        kept(page, folder, "yellow", expected)
    page.keyboard.press("u")
    kept(page, folder, "yellow", {name: "no"})


def test_the_large_view(visit: Open, judged: str, folder: Path) -> None:
    page = visit(f"{judged}?q=blue")
    ready(page)
    one, two, three = names(page)[:3]
    tile(page, one).get_by_role("link").click()
    group = page.locator("#viewer .verdicts")
    expect(group).to_contain_text("“blue”?")
    page.keyboard.press("n")
    expect(group.get_by_role("button", name="Does not fit")).to_have_attribute(
        "aria-pressed", "true"
    )
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer-name")).to_have_text(two)  # the next one is still the next
    expect(group.get_by_role("button", name="Does not fit")).to_have_attribute(
        "aria-pressed", "false"
    )
    group.get_by_role("button", name="Fits partly").click()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("y")
    page.keyboard.press("u")
    page.keyboard.press("y")
    kept(page, folder, "blue", {one: "no", two: "partly", three: "yes"})
    page.keyboard.press("Escape")
    first(page, three)
    is_last(page, one)


def test_what_was_judged_is_shown_again(visit: Open, judged: str, folder: Path) -> None:
    page = visit(f"{judged}?q=cyan")
    ready(page)
    order = names(page)
    tiles(page).nth(1).locator("a").focus()
    page.keyboard.press("n")
    kept(page, folder, "cyan", {order[1]: "no"})
    page.reload()
    expect(tile(page, order[1])).to_have_attribute("data-verdict", "no")
    assert names(page) == order  # only what was just judged moves
    search(page, "magenta", "magenta.tiff")
    ready(page)
    expect(page.locator("#photos > li[data-verdict=no]")).to_have_count(0)


def test_only_a_description_is_judged(visit: Open, judged: str) -> None:
    page = visit(judged)
    expect(tiles(page).first).to_be_visible()
    page.wait_for_timeout(300)
    expect(page.locator("#photos .verdicts")).to_have_count(0)
    search(page, "white", "white.jpg")
    ready(page)
    tile(page, "white.jpg").hover()
    tile(page, "white.jpg").get_by_role("button", name="More like").click()
    expect(page.locator(".chip.example")).to_contain_text("like white.jpg")
    expect(page.locator("#photos .verdicts:not([hidden])")).to_have_count(0)
    tiles(page).first.locator("a").focus()
    page.keyboard.press("y")
    expect(page.locator(".toast")).to_be_hidden()


def test_on_a_phone(visit: Open, judged: str, folder: Path) -> None:
    page = visit(f"{judged}?q=magenta", **PHONE)
    ready(page)
    name = "magenta.tiff"
    expect(thumb(page, name, "yes")).to_have_css("opacity", "1")
    thumb(page, name, "yes").tap()
    expect(page.locator("#viewer")).not_to_have_attribute("open", "")  # it opens nothing
    kept(page, folder, "magenta", {name: "yes"})
    narrow = page.locator("#photos > li").evaluate_all(
        "all => all.filter((one) => one.clientWidth < 160)"
        ".map((one) => one.querySelector('img').alt)"
    )
    assert narrow
    expect(thumb(page, narrow[0], "yes")).to_be_hidden()
    tile(page, name).get_by_role("link").tap()
    expect(page.locator("#viewer .verdicts")).to_be_visible()
    overlap = page.evaluate(
        "() => { const [a, b] = ['#viewer .verdicts', '#next'].map((one) => "
        "document.querySelector(one).getBoundingClientRect()); return a.right > b.left; }"
    )
    assert not overlap


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(visit: Open, judged: str, scheme: str) -> None:
    page = visit(f"{judged}?q=white", color_scheme=scheme)
    ready(page)
    tiles(page).first.locator("a").focus()
    page.keyboard.press("p")
    expect(page.locator(".toast")).to_be_visible()
    accessible(page)
    tiles(page).first.locator("a").click()
    expect(page.locator("#viewer .verdicts")).to_be_visible()
    accessible(page)
    page.keyboard.press("Escape")


def test_thumbs_shift_nothing(visit: Open, judged: str) -> None:
    page = visit(f"{judged}?q=red")
    ready(page)
    page.wait_for_timeout(600)
    page.evaluate(
        "() => { window.moved = []; new PerformanceObserver((list) => { for (const one of "
        "list.getEntries()) for (const { node } of one.sources) if (node) "  # it is still there
        "window.moved.push(node.parentElement?.closest('li, .toast')?.className + ' ' + "
        "node.className); }).observe({ type: 'layout-shift' }); }"
    )
    tiles(page).nth(1).hover()
    tiles(page).nth(3).locator("a").focus()
    page.keyboard.press("p")
    expect(page.locator(".toast")).to_be_visible()
    page.wait_for_timeout(400)
    moved = set(page.evaluate("window.moved"))
    assert moved <= {"photo loaded fit", "photo loaded word"}  # whose words unfold, as ever


def test_what_cannot_be_kept_is_said(
    visit: Open, serve: Callable[[Path], str], colours: Path, tmp_path: Path
) -> None:
    library = library_of(colours, tmp_path / "library", *photos(tmp_path))
    page = visit(f"{serve(library)}?q=red", refused=(503,))
    ready(page)
    (library / "ratings.csv").symlink_to(tmp_path / "elsewhere")
    tiles(page).first.locator("a").focus()
    page.keyboard.press("y")
    expect(page.locator(".toast")).to_contain_text("This was not kept.")
    expect(page.locator("#photos > li[data-verdict=yes]")).to_have_count(0)


def test_two_tabs_and_a_terminal_at_once(visit: Open, judged: str, folder: Path) -> None:
    pages = [visit(f"{judged}?q=red cyan"), visit(f"{judged}?q=red cyan")]
    for page in pages:
        ready(page)
    order = names(pages[0])
    shown = re.compile(r"\d+\. red cyan\?")
    with Terminal(
        "judge", "red cyan", "--no-pictures", "--worker", "Ada", "--library", folder
    ) as terminal:
        for place in range(0, 20, 2):
            terminal.wait_for_line(shown)
            terminal.press("y")
            for page, offset in zip(pages, (0, 1), strict=True):
                name = order[place + offset]
                tile(page, name).get_by_role("link").focus()
                page.keyboard.press("p")
        terminal.wait_for_line(shown)
        terminal.press("q")
        assert terminal.end()[0] == 0

    def mine() -> dict[str, str]:
        counting = RatingsFile(folder).read().counting
        return {
            Path(one.image).name: one.rating
            for one in counting
            if (one.text, one.worker) == ("red cyan", named_worker(""))
        }

    for _ in range(200):
        if len(mine()) == 20:
            break
        pages[0].wait_for_timeout(50)
    assert mine() == dict.fromkeys(order[:20], "partly")
    judged_so_far = RatingsFile(folder).read()
    ada = [one for one in judged_so_far.counting if (one.text, one.worker) == ("red cyan", "Ada")]
    assert [one.rating for one in ada] == ["yes"] * 10
    assert judged_so_far.unreadable == 0


# -- training -------------------------------------------------------------------------------------


@pytest.fixture
def sixty(
    colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: Callable[[Path], str]
) -> tuple[str, Path]:
    """A gallery with 49 judgements by somebody strict."""
    monkeypatch.setenv("PIXQUERY_PROFILES", str(tmp_path / "profiles"))
    root = spread_colours(tmp_path / "photos", count=80)
    folder = library_of(colours, tmp_path / "library", root)
    count = 0
    with Library.open(folder) as library:
        for text in TEXTS:
            for pair in islice(pairs_for(library, text, []), 9):
                if count < 49:
                    verdict = strict(pair.photo.path, text)
                    RatingsFile(folder).add(pair.photo.path, text, verdict)
                    count += 1
    return serve(folder), folder


def test_after_fifty_judgements(visit: Open, sixty: tuple[str, Path]) -> None:
    address, folder = sixty
    page = visit(f"{address}?q=magenta")
    ready(page)
    card = page.locator("#lesson")
    expect(card).to_be_hidden()
    tiles(page).nth(30).locator("a").focus()
    page.keyboard.press("n")
    expect(card.get_by_role("heading")).to_have_text("Learn from your 50 judgements?")
    accessible(page)
    card.get_by_role("button", name="Train").click()
    expect(card.get_by_role("progressbar")).to_be_visible()
    expect(card.get_by_role("heading")).to_have_text(
        "It gets nearer to your judgements", timeout=120_000
    )
    expect(card).to_contain_text("On held-out pairs, relevance is off by")
    expect(page.locator("#profile")).to_have_text("Profile: colours")
    card.get_by_role("button", name="Use it").click()
    expect(card.get_by_role("heading")).to_have_text("Photos are judged your way now")
    expect(page.locator("#profile")).to_have_text("Profile: colours-judged")
    card.get_by_role("button", name="Go back").click()
    expect(page.locator("#profile")).to_have_text("Profile: colours")
    with Library.open(folder) as library:
        assert library.profile.name == "colours"


def test_cancelled_and_declined(visit: Open, sixty: tuple[str, Path]) -> None:
    address, folder = sixty
    RatingsFile(folder).add(
        next(iter(folder.parent.joinpath("photos").iterdir())), "red cyan", "no"
    )
    page = visit(f"{address}?q=red")
    card = page.locator("#lesson")
    card.get_by_role("button", name="Train").click()
    card.get_by_role("button", name="Cancel").click()
    expect(card).to_be_hidden()
    page.reload()
    ready(page)
    page.wait_for_timeout(500)
    expect(card).to_be_hidden()  # it was declined, and does not come back at once
