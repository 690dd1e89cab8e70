"""Folders in the layout of ratings alone: ``train_dataset.csv`` and what belongs to it."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

from pixquery.engine.profile import MANIFEST
from tests.conftest import COLOURS, square

SHADES = 28
"""Photos to train on; a third of them must be enough to learn an alignment."""


def coloured_folder(folder: Path, *, shades: int = SHADES) -> Path:
    """Squares in shades of seven colours, rated by how many channels are as the text says.

    A photo's text names its colour, and how many times: so that all texts differ.
    """
    names = [name for name in COLOURS if name != "black"]
    colours = [names[number % len(names)] for number in range(shades)]
    for number, colour in enumerate(colours):
        factor = 1 - 0.02 * (number // len(names))
        red, green, blue = (int(factor * channel) for channel in COLOURS[colour])
        square(folder / "train_images" / f"{number}.png", (red, green, blue))
        square(folder / "test_images" / f"t{number}.png", (red, green, blue))
    texts = [
        " ".join([colour] * (1 + number // len(names))) for number, colour in enumerate(colours)
    ]
    rows, experts, crowd = [], [], []
    for photo, shown in enumerate(colours):
        for text, said in enumerate(colours):
            pair = f"{photo}.png", f"{text}.png#2"
            shared = alike(shown, said)
            if (photo + text) % 3 == 0:
                rows.append((*pair, texts[text]))
                lowest = max(1, shared)
                experts.append((*pair, lowest, 1 + shared, 1 + shared))
            if (photo + text) % 2 == 0:
                crowd.append((*pair, f"{shared / 3:.3f}", shared, 3 - shared))
    with (folder / "train_dataset.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("image", "query_id", "query_text"), *rows])
    for name, lines in (("ExpertAnnotations", experts), ("CrowdAnnotations", crowd)):
        with (folder / f"{name}.tsv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter="\t", lineterminator="\n").writerows(lines)
    queries = [
        (number, f"t{number}.png#2", text, f"t{number}.png") for number, text in enumerate(texts)
    ]
    with (folder / "test_queries.csv").open("w", encoding="utf-8", newline="") as file:
        written = csv.writer(file, delimiter="|", lineterminator="\n")
        written.writerows([("", "query_id", "query_text", "image"), *queries])
    return folder


def alike(colour: str, other: str) -> int:
    """How many channels two colours share."""
    return sum(a == b for a, b in zip(COLOURS[colour], COLOURS[other], strict=True))


def rated_squares(folder: Path, judge: Callable[[str, str], int], *, workers: int) -> Path:
    """Every square of the folder rated for every colour, from 1 to 4, by so many people."""
    lines = ["image,text,rating,worker"]
    for photo in sorted(folder.rglob("*.*")):
        for colour in COLOURS:
            rating = judge(photo.stem, colour)
            lines += [f"{photo.relative_to(folder)},{colour},{rating},{w}" for w in range(workers)]
    file = folder / "ratings.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def flickr_folder(folder: Path, flickr: Path) -> Path:
    """The real files in the same layout, as links; nothing is copied."""
    folder.mkdir(parents=True)
    for name in (
        "train_dataset.csv",
        "ExpertAnnotations.tsv",
        "CrowdAnnotations.tsv",
        "test_queries.csv",
    ):
        (folder / name).symlink_to(flickr / name)
    (folder / "train_images").symlink_to(flickr / "images" / "rated")
    (folder / "test_images").symlink_to(flickr / "images" / "dev")
    return folder


def without_alignment(profile: Path, folder: Path) -> Path:
    """A copy of a profile that has encoders only, as `models add` makes it of two encoders."""
    shutil.copytree(profile, folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    for part in ("alignment", "relevance"):
        name = manifest.pop(part)
        manifest["files"].pop(name, None)
        (folder / name).unlink()
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder
