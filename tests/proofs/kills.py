"""Runs one command on copies of a library, and kills it at one of its calls to the system."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.proofs.material import Children

KILL = 0
HALF_A_WRITE = -1


class Kills:
    """A command that changes a library.

    Attributes:
        before: The library as each run finds it.
        library: Where a run works on a copy of it.
    """

    def __init__(self, children: Children, library: Path, words: Sequence[str]) -> None:
        """Takes the library away.

        Args:
            children: With the fault library.
            library: The library's folder.
            words: The command, without the library.
        """
        self.library = library
        self.before = library.rename(library.with_name(f"{library.name}-before"))
        self._children = children
        self._words = [*words, "--library", str(library)]
        self._journal = library.with_name(f"{library.name}-journal")

    def run(self, at: int, way: int = KILL) -> int:
        """The exit status of a run that is killed at a call, the first being 1; 0: at none.

        A ``way`` that does not suit the call leaves the run alone.
        """
        shutil.rmtree(self.library, ignore_errors=True)
        shutil.copytree(self.before, self.library)
        fault = {"folder": str(self.library), "at": at, "error": way, "lasting": False}
        if not at:
            fault["journal"] = str(self._journal)
        return self._children.run("command", words=self._words, fault=fault).status

    @property
    def calls(self) -> int:
        """How many calls the run with ``at`` = 0 made."""
        return len(self.journal())

    def journal(self) -> list[str]:
        """The kinds of calls that it made, such as "write"."""
        return [line.split()[0] for line in self._journal.read_text().splitlines()]
