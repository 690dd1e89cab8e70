"""A server of child processes for the proofs: each begins in a blink, as all is imported already.

Reads one JSON document a line: ``{"do": NAME, "log": FILE, ...}``. Forks for each, tells
``{"pid": N}``, and when the child has ended ``{"status": N}``: its exit code, or minus the signal
that ended it. What the child prints lies in the log.
"""

import ctypes
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# All that is loaded late otherwise: a user without rights could perhaps not read it any more.
import filelock  # noqa: F401

import pixquery.commands.index
import pixquery.commands.library
import pixquery.commands.query
import pixquery.db.filters
import pixquery.db.salvage
import pixquery.engine.encoders
import pixquery.engine.vectors
import pixquery.indexer.decode
from pixquery import Library, Query
from pixquery.commands.entry import main as command_line
from pixquery.db.errors import LibraryLocked, PixqueryError
from pixquery.indexer.build import Options, index


def main() -> None:
    """Answers until its standard input ends."""
    for line in sys.stdin:
        asked = json.loads(line)
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            _be_child(asked)
        _tell({"pid": pid})
        _, status = os.waitpid(pid, 0)
        _tell({"status": os.waitstatus_to_exitcode(status)})


def _tell(document: dict[str, Any]) -> None:
    print(json.dumps(document), flush=True)


def _be_child(asked: dict[str, Any]) -> None:
    status = 70
    try:
        log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        if asked.get("user"):  # somebody who may read the library and not write it
            os.setgid(asked["user"])
            os.setuid(asked["user"])
        for name, value in asked.get("limits", {}).items():
            setattr(pixquery.engine.vectors, name, value)
        if "fault" in asked:
            _arm(**asked["fault"])
        status = _COMMANDS[asked["do"]](asked)
    except SystemExit as done:
        status = done.code if isinstance(done.code, int) else 1
    except BaseException:  # noqa: BLE001 - told in the log, for whoever reads the proof's report
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _arm(folder: str, at: int, error: int, lasting: bool, journal: str = "") -> None:
    """Arms tests/proofs/faults.c, which this process was started with."""
    handle = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) if journal else -1
    arm = ctypes.CDLL(None).faults_arm
    arm(os.fsencode(folder), ctypes.c_long(at), error, int(lasting), handle)


def _command_line(asked: dict[str, Any]) -> int:
    """A command as a user types it."""
    command_line(asked["words"], prog_name="pixquery")
    return 0


def _index(asked: dict[str, Any]) -> int:
    """Indexes, and writes each acknowledged number of photos to a file."""
    acknowledged = os.open(asked["acknowledged"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def progress(done: int, total: int) -> None:
        os.write(acknowledged, f"{done} {total}\n".encode())

    options = Options(batch_size=asked["batch_size"], jobs=asked.get("jobs", 2), progress=progress)
    with Library.open(asked["library"], create=True, profile=asked["profile"]) as library:
        index(library, [Path(root) for root in asked["roots"]], options)
    return 0


def _answers(asked: dict[str, Any]) -> int:
    """Prints all that a library answers to some words."""
    with Library.open(asked["library"]) as library:
        everything = max(1, len(library))
        found = {
            word: [
                [str(hit.path), hit.similarity, hit.width, hit.height, hit.modified.timestamp()]
                for hit in library.search(Query(word, k=everything, candidates=everything)).hits
            ]
            for word in asked["words"]
        }
    print(json.dumps(found))
    return 0


def _refusing(command: Callable[[dict[str, Any]], int]) -> Callable[[dict[str, Any]], int]:
    """Tells an error that pixquery raises on purpose as the command line does."""

    def run(asked: dict[str, Any]) -> int:
        try:
            return command(asked)
        except PixqueryError as error:
            print(f"pixquery: {error}")
            return 75 if isinstance(error, LibraryLocked) else 1

    return run


_COMMANDS = {"answers": _refusing(_answers), "command": _command_line, "index": _refusing(_index)}

if __name__ == "__main__":
    main()
