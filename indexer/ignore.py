"""Ignore files: which names in a folder, and below it, are to be passed over.

Lines mean what they mean to git (https://git-scm.com/docs/gitignore and its wildmatch.c), but that
``?`` and ``[...]`` stand for a character where git takes a byte. Libraries that judge a whole path
at once differ from git where a folder and what lies in it are told apart, as by ``*`` and ``!*/``;
here each name is asked for on the way down, as git does.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

IGNORE_FILE = ".pixqueryignore"
"""Says in gitignore's syntax what to pass over in its folder and below."""

_CLASSES = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "blank": " \\t", "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~",
    "punct": "!-/:-@\\[-`{-~", "space": " \\t-\\r", "upper": "A-Z", "xdigit": "0-9a-fA-F",
}  # fmt: skip
_NEVER = "(?!)"


@dataclass(frozen=True, slots=True)
class _Line:
    matches: re.Pattern[str]
    below: bool
    """The pattern is of the path below the file's folder; else of the last name alone."""
    ignore: bool
    folders_only: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """One ignore file, and those of the folders around it.

    The innermost file that says something of a name decides, in it the last such line. What lies in
    an ignored folder is for the caller not to look at.
    """

    start: int
    """Where the path below the file's folder begins."""
    lines: tuple[_Line, ...]
    """The last one first."""
    outer: "Rules | None"

    @classmethod
    def read(cls, folder: str, outer: "Rules | None" = None) -> "Rules":
        """Reads a folder's ignore file.

        Raises:
            OSError: It cannot be read.
        """
        content = Path(folder, IGNORE_FILE).read_bytes().removeprefix(b"\xef\xbb\xbf")
        lines = [_line(line.removesuffix("\r")) for line in os.fsdecode(content).split("\n")]
        start = len(os.path.join(folder, ""))
        return cls(start, tuple(line for line in reversed(lines) if line), outer)

    def ignore(self, path: str, *, folder: bool) -> bool:
        """Whether a file or folder is to be passed over."""
        below = path[self.start :].replace(os.sep, "/")
        name = below.rpartition("/")[2]
        for line in self.lines:
            if line.folders_only and not folder:
                continue
            if line.matches.fullmatch(below if line.below else name):
                return line.ignore
        return self.outer is not None and self.outer.ignore(path, folder=folder)


def _line(text: str) -> _Line | None:
    """What a line means; None when it says nothing."""
    if text.startswith("#"):
        return None
    while text.endswith(" ") and not _is_escaped(text, len(text) - 1):
        text = text[:-1]
    ignore = not text.startswith("!")
    pattern = text.removeprefix("!")
    folders_only = pattern.endswith("/")
    pattern = pattern.removesuffix("/")
    if not pattern:
        return None
    below = "/" in pattern
    expression = "".join(_parts(pattern.removeprefix("/"), below=below))
    return _Line(re.compile(expression, re.DOTALL), below, ignore, folders_only)


def _is_escaped(text: str, place: int) -> bool:
    before = text[:place]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _parts(pattern: str, *, below: bool) -> Iterator[str]:
    """The pattern as a regular expression, piece by piece."""
    place = 0
    while place < len(pattern):
        begin, letter = place, pattern[place]
        place += 1
        if letter == "*":
            while pattern[place : place + 1] == "*":
                place += 1
            alone = pattern[begin - 1 : begin] in ("", "/")  # between slashes, or at an end
            if not below or place == begin + 1 or not alone:
                yield "[^/]*"
            elif place == len(pattern):
                yield ".*"
            elif pattern[place] == "/":
                yield "(?:.*/)?"
                place += 1
            else:
                yield "[^/]*"
        elif letter == "?":
            yield "[^/]"
        elif letter == "[":
            found = _set(pattern, place)
            if found is None:
                yield _NEVER
                return
            yield found[0]
            place = found[1]
        elif letter == "\\":
            yield re.escape(pattern[place]) if place < len(pattern) else _NEVER
            place += 1
        else:
            yield re.escape(letter)


def _set(pattern: str, place: int) -> tuple[str, int] | None:
    """A set of characters as a regular expression, and where it ends; None when it does not."""
    negated = pattern[place : place + 1] in ("!", "^")
    place += negated
    inner, first = "", place
    low = ""
    """The last single character, from which a range may go on."""
    while True:
        letter = pattern[place : place + 1]
        if not letter:
            return None
        if letter == "]" and place > first:
            break
        if letter == "[" and (named := re.compile(r"\[:([^\]]*):\]").match(pattern, place)):
            if named[1] not in _CLASSES:
                return None
            inner, low, place = inner + _CLASSES[named[1]], "", named.end()
            continue
        is_range = letter == "-" and low and pattern[place + 1 : place + 2] not in ("", "]")
        place += bool(is_range)
        letter, place = _letter(pattern, place)
        if not letter:
            return None
        if is_range:
            inner += f"{re.escape(low)}-{re.escape(letter)}" if low <= letter else ""
            low = ""
        else:
            inner, low = inner + re.escape(letter), letter
    if not inner:
        return ("[^/]" if negated else _NEVER), place + 1
    return f"(?!/)[{'^' if negated else ''}{inner}]", place + 1


def _letter(pattern: str, place: int) -> tuple[str, int]:
    """The character that stands there, perhaps behind a backslash, and the place after it."""
    if pattern[place] == "\\":
        place += 1
    return pattern[place : place + 1], place + 1
