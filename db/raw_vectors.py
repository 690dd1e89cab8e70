"""Raw vectors in the catalogue, as the image encoder computed them, and the file made of them."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pixquery.db.checksums import SEALED, digest, sound
from pixquery.db.connections import damaged
from pixquery.db.files import FileReading
from pixquery.db.forms import MOST_IDS, formed
from pixquery.db.reading import marks, parts
from pixquery.db.records import Generation, Ids

RawVectors = NDArray[np.float16]


class VectorReading(FileReading):
    """Queries for vectors; every method is one transaction."""

    def raw_vectors(
        self, *encoders: str, since: int = 0, after: int = 0, limit: int = 4096
    ) -> list[tuple[Ids, RawVectors]]:
        """The next photos' ids and raw vectors, one pair for each encoder that they are from.

        Args:
            encoders: Vectors of other image encoders are left out.
            since: Only vectors written after this revision.
            after: The largest id of the previous call; 0 to begin.
            limit: The largest number of vectors to read.

        Returns:
            int64[n], ascending, and float16[n, d]; nothing at the end.

        Raises:
            LibraryDamaged: Vectors of one encoder have different lengths, or a vector differs from
                its checksum.
        """
        statement = _CHANGED_VECTORS if since else _ALL_VECTORS
        wanted = ", ".join(f":encoder{place}" for place in range(len(encoders)))
        values: dict[str, object] = {"since": since, "after": after, "most": limit}
        values |= {f"encoder{place}": encoder for place, encoder in enumerate(encoders)}
        with self._read() as connection:
            rows = connection.execute(statement.format(self._vectors, wanted), values).fetchall()
        by_encoder: dict[str, list[tuple[int, bytes, int, bytes]]] = {}
        for image_id, encoder, *rest in rows:
            by_encoder.setdefault(encoder, []).append((image_id, *rest))
        if any(one[0] >= following[0] for one, following in pairwise(rows)):
            raise damaged(self.file, "an index names a vector twice")
        return [self._joined(encoder, vectors) for encoder, vectors in by_encoder.items()]

    def _joined(
        self, encoder: str, rows: Sequence[tuple[int, bytes, int, bytes]]
    ) -> tuple[Ids, RawVectors]:
        ids = np.array([row[0] for row in rows], np.int64)
        blobs = [row[1] for row in rows]
        if set(map(type, blobs)) != {bytes} or not 0 < ids[0] <= ids[-1] < MOST_IDS:
            raise damaged(self.file, "vectors that are none")
        if len(set(map(len, blobs))) > 1 or len(blobs[0]) % 2:
            raise damaged(self.file, "vectors of different lengths")
        for image_id, blob, revision, checksum in rows:
            if digest(image_id, encoder, revision, blob) != checksum:
                raise damaged(self.file, "vectors differ from their checksums")
        return ids, np.frombuffer(b"".join(blobs), np.float16).reshape(len(ids), -1)

    def vector_ids(self, *encoders: str) -> Ids:
        """The ids int64[n] of all photos that have a vector of one of the encoders, sorted."""
        rows = self._rows(
            f"SELECT image_id FROM {self._vectors} WHERE encoder IN {marks(encoders)} "
            "ORDER BY image_id",
            *encoders,
        )
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def vectors_of(self, ids: Sequence[int], *encoders: str) -> dict[int, RawVectors]:
        """The vectors of those photos that have a sound one of the encoders, by id.

        Returns:
            float16[d]; d may differ between encoders.
        """
        statement = (
            f"SELECT image_id, encoder, revision, raw, checksum FROM {self._vectors} "
            f"WHERE encoder IN {marks(encoders)} AND {formed(self._vectors)} AND image_id IN "
        )
        vectors: dict[int, RawVectors] = {}
        with self._read() as connection:
            for part in parts(ids):
                rows = connection.execute(statement + marks(part), (*encoders, *part))
                for image_id, encoder, revision, raw, checksum in rows:
                    # Here and not in SQL, which would copy each vector once more.
                    if checksum == digest(image_id, encoder, revision, raw):
                        vectors[image_id] = np.frombuffer(raw, np.float16)
        return vectors

    def first_vectors(
        self, ids: Sequence[int], encoders: Sequence[str]
    ) -> dict[int, tuple[str, RawVectors]]:
        """The sound vectors of those photos, by id, each with its encoder, which must be listed.

        Returns:
            float16[d]; d may differ between encoders.
        """
        vectors: dict[int, tuple[str, RawVectors]] = {}
        for encoder in encoders if ids else ():
            found = self.vectors_of(ids, encoder)
            vectors |= {image_id: (encoder, vector) for image_id, vector in found.items()}
        return vectors

    def encoders(self) -> dict[str, int]:
        """How many vectors queries are answered with, by the encoder that they are from."""
        rows = self._rows("SELECT encoder, count(*) FROM vectors GROUP BY encoder")
        return dict(rows)

    def generation(self) -> Generation | None:
        """The published vector file; none before the first, or if its row is damaged.

        The file is in the library's folder: its name is one that pixquery makes, and no path.
        """
        width = len(SEALED["generations"])
        for row in self._rows("SELECT * FROM generations"):
            # Version 5 had no checksums here.
            if len(row) == width or row[width] == digest(*row[:width]):
                return _generation(row[:width])
        return None

    def lacking(self, encoder: str) -> int:
        """How many photos have no vector of this encoder, in the table that this object reads."""
        return len(self) - len(self.vector_ids(encoder))

    def waiting(self) -> int:
        """How many vectors are in the table ``coming``."""
        return int(self._value("SELECT count(*) FROM coming"))

    def unsound(self, lengths: Mapping[str, int]) -> list[int]:
        """Photos without a sound vector of one of these encoders, of its length."""
        size = np.dtype(np.float16).itemsize
        wanted = " ".join("WHEN ? THEN ?" for _ in lengths)
        rows = self._rows(
            "SELECT images.id FROM images LEFT JOIN vectors ON vectors.image_id = images.id "
            f"AND length(vectors.raw) = CASE vectors.encoder {wanted} END "
            f"WHERE vectors.raw IS NULL OR NOT {sound('vectors')}",
            *(value for name, length in lengths.items() for value in (name, length * size)),
        )
        return [row[0] for row in rows]


_FILE = re.compile(r"vectors-[0-9]{8,20}-[0-9a-f]{1,16}\.faiss", re.ASCII)


def _generation(row: Sequence[object]) -> Generation | None:
    """A row as a generation, if it is what pixquery writes."""
    match row:
        case (str(file), int(size), str(sha256), int(revision), str(space)):
            return (
                Generation(file, size, sha256, revision, space) if _FILE.fullmatch(file) else None
            )
    return None


_ALL_VECTORS = (
    # The sign keeps SQLite from using its index, which may be damaged and disagree with the rows.
    "SELECT image_id, encoder, raw, revision, checksum FROM {0} "
    "WHERE +encoder IN ({1}) AND image_id > :after ORDER BY image_id LIMIT :most"
)
_CHANGED_VECTORS = (
    # Here it makes SQLite begin with the few changed rows instead of reading all of them.
    "SELECT image_id, encoder, raw, revision, checksum FROM {0} WHERE image_id IN ("
    "SELECT image_id FROM {0} WHERE revision > :since AND +encoder IN ({1}) "
    "AND +image_id > :after ORDER BY +image_id LIMIT :most) ORDER BY image_id"
)
