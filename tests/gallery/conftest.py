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
from datetime import datetime, timedelta
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
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.conftest import COLOURS, REPOSITORY, square

CHROMIUM = shutil.which("chromium")

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on PATH (Debian: apt-get install chromium)"
)

expect.set_options(timeout=20_000)

COUNT = 400
"""Number of photos by date."""
SHADES = 52
"""Number of nearly black photos, so that there is more than one page."""

WIDE: ViewportSize = {"width": 1280, "height": 860}
NARROW: ViewportSize = {"width": 390, "height": 844}
PHONE: dict[str, Any] = {"viewport": NARROW, "has_touch": True, "is_mobile": True}
Open = Callable[..., Page]


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


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[..., str]]:
    """Starts `pixquery serve` for a library and returns its address."""
    started: list[subprocess.Popen[bytes]] = []

    def start(library: Path, *options: str) -> str:
        port = free_port()
        command = [sys.executable, str(REPOSITORY / "cli.py"), "serve", "--library", str(library)]
        words = [*command, "--port", str(port), *options]
        process = subprocess.Popen(words, stderr=subprocess.PIPE)
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
    """A library with the colour profile."""
    from pixquery import Library
    from pixquery.indexer.build import index

    with Library.open(folder, create=True, profile=str(colours)) as library:
        if roots:
            index(library, list(roots))
        if policed:
            library.switch_policy(on=True)
    return folder


@pytest.fixture(scope="session")
def gallery(
    serve: Callable[[Path], str], colours: Path, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The address of a gallery of 60 photos."""
    folder = tmp_path_factory.mktemp("gallery")
    return serve(library_of(colours, folder / "library", *photos(folder), policed=True))


def moment(number: int) -> datetime:
    """When a photo was taken: 16 a month, from January 2020 on, the last in January 2022."""
    month = number // 16
    return datetime(2020 + month // 12, month % 12 + 1, 1, 12) + timedelta(hours=number % 16)


def write(folder: Path, number: int) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = f"{moment(number):%Y:%m:%d %H:%M:%S}"
    colour = (number % 3 * 120, number * 7 % 256, number * 13 % 256)
    square(folder / f"{number:03}.jpg", colour, (120, 80 + number % 4 * 30), exif=exif)


@pytest.fixture(scope="session")
def dated(
    serve: Callable[[Path], str], colours: Path, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The address of a gallery of 400 photos of 25 months."""
    folder = tmp_path_factory.mktemp("dated")
    for number in range(COUNT):
        write(folder / "photos", number)
    return serve(library_of(colours, folder / "library", folder / "photos"))


@pytest.fixture(scope="session")
def empty(
    serve: Callable[[Path], str], colours: Path, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The address of a gallery without a photo."""
    return serve(library_of(colours, tmp_path_factory.mktemp("empty")))


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Closed before other tests run: while Playwright is open, asyncio cannot run in its thread."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Open]:
    """Opens a gallery. Afterwards its pages must have logged nothing and requested no other host.

    ``refused`` lists the HTTP statuses that the test provokes.
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
    return page.locator("#photos > .photo:not(.blank)")


def names(page: Page) -> list[str]:
    """File names of the photos shown, in order."""
    names = page.locator("#photos > li img").evaluate_all("all => all.map(one => one.alt)")
    return [str(name) for name in names]


def only(page: Page, *names: str) -> None:
    """Waits until these photos are shown, in this order, and no other."""
    photos = page.locator("#photos > li img")
    expect(photos).to_have_count(len(names))
    for place, name in enumerate(names):
        expect(photos.nth(place)).to_have_attribute("alt", name)


def first(page: Page, name: str) -> None:
    """Waits until this photo is the first."""
    expect(tiles(page).first.get_by_role("img")).to_have_attribute("alt", name)


def search(page: Page, text: str, name: str) -> None:
    page.get_by_role("searchbox").fill(text)
    first(page, name)


def accessible(page: Page) -> None:
    """Fails if axe-core finds a serious problem, such as text with too little contrast."""
    page.wait_for_timeout(400)  # until nothing fades in any more
    report = Axe().run(page, options={"resultTypes": ["violations"]})
    grave = [
        f"{each['id']}: {node['html']} {node['failureSummary']}"
        for each in report.response["violations"]
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
  const input = event === "paste"
    ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
    : new DragEvent(event, { dataTransfer: data, bubbles: true, cancelable: true });
  document.body.dispatchEvent(input);
}"""


def hand_over(page: Page, event: str, name: str, data: bytes, kind: str = "image/png") -> None:
    """Drops or pastes a file like a user."""
    page.evaluate(HAND_OVER, [event, name, kind, list(data)])


def called(page: Page, module: str, function: str, *arguments: Any) -> Any:
    """What a function of one of the page's modules returns."""
    script = "([module, name, args]) => import(module).then(all => all[name](...args))"
    return page.evaluate(script, [f"/static/{module}.js", function, list(arguments)])
