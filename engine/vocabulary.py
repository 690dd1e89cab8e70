"""Large vocabularies: for a text, only those pieces are read that can be parts of it.

SigLIP 2 reads texts in 109 languages with 256,000 pieces and 580,000 rules for joining them. The
library `tokenizers` takes a second and 400 MB to read them, and a query needs a few dozen. Joining
pairs of neighbours (byte pair encoding, Sennrich et al. 2016, arXiv:1508.07909) only ever gives
parts of the text. So a tokenizer with just the pieces and rules that are parts of a text splits it
exactly as the whole one does.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save
from tokenizers import Tokenizer, models

from pixquery.db.checksums import checksum_of
from pixquery.engine.tensors import read_tensors

LARGE = 100_000
"""From so many pieces on, a vocabulary is kept apart from its tokenizer."""
_BYTES = tuple(f"<0x{value:02X}>" for value in range(256))
"""The pieces that stand for single bytes."""


class Vocabulary:
    """The pieces and rules of a tokenizer, looked up one by one."""

    def __init__(self, file: Path) -> None:
        """Reads what :func:`parted` wrote.

        Raises:
            OSError: The file cannot be read.
            KeyError: A tensor is missing.
            ValueError: It is no such file, or its numbers contradict each other.
        """
        tensors = read_tensors(file).tensors
        self._keys, self._ids = tensors["keys"], tensors["ids"]
        self._text, self._ends = tensors["text"], tensors["ends"]
        self._rules, self._ranks, self._cuts = (
            tensors[name] for name in ("rules", "ranks", "cuts")
        )
        count = len(self._keys)
        sound = (
            self._keys.dtype == np.uint64
            and len(self._ids) == len(self._ends) == len(self._rules) == count > 0
            and (np.diff(self._ends.astype(np.int64)) >= 0).all()
            and (np.diff(self._rules.astype(np.int64)) >= 0).all()
            and self._ends[-1] == len(self._text)
            and self._rules[-1] == len(self._ranks) == len(self._cuts)
            and min(self._ends[0], self._rules[0]) >= 0
        )
        if not sound:
            raise ValueError("its numbers contradict each other")
        self._longest = int(np.diff(self._ends, prepend=0).max())

    def among(self, words: Iterable[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
        """The pieces that are parts of some words with their numbers, and the rules, in order."""
        parts = list({part for word in words for part in _parts(word, self._longest)})
        keys = np.fromiter(map(_key, parts), np.uint64, len(parts))
        rows = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        pieces: dict[str, int] = {}
        rules: list[tuple[int, str, str]] = []
        for place in np.flatnonzero(self._keys[rows] == keys):
            row, part = int(rows[place]), parts[place]
            if self._piece(row) != part:
                continue
            pieces[part] = int(self._ids[row])
            for rule in range(int(self._rules[row - 1]) if row else 0, int(self._rules[row])):
                cut = int(self._cuts[rule])
                rules.append((int(self._ranks[rule]), part[:cut], part[cut:]))
        known = [rule for rule in sorted(rules) if rule[1] in pieces and rule[2] in pieces]
        return pieces, [(left, right) for _, left, right in known]

    def _piece(self, row: int) -> str:
        start = int(self._ends[row - 1]) if row else 0
        return bytes(self._text[start : int(self._ends[row])]).decode("utf-8", "replace")


class PartedTokenizer:
    """A tokenizer whose vocabulary is kept apart."""

    def __init__(self, rest: Tokenizer, vocabulary: Vocabulary) -> None:
        """Joins what :func:`parted` parted."""
        self._rest, self._vocabulary = rest, vocabulary
        self._one_at_a_time = Lock()
        stored = json.loads(rest.to_str())
        self._model: Mapping[str, Any] = stored["model"]
        marks = [re.escape(mark["content"]) for mark in stored["added_tokens"]]
        self._marks = re.compile("|".join(sorted(marks, key=len, reverse=True)) or "(?!)")

    def encode_batch(self, texts: Sequence[str]) -> list[Any]:
        """Splits texts as the whole tokenizer would."""
        words = {word for text in texts for word in self._words(text)}
        pieces, rules = self._vocabulary.among(words)
        model = _model(self._model, {**self._model["vocab"], **pieces}, rules)
        with self._one_at_a_time:  # or the model of another thread's texts would split these
            self._rest.model = model
            return list(self._rest.encode_batch(list(texts)))

    def _words(self, text: str) -> Iterable[str]:
        """What is split into pieces, also between marks such as ``<pad>`` in the text."""
        rest = self._rest
        for section in {text, *self._marks.split(text)}:
            plain = rest.normalizer.normalize_str(section) if rest.normalizer else section
            if rest.pre_tokenizer is None:
                yield plain
            else:
                yield from (word for word, _ in rest.pre_tokenizer.pre_tokenize_str(plain))


def parted(tokenizer: str) -> tuple[str, bytes] | None:
    """Takes the vocabulary out of a ``tokenizer.json`` if it is large, and can be kept apart.

    Returns:
        The rest, and a safetensors file for :class:`Vocabulary`.
    """
    stored = json.loads(tokenizer)
    model = stored["model"]
    vocabulary = model.get("vocab", {})
    if model["type"] != "BPE" or len(vocabulary) < LARGE or _alters_pieces(model):
        return None
    merges = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
    marks = {mark["content"] for mark in stored["added_tokens"]}
    kept = {*marks, *_BYTES, model.get("unk_token")}
    rest = {piece: number for piece, number in vocabulary.items() if piece in kept}
    stored["model"] = {**model, "vocab": rest, "merges": []}
    return json.dumps(stored, ensure_ascii=False), _table(vocabulary, merges)


def _alters_pieces(model: Mapping[str, Any]) -> bool:
    """Whether a model joins pieces to something else than what they are parts of."""
    altering = ("continuing_subword_prefix", "end_of_word_suffix", "dropout", "ignore_merges")
    return any(model.get(name) for name in altering)


def _table(vocabulary: Mapping[str, int], merges: Sequence[Sequence[str]]) -> bytes:
    by_key = sorted((_key(piece), piece) for piece in vocabulary)
    rules: dict[str, list[tuple[int, int]]] = {}
    for rank, (left, right) in enumerate(merges):
        rules.setdefault(left + right, []).append((rank, len(left)))
    pieces = [piece for _, piece in by_key]
    encoded = [piece.encode("utf-8") for piece in pieces]
    ordered = [rule for piece in pieces for rule in rules.get(piece, ())]
    counts = [len(rules.get(piece, ())) for piece in pieces]
    tensors: dict[str, NDArray[Any]] = {
        "keys": np.array([key for key, _ in by_key], np.uint64),
        "ids": np.array([vocabulary[piece] for piece in pieces], np.int32),
        "text": np.frombuffer(b"".join(encoded), np.uint8),
        "ends": np.cumsum([len(each) for each in encoded]).astype(np.int32),
        "rules": np.cumsum(counts).astype(np.int32),
        "ranks": np.array([rank for rank, _ in ordered], np.int32),
        "cuts": np.array([cut for _, cut in ordered], np.uint16),
    }
    return save(tensors)


def _model(told: Mapping[str, Any], pieces: dict[str, int], rules: list[tuple[str, str]]) -> Any:
    return models.BPE(
        pieces,
        rules,
        unk_token=told.get("unk_token"),
        fuse_unk=bool(told.get("fuse_unk")),
        byte_fallback=bool(told.get("byte_fallback")),
    )


def _parts(word: str, longest: int) -> Iterable[str]:
    """All parts of a word of at most ``longest`` characters."""
    for start in range(len(word)):
        for end in range(start + 1, min(len(word), start + longest) + 1):
            yield word[start:end]


def _key(piece: str) -> int:
    return int.from_bytes(checksum_of(piece.encode("utf-8", "surrogatepass"))[:8], "little")
