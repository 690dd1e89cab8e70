"""What the owner wrote about the photos of a run: in their files and in their sidecars."""

import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pixquery.db.catalog import Catalog
from pixquery.db.changes import Taking
from pixquery.db.metadata import Noted
from pixquery.db.records import Annotation, FileState
from pixquery.engine.photos import open_below, open_same
from pixquery.indexer.annotations import merged
from pixquery.indexer.decode import Photo
from pixquery.indexer.exif import Exif
from pixquery.indexer.metadata import Metadata, metadata_in
from pixquery.indexer.plan import Plan
from pixquery.indexer.sidecar_content import LARGEST, Sidecar, read_sidecar
from pixquery.indexer.sidecars import SidecarFile, state_of


class OwnersWords(NamedTuple):
    """What a photo's file and its sidecars say together."""

    noted: Noted
    exif: Exif
    """Time and place: the photo's own, or else its sidecars'."""


def words_of(plan: Plan, path: Path, own: Metadata, *, follow_links: bool) -> OwnersWords:
    """What a photo's file and its sidecars say together.

    A sidecar that cannot be read is left out, and looked for again by the next run.

    Args:
        plan: Of the photo's root.
        path: Of the photo.
        own: What its file says.
        follow_links: As the run does.
    """
    files = plan.scanned.sidecars.get(str(path), ())
    if not files:
        return OwnersWords(Noted(merged(own.words)), own.exif)
    contents: dict[SidecarFile, Sidecar] = {}
    for file in files:
        try:
            with opened(plan, Path(file.path), follow_links=follow_links) as stream:
                contents[file] = _sidecar(file.path, stream)
        except OSError:
            continue
    annotation = merged(*(sidecar.annotation for sidecar in contents.values()), own.words)
    exif = own.exif.completed(*(sidecar.exif for sidecar in contents.values()))
    return OwnersWords(Noted(annotation, state_of(list(contents))), exif)


def of_photo(photo: Photo) -> Metadata:
    """What the file of a decoded photo says."""
    return Metadata(photo.words, Exif(taken=photo.details.taken, place=photo.details.place))


def words_in(plan: Plan, path: Path, state: FileState, *, follow_links: bool) -> OwnersWords | None:
    """The same of a photo whose file is opened for it; none if it is not understood now.

    Raises:
        OSError: The file cannot be read, has not this state, or is not the one that was found.
        PhotoFailed: Another try may succeed.
    """
    with opened(plan, path, follow_links=follow_links) as file:
        if FileState.of(os.fstat(file.fileno())) != state:
            raise OSError(errno.ESTALE, "it has changed since it was found", str(path))
        own = metadata_in(file)
    return None if own is None else words_of(plan, path, own, follow_links=follow_links)


def opened(plan: Plan, path: Path, *, follow_links: bool) -> BinaryIO:
    """Opens a file that the scan found, with the care that photos are opened with.

    Raises:
        OSError: It cannot be opened, is not a regular file, or not the one that was found.
    """
    if follow_links:
        return open_same(path, plan.scanned.identities.get(str(path)))
    return open_below(plan.root, path, plan.scanned.identity)


def _sidecar(name: str, file: BinaryIO) -> Sidecar:
    size = os.fstat(file.fileno()).st_size
    return read_sidecar(name, file.read(size)) if size <= LARGEST else Sidecar()


def note(catalog: Catalog, words: Mapping[int, OwnersWords]) -> int:
    """Notes what owners wrote about photos of the catalogue, by id, as far as it is new.

    Returns:
        About how many photos something else was noted before.
    """
    if not words:
        return 0
    before = catalog.annotations(list(words))
    catalog.annotate({image_id: own.noted for image_id, own in words.items()})
    catalog.retake(dict(_takings(catalog, words)))
    return sum(
        own.noted.annotation != before.get(image_id, Annotation())
        for image_id, own in words.items()
    )


def _takings(catalog: Catalog, words: Mapping[int, OwnersWords]) -> Iterator[tuple[int, Taking]]:
    """The photos whose time or place is another one now, with both."""
    for image_id, record in catalog.records(list(words)).items():
        exif = words[image_id].exif
        if (exif.taken, exif.place) != (record.taken, record.place):
            yield image_id, Taking(exif.taken, exif.place, moved=exif.place != record.place)
