"""Photos that are unchanged, but not what their owner wrote about them.

A sidecar has come, changed or gone; or an earlier version indexed the photo, which did not look for
such words. Their metadata are read again, and nothing is decoded or encoded.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pixquery.db.catalog import Catalog
from pixquery.db.errors import PhotoFailed
from pixquery.db.metadata import ANNOTATED
from pixquery.db.records import KnownFile
from pixquery.engine.photos import fingerprint
from pixquery.indexer.options import Options
from pixquery.indexer.scan import Scan
from pixquery.indexer.sidecars import state_of

if TYPE_CHECKING:  # Pillow is loaded for the first photo: most runs find none to describe
    from pixquery.indexer.owner import OwnersWords
    from pixquery.indexer.plan import Plan

UnchangedFile: TypeAlias = tuple[Path, KnownFile]

_AT_ONCE = 500
"""Photos per transaction."""
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


def note_described(catalog: Catalog, plans: Sequence["Plan"]) -> None:
    """Notes the roots of which every photo was looked at."""
    before = _looked_at(catalog)
    roots = {_digest(root) for root in catalog.root_paths()}
    done = {_digest(plan.root) for plan in plans if not plan.unseen}
    after = (before | done) & roots
    if after != before:
        catalog.keep(ANNOTATED, " ".join(sorted(after)))


def _looked_at(catalog: Catalog) -> set[str]:
    return set(catalog.setting(ANNOTATED, "").split())


def _digest(root: Path) -> str:
    """A name for a root, which need not be valid Unicode."""
    return fingerprint(_VERSION + os.fsencode(root)).hex()[:_DIGITS]


@dataclass(frozen=True, slots=True)
class Describer:
    """Reads the words of unchanged photos again."""

    catalog: Catalog
    options: Options
    stop_requested: Callable[[], bool]

    def describe(self, plan: "Plan") -> Iterator[tuple[int, int]]:
        """Notes what owners wrote about the photos of a plan that are to be described.

        Yields:
            After each transaction, how many photos were looked at, and of how many the words
            differ from what was noted before.

        Raises:
            KeyboardInterrupt: A stop was requested; what was written stays.
        """
        files = plan.to_describe
        if not files:
            return
        from pixquery.indexer.owner import note

        with ThreadPoolExecutor(self.options.jobs or os.cpu_count() or 1, "words") as pool:
            for at in range(0, len(files), _AT_ONCE):
                part = files[at : at + _AT_ONCE]
                if self.stop_requested():
                    raise KeyboardInterrupt
                read = pool.map(lambda file: self._words(plan, *file), part)
                words = {
                    file.id: own
                    for (_, file), own in zip(part, read, strict=True)
                    if own is not None
                }
                with self.catalog.transaction():
                    changed = note(self.catalog, words)
                yield len(part), changed

    def _words(self, plan: "Plan", path: Path, file: KnownFile) -> "OwnersWords | None":
        """What the owner wrote about one photo; none if that cannot be read now."""
        from pixquery.indexer.owner import words_in

        try:
            return words_in(plan, path, file.state, follow_links=self.options.follow_links)
        except (OSError, PhotoFailed):
            return None  # the next run tries again
