"""How names and words are compared: without case, accents and punctuation."""
# ruff: noqa: RUF001 - apostrophes

import re
import unicodedata

_LETTERS = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ŧ": "t",
     "ħ": "h", "-": " ", "–": " ", "/": " ", ".": " ", ",": " ",
     "&": " and "}
)  # fmt: skip
_APOSTROPHES = re.compile("['’‘ʻʼ`´]")
QUOTED = re.compile(r'"[^"]*"|“[^”]*”|„[^“”]*[“”]|«[^»]*»')
"""Words in quotes, which are meant as they stand."""


def folded(name: str) -> str:
    """A name as it is compared: without case, accents, apostrophes and hyphens."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    if not plain.isascii():
        plain = "".join(char for char in plain if not unicodedata.combining(char))
        plain = unicodedata.normalize("NFC", plain).casefold()
    return " ".join(_APOSTROPHES.sub("", plain.translate(_LETTERS)).split())
