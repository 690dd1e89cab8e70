"""What do sixty judgements bring, given in a terminal and in the browser?

Run it: ``python -m tests.proofs.judging_session`` (about four minutes; it needs Chromium and
Flickr8k's development photos).

Two people are played by the captions of Flickr8k. A lenient one says yes if the five captions of a
photo have all words of a description, partly if they have some, and no otherwise. A strict one says
yes if three captions have all words, partly if one has, and no otherwise. Each answers `pixquery
judge` on a terminal, which chooses descriptions and photos, and then, in another library, presses
keys in the gallery on the photos that six searches find. `pixquery train` learns from each. The
shipped relevance and the new one are compared on pairs whose photo and description were both not
judged: candidates of descriptions that nobody was asked about.
"""

import argparse
import csv
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import expect, sync_playwright

from benchmarks.setting import FLICKR8K, machine, needed, print_json, say, versions
from pixquery import Library
from pixquery.commands.loading import view_loader
from pixquery.engine.judging import EVERYDAY, text_to_judge
from pixquery.engine.profile import load_profile
from pixquery.engine.ratings_file import NO, PARTLY, VERDICTS, YES, RatingsFile
from pixquery.indexer.build import index
from pixquery.trainer.learning.from_library import judged_in
from pixquery.trainer.learning.options import Options
from pixquery.trainer.learning.train import train
from pixquery.trainer.measuring.metrics import bootstrap, rmse
from tests.played import predicted
from tests.terminals import Terminal

_COUNT = 60
_SEARCHES = ("a dog on grass", "children playing", "a man on a bike", "snow", "people in water",
             "a crowd")  # fmt: skip
_LEAVE_OUT = {"a", "an", "the", "on", "in", "at", "of", "and"}
_ASKED = re.compile(r"\d+\. (.+)\?  (\S+)\n")


class Person:
    """Judges photos of Flickr8k by their captions."""

    def __init__(self, file: Path, *, strict: bool) -> None:
        """Reads the captions."""
        self._strict = strict
        self._captions: dict[str, list[set[str]]] = {}
        with file.open(encoding="utf-8", newline="") as opened:
            for row in csv.DictReader(opened):
                self._captions.setdefault(row["image"], []).append(_stems(row["query_text"]))

    def verdict(self, photo: Path, text: str) -> str:
        """What they say of a photo."""
        wanted, captions = _stems(text), self._captions[photo.name]
        if self._strict:
            agreeing = sum(wanted <= caption for caption in captions)
            return YES if agreeing >= 3 else PARTLY if agreeing else NO
        there = set().union(*captions)
        return YES if wanted <= there else PARTLY if wanted & there else NO


def _stems(text: str) -> set[str]:
    words = set(re.findall("[a-z]+", text.lower())) - _LEAVE_OUT
    return {re.sub("(ing|s)$", "", word) for word in words}


def main() -> None:
    """Plays both sessions, trains, and prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=_COUNT, metavar="N", help="judgements (60)")
    parser.add_argument("--library", type=Path, metavar="DIR", help="of the development photos, "
                        "which is copied; by default they are indexed")  # fmt: skip
    arguments = parser.parse_args()
    data = needed(FLICKR8K)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="pixquery-proof-") as folder:
        made = Path(folder) / "library"
        if arguments.library:
            shutil.copytree(arguments.library, made)
        else:
            say("indexing the development photos")
            with Library.open(made, create=True) as library:
                index(library, [data / "images" / "dev"])
        (made / "ratings.csv").unlink(missing_ok=True)
        for who in ("lenient", "strict"):
            person = Person(data / "captions_dev.csv", strict=who == "strict")
            for name, play in (("terminal", in_terminal), ("browser", in_browser)):
                say(f"{who}, judging in the {name}")
                own = shutil.copytree(made, Path(folder) / f"{who}-{name}")
                play(own, person, arguments.count)
                out = Path(folder) / f"{who}-{name}-profile"
                figures[f"{who}, {name}"] = learned(own, person, out)
    print_json({"machine": machine(), "versions": versions(), "sessions": figures})


def in_terminal(folder: Path, person: Person, count: int) -> None:
    """Answers the questions of `pixquery judge`."""
    with Terminal("judge", "--no-pictures", "-n", str(count), "--library", folder) as terminal:
        for _ in range(count):
            asked = terminal.wait_for_line(_ASKED)
            terminal.press(person.verdict(Path(asked[2]), asked[1])[0])
        code, sent = terminal.end()
    if code:
        raise SystemExit(sent)


def in_browser(folder: Path, person: Person, count: int) -> None:
    """Presses keys on every third photo that some searches find."""
    with (
        Terminal("serve", "--port", "0", "--json", "--library", folder) as terminal,
        sync_playwright() as playwright,
    ):
        address = terminal.wait_for_line(re.compile(r'"url": "([^"]+)"'))[1]
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        given = 0
        for text in _SEARCHES:
            page.goto(f"{address}?q={text}")
            tiles = page.locator("#photos > li")
            expect(tiles.first.locator(".verdicts")).not_to_have_attribute("hidden", "")
            names = [str(name) for name in page.locator("#photos img").evaluate_all(
                "all => all.map((one) => one.alt)")]  # fmt: skip
            for name in names[:: max(1, len(names) * len(_SEARCHES) // count)]:
                if given == count:
                    break
                page.locator("#photos > li", has=page.get_by_alt_text(name)).locator("a").focus()
                page.keyboard.press(person.verdict(Path(name), text)[0])
                given += 1
            expect(page.locator(".toast")).to_be_visible()
            page.wait_for_timeout(500)
        browser.close()
    kept = len(RatingsFile(folder).read().counting)
    if kept != given:
        raise SystemExit(f"{given} judgements were given, and {kept} were kept")


def learned(folder: Path, person: Person, out: Path) -> dict[str, Any]:
    """Trains on the judgements of a library, and measures what it brought."""
    with Library.open(folder) as library:
        judged = judged_in(library)
        models = judged.profile
        found = train(
            judged.file, out, models, view_loader(models.interpolation, models.fit), Options()
        )
        given = judged.judgements.counting
        pairs = _unjudged(library, {one.text for one in given}, {one.image for one in given})
        if not pairs:
            raise SystemExit("every description was judged, so none is held out: judge fewer")
        records = library.catalog.records(sorted({image_id for image_id, _ in pairs}))
        truth = np.array([VERDICTS[person.verdict(records[i].path, text)] for i, text in pairs])
        both = [predicted(library, each, pairs) for each in (models, load_profile(str(out)))]
    _, groups = np.unique(np.array([image_id for image_id, _ in pairs]), return_inverse=True)
    gains = np.square(both[0] - truth) - np.square(both[1] - truth)
    low, high = bootstrap(lambda one, _: float(one.mean()), gains, gains, groups=groups)
    verdicts = [one.rating for one in given]
    return {
        "judgements": {each: verdicts.count(each) for each in VERDICTS},
        "texts": judged.judgements.texts,
        "chosen": found["chosen"],
        "kept": found["kept"],
        "held_out_pairs": len(pairs),
        "rmse": [round(float(rmse(each, truth)), 4) for each in both],
        "gain_interval": [round(low, 5), round(high, 5)],
    }


def _unjudged(library: Library, texts: set[str], images: set[str]) -> list[tuple[int, str]]:
    """Candidates of everyday descriptions, of which neither photo nor text was judged."""
    pairs = []
    for typed in EVERYDAY:
        text = text_to_judge(library, typed)
        if text in texts:
            continue
        ids = library.rank(text).ids.tolist()
        records = library.catalog.records(ids)
        pairs += [(i, text) for i in ids[::4] if str(records[i].path) not in images]
    return pairs


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
