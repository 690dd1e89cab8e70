"""Stars that owners gave their photos, as ratings to learn from.

Stars say how much somebody likes a photo, not how well a text describes it. With what the owner
wrote as the text, they teach a personal relevance which photos are liked, and no more.
"""

import csv
from pathlib import Path

from pixquery.db.errors import BadData
from pixquery.db.records import Annotation
from pixquery.engine.library import Library

SCALE = (0.0, 5.0)
"""From rejected to five stars."""
_AT_ONCE = 1000


def write_stars(library: Library, file: Path) -> int:
    """Writes the rated photos of a library that have a caption, title or keywords as a CSV.

    Returns:
        How many there are. Photos without stars are left out; rejected ones have 0.

    Raises:
        BadData: There is none.
    """
    ids = [record.id for record in library]
    count = 0
    with file.open("w", newline="", encoding="utf-8", errors="surrogateescape") as opened:
        rows = csv.writer(opened)
        rows.writerow(["image", "text", "rating"])
        for start in range(0, len(ids), _AT_ONCE):
            part = ids[start : start + _AT_ONCE]
            records = library.catalog.records(part)
            for image_id, own in library.catalog.annotations(part).items():
                if own.rating and (text := _text(own)):
                    rows.writerow([records[image_id].path, text, max(0, own.rating)])
                    count += 1
    if not count:
        raise BadData(
            f"no photo of the library {library.folder} has both stars and a caption, title or "
            "keywords: rate and describe some in another program, then run `pixquery index`"
        )
    return count


def _text(own: Annotation) -> str:
    """What an owner wrote, in one line."""
    return " ".join((own.caption or own.title or ", ".join(own.keywords)).split())
