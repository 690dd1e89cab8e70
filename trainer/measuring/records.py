"""Queries with known answers, pairs of photo and text, and how well they are answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Pair:
    """A photo and a text whose relevance is asked for, judged or predicted."""

    image: Path
    text: str
    given: str = ""
    """The image's path as the user wrote it, where that differs."""


@dataclass(frozen=True, slots=True)
class TestQuery:
    """A query whose one relevant photo is known."""

    id: str
    text: str
    image: str
    """File name or path suffix of the relevant photo."""

    __test__ = False  # the name begins with "Test", which pytest would collect


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well a library answers a file of queries, prefilter alone beside re-ranked."""

    queries: int
    images: int
    profile: str
    first_stage: Mapping[str, float]
    reranked: Mapping[str, float]
    ci95: Mapping[str, Mapping[str, tuple[float, float]]]
    p50: float
    """Median time of one query, milliseconds."""
    p95: float
    unmatched: tuple[str, ...] = field(default=())
    """Relevant photos that the library does not hold; their queries count as unanswered."""
