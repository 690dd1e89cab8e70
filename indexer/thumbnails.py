"""Small pictures of photos, straight from their files."""

from pathlib import Path

from pixquery.db.errors import UnreadableImage
from pixquery.engine.photos import read
from pixquery.indexer.decode import thumbnail


def thumbnail_of(path: Path, side: int) -> bytes:
    """Reads a photo and makes a small picture of it, as :func:`indexer.decode.thumbnail` does.

    Args:
        path: Of the photo.
        side: The picture's longer side, in pixels.

    Returns:
        A JPEG.

    Raises:
        UnreadableImage: With the reason in words, whether the file or its content is at fault.
    """
    try:
        return thumbnail(read(path).content, side)
    except OSError as error:
        raise UnreadableImage(error.strerror or str(error)) from None
