"""The views of training photos: each photo is encoded several times, and differently."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixquery.db.records import Floats
from pixquery.engine.alteration import Alteration
from pixquery.engine.profile import Profile
from pixquery.trainer.image_model import EXPORTS
from pixquery.trainer.learning.course import Course

FLOAT, INT8 = "float", "int8"
_LARGER = 320


@dataclass(frozen=True, slots=True)
class View:
    """How all photos are encoded once."""

    precision: str | None = None
    """Of the encoder, by its name in the manifest; None: the fastest on this processor."""
    size: int | None = None
    """Side of the square, in pixels; None: the profile's."""
    mirrored: bool = False
    cropped: bool = False
    """Each photo is slightly altered, at random."""


_OF_SHIPPED = (
    View(FLOAT),
    View(FLOAT, mirrored=True),
    View(FLOAT, cropped=True),
    View(INT8),
    View(INT8, cropped=True),
    View(FLOAT, _LARGER),
)
"""Chosen on the development split; the first is the one of a query."""


def views_of(profile: Profile, *, quick: bool) -> tuple[View, ...]:
    """The views that a profile learns from.

    Other people's encoders may be twenty times as slow, and many run at one size only. Their photos
    are seen as they are and mirrored.
    """
    if quick:
        return (View(),)
    if profile.source in EXPORTS:
        return _OF_SHIPPED
    return tuple(
        View(precision, mirrored=mirrored)
        for precision in profile.manifest["image"]["models"]
        for mirrored in (False, True)
    )


def encoded_views(course: Course, views: Sequence[View], files: Sequence[Path]) -> Floats:
    """Encodes n photos in each of v views, as float32[v, n, d]."""
    profile = course.profile
    vectors = np.empty((len(views), len(files), profile.dimension), np.float32)
    encoder, before = profile.images, View()
    for number, view in enumerate(views):
        if view.precision and (view.precision, view.size) != (before.precision, before.size):
            encoder = profile.image_encoder(view.precision, view.size)
        before = view
        rng = np.random.default_rng([course.options.seed, number])
        alterations = list(slight(rng, len(files))) if view.cropped else None
        vectors[number] = course.encode(
            encoder, files, mirrored=view.mirrored, alterations=alterations
        )
    return vectors


def slight(rng: np.random.Generator, count: int) -> Iterator[Alteration]:
    """Draws alterations that leave what a photo shows: the same one could have been taken so."""
    for _ in range(count):
        share, left, top = rng.uniform(0.9, 1), rng.uniform(), rng.uniform()
        mirrored, smaller, saved = rng.random(3) < 0.5
        yield Alteration(
            float(share),
            float(left),
            float(top),
            mirrored=bool(mirrored),
            scale=float(rng.uniform(0.75, 1)) if smaller else 1.0,
            quality=int(rng.integers(60, 91)) if saved else None,
        )
