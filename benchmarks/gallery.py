"""How fast and how heavy is the gallery of a large library: first paint, jumps, memory, bytes?

The library has real photos under many names (hard links), with dates over twenty years and the
shapes of cameras and phones. A browser opens the start page, jumps to places in time, and scrolls.
Needs Chromium on PATH, and Playwright.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from benchmarks import made
from benchmarks.setting import (
    EXAMPLES,
    FLICKR8K,
    ROOT,
    first_of,
    machine,
    photos_in,
    print_json,
    quantiles,
    say,
    versions,
)
from pixquery import Library
from pixquery.db.records import FileState, Floats, ImageRecord
from pixquery.indexer.build import index

JUMPS = 30
SCREENS = 300
STARTS = 5
DAYS = 20 * 365
SHAPES = (
    [(4000, 3000)] * 12 + [(3000, 4000)] * 4 + [(6000, 4000)] * 2 + [(4000, 6000), (4032, 2268)]
)
"""Width and height, as often as people have them."""
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESKTOP = {"viewport": {"width": 1280, "height": 860}}

WATCH = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""

SEEN = """(pictures) => {
  const tiles = [...document.querySelectorAll("#photos > .photo")].filter((tile) => {
    const box = tile.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight;
  });
  return tiles.length > 0 && tiles.every((tile) =>
    !tile.classList.contains("blank") && (!pictures || tile.classList.contains("loaded")));
}"""

JUMP = (
    """async (share) => {
  const seen = """
    + SEEN
    + """;
  const frame = () => new Promise((done) => { requestAnimationFrame(done); });
  const strip = document.getElementById("scrubber");
  const box = strip.getBoundingClientRect();
  const at = { clientX: box.right - 8, clientY: box.top + share * box.height, pointerId: 1,
    bubbles: true, button: 0, isPrimary: true };
  strip.setPointerCapture = () => {};
  const begin = performance.now();
  strip.dispatchEvent(new PointerEvent("pointerdown", at));
  strip.dispatchEvent(new PointerEvent("pointerup", at));
  while (!seen(false)) await frame();
  const photos = performance.now() - begin;
  while (!seen(true) && performance.now() - begin < 20_000) await frame();
  return [photos, performance.now() - begin];
}"""
)


def main() -> None:
    """Makes and serves the library, drives the browser, and prints the figures."""
    arguments = _arguments()
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit(
            "there is no chromium on PATH: install it (Debian: apt-get install chromium)"
        )
    document: dict[str, Any] = {
        "question": "first paint, jumps, memory and bytes of the gallery of a large library",
        "machine": machine(),
        "versions": versions("playwright", "fastapi", "starlette"),
        "photos": arguments.count,
    }
    with made.workplace(arguments.place) as place:
        folder = _library(place, arguments)
        with _served(folder) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--js-flags=--expose-gc"]
            )
            document["browser"] = browser.version
            for name, device in (("desktop", DESKTOP), ("phone", PHONE)):
                say(f"{name}: {STARTS} starts")
                document[name] = {"start": _starts(browser, address, device)}
                say(f"{name}: {JUMPS} jumps, {SCREENS} screens")
                document[name] |= _moved(browser, address, device)
            browser.close()
    print_json(document)


def _arguments() -> argparse.Namespace:
    parser = made.parser(__doc__, "photos of the library")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="photos to use")
    parser.add_argument("--different", type=int, default=400, metavar="N",
                        help="how many of them (400)")  # fmt: skip
    return parser.parse_args()


# -- the library ----------------------------------------------------------------------------------


def _library(place: Path, arguments: argparse.Namespace) -> Path:
    photos = photos_in(arguments.photos or first_of(FLICKR8K / "images" / "dev", EXAMPLES))
    photos = photos[: arguments.different]
    say(f"indexing {len(photos)} photos")
    originals, root = place / "originals", place / "photos"
    originals.mkdir()
    for photo in photos:
        shutil.copyfile(photo, originals / photo.name)
    with Library.open(place / "library", create=True) as library:
        index(library, [originals])
        known = list(library.catalog.everything())
        raw = np.concatenate([rows for _, rows in made.raw_vectors(library)])
        say(f"adding {arguments.count - len(known):,} names of them")
        with library.writing():
            _add(library, root, known, raw, arguments.count - len(known))
            library.publish()
        return library.folder


def _add(library: Library, root: Path, known: list[ImageRecord], raw: Floats, count: int) -> None:
    rng = Random(0)
    root_id = library.catalog.add_root(root)
    first = datetime(2005, 1, 1)
    for start in range(0, count, made.WRITTEN_AT_ONCE):
        numbers = range(start, min(start + made.WRITTEN_AT_ONCE, count))
        records = []
        for number in numbers:
            like = known[number % len(known)]
            path = root / f"{number // made.A_FOLDER:04d}" / f"IMG_{number:06d}.jpg"
            if number % made.A_FOLDER == 0:
                path.parent.mkdir(parents=True)
            os.link(like.path, path)
            moment = first + timedelta(days=rng.randrange(DAYS), seconds=rng.randrange(86_400))
            records.append(
                ImageRecord(
                    path,
                    FileState.of(path.stat()),
                    like.content,
                    *rng.choice(SHAPES),
                    like.format,
                    moment if number % 10 else None,
                )
            )
        vectors = raw[np.arange(start, start + len(records)) % len(known)].astype(np.float16)
        library.catalog.put(root_id, records, vectors, library.profile.encoder)


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    command = [sys.executable, str(ROOT / "cli.py"), "serve", "--port", "0", "--json"]
    process = subprocess.Popen(
        [*command, "--library", str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        output = ""
        while process.stdout is not None and not output.endswith("}\n"):
            output += process.stdout.readline() or "}\n"
        yield str(json.loads(output)["url"])
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


# -- the browser ----------------------------------------------------------------------------------


def _starts(browser: Browser, address: str, device: dict[str, Any]) -> dict[str, Any]:
    """Starts with an empty cache of the browser; the server's cache is warm after the first."""
    paints, tiles, pictures, facts = [], [], [], {}
    for number in range(STARTS + 1):
        context = browser.new_context(**device)
        page = context.new_page()
        page.add_init_script(WATCH)
        page.goto(address)
        page.wait_for_function(SEEN, arg=False, polling="raf")
        tile = page.evaluate("performance.now()")
        page.wait_for_function(SEEN, arg=True, polling="raf")
        picture = page.evaluate("performance.now()")
        if number:
            paint = page.evaluate(
                "performance.getEntriesByName('first-contentful-paint')[0].startTime"
            )
            paints.append(paint)
            tiles.append(tile)
            pictures.append(picture)
            facts = _transferred(page)
        context.close()
    return {
        "first_contentful_paint_milliseconds": quantiles(paints, 0),
        "photos_in_place_milliseconds": quantiles(tiles, 0),
        "pictures_loaded_milliseconds": quantiles(pictures, 0),
        **facts,
    }


def _transferred(page: Page) -> dict[str, Any]:
    entries = page.evaluate(
        """["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind))
          .map((entry) => [entry.name, entry.transferSize])"""
    )
    others = [(name, size) for name, size in entries if "/thumbnail?" not in name]
    timeline = [size for name, size in entries if "/api/timeline" in name]
    return {
        "requests": len(entries),
        "requests_but_pictures": len(others),
        "kilobytes_but_pictures": round(sum(size for _, size in others) / 1e3, 1),
        "kilobytes_of_timeline": round(sum(timeline) / 1e3, 1),
        "kilobytes_of_pictures": round(
            sum(size for name, size in entries if "/thumbnail?" in name) / 1e3, 1
        ),
        "layout_shift": page.evaluate("window.shifted"),
    }


def _moved(browser: Browser, address: str, device: dict[str, Any]) -> dict[str, Any]:
    context = browser.new_context(**device)
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(address)
    page.wait_for_function(SEEN, arg=True, polling="raf")
    session = context.new_cdp_session(page)
    memory = {"start": _memory(session)}
    rng = Random(1)
    jumps = [page.evaluate(JUMP, rng.random()) for _ in range(JUMPS)]
    memory["after_jumps"] = _memory(session)
    for number in range(SCREENS):
        page.evaluate("scrollBy(0, innerHeight)")
        if number % 10 == 9:
            page.wait_for_function(SEEN, arg=False, polling="raf")
        page.wait_for_timeout(16)
    page.wait_for_function(SEEN, arg=True, polling="raf")
    memory["after_scrolling"] = _memory(session)
    shift = page.evaluate("window.shifted")
    context.close()
    return {
        "jumps": {
            "photos_in_place_milliseconds": quantiles([photos for photos, _ in jumps], 0),
            "pictures_loaded_milliseconds": quantiles([pictures for _, pictures in jumps], 0),
        },
        "memory": memory,
        "layout_shift": shift,
    }


def _memory(session: CDPSession) -> dict[str, float]:
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = {
        one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]
    }
    return {
        "script_megabytes": round(metrics["JSHeapUsedSize"] / 1e6, 1),
        "nodes": int(metrics["Nodes"]),
    }


if __name__ == "__main__":
    main()
