"""Trains in a process of its own, so that the server never loads what training needs."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from threading import Lock, Thread
from typing import Any, TextIO

from pixquery.web.refusals import Refusal

_PACKAGES = ("torch", "sklearn", "catboost", "matplotlib", "jinja2", "optuna")
"""Some of those that the extra for training installs."""
_LONGEST_MESSAGE = 1000
_PATIENCE = 10
"""Seconds for a process that was told to end."""

IDLE, RUNNING, DONE, FAILED, CANCELLED = "idle", "running", "done", "failed", "cancelled"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the last training has come."""

    state: str = IDLE
    done: int = 0
    total: int = 0
    """0: it is not known yet."""
    message: str = ""
    """Why it failed."""
    report: dict[str, Any] | None = None
    """What `train` found, once it is done."""
    base: str = ""
    """The profile that the library had when training began."""


class Training:
    """One training at a time."""

    def __init__(self, command: tuple[str, ...] = ("-m", "pixquery")) -> None:
        """Starts nothing.

        Args:
            command: What Python runs for `pixquery`.
        """
        self._command = command
        self._guard = Lock()
        self._process: subprocess.Popen[str] | None = None
        self._follower: Thread | None = None
        self._progress = Progress()

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        return self._progress

    @staticmethod
    def missing() -> str:
        """A package that training needs and that is not installed; empty if none is known."""
        return next((name for name in _PACKAGES if find_spec(name) is None), "")

    def start(self, library: Path, base: str) -> None:
        """Starts to learn from a library's judgements.

        Args:
            library: Its folder.
            base: The profile that it has.

        Raises:
            Refusal: A training is running.
        """
        with self._guard:
            if self._progress.state == RUNNING:
                raise Refusal(409, "training is running: wait until it is done, or cancel it")
            # Not from the current folder, nor from the library's: both may hold any file.
            words = [sys.executable, "-P", *self._command, "train", "--json", "--progress"]
            place = Path(__file__).parents[2]
            known = os.pathsep.join(filter(None, [str(place), os.environ.get("PYTHONPATH", "")]))
            self._process = subprocess.Popen(
                [*words, "--library", str(library)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                env={**os.environ, "PYTHONPATH": known},
            )
            self._progress = Progress(RUNNING, base=base)
            follow = partial(self._follow, self._process)
            self._follower = Thread(target=follow, name="training", daemon=True)
            self._follower.start()

    def cancel(self) -> None:
        """Ends a training that is running; what it has written so far is removed."""
        with self._guard:
            process = self._process
            if process is None or self._progress.state != RUNNING:
                return
            self._progress = replace(self._progress, state=CANCELLED)
        process.terminate()

    def close(self) -> None:
        """Ends a training that is running, and waits for it."""
        self.cancel()
        if self._process is not None and self._follower is not None:
            self._follower.join(_PATIENCE)
            self._process.kill()
            self._follower.join()

    def _follow(self, process: "subprocess.Popen[str]") -> None:
        output: list[str] = []
        reader = Thread(target=_read, args=(process.stdout, output), daemon=True)
        message = ""
        with process:
            reader.start()
            for line in process.stderr or ():
                try:
                    step = json.loads(line)
                    self._note(done=int(step["done"]), total=int(step["total"]))
                except (ValueError, TypeError, KeyError):
                    message = line.strip() or message
            reader.join()
        code = process.returncode
        report = None
        with suppress(ValueError):
            report = json.loads("".join(output))
        if code == 0 and isinstance(report, dict):
            self._note(state=DONE, report=report)
        else:
            why = message.removeprefix("pixquery: ")[:_LONGEST_MESSAGE]
            self._note(state=FAILED, message=why or f"training ended with the code {code}")

    def _note(self, **changes: Any) -> None:
        with self._guard:
            if self._progress.state == RUNNING:
                self._progress = replace(self._progress, **changes)


def _read(stream: TextIO | None, output: list[str]) -> None:
    """Reads all of a stream, so that the process never waits for that."""
    if stream is not None:
        output.append(stream.read())
