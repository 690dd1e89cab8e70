"""Searches for words that stand in photos: receipts, captions that name none, a large library."""

import io
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from benchmarks.setting import ROOT, say
from pixquery import Library
from pixquery.db.catalog import Catalog
from pixquery.db.records import FileState, ImageRecord, Line
from pixquery.db.terms import terms
from pixquery.db.words import FILE, Words
from pixquery.engine.mentions import Mentions
from pixquery.engine.query import Query
from pixquery.engine.search import rank
from pixquery.indexer.text_reader import TextReader
from pixquery.trainer.learning.captions import read_captions

Facts = dict[str, Any]

_WORDS = 3
"""Words of a query."""
_FIRST = 3
"""Hits among which the receipt must be."""
_LEAST = 4
"""Letters of such a word."""
_DEPTH = 200


def receipts(library: Library, folder: Path, queries: int, seed: int) -> Facts:
    """Three words of a receipt among other photos, and the name of them all.

    Nobody has written down what stands on the receipts. The words are those that two readings of an
    altered photo agree on, one turned and one darkened: not the reading that is searched.

    Args:
        library: Of receipts and other photos, whose text was read.
        folder: The receipts.
        queries: How many for each receipt.
        seed: Of the choice of words.
    """
    ranks: list[int] = []
    shared: list[int] = []
    for text, right, holders in three_words(library, folder, queries, seed):
        answer = library.search(Query(text, k=10))
        places = [hit.rank for hit in answer.hits if hit.id == right]
        ranks.append(places[0] if places else 11)
        shared.append(holders)
    found, alone = np.array(ranks) <= _FIRST, np.array(shared) <= _FIRST
    possible = np.minimum(1, _FIRST / np.array(shared))
    named = library.search("receipt", k=10).hits
    return {
        "photos": len(library),
        "receipts": len(list(folder.glob("*.jpg"))),
        "queries": len(ranks),
        "first": round(float(np.mean(np.array(ranks) == 1)), 4),
        "in_the_first_3": round(float(found.mean()), 4),
        # Of n receipts that all have the words, nothing says which one was meant.
        "most_that_can_be_expected": round(float(possible.mean()), 4),
        "queries_that_at_most_3_receipts_answer": int(alone.sum()),
        "of_these_in_the_first_3": round(float(found[alone].mean()), 4),
        "receipts_in_the_first_10_of_the_name": sum(
            hit.path.resolve().parent == folder.resolve() for hit in named
        ),
    }


def three_words(
    library: Library, folder: Path, queries: int, seed: int
) -> Iterator[tuple[str, int, int]]:
    """Three words of a receipt, the receipt's id, and how many receipts have them all."""
    reader, chance = TextReader(2), random.Random(seed)
    ids = {record.path.name: record.id for record in library}
    agreed = {}
    for file in sorted(folder.glob("*.jpg")):
        agreed[file.name] = _agreed(reader, file)
        if len(agreed) % 10 == 0:
            say(f"read {len(agreed)} altered receipts")
    for name, words in agreed.items():
        for _ in range(queries if len(words) >= _WORDS else 0):
            asked = chance.sample(words, _WORDS)
            holders = sum({*asked} <= {*other} for other in agreed.values())
            yield " ".join(asked), ids[name], holders


def _agreed(reader: TextReader, file: Path) -> list[str]:
    """Words of letters alone that stand in two readings of a photo, neither as it is."""
    with Image.open(file) as opened:
        photo = opened.convert("RGB")
    turned = photo.rotate(1.5, Image.Resampling.BICUBIC, expand=True, fillcolor="white")
    darker = ImageEnhance.Brightness(photo).enhance(0.75)
    both = [_words(reader.read_file(_jpeg(each))) for each in (turned, darker)]
    return sorted(both[0] & both[1])


def _words(lines: Sequence[Line]) -> set[str]:
    found = {term for line in lines for term in terms(line.text)}
    return {term for term in found if len(term) >= _LEAST and term.isalpha()}


def _jpeg(photo: Image.Image) -> bytes:
    out = io.BytesIO()
    photo.save(out, "JPEG", quality=85)
    return out.getvalue()


def captions(library: Library, file: Path) -> Facts:
    """Captions, which name no words in photos: does text that was read change anything?

    Args:
        library: With the photos of the captions, whose text was read.
        file: Of captions.
    """
    told = read_captions(file)
    parts = library.profile, library.index, library.catalog
    names = {record.id: record.path.name for record in library}
    changed, false, hits = 0, 0, {True: np.zeros(3), False: np.zeros(3)}
    for number, caption in enumerate(told):
        query = Query(caption.text)
        mentioned = library.mentions.of(caption.text)
        false += any(names[one] != caption.image for one in mentioned)
        orders = {}
        for mentions in (library.mentions, None):
            ranking = rank(query, _DEPTH, *parts, mentions)
            ids = ranking.ids[ranking.order(rerank=True)]
            orders[mentions is not None] = ids
            place = next((p for p, one in enumerate(ids) if names[int(one)] == caption.image), 999)
            hits[mentions is not None] += [place < 1, place < 5, place < 10]
        changed += not np.array_equal(orders[True], orders[False])
        if number % 1000 == 999:
            say(f"searched for {number + 1:,} of {len(told):,} captions")
    recalls = {
        with_text: (found / len(told)).round(4).tolist() for with_text, found in hits.items()
    }
    return {
        "captions": len(told),
        "with_false_text_hits": false,
        "orders_that_changed": changed,
        "recall@1/5/10_with_text": recalls[True],
        "recall@1/5/10_without": recalls[False],
    }


def large(folder: Path, count: int, seed: int) -> Facts:
    """Searches among many photos with text.

    Args:
        folder: To write in.
        count: Photos, each with 30 words of a vocabulary whose words are as frequent as in English.
        seed: Of the words.
    """
    chance = np.random.default_rng(seed)
    vocabulary = np.array([f"w{number}x" for number in range(30_000)])
    weights = 1 / np.arange(1, len(vocabulary) + 1)
    weights /= weights.sum()
    with closing(Catalog(folder / "catalogue.sqlite")) as catalog:
        for ids in _photos(catalog, count):
            drawn = chance.choice(vocabulary, (len(ids), 6, 5), p=weights)
            lines = [[Line(" ".join(row), 0.99, (0.1234,) * 8) for row in own] for own in drawn]
            if not catalog.read_count():
                before = _size(catalog)
            catalog.note_readings(dict(zip(ids, lines, strict=True)), "made")
        begin = time.perf_counter()
        with closing(Words(folder)) as words:
            mentions = Mentions(words, catalog)
            words.bring_up_to_date(catalog)
            built = time.perf_counter() - begin
            spent = []
            for _ in range(500):
                asked = chance.choice(vocabulary, chance.integers(1, 5), p=weights)
                begin = time.perf_counter()
                mentions.of(" ".join(asked))
                spent.append(1e3 * (time.perf_counter() - begin))
            return {
                "photos": count,
                "seconds_to_build_the_index": round(built, 1),
                "milliseconds_p50": round(float(np.percentile(spent, 50)), 2),
                "milliseconds_p95": round(float(np.percentile(spent, 95)), 2),
                "catalogue_bytes_before": before,
                "catalogue_bytes": _size(catalog),
                "words_bytes": (folder / FILE).stat().st_size,
            }


def _photos(catalog: Catalog, count: int) -> Iterator[list[int]]:
    root = catalog.add_root(Path("/made"))
    for start in range(0, count, 5_000):
        records = [
            ImageRecord(Path(f"/made/{n:07d}.jpg"), FileState(1, 1), b"%032d" % n, 1, 1, "JPEG")
            for n in range(start, min(start + 5_000, count))
        ]
        yield catalog.put(root, records, np.ones((len(records), 4), np.float16), "made")


def _size(catalog: Catalog) -> int:
    return sum(file.stat().st_size for file in catalog.file.parent.glob("catalogue.sqlite*"))


def meanwhile(folder: Path, place: Path, file: Path) -> Facts:
    """How long queries take while text is read in the same library.

    Args:
        folder: A library whose text was read.
        place: Where its copy goes, which is read again.
        file: Of captions to search for.
    """
    copy = place / "copy"
    shutil.copytree(folder, copy)
    with closing(sqlite3.connect(copy / "catalogue.sqlite")) as catalogue, catalogue:
        catalogue.execute("DELETE FROM readings")
    texts = [caption.text for caption in read_captions(file)[:300]]
    words = [sys.executable, "cli.py", "index", "--read-text", "--library", str(copy)]
    with Library.open(copy) as library:
        alone = _medians(library, texts)
        with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL) as reading:
            while library.catalog.read_count() < 5 and reading.poll() is None:
                time.sleep(0.1)
            during = _medians(library, texts)
            after = library.catalog.read_count()
            reading.kill()
    return {
        "query_ms_alone": round(alone, 2),
        "query_ms_while_reading": round(during, 2),
        "ratio": round(during / alone, 3),
        "photos_read_meanwhile": after,
    }


def _medians(library: Library, texts: Sequence[str]) -> float:
    """Milliseconds of the median search."""
    spent = []
    for text in texts:
        begin = time.perf_counter()
        library.search(text)
        spent.append(1e3 * (time.perf_counter() - begin))
    return float(np.median(spent))
