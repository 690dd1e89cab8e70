"""Example photos of concepts: read from files when they are given, and when an encoder changes."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from pixquery.db.errors import BadConcept, UnreadableImage
from pixquery.db.quoting import quoted
from pixquery.db.records import Skipped
from pixquery.engine.answers import Lesson
from pixquery.engine.concepts import LEAST_EXAMPLES, MOST_EXAMPLES, Example, encoded_by
from pixquery.engine.home import expanded
from pixquery.engine.library import Library
from pixquery.engine.photos import fingerprint, read
from pixquery.engine.profile import Profile
from pixquery.indexer.scan import roots_of, scan

_AT_ONCE = 32


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

    Examples whose files are gone or have changed are left as they are: the next indexing tries
    again, and until then the library does not know what they show.
    """
    profile = library.profile
    rows = library.catalog.examples()
    done = {(row.concept, row.content) for row in rows if row.encoder == profile.encoder}
    lacking = {
        (row.concept, row.content): row for row in rows if (row.concept, row.content) not in done
    }
    pending = iter(lacking.values())
    while batch := list(islice(pending, _AT_ONCE)):
        found = []
        for row in batch:
            try:
                example = _example(row.path, profile)
            except UnreadableImage:
                continue
            if example.content == row.content:
                found.append((row, example))
        if found:
            raw = profile.photos.encode([example.scales for _, example in found])
            library.catalog.add_examples(
                [
                    encoded_by(row, profile.encoder, vector)
                    for (row, _), vector in zip(found, raw, strict=True)
                ]
            )


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
    photo = decode(content, *profile.sizes, interpolation=profile.interpolation)
    return Example(file, fingerprint(content), photo.scales)
