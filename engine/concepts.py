"""Concepts: what a library was taught by a few example photos, in its own copy of its profile.

The catalogue keeps the raw vectors of the examples, and the alignment is derived from them as the
photos' vectors are. So a newer version of the profile keeps the concepts.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pixquery.db.checksums import digest
from pixquery.db.concepts import ConceptReading, ExampleRecord
from pixquery.db.errors import BadConcept
from pixquery.db.records import Floats, Scales
from pixquery.engine.alignment import Alignment, unit
from pixquery.engine.answers import Concept
from pixquery.engine.profile import Profile
from pixquery.engine.relevance import Relevance

if TYPE_CHECKING:  # their runtime is loaded with the first model
    from pixquery.engine.encoders import ImageEncoder, PhotoEncoder, TextEncoder

LEAST_EXAMPLES = 2
"""Of one photo, nobody can tell what is meant."""
MOST_EXAMPLES = 20
MOST_CONCEPTS = 1000
LONGEST_NAME = 60
"""In characters."""

_SAME = 0.9
"""The least likeness of two encodings of a photo, at another quality or by another processor."""


@dataclass(frozen=True, slots=True)
class Example:
    """An example photo, read and decoded."""

    path: Path
    content: bytes
    """The fingerprint of the file's bytes, 32 bytes."""
    hint: bytes
    """What an earlier version noted instead, 16 bytes."""
    scales: Scales = field(compare=False)
    """The photo at the profile's sizes, as the indexer decodes it."""


@dataclass(frozen=True)
class TaughtProfile(Profile):
    """A profile with concepts; it shares the models of the profile it is based on."""

    base: Profile = field(kw_only=True, compare=False)
    names: Floats = field(kw_only=True, compare=False, repr=False)
    """float32[k, e]: raw text vectors of the concepts' names."""
    examples: Sequence[Floats] = field(kw_only=True, compare=False, repr=False)
    """float32[n, d] each: raw vectors of the concepts' examples."""
    concepts: bytes = field(kw_only=True, compare=False, repr=False)
    """Digest of what was taught."""

    @cached_property
    def alignment(self) -> Alignment:
        """The base's, with the concepts."""
        return self.base.alignment.taught(self.names, self.examples)

    @property
    def texts(self) -> "TextEncoder":
        """The base's."""
        return self.base.texts

    @cached_property
    def images(self) -> "ImageEncoder":
        """The base's."""
        return self.base.images

    @cached_property
    def photos(self) -> "PhotoEncoder":
        """The base's."""
        return self.base.photos

    @cached_property
    def relevance(self) -> Relevance | None:
        """The base's."""
        return self.base.relevance


def taught(
    base: Profile,
    catalog: ConceptReading,
    examples: Sequence[ExampleRecord],
    before: Profile | None = None,
) -> Profile:
    """A profile with the concepts of a library; ``base`` itself if there are none.

    Args:
        base: The library's profile without concepts.
        catalog: The library's, for the vectors of names.
        examples: Of the concepts.
        before: What an earlier call returned; it is returned again if it has the same concepts.
    """
    by_name = usable(examples, base.readable)
    if not by_name:
        return base
    concepts = digest(*(value for rows in by_name.values() for row in rows for value in _told(row)))
    if isinstance(before, TaughtProfile) and (before.base, before.concepts) == (base, concepts):
        return before
    names = names_of(base, catalog, list(by_name))
    return TaughtProfile(
        base.folder,
        base.manifest,
        base.quality,
        base=base,
        names=np.stack(list(names.values())),
        examples=[raw_of(rows) for rows in by_name.values()],
        concepts=concepts,
    )


def usable(
    examples: Sequence[ExampleRecord], readable: Iterable[str]
) -> dict[str, list[ExampleRecord]]:
    """The examples of each concept, each as the first of the readable encoders sees it."""
    rank = {encoder: place for place, encoder in enumerate(readable)}
    known = [row for row in examples if row.encoder in rank and np.isfinite(row.raw).all()]
    first: dict[tuple[str, bytes], str] = {}
    for row in sorted(known, key=lambda row: rank[row.encoder]):
        first.setdefault((row.concept, row.content), row.encoder)
    by_name: dict[str, list[ExampleRecord]] = {}
    for row in known:
        if row.encoder == first[row.concept, row.content]:
            by_name.setdefault(row.concept, []).append(row)
    return by_name


def raw_of(rows: Sequence[ExampleRecord]) -> Floats:
    """Their vectors float32[n, d], as long as the shortest.

    An earlier encoder's numbers are the first of the present one's (:attr:`Profile.readable`).
    """
    shortest = min(len(row.raw) for row in rows)
    return np.stack([row.raw[:shortest] for row in rows]).astype(np.float32)


def _told(row: ExampleRecord) -> tuple[str, bytes]:
    return row.concept, row.raw.tobytes()


def names_of(base: Profile, catalog: ConceptReading, concepts: Sequence[str]) -> dict[str, Floats]:
    """The raw text vectors float32[e] of concepts' names; only those not noted are encoded."""
    noted = {
        concept: vector
        for concept, vector in catalog.concept_names(base.text_encoder).items()
        if np.isfinite(vector).all()
    }
    missing = [concept for concept in concepts if concept not in noted]
    if missing:
        noted |= dict(zip(missing, base.texts.encode(missing), strict=True))
    return {concept: noted[concept] for concept in concepts}


def concepts_of(catalog: ConceptReading, profile: Profile) -> tuple[Concept, ...]:
    """The concepts of a library by name."""
    by_name: dict[str, list[ExampleRecord]] = {}
    for row in catalog.examples():
        by_name.setdefault(row.concept, []).append(row)
    return tuple(
        Concept(
            name=name,
            examples=tuple({row.content: row.path for row in rows}.values()),
            taught=max(row.taught for row in rows),
            known=any(row.encoder in profile.readable for row in rows),
        )
        for name, rows in sorted(by_name.items(), key=lambda item: folded(item[0]))
    )


def records(
    concept: str, examples: Sequence[Example], raw: Floats, encoder: str
) -> list[ExampleRecord]:
    """Rows for the catalogue.

    Args:
        concept: The name.
        examples: ``n`` photos.
        raw: float32[n, d], their vectors.
        encoder: The image encoder's digest.
    """
    now = datetime.now(UTC)
    return [
        ExampleRecord(concept, example.content, encoder, now, example.path, vector)
        for example, vector in zip(examples, raw.astype(np.float16), strict=True)
    ]


def encoded_by(row: ExampleRecord, encoder: str, vector: Floats) -> ExampleRecord:
    """A row with the vector float32[d] of another image encoder."""
    return row._replace(encoder=encoder, raw=vector.astype(np.float16))


def is_photo_of(row: ExampleRecord, vector: Floats) -> bool:
    """Whether a vector float32[d] can be of the photo that a row is of.

    Needed where the row has only a hint of the file's bytes: two files can be made to have the same
    hint, but what they show is then compared.
    """
    length = min(len(row.raw), len(vector))
    pair = np.stack([row.raw[:length].astype(np.float32), vector[:length]])
    return likeness(pair) >= _SAME


def likeness(photos: Floats) -> float:
    """The mean cosine between two different rows of float32[n, a] unit vectors; n >= 2."""
    count = len(photos)
    total = np.square(unit(photos).sum(0)).sum()
    return float((total - count) / (count * (count - 1)))


# -- names --------------------------------------------------------------------------------------


def named(text: str) -> str:
    """A concept's name as it is stored: without space around it, and single spaces in it.

    Raises:
        BadConcept: It is empty, too long, or contains control characters or no letter.
    """
    odd = next((char for char in text if unicodedata.category(char) in _UNSEEN), None)
    if odd is not None and not odd.isspace():
        raise BadConcept(
            f"the name {text!r} contains the invisible character U+{ord(odd):04X}: "
            'type it again, for example "receipt"'
        )
    name = " ".join(text.split())
    if not any(char.isalnum() for char in name):
        raise BadConcept(
            f"the name {name!r} contains no letter: name the concept as you will ask for it, "
            'for example "receipt"'
        )
    if len(name) > LONGEST_NAME:
        raise BadConcept(
            f"the name has {len(name)} characters and may have {LONGEST_NAME}: "
            "use the one or two words that you will ask for"
        )
    return name


_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Unicode's categories of characters that cannot be seen."""


def folded(name: str) -> str:
    """What names are compared by: case and how letters are composed make no difference."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
