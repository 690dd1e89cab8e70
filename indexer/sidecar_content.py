"""What a sidecar says: the owner's words, and time and place for photos that do not know them."""

from typing import NamedTuple

from pixquery.db.records import Annotation
from pixquery.indexer import xmp_words
from pixquery.indexer.exif import Exif, of_sidecar
from pixquery.indexer.takeout import takeout_of
from pixquery.indexer.xmp import LARGEST as LARGEST


class Sidecar(NamedTuple):
    """What a sidecar says."""

    annotation: Annotation = Annotation()
    exif: Exif = Exif()
    """Time and place, for a photo that does not know its own."""


def read_sidecar(name: str, content: bytes) -> Sidecar:
    """What a sidecar says; nothing if it is none, is damaged, or is refused.

    Args:
        name: Of the file, which decides how it is read.
        content: The whole file.
    """
    if name.lower().endswith(".json"):
        return Sidecar(*takeout_of(content))
    if len(content) > LARGEST:
        return Sidecar()
    return Sidecar(xmp_words.words_of(content), of_sidecar(content))
