"""How long a library's photos would take with another image network, measured on a few of them."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from time import perf_counter

import numpy as np

from pixquery.db.errors import UnreadableImage
from pixquery.engine.library import Library
from pixquery.engine.photos import read_indexed
from pixquery.engine.random_network import VisionTransformer, seconds_per_photo

TIMED = 10
"""Photos that are decoded and encoded."""
_TRIED = 3
"""How many are looked at for each of them, where files are gone or have changed."""


def forecast(library: Library, network: VisionTransformer) -> float | None:
    """The seconds that a photo of the library would take: decoding and encoding, by all cores.

    Args:
        library: Whose photos; ten of them are read, from its first to its last.
        network: The dimensions of the other network, whose weights are not needed.

    Returns:
        None if fewer than ten photos can be read.

    Raises:
        LibraryDamaged: The catalogue cannot be read.
        UnreadableImage: A photo cannot be decoded.
        RuntimeError: The network cannot be run, such as for lack of memory.
    """
    from pixquery.indexer.decode import decode  # loads Pillow

    contents = list(islice(_contents(library), TIMED))
    if len(contents) < TIMED:
        return None
    with ThreadPoolExecutor(os.cpu_count() or 1, "decode") as pool:
        begin = perf_counter()
        photos = list(pool.map(lambda content: decode(content, network.size).pixels, contents))
        decoding = (perf_counter() - begin) / TIMED
    return decoding + seconds_per_photo(network, np.stack(photos))


def _contents(library: Library) -> Iterator[bytes]:
    """The content of photos whose files are as they were when they were indexed."""
    ids = library.catalog.vector_ids(library.profile.encoder)
    places = np.linspace(0, len(ids) - 1, min(len(ids), TIMED * _TRIED)).astype(int)
    # Every third first: if all of those can be read, they lie evenly.
    chosen = [int(ids[place]) for start in range(_TRIED) for place in places[start::_TRIED]]
    records = library.catalog.records(chosen)
    for image_id in chosen:
        with suppress(KeyError, OSError, UnreadableImage):  # it may be gone
            yield read_indexed(records[image_id])
