"""The progress bar."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


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
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(what, total=None, rate="")

        named = what

        def show(done: int, total: int, what: str = "") -> None:
            nonlocal named
            if what and what != named:  # each task has a rate of its own
                named = what
                bar.reset(task, description=what, total=None, rate="")
            speed = bar.tasks[0].speed if unit else None
            bar.update(
                task,
                completed=done,
                total=total or None,
                rate=f"{speed:,.0f} {unit}/s" if speed else "",
            )

        yield show
