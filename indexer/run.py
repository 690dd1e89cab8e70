"""One run over the new and changed files of all roots: read, encode, write, remove."""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pixquery.db.raw_vectors import RawVectors
from pixquery.db.records import ImageRecord, Skipped
from pixquery.engine.library import Library
from pixquery.indexer.options import Options
from pixquery.indexer.plan import Plan, sufficient
from pixquery.indexer.reading import Read, Reader
from pixquery.indexer.report import Tally, Vanished
from pixquery.indexer.scan import holds_anything

if TYPE_CHECKING:  # loaded with the first photo: most runs find nothing new
    from pixquery.engine.encoders import PhotoEncoder

_NO_VECTOR = (
    "the image model gives it numbers that are not finite: it is tried again at the next index"
)


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
        self._total = sum(len(plan.changes.fresh) for plan in plans)
        self._encoders = sufficient(self._profile, options)
        known = self._catalog.contents(*self._encoders) if self._total else set()
        self._reader = Reader(self._profile, known, options, stop_requested)
        self._gone = {
            file.id: path for plan in plans for path, file in plan.changes.gone.items() if file.id
        }

    def run(self) -> None:
        """Writes every new or changed file, one transaction a batch, then removes what is gone.

        Raises:
            KeyboardInterrupt: A stop was requested; what was written stays.
        """
        done = 0
        self._options.progress(done, self._total)
        for plan in self._plans:
            with (
                closing(self._reader.read_all(plan.changes.fresh)) as reads,
                closing(self._encoded(reads)) as batches,
            ):
                for batch, raw in batches:
                    self._write(plan, batch, raw)
                    done += len(batch)
                    self._options.progress(done, self._total)
        # Last: any of the new files may turn out to be a missing one that was moved.
        for plan in self._plans:
            self._remove_gone(plan)

    # -- encoding -----------------------------------------------------------------------------

    def _encoded(
        self, reads: Iterator[Read]
    ) -> Generator[tuple[list[Read], RawVectors], None, None]:
        """Batches and their photos' raw vectors; one batch is encoded while another is written."""
        previous: tuple[list[Read], Future[RawVectors]] | None = None
        with ThreadPoolExecutor(1, "encode") as encoder:
            while batch := list(islice(reads, self._options.batch_size)):
                vectors = encoder.submit(self._raw, batch)
                if previous is not None:
                    yield previous[0], previous[1].result()
                previous = batch, vectors
            if previous is not None:
                yield previous[0], previous[1].result()

    def _raw(self, batch: Sequence[Read]) -> RawVectors:
        """The raw vectors of the decoded photos of a batch."""
        photos = [read.photo.scales for read in batch if read.photo is not None]
        if not photos:
            return np.empty((0, self._profile.dimension), np.float16)
        return self._encoder.encode(photos).astype(np.float16)

    @cached_property
    def _encoder(self) -> "PhotoEncoder":
        """Loaded with the first photo: most runs find nothing new."""
        return self._profile.photos_on(self._options.device)

    # -- writing ------------------------------------------------------------------------------

    def _write(self, plan: Plan, batch: Sequence[Read], raw: RawVectors) -> None:
        batch, raw = _finite(batch, raw)
        self._skip(plan.root_id, [read for read in batch if read.reason])
        self._put_photos(plan.root_id, [read for read in batch if read.photo is not None], raw)
        for read in batch:
            if read.gone:
                self._note_gone(plan, read)
            elif not read.reason and read.photo is None:
                self._put_known(plan, read)

    def _note_gone(self, plan: Plan, read: Read) -> None:
        if read.before is not None:
            plan.changes.gone[read.path] = read.before
            if read.before.id:
                self._gone[read.before.id] = read.path

    def _skip(self, root_id: int, reads: Sequence[Read]) -> None:
        """Counts unusable files, and remembers those that stay unusable until they change."""
        self._tally.skipped += [Skipped(read.path, read.reason) for read in reads]
        lasting = [read for read in reads if not read.passing]
        if lasting:
            self._catalog.skip(
                root_id, [(Skipped(read.path, read.reason), read.state) for read in lasting]
            )

    def _put_photos(self, root_id: int, reads: Sequence[Read], raw: RawVectors) -> None:
        if not reads:
            return
        records = [
            ImageRecord(
                path=read.path,
                state=read.state,
                content=read.content,
                width=read.photo.width,
                height=read.photo.height,
                **asdict(read.photo.details),
            )
            for read in reads
            if read.photo is not None
        ]
        self._put(root_id, records, raw, self._profile.encoder, reads)

    def _put_known(self, plan: Plan, read: Read) -> None:
        """A file whose content the catalogue knows: it was touched or moved, or is a copy."""
        if read.before is not None and read.before.content == read.content:
            self._catalog.restate({read.before.id: read.state})
            self._tally.unchanged += 1
            return
        twins = self._catalog.twins(read.content)
        if read.before is None or not read.before.id:
            for twin in twins:
                if twin.id in self._gone or self._is_gone(twin.path):
                    self._catalog.move(twin.id, plan.root_id, read.path, read.state)
                    self._gone.pop(twin.id, None)
                    self._tally.moved += 1
                    return
        for encoder in self._encoders:
            vectors = self._catalog.vectors_of([twin.id for twin in twins], encoder)
            for twin in twins:
                if twin.id in vectors:
                    record = replace(twin, path=read.path, state=read.state)
                    self._put(plan.root_id, [record], vectors[twin.id][None], encoder, [read])
                    return
        # This run replaced the only photo of this content.
        self._reader.known.discard(read.content)
        again = self._reader.read(read.path, read.state, read.before)
        self._write(plan, [again], self._raw([again]))

    def _put(
        self,
        root_id: int,
        records: Sequence[ImageRecord],
        raw: RawVectors,
        encoder: str,
        reads: Sequence[Read],
    ) -> None:
        self._catalog.put(root_id, records, raw, encoder)
        replaced = sum(read.before is not None and read.before.id > 0 for read in reads)
        self._tally.updated += replaced
        self._tally.added += len(reads) - replaced

    # -- removing -----------------------------------------------------------------------------

    def _remove_gone(self, plan: Plan) -> None:
        gone = {file.id for file in plan.changes.gone.values()} & self._gone.keys()
        expected = plan.missing or self._options.prune
        if gone and not expected and not holds_anything(plan.root):
            reason = "disappeared while it was indexed"
            self._tally.vanished.append(Vanished(plan.root, len(gone), reason))
            return
        self._catalog.remove(sorted(gone))
        self._tally.removed += len(gone)
        unusable = [path for path, file in plan.changes.gone.items() if not file.id]
        self._catalog.forget_skipped(unusable)
        if plan.missing:
            self._catalog.drop_roots(plan.root)

    def _is_gone(self, path: Path) -> bool:
        """Whether a file was deleted, rather than out of reach with its disk."""
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return self._away.isdisjoint(path.parents)
        except OSError:
            return False
        return False

    @cached_property
    def _away(self) -> set[Path]:
        """The folders whose photos are out of reach."""
        unplugged = {root.path for root in self._catalog.roots() if not holds_anything(root.path)}
        return unplugged | {lost.path for lost in self._tally.vanished}


def _finite(batch: Sequence[Read], raw: RawVectors) -> tuple[Sequence[Read], RawVectors]:
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
