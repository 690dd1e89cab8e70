"""Words quoted for the command line, so that a command in a message can be pasted."""

import os
import re
import shlex
from pathlib import Path, PurePath

from platformdirs import user_data_path

# What cmd.exe or PowerShell would split at, expand or act on.
_SPECIAL = re.compile(r"""[\s"'`&|<>^%!$(){}\[\];,=@#~]""")
_BACKSLASHES = re.compile(r'(\\+)("|$)')


def quoted(word: str | PurePath, *, windows: bool = os.name == "nt") -> str:
    """Quotes a word where the command line of this system needs it.

    Args:
        word: An argument, such as a path.
        windows: Quote for Windows, in double quotes by the rules of Microsoft's C runtime
            (https://learn.microsoft.com/cpp/c-language/parsing-c-command-line-arguments);
            otherwise for a POSIX shell.
    """
    text = str(word)
    if not windows:
        return shlex.quote(text)
    if text and not _SPECIAL.search(text):
        return text
    # Backslashes stand for themselves unless a quotation mark follows, then each is doubled.
    doubled = _BACKSLASHES.sub(lambda match: match[1] * 2 + match[2], text)
    return '"' + doubled.replace('"', '\\"') + '"'


def library_option(library: str | PurePath) -> str:
    """The option by which a command in a message finds a library.

    Args:
        library: The library's folder.

    Returns:
        `` --library FOLDER`` with a space in front, or nothing if commands use that library anyway.
    """
    named = os.environ.get("PIXQUERY_LIBRARY")
    try:
        usual = Path(named).expanduser() if named else user_data_path("pixquery", appauthor=False)
    except (RuntimeError, KeyError):  # a user without a home
        return f" --library {quoted(library)}"
    if os.path.abspath(usual) == os.path.abspath(library):
        return ""
    return f" --library {quoted(library)}"
