"""Texts from many threads are encoded in batches."""

import threading
import time

import numpy as np
import pytest

from pixquery.engine.profile import Profile
from pixquery.web.batches import MOST, Batches, SharedProfile


class Counting:
    """A slow text encoder that records its batches. A text's vector is its length."""

    dimension = 1

    def __init__(self) -> None:
        self.batches: list[int] = []

    def encode(self, texts: list[str]) -> np.ndarray:
        self.batches.append(len(texts))
        time.sleep(0.01)
        if "broken" in texts:
            raise RuntimeError("broken")
        return np.array([[len(text)] for text in texts], np.float32)

    def rank(self, word: str) -> int | None:
        return len(word)


def test_texts_of_many_threads_are_encoded_together() -> None:
    counting = Counting()
    batches = Batches(counting)
    vectors: dict[int, float] = {}

    def ask(length: int) -> None:
        vectors[length] = float(batches.encode(["x" * length])[0, 0])

    threads = [threading.Thread(target=ask, args=(length,)) for length in range(1, 101)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert vectors == {length: length for length in range(1, 101)}
    assert sum(counting.batches) == 100
    assert max(counting.batches) == MOST
    assert len(counting.batches) < 40
    assert batches.encode(["a", "bb", "ccc"]).tolist() == [[1], [2], [3]]
    with pytest.raises(RuntimeError, match="broken"):
        batches.encode(["broken"])


def test_a_shared_profile_gives_the_same_vectors(models: Profile) -> None:
    shared = SharedProfile(models.folder, models.manifest)
    assert isinstance(shared.texts, Batches)
    assert np.array_equal(shared.texts.encode(["red"]), models.texts.encode(["red"]))
