"""Pairs of a photo and a text that are worth a judgement, and what the judgements are good for.

Most pairs that are asked about are uncertain ones: their relevance is near the border between yes
and partly, or partly and no, where a judgement says most (uncertainty sampling: Lewis and Gale,
SIGIR 1994). But who only judges these never learns whether the best are right, and training needs
photos of all kinds. So one of six is among the best, and one is from the middle.
"""

import random
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from pixquery.db.errors import BadQuery, QueryRefused
from pixquery.db.records import Floats, Ids, ImageRecord
from pixquery.engine.legible import counted
from pixquery.engine.library import Library
from pixquery.engine.policy import refuse
from pixquery.engine.query import Query
from pixquery.engine.ratings_file import Judgement, Judgements, judged_text
from pixquery.engine.recognition import recognise
from pixquery.engine.standing import STANDINGS

SURE, UNCERTAIN, MIDDLE = "sure", "uncertain", "middle"
_ROUND = (SURE, UNCERTAIN, UNCERTAIN, MIDDLE, UNCERTAIN, UNCERTAIN)
"""The kinds of pairs that are asked about in turn."""
_BORDERS = tuple(row.least for row in STANDINGS if row.level in (2, 3))
"""The relevances at which people hesitate."""
_CANDIDATES = 200
_AMONG = 8
"""Of so many pairs of one kind, the photo least like those asked about already is taken."""
_AT_A_TIME = 6
"""Photos for one text before the next one, if pixquery chooses texts."""
_FEW = 12
"""A text with fewer judgements is taken up again."""
_SAMPLE, _KEYWORDS = 2000, 20
"""Photos whose keywords are counted, and how many keywords are proposed."""
_ANYTHING = 0.2
"""Relevance or, without a regressor, similarity of the best photo for a text that is proposed."""

LEAST_PHOTOS = LEAST_TEXTS = 3
"""Fewer cannot be held out in turn; training refuses them."""
WORTHWHILE = 50
"""Judgements from which training is proposed. Fewer change next to nothing; see
``docs/relevance.md``."""

EVERYDAY = (
    "a dog", "a cat", "a child playing", "people at a table", "a group of people", "a portrait",
    "a beach", "the sea", "mountains", "a forest", "flowers", "a garden", "snow", "a sunset",
    "a street in a city", "an old building", "a car", "a bicycle", "a boat", "a train",
    "food on a plate", "a birthday party", "people dancing", "a concert", "sports", "swimming",
    "a bird", "a horse", "a river", "a bridge", "at night", "indoors",
)  # fmt: skip
"""Texts that most people's photos have something for."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A photo and a text that somebody may judge."""

    photo: ImageRecord
    text: str
    kind: str
    """Why it is asked about: ``sure``, ``uncertain`` or ``middle``."""
    relevance: float | None
    """As the profile predicts it, in [0, 1]; none if it predicts none."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether training can learn from some judgements."""

    judgements: int
    photos: int
    texts: int
    lacking: str
    """What is missing, in words; empty if training is possible."""

    @property
    def worthwhile(self) -> bool:
        """Whether there are enough to propose training."""
        return not self.lacking and self.judgements >= WORTHWHILE


def readiness(judgements: Judgements) -> Readiness:
    """What training could do with judgements."""
    given = judgements.counting
    lacking = ""
    if not given:
        lacking = "there are no judgements yet"
    elif judgements.photos < LEAST_PHOTOS:
        lacking = f"they are of {counted(judgements.photos, 'photo')}: judge {LEAST_PHOTOS} or more"
    elif judgements.texts < LEAST_TEXTS:
        lacking = (
            f"they are for {counted(judgements.texts, 'text')}, and holding texts out needs "
            f"{LEAST_TEXTS}: judge photos for other texts, too"
        )
    elif len({judgement.rating for judgement in given}) == 1:
        lacking = f"all of them are {given[0].rating!r}: judge photos that fit more and less"
    return Readiness(len(given), judgements.photos, judgements.texts, lacking)


def text_to_judge(library: Library, typed: str, *, exact: bool = False) -> str:
    """The text that a judgement is about: what is searched for what somebody typed.

    Words that are a filter, such as "in Lisbon" or "2019", and "my photos of" are left out, unless
    the text is to be taken word for word.

    Raises:
        BadQuery: Nothing is left, or the text is too long.
        QueryRefused: The library's stop-word policy is on and the text contains a stop word.
    """
    if library.policed:
        refuse([typed], library.policy(), library.folder)
    asked, _ = recognise(Query(judged_text(typed), exact=exact), library.places)
    meant = asked.phrased() if asked.text.strip() else asked
    if not meant.text.strip():
        raise BadQuery(
            f"{typed!r} only says when or where photos were taken, which nobody needs to judge: "
            "describe what they show"
        )
    return meant.text


def pairs_for(
    library: Library, text: str, given: Iterable[Judgement], asked: Collection[str] = ()
) -> Iterator[Pair]:
    """The pairs of one text that are worth asking about, in order, each once.

    Args:
        library: Whose photos.
        text: As :func:`text_to_judge` returns it.
        given: The judgements of whoever is asked. Pairs that they are about are left out.
        asked: Paths of photos to leave out, too.
    """
    ranking = library.rank(text, candidates=_CANDIDATES)
    known = ranking.similarities if ranking.seen is None else ranking.seen
    records = library.catalog.records(ranking.ids.tolist())
    done = {one.image for one in given if one.text == text} | set(asked)
    left = [
        place
        for place, image_id in enumerate(ranking.ids.tolist())
        if image_id in records and str(records[image_id].path) not in done
    ]
    vectors = library.index.vectors(ranking.ids)
    for kind, place in _in_turn(np.array(left, np.int64), known, vectors, text):
        yield Pair(
            records[int(ranking.ids[place])],
            text,
            kind,
            None if ranking.seen is None else float(known[place]),
        )


def _in_turn(left: Ids, known: Floats, vectors: Floats, text: str) -> Iterator[tuple[str, int]]:
    """Kinds and places of photos, so that the kinds take turns and the photos vary.

    Args:
        left: int64[n] places of the photos that may be asked about.
        known: float32[c] relevances, or similarities, of all candidates.
        vectors: float32[c, a], aligned.
        text: Seeds the order of those in the middle, so that it is the same each time.
    """
    best = left[np.argsort(-known[left], kind="stable")]
    borders = np.abs(known[:, None] - _borders(known)).min(1)
    middle = best.tolist()
    random.Random(text).shuffle(middle)
    queues = {
        SURE: best.tolist(),
        UNCERTAIN: left[np.argsort(borders[left], kind="stable")].tolist(),
        MIDDLE: middle,
    }
    taken: list[int] = []
    for turn in range(len(left)):
        kind = _ROUND[turn % len(_ROUND)]
        queue = [place for place in queues[kind] if place not in taken]
        queues[kind] = queue
        among = queue[:_AMONG]
        likeness = (vectors[among] @ vectors[taken].T).max(1) if taken else np.zeros(1)
        place = among[int(likeness.argmin())]
        taken.append(place)
        yield kind, place


def _borders(known: Floats) -> Floats:
    """Where it is hardest to say whether a photo fits; without relevance, the upper quarter."""
    if len(known) and (known.min() < 0 or known.max() > 1):
        return np.quantile(known, [0.75, 0.9]).astype(np.float32)
    return np.array(_BORDERS, np.float32)


def proposed(library: Library, given: Sequence[Judgement]) -> Iterator[Pair]:
    """Pairs of texts that pixquery chooses, a few photos for each text in turn.

    First come texts that were judged before but for few photos, then what the library was taught,
    the keywords of its owners, and everyday things, if it has photos of them. The order is always
    the same.

    Args:
        library: Whose photos.
        given: The judgements of whoever is asked.
    """
    asking: dict[str, Iterator[Pair]] = {}
    for text in _texts(library, given):
        pairs = pairs_for(library, text, given)
        asking[text] = pairs
        yield from _some(pairs)
    while asking:  # all texts have had their turn
        for text, pairs in list(asking.items()):
            some = list(_some(pairs))
            if not some:
                del asking[text]
            yield from some


def _some(pairs: Iterator[Pair]) -> Iterator[Pair]:
    for _, pair in zip(range(_AT_A_TIME), pairs, strict=False):
        yield pair


def _texts(library: Library, given: Sequence[Judgement]) -> Iterator[str]:
    counts: dict[str, int] = {}
    for judgement in given:
        counts[judgement.text] = counts.get(judgement.text, 0) + 1
    texts = sorted((text for text in counts if counts[text] < _FEW), key=lambda text: counts[text])
    others = [*(concept.name for concept in library.concepts), *_keywords(library), *EVERYDAY]
    random.Random(0).shuffle(others)
    yield from texts
    for typed in others:
        with suppress(BadQuery, QueryRefused):  # a keyword may be a place or a stop word
            text = text_to_judge(library, typed)
            if text not in counts and _has_any(library, text):
                counts[text] = 0
                yield text


def _has_any(library: Library, text: str) -> bool:
    ranking = library.rank(text, candidates=1)
    known = ranking.similarities if ranking.seen is None else ranking.seen
    return bool(len(known)) and float(known.max()) >= _ANYTHING


def _keywords(library: Library) -> list[str]:
    """The keywords that owners gave most of the photos, or of a part if there are many."""
    ids = library.index.ids()
    some = ids[:: max(1, len(ids) // _SAMPLE)].tolist()
    counts = Counter(
        " ".join(keyword.split())
        for own in library.catalog.annotations(some).values()
        for keyword in own.keywords
    )
    return [keyword for keyword, _ in counts.most_common(_KEYWORDS) if keyword]
