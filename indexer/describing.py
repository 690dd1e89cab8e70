"""Photos that are unchanged, but not what their owner wrote about them.

A sidecar has come, changed or gone; or an earlier version indexed the photo, which did not look for
such words. Their metadata are read again, and nothing is decoded or encoded.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pixquery.db.catalog import Catalog
from pixquery.db.errors import PhotoFailed
from pixquery.db.records import KnownFile
from pixquery.indexer.options import Options
from pixquery.indexer.plan import Plan

if TYPE_CHECKING:  # Pillow is loaded for the first photo: most runs find none to describe
    from pixquery.indexer.owner import OwnersWords

_AT_ONCE = 500
"""Photos per transaction."""


@dataclass(frozen=True, slots=True)
class Describer:
    """Reads the words of unchanged photos again."""

    catalog: Catalog
    options: Options
    stop_requested: Callable[[], bool]

    def describe(self, plan: Plan) -> Iterator[tuple[int, int]]:
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

    def _words(self, plan: Plan, path: Path, file: KnownFile) -> "OwnersWords | None":
        """What the owner wrote about one photo; none if that cannot be read now."""
        from pixquery.indexer.owner import words_in

        try:
            return words_in(plan, path, file.state, follow_links=self.options.follow_links)
        except (OSError, PhotoFailed):
            return None  # the next run tries again
