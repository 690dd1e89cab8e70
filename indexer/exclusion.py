"""``--exclude``: what to leave out of one run, however the user wrote it."""

import os
import posixpath
import re
import sys
from collections.abc import Iterable, Sequence
from fnmatch import translate
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

from pixquery.engine.home import expanded
from pixquery.indexer.ignore import Line, parsed

_FOLDS = sys.platform in ("win32", "darwin")
"""Whether names that differ in case only usually name one file."""


class _Pattern(NamedTuple):
    text: str
    """As the user wrote it."""
    ignore: bool
    lines: tuple[tuple[Line, re.Pattern[str]], ...]
    """What it means as a line of an ignore file in the root, or as a path into the root."""
    glob: re.Pattern[str] | None
    """What it means to :mod:`fnmatch`, of a name or of a path below the root."""
    paths: frozenset[str]
    """The files and folders below the root that it names, seen from the current folder."""
    all: bool
    """It names the root, or a folder around it."""


class Exclusion:
    """The patterns of ``--exclude`` in one root.

    A pattern means what a line of an ignore file in the root means, and the last that matches
    decides. It also matches as a glob whose ``*`` spans folders, and as a path, absolute or seen
    from the current folder, under any name of its folders: what somebody wants to keep out must
    not get in for a way of writing it.
    """

    def __init__(self, patterns: Sequence[str], root: Path) -> None:
        self.met: set[str] = set()
        """The patterns that matched something."""
        self._start = len(os.path.join(root, ""))
        names = [str(root), os.path.realpath(root)]
        self._patterns = [_pattern(text, names) for text in patterns]
        self.met.update(one.text for one in self._patterns if one.all or one.paths)

    def leaves_out(self, path: str, *, folder: bool) -> bool:
        """Whether to leave out a file or folder; the caller must not look into such a folder."""
        below = path[self._start :]
        normal = os.path.normcase(below)
        normal_name = normal.rpartition(os.sep)[2]
        below = _as_pattern(below)
        name = below.rpartition("/")[2]
        left_out = False
        for one in self._patterns:
            if (
                one.all
                or (one.glob and (one.glob.match(normal) or one.glob.match(normal_name)))
                or below in one.paths
                or any(
                    expression.fullmatch(below if line.below else name)
                    for line, expression in one.lines
                    if folder or not line.folders_only
                )
            ):
                self.met.add(one.text)
                left_out = one.ignore
        return left_out


def _pattern(text: str, roots: Sequence[str]) -> _Pattern:
    negated = text.startswith("!")
    if negated:  # brings back what earlier patterns leave out: no more than it says
        lines = _compiled([text])
        return _Pattern(text, ignore=False, lines=lines, glob=None, paths=frozenset(), all=False)
    written: list[str] = []
    paths: set[str] = set()
    everything = False
    for form in dict.fromkeys([text, normalize("NFC", text), normalize("NFD", text)]):
        written.append(_below_root(form))
        absolute = os.path.abspath(expanded(form))
        real = os.path.realpath(absolute)
        slash = "/" if _as_pattern(form).endswith("/") else ""
        is_path = form.startswith("~") or "/" in _as_pattern(form).rstrip("/")
        for root in roots:
            inner = _relative(absolute, root)
            if inner:
                written.append(f"/{_as_pattern(inner)}{slash}")
            everything |= is_path and (_contains(absolute, root) or _contains(real, root))
        if os.path.lexists(absolute):
            folder, name = os.path.split(absolute)
            there = os.path.join(os.path.realpath(folder), name)
            inners = [_relative(path, roots[-1]) for path in (there, *([real] * is_path))]
            paths.update(_as_pattern(inner) for inner in inners if inner)
    glob = re.compile(translate(os.path.normcase(text)))
    return _Pattern(
        text,
        ignore=True,
        lines=_compiled(written),
        glob=glob,
        paths=frozenset(paths),
        all=everything,
    )


def _compiled(lines: Iterable[str]) -> tuple[tuple[Line, re.Pattern[str]], ...]:
    parsed_lines = dict.fromkeys(filter(None, map(parsed, lines)))
    return tuple((line, line.expression()) for line in parsed_lines)


def _below_root(text: str) -> str:
    """A pattern as a line of an ignore file in the root."""
    pattern = _as_pattern(text)
    anchor = "/" if pattern.startswith(("/", "./")) else ""
    slash = "/" if pattern.endswith(("/", "/.")) else ""
    inner = posixpath.normpath(pattern.lstrip("/"))
    if inner in (".", "..") or inner.startswith("../"):
        return ""
    line = f"{anchor}{inner}{slash}"
    return f"\\{line}" if line.startswith("#") else line


def _relative(path: str, root: str) -> str:
    """A path below the root, from there; otherwise empty."""
    start = os.path.join(root, "")
    return path[len(start) :] if path.startswith(start) else ""


def _contains(folder: str, root: str) -> bool:
    """Whether a path names a root or a folder around it; ``/a`` always means one in the root."""
    if len(Path(folder).parents) < 2:
        return False
    return root == folder or root.startswith(os.path.join(folder, ""))


def _as_pattern(path: str) -> str:
    """With slashes between folders, and in one case where case makes no difference."""
    if os.sep != "/":
        path = path.replace(os.sep, "/")
    return path.lower() if _FOLDS else path
