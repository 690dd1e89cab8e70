"""How well a photo fits its description, in words that everything which shows photos shares."""

from typing import NamedTuple


class Standing(NamedTuple):
    """A range of relevance and its words."""

    least: float
    """Where the range begins, in [0, 1]; it ends where the next better one begins."""
    level: int
    """From 1 to 4, as people graded photos."""
    words: str


STANDINGS = (
    Standing(0.7, 4, "fits very well"),
    Standing(0.45, 3, "fits"),
    Standing(0.2, 2, "fits partly"),
    Standing(0.0, 1, "hardly fits"),
)
"""Best first.

Of the photos that fit the names of 100 everyday things and of 500 objects, 84 % are right (90 and
80 %, and near synonyms count as wrong); of those that fit very well, 93 %; of those that fit at
least partly, 58 and 36 %.
"""

FITS = next(row.least for row in STANDINGS if row.words == "fits")
"""The relevance from which a photo fits."""

NOTHING_FITS = "nothing fits well"
"""What to say of an answer whose best photo does not reach :data:`FITS`."""


DIGITS = 4
"""Decimal places of a relevance in JSON. It is compared with a least one as it is printed there, so
that every reader of the same number comes to the same words."""


def standing(relevance: float) -> Standing:
    """The range that a relevance in [0, 1] falls into."""
    return next((row for row in STANDINGS if round(relevance, DIGITS) >= row.least), STANDINGS[-1])


def fits(relevance: float) -> bool:
    """Whether a photo of this relevance fits, or fits very well."""
    return standing(relevance).least >= FITS


def in_figures(relevance: float, digits: int = 2) -> str:
    """A relevance with few decimal places, never rounded up into a better range.

    0.4499 is 0.44, because a photo shown with 0.45 fits.
    """
    text = f"{relevance:.{digits}f}"
    if standing(float(text)) != standing(relevance):
        steps = 10**digits
        text = f"{int(round(relevance, DIGITS) * steps) / steps:.{digits}f}"
    return text


def in_words(relevance: float | None, similarity: float | None) -> str:
    """A hit's relevance in words; without one, its similarity; without either, nothing."""
    if relevance is not None:
        return standing(relevance).words
    return "" if similarity is None else f"likeness {similarity:.2f}"
