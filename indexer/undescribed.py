"""Which unchanged photos must be described anew: what their owner wrote is not what is noted."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from pixquery.db.catalog import Catalog
from pixquery.db.metadata import ANNOTATED
from pixquery.db.records import KnownFile
from pixquery.engine.photos import fingerprint
from pixquery.indexer.scan import Scan
from pixquery.indexer.sidecars import state_of

UnchangedFile: TypeAlias = tuple[Path, KnownFile]

_VERSION = b"1"
"""Raised when more of what owners write is understood, so that every photo is looked at again."""
_DIGITS = 16
"""Of a root's digest."""


def to_describe(
    catalog: Catalog, root: Path, scanned: Scan, known: Mapping[str, KnownFile]
) -> tuple[UnchangedFile, ...]:
    """The unchanged photos of a root whose owner's words must be read again.

    Args:
        catalog: The library's.
        root: A folder of the library, or one that is about to be.
        scanned: What is in it.
        known: What the catalogue notes of its files.
    """
    if not known:
        return ()
    names: Iterator[str] = iter(known)
    if _digest(root) in _looked_at(catalog):
        noted = catalog.sidecars()
        if not (noted or scanned.sidecars):
            return ()
        names = (
            name
            for name, file in known.items()
            if noted.get(file.id, "") != state_of(scanned.sidecars.get(name, ()))
        )
    return tuple(
        (Path(name), known[name])
        for name in names
        if known[name].id and known[name].state == scanned.states.get(name)
    )


def note_described(catalog: Catalog, done: Iterable[Path]) -> None:
    """Notes roots of which every photo was looked at, and forgets those that are none any more."""
    before = _looked_at(catalog)
    roots = {_digest(root) for root in catalog.root_paths()}
    after = (before | set(map(_digest, done))) & roots
    if after != before:
        catalog.keep(ANNOTATED, " ".join(sorted(after)))


def _looked_at(catalog: Catalog) -> set[str]:
    return set(catalog.setting(ANNOTATED, "").split())


def _digest(root: Path) -> str:
    """A name for a root, which need not be valid Unicode."""
    return fingerprint(_VERSION + os.fsencode(root)).hex()[:_DIGITS]
