"""From which similarity on are two files the same picture?

Near copies of real photos are made: smaller, compressed again, cropped, lighter, in another format.
For each threshold, the figures are the share of copies of each kind that is found, and how many
pairs of different photos would count as the same picture. `--sheet` draws the most similar of these
for inspection, as a set of photos may contain real near copies.
"""

import argparse
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from benchmarks.setting import (
    FLICKR8K,
    OBJECTS,
    machine,
    photos_in,
    print_json,
    say,
    shown,
    versions,
)
from pixquery.db.records import Floats
from pixquery.engine.alignment import unit
from pixquery.engine.profile import Profile, load_profile
from pixquery.indexer.decode import decode

THRESHOLDS = [0.7, 0.75, 0.8, 0.82, 0.84, 0.86, 0.88, 0.9, 0.92, 0.94, 0.96, 0.98]
ENCODED_AT_ONCE = 32

Facts = dict[str, Any]


def main() -> None:
    """Encodes photos and copies, and prints the figures."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="pixquery-bench-") as place:
        os.environ.setdefault("PIXQUERY_CACHE", place)
        profile = load_profile()
        document: Facts = {
            "question": "likeness of near copies and of different photos",
            "machine": machine(),
            "versions": versions("numpy", "openvino", "pillow"),
            "profile": profile.name,
            "encoder_pixels": profile.size,
            "sets": [_set(profile, folders, arguments) for folders in arguments.sets],
        }
    print_json(document)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    flickr = [FLICKR8K / "images" / part for part in ("dev", "rated", "train")]
    parser.add_argument("--sets", type=lambda text: [Path(part) for part in text.split(":")],
                        nargs="+", default=[flickr, [OBJECTS / "images"]], metavar="DIR[:DIR...]",
                        help="sets of photos; copies are made of the first folder's")  # fmt: skip
    parser.add_argument("--originals", type=int, default=100, metavar="N",
                        help="photos of each set to make copies of (100)")  # fmt: skip
    parser.add_argument("--others", type=int, default=10_000, metavar="N",
                        help="different photos of each set, at most (10000)")  # fmt: skip
    parser.add_argument("--sheet", type=Path, metavar="FILE",
                        help="draw the most similar different photos, as PNG")  # fmt: skip
    return parser.parse_args()


def _set(profile: Profile, folders: list[Path], arguments: argparse.Namespace) -> Facts:
    first, rest = photos_in(folders[0]), [f for folder in folders[1:] for f in photos_in(folder)]
    files = [*first, *rest[:: max(1, -(-len(rest) // max(1, arguments.others - len(first))))]]
    say(f"{shown(folders[0])}: encoding {len(files):,} photos")
    raw = _encoded(profile, (file.read_bytes() for file in files))
    numbers = list(range(0, len(first), max(1, len(first) // arguments.originals)))[
        : arguments.originals
    ]
    say(f"{shown(folders[0])}: making copies of {len(numbers)}")
    kinds: list[str] = []
    copies, sides = [], []
    for number in numbers:
        with Image.open(files[number]) as image:
            sides.append(min(image.size))
            made = dict(_copies(image.convert("RGB")))
        kinds = list(made)
        copies.append(_encoded(profile, iter(made.values())))
    facts: Facts = {
        "folders": [shown(folder) for folder in folders],
        "photos": len(files),
        "originals": len(numbers),
        "shorter_side_of_originals": float(np.median(sides)),
    }
    for name, space in (
        ("raw", unit),
        ("raw_less_mean", lambda rows: unit(rows - raw.mean(0))),
        ("aligned", profile.alignment.images),
    ):
        facts[name] = _counted(
            space(raw), np.stack([space(each) for each in copies]), numbers, kinds
        )
    if arguments.sheet:
        _draw(
            files, unit(raw), arguments.sheet.with_stem(f"{arguments.sheet.stem}-{folders[0].name}")
        )
    return facts


def _copies(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    """Copies as people make them, by kind."""
    width, height = image.size
    for scale in (0.25, 0.35, 0.5, 0.75, 0.9):
        small = image.resize(
            (round(width * scale), round(height * scale)), Image.Resampling.LANCZOS
        )
        yield f"scaled to {scale:g}", _file(small, quality=90)
    for quality in (40, 50, 70, 90):
        yield f"JPEG {quality}", _file(image, quality=quality)
    for share in (0.02, 0.05, 0.1):
        x, y = round(width * share), round(height * share)
        inside = (x // 2, y // 2, width - x + x // 2, height - y + y // 2)
        yield f"cropped by {share:.0%} all round", _file(image.crop(inside), quality=92)
        yield (
            f"cropped by {share:.0%} at a side",
            _file(image.crop((0, 0, width - x, height)), quality=92),
        )
    for light in (0.9, 1.1, 1.2):
        bright = ImageEnhance.Brightness(image).enhance(light)
        yield f"brightness {light:g}", _file(bright, quality=92)
    yield "WebP 75", _file(image, "WEBP", quality=75)
    yield "PNG", _file(image, "PNG")
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = image.transpose(Image.Transpose.ROTATE_90)
    yield "turned by EXIF, JPEG 92", _file(turned, quality=92, exif=exif)


def _file(image: Image.Image, kind: str = "JPEG", **save: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **save)
    return out.getvalue()


def _encoded(profile: Profile, contents: Iterator[bytes]) -> Floats:
    """float32[n, d], rounded as the catalogue stores them."""
    vectors, waiting = [], []
    for content in contents:
        waiting.append(decode(content, profile.size, interpolation=profile.interpolation).pixels)
        if len(waiting) == ENCODED_AT_ONCE:
            vectors.append(profile.images.encode(np.stack(waiting)))
            waiting = []
    if waiting:
        vectors.append(profile.images.encode(np.stack(waiting)))
    return np.concatenate(vectors).astype(np.float16).astype(np.float32)


def _counted(photos: Floats, copies: Floats, places: list[int], kinds: list[str]) -> Facts:
    """Figures by threshold, of unit rows float32[n, d] and copies float32[o, c, d]."""
    own = np.einsum("ocd,od->oc", copies, photos[places])
    pairs, nearest = np.zeros(len(THRESHOLDS), np.int64), []
    for start in range(0, len(photos), 1024):
        cosines = photos[start : start + 1024] @ photos.T
        cosines[np.tril_indices(len(cosines), start, len(photos))] = -1  # each pair once
        pairs += [(cosines >= least).sum() for least in THRESHOLDS]
        nearest.append(cosines.max())
    other = np.stack([mine @ photos.T for mine in copies])
    other[np.arange(len(places)), :, places] = -1
    rows = []
    for least, false in zip(THRESHOLDS, pairs.tolist(), strict=True):
        wrong = int((other >= least).sum())
        right = int((own >= least).sum())
        rows.append(
            {
                "threshold": least,
                "recall": round(right / own.size, 4),
                "precision": round(right / max(1, right + wrong), 4),
                "pairs_of_different_photos": false,
                **{kind: round(float((own[:, at] >= least).mean()), 3)
                   for at, kind in enumerate(kinds)},
            }
        )  # fmt: skip
    lowest = {kind: round(float(own[:, at].min()), 3) for at, kind in enumerate(kinds)}
    return {"rows": rows, "lowest": lowest, "most_alike_others": round(float(max(nearest)), 3)}


def _draw(files: list[Path], vectors: Floats, file: Path) -> None:
    """Draws the forty most similar pairs."""
    cosines = np.triu(vectors @ vectors.T, 1)
    best = np.argpartition(-cosines.ravel(), 40)[:40]
    best = best[np.argsort(-cosines.ravel()[best])]
    sheet = Image.new("RGB", (5 * 256, 8 * 136), "white")
    for number, pair in enumerate(zip(*np.unravel_index(best, cosines.shape), strict=True)):
        for half, number in enumerate(pair):
            with Image.open(files[number]) as image:
                small = image.convert("RGB").resize((120, 120))
            sheet.paste(small, (number % 5 * 256 + half * 121, number // 5 * 136))
    sheet.save(file)


if __name__ == "__main__":
    main()
