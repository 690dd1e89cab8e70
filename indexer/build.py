"""Brings a library up to date with its roots: scan, decode, encode, write, publish.

Decoding runs in threads beside encoding. A batch is one transaction: whatever stops the run, what
was written stays and the next run goes on from there.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np
import xxhash

from db.catalog import RawVectors
from db.errors import UnreadableImage
from db.records import FileState, ImageRecord, IndexReport, KnownFile, Skipped
from engine.library import Library
from indexer.decode import MAX_BYTES, Photo, decode
from indexer.scan import Changes, compare, scan_roots

BATCH = 32


@dataclass(frozen=True, slots=True)
class Options:
    """How to index."""

    exclude: tuple[str, ...] = ()
    """Globs of files and folders to pass over."""
    batch_size: int = BATCH
    """Photos a transaction."""
    jobs: int = 0
    """Decoding threads; 0 = one a core."""
    rebuild: bool = False
    """Encode every photo of the library anew, whatever the paths."""
    progress: Callable[[int, int], object] = lambda done, total: None
    """Called with the number of files done and the number to do."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A file after a worker had it."""

    path: Path
    state: FileState
    before: KnownFile | None
    content: bytes = b""
    photo: Photo | None = None
    """None where the catalogue already knows this content."""
    reason: str = ""
    """Why the file cannot be used; empty when it can."""


@dataclass(slots=True)
class _Tally:
    added: int = 0
    updated: int = 0
    moved: int = 0
    unchanged: int = 0
    removed: int = 0
    skipped: list[Skipped] = field(default_factory=list)


def index(library: Library, paths: Sequence[Path], options: Options | None = None) -> IndexReport:
    """Adds the photos under ``paths`` and brings the library up to date with them.

    Ctrl-C ends the run early: the report then says ``interrupted``.

    Raises:
        BadRoot: A path does not exist, is no folder, or none of them holds a photo.
        LibraryLocked: Another process writes to the library.
        StorageFailed: The disk is full or failing; what was written before is kept.
    """
    begin = perf_counter()
    options = options or Options()
    if options.rebuild:  # no photo may be left behind without a vector
        indexed = [root.path for root in library.catalog.roots()]
        paths = [*paths, *(path for path in indexed if path.is_dir())]
    scans = scan_roots(paths, options.exclude)
    tally = _Tally()
    interrupted = False
    with library.writing():
        if options.rebuild:
            library.adopt_profile()
        plans = []
        for root, found in scans.items():
            tally.skipped += found.closed
            known = library.catalog.known(root, library.profile.encoder)
            if options.rebuild:
                library.catalog.forget_vectors([file.id for file in known.values()])
                library.catalog.forget_skipped([p for p, file in known.items() if not file.id])
                known = library.catalog.known(root, library.profile.encoder)
            changes = compare(found, known)
            tally.unchanged += changes.unchanged
            tally.skipped += changes.skipped
            plans.append((library.catalog.add_root(root), changes))
        try:
            _Run(library, options, tally, plans).run()
        except KeyboardInterrupt:
            interrupted = True
        library.publish()
    return IndexReport(
        library=library.folder,
        profile=library.profile.name,
        added=tally.added,
        updated=tally.updated,
        moved=tally.moved,
        unchanged=tally.unchanged,
        removed=tally.removed,
        skipped=tuple(sorted(tally.skipped, key=lambda skip: skip.path)),
        images=len(library),
        seconds=perf_counter() - begin,
        interrupted=interrupted,
    )


class _Run:
    """One pass over the fresh files of all roots."""

    def __init__(
        self,
        library: Library,
        options: Options,
        tally: _Tally,
        plans: Sequence[tuple[int, Changes]],
    ) -> None:
        self._catalog = library.catalog
        self._profile = library.profile
        self._options = options
        self._tally = tally
        self._plans = plans
        self._contents = self._catalog.contents(self._profile.encoder)
        self._gone = {
            file.id: path for _, changes in plans for path, file in changes.gone.items() if file.id
        }

    def run(self) -> None:
        total = sum(len(changes.fresh) for _, changes in self._plans)
        done = 0
        self._options.progress(done, total)
        for root_id, changes in self._plans:
            batch: list[_Read] = []
            for read in self._reads(changes.fresh):
                batch.append(read)
                if len(batch) == self._options.batch_size:
                    self._write(root_id, batch)
                    done += len(batch)
                    self._options.progress(done, total)
                    batch = []
            self._write(root_id, batch)
            done += len(batch)
            self._options.progress(done, total)
        # Only now: until all new files were seen, a gone one may still turn up as moved.
        self._catalog.remove(list(self._gone))
        self._tally.removed += len(self._gone)
        self._catalog.forget_skipped(
            [path for _, changes in self._plans for path, f in changes.gone.items() if not f.id]
        )

    def _reads(self, fresh: Sequence[tuple[Path, FileState, KnownFile | None]]) -> Iterator[_Read]:
        """Reads files in threads, in order, a bounded number ahead."""
        ahead = 2 * self._options.batch_size
        waiting: deque[Future[_Read]] = deque()
        pool = ThreadPoolExecutor(self._options.jobs or os.cpu_count() or 1, "decode")
        try:
            for item in fresh:
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(self._read, *item))
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _read(self, path: Path, state: FileState, before: KnownFile | None) -> _Read:
        try:
            if state.size > MAX_BYTES:
                raise UnreadableImage(
                    f"{state.size:,} bytes are more than the {MAX_BYTES // 2**20} MB that are read"
                )
            with path.open("rb") as file:
                content = file.read()
                status = os.fstat(file.fileno())
            state = FileState(status.st_size, status.st_mtime_ns)
            if len(content) != state.size:
                raise UnreadableImage("the file changed while it was read: index again")
            digest = xxhash.xxh3_128_digest(content)
            if digest in self._contents:
                return _Read(path, state, before, digest)
            return _Read(path, state, before, digest, decode(content, self._profile.size))
        except UnreadableImage as error:
            return _Read(path, state, before, reason=str(error))
        except OSError as error:
            return _Read(path, state, before, reason=f"cannot be read ({error.strerror})")

    def _write(self, root_id: int, batch: Sequence[_Read]) -> None:
        if not batch:
            return
        self._skip(root_id, [read for read in batch if read.reason])
        self._encode(root_id, [read for read in batch if read.photo is not None])
        for read in batch:
            if not read.reason and read.photo is None:
                self._settle(root_id, read)

    def _skip(self, root_id: int, reads: Sequence[_Read]) -> None:
        if reads:
            skipped = [Skipped(read.path, read.reason) for read in reads]
            self._catalog.skip(
                root_id, [(skip, read.state) for skip, read in zip(skipped, reads, strict=True)]
            )
            self._tally.skipped += skipped

    def _encode(self, root_id: int, reads: Sequence[_Read]) -> None:
        if not reads:
            return
        pixels = np.stack([read.photo.pixels for read in reads if read.photo is not None])
        raw = self._profile.images.encode(pixels).astype(np.float16)
        records = [
            ImageRecord(
                path=read.path,
                state=read.state,
                content=read.content,
                width=read.photo.width,
                height=read.photo.height,
                taken=read.photo.taken,
            )
            for read in reads
            if read.photo is not None
        ]
        self._put(root_id, records, raw, reads)

    def _settle(self, root_id: int, read: _Read) -> None:
        """A file whose content the catalogue knows: touched, moved, or a copy."""
        if read.before is not None and read.before.content == read.content:
            self._catalog.restate({read.before.id: read.state})
            self._tally.unchanged += 1
            return
        twins = self._catalog.twins(read.content)
        if read.before is None or not read.before.id:
            for twin in twins:
                if twin.id in self._gone or not os.path.lexists(twin.path):
                    self._catalog.move(twin.id, root_id, read.path, read.state)
                    self._gone.pop(twin.id, None)
                    self._tally.moved += 1
                    return
        held = self._catalog.vectors_of([twin.id for twin in twins], self._profile.encoder)
        copied = [twin for twin in twins if twin.id in held]
        if not copied:  # the only photo of this content was itself replaced in this run
            self._contents.discard(read.content)
            again = self._read(read.path, read.state, read.before)
            self._write(root_id, [again])
            return
        twin = copied[0]
        record = ImageRecord(
            path=read.path,
            state=read.state,
            content=read.content,
            width=twin.width,
            height=twin.height,
            taken=twin.taken,
        )
        self._put(root_id, [record], held[twin.id][None], [read])

    def _put(
        self,
        root_id: int,
        records: Sequence[ImageRecord],
        raw: RawVectors,
        reads: Sequence[_Read],
    ) -> None:
        self._catalog.put(root_id, records, raw, self._profile.encoder)
        replaced = sum(read.before is not None and read.before.id > 0 for read in reads)
        self._tally.updated += replaced
        self._tally.added += len(reads) - replaced
