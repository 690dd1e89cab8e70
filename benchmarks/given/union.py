"""One library of all given photos, made of vectors that were encoded before."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.given.encoded import Encoded
from benchmarks.setting import EXAMPLES, photos_in
from pixquery import Library
from pixquery.db.records import FileState, ImageRecord

FOLDERS = (
    "flickr8k/images/dev",
    "flickr8k/images/rated",
    "objects/images",
    "things200/images",
    "coco-mini/images",
    "receipts/images",
)


def given(data: Path) -> list[list[Path]]:
    """The photos of every folder that is there, and the examples."""
    folders = [folder for name in FOLDERS if (folder := data / name).is_dir()]
    return [photos_in(folder) for folder in [*folders, EXAMPLES]]


@contextmanager
def library_of(encoded: Encoded, sets: Sequence[Sequence[Path]]) -> Iterator[Library]:
    """A library that holds these photos, in a temporary folder.

    Searched with the product's own code, so that what it makes of a typed text counts as well. The
    catalogue stores raw vectors in half precision, as indexing does.
    """
    with TemporaryDirectory(prefix="pixquery-bench-") as place:
        profile = str(encoded.profile.folder)
        with Library.open(Path(place) / "library", create=True, profile=profile) as library:
            with library.writing():
                for photos in sets:
                    root = library.catalog.add_root(photos[0].parent)
                    library.catalog.put(
                        root,
                        [_record(photo) for photo in photos],
                        encoded.raw(photos).astype(np.float16),
                        encoded.profile.encoder,
                    )
                library.publish()
            yield library


def _record(photo: Path) -> ImageRecord:
    stat = photo.stat()
    state = FileState(stat.st_size, stat.st_mtime_ns)
    content = sha256(os.fsencode(photo)).digest()[:16]
    return ImageRecord(photo, state, content, 320, 240, "JPEG")
