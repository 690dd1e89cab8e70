"""The terms of a text, by which words are found however they are written."""

import re
import unicodedata

# Ideographs and kana are written without spaces between words, so each is a term.
_TERM = re.compile(
    "[\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
    r"|(?:(?![\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff])[^\\W_])+"
)


def terms(text: str) -> list[str]:
    """The words and numbers of a text, in order, without case and accents.

    "Café-Bar 7½" has the terms ``cafe``, ``bar`` and ``71``, ``2``: compatible characters are
    those that Unicode's NFKD takes them for.
    """
    if text.isascii():
        return _TERM.findall(text.lower())
    plain = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return _TERM.findall(letters.casefold())
