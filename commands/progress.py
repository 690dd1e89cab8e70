"""The progress bar."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Protocol

from pixquery.commands.printing import console
from pixquery.commands.streams import guarded
from pixquery.engine.legible import legible

if TYPE_CHECKING:
    from rich.progress import Progress


class Show(Protocol):
    """Updates the bar."""

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Shows ``done`` of ``total``; ``what`` names the task if it is a new one."""

    def paused(self) -> AbstractContextManager[None]:
        """Takes the bar away for as long as something is asked."""
        ...


class _Silent:
    """No bar."""

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Shows nothing."""

    def paused(self) -> AbstractContextManager[None]:
        """Changes nothing."""
        return nullcontext()


class _Bar:
    """A bar of rich's that is shown already."""

    def __init__(self, bar: Progress, what: str, unit: str) -> None:
        self._bar, self._named, self._unit = bar, what, unit
        self._task = bar.add_task(what, total=None, rate="")

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Updates the bar."""
        if what and what != self._named:  # each task has a rate of its own
            self._named = what
            self._bar.reset(self._task, description=legible(what), total=None, rate="")
        speed = self._bar.tasks[0].speed if self._unit else None
        self._bar.update(
            self._task,
            completed=done,
            total=total or None,
            rate=f"{speed:,.0f} {self._unit}/s" if speed else "",
        )

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stops the bar, and shows it again afterwards."""
        self._bar.stop()
        yield
        self._bar.start()


def print_progress(done: int, total: int) -> None:
    """Prints a line of JSON on stderr, for the program that started this one."""
    with suppress(OSError):
        sys.stderr.write(json.dumps({"done": done, "total": total}) + "\n")
        sys.stderr.flush()


@contextmanager
def progress_bar(what: str, unit: str) -> Iterator[Show]:
    """Shows rate and time left on stderr, or nothing if stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield _Silent()
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console(stderr=True),
        transient=True,
    )
    with bar, _guarded():
        yield _Bar(bar, what, unit)


@contextmanager
def _guarded() -> Iterator[None]:
    """Guards the streams that rich puts before the terminal's, to print above the bar."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(guarded, before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
