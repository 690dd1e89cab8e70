"""Example photos of concepts: read from files when they are given, and when an encoder changes."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from pixquery.db.concepts import ExampleRecord
from pixquery.db.errors import BadConcept, PhotoFailed, UnreadableImage
from pixquery.db.quoting import quoted
from pixquery.db.records import Floats, Skipped
from pixquery.engine.answers import Lesson
from pixquery.engine.concepts import LEAST_EXAMPLES, MOST_EXAMPLES, Example, encoded_by, is_photo_of
from pixquery.engine.home import expanded
from pixquery.engine.library import Library
from pixquery.engine.photos import fingerprint, hint, is_hint, read
from pixquery.engine.profile import Profile
from pixquery.indexer.failures import failures_reported
from pixquery.indexer.scan import roots_of, scan

_AT_ONCE = 32
_LATER = 1
"""Seconds: the time of teaching is noted in whole ones."""


def teach(
    library: Library, name: str, photos: Sequence[str | Path], *, add: bool = False
) -> Lesson:
    """Teaches a library a concept by 2 to 20 example photos, at once and without training.

    Args:
        library: To teach.
        name: What queries will call it, such as "receipt".
        photos: Files and folders, whose photos are taken; ``~`` is expanded. They need not be in
            the library.
        add: Keep the examples that the concept has already, instead of replacing them.

    Raises:
        BadConcept: The name is unusable; or there are too few photos that can be read, too many
            photos, or too many concepts.
        QueryRefused: The library's stop-word policy is on and the name contains a stop word.
        LibraryLocked: Another process is writing to the library.
        ProfileMismatch: The library has another profile by now.
        StorageFailed: The disk is full or failing; nothing was taught.
    """
    files = _files(photos)
    if len(files) > MOST_EXAMPLES:
        raise BadConcept(
            f"{len(files)} photos are more than the {MOST_EXAMPLES} examples that a concept may "
            "have: name those that show it best"
        )
    examples, skipped = [], []
    for file in files:
        try:
            examples.append(_example(file, library.profile))
        except UnreadableImage as error:
            skipped.append(Skipped(file, str(error)))
    if not add and len(examples) < LEAST_EXAMPLES:
        cause = f" ({skipped[0].path}: {skipped[0].reason})" if skipped else ""
        raise BadConcept(
            f"a concept needs at least {LEAST_EXAMPLES} example photos, and {len(examples)} of "
            f"{len(files)} can be read{cause}: name others with "
            f"`pixquery models teach {quoted(name)} PHOTO...`"
        )
    return replace(library.teach(name, examples, add=add), skipped=tuple(skipped))


def encode_again(library: Library) -> None:
    """Encodes the examples that the library's image encoder has not encoded yet; for the writer.

    Those that an earlier version noted with a hint of their bytes get a fingerprint, too. Examples
    whose files are gone or have changed are left as they are: the next indexing tries again, and
    until then the library does not know what those that are not encoded show.
    """
    profile = library.profile
    photos: dict[tuple[str, bytes], list[ExampleRecord]] = {}
    for row in library.catalog.examples():
        photos.setdefault((row.concept, row.content), []).append(row)
    pending = iter([rows for rows in photos.values() if _lacks(rows, profile)])
    while batch := list(islice(pending, _AT_ONCE)):
        found: list[tuple[list[ExampleRecord], Example]] = []
        for rows in batch:
            with suppress(UnreadableImage):
                example = _example(rows[0].path, profile)
                if rows[0].content in (example.content, example.hint):
                    found.append((rows, example))
        if not found:
            continue
        try:
            with failures_reported("could not be encoded"):
                raw = profile.photos.encode([example.scales for _, example in found])
        except PhotoFailed:  # as if their files were out of reach
            continue
        new = []
        for (rows, example), vector in zip(found, raw, strict=True):
            if not np.isfinite(vector.astype(np.float16)).all():
                continue
            if is_hint(rows[0].content):
                if not _is_proven(rows, example, vector, profile):
                    continue
                library.catalog.prove_examples(example.content, rows)
            if all(row.encoder != profile.encoder for row in rows):
                row = rows[0]._replace(content=example.content)
                new.append(encoded_by(row, profile.encoder, vector))
        library.catalog.add_examples(new)


def _lacks(rows: Sequence[ExampleRecord], profile: Profile) -> bool:
    """Whether an example was not encoded by this encoder, or has only a hint of its bytes."""
    return is_hint(rows[0].content) or all(row.encoder != profile.encoder for row in rows)


def _is_proven(
    rows: Sequence[ExampleRecord], example: Example, vector: Floats, profile: Profile
) -> bool:
    """Whether a file with an example's hint is the example, and not made to look like it.

    Its vector tells, if the example has one that can be compared; else that the file was not
    written since it was given as an example.
    """
    comparable = [row for row in rows if row.encoder in profile.readable]
    if comparable:
        return is_photo_of(comparable[0], vector)
    try:
        status = example.path.stat()
    except OSError:
        return False
    return max(status.st_mtime, status.st_ctime) <= rows[0].taught.timestamp() + _LATER


def _files(paths: Iterable[str | Path]) -> list[Path]:
    """The files among some paths, and the photos in the folders among them; each once."""
    files: list[Path] = []
    for path in paths:
        whole = expanded(path).absolute()
        files += sorted(scan(roots_of([whole])[0]).files) if whole.is_dir() else [whole]
    return list(dict.fromkeys(files))


def _example(file: Path, profile: Profile) -> Example:
    """Reads a photo.

    Raises:
        UnreadableImage: With the reason in words, whether the file or its content is at fault.
    """
    from pixquery.indexer.decode import decode  # loads Pillow

    try:
        content = read(file).content
    except OSError as error:
        raise UnreadableImage(f"cannot be read ({error.strerror})") from None
    photo = decode(content, *profile.sizes, interpolation=profile.interpolation, fit=profile.fit)
    return Example(file, fingerprint(content), hint(content), photo.scales)
