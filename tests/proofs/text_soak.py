"""Is a photo's text read twice, or lost, when the reading is killed?

Run it: ``python -m tests.proofs.text_soak``; in short: ``--kills 3``.

`index --read-text` reads photos of lines of text with the real reader, and gets SIGKILL at a random
moment, again and again. Each photo is noted before it is read. In the end

- every photo has the text that an undisturbed reading gives;
- a photo was read a second time only if it was the one at work when its reading was killed;
- `verify` finds nothing, and a query finds each photo by its words.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from benchmarks.setting import machine, print_json, say, versions
from pixquery import Library
from tests.conftest import REPOSITORY, write_profile

WORDS = ("amber", "boarding", "cinema", "dinner", "engine", "forest", "garden", "harbour")
_PROGRAM = """
import sys
from pixquery.commands.entry import main
from pixquery.indexer.text_reader import TextReader

log, *words = sys.argv[1:]
read_file = TextReader.read_file

def noted(self, content):
    with open(log, "a") as file:
        file.write(f"{hash(content)}\\n")
    return read_file(self, content)

TextReader.read_file = noted
sys.argv = ["pixquery", *words]
main()
"""


def main() -> None:
    """Kills the reading again and again, and prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50, metavar="N", help="kills (50)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pixquery-proof-") as folder:
        result = prove(Path(folder), arguments.kills, arguments.seed)
    document = {
        "question": "is a photo's text read twice, or lost, when the reading is killed?",
        "machine": machine(),
        "versions": versions("rapidocr", "openvino"),
        "seed": arguments.seed,
        **result,
    }
    print_json(document)
    raise SystemExit(int(bool(result["failures"])))


def prove(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kills the reading of photos until it was killed so often, then lets it end."""
    chance = random.Random(seed)
    texts = _photos(folder / "photos", 5 * kills, chance)
    profile = write_profile(folder / "colours", "colours")
    library, log = folder / "library", folder / "log"
    _ended(_started(log, "index", folder / "photos", "--profile", profile, "--library", library))
    killed = 0
    while killed < kills:
        process = _started(log, "index", "--read-text", "--library", library)
        before = _lines(log)
        while _lines(log) == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(chance.random() * 1.2)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
            say(f"{killed} kills, {_lines(log)} readings")
        process.communicate()
        if _unread(library) == 0:
            break
    _ended(_started(log, "index", "--read-text", "--library", library))
    times = Counter(log.read_text().split())
    failures = [] if len(times) == len(texts) else [f"{len(texts) - len(times)} were never read"]
    again = sum(times.values()) - len(times)
    if again > killed:
        failures.append(f"{again} readings were repeated after {killed} kills")
    failures += _wrong(library, texts)
    return {
        "photos": len(texts), "kills": killed, "readings": sum(times.values()),
        "repeated": again, "failures": failures,
    }  # fmt: skip


def _photos(folder: Path, count: int, chance: random.Random) -> dict[str, str]:
    """Writes photos with two words and a number, and returns these by the photo's name."""
    folder.mkdir()
    font = ImageFont.load_default(28)
    texts = {}
    for number in range(count):
        text = f"{chance.choice(WORDS)} {chance.choice(WORDS)} {1000 + number}"
        photo = Image.new("RGB", (420, 90), "white")
        ImageDraw.Draw(photo).text((20, 25), text, "black", font)
        photo.save(folder / f"{number:04d}.png")
        texts[f"{number:04d}"] = text
    return texts


def _started(log: Path, *words: str | Path) -> "subprocess.Popen[str]":
    log.touch()
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(log), *map(str, words)],
        cwd=REPOSITORY, env={"PYTHONHASHSEED": "0", "PATH": "", "HOME": str(log.parent)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _ended(process: "subprocess.Popen[str]") -> None:
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"the command failed: {errors}")


def _lines(log: Path) -> int:
    return log.read_text().count("\n")


def _unread(place: Path) -> int:
    with Library.open(place) as library:
        return len(library) - library.catalog.read_count()


def _wrong(place: Path, texts: dict[str, str]) -> list[str]:
    """What a library of these photos does not say, or what `verify` finds."""
    with Library.open(place) as library:
        wrong = [finding.what for finding in library.verify()]
        names = {record.id: record.path.stem for record in library}
        readings = library.catalog.readings(list(names))
        for image_id, name in names.items():
            lines = [line.text for line in readings.get(image_id, ())]
            if not lines:
                wrong.append(f"{name} has no text")
            elif [hit for hit in library.mentions.with_text(lines[0]) if hit == image_id] == []:
                wrong.append(f"{name} is not found by {lines[0]!r}")
        exact = sum(" ".join(each.text for each in own) == texts[names[one]]
                    for one, own in readings.items())  # fmt: skip
        if exact < 0.9 * len(texts):
            wrong.append(f"only {exact} of {len(texts)} texts were read exactly")
    return wrong


if __name__ == "__main__":
    main()
