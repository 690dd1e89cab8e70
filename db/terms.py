"""The terms of a text, by which words are found however they are written."""

import re
import unicodedata

# Ideographs and kana are written without spaces between words, so each is a term.
_TERM = re.compile(
    "[\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
    r"|(?:(?![\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff])[^\\W_])+"
)
_INITIALS = re.compile(r"(?<![^\W_])(?:[^\W\d_]\.){2,}(?:[^\W\d_](?![^\W_]))?")
"""As in "D.I.Y." or "U.S.A"."""


def terms(text: str) -> list[str]:
    """The words and numbers of a text, in order, without case and accents.

    "Café-Bar D.I.Y. 7½" has the terms ``cafe``, ``bar``, ``diy``, ``71`` and ``2``: compatible
    characters are those that Unicode's NFKD takes them for.
    """
    plain = text.lower()
    if not text.isascii():
        plain = unicodedata.normalize("NFKD", text.casefold())
        plain = "".join(sign for sign in plain if not unicodedata.combining(sign)).casefold()
    if "." in plain:
        plain = _INITIALS.sub(lambda match: match[0].replace(".", ""), plain)
    return _TERM.findall(plain)
