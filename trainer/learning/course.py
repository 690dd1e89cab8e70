"""A training run: what stays the same throughout, and how far it has come."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixquery.db.errors import BadData
from pixquery.db.records import Floats, Ids
from pixquery.engine.alteration import Alteration, Load
from pixquery.engine.encoders import ImageEncoder
from pixquery.engine.profile import Profile
from pixquery.trainer.learning.options import Options
from pixquery.trainer.measuring.tables import is_file

STEP, EPOCH, CONTENDER = 180, 600, 250
"""The time of a fine-tuning step, an alignment epoch and a regressor, in photos encoded."""


@dataclass(slots=True)
class Course:
    """The profile, loader and options of a run, and its progress."""

    profile: Profile
    load: Load
    options: Options
    total: int = 0
    done: int = 0

    def step(self, count: int = 1) -> None:
        """Reports that the work of ``count`` encoded photos is done."""
        self.done = min(self.done + count, self.total)
        self.options.progress(self.done, self.total)

    def finish(self) -> None:
        """Reports that all work is done: ``total`` was an estimate."""
        self.step(self.total)

    def encode(
        self,
        encoder: ImageEncoder,
        files: Sequence[Path],
        *,
        mirrored: bool = False,
        alterations: Sequence[Alteration] | None = None,
    ) -> Floats:
        """Encodes files of photos as float32[n, d].

        Args:
            encoder: The encoder.
            files: n files.
            mirrored: Whether to mirror all photos.
            alterations: What to do to each photo before; None leaves them as they are.
        """
        vectors = np.empty((len(files), encoder.dimension), np.float32)
        for start in range(0, len(files), 64):
            rows = range(start, min(start + 64, len(files)))
            pixels = np.stack(
                [
                    self.load(files[row], encoder.size, alterations[row] if alterations else None)
                    for row in rows
                ]
            )
            if mirrored:
                pixels = np.ascontiguousarray(pixels[:, :, ::-1])
            vectors[start : start + 64] = encoder.encode(pixels)
            self.step(len(pixels))
        return vectors


def located(folders: Sequence[Path], name: str) -> Path | None:
    """The photo of a name in the first of some folders that has it; None if none has."""
    return next((folder / name for folder in folders if is_file(folder / name)), None)


def photo_files(folders: Path | Sequence[Path], names: Sequence[str]) -> tuple[list[Path], Ids]:
    """The distinct files, and the row int64[n] of each name's file.

    Args:
        folders: Where to look, the first one first.
        names: n names.

    Raises:
        BadData: A file is missing.
    """
    places = [folders] if isinstance(folders, Path) else list(folders)
    distinct = sorted(set(names))
    files = [located(places, name) or places[0] / name for name in distinct]
    missing = [file for file in files if not is_file(file)]
    if missing:
        raise BadData(
            f"{len(missing)} photos are missing, for example {missing[0]}: put them there, or "
            "delete their lines"
        )
    row_of = {name: row for row, name in enumerate(distinct)}
    return files, np.array([row_of[name] for name in names], np.int64)
