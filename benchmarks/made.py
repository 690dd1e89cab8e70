"""Made folders of photos, and libraries of made vectors.

The vectors are those of real photos with noise, stored under names that do not exist. They are
written through the catalogue and published, as indexing would.
"""

import argparse
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

import faiss
import numpy as np

from benchmarks.setting import shown
from pixquery import Library
from pixquery.db.records import FileState, Floats, Ids, ImageRecord
from pixquery.indexer.build import index
from pixquery.trainer.learning.captions import read_captions

WRITTEN_AT_ONCE = 4096
A_FOLDER = 500
"""Files per folder, as cameras make them."""

_WHO = "a man|a woman|two people|a black dog|a brown dog|three friends|a crowd|a horse|a cyclist"
_DOING = "running|sitting|jumping|standing|playing|climbing|walking|lying|riding"
_WHERE = "on the grass|in the snow|at the beach|in the street|near a lake|on a rock|indoors"


def parser(description: str | None, files: str) -> argparse.ArgumentParser:
    """Arguments of a benchmark that writes many files: how many, and where.

    Args:
        description: The script's docstring.
        files: What the files are called in the help.
    """
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--count", type=int, default=100_000, metavar="N", help=f"{files} (100000)")
    made.add_argument("--place", type=Path, metavar="DIR", help=f"where the {files} are written")
    return made


@contextmanager
def workplace(parent: Path | None) -> Iterator[Path]:
    """A temporary folder, which also holds the cache of compiled models."""
    with tempfile.TemporaryDirectory(prefix="pixquery-bench-", dir=parent) as name:
        os.environ["PIXQUERY_CACHE"] = str(Path(name) / "cache")
        yield Path(name)


def write_files(root: Path, contents: Iterable[bytes], suffix: str) -> Path:
    """Writes files into folders by year and number; returns ``root``."""
    for number, content in enumerate(contents):
        folder = root / f"{2000 + number // (A_FOLDER * 20)}" / f"{number // A_FOLDER:04d}"
        if number % A_FOLDER == 0:
            folder.mkdir(parents=True)
        (folder / f"IMG_{number:06d}{suffix}").write_bytes(content)
    return root


def texts(captions: Path, count: int) -> tuple[list[str], str]:
    """Different sentences in random order, and their source."""
    if captions.is_file():
        sentences = sorted({caption.text for caption in read_captions(captions)})
        origin = shown(captions)
    else:
        parts = [words.split("|") for words in (_WHO, _DOING, _WHERE)]
        sentences = [f"{a} {b} {c}" for a in parts[0] for b in parts[1] for c in parts[2]]
        origin = "made of a few words"
    Random(0).shuffle(sentences)
    return sentences[:count], origin


def real(folder: Path, photos: Sequence[Path]) -> Floats:
    """Indexes photos into a new library; their raw vectors float32[n, d]."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        for photo in photos:
            (Path(place) / photo.name).write_bytes(photo.read_bytes())
        with Library.open(folder, create=True) as library:
            index(library, [Path(place)])
            return np.concatenate([raw for _, raw in raw_vectors(library)]).astype(np.float32)


def raw_vectors(library: Library) -> Iterator[tuple[Ids, Floats]]:
    """All raw vectors, in batches."""
    after = 0
    while batch := library.catalog.raw_vectors(library.profile.encoder, after=after):
        ((ids, raw),) = batch
        yield ids, raw.astype(np.float32)
        after = int(ids[-1])


def add(library: Library, base: Floats, rows: range, *, noise: float) -> None:
    """Writes photos into the catalogue without publishing them.

    Args:
        library: The library.
        base: float32[n, d], real raw vectors.
        rows: Numbers of photos; the same number is always the same photo.
        noise: In standard deviations of each dimension.
    """
    folder = library.folder.parent / "nowhere"
    spread = base.std(0) * np.float32(noise)
    root = library.catalog.add_root(folder)
    for start in range(rows.start, rows.stop, WRITTEN_AT_ONCE):
        numbers = np.arange(start, min(start + WRITTEN_AT_ONCE, rows.stop))
        likes = base[numbers % len(base)]
        made = likes + spread * np.random.default_rng(start).standard_normal(likes.shape, "f4")
        records = [_record(folder, int(row)) for row in numbers]
        raw = np.maximum(made, 0).astype(np.float16)
        library.catalog.put(root, records, raw, library.profile.encoder)


def recall(library: Library, queries: Floats, depth: int) -> float:
    """Share of the truly nearest photos that the index finds, from 0 to 1.

    Args:
        library: The library.
        queries: float32[q, a], aligned.
        depth: How many of the nearest photos.
    """
    depth = min(depth, len(library))
    ids, similarities = [], []
    for batch, raw in raw_vectors(library):
        vectors = library.profile.alignment.images(raw)
        best, rows = faiss.knn(
            queries, vectors, min(depth, len(batch)), metric=faiss.METRIC_INNER_PRODUCT
        )
        ids.append(batch[rows])
        similarities.append(best)
    known, cosines = np.concatenate(ids, 1), np.concatenate(similarities, 1)
    nearest = np.take_along_axis(known, np.argsort(-cosines, 1)[:, :depth], 1)
    returned = library.index.search(queries, depth).ids
    shared = [len(np.intersect1d(a, b)) for a, b in zip(nearest, returned, strict=True)]
    return round(float(np.mean(shared)) / depth, 4)


def _record(folder: Path, number: int) -> ImageRecord:
    path = folder / f"{number // 1000:04d}" / f"photo-{number:07d}.jpg"
    content = number.to_bytes(16, "little")
    return ImageRecord(
        path, FileState(3_000_000, 1_700_000_000_000_000_000), content, 4000, 3000, "JPEG"
    )
