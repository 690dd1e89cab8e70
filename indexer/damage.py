"""Which errors of a decoding say that the file is damaged.

A damaged file is remembered until it changes. All other errors are :mod:`indexer.failures`.
"""

import re
from types import TracebackType

from pixquery.indexer.pillow import DECODER_ERRORS

_DECODERS = {"PIL", "pi_heif", "pillow_jxl", "rawpy"}
"""Packages whose code reads what a file claims."""
_AFTERWARDS = {"alpha_composite", "apply", "convert", "fromarray", "new", "resize", "save",
               "transpose"}  # fmt: skip
"""What pixquery asks Pillow to do with a picture that is decoded already."""
_OURS = __name__.partition(".")[0]
_NO_MEMORY = re.compile(r"(out of|insufficient|not enough|unsufficient) memory", re.IGNORECASE)
"""How decoders say in words what Python calls a MemoryError."""


def is_damage(error: BaseException) -> bool:
    """Whether an error that ended a decoding says that the file is damaged.

    Pillow raises nearly everything on damaged files, a TypeError or a KeyError as well as a
    SyntaxError. So what was raised does not tell damage from a defect, but where it was: while a
    decoder read the file, or in pixquery or in what it did with a decoded picture. Two kinds are
    the same everywhere: memory that ran out and errors of the system are never damage; a
    SyntaxError, which pixquery's own readers of headers raise as Pillow's do, always is.
    """
    if isinstance(error, MemoryError | RecursionError) or _NO_MEMORY.search(str(error)):
        return False
    if isinstance(error, OSError) and error.errno is not None:
        return False  # Pillow's own have a message alone
    if isinstance(error, SyntaxError):
        return True
    return isinstance(error, DECODER_ERRORS) and _was_reading(error.__traceback__)


def _was_reading(traceback: TracebackType | None) -> bool:
    """Whether the innermost call from pixquery had a decoder read the file.

    Other packages, such as the standard library, work for the one that called them.
    """
    reading = outside = False
    while traceback is not None:
        frame = traceback.tb_frame
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if package == _OURS:
            reading = outside = False
        elif package in _DECODERS and not outside:
            reading, outside = frame.f_code.co_name not in _AFTERWARDS, True
        traceback = traceback.tb_next
    return reading
