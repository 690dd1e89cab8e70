"""Ignore files: which files and folders to leave out.

Lines have the meaning they have in git (https://git-scm.com/docs/gitignore and its wildmatch.c),
except that ``?`` and ``[...]`` match a character where git matches a byte. As in git, every name is
checked on the way down. Packages that match the whole path at once differ from git if a pattern
distinguishes a folder from its contents, as ``*`` with ``!*/`` does.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

IGNORE_FILE = ".pixqueryignore"
"""Lists in the syntax of ``.gitignore`` what to leave out in its folder and below."""

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
    """The pattern matches the path below the file's folder; otherwise the last name only."""
    ignore: bool
    folders_only: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """One ignore file, and those of the folders around it.

    The last matching line decides, in the innermost file that has one. The caller must not look
    into an ignored folder.
    """

    start: int
    """Where in a path the part below the file's folder begins."""
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
        """Whether to leave out a file or folder."""
        below = path[self.start :].replace(os.sep, "/")
        name = below.rpartition("/")[2]
        for line in self.lines:
            if line.folders_only and not folder:
                continue
            if line.matches.fullmatch(below if line.below else name):
                return line.ignore
        return self.outer is not None and self.outer.ignore(path, folder=folder)


def _line(text: str) -> _Line | None:
    """The meaning of a line; None if it is empty or a comment."""
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


def _is_escaped(text: str, at: int) -> bool:
    before = text[:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _parts(pattern: str, *, below: bool) -> Iterator[str]:
    """The pattern as a regular expression, piece by piece."""
    at = 0
    while at < len(pattern):
        begin, letter = at, pattern[at]
        at += 1
        if letter == "*":
            while pattern[at : at + 1] == "*":
                at += 1
            alone = pattern[begin - 1 : begin] in ("", "/")  # between slashes, or at an end
            if not below or at == begin + 1 or not alone:
                yield "[^/]*"
            elif at == len(pattern):
                yield ".*"
            elif pattern[at] == "/":
                yield "(?:.*/)?"
                at += 1
            else:
                yield "[^/]*"
        elif letter == "?":
            yield "[^/]"
        elif letter == "[":
            closed = _set(pattern, at)
            if closed is None:
                yield _NEVER
                return
            yield closed[0]
            at = closed[1]
        elif letter == "\\":
            yield re.escape(pattern[at]) if at < len(pattern) else _NEVER
            at += 1
        else:
            yield re.escape(letter)


def _set(pattern: str, at: int) -> tuple[str, int] | None:
    """A set of characters as a regular expression, and its end; None if it is not closed."""
    negated = pattern[at : at + 1] in ("!", "^")
    at += negated
    inner, first = "", at
    low = ""
    """The last single character, with which a range may begin."""
    while True:
        letter = pattern[at : at + 1]
        if not letter:
            return None
        if letter == "]" and at > first:
            break
        if letter == "[" and (named := re.compile(r"\[:([^\]]*):\]").match(pattern, at)):
            if named[1] not in _CLASSES:
                return None
            inner, low, at = inner + _CLASSES[named[1]], "", named.end()
            continue
        is_range = letter == "-" and low and pattern[at + 1 : at + 2] not in ("", "]")
        at += bool(is_range)
        letter, at = _letter(pattern, at)
        if not letter:
            return None
        if is_range:
            inner += f"{re.escape(low)}-{re.escape(letter)}" if low <= letter else ""
            low = ""
        else:
            inner, low = inner + re.escape(letter), letter
    if not inner:
        return ("[^/]" if negated else _NEVER), at + 1
    return f"(?!/)[{'^' if negated else ''}{inner}]", at + 1


def _letter(pattern: str, at: int) -> tuple[str, int]:
    """The next character, without its backslash, and the offset after it."""
    if pattern[at] == "\\":
        at += 1
    return pattern[at : at + 1], at + 1
