"""The judgements that people give in a library: ``ratings.csv`` in its folder.

A log: lines are only appended, and ``train`` reads the file as it is. The time comes last, so that
a line that was cut off lacks it, and such a line is ignored.
"""

import csv
import errno
import getpass
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pixquery.db.connections import refuse_odd_file
from pixquery.db.errors import BadQuery, StorageFailed
from pixquery.engine.lock import lock_for_moments

RATINGS = "ratings.csv"
COLUMNS = ("image", "text", "rating", "worker", "time")
YES, PARTLY, NO = "yes", "partly", "no"
VERDICTS = {YES: 1.0, PARTLY: 0.5, NO: 0.0}
"""What people say of a photo and a text, and the rating that it is."""
WITHDRAWN = "withdrawn"
"""Takes back the last judgement of the same person on the same photo and text."""
JUDGEMENTS = "judgements"
"""The ``source`` of a profile that was trained on them, in its manifest."""
LONGEST_WORKER = 100
"""Characters of the name of somebody who judges."""

_LOCK = "ratings.lock"
_HEADER = (",".join(COLUMNS) + "\n").encode()
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_MOST_LINES = 50
"""Of one record. Names of files may have line breaks, and hardly ever so many."""
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)

_Pair = tuple[str, str, str]
"""Worker, image and text."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What somebody said of a photo and a text."""

    image: str
    """The photo's path."""
    text: str
    rating: str
    """One of :data:`VERDICTS`."""
    worker: str
    time: str
    """ISO 8601 in UTC, to the second."""


@dataclass(frozen=True, slots=True)
class Judgements:
    """The judgements that count, in the order in which they were given."""

    counting: tuple[Judgement, ...] = ()
    """The last one of each person on each photo and text, unless it was withdrawn."""
    unreadable: int = 0
    """Lines that are no judgement: they were cut off, or edited."""

    @property
    def photos(self) -> int:
        """How many photos were judged."""
        return len({judgement.image for judgement in self.counting})

    @property
    def texts(self) -> int:
        """How many texts photos were judged for."""
        return len({judgement.text for judgement in self.counting})


class RatingsFile:
    """The file of one library. Any number of processes may read and write it at once."""

    def __init__(self, folder: Path, name: str = RATINGS) -> None:
        """Opens nothing.

        Args:
            folder: The library's.
            name: Of the file, if it is a copy.
        """
        self.folder = folder
        self.file = folder / name

    # -- reading --------------------------------------------------------------------------------

    def read(self) -> Judgements:
        """The judgements that count; none if there is no file.

        Raises:
            StorageFailed: The file cannot be read, or is a link.
        """
        return counting(*records(self._content()))

    def _content(self) -> bytes:
        refuse_odd_file(self.file)
        try:
            return self.file.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise StorageFailed(
                f"the judgements in {self.file} cannot be read ({error.strerror}): fix the "
                "permissions of the file, then run the same command again"
            ) from error

    def export(self) -> str:
        """The judgements that count as CSV, which has one line for each.

        What a spreadsheet would take for a formula gets no mark: ``train`` reads the text as it is.
        """
        lines = [",".join(COLUMNS) + "\n"]
        lines += [_line(_cells(judgement)) for judgement in self.read().counting]
        return "".join(lines)

    # -- writing --------------------------------------------------------------------------------

    def add(self, image: Path, text: str, rating: str, worker: str = "") -> Judgement:
        """Appends a judgement, which takes the place of an earlier one on the same pair.

        Args:
            image: The photo's path.
            text: What the photo was judged for; white space is simplified.
            rating: One of :data:`VERDICTS`.
            worker: Who judged; by default, whoever runs this process.

        Raises:
            BadQuery: The text is empty, the rating is none, or the name is too long.
            LibraryLocked: Others have been writing for a minute.
            StorageFailed: The folder is read-only, the disk is full, or the file is a link.
        """
        if rating not in VERDICTS:
            raise BadQuery(f"a judgement is {', '.join(VERDICTS)}, not {rating!r}")
        who = named_worker(worker)
        judgement = Judgement(str(image), judged_text(text), rating, who, _now())
        with self._locked():
            self._append([judgement])
        return judgement

    def withdraw(self, image: Path, text: str, worker: str = "") -> bool:
        """Withdraws all that somebody said of a photo and a text; whether there was anything.

        Raises:
            BadQuery: The text is empty, or the name is too long.
            LibraryLocked: Others have been writing for a minute.
            StorageFailed: The file cannot be read or written.
        """
        pair = named_worker(worker), str(image), judged_text(text)
        with self._locked():
            said = stacks(records(self._content())[0]).get(pair, [])
            self._append([_withdrawing(pair) for _ in said])
        return bool(said)

    def undo(self, worker: str = "") -> Judgement | None:
        """Withdraws the last judgement of somebody that counts, and returns it.

        What they had said of the same photo and text before counts again.

        Raises:
            BadQuery: The name is too long.
            LibraryLocked: Others have been writing for a minute.
            StorageFailed: The file cannot be read or written.
        """
        worker = named_worker(worker)
        with self._locked():
            theirs = [one for one in self.read().counting if one.worker == worker]
            if not theirs:
                return None
            last = theirs[-1]
            self._append([_withdrawing((worker, last.image, last.text))])
        return last

    def withdraw_last(self, judgement: Judgement) -> None:
        """Withdraws a judgement that was just given; what was said before counts again.

        Raises:
            LibraryLocked: Others have been writing for a minute.
            StorageFailed: The file cannot be written.
        """
        with self._locked():
            self._append([_withdrawing((judgement.worker, judgement.image, judgement.text))])

    def _locked(self) -> AbstractContextManager[None]:
        return lock_for_moments(self.folder, _LOCK)

    def _append(self, judgements: Sequence[Judgement]) -> None:
        """Appends lines in one write, all or none of them, after the lock was taken."""
        if not judgements:
            return
        refuse_odd_file(self.file)
        lines = "".join(_line(_cells(judgement)) for judgement in judgements)
        try:
            descriptor = os.open(self.file, _FLAGS, 0o666)
            try:
                _write(descriptor, lines.encode("utf-8", "surrogateescape"))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageFailed(
                f"the judgement cannot be written to {self.file} ({error.strerror}): make room or "
                "fix the permissions, then judge again"
            ) from error


def judged_text(text: str) -> str:
    """A text as it is stored: in one line, and in characters that every file can hold.

    Raises:
        BadQuery: Nothing is left.
    """
    plain = " ".join(text.encode("utf-8", "replace").decode().replace("\0", " ").split())
    if not plain:
        raise BadQuery('a judgement needs a text, for example "a dog on grass"')
    return plain


def named_worker(worker: str) -> str:
    """Who judges; by default the user of this process, so that terminal and gallery agree.

    Raises:
        BadQuery: The name is too long.
    """
    plain = " ".join(worker.encode("utf-8", "replace").decode().replace("\0", " ").split())
    if len(plain) > LONGEST_WORKER:
        raise BadQuery(
            f"the name of a judge has {len(plain):,} characters and may have {LONGEST_WORKER}: "
            "choose a shorter one"
        )
    if plain:
        return plain
    with suppress(OSError, KeyError, ImportError):  # a container may have a user without a name
        return judged_text(getpass.getuser())[:LONGEST_WORKER]
    return "me"


def is_log(file: Path) -> bool:
    """Whether a file of ratings is one that a library keeps."""
    try:
        with file.open("rb") as opened:
            return opened.read(len(_HEADER) + 1).replace(b"\r", b"").startswith(_HEADER)
    except OSError:
        return False


# -- lines --------------------------------------------------------------------------------------


def records(content: bytes) -> tuple[list[Judgement], int]:
    """All that was appended, withdrawals too, and the number of lines that cannot be read.

    A record is a line, or several if the photo's name has line breaks. What follows a line that was
    cut off is found again, even if a quote was left open in it.
    """
    lines = content.decode("utf-8", "surrogateescape").removeprefix("\ufeff").split("\n")
    found: list[Judgement] = []
    unreadable = at = 0
    while at < len(lines):
        line = lines[at].removesuffix("\r")
        if not line or (at == 0 and line == ",".join(COLUMNS)):
            at += 1
            continue
        judgement, count = _first_record(lines[at : at + _MOST_LINES])
        if judgement is None:
            unreadable += 1
        else:
            found.append(judgement)
        at += count
    return found, unreadable


def _first_record(lines: Sequence[str]) -> tuple[Judgement | None, int]:
    """The judgement that begins in the first line, and how many lines it takes."""
    quotes = 0
    for count, line in enumerate(lines, 1):
        quotes += line.count('"')
        if quotes % 2 == 0:  # no quote is open any more
            judgement = _parsed("\n".join(lines[:count]))
            return (judgement, count) if judgement is not None else (None, 1)
    return None, 1


def _parsed(record: str) -> Judgement | None:
    try:
        rows = list(csv.reader([record], strict=True))
    except csv.Error:
        return None
    if len(rows) != 1 or len(rows[0]) != len(COLUMNS):
        return None
    image, text, rating, worker, time = rows[0]
    rating, time = rating.strip().casefold(), time.strip()
    if not (image and text.strip()) or rating not in (*VERDICTS, WITHDRAWN):
        return None
    return Judgement(image, text, rating, worker, time) if _TIME.fullmatch(time) else None


def counting(appended: Sequence[Judgement], unreadable: int) -> Judgements:
    """The judgements that count among all that were appended."""
    order = {id(judgement): place for place, judgement in enumerate(appended)}
    last = [said[-1] for said in stacks(appended).values() if said]
    return Judgements(tuple(sorted(last, key=lambda each: order[id(each)])), unreadable)


def stacks(appended: Iterable[Judgement]) -> dict[_Pair, list[Judgement]]:
    """What each person said of each photo and text and did not withdraw; the last one counts."""
    said: dict[_Pair, list[Judgement]] = {}
    for judgement in appended:
        pair = judgement.worker, judgement.image, judgement.text
        of_pair = said.setdefault(pair, [])
        if judgement.rating != WITHDRAWN:
            of_pair.append(judgement)
        elif of_pair:
            of_pair.pop()
    return said


def _cells(judgement: Judgement) -> Iterator[str]:
    yield from (judgement.image, judgement.text, judgement.rating, judgement.worker, judgement.time)


def _line(cells: Iterable[str]) -> str:
    """A line of CSV. Python's writer leaves some line breaks unquoted, depending on its version."""
    quoted = (
        '"' + cell.replace('"', '""') + '"' if re.search(r'[",\r\n]|^\s|\s$', cell) else cell
        for cell in cells
    )
    return ",".join(quoted) + "\n"


def _withdrawing(pair: _Pair) -> Judgement:
    worker, image, text = pair
    return Judgement(image, text, WITHDRAWN, worker, _now())


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _write(descriptor: int, lines: bytes) -> None:
    """Appends lines that begin on a line of their own, and waits until they are on the disk.

    Raises:
        OSError: They cannot be written; then nothing of them is left.
    """
    size = os.fstat(descriptor).st_size
    content = _beginning(descriptor, size) + lines
    try:
        written = os.write(descriptor, content)
        if written < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, size)
        raise


def _beginning(descriptor: int, size: int) -> bytes:
    """What comes before new lines: a header, or the end of a line that was cut off."""
    if not size:
        return _HEADER
    os.lseek(descriptor, size - 1, os.SEEK_SET)
    if os.read(descriptor, 1) == b"\n":
        return b""
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(os.dup(descriptor), "rb") as opened:
        content = opened.read()
    if len(content) < len(_HEADER) and _HEADER.startswith(content):
        return _HEADER[len(content) :]
    # Other programs would read on to the next quote.
    return b'"\n' if content.count(b'"') % 2 else b"\n"
