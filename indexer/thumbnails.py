"""Small pictures of a library's photos, straight from their files."""

from pixquery.db.errors import UnreadableImage
from pixquery.db.records import ImageRecord
from pixquery.engine.photos import read_indexed
from pixquery.indexer.decode import thumbnail


def thumbnail_of(photo: ImageRecord | None, side: int) -> bytes:
    """Reads a photo and makes a small picture of it, as :func:`indexer.decode.thumbnail` does.

    Args:
        photo: What the catalogue has of it; none if it is not there any more.
        side: The picture's longer side, in pixels.

    Returns:
        A JPEG.

    Raises:
        UnreadableImage: With the reason in words, whether the file or its content is at fault, or
            the content is not what was indexed.
    """
    if photo is None:
        raise UnreadableImage("it is not in the library any more")
    try:
        return thumbnail(read_indexed(photo), side)
    except OSError as error:
        raise UnreadableImage(error.strerror or str(error)) from None
