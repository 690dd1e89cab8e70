"""Texts of many threads, encoded together."""

from collections import deque
from concurrent.futures import Future
from functools import cached_property
from threading import Lock

import numpy as np

from db.records import Floats
from engine.encoders import TextEncoder
from engine.profile import Profile

MOST = 16
"""Texts a batch; larger ones take longer a text on two cores."""


class Batches:
    """A text encoder for many threads: whoever comes while it is at work joins the next batch.

    Nobody waits for company: a text that comes alone is encoded at once.

    Attributes:
        dimension: Length of a vector.
    """

    def __init__(self, encoder: TextEncoder) -> None:
        """Takes the encoder that does the work."""
        self.dimension = encoder.dimension
        self._encoder = encoder
        self._waiting: deque[tuple[str, Future[Floats]]] = deque()
        self._at_work = Lock()

    def encode(self, texts: list[str]) -> Floats:
        """Encodes texts into float32[n, dimension]."""
        rows: list[Future[Floats]] = [Future() for _ in texts]
        self._waiting.extend(zip(texts, rows, strict=True))
        while not all(row.done() for row in rows):
            with self._at_work:
                self._encode(self._next_batch())
        return np.stack([row.result() for row in rows])

    def _next_batch(self) -> list[tuple[str, "Future[Floats]"]]:
        return [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]

    def _encode(self, batch: list[tuple[str, "Future[Floats]"]]) -> None:
        if not batch:
            return  # another thread has had ours in its batch
        try:
            vectors = self._encoder.encode([text for text, _ in batch])
        except BaseException as error:
            for _, row in batch:
                row.set_exception(error)
            raise
        for (_, row), vector in zip(batch, vectors, strict=True):
            row.set_result(vector)


class SharedProfile(Profile):
    """A profile whose texts are encoded for many threads at once."""

    @cached_property
    def _texts(self) -> TextEncoder:
        return Batches(super()._texts)
