"""What Pillow is set to while photos are decoded, and not for longer.

Pillow's settings and Python's warning filters belong to the whole process, and photos are decoded
in several threads at once. So the first decoding that begins changes them, and the last one that
ends restores them. (``warnings.catch_warnings`` cannot do this: it restores the filters it saw,
which may be another thread's. See its documentation.)
"""

import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, cast

from PIL import AvifImagePlugin, Image

_SILENCE = ("ignore", None, UserWarning, re.compile(r"PIL\."), 0)
"""Of damaged metadata: a photo is used or skipped with a reason, and no warning is wanted."""

DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    ArithmeticError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders raise on damaged files; :mod:`indexer.damage` tells damage apart."""

_lock = Lock()
_decodings = 0
_before: tuple[int | None, int] = (None, 0)


@contextmanager
def set_for_decoding() -> Iterator[None]:
    """Lifts Pillow's pixel limit, silences its warnings and keeps AVIF to one thread a photo.

    :mod:`indexer.limits` has its own limit. Pillow's would refuse large photos inside of its
    TIFF and GIF decoders, wherever they are opened. In the meantime other threads of the program
    are without Pillow's limit, too.
    """
    global _decodings, _before
    with _lock:
        if not _decodings:
            _before = Image.MAX_IMAGE_PIXELS, AvifImagePlugin.DEFAULT_MAX_THREADS
            Image.MAX_IMAGE_PIXELS = None
            AvifImagePlugin.DEFAULT_MAX_THREADS = 1
        filters = _filters()
        if not filters or filters[0] is not _SILENCE:
            filters.insert(0, _SILENCE)
        _decodings += 1
    try:
        yield
    finally:
        with _lock:
            _decodings -= 1
            if not _decodings:
                Image.MAX_IMAGE_PIXELS, AvifImagePlugin.DEFAULT_MAX_THREADS = _before
                filters = _filters()
                filters[:] = [entry for entry in filters if entry is not _SILENCE]


def _filters() -> list[Any]:
    """Python's warning filters; the list is another one inside of ``catch_warnings``."""
    return cast("list[Any]", warnings.filters)
