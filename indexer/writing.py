"""What becomes of the files that were read: one transaction a batch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from pixquery.db.catalog import Catalog
from pixquery.db.changes import Move
from pixquery.db.errors import PhotoFailed
from pixquery.db.metadata import Noted
from pixquery.db.raw_vectors import RawVectors
from pixquery.db.records import Annotation, FileState, ImageRecord, KnownFile, Skipped
from pixquery.indexer.away import Away
from pixquery.indexer.failures import TRIED_AGAIN, failures_reported
from pixquery.indexer.plan import Plan
from pixquery.indexer.reading import Read, Reader
from pixquery.indexer.report import Tally
from pixquery.indexer.scan import Changes, Scan

_NOTHING = Noted(Annotation())
_Twins = Mapping[bytes, list[ImageRecord]]


class Writer:
    """Writes batches of files that were read.

    Attributes:
        gone: The photos whose files are gone, by id, less those that were found elsewhere.
    """

    def __init__(
        self,
        catalog: Catalog,
        reader: Reader,
        away: Away,
        tally: Tally,
        encode: Callable[[list[Read]], tuple[list[Read], RawVectors]],
    ) -> None:
        """Writes to a catalogue.

        Args:
            catalog: The library's.
            reader: Reads a file again if its content is not known any more.
            away: The roots that are out of reach.
            tally: Counts what was written.
            encode: Computes the raw vectors of the decoded ones among some files, and gives those
                for which it fails a reason.
        """
        self.gone: dict[int, Path] = {}
        self._catalog = catalog
        self._reader = reader
        self._away = away
        self._tally = tally
        self._encode = encode

    def write(self, plan: Plan, reads: Sequence[Read], raw: RawVectors) -> None:
        """Writes a batch: all of it, or nothing.

        If nothing could be written, each file is written alone, and one that fails again is
        counted.

        Args:
            plan: Of the root.
            reads: The files.
            raw: float16[n, d], the vectors of the decoded ones among them.
        """
        batch = _Batch(self._catalog, self._away, self.gone, plan, self._reader.encoders)
        try:
            with failures_reported("could not be stored"), self._catalog.transaction():
                batch.write(reads, raw)
                if batch.claimed:
                    self._away.drop_moved()
        except PhotoFailed as error:
            self._write_alone(plan, reads, raw, error)
            return
        self._tally.add(batch.tally)
        for photo in batch.claimed.values():
            self.gone.pop(photo.id, None)
        for read in reads:
            if read.gone and read.before is not None:
                plan.changes.gone[read.path] = read.before
                if read.before.id:
                    self.gone[read.before.id] = read.path
            if read.hint in self._reader.known:
                self._reader.known.update(read.proven.values())
        if batch.unknown:
            again = [
                self._reader.read(plan, read.path, read.state, read.before, decoding=True)
                for read in batch.unknown
            ]
            self.write(plan, *self._encode(again))
        for photo in batch.doubtful:
            self._encode_again(photo)

    def _write_alone(
        self, plan: Plan, reads: Sequence[Read], raw: RawVectors, error: PhotoFailed
    ) -> None:
        if len(reads) == 1:
            self._tally.skipped.append(Skipped(reads[0].path, f"{error}{TRIED_AGAIN}"))
            return
        vectors = iter(raw)
        for read in reads:
            own = raw[:0] if read.photo is None else next(vectors)[None]
            self.write(plan, [read], own)

    def _encode_again(self, photo: ImageRecord) -> None:
        """Encodes a photo whose vector may be that of another file with the same hint."""
        folder = photo.path.parent
        plan = Plan(
            folder, self._catalog.add_root(folder), Changes(), missing=False, scanned=Scan({})
        )
        before = KnownFile(photo.id, FileState(-1, -1), b"")
        read = self._reader.read(plan, photo.path, photo.state, before, decoding=True)
        self.write(plan, *self._encode([read]))


class _Batch:
    """One transaction."""

    def __init__(
        self,
        catalog: Catalog,
        away: Away,
        gone: Mapping[int, Path],
        plan: Plan,
        encoders: Sequence[str],
    ) -> None:
        self.tally = Tally()
        self.claimed: dict[Path, ImageRecord] = {}
        """Missing photos that were found elsewhere, by their new paths."""
        self.unknown: list[Read] = []
        """Files whose content was known, until this run replaced the only photo that had it."""
        self.doubtful: list[ImageRecord] = []
        """Different photos that had one hint, so that one may have the vector of another."""
        self._catalog = catalog
        self._away = away
        self._gone = gone
        self._plan = plan
        self._encoders = encoders
        self._taken: set[int] = set()

    def write(self, reads: Sequence[Read], raw: RawVectors) -> None:
        root_id = self._plan.root_id
        self._skip([read for read in reads if read.reason])
        usable = [read for read in reads if not (read.reason or read.gone)]
        self._prove(usable)
        touched: dict[int, FileState] = {}
        others: list[Read] = []
        for read in usable:
            if read.photo is None and _is_touched(read, read.content):
                touched[_photo_id(read)] = read.state
            else:
                others.append(read)
        self.tally.unchanged += len(touched)
        # Before anything is written: one file's new content may be another's old one.
        twins = self._catalog.twins(list({key for read in others for key in _keys(read)}))
        known: list[Read] = []
        decoded: list[Read] = []
        for read in others:
            if not _photo_id(read):
                self._claim(read, twins)
            (known if read.photo is None else decoded).append(read)
        copies = self._copies(known, twins)
        self._catalog.move(
            [
                Move(self.claimed[read.path].id, root_id, read.path, read.state)
                for read in (*decoded, *known)
                if read.path in self.claimed
            ]
        )
        records = [_record(read) for read in decoded]
        ids = self._put(records, raw, self._encoders[0])
        for encoder, vectors in copies.items():
            records = [record for record, _ in vectors]
            ids |= self._put(records, np.stack([vector for _, vector in vectors]), encoder)
        self._catalog.restate(touched)
        self._note_words(usable, ids)
        unknown = {read.path for read in self.unknown}
        for read in (*decoded, *known):
            if read.path not in unknown:
                self._count(read)

    def _put(
        self, records: Sequence[ImageRecord], raw: RawVectors, encoder: str
    ) -> dict[Path, int]:
        ids = self._catalog.put(self._plan.root_id, records, raw, encoder)
        return {record.path: image_id for record, image_id in zip(records, ids, strict=True)}

    def _note_words(self, reads: Sequence[Read], ids: Mapping[Path, int]) -> None:
        """Notes what owners wrote: what was noted of a content that has changed is gone already.

        Args:
            reads: The usable files.
            ids: Of photos that were written, by path; others kept theirs.
        """
        words = {}
        unknown = {read.path for read in self.unknown}
        for read in reads:
            claimed = self.claimed.get(read.path)
            kept = claimed.id if claimed else _photo_id(read)
            image_id = kept or ids.get(read.path, 0)
            if read.words is None or not image_id or read.path in unknown:
                continue
            if kept or read.words.noted != _NOTHING:
                words[image_id] = read.words
        if words:
            from pixquery.indexer.owner import note

            note(self._catalog, words)

    def _skip(self, reads: Sequence[Read]) -> None:
        """Counts unusable files, and remembers those that stay unusable until they change."""
        self.tally.skipped += [Skipped(read.path, read.reason) for read in reads]
        lasting = [read for read in reads if not read.passing]
        if lasting:
            self._catalog.skip(
                self._plan.root_id,
                [(Skipped(read.path, read.reason), read.state) for read in lasting],
            )

    def _prove(self, reads: Sequence[Read]) -> None:
        """Stores the fingerprints of photos that had only a hint, and whose files were read."""
        proven = {photo: content for read in reads for photo, content in read.proven.items()}
        if not proven:
            return
        self._catalog.prove(proven)
        differing = {
            photo for read in reads if len(set(read.proven.values())) > 1 for photo in read.proven
        }
        self.doubtful += self._catalog.records(sorted(differing)).values()

    def _claim(self, read: Read, twins: _Twins) -> None:
        """Takes a new file for a missing photo of the same content: it was moved."""
        same = [*twins.get(read.content, ()), *twins.get(read.hint, ())]
        for photo in self._away.first(same):
            if photo.id in self._taken:
                continue
            if photo.id in self._gone or self._away.is_gone(photo.path):
                self.claimed[read.path] = photo
                self._taken.add(photo.id)
                return
        for photo in twins.get(read.hint, ()):
            self._away.resembles(photo, self._plan.root)

    def _copies(
        self, known: Sequence[Read], twins: _Twins
    ) -> dict[str, list[tuple[ImageRecord, RawVectors]]]:
        """The rows of files that get the vector of another photo, by the encoder that it is from.

        A moved photo needs none; but of several photos of one content, some may have none to keep.
        """
        needing = [
            read for read in known if [self.claimed.get(read.path)] != twins.get(read.content, ())
        ]
        holders = sorted({twin.id for read in needing for twin in twins.get(read.content, ())})
        vectors = self._catalog.first_vectors(holders, self._encoders)
        copies: dict[str, list[tuple[ImageRecord, RawVectors]]] = {}
        for read in needing:
            usable = {
                twin.id: twin
                for twin in twins.get(read.content, ())
                if twin.id in vectors and twin.format
            }
            claimed = self.claimed.get(read.path)
            if claimed is not None and claimed.id in usable:
                continue
            if not usable:
                self.unknown.append(read)
                if claimed is not None:
                    del self.claimed[read.path]
                    self._taken.remove(claimed.id)
                continue
            twin = next(iter(usable.values()))
            encoder, vector = vectors[twin.id]
            record = _taken(replace(twin, path=read.path, state=read.state), read)
            copies.setdefault(encoder, []).append((record, vector))
        return copies

    def _count(self, read: Read) -> None:
        if read.path in self.claimed:
            self.tally.moved += 1
        elif _is_touched(read, *_keys(read)):
            self.tally.unchanged += 1
        elif _photo_id(read):
            self.tally.updated += 1
        else:
            self.tally.added += 1


def _keys(read: Read) -> tuple[bytes, ...]:
    """What photos of the same content are noted under."""
    return (read.content, read.hint) if read.hint else (read.content,)


def _photo_id(read: Read) -> int:
    """The photo that had this path before; 0 if none had."""
    return read.before.id if read.before is not None else 0


def _is_touched(read: Read, *keys: bytes) -> bool:
    """Whether the photo of this path had one of these contents, and lacks nothing."""
    before = read.before
    return before is not None and before.state.size >= 0 and before.content in keys


def _record(read: Read) -> ImageRecord:
    assert read.photo is not None  # noqa: S101 - the caller chose those with one
    record = ImageRecord(
        path=read.path,
        state=read.state,
        content=read.content,
        width=read.photo.width,
        height=read.photo.height,
        **asdict(read.photo.details),
    )
    return _taken(record, read)


def _taken(record: ImageRecord, read: Read) -> ImageRecord:
    """A photo with the time and place that its sidecars know, if it does not know its own."""
    if read.words is None:
        return record
    exif = read.words.exif
    return replace(record, taken=exif.taken, place=exif.place)
