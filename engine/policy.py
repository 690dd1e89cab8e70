"""The stop-word policy: which words of an editable list a text contains, however they are spelt."""
# ruff: noqa: RUF001 - this file is about letters that look alike

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path

from pixquery.db.errors import BadData, QueryRefused, StorageFailed
from pixquery.db.quoting import library_option
from pixquery.engine.photos import open_file

STOP_WORDS = "stop-words.txt"
"""The name of the list in a library's folder."""
SHIPPED = Path(__file__).parent / STOP_WORDS

# Letters of Cyrillic, Greek and Armenian that look like a Latin one, from Unicode's table of
# confusables (UTS 39). A capital and its small letter may look like different ones.
_ALIKE = {
    "a": "АаΑαɑ", "b": "ВвЬьΒβ", "c": "Ссς", "d": "Ԁԁ", "e": "ЕеЄєҽΕε", "f": "ք", "g": "Ԍԍց",
    "h": "НнҺһΗհ", "i": "ІіΙιɩ", "j": "Јјϳ", "k": "КкΚκ", "l": "Ӏӏ", "m": "МмΜ", "n": "пΝηոռ",
    "o": "ОоΟοσօՕ", "p": "РрΡρ", "q": "Ԛԛզգ", "r": "г", "s": "ЅѕՏ", "t": "ТтΤτ", "u": "υսՍ",
    "v": "Ѵѵν", "w": "ԜԝѠѡωա", "x": "ХхΧχ", "y": "УуҮүΥγ", "z": "Ζ",
}  # fmt: skip
_LATIN_FOR = {letter: latin for latin, letters in _ALIKE.items() for letter in letters}
_LATIN_NAME = re.compile(
    r"(?:.+ )?LATIN (?:SMALL |CAPITAL )?LETTER (?:SMALL CAPITAL |SCRIPT |DOTLESS )?([A-Z])"
    r"(?: WITH .+)?|REGIONAL INDICATOR SYMBOL LETTER ([A-Z])"
)
"""For example LATIN SMALL LETTER O WITH STROKE, which has no decomposition."""

_HANGUL_FILLERS = "\u115f\u1160"
_ZERO_WIDTH_SPACE = "\u200b"

_LETTERS = r"[^\W\d_]+"
_CHAIN = re.compile(rf"{_LETTERS}(?:[-._·‧−]+{_LETTERS})*")
_PART = re.compile(_LETTERS)

# The stemmer only knows plurals by their endings.
_IRREGULAR = (
    ("child", "children"), ("man", "men"), ("person", "people"), ("foot", "feet"),
    ("tooth", "teeth"), ("goose", "geese"), ("mouse", "mice"), ("wife", "wives"),
    ("knife", "knives"), ("wolf", "wolves"), ("calf", "calves"), ("thief", "thieves"),
)  # fmt: skip
_LONGEST_ENDING = 8
"""In letters; no inflection is longer than its word by more than this."""
_BAD_SHOWN = 10
_MOST_BYTES = 10**7
"""Of a list; the rest of a longer one is not read."""


class Policy:
    """A list of stop words.

    A text contains a stop word if one of its words has the same stem (by Snowball's English
    stemmer, https://snowballstem.org/algorithms/english/stemmer.html, which NLTK offers too):
    "babies" contains *baby*, and "kidney" does not contain *kid*. Case, accents, invisible
    characters and letters of other alphabets that look alike make no difference. Words joined by
    hyphens or dots count both separately and as one: "child-like" contains *child*, "tod-dler"
    contains *toddler*.

    Attributes:
        words: The list, in its order and spelling.
    """

    def __init__(self, words: Sequence[str]) -> None:
        """Takes single words; an empty list matches nothing."""
        self.words = tuple(words)

    @classmethod
    def load(cls, file: Path) -> "Policy":
        """Reads a list with one word per line; ``#`` begins a comment.

        Raises:
            BadData: The file cannot be read, contains no word, or a line is not one word.
        """
        words: list[str] = []
        bad: list[str] = []
        for number, line in enumerate(_text(file).splitlines(), 1):
            word = line.partition("#")[0].strip()
            if word and not _CHAIN.fullmatch(folded(word)):
                bad.append(f"line {number}: {word[:40]!r} is not one word of letters")
            elif word:
                words.append(word)
        if bad:
            more = f"; and {len(bad) - _BAD_SHOWN} more" if len(bad) > _BAD_SHOWN else ""
            raise BadData(f"the stop-word list {file}, {'; '.join(bad[:_BAD_SHOWN])}{more}")
        if not words:
            raise BadData(f"the stop-word list {file} contains no word")
        return cls(words)

    def __len__(self) -> int:
        return len(self.words)

    def matches(self, text: str) -> tuple[str, ...]:
        """The words of the list that a text contains, each once, in the order of the text."""
        if not self.words:
            return ()
        listed = (self._by_stem.get(_stem(word)) for word in _words(folded(text), self._longest))
        return tuple(dict.fromkeys(word for word in listed if word is not None))

    @cached_property
    def _by_stem(self) -> dict[str, str]:
        """Stem -> the first word of the list with that stem."""
        stems: dict[str, str] = {}
        for word in self.words:
            for form in _forms(_joined(word)):
                stems.setdefault(_stem(form), word)
        return stems

    @cached_property
    def _longest(self) -> int:
        """In letters; longer words cannot be inflections of a word in the list."""
        return max(len(_joined(word)) for word in self.words) + _LONGEST_ENDING


# -- a library's policy -------------------------------------------------------------------------


def policy_of(library: Path, file: Path) -> Policy:
    """The words of a library's list.

    Args:
        library: The library's folder, for the error message.
        file: The list.

    Raises:
        BadData: The list cannot be used; the message names the file, the line and a remedy.
    """
    try:
        return Policy.load(file)
    except BadData as error:
        raise BadData(
            f"{error}: correct it, or delete it and run `pixquery policy on"
            f"{library_option(library)}` for the shipped one, or switch the policy off with "
            f"`pixquery policy off{library_option(library)}`"
        ) from error


def add_list(library: Path) -> None:
    """Copies the shipped list into a library that has none, for its user to edit.

    Raises:
        StorageFailed: It cannot be written; then no part of it is there.
    """
    file = library / STOP_WORDS
    if file.exists():
        return
    beside = file.with_name(f"{file.name}.new")
    try:
        beside.write_bytes(SHIPPED.read_bytes())
        beside.replace(file)
    except OSError as error:
        raise StorageFailed(
            f"{file} cannot be written ({error.strerror}): make room or fix the permissions"
        ) from error


def refuse(texts: Iterable[str], policy: Policy, library: Path) -> None:
    """Refuses texts that contain a stop word.

    Raises:
        QueryRefused: They do.
    """
    stop_words = list(dict.fromkeys(word for text in texts for word in policy.matches(text)))
    if stop_words:
        words = ", ".join(map(repr, stop_words))
        raise QueryRefused(
            f"the library's stop-word policy refuses this query for {words}: use other words, "
            f"edit {library / STOP_WORDS}, or switch the policy off with "
            f"`pixquery policy off{library_option(library)}`"
        )


# -- reading a text as the eye does ---------------------------------------------------------------


def folded(text: str) -> str:
    """A text as the eye sees it, in lower case: no accents, nothing invisible, Latin letters."""
    return "".join(map(_seen, unicodedata.normalize("NFKD", text))).casefold()


@lru_cache(maxsize=4096)
def _seen(char: str) -> str:
    if char.isspace() or (char.isascii() and char.isprintable()):
        return char
    if char == _ZERO_WIDTH_SPACE:  # a line may be broken there, between words or within one
        return "-"
    kind = unicodedata.category(char)
    if kind in {"Mn", "Me", "Cf", "Cc"} or char in _HANGUL_FILLERS:
        return ""
    if kind == "Pd":
        return "-"
    if char in _LATIN_FOR:
        return _LATIN_FOR[char]
    named = _LATIN_NAME.fullmatch(unicodedata.name(char, ""))
    return (named[1] or named[2]) if named else char


def _words(text: str, longest: int) -> Iterator[str]:
    """Every word of a folded text, and within a chain each word joined with those after it."""
    for chain in _CHAIN.findall(text):
        parts = _PART.findall(chain)
        for first in range(len(parts)):
            word = ""
            for part in parts[first:]:
                word += part
                if len(word) > longest:
                    break
                yield word


def _joined(word: str) -> str:
    return "".join(_PART.findall(folded(word)))


def _forms(word: str) -> Iterator[str]:
    """A word, and its other number if that is irregular."""
    yield word
    for one, many in _IRREGULAR:
        for ending, other in ((one, many), (many, one)):
            if word.endswith(ending):
                yield word.removesuffix(ending) + other


@lru_cache(maxsize=1 << 16)
def _stem(word: str) -> str:
    # Imported here: a query without a policy does not need it. NLTK's takes half a second.
    from snowballstemmer import stemmer  # type: ignore[import-untyped]

    # A new one each time: it stores the word it works on, and threads would mix theirs up.
    return str(stemmer("english").stemWord(word))


def _text(file: Path) -> str:
    try:
        with open_file(file) as opened:
            content = opened.read(_MOST_BYTES)
    except OSError as error:
        raise BadData(f"the stop-word list {file} cannot be read ({error.strerror})") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadData(f"the stop-word list {file}, line {line}: this is not UTF-8 text") from error
