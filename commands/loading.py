"""What commands load: packages that may be missing or wake threads, and photos."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pixquery.commands.printing import shown
from pixquery.db.errors import BadRoot, MissingExtra

if TYPE_CHECKING:
    from pixquery.db.records import Pixels


def one_thread_for_small_sums() -> None:
    """Keeps FAISS and NumPy from waking threads for one query's sums; before they are imported.

    Their threads would fight with the encoder's for the same cores: on two busy ones a query took
    three times as long.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Says which extra to install where an import of it fails."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"this command needs the package {error.name}: pip install 'pixquery[{name}]'"
        ) from error


def some_photos(folder: Path, most: int) -> list[Path]:
    """Photos of a folder and those in it, evenly chosen.

    Raises:
        BadRoot: It is no folder, or holds none.
    """
    from pixquery.indexer.scan import roots_of, scan

    files = sorted(scan(roots_of([folder])[0]).files)
    if not files:
        raise BadRoot(f"the folder {folder} holds no photo: name another with --photos DIR")
    return files[:: max(1, len(files) // most)][:most]


def photo_loader(size: int, interpolation: str) -> Callable[[Path], Pixels]:
    """Reads photos as an encoder wants them; errors name the photo."""
    from pixquery.db.errors import UnreadableImage
    from pixquery.indexer.decode import decode
    from pixquery.indexer.photos import read

    def load(path: Path) -> Pixels:
        try:
            return decode(read(path).content, size, interpolation=interpolation).pixels
        except UnreadableImage as error:
            raise UnreadableImage(f"{shown(path)}: {error}: name another photo") from None
        except OSError as error:
            raise UnreadableImage(
                f"{shown(path)} cannot be read ({error.strerror}): name another photo"
            ) from None

    return load
