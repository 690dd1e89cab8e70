"""Texts from many threads, encoded in batches."""

from collections import deque
from functools import cached_property
from threading import Condition

import numpy as np

from pixquery.db.records import Floats
from pixquery.engine.encoders import TextEncoder
from pixquery.engine.profile import Profile

MOST = 8
"""Most texts in a batch.

On two cores, a text in such a batch takes half as long as alone. Larger batches gain nothing.
"""


class _Text:
    """One text, and its vector once it has been encoded."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.vector: Floats | None = None
        self.failed = False

    @property
    def done(self) -> bool:
        return self.vector is not None or self.failed


class Batches:
    """A text encoder for many threads. Texts that arrive while it is busy form the next batch.

    It never waits for a batch to fill: a text that arrives alone is encoded at once.

    Attributes:
        dimension: Length of a vector.
    """

    def __init__(self, encoder: TextEncoder) -> None:
        self.dimension = encoder.dimension
        self._encoder = encoder
        self._waiting: deque[_Text] = deque()
        self._busy = False
        self._changed = Condition()

    def encode(self, texts: list[str]) -> Floats:
        """Encodes texts into float32[n, dimension].

        Raises:
            RuntimeError: Another thread failed to encode the batch.
        """
        mine = [_Text(text) for text in texts]
        with self._changed:
            self._waiting.extend(mine)
        while (batch := self._turn(mine)) is not None:
            self._encode(batch)
        vectors = [text.vector for text in mine if text.vector is not None]
        if len(vectors) < len(mine):
            raise RuntimeError("another thread could not encode the texts")  # and raised the cause
        return np.stack(vectors)

    def rank(self, word: str) -> int | None:
        """The encoder's."""
        return self._encoder.rank(word)

    def _turn(self, mine: list[_Text]) -> list[_Text] | None:
        """Waits for the next batch to encode; none once other threads have encoded our texts."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy or all(text.done for text in mine))
            if all(text.done for text in mine):
                return None
            self._busy = True
            return [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]

    def _encode(self, batch: list[_Text]) -> None:
        try:
            vectors = self._encoder.encode([text.text for text in batch])
            for text, vector in zip(batch, vectors, strict=True):
                text.vector = vector
        finally:
            with self._changed:
                for text in batch:
                    text.failed = text.vector is None
                self._busy = False
                self._changed.notify_all()


class SharedProfile(Profile):
    """A profile that encodes the texts of many threads in batches."""

    @cached_property
    def _texts(self) -> TextEncoder:
        return Batches(super()._texts)
