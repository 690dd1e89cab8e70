"""One run over the new and changed files of all roots: read, encode, write, remove."""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pixquery.db.errors import PhotoFailed
from pixquery.db.raw_vectors import RawVectors
from pixquery.engine.library import Library
from pixquery.engine.reach import absence
from pixquery.indexer.away import Away
from pixquery.indexer.describing import Describer
from pixquery.indexer.failures import TRIED_AGAIN, failures_reported
from pixquery.indexer.options import Options
from pixquery.indexer.plan import Plan, sufficient
from pixquery.indexer.reading import Read, Reader, submitted
from pixquery.indexer.report import Tally, Vanished
from pixquery.indexer.writing import Writer

if TYPE_CHECKING:  # loaded with the first photo: most runs find nothing new
    from pixquery.engine.encoders import PhotoEncoder

_NO_VECTOR = (
    "the image model gives it numbers that are not finite: it is tried again at the next index"
)


KNOWN_AT_ONCE = 1000
"""Files per transaction if none of them needs to be encoded."""


class Run:
    """One run over the new and changed files of all roots."""

    def __init__(
        self,
        library: Library,
        options: Options,
        tally: Tally,
        plans: Sequence[Plan],
        stop_requested: Callable[[], bool],
    ) -> None:
        self._catalog = library.catalog
        self._profile = library.profile
        self._options = options
        self._tally = tally
        self._plans = plans
        self._fresh = sum(len(plan.changes.fresh) for plan in plans)
        self._total = self._fresh + sum(len(plan.to_describe) for plan in plans)
        encoders = sufficient(self._profile, options)
        self._away = Away(self._catalog, plans, options.moved_from, tally, encoders)
        self._reader = Reader(self._profile, self._catalog, options, stop_requested, encoders)
        self._writer = Writer(self._catalog, self._reader, self._away, tally, self._raw)
        self._describer = Describer(self._catalog, options, stop_requested)
        self._writer.gone.update(
            (file.id, path) for plan in plans for path, file in plan.changes.gone.items() if file.id
        )

    def run(self) -> None:
        """Writes every new or changed file, one transaction a batch, then removes what is gone.

        Raises:
            KeyboardInterrupt: A stop was requested; what was written stays.
        """
        done = 0
        self._options.progress(done, self._total)
        if self._fresh:
            self._reader.learn()
            new = [
                (plan, file)
                for plan in self._plans
                for file in plan.changes.fresh
                if file[2] is None or not file[2].id
            ]
            self._away.look_for(new, self._reader)
        for plan in self._plans:
            with (
                closing(self._reader.read_all(plan)) as reads,
                closing(self._encoded(reads)) as batches,
            ):
                for batch, raw in batches:
                    self._writer.write(plan, batch, raw)
                    done += len(batch)
                    self._options.progress(done, self._total)
        for plan in self._plans:
            for looked_at, changed in self._describer.describe(plan):
                done += looked_at
                self._tally.described += changed
                self._options.progress(done, self._total)
        # Last: any of the new files may turn out to be a missing one that was moved.
        for plan in self._plans:
            self._remove_gone(plan)
        self._away.settle()

    # -- encoding -----------------------------------------------------------------------------

    def _encoded(
        self, reads: Iterator[Read]
    ) -> Generator[tuple[list[Read], RawVectors], None, None]:
        """Batches and their photos' raw vectors; one batch is encoded while another is written."""
        previous: Future[tuple[list[Read], RawVectors]] | None = None
        with ThreadPoolExecutor(1, "encode") as encoder:
            while batch := self._batch(reads):
                vectors = submitted(encoder, self._raw, batch)
                if previous is not None:
                    yield previous.result()
                previous = vectors
            if previous is not None:
                yield previous.result()

    def _batch(self, reads: Iterator[Read]) -> list[Read]:
        """The next files: as many as are encoded together, or more that need not be encoded."""
        batch: list[Read] = []
        photos = 0
        for read in reads:
            batch.append(read)
            photos += read.photo is not None
            if photos == self._options.batch_size or len(batch) == KNOWN_AT_ONCE:
                break
        return batch

    def _raw(self, batch: list[Read]) -> tuple[list[Read], RawVectors]:
        """A batch, and the raw vectors of its decoded photos.

        If the encoder fails, each photo is encoded alone, and one that fails again has a reason.
        """
        photos = [read.photo.scales for read in batch if read.photo is not None]
        if not photos:
            return batch, np.empty((0, self._profile.dimension), np.float16)
        encoder = self._encoder
        try:
            with failures_reported("could not be encoded"):
                vectors = encoder.encode(photos).astype(np.float16)
                self._tally.pace.add(len(photos))
                return _finite(batch, vectors)
        except PhotoFailed as error:
            if len(batch) == 1:
                reason = f"{error}{TRIED_AGAIN}"
                failed = replace(batch[0], photo=None, reason=reason, passing=True)
                return [failed], np.empty((0, self._profile.dimension), np.float16)
        alone = [self._raw([read]) for read in batch]
        return [read for (read,), _ in alone], np.concatenate([raw for _, raw in alone])

    @cached_property
    def _encoder(self) -> "PhotoEncoder":
        """Loaded with the first photo: most runs find nothing new."""
        encoder = self._profile.photos_on(self._options.device)
        self._tally.pace.begin(encoder.device)
        return encoder

    # -- removing -----------------------------------------------------------------------------

    def _remove_gone(self, plan: Plan) -> None:
        gone = {file.id for file in plan.changes.gone.values()} & self._writer.gone.keys()
        expected = plan.missing or self._options.prune
        if gone and not expected and absence(plan.root):
            reason = "disappeared while it was indexed"
            self._tally.vanished.append(Vanished(plan.root, len(gone), reason))
            return
        self._catalog.remove(sorted(gone))
        self._tally.removed += len(gone)
        unusable = [path for path, file in plan.changes.gone.items() if not file.id]
        self._catalog.forget_skipped(unusable)
        if plan.missing:
            self._catalog.drop_roots(plan.root)


def _finite(batch: list[Read], raw: RawVectors) -> tuple[list[Read], RawVectors]:
    """A batch in which photos that got no finite vector are skipped, and the others' vectors."""
    finite = np.flatnonzero(np.isfinite(raw).all(1))
    if len(finite) == len(raw):
        return batch, raw
    usable = (row in finite for row in range(len(raw)))
    reads = [
        read
        if read.photo is None or next(usable)
        else replace(read, photo=None, reason=_NO_VECTOR, passing=True)
        for read in batch
    ]
    return reads, raw[finite]
