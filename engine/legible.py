"""Names and numbers as people read them: one line of text that disturbs nothing around it."""

import unicodedata
from pathlib import PurePath

_KEPT = "\u200c\u200d"
"""Invisible joiners, which Persian, Indian scripts and emoji need."""


def legible(text: str | PurePath) -> str:
    """Text or a path with everything escaped that could disturb a terminal, page or message.

    These are control characters, line breaks, marks that turn the writing direction, and the bytes
    of a file's name that are not valid Unicode.
    """
    return _escaped(str(text), _KEPT)


def legible_lines(text: str) -> str:
    """The same for text of several lines or columns: line breaks and tabs stay."""
    return _escaped(text, _KEPT + "\n\t")


def _escaped(text: str, kept: str) -> str:
    if text.isprintable():
        return text
    valid = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(
        c if _harmless(c) or c in kept else c.encode("unicode_escape").decode() for c in valid
    )


def _harmless(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def counted(count: int, noun: str) -> str:
    """``1 photo``, ``2,000 photos``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def named(error: BaseException) -> str:
    """The type and the message of an error that nobody expected, in one short line."""
    if isinstance(error, MemoryError):
        return "there was not enough memory (MemoryError)"
    kind = type(error).__name__
    lines = [line for line in map(str.strip, str(error).splitlines()) if line]
    return legible(f"{kind}: {lines[0]}"[:_LONGEST]) if lines else kind


_LONGEST = 200
"""Characters of an error's message."""
