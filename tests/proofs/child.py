"""Starts child processes for the proofs by forking, so that each begins with everything imported.

Reads one JSON document per line, ``{"do": NAME, "log": FILE, ...}``, and forks for each. Answers
``{"pid": N}``, and ``{"status": N}`` when the child has ended: its exit code, or minus the signal
that ended it. The child's output is in the log. ``tests.proofs.material.Children`` starts this.
"""

import ctypes
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Whatever is imported late otherwise: a user without rights may be unable to read it later.
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
from pixquery.engine.runtime import openvino
from pixquery.indexer.build import Options, index

openvino()


def main() -> None:
    """Answers until its standard input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            _be_child(request)
        _reply({"pid": pid})
        _, status = os.waitpid(pid, 0)
        _reply({"status": os.waitstatus_to_exitcode(status)})


def _reply(document: dict[str, Any]) -> None:
    print(json.dumps(document), flush=True)


def _be_child(request: dict[str, Any]) -> None:
    status = 70
    try:
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        if request.get("user"):  # one who may read the library but not write it
            os.setgid(request["user"])
            os.setuid(request["user"])
        for name, value in request.get("limits", {}).items():
            setattr(pixquery.engine.vectors, name, value)
        if "fault" in request:
            _arm(**request["fault"])
        status = _COMMANDS[request["do"]](request)
    except SystemExit as done:
        status = done.code if isinstance(done.code, int) else 1
    except BaseException:  # noqa: BLE001 - goes to the log
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


def _command_line(request: dict[str, Any]) -> int:
    """A command as a user types it."""
    command_line(request["words"], prog_name="pixquery")
    return 0


def _index(request: dict[str, Any]) -> int:
    """Indexes, and writes each acknowledged number of photos to a file."""
    acknowledged = os.open(request["acknowledged"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def progress(done: int, total: int) -> None:
        os.write(acknowledged, f"{done} {total}\n".encode())

    options = Options(
        batch_size=request["batch_size"], jobs=request.get("jobs", 2), progress=progress
    )
    with Library.open(request["library"], create=True, profile=request["profile"]) as library:
        index(library, [Path(root) for root in request["roots"]], options)
    return 0


def _answers(request: dict[str, Any]) -> int:
    """Prints all hits of a library for each word."""
    with Library.open(request["library"]) as library:
        everything = max(1, len(library))
        hits = {
            word: [
                [str(hit.path), hit.similarity, hit.width, hit.height, hit.modified.timestamp()]
                for hit in library.search(Query(word, k=everything, candidates=everything)).hits
            ]
            for word in request["words"]
        }
    print(json.dumps(hits))
    return 0


def _refusing(command: Callable[[dict[str, Any]], int]) -> Callable[[dict[str, Any]], int]:
    """Prints an error of pixquery as the command line does."""

    def run(request: dict[str, Any]) -> int:
        try:
            return command(request)
        except PixqueryError as error:
            print(f"pixquery: {error}")
            return 75 if isinstance(error, LibraryLocked) else 1

    return run


_COMMANDS = {"answers": _refusing(_answers), "command": _command_line, "index": _refusing(_index)}

if __name__ == "__main__":
    main()
