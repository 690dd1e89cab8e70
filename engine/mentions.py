"""Photos that mention what is searched: in text that was read in them, or in their owner's words.

A picture of a boarding pass for Lisbon looks like any other boarding pass. "boarding pass lisbon"
finds it by the words in it. Such a photo joins the candidates, with a relevance of its own.
"""
# ruff: noqa: SIM905 - words that are easier to read as one text

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Literal, NamedTuple

from pixquery.db.catalog import Catalog
from pixquery.db.records import Annotation, Ids, Line
from pixquery.db.terms import terms
from pixquery.db.words import Source, Words
from pixquery.engine.plurals import singular

Kind = Literal[
    "text", "title", "caption", "keyword", "person", "location", "place", "alike", "look"
]
"""Where words stand; "place" is a name of where the photo was taken. "alike" is a photo that looks
like others in which the words stand, "look" one that looks like what is searched."""

MOST = 100
"""Photos whose words are compared; more common words say little."""
MOST_WITH_TEXT = 10_000
"""Photos that a search for text alone returns."""
_LONG = 5
"""Letters of a word that is recognised although it was not read quite right."""
_NEAR = 0.9
"""How much such a word counts."""
_SHOWN = 3
"""Matches that are kept of a photo."""
_EMPTY = frozenset(
    "a all am an and any are as at be been being both but by did do does down find for from had "
    "has have he her here his how i image images in into is it its me my near next no not of off "
    "on onto or our out over photo photos pic pics picture pictures please pm s she show some t "
    "that the their them there these they this those to under up us was we were what when where "
    "which while who with without you your".split()
)
"""Words that say nothing of what is in a photo."""


@dataclass(frozen=True, slots=True)
class Match:
    """Why a photo is in an answer."""

    kind: Kind
    words: str
    """The line, name or sentence in which searched words stand; or the reason in words."""
    corners: tuple[float, ...] = ()
    """Where a line stands; see :class:`pixquery.db.records.Line`."""

    def __str__(self) -> str:
        if self.kind in ("look", "alike"):
            return self.words
        return (
            f'{self.kind}: "{self.words}"' if self.kind == "text" else f"{self.kind}: {self.words}"
        )


LOOKS = Match("look", "looks like it")


def by_words(matches: Iterable[Match]) -> list[Match]:
    """Reasons that are words; without those that a photo merely looks like something."""
    return [match for match in matches if match.kind not in ("look", "alike")]


@dataclass(frozen=True, slots=True)
class Mention:
    """A photo that mentions what was searched."""

    strength: float
    """The least relevance of the photo, (0, 1]."""
    matches: tuple[Match, ...]
    """Why, the best first."""


Mentioned = Mapping[int, Mention]
"""Mentions by the id of the photo, the best first."""


class Mentions:
    """The words of a library's photos."""

    def __init__(self, words: Words, catalog: Catalog) -> None:
        """Reads nothing yet."""
        self._words = words
        self._catalog = catalog

    def of(self, text: str, *, among: Ids | None = None) -> Mentioned:
        """The photos that mention most of a text.

        Args:
            text: What was typed.
            among: The ids int64[n] to search; none means all.

        Raises:
            LibraryDamaged: Rows of the catalogue differ from their checksums.
        """
        asked = asked_for(text)
        found = self._found(asked, _Search(spare=min(1, len(asked) - 1)), among)
        # Of two that mention as much, the better one by BM25 keeps its place.
        return dict(sorted(found.items(), key=lambda item: -item[1].strength))

    def with_text(self, text: str, *, among: Ids | None = None) -> Mentioned:
        """The photos in which all words of a text stand.

        Args:
            text: The words, in any order.
            among: The ids int64[n] to search; none means all.

        Raises:
            LibraryDamaged: Rows of the catalogue differ from their checksums.
        """
        asked = [(term,) for term in dict.fromkeys(terms(text))]
        return self._found(asked, _Search("text", limit=MOST_WITH_TEXT), among)

    def _found(
        self, asked: Sequence[Sequence[str]], search: "_Search", among: Ids | None
    ) -> Mentioned:
        if not asked or not self._words.bring_up_to_date(self._catalog):
            return {}
        # Most of what is found may be elsewhere.
        limit = search.limit if among is None else max(search.limit, MOST_WITH_TEXT)
        ids = self._words.search(asked, spare=search.spare, limit=limit, source=search.source)
        if among is not None:
            allowed = set(among.tolist())
            ids = [image_id for image_id in ids if image_id in allowed][: search.limit]
        return dict(self._proven(asked, ids, search))

    def _proven(
        self, asked: Sequence[Sequence[str]], ids: Sequence[int], search: "_Search"
    ) -> Iterator[tuple[int, Mention]]:
        """What the catalogue confirms: the index of words may be out of step, or damaged."""
        readings, annotations = self._catalog.readings(ids), self._catalog.annotations(ids)
        for image_id in ids:
            passages = list(_of_lines(readings.get(image_id, ())))
            if search.source != "text":
                passages += _of_annotation(annotations.get(image_id, Annotation()))
            matches, met = _matches(asked, passages, near=search.spare > 0)
            exact = sum(share == 1 for share in met.values())
            least = len(asked) - (search.spare and _spare(len(asked)))
            if exact >= len(asked) - search.spare and len(met) >= least:
                by_owner = all(match.kind != "text" for match in matches)
                strength = _strength(sum(met.values()), len(asked), by_owner=by_owner)
                yield image_id, Mention(strength, matches)


class _Search(NamedTuple):
    """How to search for some terms."""

    source: Source | None = None
    """Where they must stand; anywhere by default."""
    spare: int = 0
    """How many of them may be missing."""
    limit: int = MOST


def asked_for(text: str) -> list[tuple[str, ...]]:
    """The terms of a text that may be mentioned, each with the forms that will do.

    Two words may have been read as one, which then is a form of both.
    """
    typed = terms(text)
    forms = {
        term: [term, singular(term) or term, f"{term}s"] for term in typed if term not in _EMPTY
    }
    for first, second in pairwise(typed):
        if first in forms and second in forms:
            forms[first].append(first + second)
            forms[second].append(first + second)
    return [tuple(dict.fromkeys(own)) for own in forms.values()]


def _is_near(term: str, read: str) -> bool:
    """Whether a term was perhaps read as another: one letter differs, or words ran together."""
    if len(term) < _LONG or not term.isalpha():
        return False
    if len(read) > len(term) + 1:
        return term in read
    if abs(len(term) - len(read)) > 1:
        return False
    short, long = sorted((term, read), key=len)
    same = next(
        (at for at, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short)
    )
    return short[same + (len(short) == len(long)) :] == long[same + 1 :]


def _spare(count: int) -> int:
    """How many of some terms may be missing: text is not always read right."""
    return 0 if count < 3 else 1


def _strength(met: float, asked: int, *, by_owner: bool) -> float:
    """How relevant a photo is that contains so many of the terms.

    What an owner wrote is about the photo. A single word that stands in it need not be: a stall
    with hot dogs shows no dog.
    """
    certain = (0.8, 0.85, 0.9) if by_owner else (0.6, 0.8, 0.9)
    return certain[min(math.ceil(met), 3) - 1] * met / asked


def _of_lines(lines: Iterable[Line]) -> Iterator[Match]:
    return (Match("text", line.text, line.corners) for line in lines)


def _of_annotation(annotation: Annotation) -> Iterator[Match]:
    for name in annotation.people:
        yield Match("person", name)
    for word in annotation.keywords:
        yield Match("keyword", word)
    for place in annotation.location:
        yield Match("location", place)
    if annotation.title:
        yield Match("title", annotation.title)
    if annotation.caption:
        yield Match("caption", annotation.caption)


def _matches(
    asked: Sequence[Sequence[str]], passages: Sequence[Match], *, near: bool
) -> tuple[tuple[Match, ...], dict[int, float]]:
    """The passages that cover the most terms, and how much of each term is covered, by its place.

    Args:
        asked: The forms of each term.
        passages: Of one photo.
        near: Whether a term may be read as one that differs in a letter, or as a part of one.
    """
    read = [(passage, set(terms(passage.words))) for passage in passages]
    covers = [
        (passage, {place for place, forms in enumerate(asked) if not own.isdisjoint(forms)})
        for passage, own in read
    ]
    met = dict.fromkeys(set().union(*(covered for _, covered in covers)), 1.0)
    for place in [place for place in range(len(asked)) if near and place not in met]:
        for passage, own in read:
            if passage.kind == "text" and any(map(partial(_is_near, asked[place][0]), own)):
                covers.append((passage, {place}))
                met[place] = _NEAR
                break
    chosen: list[Match] = []
    left = set(met)
    while left and len(chosen) < _SHOWN:
        passage, covered = max(covers, key=lambda each: len(each[1] & left))
        chosen.append(passage)
        left -= covered
    return tuple(chosen), met
