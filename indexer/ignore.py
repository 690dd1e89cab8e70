"""Ignore files: which files and folders to leave out.

Lines have the meaning they have in git (https://git-scm.com/docs/gitignore and its wildmatch.c),
except that ``?`` and ``[...]`` match a character where git matches a byte. As in git, every name is
checked on the way down. Packages that match the whole path at once differ from git if a pattern
distinguishes a folder from its contents, as ``*`` with ``!*/`` does.
"""

import errno
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pixquery.engine.photos import open_file

IGNORE_FILE = ".pixqueryignore"
"""Lists in the syntax of ``.gitignore`` what to leave out in its folder and below."""

MAX_BYTES = 16 * 2**20
"""Larger ignore files are refused."""
_LONGEST_LINE = 32_768
"""No system has longer paths."""
_MOST_WILD, _LEAST_WILD = 200_000, 20
"""Characters in all lines with several wildcards, and for how many each counts at least: these
lines are compiled and tried one by one, while all others are looked up."""

_CLASSES = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "blank": " \\t", "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~",
    "punct": "!-/:-@\\[-`{-~", "space": " \\t-\\r", "upper": "A-Z", "xdigit": "0-9a-fA-F",
}  # fmt: skip
_NEVER = "(?!)"
_STAR, _FOLDERS, _REST = "*", "**/", "**"
"""In a list of parts: some letters of a name, some folders, whatever follows."""
_SPECIAL = re.compile(r"[*?\[\\]").search
_PLAIN = re.compile(r"[^\s#!*?\[\\/](?:[^*?\[\\/]*[^\s*?\[\\/])?").fullmatch
"""Of a line that is nothing but a name, as most lines of very long files are."""


class Line(NamedTuple):
    """One line of an ignore file."""

    pattern: str
    """Without what the other fields say."""
    below: bool
    """The pattern matches the path below the file's folder; otherwise the last name only."""
    ignore: bool
    folders_only: bool

    def expression(self) -> re.Pattern[str]:
        """A regular expression that matches what the pattern matches, in linear time per star."""
        parts = list(_parts(self.pattern, below=self.below))
        return re.compile(_assembled(parts), re.DOTALL)


@dataclass(slots=True)
class _Table:
    """Plain patterns, each with the number of its last line, for names or for paths."""

    whole: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    """The names that end so: ``*.jpg``."""
    starts: dict[str, int] = field(default_factory=dict)
    """The names that start so: ``IMG_*``."""
    end_lengths: set[int] = field(default_factory=set)
    start_lengths: set[int] = field(default_factory=set)

    def add(self, pattern: str, number: int) -> bool:
        """Whether the pattern is plain, and was added."""
        if _SPECIAL(pattern) is None:
            self.whole[pattern] = number
        elif pattern[0] == "*" and _SPECIAL(pattern, 1) is None:
            self.ends[pattern[1:]] = number
            self.end_lengths.add(len(pattern) - 1)
        elif pattern[-1] == "*" and _SPECIAL(pattern[:-1]) is None:
            self.starts[pattern[:-1]] = number
            self.start_lengths.add(len(pattern) - 1)
        else:
            return False
        return True

    def last(self, name: str) -> int:
        """The number of the last line that matches; -1 if none does."""
        number = self.whole.get(name, -1)
        length = len(name)
        for size in self.end_lengths:
            if size <= length:
                number = max(number, self.ends.get(name[length - size :], -1))
        for size in self.start_lengths:
            if size <= length:
                number = max(number, self.starts.get(name[:size], -1))
        return number


class _Wild(NamedTuple):
    number: int
    matches: re.Pattern[str]
    below: bool
    folders_only: bool


class _Lines:
    """The lines of an ignore file, numbered; the last matching line decides."""

    __slots__ = ("_ignore", "_names", "_paths", "_wild")

    def __init__(self, lines: Iterable[str]) -> None:
        """Reads lines without their ends.

        Raises:
            OSError: There are more wildcards than can be matched in reasonable time.
        """
        self._ignore = bytearray()
        self._names = _Table(), _Table()  # for all, for folders only
        self._paths: tuple[dict[str, int], dict[str, int]] = {}, {}
        wild: dict[Line, int] = {}
        named = self._names[0].whole
        for text in lines:
            if _PLAIN(text) is not None:
                named[text] = len(self._ignore)
                self._ignore.append(True)
                continue
            line = parsed(text)
            if line is None:
                continue
            if len(line.pattern) > _LONGEST_LINE:
                raise OSError(errno.EFBIG, f"a line is longer than {_LONGEST_LINE:,} characters")
            number = len(self._ignore)
            self._ignore.append(line.ignore)
            if line.below:
                plain = _SPECIAL(line.pattern) is None
                if plain:
                    self._paths[line.folders_only][line.pattern] = number
            else:
                plain = self._names[line.folders_only].add(line.pattern, number)
            if not plain:
                wild[line] = number
        if sum(max(_LEAST_WILD, len(line.pattern)) for line in wild) > _MOST_WILD:
            raise OSError(errno.EFBIG, "too many lines with wildcards")
        self._wild = [
            _Wild(number, line.expression(), line.below, line.folders_only)
            for line, number in sorted(wild.items(), key=lambda item: -item[1])
        ]

    def verdict(self, below: str, *, folder: bool) -> bool | None:
        """Whether to leave out a path below the file's folder; None if no line matches."""
        name = below.rpartition("/")[2]
        number = max(self._names[0].last(name), self._paths[0].get(below, -1))
        if folder:
            number = max(number, self._names[1].last(name), self._paths[1].get(below, -1))
        for wild in self._wild:
            if wild.number < number:
                break
            if wild.folders_only and not folder:
                continue
            if wild.matches.fullmatch(below if wild.below else name):
                number = wild.number
                break
        return None if number < 0 else bool(self._ignore[number])


@dataclass(frozen=True, slots=True)
class Rules:
    """One ignore file, and those of the folders around it.

    The last matching line decides, in the innermost file that has one. The caller must not look
    into an ignored folder.
    """

    start: int
    """Where in a path the part below the file's folder begins."""
    lines: _Lines
    outer: "Rules | None"

    @classmethod
    def read(cls, folder: str, outer: "Rules | None" = None) -> "Rules":
        """Reads a folder's ignore file.

        Raises:
            OSError: It cannot be read, or is not what an ignore file can be.
        """
        with open_file(Path(folder, IGNORE_FILE)) as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise OSError(errno.EFBIG, f"larger than {MAX_BYTES // 2**20} MB")
        if b"\0" in content:  # as some editors save it; no line would match anything
            raise OSError(errno.EINVAL, "not a text in UTF-8")
        texts = os.fsdecode(content.removeprefix(b"\xef\xbb\xbf")).split("\n")
        start = len(os.path.join(folder, ""))
        return cls(start, _Lines(text.removesuffix("\r") for text in texts), outer)

    def ignore(self, path: str, *, folder: bool) -> bool:
        """Whether to leave out a file or folder."""
        verdict = self.lines.verdict(path[self.start :].replace(os.sep, "/"), folder=folder)
        if verdict is not None:
            return verdict
        return self.outer is not None and self.outer.ignore(path, folder=folder)


def parsed(text: str) -> Line | None:
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
    if pattern.startswith("**/") and "/" not in pattern[3:] and pattern[3:].strip("*"):
        pattern = pattern[3:]  # a name in any folder
    below = "/" in pattern
    return Line(pattern.removeprefix("/"), below, ignore, folders_only)


def _is_escaped(text: str, at: int) -> bool:
    before = text[:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _parts(pattern: str, *, below: bool) -> Iterator[str]:
    """The pattern in parts: stars, slashes, and expressions that match one letter each."""
    at = 0
    while at < len(pattern):
        begin, letter = at, pattern[at]
        at += 1
        if letter == "*":
            while pattern[at : at + 1] == "*":
                at += 1
            # Between slashes, or at an end. Git compares the letters before the first wildcard
            # separately, so that what comes after them is a beginning, too.
            alone = pattern[begin - 1 : begin] == "/" or _SPECIAL(pattern[:begin]) is None
            if not below or at == begin + 1 or not alone:
                yield _STAR
            elif at == len(pattern):
                yield _REST
            elif pattern[at] == "/":
                yield _FOLDERS
                at += 1
            else:
                yield _STAR
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


def _assembled(parts: list[str]) -> str:
    """A regular expression that never tries a star twice.

    All parts but stars match one letter each. So where a star is followed by more, the nearest
    place where that matches is as good as any further one, up to the next star; and a name's last
    star leaves just as many letters as follow it. The same is true of ``**/`` and whole names.
    """
    first, *blocks = _split(parts, _FOLDERS)
    expression = _names(first)
    for block in blocks[:-1]:
        expression += f"(?>(?:[^/]*/)*?{_names(block)})"
    if blocks:
        end = "" if _REST in blocks[-1] else r"\Z"
        expression += f"(?>(?:[^/]*/)*?{_names(blocks[-1])}{end})"
    return expression


def _names(parts: list[str]) -> str:
    """An expression for names with slashes between them."""
    return "/".join(map(_name, _split(parts, "/")))


def _name(parts: list[str]) -> str:
    if parts[-1:] == [_REST]:
        return "".join(parts[:-1]) + ".*"
    first, *others = map("".join, _split(parts, _STAR))
    middle = "".join(f"(?>[^/]*?{letters})" for letters in others[:-1])
    last = f"(?>[^/]*{others[-1]}(?=/|\\Z))" if others else ""
    return first + middle + last


def _split(parts: Iterable[str], at: str) -> list[list[str]]:
    pieces: list[list[str]] = [[]]
    for part in parts:
        if part == at:
            pieces.append([])
        else:
            pieces[-1].append(part)
    return pieces


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
