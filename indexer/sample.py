"""Encodes photos again and compares them with the vectors that the library holds.

A damaged model may have computed what is stored, and then every checksum is right.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pixquery.db.errors import UnreadableImage
from pixquery.db.records import ImageRecord, Scales
from pixquery.engine.library import Library
from pixquery.engine.photos import read
from pixquery.engine.unit import unit

SAMPLE = 20
"""Photos that are enough to notice a damage that most vectors have."""

LEAST_COSINE = 0.98
"""Between a stored vector and that of the same photo encoded again. Processors that compute with
less precision, or in eight bits, come down to 0.987 (``docs/reliability.md``)."""

_AT_ONCE = 32
_TRIED = 20
"""How many photos are looked at for each that is wanted, where files are gone or have changed."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Stored vectors beside those of the same photos encoded again."""

    compared: int
    differing: tuple[tuple[ImageRecord, float], ...]
    """The photos whose vectors disagree, and the cosines between the two; 0 if a vector is not
    finite."""


def compare_vectors(
    library: Library,
    *,
    most: int | None = SAMPLE,
    ids: Sequence[int] | None = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Comparison:
    """Encodes photos again and compares them with their stored vectors.

    Photos whose file is gone, has changed or cannot be read are left out, as are those that were
    encoded by an earlier image encoder or at another quality. The models are compiled anew, so that
    a damaged cache cannot agree with itself.

    Args:
        library: Whose photos and profile.
        most: How many photos, chosen at random; None: all.
        ids: Exactly these photos instead.
        progress: Called with the number of photos done and the number to do.

    Raises:
        ProfileDamaged: The profile's files are not those that its manifest names.
        LibraryDamaged: The catalogue cannot be read.
    """
    profile, catalog = library.profile, library.catalog
    if ids is None:
        chosen = np.random.default_rng().permutation(catalog.vector_ids(profile.encoder))
        ids = chosen[: None if most is None else most * _TRIED].tolist()
    else:
        most = None
    total = len(ids) if most is None else min(most, len(ids))
    compared, differing = 0, []
    encoder = profile.photos_anew() if len(ids) else None
    for records, scales in _decoded(library, ids):
        if most is not None:
            records, scales = records[: most - compared], scales[: most - compared]
        if encoder is None or not records:
            break
        stored = catalog.vectors_of([record.id for record in records], profile.encoder)
        kept = [  # those of other lengths are found by other checks
            row
            for row, record in enumerate(records)
            if len(stored.get(record.id, ())) == profile.dimension
        ]
        if not kept:
            continue
        again = unit(encoder.encode([scales[row] for row in kept]))
        before = unit(np.stack([stored[records[row].id] for row in kept]).astype(np.float32))
        cosines = np.nan_to_num(np.einsum("nd,nd->n", again, before), nan=0.0)
        cosines[(again == before).all(1)] = 1  # zeros, too
        differing += [
            (records[row], float(cosine))
            for row, cosine in zip(kept, cosines, strict=True)
            if cosine < LEAST_COSINE
        ]
        compared += len(kept)
        progress(min(compared, total), total)
    return Comparison(compared, tuple(differing))


def forget_differing(library: Library, comparison: Comparison) -> None:
    """Deletes the vectors that disagree, so that the next indexing encodes their photos again.

    Raises:
        LibraryLocked: Another process writes.
    """
    if comparison.differing:
        with library.writing():
            library.catalog.forget_vectors([record.id for record, _ in comparison.differing])


def _decoded(
    library: Library, ids: Sequence[int]
) -> Iterator[tuple[list[ImageRecord], list[Scales]]]:
    """Photos whose files are as they were when they were indexed, in batches."""
    from pixquery.indexer.decode import decode  # loads Pillow

    profile = library.profile
    for start in range(0, len(ids), _AT_ONCE):
        records, scales = [], []
        for record in library.catalog.records(ids[start : start + _AT_ONCE]).values():
            try:
                state, content = read(record.path)
                if state != record.state:
                    continue
                photo = decode(
                    content, *profile.sizes, interpolation=profile.interpolation, fit=profile.fit
                )
            except (OSError, UnreadableImage):
                continue
            records.append(record)
            scales.append(photo.scales)
        yield records, scales
