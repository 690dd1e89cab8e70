"""The command line: finds the command, maps errors to exit codes, and ends the process."""

from __future__ import annotations

import errno
import gc
import io
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

import click

from pixquery.commands import INTERRUPTED
from pixquery.commands.printing import say
from pixquery.commands.streams import prepare
from pixquery.db.errors import BadQuery, LibraryLocked, NothingFound, PixqueryError, QueryRefused
from pixquery.engine.legible import legible_lines

_MODULES = {
    "index": "index",
    "query": "query",
    "duplicates": "duplicates",
    "serve": "serve",
    "forget": "forget",
    "judge": "judge",
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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command as click does; for another word, names the one that was meant."""
        if args and not args[0].startswith("-") and args[0] not in _MODULES:
            raise click.UsageError(_no_command(args), ctx)
        return super().resolve_command(ctx, args)

    def main(self, args: Sequence[str] | None = None, *rest: Any, **more: Any) -> Any:
        """Runs as click does. As its own process, it also starts and ends faster than usual."""
        if args is not None:  # called from Python code
            return super().main(args, *rest, **more)
        gc.set_threshold(50_000)  # imports create many objects and no garbage
        prepare()
        try:
            # What was typed wrongly, --help and --version end here, before `invoke`.
            code: object = super().main(standalone_mode=False, **more)
        except SystemExit as done:
            code = done.code
        except (Exception, KeyboardInterrupt) as error:
            if _debugging() and not isinstance(error, click.ClickException | click.Abort):
                raise
            code = _reported(error)
        return _leave(code)

    def invoke(self, ctx: click.Context) -> Any:
        if _debugging():
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - no traceback for users
            ctx.exit(_reported(error))


def _no_command(args: Sequence[str]) -> str:
    """That the first of ``args`` is no command, and what to type instead."""
    from pixquery.commands.guesses import meant

    word, *rest = args
    command = meant(word, _MODULES)
    if command is None and (rest or " " in word):  # a description, as it seems
        return f"{word!r} is no command: to find photos, type `pixquery query` before the words"
    if command is None:
        return f"{word!r} is no command: `pixquery --help` lists them"
    return f"{word!r} is no command. Did you mean `{command}`?"


def _debugging() -> bool:
    return os.environ.get("PIXQUERY_DEBUG") == "1"


def _reported(error: BaseException) -> int:
    """Prints an error as one sentence, and returns its exit code."""
    if isinstance(error, click.ClickException):
        message = io.StringIO()
        error.show(message)
        text = legible_lines(message.getvalue())  # it quotes what was typed
        for words, plain in _PLAIN.items():
            text = text.replace(words, plain)
        with suppress(OSError):
            sys.stderr.write(text)
        return error.exit_code
    if isinstance(error, click.Abort) or _was_interrupted(error):
        say("pixquery: interrupted")
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        # The program that reads our output has ended (`pixquery query ... | head`).
        _discard_output()
        return 0
    if isinstance(error, PixqueryError):
        say(f"pixquery: {error}")
        return next(code for kind, code in _EXIT_CODES if isinstance(error, kind))
    if isinstance(error, MemoryError):
        say("pixquery: there is not enough memory: close other programs, or ask for less at once")
    elif isinstance(error, OSError):
        say(f"pixquery: {_of_the_system(error)}")
    else:
        say(
            f"pixquery: unexpected {type(error).__name__}: {error}. This is a bug: run the "
            "command again with PIXQUERY_DEBUG=1 and report what it prints"
        )
    return 1


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: modules in C make an ImportError of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


_PLAIN = {
    "is not a valid integer range": "is not a whole number",
    "is not a valid integer": "is not a whole number",
    "is not a valid float range": "is not a number",
}
"""Click's words, and what they mean to people."""


def _of_the_system(error: OSError) -> str:
    """An error of the system as a sentence. Output, and the current folder, have no file name."""
    why = error.strerror or str(error)
    if error.filename:
        return f"cannot access {error.filename}: {why}"
    if isinstance(error, FileNotFoundError):
        try:
            os.getcwd()  # noqa: PTH109 - as what failed did
        except OSError:
            return "the current folder was deleted: go to another, such as with `cd`"
    if error.errno in _OF_OUTPUT:
        _discard_output()
        return f"the output cannot be written ({why}): make room, or write it elsewhere"
    return f"the system reports: {why}"


_OF_OUTPUT = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}


def _discard_output() -> None:
    """Sends what is still to be written to nowhere, because where it should go takes no more."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _leave(code: object) -> NoReturn:
    """Ends the process without unloading the models, which would take a fifth of a query's time.

    This is safe: files are closed where they are written, and output is flushed here.
    """
    status = code if isinstance(code, int) else 0 if code is None else 1
    try:
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
        sys.stdout.flush()
    except (OSError, KeyboardInterrupt) as error:
        status = status or _reported(error)
    with suppress(OSError, ValueError):
        sys.stderr.flush()
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
