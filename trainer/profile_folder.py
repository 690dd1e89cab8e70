"""The folder of a profile that is being made: complete, or not there."""

import glob
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pixquery.db.checksums import sha256_of
from pixquery.db.errors import BadData
from pixquery.engine.manifest import CHECKSUM, IR, MANIFEST, checksum, parsed, weights_of
from pixquery.engine.profile import Profile

_IN_USE = "in-use.lock"
"""Held as long as the profile is being made; the system releases it if the process dies."""


def learned_files(manifest: Mapping[str, Any]) -> list[str]:
    """The files of a profile that training writes; all others are its encoders'."""
    trees = manifest.get("regressor", {}).get("trees")
    named = (*map(manifest.get, ("alignment", "relevance", "taste")), trees)
    return [file for file in named if file]


def copy_files(profile: Profile, folder: Path, *, without: Iterable[str]) -> None:
    """Copies the files of a profile, without its manifest and some others.

    Raises:
        ProfileDamaged: A file is not the one that the manifest names: a copy would be vouched for.
    """
    profile.check()
    for name in set(profile.manifest["files"]) - set(without):
        shutil.copyfile(profile.folder / name, folder / name)


def write_manifest(out: Path, manifest: Mapping[str, Any]) -> None:
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
        *([text["pieces"]] if "pieces" in text else []),
        *learned_files(manifest),
    ]
    named += [weights_of(name) for name in named if name.endswith(IR)]
    files = {
        name: {"bytes": (out / name).stat().st_size, "sha256": sha256_of(out / name)}
        for name in named
    }
    _write(out, {**manifest, "files": files})


def amend_manifest(out: Path, **entries: Any) -> None:
    """Replaces entries of a manifest that has been written, other than its files.

    Raises:
        BadData: An entry has not the type or range that a profile's must have.
    """
    manifest = json.loads((out / MANIFEST).read_text("utf-8"))
    manifest.pop(CHECKSUM, None)
    _write(out, {**manifest, **entries})


def _write(out: Path, entries: Mapping[str, Any]) -> None:
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
