"""What may be asked: a text, and what else photos should be like, or unlike."""

from dataclasses import dataclass, field, replace
from typing import Literal

from pixquery.db.errors import BadQuery
from pixquery.db.records import Filter, Pixels, Scales
from pixquery.db.terms import terms
from pixquery.db.values import refuse_other_bytes
from pixquery.engine.phrasing import MOST_WORDS, UNWANTED, Phrase, caption_of, phrase

LONGEST_QUERY = 1000
"""Characters of each text."""
MOST_PARTS = 32
HEAVIEST = 100.0
_MOST = 10**9
ALL = Filter()
Sort = Literal["relevance", "newest", "oldest"]


@dataclass(frozen=True, slots=True)
class Part:
    """Something that photos should be like, or unlike: a text, a photo, or a hit of the library."""

    text: str = ""
    pixels: Pixels | Scales | None = field(default=None, compare=False)
    """uint8[size, size, 3], as the indexer decodes photos for the library's profile; or one such
    array for each of the profile's sizes."""
    id: int = 0
    """The id of a photo in the library, which is left out of the answer."""
    weight: float = 1.0
    """Compared with the other parts; negative for what photos should not show."""
    name: str = ""
    """What to call it."""
    also: str = ""
    """Another form of the text, such as its singular: photos are compared with the mean of both."""
    caption: str = ""
    """The text of a bare name as a caption would put it, for profiles that read those better."""

    def __post_init__(self) -> None:
        if (bool(self.text.strip()) + (self.pixels is not None) + bool(self.id)) != 1:
            raise BadQuery(
                "a part of a query is empty: it needs a text, a photo, or the id of a hit"
            )
        refuse_other_bytes(self.text, "the query")
        if len(self.text) > LONGEST_QUERY:
            raise BadQuery(
                f"the query has {len(self.text):,} characters and may have {LONGEST_QUERY:,}: "
                "describe the photo in a sentence"
            )
        if not 0 < abs(self.weight) <= HEAVIEST:
            raise BadQuery(
                f"the weight {abs(self.weight):g} of {self!s} is out of range: use one above 0 and "
                f"up to {HEAVIEST:g}, where 1 counts fully and 0.5 half"
            )

    def __str__(self) -> str:
        return self.name or self.text or (f"photo {self.id}" if self.id else "a photo")


@dataclass(frozen=True, slots=True)
class Query:
    """What to search for, and how much of the answer to return."""

    text: str = ""
    """May be empty if there are ``parts`` or a filter ``where``, or if all photos are wanted by
    date."""
    k: int = 10
    offset: int = 0
    """Hits to skip at the top."""
    candidates: int = 200
    """How many photos the prefilter passes to the regressor at a time."""
    min_relevance: float = 0.0
    """In [0, 1]; hits below it are left out."""
    rerank: bool = True
    """Sort by relevance if it is predicted; otherwise by similarity, as the prefilter does."""
    parts: tuple[Part, ...] = ()
    """What else photos should be like, or unlike."""
    where: Filter = ALL
    """Which photos are searched."""
    exact: bool = False
    """Search for the text word for word; otherwise see :mod:`pixquery.engine.phrasing`."""
    also: str = ""
    """Another form of the text, as in :class:`Part`."""
    caption: str = ""
    """The text as a caption, as in :class:`Part`."""
    words: str = ""
    """Words that stand in the photo, all of them, in any order."""
    literal: tuple[str, ...] = ()
    """Parts of the text that are words, although they could be a filter: "summer 2019"."""
    sort: Sort = "relevance"
    """By date, only the ``candidates`` best photos for what is described are sorted. Without a
    description, relevance means the newest first."""

    def __post_init__(self) -> None:
        if self.words and not terms(self.words):
            raise BadQuery(f"{self.words!r} has no word or number that could stand in a photo")
        if not (self.text.strip() or self.parts or self.where or self.words or self.by_date):
            raise BadQuery('the query is empty: describe a photo, for example "man on bicycle"')
        for name, least in (("k", 1), ("offset", 0), ("candidates", 1)):
            if not least <= (value := getattr(self, name)) <= _MOST:
                raise BadQuery(f"{name} must be from {least} to {_MOST:,}, not {value}")
        if not 0 <= self.min_relevance <= 1:
            raise BadQuery(f"the least relevance must be from 0 to 1, not {self.min_relevance}")
        if len(self.parts) > MOST_PARTS:
            raise BadQuery(f"the query has {len(self.parts)} parts and may have {MOST_PARTS}")
        if self.everything and all(part.weight < 0 for part in self.everything):
            raise BadQuery(
                "the query says only what is not wanted: add what is wanted, for example "
                '"a beach" less "people"'
            )
        if self.min_relevance > 0 and not self.judged:
            raise BadQuery(
                "relevance is only predicted for a single text: leave out the least relevance, "
                "or search with one text and nothing else"
            )

    @property
    def everything(self) -> tuple[Part, ...]:
        """The text, if there is one, and the parts."""
        if not self.text.strip():
            return self.parts
        return (Part(self.text, also=self.also, caption=self.caption), *self.parts)

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text in it."""
        return tuple(text for part in self.everything for text in (part.text, part.also) if text)

    @property
    def phrase(self) -> Phrase:
        """What its text means; what is not wanted stays in it if it could not be a part."""
        room = len(self.parts) <= MOST_PARTS - MOST_WORDS
        return phrase(self.text, negation=room and self.min_relevance == 0)

    def phrased(self) -> "Query":
        """The query that is searched: with what its texts mean in place of what was typed."""
        if self.exact:
            return self
        parts = [
            replace(part, text=phrase(part.text, negation=False).text) if part.text else part
            for part in self.parts
        ]
        meant = self.phrase
        parts += [Part(thing, weight=-UNWANTED) for thing in meant.minus]
        return replace(
            self,
            text=meant.text,
            also=meant.also,
            caption=caption_of(meant.text),
            parts=tuple(parts),
            exact=True,
        )

    @property
    def by_date(self) -> bool:
        """Whether hits are sorted by date, whatever is described."""
        return self.sort != "relevance"

    @property
    def judged(self) -> bool:
        """Whether relevance can be predicted: people judged photos for single texts only."""
        return bool(self.text.strip()) and not self.parts

    def __str__(self) -> str:
        parts = [
            ("" if part.weight == 1 else f"{part.weight:+g} x ") + str(part)
            for part in self.everything
        ]
        if self.words:
            parts.append(f'with the text "{self.words}"')
        return ", ".join(parts)
