"""Numbers as people say them, with the words of the gallery (``web/static/words.js``)."""

from typing import NamedTuple


class Fit(NamedTuple):
    """How well a photo fits, as a person would say it."""

    level: int
    """From 1 to 4, as people graded; 0 where nothing predicts it."""
    words: str


# Where the words begin was measured: ``web/static/words.js`` tells on what.
FITS = (
    (0.7, Fit(4, "fits very well")),
    (0.45, Fit(3, "fits")),
    (0.2, Fit(2, "fits partly")),
)


def fit(relevance: float | None, similarity: float | None) -> Fit:
    """Words for a hit's relevance, in [0, 1], or where there is none for its similarity."""
    if relevance is None:
        return Fit(0, "" if similarity is None else f"likeness {similarity:.2f}")
    return next((found for least, found in FITS if relevance >= least), Fit(1, "hardly fits"))


def photos(count: int) -> str:
    """``1 photo``, ``2,000 photos``."""
    return f"{count:,} photo{'' if count == 1 else 's'}"
