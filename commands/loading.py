"""Loads packages that may be missing or start threads, and photos."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pixquery.commands.printing import shown
from pixquery.db.errors import BadRoot, MissingExtra, StorageFailed

if TYPE_CHECKING:
    from pixquery.db.records import Pixels, Scales
    from pixquery.engine.alteration import Alteration, Load


T = TypeVar("T")
_LONGEST_SIDE = 1 << 20


def one_thread_for_small_sums() -> None:
    """Keeps FAISS and NumPy from starting threads. Call it before they are imported.

    Their threads would compete with the encoder's for the same cores: on two busy cores, a query
    took three times as long.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Names the extra to install if an import inside the block fails.

    Raises:
        MissingExtra: A package of the extra ``name`` is not installed.
    """
    if name == "train":
        Path.cwd()  # raises if it was deleted, where PyTorch would end the process
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"this command needs the package {error.name}: pip install 'pixquery[{name}]'"
        ) from error


@contextmanager
def writing(path: Path, option: str) -> Iterator[None]:
    """Says what cannot be written, and the option that names another place.

    Raises:
        StorageFailed: The block could not write to ``path``.
    """
    try:
        yield
    except OSError as error:
        raise StorageFailed(
            f"cannot access {path} ({error.strerror}): name another with {option}"
        ) from None


def some_photos(folder: Path, most: int) -> list[Path]:
    """At most ``most`` photos from a folder and its subfolders, evenly chosen.

    Raises:
        BadRoot: ``folder`` is not a folder, or contains no photo.
    """
    from pixquery.indexer.scan import roots_of, scan

    files = sorted(scan(roots_of([folder])[0]).files)
    if not files:
        raise BadRoot(f"the folder {folder} contains no photos: name another with --photos DIR")
    return files[:: max(1, len(files) // most)][:most]


def library_photos(library: Path, most: int) -> list[Path]:
    """Photos of a library, evenly chosen; none if it has fewer than ``most`` that are there."""
    from pixquery.db.errors import PixqueryError
    from pixquery.engine.library import Library

    if not library.is_dir():
        return []
    try:
        with Library.open(library) as opened:
            ids = opened.index.ids()
            chosen = ids[:: max(1, len(ids) // most)][:most].tolist()
            paths = [record.path for record in opened.catalog.records(chosen).values()]
    except PixqueryError:  # whatever is wrong with it, it is not what was asked for
        return []
    present = [path for path in paths if path.is_file()]
    return present if len(present) == most else []


def photo_loader(size: int, interpolation: str, fit: str = "squash") -> Callable[[Path], Pixels]:
    """A function that reads a photo as uint8[size, size, 3]; its errors name the photo."""
    load = scales_loader((size,), interpolation, fit)
    return lambda path: load(path)[0]


def scales_loader(
    sizes: Sequence[int], interpolation: str, fit: str = "squash"
) -> Callable[[Path], Scales]:
    """A function that reads a photo at several sizes; its errors name the photo."""
    from pixquery.indexer.decode import decode

    return lambda path: _decoded(
        path, lambda content: decode(content, *sizes, interpolation=interpolation, fit=fit).scales
    )


def thumbnail_maker(side: int, quality: int) -> Callable[[Path], bytes]:
    """A function that makes a small JPEG of a photo; its errors name the photo."""
    from pixquery.indexer.decode import thumbnail

    return lambda path: _decoded(path, lambda content: thumbnail(content, side, quality=quality))


def whole_picture(path: Path) -> Any:
    """A photo as Pillow's image, upright, in RGB and of its own size; errors name the photo."""
    from pixquery.indexer.decode import picture

    return _decoded(path, lambda content: picture(content, _LONGEST_SIDE))


def view_loader(interpolation: str, fit: str = "squash") -> Load:
    """A function that reads a photo at any size, altered or not; its errors name the photo."""
    from pixquery.indexer.altered import altered
    from pixquery.indexer.decode import decode

    def load(path: Path, size: int, alteration: Alteration | None = None) -> Pixels:
        if alteration is None:
            return _decoded(
                path, lambda c: decode(c, size, interpolation=interpolation, fit=fit).pixels
            )
        return _decoded(
            path, lambda c: altered(c, size, alteration, interpolation=interpolation, fit=fit)
        )

    return load


def _decoded(path: Path, decode: Callable[[bytes], T]) -> T:
    """What ``decode`` makes of a photo's file.

    Raises:
        UnreadableImage: The file or its content cannot be read.
    """
    from pixquery.db.errors import PhotoFailed, UnreadableImage
    from pixquery.engine.photos import read

    try:
        return decode(read(path).content)
    except PhotoFailed as error:
        raise PhotoFailed(f"{shown(path)} {error}: try again") from error
    except UnreadableImage as error:
        raise UnreadableImage(f"{shown(path)}: {error}: name another photo") from None
    except OSError as error:
        raise UnreadableImage(
            f"{shown(path)} cannot be read ({error.strerror}): name another photo"
        ) from None
