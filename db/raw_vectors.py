"""Raw vectors in the catalogue, as the image encoder computed them, and the file made of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pixquery.db.checksums import digest, sound
from pixquery.db.connections import damaged
from pixquery.db.reading import Reading, marks, parts
from pixquery.db.records import Generation, Ids

RawVectors = NDArray[np.float16]


class VectorReading(Reading):
    """Queries for vectors; every method is one transaction."""

    def raw_vectors(
        self, encoder: str, *, since: int = 0, after: int = 0, limit: int = 4096
    ) -> tuple[Ids, RawVectors]:
        """The next photos' ids and raw vectors, by id.

        Args:
            encoder: Vectors of other image encoders are left out.
            since: Only vectors written after this revision.
            after: The last id of the previous call; 0 to begin.
            limit: The largest number of vectors to read.

        Returns:
            int64[n] and float16[n, d]; n = 0 at the end.

        Raises:
            LibraryDamaged: Vectors have different lengths or differ from their checksums.
        """
        statement = (_CHANGED_VECTORS if since else _ALL_VECTORS).format(self._vectors)
        values = {"encoder": encoder, "since": since, "after": after, "most": limit}
        with self._read() as connection:
            rows = connection.execute(statement, values).fetchall()
        if not rows:
            return np.empty(0, np.int64), np.empty((0, 0), np.float16)
        ids = np.array([row[0] for row in rows], np.int64)
        blobs = [row[1] for row in rows]
        if len(set(map(len, blobs))) > 1 or len(blobs[0]) % 2:
            raise damaged(self.file, "vectors of different lengths")
        for image_id, blob, revision, checksum in rows:
            if digest(image_id, encoder, revision, blob) != checksum:
                raise damaged(self.file, "vectors differ from their checksums")
        if (np.diff(ids) <= 0).any():
            raise damaged(self.file, "an index names a vector twice")
        return ids, np.frombuffer(b"".join(blobs), np.float16).reshape(len(ids), -1)

    def vector_ids(self, encoder: str) -> Ids:
        """The ids int64[n] of all photos that have a vector of ``encoder``, sorted."""
        rows = self._rows(
            f"SELECT image_id FROM {self._vectors} WHERE encoder = ? ORDER BY image_id", encoder
        )
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def vectors_of(self, ids: Sequence[int], encoder: str) -> dict[int, RawVectors]:
        """The vectors float16[d] of those photos that have a sound one of ``encoder``, by id."""
        statement = (
            f"SELECT image_id, raw FROM {self._vectors} "
            f"WHERE encoder = ? AND {sound(self._vectors)} AND image_id IN "
        )
        vectors: dict[int, RawVectors] = {}
        with self._read() as connection:
            for part in parts(ids):
                for image_id, raw in connection.execute(statement + marks(part), (encoder, *part)):
                    vectors[image_id] = np.frombuffer(raw, np.float16)
        return vectors

    def generation(self) -> Generation | None:
        """The published vector file; none before the first."""
        rows = self._rows("SELECT file, size, sha256, revision, space FROM generations")
        return Generation(*rows[0]) if rows else None

    def answers_with(self, encoder: str) -> bool:
        """Whether queries are answered with vectors of this encoder, or there are none at all."""
        return bool(
            self._value(
                "SELECT EXISTS (SELECT 1 FROM vectors WHERE encoder = ?) "
                "OR NOT EXISTS (SELECT 1 FROM vectors)",
                encoder,
            )
        )

    def lacking(self, encoder: str) -> int:
        """How many photos have no vector of this encoder, in the table that this object reads."""
        return len(self) - len(self.vector_ids(encoder))

    def waiting(self) -> int:
        """How many vectors are in the table ``coming``."""
        return int(self._value("SELECT count(*) FROM coming"))

    def unsound(self, length: int, encoder: str) -> list[int]:
        """Photos without a sound vector of ``encoder`` of this length."""
        rows = self._rows(
            "SELECT images.id FROM images "
            "LEFT JOIN vectors ON vectors.image_id = images.id AND vectors.encoder = ? "
            f"WHERE vectors.raw IS NULL OR NOT {sound('vectors')} OR length(vectors.raw) != ?",
            encoder,
            length * np.dtype(np.float16).itemsize,
        )
        return [row[0] for row in rows]


_ALL_VECTORS = (
    # The sign keeps SQLite from using its index, which may be damaged and disagree with the rows.
    "SELECT image_id, raw, revision, checksum FROM {0} "
    "WHERE +encoder = :encoder AND image_id > :after ORDER BY image_id LIMIT :most"
)
_CHANGED_VECTORS = (
    # Here it makes SQLite begin with the few changed rows instead of reading all of them.
    "SELECT image_id, raw, revision, checksum FROM {0} WHERE image_id IN ("
    "SELECT image_id FROM {0} WHERE revision > :since AND +encoder = :encoder "
    "AND +image_id > :after ORDER BY +image_id LIMIT :most) ORDER BY image_id"
)
