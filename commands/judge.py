"""`judge`: asks how well photos fit a description, and keeps the answers for `train`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixquery.commands.hits import open_photo, pictures_shown
from pixquery.commands.keys import QUIT, next_key, single_keys
from pixquery.commands.loading import one_thread_for_small_sums, writing
from pixquery.commands.options import shared, why_no_photos
from pixquery.commands.printing import near, print_json, say, shown, tell
from pixquery.db.errors import MissingExtra, NothingFound, NoViewer
from pixquery.db.quoting import library_option
from pixquery.engine.legible import counted, legible

if TYPE_CHECKING:
    from pixquery.engine.judging import Pair
    from pixquery.engine.library import Library
    from pixquery.engine.ratings_file import Judgement, RatingsFile

_SKIP, _UNDO, _QUIT, _OPEN = "skip", "undo", "quit", "open"
_ANSWERS = ("yes", "partly", "no", _SKIP, _UNDO, _OPEN, _QUIT)
_KEYS = "[y]es  [p]artly  [n]o   [s]kip  [u]ndo  [o]pen  [q]uit"


@click.command(
    epilog="""Examples:

\b
pixquery judge "a dog on grass"
pixquery judge
pixquery judge --undo
pixquery judge --export my-judgements.csv"""
)
@click.argument("text", required=False)
@click.option("-n", "--count", type=click.IntRange(1), metavar="N",
              help="Stop after N photos.")  # fmt: skip
@click.option("--pictures/--no-pictures", default=None,
              help="Show pictures in the terminal; the default where it can.")  # fmt: skip
@click.option("--open", "opens", is_flag=True, help="Open each photo in the system's viewer.")
@click.option("--worker", default="", metavar="NAME",
              help="Who judges; by default the user of this computer.")  # fmt: skip
@click.option("--undo", is_flag=True, help="Take your last judgement back, and ask nothing.")
@click.option("--export", metavar="FILE.csv", type=click.Path(path_type=Path, dir_okay=False),
              help="Write the judgements that count to FILE.csv, and ask nothing.")  # fmt: skip
@shared
def judge(
    text: str | None,
    count: int | None,
    undo: bool,
    export: Path | None,
    library: Path,
    as_json: bool,
    **how: Any,
) -> None:
    """Judge how well photos fit a description.

    Shows photos one by one and asks whether TEXT describes them: press y (yes), p (partly) or n
    (no); s skips, u takes the last answer back, q stops. Without TEXT, pixquery chooses
    descriptions. Most photos are ones that it is uncertain about.

    Each answer is appended to ratings.csv in the library's folder at once. `pixquery train` learns
    from them; 50 are a start. Without a terminal, answers are read from lines: yes, partly, no,
    skip, undo, quit.
    """
    if sum((bool(text), undo, export is not None)) > 1:
        raise click.UsageError("use one of TEXT, --undo and --export at a time")
    one_thread_for_small_sums()
    import numpy  # noqa: F401 - see `engine.library`: deeper, its import takes longer

    from pixquery.engine.library import Library
    from pixquery.engine.ratings_file import RatingsFile, named_worker

    worker = named_worker(how.pop("worker"))
    with Library.open(library) as opened:
        file = RatingsFile(opened.folder)
        given: list[Judgement] = []
        if export is not None:
            _export(file, export)
        elif undo:
            _take_back(file, worker, library)
        else:
            session = _Session(opened, file, worker, _Manner(aside=as_json, **how))
            with session.listening():
                session.run(islice(_pairs(opened, file, worker, text), count))
            given = session.given
        _summarise(file, given, library, as_json=as_json)


def _export(file: RatingsFile, target: Path) -> None:
    content = file.export()
    with writing(target, "--export FILE.csv"):
        target.write_text(content, "utf-8", "surrogateescape", newline="")
    say(f"wrote {counted(content.count(chr(10)) - 1, 'line')} to {target}")


def _take_back(file: RatingsFile, worker: str, library: Path) -> None:
    last = file.undo(worker)
    if last is None:
        raise NothingFound(
            f"there is no judgement of {worker} to take back: judge photos with `pixquery judge"
            f"{library_option(library)}`"
        )
    say(f"took back: {_said(last)}")


def _said(judgement: Judgement) -> str:
    return f"{judgement.rating} for {judgement.text!r}, {near(Path(judgement.image))}"


def _pairs(library: Library, file: RatingsFile, worker: str, text: str | None) -> Iterator[Pair]:
    from pixquery.engine.judging import pairs_for, proposed, text_to_judge

    if not len(library):
        raise NothingFound(why_no_photos(0, library.folder))
    given = [one for one in file.read().counting if one.worker == worker]
    if text is None:
        return proposed(library, given)
    meant = text_to_judge(library, text)
    if meant != text:
        say(f"judging photos for: {meant}")
    return pairs_for(library, meant, given)


@dataclass(frozen=True, slots=True)
class _Manner:
    """How photos are shown."""

    pictures: bool | None
    """None: where the terminal can."""
    opens: bool
    aside: bool
    """Whether stdout is for JSON."""


@dataclass
class _Session:
    """The questions and answers of one run."""

    library: Library
    file: RatingsFile
    worker: str
    manner: _Manner
    given: list[Judgement] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._tell = say if self.manner.aside else tell
        self._keys = sys.stdin.isatty() and sys.stderr.isatty()
        self._until_the_end = ExitStack()
        self._show_picture = self._picture_maker()

    def _picture_maker(self) -> Callable[[Any], None] | None:
        if self.manner.pictures is False:
            return None
        if not (sys.stdin.isatty() and sys.stdout.isatty()) or self.manner.aside:
            if self.manner.pictures:
                raise click.UsageError("--pictures needs a terminal: use --open to see photos")
            return None
        try:
            return self._until_the_end.enter_context(pictures_shown())
        except MissingExtra as missing:
            if self.manner.pictures:
                raise
            say(f"photos are named only, as {missing}; `o` opens one")
            return None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Where keys are answers, if there are any."""
        with self._until_the_end, single_keys() if self._keys else nullcontext():
            yield

    def run(self, pairs: Iterator[Pair]) -> None:
        """Asks about pairs until they end or somebody quits."""
        asked: list[Pair] = []
        back: list[Pair] = []
        """Those that were taken back, and are asked about again."""
        if self._keys:
            say(_KEYS)
        while (pair := back.pop() if back else next(pairs, None)) is not None:
            answer = self._answered(pair, len(self.given) + 1)
            if answer == _QUIT:
                return
            if answer == _UNDO:
                back.append(pair)
                self._take_back(asked, back)
            elif answer != _SKIP:
                said = self.file.add(pair.photo.path, pair.text, answer, self.worker)
                self.given.append(said)
                asked.append(pair)
        if not asked:
            say("there is no photo left to judge here: try another text")

    def _take_back(self, asked: list[Pair], back: list[Pair]) -> None:
        if not self.given:
            say("there is nothing to take back; `pixquery judge --undo` takes back earlier ones")
            return
        last = self.given.pop()
        self.file.withdraw_last(last)
        back.append(asked.pop())
        say(f"took back: {_said(last)}")

    def _answered(self, pair: Pair, number: int) -> str:
        """What is said of a pair."""
        self._tell(f"{number}. {legible(pair.text)}?  {near(pair.photo.path)}")
        if self._show_picture is not None:
            self._show_picture(pair.photo)
        if self.manner.opens:
            self._open(pair)
        while True:
            answer = self._key() if self._keys else self._line()
            if answer == _OPEN:
                self._open(pair)
            elif answer:
                return answer

    @staticmethod
    def _open(pair: Pair) -> None:
        try:
            open_photo(pair.photo.path)
        except (NoViewer, OSError) as error:
            say(str(error))

    @staticmethod
    def _key() -> str:
        """The answer of a key; empty if it has none."""
        if (key := next_key()) == QUIT:
            return _QUIT
        answer = next((one for one in _ANSWERS if one[0] == key), "")
        say(answer or f"press one of {', '.join(one[0] for one in _ANSWERS)}")
        return answer

    @staticmethod
    def _line() -> str:
        """The answer in a line of input; empty if it has none."""
        line = sys.stdin.readline()
        if not line:
            return _QUIT
        word = line.strip().lower()
        answer = next((one for one in _ANSWERS if word and word in (one, one[0])), "")
        if not answer:
            say(
                f"{shown(Path(word or '(nothing)'))} is no answer: use one of {', '.join(_ANSWERS)}"
            )
        return answer


def _summarise(file: RatingsFile, given: list[Judgement], library: Path, *, as_json: bool) -> None:
    from pixquery.engine.judging import readiness

    judgements = file.read()
    ready = readiness(judgements)
    if as_json:
        print_json(
            {
                "library": str(library),
                "file": str(file.file),
                "given": [asdict(one) for one in given],
                **asdict(ready),
                "worthwhile": ready.worthwhile,
                "unreadable": judgements.unreadable,
            }
        )
        return
    if judgements.unreadable:
        lines = counted(judgements.unreadable, "line")
        say(f"{lines} of {shown(file.file)} cannot be read and do not count")
    tell(
        f"{counted(ready.judgements, 'judgement')} of {counted(ready.photos, 'photo')} for "
        f"{counted(ready.texts, 'text')} in {shown(file.file)}"
    )
    tell(_what_training_would_do(ready, library))


def _what_training_would_do(ready: Any, library: Path) -> str:
    from pixquery.engine.judging import WORTHWHILE

    if ready.lacking:
        return f"`pixquery train` cannot learn from them yet: {ready.lacking}"
    command = f"pixquery train{library_option(library)}"
    if not ready.worthwhile:
        return (
            f"`{command}` would seldom gain from so few: judge {WORTHWHILE - ready.judgements} more"
        )
    return (
        f"`{command}` learns from them how you judge, measures the gain on pairs held out, and "
        "keeps what there is if there is none"
    )
