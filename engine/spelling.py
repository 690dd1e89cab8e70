"""Offers known words for words that look like typing errors. It never replaces any.

Most errors are one slip: a letter too many, one too few, two swapped, or a neighbouring key
(Damerau 1964, https://doi.org/10.1145/363958.363994). So a word is taken for an error if the text
encoder's vocabulary does not know it, and knows a usual word that is one slip away. Names and rare
words are rarely that close to a usual word.
"""
# ruff: noqa: RUF001 - apostrophes

import re
from collections.abc import Callable, Iterator
from string import ascii_lowercase

SHORTEST = 4
"""Letters of a word that may be an error; in words of four only swapped letters are."""
LONGEST = 30
_RAREST = 16_000
"""The largest rank of a word that is offered."""
_RAREST_FOR_SHORT = 9_000
"""The same for words of up to five letters: there are more words around each."""
_RAREST_PART = 8_000
"""The largest rank of the parts of a compound such as "snowboard", of 3 and 4 letters or more."""
_LONG = 7
"""Letters of a word in which one vowel may be taken for another, as in "seperate", and in which a
letter too many may be any; in others it is one beside its neighbours on the keyboard."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_ENDINGS = ("'s", "’s", "s", "es", "ing", "ed", "er", "ers", "y", "ly", "less", "like", "ness")
_VOWELS = frozenset("aeiouy")
_SWAPPED, _DOUBLED, _MISSING, _EXTRA, _KEY, _VOWEL = 1.0, 1.0, 0.9, 0.8, 0.8, 0.5
"""How likely each slip is, compared with the others."""
_HALF = 8_000
"""The rank at which a word is half as likely to be meant as the most usual ones."""


def _neighbours() -> dict[str, str]:
    """Each key, and those beside it on an English keyboard."""
    rows = (("qwertyuiop", 0.0), ("asdfghjkl", 0.25), ("zxcvbnm", 0.75))
    places = {
        key: (column + shift, row)
        for row, (keys, shift) in enumerate(rows)
        for column, key in enumerate(keys)
    }
    return {
        key: "".join(
            other
            for other, (u, v) in places.items()
            if other != key and (x - u) ** 2 + (y - v) ** 2 < 1.7
        )
        for key, (x, y) in places.items()
    }


_BESIDE = _neighbours()


class Spelling:
    """The words that a text encoder knows."""

    def __init__(self, rank: Callable[[str], int | None]) -> None:
        """Takes a vocabulary.

        Args:
            rank: The place of a word in lower case, lower for usual words; none if it is unknown.
        """
        self._rank = rank

    def corrected(self, text: str) -> str:
        """The text with known words in place of probable errors; empty if there are none.

        Words with a capital letter are names, unless the text begins with them.
        """

        def offer(match: re.Match[str]) -> str:
            word = match[0]
            if word != word.lower() and (match.start() or word != word.capitalize()):
                return word
            known = self.offer(word.lower())
            return (known.capitalize() if word != word.lower() else known) or word

        offered = _WORD.sub(offer, text)
        return "" if offered == text else offered

    def offer(self, word: str) -> str:
        """The known word that was probably meant, in lower case; empty if ``word`` may be right."""
        if not (SHORTEST <= len(word) <= LONGEST and word.isascii() and word.isalpha()):
            return ""
        if self.knows(word):
            return ""
        rarest = _RAREST_FOR_SHORT if len(word) <= 5 else _RAREST
        best, most = "", 0.0
        for candidate, chance in _slips(word):
            rank = self._rank(candidate)
            if rank is not None and rank <= rarest and len(candidate) >= SHORTEST:
                likely = chance / (1 + rank / _HALF)
                if likely > most:
                    best, most = candidate, likely
        return best

    def knows(self, word: str) -> bool:
        """Whether a word in lower case, its stem, or both parts of a compound are known."""
        if self._listed(word) or (word.endswith("ies") and self._listed(f"{word[:-3]}y")):
            return True
        for ending in _ENDINGS:
            stem = word.removesuffix(ending)
            if stem != word and len(stem) >= 3 and self._is_stem(stem):
                return True
        return any(
            self._is_part(word[:end]) and self._is_part(word[end:])
            for end in range(3, len(word) - 3)
        )

    def _is_stem(self, stem: str) -> bool:
        single = stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] else stem  # "running"
        return any(map(self._listed, (stem, f"{stem}e", single)))

    def _is_part(self, part: str) -> bool:
        rank = self._rank(part)
        return rank is not None and rank < _RAREST_PART

    def _listed(self, word: str) -> bool:
        return self._rank(word) is not None


def _slips(word: str) -> Iterator[tuple[str, float]]:
    """Every text that is one slip away from a word, and how likely that slip is.

    The first letter is right, unless it was swapped with the second.
    """
    for at in range(len(word) - 1):
        if word[at] != word[at + 1]:
            yield word[:at] + word[at + 1] + word[at] + word[at + 2 :], _SWAPPED
    if len(word) == SHORTEST:
        return
    for at in range(1, len(word)):
        before, letter, rest = word[:at], word[at], word[at + 1 :]
        if letter == before[-1]:
            yield before + rest, _DOUBLED
        elif len(word) >= _LONG or letter in _BESIDE[before[-1]] + _BESIDE.get(rest[:1], ""):
            yield before + rest, _EXTRA
        for key in _BESIDE[letter]:
            yield before + key + rest, _KEY
        if len(word) >= _LONG and letter in _VOWELS:
            for vowel in _VOWELS - {letter}:
                yield before + vowel + rest, _VOWEL
    for at in range(1, len(word) + 1):
        for letter in ascii_lowercase:
            doubled = letter in word[at - 1 : at + 1]
            yield word[:at] + letter + word[at:], _DOUBLED if doubled else _MISSING
