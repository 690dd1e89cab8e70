"""Reads a ``tokenizer.json``, which may come from a stranger.

Its patterns are matched by backtracking, so that a few bytes of pattern can take longer than the
age of the world on a short text. Only patterns that are known, or too simple for that, are run.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer
from tokenizers.models import WordPiece

from pixquery.db.errors import ProfileDamaged
from pixquery.engine.legible import legible
from pixquery.engine.photos import read_file

if TYPE_CHECKING:  # few profiles need it
    from pixquery.engine.vocabulary import PartedTokenizer

MOST_BYTES = 128 * 2**20
"""Larger files are not read: the longest known vocabularies take 35 MB."""

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_CASELESS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_KNOWN = frozenset(
    {
        _GPT2,
        "(?:" + _GPT2 + ")",
        _CASELESS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+",  # Llama 3
        _CASELESS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+",  # Qwen 2
    }
)
_ATOM = re.compile(
    r"\\[pP]\{\^?\w+\}|\\[bBdDfhHnrsStvwW\W]|\[(?:\\.|[^\[\]\\])+\]|[^\\\[\](){}*+?|^$]"
)
"""A single character of a pattern, or a class of characters."""
_AFTER = re.compile(r"\{\d{1,3}(?:,\d{1,3})?\}|[?*+]|\{\d{1,3},\}")
_LOOK = re.compile(r"\(\?[!=]")


@dataclass(frozen=True, slots=True)
class Reading:
    """How a network reads texts."""

    max_tokens: int
    """Longer texts are cut."""
    context: int = 0
    """Shorter texts are filled up to so many pieces; 0: to the longest of those read at once."""
    pad: int = 0
    """The piece to fill up with."""
    rows: int = 32
    """How many texts are read at once."""

    @classmethod
    def of(cls, text: Mapping[str, Any]) -> "Reading":
        """What the entry ``text`` of a manifest says."""
        given = {name: int(text[name]) for name in ("context", "pad", "rows") if name in text}
        return cls(int(text["max_tokens"]), **given)


def read_parted(file: Path, reading: Reading, vocabulary: Path) -> "PartedTokenizer":
    """Reads a tokenizer whose vocabulary is in a file of its own.

    Raises:
        ProfileDamaged: As of :func:`read_tokenizer`, also for the vocabulary.
    """
    from pixquery.engine.vocabulary import PartedTokenizer, Vocabulary

    try:
        return PartedTokenizer(read_tokenizer(file, reading), Vocabulary(vocabulary))
    except (OSError, KeyError, ValueError) as error:
        raise ProfileDamaged(
            f"the vocabulary {vocabulary} cannot be used ({getattr(error, 'strerror', error)}): "
            "install the profile again"
        ) from error


def read_tokenizer(file: Path, reading: Reading) -> Tokenizer:
    """Reads a tokenizer that cuts texts and fills up shorter ones.

    Args:
        file: A ``tokenizer.json``.
        reading: How the network reads texts.

    Raises:
        ProfileDamaged: The file is missing, too large, no tokenizer, or contains a pattern that may
            take for ever.
    """
    try:
        content = read_file(file, MOST_BYTES)
        if _may_contain_patterns(content):
            for pattern in _patterns(json.loads(content)):
                _refuse_slow(pattern)
        text = content.decode("utf-8")
    except (OSError, ValueError, RecursionError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise _unusable(file, cause) from error
    with _Reported(file):
        tokenizer = Tokenizer.from_str(text)
        tokenizer.enable_truncation(reading.max_tokens)
        tokenizer.enable_padding(length=reading.context or None, pad_id=reading.pad)
        tokenizer.encode("a photo")
    return tokenizer


def rank_of(word: str, tokenizer: "Tokenizer | PartedTokenizer") -> int | None:
    """The number of a whole word; none in vocabularies that are not BERT's kind.

    Only that kind begins with the most usual words.
    """
    if not isinstance(tokenizer, Tokenizer) or not isinstance(tokenizer.model, WordPiece):
        return None
    number = tokenizer.token_to_id(word)
    return None if number is None else int(number)


class _Reported:
    """Raises what `tokenizers` raises as one sentence: plain ``Exception``, and panics of Rust."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None and (kind is Exception or kind.__name__ == "PanicException"):
            raise _unusable(self._file, str(error)) from error


def _unusable(file: Path, cause: str) -> ProfileDamaged:
    return ProfileDamaged(
        f"the tokenizer {file} cannot be used ({legible(cause)[:200]}): install the profile again"
    )


def _may_contain_patterns(content: bytes) -> bool:
    """Whether the key ``Regex`` may be in a JSON text; letters may be written as escapes there.

    Most files contain none, and vocabularies are so long that reading them twice can be felt.
    """
    return b"Regex" in content or re.search(rb"\\u00[4-7]", content) is not None


def _patterns(tree: Any) -> Iterator[str]:
    """All regular expressions in a tokenizer."""
    pending = [tree]
    while pending:
        branch = pending.pop()
        if isinstance(branch, dict):
            pattern = branch.get("Regex")
            if isinstance(pattern, str):
                yield pattern
            pending += branch.values()
        elif isinstance(branch, list):
            pending += (each for each in branch if isinstance(each, dict | list))


def _refuse_slow(pattern: str) -> None:
    """Raises unless a pattern is known, or repeats without end once in each alternative at most."""
    if pattern not in _KNOWN and not _is_simple(pattern):
        raise ValueError(f"its pattern {legible(pattern)[:60]!r} may take for ever on some texts")


def _is_simple(pattern: str) -> bool:
    """Whether each alternative has no groups, one endless repeat and two of any kind at most."""
    at, endless, repeats, looking = 0, 0, 0, False
    while at < len(pattern):
        if pattern[at] == "|" and not looking:
            endless, repeats, at = 0, 0, at + 1
            continue
        if pattern[at] in "^$":
            at += 1
            continue
        look = _LOOK.match(pattern, at)
        if look and not looking:
            looking, at = True, look.end()
            continue
        if pattern[at] == ")" and looking:
            looking, at = False, at + 1
            if _AFTER.match(pattern, at):
                return False
            continue
        atom = _ATOM.match(pattern, at)
        if atom is None:
            return False
        at = atom.end()
        after = _AFTER.match(pattern, at)
        if after:
            at = after.end()
            endless += after[0] in "*+" or after[0].endswith(",}")
            repeats += 1
            if endless > 1 or repeats > 2 or _AFTER.match(pattern, at):
                return False
    return not looking
