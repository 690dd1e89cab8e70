"""Draws the pictures of docs/search.md: which example photos each kind of query finds.

A library is made for it. Photos whose licence would extend to the pictures (CC BY-SA, see
examples/README.md) are left out.
"""

import argparse
import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from benchmarks.setting import EXAMPLES, ROOT, print_json, say
from pixquery import Library, Part, Query
from pixquery.db.records import Filter, ImageRecord
from pixquery.engine.standing import in_words
from pixquery.indexer.build import index
from pixquery.indexer.decode import decode, thumbnail

SHARE_ALIKE = ("p11", "p15")
HEIGHT, GAP, LABEL = 150, 12, 26
INK = (128, 134, 138)
"""Of labels; readable on white and on black."""

Strip = list[tuple[Path, str]]
"""Photos and their labels."""


def main() -> None:
    """Queries, draws, and prints what was written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures", metavar="DIR",
                        help="where to write (docs/pictures)")  # fmt: skip
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    written = {}
    with tempfile.TemporaryDirectory(prefix="pixquery-bench-") as name:
        os.environ.setdefault("PIXQUERY_CACHE", str(Path(name) / "cache"))
        photos = [f for f in sorted(EXAMPLES.iterdir()) if f.stem not in SHARE_ALIKE]
        strips = _answers(Path(name) / "asked", photos)
        strips["duplicates"] = _duplicates(Path(name) / "copied", photos)
        for what, strip in strips.items():
            file = out / f"search-{what}.webp"
            _draw(strip).save(file, "WEBP", quality=82, method=6)
            written[file.name] = file.stat().st_size
            say(f"{file.name}: {', '.join(path.name for path, _ in strip)}")
    print_json(written)


def _library(folder: Path, photos: Sequence[Path]) -> Library:
    (folder / "photos").mkdir(parents=True)
    for number, photo in enumerate(photos):
        copy = folder / "photos" / photo.name
        copy.write_bytes(photo.read_bytes())
        os.utime(copy, (1.7e9 + 1e5 * number, 1.7e9 + 1e5 * number))
    library = Library.open(folder / "library", create=True)
    index(library, [folder / "photos"])
    return library


def _answers(folder: Path, photos: Sequence[Path]) -> dict[str, Strip]:
    with _library(folder, photos) as library:
        example = EXAMPLES / "p18.jpg"
        profile, content = library.profile, example.read_bytes()
        pixels = decode(content, profile.size, interpolation=profile.interpolation).pixels
        (mountain,) = library.search("snow on a mountain peak", k=1).hits
        queries = {
            "text": Query("snow on a mountain peak", k=5),
            "relevance": Query("snow on a mountain peak", min_relevance=0.5),
            "plus": Query("a mountain", parts=(Part("pink evening sky", weight=0.7),), k=4),
            "pet": Query("a pet", k=4),
            "minus": Query("a pet", parts=(Part("a dog", weight=-1),), k=4),
            "like": Query(parts=(Part(pixels=pixels),), k=4, offset=1),  # without the photo itself
            "like-id": Query(parts=(Part(id=mountain.id),), k=4),
            "filter": Query("a landscape", where=Filter(orientation="portrait"), k=4),
            "newest": Query(where=Filter(min_width=600), k=5),
        }
        strips = {}
        for name, query in queries.items():
            hits = library.search(query).hits
            strips[name] = [
                (hit.path, in_words(hit.relevance, hit.similarity) or f"{hit.modified:%d %b %Y}")
                for hit in hits
            ]
        strips["like"].insert(0, (example, "the example"))
        strips["like-id"].insert(0, (mountain.path, "the hit"))
        return {name: _kept(strip, folder) for name, strip in strips.items()}


def _kept(strip: Strip, folder: Path) -> Strip:
    """The same photos where they stay."""
    return [
        (EXAMPLES / path.name if path.is_relative_to(folder) else path, words)
        for path, words in strip
    ]


def _duplicates(folder: Path, photos: Sequence[Path]) -> Strip:
    """A group of copies of one photo, whose names are not in the order of quality."""
    with Image.open(EXAMPLES / "p10.jpg") as opened:
        image = opened.convert("RGB")
    width, height = image.size
    folder.mkdir()
    smaller = image.resize((width * 4 // 5, height * 4 // 5), Image.Resampling.LANCZOS)
    inside = (width // 25, height // 25, width - width // 25, height - height // 25)
    for name, copy in (("smaller.webp", smaller), ("cropped.jpg", image.crop(inside))):
        copy.save(folder / name, quality=85)
    (folder / "again.jpg").write_bytes((EXAMPLES / "p10.jpg").read_bytes())
    made = [folder / name for name in ("smaller.webp", "cropped.jpg", "again.jpg")]
    with _library(folder / "whole", [*photos, *made]) as library:
        (group,) = library.duplicates().groups

    def size(record: ImageRecord) -> str:
        return f"{record.width} x {record.height}"

    strip = [(group.best.path, f"best, {size(group.best)}")]
    strip += [
        (c.record.path, "exact" if c.exact else f"near {c.likeness:.2f}, {size(c.record)}")
        for c in group.copies
    ]
    kept = Path(tempfile.mkdtemp(dir=folder))
    return [(_saved(path, kept), words) for path, words in strip]


def _saved(path: Path, folder: Path) -> Path:
    copy = folder / path.name
    copy.write_bytes(path.read_bytes())
    return copy


def _draw(strip: Strip) -> Image.Image:
    """Photos of one height side by side with their labels, on a transparent ground."""
    font = ImageFont.load_default(14)
    pictures = []
    for path, words in strip:
        with Image.open(io.BytesIO(thumbnail(path.read_bytes(), 800, quality=95))) as image:
            width = max(64, round(image.width * HEIGHT / image.height))
            small = image.convert("RGB").resize((width, HEIGHT), Image.Resampling.LANCZOS)
        pictures.append((small, words, max(width, round(font.getlength(words)) + 2)))
    total = sum(width for _, _, width in pictures) + GAP * (len(pictures) - 1)
    sheet = Image.new("RGBA", (total, HEIGHT + LABEL), (0, 0, 0, 0))
    draw, x = ImageDraw.Draw(sheet), 0
    for small, words, width in pictures:
        sheet.paste(small, (x, 0), _corners(small.size))
        draw.text((x + 1, HEIGHT + 6), words, INK, font)
        x += width + GAP
    return sheet


def _corners(size: tuple[int, int], radius: int = 8) -> Image.Image:
    """A mask with round corners, drawn four times as large so that they are smooth."""
    large = Image.new("L", (size[0] * 4, size[1] * 4), 0)
    ImageDraw.Draw(large).rounded_rectangle((0, 0, *large.size), radius * 4, 255)
    return large.resize(size, Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
