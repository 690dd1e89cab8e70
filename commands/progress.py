"""The progress bar."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from pixquery.commands.printing import console
from pixquery.commands.streams import guarded
from pixquery.engine.legible import legible


class Show(Protocol):
    """Updates the bar."""

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Shows ``done`` of ``total``; ``what`` names the task if it is a new one."""


def _nothing(done: int, total: int, what: str = "") -> None:
    pass


@contextmanager
def progress_bar(what: str, unit: str) -> Iterator[Show]:
    """Shows rate and time left on stderr, or nothing if stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield _nothing
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
        task = bar.add_task(what, total=None, rate="")

        named = what

        def show(done: int, total: int, what: str = "") -> None:
            nonlocal named
            if what and what != named:  # each task has a rate of its own
                named = what
                bar.reset(task, description=legible(what), total=None, rate="")
            speed = bar.tasks[0].speed if unit else None
            bar.update(
                task,
                completed=done,
                total=total or None,
                rate=f"{speed:,.0f} {unit}/s" if speed else "",
            )

        yield show


@contextmanager
def _guarded() -> Iterator[None]:
    """Guards the streams that rich puts before the terminal's, to print above the bar."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(guarded, before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
