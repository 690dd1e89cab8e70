"""The command line: finds the command, maps errors to exit codes, and ends the process."""

from __future__ import annotations

import gc
import io
import os
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from pixquery.commands import INTERRUPTED
from pixquery.commands.printing import say
from pixquery.db.errors import BadQuery, LibraryLocked, NothingFound, PixqueryError, QueryRefused

_MODULES = {
    "index": "index",
    "query": "query",
    "duplicates": "duplicates",
    "serve": "serve",
    "forget": "forget",
    "policy": "policy",
    "score": "score",
    "evaluate": "evaluate",
    "train": "train",
    "mcp": "mcp",
    "info": "library",
    "verify": "library",
    "models": "models",
}
"""The module in `commands/` of each command."""

_EXIT_CODES: tuple[tuple[type[PixqueryError], int], ...] = (
    (BadQuery, 2),
    (NothingFound, 3),
    (QueryRefused, 4),
    (LibraryLocked, 75),
    (PixqueryError, 1),
)


class _Commands(click.Group):
    """Imports a command when it is called, and maps every error to its exit code.

    Only developers see a traceback: set PIXQUERY_DEBUG=1.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _MODULES:
            return None
        command = getattr(import_module(f"pixquery.commands.{_MODULES[cmd_name]}"), cmd_name)
        return command if isinstance(command, click.Command) else None

    def main(self, args: Sequence[str] | None = None, *rest: Any, **more: Any) -> Any:
        """Runs as click does. As its own process, it also starts and ends faster than usual."""
        if args is not None:  # called from Python code
            return super().main(args, *rest, **more)
        gc.set_threshold(50_000)  # imports create many objects and no garbage
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
                # A file name may have characters that a pipe on Windows has no bytes for.
                stream.reconfigure(errors="backslashreplace")
        try:
            super().main(None, *rest, **more)
        except SystemExit as done:
            _leave(done.code)

    def invoke(self, ctx: click.Context) -> Any:
        if os.environ.get("PIXQUERY_DEBUG") == "1":
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except PixqueryError as error:
            say(f"pixquery: {error}")
            ctx.exit(next(code for kind, code in _EXIT_CODES if isinstance(error, kind)))
        except KeyboardInterrupt:
            say("pixquery: interrupted")
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            # The program that reads our output has ended (`pixquery query ... | head`).
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)
        except OSError as error:
            file = f" {error.filename}" if error.filename else ""
            say(f"pixquery: cannot access{file}: {error.strerror or error}")
            ctx.exit(1)
        except MemoryError:
            say("pixquery: there is not enough memory: close other programs, then try again")
            ctx.exit(1)
        except Exception as error:  # noqa: BLE001 - users never see a traceback
            say(
                f"pixquery: unexpected {type(error).__name__}: {error}. This is a bug: run the "
                "command again with PIXQUERY_DEBUG=1 and report what it prints"
            )
            ctx.exit(1)


def _leave(code: object) -> NoReturn:
    """Ends the process without unloading the models, which would take a fifth of a query's time.

    This is safe: files are closed where they are written, and output is flushed here.
    """
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    status = code if isinstance(code, int) else 0 if code is None else 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            status = status or 1
    os._exit(status)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""Examples:

\b
pixquery index ~/Pictures
pixquery query "man on bicycle"

`pixquery COMMAND --help` shows the options of a command, and examples.""",
)
@click.version_option(import_module("pixquery").__version__, prog_name="pixquery")
def main() -> None:
    """Search your own photos by describing them."""
