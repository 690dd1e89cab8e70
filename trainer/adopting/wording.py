"""The ``tokenizer.json`` of a ready pair, which does to a text all that its makers do first."""

import json
import string

from tokenizers import Regex, Tokenizer, normalizers

from pixquery.db.errors import ProfileDamaged, SourceUnusable
from pixquery.engine.tokenizer import Reading, read_tokenizer
from pixquery.trainer.adopting.layouts import Pair

_PUNCTUATION = Regex("[" + "".join(f"\\{sign}" for sign in string.punctuation) + "]")


def worded(pair: Pair) -> tuple[str, int]:
    """The tokenizer of a pair, and the number of the piece that texts are filled up with.

    Networks of SigLIP's kind were trained on lower-case texts, and some on texts without
    punctuation, but their tokenizers do neither. Here the first steps of the tokenizer do.

    Returns:
        A ``tokenizer.json`` that neither truncates nor pads, and a number.

    Raises:
        SourceUnusable: The tokenizer cannot be read, or lacks the piece.
    """
    try:
        tokenizer = read_tokenizer(pair.tokenizer, Reading(pair.wording.most))
    except ProfileDamaged as error:
        raise SourceUnusable(
            f"{str(error).rpartition(':')[0]}: download it again, or choose another model"
        ) from error
    pad = tokenizer.token_to_id(pair.wording.pad) if pair.wording.pad else 0
    if pad is None:
        raise SourceUnusable(
            f"the tokenizer {pair.tokenizer} has no piece {pair.wording.pad!r} to fill texts up "
            "with: download all files again from the same source"
        )
    tokenizer.no_padding()
    tokenizer.no_truncation()
    steps = _steps(pair)
    if steps:
        tokenizer = _with_literal_marks(tokenizer)
        own = [tokenizer.normalizer] if tokenizer.normalizer else []
        tokenizer.normalizer = normalizers.Sequence([*steps, *own])
    return tokenizer.to_str(), pad


def reader_of(tokenizer: str, reading: Reading) -> Tokenizer:
    """The whole tokenizer, as a network of its makers reads with it."""
    reader = Tokenizer.from_str(tokenizer)
    reader.enable_truncation(reading.max_tokens)
    if reading.context:
        reader.enable_padding(length=reading.context, pad_id=reading.pad)
    return reader


def _steps(pair: Pair) -> list[normalizers.Normalizer]:
    """What is done to a text before the tokenizer's own steps."""
    steps: list[normalizers.Normalizer] = []
    if pair.wording.plain:
        steps += [
            normalizers.Replace(_PUNCTUATION, ""),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
        ]
    return [*steps, normalizers.Lowercase()] if pair.wording.lower else steps


def _with_literal_marks(tokenizer: Tokenizer) -> Tokenizer:
    """The same tokenizer, whose marks are not normalised: without signs, ``</s>`` is any s."""
    stored = json.loads(tokenizer.to_str())
    for mark in stored["added_tokens"]:
        mark["normalized"] = False
    return Tokenizer.from_str(json.dumps(stored, ensure_ascii=False))
