"""Brings a library up to date with its roots: scan, decode, encode, write, publish.

Decoding runs in threads beside encoding. A batch is one transaction: whatever stops the run, what
was written stays and the next run goes on from there.
"""

import errno
import gc
import os
import signal
import stat
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import xxhash

from pixquery.db.errors import BadRoot, UnreadableImage
from pixquery.db.raw_vectors import RawVectors
from pixquery.db.records import FileState, ImageRecord, KnownFile, Skipped
from pixquery.engine.library import Library
from pixquery.indexer.report import IndexReport, Vanished
from pixquery.indexer.scan import Changes, Scan, compare, out_of_reach, scan_roots

if TYPE_CHECKING:  # decoders are loaded with the first photo: most runs find nothing new
    from pixquery.engine.encoders import ImageEncoder
    from pixquery.indexer.decode import Photo

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
    """Encode every photo of the library anew, whatever the paths, or for another profile."""
    progress: Callable[[int, int], object] = lambda done, total: None
    """Called with the number of files done and the number to do."""
    device: str = "auto"
    """The device that encodes photos; see :func:`pixquery.engine.devices.image_encoder_on`."""
    follow_links: bool = False
    """Follow symbolic links."""
    prune: bool = False
    """Forget the photos of folders that are out of reach, too."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A file after a worker had it."""

    path: Path
    state: FileState
    before: KnownFile | None
    content: bytes = b""
    photo: "Photo | None" = None
    """None where the catalogue already knows this content."""
    reason: str = ""
    """Why the file cannot be used; empty when it can."""
    passing: bool = False
    """The reason may be gone at the next run, though the file looks the same then."""
    gone: bool = False
    """The file went after it was found."""


@dataclass(slots=True)
class _Tally:
    added: int = 0
    updated: int = 0
    moved: int = 0
    unchanged: int = 0
    removed: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    vanished: list[Vanished] = field(default_factory=list)
    linked: int = 0


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be done in one root."""

    root: Path
    root_id: int
    changes: Changes
    missing: bool


def index(library: Library, paths: Sequence[Path], options: Options | None = None) -> IndexReport:
    """Adds the photos under ``paths`` and brings the library up to date with them.

    Photos of a folder that looks unplugged rather than emptied are kept and reported, unless
    ``options.prune``. Ctrl-C ends the run early: the report then says ``interrupted``.

    Args:
        library: To be kept in step.
        paths: Folders; none means all roots of the library.
        options: How to index.

    Raises:
        BadRoot: A path does not exist, is no folder, or none of them holds a photo, and the library
            knows nothing of them either; or no path is given and the library has no roots.
        LibraryLocked: Another process writes to the library.
        StorageFailed: The disk is full or failing; what was written before is kept.
    """
    begin = perf_counter()
    options = options or Options()
    catalog = library.catalog
    if options.rebuild or not paths:  # no photo may be left behind without a vector
        paths = [*paths, *(root.path for root in catalog.roots())]
    if not paths:
        raise BadRoot(
            f"the library {library.folder} has no folders yet: "
            "name one with `pixquery index FOLDER`"
        )
    tally = _Tally()
    interrupted = False
    with library.writing():  # before the scan: what others add meanwhile would look gone
        if options.rebuild:
            library.encode_anew()
        with _collector_resting():
            scans = scan_roots(
                paths, options.exclude, follow_links=options.follow_links, held=catalog.holds
            )
            found = [_plan(library, root, scan, options, tally) for root, scan in scans.items()]
        plans = [plan for plan in found if plan is not None]
        with _ctrl_c_waits() as asked_to_stop:
            try:
                _Run(library, options, tally, plans, asked_to_stop).run()
            except KeyboardInterrupt:
                interrupted = True
            lacking = _published(library, options, interrupted=interrupted)
            interrupted = interrupted or asked_to_stop()
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
        vanished=tuple(tally.vanished),
        linked=tally.linked,
        roots=len(plans),
        lacking=lacking,
    )


def _published(library: Library, options: Options, *, interrupted: bool) -> int:
    """Lets what was written be found; how many photos lack what they need for that."""
    if not options.rebuild:
        library.publish()
        return 0
    return library.lacking() if interrupted else library.adopt()


def _plan(
    library: Library, root: Path, found: Scan, options: Options, tally: _Tally
) -> _Plan | None:
    """What is to be done in a root; nothing while its photos are out of reach."""
    catalog, encoder = library.catalog, library.profile.encoder
    known = catalog.known(root, encoder)
    again = _readable_now(known)
    if again:
        catalog.forget_skipped([Path(path) for path in again])
        known = {path: file for path, file in known.items() if path not in again}
    changes = compare(found, known)
    reason = "" if options.prune else out_of_reach(found, known, changes)
    if reason or (found.missing and not options.prune):
        images = sum(file.id > 0 for file in known.values())
        tally.vanished.append(Vanished(root, images, reason or "is not there"))
        return None
    if options.rebuild:  # what could not be used is tried again
        catalog.forget_skipped([Path(path) for path, file in known.items() if not file.id])
        changes = compare(found, catalog.known(root, encoder))
    tally.skipped += [*found.closed, *changes.skipped]
    tally.unchanged += changes.unchanged
    tally.linked += found.linked
    return _Plan(root, catalog.add_root(root), changes, found.missing)


def _readable_now(known: Mapping[str, KnownFile]) -> set[str]:
    """The skipped files whose format can be read by now."""
    unusable = {path: file.reason for path, file in known.items() if file.reason}
    if not unusable:
        return set()
    from pixquery.indexer.formats import readable_now

    return {path for path, reason in unusable.items() if readable_now(reason)}


class _Run:
    """One pass over the fresh files of all roots."""

    def __init__(
        self,
        library: Library,
        options: Options,
        tally: _Tally,
        plans: Sequence[_Plan],
        asked_to_stop: Callable[[], bool],
    ) -> None:
        self._asked_to_stop = asked_to_stop
        self._catalog = library.catalog
        self._profile = library.profile
        self._options = options
        self._tally = tally
        self._plans = plans
        self._total = sum(len(plan.changes.fresh) for plan in plans)
        self._contents = self._catalog.contents(self._profile.encoder) if self._total else set()
        self._gone = {
            file.id: path for plan in plans for path, file in plan.changes.gone.items() if file.id
        }

    def run(self) -> None:
        done = 0
        self._options.progress(done, self._total)
        for plan in self._plans:
            with (
                closing(self._reads(plan.changes.fresh)) as reads,
                closing(self._encoded(reads)) as batches,
            ):
                for batch, raw in batches:
                    self._write(plan, batch, raw)
                    done += len(batch)
                    self._options.progress(done, self._total)
        # Only now: until all new files were seen, a gone one may still turn up as moved.
        for plan in self._plans:
            self._forget_gone(plan)

    def _forget_gone(self, plan: _Plan) -> None:
        gone = {file.id for file in plan.changes.gone.values()} & self._gone.keys()
        expected = plan.missing or self._options.prune
        if gone and not expected and not _holds_anything(plan.root):
            reason = "went away while it was indexed"
            self._tally.vanished.append(Vanished(plan.root, len(gone), reason))
            return
        self._catalog.remove(sorted(gone))
        self._tally.removed += len(gone)
        bad = [path for path, file in plan.changes.gone.items() if not file.id]
        self._catalog.forget_skipped(bad)
        if plan.missing:
            self._catalog.drop_roots(plan.root)

    def _reads(
        self, fresh: Sequence[tuple[Path, FileState, KnownFile | None]]
    ) -> Generator[_Read, None, None]:
        """Reads files in threads, in order, a bounded number ahead."""
        ahead = 2 * self._options.batch_size
        waiting: deque[Future[_Read]] = deque()
        pool = ThreadPoolExecutor(self._options.jobs or os.cpu_count() or 1, "decode")
        try:
            for item in fresh:
                if len(waiting) >= ahead:
                    yield self._next(waiting)
                waiting.append(pool.submit(self._read, *item))
            while waiting:
                yield self._next(waiting)
        finally:
            pool.shutdown(cancel_futures=True)

    def _encoded(
        self, reads: Iterator[_Read]
    ) -> Generator[tuple[list[_Read], RawVectors], None, None]:
        """Batches with their photos' raw vectors; while one is written the next is encoded."""
        last: tuple[list[_Read], Future[RawVectors]] | None = None
        with ThreadPoolExecutor(1, "encode") as encoder:
            while batch := list(islice(reads, self._options.batch_size)):
                coming = encoder.submit(self._raw, batch)
                if last is not None:
                    yield last[0], last[1].result()
                last = batch, coming
            if last is not None:
                yield last[0], last[1].result()

    def _raw(self, batch: Sequence[_Read]) -> RawVectors:
        """The raw vectors of those of a batch that were decoded."""
        pixels = [read.photo.pixels for read in batch if read.photo is not None]
        if not pixels:
            return np.empty((0, self._profile.dimension), np.float16)
        return self._encoder.encode(np.stack(pixels)).astype(np.float16)

    @cached_property
    def _encoder(self) -> "ImageEncoder":
        """Loaded with the first photo: most runs find nothing new."""
        return self._profile.images_on(self._options.device)

    def _next(self, waiting: deque[Future[_Read]]) -> _Read:
        if self._asked_to_stop():
            raise KeyboardInterrupt
        return waiting.popleft().result()

    def _read(self, path: Path, state: FileState, before: KnownFile | None) -> _Read:
        from pixquery.indexer.decode import decode
        from pixquery.indexer.limits import MAX_BYTES

        try:
            state, content = _content(path)
            if state.size > MAX_BYTES:
                raise UnreadableImage(
                    f"{state.size:,} bytes are more than the {MAX_BYTES // 2**20} MB that are read"
                )
            digest = xxhash.xxh3_128_digest(content)
            if digest in self._contents:
                return _Read(path, state, before, digest)
            photo = decode(content, self._profile.size, interpolation=self._profile.interpolation)
            return _Read(path, state, before, digest, photo)
        except UnreadableImage as error:
            return _Read(path, state, before, reason=str(error))
        except (FileNotFoundError, NotADirectoryError):
            return _Read(path, state, before, gone=True)
        except OSError as error:
            reason = f"cannot be read ({error.strerror}): it is tried again at the next index"
            return _Read(path, state, before, reason=reason, passing=True)

    def _write(self, plan: _Plan, batch: Sequence[_Read], raw: RawVectors) -> None:
        self._skip(plan.root_id, [read for read in batch if read.reason])
        self._put_photos(plan.root_id, [read for read in batch if read.photo is not None], raw)
        for read in batch:
            if read.gone:
                self._note_gone(plan, read)
            elif not read.reason and read.photo is None:
                self._settle(plan, read)

    def _note_gone(self, plan: _Plan, read: _Read) -> None:
        if read.before is not None:
            plan.changes.gone[read.path] = read.before
            if read.before.id:
                self._gone[read.before.id] = read.path

    def _skip(self, root_id: int, reads: Sequence[_Read]) -> None:
        """Counts files that cannot be used, and remembers those that stay so until they change."""
        self._tally.skipped += [Skipped(read.path, read.reason) for read in reads]
        lasting = [read for read in reads if not read.passing]
        if lasting:
            self._catalog.skip(
                root_id, [(Skipped(read.path, read.reason), read.state) for read in lasting]
            )

    def _put_photos(self, root_id: int, reads: Sequence[_Read], raw: RawVectors) -> None:
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
        self._put(root_id, records, raw, reads)

    def _settle(self, plan: _Plan, read: _Read) -> None:
        """A file whose content the catalogue knows: touched, moved, or a copy."""
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
        held = self._catalog.vectors_of([twin.id for twin in twins], self._profile.encoder)
        copied = [twin for twin in twins if twin.id in held]
        if not copied:  # the only photo of this content was itself replaced in this run
            self._contents.discard(read.content)
            again = self._read(read.path, read.state, read.before)
            self._write(plan, [again], self._raw([again]))
            return
        twin = copied[0]
        record = replace(twin, path=read.path, state=read.state)
        self._put(plan.root_id, [record], held[twin.id][None], [read])

    def _is_gone(self, path: Path) -> bool:
        """Whether a file is not there, though it would be in reach."""
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
        unplugged = {root.path for root in self._catalog.roots() if not _holds_anything(root.path)}
        return unplugged | {lost.path for lost in self._tally.vanished}

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


@contextmanager
def _collector_resting() -> Iterator[None]:
    """Looks for no reference cycles meanwhile.

    There are none in a hundred thousand small records, and a fifth of an unchanged pass would go
    into looking for them again and again.
    """
    rests = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if rests:
            gc.enable()


@contextmanager
def _ctrl_c_waits() -> Iterator[Callable[[], bool]]:
    """Yields what tells whether Ctrl-C came; it does nothing else the first time.

    It would come in the midst of a transaction or of the threads' bookkeeping, whose locks are then
    held for ever. Without effect where Ctrl-C means something else, or goes to another thread.
    """
    asked = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            signal.default_int_handler(number, frame)
        asked = True

    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, note)
    try:
        yield lambda: asked
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def fingerprint(file: BinaryIO) -> bytes:
    """What the catalogue tells contents apart by, of a file from where it is read to its end."""
    state = xxhash.xxh3_128()
    while some := file.read(1 << 20):
        state.update(some)
    return state.digest()


def _content(path: Path) -> tuple[FileState, bytes]:
    """An ordinary file's state and bytes; no bytes where there are too many.

    Raises:
        OSError: It cannot be read, is no ordinary file, or changed meanwhile.
    """
    from pixquery.indexer.limits import MAX_BYTES

    with open(path, "rb", opener=_without_waiting) as file:
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise OSError(errno.EINVAL, "no ordinary file any more")
        state = FileState(before.st_size, before.st_mtime_ns)
        if state.size > MAX_BYTES:
            return state, b""
        content = file.read(state.size + 1)
        after = os.fstat(file.fileno())
    if len(content) != state.size or (after.st_size, after.st_mtime_ns) != state:
        raise OSError(errno.EAGAIN, "it changed while it was read")
    return state, content


def _without_waiting(path: str, flags: int) -> int:
    """Opens a file; one that a pipe has taken the place of does not wait for a writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _holds_anything(folder: Path) -> bool:
    """Whether a folder can be looked into and is not empty, as an unplugged disk's may be."""
    try:
        with os.scandir(folder) as entries:
            return any(True for _ in entries)
    except OSError:
        return False
