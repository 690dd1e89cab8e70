"""Texts of many threads, encoded together."""

from collections import deque
from functools import cached_property
from threading import Condition

import numpy as np

from pixquery.db.records import Floats
from pixquery.engine.encoders import TextEncoder
from pixquery.engine.profile import Profile

MOST = 8
"""Texts a batch: on two cores a text costs half as much as alone, and in larger ones no less."""


class _Text:
    """One text, and its vector once it is there."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.vector: Floats | None = None
        self.failed = False

    @property
    def done(self) -> bool:
        return self.vector is not None or self.failed


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
        self._waiting: deque[_Text] = deque()
        self._at_work = False
        self._changed = Condition()

    def encode(self, texts: list[str]) -> Floats:
        """Encodes texts into float32[n, dimension]."""
        mine = [_Text(text) for text in texts]
        with self._changed:
            self._waiting.extend(mine)
        while (batch := self._turn(mine)) is not None:
            self._encode(batch)
        vectors = [one.vector for one in mine if one.vector is not None]
        if len(vectors) < len(mine):
            raise RuntimeError("another thread could not encode the texts")  # and told why
        return np.stack(vectors)

    def _turn(self, mine: list[_Text]) -> list[_Text] | None:
        """Waits for the turn to encode a batch; none once another thread has done ours."""
        with self._changed:
            self._changed.wait_for(lambda: not self._at_work or all(one.done for one in mine))
            if all(one.done for one in mine):
                return None
            self._at_work = True
            return [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]

    def _encode(self, batch: list[_Text]) -> None:
        try:
            vectors = self._encoder.encode([one.text for one in batch])
            for one, vector in zip(batch, vectors, strict=True):
                one.vector = vector
        finally:
            with self._changed:
                for one in batch:
                    one.failed = one.vector is None
                self._at_work = False
                self._changed.notify_all()


class SharedProfile(Profile):
    """A profile whose texts are encoded for many threads at once."""

    @cached_property
    def _texts(self) -> TextEncoder:
        return Batches(super()._texts)
