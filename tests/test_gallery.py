"""The gallery in a real browser, over a library whose answers a person can work out.

Red, green and blue have a channel each, so "red" finds the red photo with a cosine of 1, then
those that differ from it in one channel (black, yellow, magenta) with 1/3.
"""

import io
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Route,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.conftest import COLOURS, REPOSITORY, square

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on PATH (Debian: apt-get install chromium)"
)
expect.set_options(timeout=20_000)

SHADES = 52
"""Photos that are nearly black, so that there is more than one page."""
WIDE: ViewportSize = {"width": 1280, "height": 860}
NARROW: ViewportSize = {"width": 390, "height": 844}
PHONE: dict[str, Any] = {"viewport": NARROW, "has_touch": True, "is_mobile": True}

Open = Callable[..., Page]


# -- the library and its server ---------------------------------------------------------------


def photos(folder: Path) -> list[Path]:
    """Two folders: the eight colours in several shapes and formats, and many shades."""
    colours, shades = folder / "Colours", folder / "Shades"
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon", "EOS 80D"
    exif.get_ifd(0x8769)[0x9003] = "2021:05:01 14:30:00"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 12.0, 30.0), 3: "E", 4: (16.0, 22.0, 30.0)})
    square(colours / "red.jpg", "red", (480, 320), exif=exif)
    square(colours / "green.png", "green", (320, 480))
    square(colours / "blue.webp", "blue", (400, 400))
    square(colours / "yellow.jpg", "yellow", (900, 300))
    square(colours / "cyan.jpg", "cyan", (300, 240))
    square(colours / "magenta.tiff", "magenta", (360, 240))
    square(colours / "white.jpg", "white", (1200, 800))
    square(colours / "black.jpg", "black", (480, 320))
    for place in range(SHADES):
        file = square(shades / f"shade-{place:02}.jpg", (0, 0, place), (240, 160 + place))
        os.utime(file, (1_300_000_000 + place, 1_300_000_000 + place))
    return [colours, shades]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(address: str) -> bool:
    try:
        with urlopen(f"{address}healthz", timeout=5) as reply:
            return bool(reply.status == 200)
    except (URLError, OSError):
        return False


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[[Path], str]]:
    """Starts `pixquery serve` over a library and tells its address."""
    started: list[subprocess.Popen[bytes]] = []

    def start(library: Path) -> str:
        port = free_port()
        command = [sys.executable, str(REPOSITORY / "cli.py"), "serve", "--library", str(library)]
        process = subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.PIPE)
        started.append(process)
        address = f"http://127.0.0.1:{port}/"
        deadline = time.monotonic() + 90
        while not answers(address):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                pytest.fail(f"the server does not answer: {process.communicate()[1].decode()}")
            time.sleep(0.1)
        return address

    yield start
    for process in started:
        process.terminate()
    for process in started:
        process.communicate(timeout=30)


def library_of(colours: Path, folder: Path, *roots: Path, policed: bool = False) -> Path:
    """A library of the colour profile."""
    from pixquery import Library
    from pixquery.indexer.build import index

    with Library.open(folder, create=True, profile=str(colours)) as library:
        if roots:
            index(library, list(roots))
        if policed:
            library.switch_policy(on=True)
    return folder


@pytest.fixture(scope="module")
def gallery(
    serve: Callable[[Path], str], colours: Path, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The address of a gallery of 60 photos."""
    folder = tmp_path_factory.mktemp("gallery")
    return serve(library_of(colours, folder / "library", *photos(folder), policed=True))


@pytest.fixture(scope="module")
def empty(
    serve: Callable[[Path], str], colours: Path, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The address of a gallery without a photo."""
    return serve(library_of(colours, tmp_path_factory.mktemp("empty")))


# -- the browser ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Open]:
    """Opens a gallery; afterwards nothing may have gone wrong in its pages, nor left its host.

    ``refused`` are the HTTP statuses that the test provokes.
    """
    troubles: list[str] = []
    contexts = []

    def open_(address: str, *, refused: tuple[int, ...] = (), **settings: Any) -> Page:
        host = re.match(r"http://[^/]+/", address)
        context = chromium.new_context(**({"viewport": WIDE} | settings))
        contexts.append(context)
        page = context.new_page()

        def hear(message: ConsoleMessage) -> None:
            known = any(f"status of {status} " in message.text for status in refused)
            if (
                message.type in ("error", "warning")
                and not known
                and "ERR_FAILED" not in message.text
            ):
                troubles.append(f"console: {message.text} {message.location['url']}")

        def watch(request: Request) -> None:
            if host is None or not request.url.startswith((host[0], "blob:", "data:")):
                troubles.append(f"request: {request.url}")

        page.on("console", hear)
        page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        page.on("request", watch)
        page.goto(address)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not troubles


def tiles(page: Page) -> Locator:
    return page.locator("#photos > li")


def names(page: Page) -> list[str]:
    """The photos shown, in their order."""
    found = page.locator("#photos > li img").evaluate_all("all => all.map(one => one.alt)")
    return [str(name) for name in found]


def first(page: Page, name: str) -> None:
    """Waits until a photo comes first."""
    expect(tiles(page).first.get_by_role("img")).to_have_attribute("alt", name)


def search(page: Page, text: str, name: str) -> None:
    page.get_by_role("searchbox").fill(text)
    first(page, name)


def accessible(page: Page) -> None:
    """axe-core finds nothing serious, colours of text included."""
    page.wait_for_timeout(400)  # what fades in is pale at first
    found = Axe().run(page, options={"resultTypes": ["violations"]})
    grave = [
        f"{each['id']}: {node['html']} {node['failureSummary']}"
        for each in found.response["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
    assert not grave, "\n".join(grave)


def picture(colour: str, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), COLOURS[colour]).save(buffer, kind)
    return buffer.getvalue()


HAND_OVER = """([event, name, type, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name, { type }));
  const given = event === "paste"
    ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
    : new DragEvent(event, { dataTransfer: data, bubbles: true, cancelable: true });
  document.body.dispatchEvent(given);
}"""


def hand_over(page: Page, event: str, name: str, data: bytes, kind: str = "image/png") -> None:
    """Drops or pastes a file, as a person's hand would."""
    page.evaluate(HAND_OVER, [event, name, kind, list(data)])


# -- searching --------------------------------------------------------------------------------


def test_the_newest_photos_come_first_of_all(visit: Open, gallery: str) -> None:
    page = visit(gallery)
    expect(page.locator("#summary")).to_have_text("60 photos, newest first")
    expect(tiles(page).first.locator("img")).to_have_js_property("complete", True)
    assert not page.locator("#photos .fit:visible").count()
    accessible(page)


def test_a_search_as_one_types(visit: Open, gallery: str) -> None:
    page = visit(gallery)
    expect(tiles(page).nth(1)).to_be_visible()
    page.get_by_role("searchbox").press_sequentially("red", delay=30)
    first(page, "red.jpg")
    expect(tiles(page).first).to_have_text("fits very well")
    expect(tiles(page).nth(1)).to_have_text("fits partly")
    expect(page).to_have_url(f"{gallery}?q=red")
    expect(page).to_have_title("red \N{EN DASH} pixquery")
    expect(page.locator("#told")).to_contain_text("40 photos shown for red")
    assert set(names(page)[1:]) >= {"black.jpg", "yellow.jpg", "magenta.tiff"}
    accessible(page)
    page.go_back()  # one stretch of typing is one step
    expect(page).to_have_url(gallery)
    expect(page.locator("#summary")).to_have_text("60 photos, newest first")
    page.go_forward()
    first(page, "red.jpg")
    expect(page.get_by_role("searchbox")).to_have_value("red")


def test_an_answer_that_comes_too_late_is_dropped(visit: Open, gallery: str) -> None:
    page = visit(gallery)
    held: list[Route] = []
    dropped: list[str] = []
    page.route("**/api/search?q=red&*", lambda route: held.append(route))
    page.on("requestfailed", lambda request: dropped.append(request.url))
    with page.expect_request("**/api/search?q=red&*"):
        page.get_by_role("searchbox").fill("red")
    expect(page.locator("#busy")).to_be_visible()
    search(page, "green", "green.png")
    expect(page.locator("#busy")).to_be_hidden()
    assert [url for url in dropped if "q=red" in url]
    assert held


def test_words_typed_before_the_library_is_known_stay(visit: Open, gallery: str) -> None:
    page = visit(gallery)
    held: list[Route] = []
    page.route("**/api/library", lambda route: held.append(route))
    with page.expect_request("**/api/library"):
        page.reload()
    page.get_by_role("searchbox").press_sequentially("re")
    held[0].continue_()
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
    expect(page.locator("#summary")).to_contain_text("This is likeness")
    accessible(page)
    page.get_by_role("button", name=re.compile("^less green: change")).click()
    expect(page).to_have_url(f"{gallery}?q=yellow&minus=green%3A2")
    first(page, "magenta.tiff")  # yellow has green in it, and too much of that is taken off
    page.get_by_role("button", name="Remove: much less green").click()
    first(page, "yellow.jpg")
    expect(page).to_have_url(f"{gallery}?q=yellow")


def test_a_refused_word(visit: Open, gallery: str) -> None:
    page = visit(gallery, refused=(403,))
    page.get_by_role("searchbox").fill("child")
    expect(page.get_by_role("alert")).to_contain_text("This is not searched for")
    expect(tiles(page)).to_have_count(0)
    accessible(page)
    page.get_by_role("button", name="Start anew").click()
    expect(page.locator("#summary")).to_have_text("60 photos, newest first")
    expect(page.get_by_role("searchbox")).to_be_focused()


# -- filters ----------------------------------------------------------------------------------


def test_filters_are_chips(visit: Open, gallery: str) -> None:
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
    ("asked", "chip", "found"),
    [
        ("taken=2021-05", "taken May 2021", {"red.jpg"}),
        ("camera=Canon", "Canon", {"red.jpg"}),
        ("format=PNG", "PNG", {"green.png"}),
        ("min_width=900", "at least 900 px wide", {"yellow.jpg", "white.jpg"}),
        ("near=48.2,16.4", "near 48.2, 16.4", {"red.jpg"}),
        ("path=*gre*", "named gre", {"green.png"}),
        ("q=red&min_relevance=0.45", "at least “fits”", {"red.jpg"}),
    ],
)
def test_every_filter_has_a_chip(
    visit: Open, gallery: str, asked: str, chip: str, found: set[str]
) -> None:
    page = visit(f"{gallery}?{asked}")
    expect(tiles(page)).to_have_count(len(found))
    assert set(names(page)) == found
    page.get_by_role("button", name=f"Remove: {chip}").click()
    expect(page.get_by_role("button", name=f"Remove: {chip}")).to_have_count(0)
    expect(tiles(page).nth(len(found))).to_be_attached()


def test_nothing_found_names_the_way_out(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=red&camera=Leica")
    expect(page.get_by_role("heading", name="No photo passes these filters")).to_be_visible()
    accessible(page)
    page.get_by_role("button", name="Remove all filters").click()
    first(page, "red.jpg")
    expect(page).to_have_url(f"{gallery}?q=red")


def test_a_filter_that_makes_no_sense(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=red&taken=summer", refused=(422,))
    expect(page.get_by_role("alert")).to_contain_text("write 2023")
    page.get_by_role("button", name="Remove all filters").click()
    first(page, "red.jpg")


# -- photos to search by ----------------------------------------------------------------------


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_photo_of_ones_own(visit: Open, gallery: str, event: str) -> None:
    page = visit(gallery)
    expect(tiles(page).first).to_be_visible()
    if event == "drop":
        hand_over(page, "dragenter", "mine.png", b"")
        expect(page.get_by_text("Let go to search by this photo")).to_be_visible()
    hand_over(page, event, "mine.png", picture("blue"))
    first(page, "blue.webp")
    expect(page.locator("#drop")).to_be_hidden()
    expect(page.locator("#summary")).to_contain_text("This is likeness")
    expect(page.locator(".chip.example")).to_contain_text("like mine.png")
    accessible(page)
    page.go_back()
    expect(page.locator("#summary")).to_have_text("60 photos, newest first")
    page.go_forward()
    first(page, "blue.webp")
    page.reload()  # the address cannot hold a photo
    expect(page.get_by_role("heading", name="“mine.png” was not kept")).to_be_visible()
    expect(page.locator("#summary")).to_have_text("60 photos, newest first")
    expect(page).to_have_url(gallery)
    accessible(page)


def test_a_chosen_photo_keeps_the_filters(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?orientation=landscape")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Search by a photo").click()
    file = {"name": "sun.jpg", "mimeType": "image/jpeg", "buffer": picture("yellow", "JPEG")}
    chooser.value.set_files(file)  # type: ignore[arg-type]
    first(page, "yellow.jpg")
    assert "blue.webp" not in names(page)
    page.get_by_role("button", name="Remove: like sun.jpg").click()
    expect(page).to_have_url(f"{gallery}?orientation=landscape")


def test_a_file_that_is_no_photo(visit: Open, gallery: str) -> None:
    page = visit(gallery, refused=(415, 422))
    expect(tiles(page).first).to_be_visible()
    hand_over(page, "drop", "mine.png", b"no photo at all")
    expect(page.get_by_role("alert")).to_contain_text("This photo cannot be searched by")
    expect(page.get_by_role("button", name="Choose another photo")).to_be_visible()
    accessible(page)
    page.get_by_role("button", name="Remove: like mine.png").click()
    expect(page.locator("#summary")).to_have_text("60 photos, newest first")


def test_a_file_that_is_too_large_is_not_sent(visit: Open, gallery: str) -> None:
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
    expect(page.locator("#summary")).to_contain_text("Most alike of 59 photos")
    expect(page.locator("#summary")).to_be_focused()
    expect(page.locator(".chip.example")).to_contain_text("like green.png")
    assert "green.png" not in names(page)
    assert set(names(page)[:3]) <= {"black.jpg", "cyan.jpg", "yellow.jpg"} | {
        f"shade-{place:02}.jpg" for place in range(SHADES)
    }
    accessible(page)
    page.go_back()
    first(page, "green.png")
    page.go_forward()
    page.reload()
    expect(page.locator(".chip.example")).to_contain_text("like green.png")


# -- one photo, large -------------------------------------------------------------------------


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
    page.goto(address)  # opened by a link, there is nothing to go back to
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
    """How wide the large photo is, how much of it there is room for, and how far it is scrolled."""
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
    whole = pane(page)
    assert whole["width"] == 1200
    assert whole["x"] == pytest.approx((1200 - whole["room"]) / 2, abs=1)
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
    page.get_by_role("button", name="Next photo").click()  # the next one is shown whole
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
    assert after["left"] + 0.25 * after["width"] == pytest.approx(x, abs=1.5)  # it stays in place
    page.mouse.down()
    page.mouse.move(x - 40, y, steps=4)
    page.mouse.up()
    assert pane(page)["x"] == pytest.approx(after["x"] + 40, abs=1)  # dragged, and not clicked
    page.mouse.wheel(0, 100)
    page.wait_for_function("document.getElementById('pane').scrollTop > 50")
    page.mouse.click(x, y)
    assert pane(page)["width"] == before["width"]


def test_no_full_size_for_what_is_shown_in_it(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=red")  # 480 pixels wide
    tiles(page).first.get_by_role("link").click()
    expect(page.locator("#large")).to_have_attribute("src", re.compile("/file$"))
    expect(page.get_by_role("button", name="Full size")).to_be_disabled()
    before = pane(page)
    page.keyboard.press("z")
    page.locator("#large").click()
    assert pane(page) == before


def test_a_photo_whose_file_is_gone(visit: Open, gallery: str) -> None:
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
    expect(page.locator("#large-failed")).to_contain_text("is gone, was changed or is damaged")
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


# -- endless ----------------------------------------------------------------------------------


def test_scrolling_brings_more(visit: Open, gallery: str) -> None:
    page = visit(gallery, viewport={"width": 800, "height": 400})
    expect(tiles(page).nth(39)).to_be_attached()
    page.mouse.move(400, 300)
    page.mouse.wheel(0, 20_000)
    expect(tiles(page)).to_have_count(60)
    expect(page.locator("#more")).to_be_hidden()
    expect(page.locator("#told")).to_have_text("20 more photos, 60 in all")
    page.mouse.wheel(0, 20_000)
    expect(tiles(page).last).to_be_in_viewport()
    page.wait_for_timeout(500)  # until the history knows where the page is
    page.reload()
    expect(tiles(page)).to_have_count(60)
    expect(tiles(page).last).to_be_in_viewport()


def test_a_button_brings_more_where_nothing_scrolls(visit: Open, gallery: str) -> None:
    page = visit(f"{gallery}?q=black")
    page.add_init_script("window.IntersectionObserver = class { observe() {} disconnect() {} }")
    page.reload()
    more = page.get_by_role("button", name="More photos")
    more.focus()
    page.keyboard.press("Enter")
    expect(tiles(page)).to_have_count(60)
    expect(tiles(page).nth(40).get_by_role("link")).to_be_focused()


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


# -- states -----------------------------------------------------------------------------------


def test_an_empty_library(visit: Open, empty: str) -> None:
    page = visit(empty)
    expect(page.get_by_role("heading", name="No photos yet")).to_be_visible()
    command = page.locator("#notice code")
    expect(command).to_have_text(re.compile(r"^pixquery index ~/Pictures --library /\S+$"))
    accessible(page)


def test_a_library_that_comes_into_being(
    visit: Open, serve: Callable[[Path], str], colours: Path, tmp_path: Path
) -> None:
    page = visit(serve(tmp_path / "later"), refused=(503,))
    expect(page.get_by_role("heading", name="The library is not ready")).to_be_visible()
    expect(page.locator("#notice code")).to_contain_text(f"--library {tmp_path / 'later'}")
    accessible(page)
    square(tmp_path / "photos" / "red.jpg", "red")
    library_of(colours, tmp_path / "later", tmp_path / "photos")
    page.wait_for_timeout(1100)  # the server looks again each second
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#summary")).to_have_text("1 photo, newest first")


def test_a_busy_server_is_asked_again(visit: Open, gallery: str) -> None:
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


def test_pictures_are_kept_by_the_browser(visit: Open, gallery: str) -> None:
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


def test_pictures_that_did_not_come_are_asked_for_again(visit: Open, gallery: str) -> None:
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


def test_a_server_that_is_gone(visit: Open, gallery: str) -> None:
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
    page.get_by_role("button", name="Colours: as the system").click()
    page.get_by_role("button", name="Filters").click()
    assert page.evaluate(ground) == "rgb(251, 251, 250)"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Colours: light").click()
    page.reload()
    expect(page.get_by_role("button", name="Colours: dark")).to_be_visible()
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
    """A finger goes over the photo from left to right or back."""
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


# -- pure functions ---------------------------------------------------------------------------


def called(page: Page, module: str, function: str, *arguments: Any) -> Any:
    """What a function of one of the page's modules returns."""
    script = "([module, name, args]) => import(module).then(all => all[name](...args))"
    return page.evaluate(script, [f"/static/{module}.js", function, list(arguments)])


@pytest.mark.parametrize(("width", "height"), [(1240, 232), (374, 150), (2500, 232), (120, 150)])
def test_rows_keep_shapes_and_fill_the_page(
    visit: Open, gallery: str, width: int, height: int
) -> None:
    page = visit(gallery)
    sizes = [(4000, 3000), (3000, 4000), (1000, 1000), (1920, 1080), (159, 239), (2400, 1000)]
    shapes = [{"width": w, "height": h} for place in range(60) for w, h in sizes[place % 5 :]]
    answer = called(page, "rows", "layOut", shapes, width, height, 8)
    boxes = answer["boxes"]
    assert len(boxes) == len(shapes)
    rows: dict[int, list[Any]] = {}
    for shape, box in zip(shapes, boxes, strict=True):
        rows.setdefault(box["top"], []).append(box)
        if box["width"] < width - 2:
            assert box["width"] / box["height"] == pytest.approx(
                shape["width"] / shape["height"], abs=0.03
            )
    tops = sorted(rows)
    for top, following in pairwise(tops):
        row = rows[top]
        assert top + row[0]["height"] + 8 == following
        assert row[0]["left"] == 0
        for left, right in pairwise(row):
            assert left["left"] + left["width"] + 8 == right["left"]
        if row[0]["height"] < round(height * 1.4):
            assert row[-1]["left"] + row[-1]["width"] == width
        assert row[0]["height"] <= height * 1.4 + 1
    assert answer["height"] == tops[-1] + rows[tops[-1]][0]["height"]


def test_rows_of_odd_photos(visit: Open, gallery: str) -> None:
    page = visit(gallery)
    assert called(page, "rows", "layOut", [], 500, 200, 8) == {"boxes": [], "height": 0}
    for odd in (
        {"width": 30_000, "height": 100},
        {"width": 1, "height": 9000},
        {"width": 0, "height": 0},
    ):
        (box,) = called(page, "rows", "layOut", [odd], 500, 200, 8)["boxes"]
        assert 0 < box["width"] <= 500
        assert 0 < box["height"] <= 280


@pytest.mark.parametrize(
    "address",
    [
        "./",
        "?q=red",
        "?q=a+red+car&plus=snow%3A0.5&plus=ice&minus=people%3A2",
        "?minus=ratio+16%3A9%3A1&like_id=3&like_id=4",
        "?q=%26+%2B+%25+%22%3Cb%3E%22+%C3%A9&format=PNG&format=JPEG+XL",
        "?q=x&path=*may*&taken=2023..2024-06&root=2&orientation=portrait&photo=7",
        "?q=x&example=holiday.jpg&photo=7",
    ],
)
def test_an_address_and_a_state_say_the_same(visit: Open, gallery: str, address: str) -> None:
    page = visit(gallery)
    state = called(page, "address", "fromAddress", address.removeprefix("./"))
    assert called(page, "address", "toAddress", state) == address
    request = called(page, "address", "toRequest", state)
    assert "example" not in request
    assert "photo" not in request


def test_cameras_that_are_part_of_others_say_so(visit: Open, gallery: str) -> None:
    page = visit(gallery)
    cameras = [{"name": name} for name in ("Apple iPhone 12", "Apple iPhone 12 Pro", "Canon 80D")]
    told = [called(page, "filters", "kinds", camera["name"], cameras) for camera in cameras]
    assert told == ["Apple iPhone 12, all kinds", "Apple iPhone 12 Pro", "Canon 80D"]


def test_weights_in_addresses(visit: Open, gallery: str) -> None:
    page = visit(gallery)
    state = called(page, "address", "fromAddress", "?plus=ratio 16:9:1&minus=snow : .5&minus= ")
    assert state["plus"] == [{"text": "ratio 16:9", "weight": 1}]
    assert state["minus"] == [{"text": "snow", "weight": 0.5}]


def test_words_for_numbers(visit: Open, gallery: str) -> None:
    page = visit(gallery)
    for relevance, word in (
        (1, "fits very well"), (0.7, "fits very well"), (0.69, "fits"), (0.45, "fits"),
        (0.44, "fits partly"), (0.2, "fits partly"), (0.19, "hardly fits"), (0, "hardly fits"),
    ):  # fmt: skip
        assert called(page, "words", "fit", relevance)["word"] == word
    for time_, words in (
        ("2023", "2023"), ("2023-07", "July 2023"), ("2023-07-04", "4 July 2023"),
        ("2023..2024-06", "2023 to June 2024"), ("2023..", "since 2023"), ("..2020", "until 2020"),
    ):  # fmt: skip
        assert called(page, "words", "period", time_) == words
    for count, words in ((999, "999 bytes"), (62_451, "62.5 KB"), (12_345_678, "12.3 MB")):
        assert called(page, "words", "bytes", count) == words
    where = called(page, "words", "place", {"latitude": -33.9249, "longitude": 18.4241})
    assert where == "33.9249° S, 18.4241° E"
