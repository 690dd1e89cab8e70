"""The folder of a profile that is being made: complete, or not there."""

import glob
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pixquery.db.checksums import sha256_of
from pixquery.db.errors import BadData
from pixquery.engine.manifest import CHECKSUM, MANIFEST, checksum, parsed

_IN_USE = "in-use.lock"
"""Held as long as the profile is being made; the system releases it if the process dies."""


def write_manifest(out: Path, manifest: dict[str, Any]) -> None:
    """Writes a manifest, with the size and SHA-256 of every file that it names, and its own.

    Raises:
        BadData: An entry has not the type or range that a profile's must have.
    """
    image, text = manifest["image"], manifest["text"]
    named = [
        *image["models"].values(),
        *([image["classes"]["file"]] if "classes" in image else []),
        text["model"],
        text["tokenizer"],
        *(manifest[part] for part in ("alignment", "relevance", "taste") if part in manifest),
        *([trees] if (trees := manifest.get("regressor", {}).get("trees")) else []),
    ]
    files = {
        name: {"bytes": (out / name).stat().st_size, "sha256": sha256_of(out / name)}
        for name in named
    }
    entries = {**manifest, "files": files}
    text = json.dumps({**entries, CHECKSUM: checksum(entries)}, indent=2) + "\n"
    try:
        parsed(text)
    except ValueError as error:
        raise BadData(f"this cannot become a profile, because {error}: choose another") from error
    (out / MANIFEST).write_text(text, "utf-8")


@contextmanager
def moved_when_done(out: Path) -> Iterator[Path]:
    """Yields a new folder beside ``out``, and moves it there if nothing was raised.

    Raises:
        BadData: ``out`` exists and is no profile.
    """
    if out.exists() and not (out / MANIFEST).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise BadData(f"{out} already exists and is no profile: choose another with --out DIR")
    parent = out.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{out.name}-"
    _sweep(parent, prefix)
    with (
        tempfile.TemporaryDirectory(prefix=prefix, dir=parent) as beside,
        FileLock(Path(beside) / _IN_USE),
    ):
        folder = Path(beside) / "new"
        folder.mkdir()
        yield folder
        if out.exists():
            out.rename(Path(beside) / "old")
        folder.rename(out)


def _sweep(parent: Path, prefix: str) -> None:
    """Removes what a run that was killed has left there."""
    for lock in parent.glob(f"{glob.escape(prefix)}*/{_IN_USE}"):
        with suppress(Timeout, OSError):
            with FileLock(lock, timeout=0):
                pass
            shutil.rmtree(lock.parent)
