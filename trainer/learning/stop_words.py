"""Leaves out rated pairs whose text has a word on the stop-word list."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pixquery.engine.policy import Policy
from pixquery.trainer.learning.captions import Caption
from pixquery.trainer.learning.judged import Judged
from pixquery.trainer.learning.splits import Mask

STOP_WORDS = ("pairs", "all", "off")
"""From what to leave out texts with a stop word: rated pairs, captions as well, or nothing."""


def kept_pairs(
    pairs: Judged, captions: Sequence[Caption], policy: Policy, mode: str
) -> tuple[Mask, dict[str, Any]]:
    """Which pairs to keep, bool[n], and what the report says about those left out."""
    hits = {text: policy.matches(text) for text in {*pairs.texts, *(c.text for c in captions)}}
    matching = np.array([bool(hits[text]) for text in pairs.texts], np.bool_)
    words: dict[str, int] = {}
    for text in pairs.texts:
        for word in hits[text]:
            words[word] = words.get(word, 0) + 1
    filtering = mode != "off"
    dropped = {
        "mode": mode,
        "words": dict(sorted(words.items(), key=lambda item: -item[1])) if filtering else {},
        "expert": int((matching & pairs.expert).sum()) if filtering else 0,
        "crowd": int((matching & pairs.crowd).sum()) if filtering else 0,
        "captions": sum(bool(hits[c.text]) for c in captions) if mode == "all" else 0,
    }
    return ~matching | (not filtering), dropped
